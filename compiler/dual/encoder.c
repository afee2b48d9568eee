/* encoder.c -- from the observed variables to what every plate instance and the whole data set look
 * like.
 *
 * The encoder recurses over the tree of plates. The elements of a plate are described by the
 * observed variables that stand in it, by the pooled encodings of its own inner plates and (exact
 * path) by its moments; a set transformer with weights shared over all instances pools them into
 * the encoding of the instance around. Invariants:
 *   - every value is equivariant under permutation of any plate's instances: plates are only
 * reduced or mapped over;
 *   - inputs are centred and scaled by the data set's own mean and rms (not with --paper), so that
 * wide priors do not erase what varies inside a data set; both re-enter as features of the whole
 * data set.
 *
 * The exact path carries nested moments: means by level, and variances of the means of each level
 * about those of the level above, pooled raw before any logarithm is taken (analysis of variance).
 * Attention with mean pooling cannot see how many instances there are, and blurs the mean; these
 * moments do neither.
 */
#include "dual/context.h"
#include "dual/covariate.h"
#include "dual/missing.h"
#include "dual/settings.h"
#include "dual/plate.h"

#include <math.h>

static const SetTransformer PAPER = {
    .width = 8, .heads = 2, .inducing = 8, .seeds = 1, .n_isab = 2};
static const SetTransformer LEARNED = {
    .width = 16, .heads = 2, .inducing = 8, .seeds = 4, .n_isab = 2, .pre_norm = true};
/* Beside the exact path the learned one carries shape only: what moments do not say. */
static const SetTransformer BESIDE_EXACT = {
    .width = 8, .heads = 2, .inducing = 8, .seeds = 2, .n_isab = 1, .pre_norm = true};

static const double SCALE_FLOOR =
    1e-3; /* of the prior-predictive scale (median absolute deviation) */
/* of the spread of a logarithm over data sets: a variance that varies less says nothing */
static const double LOG_FLOOR = 0.05;
static const double INDICATOR = 0.5; /* the largest scale of what is 0 or 1 */
static const double VARIANCE_FLOOR =
    1e-6; /* of a data set's own mean square: what a single instance shows */
/* degrees of freedom of a variance that nothing shows: its error closes every gate */
static const double NO_FREEDOM = 1e-12;
enum { MAX_LEVEL_AXES = MAX_LEVELS + MAX_DIMS };

static bool exact_path(const Build *b) {
    return !b->options.paper && !b->options.no_exact;
}

IrValue asinh_of(Build *b, IrValue v) {
    IrProgram *p = b->p;
    IrValue size = ir_abs(p, v);
    IrValue root = ir_sqrt(p, ir_add(p, ir_square(p, v), number(b, 1)));
    return ir_mul(p, ir_sign(p, v), ir_log(p, ir_add(p, size, root)));
}

IrValue standardise(Build *b, const char *name, IrValue v, IrValue floor, const AxisId *axes,
                    int n) {
    IrProgram *p = b->p;
    if (b->preparing) {
        ir_output(p, name, v);
        return v;
    }
    IrValue median = stat_input(b, name, "median", axes, n);
    IrValue mad = ir_max(p, stat_input(b, name, "mad", axes, n), floor);
    return asinh_of(b, ir_div(p, ir_sub(p, v, median), mad));
}

IrValue mean_over(Build *b, IrValue v, const AxisId *axes, int n) {
    bool ragged = false;
    for (int i = 0; i < n; i++) ragged |= b->p->axes.data[axes[i]].ragged;
    if (ragged) { /* of all instances alike, whatever parent they have */
        IrValue all = ir_max(b->p, ir_sum_at(b->p, number(b, 1), axes, n), number(b, 1));
        return ir_mul(b->p, ir_sum_at(b->p, v, axes, n), ir_recip(b->p, all));
    }
    for (int i = 0; i < n; i++) {
        if (!ir_has_axis(b->p, v, axes[i]))
            continue; /* what lies along the other side of a cross */
        v = ir_mul(b->p, ir_sum(b->p, v, &axes[i], 1), ir_recip(b->p, ir_extent(b->p, axes[i])));
    }
    return v;
}

/* ------------------------------------------------------------------ moments */

static void fill_levels(const Var *var, Moments *m) {
    const Plate *plate = var->type.plate;
    int depth = plates_around(plate);
    m->n_levels = depth + 1 + repeats_location(var);
    if (m->n_levels > MAX_LEVELS)
        internal_error("dual", "more than %d nested plates", MAX_LEVELS - 2);
    for (int level = depth; level > 0; level--, plate = plate->parent) m->plate[level] = plate;
}

/* Its plate's, or those of the event whose entries repeat one location. */
int own_axes(Build *b, const Moments *m, int level, AxisId *axes) {
    if (m->plate[level]) {
        axes[0] = plate_axis(b, m->plate[level]);
        return 1;
    }
    Val event = val_of(IR_NONE, &m->observed->type);
    return event_axes(b, &event, axes);
}

static const char *level_name(const Moments *m, int level) {
    return !level ? "root" : m->plate[level] ? m->plate[level]->name : "event";
}

/* How many instances of `level` an instance of the level above holds. */
static IrValue level_size(Build *b, const Moments *m, int level) {
    if (m->plate[level]) return ir_extent(b->p, plate_axis(b, m->plate[level]));
    return number(b, (double)event_size(&m->observed->type));
}

int level_axes(Build *b, const Moments *m, int from, int to, AxisId *axes) {
    int n = 0;
    for (int level = from + 1; level <= to; level++) n += own_axes(b, m, level, axes + n);
    return n;
}

IrValue mean_of_level(Build *b, const Moments *m, IrValue v, int level) {
    AxisId axes[MAX_LEVEL_AXES];
    if (m->cells != IR_NONE) return mean_within(b, m, v, level - 1, level);
    return mean_over(b, v, axes, own_axes(b, m, level, axes));
}

/* Shape of what stands above the last level: entries that repeat a location are averaged there. */
static Val above_event(const Moments *m, Val x) {
    if (repeats_location(m->observed)) x.n_dims = 0;
    return x;
}

/* A statistic of prior-predictive values, in the shape of moments. */
static IrValue prior_statistic(Build *b, const Moments *m, const char *what) {
    if (m->observed->n_values) /* indicators: see INDICATOR */
        return number(b, !strcmp(what, "mad") ? INDICATOR : 0);
    Val event = val_of(IR_NONE, &m->observed->type);
    AxisId events[MAX_DIMS];
    int n = event_axes(b, &event, events);
    IrValue stat = stat_input(b, m->observed->name, what, events, n);
    return repeats_location(m->observed) ? mean_over(b, stat, events, n) : stat;
}

static IrValue prior_scale(Build *b, const Moments *m) {
    return prior_statistic(b, m, "mad");
}

/* Less than this is no scale of an observed variable: a share of its prior-predictive one. */
static IrValue scale_floor(Build *b, const Moments *m) {
    return ir_mul(b->p, number(b, SCALE_FLOOR), prior_scale(b, m));
}

/* The data set's own centre and scale; returns the variable, of value x, in these units. */
static Val normalise(Build *b, Val x, Moments *m) {
    IrProgram *p = b->p;
    AxisId all[MAX_LEVEL_AXES];
    int n = level_axes(b, m, 0, m->n_levels - 1, all);
    m->centre = m->scale = above_event(m, x);
    if (m->cells != IR_NONE) {
        Units usual = {number(b, 1e-12), number(b, 0), number(b, 1)};
        if (!b->preparing) {
            IrValue sd = ir_mul(p, number(b, 1.4826), prior_scale(b, m));
            usual = (Units){scale_floor(b, m), prior_statistic(b, m, "median"), sd};
        }
        return normalise_present(b, x, m, usual);
    }
    m->centre.v = mean_over(b, x.v, all, n);
    IrValue centred = ir_sub(p, x.v, m->centre.v);
    IrValue square = mean_over(b, ir_square(p, centred), all, n);
    IrValue floor = b->preparing ? number(b, 1e-12) : scale_floor(b, m);
    m->scale.v = ir_sqrt(p, ir_add(p, square, ir_add(p, ir_square(p, floor), number(b, 1e-30))));
    x.v = ir_div(p, centred, m->scale.v);
    return x;
}

/* The sum of products x y over the instances of `below` that one of the level above holds, over
 * their number less one; its mean over all that an instance of `level` holds. */
static IrValue pooled_product(Build *b, const Moments *m, IrValue x, IrValue y, int level,
                              int below) {
    IrProgram *p = b->p;
    AxisId own[MAX_DIMS], between[MAX_LEVEL_AXES];
    int n_own = own_axes(b, m, below, own), n_between = level_axes(b, m, level, below - 1, between);
    IrValue share = IR_NONE;
    if (m->cells == IR_NONE) {
        IrValue one = number(b, 1), size = level_size(b, m, below);
        share = ir_recip(p, ir_max(p, ir_sub(p, size, one), one));
    }
    IrValue product = x == y ? ir_square(p, x) : ir_mul(p, x, y);
    if (share == IR_NONE) return variance_of_present(b, m, product, level, below);
    return mean_over(b, ir_mul(p, ir_sum(p, product, own, n_own), share), between, n_between);
}

/* Some variance, where a data set has none of the level: the prior-predictive one. */
static IrValue or_prior(Build *b, const Moments *m, IrValue variance, IrValue freedom) {
    IrProgram *p = b->p;
    IrValue single = ir_max(p, ir_sub(p, number(b, 1), freedom), number(b, 0));
    variance = ir_mul(p, variance, ir_square(p, m->scale.v));
    if (b->preparing) return variance;
    IrValue sd = ir_mul(p, number(b, 1.4826), prior_scale(b, m));
    IrValue prior = ir_max(p, ir_square(p, sd), number(b, DUAL_TINY));
    return ir_add(p, variance, ir_mul(p, single, ir_sub(p, prior, variance)));
}

/* ---- crosses: variances of what is left of a pair when the means of both sides are taken away
 * (analysis of variance with two factors), which has I - 1 times J - 1 degrees of freedom ---- */

static bool is_cross(const Moments *m, int level) {
    return m->plate[level] && m->plate[level]->across;
}

/* Of v, a number of each pair, the mean over the instances of the plate that the view begins in. */
static IrValue mean_crosswise(Build *b, const Moments *m, IrValue v) {
    IrProgram *p = b->p;
    AxisId axis = plate_axis(b, m->plate[1]);
    if (m->cells == IR_NONE) return mean_over(b, v, &axis, 1);
    IrValue sum = ir_sum_at(p, ir_mul(p, v, m->cells), &axis, 1);
    IrValue count = ir_max(p, ir_sum_at(p, m->cells, &axis, 1), number(b, 1));
    return ir_mul(p, sum, ir_recip(p, count));
}

/* The instances of that plate, and of these all but one, 1 at least. */
static IrValue crosswise(Build *b, const Moments *m, bool but_one) {
    IrValue n = ir_extent(b->p, plate_axis(b, m->plate[1])), one = number(b, 1);
    return but_one ? ir_max(b->p, ir_sub(b->p, n, one), one) : n;
}

/* Of `freedom` about the means of one side, what is left about those of the other, too. */
static IrValue freedom_left(Build *b, const Moments *m, int level, IrValue freedom) {
    IrProgram *p = b->p;
    if (!is_cross(m, level)) return freedom;
    IrValue n = crosswise(b, m, false), left = ir_sub(p, n, number(b, 1));
    return ir_mul(p, freedom, ir_mul(p, left, ir_recip(p, n)));
}

/* Of groups of unequal size. */
static void pool_present(Build *b, Moments *m, int level, IrValue variance) {
    IrProgram *p = b->p;
    IrValue freedom = freedom_left(b, m, level, freedom_of_present(b, m, 0, level));
    IrValue none = number(b, NO_FREEDOM);
    variance = or_prior(b, m, variance, freedom);
    m->variance[level] = variance;
    m->freedom[level] = ir_max(p, freedom, none);
    IrValue own = ir_max(p, size_of_present(b, m, level - 1, level), none);
    m->own_se2[level - 1] = ir_mul(p, variance, ir_recip(p, own));
    m->se2[level - 1] = mean_within(b, m, m->own_se2[level - 1], 0, level - 1);
}

/* What the whole data set says of one level: its variance, and with it the error of the means
 * above. Where the level has a single instance everywhere (its freedom is 0) nothing shows the
 * variance: the prior-predictive one stands in, so that the means above have an honest error. */
static void pool_variance(Build *b, Moments *m, int level, IrValue variance) {
    IrProgram *p = b->p;
    if (m->cells != IR_NONE) {
        pool_present(b, m, level, variance);
        return;
    }
    AxisId above[MAX_LEVEL_AXES];
    int n = level_axes(b, m, 0, level - 1, above);
    IrValue size = level_size(b, m, level), one = number(b, 1);
    IrValue freedom = ir_sub(p, size, one);
    if (is_cross(m, level)) {
        IrValue several = ir_sub(p, crosswise(b, m, false), one);
        variance = or_prior(b, m, variance, ir_mul(p, freedom, several));
    } else {
        variance = or_prior(b, m, variance, freedom);
    }
    m->variance[level] = variance;
    freedom = freedom_left(b, m, level, freedom);
    m->freedom[level] = ir_max(p, freedom, number(b, NO_FREEDOM));
    for (int i = 0; i < n; i++)
        m->freedom[level] = ir_mul(p, m->freedom[level], ir_extent(p, above[i]));
    m->se2[level - 1] = m->own_se2[level - 1] = ir_mul(p, variance, ir_recip(p, size));
}

/* What an instance of `level` shows of the level `below`; those below that are known already. */
static void keep_within(Build *b, Moments *m, int level, int below, IrValue variance) {
    IrProgram *p = b->p;
    Spread *own = &m->within[level][below];
    AxisId between[MAX_LEVEL_AXES];
    IrValue *above = below > level + 1 ? &m->within[level][below - 1].se2 : NULL;
    own->variance = ir_mul(p, variance, ir_square(p, m->scale.v));
    own->se2 = IR_NONE;
    if (m->cells != IR_NONE) {
        IrValue none = number(b, NO_FREEDOM);
        own->freedom = ir_max(p, freedom_of_present(b, m, level, below), none);
        if (!above) return;
        IrValue each = ir_max(p, size_of_present(b, m, below - 1, below), none);
        each = ir_mul(p, own->variance, ir_recip(p, each));
        *above = mean_within(b, m, each, level, below - 1);
        return;
    }
    IrValue freedom = ir_sub(p, level_size(b, m, below), number(b, 1));
    own->freedom = ir_max(p, freedom, number(b, NO_FREEDOM));
    int n = level_axes(b, m, level, below - 1, between);
    for (int i = 0; i < n; i++) own->freedom = ir_mul(p, own->freedom, ir_extent(p, between[i]));
    if (above) *above = ir_mul(p, own->variance, ir_recip(p, level_size(b, m, below)));
}

/* The feature of one variance: its logarithm, of level `below` as seen by an instance of `at`. */
static void add_variance(Build *b, Blocks *blocks, const Moments *m, int below, const char *at,
                         IrValue variance) {
    AxisId events[MAX_DIMS];
    int n = event_axes(b, &m->centre, events);
    const char *tag =
        arena_printf(b->arena, "%s.logvar.%s.%s", m->observed->name, level_name(m, below), at);
    IrValue log_variance = ir_log(b->p, variance);
    IrValue feature = standardise(b, tag, log_variance, number(b, LOG_FLOOR), events, n);
    blocks_add(blocks, block_of(feature, n, events, tag));
}

/* ------------------------------------------------------------------ correlations of an event's
 * entries */

enum { MAX_CORRELATED = 8 };

static void find_latent(void *user, Var *var) {
    if (var->kind == VAR_LATENT || var->kind == VAR_SUMMED) *(bool *)user = true;
}

/* May the entries of the observed variable depend on one another given constants? Not where it and
 * all its locations are laws of single numbers, up to a location that no latent enters. */
bool entries_correlate(const Var *observed) {
    int64_t n = observed->type.n_dims == 1 ? observed->type.dims[0] : 1;
    if (n < 2 || n > MAX_CORRELATED || repeats_location(observed)) return false;
    const Var *var = observed;
    for (const Var *up = location_of(var); up; up = location_of(var)) {
        if (var->dist->n_dims) return true;
        var = up;
    }
    int at = location_param(var->dist);
    bool latent = false;
    if (at >= 0) expr_visit_vars(var->args[at], find_latent, &latent);
    return var->dist->n_dims || latent;
}

/* Of the means of level `below` about those of the level above: of a cross, of both sides. */
static IrValue deviation_within(Build *b, const Moments *m, const IrValue *mean, int below) {
    IrProgram *p = b->p;
    IrValue deviation = ir_sub(p, mean[below], mean[below - 1]);
    if (!is_cross(m, below)) return deviation;
    deviation = ir_sub(p, deviation, ir_sub(p, mean_crosswise(b, m, mean[below]), mean[0]));
    return m->cells != IR_NONE ? ir_mul(p, deviation, m->cells) : deviation;
}

/* The sum of products of such deviations x and y over their degrees of freedom, pooled over all
 * that an instance of `level` holds. */
static IrValue product_within(Build *b, const Moments *m, IrValue x, IrValue y, int level,
                              int below) {
    IrProgram *p = b->p;
    IrValue pooled = pooled_product(b, m, x, y, level, below);
    if (!is_cross(m, below)) return pooled;
    IrValue share = ir_mul(p, crosswise(b, m, false), ir_recip(p, crosswise(b, m, true)));
    return ir_mul(p, pooled, share);
}

/* Correlations of the means of `level` about those of the level above, one number per pair of
 * entries, pooled like `variance`, which is theirs entry by entry: what a joint law of the entries
 * is inferred from. */
static void add_correlations(Build *b, Blocks *blocks, const Moments *m, const IrValue *mean,
                             int below, int level, IrValue variance, const char *at) {
    IrProgram *p = b->p;
    int64_t n = m->observed->type.dims[0], n_pairs = n * (n - 1) / 2, pair = 0;
    AxisId axis = event_axis(b, 0, n), pairs = named_axis(b, "pair", n_pairs);
    IrValue deviation = deviation_within(b, m, mean, below), all = IR_NONE;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++, pair++) {
            IrValue y = ir_pick(p, deviation, axis, j), x = ir_pick(p, deviation, axis, i);
            IrValue cross = product_within(b, m, x, y, level, below);
            IrValue scale =
                ir_sqrt(p, ir_mul(p, ir_pick(p, variance, axis, i), ir_pick(p, variance, axis, j)));
            IrValue placed = ir_place(p, ir_div(p, cross, scale), pairs, pair);
            all = all == IR_NONE ? placed : ir_add(p, all, placed);
        }
    const char *tag =
        arena_printf(b->arena, "%s.cor.%s.%s", m->observed->name, m->plate[below]->name, at);
    blocks_add(blocks, block_of(all, 1, &pairs, tag));
}

/* The variance of the means of `below` about those of the level above, likewise. */
static IrValue variance_within(Build *b, const Moments *m, const IrValue *mean, int level,
                               int below) {
    IrValue deviation = deviation_within(b, m, mean, below);
    return product_within(b, m, deviation, deviation, level, below);
}

/* Adds the moments of `var` to the blocks of every level, and fills means and standard errors. */
static void add_moments(Build *b, Encoding *enc, Moments *m, Val normal) {
    IrProgram *p = b->p;
    const char *name = m->observed->name;
    int last = m->n_levels - 1;
    AxisId events[MAX_DIMS];
    int n_events = event_axes(b, &m->centre, events);
    IrValue mean[MAX_LEVELS];
    mean[last] = normal.v;
    m->se2[last] = m->own_se2[last] = IR_NONE;
    for (int level = last; level > 0; level--)
        mean[level - 1] = mean_of_level(b, m, mean[level], level);
    for (int level = 0; level <= last; level++) {
        Blocks *blocks = m->plate[level] ? &enc->plate[m->plate[level]->index] : &enc->root;
        const char *at = level_name(m, level);
        m->mean[level] = level < last ? above_event(m, normal) : normal;
        m->mean[level].v = ir_add(p, m->centre.v, ir_mul(p, m->scale.v, mean[level]));
        if (level && level < last)
            blocks_add(blocks, block_of(mean[level], n_events, events,
                                        arena_printf(b->arena, "%s.mean", name)));
        for (int below = level + 1; below <= last; below++) {
            const bool again =
                m->turned && !level && is_cross(m, below); /* said in the first view */
            IrValue variance = variance_within(b, m, mean, level, below);
            variance = ir_add(p, variance, number(b, VARIANCE_FLOOR));
            if (level == 0)
                pool_variance(b, m, below, variance);
            else
                keep_within(b, m, level, below, variance);
            /* with one level alone the scaled variance is the same for every data set */
            if (last > 1 && !again) add_variance(b, blocks, m, below, at, variance);
            if (!m->plate[below] || again) continue; /* an event has one size */
            if (entries_correlate(m->observed))
                add_correlations(b, blocks, m, mean, below, level, variance, at);
            IrValue size =
                m->cells != IR_NONE ? size_of_present(b, m, level, below) : level_size(b, m, below);
            size = ir_log1p(p, size);
            blocks_add(blocks,
                       block_of(size, 0, NULL,
                                arena_printf(b->arena, "%s.logn.%s", name, m->plate[below]->name)));
        }
    }
}

void output_seen(Build *b, const char *tag, IrValue v, const AxisId *events, int n) {
    AxisId axes[MAX_DIMS + 1] = {b->data};
    memcpy(axes + 1, events, sizeof *events * (size_t)n);
    ir_output(b->p, arena_printf(b->arena, "seen:%s", tag), along(b, v, axes, n + 1));
}

static void add_whole(Build *b, Encoding *enc, const Moments *m) {
    AxisId events[MAX_DIMS];
    int n = event_axes(b, &m->centre, events);
    const char *name = m->observed->name;
    const char *centre = arena_printf(b->arena, "%s.centre", name),
               *scale = arena_printf(b->arena, "%s.logscale", name);
    /* in the data's own units */
    IrValue floor = b->preparing ? number(b, 0) : scale_floor(b, m);
    IrValue c = standardise(b, centre, m->centre.v, floor, events, n);
    IrValue s = standardise(b, scale, ir_log(b->p, m->scale.v), number(b, LOG_FLOOR), events, n);
    blocks_add(&enc->root, block_of(c, n, events, centre));
    blocks_add(&enc->scale, block_of(s, n, events, scale));
    if (!b->given) return;
    output_seen(b, centre, m->centre.v, events, n);
    IrValue seen = ir_log(b->p, m->scale.v);
    if (m->cells != IR_NONE) /* a scale that is not the data's is nothing to warn of */
        seen = ir_select(b->p, m->several, seen, stat_input(b, scale, "median", events, n));
    output_seen(b, scale, seen, events, n);
}

/* ------------------------------------------------------------------ the learned path */

bool holds_data(const Build *b, const Plate *plate) {
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        if (var->kind == VAR_OBSERVED && plate_within(var->type.plate, plate)) return true;
    }
    return false;
}

/* Height above the innermost plate that holds data: names the published network's st0, st1, ... */
static int height(const Build *b, const Plate *plate) {
    int above = 0;
    for (int i = 0; i < b->model->plates.n; i++) {
        const Plate *q = b->model->plates.data[i];
        if (plate_seen_from(q, plate)->parent != plate || !holds_data(b, q)) continue;
        int h = height(b, q) + 1;
        if (h > above) above = h;
    }
    return above;
}

/* The published names where the height tells plates apart, as in a pyramid. */
static const char *pool_name(Build *b, const Plate *plate) {
    bool alone = true;
    for (int i = 0; i < b->model->plates.n; i++) {
        const Plate *q = b->model->plates.data[i];
        alone &= q == plate || !holds_data(b, q) || height(b, q) != height(b, plate);
    }
    if (b->options.paper && alone) return arena_printf(b->arena, "st%d", height(b, plate));
    return arena_printf(b->arena, "st.%s", plate->name);
}

/* Pools inner plates first, so that an instance's blocks are complete before its own plate is
 * pooled. */
static void pool_into(Build *b, Encoding *enc, const Plate *around, const Blocks *raw) {
    const SetTransformer *derived = b->options.paper ? &PAPER
                                    : exact_path(b)  ? &BESIDE_EXACT
                                                     : &LEARNED;
    SetTransformer shape = encoder_with_settings(b, derived);
    AxisId f = feature_axis(b, shape.width);
    for (int i = 0; i < b->model->plates.n; i++) {
        const Plate *held = b->model->plates.data[i], *plate = plate_seen_from(held, around);
        if (plate->parent != around || !holds_data(b, held)) continue;
        pool_into(b, enc, plate, raw);
        Blocks elements = enc->plate[plate->index];
        for (int k = 0; k < raw[plate->index].n; k++)
            blocks_add(&elements, raw[plate->index].at[k]);
        IrValue pooled = set_transformer(b, pool_name(b, plate), &shape, &elements,
                                         plate_axis(b, plate), presence_in(b, enc, held));
        Blocks *into = around ? &enc->plate[around->index] : &enc->root;
        blocks_add(into, block_of(pooled, 1, &f, arena_printf(b->arena, "set.%s", plate->name)));
    }
}

static void describe_one(Build *b, const Plate *plate, const Blocks *blocks) {
    DualEncoding e = {.plate = plate, .pooled = plate ? pool_name(b, plate) : NULL};
    for (int i = 0; i < blocks->n; i++) vec_push(b->arena, &e.features, blocks->at[i].tag);
    vec_push(b->arena, &b->dual->encodings, e);
}

/* For people; every program that encodes does it alike, so the first says it. */
static void describe(Build *b, const Encoding *enc) {
    if (b->dual->encodings.n) return;
    describe_one(b, NULL, &enc->root);
    for (int i = 0; i < b->model->plates.n; i++)
        if (holds_data(b, b->model->plates.data[i]))
            describe_one(b, b->model->plates.data[i], &enc->plate[i]);
}

/* Counts reach over orders of magnitude, and numbers of successes mean what they are of so many:
 * their logarithm, and their empirical log odds, describe them, too. */
static void add_on_the_line(Build *b, const Var *var, Blocks *into) {
    IrProgram *p = b->p;
    if (!var->whole || var->n_values || (!var->most_of && var->most == 1)) return;
    Val x = b->value[var->index];
    IrValue half = number(b, 0.5), value = ir_log(p, ir_add(p, x.v, half));
    if (var->most_of || var->most >= 0) {
        IrValue most =
            var->most_of ? b->value[var->most_of->index].v : number(b, (double)var->most);
        IrValue others = ir_add(p, ir_sub(p, most, x.v), half);
        value = ir_sub(p, value, ir_log(p, others));
    }
    AxisId events[MAX_DIMS];
    int n = event_axes(b, &x, events);
    const char *tag = arena_printf(b->arena, "%s.line", var->name);
    value = standardise(b, tag, value, number(b, LOG_FLOOR), events, n);
    value = where_present(b, var, value);
    blocks_add(into, block_of(value, n, events, tag));
}

/* Which cells there are, and of the whole data set, their share; in the exact path the numbers of
 * cells say the same. */
static void add_presence(Build *b, Encoding *enc, const Moments *m, const Var *var, Blocks *into) {
    if (b->present[var->index] == IR_NONE) return;
    const char *tag = arena_printf(b->arena, "%s.share", var->name);
    AxisId all[IR_MAX_AXES];
    int n = 0;
    for (const Plate *q = var->type.plate; q; q = q->parent) all[n++] = plate_axis(b, q);
    IrValue share = mean_over(b, m->cells, all, n);
    if (b->given) output_seen(b, tag, share, all, 0);
    if (b->preparing || (!exact_path(b) && !b->options.paper))
        share = standardise(b, tag, share, number(b, LOG_FLOOR), NULL, 0);
    if (!exact_path(b)) blocks_add(&enc->root, block_of(share, 0, NULL, tag));
    blocks_add(into, block_of(m->cells, 0, NULL, presence_name(b, var)));
}

/* The moments of `observed`, which stands for `var`; x: its value in units of the data set. */
static Moments *start_moments(Build *b, Encoding *enc, const Var *var, const Var *observed,
                              Val *x) {
    Moments *m = &enc->moments[enc->n_moments++];
    m->observed = observed;
    fill_levels(observed, m);
    presence_by_level(b, var, m);
    *x = lower_as_inferred(b, var);
    if (!b->options.paper)
        *x = normalise(b, *x, m);
    else
        x->v = where_present(b, var, x->v);
    return m;
}

/* A variable of a cross as it is seen from the second plate. */
static Val encode_turned(Build *b, Encoding *enc, const Var *var, const Var *observed) {
    Var *turned = arena_new_of(b->arena, Var);
    Val x;
    *turned = *observed;
    turned->type.plate = observed->type.plate->turned;
    Moments *m = start_moments(b, enc, var, turned, &x);
    m->turned = true;
    if (exact_path(b)) add_moments(b, enc, m, x);
    return x;
}

static Val encode_observed(Build *b, Encoding *enc, const Var *var, Blocks *into) {
    const Var *observed = as_inferred(b, var);
    Val x;
    Moments *m = start_moments(b, enc, var, observed, &x);
    AxisId events[MAX_DIMS];
    int n_events = event_axes(b, &x, events);
    if (!b->options.paper) add_whole(b, enc, m);
    if (exact_path(b)) add_moments(b, enc, m, x);
    if (exact_path(b) && !b->preparing) add_components(b, enc, m, x.v);
    if (exact_path(b)) add_on_the_line(b, var, into);
    blocks_add(into, block_of(x.v, n_events, events, m->observed->name));
    add_presence(b, enc, m, var, into);
    return x;
}

Encoding *encode(Build *b) {
    Encoding *enc = arena_new_of(b->arena, Encoding);
    enc->plate = arena_array(b->arena, Blocks, b->model->plates.n + 1);
    Blocks *raw = arena_array(b->arena, Blocks, b->model->plates.n + 1);
    Val normal[MAX_MOMENTS];
    for (int i = 0, n = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        const Plate *plate = var->type.plate;
        if (var->kind != VAR_OBSERVED) continue;
        if (n++ == MAX_OBSERVED) over_limit(b, var, "observed variables", MAX_OBSERVED);
        Blocks *into = plate ? &raw[plate->index] : &enc->root;
        normal[enc->n_moments] = encode_observed(b, enc, var, into);
        if (plate && plate->across) {
            const Var *observed = enc->moments[enc->n_moments - 1].observed;
            normal[enc->n_moments] = encode_turned(b, enc, var, observed);
        }
    }
    context_features(b, &enc->context);
    encode_covariates(b, enc);
    for (int i = 0; i < enc->n_moments && exact_path(b); i++)
        add_cross_products(b, enc, &enc->moments[i], normal[i]);
    for (int i = 0; i < b->model->plates.n; i++)
        for (int k = 0; k < enc->given[i].n && holds_data(b, b->model->plates.data[i]); k++)
            blocks_add(&raw[i], enc->given[i].at[k]);
    if (b->preparing) return enc;
    for (int i = 0; i < enc->context.n; i++) blocks_add(&enc->root, enc->context.at[i]);
    pool_into(b, enc, NULL, raw);
    /* An instance knows the observed variables that stand in its own plate, too. */
    for (int i = 0; i < b->model->plates.n; i++)
        for (int k = 0; k < raw[i].n; k++) blocks_add(&enc->plate[i], raw[i].at[k]);
    describe(b, enc);
    return enc;
}

bool moments_reach(const Moments *m, const Plate *plate) {
    const Plate *own = m->observed->type.plate;
    if (!own || !own->across) return true;
    return plate == own->parent || (plate != own->across && !m->turned);
}

const Moments *moments_of(const Encoding *enc, const Var *latent) {
    for (int i = 0; i < enc->n_moments; i++)
        if (is_location_of(latent, enc->moments[i].observed) &&
            moments_reach(&enc->moments[i], latent->type.plate))
            return &enc->moments[i];
    return NULL;
}

Spread spread_within(const Moments *m, const Var *latent, int level) {
    if (latent->type.plate) return m->within[plates_around(latent->type.plate)][level];
    return (Spread){m->variance[level], m->freedom[level], m->se2[level]};
}

const Moments *scale_moments_of(const Encoding *enc, const Var *latent, int *level) {
    const Moments *found = NULL;
    const int own = plates_around(latent->type.plate);
    for (int i = 0; i < enc->n_moments; i++) {
        const Moments *m = &enc->moments[i];
        const Var *scaled = scaled_by(latent, m->observed);
        if (!scaled || !plate_within(scaled->type.plate, latent->type.plate)) continue;
        if (scaled != m->observed && !moments_reach(m, scaled->type.plate)) continue;
        if (!moments_reach(m, latent->type.plate)) continue;
        int at = scaled == m->observed ? m->n_levels - 1 : plates_around(scaled->type.plate);
        /* the levels below, where they are repeated, tell what is noise */
        if (at <= own || (found && m->se2[at] == IR_NONE)) continue;
        bool better = !found || found->se2[*level] == IR_NONE;
        if (!better) continue;
        found = m;
        *level = at;
    }
    return found;
}
