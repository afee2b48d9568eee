/* rt.h -- what the parts of a compiled program share: memory, errors, the manifest, threads, calls
 * of programs.
 *
 *     RtMem *mem = rt_mem_new();
 *     RtModel *model = rt_model_new(mem, adavic_manifest, &error);
 *     RtPool *pool = rt_pool_new(mem, 2);
 *     RtCall *call = rt_call_new(mem, model, "simulate", pool, sizes, 64, 1);
 *     rt_call_bind(call, "s_mu", number);         // inputs by name; random sources stay unbound
 *     float *x = rt_call_want(call, "x");         // [64, plates, dims]
 *     rt_call_ready(call);                        // all memory is there from here on
 *     rt_call_run(call, key, step, data0, 64);
 *
 * Lifetimes: everything lives in an RtMem until rt_mem_free.
 */
#ifndef ADAVIC_RT_H
#define ADAVIC_RT_H

#include "runtime/abi.h"
#include "runtime/purpose.h"
#include "runtime/sizes.h"

/* ---- manifest.c ---- */
enum { RT_MAX_AXES = 16, RT_MAX_DIMS = 4, RT_MAX_FACTORS = 32 };

typedef struct RtPlate {
    const char *name, *reason, *column; /* column: the CSV key */
    int parent;                         /* index, or -1 */
    int across; /* of a cross: the other plate of its pairs, whose size it has; or -1 */
    int depth;
    int64_t size;   /* declared; of a range: where nothing else is said */
    int64_t lo, hi; /* sizes that training covers */
    bool exchangeable, ragged;
} RtPlate;

/* A cross has a copy for each pair of instances of two plates, its parent and the one that it lies
 * across: arrays over it are [parent][across]. It is called by both, NAME*OTHER, and its size is
 * always that of the other: what has sizes, or is counted, is that plate. */

/* A discrete latent's dims are the number of its values; their probabilities are inferred. */
typedef enum {
    RT_HYPER,
    RT_LATENT,
    RT_OBSERVED,
    RT_QUANTITY,
    RT_CONTEXT,
    RT_DISCRETE,
    RT_GIVEN,   /* a covariate */
    RT_PRESENCE /* 1 for the cells of an observed variable that are there, or 0 */
} RtVarKind;
typedef struct RtVar {
    RtVarKind kind;
    const char *name;
    int n_plates, plates[RT_MAX_PLATES]; /* outermost first */
    int n_dims;
    int64_t dims[RT_MAX_DIMS];
    int64_t event;    /* product of dims */
    double *values;   /* hyper */
    bool positive;    /* context, given: numbers above 0 alone */
    int64_t n_kinds;  /* observed, given: 0 .. n_kinds - 1 alone, where it is not 0 */
    bool whole, sums; /* observed, given: whole numbers from 0 on alone; an event has a sum */
    int64_t most;     /* at most this, unless it is below 0; */
    int most_of;      /* at most the number of this covariate, or -1 */
    int presence;     /* observed: says which cells are there, or -1: all are; */
    double harmless;  /* what every entry may be where one is missing */
} RtVar;

/* Must its values be there before inference? */
static inline bool rt_is_given(const RtVar *v) {
    return v->kind == RT_OBSERVED || v->kind == RT_CONTEXT || v->kind == RT_GIVEN ||
           v->kind == RT_PRESENCE;
}

/* Is it in every data file? (Contexts may be, or are stated.) */
static inline bool rt_is_data(const RtVar *v) {
    return v->kind == RT_OBSERVED || v->kind == RT_GIVEN;
}

/* Is it part of the answer of inference? */
static inline bool rt_is_inferred(const RtVar *v) {
    return v->kind == RT_LATENT || v->kind == RT_QUANTITY || v->kind == RT_DISCRETE;
}

/* Components that may be exchanged: entries of the latents moved[i] along dimension dim[i]. */
typedef struct RtSymmetry {
    int64_t components;
    int plate, n_moved, *moved, *dim; /* plate: in each instance by itself; -1: in all at once */
} RtSymmetry;

typedef enum { RT_CONSTANT, RT_UNIFORM, RT_NORMAL } RtInit;
typedef struct RtWeight {
    const char *name;
    int n_dims;
    int64_t dims[RT_MAX_DIMS];
    int64_t size, offset; /* in the flat vector; offsets are multiples of 16 */
    RtInit init;
    double scale;
} RtWeight;

typedef enum { RT_DATA, RT_DRAW, RT_PLATE, RT_EVENT } RtAxisKind;
typedef struct RtAxis {
    const char *name;
    RtAxisKind kind;
    int plate; /* index in RtModel.plates, also of a copy; -1 */
    int64_t extent;
} RtAxis;

typedef enum {
    RT_IN_WEIGHT,
    RT_IN_HYPER,
    RT_IN_DATA,
    RT_IN_LATENT,
    RT_IN_STAT,
    RT_IN_CONTROL,
    RT_IN_SEGMENT,
    RT_IN_RANDOM
} RtRole;
typedef struct RtTensor {
    const char *name;
    RtRole role;  /* of an input */
    bool reduced; /* of an output */
    int n_axes, axes[RT_MAX_AXES];
} RtTensor;

/* Of a count: coef times the extents of the axes. */
typedef struct RtTerm {
    int64_t coef;
    int n_axes, axes[RT_MAX_FACTORS];
} RtTerm;

typedef struct RtProgram {
    const char *name;
    int64_t chunk;
    int n_axes, n_inputs, n_outputs, n_flop, n_functions;
    RtTerm *flop, *functions;
    RtAxis *axes;
    RtTensor *inputs, *outputs;
    const av_entry *entry;
} RtProgram;

typedef struct RtText {
    const char *key, *text;
} RtText;

typedef struct RtModel {
    const char *name, *hash, *family, *target;
    bool f64;
    size_t real; /* 4 or 8 */
    int n_plates, n_vars, n_symmetries, n_weights, n_texts, n_programs;
    RtPlate *plates;
    RtVar *vars;
    RtSymmetry *symmetries;
    RtWeight *weights;
    RtText *texts;
    RtProgram *programs;
    int64_t sets, draws;  /* defaults of training; 0: the runtime's own */
    int64_t n_parameters; /* weights, as numbers */
    int64_t flat;         /* length of the flat vector, padding included */
} RtModel;

/* NULL with the reason if the text is malformed or names a program without an entry. */
RtModel *rt_model_new(RtMem *mem, const char *manifest, RtError *error);
const RtProgram *rt_program(const RtModel *m, const char *name); /* or NULL */
/* Its output of the first n characters of a name, or NULL; also of no program. */
const RtTensor *rt_output(const RtProgram *p, const char *name, size_t n);
const RtVar *rt_var(const RtModel *m, const char *name);
int rt_plate(const RtModel *m, const char *name); /* or -1 */
/* The plate whose instances this one counts within its parent: itself, of a cross the other. */
int rt_counts(const RtModel *m, int plate);
int rt_cross_of(const RtModel *m, const RtVar *v); /* the cross that a variable is in, or -1 */
const char *rt_text(const RtModel *m, const char *key);
/* Words of the line at *cursor, unquoted; it moves on. -1 if a quote stays open. */
int rt_words(RtMem *mem, const char **cursor, char ***words);

/* ---- pool.c ---- */
typedef struct RtPool RtPool;
typedef void RtJob(void *context, int64_t item, int worker);
RtPool *rt_pool_new(RtMem *mem, int threads); /* the caller's thread is worker 0 */
int rt_pool_threads(const RtPool *pool);
/* Runs items 0..n-1, each once, on any worker in any order; returns when all are done. */
void rt_pool_run(RtPool *pool, RtJob *job, void *context, int64_t n);
void rt_pool_free(RtPool *pool);
/* Denormal numbers become 0 in this thread: the same arithmetic, and speed, in all of them. */
void rt_flush_denormals(void);

/* ---- program.c ---- */
/* The one size that a plate can have in programs of family total-flow; 0: any. */
int64_t rt_plate_fixed(const RtModel *m, int plate);
typedef struct RtCall RtCall;
/* Ends the program where a size is not the one that there can be. */
RtCall *rt_call_new(RtMem *mem, const RtModel *m, const char *program, RtPool *pool,
                    const RtSizes *sizes, int64_t n_data, int64_t n_draw);
/* False if the program has no such input (an unused hyper, say). */
bool rt_call_bind(RtCall *call, const char *input, const void *data);
/* The result of an output: of the model's real type and [data, ...] where it has a data axis, else
 * double (sums over data sets in chunk order). NULL if there is no such output. */
void *rt_call_want(RtCall *call, const char *output);
/* Elements, per data set where it has a data axis. */
int64_t rt_call_size(const RtCall *call, const char *output);
int64_t rt_call_sets(const RtCall *call); /* rt_call_new's */
/* Other plate sizes from the next run on, none larger than rt_call_new's; results are as large. */
void rt_call_resize(RtCall *call, const RtSizes *sizes);
/* For programs without plates in their results: each `block` data sets get sizes of their own (none
 * larger than rt_call_new's), and a weight in sums. Before rt_call_want; then rt_call_block, for
 * every block, before each run. */
void rt_call_blocks(RtCall *call, int64_t block);
void rt_call_block(RtCall *call, int64_t i, const RtSizes *sizes, double weight);
void rt_call_ready(RtCall *call);
/* The first n_data data sets; numbered from data0 in the random numbers. */
void rt_call_run(RtCall *call, const uint32_t key[2], uint32_t step, uint32_t data0,
                 int64_t n_data);

/* Numbers of the model's real type. */
double rt_real_get(const RtModel *m, const void *array, int64_t at);
void rt_real_set(const RtModel *m, void *array, int64_t at, double value);

#endif
