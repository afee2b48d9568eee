/* The families that are baselines: gradients of their training steps, the way back through their
 * flows, densities that integrate to one, evidence bounds in closed form, and order. */
#include "check.h"
#include "dual/objectives.h"
#include "graddiff.h"
#include "harness.h"
#include "tests/exact/exact.h"
#include "there_and_back.h"

#include <stdlib.h>

static const Family baselines[] = {FAMILY_MEAN_FIELD, FAMILY_CASCADING, FAMILY_TOTAL_FLOW};
enum { N_BASELINES = 3 };

/* Gaussian effects, 3 groups of 4; a link of a vector, a scale, and bounds that latents set. */
static const char effects[] = "latent mu ~ normal(0, 0.5);\n"
                              "plate group(3) { latent m ~ normal(mu, 0.5);\n"
                              "  plate obs(4) { observed x ~ normal(m, 0.3); } }\n";
static const char various[] = "latent s ~ half_normal(1);\n"
                              "latent w[3] ~ dirichlet([2, 2, 2]);\n"
                              "plate g(2) { latent c ~ uniform(-1 - s, 1 + s);\n"
                              "  latent v[2] ~ normal(c, s);\n"
                              "  observed x[2] ~ normal(v * w[0], 1); }\n";

static Compiled *compile_as(const char *text, Family family) {
    Compiled *c = compile_text(family_info[family].name, text, (DualOptions){.family = family});
    CHECK(c, "%s: it does not compile", family_info[family].name);
    return c;
}

static Run *start(Compiled *c, int64_t sets, int64_t draws, double noise) {
    Run *run = run_new(c, sets, draws);
    run_start_weights(run, 3, noise);
    run_statistics(run);
    return run;
}

static void gradients(void) {
    for (int f = 0; f < N_BASELINES; f++) {
        Compiled *c = compile_as(various, baselines[f]);
        if (!c) continue;
        Run *run = start(c, 2, 2, 0.05);
        IrEvalEnv env = run_env(run, c->dual->step);
        double worst;
        int wrong = check_gradients(c->dual->step, &env, 0, &worst);
        CHECK(wrong == 0, "%s: %d derivatives are wrong, the worst by %g of the largest",
              family_info[baselines[f]].name, wrong, worst);
        compiled_free(c);
    }
}

static void density_of_given_values(void) {
    for (int f = 0; f < N_BASELINES; f++) {
        Compiled *c = compile_as(various, baselines[f]);
        if (!c) continue;
        c->dual->fixed = baselines[f] == FAMILY_TOTAL_FLOW;
        c->dual->densities = true;
        IrProgram *p = there_and_back(c);
        check_there_and_back(start(c, 3, 4, 0.1), p, family_info[baselines[f]].name);
        compiled_free(c);
    }
}

/* Where the flow is one number wide its density can be summed up along its base draw. */
static void densities_integrate_to_one(void) {
    enum { POINTS = 4001, SETS = 2 };
    static const char one[] = "latent s ~ gamma(2, 1); plate n(5) { observed x ~ normal(0, s); }";
    static double u[SETS * POINTS];
    for (int i = 0; i < SETS * POINTS; i++) u[i] = -9 + 18.0 * (i % POINTS) / (POINTS - 1);
    for (int f = 0; f < N_BASELINES; f++) {
        Compiled *c = compile_as(one, baselines[f]);
        if (!c) continue;
        Run *prior = run_new(c, SETS, 1), *run = start(c, SETS, POINTS, 0.1);
        const IrTensor *x = run_output(prior, c->dual->simulate, "x");
        run_give(run, "x", x->data, x->size);
        run_give(run, baselines[f] == FAMILY_TOTAL_FLOW ? "u:(all)" : "u:s", u, SETS * POINTS);
        const double *v = run_output(run, c->dual->posterior, "s")->data,
                     *q = run_output(run, c->dual->posterior, "log_q")->data;
        for (int set = 0; set < SETS; set++) {
            double sum = 0;
            for (int i = set * POINTS + 1; i < (set + 1) * POINTS; i++)
                sum += 0.5 * (exp(q[i]) + exp(q[i - 1])) * (v[i] - v[i - 1]);
            CHECK_NEAR(sum, 1, 1e-4, family_info[baselines[f]].name);
        }
        compiled_free(c);
    }
}

/* E_q log w <= log p(x); five latents, so that a wrong plate count or Jacobian shows. */
static void elbos_stay_below_the_evidence(void) {
    enum { SETS = 6, DRAWS = 1000 };
    static const GaussianEffects model = {3, 4, 1, .5, .5, .3};
    for (int f = 0; f < N_BASELINES; f++) {
        Compiled *c = compile_as(effects, baselines[f]);
        if (!c) continue;
        Run *prior = run_new(c, SETS, 1), *run = start(c, SETS, DRAWS, 0.02);
        prior->seed = 21;
        const IrTensor *x = run_output(prior, c->dual->simulate, "x");
        run_give(run, "x", x->data, x->size);
        const IrProgram *p = c->dual->posterior;
        const double *q = run_output(run, p, "log_q")->data,
                     *prior_density = run_output(run, p, "log_prior")->data,
                     *likelihood = run_output(run, p, "log_likelihood")->data;
        for (int i = 0; i < SETS; i++) {
            double sum = 0, squares = 0;
            double evidence = exact_gaussian_effects(&model, run_given(run, "x")->data + i * 12);
            for (int s = i * DRAWS; s < (i + 1) * DRAWS; s++) {
                double r = prior_density[s] + likelihood[s] - q[s] - evidence;
                sum += r, squares += r * r;
            }
            double gap = -sum / DRAWS, error = sqrt((squares / DRAWS - gap * gap) / DRAWS);
            CHECK(gap > -4.75 * error && gap < 5, "%s, set %d: the ELBO is %g +- %g below",
                  family_info[baselines[f]].name, i, gap, error);
        }
        compiled_free(c);
    }
}

int main(void) {
    RUN(gradients);
    RUN(density_of_given_values);
    RUN(densities_integrate_to_one);
    RUN(elbos_stay_below_the_evidence);
    return check_done();
}
