/* session.h -- one run of a compiled program: its options, what was trained, and its commands.
 *
 *     ./gre infer data.npz --draws 1000
 *       cli.c parses the options into RtOptions and opens an RtSession; commands[] names the
 * function, which returns the exit status: 0 ok, 1 model or data problem, 2 usage, 128+n signal. */
#ifndef ADAVIC_SESSION_H
#define ADAVIC_SESSION_H

#include "runtime/data.h"

enum { RT_MAX_SETTINGS = 64 };

typedef struct RtOptions {
    const char *program; /* path of the executable */
    const char *data, *out, *weights, *log, *objective, *plot, *target, *design, *labels, *by,
        *new_file;
    int64_t steps, sets, draws, inner, rounds, threads, count, seed; /* -1: not given */
    double seconds, learning_rate;                                   /* -1: not given */
    bool quiet, json, batch, verbose, psis, refine;
    int n_size, n_set;
    const char *size[RT_MAX_SETTINGS], *set[RT_MAX_SETTINGS]; /* "plate=N", "hyper=value" */
} RtOptions;

/* A statistic of prior predictive draws that programs read ("x:median"). */
typedef struct RtStat {
    const char *name;
    int64_t size;
    float *values;
} RtStat;

/* What a weights file holds. Flat vectors follow RtWeight.offset. */
typedef struct RtState {
    float *average, *iterate, *moment1, *moment2;
    int n_stats;
    RtStat *stats;
    double **hypers;   /* by variable */
    double **contexts; /* by variable: its entries as set, and behind them 1 if they are */
    RtSizes sizes;     /* where nothing else is said */
    bool one_size;     /* they are all that the state is for */
    int64_t lo[RT_MAX_PLATES], hi[RT_MAX_PLATES]; /* that training covers */
    const RtData *design; /* train --for, --design: its covariates, not simulated ones; or NULL */
    uint32_t seed;
    int64_t steps, skipped, sets, draws;
    double learning_rate;
    double validation; /* ELBO in nats; of a range of sizes: in nats per latent number */
    char objective[200];
} RtState;

typedef struct RtProgress RtProgress;

typedef struct RtSession {
    RtMem *mem;
    const RtModel *model;
    RtPool *pool;
    const RtOptions *options;
    RtState *state;
    uint32_t seed;
    double started;
} RtSession;

/* Prints "error: ..." and returns 1. */
int rt_complain(const RtError *error);

/* rt_command_NAME of every command. */
#define COMMAND(BIT, name, ...) int rt_command_##name(RtSession *s);
#include "runtime/commands.def"
#undef COMMAND
/* What the command train does; for `seconds` at most, where options say nothing of it. */
int rt_train(RtSession *s, double seconds);
/* The settings of training that options give or leave at their defaults, into s->state. */
bool rt_train_settings(RtSession *s, RtError *error);
/* Allocates what training does before its first step, under these settings; the bytes of s->mem. */
int64_t rt_train_bytes(RtSession *s);

/* ---- state.c ---- */
/* Declared sizes and hypers; weights and statistics are 0. */
RtState *rt_state_new(RtMem *mem, const RtModel *m);
RtStat *rt_stat(const RtState *state, const char *name); /* or NULL */
/* The state's sizes, but for those of --size; a plate of those is among `given` (or NULL). */
bool rt_state_apply_sizes(RtMem *mem, const RtModel *m, const RtOptions *o, RtState *state,
                          bool *given, RtError *error);
/* How a data file is read: at the state's sizes, but for those of --size. */
bool rt_state_data_options(RtMem *mem, const RtModel *m, const RtOptions *o, const RtState *state,
                           RtDataOptions *options, RtError *error);
/* From now on these sizes alone are what the state is for. */
void rt_state_take_sizes(const RtModel *m, RtState *state, const RtSizes *sizes);
/* The same for a state: a plate named by --size has that size alone. */
bool rt_state_fix_sizes(RtMem *mem, const RtModel *m, const RtOptions *o, RtState *state,
                        RtError *error);
/* Splits "name=value"; false where the name is too long to be one. */
bool rt_setting_split(const char *setting, char name[64], const char **value);
void rt_state_init_weights(const RtModel *m, RtState *state, uint32_t seed);

/* Numbers in the model's real type that stay bound to a call; refresh after a change of the state.
 */
typedef struct RtBinding RtBinding;
RtBinding *rt_bind_state(RtMem *mem, const RtModel *m, const RtState *state, const float *weights,
                         RtCall *call);
void rt_binding_refresh(RtBinding *b);
void rt_binding_control(RtBinding *b, const char *name, double value);
/* Data sets for a call (or NULL), n of them at most: bound by rt_feed_new and, where a call has
 * several feeds, rt_feed_bind; filled from data set `first` of `d` on. */
typedef struct RtFeed RtFeed;
RtFeed *rt_feed_new(RtMem *mem, const RtModel *m, RtCall *call, const RtSizes *sizes, int64_t n);
void rt_feed_bind(const RtFeed *f, RtCall *call);
void rt_feed_load(RtFeed *f, const RtData *d, int64_t first, int64_t n);
/* The same data set n times. */
void rt_feed_repeat(RtFeed *f, const RtData *d, int64_t set, int64_t n);

/* ---- context.c ---- */
typedef enum { RT_SETS_NONE, RT_SETS_HYPERS, RT_SETS_CONTEXTS, RT_SETS_ALL } RtSettings;
/* Values of --set, of the kinds that the command takes, into the state. */
bool rt_settings_apply(const RtModel *m, const RtOptions *o, RtSettings kinds, RtState *state,
                       RtError *error);
/* Fills in the contexts of `data` that --set states; false where one is not known at all. `name`:
 * the file, for messages. */
bool rt_context_data(RtMem *mem, const RtModel *m, const RtState *state, const char *name,
                     RtData *data, RtError *error);
/* Warns of values outside what was trained: of `data`, or (NULL) of --set. */
/* The feature of a whole data set that this output of program posterior is; NULL: none. seen.c */
const char *rt_seen_feature(const RtTensor *output);
void rt_context_warn(const RtSession *s, const RtData *data);

/* ---- weights.c ---- */
bool rt_weights_save(const RtModel *m, const RtState *state, const char *path, RtError *error);
/* NULL with the reason. */
RtState *rt_weights_load(RtMem *mem, const RtModel *m, const char *path, RtError *error);
RtState *rt_weights_parse(RtMem *mem, const RtModel *m, const char *name, const RtBytes *bytes,
                          RtError *error);
char *rt_weights_path(RtMem *mem, const RtOptions *o);
/* The state for a command that needs weights; NULL with a reason that names the path and `train`.
 */
RtState *rt_weights_open(RtSession *s, RtError *error);

/* ---- report.c ---- */
void rt_json_number(RtBytes *out, double x); /* null where not finite */
void rt_json_string(RtBytes *out, const char *text);
/* `before`, a comma perhaps, and "NAME": number. */
void rt_json_field(RtBytes *out, const char *before, const char *name, double x);
/* `"seed": 1, "settings": {...}` as every JSON answer ends. */
void rt_json_settings(RtBytes *out, const RtSession *s, int64_t draws);
bool rt_colour(FILE *f);
int rt_columns(FILE *f); /* width of the terminal, 100 if it is none */

/* ---- progress.c ---- */
RtProgress *rt_progress_new(RtMem *mem, bool quiet);
/* horizon 0: not known yet. */
void rt_progress_step(RtProgress *p, int64_t step, int64_t horizon, double loss, double spread,
                      double norm, double sets_per_second);
__attribute__((format(printf, 2, 3))) void rt_progress_line(RtProgress *p, const char *format, ...);
/* Shown from the next line on. */
void rt_progress_validation(RtProgress *p, double elbo, const char *unit);
/* `done` of `all`, for commands that do one thing many times. */
void rt_progress_count(RtProgress *p, int64_t done, int64_t all, const char *what);
void rt_progress_end(RtProgress *p);

#include "runtime/training.h"

#endif
