/* count.h -- the arithmetic of a tensor program as a formula in the extents of its axes.
 *
 * What is counted is the useful work, whatever the schedule makes of it: every value once. It is
 * that of the programs as they leave the passes: what algebra spares (statistics.c, hoist.c) is no
 * work. The order of linear maps alone is that in which networks are written: of a program that was
 * reassociated the manifest counts what was there before (IrProgram.as_written), so that rates stay
 * comparable.
 *   flop        additions, subtractions, multiplications, divisions, square roots, minima and
 * maxima 1 each; a contraction 2 per term (a multiply-add), sums and maxima over axes 1 per term
 *   functions   exp, log and the like, one each (EXPAND in ops.def)
 * Nothing: signs, comparisons, choices, copies, random draws. Where an operand of add, sub, mul,
 * contract or sum is zero by construction (outside what place or pad put there) nothing is counted
 * either.
 *
 *     Count count = opt_count(arena, step);
 *     count.flop.data[0]   coef 7040, axes {data, draw}: 7040 * data sets * draws
 *
 * The sum over the terms is exact for any extents. A copy counts as its original: [group, group']
 * is group squared. The extent of a ragged plate is the number of all its instances, and the plates
 * around it are left out; [obs, obs'] of such a plate counts too much, all pairs of instances, not
 * those of one parent alone.
 */
#ifndef ADAVIC_OPT_COUNT_H
#define ADAVIC_OPT_COUNT_H

#include "ir/ir.h"

enum { COUNT_MAX_AXES = 2 * IR_MAX_AXES };

/* coef times the extents of the axes: originals whose extents are known at run time, ascending. */
typedef struct CountTerm {
    int64_t coef;
    int n_axes;
    AxisId axes[COUNT_MAX_AXES];
} CountTerm;

typedef struct CountTerms {
    int n, cap;
    CountTerm *data; /* fewer axes first; no two of the same axes */
} CountTerms;

typedef struct Count {
    CountTerms flop, functions;
} Count;

Count opt_count(Arena *arena, const IrProgram *p);

#endif
