/* mixture.c -- what the data say of the components of a mixture, before training: moments of the
 * observations that each component is responsible for, found by expectation maximisation.
 *
 * It applies where the location of an observed variable is a latent's entry that a label names,
 * x ~ D(v[z], ...), with a label for each observation: v holds the components' locations, one set
 * for each instance of its plate. em.c finds what each component is responsible for, in the units
 * of the data set; nothing in it is learned.
 *
 * Means and counts by component are features of the encodings, and moments for the fusion of two
 * Gaussians (start.c): of v, of the locations above v, and of the simplex that is the label's law.
 * Where points are assigned wrongly the start is wrong; the densities never are. */
#include "dual/plate.h"
#include "dual/em.h"

enum { MAX_COMPONENT_VALUES = 8 };

static const double VARIANCE_FLOOR = 1e-5; /* in units of the data set */
static const double NEAR_END = 0.01;       /* of an interval */

/* ---- does it apply? ---- */

static const Expr *behind_lets(const Expr *e) {
    while (e->kind == EXPR_VAR && e->var->kind == VAR_LET) e = e->var->value;
    return e;
}

static const Var *variable(const Expr *e, VarKind kind) {
    e = behind_lets(e);
    return e->kind == EXPR_VAR && e->var->kind == kind ? e->var : NULL;
}

/* Is the location of `observed` an entry of a latent that a label names? */
static bool find_components(const Var *observed, Components *c) {
    int at = has_variance(observed) ? location_param(observed->dist) : -1;
    const Expr *e = at < 0 ? NULL : behind_lets(observed->args[at]);
    if (!e || e->kind != EXPR_AT || e->dim) return false;
    c->observed = observed;
    c->location = variable(e->args[0], VAR_LATENT);
    c->label = variable(e->args[1], VAR_SUMMED);
    if (!c->location || !c->label || c->label->n_values > MAX_COMPONENT_VALUES) return false;
    const Type *v = &c->location->type, *x = &observed->type;
    bool fits = v->n_dims == x->n_dims + 1 && v->dims[0] == c->label->n_values &&
                observed->dist->n_dims == 0 && c->location->support.kind == SUPPORT_REAL;
    for (int i = 0; i < x->n_dims; i++) fits &= v->dims[i + 1] == x->dims[i];
    fits &= c->label->type.plate == x->plate; /* each observation has a label of its own */
    return fits && x->plate != v->plate && plate_within(x->plate, v->plate);
}

/* ---- features ---- */

/* Axes of an event of x as those of v's event, behind the component's. */
static IrValue behind_component(Build *b, IrValue v, const Type *x) {
    for (int i = x->n_dims - 1; i >= 0; i--)
        v = renamed(b, v, event_axis(b, i, x->dims[i]), event_axis(b, i + 1, x->dims[i]));
    return v;
}

/* Is the spread known, the same for all instances, and more than nothing? Then its square in units
 * of the data set; `scale` has the shape of a location. */
static IrValue known_variance(Build *b, const Em *em, const Var *var, IrValue scale) {
    IrProgram *p = b->p;
    int at = location_param(var->dist);
    if (at < 0 || !arguments_known(b, var, at, NULL)) return IR_NONE;
    IrValue own = lower_spread(b, var);
    for (int i = 0; i < em->n_points; i++)
        if (ir_has_axis(p, own, em->points[i])) return IR_NONE;
    if (var->kind == VAR_OBSERVED) own = behind_component(b, own, &var->type);
    IrValue floor = number(b, VARIANCE_FLOOR);
    return ir_max(p, ir_square(p, ir_div(p, own, scale)), floor);
}

static Em problem_of(Build *b, const Components *c, IrValue x, IrValue scale) {
    const Type *type = &c->observed->type;
    Em em = {.b = b, .k = c->label->n_values, .component = event_axis(b, 0, c->label->n_values)};
    em.x = behind_component(b, x, type);
    for (int i = 0; i < type->n_dims; i++)
        em.entries[em.n_entries++] = event_axis(b, i + 1, type->dims[i]);
    em.last = type->n_dims ? type->dims[type->n_dims - 1] : 1;
    em.n_points = plates_around(type->plate);
    em.n_sets = plates_around(c->location->type.plate);
    for (int i = 0; i < c->label->dist->n_params; i++) {
        int around = plates_around(c->label->args[i]->type.plate);
        if (around > em.n_shares) em.n_shares = around;
    }
    if (em.n_shares > em.n_sets) em.n_shares = em.n_sets;
    for (const Plate *q = type->plate; q; q = q->parent) em.points[q->depth] = plate_axis(b, q);
    em.variance = known_variance(b, &em, c->observed, scale);
    /* of each plate the spread of the location that stands in it, if that is in turn the location
     * of what stands below, and its own stands in the plate around or further out */
    for (int l = 0; l < em.n_sets; l++) em.between[l] = IR_NONE;
    const Var *below = c->location;
    for (int l = em.n_sets; l > 0 && below; l--) {
        const Var *above = location_of(below);
        if (plates_around(below->type.plate) != l || !above) break;
        if (plates_around(above->type.plate) != l - 1) break;
        em.between[l - 1] = known_variance(b, &em, below, scale);
        below = above;
    }
    return em;
}

/* By level of the sets' plates, how far components' means lie about those of the level above,
 * pooled over the data set: what scales between sets are inferred from. */
static void add_level_variances(Build *b, Encoding *enc, const Em *em, const Components *c,
                                IrValue mean, const AxisId *axes) {
    IrProgram *p = b->p;
    for (int level = em->n_sets - 1; level >= 0; level--) {
        IrValue size = ir_extent(p, em->points[level]), one = number(b, 1);
        IrValue above = mean_along(b, mean, em->points[level]);
        IrValue v = ir_square(p, ir_sub(p, mean, above));
        v = ir_sum(p, v, em->points, level + 1);
        IrValue freedom = ir_max(p, ir_sub(p, size, one), one);
        freedom = ir_sum_at(p, freedom, em->points, level);
        v = ir_add(p, ir_div(p, v, freedom), number(b, VARIANCE_FLOOR));
        const char *tag =
            arena_printf(b->arena, "%s.logvar.component.%d", c->observed->name, level);
        blocks_add(&enc->root, block_of(ir_log(p, v), em->n_entries + 1, axes, tag));
        mean = above;
    }
}

void add_components(Build *b, Encoding *enc, const Moments *m, IrValue normal) {
    IrProgram *p = b->p;
    Components c = {0};
    if (!find_components(m->observed, &c) || enc->n_components == MAX_MIXTURES) return;
    const Type *x = &m->observed->type;
    IrValue scale = behind_component(b, m->scale.v, x);
    IrValue centre = behind_component(b, m->centre.v, x);
    Em em = problem_of(b, &c, normal, scale);
    em.present = m->cells;
    if (em.n_points + em.n_entries > EM_MAX_AXES) return;
    EmFit fit = em_fit(&em);
    c.mean = ir_add(p, centre, ir_mul(p, scale, ir_div(p, fit.sum, fit.count)));
    c.count = fit.count;
    c.variance = ir_mul(p, fit.variance, ir_square(p, scale));
    c.between = ir_mul(p, fit.between, ir_square(p, scale));
    c.total = em_count(&em, em.n_sets);
    const Plate *plate = c.location->type.plate;
    Blocks *blocks = plate ? &enc->plate[plate->index] : &enc->root;
    AxisId axes[MAX_DIMS + 1] = {em.component};
    memcpy(axes + 1, em.entries, sizeof *axes * (size_t)em.n_entries);
    const char *name = m->observed->name;
    blocks_add(blocks, block_of(fit.mean, em.n_entries + 1, axes,
                                arena_printf(b->arena, "%s.component", name)));
    blocks_add(blocks,
               block_of(fit.log_share, 1, axes, arena_printf(b->arena, "%s.logshare", name)));
    if (em.variance == IR_NONE)
        blocks_add(&enc->root, block_of(ir_log(p, fit.variance), em.n_entries, em.entries,
                                        arena_printf(b->arena, "%s.logspread", name)));
    bool known = true;
    for (int l = 0; l < em.n_sets; l++) known &= em.between[l] != IR_NONE;
    bool room = enc->root.n + em.n_sets <= MAX_BLOCKS / 3; /* what else is read needs the rest */
    if (!known && room) add_level_variances(b, enc, &em, &c, fit.mean, axes);
    enc->components[enc->n_components++] = c;
}

/* ---- moments ---- */

/* All that the components say of `var`, their location or one above it; false: nothing. */
static bool said_of(Build *b, const Components *c, const Var *var, IrValue *mean, IrValue *se2) {
    IrProgram *p = b->p;
    if (var == c->location) {
        int at = location_param(c->observed->dist);
        IrValue own = c->variance;
        if (arguments_known(b, c->observed, at, NULL)) {
            own = ir_square(p, lower_spread(b, c->observed));
            own = behind_component(b, own, &c->observed->type);
        }
        *mean = c->mean;
        *se2 = ir_div(p, own, c->count);
        return true;
    }
    const Var *child = c->location;
    while (child && location_of(child) != var) child = location_of(child);
    if (!child || !said_of(b, c, child, mean, se2)) return false;
    bool known = arguments_known(b, child, location_param(child->dist), NULL);
    IrValue own = known ? ir_square(p, lower_spread(b, child)) : c->between;
    IrValue precision = ir_recip(p, ir_add(p, own, *se2)), sum = ir_mul(p, precision, *mean);
    for (const Plate *q = child->type.plate; q != var->type.plate; q = q->parent) {
        AxisId axis = plate_axis(b, q);
        precision = precision_over(b, precision, axis);
        sum = ir_sum(p, sum, &axis, 1);
    }
    *mean = ir_div(p, sum, precision);
    *se2 = ir_recip(p, precision);
    return true;
}

static bool is_between_numbers(const Var *var) {
    const Support *s = &var->support;
    bool numbers = s->kind == SUPPORT_INTERVAL && s->lo && s->hi;
    return numbers && s->lo->kind == EXPR_NUMBER && s->hi->kind == EXPR_NUMBER;
}

/* A location of components that has ends is not left to the prior: what the data say of it depends
 * on scales. */
bool is_located(const Build *b, const Var *latent) {
    if (latent->support.kind == SUPPORT_REAL) return true;
    bool found = false;
    for (int i = 0; i < b->model->vars.n && is_between_numbers(latent); i++) {
        Components c = {0};
        const Var *var = b->model->vars.data[i];
        if (var->kind != VAR_OBSERVED || !find_components(as_inferred(b, var), &c)) continue;
        for (const Var *at = c.location; at; at = location_of(at)) found |= at == latent;
    }
    return found && is_structured(b) && !b->options.no_exact;
}

/* Is the latent, a simplex, an argument of the label's law, in the plate that counts are of or
 * around it? */
static bool is_law_of(const Var *var, const Components *c) {
    const Type *type = &var->type;
    bool fits = var->support.kind == SUPPORT_SIMPLEX && type->n_dims == 1 &&
                type->dims[0] == c->label->n_values &&
                plate_within(c->location->type.plate, type->plate) &&
                var->link->n_free == type->dims[0] - 1;
    for (int i = 0; fits && i < c->label->dist->n_params; i++)
        if (variable(c->label->args[i], VAR_LATENT) == var) return true;
    return false;
}

/* Shares of the counts; unconstrained number k sets share k apart from all that follow, as in stick
 * breaking, which is as uncertain as the logarithm of the ratio of two counts. */
static void share_moment(Build *b, const Components *c, const Var *var, Gaussian *moment) {
    IrProgram *p = b->p;
    int64_t k = c->label->n_values;
    AxisId axis = event_axis(b, 0, k), free = event_axis(b, 0, k - 1);
    IrValue half = number(b, 0.5), rest = IR_NONE, counts = c->count, total = c->total;
    for (const Plate *q = c->location->type.plate; q != var->type.plate; q = q->parent) {
        AxisId sets = plate_axis(b, q);
        counts = ir_sum(p, counts, &sets, 1);
        total = ir_sum_at(b->p, total, &sets, 1);
    }
    counts = ir_add(p, counts, half);
    total = ir_add(p, total, number(b, 0.5 * (double)k));
    moment->centre = lower_link(b, var, LINK_INVERSE, val_of(ir_div(p, counts, total), &var->type));
    moment->spread = moment->centre;
    moment->spread.v = IR_NONE;
    for (int64_t i = k - 1; i >= 0; i--) {
        IrValue own = ir_pick(p, counts, axis, i);
        if (i < k - 1) {
            IrValue squared = ir_add(p, ir_recip(p, own), ir_recip(p, rest));
            IrValue placed = ir_place(p, ir_sqrt(p, squared), free, i);
            moment->spread.v =
                moment->spread.v == IR_NONE ? placed : ir_add(p, moment->spread.v, placed);
        }
        rest = rest == IR_NONE ? own : ir_add(p, rest, own);
    }
}

/* Not so near an end that the link has no slope there. */
static IrValue inside(Build *b, const Var *var, IrValue mean) {
    double lo = var->support.lo->number, hi = var->support.hi->number;
    double margin = NEAR_END * (hi - lo);
    mean = ir_max(b->p, mean, number(b, lo + margin));
    return ir_min(b->p, mean, number(b, hi - margin));
}

bool mixture_moment(Build *b, const Encoding *enc, const Var *var, Gaussian *moment) {
    for (int i = 0; i < enc->n_components; i++) {
        const Components *c = &enc->components[i];
        IrValue mean, se2;
        if (is_law_of(var, c)) {
            share_moment(b, c, var, moment);
            return true;
        }
        bool ends = is_between_numbers(var);
        if (var->support.kind != SUPPORT_REAL && !ends) continue;
        if (!said_of(b, c, var, &mean, &se2)) continue;
        if (ends) mean = inside(b, var, mean);
        moment->centre = lower_link(b, var, LINK_INVERSE, val_of(mean, &var->type));
        Val log_slope = lower_link(b, var, LINK_LOG_JACOBIAN, moment->centre);
        moment->spread = moment->centre;
        moment->spread.v =
            ir_mul(b->p, ir_sqrt(b->p, se2), ir_exp(b->p, ir_neg(b->p, log_slope.v)));
        return true;
    }
    return false;
}
