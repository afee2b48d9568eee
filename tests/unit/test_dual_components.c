/* Where the components of a mixture lie apart, the guide starts at the posterior that the labels
 * would give: expectation maximisation assigns every observation, and what follows is a product of
 * Gaussians. Numbers of the test are computed here from the true labels. */
#include "check.h"
#include "harness.h"

enum { GROUPS = 2, OBS = 12, K = 2 };

static const char *const text = "latent mu[2] ~ normal(0, 1);\n"
                                "plate group(2) {\n"
                                "  latent m[2] ~ normal(mu, 0.3);\n"
                                "  latent w[2] ~ dirichlet([1, 1]);\n"
                                "  plate obs(12) {\n"
                                "    latent z ~ categorical(w);\n"
                                "    observed x ~ normal(m[z], 0.05);\n"
                                "  }\n"
                                "}\n";

/* Component 0 is the one farther from the mean of all: 3 of 12 in group 0, 4 in group 1. */
static int label_of(int g, int o) {
    return o < 3 + g ? 0 : 1;
}

static void give_data(Run *run) {
    static const double centre[GROUPS][K] = {{-1.4, 0.9}, {-1.1, 1.2}};
    double x[GROUPS * OBS];
    fill_normal(x, GROUPS * OBS, 3);
    for (int g = 0; g < GROUPS; g++)
        for (int o = 0; o < OBS; o++)
            x[g * OBS + o] = centre[g][label_of(g, o)] + 0.05 * x[g * OBS + o];
    run_give(run, "x", x, GROUPS * OBS);
}

static void moments(const Run *run, int g, int k, double *mean, double *n) {
    const double *x = run_given(run, "x")->data + g * OBS;
    *mean = *n = 0;
    for (int o = 0; o < OBS; o++) {
        *n += label_of(g, o) == k;
        if (label_of(g, o) == k) *mean += x[o];
    }
    *mean /= *n;
}

static Run *prepared(void) {
    Compiled *c = compile_text("apart", text, (DualOptions){FAMILY_STRUCTURED, false, false});
    if (!CHECK(c, "the model does not compile")) return NULL;
    Run *run = run_new(c, 1, 1);
    run_start_weights(run, 1, 0);
    run_statistics(run);
    give_data(run);
    return run;
}

static void locations_start_at_their_posterior(void) {
    Run *run = prepared();
    if (!run) return;
    const IrProgram *p = run->c->dual->posterior;
    const IrTensor *shift = run_output(run, p, "flow:m:shift"), *mu = run_output(run, p, "mu");
    const IrTensor *scale = run_output(run, p, "flow:m:scale");
    for (int g = 0; g < GROUPS; g++)
        for (int k = 0; k < K; k++) {
            double mean, n, precision = 1 / (0.3 * 0.3);
            moments(run, g, k, &mean, &n);
            double of_data = n / (0.05 * 0.05);
            double wanted = (mean * of_data + mu->data[k] * precision) / (of_data + precision);
            CHECK_NEAR(shift->data[g * K + k], wanted, 1e-4, "centre of m");
            CHECK_NEAR(scale->data[g * K + k], -0.5 * log(of_data + precision), 1e-3, "its scale");
        }
    compiled_free(run->c);
}

/* The mean over the groups, each with its own error, and the prior N(0, 1). */
static void locations_above_too(void) {
    Run *run = prepared();
    if (!run) return;
    const IrTensor *shift = run_output(run, run->c->dual->posterior, "flow:mu:shift");
    for (int k = 0; k < K; k++) {
        double precision = 1, sum = 0;
        for (int g = 0; g < GROUPS; g++) {
            double mean, n;
            moments(run, g, k, &mean, &n);
            double own = 1 / (0.3 * 0.3 + 0.05 * 0.05 / n);
            precision += own;
            sum += own * mean;
        }
        CHECK_NEAR(shift->data[k], sum / precision, 1e-4, "centre of mu");
    }
    compiled_free(run->c);
}

/* Between the prior's centre, even shares, and the share of the counts. */
static void shares_start_near_the_counts(void) {
    Run *run = prepared();
    if (!run) return;
    const IrTensor *shift = run_output(run, run->c->dual->posterior, "flow:w:shift");
    for (int g = 0; g < GROUPS; g++) {
        double n = 3 + g, logit = log((n + 0.5) / (OBS - n + 0.5));
        CHECK(shift->data[g] < 0.3 * logit && shift->data[g] > logit - 0.01,
              "group %d: the logit of the first share starts at %g, the counts' is %g", g,
              shift->data[g], logit);
    }
    compiled_free(run->c);
}

int main(void) {
    RUN(locations_start_at_their_posterior);
    RUN(locations_above_too);
    RUN(shares_start_near_the_counts);
    return check_done();
}
