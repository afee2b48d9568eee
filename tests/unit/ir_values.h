/* ir_values.h -- numbers for the inputs of tensor programs under test, and random programs. */
#ifndef ADAVIC_IR_VALUES_H
#define ADAVIC_IR_VALUES_H

#include "ir/eval.h"
#include "ir/ir.h"

typedef struct NamedNumbers {
    const char *name;
    double *data;
} NamedNumbers;

/* Inputs and random sources whose numbers are made when they are first asked for: input K ("x0",
 * "x1", ...) in [low[K], high[K]], all others in [-1, 1]. With `spaced`, the numbers of one input
 * differ by more than 1e-3 (ranges of at least 2), and those of different inputs too: no kink of
 * min, max, abs, max_over, ... is near. */
typedef struct Values {
    Arena *arena;
    int64_t extent[64]; /* by axis; of a ragged one the most that a parent has, */
    int64_t *count[64]; /* and how many each has: 0, 1, ..., the most, over and over */
    double low[4], high[4];
    bool spaced;
    VEC(NamedNumbers) known;
} Values;

/* All ranges [-1, 1]; extents of axes that are known at run time: 2, 3, 4, ... by axis id. */
Values values_new(Arena *arena, const IrProgram *p);
/* Cuts ragged plates anew, after extents have been changed. */
void values_cut(Values *values, const IrProgram *p);
IrEvalEnv values_env(Values *values);

/* Uniform in [0, 1), from a counter. */
double values_random(uint64_t *state);
int values_pick(uint64_t *state, int n);

/* A program of about `size` operations over axes data, draw, two nested plates, a copy and event
 * axes, with a few outputs and, if it can be, the scalar output "loss" that depends on all of them,
 * smooth where `smooth`. */
IrProgram *random_program(Arena *arena, uint64_t seed, int size, bool smooth);

/* The same, with the inner plate ragged, another ragged one in it, and one that is not in that. */
IrProgram *random_ragged_program(Arena *arena, uint64_t seed, int size, bool smooth);

/* One of the two: every third seed makes a ragged one. */
IrProgram *random_program_either(Arena *arena, uint64_t seed, int size, bool smooth);

/* Of an axis; all instances of a plate (1 of AXIS_NONE); and numbers of a tensor as it is given:
 * the instances of a ragged plate one behind the other, with those of the plates around it. */
int64_t env_extent(const IrProgram *p, const IrEvalEnv *env, AxisId axis);
int64_t env_instances(const IrProgram *p, const IrEvalEnv *env, AxisId axis);
int64_t env_size(const IrProgram *p, const IrEvalEnv *env, const AxisId *axes, int n);

/* Adds "grad:NAME" for every input, from output "loss". */
void add_gradients(IrProgram *p);

/* The text form. */
const char *ir_text(const IrProgram *p);

#endif
