/* test_opt_statistics.c -- sums of quadratic terms by their sufficient statistics: values and
 * gradients stay, spaces of two axes fall where they should and nothing changes where not, and
 * nothing cancels where raw moments would.
 */
#include "check.h"
#include "harness.h"
#include "ir_values.h"

#include "opt/opt.h"

static const char axes[] = "  axis data : data\n  axis draw : draw\n  axis g : plate\n"
                           "  axis k : plate in g\n  axis e1 : event 1\n  axis e2 : event 2\n"
                           "  axis e5 : event 5\n"
                           "  %0 = input \"d\" data [data g k]\n"
                           "  %1 = input \"m\" latent [data draw g]\n"
                           "  %2 = input \"x0\" latent [data draw]\n"
                           "  %3 = input \"t\" data [data g k]\n"
                           "  %4 = input \"z\" latent [data draw g k]\n"
                           "  %5 = input \"y\" data [data g e5]\n";

static IrProgram *program_of(Arena *arena, const char *name, const char *code) {
    const char *error;
    IrProgram *p = ir_parse(arena, arena_printf(arena, "program p {\n%s%s}\n", axes, code), &error);
    CHECK(p, "%s: %s", name, error);
    return p;
}

static bool has(const AxisId *among, int n, AxisId axis) {
    for (int i = 0; i < n; i++)
        if (among[i] == axis) return true;
    return false;
}

/* Operations, inputs excepted, whose space has both axes. */
static int spaces(const IrProgram *p, AxisId a, AxisId b) {
    int n = 0;
    for (IrValue v = 0; v < p->ops.n; v++) {
        const IrOp *op = &p->ops.data[v];
        bool in_a = has(op->axes, op->n_axes, a) || has(op->over, op->n_over, a);
        bool in_b = has(op->axes, op->n_axes, b) || has(op->over, op->n_over, b);
        n += op->opcode != OP_INPUT && in_a && in_b;
    }
    return n;
}

static const IrProgram *simplified(const IrProgram *p) {
    return opt_dce(opt_cse(opt_fold(p)));
}

/* ---- values and gradients ---- */

/* All outputs of p and q agree to `tol` of the largest entry. */
static void agree(const IrProgram *p, const IrProgram *q, const char *what, int seed, double tol) {
    Values values = values_new(p->arena, p);
    values.low[0] = 0.5; /* input x0: scales */
    values.high[0] = 2;
    IrEvalEnv env = values_env(&values);
    IrTensor *a = arena_array(p->arena, IrTensor, p->outputs.n),
             *b = arena_array(p->arena, IrTensor, p->outputs.n);
    const char *why = ir_verify(q);
    if (!why) why = ir_eval(p->arena, p, &env, a);
    if (!why) why = ir_eval(p->arena, q, &env, b);
    if (!CHECK(!why && p->outputs.n == q->outputs.n, "%s, %d: %s", what, seed, why)) return;
    for (int i = 0; i < p->outputs.n; i++) {
        bool same = a[i].n_axes == b[i].n_axes && a[i].size == b[i].size;
        double largest = 1;
        for (int64_t k = 0; same && k < a[i].size; k++) largest = fmax(largest, fabs(a[i].data[k]));
        for (int64_t k = 0; same && k < a[i].size; k++)
            same = fabs(a[i].data[k] - b[i].data[k]) <= tol * largest;
        if (!CHECK(same, "%s, %d: output %s differs", what, seed, p->outputs.data[i].name)) return;
    }
}

/* The same with gradients, which are taken after the rewriting. Does it change anything? */
static bool keeps(const IrProgram *built, const char *what, int seed) {
    IrProgram *p = opt_dce(opt_cse(built)), *q = opt_statistics(p);
    bool changed = strcmp(ir_text(q), ir_text(p)) != 0;
    add_gradients(p);
    add_gradients(q);
    agree(p, q, what, seed, 1e-11);
    agree(p, simplified(q), what, seed, 1e-11);
    return changed;
}

static void random_programs_keep_values(void) {
    for (uint64_t seed = 0; seed < 400; seed++) {
        Arena *arena = arena_new();
        keeps(random_program_either(arena, seed, 40, true), "random program", (int)seed);
        arena_free(arena);
    }
}

/* Random sums of random quadratic terms: affine forms in inputs of all sorts of axes. */
typedef struct Maker {
    IrProgram *p;
    uint64_t state;
    AxisId axes[6];
    IrValue scale;
} Maker;

static IrValue some_input(Maker *m) {
    static const int sets[][5] = {{0, 2, 3, -1}, {0, 1, 2, -1}, {0, 2, 3, 4, -1}, {2, 3, -1},
                                  {0, 1, -1},    {1, -1},       {4, -1},          {-1}};
    int which = values_pick(&m->state, 8), n = 0;
    AxisId own[5];
    for (; sets[which][n] >= 0; n++) own[n] = m->axes[sets[which][n]];
    return ir_input(m->p, arena_printf(m->p->arena, "in%d.%d", which, values_pick(&m->state, 3)),
                    ROLE_LATENT, own, n);
}

static IrValue some_affine(Maker *m, int depth) {
    if (depth == 0) return some_input(m);
    IrValue a = some_affine(m, depth - 1);
    switch (values_pick(&m->state, 6)) {
    case 0:
        return ir_neg(m->p, a);
    case 1:
        return ir_div(m->p, a, m->scale);
    case 2:
        return ir_mul(m->p, some_input(m), a);
    case 3:
        return ir_add(m->p, a, some_affine(m, depth - 1));
    default:
        return ir_sub(m->p, a, some_affine(m, depth - 1));
    }
}

static IrValue some_term(Maker *m, int depth) {
    IrProgram *p = m->p;
    int kind = values_pick(&m->state, depth ? 6 : 3);
    IrValue l = some_affine(m, 2);
    switch (kind) {
    case 0:
        return ir_mul(p, ir_const(p, -0.5), ir_square(p, ir_div(p, l, m->scale)));
    case 1:
        return ir_mul(p, l, some_affine(m, 1));
    case 2:
        return ir_square(p, l);
    case 3:
        return ir_sub(p, some_term(m, depth - 1), ir_log(p, m->scale));
    case 4:
        return ir_add(p, some_term(m, depth - 1), ir_tanh(p, l));
    default:
        return ir_sub(p, some_term(m, depth - 1), some_term(m, depth - 1));
    }
}

static IrValue sum_all(Maker *m, IrValue v) {
    while (m->p->ops.data[v].n_axes) { /* an axis or two at a time, in any order */
        const IrOp op = m->p->ops.data[v];
        AxisId over[2] = {op.axes[values_pick(&m->state, op.n_axes)],
                          op.axes[values_pick(&m->state, op.n_axes)]};
        v = ir_sum(m->p, v, over, over[0] == over[1] ? 1 : 2);
    }
    return v;
}

static void quadratic_sums_keep_values_and_gradients(void) {
    int changed = 0;
    for (int seed = 0; seed < 600; seed++) {
        Arena *arena = arena_new();
        Maker m = {.p = ir_program_new(arena, "quadratic"), .state = (uint64_t)seed * 7919 + 1};
        IrProgram *p = m.p;
        m.axes[0] = ir_axis(p, "data", AXIS_DATA, AXIS_NONE, 0);
        m.axes[1] = ir_axis(p, "draw", AXIS_DRAW, AXIS_NONE, 0);
        m.axes[2] = ir_axis(p, "g", AXIS_PLATE, AXIS_NONE, 0);
        m.axes[3] = ir_axis(p, "k", AXIS_PLATE, m.axes[2], 0);
        m.axes[4] = ir_axis(p, "e5", AXIS_EVENT, AXIS_NONE, 5);
        m.scale = ir_input(p, "x0", ROLE_LATENT, (AxisId[]){m.axes[0], m.axes[1]},
                           values_pick(&m.state, 3));
        IrValue loss = sum_all(&m, some_term(&m, 2));
        ir_output(p, "loss", loss);
        changed += keeps(p, "quadratic sum", seed);
        arena_free(arena);
    }
    CHECK(changed > 250, "only %d of 600 sums were rewritten", changed);
}

/* ---- what falls, and what is left alone ---- */

typedef struct Sum {
    const char *name, *code;
    bool falls; /* no operation over draws and instances of k is left; else the program stays */
} Sum;

static const Sum sums[] = {
    {"a normal's observations",
     "  %6 = sub %0 %1\n  %7 = div %6 %2\n  %8 = square %7\n  %9 = const -0.5\n"
     "  %10 = mul %9 %8\n  %11 = log %2\n  %12 = sub %10 %11\n  %13 = sum %12 over [k]\n"
     "  %14 = sum %13 over [g]\n  output \"y\" = %14\n",
     true},
    {"the same over both plates at once, nothing in between",
     "  %6 = sub %0 %2\n  %7 = square %6\n  %8 = sum %7 over [g k]\n  output \"y\" = %8\n", true},
    {"a regression on a covariate",
     "  %6 = mul %3 %2\n  %7 = sub %0 %1\n  %8 = sub %7 %6\n  %9 = square %8\n"
     "  %10 = sum %9 over [k]\n  output \"y\" = %10\n",
     true},
    {"an exponential's observations: degree one",
     "  %6 = mul %0 %2\n  %7 = log %2\n  %8 = sub %7 %6\n  %9 = sum %8 over [k]\n  output \"y\" = "
     "%9\n",
     true},
    {"a function of the data alone in the exponent",
     "  %6 = exp %0\n  %7 = sub %6 %1\n  %8 = square %7\n  %9 = sub %8 %0\n"
     "  %10 = sum %9 over [g k]\n  output \"y\" = %10\n",
     true},
    {"Student's t",
     "  %6 = sub %0 %1\n  %7 = div %6 %2\n  %8 = square %7\n  %9 = log1p %8\n  %10 = const -2\n"
     "  %11 = mul %10 %9\n  %12 = log %2\n  %13 = sub %11 %12\n  %14 = sum %13 over [k]\n  output "
     "\"y\" = %14\n",
     false},
    {"latents that vary over instances and draws",
     "  %6 = sub %4 %1\n  %7 = square %6\n  %8 = sum %7 over [k]\n  output \"y\" = %8\n", false},
    {"data alone",
     "  %6 = sub %0 %3\n  %7 = square %6\n  %8 = sum %7 over [k]\n  output \"y\" = %8\n", false},
    {"data and such latents",
     "  %6 = sub %0 %4\n  %7 = square %6\n  %8 = sum %7 over [k]\n  output \"y\" = %8\n", false},
    {"a scale of each instance",
     "  %6 = sub %0 %1\n  %7 = div %6 %3\n  %8 = square %7\n  %9 = sum %8 over [k]\n  output \"y\" "
     "= %9\n",
     false},
    {"a derivative that is to be zero",
     "  %6 = sub %0 %1\n  %7 = stop_gradient %6\n  %8 = square %7\n  %9 = sum %8 over [k]\n  "
     "output \"y\" = %9\n",
     false},
};

static void spaces_fall_by_axes_alone(void) {
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        Arena *arena = arena_new();
        IrProgram *p = program_of(arena, sums[i].name, sums[i].code);
        if (p) {
            AxisId draw = ir_axis_find(p, "draw"), k = ir_axis_find(p, "k");
            IrProgram *q = opt_statistics(p);
            agree(p, q, sums[i].name, 0, 1e-12);
            if (sums[i].falls)
                CHECK(spaces(p, draw, k) > 0 && spaces(q, draw, k) == 0, "%s: %d operations left",
                      sums[i].name, spaces(q, draw, k));
            else
                CHECK(!strcmp(ir_text(q), ir_text(opt_dce(p))), "%s: has changed", sums[i].name);
        }
        arena_free(arena);
    }
}

/* A value of two users, each with a value of two users, and so on: terms without end if each was
 * written out for each. */
static void shared_terms_are_bounded(void) {
    Arena *arena = arena_new();
    IrProgram *p = program_of(arena, "shared terms",
                              "  %6 = sub %0 %1\n  %7 = square %6\n  output \"x\" = %7\n");
    IrValue q = p->outputs.data[0].value, v = q;
    for (int i = 0; i < 60; i++) v = ir_add(p, q, ir_mul(p, ir_const(p, 0.5), ir_add(p, v, v)));
    AxisId k = ir_axis_find(p, "k");
    ir_output(p, "y", ir_sum(p, v, &k, 1));
    IrProgram *r = opt_statistics(p);
    agree(p, r, "shared terms", 0, 1e-12);
    CHECK(r->ops.n < 10000, "%d operations", r->ops.n);
    arena_free(arena);
}

/* ---- programs of models ---- */

static void judge_model(const char *path, const char *innermost, bool paper) {
    Compiled *c =
        compile_file(path, (DualOptions){.family = paper ? FAMILY_ADAVI : FAMILY_STRUCTURED,
                                         .paper = paper,
                                         .no_exact = paper});
    if (!CHECK(c, "%s does not compile", path)) return;
    const IrProgram *programs[] = {c->dual->step, c->dual->logjoint, c->dual->posterior};
    for (int i = 0; i < 3; i++) {
        const IrProgram *p = simplified(programs[i]);
        AxisId plate = ir_axis_find(p, innermost), draw = ir_axis_find(p, "draw");
        CHECK(plate != AXIS_NONE && draw != AXIS_NONE, "%s: no such axes", path);
        CHECK(spaces(p, draw, plate) == 0, "%s, %s: %d operations over draws and %s", path, p->name,
              spaces(p, draw, plate), innermost);
    }
    compiled_free(c);
}

static void no_draw_meets_an_observation(void) {
    static const char *const models[][2] = {{"examples/gre.hbm", "obs"},
                                            {"examples/pastes.hbm", "assay"},
                                            {"examples/dyestuff.hbm", "sample"},
                                            {"examples/two_traits.hbm", "pupil"}};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        for (int paper = 0; paper < 2; paper++) judge_model(models[i][0], models[i][1], paper);
}

/* ---- precision ---- */

enum { N = 200 };

static double centred(int i) {
    return sin(12.9898 * i) * 1.4142; /* variance about 1 */
}

/* One data set, one draw, one group of N instances. */
typedef struct Precise {
    double x[N], t[N], m, s;
} Precise;

static const double *precise_lookup(void *user, const IrProgram *p, const IrOp *op) {
    Precise *data = user;
    (void)p;
    switch (op->name[0]) {
    case 'd':
        return data->x;
    case 't':
        return data->t;
    case 'm':
        return &data->m;
    default:
        return &data->s;
    }
}

static double value_of(const IrProgram *p, Precise *data) {
    int64_t extent[64];
    for (int i = 0; i < p->axes.n; i++) extent[i] = 1;
    extent[ir_axis_find(p, "k")] = N;
    IrTensor y = {0};
    const char *why = ir_eval(
        p->arena, p, &(IrEvalEnv){.extent = extent, .lookup = precise_lookup, .user = data}, &y);
    return CHECK(!why, "%s", why) ? y.data[0] : NAN;
}

/* What f32 makes of a mean of 1e4 and a deviation of 1, double makes of 5e12: the deviation is 2000
 * units in the last place of the mean. Sum of (x - m)^2 where m is off by a tenth. */
static void large_means_do_not_cancel(void) {
    static const char code[] = "  %6 = sub %0 %1\n  %7 = square %6\n  %8 = sum %7 over [k]\n"
                               "  output \"y\" = %8\n";
    Arena *arena = arena_new();
    IrProgram *p = program_of(arena, "large means", code);
    Precise data = {.m = 5e12 + 0.125};
    double exact = 0, raw = 0, sum = 0, squares = 0;
    for (int i = 0; i < N; i++) {
        data.x[i] = 5e12 + centred(i);
        exact += (data.x[i] - data.m) * (data.x[i] - data.m);
        sum += data.x[i];
        squares += data.x[i] * data.x[i];
    }
    raw = squares - 2 * data.m * sum + N * data.m * data.m;
    CHECK(fabs(raw - exact) > 0.5 * exact, "raw moments are exact: %g, %g", raw, exact);
    double got = value_of(opt_statistics(p), &data);
    CHECK_NEAR(got / exact, 1, 1e-3, "sum of squares about m"); /* of a mean off by half a unit */
    arena_free(arena);
}

/* x = t + noise of 1e-8: the square of that ratio is lost in double. Sum of (x - m - s t)^2. */
static void good_fits_do_not_cancel(void) {
    static const char code[] = "  %6 = mul %3 %2\n  %7 = sub %0 %1\n  %8 = sub %7 %6\n"
                               "  %9 = square %8\n  %10 = sum %9 over [k]\n"
                               "  output \"y\" = %10\n";
    Arena *arena = arena_new();
    IrProgram *p = program_of(arena, "good fits", code);
    Precise data = {.m = 0.25e-8, .s = 1 + 0.5e-8};
    double exact = 0, tt = 0, xt = 0, xx = 0;
    for (int i = 0; i < N; i++) {
        data.t[i] = centred(7 * i + 3);
        data.x[i] = data.t[i] + 1e-8 * centred(i);
        double r = data.x[i] - data.m - data.s * data.t[i];
        exact += r * r;
        tt += data.t[i] * data.t[i];
        xt += data.x[i] * data.t[i];
        xx += data.x[i] * data.x[i];
    }
    double cross = xx - 2 * data.s * xt + data.s * data.s * tt;
    CHECK(fabs(cross - exact) > 0.01 * exact, "cross moments are exact: %g, %g", cross, exact);
    double got = value_of(opt_statistics(p), &data);
    CHECK_NEAR(got / exact, 1, 1e-6, "sum of squares about the line");
    arena_free(arena);
}

/* What does not vary along the plate projects nothing, whichever comes first, and spoils nothing.
 */
static void constant_values_are_harmless(void) {
    static const char code[] = "  %6 = mul %3 %2\n  %7 = sub %0 %1\n  %8 = sub %7 %6\n"
                               "  %9 = square %8\n  %10 = sum %9 over [k]\n"
                               "  output \"y\" = %10\n";
    Arena *arena = arena_new();
    IrProgram *p = program_of(arena, "constant values", code);
    for (int which = 0; which < 3; which++) {
        Precise data = {.m = 0.3, .s = 1.7};
        for (int i = 0; i < N; i++) {
            data.x[i] = which == 0 ? centred(i) : 2;
            data.t[i] = which == 1 ? centred(i) : 3;
        }
        CHECK_NEAR(value_of(opt_statistics(p), &data), value_of(p, &data), 1e-10, "sum");
    }
    arena_free(arena);
}

int main(void) {
    RUN(random_programs_keep_values);
    RUN(quadratic_sums_keep_values_and_gradients);
    RUN(spaces_fall_by_axes_alone);
    RUN(shared_terms_are_bounded);
    RUN(no_draw_meets_an_observation);
    RUN(large_means_do_not_cancel);
    RUN(good_fits_do_not_cancel);
    RUN(constant_values_are_harmless);
    return check_done();
}
