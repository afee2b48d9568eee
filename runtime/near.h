/* near.h -- data sets near the one of a file: what every other step of `train --for` trains on.
 * Private to train.c.
 *
 *     RtNear *near = rt_near_new(s, &data, state->sets);   // all memory; NULL: there are none
 *     rt_near_draw(near, step);                            // data sets of a step
 *     rt_near_bind(near, call, true);                      // the call reads them
 *     rt_near_bind(near, call, false);                     // it simulates from the prior again
 */
#ifndef ADAVIC_NEAR_H
#define ADAVIC_NEAR_H

#include "runtime/session.h"

typedef struct RtNear RtNear;
/* `sets` at a time. NULL where the model has no program `predict`, or a context is neither in
 * `data` nor stated. */
RtNear *rt_near_new(RtSession *s, RtData *data, int64_t sets);
/* Under the averaged weights of now. Follows from the seed and the number of the step. */
void rt_near_draw(RtNear *n, int64_t step);
void rt_near_bind(const RtNear *n, RtCall *call, bool near);

#endif
