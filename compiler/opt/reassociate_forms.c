/* reassociate_forms.c -- see reassociate.h.
 *
 * A form is v = sum_t sum_over base_t * matrix_t + offset. Each rule below says how the form of a
 * value follows from that of its operands; all are exact in real arithmetic, for values and for
 * derivatives.
 *
 * Of two factors, the base is the one with more instances: the rules move maps past maps, never
 * data past data. An axis that a term sums over is bound there: where an outer rule speaks of an
 * axis of the same name, the bound one is renamed to another of equal extent.
 *
 * Weighted means. For weights e, whatever they are, A(y) = sum_o e y / sum_o e is linear in y, and
 * A(c) = c where c lacks o. So A(x W + c) = A(x) W + c where W lacks o, too. The sum may be taken
 * about any centre m that lacks o, A(y) = sum_o e (y - m) / sum_o e + m: the right side does not
 * depend on m, its derivative with respect to m is zero, so that m is free to be chosen, and is no
 * longer differentiated. The mean of x is, which keeps what x has in common out of the adjoints of
 * e (dual/layers.c). Where e = exp(s - max_o s), e / sum_o e stays as it is when something that
 * lacks o is added to s, and the derivative with respect to that is zero.
 */
#include "opt/reassociate.h"

/* ------------------------------------------------------------------ looking */

static IrOp op_of(const Algebra *a, IrValue v) {
    IrOp op = a->p->ops.data[v];
    for (int i = 0; i < op.n_args; i++) op.args[i] = algebra_now(a, op.args[i]);
    return op;
}

static bool has(const Algebra *a, IrValue v, AxisId axis) {
    return v != IR_NONE && ir_has_axis(a->p, v, axis);
}

static bool has_any(const Algebra *a, IrValue v, const AxisId *axes, int n) {
    for (int i = 0; i < n; i++)
        if (has(a, v, axes[i])) return true;
    return false;
}

static bool has_all(const Algebra *a, IrValue v, const AxisId *axes, int n) {
    for (int i = 0; i < n; i++)
        if (!has(a, v, axes[i])) return false;
    return true;
}

/* Usual number of instances: the extents that are known at run time. */
static double instances(const Algebra *a, IrValue v) {
    const IrOp *op = &a->p->ops.data[v];
    double n = 1;
    for (int i = 0; i < op->n_axes; i++)
        if (a->p->axes.data[op->axes[i]].kind != AXIS_EVENT) n *= algebra_extent(a, op->axes[i]);
    return n;
}

static bool is_partial(const Algebra *a, IrValue v) {
    return v < a->n_given && a->partial[v];
}

/* ------------------------------------------------------------------ making: IR_NONE of IR_NONE */

static IrValue point(Algebra *a, IrOpcode opcode, IrValue x, IrValue y) {
    return algebra_append(a, (IrOp){.opcode = opcode, .n_args = 2, .args = {x, y}});
}

static IrValue unary(Algebra *a, IrOpcode opcode, IrValue x) {
    return algebra_append(a, (IrOp){.opcode = opcode, .n_args = 1, .args = {x}});
}

static IrValue constant(Algebra *a, double number) {
    return algebra_append(a, (IrOp){.opcode = OP_CONST, .number = number});
}

static IrValue reduce(Algebra *a, IrOpcode opcode, IrValue x, const AxisId *over, int n) {
    if (!n) return x;
    IrOp op = {.opcode = opcode, .n_args = 1, .args = {x}, .n_over = n};
    memcpy(op.over, over, sizeof *over * (size_t)n);
    return algebra_append(a, op);
}

static IrValue contract(Algebra *a, IrValue x, IrValue y, const AxisId *over, int n) {
    if (!n) return point(a, OP_MUL, x, y);
    IrOp op = {.opcode = OP_CONTRACT, .n_args = 2, .args = {x, y}, .n_over = n};
    memcpy(op.over, over, sizeof *over * (size_t)n);
    return algebra_append(a, op);
}

/* Either may be IR_NONE, which stands for zero. */
static IrValue plus(Algebra *a, IrValue x, IrValue y) {
    return x == IR_NONE ? y : y == IR_NONE ? x : point(a, OP_ADD, x, y);
}

static IrValue times_extent(Algebra *a, IrValue x, AxisId axis) {
    const IrAxis of = a->p->axes.data[axis];
    IrValue size = of.kind == AXIS_EVENT
                       ? constant(a, (double)of.extent)
                       : algebra_append(a, (IrOp){.opcode = OP_EXTENT, .axis = axis});
    return point(a, OP_MUL, x, size);
}

/* The sum of x over `axes`, of which it may lack some. IR_NONE along data sets. */
static IrValue sum_at(Algebra *a, IrValue x, const AxisId *axes, int n) {
    const IrCountedSum sum = ir_counted_sum(a->p, x, axes, n);
    for (int i = 0; i < sum.n_first; i++) x = times_extent(a, x, sum.first[i]);
    x = reduce(a, OP_SUM, x, sum.own, sum.n_own);
    for (int i = 0; i < sum.n_last; i++) {
        if (a->p->axes.data[sum.last[i]].kind == AXIS_DATA) return IR_NONE;
        x = times_extent(a, x, sum.last[i]);
    }
    return x;
}

IrValue form_value(Algebra *a, const Form *f) {
    IrValue sum = IR_NONE;
    for (int i = 0; i < f->n; i++) {
        const Term *t = &f->terms[i];
        IrValue product = contract(a, t->base, t->matrix, t->over, t->n_over);
        if (product == IR_NONE) return IR_NONE;
        sum = plus(a, sum, product);
        if (sum == IR_NONE) return IR_NONE;
    }
    return plus(a, sum, f->offset);
}

/* ------------------------------------------------------------------ bound axes */

/* An event axis of the same extent that neither the term nor `taken` has. */
static AxisId other_axis(Algebra *a, const Term *t, AxisId like, const AxisId *taken, int n) {
    int64_t extent = a->p->axes.data[like].extent;
    for (int k = 0; k < IR_MAX_AXES; k++) {
        const char *name = arena_printf(a->p->arena, "bound.%lld.%d", (long long)extent, k);
        AxisId known = ir_axis_find(a->p, name);
        if (known == AXIS_NONE) return ir_axis(a->p, name, AXIS_EVENT, AXIS_NONE, extent);
        if (a->p->axes.data[known].kind == AXIS_EVENT && a->p->axes.data[known].extent == extent &&
            !has(a, t->base, known) && !has(a, t->matrix, known) &&
            !ir_axis_among(t->over, t->n_over, known) && !ir_axis_among(taken, n, known))
            return known;
    }
    return AXIS_NONE;
}

static IrValue renamed(Algebra *a, IrValue x, AxisId from, AxisId to) {
    if (!has(a, x, from)) return x;
    return algebra_append(
        a, (IrOp){.opcode = OP_RENAME, .n_args = 1, .args = {x}, .axis = from, .axis2 = to});
}

/* Binds other axes in the place of those among `taken`. */
static bool avoid(Algebra *a, Term *t, const AxisId *taken, int n) {
    for (int i = 0; i < t->n_over; i++) {
        AxisId from = t->over[i];
        if (!ir_axis_among(taken, n, from)) continue;
        if (a->p->axes.data[from].kind != AXIS_EVENT) return false;
        AxisId to = other_axis(a, t, from, taken, n);
        if (to == AXIS_NONE) return false;
        t->base = renamed(a, t->base, from, to);
        t->matrix = renamed(a, t->matrix, from, to);
        t->over[i] = to;
        if (t->base == IR_NONE || t->matrix == IR_NONE) return false;
    }
    return true;
}

static bool avoid_axes_of(Algebra *a, Form *f, IrValue v) {
    const IrOp op = op_of(a, v);
    for (int i = 0; i < f->n; i++)
        if (!avoid(a, &f->terms[i], op.axes, op.n_axes)) return false;
    return true;
}

/* ------------------------------------------------------------------ contractions */

/* sum_over (sum_bound base * W) * M = sum_(bound, over of the base) base * (sum_(the rest of over)
 * W * M): products are associative, sums over different axes commute. An axis of `over` that
 * neither the term nor M has would count its positions, and is left alone. */
static bool term_times(Algebra *a, Term *t, IrValue m, const AxisId *over, int n) {
    const IrOp map = op_of(a, m);
    AxisId inner[IR_MAX_OVER];
    int n_inner = 0;
    if (!avoid(a, t, map.axes, map.n_axes) || !avoid(a, t, over, n)) return false;
    for (int i = 0; i < n; i++) {
        if (has(a, t->base, over[i])) {
            if (t->n_over == IR_MAX_OVER) return false;
            t->over[t->n_over++] = over[i];
        } else if (has(a, t->matrix, over[i]) || has(a, m, over[i])) {
            inner[n_inner++] = over[i];
        } else {
            return false;
        }
    }
    t->matrix = contract(a, t->matrix, m, inner, n_inner);
    return t->matrix != IR_NONE;
}

static bool form_times(Algebra *a, Form *f, IrValue m, const AxisId *over, int n) {
    for (int i = 0; i < f->n; i++)
        if (!term_times(a, &f->terms[i], m, over, n)) return false;
    if (f->offset == IR_NONE) return true;
    for (int i = 0; i < n; i++)
        if (!has(a, f->offset, over[i]) && !has(a, m, over[i])) return false;
    f->offset = contract(a, f->offset, m, over, n);
    return f->offset != IR_NONE;
}

static bool form_of_contract(Algebra *a, const IrOp *op, int depth, Form *f) {
    IrValue x = op->args[0], y = op->args[1];
    double of_x = instances(a, x), of_y = instances(a, y);
    if (of_x == of_y) return false;
    IrValue base = of_x > of_y ? x : y, matrix = of_x > of_y ? y : x;
    if (depth > 0 && form_of(a, base, depth - 1, f) &&
        form_times(a, f, matrix, op->over, op->n_over))
        return true;
    a->deeper |= depth == 0;
    *f = (Form){.n = 1, .offset = IR_NONE};
    f->terms[0] = (Term){.base = base, .matrix = matrix, .n_over = op->n_over};
    memcpy(f->terms[0].over, op->over, sizeof op->over);
    return true;
}

/* ------------------------------------------------------------------ sums and scales */

static bool negate(Algebra *a, Form *f) {
    for (int i = 0; i < f->n; i++) {
        f->terms[i].matrix = unary(a, OP_NEG, f->terms[i].matrix);
        if (f->terms[i].matrix == IR_NONE) return false;
    }
    if (f->offset == IR_NONE) return true;
    f->offset = unary(a, OP_NEG, f->offset);
    return f->offset != IR_NONE;
}

/* Operands with fewer instances than the result are offsets, the others have forms of their own. */
static bool form_of_sum(Algebra *a, IrValue v, const IrOp *op, int depth, Form *f) {
    double all = instances(a, v);
    *f = (Form){.n = 0, .offset = IR_NONE};
    for (int i = 0; i < 2; i++) {
        Form part = {.n = 0, .offset = op->args[i]};
        if (instances(a, op->args[i]) == all && !form_of(a, op->args[i], depth, &part))
            return false;
        if (i == 1 && op->opcode == OP_SUB && !negate(a, &part)) return false;
        if (f->n + part.n > FORM_TERMS) return false;
        for (int k = 0; k < part.n; k++) f->terms[f->n++] = part.terms[k];
        bool any = f->offset != IR_NONE || part.offset != IR_NONE;
        f->offset = plus(a, f->offset, part.offset);
        if (any && f->offset == IR_NONE) return false;
    }
    return f->n > 0;
}

/* A factor with fewer instances goes into the maps; another one into the base, if it is that
 * alone. */
static bool scale(Algebra *a, Form *f, IrValue factor, bool into_base) {
    const IrOp op = op_of(a, factor);
    if (!avoid_axes_of(a, f, factor)) return false;
    if (into_base) {
        if (f->n != 1 || f->offset != IR_NONE || !has_all(a, f->terms[0].base, op.axes, op.n_axes))
            return false;
        f->terms[0].base = point(a, OP_MUL, f->terms[0].base, factor);
        return f->terms[0].base != IR_NONE;
    }
    for (int i = 0; i < f->n; i++) {
        f->terms[i].matrix = point(a, OP_MUL, f->terms[i].matrix, factor);
        if (f->terms[i].matrix == IR_NONE) return false;
    }
    if (f->offset == IR_NONE) return true;
    f->offset = point(a, OP_MUL, f->offset, factor);
    return f->offset != IR_NONE;
}

static bool form_of_product(Algebra *a, IrValue v, const IrOp *op, int depth, Form *f) {
    double all = instances(a, v);
    for (int i = 0; i < 2; i++) {
        IrValue x = op->args[i], factor = op->args[1 - i];
        if (instances(a, x) == all && form_of(a, x, depth, f) &&
            scale(a, f, factor, instances(a, factor) == all))
            return true;
    }
    return false;
}

/* sum_o (base W) = (sum_o base) W where W lacks o. */
static bool form_of_reduction(Algebra *a, const IrOp *op, int depth, Form *f) {
    if (!form_of(a, op->args[0], depth, f)) return false;
    for (int i = 0; i < f->n; i++) {
        Term *t = &f->terms[i];
        if (!avoid(a, t, op->over, op->n_over) || has_any(a, t->matrix, op->over, op->n_over) ||
            !has_all(a, t->base, op->over, op->n_over))
            return false;
        t->base = reduce(a, OP_SUM, t->base, op->over, op->n_over);
        if (t->base == IR_NONE) return false;
    }
    if (f->offset == IR_NONE) return true;
    f->offset = sum_at(a, f->offset, op->over, op->n_over);
    return f->offset != IR_NONE;
}

/* A view acts on whatever has the axis that it speaks of; what lacks it is constant along it. */
static bool form_of_view(Algebra *a, const IrOp *op, int depth, Form *f) {
    AxisId taken[2] = {op->axis, op->axis2};
    int n = op->axis2 == AXIS_NONE ? 1 : 2;
    if (!form_of(a, op->args[0], depth, f)) return false;
    for (int i = 0; i <= f->n; i++) {
        Term *t = i < f->n ? &f->terms[i] : NULL;
        IrValue *parts[2] = {t ? &t->base : &f->offset, t ? &t->matrix : &f->offset};
        if (t && !avoid(a, t, taken, n)) return false;
        for (int k = 0; k < (t ? 2 : 1); k++) {
            if (!has(a, *parts[k], op->axis)) continue;
            IrOp view = *op;
            view.args[0] = *parts[k];
            *parts[k] = algebra_append(a, view);
            if (*parts[k] == IR_NONE) return false;
        }
    }
    return true;
}

/* ------------------------------------------------------------------ weighted means */

typedef struct Mean {
    IrValue weights, y, centre; /* y: IR_NONE: the weights themselves; centre: IR_NONE: zero */
    int n_over;
    AxisId over[IR_MAX_OVER];
} Mean;

static bool same_over(const IrOp *x, const IrOp *y) {
    return x->n_over == y->n_over &&
           !memcmp(x->over, y->over, sizeof x->over[0] * (size_t)x->n_over);
}

/* sum_o e y * recip(sum_o e), or e * recip(sum_o e), operands either way round. */
static bool is_ratio(const Algebra *a, IrValue v, Mean *m) {
    const IrOp product = op_of(a, v);
    for (int i = 0; i < 2 && product.opcode == OP_MUL; i++) {
        const IrOp sum = op_of(a, product.args[i]), recip = op_of(a, product.args[1 - i]);
        if (recip.opcode != OP_RECIP) continue;
        const IrOp norm = op_of(a, recip.args[0]);
        if (norm.opcode != OP_SUM || is_partial(a, norm.args[0])) continue;
        *m = (Mean){.weights = norm.args[0], .y = IR_NONE, .centre = IR_NONE};
        m->n_over = norm.n_over;
        memcpy(m->over, norm.over, sizeof norm.over);
        if (product.args[i] == norm.args[0]) return true;
        if (sum.opcode != OP_CONTRACT || !same_over(&sum, &norm)) continue;
        for (int k = 0; k < 2; k++) {
            if (sum.args[k] != norm.args[0]) continue;
            m->y = sum.args[1 - k];
            return has_all(a, m->y, m->over, m->n_over);
        }
    }
    return false;
}

/* The same about a centre, or not. */
static bool is_mean(const Algebra *a, IrValue v, Mean *m) {
    IrOpcode opcode = a->p->ops.data[v].opcode;
    if (opcode != OP_ADD && opcode != OP_MUL) return false;
    const IrOp op = op_of(a, v);
    for (int i = 0; i < 2 && op.opcode == OP_ADD; i++) {
        IrValue centre = op.args[1 - i];
        if (!is_ratio(a, op.args[i], m) || m->y == IR_NONE) continue;
        const IrOp about = op_of(a, m->y);
        if (about.opcode != OP_SUB || about.args[1] != centre ||
            has_any(a, centre, m->over, m->n_over))
            continue;
        m->y = about.args[0];
        m->centre = centre;
        return has_all(a, m->y, m->over, m->n_over);
    }
    if (!is_ratio(a, v, m)) return false;
    if (m->y == IR_NONE) return true;
    const IrOp about = op_of(a, m->y); /* a part of a mean about a centre is left to the whole */
    return about.opcode != OP_SUB || has_any(a, about.args[1], m->over, m->n_over);
}

static IrValue mean_of(Algebra *a, const Mean *m, IrValue weights, IrValue y, IrValue centre) {
    IrValue about = centre == IR_NONE ? y : point(a, OP_SUB, y, centre);
    IrValue sum = y == IR_NONE ? weights : contract(a, weights, about, m->over, m->n_over);
    IrValue norm = unary(a, OP_RECIP, reduce(a, OP_SUM, weights, m->over, m->n_over));
    IrValue v = point(a, OP_MUL, sum, norm);
    return v == IR_NONE ? v : plus(a, v, centre);
}

/* The unweighted mean, as a constant to derivatives. */
static IrValue centre_of(Algebra *a, const Mean *m, IrValue y) {
    IrValue size = sum_at(a, constant(a, 1), m->over, m->n_over);
    IrValue sum = reduce(a, OP_SUM, y, m->over, m->n_over);
    return unary(a, OP_STOP_GRADIENT, point(a, OP_MUL, sum, unary(a, OP_RECIP, size)));
}

/* A(x W + c) = A(x) W + c; see the top. */
static bool form_of_mean(Algebra *a, const Mean *m, int depth, Form *f) {
    if (!form_of(a, m->y, depth, f) || has_any(a, f->offset, m->over, m->n_over) ||
        !avoid_axes_of(a, f, m->weights))
        return false;
    for (int i = 0; i < f->n; i++) {
        Term *t = &f->terms[i];
        if (!avoid(a, t, m->over, m->n_over) || has_any(a, t->matrix, m->over, m->n_over) ||
            !has_all(a, t->base, m->over, m->n_over))
            return false;
        IrValue centre = m->centre == IR_NONE ? IR_NONE : centre_of(a, m, t->base);
        if (m->centre != IR_NONE && centre == IR_NONE) return false;
        t->base = mean_of(a, m, m->weights, t->base, centre);
        if (t->base == IR_NONE) return false;
    }
    return true;
}

/* ------------------------------------------------------------------ scores */

/* Sums on the way to the scores of which one summand lacks the axes of the softmax: what it gives
 * the scores lacks them, too, as long as all factors on the way do. */
typedef struct Shift {
    const Mean *mean;
    IrValue target; /* of these sums, the one that loses the summand; IR_NONE: they are collected */
    int n;
    IrValue sums[FORM_SHIFTS];
} Shift;

static void collect(Shift *h, IrValue sum) {
    for (int i = 0; i < h->n; i++)
        if (h->sums[i] == sum) return;
    if (h->n < FORM_SHIFTS) h->sums[h->n++] = sum;
}

static bool varies(const Algebra *a, const Shift *h, IrValue v) {
    return has_any(a, v, h->mean->over, h->mean->n_over);
}

/* s without that summand; s itself where it does not occur. */
static IrValue without(Algebra *a, Shift *h, IrValue s) {
    if (!varies(a, h, s) || a->patience-- <= 0 || is_partial(a, s)) return s;
    const IrOp op = op_of(a, s);
    IrValue part[2] = {op.args[0], op.args[1]};
    bool sum = op.opcode == OP_ADD || op.opcode == OP_SUB;
    if (!sum && op.opcode != OP_MUL && op.opcode != OP_CONTRACT) return s;
    for (int i = 0; sum && i < 2; i++) {
        if (varies(a, h, op.args[i])) continue;
        if (h->target == IR_NONE) collect(h, s);
        if (h->target != s) continue;
        return i == 1 || op.opcode == OP_ADD ? op.args[1 - i] : unary(a, OP_NEG, op.args[1]);
    }
    for (int i = 0; i < 2; i++)
        if (sum || !varies(a, h, op.args[1 - i])) part[i] = without(a, h, op.args[i]);
    if (part[0] == op.args[0] && part[1] == op.args[1]) return s;
    if (sum) return point(a, op.opcode, part[0], part[1]);
    for (int i = 0; i < op.n_over; i++) /* else positions would be counted */
        if (!has(a, part[0], op.over[i]) && !has(a, part[1], op.over[i])) return s;
    return contract(a, part[0], part[1], op.over, op.n_over);
}

IrValue form_unshifted(Algebra *a, IrValue v, int which) {
    Mean m;
    if (!is_mean(a, v, &m)) return IR_NONE;
    const IrOp e = op_of(a, m.weights);
    if (e.opcode != OP_EXP) return IR_NONE;
    const IrOp shifted = op_of(a, e.args[0]);
    if (shifted.opcode != OP_SUB) return IR_NONE;
    const IrOp stop = op_of(a, shifted.args[1]);
    if (stop.opcode != OP_STOP_GRADIENT) return IR_NONE;
    const IrOp top = op_of(a, stop.args[0]);
    if (top.opcode != OP_MAX_OVER || top.args[0] != shifted.args[0] || top.n_over != m.n_over ||
        memcmp(top.over, m.over, sizeof top.over[0] * (size_t)m.n_over))
        return IR_NONE;
    Shift h = {.mean = &m, .target = IR_NONE};
    int patience = a->patience;
    without(a, &h, top.args[0]);
    if (which >= h.n) return IR_NONE;
    h.target = h.sums[which];
    a->patience = patience;
    IrValue s = without(a, &h, top.args[0]);
    IrValue largest = unary(a, OP_STOP_GRADIENT, reduce(a, OP_MAX_OVER, s, m.over, m.n_over));
    IrValue weights = unary(a, OP_EXP, point(a, OP_SUB, s, largest));
    return mean_of(a, &m, weights, m.y, m.centre);
}

/* ------------------------------------------------------------------ which rule */

bool form_of(Algebra *a, IrValue v, int depth, Form *f) {
    if (v == IR_NONE || a->patience-- <= 0) return false;
    v = algebra_now(a, v);
    const IrOp op = op_of(a, v);
    Mean m;
    for (int i = 0; i < op.n_args; i++)
        if (is_partial(a, op.args[i])) return false;
    if (op.type != IR_REAL || is_partial(a, v)) return false;
    if (is_mean(a, v, &m) && m.y != IR_NONE && form_of_mean(a, &m, depth, f)) return true;
    switch (op.opcode) {
    case OP_CONTRACT:
        return form_of_contract(a, &op, depth, f);
    case OP_ADD:
    case OP_SUB:
        return form_of_sum(a, v, &op, depth, f);
    case OP_MUL:
        return form_of_product(a, v, &op, depth, f);
    case OP_NEG:
        return form_of(a, op.args[0], depth, f) && negate(a, f);
    case OP_SUM:
        return form_of_reduction(a, &op, depth, f);
    case OP_RENAME:
    case OP_PICK:
    case OP_SLICE:
        return form_of_view(a, &op, depth, f);
    default:
        return false;
    }
}
