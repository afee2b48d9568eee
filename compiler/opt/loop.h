/* loop.h -- the loop IR: explicit loops, registers, memory. What schedule() makes of a tensor
 * program, and what both back ends translate instruction by instruction.
 *
 * A program is a sequence of NESTS, run one after another for a chunk of data sets. A nest is
 * either code or one call that fills a buffer with random numbers. Code is a flat list of
 * instructions; `loop` ... `end` bracket each other.
 *
 * A SWEEP runs neighbouring nests again and again, each time for the next TILE of an axis: a few
 * instances, so that what these nests hand to each other stays in the cache. Sweeps nest. Within
 * one, loops along its axis count the instances of the tile; a buffer that holds one tile only is
 * indexed by them, any other by them and the tile's start.
 *
 * Registers are uniform (one number) or varying (one number per lane: `lanes` of them); types are
 * real (float or double, by the program), int (as wide as real, for bit tricks) and mask. Every
 * register is assigned once, by the instruction of its `dst`, except those of `variable`, which
 * `set` assigns again: accumulators. Variables of addresses are those of loops, and what `place`
 * makes of a number: where the instances of a ragged plate begin, and how many there are.
 *
 * Memory is a table of BUFFERS: inputs, outputs, scratch, frame (scratch of one nest) and literal
 * tables, all of reals. Masks are stored as 0 and 1. An address is `base + sum of variable *
 * stride` numbers; strides are products of extents. A varying load or store touches `lanes`
 * neighbouring numbers. Inputs and outputs have the caller's layout: varying reads of them are
 * `gather`, varying writes `scatter`; both touch valid lanes only (a gather repeats the last one).
 *
 * Layout of scratch buffers: [lane block][loop axes][event axes][lane]; `rows` buffers, which
 * random numbers are drawn into, have the lane axis as one row instead: [loop axes][event
 * axes][lane block, lane].
 */
#ifndef ADAVIC_LOOP_H
#define ADAVIC_LOOP_H

#include "back/back.h"

enum { LOOP_MAX_FACTORS = 16, LOOP_MAX_DIMS = 12 };

/* A number known when the program is called, or when a sweep comes to its next tile: coef * product
 * of factors. A factor is the extent of an axis (its id; all instances of a ragged plate), the most
 * instances that a ragged plate has in one of its parent, and how many on average (its id added),
 * the number of lane blocks, and of a sweep (its number added) the instances in its present tile or
 * the number of the first of them. */
enum { LOOP_BLOCKS = -2, LOOP_MOST = 2048, LOOP_MEAN = 3072, LOOP_TILE = 4096, LOOP_START = 8192 };
typedef struct LoopSize {
    int64_t coef;
    int n;
    int16_t factor[LOOP_MAX_FACTORS]; /* ascending */
} LoopSize;

typedef struct LoopTerm {
    int var; /* loop variable, or -1: the stride itself */
    LoopSize stride;
} LoopTerm;

typedef struct LoopIndex {
    int64_t base;
    int n;
    LoopTerm *term;       /* outer loops first */
    LoopSize lane_stride; /* gather and scatter: from lane to lane */
} LoopIndex;

typedef enum { LOOP_REAL, LOOP_INT, LOOP_MASK } LoopType;

typedef enum {
#define X(name, arity, doc) LOOP_##name,
#include "opt/loop_ops.def"
#undef X
    LOOP_OP_COUNT
} LoopOp;

/* A product with a matrix of weights: the fields of struct av_gemm (runtime/gemm.h) as sizes.
 * Activations begin `first` features into their buffer, weights `w_first` numbers. */
typedef struct LoopMatrix {
    int buffer;
    int64_t n, first;
    LoopSize block, point, feature;
} LoopMatrix;

typedef struct LoopGemm {
    int kind, w, room;
    int64_t w_first, w_row;
    LoopSize blocks, points, exist;
    LoopMatrix x, y;
} LoopGemm;

typedef struct LoopInst {
    LoopOp op;
    int dst;         /* register, or the loop variable of `loop`; -1 */
    int arg[3];      /* registers */
    double number;   /* number, tail; next, inside: how far on */
    int64_t integer; /* integer, shifts; axis of total; loop: its step, 0 as 1; next, inside: of
                        which loop; tail, gather, scatter: the loop variable of the lane block, or
                        -1 where the lane axis has one block */
    int buffer;      /* load, store, gather, scatter, clear, sum_lanes, max_lanes */
    int buffer2;     /* sum_lanes, max_lanes */
    bool whole;      /* sum_lanes, max_lanes: lanes beyond the extent of the lane axis count, too */
    const LoopIndex *index;
    const LoopGemm *gemm;
    LoopSize count; /* loop, next, inside, clear, sum_lanes, max_lanes */
    int limit; /* loop, next, inside: 1 + the variable that holds the count, which is `count` at
                  most; 0: it is `count` */
} LoopInst;

typedef struct LoopReg {
    LoopType type;
    bool varying;
} LoopReg;

/* Random numbers into a buffer: the fields of struct av_random (runtime/random.h) as sizes. */
typedef struct LoopFill {
    int buffer;
    int64_t site;
    IrRandom kind;
    LoopSize n_data, n_draw, n_inst, s_data, s_draw, s_inst;
    int input; /* the input that replaces the numbers */
    int n_params;
    int param[2]; /* buffers of the parameters; given: `buffer` */
    LoopSize p_data[2], p_draw[2];
    int n_dims;
    LoopSize dim[LOOP_MAX_DIMS], p_dim[2][LOOP_MAX_DIMS];
} LoopFill;

typedef struct LoopNest {
    const char *title;    /* axes and purpose, for people */
    AxisId lane;          /* that its varying registers run over */
    const LoopFill *fill; /* or NULL: code */
    VEC(LoopInst) code;
    VEC(LoopReg) regs;
    int n_vars;
} LoopNest;

typedef enum {
    BUFFER_INPUT,
    BUFFER_OUTPUT,
    BUFFER_SCRATCH,
    BUFFER_FRAME,
    BUFFER_TABLE
} LoopBufferKind;

typedef struct LoopBuffer {
    LoopBufferKind kind;
    const char *name;
    int number;          /* of the input or output */
    LoopSize size;       /* in reals; 0 for inputs */
    int first, last;     /* scratch: nests that write and read it; frame: groups of its nest */
    int slot;            /* scratch; output: where an unwanted one goes */
    int64_t offset;      /* frame: in reals */
    const double *table; /* size.coef of them */
} LoopBuffer;

typedef struct LoopInput {
    const char *name;
    int op; /* in the tensor program: an input or a random source */
} LoopInput;

/* Nests first..last for each tile of `axis`. A tile has as many instances as make
 * `room` of the largest of `numbers`, what a tensor has of one instance; one at least. */
enum { LOOP_MAX_SPACES = 8 };
typedef struct LoopSweep {
    AxisId axis;
    int outer; /* the sweep around it, or -1 */
    int first, last;
    int64_t room;
    int n_numbers;
    LoopSize numbers[LOOP_MAX_SPACES];
} LoopSweep;

/* As large as the largest of `sizes`, rounded up to 64 bytes. */
typedef struct LoopSlot {
    VEC(LoopSize) sizes; /* in reals */
} LoopSlot;

struct LoopProgram {
    const char *name;
    const IrProgram *ir;
    bool f64;
    int lanes;
    AxisId lane;   /* AXIS_NONE: everything is uniform */
    int64_t chunk; /* data sets per call */
    VEC(LoopInput) inputs;
    VEC(LoopBuffer) buffers;
    VEC(LoopSlot) slots; /* of scratch; slot 0 is the frame */
    VEC(LoopNest *) nests;
    VEC(LoopSweep) sweeps; /* an outer one before those in it */
};

/* Whether an output holds partial sums over the chunk's data sets. */
bool loop_output_reduced(const LoopProgram *p, int output);

extern const char *const loop_op_text[LOOP_OP_COUNT];
extern const int loop_op_arity[LOOP_OP_COUNT];

/* ---- sizes ---- */
LoopSize loop_size(int64_t coef);
LoopSize loop_size_times(LoopSize a, LoopSize b);
/* The extent of an axis: a constant for event axes, else a factor. Copies count as their original.
 */
LoopSize loop_size_extent(const LoopProgram *p, AxisId axis);
LoopSize loop_size_most(const LoopProgram *p, AxisId axis);
LoopSize loop_size_mean(const LoopProgram *p, AxisId axis);
/* Where the factor stands in av_call.extent (runtime/abi.h): n times 0, 1, 2 (all instances, the
 * most, how many on average) + its axis, of n axes. -1: it is of lane blocks or of a sweep. */
int loop_factor_entry(const LoopProgram *p, int factor);
bool loop_size_same_factors(LoopSize a, LoopSize b);
/* Blocks of lanes along an axis; the axis of such a factor. */
LoopSize loop_size_blocks(AxisId axis);
static inline AxisId loop_blocks_axis(int factor) {
    return (AxisId)(LOOP_BLOCKS - factor);
}
LoopSize loop_size_tile(int sweep);
LoopSize loop_size_start(int sweep);
/* Whether it changes from tile to tile of `sweep` (-1: of any). */
bool loop_size_in_sweep(LoopSize size, int sweep);

/* ---- plan.c: memory ---- */
/* Gives frame buffers of nest-private lifetimes [first, last] their offsets; returns the frame's
 * size. */
int64_t plan_frame(LoopProgram *p, const int *buffers, int n);
/* Gives scratch buffers their slots. */
void plan_scratch(Arena *arena, LoopProgram *p, int64_t frame);

#endif
