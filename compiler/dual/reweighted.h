/* reweighted.h -- observations whose law is about a location and is not Gaussian (reweighted.c),
 * and whole numbers and others, whose law is about a predictor (predictor.c), as a Newton start
 * sees them. Private to dual/. */
#ifndef ADAVIC_DUAL_REWEIGHTED_H
#define ADAVIC_DUAL_REWEIGHTED_H

#include "dual/component.h"

/* At a point, entry by entry of the observed event: the slope of its log density along its
 * location, and how firmly the observation holds on to it, at least 0. */
typedef struct Pull {
    IrValue location, slope, weight;
} Pull;

/* Does `factor` say of the component's latents what an observation about a location does, by a law
 * that is not Gaussian, or what one about a predictor does? */
bool is_reweighted(const Component *c, const Var *factor);
/* The location, or predictor, with what is known in b->value. */
IrValue lower_pulled(Build *b, const Component *c, const Var *observed);
/* What the weights are for. */
typedef enum {
    PULL_FIRST,  /* a step from anywhere: least squares, where the law has a variance */
    PULL_STEP,   /* further steps */
    PULL_SETTLED /* the curvature about the mode */
} PullKind;

/* With what is known in b->value. `saturated`: of those by a predictor, kept from the first call
 * for this variable, before which it is IR_NONE, for the next ones. */
Pull pull_of(Build *b, const Component *c, const Var *observed, PullKind kind, IrValue *saturated);

/* ---- predictor.c ---- */
/* Is there a parameter that the law is about, and the log density not quadratic in it (which plain
 * steps are as good for)? It is the only one that the component's latents enter, a number on the
 * whole line or one that has a link to it. */
bool has_predictor(const Component *c, const Var *factor);
IrValue lower_predictor(Build *b, const Component *c, const Var *observed);
Pull predictor_pull(Build *b, const Component *c, const Var *observed, PullKind kind,
                    IrValue *saturated);

/* What both do: first and negative second derivative of a sum of entries with respect to `at`,
 * which has all axes of `density`; and the slope of a chord of the first from (at0, slope0, whose
 * own derivative is -curvature0), `apart` = at - at0, at least 0. `near`: a square, below which
 * apart^2 is no chord. */
void density_derivatives(Build *b, IrValue density, IrValue at, IrValue *slope, IrValue *curvature);
IrValue density_chord(Build *b, IrValue slope, IrValue slope0, IrValue curvature0, IrValue apart,
                      IrValue near);

#endif
