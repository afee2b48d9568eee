/* points.h -- a builder for every point-wise row of ops.def: ir_exp(p, a), ir_add(p, a, b), ...
 * Part of ir.h.
 */
#ifndef ADAVIC_IR_POINTS_H
#define ADAVIC_IR_POINTS_H

#include "ir/ir.h"

#define IR_POINT1(OPCODE, name)                                \
    static inline IrValue ir_##name(IrProgram *p, IrValue a) { \
        return ir_point(p, OP_##OPCODE, &a, 1);                \
    }
#define IR_POINT2(OPCODE, name)                                           \
    static inline IrValue ir_##name(IrProgram *p, IrValue a, IrValue b) { \
        return ir_point(p, OP_##OPCODE, (IrValue[]){a, b}, 2);            \
    }
#define OP(ENUM, text, arity, rule, ...) IR_BUILD_##rule##_##arity(ENUM, text)
#define IR_BUILD_LEAF_0(E, t)
#define IR_BUILD_POINT_1(E, t) IR_POINT1(E, t)
#define IR_BUILD_POINT_2(E, t) IR_POINT2(E, t)
#define IR_BUILD_POINT_3(E, t)
#define IR_BUILD_REDUCE_1(E, t)
#define IR_BUILD_CONTRACT_2(E, t)
#define IR_BUILD_RENAME_1(E, t)
#define IR_BUILD_PICK_1(E, t)
#define IR_BUILD_PLACE_1(E, t)
#define IR_BUILD_SLICE_1(E, t)
#define IR_BUILD_PAD_1(E, t)
#define IR_BUILD_SPREAD_1(E, t)
#define IR_BUILD_RANDOM_0(E, t)
#define IR_BUILD_RANDOM_1(E, t)
#define IR_BUILD_RANDOM_2(E, t)
#include "ir/ops.def"
#undef OP
static inline IrValue ir_select(IrProgram *p, IrValue c, IrValue a, IrValue b) {
    return ir_point(p, OP_SELECT, (IrValue[]){c, a, b}, 3);
}

#endif
