/* refine.c -- see refine.h.
 *
 * Program `step` simulates its data, unless inputs of their names replace them: here with copies of
 * one data set, each with base draws of its own. All weights are free. Around one data set a weight
 * is worth what it does there, so the encoder's part in them is that of corrections to what the
 * flows read.
 *
 * Invariants
 * - Everything is allocated by rt_refine_new; s->state is only read.
 * - The ELBO of start and end is taken on the same base draws, so that their difference is more
 * exact than either; the start stays unless the end is higher.
 * - What a step does depends on its number, the horizon and the seed: not on threads, nor on which
 * data set of a file it is. */
#include "runtime/refine.h"

#include "runtime/objective.h"
#include "runtime/psis.h"
#include "runtime/sequential.h"

#include <math.h>
#include <string.h>

const char *const rt_method_names[] = {"amortised", "refined", "fitted"};

static const struct {
    int64_t copies, draws; /* of the data set in a step; of each copy */
    int64_t judged;        /* draws of the ELBO that start and end are compared by */
    double warm_up;        /* share of the horizon with a rising learning rate, ... */
    int64_t looks;         /* steps after which the time of a step is known */
    int64_t rounds;        /* of the objective sequential */
} defaults = {.copies = 16, .draws = 16, .judged = 1000, .warm_up = 0.05, .looks = 4, .rounds = 5};

/* By method. */
static const struct {
    int64_t steps; /* at most, unless told otherwise */
    double seconds, learning_rate;
} plans[] = {[RT_REFINED] = {1000, 4.5, 3e-3}, [RT_FITTED] = {2000, 30, 3e-3}};

struct RtRefine {
    RtSession *s;
    RtMethod method;
    const RtData *data;
    RtState *own;       /* the session's, with weights and optimiser of its own */
    const float *start; /* weights, flat */
    RtStep step;
    RtSequential *rounds; /* its steps, in the place of `step` and `copies`; or NULL */
    RtFeed *copies, *one;
    RtCall *posterior;
    RtBinding *judge; /* its inputs */
    RtLogs logs;
    double *weight_start, *weight_end; /* log p - log q by draw */
    double log_norm;                   /* running, of gradients */
    int64_t updates;
};

static RtState *own_state(RtRefine *r) {
    RtMem *mem = r->s->mem;
    const int64_t flat = r->s->model->flat;
    RtState *own = rt_alloc(mem, 1, sizeof *own);
    *own = *r->s->state;
    rt_state_take_sizes(r->s->model, own, &own->sizes);
    own->average = rt_alloc(mem, flat, sizeof *own->average);
    own->iterate = rt_alloc(mem, flat, sizeof *own->iterate);
    own->moment1 = rt_alloc(mem, flat, sizeof *own->moment1);
    own->moment2 = rt_alloc(mem, flat, sizeof *own->moment2);
    own->sets = defaults.copies;
    own->draws = defaults.draws;
    return own;
}

/* As options say, else as the program was compiled. */
static const RtObjective *fit_objective(const RtSession *s) {
    const char *name = s->options->objective;
    if (!name) name = rt_text(s->model, "objective");
    return name ? rt_objective(name) : NULL;
}

static bool fits_in_rounds(const RtSession *s) {
    const RtObjective *objective = fit_objective(s);
    return objective && objective->rounds;
}

bool rt_fit_options(const RtSession *s, RtError *error) {
    const RtObjective *objective = fit_objective(s);
    const char *said = s->options->objective;
    bool rounds = fits_in_rounds(s);
    if (said && !rounds && strcmp(said, "reverse-kl"))
        return rt_error(error, "--objective %s\n  expected  reverse-kl or sequential", said);
    if (rounds && !rt_program(s->model, objective->program))
        return rt_error(error,
                        "--objective %s: this program was compiled without it\n  compile it with  "
                        "adavic --objective=%s MODEL.hbm",
                        objective->name, objective->name);
    if (rounds || s->options->rounds <= 0) return true;
    return rt_error(error, "--rounds is of another objective\n  expected  --objective sequential");
}

RtRefine *rt_refine_new(RtSession *s, RtMethod method, const RtData *data) {
    const RtModel *m = s->model;
    RtRefine *r = rt_alloc(s->mem, 1, sizeof *r);
    *r = (RtRefine){.s = s, .method = method, .data = data, .start = s->state->average};
    r->own = own_state(r);
    if (method == RT_FITTED && fits_in_rounds(s)) {
        int64_t rounds = s->options->rounds > 0 ? s->options->rounds : defaults.rounds;
        r->rounds = rt_sequential_new(s, r->own, data, rounds);
    } else {
        r->step = rt_step_new(s, r->own, "step", defaults.draws);
        r->copies = rt_feed_new(s->mem, m, r->step.call, &data->sizes, defaults.copies);
    }
    r->posterior = rt_call_new(s->mem, m, "posterior", s->pool, &data->sizes, 1, defaults.judged);
    r->logs = rt_logs_want(r->posterior);
    r->judge = rt_bind_state(s->mem, m, r->own, r->own->average, r->posterior);
    r->one = rt_feed_new(s->mem, m, r->posterior, &data->sizes, 1);
    rt_call_ready(r->posterior);
    r->weight_start = rt_alloc(s->mem, defaults.judged, sizeof(double));
    r->weight_end = rt_alloc(s->mem, defaults.judged, sizeof(double));
    return r;
}

const float *rt_refine_weights(const RtRefine *r) {
    return r->own->average;
}

static void load(RtRefine *r, int64_t set) {
    if (r->rounds)
        rt_sequential_load(r->rounds, set);
    else
        rt_feed_repeat(r->copies, r->data, set, defaults.copies);
    rt_feed_load(r->one, r->data, set, 1);
}

/* log p - log q of the judging draws under the averaged weights; returns their mean. */
static double judge(RtRefine *r, double *weight) {
    const RtModel *m = r->s->model;
    const uint32_t key[2] = {r->s->seed, RT_FOR_JUDGING};
    double sum = 0;
    rt_binding_refresh(r->judge);
    rt_call_run(r->posterior, key, 0, 0, 1);
    for (int64_t j = 0; j < defaults.judged; j++) {
        weight[j] = rt_log_weight(m, &r->logs, j);
        sum += weight[j];
    }
    return sum / (double)defaults.judged;
}

/* ---- steps ---- */

/* The learning rate as a share of the peak; while the horizon is open (0), as in its warm-up. */
static double rate(int64_t step, int64_t horizon) {
    double h = (double)(horizon ? horizon : 1000);
    double warm = fmin(1, ((double)step + 1) / fmax(defaults.warm_up * h, 1));
    return horizon ? warm * rt_decay(step, horizon) : warm;
}

/* False where loss or gradient is not finite: then nothing has changed. */
static bool one_step(RtRefine *r, int64_t step, int64_t horizon) {
    const RtOptions *o = r->s->options;
    const uint32_t key[2] = {r->s->seed, RT_FOR_REFINING};
    double peak = o->learning_rate > 0 ? o->learning_rate : plans[r->method].learning_rate;
    const RtStep *now = r->rounds ? rt_sequential_step(r->rounds, step, horizon) : &r->step;
    rt_binding_refresh(now->inputs);
    rt_call_run(now->call, key, (uint32_t)step, 0, rt_call_sets(now->call));
    double norm = rt_adam_norm(now->adam);
    if (!isfinite(*now->loss) || !isfinite(norm)) return false;
    r->updates++;
    rt_adam_step(now->adam, rt_clip(&r->log_norm, r->updates, norm), peak * rate(step, horizon),
                 r->updates, fmin(1, 9.0 / (double)(r->updates + 8)));
    return true;
}

static double limit_of(const RtRefine *r) {
    const RtOptions *o = r->s->options;
    return o->seconds > 0 ? o->seconds : plans[r->method].seconds;
}

/* How many steps there will be: what options say, or as many as fit into the time, once the time of
 * a step is known. 0: not yet. */
static int64_t horizon_of(const RtRefine *r, int64_t done, double seconds) {
    const RtOptions *o = r->s->options;
    if (o->steps > 0) return o->steps;
    double limit = limit_of(r);
    int64_t most = o->seconds > 0 ? INT64_MAX : plans[r->method].steps;
    if (done < defaults.looks || (done < 50 && seconds < 0.05 * limit)) return 0;
    double fit = fmax(limit - seconds, 0) * (double)done / seconds;
    return fit < (double)(most - done) ? done + (int64_t)fit : most;
}

/* Steps of later rounds cost more than those of the first: what is left of a run by time. */
static int64_t replanned(const RtRefine *r, int64_t done, int64_t horizon, double left,
                         double each) {
    double fit = fmax(left, 0) / each;
    return r->s->options->steps <= 0 && fit < (double)(horizon - done) ? done + (int64_t)fit
                                                                       : horizon;
}

static void optimise(RtRefine *r, RtRefined *result) {
    double began = rt_seconds(), second = 0; /* when the second round did */
    int64_t horizon = horizon_of(r, 0, 0), from = 0;
    for (int64_t step = 0; !horizon || step < horizon; step++) {
        if (!one_step(r, step, horizon)) result->skipped++;
        double now = rt_seconds();
        result->steps = step + 1;
        if (r->rounds) result->rounds = rt_sequential_round(r->rounds);
        if (!horizon) horizon = horizon_of(r, step + 1, now - began);
        if (result->rounds == 2 && !from) from = step + 1, second = now;
        if (from && step + 1 == from + defaults.looks)
            horizon = replanned(r, step + 1, horizon, limit_of(r) - (now - began),
                                (now - second) / (double)defaults.looks);
    }
}

static void compare(const RtRefine *r, RtRefined *result) {
    double squares = 0, n = (double)defaults.judged;
    result->gain = result->end - result->start;
    for (int64_t j = 0; j < defaults.judged; j++) {
        double d = r->weight_end[j] - r->weight_start[j] - result->gain;
        squares += d * d;
    }
    result->gain_se = sqrt(squares / (n - 1) / n);
    bool higher = isfinite(result->end) && result->end > result->start;
    result->kept_start = !higher && !isnan(result->start);
}

RtRefined rt_refine_run(RtRefine *r, int64_t set) {
    const size_t bytes = (size_t)r->s->model->flat * sizeof *r->start;
    RtRefined result = {0};
    load(r, set);
    memcpy(r->own->average, r->start, bytes);
    memcpy(r->own->iterate, r->start, bytes);
    memset(r->own->moment1, 0, bytes);
    memset(r->own->moment2, 0, bytes);
    r->updates = 0;
    r->log_norm = 0;
    result.start = judge(r, r->weight_start);
    optimise(r, &result);
    result.end = judge(r, r->weight_end);
    compare(r, &result);
    if (!result.kept_start) return result;
    memcpy(r->own->average, r->start, bytes);
    result.end = result.start;
    return result;
}
