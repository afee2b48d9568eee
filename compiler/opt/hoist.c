/* hoist.c -- what has fewer axes is combined first, over those axes:
 *
 *     x / s           x * recip(s)      where s lacks an axis of x
 *     (x * a) * b     x * (a * b)       where a * b lacks an axis of x * a
 *     (x - a) - b     x - (a + b)       the same; and with other signs
 *
 * so that the larger space loses a division, or an operation. The inner result must have no other
 * use, or it is computed all the same.
 *
 * All is exact in real arithmetic. What it does to rounding:
 * - A product with a reciprocal has two roundings for the division's one. recip is as exact where
 * it neither overflows nor is flushed to zero: |s| in f32 within 1e-37 and 1e37, and a number that
 * is known is left alone outside.
 * - Products have no cancellation: two roundings as before.
 * - A sum r = a + b is rounded by eps |r|, and |r| <= |x| + |y| with y = x - r: no more than the
 *   rounding of the result and that of x, provided that x is rounded itself. So x is a product or
 *   a function of something: never an input, whose difference from a close a would be exact, nor
 *   a sum. Sums of more than three terms are not sorted otherwise.
 */
#include "ir/eval.h"
#include "opt/opt.h"
#include "opt/rewrite.h"

#include <math.h>

typedef struct Hoist {
    IrProgram *q;
    const char *note;
    VEC(bool) once; /* by value of q: it has one user, or will have */
} Hoist;

static const IrOp *at(const Hoist *h, IrValue v) {
    return &h->q->ops.data[v];
}

static IrValue emit(Hoist *h, IrOp op);

static IrValue point2(Hoist *h, IrOpcode opcode, IrValue a, IrValue b) {
    return emit(h, (IrOp){.opcode = opcode, .n_args = 2, .args = {a, b}});
}

/* Is the space of a and b together a part of that over `axes`, and smaller? By every step that
 * `emit` takes some space falls to a part of it, so that it comes to an end. */
static bool smaller(const Hoist *h, IrValue a, IrValue b, const AxisId *axes, int n) {
    bool less = false;
    for (int i = 0; i < n; i++) {
        const IrAxis *axis = &h->q->axes.data[axes[i]];
        if (ir_has_axis(h->q, a, axes[i]) || ir_has_axis(h->q, b, axes[i])) continue;
        less = less || axis->kind != AXIS_EVENT || axis->extent > 1;
    }
    for (int i = 0; less && i < at(h, a)->n_axes; i++)
        less = ir_axis_among(axes, n, at(h, a)->axes[i]);
    for (int i = 0; less && i < at(h, b)->n_axes; i++)
        less = ir_axis_among(axes, n, at(h, b)->axes[i]);
    return less;
}

static IrValue hoist_quotient(Hoist *h, const IrOp *op) {
    IrValue by = op->args[1];
    const IrOp divisor = *at(h, by);
    if (!smaller(h, by, by, op->axes, op->n_axes)) return IR_NONE;
    if (divisor.opcode == OP_CONST) {
        double size = fabs(divisor.number);
        if (!(size > 1e-37 && size < 1e37)) return IR_NONE;
        IrOp inverse = {.opcode = OP_CONST, .number = 1 / divisor.number};
        return point2(h, OP_MUL, op->args[0], emit(h, inverse));
    }
    IrOp recip = {.opcode = OP_RECIP, .n_args = 1, .args = {by}};
    return point2(h, OP_MUL, op->args[0], emit(h, recip));
}

static IrValue hoist_product(Hoist *h, const IrOp *op) {
    for (int i = 0; i < 2; i++) {
        const IrOp inner = *at(h, op->args[i]);
        IrValue b = op->args[1 - i];
        if (inner.opcode != OP_MUL || !h->once.data[op->args[i]]) continue;
        for (int k = 0; k < 2; k++) {
            IrValue x = inner.args[k], a = inner.args[1 - k];
            if (smaller(h, a, b, inner.axes, inner.n_axes))
                return point2(h, OP_MUL, x, point2(h, OP_MUL, a, b));
        }
    }
    return IR_NONE;
}

static bool is_rounded(const Hoist *h, IrValue v) {
    IrOpcode opcode = at(h, v)->opcode;
    return ir_op_info[opcode].cost == COST_FUNCTION || opcode == OP_MUL || opcode == OP_DIV ||
           opcode == OP_SQUARE || opcode == OP_RECIP || opcode == OP_SQRT || opcode == OP_CONTRACT;
}

/* A term of a sum. */
typedef struct Term {
    IrValue v;
    bool minus;
} Term;

/* a + b with their signs; one of the three terms of a sum is positive, so that the negative of two
 * negative ones is never needed by itself. */
static Term add_terms(Hoist *h, Term a, Term b) {
    if (a.minus == b.minus) return (Term){point2(h, OP_ADD, a.v, b.v), a.minus};
    return (Term){a.minus ? point2(h, OP_SUB, b.v, a.v) : point2(h, OP_SUB, a.v, b.v), false};
}

static IrValue hoist_sum(Hoist *h, const IrOp *op) {
    for (int i = 0; i < 2; i++) {
        const IrOp inner = *at(h, op->args[i]);
        bool sums = inner.opcode == OP_ADD || inner.opcode == OP_SUB;
        if (!sums || !h->once.data[op->args[i]]) continue;
        bool minus = i == 1 && op->opcode == OP_SUB; /* the inner sum's sign in the outer one */
        Term b = {op->args[1 - i], i == 0 && op->opcode == OP_SUB};
        Term part[2] = {{inner.args[0], minus}, {inner.args[1], minus != (inner.opcode == OP_SUB)}};
        for (int k = 0; k < 2; k++) {
            Term x = part[k], a = part[1 - k];
            if (!is_rounded(h, x.v) || !smaller(h, a.v, b.v, inner.axes, inner.n_axes)) continue;
            Term sum = add_terms(h, add_terms(h, a, b), x);
            if (!sum.minus) return sum.v;
        }
    }
    return IR_NONE;
}

static IrValue simplify(Hoist *h, const IrOp *op) {
    switch (op->opcode) {
    case OP_DIV:
        return hoist_quotient(h, op);
    case OP_MUL:
        return hoist_product(h, op);
    case OP_ADD:
    case OP_SUB:
        return hoist_sum(h, op);
    default:
        return IR_NONE;
    }
}

/* What operations on two numbers yield. */
static bool fold_numbers(const Hoist *h, IrOp *op) {
    if (ir_op_info[op->opcode].rule != RULE_POINT || op->n_args != 2 || op->type != IR_REAL)
        return false;
    const IrOp *a = at(h, op->args[0]), *b = at(h, op->args[1]);
    if (a->opcode != OP_CONST || b->opcode != OP_CONST) return false;
    *op = (IrOp){.opcode = OP_CONST,
                 .number = ir_point_value(op->opcode, a->number, b->number, 0),
                 .note = op->note};
    return true;
}

/* The value of an operation over hoisted operands. */
static IrValue emit(Hoist *h, IrOp op) {
    op.note = h->note;
    const char *why = ir_infer(h->q, &op, h->q->ops.n);
    if (why) internal_error("hoist", "program %s: %s", h->q->name, why);
    IrValue v = fold_numbers(h, &op) ? IR_NONE : simplify(h, &op);
    if (v != IR_NONE) return v;
    vec_push(h->q->arena, &h->once, true);
    return rewrite_append(h->q, op);
}

/* How often what an output needs reads each value; 2 stands for more. */
static int *count_uses(const IrProgram *p) {
    int *uses = arena_array(p->arena, int, p->ops.n + 1);
    for (int i = 0; i < p->outputs.n; i++) uses[p->outputs.data[i].value] = 2;
    for (IrValue v = p->ops.n - 1; v >= 0; v--)
        for (int i = 0; uses[v] && i < p->ops.data[v].n_args; i++) {
            int *n = &uses[p->ops.data[v].args[i]];
            *n = *n < 2 ? *n + 1 : 2;
        }
    return uses;
}

IrProgram *opt_hoist(const IrProgram *p) {
    Hoist h = {.q = ir_program_like(p)};
    IrValue *map = arena_array(p->arena, IrValue, p->ops.n + 1);
    const int *uses = count_uses(p);
    for (IrValue v = 0; v < p->ops.n; v++) {
        h.note = p->ops.data[v].note;
        map[v] = emit(&h, rewrite_operands(&p->ops.data[v], map));
        h.once.data[map[v]] = uses[v] == 1;
    }
    rewrite_outputs(h.q, p, map);
    return h.q;
}
