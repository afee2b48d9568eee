/* inflate.c -- zero_inflated(p, dist(...)) and hurdle(p, dist(...)): laws with more zeros than
 * another.
 *
 * Their parameters are p and then those of the law inside, f:
 *
 *     zero_inflated   0 with probability p, else a draw of f, which may be 0, too
 *     hurdle          0 with probability p, else a draw of f given that it is above 0
 *
 * A count given that it is above 0 is drawn by the member sample_positive; positive numbers are
 * above 0 anyway. Which of both it is, the last base draw chooses. */
#include "front/check.h"

typedef struct Inflated {
    Checker *ck;
    Span span;
    const Distribution *inner;
    Expr **params; /* of the result, as expressions; the last is x */
} Inflated;

static Expr *point(const Inflated *f, IrOpcode opcode, Expr *a, Expr *b, Expr *c) {
    return op_expr(f->ck, opcode, f->span, a, b, c);
}

static Expr *number(const Inflated *f, double x) {
    return number_expr(f->ck, x, f->span);
}

/* A body of the law inside over the parameters of the result; of log_prob the value is `x`. */
static Expr *inside(const Inflated *f, const Expr *body, Expr *x) {
    return member_at(f->ck, f->inner, body, f->params + 1, x);
}

/* log p, or log(1 - p); off 0 and 1, to which p may round. */
static Expr *log_of(const Inflated *f, bool others) {
    Expr *p = point(f, OP_MIN, f->params[0], number(f, 0.99999994), NULL);
    p = point(f, OP_MAX, p, number(f, 1e-30), NULL);
    if (!others) return point(f, OP_LOG, p, NULL, NULL);
    return point(f, OP_LOG1P, point(f, OP_NEG, p, NULL, NULL), NULL, NULL);
}

static Expr *select_zero(const Inflated *f, Expr *at_zero, Expr *above) {
    Expr *x = f->params[f->inner->n_params + 1];
    return point(f, OP_SELECT, point(f, OP_EQ, x, number(f, 0), NULL), at_zero, above);
}

/* log(p + (1 - p) f(0)), or log((1 - p) f(x)). */
static Expr *log_prob_of_inflated(const Inflated *f) {
    Expr *x = f->params[f->inner->n_params + 1];
    Expr *zero = inside(f, f->inner->log_prob, number(f, 0));
    zero = point(f, OP_ADD, log_of(f, true), zero, NULL);
    Expr *apart = point(f, OP_SUB, zero, log_of(f, false), NULL);
    Expr *both = point(f, OP_ADD, log_of(f, false), point(f, OP_SOFTPLUS, apart, NULL, NULL), NULL);
    Expr *above = inside(f, f->inner->log_prob, x);
    return select_zero(f, both, point(f, OP_ADD, log_of(f, true), above, NULL));
}

/* log p, or log((1 - p) f(x) / (1 - f(0))); a density is not looked at where x is 0. */
static Expr *log_prob_of_hurdle(const Inflated *f, bool counts) {
    Expr *x = f->params[f->inner->n_params + 1];
    if (!counts) x = select_zero(f, number(f, 1), x);
    Expr *above = point(f, OP_ADD, log_of(f, true), inside(f, f->inner->log_prob, x), NULL);
    if (counts) {
        Expr *zero = inside(f, f->inner->log_prob, number(f, 0));
        zero = point(f, OP_MAX, zero, number(f, -40), NULL); /* no further: derivatives overflow */
        above = point(f, OP_SUB, above, point(f, OP_LOG1M_EXP, zero, NULL, NULL), NULL);
    }
    return select_zero(f, log_of(f, false), above);
}

static bool make_bodies(const Inflated *f, Distribution *dist, bool hurdled, bool counts) {
    const Expr *drawn = hurdled && counts ? f->inner->sample_positive : f->inner->sample;
    Expr *u = random_expr(f->ck, RANDOM_UNIFORM, expr_base_draws(drawn), f->span, NULL, NULL);
    Expr *is_zero = point(f, OP_LT, u, f->params[0], NULL);
    dist->sample = point(f, OP_SELECT, is_zero, number(f, 0), inside(f, drawn, NULL));
    dist->log_prob = hurdled ? log_prob_of_hurdle(f, counts) : log_prob_of_inflated(f);
    return type_bodies(f->ck, dist);
}

/* ---- arguments ---- */

/* The law inside, with its arguments in inner->args; and whether its values are counts. */
static bool resolve_inner(Checker *ck, Var *inner, const Ast *call, bool hurdled, bool *counts) {
    const Ast *law = call->args.data[1];
    const char *name = call->name.text;
    if (!resolve_law(ck, inner, call, law, "last")) return false;
    const Distribution *d = inner->dist;
    SupportKind kind = d->support.kind;
    *counts = kind == SUPPORT_COUNT || kind == SUPPORT_COUNT_TO;
    if (!*counts && !(hurdled && kind == SUPPORT_POSITIVE && !d->n_dims)) {
        FAIL(ck, DIAG_COMBINED_SUPPORT, law->span, name,
             hurdled ? "counts or of positive numbers" : "counts", d->name, set_text(ck, inner));
        return false;
    }
    if (hurdled && *counts && !need_member(ck, d, d->sample_positive, "sample_positive", call, law))
        return false;
    return check_room(ck, d, 1, MAX_ARGS, call);
}

static Expr *resolve_share(Checker *ck, const Var *var, const Ast *call) {
    const Ast *ast = call->args.data[0];
    if (ast->kind == AST_NAMED && strcmp(ast->name.text, "p") != 0) {
        FAIL(ck, DIAG_UNKNOWN_ARGUMENT, ast->name.span, call->name.text, ast->name.text);
        return NULL;
    }
    Expr *p = resolve_value(ck, ast->kind == AST_NAMED ? ast->value : ast);
    return p && check_argument(ck, var, 0, &(Param){.name = "p"}, p) ? p : NULL;
}

static bool inflate(Checker *ck, Var *var, const Ast *call, bool hurdled) {
    bool counts = false;
    Var inner = *var;
    if (call->args.n != 2) {
        FAIL(ck, DIAG_ARGUMENT_COUNT, call->span, call->name.text,
             "a probability and a distribution", call->args.n);
        return false;
    }
    Expr *p = resolve_share(ck, var, call);
    if (!resolve_inner(ck, &inner, call, hurdled, &counts) || !p) return false;
    const Distribution *d = inner.dist;
    int n = d->n_params + 1;
    Distribution *dist = new_composed(ck, call, d);
    dist->inflated = !hurdled;
    dist->atoms = !counts;
    dist->n_params = n;
    dist->params = arena_array(ck->arena, Param, n);
    var->dist = dist;
    var->args = arena_array(ck->arena, Expr *, n + 1);
    Inflated f = {.ck = ck, .span = call->span, .inner = d};
    f.params = param_exprs(ck, n, call->span);
    dist->params[0] = (Param){.name = "p",
                              .support = SUPPORT_INTERVAL,
                              .span = p->span,
                              .lo = number(&f, 0),
                              .hi = number(&f, 1)};
    var->args[0] = p;
    for (int i = 1; i < n; i++) {
        dist->params[i] = d->params[i - 1];
        dist->params[i].lo = inside(&f, dist->params[i].lo, NULL);
        dist->params[i].hi = inside(&f, dist->params[i].hi, NULL);
        var->args[i] = inner.args[i - 1];
    }
    dist->support = counts ? (Support){d->support.kind, NULL, inside(&f, d->support.hi, NULL)}
                           : (Support){SUPPORT_LOWER, number(&f, 0), NULL};
    return make_bodies(&f, dist, hurdled, counts);
}

bool zero_inflated(Checker *ck, Var *var, const Ast *call) {
    return inflate(ck, var, call, false);
}

bool hurdle(Checker *ck, Var *var, const Ast *call) {
    return inflate(ck, var, call, true);
}
