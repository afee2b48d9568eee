/* adam.c -- Adam (Kingma and Ba, 2015) on the flat vector of weights, with a running average of the
 * iterates.
 *
 * Elements are independent, so threads share them out in blocks; the norm adds blocks in order.
 * Moments and weights are float32 (they are what a weights file holds), the arithmetic of one step
 * is double. */
#include "runtime/vectorised.h"

#include "runtime/session.h"

#include <math.h>

enum { BLOCK = 2048 };

typedef struct Part {
    int weight;
    int64_t from, n;
} Part;

struct RtAdam {
    const RtModel *model;
    RtPool *pool;
    RtState *state;
    int64_t n_parts;
    Part *parts;
    double *squares; /* by part */
    /* of the step in progress */
    double *const *gradient;
    double scale, rate, averaging, correction1, correction2;
};

static const double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;

RtAdam *rt_adam_new(RtMem *mem, const RtModel *m, RtPool *pool, RtState *state) {
    RtAdam *a = rt_alloc(mem, 1, sizeof *a);
    *a = (RtAdam){.model = m, .pool = pool, .state = state};
    for (int w = 0; w < m->n_weights; w++) a->n_parts += (m->weights[w].size + BLOCK - 1) / BLOCK;
    a->parts = rt_alloc(mem, a->n_parts, sizeof *a->parts);
    a->squares = rt_alloc(mem, a->n_parts, sizeof *a->squares);
    int64_t k = 0;
    for (int w = 0; w < m->n_weights; w++)
        for (int64_t from = 0; from < m->weights[w].size; from += BLOCK) {
            int64_t left = m->weights[w].size - from;
            a->parts[k++] = (Part){w, from, left < BLOCK ? left : BLOCK};
        }
    return a;
}

/* In LANES sums side by side: an order that every machine keeps. */
enum { LANES = 8 };
RT_VECTORISED static double sum_of_squares(const double *restrict g, int64_t n) {
    double sum[LANES] = {0}, all = 0;
    int64_t k = 0;
    for (; k + LANES <= n; k += LANES)
        for (int l = 0; l < LANES; l++) sum[l] += g[k + l] * g[k + l];
    for (int l = 0; l < LANES; l++) all += sum[l];
    for (; k < n; k++) all += g[k] * g[k];
    return all;
}

static void square_part(void *context, int64_t item, int worker) {
    (void)worker;
    RtAdam *a = context;
    const Part *p = &a->parts[item];
    a->squares[item] = sum_of_squares(a->gradient[p->weight] + p->from, p->n);
}

double rt_adam_norm(RtAdam *a, double *const *gradient) {
    a->gradient = gradient;
    rt_pool_run(a->pool, square_part, a, a->n_parts);
    double sum = 0;
    for (int64_t i = 0; i < a->n_parts; i++) sum += a->squares[i];
    return sqrt(sum);
}

RT_VECTORISED static void step(const RtAdam *a, int64_t n, const double *restrict g,
                               float *restrict m, float *restrict v, float *restrict w,
                               float *restrict average) {
    const double scale = a->scale, rate = a->rate, averaging = a->averaging;
    const double correction1 = a->correction1, correction2 = a->correction2;
    for (int64_t k = 0; k < n; k++) {
        double x = scale * g[k];
        m[k] = (float)(beta1 * m[k] + (1 - beta1) * x);
        v[k] = (float)(beta2 * v[k] + (1 - beta2) * x * x);
        double by = rate * (m[k] * correction1) / (sqrt(v[k] * correction2) + epsilon);
        w[k] = (float)(w[k] - by);
        average[k] = (float)(average[k] + averaging * (w[k] - average[k]));
    }
}

static void step_part(void *context, int64_t item, int worker) {
    (void)worker;
    RtAdam *a = context;
    const Part *p = &a->parts[item];
    int64_t at = a->model->weights[p->weight].offset + p->from;
    step(a, p->n, a->gradient[p->weight] + p->from, a->state->moment1 + at, a->state->moment2 + at,
         a->state->iterate + at, a->state->average + at);
}

void rt_adam_step(RtAdam *a, double *const *gradient, double scale, double rate, int64_t t,
                  double averaging) {
    a->gradient = gradient;
    a->scale = scale;
    a->rate = rate;
    a->averaging = averaging;
    a->correction1 = 1 / (1 - pow(beta1, (double)t));
    a->correction2 = 1 / (1 - pow(beta2, (double)t));
    rt_pool_run(a->pool, step_part, a, a->n_parts);
}
