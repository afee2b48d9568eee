/* special.c -- see special.h. */
#include "ir/special.h"

#include <math.h>

double ev_logistic(double a) {
    if (a >= 0) return 1 / (1 + exp(-a));
    double e = exp(a);
    return e / (1 + e);
}

double ev_softplus(double a) {
    if (isnan(a)) return a;
    return (a > 0 ? a : 0) + log1p(exp(-fabs(a)));
}

double ev_lgamma(double a) {
    int sign;
    if (a < 0) return NAN;
    return lgamma_r(a, &sign);
}

/* digamma(a) = digamma(a + 1) - 1 / a up to a >= 12, then the asymptotic series (Abramowitz and
 * Stegun 6.3.18), whose eighth term is below 1e-17 there. */
double ev_digamma(double a) {
    static const double bernoulli[] = {/* B_2k / 2k */
                                       1.0 / 12,  -1.0 / 120,     1.0 / 252, -1.0 / 240,
                                       1.0 / 132, -691.0 / 32760, 1.0 / 12};
    if (isnan(a) || a < 0) return NAN;
    if (a == 0) return -INFINITY;
    if (isinf(a)) return a;
    double shift = 0;
    for (; a < 12; a++) shift += 1 / a;
    double inverse2 = 1 / (a * a), series = 0;
    for (int k = 6; k >= 0; k--) series = (series + bernoulli[k]) * inverse2;
    return log(a) - 0.5 / a - series - shift;
}

double ev_log1m_exp(double a) {
    return a > -M_LN2 ? log(-expm1(a)) : log1p(-exp(a));
}

/* Wider than double inside: erfc would multiply the rounding of its argument by a^2. */
static long double wide_Phi(double a) {
    return 0.5L * erfcl(-(long double)a / sqrtl(2));
}

double ev_Phi(double a) {
    return (double)wide_Phi(a);
}

/* exp(t^2 / 2) Phi(-t) t sqrt(2 pi) for t > 30, by its asymptotic series (Abramowitz and Stegun
 * 26.2.12), whose tenth term is below 1e-20 there. */
static double far_mills(double t) {
    double z = 1 / (t * t), sum = 1, term = 1;
    for (int k = 1; k < 10; k++) sum += term *= -(2 * k - 1) * z;
    return sum;
}

double ev_log_Phi(double a) {
    if (a > 0) return log1p(-ev_Phi(-a));
    if (a > -30 || isnan(a)) return (double)logl(wide_Phi(a));
    if (isinf(a)) return a;
    return -0.5 * a * a - log(-a) - 0.5 * log(2 * M_PI) + log(far_mills(-a));
}

double ev_inv_mills(double a) {
    if (isinf(a)) return a < 0 ? -a : 0;
    if (a < -30) return -a / far_mills(-a);
    long double wide = a;
    return (double)(expl(-0.5L * wide * wide) / (sqrtl(2 * M_PI) * wide_Phi(a)));
}

/* Newton's method on log Phi, which is concave: from the left of the root it never leaves that
 * side. Near 1/2 on Phi itself, whose difference to 1/2 keeps the digits. */
double ev_inv_Phi(double p) {
    if (!(p >= 0 && p <= 1)) return NAN;
    if (p == 0) return -INFINITY;
    double d = p - 0.5;
    if (fabs(d) < 0.25) {
        double z = d * sqrt(2 * M_PI);
        for (int i = 0; i < 8; i++)
            z -= (0.5 * erf(z * M_SQRT1_2) - d) * sqrt(2 * M_PI) * exp(0.5 * z * z);
        return z;
    }
    if (d > 0) return -ev_inv_Phi(1 - p);
    double target = log(p), z = -sqrt(-2 * target);
    for (int i = 0; i < 12; i++) z -= (ev_log_Phi(z) - target) / ev_inv_mills(z);
    return z;
}
