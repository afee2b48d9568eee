/* test_back_models.c -- every program of examples of every kind, as compiled by both back ends,
 * against the interpreter: f32 and f64, lanes along data sets and draws, a remainder in each. Base
 * draws are the runtime's own. */
#include "back/link.h"
#include "backends.h"
#include "check.h"
#include "harness.h"
#include "opt/opt.h"

enum { PROGRAMS = 5, SHAPES = 4 };

static const struct {
    bool f64;
    int lanes;
    const char *lane[PROGRAMS];
} shapes[SHAPES] = {
    /* simulate, prepare, step, posterior, logjoint */
    {false, 8, {"data", "data", "data", "draw", "draw"}},
    {true, 4, {"data", "data", "data", "draw", "draw"}},
    {true, 4, {"draw", "draw", "draw", "data", "data"}},
    {false, 16, {NULL, "data", "data", "draw", "data"}},
};

/* What `p` reads and nobody gave: observed data from a simulation, latents inside every support. */
static void give_rest(Run *run, const IrProgram *p) {
    IrEvalEnv env = run_env(run, p);
    for (int i = 0; i < p->ops.n; i++) {
        const IrOp *op = &p->ops.data[i];
        if (op->opcode != OP_INPUT || run_given(run, op->name)) continue;
        int64_t n = 1;
        for (int k = 0; k < op->n_axes; k++) {
            const IrAxis *a = &p->axes.data[op->axes[k]];
            n *= a->kind == AXIS_EVENT ? a->extent : env.extent[op->axes[k]];
        }
        if (op->role == ROLE_DATA) {
            const IrTensor *x = run_output(run, run->c->dual->simulate, op->name);
            if (CHECK(x->size == n, "%s has %lld numbers, not %lld", op->name, (long long)x->size,
                      (long long)n))
                run_give(run, op->name, x->data, n);
            continue;
        }
        double *x = arena_array(run->c->arena, double, n);
        fill_normal(x, n, 77 + (uint32_t)i);
        for (int64_t k = 0; k < n; k++) x[k] = 0.35 + 0.25 * tanh(x[k]);
        run_give(run, op->name, x, n);
    }
}

/* The first n_programs, in n_shapes shapes from `first` on; by LLVM or C; with products by the BLAS
 * where layers have `blas` inputs and outputs. */
static void compare_some(Compiled *c, const char *path, BackendKind kind, int n_programs, int first,
                         int n_shapes, int64_t blas) {
    if (!CHECK(c, "%s does not compile", path)) return;
    Run *run = run_new(c, 9, 5);
    /* with seed 3 the gradient of one tensor of pastes nearly cancels: f32 keeps fewer digits of it
     */
    run_start_weights(run, 4, 0.05);
    run_statistics(run);
    const IrProgram *from[PROGRAMS] = {c->dual->simulate, c->dual->prepare, c->dual->step,
                                       c->dual->posterior, c->dual->logjoint};
    IrProgram *programs[PROGRAMS];
    Backends *b = backends_new(c->arena);
    for (int i = 0; i < n_programs; i++) {
        programs[i] = opt_dce(opt_cse(opt_fold(from[i])));
        for (int s = first; s < first + n_shapes; s++)
            backends_add(b, programs[i],
                         &(ScheduleOptions){.f64 = shapes[s].f64,
                                            .lanes = shapes[s].lanes,
                                            .lane_axis = shapes[s].lane[i],
                                            .blas = blas,
                                            .tile = s % 2 ? 1 : 0, /* an instance at a time */
                                            .copies = 1 + (i + s) % 2,
                                            .keep = (ScheduleKeep)((i + s) % 3)});
    }
    const char *why = backends_build(b, kind);
    if (CHECK(!why, "%s", why))
        for (int i = 0; i < n_programs; i++) {
            give_rest(run, programs[i]);
            IrEvalEnv env = run_env(run, programs[i]);
            for (int s = 0; s < n_shapes; s++) {
                why = shapes[first + s].f64
                          ? backends_compare(b, i * n_shapes + s, &env, 1e-10, 1e-2)
                          : backends_compare(b, i * n_shapes + s, &env, 1e-4, 0.1);
                CHECK(!why, "%s: %s", path, why);
            }
        }
    backends_free(b);
    compiled_free(c);
}

static void compare(Compiled *c, const char *path, BackendKind kind, int first, int n_shapes,
                    int64_t blas) {
    compare_some(c, path, kind, PROGRAMS, first, n_shapes, blas);
}

static void compare_model(const char *path, DualOptions options, BackendKind kind, int first,
                          int n_shapes) {
    compare(compile_file(path, options), path, kind, first, n_shapes, 0);
}

/* Half-lines, truncated laws and the functions they rest on. */
static void bounded_laws_by_llvm(void) {
    static const char model[] =
        "latent a ~ normal(0, 1); latent z ~ pareto(0.05, 2);"
        "latent t ~ truncated(normal(a, 1), hi = 1); latent u ~ truncated(cauchy(a, 1), -1, 2);"
        "latent w ~ truncated(lognormal(a, 1), lo = 0.01);"
        "let m = erf(a) + Phi(t) - log_Phi(-z) + inv_Phi(Phi(u)) + atan2(t, w) + atan(a);"
        "plate n(4) { observed x ~ truncated(normal(m, 1), 0, 5); observed y ~ gumbel(m, w); }";
    compare(compile_text("m.hbm", model, (DualOptions){.family = FAMILY_STRUCTURED}),
            "bounded laws", BACKEND_LLVM, 0, 2, 0);
}

static const char *const examples[] = {"examples/gre.hbm",
                                       "examples/nc.hbm",
                                       "examples/pastes.hbm",
                                       "examples/every_level.hbm",
                                       "examples/two_traits.hbm",
                                       "tests/models/reductions.hbm",
                                       "examples/prior_scale.hbm",
                                       "tests/models/von_mises_fisher.hbm",
                                       "tests/models/two_components.hbm",
                                       "tests/models/covariates.hbm",
                                       "tests/models/crossed.hbm"};

/* The first in all shapes, each of the others in one: programs and shapes are all there. */
static void examples_by_llvm(void) {
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
        compare_model(examples[i], (DualOptions){.family = FAMILY_STRUCTURED}, BACKEND_LLVM,
                      i ? (int)i % SHAPES : 0, i ? 1 : SHAPES);
}

static void the_published_design_by_llvm(void) {
    compare_model("examples/gre.hbm",
                  (DualOptions){.family = FAMILY_ADAVI, .paper = true, .no_exact = true},
                  BACKEND_LLVM, 0, 2);
}

static void no_exact_by_llvm(void) {
    compare_model("examples/nc.hbm", (DualOptions){.family = FAMILY_STRUCTURED, .no_exact = true},
                  BACKEND_LLVM, 0, 1);
}

static void examples_by_c(void) {
    compare_model("examples/gre.hbm", (DualOptions){.family = FAMILY_STRUCTURED}, BACKEND_C, 0, 1);
    compare_model("examples/nc.hbm", (DualOptions){.family = FAMILY_STRUCTURED}, BACKEND_C, 1, 1);
    /* what covariates are made of stands in the programs that simulate */
    compare_some(
        compile_file("tests/models/covariates.hbm", (DualOptions){.family = FAMILY_STRUCTURED}),
        "tests/models/covariates.hbm", BACKEND_C, 2, 0, 1, 0);
}

/* Whole numbers have parameters of their own at every place: in double, where rounding moves none
 * of them. */
static void whole_numbers(void) {
    static const BackendKind kinds[] = {BACKEND_LLVM, BACKEND_C};
    for (int k = 0; k < 2; k++)
        compare_some(
            compile_file("tests/models/counts.hbm", (DualOptions){.family = FAMILY_STRUCTURED}),
            "tests/models/counts.hbm", kinds[k], 2, 1, 2, 0);
}

/* Events beyond what is unrolled, by our own kernels and by the BLAS. */
static void wide_events(void) {
    static const char text[] = "latent m[10] ~ normal(0, 2);\n"
                               "plate a(2) { latent u[10] ~ normal(m, 0.7);\n"
                               "  plate b(2) { observed y[10] ~ normal(u, 1.5); } }\n";
    Arena *arena = arena_new();
    bool has_blas = link_has_blas(arena);
    arena_free(arena);
    DualOptions options = {.family = FAMILY_STRUCTURED};
    compare(compile_text("wide", text, options), "wide", BACKEND_LLVM, 0, 2, 0);
    if (has_blas) compare(compile_text("wide", text, options), "wide", BACKEND_LLVM, 0, 3, 8);
}

int main(void) {
    RUN(examples_by_llvm);
    RUN(the_published_design_by_llvm);
    RUN(no_exact_by_llvm);
    RUN(bounded_laws_by_llvm);
    RUN(wide_events);
    RUN(examples_by_c);
    RUN(whole_numbers);
    return check_done();
}
