/* Observations that are whole numbers, or categories: the library's log densities against the
 * textbook's, which sum to 1; draws of program simulate against them; gradients against
 * differences. */
#include "base/diag.h"
#include "front/ast.h"
#include "front/front.h"

#include "check.h"
#include "harness.h"
#include "library_items.h"

static Arena *arena;
static const DualOptions DEFAULT = {FAMILY_STRUCTURED, false, false};

/* ---- the textbook's, in products that need no gamma function ---- */

static double of_poisson(const double *a, int k) {
    double mass = exp(-a[0]);
    for (int i = 1; i <= k; i++) mass *= a[0] / i;
    return mass;
}
static double of_poisson_log(const double *a, int k) {
    return of_poisson((double[]){exp(a[0])}, k);
}
/* Failures before success number a[1], where success has the probability p. */
static double of_neg_binomial(const double *a, int k) {
    double p = a[1] / (a[0] + a[1]), mass = pow(p, a[1]);
    for (int i = 1; i <= k; i++) mass *= (a[1] + i - 1) / i * (1 - p);
    return mass;
}
static double of_neg_binomial_log(const double *a, int k) {
    return of_neg_binomial((double[]){exp(a[0]), a[1]}, k);
}
static double choose(double n, int k) {
    double ways = 1;
    for (int i = 1; i <= k; i++) ways *= (n - k + i) / i;
    return ways;
}
static double of_binomial(const double *a, int k) {
    return choose(a[0], k) * pow(a[1], k) * pow(1 - a[1], a[0] - k);
}
static double of_binomial_logit(const double *a, int k) {
    return of_binomial((double[]){a[0], 1 / (1 + exp(-a[1]))}, k);
}
/* Polya's urn. */
static double of_beta_binomial(const double *a, int k) {
    double mass = choose(a[0], k);
    for (int i = 0; i < k; i++) mass *= (a[1] + i) / (a[1] + a[2] + i);
    for (int i = 0; i < (int)a[0] - k; i++) mass *= (a[2] + i) / (a[1] + a[2] + k + i);
    return mass;
}
static double of_bernoulli(const double *a, int k) {
    return k ? a[0] : 1 - a[0];
}
static double of_bernoulli_logit(const double *a, int k) {
    return of_bernoulli((double[]){1 / (1 + exp(-a[0]))}, k);
}
static double of_zero_mixture(const double *a, int k) {
    return 0.3 * of_poisson((double[]){1e-9}, k) + 0.7 * of_poisson(a, k);
}

/* More zeros: a[0] of them, beside a law of the other parameters. */
static double inflated(double (*mass)(const double *, int), const double *a, int k) {
    return (k ? 0 : a[0]) + (1 - a[0]) * mass(a + 1, k);
}
static double hurdled(double (*mass)(const double *, int), const double *a, int k) {
    return k ? (1 - a[0]) * mass(a + 1, k) / (1 - mass(a + 1, 0)) : a[0];
}
static double inflated_poisson(const double *a, int k) {
    return inflated(of_poisson, a, k);
}
static double inflated_binomial(const double *a, int k) {
    return inflated(of_binomial, a, k);
}
static double hurdled_poisson(const double *a, int k) {
    return hurdled(of_poisson, a, k);
}
static double hurdled_poisson_log(const double *a, int k) {
    return hurdled(of_poisson_log, a, k);
}
static double hurdled_neg_binomial(const double *a, int k) {
    return hurdled(of_neg_binomial, a, k);
}
static double hurdled_neg_binomial_log(const double *a, int k) {
    return hurdled(of_neg_binomial_log, a, k);
}
static double hurdled_binomial(const double *a, int k) {
    return hurdled(of_binomial, a, k);
}
static double hurdled_binomial_logit(const double *a, int k) {
    return hurdled(of_binomial_logit, a, k);
}

/* Of three categories, by weights. */
static double of_weights(const double *w, int k) {
    return w[k] / (w[0] + w[1] + w[2]);
}
static double of_categorical_logit(const double *a, int k) {
    return of_weights((double[]){exp(a[0]), exp(a[1]), exp(a[2])}, k);
}
/* How many of two cutpoints a logistic number exceeds. */
static double of_ordered_logistic(const double *a, int k) {
    double below[] = {0, 1 / (1 + exp(a[0] - a[1])), 1 / (1 + exp(a[0] - a[2])), 1};
    return below[k + 1] - below[k];
}

typedef struct Case {
    const char *call;
    double args[4];
    double (*mass)(const double *args, int k);
    int most; /* beyond lies less than 1e-9 */
} Case;

static const Case cases[] = {
    {"poisson(0.8)", {0.8}, of_poisson, 40},
    {"poisson(25)", {25}, of_poisson, 100},
    {"poisson_log(1.5)", {1.5}, of_poisson_log, 60},
    {"neg_binomial_2(3, 0.7)", {3, 0.7}, of_neg_binomial, 250},
    {"neg_binomial_2(8, 20)", {8, 20}, of_neg_binomial, 100},
    {"neg_binomial_2_log(1.2, 2)", {1.2, 2}, of_neg_binomial_log, 200},
    {"binomial(7, 0.4)", {7, 0.4}, of_binomial, 7},
    {"binomial(90, 0.7)", {90, 0.7}, of_binomial, 90},
    {"binomial_logit(30, -1.1)", {30, -1.1}, of_binomial_logit, 30},
    {"beta_binomial(12, 2, 3.5)", {12, 2, 3.5}, of_beta_binomial, 12},
    {"bernoulli(0.2)", {0.2}, of_bernoulli, 1},
    {"bernoulli_logit(0.6)", {0.6}, of_bernoulli_logit, 1},
    {"categorical([0.2, 0.5, 0.3])", {2, 5, 3}, of_weights, 2},
    {"categorical_logit([0.4, -1, 0.7])", {0.4, -1, 0.7}, of_categorical_logit, 2},
    {"ordered_logistic(0.4, [-1, 0.2])", {0.4, -1, 0.2}, of_ordered_logistic, 2},
    {"ordered_logistic(-9, [-3, 6])", {-9, -3, 6}, of_ordered_logistic, 2},
    {"mixture([0.3, 0.7], poisson(1e-9), poisson(4))", {4}, of_zero_mixture, 50},
    {"zero_inflated(0.4, poisson(3))", {0.4, 3}, inflated_poisson, 40},
    {"zero_inflated(0.1, poisson(0.02))", {0.1, 0.02}, inflated_poisson, 9},
    {"zero_inflated(0.8, binomial(9, 0.4))", {0.8, 9, 0.4}, inflated_binomial, 9},
    {"hurdle(0.4, poisson(3))", {0.4, 3}, hurdled_poisson, 40},
    {"hurdle(0.1, poisson(0.2))", {0.1, 0.2}, hurdled_poisson, 12},
    {"hurdle(p = 0.1, poisson_log(3))", {0.1, 3}, hurdled_poisson_log, 90},
    {"hurdle(0.2, neg_binomial_2(2, 0.7))", {0.2, 2, 0.7}, hurdled_neg_binomial, 200},
    {"hurdle(0.2, neg_binomial_2(0.1, 8))", {0.2, 0.1, 8}, hurdled_neg_binomial, 20},
    {"hurdle(0.2, neg_binomial_2_log(2, 3))", {0.2, 2, 3}, hurdled_neg_binomial_log, 120},
    {"hurdle(0.3, binomial(6, 0.2))", {0.3, 6, 0.2}, hurdled_binomial, 6},
    {"hurdle(0.3, binomial(1, 0.2))", {0.3, 1, 0.2}, hurdled_binomial, 1},
    {"hurdle(0.3, binomial_logit(40, 0.5))", {0.3, 40, 0.5}, hurdled_binomial_logit, 40},
};
enum { N_CASES = sizeof cases / sizeof *cases };

static void is_tried(const Ast *item) {
    if (item->kind != AST_DISTRIBUTION) return;
    const char *values = item->value->name.text;
    if (item->dims.n || (strncmp(values, "count", 5) != 0 && strcmp(values, "category") != 0))
        return;
    const char *call = arena_printf(arena, "%s(", item->name.text);
    bool found = false;
    for (int c = 0; c < N_CASES; c++) found |= !strncmp(cases[c].call, call, strlen(call));
    CHECK(found, "%s has no case", item->name.text);
}

static void every_distribution_is_tried(void) {
    each_library_item(arena, is_tried);
}

static Compiled *compiled_case(const Case *c) {
    const char *text = arena_printf(arena,
                                    "latent m ~ normal(0, 1); plate obs(3) { observed x ~ "
                                    "normal(m, 1); observed y ~ %s; }",
                                    c->call);
    Compiled *compiled = compile_text("m.hbm", text, DEFAULT);
    CHECK(compiled, "%s is refused", c->call);
    return compiled;
}

static void densities_are_the_textbooks(void) {
    for (int c = 0; c < N_CASES; c++) {
        double sum = 0, zeros[3] = {0}, at[3] = {0}, base = 0;
        Compiled *compiled = compiled_case(&cases[c]);
        if (!compiled) continue;
        Run *run = run_new(compiled, 1, 1);
        run_give(run, "m", &zeros[0], 1);
        run_give(run, "x", zeros, 3);
        for (int k = 0; k <= cases[c].most; k++) {
            double mass = cases[c].mass(cases[c].args, k);
            at[0] = k;
            run_give(run, "y", at, 3);
            double found = run_output(run, compiled->dual->logjoint, "log_likelihood")->data[0];
            /* the two others are 0, and x is as likely as can be */
            if (!k) base = found - log(mass);
            CHECK_NEAR(found - base, log(mass), 1e-10 * fmax(1, fabs(log(mass))),
                       arena_printf(arena, "log density of %s at %d", cases[c].call, k));
            sum += mass;
        }
        double rest = 2 * log(cases[c].mass(cases[c].args, 0)) - 1.5 * log(2 * M_PI);
        CHECK_NEAR(base, rest, 1e-10 * fmax(1, fabs(rest)), cases[c].call);
        CHECK_NEAR(sum, 1, 1e-8, cases[c].call);
        compiled_free(compiled);
    }
}

/* Chi-square over cells of at least 2 % each, against three and a half times its degrees of
 * freedom: exceeded by chance less than once in a million. */
static void draws_follow_the_density(void) {
    enum { SETS = 20000, DRAWS = 3 * SETS };
    for (int c = 0; c < N_CASES; c++) {
        Compiled *compiled = compiled_case(&cases[c]);
        if (!compiled) continue;
        Run *run = run_new(compiled, SETS, 1);
        run->seed = 5 + (uint32_t)c;
        const double *y = run_output(run, compiled->dual->simulate, "y")->data;
        double chi = 0, mass = 0, count = 0;
        int n = 0;
        for (int k = 0; k <= cases[c].most; k++) {
            mass += cases[c].mass(cases[c].args, k);
            for (int i = 0; i < DRAWS; i++) count += y[i] == k;
            if (mass < 0.02 && k < cases[c].most) continue;
            if (mass * DRAWS > 5) {
                chi += (count - mass * DRAWS) * (count - mass * DRAWS) / (mass * DRAWS);
                n++;
            }
            mass = count = 0;
        }
        double limit = 25 + 3.5 * n;
        CHECK(chi < limit, "%s: chi-square of %d cells is %g", cases[c].call, n, chi);
        compiled_free(compiled);
    }
}

/* ---- counts that share out a number: all ways for five of them ---- */

static void shared_counts_follow_their_density(void) {
    enum { N = 5, K = 3, SETS = 20000 };
    const double p[K] = {0.2, 0.5, 0.3};
    static const char *const calls[] = {"multinomial(5, [0.2, 0.5, 0.3])",
                                        "multinomial_logit(5, log([2, 5, 3]))"};
    for (int which = 0; which < 2; which++) {
        Compiled *c = compile_text("m.hbm",
                                   arena_printf(arena,
                                                "latent m ~ normal(0, 1); observed x ~ normal(m, "
                                                "1); observed y[3] ~ %s;",
                                                calls[which]),
                                   DEFAULT);
        if (!CHECK(c, "%s is refused", calls[which])) continue;
        Run *drawn = run_new(c, SETS, 1), *run = run_new(c, 1, 1);
        const double zero = 0;
        double chi = 0, sum = 0;
        int cells = 0;
        const double *y = run_output(drawn, c->dual->simulate, "y")->data;
        run_give(run, "m", &zero, 1);
        run_give(run, "x", &zero, 1);
        for (int i = 0; i <= N; i++)
            for (int j = 0; i + j <= N; j++) {
                const double at[K] = {i, j, N - i - j};
                double mass = choose(N, i) * choose(N - i, j), seen = 0;
                for (int k = 0; k < K; k++) mass *= pow(p[k], at[k]);
                for (int s = 0; s < SETS; s++) seen += !memcmp(y + s * K, at, sizeof at);
                chi += (seen - mass * SETS) * (seen - mass * SETS) / (mass * SETS);
                sum += seen;
                cells++;
                run_give(run, "y", at, K);
                double found = run_output(run, c->dual->logjoint, "log_likelihood")->data[0];
                CHECK_NEAR(found + 0.5 * log(2 * M_PI), log(mass), 1e-10, calls[which]);
            }
        CHECK(sum == SETS, "%s: %g of %d draws sum to 5", calls[which], sum, SETS);
        CHECK(chi < 25 + 3.5 * cells, "%s: chi-square of %d cells is %g", calls[which], cells, chi);
        compiled_free(c);
    }
}

/* The entries of an event are draws of their own, even where a function draws them: their
 * correlation, of independent ones 1 / sqrt(SETS) at most by chance, lies beyond five times that
 * less than once in a million. */
static void entries_share_no_draws(void) {
    enum { SETS = 4000 };
    Compiled *c = compile_text("m.hbm",
                               "distribution heads(m) : real { log_prob(x) = -(x - m)^2;"
                               "  sample = m + std_multinomial(10, [0.5, 0.5], 2)[0]; }"
                               "latent z[3] ~ push(sphere_octant, heads(-5));"
                               "observed x ~ normal(sum(z), 1);",
                               DEFAULT);
    if (!CHECK(c, "refused")) return;
    Run *run = run_new(c, SETS, 1);
    const double *z = run_output(run, c->dual->simulate, "z")->data;
    double sums[2] = {0}, squares[2] = {0}, product = 0;
    for (int s = 0; s < SETS; s++, z += 3) {
        double v[2];
        for (int k = 0; k < 2; k++) {
            v[k] = 2 * log(z[k] / z[2]); /* sphere_octant.inverse */
            sums[k] += v[k];
            squares[k] += v[k] * v[k];
        }
        product += v[0] * v[1];
    }
    for (int k = 0; k < 2; k++) {
        CHECK_NEAR(sums[k] / SETS, 0, 5 * sqrt(2.5 / SETS), "mean of an entry");
        CHECK_NEAR(squares[k] / SETS, 2.5, 0.3, "variance of an entry"); /* five deviations */
    }
    CHECK_NEAR(product / SETS / 2.5, 0, 5 / sqrt(SETS), "correlation of two entries");
    compiled_free(c);
}

/* ---- single values of positive probability beside a density ---- */

static double normal_below(double x) {
    return 0.5 * erfc(-x / M_SQRT2);
}

/* Where a value may be equal to `at`, by chance `mass`; and between from and to, with the density
 * at `inside`. */
typedef struct Atom {
    const char *call;
    double at, mass, from, to, between, inside, log_density;
} Atom;

/* The log density of y = `value`, where x and m are 0. */
static double log_density_of(Compiled *c, double value) {
    const double zeros[3] = {0}, three[3] = {value, value, value};
    Run *run = run_new(c, 1, 1);
    run_give(run, "m", zeros, 1);
    run_give(run, "x", zeros, 3);
    run_give(run, "y", three, 3);
    double all = run_output(run, c->dual->logjoint, "log_likelihood")->data[0];
    return all / 3 + 0.5 * log(2 * M_PI);
}

static void atoms_have_their_mass(void) {
    enum { SETS = 20000, DRAWS = 3 * SETS };
    const double low = normal_below((-1 - 0.3) / 1.2), high = 1 - normal_below((1.5 - 0.3) / 1.2);
    const double half = -0.5 * 0.04 / 1.44 - log(1.2) - 0.5 * log(2 * M_PI);
    const Atom atoms[] = {
        {"censored(normal(0.3, 1.2), -1, 1.5)", -1, low, -1, 1.5, 1 - low - high, 0.5, half},
        {"censored(normal(0.3, 1.2), -1, 1.5)", 1.5, high, -1, 0.3, 0.5 - low, 0.5, half},
        {"censored(normal(0.3, 1.2), hi = 1.5)", 1.5, high, -9, 0.3, 0.5, 0.5, half},
        {"censored(exponential(2), lo = 0.4)", 0.4, 1 - exp(-0.8), 0.4, 1, exp(-0.8) - exp(-2), 1,
         log(2) - 2},
        {"hurdle(0.3, exponential(2))", 0, 0.3, 0, 1, 0.7 * (1 - exp(-2)), 1,
         log(0.7) + log(2) - 2},
    };
    for (size_t i = 0; i < sizeof atoms / sizeof *atoms; i++) {
        const Atom *atom = &atoms[i];
        Compiled *c = compiled_case(&(Case){.call = atom->call});
        if (!c) continue;
        Run *run = run_new(c, SETS, 1);
        run->seed = 3 + (uint32_t)i;
        const double *y = run_output(run, c->dual->simulate, "y")->data;
        double equal = 0, between = 0;
        for (int k = 0; k < DRAWS; k++) {
            equal += y[k] == atom->at;
            between += y[k] > atom->from && y[k] < atom->to;
        }
        double off = 4.5 * 0.5 / sqrt(DRAWS); /* more than once in 100,000 by chance: no */
        CHECK_NEAR(equal / DRAWS, atom->mass, off, atom->call);
        CHECK_NEAR(between / DRAWS, atom->between, off, atom->call);
        CHECK_NEAR(log_density_of(c, atom->at), log(atom->mass), 1e-10, atom->call);
        CHECK_NEAR(log_density_of(c, atom->inside), atom->log_density, 1e-10, atom->call);
        compiled_free(c);
    }
}

/* ---- gradients of the log joint with respect to parameters ---- */

static const char *const models[] = {
    "latent a ~ normal(0, 1); plate g(6) { observed y ~ poisson_log(a); }",
    "latent a ~ half_normal(2); plate g(6) { given t ~ lognormal(0, 1); observed y ~ poisson(a * "
    "t); }",
    "latent a ~ normal(0, 1); plate g(6) { given n ~ poisson(9); observed y ~ binomial_logit(n, "
    "a); }",
    "latent a ~ beta(2, 2); plate g(6) { observed y[2] ~ binomial(5, a); }",
    "latent a ~ half_normal(2); plate g(6) { observed y ~ neg_binomial_2(a, 2); }",
    "latent a ~ normal(0, 1); plate g(6) { observed y ~ neg_binomial_2_log(a, 0.8); }",
    "latent a ~ half_normal(2); plate g(6) { observed y ~ beta_binomial(8, a, 1.5); }",
    "latent a ~ normal(0, 1); plate g(6) { observed y ~ bernoulli_logit(a); }",
    "latent a ~ beta(2, 2); plate g(6) { observed y ~ bernoulli(a); }",
    "latent a ~ beta(2, 2); plate g(6) { observed y ~ zero_inflated(a, poisson(3 * a)); }",
    "latent a ~ normal(0, 1); plate g(6) { observed y ~ hurdle(0.3, neg_binomial_2_log(a, 2)); }",
    "latent a ~ beta(2, 2); plate g(6) { observed y ~ hurdle(a, gamma(1 + a, 2)); }",
    "latent a ~ normal(0, 1); plate g(6) { observed y ~ censored(normal(a, 1), -1, 0.5); }",
    "latent a ~ half_normal(1); plate g(6) { given hi ~ uniform(0.5, 2); observed y ~ "
    "censored(weibull(1.5, a), hi = hi); }",
    "latent a ~ beta(2, 2); plate g(6) { observed y ~ categorical([a, 0.3 * (1 - a), 0.7 * (1 - "
    "a)]); }",
    "latent a ~ normal(0, 1); plate g(6) { given w[3] ~ normal(0, 1); observed y ~ "
    "categorical_logit(a * w); }",
    "latent a ~ normal(0, 1); plate g(6) { given n ~ poisson(9); observed y[2, 3] ~ "
    "multinomial_logit(n, [0, a, 2 * a]); }",
    "latent a ~ normal(0, 1); plate g(6) { observed y ~ ordered_logistic(a, [-1, 0, 0.4, 2]); }",
    "latent a ~ normal(0, 1); plate g(6) { observed y[2] ~ ordered_logistic([a, -a], [-1, 1]); }",
};

static double density_at(Run *run, double a) {
    run_give(run, "a", &a, 1);
    const IrProgram *p = run->c->dual->logjoint;
    return run_output(run, p, "log_prior")->data[0] + run_output(run, p, "log_likelihood")->data[0];
}

static void gradients_are_those_of_the_density(void) {
    for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
        Compiled *c = compile_text("m.hbm", models[m], DEFAULT);
        if (!CHECK(c, "%s is refused", models[m])) continue;
        Run *prior = run_new(c, 1, 1), *run = run_new(c, 1, 1);
        prior->seed = 9;
        double a = run_output(prior, c->dual->simulate, "a")->data[0];
        for (int i = 0; i < c->model->vars.n; i++) {
            const Var *var = c->model->vars.data[i];
            const IrTensor *t = run_output(prior, c->dual->simulate, var->name);
            if (var->kind != VAR_LATENT) run_give(run, var->name, t->data, t->size);
        }
        double h = 1e-5 * fmax(0.1, fabs(a));
        double numeric = (density_at(run, a + h) - density_at(run, a - h)) / (2 * h);
        density_at(run, a);
        double slope = run_output(run, c->dual->logjoint, "d:a")->data[0];
        CHECK_NEAR(slope, numeric, 1e-6 * fmax(1, fabs(slope)), models[m]);
        compiled_free(c);
    }
}

int main(void) {
    arena = arena_new();
    RUN(every_distribution_is_tried);
    RUN(densities_are_the_textbooks);
    RUN(draws_follow_the_density);
    RUN(shared_counts_follow_their_density);
    RUN(entries_share_no_draws);
    RUN(atoms_have_their_mass);
    RUN(gradients_are_those_of_the_density);
    return check_done();
}
