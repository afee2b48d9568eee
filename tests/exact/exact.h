/* exact.h -- log evidences in closed form, in double, written without anything of adavic's own log
 * densities: what the ELBO of a compiled model is measured against.
 *
 * Data are one data set's numbers as the model stores them: row-major, plates outermost first, then
 * event.
 */
#ifndef ADAVIC_EXACT_H
#define ADAVIC_EXACT_H

/* Gaussian random effects: mu ~ N(0, s_mu^2), mu_g ~ N(mu, s_g^2), x_gn ~ N(mu_g, s_x^2), each for
 * D independent dimensions. x: [groups][obs][dims]. */
typedef struct GaussianEffects {
    int groups, obs, dims;
    double s_mu, s_g, s_x;
} GaussianEffects;
double exact_gaussian_effects(const GaussianEffects *model, const double *x);

/* The same with s_mu, s_g and s_x unknown: half-normal, of the scales that `model` holds. A sum
 * over a grid of their logarithms, to about 1e-4. */
double exact_unknown_scales(const GaussianEffects *model, const double *x);

/* a_d ~ Gamma(1, rate), b_nd ~ Laplace(a_d, scale). The joint density is piecewise exponential in
 * a, so the evidence is a sum over the intervals between sorted observations. b: [obs][dims]. */
typedef struct LaplaceShift {
    int obs, dims;
    double rate, scale;
} LaplaceShift;
double exact_laplace_shift(const LaplaceShift *model, const double *b);

#endif
