/* schedule.h -- what schedule.c decides and lower*.c writes out: nodes, nests, groups. Private to
 * them.
 *
 * A NODE is an operation of the tensor program, or a copy added for an output or for a gamma shape
 * or what may be replaced. Leaves (constants, weights) and views (pick, slice, rename, place, pad,
 * spread) are read in place: they compute nothing.
 *
 * Nodes are put into SEGMENTS first, which run one after another: what a sweep computes of a tile,
 * or what is computed between sweeps (sweep.c). Nests, groups and storage follow within them.
 *
 * LANES run over one axis of the program; and over a plate in nests that have the plate and not
 * that axis, where it gains (lanes.c): what is computed of one data set, once for all draws.
 *
 * A NEST iterates over a set of loop axes (draws and plates; and the blocks of the lane axis). A
 * node joins the earliest nest over its axes in which all it reads is there already, computed in an
 * earlier nest or point by point in the same one. Reductions over loop axes or lanes are complete
 * after their nest.
 *
 * A GROUP is one sweep over event axes within a nest's body. Nodes join groups by the same rule one
 * level down; a reduction is a group of its own, swallows a producer that nobody else reads, and is
 * followed there by point-wise operations on its result.
 *
 * Products with wide matrices are nests of their own: one call of the BLAS (schedule_gemm.c).
 */
#ifndef ADAVIC_SCHEDULE_H
#define ADAVIC_SCHEDULE_H

#include "opt/loop_code.h"

typedef enum { NODE_LEAF, NODE_VIEW, NODE_POINT, NODE_REDUCE, NODE_RANDOM } NodeClass;

/* Activations of a product: features [first, first + n) of the `whole` that each point of `node`
 * has, at the points of its loop axes and of `outer` event positions. */
typedef struct GemmSide {
    int node;
    int64_t n, whole, first, outer;
} GemmSide;

/* A contract as one call of the BLAS; see runtime/gemm.h. The weights begin at number w_first of
 * node w. */
typedef struct GemmPlan {
    int kind, w;
    int64_t w_first, w_row;
    GemmSide x, y;
} GemmPlan;

typedef struct Node {
    IrOp op; /* args are nodes */
    NodeClass class;
    bool live;
    int input, output; /* numbers of the program's, or -1 */
    uint32_t loops;    /* loop axes of the result, */
    uint32_t space;    /* and of the iteration, as sets of bits (Schedule.loop_axes) */
    AxisId lane;       /* of the iteration; AXIS_NONE: it has no lanes */
    bool varying;      /* the result has the lane axis; a plate that is one is not in `loops` */
    bool plain;        /* read where lanes are others: its buffer is as if it had none */
    int n_events, n_space_events;
    AxisId events[IR_MAX_AXES], space_events[2 * IR_MAX_AXES];
    int n_uses, user;   /* reads by nodes that compute; the last of them */
    int sweep, segment; /* sweep: the innermost, or -1 */
    int nest, group;
    int local; /* the innermost sweep that all its reads are in, too: the buffer holds its tile */
    bool inlined; /* computed where it is read */
    bool shared;  /* read in other nests: in `buffer` */
    bool kept;    /* read in other groups of its nest: in registers, or in `buffer` of the frame */
    bool rows;    /* layout, see loop.h */
    int buffer;
    int sums; /* buffer of per-lane sums where lanes are reduced, of panels in a product, else -1 */
    const GemmPlan *gemm;
    int first_nest, last_nest; /* that its buffer must last for */
    int last_group;
    int *regs; /* by position in unrolled events; valid in the nest or iteration `stamp` */
    int stamp;
} Node;

typedef struct Group {
    bool reduce;
    int n_events;
    const AxisId *events;
    VEC(int) nodes;
} Group;

typedef enum { NEST_POINT, NEST_KERNEL, NEST_FILL, NEST_GEMM } NestKind;

typedef struct Nest {
    NestKind kind;
    int sweep, segment;
    uint32_t space;
    AxisId lane;
    int copies; /* neighbouring instances that it computes at once (jam.c) */
    VEC(int) nodes;
    VEC(Group) groups;
} Nest;

typedef struct Schedule {
    Arena *arena;
    const IrProgram *ir;
    LoopProgram *out;
    VEC(Node) nodes;
    VEC(Nest) nests; /* the sweeps' first and last are numbers of these until lowering */
    int bound;       /* of the node that is being placed: the first nest that it can be in */
    int n_loop_axes;
    AxisId loop_axes[32]; /* canonical order: outermost first */
    int8_t *loop_bit;     /* by axis; -1: not a loop axis */
    AxisId plate_lane;    /* lanes of nests without the program's lane axis, or AXIS_NONE */
    int64_t blas;         /* features from which on products go to the BLAS; 0: none do */
    ScheduleKeep keep;
    int64_t tile;   /* as in ScheduleOptions, */
    int copies;     /* too */
    bool *unrolled; /* by axis: its positions are written out, every index to it is constant */
} Schedule;

/* The node that `v` takes its numbers from, through views. */
typedef struct Base {
    int node;
    bool same_loops, same_events; /* no view on the way moves an index */
    uint32_t moved;               /* the loop axes that one moves */
} Base;
Base schedule_base(const Schedule *s, int v);

/* Leaves and views are read in place, and what is not live not at all. */
static inline bool schedule_computes(const Node *node) {
    return node->live && node->class != NODE_LEAF && node->class != NODE_VIEW;
}

/* The loop axes among `axes`. */
uint32_t schedule_loops(const Schedule *s, const AxisId *axes, int n);
/* `live`: what outputs need. */
void schedule_mark_live(Schedule *s);

/* All nodes that compute and that `v` reads, swallowed producers looked through. */
typedef void ScheduleVisit(Schedule *s, int reader, Base read);
void schedule_reads(Schedule *s, int reader, int v, ScheduleVisit *visit);

bool schedule_lane_reduced(const Node *node);
/* Whether an axis of lanes may have several blocks of them. */
bool schedule_many_blocks(const Schedule *s, AxisId lane);
/* Whether the numbers of a node lie in its buffer without lanes, row-major over all its axes. */
bool schedule_plain(const Schedule *s, const Node *node);
/* An input with lanes: read afresh where lanes run over another axis, or there are none. */
static inline bool schedule_elsewhere(const Node *node, AxisId lane) {
    return node->op.opcode == OP_INPUT && node->class == NODE_POINT && node->lane != lane;
}
/* lanes.c: the plate whose instances fill lanes best where the program's own axis is not there. */
AxisId schedule_plate_lanes(const Schedule *s);
/* Is it a nest of its own, with its loops inside the event axes? */
bool schedule_is_kernel(const Schedule *s, const Node *node);
int64_t schedule_event_count(const Schedule *s, const AxisId *axes, int n);
bool schedule_in_registers(const Schedule *s, const Node *node);
int schedule_buffer(Schedule *s, LoopBuffer buffer);

/* sweep.c: puts the live nodes into segments, and in their order */
void sweep_plan(Schedule *s);
/* The sweep of `axis` among `sweep` and those around it, or -1. */
int sweep_over(const Schedule *s, int sweep, AxisId axis);
/* Instances of `axis` that there are at a time within `sweep` (-1: the program): a tile, or all. */
LoopSize sweep_extent(const Schedule *s, int sweep, AxisId axis);
/* ragged.c: how many places an axis takes in a buffer of a value over `loops` that holds a tile of
 * `sweep` (-1: all); 1 where the rows of a ragged plate count the instances of those around it. */
LoopSize ragged_extent(const Schedule *s, uint32_t loops, int sweep, AxisId axis);
/* The ragged plate by whose rows such a buffer is laid out, or AXIS_NONE. */
AxisId ragged_rows(const Schedule *s, uint32_t loops, int sweep);
/* Is there a ragged plate that is `axis`, or in it? */
bool ragged_related(const IrProgram *ir, AxisId axis);
/* A copy of the program with the inputs that say how ragged plates are cut, or itself. */
const IrProgram *ragged_inputs(Arena *arena, const IrProgram *ir);
/* The innermost sweep around both, or -1. */
int sweep_common(const Schedule *s, int a, int b);
/* The outermost sweep over an axis that the node sums over, or -1. */
int sweep_summed(const Schedule *s, const Node *node);
/* The outermost sweep whose tiles the node's buffer outlasts, or -1. */
int sweep_outlasted(const Schedule *s, const Node *node);
/* First and last nest of what repeats `nest` within `sweep` (-1: within the program). */
void sweep_lifetime(const Schedule *s, int sweep, int nest, int *first, int *last);
/* Which nests belong to each sweep, and how much they compute of an instance. */
void sweep_measure(Schedule *s);

/* schedule_gemm.c: how the BLAS computes the node, or NULL: it does not */
const GemmPlan *schedule_gemm(Schedule *s, int v);

/* lower.c: nests, with the starts and ends of sweeps between them */
void lower_all(Schedule *s);

#endif
