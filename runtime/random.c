/* random.c -- Philox4x32-10 and the base draws made of it; see random.h.
 *
 * Invariants
 * - A number is a function of (key, site, step, data set, draw, instance) alone: no state, no order
 * of evaluation.
 * - Every operation is one IEEE float32 operation (contraction is off, no libm), so scalar and
 * vector code of any width give the same bits. Work is done on LANES counters at a time, which the
 * C compiler turns into vectors of whatever width the machine has (target clones).
 *
 * Counters. Key word 1 is purpose ^ site (the hash of the site's name). Normal, uniform and
 * exponential sites take four consecutive instances from one counter (step, data set, draw,
 * instance / 4). A site that may reject (gamma, Poisson, binomial) takes one instance from one
 * counter (step, data set, retry << 24 | draw, instance): draws are below 2^24.
 *
 * References: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011;
 * Box and Muller 1958; Marsaglia and Tsang, "A simple method for generating gamma variables", 2000.
 */
#include "runtime/vectorised.h"

#include "runtime/random.h"
#include "runtime/random_counts.h"

#include <math.h> /* NAN, INFINITY */
#include <stdbool.h>
#include <string.h>

/* LANES: counters at a time, two rows of data sets: the rounds of one wait less for each other when
 * there are others to do. */
enum { ROW = 16, LANES = 2 * ROW, DRAW_BITS = 24, MAX_RETRIES = 200 };

#define INLINE static inline __attribute__((always_inline))

/* One vector of counters; after philox, of random words. */
typedef struct Words {
    uint32_t w[4][LANES];
} Words;

typedef struct Floats {
    float v[4][LANES];
} Floats;

/* ---- Philox ---- */

INLINE void philox(const uint32_t key[2], Words *c) {
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        for (int l = 0; l < LANES; l++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * c->w[0][l];
            uint64_t p1 = (uint64_t)0xCD9E8D57u * c->w[2][l];
            uint32_t c1 = c->w[1][l], c3 = c->w[3][l];
            c->w[0][l] = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
            c->w[1][l] = (uint32_t)p1;
            c->w[2][l] = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
            c->w[3][l] = (uint32_t)p0;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

void av_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]) {
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]}, k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c[0], p1 = (uint64_t)0xCD9E8D57u * c[2];
        c[0] = (uint32_t)(p1 >> 32) ^ c[1] ^ k0;
        c[2] = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
        c[1] = (uint32_t)p1;
        c[3] = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    memcpy(out, c, sizeof c);
}

/* ---- float32 functions of one number; domains are what the generators need ---- */

INLINE float float_of(uint32_t bits) {
    union {
        uint32_t bits;
        float number;
    } u = {bits};
    return u.number;
}

INLINE uint32_t bits_of(float number) {
    union {
        float number;
        uint32_t bits;
    } u = {number};
    return u.bits;
}

/* (w + 1/2) / 2^32 rounded once or twice, in [2^-33, 1]. */
INLINE float unit(uint32_t w) {
    float hi = (float)(int32_t)(w >> 16), lo = (float)(int32_t)(w & 0xffff);
    return (hi * 65536.0f + (lo + 0.5f)) * 0x1p-32f;
}

/* Strictly inside (0, 1): the midpoints of 2^23 equal cells. */
INLINE float open_unit(uint32_t w) {
    return ((float)(int32_t)(w >> 9) + 0.5f) * 0x1p-23f;
}

/* log x for a normal positive x, to about 1 ulp: x = m 2^e with m in [1/sqrt 2, sqrt 2), log m = 2
 * atanh((m-1)/(m+1)). */
INLINE float log_f32(float x) {
    uint32_t shifted = bits_of(x) - 0x3f3504f3u;
    int32_t e = (int32_t)shifted >> 23;
    float m = float_of((shifted & 0x007fffffu) + 0x3f3504f3u);
    float s = (m - 1.0f) / (m + 1.0f), z = s * s;
    float p = 1.0f / 11;
    p = p * z + 1.0f / 9;
    p = p * z + 1.0f / 7;
    p = p * z + 1.0f / 5;
    p = p * z + 1.0f / 3;
    float r = 2.0f * s + 2.0f * s * (z * p);
    /* ln 2 in two parts: the first times any exponent is exact */
    return (float)e * 0.693145751953125f + ((float)e * 1.42860682e-6f + r);
}

/* exp x for x in [-87, 88]. */
INLINE float exp_f32(float x) {
    float n = x * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: rounds to the nearest integer */
    int32_t k = (int32_t)(bits_of(n) - bits_of(12582912.0f));
    n -= 12582912.0f;
    float r = (x - n * 0.693145751953125f) - n * 1.42860682e-6f;
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return p * float_of((uint32_t)(k + 127) << 23);
}

/* cos and sin of the angle w / 2^32 of a full turn: a quarter turn by exact integers, then Taylor
 * on [-pi/4, pi/4]. */
INLINE void turn(uint32_t w, float *cosine, float *sine) {
    uint32_t quarter = (w + 0x20000000u) >> 30;
    float x = (float)(int32_t)(w - (quarter << 30)) * 1.46291807926715968e-9f; /* 2 pi / 2^32 */
    float z = x * x;
    float s = 1.0f / 362880;
    s = s * z - 1.0f / 5040;
    s = s * z + 1.0f / 120;
    s = s * z - 1.0f / 6;
    s = x + x * (z * s);
    float c = -1.0f / 3628800;
    c = c * z + 1.0f / 40320;
    c = c * z - 1.0f / 720;
    c = c * z + 1.0f / 24;
    c = c * z - 0.5f;
    c = c * z + 1.0f;
    /* odd quarters swap the two; signs go in as bits. Branches would keep this scalar. */
    uint32_t sb = bits_of(s), cb = bits_of(c), swap = (sb ^ cb) & (0u - (quarter & 1));
    *cosine = float_of((cb ^ swap) ^ ((quarter + 1) & 2) << 30);
    *sine = float_of((sb ^ swap) ^ (quarter & 2) << 30);
}

/* sqrt x for x in {0} and [2^-40, 2^40], to 1 ulp: Newton on 1/sqrt x. The C library's would keep
 * the loops scalar (errno). */
INLINE float sqrt_f32(float x) {
    float y = float_of(0x5f3759dfu - (bits_of(x) >> 1)), h = 0.5f * x;
    y = y * (1.5f - h * y * y);
    y = y * (1.5f - h * y * y);
    y = y * (1.5f - h * y * y);
    float r = x * y;
    return r + 0.5f * y * (x - r * r);
}

/* Two independent standard normals from two words: at most sqrt(66 log 2) = 6.76 in size. */
INLINE void box_muller(uint32_t w0, uint32_t w1, float *n0, float *n1) {
    float r = sqrt_f32(-2.0f * log_f32(unit(w0))), c, s;
    turn(w1, &c, &s);
    *n0 = r * c;
    *n1 = r * s;
}

INLINE float exponential(uint32_t w) {
    float e = -log_f32(unit(w));
    return e > 0x1p-26f ? e : 0x1p-26f; /* unit rounds to 1 once in 2^25: never an exact 0 */
}

/* ---- normal, uniform, exponential: four instances per counter ---- */

/* `wanted` of the four: the rest may be left out. */
RT_VECTORISED static void four_normals(const uint32_t key[2], Words *c, int wanted, Floats *out) {
    philox(key, c);
    for (int q = 0; q < wanted; q += 2)
        for (int l = 0; l < LANES; l++)
            box_muller(c->w[q][l], c->w[q + 1][l], &out->v[q][l], &out->v[q + 1][l]);
}

RT_VECTORISED static void four_uniforms(const uint32_t key[2], Words *c, Floats *out) {
    philox(key, c);
    for (int q = 0; q < 4; q++)
        for (int l = 0; l < LANES; l++) out->v[q][l] = open_unit(c->w[q][l]);
}

RT_VECTORISED static void four_exponentials(const uint32_t key[2], Words *c, Floats *out) {
    philox(key, c);
    for (int q = 0; q < 4; q++)
        for (int l = 0; l < LANES; l++) out->v[q][l] = exponential(c->w[q][l]);
}

/* ---- gamma, Poisson, binomial: one instance per counter and try ---- */

/* Marsaglia and Tsang with shape a >= 1 after boosting: Gamma(a) = Gamma(a + 1) u^(1/a) for a < 1.
 * Words: two for the normal, one for the boost, one for acceptance. Every retry draws all of them
 * afresh; the boost is independent of acceptance, so that does no harm. */
RT_VECTORISED static void try_gammas(const uint32_t key[2], Words *c, const float *shape,
                                     float *value, int32_t *accepted) {
    philox(key, c);
    for (int l = 0; l < LANES; l++) {
        float a = shape[l], boosted = a < 1.0f ? a + 1.0f : a;
        float d = boosted - 1.0f / 3, k = 1.0f / sqrt_f32(9.0f * d), x, unused;
        box_muller(c->w[0][l], c->w[1][l], &x, &unused);
        float root = 1.0f + k * x, v = root * root * root;
        float safe = v > 0x1p-100f ? v : 0x1p-100f;
        float log_u = log_f32(unit(c->w[3][l]));
        int32_t ok = root > 0.0f && log_u < 0.5f * x * x + d - d * safe + d * log_f32(safe);
        float log_boost = -exponential(c->w[2][l]) / a;
        log_boost = log_boost > -87.0f ? log_boost : -87.0f;
        float boost = a < 1.0f ? exp_f32(log_boost) : 1.0f, g = d * safe * boost;
        g = g > 0x1p-126f ? g : 0x1p-126f;
        value[l] = accepted[l] ? value[l] : g; /* the last try stands if none is accepted */
        accepted[l] = accepted[l] | ok;
    }
}

/* Whole numbers, one after the other: how long each takes hangs on its law. The parameters of lane
 * l are param[0][l] and param[1][l]. */
static void try_counts(int kind, const uint32_t key[2], Words *c, float param[2][LANES],
                       float *value, int32_t *accepted) {
    philox(key, c);
    for (int l = 0; l < LANES; l++) {
        const uint32_t words[4] = {c->w[0][l], c->w[1][l], c->w[2][l], c->w[3][l]};
        double x;
        if (accepted[l]) continue;
        accepted[l] = kind == AV_POISSON
                          ? av_try_poisson(words, (double)param[0][l], &x)
                          : av_try_binomial(words, (double)param[0][l], (double)param[1][l], &x);
        /* the last try stands if none is accepted, but in the support */
        value[l] = (float)(x < 0 ? 0 : x);
    }
}

/* ---- walking over the call's numbers ---- */

/* Where the LANES (data set, draw, instance or block of them) of one group stand; `n` may fall
 * short of LANES. */
typedef struct Group {
    int64_t i[LANES], j[LANES], k[LANES];
    int n;
} Group;

/* The next LANES positions of the walk over [n_data, n_draw, per_pair], instances fastest. False at
 * the end. */
static bool next_group(const av_random *r, int64_t per_pair, int64_t at[3], Group *g) {
    for (g->n = 0; g->n < LANES && at[0] < r->n_data; g->n++) {
        g->i[g->n] = at[0];
        g->j[g->n] = at[1];
        g->k[g->n] = at[2];
        if (++at[2] < per_pair) continue;
        at[2] = 0;
        if (++at[1] < r->n_draw) continue;
        at[1] = 0;
        at[0]++;
    }
    return g->n > 0;
}

INLINE void put(void *out, bool f64, int64_t at, float value) {
    if (f64)
        ((double *)out)[at] = value;
    else
        ((float *)out)[at] = value;
}

static void four_of(const av_random *r, Words *c, Floats *numbers) {
    const uint32_t key[2] = {r->key[0], r->key[1] ^ r->site};
    if (r->kind == AV_NORMAL)
        four_normals(key, c, r->n_inst < 4 ? (int)r->n_inst : 4, numbers);
    else if (r->kind == AV_UNIFORM)
        four_uniforms(key, c, numbers);
    else
        four_exponentials(key, c, numbers);
}

/* Where data sets are neighbours in memory, as in training: a row of them for each (draw, four
 * instances). */
static void fill_rows(const av_random *r, float *out) {
    int64_t fours = (r->n_inst + 3) / 4, rows = r->n_draw * fours;
    for (int64_t i = 0; i < r->n_data; i += ROW)
        for (int64_t row = 0; row < rows; row += LANES / ROW) {
            Words c;
            Floats numbers;
            for (int half = 0; half < LANES / ROW; half++) {
                int64_t at = row + half < rows ? row + half : row;
                uint32_t draw = (uint32_t)(at / fours), four = (uint32_t)(at % fours);
                for (int l = half * ROW; l < (half + 1) * ROW; l++) {
                    c.w[0][l] = r->step;
                    c.w[1][l] = r->data0 + (uint32_t)(i + l % ROW);
                    c.w[2][l] = draw;
                    c.w[3][l] = four;
                }
            }
            four_of(r, &c, &numbers);
            int64_t n = r->n_data - i < ROW ? r->n_data - i : ROW;
            for (int64_t at = row; at < rows && at < row + LANES / ROW; at++) {
                int64_t k = at % fours * 4, quarters = r->n_inst - k < 4 ? r->n_inst - k : 4;
                float *to = out + i + at / fours * r->s_draw + k * r->s_inst;
                for (int64_t q = 0; q < quarters; q++, to += r->s_inst)
                    memcpy(to, &numbers.v[q][(at - row) * ROW], (size_t)n * sizeof *to);
            }
        }
}

static void fill_in_fours(const av_random *r, void *out, bool f64) {
    int64_t at[3] = {0, 0, 0};
    Group g;
    if (!f64 && r->s_data == 1 && 2 * r->n_data >= ROW) {
        fill_rows(r, out);
        return;
    }
    while (next_group(r, (r->n_inst + 3) / 4, at, &g)) {
        Words c;
        Floats numbers;
        for (int l = 0; l < LANES; l++) {
            int from = l < g.n ? l : 0;
            c.w[0][l] = r->step;
            c.w[1][l] = r->data0 + (uint32_t)g.i[from];
            c.w[2][l] = (uint32_t)g.j[from];
            c.w[3][l] = (uint32_t)g.k[from];
        }
        four_of(r, &c, &numbers);
        for (int l = 0; l < g.n; l++) {
            int64_t base = g.i[l] * r->s_data + g.j[l] * r->s_draw, k0 = 4 * g.k[l];
            int n = r->n_inst - k0 < 4 ? (int)(r->n_inst - k0) : 4;
            for (int q = 0; q < n; q++) put(out, f64, base + (k0 + q) * r->s_inst, numbers.v[q][l]);
        }
    }
}

static float param_at(const av_random *r, int p, bool f64, int64_t i, int64_t j, int64_t k) {
    int64_t at = i * r->p_data[p] + j * r->p_draw[p];
    for (int32_t d = r->n_dims; d-- > 0;) {
        at += k % r->dim[d] * r->p_dim[p][d];
        k /= r->dim[d];
    }
    return f64 ? (float)((const double *)r->param[p])[at] : ((const float *)r->param[p])[at];
}

static void fill_tried(const av_random *r, void *out, bool f64) {
    const uint32_t key[2] = {r->key[0], r->key[1] ^ r->site};
    int64_t at[3] = {0, 0, 0};
    Group g;
    while (next_group(r, r->n_inst, at, &g)) {
        float param[2][LANES], value[LANES];
        int32_t accepted[LANES];
        for (int l = 0; l < LANES; l++) {
            for (int p = 0; p < 2; p++)
                param[p][l] =
                    l < g.n && r->param[p] ? param_at(r, p, f64, g.i[l], g.j[l], g.k[l]) : 1.0f;
            accepted[l] = l >= g.n;
            value[l] = 1.0f;
        }
        bool all = false;
        for (uint32_t retry = 0; !all && retry < MAX_RETRIES; retry++) {
            Words c;
            for (int l = 0; l < LANES; l++) {
                int from = l < g.n ? l : 0;
                c.w[0][l] = r->step;
                c.w[1][l] = r->data0 + (uint32_t)g.i[from];
                c.w[2][l] = retry << DRAW_BITS | (uint32_t)g.j[from];
                c.w[3][l] = (uint32_t)g.k[from];
            }
            if (r->kind == AV_GAMMA)
                try_gammas(key, &c, param[0], value, accepted);
            else
                try_counts(r->kind, key, &c, param, value, accepted);
            all = true;
            for (int l = 0; l < LANES; l++) all = all && accepted[l];
        }
        for (int l = 0; l < g.n; l++) {
            int64_t to = g.i[l] * r->s_data + g.j[l] * r->s_draw + g.k[l] * r->s_inst;
            /* a shape that is no positive number has no law: say so where it will be seen */
            bool law = r->kind != AV_GAMMA || (param[0][l] > 0.0f && param[0][l] < INFINITY);
            put(out, f64, to, law ? value[l] : NAN);
        }
    }
}

static void copy_replacement(const av_random *r, void *out, bool f64) {
    const float *from32 = r->replace;
    const double *from64 = r->replace;
    int64_t n = 0;
    for (int64_t i = 0; i < r->n_data; i++)
        for (int64_t j = 0; j < r->n_draw; j++)
            for (int64_t k = 0; k < r->n_inst; k++, n++) {
                int64_t to = i * r->s_data + j * r->s_draw + k * r->s_inst;
                if (f64)
                    ((double *)out)[to] = from64[n];
                else
                    ((float *)out)[to] = from32[n];
            }
}

static void fill(const av_random *r, void *out, bool f64) {
    if (r->n_data <= 0 || r->n_draw <= 0 || r->n_inst <= 0) return;
    if (r->replace)
        copy_replacement(r, out, f64);
    else if (r->kind == AV_GAMMA || r->kind == AV_POISSON || r->kind == AV_BINOMIAL)
        fill_tried(r, out, f64);
    else if (r->kind != AV_GIVEN)
        fill_in_fours(r, out, f64);
}

void av_fill_f32(const av_random *r, float *out) {
    fill(r, out, false);
}

void av_fill_f64(const av_random *r, double *out) {
    fill(r, out, true);
}
