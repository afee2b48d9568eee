/* manifest.c -- the text that a compiled model carries (runtime/abi.h) as data structures.
 *
 * The text comes from the compiler that wrote the program, yet it is checked like any input: a word
 * out of place is an error with its line, never a wild read. */
#include "runtime/rt.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int rt_words(RtMem *mem, const char **cursor, char ***words) {
    const char *s = *cursor, *end = strchr(s, '\n');
    if (!end) end = s + strlen(s);
    *cursor = *end ? end + 1 : end;
    char **list = rt_alloc(mem, (end - s) / 2 + 2, sizeof *list);
    char *text = rt_copy_text(mem, s, (size_t)(end - s)), *to = text;
    int n = 0;
    while (s < end) {
        if (isspace((unsigned char)*s)) {
            s++;
            continue;
        }
        list[n++] = to;
        bool quoted = *s == '"';
        if (quoted) s++;
        while (s < end && (quoted ? *s != '"' : !isspace((unsigned char)*s))) {
            if (quoted && *s == '\\' && s + 1 < end) {
                s++;
                *to++ = *s == 'n' ? '\n' : *s;
                s++;
            } else {
                *to++ = *s++;
            }
        }
        if (quoted && s == end) return -1;
        if (s < end) s++; /* the quote or the blank: room for the 0 */
        *to++ = 0;
    }
    *words = list;
    return n;
}

typedef struct Parser {
    RtMem *mem;
    RtModel *model;
    RtError *error;
    int line, n, at; /* words of the line, and the next one */
    char **words;
    bool failed;
} Parser;

static void fail(Parser *p, const char *what) {
    if (p->failed) return;
    p->failed = true;
    rt_error(p->error, "the program's manifest is malformed: line %d: %s", p->line, what);
}

static const char *word(Parser *p) {
    if (p->at < p->n) return p->words[p->at++];
    fail(p, "a word is missing");
    return "";
}

static bool next_is(Parser *p, const char *text) {
    if (p->at >= p->n || strcmp(p->words[p->at], text)) return false;
    p->at++;
    return true;
}

static void expect(Parser *p, const char *text) {
    if (strcmp(word(p), text)) fail(p, text);
}

static int64_t integer(Parser *p) {
    int64_t v = 0;
    if (!rt_parse_int(word(p), &v)) fail(p, "an integer is expected");
    return v;
}

static double number(Parser *p) {
    double v = 0;
    const char *w = word(p);
    if (!rt_parse_number(w, strlen(w), &v)) fail(p, "a number is expected");
    return v;
}

static int one_of(Parser *p, const char *const *names, int n) {
    const char *w = word(p);
    for (int i = 0; i < n; i++)
        if (!strcmp(w, names[i])) return i;
    fail(p, w);
    return 0;
}

/* Room for one more element of an array whose length is a power of two when full. */
static void *grow(RtMem *mem, void *array, int n, size_t size) {
    if (n && (n < 8 || n & (n - 1))) return array;
    void *larger = rt_alloc(mem, n < 8 ? 8 : 2 * n, size);
    if (n) memcpy(larger, array, (size_t)n * size);
    return larger;
}

static int dims(Parser *p, int64_t *out) {
    int n = 0;
    for (; p->at < p->n && isdigit((unsigned char)p->words[p->at][0]); n++) {
        int64_t d = integer(p);
        if (n == RT_MAX_DIMS || d < 1) {
            fail(p, "too many dimensions, or one below 1");
            break;
        }
        out[n] = d;
    }
    if (rt_product(out, n) < 0) fail(p, "dimensions too large");
    return n;
}

/* Copies for each pair of instances of two outermost plates, neither of them cut. */
static void read_across(Parser *p, RtPlate *plate) {
    const RtModel *m = p->model;
    plate->across = rt_plate(m, word(p));
    if (plate->across < 0 || plate->parent < 0 || plate->across == plate->parent ||
        m->plates[plate->across].parent >= 0 || m->plates[plate->parent].parent >= 0 ||
        plate->ragged || plate->size != m->plates[plate->across].size) {
        fail(p, "a cross of two outermost plates, as large as the second");
        return;
    }
    plate->column = m->plates[plate->across].column;
    plate->lo = m->plates[plate->across].lo;
    plate->hi = m->plates[plate->across].hi;
}

static void read_plate(Parser *p) {
    RtModel *m = p->model;
    if (m->n_plates == RT_MAX_PLATES) {
        fail(p, "too many plates");
        return;
    }
    m->plates = grow(p->mem, m->plates, m->n_plates, sizeof *m->plates);
    RtPlate plate = {.name = word(p), .parent = -1, .across = -1};
    plate.column = plate.name;
    expect(p, "parent");
    const char *parent = word(p);
    if (strcmp(parent, "-") && (plate.parent = rt_plate(m, parent)) < 0) fail(p, parent);
    if (plate.parent >= 0) plate.depth = m->plates[plate.parent].depth + 1;
    expect(p, "size");
    plate.size = plate.lo = plate.hi = integer(p);
    expect(p, "exchangeable");
    plate.exchangeable = integer(p) != 0;
    plate.reason = word(p);
    if (next_is(p, "range")) {
        plate.lo = integer(p);
        plate.hi = integer(p);
    }
    plate.ragged = next_is(p, "ragged");
    if (plate.ragged && plate.parent < 0) fail(p, "ragged without a parent");
    if (plate.lo < !plate.ragged || plate.size < plate.lo || plate.hi < plate.size)
        fail(p, "sizes of a plate");
    if (next_is(p, "from")) plate.column = word(p);
    if (next_is(p, "across")) read_across(p, &plate);
    m->plates[m->n_plates++] = plate;
}

/* Does it stand in the plates around a variable, or, of one in a cross, in the other plate? */
static bool is_around(const RtModel *m, const RtVar *outer, const RtVar *v) {
    const int cross = rt_cross_of(m, v);
    bool around = outer->n_plates <= v->n_plates;
    if (cross >= 0 && outer->n_plates == 1 && outer->plates[0] == m->plates[cross].across)
        return true;
    for (int k = 0; around && k < outer->n_plates; k++) around = outer->plates[k] == v->plates[k];
    return around;
}

/* The covariate that a variable's whole numbers end at: around it, of one number or as many. */
static void read_end(Parser *p, RtVar *v) {
    const char *name = word(p);
    for (int i = 0; i < p->model->n_vars; i++) {
        const RtVar *end = &p->model->vars[i];
        if (end->kind != RT_GIVEN || strcmp(end->name, name)) continue;
        if (is_around(p->model, end, v) && (end->event == 1 || end->event == v->event))
            v->most_of = i;
    }
    if (v->most_of < 0) fail(p, "not a covariate around it");
}

/* The variable behind an observed one of which cells may be missing. */
static void add_presence(Parser *p, RtVar observed) {
    RtModel *m = p->model;
    RtVar v = {.kind = RT_PRESENCE, .n_plates = observed.n_plates, .event = 1};
    v.name = rt_printf(p->mem, "%s.present", observed.name);
    memcpy(v.plates, observed.plates, sizeof v.plates);
    v.most = v.most_of = v.presence = -1;
    m->vars = grow(p->mem, m->vars, m->n_vars, sizeof *m->vars);
    m->vars[m->n_vars++] = v;
}

static void read_var(Parser *p, RtVarKind kind) {
    RtModel *m = p->model;
    m->vars = grow(p->mem, m->vars, m->n_vars, sizeof *m->vars);
    RtVar v = {.kind = kind, .name = word(p)};
    if (kind != RT_HYPER) {
        expect(p, "plates");
        while (p->at < p->n && strcmp(p->words[p->at], "dims")) {
            int plate = rt_plate(m, word(p));
            if (plate < 0 || v.n_plates == RT_MAX_PLATES) {
                fail(p, "not a plate");
                return;
            }
            v.plates[v.n_plates++] = plate;
        }
    }
    expect(p, "dims");
    v.n_dims = dims(p, v.dims);
    v.event = rt_product(v.dims, v.n_dims);
    if (kind == RT_DISCRETE && v.n_dims != 1) fail(p, "a discrete latent has one number of values");
    if (kind == RT_HYPER && !p->failed) {
        expect(p, "values");
        if (v.event > p->n - p->at)
            fail(p, "values are missing"); /* before there is room for them */
    }
    if (kind == RT_HYPER && !p->failed) {
        v.values = rt_alloc(p->mem, v.event, sizeof *v.values);
        for (int64_t i = 0; i < v.event && !p->failed; i++) v.values[i] = number(p);
    }
    if (kind == RT_GIVEN && next_is(p, "values") && (v.n_kinds = integer(p)) < 1)
        fail(p, "a number of values");
    v.most = v.most_of = v.presence = -1;
    v.whole = rt_is_data(&v) && next_is(p, "whole");
    if (v.whole && next_is(p, "upto") && (v.most = integer(p)) < 0) fail(p, "a largest number");
    if (v.whole && next_is(p, "to")) read_end(p, &v);
    if (v.whole && next_is(p, "sums")) v.sums = v.most >= 0 || v.most_of >= 0;
    v.positive = (kind == RT_CONTEXT || kind == RT_GIVEN) && next_is(p, "positive");
    bool missing = kind == RT_OBSERVED && next_is(p, "missing");
    if (missing) {
        v.harmless = number(p);
        v.presence = m->n_vars + 1;
    }
    m->vars[m->n_vars++] = v;
    if (missing) add_presence(p, v);
}

static void read_symmetry(Parser *p) {
    RtModel *m = p->model;
    m->symmetries = grow(p->mem, m->symmetries, m->n_symmetries, sizeof *m->symmetries);
    RtSymmetry y = {.plate = -1};
    expect(p, "components");
    y.components = integer(p);
    expect(p, "plate");
    const char *plate = word(p);
    if (strcmp(plate, "-") && (y.plate = rt_plate(m, plate)) < 0) fail(p, plate);
    expect(p, "moved");
    y.moved = rt_alloc(p->mem, p->n, sizeof *y.moved);
    y.dim = rt_alloc(p->mem, p->n, sizeof *y.dim);
    while (p->at < p->n && !p->failed) {
        const RtVar *v = rt_var(m, word(p));
        int64_t dim = integer(p);
        bool fits = v && v->kind == RT_LATENT && dim >= 0 && dim < v->n_dims &&
                    v->dims[dim] == y.components;
        fits &= y.plate < 0 || (v->n_plates && v->plates[0] == y.plate);
        if (!fits) {
            fail(p, "not a latent with an entry for each component");
            break;
        }
        y.moved[y.n_moved] = (int)(v - m->vars);
        y.dim[y.n_moved++] = (int)dim;
    }
    m->symmetries[m->n_symmetries++] = y;
}

static void read_weight(Parser *p) {
    static const char *const kinds[] = {"constant", "uniform", "normal"};
    RtModel *m = p->model;
    m->weights = grow(p->mem, m->weights, m->n_weights, sizeof *m->weights);
    RtWeight w = {.name = word(p), .offset = m->flat};
    expect(p, "dims");
    w.n_dims = dims(p, w.dims);
    w.size = rt_product(w.dims, w.n_dims);
    expect(p, "init");
    w.init = (RtInit)one_of(p, kinds, 3);
    w.scale = number(p);
    m->n_parameters += w.size;
    m->flat += (w.size + 15) / 16 * 16;
    m->weights[m->n_weights++] = w;
}

static void read_setting(Parser *p) {
    static const char *const names[] = {"sets", "draws"};
    int64_t *const to[] = {&p->model->sets, &p->model->draws};
    int which = one_of(p, names, 2);
    *to[which] = integer(p);
    if (*to[which] < 1 || *to[which] > 1000000) fail(p, "a setting out of range");
}

static void read_text(Parser *p) {
    RtModel *m = p->model;
    m->texts = grow(p->mem, m->texts, m->n_texts, sizeof *m->texts);
    RtText t = {.key = word(p)};
    t.text = word(p);
    m->texts[m->n_texts++] = t;
}

static void read_program(Parser *p) {
    RtModel *m = p->model;
    m->programs = grow(p->mem, m->programs, m->n_programs, sizeof *m->programs);
    RtProgram program = {.name = word(p), .chunk = 1};
    while (p->at < p->n && !p->failed) { /* pairs, of which only the chunk matters here */
        if (next_is(p, "chunk"))
            program.chunk = integer(p);
        else
            word(p), word(p);
    }
    if (program.chunk < 1) fail(p, "a chunk has at least one data set");
    for (int64_t i = 0; i < adavic_entry_count; i++)
        if (!strcmp(adavic_entries[i].name, program.name)) program.entry = &adavic_entries[i];
    if (!program.entry) fail(p, "a program without code");
    m->programs[m->n_programs++] = program;
}

static int find_axis(const RtProgram *g, const char *name) {
    for (int i = 0; i < g->n_axes; i++)
        if (!strcmp(g->axes[i].name, name)) return i;
    return -1;
}

static void read_axis(Parser *p, RtProgram *g) {
    static const char *const kinds[] = {"data", "draw", "plate", "event"};
    g->axes = grow(p->mem, g->axes, g->n_axes, sizeof *g->axes);
    RtAxis axis = {.name = word(p), .plate = -1};
    expect(p, "kind");
    axis.kind = (RtAxisKind)one_of(p, kinds, 4);
    expect(p, "parent");
    word(p);
    expect(p, "extent");
    axis.extent = integer(p);
    if (axis.extent < 0) fail(p, "an extent below 0");
    expect(p, "copy");
    const char *copy = word(p);
    if (axis.kind == RT_PLATE) {
        axis.plate = rt_plate(p->model, strcmp(copy, "-") ? copy : axis.name);
        if (axis.plate < 0) fail(p, "the axis belongs to no plate");
    }
    g->axes[g->n_axes++] = axis;
}

static void read_tensor(Parser *p, RtProgram *g, bool output) {
    static const char *const roles[] = {"weight", "hyper",   "data",    "latent",
                                        "stat",   "control", "segment", "random"};
    RtTensor t = {.name = word(p)};
    if (output) {
        expect(p, "reduced");
        t.reduced = integer(p) != 0;
    } else {
        expect(p, "role");
        t.role = (RtRole)one_of(p, roles, 8);
    }
    expect(p, "axes");
    while (p->at < p->n && !p->failed) {
        int axis = find_axis(g, word(p));
        if (axis < 0 || t.n_axes == RT_MAX_AXES)
            fail(p, "not an axis, or too many");
        else
            t.axes[t.n_axes++] = axis;
    }
    if (output) {
        g->outputs = grow(p->mem, g->outputs, g->n_outputs, sizeof *g->outputs);
        g->outputs[g->n_outputs++] = t;
    } else {
        g->inputs = grow(p->mem, g->inputs, g->n_inputs, sizeof *g->inputs);
        g->inputs[g->n_inputs++] = t;
    }
}

/* Appends to *terms, n of them so far. */
static void read_term(Parser *p, const RtProgram *g, RtTerm **terms, int *n) {
    RtTerm t = {.coef = integer(p)};
    if (t.coef < 0) fail(p, "a count below 0");
    expect(p, "axes");
    while (p->at < p->n && !p->failed) {
        int axis = find_axis(g, word(p));
        if (axis < 0 || t.n_axes == RT_MAX_FACTORS)
            fail(p, "not an axis, or too many");
        else
            t.axes[t.n_axes++] = axis;
    }
    *terms = grow(p->mem, *terms, *n, sizeof **terms);
    (*terms)[(*n)++] = t;
}

static void read_line(Parser *p, RtProgram **open) {
    RtModel *m = p->model;
    if (*open) {
        if (next_is(p, "axis"))
            read_axis(p, *open);
        else if (next_is(p, "input"))
            read_tensor(p, *open, false);
        else if (next_is(p, "output"))
            read_tensor(p, *open, true);
        else if (next_is(p, "flop"))
            read_term(p, *open, &(*open)->flop, &(*open)->n_flop);
        else if (next_is(p, "functions"))
            read_term(p, *open, &(*open)->functions, &(*open)->n_functions);
        else if (next_is(p, "end"))
            *open = NULL;
        else
            fail(p, word(p));
        return;
    }
    if (next_is(p, "adavic-manifest")) {
        if (integer(p) != 1) fail(p, "an unknown version");
    } else if (next_is(p, "model"))
        m->name = word(p);
    else if (next_is(p, "source-hash"))
        m->hash = word(p);
    else if (next_is(p, "family"))
        m->family = word(p);
    else if (next_is(p, "target"))
        m->target = word(p);
    else if (next_is(p, "real"))
        m->f64 = one_of(p, (const char *const[]){"f32", "f64"}, 2);
    else if (next_is(p, "plate"))
        read_plate(p);
    else if (next_is(p, "hyper"))
        read_var(p, RT_HYPER);
    else if (next_is(p, "latent"))
        read_var(p, RT_LATENT);
    else if (next_is(p, "observed"))
        read_var(p, RT_OBSERVED);
    else if (next_is(p, "context"))
        read_var(p, RT_CONTEXT);
    else if (next_is(p, "given"))
        read_var(p, RT_GIVEN);
    else if (next_is(p, "quantity"))
        read_var(p, RT_QUANTITY);
    else if (next_is(p, "discrete"))
        read_var(p, RT_DISCRETE);
    else if (next_is(p, "symmetry"))
        read_symmetry(p);
    else if (next_is(p, "weight"))
        read_weight(p);
    else if (next_is(p, "setting"))
        read_setting(p);
    else if (next_is(p, "text"))
        read_text(p);
    else if (next_is(p, "program")) {
        read_program(p);
        *open = &m->programs[m->n_programs - 1];
    } else
        fail(p, word(p));
}

RtModel *rt_model_new(RtMem *mem, const char *manifest, RtError *error) {
    RtModel *m = rt_alloc(mem, 1, sizeof *m);
    m->name = "model", m->hash = "", m->family = "", m->target = "";
    Parser p = {.mem = mem, .model = m, .error = error};
    RtProgram *open = NULL;
    for (const char *at = manifest; *at && !p.failed;) {
        p.line++;
        p.at = 0;
        p.n = rt_words(mem, &at, &p.words);
        if (p.n < 0) fail(&p, "a quote stays open");
        while (p.at < p.n && !p.failed) read_line(&p, &open);
    }
    if (open) fail(&p, "a program does not end");
    m->real = m->f64 ? 8 : 4;
    return p.failed ? NULL : m;
}

const RtProgram *rt_program(const RtModel *m, const char *name) {
    for (int i = 0; i < m->n_programs; i++)
        if (!strcmp(m->programs[i].name, name)) return &m->programs[i];
    return NULL;
}

const RtTensor *rt_output(const RtProgram *p, const char *name, size_t n) {
    for (int i = 0; p && i < p->n_outputs; i++)
        if (strlen(p->outputs[i].name) == n && !strncmp(p->outputs[i].name, name, n))
            return &p->outputs[i];
    return NULL;
}

const RtVar *rt_var(const RtModel *m, const char *name) {
    for (int i = 0; i < m->n_vars; i++)
        if (!strcmp(m->vars[i].name, name)) return &m->vars[i];
    return NULL;
}

int rt_plate(const RtModel *m, const char *name) {
    for (int i = 0; i < m->n_plates; i++)
        if (!strcmp(m->plates[i].name, name)) return i;
    return -1;
}

int rt_counts(const RtModel *m, int plate) {
    const int across = m->plates[plate].across;
    return across < 0 ? plate : across;
}

int rt_cross_of(const RtModel *m, const RtVar *v) {
    const int last = v->n_plates ? v->plates[v->n_plates - 1] : -1;
    return last >= 0 && m->plates[last].across >= 0 ? last : -1;
}

const char *rt_text(const RtModel *m, const char *key) {
    for (int i = 0; i < m->n_texts; i++)
        if (!strcmp(m->texts[i].key, key)) return m->texts[i].text;
    return NULL;
}
