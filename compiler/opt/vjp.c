/* vjp.c -- see vjp.h. Products are never built to be summed: a sum of a product that the rule made
 * itself becomes a contraction, whose factors are first summed over the axes that each has alone.
 */
#include "opt/vjp.h"

typedef struct AxisSet {
    AxisId axes[2 * IR_MAX_AXES];
    int n;
} AxisSet;

static void put(AxisSet *set, AxisId axis) {
    set->axes[set->n++] = axis;
}

static IrValue reduce(const Vjp *v, IrValue e, const AxisSet *over);

/* Sum over `over` of x * y; every axis of `over` belongs to one of them at least. */
static IrValue reduce_product(const Vjp *v, IrValue x, IrValue y, const AxisSet *over) {
    AxisSet x_alone = {.n = 0}, y_alone = {.n = 0}, both = {.n = 0};
    for (int i = 0; i < over->n; i++) {
        AxisId axis = over->axes[i];
        bool in_x = ir_has_axis(v->p, x, axis), in_y = ir_has_axis(v->p, y, axis);
        put(in_x && in_y ? &both : in_x ? &x_alone : &y_alone, axis);
    }
    x = reduce(v, x, &x_alone);
    y = reduce(v, y, &y_alone);
    return ir_contract(v->p, x, y, both.axes, both.n);
}

/* Sum of e over axes that it has, through what is linear and was made by the rule itself. */
static IrValue reduce(const Vjp *v, IrValue e, const AxisSet *over) {
    if (over->n == 0) return e;
    const IrOp op = v->p->ops.data[e];
    if (e >= v->fresh && op.opcode == OP_NEG) return ir_neg(v->p, reduce(v, op.args[0], over));
    if (e >= v->fresh && op.opcode == OP_MUL)
        return reduce_product(v, op.args[0], op.args[1], over);
    if (e >= v->fresh && op.opcode == OP_DIV) {
        AxisSet numerator = {.n = 0}, rest = {.n = 0};
        for (int i = 0; i < over->n; i++)
            put(ir_has_axis(v->p, op.args[1], over->axes[i]) ? &rest : &numerator, over->axes[i]);
        if (numerator.n) {
            IrValue quotient = ir_div(v->p, reduce(v, op.args[0], &numerator), op.args[1]);
            return ir_sum(v->p, quotient, rest.axes, rest.n);
        }
    }
    return ir_sum(v->p, e, over->axes, over->n);
}

/* e times the number of positions along axes that it lacks. Along `data` it is spread and summed
 * instead: a program sees one chunk of the data sets, whose share of that number the sum is. */
static IrValue times_positions(const Vjp *v, IrValue e, const AxisId *missing, int n) {
    double events = 1;
    AxisId data = AXIS_NONE;
    for (int i = 0; i < n; i++) {
        AxisId axis = missing[i];
        const IrAxis *a = &v->p->axes.data[axis];
        if (a->kind == AXIS_EVENT)
            events *= (double)a->extent;
        else if (a->kind == AXIS_DATA)
            data = axis;
        else
            e = ir_mul(v->p, e, ir_extent(v->p, axis));
    }
    if (events != 1) e = ir_mul(v->p, e, ir_const(v->p, events));
    return data == AXIS_NONE ? e : ir_sum(v->p, ir_spread(v->p, e, &data, 1), &data, 1);
}

IrValue vjp_toward_operand(const Vjp *v, IrValue e, const AxisId *domain, int n_domain) {
    IrValue operand = v->p->ops.data[v->y].args[v->which];
    AxisSet lost = {.n = 0}, over = {.n = 0};
    for (int i = 0; i < n_domain; i++)
        if (!ir_has_axis(v->p, operand, domain[i])) put(&lost, domain[i]);
    const IrCountedSum sum = ir_counted_sum(v->p, e, lost.axes, lost.n);
    for (int i = 0; i < sum.n_first; i++) e = ir_mul(v->p, e, ir_extent(v->p, sum.first[i]));
    for (int i = 0; i < sum.n_own; i++) put(&over, sum.own[i]);
    return times_positions(v, reduce(v, e, &over), sum.last, sum.n_last);
}

/* ---- the rules ---- */

static IrOp operation(const Vjp *v) {
    return v->p->ops.data[v->y];
}

IrValue vjp_none(const Vjp *v) {
    (void)v;
    return IR_NONE;
}

/* Every entry counts once: g, constant along what was summed. */
IrValue vjp_sum(const Vjp *v) {
    return v->g;
}

IrValue vjp_max_over(const Vjp *v) {
    IrValue attains = ir_eq(v->p, operation(v).args[0], v->y);
    return ir_select(v->p, attains, v->g, ir_const(v->p, 0));
}

/* g times the other factor, summed over the axes that only the other factor has. Along axes of the
 * operand that neither g nor the other factor has, the result is constant. */
IrValue vjp_contract(const Vjp *v) {
    const IrOp op = operation(v);
    IrValue other = op.args[1 - v->which], operand = op.args[v->which];
    const IrOp factor = v->p->ops.data[other];
    AxisSet over = {.n = 0};
    for (int i = 0; i < factor.n_axes; i++)
        if (!ir_has_axis(v->p, operand, factor.axes[i])) put(&over, factor.axes[i]);
    return reduce_product(v, v->g, other, &over);
}

IrValue vjp_rename(const Vjp *v) {
    const IrOp op = operation(v);
    return ir_has_axis(v->p, v->g, op.axis2) ? ir_rename(v->p, v->g, op.axis2, op.axis) : v->g;
}

IrValue vjp_pick(const Vjp *v) {
    const IrOp op = operation(v);
    return ir_place(v->p, v->g, op.axis, op.index);
}

IrValue vjp_place(const Vjp *v) {
    const IrOp op = operation(v);
    return ir_has_axis(v->p, v->g, op.axis) ? ir_pick(v->p, v->g, op.axis, op.index) : v->g;
}

IrValue vjp_slice(const Vjp *v) {
    const IrOp op = operation(v);
    IrValue g = v->g;
    if (!ir_has_axis(v->p, g, op.axis2)) g = ir_spread(v->p, g, &op.axis2, 1);
    return ir_pad(v->p, g, op.axis2, op.axis, op.index);
}

IrValue vjp_pad(const Vjp *v) {
    const IrOp op = operation(v);
    return ir_has_axis(v->p, v->g, op.axis2) ? ir_slice(v->p, v->g, op.axis2, op.axis, op.index)
                                             : v->g;
}

IrValue vjp_spread(const Vjp *v) {
    const IrOp op = operation(v);
    return vjp_toward_operand(v, v->g, op.axes, op.n_axes);
}
