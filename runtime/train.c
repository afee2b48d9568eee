/* train.c -- the command `train`: simulate, optimise, validate, save.
 *
 * Invariants
 * - Everything is allocated before step 1. Where plate sizes vary, it is for the largest.
 * - What a step does depends on its number, the horizon and the seed, never on time, thread count
 * or validation: `--steps N` repeats a run of horizon N bit for bit. A run by time learns its
 * horizon from the rate over the first 5 %; the schedule is the same for every horizon until a
 * tenth of it is over, so those steps repeat too.
 * - A step whose loss or gradient is not finite changes nothing. */
#include "runtime/certificate.h"
#include "runtime/near.h"
#include "runtime/objective.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <string.h>

/* Defaults of training, in one place. */
static const struct {
    int64_t sets, draws;
    double seconds;       /* at most, unless told otherwise */
    double learning_rate; /* peak */
    int64_t warm_up;      /* steps of linear warm-up */
    double averaging;     /* least weight of a new iterate in the average; early on 9 / t */
    int64_t validation_sets, validation_draws;
    int validations; /* over the horizon */
    double settled;  /* nats gained over `patience` validations below which training is over */
    int patience;
    double skipped; /* largest share of skipped steps, after `skips_from` of them */
    int64_t skips_from;
} defaults = {.sets = 32,
              .draws = 32,
              .seconds = 600,
              .learning_rate = 1e-3,
              .warm_up = 50,
              .averaging = 5e-4,
              .validation_sets = 64,
              .validation_draws = 32,
              .validations = 40,
              .settled = 0.02,
              .patience = 8,
              .skipped = 0.01,
              .skips_from = 200};

typedef struct Train {
    RtSession *s;
    RtState *state;
    RtProgress *progress;
    RtSchedule schedule;
    RtStep steps[RT_MAX_PHASES]; /* by phase */
    const RtStep *step;          /* of the phase now */
    RtData *data;                /* of --for, --design; or NULL */
    RtNear *near;                /* what every other step trains on; or NULL */
    RtValidation *validation;
    RtSizes drawn;         /* of a block of data sets */
    double latent_numbers; /* of a data set of the default sizes */
    double most;           /* seconds, where options say nothing */
    double limit;          /* seconds from start to saved weights; 0: none */
    bool may_settle;
    int64_t horizon;       /* 0: not known yet */
    int64_t updates;       /* steps that were not skipped */
    int64_t noted;         /* of these, those on data from the prior */
    int64_t cooldown_from; /* step at which training was found settled; 0: not */
    double mean_loss, loss_variance, log_norm; /* running */
    double validated[64];
    int n_validated;
    double validation_seconds, loop_started;
    double checked_at; /* when the rate was last looked at, and after how many steps */
    int64_t checked_step;
    FILE *log;
} Train;

static volatile sig_atomic_t caught;

static void on_signal(int number) {
    caught = number;
}

/* ---- objectives ---- */

/* The program that yields the objective: its own, or `step`, where that weighs the likelihood.
 * NULL: neither was compiled. */
static const char *program_of(const RtModel *m, const RtObjective *objective) {
    if (rt_program(m, objective->program)) return objective->program;
    const RtProgram *step = rt_program(m, "step");
    for (int i = 0; step && objective->likelihood < 1 && i < step->n_inputs; i++)
        if (!strcmp(step->inputs[i].name, "likelihood_weight")) return "step";
    return NULL;
}

/* Is some phase of `fit` alone? */
static bool in_rounds(const char *text) {
    RtSchedule schedule;
    char why[400];
    bool found = false;
    if (!rt_schedule_parse(text, &schedule, why, sizeof why)) return false;
    for (int i = 0; i < schedule.n; i++) found |= schedule.phases[i].objective->rounds;
    return found;
}

static bool parse_objective(Train *t, const char *text, RtError *error) {
    char why[400];
    if (!rt_schedule_parse(text, &t->schedule, why, sizeof why))
        return rt_error(error, "--objective %s: %s", text, why);
    for (int i = 0; i < t->schedule.n; i++) {
        const RtObjective *objective = t->schedule.phases[i].objective;
        if (objective->rounds)
            return rt_error(error,
                            "--objective %s: %s is of one data set\n  expected  fit DATA "
                            "--objective %s",
                            text, objective->name, objective->name);
        if (!program_of(t->s->model, objective))
            return rt_error(error,
                            "--objective %s: this program was compiled without %s\n  compile it "
                            "with  adavic --objective=%s MODEL.hbm",
                            text, objective->name, text);
    }
    return true;
}

/* ---- preparation ---- */

/* Phases of one program share its memory. */
static void prepare_steps(Train *t) {
    for (int i = 0; i < t->schedule.n; i++) {
        const RtObjective *objective = t->schedule.phases[i].objective;
        const char *program = program_of(t->s->model, objective);
        int same = 0;
        while (same < i && strcmp(t->steps[same].program, program)) same++;
        t->steps[i] =
            same < i ? t->steps[same]
                     : rt_step_new(t->s, t->state, program, objective->draws ? t->state->draws : 1);
    }
    t->step = &t->steps[0];
    RtSizes largest = rt_sizes_largest(t->s->mem, t->s->model, t->state);
    rt_sizes_room(t->s->mem, t->s->model, &largest, &t->drawn);
    t->latent_numbers = rt_latent_numbers(t->s->model, &t->state->sizes);
}

static void prepare_validation(Train *t) {
    t->validation = rt_validation_new(t->s, defaults.validation_sets, defaults.validation_draws);
}

static bool read_settings(Train *t, RtError *error) {
    const RtSession *s = t->s;
    const RtOptions *o = s->options;
    const char *objective = o->objective ? o->objective : rt_text(s->model, "objective");
    if (!objective || (!o->objective && in_rounds(objective))) objective = "reverse-kl";
    t->state->sets = o->sets > 0 ? o->sets : s->model->sets ? s->model->sets : defaults.sets;
    t->state->draws = o->draws > 0 ? o->draws : s->model->draws ? s->model->draws : defaults.draws;
    t->state->learning_rate = o->learning_rate > 0 ? o->learning_rate : defaults.learning_rate;
    t->state->seed = s->seed;
    snprintf(t->state->objective, sizeof t->state->objective, "%s", objective);
    t->horizon = o->steps > 0 ? o->steps : 0;
    t->limit = o->steps > 0 ? 0 : o->seconds > 0 ? o->seconds : t->most;
    t->may_settle = o->steps <= 0 && o->seconds <= 0;
    return strlen(objective) < sizeof t->state->objective
               ? parse_objective(t, objective, error)
               : rt_error(error, "--objective: too long");
}

/* ---- the schedule ---- */

/* The learning rate of a step, as a share of the peak. */
static double rate(const Train *t, int64_t step) {
    double warm = fmin(1, (double)(step + 1) / (double)defaults.warm_up);
    if (!t->horizon) return warm;
    return warm * rt_decay(step, t->horizon);
}

/* Fixes the horizon of a run by time once 5 % of it are over. */
static void fix_horizon(Train *t, int64_t done) {
    double now = rt_seconds(), in_loop = now - t->loop_started;
    if (t->horizon || done < 3 || now - t->s->started < 0.05 * t->limit || in_loop <= 0) return;
    double left = 0.97 * t->limit - (now - t->s->started) -
                  (defaults.validations + 1) * t->validation_seconds;
    double steps = (double)done + fmax(left, 0) * (double)done / in_loop;
    double known = fmin(RT_HOLD, t->schedule.phases[0].until);
    int64_t least = (int64_t)ceil((double)done / known); /* the schedule so far must be its own */
    t->horizon = steps > (double)least ? (int64_t)steps : least;
    rt_progress_line(t->progress,
                     "%" PRId64 " steps fit into %.0f s (--steps %" PRId64 " repeats this run)",
                     t->horizon, t->limit, t->horizon);
}

static double validate(Train *t) {
    double began = rt_seconds(), elbo = rt_validate(t->validation);
    t->validation_seconds = rt_seconds() - began;
    return elbo;
}

/* True if the last `patience` validations brought less than `settled` nats in a data set of the
 * default sizes. */
static bool has_settled(const Train *t, int64_t done) {
    int n = t->n_validated, p = defaults.patience;
    double last_phase = t->schedule.phases[t->schedule.n - 1].from;
    if (n < 2 * p || (double)done < (last_phase + 0.2) * (double)t->horizon) return false;
    double before = -INFINITY, now = -INFINITY;
    for (int i = 0; i < n; i++) {
        double *best = i < n - p ? &before : &now;
        if (t->validated[i] > *best) *best = t->validated[i];
    }
    return (now - before) * (t->step->vary ? t->latent_numbers : 1) < defaults.settled;
}

/* A settled run keeps what it has and anneals: the rest of the schedule is shortened to a quarter
 * of the steps so far. */
static void shorten(Train *t, int64_t done) {
    int64_t shorter = done + done / 4;
    if (!t->may_settle || t->cooldown_from || !has_settled(t, done) || shorter >= t->horizon)
        return;
    t->cooldown_from = done;
    t->horizon = shorter;
    rt_progress_line(t->progress, "the validation ELBO has settled: ending at step %" PRId64,
                     shorter);
}

/* Where the machine has become so slow that the run would last 15 % too long, the rest is cut to
 * what fits, so that it still ends annealed and in time. --steps does not repeat such a run, and it
 * says so. */
static void replan(Train *t, int64_t done) {
    double now = rt_seconds(), each = (now - t->checked_at) / (double)(done - t->checked_step);
    double elapsed = now - t->s->started;
    t->checked_at = now;
    t->checked_step = done;
    if (t->limit <= 0 || elapsed + each * (double)(t->horizon - done) <= 1.15 * t->limit) return;
    double fit = fmax((0.97 * t->limit - elapsed) / each, (double)done / 50);
    int64_t horizon = done + 1 + (int64_t)fit;
    if (horizon >= t->horizon) return;
    t->horizon = horizon;
    rt_progress_line(t->progress,
                     "the machine became slower: ending at step %" PRId64
                     " (--steps does not repeat this run)",
                     horizon);
}

static void validate_on_the_way(Train *t, int64_t done) {
    int64_t every = t->horizon / defaults.validations;
    if (!t->horizon || done == t->horizon || done % (every ? every : 1)) return;
    double elbo = validate(t);
    if (t->n_validated < 64) t->validated[t->n_validated++] = elbo;
    rt_progress_validation(t->progress, elbo, rt_validation_unit(t->step->vary));
    if (t->log) fprintf(t->log, "{\"step\": %" PRId64 ", \"validation_elbo\": %.9g}\n", done, elbo);
    shorten(t, done);
    replan(t, done);
}

/* ---- one step ---- */

static bool skip_step(Train *t, int64_t step, RtError *error) {
    const RtModel *m = t->s->model;
    int64_t set = 0;
    while (t->step->set_loss && set < t->state->sets &&
           isfinite(rt_real_get(m, t->step->set_loss, set)))
        set++;
    t->state->skipped++;
    char where[100] = "its gradient";
    if (t->step->set_loss && set < t->state->sets)
        snprintf(where, sizeof where, "the loss of its data set %" PRId64, set);
    if (t->state->skipped <= 5)
        rt_progress_line(t->progress,
                         "step %" PRId64 " skipped: %s is not finite (seed %" PRIu32 ")", step,
                         where, t->s->seed);
    int phase = rt_schedule_phase(&t->schedule, step, t->horizon);
    double entropy = t->schedule.phases[phase].objective->entropy;
    bool hopeless = t->state->skipped > 20 && t->updates == 0;
    bool too_many = step + 1 >= defaults.skips_from &&
                    (double)t->state->skipped > defaults.skipped * (double)(step + 1);
    if (!hopeless && !too_many) return true;
    return rt_error(
        error,
        "%" PRId64 " of %" PRId64
        " steps gave a loss or gradient that is not finite (the last: step %" PRId64
        ", %s, seed %" PRIu32
        ")\n  a prior whose draws overflow, or a scale that reaches 0, does this: look at "
        "simulate --seed %" PRIu32 "%s",
        t->state->skipped, step + 1, step, where, t->s->seed, t->s->seed,
        entropy > 0 ? ""
                    : "\n  without entropy nothing keeps a scale away from 0, where the density of "
                      "a hierarchy has no bound: leave map and unregularised out");
}

static void note_loss(Train *t, double loss) {
    double share = fmax(0.02, 1.0 / (double)++t->noted), d = loss - t->mean_loss;
    t->mean_loss += share * d;
    t->loss_variance = (1 - share) * (t->loss_variance + share * d * d);
}

/* Blocks of data sets get sizes of their own. Each weighs as much as its share of the data sets
 * would at the default sizes: per latent number all count the same, and the loss stays in nats per
 * data set. */
static void draw_sizes(Train *t, int64_t step) {
    const RtModel *m = t->s->model;
    for (int64_t b = 0; t->step->vary && b * RT_SIZE_BLOCK < t->state->sets; b++) {
        rt_sizes_draw(m, t->state, t->s->seed, (uint32_t)step, (uint32_t)b, &t->drawn);
        rt_call_block(t->step->call, b, &t->drawn,
                      t->latent_numbers / rt_latent_numbers(m, &t->drawn));
    }
}

/* Is a step on data near those of a file? A loss that asks for latents that the data came from
 * takes data from the prior alone. */
static bool choose_data(Train *t, const RtObjective *objective, int64_t step) {
    bool near = t->near && step % 2 && !objective->densities;
    if (near) rt_near_draw(t->near, step);
    if (t->near) rt_near_bind(t->near, t->step->call, near);
    return near;
}

static bool train_step(Train *t, int64_t step, RtError *error) {
    const uint32_t key[2] = {t->s->seed, RT_FOR_STEP};
    int i = rt_schedule_phase(&t->schedule, step, t->horizon);
    const RtPhase *phase = &t->schedule.phases[i];
    t->step = &t->steps[i];
    rt_binding_refresh(t->step->inputs);
    rt_binding_control(t->step->inputs, "entropy_weight", phase->objective->entropy);
    rt_binding_control(t->step->inputs, "likelihood_weight",
                       rt_phase_likelihood(phase, step, t->horizon));
    draw_sizes(t, step);
    bool near = choose_data(t, phase->objective, step);
    rt_call_run(t->step->call, key, (uint32_t)step, 0, t->state->sets);
    double norm = rt_adam_norm(t->step->adam);
    if (!isfinite(*t->step->loss) || !isfinite(norm)) return skip_step(t, step, error);
    t->updates++;
    if (!near) note_loss(t, *t->step->loss);
    double averaging = fmax(defaults.averaging, fmin(1, 9.0 / (double)(t->updates + 8)));
    double lr = t->state->learning_rate * rate(t, step);
    rt_adam_step(t->step->adam, rt_clip(&t->log_norm, t->updates, norm), lr, t->updates, averaging);
    double per_second = (double)((step + 1) * t->state->sets) / (rt_seconds() - t->loop_started);
    rt_progress_step(t->progress, step, t->horizon, t->mean_loss, sqrt(t->loss_variance), norm,
                     per_second);
    int64_t every = t->horizon / 1000;
    if (t->log && step % (every ? every : 1) == 0)
        fprintf(t->log,
                "{\"step\": %" PRId64
                ", \"loss\": %.9g, \"gradient_norm\": %.9g, \"learning_rate\": %.6g, "
                "\"seconds\": %.3f}\n",
                step, *t->step->loss, norm, lr, rt_seconds() - t->s->started);
    return true;
}

static bool out_of_time(const Train *t) {
    return t->limit > 0 && rt_seconds() - t->s->started > 1.25 * t->limit;
}

static bool train_loop(Train *t, RtError *error) {
    t->loop_started = t->checked_at = rt_seconds();
    for (int64_t step = 0; !t->horizon || step < t->horizon; step++) {
        if (!train_step(t, step, error)) return false;
        t->state->steps = step + 1;
        if (caught) break;
        fix_horizon(t, step + 1);
        validate_on_the_way(t, step + 1);
        if (out_of_time(t)) {
            rt_progress_line(t->progress, "the machine became slower: stopped at step %" PRId64,
                             step + 1);
            break;
        }
    }
    rt_progress_end(t->progress);
    return true;
}

/* ---- the command ---- */

static void report(Train *t, const char *path) {
    const RtState *state = t->state;
    double seconds = rt_seconds() - t->s->started;
    rt_progress_line(t->progress,
                     "%" PRId64 " steps in %.1f s (%" PRId64
                     " skipped), validation ELBO %.3f %s, seed %" PRIu32 "; weights in %s",
                     state->steps, seconds, state->skipped, state->validation,
                     rt_validation_unit(t->step->vary), state->seed, path);
    if (t->s->options->verbose)
        rt_progress_line(t->progress, "memory    %.1f MiB at most, as measured",
                         (double)rt_peak_memory() / 1048576);
    if (!t->s->options->json) return;
    RtBytes out = {0};
    rt_bytes_printf(&out, "{\"steps\": %" PRId64 ", \"seconds\": %.3f, \"loss\": ", state->steps,
                    seconds);
    rt_json_number(&out, t->mean_loss);
    rt_bytes_printf(&out, ", \"validation_elbo\": ");
    rt_json_number(&out, state->validation);
    rt_bytes_printf(&out, ", \"validation_unit\": \"%s\", ", rt_validation_unit(t->step->vary));
    rt_validation_json(t->validation, &out);
    rt_bytes_printf(&out, ", \"skipped_steps\": %" PRId64 ", \"weights_file\": ", state->skipped);
    rt_json_string(&out, path);
    rt_bytes_printf(&out, ", \"sets\": %" PRId64 ", \"learning_rate\": ", state->sets);
    rt_json_number(&out, state->learning_rate);
    rt_bytes_printf(&out, ", \"objective\": ");
    rt_json_string(&out, state->objective);
    rt_bytes_printf(&out, ", ");
    rt_json_settings(&out, t->s, state->draws);
    printf("%s}\n", out.data);
    rt_bytes_free(&out);
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags = SA_RESETHAND}; /* a second one ends at once */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* What a step needs, before anything of it is there. */
static void certify(const Train *t) {
    RtBytes text = {0};
    RtCertificate c = rt_certificate(t->s);
    rt_certificate_text(t->s, &c, &text);
    rt_progress_line(t->progress, "%.*s", (int)text.n - 1, text.data);
    rt_bytes_free(&text);
}

/* Of a design the outcomes are not known, nor which of them will be missing; but a table says by
 * its rows which pairs of a cross there are. NULL: as without a file. */
static double *planned_cells(const Train *t, int presence) {
    const RtVar *v = &t->s->model->vars[presence];
    const int cross = rt_cross_of(t->s->model, v);
    if (cross < 0 || !t->data->labels[cross]) return NULL;
    const int64_t n = rt_var_instances(v, &t->data->sizes);
    double *cells = rt_alloc(t->s->mem, n, sizeof *cells);
    for (int64_t k = 0; k < n; k++) cells[k] = rt_instance_there(t->data, v, k);
    return cells;
}

/* --for, --design: the one data set of a file, whose sizes and covariates are what training is for.
 */
static bool take_design(Train *t, RtError *error) {
    RtSession *s = t->s;
    const RtModel *m = s->model;
    const bool whole = s->options->target != NULL;
    const char *path = whole ? s->options->target : s->options->design;
    RtData *data = t->data = rt_alloc(s->mem, 1, sizeof *data);
    RtDataOptions options;
    if (whole && s->options->design)
        return rt_error(error,
                        "--design %s: --for %s says which covariates\n  expected  one of them",
                        s->options->design, path);
    if (!rt_state_data_options(s->mem, m, s->options, s->state, &options, error)) return false;
    options.outcomes_optional = !whole;
    if (!rt_data_read(s->mem, m, path, &options, data, error)) return false;
    if (data->n_sets != 1)
        return rt_error(error, "%s: training is for one data set, and here are %" PRId64, path,
                        data->n_sets);
    for (int i = 0; i < m->n_vars; i++)
        if (m->vars[i].kind == RT_PRESENCE && !whole) data->values[i] = planned_cells(t, i);
    data->planned = !whole;
    rt_state_take_sizes(m, s->state, &data->sizes);
    s->state->design = data;
    return true;
}

static bool prepare(Train *t, RtError *error) {
    RtSession *s = t->s;
    if (!read_settings(t, error)) return false;
    if ((s->options->target || s->options->design) && !take_design(t, error)) return false;
    if (s->options->verbose) certify(t);
    if (!rt_stats(s, error)) return false;
    if (!s->options->quiet && !s->options->json) rt_preview(s, t->progress);
    rt_state_init_weights(s->model, t->state, s->seed);
    prepare_steps(t);
    if (s->options->target) t->near = rt_near_new(s, t->data, t->state->sets);
    if (t->near)
        rt_progress_line(t->progress, "every other step trains on data near %s",
                         s->options->target);
    prepare_validation(t);
    rt_validation_simulate(t->validation);
    double start = validate(t);
    rt_progress_validation(t->progress, start, rt_validation_unit(t->step->vary));
    return true;
}

int rt_train(RtSession *s, double seconds) {
    RtError error;
    Train t = {.s = s,
               .state = s->state,
               .progress = rt_progress_new(s->mem, s->options->quiet),
               .most = seconds};
    char *path = rt_weights_path(s->mem, s->options);
    if (!prepare(&t, &error)) return rt_complain(&error);
    if (s->options->log && !(t.log = fopen(s->options->log, "w"))) {
        rt_error(&error, "cannot write %s: %s", s->options->log, strerror(errno));
        return rt_complain(&error);
    }
    catch_signals();
    bool ok = train_loop(&t, &error);
    if (t.log) fclose(t.log);
    if (!ok) return rt_complain(&error);
    t.state->validation = validate(&t);
    if (!rt_weights_save(s->model, t.state, path, &error)) return rt_complain(&error);
    report(&t, path);
    return caught ? 128 + caught : 0;
}

int rt_command_train(RtSession *s) {
    return rt_train(s, defaults.seconds);
}

bool rt_train_settings(RtSession *s, RtError *error) {
    Train t = {.s = s, .state = s->state};
    return read_settings(&t, error);
}

int64_t rt_train_bytes(RtSession *s) {
    RtError error;
    Train t = {.s = s, .state = s->state};
    if (!read_settings(&t, &error)) return 0;
    prepare_steps(&t);
    prepare_validation(&t);
    return rt_mem_bytes(s->mem);
}
