/* objectives.h -- the programs of training, one per column `program` of runtime/objectives.def, and
 * what they are built from. Private to dual/. */
#ifndef ADAVIC_DUAL_OBJECTIVES_H
#define ADAVIC_DUAL_OBJECTIVES_H

#include "dual/internal.h"
#include "runtime/objective.h"

/* ---- programs.c ---- */
/* Prior draws of every variable into b->value. `settable`: contexts may be given instead. */
void simulate_all(Build *b, bool settable);
/* The same, heavy tails of latents cut. */
void simulate_for_training(Build *b);
/* Log densities of all variables of `kind` at their values, summed over instances: [data, draw]. */
IrValue log_density(Build *b, VarKind kind);

/* ---- objectives.c: outputs loss, set_loss ---- */
/* Is the loss of `step` that of `annealed`, so that training may begin with it? Where the guide
 * starts far from the posterior, without the exact path. */
bool step_anneals(const DualOptions *options);
void build_step(Build *b);
void build_map(Build *b);
void build_path(Build *b);
void build_annealed(Build *b);
void build_forward(Build *b);
void build_consistency(Build *b);

#endif
