/* defensive.h -- base draws for importance weights: every fifth is wider, so that weights stay
 * bounded where the guide's own tails are too light (a defensive mixture: Hesterberg 1995).
 *
 *     RtDefensive *d = rt_defensive_new(s, sets, n_draws);            // all memory
 *     rt_defensive_bind(d, call);                     // program posterior, before it is ready
 *     rt_defensive_draw(d, first, n);                 // before a run of data sets first ...
 *     weight = rt_defensive_weight(d, &logs, at);                     // after it; at: set, draw */
#ifndef ADAVIC_DEFENSIVE_H
#define ADAVIC_DEFENSIVE_H

#include "runtime/psis.h"
#include "runtime/session.h"

typedef struct RtDefensive RtDefensive;
/* For `sets` data sets at once. */
RtDefensive *rt_defensive_new(RtSession *s, int64_t sets, int64_t n_draws);
void rt_defensive_bind(const RtDefensive *d, RtCall *call);
void rt_defensive_draw(RtDefensive *d, int64_t first, int64_t n);
/* log p - log of the density that the draw is from. A wide one so far out that numbers overflow has
 * no weight. */
double rt_defensive_weight(const RtDefensive *d, const RtLogs *logs, int64_t at);

#endif
