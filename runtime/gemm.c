/* gemm.c -- see gemm.h. The library is OpenBLAS, by its Fortran interface: matrices there are
 * column-major, so a packed panel [feature][column] is a matrix of columns by features.
 *
 * Parallelism is ours: the library is told to use one thread. Before its first use it must multiply
 * a small example correctly, for builds of it are known that do not on some processors.
 */
#include "runtime/gemm.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Weak: programs without wide layers, and the tests of the runtime, are linked without them. */
void sgemm_(const char *ta, const char *tb, const int *m, const int *n, const int *k,
            const float *alpha, const float *a, const int *lda, const float *b, const int *ldb,
            const float *beta, float *c, const int *ldc) __attribute__((weak));
void dgemm_(const char *ta, const char *tb, const int *m, const int *n, const int *k,
            const double *alpha, const double *a, const int *lda, const double *b, const int *ldb,
            const double *beta, double *c, const int *ldc) __attribute__((weak));
void openblas_set_num_threads(int n) __attribute__((weak));
char *openblas_get_config(void) __attribute__((weak));
char *openblas_get_corename(void) __attribute__((weak));

typedef struct Matrix {
    char *at;
    int row; /* numbers from column to column, as Fortran counts */
    char transposed;
} Matrix;

/* One call at a time: with several at once, results of the serial build of Debian 12 were seen to
 * differ from run to run. */
static pthread_mutex_t in_library = PTHREAD_MUTEX_INITIALIZER;

/* c = a b, or c += a b; m x k times k x n. */
static void multiply(int width, int m, int n, int k, Matrix a, Matrix b, bool add, Matrix c) {
    pthread_mutex_lock(&in_library);
    if (width == 4) {
        float one = 1, beta = add;
        sgemm_(&a.transposed, &b.transposed, &m, &n, &k, &one, (const float *)(void *)a.at, &a.row,
               (const float *)(void *)b.at, &b.row, &beta, (float *)(void *)c.at, &c.row);
    } else {
        double one = 1, beta = add;
        dgemm_(&a.transposed, &b.transposed, &m, &n, &k, &one, (const double *)(void *)a.at, &a.row,
               (const double *)(void *)b.at, &b.row, &beta, (double *)(void *)c.at, &c.row);
    }
    pthread_mutex_unlock(&in_library);
}

/* ---- the library ---- */

enum { CHECKED = 67 }; /* odd: full blocks and remainders of every kernel */

static double entry(int i, int j) {
    return (double)((i * 7 + j * 13 + i * j) % 17 - 8) / 16;
}

/* Whether small multiples of 1/16 are multiplied exactly, for all three forms in use. */
static bool multiplies_well(int width) {
    enum { N = CHECKED };
    char *room = malloc(3 * N * N * sizeof(double));
    bool good = room != NULL;
    for (int form = 0; form < 3 && good; form++) {
        char *part[3] = {room, room + N * N * 8, room + 2 * N * N * 8};
        bool turn_a = form == 2, turn_b = form == 0;
        for (int k = 0; k < 2; k++)
            for (int i = 0; i < N * N; i++) {
                double x = entry(i % N + k, i / N);
                if (width == 4)
                    ((float *)(void *)part[k])[i] = (float)x;
                else
                    ((double *)(void *)part[k])[i] = x;
            }
        multiply(width, N, N, N, (Matrix){part[0], N, turn_a ? 'T' : 'N'},
                 (Matrix){part[1], N, turn_b ? 'T' : 'N'}, false, (Matrix){part[2], N, 'N'});
        for (int i = 0; i < N * N; i++) {
            double want = 0;
            for (int k = 0; k < N; k++)
                want += (turn_a ? entry(k, i % N) : entry(i % N, k)) *
                        (turn_b ? entry(i / N + 1, k) : entry(k + 1, i / N));
            double got =
                width == 4 ? (double)((float *)(void *)part[2])[i] : ((double *)(void *)part[2])[i];
            good &= got == want;
        }
    }
    free(room);
    return good;
}

static _Noreturn void give_up(const char *why) {
    fprintf(stderr, "error: %s", why);
    if (openblas_get_config && openblas_get_corename)
        fprintf(stderr, " (%s, for %s)", openblas_get_config(), openblas_get_corename());
    fprintf(stderr, "\n");
    exit(1);
}

static void prepare(void) {
    if (!sgemm_ || !dgemm_)
        give_up("this program needs OpenBLAS and was linked without it; link with -lopenblas, or "
                "compile the model with --blas=off");
    if (openblas_set_num_threads) openblas_set_num_threads(1);
    if (!multiplies_well(4) || !multiplies_well(8))
        give_up(
            "the OpenBLAS of this machine multiplies matrices wrongly; try another build of it, "
            "OPENBLAS_CORETYPE=Haswell in the environment, or compile the model with "
            "--blas=off");
}

/* ---- panels ---- */

/* A run of points, numbered over all blocks. */
typedef struct Panel {
    int64_t first, n;
} Panel;

typedef struct Side {
    char *at;
    int64_t features, block, point, feature;
} Side;

/* `n` vectors of `bytes`, which are a constant in each loop: calls of memcpy for so little would
 * take a third of the time of a product. */
static inline __attribute__((always_inline)) void
copy_all(char *to, size_t to_step, const char *from, size_t from_step, int64_t n, size_t bytes) {
    for (int64_t i = 0; i < n; i++, to += to_step, from += from_step) memcpy(to, from, bytes);
}

static void copy_vectors(char *to, size_t to_step, const char *from, size_t from_step, int64_t n,
                         size_t bytes) {
    if (bytes == 64)
        copy_all(to, to_step, from, from_step, n, 64);
    else if (bytes == 32)
        copy_all(to, to_step, from, from_step, n, 32);
    else if (bytes == 16)
        copy_all(to, to_step, from, from_step, n, 16);
    else
        copy_all(to, to_step, from, from_step, n, bytes);
}

/* Between the activations and the panel [feature][AV_GEMM_ROW]. Beyond the lanes that exist a
 * panel holds 0. */
static void pack(const av_gemm *g, int width, const Side *side, Panel panel, char *room) {
    size_t vector = (size_t)(g->lanes * width), row = (size_t)AV_GEMM_ROW * (size_t)width;
    for (int64_t p = 0; p < panel.n; p++) {
        int64_t block = (panel.first + p) / g->points, point = (panel.first + p) % g->points;
        const char *from = side->at + (block * side->block + point * side->point) * width;
        int64_t exist = g->exist - block * g->lanes;
        char *to = room + (size_t)p * vector;
        copy_vectors(to, row, from, (size_t)(side->feature * width), side->features, vector);
        if (exist >= g->lanes) continue;
        to = room + (size_t)p * vector + (size_t)(exist * width);
        for (int64_t i = 0; i < side->features; i++, to += row)
            memset(to, 0, (size_t)((g->lanes - exist) * width));
    }
}

static void unpack(const av_gemm *g, int width, const Side *side, Panel panel, const char *room) {
    size_t vector = (size_t)(g->lanes * width), row = (size_t)AV_GEMM_ROW * (size_t)width;
    for (int64_t p = 0; p < panel.n; p++) {
        int64_t block = (panel.first + p) / g->points, point = (panel.first + p) % g->points;
        char *to = side->at + (block * side->block + point * side->point) * width;
        const char *from = room + (size_t)p * vector;
        copy_vectors(to, (size_t)(side->feature * width), from, row, side->features, vector);
    }
}

static void one_panel(const av_gemm *g, int width, Panel panel) {
    Side x = {g->x, g->n_x, g->x_block, g->x_point, g->x_feature};
    Side y = {g->y, g->n_y, g->y_block, g->y_point, g->y_feature};
    char *x_room = g->room, *y_room = x_room + (size_t)(AV_GEMM_ROW * g->n_x * width);
    int columns = (int)(panel.n * g->lanes), n_x = (int)g->n_x, n_y = (int)g->n_y;
    int w_row = (int)g->w_row;
    pack(g, width, &x, panel, x_room);
    Matrix px = {x_room, AV_GEMM_ROW, 'N'}, py = {y_room, AV_GEMM_ROW, 'N'};
    Matrix w = {g->w, w_row, 'N'};
    if (g->kind == AV_GEMM_OUTER) {
        pack(g, width, &y, panel, y_room);
        py.transposed = 'T';
        multiply(width, n_y, n_x, columns, py, px, panel.first > 0, w);
        return;
    }
    w.transposed = g->kind == AV_GEMM_FORWARD ? 'T' : 'N';
    multiply(width, columns, n_y, n_x, px, w, false, py);
    unpack(g, width, &y, panel, y_room);
}

static void run(const av_gemm *g, int width) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare);
    int64_t most = AV_GEMM_COLUMNS / g->lanes, total = g->blocks * g->points;
    for (int64_t first = 0; first < total; first += most) {
        Panel panel = {first, total - first < most ? total - first : most};
        one_panel(g, width, panel);
    }
}

void av_gemm_f32(const av_gemm *g) {
    run(g, 4);
}

void av_gemm_f64(const av_gemm *g) {
    run(g, 8);
}
