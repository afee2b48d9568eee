/* elementary_bessel.c -- log I_nu(x) and I_(nu+1)(x) / I_nu(x) as loop instructions: see
 * elementary.c.
 *
 * The order nu is a constant, for which the coefficients are computed here. With a = nu + 3,
 *
 *     s = sqrt(a^2 + x^2)    t = a / s    u = x / (a + s)
 *     log I_nu(x)       = x u + log(t) / 2 + nu log u + P(t)
 *     I_(nu+1) / I_nu   = x / (nu + 1/2 + s) Q(t)
 *
 * in which what is in front grows as the function does at both ends (Abramowitz and Stegun 9.7.7;
 * Amos, Computation of modified Bessel functions and their ratios, 1974), so that P and Q are
 * smooth in t from 0 (x = infinity) to 1 (x = 0): polynomials in 2 t - 1, interpolated at Chebyshev
 * nodes. From nu = 0 to 512, P has 13 to 4 terms in f32 and 33 to 7 in f64, Q 15 to 8 and 35 to 16;
 * the 3 in a makes them fewest where nu is small.
 *
 * Accuracy for 0 <= nu <= 512 and x > 0: the logarithm within 6 ulp (f32) and 1e-13 (f64) of
 * max(1, nu, |y|), which is what rounding x costs it; the ratio within 5 ulp and 1e-13.
 */
#include "opt/expand.h"

#include "ir/special.h"

#include <math.h>

enum { NODES = 64 };

/* Coefficients of f in powers of w = 2 t - 1; returns their number. What does not matter beside
 * max(1, |f|) is left out. */
static int interpolate(bool f64, double nu, double a, double (*f)(double nu, double a, double x),
                       double *k) {
    long double at[NODES], power[NODES] = {0}, next[NODES] = {0, 1}, own[NODES] = {1};
    double series[NODES], least = 1;
    int n = 1;
    for (int i = 0; i < NODES; i++) {
        double half = M_PI * (i + 0.5) / (2 * NODES), t = cos(half) * cos(half);
        at[i] = f(nu, a, a * sin(half) * sqrt(1 + t) / t);
        least = fmax(least, (double)fabsl(at[i]));
    }
    least *= f64 ? 1e-14 : 1e-8;
    for (int j = 0; j < NODES; j++) {
        long double sum = 0;
        for (int i = 0; i < NODES; i++) sum += at[i] * cosl(acosl(-1) * j * (i + 0.5L) / NODES);
        series[j] = (double)(sum * (j ? 2 : 1) / NODES);
        if (fabs(series[j]) > least) n = j + 1;
    }
    for (int j = 0; j < n; j++) { /* own: T_j, next: T_(j+1) */
        for (int i = 0; i <= j; i++) power[i] += series[j] * own[i];
        for (int i = n - 1; i >= 0; i--) {
            long double later = 2 * (i ? next[i - 1] : 0) - own[i];
            own[i] = next[i], next[i] = later;
        }
    }
    for (int j = 0; j < n; j++) k[j] = (double)power[j];
    return n;
}

/* I_(nu+1) / I_nu by what stands in front of Q. */
static double ratio_rest(double nu, double a, double x) {
    return ev_bessel_ratio(nu, x) * ((nu + 0.5 + hypot(a, x)) / x);
}

/* The number in a register that holds a constant. */
static double constant_in(const LoopCode *c, int reg) {
    for (int i = c->nest->code.n - 1; i >= 0; i--) {
        const LoopInst *inst = &c->nest->code.data[i];
        if (inst->op == LOOP_number && inst->dst == reg) return inst->number;
    }
    internal_error("lower", "the order of a Bessel function is no constant");
}

typedef struct Parts {
    double nu;
    int x, s, t, a, rest; /* x: bounded */
} Parts;

/* From 2^40 (f32) and 2^60 on x and 1 are the results to the last digit. */
static double far_out(const LoopCode *c) {
    return wide(c) ? 0x1p60 : 0x1p40;
}

static Parts parts(LoopCode *c, const int *args, double (*f)(double nu, double a, double x)) {
    double nu = constant_in(c, args[0]), a = nu + 3, k[NODES];
    int n = interpolate(wide(c), nu, a, f, k), far = K(c, far_out(c));
    Parts p = {.nu = nu, .a = K(c, a)};
    p.x = pick(c, less(c, far, args[1]), far, args[1]);
    p.s = loop_emit(c, LOOP_sqrt, fused(c, p.x, p.x, K(c, a * a)), 0, 0);
    p.t = quo(c, p.a, p.s);
    p.rest = horner(c, fused(c, p.t, K(c, 2), K(c, -1)), k, n);
    return p;
}

static int nan_below_zero(LoopCode *c, int x, int y) {
    return pick(c, less(c, x, K(c, 0)), K(c, NAN), y);
}

int expand_log_bessel_i(LoopCode *c, const int *args) {
    Parts p = parts(c, args, ev_log_bessel_i_rest);
    int u = quo(c, p.x, add(c, p.a, p.s));
    int y = fused(c, expand_log(c, &p.t), K(c, 0.5), p.rest);
    y = fused(c, p.x, u, y);
    if (p.nu > 0) y = fused(c, expand_log(c, &u), K(c, p.nu), y);
    y = pick(c, less(c, K(c, far_out(c)), args[1]), args[1], y);
    return nan_below_zero(c, args[1], y);
}

int expand_bessel_ratio(LoopCode *c, const int *args) {
    Parts p = parts(c, args, ratio_rest);
    int y = mul(c, quo(c, p.x, add(c, p.s, K(c, p.nu + 0.5))), p.rest);
    return nan_below_zero(c, args[1], y);
}
