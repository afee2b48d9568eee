/* test_bessel.c -- the modified Bessel function against its integral over an angle, which nothing
 * in the compiler uses, and against closed forms at half-integer orders. */
#include "check.h"

#include "ir/special.h"

#include <stdlib.h>

static long double pi(void) {
    return acosl(-1);
}

/* The integral of exp(x (cos(w) - 1)) sin(w)^(2 nu) over w from 0 to pi, by the trapezoidal rule
 * after w = pi / (1 + exp(-pi sinh(s))), under which both ends go to infinity; the peak is
 * narrowest for nu = 512 at large x, where its standard deviation in s is two steps. */
static long double angle_integral(long double nu, long double x) {
    const long double step = 0.0025L;
    long double sum = 0;
    for (int i = -1480; i <= 1480; i++) {
        long double s = i * step, e = expl(-pi() * fabsl(sinhl(s)));
        long double near = pi() * e / (1 + e), w = s < 0 ? near : pi() - near;
        long double slope = pi() * pi() * coshl(s) * e / ((1 + e) * (1 + e));
        long double half = sinl(w / 2);
        sum += slope * expl(-2 * x * half * half + 2 * nu * logl(sinl(near)));
    }
    return sum * step;
}

/* Abramowitz and Stegun 9.6.18. */
static long double log_by_integral(long double nu, long double x) {
    return nu * logl(x / 2) - lgammal(nu + 0.5L) - logl(pi()) / 2 + x + logl(angle_integral(nu, x));
}

static long double ratio_by_integral(long double nu, long double x) {
    return x / (2 * nu + 1) * angle_integral(nu + 1, x) / angle_integral(nu, x);
}

static double size_of(double nu, long double y) {
    return fmax(fmax(1, nu), (double)fabsl(y));
}

static void integrals(void) {
    static const double orders[] = {0, 1e-6, 0.3, 0.5, 1, 2.5, 10, 29.9, 30, 31.5, 100, 511, 512};
    double worst[2] = {0};
    for (size_t o = 0; o < sizeof orders / sizeof *orders; o++)
        for (double x = 1e-6; x < 1.1e6; x *= 3.7) {
            double nu = orders[o], y = ev_log_bessel_i(nu, x), r = ev_bessel_ratio(nu, x);
            long double exact = log_by_integral(nu, x), ratio = ratio_by_integral(nu, x);
            double error = (double)fabsl(y - exact) / size_of(nu, exact);
            CHECK(error < 4e-16, "log I_%g(%g) is %.17g, not %.17Lg", nu, x, y, exact);
            worst[0] = fmax(worst[0], error);
            error = (double)fabsl(r / ratio - 1);
            CHECK(error < 4e-16, "ratio of order %g at %g: %.17g, not %.17Lg", nu, x, r, ratio);
            worst[1] = fmax(worst[1], error);
        }
    if (getenv("ADAVIC_SHOW")) printf("  log %.2g, ratio %.2g\n", worst[0], worst[1]);
}

/* I_1/2 = sqrt(2 / (pi x)) sinh x, I_3/2 = sqrt(2 / (pi x)) (cosh x - sinh x / x) */
static void half_integers(void) {
    for (double x = 0.3; x < 1e4; x *= 1.3) {
        long double front = logl(2 / (pi() * x)) / 2, e = expl(-2 * (long double)x);
        long double half = front + x + logl((1 - e) / 2);
        long double next = front + x + logl((1 + e) / 2 - (1 - e) / (2 * (long double)x));
        CHECK_NEAR(ev_log_bessel_i(0.5, x), (double)half, 1e-15 * size_of(0, half), "order 1/2");
        CHECK_NEAR(ev_log_bessel_i(1.5, x), (double)next, 1e-15 * size_of(0, next), "order 3/2");
        CHECK_NEAR(ev_bessel_ratio(0.5, x), (double)((1 + e) / (1 - e) - 1 / (long double)x), 1e-15,
                   "ratio of order 1/2");
    }
}

/* I_nu(x) = (x / 2)^nu / Gamma(nu + 1) (1 + x^2 / (4 (nu + 1)) + ...) for small x; far out, x. */
static void both_ends(void) {
    for (double nu = 0; nu <= 512; nu = nu * 2 + 0.25)
        for (double x = 1e-300; x < 1e-4; x *= 1e7) {
            double y = nu * log(x / 2) - ev_lgamma(nu + 1) + x * x / (4 * (nu + 1));
            CHECK_NEAR(ev_log_bessel_i(nu, x), y, 1e-15 * size_of(nu, y), "small x");
            CHECK_NEAR(ev_bessel_ratio(nu, x) * (2 * nu + 2) / x, 1, 1e-8, "ratio, small x");
        }
    CHECK_NEAR(ev_log_bessel_i(3, 1e300), 1e300, 1e285, "large x");
    CHECK_NEAR(ev_bessel_ratio(3, 1e300), 1, 0, "ratio, large x");
    CHECK(ev_log_bessel_i(0, 0) == 0 && ev_log_bessel_i(0.5, 0) == -INFINITY, "at 0");
    CHECK(ev_log_bessel_i(2, INFINITY) == INFINITY && ev_bessel_ratio(2, INFINITY) == 1, "at inf");
    CHECK(ev_bessel_ratio(0, 0) == 0, "ratio at 0");
    CHECK(isnan(ev_log_bessel_i(0, -1)) && isnan(ev_bessel_ratio(0, -1)), "below 0");
    CHECK(isnan(ev_log_bessel_i(-1, 1)) && isnan(ev_bessel_ratio(-1, 1)), "negative order");
    CHECK(isnan(ev_log_bessel_i(1, NAN)) && isnan(ev_bessel_ratio(NAN, 1)), "not a number stays");
}

/* What code for loops is made of: the parts make the whole. */
static void rest(void) {
    static const double orders[] = {0, 0.5, 7, 60, 512};
    for (size_t o = 0; o < sizeof orders / sizeof *orders; o++)
        for (double x = 1e-5; x < 1e7; x *= 2.7) {
            double nu = orders[o], a = nu + 3, y = ev_log_bessel_i(nu, x);
            long double s = hypotl(a, x), u = x / (a + s);
            long double front = x * u + logl(a / s) / 2 + nu * logl(u);
            double sum = (double)(front + ev_log_bessel_i_rest(nu, a, x));
            CHECK_NEAR(sum, y, 1e-15 * size_of(nu, y), "the rest");
        }
}

int main(void) {
    RUN(integrals);
    RUN(half_integers);
    RUN(both_ends);
    RUN(rest);
    return check_done();
}
