/* grad.c -- reverse mode: one sweep from the loss back, visiting what depends on `wrt` and what the
 * loss depends on.
 *
 * Point-wise rules are the derivative column of ops.def, read here as code over the builders; the
 * others are vjp.c. An adjoint may lack axes of its value (it is constant along them), see vjp.h.
 * Every rule is linear in the adjoint that it starts from, so that gradients which were reduced
 * over data sets stay partial sums (ir.h).
 */
#include "opt/opt.h"
#include "opt/vjp.h"

/* ---- the derivative column, for point-wise rows ---- */

#define NUM(x) ir_const(p, (x))
#define NEG(x) ir_neg(p, (x))
#define SIGN(x) ir_sign(p, (x))
#define EXP(x) ir_exp(p, (x))
#define EXPM1(x) ir_expm1(p, (x))
#define LOG(x) ir_log(p, (x))
#define INV_MILLS(x) ir_inv_mills(p, (x))
#define SQUARE(x) ir_square(p, (x))
#define LOGISTIC(x) ir_logistic(p, (x))
#define SIN(x) ir_sin(p, (x))
#define COS(x) ir_cos(p, (x))
#define DIGAMMA(x) ir_digamma(p, (x))
#define ADD(x, z) ir_add(p, (x), (z))
#define SUB(x, z) ir_sub(p, (x), (z))
#define MUL(x, z) ir_mul(p, (x), (z))
#define DIV(x, z) ir_div(p, (x), (z))
#define BESSEL_RATIO(x, z) ir_bessel_ratio(p, (x), (z))
#define POW(x, z) ir_pow(p, (x), (z))
#define MAX(x, z) ir_max(p, (x), (z))
#define LT(x, z) ir_lt(p, (x), (z))
#define SELECT(x, z, w) ir_select(p, (x), (z), (w))
#define NIL IR_NONE

/* The adjoint that operand `which` of the point-wise operation gets, before it is brought to the
 * operand's axes. */
static IrValue point_adjoint(const Vjp *v) {
    IrProgram *p = v->p;
    const IrOp op = p->ops.data[v->y];
    const IrValue a = op.args[0], b = op.args[1], c = op.args[2], y = v->y, g = v->g;
    (void)b, (void)c;
    switch (op.opcode) {
#define ADJ1(x) return (x);
#define ADJ2(x, z) return v->which == 0 ? (x) : (z);
#define ADJ3(x, z, w) return v->which == 0 ? (x) : v->which == 1 ? (z) : (w);
#define NODIFF return IR_NONE;
#define VJP(name) return IR_NONE;
#define OP(ENUM, text, arity, rule, value, derivative, ...) \
    case OP_##ENUM:                                         \
        derivative
#include "ir/ops.def"
#undef OP
#undef ADJ1
#undef ADJ2
#undef ADJ3
#undef NODIFF
#undef VJP
    default:
        return IR_NONE;
    }
}

/* ---- which rule a row has ---- */

typedef struct Rule {
    bool differentiable;
    IrValue (*vjp)(const Vjp *v); /* NULL for point-wise rows */
} Rule;

static const Rule rules[OP_COUNT] = {
#define ADJ1(x) \
    { true, NULL }
#define ADJ2(x, z) \
    { true, NULL }
#define ADJ3(x, z, w) \
    { true, NULL }
#define NODIFF \
    { false, NULL }
#define VJP(name) \
    { true, vjp_##name }
#define OP(ENUM, text, arity, rule, value, derivative, ...) [OP_##ENUM] = derivative,
#include "ir/ops.def"
#undef OP
};

static bool differentiable(const IrOp *op) {
    return op->type == IR_REAL && rules[op->opcode].differentiable &&
           rules[op->opcode].vjp != vjp_none;
}

/* ---- the sweep ---- */

typedef struct Sweep {
    IrProgram *p;
    const bool *active; /* depends on wrt and is depended on by the loss */
    IrValue *adjoint;   /* IR_NONE: nothing came yet */
} Sweep;

static const bool *active_values(IrProgram *p, IrValue loss, const IrValue *wrt, int n) {
    int count = p->ops.n;
    bool *depends = arena_array(p->arena, bool, count),
         *active = arena_array(p->arena, bool, count);
    for (int i = 0; i < n; i++) depends[wrt[i]] = true;
    for (IrValue v = 0; v < count; v++) {
        const IrOp *op = &p->ops.data[v];
        for (int i = 0; i < op->n_args && differentiable(op); i++)
            depends[v] = depends[v] || depends[op->args[i]];
    }
    active[loss] = depends[loss];
    for (IrValue v = loss; v >= 0; v--) {
        const IrOp *op = &p->ops.data[v];
        for (int i = 0; i < op->n_args && active[v] && differentiable(op); i++)
            if (depends[op->args[i]]) active[op->args[i]] = true;
    }
    return active;
}

static void contribute(Sweep *s, IrValue y, int which) {
    const IrOp op = s->p->ops.data[y];
    IrValue operand = op.args[which], part;
    Vjp v = {.p = s->p, .y = y, .g = s->adjoint[y], .which = which, .fresh = s->p->ops.n};
    if (rules[op.opcode].vjp) {
        part = rules[op.opcode].vjp(&v);
    } else {
        part = point_adjoint(&v);
        if (part != IR_NONE) part = vjp_toward_operand(&v, part, op.axes, op.n_axes);
    }
    if (part == IR_NONE) return;
    IrValue *sum = &s->adjoint[operand];
    *sum = *sum == IR_NONE ? part : ir_add(s->p, *sum, part);
}

/* Operations of the sweep say which part of the program they are the adjoint of. */
static void note_adjoint(IrProgram *p, const char *note, const char **last) {
    if (note == *last) return;
    *last = note;
    p->note = note ? arena_printf(p->arena, "adjoint of %s", note) : NULL;
}

void opt_grad(IrProgram *p, IrValue loss, const IrValue *wrt, int n, IrValue *grad) {
    const IrOp *end = &p->ops.data[loss];
    if (end->type != IR_REAL || end->n_axes)
        internal_error("grad", "program %s: the loss %%%d is no real scalar", p->name, loss);
    int count = p->ops.n;
    const char *own_note = p->note, *last = NULL;
    Sweep s = {.p = p, .active = active_values(p, loss, wrt, n)};
    s.adjoint = arena_array(p->arena, IrValue, count);
    for (IrValue v = 0; v < count; v++) s.adjoint[v] = IR_NONE;
    p->note = NULL;
    if (s.active[loss]) s.adjoint[loss] = ir_const(p, 1);
    for (IrValue v = loss; v >= 0; v--) {
        const IrOp op = p->ops.data[v];
        if (!s.active[v] || s.adjoint[v] == IR_NONE || !differentiable(&op)) continue;
        note_adjoint(p, op.note, &last);
        for (int i = 0; i < op.n_args; i++)
            if (s.active[op.args[i]]) contribute(&s, v, i);
    }
    p->note = own_note;
    for (int i = 0; i < n; i++) {
        const IrOp target = p->ops.data[wrt[i]];
        IrValue g = s.adjoint[wrt[i]] == IR_NONE ? ir_const(p, 0) : s.adjoint[wrt[i]];
        bool whole = p->ops.data[g].n_axes == target.n_axes;
        grad[i] = whole ? g : ir_spread(p, g, target.axes, target.n_axes);
    }
}
