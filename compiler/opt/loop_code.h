/* loop_code.h -- writing the instructions of a nest (loop.c), and point-wise operations of the
 * tensor IR as such (elementary*.c). */
#ifndef ADAVIC_LOOP_CODE_H
#define ADAVIC_LOOP_CODE_H

#include "opt/loop.h"

typedef struct LoopCode {
    Arena *arena;
    LoopProgram *program;
    LoopNest *nest;
} LoopCode;

/* Registers are returned; a uniform operand beside a varying one is broadcast. */
int loop_number(LoopCode *code, double number);
int loop_integer(LoopCode *code, int64_t integer);
int loop_emit(LoopCode *code, LoopOp op, int a, int b, int c);
int loop_shift(LoopCode *code, LoopOp op, int a, int64_t by);
int loop_varying(LoopCode *code, int reg);      /* broadcast where it is uniform */
int loop_begin(LoopCode *code, LoopSize count); /* the variable */
/* `reg`, a uniform whole number, as a variable; a loop up to such a variable. */
int loop_place(LoopCode *code, int reg);
int loop_begin_upto(LoopCode *code, int limit, LoopSize most);
void loop_end(LoopCode *code);
void loop_set(LoopCode *code, int variable, int value);
int loop_load(LoopCode *code, int buffer, const LoopIndex *index, bool varying);
/* `block`: the loop variable of the lane block, or -1 */
int loop_gather(LoopCode *code, int buffer, int block, const LoopIndex *index);
void loop_store(LoopCode *code, int buffer, const LoopIndex *index, int value);
int loop_push(LoopCode *code, LoopInst inst, LoopType type, bool varying);

/* Two loops that are one walk through memory become one loop; variables are numbered anew. */
void loop_collapse(Arena *arena, LoopNest *nest);

/* ---- elementary.c: a point-wise operation of the tensor IR on registers ---- */
int loop_point(LoopCode *code, IrOpcode opcode, const int *args);

#endif
