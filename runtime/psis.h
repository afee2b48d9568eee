/* psis.h -- what draws of a guide say: their importance weights, and summaries with or without
 * them.
 *
 *     RtElbo e = rt_elbo(log_weights, n, smoothed);
 *     if (e.khat < rt_khat_limit(n)) ...              // weights may be used */
#ifndef ADAVIC_PSIS_H
#define ADAVIC_PSIS_H

#include "runtime/rt.h"

/* ---- program.c ---- */
/* What program posterior says of each draw, [data, draw]: log q, log prior, log likelihood. */
typedef struct RtLogs {
    const void *q, *prior, *likelihood;
} RtLogs;
RtLogs rt_logs_want(RtCall *c);
/* log p(draw, data) - log q(draw) of the draw at that place. */
double rt_log_weight(const RtModel *m, const RtLogs *logs, int64_t at);

/* ---- psis.c ---- */
/* Pareto shape of the upper tail of n log weights (not finite where there are too few, or one is
 * not a number); smoothed[n]: the log weights with that tail's in the places of the law's
 * quantiles, or as they were where no law could be fitted. */
double rt_psis(RtMem *mem, const double *log_weights, int64_t n, double *smoothed);
double rt_khat_limit(int64_t n);
double rt_log_mean(const double *log_weights, int64_t n); /* log of the mean of exp */
typedef struct RtElbo {
    double elbo, se;              /* nats */
    double evidence, evidence_se; /* log of the mean smoothed weight; by the delta method */
    double ess, khat;             /* draws; of the smoothed weights */
} RtElbo;
/* smoothed: room for n smoothed log weights, or NULL. */
RtElbo rt_elbo(const double *log_weights, int64_t n, double *smoothed);

/* ---- report.c ---- */
typedef struct RtSummary {
    double mean, sd, mcse, q5, q50, q95, ess;
} RtSummary;
/* Of n draws; sorts `draws`. */
RtSummary rt_summary(double *draws, int64_t n);
typedef struct RtWeighted {
    double x, weight;
} RtWeighted;
/* The same of draws whose weights add up to 1; sorts them. ess is that of the weights, mcse that of
 * the self-normalised mean. */
RtSummary rt_summary_weighted(RtWeighted *draws, int64_t n);

#endif
