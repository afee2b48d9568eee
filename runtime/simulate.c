/* simulate.c -- the command `simulate`: data sets from the prior, with their latents (.npz) or
 * without (.bin, .csv).
 *
 * Data set i of a seed is the same whatever --count is. Data sets are complete even of models with
 * missing cells: whoever blanks some can compare what is inferred, or predicted, with what was
 * there. But of a cross pairs are absent as in training: a complete one would be another design. */
#include "runtime/csv_write.h"
#include "runtime/session.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64 };

typedef struct Simulated {
    RtSession *s;
    int64_t count;
    char *
        *values; /* by variable: [count, plates, dims], the model's real type; NULL: not a result */
    int64_t *bytes; /* of one data set */
} Simulated;

/* Of a discrete latent the value is drawn; its dimension is that of inferred probabilities. */
static int value_dims(const RtVar *v) {
    return v->kind == RT_DISCRETE ? 0 : v->n_dims;
}

static void simulate(Simulated *r) {
    RtSession *s = r->s;
    const RtModel *m = s->model;
    const uint32_t key[2] = {s->seed, RT_FOR_SIMULATE};
    RtCall *call = rt_call_new(s->mem, m, "simulate", s->pool, &s->state->sizes, BLOCK, 1);
    const void **block = rt_alloc(s->mem, m->n_vars, sizeof *block);
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        if (!rt_is_given(v) && v->kind != RT_LATENT && v->kind != RT_DISCRETE) continue;
        if (v->kind == RT_PRESENCE && rt_cross_of(m, v) < 0) continue;
        block[i] = rt_call_want(call, v->name);
        r->bytes[i] = rt_var_size(v, &s->state->sizes) * (int64_t)m->real;
        if (!value_dims(v)) r->bytes[i] /= v->event;
        if (block[i]) r->values[i] = rt_alloc(s->mem, r->count, (size_t)r->bytes[i]);
    }
    rt_bind_state(s->mem, m, s->state, s->state->average, call);
    rt_call_ready(call);
    for (int64_t first = 0; first < r->count; first += BLOCK) {
        int64_t n = r->count - first < BLOCK ? r->count - first : BLOCK;
        rt_call_run(call, key, 0, (uint32_t)first, n);
        for (int i = 0; i < m->n_vars; i++)
            if (block[i])
                memcpy(r->values[i] + first * r->bytes[i], block[i], (size_t)(n * r->bytes[i]));
    }
}

/* Outcomes of absent pairs are no numbers. */
static void blank_absent(Simulated *r) {
    const RtModel *m = r->s->model;
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        const void *present = v->presence < 0 ? NULL : r->values[v->presence];
        const int64_t n = present ? r->count * rt_var_size(v, &r->s->state->sizes) : 0;
        for (int64_t k = 0; k < n; k++)
            if (rt_real_get(m, present, k / v->event) == 0) rt_real_set(m, r->values[i], k, NAN);
        if (present) r->values[v->presence] = NULL; /* no result of its own */
    }
}

static bool write_npz(const Simulated *r, const char *path, RtError *error) {
    const RtModel *m = r->s->model;
    RtBytes archive = {0}, directory = {0};
    bool ok = rt_npz_counts(r->s->mem, m, &r->s->state->sizes, &archive, &directory, error);
    for (int i = 0; ok && i < m->n_vars; i++) {
        if (!r->values[i]) continue;
        const RtVar *v = &m->vars[i];
        int64_t dims[RT_MAX_PLATES + RT_MAX_DIMS + 1];
        int n = 0;
        dims[n++] = r->count;
        n += rt_var_shape(m, v, &r->s->state->sizes, dims + n) - v->n_dims;
        for (int k = 0; k < value_dims(v); k++) dims[n++] = v->dims[k];
        RtBytes file = {0}, entry = {0};
        rt_npy_write(&file, r->values[i], m->f64, dims, n);
        rt_bytes_printf(&entry, "%s.npy", v->name);
        ok = rt_zip_add(&archive, &directory, entry.data, &file, error);
        rt_bytes_free(&file);
        rt_bytes_free(&entry);
    }
    rt_zip_end(&archive, &directory);
    ok = ok && rt_write_file(path, archive.data, archive.n, error);
    rt_bytes_free(&archive);
    rt_bytes_free(&directory);
    return ok;
}

/* Per data set the whole array of each observed variable, then of each covariate, float32; contexts
 * are left to --set. */
static bool write_bin(const Simulated *r, const char *path, RtError *error) {
    const RtModel *m = r->s->model;
    RtBytes out = {0};
    const RtVar *v;
    for (int64_t set = 0; set < r->count; set++)
        for (int at = 0; (v = rt_next_data(m, &at));) {
            const int64_t i = v - m->vars;
            if (!r->values[i]) continue;
            int64_t n = r->bytes[i] / (int64_t)m->real;
            for (int64_t k = 0; k < n; k++) {
                float x = (float)rt_real_get(m, r->values[i], set * n + k);
                uint32_t bits;
                memcpy(&bits, &x, 4);
                rt_bytes_add(&out,
                             (unsigned char[4]){(unsigned char)bits, (unsigned char)(bits >> 8),
                                                (unsigned char)(bits >> 16),
                                                (unsigned char)(bits >> 24)},
                             4);
            }
        }
    bool ok = rt_write_file(path, out.data, out.n, error);
    rt_bytes_free(&out);
    return ok;
}

static bool write_csv(const Simulated *r, const char *path, RtError *error) {
    const RtModel *m = r->s->model;
    RtData d = {.n_sets = 1, .sizes = r->s->state->sizes};
    d.values = rt_alloc(r->s->mem, m->n_vars, sizeof *d.values);
    for (int i = 0; i < m->n_vars; i++) {
        if (!r->values[i] || !rt_is_given(&m->vars[i])) continue;
        const int64_t n = r->bytes[i] / (int64_t)m->real;
        d.values[i] = rt_alloc(r->s->mem, n, sizeof(double));
        for (int64_t k = 0; k < n; k++) d.values[i][k] = rt_real_get(m, r->values[i], k);
    }
    return rt_csv_write(m, &d, path, error);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Prior predictive quantiles, so that a prior that cannot be meant is seen. */
static void show(const Simulated *r) {
    const RtModel *m = r->s->model;
    printf("%-20s %12s %12s %12s\n", "", "5%", "50%", "95%");
    for (int i = 0; i < m->n_vars; i++) {
        if (!r->values[i]) continue;
        int64_t all = r->count * (r->bytes[i] / (int64_t)m->real), n = 0;
        double *x = rt_alloc(r->s->mem, all, sizeof *x);
        for (int64_t k = 0; k < all; k++)
            if (!isnan(x[n] = rt_real_get(m, r->values[i], k))) n++;
        if (!n) continue;
        qsort(x, (size_t)n, sizeof *x, ascending);
        printf("%-20s %12.5g %12.5g %12.5g\n", m->vars[i].name, x[n / 20], x[n / 2],
               x[n - 1 - n / 20]);
    }
    printf("%" PRId64 " data sets from the prior, seed %" PRIu32 "\n", r->count, r->s->seed);
}

static void show_json(const Simulated *r, const char *path) {
    RtBytes out = {0};
    rt_bytes_printf(&out, "{\"count\": %" PRId64 ", \"file\": ", r->count);
    if (path)
        rt_json_string(&out, path);
    else
        rt_bytes_printf(&out, "null");
    rt_bytes_printf(&out, ", ");
    rt_json_settings(&out, r->s, 0);
    printf("%s}\n", out.data);
    rt_bytes_free(&out);
}

typedef bool Write(const Simulated *r, const char *path, RtError *error);

/* What writes such a file; NULL with the reason. */
static Write *writer_of(const Simulated *r, const char *path, RtError *error) {
    if (rt_ends_with(path, ".bin")) return write_bin;
    if (rt_ends_with(path, ".npz")) return write_npz;
    if (!rt_ends_with(path, ".csv"))
        return rt_error(error, "--out %s: data sets are written as .npz, .csv or .bin", path), NULL;
    if (r->count > 1) {
        rt_error(error,
                 "--out %s: a table holds one data set, and --count says %" PRId64
                 "\n  expected  .npz or .bin",
                 path, r->count);
        return NULL;
    }
    return rt_csv_can_hold(r->s->model, path, error) ? write_csv : NULL;
}

int rt_command_simulate(RtSession *s) {
    RtError error;
    const RtOptions *o = s->options;
    Simulated r = {.s = s, .count = o->count > 0 ? o->count : 1};
    Write *write = o->out ? writer_of(&r, o->out, &error) : NULL;
    if (o->out && !write) {
        rt_complain(&error);
        return 2;
    }
    r.values = rt_alloc(s->mem, s->model->n_vars, sizeof *r.values);
    r.bytes = rt_alloc(s->mem, s->model->n_vars, sizeof *r.bytes);
    simulate(&r);
    blank_absent(&r);
    if (write && !write(&r, o->out, &error)) return rt_complain(&error);
    if (o->json)
        show_json(&r, o->out);
    else if (!o->quiet)
        show(&r);
    return 0;
}
