/* bases.h -- the base draws of a guide: what program posterior makes latents of, its random sources
 * "u:...", for those that draw them in their own way. */
#ifndef ADAVIC_BASES_H
#define ADAVIC_BASES_H

#include "runtime/random.h"
#include "runtime/rt.h"

typedef struct RtBase {
    const char *name;
    int plate;                           /* the outermost around it, or -1 */
    int n_inside, inside[RT_MAX_PLATES]; /* plates within it, from the outside in */
    int64_t event;                       /* numbers of one instance */
} RtBase;

/* All of them, in the program's order; returns how many. */
int rt_bases_find(RtMem *mem, const RtModel *m, RtBase **out);
/* Standard normal numbers of the model's real type; all of `r` but its kind. */
void rt_base_fill(const RtModel *m, av_random r, void *numbers);

#endif
