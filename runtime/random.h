/* random.h -- counter-based random numbers (Philox4x32-10, Salmon et al., SC 2011), shared by
 * generated programs, the runtime and the compiler's interpreter, so that all of them draw the same
 * numbers.
 *
 * key = (seed, purpose), counter = (step, data set, site << 24 | draw, flat instance and event). A
 * number depends on its counter alone: no state, the same under every schedule, layout and device.
 * Base draws are computed in float32 (normal by Box-Muller on our own polynomials, never libm's)
 * and widened for double.
 */
#ifndef ADAVIC_RANDOM_H
#define ADAVIC_RANDOM_H

#include <stdint.h>

enum { AV_NORMAL, AV_UNIFORM, AV_EXPONENTIAL, AV_GAMMA, AV_POISSON, AV_BINOMIAL, AV_GIVEN };

/* Numbers of AV_POISSON and AV_BINOMIAL are whole; beyond 2^24 they are rounded to the nearest
 * float.
 *
 * The value at (data set i, draw j, instance k) goes to out[i * s_data + j * s_draw + k * s_inst];
 * instances run over plates and events, row-major in canonical order. `replace` (row-major [data,
 * draw, instance] numbers of the output's type, or NULL) is copied instead. AV_GIVEN: without
 * `replace`, out stays as it is. */
typedef struct av_random {
    uint32_t key[2], step, data0;
    uint32_t site;
    int32_t kind;
    int64_t n_data, n_draw, n_inst;
    int64_t s_data, s_draw, s_inst;
    const void *replace;
    /* Parameters: the shape of AV_GAMMA, the rate of AV_POISSON, number and probability of
     * AV_BINOMIAL. The p-th at (i, j, k) = param[p][i * p_data[p] + j * p_draw[p] + p_of(k)], of
     * the output's type; k decomposes over n_dims extents (instances' axes, outermost first) with
     * strides p_dim[p][] (0 where constant). */
    const void *param[2];
    int64_t p_data[2], p_draw[2];
    int32_t n_dims;
    int64_t dim[12], p_dim[2][12];
} av_random;

void av_fill_f32(const av_random *r, float *out);
void av_fill_f64(const av_random *r, double *out);

/* For the runtime's own needs (initial weights, validation sets): four words of one counter. */
void av_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]);

#endif
