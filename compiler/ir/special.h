/* special.h -- functions of ops.def that C's library lacks or leaves imprecise, in double (about
 * 1e-15). */
#ifndef ADAVIC_SPECIAL_H
#define ADAVIC_SPECIAL_H

double ev_logistic(double a);
double ev_softplus(double a);
double ev_lgamma(double a);  /* a > 0; nan below, inf at 0 */
double ev_digamma(double a); /* a > 0; nan below, -inf at 0 */
double ev_log1m_exp(double a);
/* The standard normal: distribution function, its log, the derivative of that, quantile. */
double ev_Phi(double a);
double ev_log_Phi(double a);
double ev_inv_mills(double a);
double ev_inv_Phi(double p); /* -inf and inf at 0 and 1, nan outside */

/* The modified Bessel function of the first kind, nu >= 0: log I_nu(x), I_(nu+1)(x) / I_nu(x).
 * Nan below x = 0; at 0 log 0 or log 1, and 0. For nu <= MAX_BESSEL_ORDER, 4e-16 of max(1, nu, |y|)
 * and 4e-16 of the ratio. */
enum { MAX_BESSEL_ORDER = 512 };
double ev_log_bessel_i(double nu, double x);
double ev_bessel_ratio(double nu, double x);
/* log I_nu(x) - (x u + log(t) / 2 + nu log u), u = x / (a + s), t = a / s, s = sqrt(a^2 + x^2):
 * a smooth function of t where a is a little more than nu. a > 0, 0 < x < infinity; absolutely to
 * 1e-16 of nu + 1. */
double ev_log_bessel_i_rest(double nu, double a, double x);

#endif
