/* opt.h -- transformations of the tensor IR. Each takes a sound program and leaves a sound one; the
 * driver verifies, dumps and times (passes.def), not the pass. */
#ifndef ADAVIC_OPT_H
#define ADAVIC_OPT_H

#include "ir/ir.h"

/* Reverse mode. Appends to `p` the adjoints of the scalar `loss` (no axes but those reduced away;
 * real) with respect to `wrt[0..n)`, and gives their values in `grad`, each over exactly the axes
 * of its `wrt` (spread, or zero where the loss does not depend on it). One rule per operation:
 * ops.def, vjp.c. */
void opt_grad(IrProgram *p, IrValue loss, const IrValue *wrt, int n, IrValue *grad);
/* Sums over an axis of squares and products of what is affine in values that lack another axis, as
 * functions of the extent, the means and the centred sums of squares of these values: appends to
 * `p` and gives what takes the place of `root`. Operations before `first` stay what they are. Exact
 * in real arithmetic, values and derivatives; no sum is rewritten unless a space of two axes falls
 * to one of each (statistics.c). To be done before differentiation. */
IrValue opt_statistics_of(IrProgram *p, IrValue first, IrValue root);
/* The same of all outputs of a program. */
IrProgram *opt_statistics(const IrProgram *p);

/* Constant folding and algebraic identities (x*1, x+0, neg neg, square of const, ...); values
 * bit-equal in double except where an identity is exact in real arithmetic and safe for nan. */
IrProgram *opt_fold(const IrProgram *p);
/* One value for equal operations on equal operands; random sources of one name are one. */
IrProgram *opt_cse(const IrProgram *p);
/* Drops what no output needs. Inputs that nothing reads are dropped too. */
IrProgram *opt_dce(const IrProgram *p);
/* Divisors, factors and summands that have fewer axes are combined first, over those axes. Exact in
 * real arithmetic; a quotient that becomes a product with a reciprocal has a rounding more, sums
 * and products have as many as before (hoist.c). */
IrProgram *opt_hoist(const IrProgram *p);
/* Chains of linear maps in the order that costs least (reassociate.c): what many instances pass
 * through is multiplied out where that is cheaper, also through softmax-weighted means; scores lose
 * what cancels. Equal in exact arithmetic, values and derivatives; runs before opt_grad, so that
 * the gradients of products are carried back to their factors. All inputs stay. Gives `p` itself
 * where nothing becomes cheaper. */
IrProgram *opt_reassociate(const IrProgram *p);
/* What it compares: multiply-adds, other operations and elements of results of all that the outputs
 * need, at the usual sizes of the plates. */
double opt_cost(const IrProgram *p);

#endif
