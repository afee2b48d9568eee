/* predictor.c -- whole numbers, and other laws that are not about a location, as a Newton start
 * sees them; see reweighted.h.
 *
 * The law of a count, or of a number of successes, has one parameter that the latents enter: its
 * mean, a probability, or a function of them; so has that of a gamma number about its rate, or of a
 * censored one. On the whole line (the logarithm of what is positive, the log odds of what lies
 * between 0 and 1) its log density is concave for nearly all laws of the library, and steps for
 * regressions by Fisher scoring (McCullagh and Nelder, Generalized Linear Models, 1989, ch. 2) need
 * its score h' and curvature alone.
 *
 * Far below what the data say a curvature says too little: that of a log rate is the rate. Steps
 * take at least the slope of the chord of h' to the predictor that fits this observation best
 * (the saturated model's), which goes no further than there. It is looked for by bounded steps from
 * 0, of which 0 counts, and certain successes, take all: their best predictor is infinite. */
#include "dual/reweighted.h"

static const double NEAR = 0.01;  /* squares of distances below that: no chord there */
static const double SHARE = 0.2;  /* of the chord's slope */
static const double REACH = 2;    /* longest step towards the best predictor */
static const double LEAST = 1e-3; /* curvature that such a step divides by */
static const double EDGE = 1e-6;  /* of a probability, where float has no room left */
enum { SEARCH = 8 };

static bool is_number(const Expr *e, double x) {
    return !e || (e->kind == EXPR_NUMBER && e->number == x);
}

static bool has_line(const Param *param) {
    if (param->n_dims) return false;
    if (param->support == SUPPORT_INTERVAL)
        return is_number(param->lo, 0) && is_number(param->hi, 1);
    return param->support == SUPPORT_REAL || param->support == SUPPORT_POSITIVE;
}

static int predictor_param(const Component *c, const Var *factor) {
    const Distribution *dist = factor->dist;
    int found = -1;
    for (int i = 0; i < dist->n_params; i++) {
        if (!component_mentioned(c, factor->args[i])) continue;
        if (found >= 0) return -1;
        found = i;
    }
    bool fits = found >= 0 && has_line(&dist->params[found]) &&
                (!factor->type.n_dims || is_entrywise(dist->log_prob));
    return fits ? found : -1;
}

bool has_predictor(const Component *c, const Var *factor) {
    int param = predictor_param(c, factor);
    return param >= 0 && (factor->whole || !is_quadratic_in(factor, param));
}

/* ---- from the parameter to the line, and back ---- */

IrValue lower_predictor(Build *b, const Component *c, const Var *var) {
    IrProgram *p = b->p;
    int param = predictor_param(c, var);
    IrValue v = lower_expr(b, var->args[param]).v;
    SupportKind support = var->dist->params[param].support;
    if (support == SUPPORT_POSITIVE) return ir_log(p, ir_max(p, v, number(b, DUAL_TINY)));
    if (support == SUPPORT_REAL) return v;
    v = ir_min(p, ir_max(p, v, number(b, EDGE)), number(b, 1 - EDGE));
    return ir_sub(p, ir_log(p, v), ir_log1p(p, ir_neg(p, v)));
}

static IrValue density_at(Build *b, const Var *var, int param, IrValue predictor) {
    SupportKind support = var->dist->params[param].support;
    IrValue arg = support == SUPPORT_POSITIVE   ? ir_exp(b->p, predictor)
                  : support == SUPPORT_INTERVAL ? ir_logistic(b->p, predictor)
                                                : predictor;
    return lower_log_prob_for(b, var, param, arg);
}

/* ---- the best predictor of each observation ---- */

/* `v` along all axes of the observation, and of what else its law hangs on: an operation of its
 * own. */
static IrValue of_every_entry(Build *b, const Var *var, int param, IrValue v) {
    IrValue like = ir_add(b->p, v, ir_mul(b->p, number(b, 0), b->value[var->index].v));
    IrValue density = density_at(b, var, param, like);
    const IrOp op = b->p->ops.data[density];
    return ir_spread(b->p, like, op.axes, op.n_axes);
}

static IrValue best_predictor(Build *b, const Var *var, int param) {
    IrProgram *p = b->p;
    IrValue at = of_every_entry(b, var, param, number(b, 0)), reach = number(b, REACH);
    for (int i = 0; i < SEARCH; i++) {
        IrValue slope, curvature;
        density_derivatives(b, density_at(b, var, param, at), at, &slope, &curvature);
        IrValue by = ir_div(p, slope, ir_max(p, curvature, number(b, LEAST)));
        by = ir_max(p, ir_min(p, by, reach), ir_neg(p, reach));
        const IrOp op = p->ops.data[at];
        at = ir_spread(p, ir_add(p, at, by), op.axes, op.n_axes);
    }
    return at;
}

Pull predictor_pull(Build *b, const Component *c, const Var *var, PullKind kind,
                    IrValue *saturated) {
    IrProgram *p = b->p;
    int param = predictor_param(c, var);
    Pull pull = {.location = lower_predictor(b, c, var)};
    IrValue slope0, curvature0, curvature;
    if (*saturated == IR_NONE) *saturated = best_predictor(b, var, param);
    IrValue best = *saturated, at = of_every_entry(b, var, param, pull.location);
    density_derivatives(b, density_at(b, var, param, best), best, &slope0, &curvature0);
    density_derivatives(b, density_at(b, var, param, at), at, &pull.slope, &curvature);
    IrValue w =
        density_chord(b, pull.slope, slope0, curvature0, ir_sub(p, at, best), number(b, NEAR));
    if (kind == PULL_SETTLED) w = ir_mul(p, w, number(b, SHARE));
    pull.weight = ir_max(p, curvature, w);
    return pull;
}
