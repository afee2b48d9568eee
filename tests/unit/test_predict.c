/* Program predict: what is observed is its law's `sample` at the given latents, draw by draw.
 * Program extend: latents are those given where the data have the instance, else their law's. */
#include "check.h"
#include "harness.h"

#include <math.h>
#include <string.h>

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

static void give_normal(Run *run, const char *name, double *x, int64_t n, uint32_t seed) {
    fill_normal(x, n, seed);
    run_give(run, name, x, n);
}

/* Group 0 is known, and so are 2 of its 4 cells; all below a new group is drawn from above. */
static void new_instances_follow_their_laws(void) {
    Compiled *c = compile_text("groups",
                               "latent m ~ normal(0, 1);\n"
                               "let twice = 2 * m;\n"
                               "plate group(3) {\n"
                               "  given t ~ normal(0, 1);\n"
                               "  latent k ~ categorical([0.2, 0.3, 0.5]);\n"
                               "  latent a[2] ~ normal([m + k, twice * t], [0.5, 2]);\n"
                               "  plate obs(4) {\n"
                               "    latent b ~ normal(a[0] + 10 * k, 0.1);\n"
                               "    observed x ~ normal(b + a[1], 0.3);\n"
                               "  }\n"
                               "}\n",
                               (DualOptions){.family = FAMILY_ADAVI});
    if (!CHECK(c, "the model does not compile")) return;
    enum { LINES = SETS * DRAWS, GROUPS = LINES * G };
    double m[LINES], k[3 * GROUPS], a[2 * GROUPS], b[N], t[SETS * G], ea[2 * GROUPS], eb[N],
        u[GROUPS], known_group[SETS * G], known_obs[SETS * G * O];
    Run *run = run_new(c, SETS, DRAWS);
    give_normal(run, "m", m, LINES, 1);
    give_normal(run, "a", a, 2 * GROUPS, 2);
    give_normal(run, "b", b, N, 3);
    give_normal(run, "t", t, SETS * G, 4);
    give_normal(run, "sim:a", ea, 2 * GROUPS, 5);
    give_normal(run, "sim:b", eb, N, 6);
    for (int i = 0; i < SETS * G; i++) known_group[i] = i % G == 0;
    for (int i = 0; i < SETS * G * O; i++) known_obs[i] = i / O % G == 0 && i % O < 2;
    for (int i = 0; i < GROUPS; i++) {
        u[i] = (i % 10 + 0.5) / 10;
        k[3 * i] = 0.1, k[3 * i + 1] = 0.8, k[3 * i + 2] = 0.1;
    }
    run_give(run, "k", k, 3 * GROUPS);
    run_give(run, "sim:k", u, GROUPS);
    run_give(run, "known:group", known_group, SETS * G);
    run_give(run, "known:obs", known_obs, SETS * G * O);
    const IrProgram *p = dual_program(c->dual, "extend");
    if (!CHECK(p, "there is no program extend")) return;
    const IrTensor *is = run_output(run, p, "k"), *top = run_output(run, p, "a"),
                   *low = run_output(run, p, "b");
    for (int i = 0; i < N; i++) {
        int group = i / O, line = group / G, set = line / DRAWS;
        bool known = group % G == 0;
        int label =
            known ? (u[group] > 0.1) + (u[group] > 0.9) : (u[group] > 0.2) + (u[group] > 0.5);
        const double *own = top->data + 2 * group;
        for (int v = 0; v < 3; v++) CHECK_NEAR(is->data[3 * group + v], v == label, 0, "k");
        CHECK_NEAR(own[0], known ? a[2 * group] : m[line] + label + 0.5 * ea[2 * group], 1e-12,
                   "a[0]");
        CHECK_NEAR(own[1],
                   known ? a[2 * group + 1]
                         : 2 * m[line] * t[set * G + group % G] + 2 * ea[2 * group + 1],
                   1e-12, "a[1]");
        CHECK_NEAR(low->data[i], known && i % O < 2 ? b[i] : own[0] + 10 * label + 0.1 * eb[i],
                   1e-12, "b");
    }
    compiled_free(c);
}

/* Laws that hang on what other instances there are, or on what is observed elsewhere. */
static void ties_are_told(void) {
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"latent m ~ normal(0, 1);\nplate g(3) {\n  latent a ~ normal(m, 1);\n"
         "  observed y ~ normal(a, 1);\n}\nlet top = mean(g: a);\nobserved z ~ normal(top, 1);\n",
         "the law of z reads all instances of plate g"},
        {"latent m ~ normal(0, 1);\nplate g(3) { observed y ~ normal(m, 1 / g.size); }\n",
         "the law of y reads all instances of plate g"},
        {"latent m ~ normal(0, 1);\nplate g(3) {\n  observed y ~ normal(m, 1);\n"
         "  plate o(2) { observed z ~ normal(y, 1); }\n}\n",
         "the law of z reads y"},
        {"latent m ~ normal(0, 1);\nplate g(3) {\n  observed y ~ normal(m, 1);\n"
         "  observed z ~ normal(y, 1);\n}\n",
         NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Compiled *c =
            compile_text("tied", cases[i].text, (DualOptions){.family = FAMILY_STRUCTURED});
        if (!CHECK(c, "case %zu does not compile", i)) continue;
        const char *why = dual_extend_refusal(c->arena, c->analysis);
        CHECK(cases[i].says ? why && strstr(why, cases[i].says) : !why, "case %zu: %s", i,
              why ? why : "nothing");
        CHECK(!dual_program(c->dual, "extend"), "case %zu: there is a program extend", i);
        compiled_free(c);
    }
}

int main(void) {
    RUN(outcomes_follow_the_latents);
    RUN(labels_are_drawn);
    RUN(labels_that_hang_on_each_other_are_not);
    RUN(new_instances_follow_their_laws);
    RUN(ties_are_told);
    return check_done();
}
