/* elementary_normal.c -- the normal distribution's functions as loop instructions: see
 * elementary.c.
 *
 * All but inv_Phi rest on M(t) = exp(t^2 / 2) Phi(-t), t >= 0 (Mills' ratio over sqrt(2 pi)), which
 * falls from 1/2 as 1 / (t sqrt(2 pi)): no exponential in it, so neither under- nor overflow.
 * (1 + t) M(t) is smooth on the whole half line and a polynomial in (t - 4) / (t + 4), after
 * Shepherd and Laframboise, Chebyshev approximation of (1 + 2x) exp(x^2) erfc x, 1981.
 *
 * Accuracy over the whole range: f32 within 4 ulp, log_Phi and inv_mills within 5; f64 within
 * 1e-13. Polynomials are interpolated at Chebyshev nodes, below 9e-9 (f32) and 2e-15 (f64) off
 * relatively.
 */
#include "opt/expand.h"

#include <math.h>

/* (1 + t) M(t) over u = (t - 4) / (t + 4) */
static const double mills_single[] = {
    0.47205320254091311,    -0.096703476193751901,  0.013999921194931591,   0.028600282327336167,
    -0.032201222414798712,  0.017937061011845959,   -0.0049875489363662887, -0.00028982386138657622,
    0.00066480090354772976, -8.5991756194217916e-5, -5.8016470960412023e-5, 1.3089655024523746e-5,
};
static const double mills_double[] = {
    0.47205320650984466,    -0.096703477326525784,   0.013999634724430356,
    0.028600364053552738,   -0.032197837428310201,   0.017936097479507641,
    -0.0050023785871165235, -0.00028562309443218612, 0.00069489706976127108,
    -9.4430288886016370e-5, -8.7853006715051949e-5,  2.1250241889757067e-5,
    1.3626321688909284e-5,  -3.4328382916146515e-6,  -2.6118583075793178e-6,
    4.0580524875156295e-7,  5.5078876830896965e-7,   -2.2103572445430463e-10,
    -1.1023376811602899e-7, -1.8643150877103822e-8,  1.7446821834780390e-8,
    5.7583857020788577e-9,  -1.5463815545201714e-9,  -7.2554606958517679e-10,
};

static int mills(LoopCode *c, int t) {
    t = pick(c, less(c, K(c, 1e30), t), K(c, 1e30), t);
    int u = quo(c, sub(c, t, K(c, 4)), add(c, t, K(c, 4)));
    int y = wide(c) ? horner(c, u, mills_double, LENGTH(mills_double))
                    : horner(c, u, mills_single, LENGTH(mills_single));
    return quo(c, y, add(c, t, K(c, 1)));
}

/* exp(-s t^2), t >= 0, s a power of two: t^2 in two words, since exp multiplies their error. */
static int gauss(LoopCode *c, int t, double s) {
    double end = wide(c) ? 40 : 16; /* vanishes from here on, for s = 1/2 */
    t = pick(c, less(c, K(c, end), t), K(c, end), t);
    int high = mul(c, t, t), low = fused(c, t, t, neg(c, high));
    int x = mul(c, high, K(c, -s)), y = expand_exp(c, &x);
    return fused(c, y, mul(c, low, K(c, -s)), y);
}

int expand_Phi(LoopCode *c, const int *args) {
    int x = args[0], t = mag(c, x);
    int tail = mul(c, gauss(c, t, 0.5), mills(c, t));
    return pick(c, less(c, x, K(c, 0)), tail, sub(c, K(c, 1), tail));
}

/* Below 0: log M(t) - t^2 / 2; above: log(1 - tail), with what rounding 1 - tail lost. One
 * logarithm serves both. */
int expand_log_Phi(LoopCode *c, const int *args) {
    int x = args[0], t = mag(c, x), below = less(c, x, K(c, 0)), m = mills(c, t);
    int tail = mul(c, gauss(c, t, 0.5), m), rest = sub(c, K(c, 1), tail);
    int argument = pick(c, below, m, rest), y = expand_log(c, &argument);
    int lost = quo(c, add(c, tail, sub(c, rest, K(c, 1))), rest);
    return pick(c, below, fused(c, t, mul(c, t, K(c, -0.5)), y), sub(c, y, lost));
}

/* phi(x) / Phi(x): below 0 1 / (sqrt(2 pi) M(t)), which is t to the last digit far out. */
int expand_inv_mills(LoopCode *c, const int *args) {
    int x = args[0], t = mag(c, x), one = K(c, 1), below = less(c, x, K(c, 0));
    int m = mills(c, t), e = gauss(c, t, 0.5);
    int over = pick(c, below, one, e), under = pick(c, below, m, sub(c, one, mul(c, e, m)));
    int y = mul(c, quo(c, over, under), K(c, 0.39894228040143268));
    return pick(c, less(c, x, K(c, -1e9)), t, y);
}

/* erf(x) / x over x^2, |x| <= 1; beyond, 1 - 2 Phi(-sqrt(2) |x|) */
int expand_erf(LoopCode *c, const int *args) {
    static const double single[] = {
        1.1283791658483509,    -0.37612626666720331,  0.11283594715160218,
        -0.026854212010626412, 0.0051890874234339740, -0.00080168642871658695,
        7.8758750626854883e-5,
    };
    static const double twofold[] = {
        1.1283791670955126,     -0.37612638903183748,   0.11283791670954879,
        -0.026866170645076793,  0.0052239776248180145,  -0.00085483269808337899,
        0.00012055331111642711, -1.4925595266831182e-5, 1.6461000484121368e-6,
        -1.6350312701054695e-7, 1.4659775274047436e-8,  -1.1372848856791674e-9,
        5.9571761477489114e-11,
    };
    int x = args[0], t = mag(c, x), z = mul(c, x, x);
    int near =
        wide(c) ? horner(c, z, twofold, LENGTH(twofold)) : horner(c, z, single, LENGTH(single));
    int m = mills(c, mul(c, t, K(c, M_SQRT2)));
    int far = sub(c, K(c, 1), mul(c, gauss(c, t, 1), add(c, m, m)));
    far = pick(c, less(c, x, K(c, 0)), neg(c, far), far);
    return pick(c, less(c, K(c, 1), t), far, mul(c, x, near));
}

/* ---- the quantile ---- */

/* inv_Phi(1/2 + d) / d over d^2, |d| <= 0.35 */
static const double centre_single[] = {
    2.5066282729290978,  2.6249377632748283, 5.7717952682802961,  15.743091492376101,
    43.164858817971743,  261.99531386326194, -1435.6366810057739, 21495.076068610933,
    -107943.55469346617, 319027.56946259382,
};
static const double centre_double[] = {
    2.5066282746310006, 2.6249349909532426,  5.7725335390941345, 15.667608776953231,
    47.035825389132742, 149.82510794723759,  496.65742012522234, 1667.9084529908896,
    6784.3227361770212, -7281.3448454411520, 725057.15666365164, -11224320.084195431,
    155494930.60808064, -1568659168.0472206, 11936048516.232256, -65403102273.961914,
    246884474491.84797, -574227514917.77775, 636373141034.31630,
};

/* -inv_Phi(q) / r, r = sqrt(-2 log q), q <= 0.15, over w = (s r - o) / (r + k) in [-1, 1]; down to
 * the smallest normal q */
static const double tail_single[] = {
    0.86571053681419485,    0.18956163496860018,   -0.098967718590869792,   0.031383985949610608,
    -0.0097779162353925069, 0.0028071194318621360, -0.00083527814235876486, 0.00022739505619316800,
    -6.7094198022468530e-5, 2.2601153817228230e-5, -7.2390630652591802e-6,
};
static const double tail_double[] = {
    0.93169933625207065,     0.13960574558148742,     -0.11823922017658626,
    0.068176826406674943,    -0.036680400739893383,   0.018664368520281274,
    -0.0093540202269027394,  0.0045878646381505392,   -0.0022458699430011890,
    0.0010844661679447869,   -0.00052535627748265412, 0.00025129279613651929,
    -0.00012108140702801805, 5.7394677258194602e-5,   -2.7815341330530012e-5,
    1.3290752815961637e-5,   -5.9626789722414941e-6,  2.5116449051028514e-6,
    -2.0104253243154000e-6,  1.1328033223411451e-6,   3.5653717677856153e-7,
    -2.0013713680676887e-7,  -5.9856568049709414e-7,  1.7316245843443722e-7,
    2.2381898262405083e-7,   -1.7164255953205254e-8,  -5.7489625647706908e-8,
};

static int upper_tail(LoopCode *c, int q) {
    int r = loop_emit(c, LOOP_sqrt, mul(c, expand_log(c, &q), K(c, -2)), 0, 0);
    double s = wide(c) ? 1.32367 : 1.695513, o = wide(c) ? 8.526045 : 7.25032;
    int w = quo(c, fused(c, r, K(c, s), K(c, -o)), add(c, r, K(c, wide(c) ? 4 : 2)));
    int y = wide(c) ? horner(c, w, tail_double, LENGTH(tail_double))
                    : horner(c, w, tail_single, LENGTH(tail_single));
    int outside = pick(c, less(c, q, K(c, 0)), K(c, NAN), K(c, INFINITY));
    return pick(c, less(c, q, K(c, least_normal(c))), outside, mul(c, r, y));
}

/* From the nearer end: 1 - p is exact for p >= 1/2. -inf and inf at 0 and 1, nan outside. */
int expand_inv_Phi(LoopCode *c, const int *args) {
    int p = args[0], half = K(c, 0.5), d = sub(c, p, half), w = mul(c, d, d);
    int centre = wide(c) ? horner(c, w, centre_double, LENGTH(centre_double))
                         : horner(c, w, centre_single, LENGTH(centre_single));
    int above = less(c, half, p);
    int z = upper_tail(c, pick(c, above, sub(c, K(c, 1), p), p));
    z = pick(c, above, z, neg(c, z));
    return pick(c, less(c, K(c, 0.35), mag(c, d)), z, mul(c, d, centre));
}
