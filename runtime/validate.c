/* validate.c -- what training is judged by: the ELBO on data sets of a fixed key, under the
 * averaged weights. Where plate sizes vary, on a grid of sizes, each of which counts the same: per
 * latent number, since the ELBO of a larger data set is a larger number. */
#include "runtime/psis.h"
#include "runtime/session.h"

#include <inttypes.h>

typedef struct Point {
    RtSizes sizes;
    RtFeed *feed;
    double elbo; /* nats per data set */
} Point;

struct RtValidation {
    RtSession *s;
    int64_t sets, draws;
    bool vary;
    int n_points;
    Point points[RT_GRID];
    RtCall *simulate, *posterior;
    const void **simulated; /* outputs of `simulate`, by variable */
    RtData data;            /* of one point, on its way to the feed */
    RtBinding *inputs;
    RtLogs logs;
};

static void prepare_simulate(RtValidation *v) {
    RtSession *s = v->s;
    const RtModel *m = s->model;
    RtSizes largest = rt_sizes_largest(s->mem, m, s->state);
    v->simulate = rt_call_new(s->mem, m, "simulate", s->pool, &largest, v->sets, 1);
    v->simulated = rt_alloc(s->mem, m->n_vars, sizeof *v->simulated);
    v->data = (RtData){.n_sets = v->sets, .values = rt_alloc(s->mem, m->n_vars, sizeof(double *))};
    for (int i = 0; i < m->n_vars; i++) {
        if (!rt_is_given(&m->vars[i])) continue;
        v->simulated[i] = rt_call_want(v->simulate, m->vars[i].name);
        v->data.values[i] =
            rt_alloc(s->mem, v->sets * rt_var_size(&m->vars[i], &largest), sizeof(double));
    }
    rt_bind_state(s->mem, m, s->state, s->state->average, v->simulate);
    rt_call_ready(v->simulate);
}

RtValidation *rt_validation_new(RtSession *s, int64_t sets, int64_t draws) {
    const RtModel *m = s->model;
    RtValidation *v = rt_alloc(s->mem, 1, sizeof *v);
    *v = (RtValidation){.s = s, .sets = sets, .draws = draws, .vary = rt_sizes_vary(m, s->state)};
    prepare_simulate(v);
    RtSizes grid[RT_GRID], largest = rt_sizes_largest(s->mem, m, s->state);
    v->posterior = rt_call_new(s->mem, m, "posterior", s->pool, &largest, sets, draws);
    v->logs = rt_logs_want(v->posterior);
    v->inputs = rt_bind_state(s->mem, m, s->state, s->state->average, v->posterior);
    v->n_points = rt_sizes_grid(s->mem, m, s->state, grid);
    for (int k = 0; k < v->n_points; k++) {
        v->points[k].sizes = grid[k];
        v->points[k].feed = rt_feed_new(s->mem, m, v->posterior, &grid[k], sets);
    }
    rt_call_ready(v->posterior);
    return v;
}

void rt_validation_simulate(RtValidation *v) {
    const RtModel *m = v->s->model;
    const uint32_t key[2] = {v->s->seed, RT_FOR_VALIDATION};
    for (int p = 0; p < v->n_points; p++) {
        const Point *point = &v->points[p];
        rt_call_resize(v->simulate, &point->sizes);
        rt_call_run(v->simulate, key, 0, (uint32_t)(p * v->sets), v->sets);
        for (int i = 0; i < m->n_vars; i++) {
            if (!rt_is_given(&m->vars[i])) continue;
            int64_t size = rt_var_size(&m->vars[i], &point->sizes) * v->sets;
            for (int64_t k = 0; k < size; k++)
                v->data.values[i][k] = rt_real_get(m, v->simulated[i], k);
        }
        rt_feed_load(point->feed, &v->data, 0, v->sets);
    }
}

/* Mean over data sets and draws of log p - log q. */
static double elbo(RtValidation *v, int point) {
    const RtModel *m = v->s->model;
    const uint32_t key[2] = {v->s->seed, RT_FOR_VALIDATION};
    double sum = 0;
    rt_call_resize(v->posterior, &v->points[point].sizes);
    rt_feed_bind(v->points[point].feed, v->posterior);
    rt_call_run(v->posterior, key, 1, (uint32_t)(point * v->sets), v->sets);
    for (int64_t i = 0; i < v->sets * v->draws; i++) sum += rt_log_weight(m, &v->logs, i);
    return sum / (double)(v->sets * v->draws);
}

double rt_validate(RtValidation *v) {
    double sum = 0;
    rt_binding_refresh(v->inputs);
    for (int p = 0; p < v->n_points; p++) {
        double each = v->points[p].elbo = elbo(v, p);
        sum += v->vary ? each / rt_latent_numbers(v->s->model, &v->points[p].sizes) : each;
    }
    return sum / v->n_points;
}

void rt_validation_json(const RtValidation *v, RtBytes *out) {
    const RtModel *m = v->s->model;
    rt_bytes_printf(out, "\"validation\": [");
    for (int p = 0; p < v->n_points; p++) {
        rt_bytes_printf(out, "%s{\"sizes\": ", p ? ", " : "");
        rt_sizes_json(m, &v->points[p].sizes, out);
        rt_bytes_printf(out, ", \"elbo\": ");
        rt_json_number(out, v->points[p].elbo);
        rt_bytes_printf(out, "}");
    }
    rt_bytes_printf(out, "]");
}

const char *rt_validation_unit(bool vary) {
    return vary ? "nats per latent number" : "nats";
}
