/* Crosses: what the model says of them; the start of both sides, which for Gaussian effects of a
 * table with all its pairs is the exact posterior, and close to it where pairs are absent; pairs
 * that are absent say nothing, whatever stands in their place. */
#include "check.h"
#include "harness.h"

#include <math.h>
#include <stdlib.h>

enum { SETS = 3, DRAWS = 60, I = 5, J = 3, N = I * J };

static const DualOptions structured = {.family = FAMILY_STRUCTURED};

/* y[i, j] about MU, covariance S_MU^2 + [same i] S_A^2 + [same j] S_C^2 + [same pair] S_Y^2. */
static const double MU = 2, S_MU = 3, S_A = 1.5, S_C = 0.8, S_Y = 0.4;
static const char *const TEXT = "latent mu ~ normal(2, 3);\n"
                                "plate row(5) { latent a ~ normal(0, 1.5); }\n"
                                "plate column(3) { latent c ~ normal(0, 0.8); }\n"
                                "cross row, column %s { observed y ~ normal(mu + a + c, 0.4); }\n";

/* Of the pairs that are there (NULL: all): the log density of such numbers. */
static double evidence(const double *y, const double *present) {
    double cov[N * N], z[N], sum = 0;
    int at[N], n = 0;
    for (int i = 0; i < N; i++)
        if (!present || present[i] != 0) at[n++] = i;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
            double v = S_MU * S_MU;
            if (at[i] / J == at[j] / J) v += S_A * S_A;
            if (at[i] % J == at[j] % J) v += S_C * S_C;
            if (i == j) v += S_Y * S_Y;
            for (int k = 0; k < j; k++) v -= cov[i * N + k] * cov[j * N + k];
            cov[i * N + j] = i == j ? sqrt(v) : v / cov[j * N + j];
        }
        z[i] = y[at[i]] - MU;
        for (int k = 0; k < i; k++) z[i] -= cov[i * N + k] * z[k];
        z[i] /= cov[i * N + i];
        sum -= log(cov[i * N + i]) + 0.5 * z[i] * z[i] + 0.5 * log(2 * M_PI);
    }
    return sum;
}

/* Data of the prior at initial weights; the presence of pairs is given where `present` is not
 * NULL. */
static Run *untrained(Compiled *c, const double *present) {
    Run *prior = run_new(c, SETS, 1), *run = run_new(c, SETS, DRAWS);
    prior->seed = 11;
    for (int i = 0; i < c->model->vars.n; i++) {
        const Var *var = c->model->vars.data[i];
        if (var->kind != VAR_OBSERVED) continue;
        const IrTensor *x = run_output(prior, c->dual->simulate, var->name);
        run_give(run, var->name, x->data, x->size);
    }
    if (present) run_give(run, "y.present", present, SETS * N);
    run_start_weights(run, 1, 0);
    run_statistics(run);
    return run;
}

/* log p(x, draw) - log q(draw), [SETS][DRAWS]. */
static void log_weights(Run *run, double *w) {
    static const char *const parts[] = {"log_prior", "log_likelihood", "log_q"};
    for (int i = 0; i < SETS * DRAWS; i++) w[i] = 0;
    for (int k = 0; k < 3; k++) {
        const IrTensor *t = run_output(run, run->c->dual->posterior, parts[k]);
        for (int i = 0; i < SETS * DRAWS; i++) w[i] += k < 2 ? t->data[i] : -t->data[i];
    }
}

/* The log weights of untrained guides of `n` models, checked by model. */
typedef void CheckWeights(int model, const double *w);

static void each_model(const char *const *texts, size_t n, CheckWeights *check_weights) {
    for (size_t i = 0; i < n; i++) {
        Compiled *c = compile_text("table", texts[i], structured);
        if (!CHECK(c, "model %d does not compile", (int)i)) continue;
        double w[SETS * DRAWS];
        log_weights(untrained(c, NULL), w);
        check_weights((int)i, w);
        compiled_free(c);
    }
}

static void the_model_says_what_crosses(void) {
    Compiled *c = compile_file("tests/models/crossed.hbm", structured);
    if (!CHECK(c, "tests/models/crossed.hbm does not compile")) return;
    const Plate *person = c->model->plates.data[0], *item = c->model->plates.data[1];
    const Plate *cross = c->model->plates.data[2];
    CHECK(!strcmp(cross->name, "person*item"), "called %s", cross->name);
    CHECK(cross->parent == person && cross->across == item && !cross->ragged, "its sides");
    CHECK(cross->share_lo == 0.5 && cross->share_hi == 1, "its share");
    CHECK(plate_within(cross, person) && plate_within(cross, item), "both are around it");
    CHECK(!plate_within(person, item) && !plate_within(item, person), "they stand apart");
    CHECK(plate_seen_from(cross, item)->parent == item, "seen from its second side");
    CHECK(cross->exchangeable, "%s", cross->reason);
    compiled_free(c);
}

static void complete_tables_start_exact(void) {
    Arena *arena = arena_new();
    Compiled *c = compile_text("complete", arena_printf(arena, TEXT, ""), structured);
    Run *run = untrained(c, NULL);
    double w[SETS * DRAWS];
    const double *y = run_given(run, "y")->data;
    log_weights(run, w);
    for (int i = 0; i < SETS * DRAWS; i++)
        CHECK_NEAR(w[i], evidence(y + i / DRAWS * N, NULL), 1e-8, "log evidence");
    compiled_free(c);
    arena_free(arena);
}

static void are_equal(int model, const double *w) {
    for (int k = 0; k < SETS * DRAWS; k++)
        CHECK(fabs(w[k] - w[k / DRAWS * DRAWS]) <= 1e-7, "model %d: log weights %g and %g", model,
              w[k], w[k / DRAWS * DRAWS]);
}

/* Either side first, several numbers in an effect, effects about what is unknown, several crosses
 * of one plate, more than one latent on a side. */
static void other_tables_start_exact(void) {
    static const char *const texts[] = {
        "plate row(4) { latent a[2] ~ normal(0, [1, 2]); }\n"
        "plate column(3) { latent c[2] ~ normal(1, 0.5); }\n"
        "cross column, row { observed y[2] ~ normal(a + c, [0.3, 1]); }\n",
        "latent m ~ normal(0, 2); latent k ~ normal(1, 1);\n"
        "plate row(4) { latent a ~ normal(m, 1); }\n"
        "plate column(3) { latent c ~ normal(k, 0.5); }\n"
        "cross row, column { observed y ~ normal(a - 2 * c, 0.3); }\n",
        "plate row(4) { latent a ~ normal(0, 1); plate more(2) { observed v ~ normal(a, 1); } }\n"
        "plate column(3) { latent c ~ normal(0, 0.5); latent d ~ normal(0, 2); }\n"
        "cross row, column { observed y ~ normal(a + c + d, 0.3); }\n",
        "latent m ~ normal(0, 1); plate row(4) { latent a ~ normal(0, 1); }\n"
        "plate column(3) { latent c ~ normal(0, 0.5); } plate third(5) { latent e ~ normal(0, 2); "
        "}\n"
        "cross row, column { observed y ~ normal(m + a + c, 0.3); }\n"
        "cross row, third { observed z ~ normal(a - e, 0.4); }\n",
    };
    each_model(texts, sizeof texts / sizeof *texts, are_equal);
}

/* Set 0 has all pairs, 1 lacks six, 2 has a row and a column of which nothing is there. */
static void absent_pairs_start_near(void) {
    Arena *arena = arena_new();
    Compiled *c = compile_text("absent", arena_printf(arena, TEXT, "(0.3..1)"), structured);
    double present[SETS * N], w[SETS * DRAWS], other[SETS * DRAWS];
    for (int i = 0; i < N; i++) {
        present[i] = 1;
        present[N + i] = i % 5 != 1 && i % 7 != 3;
        present[2 * N + i] = i / J != 2 && i % J != 1;
    }
    Run *run = untrained(c, present);
    double *y = run_given(run, "y")->data;
    log_weights(run, w);
    for (int s = 0; s < SETS; s++) {
        double exact = evidence(y + s * N, present + s * N), mean = 0;
        for (int k = 0; k < DRAWS; k++) mean += w[s * DRAWS + k] / DRAWS;
        CHECK(fabs(exact - mean) < (s ? 0.3 : 1e-7), "set %d: %g nats from the evidence", s,
              exact - mean);
    }
    for (int i = 0; i < SETS * N; i++)
        if (present[i] == 0) y[i] = 1e3 * (i + 1);
    run->program = NULL; /* once more */
    log_weights(run, other);
    for (int i = 0; i < SETS * DRAWS; i++) CHECK_NEAR(other[i], w[i], 1e-9, "what is absent");
    compiled_free(c);
    arena_free(arena);
}

/* A covariate of pairs that are absent is nobody's, either: neither features nor units know it. */
static void covariates_of_absent_pairs_say_nothing(void) {
    Compiled *c =
        compile_text("covariate",
                     "latent b ~ normal(0, 1); plate row(4) { latent a ~ normal(0, 1); }\n"
                     "plate column(3) { latent e ~ normal(0, 1); }\n"
                     "cross row, column (0.4..0.9) { given x ~ lognormal(0, 1);\n"
                     "  given k ~ category(3);\n"
                     "  observed y ~ normal(a + e + b * x + k, 1); }\n",
                     structured);
    double present[SETS * 12], first[SETS * DRAWS], again[SETS * DRAWS];
    for (int i = 0; i < SETS * 12; i++) present[i] = i % 3 != 1;
    for (int turn = 0; turn < 2; turn++) {
        Run *prior = run_new(c, SETS, 1), *run = run_new(c, SETS, DRAWS);
        static const char *const names[] = {"x", "k", "y"};
        prior->seed = 5;
        for (int v = 0; v < 3; v++) {
            const IrTensor *t = run_output(prior, c->dual->simulate, names[v]);
            for (int64_t i = 0; i < t->size && turn; i++)
                if (present[i] == 0) t->data[i] = v == 1 ? 2 : 7;
            run_give(run, names[v], t->data, t->size);
        }
        run_give(run, "y.present", present, SETS * 12);
        run_start_weights(run, 2, 0.1);
        run_statistics(run);
        log_weights(run, turn ? again : first);
    }
    for (int i = 0; i < SETS * DRAWS; i++) CHECK_NEAR(again[i], first[i], 1e-9, "log weight");
    compiled_free(c);
}

/* Sharp data see the sums of effects alone: what is left of each is not lost to rounding. */
static void sharp_tables_start_proper(void) {
    Compiled *c = compile_text("sharp",
                               "latent mu ~ normal(20, 10); latent s ~ half_normal(1e-4);\n"
                               "plate row(6) { latent a ~ normal(0, 1); }\n"
                               "plate column(4) { latent c ~ normal(0, 5); }\n"
                               "cross row, column { observed y ~ normal(mu + a + c, s); }\n",
                               structured);
    double w[SETS * DRAWS];
    log_weights(untrained(c, NULL), w);
    for (int i = 0; i < SETS * DRAWS; i++)
        CHECK(fabs(w[i] - w[i / DRAWS * DRAWS]) < 30, "log weights %g and %g", w[i],
              w[i / DRAWS * DRAWS]);
    compiled_free(c);
}

static void are_of_a_size(int model, const double *w) {
    for (int k = 0; k < SETS * DRAWS; k++)
        CHECK(fabs(w[k]) < 1e5, "model %d: log weight %g", model, w[k]);
}

/* Correlations of vectors, scales in the second plate, tails, and two scales of one pair: draws and
 * densities are numbers of a size that one can train from. */
static void other_laws_start_finite(void) {
    static const char *const texts[] = {
        "plate r(2) { latent a ~ normal(0, 1); } plate c(2) { latent d ~ normal(0, 1); }\n"
        "cross r, c { observed z[3] ~ normal(a + d, 1); }\n",
        "plate r(4) { latent a ~ normal(0, 1); } plate c(3) { latent d ~ lognormal(0, 0.5); }\n"
        "cross r, c { observed y ~ normal(a, d); }\n",
        "plate c(3) { latent d ~ student_t(4, 0, 1); } plate r(8) { latent a ~ cauchy(0, 1); }\n"
        "cross c, r { observed y ~ normal(a + d, 0.5); }\n",
        "latent s ~ lognormal(0, 0.3);\n"
        "plate r(3) { latent a ~ normal(0, s); latent l ~ half_normal(s); }\n"
        "plate c(2) { latent d ~ normal(0, s); latent m ~ half_normal(s); }\n"
        "cross r, c { observed y ~ normal(a + d, l + m); }\n",
    };
    each_model(texts, sizeof texts / sizeof *texts, are_of_a_size);
}

int main(void) {
    RUN(the_model_says_what_crosses);
    RUN(complete_tables_start_exact);
    RUN(other_tables_start_exact);
    RUN(absent_pairs_start_near);
    RUN(covariates_of_absent_pairs_say_nothing);
    RUN(other_laws_start_finite);
    RUN(sharp_tables_start_proper);
    return check_done();
}
