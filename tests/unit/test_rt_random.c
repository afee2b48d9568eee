/* The random numbers: Philox against its published vectors, the laws of the base draws against
 * their moments and cells (fixed seeds; each statistic is a z-score or chi-square whose chance of a
 * false alarm is 1e-6 or less under the null), and independence from layout and chunking. */
#include "check.h"
#include "runtime/random.h"

#include <stdlib.h>
#include <string.h>

static void philox_vectors(void) {
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (int i = 0; i < 3; i++) {
        uint32_t out[4];
        av_philox(known[i].key, known[i].counter, out);
        CHECK(!memcmp(out, known[i].out, sizeof out), "vector %d gives %08x %08x %08x %08x", i,
              out[0], out[1], out[2], out[3]);
    }
}

static av_random dense(int kind, int64_t n_data, int64_t n_draw, int64_t n_inst) {
    return (av_random){.key = {7, 3},
                       .step = 11,
                       .data0 = 5,
                       .site = 0x9e3779b9,
                       .kind = kind,
                       .n_data = n_data,
                       .n_draw = n_draw,
                       .n_inst = n_inst,
                       .s_data = n_draw * n_inst,
                       .s_draw = n_inst,
                       .s_inst = 1};
}

/* The vector code places counters as documented: uniform numbers from av_philox itself. */
static void counters_are_as_documented(void) {
    av_random r = dense(AV_UNIFORM, 3, 5, 7);
    float out[3 * 5 * 7];
    av_fill_f32(&r, out);
    for (uint32_t i = 0, n = 0; i < 3; i++)
        for (uint32_t j = 0; j < 5; j++)
            for (uint32_t k = 0; k < 7; k++, n++) {
                uint32_t key[2] = {7, 3 ^ 0x9e3779b9}, counter[4] = {11, 5 + i, j, k / 4}, w[4];
                av_philox(key, counter, w);
                float want = ((float)(w[k % 4] >> 9) + 0.5f) * 0x1p-23f;
                CHECK(out[n] == want, "(%u, %u, %u): %.9g, not %.9g", i, j, k, (double)out[n],
                      (double)want);
            }
}

enum { DRAWS = 400000 };

/* z-scores of the mean and of the variance (by the law's fourth central moment); |z| > 5 happens
 * 6e-7 of the time. */
static void moments(const float *x, double mean, double var, double fourth, const char *what) {
    double m = 0, v = 0;
    for (int i = 0; i < DRAWS; i++) {
        double d = x[i] - mean;
        m += d;
        v += d * d;
    }
    double z1 = m / sqrt(DRAWS * var), z2 = (v - DRAWS * var) / sqrt(DRAWS * (fourth - var * var));
    CHECK(fabs(z1) < 5, "%s: the mean is off by z = %.2f", what, z1);
    CHECK(fabs(z2) < 5, "%s: the variance is off by z = %.2f", what, z2);
}

/* Probabilities of 20 equal cells of u = cdf(x): chi-square with 19 degrees exceeds 70 with chance
 * 1e-7. */
static void cells(const float *x, double (*cdf)(double), const char *what) {
    double count[20] = {0}, chi = 0;
    for (int i = 0; i < DRAWS; i++) {
        int c = (int)(20 * cdf(x[i]));
        count[c < 0 ? 0 : c > 19 ? 19 : c]++;
    }
    for (int c = 0; c < 20; c++) chi += (count[c] - DRAWS / 20.0) * (count[c] - DRAWS / 20.0);
    chi /= DRAWS / 20.0;
    CHECK(chi < 70, "%s: chi-square of 20 cells is %.1f", what, chi);
}

static double normal_cdf(double x) {
    return 0.5 * erfc(-x / sqrt(2));
}
static double uniform_cdf(double x) {
    return x;
}
static double exponential_cdf(double x) {
    return 1 - exp(-x);
}
static double gamma2_cdf(double x) {
    return 1 - exp(-x) * (1 + x);
}
static double gamma_half_cdf(double x) {
    return erf(sqrt(x));
}

static float *draw(int kind) {
    av_random r = dense(kind, 100, 400, DRAWS / 40000);
    float *x = malloc(DRAWS * sizeof *x);
    av_fill_f32(&r, x);
    return x;
}

static void laws_of_base_draws(void) {
    float *x = draw(AV_NORMAL);
    moments(x, 0, 1, 3, "normal");
    cells(x, normal_cdf, "normal");
    double pair = 0, next = 0;
    for (int i = 0; i + 1 < DRAWS; i += 2) pair += (double)x[i] * x[i + 1];
    for (int i = 0; i + 10 < DRAWS; i++) next += (double)x[i] * x[i + 10];
    CHECK(fabs(pair / sqrt(DRAWS / 2.0)) < 5, "normal: neighbours correlate");
    CHECK(fabs(next / sqrt(DRAWS)) < 5, "normal: draws correlate");
    free(x);
    x = draw(AV_UNIFORM);
    moments(x, 0.5, 1.0 / 12, 1.0 / 80, "uniform");
    cells(x, uniform_cdf, "uniform");
    for (int i = 0; i < DRAWS; i++)
        if (!CHECK(x[i] > 0 && x[i] < 1, "uniform gives %g", (double)x[i])) break;
    free(x);
    x = draw(AV_EXPONENTIAL);
    moments(x, 1, 1, 9, "exponential");
    cells(x, exponential_cdf, "exponential");
    free(x);
}

static void laws_of_gamma(void) {
    static const float shapes[] = {0.05f, 0.5f, 1, 2, 7.5f, 300};
    float *x = malloc(DRAWS * sizeof *x);
    for (int s = 0; s < 6; s++) {
        av_random r = dense(AV_GAMMA, 100, 400, DRAWS / 40000);
        r.param[0] = &shapes[s];
        r.n_dims = 1;
        r.dim[0] = r.n_inst;
        av_fill_f32(&r, x);
        double a = shapes[s];
        char what[32];
        snprintf(what, sizeof what, "gamma(%g)", a);
        moments(x, a, a, 3 * a * a + 6 * a, what);
        if (a == 0.5) cells(x, gamma_half_cdf, what);
        if (a == 1) cells(x, exponential_cdf, what);
        if (a == 2) cells(x, gamma2_cdf, what);
    }
    free(x);
}

/* ---- whole numbers ---- */

static double log_poisson(double rate, double unused, double k) {
    (void)unused;
    return k * log(rate) - rate - lgamma(k + 1);
}

static double log_binomial(double n, double p, double k) {
    if (k > n) return -INFINITY;
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log1p(-p);
}

/* Up to 20 cells of whole numbers, each of at least a 25th of the probability. */
static void whole_cells(const float *x, double (*log_mass)(double, double, double), double a,
                        double b, double mean, double sd, const char *what) {
    double chi = 0, mass = 0;
    int n_cells = 0;
    int64_t from = 0, last = (int64_t)(mean + 12 * sd) + 40;
    for (int64_t k = 0; k <= last; k++) {
        mass += exp(log_mass(a, b, (double)k));
        bool end = k == last;
        if (!end && mass < 0.04) continue;
        double count = 0;
        for (int i = 0; i < DRAWS; i++) count += x[i] >= (float)from && x[i] <= (float)k;
        if (mass * DRAWS > 5)
            chi += (count - mass * DRAWS) * (count - mass * DRAWS) / (mass * DRAWS);
        n_cells++;
        from = k + 1;
        mass = 0;
    }
    /* 26 cells at most: 25 degrees of freedom exceed 79 with chance 1e-7 */
    CHECK(n_cells <= 26 && chi < 79, "%s: chi-square of %d cells is %.1f", what, n_cells, chi);
}

static void check_whole(int kind, float a, float b) {
    float *x = malloc(DRAWS * sizeof *x);
    av_random r = dense(kind, 100, 400, DRAWS / 40000);
    r.param[0] = &a;
    r.param[1] = &b;
    r.n_dims = 1;
    r.dim[0] = r.n_inst;
    av_fill_f32(&r, x);
    bool poisson = kind == AV_POISSON;
    double p = b, mean = poisson ? a : a * p, var = poisson ? a : a * p * (1 - p);
    double fourth = poisson ? var * (1 + 3 * var) : var * (1 + 3 * var - 6 * p * (1 - p));
    char what[60];
    snprintf(what, sizeof what, "%s(%g, %g)", poisson ? "poisson" : "binomial", (double)a, p);
    moments(x, mean, var, fourth, what);
    whole_cells(x, poisson ? log_poisson : log_binomial, a, b, mean, sqrt(var), what);
    for (int i = 0; i < DRAWS; i++)
        if (!CHECK(x[i] >= 0 && x[i] == floorf(x[i]) && (poisson || x[i] <= a), "%s gives %g", what,
                   (double)x[i]))
            break;
    free(x);
}

/* On both sides of the mean at which the method changes, and far out. */
static void laws_of_whole_numbers(void) {
    static const float rates[] = {0.01f, 0.7f, 4, 9.99f, 10, 31, 400, 20000};
    static const float trials[][2] = {{1, 0.3f},    {5, 0.5f},   {12, 0.9f},   {40, 0.24f},
                                      {40, 0.26f},  {60, 0.5f},  {500, 0.01f}, {500, 0.97f},
                                      {3000, 0.6f}, {1e5f, 0.1f}};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) check_whole(AV_POISSON, rates[i], 0);
    for (size_t i = 0; i < sizeof trials / sizeof *trials; i++)
        check_whole(AV_BINOMIAL, trials[i][0], trials[i][1]);
}

/* What is certain is certain; what has no law is NaN. */
static void edges_of_whole_numbers(void) {
    static const struct {
        int kind;
        float a, b, wanted;
    } cases[] = {
        {AV_POISSON, 0, 0, 0},        {AV_POISSON, -1, 0, NAN},       {AV_POISSON, NAN, 0, NAN},
        {AV_POISSON, 2e12f, 0, NAN},  {AV_BINOMIAL, 0, 0.5f, 0},      {AV_BINOMIAL, 30, 0, 0},
        {AV_BINOMIAL, 30, 1, 30},     {AV_BINOMIAL, 2.5f, 0.5f, NAN}, {AV_BINOMIAL, 30, 1.1f, NAN},
        {AV_BINOMIAL, -3, 0.5f, NAN}, {AV_BINOMIAL, 30, NAN, NAN}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        av_random r = dense(cases[c].kind, 1, 1, 4);
        float x[4];
        r.param[0] = &cases[c].a;
        r.param[1] = &cases[c].b;
        av_fill_f32(&r, x);
        for (int i = 0; i < 4; i++)
            CHECK(isnan(cases[c].wanted) ? isnan(x[i]) : x[i] == cases[c].wanted,
                  "kind %d of %g and %g gives %g", cases[c].kind, (double)cases[c].a,
                  (double)cases[c].b, (double)x[i]);
    }
}

/* Shapes that vary over every axis are read at the right places; no law for a shape that is not
 * positive. */
static void gamma_shapes_by_position(void) {
    enum { I = 2, J = 3, A = 2, B = 2 };
    double shape[I * J * B], x[I * J * A * B];
    for (int i = 0; i < I * J * B; i++) shape[i] = 1e4 * (i + 1);
    shape[0] = -1;
    av_random r = dense(AV_GAMMA, I, J, A * B);
    r.param[0] = shape;
    r.p_data[0] = J * B;
    r.p_draw[0] = B;
    r.n_dims = 2;
    r.dim[0] = A, r.dim[1] = B;
    r.p_dim[0][1] = 1;
    av_fill_f64(&r, x);
    for (int n = 0; n < I * J * A * B; n++) {
        double want = shape[n / (A * B) * B + n % B];
        if (want < 0)
            CHECK(isnan(x[n]), "shape -1 gives %g", x[n]);
        else
            CHECK_NEAR(x[n] / want, 1, 0.06, "draw over shape");
    }
}

/* Any chunk of data sets, any strides, either type: the same numbers. Replacements are copied. */
static void layout_does_not_matter(void) {
    enum { I = 4, J = 3, K = 6, N = I * J * K };
    for (int kind = AV_NORMAL; kind < AV_GIVEN; kind++) {
        float shape = kind == AV_BINOMIAL ? 40 : 1.3f, p = 0.4f, whole[N], part[N], mixed[N];
        double wide[N], shape64 = shape, p64 = p;
        av_random r = dense(kind, I, J, K);
        r.param[0] = &shape;
        r.param[1] = &p;
        av_fill_f32(&r, whole);
        av_random chunk = dense(kind, 2, J, K);
        chunk.param[0] = &shape;
        chunk.param[1] = &p;
        av_fill_f32(&chunk, part);
        chunk.data0 += 2;
        av_fill_f32(&chunk, part + 2 * J * K);
        CHECK(!memcmp(whole, part, sizeof whole), "kind %d differs between chunks", kind);
        r.s_data = 1, r.s_inst = I, r.s_draw = I * K;
        av_fill_f32(&r, mixed);
        av_random in_double = dense(kind, I, J, K);
        in_double.param[0] = &shape64;
        in_double.param[1] = &p64;
        av_fill_f64(&in_double, wide);
        for (int i = 0; i < I; i++)
            for (int j = 0; j < J; j++)
                for (int k = 0; k < K; k++) {
                    int at = (i * J + j) * K + k;
                    CHECK(mixed[i + I * (k + K * j)] == whole[at], "kind %d: strides", kind);
                    CHECK(wide[at] == (double)whole[at], "kind %d: f64 is not f32 widened", kind);
                }
        r.replace = whole;
        av_fill_f32(&r, mixed);
        CHECK(mixed[1] == whole[J * K], "kind %d: replacement", kind);
    }
}

static void sites_purposes_and_steps_differ(void) {
    float base[64], other[64];
    av_random r = dense(AV_NORMAL, 2, 4, 8);
    av_fill_f32(&r, base);
    for (int change = 0; change < 4; change++) {
        av_random s = r;
        if (change == 0) s.site++;
        if (change == 1) s.key[0]++;
        if (change == 2) s.key[1] ^= 1;
        if (change == 3) s.step++;
        av_fill_f32(&s, other);
        int same = 0;
        for (int i = 0; i < 64; i++) same += base[i] == other[i];
        CHECK(same < 2, "change %d leaves %d of 64 numbers", change, same);
    }
}

/* Our polynomials against libm, through the draws: the same words in double. */
static void normals_are_accurate(void) {
    av_random r = dense(AV_NORMAL, 50, 20, 40);
    float *x = malloc(40000 * sizeof *x);
    av_fill_f32(&r, x);
    double worst = 0;
    for (uint32_t n = 0; n < 40000; n += 2) {
        uint32_t key[2] = {7, 3 ^ 0x9e3779b9}, w[4];
        uint32_t counter[4] = {11, 5 + n / 800, n / 40 % 20, n % 40 / 4};
        av_philox(key, counter, w);
        uint32_t a = w[n % 4], b = w[n % 4 + 1];
        double radius = sqrt(-2 * log((a + 0.5) * 0x1p-32)), angle = 2 * M_PI * (b * 0x1p-32);
        double e0 = fabs(x[n] - radius * cos(angle)), e1 = fabs(x[n + 1] - radius * sin(angle));
        worst = fmax(worst, fmax(e0, e1));
    }
    /* near radius 0 the float32 square root of a rounded log limits it */
    CHECK(worst < 2e-5, "largest error %.2g", worst);
    free(x);
}

int main(void) {
    RUN(philox_vectors);
    RUN(counters_are_as_documented);
    RUN(laws_of_base_draws);
    RUN(laws_of_gamma);
    RUN(gamma_shapes_by_position);
    RUN(laws_of_whole_numbers);
    RUN(edges_of_whole_numbers);
    RUN(layout_does_not_matter);
    RUN(sites_purposes_and_steps_differ);
    RUN(normals_are_accurate);
    return check_done();
}
