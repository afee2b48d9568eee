/* push.c -- push(link, dist(...)): the law of link(v) for v ~ dist, as a Distribution like any
 * other.
 *
 * Its parameters are those of the distribution inside. Where the link leads to events, v is a
 * vector: of independent draws where the distribution inside is of numbers, each parameter then a
 * number per entry. By the change of variables,
 *
 *     log p(x) = log p_v(v) - log |d link / dv|,  v = link.inverse(x)
 */
#include "front/check.h"

typedef struct Push {
    Checker *ck;
    Span span;
    const Link *link;
    const Distribution *inner;
    bool spread; /* draws of numbers side by side make the vector v */
} Push;

static Expr *param(const Push *p, int i) {
    return param_expr(p->ck, i, p->span);
}

static Expr *link_part(const Push *p, LinkPart part, Expr *arg) {
    Expr *e = new_expr(p->ck, EXPR_LINK, p->span, 1);
    e->link = (Link *)p->link;
    e->link_part = part;
    e->args[0] = arg;
    return e;
}

/* A body of the distribution inside; `k`: of entry k, -1: of all as they are. Of log_prob the value
 * is `x`. */
static Expr *inner_body(const Push *p, const Expr *body, Expr *x, int64_t k) {
    Expr **params = param_exprs(p->ck, p->inner->n_params, p->span);
    if (k < 0) return member_at(p->ck, p->inner, body, params, x);
    for (int i = 0; i < p->inner->n_params; i++)
        params[i] = index_expr(p->ck, params[i], k, p->span);
    if (x) x = index_expr(p->ck, x, k, p->span);
    return member_at(p->ck, p->inner, body, params, x);
}

/* The parts of `e` and of the functions that it calls, counted no further than to `most`. */
static int64_t inlined_size(const Expr *e, int64_t most) {
    int64_t n = 1;
    for (int i = 0; i < e->n_args && n < most; i++) n += inlined_size(e->args[i], most - n);
    if (e->kind == EXPR_CALL && n < most) n += inlined_size(e->function->body, most - n);
    return n;
}

/* Do the bodies of all entries of v have room side by side? */
static bool check_size(const Push *p) {
    const Expr *const bodies[] = {p->inner->sample, p->inner->log_prob};
    for (int i = 0; i < 2; i++) {
        if (inlined_size(bodies[i], MAX_EXPRESSION) * p->link->n_free <= MAX_EXPRESSION) continue;
        FAIL(p->ck, DIAG_EXPRESSION_TOO_LARGE, p->span, MAX_EXPRESSION);
        return false;
    }
    return true;
}

/* The body once for every entry of v, side by side. */
static Expr *side_by_side(const Push *p, const Expr *body, Expr *x) {
    int64_t draws = expr_base_draws(body);
    Expr *e = new_expr(p->ck, EXPR_ARRAY, p->span, (int)p->link->n_free);
    for (int64_t k = 0; k < p->link->n_free; k++) {
        e->args[k] = inner_body(p, body, x, k);
        shift_draws(p->ck, e->args[k], k * draws);
    }
    return e;
}

/* log p_v(v) - log |d link / dv| as a function of the parameters and v, which stands in it twice.
 */
static Function *density_of(const Push *p, const char *name) {
    int n = p->inner->n_params;
    Function *f = new_function(p->ck, arena_printf(p->ck->arena, "log_prob of %s", name), n + 1,
                               p->inner, "v", p->span);
    Expr *v = param(p, n);
    Expr *own = p->spread ? sum_expr(p->ck, side_by_side(p, p->inner->log_prob, v), p->span)
                          : inner_body(p, p->inner->log_prob, v, -1);
    Expr *jacobian = link_part(p, LINK_LOG_JACOBIAN, param(p, n));
    if (!p->link->n_dims && p->inner->n_dims) jacobian = sum_expr(p->ck, jacobian, p->span);
    f->body = op_expr(p->ck, OP_SUB, p->span, own, jacobian, NULL);
    return f;
}

static bool make_bodies(const Push *p, Distribution *dist) {
    Expr *v = p->spread ? side_by_side(p, p->inner->sample, NULL)
                        : inner_body(p, p->inner->sample, NULL, -1);
    dist->sample = link_part(p, LINK_FORWARD, v);
    Expr **args = param_exprs(p->ck, dist->n_params, p->span);
    args[dist->n_params] = link_part(p, LINK_INVERSE, args[dist->n_params]);
    dist->log_prob = call_expr(p->ck, density_of(p, dist->name), args, p->span);
    return type_bodies(p->ck, dist);
}

/* ---- arguments ---- */

/* The link for the size of `var`'s events. */
static const Link *find_link(Checker *ck, const Var *var, const Ast *ast) {
    Definition *d =
        ast->kind == AST_NAME ? find_definition(ck, DEFINES_LINK, ast->name.text) : NULL;
    if (!d) {
        FAIL(ck, DIAG_NEEDS_LINK, ast->span);
        if (ast->kind == AST_NAME) suggest_definition(ck, DEFINES_LINK, ast->name.text);
        return NULL;
    }
    d->used = true;
    if (!define(ck, d, ast->span)) return NULL;
    if (d->ast->args.n) {
        FAIL(ck, DIAG_LINK_WITH_PARAMETERS, ast->span, d->name);
        return NULL;
    }
    if (!d->sized) return d->link;
    const Instance *instance = instance_of_event(ck, d, &var->type, var->span);
    return instance ? instance->link : NULL;
}

bool push(Checker *ck, Var *var, const Ast *call) {
    if (call->args.n != 2 || call->args.data[1]->kind != AST_CALL) {
        FAIL(ck, DIAG_ARGUMENT_COUNT, call->span, "push", "a link and a distribution",
             call->args.n);
        return false;
    }
    Push p = {.ck = ck, .span = call->span, .link = find_link(ck, var, call->args.data[0])};
    if (!p.link) return false;
    Var *inner = arena_new_of(ck->arena, Var);
    *inner = *var;
    inner->name = arena_printf(ck->arena, "%s.inverse(%s)", p.link->name, var->name);
    inner->link = (Link *)p.link;
    if (p.link->n_dims) {
        inner->type.n_dims = var->type.n_dims - p.link->n_dims + 1;
        inner->type.dims[inner->type.n_dims - 1] = p.link->n_free;
    }
    ck->by_entry = p.link->n_dims > 0;
    if (!check_arguments(ck, inner, call->args.data[1])) return false;
    p.inner = inner->dist;
    if (p.inner->n_params > MAX_PARAMS) {
        FAIL(ck, DIAG_TOO_MANY_PARAMS, call->span,
             arena_printf(ck->arena, "push(%s, %s)", p.link->name, p.inner->name), MAX_PARAMS);
        return false;
    }
    if (p.inner->support.kind != SUPPORT_REAL) {
        FAIL(ck, DIAG_PUSH_SUPPORT, call->args.data[1]->span, p.inner->name, set_text(ck, inner));
        return false;
    }
    p.spread = p.link->n_dims && !p.inner->n_dims;
    if (p.spread && !check_size(&p)) return false;
    Distribution *dist = arena_new_of(ck->arena, Distribution);
    bool of_link = p.link->n_dims > 0;
    *dist =
        (Distribution){.name = arena_printf(ck->arena, "push(%s, %s)", p.link->name, p.inner->name),
                       .doc = p.inner->doc,
                       .span = call->span,
                       .n_dims = of_link ? p.link->n_dims : p.inner->n_dims,
                       .n_params = p.inner->n_params,
                       .support = {p.link->support, p.link->lo, p.link->hi}};
    memcpy(dist->dims, of_link ? p.link->dims : p.inner->dims, sizeof dist->dims);
    dist->params = arena_array(ck->arena, Param, dist->n_params + 1);
    memcpy(dist->params, p.inner->params, sizeof *dist->params * (size_t)dist->n_params);
    for (int i = 0; i < dist->n_params && p.spread; i++) {
        dist->params[i].n_dims = 1;
        dist->params[i].dims[0] = p.link->n_free;
    }
    var->dist = dist;
    var->args = inner->args;
    inner->support = p.inner->support;
    var->before = inner;
    return make_bodies(&p, dist);
}
