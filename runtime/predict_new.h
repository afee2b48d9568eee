/* predict_new.h -- `predict DATA --new FILE`: draws of the posterior given DATA, carried over to
 * the rows of FILE (predict_new.c).
 *
 *     RtNew n;
 *     if (!rt_new_open(&p, &n, &error)) ...          // p is open; n.rows is FILE
 *     rt_call_bind(predict, "a", rt_new_latent(&n, i));  // for every latent
 *     rt_posterior_run(&p, 0); rt_new_run(&n); ... program predict at n.rows.sizes
 */
#ifndef ADAVIC_PREDICT_NEW_H
#define ADAVIC_PREDICT_NEW_H

#include "runtime/match.h"
#include "runtime/posterior.h"

typedef struct RtNew {
    RtPosterior *p;
    RtData rows; /* of FILE: covariates, and outcomes where it has some; contexts are DATA's */
    RtMatch match;
    bool drawn[RT_MAX_PLATES]; /* latents stand in it: its instances are known, or drawn anew */
    RtCall *call;              /* program extend; NULL: nothing stands in plates */
    RtFeed *feed;
    char **given; /* by variable: latents in plates, draws at the instances of FILE that are known,
                     [S, plates, dims] in the model's real type; else NULL */
    const void **extended; /* by variable: what predict reads, the same at all instances; or NULL */
} RtNew;

/* Can there be predictions, for files of these kinds? Before anything is read. */
bool rt_new_check(const RtSession *s, RtError *error);
/* Reads FILE and matches it; all memory is there afterwards. False with the reason. */
bool rt_new_open(RtPosterior *p, RtNew *n, RtError *error);
/* A latent's draws, or the probabilities of a discrete one, as program predict reads them. */
const void *rt_new_latent(const RtNew *n, int variable);
/* After rt_posterior_run of DATA. */
void rt_new_run(RtNew *n);
/* The outermost plate with latents and keys whose instance around element k is not in DATA; NULL:
 * there is none. */
const char *rt_new_plate(const RtNew *n, const RtVar *v, int64_t k);
/* Which instances are known: lines on stdout, and "plates": {"county": {"known": 2, "new": 1}}. */
void rt_new_show(const RtNew *n);
void rt_new_json(const RtNew *n, RtBytes *out);

#endif
