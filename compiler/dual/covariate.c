/* covariate.c -- see covariate.h. Covariates describe the instances of their plates, as observed
 * variables do: they are elements of what is pooled, and every flow reads those of the plates
 * around its latents, since their laws may depend on them. They are in units of the data set too:
 * its own mean and root mean square, which are features of the whole. A category is as many
 * numbers, of which one is 1; of numbers that laws take above 0 alone there is the logarithm, too.
 * Outside all plates there is nothing to take units from: such covariates are standardised as
 * contexts are.
 *
 * All of one plate stand side by side in one block, and so do their means and their units: the
 * number of blocks does not grow with that of covariates.
 *
 * The exact path has cross-products: for every level below, how much the means of that level about
 * those of the level above go with those of each covariate, and these with each other, pooled as
 * variances are (encoder.c). They are what a regression is inferred from where the start does not
 * know it. */
#include "dual/covariate.h"
#include "dual/missing.h"
#include "dual/plate.h"

static const double FLOOR = 1e-3;     /* least scale, of the design's own */
static const double LEAST = 1e-6;     /* and of a design that knows one number only */
static const double LOG_FLOOR = 0.05; /* as of other logarithms (encoder.c) */

/* ---- side by side ---- */

static bool has_kinds(const Var *var) {
    return var->n_values > 2;
}

/* Numbers that describe it; and those of them that have a unit of the data set. */
static int64_t own_size(const Var *var) {
    return has_kinds(var) ? var->n_values : event_size(&var->type) * (1 + var->positive);
}

static int64_t unit_size(const Var *var) {
    return has_kinds(var) ? 0 : event_size(&var->type);
}

static bool is_here(const Var *var, const Plate *plate) {
    return var->kind == VAR_GIVEN && var->type.plate == plate;
}

/* ---- which covariates are crossed with what is observed ---- */

/* Numbers of covariates, whose products with each other are squares as many; and products in all.
 */
enum { MAX_CROSSED = 8, MAX_PRODUCTS = 64 };

/* The level of `observed` down to which the covariate varies; 0: it is not known there. What lies
 * across a cross varies between pairs, but has the same mean in all instances of its parent. */
static int level_of(const Var *var, const Var *observed) {
    const Plate *own = observed->type.plate, *plate = var->type.plate;
    if (own && plate && (own->across == plate || own->turned == plate)) return plates_around(own);
    return plate_within(own, plate) ? plates_around(plate) : 0;
}

/* Does it vary from instance to instance of that level of what is observed? */
static bool is_crossed(const Var *var, const Var *observed, int level) {
    if (var->kind != VAR_GIVEN || has_kinds(var) || var->type.n_dims > 1) return false;
    const Plate *own = observed->type.plate;
    bool across = own && var->type.plate && own->across == var->type.plate;
    return across ? level == level_of(var, observed) : level_of(var, observed) >= level;
}

static int64_t n_products(const Var *observed, int64_t n) {
    int64_t own = repeats_location(observed) ? 1 : event_size(&observed->type);
    return n * own + n * (n + 1) / 2;
}

/* How many numbers of covariates; 0: none, or too many. */
static int64_t crossed(const Build *b, const Var *observed, int level) {
    int64_t n = 0;
    for (int i = 0; i < b->model->vars.n; i++)
        if (is_crossed(b->model->vars.data[i], observed, level))
            n += event_size(&b->model->vars.data[i]->type);
    return n <= MAX_CROSSED && n_products(observed, n) <= MAX_PRODUCTS ? n : 0;
}

static AxisId cross_axis(Build *b, const Var *observed, int64_t n) {
    return named_axis(b, "cross", n_products(observed, n));
}

static AxisId side_by_side(Build *b, const Plate *plate, int64_t (*size)(const Var *var)) {
    int64_t n = 0;
    for (int i = 0; i < b->model->vars.n; i++)
        if (is_here(b->model->vars.data[i], plate)) n += size(b->model->vars.data[i]);
    return n ? named_axis(b, "covariates", n) : AXIS_NONE;
}

static AxisId kinds(Build *b, const Var *var) {
    return named_axis(b, "kinds", var->n_values);
}

static void declare_products(Build *b, const Var *observed) {
    for (int level = plates_around(observed->type.plate); level; level--)
        if (crossed(b, observed, level)) cross_axis(b, observed, crossed(b, observed, level));
}

void declare_covariates(Build *b) {
    for (int i = -1; i < b->model->plates.n; i++) {
        const Plate *plate = i < 0 ? NULL : b->model->plates.data[i];
        side_by_side(b, plate, own_size);
        side_by_side(b, plate, unit_size);
    }
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        if (var->kind == VAR_GIVEN && has_kinds(var)) kinds(b, var);
        if (var->kind != VAR_OBSERVED) continue;
        declare_products(b, var);
        if (!var->type.plate || !var->type.plate->across) continue;
        Var turned = *var; /* as it is seen from the second plate */
        turned.type.plate = var->type.plate->turned;
        declare_products(b, &turned);
    }
}

/* Features on their way to one block. */
typedef struct Row {
    AxisId axis;
    int64_t filled;
    IrValue v;
} Row;

/* `placed`: `n` numbers along the row's axis, behind those that are there. */
static void fill_up(Build *b, Row *row, IrValue placed, int64_t n) {
    row->v = row->filled ? ir_add(b->p, row->v, placed) : placed;
    row->filled += n;
}

static void add_entries(Build *b, Row *row, Val val) {
    int64_t n = 1;
    for (int i = 0; i < val.n_dims; i++) n *= val.dims[i];
    fill_up(b, row, flatten_at(b, val, row->axis, row->filled), n);
}

static void add_block(Build *b, Blocks *into, const Row *row, const char *what,
                      const Plate *plate) {
    if (!row->filled) return;
    const char *tag = arena_printf(b->arena, "%s.%s", what, plate ? plate->name : "root");
    blocks_add(into, block_of(row->v, 1, &row->axis, tag));
}

/* ---- what is said of one ---- */

typedef struct Features {
    Row own, centre, scale;
} Features;

/* Of a cross, which pairs are there: of the others nothing is known. IR_NONE: all are. */
static IrValue pairs_there(Build *b, const Plate *plate) {
    IrValue any = IR_NONE;
    for (int i = 0; plate && plate->across && i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        if (var->kind != VAR_OBSERVED || var->type.plate != plate) continue;
        if (b->present[i] == IR_NONE) return IR_NONE;
        any = any == IR_NONE ? b->present[i] : ir_max(b->p, any, b->present[i]);
    }
    return any;
}

/* Over the pairs that are there: attention leaves the others out, and so do moments. */
static IrValue mean_there(Build *b, const Var *var, IrValue v, const AxisId *axes, int n) {
    IrProgram *p = b->p;
    IrValue there = pairs_there(b, var->type.plate);
    if (there == IR_NONE) return mean_over(b, v, axes, n);
    IrValue count = ir_max(p, ir_sum_at(p, there, axes, n), number(b, 1));
    return ir_mul(p, ir_sum_at(p, ir_mul(p, there, v), axes, n), ir_recip(p, count));
}

static void add_one_hot(Build *b, Row *row, const Var *var, IrValue v) {
    AxisId axis = kinds(b, var);
    IrValue one = indicators(b, v, axis);
    fill_up(b, row, ir_pad(b->p, one, axis, row->axis, row->filled), var->n_values);
}

/* What is no scale of this covariate, nor of its mean: a share of how far its design reaches. */
static IrValue floor_of(Build *b, const Var *var, const AxisId *events, int n) {
    IrProgram *p = b->p;
    if (b->preparing) return number(b, LEAST);
    IrValue mad = stat_input(b, var->name, "mad", events, n);
    IrValue reach = ir_add(p, mad, ir_abs(p, stat_input(b, var->name, "median", events, n)));
    return ir_add(p, ir_mul(p, number(b, FLOOR), reach), number(b, LEAST));
}

/* A number of the whole data set, as a feature and for the runtime to compare. */
static Val whole(Build *b, const Var *var, const char *what, IrValue v, IrValue floor) {
    const char *tag = arena_printf(b->arena, "%s.%s", var->name, what);
    Val val = val_of(v, &var->type);
    AxisId events[MAX_DIMS];
    int n = event_axes(b, &val, events);
    if (b->given) output_seen(b, tag, v, events, n);
    val.v = standardise(b, tag, v, floor, events, n);
    return val;
}

/* Its centre and scale in the data set; in these units it is a feature of its plate. */
static void add_in_units(Build *b, Encoding *enc, Features *rows, const Var *var, const Val *val,
                         IrValue floor) {
    IrProgram *p = b->p;
    AxisId over[IR_MAX_AXES];
    int n_over = 0;
    for (const Plate *q = var->type.plate; q; q = q->parent) over[n_over++] = plate_axis(b, q);
    IrValue centre = mean_there(b, var, val->v, over, n_over);
    IrValue from = ir_sub(p, val->v, centre);
    IrValue square = mean_there(b, var, ir_square(p, from), over, n_over);
    IrValue scale = ir_sqrt(p, ir_add(p, square, ir_square(p, floor)));
    add_entries(b, &rows->centre, whole(b, var, "centre", centre, floor));
    add_entries(b, &rows->scale, whole(b, var, "logscale", ir_log(p, scale), number(b, LOG_FLOOR)));
    IrValue unit = ir_div(p, from, scale);
    add_entries(b, &rows->own, val_of(unit, &var->type));
    enc->in_units[var->index] = unit;
}

static void add_log(Build *b, Row *row, const Var *var, Val val, const AxisId *events, int n) {
    const char *tag = arena_printf(b->arena, "%s.log", var->name);
    IrValue log_value = ir_log(b->p, ir_max(b->p, val.v, number(b, DUAL_TINY)));
    val.v = standardise(b, tag, log_value, number(b, LOG_FLOOR), events, n);
    add_entries(b, row, val);
}

static void add_covariate(Build *b, Encoding *enc, Features *rows, const Var *var) {
    Val val = b->value[var->index];
    AxisId events[MAX_DIMS];
    int n = event_axes(b, &val, events);
    if (has_kinds(var)) {
        add_one_hot(b, &rows->own, var, val.v);
        return;
    }
    IrValue floor = floor_of(b, var, events, n);
    if (var->type.plate)
        add_in_units(b, enc, rows, var, &val, floor);
    else
        add_entries(b, &rows->own, whole(b, var, "centre", val.v, floor));
    if (var->positive) add_log(b, &rows->own, var, val, events, n);
}

void encode_covariates(Build *b, Encoding *enc) {
    enc->given = arena_array(b->arena, Blocks, b->model->plates.n + 1);
    enc->in_units = arena_array(b->arena, IrValue, b->model->vars.n + 1);
    for (int i = -1; i < b->model->plates.n; i++) {
        const Plate *plate = i < 0 ? NULL : b->model->plates.data[i];
        AxisId units = side_by_side(b, plate, unit_size);
        Features rows = {
            {.axis = side_by_side(b, plate, own_size)}, {.axis = units}, {.axis = units}};
        for (int k = 0; k < b->model->vars.n; k++)
            if (is_here(b->model->vars.data[k], plate))
                add_covariate(b, enc, &rows, b->model->vars.data[k]);
        add_block(b, plate ? &enc->given[i] : &enc->context, &rows.own, "covariates", plate);
        add_block(b, &enc->root, &rows.centre, "covariates.centre", plate);
        add_block(b, &enc->scale, &rows.scale, "covariates.logscale", plate);
    }
}

/* ---- cross-products ---- */

/* The mean over all that an instance of level `to` holds of what varies down to level `from`. */
static IrValue mean_up(Build *b, const Moments *m, IrValue v, int from, int to) {
    for (int level = from; level > to; level--) v = mean_of_level(b, m, v, level);
    return v;
}

/* Means of `level` about those of the level above. */
static IrValue deviation(Build *b, const Moments *m, IrValue v, int from, int level) {
    IrValue mean = mean_up(b, m, v, from, level);
    return ir_sub(b->p, mean, mean_of_level(b, m, mean, level));
}

/* Sum of products over the instances of `level`, over their number less one. */
static IrValue cross(Build *b, const Moments *m, int level, IrValue x, IrValue y) {
    IrProgram *p = b->p;
    AxisId axis = plate_axis(b, m->plate[level]);
    if (m->cells != IR_NONE) return variance_of_present(b, m, ir_mul(p, x, y), level - 1, level);
    IrValue one = number(b, 1);
    IrValue freedom = ir_max(p, ir_sub(p, ir_extent(p, axis), one), one);
    return ir_mul(p, ir_contract(p, x, y, &axis, 1), ir_recip(p, freedom));
}

/* Deviations at `level` of all numbers that are crossed. */
static void covariate_deviations(Build *b, const Encoding *enc, const Moments *m, int level,
                                 IrValue *out) {
    for (int i = 0, n = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        if (!is_crossed(var, m->observed, level)) continue;
        IrValue v = enc->in_units[i];
        v = deviation(b, m, v, level_of(var, m->observed), level);
        for (int64_t k = 0; k < event_size(&var->type); k++)
            out[n++] =
                var->type.n_dims ? ir_pick(b->p, v, event_axis(b, 0, var->type.dims[0]), k) : v;
    }
}

/* The block of all products of one level, as instances of `at` see them. */
static void add_products(Build *b, Encoding *enc, const Moments *m, int level, int at,
                         const Val *products, int64_t n) {
    const Var *y = m->observed;
    Row row = {.axis = cross_axis(b, y, crossed(b, y, level))};
    for (int64_t i = 0; i < n; i++) {
        Val pooled = products[i];
        pooled.v = asinh_of(b, mean_up(b, m, pooled.v, level - 1, at));
        add_entries(b, &row, pooled);
    }
    const char *of = m->plate[level]->name, *to = at ? m->plate[at]->name : "root";
    blocks_add(
        at ? &enc->plate[m->plate[at]->index] : &enc->root,
        block_of(row.v, 1, &row.axis, arena_printf(b->arena, "%s.cross.%s.%s", y->name, of, to)));
}

void add_cross_products(Build *b, Encoding *enc, const Moments *m, Val normal) {
    const int last = plates_around(m->observed->type.plate);
    if (repeats_location(m->observed)) { /* its entries are one level more */
        AxisId events[MAX_DIMS];
        normal.v = mean_over(b, normal.v, events, event_axes(b, &normal, events));
        normal.n_dims = 0;
    }
    for (int level = last; level > 0; level--) {
        const int64_t n = crossed(b, m->observed, level);
        IrValue w[MAX_CROSSED];
        Val products[MAX_CROSSED * (MAX_CROSSED + 3) / 2];
        int64_t n_here = 0;
        if (!n) continue;
        covariate_deviations(b, enc, m, level, w);
        IrValue y = deviation(b, m, normal.v, last, level);
        for (int64_t i = 0; i < n; i++) {
            Val *product = &products[n_here++];
            *product = normal;
            product->v = cross(b, m, level, y, w[i]);
        }
        for (int64_t i = 0; i < n; i++)
            for (int64_t k = 0; k <= i; k++)
                products[n_here++] = (Val){.v = cross(b, m, level, w[i], w[k])};
        for (int at = level - 1; at >= 0; at--)
            add_products(b, enc, m, level, at, products, n_here);
    }
}
