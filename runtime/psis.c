/* psis.c -- what importance weights say about a posterior approximation.
 *
 * k-hat is the shape of a generalised Pareto law fitted to the largest weights (Zhang and Stephens
 * 2009), with the weak prior of Vehtari, Simpson, Gelman, Yao and Gabry, "Pareto smoothed
 * importance sampling" (JMLR 2024): tail of min(S / 5, 3 sqrt S) draws; trust up to min(1 - 1 /
 * log10 S, 0.7). Smoothed, the tail's weights are the quantiles of that law, none above the largest
 * weight as it was: the variance of what they estimate is finite, the bias small up to that k-hat.
 */
#include "runtime/psis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Profile log likelihood per exceedance of theta = -k / sigma; *k is the shape that goes with it.
 */
static double profile(const double *x, int64_t n, double theta, double *k) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += log1p(-theta * x[i]);
    *k = sum / (double)n;
    return log(-theta / *k) - *k - 1;
}

typedef struct Pareto {
    double shape, scale;
} Pareto;

/* A generalised Pareto law fitted to n > 4 ascending positive exceedances. */
static Pareto fit_pareto(RtMem *mem, const double *x, int64_t n) {
    int m = 30 + (int)sqrt((double)n);
    double *theta = rt_alloc(mem, m, sizeof *theta),
           *likelihood = rt_alloc(mem, m, sizeof *likelihood), k;
    double quartile = x[(int64_t)floor((double)n / 4 + 0.5) - 1];
    for (int j = 0; j < m; j++) {
        theta[j] = 1 / x[n - 1] + (1 - sqrt(m / (j + 0.5))) / (3 * quartile);
        likelihood[j] = (double)n * profile(x, n, theta[j], &k);
    }
    double mean = 0, total = 0;
    for (int j = 0; j < m; j++) {
        double inverse = 0; /* 1 / the posterior weight of theta[j] */
        for (int i = 0; i < m; i++) inverse += exp(likelihood[i] - likelihood[j]);
        mean += theta[j] / inverse;
        total += 1 / inverse;
    }
    profile(x, n, mean / total, &k);
    /* the shape with a prior of 10 observations at 1/2 */
    return (Pareto){.shape = (k * (double)n + 5) / ((double)n + 10), .scale = -k * total / mean};
}

static double pareto_quantile(Pareto law, double p) {
    double e = -log1p(-p);
    return law.scale * (fabs(law.shape) < 1e-12 ? e : expm1(law.shape * e) / law.shape);
}

typedef struct Tail {
    double log_weight;
    int64_t draw;
} Tail;

static int ascending(const void *a, const void *b) {
    const Tail *x = a, *y = b;
    if (x->log_weight != y->log_weight) return x->log_weight < y->log_weight ? -1 : 1;
    return (x->draw > y->draw) - (x->draw < y->draw);
}

double rt_psis(RtMem *mem, const double *log_weights, int64_t n, double *smoothed) {
    int64_t tail = (int64_t)ceil(fmin(0.2 * (double)n, 3 * sqrt((double)n)));
    memcpy(smoothed, log_weights, (size_t)n * sizeof *smoothed);
    if (tail < 5) return NAN;
    for (int64_t i = 0; i < n; i++)
        if (isnan(log_weights[i]) || log_weights[i] == INFINITY) return INFINITY;
    Tail *sorted = rt_alloc(mem, n, sizeof *sorted);
    for (int64_t i = 0; i < n; i++) sorted[i] = (Tail){log_weights[i], i};
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    const Tail *top = sorted + n - tail;
    double most = sorted[n - 1].log_weight, cutoff = exp(top[-1].log_weight - most);
    double *excess = rt_alloc(mem, tail, sizeof *excess);
    for (int64_t i = 0; i < tail; i++) excess[i] = exp(top[i].log_weight - most) - cutoff;
    if (excess[tail - 1] <= 1e-12) return 0; /* all large weights are equal: q is the posterior */
    for (int64_t i = 0; i < tail; i++) excess[i] = fmax(excess[i], 1e-300);
    Pareto law = fit_pareto(mem, excess, tail);
    if (!isfinite(law.shape) || !isfinite(law.scale)) return INFINITY;
    for (int64_t i = 0; i < tail; i++) {
        double q = pareto_quantile(law, ((double)i + 0.5) / (double)tail);
        smoothed[top[i].draw] = most + log(fmin(cutoff + q, 1));
    }
    return law.shape;
}

double rt_khat_limit(int64_t n) {
    return n < 2 ? 0 : fmin(1 - 1 / log10((double)n), 0.7);
}

double rt_log_mean(const double *log_weights, int64_t n) {
    double most = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, log_weights[i]);
    for (int64_t i = 0; i < n; i++) sum += exp(log_weights[i] - most);
    return most + log(sum / (double)n);
}

RtElbo rt_elbo(const double *w, int64_t n, double *smoothed) {
    RtMem *own = rt_mem_new(); /* must not outlive the call: there may be many data sets */
    RtElbo r = {.se = NAN};
    double squares = 0, sum2 = 0, spread = 0;
    for (int64_t i = 0; i < n; i++) r.elbo += w[i] / (double)n;
    for (int64_t i = 0; i < n; i++) squares += (w[i] - r.elbo) * (w[i] - r.elbo);
    if (n > 1) r.se = sqrt(squares / (double)(n - 1) / (double)n);
    if (!smoothed) smoothed = rt_alloc(own, n, sizeof *smoothed);
    r.khat = rt_psis(own, w, n, smoothed);
    r.evidence = rt_log_mean(smoothed, n);
    for (int64_t i = 0; i < n; i++) {
        double ratio = exp(smoothed[i] - r.evidence); /* 1 on average */
        sum2 += ratio * ratio;
        spread += (ratio - 1) * (ratio - 1);
    }
    r.ess = (double)n * (double)n / sum2;
    r.evidence_se = n > 1 ? sqrt(spread / (double)(n - 1) / (double)n) : NAN;
    rt_mem_free(own);
    return r;
}
