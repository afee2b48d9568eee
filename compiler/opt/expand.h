/* expand.h -- what the files of expansions share: one letter less per instruction, the bits of the
 * element type, and the expansions that others build upon. Private to opt/elementary*.c, whose
 * headers state the accuracy.
 *
 *     int y = fused(c, x, x, K(c, 1));    x * x + 1, rounded once
 */
#ifndef ADAVIC_EXPAND_H
#define ADAVIC_EXPAND_H

#include "opt/loop_code.h"

#define LENGTH(a) ((int)(sizeof(a) / sizeof *(a)))

/* ---- one letter less per instruction ---- */
static inline int K(LoopCode *c, double x) {
    return loop_number(c, x);
}
static inline int add(LoopCode *c, int a, int b) {
    return loop_emit(c, LOOP_add, a, b, 0);
}
static inline int sub(LoopCode *c, int a, int b) {
    return loop_emit(c, LOOP_sub, a, b, 0);
}
static inline int mul(LoopCode *c, int a, int b) {
    return loop_emit(c, LOOP_mul, a, b, 0);
}
static inline int quo(LoopCode *c, int a, int b) {
    return loop_emit(c, LOOP_div, a, b, 0);
}
static inline int neg(LoopCode *c, int a) {
    return loop_emit(c, LOOP_neg, a, 0, 0);
}
static inline int mag(LoopCode *c, int a) {
    return loop_emit(c, LOOP_abs, a, 0, 0);
}
static inline int fused(LoopCode *c, int a, int b, int d) {
    return loop_emit(c, LOOP_fma, a, b, d);
}
static inline int less(LoopCode *c, int a, int b) {
    return loop_emit(c, LOOP_lt, a, b, 0);
}
static inline int both(LoopCode *c, int a, int b) {
    return loop_emit(c, LOOP_and, a, b, 0);
}
static inline int pick(LoopCode *c, int m, int a, int b) {
    return loop_emit(c, LOOP_select, m, a, b);
}
static inline int bits(LoopCode *c, int a) {
    return loop_emit(c, LOOP_bits, a, 0, 0);
}
static inline int unbits(LoopCode *c, int a) {
    return loop_emit(c, LOOP_unbits, a, 0, 0);
}
static inline int iadd(LoopCode *c, int a, int64_t k) {
    return loop_emit(c, LOOP_iadd, a, loop_integer(c, k), 0);
}

static inline bool wide(const LoopCode *c) {
    return c->program->f64;
}

/* Of the element type. */
static inline int mantissa(const LoopCode *c) {
    return wide(c) ? 52 : 23;
}
static inline int64_t one_bits(const LoopCode *c) {
    return wide(c) ? INT64_C(0x3ff0000000000000) : INT64_C(0x3f800000);
}
static inline double magic(const LoopCode *c) {
    return wide(c) ? 0x1.8p52 : 0x1.8p23;
}
static inline int64_t magic_bits(const LoopCode *c) {
    return wide(c) ? INT64_C(0x4338000000000000) : INT64_C(0x4b400000);
}
static inline double least_normal(const LoopCode *c) {
    return wide(c) ? 0x1p-1022 : 0x1p-126;
}

/* k[0] + k[1] x + ... */
static inline int horner(LoopCode *c, int x, const double *k, int n) {
    int y = K(c, k[n - 1]);
    for (int i = n - 2; i >= 0; i--) y = fused(c, y, x, K(c, k[i]));
    return y;
}

static inline int clamp(LoopCode *c, int x, double low, double high) {
    x = pick(c, less(c, x, K(c, low)), K(c, low), x);
    return pick(c, less(c, K(c, high), x), K(c, high), x);
}

/* ---- elementary.c ---- */
int expand_exp(LoopCode *c, const int *args);
int expand_expm1(LoopCode *c, const int *args);
int expand_log(LoopCode *c, const int *args);
int expand_log1p(LoopCode *c, const int *args);

/* ---- elementary_normal.c ---- */
int expand_erf(LoopCode *c, const int *args);
int expand_Phi(LoopCode *c, const int *args);
int expand_log_Phi(LoopCode *c, const int *args);
int expand_inv_mills(LoopCode *c, const int *args);
int expand_inv_Phi(LoopCode *c, const int *args);

/* ---- elementary_bessel.c ---- */
int expand_log_bessel_i(LoopCode *c, const int *args);
int expand_bessel_ratio(LoopCode *c, const int *args);

#endif
