/* reweighted.h -- observations whose law is about a location and is not Gaussian, as a Newton start
 * sees them (reweighted.c). Private to dual/. */
#ifndef ADAVIC_DUAL_REWEIGHTED_H
#define ADAVIC_DUAL_REWEIGHTED_H

#include "dual/component.h"

/* At a point, entry by entry of the observed event: the slope of its log density along its
 * location, and how firmly the observation holds on to it, at least 0. */
typedef struct Pull {
    IrValue location, slope, weight;
} Pull;

/* Does `factor` say of the component's latents what an observation about a location does, by a law
 * that is not Gaussian? */
bool is_reweighted(const Component *c, const Var *factor);
/* What the weights are for. */
typedef enum {
    PULL_FIRST,  /* a step from anywhere: least squares, where the law has a variance */
    PULL_STEP,   /* further steps */
    PULL_SETTLED /* the curvature about the mode */
} PullKind;

/* With what is known in b->value. */
Pull pull_of(Build *b, const Var *observed, PullKind kind);

#endif
