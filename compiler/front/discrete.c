/* discrete.c -- latents of finitely many values, which are summed out, covariates that are
 * categories, and observations and covariates that are whole numbers: what may be one, which
 * positions they name, and where they may stand. */
#include "front/check.h"
#include "model/graph.h"

#include <math.h>

enum { MAX_TABLE = 256 }; /* combinations of values that meet in one factor */

/* ---- declarations ---- */

/* What is written before the name, if anything, must be what the distribution yields. */
static bool check_element(Checker *ck, const Var *var, const Ast *ast) {
    bool whole = support_is_whole(var->dist->support.kind);
    if (!ast->elem.text || (strcmp(ast->elem.text, "int") == 0) == whole) return true;
    FAIL(ck, DIAG_ELEMENT_TYPE, ast->elem.span, var->name, ast->elem.text, var->dist->name,
         whole ? "whole numbers" : "real numbers");
    return false;
}

/* category(k), one of 0 .. k - 1 and each as often, is categorical([1 / k, 1 / k, ...]). */
bool category(Checker *ck, Var *var, const Ast *call) {
    const Ast *count = call->args.n == 1 ? call->args.data[0] : NULL;
    int64_t k;
    if (!count) {
        FAIL(ck, DIAG_ARGUMENT_COUNT, call->span, call->name.text, "1 argument", call->args.n);
        return false;
    }
    if (count->kind == AST_NAMED && strcmp(count->name.text, "k") == 0) count = count->value;
    if (count->kind == AST_NAMED) {
        FAIL(ck, DIAG_UNKNOWN_ARGUMENT, count->span, call->name.text, count->name.text);
        return false;
    }
    if (!count_up_to(ck, count, call->name.text, "the number of categories", MAX_TABLE, &k))
        return false;
    Ast share = {.kind = AST_NUMBER, .span = count->span, .number = 1 / (double)k};
    Ast shares = {.kind = AST_ARRAY, .span = count->span, .depth = 1};
    for (int64_t i = 0; i < k; i++) vec_push(ck->arena, &shares.args, &share);
    Ast law = {.kind = AST_CALL, .span = call->span, .name = call->name, .depth = 2};
    law.name.text = "categorical";
    vec_push(ck->arena, &law.args, &shares);
    return check_arguments(ck, var, &law);
}

static bool refuse(Checker *ck, const Ast *ast, const char *what, const char *help) {
    FAIL(ck, DIAG_UNSUPPORTED_FORM, ast->value->span, what);
    diag_help(ck->diags, "%s", help);
    return false;
}

/* Where whole numbers end that an observation or a covariate may be: at a number that is known now,
 * or at a covariate that is as many numbers, around it. */
static bool find_end(Checker *ck, Var *var, const Ast *ast) {
    double most;
    const Expr *end = substitute(ck, var->dist->support.hi, var->args);
    if (same_number(ck, end, false, &most) && most >= 0 && most < 16777216) {
        var->most = (int64_t)most;
        return true;
    }
    bool known = end->kind == EXPR_VAR && end->var->kind == VAR_GIVEN;
    bool fits = known && (!end->var->type.n_dims || end->var->type.n_dims == var->type.n_dims);
    if (!fits)
        return refuse(ck, ast, "whole numbers up to an end that varies otherwise are",
                      "the end is a number below 2^24, or a covariate: `given n ~ ...;`");
    var->most_of = end->var;
    return true;
}

/* One of several categories: the encoder takes it as that many numbers, of which one is 1. */
static bool set_categories(Checker *ck, Var *var, const Ast *ast, int64_t n) {
    if (var->type.n_dims == MAX_DIMS)
        return refuse(ck, ast, "an observation of categories with three dimensions is",
                      "a plate has a copy for each of its instances");
    var->n_values = n;
    Var *indicators = arena_new_of(ck->arena, Var);
    *indicators = *var;
    indicators->type.elem = ELEM_REAL;
    indicators->type.dims[indicators->type.n_dims++] = n;
    var->before = indicators;
    return true;
}

/* Observations, and covariates that are no categories. */
static bool check_whole_data(Checker *ck, Var *var, const Ast *ast) {
    SupportKind kind = var->dist->support.kind;
    var->whole = true;
    var->most = -1;
    var->type.elem = ELEM_INT;
    if (kind == SUPPORT_COUNT_TO || kind == SUPPORT_COUNTS) return find_end(ck, var, ast);
    if (kind == SUPPORT_COUNT) return true;
    double n;
    Expr *end = substitute(ck, var->dist->support.hi, var->args);
    if (!one_number(ck, end, false, &n) || n < 2 || n != rint(n))
        return refuse(ck, ast, "an observation of one category, or of a number that varies, is",
                      "how many there are is a whole constant from 2 on");
    if (n > MAX_TABLE) {
        FAIL(ck, DIAG_NUMBER_TOO_LARGE, ast->value->span, "the number of categories", n,
             (double)MAX_TABLE);
        return false;
    }
    var->most = (int64_t)n - 1;
    return var->most == 1 || set_categories(ck, var, ast, var->most + 1);
}

static bool count_values(Checker *ck, Var *var, const Ast *ast) {
    double n;
    const char *what = arena_printf(ck->arena, "the number of values of `%s`", var->name);
    Expr *end = substitute(ck, var->dist->support.hi, var->args);
    if (!one_number(ck, end, false, &n)) {
        FAIL(ck, DIAG_NOT_CONSTANT, ast->value->span, what);
    } else if (n != (double)(int64_t)n) {
        FAIL(ck, DIAG_NOT_INTEGER, ast->value->span, what, n);
    } else if (n < 1) {
        FAIL(ck, DIAG_EMPTY_SUPPORT, ast->value->span, var->name, 0.0, n);
    } else if (n > MAX_TABLE) {
        FAIL(ck, DIAG_SUM_TOO_LARGE, var->span, arena_printf(ck->arena, "`%s`", var->name), n,
             MAX_TABLE);
    } else {
        var->n_values = (int64_t)n;
        return true;
    }
    return false;
}

bool check_discrete(Checker *ck, Var *var, const Ast *ast) {
    if (!check_element(ck, var, ast)) return false;
    SupportKind kind = var->dist->support.kind;
    if (!support_is_whole(kind)) return true;
    if (var->kind == VAR_CONTEXT)
        return refuse(ck, ast, "a discrete context is", "what is observed or given may be whole");
    if (var->kind == VAR_OBSERVED || (var->kind == VAR_GIVEN && kind != SUPPORT_CATEGORY))
        return check_whole_data(ck, var, ast);
    if (kind != SUPPORT_CATEGORY)
        return refuse(ck, ast, "a latent that is a count is",
                      "discrete latents have finitely many values, which are summed over: "
                      "categorical(p), bernoulli(p)");
    if (var->type.n_dims) {
        FAIL(ck, DIAG_DISCRETE_SHAPE, var->span, var->name,
             shape_text(ck->arena, var->type.n_dims, var->type.dims));
        diag_help(ck->diags, "a plate has a copy for each of its instances");
        return false;
    }
    if (ast->word.text) {
        FAIL(ck, DIAG_LINK_DISCRETE, ast->word.span, var->name);
        return false;
    }
    if (var->kind == VAR_LATENT) var->kind = VAR_SUMMED;
    var->type.elem = ELEM_INT;
    return count_values(ck, var, ast);
}

/* ---- positions ---- */

static bool is_whole_name(const Checker *ck, const char *name) {
    for (const Bound *bound = ck->bounds; bound; bound = bound->outer)
        if (strcmp(bound->name, name) == 0) return false;
    for (int i = 0; ck->body && i < ck->body->n; i++)
        if (strcmp(ck->body->names[i].text, name) == 0)
            return !ck->body->types || ck->body->types[i].elem == ELEM_INT;
    const Symbol *symbol = ck->body ? NULL : find_symbol(ck, name);
    return symbol && symbol->var && symbol->var->type.elem == ELEM_INT;
}

bool names_position(const Checker *ck, const Ast *ast) {
    if (!ast) return false;
    bool found = ast->kind == AST_NAME && is_whole_name(ck, ast->name.text);
    found = found || names_position(ck, ast->value);
    for (int i = 0; i < ast->args.n && !found; i++) found = names_position(ck, ast->args.data[i]);
    return found;
}

bool type_position(Checker *ck, const Expr *e, int64_t extent, bool in_body) {
    const Expr *position = e->args[1];
    if (position->type.elem != ELEM_INT || position->type.n_dims) {
        FAIL(ck, DIAG_NOT_CONSTANT, position->span, "an index");
        diag_help(ck->diags, "or it is made of discrete latents and whole numbers");
        return false;
    }
    if (in_body && !ck->ranges) return true; /* a body whose arguments are not known */
    Range range = range_of(ck, position, ck->ranges);
    if (range.lo >= 0 && range.hi < (double)extent) return true;
    double wrong = range.lo < 0 ? range.lo : range.hi;
    FAIL(ck, DIAG_POSITION_RANGE, position->span, wrong, (long long)(extent - 1));
    return false;
}

/* ---- after the walk ---- */

typedef struct Found {
    const Var *summed;
} Found;

static void find_summed(void *user, Var *var) {
    Found *found = user;
    if (var->kind == VAR_SUMMED && !found->summed) found->summed = var;
}

static bool refuse_use(Checker *ck, Span span, const char *what, const Expr *e) {
    Found found = {0};
    if (e) expr_visit_vars(e, find_summed, &found);
    if (!found.summed) return true;
    FAIL(ck, DIAG_SUMMED_USED, span, what, found.summed->name);
    diag_note(ck->diags, found.summed->span, "`%s` is declared here", found.summed->name);
    return false;
}

/* A reduction over the plate of a discrete latent, or one around it, holds all its instances: their
 * sum would run over all combinations. */
typedef struct Coupled {
    const Var *summed;
    bool found;
} Coupled;

static void find_coupled(void *user, Var *var) {
    Coupled *coupled = user;
    coupled->found |= var == coupled->summed;
}

static void check_coupled(Checker *ck, const Var *summed, const Expr *e) {
    Coupled coupled = {summed, false};
    expr_visit_tied(e, summed->type.plate, find_coupled, &coupled);
    if (!coupled.found) return;
    FAIL(ck, DIAG_SUM_COUPLED, e->span, summed->name, summed->type.plate->name);
    diag_note(ck->diags, summed->span, "`%s` is declared here", summed->name);
}

static void check_uses(Checker *ck, const Var *var) {
    if (var->kind == VAR_QUANTITY)
        refuse_use(ck, var->span, arena_printf(ck->arena, "quantity `%s`", var->name), var->value);
    const char *what = arena_printf(ck->arena, "the support of `%s`", var->name);
    if (var->kind == VAR_LATENT && refuse_use(ck, var->span, what, var->support.lo))
        refuse_use(ck, var->span, what, var->support.hi);
    for (int i = 0; i < ck->model->vars.n; i++) {
        const Var *summed = ck->model->vars.data[i];
        if (summed->kind != VAR_SUMMED) continue;
        for (int k = 0; var->dist && k < var->dist->n_params; k++)
            check_coupled(ck, summed, var->args[k]);
    }
}

/* What stands in a cross may depend on discrete latents of one side of it. */
typedef struct Sides {
    const Plate *cross;
    const Var *first, *second;
} Sides;

static void note_side(void *user, Var *var) {
    Sides *sides = user;
    if (var->kind != VAR_SUMMED) return;
    if (var->type.plate == sides->cross->parent) sides->first = var;
    if (var->type.plate == sides->cross->across) sides->second = var;
}

static void check_crossed(Checker *ck, const Var *var) {
    Sides sides = {.cross = var->type.plate};
    if (!var->dist || !sides.cross || !sides.cross->across) return;
    for (int k = 0; k < var->dist->n_params; k++) expr_visit_vars(var->args[k], note_side, &sides);
    if (!sides.first || !sides.second) return;
    FAIL(ck, DIAG_SUM_CROSSED, var->span, var->name, sides.first->name, sides.second->name);
    diag_note(ck->diags, sides.first->span, "`%s` is declared here", sides.first->name);
    diag_note(ck->diags, sides.second->span, "`%s` is declared here", sides.second->name);
}

static const char *names_of_group(Checker *ck, const SumGroup *group) {
    Text text;
    text_init(&text, ck->arena);
    for (int i = group->n - 1; i >= 0; i--)
        text_printf(&text, "`%s`%s", group->summed[i]->name, i > 1 ? ", " : i ? " and " : "");
    return text.data;
}

void check_sums(Checker *ck) {
    const Model *model = ck->model;
    int latents = 0;
    const Var *any = NULL;
    for (int i = 0; i < model->vars.n; i++) {
        const Var *var = model->vars.data[i];
        latents += var->kind == VAR_LATENT;
        if (var->kind == VAR_SUMMED) any = var;
    }
    if (!any) return;
    if (!latents) FAIL(ck, DIAG_ONLY_DISCRETE, any->span);
    for (int i = 0; i < model->vars.n; i++) {
        check_uses(ck, model->vars.data[i]);
        check_crossed(ck, model->vars.data[i]);
    }
    int n_groups;
    SumGroup *groups = model_sum_groups(ck->arena, model, &n_groups);
    for (int g = 0; g < n_groups; g++) {
        double size = model_table_size(&groups[g]);
        if (size <= MAX_TABLE) continue;
        FAIL(ck, DIAG_SUM_TOO_LARGE, groups[g].summed[0]->span, names_of_group(ck, &groups[g]),
             size, MAX_TABLE);
    }
}
