/* The guide's and the model's densities against evidences computed in closed form: whatever the
 * weights, E_q log w <= log p(x)   and   E_q w = p(x),   w = p(x, latents) / q(latents | x). A
 * wrong density, link Jacobian or plate count breaks one of them. z > 4.75 has probability 1e-6
 * (one sided) per data set where all is well. */
#include "ir/eval.h"
#include "check.h"
#include "harness.h"
#include "tests/exact/exact.h"

#include <stdlib.h>

enum { SETS = 8, DRAWS = 2000 };

/* Prior data sets, drawn by the program itself. */
static void give_simulated(Run *run, const char *name) {
    Run *prior = run_new(run->c, SETS, 1);
    prior->seed = 21;
    const IrTensor *x = run_output(prior, run->c->dual->simulate, name);
    run_give(run, name, x->data, x->size);
}

typedef double Evidence(const double *x);

static double gre_evidence(const double *x) {
    static const GaussianEffects model = {3, 50, 2, .5, .5, .1};
    return exact_gaussian_effects(&model, x);
}

static double nc_evidence(const double *b) {
    static const LaplaceShift model = {10, 2, .5, .3};
    return exact_laplace_shift(&model, b);
}

/* log w - log p(x) of each draw of data set i. */
static void log_ratios(Run *run, int i, double log_evidence, double *out) {
    const IrProgram *p = run->c->dual->posterior;
    const IrTensor *q = run_output(run, p, "log_q"), *prior = run_output(run, p, "log_prior");
    const IrTensor *likelihood = run_output(run, p, "log_likelihood");
    for (int s = 0; s < DRAWS; s++) {
        int64_t at = (int64_t)i * DRAWS + s;
        out[s] = prior->data[at] + likelihood->data[at] - q->data[at] - log_evidence;
    }
}

static void moments(const double *x, int n, double *mean, double *error) {
    double sum = 0, square = 0;
    for (int i = 0; i < n; i++) sum += x[i] / n;
    for (int i = 0; i < n; i++) square += (x[i] - sum) * (x[i] - sum);
    *mean = sum;
    *error = sqrt(square / n / (n - 1.0));
}

/* Widens every affine map: weights of a guide that is wider than the posterior have light tails, so
 * that their mean converges. The last layer's biases are gate, shift, log scale, two tails and
 * skew of each number in turn. */
static void widen(Run *run, double log_factor) {
    for (int i = 0; i < run->given.n; i++) {
        Given *given = &run->given.data[i];
        size_t n = strlen(given->name);
        if (n < 9 || strcmp(given->name + n - 9, ".affine.b")) continue;
        for (int64_t k = given->n / 6 * 2; k < given->n / 6 * 3; k++) given->data[k] += log_factor;
    }
    run->program = NULL;
}

/* `noise` moves the weights from their start; `wider` than the posterior, E_q w is sharp too. */
static void check_bounds(const char *path, DualOptions options, const char *data,
                         Evidence *evidence, double noise, double wider) {
    Compiled *c = compile_file(path, options);
    if (!CHECK(c, "%s does not compile", path)) return;
    Run *run = run_new(c, SETS, DRAWS);
    run_start_weights(run, 4, noise);
    run_statistics(run);
    if (wider > 0) widen(run, wider);
    give_simulated(run, data);
    const Given *x = run_given(run, data);
    for (int i = 0; i < SETS; i++) {
        double mean, error, r[DRAWS];
        log_ratios(run, i, evidence(x->data + i * (x->n / SETS)), r);
        moments(r, DRAWS, &mean, &error);
        CHECK(mean <= 4.75 * error, "set %d: the ELBO exceeds the evidence by %.4g +- %.2g", i,
              mean, error);
        CHECK(isfinite(mean), "set %d: the ELBO is %g", i, mean);
        for (int s = 0; s < DRAWS; s++) r[s] = exp(r[s]);
        double gap = mean;
        moments(r, DRAWS, &mean, &error);
        if (wider > 0)
            CHECK(fabs(mean - 1) <= 4.75 * error && error < 0.5,
                  "set %d: mean weight / evidence is %.4g +- %.2g (ELBO gap %.3g)", i, mean, error,
                  gap);
    }
    compiled_free(c);
}

static void gre_wider_than_the_posterior(void) {
    check_bounds("examples/gre.hbm", (DualOptions){FAMILY_STRUCTURED, false, false}, "x",
                 gre_evidence, 0, 0.5);
}

static void gre_elsewhere(void) {
    check_bounds("examples/gre.hbm", (DualOptions){FAMILY_STRUCTURED, false, false}, "x",
                 gre_evidence, 0.02, false);
    check_bounds("examples/gre.hbm", (DualOptions){FAMILY_ADAVI, false, false}, "x", gre_evidence,
                 0.02, false);
    check_bounds("examples/gre.hbm", (DualOptions){FAMILY_ADAVI, true, true}, "x", gre_evidence,
                 0.02, 0);
}

static void nc_wider_than_the_posterior(void) {
    check_bounds("examples/nc.hbm", (DualOptions){FAMILY_STRUCTURED, false, false}, "b",
                 nc_evidence, 0, 0.5);
}

static void nc_elsewhere(void) {
    check_bounds("examples/nc.hbm", (DualOptions){FAMILY_STRUCTURED, false, true}, "b", nc_evidence,
                 0.02, 0);
}

int main(void) {
    RUN(gre_wider_than_the_posterior);
    RUN(gre_elsewhere);
    RUN(nc_wider_than_the_posterior);
    RUN(nc_elsewhere);
    return check_done();
}
