/* What the guide is before training: for chains of Gaussians with known scales it is the exact
 * posterior, so that every draw's log weight is the log evidence; elsewhere it is proper and
 * finite. */
#include "check.h"
#include "harness.h"
#include "tests/exact/exact.h"

#include <math.h>
#include <stdlib.h>

enum { SETS = 3, DRAWS = 40 };

/* A run of the posterior program at initial weights, with data of its own prior. */
static Run *run_untrained(Compiled *c) {
    Run *prior = run_new(c, SETS, 1), *run = run_new(c, SETS, DRAWS);
    prior->seed = 11;
    for (int i = 0; i < c->model->vars.n; i++) {
        const Var *var = c->model->vars.data[i];
        if (var->kind != VAR_OBSERVED) continue;
        const IrTensor *x = run_output(prior, c->dual->simulate, var->name);
        run_give(run, var->name, x->data, x->size);
    }
    run_start_weights(run, 1, 0);
    run_statistics(run);
    return run;
}

/* log p(x, draw) - log q(draw), [SETS][DRAWS]. */
static double *log_weights(Run *run) {
    static const char *const parts[] = {"log_prior", "log_likelihood", "log_q"};
    double *w = calloc(SETS * DRAWS, sizeof *w);
    for (int k = 0; k < 3; k++) {
        const IrTensor *t = run_output(run, run->c->dual->posterior, parts[k]);
        for (int i = 0; i < SETS * DRAWS; i++) w[i] += k < 2 ? t->data[i] : -t->data[i];
    }
    return w;
}

/* The largest distance of a log weight from the first of its data set. */
static double spread(const double *w) {
    double largest = 0;
    for (int i = 0; i < SETS * DRAWS; i++)
        largest = fmax(largest, fabs(w[i] - w[i / DRAWS * DRAWS]) / fabs(w[i / DRAWS * DRAWS]));
    return largest;
}

static void gaussian_effects_start_exact(void) {
    Compiled *c = compile_file("examples/gre.hbm", (DualOptions){.family = FAMILY_STRUCTURED});
    Run *run = run_untrained(c);
    double *w = log_weights(run);
    CHECK(spread(w) <= 1e-9, "log weights differ by %g of their size", spread(w));
    GaussianEffects model = {3, 50, 2, 0.5, 0.5, 0.1};
    const double *x = run_given(run, "x")->data;
    for (int i = 0; i < SETS; i++)
        CHECK_NEAR(w[i * DRAWS], exact_gaussian_effects(&model, x + i * 300), 1e-8, "log evidence");
    free(w);
    compiled_free(c);
}

/* Three levels of latents, one plate without any, a vector event, a let between. */
static void deeper_chains_start_exact(void) {
    static const char text[] =
        "hyper s = 0.7;\n"
        "latent m[2] ~ normal([1, -3], 2);\n"
        "plate a(4) { latent u[2] ~ normal(m, s);\n"
        "  plate b(3) { plate c(2) { let same = u; latent v[2] ~ normal(same, [0.2, 3]);\n"
        "    plate d(5) { observed y[2] ~ normal(v, 1.5); } } } }\n";
    Compiled *c = compile_text("chain", text, (DualOptions){.family = FAMILY_STRUCTURED});
    double *w = log_weights(run_untrained(c));
    CHECK(spread(w) <= 1e-9, "log weights differ by %g of their size", spread(w));
    free(w);
    compiled_free(c);
}

/* Events beyond what is unrolled, alone in a plate and joint outside all plates. */
static void wide_chains_start_exact(void) {
    static const char text[] = "latent m[10] ~ normal(0, 2);\n"
                               "plate a(4) { latent u[10] ~ normal(m, 0.7);\n"
                               "  plate b(3) { observed y[10] ~ normal(u, 1.5); } }\n"
                               "latent k[3] ~ normal(1, 2);\n"
                               "plate c(2) { observed z[3] ~ normal(k, 1); }\n";
    Compiled *c = compile_text("wide", text, (DualOptions){.family = FAMILY_STRUCTURED});
    double *w = log_weights(run_untrained(c));
    CHECK(spread(w) <= 1e-9, "log weights differ by %g of their size", spread(w));
    free(w);
    compiled_free(c);
}

/* The tests above can fail. */
static void mean_field_does_not_start_exact(void) {
    Compiled *c = compile_file("examples/gre.hbm", (DualOptions){.family = FAMILY_ADAVI});
    double *w = log_weights(run_untrained(c));
    CHECK(spread(w) > 1e-4,
          "a mean-field guide cannot be exact here, but its weights are constant");
    free(w);
    compiled_free(c);
}

/* Models of every kind: all log weights are finite. */
static void every_example_starts_proper(void) {
    static const char *const files[] = {"examples/nc.hbm", "examples/pastes.hbm",
                                        "examples/dyestuff.hbm", "examples/every_level.hbm"};
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        Compiled *c = compile_file(files[f], (DualOptions){.family = FAMILY_STRUCTURED});
        double *w = log_weights(run_untrained(c));
        int finite = 0;
        for (int i = 0; i < SETS * DRAWS; i++) finite += isfinite(w[i]);
        CHECK(finite == SETS * DRAWS, "%s: %d of %d log weights are finite", files[f], finite,
              SETS * DRAWS);
        free(w);
        compiled_free(c);
    }
}

/* The published network's size, and no weight that grows with a plate. */
static void weights_are_counted(void) {
    Compiled *c = compile_file("examples/gre.hbm", (DualOptions){FAMILY_ADAVI, true, true});
    int64_t n = 0;
    for (int i = 0; i < c->dual->weights.n; i++) {
        const DualWeight *w = &c->dual->weights.data[i];
        int64_t size = 1;
        for (int k = 0; k < w->n_dims; k++) size *= w->dims[k];
        n += size;
    }
    CHECK(n == 12018, "%lld weights, not 12,018", (long long)n);
    compiled_free(c);
}

int main(void) {
    RUN(gaussian_effects_start_exact);
    RUN(deeper_chains_start_exact);
    RUN(wide_chains_start_exact);
    RUN(mean_field_does_not_start_exact);
    RUN(every_example_starts_proper);
    RUN(weights_are_counted);
    return check_done();
}
