/* peak.c -- see peak.h.
 *
 * A kernel is a loop of independent multiply-adds on registers, enough of them in flight to cover
 * their latency (4 or 5 cycles, two a cycle). It is written with vector extensions and compiled
 * once per instruction set; the processor is asked which of them it has. The product and the sum
 * are contracted to one instruction where there is one (the Makefile says so for this file). */
#include "runtime/peak.h"

#include <stdatomic.h>

typedef double Kernel(int64_t rounds);

#define EACH_8(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define EACH_12(X) EACH_8(X) X(8) X(9) X(10) X(11)
#define EACH_16(X) EACH_12(X) X(12) X(13) X(14) X(15)

/* Numbers go to 1: x = x * (1 - 2^-10) + 2^-10. Where they start must not be known to the compiler,
 * or it would leave some out. */
#define START(i) Vector x##i = one * (start + (real)i);
#define MULTIPLY_ADD(i) x##i = x##i * shrink + step;
#define ADD(i) sum += x##i;
#define KERNEL(name, attribute, type, bytes, EACH)                                        \
    attribute static double name(int64_t rounds) {                                        \
        typedef type real;                                                                \
        typedef real Vector __attribute__((vector_size(bytes)));                          \
        const Vector zero = {0}, one = zero + 1;                                          \
        const Vector step = one * (real)0x1p-10, shrink = one - step;                     \
        const real start = (real)rounds;                                                  \
        EACH(START)                                                                       \
        for (int64_t i = 0; i < rounds; i++) {                                            \
            EACH(MULTIPLY_ADD)                                                            \
        }                                                                                 \
        Vector sum = zero;                                                                \
        EACH(ADD)                                                                         \
        double total = 0;                                                                 \
        for (unsigned i = 0; i < sizeof sum / sizeof(real); i++) total += (double)sum[i]; \
        return total;                                                                     \
    }

typedef struct Set {
    const char *name;
    Kernel *f32, *f64;
    int bytes, accumulators;
} Set;

#define SET(id, attribute, bytes, EACH)             \
    KERNEL(id##_f32, attribute, float, bytes, EACH) \
    KERNEL(id##_f64, attribute, double, bytes, EACH)

#if defined(__x86_64__)
SET(avx512, __attribute__((target("avx512f,fma"))), 64, EACH_16)
SET(avx2, __attribute__((target("avx2,fma"))), 32, EACH_12)
SET(sse2, , 16, EACH_12)

static Set widest(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f")) return (Set){"AVX-512", avx512_f32, avx512_f64, 64, 16};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return (Set){"AVX2", avx2_f32, avx2_f64, 32, 12};
    return (Set){"SSE2", sse2_f32, sse2_f64, 16, 12};
}
#else
SET(vector, , 16, EACH_16)

static Set widest(void) {
    return (Set){"128-bit vectors", vector_f32, vector_f64, 16, 16};
}
#endif

enum { ROUNDS = 20000, PER_THREAD = 8, REPEATS = 120 };

typedef struct Job {
    Kernel *kernel;
    _Atomic double result; /* so that the work is wanted */
} Job;

static void run(void *context, int64_t item, int worker) {
    (void)item, (void)worker;
    Job *job = context;
    atomic_store(&job->result, job->kernel(ROUNDS));
}

RtPeak rt_peak(RtPool *pool, bool f64) {
    Set set = widest();
    Job job = {.kernel = f64 ? set.f64 : set.f32};
    int64_t items = (int64_t)PER_THREAD * rt_pool_threads(pool);
    double lanes = set.bytes / (f64 ? 8.0 : 4.0), best = 0;
    for (int i = 0; i < REPEATS; i++) { /* the best: other load only takes away */
        double started = rt_seconds();
        rt_pool_run(pool, run, &job, items);
        double seconds = rt_seconds() - started;
        double flop = 2 * lanes * set.accumulators * (double)ROUNDS * (double)items;
        if (flop / seconds > best) best = flop / seconds;
    }
    return (RtPeak){best / 1e9, set.name};
}
