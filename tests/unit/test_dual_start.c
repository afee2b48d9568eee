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
static Run *run_untrained_at(Compiled *c, const char *plate, int64_t size) {
    Run *prior = run_new(c, SETS, 1), *run = run_new(c, SETS, DRAWS);
    prior->seed = 11;
    if (plate) {
        run_size(prior, plate, size);
        run_size(run, plate, size);
    }
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

static Run *run_untrained(Compiled *c) {
    return run_untrained_at(c, NULL, 0);
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

/* Observations through a link are what is inside: effects of its law start exact. */
static void effects_behind_a_link_start_exact(void) {
    static const char *const texts[] = {
        "latent m ~ normal(1, 2); plate g(3) { latent u ~ normal(m, 0.5);\n"
        "  plate o(4) { observed y ~ push(exp, normal(u, 0.7)); } }\n",
        "latent m[2] ~ normal(0, 1); plate g(3) { latent u[2] ~ normal(m, 0.5);\n"
        "  plate o(4) { observed y[3] ~ push(sphere_octant, normal(u, 0.3)); } }\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Compiled *c = compile_text("pushed", texts[i], (DualOptions){.family = FAMILY_STRUCTURED});
        if (!CHECK(c, "model %d does not compile", (int)i)) continue;
        double *w = log_weights(run_untrained(c));
        CHECK(spread(w) <= 1e-9, "model %d: log weights differ by %g of their size", (int)i,
              spread(w));
        free(w);
        compiled_free(c);
    }
}

/* Correlated effects, and a regression: the mode and curvature of each instance's density. */
static void linear_gaussian_effects_start_exact(void) {
    static const char *const texts[] = {
        "hyper L[2, 2] = [[20, 0], [0.5, 2]]; hyper age[5] = [-14, -7, 0, 7, 14];\n"
        "plate rat(6) { latent b[2] ~ multi_normal_cholesky([240, 6], L);\n"
        "  observed weight[5] ~ normal(b[0] + b[1] * age, 7); }\n",
        "hyper S[3, 3] = [[2, 0.5, 0.3], [0.5, 1, -0.4], [0.3, -0.4, 3]];\n"
        "plate g(4) { latent b[3] ~ multi_normal(0, S); let twice = 2 * b;\n"
        "  plate h(3) { observed y[3] ~ normal(twice, [1, 0.5, 2]);\n"
        "    plate k(2) { observed z ~ normal(b[0] - b[2], 1); } } }\n",
        "plate g(4) { latent b ~ normal(1, 2); observed y[4] ~ normal(3 * b, 0.7); }\n",
        /* about zero, where the law's own slope is none, but not its curvature */
        "plate g(4) { latent b[2] ~ normal(0, [1, 2]); observed y[2] ~ normal(2 * b, 3); }\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Compiled *c = compile_text("newton", texts[i], (DualOptions){.family = FAMILY_STRUCTURED});
        double *w = log_weights(run_untrained(c));
        CHECK(spread(w) <= 1e-9, "model %d: log weights differ by %g of their size", (int)i,
              spread(w));
        free(w);
        compiled_free(c);
    }
}

/* What stands above effects that regressions show: messages of one and of two levels, of several
 * latents that the data tie together, of one that another's law reads, of what is seen at two
 * levels, and of plates of a single instance. */
static void latents_above_effects_start_exact(void) {
    static const char *const texts[] = {
        "hyper L[2, 2] = [[20, 0], [0.5, 2]]; hyper age[5] = [-14, -7, 0, 7, 14];\n"
        "latent m[2] ~ normal([240, 6], [20, 2]);\n"
        "plate rat(6) { latent b[2] ~ multi_normal_cholesky(m, L);\n"
        "  observed weight[5] ~ normal(b[0] + b[1] * age, 7); }\n",
        "hyper x[3] = [0, 1, 2]; latent m ~ normal(3, 5); latent k ~ normal(m, 0.3);\n"
        "latent other ~ normal(0, 1);\n"
        "plate g(4) { latent d ~ normal(m, 2); plate h(3) { latent a ~ normal(2 * d - 1, 0.7);\n"
        "    latent b ~ normal(k, 0.01); observed y[3] ~ normal(a + b * x, 0.5); } }\n"
        "observed z ~ normal(m + k, 2); plate q(2) { observed v ~ normal(other, 1); }\n",
        "hyper S[3, 3] = [[2, 0.5, 0.3], [0.5, 1, -0.4], [0.3, -0.4, 3]];\n"
        "latent m[3] ~ multi_normal([1, 2, 3], S);\n"
        "plate g(1) { latent b[3] ~ multi_normal(m, S); observed p[3] ~ multi_normal(b, S);\n"
        "  plate h(2) { latent c[3] ~ multi_normal(b, 100 * S);\n"
        "    plate k(2) { observed y[3] ~ normal(c, [1, 0.5, 2]); } } }\n"
        "plate other(2) { latent e[2] ~ normal(m[0:2], 1); observed w ~ normal(e[0] - e[1], 1); }",
        /* numbers that no data see, about zero */
        "latent m[3] ~ normal(0, 1);\n"
        "plate g(4) { latent b[3] ~ normal(m, 1); observed y ~ normal(b[0] + 2 * b[1], 1); }\n"
        "plate h(4) { latent c[3] ~ normal(0, 1); observed z ~ normal(c[0] + 2 * c[1], 1); }\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        Compiled *c = compile_text("above", texts[i], (DualOptions){.family = FAMILY_STRUCTURED});
        if (!CHECK(c, "model %d is refused", (int)i)) continue;
        double *w = log_weights(run_untrained(c));
        CHECK(spread(w) <= 1e-9, "model %d: log weights differ by %g of their size", (int)i,
              spread(w));
        free(w);
        compiled_free(c);
    }
}

/* The joint flow draws scales first. Of draws with the same scales all log weights are equal: given
 * these, locations and all below them start exact. */
static void locations_start_exact_given_scales(void) {
    static const struct {
        const char *file;
        int n_scales, n_locations;
    } models[] = {{"examples/pastes.hbm", 3, 1},
                  {"examples/two_traits.hbm", 5, 2},
                  {"tests/models/rats.hbm", 4, 2},
                  {"tests/models/two_level_regression.hbm", 4, 2}};
    for (size_t k = 0; k < sizeof models / sizeof *models; k++) {
        Compiled *c = compile_file(models[k].file, (DualOptions){.family = FAMILY_STRUCTURED});
        Run *run = run_untrained(c);
        int n = models[k].n_scales + models[k].n_locations;
        double *u = calloc((size_t)(SETS * DRAWS * n), sizeof *u);
        fill_normal(u, SETS * DRAWS * n, 5);
        for (int i = 0; i < SETS * DRAWS; i++)
            for (int j = 0; j < models[k].n_scales; j++)
                u[i * n + j] = u[i / DRAWS * DRAWS * n + j];
        run_give(run, "u:(globals)", u, SETS * DRAWS * n);
        double *w = log_weights(run);
        CHECK(spread(w) <= 1e-9, "%s: log weights differ by %g of their size", models[k].file,
              spread(w));
        free(w);
        free(u);
        compiled_free(c);
    }
}

/* The mean log weight of a data set below the evidence that the weights themselves estimate. */
static double gap_of(const double *w, int set) {
    double most = -INFINITY, sum = 0, mean = 0;
    for (int i = 0; i < DRAWS; i++) most = fmax(most, w[set * DRAWS + i]);
    for (int i = 0; i < DRAWS; i++) {
        sum += exp(w[set * DRAWS + i] - most) / DRAWS;
        mean += w[set * DRAWS + i] / DRAWS;
    }
    return most + log(sum) - mean;
}

/* Of an untrained guide: at most so many nats below the evidence on every data set. */
static void check_starts_near(Compiled *c, const char *what, double most) {
    if (!CHECK(c, "%s is refused", what)) return;
    double *w = log_weights(run_untrained(c));
    for (int k = 0; k < SETS; k++)
        CHECK(gap_of(w, k) < most, "%s: data set %d starts %.3g nats below the evidence", what, k,
              gap_of(w, k));
    free(w);
    compiled_free(c);
}

/* Scales start from their marginal posterior: not from their priors, or variances that regressions
 * inflate, from where the log weights of these models were thousands of nats below. */
static void scales_start_near_their_posterior(void) {
    static const char *const files[] = {
        "tests/models/rats.hbm", "tests/models/two_level_regression.hbm",
        "tests/models/gre_unknown_scales.hbm", "examples/pastes.hbm", "examples/two_traits.hbm"};
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        Compiled *c = compile_file(files[f], (DualOptions){.family = FAMILY_STRUCTURED});
        Run *run = run_untrained(c);
        double *w = log_weights(run);
        for (int i = 0; i < SETS; i++)
            CHECK(gap_of(w, i) < 8, "%s: data set %d starts %.3g nats below the evidence", files[f],
                  i, gap_of(w, i));
        if (!strcmp(files[f], "tests/models/gre_unknown_scales.hbm")) {
            const GaussianEffects model = {3, 50, 2, 0.5, 0.5, 0.1};
            const double *x = run_given(run, "x")->data;
            double evidence = exact_unknown_scales(&model, x), mean = 0;
            for (int i = 0; i < DRAWS; i++) mean += w[i] / DRAWS;
            CHECK(fabs(evidence - mean) < 0.8, "the ELBO is %g, the log evidence %g", mean,
                  evidence);
        }
        free(w);
        compiled_free(c);
    }
}

/* Noise that is not Gaussian: the mode and curvature of what the data say, from far outside of it,
 * and scales by what is left when locations are integrated out about their modes. From means of the
 * data they started from one nat below the evidence, the first, to thousands, or nowhere. */
static void other_noise_starts_near_its_posterior(void) {
    static const char regression[] =
        "hyper t[6] = [-2, -1, 0, 0.5, 1, 2]; latent mu[2] ~ normal(0, 3);\n"
        "plate group(8) { latent b[2] ~ normal(mu, 1); observed x[6] ~ %s(b[0] + b[1] * t, 0.5); }";
    static const struct {
        const char *law, *model;
        double gap; /* at most, in nats: about twice what it is */
    } cases[] = {
        {"student_t", NULL, 0.02},
        {"student_t",
         "latent tau ~ half_normal(0.5); latent s ~ half_normal(0.1); latent m[2] ~ normal(0, 1);\n"
         "plate group(3) { latent b[2] ~ normal(m, tau);\n"
         "  plate k(50) { observed x[2] ~ %s(4, b, s); } }",
         0.4},
        {"logistic", regression, 0.4},
        {"cauchy",
         "latent m ~ normal(0, 3); plate group(8) { latent b ~ normal(m, 0.2);\n"
         "  plate k(9) { observed x ~ %s(b, 0.5); } }",
         0.4},
        {"gumbel", regression, 3},
        {"laplace", regression, 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[400];
        if (cases[i].model) snprintf(text, sizeof text, cases[i].model, cases[i].law);
        const DualOptions options = {.family = FAMILY_STRUCTURED};
        Compiled *c = cases[i].model ? compile_text("noise", text, options)
                                     : compile_file("tests/models/gre_student.hbm", options);
        check_starts_near(c, cases[i].law, cases[i].gap);
    }
}

/* Laws that are not about a location: by the one parameter that the latents enter. By Newton's own
 * steps the first started 18 nats below the evidence, the second 2,500. */
static void laws_of_one_parameter_start_near_their_posterior(void) {
    static const struct {
        const char *law, *latents;
        double gap; /* at most, in nats: about twice what it is */
    } cases[] = {
        {"gamma(3, exp(-a))", "", 0.1},
        {"censored(weibull(2, exp(a * (1 + tau))), hi = 2)", "", 1},
        {"censored(normal(a, s), lo = 0)", "latent s ~ half_normal(1);", 0.6},
        {"hurdle(p, poisson_log(a))", "latent p ~ beta(2, 4);", 0.1},
        {"hurdle(0.2, gamma(2, exp(a)))", "", 0.1},
        {"zero_inflated(0.2, neg_binomial_2_log(a, 4))", "", 0.1},
        {"zero_inflated(logistic(a), poisson_log(a))", "", 8}, /* from the prior: two parameters */
        {"ordered_logistic(a, c)", "latent c[3] ~ sorted(normal(0, 1)) via cumulative_odds;", 1},
        {"categorical_logit([0, a, 1])", "", 0.3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[400];
        snprintf(text, sizeof text,
                 "%s latent tau ~ half_normal(0.5); plate group(6) { latent a ~ normal(0.5, tau);\n"
                 "  plate obs(8) { observed y ~ %s; } }",
                 cases[i].latents, cases[i].law);
        Compiled *c = compile_text("laws", text, (DualOptions){.family = FAMILY_STRUCTURED});
        check_starts_near(c, cases[i].law, cases[i].gap);
    }
}

/* Nothing but numbers with ends, and more of them than a flow written out has: 9 and 3 free ones.
 */
static void bounded_latents_start_near_their_posterior(void) {
    Compiled *c =
        compile_text("shares",
                     "latent p[10] ~ dirichlet(2); latent q[4] ~ dirichlet(1);\n"
                     "plate obs(100) { observed x ~ categorical(p); observed y ~ categorical(q); }",
                     (DualOptions){.family = FAMILY_STRUCTURED});
    check_starts_near(c, "the model", 0.4);
}

/* Each group's own noise starts from its own data; before that, training did not get anywhere. With
 * levels between, and of a latent's law. */
static void scales_in_plates_start_near_their_posterior(void) {
    static const struct {
        const char *model;
        double gap; /* at most, in nats: about twice what it is */
    } cases[] = {
        {"latent m ~ normal(0, 1); plate group(10) { latent sd ~ half_normal(1);\n"
         "  latent b ~ normal(m, 1); plate obs(20) { observed x ~ normal(b, sd); } }",
         2},
        {"plate group(3) { latent sd[2] ~ gamma(2, 2); latent m[2] ~ normal(0, 1);\n"
         "  plate part(5) { latent tau[2] ~ half_normal(1); plate obs(9) {\n"
         "    latent c[2] ~ normal(m, tau); plate k(4) { observed x[2] ~ normal(c, sd); } } } }",
         50},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const DualOptions options = {.family = FAMILY_STRUCTURED};
        Compiled *c = compile_text("groups", cases[i].model, options);
        check_starts_near(c, cases[i].model, cases[i].gap);
    }
}

/* Weak data: noise larger than the effects, and single observations of each group. */
static void weak_data_start_exact(void) {
    static const int observations[] = {1, 5};
    Compiled *c = compile_file("examples/gre.hbm", (DualOptions){.family = FAMILY_STRUCTURED});
    for (int k = 0; k < 2; k++) {
        GaussianEffects model = {30, observations[k], 2, 1, 0.2, 0.5};
        Run *run = run_new(c, SETS, DRAWS);
        run_size(run, "group", model.groups);
        run_size(run, "obs", model.obs);
        run_give(run, "s_mu", &model.s_mu, 1);
        run_give(run, "s_g", &model.s_g, 1);
        run_give(run, "s_x", &model.s_x, 1);
        double x[SETS * 30 * 5 * 2];
        int n = model.groups * model.obs * model.dims;
        fill_normal(x, SETS * n, 3);
        run_give(run, "x", x, SETS * n);
        run_start_weights(run, 1, 0);
        run_statistics(run);
        double *w = log_weights(run);
        CHECK(spread(w) <= 1e-9, "log weights differ by %g of their size", spread(w));
        for (int i = 0; i < SETS; i++)
            CHECK_NEAR(w[i * DRAWS], exact_gaussian_effects(&model, x + i * n), 1e-8,
                       "log evidence");
        free(w);
    }
    compiled_free(c);
}

/* Two observed variables speak of u, one of them through v; each number of v is seen three times at
 * once, with noise of its own for each entry of the second kind of measurement. */
static void trees_start_exact(void) {
    static const char text[] =
        "hyper s = 0.7;\n"
        "latent m ~ normal(1, 2);\n"
        "plate a(4) { latent u ~ normal(m, s); observed x ~ normal(u, 0.4);\n"
        "  plate b(3) { latent v ~ normal(u, 1.2); observed y[3] ~ normal(v, 0.5);\n"
        "    plate c(2) { observed z[2] ~ normal(v, [0.3, 2]); } } }\n";
    Compiled *c = compile_text("tree", text, (DualOptions){.family = FAMILY_STRUCTURED});
    double *w = log_weights(run_untrained(c));
    /* z's entries are averaged, though one is noisier: v is close to exact given u, not exact */
    CHECK(spread(w) > 1e-9, "unequal entries cannot start exact by their mean");
    free(w);
    compiled_free(c);
    char equal[sizeof text];
    strcpy(equal, text);
    memcpy(strstr(equal, "[0.3, 2]"), "     0.3", 8);
    c = compile_text("tree", equal, (DualOptions){.family = FAMILY_STRUCTURED});
    w = log_weights(run_untrained(c));
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

/* Where a plate may have a single instance, nothing shows how its instances vary: the guide starts
 * from the prior's scale and the prior-predictive error, not from a variance of zero, which would
 * make the log weights of these models fall by a million. */
static void single_instances_start_proper(void) {
    static const char *const models[] = {
        "latent m ~ normal(750, 50); latent s ~ half_normal(100);\n"
        "plate n(1..30) { observed x ~ normal(2 * m, s); }\n",
        "latent m ~ normal(1500, 100); latent s ~ half_normal(100);\n"
        "plate n(1..30) { observed x ~ normal(m, s); }\n",
        "latent m ~ normal(1500, 100); latent sb ~ half_normal(100); latent s ~ half_normal(9);\n"
        "plate b(6) { latent u ~ normal(m, sb); latent v ~ normal(0, 30);\n"
        "  plate n(1..5, balanced) { observed x ~ normal(u + v, s); } }\n"};
    for (size_t k = 0; k < sizeof models / sizeof *models; k++) {
        Compiled *c = compile_text("one", models[k], (DualOptions){.family = FAMILY_STRUCTURED});
        if (!CHECK(c, "%s is refused", models[k])) continue;
        double *w = log_weights(run_untrained_at(c, "n", 1));
        int low = 0; /* a scale may still be drawn from near zero, as the prior does */
        for (int i = 0; i < SETS * DRAWS; i++) low += !(w[i] > -1e4);
        CHECK(low < SETS * DRAWS / 4, "model %zu: %d of %d log weights are below -10,000", k, low,
              SETS * DRAWS);
        free(w);
        compiled_free(c);
    }
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
    RUN(effects_behind_a_link_start_exact);
    RUN(linear_gaussian_effects_start_exact);
    RUN(latents_above_effects_start_exact);
    RUN(locations_start_exact_given_scales);
    RUN(scales_start_near_their_posterior);
    RUN(other_noise_starts_near_its_posterior);
    RUN(laws_of_one_parameter_start_near_their_posterior);
    RUN(bounded_latents_start_near_their_posterior);
    RUN(scales_in_plates_start_near_their_posterior);
    RUN(weak_data_start_exact);
    RUN(trees_start_exact);
    RUN(single_instances_start_proper);
    RUN(wide_chains_start_exact);
    RUN(mean_field_does_not_start_exact);
    RUN(every_example_starts_proper);
    RUN(weights_are_counted);
    return check_done();
}
