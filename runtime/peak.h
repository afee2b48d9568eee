/* peak.h -- how many multiply-adds this machine does, by doing them: the yardstick of `bench`. */
#ifndef ADAVIC_PEAK_H
#define ADAVIC_PEAK_H

#include "runtime/rt.h"

typedef struct RtPeak {
    double gflops;            /* on all threads of the pool together; a multiply-add is two */
    const char *instructions; /* "AVX-512" */
} RtPeak;

/* Of the widest instructions that the processor has, in float or double. Takes about .1 s. */
RtPeak rt_peak(RtPool *pool, bool f64);

#endif
