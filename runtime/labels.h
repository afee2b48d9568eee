/* labels.h -- the guide mixed over the orders of components that may be exchanged:
 * q_mix(z) = mean over orders of q(z in that order), which has all K! modes of the posterior where
 * q has one.
 *
 *     RtLabels *l = rt_labels_new(s, &data, block, n_draws, weights, call);   // all memory
 *     ... rt_call_ready(call); rt_feed_load(...); rt_call_run(call, ...)
 *     rt_labels_run(l, first, n)                      // then log q_mix, and draws of it */
#ifndef ADAVIC_LABELS_H
#define ADAVIC_LABELS_H

#include "runtime/session.h"

/* What --labels asks for, or else the command's own way where the program serves it. */
bool rt_labels_choose(RtSession *s, bool mixed_unless_said, bool *mixed, RtError *error);
/* Why it cannot be had of this program; NULL: it can. In the session's memory. */
const char *rt_labels_reason(const RtSession *s);
/* In how many orders the components of a data set, or of an instance, may be. */
int64_t rt_labels_orders(const RtModel *m);
/* `"labels": "mixture", ` of a JSON answer; nothing where no components may be exchanged. */
const char *rt_labels_json(const RtModel *m, bool mixed);

typedef struct RtLabels RtLabels;
/* For runs of `call`, program posterior, of which it wants what it needs. */
RtLabels *rt_labels_new(RtSession *s, const RtData *data, int64_t block, int64_t n_draws,
                        const float *weights, RtCall *call);
/* After a run of the call on data sets first .. first + n - 1. `draws`: random orders, too. */
void rt_labels_run(RtLabels *l, int64_t first, int64_t n, bool draws);
/* [n, S] in the model's real type. */
const void *rt_labels_log_q(const RtLabels *l);
/* Has each instance of a plate an order of its own? */
bool rt_labels_apart(const RtLabels *l);
/* Of an inferred variable, each draw in an order of its own: [n, S, ...]. */
const void *rt_labels_draws(const RtLabels *l, int variable);

#endif
