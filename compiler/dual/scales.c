/* scales.c -- the start of the joint flow's bounded latents (scales, correlations).
 *
 * Where all else is linear and Gaussian given them it is integrated out (newton.c), and their
 * marginal posterior can be computed at any point. Over the unconstrained numbers v it is looked at
 * along every coordinate, the others at their centres, on a grid; means and standard deviations
 * along the coordinates are the next centre, and the width of the next grid. A grid sees what a
 * Newton step does not: where a scale may be zero the posterior's left tail is e^v, and steps from
 * far off are half a unit long or know no bounds. All grid points of all coordinates are trials
 * at once, along two axes; there are no draws yet, and nothing depends on weights: the cost is one
 * of data sets. */
#include "dual/component.h"

enum { MAX_SCALES = 16, PASSES = 4, MAX_POINTS = 17, MAX_COMPONENTS = 16 };

/* The passes: points of the grid, and the least distance between them, in v. It is wider where the
 * posterior is, by a share of the standard deviation that the last pass saw; and where the last
 * pass moved the centre far, which is then perhaps not yet where it should be. */
static const struct {
    int points;
    double least;
} PASS[PASSES] = {{MAX_POINTS, 1}, {9, 0.3}, {9, 0.08}, {9, 0.01}};
static const double OF_SD = 0.75, OF_MOVE = 0.125;

typedef struct Scales {
    Build *b;
    const Var *const *latent;
    int n;
    const int64_t *start;
    int64_t size;
    AxisId flat, coordinate; /* of that size both: the numbers, and which of them is moved */
    AxisId point;            /* how far: the grid of this pass */
    int n_components;
    Component component[MAX_COMPONENTS];
    IrValue centre, spacing, sd, move; /* over flat */
    Newton **found;                    /* what is integrated out, about the centre */
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
    return true;
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

/* log p(v, data), over [data, coordinate, point]; IR_NONE: it cannot be had. */
static IrValue log_marginal(Scales *s, IrValue v) {
    Build *b = s->b;
    IrProgram *p = b->p;
    Axes trials = {2, {s->coordinate, s->point}};
    give_values(s, v);
    IrValue sum = log_prior(s, v);
    for (int i = 0; i < s->n_components; i++) {
        IrValue own = newton_log_evidence(b, &s->component[i], trials, s->found);
        if (own == IR_NONE) return own;
        sum = ir_add(p, sum, own);
    }
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        if (var->kind != VAR_OBSERVED || reads_component(s, var)) continue;
        IrValue own = lower_log_prob(b, var, b->value[var->index]);
        sum = ir_add(p, sum, sum_over_plates(b, own, var->type.plate));
    }
    return along(b, sum, (AxisId[]){b->data, s->coordinate, s->point}, 3);
}

/* ---- passes ---- */

/* -n/2 .. n/2, over the points. */
static IrValue steps_of(const Scales *s, int n) {
    double steps[MAX_POINTS];
    for (int i = 0; i < n; i++) steps[i] = i - n / 2;
    return ir_table(s->b->p, steps, &s->point, 1);
}

/* The centre with one coordinate moved by the steps, for every coordinate in turn. */
static IrValue trial_values(const Scales *s, IrValue steps) {
    IrProgram *p = s->b->p;
    double own[MAX_SCALES * MAX_SCALES] = {0};
    AxisId axes[] = {s->coordinate, s->flat};
    for (int64_t i = 0; i < s->size; i++) own[i * s->size + i] = 1;
    ir_axes_sort(p, axes, 2); /* it is symmetric */
    IrValue by = ir_mul(p, s->spacing, ir_table(p, own, axes, 2));
    return ir_add(p, s->centre, ir_mul(p, by, steps));
}

/* Mean and standard deviation along every coordinate become centre and sd. */
static void summarise(Scales *s, IrValue density, IrValue steps, bool last) {
    IrProgram *p = s->b->p;
    AxisId point = s->point;
    IrValue share = ir_exp(p, ir_sub(p, density, ir_max_over(p, density, &point, 1)));
    share = ir_div(p, share, ir_sum(p, share, &point, 1));
    IrValue mean = ir_contract(p, share, steps, &point, 1);
    IrValue apart = ir_square(p, ir_sub(p, steps, mean));
    IrValue variance = ir_contract(p, share, apart, &point, 1);
    /* where the mode may lie between two points: the variance of a uniform law on that length */
    variance = ir_add(p, variance, number(s->b, last ? 0.01 : 1.0 / 12));
    IrValue sd = ir_rename(p, ir_sqrt(p, variance), s->coordinate, s->flat);
    s->move = ir_mul(p, s->spacing, ir_rename(p, mean, s->coordinate, s->flat));
    s->centre = ir_add(p, s->centre, s->move);
    s->sd = ir_mul(p, s->spacing, sd);
}

static IrValue spacing_of(const Scales *s, int pass) {
    IrProgram *p = s->b->p;
    IrValue least = number(s->b, PASS[pass].least);
    if (!pass) return least;
    IrValue wide = ir_mul(p, number(s->b, OF_SD), s->sd);
    IrValue moved = ir_mul(p, number(s->b, OF_MOVE), ir_abs(p, s->move));
    return ir_max(p, ir_max(p, wide, moved), least);
}

/* What is reweighted is found about the centre, once per data set: trials take a step from there.
 * What is crossed is found about the first centre and the last: trials take a turn by themselves.
 */
static bool look_about(Scales *s, bool ends) {
    give_values(s, s->centre);
    for (int i = 0; i < s->n_components; i++) {
        const Component *c = &s->component[i];
        bool look = c->n_shifted ? ends : c->reweighted;
        if (look && !newton_start(s->b, c, s->found)) return false;
    }
    return true;
}

static bool run_pass(Scales *s, int pass) {
    s->point = named_axis(s->b, "point", PASS[pass].points);
    s->spacing = spacing_of(s, pass);
    IrValue steps = steps_of(s, PASS[pass].points);
    IrValue density = log_marginal(s, trial_values(s, steps));
    if (density != IR_NONE) summarise(s, density, steps, pass == PASSES - 1);
    return density != IR_NONE;
}

bool scales_start(Build *b, const Var *const *latent, int n, const int64_t *start, AxisId flat,
                  Newton **found, IrValue *centre, IrValue *spread) {
    Type last = model_free_type(latent[n - 1]);
    int64_t size = start[n - 1] + event_size(&last);
    if (size > MAX_SCALES) return false;
    Scales *s = arena_new_of(b->arena, Scales);
    *s = (Scales){.b = b,
                  .latent = latent,
                  .n = n,
                  .start = start,
                  .size = size,
                  .flat = flat,
                  .found = found};
    s->coordinate = named_axis(b, "coordinate", size);
    s->centre = *centre;
    Val *outer = arena_array(b->arena, Val, b->model->vars.n + 1);
    memcpy(outer, b->value, sizeof *outer * (size_t)b->model->vars.n);
    give_values(s, *centre);
    bool served = find_components(s) && look_about(s, true);
    for (int pass = 0; pass < PASSES && served; pass++) {
        memcpy(b->value, outer, sizeof *outer * (size_t)b->model->vars.n);
        served = run_pass(s, pass);
        memcpy(b->value, outer, sizeof *outer * (size_t)b->model->vars.n);
        served = served && look_about(s, pass == PASSES - 1);
    }
    memcpy(b->value, outer, sizeof *outer * (size_t)b->model->vars.n);
    if (!served) return false;
    *centre = s->centre;
    *spread = s->sd;
    return true;
}
