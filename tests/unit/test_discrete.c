/* Discrete latents: the log density with them summed out, against sums over all their values
 * written out here; its gradients; draws against the density; posterior probabilities. */
#include "check.h"
#include "graddiff.h"
#include "harness.h"

#include <stdlib.h>

static const DualOptions DEFAULT = {FAMILY_STRUCTURED, false, false};
enum { DRAWS = 3 };

static double log_normal(double x, double loc, double scale) {
    double z = (x - loc) / scale;
    return -0.5 * z * z - log(scale) - 0.91893853320467274178;
}

static double log_add(double a, double b) {
    double most = a > b ? a : b;
    return isinf(most) ? most : most + log(exp(a - most) + exp(b - most));
}

/* Latents and data of one data set with DRAWS draws: normal numbers; where `simplex`, their softmax
 * over the last `event` entries; where `positive`, their exponential. */
typedef enum { REAL, SIMPLEX, POSITIVE, UNIT } Kind;
static void give(Run *run, const char *name, Kind kind, int64_t n, int64_t event, uint32_t seed) {
    double *x = malloc(sizeof *x * (size_t)n);
    fill_normal(x, n, seed);
    for (int64_t i = 0; i < n && kind != REAL; i++)
        x[i] = kind == UNIT ? 1 / (1 + exp(-x[i])) : exp(x[i]);
    for (int64_t i = 0; i < n && kind == SIMPLEX; i += event) {
        double sum = 0;
        for (int64_t k = 0; k < event; k++) sum += x[i + k];
        for (int64_t k = 0; k < event; k++) x[i + k] /= sum;
    }
    run_give(run, name, x, n);
    free(x);
}

static const double *given(const Run *run, const char *name) {
    return run_given(run, name)->data;
}

static double density(Run *run, int draw) {
    const IrProgram *p = run->c->dual->logjoint;
    return run_output(run, p, "log_prior")->data[draw] +
           run_output(run, p, "log_likelihood")->data[draw];
}

static void expect(Run *run, const double *wanted, const char *what) {
    for (int s = 0; s < DRAWS; s++) {
        double found = density(run, s);
        CHECK(fabs(found - wanted[s]) <= 1e-12 * fmax(1, fabs(wanted[s])),
              "%s, draw %d: log density %.17g, expected %.17g", what, s, found, wanted[s]);
    }
}

/* d:NAME of program logjoint, summed over draws, against central differences in every entry. */
static void check_slopes(Run *run, const char *name) {
    const IrProgram *p = run->c->dual->logjoint;
    char slope[64];
    snprintf(slope, sizeof slope, "d:%s", name);
    Given *at = run_given(run, name);
    double *d = malloc(sizeof *d * (size_t)at->n);
    double most = 1;
    memcpy(d, run_output(run, p, slope)->data, sizeof *d * (size_t)at->n);
    for (int64_t i = 0; i < at->n; i++) most = fmax(most, fabs(d[i]));
    for (int64_t i = 0; i < at->n; i++) {
        const double h = 1e-5, x = at->data[i];
        double sides[2] = {0};
        for (int side = 0; side < 2; side++) {
            at->data[i] = side ? x + h : x - h;
            run->program = NULL;
            for (int s = 0; s < DRAWS; s++) sides[side] += density(run, s);
        }
        at->data[i] = x;
        run->program = NULL;
        double numeric = (sides[1] - sides[0]) / (2 * h);
        CHECK(fabs(numeric - d[i]) <= 1e-6 * most, "d:%s[%lld] is %g, differences say %g", name,
              (long long)i, d[i], numeric);
    }
    free(d);
}

/* ---- the Gaussian mixture with random effects ---- */

enum { GROUPS = 2, OBS = 4, L = 3, D = 2 };

static double log_component(const Run *run, int s, int g, int o, int k) {
    const double *mu = given(run, "mu_g") + ((s * GROUPS + g) * L + k) * D;
    const double *x = given(run, "x") + (g * OBS + o) * D;
    double sum = log(given(run, "pi_g")[(s * GROUPS + g) * L + k]);
    for (int d = 0; d < D; d++) sum += log_normal(x[d], mu[d], 0.05);
    return sum;
}

static double gm_density(const Run *run, int s) {
    double sum = GROUPS * log(2); /* the Dirichlet's constant */
    for (int i = 0; i < L * D; i++) sum += log_normal(given(run, "mu")[s * L * D + i], 0, 1);
    for (int g = 0; g < GROUPS; g++) {
        for (int i = 0; i < L * D; i++)
            sum += log_normal(given(run, "mu_g")[(s * GROUPS + g) * L * D + i],
                              given(run, "mu")[s * L * D + i], 0.2);
        for (int o = 0; o < OBS; o++) {
            double all = -INFINITY;
            for (int k = 0; k < L; k++) all = log_add(all, log_component(run, s, g, o, k));
            sum += all;
        }
    }
    return sum;
}

static Run *gm_run(void) {
    Compiled *c = compile_file("examples/gm.hbm", DEFAULT);
    if (!CHECK(c, "gm does not compile")) return NULL;
    Run *run = run_new(c, 1, DRAWS);
    run_size(run, "group", GROUPS);
    run_size(run, "obs", OBS);
    return run;
}

static void mixture_of_groups(void) {
    Run *run = gm_run();
    if (!run) return;
    give(run, "mu", REAL, DRAWS * L * D, 1, 1);
    give(run, "mu_g", REAL, DRAWS * GROUPS * L * D, 1, 2);
    give(run, "pi_g", SIMPLEX, DRAWS * GROUPS * L, L, 3);
    give(run, "x", REAL, GROUPS * OBS * D, 1, 4);
    double wanted[DRAWS];
    for (int s = 0; s < DRAWS; s++) wanted[s] = gm_density(run, s);
    expect(run, wanted, "gm");
    check_slopes(run, "mu_g");
    check_slopes(run, "pi_g");
    compiled_free(run->c);
}

/* What `infer` reports, draw by draw, from the very parameters that it drew. */
static void probabilities_given_the_draw(void) {
    Run *run = gm_run();
    if (!run) return;
    const IrProgram *p = run->c->dual->posterior;
    run_start_weights(run, 3, 0.02);
    run_statistics(run);
    give(run, "x", REAL, GROUPS * OBS * D, 1, 4);
    static const char *const drawn[] = {"mu", "mu_g", "pi_g"};
    const IrTensor *z = run_output(run, p, "z");
    const IrTensor *values[3];
    for (int i = 0; i < 3; i++) values[i] = run_output(run, p, drawn[i]);
    for (int i = 0; i < 3; i++) run_give(run, drawn[i], values[i]->data, values[i]->size);
    CHECK(z->size == DRAWS * GROUPS * OBS * L, "%lld probabilities", (long long)z->size);
    for (int s = 0; s < DRAWS; s++)
        for (int i = 0; i < GROUPS * OBS; i++) {
            double all = -INFINITY, share = 0;
            for (int k = 0; k < L; k++)
                all = log_add(all, log_component(run, s, i / OBS, i % OBS, k));
            for (int k = 0; k < L; k++) {
                double found = z->data[(s * GROUPS * OBS + i) * L + k];
                double wanted = exp(log_component(run, s, i / OBS, i % OBS, k) - all);
                CHECK_NEAR(found, wanted, 1e-12, "a probability");
                share += found;
            }
            CHECK_NEAR(share, 1, 1e-12, "their sum");
        }
    compiled_free(run->c);
}

/* The loss of a whole training step, through the guide. */
static void training_step(void) {
    Compiled *c = compile_file("examples/gm.hbm", DEFAULT);
    if (!CHECK(c, "gm does not compile")) return;
    Run *run = run_new(c, 2, 2);
    run_size(run, "group", 2);
    run_size(run, "obs", 3);
    run_start_weights(run, 3, 0.02);
    run_statistics(run);
    IrEvalEnv env = run_env(run, c->dual->step);
    double worst;
    int wrong = check_gradients(c->dual->step, &env, 1, &worst);
    CHECK(wrong == 0, "%d derivatives are wrong, the worst by %g of the largest", wrong, worst);
    compiled_free(c);
}

/* ---- labels outside plates, several of them, chains, arithmetic ---- */

static Run *run_text(const char *name, const char *text) {
    Compiled *c = compile_text(name, text, DEFAULT);
    return CHECK(c, "%s does not compile", name) ? run_new(c, 1, DRAWS) : NULL;
}

/* One switch for all instances of a plate, latents among them: the sum holds products over it. */
static void label_outside_a_plate(void) {
    Run *run = run_text("switch", "latent p ~ beta(2, 2);\n"
                                  "latent on ~ bernoulli(p);\n"
                                  "plate unit(3) {\n"
                                  "  latent b ~ normal(on == 1 ? 2 : 0, 1 + on);\n"
                                  "  observed y ~ normal(b, 0.5);\n"
                                  "}\n");
    if (!run) return;
    give(run, "p", UNIT, DRAWS, 1, 1);
    give(run, "b", REAL, DRAWS * 3, 1, 2);
    give(run, "y", REAL, 3, 1, 3);
    double wanted[DRAWS];
    for (int s = 0; s < DRAWS; s++) {
        double p = given(run, "p")[s], side[2] = {log(1 - p), log(p)};
        const double *b = given(run, "b") + 3 * s, *y = given(run, "y");
        wanted[s] = log(6 * p * (1 - p));
        for (int i = 0; i < 3; i++) {
            wanted[s] += log_normal(y[i], b[i], 0.5);
            for (int on = 0; on < 2; on++) side[on] += log_normal(b[i], on ? 2 : 0, 1 + on);
        }
        wanted[s] += log_add(side[0], side[1]);
    }
    expect(run, wanted, "switch");
    check_slopes(run, "p");
    check_slopes(run, "b");
    const Conditioning *c = &run->c->analysis->order[1];
    CHECK(!c->exact, "instances that a common label couples are called exact: %s", c->reason);
    compiled_free(run->c);
}

/* A label of a group that sets the weights of its members' labels, which name positions in fewer
 * values than there are, through a fn, and backwards. */
static void label_of_labels(void) {
    Run *run = run_text("chain", "hyper w[2, 3] = [[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]];\n"
                                 "hyper t = 0.7;\n"
                                 "fn entry(x[K], i) = x[i];\n"
                                 "latent m[4] ~ normal(0, 2);\n"
                                 "plate group(2) {\n"
                                 "  latent kind ~ bernoulli(t);\n"
                                 "  plate member(2) {\n"
                                 "    latent z ~ categorical(w[kind]);\n"
                                 "    observed y ~ normal(entry(m, z) + m[3 - z] * kind, 0.8);\n"
                                 "  }\n"
                                 "}\n");
    if (!run) return;
    static const double w[2][3] = {{.2, .3, .5}, {.6, .3, .1}};
    give(run, "m", REAL, DRAWS * 4, 1, 1);
    give(run, "y", REAL, 4, 1, 2);
    double wanted[DRAWS];
    for (int s = 0; s < DRAWS; s++) {
        const double *m = given(run, "m") + 4 * s, *y = given(run, "y");
        wanted[s] = 0;
        for (int i = 0; i < 4; i++) wanted[s] += log_normal(m[i], 0, 2);
        for (int g = 0; g < 2; g++) {
            double kinds[2] = {log(0.3), log(0.7)};
            for (int kind = 0; kind < 2; kind++)
                for (int i = 0; i < 2; i++) {
                    double all = -INFINITY;
                    for (int z = 0; z < 3; z++) {
                        double loc = m[z] + m[3 - z] * kind;
                        double own = log(w[kind][z]) + log_normal(y[2 * g + i], loc, 0.8);
                        all = log_add(all, own);
                    }
                    kinds[kind] += all;
                }
            wanted[s] += log_add(kinds[0], kinds[1]);
        }
    }
    expect(run, wanted, "chain");
    check_slopes(run, "m");
    compiled_free(run->c);
}

/* Two labels with a common child, and a let that rests on one of them. */
static void labels_with_a_common_child(void) {
    Run *run = run_text("pair", "latent a[2, 3] ~ normal(0, 1);\n"
                                "latent v[3] ~ normal(0, 1);\n"
                                "plate obs(3) {\n"
                                "  latent i ~ bernoulli_logit(0.4);\n"
                                "  latent j ~ categorical_logit(v);\n"
                                "  let sign = 2 * i - 1;\n"
                                "  observed x ~ normal(a[i, j], 0.5);\n"
                                "  observed y ~ normal(sign * j, 1);\n"
                                "}\n");
    if (!run) return;
    give(run, "a", REAL, DRAWS * 6, 1, 1);
    give(run, "v", REAL, DRAWS * 3, 1, 2);
    give(run, "x", REAL, 3, 1, 3);
    give(run, "y", REAL, 3, 1, 4);
    double wanted[DRAWS];
    for (int s = 0; s < DRAWS; s++) {
        const double *a = given(run, "a") + 6 * s, *v = given(run, "v") + 3 * s;
        double total = log_add(log_add(v[0], v[1]), v[2]);
        wanted[s] = 0;
        for (int i = 0; i < 6; i++) wanted[s] += log_normal(a[i], 0, 1);
        for (int i = 0; i < 3; i++) wanted[s] += log_normal(v[i], 0, 1);
        for (int o = 0; o < 3; o++) {
            double all = -INFINITY;
            for (int i = 0; i < 2; i++)
                for (int j = 0; j < 3; j++) {
                    double own = -log1p(exp(i ? -0.4 : 0.4)) + v[j] - total;
                    own += log_normal(given(run, "x")[o], a[3 * i + j], 0.5);
                    all = log_add(all, own + log_normal(given(run, "y")[o], (2 * i - 1) * j, 1));
                }
            wanted[s] += all;
        }
    }
    expect(run, wanted, "pair");
    check_slopes(run, "a");
    check_slopes(run, "v");
    compiled_free(run->c);
}

/* ---- mixtures as distributions ---- */

static double log_gamma_density(double x, double shape, double rate) {
    return shape * log(rate) - lgamma(shape) + (shape - 1) * log(x) - rate * x;
}

/* Of one distribution, of several, and of copies, each of which has a component of its own. */
static void mixtures(void) {
    Run *run =
        run_text("mixtures", "latent m[3] ~ normal(0, 2);\n"
                             "latent w[3] ~ dirichlet([1, 1, 1]);\n"
                             "latent q ~ mixture([0.3, 0.7], gamma(2, 1), lognormal(0, 2));\n"
                             "plate obs(2) {\n"
                             "  observed x ~ mixture(w, k in 3: normal(m[k], k + 1));\n"
                             "  observed y[2] ~ mixture(w, normal([1, 2], q),\n"
                             "      normal(0, q), normal(m[0], [q, 3]));\n"
                             "}\n");
    if (!run) return;
    give(run, "m", REAL, DRAWS * 3, 1, 1);
    give(run, "w", SIMPLEX, DRAWS * 3, 3, 2);
    give(run, "q", POSITIVE, DRAWS, 1, 3);
    give(run, "x", REAL, 2, 1, 4);
    give(run, "y", REAL, 4, 1, 5);
    double wanted[DRAWS];
    for (int s = 0; s < DRAWS; s++) {
        const double *m = given(run, "m") + 3 * s, *w = given(run, "w") + 3 * s;
        double q = given(run, "q")[s];
        wanted[s] = log(2) + log_add(log(0.3) + log_gamma_density(q, 2, 1),
                                     log(0.7) + log_normal(log(q), 0, 2) - log(q));
        for (int k = 0; k < 3; k++) wanted[s] += log_normal(m[k], 0, 2);
        for (int i = 0; i < 2; i++) {
            double all = -INFINITY, x = given(run, "x")[i];
            for (int k = 0; k < 3; k++) all = log_add(all, log(w[k]) + log_normal(x, m[k], k + 1));
            wanted[s] += all;
            for (int d = 0; d < 2; d++) {
                double y = given(run, "y")[2 * i + d];
                double first = log(w[0]) + log_normal(y, d + 1, q);
                double second = log(w[1]) + log_normal(y, 0, q);
                double third = log(w[2]) + log_normal(y, m[0], d ? 3 : q);
                wanted[s] += log_add(log_add(first, second), third);
            }
        }
    }
    expect(run, wanted, "mixtures");
    check_slopes(run, "m");
    check_slopes(run, "w");
    check_slopes(run, "q");
    compiled_free(run->c);
}

/* Before training the guide of a latent mixture is as wide as its components lie apart. */
static void latent_mixture_starts_wide(void) {
    Run *run =
        run_text("apart", "latent a ~ mixture([0.5, 0.5], normal(-3, 0.1), normal(3, 0.1));\n"
                          "plate obs(2) { observed x ~ normal(a * a, 1); }\n");
    if (!run) return;
    double x[2] = {8, 9};
    run_start_weights(run, 1, 0);
    run_statistics(run);
    run_give(run, "x", x, 2);
    const IrTensor *scale = run_output(run, run->c->dual->posterior, "flow:a:scale");
    CHECK(scale->data[0] > log(2), "log scale %g", scale->data[0]);
    compiled_free(run->c);
}

/* ---- draws ---- */

enum { BINS = 12, SIMULATED = 6000, PER_BIN = 8 };
static const double LOW = -4.5, HIGH = 4.5;

/* Draws of x given m against the density of the same program, integrated over bins with Simpson's
 * rule; the ends count to the outermost bins. chi-square with 11 degrees of freedom exceeds 45 with
 * probability 5e-6. */
static void compare_draws(const char *text) {
    enum { POINTS = BINS * PER_BIN + 1 };
    Run *prior = run_text("simple", text), *run = run_text("simple", text);
    if (!prior || !run) return;
    const double m[3] = {-2, 0.5, 2};
    run_size(prior, "obs", SIMULATED);
    run_give(prior, "sim:m", m, 3);
    const IrTensor *x = run_output(prior, prior->c->dual->simulate, "x");
    int counts[BINS] = {0};
    for (int i = 0; i < SIMULATED; i++) {
        int bin = (int)floor((x->data[i] - LOW) / (HIGH - LOW) * BINS);
        counts[bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin]++;
    }
    double points[POINTS], drawn[POINTS * 3];
    for (int i = 0; i < POINTS; i++) {
        points[i] = LOW + (HIGH - LOW) * i / (POINTS - 1);
        memcpy(drawn + 3 * i, m, sizeof m);
    }
    run_size(run, "data", POINTS);
    run_size(run, "draw", 1);
    run_give(run, "x", points, POINTS);
    run_give(run, "m", drawn, 3 * POINTS);
    const IrTensor *log_p = run_output(run, run->c->dual->logjoint, "log_likelihood");
    double chi = 0, mass = 0;
    for (int b = 0; b < BINS; b++) {
        double share = 0;
        for (int i = 0; i <= PER_BIN; i++)
            share += (i == 0 || i == PER_BIN ? 1
                      : i % 2                ? 4
                                             : 2) *
                     exp(log_p->data[b * PER_BIN + i]);
        share *= (HIGH - LOW) / (POINTS - 1) / 3;
        mass += share;
        double expected = SIMULATED * share;
        chi += (counts[b] - expected) * (counts[b] - expected) / expected;
    }
    CHECK(mass > 0.998 && mass < 1.0001, "the density's mass is %g", mass);
    CHECK(chi < 45, "chi-square %g", chi);
    compiled_free(prior->c);
    compiled_free(run->c);
}

static const char labelled[] = "latent m[3] ~ normal(0, 1);\n"
                               "plate obs(1) {\n"
                               "  latent z ~ categorical([0.2, 0.5, 0.3]);\n"
                               "  observed x ~ normal(m[z], z == 1 ? 0.3 : 0.8);\n"
                               "}\n";

static void draws_follow_the_density(void) {
    compare_draws(labelled);
}

static void draws_of_mixtures_follow_the_density(void) {
    compare_draws("latent m[3] ~ normal(0, 1);\n"
                  "plate obs(1) {\n"
                  "  observed x ~ mixture([0.2, 0.5, 0.3], k in 3: normal(m[k], 0.2 * k + 0.3));\n"
                  "}\n");
    compare_draws("latent m[3] ~ normal(0, 1);\n"
                  "plate obs(1) {\n"
                  "  observed x ~ mixture([0.6, 0.4], laplace(m[0], 0.3), logistic(m[1], 0.2));\n"
                  "}\n");
}

/* Five standard deviations. */
static void labels_have_their_probabilities(void) {
    Run *prior = run_text("simple", labelled);
    if (!prior) return;
    run_size(prior, "obs", SIMULATED);
    const IrTensor *z = run_output(prior, prior->c->dual->simulate, "z");
    static const double p[3] = {0.2, 0.5, 0.3};
    int count[3] = {0};
    for (int i = 0; i < SIMULATED; i++) count[(int)z->data[i]]++;
    for (int k = 0; k < 3; k++) {
        double sd = sqrt(SIMULATED * p[k] * (1 - p[k]));
        CHECK(fabs(count[k] - SIMULATED * p[k]) < 5 * sd, "%d of %d labels are %d", count[k],
              SIMULATED, k);
    }
    compiled_free(prior->c);
}

/* ---- label symmetries ---- */

/* What must be found, as "labels / moved along dimensions / plate", one after the other. */
static const struct {
    const char *text, *found;
} symmetric[] = {
    {"latent m[2] ~ normal(0, 1); latent w[2] ~ dirichlet([1, 1]);"
     "plate o(9) { latent z ~ categorical(w); observed x ~ normal(m[z], 1); }",
     "z / m0 w0 / -; "},
    {"plate g(3) { latent m[2] ~ normal(0, 1); latent w[2] ~ dirichlet(rep(3, 2));"
     "plate o(9) { latent z ~ categorical(w); observed x ~ normal(m[z], 1); } }",
     "z / m0 w0 / g; "},
    {"plate g(3) { latent m[2] ~ normal(0, 1); latent s[2] ~ half_normal(1);"
     "latent z ~ categorical([0.5, 0.5]); observed x ~ normal(m[z], s[z]); }",
     "z / m0 s0 / g; "},
    /* one label for all instances */
    {"latent z ~ categorical([0.5, 0.5]); plate g(3) { latent m[2] ~ normal(0, 1);"
     "observed x ~ normal(m[z], 1); }",
     "z / m0 / -; "},
    /* through a let, a fn, logits, a hyper with equal entries; what is summed over all components
     */
    {"hyper h[3] = [2, 2, 2]; fn entry(x[K], k) = x[k]; latent a[3] ~ normal(0, h);"
     "latent m[3, 2] ~ normal(0, 1); plate o(9) { let n = 2 * m + 1; latent z ~ "
     "categorical_logit(a);"
     "observed x ~ normal(entry(n[:, 0], z), 1); observed y ~ normal(mean(m), 1); }",
     "z / a0 m0 / -; "},
    /* two labels of the same components */
    {"latent m[2] ~ normal(0, 1); plate o(9) { latent y ~ categorical([0.5, 0.5]);"
     "latent z ~ categorical([0.5, 0.5]); observed x[2] ~ normal([m[y], m[z]], 1); }",
     "y z / m0 / -; "},
    /* rows of a matrix, and what the rows are made of */
    {"latent P[2, 3] ~ dirichlet([1, 1, 1]); latent m[3] ~ normal(0, 1);"
     "plate o(9) { latent k ~ categorical([0.5, 0.5]); latent z ~ categorical(P[k]);"
     "observed x ~ normal(m[z], 1); }",
     "k / P0 / -; z / P1 m0 / -; "},
    /* an array that has each component's entry in its place; rows of the same number */
    {"latent s[2] ~ half_normal(1); latent m[2, 3] ~ normal(0, [k in 2: rep(2 * s[k], 3)]);"
     "plate o(9) { latent z ~ categorical([0.5, 0.5]); observed x[3] ~ normal(m[z], 1); }",
     "z / s0 m0 / -; "},
    /* and none: unequal weights or priors, an order, a component named or a label that is a number
     */
    {"latent m[2] ~ normal(0, 1); plate o(9) { latent z ~ categorical([0.4, 0.6]);"
     "observed x ~ normal(m[z], 1); }",
     ""},
    {"latent m[2] ~ normal([-1, 1], 1); plate o(9) { latent z ~ categorical([0.5, 0.5]);"
     "observed x ~ normal(m[z], 1); }",
     ""},
    {"latent m[2] ~ normal(0, 1); latent w[2] ~ dirichlet([1, 2]);"
     "plate o(9) { latent z ~ categorical(w); observed x ~ normal(m[z], 1); }",
     ""},
    {"latent m[2] ~ push(ordered, normal(0, 1)); plate o(9) { latent z ~ categorical([0.5, 0.5]);"
     "observed x ~ normal(m[z], 1); }",
     ""},
    {"latent m[2] ~ normal(0, 1); plate o(9) { latent z ~ categorical([0.5, 0.5]);"
     "observed x ~ normal(m[z], 1); } observed y ~ normal(m[0], 1);",
     ""},
    {"latent m[2] ~ normal(0, 1); plate o(9) { latent z ~ categorical([0.5, 0.5]);"
     "observed x ~ normal(m[z], 1 + z); }",
     ""},
    {"latent m[3] ~ normal(0, 1); plate o(9) { latent z ~ categorical([0.5, 0.5]);"
     "observed x ~ normal(m[z], 1); }",
     ""},
    /* an array of other entries than each component's own, written there or by a let */
    {"latent s[2] ~ half_normal(1); latent m[2] ~ normal(0, [k in 2: s[k] + s[0]]);"
     "plate o(9) { latent z ~ categorical([0.5, 0.5]); observed x ~ normal(m[z], 1); }",
     ""},
    {"latent s[2] ~ half_normal(1); let one = s[0]; latent m[2] ~ normal(0, [k in 2: s[k] + one]);"
     "plate o(9) { latent z ~ categorical([0.5, 0.5]); observed x ~ normal(m[z], 1); }",
     ""},
    {"latent s[2] ~ half_normal(1); latent m[2] ~ normal(0, [s[1], s[0]]);"
     "plate o(9) { latent z ~ categorical([0.5, 0.5]); observed x ~ normal(m[z], 1); }",
     ""},
};

static void label_symmetries(void) {
    for (size_t i = 0; i < sizeof symmetric / sizeof *symmetric; i++) {
        Compiled *c = compile_text("symmetric", symmetric[i].text, DEFAULT);
        if (!CHECK(c, "model %d does not compile", (int)i)) continue;
        Text found;
        text_init(&found, c->arena);
        text_add(&found, "");
        for (int k = 0; k < c->analysis->n_symmetries; k++) {
            const LabelSymmetry *s = &c->analysis->symmetries[k];
            for (int j = 0; j < s->n_labels; j++) text_printf(&found, "%s ", s->labels[j]->name);
            text_add(&found, "/ ");
            for (int j = 0; j < s->n_moved; j++)
                text_printf(&found, "%s%d ", s->moved[j]->name, s->dim[j]);
            text_printf(&found, "/ %s; ", s->plate ? s->plate->name : "-");
        }
        CHECK(!strcmp(found.data ? found.data : "", symmetric[i].found),
              "model %d: found \"%s\", expected \"%s\"", (int)i, found.data, symmetric[i].found);
        compiled_free(c);
    }
}

int main(void) {
    RUN(mixture_of_groups);
    RUN(probabilities_given_the_draw);
    RUN(training_step);
    RUN(label_outside_a_plate);
    RUN(label_of_labels);
    RUN(labels_with_a_common_child);
    RUN(mixtures);
    RUN(latent_mixture_starts_wide);
    RUN(draws_follow_the_density);
    RUN(draws_of_mixtures_follow_the_density);
    RUN(labels_have_their_probabilities);
    RUN(label_symmetries);
    return check_done();
}
