/* Contexts: known inputs of a network. They are drawn in training and given afterwards, enter every
 * density that uses them, have none of their own, and may be set when simulating. */
#include "check.h"
#include "harness.h"

#include <math.h>
#include <stdlib.h>

enum { SETS = 3, DRAWS = 20, N = 4 };

static const char model_text[] = "context c ~ lognormal(0, 1);\n"
                                 "context d[2] ~ normal(0, 1);\n"
                                 "latent m ~ normal(d[0], c);\n"
                                 "plate k(4) { observed x ~ normal(m + d[1], 1); }\n";

/* log p(x | c, d): x - d0 - d1 is Gaussian with covariance 1 + c^2 11'. */
static double evidence(const double *x, double c, const double *d) {
    double sum = 0, squares = 0;
    for (int i = 0; i < N; i++) {
        double r = x[i] - d[0] - d[1];
        sum += r;
        squares += r * r;
    }
    double whole = 1 + N * c * c;
    return -0.5 * (squares - c * c / whole * sum * sum) - 0.5 * log(whole) -
           0.5 * N * log(2 * M_PI);
}

/* The location is shifted by a context here, so that the guide starts inexact: its weights average
 * to the evidence all the same. */
static void weights_average_to_the_evidence(void) {
    enum { MANY = 4000 };
    Compiled *k = compile_text("model", model_text, (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(k, "the model does not compile")) return;
    double c[SETS] = {0.3, 1, 2.5}, d[SETS * 2] = {0, 1, -0.5, 0.2, 0.7, -1}, x[SETS * N];
    fill_normal(x, SETS * N, 3);
    Run *run = run_new(k, SETS, MANY);
    run_give(run, "c", c, SETS);
    run_give(run, "d", d, SETS * 2);
    run_give(run, "x", x, SETS * N);
    run_start_weights(run, 1, 0);
    run_statistics(run);
    const IrProgram *p = k->dual->posterior;
    const IrTensor *q = run_output(run, p, "log_q"), *prior = run_output(run, p, "log_prior"),
                   *likelihood = run_output(run, p, "log_likelihood");
    for (int s = 0; s < SETS; s++) {
        double mean = 0, square = 0, log_evidence = evidence(x + s * N, c[s], d + 2 * s);
        for (int i = s * MANY; i < (s + 1) * MANY; i++) {
            double w = exp(prior->data[i] + likelihood->data[i] - q->data[i] - log_evidence);
            mean += w / MANY;
            square += w * w / MANY;
        }
        /* 4.9 standard errors: a false alarm once in a million runs */
        double error = sqrt((square - mean * mean) / MANY);
        CHECK(fabs(mean - 1) < 4.9 * error + 1e-9, "data set %d: mean weight %g +- %g", s, mean,
              error);
    }
    compiled_free(k);
}

/* Without the shift the guide is exact before training, whatever the context is: it knows the prior
 * that the context makes. */
static void the_start_knows_the_context(void) {
    Compiled *k = compile_text("model",
                               "context c ~ lognormal(0, 1);\n"
                               "latent m ~ normal(0, c);\n"
                               "plate k(4) { observed x ~ normal(m, 1); }\n",
                               (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(k, "the model does not compile")) return;
    double c[SETS] = {0.1, 1, 8}, none[2] = {0}, x[SETS * N];
    fill_normal(x, SETS * N, 4);
    Run *run = run_new(k, SETS, DRAWS);
    run_give(run, "c", c, SETS);
    run_give(run, "x", x, SETS * N);
    run_start_weights(run, 1, 0);
    run_statistics(run);
    const IrProgram *p = k->dual->posterior;
    for (int i = 0; i < SETS * DRAWS; i++) {
        int s = i / DRAWS;
        double w = run_output(run, p, "log_prior")->data[i] +
                   run_output(run, p, "log_likelihood")->data[i] -
                   run_output(run, p, "log_q")->data[i];
        CHECK_NEAR(w, evidence(x + s * N, c[s], none), 1e-8, "log weight");
    }
    compiled_free(k);
}

static void contexts_can_be_set(void) {
    Compiled *k = compile_text("model", model_text, (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(k, "the model does not compile")) return;
    Run *run = run_new(k, SETS, 1);
    const IrTensor *drawn = run_output(run, k->dual->simulate, "c");
    CHECK(drawn->data[0] != drawn->data[1], "contexts are drawn anew for every data set");
    const IrTensor *m = run_output(run, k->dual->simulate, "m");
    const IrTensor *d = run_output(run, k->dual->simulate, "d");
    double before[SETS], c = 5, on = 1;
    for (int i = 0; i < SETS; i++) before[i] = (m->data[i] - d->data[2 * i]) / drawn->data[i];
    run_give(run, "set:c", &c, 1);
    run_give(run, "set:c:on", &on, 1);
    for (int i = 0; i < SETS; i++) {
        CHECK_NEAR(run_output(run, k->dual->simulate, "c")->data[i], 5, 0, "the value set");
        double now = run_output(run, k->dual->simulate, "m")->data[i] -
                     run_output(run, k->dual->simulate, "d")->data[2 * i];
        CHECK_NEAR(now, 5 * before[i], 1e-9, "other draws stay as they are");
    }
    compiled_free(k);
}

int main(void) {
    RUN(weights_average_to_the_evidence);
    RUN(the_start_knows_the_context);
    RUN(contexts_can_be_set);
    return check_done();
}
