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
    const char *data, *out, *weights, *log, *objective, *plot, *design, *by;
    int64_t steps, sets, draws, inner, threads, count, seed; /* -1: not given */
    double seconds, learning_rate;                           /* -1: not given */
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
    int64_t sizes[RT_MAX_PLATES];                 /* where nothing else is said */
    int64_t lo[RT_MAX_PLATES], hi[RT_MAX_PLATES]; /* that training covers */
    const RtData
        *design; /* train --for: its covariates take the place of simulated ones; or NULL */
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
bool rt_state_apply_sizes(const RtModel *m, const RtOptions *o, int64_t *sizes, bool *given,
                          RtError *error);
/* How a data file is read: at the state's sizes, but for those of --size. */
bool rt_state_data_options(const RtModel *m, const RtOptions *o, const RtState *state,
                           RtDataOptions *options, RtError *error);
/* From now on these sizes alone are what the state is for. */
void rt_state_take_sizes(RtState *state, const int64_t *sizes);
/* The same for a state: a plate named by --size has that size alone. */
bool rt_state_fix_sizes(const RtModel *m, const RtOptions *o, RtState *state, RtError *error);
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
/* Data sets for a call, n of them at most: bound by rt_feed_new and, where a call has several
 * feeds, rt_feed_bind; filled from data set `first` of `d` on. */
typedef struct RtFeed RtFeed;
RtFeed *rt_feed_new(RtMem *mem, const RtModel *m, RtCall *call, const int64_t *sizes, int64_t n);
void rt_feed_bind(const RtFeed *f, RtCall *call);
void rt_feed_load(RtFeed *f, const RtData *d, int64_t first, int64_t n);

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

/* ---- sizes.c ---- */
enum {
    RT_GRID = 3,       /* sizes that validation looks at, where they vary */
    RT_SIZE_BLOCK = 16 /* data sets that share sizes in training */
};
bool rt_sizes_vary(const RtModel *m, const RtState *state);
/* Of one block of a step, by plate. */
void rt_sizes_draw(const RtModel *m, const RtState *state, uint32_t seed, uint32_t step,
                   uint32_t block, int64_t *sizes);
/* The least, the default and the largest sizes, or the one there is; returns how many. */
int rt_sizes_grid(const RtModel *m, const RtState *state, int64_t grid[][RT_MAX_PLATES]);
/* How many numbers the latents of one data set are. */
double rt_latent_numbers(const RtModel *m, const int64_t *sizes);
const char *rt_range_text(RtMem *mem, int64_t lo, int64_t hi); /* "3", "2..60" */

/* ---- validate.c ---- */
typedef struct RtValidation RtValidation;
/* All memory. */
RtValidation *rt_validation_new(RtSession *s, int64_t sets, int64_t draws);
/* Draws its data sets: once, before the first rt_validate. */
void rt_validation_simulate(RtValidation *v);
/* The ELBO in nats per data set; where sizes vary, the mean over a grid of sizes of the ELBO per
 * latent number. */
double rt_validate(RtValidation *v);
const char *rt_validation_unit(bool vary);
/* `"validation": [{"sizes": {...}, "elbo": nats per data set}, ...]` of the last rt_validate. */
void rt_validation_json(const RtValidation *v, RtBytes *out);

/* ---- stats.c: fills the state's statistics from draws of program `prepare` ---- */
bool rt_stats(RtSession *s, RtError *error);

/* ---- preview.c: quantiles of prior predictive draws, shown before training ---- */
void rt_preview(RtSession *s, RtProgress *p);

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

/* ---- adam.c ---- */
typedef struct RtAdam RtAdam;
/* gradient[w]: of weight w, read by every step. */
RtAdam *rt_adam_new(RtMem *mem, const RtModel *m, RtPool *pool, RtState *state,
                    double *const *gradient);
/* The norm of the whole gradient; not finite if any entry is not. */
double rt_adam_norm(RtAdam *a);
/* Step number t >= 1; the gradient times `scale`. */
void rt_adam_step(RtAdam *a, double scale, double rate, int64_t t, double averaging);

/* ---- step.c: a training step's program and memory ---- */
typedef struct RtStep {
    const char *program;
    bool vary; /* plate sizes do, from block to block */
    RtCall *call;
    RtBinding *inputs;
    RtAdam *adam;
    const double *loss;
    const void *set_loss; /* [data] */
    double **gradient;    /* by weight */
} RtStep;
/* For state->sets, at sizes up to state->hi: all memory. `program`: of objectives.def. Moments are
 * the state's, so that steps of several programs go on from each other. */
RtStep rt_step_new(RtSession *s, RtState *state, const char *program, int64_t draws);
/* The learning rate as a share of its peak after the warm-up: held for RT_HOLD of the horizon, then
 * half a cosine down to a hundredth. */
double rt_decay(int64_t step, int64_t horizon);
/* The factor that shortens the gradient of update number `updates` >= 1, where it is an outlier.
 * Typical norms (*log_norm: their running logarithm) are learned in the first steps, never before.
 */
double rt_clip(double *log_norm, int64_t updates, double norm);

/* ---- report.c ---- */
void rt_json_number(RtBytes *out, double x); /* null where not finite */
void rt_json_string(RtBytes *out, const char *text);
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

#endif
