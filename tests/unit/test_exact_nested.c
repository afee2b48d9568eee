/* Exact posteriors of nested effects against the golden ones of the real data, which were computed
 * elsewhere, and against sums on a fine grid over one multivariate normal. */
#include "check.h"
#include "tests/exact/nested.h"
#include "tests/measure/json.h"

#include <stdlib.h>

static const NestedEffects dyestuff = {2, 1500, 100, {{6, 100}, {5, 100}}};
static const NestedEffects pastes = {3, 60, 10, {{10, 5}, {3, 5}, {2, 2}}};

/* The last column of a .csv file whose rows are in order. */
static int last_column(const char *path, double *y, int room) {
    char line[200];
    int n = 0;
    FILE *f = fopen(path, "r");
    if (!CHECK(f, "%s cannot be read", path)) return 0;
    while (fgets(line, sizeof line, f)) {
        char *end, *at = strrchr(line, ',');
        if (!at) continue;
        double x = strtod(at + 1, &end);
        if (end != at + 1 && n < room) y[n++] = x;
    }
    fclose(f);
    return n;
}

static void check_latent(const char *golden, const char *name, double mean, double variance) {
    char *text = json_read(golden, NULL);
    const char *all = json_find(text, NULL, "posterior");
    const char *own = all ? json_find(all + 1, NULL, name) : NULL;
    /* the latent called mean: the key "mean" of another latent is followed by a number */
    while (own && *own != '{') own = json_find(own, NULL, name);
    if (!CHECK(own, "%s is not in %s", name, golden)) return;
    const char *end = strchr(own, '}');
    double m = json_number(own, end, "mean"), sd = json_number(own, end, "sd");
    CHECK(fabs(mean - m) <= 1e-4 * sd, "%s: mean %.10g, not %.10g (sd %.3g)", name, mean, m, sd);
    CHECK(fabs(sqrt(variance) / sd - 1) <= 1e-4, "%s: sd %.10g, not %.10g", name, sqrt(variance),
          sd);
    free(text);
}

static void check_golden(const NestedEffects *model, const char *name, const char *const *scales) {
    char data[100], golden[100];
    double y[100];
    snprintf(data, sizeof data, "examples/data/%s.csv", name);
    snprintf(golden, sizeof golden, "tests/golden/%s_exact.json", name);
    int n = last_column(data, y, 100);
    if (!CHECK(n == nested_instances(model, model->levels), "%d observations in %s", n, data))
        return;
    NestedPosterior p = nested_posterior(model, y);
    for (int k = 0; k < model->levels; k++)
        check_latent(golden, scales[k], p.scale_mean[k], p.scale_variance[k]);
    check_latent(golden, "mean", p.mean[0][0], p.variance[0][0]);
    for (int k = 1; k < model->levels; k++)
        for (int i = 0; i < nested_instances(model, k); i++) {
            char latent[32];
            int size = model->level[k - 1].size;
            if (k == 1)
                snprintf(latent, sizeof latent, "b[%d]", i);
            else
                snprintf(latent, sizeof latent, "c[%d,%d]", i / size, i % size);
            check_latent(golden, latent, p.mean[k][i], p.variance[k][i]);
        }
    nested_free(&p);
}

static void dyestuff_is_the_golden_posterior(void) {
    check_golden(&dyestuff, "dyestuff", (const char *const[]){"sd_batch", "sd_sample"});
}

static void pastes_is_the_golden_posterior(void) {
    check_golden(&pastes, "pastes", (const char *const[]){"sd_batch", "sd_cask", "sd_assay"});
}

/* ---- by brute force: two levels, every number one of a multivariate normal ---- */

enum { GROUPS = 3, EACH = 2, ALL = GROUPS * EACH };

/* Cholesky factor of S in place; log N(r; 0, S). */
static double log_normal(double s[ALL][ALL], const double *r) {
    double z[ALL], sum = 0;
    for (int i = 0; i < ALL; i++) {
        for (int j = 0; j <= i; j++) {
            double x = s[i][j];
            for (int k = 0; k < j; k++) x -= s[i][k] * s[j][k];
            s[i][j] = i == j ? sqrt(x) : x / s[j][j];
        }
        z[i] = r[i];
        for (int k = 0; k < i; k++) z[i] -= s[i][k] * z[k];
        z[i] /= s[i][i];
        sum -= 0.5 * z[i] * z[i] + log(s[i][i]) + 0.5 * log(2 * 3.14159265358979323846);
    }
    return sum;
}

static double density_at(const NestedEffects *m, double a, double b, const double *y) {
    double s[ALL][ALL], r[ALL];
    for (int i = 0; i < ALL; i++) {
        r[i] = y[i] - m->mean;
        for (int j = 0; j < ALL; j++)
            s[i][j] = m->sd * m->sd + (i / EACH == j / EACH) * a * a + (i == j) * b * b;
    }
    double x = a / m->level[0].scale, z = b / m->level[1].scale;
    double prior = -0.5 * (x * x + z * z) -
                   log(m->level[0].scale * m->level[1].scale * 3.14159265358979323846 / 2);
    return exp(log_normal(s, r) + prior);
}

/* Midpoints over the square of scales: their moments, and the evidence. */
static void scales_by_brute_force(void) {
    static const NestedEffects models[] = {{2, 1, 2, {{GROUPS, 1.5}, {EACH, 0.7}}},
                                           {2, 0, 5, {{GROUPS, 1}, {EACH, 3}}}};
    static const double data[2][ALL] = {{1.1, 1.4, -0.2, 0.1, 2.2, 1.9},
                                        {0.3, -1, 0.2, 0.9, -0.5, 0.4}};
    enum { N = 1500 };
    for (int c = 0; c < 2; c++) {
        const NestedEffects *m = &models[c];
        double total = 0, sum[2] = {0}, square[2] = {0}, step[2];
        for (int k = 0; k < 2; k++) step[k] = 7 * m->level[k].scale / N;
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                double x[2] = {(i + 0.5) * step[0], (j + 0.5) * step[1]};
                double p = density_at(m, x[0], x[1], data[c]);
                total += p;
                for (int k = 0; k < 2; k++) sum[k] += p * x[k], square[k] += p * x[k] * x[k];
            }
        NestedPosterior p = nested_posterior(m, data[c]);
        CHECK_NEAR(p.log_evidence, log(total * step[0] * step[1]), 2e-5, "log evidence");
        for (int k = 0; k < 2; k++) {
            double mean = sum[k] / total;
            CHECK_NEAR(p.scale_mean[k] / mean, 1, 2e-5, "mean of a scale");
            CHECK_NEAR(p.scale_variance[k] / (square[k] / total - mean * mean), 1, 1e-4,
                       "variance of a scale");
        }
        nested_free(&p);
    }
}

int main(void) {
    RUN(dyestuff_is_the_golden_posterior);
    RUN(pastes_is_the_golden_posterior);
    RUN(scales_by_brute_force);
    return check_done();
}
