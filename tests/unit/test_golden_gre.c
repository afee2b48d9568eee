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
/* Gradients that are 0 in exact arithmetic come out as rounding noise: absolute floors. */
typedef struct Tolerance {
    double relative, floor;
} Tolerance;
static const Tolerance IN_DOUBLE = {1e-9, 1e-10}, IN_FLOAT = {1e-4, 1e-5};

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
                    Tolerance tolerance) {
    if (!CHECK(got->size == expected->n, "%s: %lld numbers, not %lld", what, (long long)got->size,
               (long long)expected->n))
        return;
    double largest = 0, worst = 0;
    for (int64_t i = 0; i < expected->n; i++) {
        largest = fmax(largest, fabs(expected->values[i]));
        double off = fabs(got->data[i] - expected->values[i]);
        if (!(off <= worst)) worst = off;
    }
    CHECK(worst <= fmax(tolerance.relative * largest, tolerance.floor),
          "%s: off by %.3g, the largest entry is %.3g", what, worst, largest);
}

static Compiled *paper(void) {
    Compiled *c = compile_file("examples/gre.hbm", (DualOptions){FAMILY_ADAVI, true, true});
    if (!c) exit(1);
    return c;
}

/* All outputs of a program, by the interpreter or by native code. */
typedef const IrTensor *Evaluate(void *user, Run *run, const IrProgram *p);

static const IrTensor *interpret(void *user, Run *run, const IrProgram *p) {
    (void)user;
    run_output(run, p, p->outputs.data[0].name);
    return run->result;
}

static const IrTensor *named(const IrProgram *p, const IrTensor *result, const char *name) {
    for (int i = 0; i < p->outputs.n; i++)
        if (!strcmp(p->outputs.data[i].name, name)) return &result[i];
    printf("not ok program %s: no output %s\n", p->name, name);
    exit(1);
}

static void check_step(Run *run, double entropy_weight, Evaluate *evaluate, void *user,
                       Tolerance t) {
    Compiled *c = run->c;
    const IrProgram *p = c->dual->step;
    const char *kind = entropy_weight > 0 ? "rkl" : "uelbo";
    const char *loss = arena_printf(c->arena, "loss_%s", kind);
    run_give(run, "entropy_weight", &entropy_weight, 1);
    const IrTensor *result = evaluate(user, run, p);
    if (!result) return;
    compare(loss, named(p, result, "loss"), array(loss), t);
    for (int i = 0; i < c->dual->weights.n; i++) {
        const char *name = c->dual->weights.data[i].name;
        const char *of = arena_printf(c->arena, "grad_%s/%s", kind, name);
        compare(of, named(p, result, arena_printf(c->arena, "grad:%s", name)), array(of), t);
    }
}

static void check_posterior(Run *run, Evaluate *evaluate, void *user, Tolerance t) {
    static const char *const outputs[][2] = {{"mu", "mu"},
                                             {"mu_g", "mu_g"},
                                             {"log_q", "log_q"},
                                             {"enc:group", "e1"},
                                             {"enc:root", "e2"}};
    const IrProgram *p = run->c->dual->posterior;
    const IrTensor *result = evaluate(user, run, p);
    if (!result) return;
    for (int i = 0; i < 5; i++)
        compare(outputs[i][1], named(p, result, outputs[i][0]), array(outputs[i][1]), t);
    IrTensor sum = *named(p, result, "log_prior");
    const IrTensor *likelihood = named(p, result, "log_likelihood");
    double log_p[SETS * DRAWS];
    for (int i = 0; i < SETS * DRAWS; i++) log_p[i] = sum.data[i] + likelihood->data[i];
    sum.data = log_p;
    compare("log_p", &sum, array("log_p"), t);
}

static void interpreted_step(double entropy_weight) {
    Compiled *c = paper();
    check_step(golden_run(c), entropy_weight, interpret, NULL, IN_DOUBLE);
    compiled_free(c);
}

static void step_reverse_kl(void) {
    interpreted_step(1);
}

static void step_unregularised(void) {
    interpreted_step(0);
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
    check_posterior(golden_run(c), interpret, NULL, IN_DOUBLE);
    compiled_free(c);
}

/* Everything given as native code sees it: 0.1 and x / 0.1 are no floats, and the gradients feel
 * that. */
static void round_to_float(Run *run) {
    for (int i = 0; i < run->given.n; i++)
        for (int64_t k = 0; k < run->given.data[i].n; k++)
            run->given.data[i].data[k] = (float)run->given.data[i].data[k];
    run->program = NULL;
}

static void compare_native(Run *run, Backends *b, int program, const IrProgram *p) {
    Arena *arena = run->c->arena;
    IrEvalEnv env = run_env(run, p);
    IrTensor *got = arena_array(arena, IrTensor, p->outputs.n + 1);
    const char *why = backends_run(arena, b, program, &env, got);
    CHECK(!why, "%s", why);
    for (int i = 0; i < p->outputs.n && !why; i++) {
        const char *name = p->outputs.data[i].name;
        const IrTensor *expected = run_output(run, p, name);
        compare(name, &got[i], &(Array){name, expected->size, expected->data}, IN_FLOAT);
    }
}

/* As compiled models run: f32, the lanes filled with data sets in training (4 of 8 here), with
 * draws else. Beside the interpreter, which agrees with the file (above), on inputs that differ
 * from the file's by their rounding. */
static void check_native(BackendKind kind) {
    Compiled *c = paper();
    Run *run = golden_run(c);
    Backends *b = backends_new(c->arena);
    int step = backends_add(b, c->dual->step, &(ScheduleOptions){.lanes = 8, .lane_axis = "data"});
    int answer =
        backends_add(b, c->dual->posterior, &(ScheduleOptions){.lanes = 8, .lane_axis = "draw"});
    const char *why = backends_build(b, kind);
    CHECK(!why, "%s", why);
    for (int w = 1; w >= 0 && !why; w--) {
        double entropy_weight = w;
        run_give(run, "entropy_weight", &entropy_weight, 1);
        round_to_float(run);
        compare_native(run, b, step, c->dual->step);
    }
    if (!why) compare_native(run, b, answer, c->dual->posterior);
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
