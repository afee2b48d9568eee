/* The way back through the guide: log q of given latents against log q of the same latents as they
 * were drawn; the maps one by one; and the gradients of the objectives that rest on it. */
#include "check.h"
#include "dual/autoregressive.h"
#include "dual/objectives.h"
#include "graddiff.h"
#include "harness.h"
#include "opt/opt.h"
#include "there_and_back.h"

enum { N_FAMILIES = 4 };
static const DualOptions families[N_FAMILIES] = {{FAMILY_STRUCTURED, false, false},
                                                 {FAMILY_ADAVI, false, false},
                                                 {FAMILY_STRUCTURED, false, true},
                                                 {FAMILY_ADAVI, true, true}};

typedef struct Size {
    const char *axis;
    int64_t n;
} Size;

typedef struct Case {
    const char *path, *text; /* the model in a file, or this one */
    int n_sizes;
    Size sizes[3];
} Case;

/* A flow that is layers over the whole event, unless densities are asked for. */
static const char wide[] = "latent m[10] ~ normal(0, 2);\n"
                           "latent s ~ gamma(4, 2);\n"
                           "plate a(2) { latent u[10] ~ normal(m, 0.7);\n"
                           "  plate b(2) { observed y[10] ~ normal(u, s); } }\n"
                           "dual { objective = forward_kl; }\n";

static const Case cases[] = {
    {"examples/gre.hbm", NULL, 2, {{"group", 2}, {"obs", 3}}},
    {"examples/nc.hbm", NULL, 1, {{"sample", 4}}},
    {"examples/pastes.hbm", NULL, 3, {{"batch", 2}, {"cask", 2}, {"assay", 2}}},
    {"examples/two_traits.hbm", NULL, 2, {{"school", 2}, {"pupil", 3}}},
    {"tests/models/two_level_regression.hbm", NULL, 2, {{"district", 2}, {"school", 2}}},
    {"examples/prior_scale.hbm", NULL, 2, {{"batch", 2}, {"sample", 2}}},
    {"examples/robust.hbm", NULL, 2, {{"batch", 2}, {"sample", 3}}},
    {"tests/models/reductions.hbm", NULL, 3, {{"class", 2}, {"pupil", 3}, {"school", 2}}},
    {"tests/models/von_mises_fisher.hbm", NULL, 1, {{"obs", 3}}},
    {"tests/models/crossed.hbm", NULL, 2, {{"person", 3}, {"item", 2}}},
    {"wide", wide, 0, {{NULL, 0}}},
};
enum { N_CASES = sizeof cases / sizeof *cases };

static Compiled *compile_case(const Case *m, int family) {
    Compiled *c = m->text ? compile_text(m->path, m->text, families[family])
                          : compile_file(m->path, families[family]);
    CHECK(c, "%s does not compile", m->path);
    return c;
}

static Run *run_case(Compiled *c, const Case *m) {
    Run *run = run_new(c, 2, 2);
    for (int i = 0; i < m->n_sizes; i++) run_size(run, m->sizes[i].axis, m->sizes[i].n);
    run_start_weights(run, 3, 0.1);
    run_statistics(run);
    return run;
}

static void check_density(const Case *m) {
    for (int f = 0; f < N_FAMILIES; f++) {
        Compiled *c = compile_case(m, f);
        if (!c) return;
        Run *run = run_case(c, m);
        IrProgram *p = there_and_back(c);
        check_there_and_back(run, p, arena_printf(c->arena, "%s, family %d", m->path, f));
        compiled_free(c);
    }
}

static void density_of_given_values(void) {
    for (int i = 0; i < N_CASES; i++) check_density(&cases[i]);
}

/* ---- map by map ---- */

enum { POINTS = 200, WIDTH = 3 };

static double numbers[8][POINTS * WIDTH * 16];

static const double *any_input(void *user, const IrProgram *p, const IrOp *op) {
    (void)user;
    (void)p;
    if (op->role == ROLE_WEIGHT) return numbers[strlen(op->name) % 6];
    return numbers[6 + (op->name[0] == 'c')];
}

/* x, x there and back, and log slopes of both ways. */
static void check_round(IrProgram *p, const IrValue out[4]) {
    static const char *const names[] = {"x", "round", "there", "back"};
    for (int i = 0; i < 4; i++) ir_output(p, names[i], out[i]);
    for (int i = 0; i < 8; i++) fill_normal(numbers[i], POINTS * WIDTH * 16, 5 + (uint32_t)i);
    int64_t extent[64];
    for (int i = 0; i < p->axes.n; i++)
        extent[i] = p->axes.data[i].extent ? p->axes.data[i].extent : POINTS;
    IrEvalEnv env = {.extent = extent, .lookup = any_input};
    IrTensor result[4];
    const char *why = ir_eval(p->arena, p, &env, result);
    if (!CHECK(!why, "%s", why)) return;
    for (int64_t i = 0; i < result[0].size; i++)
        CHECK_NEAR(result[1].data[i], result[0].data[i], 1e-10, "there and back");
    for (int64_t i = 0; i < result[2].size; i++)
        CHECK_NEAR(result[3].data[i], result[2].data[i], 1e-10, "log slope");
}

static Build bare_build(Arena *arena, AxisId *data) {
    Build b = {.arena = arena, .p = ir_program_new(arena, "round")};
    b.dual = arena_new_of(arena, Dual);
    *data = ir_axis(b.p, "data", AXIS_DATA, AXIS_NONE, 0);
    return b;
}

static void bend_and_back(void) {
    Arena *arena = arena_new();
    AxisId axes[2];
    Build b = bare_build(arena, axes);
    axes[1] = ir_axis(b.p, "flat", AXIS_EVENT, AXIS_NONE, WIDTH);
    IrValue x = ir_input(b.p, "x", ROLE_DATA, axes, 2), k = ir_input(b.p, "c", ROLE_DATA, axes, 2);
    Bend bend = {k, ir_neg(b.p, k), ir_mul(b.p, k, ir_const(b.p, 0.4))};
    IrValue there = ir_const(b.p, 0), back = ir_const(b.p, 0);
    x = ir_mul(b.p, x, ir_const(b.p, 3));
    IrValue t = bent(&b, x, &bend, axes[1], &there);
    IrValue y = unbent(&b, t, &bend, axes[1], &back);
    check_round(b.p, (IrValue[]){x, y, there, back});
    arena_free(arena);
}

static void autoregression_and_back(void) {
    Arena *arena = arena_new();
    AxisId data;
    Build b = bare_build(arena, &data);
    AxisId f = feature_axis(&b, WIDTH), axes[] = {data, f};
    feature_axis(&b, 8);
    static const Maf shape = {.n_layers = 2, .width = 8, .clip = 4, .last_gain = 1};
    IrValue x = ir_input(b.p, "x", ROLE_DATA, axes, 2), k = ir_input(b.p, "c", ROLE_DATA, axes, 2);
    Block context = block_of(k, 1, &f, "context");
    IrValue there = ir_const(b.p, 0), back = ir_const(b.p, 0);
    IrValue y = maf(&b, "z", &shape, WAY_DRAW, x, WIDTH, &context, &there);
    IrValue z = maf(&b, "z", &shape, WAY_DENSITY, y, WIDTH, &context, &back);
    check_round(b.p, (IrValue[]){x, z, there, back});
    arena_free(arena);
}

/* ---- gradients ---- */

typedef void Fill(Build *b);

/* The program of an objective, with its gradient in every weight that it reads. */
static IrProgram *program_of(Compiled *c, Fill *fill) {
    Build *b = build_start(c->arena, c->dual, "objective");
    fill(b);
    int n = 0;
    IrValue *wrt = arena_array(c->arena, IrValue, b->weights.n + 1),
            *grad = arena_array(c->arena, IrValue, b->weights.n + 1), loss = IR_NONE;
    const char **names = arena_array(c->arena, const char *, b->weights.n + 1);
    for (int i = 0; i < b->weights.n; i++) {
        if (b->weights.data[i] == IR_NONE) continue;
        names[n] = c->dual->weights.data[i].name;
        wrt[n++] = b->weights.data[i];
    }
    for (int i = 0; i < b->p->outputs.n; i++)
        if (!strcmp(b->p->outputs.data[i].name, "loss")) loss = b->p->outputs.data[i].value;
    opt_grad(b->p, loss, wrt, n, grad);
    for (int i = 0; i < n; i++)
        ir_output(b->p, arena_printf(c->arena, "grad:%s", names[i]), grad[i]);
    return b->p;
}

static void check_differences(const Case *m, Fill *fill, const char *what) {
    Compiled *c = compile_case(m, 0);
    if (!c) return;
    Run *run = run_case(c, m);
    IrProgram *p = program_of(c, fill);
    const double third = 0.3;
    run_give(run, "likelihood_weight", &third, 1);
    double least = INFINITY, worst;
    uint32_t best = 1;
    for (uint32_t seed = 1; seed <= 10; seed++) { /* as in test_step_gradients.c */
        run->seed = seed;
        run->program = NULL;
        double loss = fabs(run_output(run, only_output(p, "loss"), "loss")->data[0]);
        if (loss < least) least = loss, best = seed;
    }
    run->seed = best;
    IrEvalEnv env = run_env(run, p);
    int wrong = check_gradients(p, &env, 0, &worst);
    CHECK(wrong == 0, "%s, %s: %d derivatives are wrong, the worst by %g of the largest", m->path,
          what, wrong, worst);
    compiled_free(c);
}

static void gradients(void) {
    check_differences(&cases[0], build_forward, "forward");
    check_differences(&cases[3], build_forward, "forward");
    check_differences(&cases[1], build_map, "map");
    check_differences(&cases[1], build_annealed, "annealed");
}

/* log q with the draws held: what the path gradient leaves out. */
static void build_score(Build *b) {
    IrProgram *p = b->p;
    simulate_for_training(b);
    forget_latents(b);
    Encoding *enc = encode(b);
    IrValue q = along(b, guide_sample_held(b, enc, true), (AxisId[]){b->data, b->draw}, 2);
    IrValue n = ir_mul(p, ir_extent(p, b->data), ir_extent(p, b->draw));
    IrValue sum = ir_sum(p, ir_sum(p, q, &b->draw, 1), &b->data, 1);
    ir_output(p, "loss", ir_div(p, sum, n));
}

static const char *grad_name(Compiled *c, int weight) {
    return arena_printf(c->arena, "grad:%s", c->dual->weights.data[weight].name);
}

static void check_path(const Case *m, int family) {
    Compiled *c = compile_case(m, family);
    if (!c) return;
    Run *run = run_case(c, m);
    IrProgram *programs[] = {program_of(c, build_step), program_of(c, build_path),
                             program_of(c, build_score)};
    int n = c->dual->weights.n;
    IrTensor *grad = arena_array(c->arena, IrTensor, 3 * n);
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < n; i++) {
            const char *name = grad_name(c, i);
            IrTensor *t = &grad[k * n + i];
            *t = *run_output(run, programs[k], name);
            double *data = arena_array(c->arena, double, t->size);
            t->data = memcpy(data, t->data, sizeof *data * (size_t)t->size);
        }
    for (int i = 0; i < n; i++) {
        const double *total = grad[i].data, *path = grad[n + i].data, *score = grad[2 * n + i].data;
        double scale = 1e-3;
        for (int64_t e = 0; e < grad[i].size; e++)
            scale = fmax(scale, fabs(total[e]) + fabs(score[e]));
        for (int64_t e = 0; e < grad[i].size; e++)
            CHECK(fabs(path[e] + score[e] - total[e]) <= 1e-8 * scale,
                  "%s: %s: %g by the path and %g by the score are not %g", m->path, grad_name(c, i),
                  path[e], score[e], total[e]);
    }
    compiled_free(c);
}

/* The total gradient is the path's and the score's, draw by draw. */
static void path_gradient(void) {
    check_path(&cases[0], 2);
    check_path(&cases[1], 0);
    check_path(&cases[3], 0);
}

/* Given its only latent's data the guide is exact before training: nothing varies. */
static void consistency_of_an_exact_guide(void) {
    static const char text[] =
        "latent m ~ normal(1, 2); plate n(5) { observed x ~ normal(m, 0.7); }";
    Compiled *c = compile_text("exact", text, families[0]);
    if (!CHECK(c, "it does not compile")) return;
    for (int noise = 0; noise < 2; noise++) {
        Run *run = run_new(c, 3, 4);
        run_start_weights(run, 2, 0.1 * noise);
        run_statistics(run);
        double forward = run_output(run, program_of(c, build_forward), "loss")->data[0];
        double both = run_output(run, program_of(c, build_consistency), "loss")->data[0];
        if (noise)
            CHECK(both > forward + 1e-3, "%g, %g: nothing varies", forward, both);
        else
            CHECK_NEAR(both, forward, 1e-9, "variance");
    }
    compiled_free(c);
}

int main(void) {
    RUN(bend_and_back);
    RUN(autoregression_and_back);
    RUN(density_of_given_values);
    RUN(gradients);
    RUN(path_gradient);
    RUN(consistency_of_an_exact_guide);
    return check_done();
}
