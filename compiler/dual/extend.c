/* extend.c -- program extend: draws of the posterior, of the instances that the data have, carried
 * over to others, some of which they have and some not. Program predict reads what it yields.
 *
 * A latent in an instance that the data have is the draw's; in any other it is drawn from its law
 * given the values so far, which are the draw's outside and, within, those drawn here. So whatever
 * hangs on a new instance is drawn anew from the outside in: that is the posterior of instances of
 * which nothing is observed, as long as no law hangs on what other instances there are.
 *
 * Labels. Program posterior says how probable each value of a discrete latent is given the draw;
 * of an instance that is new its law says so. One value is drawn here, once for all that hangs on
 * it, and passed on as probabilities that are 1 for it and 0 for the others. */
#include "dual/predict.h"

/* What of a law, by variable, ties instances to others: a plate that it counts or reduces, or what
 * is observed and it reads. Lets pass it on. */
typedef struct Tie {
    const Plate *over;
    const Var *observed;
} Tie;

static void add_ties(const Expr *e, const Tie *of, Tie *tie) {
    if (e->kind == EXPR_OVER || e->kind == EXPR_SIZE) tie->over = e->plate;
    if (e->kind == EXPR_VAR && e->var->kind == VAR_OBSERVED) tie->observed = e->var;
    if (e->kind == EXPR_VAR && e->var->kind == VAR_LET) {
        const Tie *let = &of[e->var->index];
        if (let->over) tie->over = let->over;
        if (let->observed) tie->observed = let->observed;
    }
    for (int i = 0; i < e->n_args; i++) add_ties(e->args[i], of, tie);
}

static bool has_law(const Var *var) {
    return var->kind == VAR_LATENT || var->kind == VAR_SUMMED || var->kind == VAR_OBSERVED;
}

/* What is observed in the same instance is predicted with it; elsewhere it is known, and its place
 * is in the data. */
static bool is_drawn_with(const Var *observed, const Var *reader) {
    return reader->kind == VAR_OBSERVED && reader->type.plate == observed->type.plate;
}

const char *dual_extend_refusal(Arena *arena, const Analysis *analysis) {
    const Model *model = analysis->model;
    Tie *tie = arena_array(arena, Tie, model->vars.n + 1);
    memset(tie, 0, sizeof *tie * (size_t)(model->vars.n + 1));
    for (int k = 0; k < model->vars.n; k++) { /* a use never precedes its declaration */
        const Var *var = model->vars.data[k];
        if (var->kind == VAR_LET) add_ties(var->value, tie, &tie[k]);
        for (int i = 0; has_law(var) && i < var->dist->n_params; i++)
            add_ties(var->args[i], tie, &tie[k]);
        if (!has_law(var)) continue;
        if (tie[k].over)
            return arena_printf(arena,
                                "the law of %s reads all instances of plate %s, or how many there "
                                "are, so that new ones would change it for those in the data",
                                var->name, tie[k].over->name);
        if (tie[k].observed && !is_drawn_with(tie[k].observed, var))
            return arena_printf(arena,
                                "the law of %s reads %s, which is observed elsewhere, so that it "
                                "would have to be known for new instances, too",
                                var->name, tie[k].observed->name);
    }
    return NULL;
}

bool extend_serves(Build *b) {
    bool needed = false;
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        needed |= var->kind == VAR_SUMMED || (var->kind == VAR_LATENT && var->type.plate);
    }
    return needed && predict_serves(b) && !dual_extend_refusal(b->arena, b->analysis);
}

/* `given` in the instances of `plate` that the data have, `drawn` in the others. */
static IrValue known_or(Build *b, const Plate *plate, IrValue given, IrValue drawn) {
    AxisId axes[IR_MAX_AXES];
    if (!plate) return given;
    int n = instance_axes(b, plate, false, axes);
    const char *name = arena_printf(b->arena, "known:%s", plate->name);
    IrValue known = ir_input(b->p, name, ROLE_DATA, axes, n);
    return ir_select(b->p, ir_lt(b->p, number(b, 0), known), given, drawn);
}

static void extend_label(Build *b, const Var *z) {
    IrValue given = input_probabilities(b, z), law = ir_exp(b->p, label_law(b, z));
    AxisId axes[IR_MAX_AXES];
    int n = instance_axes(b, z->type.plate, true, axes);
    axes[n++] = summed_axis(b, z);
    draw_label(b, z, known_or(b, z->type.plate, given, law));
    IrValue of = indicators(b, b->value[z->index].v, summed_axis(b, z));
    ir_output(b->p, z->name, along(b, of, axes, n));
}

void build_extend(Build *b) {
    input_draws(b);
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        if (var->kind == VAR_SUMMED) extend_label(b, var);
        if (var->kind != VAR_LATENT || !var->type.plate) continue;
        Val drawn = lower_sample(b, var, BASE_DRAWS), *value = &b->value[i];
        value->v = known_or(b, var->type.plate, value->v, drawn.v);
        output_value(b, var->name, value, var->type.plate, true);
    }
}
