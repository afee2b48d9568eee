/* laws.h -- what the law of a variable shows of itself, before any number is known: its location
 * and scale, its tails, its ends. Included by internal.h. */
#ifndef ADAVIC_DUAL_LAWS_H
#define ADAVIC_DUAL_LAWS_H

#include "dual/internal.h"

/* flow.c: do the ends of its support depend on other latents? */
bool bounded_by_latents(const Var *var);
/* ... or on covariates and contexts: prior draws then lie between ends of their own. */
bool has_varying_ends(const Var *var);
/* Position of the location parameter: sample = parameter + f(other parameters). -1: none. */
int location_param(const Distribution *dist);
/* The latent that is `var`'s location through identities, of the same event shape; or one number
 * that all entries of the observed `var` share; or NULL. */
const Var *location_of(const Var *var);
/* The latter: each entry of the event says the same of the location. */
bool repeats_location(const Var *var);
bool is_location_of(const Var *latent, const Var *observed);
/* The variable whose scale `latent` is: `observed` or one of the latents that are its location. */
const Var *scaled_by(const Var *latent, const Var *observed);

#endif
