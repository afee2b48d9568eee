/* predict.c -- program predict: what would be observed, given covariates, contexts and draws of the
 * latents. It is the simulator with inputs in the place of the latents.
 *
 * A discrete latent was summed out: program posterior says how probable each of its values is,
 * given the draw of the others and the data, and one is drawn here. Labels of one group depend on
 * each other beyond that, so there is no such program for a model that has groups of several. */
#include "dual/predict.h"

bool predict_serves(Build *b) {
    for (int i = 0; i < b->analysis->n_groups; i++)
        if (b->analysis->groups[i].n > 1) return false;
    return true;
}

IrValue input_probabilities(Build *b, const Var *z) {
    AxisId axes[IR_MAX_AXES];
    int n = instance_axes(b, z->type.plate, true, axes);
    axes[n++] = summed_axis(b, z);
    return ir_input(b->p, z->name, ROLE_LATENT, axes, n);
}

/* How many cumulated probabilities are below a uniform draw. */
void draw_label(Build *b, const Var *z, IrValue probability) {
    IrProgram *p = b->p;
    AxisId axes[IR_MAX_AXES], values = summed_axis(b, z);
    int n = instance_axes(b, z->type.plate, true, axes);
    IrValue u = ir_random(p, RANDOM_UNIFORM, arena_printf(b->arena, "sim:%s", z->name), axes, n);
    IrValue below = number(b, 0), label = number(b, 0);
    for (int64_t k = 0; k < z->n_values - 1; k++) {
        below = ir_add(p, below, ir_pick(p, probability, values, k));
        IrValue beyond = ir_select(p, ir_lt(p, below, u), number(b, 1), number(b, 0));
        label = ir_add(p, label, beyond);
    }
    b->value[z->index] = (Val){.v = label};
}

void input_draws(Build *b) {
    b->by_draw = true;
    input_all(b, VAR_CONTEXT, ROLE_DATA);
    input_all(b, VAR_GIVEN, ROLE_DATA);
    input_all(b, VAR_LATENT, ROLE_LATENT);
}

void build_predict(Build *b) {
    input_draws(b);
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        if (var->kind == VAR_SUMMED) draw_label(b, var, input_probabilities(b, var));
        if (var->kind != VAR_OBSERVED) continue;
        b->value[i] = lower_sample(b, var, BASE_DRAWS);
        output_value(b, var->name, &b->value[i], var->type.plate, true);
    }
}
