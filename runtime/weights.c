/* weights.c -- the file of trained weights.
 *
 *     adavic-weights 1\n            then lines of words, as in the manifest:
 *     source-hash 0123456789abcdef    of the checked model that was trained
 *     model gre family structured
 *     seed 1 steps 5000 skipped 0 sets 32 draws 32 learning-rate 0.001 validation 236.4
 *     objective "reverse-kl"
 *     plate group 3                   or, trained on a range, `plate group 11 range 2 60`
 *     hyper s_mu 0.5
 *     tensor weight|iterate|moment1|moment2|stat NAME dims 8 4
 *     end\n
 *   then the tensors in that order, row-major float32, little-endian, and the CRC-32 of all bytes
 * before it.
 *
 * `weight` is the average of the iterates, which inference uses; the other three are the
 * optimiser's. Nothing in the file depends on the machine, the time, a path or the number of
 * threads. A file is accepted only if its checksum holds and its hash, names and shapes are this
 * program's. */
#include "runtime/session.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static const char magic[] = "adavic-weights 1\n";

/* ---- saving ---- */

static void add_tensor_line(RtBytes *out, const char *kind, const char *name, const int64_t *dims,
                            int n) {
    rt_bytes_printf(out, "tensor %s %s dims", kind, name);
    for (int i = 0; i < n; i++) rt_bytes_printf(out, " %" PRId64, dims[i]);
    rt_bytes_printf(out, "\n");
}

static void add_floats(RtBytes *out, const float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, 4);
        const unsigned char le[4] = {(unsigned char)bits, (unsigned char)(bits >> 8),
                                     (unsigned char)(bits >> 16), (unsigned char)(bits >> 24)};
        rt_bytes_add(out, le, 4);
    }
}

static void add_header(RtBytes *out, const RtModel *m, const RtState *s) {
    rt_bytes_printf(out, "%ssource-hash %s\nmodel %s family %s\n", magic, m->hash, m->name,
                    m->family);
    rt_bytes_printf(out,
                    "seed %" PRIu32 " steps %" PRId64 " skipped %" PRId64 " sets %" PRId64
                    " draws %" PRId64,
                    s->seed, s->steps, s->skipped, s->sets, s->draws);
    rt_bytes_printf(out, " learning-rate %.17g validation %.17g\nobjective \"%s\"\n",
                    s->learning_rate, s->validation, s->objective);
    for (int i = 0; i < m->n_plates; i++) {
        if (m->plates[i].across >= 0) continue;
        rt_bytes_printf(out, "plate %s %" PRId64, m->plates[i].name, s->sizes.n[i]);
        if (s->lo[i] < s->hi[i])
            rt_bytes_printf(out, " range %" PRId64 " %" PRId64, s->lo[i], s->hi[i]);
        rt_bytes_printf(out, "\n");
    }
    for (int i = 0; i < m->n_vars; i++) {
        if (m->vars[i].kind != RT_HYPER) continue;
        rt_bytes_printf(out, "hyper %s", m->vars[i].name);
        for (int64_t k = 0; k < m->vars[i].event; k++)
            rt_bytes_printf(out, " %.17g", s->hypers[i][k]);
        rt_bytes_printf(out, "\n");
    }
}

/* The four vectors by name, in the order of the file. */
static void vectors(const RtState *s, const char *names[4], float *values[4]) {
    names[0] = "weight", values[0] = s->average;
    names[1] = "iterate", values[1] = s->iterate;
    names[2] = "moment1", values[2] = s->moment1;
    names[3] = "moment2", values[3] = s->moment2;
}

bool rt_weights_save(const RtModel *m, const RtState *s, const char *path, RtError *error) {
    RtBytes out = {0};
    const char *names[4];
    float *values[4];
    vectors(s, names, values);
    add_header(&out, m, s);
    for (int v = 0; v < 4; v++)
        for (int i = 0; i < m->n_weights; i++)
            add_tensor_line(&out, names[v], m->weights[i].name, m->weights[i].dims,
                            m->weights[i].n_dims);
    for (int i = 0; i < s->n_stats; i++)
        add_tensor_line(&out, "stat", s->stats[i].name, &s->stats[i].size, 1);
    rt_bytes_printf(&out, "end\n");
    for (int v = 0; v < 4; v++)
        for (int i = 0; i < m->n_weights; i++)
            add_floats(&out, values[v] + m->weights[i].offset, m->weights[i].size);
    for (int i = 0; i < s->n_stats; i++) add_floats(&out, s->stats[i].values, s->stats[i].size);
    uint32_t crc = (uint32_t)crc32_z(0, (const Bytef *)out.data, out.n);
    rt_bytes_add(&out,
                 (unsigned char[4]){(unsigned char)crc, (unsigned char)(crc >> 8),
                                    (unsigned char)(crc >> 16), (unsigned char)(crc >> 24)},
                 4);
    bool ok = rt_write_file(path, out.data, out.n, error);
    rt_bytes_free(&out);
    return ok;
}

/* ---- loading ---- */

typedef struct Load {
    RtMem *mem;
    const RtModel *m;
    const char *name;
    RtError *error;
    RtState *state;
    const char *body, *body_end; /* the numbers */
    int64_t n_tensors, n_stats;
    int n, at; /* words of the line in hand */
    char **words;
} Load;

static bool refuse(Load *l, const char *why) {
    return rt_error(l->error, "%s: %s\n  write new weights with: train --weights %s", l->name, why,
                    l->name);
}

static uint32_t little32(const char *at) {
    const unsigned char *p = (const unsigned char *)at;
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static const char *next(Load *l) {
    return l->at < l->n ? l->words[l->at++] : "";
}

static int64_t next_int(Load *l) {
    int64_t v = -1;
    return rt_parse_int(next(l), &v) ? v : -1;
}

static double next_number(Load *l) {
    double v;
    const char *w = next(l);
    return rt_parse_number(w, strlen(w), &v) ? v : NAN;
}

static const RtWeight *find_weight(const RtModel *m, const char *name) {
    for (int i = 0; i < m->n_weights; i++)
        if (!strcmp(m->weights[i].name, name)) return &m->weights[i];
    return NULL;
}

static bool take_floats(Load *l, float *to, int64_t n) {
    if (n > (l->body_end - l->body) / 4) return refuse(l, "the file is cut short");
    for (int64_t i = 0; i < n; i++, l->body += 4) {
        uint32_t bits = little32(l->body);
        memcpy(to + i, &bits, 4);
    }
    return true;
}

static bool read_tensor(Load *l) {
    const char *kind = next(l), *name = next(l);
    int64_t dims[RT_MAX_DIMS];
    int n = 0;
    next(l); /* dims */
    while (l->at < l->n && n < RT_MAX_DIMS) dims[n++] = next_int(l);
    int64_t size = rt_product(dims, n);
    if (size < 0 || l->at < l->n) return refuse(l, "a tensor's shape is damaged");
    if (!strcmp(kind, "stat")) {
        RtStat *stat = rt_stat(l->state, name);
        if (!stat || stat->size != size) return refuse(l, "the statistics are not this program's");
        l->n_stats++;
        return take_floats(l, stat->values, size);
    }
    const char *kinds[4];
    float *values[4];
    vectors(l->state, kinds, values);
    const RtWeight *w = find_weight(l->m, name);
    for (int v = 0; v < 4; v++) {
        if (strcmp(kind, kinds[v])) continue;
        if (!w || w->n_dims != n || memcmp(w->dims, dims, (size_t)n * sizeof *dims))
            return refuse(l, "the weights have other names or shapes than this program's (compiled "
                             "with other options?)");
        l->n_tensors++;
        return take_floats(l, values[v] + w->offset, w->size);
    }
    return refuse(l, "a tensor of unknown kind");
}

static bool read_hyper(Load *l) {
    const char *name = next(l);
    const RtVar *v = rt_var(l->m, name);
    if (!v || v->kind != RT_HYPER || l->n != 2 + v->event)
        return refuse(l, "a hyper that the model does not have");
    for (int64_t k = 0; k < v->event; k++) l->state->hypers[v - l->m->vars][k] = next_number(l);
    return true;
}

/* Pairs of words; later versions may add some. */
static void read_facts(Load *l) {
    RtState *s = l->state;
    for (l->at = 0; l->at + 1 < l->n;) {
        const char *key = next(l);
        if (!strcmp(key, "seed"))
            s->seed = (uint32_t)next_int(l);
        else if (!strcmp(key, "steps"))
            s->steps = next_int(l);
        else if (!strcmp(key, "skipped"))
            s->skipped = next_int(l);
        else if (!strcmp(key, "sets"))
            s->sets = next_int(l);
        else if (!strcmp(key, "draws"))
            s->draws = next_int(l);
        else if (!strcmp(key, "learning-rate"))
            s->learning_rate = next_number(l);
        else if (!strcmp(key, "validation"))
            s->validation = next_number(l);
        else if (!strcmp(key, "objective"))
            snprintf(s->objective, sizeof s->objective, "%s", next(l));
        else
            next(l);
    }
}

/* One line of the header. A foreign model is refused before anything else is read of it. */
static bool read_line(Load *l) {
    const char *key = next(l);
    if (!strcmp(key, "source-hash")) {
        if (!strcmp(next(l), l->m->hash)) return true;
        return refuse(l, rt_printf(l->mem,
                                   "these weights were trained for another model (source hash "
                                   "%.20s, this program has %s)",
                                   l->words[l->n - 1], l->m->hash));
    }
    if (!strcmp(key, "plate")) {
        int plate = rt_plate(l->m, next(l));
        int64_t size = next_int(l), lo = size, hi = size;
        if (!strcmp(next(l), "range")) {
            lo = next_int(l);
            hi = next_int(l);
        }
        if (plate < 0 || l->m->plates[plate].across >= 0 || lo < !l->m->plates[plate].ragged ||
            size < lo || hi < size)
            return refuse(l, "a plate that the model does not have");
        l->state->sizes.n[plate] = size;
        l->state->lo[plate] = lo;
        l->state->hi[plate] = hi;
        return true;
    }
    if (!strcmp(key, "hyper")) return read_hyper(l);
    if (!strcmp(key, "tensor")) return read_tensor(l);
    if (!strcmp(key, "model")) {
        if (l->n == 4 && strcmp(l->words[3], l->m->family))
            return refuse(l, rt_printf(l->mem,
                                       "these weights are of the family %.40s, this program has %s",
                                       l->words[3], l->m->family));
        return true;
    }
    read_facts(l);
    return true;
}

/* The header's end: where its line "end" stops. NULL if it has none. */
static const char *header_end(const RtBytes *bytes) {
    const char *at = bytes->data, *stop = bytes->data + bytes->n;
    while (at < stop) {
        const char *line = memchr(at, '\n', (size_t)(stop - at));
        if (!line) return NULL;
        if (line - at == 3 && !memcmp(at, "end", 3)) return line + 1;
        at = line + 1;
    }
    return NULL;
}

static bool check_whole(Load *l, const RtBytes *bytes) {
    size_t head = strlen(magic), kind = strlen("adavic-weights ");
    if (bytes->n < head || memcmp(bytes->data, magic, kind))
        return refuse(l, "not a file of adavic weights");
    if (memcmp(bytes->data, magic, head)) return refuse(l, "written by another version of adavic");
    uint32_t crc = (uint32_t)crc32_z(0, (const Bytef *)bytes->data, bytes->n - 4);
    if (crc == little32(bytes->data + bytes->n - 4)) return true;
    return refuse(l, "the file is damaged or cut short: its checksum does not hold");
}

RtState *rt_weights_parse(RtMem *mem, const RtModel *m, const char *name, const RtBytes *bytes,
                          RtError *error) {
    Load l = {.mem = mem, .m = m, .name = name, .error = error};
    if (!check_whole(&l, bytes)) return NULL;
    const char *end = header_end(bytes);
    if (!end) return refuse(&l, "the header has no end"), NULL;
    l.body = end;
    l.body_end = bytes->data + bytes->n - 4;
    l.state = rt_state_new(mem, m);
    const char *text = rt_copy_text(mem, bytes->data, (size_t)(end - bytes->data)),
               *at = text + strlen(magic);
    while (*at) {
        l.at = 0;
        l.n = rt_words(mem, &at, &l.words);
        if (l.n < 0) return refuse(&l, "the header is damaged"), NULL;
        if (l.n == 1 && !strcmp(l.words[0], "end")) break;
        if (!read_line(&l)) return NULL;
    }
    if (l.n_tensors != 4 * (int64_t)m->n_weights || l.n_stats != l.state->n_stats ||
        l.body != l.body_end)
        return refuse(&l, "the file does not hold exactly this program's weights"), NULL;
    rt_sizes_usual(mem, m, l.state, NULL);
    return l.state;
}

RtState *rt_weights_load(RtMem *mem, const RtModel *m, const char *path, RtError *error) {
    RtBytes bytes;
    if (!rt_read_file(path, &bytes, error)) return NULL;
    RtState *state = rt_weights_parse(mem, m, path, &bytes, error);
    rt_bytes_free(&bytes);
    return state;
}

char *rt_weights_path(RtMem *mem, const RtOptions *o) {
    if (o->weights) return rt_printf(mem, "%s", o->weights);
    return rt_printf(mem, "%s.weights", o->program);
}

RtState *rt_weights_open(RtSession *s, RtError *error) {
    char *path = rt_weights_path(s->mem, s->options);
    if (!access(path, F_OK)) return rt_weights_load(s->mem, s->model, path, error);
    rt_error(error, "no weights at %s: train them first\n  %s train%s%s", path, s->options->program,
             s->options->weights ? " --weights " : "", s->options->weights ? path : "");
    return NULL;
}
