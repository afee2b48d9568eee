/* check.h -- is a trained model any good? The parts of the command `check`.
 *
 * Data sets are simulated with their latents, the guide answers each, and the true latents are
 * looked up in the answers. Where q(z | x) is the posterior, the rank of a true latent among L
 * independent draws is uniform on 0..L, a 90 % interval holds it 9 times in 10, and
 * z = (truth - mean) / sd has mean 0 and mean square 1, all averaged over data sets.
 * [Talts, Betancourt, Simpson, Vehtari & Gelman 2018; Modrak et al. 2023]
 *
 *     RtCalibration *c = rt_calibration_new(mem, "mu", size, entries, true);
 *     for each data set {
 *         for (k = 0; k < size; k++) rt_calibration_scalar(c, k, truth, column, L, random);
 *         rt_calibration_end_set(c);
 *     }
 *     RtCalibrated result = rt_calibration_judge(c, L); */
#ifndef ADAVIC_RT_CHECK_H
#define ADAVIC_RT_CHECK_H

#include "runtime/session.h"

enum { RT_BINS = 20 };

/* look: outside of a threshold by no more than chance explains, or in a way that may be right. */
typedef enum { RT_GOOD, RT_LOOK, RT_BAD } RtVerdict;
const char *rt_verdict_name(RtVerdict v);

/* ---- calibration.c ---- */

/* Running mean and sum of squared deviations. */
typedef struct RtMoments {
    int64_t n;
    double mean, squares;
} RtMoments;
void rt_moments_add(RtMoments *m, double x);
double rt_moments_se(const RtMoments *m); /* of the mean; NaN below 2 */

/* One latent over all data sets. Its instances and entries are pooled; those of one data set
 * depend on each other, so standard errors are between data sets, and the test of ranks takes one
 * scalar, picked at random, from each. */
typedef struct RtCalibration {
    const char *name;
    int64_t size, entries; /* scalars per data set; of one plate instance */
    bool latent;           /* false: a log density, judged by ranks and coverage alone */
    int64_t ranks[RT_BINS], picked[RT_BINS];
    RtMoments covered, z, z2; /* of data sets' averages */
    RtMoments *prior;         /* by scalar: true values */
    RtMoments *posterior;     /* by scalar: variances */
    int64_t not_finite;       /* data sets with a truth or a draw that is not finite */
    struct {
        int64_t n, valid;
        double covered, z, z2;
        int bin;
        bool not_finite;
    } now; /* the data set at hand */
} RtCalibration;
RtCalibration *rt_calibration_new(RtMem *mem, const char *name, int64_t size, int64_t entries,
                                  bool latent);
/* n draws of scalar k and its true value; `random` breaks ties and picks the scalar to test. */
void rt_calibration_scalar(RtCalibration *c, int64_t k, double truth, const double *draws,
                           int64_t n, const uint32_t random[2]);
void rt_calibration_end_set(RtCalibration *c);

typedef struct RtCalibrated {
    double chi_square; /* 19 degrees of freedom; NaN: too few data sets */
    double coverage, coverage_se, z_mean, z_mean_se, z_rms, z_rms_se;
    double contraction; /* 1 - mean posterior variance / prior variance; NaN: not a latent */
    RtVerdict verdict;
    int n_reasons;
    char reasons[6][120];
} RtCalibrated;
RtCalibrated rt_calibration_judge(const RtCalibration *c, int64_t n_draws);
/* Adds a reason; the verdict can only get worse. */
__attribute__((format(printf, 3, 4))) void rt_calibrated_add(RtCalibrated *r, RtVerdict v,
                                                             const char *format, ...);
/* Below this contraction a posterior is as wide as the prior. */
double rt_least_contraction(void);

/* ---- gradient.c ---- */

/* The log density's gradient, as compiled, against differences of the log density. */
typedef struct RtGradient {
    double *error;     /* by variable, relative to the derivative's rms; NaN: not a latent */
    bool *judged;      /* false: rounding hides the difference */
    int worst;         /* variable, or -1 */
    double tolerance;  /* of `error` */
    RtVerdict verdict; /* bad: some latent is beyond it */
} RtGradient;
/* At n_sets data sets `d` and n_draws draws of each ([set, draw, plates, dims] by variable, the
 * model's real type). */
RtGradient rt_gradient_test(RtSession *s, const RtData *d, int64_t n_sets, const void *const *draws,
                            int64_t n_draws);

/* ---- exact.c ---- */

/* The guide beside the exact posterior, where that is Gaussian. */
typedef struct RtExact {
    bool applies;        /* it is, in all data sets looked at */
    RtMoments *z2;       /* by variable, over instances: ((guide's mean - exact) / exact sd)^2 */
    RtMoments *sd_ratio; /* likewise: guide's sd / exact sd */
    RtMoments gap;       /* nats: log evidence - ELBO, over data sets */
    double rounding;     /* of the gap */
    bool overstated;     /* the ELBO is above the evidence by more than chance and rounding */
    int worst;           /* variable */
    RtVerdict verdict;
} RtExact;
/* On data sets 0 .. n_sets - 1 of `d`. */
RtExact rt_exact_test(RtSession *s, const RtData *d, int64_t n_sets);

/* ---- check_report.c ---- */

typedef struct RtChecked {
    int64_t n_sets, n_draws;
    int n_rows;
    RtCalibration **rows; /* latents, then log densities */
    RtCalibrated *results;
    bool has_gradient;
    RtGradient gradient;
    RtExact exact;
    RtMoments ess, elbo, gap, log_q; /* over data sets; gap: log evidence - ELBO, a lower bound */
    int64_t above;                   /* data sets whose k-hat is above its limit */
    RtVerdict importance, overall;
    const char *summary; /* the overall verdict in a sentence */
} RtChecked;
void rt_checked_show(const RtSession *s, const RtChecked *c);
void rt_checked_json(const RtSession *s, const RtChecked *c);

/* ---- check_plot.c: as an SVG file ---- */
bool rt_checked_plot(const RtSession *s, const RtChecked *c, const char *path, RtError *error);

#endif
