/* vjp.h -- the adjoint rules of operations that are not point-wise, and how an adjoint comes to an
 * operand's axes.
 *
 * An adjoint may lack axes of the value that it belongs to: it is constant along them. So the
 * adjoint of a sum is that of its result as it stands, and nothing is spread before it meets
 * something that varies.
 */
#ifndef ADAVIC_VJP_H
#define ADAVIC_VJP_H

#include "ir/ir.h"

/* One operand of one operation: y = op(args), g the adjoint of y, and args[which] the operand in
 * question. `fresh` is the number of operations when the rule began: what stands from there on was
 * made by the rule. */
typedef struct Vjp {
    IrProgram *p;
    IrValue y, g;
    int which;
    IrValue fresh;
} Vjp;

/* vjp_NAME: the contribution to the adjoint of the operand, over some of the operand's axes. */
IrValue vjp_none(const Vjp *v);
IrValue vjp_sum(const Vjp *v);
IrValue vjp_max_over(const Vjp *v);
IrValue vjp_contract(const Vjp *v);
IrValue vjp_rename(const Vjp *v);
IrValue vjp_pick(const Vjp *v);
IrValue vjp_place(const Vjp *v);
IrValue vjp_slice(const Vjp *v);
IrValue vjp_pad(const Vjp *v);
IrValue vjp_spread(const Vjp *v);

/* `e` stands for a tensor over `domain`, constant along the axes it lacks: its sum over the axes of
 * the domain that the operand has not. */
IrValue vjp_toward_operand(const Vjp *v, IrValue e, const AxisId *domain, int n_domain);

#endif
