/* bessel.c -- the modified Bessel function of the first kind, its logarithm and the ratio of
 * neighbouring orders: see special.h.
 *
 * At orders n >= LARGE_ORDER stands Debye's expansion, uniform in x (Abramowitz and Stegun 9.7.7):
 *
 *     log I_n(x) = s - n asinh(n / x) - log(2 pi s) / 2 + log(1 + u_1(t) / n + u_2(t) / n^2 + ...)
 *     s = sqrt(n^2 + x^2)    t = n / s
 *
 * Lower orders follow by the recurrence I_(n-1) = I_(n+1) + 2 n / x I_n downward, the direction in
 * which it is stable, written for ratios. All is done in what is wider than double, and what is
 * large and cancels is never added up.
 */
#include "ir/special.h"

#include <math.h>

enum { LARGE_ORDER = 32, DEBYE_TERMS = 13 };

/* 1 + u_1(t) / n + ... by the recurrence of Abramowitz and Stegun 9.3.10. u_k is t^k times a
 * polynomial in t^2, whose coefficients are c; t / n is 1 / s. The first term left out is below
 * 1e-20 from n = 32 on. */
static long double debye(long double n, long double s) {
    long double c[DEBYE_TERMS + 1] = {1}, z = (n / s) * (n / s), power = 1, sum = 1;
    for (int k = 0; k + 1 < DEBYE_TERMS; k++) {
        long double next[DEBYE_TERMS + 1] = {0}, u = 0;
        for (int j = 0; j <= k; j++) {
            long double m = k + 2 * j; /* the power of t */
            next[j] += c[j] * (m / 2 + 1 / (8 * (m + 1)));
            next[j + 1] -= c[j] * (m / 2 + 5 / (8 * (m + 3)));
        }
        for (int j = k + 1; j >= 0; j--) {
            c[j] = next[j];
            u = u * z + c[j];
        }
        sum += (power /= s) * u;
    }
    return sum;
}

typedef struct Bessel {
    long double n;     /* nu + a whole number, at least LARGE_ORDER: where the recurrence begins */
    long double s;     /* sqrt(n^2 + x^2) */
    long double rest;  /* log I_nu(x) - (s + nu log(x / (n + s)) - log(2 pi s) / 2) */
    long double ratio; /* I_(nu+1)(x) / I_nu(x) */
} Bessel;

/* For 0 < x < infinity. asinh(n / x) is -log(x / (n + s)), of which each step of the recurrence
 * takes one. */
static Bessel bessel(long double nu, long double x) {
    int steps = nu + 2 < LARGE_ORDER ? (int)ceill(LARGE_ORDER - nu) : 2;
    long double n = nu + steps, s = hypotl(n, x), above = hypotl(n + 1, x), product = debye(n, s);
    long double fall = n * logl((n + 1 + above) / (n + s)) + asinhl((n + 1) / x);
    Bessel b = {.n = n, .s = s};
    b.ratio = debye(n + 1, above) / product * sqrtl(s / above);
    b.ratio *= expl((2 * n + 1) / (above + s) - fall);
    for (; steps > 0; steps--) {
        long double upward = 2 * (nu + steps) / x + b.ratio; /* I_(k-1) / I_k, k = nu + steps */
        product *= upward * (x / (n + s));
        b.ratio = 1 / upward;
    }
    b.rest = logl(product);
    return b;
}

double ev_log_bessel_i(double nu, double x) {
    if (isnan(nu) || isnan(x) || nu < 0 || x < 0) return NAN;
    if (x == 0) return nu == 0 ? 0 : -INFINITY;
    if (isinf(x)) return x;
    Bessel b = bessel(nu, x);
    return (double)(b.rest + b.s - nu * asinhl(b.n / x) - logl(2 * acosl(-1) * b.s) / 2);
}

double ev_bessel_ratio(double nu, double x) {
    if (isnan(nu) || isnan(x) || nu < 0 || x < 0) return NAN;
    if (x == 0) return 0;
    return isinf(x) ? 1 : (double)bessel(nu, x).ratio;
}

double ev_log_bessel_i_rest(double nu, double a, double x) {
    Bessel b = bessel(nu, x);
    long double s = hypotl(a, x), rest = b.rest - logl(b.s / s) / 2;
    rest += (b.n - a) * (b.n + a) / (b.s + s) + nu * logl((a + s) / (b.n + b.s));
    return (double)(rest + a - logl(2 * acosl(-1) * a) / 2);
}
