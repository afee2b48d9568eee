/* mixture.c -- what the data say of the components of a mixture, before training: moments of the
 * observations that each component is responsible for, found by expectation maximisation.
 *
 * It applies where the location of an observed variable is a latent's entry that a label names,
 * x ~ D(v[z], ...), with a label for each observation: v holds the components' locations, one set
 * for each instance of its plate. In the units of the data set (mean 0, mean square 1 in every
 * dimension):
 *
 *     start   a first point, then K - 1 times the point farthest from those before
 *     TRIAL   steps from each of several starts, whose first points are the farthest from 0 and the
 *             outermost in some directions; the one with the largest likelihood is kept
 *     FINAL   steps from there on
 *
 * A step takes means and shares for each instance of v's plate, means drawn to their mean over the
 * instances as far as their own variance about it says, and one variance of the observations about
 * their components. Number and order of steps are fixed, so that all is unrolled; nothing in it is
 * learned. Instances enter by sums and maxima alone: the result does not depend on their order, and
 * the order of components follows from the data, which is what chooses one of the K! modes.
 *
 * Means and counts by component are features of the encodings, and moments for the fusion of two
 * Gaussians (start.c): of v, of the locations above v, and of the simplex that is the label's law.
 * Where points are assigned wrongly the start is wrong; the densities never are. */
#include "dual/guide.h"

enum { TRIAL = 8, FINAL = 8, MAX_DIRECTIONS = 4, MAX_COMPONENT_VALUES = 8 };

static const double FLOOR = 1e-5;        /* of variances, in units of the data set */
static const double FIRST_SPREAD = 0.5;  /* of observations about their first components */
static const double FIRST_BETWEEN = 0.2; /* variance of sets of components about their mean */
static const double FEW = 1e-3;          /* an observation, where there is none */
static const double NEARLY = 0.9999;     /* of the largest distance counts as it */

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

/* ---- expectation maximisation ---- */

typedef struct Em {
    Build *b;
    IrValue x;                /* the observations; entry i of an event on axis i + 1 */
    AxisId component;         /* of the components, axis 0 of v's event */
    AxisId entries[MAX_DIMS]; /* of x, and how many there are */
    int n_entries;
    double size;
    AxisId points[IR_MAX_AXES]; /* plates of x, outermost first; the first n_sets are v's */
    int n_points, n_sets;
    int64_t k;
    AxisId starts; /* of several starts, in what follows until one is kept */
    int64_t n_starts;
    IrValue mean, share, variance, between, log_likelihood;
    IrValue count, sum; /* of the last step: observations of a component, their sum */
} Em;

static IrValue over_entries(const Em *em, IrValue v) {
    return em->n_entries ? ir_sum(em->b->p, v, em->entries, em->n_entries) : v;
}

static IrValue distance(const Em *em, IrValue from) {
    IrProgram *p = em->b->p;
    return over_entries(em, ir_square(p, ir_sub(p, em->x, from)));
}

/* The point at which `d` is largest; the mean of several that are all but equal. */
static IrValue farthest(const Em *em, IrValue d) {
    IrProgram *p = em->b->p;
    IrValue most = ir_max_over(p, d, em->points, em->n_points);
    IrValue is = ir_le(p, ir_mul(p, most, number(em->b, NEARLY)), d);
    IrValue hot = ir_select(p, is, number(em->b, 1), number(em->b, 0));
    IrValue sum = ir_contract(p, hot, em->x, em->points, em->n_points);
    return ir_div(p, sum, ir_sum(p, hot, em->points, em->n_points));
}

/* How far out each observation is as a first point, by start: its distance from 0, then its entries
 * and their negatives. */
static IrValue outwards(const Em *em) {
    Build *b = em->b;
    IrProgram *p = b->p;
    IrValue all = ir_place(p, over_entries(em, ir_square(p, em->x)), em->starts, 0);
    for (int64_t i = 1; i < em->n_starts; i++) {
        IrValue own = em->x;
        int64_t entry = (i - 1) / 2; /* along the last dimension */
        for (int k = 0; k < em->n_entries; k++)
            own = ir_pick(p, own, em->entries[k], k == em->n_entries - 1 ? entry : 0);
        if (i % 2 == 0) own = ir_neg(p, own);
        all = ir_add(p, all, ir_place(p, own, em->starts, i));
    }
    return all;
}

static void start(Em *em) {
    Build *b = em->b;
    IrProgram *p = b->p;
    IrValue near = outwards(em);
    for (int64_t k = 0; k < em->k; k++) {
        IrValue own = farthest(em, near), d = distance(em, own);
        near = k ? ir_min(p, near, d) : d;
        IrValue placed = ir_place(p, own, em->component, k);
        em->mean = k ? ir_add(p, em->mean, placed) : placed;
    }
    em->share = number(b, 1.0 / (double)em->k);
    em->variance = number(b, FIRST_SPREAD * FIRST_SPREAD);
    em->between = number(b, FIRST_BETWEEN);
}

/* The share of each component in each observation; notes the likelihood that they give. */
static IrValue responsibilities(Em *em, IrValue d) {
    IrProgram *p = em->b->p;
    IrValue half = ir_div(p, number(em->b, -0.5), em->variance);
    IrValue score = ir_add(p, ir_mul(p, half, d), ir_log(p, em->share));
    IrValue most = ir_max_over(p, score, &em->component, 1);
    IrValue mass = ir_exp(p, ir_sub(p, score, most)), sum = ir_sum(p, mass, &em->component, 1);
    IrValue spread = ir_mul(p, number(em->b, 0.5 * em->size), ir_log(p, em->variance));
    IrValue each = ir_sub(p, ir_add(p, most, ir_log(p, sum)), spread);
    em->log_likelihood = ir_sum(p, each, em->points, em->n_points);
    return ir_div(p, mass, sum);
}

static IrValue product_of_extents(const Em *em, int from) {
    IrValue n = number(em->b, 1);
    for (int i = from; i < em->n_points; i++)
        n = ir_mul(em->b->p, n, ir_extent(em->b->p, em->points[i]));
    return n;
}

/* Means of the sets of components about their common mean. */
static void draw_together(Em *em) {
    IrProgram *p = em->b->p;
    IrValue own = ir_div(p, em->count, em->variance), prior = ir_recip(p, em->between);
    IrValue sets = product_of_extents(em, 0);
    sets = ir_div(p, sets, product_of_extents(em, em->n_sets));
    IrValue precision = ir_add(p, own, prior);
    IrValue common = em->n_sets ? ir_sum(p, along(em->b, em->mean, em->points, em->n_sets),
                                         em->points, em->n_sets)
                                : em->mean;
    common = ir_div(p, common, sets);
    IrValue pull = ir_mul(p, common, prior);
    em->mean = ir_div(p, ir_add(p, ir_div(p, em->sum, em->variance), pull), precision);
    IrValue apart = over_entries(em, ir_square(p, ir_sub(p, em->mean, common)));
    IrValue each = ir_div(p, apart, number(em->b, em->size));
    each = ir_add(p, each, ir_recip(p, precision));
    AxisId over[IR_MAX_AXES];
    memcpy(over, em->points, sizeof *over * (size_t)em->n_sets);
    over[em->n_sets] = em->component;
    each = ir_sum(p, along(em->b, each, over, em->n_sets + 1), over, em->n_sets + 1);
    each = ir_div(p, each, ir_mul(p, sets, number(em->b, (double)em->k)));
    em->between = ir_max(p, each, number(em->b, FLOOR));
}

static void step(Em *em) {
    Build *b = em->b;
    IrProgram *p = b->p;
    const AxisId *inner = em->points + em->n_sets;
    int n = em->n_points - em->n_sets;
    IrValue r = responsibilities(em, distance(em, em->mean)),
            all = product_of_extents(em, em->n_sets);
    em->count = ir_max(p, ir_sum(p, r, inner, n), number(b, FEW));
    em->sum = ir_contract(p, r, em->x, inner, n);
    if (em->n_sets)
        draw_together(em);
    else
        em->mean = ir_div(p, em->sum, em->count);
    IrValue total = ir_add(p, all, number(b, (double)em->k));
    em->share = ir_div(p, ir_add(p, em->count, number(b, 1)), total);
    IrValue rest = ir_mul(p, r, distance(em, em->mean));
    rest = ir_sum(p, ir_sum(p, rest, &em->component, 1), em->points, em->n_points);
    IrValue size = ir_mul(p, product_of_extents(em, 0), number(b, em->size));
    em->variance = ir_max(p, ir_div(p, rest, size), number(b, FLOOR));
}

/* Goes on with the start that has led furthest. They are compared one by one: two that are equal
 * but for the order of components must not be mixed. */
static void keep_best(Em *em) {
    IrProgram *p = em->b->p;
    IrValue *const state[] = {&em->mean, &em->share, &em->variance, &em->between};
    enum { STATE = sizeof state / sizeof *state };
    IrValue best = ir_pick(p, em->log_likelihood, em->starts, 0), kept[STATE];
    for (int k = 0; k < STATE; k++)
        kept[k] = ir_has_axis(p, *state[k], em->starts) ? ir_pick(p, *state[k], em->starts, 0)
                                                        : *state[k];
    for (int64_t i = 1; i < em->n_starts; i++) {
        IrValue own = ir_pick(p, em->log_likelihood, em->starts, i);
        IrValue better = ir_lt(p, best, own);
        best = ir_max(p, best, own);
        for (int k = 0; k < STATE; k++)
            if (ir_has_axis(p, *state[k], em->starts))
                kept[k] = ir_select(p, better, ir_pick(p, *state[k], em->starts, i), kept[k]);
    }
    for (int k = 0; k < STATE; k++) *state[k] = kept[k];
}

/* ---- features ---- */

/* Axes of an event of x as those of v's event, behind the component's. */
static IrValue behind_component(Build *b, IrValue v, const Type *x) {
    for (int i = x->n_dims - 1; i >= 0; i--)
        v = renamed(b, v, event_axis(b, i, x->dims[i]), event_axis(b, i + 1, x->dims[i]));
    return v;
}

static int plates_around(const Plate *plate) {
    return plate ? plate->depth + 1 : 0;
}

static void set_up(Em *em, Build *b, const Components *c, IrValue x) {
    const Type *type = &c->observed->type;
    *em = (Em){.b = b, .k = c->label->n_values, .component = event_axis(b, 0, c->label->n_values)};
    em->x = behind_component(b, x, type);
    em->size = (double)event_size(type);
    for (int i = 0; i < type->n_dims; i++)
        em->entries[em->n_entries++] = event_axis(b, i + 1, type->dims[i]);
    int64_t last = type->n_dims ? type->dims[type->n_dims - 1] : 1;
    em->n_starts = 1 + (2 * last < MAX_DIRECTIONS ? 2 * last : MAX_DIRECTIONS);
    em->starts = named_axis(b, "start", em->n_starts);
    em->n_points = plates_around(type->plate);
    em->n_sets = plates_around(c->location->type.plate);
    for (const Plate *q = type->plate; q; q = q->parent) em->points[q->depth] = b->plate[q->index];
}

void add_components(Build *b, Encoding *enc, const Moments *m, IrValue normal) {
    IrProgram *p = b->p;
    Components c = {0};
    Em em;
    if (!find_components(m->observed, &c) || enc->n_components == MAX_MIXTURES) return;
    set_up(&em, b, &c, normal);
    start(&em);
    for (int i = 0; i < TRIAL; i++) step(&em);
    keep_best(&em);
    for (int i = 0; i < FINAL; i++) step(&em);
    const Type *x = &m->observed->type;
    IrValue scale = behind_component(b, m->scale.v, x);
    IrValue centre = behind_component(b, m->centre.v, x);
    c.mean = ir_add(p, centre, ir_mul(p, scale, ir_div(p, em.sum, em.count)));
    c.count = em.count;
    c.variance = ir_mul(p, em.variance, ir_square(p, scale));
    c.between = ir_mul(p, em.between, ir_square(p, scale));
    c.total = product_of_extents(&em, em.n_sets);
    const Plate *plate = c.location->type.plate;
    Blocks *blocks = plate ? &enc->plate[plate->index] : &enc->root;
    AxisId axes[MAX_DIMS + 1] = {em.component};
    memcpy(axes + 1, em.entries, sizeof *axes * (size_t)em.n_entries);
    const char *name = m->observed->name;
    blocks_add(blocks, block_of(em.mean, em.n_entries + 1, axes,
                                arena_printf(b->arena, "%s.component", name)));
    blocks_add(blocks,
               block_of(ir_log(p, em.share), 1, axes, arena_printf(b->arena, "%s.logshare", name)));
    blocks_add(&enc->root, block_of(ir_log(p, em.variance), 0, NULL,
                                    arena_printf(b->arena, "%s.logspread", name)));
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
        AxisId axis = b->plate[q->index];
        precision = ir_sum(p, precision, &axis, 1);
        sum = ir_sum(p, sum, &axis, 1);
    }
    *mean = ir_div(p, sum, precision);
    *se2 = ir_recip(p, precision);
    return true;
}

/* Is the latent, a simplex, an argument of the label's law, in the plate that counts are of? */
static bool is_law_of(const Var *var, const Components *c) {
    const Type *type = &var->type;
    bool fits = var->support.kind == SUPPORT_SIMPLEX && type->n_dims == 1 &&
                type->dims[0] == c->label->n_values && type->plate == c->location->type.plate &&
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
    IrValue half = number(b, 0.5), rest = IR_NONE, counts = ir_add(p, c->count, half);
    IrValue total = ir_add(p, c->total, number(b, 0.5 * (double)k));
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

bool mixture_moment(Build *b, const Encoding *enc, const Var *var, Gaussian *moment) {
    for (int i = 0; i < enc->n_components; i++) {
        const Components *c = &enc->components[i];
        IrValue mean, se2;
        if (is_law_of(var, c)) {
            share_moment(b, c, var, moment);
            return true;
        }
        if (var->support.kind != SUPPORT_REAL || !said_of(b, c, var, &mean, &se2)) continue;
        moment->centre = lower_link(b, var, LINK_INVERSE, val_of(mean, &var->type));
        Val log_slope = lower_link(b, var, LINK_LOG_JACOBIAN, moment->centre);
        moment->spread = moment->centre;
        moment->spread.v =
            ir_mul(b->p, ir_sqrt(b->p, se2), ir_exp(b->p, ir_neg(b->p, log_slope.v)));
        return true;
    }
    return false;
}
