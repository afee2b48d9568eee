/* Program predict: what is observed is its law's `sample` at the given latents, draw by draw. */
#include "check.h"
#include "harness.h"

#include <math.h>

enum { SETS = 2, DRAWS = 5, G = 3, O = 4, N = SETS * DRAWS * G * O };

static void outcomes_follow_the_latents(void) {
    Compiled *c = compile_text("lines",
                               "latent s ~ half_normal(1);\n"
                               "let twice = 2 * s;\n"
                               "plate group(3) {\n"
                               "  latent a ~ normal(0, 1);\n"
                               "  observed top ~ normal(a, twice) with missing;\n"
                               "  plate obs(4) {\n"
                               "    given t ~ normal(0, 1);\n"
                               "    observed y[2] ~ normal([a, a * t], [s, 0.1]);\n"
                               "    observed z ~ normal(y[0] + 1, 0.5);\n"
                               "  }\n"
                               "}\n",
                               (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "the model does not compile")) return;
    double s[SETS * DRAWS], a[SETS * DRAWS * G], t[SETS * G * O], e[2 * N], f[N],
        g[SETS * DRAWS * G];
    fill_normal(s, SETS * DRAWS, 1);
    fill_normal(a, SETS * DRAWS * G, 2);
    fill_normal(t, SETS * G * O, 3);
    fill_normal(e, 2 * N, 4);
    fill_normal(f, N, 5);
    fill_normal(g, SETS * DRAWS * G, 6);
    for (int i = 0; i < SETS * DRAWS; i++) s[i] = fabs(s[i]);
    Run *run = run_new(c, SETS, DRAWS);
    run_give(run, "s", s, SETS * DRAWS);
    run_give(run, "a", a, SETS * DRAWS * G);
    run_give(run, "t", t, SETS * G * O);
    run_give(run, "sim:y", e, 2 * N);
    run_give(run, "sim:z", f, N);
    run_give(run, "sim:top", g, SETS * DRAWS * G);
    const IrProgram *p = dual_program(c->dual, "predict");
    if (!CHECK(p, "there is no program predict")) return;
    const IrTensor *top = run_output(run, p, "top"), *y = run_output(run, p, "y"),
                   *z = run_output(run, p, "z");
    if (!CHECK(y->size == 2 * N && z->size == N, "%lld and %lld numbers", (long long)y->size,
               (long long)z->size))
        return;
    for (int i = 0; i < N; i++) {
        int group = i / O, draw = group / G, set = draw / DRAWS;
        double at = t[(set * G + group % G) * O + i % O];
        CHECK_NEAR(top->data[group], a[group] + 2 * s[draw] * g[group], 1e-12, "top");
        CHECK_NEAR(y->data[2 * i], a[group] + s[draw] * e[2 * i], 1e-12, "y[0]");
        CHECK_NEAR(y->data[2 * i + 1], a[group] * at + 0.1 * e[2 * i + 1], 1e-12, "y[1]");
        CHECK_NEAR(z->data[i], y->data[2 * i] + 1 + 0.5 * f[i], 1e-12, "z of the same y");
    }
    compiled_free(c);
}

static void labels_are_drawn(void) {
    Compiled *c = compile_text("labels",
                               "latent m[3] ~ normal(0, 1);\n"
                               "plate obs(4) {\n"
                               "  latent k ~ categorical([0.2, 0.3, 0.5]);\n"
                               "  observed x ~ normal(m[k], 0.5);\n"
                               "}\n",
                               (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "the model does not compile")) return;
    enum { CELLS = SETS * DRAWS * O };
    double m[SETS * DRAWS * 3], k[CELLS * 3], u[CELLS], e[CELLS] = {0};
    for (int i = 0; i < SETS * DRAWS * 3; i++) m[i] = 10 * i;
    for (int i = 0; i < CELLS; i++) {
        u[i] = (i % 10 + 0.5) / 10;
        k[3 * i] = 0.2, k[3 * i + 1] = 0.3, k[3 * i + 2] = 0.5;
    }
    Run *run = run_new(c, SETS, DRAWS);
    run_give(run, "m", m, SETS * DRAWS * 3);
    run_give(run, "k", k, CELLS * 3);
    run_give(run, "sim:k", u, CELLS);
    run_give(run, "sim:x", e, CELLS);
    const IrTensor *x = run_output(run, dual_program(c->dual, "predict"), "x");
    for (int i = 0; i < CELLS; i++) {
        int label = u[i] < 0.2 ? 0 : u[i] < 0.5 ? 1 : 2;
        CHECK_NEAR(x->data[i], m[i / O * 3 + label], 1e-12, "x");
    }
    compiled_free(c);
}

/* The probabilities of each label alone do not say how probable both are together. */
static void labels_that_hang_on_each_other_are_not(void) {
    Compiled *c = compile_text("pair",
                               "latent m ~ normal(0, 1);\n"
                               "plate obs(4) {\n"
                               "  latent j ~ bernoulli(0.5);\n"
                               "  latent k ~ categorical([[0.2, 0.8], [0.5, 0.5]][j]);\n"
                               "  observed x ~ normal(m + j + k, 0.5);\n"
                               "}\n",
                               (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "the model does not compile")) return;
    CHECK(!dual_program(c->dual, "predict"), "there is a program predict");
    compiled_free(c);
}

int main(void) {
    RUN(outcomes_follow_the_latents);
    RUN(labels_are_drawn);
    RUN(labels_that_hang_on_each_other_are_not);
    return check_done();
}
