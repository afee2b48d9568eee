/* total.h -- family total-flow: values of latents, all instances, along one flat axis (total.c).
 * Private to dual/. */
#ifndef ADAVIC_DUAL_TOTAL_H
#define ADAVIC_DUAL_TOTAL_H

#include "dual/internal.h"

/* Unconstrained numbers of the latent in all its instances. */
int64_t total_size(const Var *latent);
/* The unconstrained value, or what is one per number of it, along `flat` from `start` on; and
 * back. */
IrValue total_gather(Build *b, const Var *latent, Val val, AxisId flat, int64_t start);
Val total_scatter(Build *b, const Var *latent, IrValue v, AxisId flat, int64_t start);
/* Does the plate have its declared size alone? */
bool total_fixes(const Model *model, const Plate *plate);
/* false after a report: sizes are not settled. */
bool total_served(Diags *diags, const Model *model);

#endif
