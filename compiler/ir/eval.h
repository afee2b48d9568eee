/* eval.h -- the interpreter of the tensor IR, in double over whole tensors: the oracle of every
 * back end. It shares no code with them but the random numbers (runtime/random.h).
 */
#ifndef ADAVIC_IR_EVAL_H
#define ADAVIC_IR_EVAL_H

#include "ir/ir.h"

typedef struct IrTensor {
    int n_axes;
    AxisId axes[IR_MAX_AXES];
    int64_t extent[IR_MAX_AXES];
    int64_t size;
    double *data; /* row-major over axes; int and bool as 0, 1, 2, ... */
} IrTensor;
/* The value of a point-wise operation at numbers a, b, c (operands it lacks are ignored; bools as
 * 0, 1). */
double ir_point_value(IrOpcode opcode, double a, double b, double c);

/* Random numbers as the runtime draws them (runtime/random.h): f32 values, widened. */
typedef struct IrEvalEnv {
    const int64_t *extent; /* by axis id; entries of event axes are ignored; of a ragged plate the
                              most instances that one of its parent has */
    /* By axis id, of ragged plates: how many each instance of the parent has, in order. Numbers
     * along a ragged plate, given and computed, are those of its instances, one parent's behind the
     * other's. */
    const int64_t *const *count;
    /* The bytes of input or random source `name` (row-major over op->axes), or NULL: inputs must be
     * there, random sources are then drawn. */
    const double *(*lookup)(void *user, const IrProgram *p, const IrOp *op);
    void *user;
    uint32_t key[2], step, data0; /* of the random numbers; data0 = number of the first data set */
} IrEvalEnv;
/* Computes all outputs, in order, into result[0..outputs.n). NULL, or a complaint (a missing
 * input). */
const char *ir_eval(Arena *arena, const IrProgram *p, const IrEvalEnv *env, IrTensor *result);

#endif
