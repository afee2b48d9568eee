/* step.c -- one training step as a call: loss, gradient and what the optimiser keeps. What the
 * loop around it does (schedule, clipping, validation) is train.c's. */
#include "runtime/session.h"

RtStep rt_step_new(RtSession *s, RtState *state, const char *program, int64_t draws) {
    const RtModel *m = s->model;
    RtStep step = {.vary = rt_sizes_vary(m, state), .program = program};
    step.call = rt_call_new(s->mem, m, program, s->pool, state->hi, state->sets, draws);
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
    rt_call_ready(step.call);
    step.adam = rt_adam_new(s->mem, m, s->pool, state, step.gradient);
    return step;
}
