/* missing.c -- see missing.h.
 *
 * Training draws what is missing completely at random: of half of the data sets nothing, of the
 * others each cell with a probability that is uniform between 0 and MOST for the data set. Values
 * are drawn all the same. Wherever a cell counts it is multiplied by its presence: in densities,
 * and with them in Newton starts, which are exact for what is there; in sums, and in the numbers by
 * which these are divided; in attention. So nothing depends on what stands in the place of a
 * missing value, as long as its density is a number.
 *
 * Of a variable in a ragged plate every cell is there, but not all groups have as many, or any.
 * Moments by level are those of unequal groups: means of the means that are there, one level after
 * the other; variances over degrees of freedom that are there. An instance without any cell has
 * the mean of the data set, and an error so large that nothing follows from it. */
#include "dual/missing.h"

static const double MOST = 0.3; /* largest share of cells that training leaves out */

const char *presence_name(Build *b, const Var *observed) {
    return arena_printf(b->arena, "%s.present", observed->name);
}

/* Of a cross, training has a share of the pairs that is uniform over the declared range: 1 or 0 for
 * each, a draw that a design may replace. All that stands in the cross reads the same. IR_NONE: all
 * pairs are there. */
static IrValue draw_pairs(Build *b, const Var *observed, const AxisId *axes, int n) {
    IrProgram *p = b->p;
    const Plate *plate = observed->type.plate;
    if (!plate || !plate->across || plate->share_lo >= 1) return IR_NONE;
    const char *site = arena_printf(b->arena, "sim:%s.present", plate->name);
    const char *of_set = arena_printf(b->arena, "%s.share", site);
    IrValue set = ir_random(p, RANDOM_UNIFORM, of_set, &b->data, 1);
    IrValue reach = number(b, plate->share_hi - plate->share_lo);
    IrValue share = ir_add(p, number(b, plate->share_lo), ir_mul(p, reach, set));
    IrValue pair = ir_lt(p, ir_random(p, RANDOM_UNIFORM, site, axes, n), share);
    pair = ir_select(p, pair, number(b, 1), number(b, 0));
    return ir_given(p, pair, arena_printf(b->arena, "%s.pair", observed->name));
}

void draw_presence(Build *b, const Var *observed, bool pairs_alone) {
    IrProgram *p = b->p;
    AxisId axes[IR_MAX_AXES];
    int n = instance_axes(b, observed->type.plate, false, axes);
    const char *site = arena_printf(b->arena, "sim:%s", presence_name(b, observed));
    const char *of_set = arena_printf(b->arena, "%s.share", site);
    IrValue set = ir_random(p, RANDOM_UNIFORM, of_set, &b->data, 1);
    IrValue share = ir_mul(p, number(b, 2 * MOST), ir_sub(p, set, number(b, 0.5)));
    share = ir_max(p, share, number(b, 0));
    IrValue cell = ir_random(p, RANDOM_UNIFORM, site, axes, n);
    IrValue present = ir_select(p, ir_lt(p, cell, share), number(b, 0), number(b, 1));
    if (observed->with_pairs || pairs_alone) present = number(b, 1);
    IrValue pair = draw_pairs(b, observed, axes, n);
    if (pair != IR_NONE) present = ir_mul(p, present, pair);
    present = ir_given(p, along(b, present, axes, n), presence_name(b, observed));
    b->present[observed->index] = present;
}

void input_presence(Build *b, const Var *observed) {
    AxisId axes[IR_MAX_AXES];
    int n = instance_axes(b, observed->type.plate, false, axes);
    b->present[observed->index] = ir_input(b->p, presence_name(b, observed), ROLE_DATA, axes, n);
}

IrValue where_present(Build *b, const Var *observed, IrValue v) {
    IrValue present = b->present[observed->index];
    return present == IR_NONE ? v : ir_mul(b->p, present, v);
}

/* ------------------------------------------------------------------ levels */

/* v, which varies or not, summed over the axes. */
static IrValue sum_along(Build *b, IrValue v, const AxisId *axes, int n) {
    for (int i = 0; i < n; i++) /* events have one size */
        if (b->p->axes.data[axes[i]].kind == AXIS_EVENT) v = along(b, v, &axes[i], 1);
    return n ? ir_sum_at(b->p, v, axes, n) : v;
}

static IrValue at_least(Build *b, IrValue v, double least) {
    return ir_max(b->p, v, number(b, least));
}

static bool is_event(const Moments *m, int level) {
    return level && !m->plate[level];
}

void presence_by_level(Build *b, const Var *observed, Moments *m) {
    AxisId axes[IR_MAX_AXES];
    m->cells = b->present[observed->index];
    for (const Plate *q = observed->type.plate; q && m->cells == IR_NONE; q = q->parent)
        if (q->ragged) m->cells = number(b, 1);
    for (int level = m->n_levels - 1; level >= 0; level--) {
        m->present[level] = IR_NONE;
        if (m->cells == IR_NONE || is_event(m, level)) continue;
        bool last = level == m->n_levels - 1 || is_event(m, level + 1);
        m->present[level] = m->cells;
        if (last) continue;
        IrValue below = m->present[level + 1];
        int n = own_axes(b, m, level + 1, axes);
        m->present[level] = ir_min(b->p, sum_along(b, below, axes, n), number(b, 1));
    }
}

/* v of the instances of `level` that are there; an event is there with its cell. */
static IrValue of_present(Build *b, const Moments *m, IrValue v, int level) {
    IrValue present = m->present[is_event(m, level) ? level - 1 : level];
    return ir_mul(b->p, present, v);
}

/* How many instances of `below` there are in one of `level`. */
static IrValue count_present(Build *b, const Moments *m, int level, int below) {
    AxisId axes[IR_MAX_AXES];
    int n = level_axes(b, m, level, below, axes);
    if (!n) return number(b, 1);
    return sum_along(b, of_present(b, m, number(b, 1), below), axes, n);
}

Val normalise_present(Build *b, Val x, Moments *m, Units usual) {
    IrProgram *p = b->p;
    AxisId all[IR_MAX_AXES];
    int last = m->n_levels - 1, n = level_axes(b, m, 0, last, all);
    IrValue count = n ? count_present(b, m, 0, last) : m->cells;
    IrValue some = ir_lt(p, number(b, 0), count);
    m->several = ir_lt(p, number(b, 1), count);
    IrValue share = ir_recip(p, at_least(b, count, 1));
    IrValue mean = ir_mul(p, sum_along(b, of_present(b, m, x.v, last), all, n), share);
    m->centre.v = ir_select(p, some, mean, usual.centre);
    IrValue centred = of_present(b, m, ir_sub(p, x.v, m->centre.v), last);
    IrValue square = ir_mul(p, sum_along(b, ir_square(p, centred), all, n), share);
    square = ir_select(p, m->several, square, ir_square(p, usual.scale));
    IrValue least = ir_add(p, ir_square(p, usual.floor), number(b, 1e-30));
    m->scale.v = ir_sqrt(p, ir_add(p, square, least));
    x.v = ir_div(p, centred, m->scale.v);
    return x;
}

IrValue size_of_present(Build *b, const Moments *m, int level, int below) {
    IrValue own = count_present(b, m, level, below);
    IrValue above = at_least(b, count_present(b, m, level, below - 1), 1);
    return ir_mul(b->p, own, ir_recip(b->p, above));
}

IrValue mean_within(Build *b, const Moments *m, IrValue v, int level, int below) {
    AxisId axes[IR_MAX_AXES];
    int n = level_axes(b, m, level, below, axes);
    if (!n) return v;
    IrValue sum = sum_along(b, of_present(b, m, v, below), axes, n);
    IrValue count = at_least(b, count_present(b, m, level, below), 1);
    return ir_mul(b->p, sum, ir_recip(b->p, count));
}

IrValue freedom_of_present(Build *b, const Moments *m, int level, int below) {
    AxisId between[IR_MAX_AXES];
    int n = level_axes(b, m, level, below - 1, between);
    IrValue size = count_present(b, m, below - 1, below);
    return sum_along(b, at_least(b, ir_sub(b->p, size, number(b, 1)), 0), between, n);
}

IrValue variance_of_present(Build *b, const Moments *m, IrValue v, int level, int below) {
    AxisId axes[IR_MAX_AXES];
    int n = level_axes(b, m, level, below, axes);
    IrValue sum = sum_along(b, of_present(b, m, v, below), axes, n);
    IrValue freedom = at_least(b, freedom_of_present(b, m, level, below), 1);
    return ir_mul(b->p, sum, ir_recip(b->p, freedom));
}

IrValue presence_in(Build *b, const Encoding *enc, const Plate *plate) {
    IrValue any = IR_NONE;
    for (int i = 0; i < enc->n_moments; i++) {
        const Moments *m = &enc->moments[i];
        if (!plate_within(m->observed->type.plate, plate) || !moments_reach(m, plate)) continue;
        if (m->cells == IR_NONE) return IR_NONE;
        IrValue own = m->present[plates_around(plate)];
        any = any == IR_NONE ? own : ir_max(b->p, any, own);
    }
    return any;
}
