/* state.c -- sizes, hypers, weights and statistics of a session, and how they reach programs as
 * inputs. */
#include "runtime/session.h"

#include "runtime/random.h"

#include <math.h>
#include <string.h>

static void declare_stat(RtMem *mem, RtState *s, const char *name, int64_t size) {
    s->stats[s->n_stats++] = (RtStat){name, size, rt_alloc(mem, size, sizeof(float))};
}

/* The range of a feature of whole data sets (seen.c). */
static void declare_seen(RtMem *mem, RtState *s, const RtProgram *p, const RtTensor *output) {
    static const char *const ends[] = {"low", "high"};
    const char *feature = rt_seen_feature(output);
    int64_t size = 1;
    for (int a = 0; a < output->n_axes; a++)
        if (p->axes[output->axes[a]].kind == RT_EVENT) size *= p->axes[output->axes[a]].extent;
    for (int i = 0; i < 2 && feature; i++) {
        char *name = rt_printf(mem, "%s:%s", feature, ends[i]);
        if (!rt_stat(s, name)) declare_stat(mem, s, name, size);
    }
}

/* Statistics that some program reads, each name once, with no values yet; and the trained ranges of
 * contexts. */
static void declare_stats(RtMem *mem, const RtModel *m, RtState *s) {
    int most = 2 * m->n_vars;
    const RtProgram *posterior = rt_program(m, "posterior");
    for (int i = 0; i < m->n_programs; i++) most += m->programs[i].n_inputs;
    most += posterior ? 2 * posterior->n_outputs : 0;
    s->stats = rt_alloc(mem, most, sizeof *s->stats);
    for (int i = 0; i < m->n_programs; i++)
        for (int k = 0; k < m->programs[i].n_inputs; k++) {
            const RtTensor *t = &m->programs[i].inputs[k];
            if (t->role != RT_IN_STAT || rt_stat(s, t->name)) continue;
            int64_t size = 1;
            for (int a = 0; a < t->n_axes; a++) size *= m->programs[i].axes[t->axes[a]].extent;
            declare_stat(mem, s, t->name, size);
        }
    for (int i = 0; posterior && i < posterior->n_outputs; i++)
        declare_seen(mem, s, posterior, &posterior->outputs[i]);
    for (int i = 0; i < m->n_vars; i++) {
        if (m->vars[i].kind != RT_CONTEXT) continue;
        declare_stat(mem, s, rt_printf(mem, "%s:low", m->vars[i].name), m->vars[i].event);
        declare_stat(mem, s, rt_printf(mem, "%s:high", m->vars[i].name), m->vars[i].event);
    }
}

RtStat *rt_stat(const RtState *s, const char *name) {
    for (int i = 0; i < s->n_stats; i++)
        if (!strcmp(s->stats[i].name, name)) return &s->stats[i];
    return NULL;
}

RtState *rt_state_new(RtMem *mem, const RtModel *m) {
    RtState *s = rt_alloc(mem, 1, sizeof *s);
    for (int i = 0; i < m->n_plates; i++) {
        s->sizes.n[i] = m->plates[i].size;
        s->lo[i] = m->plates[i].lo;
        s->hi[i] = m->plates[i].hi;
    }
    rt_sizes_usual(mem, m, s, NULL);
    s->hypers = rt_alloc(mem, m->n_vars, sizeof *s->hypers);
    s->contexts = rt_alloc(mem, m->n_vars, sizeof *s->contexts);
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        if (v->kind == RT_CONTEXT) s->contexts[i] = rt_alloc(mem, v->event + 1, sizeof(double));
        if (v->kind != RT_HYPER) continue;
        s->hypers[i] = rt_alloc(mem, v->event, sizeof **s->hypers);
        memcpy(s->hypers[i], v->values, (size_t)v->event * sizeof **s->hypers);
    }
    s->average = rt_alloc(mem, m->flat, sizeof *s->average);
    s->iterate = rt_alloc(mem, m->flat, sizeof *s->iterate);
    s->moment1 = rt_alloc(mem, m->flat, sizeof *s->moment1);
    s->moment2 = rt_alloc(mem, m->flat, sizeof *s->moment2);
    s->validation = NAN;
    declare_stats(mem, m, s);
    return s;
}

bool rt_setting_split(const char *setting, char name[64], const char **value) {
    const char *equals = strchr(setting, '=');
    if (!equals || equals == setting || equals - setting >= 64) return false;
    memcpy(name, setting, (size_t)(equals - setting));
    name[equals - setting] = 0;
    *value = equals + 1;
    return true;
}

static bool no_such_plate(const RtModel *m, const char *name, RtError *error) {
    const char *names[RT_MAX_PLATES] = {0}, *near;
    RtBytes have = {0};
    int n = 0;
    for (int i = 0; i < m->n_plates; i++)
        if (m->plates[i].across < 0) names[n++] = m->plates[i].name;
    near = rt_nearest(name, names, n);
    for (int i = 0; i < n; i++) rt_bytes_printf(&have, "%s%s", i ? ", " : "", names[i]);
    rt_error(error, "--size: the model has no plate %s\n  it has %.600s%s%s%s", name,
             n ? have.data : "none", near ? "\n  did you mean " : "", near ? near : "",
             near ? "?" : "");
    rt_bytes_free(&have);
    return false;
}

/* What is said of the pairs of two plates follows from what is said of these. */
static bool no_size_of_a_cross(const RtModel *m, const char *setting, int plate, RtError *error) {
    const char *parent = m->plates[m->plates[plate].parent].name;
    const char *across = m->plates[m->plates[plate].across].name;
    return rt_error(error,
                    "--size %s: there is a copy for each pair of %s and %s\n  expected  --size "
                    "%s=N, or --size %s=N",
                    setting, parent, across, parent, across);
}

static bool stated_sizes(const RtModel *m, const RtOptions *o, RtSizes *sizes, bool *given,
                         RtError *error) {
    for (int i = 0; i < o->n_size; i++) {
        char name[64];
        const char *value;
        int64_t n;
        if (!rt_setting_split(o->size[i], name, &value) || !rt_parse_int(value, &n))
            return rt_error(error,
                            "--size %s\n  expected  a plate and a number, as in --size group=30",
                            o->size[i]);
        int plate = rt_plate(m, name);
        if (plate < 0) return no_such_plate(m, name, error);
        if (m->plates[plate].across >= 0) return no_size_of_a_cross(m, o->size[i], plate, error);
        if (n < 1 || n > 1 << 28)
            return rt_error(error, "--size %s: the size is out of range", o->size[i]);
        sizes->n[plate] = n;
        given[plate] = true;
    }
    for (int i = 0; i < m->n_plates; i++) given[i] = given[rt_counts(m, i)];
    return true;
}

bool rt_state_apply_sizes(RtMem *mem, const RtModel *m, const RtOptions *o, RtState *state,
                          bool *given, RtError *error) {
    bool own[RT_MAX_PLATES] = {false};
    if (!stated_sizes(m, o, &state->sizes, given ? given : own, error)) return false;
    if (o->n_size) rt_sizes_usual(mem, m, state, given ? given : own);
    return true;
}

bool rt_state_data_options(RtMem *mem, const RtModel *m, const RtOptions *o, const RtState *state,
                           RtDataOptions *options, RtError *error) {
    *options = (RtDataOptions){.batch = o->batch, .sizes = state->sizes};
    for (int i = 0; i < m->n_plates; i++) options->ranged[i] = state->lo[i] < state->hi[i];
    if (!stated_sizes(m, o, &options->sizes, options->given, error)) return false;
    rt_sizes_balance(mem, m, &options->sizes);
    return true;
}

void rt_state_take_sizes(const RtModel *m, RtState *state, const RtSizes *sizes) {
    state->sizes = *sizes;
    state->one_size = true;
    for (int i = 0; i < m->n_plates; i++) {
        state->lo[i] = rt_sizes_least(m, sizes, i);
        state->hi[i] = sizes->n[i];
    }
}

bool rt_state_fix_sizes(RtMem *mem, const RtModel *m, const RtOptions *o, RtState *state,
                        RtError *error) {
    bool given[RT_MAX_PLATES] = {false};
    if (!rt_state_apply_sizes(mem, m, o, state, given, error)) return false;
    for (int i = 0; i < m->n_plates; i++)
        if (given[i]) state->lo[i] = state->hi[i] = state->sizes.n[i];
    return true;
}

static uint32_t hash_name(const char *name) {
    uint32_t h = 2166136261u;
    for (; *name; name++) h = (h ^ (unsigned char)*name) * 16777619u;
    return h;
}

/* A weight's start depends on its name and the seed alone: not on what else the model has. */
void rt_state_init_weights(const RtModel *m, RtState *state, uint32_t seed) {
    for (int i = 0; i < m->n_weights; i++) {
        const RtWeight *w = &m->weights[i];
        float *to = state->iterate + w->offset;
        av_random r = {.key = {seed, RT_FOR_INIT},
                       .site = hash_name(w->name),
                       .kind = w->init == RT_NORMAL ? AV_NORMAL : AV_UNIFORM,
                       .n_data = 1,
                       .n_draw = 1,
                       .n_inst = w->size,
                       .s_inst = 1};
        if (w->init != RT_CONSTANT) av_fill_f32(&r, to);
        for (int64_t k = 0; k < w->size; k++)
            to[k] = (float)(w->init == RT_CONSTANT ? w->scale
                            : w->init == RT_NORMAL ? w->scale * to[k]
                                                   : w->scale * (2 * (double)to[k] - 1));
    }
    memcpy(state->average, state->iterate, (size_t)m->flat * sizeof *state->average);
}

/* ---- inputs ---- */

typedef struct Bound {
    const char *name;
    void *real;
    int64_t n;
    const float *f32; /* source, or NULL: */
    const double *f64;
} Bound;

struct RtBinding {
    const RtModel *model;
    int n;
    Bound *bound;
};

static void bind(RtMem *mem, RtBinding *b, RtCall *call, const char *name, const float *f32,
                 const double *f64, int64_t n) {
    bool direct = f32 && !b->model->f64; /* the programs read the master copy itself */
    void *real = direct ? (void *)(uintptr_t)f32 : rt_alloc(mem, n, b->model->real);
    if (!rt_call_bind(call, name, real) || direct) return;
    b->bound[b->n++] = (Bound){name, real, n, f32, f64};
}

static const double one = 1;

/* What is known of one data set before its outcomes are, for each that the call simulates: its
 * covariates and, of a file with outcomes, which of its cells are there. */
static void bind_design(RtMem *mem, const RtModel *m, const RtData *design, RtCall *call) {
    for (int i = 0; i < m->n_vars; i++) {
        if (m->vars[i].kind != RT_GIVEN && m->vars[i].kind != RT_PRESENCE) continue;
        if (!design->values[i]) continue;
        int64_t size = rt_var_size(&m->vars[i], &design->sizes), n = size * rt_call_sets(call);
        void *real = rt_alloc(mem, n, m->real);
        const RtVar *v = &m->vars[i];
        bool pairs = v->kind == RT_PRESENCE && design->planned; /* it follows its variable */
        const char *name = pairs ? rt_printf(mem, "%s.pair", m->vars[i - 1].name) : v->name;
        if (!rt_call_bind(call, name, real)) continue;
        for (int64_t k = 0; k < n; k++) rt_real_set(m, real, k, design->values[i][k % size]);
    }
}

RtBinding *rt_bind_state(RtMem *mem, const RtModel *m, const RtState *state, const float *weights,
                         RtCall *call) {
    RtBinding *b = rt_alloc(mem, 1, sizeof *b);
    b->model = m;
    b->bound = rt_alloc(mem, m->n_weights + 2 * m->n_vars + state->n_stats + 64, sizeof *b->bound);
    for (int i = 0; i < m->n_weights; i++)
        bind(mem, b, call, m->weights[i].name, weights + m->weights[i].offset, NULL,
             m->weights[i].size);
    for (int i = 0; i < m->n_vars; i++)
        if (m->vars[i].kind == RT_HYPER)
            bind(mem, b, call, m->vars[i].name, NULL, state->hypers[i], m->vars[i].event);
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        if (v->kind != RT_CONTEXT) continue;
        const char *name = rt_printf(mem, "set:%s", v->name);
        bind(mem, b, call, name, NULL, state->contexts[i], v->event);
        bind(mem, b, call, rt_printf(mem, "%s:on", name), NULL, state->contexts[i] + v->event, 1);
    }
    for (int i = 0; i < state->n_stats; i++)
        bind(mem, b, call, state->stats[i].name, state->stats[i].values, NULL,
             state->stats[i].size);
    if (state->design) bind_design(mem, m, state->design, call);
    bind(mem, b, call, "entropy_weight", NULL, &one, 1);
    bind(mem, b, call, "likelihood_weight", NULL, &one, 1);
    rt_binding_refresh(b);
    return b;
}

void rt_binding_refresh(RtBinding *b) {
    for (int i = 0; i < b->n; i++)
        for (int64_t k = 0; k < b->bound[i].n; k++)
            rt_real_set(b->model, b->bound[i].real, k,
                        b->bound[i].f32 ? (double)b->bound[i].f32[k] : b->bound[i].f64[k]);
}

void rt_binding_control(RtBinding *b, const char *name, double value) {
    for (int i = 0; i < b->n; i++) {
        if (strcmp(b->bound[i].name, name)) continue;
        rt_real_set(b->model, b->bound[i].real, 0, value);
        b->bound[i].n = 0; /* refreshing leaves it alone */
    }
}

struct RtFeed {
    const RtModel *model;
    void **real; /* by variable */
    int64_t *size;
};

RtFeed *rt_feed_new(RtMem *mem, const RtModel *m, RtCall *call, const RtSizes *sizes, int64_t n) {
    RtFeed *f = rt_alloc(mem, 1, sizeof *f);
    f->model = m;
    f->real = rt_alloc(mem, m->n_vars, sizeof *f->real);
    f->size = rt_alloc(mem, m->n_vars, sizeof *f->size);
    for (int i = 0; i < m->n_vars; i++) {
        if (!rt_is_given(&m->vars[i])) continue;
        f->size[i] = rt_var_size(&m->vars[i], sizes);
        f->real[i] = rt_alloc(mem, n * f->size[i], m->real);
    }
    if (call) rt_feed_bind(f, call);
    return f;
}

void rt_feed_bind(const RtFeed *f, RtCall *call) {
    for (int i = 0; i < f->model->n_vars; i++)
        if (f->real[i]) rt_call_bind(call, f->model->vars[i].name, f->real[i]);
}

void rt_feed_load(RtFeed *f, const RtData *d, int64_t first, int64_t n) {
    for (int i = 0; i < f->model->n_vars; i++)
        for (int64_t k = 0; f->real[i] && k < n * f->size[i]; k++)
            rt_real_set(f->model, f->real[i], k, d->values[i][first * f->size[i] + k]);
}

void rt_feed_repeat(RtFeed *f, const RtData *d, int64_t set, int64_t n) {
    for (int i = 0; i < f->model->n_vars; i++)
        for (int64_t k = 0; f->real[i] && k < n * f->size[i]; k++)
            rt_real_set(f->model, f->real[i], k, d->values[i][set * f->size[i] + k % f->size[i]]);
}
