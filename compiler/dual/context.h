/* context.h -- contexts in the dual (context.c): known inputs, which every factor of the guide
 * reads. Private to dual/. */
#ifndef ADAVIC_DUAL_CONTEXT_H
#define ADAVIC_DUAL_CONTEXT_H

#include "dual/internal.h"

/* In program simulate: the values of control input "set:NAME" where "set:NAME:on" is not 0, else
 * `draw`. */
Val given_or(Build *b, const Var *context, Val draw);
/* Features of all contexts; in program prepare, what statistics are taken of leaves as outputs. */
void context_features(Build *b, Blocks *blocks);

#endif
