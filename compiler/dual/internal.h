/* internal.h -- shared by the files of dual/: the program under construction and what is known in
 * it.
 *
 * Axes. Component i of a variable's event lives on the event axis "d<i>.<extent>" (equal shapes
 * share axes, so that broadcasting by name is broadcasting by shape). Activations of width n live
 * on "f.<n>"; a weight's output axis is "o.<n>", renamed to "f.<n>" after use. Weights are stored
 * [in, out] row-major, so every axis that can be an input is declared before any that is an output
 * (build_start).
 */
#ifndef ADAVIC_DUAL_INTERNAL_H
#define ADAVIC_DUAL_INTERNAL_H

#include "dual/dual.h"

#include <setjmp.h>

/* A lowered expression: its event shape is carried along, since bodies of functions are typed by
 * use. */
typedef struct Val {
    IrValue v;
    int n_dims;
    int64_t dims[MAX_DIMS];
} Val;

/* A group of features: a value and the event axes that are features of it (none: one number). */
typedef struct Block {
    IrValue v;
    int n_axes;
    AxisId axes[MAX_DIMS];
    const char *tag; /* names its weights where a layer reads several blocks */
} Block;

/* Limits of this version; a model beyond them is refused (over_limit). */
enum {
    MAX_BLOCKS = 36,     /* that a layer reads */
    MAX_UNROLLED = 8,    /* numbers in a flow written out number by number (maf.c); wider ones are
                            layers (iaf.c). Two flows of 8 compile in 1.8 s, of 16 in 6 s */
    MAX_FLOW = 1024,     /* numbers in one flow: GRE of 1024 has 2.5 million weights and trains in
                            0.9 GB, most of it for its data */
    MAX_PAPER = 32,      /* the same of --paper, written out: 32 compile in half a minute */
    MAX_LOOP_AXES = 32,  /* draws, plates and their copies in one program: the schedule's */
    MAX_LOWERED = 50000, /* operations of one program before gradients are added */
    MAX_OPERATIONS = 150000
};

typedef struct Blocks {
    int n;
    int refused; /* blocks beyond MAX_BLOCKS: whoever reads them refuses the model */
    Block at[MAX_BLOCKS];
} Blocks;

/* What random primitives become when a `sample` body is lowered. */
typedef enum {
    BASE_DRAWS,  /* random sources */
    BASE_CENTRE, /* their medians: the body yields the centre of the distribution */
    BASE_UPPER,  /* one (Build.upper_site) at its upper 16 % point, the others at the median: centre
                    + about one spread */
} BaseMode;

typedef struct Build {
    Arena *arena;
    Dual *dual;
    const Model *model;
    const Analysis *analysis;
    DualOptions options;
    Diags *diags;         /* where a model beyond the limits is reported, or NULL, */
    jmp_buf *too_large;   /* and where it is given up; set by dual_derive */
    bool given;           /* program posterior: the data are given, not simulated */
    bool held;            /* weights are constants for the gradient */
    VEC(IrValue) weights; /* by Dual.weights: the input, once it is read; else IR_NONE */
    bool preparing;       /* program prepare: features leave raw, as outputs */
    bool by_draw;         /* program predict: what is simulated varies from draw to draw */
    IrProgram *p;
    AxisId data, draw;
    AxisId *plate;    /* by Plate.index; crosses have none: plate_axis */
    Val *value;       /* by Var.index; v == IR_NONE: not computed yet */
    IrValue *present; /* by Var.index, of observed ones: what is there (missing.h); IR_NONE: all */
    IrValue *local;   /* by Plate.index, of plates around nothing else, in program posterior: log
                         density ratio of what is in an instance; NULL: not wanted */
    /* state of one `sample` body */
    BaseMode base;
    const Var *sampled;
    int upper_site;       /* BASE_UPPER: which base draw is at its upper point */
    double choice;        /* of a mixture's component, instead of its last base draw */
    bool sampled_by_rows; /* the body is for one value of several (rows.c) */
    bool support_bounded; /* of the variable sampled: moves the normal's centre off 0 */
} Build;

/* The way through a flow: from base draws to latents, or back, where latents are given. Either adds
 * log |d latent / d base| to its *log_det. */
typedef enum { WAY_DRAW, WAY_DENSITY } Way;

/* ---- programs.c ---- */
/* Gives the model up: `what` are more than `most`; at `where`, or the first observed variable. */
_Noreturn void over_limit(Build *b, const Var *where, const char *what, int64_t most);
/* Forgets everything but data and constants: what follows is about draws from the guide. */
void forget_latents(Build *b);

/* ---- lower.c: expressions ---- */
Build *build_start(Arena *arena, Dual *dual, const char *name);
Val lower_expr(Build *b, const Expr *e);
Val lower_var(Build *b, const Var *var);
/* A draw from `var`'s distribution (or its centre or upper point, by `mode`), over `var`'s axes. */
Val lower_sample(Build *b, const Var *var, BaseMode mode);
/* Centre and spread of the law of `var` given its arguments, each through `map` (NULL: as it is).
 * Of an event, the spread is that of all base draws together, to first order. */
typedef Val (*ValMap)(Build *b, const Var *var, Val val);
void lower_centre_and_spread(Build *b, const Var *var, ValMap map, Val *centre, IrValue *spread);
/* log p(value | arguments), summed over the event; [data, (draw), plates]. 0 where the cell is
 * missing. */
IrValue lower_log_prob(Build *b, const Var *var, Val value);
/* Link of a latent: part applied to `at` (forward: v -> value; inverse; log_jacobian at v: one
 * number per entry, or per event where the link is of events). */
Val lower_link(Build *b, const Var *latent, LinkPart part, Val at);
/* The variable as whose observation the encoder and the starts take `observed`: of push(link,
 * dist(...)) what is inside, so that locations and scales mean what they say; of categories an
 * indicator of each; and its value. */
const Var *as_inferred(const Build *b, const Var *observed);
Val lower_as_inferred(Build *b, const Var *observed);
AxisId event_axis(Build *b, int position, int64_t extent);
/* Event axes of a shape into axes[]; returns how many. */
int event_axes(Build *b, const Val *val, AxisId *axes);
/* data, plates down to `plate`, into axes[]; returns how many. */
int instance_axes(Build *b, const Plate *plate, bool with_draw, AxisId *axes);
Val val_of(IrValue v, const Type *type);
static inline IrValue number(Build *b, double x) {
    return ir_const(b->p, x);
}
/* `v` repeated along those of `axes` that it lacks. */
IrValue along(Build *b, IrValue v, const AxisId *axes, int n);
/* `v` summed over `plate` and all around it; where it is constant along one, times its size. */
IrValue sum_over_plates(Build *b, IrValue v, const Plate *plate);
/* The same as far as `outer`, which is around `plate` and stays. */
IrValue sum_up_to(Build *b, IrValue v, const Plate *plate, const Plate *outer);
/* Adds `v` of an instance of `plate` to b->local of the outermost plate around it. */
void add_local(Build *b, IrValue v, const Plate *plate);
/* The latent's event flattened onto `flat` and back (row-major). */
IrValue flatten(Build *b, Val val, AxisId flat);
IrValue flatten_at(Build *b, Val val, AxisId flat, int64_t start); /* 0 elsewhere */
Val unflatten(Build *b, IrValue v, AxisId flat, int64_t start, const Type *type);
int64_t event_size(const Type *type);
/* Statistic of prior draws of output `name` of program prepare (ROLE_STAT). */
IrValue stat_input(Build *b, const char *name, const char *what, const AxisId *axes, int n);
/* One spread of `var`'s law about its location (which need not be known). */
IrValue lower_spread(Build *b, const Var *var);
/* Of a law about a location, entry by entry, of what is left when the location is taken away:
 * centre and spread; log density. For laws of one number whose bodies are written for one. */
void lower_residual_law(Build *b, const Var *var, Val *centre, IrValue *spread);
IrValue lower_residual_log_prob(Build *b, const Var *var, IrValue residual);
/* Log density of such a law at the variable's value, with the numbers `arg` for one parameter. */
IrValue lower_log_prob_for(Build *b, const Var *var, int param, IrValue arg);

/* ---- shaped.c: positions, stretches, matrices ---- */
/* `v` along `to` instead of `from`, where it has that axis. */
IrValue renamed(Build *b, IrValue v, AxisId from, AxisId to);
Val lower_index(Build *b, const Val *whole, int dim, int64_t index);
Val lower_slice(Build *b, const Val *whole, int dim, int64_t start, int64_t count);
Val lower_shaped(Build *b, Shaped shaped, const Val *args);

/* ---- discrete.c: discrete latents ---- */
AxisId summed_axis(Build *b, const Var *var); /* of a summed variable's values */
/* 1 along `kinds` at the category that v is, else 0. */
IrValue indicators(Build *b, IrValue v, AxisId kinds);
/* The entry of `whole` along `dim` that `position` names. */
Val lower_at(Build *b, const Val *whole, int dim, IrValue position);
/* Log density of what discrete latents are summed out of, [data, draw]: of the groups with an
 * observed member (kind VAR_OBSERVED) or of those without. IR_NONE: there are none. */
IrValue summed_density(Build *b, VarKind kind);
/* log of the sum of exp v over an axis. */
IrValue log_sum_exp(Build *b, IrValue v, AxisId axis);
/* Program posterior: for each discrete latent the probabilities of its values, given the draw. */
void output_probabilities(Build *b);

/* ---- rows.c: independent copies of an event ---- */
typedef struct Rows {
    int n; /* dimensions of the copies */
    int64_t dims[MAX_DIMS];
    AxisId axes[MAX_DIMS];
} Rows;
Rows rows_of(Build *b, const Type *type, int n_event);
/* An argument or value as the body for one value sees it, whose own shape is `event`. */
Val rows_enter(Build *b, Val val, int n_event, const int64_t *event);
/* What a body yields, with the copies in front again. */
Val rows_leave(Build *b, Val val, const Rows *rows);
/* Over all copies; where it is the same for each, times their number. */
IrValue rows_sum(Build *b, IrValue v, const Rows *rows);
/* May this body, written for one number, be applied to all entries of an event at once? */
bool is_entrywise(const Expr *e);

/* ---- layers.c: dense layers, layer norm, attention, set transformers ---- */
AxisId named_axis(Build *b, const char *prefix, int64_t n); /* the event axis "<prefix>.<n>" */
AxisId feature_axis(Build *b, int64_t width);               /* "f.<width>" */
AxisId output_axis(Build *b, int64_t width);                /* "o.<width>" */
IrValue weight(Build *b, const char *name, const AxisId *axes, int n, IrInit init);
IrInit glorot(double gain, int64_t in, int64_t out); /* uniform; gain 0: zero */
/* sum over blocks of block . W + bias, on feature_axis(width). Glorot-uniform times gain; gain 0
 * starts at zero. */
IrValue dense(Build *b, const char *name, const Blocks *in, int64_t width, double gain);
IrValue dense_plain(Build *b, const char *name, IrValue x, int64_t width_in, int64_t width,
                    double gain);
/* The same on the axes `out` themselves (feature or, behind them, output axes). */
IrValue dense_over(Build *b, const char *name, const Blocks *in, const AxisId *out, int n_out,
                   double gain);
Block block_of(IrValue v, int n_axes, const AxisId *axes, const char *tag);
void blocks_add(Blocks *blocks, Block block);

typedef struct SetTransformer {
    int64_t width, heads, inducing, seeds, n_isab;
    bool pre_norm; /* LN before attention: the residual stream carries means linearly; false: the
                      paper's post-norm */
} SetTransformer;
/* Pools the elements `in` over plate axis `plate` into [.., f.<width>]; same weights for every
 * instance. `present`: 1 for elements that count, 0 for others; IR_NONE: all do. */
IrValue set_transformer(Build *b, const char *name, const SetTransformer *shape, const Blocks *in,
                        AxisId plate, IrValue present);

#include "dual/guide.h"
#include "dual/laws.h"

#endif
