/* posterior.h -- running program `posterior` on the data sets of a file, block by block; shared by
 * infer, predict, elbo, loo and run.
 *
 *     RtPosterior p;
 *     if (!rt_posterior_open(s, RT_AMORTISED, true, false, &p, &error)) return rt_complain(&error);
 *     for (int64_t first = 0; first < p.data.n_sets; first += p.block) {
 *         int64_t n = rt_posterior_run(&p, first);
 *         ... p.draws[variable]: [n, S, plates, dims] in the model's real type
 *     } */
#ifndef ADAVIC_POSTERIOR_H
#define ADAVIC_POSTERIOR_H

#include "runtime/psis.h"
#include "runtime/defensive.h"
#include "runtime/inner.h"
#include "runtime/orders.h"
#include "runtime/refine.h"
#include "runtime/session.h"

/* ---- seen.c ---- */
typedef struct RtSeen RtSeen;
/* Before the call is ready. */
RtSeen *rt_seen_new(RtSession *s, RtCall *call);
/* After a run of data sets first .. first + n - 1, of `sets` in all: warns of what lies outside
 * training. */
void rt_seen_warn(RtSeen *seen, int64_t first, int64_t n, int64_t sets);
/* After a run of n data sets: from now on they are like those of training. */
void rt_seen_widen(RtSeen *seen, int64_t n);

typedef struct RtPosterior {
    RtSession *s;
    RtMethod method;
    RtRefine *refine;  /* unless amortised; data sets come one by one then, and this is */
    RtRefined refined; /* what was done for the last of them */
    RtData data;
    int64_t n_draws, block; /* data sets per run */
    RtInner *inner;         /* with --inner; data sets come one by one then */
    RtDefensive *defensive; /* with --psis, unless with --inner */
    RtOrders *labels;       /* draws and log q are mixed over orders of components; or NULL */
    const void *own_q;      /* log q of the guide as it is, [n, S] */
    bool want_draws;
    const void **draws;  /* by variable: latents and quantities; NULL if not wanted */
    const void *local;   /* with --by: output "local:PLATE" [n, S, instances], or NULL */
    RtLogs logs;         /* [n, S] */
    double *log_weights; /* [S] of one data set, see rt_posterior_weigh */
    double *log_share;   /* [S] of it: Pareto-smoothed log weights whose exp add up to 1 */
    RtCall *call;
    RtFeed *feed;
    RtBinding *inputs;
    RtSeen *seen; /* warns of data unlike those of training; NULL: nothing does */
} RtPosterior;

/* Loads weights (or makes them, to be fitted) and data; afterwards s->state->sizes are the data's.
 * `mixed`: over orders of components (orders.h). */
bool rt_posterior_open(RtSession *s, RtMethod method, bool want_draws, bool mixed, RtPosterior *p,
                       RtError *error);
/* Runs data sets first, first + 1, ...; returns how many. */
int64_t rt_posterior_run(RtPosterior *p, int64_t first);
/* Weighs the draws of data set `set` of the block: p->log_weights = log p - log q, p->log_share,
 * and what they say. Of wider draws (p->defensive) q is what they are drawn from, in elbo, too. */
RtElbo rt_posterior_weigh(RtPosterior *p, int64_t set);
/* Of a number's draws, `column`, of the data set that was weighed last; with their weights where
 * there is room for them, `rows` [S]. */
RtSummary rt_posterior_summary(const RtPosterior *p, double *column, RtWeighted *rows);
/* What k-hat says of draws as they are or (`reweighted`) with their weights; and why, and what to
 * do. */
typedef enum { RT_NOT_JUDGED, RT_TRUST, RT_USABLE, RT_NO_TRUST } RtTrust;
RtTrust rt_trust(double khat, int64_t draws, RtMethod method, bool reweighted, const char **why);
/* The same in words. */
const char *rt_verdict(double khat, int64_t draws, RtMethod method, bool reweighted,
                       const char **why);
/* Do options of infer, fit and predict go together? Where not, with the reason: status 2. infer.c
 */
bool rt_answer_options(const RtSession *s, RtMethod method, RtError *error);
/* What the commands infer and fit print and write: infer.c. */
int rt_answer(RtSession *s, RtMethod method);
/* Writes draws of all data sets as .npz or .csv: `draws` by variable, of a block each time,
 * p->draws or what was predicted from them. */
typedef struct RtDraws RtDraws;
RtDraws *rt_draws_new(RtPosterior *p, const void *const *draws, const char *path);
void rt_draws_add(RtDraws *d, int64_t first, int64_t n);
/* With --psis: p->log_share as column log_weight of data set `at`, counted over the file. */
void rt_draws_add_weights(RtDraws *d, int64_t at);
bool rt_draws_write(RtDraws *d, RtError *error);

#endif
