/* em.h -- unrolled expectation maximisation: means of what each component of a mixture is
 * responsible for, for every set of components. Part of mixture.c's subject. */
#ifndef ADAVIC_DUAL_EM_H
#define ADAVIC_DUAL_EM_H

#include "dual/internal.h"

/* Plates of the observations and dimensions of their event: alternatives, labels and data sets take
 * the other axes that a value may have. */
enum { EM_MAX_AXES = IR_MAX_AXES - 7 };

typedef struct Em {
    Build *b;
    IrValue x;        /* the observations, in units of the data set: mean 0, mean square 1 */
    IrValue present;  /* 1 for those that are there, 0 for others; IR_NONE: all are */
    AxisId component; /* K of them, */
    int64_t k;
    AxisId entries[MAX_DIMS]; /* of locations of this event, which are x's, too */
    int n_entries;
    int64_t last;               /* extent of the last of them; 1: there are none */
    AxisId points[IR_MAX_AXES]; /* plates of x, outermost first; the first n_sets are those of */
    int n_points, n_sets;       /* sets of components */
    int n_shares; /* of these as many have shares of their own: the others share theirs */
    /* where they are known before anything is drawn, else IR_NONE: variance of observations about
     * their components, and, by plate of the sets, of its instances about what they have in common;
     * [entries], the latter [component], too */
    IrValue variance, between[IR_MAX_AXES];
} Em;

/* What was found. Over the instances of the sets' plates: */
typedef struct EmFit {
    IrValue count, sum; /* of the observations of a component: [component], [component, entries] */
    IrValue mean, log_share; /* of components, the first drawn to what sets have in common */
    IrValue variance;        /* known or estimated */
    IrValue between;         /* of a set's means about what is outside all plates */
} EmFit;

EmFit em_fit(const Em *em);
/* How many observations there are in an instance of the first `plates` plates. */
IrValue em_count(const Em *em, int plates);

#endif
