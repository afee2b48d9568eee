/* em.c -- unrolled expectation maximisation for sets of components: one set for each instance of
 * some plates, drawn to what they have in common.
 *
 * What is maximised is the variational bound of a mixture of normals: a component's mean has an
 * error, which keeps observations from it, and shares are the geometric means of a Dirichlet
 * posterior. So a component that is not needed stays empty, and the bounds of solutions with
 * different numbers of observations by component can be compared. A set's mean has as its prior
 * what the other sets say of it (`prior`), the first centre and spread of the data set included.
 * Variances are those of the model where it knows them, else estimated.
 *
 * One start rarely suffices: components may be few, near each other, or empty in some sets. So
 *
 * - together: TRIAL steps from centres that all sets share, each centre the point of the data set
 *   that is farthest from those before; from several first points, of which the best is kept for
 *   the data set.
 * - apart: the same for each set alone; the best for the set.
 * - aligned: the sets of `apart` take the labels that fit the set with the largest bound, from the
 *   innermost plate outwards, then those that fit what all have in common: the best of all K!
 *   orders.
 * - improve: from `together` and from `aligned`, for each set the best of: what it has; what it has
 *   in `apart`, relabelled; what it has with one component emptied, relabelled.
 * - end: FINAL steps from both; the better is kept for the data set.
 *
 * Alternatives stand side by side along event axes ("start", "candidate", "way"), so that the
 * program has each step once. Without plates around sets, `apart` and FINAL are all there is; with
 * more than MAX_MATCHED components, `together` and FINAL.
 *
 * Instances enter by sums and maxima alone: the result does not depend on their order, and the
 * order of components follows from the data, which is what chooses one of the K! modes. */
#include "dual/em.h"
#include "dual/plate.h"

enum { TRIAL = 4, FINAL = 5, MAX_DIRECTIONS = 4, MAX_MATCHED = 5 };

static const double FLOOR = 1e-5;         /* of variances, in units of the data set */
static const double FIRST_VARIANCE = .25; /* of observations about their first components */
static const double FIRST_BETWEEN = 0.2;  /* variance of sets of components about their mean */
static const double FIRST_ERROR = 1e-6;   /* variance of a first centre */
static const double FEW = 1e-3;           /* an observation, where there is none */
static const double NEARLY = 1e-4;        /* so much less than the largest distance counts as it */
static const double ROUNDING = 3e-7;      /* a few units in the last place of single precision */
static const double NOWHERE = 1e6;        /* nearer than any is what is not there */
static const double NEVER = -50;          /* logarithm of the share of what is to be empty */

/* A solution, or several along the axes of alternatives. */
typedef struct State {
    IrValue mean, error, log_share; /* of components; `error` is the mean's variance */
    IrValue count, sum;             /* of what they are responsible for */
    IrValue variance;               /* as in Em */
    IrValue between[IR_MAX_AXES];   /* as in Em */
    IrValue centre, around;         /* prior of a set's means */
    IrValue bound;                  /* by set, once `expect` was asked for it */
    IrValue responsible;            /* the shares of components in observations */
    bool apart;                     /* the prior stays what it is, and shares are a set's own */
    bool shares_held;
} State;

static IrValue over_entries(const Em *em, IrValue v) {
    return em->n_entries ? ir_sum(em->b->p, v, em->entries, em->n_entries) : v;
}

/* `v`, a number for each entry or for all of them, summed over the entries. */
static IrValue sum_entries(const Em *em, IrValue v) {
    return over_entries(em, along(em->b, v, em->entries, em->n_entries));
}

static IrValue half(const Em *em, IrValue v) {
    return ir_mul(em->b->p, v, number(em->b, 0.5));
}

static const AxisId *inner_points(const Em *em, int *n) {
    *n = em->n_points - em->n_sets;
    return em->points + em->n_sets;
}

static IrValue product_of_extents(const Em *em, int from, int to) {
    return ir_sum_at(em->b->p, number(em->b, 1), em->points + from, to - from);
}

IrValue em_count(const Em *em, int plates) {
    IrValue each = em->present == IR_NONE ? number(em->b, 1) : em->present;
    return ir_sum_at(em->b->p, each, em->points + plates, em->n_points - plates);
}

static IrValue of_present(const Em *em, IrValue v) {
    return em->present == IR_NONE ? v : ir_mul(em->b->p, em->present, v);
}

/* Summed over components and the outermost `n` plates of the sets. */
static IrValue over_components(const Em *em, IrValue v, int n) {
    AxisId axes[IR_MAX_AXES];
    memcpy(axes, em->points, sizeof *axes * (size_t)n);
    axes[n] = em->component;
    return ir_sum(em->b->p, along(em->b, v, axes, n + 1), axes, n + 1);
}

/* ---- steps ---- */

/* Has each set shares of its own? */
static bool own_shares(const Em *em, const State *s) {
    return s->apart || em->n_shares == em->n_sets;
}

/* By set; shares that sets have in common are taken as given. */
static IrValue bound_of(const Em *em, const State *s, IrValue each) {
    IrProgram *p = em->b->p;
    int n;
    const AxisId *inner = inner_points(em, &n);
    IrValue shares = ir_sub(p, ir_lgamma(p, ir_add(p, s->count, number(em->b, 1))),
                            ir_mul(p, s->count, s->log_share));
    if (!own_shares(em, s)) shares = number(em->b, 0);
    IrValue apart = ir_square(p, ir_sub(p, s->mean, s->centre));
    IrValue kl = ir_div(p, ir_add(p, s->error, apart), s->around);
    kl = ir_sub(p, kl, ir_log(p, ir_div(p, s->error, s->around)));
    kl = sum_entries(em, ir_sub(p, kl, number(em->b, 1)));
    IrValue by_component = ir_sub(p, shares, half(em, kl));
    by_component = ir_sum(p, along(em->b, by_component, &em->component, 1), &em->component, 1);
    return ir_add(p, ir_sum(p, each, inner, n), by_component);
}

/* Who is responsible for what. */
static void expect(const Em *em, State *s, bool want_bound) {
    Build *b = em->b;
    IrProgram *p = b->p;
    int n;
    const AxisId *inner = inner_points(em, &n);
    IrValue weight = half(em, ir_recip(p, s->variance));
    IrValue far = ir_square(p, ir_sub(p, em->x, s->mean));
    IrValue known = half(em, ir_add(p, ir_div(p, s->error, s->variance), ir_log(p, s->variance)));
    known = ir_sub(p, s->log_share, sum_entries(em, known));
    IrValue score = ir_sub(p, known, over_entries(em, ir_mul(p, weight, far)));
    IrValue most = ir_max_over(p, score, &em->component, 1);
    IrValue mass = ir_exp(p, ir_sub(p, score, most)), all = ir_sum(p, mass, &em->component, 1);
    s->responsible = of_present(em, ir_div(p, mass, all));
    s->count = ir_max(p, ir_sum(p, s->responsible, inner, n), number(b, FEW));
    s->sum = ir_contract(p, s->responsible, em->x, inner, n);
    if (want_bound) s->bound = bound_of(em, s, of_present(em, ir_add(p, most, ir_log(p, all))));
}

/* What a set's own observations say of its means, and what all instances of a plate below say of
 * the location they share: level 0 is what all sets have in common, the last level is the sets. */
typedef struct Said {
    IrValue mean[IR_MAX_AXES], variance[IR_MAX_AXES];
    IrValue weight[IR_MAX_AXES]; /* of an instance's mean in the level above: a precision */
} Said;

static Said said_upwards(const Em *em, const State *s) {
    IrProgram *p = em->b->p;
    Said said;
    int last = em->n_sets;
    said.mean[last] = ir_div(p, s->sum, s->count);
    said.variance[last] = ir_div(p, s->variance, s->count);
    for (int l = last; l > 0; l--) {
        AxisId plate = em->points[l - 1];
        said.weight[l] = ir_recip(p, ir_add(p, said.variance[l], s->between[l - 1]));
        IrValue precision = precision_over(em->b, said.weight[l], plate);
        said.variance[l - 1] = ir_recip(p, precision);
        IrValue sum = ir_sum(p, ir_mul(p, said.weight[l], said.mean[l]), &plate, 1);
        said.mean[l - 1] = ir_mul(p, sum, said.variance[l - 1]);
    }
    return said;
}

/* The prior of a set's means is what all the others say of them; of an instance of a plate around
 * sets in the same way, from outside inwards. Variances of these about what they share follow. */
static void prior(const Em *em, State *s, bool want_between) {
    Build *b = em->b;
    IrProgram *p = b->p;
    if (s->apart) return;
    Said said = said_upwards(em, s);
    IrValue centre = number(b, 0), precision = number(b, 1); /* of the level above, from outside */
    for (int l = 1; l <= em->n_sets; l++) {
        IrValue below = ir_recip(p, said.variance[l - 1]);
        IrValue all = ir_add(p, precision, below);
        IrValue sum = ir_add(p, ir_mul(p, precision, centre), ir_mul(p, below, said.mean[l - 1]));
        IrValue own = ir_mul(p, said.weight[l], said.mean[l]);
        IrValue rest = ir_recip(p, ir_sub(p, all, said.weight[l]));
        IrValue shared = ir_div(p, sum, all), between = s->between[l - 1];
        centre = ir_mul(p, ir_sub(p, sum, own), rest);
        s->centre = centre;
        s->around = ir_add(p, between, rest);
        precision = ir_recip(p, s->around);
        if (!want_between || em->between[l - 1] != IR_NONE) continue;
        /* of this level given all: what it says itself, and its prior */
        IrValue error = ir_recip(p, ir_add(p, precision, ir_recip(p, said.variance[l])));
        IrValue pull = ir_sub(p, said.mean[l], centre);
        IrValue mean = ir_sub(p, said.mean[l], ir_mul(p, ir_mul(p, error, precision), pull));
        IrValue each = ir_add(p, ir_square(p, ir_sub(p, mean, shared)), error);
        IrValue n = ir_mul(p, product_of_extents(em, 0, l), number(b, (double)em->k));
        each = ir_div(p, over_components(em, each, l), n);
        s->between[l - 1] = ir_max(p, each, number(b, FLOOR));
    }
}

static void maximise(const Em *em, State *s) {
    Build *b = em->b;
    IrProgram *p = b->p;
    IrValue prior_precision = ir_recip(p, s->around);
    s->error = ir_recip(p, ir_add(p, ir_div(p, s->count, s->variance), prior_precision));
    IrValue pull = ir_mul(p, s->centre, prior_precision);
    s->mean = ir_mul(p, ir_add(p, ir_div(p, s->sum, s->variance), pull), s->error);
    if (s->shares_held) return;
    int from = own_shares(em, s) ? em->n_sets : em->n_shares;
    IrValue all = em_count(em, from), count = s->count;
    if (from < em->n_sets) count = ir_sum(p, count, em->points + from, em->n_sets - from);
    all = ir_add(p, all, number(b, 0.5 * (double)em->k));
    IrValue share = ir_div(p, ir_add(p, count, number(b, 0.5)), all);
    s->log_share = ir_log(p, share);
}

static void estimate_variance(const Em *em, State *s) {
    Build *b = em->b;
    IrProgram *p = b->p;
    if (em->variance != IR_NONE) return;
    IrValue far = ir_square(p, ir_sub(p, em->x, s->mean));
    IrValue rest = ir_mul(p, s->responsible, far);
    rest = ir_sum(p, rest, &em->component, 1);
    rest = ir_sum(p, rest, em->points, em->n_points);
    rest = ir_add(p, rest, over_components(em, ir_mul(p, s->count, s->error), em->n_sets));
    IrValue n = em_count(em, 0);
    if (em->present != IR_NONE) n = ir_max(p, n, number(b, 1));
    rest = ir_div(p, rest, n);
    s->variance = ir_max(p, rest, number(b, FLOOR));
}

static void step(const Em *em, State *s) {
    expect(em, s, false);
    prior(em, s, true);
    maximise(em, s);
    estimate_variance(em, s);
}

/* ---- alternatives ---- */

/* from, from + 1, ... along an event axis. */
static IrValue counted(const Em *em, AxisId axis, double from) {
    int64_t n = em->b->p->axes.data[axis].extent;
    double *numbers = arena_array(em->b->arena, double, n);
    for (int64_t i = 0; i < n; i++) numbers[i] = from + (double)i;
    return ir_table(em->b->p, numbers, &axis, 1);
}

/* 1 where `merit` is largest, or less than that by a share `nearly` of it; 0 elsewhere. */
static IrValue at_largest(const Em *em, IrValue merit, const AxisId *axes, int n, double nearly) {
    IrProgram *p = em->b->p;
    IrValue most = ir_max_over(p, merit, axes, n);
    IrValue less = ir_mul(p, ir_abs(p, most), number(em->b, nearly));
    IrValue is = ir_le(p, ir_sub(p, most, less), merit);
    return ir_select(p, is, number(em->b, 1), number(em->b, 0));
}

/* 1 where `merit` is largest along `axis`, 0 elsewhere: at one place, whatever is equal. Two
 * solutions that are equal but for the order of components must not be mixed. */
static IrValue best_along(const Em *em, IrValue merit, AxisId axis) {
    IrProgram *p = em->b->p;
    double n = (double)p->axes.data[axis].extent;
    IrValue is = at_largest(em, merit, &axis, 1, ROUNDING);
    IrValue rank = ir_mul(p, is, ir_sub(p, number(em->b, n), counted(em, axis, 0)));
    IrValue first = ir_eq(p, rank, ir_max_over(p, rank, &axis, 1));
    return ir_select(p, first, number(em->b, 1), number(em->b, 0));
}

enum { MAX_NUMBERS = 16 + IR_MAX_AXES };

/* All that a state is, but for the responsibilities; returns how many. */
static int numbers_of(const Em *em, State *s, IrValue **all) {
    IrValue *const single[] = {&s->mean,  &s->error,    &s->log_share, &s->count, &s->sum,
                               &s->bound, &s->variance, &s->centre,    &s->around};
    int n = sizeof single / sizeof *single;
    memcpy(all, single, sizeof single);
    for (int l = 0; l < em->n_sets; l++) all[n++] = &s->between[l];
    return n;
}

/* The alternative along `axis` that `which` says, of all that differs along it. */
static void choose(const Em *em, State *s, IrValue which, AxisId axis) {
    IrProgram *p = em->b->p;
    IrValue *all[MAX_NUMBERS];
    int n = numbers_of(em, s, all);
    for (int i = 0; i < n; i++)
        if (ir_has_axis(p, *all[i], axis)) *all[i] = ir_contract(p, *all[i], which, &axis, 1);
    s->responsible = IR_NONE;
}

/* What is `a` in the first alternative along `axis`, and `b` in the second. */
static void join(const Em *em, State *a, State *b, AxisId axis) {
    IrProgram *p = em->b->p;
    IrValue *first[MAX_NUMBERS], *second[MAX_NUMBERS];
    int n = numbers_of(em, a, first);
    numbers_of(em, b, second);
    for (int i = 0; i < n; i++)
        if (*first[i] != *second[i])
            *first[i] =
                ir_add(p, ir_place(p, *first[i], axis, 0), ir_place(p, *second[i], axis, 1));
}

/* ---- first centres ---- */

/* The point at which `d` is largest; the mean of several that are all but equal. */
static IrValue farthest(const Em *em, IrValue d, const AxisId *points, int n) {
    IrProgram *p = em->b->p;
    const bool all = em->present == IR_NONE;
    if (!all) {
        IrValue absent = ir_sub(p, number(em->b, 1), em->present);
        d = ir_sub(p, d, ir_mul(p, number(em->b, NOWHERE), absent));
    }
    IrValue hot = of_present(em, at_largest(em, d, points, n, NEARLY));
    IrValue sum = ir_contract(p, hot, em->x, points, n), count = ir_sum(p, hot, points, n);
    return ir_div(p, sum, all ? count : ir_max(p, count, number(em->b, 1)));
}

/* How far out each observation is as a first point, by start: its distance from 0, then its entries
 * and their negatives. */
static IrValue outwards(const Em *em, AxisId starts, int64_t n_starts) {
    Build *b = em->b;
    IrProgram *p = b->p;
    IrValue all = ir_place(p, over_entries(em, ir_square(p, em->x)), starts, 0);
    for (int64_t i = 1; i < n_starts; i++) {
        IrValue own = em->x;
        int64_t entry = (i - 1) / 2; /* along the last dimension */
        for (int k = 0; k < em->n_entries; k++)
            own = ir_pick(p, own, em->entries[k], k == em->n_entries - 1 ? entry : 0);
        if (i % 2 == 0) own = ir_neg(p, own);
        all = ir_add(p, all, ir_place(p, own, starts, i));
    }
    return all;
}

static State first_centres(const Em *em, AxisId starts, int64_t n_starts, bool apart) {
    Build *b = em->b;
    IrProgram *p = b->p;
    int from = apart ? em->n_sets : 0, n = em->n_points - from;
    const AxisId *points = em->points + from;
    State s = {.responsible = IR_NONE, .apart = apart};
    IrValue near = outwards(em, starts, n_starts);
    for (int64_t k = 0; k < em->k; k++) {
        IrValue own = farthest(em, near, points, n);
        IrValue d = over_entries(em, ir_square(p, ir_sub(p, em->x, own)));
        near = k ? ir_min(p, near, d) : d;
        IrValue placed = ir_place(p, own, em->component, k);
        s.mean = k ? ir_add(p, s.mean, placed) : placed;
    }
    s.error = number(b, FIRST_ERROR);
    s.log_share = number(b, 0);
    s.variance = em->variance == IR_NONE ? number(b, FIRST_VARIANCE) : em->variance;
    for (int l = 0; l < em->n_sets; l++)
        s.between[l] = em->between[l] == IR_NONE ? number(b, FIRST_BETWEEN) : em->between[l];
    s.count = s.sum = s.bound = s.centre = number(b, 0);
    s.around = number(b, 1);
    return s;
}

/* The best of several starts: of each set where they stand apart, else of the data set. */
static State from_starts(const Em *em, bool apart) {
    IrProgram *p = em->b->p;
    int64_t n = 1 + (2 * em->last < MAX_DIRECTIONS ? 2 * em->last : MAX_DIRECTIONS);
    AxisId starts = named_axis(em->b, "start", n);
    State s = first_centres(em, starts, n, apart);
    for (int i = 0; i < TRIAL; i++) step(em, &s);
    expect(em, &s, true);
    bool by_set = apart || !em->n_sets;
    IrValue merit = by_set ? s.bound : ir_sum(p, s.bound, em->points, em->n_sets);
    choose(em, &s, best_along(em, merit, starts), starts);
    if (apart && em->n_sets && em->variance == IR_NONE) { /* one for all sets again */
        IrValue sets = product_of_extents(em, 0, em->n_sets);
        s.variance = ir_div(p, ir_sum(p, s.variance, em->points, em->n_sets), sets);
    }
    return s;
}

/* ---- labels ---- */

static AxisId old_labels(const Em *em) {
    return named_axis(em->b, "component", em->k);
}

/* Every order of the labels along `order`: 1 where the label `component` is what was `old`. */
static IrValue all_orders(const Em *em, AxisId order, AxisId old) {
    const IrProgram *p = em->b->p;
    AxisId axes[] = {em->component, old, order};
    ir_axes_sort(p, axes, 3);
    int64_t k = em->k, n = p->axes.data[order].extent;
    double *table = arena_array(em->b->arena, double, n *k *k);
    for (int64_t o = 0; o < n; o++) {
        bool taken[MAX_MATCHED] = {false};
        int64_t code = o;
        for (int64_t i = 0; i < k; i++) { /* a digit of `code` counts among those not taken */
            int64_t skip = code % (k - i), from = 0, at = 0;
            code /= k - i;
            while (taken[from] || skip-- > 0) from++;
            taken[from] = true;
            for (int d = 0; d < 3; d++) {
                at *= p->axes.data[axes[d]].extent;
                at += axes[d] == order ? o : axes[d] == old ? from : i;
            }
            table[at] = 1;
        }
    }
    return ir_table(em->b->p, table, axes, 3);
}

/* Components' means as far as they are known, or what is expected of them. */
typedef struct Guess {
    IrValue mean, variance;
} Guess;

/* [new, old]: the order of labels in which `means` are likeliest where `expected` is. */
static IrValue best_order(const Em *em, Guess means, Guess expected) {
    Build *b = em->b;
    IrProgram *p = b->p;
    int64_t n = 1;
    for (int64_t i = 2; i <= em->k; i++) n *= i;
    AxisId old = old_labels(em), order = named_axis(b, "order", n), both[] = {em->component, old};
    IrValue orders = all_orders(em, order, old);
    IrValue error = renamed(b, means.variance, em->component, old);
    error = ir_add(p, error, expected.variance);
    IrValue mean = renamed(b, means.mean, em->component, old);
    IrValue far = ir_square(p, ir_sub(p, mean, expected.mean));
    IrValue loss = sum_entries(em, ir_add(p, ir_div(p, far, error), ir_log(p, error)));
    IrValue merit = ir_contract(p, ir_neg(p, along(b, loss, both, 2)), orders, both, 2);
    return ir_contract(p, best_along(em, merit, order), orders, &order, 1);
}

static void take_order(const Em *em, State *s, IrValue order) {
    IrProgram *p = em->b->p;
    AxisId old = old_labels(em);
    IrValue *const all[] = {&s->count, &s->sum};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        *all[i] = ir_contract(p, renamed(em->b, *all[i], em->component, old), order, &old, 1);
}

/* What sets say of their own means, and their prior. */
static IrValue order_of_sets(const Em *em, const State *s) {
    IrProgram *p = em->b->p;
    Guess means = {ir_div(p, s->sum, s->count), ir_div(p, s->variance, s->count)};
    return best_order(em, means, (Guess){s->centre, s->around});
}

/* From the innermost plate outwards, the instance with the largest bound gives its labels to the
 * others around it, with all sets in them; then what the others have in common does, set by set. */
static State aligned(const Em *em, const State *apart) {
    Build *b = em->b;
    IrProgram *p = b->p;
    State s = *apart;
    IrValue bound = s.bound;
    s.apart = false;
    for (int l = em->n_sets; l > 0; l--) {
        AxisId plate = em->points[l - 1];
        Said said = said_upwards(em, &s);
        IrValue is = at_largest(em, bound, &plate, 1, ROUNDING);
        is = ir_div(p, is, ir_sum(p, is, &plate, 1));
        IrValue error = ir_contract(p, is, said.variance[l], &plate, 1);
        error = ir_add(p, error, ir_mul(p, number(b, 2), s.between[l - 1]));
        Guess expected = {ir_contract(p, is, said.mean[l], &plate, 1), error};
        take_order(em, &s, best_order(em, (Guess){said.mean[l], said.variance[l]}, expected));
        bound = ir_sum(p, bound, &plate, 1);
    }
    prior(em, &s, false);
    take_order(em, &s, order_of_sets(em, &s));
    prior(em, &s, false);
    maximise(em, &s);
    return s;
}

/* ---- improvement ---- */

/* By set, the best of what it has, what it has apart from others, and what it has with one of its
 * components emptied. */
static void improve(const Em *em, State *s, const State *apart) {
    Build *b = em->b;
    IrProgram *p = b->p;
    AxisId candidates = named_axis(b, "candidate", em->k + 2), old = old_labels(em);
    State c = *s;
    prior(em, &c, false);
    if (em->variance == IR_NONE) c.variance = ir_min(p, c.variance, apart->variance);
    IrValue which = counted(em, candidates, 0); /* 0: as it is; 1: apart; then by component */
    IrValue emptied = ir_eq(p, which, counted(em, em->component, 2));
    IrValue never = ir_select(p, emptied, number(b, NEVER), number(b, 0));
    c.log_share = ir_add(p, c.log_share, never);
    expect(em, &c, false);
    c.log_share = s->log_share; /* where sets share it, it stays; else it follows the counts */
    c.shares_held = !own_shares(em, s);
    IrValue is_apart = ir_eq(p, which, number(b, 1));
    c.count = ir_select(p, is_apart, apart->count, c.count);
    c.sum = ir_select(p, is_apart, apart->sum, c.sum);
    IrValue same = ir_eq(p, counted(em, em->component, 0), counted(em, old, 0));
    same = ir_select(p, same, number(b, 1), number(b, 0));
    IrValue as_it_is = ir_eq(p, which, number(b, 0));
    take_order(em, &c, ir_select(p, as_it_is, same, order_of_sets(em, &c)));
    maximise(em, &c);
    expect(em, &c, false);
    maximise(em, &c);
    expect(em, &c, true);
    choose(em, &c, best_along(em, c.bound, candidates), candidates);
    c.shares_held = false;
    prior(em, &c, false);
    maximise(em, &c);
    *s = c;
}

EmFit em_fit(const Em *em) {
    IrProgram *p = em->b->p;
    bool matched = em->n_sets && em->k <= MAX_MATCHED;
    AxisId ways = named_axis(em->b, "way", 2);
    State s = from_starts(em, !em->n_sets);
    if (matched) {
        State apart = from_starts(em, true), other = aligned(em, &apart);
        join(em, &s, &other, ways);
        step(em, &s);
        step(em, &s);
        improve(em, &s, &apart);
    }
    for (int i = 0; i < FINAL; i++) step(em, &s);
    expect(em, &s, matched);
    if (matched) {
        IrValue merit = ir_sum(p, s.bound, em->points, em->n_sets);
        choose(em, &s, best_along(em, merit, ways), ways);
    }
    IrValue between = number(em->b, 0);
    for (int l = 0; l < em->n_sets; l++) between = ir_add(p, between, s.between[l]);
    return (EmFit){s.count, s.sum, s.mean, s.log_share, s.variance, between};
}
