/* target.c -- the processors that programs are compiled for: levels of instruction sets, so that a
 * program can tell whether a machine has what it needs (runtime/target.h). */
#include "back/back.h"
#include "runtime/target.h"

static const struct {
    const char *name;
    int vector_bytes; /* what fills a register */
} levels[] = {{"x86-64", 16}, {"x86-64-v2", 16}, {"x86-64-v3", 32}, {"x86-64-v4", 64}};
enum { LEVELS = sizeof levels / sizeof *levels };

const char *target_named(const char *name) {
    int level = strcmp(name, "host") ? av_target_level(name) : av_machine_level();
    if (level < 1 || level > LEVELS) return NULL;
    bool exact = !strcmp(name, "host") || !strcmp(name, levels[level - 1].name);
    return exact ? levels[level - 1].name : NULL;
}

int target_lanes(const Target *target, bool f64) {
    const char *name = target_named(target->cpu);
    int level = name ? av_target_level(name) : 1;
    return levels[level - 1].vector_bytes / (f64 ? 8 : 4);
}
