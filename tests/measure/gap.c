/* gap.c -- how far ELBOs stay below exact evidences.
 *
 *     gap MODEL DATA.bin ELBO.json...   one file of `elbo --batch --json` per trained model, on the
 *                                       same data; MODEL is gre, gre_wide, nc or many_groups
 *     gap MODEL DATA.bin                prints the evidences alone, one a line
 *
 * Prints `MEAN SE WORST KHAT SEED-MEANS...`: the gap in nats over data sets (the mean over files
 * first), its standard error over data sets, the largest of one data set, the largest k-hat, and
 * the mean gap of each file. The models are the files of the same names in examples/ as they stand;
 * the number of groups follows from the data, and many_groups has 4 observations in each.
 */
#include "json.h"
#include "tests/exact/exact.h"

#include <stdbool.h>

enum { MAX_FILES = 64 };

_Noreturn static void fail(const char *what) {
    fprintf(stderr, "gap: %s\n", what);
    exit(1);
}

typedef struct Elbos {
    int n;
    double *elbo, khat;
} Elbos;

static Elbos read_elbos(const char *path) {
    char *text = json_read(path, NULL);
    Elbos e = {.elbo = malloc(sizeof(double) * (strlen(text) / 8 + 1)), .khat = -INFINITY};
    const char *at = json_find(text, NULL, "sets");
    if (!at) fail("no sets in the ELBO file");
    for (; (at = json_find(at, NULL, "elbo")); e.n++) {
        e.elbo[e.n] = strtod(at, NULL);
        e.khat = fmax(e.khat, json_number(at, strchr(at, '}'), "khat"));
    }
    free(text);
    return e;
}

static double gre_wide_evidence(const double *x, int groups) {
    return exact_gaussian_effects(&(GaussianEffects){groups, 50, 128, 0.5, 0.5, 0.1}, x);
}

static double gre_evidence(const double *x, int groups) {
    return exact_gaussian_effects(&(GaussianEffects){groups, 50, 2, 0.5, 0.5, 0.1}, x);
}

enum { OBS = 4 }; /* of many_groups, in each group */

static double many_groups_evidence(const double *x, int groups) {
    return exact_gaussian_effects(&(GaussianEffects){groups, OBS, 1, 0.5, 0.5, 0.1}, x);
}

static double nc_evidence(const double *b, int samples) {
    return exact_laplace_shift(&(LaplaceShift){samples, 2, 0.5, 0.3}, b);
}

typedef struct KnownModel {
    const char *name;
    int numbers, instances; /* data of one instance of the outermost plate; instances by default */
    double (*evidence)(const double *x, int instances);
} KnownModel;

static const KnownModel models[] = {{"gre", 100, 3, gre_evidence},
                                    {"gre_wide", 6400, 3, gre_wide_evidence},
                                    {"nc", 2, 10, nc_evidence},
                                    {"many_groups", OBS, 11, many_groups_evidence}};

/* One data set of the file, widened. */
static void widen(const char *raw, size_t set, size_t numbers, double *x) {
    for (size_t k = 0; k < numbers; k++) {
        float single;
        memcpy(&single, raw + (set * numbers + k) * sizeof single, sizeof single);
        x[k] = single;
    }
}

/* Instances of the outermost plate in each of `sets` data sets (0: find out how many sets). */
static int instances_per_set(const KnownModel *m, size_t total, int *sets) {
    if (!*sets) *sets = (int)(total / (size_t)(m->numbers * m->instances));
    size_t numbers = *sets ? total / (size_t)*sets : 0;
    if (!numbers || total % (size_t)*sets || numbers % (size_t)m->numbers)
        fail("the data do not divide into data sets of this model");
    return (int)numbers / m->numbers;
}

static void print_gaps(const Elbos *file, int n_files, const double *log_p, int sets) {
    double sum = 0, square = 0, worst = -INFINITY, khat = -INFINITY;
    double by_file[MAX_FILES] = {0};
    for (int i = 0; i < sets; i++) {
        double gap = 0;
        for (int f = 0; f < n_files; f++) {
            double one = log_p[i] - file[f].elbo[i];
            by_file[f] += one / sets;
            gap += one / n_files;
            if (!(one <= worst)) worst = one;
        }
        sum += gap;
        square += gap * gap;
    }
    double mean = sum / sets, variance = (square - sum * mean) / fmax(sets - 1, 1);
    for (int f = 0; f < n_files; f++) khat = fmax(khat, file[f].khat);
    printf("%.4f %.4f %.3f %.2f", mean, sqrt(fmax(variance, 0) / sets), worst, khat);
    for (int f = 0; f < n_files; f++) printf(" %.4f", by_file[f]);
    printf("\n");
}

int main(int argc, char **argv) {
    const KnownModel *m = NULL;
    for (size_t i = 0; argc > 2 && i < sizeof models / sizeof *models; i++)
        if (!strcmp(argv[1], models[i].name)) m = &models[i];
    if (!m || argc > 3 + MAX_FILES)
        fail("usage: gap gre|gre_wide|nc|many_groups DATA.bin [ELBO.json ...]");
    size_t bytes;
    char *raw = json_read(argv[2], &bytes);
    Elbos file[MAX_FILES];
    int n_files = argc - 3, sets = 0;
    for (int f = 0; f < n_files; f++) {
        file[f] = read_elbos(argv[3 + f]);
        if (f && file[f].n != sets) fail("the files have different numbers of data sets");
        sets = file[f].n;
    }
    int instances = instances_per_set(m, bytes / sizeof(float), &sets);
    size_t numbers = (size_t)(instances * m->numbers);
    double *x = malloc(sizeof *x * numbers), *log_p = malloc(sizeof *log_p * (size_t)sets);
    for (int i = 0; i < sets; i++) {
        widen(raw, (size_t)i, numbers, x);
        log_p[i] = m->evidence(x, instances);
        if (!n_files) printf("%.10f\n", log_p[i]);
    }
    if (n_files) print_gaps(file, n_files, log_p, sets);
    return 0;
}
