/* objectives.h -- the programs of training, one per column `program` of runtime/objectives.def,
 * those at given latents, and what they are built from. Private to dual/. */
#ifndef ADAVIC_DUAL_OBJECTIVES_H
#define ADAVIC_DUAL_OBJECTIVES_H

#include "dual/internal.h"
#include "runtime/objective.h"

/* ---- programs.c ---- */
/* Prior draws of every variable into b->value. `settable`: contexts may be given instead. */
void simulate_all(Build *b, bool settable);
/* The same, heavy tails of latents cut. */
void simulate_for_training(Build *b);
/* Contexts, observed variables and covariates as inputs; latents, with ROLE_LATENT by draw. */
void input_data(Build *b);
/* All variables of a kind as inputs of that name; latents have an axis of draws. */
void input_all(Build *b, VarKind kind, IrRole role);
void output_value(Build *b, const char *name, const Val *val, const Plate *plate, bool with_draw);
/* Latents, if wanted, and quantities as outputs. */
void output_draws(Build *b, bool latents);
/* From here on what is added by add_local counts. */
void want_local(Build *b);
/* Given what is outside all plates, are the latents in instances of `plate` independent of each
 * other, in model and guide? */
bool is_independent(const Build *b, const Plate *plate);
/* Log densities of all variables of `kind` at their values, summed over instances: [data, draw]. */
IrValue log_density(Build *b, VarKind kind);

/* ---- density.c: program `density` ---- */
/* Is it of use? Where components may be exchanged, in not too many orders, and log q of given
 * latents can be had. */
bool density_serves(Build *b);
void build_density(Build *b);

/* ---- sequential.c: programs `atomic`, `observe` ---- */
/* Can data be drawn given the latents alone? False after a report. */
bool sequential_served(Diags *diags, const Model *model);
void build_atomic(Build *b);
void build_observe(Build *b);

/* ---- objectives.c: outputs loss, set_loss ---- */
/* log q, [data, draw], of the latents that b->value holds, given the rest of it; encodes that, and
 * says how (`encoding` may be NULL). */
IrValue log_q_of_values(Build *b, Encoding **encoding);
/* Is the loss of `step` that of `annealed`, so that training may begin with it? Where the guide
 * starts far from the posterior, without the exact path. */
bool step_anneals(const DualOptions *options);
/* The loss of each data set, [data]; their mean is the loss. */
void output_set_loss(Build *b, IrValue set_loss);
void build_step(Build *b);
void build_map(Build *b);
void build_path(Build *b);
void build_annealed(Build *b);
void build_forward(Build *b);
void build_consistency(Build *b);

#endif
