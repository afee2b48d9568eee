/* plate.h -- plates as axes, and reductions over them (plate.c): the model's own, and the guide's
 * over what was drawn in another plate. Private to dual/. */
#ifndef ADAVIC_DUAL_PLATE_H
#define ADAVIC_DUAL_PLATE_H

#include "dual/internal.h"

/* The axis that tells the instances of `plate` in one of its parent apart. */
static inline AxisId plate_axis(const Build *b, const Plate *plate) {
    return b->plate[plate->across ? plate->across->index : plate->index];
}
/* 1 / the number of instances; 1 where a parent of a ragged plate has none. */
IrValue instance_share(Build *b, AxisId axis);
/* The mean over the instances; a value that does not vary along the axis counts once for each. */
IrValue mean_along(Build *b, IrValue v, AxisId axis);
/* What instances say together: the sum of their precisions; almost nothing where there is none. */
IrValue precision_over(Build *b, IrValue precision, AxisId axis);
/* `val` reduced over the instances of `plate`; its event stays. */
Val reduce_over(Build *b, const Plate *plate, Reduce reduce, Val val);
/* The means, and the standard deviations, of a feature over those plates of `of` that do not stand
 * around `at`: what an instance of `at` can be told of all of them. False: there are none. */
bool pool_apart(Build *b, const Plate *of, const Plate *at, IrValue feature, IrValue pooled[2]);

#endif
