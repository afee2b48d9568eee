/* refine.h -- the guide trained on one data set of a file: `infer --refine` from where training
 * left it, `fit` from nothing.
 *
 *     RtRefine *r = rt_refine_new(s, RT_REFINED, &data);      // all memory
 *     ... bind rt_refine_weights(r) to program posterior
 *     RtRefined done = rt_refine_run(r, set);                 // they are data set `set`'s now */
#ifndef ADAVIC_REFINE_H
#define ADAVIC_REFINE_H

#include "runtime/session.h"

/* Where an answer comes from. */
typedef enum { RT_AMORTISED, RT_REFINED, RT_FITTED } RtMethod;
extern const char *const rt_method_names[]; /* "amortised", "refined", "fitted" */

typedef struct RtRefined {
    int64_t steps, skipped; /* skipped: loss or gradient not finite */
    int64_t rounds;         /* of the objective sequential; 0: it was another */
    double start, end;      /* ELBO in nats on the same draws; end: of the weights that stay */
    double gain, gain_se;   /* of the steps, whether or not they stay */
    bool kept_start;        /* the steps did not raise the ELBO */
} RtRefined;

typedef struct RtRefine RtRefine;
/* Can `fit` train as options, or the program's own objective, ask it to? */
bool rt_fit_options(const RtSession *s, RtError *error);
/* s->state: weights to start from, scaling of inputs, sizes of the data. */
RtRefine *rt_refine_new(RtSession *s, RtMethod method, const RtData *data);
const float *rt_refine_weights(const RtRefine *r); /* flat; rt_refine_run overwrites them */
RtRefined rt_refine_run(RtRefine *r, int64_t set);

#endif
