/* objectives.c -- what training minimises (runtime/objectives.def): each program simulates data
 * sets, encodes them, and outputs the mean loss over data sets and draws, and that of each set.
 *
 * Under reverse KL the law of the data is free, and heavy tails are cut in simulating; a draw from
 * the prior that is to have its density maximised must be one, so that forward KL cuts nothing.
 */
#include "dual/objectives.h"
#include "dual/settings.h"
#include "dual/total.h"

/* The mean of `each` over data sets and draws. */
static void output_loss(Build *b, IrValue each) {
    IrProgram *p = b->p;
    each = along(b, each, (AxisId[]){b->data, b->draw}, 2);
    output_set_loss(b, ir_mul(p, ir_sum(p, each, &b->draw, 1), ir_recip(p, ir_extent(p, b->draw))));
}

void output_set_loss(Build *b, IrValue set_loss) {
    IrProgram *p = b->p;
    IrValue share = ir_mul(p, set_loss, ir_recip(p, ir_extent(p, b->data)));
    IrValue loss = ir_sum(p, share, &b->data, 1);
    ir_output(p, "loss", loss);
    ir_output(p, "set_loss", set_loss);
}

/* A data set to train on, encoded; its latents are forgotten. */
static Encoding *training_data(Build *b) {
    simulate_for_training(b);
    forget_latents(b);
    return encode(b);
}

static void output_reverse(Build *b, IrValue log_q, IrValue log_p) {
    IrProgram *p = b->p;
    IrValue entropy_weight = ir_input(p, "entropy_weight", ROLE_CONTROL, NULL, 0);
    output_loss(b, ir_sub(p, ir_mul(p, entropy_weight, log_q), log_p));
}

static IrValue log_joint(Build *b) {
    return ir_add(b->p, log_density(b, VAR_LATENT), log_density(b, VAR_OBSERVED));
}

bool step_anneals(const DualOptions *options) {
    return options->family == FAMILY_STRUCTURED && options->no_exact && !options->paper;
}

void build_step(Build *b) {
    if (step_anneals(&b->options)) {
        build_annealed(b);
        return;
    }
    Encoding *enc = training_data(b);
    IrValue log_q = guide_sample(b, enc, false);
    IrValue log_p = log_joint(b);
    output_reverse(b, log_q, log_p);
}

/* The loss of `step`. Its gradient with respect to the guide's parameters lacks the term whose mean
 * is zero, the score (Roeder, Wu & Duvenaud, NeurIPS 2017): where the guide is the posterior, so is
 * what remains, draw by draw. */
void build_path(Build *b) {
    Encoding *enc = training_data(b);
    IrValue log_q = guide_sample_held(b, enc, false);
    IrValue log_p = log_joint(b);
    output_reverse(b, log_q, log_p);
}

void build_map(Build *b) {
    Encoding *enc = training_data(b);
    guide_locate(b, enc);
    IrValue log_p = log_joint(b);
    output_loss(b, ir_neg(b->p, log_p));
}

void build_annealed(Build *b) {
    IrProgram *p = b->p;
    Encoding *enc = training_data(b);
    IrValue log_q = guide_sample(b, enc, false);
    IrValue likelihood_weight = ir_input(p, "likelihood_weight", ROLE_CONTROL, NULL, 0);
    IrValue prior = log_density(b, VAR_LATENT), likelihood = log_density(b, VAR_OBSERVED);
    IrValue log_p = ir_add(p, prior, ir_mul(p, likelihood_weight, likelihood));
    output_reverse(b, log_q, log_p);
}

IrValue log_q_of_values(Build *b, Encoding **encoding) {
    Val *values = arena_array(b->arena, Val, b->model->vars.n + 1);
    memcpy(values, b->value, sizeof *values * (size_t)b->model->vars.n);
    forget_latents(b);
    Encoding *enc = encode(b);
    if (encoding) *encoding = enc;
    return along(b, guide_log_density(b, enc, values), (AxisId[]){b->data, b->draw}, 2);
}

/* log q of the latents that the data came from; they are forgotten. */
static IrValue log_q_of_truth(Build *b, Encoding **enc) {
    simulate_all(b, false);
    IrValue log_q = log_q_of_values(b, enc);
    forget_latents(b);
    return log_q;
}

void build_forward(Build *b) {
    output_loss(b, ir_neg(b->p, log_q_of_truth(b, NULL)));
}

/* log p(X, latents) - log q(latents | X) is log p(X) for every value of the latents, where q is the
 * posterior: its variance over any draws is as good a loss (Schmitt et al., ICML 2024). Draws are
 * from q and held, so that log p needs no derivative. */
void build_consistency(Build *b) {
    IrProgram *p = b->p;
    Encoding *enc;
    IrValue log_q_truth = log_q_of_truth(b, &enc);
    IrValue log_q = guide_sample_held(b, enc, true);
    IrValue log_p = log_joint(b);
    IrValue ratio = along(b, ir_sub(p, log_p, log_q), (AxisId[]){b->data, b->draw}, 2);
    IrValue n = ir_extent(p, b->draw), one = number(b, 1);
    IrValue mean = ir_mul(p, ir_sum(p, ratio, &b->draw, 1), ir_recip(p, n));
    IrValue unbiased = ir_div(p, n, ir_max(p, ir_sub(p, n, one), one));
    IrValue variance = ir_mul(p, unbiased, ir_square(p, ir_sub(p, ratio, mean)));
    output_loss(b, ir_sub(p, variance, log_q_truth));
}

/* ------------------------------------------------------------------ what it means for the flows */

typedef struct Asked {
    RtSchedule schedule;
    const char *densities, *path; /* the first objective of each kind; NULL: none */
} Asked;

static void print_direction(Text *out, const Asked *asked, const char *name, int64_t size,
                            const FlowSetting *setting) {
    FlowKind kind = flow_kind(setting, size, asked->densities);
    if (size <= MAX_UNROLLED || kind == FLOW_AFFINE) return;
    text_printf(out, "  %s over %lld numbers: ", name, (long long)size);
    if (kind != FLOW_MAF)
        text_printf(
            out, "coupling layers, one pass either way%s%s.\n", asked->densities ? ":\n      " : "",
            asked->densities ? arena_printf(out->arena, "%s asks for densities of given values",
                                            asked->densities)
                             : "");
    else if (asked->densities)
        text_printf(out,
                    "autoregressive in its values, drawn number by number:\n"
                    "      %s asks for densities of given values.\n",
                    asked->densities);
    else
        text_printf(out, "autoregressive in its base draws, drawn in one pass%s%s%s.\n",
                    asked->path ? ":\n      " : "", asked->path ? asked->path : "",
                    asked->path ? " leaves its part of the gradient as it is" : "");
}

/* Each flow with its numbers. */
static void print_directions(Text *out, const Asked *asked, const Analysis *analysis,
                             const DualOptions *options) {
    const Model *model = analysis->model;
    bool structured = options->family == FAMILY_STRUCTURED;
    bool total = options->family == FAMILY_TOTAL_FLOW;
    const Var **joint = arena_array(out->arena, const Var *, analysis->n_latents + 1);
    int64_t n_joint = 0, size = 0;
    if (options->family == FAMILY_MEAN_FIELD || options->paper) return;
    for (int i = 0; i < analysis->n_latents; i++) {
        const Var *latent = analysis->order[i].latent;
        Type free = model_free_type(latent);
        if (total || (structured && is_joint(latent))) {
            joint[n_joint++] = latent;
            size += total ? total_size(latent) : event_size(&free);
        } else {
            print_direction(out, asked, latent->name, event_size(&free),
                            flow_setting(model, &latent, 1));
        }
    }
    print_direction(out, asked, total ? "all instances of all latents" : "all outside the plates",
                    size, flow_setting(model, joint, (int)n_joint));
}

void dual_print_objectives(Text *out, const Analysis *analysis, const DualOptions *options) {
    const Model *model = analysis->model;
    Asked asked = {.densities = NULL};
    char why[400];
    if (!model->dual.objective ||
        !rt_schedule_parse(model->dual.objective, &asked.schedule, why, sizeof why))
        return;
    text_printf(out, "\nObjective %s\n", model->dual.objective);
    for (int i = asked.schedule.n - 1; i >= 0; i--) {
        const RtObjective *objective = asked.schedule.phases[i].objective;
        if (objective->densities) asked.densities = objective->name;
        if (!strcmp(objective->program, "path")) asked.path = objective->name;
    }
    for (int i = 0; i < asked.schedule.n; i++)
        text_printf(out, "  %s\n      %s.\n", asked.schedule.phases[i].objective->name,
                    asked.schedule.phases[i].objective->loss);
    print_directions(out, &asked, analysis, options);
}
