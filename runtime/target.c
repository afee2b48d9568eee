/* target.c -- see target.h. Levels are asked for by the features that matter to generated code;
 * those that come with them on every processor are not asked for. */
#include "runtime/target.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int av_machine_level(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("popcnt")) return 1;
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
        !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2"))
        return 2;
    bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
    return avx512 ? 4 : 3;
#else
    return 0;
#endif
}

int av_target_level(const char *target) {
    static const char base[] = "x86-64";
    if (strncmp(target, base, sizeof base - 1)) return 0;
    target += sizeof base - 1;
    if (!*target) return 1;
    return target[0] == '-' && target[1] == 'v' ? atoi(target + 2) : 0;
}
