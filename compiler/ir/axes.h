/* axes.h -- the axes of a program, and over which of them a value is summed (build.c). Part of
 * ir.h. */
#ifndef ADAVIC_IR_AXES_H
#define ADAVIC_IR_AXES_H

#include "ir/ir.h"

/* Declares an axis, or returns the one of that name (whose declaration must agree). */
AxisId ir_axis(IrProgram *p, const char *name, AxisKind kind, AxisId parent, int64_t extent);
AxisId ir_axis_copy(IrProgram *p, AxisId of, const char *name);
/* The same for text from outside: a complaint or NULL, and the axis in *id. */
const char *ir_axis_declare(IrProgram *p, IrAxis axis, AxisId *id);
AxisId ir_axis_find(const IrProgram *p, const char *name); /* AXIS_NONE if absent */
/* The axis that it is a copy of, or itself. */
AxisId ir_axis_original(const IrProgram *p, AxisId axis);
/* Is plate `outer` around `inner`? */
bool ir_axis_around(const IrProgram *p, AxisId outer, AxisId inner);
/* Equal static extents, or copies of one original. */
bool ir_axis_same_extent(const IrProgram *p, AxisId a, AxisId b);
bool ir_axis_among(const AxisId *axes, int n, AxisId axis);
bool ir_has_axis(const IrProgram *p, IrValue v, AxisId axis);
/* Sorts into canonical order and removes repeats; returns the number left. */
int ir_axes_sort(const IrProgram *p, AxisId *axes, int n);

/* How a value is summed over axes of which it may lack some, where it counts at each position: it
 * is multiplied by the extents of `first`, which are ragged and lie along the plates around them;
 * summed over `own`, these plates among them; multiplied by the extents of `last`. */
typedef struct IrCountedSum {
    int n_first, n_own, n_last;
    AxisId first[2 * IR_MAX_AXES], own[2 * IR_MAX_AXES], last[2 * IR_MAX_AXES];
} IrCountedSum;
IrCountedSum ir_counted_sum(const IrProgram *p, IrValue v, const AxisId *axes, int n);

#endif
