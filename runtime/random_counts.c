/* random_counts.c -- see random_counts.h.
 *
 * Below a mean of 10 by inversion: the number of probabilities, added up from 0 on, that a uniform
 * number of 53 bits exceeds. From there on by transformed rejection (Hoermann, "The transformed
 * rejection method for generating Poisson random variables", 1993; the binomial: "The generation of
 * binomial random variates", 1993), which accepts more than three tries of four.
 *
 * Every operation is one IEEE double operation: contraction is off, and log, exp and floor are
 * written here, so that every build draws the same numbers. */
#include "runtime/vectorised.h"

#include "runtime/random_counts.h"

#include <math.h> /* NAN */

static const double LOG_2 = 0.69314718055994530942;
static const double SMALL = 10; /* means below are found by inversion */
static const double LARGEST = 1e12;
enum { MOST = 200 }; /* that an inversion adds up: beyond lies less than 1e-150 */

typedef union Bits {
    uint64_t bits;
    double number;
} Bits;

/* Of a normal positive x: x = m 2^e with m in [1/sqrt 2, sqrt 2), log m = 2 atanh((m-1)/(m+1)). */
static double log_of(double x) {
    Bits u = {.number = x};
    uint64_t shifted = u.bits - 0x3fe6a09e667f3bcdull;
    int64_t e = (int64_t)shifted >> 52;
    u.bits = (shifted & 0x000fffffffffffffull) + 0x3fe6a09e667f3bcdull;
    double s = (u.number - 1) / (u.number + 1), z = s * s, sum = 0;
    for (int k = 21; k >= 3; k -= 2) sum = (sum + 1.0 / k) * z;
    return (double)e * LOG_2 + (2 * s + 2 * s * sum);
}

/* Of x in [-700, 0]: the Taylor series of x / 2^10, squared ten times. */
static double exp_of(double x) {
    double r = x * 0x1p-10, sum = 1;
    for (int k = 12; k >= 1; k--) sum = 1 + sum * r / k;
    for (int k = 0; k < 10; k++) sum *= sum;
    return sum;
}

/* Of |x| < 2^62. */
static double floor_of(double x) {
    double whole = (double)(int64_t)x;
    return whole > x ? whole - 1 : whole;
}

/* log k!, k >= 0 whole: Stirling's series from 10 on (Abramowitz and Stegun 6.1.41). */
static double log_factorial(double k) {
    double x = k + 1, below = 1;
    for (; x < 10; x += 1) below *= x;
    double r = 1 / x, z = r * r;
    double series =
        r * (1.0 / 12 - z * (1.0 / 360 - z * (1.0 / 1260 - z * (1.0 / 1680 - z / 1188))));
    return (x - 0.5) * log_of(x) - x + 0.91893853320467274178 + series - log_of(below);
}

/* Strictly inside (0, 1): the midpoints of 2^52 equal cells. */
static double unit_of(uint32_t high, uint32_t low) {
    uint64_t w = (uint64_t)high << 20 | low >> 12;
    return ((double)(int64_t)w + 0.5) * 0x1p-52;
}

/* The hat of both: where the point (u, v) of it lies, in units of a table mountain. */
typedef struct Hat {
    double a, b, centre, fast; /* fast: accepted unseen below it, away from the edges */
    double scale;
} Hat;

typedef struct Point {
    double k, us, v;
    bool inside; /* accepted unseen */
} Point;

static Point point_of(const uint32_t words[4], const Hat *hat) {
    double u = unit_of(words[0], words[1]) - 0.5;
    Point at = {.us = 0.5 - (u < 0 ? -u : u), .v = unit_of(words[2], words[3])};
    at.k = floor_of((2 * hat->a / at.us + hat->b) * u + hat->centre);
    at.inside = at.us >= 0.07 && at.v <= hat->fast;
    return at;
}

/* The log of the height of the point, against the law's log probability. */
static double height(const Point *at, const Hat *hat) {
    return log_of(at->v * hat->scale / (hat->a / (at->us * at->us) + hat->b));
}

bool av_try_poisson(const uint32_t words[4], double rate, double *value) {
    *value = NAN;
    if (!(rate >= 0 && rate <= LARGEST)) return true;
    if (rate < SMALL) {
        double u = unit_of(words[0], words[1]), p = exp_of(-rate), k = 0;
        for (; u > p && k < MOST; p *= rate / k) {
            u -= p;
            k += 1;
        }
        *value = k;
        return true;
    }
    double b = 0.931 + 2.53 * sqrt(rate);
    Hat hat = {.b = b,
               .a = -0.059 + 0.02483 * b,
               .centre = rate + 0.43,
               .fast = 0.9277 - 3.6224 / (b - 2),
               .scale = 1.1239 + 1.1328 / (b - 3.4)};
    Point at = point_of(words, &hat);
    *value = at.k;
    if (at.inside) return true;
    if (at.k < 0 || (at.us < 0.013 && at.v > at.us)) return false;
    return height(&at, &hat) <= at.k * log_of(rate) - rate - log_factorial(at.k);
}

/* p at most a half. */
static bool try_binomial(const uint32_t words[4], double n, double p, double *value) {
    double ratio = p / (1 - p);
    if (n * p < SMALL) {
        double u = unit_of(words[0], words[1]), mass = exp_of(n * log_of(1 - p)), k = 0;
        for (; u > mass && k < n && k < MOST; mass *= ratio * (n - k + 1) / k) {
            u -= mass;
            k += 1;
        }
        *value = k;
        return true;
    }
    double sd = sqrt(n * p * (1 - p)), b = 1.15 + 2.53 * sd, mode = floor_of((n + 1) * p);
    Hat hat = {.b = b,
               .a = -0.0873 + 0.0248 * b + 0.01 * p,
               .centre = n * p + 0.5,
               .fast = 0.92 - 4.2 / b,
               .scale = (2.83 + 5.1 / b) * sd};
    Point at = point_of(words, &hat);
    *value = at.k;
    if (at.k < 0 || at.k > n) return false;
    if (at.inside) return true;
    double log_mass = log_factorial(mode) + log_factorial(n - mode) - log_factorial(at.k) -
                      log_factorial(n - at.k) + (at.k - mode) * log_of(ratio);
    return height(&at, &hat) <= log_mass;
}

bool av_try_binomial(const uint32_t words[4], double n, double p, double *value) {
    *value = NAN;
    if (!(n >= 0 && n <= LARGEST && n == floor_of(n) && p >= 0 && p <= 1)) return true;
    *value = 0;
    if (n == 0 || p == 0) return true;
    if (p <= 0.5) return try_binomial(words, n, p, value);
    if (p == 1) {
        *value = n;
        return true;
    }
    bool accepted = try_binomial(words, n, 1 - p, value);
    *value = n - *value;
    return accepted;
}
