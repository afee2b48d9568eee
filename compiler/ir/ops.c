/* ops.c -- ops.def as data: name, arity, axis rule, cost and documentation of every operation. */
#include "ir/ir.h"

const IrOpInfo ir_op_info[OP_COUNT] = {
#define PRIM(x) COST_FLOP
#define EXPAND(x) COST_FUNCTION
#define ONE(x) COST_FLOP
#define FREE(x) COST_NONE
#define LOWER(x) COST_NONE
#define OP(ENUM, text, arity, rule, value, derivative, emission, doc) \
    [OP_##ENUM] = {#text, arity, RULE_##rule, emission, doc},
#include "ir/ops.def"
#undef OP
#undef PRIM
#undef EXPAND
#undef ONE
#undef FREE
#undef LOWER
};
