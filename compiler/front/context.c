/* context.c -- known inputs: contexts, that a network is amortised over, and covariates, which are
 * part of a data set.
 *
 * Either has a distribution, or a covariate fixed numbers, in training, and values of its own
 * afterwards. The distribution is no part of the model then: were it to depend on a latent, the
 * given value would say something of that latent, which nothing would count. */
#include "front/check.h"

typedef struct Unknown {
    const Var *var;
} Unknown;

static void find_unknown(void *user, Var *var) {
    Unknown *unknown = user;
    bool is_unknown =
        var->kind == VAR_LATENT || var->kind == VAR_OBSERVED || var->kind == VAR_SUMMED;
    if (is_unknown && !unknown->var) unknown->var = var;
}

static bool check_made_of(Checker *ck, const Var *var, const Expr *e) {
    Unknown unknown = {0};
    expr_visit_vars(e, find_unknown, &unknown);
    if (!unknown.var) return true;
    FAIL(ck, var->kind == VAR_GIVEN ? DIAG_GIVEN_DEPENDS : DIAG_CONTEXT_DEPENDS, e->span, var->name,
         unknown.var->name);
    diag_note(ck->diags, unknown.var->span, "`%s` is declared here", unknown.var->name);
    return false;
}

bool check_known(Checker *ck, const Var *var) {
    if (!var->dist) return check_made_of(ck, var, var->value);
    for (int i = 0; i < var->dist->n_params; i++)
        if (!check_made_of(ck, var, var->args[i])) return false;
    return true;
}

static void keep_var_positive(void *user, Var *var) {
    const Checker *ck = user;
    if (var->kind != VAR_GIVEN) return;
    var->positive |=
        var->support.kind == SUPPORT_POSITIVE || ck->facts.data[var->index].range.lo > 0;
}

void keep_positive(Checker *ck, const Expr *e) {
    expr_visit_vars(e, keep_var_positive, ck);
}
