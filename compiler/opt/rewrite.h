/* rewrite.h -- what passes that copy a program share: the old program's values by their place in
 * the new one. */
#ifndef ADAVIC_REWRITE_H
#define ADAVIC_REWRITE_H

#include "ir/ir.h"

/* An operation of the old program over operands of the new one. */
static inline IrOp rewrite_operands(const IrOp *op, const IrValue *map) {
    IrOp moved = *op;
    for (int i = 0; i < op->n_args; i++) moved.args[i] = map[op->args[i]];
    return moved;
}

/* Appends what is known to be sound. */
static inline IrValue rewrite_append(IrProgram *q, IrOp op) {
    const char *why;
    IrValue v = ir_append(q, op, &why);
    if (why) internal_error("rewrite", "program %s, operation %%%d: %s", q->name, q->ops.n, why);
    return v;
}

static inline void rewrite_outputs(IrProgram *q, const IrProgram *p, const IrValue *map) {
    for (int i = 0; i < p->outputs.n; i++)
        vec_push(q->arena, &q->outputs,
                 (IrOutput){p->outputs.data[i].name, map[p->outputs.data[i].value]});
}

#endif
