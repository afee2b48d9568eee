/* certificate.h -- what a training step needs, said before it is run: memory and arithmetic, and
 * how they grow with the plates. Arithmetic comes from the formulas in the manifest
 * (runtime/abi.h); memory from allocating all of it, once as it is and once with one more instance
 * per plate.
 *
 *     RtCertificate c = rt_certificate(session);
 *     rt_certificate_text(session, &c, &out);
 */
#ifndef ADAVIC_CERTIFICATE_H
#define ADAVIC_CERTIFICATE_H

#include "runtime/session.h"

/* Memory, operations, and calls of exp, log and the like that the operations do not include. */
typedef struct RtNeed {
    double bytes, flop, functions;
} RtNeed;

typedef struct RtCertificate {
    int64_t sets, draws;
    RtNeed step;                /* bytes: at the largest sizes; the rest: at the default sizes */
    RtNeed more[RT_MAX_PLATES]; /* for one more instance of the plate in every enclosing one */
} RtCertificate;

/* Of one call of a program; bytes is 0. */
RtNeed rt_count(const RtModel *m, const RtProgram *g, const RtSizes *sizes, int64_t n_data,
                int64_t n_draw);
/* Of training under the session's options and sizes. */
RtCertificate rt_certificate(const RtSession *s);
/* Lines that begin with a word in the first ten columns, as those of `info`. */
void rt_certificate_text(const RtSession *s, const RtCertificate *c, RtBytes *out);
/* `"weights": ..., "bytes": ..., "flop_per_step": ...` and what belongs to them. */
void rt_certificate_json(const RtSession *s, const RtCertificate *c, RtBytes *out);

#endif
