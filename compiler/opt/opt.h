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

/* Constant folding and algebraic identities (x*1, x+0, neg neg, square of const, ...); values
 * bit-equal in double except where an identity is exact in real arithmetic and safe for nan. */
IrProgram *opt_fold(const IrProgram *p);
/* One value for equal operations on equal operands; random sources of one name are one. */
IrProgram *opt_cse(const IrProgram *p);
/* Drops what no output needs. Inputs that nothing reads are dropped too. */
IrProgram *opt_dce(const IrProgram *p);
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
