/* orders.h -- the guide mixed over the orders of components that may be exchanged:
 * q_mix(z) = mean over orders of q(z in that order), which has all K! modes of the posterior where
 * q has one.
 *
 *     RtOrders *l = rt_orders_new(s, &data, block, n_draws, weights, call);   // all memory
 *     ... rt_call_ready(call); rt_feed_load(...); rt_call_run(call, ...)
 *     rt_orders_run(l, first, n)                      // then log q_mix, and draws of it */
#ifndef ADAVIC_ORDERS_H
#define ADAVIC_ORDERS_H

#include "runtime/session.h"

/* What --labels asks for, or else the command's own way where the program serves it. */
bool rt_orders_choose(RtSession *s, bool mixed_unless_said, bool *mixed, RtError *error);
/* Why it cannot be had of this program; NULL: it can. In the session's memory. */
const char *rt_orders_reason(const RtSession *s);
/* In how many orders the components of a data set, or of an instance, may be. */
int64_t rt_orders_count(const RtModel *m);
/* `"labels": "mixture", ` of a JSON answer; nothing where no components may be exchanged. */
const char *rt_orders_json(const RtModel *m, bool mixed);

typedef struct RtOrders RtOrders;
/* For runs of `call`, program posterior, of which it wants what it needs. */
RtOrders *rt_orders_new(RtSession *s, const RtData *data, int64_t block, int64_t n_draws,
                        const float *weights, RtCall *call);
/* After a run of the call on data sets first .. first + n - 1. `draws`: random orders, too. */
void rt_orders_run(RtOrders *l, int64_t first, int64_t n, bool draws);
/* [n, S] in the model's real type. */
const void *rt_orders_log_q(const RtOrders *l);
/* Has each instance of a plate an order of its own? */
bool rt_orders_apart(const RtOrders *l);
/* Of an inferred variable, each draw in an order of its own: [n, S, ...]. */
const void *rt_orders_draws(const RtOrders *l, int variable);

#endif
