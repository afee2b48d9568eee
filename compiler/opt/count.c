/* count.c -- see count.h.
 *
 * Of every value it is known, axis by axis, at which positions it can differ from zero: what place
 * and pad leave is a box, and so are products, slices and sums of boxes along one axis. Where a sum
 * of boxes is none (they lie apart in two axes), their hull stands for it. */
#include "opt/count.h"

/* Positions of an event axis that may hold numbers other than zero. */
typedef struct Box {
    AxisId axis;
    const bool *at;
} Box;

/* Axes that are not named live everywhere. */
typedef struct Live {
    bool zero; /* nowhere */
    VEC(Box) boxes;
} Live;

typedef struct Counter {
    Arena *arena;
    const IrProgram *p;
    Live *live; /* by value */
    Count count;
} Counter;

static const IrAxis *axis_of(const Counter *c, AxisId axis) {
    return &c->p->axes.data[axis];
}

/* ---- terms ---- */

static void multiply(const Counter *c, CountTerm *term, AxisId axis, const bool *live) {
    const IrAxis *a = axis_of(c, axis);
    if (a->kind == AXIS_EVENT) {
        int64_t n = live ? 0 : a->extent;
        for (int64_t i = 0; live && i < a->extent; i++) n += live[i];
        term->coef *= n;
        return;
    }
    AxisId of = ir_axis_original(c->p, axis);
    int at = term->n_axes++;
    for (; at > 0 && term->axes[at - 1] > of; at--) term->axes[at] = term->axes[at - 1];
    term->axes[at] = of;
}

/* < 0, 0, > 0: fewer axes first, then by axis. */
static int compare(const CountTerm *a, const CountTerm *b) {
    if (a->n_axes != b->n_axes) return a->n_axes - b->n_axes;
    for (int i = 0; i < a->n_axes; i++)
        if (a->axes[i] != b->axes[i]) return a->axes[i] - b->axes[i];
    return 0;
}

/* All instances of a ragged plate are counted: with those of the plates around it. */
static CountTerm by_rows(const Counter *c, CountTerm term) {
    int kept = 0;
    for (int i = 0; i < term.n_axes; i++) {
        bool counted = false;
        for (int k = 0; k < term.n_axes; k++)
            counted |= axis_of(c, term.axes[k])->ragged &&
                       ir_axis_around(c->p, term.axes[i], term.axes[k]);
        if (!counted) term.axes[kept++] = term.axes[i];
    }
    term.n_axes = kept;
    return term;
}

static void add_term(const Counter *c, CountTerms *terms, const CountTerm *whole) {
    int at = 0;
    const CountTerm rows = by_rows(c, *whole), *term = &rows;
    if (!term->coef) return;
    while (at < terms->n && compare(&terms->data[at], term) < 0) at++;
    if (at < terms->n && !compare(&terms->data[at], term)) {
        terms->data[at].coef += term->coef;
        return;
    }
    vec_push(c->arena, terms, *term);
    for (int i = terms->n - 1; i > at; i--) terms->data[i] = terms->data[i - 1];
    terms->data[at] = *term;
}

/* ---- where values live ---- */

static const bool *both(const Counter *c, AxisId axis, const bool *a, const bool *b) {
    if (!a || !b) return a ? a : b;
    int64_t n = axis_of(c, axis)->extent;
    bool *out = arena_array(c->arena, bool, n);
    for (int64_t i = 0; i < n; i++) out[i] = a[i] && b[i];
    return out;
}

static const bool *either(const Counter *c, AxisId axis, const bool *a, const bool *b) {
    if (!a || !b) return NULL;
    int64_t n = axis_of(c, axis)->extent;
    bool *out = arena_array(c->arena, bool, n);
    for (int64_t i = 0; i < n; i++) out[i] = a[i] || b[i];
    return out;
}

/* NULL: everywhere. */
static const bool *live_at(const Live *l, AxisId axis) {
    for (int i = 0; i < l->boxes.n; i++)
        if (l->boxes.data[i].axis == axis) return l->boxes.data[i].at;
    return NULL;
}

/* Once per axis of a value that is being built. */
static void set_live(const Counter *c, Live *l, AxisId axis, const bool *live) {
    bool any = false;
    if (!live) return;
    for (int64_t i = 0; i < axis_of(c, axis)->extent; i++) any |= live[i];
    if (!any) l->zero = true;
    vec_push(c->arena, &l->boxes, (Box){axis, live});
}

/* positions `from`, moved by `by`, along an axis of n positions */
static const bool *moved(const Counter *c, AxisId to, AxisId from, const bool *live, int64_t by) {
    int64_t n = axis_of(c, to)->extent, m = axis_of(c, from)->extent;
    bool *out = arena_array(c->arena, bool, n);
    for (int64_t i = 0; i < m; i++)
        if (i + by >= 0 && i + by < n) out[i + by] = !live || live[i];
    return out;
}

static Live join(const Counter *c, const IrOp *op, const Live *a, const Live *b, bool sum) {
    Live out = {.zero = sum ? a->zero && b->zero : a->zero || b->zero};
    if (sum && (a->zero || b->zero)) return a->zero ? *b : *a;
    for (int i = 0; i < op->n_axes; i++) {
        AxisId axis = op->axes[i];
        const bool *x = live_at(a, axis), *y = live_at(b, axis);
        set_live(c, &out, axis, sum ? either(c, axis, x, y) : both(c, axis, x, y));
    }
    return out;
}

static Live structural(const Counter *c, const IrOp *op) {
    const Live *arg = &c->live[op->args[0]];
    const IrOp *from = &c->p->ops.data[op->args[0]];
    Live out = {.zero = arg->zero};
    for (int i = 0; i < from->n_axes; i++)
        if (from->axes[i] != op->axis)
            set_live(c, &out, from->axes[i], live_at(arg, from->axes[i]));
    const bool *live = live_at(arg, op->axis);
    switch (ir_op_info[op->opcode].rule) {
    case RULE_RENAME:
        set_live(c, &out, op->axis2, live);
        break;
    case RULE_PICK:
        if (live && !live[op->index]) out.zero = true;
        break;
    case RULE_PLACE: {
        bool *one = arena_array(c->arena, bool, axis_of(c, op->axis)->extent);
        one[op->index] = true;
        set_live(c, &out, op->axis, one);
        break;
    }
    case RULE_SLICE:
        if (live) set_live(c, &out, op->axis2, moved(c, op->axis2, op->axis, live, -op->index));
        break;
    case RULE_PAD:
        set_live(c, &out, op->axis2, moved(c, op->axis2, op->axis, live, op->index));
        break;
    default:
        break;
    }
    return out;
}

/* ---- operations ---- */

/* `each` for every position of op's axes, and of `over`, at which `where` lives. */
static void charge(Counter *c, CountTerms *to, int64_t each, const IrOp *op, const Live *where) {
    CountTerm term = {.coef = where->zero ? 0 : each};
    for (int i = 0; i < op->n_axes; i++)
        multiply(c, &term, op->axes[i], live_at(where, op->axes[i]));
    for (int i = 0; i < op->n_over; i++)
        multiply(c, &term, op->over[i], live_at(where, op->over[i]));
    add_term(c, to, &term);
}

static Live count_point(Counter *c, const IrOp *op) {
    IrCost cost = ir_op_info[op->opcode].cost;
    const Live none = {0}, *a = &c->live[op->args[0]];
    const Live *b = op->n_args > 1 ? &c->live[op->args[1]] : &none;
    CountTerms *to = cost == COST_FLOP ? &c->count.flop : &c->count.functions;
    switch (op->opcode) {
    case OP_NEG:
    case OP_STOP_GRADIENT:
        return *a;
    case OP_MUL:
    case OP_ADD:
    case OP_SUB: {
        Live overlap = join(c, op, a, b, false);
        charge(c, to, 1, op, &overlap);
        return op->opcode == OP_MUL ? overlap : join(c, op, a, b, true);
    }
    default: /* zero or not, it is computed, and need not stay zero */
        if (cost != COST_NONE) charge(c, to, 1, op, &none);
        return none;
    }
}

static Live count_reduction(Counter *c, const IrOp *op) {
    const Live *a = &c->live[op->args[0]];
    Live space = *a, out = {0};
    if (op->opcode == OP_CONTRACT) {
        IrOp all = *op; /* over the axes of the result and those summed */
        for (int i = 0; i < op->n_over; i++) all.axes[i] = op->over[i];
        all.n_axes = op->n_over;
        Live summed = join(c, &all, a, &c->live[op->args[1]], false);
        space = join(c, op, a, &c->live[op->args[1]], false);
        for (int i = 0; i < op->n_over; i++)
            set_live(c, &space, op->over[i], live_at(&summed, op->over[i]));
        space.zero |= summed.zero;
    } else if (op->opcode == OP_MAX_OVER) {
        space = out; /* zeros may be the largest */
    }
    charge(c, &c->count.flop, op->opcode == OP_CONTRACT ? 2 : 1, op, &space);
    for (int i = 0; i < op->n_axes; i++)
        set_live(c, &out, op->axes[i], live_at(&space, op->axes[i]));
    out.zero = space.zero;
    return out;
}

static Live count_op(Counter *c, const IrOp *op) {
    switch (ir_op_info[op->opcode].rule) {
    case RULE_POINT:
        return count_point(c, op);
    case RULE_REDUCE:
    case RULE_CONTRACT:
        return count_reduction(c, op);
    case RULE_RENAME:
    case RULE_PICK:
    case RULE_PLACE:
    case RULE_SLICE:
    case RULE_PAD:
    case RULE_SPREAD:
        return structural(c, op);
    case RULE_LEAF:
    case RULE_RANDOM:
        break;
    }
    return (Live){0};
}

Count opt_count(Arena *arena, const IrProgram *p) {
    Counter c = {.arena = arena, .p = p};
    c.live = arena_array(arena, Live, p->ops.n + 1);
    for (int i = 0; i < p->ops.n; i++) c.live[i] = count_op(&c, &p->ops.data[i]);
    return c.count;
}
