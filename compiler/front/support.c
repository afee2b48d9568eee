/* support.c -- arguments against the supports of their parameters, observations and latents against
 * their own.
 *
 * What is known at compile time is compared number by number. Of the rest, a variable used as it is
 * whose support reaches beyond the parameter's is an error; a compound expression that may do so is
 * a warning, for the range is only an outer bound. */
#include "front/check.h"

#include <math.h>

const char *support_text(Checker *ck, const Support *support) {
    if (!support->lo && !support->hi) return support_info[support->kind].name;
    Text text;
    text_init(&text, ck->arena);
    text_printf(&text, "in %s(", support_info[support->kind].name);
    if (support->lo) expr_print(&text, support->lo);
    if (support->lo && support->hi) text_add(&text, ", ");
    if (support->hi) expr_print(&text, support->hi);
    text_add(&text, ")");
    return text.data;
}

/* The smallest and largest number that a parameter may be; open ends. */
static Range allowed(Checker *ck, const Param *param, const Range *params) {
    const SupportInfo *info = &support_info[param->support];
    return (Range){param->lo ? range_of(ck, param->lo, params).lo : info->lo,
                   param->hi ? range_of(ck, param->hi, params).hi : info->hi};
}

/* The variable that `e` is, through lets and positions; NULL for anything compound. */
static const Var *bare_variable(const Expr *e) {
    for (;;) {
        if (e->kind == EXPR_INDEX || e->kind == EXPR_AT)
            e = e->args[0];
        else if (e->kind == EXPR_VAR && e->var->kind == VAR_LET)
            e = e->var->value;
        else
            return e->kind == EXPR_VAR ? e->var : NULL;
    }
}

static const Var *hyper_in(const Expr *e) {
    if (e->kind == EXPR_VAR && e->var->kind == VAR_HYPER) return e->var;
    for (int i = 0; i < e->n_args; i++) {
        const Var *hyper = hyper_in(e->args[i]);
        if (hyper) return hyper;
    }
    return NULL;
}

/* Whole numbers up to infinity: known to be some where they are made of others. */
static bool check_whole(Checker *ck, const Var *var, const Expr *e, const Param *param) {
    const char *must = "a whole number above 0", *name = param->name, *dist = var->dist->name;
    Value value;
    if (evaluate(ck, e, true, &value)) {
        for (int64_t i = 0; i < shape_size(value.n_dims, value.dims); i++) {
            double x = value.data[i];
            if (x > 0 && x == floor(x)) continue;
            FAIL(ck, DIAG_PARAMETER_VALUE, e->span, name, dist, must, x);
            return false;
        }
        return true;
    }
    if (e->type.elem == ELEM_INT && range_of(ck, e, NULL).lo >= 0) return true;
    const Var *bare = bare_variable(e);
    if (!bare) {
        FAIL(ck, DIAG_PARAMETER_NEVER, e->span, name, dist, must);
        return false;
    }
    FAIL(ck, DIAG_PARAMETER_SUPPORT, e->span, name, dist, must, bare->name,
         bare->dist ? support_text(ck, &bare->support) : "real");
    diag_note(ck->diags, bare->span, "`%s` is declared here", bare->name);
    return false;
}

typedef struct Argument {
    const Var *var;
    const Expr *e;
    const Param *param;
    Range allowed;
    const char *must; /* "positive" */
} Argument;

static bool check_numbers(Checker *ck, const Argument *arg, const Value *value) {
    for (int64_t i = 0; i < shape_size(value->n_dims, value->dims); i++) {
        double x = value->data[i];
        if (!isfinite(x)) {
            FAIL(ck, DIAG_NOT_FINITE, arg->e->span,
                 arena_printf(ck->arena, "parameter `%s` of `%s`", arg->param->name,
                              arg->var->dist->name),
                 x);
            return false;
        }
        bool bounded = arg->param->support != SUPPORT_REAL;
        if (!bounded || (x > arg->allowed.lo && x < arg->allowed.hi)) continue;
        FAIL(ck, DIAG_PARAMETER_VALUE, arg->e->span, arg->param->name, arg->var->dist->name,
             arg->must, x);
        const Var *hyper = hyper_in(arg->e);
        if (hyper) diag_note(ck->diags, hyper->span, "hyper `%s` is declared here", hyper->name);
        return false;
    }
    return true;
}

/* The argument is a variable, whose support is not what the parameter demands. */
static void refuse_variable(Checker *ck, const Argument *arg, const Var *bare) {
    FAIL(ck, DIAG_PARAMETER_SUPPORT, arg->e->span, arg->param->name, arg->var->dist->name,
         arg->must, bare->name, support_text(ck, &bare->support));
    diag_note(ck->diags, bare->span, "`%s` is declared here%s%s%s", bare->name,
              bare->dist ? ", with distribution `" : "", bare->dist ? bare->dist->name : "",
              bare->dist ? "`" : "");
}

static bool check_range(Checker *ck, const Argument *arg) {
    Range r = range_of(ck, arg->e, NULL);
    if (r.lo >= arg->allowed.lo && r.hi <= arg->allowed.hi &&
        (r.lo < arg->allowed.hi && r.hi > arg->allowed.lo))
        return true;
    const Var *bare = bare_variable(arg->e);
    const char *name = arg->param->name, *dist = arg->var->dist->name;
    if (r.hi <= arg->allowed.lo || r.lo >= arg->allowed.hi) {
        FAIL(ck, DIAG_PARAMETER_NEVER, arg->e->span, name, dist, arg->must);
        return false;
    }
    if (!bare) {
        diag_report(ck->diags, DIAG_UNPROVED_SUPPORT, arg->e->span, name, dist, arg->must);
        return true;
    }
    refuse_variable(ck, arg, bare);
    if (arg->param->support == SUPPORT_POSITIVE)
        diag_help(ck->diags, "give `%s` a positive distribution such as %s", bare->name,
                  bare->dist && strcmp(bare->dist->name, "laplace") == 0 ? "exponential"
                                                                         : "half_normal");
    return false;
}

/* A vector or matrix of which more is asked than of its entries one by one. */
static bool check_structure(Checker *ck, const Argument *arg) {
    const char *name = arg->param->name, *dist = arg->var->dist->name, *why;
    Value value;
    if (evaluate(ck, arg->e, true, &value)) {
        if (has_support(&value, arg->param->support, &why)) return true;
        FAIL(ck, DIAG_PARAMETER_STRUCTURE, arg->e->span, name, dist, arg->must, why);
        return false;
    }
    if (proves_support(ck, arg->e, arg->param->support)) return true;
    const Var *bare = bare_variable(arg->e);
    if (!bare || bare->kind != VAR_LATENT) {
        diag_report(ck->diags, DIAG_UNPROVED_SUPPORT, arg->e->span, name, dist, arg->must);
        return true;
    }
    refuse_variable(ck, arg, bare);
    return false;
}

Support over_arguments(Checker *ck, SupportKind kind, const Expr *lo, const Expr *hi,
                       Expr *const *args) {
    return (Support){kind, lo ? substitute(ck, lo, args) : NULL,
                     hi ? substitute(ck, hi, args) : NULL};
}

/* The parameters' supports over the arguments of this use. */
static bool check_parameters(Checker *ck, Var *var) {
    const Distribution *dist = var->dist;
    Range ranges[MAX_ARGS];
    bool good = true;
    for (int i = 0; i < dist->n_params; i++) ranges[i] = range_of(ck, var->args[i], NULL);
    for (int i = 0; i < dist->n_params; i++) {
        const Param *param = &dist->params[i];
        Support support = over_arguments(ck, param->support, param->lo, param->hi, var->args);
        Argument arg = {var, var->args[i], param, allowed(ck, param, ranges),
                        support_text(ck, &support)};
        Value value;
        if (param->support == SUPPORT_COUNT)
            good = check_whole(ck, var, arg.e, param) && good;
        else if (support_info[param->support].n_dims)
            good = check_structure(ck, &arg) && good;
        else if (evaluate(ck, arg.e, true, &value))
            good = check_numbers(ck, &arg, &value) && good;
        else if (param->support != SUPPORT_REAL)
            good = check_range(ck, &arg) && good;
        if (param->support == SUPPORT_POSITIVE) keep_positive(ck, arg.e);
    }
    return good;
}

static bool check_not_empty(Checker *ck, const Var *var, Span span) {
    Value lo, hi;
    if (!evaluate(ck, var->support.lo, true, &lo) || !evaluate(ck, var->support.hi, true, &hi)) {
        Range low = range_of(ck, var->support.lo, NULL), high = range_of(ck, var->support.hi, NULL);
        if (low.lo < high.hi) return true;
        FAIL(ck, DIAG_EMPTY_SUPPORT, span, var->name, low.lo, high.hi);
        return false;
    }
    int64_t n_lo = shape_size(lo.n_dims, lo.dims), n_hi = shape_size(hi.n_dims, hi.dims);
    for (int64_t i = 0; i < (n_lo > n_hi ? n_lo : n_hi); i++) {
        double a = lo.data[n_lo > 1 ? i : 0], b = hi.data[n_hi > 1 ? i : 0];
        if (a < b) continue;
        FAIL(ck, DIAG_EMPTY_SUPPORT, span, var->name, a, b);
        return false;
    }
    return true;
}

static bool check_own_support(Checker *ck, Var *var, Span span) {
    const Support *over_params = &var->dist->support;
    var->support =
        over_arguments(ck, over_params->kind, over_params->lo, over_params->hi, var->args);
    Expr *lo = var->support.lo, *hi = var->support.hi;
    if ((lo && !type_expr(ck, lo, NULL)) || (hi && !type_expr(ck, hi, NULL))) return false;
    if (lo && hi && !check_not_empty(ck, var, span)) return false;
    if (var->kind != VAR_OBSERVED) return true;
    const Var *latent = lo ? latent_in(ck, lo) : NULL;
    if (!latent && hi) latent = latent_in(ck, hi);
    if (!latent) return true;
    FAIL(ck, DIAG_LATENT_BOUND, span, var->name, latent->name);
    diag_note(ck->diags, latent->span, "`%s` is declared here", latent->name);
    return false;
}

/* Is `e`, known before hypers are set, the number that `end` of a link is? */
static bool always(Checker *ck, const Expr *e, const Expr *end) {
    Value value, wanted;
    if (!end) return true;
    if (!evaluate(ck, end, false, &wanted)) return false;
    double number = wanted.data[0];
    if (!evaluate(ck, e, false, &value)) return false;
    for (int64_t i = 0; i < shape_size(value.n_dims, value.dims); i++)
        if (value.data[i] != number) return false;
    return true;
}

/* Where a tail falls more slowly than an exponential's, the posterior's may, too: on the scale of a
 * link that is linear there, no tail of the guide would be long enough. */
static Definition *link_by_law(const Checker *ck, const Var *var) {
    Definition *link = ck->long_tail_link[var->support.kind];
    return link && has_long_tail(var) ? link : ck->default_link[var->support.kind];
}

/* A link to one interval alone serves latents of that interval alone; half-lines likewise. */
static bool check_link_ends(Checker *ck, const Var *var, const Ast *ast, const Link *link) {
    if (always(ck, var->support.lo, link->lo) && always(ck, var->support.hi, link->hi)) return true;
    Support own = {link->support, link->lo, link->hi};
    FAIL(ck, DIAG_LINK_ENDS, ast->word.span, link->name, support_text(ck, &own) + strlen("in "),
         var->name, support_text(ck, &var->support));
    diag_note(ck->diags, link->span, "link `%s` is defined here", link->name);
    diag_help(ck->diags, "without `via` the link is `%s`", link_by_law(ck, var)->name);
    return false;
}

static bool choose_link(Checker *ck, Var *var, const Ast *ast, Definition *via) {
    SupportKind kind = var->support.kind;
    Definition *link = via ? via : link_by_law(ck, var);
    if (!link) {
        FAIL(ck, DIAG_NO_LINK, var->span, var->name, support_text(ck, &var->support));
        return false;
    }
    if (!define(ck, link, ast->span)) return false;
    if (link->link->support != kind) {
        FAIL(ck, DIAG_LINK_SUPPORT, ast->word.span, link->name,
             support_info[link->link->support].name, var->name, support_text(ck, &var->support));
        diag_note(ck->diags, link->ast->name.span, "link `%s` is defined here", link->name);
        SupportKind to = link->link->support;
        if (to == SUPPORT_ORDERED || to == SUPPORT_POSITIVE_ORDERED)
            diag_help(ck->diags, "`sorted(%s(...))` is the law of its draws in order",
                      var->dist->name);
        else
            diag_help(ck->diags, "without `via` the link is `%s`", link_by_law(ck, var)->name);
        return false;
    }
    if (!check_link_ends(ck, var, ast, link->link)) return false;
    var->link = link->link;
    if (!link->sized) return true;
    const Instance *instance = instance_of_event(ck, link, &var->type, ast->span);
    if (instance) var->link = instance->link;
    return instance != NULL;
}

bool check_supports(Checker *ck, Var *var, const Ast *ast, Definition *via) {
    bool good = check_parameters(ck, var);
    good = check_own_support(ck, var, ast->value->span) && good;
    if (good && var->kind == VAR_LATENT) good = choose_link(ck, var, ast, via);
    return good;
}
