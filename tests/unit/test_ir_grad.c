/* test_ir_grad.c -- every row of ops.def differentiated and compared with central differences:
 * point-wise rows over all combinations of axes that their operands and the adjoint may have or
 * lack, structural rows likewise. The table is driven by ops.def: a new row that is not tested here
 * fails.
 */
#include "ir/eval.h"
#include "check.h"
#include "graddiff.h"
#include "ir_values.h"

#include "opt/opt.h"

/* ---- one program: loss = sum of op(x0, x1, ...) * r, with gradients of all inputs ---- */

typedef struct Case {
    IrProgram *p;
    AxisId data, group, e2;
    Values values;
} Case;

static Case case_new(Arena *arena) {
    Case c = {.p = ir_program_new(arena, "case")};
    c.data = ir_axis(c.p, "data", AXIS_DATA, AXIS_NONE, 0);
    c.group = ir_axis(c.p, "group", AXIS_PLATE, AXIS_NONE, 0);
    c.e2 = ir_axis(c.p, "e2", AXIS_EVENT, AXIS_NONE, 2);
    return c;
}

/* Bits 0, 1, 2 of the mask: data, group, e2. */
static int masked(const Case *c, int mask, AxisId *axes) {
    int n = 0;
    if (mask & 1) axes[n++] = c->data;
    if (mask & 2) axes[n++] = c->group;
    if (mask & 4) axes[n++] = c->e2;
    return n;
}

static IrValue input_over(Case *c, const char *name, int mask) {
    AxisId axes[3];
    int n = masked(c, mask, axes);
    return ir_input(c->p, name, ROLE_LATENT, axes, n);
}

/* The loss weighs y by r, which has those axes of y that `keep` says (bit i: the i-th). Adds all
 * gradients. */
static void finish(Case *c, IrValue y, int keep) {
    IrOp shape = c->p->ops.data[y];
    AxisId axes[IR_MAX_AXES];
    int n = 0;
    for (int i = 0; i < shape.n_axes; i++)
        if (keep >> i & 1) axes[n++] = shape.axes[i];
    IrValue r = ir_input(c->p, "r", ROLE_LATENT, axes, n);
    IrValue loss = ir_contract(c->p, y, r, shape.axes, shape.n_axes);
    ir_output(c->p, "loss", loss);
    add_gradients(c->p);
}

static void judge(Case *c, const char *what, int variant) {
    double worst = 0;
    for (int pass = 0; pass < 2; pass++) { /* as built, and folded */
        const IrProgram *p = pass ? opt_dce(opt_cse(opt_fold(c->p))) : c->p;
        const char *why = ir_verify(p);
        if (!CHECK(!why, "%s, variant %d: %s", what, variant, why)) return;
        IrEvalEnv env = values_env(&c->values);
        int wrong = check_gradients(p, &env, 3, &worst);
        CHECK(wrong == 0, "%s, variant %d%s: %d wrong, worst %g", what, variant,
              pass ? ", folded" : "", wrong, worst);
    }
}

/* ---- point-wise rows ---- */

/* Where each operand may lie; rows without an entry fail. `flat`: the derivative is zero by
 * definition. */
typedef struct Point {
    bool given, flat;
    double low[3], high[3];
} Point;

#define ANY         \
    {-2, -2, -2}, { \
        2, 2, 2     \
    }
#define POSITIVE       \
    {0.3, 0.3, 0.3}, { \
        2.5, 2.5, 2.5  \
    }
static const Point points[OP_COUNT] = {
    [OP_NEG] = {true, false, ANY},
    [OP_ABS] = {true, false, ANY},
    [OP_SIGN] = {true, true, ANY},
    [OP_EXP] = {true, false, ANY},
    [OP_LOG] = {true, false, POSITIVE},
    [OP_LOG1P] = {true, false, POSITIVE},
    [OP_EXPM1] = {true, false, ANY},
    [OP_SQRT] = {true, false, POSITIVE},
    [OP_SQUARE] = {true, false, ANY},
    [OP_RECIP] = {true, false, POSITIVE},
    [OP_TANH] = {true, false, ANY},
    [OP_LOGISTIC] = {true, false, ANY},
    [OP_SOFTPLUS] = {true, false, ANY},
    [OP_RELU] = {true, false, ANY},
    [OP_SIN] = {true, false, ANY},
    [OP_COS] = {true, false, ANY},
    [OP_LGAMMA] = {true, false, POSITIVE},
    [OP_DIGAMMA] = {true, true, POSITIVE},
    [OP_ERF] = {true, false, ANY},
    [OP_PHI] = {true, false, ANY},
    [OP_LOG_PHI] = {true, false, ANY},
    [OP_INV_MILLS] = {true, false, ANY},
    [OP_INV_PHI] = {true, false, {0.05, 0, 0}, {0.95, 0, 0}},
    [OP_LOG1M_EXP] = {true, false, {-2, 0, 0}, {-0.2, 0, 0}},
    [OP_ATAN2] = {true, false, POSITIVE},
    [OP_ADD] = {true, false, ANY},
    [OP_SUB] = {true, false, ANY},
    [OP_MUL] = {true, false, ANY},
    [OP_DIV] = {true, false, POSITIVE},
    [OP_POW] = {true, false, POSITIVE},
    [OP_LOG_BESSEL_I] = {true, false, {0, 0.3, 0}, {0, 2.5, 0}},
    [OP_BESSEL_RATIO] = {true, false, {0, 0.3, 0}, {0, 2.5, 0}},
    [OP_MIN] = {true, false, ANY},
    [OP_MAX] = {true, false, ANY},
    [OP_LT] = {true, true, ANY},
    [OP_LE] = {true, true, ANY},
    [OP_EQ] = {true, true, ANY},
    [OP_AND] = {true, true, ANY},
    [OP_OR] = {true, true, ANY},
    [OP_NOT] = {true, true, ANY},
    [OP_SELECT] = {true, false, ANY},
    [OP_STOP_GRADIENT] = {true, true, ANY},
};

static bool takes_bools(IrOpcode opcode) {
    return opcode == OP_AND || opcode == OP_OR || opcode == OP_NOT;
}

static bool takes_an_order(IrOpcode opcode) {
    return opcode == OP_LOG_BESSEL_I || opcode == OP_BESSEL_RATIO;
}

/* op over inputs with the given axes; bool operands and results go through lt and select, orders
 * are constants. */
static IrValue apply(Case *c, IrOpcode opcode, const int *mask) {
    static const char *const names[] = {"x0", "x1", "x2"};
    IrValue args[3];
    int n = ir_op_info[opcode].arity;
    for (int i = 0; i < n; i++) {
        args[i] = takes_an_order(opcode) && i == 0 ? ir_const(c->p, mask[0] * 1.5)
                                                   : input_over(c, names[i], mask[i]);
        if (takes_bools(opcode) || (opcode == OP_SELECT && i == 0))
            args[i] = ir_lt(c->p, args[i], ir_const(c->p, 0));
    }
    IrValue y = ir_point(c->p, opcode, args, n);
    if (c->p->ops.data[y].type == IR_BOOL)
        y = ir_select(c->p, y, ir_const(c->p, 2), ir_const(c->p, 3));
    return y;
}

static void all_zero(Case *c, const char *what) {
    IrEvalEnv env = values_env(&c->values);
    IrTensor result[8];
    const char *why = ir_eval(c->p->arena, c->p, &env, result);
    if (!CHECK(!why, "%s: %s", what, why)) return;
    for (int i = 0; i < c->p->outputs.n; i++)
        for (int64_t k = 0;
             strncmp(c->p->outputs.data[i].name, "grad:x", 6) == 0 && k < result[i].size; k++)
            CHECK(result[i].data[k] == 0, "%s: %s is not zero", what, c->p->outputs.data[i].name);
}

static void point_case(IrOpcode opcode, const int *mask, int keep, int variant) {
    Arena *arena = arena_new();
    Case c = case_new(arena);
    finish(&c, apply(&c, opcode, mask), keep);
    c.values = values_new(arena, c.p);
    c.values.spaced = true;
    memcpy(c.values.low, points[opcode].low, sizeof points[opcode].low);
    memcpy(c.values.high, points[opcode].high, sizeof points[opcode].high);
    if (points[opcode].flat)
        all_zero(&c, ir_op_info[opcode].text);
    else
        judge(&c, ir_op_info[opcode].text, variant);
    arena_free(arena);
}

static void point_rows(void) {
    static const int keeps[] = {7, 0, 2, 5};
    for (int o = 0; o < OP_COUNT; o++) {
        IrOpcode opcode = (IrOpcode)o;
        if (ir_op_info[o].rule != RULE_POINT) continue;
        if (!CHECK(points[o].given, "%s has no test point", ir_op_info[o].text)) continue;
        int arity = ir_op_info[o].arity, combinations = arity == 1 ? 8 : arity == 2 ? 64 : 512;
        for (int k = 0; k < combinations; k++) {
            int mask[] = {k & 7, k >> 3 & 7, k >> 6 & 7};
            int tries = arity == 3 ? 1 : 4; /* select: one weighting per combination, in turn */
            for (int t = 0; t < tries; t++)
                point_case(opcode, mask, keeps[(t + k) % 4], k * 10 + t);
        }
    }
}

/* ---- the other rows: a builder each ---- */

typedef struct Shape {
    AxisId data, group, obs, copy, e2, e3, f3, e5;
} Shape;

static Case structural_case(Arena *arena, Shape *s) {
    Case c = case_new(arena);
    *s = (Shape){.data = c.data, .group = c.group, .e2 = c.e2};
    s->obs = ir_axis(c.p, "obs", AXIS_PLATE, c.group, 0);
    s->e3 = ir_axis(c.p, "e3", AXIS_EVENT, AXIS_NONE, 3);
    s->f3 = ir_axis(c.p, "f3", AXIS_EVENT, AXIS_NONE, 3);
    s->e5 = ir_axis(c.p, "e5", AXIS_EVENT, AXIS_NONE, 5);
    s->copy = ir_axis_copy(c.p, s->obs, "obs.b");
    return c;
}

static IrValue over3(Case *c, const char *name, AxisId a, AxisId b, AxisId d) {
    return ir_input(c->p, name, ROLE_LATENT, (AxisId[]){a, b, d}, 3);
}

/* Each returns y for a variant, or IR_NONE after the last one. */
static IrValue build_sum(Case *c, const Shape *s, int variant) {
    IrValue x = over3(c, "x0", s->data, s->group, s->e3);
    AxisId over[3], all[] = {s->data, s->group, s->e3};
    int n = 0;
    for (int i = 0; i < 3; i++)
        if ((variant + 1) >> i & 1) over[n++] = all[i];
    return variant < 7 ? ir_sum(c->p, ir_square(c->p, x), over, n) : IR_NONE;
}

static IrValue build_max_over(Case *c, const Shape *s, int variant) {
    IrValue x = over3(c, "x0", s->data, s->group, s->e3);
    AxisId over[] = {s->group, s->e3};
    if (variant > 2) return IR_NONE;
    return ir_max_over(c->p, x, over + (variant == 1), variant == 2 ? 2 : 1);
}

static IrValue build_contract(Case *c, const Shape *s, int variant) {
    if (variant >= 64 * 7) return IR_NONE;
    AxisId all[] = {s->data, s->group, s->e2}, over[3];
    int mask_a = variant & 7, mask_b = variant >> 3 & 7, mask_over = variant / 64 + 1, n = 0;
    for (int i = 0; i < 3; i++)
        if ((mask_over & (mask_a | mask_b)) >> i & 1) over[n++] = all[i];
    return ir_contract(c->p, input_over(c, "x0", mask_a), input_over(c, "x1", mask_b), over, n);
}

static IrValue build_rename(Case *c, const Shape *s, int variant) {
    IrValue x = over3(c, "x0", s->group, s->obs, s->e3), y = ir_rename(c->p, x, s->obs, s->copy);
    if (variant == 0) return ir_mul(c->p, x, y);
    return variant == 1 ? ir_mul(c->p, x, ir_rename(c->p, x, s->e3, s->f3)) : IR_NONE;
}

static IrValue build_pick(Case *c, const Shape *s, int variant) {
    IrValue x = over3(c, "x0", s->data, s->obs, s->e3);
    return variant < 3 ? ir_pick(c->p, x, s->e3, variant) : IR_NONE;
}

static IrValue build_place(Case *c, const Shape *s, int variant) {
    IrValue x = over3(c, "x0", s->data, s->obs, s->e2);
    return variant < 3 ? ir_place(c->p, x, s->e3, variant) : IR_NONE;
}

static IrValue build_slice(Case *c, const Shape *s, int variant) {
    IrValue x = over3(c, "x0", s->data, s->obs, s->e5);
    return variant < 3 ? ir_slice(c->p, x, s->e5, s->e3, variant) : IR_NONE;
}

static IrValue build_pad(Case *c, const Shape *s, int variant) {
    IrValue x = over3(c, "x0", s->data, s->obs, s->e3);
    return variant < 3 ? ir_pad(c->p, x, s->e3, s->e5, variant) : IR_NONE;
}

static IrValue build_spread(Case *c, const Shape *s, int variant) {
    AxisId more[] = {s->data, s->group, s->e3};
    IrValue x = input_over(c, "x0", variant);
    return variant < 8 ? ir_spread(c->p, ir_square(c->p, x), more, 3) : IR_NONE;
}

/* Nothing is differentiated with respect to these, but gradients pass beside them. */
static IrValue build_leaves(Case *c, const Shape *s, int variant) {
    static const double numbers[] = {1, -2, 0.5};
    IrValue x = over3(c, "x0", s->data, s->group, s->e3);
    IrValue t = ir_table(c->p, numbers, &s->e3, 1), k = ir_const(c->p, 3);
    IrValue r = ir_random(c->p, RANDOM_NORMAL, "site", &s->group, 1);
    IrValue y =
        ir_add(c->p, ir_mul(c->p, ir_square(c->p, x), t), ir_mul(c->p, k, ir_mul(c->p, r, x)));
    return variant == 0 ? ir_div(c->p, y, ir_extent(c->p, s->group)) : IR_NONE;
}

/* Draws are not differentiated: the derivative with respect to a parameter is that beside the
 * draws. */
static IrValue times_draws(Case *c, const Shape *s, IrRandom kind) {
    IrValue x = over3(c, "x0", s->data, s->group, s->e3);
    IrValue shape = ir_stop_gradient(c->p, ir_exp(c->p, x)), n = ir_const(c->p, 7);
    IrValue params[] = {kind == RANDOM_BINOMIAL ? n : shape, ir_logistic(c->p, shape)};
    AxisId axes[] = {s->data, s->group, s->e3};
    return ir_mul(c->p, x, ir_random_of(c->p, kind, params, "site", axes, 3));
}

static IrValue build_random_gamma(Case *c, const Shape *s, int variant) {
    return variant == 0 ? times_draws(c, s, RANDOM_GAMMA) : IR_NONE;
}

static IrValue build_random_poisson(Case *c, const Shape *s, int variant) {
    return variant == 0 ? times_draws(c, s, RANDOM_POISSON) : IR_NONE;
}

static IrValue build_random_binomial(Case *c, const Shape *s, int variant) {
    return variant == 0 ? times_draws(c, s, RANDOM_BINOMIAL) : IR_NONE;
}

/* What may be replaced counts as a constant. */
static IrValue build_given(Case *c, const Shape *s, int variant) {
    IrValue x = over3(c, "x0", s->data, s->group, s->e3);
    IrValue fixed = ir_given(c->p, ir_stop_gradient(c->p, ir_exp(c->p, x)), "given");
    return variant == 0 ? ir_mul(c->p, x, fixed) : IR_NONE;
}

typedef IrValue Builder(Case *c, const Shape *s, int variant);

static Builder *const builders[OP_COUNT] = {
    [OP_CONST] = build_leaves,
    [OP_TABLE] = build_leaves,
    [OP_INPUT] = build_leaves,
    [OP_EXTENT] = build_leaves,
    [OP_RANDOM] = build_leaves,
    [OP_RANDOM_GAMMA] = build_random_gamma,
    [OP_RANDOM_POISSON] = build_random_poisson,
    [OP_RANDOM_BINOMIAL] = build_random_binomial,
    [OP_GIVEN] = build_given,
    [OP_SUM] = build_sum,
    [OP_MAX_OVER] = build_max_over,
    [OP_CONTRACT] = build_contract,
    [OP_RENAME] = build_rename,
    [OP_PICK] = build_pick,
    [OP_PLACE] = build_place,
    [OP_SLICE] = build_slice,
    [OP_PAD] = build_pad,
    [OP_SPREAD] = build_spread,
};

/* The adjoint of y may lack axes: the loss weighs y by all of its axes, by none, by every second. A
 * y that was reduced over data sets is weighed as it is. */
static bool structural_row(IrOpcode opcode, int variant) {
    static const int keeps[] = {15, 0, 5, 10};
    for (int t = 0; t < 4; t++) {
        Arena *arena = arena_new();
        Shape s;
        Case c = structural_case(arena, &s);
        IrValue y = builders[opcode](&c, &s, variant);
        if (y == IR_NONE) {
            arena_free(arena);
            return false;
        }
        finish(&c, y, keeps[t]);
        c.values = values_new(arena, c.p);
        c.values.spaced = true;
        judge(&c, ir_op_info[opcode].text, variant * 10 + t);
        arena_free(arena);
    }
    return true;
}

static void structural_rows(void) {
    for (int o = 0; o < OP_COUNT; o++) {
        if (ir_op_info[o].rule == RULE_POINT) continue;
        if (!CHECK(builders[o], "%s has no test", ir_op_info[o].text)) continue;
        for (int variant = 0; structural_row((IrOpcode)o, variant); variant++) continue;
    }
}

/* ---- composites ---- */

static void judge_composite(IrProgram *p, IrValue loss, const char *what) {
    ir_output(p, "loss", loss);
    add_gradients(p);
    Case c = {.p = p, .values = values_new(p->arena, p)};
    judge(&c, what, 0);
}

static IrValue softmax(IrProgram *p, IrValue score, AxisId over) {
    IrValue top = ir_stop_gradient(p, ir_max_over(p, score, &over, 1));
    IrValue e = ir_exp(p, ir_sub(p, score, top));
    return ir_div(p, e, ir_sum(p, e, &over, 1));
}

/* A set that attends to itself: queries, keys and values through weights, softmax over a copy of
 * the plate. */
static void attention(void) {
    Arena *arena = arena_new();
    IrProgram *p = ir_program_new(arena, "attention");
    AxisId data = ir_axis(p, "data", AXIS_DATA, AXIS_NONE, 0),
           obs = ir_axis(p, "obs", AXIS_PLATE, AXIS_NONE, 0);
    AxisId copy = ir_axis_copy(p, obs, "obs.b"), in = ir_axis(p, "in", AXIS_EVENT, AXIS_NONE, 2);
    AxisId heads = ir_axis(p, "heads", AXIS_EVENT, AXIS_NONE, 2),
           k = ir_axis(p, "k", AXIS_EVENT, AXIS_NONE, 3);
    IrValue x = ir_input(p, "y", ROLE_DATA, (AxisId[]){data, obs, in}, 3), projected[3];
    static const char *const names[] = {"Q", "K", "V"};
    for (int i = 0; i < 3; i++) {
        IrValue w = ir_input(p, names[i], ROLE_WEIGHT, (AxisId[]){heads, in, k}, 3);
        projected[i] = ir_contract(p, x, w, &in, 1);
    }
    IrValue keys = ir_rename(p, projected[1], obs, copy),
            values = ir_rename(p, projected[2], obs, copy);
    IrValue score = ir_mul(p, ir_contract(p, projected[0], keys, &k, 1), ir_const(p, 0.5));
    IrValue mixed = ir_contract(p, softmax(p, score, copy), values, &copy, 1);
    AxisId all[] = {data, obs, heads, k};
    judge_composite(p, ir_sum(p, ir_square(p, mixed), all, 4), "attention");
    arena_free(arena);
}

static void layer_norm(void) {
    Arena *arena = arena_new();
    IrProgram *p = ir_program_new(arena, "norm");
    AxisId data = ir_axis(p, "data", AXIS_DATA, AXIS_NONE, 0),
           f = ir_axis(p, "f", AXIS_EVENT, AXIS_NONE, 5);
    AxisId in = ir_axis(p, "in", AXIS_EVENT, AXIS_NONE, 3);
    IrValue x = ir_input(p, "y", ROLE_DATA, (AxisId[]){data, in}, 2);
    IrValue h = ir_contract(p, x, ir_input(p, "W", ROLE_WEIGHT, (AxisId[]){in, f}, 2), &in, 1);
    h = ir_add(p, h, ir_input(p, "b", ROLE_WEIGHT, &f, 1));
    IrValue n = ir_extent(p, f), mean = ir_div(p, ir_sum(p, h, &f, 1), n),
            centred = ir_sub(p, h, mean);
    IrValue variance = ir_div(p, ir_sum(p, ir_square(p, centred), &f, 1), n);
    IrValue scaled = ir_div(p, centred, ir_sqrt(p, ir_add(p, variance, ir_const(p, 1e-5))));
    IrValue y = ir_add(p, ir_mul(p, scaled, ir_input(p, "g", ROLE_WEIGHT, &f, 1)),
                       ir_input(p, "c", ROLE_WEIGHT, &f, 1));
    AxisId all[] = {data, f};
    judge_composite(p, ir_div(p, ir_sum(p, ir_sin(p, y), all, 2), ir_extent(p, data)),
                    "layer norm");
    arena_free(arena);
}

/* A term that no data set enters is counted once per data set, not once per chunk. */
static void weight_penalty_per_data_set(void) {
    Arena *arena = arena_new();
    IrProgram *p = ir_program_new(arena, "penalty");
    AxisId data = ir_axis(p, "data", AXIS_DATA, AXIS_NONE, 0);
    IrValue w = ir_input(p, "w", ROLE_WEIGHT, NULL, 0), x = ir_input(p, "y", ROLE_DATA, &data, 1);
    IrValue each = ir_add(p, ir_mul(p, w, x), ir_square(p, w));
    judge_composite(p, ir_sum(p, each, &data, 1), "penalty");
    arena_free(arena);
}

/* Bias gradients and weight gradients come from contractions: no tensor over the data sets, the
 * plate and both features is ever made. */
static void weight_gradients_build_no_product(void) {
    Arena *arena = arena_new();
    IrProgram *p = ir_program_new(arena, "dense");
    AxisId data = ir_axis(p, "data", AXIS_DATA, AXIS_NONE, 0),
           obs = ir_axis(p, "obs", AXIS_PLATE, AXIS_NONE, 0);
    AxisId in = ir_axis(p, "in", AXIS_EVENT, AXIS_NONE, 2),
           f = ir_axis(p, "f", AXIS_EVENT, AXIS_NONE, 3);
    IrValue x = ir_input(p, "y", ROLE_DATA, (AxisId[]){data, obs, in}, 3);
    IrValue w = ir_input(p, "W", ROLE_WEIGHT, (AxisId[]){in, f}, 2),
            s = ir_input(p, "s", ROLE_WEIGHT, &f, 1);
    IrValue h = ir_mul(p, s, ir_tanh(p, ir_contract(p, x, w, &in, 1)));
    AxisId all[] = {data, obs, f};
    ir_output(p, "loss", ir_sum(p, ir_square(p, h), all, 3));
    add_gradients(p);
    const IrProgram *q = opt_dce(p);
    int contractions = 0;
    for (int v = 0; v < q->ops.n; v++) {
        contractions +=
            q->ops.data[v].opcode == OP_CONTRACT && ir_has_axis(q, q->ops.data[v].args[0], data);
        CHECK(q->ops.data[v].n_axes < 4, "%%%d has %d axes", v, q->ops.data[v].n_axes);
        bool sums_a_product = q->ops.data[v].opcode == OP_SUM && v > 8 &&
                              q->ops.data[q->ops.data[v].args[0]].opcode == OP_MUL;
        CHECK(!sums_a_product, "%%%d sums a product", v);
    }
    CHECK(contractions == 4, "%d contractions, not 4 (forward, and the adjoints of y, W and s)",
          contractions);
    arena_free(arena);
}

/* An operand that lacks a ragged plate inside a ragged one, or all plates, counts once for each
 * instance, and the sum's adjoint lacks them, too: random programs have a tanh between. */
static void ragged_in_ragged(void) {
    for (int n = 0; n < 3; n++) { /* axes that the operand has: none, group, group and mid */
        Arena *arena = arena_new();
        IrProgram *p = ir_program_new(arena, "nested");
        AxisId all[3] = {ir_axis(p, "group", AXIS_PLATE, AXIS_NONE, 0)};
        static const char *const names[] = {"group", "mid", "obs"};
        for (int i = 1; i < 3; i++)
            ir_axis_declare(p,
                            (IrAxis){.name = names[i],
                                     .kind = AXIS_PLATE,
                                     .parent = all[i - 1],
                                     .ragged = true,
                                     .copy_of = -1},
                            &all[i]);
        IrValue x0 = ir_input(p, "x0", ROLE_LATENT, all, n);
        IrValue x1 = ir_input(p, "x1", ROLE_LATENT, all, 3);
        ir_output(p, "loss", ir_sum(p, ir_add(p, x0, x1), all, 3));
        Case c = {.p = p, .values = values_new(arena, p)};
        add_gradients(p);
        judge(&c, "ragged in ragged", n);
        arena_free(arena);
    }
}

/* Random compositions of all smooth rows. */
static void random_programs(void) {
    for (uint64_t seed = 0; seed < 150; seed++) {
        Arena *arena = arena_new();
        IrProgram *p = random_program_either(arena, seed, 25, true);
        Case c = {.p = p, .values = values_new(arena, p)};
        add_gradients(p);
        if (only_output(p, "loss")) judge(&c, "random program", (int)seed);
        arena_free(arena);
    }
}

int main(void) {
    RUN(point_rows);
    RUN(structural_rows);
    RUN(attention);
    RUN(layer_norm);
    RUN(weight_penalty_per_data_set);
    RUN(weight_gradients_build_no_product);
    RUN(ragged_in_ragged);
    RUN(random_programs);
    return check_done();
}
