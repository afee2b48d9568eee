/* adam.c -- Adam (Kingma and Ba, 2015) on the flat vector of weights, with a running average of the
 * iterates.
 *
 * Elements are independent, so threads share them out in blocks; the norm adds blocks in order.
 * Moments and weights are float32 (they are what a weights file holds), and so is the arithmetic of
 * a step; gradients are sums in double.
 */
#include "runtime/vectorised.h"

#include "runtime/session.h"

#include <math.h>

enum { BLOCK = 2048 };

/* Weights side by side whose gradients are side by side, too. */
typedef struct Part {
    const double *gradient;
    int64_t at, n;
} Part;

struct RtAdam {
    RtPool *pool;
    RtState *state;
    int64_t n_parts;
    Part *parts;
    double *squares; /* by part */
    /* of the step in progress */
    float scale, rate, averaging, correction2;
};

static const double beta1 = 0.9, beta2 = 0.999;
static const float epsilon = 1e-8F;

RtAdam *rt_adam_new(RtMem *mem, const RtModel *m, RtPool *pool, RtState *state,
                    double *const *gradient) {
    RtAdam *a = rt_alloc(mem, 1, sizeof *a);
    *a = (RtAdam){.pool = pool, .state = state};
    int64_t most = m->n_weights;
    for (int w = 0; w < m->n_weights; w++) most += m->weights[w].size / BLOCK;
    a->parts = rt_alloc(mem, most, sizeof *a->parts);
    a->squares = rt_alloc(mem, most, sizeof *a->squares);
    Part *last = NULL;
    for (int w = 0; w < m->n_weights; w++)
        for (int64_t from = 0; from < m->weights[w].size;) {
            const double *g = gradient[w] + from;
            int64_t at = m->weights[w].offset + from, left = m->weights[w].size - from;
            bool joins = last && last->n < BLOCK && last->gradient + last->n == g &&
                         last->at + last->n == at;
            if (!joins) {
                last = &a->parts[a->n_parts++];
                *last = (Part){g, at, 0};
            }
            int64_t n = left < BLOCK - last->n ? left : BLOCK - last->n;
            last->n += n, from += n;
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
    a->squares[item] = sum_of_squares(a->parts[item].gradient, a->parts[item].n);
}

double rt_adam_norm(RtAdam *a) {
    rt_pool_run(a->pool, square_part, a, a->n_parts);
    double sum = 0;
    for (int64_t i = 0; i < a->n_parts; i++) sum += a->squares[i];
    return sqrt(sum);
}

RT_VECTORISED static void step(const RtAdam *a, int64_t n, const double *restrict g,
                               float *restrict m, float *restrict v, float *restrict w,
                               float *restrict average) {
    const float scale = a->scale, rate = a->rate, averaging = a->averaging;
    const float correction2 = a->correction2;
    const float keep1 = (float)beta1, keep2 = (float)beta2;
    const float take1 = (float)(1 - beta1), take2 = (float)(1 - beta2);
    for (int64_t k = 0; k < n; k++) {
        float x = scale * (float)g[k];
        m[k] = keep1 * m[k] + take1 * x;
        v[k] = keep2 * v[k] + take2 * x * x;
        w[k] -= rate * m[k] / (sqrtf(v[k] * correction2) + epsilon);
        average[k] += averaging * (w[k] - average[k]);
    }
}

static void step_part(void *context, int64_t item, int worker) {
    (void)worker;
    RtAdam *a = context;
    const Part *p = &a->parts[item];
    step(a, p->n, p->gradient, a->state->moment1 + p->at, a->state->moment2 + p->at,
         a->state->iterate + p->at, a->state->average + p->at);
}

void rt_adam_step(RtAdam *a, double scale, double rate, int64_t t, double averaging) {
    a->scale = (float)scale;
    a->rate = (float)(rate / (1 - pow(beta1, (double)t)));
    a->averaging = (float)averaging;
    a->correction2 = (float)(1 / (1 - pow(beta2, (double)t)));
    rt_pool_run(a->pool, step_part, a, a->n_parts);
}
