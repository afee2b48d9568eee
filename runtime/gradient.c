/* gradient.c -- self-test of program `logjoint`: its derivatives d:LATENT against differences of
 * log prior + log likelihood at posterior draws.
 *
 * One latent at a time is moved, all its scalars at once, along v: each scalar by its posterior sd
 * (by its own size where that is less, so that a scale stays positive) with a random sign. Then
 * sum v d must be (4 D(h) - D(2h)) / 3 with D(h) = (f(z + hv) - f(z - hv)) / 2h, up to h^4 and
 * rounding. Where the two D differ, the log density is not smooth there or its rounding shows: the
 * median difference is added to the tolerance, and three points in four must be within it (a kink
 * between the points spoils a few). */
#include "runtime/check.h"

#include "runtime/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OFFSETS = 5 }; /* 0, h, -h, 2h, -2h */

typedef struct Test {
    RtSession *s;
    RtMem *mem;
    RtCall *call;
    int64_t n_sets, n_draws;
    const void *const *draws;
    void **latent; /* inputs by variable: [set, draw x offset, plates, dims] */
    const void *log_prior, *log_likelihood;
    const void **gradient; /* by variable */
    double h;
} Test;

static double offset(const Test *t, int i) {
    static const double steps[OFFSETS] = {0, 1, -1, 2, -2};
    return t->h * steps[i];
}

static int64_t size_of(const Test *t, int variable) {
    return rt_var_size(&t->s->model->vars[variable], &t->s->state->sizes);
}

static void prepare(Test *t, const RtData *d) {
    RtSession *s = t->s;
    const RtModel *m = s->model;
    int64_t n = t->n_draws * OFFSETS;
    t->call = rt_call_new(t->mem, m, "logjoint", s->pool, &s->state->sizes, t->n_sets, n);
    t->latent = rt_alloc(t->mem, m->n_vars, sizeof *t->latent);
    t->gradient = rt_alloc(t->mem, m->n_vars, sizeof *t->gradient);
    for (int i = 0; i < m->n_vars; i++) {
        if (m->vars[i].kind != RT_LATENT) continue;
        t->latent[i] = rt_alloc(t->mem, t->n_sets * n * size_of(t, i), m->real);
        rt_call_bind(t->call, m->vars[i].name, t->latent[i]);
        t->gradient[i] = rt_call_want(t->call, rt_printf(t->mem, "d:%s", m->vars[i].name));
    }
    t->log_prior = rt_call_want(t->call, "log_prior");
    t->log_likelihood = rt_call_want(t->call, "log_likelihood");
    rt_bind_state(t->mem, m, s->state, s->state->average, t->call);
    RtFeed *feed = rt_feed_new(t->mem, m, t->call, &s->state->sizes, t->n_sets);
    rt_feed_load(feed, d, 0, t->n_sets);
    rt_call_ready(t->call);
}

/* v by [set, draw, scalar] of a latent. */
static double *directions(const Test *t, int variable) {
    const RtModel *m = t->s->model;
    int64_t size = size_of(t, variable), n = t->n_draws;
    double *v = rt_alloc(t->mem, t->n_sets * n * size, sizeof *v);
    const uint32_t key[2] = {t->s->seed, RT_FOR_CHECK};
    for (int64_t set = 0; set < t->n_sets; set++)
        for (int64_t k = 0; k < size; k++) {
            RtMoments all = {0};
            for (int64_t j = 0; j < n; j++)
                rt_moments_add(&all, rt_real_get(m, t->draws[variable], (set * n + j) * size + k));
            double sd = sqrt(all.squares / (double)(n - 1));
            for (int64_t j = 0; j < n; j++) {
                int64_t at = (set * n + j) * size + k;
                uint32_t word[4], count[4] = {3, (uint32_t)variable, (uint32_t)at, 0};
                av_philox(key, count, word);
                double length = fmin(sd, fabs(rt_real_get(m, t->draws[variable], at)));
                v[at] = word[0] & 1 ? length : -length;
            }
        }
    return v;
}

/* Inputs: all latents at their draws, `moved` along v (NULL: none). */
static void place(Test *t, int moved, const double *v) {
    const RtModel *m = t->s->model;
    for (int i = 0; i < m->n_vars; i++) {
        if (!t->latent[i]) continue;
        int64_t size = size_of(t, i);
        for (int64_t at = 0; at < t->n_sets * t->n_draws; at++)
            for (int o = 0; o < OFFSETS; o++)
                for (int64_t k = 0; k < size; k++) {
                    double x = rt_real_get(m, t->draws[i], at * size + k);
                    if (i == moved) x += offset(t, o) * v[at * size + k];
                    rt_real_set(m, t->latent[i], (at * OFFSETS + o) * size + k, x);
                }
    }
}

static double log_density(const Test *t, int64_t at) {
    const RtModel *m = t->s->model;
    return rt_real_get(m, t->log_prior, at) + rt_real_get(m, t->log_likelihood, at);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The q-quantile of n numbers; sorts them. Not a number counts as infinite. */
static double quantile(double *x, int64_t n, double q) {
    for (int64_t i = 0; i < n; i++)
        if (isnan(x[i])) x[i] = INFINITY;
    qsort(x, (size_t)n, sizeof *x, ascending);
    int64_t at = (int64_t)ceil(q * (double)n) - 1;
    return x[at < 0 ? 0 : at];
}

static void test_latent(Test *t, int variable, RtGradient *r) {
    const RtModel *m = t->s->model;
    int64_t n = t->n_sets * t->n_draws, size = size_of(t, variable);
    double *v = directions(t, variable), *error = rt_alloc(t->mem, n, sizeof *error),
           *noise = rt_alloc(t->mem, n, sizeof *noise), *scale = rt_alloc(t->mem, n, sizeof *scale);
    const uint32_t key[2] = {t->s->seed, RT_FOR_CHECK};
    place(t, variable, v);
    rt_call_run(t->call, key, 4, 0, t->n_sets);
    for (int64_t at = 0; at < n; at++) {
        double f[OFFSETS], exact = 0;
        for (int o = 0; o < OFFSETS; o++) f[o] = log_density(t, at * OFFSETS + o);
        for (int64_t k = 0; k < size; k++)
            exact +=
                v[at * size + k] * rt_real_get(m, t->gradient[variable], at * OFFSETS * size + k);
        double near = (f[1] - f[2]) / (2 * t->h), far = (f[3] - f[4]) / (4 * t->h);
        error[at] = fabs((4 * near - far) / 3 - exact);
        noise[at] = fabs(near - far);
        scale[at] = fabs(exact);
    }
    double rms = 1.48 * quantile(scale, n, 0.5), rough = quantile(noise, n, 0.5);
    double off = quantile(error, n, 0.75);
    r->error[variable] = rms > 0 ? off / rms : off > 0 ? INFINITY : 0;
    r->judged[variable] = !(rough > 0.2 * rms) || !isfinite(rough);
    if (!r->judged[variable]) return;
    bool worse = r->worst < 0 || r->error[variable] > r->error[r->worst];
    if (!(off <= r->tolerance * rms + 3 * rough) && off > 0) {
        if (worse || r->verdict == RT_GOOD) r->worst = variable;
        r->verdict = RT_BAD;
    } else if (worse && r->verdict == RT_GOOD) {
        r->worst = variable;
    }
}

RtGradient rt_gradient_test(RtSession *s, const RtData *d, int64_t n_sets, const void *const *draws,
                            int64_t n_draws) {
    const RtModel *m = s->model;
    Test t = {.s = s,
              .mem = rt_mem_new(),
              .n_sets = n_sets,
              .n_draws = n_draws,
              .draws = draws,
              .h = m->f64 ? 1e-3 : 0.05};
    RtGradient r = {.error = rt_alloc(s->mem, m->n_vars, sizeof *r.error),
                    .judged = rt_alloc(s->mem, m->n_vars, sizeof *r.judged),
                    .worst = -1,
                    .tolerance = m->f64 ? 1e-6 : 0.01};
    prepare(&t, d);
    for (int i = 0; i < m->n_vars; i++) {
        r.error[i] = NAN;
        if (t.gradient[i]) test_latent(&t, i, &r);
    }
    rt_mem_free(t.mem);
    return r;
}
