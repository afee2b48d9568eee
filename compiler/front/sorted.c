/* sorted.c -- sorted(dist(...)): the law of as many independent draws as the variable has entries,
 * in increasing order: cutpoints, say, or locations that a mixture is to tell apart.
 *
 *     log p(x) = log K! + sum_k log f(x[k]),  x increasing
 *
 * Draws are the quantiles of K uniform numbers in order, which are sums of exponential numbers over
 * the sum of K + 1 of them (Renyi 1953): nothing is compared, so that the centre of the law and its
 * spread follow from the medians of the base draws as those of any other. Every number has a least
 * step to the next: two that are equal in float have no logarithm of their difference. */
#include "front/check.h"

#include <math.h>

static const double LEAST_STEP = 1e-5;

typedef struct Sorted {
    Checker *ck;
    Span span;
    const Distribution *inner;
    Expr **params; /* of the result, as expressions; the last is x */
    int n;         /* entries */
} Sorted;

static Expr *point(const Sorted *s, IrOpcode opcode, Expr *a, Expr *b, Expr *c) {
    return op_expr(s->ck, opcode, s->span, a, b, c);
}

static Expr *number(const Sorted *s, double x) {
    return number_expr(s->ck, x, s->span);
}

static Expr *inside(const Sorted *s, const Expr *body, Expr *x) {
    Expr *args[MAX_ARGS + 1];
    int n = s->inner->n_params;
    for (int i = 0; i < n; i++) args[i] = s->params[i];
    args[n] = x;
    return substitute(s->ck, body, args);
}

/* The sum of exponential numbers first .. last. */
static Expr *steps(const Sorted *s, int first, int last) {
    Expr *sum = NULL;
    for (int i = first; i <= last; i++) {
        Expr *e = new_expr(s->ck, EXPR_RANDOM, s->span, 0);
        e->random = RANDOM_EXPONENTIAL;
        e->index = i;
        e = point(s, OP_ADD, e, number(s, LEAST_STEP), NULL);
        sum = sum ? point(s, OP_ADD, sum, e, NULL) : e;
    }
    return sum;
}

/* Entry k: below it lie the first k + 1 exponential numbers, above it the others. Of the upper half
 * from above, where float has more digits. */
static Expr *draw(const Sorted *s, int k) {
    const Distribution *d = s->inner;
    bool upper = d->upper_quantile && 2 * k >= s->n;
    Expr *below = steps(s, 0, k), *above = steps(s, k + 1, s->n);
    Expr *all = point(s, OP_ADD, below, above, NULL);
    Expr *share = point(s, OP_DIV, upper ? above : below, all, NULL);
    return inside(s, upper ? d->upper_quantile : d->quantile, share);
}

static Expr *entry(const Sorted *s, int k) {
    Expr *e = new_expr(s->ck, EXPR_INDEX, s->span, 1);
    e->args[0] = s->params[s->inner->n_params];
    e->index = k;
    return e;
}

static bool make_bodies(const Sorted *s, Distribution *dist) {
    Expr *sample = new_expr(s->ck, EXPR_ARRAY, s->span, s->n);
    Expr *terms = new_expr(s->ck, EXPR_ARRAY, s->span, s->n);
    for (int k = 0; k < s->n; k++) {
        sample->args[k] = draw(s, k);
        terms->args[k] = inside(s, s->inner->log_prob, entry(s, k));
    }
    Expr *sum = new_expr(s->ck, EXPR_REDUCE, s->span, 1);
    sum->reduce = REDUCE_SUM;
    sum->args[0] = terms;
    dist->sample = sample;
    dist->log_prob = point(s, OP_ADD, sum, number(s, lgamma(s->n + 1.0)), NULL);
    return type_bodies(s->ck, dist);
}

/* ---- arguments ---- */

/* The law of one entry, with its arguments in inner->args. */
static bool resolve_inner(Checker *ck, const Var *var, Var *inner, const Ast *call) {
    if (call->args.n != 1) {
        FAIL(ck, DIAG_ARGUMENT_COUNT, call->span, call->name.text, "a distribution", call->args.n);
        return false;
    }
    const Ast *law = call->args.data[0];
    if (law->kind != AST_CALL) {
        FAIL(ck, DIAG_NEEDS_DISTRIBUTION, law->span, "first", call->name.text);
        return false;
    }
    if (!var->type.n_dims) {
        FAIL(ck, DIAG_EVENT_SHAPE, var->span, "the value", "scalar", call->name.text, "[K]");
        return false;
    }
    inner->name = arena_printf(ck->arena, "%s[k]", var->name);
    inner->type.n_dims--;
    if (!check_arguments(ck, inner, law)) return false;
    const Distribution *d = inner->dist;
    SupportKind kind = d->support.kind;
    if (d->n_dims || (kind != SUPPORT_REAL && kind != SUPPORT_POSITIVE)) {
        FAIL(ck, DIAG_COMBINED_SUPPORT, law->span, call->name.text, "real or of positive numbers",
             d->name, d->n_dims ? "vectors" : support_text(ck, &d->support));
        return false;
    }
    if (d->quantile) return true;
    FAIL(ck, DIAG_MEMBER_NEEDED, law->span, call->name.text, "quantile", d->name);
    diag_note(ck->diags, d->span, "`%s` is defined here", d->name);
    return false;
}

bool sorted(Checker *ck, Var *var, const Ast *call) {
    Var inner = *var;
    if (!resolve_inner(ck, var, &inner, call)) return false;
    const Distribution *d = inner.dist;
    Distribution *dist = arena_new_of(ck->arena, Distribution);
    int64_t size = var->type.dims[var->type.n_dims - 1];
    SupportKind kind = d->support.kind == SUPPORT_REAL ? SUPPORT_ORDERED : SUPPORT_POSITIVE_ORDERED;
    *dist = (Distribution){.name = arena_printf(ck->arena, "sorted(%s)", d->name),
                           .doc = d->doc,
                           .span = call->span,
                           .n_dims = 1,
                           .dims = {size},
                           .n_params = d->n_params,
                           .params = d->params,
                           .support = {kind, NULL, NULL}};
    var->dist = dist;
    var->args = inner.args;
    Sorted s = {.ck = ck, .span = call->span, .inner = d, .n = (int)size};
    s.params = arena_array(ck->arena, Expr *, d->n_params + 1);
    for (int i = 0; i <= d->n_params; i++) {
        s.params[i] = new_expr(ck, EXPR_PARAM, call->span, 0);
        s.params[i]->param = i;
    }
    return make_bodies(&s, dist);
}
