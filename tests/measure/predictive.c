/* predictive.c -- do predictive intervals of cells that are missing hold what was blanked there?
 *
 *     predictive copy DATA.csv SETS OUT.bin COLUMN...
 *         the columns of a table, whole, SETS times
 *
 *     predictive blank IN.bin SETS OUT.bin CELLS SHARE
 *         the same data sets; of the first CELLS numbers of each a share is NaN, at random
 *
 *     predictive cover IN.bin SETS CELLS PREDICTED.json
 *         of all cells that are blank in what `predict --json` was given: how many lie in their
 *         90 % intervals, its standard error over data sets, and how many cells there are
 *
 * Data sets are as `simulate --out OUT.bin` writes them. Which cells are blank depends on their
 * position alone: the same in every run. */
#include "json.h"

#include <stdbool.h>
#include <stdint.h>

_Noreturn static void fail(const char *what) {
    fprintf(stderr, "predictive: %s\n", what);
    exit(1);
}

static float *read_floats(const char *path, size_t sets, size_t *per_set) {
    size_t bytes;
    char *raw = json_read(path, &bytes);
    if (!sets || bytes % (sets * sizeof(float))) fail("the data do not divide into data sets");
    *per_set = bytes / sizeof(float) / sets;
    return (float *)(void *)raw;
}

static void write_floats(const char *path, const float *x, size_t n) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(x, sizeof *x, n, file) != n || fclose(file)) fail("cannot write");
}

/* ---- copy ---- */

/* Cell number `column` of the line at *at. */
static const char *cell(const char *line, int column) {
    while (column-- > 0) {
        line += strcspn(line, ",\n");
        if (*line != ',') fail("a row is too short");
        line++;
    }
    return line;
}

static int column_of(const char *header, const char *name) {
    for (int i = 0;; i++) {
        size_t n = strcspn(header, ",\n");
        if (n == strlen(name) && !strncmp(header, name, n)) return i;
        if (header[n] != ',') fail("no such column");
        header += n + 1;
    }
}

static void copy(const char *path, size_t sets, const char *out, char **columns, int n_columns) {
    char *text = json_read(path, NULL);
    size_t rows = 0, n = 0;
    const char *first = strchr(text, '\n') + 1;
    for (const char *c = first; *c; c++) rows += *c == '\n';
    size_t per_set = rows * (size_t)n_columns;
    float *x = malloc(sizeof *x * per_set * sets);
    for (int i = 0; i < n_columns; i++) {
        const char *line = first;
        int column = column_of(text, columns[i]);
        for (size_t r = 0; r < rows; r++, line = strchr(line, '\n') + 1)
            x[n++] = strtof(cell(line, column), NULL);
    }
    for (size_t s = 1; s < sets; s++) memcpy(x + s * per_set, x, sizeof *x * per_set);
    write_floats(out, x, per_set * sets);
}

/* ---- blank ---- */

/* Uniform in [0, 1) by position (splitmix64). */
static double uniform(uint64_t at) {
    uint64_t z = (at + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

static void blank(const char *in, size_t sets, const char *out, size_t cells, double share) {
    size_t per_set;
    float *x = read_floats(in, sets, &per_set);
    if (cells > per_set) fail("so many cells are not in a data set");
    for (size_t s = 0; s < sets; s++)
        for (size_t k = 0; k < cells; k++)
            if (uniform(s * cells + k) < share) x[s * per_set + k] = NAN;
    write_floats(out, x, per_set * sets);
}

/* ---- cover ---- */

static void cover(const char *in, size_t sets, size_t cells, const char *predicted) {
    size_t per_set;
    const float *x = read_floats(in, sets, &per_set);
    const char *at = json_read(predicted, NULL);
    double sum = 0, square = 0, n = 0, inside = 0;
    for (size_t s = 0; s < sets; s++) {
        double here = 0, held = 0;
        at = json_find(at, NULL, "cells");
        for (size_t k = 0; at && k < cells; k++) {
            at = json_find(at, NULL, "observed");
            if (!at) fail("cells are missing from the predictions");
            if (strncmp(at, "null", 4)) continue;
            double truth = x[s * per_set + k], low = json_number(at, NULL, "q5");
            held += truth >= low && truth <= json_number(at, NULL, "q95");
            here++;
        }
        if (!at) fail("data sets are missing from the predictions");
        if (here == 0) continue;
        sum += held / here;
        square += held / here * held / here;
        n++;
        inside += here;
    }
    double mean = sum / n;
    printf("%.4f %.4f %.0f\n", mean, sqrt((square / n - mean * mean) / (n - 1)), inside);
}

int main(int argc, char **argv) {
    if (argc < 6) fail("copy|blank|cover FILE SETS ...");
    size_t sets = strtoul(argv[3], NULL, 10);
    if (!strcmp(argv[1], "copy"))
        copy(argv[2], sets, argv[4], argv + 5, argc - 5);
    else if (!strcmp(argv[1], "blank") && argc == 7)
        blank(argv[2], sets, argv[4], strtoul(argv[5], NULL, 10), strtod(argv[6], NULL));
    else if (!strcmp(argv[1], "cover"))
        cover(argv[2], sets, strtoul(argv[4], NULL, 10), argv[5]);
    else
        fail("not known");
    return 0;
}
