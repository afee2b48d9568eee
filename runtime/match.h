/* match.h -- which instances of one data set are those of another, by the keys of their tables
 * (match.c). */
#ifndef ADAVIC_MATCH_H
#define ADAVIC_MATCH_H

#include "runtime/data.h"

typedef struct RtMatch {
    int64_t
        *of[RT_MAX_PLATES]; /* by plate and instance of `to`: the instance of `from`, -1: none */
} RtMatch;

/* An instance of `to` is one of `from` where its parent is and both have its key under it; without
 * a column of keys in both files it is none. Plates that no table holds, since nothing observed or
 * given stands in them, have in each instance of `to` what they have in the one of `from`; where
 * they are ragged, `to` is cut so, with nothing in instances that are none of `from`'s. A pair of a
 * cross is one of `from` where both its instances are and `from` has a row of it. */
void rt_match(RtMem *mem, const RtModel *m, const RtData *from, RtData *to, RtMatch *out);

#endif
