/* missing.c -- `observed y ~ ... with missing`: cells that a data file may leave empty.
 *
 * Programs compute with a harmless number in the place of a missing one, whose density is
 * multiplied by 0 (dual/missing.c): it must lie in the support whatever is known or unknown, so
 * that neither the density nor its gradient is NaN. */
#include "front/check.h"

/* The one number that all entries of this end are; false: it hangs on something, or they differ. */
static bool constant_end(Checker *ck, const Expr *end, double *number) {
    return end && same_number(ck, end, false, number);
}

static bool harmless_number(Checker *ck, const Var *var, double *number) {
    const Support *s = &var->support;
    double lo, hi;
    switch (s->kind) {
    case SUPPORT_REAL:
    case SUPPORT_SUM_TO_ZERO:
    case SUPPORT_CATEGORY:
    case SUPPORT_COUNT:
    case SUPPORT_COUNT_TO:
        *number = 0;
        return true;
    case SUPPORT_POSITIVE:
        *number = 1;
        return true;
    case SUPPORT_SIMPLEX:
        *number = 1 / (double)var->type.dims[var->type.n_dims - 1];
        return true;
    case SUPPORT_INTERVAL:
        if (!constant_end(ck, s->lo, &lo) || !constant_end(ck, s->hi, &hi)) return false;
        *number = lo + (hi - lo) / 2;
        return true;
    case SUPPORT_LOWER:
        if (!constant_end(ck, s->lo, &lo)) return false;
        *number = lo + 1;
        return true;
    case SUPPORT_UPPER:
        if (!constant_end(ck, s->hi, &hi)) return false;
        *number = hi - 1;
        return true;
    default:
        return false;
    }
}

bool check_missing(Checker *ck, Var *var, const Ast *ast) {
    const Plate *plate = var->type.plate;
    bool absent = plate && plate->across && plate->share_lo < 1; /* with its pair */
    if (!ast->word.text && !absent) return true;
    if (ast->word.text && strcmp(ast->word.text, "missing") != 0) {
        FAIL(ck, DIAG_MISSING_WORD, ast->word.span, ast->word.text);
        return false;
    }
    var->missing = harmless_number(ck, var, &var->harmless);
    var->with_pairs = !ast->word.text;
    if (!var->missing)
        FAIL(ck, DIAG_MISSING_SUPPORT, ast->word.text ? ast->word.span : var->span, var->name,
             support_text(ck, &var->support));
    return var->missing;
}

/* The first variable with missing cells that `e` reads directly: lets are looked at by themselves.
 */
static const Expr *reads_missing(const Expr *e) {
    if (e->kind == EXPR_VAR && e->var->missing) return e;
    for (int i = 0; i < e->n_args; i++) {
        const Expr *found = reads_missing(e->args[i]);
        if (found) return found;
    }
    return NULL;
}

void check_missing_read(Checker *ck) {
    static const char *const words[] = {[VAR_LATENT] = "latent",
                                        [VAR_OBSERVED] = "observed",
                                        [VAR_LET] = "let",
                                        [VAR_QUANTITY] = "quantity",
                                        [VAR_SUMMED] = "latent"};
    const Model *model = ck->model;
    for (int i = 0; i < model->vars.n; i++) {
        const Var *var = model->vars.data[i];
        const Expr *found = var->value ? reads_missing(var->value) : NULL;
        for (int k = 0; var->dist && k < var->dist->n_params && !found; k++)
            found = reads_missing(var->args[k]);
        if (!found) continue;
        FAIL(ck, DIAG_MISSING_READ, found->span, words[var->kind], var->name, found->var->name);
        diag_note(ck->diags, found->var->span, "`%s` is declared here", found->var->name);
    }
}
