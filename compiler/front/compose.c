/* compose.c -- distributions made of others: the parts that their bodies are put together from. */
#include "front/check.h"

/* ---- expressions ---- */

Expr *param_expr(Checker *ck, int i, Span span) {
    Expr *e = new_expr(ck, EXPR_PARAM, span, 0);
    e->param = i;
    return e;
}

Expr **param_exprs(Checker *ck, int n, Span span) {
    Expr **params = arena_array(ck->arena, Expr *, n + 1);
    for (int i = 0; i <= n; i++) params[i] = param_expr(ck, i, span);
    return params;
}

Expr *index_expr(Checker *ck, Expr *whole, int64_t k, Span span) {
    Expr *e = new_expr(ck, EXPR_INDEX, span, 1);
    e->args[0] = whole;
    e->index = k;
    return e;
}

Expr *sum_expr(Checker *ck, Expr *whole, Span span) {
    Expr *e = new_expr(ck, EXPR_REDUCE, span, 1);
    e->reduce = REDUCE_SUM;
    e->args[0] = whole;
    return e;
}

Expr *random_expr(Checker *ck, IrRandom random, int64_t index, Span span, Expr *a, Expr *b) {
    Expr *e = new_expr(ck, EXPR_RANDOM, span, b ? 2 : a ? 1 : 0);
    Expr *params[] = {a, b};
    e->random = random;
    e->index = index;
    for (int i = 0; i < e->n_args; i++) e->args[i] = params[i];
    return e;
}

Expr *call_expr(Checker *ck, Function *f, Expr *const *args, Span span) {
    Expr *e = new_expr(ck, EXPR_CALL, span, f->n_params);
    e->function = f;
    for (int i = 0; i < f->n_params; i++) e->args[i] = args[i];
    return e;
}

Expr *library_call(Checker *ck, const char *name, Expr *const *args, Span span) {
    Definition *d = find_definition(ck, DEFINES_FN, name);
    if (!d || !define(ck, d, span)) internal_error("front", "the library lacks %s", name);
    return call_expr(ck, d->function, args, span);
}

Function *new_function(Checker *ck, const char *name, int n, const Distribution *first,
                       const char *rest, Span span) {
    Function *f = arena_new_of(ck->arena, Function);
    *f = (Function){.name = name, .span = span, .n_params = n};
    f->params = arena_array(ck->arena, Param, n);
    int own = first ? first->n_params : 0;
    if (own) memcpy(f->params, first->params, sizeof *f->params * (size_t)own);
    for (int i = own; i < n; i++) f->params[i] = (Param){.name = rest, .span = span};
    return f;
}

/* ---- members ---- */

Expr *member_at(Checker *ck, const Distribution *dist, const Expr *body, Expr *const *params,
                Expr *x) {
    Expr *args[MAX_ARGS + 1];
    for (int i = 0; i < dist->n_params; i++) args[i] = params[i];
    args[dist->n_params] = x;
    return body ? substitute(ck, body, args) : NULL;
}

/* A function that draws is shared by all its calls: one whose draws are shifted is another. */
static Function *shifted_function(Checker *ck, const Function *f, int64_t by) {
    Function *shifted = arena_new_of(ck->arena, Function);
    *shifted = *f;
    shifted->body = substitute(ck, f->body, param_exprs(ck, f->n_params, f->span));
    shift_draws(ck, shifted->body, by);
    return shifted;
}

void shift_draws(Checker *ck, Expr *e, int64_t by) {
    if (!by) return;
    if (e->kind == EXPR_RANDOM) e->index += by;
    if (e->kind == EXPR_CALL && expr_base_draws(e->function->body))
        e->function = shifted_function(ck, e->function, by);
    for (int i = 0; i < e->n_args; i++) shift_draws(ck, e->args[i], by);
}

/* ---- arguments ---- */

bool resolve_law(Checker *ck, Var *inner, const Ast *call, const Ast *law, const char *which) {
    if (law->kind == AST_CALL) return check_arguments(ck, inner, law);
    FAIL(ck, DIAG_NEEDS_DISTRIBUTION, law->span, which, call->name.text);
    return false;
}

const char *set_text(Checker *ck, const Var *law) {
    const Support *set = &law->dist->support;
    Support own = over_arguments(ck, set->kind, set->lo, set->hi, law->args);
    return support_text(ck, &own);
}

bool need_member(Checker *ck, const Distribution *dist, const Expr *member, const char *name,
                 const Ast *call, const Ast *law) {
    if (member) return true;
    FAIL(ck, DIAG_MEMBER_NEEDED, law->span, call->name.text, name, dist->name);
    diag_note(ck->diags, dist->span, "`%s` is defined here", dist->name);
    return false;
}

bool check_room(Checker *ck, const Distribution *dist, int more, int most, const Ast *call) {
    if (dist->n_params + more <= most) return true;
    FAIL(ck, DIAG_TOO_MANY_PARAMS, call->span,
         arena_printf(ck->arena, "%s(%s)", call->name.text, dist->name), most);
    return false;
}

Distribution *new_composed(Checker *ck, const Ast *call, const Distribution *inner) {
    Distribution *dist = arena_new_of(ck->arena, Distribution);
    *dist = (Distribution){.name = arena_printf(ck->arena, "%s(%s)", call->name.text, inner->name),
                           .doc = inner->doc,
                           .span = call->span};
    return dist;
}
