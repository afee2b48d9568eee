/* exact.c -- where the posterior is Gaussian, the guide beside it: means, standard deviations,
 * evidence.
 *
 * A posterior is Gaussian where the log density is quadratic in the latents, that is, where the
 * gradient of program `logjoint` is affine in them. That is measured: g at z0 and at z0 + d_i e_i
 * (z0, d: the guide's means and sds) say what g is everywhere, and it must be that at random points
 * up to REACH sds away, for every data set, up to rounding. No name of a distribution, no form of a
 * model is looked for.
 *
 * Everything is done in units of d. With B the negative second derivatives, y the solution of
 * B y = g(z0): mean = z0 + y, covariance B^-1, and the evidence is the log density at the mean
 * + (n log 2 pi - log |B|) / 2, n latent numbers. */
#include "runtime/check.h"
#include "runtime/psis.h"

#include "runtime/random.h"

#include <math.h>
#include <string.h>

enum { LARGEST = 600, DRAWS = 4000, TRIED = 6, REACH = 4 };

static const struct {
    double z, sd_low, sd_high;                /* good */
    double z_look, sd_low_look, sd_high_look; /* beyond: bad */
    double overstated; /* standard errors by which an ELBO may be above the evidence */
} limits = {.z = 0.1,
            .sd_low = 0.9,
            .sd_high = 1.1,
            .z_look = 0.2,
            .sd_low_look = 0.8,
            .sd_high_look = 1.25,
            .overstated = 4};

typedef struct Test {
    RtSession *s;
    RtMem *mem;
    int64_t n;     /* latent numbers of a data set */
    int64_t *at;   /* by variable: the first of its numbers; -1: not a latent */
    int64_t *size; /* by variable */
    RtCall *posterior, *logjoint;
    RtFeed *posterior_data, *logjoint_data;
    const void **draws; /* by variable: [draw, ...] */
    RtLogs logs;
    void **latent;                        /* inputs by variable: [point, ...] */
    const void **gradient;                /* by variable: [point, ...] */
    const void *at_prior, *at_likelihood; /* [point] */
    double *mean, *sd;                    /* of the guide */
    double *point;                        /* a latent point, or a gradient in units of sd */
    double *b, *factor;                   /* [n, n]: B and its Cholesky factor */
    double *moves;                        /* [TRIED, n] */
    double *exact_mean, *exact_sd, *y;
} Test;

static void prepare_posterior(Test *t) {
    RtSession *s = t->s;
    const RtModel *m = s->model;
    t->posterior = rt_call_new(t->mem, m, "posterior", s->pool, &s->state->sizes, 1, DRAWS);
    t->draws = rt_alloc(t->mem, m->n_vars, sizeof *t->draws);
    for (int i = 0; i < m->n_vars; i++)
        if (t->at[i] >= 0) t->draws[i] = rt_call_want(t->posterior, m->vars[i].name);
    t->logs = rt_logs_want(t->posterior);
    rt_bind_state(t->mem, m, s->state, s->state->average, t->posterior);
    t->posterior_data = rt_feed_new(t->mem, m, t->posterior, &s->state->sizes, 1);
    rt_call_ready(t->posterior);
}

static void prepare_logjoint(Test *t) {
    RtSession *s = t->s;
    const RtModel *m = s->model;
    const int64_t points = 1 + t->n + TRIED;
    t->logjoint = rt_call_new(t->mem, m, "logjoint", s->pool, &s->state->sizes, 1, points);
    t->latent = rt_alloc(t->mem, m->n_vars, sizeof *t->latent);
    t->gradient = rt_alloc(t->mem, m->n_vars, sizeof *t->gradient);
    for (int i = 0; i < m->n_vars; i++) {
        if (t->at[i] < 0) continue;
        t->latent[i] = rt_alloc(t->mem, points * t->size[i], m->real);
        rt_call_bind(t->logjoint, m->vars[i].name, t->latent[i]);
        t->gradient[i] = rt_call_want(t->logjoint, rt_printf(t->mem, "d:%s", m->vars[i].name));
    }
    t->at_prior = rt_call_want(t->logjoint, "log_prior");
    t->at_likelihood = rt_call_want(t->logjoint, "log_likelihood");
    rt_bind_state(t->mem, m, s->state, s->state->average, t->logjoint);
    t->logjoint_data = rt_feed_new(t->mem, m, t->logjoint, &s->state->sizes, 1);
    rt_call_ready(t->logjoint);
}

/* False where the latents are too many numbers. */
static bool prepare(Test *t) {
    const RtModel *m = t->s->model;
    t->at = rt_alloc(t->mem, m->n_vars, sizeof *t->at);
    t->size = rt_alloc(t->mem, m->n_vars, sizeof *t->size);
    for (int i = 0; i < m->n_vars; i++) {
        t->at[i] = m->vars[i].kind == RT_LATENT ? t->n : -1;
        t->size[i] = rt_var_size(&m->vars[i], &t->s->state->sizes);
        if (t->at[i] >= 0) t->n += t->size[i];
        if (t->n > LARGEST) return false;
    }
    double **const vectors[] = {&t->mean, &t->sd, &t->point, &t->exact_mean, &t->exact_sd, &t->y};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        *vectors[i] = rt_alloc(t->mem, t->n, sizeof(double));
    t->b = rt_alloc(t->mem, t->n * t->n, sizeof *t->b);
    t->factor = rt_alloc(t->mem, t->n * t->n, sizeof *t->factor);
    t->moves = rt_alloc(t->mem, TRIED * t->n, sizeof *t->moves);
    prepare_posterior(t);
    prepare_logjoint(t);
    return t->n > 0;
}

/* ---- the guide's answer ---- */

/* Fills mean and sd; returns the ELBO. NaN where a draw is not finite. */
static double answer(Test *t, const uint32_t key[2], int64_t set) {
    const RtModel *m = t->s->model;
    rt_call_run(t->posterior, key, 5, (uint32_t)set, 1);
    for (int i = 0; i < m->n_vars; i++)
        for (int64_t k = 0; t->at[i] >= 0 && k < t->size[i]; k++) {
            RtMoments all = {0};
            for (int64_t j = 0; j < DRAWS; j++)
                rt_moments_add(&all, rt_real_get(m, t->draws[i], j * t->size[i] + k));
            t->mean[t->at[i] + k] = all.mean;
            t->sd[t->at[i] + k] = sqrt(all.squares / (DRAWS - 1));
            if (!(t->sd[t->at[i] + k] > 0)) return NAN;
        }
    double sum = 0;
    for (int64_t j = 0; j < DRAWS; j++) sum += rt_log_weight(m, &t->logs, j);
    return sum / DRAWS;
}

/* ---- the log density ---- */

/* `from` + along * sd (NULL: nothing) as latents of point p. */
static void place(Test *t, int64_t p, const double *from, const double *along) {
    const RtModel *m = t->s->model;
    for (int i = 0; i < m->n_vars; i++)
        for (int64_t k = 0; t->at[i] >= 0 && k < t->size[i]; k++) {
            int64_t j = t->at[i] + k;
            double x = from[j] + (along ? along[j] * t->sd[j] : 0);
            rt_real_set(m, t->latent[i], p * t->size[i] + k, x);
        }
}

/* The gradient at point p in units of sd, into t->point. */
static void read_gradient(Test *t, int64_t p) {
    const RtModel *m = t->s->model;
    for (int i = 0; i < m->n_vars; i++)
        for (int64_t k = 0; t->at[i] >= 0 && k < t->size[i]; k++) {
            int64_t j = t->at[i] + k;
            t->point[j] = t->sd[j] * rt_real_get(m, t->gradient[i], p * t->size[i] + k);
        }
}

/* Points of one run: z0, one step along each axis, TRIED random ones. */
static void place_all(Test *t, const uint32_t key[2], int64_t set) {
    double *unit = rt_alloc(t->mem, t->n, sizeof *unit);
    place(t, 0, t->mean, NULL);
    for (int64_t i = 0; i < t->n; i++) {
        unit[i] = 1;
        place(t, 1 + i, t->mean, unit);
        unit[i] = 0;
    }
    for (int64_t k = 0; k < TRIED; k++) {
        double *move = t->moves + k * t->n;
        for (int64_t i = 0; i < t->n; i++) {
            uint32_t word[4], count[4] = {6, (uint32_t)set, (uint32_t)k, (uint32_t)i};
            av_philox(key, count, word);
            move[i] = REACH * (2 * (double)word[0] / UINT32_MAX - 1);
        }
        place(t, 1 + t->n + k, t->mean, move);
    }
}

/* B and g(z0) (into t->y) from the run; true if the gradient is what they say at all points tried.
 */
static bool is_quadratic(Test *t) {
    const int64_t n = t->n;
    read_gradient(t, 0);
    memcpy(t->y, t->point, (size_t)n * sizeof *t->y);
    for (int64_t i = 0; i < n; i++) {
        read_gradient(t, 1 + i);
        for (int64_t j = 0; j < n; j++) t->b[i * n + j] = t->y[j] - t->point[j];
    }
    double off = 0, whole = 0, tolerance = t->s->model->f64 ? 1e-6 : 2e-3;
    for (int64_t k = 0; k < TRIED; k++) {
        const double *move = t->moves + k * n;
        read_gradient(t, 1 + n + k);
        for (int64_t j = 0; j < n; j++) {
            double change = t->point[j] - t->y[j], said = 0;
            for (int64_t i = 0; i < n; i++) said -= t->b[i * n + j] * move[i];
            off += (change - said) * (change - said);
            whole += change * change;
        }
    }
    return sqrt(off) <= tolerance * sqrt(whole); /* not so if anything is not a number */
}

/* B = L L', symmetric up to rounding; false where it is not positive. */
static bool factorise(Test *t) {
    const int64_t n = t->n;
    double *l = t->factor;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            double sum = (t->b[i * n + j] + t->b[j * n + i]) / 2;
            for (int64_t k = 0; k < j; k++) sum -= l[i * n + k] * l[j * n + k];
            if (i == j && !(sum > 0)) return false;
            l[i * n + j] = i == j ? sqrt(sum) : sum / l[j * n + j];
        }
    return true;
}

/* x := L^-1 x, from position `first` on (0 before it). */
static void solve_lower(const Test *t, int64_t first, double *x) {
    for (int64_t i = first; i < t->n; i++) {
        for (int64_t k = first; k < i; k++) x[i] -= t->factor[i * t->n + k] * x[k];
        x[i] /= t->factor[i * t->n + i];
    }
}

/* x := L'^-1 x */
static void solve_upper(const Test *t, double *x) {
    for (int64_t i = t->n - 1; i >= 0; i--) {
        x[i] /= t->factor[i * t->n + i];
        for (int64_t k = 0; k < i; k++) x[k] -= t->factor[i * t->n + k] * x[i];
    }
}

/* Mean and sds, and the log evidence. */
static double solve(Test *t, const uint32_t key[2]) {
    const int64_t n = t->n;
    const RtModel *m = t->s->model;
    double half_log_det = 0;
    memcpy(t->exact_mean, t->mean, (size_t)n * sizeof *t->mean);
    for (int round = 0; round < 2; round++) { /* the second takes back rounding */
        solve_lower(t, 0, t->y);
        solve_upper(t, t->y);
        for (int64_t i = 0; i < n; i++) t->exact_mean[i] += t->sd[i] * t->y[i];
        place(t, 0, t->exact_mean, NULL);
        rt_call_run(t->logjoint, key, 5, 0, 1);
        read_gradient(t, 0);
        memcpy(t->y, t->point, (size_t)n * sizeof *t->y);
    }
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        memset(t->point, 0, (size_t)n * sizeof *t->point);
        t->point[i] = 1;
        solve_lower(t, i, t->point);
        for (int64_t k = i; k < n; k++) sum += t->point[k] * t->point[k];
        t->exact_sd[i] = t->sd[i] * sqrt(sum);
        half_log_det += log(t->factor[i * n + i]) - log(t->sd[i]);
    }
    return rt_real_get(m, t->at_prior, 0) + rt_real_get(m, t->at_likelihood, 0) +
           0.5 * (double)n * log(2 * M_PI) - half_log_det;
}

/* ---- the comparison ---- */

/* Adds data set `set` of `d` to the comparison; false where its posterior is not Gaussian. */
static bool compare(Test *t, RtExact *r, const RtData *d, int64_t set) {
    const RtModel *m = t->s->model;
    const uint32_t key[2] = {t->s->seed, RT_FOR_CHECK};
    rt_feed_load(t->posterior_data, d, set, 1);
    rt_feed_load(t->logjoint_data, d, set, 1);
    double elbo = answer(t, key, set);
    if (!isfinite(elbo)) return false;
    place_all(t, key, set);
    rt_call_run(t->logjoint, key, 5, 0, 1);
    if (!is_quadratic(t) || !factorise(t)) return false;
    double evidence = solve(t, key);
    rt_moments_add(&r->gap, evidence - elbo);
    r->rounding = fmax(r->rounding, fabs(evidence) * (m->f64 ? 1e-12 : 2e-6));
    for (int i = 0; i < m->n_vars; i++)
        for (int64_t k = 0; t->at[i] >= 0 && k < t->size[i]; k++) {
            int64_t j = t->at[i] + k;
            double z = (t->mean[j] - t->exact_mean[j]) / t->exact_sd[j];
            rt_moments_add(&r->z2[i], z * z);
            rt_moments_add(&r->sd_ratio[i], t->sd[j] / t->exact_sd[j]);
        }
    return true;
}

static RtVerdict judge_latent(double z, double ratio) {
    if (z <= limits.z && ratio >= limits.sd_low && ratio <= limits.sd_high) return RT_GOOD;
    bool near = z <= limits.z_look && ratio >= limits.sd_low_look && ratio <= limits.sd_high_look;
    return near ? RT_LOOK : RT_BAD;
}

static void judge(RtExact *r, int n_vars) {
    double worst = -1;
    for (int i = 0; i < n_vars; i++) {
        if (!r->z2[i].n) continue;
        double z = sqrt(r->z2[i].mean), ratio = r->sd_ratio[i].mean;
        double off = fmax(z, fabs(log(ratio)));
        RtVerdict v = judge_latent(z, ratio);
        if (v > r->verdict) r->verdict = v;
        if (off <= worst) continue;
        worst = off;
        r->worst = i;
    }
    double least = -limits.overstated * rt_moments_se(&r->gap) - r->rounding;
    r->overstated = r->gap.mean < least;
    if (r->overstated) r->verdict = RT_BAD;
}

RtExact rt_exact_test(RtSession *s, const RtData *d, int64_t n_sets) {
    const RtModel *m = s->model;
    RtExact r = {.z2 = rt_alloc(s->mem, m->n_vars, sizeof *r.z2),
                 .sd_ratio = rt_alloc(s->mem, m->n_vars, sizeof *r.sd_ratio)};
    Test t = {.s = s, .mem = rt_mem_new()};
    r.applies = prepare(&t);
    for (int64_t set = 0; r.applies && set < n_sets; set++) r.applies = compare(&t, &r, d, set);
    if (r.applies) judge(&r, m->n_vars);
    rt_mem_free(t.mem);
    return r;
}
