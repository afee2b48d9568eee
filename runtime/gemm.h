/* gemm.h -- products of wide layers by OpenBLAS, shared by generated programs and the runtime. Only
 * programs that call av_gemm_* are linked with the library.
 *
 * Activations lie in vectors of `lanes` numbers, one per feature, point and lane block: vector (b,
 * p, i) begins at block b * x_block + p * x_point + i * x_feature. The weights are a row-major
 * matrix with `w_row` numbers from row to row.
 *
 *     AV_GEMM_FORWARD    y[.., o] = sum_i x[.., i] w[i, o]
 *     AV_GEMM_BACKWARD   y[.., o] = sum_i x[.., i] w[o, i]
 *     AV_GEMM_OUTER      w[i, o] = sum over all points and lanes that exist of x[.., i] y[.., o]
 *
 * Columns (points times lanes) are packed AV_GEMM_COLUMNS at a time, a constant: the same bits
 * whatever thread a chunk runs on.
 */
#ifndef ADAVIC_GEMM_H
#define ADAVIC_GEMM_H

#include <stdint.h>

enum { AV_GEMM_FORWARD, AV_GEMM_BACKWARD, AV_GEMM_OUTER };
/* Columns of a panel, and numbers from row to row of it: no power of two, or all rows of a column
 * would share few sets of the caches. */
enum { AV_GEMM_COLUMNS = 256, AV_GEMM_ROW = 272 };

typedef struct av_gemm {
    int64_t kind, lanes;
    int64_t n_x, n_y;              /* features */
    int64_t blocks, points, exist; /* lane blocks; points of each; lanes that exist in all blocks */
    int64_t x_block, x_point, x_feature;
    int64_t y_block, y_point, y_feature;
    int64_t w_row;
    void *x, *y, *w; /* FORWARD and BACKWARD write y, OUTER writes w */
    void *room;      /* AV_GEMM_ROW * (n_x + n_y) numbers */
} av_gemm;

void av_gemm_f32(const av_gemm *g);
void av_gemm_f64(const av_gemm *g);

#endif
