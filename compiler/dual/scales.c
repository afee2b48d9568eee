/* scales.c -- the start of the joint flow's bounded latents (scales, correlations).
 *
 * Where all else is linear and Gaussian given them it is integrated out (newton.c), and their
 * marginal posterior can be computed at any point. Over the unconstrained numbers v it is looked at
 * along every coordinate, the others at their centres, on a grid; means and standard deviations
 * along the coordinates are the next centre, and the width of the next grid. A grid sees what a
 * Newton step does not: where a scale may be zero the posterior's left tail is e^v, and steps from
 * far off are half a unit long or know no bounds. All grid points are trials on one axis; there are
 * no draws yet, and nothing depends on weights: the cost is one of data sets. */
#include "dual/component.h"
#include "dual/entries.h"

enum { MAX_SCALES = 8, POINTS = 9, PASSES = 5, MAX_COMPONENTS = 16 };

/* Least distance between the points of each pass, in v, from half the prior's breadth down. It is
 * wider where the posterior is, by this share of the standard deviation that the last pass saw; and
 * where the last pass moved the centre, which is then perhaps not yet where it should be. */
static const double LEAST[PASSES] = {1, 0.35, 0.12, 0.03, 0.01};
static const double OF_SD = 0.75, OF_MOVE = 0.25;

typedef struct Scales {
    Build *b;
    const Var *const *latent;
    int n;
    const int64_t *start;
    AxisId flat, trials, points;
    int size;
    int n_components;
    Component component[MAX_COMPONENTS];
    IrValue centre[MAX_SCALES], spacing[MAX_SCALES], sd[MAX_SCALES], move[MAX_SCALES];
} Scales;

/* ---- what is integrated out ---- */

static bool is_covered(const Scales *s, const Var *var) {
    for (int i = 0; i < s->n_components; i++)
        if (component_holds(&s->component[i], var)) return true;
    return false;
}

static bool add_component(Scales *s, const Var *z) {
    if (s->n_components == MAX_COMPONENTS) return false;
    Component *c = &s->component[s->n_components++];
    return z->support.kind == SUPPORT_REAL && component_of(s->b, z, c);
}

/* The components of all latents that are not given; false: some belong to none. */
static bool find_components(Scales *s) {
    Build *b = s->b;
    for (int i = 0; i < b->analysis->n_latents; i++) {
        const Var *var = b->analysis->order[i].latent;
        if (b->value[var->index].v != IR_NONE || is_covered(s, var)) continue;
        if (!add_component(s, var)) return false;
    }
    for (int i = 0; i < s->n; i++)
        if (!arguments_known(b, s->latent[i], -1, NULL)) return false;
    for (int i = 0; i < b->model->vars.n; i++) /* such data are no factor of their own */
        if (var_reads_summed(b->model->vars.data[i])) return false;
    return s->n_components > 0;
}

static bool reads_component(const Scales *s, const Var *var) {
    for (int i = 0; i < s->n_components; i++)
        if (component_enters(&s->component[i], var)) return true;
    return false;
}

/* ---- their density at all trials ---- */

static void give_values(Scales *s, IrValue v) {
    for (int i = 0; i < s->n; i++) {
        Type type = model_free_type(s->latent[i]);
        Val free = unflatten(s->b, v, s->flat, s->start[i], &type);
        s->b->value[s->latent[i]->index] = lower_link(s->b, s->latent[i], LINK_FORWARD, free);
    }
}

static IrValue log_prior(Scales *s, IrValue v) {
    Build *b = s->b;
    IrProgram *p = b->p;
    IrValue sum = number(b, 0);
    for (int i = 0; i < s->n; i++) {
        const Var *var = s->latent[i];
        Type type = model_free_type(var);
        Val free = unflatten(b, v, s->flat, s->start[i], &type);
        Val jacobian = lower_link(b, var, LINK_LOG_JACOBIAN, free);
        AxisId events[MAX_DIMS];
        int n = event_axes(b, &jacobian, events);
        IrValue own = along(b, jacobian.v, events, n);
        sum = ir_add(p, sum, n ? ir_sum(p, own, events, n) : own);
        sum = ir_add(p, sum, lower_log_prob(b, var, b->value[var->index]));
    }
    return sum;
}

/* log p(v, data), over [data, trials]; IR_NONE: it cannot be had. */
static IrValue log_marginal(Scales *s, IrValue v) {
    Build *b = s->b;
    IrProgram *p = b->p;
    give_values(s, v);
    IrValue sum = log_prior(s, v);
    for (int i = 0; i < s->n_components; i++) {
        IrValue own = newton_log_evidence(b, &s->component[i], s->trials);
        if (own == IR_NONE) return own;
        sum = ir_add(p, sum, own);
    }
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        if (var->kind != VAR_OBSERVED || reads_component(s, var)) continue;
        IrValue own = lower_log_prob(b, var, b->value[var->index]);
        sum = ir_add(p, sum, sum_over_plates(b, own, var->type.plate));
    }
    return along(b, sum, (AxisId[]){b->data, s->trials}, 2);
}

/* ---- passes ---- */

/* The centre with coordinate k moved by the points of a grid, for every k in turn. */
static IrValue trial_values(Scales *s) {
    IrProgram *p = s->b->p;
    IrValue moved[MAX_SCALES];
    for (int k = 0; k < s->size; k++) {
        double *steps = arena_array(s->b->arena, double, s->size *POINTS);
        for (int i = 0; i < POINTS; i++) steps[k * POINTS + i] = i - POINTS / 2;
        IrValue by = ir_mul(p, s->spacing[k], ir_table(p, steps, &s->trials, 1));
        moved[k] = ir_add(p, s->centre[k], by);
    }
    return entries_gather(s->b, moved, s->size, s->flat);
}

/* Mean and standard deviation along coordinate k become its centre and sd. */
static void summarise(Scales *s, IrValue density, int k, bool last) {
    Build *b = s->b;
    IrProgram *p = b->p;
    double steps[POINTS];
    for (int i = 0; i < POINTS; i++) steps[i] = i - POINTS / 2;
    IrValue at = ir_table(p, steps, &s->points, 1);
    IrValue own = ir_slice(p, density, s->trials, s->points, (int64_t)k * POINTS);
    own = ir_exp(p, ir_sub(p, own, ir_max_over(p, own, &s->points, 1)));
    own = ir_div(p, own, ir_sum(p, own, &s->points, 1));
    IrValue mean = ir_sum(p, ir_mul(p, own, at), &s->points, 1);
    IrValue apart = ir_square(p, ir_sub(p, at, mean));
    IrValue variance = ir_sum(p, ir_mul(p, own, apart), &s->points, 1);
    /* where the mode may lie between two points: the variance of a uniform law on that length */
    variance = ir_add(p, variance, number(b, last ? 0.01 : 1.0 / 12));
    s->move[k] = ir_mul(p, s->spacing[k], mean);
    s->centre[k] = ir_add(p, s->centre[k], s->move[k]);
    s->sd[k] = ir_mul(p, s->spacing[k], ir_sqrt(p, variance));
}

static IrValue spacing_of(const Scales *s, int pass, int k) {
    IrProgram *p = s->b->p;
    IrValue least = number(s->b, LEAST[pass]);
    if (!pass) return least;
    IrValue wide = ir_mul(p, number(s->b, OF_SD), s->sd[k]);
    IrValue moved = ir_mul(p, number(s->b, OF_MOVE), ir_abs(p, s->move[k]));
    return ir_max(p, ir_max(p, wide, moved), least);
}

static bool run_pass(Scales *s, int pass) {
    for (int k = 0; k < s->size; k++) s->spacing[k] = spacing_of(s, pass, k);
    IrValue density = log_marginal(s, trial_values(s));
    for (int k = 0; k < s->size && density != IR_NONE; k++)
        summarise(s, density, k, pass == PASSES - 1);
    return density != IR_NONE;
}

bool scales_start(Build *b, const Var *const *latent, int n, const int64_t *start, AxisId flat,
                  IrValue *centre, IrValue *spread) {
    Type last = model_free_type(latent[n - 1]);
    Scales *s = arena_new_of(b->arena, Scales);
    *s = (Scales){.b = b, .latent = latent, .n = n, .start = start, .flat = flat};
    int64_t size = start[n - 1] + event_size(&last);
    if (size > MAX_SCALES) return false;
    s->size = (int)size;
    s->trials = named_axis(b, "trial", size * POINTS);
    s->points = named_axis(b, "point", POINTS);
    Val *outer = arena_array(b->arena, Val, b->model->vars.n + 1);
    memcpy(outer, b->value, sizeof *outer * (size_t)b->model->vars.n);
    give_values(s, *centre);
    bool served = find_components(s);
    for (int k = 0; k < s->size; k++) s->centre[k] = ir_pick(b->p, *centre, flat, k);
    for (int pass = 0; pass < PASSES && served; pass++) {
        memcpy(b->value, outer, sizeof *outer * (size_t)b->model->vars.n);
        served = run_pass(s, pass);
    }
    memcpy(b->value, outer, sizeof *outer * (size_t)b->model->vars.n);
    if (!served) return false;
    *centre = entries_gather(b, s->centre, s->size, flat);
    *spread = entries_gather(b, s->sd, s->size, flat);
    return true;
}
