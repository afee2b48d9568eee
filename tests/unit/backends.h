/* backends.h -- compiled tensor programs beside the interpreter.
 *
 *     Backends *b = backends_new(arena);
 *     int k = backends_add(b, program, &(ScheduleOptions){.f64 = true, .lanes = 4, .lane_axis =
 * "data"}); const char *why = backends_build(b, BACKEND_C);       // or BACKEND_LLVM; NULL, or a
 * complaint why = backends_compare(b, k, &env, 1e-10, 1e-6);      // NULL, or the output that
 * differs most backends_free(b);
 *
 * Many programs share one build: compiling is what takes time. A comparison runs all chunks as the
 * runtime would, on scratch full of NaN and between guards, with the inputs of `env` rounded to
 * float. Every output must lie within `tolerance` of the interpreter's, relative to the largest
 * entry of that output, or to `floor` where all are smaller: what is zero but for rounding has no
 * relative error.
 */
#ifndef ADAVIC_BACKENDS_H
#define ADAVIC_BACKENDS_H

#include "ir/eval.h"
#include "back/back.h"
#include "opt/loop.h"
#include "runtime/abi.h"

typedef enum { BACKEND_C, BACKEND_LLVM } BackendKind;

typedef struct Backends {
    Arena *arena;
    VEC(LoopProgram *) programs;
    void *library;
    const av_entry *entries;
    double schedule_ms, emit_ms; /* spent so far */
    size_t text_bytes;           /* of the C text or the object file */
} Backends;

Backends *backends_new(Arena *arena);
int backends_add(Backends *b, const IrProgram *p, const ScheduleOptions *options);
const char *backends_build(Backends *b, BackendKind kind);
const char *backends_compare(Backends *b, int program, const IrEvalEnv *env, double tolerance,
                             double floor);
/* All outputs, in order, widened to double; NULL, or what is wrong. */
const char *backends_run(Arena *arena, Backends *b, int program, const IrEvalEnv *env,
                         IrTensor *result);
/* Mean milliseconds of processor time of a run of all chunks, over `runs` of them. */
double backends_time(Backends *b, int program, const IrEvalEnv *env, int runs);
void backends_free(Backends *b);

#endif
