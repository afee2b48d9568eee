/* reductions.c -- which values tie the instances of a plate to each other.
 *
 * A reduction over a plate (EXPR_OVER) reads all its instances at once. What depends on it makes
 * them, and the instances of every plate inside, dependent on each other. Bodies of functions name
 * no plates, so that only expressions of the model and its lets are looked at.
 */
#include "model/graph.h"

typedef struct Ties {
    const Plate *plate;
    const Var *var;
    VEC(const Var *) seen; /* lets that have been looked through */
    Arena *arena;
} Ties;

static void find_inside(void *user, Var *var) {
    Ties *ties = user;
    bool random = var->kind == VAR_LATENT || var->kind == VAR_OBSERVED;
    if (random && !ties->var && plate_within(var->type.plate, ties->plate)) ties->var = var;
}

static bool mentions_inside(const Ties *ties, const Expr *e) {
    if (ties->var) return expr_mentions(e, ties->var);
    Ties any = {.plate = ties->plate};
    expr_visit_vars(e, find_inside, &any);
    return any.var != NULL;
}

static bool walk(Ties *ties, const Expr *e) {
    if (e->kind == EXPR_VAR && e->var->kind == VAR_LET) {
        for (int i = 0; i < ties->seen.n; i++)
            if (ties->seen.data[i] == e->var) return false;
        vec_push(ties->arena, &ties->seen, e->var);
        return walk(ties, e->var->value);
    }
    if (e->kind == EXPR_OVER && plate_within(ties->plate, e->plate) &&
        mentions_inside(ties, e->args[0]))
        return true;
    for (int i = 0; i < e->n_args; i++)
        if (walk(ties, e->args[i])) return true;
    return false;
}

bool expr_ties(const Expr *e, const Plate *plate, const Var *var) {
    Ties ties = {.plate = plate, .var = var, .arena = arena_new()};
    bool found = plate && walk(&ties, e);
    arena_free(ties.arena);
    return found;
}

bool expr_reads_position(const Expr *e, const Plate *plate) {
    if (e->kind == EXPR_POSITION && e->plate == plate) return true;
    for (int i = 0; i < e->n_args; i++)
        if (expr_reads_position(e->args[i], plate)) return true;
    return false;
}
