/* driver.h -- the pipeline of passes.def, run for one model.
 *
 *     Options options = {.input = "gre.hbm", .output = "gre"};
 *     return driver_compile(arena, &options);
 *
 * Exit statuses: 0 done; 1 the model (or an IR file, or the system) has errors, all of them on
 * stderr, and nothing was written; 70 a fault of adavic itself.
 */
#ifndef ADAVIC_DRIVER_H
#define ADAVIC_DRIVER_H

#include "back/back.h"
#include "dual/dual.h"
#include "front/front.h"

typedef struct Options {
    const char *input;  /* a path, or "-" */
    const char *output; /* NULL: the model's name */
    VEC(Define) defines;
    VEC(const char *) import_dirs; /* -I */
    DualOptions dual;
    FlowKind flow;         /* of latents of which the model says nothing */
    const char *objective; /* instead of the model's; NULL: none */
    bool f64;
    Target target;
    int64_t blas; /* these five as in ScheduleOptions */
    int64_t tile;
    int64_t jam;
    ScheduleKeep keep;
    bool no_plate_lanes;
    const char *emit; /* what to print instead of compiling; may end in ":PROGRAM" */
    const char *run;  /* a pass to run alone on an IR file */
    VEC(const char *) dump_after;
    bool time_passes, color;
} Options;

/* What --emit can print: name and one line of help; ends with a NULL name. */
typedef struct Emission {
    const char *name, *help;
} Emission;
extern const Emission driver_emissions[];
/* Names and reasons of the rows of passes.def. */
typedef struct PassInfo {
    const char *name, *why;
    bool on_ir; /* a PASS: runs alone */
} PassInfo;
extern const PassInfo driver_passes[];
extern const int driver_pass_count;

int driver_compile(Arena *arena, const Options *options);
/* --run=PASS file.ir: every program in the file, transformed and printed. */
int driver_run_pass(Arena *arena, const Options *options);

#endif
