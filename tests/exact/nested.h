/* nested.h -- exact posteriors of Gaussian effects in nested, balanced groups whose scales are
 * unknown: given the scales everything is Gaussian, and these are integrated on a grid. In double,
 * and written without anything of adavic's own log densities.
 *
 *     u_0 ~ N(mean, sd^2)    u_k ~ N(u_(k-1), s_k^2), k = 1 .. levels - 1    s_k ~
 * half-normal(scale_k) y ~ N(u_(levels-1), s_levels^2)
 *
 * An instance of level k - 1 holds size_k instances of level k; the observations are the last
 * level.
 */
#ifndef ADAVIC_NESTED_H
#define ADAVIC_NESTED_H

enum { NESTED_LEVELS = 4 };

typedef struct NestedEffects {
    int levels; /* observations included */
    double mean, sd;
    struct {
        int size;
        double scale;
    } level[NESTED_LEVELS]; /* level[k - 1]: u_k, and s_k */
} NestedEffects;

typedef struct NestedPosterior {
    double log_evidence;
    double scale_mean[NESTED_LEVELS], scale_variance[NESTED_LEVELS]; /* of s_(k+1) */
    double *mean[NESTED_LEVELS], *variance[NESTED_LEVELS]; /* of u_k, by instance; k < levels */
} NestedPosterior;

/* Instances of level k. */
int nested_instances(const NestedEffects *model, int k);
/* y: all observations, outermost group first. Free with nested_free. */
NestedPosterior nested_posterior(const NestedEffects *model, const double *y);
void nested_free(NestedPosterior *posterior);

#endif
