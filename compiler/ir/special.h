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

#endif
