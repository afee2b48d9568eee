/* The closed-form evidences against numbers obtained another way: the Gaussian model as one
 * multivariate normal through a Cholesky factor, the Laplace model by adaptive quadrature. */
#include "check.h"
#include "tests/exact/exact.h"

#include <stdlib.h>

/* Deterministic numbers in (-1, 1). */
static double wiggle(int i) {
    double s = sin(12.9898 * (i + 1)) * 43758.5453;
    return 2 * (s - floor(s)) - 1;
}

/* log N(x; 0, S), S [n * n] overwritten by its Cholesky factor. */
static double log_normal_density(double *s, const double *x, int n) {
    double log_det = 0, square = 0, *z = malloc(sizeof *z * (size_t)n);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
            double sum = s[i * n + j];
            for (int k = 0; k < j; k++) sum -= s[i * n + k] * s[j * n + k];
            s[i * n + j] = i == j ? sqrt(sum) : sum / s[j * n + j];
        }
        double r = x[i];
        for (int k = 0; k < i; k++) r -= s[i * n + k] * z[k];
        z[i] = r / s[i * n + i];
        square += z[i] * z[i];
        log_det += log(s[i * n + i]);
    }
    free(z);
    return -0.5 * square - log_det - 0.5 * n * log(2 * 3.14159265358979323846);
}

static double effects_by_cholesky(const GaussianEffects *p, const double *x) {
    int n = p->groups * p->obs;
    double total = 0, *s = malloc(sizeof *s * (size_t)(n * n)), *y = malloc(sizeof *y * (size_t)n);
    for (int d = 0; d < p->dims; d++) {
        for (int i = 0; i < n; i++) {
            y[i] = x[i * p->dims + d];
            for (int j = 0; j < n; j++)
                s[i * n + j] = p->s_mu * p->s_mu +
                               (i / p->obs == j / p->obs ? p->s_g * p->s_g : 0) +
                               (i == j ? p->s_x * p->s_x : 0);
        }
        total += log_normal_density(s, y, n);
    }
    free(s);
    free(y);
    return total;
}

static void gaussian_effects_are_a_multivariate_normal(void) {
    static const GaussianEffects models[] = {
        {3, 50, 2, .5, .5, .1}, {1, 4, 1, 1, .2, .05}, {5, 1, 3, 1, .2, .5}, {4, 5, 2, 2, .01, 1}};
    for (int k = 0; k < 4; k++) {
        const GaussianEffects *p = &models[k];
        double x[300];
        for (int i = 0; i < p->groups * p->obs * p->dims; i++) x[i] = 1.5 * wiggle(i + 100 * k);
        double exact = exact_gaussian_effects(p, x), brute = effects_by_cholesky(p, x);
        CHECK_NEAR(exact, brute, 1e-9 * (1 + fabs(brute)), "log evidence");
    }
}

/* ---- quadrature ---- */

typedef struct Shift {
    const LaplaceShift *model;
    const double *b;
    int dim;
    double offset;
} Shift;

static double joint(const Shift *s, double a) {
    const LaplaceShift *p = s->model;
    double f = log(p->rate) - p->rate * a - s->offset;
    for (int i = 0; i < p->obs; i++)
        f -= fabs(s->b[i * p->dims + s->dim] - a) / p->scale + log(2 * p->scale);
    return exp(f);
}

static double simpson(const Shift *s, double a, double fa, double b, double fb, double fm,
                      int depth) {
    double m = 0.5 * (a + b), l = joint(s, 0.5 * (a + m)), r = joint(s, 0.5 * (m + b));
    double whole = (b - a) / 6 * (fa + 4 * fm + fb);
    double halves = (b - a) / 12 * (fa + 4 * l + 2 * fm + 4 * r + fb);
    if (depth <= 0 || fabs(halves - whole) <= 1e-12 * fabs(halves) + 1e-18) return halves;
    return simpson(s, a, fa, m, fm, l, depth - 1) + simpson(s, m, fm, b, fb, r, depth - 1);
}

static double shift_by_quadrature(const LaplaceShift *p, const double *b) {
    double total = 0;
    for (int d = 0; d < p->dims; d++) {
        Shift s = {p, b, d, 0};
        double largest = 0, sum = 0;
        for (int i = 0; i < p->obs; i++) largest = fmax(largest, b[i * p->dims + d]);
        s.offset = log(joint(&s, fmax(largest / 2, 0)) + 1e-300);
        double end = largest + 40 / p->rate;
        for (int k = 0; k < 256; k++) {
            double u = end * k / 256, v = end * (k + 1) / 256;
            sum += simpson(&s, u, joint(&s, u), v, joint(&s, v), joint(&s, 0.5 * (u + v)), 30);
        }
        total += log(sum) + s.offset;
    }
    return total;
}

static void laplace_shift_by_quadrature(void) {
    /* all positive; some negative; all negative; repeated values; one observation */
    static const LaplaceShift models[] = {
        {10, 2, .5, .3}, {10, 2, .5, .3}, {4, 1, .5, .3}, {6, 1, 2, 1}, {1, 1, .5, .3}};
    static const double shift[] = {3, .2, -4, 1, 2};
    for (int k = 0; k < 5; k++) {
        const LaplaceShift *p = &models[k];
        double b[20];
        for (int i = 0; i < p->obs * p->dims; i++) {
            b[i] = shift[k] + wiggle(i + 50 * k);
            if (k == 3) b[i] = shift[k] + i / 2;
        }
        double exact = exact_laplace_shift(p, b), brute = shift_by_quadrature(p, b);
        CHECK_NEAR(exact, brute, 1e-8 * (1 + fabs(brute)), "log evidence");
    }
}

/* A slope of exactly 0: rate 2, scale 1, two more above than below. */
static void laplace_shift_with_a_flat_interval(void) {
    LaplaceShift p = {4, 1, 2, 1};
    double b[] = {1, 2, 3, 4};
    CHECK_NEAR(exact_laplace_shift(&p, b), shift_by_quadrature(&p, b), 1e-9, "log evidence");
}

/* The scales themselves, not their logarithms, at the middles of equal stretches. */
static double unknown_scales_by_midpoints(const GaussianEffects *p, const double *x) {
    enum { POINTS = 120 };
    double sum = 0, width = 5.0 / POINTS;
    for (int i = 0; i < POINTS; i++)
        for (int j = 0; j < POINTS; j++)
            for (int k = 0; k < POINTS; k++) {
                double z[] = {width * (i + 0.5), width * (j + 0.5), width * (k + 0.5)}, prior = 1;
                for (int m = 0; m < 3; m++) prior *= 0.7978845608028654 * exp(-0.5 * z[m] * z[m]);
                GaussianEffects at = *p;
                at.s_mu *= z[0];
                at.s_g *= z[1];
                at.s_x *= z[2];
                sum += prior * exp(exact_gaussian_effects(&at, x));
            }
    return log(sum * width * width * width);
}

static void unknown_scales_by_another_quadrature(void) {
    static const GaussianEffects models[] = {{2, 3, 1, 1, .5, .5}, {3, 2, 2, .5, 1, 1}};
    for (int m = 0; m < 2; m++) {
        double x[12];
        for (int i = 0; i < 12; i++) x[i] = wiggle(i + 20 * m);
        double exact = exact_unknown_scales(&models[m], x);
        CHECK_NEAR(exact, unknown_scales_by_midpoints(&models[m], x), 2e-3, "log evidence");
    }
}

int main(void) {
    RUN(gaussian_effects_are_a_multivariate_normal);
    RUN(laplace_shift_by_quadrature);
    RUN(laplace_shift_with_a_flat_interval);
    RUN(unknown_scales_by_another_quadrature);
    return check_done();
}
