/* Reductions over plates, their sizes and positions: densities against sums written out here, what
 * the analysis says, and what the guide may read. */
#include "check.h"
#include "harness.h"

#include "front/front.h"

#include <math.h>
#include <stdlib.h>

static double normal(double x, double loc, double scale) {
    return -0.5 * (x - loc) * (x - loc) / (scale * scale) - log(scale) - 0.5 * log(2 * M_PI);
}

/* log p of program logjoint at normal numbers, with what the model says done by hand. */
static void densities_follow_the_text(void) {
    enum { G = 3, K = 4 };
    Compiled *c = compile_text("model",
                               "latent m ~ normal(0, 1);\n"
                               "plate g(3) {\n"
                               "  plate k(4) {\n"
                               "    latent b ~ normal(m, k.size);\n"
                               "    observed x ~ normal(b - 2 * mean(k: b), 1);\n"
                               "  }\n"
                               "  observed w ~ normal(sum(k: b * b) + min(k: x), g.size);\n"
                               "}\n"
                               "let top = max(g: sum(k: b)) + 3 * mean(g: max(k: b));\n"
                               "observed y ~ normal(top + sum(g: k.size), 1);\n",
                               (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "the model does not compile")) return;
    double m = 0.3, b[G * K], x[G * K], w[G], y = 2.5, prior = normal(m, 0, 1), likelihood = 0;
    fill_normal(b, G * K, 1);
    fill_normal(x, G * K, 2);
    fill_normal(w, G, 3);
    double largest = -INFINITY, maxima = 0;
    for (int g = 0; g < G; g++) {
        double sum = 0, squares = 0, most = -INFINITY, least = INFINITY;
        for (int k = g * K; k < (g + 1) * K; k++) {
            sum += b[k];
            squares += b[k] * b[k];
            most = fmax(most, b[k]);
            least = fmin(least, x[k]);
        }
        for (int k = g * K; k < (g + 1) * K; k++) {
            prior += normal(b[k], m, K);
            likelihood += normal(x[k], b[k] - 2 * sum / K, 1);
        }
        likelihood += normal(w[g], squares + least, G);
        largest = fmax(largest, sum);
        maxima += most / G;
    }
    likelihood += normal(y, largest + 3 * maxima + G * K, 1);
    Run *run = run_new(c, 1, 1);
    run_give(run, "m", &m, 1);
    run_give(run, "b", b, G * K);
    run_give(run, "x", x, G * K);
    run_give(run, "w", w, G);
    run_give(run, "y", &y, 1);
    CHECK_NEAR(run_output(run, c->dual->logjoint, "log_prior")->data[0], prior, 1e-12, "log prior");
    CHECK_NEAR(run_output(run, c->dual->logjoint, "log_likelihood")->data[0], likelihood, 1e-12,
               "log likelihood");
    compiled_free(c);
}

/* log N(x; 0, cov), n <= 4, by Cholesky's factor. */
static double gaussian(const double *x, int n, double cov[4][4]) {
    double l[4][4] = {{0}}, z[4], result = 0;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
            double sum = cov[i][j];
            for (int k = 0; k < j; k++) sum -= l[i][k] * l[j][k];
            l[i][j] = i == j ? sqrt(sum) : sum / l[j][j];
        }
        z[i] = x[i];
        for (int k = 0; k < i; k++) z[i] -= l[i][k] * z[k];
        z[i] /= l[i][i];
        result -= 0.5 * z[i] * z[i] + log(l[i][i]) + 0.5 * log(2 * M_PI);
    }
    return result;
}

/* Latents that are coupled over instances, and a plate whose latents read another plate's: the
 * guide is an approximation there, but its weights average to the evidence. */
static void weights_average_to_the_evidence(void) {
    enum { SETS = 4, DRAWS = 4000 };
    Compiled *c = compile_text("model",
                               "latent m ~ normal(0, 1);\n"
                               "plate k(4) { latent b ~ normal(m, 1); }\n"
                               "observed w ~ normal(sum(k: b), 1);\n"
                               "plate j(3) { latent a ~ normal(mean(k: b), 1);\n"
                               "  observed y ~ normal(a, 1); }\n",
                               (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "the model does not compile")) return;
    /* sum of b = 4 m + e, var e = 4; y = m + e / 4 + noise of variance 2; w = 4 m + e + noise */
    double cov[4][4];
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++)
            cov[i][k] = i == 3 && k == 3 ? 21 : i == 3 || k == 3 ? 5 : i == k ? 3.25 : 1.25;
    double data[SETS][4], w[SETS], y[SETS * 3];
    fill_normal(data[0], SETS * 4, 11);
    for (int s = 0; s < SETS; s++) {
        w[s] = data[s][3];
        for (int j = 0; j < 3; j++) y[3 * s + j] = data[s][j];
    }
    Run *run = run_new(c, SETS, DRAWS);
    run_give(run, "w", w, SETS);
    run_give(run, "y", y, SETS * 3);
    run_start_weights(run, 1, 0);
    double tie = -0.7; /* the sum is known better than its terms */
    run_give(run, "b.tie.b", &tie, 1);
    run_statistics(run);
    const IrProgram *p = c->dual->posterior;
    const IrTensor *q = run_output(run, p, "log_q"), *prior = run_output(run, p, "log_prior"),
                   *likelihood = run_output(run, p, "log_likelihood");
    for (int s = 0; s < SETS; s++) {
        double mean = 0, square = 0, evidence = gaussian(data[s], 4, cov);
        for (int i = s * DRAWS; i < (s + 1) * DRAWS; i++) {
            double weight = exp(prior->data[i] + likelihood->data[i] - q->data[i] - evidence);
            mean += weight / DRAWS;
            square += weight * weight / DRAWS;
        }
        /* 4.9 standard errors: a false alarm once in a million runs */
        double error = sqrt((square - mean * mean) / DRAWS);
        CHECK(fabs(mean - 1) < 4.9 * error && error < 0.2, "data set %d: mean weight %g +- %g", s,
              mean, error);
    }
    compiled_free(c);
}

static const Conditioning *factor_of(const Analysis *a, const char *latent) {
    for (int i = 0; i < a->n_latents; i++)
        if (!strcmp(a->order[i].latent->name, latent)) return &a->order[i];
    return NULL;
}

static void expect_verdict(const Compiled *c, const char *latent, bool exact, const char *why) {
    const Conditioning *f = factor_of(c->analysis, latent);
    if (!CHECK(f, "no factor of %s", latent)) return;
    CHECK(f->exact == exact, "%s is judged %s: %s", latent, f->exact ? "exact" : "approximate",
          f->reason);
    CHECK(strstr(f->reason, why), "%s: %s", latent, f->reason);
}

static void reductions_couple_instances(void) {
    static const DualOptions structured = {.family = FAMILY_STRUCTURED};
    Compiled *c = compile_text("inside",
                               "latent m ~ normal(0, 1);\n"
                               "plate k(4) { latent b ~ normal(m, 1);\n"
                               "  let centre = mean(k: b);\n"
                               "  observed x ~ normal(b - centre, 1); }\n",
                               structured);
    if (!CHECK(c, "a reduction inside its plate does not compile")) return;
    expect_verdict(c, "b", false, "leave one instance of plate k through `x`");
    expect_verdict(c, "m", true, "");
    const Plate *k = c->model->plates.data[0];
    CHECK(k->exchangeable, "%s", k->reason);
    CHECK(strstr(k->reason, "tied by a reduction over them in `x`"), "%s", k->reason);
    compiled_free(c);
    /* one instance of the outer plate holds all that the reduction reads */
    c = compile_text("outer",
                     "latent m ~ normal(0, 1);\n"
                     "plate g(3) { latent a ~ normal(m, 1);\n"
                     "  plate k(4) { latent b ~ normal(a, 1); }\n"
                     "  observed x ~ normal(mean(k: b), 1); }\n",
                     structured);
    if (!CHECK(c, "a reduction in the outer plate does not compile")) return;
    expect_verdict(c, "a", true, "inside one instance of plate g");
    expect_verdict(c, "b", false, "leave one instance of plate k through `x`");
    compiled_free(c);
}

/* A latent is drawn after those that bound it, though these stand deeper. */
static void bounds_come_first(void) {
    Compiled *c =
        compile_text("bounds",
                     "latent m ~ normal(0, 1);\n"
                     "plate k(4) { latent b ~ normal(m, 1); observed x ~ normal(b, 1); }\n"
                     "latent u ~ uniform(min(k: b), max(k: b));\n"
                     "latent v ~ normal(mean(k: b), 1);\n"
                     "observed y ~ normal(u + v, 1);\n",
                     (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "bounds by a reduction do not compile")) return;
    static const char *const order[] = {"m", "v", "b", "u"};
    for (int i = 0; i < 4; i++) {
        const char *name = c->analysis->order[i].latent->name;
        CHECK(!strcmp(name, order[i]), "latent %d is %s, not %s", i, name, order[i]);
    }
    compiled_free(c);
}

static void positions_break_exchangeability(void) {
    static const char *const texts[] = {
        "latent m ~ normal(0, 1);\n"
        "plate g(3) { plate k(4) { observed x ~ normal(m * k.index, 1); } }\n",
        "latent m ~ normal(0, 1);\n"
        "plate g(3) { plate k(4) { latent b ~ normal(m, 1); }\n"
        "  observed x ~ normal(sum(k: k.index * b), 1); }\n"};
    for (int i = 0; i < 2; i++) {
        Arena *arena = arena_new();
        Diags *diags = diags_new(arena);
        Ast *ast = front_parse(arena, diags, "model", texts[i], strlen(texts[i]));
        Model *model = ast ? front_check(arena, diags, ast, NULL, 0) : NULL;
        if (!CHECK(model, "model %d does not check", i)) continue;
        Analysis *analysis = model_analyse(arena, model);
        const Plate *g = model->plates.data[0], *k = model->plates.data[1];
        CHECK(g->exchangeable, "g: %s", g->reason);
        CHECK(!k->exchangeable && strstr(k->reason, "`x` reads `k.index`"), "k: %s", k->reason);
        DualOptions options = {.family = FAMILY_STRUCTURED};
        CHECK(!dual_derive(arena, diags, analysis, &options) && diags_errors(diags) == 1,
              "an encoder is derived for a plate that it cannot serve");
        arena_free(arena);
    }
}

/* A plate in pieces is the plate in one. */
static void reopened_plates_are_one(void) {
    static const DualOptions options = {.family = FAMILY_STRUCTURED};
    Compiled *whole = compile_text("model",
                                   "latent m ~ normal(0, 1);\n"
                                   "plate g(3) { latent a ~ normal(m, 1);\n"
                                   "  plate k(4) { latent b ~ normal(a, 1);\n"
                                   "    observed x ~ normal(b, 1); } }\n",
                                   options);
    Compiled *pieces = compile_text("model",
                                    "latent m ~ normal(0, 1);\n"
                                    "plate g(3) { latent a ~ normal(m, 1); }\n"
                                    "plate g { plate k(4) { latent b ~ normal(a, 1); } }\n"
                                    "plate g { plate k { observed x ~ normal(b, 1); } }\n",
                                    options);
    if (CHECK(whole && pieces, "the models do not compile"))
        CHECK(whole->model->hash == pieces->model->hash, "the models differ");
    compiled_free(whole);
    compiled_free(pieces);
}

int main(void) {
    RUN(densities_follow_the_text);
    RUN(weights_average_to_the_evidence);
    RUN(reductions_couple_instances);
    RUN(bounds_come_first);
    RUN(positions_break_exchangeability);
    RUN(reopened_plates_are_one);
    return check_done();
}
