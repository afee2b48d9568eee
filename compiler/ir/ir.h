/* ir.h -- the tensor IR: SSA values over named axes.
 *
 * A program is a table of axes and a list of operations; an operation yields one value, named by
 * its position in the list (IrValue). Operands always stand before their users. A value has an
 * element type and a set of axes, kept in canonical order: data, draw, plates (parents first,
 * copies beside their original), events by axis id. There are no transposes, reshapes or paddings:
 * operands are matched by axis, and an operand that lacks an axis of the result is constant along
 * it (implicit broadcast).
 *
 * Kinds of axis
 *   data   the data sets of a minibatch (run-time extent; at most one such axis in a program)
 *   draw   draws of the latents per data set (run-time extent; at most one)
 *   plate  a plate of the model, with its parent plate (run-time extent). Of a RAGGED one every
 *          instance of the parent has a number of its own: a value along it also lies along the
 *          parent, and its extent is a value along the plates around it
 *   event  a static extent: features, heads, inducing points, components of a vector
 * A copy of an axis (`copy_of`) shares its extents, so that a set can attend to itself.
 *
 * Rule of the reduced data axis: a program runs in chunks of data sets, and what it reduces over
 * `data` is a partial sum that the runtime adds up over the chunks at the end. Whatever descends
 * from such a sum must therefore be linear in it: neg, add and sub of partial sums, mul and
 * contract with a value that is not partial, div by one, select between partial sums, and the
 * structural operations; never a non-linear function, never a sum with a value that is not partial
 * (it would be added once a chunk; literal zero excepted), never back along `data`. ir_reduced
 * computes which values are partial; the verifier complains of other uses.
 *
 * Every operation is one row of ops.def: name, arity, axis rule, value, derivative, emission, text.
 *
 *     IrProgram *p = ir_program_new(arena, "step");
 *     AxisId data = ir_axis(p, "data", AXIS_DATA, AXIS_NONE, 0);
 *     AxisId d = ir_axis(p, "d0.2", AXIS_EVENT, AXIS_NONE, 2);
 *     IrValue x = ir_input(p, "x", ROLE_DATA, (AxisId[]){data, d}, 2);
 *     IrValue y = ir_sum(p, ir_square(p, x), &d, 1); // over [data]
 *     ir_output(p, "y", y);
 *
 * Text form: text.h (the printer and the parser are inverse to each other).
 */
#ifndef ADAVIC_IR_H
#define ADAVIC_IR_H

#include "base/base.h"

typedef int AxisId;
typedef int IrValue;
#define AXIS_NONE (-1)
#define IR_NONE (-1)

typedef enum { AXIS_DATA, AXIS_DRAW, AXIS_PLATE, AXIS_EVENT } AxisKind;

typedef struct IrAxis {
    const char *name; /* unique in the program */
    AxisKind kind;
    AxisId parent;  /* of a plate: the enclosing plate, or AXIS_NONE */
    bool ragged;    /* the instances of the parent differ in how many they have */
    AxisId copy_of; /* the axis whose extents it shares, or AXIS_NONE; of originals only */
    int64_t extent; /* of an event axis; 0 = known at run time */
    int64_t usual;  /* of a plate: the size that costs are estimated for; 0 = unknown */
} IrAxis;

/* real is f32 or f64, chosen at code generation; the interpreter computes in double */
typedef enum { IR_REAL, IR_BOOL, IR_INT } IrType;

/* What an input is to the runtime (printed in the manifest, see runtime/abi.h). */
typedef enum {
    ROLE_WEIGHT,  /* trained; no data, draw or plate axis */
    ROLE_HYPER,   /* a hyper of the model */
    ROLE_DATA,    /* an observed variable */
    ROLE_LATENT,  /* a latent given from outside (log joint) */
    ROLE_STAT,    /* of prior predictive draws: "<output of program prepare>:median" or ":mad" */
    ROLE_CONTROL, /* a scalar that training sets, 1 unless it says otherwise (entropy_weight) */
    ROLE_SEGMENT, /* of a ragged plate, by instance of its parent: "PLATE:count" instances, behind
                     the "PLATE:first" of those before it */
} IrRole;

typedef enum {
    RANDOM_NORMAL, /* without operands up to RANDOM_EXPONENTIAL */
    RANDOM_UNIFORM,
    RANDOM_EXPONENTIAL,
    RANDOM_GAMMA,    /* shape */
    RANDOM_POISSON,  /* rate */
    RANDOM_BINOMIAL, /* number, probability */
    RANDOM_GIVEN     /* what may be replaced */
} IrRandom;

typedef enum {
#define OP(ENUM, ...) OP_##ENUM,
#include "ir/ops.def"
#undef OP
    OP_COUNT
} IrOpcode;

/* How the axes of the result follow from the operands'. */
typedef enum {
    RULE_LEAF,     /* as declared */
    RULE_POINT,    /* union of the operands' */
    RULE_REDUCE,   /* the operand's less `over` (which it must have) */
    RULE_CONTRACT, /* union less `over` (each of which at least one operand must have) */
    RULE_RENAME,   /* axis -> axis2, of equal extent */
    RULE_PICK,     /* less `axis` */
    RULE_PLACE,    /* plus `axis` */
    RULE_SLICE,    /* axis -> axis2: axis2[i] = axis[index + i] */
    RULE_PAD,      /* axis -> axis2: axis2[index + i] = axis[i], 0 elsewhere */
    RULE_SPREAD,   /* the operand's and those declared */
    RULE_RANDOM,   /* as declared; a superset of the operand's */
} IrRule;

enum { IR_MAX_AXES = 16, IR_MAX_OVER = 16, IR_MAX_TABLE = 1 << 24 };

typedef struct IrOp {
    IrOpcode opcode;
    IrType type;
    int n_args;
    IrValue args[3];
    int n_axes; /* of the result, canonical order */
    AxisId axes[IR_MAX_AXES];
    int n_over; /* RULE_REDUCE, RULE_CONTRACT */
    AxisId over[IR_MAX_OVER];
    AxisId axis, axis2; /* structural operations, extent */
    int64_t index; /* pick, place, slice, pad: position; random: 32-bit FNV-1a of the site's name */
    double number; /* const */
    const double *table; /* table: row-major over its (event) axes */
    const char *name;    /* input, random */
    IrRole role;         /* input */
    IrRandom random;     /* random: kind */
    const char *note;    /* where it came from; printed as a comment, never compared */
} IrOp;

typedef struct IrOutput {
    const char *name;
    IrValue value;
} IrOutput;

typedef struct IrProgram {
    Arena *arena;
    const char *name;
    VEC(IrAxis) axes;
    VEC(IrOp) ops;
    VEC(IrOutput) outputs;
    const char *note; /* attached to operations built from here on (may be NULL) */
    /* The same outputs as they were first written, where a transformation changed what they cost:
     * its arithmetic is what counts as useful (opt/count.h). NULL: this program's. */
    struct IrProgram *as_written;
} IrProgram;

/* ---- ops.def as data ---- */
/* What an element of a point-wise operation counts (opt/count.h). */
typedef enum { COST_NONE, COST_FLOP, COST_FUNCTION } IrCost;
typedef struct IrOpInfo {
    const char *text;
    int arity;
    IrRule rule;
    IrCost cost;
    const char *doc;
} IrOpInfo;
extern const IrOpInfo ir_op_info[OP_COUNT];

/* ---- build.c: every builder checks its operands and ends with internal_error on misuse ---- */
IrProgram *ir_program_new(Arena *arena, const char *name);
/* An empty program of the same arena, name and axes (the same axis ids). */
IrProgram *ir_program_like(const IrProgram *p);

IrValue ir_const(IrProgram *p, double number);
IrValue ir_table(IrProgram *p, const double *data, const AxisId *axes, int n_axes);
IrValue ir_input(IrProgram *p, const char *name, IrRole role, const AxisId *axes, int n_axes);
IrValue ir_random(IrProgram *p, IrRandom kind, const char *site, const AxisId *axes, int n_axes);
IrValue ir_given(IrProgram *p, IrValue v, const char *name); /* v, unless input `name` is there */
IrValue ir_random_of(IrProgram *p, IrRandom kind, const IrValue *params, const char *site,
                     const AxisId *axes, int n_axes);
/* The number of instances, in each of the parent's where the axis is ragged. */
IrValue ir_extent(IrProgram *p, AxisId axis);
/* The sum over plates and draws of a value that may lack some of them: it is counted at each of
 * their positions. */
IrValue ir_sum_at(IrProgram *p, IrValue v, const AxisId *axes, int n);
/* Any point-wise operation; ir_exp(p, a), ir_add(p, a, b), ... one per row of ops.def: points.h. */
IrValue ir_point(IrProgram *p, IrOpcode opcode, const IrValue *args, int n);
IrValue ir_sum(IrProgram *p, IrValue a, const AxisId *over, int n_over);
IrValue ir_max_over(IrProgram *p, IrValue a, const AxisId *over, int n_over);
/* Sum over `over` of a*b. With n_over == 0 it is `mul`. */
IrValue ir_contract(IrProgram *p, IrValue a, IrValue b, const AxisId *over, int n_over);
IrValue ir_rename(IrProgram *p, IrValue a, AxisId from, AxisId to);
IrValue ir_pick(IrProgram *p, IrValue a, AxisId axis, int64_t index);
IrValue ir_place(IrProgram *p, IrValue a, AxisId axis, int64_t index);
IrValue ir_slice(IrProgram *p, IrValue a, AxisId from, AxisId to, int64_t start);
IrValue ir_pad(IrProgram *p, IrValue a, AxisId from, AxisId to, int64_t start);
IrValue ir_spread(IrProgram *p, IrValue a, const AxisId *axes, int n_axes);
void ir_output(IrProgram *p, const char *name, IrValue v);
/* Appends `op` after checking it and inferring type and axes: the one door for operations. Returns
 * a complaint through *why (and IR_NONE): the parser and the verifier use it. */
IrValue ir_append(IrProgram *p, IrOp op, const char **why);
/* What ir_append checks and infers, for an operation that stands at `position`. */
const char *ir_infer(const IrProgram *p, IrOp *op, int position);
/* Entries over event axes alone; -1 if another axis is among them, or they are more than
 * IR_MAX_TABLE. */
int64_t ir_event_size(const IrProgram *p, const AxisId *axes, int n);

/* ---- print.c, parse.c, verify.c ---- */
void ir_print(Text *out, const IrProgram *p);
/* Reads one program in text form; NULL and *error ("line 3: ...") on bad input; never crashes. */
IrProgram *ir_parse(Arena *arena, const char *text, const char **error);
/* NULL if sound, else a complaint that names the operation. */
const char *ir_verify(const IrProgram *p);
/* For every value, whether it is a partial sum over data sets (see the rule above); NULL and *why
 * where the rule is broken. An output that is partial is what the manifest calls reduced. */
const bool *ir_reduced(Arena *arena, const IrProgram *p, const char **why);

#include "ir/axes.h"
#include "ir/points.h"

#endif
