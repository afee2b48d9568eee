/* calibration.c -- ranks, coverage, z-scores and contraction of one latent (see check.h), and what
 * they say.
 *
 * A value outside its band by no more than two standard errors is worth a look, farther out it is
 * bad: with 1,000 data sets an exact posterior is called bad less than once in 10,000 rows. */
#include "runtime/check.h"

#include <math.h>
#include <stdarg.h>

static const struct {
    double level;       /* of the intervals */
    double coverage[2]; /* bands: what a learned posterior may deviate */
    double z_mean, z_rms[2];
    double chi_square;           /* of 19 degrees of freedom: exceeded once in 10,000 times */
    double uneven;               /* rms deviation of the ranks' bins that is bad */
    int64_t least_sets;          /* for the test of ranks */
    double contraction, widened; /* below: as wide as the prior, wider than the prior */
    double not_finite;           /* share of data sets that is bad */
} limits = {.level = 0.9,
            .coverage = {0.87, 0.93},
            .z_mean = 0.1,
            .z_rms = {0.9, 1.1},
            .chi_square = 50.8,
            .uneven = 0.2,
            .least_sets = 100,
            .contraction = 0.02,
            .widened = -0.1,
            .not_finite = 0.01};

const char *rt_verdict_name(RtVerdict v) {
    static const char *const names[] = {"good", "look", "bad"};
    return names[v];
}

double rt_least_contraction(void) {
    return limits.contraction;
}

void rt_moments_add(RtMoments *m, double x) {
    double d = x - m->mean;
    m->n++;
    m->mean += d / (double)m->n;
    m->squares += d * (x - m->mean);
}

static double variance(const RtMoments *m) {
    return m->n > 1 ? m->squares / (double)(m->n - 1) : NAN;
}

double rt_moments_se(const RtMoments *m) {
    return sqrt(variance(m) / (double)m->n);
}

RtCalibration *rt_calibration_new(RtMem *mem, const char *name, int64_t size, int64_t entries,
                                  bool latent) {
    RtCalibration *c = rt_alloc(mem, 1, sizeof *c);
    c->name = name;
    c->size = size;
    c->entries = entries;
    c->latent = latent;
    c->prior = rt_alloc(mem, size, sizeof *c->prior);
    c->posterior = rt_alloc(mem, size, sizeof *c->posterior);
    c->now.bin = -1;
    return c;
}

void rt_calibration_scalar(RtCalibration *c, int64_t k, double truth, const double *draws,
                           int64_t n, const uint32_t random[2]) {
    RtMoments m = {0};
    int64_t less = 0, equal = 0;
    for (int64_t j = 0; j < n; j++) {
        rt_moments_add(&m, draws[j]);
        less += draws[j] < truth;
        equal += draws[j] == truth;
    }
    double var = variance(&m);
    bool fixed = equal == n; /* a constant entry, such as a 0 above a diagonal */
    c->now.n++;
    if (fixed) return;
    if (!isfinite(truth) || !isfinite(var) || var <= 0) {
        c->now.not_finite = true;
        return;
    }
    int64_t rank = less + (int64_t)((uint64_t)random[0] * (uint64_t)(equal + 1) >> 32);
    int bin = (int)(rank * RT_BINS / (n + 1));
    /* Each valid scalar takes the place of the earlier ones with probability 1 / their number. */
    c->now.valid++;
    if ((uint64_t)random[1] * (uint64_t)c->now.valid >> 32 == 0) c->now.bin = bin;
    c->ranks[bin]++;
    double tail = (1 - limits.level) / 2, at = ((double)rank + 0.5) / (double)(n + 1);
    c->now.covered += at > tail && at < 1 - tail;
    /* For n normal draws of the posterior the mean square of (truth - mean) / sd is `excess`. */
    double l = (double)n, excess = n > 3 ? (1 + 1 / l) * (l - 1) / (l - 3) : 1;
    double z = (truth - m.mean) / sqrt(var * excess);
    c->now.z += z;
    c->now.z2 += z * z;
    rt_moments_add(&c->prior[k], truth);
    rt_moments_add(&c->posterior[k], var);
}

void rt_calibration_end_set(RtCalibration *c) {
    double n = (double)c->now.valid;
    if (c->now.valid) {
        rt_moments_add(&c->covered, c->now.covered / n);
        rt_moments_add(&c->z, c->now.z / n);
        rt_moments_add(&c->z2, c->now.z2 / n);
        c->picked[c->now.bin]++;
    }
    c->not_finite += c->now.not_finite;
    c->now.n = c->now.valid = 0;
    c->now.covered = c->now.z = c->now.z2 = 0;
    c->now.bin = -1;
    c->now.not_finite = false;
}

static double chi_square(const RtCalibration *c) {
    int64_t n = 0;
    double sum = 0;
    for (int i = 0; i < RT_BINS; i++) n += c->picked[i];
    if (n < limits.least_sets) return NAN;
    double expected = (double)n / RT_BINS;
    for (int i = 0; i < RT_BINS; i++) {
        double d = (double)c->picked[i] - expected;
        sum += d * d / expected;
    }
    return sum;
}

/* Entries of an event may have different scales: the mean of their contractions. */
static double contraction(const RtCalibration *c) {
    double sum = 0;
    int64_t n = 0;
    if (!c->latent) return NAN;
    for (int64_t e = 0; e < c->entries; e++) {
        double prior = 0, posterior = 0;
        for (int64_t k = e; k < c->size; k += c->entries) {
            if (c->prior[k].n < 2) continue;
            prior += variance(&c->prior[k]);
            posterior += c->posterior[k].mean;
        }
        if (!(prior > 0)) continue;
        sum += 1 - posterior / prior;
        n++;
    }
    return n ? sum / (double)n : NAN;
}

void rt_calibrated_add(RtCalibrated *r, RtVerdict v, const char *format, ...) {
    const int room = sizeof r->reasons / sizeof *r->reasons;
    if (v > r->verdict) r->verdict = v;
    if (r->n_reasons == room) return;
    va_list args;
    va_start(args, format);
    vsnprintf(r->reasons[r->n_reasons++], sizeof *r->reasons, format, args);
    va_end(args);
}

static void judge_band(RtCalibrated *r, const char *what, double x, double se, double lo, double hi,
                       const char *below, const char *above) {
    double out = x < lo ? lo - x : x - hi;
    if (out <= 0) return;
    rt_calibrated_add(r, out <= 2 * se ? RT_LOOK : RT_BAD, "%s %.4f, not in %.2f to %.2f: %s", what,
                      x, lo, hi, x < lo ? below : above);
}

static void judge_ranks(RtCalibrated *r, int64_t sets) {
    if (!(r->chi_square > limits.chi_square)) return;
    double uneven = sqrt((r->chi_square - (RT_BINS - 1)) / (double)sets);
    rt_calibrated_add(r, uneven > limits.uneven ? RT_BAD : RT_LOOK,
                      "ranks uneven: chi-square %.0f (limit %.1f), bins off by %.0f %%",
                      r->chi_square, limits.chi_square, 100 * uneven);
}

/* Log densities have long tails, of which a mean square says little: they have no judged z. */
static void judge_z(RtCalibrated *r) {
    judge_band(r, "z mean", r->z_mean, r->z_mean_se, -limits.z_mean, limits.z_mean,
               "means too high", "means too low");
    judge_band(r, "z rms", r->z_rms, r->z_rms_se, limits.z_rms[0], limits.z_rms[1],
               "not sure enough", "too sure");
}

RtCalibrated rt_calibration_judge(const RtCalibration *c, int64_t n_draws) {
    RtCalibrated r = {.chi_square = chi_square(c),
                      .coverage = c->covered.mean,
                      .coverage_se = rt_moments_se(&c->covered),
                      .z_mean = c->z.mean,
                      .z_mean_se = rt_moments_se(&c->z),
                      .z_rms = sqrt(c->z2.mean),
                      .contraction = contraction(c)};
    r.z_rms_se = rt_moments_se(&c->z2) / (2 * r.z_rms);
    int64_t seen = c->covered.n;
    if (c->not_finite)
        rt_calibrated_add(
            &r, (double)c->not_finite > limits.not_finite * (double)(seen + 1) ? RT_BAD : RT_LOOK,
            "%lld data sets with draws that are not finite or all equal", (long long)c->not_finite);
    if (seen < 2 || n_draws < RT_BINS - 1) return r;
    judge_band(&r, "coverage", r.coverage, r.coverage_se, limits.coverage[0], limits.coverage[1],
               c->latent ? "too sure" : "the truth is too often outside",
               c->latent ? "not sure enough" : "the truth is too often inside");
    if (c->latent) judge_z(&r);
    judge_ranks(&r, seen);
    if (r.contraction < limits.widened)
        rt_calibrated_add(&r, RT_BAD, "contraction %.2f: wider than the prior", r.contraction);
    else if (r.contraction < limits.contraction)
        rt_calibrated_add(&r, RT_LOOK, "contraction %.3f: as wide as the prior", r.contraction);
    return r;
}
