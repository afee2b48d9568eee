/* context.c -- known inputs that a network is amortised over.
 *
 * A context has a distribution in training, and a value afterwards. The distribution is no part of
 * the model then: were it to depend on a latent, the given value would say something of that
 * latent, which nothing would count. */
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

bool check_context(Checker *ck, const Var *var) {
    for (int i = 0; i < var->dist->n_params; i++) {
        Unknown unknown = {0};
        expr_visit_vars(var->args[i], find_unknown, &unknown);
        if (!unknown.var) continue;
        FAIL(ck, DIAG_CONTEXT_DEPENDS, var->args[i]->span, var->name, unknown.var->name);
        diag_note(ck->diags, unknown.var->span, "`%s` is declared here", unknown.var->name);
        return false;
    }
    return true;
}
