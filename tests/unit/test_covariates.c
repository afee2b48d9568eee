/* Covariates: part of a data set. They are simulated as designed, enter every density that uses
 * them, have none of their own, and a guide that starts exact given them stays so whatever they
 * are. */
#include "check.h"
#include "harness.h"

#include <math.h>
#include <stdlib.h>

enum { SETS = 3, DRAWS = 8, S = 3, T = 4, N = S * T, GROUPS = 5 };

static double log_normal_density(const double *x, int n, double *cov) {
    double sum = -0.5 * n * log(2 * M_PI), z[N];
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
            double v = cov[i * n + j];
            for (int k = 0; k < j; k++) v -= cov[i * n + k] * cov[j * n + k];
            cov[i * n + j] = i == j ? sqrt(v) : v / cov[j * n + j];
        }
        z[i] = x[i];
        for (int k = 0; k < i; k++) z[i] -= cov[i * n + k] * z[k];
        z[i] /= cov[i * n + i];
        sum -= log(cov[i * n + i]) + 0.5 * z[i] * z[i];
    }
    return sum;
}

/* Every draw's log weight is the evidence: the guide is the exact posterior. */
static void check_exact(Run *run, const double *evidence, double tolerance) {
    const IrProgram *p = run->c->dual->posterior;
    const IrTensor *q = run_output(run, p, "log_q"), *prior = run_output(run, p, "log_prior"),
                   *likelihood = run_output(run, p, "log_likelihood");
    for (int i = 0; i < SETS * DRAWS; i++)
        CHECK_NEAR(prior->data[i] + likelihood->data[i] - q->data[i], evidence[i / DRAWS],
                   tolerance, "log weight");
}

static Run *start(Compiled *c) {
    Run *run = run_new(c, SETS, DRAWS);
    run_start_weights(run, 1, 0);
    run_statistics(run);
    return run;
}

/* ---- a growth curve per subject: y = a + b t, a about A + G w, b about B ---- */

static const double SA = 2, SB = 0.7, SG = 1.5, A0 = 0.8, B0 = 0.4, R = -0.5, NOISE = 0.3;

static double growth_evidence(const double *y, const double *t, const double *w, double cor) {
    double cov[N * N], x[N];
    for (int i = 0; i < N; i++) {
        x[i] = y[i] - 1 - 2 * t[i];
        for (int j = 0; j < N; j++) {
            double *c = &cov[i * N + j], tt = t[i] * t[j];
            *c = SA * SA + SB * SB * tt + SG * SG * w[i / T] * w[j / T];
            if (i / T == j / T) *c += A0 * A0 + B0 * B0 * tt + cor * A0 * B0 * (t[i] + t[j]);
            if (i == j) *c += NOISE * NOISE;
        }
    }
    return log_normal_density(x, N, cov);
}

static void check_growth(const char *text, double cor) {
    Compiled *c = compile_text("growth", text, (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "the model does not compile")) return;
    double y[SETS * N], t[SETS * N], w[SETS * S], evidence[SETS];
    fill_normal(y, SETS * N, 5);
    fill_normal(t, SETS * N, 6);
    fill_normal(w, SETS * S, 7);
    for (int i = 0; i < SETS; i++)
        evidence[i] = growth_evidence(y + i * N, t + i * N, w + i * S, cor);
    Run *run = start(c);
    run_give(run, "y", y, SETS * N);
    run_give(run, "t", t, SETS * N);
    run_give(run, "w", w, SETS * S);
    check_exact(run, evidence, 1e-8);
    compiled_free(c);
}

static void growth_is_exact_given_the_scales(void) {
    check_growth("latent A ~ normal(1, 2); latent B ~ normal(2, 0.7); latent G ~ normal(0, 1.5);\n"
                 "plate subject(3) {\n"
                 "  given w ~ normal(0, 1);\n"
                 "  latent a ~ normal(A + G * w, 0.8); latent b ~ normal(B, 0.4);\n"
                 "  plate day(4) {\n"
                 "    given t = day.index;\n"
                 "    observed y ~ normal(a + b * t, 0.3);\n"
                 "  }\n"
                 "}\n",
                 0);
}

static void so_it_is_where_effects_are_correlated(void) {
    check_growth("latent A ~ normal(1, 2); latent B ~ normal(2, 0.7); latent G ~ normal(0, 1.5);\n"
                 "plate subject(3) {\n"
                 "  given w ~ uniform(-2, 2);\n"
                 "  latent e[2] ~ multi_normal([A + G * w, B], [[0.64, -0.16], [-0.16, 0.16]]);\n"
                 "  plate day(4) {\n"
                 "    given t ~ normal(0, 1);\n"
                 "    let line = e[0] + e[1] * t;\n"
                 "    observed y ~ normal(line, 0.3);\n"
                 "  }\n"
                 "}\n",
                 R);
}

/* ---- a given standard error: means of all instances do not say all of what is above them ---- */

static void given_errors_are_weighed(void) {
    Compiled *c = compile_text("meta",
                               "latent mu ~ normal(1, 5);\n"
                               "plate school(5) {\n"
                               "  given se ~ uniform(0.5, 20);\n"
                               "  latent theta ~ normal(mu, 3);\n"
                               "  observed effect ~ normal(theta, se);\n"
                               "}\n",
                               (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "the model does not compile")) return;
    double y[SETS * GROUPS], se[SETS * GROUPS], evidence[SETS];
    fill_normal(y, SETS * GROUPS, 8);
    for (int i = 0; i < SETS * GROUPS; i++) {
        y[i] = 1 + 10 * y[i];
        se[i] = 0.5 + 3 * (i % 7);
    }
    for (int s = 0; s < SETS; s++) {
        double cov[GROUPS * GROUPS], x[GROUPS];
        for (int i = 0; i < GROUPS * GROUPS; i++) {
            double own = se[s * GROUPS + i % GROUPS];
            cov[i] = 25 + (i % (GROUPS + 1) ? 0 : 9 + own * own);
        }
        for (int i = 0; i < GROUPS; i++) x[i] = y[s * GROUPS + i] - 1;
        evidence[s] = log_normal_density(x, GROUPS, cov);
    }
    Run *run = start(c);
    run_give(run, "effect", y, SETS * GROUPS);
    run_give(run, "se", se, SETS * GROUPS);
    check_exact(run, evidence, 1e-8);
    compiled_free(c);
}

/* ---- a factor: the category of an instance says which effect is its ---- */

static void factors_index_effects(void) {
    Compiled *c = compile_text("factor",
                               "latent effect[3] ~ normal(0, 2);\n"
                               "plate k(12) {\n"
                               "  given arm ~ category(3);\n"
                               "  given old ~ bernoulli(0.5);\n"
                               "  observed y ~ normal(effect[arm] + [0, 1][old], 0.5);\n"
                               "}\n",
                               (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "the model does not compile")) return;
    double y[SETS * N], arm[SETS * N], old[SETS * N], evidence[SETS];
    fill_normal(y, SETS * N, 11);
    for (int i = 0; i < SETS * N; i++) {
        arm[i] = i % 5 % 3;
        old[i] = i % 2;
    }
    for (int s = 0; s < SETS; s++) {
        double cov[N * N], x[N];
        const double *a = arm + s * N;
        for (int i = 0; i < N * N; i++)
            cov[i] = (a[i / N] == a[i % N] ? 4 : 0) + (i % (N + 1) ? 0 : 0.25);
        for (int i = 0; i < N; i++) x[i] = y[s * N + i] - old[s * N + i];
        evidence[s] = log_normal_density(x, N, cov);
    }
    Run *run = start(c);
    const IrTensor *drawn = run_output(run, c->dual->simulate, "arm");
    bool seen[3] = {false};
    for (int i = 0; i < SETS * N; i++)
        if (CHECK(drawn->data[i] == 0 || drawn->data[i] == 1 || drawn->data[i] == 2, "category %g",
                  drawn->data[i]))
            seen[(int)drawn->data[i]] = true;
    CHECK(seen[0] && seen[1] && seen[2], "a category is never drawn");
    run_give(run, "y", y, SETS * N);
    run_give(run, "arm", arm, SETS * N);
    run_give(run, "old", old, SETS * N);
    check_exact(run, evidence, 1e-8);
    compiled_free(c);
}

/* ---- cross-products ---- */

/* Output of program posterior that holds a feature of a plate's instances. */
static const IrTensor *feature(Run *run, const char *plate, const char *tag) {
    const Dual *dual = run->c->dual;
    for (int i = 0; i < dual->encodings.n; i++) {
        const DualEncoding *e = &dual->encodings.data[i];
        for (int k = 0; e->plate && k < e->features.n; k++)
            if (!strcmp(e->plate->name, plate) && !strcmp(e->features.data[k], tag))
                return run_output(run, dual->posterior,
                                  k ? arena_printf(run->c->arena, "enc:%s.%d", plate, k)
                                    : arena_printf(run->c->arena, "enc:%s", plate));
    }
    return NULL;
}

static double mean_square(const double *x, int n, double *mean) {
    double square = 0;
    *mean = 0;
    for (int i = 0; i < n; i++) *mean += x[i] / n;
    for (int i = 0; i < n; i++) square += (x[i] - *mean) * (x[i] - *mean) / n;
    return square;
}

static void the_encoder_has_cross_products(void) {
    Compiled *c = compile_text("cross",
                               "latent A ~ normal(0, 1);\n"
                               "plate subject(3) {\n"
                               "  given w ~ normal(0, 1);\n"
                               "  latent b ~ normal(A * w, 1);\n"
                               "  plate day(4) {\n"
                               "    given t ~ normal(0, 1);\n"
                               "    observed y ~ laplace(b * t, 1);\n"
                               "  }\n"
                               "}\n",
                               (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "the model does not compile")) return;
    double y[SETS * N], t[SETS * N], w[SETS * S];
    fill_normal(y, SETS * N, 12);
    fill_normal(t, SETS * N, 13);
    fill_normal(w, SETS * S, 14);
    Run *run = start(c);
    run_give(run, "y", y, SETS * N);
    run_give(run, "t", t, SETS * N);
    run_give(run, "w", w, SETS * S);
    const IrTensor *f = feature(run, "subject", "y.cross.day.subject");
    if (!CHECK(f && f->size == SETS * S * 2, "no such feature")) return;
    for (int i = 0; i < SETS * S; i++) {
        double unused, my, mt, yt = 0, tt = 0;
        double sy = sqrt(mean_square(y + i / S * N, N, &unused));
        double st = sqrt(mean_square(t + i / S * N, N, &unused));
        mean_square(y + i * T, T, &my);
        mean_square(t + i * T, T, &mt);
        for (int k = i * T; k < (i + 1) * T; k++) {
            yt += (y[k] - my) / sy * (t[k] - mt) / st / (T - 1);
            tt += (t[k] - mt) / st * (t[k] - mt) / st / (T - 1);
        }
        /* units have a floor of a thousandth of the prior's scale */
        CHECK_NEAR(f->data[2 * i], asinh(yt), 1e-4, "of outcome and covariate");
        CHECK_NEAR(f->data[2 * i + 1], asinh(tt), 1e-4, "of the covariate");
    }
    compiled_free(c);
}

/* ---- designs ---- */

static void designs_are_simulated(void) {
    Compiled *c = compile_text("design",
                               "context half ~ normal(0, 1);\n"
                               "latent m ~ normal(0, 1);\n"
                               "given top = half + 1;\n"
                               "plate a(2) {\n"
                               "  plate b(3) {\n"
                               "    given t = 10 * a.index + b.index + top;\n"
                               "    given v[2] = t;\n"
                               "    given u ~ normal(t, 0.001);\n"
                               "    observed y ~ normal(m * u + v[1], 1);\n"
                               "  }\n"
                               "}\n",
                               (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "the model does not compile")) return;
    Run *run = run_new(c, SETS, 1);
    const IrProgram *p = c->dual->simulate;
    const IrTensor *half = run_output(run, p, "half"), *t = run_output(run, p, "t"),
                   *u = run_output(run, p, "u"), *v = run_output(run, p, "v");
    CHECK(t->size == SETS * 6 && v->size == SETS * 12, "%lld and %lld numbers", (long long)t->size,
          (long long)v->size);
    for (int i = 0; i < SETS * 6; i++) {
        double want = 10 * (i % 6 / 3) + i % 3 + half->data[i / 6] + 1;
        CHECK_NEAR(t->data[i], want, 1e-12, "position");
        CHECK_NEAR(v->data[2 * i + 1], want, 1e-12, "event");
        CHECK(fabs(u->data[i] - want) < 0.01 && u->data[i] != want, "a draw about it");
    }
    compiled_free(c);
}

/* Program step takes a data set of its own, covariates included. */
static void training_takes_those_given(void) {
    Compiled *c = compile_text("step",
                               "latent b ~ normal(0, 1);\n"
                               "plate k(4) { given x = k.index; observed y ~ normal(b * x, 1); }\n",
                               (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "the model does not compile")) return;
    double y[SETS * 4], x[SETS * 4], evidence[SETS];
    fill_normal(y, SETS * 4, 9);
    fill_normal(x, SETS * 4, 10);
    for (int s = 0; s < SETS; s++) {
        double cov[16];
        for (int i = 0; i < 16; i++) cov[i] = x[s * 4 + i / 4] * x[s * 4 + i % 4] + (i % 5 ? 0 : 1);
        evidence[s] = log_normal_density(y + s * 4, 4, cov);
    }
    Run *run = start(c);
    run_give(run, "y", y, SETS * 4);
    run_give(run, "x", x, SETS * 4);
    const IrTensor *loss = run_output(run, c->dual->step, "set_loss");
    for (int s = 0; s < SETS; s++) CHECK_NEAR(loss->data[s], -evidence[s], 1e-8, "loss");
    compiled_free(c);
}

/* Prior draws of such a latent lie between other ends than its own: their median is no start. */
static void ends_may_be_covariates(void) {
    for (int no_exact = 0; no_exact < 2; no_exact++) {
        Compiled *c = compile_text("ends",
                                   "plate k(4) {\n"
                                   "  given w ~ lognormal(0, 1);\n"
                                   "  latent a ~ uniform(0, w);\n"
                                   "  observed y ~ normal(a, 1);\n"
                                   "}\n",
                                   (DualOptions){.family = FAMILY_ADAVI, .no_exact = no_exact});
        if (!CHECK(c, "the model does not compile")) return;
        Run *run = start(c);
        CHECK(isfinite(run_output(run, c->dual->step, "loss")->data[0]), "the loss is not finite");
        compiled_free(c);
    }
}

int main(void) {
    RUN(growth_is_exact_given_the_scales);
    RUN(so_it_is_where_effects_are_correlated);
    RUN(given_errors_are_weighed);
    RUN(factors_index_effects);
    RUN(the_encoder_has_cross_products);
    RUN(designs_are_simulated);
    RUN(training_takes_those_given);
    RUN(ends_may_be_covariates);
    return check_done();
}
