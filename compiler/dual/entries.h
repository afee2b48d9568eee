/* entries.h -- small matrices and vectors as arrays of values, one per entry, over whatever
 * instances they vary with (entries.c). IR_NONE is a zero: what is not there costs nothing. Private
 * to dual/. */
#ifndef ADAVIC_DUAL_ENTRIES_H
#define ADAVIC_DUAL_ENTRIES_H

#include "dual/internal.h"

IrValue entry_add(Build *b, IrValue x, IrValue y);
IrValue entry_sub(Build *b, IrValue x, IrValue y);
IrValue entry_mul(Build *b, IrValue x, IrValue y);
/* Position `i` of `v` along an event axis, which it may lack, with no more axes than it needs. */
IrValue entry_of(Build *b, IrValue v, AxisId axis, int64_t i);
/* x[0..n) side by side along `axis`. */
IrValue entries_gather(Build *b, const IrValue *x, int64_t n, AxisId axis);

/* x, but at least what rounding in f32 may have left of `whole`, from which x came by
 * subtraction. */
IrValue entry_above_rounding(Build *b, IrValue x, IrValue whole);

/* Row-major [n, n], of which the lower triangle is read and written. */
/* L with L L' = H. The squares of its diagonal are kept above `least`, and above what rounding in
 * f32 leaves of that of H (least == IR_NONE: they are not). */
void entries_factor(Build *b, const IrValue *h, int64_t n, IrValue least, IrValue *l);
/* L with L L' = L0 L0' + H, for L0 in l and H that has no negative curvature: its own factor's
 * columns, those of what rounding leaves of it being zero, are turned into L one by one. So small
 * curvatures of L0 in directions that H does not have stay what they are beside large ones that it
 * has, which are gone from the sum of both in f32. */
void entries_update(Build *b, const IrValue *h, int64_t n, IrValue *l);
/* x becomes L^-1 x, or L'^-1 x. */
void entries_solve_lower(Build *b, const IrValue *l, int64_t n, IrValue *x);
void entries_solve_upper(Build *b, const IrValue *l, int64_t n, IrValue *x);

#endif
