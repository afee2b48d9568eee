/* target.c -- what the schedule must know of a processor: how many numbers fill a vector register.
 */
#include "back/back.h"

static int vector_bytes(const char *cpu) {
    if (!cpu || !strcmp(cpu, "host")) {
#if defined(__x86_64__)
        __builtin_cpu_init();
        if (__builtin_cpu_supports("avx512f")) return 64;
        if (__builtin_cpu_supports("avx")) return 32;
#endif
        return 16;
    }
    if (!strcmp(cpu, "x86-64-v4")) return 64;
    return !strcmp(cpu, "x86-64-v3") ? 32 : 16;
}

int target_lanes(const Target *target, bool f64) {
    return vector_bytes(target->cpu) / (f64 ? 8 : 4);
}
