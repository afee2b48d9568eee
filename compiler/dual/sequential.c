/* sequential.c -- the programs of rounds on one data set (runtime/sequential.c): `atomic`, the loss
 * of sequential neural posterior estimation with atomic proposals (SNPE-C: Greenberg, Nonnenmacher
 * & Macke, ICML 2019), and `observe`, data drawn given latents.
 *
 * Latents come from any proposal, where maximising log q of them would learn the proposal's
 * posterior. Instead q must tell which of several latents, the atoms, a data set came from:
 *
 *     loss = - log (r_0 / sum over atoms j of r_j),   r_j = q(latents_j | X) / p(latents_j)
 *
 * Whatever the proposal of the atoms is, it cancels. The least loss has r = p(X | latents) times
 * any function of X, which q's own normalisation fixes.
 */
#include "dual/objectives.h"

bool sequential_served(Diags *diags, const Model *model) {
    bool served = true;
    for (int i = 0; i < model->vars.n; i++) {
        const Var *var = model->vars.data[i];
        if (var->kind != VAR_LATENT || !var_reads_summed(var)) continue;
        served = false;
        if (!diags) internal_error("dual", "data given `%s` and not its label", var->name);
        diag_report(diags, DIAG_NO_ROUNDS, var->span, var->name);
    }
    return served;
}

/* Atoms along the axis of draws; "atom:own" [data, draw] is 1 at the data set's own, else 0. */
void build_atomic(Build *b) {
    IrProgram *p = b->p;
    const AxisId axes[] = {b->data, b->draw};
    input_data(b);
    input_all(b, VAR_LATENT, ROLE_LATENT);
    IrValue own = ir_input(p, "atom:own", ROLE_DATA, axes, 2);
    IrValue log_prior = log_density(b, VAR_LATENT);
    IrValue log_ratio = ir_sub(p, log_q_of_values(b, NULL), log_prior), nought = number(b, 0);
    ir_output(p, "log_ratio", log_ratio);
    IrValue is_own = ir_lt(p, nought, own);
    IrValue of_own = ir_sum(p, ir_select(p, is_own, log_ratio, nought), &b->draw, 1);
    output_set_loss(b, ir_sub(p, log_sum_exp(b, log_ratio, b->draw), of_own));
}

void build_observe(Build *b) {
    input_all(b, VAR_CONTEXT, ROLE_DATA);
    input_all(b, VAR_GIVEN, ROLE_DATA);
    input_all(b, VAR_LATENT, ROLE_DATA);
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        if (var->kind != VAR_SUMMED && var->kind != VAR_OBSERVED) continue;
        b->value[i] = lower_sample(b, var, BASE_DRAWS);
        if (var->kind == VAR_OBSERVED)
            output_value(b, var->name, &b->value[i], var->type.plate, false);
    }
}
