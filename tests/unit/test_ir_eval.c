/* test_ir_eval.c -- the interpreter: axis rules and canonical order, each structural operation and
 * reduction against loops written out here, special functions against known values, random sources.
 */
#include "ir/eval.h"
#include "check.h"
#include "ir_values.h"

#include "ir/special.h"

/* ---- axes ---- */

static void axes_have_one_order(void) {
    Arena *arena = arena_new();
    IrProgram *p = ir_program_new(arena, "p");
    AxisId e = ir_axis(p, "e", AXIS_EVENT, AXIS_NONE, 2),
           draw = ir_axis(p, "draw", AXIS_DRAW, AXIS_NONE, 0);
    AxisId group = ir_axis(p, "group", AXIS_PLATE, AXIS_NONE, 0),
           obs = ir_axis(p, "obs", AXIS_PLATE, group, 0);
    AxisId d = ir_axis(p, "d", AXIS_EVENT, AXIS_NONE, 2),
           data = ir_axis(p, "data", AXIS_DATA, AXIS_NONE, 0);
    AxisId copy = ir_axis_copy(p, group, "group.b");
    AxisId axes[] = {d, obs, e, copy, data, group, draw, obs, e};
    AxisId order[] = {data, draw, group, copy, obs, e, d};
    CHECK(ir_axes_sort(p, axes, 9) == 7 && memcmp(axes, order, sizeof order) == 0,
          "canonical order");
    CHECK(ir_axis(p, "obs", AXIS_PLATE, group, 0) == obs, "declaring an axis again");
    CHECK(ir_axis_find(p, "obs") == obs && ir_axis_find(p, "no") == AXIS_NONE, "finding axes");
    CHECK(ir_axis_same_extent(p, group, copy) && ir_axis_same_extent(p, d, e), "equal extents");
    CHECK(!ir_axis_same_extent(p, group, obs) && !ir_axis_same_extent(p, group, d),
          "unequal extents");
    CHECK(ir_axis_copy(p, copy, "group.c") != copy && p->axes.data[p->axes.n - 1].copy_of == group,
          "the copy of a copy is one of the original");
    arena_free(arena);
}

static void results_have_the_axes_of_their_rule(void) {
    Arena *arena = arena_new();
    IrProgram *p = ir_program_new(arena, "p");
    AxisId data = ir_axis(p, "data", AXIS_DATA, AXIS_NONE, 0),
           g = ir_axis(p, "g", AXIS_PLATE, AXIS_NONE, 0);
    AxisId e = ir_axis(p, "e", AXIS_EVENT, AXIS_NONE, 4),
           f = ir_axis(p, "f", AXIS_EVENT, AXIS_NONE, 2);
    IrValue x = ir_input(p, "x", ROLE_DATA, (AxisId[]){e, data}, 2),
            w = ir_input(p, "w", ROLE_WEIGHT, (AxisId[]){f, e}, 2);
    struct {
        IrValue v;
        int n;
        AxisId axes[4];
    } cases[] = {{x, 2, {data, e}},
                 {ir_mul(p, x, w), 3, {data, e, f}},
                 {ir_contract(p, w, x, &e, 1), 2, {data, f}},
                 {ir_sum(p, x, (AxisId[]){e, data}, 2), 0, {0}},
                 {ir_pick(p, x, e, 1), 1, {data}},
                 {ir_place(p, x, f, 1), 3, {data, e, f}},
                 {ir_slice(p, x, e, f, 1), 2, {data, f}},
                 {ir_pad(p, ir_slice(p, x, e, f, 0), f, e, 2), 2, {data, e}},
                 {ir_spread(p, x, (AxisId[]){g, e}, 2), 3, {data, g, e}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const IrOp *op = &p->ops.data[cases[i].v];
        CHECK(op->n_axes == cases[i].n &&
                  memcmp(op->axes, cases[i].axes, sizeof(AxisId) * (size_t)op->n_axes) == 0,
              "axes of %s", ir_op_info[op->opcode].text);
    }
    CHECK(p->ops.data[ir_lt(p, x, w)].type == IR_BOOL, "type of lt");
    arena_free(arena);
}

/* ---- values, against loops written out: x[data 2][g 3][e 4], w[e 4][f 2] ---- */

typedef struct Small {
    Arena *arena;
    IrProgram *p;
    AxisId data, g, copy, e, f;
    IrValue x, w;
    Values values;
    const double *xs, *ws;
} Small;

static Small small_new(void) {
    Small s = {.arena = arena_new()};
    IrProgram *p = s.p = ir_program_new(s.arena, "small");
    s.data = ir_axis(p, "data", AXIS_DATA, AXIS_NONE, 0);
    s.g = ir_axis(p, "g", AXIS_PLATE, AXIS_NONE, 0);
    s.copy = ir_axis_copy(p, s.g, "g.b");
    s.e = ir_axis(p, "e", AXIS_EVENT, AXIS_NONE, 4);
    s.f = ir_axis(p, "f", AXIS_EVENT, AXIS_NONE, 2);
    s.x = ir_input(p, "y", ROLE_DATA, (AxisId[]){s.data, s.g, s.e}, 3);
    s.w = ir_input(p, "w", ROLE_WEIGHT, (AxisId[]){s.e, s.f}, 2);
    s.values = values_new(s.arena, p);
    IrEvalEnv env = values_env(&s.values);
    s.xs = env.lookup(env.user, p, &p->ops.data[s.x]);
    s.ws = env.lookup(env.user, p, &p->ops.data[s.w]);
    return s;
}

static IrTensor value_of(Small *s, IrValue v) {
    s->p->outputs.n = 0;
    ir_output(s->p, "value", v);
    IrTensor t = {.size = 0};
    IrEvalEnv env = values_env(&s->values);
    const char *why = ir_eval(s->arena, s->p, &env, &t);
    CHECK(!why, "%s", why);
    return t;
}

#define X(d, g, e) (s.xs[((d)*3 + (g)) * 4 + (e)])
#define W(e, f) (s.ws[(e)*2 + (f)])

static void contraction_is_a_sum_of_products(void) {
    Small s = small_new();
    IrTensor t = value_of(&s, ir_contract(s.p, s.x, s.w, (AxisId[]){s.g, s.e}, 2));
    for (int d = 0; d < 2; d++)
        for (int f = 0; f < 2; f++) {
            double sum = 0;
            for (int g = 0; g < 3; g++)
                for (int e = 0; e < 4; e++) sum += X(d, g, e) * W(e, f);
            CHECK_NEAR(t.data[d * 2 + f], sum, 1e-14, "contract");
        }
    arena_free(s.arena);
}

static void reductions_run_over_their_axes(void) {
    Small s = small_new();
    IrTensor sum = value_of(&s, ir_sum(s.p, s.x, (AxisId[]){s.data, s.e}, 2));
    for (int g = 0; g < 3; g++) {
        double expected = 0;
        for (int d = 0; d < 2; d++)
            for (int e = 0; e < 4; e++) expected += X(d, g, e);
        CHECK_NEAR(sum.data[g], expected, 1e-14, "sum");
    }
    IrTensor top = value_of(&s, ir_max_over(s.p, s.x, &s.g, 1));
    for (int d = 0; d < 2; d++)
        for (int e = 0; e < 4; e++)
            CHECK_NEAR(top.data[d * 4 + e], fmax(X(d, 0, e), fmax(X(d, 1, e), X(d, 2, e))), 0,
                       "max_over");
    arena_free(s.arena);
}

static void views_take_the_right_entries(void) {
    Small s = small_new();
    IrTensor renamed = value_of(&s, ir_mul(s.p, s.x, ir_rename(s.p, s.x, s.g, s.copy)));
    IrTensor picked = value_of(&s, ir_pick(s.p, s.x, s.e, 2)),
             placed = value_of(&s, ir_place(s.p, s.x, s.f, 1));
    IrTensor sliced = value_of(&s, ir_slice(s.p, s.x, s.e, s.f, 1));
    IrTensor padded = value_of(&s, ir_pad(s.p, ir_slice(s.p, s.x, s.e, s.f, 1), s.f, s.e, 2));
    IrTensor spread = value_of(&s, ir_spread(s.p, s.x, (AxisId[]){s.copy, s.f}, 2));
    for (int d = 0; d < 2; d++)
        for (int g = 0; g < 3; g++) {
            int dg = d * 3 + g;
            CHECK_NEAR(picked.data[dg], X(d, g, 2), 0, "pick");
            for (int e = 0; e < 4; e++) {
                for (int f = 0; f < 2; f++)
                    CHECK_NEAR(placed.data[(dg * 4 + e) * 2 + f], f == 1 ? X(d, g, e) : 0, 0,
                               "place");
                CHECK_NEAR(padded.data[dg * 4 + e], e >= 2 ? X(d, g, e - 1) : 0, 0, "pad");
                for (int b = 0; b < 3; b++) {
                    CHECK_NEAR(renamed.data[(dg * 3 + b) * 4 + e], X(d, g, e) * X(d, b, e), 0,
                               "rename");
                    CHECK_NEAR(spread.data[((dg * 3 + b) * 4 + e) * 2 + 1], X(d, g, e), 0,
                               "spread");
                }
            }
            for (int f = 0; f < 2; f++)
                CHECK_NEAR(sliced.data[dg * 2 + f], X(d, g, f + 1), 0, "slice");
        }
    arena_free(s.arena);
}

static void leaves_give_what_they_say(void) {
    Small s = small_new();
    static const double numbers[] = {1, 2, 3, 4};
    IrTensor t = value_of(&s, ir_add(s.p, ir_table(s.p, numbers, &s.e, 1), ir_const(s.p, 10)));
    for (int e = 0; e < 4; e++) CHECK_NEAR(t.data[e], 11 + e, 0, "table and const");
    CHECK_NEAR(value_of(&s, ir_extent(s.p, s.copy)).data[0], 3, 0, "extent of a copy");
    CHECK_NEAR(value_of(&s, ir_extent(s.p, s.e)).data[0], 4, 0, "extent of an event axis");
    IrEvalEnv none = {.extent = s.values.extent};
    IrTensor result;
    s.p->outputs.n = 0;
    ir_output(s.p, "w", s.w);
    const char *why = ir_eval(s.arena, s.p, &none, &result);
    CHECK(why && strstr(why, "no numbers for input \"w\""), "a missing input: %s",
          why ? why : "none");
    arena_free(s.arena);
}

/* Draws depend on site, data set, draw and instance alone: not on what else the program holds, nor
 * on which data set is the first. */
static void draws_belong_to_their_place(void) {
    double seen[2][4];
    for (int start = 0; start < 2; start++) {
        Arena *arena = arena_new();
        IrProgram *p = ir_program_new(arena, "p");
        AxisId data = ir_axis(p, "data", AXIS_DATA, AXIS_NONE, 0),
               e = ir_axis(p, "e", AXIS_EVENT, AXIS_NONE, 4);
        if (start) ir_random(p, RANDOM_UNIFORM, "another", &e, 1);
        IrValue z = ir_random(p, RANDOM_NORMAL, "site", (AxisId[]){data, e}, 2);
        ir_output(p, "z", z);
        ir_output(p, "gamma",
                  ir_random_of(p, RANDOM_GAMMA, (IrValue[]){ir_exp(p, z)}, "gamma",
                               (AxisId[]){data, e}, 2));
        IrTensor t[2];
        int64_t extent[] = {3, 0};
        IrEvalEnv env = {.extent = extent, .key = {7, 1}, .data0 = (uint32_t)start};
        const char *why = ir_eval(arena, p, &env, t);
        if (!CHECK(!why, "%s", why)) return;
        memcpy(seen[start], t[0].data + (1 - start) * 4, sizeof seen[start]); /* data set 1 */
        for (int i = 0; i < 12; i++)
            CHECK(isfinite(t[0].data[i]) && t[1].data[i] > 0, "draws %g, %g", t[0].data[i],
                  t[1].data[i]);
        CHECK(t[0].data[0] != t[0].data[1] && t[0].data[0] != t[0].data[4], "draws repeat");
        arena_free(arena);
    }
    CHECK(memcmp(seen[0], seen[1], sizeof seen[0]) == 0,
          "data set 1 has other draws in a later chunk");
}

/* ---- special functions ---- */

static void special_functions_are_precise(void) {
    const double euler = 0.57721566490153286061;
    CHECK_NEAR(ev_digamma(1), -euler, 1e-15, "digamma(1)");
    CHECK_NEAR(ev_digamma(0.5), -euler - 2 * log(2), 2e-15, "digamma(1/2)");
    CHECK_NEAR(ev_digamma(10), 2.25175258906672110764, 1e-15, "digamma(10)");
    CHECK_NEAR(ev_digamma(1e10) / log(1e10), 1, 1e-10, "digamma(1e10)");
    CHECK_NEAR(ev_digamma(1e-8), -1e8 - euler, 1e-7, "digamma(1e-8)");
    CHECK(isnan(ev_digamma(-1)) && isnan(ev_lgamma(-0.5)) && isinf(ev_lgamma(0)),
          "outside of the domain");
    for (double a = 0.05; a < 30; a *= 1.3)
        CHECK_NEAR(ev_digamma(a + 1) - ev_digamma(a), 1 / a, 1e-14 * (1 + 1 / a),
                   "digamma's recurrence");
    CHECK_NEAR(ev_lgamma(0.5), 0.5 * log(acos(-1)), 1e-15, "lgamma(1/2)");
    CHECK_NEAR(ev_lgamma(11), log(3628800.0), 1e-14, "lgamma(11)");
    CHECK_NEAR(ev_logistic(0), 0.5, 0, "logistic(0)");
    CHECK_NEAR(ev_logistic(-745) / exp(-745), 1, 1e-15, "logistic(-745)");
    CHECK_NEAR(ev_logistic(800), 1, 0, "logistic(800)");
    CHECK_NEAR(ev_softplus(0), log(2), 1e-16, "softplus(0)");
    CHECK_NEAR(ev_softplus(1000), 1000, 0, "softplus(1000)");
    CHECK_NEAR(ev_softplus(-40) / exp(-40), 1, 1e-15, "softplus(-40)");
    CHECK(isnan(ev_softplus(NAN)) && isnan(ev_logistic(NAN)), "not a number stays");
}

/* Computed with mpmath 1.3 in 40 digits. */
static void normal_functions_are_precise(void) {
    static const struct {
        double x, log_Phi, inv_mills;
    } at[] = {
        {-1e4, -50000010.129278915, 10000.000099999998},
        {-38.4, -741.84767301524831, 38.426006464567342},
        {-30.5, -469.46273732291211, 30.532716770660158},
        {-29.5, -439.42947460915023, 29.533820844167983},
        {-1.25, -2.2476256772143182, 1.728816627331054},
        {0.75, -0.25699426683836524, 0.38938205673592702},
        {9.5, -1.0494515075362607e-21, 1.007793539430001e-20},
    };
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        CHECK_NEAR(ev_log_Phi(at[i].x) / at[i].log_Phi, 1, 4e-16, "log_Phi");
        CHECK_NEAR(ev_inv_mills(at[i].x) / at[i].inv_mills, 1, 4e-16, "inv_mills");
        if (at[i].x > -38)
            CHECK_NEAR(ev_Phi(at[i].x) / exp(at[i].log_Phi), 1, 1e-13, "Phi is exp(log_Phi)");
    }
    CHECK_NEAR(ev_Phi(-1.25), 0.10564977366685526, 2e-17, "Phi");
    static const double quantiles[][2] = {
        {1e-300, -37.047096299361199},      {1e-5, -4.2648907939228246},
        {0.2, -0.84162123357291417},        {0.4, -0.25334710313579974},
        {0.77, 0.73884684918521369},        {0.999999, 4.7534243088170878},
        {0.5000001, 2.5066282733116483e-7},
    };
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++)
        CHECK_NEAR(ev_inv_Phi(quantiles[i][0]) / quantiles[i][1], 1, 1e-15, "inv_Phi");
    CHECK(ev_inv_Phi(0) == -INFINITY && ev_inv_Phi(1) == INFINITY && isnan(ev_inv_Phi(1.1)) &&
              isnan(ev_inv_Phi(-0.1)),
          "quantiles at and beyond the ends");
    CHECK_NEAR(ev_log1m_exp(-1e-20), log(1e-20), 1e-14, "log1m_exp near 0");
    CHECK_NEAR(ev_log1m_exp(-50) / -exp(-50), 1, 1e-15, "log1m_exp far out");
}

int main(void) {
    RUN(axes_have_one_order);
    RUN(results_have_the_axes_of_their_rule);
    RUN(contraction_is_a_sum_of_products);
    RUN(reductions_run_over_their_axes);
    RUN(views_take_the_right_entries);
    RUN(leaves_give_what_they_say);
    RUN(draws_belong_to_their_place);
    RUN(special_functions_are_precise);
    RUN(normal_functions_are_precise);
    return check_done();
}
