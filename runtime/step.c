/* step.c -- one training step as a call: loss, gradient and what the optimiser keeps. What the
 * loops around it do (train.c, refine.c) is theirs, but for what both do alike. */
#include "runtime/objective.h"
#include "runtime/session.h"

#include <math.h>

static const double LAST = 0.01; /* share of the peak of the learning rate at the end */
static const double CLIP = 5;    /* gradients longer than so many typical norms are scaled back */

RtStep rt_step_new(RtSession *s, RtState *state, const char *program, int64_t draws) {
    RtStep step = rt_step_open(s, state, program, draws);
    rt_step_ready(s, state, &step);
    return step;
}

RtStep rt_step_open(RtSession *s, RtState *state, const char *program, int64_t draws) {
    const RtModel *m = s->model;
    RtStep step = {.vary = rt_sizes_vary(m, state), .program = program};
    RtSizes largest = rt_sizes_largest(s->mem, m, state);
    step.call = rt_call_new(s->mem, m, program, s->pool, &largest, state->sets, draws);
    if (step.vary) rt_call_blocks(step.call, RT_SIZE_BLOCK);
    step.loss = rt_call_want(step.call, "loss");
    step.set_loss = rt_call_want(step.call, "set_loss");
    step.gradient = rt_alloc(s->mem, m->n_weights, sizeof *step.gradient);
    for (int i = 0; i < m->n_weights; i++) {
        double *g = rt_call_want(step.call, rt_printf(s->mem, "grad:%s", m->weights[i].name));
        /* a weight that nothing reads stays as it is */
        step.gradient[i] = g ? g : rt_alloc(s->mem, m->weights[i].size, sizeof(double));
    }
    step.inputs = rt_bind_state(s->mem, m, state, state->iterate, step.call);
    return step;
}

void rt_step_ready(RtSession *s, RtState *state, RtStep *step) {
    rt_call_ready(step->call);
    step->adam = rt_adam_new(s->mem, s->model, s->pool, state, step->gradient);
}

double rt_decay(int64_t step, int64_t horizon) {
    double from = RT_HOLD * (double)horizon, whole = (double)horizon - from;
    double along = fmax(0, ((double)step - from) / fmax(whole, 1));
    return LAST + (1 - LAST) * 0.5 * (1 + cos(M_PI * along));
}

double rt_clip(double *log_norm, int64_t updates, double norm) {
    double own = log(fmax(norm, 1e-300)), scale = 1;
    if (updates > 10 && own > *log_norm + log(CLIP)) {
        own = *log_norm + log(CLIP);
        scale = exp(own) / norm;
    }
    *log_norm += fmax(0.02, 1.0 / (double)updates) * (own - *log_norm);
    return scale;
}
