/* arguments.c -- the call of a distribution: which one, for which size, its arguments in order and
 * of fitting shapes. */
#include "front/check.h"

/* Puts the arguments of a call of a distribution in the order of its parameters. */
static bool order_arguments(Checker *ck, const Ast *call, const Distribution *dist,
                            const Ast **ordered) {
    bool good = true, by_name = false;
    int positional = 0;
    for (int i = 0; i < call->args.n; i++) {
        const Ast *arg = call->args.data[i];
        int at = -1;
        if (arg->kind == AST_NAMED) {
            by_name = true;
            for (int k = 0; k < dist->n_params; k++)
                if (strcmp(dist->params[k].name, arg->name.text) == 0) at = k;
            if (at < 0) {
                FAIL(ck, DIAG_UNKNOWN_ARGUMENT, arg->name.span, dist->name, arg->name.text);
                const char *names[MAX_PARAMS];
                for (int k = 0; k < dist->n_params; k++) names[k] = dist->params[k].name;
                const char *nearest = nearest_name(arg->name.text, names, dist->n_params);
                if (nearest) diag_help(ck->diags, "did you mean `%s`?", nearest);
                good = false;
                continue;
            }
        } else if (by_name) {
            FAIL(ck, DIAG_ARGUMENT_ORDER, arg->span);
            good = false;
            continue;
        } else {
            at = positional++;
            if (at >= dist->n_params) continue;
        }
        if (ordered[at]) {
            FAIL(ck, DIAG_ARGUMENT_TWICE, arg->span, dist->params[at].name, dist->name);
            good = false;
        }
        ordered[at] = arg->kind == AST_NAMED ? arg->value : arg;
    }
    if (positional > dist->n_params || (good && !by_name && positional < dist->n_params)) {
        const char *takes = dist->n_params == 1
                                ? "1 argument"
                                : arena_printf(ck->arena, "%d arguments", dist->n_params);
        FAIL(ck, DIAG_ARGUMENT_COUNT, call->span, dist->name, takes, call->args.n);
        diag_note(ck->diags, dist->span, "`%s` is defined here", dist->name);
        return false;
    }
    for (int k = 0; good && k < dist->n_params; k++) {
        if (ordered[k]) continue;
        FAIL(ck, DIAG_ARGUMENT_MISSING, call->span, dist->params[k].name, dist->name);
        good = false;
    }
    return good;
}

static Definition *find_distribution(Checker *ck, const Ast *call) {
    const char *name = call->name.text;
    Definition *definition = find_definition(ck, DEFINES_DISTRIBUTION, name);
    if (definition) return definition;
    if (is_refused(REFUSED_DISTRIBUTION, name)) {
        FAIL(ck, DIAG_UNSUPPORTED_DISTRIBUTION, call->name.span, name);
        if (is_refused(REFUSED_COUNT, name) && strcmp(ck->user, "a latent") == 0)
            diag_help(ck->diags, "discrete latents have finitely many values, which are summed "
                                 "over: categorical(p), bernoulli(p)");
        return NULL;
    }
    FAIL(ck, DIAG_UNKNOWN_DISTRIBUTION, call->name.span, name);
    suggest_definition(ck, DEFINES_DISTRIBUTION, name);
    return NULL;
}

/* Does an argument of this type serve `var`? Its own dimensions are the parameter's; before them it
 * may have those of the variable's copies, which stand before n_event others. A scalar serves every
 * entry of a vector. */
static bool fits(const Var *var, int n_event, const Param *param, const Type *type) {
    int copies = var->type.n_dims - n_event, before = type->n_dims - param->n_dims;
    if (type->n_dims == 0) return param->n_dims <= 1;
    if (before != 0 && before != copies) return false;
    for (int i = 0; i < type->n_dims; i++)
        if (type->dims[i] != (i < before ? var->type.dims[i] : param->dims[i - before]))
            return false;
    return true;
}

/* Where a distribution of numbers is sized by its arguments: their own dimensions are the last;
 * before them may stand those of the variable's copies. */
static const Instance *instance_of_arguments(Checker *ck, Definition *definition, Expr *const *args,
                                             Span span) {
    const AstList *params = &definition->ast->args;
    Type shapes[MAX_PARAMS];
    for (int i = 0; i < params->n; i++) {
        int n = params->data[i]->dims.n, before = args[i]->type.n_dims - n;
        shapes[i] = args[i]->type;
        if (before < 0) before = 0; /* too few: instance_of says so */
        shapes[i].n_dims -= before;
        memmove(shapes[i].dims, args[i]->type.dims + before,
                sizeof *shapes[i].dims * (size_t)shapes[i].n_dims);
    }
    return instance_of(ck, definition, shapes, params->n, span);
}

/* The distribution for the size of `var`'s events, or of the arguments; NULL (reported) if there is
 * none. */
static Distribution *distribution_for(Checker *ck, const Var *var, Definition *definition,
                                      Expr *const *args, Span span) {
    if (!definition->sized) return definition->distribution;
    if (definition->by_arguments) {
        const Instance *instance = instance_of_arguments(ck, definition, args, span);
        return instance ? instance->distribution : NULL;
    }
    const Instance *instance = instance_of_event(ck, definition, &var->type, var->span);
    return instance ? instance->distribution : NULL;
}

bool check_argument(Checker *ck, const Var *var, int n_event, const Param *param, const Expr *arg) {
    if (arg->type.elem == ELEM_BOOL) {
        FAIL(ck, DIAG_NEEDS_NUMBER, arg->span);
        return false;
    }
    if (fits(var, n_event, param, &arg->type)) return true;
    FAIL(ck, DIAG_ARGUMENT_SHAPE, arg->span,
         shape_text(ck->arena, arg->type.n_dims, arg->type.dims), param->name, var->name,
         shape_text(ck->arena, var->type.n_dims, var->type.dims));
    diag_note(ck->diags, var->span, "`%s` is declared here", var->name);
    if (param->n_dims)
        diag_help(ck->diags, "`%s` has shape %s here", param->name,
                  shape_text(ck->arena, param->n_dims, param->dims));
    return false;
}

bool check_arguments(Checker *ck, Var *var, const Ast *call) {
    bool by_entry = ck->by_entry;
    ck->by_entry = false;
    if (is_combinator(ck, call->name.text)) return combine(ck, var, call);
    Definition *definition = find_distribution(ck, call);
    bool good = definition && define(ck, definition, call->name.span);
    const Ast *ordered[MAX_PARAMS] = {0};
    if (good) good = order_arguments(ck, call, definition->distribution, ordered);
    Expr *first[MAX_PARAMS] = {0}; /* resolved beforehand */
    bool by_arguments = good && definition->by_arguments;
    for (int k = 0; by_arguments && k < definition->distribution->n_params; k++)
        if (!(first[k] = resolve_value(ck, ordered[k]))) return false;
    if (good) var->dist = distribution_for(ck, var, definition, first, call->span);
    if (by_arguments && !var->dist) return false;
    if (!good || !var->dist) { /* still look at the arguments, for more than one report a run */
        for (int i = 0; i < call->args.n; i++) {
            const Ast *arg = call->args.data[i];
            if (definition || arg->kind != AST_CALL)
                resolve_expr(ck, arg->kind == AST_NAMED ? arg->value : arg);
        }
        return false;
    }
    definition->used = true;
    var->args = arena_array(ck->arena, Expr *, var->dist->n_params + 1);
    for (int k = 0; k < var->dist->n_params; k++) {
        Expr *arg = var->args[k] = first[k] ? first[k] : resolve_value(ck, ordered[k]);
        Param param = var->dist->params[k];
        int n_event = var->dist->n_dims;
        if (by_entry && !n_event && arg && arg->type.n_dims) { /* one number for each entry */
            n_event = param.n_dims = 1;
            param.dims[0] = var->type.dims[var->type.n_dims - 1];
        }
        good = arg && check_argument(ck, var, n_event, &param, arg) && good;
    }
    return good;
}
