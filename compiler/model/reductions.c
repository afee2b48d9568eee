/* reductions.c -- which values tie the instances of a plate to each other.
 *
 * A reduction over a plate (EXPR_OVER) reads all its instances at once. What depends on it makes
 * them, and the instances of every plate inside, dependent on each other. Bodies of functions name
 * no plates, so that only expressions of the model and its lets are looked at.
 */
#include "model/graph.h"

typedef struct Ties {
    const Plate *plate;
    void (*visit)(void *user, Var *var);
    void *user;
    VEC(const Var *) seen; /* lets that have been looked through */
    Arena *arena;
} Ties;

static void walk(Ties *ties, const Expr *e) {
    if (e->kind == EXPR_VAR && e->var->kind == VAR_LET) {
        for (int i = 0; i < ties->seen.n; i++)
            if (ties->seen.data[i] == e->var) return;
        vec_push(ties->arena, &ties->seen, e->var);
        walk(ties, e->var->value);
    } else if (e->kind == EXPR_OVER && plate_within(ties->plate, e->plate)) {
        expr_visit_vars(e->args[0], ties->visit, ties->user);
    } else {
        for (int i = 0; i < e->n_args; i++) walk(ties, e->args[i]);
    }
}

void expr_visit_tied(const Expr *e, const Plate *plate, void (*visit)(void *user, Var *var),
                     void *user) {
    if (!plate) return;
    Ties ties = {.plate = plate, .visit = visit, .user = user, .arena = arena_new()};
    walk(&ties, e);
    arena_free(ties.arena);
}

static bool reduces(const Expr *e, const bool *known) {
    if (e->kind == EXPR_OVER || (e->kind == EXPR_VAR && known[e->var->index])) return true;
    for (int i = 0; i < e->n_args; i++)
        if (reduces(e->args[i], known)) return true;
    return false;
}

void model_mark_reductions(const Model *model, bool *mark) {
    for (int k = 0; k < model->vars.n; k++) { /* a use never precedes its declaration */
        const Var *var = model->vars.data[k];
        mark[k] = var->value && var->kind != VAR_HYPER && reduces(var->value, mark);
        bool own = false;
        for (int i = 0; var->dist && i < var->dist->n_params; i++)
            own |= reduces(var->args[i], mark);
        mark[k] |= own;
    }
}

bool expr_reads_position(const Expr *e, const Plate *plate) {
    if (e->kind == EXPR_POSITION && e->plate == plate) return true;
    for (int i = 0; i < e->n_args; i++)
        if (expr_reads_position(e->args[i], plate)) return true;
    return false;
}
