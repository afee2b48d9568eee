/* gap.c -- how far ELBOs stay below exact evidences.
 *
 *     gap gre|gre_wide|nc DATA.bin ELBO.json...      one file of `elbo --batch --json` per trained
 * model, on the same data gap gre|nc DATA.bin                   prints the evidences alone, one a
 * line
 *
 * Prints `MEAN SE WORST KHAT SEED-MEANS...`: the gap in nats over data sets (the mean over files
 * first), its standard error over data sets, the largest of one data set, the largest k-hat, and
 * the mean gap of each file. The models are those of examples/ as they stand; the
 * number of groups follows from the data.
 */
#include "json.h"
#include "tests/exact/exact.h"

#include <stdbool.h>

enum { MAX_FILES = 64 };

_Noreturn static void fail(const char *what) {
    fprintf(stderr, "gap: %s\n", what);
    exit(1);
}

typedef struct Example {
    const char *name;
    int dims;
    size_t in_group, in_set; /* numbers; in_group 0: one plate of declared size */
} Example;

static const Example examples[] = {
    {"gre", 2, 100, 300}, {"gre_wide", 128, 6400, 19200}, {"nc", 2, 0, 20}};

static const Example *find_example(const char *name) {
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
        if (!strcmp(name, examples[i].name)) return &examples[i];
    return NULL;
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

/* numbers: of one data set. */
static double evidence(const Example *m, const double *x, size_t numbers) {
    if (!m->in_group) return exact_laplace_shift(&(LaplaceShift){10, 2, 0.5, 0.3}, x);
    int groups = (int)(numbers / m->in_group);
    return exact_gaussian_effects(&(GaussianEffects){groups, 50, m->dims, 0.5, 0.5, 0.1}, x);
}

/* One data set of the file, widened. */
static void widen(const char *raw, size_t set, size_t numbers, double *x) {
    for (size_t k = 0; k < numbers; k++) {
        float single;
        memcpy(&single, raw + (set * numbers + k) * sizeof single, sizeof single);
        x[k] = single;
    }
}

/* Numbers in one data set; the size of the file must fit. */
static size_t numbers_per_set(const Example *m, size_t total, int *sets) {
    if (!*sets) *sets = (int)(total / m->in_set);
    size_t numbers = *sets ? total / (size_t)*sets : 0;
    bool fits = m->in_group ? numbers % m->in_group == 0 : numbers == m->in_set;
    if (!numbers || total % (size_t)*sets || !fits)
        fail("the data do not divide into data sets of this model");
    return numbers;
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
    const Example *model = argc > 1 ? find_example(argv[1]) : NULL;
    if (argc < 3 || argc > 3 + MAX_FILES || !model)
        fail("usage: gap gre|gre_wide|nc DATA.bin [ELBO.json ...]");
    size_t bytes;
    char *raw = json_read(argv[2], &bytes);
    Elbos file[MAX_FILES];
    int n_files = argc - 3, sets = 0;
    for (int f = 0; f < n_files; f++) {
        file[f] = read_elbos(argv[3 + f]);
        if (f && file[f].n != sets) fail("the files have different numbers of data sets");
        sets = file[f].n;
    }
    size_t numbers = numbers_per_set(model, bytes / sizeof(float), &sets);
    double *x = malloc(sizeof *x * numbers), *log_p = malloc(sizeof *log_p * (size_t)sets);
    for (int i = 0; i < sets; i++) {
        widen(raw, (size_t)i, numbers, x);
        log_p[i] = evidence(model, x, numbers);
        if (!n_files) printf("%.10f\n", log_p[i]);
    }
    if (n_files) print_gaps(file, n_files, log_p, sets);
    return 0;
}
