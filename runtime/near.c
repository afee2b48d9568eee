/* near.c -- see near.h.
 *
 * Of the data sets of a step three in five are drawn from the guide's posterior predictive at the
 * file's data, and two in five are the file's own, in which a share of the cells of every variable,
 * uniform between 0 and 1, is exchanged for such draws: whatever the support of an outcome is,
 * every cell stays a value that the model can have. With as many steps on data from the prior as on
 * these, a training sees 50 % prior predictive, 30 % posterior predictive and 20 % perturbed data.
 *
 * A number that is not finite, from a guide that has learned nothing yet, leaves the file's cell.
 */
#include "runtime/near.h"

#include "runtime/posterior.h"
#include "runtime/random.h"

#include <math.h>

static const double EXCHANGED = 0.4; /* share of the sets that are the file's own in part */

struct RtNear {
    RtSession *s;
    const RtData *data;
    int64_t sets;
    RtCall *posterior, *predict;
    RtBinding *guide;
    const void **predicted; /* by observed variable: [sets, cells, event] */
    RtData drawn;
    RtFeed *feed;
};

/* The draws of program posterior at one data set are what program predict reads. */
static void new_calls(RtNear *n) {
    RtSession *s = n->s;
    const RtModel *m = s->model;
    const RtSizes *sizes = &n->data->sizes;
    n->posterior = rt_call_new(s->mem, m, "posterior", s->pool, sizes, 1, n->sets);
    n->predict = rt_call_new(s->mem, m, "predict", s->pool, sizes, 1, n->sets);
    n->guide = rt_bind_state(s->mem, m, s->state, s->state->average, n->posterior);
    rt_bind_state(s->mem, m, s->state, s->state->average, n->predict);
    for (int i = 0; i < m->n_vars; i++) {
        const char *name = m->vars[i].name;
        if (m->vars[i].kind == RT_OBSERVED) n->predicted[i] = rt_call_want(n->predict, name);
        void *draws = rt_is_given(&m->vars[i]) ? NULL : rt_call_want(n->posterior, name);
        if (draws) rt_call_bind(n->predict, name, draws);
    }
    RtSeen *seen = rt_seen_new(s, n->posterior);
    RtFeed *feed = rt_feed_new(s->mem, m, n->posterior, sizes, 1);
    rt_feed_bind(feed, n->predict);
    rt_feed_load(feed, n->data, 0, 1);
    rt_call_ready(n->posterior);
    rt_call_ready(n->predict);
    rt_call_run(n->posterior, (const uint32_t[]){s->seed, RT_FOR_NEAR}, 0, 0, 1);
    rt_seen_widen(seen, 1);
}

RtNear *rt_near_new(RtSession *s, RtData *data, int64_t sets) {
    const RtModel *m = s->model;
    RtError unknown; /* a context */
    if (!rt_program(m, "predict") ||
        !rt_context_data(s->mem, m, s->state, s->options->target, data, &unknown))
        return NULL;
    RtNear *n = rt_alloc(s->mem, 1, sizeof *n);
    *n = (RtNear){.s = s, .data = data, .sets = sets};
    n->predicted = rt_alloc(s->mem, m->n_vars, sizeof *n->predicted);
    n->drawn = (RtData){.n_sets = sets, .values = rt_alloc(s->mem, m->n_vars, sizeof(double *))};
    for (int i = 0; i < m->n_vars; i++) { /* of outcomes those of the file are drawn over */
        if (!rt_is_given(&m->vars[i])) continue;
        int64_t size = rt_var_size(&m->vars[i], &data->sizes);
        n->drawn.values[i] = rt_alloc(s->mem, sets * size, sizeof(double));
        for (int64_t k = 0; k < sets * size; k++) n->drawn.values[i][k] = data->values[i][k % size];
    }
    new_calls(n);
    n->feed = rt_feed_new(s->mem, m, NULL, &data->sizes, sets);
    return n;
}

void rt_near_bind(const RtNear *n, RtCall *call, bool near) {
    const RtModel *m = n->s->model;
    if (near) rt_feed_bind(n->feed, call);
    for (int i = 0; i < m->n_vars && !near; i++) /* covariates, and which cells there are, stay */
        if (m->vars[i].kind == RT_OBSERVED || m->vars[i].kind == RT_CONTEXT)
            rt_call_bind(call, m->vars[i].name, NULL);
}

static double uniform(const RtNear *n, const uint32_t count[4]) {
    const uint32_t key[2] = {n->s->seed, RT_FOR_EXCHANGE};
    uint32_t word[4];
    av_philox(key, count, word);
    return ((double)word[0] + 0.5) / 4294967296.0;
}

/* The share of the cells of a data set that are predictions. */
static double share_of(const RtNear *n, int64_t step, int64_t set) {
    if ((double)set >= EXCHANGED * (double)n->sets) return 1;
    return uniform(n, (const uint32_t[4]){(uint32_t)step, (uint32_t)set, UINT32_MAX, UINT32_MAX});
}

static void draw_variable(RtNear *n, int variable, int64_t step) {
    const RtModel *m = n->s->model;
    const RtVar *v = &m->vars[variable];
    const int64_t size = rt_var_size(v, &n->data->sizes), event = v->event;
    for (int64_t set = 0; set < n->sets; set++) {
        const double share = share_of(n, step, set);
        double *to = n->drawn.values[variable] + set * size;
        for (int64_t k = 0; k < size; k += event) {
            const uint32_t count[4] = {(uint32_t)step, (uint32_t)set, (uint32_t)k,
                                       (uint32_t)variable};
            bool predicted = share == 1 || uniform(n, count) < share;
            for (int64_t e = k; e < k + event; e++) {
                to[e] = rt_real_get(m, n->predicted[variable], set * size + e);
                predicted = predicted && isfinite(to[e]);
            }
            for (int64_t e = k; !predicted && e < k + event; e++)
                to[e] = n->data->values[variable][e];
        }
    }
}

void rt_near_draw(RtNear *n, int64_t step) {
    const RtModel *m = n->s->model;
    const uint32_t latents[2] = {n->s->seed, RT_FOR_NEAR};
    const uint32_t outcomes[2] = {n->s->seed, RT_FOR_NEAR_DATA};
    rt_binding_refresh(n->guide);
    rt_call_run(n->posterior, latents, (uint32_t)step, 0, 1);
    rt_call_run(n->predict, outcomes, (uint32_t)step, 0, 1);
    for (int i = 0; i < m->n_vars; i++)
        if (m->vars[i].kind == RT_OBSERVED) draw_variable(n, i, step);
    rt_feed_load(n->feed, &n->drawn, 0, n->sets);
}
