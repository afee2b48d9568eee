/* The paper's network on Gaussian random effects against numbers that another implementation
 * computed in float64 (tests/golden/README.md): encodings, log densities, both losses, every
 * gradient. In the interpreter to 1e-9, in native code at f32 to 1e-4, of each tensor's largest
 * entry. */
#include "arrays.h"
#include "backends.h"
#include "check.h"
#include "harness.h"

#include <stdlib.h>

enum { SETS = 4, DRAWS = 2, GROUPS = 3, OBS = 50, DIMS = 2 };
/* Gradients that are 0 in exact arithmetic come out as rounding noise. */
static const double FLOOR = 1e-10;

static Arrays *golden;

static const Array *array(const char *name) {
    const Array *a = arrays_find(golden, name);
    if (a) return a;
    printf("not ok golden file: no array %s\n", name);
    exit(1);
}

static void give_zeros(Run *run, const char *name, int64_t n) {
    double *zero = calloc((size_t)n, sizeof *zero);
    run_give(run, name, zero, n);
    free(zero);
}

static Run *golden_run(Compiled *c) {
    Run *run = run_new(c, SETS, DRAWS);
    for (int i = 0; i < c->dual->weights.n; i++) {
        const char *name = c->dual->weights.data[i].name;
        const Array *a = array(arena_printf(c->arena, "param/%s", name));
        run_give(run, name, a->values, a->n);
    }
    run_give(run, "u:mu", array("u_mu")->values, array("u_mu")->n);
    run_give(run, "u:mu_g", array("u_mu_g")->values, array("u_mu_g")->n);
    /* the data through the random sites that simulate them: x = 0 + 0 + 0.1 z */
    const Array *x = array("x");
    double *z = malloc(sizeof *z * (size_t)x->n);
    for (int64_t i = 0; i < x->n; i++) z[i] = x->values[i] / 0.1;
    run_give(run, "sim:x", z, x->n);
    free(z);
    give_zeros(run, "sim:mu", SETS * DIMS);
    give_zeros(run, "sim:mu_g", SETS * GROUPS * DIMS);
    run_give(run, "x", x->values, x->n);
    return run;
}

static void compare(const char *what, const IrTensor *got, const Array *expected,
                    double tolerance) {
    if (!CHECK(got->size == expected->n, "%s: %lld numbers, not %lld", what, (long long)got->size,
               (long long)expected->n))
        return;
    double largest = 0, worst = 0;
    for (int64_t i = 0; i < expected->n; i++) {
        largest = fmax(largest, fabs(expected->values[i]));
        double off = fabs(got->data[i] - expected->values[i]);
        if (!(off <= worst)) worst = off;
    }
    CHECK(worst <= fmax(tolerance * largest, FLOOR), "%s: off by %.3g, the largest entry is %.3g",
          what, worst, largest);
}

static Compiled *paper(void) {
    Compiled *c = compile_file("examples/gre.hbm", (DualOptions){FAMILY_ADAVI, true, true});
    if (!c) exit(1);
    return c;
}

static void check_step(double entropy_weight, const char *loss, const char *grad) {
    Compiled *c = paper();
    Run *run = golden_run(c);
    run_give(run, "entropy_weight", &entropy_weight, 1);
    compare(loss, run_output(run, c->dual->step, "loss"), array(loss), 1e-9);
    for (int i = 0; i < c->dual->weights.n; i++) {
        const char *name = c->dual->weights.data[i].name;
        const IrTensor *got =
            run_output(run, c->dual->step, arena_printf(c->arena, "grad:%s", name));
        const char *of = arena_printf(c->arena, "%s/%s", grad, name);
        compare(of, got, array(of), 1e-9);
    }
    compiled_free(c);
}

static void step_reverse_kl(void) {
    check_step(1, "loss_rkl", "grad_rkl");
}

static void step_unregularised(void) {
    check_step(0, "loss_uelbo", "grad_uelbo");
}

static void every_weight_is_there(void) {
    Compiled *c = paper();
    int expected = 0;
    int64_t numbers = 0;
    for (int i = 0; arrays_at(golden, i); i++)
        expected += !strncmp(arrays_at(golden, i)->name, "param/", 6);
    for (int i = 0; i < c->dual->weights.n; i++)
        numbers += array(arena_printf(c->arena, "param/%s", c->dual->weights.data[i].name))->n;
    CHECK(c->dual->weights.n == expected, "%d weight tensors, not %d", c->dual->weights.n,
          expected);
    CHECK(numbers == 12018, "%lld weights, not 12018", (long long)numbers);
    compiled_free(c);
}

static void posterior(void) {
    Compiled *c = paper();
    Run *run = golden_run(c);
    const IrProgram *p = c->dual->posterior;
    compare("mu", run_output(run, p, "mu"), array("mu"), 1e-9);
    compare("mu_g", run_output(run, p, "mu_g"), array("mu_g"), 1e-9);
    compare("log_q", run_output(run, p, "log_q"), array("log_q"), 1e-9);
    compare("e1", run_output(run, p, "enc:group"), array("e1"), 1e-9);
    compare("e2", run_output(run, p, "enc:root"), array("e2"), 1e-9);
    IrTensor sum = *run_output(run, p, "log_prior");
    const IrTensor *likelihood = run_output(run, p, "log_likelihood");
    double log_p[SETS * DRAWS];
    for (int i = 0; i < SETS * DRAWS; i++) log_p[i] = sum.data[i] + likelihood->data[i];
    sum.data = log_p;
    compare("log_p", &sum, array("log_p"), 1e-9);
    compiled_free(c);
}

/* The interpreter agrees with the file to 1e-9 (above), native code with the interpreter to 1e-4.
 */
static void check_native(BackendKind kind) {
    Compiled *c = paper();
    Run *run = golden_run(c);
    Backends *b = backends_new(c->arena);
    const ScheduleOptions training = {.lanes = 8, .lane_axis = "data"};
    const ScheduleOptions answering = {.lanes = 8, .lane_axis = "draw"};
    int step = backends_add(b, c->dual->step, &training);
    int answer = backends_add(b, c->dual->posterior, &answering);
    const char *why = backends_build(b, kind);
    CHECK(!why, "%s", why);
    for (int w = 1; w >= 0 && !why; w--) {
        double entropy_weight = w;
        run_give(run, "entropy_weight", &entropy_weight, 1);
        IrEvalEnv env = run_env(run, c->dual->step);
        const char *off = backends_compare(b, step, &env, 1e-4);
        CHECK(!off, "entropy_weight %d: %s", w, off);
    }
    IrEvalEnv env = run_env(run, c->dual->posterior);
    const char *off = why ? NULL : backends_compare(b, answer, &env, 1e-4);
    CHECK(!off, "posterior: %s", off);
    backends_free(b);
    compiled_free(c);
}

static void native_llvm(void) {
    check_native(BACKEND_LLVM);
}

static void native_c(void) {
    check_native(BACKEND_C);
}

int main(void) {
    golden = arrays_read("tests/golden/gre_paper.npz");
    if (!golden) return 1;
    RUN(every_weight_is_there);
    RUN(posterior);
    RUN(step_reverse_kl);
    RUN(step_unregularised);
    RUN(native_llvm);
    RUN(native_c);
    arrays_free(golden);
    return check_done();
}
