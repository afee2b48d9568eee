/* newton.c -- the conditional Newton start: where the data says of a latent more than a mean, its
 * affine map starts at the mode of log p(z, what hangs on z | K), with that mode's curvature.
 *
 * Score g and curvature H of the log density over the unconstrained value v are the compiler's own
 * gradients, taken in the program under construction (opt_grad), at the centre v0 of the law of z
 * given K. In units of that law's spread s0:
 *
 *     w = (v - v0) / s0      H = L L'      w* = H^-1 g      v = v0 + s0 (w* + L'^-1 t)
 *
 * where t is what the flow makes of u. For a latent that enters Gaussian data linearly (a
 * regression, correlated effects) that is the exact posterior given K; then H does not depend on
 * v0, and one step is taken, of any length: where it was cut short, for draws of K that fit the
 * data badly, the loss was far above the true one, and its gradients spoilt the optimiser's scales
 * for a thousand steps. Otherwise steps are bounded and repeated.
 *
 * It applies to a latent in plates all of whose children are observed variables inside its plate
 * whose other parents are known when it is drawn. Everything is differentiated again in training,
 * so that what has no second derivative (lgamma of the latent) rules it out. */
#include "dual/internal.h"
#include "opt/opt.h"

enum { MAX_NEWTON = 8, STEPS = 3 };

static const double STRIDE = 3;            /* longest step, in spreads of the law given K */
static const double LEAST_CURVATURE = 0.1; /* of the law's own */

/* ---- does it apply? ---- */

static bool is_child(const Var *var, const Var *of) {
    for (int i = 0; var->dist && i < var->dist->n_params; i++)
        if (expr_mentions(var->args[i], of)) return true;
    return false;
}

/* A reduction over z's plate ties its instances: then none has a density of its own. */
static bool reduces(const Expr *e, const Var *of) {
    if (e->kind == EXPR_VAR) return e->var->value && reduces(e->var->value, of);
    if (e->kind == EXPR_OVER && expr_mentions(e, of)) return true;
    for (int i = 0; i < e->n_args; i++)
        if (reduces(e->args[i], of)) return true;
    return false;
}

static bool ties(const Var *child, const Var *of) {
    for (int i = 0; i < child->dist->n_params; i++)
        if (reduces(child->args[i], of)) return true;
    return false;
}

bool newton_applies(const Build *b, const Var *z) {
    Type free = model_free_type(z);
    int children = 0;
    if (!is_structured(b) || b->options.no_exact || !z->type.plate) return false;
    if (event_size(&free) > MAX_NEWTON || !arguments_known(b, z, -1, NULL)) return false;
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        if (!is_child(var, z)) continue;
        children++;
        if (var->kind != VAR_OBSERVED || !arguments_known(b, var, -1, z) || ties(var, z) ||
            !plate_within(var->type.plate, z->type.plate))
            return false;
    }
    return children > 0;
}

/* ---- the density around one point ---- */

typedef struct Point {
    Build *b;
    const Var *z;
    AxisId flat, axes[IR_MAX_AXES]; /* of an instance, then flat */
    int n_axes;                     /* without flat */
    int64_t size;
} Point;

/* log p(z = link(v), its children | K) + log |dz/dv|, over all instances: a scalar. */
static IrValue density_at(const Point *at, IrValue v) {
    Build *b = at->b;
    IrProgram *p = b->p;
    const Var *z = at->z;
    const IrValue first = p->ops.n;
    Type type = model_free_type(z);
    Val free = unflatten(b, v, at->flat, 0, &type);
    size_t bytes = sizeof *b->value * (size_t)b->model->vars.n;
    Val *outer = arena_array(b->arena, Val, b->model->vars.n);
    memcpy(outer, b->value, bytes); /* lets that rest on z must be forgotten afterwards */
    b->value[z->index] = lower_link(b, z, LINK_FORWARD, free);
    Val jacobian = lower_link(b, z, LINK_LOG_JACOBIAN, free);
    AxisId events[MAX_DIMS];
    int n = event_axes(b, &jacobian, events);
    IrValue sum = n ? ir_sum(p, along(b, jacobian.v, events, n), events, n) : jacobian.v;
    sum = ir_add(p, sum, lower_log_prob(b, z, b->value[z->index]));
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *child = b->model->vars.data[i];
        if (!is_child(child, z)) continue;
        IrValue own = lower_log_prob(b, child, b->value[child->index]);
        sum = ir_add(p, sum, sum_up_to(b, own, child->type.plate, z->type.plate));
    }
    memcpy(b->value, outer, bytes);
    sum = opt_statistics_of(p, first, sum);
    return ir_sum(p, along(b, sum, at->axes, at->n_axes), at->axes, at->n_axes);
}

/* Does `v` follow from `from`? */
static bool depends_on(const IrProgram *p, IrValue v, IrValue from) {
    if (v < from) return false;
    bool *depends = arena_array(p->arena, bool, v - from + 1);
    depends[0] = true;
    for (IrValue i = from + 1; i <= v; i++) {
        const IrOp *op = &p->ops.data[i];
        for (int k = 0; k < op->n_args; k++)
            if (op->args[k] >= from && depends[op->args[k] - from]) depends[i - from] = true;
    }
    return depends[v - from];
}

static bool has_no_second_derivative(const IrProgram *p, IrValue from) {
    for (IrValue v = from; v < p->ops.n; v++)
        if (p->ops.data[v].opcode == OP_DIGAMMA) return true;
    return false;
}

/* Score and curvature at v, in units of `spread`: score[i], curvature[i * size + j] for j <= i,
 * over instances. false: not to be had. */
static bool expand(const Point *at, IrValue v, IrValue spread, IrValue *score, IrValue *curvature,
                   bool *quadratic) {
    Build *b = at->b;
    IrProgram *p = b->p;
    int64_t n = at->size;
    IrValue from = p->ops.n, g, column;
    IrValue here = ir_spread(p, v, at->axes, at->n_axes + 1);
    opt_grad(p, density_at(at, here), &here, 1, &g);
    if (has_no_second_derivative(p, from)) return false;
    *quadratic = true;
    g = ir_mul(p, g, spread);
    for (int64_t j = 0; j < n; j++) {
        score[j] = ir_pick(p, g, at->flat, j);
        IrValue sum = ir_sum(p, along(b, score[j], at->axes, at->n_axes), at->axes, at->n_axes);
        opt_grad(p, sum, &here, 1, &column);
        *quadratic &= !depends_on(p, column, here);
        column = ir_neg(p, ir_mul(p, column, spread));
        for (int64_t i = j; i < n; i++) curvature[i * n + j] = ir_pick(p, column, at->flat, i);
    }
    return true;
}

/* ---- small triangles, entry by entry ---- */

/* L with L L' = H, its pivots kept positive: exact where H is. */
static void factor(Build *b, const IrValue *h, int64_t n, IrValue *l) {
    IrProgram *p = b->p;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            IrValue sum = h[i * n + j];
            for (int64_t k = 0; k < j; k++)
                sum = ir_sub(p, sum, ir_mul(p, l[i * n + k], l[j * n + k]));
            l[i * n + j] = i == j ? ir_sqrt(p, ir_max(p, sum, number(b, LEAST_CURVATURE)))
                                  : ir_div(p, sum, l[j * n + j]);
        }
}

/* x becomes L^-1 x. */
static void solve_lower(Build *b, const IrValue *l, int64_t n, IrValue *x) {
    IrProgram *p = b->p;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < i; k++) x[i] = ir_sub(p, x[i], ir_mul(p, l[i * n + k], x[k]));
        x[i] = ir_div(p, x[i], l[i * n + i]);
    }
}

/* x becomes L'^-1 x. */
static void solve_upper(Build *b, const IrValue *l, int64_t n, IrValue *x) {
    IrProgram *p = b->p;
    for (int64_t i = n - 1; i >= 0; i--) {
        for (int64_t k = i + 1; k < n; k++) x[i] = ir_sub(p, x[i], ir_mul(p, l[k * n + i], x[k]));
        x[i] = ir_div(p, x[i], l[i * n + i]);
    }
}

static IrValue gather(Build *b, AxisId flat, const IrValue *x, int64_t n) {
    IrValue all = IR_NONE;
    for (int64_t i = 0; i < n; i++) {
        IrValue placed = ir_place(b->p, x[i], flat, i);
        all = all == IR_NONE ? placed : ir_add(b->p, all, placed);
    }
    return all;
}

/* ---- the start ---- */

/* A step from v to where the expansion has its mode. */
static IrValue step_from(const Point *at, IrValue v, IrValue spread, const IrValue *score,
                         const IrValue *l, bool bounded) {
    Build *b = at->b;
    IrProgram *p = b->p;
    IrValue x[MAX_NEWTON];
    memcpy(x, score, sizeof *x * (size_t)at->size);
    solve_lower(b, l, at->size, x);
    solve_upper(b, l, at->size, x);
    for (int64_t i = 0; i < at->size && bounded; i++)
        x[i] = ir_max(p, ir_min(p, x[i], number(b, STRIDE)), number(b, -STRIDE));
    return ir_add(p, v, ir_mul(p, spread, gather(b, at->flat, x, at->size)));
}

bool newton_start(Build *b, const Var *z, AxisId flat, const Gaussian *prior, Newton *start) {
    Type free = model_free_type(z);
    Point at = {.b = b, .z = z, .flat = flat, .size = event_size(&free)};
    at.n_axes = instance_axes(b, z->type.plate, true, at.axes);
    at.axes[at.n_axes] = flat;
    IrValue v = flatten(b, prior->centre, flat), score[MAX_NEWTON];
    IrValue curvature[MAX_NEWTON * MAX_NEWTON];
    start->size = at.size;
    start->spread = along(b, flatten(b, prior->spread, flat), &flat, 1);
    start->factor = arena_array(b->arena, IrValue, at.size * at.size);
    bool quadratic = false;
    for (int step = 0; step < STEPS && !quadratic; step++) {
        if (!expand(&at, v, start->spread, score, curvature, &quadratic)) return false;
        factor(b, curvature, at.size, start->factor);
        v = step_from(&at, v, start->spread, score, start->factor, !quadratic);
    }
    start->centre = v;
    return true;
}

IrValue newton_apply(Build *b, const Newton *start, AxisId flat, IrValue t, IrValue *log_det) {
    IrProgram *p = b->p;
    IrValue x[MAX_NEWTON];
    for (int64_t i = 0; i < start->size; i++) {
        x[i] = ir_pick(p, t, flat, i);
        *log_det = ir_sub(p, *log_det, ir_log(p, start->factor[i * start->size + i]));
    }
    solve_upper(b, start->factor, start->size, x);
    *log_det = ir_add(p, *log_det, ir_sum(p, ir_log(p, start->spread), &flat, 1));
    IrValue w = gather(b, flat, x, start->size);
    return ir_add(p, start->centre, ir_mul(p, start->spread, w));
}
