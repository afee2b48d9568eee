/* plate.c -- plates in expressions: reductions over their instances, their sizes, and the position
 * of an instance.
 *
 * A reduction sum(p: x) runs over the instances of p inside the enclosing instance of p's parent,
 * so the parent must be around the place. Its argument is read as if it stood in p: it sees what
 * stands in p and around it, and yields one value per instance of the parent. */
#include "front/check.h"

Plate *named_plate(Checker *ck, AstWord name) {
    const Symbol *symbol = find_symbol(ck, name.text);
    if (ck->body) {
        FAIL(ck, DIAG_OUTER_NAME_IN_BODY, name.span, name.text, ck->body->what);
        return NULL;
    }
    if (!symbol || symbol->kind != SYMBOL_PLATE) {
        FAIL(ck, DIAG_UNKNOWN_PLATE, name.span, name.text);
        if (symbol) diag_note(ck->diags, symbol->span, "`%s` is no plate", name.text);
        const char **names = arena_array(ck->arena, const char *, ck->order.n + 1);
        int n = 0;
        for (int i = 0; i < ck->order.n; i++)
            if (ck->order.data[i]->kind == SYMBOL_PLATE) names[n++] = ck->order.data[i]->name;
        const char *nearest = nearest_name(name.text, names, n);
        if (nearest) diag_help(ck->diags, "did you mean `%s`?", nearest);
        return NULL;
    }
    if (symbol->broken) return NULL; /* said at its declaration */
    if (!symbol->plate) {
        FAIL(ck, DIAG_USED_TOO_EARLY, name.span, name.text);
        diag_note(ck->diags, symbol->span, "`%s` is declared here", name.text);
        return NULL;
    }
    if (ck->constant) {
        FAIL(ck, DIAG_NOT_CONSTANT, name.span, ck->constant);
        diag_note(ck->diags, symbol->span, "the size of plate `%s` is known at run time only",
                  name.text);
        return NULL;
    }
    return symbol->plate;
}

/* Does one instance of the plate's parent enclose this place? */
static bool parent_is_around(Checker *ck, const Plate *plate, Span span) {
    if (plate_within(ck->plate, plate->parent)) return true;
    FAIL(ck, DIAG_PLATE_NOT_INSIDE, span, plate->name, plate->parent->name);
    diag_note(ck->diags, plate->span, "plate `%s` is declared here", plate->name);
    return false;
}

Plate *reopened_plate(Checker *ck, const Ast *ast) {
    Plate *plate = named_plate(ck, ast->name);
    if (!plate && !find_symbol(ck, ast->name.text))
        diag_help(ck->diags, "a new plate has a size: `plate %s(10)`", ast->name.text);
    return plate && parent_is_around(ck, plate, ast->name.span) ? plate : NULL;
}

static bool reachable(Checker *ck, const Plate *plate, Span span) {
    if (parent_is_around(ck, plate, span)) return true;
    diag_help(ck->diags, "reduce over both, the inner one first: sum(%s: sum(%s: ...))",
              plate->parent->name, plate->name);
    return false;
}

/* The operation that the call's name means over a plate; false: none. */
static bool reduction_named(const char *name, Reduce *reduce) {
    const Builtin *builtin = find_builtin(name, 1);
    if (!builtin || builtin->kind != BUILTIN_REDUCTION || builtin->reduce == REDUCE_PROD)
        return false;
    *reduce = builtin->reduce;
    return true;
}

Expr *resolve_over(Checker *ck, const Ast *call) {
    const Ast *over = call->args.data[0];
    Reduce reduce;
    if (!reduction_named(call->name.text, &reduce) || over->kind != AST_OVER) {
        FAIL(ck, DIAG_REDUCTION_FORM, call->span, arena_printf(ck->arena, "`%s`", call->name.text));
        return NULL;
    }
    if (call->args.n > 1) {
        FAIL(ck, DIAG_ARGUMENT_COUNT, call->span, call->name.text, "1 argument", call->args.n);
        return NULL;
    }
    Plate *plate = named_plate(ck, over->name);
    if (!plate || !reachable(ck, plate, over->name.span)) return NULL;
    Plate *around = ck->plate;
    ck->plate = plate;
    Expr *argument = resolve_part(ck, over->value);
    ck->plate = around;
    if (!argument) return NULL;
    Expr *e = new_expr(ck, EXPR_OVER, call->span, 1);
    e->reduce = reduce;
    e->plate = plate;
    e->args[0] = argument;
    return e;
}

bool type_over(Checker *ck, Expr *e) {
    const Type *type = &e->args[0]->type;
    if (type->plate != e->plate) {
        FAIL(ck, DIAG_NOT_OVER_PLATE, e->args[0]->span, e->plate->name);
        diag_note(ck->diags, e->plate->span, "plate `%s` is declared here", e->plate->name);
        if (e->reduce == REDUCE_SUM)
            diag_help(ck->diags, "the number of instances is `%s.size`", e->plate->name);
        return false;
    }
    e->type = *type;
    e->type.plate = e->plate->parent;
    return true;
}

void suggest_reduction(Checker *ck, const Symbol *symbol) {
    const Plate *plate = symbol->scope;
    const char *e = symbol->name;
    if (symbol->var && symbol->var->kind == VAR_SUMMED) {
        diag_help(ck->diags, "a discrete latent is summed out inside each instance of its plate");
        return;
    }
    if (plate->across) return; /* it has no name to reduce over */
    /* from the innermost plate outwards, up to the one that is around this place */
    for (; plate && !plate_within(ck->plate, plate); plate = plate->parent)
        e = arena_printf(ck->arena, "sum(%s: %s)", plate->name, e);
    diag_help(ck->diags, "reduce it over the instances: %s, or mean, min, max", e);
}

Expr *resolve_plate_field(Checker *ck, const Ast *ast) {
    bool size = strcmp(ast->word.text, "size") == 0;
    Plate *plate = named_plate(ck, ast->name);
    if (!plate) return NULL;
    if (!size && strcmp(ast->word.text, "index") != 0) {
        FAIL(ck, DIAG_UNKNOWN_FIELD, ast->word.span, plate->name, ast->word.text);
        return NULL;
    }
    if (size && !reachable(ck, plate, ast->name.span)) return NULL;
    if (!size && !plate_within(ck->plate, plate)) {
        FAIL(ck, DIAG_INDEX_OUTSIDE, ast->span, plate->name);
        diag_note(ck->diags, plate->span, "plate `%s` is declared here", plate->name);
        return NULL;
    }
    Expr *e = new_expr(ck, size ? EXPR_SIZE : EXPR_POSITION, ast->span, 0);
    e->plate = plate;
    return e;
}
