/* psis.c -- what importance weights say about a posterior approximation.
 *
 * k-hat is the shape of a generalised Pareto law fitted to the largest weights (Zhang and Stephens
 * 2009), with the weak prior of Vehtari, Simpson, Gelman, Yao and Gabry, "Pareto smoothed
 * importance sampling" (JMLR 2024): tail of min(S / 5, 3 sqrt S) draws; trust up to min(1 - 1 /
 * log10 S, 0.7). */
#include "runtime/session.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Profile log likelihood per exceedance of theta = -k / sigma; *k is the shape that goes with it.
 */
static double profile(const double *x, int64_t n, double theta, double *k) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += log1p(-theta * x[i]);
    *k = sum / (double)n;
    return log(-theta / *k) - *k - 1;
}

/* Shape of a generalised Pareto law fitted to n > 4 ascending positive exceedances. */
static double pareto_shape(RtMem *mem, const double *x, int64_t n) {
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
    return (k * (double)n + 5) / ((double)n + 10); /* a prior of 10 observations at 1/2 */
}

double rt_khat(RtMem *mem, const double *log_weights, int64_t n) {
    int64_t tail = (int64_t)ceil(fmin(0.2 * (double)n, 3 * sqrt((double)n)));
    if (tail < 5) return NAN;
    double *sorted = rt_alloc(mem, n, sizeof *sorted);
    for (int64_t i = 0; i < n; i++) {
        sorted[i] = log_weights[i];
        if (isnan(sorted[i]) || sorted[i] == INFINITY) return INFINITY;
    }
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    const double *top = sorted + n - tail;
    double most = sorted[n - 1], cutoff = exp(top[-1] - most);
    double *excess = rt_alloc(mem, tail, sizeof *excess);
    for (int64_t i = 0; i < tail; i++) excess[i] = exp(top[i] - most) - cutoff;
    if (excess[tail - 1] <= 1e-12) return 0; /* all large weights are equal: q is the posterior */
    for (int64_t i = 0; i < tail; i++) excess[i] = fmax(excess[i], 1e-300);
    double k = pareto_shape(mem, excess, tail);
    return isnan(k) ? INFINITY : k;
}

double rt_khat_limit(int64_t n) {
    return n < 2 ? 0 : fmin(1 - 1 / log10((double)n), 0.7);
}

RtElbo rt_elbo(const double *w, int64_t n) {
    double mean = 0, squares = 0, most = -INFINITY, sum = 0, sum2 = 0;
    for (int64_t i = 0; i < n; i++) {
        mean += w[i] / (double)n;
        most = fmax(most, w[i]);
    }
    for (int64_t i = 0; i < n; i++) {
        squares += (w[i] - mean) * (w[i] - mean);
        double e = exp(w[i] - most);
        sum += e;
        sum2 += e * e;
    }
    RtElbo r = {.elbo = mean,
                .se = n > 1 ? sqrt(squares / (double)(n - 1) / (double)n) : NAN,
                .evidence = most + log(sum / (double)n),
                .ess = sum * sum / sum2};
    RtMem *own =
        rt_mem_new(); /* sorting room must not outlive the call: there may be many data sets */
    r.khat = rt_khat(own, w, n);
    rt_mem_free(own);
    return r;
}
