/* model_builder.h -- checked models by hand, for tests that should not need the front end.
 *
 *     Builder b = builder_new("gre");
 *     Var *mu = build_latent(&b, "mu", NULL, number(&b, 0), number(&b, 1));
 *     Plate *g = build_plate(&b, "g", NULL, 3);
 *     Var *x = build_observed(&b, "x", g, ref(&b, mu), number(&b, 1));
 *
 * Every distribution is one with two parameters; its bodies are absent, since no analysis needs
 * them.
 */
#ifndef ADAVIC_MODEL_BUILDER_H
#define ADAVIC_MODEL_BUILDER_H

#include "model/model.h"

typedef struct Builder {
    Arena *arena;
    Model *model;
    Distribution *pair;
} Builder;

static inline Builder builder_new(const char *name) {
    Builder b = {.arena = arena_new()};
    b.model = arena_new_of(b.arena, Model);
    b.model->name = name;
    b.pair = arena_new_of(b.arena, Distribution);
    b.pair->name = "pair";
    b.pair->n_params = 2;
    return b;
}

static inline Plate *build_plate(Builder *b, const char *name, Plate *parent, int64_t size) {
    Plate *plate = arena_new_of(b->arena, Plate);
    plate->name = name;
    plate->parent = parent;
    plate->depth = parent ? parent->depth + 1 : 0;
    plate->index = b->model->plates.n;
    plate->size = size;
    vec_push(b->arena, &b->model->plates, plate);
    return plate;
}

static inline Expr *build_expr(Builder *b, ExprKind kind, Expr *left, Expr *right) {
    Expr *e = arena_new_of(b->arena, Expr);
    e->kind = kind;
    e->args = arena_array(b->arena, Expr *, 2);
    if (left) e->args[e->n_args++] = left;
    if (right) e->args[e->n_args++] = right;
    return e;
}

static inline Expr *number(Builder *b, double x) {
    Expr *e = build_expr(b, EXPR_NUMBER, NULL, NULL);
    e->number = x;
    return e;
}

static inline Expr *ref(Builder *b, Var *var) {
    Expr *e = build_expr(b, EXPR_VAR, NULL, NULL);
    e->var = var;
    return e;
}

static inline Expr *param(Builder *b, int position) {
    Expr *e = build_expr(b, EXPR_PARAM, NULL, NULL);
    e->param = position;
    return e;
}

static inline Expr *add(Builder *b, Expr *left, Expr *right) {
    Expr *e = build_expr(b, EXPR_OP, left, right);
    e->opcode = OP_ADD;
    return e;
}

static inline Expr *call(Builder *b, Function *function, Expr *left, Expr *right) {
    Expr *e = build_expr(b, EXPR_CALL, left, right);
    e->function = function;
    return e;
}

static inline Function *build_function(Builder *b, const char *name, int n_params, Expr *body) {
    Function *function = arena_new_of(b->arena, Function);
    function->name = name;
    function->n_params = n_params;
    function->body = body;
    return function;
}

static inline Var *build_var(Builder *b, VarKind kind, const char *name, Plate *plate) {
    Var *var = arena_new_of(b->arena, Var);
    var->kind = kind;
    var->name = name;
    var->type.plate = plate;
    var->index = b->model->vars.n;
    vec_push(b->arena, &b->model->vars, var);
    return var;
}

static inline Var *build_random(Builder *b, VarKind kind, const char *name, Plate *plate, Expr *p0,
                                Expr *p1) {
    Var *var = build_var(b, kind, name, plate);
    var->dist = b->pair;
    var->args = arena_array(b->arena, Expr *, 2);
    var->args[0] = p0;
    var->args[1] = p1;
    return var;
}

static inline Var *build_latent(Builder *b, const char *name, Plate *plate, Expr *p0, Expr *p1) {
    return build_random(b, VAR_LATENT, name, plate, p0, p1);
}

static inline Var *build_observed(Builder *b, const char *name, Plate *plate, Expr *p0, Expr *p1) {
    return build_random(b, VAR_OBSERVED, name, plate, p0, p1);
}

static inline Var *build_let(Builder *b, const char *name, Plate *plate, Expr *value) {
    Var *var = build_var(b, VAR_LET, name, plate);
    var->value = value;
    return var;
}

#endif
