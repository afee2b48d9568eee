/* back.h -- from tensor IR to loops, and from loops to text or machine code.
 *
 *   IrProgram --schedule--> LoopProgram --+--> C text (back/c.c: readable, the differential test)
 *                                         +--> LLVM IR --> object (back/llvm_*.c: the product)
 *
 * The schedule is the only place that knows about lanes, layouts, fusion and buffers; both back
 * ends translate loop instructions one by one.
 */
#ifndef ADAVIC_BACK_H
#define ADAVIC_BACK_H

#include "base/base.h"
#include "ir/ir.h"

typedef struct LoopProgram LoopProgram;

/* What a sweep computes for each instance and a later sweep reads: is it kept in memory, or
 * computed again from what was there before? */
typedef enum { KEEP_BY_SIZE, KEEP_ALL, KEEP_SMALL } ScheduleKeep;

typedef struct ScheduleOptions {
    bool f64;              /* element type of real */
    int lanes;             /* numbers per vector: 1, 4, 8, 16 */
    const char *lane_axis; /* "data", "draw", a plate, or NULL for scalar code */
    bool no_plate_lanes;   /* what draws do not enter runs without lanes */
    int64_t blas; /* layers with at least so many inputs and outputs go to the BLAS; 0: none */
    ScheduleKeep keep;
    int64_t tile;   /* numbers of the largest tensor that a tile of a sweep has; 0: TILE_NUMBERS */
    int64_t copies; /* instances that a nest computes at once, up to 4; 0: COPIES */
} ScheduleOptions;

enum { TILE_NUMBERS = 16384, COPIES = 2, MAX_COPIES = 4 };
enum { BLAS_AUTO = 256 }; /* from where on the BLAS gains clearly: docs/blas.md */
LoopProgram *schedule(Arena *arena, const IrProgram *p, const ScheduleOptions *options);
void loop_print(Text *out, const LoopProgram *loops);
/* Whether the program calls the BLAS, and must be linked with it. */
bool loop_uses_blas(const LoopProgram *loops);

/* One compilation unit: all programs of a model, entry table and manifest (runtime/abi.h). */
typedef struct Unit {
    const LoopProgram *const *programs;
    int n_programs;
    const char *manifest;
} Unit;

/* Appends the "program ... " section of the manifest for one scheduled program. */
void manifest_program(Text *out, const LoopProgram *loops);

void back_c(Text *out, const Unit *unit);

typedef struct Target {
    const char *cpu; /* "host", or a level: "x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4" */
    bool shared;     /* position-independent, symbols exported */
} Target;
/* The level that "host" or a level's own name stands for; NULL: there is none of that name. */
const char *target_named(const char *name);
/* Lanes that fill the target's vector registers, for f32 or f64. */
int target_lanes(const Target *target, bool f64);
/* Writes n object files, each by a thread of its own, which together are the unit; or (n = 0) LLVM
 * assembly instead. NULL, or a complaint. */
enum { BACK_MAX_OBJECTS = 2 };
const char *back_llvm(Arena *arena, const Unit *unit, const Target *target,
                      const char *const *object_paths, int n, Text *text);

#endif
