/* exact.c -- see exact.h. Each dimension is on its own: the log evidences add. */
#include "tests/exact/exact.h"

#include <math.h>
#include <stdlib.h>

static const double log_2_pi = 1.8378770664093454836;

/* What one dimension's data say of the scales. */
typedef struct Squares {
    double within, between, mean; /* sums of squares; the mean of the group means */
} Squares;

static Squares squares_of(const GaussianEffects *p, const double *x) {
    int groups = p->groups, obs = p->obs, stride = p->dims;
    Squares q = {0, 0, 0};
    double *mean = calloc((size_t)groups, sizeof *mean);
    for (int g = 0; g < groups; g++) {
        const double *xg = x + (long)g * obs * stride;
        for (int n = 0; n < obs; n++) mean[g] += xg[(long)n * stride] / obs;
        for (int n = 0; n < obs; n++) {
            double r = xg[(long)n * stride] - mean[g];
            q.within += r * r;
        }
        q.mean += mean[g] / groups;
    }
    for (int g = 0; g < groups; g++) q.between += (mean[g] - q.mean) * (mean[g] - q.mean);
    free(mean);
    return q;
}

/* With group means x_g, their mean m, s^2 = s_x^2/N, t = s_g^2 + s^2, v = s_mu^2 + t/G and the sum
 * W of squares within groups: log p = - W/2s_x^2 - G(N-1)(log s_x + log(2 pi)/2) - G log(N)/2
 * (within groups; x_g given mu_g)
 *             - sum (x_g - m)^2/2t - (G-1) log(2 pi t)/2 - log(G)/2       (between groups)
 *             - m^2/2v - log(2 pi v)/2                                    (their mean)  */
static double effects_one_dim(const GaussianEffects *p, const Squares *q) {
    int groups = p->groups, obs = p->obs;
    double s_x2 = p->s_x * p->s_x;
    double t = p->s_g * p->s_g + s_x2 / obs, v = p->s_mu * p->s_mu + t / groups;
    return -q->within / (2 * s_x2) - groups * (obs - 1) * (log(p->s_x) + 0.5 * log_2_pi) -
           0.5 * groups * log(obs) - q->between / (2 * t) -
           0.5 * (groups - 1) * (log_2_pi + log(t)) - 0.5 * log(groups) -
           q->mean * q->mean / (2 * v) - 0.5 * (log_2_pi + log(v));
}

static double effects(const GaussianEffects *p, const Squares *q) {
    double total = 0;
    for (int d = 0; d < p->dims; d++) total += effects_one_dim(p, &q[d]);
    return total;
}

static Squares *all_squares(const GaussianEffects *p, const double *x) {
    Squares *q = malloc(sizeof *q * (size_t)p->dims);
    for (int d = 0; d < p->dims; d++) q[d] = squares_of(p, x + d);
    return q;
}

double exact_gaussian_effects(const GaussianEffects *model, const double *x) {
    Squares *q = all_squares(model, x);
    double total = effects(model, q);
    free(q);
    return total;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* log of the integral of exp(f + slope * t) over t in [0, width]; width may be infinite if slope <
 * 0. */
static double log_exponential_integral(double f, double slope, double width) {
    if (isinf(width)) return f - log(-slope);
    double z = slope * width;
    if (fabs(z) < 1e-12) return f + log(width);
    /* from the end where the integrand is largest */
    return fmax(f, f + z) + log(-expm1(-fabs(z)) / fabs(slope));
}

static double log_add(double a, double b) {
    if (isinf(a) && a < 0) return b;
    return fmax(a, b) + log1p(exp(-fabs(a - b)));
}

/* Points of the logarithm of a scale, from e^-10 to e^2 of its prior's. */
enum { COARSE = 60, FINE = 400 };
static const double lowest = -10, highest = 2;

static double scale_at(double prior, int i, int points) {
    return prior * exp(lowest + (highest - lowest) * (i + 0.5) / points);
}

/* log of the half-normal density times ds/d(log s) times the distance of the points. */
static double log_share(double prior, double s, int points) {
    double z = s / prior;
    return 0.5 * log(2 / M_PI) + log(z) - 0.5 * z * z + log((highest - lowest) / points);
}

/* s_x is the one that many observations may show well. */
double exact_unknown_scales(const GaussianEffects *model, const double *x) {
    Squares *q = all_squares(model, x);
    double total = -INFINITY;
    for (int i = 0; i < FINE; i++)
        for (int j = 0; j < COARSE; j++)
            for (int k = 0; k < COARSE; k++) {
                GaussianEffects at = *model;
                at.s_x = scale_at(model->s_x, i, FINE);
                at.s_g = scale_at(model->s_g, j, COARSE);
                at.s_mu = scale_at(model->s_mu, k, COARSE);
                double share = log_share(model->s_x, at.s_x, FINE) +
                               log_share(model->s_g, at.s_g, COARSE) +
                               log_share(model->s_mu, at.s_mu, COARSE);
                total = log_add(total, share + effects(&at, q));
            }
    free(q);
    return total;
}

static double shift_one_dim(const LaplaceShift *p, const double *b) {
    int n = p->obs, below = 0;
    double *knot = malloc(sizeof *knot * (size_t)(n + 1));
    for (int i = 0; i < n; i++) knot[i] = b[(long)i * p->dims];
    qsort(knot, (size_t)n, sizeof *knot, ascending);
    while (below < n && knot[below] <= 0) below++;
    double left = 0, f = log(p->rate) - n * log(2 * p->scale), total = -INFINITY;
    for (int i = 0; i < n; i++) f -= fabs(knot[i]) / p->scale;
    /* f: the log joint density at `left`, the lower end of the interval with `below` observations
     * below it */
    for (; below <= n; below++) {
        double slope = -p->rate + (n - 2 * below) / p->scale;
        double width = below < n ? knot[below] - left : INFINITY;
        if (width <= 0) continue;
        total = log_add(total, log_exponential_integral(f, slope, width));
        if (below == n) break;
        f += slope * width;
        left = knot[below];
    }
    free(knot);
    return total;
}

double exact_laplace_shift(const LaplaceShift *model, const double *b) {
    double total = 0;
    for (int d = 0; d < model->dims; d++) total += shift_one_dim(model, b + d);
    return total;
}
