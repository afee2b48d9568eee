/* exchangeability.c -- the certificate that a plate's instances may be permuted (2 of the
 * analysis).
 *
 * A plate is exchangeable iff no expression inside it depends on which instance it stands in. The
 * check walks every expression of every declaration inside the plate. An expression is the same
 * function for all instances when each of its leaves is a number, a parameter, or a variable whose
 * plates are all around the reader: then it reads its own instance's value, or one that all
 * instances share. A reduction reads all instances, and each like the others. The switch over
 * kinds of expressions has no default: a new kind does not compile until it is judged here.
 */
#include "model/graph.h"

typedef struct Check {
    Arena *arena;
    const Var *reader;  /* the declaration whose expressions are walked */
    const Plate *at;    /* where: its plate, or that of a reduction inside */
    int expressions;    /* walked so far, of all readers */
    const char *broken; /* the first expression that tells instances apart */
} Check;

static void check_expr(Check *check, const Expr *e);

static void check_args(Check *check, const Expr *e) {
    for (int i = 0; i < e->n_args; i++) check_expr(check, e->args[i]);
}

static void check_var(Check *check, const Var *var) {
    const Plate *from = var->type.plate;
    if (plate_within(check->at, from) || check->broken) return;
    check->broken = arena_printf(
        check->arena, "`%s` reads `%s`, one instance of plate %s, which is not around it",
        check->reader->name, var->name, from->name);
}

/* A sum, mean, minimum or maximum over all instances treats them alike; inside it the reader is
 * each of them in turn. */
static void check_over(Check *check, const Expr *e) {
    const Plate *at = check->at;
    check->at = e->plate;
    check_expr(check, e->args[0]);
    check->at = at;
}

static void check_expr(Check *check, const Expr *e) {
    if (!e) return;
    switch (e->kind) {
    case EXPR_NUMBER:
    case EXPR_PARAM:
        return; /* the arguments were walked at the call */
    case EXPR_VAR:
        check_var(check, e->var);
        return;
    case EXPR_CALL:
        check_expr(check, e->function->body);
        check_args(check, e);
        return;
    case EXPR_LINK:
        check_expr(check, e->link->forward);
        check_expr(check, e->link->inverse);
        check_expr(check, e->link->log_jacobian);
        check_args(check, e);
        return;
    case EXPR_OP:
    case EXPR_REDUCE: /* over the event: the same entries for every instance */
    case EXPR_INDEX:  /* constant positions of the event */
    case EXPR_AT:     /* and those that a value names */
    case EXPR_SLICE:
    case EXPR_ARRAY:
    case EXPR_SHAPED: /* of the event, too */
    case EXPR_SIZE:
    case EXPR_POSITION: /* looked for beforehand: see certify */
    case EXPR_RANDOM:   /* base draws are independent and identically distributed over instances */
        check_args(check, e);
        return;
    case EXPR_OVER:
        check_over(check, e);
        return;
    }
}

static void check_declaration(Check *check, const Var *var) {
    check->reader = var;
    check->at = var->type.plate;
    if (var->dist) {
        for (int i = 0; i < var->dist->n_params; i++, check->expressions++)
            check_expr(check, var->args[i]);
        check_expr(check, var->dist->sample);
        check_expr(check, var->dist->log_prob);
    }
    if (var->value) {
        check_expr(check, var->value);
        check->expressions++;
    }
}

/* p.index tells instances apart wherever it stands, in a reduction outside the plate, too; but for
 * covariates, which differ between instances as other data do: with these they make the unit. */
static void check_position(Check *check, const Plate *plate, const Var *var) {
    if (var->kind == VAR_GIVEN) return;
    bool reads = var->value && expr_reads_position(var->value, plate);
    for (int i = 0; var->dist && i < var->dist->n_params; i++)
        reads |= expr_reads_position(var->args[i], plate);
    if (reads && !check->broken)
        check->broken = arena_printf(check->arena, "`%s` reads `%s.index`, the instance number",
                                     var->name, plate->name);
}

/* The random variables outside `plate` that declarations inside it depend on, and those inside. */
typedef struct Sides {
    const Plate *plate;
    const Model *model;
    bool *given, *latent, *observed, *covariate; /* by Model.vars */
    const Var *tied; /* the first that depends on a reduction over the plate, or NULL */
} Sides;

static void note_given(void *user, Var *var) {
    Sides *sides = user;
    if (var->kind != VAR_HYPER && !plate_within(var->type.plate, sides->plate))
        sides->given[var->index] = true;
}

typedef struct Inside {
    const Plate *plate;
    bool *found;
} Inside;

static void note_inside(void *user, Var *var) {
    const Inside *inside = user;
    bool random = var->kind == VAR_LATENT || var->kind == VAR_OBSERVED || var->kind == VAR_SUMMED;
    if (random && plate_within(var->type.plate, inside->plate)) *inside->found = true;
}

static void note_sides(Sides *sides, const Var *var) {
    if (var->kind == VAR_LATENT || var->kind == VAR_SUMMED) sides->latent[var->index] = true;
    if (var->kind == VAR_OBSERVED) sides->observed[var->index] = true;
    if (var->kind == VAR_GIVEN) {
        sides->covariate[var->index] = true;
        return; /* it is conditioned on, whatever it is made of in training */
    }
    for (int i = 0; var->dist && i < var->dist->n_params; i++)
        expr_visit_vars(var->args[i], note_given, sides);
    bool tied = false;
    Inside inside = {sides->plate, &tied};
    for (int i = 0; var->dist && !sides->tied && i < var->dist->n_params; i++)
        expr_visit_tied(var->args[i], sides->plate, note_inside, &inside);
    if (tied) sides->tied = var;
}

static const char *certificate(Arena *arena, const Check *check, const Sides *sides) {
    Var *const *vars = sides->model->vars.data;
    int n = sides->model->vars.n;
    const char *given = model_names(arena, vars, sides->given, n);
    const char *latent = model_names(arena, vars, sides->latent, n);
    const char *observed = model_names(arena, vars, sides->observed, n);
    const char *covariate = model_names(arena, vars, sides->covariate, n);
    Text text;
    text_init(&text, arena);
    text_printf(&text, "no expression inside (%d of them) depends on the instance number; ",
                check->expressions);
    if (!*latent && !*observed) return text_add(&text, "it holds no random variable"), text.data;
    text_add(&text, "copies of ");
    if (*latent) text_printf(&text, "latent %s", latent);
    if (*observed) text_printf(&text, "%sobserved %s", *latent ? ", " : "", observed);
    if (*covariate) text_printf(&text, ", each with its given %s,", covariate);
    if (sides->tied) {
        text_printf(&text, " are tied by a reduction over them in `%s`", sides->tied->name);
        return text.data;
    }
    text_printf(&text, " are %sindependent%s%s", *given ? "conditionally " : "",
                *given ? " given " : "", given);
    return text.data;
}

static void certify(Arena *arena, const Model *model, Plate *plate) {
    Check check = {.arena = arena};
    size_t n = (size_t)model->vars.n + 1;
    Sides sides = {plate,
                   model,
                   arena_array(arena, bool, n),
                   arena_array(arena, bool, n),
                   arena_array(arena, bool, n),
                   arena_array(arena, bool, n),
                   NULL};
    for (int k = 0; k < model->vars.n; k++) {
        const Var *var = model->vars.data[k];
        check_position(&check, plate, var);
        if (!plate_within(var->type.plate, plate)) continue;
        check_declaration(&check, var);
        note_sides(&sides, var);
    }
    plate->exchangeable = !check.broken;
    plate->reason = check.broken ? check.broken : certificate(arena, &check, &sides);
}

void model_certify_plates(Arena *arena, Model *model) {
    for (int i = 0; i < model->plates.n; i++) certify(arena, model, model->plates.data[i]);
}
