/* guide.h -- from data to draws of the latents: the encoder, what each flow starts from, and the
 * flows. Part of internal.h. */
#ifndef ADAVIC_DUAL_GUIDE_H
#define ADAVIC_DUAL_GUIDE_H

#include "dual/internal.h"

/* ---- encoder.c ---- */
enum { MAX_LEVELS = 12, MAX_OBSERVED = 16, MAX_MOMENTS = 2 * MAX_OBSERVED };
/* What one instance, or the whole data set, shows of the variance of a level below: that of its
 * means about those of the level above, its degrees of freedom, and the squared error of the means
 * (IR_NONE at the last level, or where it is not known). */
typedef struct Spread {
    IrValue variance, freedom, se2;
} Spread;

/* The moments of one observed variable. Level 0 is the whole data set, level j its j-th plate from
 * outside. */
typedef struct Moments {
    const Var *observed; /* of a cross seen from its second plate, one that stands in it turned */
    bool turned;
    int n_levels; /* plates of the observed variable + 1; one more where the entries of its event
                     repeat one location: the event is the last level then */
    const Plate *plate[MAX_LEVELS]; /* NULL: the whole data set, or the event */
    Val centre, scale;    /* mean and rms of the whole data set, in the shape of its moments */
    Val mean[MAX_LEVELS]; /* of all that an instance holds */
    /* variance of this level's means about those of the level above, pooled over the data set, and
     * its degrees of freedom (levels > 0) */
    IrValue variance[MAX_LEVELS], freedom[MAX_LEVELS];
    /* squared standard error of `mean` about its location, pooled; IR_NONE at the last level */
    IrValue se2[MAX_LEVELS];
    /* the same of each instance, where they hold unequal numbers of cells; else se2 */
    IrValue own_se2[MAX_LEVELS];
    /* where cells may be missing, or groups be unequal (missing.h), else IR_NONE: the presence of
     * each cell, and by level, unless that is an event, whether there is anything of an instance */
    IrValue cells, present[MAX_LEVELS];
    IrValue several; /* likewise: has the data set two cells or more, and so a scale of its own? */
    /* by level > 0 and level below it: what each instance of the level shows of the other */
    Spread within[MAX_LEVELS][MAX_LEVELS];
} Moments;

/* The components of a mixture of which an observed variable is: mixture.c. */
enum { MAX_MIXTURES = 4 };
typedef struct Components {
    const Var *observed, *location, *label;
    /* over the instances of the location's plate: means of what each component is responsible for,
     * in the shape of the location; how much that is; and of how much in all */
    IrValue mean, count, total;
    IrValue variance, between; /* of observations about components, of those about their mean */
} Components;

typedef struct Encoding {
    int n_moments; /* of each observed variable one; two where it stands in a cross */
    Moments moments[MAX_MOMENTS];
    int n_components;
    Components components[MAX_MIXTURES];
    Blocks root;   /* what is known of the whole data set */
    Blocks *plate; /* by Plate.index: of an instance (n == 0: no data in it) */
    Blocks scale;  /* log rms of the observed variables: every flow needs the unit of its moments */
    Blocks context;    /* known inputs: every flow reads them, and covariates outside all plates */
    Blocks *given;     /* by Plate.index: covariates that stand in it */
    IrValue *in_units; /* by Var.index: a covariate in plates, in units of the data set */
} Encoding;

/* Are correlations of this observed variable's entries among its moments? On axis "pair.<n>". */
bool entries_correlate(const Var *observed);
/* Encodes the observed variables, which b->value holds; in program prepare only outputs raw
 * features. */
Encoding *encode(Build *b);
/* asinh of (v - median) / max(mad, floor) over prior draws: long tails stay in reach of the
 * networks, and what hardly varies from one data set to the next is not blown up. In program
 * prepare the raw feature becomes an output instead. */
IrValue standardise(Build *b, const char *name, IrValue v, IrValue floor, const AxisId *axes,
                    int n);
/* Is `plate` one of its levels? Of all plates outside the two of a cross, in one of the two views
 * alone. */
bool moments_reach(const Moments *m, const Plate *plate);
/* The first observed variable whose location `latent` is, through identities alone; or NULL. */
const Moments *moments_of(const Encoding *enc, const Var *latent);
/* The observed variable through whose chain of locations `latent` is the scale of one level, of
 * which each instance of the latent holds several means; *level gets it. NULL: there is none. */
const Moments *scale_moments_of(const Encoding *enc, const Var *latent, int *level);
/* What an instance of `latent` shows of that level. */
Spread spread_within(const Moments *m, const Var *latent, int level);

/* ---- mixture.c ---- */
/* Adds what is said of components, if the observed variable is a mixture of them; `normal`: its
 * values in units of the data set. */
void add_components(Build *b, Encoding *enc, const Moments *m, IrValue normal);

/* ---- start.c ---- */
#define DUAL_TINY 1e-30 /* keeps logarithms finite in float32 */
typedef struct Gaussian {
    Val centre, spread; /* unconstrained; spread is a standard deviation */
} Gaussian;
bool is_structured(const Build *b);
/* Can the arguments of `var` be computed from what was drawn before? The one at `but` (-1: none)
 * and latent `except` (NULL: none) are not asked for. Guides that are not structured know no
 * latent. */
bool arguments_known(const Build *b, const Var *var, int but, const Var *except);
/* Output of program prepare: the unconstrained prior draws of a latent whose link is of events. */
const char *free_name(Build *b, const Var *latent);
/* The unconstrained value of a latent. */
Val to_free(Build *b, const Var *latent, Val value);
/* What the affine map starts from where nothing is fused. */
Gaussian start_of(Build *b, const Encoding *enc, const Var *var);
/* The moment of the data that speaks of `var` most directly; false: there is none. */
bool moment_of(Build *b, const Encoding *enc, const Var *var, Gaussian *moment);

/* mixture.c: does it stand in the joint flow with the locations, after scales and others? */
bool is_located(const Build *b, const Var *latent);
/* mixture.c: the moment of a latent that components speak of; false: none do. */
bool mixture_moment(Build *b, const Encoding *enc, const Var *var, Gaussian *moment);

/* ---- newton.c: the mode and curvature of what is known of the targets of a component ---- */
typedef struct Component Component; /* component.h */
typedef struct Newton Newton;
/* NULL: their density has no second derivative. `found` (by Var.index, or NULL): the last
 * expansion of each latent whose data are reweighted; the next begins there. */
Newton *newton_start(Build *b, const Component *c, Newton **found);
enum { MAX_TRIAL_AXES = 2 };
typedef struct Axes {
    int n;
    AxisId axes[MAX_TRIAL_AXES];
} Axes;
/* log p(data that hang on the component | what is drawn), its latents integrated out, for each of
 * the trials of what is drawn: [data, trials]. Of reweighted data to second order about the mode,
 * one step from what was found. IR_NONE: it cannot be had by one step. */
IrValue newton_log_evidence(Build *b, const Component *c, Axes trials, Newton *const *found);
/* The start's centre, and what the flow's t becomes; t and v are over `flat`, the targets' entries
 * side by side. Adds the log-Jacobian. */
IrValue newton_centre(const Newton *start, AxisId flat);
IrValue newton_apply(const Newton *start, AxisId flat, IrValue t, IrValue *log_det);
/* What the tie of the target's instances starts from (flow.c), over its flat axis: how much wider
 * than each of them they are in one direction, log; and that direction, of unit length over the
 * instances. IR_NONE both: nothing ties them. */
typedef struct FlowTie {
    IrValue more, along;
} FlowTie;
FlowTie newton_tie(const Newton *start);
/* The way back, t of v. Adds the same log-Jacobian. */
IrValue newton_undo(const Newton *start, AxisId flat, IrValue v, IrValue *log_det);

/* ---- scales.c: what the joint flow's bounded latents start from ---- */
/* Centre and spread of the marginal posterior of `n` latents, side by side over `flat` from
 * `start[i]` on; it is looked for from *centre on. `found` is newton_start's, and gets the other
 * latents about the centre. false: it cannot be had. */
bool scales_start(Build *b, const Var *const *latent, int n, const int64_t *start, AxisId flat,
                  Newton **found, IrValue *centre, IrValue *spread);

/* ---- bend.c ---- */
typedef struct Bend {
    IrValue left, right, skew; /* from the network, 0 at the start */
} Bend;
/* y with tails of their own on each side; adds the logs of slopes to *log_det. */
IrValue bent(Build *b, IrValue y, const Bend *bend, AxisId flat, IrValue *log_det);
/* The inverse: y of t; adds the same to *log_det. */
IrValue unbent(Build *b, IrValue t, const Bend *bend, AxisId flat, IrValue *log_det);

/* ---- flow.c ---- */
/* Draws every latent from the guide, given the encodings: fills b->value, returns log q over [data,
 * draw]. With `show`, flow parameters become outputs "flow:LATENT:shift" and ":scale". */
IrValue guide_sample(Build *b, const Encoding *enc, bool show);
/* Every latent at the centre of the guide, as its affine maps place it: fills b->value. */
void guide_locate(Build *b, const Encoding *enc);
/* log q of the latents `given` (by Var.index), [data, ...]; fills b->value with them. Nothing else
 * of them may be known. */
IrValue guide_log_density(Build *b, const Encoding *enc, const Val *given);
/* Can it be had in one pass? Wide flows in layers are drawn in one pass instead. */
bool guide_has_density(Build *b);
/* Draws every latent as guide_sample does, and takes log q at the draws as guide_log_density does.
 * Held for the gradient are, in this log q, the guide's weights (but for flows in layers, whose
 * part is guide_sample's); or, with draws_held, the draws. */
IrValue guide_sample_held(Build *b, const Encoding *enc, bool draws_held);
/* Whether family structured draws the latent in the joint flow. */
bool is_joint(const Var *latent);

#endif
