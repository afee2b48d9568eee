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
