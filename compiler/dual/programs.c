/* programs.c -- the programs of a compiled model (listed in runtime/abi.h), each built from the
 * model's own densities and samplers, the encoder and the guide.
 *
 *   simulate   prior draws of every latent and observed variable, and of covariates by their design
 *   prepare    simulate, and the raw features of which statistics are taken before training
 *   step       simulate data sets, encode them, draw from the guide, loss and its gradient in every
 *              weight; so do the other programs of objectives.c
 *   posterior  encode given data sets, draw from the guide, with the parts of the log density ratio
 *   logjoint   log density and its gradient at given latents
 *   predict    what would be observed at given latents (predict.c)
 *   extend     latents of some instances carried over to others (extend.c)
 *   density    log q at given latents (density.c)
 *   observe    data given latents (sequential.c)
 */
#include "dual/context.h"
#include "dual/missing.h"
#include "dual/objectives.h"
#include "dual/predict.h"
#include "dual/total.h"
#include "opt/opt.h"

static bool is_random(const Var *var) {
    return var->kind == VAR_LATENT || var->kind == VAR_OBSERVED || var->kind == VAR_CONTEXT ||
           var->kind == VAR_SUMMED || var->kind == VAR_GIVEN;
}

void output_value(Build *b, const char *name, const Val *val, const Plate *plate, bool with_draw) {
    AxisId axes[IR_MAX_AXES];
    int n = instance_axes(b, plate, with_draw, axes);
    n += event_axes(b, val, axes + n);
    ir_output(b->p, name, along(b, val->v, axes, n));
}

/* A covariate may have fixed numbers instead of a law. */
static Val simulated(Build *b, const Var *var) {
    if (var->dist) return lower_sample(b, var, BASE_DRAWS);
    AxisId axes[IR_MAX_AXES];
    Val val = val_of(lower_expr(b, var->value).v, &var->type);
    int n = instance_axes(b, var->type.plate, false, axes);
    n += event_axes(b, &val, axes + n);
    val.v = along(b, val.v, axes, n);
    return val;
}

/* What is simulated, unless the caller has a data set of its own (step) or covariates: input NAME.
 */
static Val replaceable(Build *b, const Var *var, Val draw) {
    AxisId axes[IR_MAX_AXES];
    int n = instance_axes(b, var->type.plate, false, axes);
    n += event_axes(b, &draw, axes + n);
    draw.v = ir_given(b->p, along(b, draw.v, axes, n), var->name);
    return draw;
}

void simulate_all(Build *b, bool settable) {
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        if (!is_random(var)) continue;
        b->value[i] = simulated(b, var);
        if (settable && var->kind == VAR_CONTEXT) b->value[i] = given_or(b, var, b->value[i]);
        if (var->kind == VAR_GIVEN) b->value[i] = replaceable(b, var, b->value[i]);
        const bool crossed = var->type.plate && var->type.plate->across;
        if (var->missing) draw_presence(b, var, settable && crossed);
    }
}

/* A latent without a variance: a draw in a thousand would be data sets of a size that nobody has.
 * The law of the training data is free under reverse KL; densities stay as they are. Ends that
 * other latents set may lie beyond the prior's quantiles. */
static bool is_simulated_within(const Build *b, const Var *var) {
    return var->kind == VAR_LATENT && !var->dist->n_dims && !b->options.paper &&
           !has_varying_ends(var) && !has_variance(var);
}

/* The draw, between the .001 and .999 quantiles of prior draws. */
static Val within_quantiles(Build *b, const Var *var, Val draw) {
    AxisId events[MAX_DIMS];
    int n = event_axes(b, &draw, events);
    IrValue low = stat_input(b, var->name, "low", events, n);
    IrValue high = stat_input(b, var->name, "high", events, n);
    draw.v = ir_max(b->p, ir_min(b->p, draw.v, high), low);
    return draw;
}

void simulate_for_training(Build *b) {
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        if (!is_random(var)) continue;
        b->value[i] = simulated(b, var);
        if (is_simulated_within(b, var)) b->value[i] = within_quantiles(b, var, b->value[i]);
        if (var->kind != VAR_LATENT) b->value[i] = replaceable(b, var, b->value[i]);
        if (var->missing) draw_presence(b, var, false);
    }
}

static void output_simulated(Build *b, bool labels) {
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        if (!is_random(var) || (var->kind == VAR_SUMMED && !labels)) continue;
        output_value(b, var->name, &b->value[i], var->type.plate, false);
        Val present = {.v = b->present[i]};
        if (labels && var->missing)
            output_value(b, presence_name(b, var), &present, var->type.plate, false);
    }
}

static void output_free(Build *b) {
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        if (var->kind == VAR_OBSERVED && as_inferred(b, var) != var && !var->n_values) {
            Val inside = lower_as_inferred(b, var);
            output_value(b, as_inferred(b, var)->name, &inside, var->type.plate, false);
        }
        if (var->kind != VAR_LATENT || !var->link->n_dims) continue;
        Val free = lower_link(b, var, LINK_INVERSE, b->value[i]);
        output_value(b, free_name(b, var), &free, var->type.plate, false);
    }
}

void forget_latents(Build *b) {
    for (int i = 0; i < b->model->vars.n; i++) {
        VarKind kind = b->model->vars.data[i]->kind;
        if (kind != VAR_OBSERVED && kind != VAR_HYPER && kind != VAR_CONTEXT && kind != VAR_GIVEN)
            b->value[i].v = IR_NONE;
    }
}

void input_all(Build *b, VarKind kind, IrRole role) {
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        if (var->kind != kind) continue;
        Val val = val_of(IR_NONE, &var->type);
        AxisId axes[IR_MAX_AXES];
        int n = instance_axes(b, var->type.plate, role == ROLE_LATENT, axes);
        n += event_axes(b, &val, axes + n);
        val.v = ir_input(b->p, var->name, role, axes, n);
        b->value[i] = val;
        if (var->missing) input_presence(b, var);
    }
}

void input_data(Build *b) {
    input_all(b, VAR_CONTEXT, ROLE_DATA);
    input_all(b, VAR_OBSERVED, ROLE_DATA);
    input_all(b, VAR_GIVEN, ROLE_DATA);
}

void want_local(Build *b) {
    b->local = arena_array(b->arena, IrValue, b->model->plates.n + 1);
    for (int i = 0; i < b->model->plates.n; i++) b->local[i] = IR_NONE;
}

void output_draws(Build *b, bool latents) {
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        if (var->kind != VAR_QUANTITY && !(latents && var->kind == VAR_LATENT)) continue;
        Val val = lower_var(b, var);
        output_value(b, var->name, &val, var->type.plate, true);
    }
}

IrValue log_density(Build *b, VarKind kind) {
    IrProgram *p = b->p;
    const IrValue first = p->ops.n;
    IrValue sum = ir_const(p, 0);
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        if (var->kind != kind || var_reads_summed(var)) continue;
        IrValue term = lower_log_prob(b, var, b->value[i]);
        add_local(b, term, var->type.plate);
        term = sum_over_plates(b, term, var->type.plate);
        sum = ir_add(p, sum, term);
    }
    IrValue summed = summed_density(b, kind);
    if (summed != IR_NONE) sum = ir_add(p, sum, summed);
    sum = opt_statistics_of(p, first, sum);
    return along(b, sum, (AxisId[]){b->data, b->draw}, 2);
}

static void build_simulate(Build *b) {
    simulate_all(b, true);
    output_simulated(b, true);
}

static void build_prepare(Build *b) {
    simulate_all(b, false);
    output_simulated(b, false);
    output_free(b);
    b->preparing = true;
    encode(b);
}

static IrValue output_named(const IrProgram *p, const char *name) {
    for (int i = 0; i < p->outputs.n; i++)
        if (!strcmp(p->outputs.data[i].name, name)) return p->outputs.data[i].value;
    internal_error("dual", "program %s has no output %s", p->name, name);
}

typedef struct Inputs {
    const IrProgram *p;
    VEC(IrValue) at;
} Inputs;

static Inputs inputs_of(const IrProgram *p) {
    Inputs inputs = {.p = p};
    for (IrValue v = 0; v < p->ops.n; v++)
        if (p->ops.data[v].opcode == OP_INPUT) vec_push(p->arena, &inputs.at, v);
    return inputs;
}

/* The one input of that name. */
static IrValue input_named(const Inputs *inputs, const char *name) {
    const IrProgram *p = inputs->p;
    IrValue found = IR_NONE;
    for (int i = 0; i < inputs->at.n; i++) {
        if (strcmp(p->ops.data[inputs->at.data[i]].name, name)) continue;
        if (found != IR_NONE) internal_error("dual", "%s is read by two inputs", name);
        found = inputs->at.data[i];
    }
    if (found == IR_NONE) internal_error("dual", "%s is no input of program %s", name, p->name);
    return found;
}

/* The gradient of every weight that the program reads, as output grad:NAME. */
static void output_gradients(const Build *b, IrProgram *p) {
    int n = 0, all = b->dual->weights.n;
    IrValue *wrt = arena_array(b->arena, IrValue, all + 1),
            *grad = arena_array(b->arena, IrValue, all + 1);
    const char **names = arena_array(b->arena, const char *, all + 1);
    const Inputs inputs = inputs_of(p);
    for (int i = 0; i < b->weights.n; i++) {
        if (b->weights.data[i] == IR_NONE) continue;
        names[n] = b->dual->weights.data[i].name;
        wrt[n] = input_named(&inputs, names[n]);
        n++;
    }
    opt_grad(p, output_named(p, "loss"), wrt, n, grad);
    for (int i = 0; i < n; i++) ir_output(p, arena_printf(b->arena, "grad:%s", names[i]), grad[i]);
}

static void output_encoding(Build *b, const Encoding *enc, const Plate *plate) {
    const Blocks *blocks = plate ? &enc->plate[plate->index] : &enc->root;
    for (int i = 0; i < blocks->n; i++) {
        AxisId axes[IR_MAX_AXES];
        int n = instance_axes(b, plate, false, axes);
        for (int k = 0; k < blocks->at[i].n_axes; k++) axes[n++] = blocks->at[i].axes[k];
        const char *of = plate ? plate->name : "root";
        const char *name =
            i ? arena_printf(b->arena, "enc:%s.%d", of, i) : arena_printf(b->arena, "enc:%s", of);
        ir_output(b->p, name, along(b, blocks->at[i].v, axes, n));
    }
}

bool is_independent(const Build *b, const Plate *plate) {
    bool latents = false;
    for (int i = 0; i < b->analysis->n_latents; i++) {
        const Conditioning *c = &b->analysis->order[i];
        if (!plate_within(c->latent->type.plate, plate)) continue;
        if (!c->exact) return false;
        latents = true;
    }
    return latents && !plate->parent;
}

/* "local:PLATE" [data, draw, plate]: log p(data and latents in an instance | what is outside all
 * plates) - log q of these latents. */
static void output_local(Build *b, IrValue first) {
    for (int i = 0; i < b->model->plates.n; i++) {
        const Plate *plate = b->model->plates.data[i];
        if (b->local[i] == IR_NONE || !is_independent(b, plate)) continue;
        AxisId axes[IR_MAX_AXES];
        int n = instance_axes(b, plate, true, axes);
        IrValue v = opt_statistics_of(b->p, first, b->local[i]);
        ir_output(b->p, arena_printf(b->arena, "local:%s", plate->name), along(b, v, axes, n));
    }
}

static void build_posterior(Build *b) {
    b->given = true;
    want_local(b);
    input_data(b);
    Encoding *enc = encode(b);
    IrValue log_q = guide_sample(b, enc, true);
    output_draws(b, true);
    output_probabilities(b);
    ir_output(b->p, "log_q", along(b, log_q, (AxisId[]){b->data, b->draw}, 2));
    const IrValue first = b->p->ops.n;
    ir_output(b->p, "log_prior", log_density(b, VAR_LATENT));
    ir_output(b->p, "log_likelihood", log_density(b, VAR_OBSERVED));
    output_local(b, first);
    output_encoding(b, enc, NULL);
    for (int i = 0; i < b->model->plates.n; i++) output_encoding(b, enc, b->model->plates.data[i]);
}

static void build_logjoint(Build *b) {
    IrProgram *p = b->p;
    input_data(b);
    input_all(b, VAR_LATENT, ROLE_LATENT);
    IrValue prior = log_density(b, VAR_LATENT), likelihood = log_density(b, VAR_OBSERVED);
    ir_output(p, "log_prior", prior);
    ir_output(p, "log_likelihood", likelihood);
}

/* The derivative of the log density with respect to every latent, as output d:NAME. */
static void output_slopes(const Build *b, IrProgram *p) {
    int n = 0, n_vars = b->model->vars.n;
    IrValue *wrt = arena_array(b->arena, IrValue, n_vars + 1),
            *grad = arena_array(b->arena, IrValue, n_vars + 1);
    const Inputs inputs = inputs_of(p);
    for (int i = 0; i < n_vars; i++)
        if (b->model->vars.data[i]->kind == VAR_LATENT)
            wrt[n++] = input_named(&inputs, b->model->vars.data[i]->name);
    IrValue both = ir_add(p, output_named(p, "log_prior"), output_named(p, "log_likelihood"));
    IrValue total = ir_sum(p, both, (AxisId[]){b->data, b->draw}, 2);
    opt_grad(p, total, wrt, n, grad);
    n = 0;
    for (int i = 0; i < n_vars; i++) {
        const Var *var = b->model->vars.data[i];
        if (var->kind == VAR_LATENT)
            ir_output(p, arena_printf(b->arena, "d:%s", var->name), grad[n++]);
    }
}

/* Linear maps in the order that costs least come first, so that gradients follow it too. What was
 * written before is differentiated as well: it says what is useful work. */
static IrProgram *finish(const Build *b, void (*differentiate)(const Build *b, IrProgram *p)) {
    IrProgram *p = opt_reassociate(b->p);
    if (p != b->p) p->as_written = b->p;
    if (differentiate) differentiate(b, p);
    if (differentiate && p->as_written) differentiate(b, p->as_written);
    return p;
}

/* ------------------------------------------------------------------ limits */

void over_limit(Build *b, const Var *where, const char *what, int64_t most) {
    for (int i = 0; i < b->model->vars.n && !where; i++)
        if (b->model->vars.data[i]->kind == VAR_OBSERVED) where = b->model->vars.data[i];
    if (!b->diags || !where) internal_error("dual", "too many %s", what);
    diag_report(b->diags, DIAG_MODEL_TOO_LARGE, where->span, what, (long long)most);
    longjmp(*b->too_large, 1);
}

/* What the stages after this one take. */
static void check_program(Build *b) {
    int loops = 0;
    for (int i = 0; i < b->p->axes.n; i++) {
        AxisKind kind = b->p->axes.data[i].kind;
        loops += kind == AXIS_DRAW || kind == AXIS_PLATE;
    }
    if (loops > MAX_LOOP_AXES)
        over_limit(b, NULL, "plates, counting those that the networks repeat", MAX_LOOP_AXES - 1);
    if (b->p->ops.n > MAX_OPERATIONS)
        over_limit(b, NULL, "operations in one program of this model", MAX_OPERATIONS);
}

/* The encoder pools a plate's instances, and cannot tell them apart. */
static bool plates_served(Diags *diags, const Model *model) {
    bool served = true;
    for (int i = 0; i < model->plates.n; i++) {
        const Plate *plate = model->plates.data[i];
        if (plate->exchangeable) continue;
        served = false;
        if (!diags) internal_error("dual", "plate %s is not exchangeable", plate->name);
        diag_report(diags, DIAG_NOT_EXCHANGEABLE, plate->span, plate->name, plate->reason);
    }
    return served;
}

static IrProgram *program_of(const Dual *dual, const char *name) {
    for (int i = 0; i < dual->programs.n; i++)
        if (!strcmp(dual->programs.data[i].p->name, name)) return dual->programs.data[i].p;
    return NULL;
}

const IrProgram *dual_program(const Dual *dual, const char *name) {
    return program_of(dual, name);
}

/* What training is asked to minimise, as far as it is said before training. */
static void read_schedule(Dual *dual, RtSchedule *schedule) {
    char why[400];
    *schedule = (RtSchedule){0};
    dual->objective = dual->analysis->model->dual.objective;
    /* The published schedule: without the entropy for the first half, then reverse KL. */
    if (!dual->objective && dual->options.paper) dual->objective = "unregularised:1,reverse-kl:1";
    if (!dual->objective && step_anneals(&dual->options))
        dual->objective = "annealed:1,reverse-kl:4";
    if (dual->objective && !rt_schedule_parse(dual->objective, schedule, why, sizeof why))
        internal_error("dual", "objective %s: %s", dual->objective, why);
    for (int i = 0; i < schedule->n; i++)
        dual->densities |= schedule->phases[i].objective->densities;
}

/* Rounds begin with draws from the prior, and go on with data given the guide's. */
static bool asks_for(const RtObjective *objective, const char *program) {
    bool of_rounds = !strcmp(program, "forward") || !strcmp(program, "observe");
    return !strcmp(objective->program, program) || (objective->rounds && of_rounds);
}

static bool is_needed(const Dual *dual, const RtSchedule *schedule, const char *program) {
    if (!strcmp(program, "annealed") && step_anneals(&dual->options)) return false;
    for (int i = 0; i < schedule->n; i++)
        if (asks_for(schedule->phases[i].objective, program)) return true;
    return false;
}

/* In the order in which their weights are named. */
static const struct {
    const char *name, *lanes;
    void (*fill)(Build *b);
    void (*differentiate)(const Build *b, IrProgram *p);
    bool always;              /* or where an objective needs it */
    bool guided;              /* it draws from the guide, or takes its density */
    bool (*serves)(Build *b); /* the model; NULL: every one */
} recipes[] = {{"simulate", "data", build_simulate, NULL, true, false, NULL},
               {"prepare", "data", build_prepare, NULL, true, false, NULL},
               {"step", "data", build_step, output_gradients, true, true, NULL},
               {"posterior", "draw", build_posterior, NULL, true, true, NULL},
               {"logjoint", "draw", build_logjoint, output_slopes, true, false, NULL},
               {"density", "draw", build_density, NULL, true, true, density_serves},
               {"map", "data", build_map, output_gradients, false, true, NULL},
               {"path", "data", build_path, output_gradients, false, true, NULL},
               {"annealed", "data", build_annealed, output_gradients, false, true, NULL},
               {"forward", "data", build_forward, output_gradients, false, true, NULL},
               {"consistency", "data", build_consistency, output_gradients, false, true, NULL},
               {"atomic", "data", build_atomic, output_gradients, false, true, NULL},
               {"observe", "data", build_observe, NULL, false, false, NULL},
               {"predict", "draw", build_predict, NULL, true, false, predict_serves},
               {"extend", "draw", build_extend, NULL, true, false, extend_serves}};

Dual *dual_derive(Arena *arena, Diags *diags, const Analysis *analysis,
                  const DualOptions *options) {
    Dual *dual = arena_new_of(arena, Dual);
    RtSchedule schedule;
    dual->analysis = analysis;
    dual->options = *options;
    if (!plates_served(diags, analysis->model)) return NULL;
    bool total = options->family == FAMILY_TOTAL_FLOW;
    if (total && !total_served(diags, analysis->model)) return NULL;
    read_schedule(dual, &schedule);
    if (is_needed(dual, &schedule, "observe") && !sequential_served(diags, analysis->model))
        return NULL;
    jmp_buf too_large;
    if (setjmp(too_large)) return NULL;
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        if (!recipes[i].always && !is_needed(dual, &schedule, recipes[i].name)) continue;
        dual->fixed = total && recipes[i].guided;
        Build *b = build_start(arena, dual, recipes[i].name);
        b->diags = diags;
        b->too_large = &too_large;
        if (recipes[i].serves && !recipes[i].serves(b)) continue;
        recipes[i].fill(b);
        DualProgram made = {finish(b, recipes[i].differentiate), recipes[i].lanes};
        vec_push(arena, &dual->programs, made);
        check_program(b);
    }
    dual->simulate = program_of(dual, "simulate");
    dual->prepare = program_of(dual, "prepare");
    dual->step = program_of(dual, "step");
    dual->posterior = program_of(dual, "posterior");
    dual->logjoint = program_of(dual, "logjoint");
    return dual;
}

Dual *dual_build(Arena *arena, const Analysis *analysis, const DualOptions *options) {
    return dual_derive(arena, NULL, analysis, options);
}
