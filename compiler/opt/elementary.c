/* elementary.c -- point-wise operations as loop instructions: one per primitive, polynomials for
 * exp, log and their kin. Both back ends run the same expansions, for scalars and vectors alike.
 *
 * Accuracy, over the whole range unless said: f32 exp and log within 2 ulp, the others within 4
 * (lgamma and digamma relative to max(1, |y|) away from the zeros of lgamma); f64 within 1e-13.
 * The normal distribution's functions stand in elementary_normal.c, Bessel's in
 * elementary_bessel.c.
 * Denormal results and operands may count as zero. No instruction here raises a flag that matters,
 * calls a library, or branches.
 *
 * Tools used throughout:
 * - rounding to integers: adding 1.5 * 2^p puts the integer into the low bits of the sum;
 * - 2^n: by shifting n + bias into the exponent;
 * - log(1 + f) = f - s (f - R), s = f / (2 + f), R = s^2 (2/3 + 2/5 s^2 + ...), from 2 atanh(s);
 * - products of constants: split in a high and a low part, both applied by fma.
 * Coefficients are Taylor's or exact rationals, but for exp in f32 (interpolated at Chebyshev
 * nodes).
 */
#include "opt/expand.h"

#include <math.h>

/* ---- exponentials ---- */

enum { EXP_TERMS = 14 };

/* (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2 */
static int exp_rest(LoopCode *c, int r) {
    static const double single[] = {0.5, 0.16666577025598256, 0.04166655466205161,
                                    0.008363173074465885, 0.0013926176119797445};
    if (!wide(c)) return horner(c, r, single, LENGTH(single));
    double k[EXP_TERMS - 2], factorial = 1;
    for (int i = 2; i < EXP_TERMS; i++) k[i - 2] = 1 / (factorial *= i);
    return horner(c, r, k, EXP_TERMS - 2);
}

/* x = n ln 2 + r, with *n whole; `*shifted` has it in its lowest bits. */
static int exp_reduce(LoopCode *c, int x, int *whole, int *shifted) {
    *shifted = fused(c, x, K(c, M_LOG2E), K(c, magic(c)));
    int n = *whole = sub(c, *shifted, K(c, magic(c)));
    double high = wide(c) ? M_LN2 : (double)(float)M_LN2;
    double low = wide(c) ? 2.3190468138462996e-17 : -1.904654299957768e-09;
    int r = fused(c, n, K(c, -high), x);
    return fused(c, n, K(c, -low), r);
}

static int power_of_two(LoopCode *c, int n_bits) {
    return unbits(
        c, loop_shift(c, LOOP_ishl, iadd(c, n_bits, one_bits(c) >> mantissa(c)), mantissa(c)));
}

int expand_exp(LoopCode *c, const int *args) {
    /* within these 2^n overflows to infinity, or vanishes, as two factors */
    int x = wide(c) ? clamp(c, args[0], -760, 720) : clamp(c, args[0], -110, 95);
    int n, shifted, r = exp_reduce(c, x, &n, &shifted);
    int y = fused(c, r, fused(c, r, exp_rest(c, r), K(c, 1)), K(c, 1));
    return loop_emit(c, LOOP_scale, y, n, 0);
}

int expand_expm1(LoopCode *c, const int *args) {
    int x = wide(c) ? clamp(c, args[0], -60, 710) : clamp(c, args[0], -25, 89);
    int whole, shifted, r = exp_reduce(c, x, &whole, &shifted);
    int n = iadd(c, bits(c, shifted), -magic_bits(c));
    int q = fused(c, mul(c, r, r), exp_rest(c, r), r);
    /* 2^n q + 2^n - 1, as twice its half: 2^(n-1) does not overflow before the result does */
    int t = power_of_two(c, iadd(c, n, -1));
    int y = fused(c, t, q, sub(c, t, K(c, 0.5)));
    return add(c, y, y);
}

/* ---- logarithms ---- */

enum { MAX_ATANH_TERMS = 18 };

/* s^2 (2/3 + 2/5 s^2 + 2/7 s^4 + ...) */
static int atanh_rest(LoopCode *c, int s, int terms) {
    double k[MAX_ATANH_TERMS];
    for (int i = 0; i < terms; i++) k[i] = 2.0 / (2 * i + 3);
    int z = mul(c, s, s);
    return mul(c, z, horner(c, z, k, terms));
}

/* x = 2^e (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), for positive normal x. */
static int log_reduce(LoopCode *c, int x, int *e) {
    int64_t root = wide(c) ? INT64_C(0x3fe6a09e667f3bcd) : INT64_C(0x3f3504f3);
    int whole = bits(c, x);
    int n = loop_shift(c, LOOP_ishr, iadd(c, whole, -root), mantissa(c));
    *e = sub(c, unbits(c, iadd(c, n, magic_bits(c))), K(c, magic(c)));
    int m = loop_emit(c, LOOP_isub, whole, loop_shift(c, LOOP_ishl, n, mantissa(c)), 0);
    return sub(c, unbits(c, m), K(c, 1));
}

/* -inf at 0 (and denormals), nan below, x at infinity and nan, else y */
static int log_edges(LoopCode *c, int x, int y) {
    int outside = pick(c, less(c, x, K(c, 0)), K(c, NAN), K(c, -INFINITY));
    y = pick(c, less(c, x, K(c, least_normal(c))), outside, y);
    return pick(c, less(c, x, K(c, INFINITY)), y, x);
}

int expand_log(LoopCode *c, const int *args) {
    int e, f = log_reduce(c, args[0], &e);
    int s = quo(c, f, add(c, f, K(c, 2)));
    int rest = atanh_rest(c, s, wide(c) ? 11 : 5);
    double high = wide(c) ? M_LN2 : (double)(float)M_LN2;
    double low = wide(c) ? 2.3190468138462996e-17 : -1.904654299957768e-09;
    int t = mul(c, s, sub(c, f, rest));
    t = fused(c, e, K(c, -low), t);
    int y = fused(c, e, K(c, high), sub(c, f, t));
    return log_edges(c, args[0], y);
}

int expand_log1p(LoopCode *c, const int *args) {
    int x = args[0], u = add(c, x, K(c, 1));
    int y = expand_log(c, &u);
    /* what rounding 1 + x lost */
    int lost = quo(c, sub(c, x, sub(c, u, K(c, 1))), u);
    int inside = both(c, less(c, K(c, 0), u), less(c, u, K(c, INFINITY)));
    return pick(c, inside, add(c, y, lost), y);
}

/* log(1 - e^x), x <= 0: of -expm1(x) near 0, of 1 - e^x with what rounding it lost further out. */
static int expand_log1m_exp(LoopCode *c, const int *args) {
    int x = args[0], near = less(c, K(c, -M_LN2), x), e = expand_exp(c, &x);
    int rest = sub(c, K(c, 1), e), small = neg(c, expand_expm1(c, &x));
    int argument = pick(c, near, small, rest), y = expand_log(c, &argument);
    int lost = quo(c, add(c, e, sub(c, rest, K(c, 1))), rest);
    return pick(c, near, y, sub(c, y, lost));
}

/* log(1 + e) for 0 <= e <= 1 */
static int log1p_unit(LoopCode *c, int e) {
    int s = quo(c, e, add(c, e, K(c, 2)));
    int rest = atanh_rest(c, s, wide(c) ? 16 : 8);
    return sub(c, e, mul(c, s, sub(c, e, rest)));
}

static int expand_softplus(LoopCode *c, const int *args) {
    int e = neg(c, mag(c, args[0]));
    e = expand_exp(c, &e);
    return add(c, loop_emit(c, LOOP_max, args[0], K(c, 0), 0), log1p_unit(c, e));
}

static int expand_logistic(LoopCode *c, const int *args) {
    int e = neg(c, args[0]);
    e = expand_exp(c, &e);
    return quo(c, K(c, 1), add(c, e, K(c, 1)));
}

static int expand_tanh(LoopCode *c, const int *args) {
    int x = args[0], t = mag(c, x);
    t = add(c, t, t);
    t = pick(c, less(c, K(c, 50), t), K(c, 50), t);
    t = expand_expm1(c, &t);
    int y = quo(c, t, add(c, t, K(c, 2)));
    return pick(c, less(c, x, K(c, 0)), neg(c, y), y);
}

/* a^b = e^(b log a), the logarithm in two words: b may multiply its error by hundreds. */
static int expand_pow(LoopCode *c, const int *args) {
    int a = args[0], b = args[1], e, f = log_reduce(c, a, &e);
    int den = add(c, f, K(c, 2));
    int den_low = sub(c, f, sub(c, den, K(c, 2)));
    int s = quo(c, f, den), minus = neg(c, s);
    int s_low = quo(c, fused(c, minus, den_low, fused(c, minus, den, f)), den);
    int rest = mul(c, s, atanh_rest(c, s, wide(c) ? 11 : 5));
    int low = fused(c, s_low, K(c, 2), rest), high = add(c, s, s);
    double ln2 = wide(c) ? 0.6931471805592082 : 0.693145751953125;
    double ln2_low = wide(c) ? 7.371002565167799e-13 : 1.4286068203094173e-06;
    int whole = mul(c, e, K(c, ln2)); /* exact: ln2 ends in zeros */
    int sum = add(c, whole, high);
    low = add(c, low, sub(c, high, sub(c, sum, whole)));
    low = fused(c, e, K(c, ln2_low), low);
    high = add(c, sum, low);
    low = sub(c, low, sub(c, high, sum));
    high = log_edges(c, a, high);
    int p = mul(c, b, high);
    int p_low = fused(c, b, low, fused(c, b, high, neg(c, p)));
    int y = expand_exp(c, &p);
    int finite = both(c, less(c, mag(c, p), K(c, INFINITY)), less(c, y, K(c, INFINITY)));
    y = pick(c, finite, fused(c, y, p_low, y), y);
    return pick(c, loop_emit(c, LOOP_eq, b, K(c, 0), 0), K(c, 1), y);
}

/* ---- circular functions: |x| <= 1e5 (f32), 1e9 (f64); beyond, nan ---- */

static int circular(LoopCode *c, int x, int quarter) {
    static const double single[] = {1.5707963705062866, -4.371138828673793e-08,
                                    -1.7151245100058819e-15};
    static const double twofold[] = {1.5707963267948966, 6.123233995736766e-17,
                                     -1.4973849048591698e-33};
    static const double sine[] = {-1.0 / 6,
                                  1.0 / 120,
                                  -1.0 / 5040,
                                  1.0 / 362880,
                                  -1.0 / 39916800,
                                  1.0 / 6227020800.0,
                                  -1.0 / 1307674368000.0,
                                  1.0 / 355687428096000.0};
    static const double cosine[] = {-1.0 / 2,
                                    1.0 / 24,
                                    -1.0 / 720,
                                    1.0 / 40320,
                                    -1.0 / 3628800,
                                    1.0 / 479001600,
                                    -1.0 / 87178291200.0,
                                    1.0 / 20922789888000.0,
                                    -1.0 / 6402373705728000.0};
    int shifted = fused(c, x, K(c, M_2_PI), K(c, magic(c)));
    int n = sub(c, shifted, K(c, magic(c))), r = x;
    for (int i = 0; i < 3; i++) r = fused(c, n, K(c, wide(c) ? -twofold[i] : -single[i]), r);
    int z = mul(c, r, r);
    int s = fused(c, mul(c, z, r), horner(c, z, sine, wide(c) ? 8 : 4), r);
    int k = fused(c, z, horner(c, z, cosine, wide(c) ? 9 : 5), K(c, 1));
    /* bit 0 of the quadrant exchanges sine and cosine, bit 1 changes the sign: as 1 or 2, 1 or -1
     */
    int quadrant = iadd(c, bits(c, shifted), quarter - magic_bits(c));
    int bit0 = loop_emit(c, LOOP_iand, quadrant, loop_integer(c, 1), 0);
    int bit1 = loop_emit(c, LOOP_iand, quadrant, loop_integer(c, 2), 0);
    int swap = unbits(c, iadd(c, loop_shift(c, LOOP_ishl, bit0, mantissa(c)), one_bits(c)));
    int sign = unbits(c, iadd(c, loop_shift(c, LOOP_ishl, bit1, wide(c) ? 62 : 30), one_bits(c)));
    int y = mul(c, sign, pick(c, less(c, K(c, 1.5), swap), k, s));
    return pick(c, less(c, mag(c, x), K(c, wide(c) ? 1e9 : 1e5)), y, K(c, NAN));
}

static int expand_sin(LoopCode *c, const int *args) {
    return circular(c, args[0], 0);
}

static int expand_cos(LoopCode *c, const int *args) {
    return circular(c, args[0], 1);
}

/* 1 or -1, of zeros too */
static int sign_of(LoopCode *c, int x) {
    int64_t top = wide(c) ? INT64_MIN : INT32_MIN;
    int sign = loop_emit(c, LOOP_iand, bits(c, x), loop_integer(c, top), 0);
    return unbits(c, iadd(c, sign, one_bits(c)));
}

/* The angle of (x, y), in (-pi, pi]: atan of the smaller over the larger of |x| and |y|, brought
 * below tan(pi / 8), is a polynomial in its square; the rest is bookkeeping. Zeros keep their signs
 * as in C. */
static int expand_atan2(LoopCode *c, const int *args) {
    static const double single[] = {
        0.99999999937122480,  -0.33333306892932429, 0.19998183034820704,
        -0.14239532553566966, 0.10569827940676421,  -0.060263029935534103,
    };
    static const double twofold[] = {
        1.0000000000000000,   -0.33333333333333121,  0.19999999999940891,  -0.14285714279250195,
        0.11111110744917155,  -0.090908968089916498, 0.076920453296022396, -0.066629517986817264,
        0.058468781872398391, -0.050351019544105226, 0.037965244538355789, -0.017805382891899698,
    };
    int y = args[0], x = args[1], zero = K(c, 0), one = K(c, 1);
    int ay = mag(c, y), ax = mag(c, x), steep = less(c, ax, ay);
    int small = pick(c, steep, ax, ay), large = pick(c, steep, ay, ax);
    int same = loop_emit(c, LOOP_eq, small, large, 0); /* two infinities, too */
    int diagonal = both(c, same, less(c, zero, small));
    int halved = less(c, mul(c, large, K(c, M_SQRT2 - 1)), small); /* minus 45 degrees */
    halved = loop_emit(c, LOOP_or, halved, diagonal, 0);
    int over = pick(c, halved, sub(c, small, large), small);
    int under = pick(c, halved, add(c, small, large), large);
    int a = quo(c, pick(c, same, zero, over), pick(c, same, one, under)), z = mul(c, a, a);
    int rest =
        wide(c) ? horner(c, z, twofold, LENGTH(twofold)) : horner(c, z, single, LENGTH(single));
    int angle = mul(c, a, rest);
    angle = pick(c, halved, add(c, angle, K(c, M_PI_4)), angle);
    angle = pick(c, steep, sub(c, K(c, M_PI_2), angle), angle);
    angle = pick(c, less(c, sign_of(c, x), zero), sub(c, K(c, M_PI), angle), angle);
    angle = mul(c, angle, sign_of(c, y));
    int numbers = both(c, loop_emit(c, LOOP_eq, x, x, 0), loop_emit(c, LOOP_eq, y, y, 0));
    return pick(c, numbers, angle, K(c, NAN));
}

/* ---- the gamma function ---- */

/* lgamma(2 + d) / d = 1 - gamma + sum over k >= 2 of (-1)^k (zeta(k) - 1) / k d^(k-1), |d| <= 1/2
 */
static const double lgamma_series[] = {
    4.22784335098467134e-01,  3.22467033424113203e-01,  -6.73523010531981020e-02,
    2.05808084277845464e-02,  -7.38555102867398568e-03, 2.89051033074152336e-03,
    -1.19275391170326102e-03, 5.09669524743042450e-04,  -2.23154758453579386e-04,
    9.94575127818085310e-05,  -4.49262367381331420e-05, 2.05072127756706911e-05,
    -9.43948827526839672e-06, 4.37486678990748817e-06,  -2.03921575380136619e-06,
    9.55141213040741935e-07,  -4.49246919876456619e-07, 2.12071848055546646e-07,
    -1.00432248239680991e-07, 4.76981016936398040e-08,  -2.27110946089431635e-08,
    1.08386592148969546e-08,  -5.18347504197004664e-09, 2.48367454380247848e-09,
    -1.19214014058609115e-09, 5.73136724167886225e-10,
};

/* Below 8: lgamma(y) by the series, y = x + k in [1.5, 2.5), corrected by the log of what the
 * recurrence multiplies; relative accuracy holds at both zeros. From 8: Stirling. One logarithm
 * serves both. */
static int expand_lgamma(LoopCode *c, const int *args) {
    static const double stirling[] = {1.0 / 12,    -1.0 / 360,        1.0 / 1260,
                                      -1.0 / 1680, 1.0 / 1188,        -691.0 / 360360.0,
                                      1.0 / 156,   -3617.0 / 122400.0};
    int x = args[0], one = K(c, 1);
    int d = sub(c, x, K(c, 2)), product = one;
    for (int i = 1; i <= 6; i++) {
        int above = less(c, K(c, 1.5 + i), x), shifted = sub(c, x, K(c, i));
        product = pick(c, above, mul(c, product, shifted), product);
        d = pick(c, above, sub(c, x, K(c, 2 + i)), d);
    }
    int below1 = less(c, x, K(c, 1.5)), below0 = less(c, x, K(c, 0.5));
    d = pick(c, below1, sub(c, x, one), d);
    d = pick(c, below0, x, d);
    product = pick(c, below1, x, product);
    product = pick(c, below0, mul(c, x, add(c, x, one)), product);
    int large = less(c, K(c, 8), x);
    int argument = pick(c, large, x, product), log_of = expand_log(c, &argument);
    int small = mul(c, d, horner(c, d, lgamma_series, wide(c) ? LENGTH(lgamma_series) : 14));
    small = pick(c, below1, sub(c, small, log_of), add(c, small, log_of));
    int inverse = quo(c, one, x), z = mul(c, inverse, inverse);
    int rest = mul(c, inverse, horner(c, z, stirling, wide(c) ? LENGTH(stirling) : 4));
    int y = fused(c, sub(c, x, K(c, 0.5)), sub(c, log_of, one),
                  add(c, K(c, 0.41893853320467274178), rest));
    return pick(c, large, y, small);
}

/* Shifted to 8 and above by the recurrence, two reciprocals at a time; then the asymptotic series.
 * The two largest reciprocals come last: what stands before them is small. */
static int expand_digamma(LoopCode *c, const int *args) {
    static const double series[] = {1.0 / 12,  -1.0 / 120,       1.0 / 252, -1.0 / 240,
                                    1.0 / 132, -691.0 / 32760.0, 1.0 / 12,  -3617.0 / 8160.0};
    int x = args[0], one = K(c, 1), pair[4];
    for (int i = 0; i < 4; i++) {
        int a = add(c, x, K(c, 2 * i)), b = add(c, x, K(c, 2 * i + 1));
        pair[i] = quo(c, add(c, a, b), mul(c, a, b));
    }
    int later = add(c, pair[1], add(c, pair[2], pair[3]));
    int small = less(c, x, K(c, 8));
    int y = pick(c, small, add(c, x, K(c, 8)), x);
    int inverse = quo(c, one, y), z = mul(c, inverse, inverse);
    int rest =
        fused(c, z, horner(c, z, series, wide(c) ? LENGTH(series) : 4), mul(c, inverse, K(c, 0.5)));
    int r = sub(c, expand_log(c, &y), rest);
    return pick(c, small, sub(c, sub(c, r, later), pair[0]), r);
}

/* ---- the simple ones ---- */

static int expand_sign(LoopCode *c, const int *args) {
    int zero = K(c, 0), a = args[0];
    return pick(c, less(c, zero, a), K(c, 1), pick(c, less(c, a, zero), K(c, -1), zero));
}

static int expand_square(LoopCode *c, const int *args) {
    return mul(c, args[0], args[0]);
}

static int expand_recip(LoopCode *c, const int *args) {
    return quo(c, K(c, 1), args[0]);
}

static int expand_relu(LoopCode *c, const int *args) {
    return loop_emit(c, LOOP_max, args[0], K(c, 0), 0);
}

static int expand_copy(LoopCode *c, const int *args) {
    (void)c;
    return args[0];
}

/* ---- the table: the `emission` column of ops.def ---- */

typedef struct Emission {
    LoopOp prim;
    int (*expand)(LoopCode *code, const int *args);
} Emission;

static const Emission emission[OP_COUNT] = {
#define PRIM(x) \
    { .prim = LOOP_##x }
#define EXPAND(x) \
    { .expand = expand_##x }
#define ONE(x) x
#define FREE(x) x
#define LOWER(x) \
    { .prim = LOOP_end }
#define OP(ENUM, text, arity, rule, value, derivative, emit, doc) [OP_##ENUM] = emit,
#include "ir/ops.def"
#undef OP
#undef PRIM
#undef EXPAND
#undef ONE
#undef FREE
#undef LOWER
};

static LoopType type_of(const LoopCode *c, int reg) {
    return c->nest->regs.data[reg].type;
}

static int as_real(LoopCode *c, int reg) {
    return type_of(c, reg) == LOOP_MASK ? pick(c, reg, K(c, 1), K(c, 0)) : reg;
}

static int as_mask(LoopCode *c, int reg) {
    if (type_of(c, reg) == LOOP_MASK) return reg;
    return loop_emit(c, LOOP_not, loop_emit(c, LOOP_eq, reg, K(c, 0), 0), 0, 0);
}

int loop_point(LoopCode *code, IrOpcode opcode, const int *args) {
    int in[3] = {0}, arity = ir_op_info[opcode].arity;
    bool masks = opcode == OP_AND || opcode == OP_OR || opcode == OP_NOT;
    for (int i = 0; i < arity; i++) {
        bool mask = masks || (opcode == OP_SELECT && i == 0);
        in[i] = mask                         ? as_mask(code, args[i])
                : opcode == OP_STOP_GRADIENT ? args[i]
                                             : as_real(code, args[i]);
    }
    const Emission *e = &emission[opcode];
    if (e->expand) return e->expand(code, in);
    if (e->prim == LOOP_end)
        internal_error("lower", "%s is not point-wise", ir_op_info[opcode].text);
    return loop_emit(code, e->prim, in[0], in[1], in[2]);
}
