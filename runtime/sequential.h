/* sequential.h -- training on one data set in rounds (SNPE-C): what each step of `fit --objective
 * sequential` trains on. Private to refine.c, whose steps they are.
 *
 *     RtSequential *q = rt_sequential_new(s, own, &data, rounds);     // all memory
 *     rt_sequential_load(q, set);                                     // begins anew
 *     RtStep *step = rt_sequential_step(q, number, horizon);          // to be run */
#ifndef ADAVIC_SEQUENTIAL_H
#define ADAVIC_SEQUENTIAL_H

#include "runtime/session.h"

typedef struct RtSequential RtSequential;
/* `own`: the weights being trained; own->sets becomes that of a step. */
RtSequential *rt_sequential_new(RtSession *s, RtState *own, const RtData *data, int64_t rounds);
void rt_sequential_load(RtSequential *q, int64_t set);
/* The program of a step, with its data in place. Horizon 0: not known yet, the first round. */
RtStep *rt_sequential_step(RtSequential *q, int64_t step, int64_t horizon);
int64_t rt_sequential_round(const RtSequential *q); /* of the last step, from 1 on */

#endif
