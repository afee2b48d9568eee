/* lower.c -- typed expressions to tensor IR: variables, functions, distributions and links are
 * inlined.
 *
 * A distribution's `sample` is lowered in three ways (BaseMode): with random sources it simulates;
 * with its base draws at their medians it gives the centre of the distribution given its arguments;
 * with the first base draw at its upper 16 % point it gives about one spread more. That is how the
 * guide knows the conditional prior of any distribution, the user's own included, without being
 * told its moments.
 */
#include "dual/autoregressive.h"
#include "dual/covariate.h"
#include "dual/missing.h"
#include "dual/plate.h"
#include "dual/settings.h"
#include "dual/total.h"

#include <math.h>

typedef struct Env {
    const Val *params;
    int n;
} Env;

static Val lower(Build *b, const Expr *e, const Env *env);

AxisId event_axis(Build *b, int position, int64_t extent) {
    return ir_axis(b->p, arena_printf(b->arena, "d%d.%lld", position, (long long)extent),
                   AXIS_EVENT, AXIS_NONE, extent);
}

int event_axes(Build *b, const Val *val, AxisId *axes) {
    for (int i = 0; i < val->n_dims; i++) axes[i] = event_axis(b, i, val->dims[i]);
    return val->n_dims;
}

int instance_axes(Build *b, const Plate *plate, bool with_draw, AxisId *axes) {
    int n = 0;
    axes[n++] = b->data;
    if (with_draw) axes[n++] = b->draw;
    for (const Plate *q = plate; q; q = q->parent) axes[n + q->depth] = plate_axis(b, q);
    return n + plates_around(plate);
}

int64_t event_size(const Type *type) {
    int64_t size = 1;
    for (int i = 0; i < type->n_dims; i++) size *= type->dims[i];
    return size;
}

Val val_of(IrValue v, const Type *type) {
    Val val = {.v = v, .n_dims = type->n_dims};
    memcpy(val.dims, type->dims, sizeof val.dims);
    return val;
}

IrValue along(Build *b, IrValue v, const AxisId *axes, int n) {
    for (int i = 0; i < n; i++)
        if (!ir_has_axis(b->p, v, axes[i])) return ir_spread(b->p, v, axes, n);
    return v;
}

static Val scalar(IrValue v) {
    return (Val){.v = v};
}

/* ------------------------------------------------------------------ programs */

static void declare_flow(Build *b, int64_t d) {
    feature_axis(b, d);
    if (d > MAX_UNROLLED) iaf_declare(b, d);
    declare_set_halves(b, d);
}

/* Every axis that a weight may have as an input stands before any output axis: see internal.h. Axes
 * that nothing uses cost nothing. */
static void declare_axes(Build *b) {
    static const struct {
        const char *prefix;
        int64_t sizes[8];
    } sets[] = {{"inducing", {8, 16}}, {"seed", {1, 2, 4}}},
      heads[] = {{"head", {1, 2, 4, 8}}, {"key", {2, 4, 8, 16}}};
    static const int64_t widths[] = {1, 2, 3, 4, 8, 16, 24, 32, 48, 64};
    for (int i = 0; i < 2; i++)
        for (int k = 0; sets[i].sizes[k]; k++) named_axis(b, sets[i].prefix, sets[i].sizes[k]);
    declare_set_axes(b);
    int64_t joint = 0, total = 0;
    for (int i = 0; i < b->analysis->n_latents; i++) {
        const Var *latent = b->analysis->order[i].latent;
        Type free = model_free_type(latent);
        declare_flow(b, event_size(&free));
        if (is_joint(latent)) joint += event_size(&free);
        if (b->dual->fixed) total += total_size(latent);
    }
    if (total && total <= MAX_FLOW) declare_flow(b, total);
    if (joint) declare_flow(b, joint);
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) feature_axis(b, widths[i]);
    for (int i = 0; i < 2; i++)
        for (int k = 0; heads[i].sizes[k]; k++) named_axis(b, heads[i].prefix, heads[i].sizes[k]);
    declare_set_keys(b);
}

/* Axes of the variables' events in one position. Those of the first position come before those of
 * the second in every event, whatever variables share them. */
static void declare_events(Build *b, int position) {
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        Type free = var->link ? model_free_type(var) : var->type;
        if (position < var->type.n_dims) event_axis(b, position, var->type.dims[position]);
        if (position < free.n_dims) event_axis(b, position, free.dims[position]);
        bool categories = var->kind == VAR_OBSERVED && var->n_values;
        if (categories && position == var->type.n_dims) event_axis(b, position, var->n_values);
    }
}

Build *build_start(Arena *arena, Dual *dual, const char *name) {
    Build *b = arena_new_of(arena, Build);
    const Model *model = dual->analysis->model;
    b->arena = arena;
    b->dual = dual;
    b->analysis = dual->analysis;
    b->model = model;
    b->options = dual->options;
    b->p = ir_program_new(arena, name);
    b->data = ir_axis(b->p, "data", AXIS_DATA, AXIS_NONE, 0);
    b->draw = ir_axis(b->p, "draw", AXIS_DRAW, AXIS_NONE, 0);
    b->plate = arena_array(arena, AxisId, model->plates.n + 1);
    for (int i = 0; i < model->plates.n; i++) {
        const Plate *plate = model->plates.data[i];
        b->plate[i] = AXIS_NONE;
        if (plate->across) continue;
        if (dual->fixed && total_fixes(model, plate)) {
            b->plate[i] = ir_axis(b->p, plate->name, AXIS_EVENT, AXIS_NONE, plate->size);
            continue;
        }
        b->plate[i] = ir_axis(b->p, plate->name, AXIS_PLATE,
                              plate->parent ? plate_axis(b, plate->parent) : AXIS_NONE, 0);
        b->p->axes.data[b->plate[i]].usual = plate->size;
        b->p->axes.data[b->plate[i]].ragged = plate->ragged;
    }
    for (int k = 0; k < MAX_DIMS; k++) declare_events(b, k);
    for (int i = 0; i < model->vars.n; i++)
        if (model->vars.data[i]->kind == VAR_SUMMED) summed_axis(b, model->vars.data[i]);
    declare_covariates(b);
    b->value = arena_array(arena, Val, model->vars.n + 1);
    b->present = arena_array(arena, IrValue, model->vars.n + 1);
    for (int i = 0; i < model->vars.n; i++) {
        const Var *var = model->vars.data[i];
        b->value[i].v = b->present[i] = IR_NONE;
        if (var->kind == VAR_OBSERVED && entries_correlate(var))
            named_axis(b, "pair", var->type.dims[0] * (var->type.dims[0] - 1) / 2);
    }
    declare_axes(b);
    return b;
}

IrValue stat_input(Build *b, const char *name, const char *what, const AxisId *axes, int n) {
    return ir_input(b->p, arena_printf(b->arena, "%s:%s", name, what), ROLE_STAT, axes, n);
}

/* ------------------------------------------------------------------ expressions */

static void take_shape(Val *result, const Val *from) {
    if (result->n_dims || !from->n_dims) return;
    result->n_dims = from->n_dims;
    memcpy(result->dims, from->dims, sizeof result->dims);
}

/* Moves component axes by `by` places (+1: make room for a new first dimension; -1: close the gap).
 */
static IrValue shift_axes(Build *b, const Val *val, int by) {
    IrValue v = val->v;
    for (int k = 0; k < val->n_dims; k++) {
        int i = by > 0 ? val->n_dims - 1 - k : k;
        AxisId from = event_axis(b, i, val->dims[i]), to = event_axis(b, i + by, val->dims[i]);
        if (ir_has_axis(b->p, v, from)) v = ir_rename(b->p, v, from, to);
    }
    return v;
}

/* Copies of one element, as `rep` makes them: one value, repeated. */
static Val lower_copies(Build *b, const Expr *e, const Env *env) {
    Val element = lower(b, e->args[0], env);
    Val result = {.n_dims = element.n_dims + 1, .dims = {e->n_args}};
    for (int k = 0; k < element.n_dims; k++) result.dims[k + 1] = element.dims[k];
    AxisId first = event_axis(b, 0, e->n_args), axes[IR_MAX_AXES + 1];
    IrValue v = shift_axes(b, &element, +1);
    const IrOp *op = &b->p->ops.data[v];
    int n = op->n_axes;
    memcpy(axes, op->axes, sizeof *axes * (size_t)n);
    axes[n++] = first;
    result.v = ir_spread(b->p, v, axes, n);
    return result;
}

static Val lower_array(Build *b, const Expr *e, const Env *env) {
    bool copies = e->n_args > 1;
    for (int i = 1; i < e->n_args; i++) copies &= e->args[i] == e->args[0];
    if (copies) return lower_copies(b, e, env);
    AxisId first = event_axis(b, 0, e->n_args);
    Val result = {.v = IR_NONE};
    for (int i = 0; i < e->n_args; i++) {
        bool is_zero = e->args[i]->kind == EXPR_NUMBER && e->args[i]->number == 0;
        if (is_zero && (result.v != IR_NONE || i < e->n_args - 1)) continue; /* it is there */
        Val element = lower(b, e->args[i], env);
        IrValue placed = ir_place(b->p, shift_axes(b, &element, +1), first, i);
        result.v = result.v == IR_NONE ? placed : ir_add(b->p, result.v, placed);
        if (element.n_dims + 1 > result.n_dims) {
            result.n_dims = element.n_dims + 1;
            for (int k = 0; k < element.n_dims; k++) result.dims[k + 1] = element.dims[k];
        }
    }
    result.dims[0] = e->n_args;
    return result;
}

static IrValue product_over(Build *b, IrValue v, AxisId axis, int64_t extent) {
    IrValue result = ir_pick(b->p, v, axis, 0);
    for (int64_t i = 1; i < extent; i++) result = ir_mul(b->p, result, ir_pick(b->p, v, axis, i));
    return result;
}

static Val lower_reduce(Build *b, const Expr *e, const Env *env) {
    Val val = lower(b, e->args[0], env);
    AxisId axes[MAX_DIMS];
    int n = event_axes(b, &val, axes);
    int64_t count = 1;
    for (int i = 0; i < n; i++) count *= val.dims[i];
    if (n == 0) return scalar(val.v);
    IrValue v = along(b, val.v, axes, n);
    switch (e->reduce) {
    case REDUCE_SUM:
        return scalar(ir_sum(b->p, v, axes, n));
    case REDUCE_MEAN:
        return scalar(ir_mul(b->p, ir_sum(b->p, v, axes, n), ir_const(b->p, 1.0 / (double)count)));
    case REDUCE_MAX:
        return scalar(ir_max_over(b->p, v, axes, n));
    case REDUCE_MIN:
        return scalar(ir_neg(b->p, ir_max_over(b->p, ir_neg(b->p, v), axes, n)));
    case REDUCE_PROD:
        for (int i = 0; i < n; i++) v = product_over(b, v, axes[i], val.dims[i]);
        return scalar(v);
    }
    internal_error("lower", "unknown reduction");
}

/* Median of a Gamma(a, 1) variable, and its upper 16 % point, by Wilson and Hilferty's cube (1931).
 */
static IrValue gamma_point(Build *b, IrValue a, double deviate) {
    IrProgram *p = b->p;
    IrValue ninth = ir_recip(p, ir_mul(p, a, ir_const(p, 9)));
    IrValue root = ir_sub(p, ir_const(p, 1), ninth);
    if (deviate != 0) root = ir_add(p, root, ir_mul(p, ir_const(p, deviate), ir_sqrt(p, ninth)));
    root = ir_max(p, root, ir_const(p, 0.1));
    return ir_mul(p, a, ir_mul(p, root, ir_square(p, root)));
}

/* Median, and upper 16 % point, of a whole number: as of a normal of its mean and variance. */
static IrValue count_point(Build *b, IrValue mean, IrValue variance, double deviate) {
    IrProgram *p = b->p;
    IrValue off = ir_mul(p, ir_const(p, deviate), ir_sqrt(p, variance));
    return deviate != 0 ? ir_add(p, mean, off) : mean;
}

static Val lower_random(Build *b, const Expr *e, const Env *env) {
    Val shape = {.v = IR_NONE};
    IrValue params[2];
    for (int i = e->n_args - 1; i >= 0; i--) {
        shape = lower(b, e->args[i], env);
        params[i] = shape.v;
    }
    long long site = e->index;
    bool up = b->base == BASE_UPPER && site == b->upper_site;
    if (b->base == BASE_DRAWS) {
        const char *name = site ? arena_printf(b->arena, "sim:%s.%lld", b->sampled->name, site)
                                : arena_printf(b->arena, "sim:%s", b->sampled->name);
        AxisId axes[IR_MAX_AXES];
        int n = instance_axes(b, b->sampled->type.plate, b->by_draw, axes);
        Val result = scalar(IR_NONE);
        if (b->sampled_by_rows) {
            Rows rows = rows_of(b, &b->sampled->type, b->sampled->dist->n_dims);
            for (int i = 0; i < rows.n; i++) axes[n++] = rows.axes[i];
        } else {
            result = val_of(IR_NONE, &b->sampled->type);
            n += event_axes(b, &result, axes + n);
        }
        result.v = e->n_args ? ir_random_of(b->p, e->random, params, name, axes, n)
                             : ir_random(b->p, e->random, name, axes, n);
        return result;
    }
    switch (e->random) {
    case RANDOM_NORMAL: /* off 0 for bounded supports: |0| would be the edge of a half-normal */
        if (b->support_bounded) return scalar(ir_const(b->p, up ? 1.5 : 0.6745));
        return scalar(ir_const(b->p, up ? 1.0 : 0.0));
    case RANDOM_UNIFORM:
        if (b->sampled->dist->mixed && site == expr_base_draws(b->sampled->dist->sample) - 1)
            return scalar(ir_const(b->p, b->choice));
        return scalar(ir_const(b->p, up ? 0.84 : 0.5));
    case RANDOM_EXPONENTIAL:
        return scalar(ir_const(b->p, up ? 1.83 : 0.6931471805599453));
    case RANDOM_GAMMA:
        return (Val){.v = gamma_point(b, shape.v, up ? 1.0 : 0.0),
                     .n_dims = shape.n_dims,
                     .dims = {shape.dims[0], shape.dims[1], shape.dims[2]}};
    case RANDOM_POISSON:
        shape.v = count_point(b, params[0], params[0], up ? 1.0 : 0.0);
        return shape;
    case RANDOM_BINOMIAL: {
        IrValue mean = ir_mul(b->p, params[0], params[1]);
        IrValue variance = ir_mul(b->p, mean, ir_sub(b->p, ir_const(b->p, 1), params[1]));
        shape.v = count_point(b, mean, variance, up ? 1.0 : 0.0);
        return shape;
    }
    case RANDOM_GIVEN: /* no primitive of `sample` */
        break;
    }
    internal_error("lower", "unknown random primitive");
}

static Val lower_body(Build *b, const Expr *body, const Val *args, int n) {
    Env env = {.params = args, .n = n};
    return lower(b, body, &env);
}

/* Maps from the whole line onto a bounded set: a symmetric argument is centred at 0 below them. */
static bool carries_medians(IrOpcode opcode) {
    return opcode == OP_EXP || opcode == OP_SOFTPLUS || opcode == OP_LOGISTIC || opcode == OP_TANH;
}

/* The number of each instance within its parent's: the runtime counts, since an axis has no extent
 * here (runtime/abi.h). Covariates alone ask for it, where they are simulated. */
static IrValue position_of(Build *b, const Plate *plate) {
    AxisId axes[IR_MAX_AXES];
    int n = 0;
    for (const Plate *q = plate; q && (q == plate || plate->ragged); q = q->parent)
        axes[n++] = plate_axis(b, q);
    n = ir_axes_sort(b->p, axes, n);
    return ir_input(b->p, arena_printf(b->arena, "index:%s", plate->name), ROLE_CONTROL, axes, n);
}

static Val lower(Build *b, const Expr *e, const Env *env) {
    Val args[8];
    if (b->p->ops.n > MAX_LOWERED)
        over_limit(b, NULL, "operations in one program of this model", MAX_LOWERED);
    switch (e->kind) {
    case EXPR_NUMBER:
        return scalar(ir_const(b->p, e->number));
    case EXPR_VAR:
        return lower_var(b, e->var);
    case EXPR_PARAM:
        if (!env || e->param >= env->n)
            internal_error("lower", "parameter %d out of range", e->param);
        return env->params[e->param];
    case EXPR_REDUCE:
        return lower_reduce(b, e, env);
    case EXPR_ARRAY:
        return lower_array(b, e, env);
    case EXPR_RANDOM:
        return lower_random(b, e, env);
    case EXPR_OVER:
        return reduce_over(b, e->plate, e->reduce, lower(b, e->args[0], env));
    case EXPR_POSITION:
        return scalar(position_of(b, e->plate));
    case EXPR_SIZE:
        return scalar(ir_extent(b->p, plate_axis(b, e->plate)));
    default:
        break;
    }
    if (e->n_args > 8) internal_error("lower", "more than 8 arguments");
    bool bounded = b->support_bounded;
    if (e->kind == EXPR_OP && carries_medians(e->opcode)) b->support_bounded = false;
    for (int i = 0; i < e->n_args; i++) args[i] = lower(b, e->args[i], env);
    b->support_bounded = bounded;
    if (e->kind == EXPR_CALL) return lower_body(b, e->function->body, args, e->n_args);
    if (e->kind == EXPR_LINK) {
        const Expr *const parts[] = {e->link->forward, e->link->inverse, e->link->log_jacobian};
        return lower_body(b, parts[e->link_part], args, e->n_args);
    }
    if (e->kind == EXPR_INDEX) return lower_index(b, &args[0], e->dim, e->index);
    if (e->kind == EXPR_AT) return lower_at(b, &args[0], e->dim, args[1].v);
    if (e->kind == EXPR_SLICE) return lower_slice(b, &args[0], e->dim, e->index, e->count);
    if (e->kind == EXPR_SHAPED) return lower_shaped(b, e->shaped, args);
    IrValue operands[3];
    Val result = {.v = IR_NONE};
    for (int i = 0; i < e->n_args; i++) {
        operands[i] = args[i].v;
        take_shape(&result, &args[i]);
    }
    result.v = ir_point(b->p, e->opcode, operands, e->n_args);
    return result;
}

Val lower_expr(Build *b, const Expr *e) {
    return lower(b, e, NULL);
}

Val lower_var(Build *b, const Var *var) {
    Val *known = &b->value[var->index];
    if (known->v != IR_NONE) return *known;
    Val val;
    AxisId axes[MAX_DIMS];
    switch (var->kind) {
    case VAR_HYPER:
        val = val_of(IR_NONE, &var->type);
        val.v = ir_input(b->p, var->name, ROLE_HYPER, axes, event_axes(b, &val, axes));
        break;
    case VAR_LET:
    case VAR_QUANTITY:
        val = lower(b, var->value, NULL);
        break;
    default:
        internal_error("lower", "variable %s is used before it has a value", var->name);
    }
    *known = val;
    return val;
}

/* ------------------------------------------------------------------ distributions and links */

/* Is this body of `var`'s law one for each of its copies? */
static bool is_by_rows(const Var *var, const Expr *body) {
    return var->dist->n_dims || (var->type.n_dims && !is_entrywise(body));
}

/* The arguments as the body sees them; `known_location`: false: a zero stands for it. */
static int lower_args(Build *b, const Var *var, const Expr *body, bool known_location, Val *args) {
    const Distribution *dist = var->dist;
    int location = known_location ? -1 : location_param(dist);
    for (int i = 0; i < dist->n_params; i++) {
        const Param *param = &dist->params[i];
        args[i] = i == location ? scalar(ir_const(b->p, 0)) : lower_expr(b, var->args[i]);
        if (is_by_rows(var, body)) args[i] = rows_enter(b, args[i], param->n_dims, param->dims);
    }
    return dist->n_params;
}

static Val sample_with(Build *b, const Var *var, BaseMode mode, const Val *args, bool bounded) {
    const Distribution *dist = var->dist;
    b->base = mode;
    b->sampled = var;
    b->support_bounded = bounded;
    b->sampled_by_rows = is_by_rows(var, dist->sample);
    Val draw = lower_body(b, dist->sample, args, dist->n_params);
    if (!b->sampled_by_rows) return val_of(draw.v, &var->type);
    Rows rows = rows_of(b, &var->type, dist->n_dims);
    Val whole = {.v = draw.v, .n_dims = dist->n_dims};
    memcpy(whole.dims, dist->dims, sizeof whole.dims);
    return rows_leave(b, whole, &rows);
}

Val lower_sample(Build *b, const Var *var, BaseMode mode) {
    Val args[MAX_ARGS + 1];
    lower_args(b, var, var->dist->sample, true, args);
    b->upper_site = 0;
    Val draw = sample_with(b, var, mode, args, var->support.kind != SUPPORT_REAL);
    /* a sample that draws nothing, or one number for many, lacks axes */
    AxisId axes[IR_MAX_AXES];
    int n = instance_axes(b, var->type.plate, b->by_draw, axes);
    n += event_axes(b, &draw, axes + n);
    draw.v = along(b, draw.v, axes, n);
    return draw;
}

static Val mapped_sample(Build *b, const Var *var, BaseMode mode, const Val *args, bool bounded,
                         ValMap map) {
    Val val = sample_with(b, var, mode, args, bounded);
    return map ? map(b, var, val) : val;
}

/* Of a mixture: mean and standard deviation over the choice of component, of which five points of
 * the last base draw stand for all, and over what each component draws. */
static void mixed_centre_and_spread(Build *b, const Var *var, const Val *args, bool bounded,
                                    ValMap map, Val *centre, IrValue *spread) {
    enum { POINTS = 5 };
    IrProgram *p = b->p;
    const int64_t n_sites = expr_base_draws(var->dist->sample) - 1;
    Val at[POINTS];
    IrValue mean = IR_NONE, squares = number(b, DUAL_TINY), share = number(b, 1.0 / POINTS);
    for (int i = 0; i < POINTS; i++) {
        b->choice = (i + 0.5) / POINTS;
        at[i] = mapped_sample(b, var, BASE_CENTRE, args, bounded, map);
        mean = i ? ir_add(p, mean, at[i].v) : at[i].v;
        for (b->upper_site = 0; b->upper_site < n_sites; b->upper_site++) {
            Val upper = mapped_sample(b, var, BASE_UPPER, args, bounded, map);
            squares = ir_add(p, squares, ir_square(p, ir_sub(p, upper.v, at[i].v)));
        }
    }
    *centre = at[0];
    centre->v = ir_mul(p, mean, share);
    for (int i = 0; i < POINTS; i++)
        squares = ir_add(p, squares, ir_square(p, ir_sub(p, at[i].v, centre->v)));
    *spread = ir_sqrt(p, ir_mul(p, squares, share));
}

/* Centre and spread of `sample` with these arguments, through `map`. */
static void centre_and_spread(Build *b, const Var *var, const Val *args, bool bounded, ValMap map,
                              Val *centre, IrValue *spread) {
    IrProgram *p = b->p;
    IrValue squares = IR_NONE;
    if (var->dist->mixed) {
        mixed_centre_and_spread(b, var, args, bounded, map, centre, spread);
        return;
    }
    *centre = sample_with(b, var, BASE_CENTRE, args, bounded);
    int64_t n_sites = var->dist->n_dims ? expr_base_draws(var->dist->sample) : 1;
    if (!n_sites) n_sites = 1; /* nothing is drawn: the spread is 0 */
    if (map) *centre = map(b, var, *centre);
    for (int64_t site = 0; site < n_sites; site++) {
        b->upper_site = (int)site;
        Val upper = sample_with(b, var, BASE_UPPER, args, bounded);
        if (map) upper = map(b, var, upper);
        IrValue apart = ir_sub(p, upper.v, centre->v);
        if (n_sites == 1) {
            *spread = ir_abs(p, apart);
            return;
        }
        squares = site ? ir_add(p, squares, ir_square(p, apart)) : ir_square(p, apart);
    }
    *spread = ir_sqrt(p, ir_max(p, squares, ir_const(p, DUAL_TINY)));
}

void lower_centre_and_spread(Build *b, const Var *var, ValMap map, Val *centre, IrValue *spread) {
    Val args[MAX_ARGS + 1];
    lower_args(b, var, var->dist->sample, true, args);
    centre_and_spread(b, var, args, var->support.kind != SUPPORT_REAL, map, centre, spread);
}

static IrValue log_prob_of(Build *b, const Var *var, Val value) {
    const Distribution *dist = var->dist;
    bool by_rows = is_by_rows(var, dist->log_prob);
    Val args[MAX_ARGS + 1];
    int n = lower_args(b, var, dist->log_prob, true, args);
    args[n] = by_rows ? rows_enter(b, value, dist->n_dims, dist->dims) : value;
    Val density = lower_body(b, dist->log_prob, args, n + 1);
    if (by_rows) {
        Rows rows = rows_of(b, &var->type, dist->n_dims);
        return rows_sum(b, density.v, &rows);
    }
    AxisId axes[MAX_DIMS];
    int n_axes = event_axes(b, &value, axes);
    if (!n_axes) return density.v;
    return ir_sum(b->p, along(b, density.v, axes, n_axes), axes, n_axes);
}

IrValue lower_log_prob(Build *b, const Var *var, Val value) {
    return where_present(b, var, log_prob_of(b, var, value));
}

IrValue sum_up_to(Build *b, IrValue v, const Plate *plate, const Plate *outer) {
    for (const Plate *q = plate_seen_from(plate, outer); q != outer; q = q->parent) {
        AxisId axis = plate_axis(b, q);
        v = ir_sum_at(b->p, v, &axis, 1);
    }
    return v;
}

IrValue sum_over_plates(Build *b, IrValue v, const Plate *plate) {
    return sum_up_to(b, v, plate, NULL);
}

void add_local(Build *b, IrValue v, const Plate *plate) {
    const Plate *outer = plate;
    if (!b->local || !plate) return;
    if (plate->across && plate->across->index > plate->parent->index)
        add_local(b, v, plate->turned);
    while (outer->parent) outer = outer->parent;
    IrValue *sum = &b->local[outer->index];
    v = sum_up_to(b, v, plate, outer);
    *sum = *sum == IR_NONE ? v : ir_add(b->p, *sum, v);
}

/* The typical size of a positive latent; of a half-line's its typical size beyond the end, which
 * the spread of prior draws tells wherever that end is. */
static Val scale_of_prior(Build *b, const Var *latent) {
    AxisId axes[MAX_DIMS];
    Val c = val_of(IR_NONE, &latent->type);
    int n = event_axes(b, &c, axes);
    if (latent->support.kind == SUPPORT_POSITIVE || latent->support.kind == SUPPORT_REAL) {
        c.v = stat_input(b, latent->name, "median", axes, n);
        return c;
    }
    IrValue least = ir_const(b->p, 1e-6);
    c.v = ir_max(b->p, stat_input(b, latent->name, "mad", axes, n), least);
    return c;
}

Val lower_link(Build *b, const Var *latent, LinkPart part, Val at) {
    const Link *link = latent->link;
    const Expr *const bodies[] = {link->forward, link->inverse, link->log_jacobian};
    Val args[8] = {at};
    int n = 1;
    if (link->n_dims) {
        Rows rows = rows_of(b, &latent->type, link->n_dims);
        bool from_value = part == LINK_INVERSE;
        args[0] = rows_enter(b, at, from_value ? link->n_dims : 1,
                             from_value ? link->dims : &link->n_free);
        Val result = lower_body(b, bodies[part], args, 1);
        Val one = {.v = result.v, .n_dims = part == LINK_FORWARD ? link->n_dims : from_value};
        memcpy(one.dims, from_value ? &link->n_free : link->dims,
               sizeof *one.dims * (size_t)one.n_dims);
        return rows_leave(b, one, &rows);
    }
    bool ends = !link->lo && !link->hi; /* as parameters */
    if (ends && latent->support.lo) args[n++] = lower_expr(b, latent->support.lo);
    if (ends && latent->support.hi) args[n++] = lower_expr(b, latent->support.hi);
    if (link->scaled) args[n++] = scale_of_prior(b, latent);
    Val result = lower_body(b, bodies[part], args, n);
    return val_of(result.v, &latent->type);
}

const Var *as_inferred(const Build *b, const Var *observed) {
    return observed->before && !b->options.paper ? observed->before : observed;
}

Val lower_as_inferred(Build *b, const Var *observed) {
    const Var *inside = as_inferred(b, observed);
    Val x = lower_var(b, observed);
    if (inside == observed) return x;
    if (observed->n_values)
        return val_of(indicators(b, x.v, event_axis(b, x.n_dims, observed->n_values)),
                      &inside->type);
    Var linked = *observed;
    linked.link = inside->link;
    Val v = lower_link(b, &linked, LINK_INVERSE, x);
    return val_of(v.v, &inside->type);
}

/* ------------------------------------------------------------------ flat events */

static IrValue spread_events(Build *b, Val *val) {
    AxisId axes[MAX_DIMS];
    int n = event_axes(b, val, axes);
    return along(b, val->v, axes, n);
}

/* Dimensions `dim` and on of `v` to entries of `flat` from `start` on. */
static IrValue flatten_from(Build *b, IrValue v, const Val *val, int dim, AxisId flat,
                            int64_t start) {
    IrProgram *p = b->p;
    AxisId axis = event_axis(b, dim, val->dims[dim]);
    if (dim == val->n_dims - 1) return ir_pad(p, v, axis, flat, start);
    int64_t stride = 1;
    for (int i = dim + 1; i < val->n_dims; i++) stride *= val->dims[i];
    IrValue result = IR_NONE;
    for (int64_t i = 0; i < val->dims[dim]; i++) {
        IrValue row =
            flatten_from(b, ir_pick(p, v, axis, i), val, dim + 1, flat, start + i * stride);
        result = result == IR_NONE ? row : ir_add(p, result, row);
    }
    return result;
}

IrValue flatten_at(Build *b, Val val, AxisId flat, int64_t start) {
    IrProgram *p = b->p;
    IrValue v = spread_events(b, &val);
    if (val.n_dims == 0) return ir_place(p, v, flat, start);
    return flatten_from(b, v, &val, 0, flat, start);
}

IrValue flatten(Build *b, Val val, AxisId flat) {
    return flatten_at(b, val, flat, 0);
}

/* Entries of `flat` from `start` on, as the dimensions of `type` from `dim` on. */
static IrValue unflatten_to(Build *b, IrValue v, AxisId flat, int64_t start, const Type *type,
                            int dim) {
    IrProgram *p = b->p;
    AxisId axis = event_axis(b, dim, type->dims[dim]);
    if (dim == type->n_dims - 1) return ir_slice(p, v, flat, axis, start);
    int64_t stride = 1;
    for (int i = dim + 1; i < type->n_dims; i++) stride *= type->dims[i];
    IrValue result = IR_NONE;
    for (int64_t i = 0; i < type->dims[dim]; i++) {
        IrValue row = unflatten_to(b, v, flat, start + i * stride, type, dim + 1);
        IrValue placed = ir_place(p, row, axis, i);
        result = result == IR_NONE ? placed : ir_add(p, result, placed);
    }
    return result;
}

Val unflatten(Build *b, IrValue v, AxisId flat, int64_t start, const Type *type) {
    Val val = val_of(IR_NONE, type);
    val.v = type->n_dims ? unflatten_to(b, v, flat, start, type, 0) : ir_pick(b->p, v, flat, start);
    return val;
}

/* ------------------------------------------------------------------ location parameters */

static bool mentions_param(const Expr *e, int param) {
    if (e->kind == EXPR_PARAM && e->param == param) return true;
    for (int i = 0; i < e->n_args; i++)
        if (mentions_param(e->args[i], param)) return true;
    return false;
}

int location_param(const Distribution *dist) {
    const Expr *e = dist->sample;
    if (!e || e->kind != EXPR_OP || e->opcode != OP_ADD) return -1;
    for (int side = 0; side < 2; side++) {
        const Expr *own = e->args[side], *rest = e->args[1 - side];
        if (own->kind == EXPR_PARAM && !mentions_param(rest, own->param)) return own->param;
    }
    return -1;
}

/* Position of the scale parameter: sample = location + parameter * f(other parameters). -1: none.
 */
static int scale_param(const Distribution *dist) {
    int location = location_param(dist);
    if (location < 0) return -1;
    const Expr *sum = dist->sample;
    bool first = sum->args[0]->kind == EXPR_PARAM && sum->args[0]->param == location;
    const Expr *rest = sum->args[first ? 1 : 0];
    if (rest->kind != EXPR_OP || rest->opcode != OP_MUL) return -1;
    for (int side = 0; side < 2; side++) {
        const Expr *own = rest->args[side], *base = rest->args[1 - side];
        if (own->kind == EXPR_PARAM && !mentions_param(base, own->param)) return own->param;
    }
    return -1;
}

static const Var *identity_of(const Expr *e) {
    while (e->kind == EXPR_VAR && e->var->kind == VAR_LET) e = e->var->value;
    return e->kind == EXPR_VAR ? e->var : NULL;
}

const Var *location_of(const Var *var) {
    int at = has_variance(var) ? location_param(var->dist) : -1;
    const Var *loc = at < 0 ? NULL : identity_of(var->args[at]);
    if (!loc || loc->kind != VAR_LATENT) return NULL;
    bool one = var->kind == VAR_OBSERVED && !loc->type.n_dims;
    return one || loc->type.n_dims == var->type.n_dims ? loc : NULL;
}

bool repeats_location(const Var *var) {
    const Var *loc = location_of(var);
    return loc && loc->type.n_dims < var->type.n_dims;
}

bool is_location_of(const Var *latent, const Var *observed) {
    for (const Var *var = location_of(observed); var; var = location_of(var))
        if (var == latent) return true;
    return false;
}

const Var *scaled_by(const Var *latent, const Var *observed) {
    for (const Var *var = observed; var; var = location_of(var)) {
        int at = has_variance(var) ? scale_param(var->dist) : -1;
        int n_dims = repeats_location(var) ? 0 : var->type.n_dims;
        if (at >= 0 && identity_of(var->args[at]) == latent && latent->type.n_dims == n_dims)
            return var;
    }
    return NULL;
}

void lower_residual_law(Build *b, const Var *var, Val *centre, IrValue *spread) {
    Val args[MAX_ARGS + 1];
    lower_args(b, var, var->dist->sample, false, args);
    centre_and_spread(b, var, args, false, NULL, centre, spread);
}

IrValue lower_spread(Build *b, const Var *var) {
    Val centre;
    IrValue spread;
    lower_residual_law(b, var, &centre, &spread);
    return spread;
}

IrValue lower_residual_log_prob(Build *b, const Var *var, IrValue residual) {
    Val args[MAX_ARGS + 1];
    int n = lower_args(b, var, var->dist->log_prob, false, args);
    args[n] = val_of(residual, &var->type);
    return lower_body(b, var->dist->log_prob, args, n + 1).v;
}

IrValue lower_log_prob_for(Build *b, const Var *var, int param, IrValue arg) {
    Val args[MAX_ARGS + 1];
    int n = lower_args(b, var, var->dist->log_prob, true, args);
    args[param] = val_of(arg, &var->type);
    args[n] = b->value[var->index];
    return lower_body(b, var->dist->log_prob, args, n + 1).v;
}
