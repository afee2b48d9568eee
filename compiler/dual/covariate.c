/* covariate.c -- see covariate.h. Covariates describe the instances of their plates, as observed
 * variables do: they are elements of what is pooled, and every flow reads those of the plates
 * around its latents, since their laws may depend on them. They are in units of the data set too:
 * its own mean and root mean square, which are features of the whole. A category is as many
 * numbers, of which one is 1; of numbers that laws take above 0 alone there is the logarithm, too.
 * Outside all plates there is nothing to take units from: such covariates are standardised as
 * contexts are.
 *
 * All of one plate stand side by side in one block, and so do their means and their units: the
 * number of blocks does not grow with that of covariates. */
#include "dual/covariate.h"

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

static AxisId side_by_side(Build *b, const Plate *plate, int64_t (*size)(const Var *var)) {
    int64_t n = 0;
    for (int i = 0; i < b->model->vars.n; i++)
        if (is_here(b->model->vars.data[i], plate)) n += size(b->model->vars.data[i]);
    return n ? named_axis(b, "covariates", n) : AXIS_NONE;
}

static AxisId kinds(Build *b, const Var *var) {
    return named_axis(b, "kinds", var->n_values);
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
    }
}

/* Features on their way to one block. */
typedef struct Row {
    AxisId axis;
    int64_t filled;
    IrValue v;
} Row;

static void add_entries(Build *b, Row *row, Val val) {
    IrValue placed = flatten_at(b, val, row->axis, row->filled);
    row->v = row->filled ? ir_add(b->p, row->v, placed) : placed;
    int64_t n = 1;
    for (int i = 0; i < val.n_dims; i++) n *= val.dims[i];
    row->filled += n;
}

static void add_block(Build *b, Blocks *into, const Row *row, const char *what,
                      const Plate *plate) {
    if (!row->filled) return;
    const char *tag = arena_printf(b->arena, "%s.%s", what, plate ? plate->name : "root");
    blocks_add(into, block_of(row->v, 1, &row->axis, tag));
}

/* ---- what is said of one ---- */

typedef struct Rows3 {
    Row own, centre, scale;
} Rows3;

static void add_one_hot(Build *b, Row *row, const Var *var, IrValue v) {
    AxisId axis = kinds(b, var);
    double *numbers = arena_array(b->arena, double, var->n_values);
    for (int64_t i = 0; i < var->n_values; i++) numbers[i] = (double)i;
    IrValue is = ir_eq(b->p, ir_table(b->p, numbers, &axis, 1), v);
    IrValue one = ir_select(b->p, is, number(b, 1), number(b, 0));
    IrValue placed = ir_pad(b->p, one, axis, row->axis, row->filled);
    row->v = row->filled ? ir_add(b->p, row->v, placed) : placed;
    row->filled += var->n_values;
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
static void add_in_units(Build *b, Rows3 *rows, const Var *var, const Val *val, IrValue floor) {
    IrProgram *p = b->p;
    AxisId over[IR_MAX_AXES];
    int n_over = 0;
    for (const Plate *q = var->type.plate; q; q = q->parent) over[n_over++] = b->plate[q->index];
    IrValue centre = mean_over(b, val->v, over, n_over), from = ir_sub(p, val->v, centre);
    IrValue square = mean_over(b, ir_square(p, from), over, n_over);
    IrValue scale = ir_sqrt(p, ir_add(p, square, ir_square(p, floor)));
    add_entries(b, &rows->centre, whole(b, var, "centre", centre, floor));
    add_entries(b, &rows->scale, whole(b, var, "logscale", ir_log(p, scale), number(b, LOG_FLOOR)));
    add_entries(b, &rows->own, val_of(ir_div(p, from, scale), &var->type));
}

static void add_log(Build *b, Row *row, const Var *var, Val val, const AxisId *events, int n) {
    const char *tag = arena_printf(b->arena, "%s.log", var->name);
    IrValue log_value = ir_log(b->p, ir_max(b->p, val.v, number(b, DUAL_TINY)));
    val.v = standardise(b, tag, log_value, number(b, LOG_FLOOR), events, n);
    add_entries(b, row, val);
}

static void add_covariate(Build *b, Rows3 *rows, const Var *var) {
    Val val = b->value[var->index];
    AxisId events[MAX_DIMS];
    int n = event_axes(b, &val, events);
    if (has_kinds(var)) {
        add_one_hot(b, &rows->own, var, val.v);
        return;
    }
    IrValue floor = floor_of(b, var, events, n);
    if (var->type.plate)
        add_in_units(b, rows, var, &val, floor);
    else
        add_entries(b, &rows->own, whole(b, var, "centre", val.v, floor));
    if (var->positive) add_log(b, &rows->own, var, val, events, n);
}

void encode_covariates(Build *b, Encoding *enc) {
    enc->given = arena_array(b->arena, Blocks, b->model->plates.n + 1);
    for (int i = -1; i < b->model->plates.n; i++) {
        const Plate *plate = i < 0 ? NULL : b->model->plates.data[i];
        AxisId units = side_by_side(b, plate, unit_size);
        Rows3 rows = {{.axis = side_by_side(b, plate, own_size)}, {.axis = units}, {.axis = units}};
        for (int k = 0; k < b->model->vars.n; k++)
            if (is_here(b->model->vars.data[k], plate))
                add_covariate(b, &rows, b->model->vars.data[k]);
        add_block(b, plate ? &enc->given[i] : &enc->context, &rows.own, "covariates", plate);
        add_block(b, &enc->root, &rows.centre, "covariates.centre", plate);
        add_block(b, &enc->scale, &rows.scale, "covariates.logscale", plate);
    }
}
