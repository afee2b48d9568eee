/* inner.h -- importance weights on the latents outside all plates alone ("IS squared": Tran,
 * Scharth, Gunawan, Kohn, Brown and Hawkins 2021).
 *
 *     RtInner *in = rt_inner_new(s, &data, weights, n_draws, k, &error);    // all memory
 *     rt_inner_bind(in, call);                                // program posterior, n_draws
 *     rt_inner_run(in, set);                                  // before a run of the call */
#ifndef ADAVIC_INNER_H
#define ADAVIC_INNER_H

#include "runtime/session.h"

typedef struct RtInner RtInner;
/* NULL with the reason where no latent is inside a plate, or instances depend on each other given
 * what is outside all plates. `weights`: flat, of the guide. */
RtInner *rt_inner_new(RtSession *s, const RtData *data, const float *weights, int64_t n_draws,
                      int64_t k, RtError *error);
/* Later runs of `call` take the base draws that rt_inner_run chooses. */
void rt_inner_bind(const RtInner *in, RtCall *call);
void rt_inner_run(RtInner *in, int64_t set);
/* By draw, of the last run: log of the weight; mean over the k of log p - log q. */
const double *rt_inner_weights(const RtInner *in);
const double *rt_inner_plain(const RtInner *in);

#endif
