/* harness.h -- a model compiled as far as its tensor programs, and runs of these in the interpreter
 * with everything given by name: weights, statistics, data, base draws.
 *
 *     Compiled *c = compile_file("examples/gre.hbm", (DualOptions){.family = FAMILY_ADAVI});
 *     Run *run = run_new(c, 4, 2);                    // 4 data sets, 2 draws
 *     run_size(run, "obs", 5);                        // else as declared
 *     run_start_weights(run, 1, 0.1);
 *     run_statistics(run);
 *     run_give(run, "u:mu", numbers, 16);             // replaces that site's draws
 *     const IrTensor *loss = run_output(run, c->dual->step, "loss");
 *
 * Paths are relative to the repository's root, where tests run. A Run keeps what it computed until
 * something is given anew. Everything dies with compiled_free.
 */
#ifndef ADAVIC_HARNESS_H
#define ADAVIC_HARNESS_H

#include "ir/eval.h"
#include "dual/dual.h"

typedef struct Compiled {
    Arena *arena;
    Model *model;
    Analysis *analysis;
    Dual *dual;
} Compiled;

/* NULL after printing what is wrong with the model. */
Compiled *compile_file(const char *path, DualOptions options);
Compiled *compile_text(const char *name, const char *text, DualOptions options);
void compiled_free(Compiled *c);

typedef struct Given {
    const char *name;
    double *data;
    int64_t n;
} Given;

typedef struct Extent {
    const char *axis;
    int64_t n;
} Extent;

typedef struct Run {
    Compiled *c;
    VEC(Given) given;
    int last; /* of given, that was looked up: programs ask in the order in which it was given */
    VEC(Extent) extents; /* data, draw, plates */
    uint32_t seed;
    /* the last program that ran, and its outputs */
    const IrProgram *program;
    IrTensor *result;
} Run;

Run *run_new(Compiled *c, int64_t data, int64_t draws);
void run_size(Run *run, const char *axis, int64_t n);
/* Copies; replaces what had that name. */
void run_give(Run *run, const char *name, const double *data, int64_t n);
Given *run_given(const Run *run, const char *name); /* or NULL */
/* Every weight as training starts it, plus normal numbers times `noise` (so that no layer is zero).
 */
void run_start_weights(Run *run, uint32_t seed, double noise);
/* Medians and median absolute deviations of the outputs of `prepare` over 256 prior data sets. */
void run_statistics(Run *run);
/* For ir_eval and its users; valid until something is given. */
IrEvalEnv run_env(Run *run, const IrProgram *p);
/* Evaluates `p` if it has not just been, and finds an output. Ends the test program with a message
 * if that cannot be. */
const IrTensor *run_output(Run *run, const IrProgram *p, const char *name);

/* Deterministic standard normals. */
void fill_normal(double *x, int64_t n, uint32_t seed);

#endif
