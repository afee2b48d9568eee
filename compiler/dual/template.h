/* template.h -- the flow of one latent template under construction: flow.c and affine.c. Private to
 * dual/. */
#ifndef ADAVIC_DUAL_TEMPLATE_H
#define ADAVIC_DUAL_TEMPLATE_H

#include "dual/internal.h"

enum { MAX_JOINT = 32 };

/* A latent template, or the joint one of all that stands outside the plates. */
typedef struct Template {
    const char *name;
    const Plate *plate;
    int n;
    const Var *latent[MAX_JOINT];
    int64_t start[MAX_JOINT], size;
    const Conditioning *conditioning; /* NULL: the joint template */
    bool total;                       /* of all latents with all their instances (total.c) */
    AxisId flat;
} Template;

static inline int64_t free_size(const Var *latent) {
    Type free = model_free_type(latent);
    return event_size(&free);
}

/* Beyond what is written out number by number, networks are layers over the whole event. */
static inline bool is_wide(const Template *t) {
    return t->size > MAX_UNROLLED;
}

/* Of the network that reads the context. */
static inline int64_t hidden_width(const Template *t) {
    return is_wide(t) ? 64 : 32;
}

typedef struct GuideState {
    Build *b;
    const Encoding *enc;
    Val *free; /* by Var.index: unconstrained values of the latents drawn so far */
    bool show;
    bool one_way; /* find_layers: a flow's density cannot be had in one pass */
    IrValue log_q;
    IrValue *own; /* by Var.index of a template's first latent: its part of log_q */
    /* way back: values of the latents, by Var.index; unconstrained ones, or NULL; log q of
     * templates that have no way back, as `own`, or NULL */
    const Val *given, *given_free;
    const IrValue *drawn;
    Newton **found; /* by Var.index: of newton_start */
    /* by Var.index of a template's first latent: its Newton start or NULL, once it is asked for */
    const Newton **start;
    bool *started;
} GuideState;

/* ---- affine.c ---- */
typedef struct Affine {
    IrValue shift, log_scale; /* over the flat axis */
} Affine;

/* The Gaussians that an affine map starts from, over the flat axis. */
typedef struct Fusion {
    IrValue v0, s0, moment, error;
    double *has; /* by number: is there a moment? */
    int n_moments;
} Fusion;

/* Adds latent i's value to *sum (IR_NONE: nothing yet), in its stretch of the flat axis. */
void add_flat(Build *b, const Template *t, IrValue *sum, int i, Val val);
/* The corrections (gate, shift, log scale, left tail, right tail, skew), zero at the start, each
 * over the flat axis. */
void corrections(Build *b, const Template *t, const Blocks *context, IrValue hidden,
                 IrValue out[6]);
/* The affine map of a template that starts by neither Newton steps nor in stages. */
Affine affine_of(GuideState *g, const Template *t, const IrValue correct[6]);
Fusion fusion_of(GuideState *g, const Template *t);
Affine fused_affine(Build *b, const Template *t, const Fusion *f, const IrValue correct[6]);

/* The published affine map: shift + L u, L lower triangular with the exponential of its diagonal,
 * from two small networks of the encoding. */
typedef struct PaperAffine {
    IrValue shift, lower; /* over the flat axis; over `triangle`, row by row */
    AxisId triangle;
} PaperAffine;

PaperAffine paper_affine(GuideState *g, const Template *t, const Blocks *context);
/* Either way, row by row; adds the sum of log-diagonals to *log_det (IR_NONE: 0). */
IrValue paper_apply(Build *b, const Template *t, const PaperAffine *a, Way way, IrValue from,
                    IrValue *log_det);

/* ---- stages.c ---- */
/* The Newton start of a latent in plates; NULL: there is none. */
const Newton *start_of_template(GuideState *g, const Template *t);
/* The last map of a flow, from what the bend leaves to unconstrained values, or back; with its
 * corrections. Adds log |dv/dy| to *log_det. Drawn in stages the latents get their values here,
 * and IR_NONE is returned. */
IrValue last_map(GuideState *g, const Template *t, const IrValue correct[6], Way way, IrValue from,
                 IrValue *log_det);
/* Gives the template's latent `i` its value, v being over the flat axis. */
void settle(GuideState *g, const Template *t, int i, IrValue v);

#endif
