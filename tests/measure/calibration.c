/* calibration.c -- what `check --json` says of a model's posteriors, beside the exact ones.
 *
 *     calibration dyestuff|pastes DATA.bin CHECK.json
 *
 * DATA.bin: simulated data sets, for the exact contraction 1 - mean posterior variance / prior
 * variance; its standard error is over these data sets. Prints a Markdown table of the latents,
 * then one line: `LOWEST (NAME) HIGHEST (NAME) CONTRACTION OFF (NAME)` with the lowest and the
 * highest coverage of 90 % intervals and the contraction that is farthest from the exact one. The
 * models are the files of the same names in examples/ as they stand.
 */
#include "json.h"
#include "tests/exact/nested.h"

#include <stdbool.h>

enum { MAX_ROWS = 2 * NESTED_LEVELS };

typedef struct KnownModel {
    const char *name;
    NestedEffects effects;
    const char *scale[NESTED_LEVELS], *location[NESTED_LEVELS];
} KnownModel;

static const KnownModel models[] = {
    {"dyestuff", {2, 1500, 100, {{6, 100}, {5, 100}}}, {"sd_batch", "sd_sample"}, {"mean", "b"}},
    {"pastes",
     {3, 60, 10, {{10, 5}, {3, 5}, {2, 2}}},
     {"sd_batch", "sd_cask", "sd_assay"},
     {"mean", "b", "c"}}};

_Noreturn static void fail(const char *what) {
    fprintf(stderr, "calibration: %s\n", what);
    exit(1);
}

typedef struct Row {
    const char *name;
    double prior, sum, square; /* variance; of posterior variances, one a data set */
} Row;

static const double HALF_NORMAL = 1 - 2 / 3.14159265358979323846; /* variance of a standard one */

/* Prior variances: of the scales, then of the locations, whose variances add from the root on. */
static int prior_rows(const KnownModel *m, Row *row) {
    int levels = m->effects.levels, n = 0;
    double variance = m->effects.sd * m->effects.sd;
    for (int k = 0; k < levels; k++) {
        double scale = m->effects.level[k].scale;
        row[n++] = (Row){.name = m->scale[k], .prior = HALF_NORMAL * scale * scale};
    }
    for (int k = 0; k < levels; k++) {
        row[n++] = (Row){.name = m->location[k], .prior = variance};
        variance += m->effects.level[k].scale * m->effects.level[k].scale;
    }
    return n;
}

static void add_set(const KnownModel *m, const double *y, Row *row) {
    NestedPosterior p = nested_posterior(&m->effects, y);
    int levels = m->effects.levels;
    for (int i = 0; i < 2 * levels; i++) {
        double v = i < levels ? p.scale_variance[i] : 0;
        int k = i - levels, instances = k >= 0 ? nested_instances(&m->effects, k) : 0;
        for (int j = 0; j < instances; j++) v += p.variance[k][j] / instances;
        row[i].sum += v;
        row[i].square += v * v;
    }
    nested_free(&p);
}

static int add_data(const KnownModel *m, const char *path, Row *row) {
    size_t bytes, numbers = (size_t)nested_instances(&m->effects, m->effects.levels);
    char *raw = json_read(path, &bytes);
    size_t sets = bytes / sizeof(float) / numbers;
    if (sets < 2 || bytes != sets * numbers * sizeof(float))
        fail("the data do not divide into data sets of this model");
    double *y = malloc(sizeof *y * numbers);
    for (size_t i = 0; i < sets; i++) {
        for (size_t k = 0; k < numbers; k++) {
            float single;
            memcpy(&single, raw + (i * numbers + k) * sizeof single, sizeof single);
            y[k] = single;
        }
        add_set(m, y, row);
    }
    free(y);
    free(raw);
    return (int)sets;
}

/* Is x beyond the extreme so far, or no number? */
static bool beyond(double x, double extreme) {
    return !(x <= extreme);
}

static void print_rows(const Row *row, int n, int sets, const char *latents) {
    double lowest = INFINITY, highest = -INFINITY, off = 0;
    const char *of_lowest = "", *of_highest = "", *of_off = "";
    printf("| latent | coverage | contraction | exact | off by |\n");
    printf("| --- | --- | --- | --- | --- |\n");
    for (int i = 0; i < n; i++) {
        const char *own = json_find(latents, NULL, row[i].name),
                   *end = own ? strchr(own, '}') : NULL;
        if (!end) fail("a latent is missing in the report of `check`");
        double coverage = json_number(own, end, "coverage"),
               se = json_number(own, end, "coverage_se"),
               contraction = json_number(own, end, "contraction"), mean = row[i].sum / sets,
               variance = (row[i].square - row[i].sum * mean) / (sets - 1),
               exact = 1 - mean / row[i].prior,
               exact_se = sqrt(fmax(variance, 0) / sets) / row[i].prior;
        printf("| %s | %.3f ± %.3f | %.4f | %.4f ± %.4f | %+.4f |\n", row[i].name, coverage, se,
               contraction, exact, exact_se, contraction - exact);
        if (beyond(-coverage, -lowest)) lowest = coverage, of_lowest = row[i].name;
        if (beyond(coverage, highest)) highest = coverage, of_highest = row[i].name;
        if (beyond(fabs(contraction - exact), fabs(off)))
            off = contraction - exact, of_off = row[i].name;
    }
    printf("%.3f (%s) %.3f (%s) %+.4f (%s)\n", lowest, of_lowest, highest, of_highest, off, of_off);
}

int main(int argc, char **argv) {
    const KnownModel *m = NULL;
    for (size_t i = 0; argc == 4 && i < sizeof models / sizeof *models; i++)
        if (!strcmp(argv[1], models[i].name)) m = &models[i];
    if (!m) fail("usage: calibration dyestuff|pastes DATA.bin CHECK.json");
    char *report = json_read(argv[3], NULL);
    const char *latents = json_find(report, NULL, "latents");
    if (!latents) fail("no latents in the report of `check`");
    Row row[MAX_ROWS];
    int n = prior_rows(m, row), sets = add_data(m, argv[2], row);
    print_rows(row, n, sets, latents);
    free(report);
    return 0;
}
