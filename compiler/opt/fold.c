/* fold.c -- constant operands computed, identities applied, spreads moved behind what they are not
 * needed for.
 *
 * One sweep: each operation is rewritten over already folded operands, and what a rule makes is
 * folded in turn, so that a second run finds nothing. Dead operations stay; dce drops them. Values
 * stay the same bit by bit but where a rule is exact in real arithmetic alone (x + 0 at -0, factors
 * gathered); no rule hides a nan or an infinity. A sum over `data` of a constant is kept: it counts
 * the data sets of a chunk, not of the call (ir.h).
 */
#include "ir/eval.h"
#include "opt/opt.h"
#include "opt/rewrite.h"

#include <math.h>

enum { MAX_FOLDED = 1024 }; /* entries of a table that folding may make */

/* Whether a value is one number everywhere. */
typedef struct Known {
    bool is;
    double number;
} Known;
typedef VEC(Known) KnownList;

typedef struct Fold {
    IrProgram *q;
    const char *note;
    KnownList *known; /* by value, as far as anybody asked */
} Fold;

static IrValue emit(Fold *f, IrOp op);

/* ---- looking at folded values ---- */

static const IrOp *at(const Fold *f, IrValue v) {
    return &f->q->ops.data[v];
}

static bool is(const Fold *f, IrValue v, IrOpcode opcode) {
    return at(f, v)->opcode == opcode;
}

static Known known_of(const Fold *f, const IrOp *op) {
    double x[3] = {0};
    if (op->opcode == OP_CONST) return (Known){true, op->number};
    if (op->opcode == OP_SPREAD) return f->known->data[op->args[0]];
    if (ir_op_info[op->opcode].rule != RULE_POINT) return (Known){false, 0};
    for (int i = 0; i < op->n_args; i++) {
        if (!f->known->data[op->args[i]].is) return (Known){false, 0};
        x[i] = f->known->data[op->args[i]].number;
    }
    return (Known){true, ir_point_value(op->opcode, x[0], x[1], x[2])};
}

/* One number everywhere: a constant, spread or not; a comparison of such. Computed once per value,
 * operands first, so that long chains cost no more than their length. */
static bool known(const Fold *f, IrValue v, double *number) {
    while (f->known->n <= v) {
        Known next = known_of(f, at(f, f->known->n));
        vec_push(f->q->arena, f->known, next);
    }
    const Known *k = &f->known->data[v];
    if (k->is) *number = k->number;
    return k->is;
}

static bool equals(const Fold *f, IrValue v, double number) {
    double x;
    return known(f, v, &x) && x == number;
}

static bool has(const Fold *f, IrValue v, AxisId axis) {
    return ir_has_axis(f->q, v, axis);
}

static int64_t extent(const Fold *f, AxisId axis) {
    return f->q->axes.data[axis].extent;
}

/* ---- making values ---- */

static IrValue make_const(Fold *f, double number) {
    return emit(f, (IrOp){.opcode = OP_CONST, .number = number});
}

static IrValue point1(Fold *f, IrOpcode opcode, IrValue a) {
    return emit(f, (IrOp){.opcode = opcode, .n_args = 1, .args = {a}});
}

static IrValue point2(Fold *f, IrOpcode opcode, IrValue a, IrValue b) {
    return emit(f, (IrOp){.opcode = opcode, .n_args = 2, .args = {a, b}});
}

/* v over at least these axes. */
static IrValue over_axes(Fold *f, IrValue v, const AxisId *axes, int n) {
    IrOp op = {.opcode = OP_SPREAD, .n_args = 1, .args = {v}, .n_axes = n};
    memcpy(op.axes, axes, sizeof(AxisId) * (size_t)n);
    return emit(f, op);
}

static IrValue uniform(Fold *f, double number, const AxisId *axes, int n) {
    return over_axes(f, make_const(f, number), axes, n);
}

static IrValue structural(Fold *f, IrOpcode opcode, IrValue a, AxisId axis, AxisId axis2,
                          int64_t index) {
    return emit(f, (IrOp){.opcode = opcode,
                          .n_args = 1,
                          .args = {a},
                          .axis = axis,
                          .axis2 = axis2,
                          .index = index});
}

static IrValue reduce(Fold *f, const IrOp *like, IrValue a, const AxisId *over, int n_over) {
    if (n_over == 0) return a;
    IrOp op = {
        .opcode = like->opcode == OP_CONTRACT ? OP_SUM : like->opcode, .n_args = 1, .args = {a}};
    memcpy(op.over, over, sizeof(AxisId) * (size_t)n_over);
    op.n_over = n_over;
    return emit(f, op);
}

/* ---- constants ---- */

/* All operands literal, a table among them: the interpreter computes the result, a table or a
 * constant. */
static IrValue fold_tables(Fold *f, const IrOp *op) {
    int64_t size = ir_event_size(f->q, op->axes, op->n_axes);
    bool random = ir_op_info[op->opcode].rule == RULE_RANDOM;
    if (random || op->type != IR_REAL || size < 0 || size > MAX_FOLDED) return IR_NONE;
    bool table = false;
    double x;
    for (int i = 0; i < op->n_args; i++) {
        bool own = is(f, op->args[i], OP_TABLE);
        if (at(f, op->args[i])->type != IR_REAL) return IR_NONE;
        if (!own && !known(f, op->args[i], &x)) return IR_NONE;
        if (own && ir_event_size(f->q, at(f, op->args[i])->axes, at(f, op->args[i])->n_axes) < 0)
            return IR_NONE;
        table = table || own;
    }
    if (!table) return IR_NONE;
    IrProgram *tiny = ir_program_like(f->q);
    IrOp copy = *op;
    for (int i = 0; i < op->n_args; i++) {
        const IrOp *arg = at(f, op->args[i]);
        copy.args[i] = arg->opcode == OP_TABLE ? ir_table(tiny, arg->table, arg->axes, arg->n_axes)
                                               : (known(f, op->args[i], &x), ir_const(tiny, x));
        if (arg->n_axes && arg->opcode != OP_TABLE)
            copy.args[i] = ir_spread(tiny, copy.args[i], arg->axes, arg->n_axes);
    }
    ir_output(tiny, "value", rewrite_append(tiny, copy));
    IrTensor result;
    const char *why = ir_eval(f->q->arena, tiny, &(IrEvalEnv){.extent = NULL}, &result);
    if (why) internal_error("fold", "%s", why);
    if (op->n_axes == 0) return make_const(f, result.data[0]);
    IrOp out = {.opcode = OP_TABLE, .n_axes = op->n_axes, .table = result.data};
    memcpy(out.axes, op->axes, sizeof out.axes);
    return emit(f, out);
}

/* ---- point-wise ---- */

/* There are no literal bools: a known one is lt 0 1 or lt 1 0. */
static IrValue make_truth(Fold *f, bool truth) {
    IrValue zero = make_const(f, 0), one = make_const(f, 1);
    return point2(f, OP_LT, truth ? zero : one, truth ? one : zero);
}

static bool is_truth(const Fold *f, const IrOp *op) {
    if (op->opcode != OP_LT || !is(f, op->args[0], OP_CONST) || !is(f, op->args[1], OP_CONST))
        return false;
    double a = at(f, op->args[0])->number, b = at(f, op->args[1])->number;
    return (a == 0 && b == 1) || (a == 1 && b == 0);
}

/* The operation over operands freed of their spreads, spread afterwards. */
static IrValue spread_later(Fold *f, const IrOp *op) {
    IrOp bare = *op;
    bool changed = false;
    for (int i = 0; i < op->n_args; i++)
        if (is(f, op->args[i], OP_SPREAD)) {
            bare.args[i] = at(f, op->args[i])->args[0];
            changed = true;
        }
    return changed ? over_axes(f, emit(f, bare), op->axes, op->n_axes) : IR_NONE;
}

static IrValue times(Fold *f, IrValue v, double factor) {
    return point2(f, OP_MUL, v, make_const(f, factor));
}

/* factor * v where that is simpler than a product, or gathers constant factors. */
static IrValue scaled(Fold *f, IrValue v, double factor) {
    const IrOp op = *at(f, v);
    double own;
    if (factor == 1) return v;
    if (factor == -1) return point1(f, OP_NEG, v);
    if (op.opcode == OP_NEG) return times(f, op.args[0], -factor);
    for (int i = 0; i < 2 && op.opcode == OP_MUL; i++) {
        if (!known(f, op.args[i], &own)) continue;
        double both = own * factor;
        if (isfinite(both) && both != 0) return times(f, op.args[1 - i], both);
    }
    return IR_NONE;
}

static IrValue fold_add(Fold *f, const IrOp *op) {
    IrValue a = op->args[0], b = op->args[1];
    if (equals(f, b, 0)) return a;
    if (equals(f, a, 0)) return b;
    if (is(f, b, OP_NEG)) return point2(f, OP_SUB, a, at(f, b)->args[0]);
    if (is(f, a, OP_NEG)) return point2(f, OP_SUB, b, at(f, a)->args[0]);
    return IR_NONE;
}

static IrValue fold_sub(Fold *f, const IrOp *op) {
    IrValue a = op->args[0], b = op->args[1];
    if (equals(f, b, 0)) return a;
    if (equals(f, a, 0)) return point1(f, OP_NEG, b);
    if (is(f, b, OP_NEG)) return point2(f, OP_ADD, a, at(f, b)->args[0]);
    return IR_NONE;
}

static IrValue fold_mul(Fold *f, const IrOp *op) {
    IrValue a = op->args[0], b = op->args[1];
    double x;
    if (known(f, b, &x)) return scaled(f, a, x);
    if (known(f, a, &x)) return scaled(f, b, x);
    return IR_NONE;
}

static IrValue fold_neg(Fold *f, IrValue a) {
    const IrOp op = *at(f, a);
    double x;
    if (op.opcode == OP_NEG) return op.args[0];
    if (op.opcode == OP_SUB) return point2(f, OP_SUB, op.args[1], op.args[0]);
    for (int i = 0; i < 2 && op.opcode == OP_MUL; i++)
        if (known(f, op.args[i], &x)) return times(f, op.args[1 - i], -x);
    return IR_NONE;
}

static IrValue identity(Fold *f, const IrOp *op) {
    IrValue a = op->args[0], b = op->args[1], c = op->args[2];
    double x;
    switch (op->opcode) {
    case OP_NEG:
        return fold_neg(f, a);
    case OP_ADD:
        return fold_add(f, op);
    case OP_SUB:
        return fold_sub(f, op);
    case OP_MUL:
        return fold_mul(f, op);
    case OP_DIV:
        return equals(f, b, 1) ? a : IR_NONE;
    case OP_POW:
        if (equals(f, b, 1)) return a;
        return equals(f, b, 2) ? point1(f, OP_SQUARE, a) : IR_NONE;
    case OP_SQUARE:
    case OP_ABS:
        if (is(f, a, OP_NEG) || is(f, a, OP_ABS)) return point1(f, op->opcode, at(f, a)->args[0]);
        return IR_NONE;
    case OP_SELECT:
        if (b == c) return b;
        if (known(f, a, &x)) return x != 0 ? b : c;
        return IR_NONE;
    default:
        return IR_NONE;
    }
}

static IrValue fold_point(Fold *f, const IrOp *op) {
    double x[3] = {0};
    int literal = 0;
    for (int i = 0; i < op->n_args; i++) literal += known(f, op->args[i], &x[i]);
    if (literal == op->n_args && op->opcode != OP_STOP_GRADIENT) {
        double value = ir_point_value(op->opcode, x[0], x[1], x[2]);
        if (op->type == IR_REAL) return uniform(f, value, op->axes, op->n_axes);
        if (is_truth(f, op)) return IR_NONE;
        return over_axes(f, make_truth(f, value != 0), op->axes, op->n_axes);
    }
    IrValue v = spread_later(f, op);
    if (v == IR_NONE) v = identity(f, op);
    return v == IR_NONE ? v : over_axes(f, v, op->axes, op->n_axes);
}

/* ---- reductions ---- */

static IrValue strip(const Fold *f, IrValue v) {
    return is(f, v, OP_SPREAD) ? at(f, v)->args[0] : v;
}

/* sum and max_over along an axis that a rename made: along what it was before. */
static IrValue fold_reduce_renamed(Fold *f, const IrOp *op) {
    const IrOp inner = *at(f, op->args[0]);
    AxisId over[IR_MAX_OVER] = {0};
    bool made = false;
    for (int i = 0; i < op->n_over; i++) {
        bool same = inner.opcode == OP_RENAME && inner.axis2 == op->over[i];
        over[i] = same ? inner.axis : op->over[i];
        made = made || same;
    }
    return made ? reduce(f, op, inner.args[0], over, op->n_over) : IR_NONE;
}

static IrValue times_extent(Fold *f, IrValue v, AxisId axis) {
    return point2(f, OP_MUL, v, emit(f, (IrOp){.opcode = OP_EXTENT, .axis = axis}));
}

static IrValue fold_sum(Fold *f, const IrOp *op, IrValue v) {
    const IrCountedSum sum = ir_counted_sum(f->q, v, op->over, op->n_over);
    double events = 1;
    for (int i = 0; i < sum.n_first; i++) v = times_extent(f, v, sum.first[i]);
    v = reduce(f, op, v, sum.own, sum.n_own);
    for (int i = 0; i < sum.n_last; i++)
        if (f->q->axes.data[sum.last[i]].kind == AXIS_EVENT)
            events *= (double)extent(f, sum.last[i]);
    if (events != 1) v = point2(f, OP_MUL, v, make_const(f, events));
    for (int i = 0; i < sum.n_last; i++)
        if (f->q->axes.data[sum.last[i]].kind != AXIS_EVENT) v = times_extent(f, v, sum.last[i]);
    return v;
}

/* sum and max_over of a spread value: over the axes it has itself; a sum is then counted for the
 * others. */
static IrValue fold_reduce(Fold *f, const IrOp *op) {
    IrValue a = op->args[0], bare = strip(f, a);
    AxisId own[IR_MAX_OVER] = {0};
    int n_own = 0;
    if (bare == a) return fold_reduce_renamed(f, op);
    for (int i = 0; i < op->n_over; i++)
        if (has(f, bare, op->over[i]))
            own[n_own++] = op->over[i];
        else if (f->q->axes.data[op->over[i]].kind == AXIS_DATA)
            return IR_NONE;
    IrValue v = op->opcode == OP_SUM ? fold_sum(f, op, bare) : reduce(f, op, bare, own, n_own);
    return over_axes(f, v, op->axes, op->n_axes);
}

/* A contraction whose operands share none of the axes summed over is a product of sums; spreads
 * that change nothing go. */
static IrValue fold_contract(Fold *f, const IrOp *op) {
    AxisId alone[2][IR_MAX_OVER];
    int n_alone[2] = {0, 0}, shared = 0;
    IrOp bare = *op;
    for (int i = 0; i < 2; i++) {
        IrValue v = strip(f, op->args[i]);
        bool same = true; /* does every axis of the spread come from the other operand? */
        for (int k = 0; k < at(f, op->args[i])->n_axes; k++) {
            AxisId axis = at(f, op->args[i])->axes[k];
            same = same && (has(f, v, axis) || has(f, bare.args[1 - i], axis));
        }
        if (same) bare.args[i] = v;
    }
    for (int i = 0; i < op->n_over; i++) {
        bool in_a = has(f, bare.args[0], op->over[i]), in_b = has(f, bare.args[1], op->over[i]);
        if (in_a && in_b)
            shared++;
        else
            alone[in_b][n_alone[in_b]++] = op->over[i];
    }
    if (shared == 0) {
        IrValue a = reduce(f, op, bare.args[0], alone[0], n_alone[0]);
        IrValue b = reduce(f, op, bare.args[1], alone[1], n_alone[1]);
        return over_axes(f, point2(f, OP_MUL, a, b), op->axes, op->n_axes);
    }
    if (bare.args[0] == op->args[0] && bare.args[1] == op->args[1]) return IR_NONE;
    return emit(f, bare);
}

/* ---- structural ---- */

/* Of a spread value: where the axis is the spread's own, nothing but the axes changes. */
static IrValue fold_view_of_spread(Fold *f, const IrOp *op) {
    IrValue bare = at(f, op->args[0])->args[0];
    if (op->opcode == OP_PLACE || has(f, bare, op->axis)) {
        IrOp inner = *op;
        inner.args[0] = bare;
        return over_axes(f, emit(f, inner), op->axes, op->n_axes);
    }
    if (op->opcode != OP_PAD) return over_axes(f, bare, op->axes, op->n_axes);
    if (at(f, op->args[0])->n_axes == at(f, bare)->n_axes + 1) return IR_NONE;
    IrOp inner = *op;
    inner.args[0] = over_axes(f, bare, &op->axis, 1);
    return over_axes(f, emit(f, inner), op->axes, op->n_axes);
}

static IrValue fold_pick(Fold *f, const IrOp *op) {
    const IrOp inner = *at(f, op->args[0]);
    IrValue x = inner.args[0];
    bool along2 = inner.axis2 == op->axis; /* the picked axis is what a rename, slice or pad made */
    switch (inner.opcode) {
    case OP_PLACE:
        if (inner.axis != op->axis) return IR_NONE;
        return inner.index == op->index ? x : uniform(f, 0, op->axes, op->n_axes);
    case OP_RENAME:
    case OP_SLICE:
        return along2 ? structural(f, OP_PICK, x, inner.axis, AXIS_NONE, inner.index + op->index)
                      : IR_NONE;
    case OP_PAD:
        if (!along2) return IR_NONE;
        if (op->index < inner.index || op->index >= inner.index + extent(f, inner.axis))
            return uniform(f, 0, op->axes, op->n_axes);
        return structural(f, OP_PICK, x, inner.axis, AXIS_NONE, op->index - inner.index);
    default:
        return IR_NONE;
    }
}

static IrValue fold_slice(Fold *f, const IrOp *op) {
    const IrOp inner = *at(f, op->args[0]);
    IrValue x = inner.args[0];
    int64_t n = extent(f, op->axis2), begin = op->index;
    if (n == extent(f, op->axis))
        return structural(f, OP_RENAME, op->args[0], op->axis, op->axis2, 0);
    if (inner.opcode == OP_PLACE && inner.axis == op->axis) {
        if (inner.index < begin || inner.index >= begin + n)
            return uniform(f, 0, op->axes, op->n_axes);
        return structural(f, OP_PLACE, x, op->axis2, AXIS_NONE, inner.index - begin);
    }
    if (inner.axis2 != op->axis) return IR_NONE;
    if (inner.opcode == OP_RENAME || inner.opcode == OP_SLICE)
        return structural(f, OP_SLICE, x, inner.axis, op->axis2, inner.index + begin);
    if (inner.opcode != OP_PAD) return IR_NONE;
    int64_t from = inner.index, to = from + extent(f, inner.axis);
    if (begin + n <= from || begin >= to) return uniform(f, 0, op->axes, op->n_axes);
    if (begin < from || begin + n > to) return IR_NONE;
    return inner.axis == op->axis2
               ? x
               : structural(f, OP_SLICE, x, inner.axis, op->axis2, begin - from);
}

static IrValue fold_structural(Fold *f, const IrOp *op) {
    const IrOp inner = *at(f, op->args[0]);
    double x;
    bool zeros = op->opcode == OP_PLACE || op->opcode == OP_PAD;
    if (known(f, op->args[0], &x) && op->type == IR_REAL && (!zeros || x == 0))
        return uniform(f, x, op->axes, op->n_axes);
    if (inner.opcode == OP_SPREAD) return fold_view_of_spread(f, op);
    switch (op->opcode) {
    case OP_PICK:
        return fold_pick(f, op);
    case OP_SLICE:
        return fold_slice(f, op);
    case OP_PLACE:
        return extent(f, op->axis) == 1 ? over_axes(f, op->args[0], &op->axis, 1) : IR_NONE;
    case OP_PAD:
        return extent(f, op->axis) == extent(f, op->axis2)
                   ? structural(f, OP_RENAME, op->args[0], op->axis, op->axis2, 0)
                   : IR_NONE;
    case OP_RENAME:
        if (inner.opcode != OP_RENAME || inner.axis2 != op->axis) return IR_NONE;
        return inner.axis == op->axis2
                   ? inner.args[0]
                   : structural(f, OP_RENAME, inner.args[0], inner.axis, op->axis2, 0);
    default:
        return IR_NONE;
    }
}

static IrValue fold_spread(Fold *f, const IrOp *op) {
    IrValue a = op->args[0];
    if (at(f, a)->n_axes == op->n_axes) return a;
    if (is(f, a, OP_SPREAD)) return over_axes(f, at(f, a)->args[0], op->axes, op->n_axes);
    return IR_NONE;
}

/* ---- the sweep ---- */

static IrValue simplify(Fold *f, const IrOp *op) {
    IrValue v = fold_tables(f, op);
    if (v != IR_NONE) return v;
    switch (ir_op_info[op->opcode].rule) {
    case RULE_LEAF:
        if (op->opcode == OP_EXTENT && f->q->axes.data[op->axis].kind == AXIS_EVENT)
            return make_const(f, (double)extent(f, op->axis));
        return IR_NONE;
    case RULE_RANDOM:
        return IR_NONE;
    case RULE_POINT:
        return fold_point(f, op);
    case RULE_REDUCE:
        return fold_reduce(f, op);
    case RULE_CONTRACT:
        return fold_contract(f, op);
    case RULE_SPREAD:
        return fold_spread(f, op);
    default:
        return fold_structural(f, op);
    }
}

/* The value of an operation over folded operands: an old value, or a new one. */
static IrValue emit(Fold *f, IrOp op) {
    op.note = f->note;
    const char *why = ir_infer(f->q, &op, f->q->ops.n);
    if (why) internal_error("fold", "program %s, operation %%%d: %s", f->q->name, f->q->ops.n, why);
    IrValue v = simplify(f, &op);
    return v == IR_NONE ? rewrite_append(f->q, op) : v;
}

IrProgram *opt_fold(const IrProgram *p) {
    KnownList list = {0};
    Fold f = {.q = ir_program_like(p), .known = &list};
    IrValue *map = arena_array(p->arena, IrValue, p->ops.n + 1);
    for (IrValue v = 0; v < p->ops.n; v++) {
        f.note = p->ops.data[v].note;
        map[v] = emit(&f, rewrite_operands(&p->ops.data[v], map));
    }
    rewrite_outputs(f.q, p, map);
    return f.q;
}
