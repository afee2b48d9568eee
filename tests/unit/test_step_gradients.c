/* Whole training steps against central differences of their loss, in double: every family on every
 * kind of model, with weights away from their start so that no gradient is trivially zero. */
#include "check.h"
#include "graddiff.h"
#include "harness.h"

enum { N_FAMILIES = 4 };
static const struct {
    const char *name;
    DualOptions options;
    double noise; /* added to the weights' start */
} families[N_FAMILIES] = {{"structured", {FAMILY_STRUCTURED, false, false}, 0.02},
                          {"adavi", {FAMILY_ADAVI, false, false}, 0.02},
                          {"structured, no exact path", {FAMILY_STRUCTURED, false, true}, 0.02},
                          {"paper", {FAMILY_ADAVI, true, true}, 0.02}};

typedef struct Size {
    const char *axis;
    int64_t n;
} Size;

/* Differences of a loss of 1e9 (a scale drawn near 0) would be rounding alone: of 40 sets of draws
 * takes the one with the smallest loss. */
static void choose_draws(Run *run) {
    uint32_t best = 0;
    double least = INFINITY;
    for (uint32_t seed = 1; seed <= 40; seed++) {
        run->seed = seed;
        run->program = NULL;
        double loss =
            fabs(run_output(run, only_output(run->c->dual->step, "loss"), "loss")->data[0]);
        if (loss >= least) continue;
        least = loss;
        best = seed;
    }
    run->seed = best;
    run->program = NULL;
}

/* The model in a file, or of a text; in all families, or in the first and the last alone. */
enum { ALL = 1, ENDS = N_FAMILIES - 1 };
static void check_model(const char *path, const char *text, const Size *sizes, int n_sizes,
                        int which) {
    for (int f = 0; f < N_FAMILIES; f += which) {
        Compiled *c = text ? compile_text(path, text, families[f].options)
                           : compile_file(path, families[f].options);
        if (!CHECK(c, "%s does not compile", path)) return;
        Run *run = run_new(c, 2, 2);
        for (int i = 0; i < n_sizes; i++) run_size(run, sizes[i].axis, sizes[i].n);
        run_start_weights(run, 3, families[f].noise);
        run_statistics(run);
        double half = 0.5, worst;
        run_give(run, "entropy_weight", &half, 1);
        choose_draws(run);
        IrEvalEnv env = run_env(run, c->dual->step);
        int wrong = check_gradients(c->dual->step, &env, 1, &worst);
        CHECK(wrong == 0, "%s: %d derivatives are wrong, the worst by %g of the largest",
              families[f].name, wrong, worst);
        compiled_free(c);
    }
}

static void gre(void) {
    check_model("examples/gre.hbm", NULL, (Size[]){{"group", 2}, {"obs", 3}}, 2, ALL);
}

static void nc(void) {
    check_model("examples/nc.hbm", NULL, (Size[]){{"sample", 4}}, 1, ALL);
}

static void pastes(void) {
    check_model("examples/pastes.hbm", NULL, (Size[]){{"batch", 2}, {"cask", 2}, {"assay", 2}}, 3,
                ALL);
}

static void every_level(void) {
    check_model("examples/every_level.hbm", NULL, (Size[]){{"site", 2}, {"plot", 2}}, 2, ALL);
}

/* Events beyond what is unrolled: one in a plate, several of two supports in the joint flow. */
static void wide(void) {
    static const char text[] = "latent m[10] ~ normal(0, 2);\n"
                               "latent s ~ gamma(4, 2);\n"
                               "plate a(2) { latent u[10] ~ normal(m, 0.7);\n"
                               "  plate b(2) { observed y[10] ~ normal(u, s); } }\n";
    check_model("wide", text, NULL, 0, ENDS);
}

/* Vectors, matrices and the conditional Newton start. */
static void two_traits(void) {
    check_model("examples/two_traits.hbm", NULL, (Size[]){{"school", 2}, {"pupil", 3}}, 2, ENDS);
}

static void reductions(void) {
    check_model("tests/models/reductions.hbm", NULL,
                (Size[]){{"class", 2}, {"pupil", 3}, {"school", 2}}, 3, ENDS);
}

static void contexts(void) {
    check_model("examples/prior_scale.hbm", NULL, (Size[]){{"batch", 2}, {"sample", 2}}, 2, ENDS);
}

/* Reweighted data, whose modes are looked for given drawn scales and degrees of freedom. */
static void robust(void) {
    check_model("examples/robust.hbm", NULL, (Size[]){{"batch", 2}, {"sample", 3}}, 2, ENDS);
}

static void crossed(void) {
    check_model("tests/models/crossed.hbm", NULL, (Size[]){{"person", 3}, {"item", 2}}, 2, ENDS);
}

static void bessel(void) {
    check_model("tests/models/von_mises_fisher.hbm", NULL, (Size[]){{"obs", 3}}, 1, ENDS);
}

int main(void) {
    RUN(crossed);
    RUN(gre);
    RUN(nc);
    RUN(pastes);
    RUN(every_level);
    RUN(two_traits);
    RUN(reductions);
    RUN(contexts);
    RUN(robust);
    RUN(bessel);
    RUN(wide);
    return check_done();
}
