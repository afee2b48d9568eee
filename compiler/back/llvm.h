/* llvm.h -- shared by the files of the LLVM back end (C API, LLVM 19). Private to back/llvm_*.c.
 *
 * LLVM is used as assembler and register allocator: the schedule has been made. One module per
 * unit, one internal function per nest, explicit vectors, no fast-math flags, few passes (see
 * llvm_object.c for why).
 */
#ifndef ADAVIC_LLVM_H
#define ADAVIC_LLVM_H

#include "opt/loop.h"

#include <llvm-c/Core.h>

typedef struct Llvm {
    Arena *arena;
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef builder;
    LLVMTypeRef void_t, i1, i8, i32, i64, ptr;
    LLVMTypeRef call_t, random_t, gemm_t; /* struct av_call, av_random, av_gemm */
    LLVMTypeRef nest_t, run_t, scratch_t;
    char *tune;        /* the processor whose costs instructions are chosen by, or NULL: none in
                          particular */
    bool avx512;       /* the target has instructions for vectors of 512 bits */
    int here, n_parts; /* of the parts that a unit is written as, each a module with some nests */
    int64_t load[BACK_MAX_OBJECTS]; /* instructions that each part has: the same in all modules */
    int vector_bits; /* of the widest vectors in use, an attribute of every function */
} Llvm;

/* Nests of equal SHAPE share a function: the same instructions over other buffers and other
 * run-time sizes. A nest's table lists what its function is to use: positions in the program's
 * table of buffers, then of sizes. */
typedef struct LlvmShape {
    const int64_t *key;
    int n_key;
    LLVMValueRef function;
} LlvmShape;

/* One program of the unit. */
typedef struct LlvmProgram {
    Llvm *m;
    const LoopProgram *p;
    LLVMTypeRef real, integer, vreal, vinteger, vmask;
    LLVMValueRef gather, scatter, clear, sum_lanes, max_lanes, fill, gemm; /* helpers */
    LLVMValueRef *tables;              /* of literals, by buffer */
    VEC(LoopSize) sizes;               /* all that nests use */
    LLVMValueRef *room, *tile, *start; /* of sweeps, in the function that is being written: largest
                                          tile; where the present one's size and start are kept */
    VEC(LlvmShape) shapes;
} LlvmProgram;

LLVMValueRef llvm_size(LlvmProgram *lp, LLVMValueRef extent, LoopSize size);

/* llvm_shape.c: what a nest's instructions refer to, in order of appearance. */
typedef struct NestRefs {
    VEC(int) buffers; /* positions in the table of buffers; all of the frame is one */
    VEC(int) sizes;   /* positions in LlvmProgram.sizes */
    VEC(int64_t) key; /* the instructions with these references by number */
} NestRefs;
NestRefs *llvm_refs(LlvmProgram *lp, const LoopNest *nest);
/* Where a buffer's pointer stands in the program's table: inputs, outputs, slots, literal tables.
 */
int llvm_buffer_place(const LoopProgram *p, int buffer);
int llvm_size_place(LlvmProgram *lp, LoopSize size);

/* llvm_nest.c: the function of a nest's shape; *table is the nest's own */
LLVMValueRef llvm_nest(LlvmProgram *lp, int number, LLVMValueRef *table);

/* llvm_program.c: the nests of this part; in part 0 also the programs that call them all, their
 * tables, the entry table and the manifest. */
void llvm_unit(Llvm *m, const Unit *unit);
/* A vector of equal numbers; which lanes have a number less than the i64 `n`. */
LLVMValueRef llvm_splat(LlvmProgram *lp, LLVMValueRef x);
LLVMValueRef llvm_lanes_below(LlvmProgram *lp, LLVMValueRef n);
LLVMValueRef llvm_function(Llvm *m, const char *name, LLVMTypeRef type, bool internal);
LLVMValueRef llvm_field(Llvm *m, LLVMTypeRef type, LLVMValueRef object, unsigned field);

/* Fields of struct av_gemm: sizes, then pointers. */
enum { GEMM_SIZES = 14, GEMM_POINTERS = 4 };
/* Fields of struct av_call. */
enum { CALL_EXTENT, CALL_TOTAL, CALL_IN, CALL_OUT, CALL_SCRATCH, CALL_KEY, CALL_STEP, CALL_DATA0 };

#endif
