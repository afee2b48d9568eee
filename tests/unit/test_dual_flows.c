/* Splines and coupling layers: the spline against its knots, both maps there and back far beyond
 * their ends, log slopes against differences, the identity before training; and in models, log q
 * both ways, gradients of training steps, and which flow an objective gets. */
#include "backends.h"
#include "check.h"
#include "dual/autoregressive.h"
#include "dual/objectives.h"
#include "graddiff.h"
#include "harness.h"
#include "opt/opt.h"
#include "there_and_back.h"

#include <stdlib.h>

/* ---- maps by themselves ---- */

typedef struct Inputs {
    Arena *arena;
    const double *from; /* what the map is applied to */
    double noise;       /* of everything else */
} Inputs;

static const double *lookup(void *user, const IrProgram *p, const IrOp *op) {
    Inputs *in = user;
    if (!strcmp(op->name, "from")) return in->from;
    int64_t n =
        ir_event_size(p, op->axes + (op->role == ROLE_DATA), op->n_axes - (op->role == ROLE_DATA));
    double *x = arena_array(in->arena, double, n);
    uint32_t seed = 7;
    for (const char *c = op->name; *c; c++) seed = seed * 31 + (uint32_t)*c;
    fill_normal(x, n, seed);
    for (int64_t i = 0; i < n; i++) x[i] *= in->noise;
    return x;
}

static Build bare_build(Arena *arena, AxisId *data) {
    Build b = {.arena = arena, .p = ir_program_new(arena, "map")};
    b.dual = arena_new_of(arena, Dual);
    *data = ir_axis(b.p, "data", AXIS_DATA, AXIS_NONE, 0);
    return b;
}

/* Output `at` over `points` data sets. */
static const double *evaluate(Arena *arena, const IrProgram *p, Inputs *in, int64_t points,
                              IrTensor *out) {
    int64_t *extent = arena_array(arena, int64_t, p->axes.n + 1);
    for (int i = 0; i < p->axes.n; i++)
        extent[i] = p->axes.data[i].extent ? p->axes.data[i].extent : points;
    IrEvalEnv env = {.extent = extent, .lookup = lookup, .user = in};
    in->arena = arena;
    const char *why = ir_eval(arena, p, &env, out);
    return CHECK(!why, "%s", why) ? out[0].data : NULL;
}

enum { MAX_BINS = 16 };
static const double EDGE = 4, LEAST = 1e-3;

/* Knots and slopes from the network's numbers, by the text of spline.c. */
static void knots_of(int64_t bins, const double *width, double *at) {
    double sum = 0, share[MAX_BINS];
    for (int64_t i = 0; i < bins; i++) sum += share[i] = exp(4 * tanh(width[i] / 4));
    at[0] = -EDGE;
    for (int64_t i = 0; i < bins; i++)
        at[i + 1] = at[i] + 2 * EDGE * (LEAST + (1 - LEAST * (double)bins) * share[i] / sum);
}

typedef struct SplineCase {
    Arena *arena;
    int64_t bins;
    double x[MAX_BINS + 1], y[MAX_BINS + 1], slope[MAX_BINS + 1];
    IrProgram *p;
} SplineCase;

/* A spline of random numbers times `noise`; outputs to, log_slope, back, its log_slope. */
static SplineCase spline_case(Arena *arena, int64_t bins, double noise, uint32_t seed) {
    SplineCase s = {.arena = arena, .bins = bins};
    double raw[3][MAX_BINS];
    for (int i = 0; i < 3; i++) {
        fill_normal(raw[i], bins, seed * 3 + (uint32_t)i);
        for (int64_t k = 0; k < bins; k++) raw[i][k] *= noise;
    }
    knots_of(bins, raw[0], s.x);
    knots_of(bins, raw[1], s.y);
    s.slope[0] = s.slope[bins] = 1;
    for (int64_t k = 1; k < bins; k++)
        s.slope[k] = LEAST + log1p(exp(4 * tanh(raw[2][k - 1] / 4) + log(expm1(1 - LEAST))));
    AxisId data;
    Build b = bare_build(arena, &data);
    AxisId bin = spline_bins(&b, bins), knot = spline_knots(&b, bins);
    IrValue from = ir_input(b.p, "from", ROLE_DATA, &data, 1), there, back;
    Spline own = spline_of(&b, bins, ir_table(b.p, raw[0], &bin, 1), ir_table(b.p, raw[1], &bin, 1),
                           ir_table(b.p, raw[2], &knot, 1));
    IrValue to = spline(&b, &own, WAY_DRAW, from, &there);
    ir_output(b.p, "to", to);
    ir_output(b.p, "there", there);
    ir_output(b.p, "round", spline(&b, &own, WAY_DENSITY, to, &back));
    ir_output(b.p, "back", back);
    s.p = b.p;
    return s;
}

enum { GRID = 2001, STEP = 3 };

/* A grid from -12 to 12, and each knot with its neighbours in double. */
static void check_spline(int64_t bins, double noise, uint32_t seed) {
    Arena *arena = arena_new();
    SplineCase s = spline_case(arena, bins, noise, seed);
    double at[GRID + STEP * (MAX_BINS + 1)];
    int64_t n = 0;
    for (; n < GRID; n++) at[n] = -12 + 24.0 * (double)n / (GRID - 1);
    for (int64_t k = 0; k <= bins; k++)
        for (int i = -1; i <= 1; i++) at[n++] = i ? nextafter(s.x[k], i * INFINITY) : s.x[k];
    Inputs in = {.from = at};
    IrTensor out[4];
    const double *to = evaluate(arena, s.p, &in, n, out);
    if (!to) return;
    for (int64_t i = 0; i < n; i++) {
        CHECK_NEAR(out[2].data[i], at[i], 1e-9, "there and back");
        CHECK_NEAR(out[3].data[i], out[1].data[i], 1e-6, "log slope of both ways");
        if (fabs(at[i]) > EDGE) CHECK(to[i] == at[i] && out[1].data[i] == 0, "the ends move");
        if (i > 0 && i < GRID) CHECK(to[i] > to[i - 1], "it falls at %g", at[i]);
    }
    for (int64_t k = 0; k <= bins; k++) {
        const double *y = to + GRID + STEP * k, *slope = out[1].data + GRID + STEP * k;
        for (int i = 0; i < STEP; i++) {
            CHECK_NEAR(y[i], s.y[k], 1e-10, "value at a knot");
            CHECK_NEAR(exp(slope[i]), s.slope[k], 1e-8, "slope at a knot");
        }
    }
    arena_free(arena);
}

static void spline_at_knots_and_back(void) {
    static const int64_t bins[] = {2, 3, 8, 16};
    for (int i = 0; i < 4; i++)
        for (uint32_t seed = 1; seed <= 5; seed++) check_spline(bins[i], seed, seed);
    check_spline(8, 0, 1);
}

/* The slope against differences inside bins, where the spline is smooth. */
static void spline_slopes(void) {
    Arena *arena = arena_new();
    SplineCase s = spline_case(arena, 8, 1.5, 11);
    double at[3 * 400], h = 1e-5;
    for (int i = 0; i < 400; i++)
        for (int k = 0; k < 3; k++) at[3 * i + k] = -4.2 + 8.4 * i / 399.0 + h * (k - 1);
    Inputs in = {.from = at};
    IrTensor out[4];
    const double *to = evaluate(arena, s.p, &in, 3 * 400, out);
    int tried = 0;
    for (int i = 0; i < 400 && to; i++) {
        bool smooth = true;
        for (int k = 0; k <= 8; k++) smooth &= fabs(at[3 * i + 1] - s.x[k]) > 2 * h;
        if (!smooth) continue;
        tried++;
        double slope = (to[3 * i + 2] - to[3 * i]) / (2 * h);
        CHECK(fabs(exp(out[1].data[3 * i + 1]) - slope) < 1e-5 * (1 + slope), "slope at %g: %g, %g",
              at[3 * i + 1], exp(out[1].data[3 * i + 1]), slope);
    }
    CHECK(tried > 380, "%d points", tried);
    arena_free(arena);
}

static void spline_starts_as_the_identity(void) {
    Arena *arena = arena_new();
    SplineCase s = spline_case(arena, 8, 0, 1);
    double at[201];
    for (int i = 0; i <= 200; i++) at[i] = -5 + 0.05 * i;
    Inputs in = {.from = at};
    IrTensor out[4];
    const double *to = evaluate(arena, s.p, &in, 201, out);
    for (int i = 0; i <= 200 && to; i++) {
        CHECK_NEAR(to[i], at[i], 1e-14, "value");
        CHECK_NEAR(out[1].data[i], 0, 1e-14, "log slope");
    }
    arena_free(arena);
}

/* ---- flows of several numbers ---- */

typedef IrValue Flow(Build *b, const char *name, const Maf *shape, Way way, IrValue from, int64_t d,
                     const Block *context, IrValue *log_det);

static Maf shape_of(int64_t bins, double gain) {
    return (Maf){.n_layers = 2, .width = 8, .clip = 4, .last_gain = gain, .bins = bins};
}

/* Outputs: there, log_det of it, back, log_det of that. */
static IrProgram *flow_program(Arena *arena, Flow *flow, int64_t d, const Maf *shape) {
    AxisId data;
    Build b = bare_build(arena, &data);
    coupling_declare(&b, d);
    feature_axis(&b, shape->width);
    AxisId f = feature_axis(&b, d), k = feature_axis(&b, 8), axes[] = {data, f};
    if (shape->bins) spline_declare(&b, shape->bins);
    Block context = block_of(ir_input(b.p, "context", ROLE_LATENT, &k, 1), 1, &k, "context");
    IrValue from = ir_input(b.p, "from", ROLE_DATA, axes, 2);
    IrValue there = ir_const(b.p, 0), back = ir_const(b.p, 0);
    IrValue to = flow(&b, "flow", shape, WAY_DRAW, from, d, &context, &there);
    ir_output(b.p, "to", to);
    ir_output(b.p, "there", ir_spread(b.p, there, &data, 1));
    ir_output(b.p, "round", flow(&b, "flow", shape, WAY_DENSITY, to, d, &context, &back));
    ir_output(b.p, "back", ir_spread(b.p, back, &data, 1));
    return b.p;
}

/* log |det| by elimination. */
static double log_determinant(double *a, int64_t d) {
    double sum = 0;
    for (int64_t i = 0; i < d; i++) {
        int64_t at = i;
        for (int64_t k = i + 1; k < d; k++)
            if (fabs(a[k * d + i]) > fabs(a[at * d + i])) at = k;
        for (int64_t k = 0; k < d; k++) {
            double x = a[i * d + k];
            a[i * d + k] = a[at * d + k], a[at * d + k] = x;
        }
        sum += log(fabs(a[i * d + i]));
        for (int64_t k = i + 1; k < d; k++) {
            double share = a[k * d + i] / a[i * d + i];
            for (int64_t j = i; j < d; j++) a[k * d + j] -= share * a[i * d + j];
        }
    }
    return sum;
}

/* Over all axes. */
static IrValue sum_of(IrProgram *p, IrValue v) {
    AxisId axes[IR_MAX_AXES];
    int n = p->ops.data[v].n_axes;
    memcpy(axes, p->ops.data[v].axes, sizeof axes);
    return n ? ir_sum(p, v, axes, n) : v;
}

enum { POINTS = 60, MOST = 9 };

static void check_flow(Flow *flow, int64_t d, int64_t bins) {
    Arena *arena = arena_new();
    static double from[2 * MOST * POINTS * MOST];
    const double h = 1e-6;
    const Maf shape = shape_of(bins, 1);
    IrProgram *p = flow_program(arena, flow, d, &shape);
    fill_normal(from, POINTS * d, 3);
    for (int64_t i = 0; i < POINTS * d; i++)
        from[i] *= i / d % 3 ? 1 : 4; /* beyond the edges, too */
    Inputs in = {.from = from, .noise = 0.35};
    IrTensor out[4];
    const double *to = evaluate(arena, p, &in, POINTS, out);
    for (int64_t i = 0; to && i < POINTS * d; i++)
        CHECK_NEAR(out[2].data[i], from[i], 1e-9, "there and back");
    for (int64_t i = 0; to && i < POINTS; i++)
        CHECK_NEAR(out[3].data[i], out[1].data[i], 1e-8, "log determinant of both ways");
    /* point `i`, moved by h to either side along each number */
    for (int64_t i = 0; to && i < POINTS; i += 7) {
        double moved[2 * MOST * MOST], jacobian[MOST * MOST];
        for (int64_t j = 0; j < 2 * d; j++)
            for (int64_t k = 0; k < d; k++)
                moved[j * d + k] = from[i * d + k] + (k == j / 2 ? j % 2 ? -h : h : 0);
        Inputs near = {.from = moved, .noise = 0.35};
        IrTensor there[4];
        const double *y = evaluate(arena, p, &near, 2 * d, there);
        if (!y) break;
        for (int64_t j = 0; j < d; j++)
            for (int64_t k = 0; k < d; k++)
                jacobian[k * d + j] = (y[2 * j * d + k] - y[(2 * j + 1) * d + k]) / (2 * h);
        CHECK_NEAR(log_determinant(jacobian, d), out[1].data[i], 2e-5, "against differences");
    }
    arena_free(arena);
}

static void flows_and_back(void) {
    static const int64_t sizes[] = {1, 2, 5, 9};
    for (int i = 0; i < 4; i++) {
        if (sizes[i] > 1) check_flow(coupling, sizes[i], 0);
        check_flow(coupling, sizes[i], 8);
        if (sizes[i] > 1) check_flow(maf, sizes[i], 8);
    }
}

static void flows_start_as_the_identity(void) {
    Flow *const flows[] = {coupling, maf};
    for (int f = 0; f < 2; f++) {
        Arena *arena = arena_new();
        double from[6 * 5];
        fill_normal(from, 30, 9);
        Inputs in = {.from = from, .noise = 0};
        IrTensor out[4];
        const Maf shape = shape_of(8, 0);
        IrProgram *p = flow_program(arena, flows[f], 5, &shape);
        const double *to = evaluate(arena, p, &in, 6, out);
        for (int i = 0; i < 30 && to; i++) CHECK_NEAR(to[i], from[i], 1e-14, "value");
        for (int i = 0; i < 6 && to; i++) CHECK_NEAR(out[1].data[i], 0, 1e-13, "log determinant");
        arena_free(arena);
    }
}

/* Draws with their density, and the gradients of both in weights and context, by both back ends. */
static void by_both_back_ends(void) {
    Arena *arena = arena_new();
    static double from[9 * 2];
    fill_normal(from, 18, 5);
    const Maf shape = {.n_layers = 1, .width = 4, .clip = 4, .last_gain = 1, .bins = 3, .steps = 1};
    IrProgram *p = flow_program(arena, coupling, 2, &shape);
    IrValue wrt[32], grad[32], loss = ir_const(p, 0);
    int n = 0;
    for (int i = 0; i < 4; i++)
        loss = ir_add(p, loss, sum_of(p, ir_square(p, p->outputs.data[i].value)));
    for (IrValue v = 0; v < p->ops.n && n < 32; v++)
        if (p->ops.data[v].opcode == OP_INPUT && p->ops.data[v].role != ROLE_DATA) wrt[n++] = v;
    opt_grad(p, loss, wrt, n, grad);
    for (int i = 0; i < n; i++)
        ir_output(p, arena_printf(arena, "grad:%s", p->ops.data[wrt[i]].name), grad[i]);
    p = opt_dce(opt_cse(opt_fold(p)));
    int64_t *extent = arena_array(arena, int64_t, p->axes.n + 1);
    for (int i = 0; i < p->axes.n; i++)
        extent[i] = p->axes.data[i].extent ? p->axes.data[i].extent : 9;
    Inputs in = {.arena = arena, .from = from, .noise = 0.3};
    IrEvalEnv env = {.extent = extent, .lookup = lookup, .user = &in};
    for (int kind = 0; kind < 2; kind++) {
        Backends *b = backends_new(arena);
        backends_add(
            b, p, &(ScheduleOptions){.f64 = !kind, .lanes = 4, .lane_axis = "data", .copies = 1});
        const char *why = backends_build(b, kind ? BACKEND_C : BACKEND_LLVM);
        if (!why) why = backends_compare(b, 0, &env, kind ? 1e-4 : 1e-10, kind ? 0.1 : 1e-2);
        CHECK(!why, "%s: %s", kind ? "C" : "LLVM", why);
        backends_free(b);
    }
    arena_free(arena);
}

/* ---- in models ---- */

static const DualOptions families[] = {{FAMILY_STRUCTURED, false, false},
                                       {FAMILY_ADAVI, false, true},
                                       {FAMILY_CASCADING, false, false},
                                       {FAMILY_TOTAL_FLOW, false, false},
                                       {FAMILY_ADAVI, true, true}};
enum { N_FAMILIES = sizeof families / sizeof *families };

/* Joint flow, a flow of one number and a wide one. */
static Compiled *compile_with(FlowKind kind, int family) {
    Arena *arena = arena_new();
    const char *f = flow_info[kind].name;
    Compiled *c = compile_text(
        f,
        arena_printf(arena,
                     "latent m[2] ~ normal(0, 1);\n"
                     "latent s ~ gamma(3, 3);\n"
                     "plate g(2) { latent a ~ normal(m[0], s); latent w[9] ~ normal(m[1], s);\n"
                     "  observed x[9] ~ normal(a + w, 1); }\n"
                     "dual { flow m = %s(); flow s = %s(); flow a = %s(); flow w = %s(); }\n",
                     f, f, f, f),
        families[family]);
    arena_free(arena);
    CHECK(c, "%s, family %d: it does not compile", f, family);
    return c;
}

static const FlowKind kinds[] = {FLOW_SPLINE, FLOW_COUPLING, FLOW_SPLINE_COUPLING};

static Run *start(Compiled *c, double noise) {
    Run *run = run_new(c, 2, 3);
    run_start_weights(run, 3, noise);
    run_statistics(run);
    return run;
}

static void density_of_given_values(void) {
    for (int k = 0; k < 3; k++)
        for (int f = 0; f < N_FAMILIES; f++) {
            Compiled *c = compile_with(kinds[k], f);
            if (!c) continue;
            c->dual->fixed = families[f].family == FAMILY_TOTAL_FLOW;
            IrProgram *p = there_and_back(c);
            check_there_and_back(start(c, 0.1), p, flow_info[kinds[k]].name);
            compiled_free(c);
        }
}

static void gradients(void) {
    for (int k = 0; k < 3; k++) {
        Compiled *c = compile_with(kinds[k], 0);
        if (!c) continue;
        Run *run = start(c, 0.05);
        IrEvalEnv env = run_env(run, c->dual->step);
        double worst;
        int wrong = check_gradients(c->dual->step, &env, 0, &worst);
        CHECK(wrong == 0, "%s: %d derivatives are wrong, the worst by %g of the largest",
              flow_info[kinds[k]].name, wrong, worst);
        compiled_free(c);
    }
}

/* Before training all flows are the affine map's: the same draws, the same log q. */
static void guides_start_alike(void) {
    static double first[2][6];
    for (int k = -1; k < 3; k++) {
        Compiled *c = compile_with(k < 0 ? FLOW_AFFINE : kinds[k], 0);
        if (!c) continue;
        Run *run = start(c, 0);
        const IrTensor *x = run_output(run, c->dual->simulate, "x");
        run_give(run, "x", x->data, x->size);
        static const char *const what[] = {"s", "log_q"};
        for (int i = 0; i < 2; i++) {
            const double *v = run_output(run, c->dual->posterior, what[i])->data;
            for (int j = 0; j < 6; j++) {
                if (k < 0) first[i][j] = v[j];
                CHECK_NEAR(v[j], first[i][j], 1e-11, what[i]);
            }
        }
        compiled_free(c);
    }
}

static bool has_weight(const Compiled *c, const char *name) {
    for (int i = 0; i < c->dual->weights.n; i++)
        if (!strcmp(c->dual->weights.data[i].name, name)) return true;
    return false;
}

/* Beyond what is written out, densities of given values are those of coupling layers. */
static void objectives_choose(void) {
    static const char text[] = "latent m ~ normal(0, 1); plate g(%d) { latent a ~ normal(m, 1); "
                               "observed x ~ normal(a, 1); }\n"
                               "dual { objective = %s; }\n";
    static const struct {
        int groups;
        const char *objective;
        bool coupling, layers;
    } cases[] = {{40, "forward_kl", true, false},
                 {40, "reverse_kl", false, true},
                 {20, "forward_kl", false, false}};
    for (int i = 0; i < 3; i++) {
        Arena *arena = arena_new();
        Compiled *c =
            compile_text("m", arena_printf(arena, text, cases[i].groups, cases[i].objective),
                         (DualOptions){.family = FAMILY_TOTAL_FLOW});
        if (CHECK(c, "it does not compile")) {
            bool layers = has_weight(c, "(all).iaf.0.b.0"),
                 coupling = has_weight(c, "(all).coupling.0.0.b");
            CHECK(coupling == cases[i].coupling && layers == cases[i].layers,
                  "%d groups, %s: coupling %d, layers %d", cases[i].groups, cases[i].objective,
                  coupling, layers);
            Run *run = start(c, 0.02);
            const IrProgram *p = dual_program(c->dual, "forward");
            double loss = p ? run_output(run, p, "loss")->data[0] : 0;
            CHECK(loss - loss == 0, "the loss is %g", loss);
            compiled_free(c);
        }
        arena_free(arena);
    }
}

int main(void) {
    RUN(spline_at_knots_and_back);
    RUN(spline_slopes);
    RUN(spline_starts_as_the_identity);
    RUN(flows_and_back);
    RUN(flows_start_as_the_identity);
    RUN(by_both_back_ends);
    RUN(density_of_given_values);
    RUN(gradients);
    RUN(guides_start_alike);
    RUN(objectives_choose);
    return check_done();
}
