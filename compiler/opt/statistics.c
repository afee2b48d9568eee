/* statistics.c -- sums of quadratic terms as functions of sufficient statistics.
 *
 * A sum over an axis A of l * m, both affine in values u that vary along A and lack another axis B
 * of the product, with coefficients that do not vary along A:
 *
 *     l = c_0 + sum_i c_i u_i     m = c'_0 + sum_i c'_i u_i
 *     sum over A of l m = n l(mean u) m(mean u) + sum_k b_k b'_k S_k
 *
 * n is the extent of A; e_k is an orthogonal basis of the centred u (Gram and Schmidt), S_k the
 * sum of squares of e_k over A, b_k the coefficient of e_k in l. What has A now lacks B, and what
 * has B lacks A: the space A x B is gone, from this program and from its derivative. A normal's
 * observations (u = x, B = draws) become (n, mean, centred sum of squares); a regression's become
 * these of the covariates and of the residuals of the least-squares fit. A sum of l alone is n
 * l(mean u). Nothing else is recognised: no distribution, no name.
 *
 * Nothing cancels. Raw moments would (sum x^2 - 2 mu sum x + n mu^2 with a mean of 1e4 and a
 * deviation of 1 leaves nothing in f32), centred cross moments would where a regression fits well
 * (S_yy - 2 b S_xy + b^2 S_xx); squares in an orthogonal basis are only added. The mean is
 * taken twice, the second time of u less the first, so that it is off by half a unit in its last
 * place: l(mean u) is as exact as the least exact of u and of what is subtracted from it. Squares
 * are taken of u itself, before it meets a scale: in f32, deviations lie within 1e-18 and 1e18.
 */
#include "opt/opt.h"
#include "opt/rewrite.h"

enum {
    MAX_ATOMS = 4,    /* values u of one product: their moments are computed at every instance */
    MAX_VISITS = 400, /* of values, looking at one sum: densities have some tens */
    MAX_TERMS = 400   /* into which one sum is taken apart: values of many users count each time */
};

typedef struct Mean {
    IrValue of, mean;
    AxisId over;
} Mean;
typedef VEC(Mean) Means;

typedef struct Statistics {
    IrProgram *p;
    AxisId over;    /* A */
    AxisId lacking; /* B */
    int budget;     /* visits left */
    int terms;      /* that the sum may still have */
    Means *means;   /* that were made */
} Statistics;

/* c_0 + sum c_i u_i, and the same at the means. Coefficient IR_NONE: one. */
typedef struct Affine {
    int n;
    IrValue u[MAX_ATOMS], c[MAX_ATOMS];
    IrValue mean;
} Affine;

static const IrOp *at(const Statistics *s, IrValue v) {
    return &s->p->ops.data[v];
}

static bool varies(const Statistics *s, IrValue v) {
    return ir_has_axis(s->p, v, s->over);
}

/* ---- recognising ---- */

static int position(const Affine *f, IrValue u) {
    int i = 0;
    while (i < f->n && f->u[i] != u) i++;
    return i;
}

/* Adds the values in which v is affine to f->u; false where it is not, or in too many. */
static bool is_affine(Statistics *s, IrValue v, Affine *f) {
    const IrOp op = *at(s, v);
    if (!varies(s, v)) return true;
    if (s->budget-- <= 0) return false;
    if (!ir_has_axis(s->p, v, s->lacking)) {
        int i = position(f, v);
        if (i == MAX_ATOMS) return false;
        f->u[i] = v;
        if (i == f->n) f->n++;
        return true;
    }
    switch (op.opcode) {
    case OP_NEG:
    case OP_SPREAD:
        return is_affine(s, op.args[0], f);
    case OP_ADD:
    case OP_SUB:
        return is_affine(s, op.args[0], f) && is_affine(s, op.args[1], f);
    case OP_MUL:
        if (varies(s, op.args[0]) && varies(s, op.args[1])) return false;
        return is_affine(s, op.args[0], f) && is_affine(s, op.args[1], f);
    case OP_DIV:
        return !varies(s, op.args[1]) && is_affine(s, op.args[0], f);
    default:
        return false;
    }
}

/* Mean and squares of n values, for a plate or for more entries than these numbers are. */
static bool shortens(const Statistics *s, int n) {
    const IrAxis *a = &s->p->axes.data[s->over];
    return n > 0 && (a->kind != AXIS_EVENT || a->extent > n + 1);
}

/* Is there an axis B of v such that both factors are affine in values without it? Looks at draws
 * first, then plates. An event axis of one entry is no axis to be rid of. */
static bool find_lacking(Statistics *s, IrValue v, IrValue l, IrValue m) {
    static const AxisKind order[] = {AXIS_DRAW, AXIS_PLATE, AXIS_DATA, AXIS_EVENT};
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < at(s, v)->n_axes; i++) {
            AxisId axis = at(s, v)->axes[i];
            const IrAxis *a = &s->p->axes.data[axis];
            Affine f = {.n = 0};
            if (axis == s->over || a->kind != order[k]) continue;
            if (a->kind == AXIS_EVENT && a->extent < 2) continue;
            s->lacking = axis;
            if (!is_affine(s, l, &f) || (m != l && !is_affine(s, m, &f))) continue;
            if (shortens(s, f.n)) return true;
        }
    return false;
}

/* The factors of v where it is affine, or the product of two that are: l alone has m == IR_NONE. */
static bool find_factors(Statistics *s, IrValue v, IrValue *l, IrValue *m) {
    const IrOp op = *at(s, v);
    *l = v;
    *m = IR_NONE;
    if (find_lacking(s, v, v, v)) return true;
    if (op.opcode != OP_SQUARE && op.opcode != OP_MUL) return false;
    *l = op.args[0];
    *m = op.args[op.opcode == OP_MUL];
    return varies(s, *l) && varies(s, *m) && find_lacking(s, v, *l, *m);
}

/* Does a space fall when v is summed term by term? */
static bool pays(Statistics *s, IrValue v) {
    const IrOp op = *at(s, v);
    IrValue l, m;
    if (!varies(s, v) || s->budget-- <= 0) return false;
    if (find_factors(s, v, &l, &m)) return true;
    switch (op.opcode) {
    case OP_NEG:
    case OP_SPREAD:
    case OP_SUM:
        return pays(s, op.args[0]);
    case OP_ADD:
    case OP_SUB:
        return pays(s, op.args[0]) || pays(s, op.args[1]);
    case OP_MUL:
        if (varies(s, op.args[0]) && varies(s, op.args[1])) return false;
        return pays(s, op.args[0]) || pays(s, op.args[1]);
    case OP_DIV:
        return !varies(s, op.args[1]) && pays(s, op.args[0]);
    default:
        return false;
    }
}

/* ---- statistics ---- */

static IrValue count(const Statistics *s) {
    const IrAxis *a = &s->p->axes.data[s->over];
    return a->kind == AXIS_EVENT ? ir_const(s->p, (double)a->extent) : ir_extent(s->p, s->over);
}

static IrValue sum(const Statistics *s, IrValue v) {
    return ir_sum(s->p, v, &s->over, 1);
}

/* The first mean is any number near the data: it has no derivative of its own. */
static IrValue mean_of(const Statistics *s, IrValue u) {
    IrProgram *p = s->p;
    for (int i = 0; i < s->means->n; i++) {
        const Mean *made = &s->means->data[i];
        if (made->of == u && made->over == s->over) return made->mean;
    }
    IrValue n = count(s); /* of nothing, the mean is any number */
    if (s->p->axes.data[s->over].ragged) n = ir_max(p, n, ir_const(p, 1));
    IrValue share = ir_recip(p, n);
    IrValue near = ir_stop_gradient(p, ir_mul(p, sum(s, u), share));
    IrValue mean = ir_add(p, near, ir_mul(p, sum(s, ir_sub(p, u, near)), share));
    vec_push(p->arena, s->means, (Mean){u, mean, s->over});
    return mean;
}

static IrValue times(IrProgram *p, IrValue c, IrValue factor) {
    return c == IR_NONE ? factor : ir_mul(p, c, factor);
}

/* v over its axes but `over`. */
static IrValue spread_like(const Statistics *s, IrValue v, const IrOp *like) {
    AxisId axes[IR_MAX_AXES];
    int n = 0;
    for (int i = 0; i < like->n_axes; i++)
        if (like->axes[i] != s->over) axes[n++] = like->axes[i];
    return at(s, v)->n_axes == n ? v : ir_spread(s->p, v, axes, n);
}

static Affine scaled(const Statistics *s, Affine f, IrValue factor, bool divide) {
    IrProgram *p = s->p;
    IrValue by = divide && f.n ? ir_recip(p, factor) : factor;
    for (int i = 0; i < f.n; i++) f.c[i] = times(p, f.c[i], by);
    f.mean = divide ? ir_div(p, f.mean, factor) : ir_mul(p, f.mean, factor);
    return f;
}

/* f's coefficients, or their negatives, added to those of `to`. */
static void add_terms(const Statistics *s, Affine *to, const Affine *f, bool negative) {
    IrProgram *p = s->p;
    for (int k = 0; k < f->n; k++) {
        int i = position(to, f->u[k]);
        IrValue c = f->c[k];
        if (negative) c = c == IR_NONE ? ir_const(p, -1) : ir_neg(p, c);
        if (i == to->n) {
            to->u[to->n++] = f->u[k];
            to->c[i] = c;
            continue;
        }
        IrValue one = ir_const(p, 1), own = to->c[i] == IR_NONE ? one : to->c[i];
        to->c[i] = ir_add(p, own, c == IR_NONE ? one : c);
    }
}

/* v, of which is_affine has said that it is, with its coefficients. */
static Affine affine(const Statistics *s, IrValue v) {
    IrProgram *p = s->p;
    const IrOp op = *at(s, v);
    Affine f = {.mean = v}, a;
    if (!varies(s, v)) return f;
    if (!ir_has_axis(p, v, s->lacking))
        return (Affine){.n = 1, .u = {v}, .c = {IR_NONE}, .mean = mean_of(s, v)};
    switch (op.opcode) {
    case OP_SPREAD:
        f = affine(s, op.args[0]);
        f.mean = spread_like(s, f.mean, &op);
        return f;
    case OP_NEG:
        a = affine(s, op.args[0]);
        f = (Affine){.mean = ir_neg(p, a.mean)};
        add_terms(s, &f, &a, true);
        return f;
    case OP_ADD:
    case OP_SUB:
        f = affine(s, op.args[0]);
        a = affine(s, op.args[1]);
        f.mean = ir_point(p, op.opcode, (IrValue[]){f.mean, a.mean}, 2);
        add_terms(s, &f, &a, op.opcode == OP_SUB);
        return f;
    default: { /* a product or quotient with what does not vary */
        int other = op.opcode == OP_MUL && !varies(s, op.args[0]) ? 0 : 1;
        return scaled(s, affine(s, op.args[1 - other]), op.args[other], op.opcode == OP_DIV);
    }
    }
}

/* Orthogonal basis of the centred u: u_i - mean = e_i + sum over k < i of on[i][k] e_k. */
typedef struct Basis {
    Affine of; /* its u alone; those of fewer axes first, so that projections stay cheap */
    IrValue squares[MAX_ATOMS], on[MAX_ATOMS][MAX_ATOMS];
} Basis;

static void basis_order(const Statistics *s, Basis *b, const Affine *l, const Affine *m) {
    add_terms(s, &b->of, l, false);
    for (int i = 0; i < m->n; i++)
        if (position(&b->of, m->u[i]) == b->of.n) b->of.u[b->of.n++] = m->u[i];
    for (int i = 1; i < b->of.n; i++)
        for (int k = i; k > 0 && at(s, b->of.u[k])->n_axes < at(s, b->of.u[k - 1])->n_axes; k--) {
            IrValue swap = b->of.u[k];
            b->of.u[k] = b->of.u[k - 1];
            b->of.u[k - 1] = swap;
        }
}

static Basis basis(const Statistics *s, const Affine *l, const Affine *m) {
    IrProgram *p = s->p;
    Basis b = {.of = {.n = 0}};
    IrValue e[MAX_ATOMS], zero = ir_const(p, 0), one = ir_const(p, 1);
    basis_order(s, &b, l, m);
    for (int i = 0; i < b.of.n; i++) {
        e[i] = ir_sub(p, b.of.u[i], mean_of(s, b.of.u[i]));
        for (int k = 0; k < i; k++) { /* where e_k is zero everywhere, so is its product */
            IrValue both = ir_contract(p, e[i], e[k], &s->over, 1);
            IrValue by = ir_select(p, ir_lt(p, zero, b.squares[k]), b.squares[k], one);
            b.on[i][k] = ir_div(p, both, by);
            e[i] = ir_sub(p, e[i], ir_mul(p, b.on[i][k], e[k]));
        }
        b.squares[i] = ir_contract(p, e[i], e[i], &s->over, 1);
    }
    return b;
}

/* The coefficient of e_k in f: IR_NONE for one, *none where it has none. */
static IrValue coordinate(const Statistics *s, const Basis *b, const Affine *f, int k, bool *none) {
    int own = position(f, b->of.u[k]);
    IrValue total = own < f->n ? f->c[own] : IR_NONE;
    *none = own == f->n;
    for (int i = k + 1; i < b->of.n; i++) {
        int other = position(f, b->of.u[i]);
        if (other == f->n) continue;
        IrValue part = times(s->p, f->c[other], b->on[i][k]);
        if (!*none) part = ir_add(s->p, total == IR_NONE ? ir_const(s->p, 1) : total, part);
        total = part;
        *none = false;
    }
    return total;
}

/* sum over A of l * m */
static IrValue sum_of_product(const Statistics *s, IrValue l, IrValue m) {
    IrProgram *p = s->p;
    Affine f = affine(s, l), g = l == m ? f : affine(s, m);
    Basis b = basis(s, &f, &g);
    IrValue means = l == m ? ir_square(p, f.mean) : ir_mul(p, f.mean, g.mean);
    IrValue total = ir_mul(p, means, count(s));
    for (int k = 0; k < b.of.n; k++) {
        bool no_c, no_d;
        IrValue c = coordinate(s, &b, &f, k, &no_c);
        IrValue d = l == m ? (no_d = no_c, c) : coordinate(s, &b, &g, k, &no_d);
        if (no_c || no_d) continue;
        IrValue both = c == IR_NONE   ? d
                       : d == IR_NONE ? c
                       : c == d       ? ir_square(p, c)
                                      : ir_mul(p, c, d);
        total = ir_add(p, total, both == IR_NONE ? b.squares[k] : ir_mul(p, both, b.squares[k]));
    }
    return total;
}

/* ---- sums ---- */

static bool starts_to_pay(Statistics *s, IrValue v) {
    s->budget = MAX_VISITS;
    return pays(s, v);
}

static bool is_scaled(const Statistics *s, const IrOp *op) {
    bool product = op->opcode == OP_MUL, quotient = op->opcode == OP_DIV;
    return (product && !varies(s, op->args[0])) ||
           ((product || quotient) && !varies(s, op->args[1]));
}

/* sum over A of v, term by term as far as that pays */
static IrValue sum_of(Statistics *s, IrValue v) {
    IrProgram *p = s->p;
    const IrOp op = *at(s, v);
    IrValue l, m;
    if (!varies(s, v)) return ir_mul(p, v, count(s));
    if (s->terms-- <= 0) return sum(s, v);
    bool alone = op.opcode == OP_NEG || /* c u, whose factor goes before the sum of u */
                 op.opcode == OP_DIV || op.opcode == OP_MUL || op.opcode == OP_SPREAD;
    s->budget = MAX_VISITS;
    if (find_factors(s, v, &l, &m) && !(m == IR_NONE && alone))
        return m == IR_NONE ? ir_mul(p, affine(s, l).mean, count(s)) : sum_of_product(s, l, m);
    if (!starts_to_pay(s, v) && !is_scaled(s, &op)) return sum(s, v);
    switch (op.opcode) {
    case OP_NEG:
        return ir_neg(p, sum_of(s, op.args[0]));
    case OP_SPREAD:
        return spread_like(s, sum_of(s, op.args[0]), &op);
    case OP_SUM: {
        const IrOp inner = *at(s, op.args[0]);
        return ir_sum(p, spread_like(s, sum_of(s, op.args[0]), &inner), op.over, op.n_over);
    }
    case OP_ADD:
    case OP_SUB:
        l = sum_of(s, op.args[0]);
        m = sum_of(s, op.args[1]);
        return ir_point(p, op.opcode, (IrValue[]){l, m}, 2);
    case OP_MUL:
        if (varies(s, op.args[0])) return ir_mul(p, sum_of(s, op.args[0]), op.args[1]);
        return ir_mul(p, op.args[0], sum_of(s, op.args[1]));
    case OP_DIV:
        return ir_div(p, sum_of(s, op.args[0]), op.args[1]);
    default:
        internal_error("statistics", "%s was to be summed by its terms",
                       ir_op_info[op.opcode].text);
    }
}

/* A sum over several axes, one after the other from the innermost; those along which nothing falls
 * are summed as they were. IR_NONE: that is all of them. */
static IrValue rewrite_sum(Statistics *s, const IrOp *op) {
    IrProgram *p = s->p;
    AxisId rest[IR_MAX_OVER];
    int n_rest = 0;
    IrValue v = op->args[0];
    for (int i = op->n_over - 1; i >= 0; i--) {
        s->over = op->over[i];
        if (p->axes.data[s->over].kind != AXIS_DATA && starts_to_pay(s, v)) {
            const IrOp before = *at(s, v);
            s->terms = MAX_TERMS;
            v = spread_like(s, sum_of(s, v), &before);
        } else {
            rest[n_rest++] = s->over;
        }
    }
    if (v == op->args[0]) return IR_NONE;
    return n_rest ? ir_sum(p, v, rest, n_rest) : v;
}

/* Appends what becomes of the operations from `first` on that are marked; map: by old value. What
 * is partial (ir.h) is left alone: squares of it are none. */
static void rewrite(IrProgram *p, IrValue first, const bool *marked, const bool *partial,
                    IrValue *map) {
    Means means = {0};
    Statistics s = {.p = p, .means = &means};
    const char *note = p->note;
    int n = p->ops.n;
    for (IrValue v = 0; v < n; v++) {
        map[v] = v;
        if (v < first || !marked[v]) continue;
        IrOp op = rewrite_operands(&p->ops.data[v], map);
        bool same = true;
        for (int i = 0; i < op.n_args; i++) same = same && op.args[i] == p->ops.data[v].args[i];
        p->note = op.note;
        IrValue made = IR_NONE;
        if (op.opcode == OP_SUM && !(partial && partial[p->ops.data[v].args[0]]))
            made = rewrite_sum(&s, &op);
        map[v] = made != IR_NONE ? made : same ? v : rewrite_append(p, op);
    }
    p->note = note;
}

static void mark(const IrProgram *p, bool *marked) {
    for (IrValue v = p->ops.n - 1; v >= 0; v--)
        for (int i = 0; marked[v] && i < p->ops.data[v].n_args; i++)
            marked[p->ops.data[v].args[i]] = true;
}

IrValue opt_statistics_of(IrProgram *p, IrValue first, IrValue root) {
    bool *marked = arena_array(p->arena, bool, p->ops.n + 1);
    IrValue *map = arena_array(p->arena, IrValue, p->ops.n + 1);
    marked[root] = true;
    mark(p, marked);
    rewrite(p, first, marked, NULL, map);
    return map[root];
}

IrProgram *opt_statistics(const IrProgram *p) {
    IrProgram *q = ir_program_like(p);
    const char *why;
    const bool *partial = ir_reduced(p->arena, p, &why);
    bool *marked = arena_array(p->arena, bool, p->ops.n + 1);
    IrValue *map = arena_array(p->arena, IrValue, p->ops.n + 1);
    for (IrValue v = 0; v < p->ops.n; v++) map[v] = rewrite_append(q, p->ops.data[v]);
    for (int i = 0; i < p->outputs.n; i++) marked[p->outputs.data[i].value] = true;
    mark(p, marked);
    rewrite(q, 0, marked, partial, map);
    rewrite_outputs(q, p, map);
    return opt_dce(q);
}
