/* dce.c -- drops the operations that no output needs; the order of the others stays, and so do the
 * axes. */
#include "opt/opt.h"
#include "opt/rewrite.h"

IrProgram *opt_dce(const IrProgram *p) {
    IrProgram *q = ir_program_like(p);
    bool *needed = arena_array(p->arena, bool, p->ops.n + 1);
    IrValue *map = arena_array(p->arena, IrValue, p->ops.n + 1);
    for (int i = 0; i < p->outputs.n; i++) needed[p->outputs.data[i].value] = true;
    for (IrValue v = p->ops.n - 1; v >= 0; v--)
        for (int i = 0; needed[v] && i < p->ops.data[v].n_args; i++)
            needed[p->ops.data[v].args[i]] = true;
    for (IrValue v = 0; v < p->ops.n; v++)
        if (needed[v]) map[v] = rewrite_append(q, rewrite_operands(&p->ops.data[v], map));
    rewrite_outputs(q, p, map);
    return q;
}
