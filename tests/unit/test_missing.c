/* Missing cells: what is inferred is what the other cells say, whatever stands in the place of
 * those that are missing; exactly so where the posterior is known, with groups of which nothing is
 * left and data sets without any cell. Densities and gradients know them as the moments do. */
#include "check.h"
#include "graddiff.h"
#include "harness.h"

#include <math.h>
#include <stdlib.h>

enum { SETS = 4, DRAWS = 6, G = 3, O = 4, N = G * O };

static const double S_MU = 1, S_A = 0.5, S_X = 0.4, SLOPE = 0.7;

/* Of the n cells that are there: y about 0, covariance S_MU^2 + [same group] S_A^2 + SLOPE^2 t t'
 * + [same cell] S_X^2. */
static double evidence(const double *y, const double *t, const double *present) {
    double cov[N * N], z[N], sum = 0;
    int at[N], n = 0;
    for (int i = 0; i < N; i++)
        if (present[i] != 0) at[n++] = i;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
            double v = S_MU * S_MU + SLOPE * SLOPE * t[at[i]] * t[at[j]];
            if (at[i] / O == at[j] / O) v += S_A * S_A;
            if (i == j) v += S_X * S_X;
            for (int k = 0; k < j; k++) v -= cov[i * N + k] * cov[j * N + k];
            cov[i * N + j] = i == j ? sqrt(v) : v / cov[j * N + j];
        }
        z[i] = y[at[i]];
        for (int k = 0; k < i; k++) z[i] -= cov[i * N + k] * z[k];
        z[i] /= cov[i * N + i];
        sum -= log(cov[i * N + i]) + 0.5 * z[i] * z[i] + 0.5 * log(2 * M_PI);
    }
    return sum;
}

/* Set 0 is complete, 1 lacks a cell of each group, 2 a group and some more, 3 everything. */
static void blank(double *y, double *present) {
    for (int i = 0; i < SETS * N; i++) {
        int set = i / N, group = i % N / O, cell = i % O;
        present[i] = set == 0   ? 1
                     : set == 1 ? cell != group
                     : set == 2 ? group != 1 && (i * 7) % 5 > 1
                                : 0;
        if (present[i] == 0) y[i] = 100 + i;
    }
}

static Run *start(Compiled *c, double noise) {
    Run *run = run_new(c, SETS, DRAWS);
    run_start_weights(run, 1, noise);
    run_statistics(run);
    return run;
}

/* Every draw's log weight is the evidence: the guide is the exact posterior. */
static void check_exact(Run *run, const double *wanted) {
    const IrProgram *p = run->c->dual->posterior;
    const IrTensor *q = run_output(run, p, "log_q"), *prior = run_output(run, p, "log_prior"),
                   *likelihood = run_output(run, p, "log_likelihood");
    for (int i = 0; i < SETS * DRAWS; i++)
        CHECK_NEAR(prior->data[i] + likelihood->data[i] - q->data[i], wanted[i / DRAWS], 1e-8,
                   "log weight");
}

static const char GROUPS[] = "latent mu ~ normal(0, 1);\n"
                             "plate group(3) {\n"
                             "  latent a ~ normal(mu, 0.5);\n"
                             "  plate obs(4) { observed y ~ normal(a, 0.4) with missing; }\n"
                             "}\n";

static void means_of_unequal_groups_are_exact(void) {
    Compiled *c = compile_text("groups", GROUPS, (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "the model does not compile")) return;
    double y[SETS * N], present[SETS * N], t[N] = {0}, wanted[SETS];
    fill_normal(y, SETS * N, 5);
    blank(y, present);
    for (int i = 0; i < SETS; i++) wanted[i] = evidence(y + i * N, t, present + i * N);
    Run *run = start(c, 0);
    run_give(run, "y", y, SETS * N);
    run_give(run, "y.present", present, SETS * N);
    check_exact(run, wanted);
    const IrTensor *mu = run_output(run, c->dual->posterior, "mu");
    const IrTensor *u = run_output(run, c->dual->posterior, "log_likelihood");
    for (int i = 0; i < DRAWS; i++) {
        CHECK(isfinite(mu->data[3 * DRAWS + i]), "a draw given nothing is %g",
              mu->data[3 * DRAWS + i]);
        CHECK(u->data[3 * DRAWS + i] == 0, "the likelihood of nothing is %g",
              u->data[3 * DRAWS + i]);
    }
    const IrTensor *loss = run_output(run, c->dual->step, "set_loss");
    for (int s = 0; s < SETS; s++) CHECK_NEAR(loss->data[s], -wanted[s], 1e-8, "loss");
    compiled_free(c);
}

/* A balanced plate that lacks a cell in every group is one that is smaller by one: the same draws
 * from the same base draws. */
static void one_cell_less_is_a_smaller_plate(void) {
    Compiled *c = compile_text("groups", GROUPS, (DualOptions){.family = FAMILY_STRUCTURED});
    Compiled *less = compile_text("less",
                                  "latent mu ~ normal(0, 1);\n"
                                  "plate group(3) {\n"
                                  "  latent a ~ normal(mu, 0.5);\n"
                                  "  plate obs(3) { observed y ~ normal(a, 0.4); }\n"
                                  "}\n",
                                  (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c && less, "the models do not compile")) return;
    double y[SETS * N], present[SETS * N], rest[SETS * N], u[SETS * DRAWS * G];
    int n = 0;
    fill_normal(y, SETS * N, 6);
    fill_normal(u, SETS * DRAWS * G, 7);
    for (int i = 0; i < SETS * N; i++) {
        present[i] = i % O != i / O % O;
        if (present[i] != 0) rest[n++] = y[i];
    }
    Run *run = start(c, 0), *other = start(less, 0);
    run_give(run, "y", y, SETS * N);
    run_give(run, "y.present", present, SETS * N);
    run_give(other, "y", rest, n);
    Run *const both[] = {run, other};
    for (int i = 0; i < 2; i++) {
        run_give(both[i], "u:(globals)", u, SETS * DRAWS);
        run_give(both[i], "u:a", u, SETS * DRAWS * G);
    }
    static const char *const names[] = {"mu", "a", "log_q", "log_likelihood"};
    for (int k = 0; k < 4; k++) {
        const IrTensor *x = run_output(run, c->dual->posterior, names[k]);
        const IrTensor *want = run_output(other, less->dual->posterior, names[k]);
        for (int64_t i = 0; i < want->size; i++)
            CHECK_NEAR(x->data[i], want->data[i], 1e-8, names[k]);
    }
    compiled_free(c);
    compiled_free(less);
}

static void so_are_regressions(void) {
    Compiled *c = compile_text("regression",
                               "latent mu ~ normal(0, 1); latent slope ~ normal(0, 0.7);\n"
                               "plate group(3) {\n"
                               "  latent a ~ normal(mu, 0.5);\n"
                               "  plate obs(4) {\n"
                               "    given t ~ normal(0, 1);\n"
                               "    observed y ~ normal(a + slope * t, 0.4) with missing;\n"
                               "  }\n"
                               "}\n",
                               (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "the model does not compile")) return;
    double y[SETS * N], t[SETS * N], present[SETS * N], wanted[SETS];
    fill_normal(y, SETS * N, 8);
    fill_normal(t, SETS * N, 9);
    blank(y, present);
    for (int i = 0; i < SETS; i++) wanted[i] = evidence(y + i * N, t + i * N, present + i * N);
    Run *run = start(c, 0);
    run_give(run, "y", y, SETS * N);
    run_give(run, "t", t, SETS * N);
    run_give(run, "y.present", present, SETS * N);
    check_exact(run, wanted);
    compiled_free(c);
}

/* ---- what stands in the place of a missing value ---- */

static const DualOptions families[] = {{.family = FAMILY_STRUCTURED},
                                       {.family = FAMILY_ADAVI},
                                       {.family = FAMILY_STRUCTURED, .no_exact = true},
                                       {.family = FAMILY_ADAVI, .paper = true, .no_exact = true}};

/* All outputs of program posterior, with `by` added to every missing value. */
static const IrTensor *answer(Run *run, const double *y, double by, int n_sets) {
    static const struct {
        const char *name;
        int cells, entries;
    } vars[] = {{"survey", 4, 1}, {"y", 12, 2}, {"count", 12, 1}};
    for (int v = 0; v < 3; v++) {
        double x[SETS * 24], present[SETS * 12];
        int each = vars[v].cells * vars[v].entries;
        for (int i = 0; i < n_sets * vars[v].cells; i++) {
            int set = i / vars[v].cells;
            present[i] = set == 0 || (set == 1 && (i + v) % 4 != 1) || (set == 2 && i % 6 > 2);
            for (int e = 0; e < vars[v].entries; e++) {
                double *to = &x[i * vars[v].entries + e];
                *to = y[(v * 7 + i * vars[v].entries + e) % (SETS * 24)];
                if (v == 2) *to = floor(3 * fabs(*to));
                if (present[i] == 0) *to += by;
            }
        }
        run_give(run, vars[v].name, x, n_sets * each);
        run_give(run, arena_printf(run->c->arena, "%s.present", vars[v].name), present,
                 n_sets * vars[v].cells);
    }
    run_output(run, run->c->dual->posterior, "log_q");
    return run->result;
}

static void nothing_depends_on_it(void) {
    for (int f = 0; f < 4; f++) {
        Compiled *c = compile_file("tests/models/missing.hbm", families[f]);
        if (!CHECK(c, "the model does not compile")) return;
        const IrProgram *p = c->dual->posterior;
        double y[SETS * 24], age[SETS * 12];
        fill_normal(y, SETS * 24, 11);
        fill_normal(age, SETS * 12, 13);
        Run *run = start(c, 0.02);
        run_give(run, "age", age, SETS * 12);
        const IrTensor *first = answer(run, y, 0, SETS);
        const IrTensor *other = answer(run, y, 3, SETS);
        for (int i = 0; i < p->outputs.n; i++)
            for (int64_t k = 0; k < first[i].size; k++)
                CHECK(isfinite(first[i].data[k]) && first[i].data[k] == other[i].data[k],
                      "family %d: %s[%lld] is %.17g, or %.17g", f, p->outputs.data[i].name,
                      (long long)k, first[i].data[k], other[i].data[k]);
        compiled_free(c);
    }
}

/* Nor do the components that expectation maximisation finds, from which a set without any
 * observation has nothing. */
static void no_component_depends_on_it(void) {
    enum { X = 36 };
    Compiled *c = compile_file("tests/models/missing_mixture.hbm", families[0]);
    if (!CHECK(c, "the model does not compile")) return;
    const IrProgram *p = c->dual->posterior;
    double x[SETS * X], present[SETS * X];
    const IrTensor *result[2];
    Run *run = start(c, 0);
    fill_normal(x, SETS * X, 14);
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < SETS * X; i++) {
            present[i] = i < X || (i / 12 != 4 && i % 5 > 1 && i < 3 * X);
            if (present[i] == 0) x[i] += 2;
        }
        run_give(run, "x", x, SETS * X);
        run_give(run, "x.present", present, SETS * X);
        run_output(run, p, "log_q");
        result[k] = run->result;
    }
    for (int i = 0; i < p->outputs.n; i++)
        for (int64_t k = 0; k < result[0][i].size; k++)
            CHECK(isfinite(result[0][i].data[k]) && result[0][i].data[k] == result[1][i].data[k],
                  "%s[%lld] is %.17g, or %.17g", p->outputs.data[i].name, (long long)k,
                  result[0][i].data[k], result[1][i].data[k]);
    compiled_free(c);
}

/* ---- training ---- */

static void gradients_are_right(void) {
    Compiled *c = compile_text("small",
                               "latent mu ~ normal(0, 1); latent s ~ half_normal(1);\n"
                               "plate k(4) {\n"
                               "  observed y[2] ~ student_t(5, mu, s) with missing;\n"
                               "  observed n ~ poisson_log(mu) with missing;\n"
                               "}\n",
                               (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "the model does not compile")) return;
    static const double present[] = {1, 0, 1, 1, 0, 1, 0, 0};
    double worst;
    Run *run = run_new(c, 2, 2);
    run_start_weights(run, 1, 0.1);
    run_statistics(run);
    run_give(run, "y.present", present, 8);
    run_give(run, "n.present", present, 8);
    IrEvalEnv env = run_env(run, c->dual->step);
    int wrong = check_gradients(c->dual->step, &env, 1, &worst);
    CHECK(wrong == 0, "%d derivatives are wrong, the worst by %g of the largest", wrong, worst);
    compiled_free(c);
}

/* Half of the data sets are complete; the others lack a share of up to .3, .15 on average. Over 400
 * sets of 12 cells: +- 4 standard errors. */
static void training_leaves_cells_out(void) {
    enum { MANY = 400 };
    Compiled *c = compile_text("groups", GROUPS, (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "the model does not compile")) return;
    Run *run = run_new(c, MANY, 1);
    const IrTensor *present = run_output(run, c->dual->simulate, "y.present");
    double missing = 0, complete = 0;
    for (int s = 0; s < MANY; s++) {
        double here = 0;
        for (int i = 0; i < N; i++) {
            double x = present->data[s * N + i];
            CHECK(x == 0 || x == 1, "a presence is %g", x);
            here += 1 - x;
        }
        missing += here / (MANY * N);
        complete += here == 0 ? 1.0 / MANY : 0;
    }
    CHECK(fabs(missing - 0.075) < 0.025, "a share of %g is missing, not 0.075", missing);
    CHECK(complete > 0.5 && complete < 0.75, "a share of %g of the sets is complete", complete);
    compiled_free(c);
}

int main(void) {
    RUN(means_of_unequal_groups_are_exact);
    RUN(one_cell_less_is_a_smaller_plate);
    RUN(so_are_regressions);
    RUN(nothing_depends_on_it);
    RUN(no_component_depends_on_it);
    RUN(gradients_are_right);
    RUN(training_leaves_cells_out);
    return check_done();
}
