/* sequential.c -- see sequential.h.
 *
 * Round 1 is forward KL on fresh pairs of latents and data from the model. Every later round draws
 * latents from the guide at the data set, as the round before left it, draws data given them, and
 * trains by program atomic (compiler/dual/sequential.c) on the pairs of all rounds so far, as many
 * from the prior as from each: those keep the guide from leaving mass where none of its own draws
 * would show it.
 *
 * A step takes pairs without replacement. The atoms of a data set are its own latents and those of
 * the others in the step. Known inputs (contexts, covariates) are the data set's own throughout.
 */
#include "runtime/sequential.h"

#include "runtime/random.h"

#include <math.h>
#include <string.h>

enum { SETS = 32, ATOMS = 32, PAIRS = 2048 /* of a round, if there is room */ };

static const int64_t ROOM = 64 << 20; /* bytes of the pairs of a round, or what a step needs */

struct RtSequential {
    RtSession *s;
    RtState *own;
    const RtData *data;
    int64_t set, rounds, round; /* round: that the pairs are there for, from 1 on */
    int64_t each, n;            /* pairs of a round; so far, of all */
    int64_t *order;             /* of the pairs: a step swaps its own to the front */
    char **pool;                /* by variable: latents and observed [pairs, size] */
    RtStep prior, atomic;
    RtData room;  /* of a step or block, on its way to a feed */
    void **atoms; /* by variable: latents [SETS, ATOMS, size] */
    RtCall *simulate, *posterior, *observe;
    RtCall *sound; /* program atomic of pairs by themselves: can it take them? */
    RtBinding *sound_guide;
    const void *log_ratio;                       /* its result, [SETS] */
    const void **simulated, **drawn, **observed; /* by variable: results of these */
    RtBinding *guide;                            /* of posterior */
    RtFeed *prior_feed, *atomic_feed, *simulate_feed, *posterior_feed, *observe_feed;
    void **context; /* by variable: the data set's, for simulate */
};

static int64_t size_of(const RtSequential *q, int variable) {
    return rt_var_size(&q->s->model->vars[variable], &q->data->sizes);
}

static bool is_paired(const RtVar *v) {
    return v->kind == RT_LATENT || v->kind == RT_OBSERVED;
}

/* ---- memory ---- */

static void new_pool(RtSequential *q) {
    const RtModel *m = q->s->model;
    RtMem *mem = q->s->mem;
    int64_t bytes = 1;
    for (int i = 0; i < m->n_vars; i++)
        if (is_paired(&m->vars[i])) bytes += size_of(q, i) * (int64_t)m->real;
    q->each = ROOM / bytes < PAIRS ? ROOM / bytes : PAIRS;
    q->each = q->each < SETS ? SETS : q->each / SETS * SETS;
    q->order = rt_alloc(mem, q->rounds * q->each, sizeof *q->order);
    q->pool = rt_alloc(mem, m->n_vars, sizeof *q->pool);
    for (int i = 0; i < m->n_vars; i++)
        if (is_paired(&m->vars[i]))
            q->pool[i] = rt_alloc(mem, q->rounds * q->each * size_of(q, i), m->real);
}

/* Contexts of the data set for program simulate, in the place of drawn ones. */
static void bind_contexts(RtSequential *q) {
    const RtModel *m = q->s->model;
    RtMem *mem = q->s->mem;
    void *on = rt_alloc(mem, 1, m->real);
    rt_real_set(m, on, 0, 1);
    for (int i = 0; i < m->n_vars; i++) {
        if (m->vars[i].kind != RT_CONTEXT) continue;
        q->context[i] = rt_alloc(mem, m->vars[i].event, m->real);
        const char *name = rt_printf(mem, "set:%s", m->vars[i].name);
        rt_call_bind(q->simulate, name, q->context[i]);
        rt_call_bind(q->simulate, rt_printf(mem, "%s:on", name), on);
    }
}

static RtCall *new_call(RtSequential *q, const char *program, int64_t sets, int64_t draws) {
    RtSession *s = q->s;
    return rt_call_new(s->mem, s->model, program, s->pool, &q->data->sizes, sets, draws);
}

static void new_calls(RtSequential *q) {
    RtSession *s = q->s;
    const RtModel *m = s->model;
    q->simulate = new_call(q, "simulate", SETS, 1);
    q->posterior = new_call(q, "posterior", 1, SETS);
    q->observe = new_call(q, "observe", SETS, 1);
    for (int i = 0; i < m->n_vars; i++) {
        if (!is_paired(&m->vars[i])) continue;
        const char *name = m->vars[i].name;
        q->simulated[i] = rt_call_want(q->simulate, name);
        if (m->vars[i].kind == RT_OBSERVED) q->observed[i] = rt_call_want(q->observe, name);
        if (m->vars[i].kind != RT_LATENT) continue;
        q->drawn[i] = rt_call_want(q->posterior, name);
        rt_call_bind(q->observe, name, q->drawn[i]); /* its draws are data sets there */
    }
    rt_bind_state(s->mem, m, q->own, q->own->average, q->simulate);
    rt_bind_state(s->mem, m, q->own, q->own->average, q->observe);
    q->guide = rt_bind_state(s->mem, m, q->own, q->own->average, q->posterior);
    q->simulate_feed = rt_feed_new(s->mem, m, q->simulate, &q->data->sizes, SETS);
    q->posterior_feed = rt_feed_new(s->mem, m, q->posterior, &q->data->sizes, 1);
    q->observe_feed = rt_feed_new(s->mem, m, q->observe, &q->data->sizes, SETS);
    bind_contexts(q);
    rt_call_ready(q->simulate);
    rt_call_ready(q->posterior);
    rt_call_ready(q->observe);
}

/* Program atomic with a data set's own latents alone. */
static void new_sound(RtSequential *q, const void *own) {
    RtSession *s = q->s;
    q->sound = new_call(q, "atomic", SETS, 1);
    q->log_ratio = rt_call_want(q->sound, "log_ratio");
    q->sound_guide = rt_bind_state(s->mem, s->model, q->own, q->own->average, q->sound);
    rt_feed_bind(q->atomic_feed, q->sound);
    rt_call_bind(q->sound, "atom:own", own);
    for (int i = 0; i < s->model->n_vars; i++)
        if (q->atoms[i]) rt_call_bind(q->sound, s->model->vars[i].name, q->atoms[i]);
    rt_call_ready(q->sound);
}

static void new_steps(RtSequential *q) {
    RtSession *s = q->s;
    const RtModel *m = s->model;
    void *own = rt_alloc(s->mem, SETS * ATOMS, m->real);
    q->own->sets = SETS;
    q->prior = rt_step_open(s, q->own, "forward", 1);
    q->prior_feed = rt_feed_new(s->mem, m, q->prior.call, &q->data->sizes, SETS);
    rt_step_ready(s, q->own, &q->prior);
    q->atomic = rt_step_open(s, q->own, "atomic", ATOMS);
    q->atomic_feed = rt_feed_new(s->mem, m, q->atomic.call, &q->data->sizes, SETS);
    for (int i = 0; i < m->n_vars; i++) {
        if (m->vars[i].kind != RT_LATENT) continue;
        q->atoms[i] = rt_alloc(s->mem, SETS * ATOMS * size_of(q, i), m->real);
        rt_call_bind(q->atomic.call, m->vars[i].name, q->atoms[i]);
    }
    for (int64_t i = 0; i < SETS; i++) rt_real_set(m, own, i * ATOMS, 1);
    rt_call_bind(q->atomic.call, "atom:own", own);
    rt_step_ready(s, q->own, &q->atomic);
    new_sound(q, own);
}

RtSequential *rt_sequential_new(RtSession *s, RtState *own, const RtData *data, int64_t rounds) {
    const int n = s->model->n_vars;
    RtSequential *q = rt_alloc(s->mem, 1, sizeof *q);
    *q = (RtSequential){.s = s, .own = own, .data = data, .rounds = rounds};
    q->atoms = rt_alloc(s->mem, n, sizeof *q->atoms);
    q->context = rt_alloc(s->mem, n, sizeof *q->context);
    q->simulated = rt_alloc(s->mem, n, sizeof *q->simulated);
    q->drawn = rt_alloc(s->mem, n, sizeof *q->drawn);
    q->observed = rt_alloc(s->mem, n, sizeof *q->observed);
    q->room.values = rt_alloc(s->mem, n, sizeof *q->room.values);
    for (int i = 0; i < n; i++)
        if (rt_is_given(&s->model->vars[i]))
            q->room.values[i] = rt_alloc(s->mem, SETS * size_of(q, i), sizeof(double));
    new_pool(q);
    new_steps(q);
    new_calls(q);
    return q;
}

/* ---- pairs ---- */

void rt_sequential_load(RtSequential *q, int64_t set) {
    const RtModel *m = q->s->model;
    q->set = set;
    q->round = 1;
    q->n = 0;
    for (int i = 0; i < m->n_vars; i++) {
        int64_t size = q->context[i] ? size_of(q, i) : 0;
        for (int64_t k = 0; k < size; k++)
            rt_real_set(m, q->context[i], k, q->data->values[i][set * size + k]);
    }
    rt_feed_repeat(q->prior_feed, q->data, set, SETS);
    rt_feed_repeat(q->simulate_feed, q->data, set, SETS);
    rt_feed_repeat(q->observe_feed, q->data, set, SETS);
    rt_feed_load(q->posterior_feed, q->data, set, 1);
}

/* Looks at a block of pairs before it is kept. */
static void sound_out(RtSequential *q, const void *const *latents, const void *const *data,
                      const uint32_t key[2]) {
    const RtModel *m = q->s->model;
    for (int i = 0; i < m->n_vars; i++) {
        if (!is_paired(&m->vars[i])) continue;
        int64_t size = size_of(q, i) * SETS;
        for (int64_t k = 0; k < size && m->vars[i].kind == RT_OBSERVED; k++)
            q->room.values[i][k] = rt_real_get(m, data[i], k);
        if (m->vars[i].kind == RT_LATENT) memcpy(q->atoms[i], latents[i], (size_t)size * m->real);
    }
    rt_binding_refresh(q->sound_guide);
    rt_feed_load(q->atomic_feed, &q->room, 0, SETS);
    rt_call_run(q->sound, key, 0, 0, SETS);
}

/* Pair k of a block into the pool, unless something of it is no number: as an atom, a latent that
 * rounds to the end of its support would spoil every step that it is in. */
static void keep(RtSequential *q, const void *const *latents, const void *const *data, int64_t k) {
    const RtModel *m = q->s->model;
    if (!isfinite(rt_real_get(m, q->log_ratio, k))) return;
    for (int i = 0; i < m->n_vars; i++) {
        if (!is_paired(&m->vars[i])) continue;
        const void *from = m->vars[i].kind == RT_LATENT ? latents[i] : data[i];
        int64_t size = size_of(q, i);
        for (int64_t e = 0; e < size; e++) {
            double x = rt_real_get(m, from, k * size + e);
            if (!isfinite(x)) return;
            rt_real_set(m, q->pool[i], q->n * size + e, x);
        }
    }
    q->order[q->n] = q->n;
    q->n++;
}

/* The pairs of a round; round 0: the prior's. */
static void draw_round(RtSequential *q, int64_t round) {
    const uint32_t key[2] = {q->s->seed, RT_FOR_ROUNDS};
    rt_binding_refresh(q->guide);
    for (int64_t block = 0; block * SETS < q->each; block++) {
        uint32_t step = (uint32_t)(round * q->each / SETS + block);
        if (round) {
            rt_call_run(q->posterior, key, step, (uint32_t)q->set, 1);
            rt_call_run(q->observe, key, step, 0, SETS);
        } else {
            rt_call_run(q->simulate, key, step, 0, SETS);
        }
        const void *const *latents = round ? q->drawn : q->simulated;
        const void *const *data = round ? q->observed : q->simulated;
        sound_out(q, latents, data, key);
        for (int64_t k = 0; k < SETS; k++) keep(q, latents, data, k);
    }
}

/* ---- steps ---- */

/* Random pairs to the front of the order. */
static void choose(RtSequential *q, int64_t step) {
    const uint32_t key[2] = {q->s->seed, RT_FOR_ROUNDS};
    for (int64_t k = 0; k < SETS; k++) {
        const uint32_t count[4] = {(uint32_t)step, (uint32_t)q->set, (uint32_t)k, 0};
        uint32_t word[4];
        av_philox(key, count, word);
        int64_t other = k + (int64_t)((uint64_t)word[0] * (uint64_t)(q->n - k) >> 32);
        int64_t swapped = q->order[k];
        q->order[k] = q->order[other];
        q->order[other] = swapped;
    }
}

static void load_pairs(RtSequential *q) {
    const RtModel *m = q->s->model;
    for (int i = 0; i < m->n_vars; i++) {
        if (!is_paired(&m->vars[i])) continue;
        int64_t size = size_of(q, i);
        size_t bytes = (size_t)size * m->real;
        for (int64_t k = 0; k < SETS; k++) {
            for (int64_t e = 0; m->vars[i].kind == RT_OBSERVED && e < size; e++)
                q->room.values[i][k * size + e] =
                    rt_real_get(m, q->pool[i], q->order[k] * size + e);
            for (int64_t a = 0; m->vars[i].kind == RT_LATENT && a < ATOMS; a++)
                memcpy((char *)q->atoms[i] + (size_t)(k * ATOMS + a) * bytes,
                       q->pool[i] + (size_t)q->order[(k + a) % SETS] * bytes, bytes);
        }
    }
    rt_feed_load(q->atomic_feed, &q->room, 0, SETS);
}

RtStep *rt_sequential_step(RtSequential *q, int64_t step, int64_t horizon) {
    int64_t round = horizon ? 1 + step * q->rounds / horizon : 1;
    while (q->round < round && q->round < q->rounds) {
        if (q->round == 1) draw_round(q, 0);
        draw_round(q, q->round++);
    }
    if (q->round == 1 || q->n < SETS) return &q->prior;
    choose(q, step);
    load_pairs(q);
    return &q->atomic;
}

int64_t rt_sequential_round(const RtSequential *q) {
    return q->round;
}
