/* start.c -- what the affine maps of the guide start from: the law of a latent given what was drawn
 * before it, and the moment of the data that speaks of it most directly, each as a Gaussian on the
 * unconstrained scale.
 *
 * Both are derived from the model alone: laws from the distributions' own `sample` bodies
 * (lower.c), and the standard error of a mean by going up the chain of locations, se^2(parent) =
 * (spread^2(child) + se^2(child)) / number of children, with the scales drawn before where they are
 * in K. For Gaussian chains that is exact, so the guide of a linear Gaussian model is exact given
 * the scales before training. Where the scales are not known (in the joint flow that draws them, or
 * in family adavi) the variance observed in the data set stands in.
 */
#include "dual/plate.h"
#include "dual/internal.h"

bool is_structured(const Build *b) {
    return b->options.family == FAMILY_STRUCTURED && !b->options.paper;
}

const char *free_name(Build *b, const Var *latent) {
    return arena_printf(b->arena, "%s.free", latent->name);
}

typedef struct Known {
    const Build *b;
    const Var *except;
    bool all;
} Known;

static void check_known(void *user, Var *var) {
    Known *known = user;
    if (var->kind == VAR_SUMMED) known->all = false;
    if (var->kind != VAR_LATENT || var == known->except) return;
    if (!is_structured(known->b) || known->b->value[var->index].v == IR_NONE) known->all = false;
}

bool arguments_known(const Build *b, const Var *var, int but, const Var *except) {
    Known known = {.b = b, .except = except, .all = true};
    for (int i = 0; i < var->dist->n_params; i++)
        if (i != but) expr_visit_vars(var->args[i], check_known, &known);
    return known.all;
}

Val to_free(Build *b, const Var *var, Val value) {
    return lower_link(b, var, LINK_INVERSE, value);
}

/* Centre and spread of the latent's law given K, or over all prior draws where K does not determine
 * its arguments. */
static Gaussian prior_of(Build *b, const Var *var) {
    IrProgram *p = b->p;
    Type free = model_free_type(var);
    Gaussian prior = {.centre = val_of(IR_NONE, &free), .spread = val_of(IR_NONE, &free)};
    if (arguments_known(b, var, -1, NULL) && !b->options.no_exact) {
        lower_centre_and_spread(b, var, to_free, &prior.centre, &prior.spread.v);
        prior.spread.v = ir_max(p, prior.spread.v, number(b, 1e-6));
        return prior;
    }
    AxisId events[MAX_DIMS];
    int n = event_axes(b, &prior.centre, events);
    if (has_varying_ends(
            var)) { /* the median over all prior draws may lie outside of this one's ends */
        prior.centre.v = number(b, 0);
        prior.spread.v = number(b, 1.5);
        return prior;
    }
    const char *name = var->link->n_dims ? free_name(b, var) : var->name;
    prior.centre.v = stat_input(b, name, "median", events, n);
    if (!var->link->n_dims) prior.centre = to_free(b, var, prior.centre);
    if (var->support.kind != SUPPORT_REAL && !var->link->n_dims) {
        prior.spread.v = number(b, 1.5); /* links are scaled by the prior's median: unconstrained
                                            values are of order one */
        return prior;
    }
    IrValue mad = stat_input(b, name, "mad", events, n);
    prior.spread.v = ir_mul(p, number(b, 1.4826), ir_max(p, mad, number(b, 1e-6)));
    return prior;
}

/* A location and its standard error, carried through the link. */
static Gaussian through_link(Build *b, const Var *var, Val location, IrValue error) {
    IrProgram *p = b->p;
    if (var->support.kind == SUPPORT_POSITIVE)
        location.v = ir_max(p, location.v,
                            ir_max(p, ir_mul(p, number(b, 0.1), error), number(b, DUAL_TINY)));
    Gaussian moment = {.centre = lower_link(b, var, LINK_INVERSE, location)};
    Val log_slope = lower_link(b, var, LINK_LOG_JACOBIAN, moment.centre);
    moment.spread = moment.centre;
    moment.spread.v = ir_mul(p, error, ir_exp(p, ir_neg(p, log_slope.v)));
    return moment;
}

/* What an average over all instances of `child` in one of `parent` says of their location, given
 * what each says of its own (squared error `se2`; IR_NONE: it is observed) and the scales in K.
 * IR_NONE where these are not known, or differ between the instances that are averaged. An instance
 * of which a ragged plate holds none counts as one with a single child: the mean of the whole data
 * set, which stands in for its own, is about as near, and nearer than all prior draws. */
static IrValue averaged_error(Build *b, const Var *parent, const Var *child, IrValue se2) {
    IrProgram *p = b->p;
    if (!arguments_known(b, child, location_param(child->dist), NULL)) return IR_NONE;
    IrValue own = ir_square(p, lower_spread(b, child));
    if (repeats_location(child)) {
        Val event = val_of(own, &child->type);
        AxisId axes[MAX_DIMS];
        int n = event_axes(b, &event, axes);
        double entries = (double)event_size(&child->type);
        own = ir_sum(p, along(b, own, axes, n), axes, n);
        own = ir_mul(p, own, number(b, 1 / (entries * entries)));
    }
    se2 = se2 == IR_NONE ? own : ir_add(p, own, se2);
    if (child->missing) return IR_NONE; /* each mean has as much error as it has cells */
    const Plate *up_to = parent->type.plate;
    for (const Plate *q = plate_seen_from(child->type.plate, up_to); q != up_to; q = q->parent) {
        AxisId axis = plate_axis(b, q);
        if (ir_has_axis(p, se2, axis)) return IR_NONE;
        se2 = ir_mul(p, se2, instance_share(b, axis));
    }
    return se2;
}

/* All that the data say of a location, on the scale of its values. */
typedef struct Said {
    IrValue mean, se2; /* se2 == IR_NONE: a scale is not known */
    int n_observed;
} Said;

/* Adds an independent statement: the product of two Gaussians. */
static void add_said(Build *b, Said *said, Said more) {
    IrProgram *p = b->p;
    said->n_observed += more.n_observed;
    if (said->mean == IR_NONE || more.se2 == IR_NONE || said->se2 == IR_NONE) {
        if (said->mean == IR_NONE)
            said->mean = more.mean, said->se2 = more.se2;
        else
            said->se2 = IR_NONE;
        return;
    }
    IrValue sum = ir_max(p, ir_add(p, said->se2, more.se2), number(b, DUAL_TINY));
    IrValue share = ir_div(p, said->se2, sum); /* of `more` */
    said->mean = ir_add(p, said->mean, ir_mul(p, share, ir_sub(p, more.mean, said->mean)));
    said->se2 = ir_mul(p, share, more.se2);
}

/* Up the tree of locations: every variable whose location is `latent` says something of it. */
static Said all_said(Build *b, const Encoding *enc, const Var *latent) {
    Said said = {IR_NONE, IR_NONE, 0};
    for (int i = 0; i < enc->n_moments; i++) {
        const Moments *m = &enc->moments[i];
        if (location_of(m->observed) != latent || !moments_reach(m, latent->type.plate)) continue;
        IrValue se2 = averaged_error(b, latent, m->observed, IR_NONE);
        add_said(b, &said, (Said){m->mean[plates_around(latent->type.plate)].v, se2, 1});
    }
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *child = b->model->vars.data[i];
        if (child->kind != VAR_LATENT || location_of(child) != latent) continue;
        Said own = all_said(b, enc, child);
        if (!own.n_observed) continue;
        const Moments *m = moments_of(enc, child);
        if (own.n_observed == 1) {
            own.mean = m->mean[plates_around(latent->type.plate)].v; /* averaged already */
        } else {
            for (const Plate *q = child->type.plate; q != latent->type.plate; q = q->parent)
                own.mean = mean_along(b, own.mean, plate_axis(b, q));
        }
        if (own.se2 != IR_NONE) own.se2 = averaged_error(b, latent, child, own.se2);
        add_said(b, &said, own);
    }
    return said;
}

/* A location latent's own moment: the mean of all that its instance holds; where several observed
 * variables speak of it and all scales are known, their means weighted by precision. */
static Gaussian location_moment(Build *b, const Encoding *enc, const Var *var, const Moments *m) {
    Said said = all_said(b, enc, var);
    const int level = plates_around(var->type.plate);
    if (said.se2 == IR_NONE) said = (Said){m->mean[level].v, m->own_se2[level], 1};
    IrValue error = said.se2 == IR_NONE ? m->scale.v : ir_sqrt(b->p, said.se2);
    return through_link(b, var, val_of(said.mean, &var->type), error);
}

/* A scale latent's own moment: the level's variance less what the levels below put into it; the
 * error of a sample variance V with f degrees of freedom is V sqrt(2 / f). */
static Gaussian scale_moment(Build *b, const Var *var, const Moments *m, int level) {
    IrProgram *p = b->p;
    const Spread seen = spread_within(m, var, level);
    IrValue total = seen.variance, own = total;
    if (seen.se2 != IR_NONE)
        own = ir_max(p, ir_sub(p, total, seen.se2), ir_mul(p, number(b, 0.05), total));
    Val scale = val_of(ir_sqrt(p, own), &var->type);
    IrValue halved = ir_sqrt(p, ir_mul(p, number(b, 2), seen.freedom));
    return through_link(b, var, scale, ir_div(p, total, ir_mul(p, scale.v, halved)));
}

/* Are its entries numbers that a mean or standard deviation can be carried to, one by one? */
static bool has_moments(const Var *var) {
    return var->support.kind == SUPPORT_REAL || var->support.kind == SUPPORT_POSITIVE;
}

/* The moment of the data that speaks of `var` most directly; false: there is none. */
bool moment_of(Build *b, const Encoding *enc, const Var *var, Gaussian *moment) {
    if (b->options.no_exact) return false;
    if (mixture_moment(b, enc, var, moment)) return true;
    if (!has_moments(var)) return false;
    int level;
    const Moments *m = moments_of(enc, var);
    if (m) {
        *moment = location_moment(b, enc, var, m);
        return true;
    }
    m = var->support.kind == SUPPORT_POSITIVE ? scale_moments_of(enc, var, &level) : NULL;
    if (m) *moment = scale_moment(b, var, m, level);
    return m != NULL;
}

/* What the affine map starts from where nothing is fused: the latent's prior, or for locations
 * without the exact path the data set's own centre and scale. */
Gaussian start_of(Build *b, const Encoding *enc, const Var *var) {
    const Moments *m = has_moments(var) ? moments_of(enc, var) : NULL;
    if (!m || !b->options.no_exact) return prior_of(b, var);
    return through_link(b, var, val_of(m->centre.v, &var->type), m->scale.v);
}
