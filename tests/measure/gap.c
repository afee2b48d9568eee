/* gap.c -- how far ELBOs stay below exact evidences.
 *
 *     gap MODEL DATA.bin ELBO.json...   one file of `elbo --batch --json` per trained model, on the
 *                                       same data; MODEL is one of those listed below
 *     gap MODEL DATA.bin                prints the evidences alone, one a line
 *     gap MODEL@S_MU,S_G,S_X,OBS DATA.bin ...   with these scales, and observations in each group
 *     gap evidences:FILE DATA.bin ELBO.json...  log evidences from elsewhere: of the first data
 *                                               sets, one a line, # before a remark
 *
 * Prints `MEAN SE WORST KHAT SEED-MEANS...`: the gap in nats over data sets (the mean over files
 * first), its standard error over data sets, the largest of one data set, the largest k-hat, and
 * the mean gap of each file. The models are the files of the same names in examples/ and
 * tests/models/ as they stand; the number of groups follows from the data, and many_groups has 4
 * observations in each.
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

static double effects_evidence(const GaussianEffects *model, const double *x) {
    return exact_gaussian_effects(model, x);
}

static double unknown_scales_evidence(const GaussianEffects *model, const double *x) {
    return exact_unknown_scales(model, x);
}

static double nc_evidence(const GaussianEffects *model, const double *b) {
    return exact_laplace_shift(&(LaplaceShift){model->groups, 2, 0.5, 0.3}, b);
}

typedef struct KnownModel {
    const char *name;
    GaussianEffects model; /* groups: instances of the outermost plate, by default */
    double (*evidence)(const GaussianEffects *model, const double *x);
} KnownModel;

static const KnownModel models[] = {
    {"gre", {3, 50, 2, 0.5, 0.5, 0.1}, effects_evidence},
    {"gre_wide", {3, 50, 128, 0.5, 0.5, 0.1}, effects_evidence},
    {"gre_unknown_scales", {3, 50, 2, 0.5, 0.5, 0.1}, unknown_scales_evidence},
    {"nc", {.groups = 10, .obs = 1, .dims = 2}, nc_evidence},
    {"many_groups", {11, 4, 1, 0.5, 0.5, 0.1}, effects_evidence}};

/* MODEL or MODEL@S_MU,S_G,S_X,OBS; fails on what is neither. */
static KnownModel model_named(const char *text) {
    size_t n = strcspn(text, "@");
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        KnownModel m = models[i];
        if (strncmp(text, m.name, n) || m.name[n]) continue;
        if (!text[n] || sscanf(text + n, "@%lf,%lf,%lf,%d", &m.model.s_mu, &m.model.s_g,
                               &m.model.s_x, &m.model.obs) == 4)
            return m;
    }
    fail("usage: gap MODEL[@S_MU,S_G,S_X,OBS] DATA.bin [ELBO.json ...]; gap.c lists the models");
}

/* One data set of the file, widened. */
static void widen(const char *raw, size_t set, size_t numbers, double *x) {
    for (size_t k = 0; k < numbers; k++) {
        float single;
        memcpy(&single, raw + (set * numbers + k) * sizeof single, sizeof single);
        x[k] = single;
    }
}

/* The outermost plate's instances in each of `sets` data sets (0: find out how many sets). */
static void find_groups(KnownModel *m, size_t total, int *sets) {
    size_t each = (size_t)(m->model.obs * m->model.dims);
    if (!*sets) *sets = (int)(total / (each * (size_t)m->model.groups));
    size_t numbers = *sets ? total / (size_t)*sets : 0;
    if (!numbers || total % (size_t)*sets || numbers % each)
        fail("the data do not divide into data sets of this model");
    m->model.groups = (int)(numbers / each);
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

/* The first `sets` log evidences of a file. */
static double *read_evidences(const char *path, int sets) {
    double *log_p = malloc(sizeof *log_p * (size_t)(sets + 1));
    int found = 0;
    char *text = json_read(path, NULL);
    for (char *line = strtok(text, "\n"); line && found < sets; line = strtok(NULL, "\n"))
        if (*line != '#') log_p[found++] = strtod(line, NULL);
    if (found < sets) fail("fewer evidences than data sets");
    free(text);
    return log_p;
}

static double *evidences_of(KnownModel m, const char *raw, size_t bytes, int *sets, bool print) {
    find_groups(&m, bytes / sizeof(float), sets);
    size_t numbers = (size_t)(m.model.groups * m.model.obs * m.model.dims);
    double *x = malloc(sizeof *x * numbers), *log_p = malloc(sizeof *log_p * (size_t)*sets);
    for (int i = 0; i < *sets; i++) {
        widen(raw, (size_t)i, numbers, x);
        log_p[i] = m.evidence(&m.model, x);
        if (print) printf("%.10f\n", log_p[i]);
    }
    free(x);
    return log_p;
}

int main(int argc, char **argv) {
    static const char listed[] = "evidences:";
    if (argc < 3 || argc > 3 + MAX_FILES) fail("usage: gap MODEL DATA.bin [ELBO.json ...]");
    Elbos file[MAX_FILES];
    int n_files = argc - 3, sets = 0;
    for (int f = 0; f < n_files; f++) {
        file[f] = read_elbos(argv[3 + f]);
        if (f && file[f].n != sets) fail("the files have different numbers of data sets");
        sets = file[f].n;
    }
    double *log_p;
    if (!strncmp(argv[1], listed, sizeof listed - 1)) {
        log_p = read_evidences(argv[1] + sizeof listed - 1, sets);
    } else {
        size_t bytes;
        char *raw = json_read(argv[2], &bytes);
        log_p = evidences_of(model_named(argv[1]), raw, bytes, &sets, !n_files);
    }
    if (n_files) print_gaps(file, n_files, log_p, sets);
    return 0;
}
