/* sorted.c -- sorted(dist(...)): the law of as many independent draws as the variable has entries,
 * in increasing order: cutpoints, say, or locations that a mixture is to tell apart.
 *
 *     log p(x) = log K! + sum_k log f(x[k]),  x increasing
 *
 * Draws are the quantiles of K uniform numbers in order, which are sums of exponential numbers over
 * the sum of K + 1 of them (Renyi 1953): nothing is compared, so that the centre of the law and its
 * spread follow from the medians of the base draws as those of any other. Each sum is the one
 * before and one number more. What is used twice must be named, which a chain of functions does:
 *
 *     from_k(all, part) = [0, .., quantile(part / all), .., 0] + from_{k + 1}(all, part + draw)
 *
 * Every number has a least step to the next: two that are equal in float have no logarithm of their
 * difference. In a sum of more than MOST numbers it would be lost. */
#include "front/check.h"

#include <math.h>

enum { MOST = 64 };
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
    return member_at(s->ck, s->inner, body, s->params, x);
}

/* Exponential number i. */
static Expr *step(const Sorted *s, int i) {
    Expr *e = random_expr(s->ck, RANDOM_EXPONENTIAL, i, s->span, NULL, NULL);
    return point(s, OP_ADD, e, number(s, LEAST_STEP), NULL);
}

static Expr *param(const Sorted *s, int i) {
    return param_expr(s->ck, i, s->span);
}

/* f(parameters of the law inside, all, part) */
static Expr *call(const Sorted *s, Function *f, Expr *all, Expr *part) {
    Expr *args[MAX_MADE_PARAMS];
    int n = s->inner->n_params;
    for (int i = 0; i < n; i++) args[i] = s->params[i];
    args[n] = all;
    args[n + 1] = part;
    return call_expr(s->ck, f, args, s->span);
}

static Function *function_of(const Sorted *s, const char *name, Expr *body) {
    int n = s->inner->n_params + 2;
    Function *f = new_function(s->ck, name, n, s->inner, "all", s->span);
    f->params[n - 1].name = "part";
    f->body = body;
    return f;
}

/* Zeros, and x in place k. */
static Expr *placed(const Sorted *s, Expr *x, int k) {
    Expr *e = new_expr(s->ck, EXPR_ARRAY, s->span, s->n);
    for (int i = 0; i < s->n; i++) e->args[i] = i == k ? x : number(s, 0);
    return e;
}

/* Entries k .. last, up or (`upper`) down, given the sum of all exponential numbers and of those
 * below entry k, or above it. */
static Function *entries(const Sorted *s, int k, int last, bool upper) {
    const Distribution *d = s->inner;
    Expr *all = param(s, d->n_params), *part = param(s, d->n_params + 1);
    Expr *share = point(s, OP_DIV, part, all, NULL);
    Expr *own = placed(s, inside(s, upper ? d->upper_quantile : d->quantile, share), k);
    if (k != last) {
        Expr *next = point(s, OP_ADD, part, step(s, upper ? k : k + 1), NULL);
        Function *rest = entries(s, upper ? k - 1 : k + 1, last, upper);
        own = point(s, OP_ADD, own, call(s, rest, all, next), NULL);
    }
    return function_of(s, arena_printf(s->ck->arena, "entries of sorted(%s) from %d", d->name, k),
                       own);
}

/* Below entry k lie the first k + 1 exponential numbers, above it the others. The upper half is
 * counted from above, where float has more digits. */
static Function *all_entries(const Sorted *s) {
    const Distribution *d = s->inner;
    int middle = d->upper_quantile ? (s->n + 1) / 2 : s->n;
    Expr *all = param(s, d->n_params), *first = param(s, d->n_params + 1);
    Expr *body = call(s, entries(s, 0, middle - 1, false), all, first);
    if (middle < s->n) {
        Expr *upper = call(s, entries(s, s->n - 1, middle, true), all, step(s, s->n));
        body = point(s, OP_ADD, body, upper, NULL);
    }
    return function_of(s, arena_printf(s->ck->arena, "sample of sorted(%s)", d->name), body);
}

static Expr *sample(const Sorted *s) {
    Expr *all = step(s, 0);
    for (int i = 1; i <= s->n; i++) all = point(s, OP_ADD, all, step(s, i), NULL);
    return call(s, all_entries(s), all, step(s, 0));
}

static Expr *entry(const Sorted *s, int k) {
    return index_expr(s->ck, s->params[s->inner->n_params], k, s->span);
}

static bool make_bodies(const Sorted *s, Distribution *dist) {
    Expr *terms = new_expr(s->ck, EXPR_ARRAY, s->span, s->n);
    for (int k = 0; k < s->n; k++) terms->args[k] = inside(s, s->inner->log_prob, entry(s, k));
    dist->sample = sample(s);
    dist->log_prob =
        point(s, OP_ADD, sum_expr(s->ck, terms, s->span), number(s, lgamma(s->n + 1.0)), NULL);
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
    if (!var->type.n_dims) {
        FAIL(ck, DIAG_EVENT_SHAPE, var->span, "the value", "scalar", call->name.text, "[K]");
        return false;
    }
    inner->name = arena_printf(ck->arena, "%s[k]", var->name);
    inner->type.n_dims--;
    if (!resolve_law(ck, inner, call, law, "first")) return false;
    const Distribution *d = inner->dist;
    SupportKind kind = d->support.kind;
    if (d->n_dims || (kind != SUPPORT_REAL && kind != SUPPORT_POSITIVE)) {
        FAIL(ck, DIAG_COMBINED_SUPPORT, law->span, call->name.text, "real or of positive numbers",
             d->name, d->n_dims ? "vectors" : set_text(ck, inner));
        return false;
    }
    return need_member(ck, d, d->quantile, "quantile", call, law);
}

bool sorted(Checker *ck, Var *var, const Ast *call) {
    Var inner = *var;
    if (!resolve_inner(ck, var, &inner, call)) return false;
    const Distribution *d = inner.dist;
    int64_t size = var->type.dims[var->type.n_dims - 1];
    if (size > MOST) {
        FAIL(ck, DIAG_NUMBER_TOO_LARGE, var->span, "the number of sorted entries", (double)size,
             (double)MOST);
        return false;
    }
    SupportKind kind = d->support.kind == SUPPORT_REAL ? SUPPORT_ORDERED : SUPPORT_POSITIVE_ORDERED;
    Distribution *dist = new_composed(ck, call, d);
    dist->n_dims = 1;
    dist->dims[0] = size;
    dist->n_params = d->n_params;
    dist->params = d->params;
    dist->support = (Support){kind, NULL, NULL};
    var->dist = dist;
    var->args = inner.args;
    Sorted s = {.ck = ck, .span = call->span, .inner = d, .n = (int)size};
    s.params = param_exprs(ck, d->n_params, call->span);
    return make_bodies(&s, dist);
}
