/* training.h -- what training is made of: sizes of plates, statistics, validation, the optimiser, a
 * step. Part of session.h. */
#ifndef ADAVIC_TRAINING_H
#define ADAVIC_TRAINING_H

#include "runtime/session.h"

/* ---- sizes.c ---- */
enum {
    RT_GRID = 3,       /* sizes that validation looks at, where they vary */
    RT_SIZE_BLOCK = 16 /* data sets that share sizes in training */
};
bool rt_sizes_vary(const RtModel *m, const RtState *state);
/* Of one block of a step; `sizes` has room for the largest. */
void rt_sizes_draw(const RtModel *m, const RtState *state, uint32_t seed, uint32_t step,
                   uint32_t block, RtSizes *sizes);
/* Cuts ragged plates of the state's sizes: evenly where `given` (or NULL) says so, else as they are
 * in training, always alike. Sizes of crosses follow, and their ranges. */
void rt_sizes_usual(RtMem *mem, const RtModel *m, RtState *state, const bool *given);
/* What memory is for. */
RtSizes rt_sizes_largest(RtMem *mem, const RtModel *m, const RtState *state);
/* The least, the default and the largest sizes, or the one there is; returns how many. */
int rt_sizes_grid(RtMem *mem, const RtModel *m, const RtState *state, RtSizes grid[RT_GRID]);
/* How many numbers the latents of one data set are. */
double rt_latent_numbers(const RtModel *m, const RtSizes *sizes);
const char *rt_range_text(RtMem *mem, int64_t lo, int64_t hi); /* "3", "2..60" */

/* ---- validate.c ---- */
typedef struct RtValidation RtValidation;
/* All memory. */
RtValidation *rt_validation_new(RtSession *s, int64_t sets, int64_t draws);
/* Draws its data sets: once, before the first rt_validate. */
void rt_validation_simulate(RtValidation *v);
/* The ELBO in nats per data set; where sizes vary, the mean over a grid of sizes of the ELBO per
 * latent number. */
double rt_validate(RtValidation *v);
const char *rt_validation_unit(bool vary);
/* `"validation": [{"sizes": {...}, "elbo": nats per data set}, ...]` of the last rt_validate. */
void rt_validation_json(const RtValidation *v, RtBytes *out);

/* ---- stats.c: fills the state's statistics from draws of program `prepare` ---- */
bool rt_stats(RtSession *s, RtError *error);

/* ---- preview.c: quantiles of prior predictive draws, shown before training ---- */
void rt_preview(RtSession *s, RtProgress *p);

/* ---- adam.c ---- */
typedef struct RtAdam RtAdam;
/* gradient[w]: of weight w, read by every step. */
RtAdam *rt_adam_new(RtMem *mem, const RtModel *m, RtPool *pool, RtState *state,
                    double *const *gradient);
/* The norm of the whole gradient; not finite if any entry is not. */
double rt_adam_norm(RtAdam *a);
/* Step number t >= 1; the gradient times `scale`. */
void rt_adam_step(RtAdam *a, double scale, double rate, int64_t t, double averaging);

/* ---- step.c: a training step's program and memory ---- */
typedef struct RtStep {
    const char *program;
    bool vary; /* plate sizes do, from block to block */
    RtCall *call;
    RtBinding *inputs;
    RtAdam *adam;
    const double *loss;
    const void *set_loss; /* [data] */
    double **gradient;    /* by weight */
} RtStep;
/* For state->sets, at sizes up to state->hi: all memory. `program`: of objectives.def. Moments are
 * the state's, so that steps of several programs go on from each other. */
RtStep rt_step_new(RtSession *s, RtState *state, const char *program, int64_t draws);
/* The same in two parts, for a program with inputs to be bound between them. */
RtStep rt_step_open(RtSession *s, RtState *state, const char *program, int64_t draws);
void rt_step_ready(RtSession *s, RtState *state, RtStep *step);
/* The learning rate as a share of its peak after the warm-up: held for RT_HOLD of the horizon, then
 * half a cosine down to a hundredth. */
double rt_decay(int64_t step, int64_t horizon);
/* The factor that shortens the gradient of update number `updates` >= 1, where it is an outlier.
 * Typical norms (*log_norm: their running logarithm) are learned in the first steps, never before.
 */
double rt_clip(double *log_norm, int64_t updates, double norm);

#endif
