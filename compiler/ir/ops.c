/* ops.c -- ops.def as data: name, arity, axis rule and documentation of every operation. */
#include "ir/ir.h"

const IrOpInfo ir_op_info[OP_COUNT] = {
#define OP(ENUM, text, arity, rule, value, derivative, emission, doc) \
    [OP_##ENUM] = {#text, arity, RULE_##rule, doc},
#include "ir/ops.def"
#undef OP
};
