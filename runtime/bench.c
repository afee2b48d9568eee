/* bench.c -- the command `bench`: how long a training step takes, stage by stage, and what share of
 * the machine's arithmetic it uses.
 *
 *     stage            ms    MFLOP  GFLOP/s
 *     whole step     3.51     110     31.4  16 % of peak; 3.40 to 4.12 over 480 steps
 *       program      3.40     110     32.4  loss and gradient, from data that it simulates
 *       simulation   0.21   0.042      0.2  the same number of data sets alone: part of the program
 *       optimiser    0.11        -        -  norm of the gradient, Adam
 *     inference      1.02     9.4      9.2  1 data set, 1000 draws
 *
 * The weights are at their start and move as in training; plates have one size each. Work is
 * counted by the formulas in the manifest: useful operations, a multiply-add being two, exp, log
 * and the like not counted. */
#include "runtime/certificate.h"
#include "runtime/peak.h"
#include "runtime/psis.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 100000 /* timed, unless --steps says more */, WARM_UP = 3, INFER_DRAWS = 1000 };
static const double default_seconds = 2, stage_seconds = 0.3;

/* Times of one thing done again and again, in seconds. */
typedef struct Times {
    int64_t n, room;
    double *each, min, median, max;
} Times;

typedef struct Bench {
    RtSession *s;
    RtStep step;
    RtCall *simulate, *posterior;
    Times whole, program, optimiser, simulation, inference;
    RtPeak peak;
    int64_t memory;
} Bench;

/* ---- timing ---- */

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void times_start(Bench *b, Times *t) {
    int64_t steps = b->s->options->steps, room = steps > MOST ? steps : MOST;
    *t = (Times){.room = room, .each = rt_alloc(b->s->mem, room, sizeof *t->each)};
}

static void times_add(Times *t, double seconds) {
    if (t->n < t->room) t->each[t->n++] = seconds;
}

static void times_end(Times *t) {
    qsort(t->each, (size_t)t->n, sizeof *t->each, compare);
    t->min = t->each[0];
    t->median = (t->each[(t->n - 1) / 2] + t->each[t->n / 2]) / 2;
    t->max = t->each[t->n - 1];
}

/* ---- the stages ---- */

static void one_step(Bench *b, int64_t number, bool timed) {
    RtSession *s = b->s;
    RtStep *step = &b->step;
    const uint32_t key[2] = {s->seed, RT_FOR_STEP};
    double start = rt_seconds();
    rt_binding_refresh(step->inputs);
    rt_call_run(step->call, key, (uint32_t)number, 0, s->state->sets);
    double middle = rt_seconds(), norm = rt_adam_norm(step->adam);
    /* a gentle rate: the weights must move, and stay where nothing overflows */
    if (isfinite(*step->loss) && isfinite(norm))
        rt_adam_step(step->adam, 1, 0.1 * s->state->learning_rate, number + 1, 1);
    double end = rt_seconds();
    if (!timed) return;
    times_add(&b->whole, end - start);
    times_add(&b->program, middle - start);
    times_add(&b->optimiser, end - middle);
}

static void time_steps(Bench *b) {
    const RtOptions *o = b->s->options;
    int64_t most = o->steps > 0 ? o->steps : MOST;
    double limit = o->seconds > 0 ? o->seconds : o->steps > 0 ? INFINITY : default_seconds;
    for (int64_t i = 0; i < WARM_UP; i++) one_step(b, i, false);
    double started = rt_seconds();
    for (int64_t i = 0; i < most && (i < 1 || rt_seconds() - started < limit); i++)
        one_step(b, WARM_UP + i, true);
    times_end(&b->whole);
    times_end(&b->program);
    times_end(&b->optimiser);
}

static void time_call(RtCall *call, int64_t n_data, uint32_t seed, uint32_t purpose, Times *t) {
    const uint32_t key[2] = {seed, purpose};
    rt_call_run(call, key, 0, 0, n_data);
    double begun = rt_seconds();
    for (uint32_t i = 1; i < 4 || (rt_seconds() - begun < stage_seconds && t->n < MOST); i++) {
        double start = rt_seconds();
        rt_call_run(call, key, i, 0, n_data);
        times_add(t, rt_seconds() - start);
    }
    times_end(t);
}

/* ---- preparation: what each stage allocates ---- */

static void prepare_simulate(Bench *b) {
    RtSession *s = b->s;
    const RtModel *m = s->model;
    b->simulate = rt_call_new(s->mem, m, "simulate", s->pool, &s->state->sizes, s->state->sets, 1);
    for (int i = 0; i < m->n_vars; i++)
        if (rt_is_given(&m->vars[i])) rt_call_want(b->simulate, m->vars[i].name);
    rt_bind_state(s->mem, m, s->state, s->state->iterate, b->simulate);
    rt_call_ready(b->simulate);
}

/* As `infer` does it, on the first of the simulated data sets. */
static void prepare_posterior(Bench *b) {
    RtSession *s = b->s;
    const RtModel *m = s->model;
    b->posterior = rt_call_new(s->mem, m, "posterior", s->pool, &s->state->sizes, 1, INFER_DRAWS);
    for (int i = 0; i < m->n_vars; i++) {
        if (rt_is_inferred(&m->vars[i])) rt_call_want(b->posterior, m->vars[i].name);
        if (rt_is_given(&m->vars[i]))
            rt_call_bind(b->posterior, m->vars[i].name, rt_call_want(b->simulate, m->vars[i].name));
    }
    rt_logs_want(b->posterior);
    rt_bind_state(s->mem, m, s->state, s->state->iterate, b->posterior);
    rt_call_ready(b->posterior);
}

static bool measure(Bench *b, RtError *error) {
    RtSession *s = b->s;
    RtState *state = s->state;
    if (!rt_train_settings(s, error)) return false;
    for (int i = 0; i < s->model->n_plates; i++) state->lo[i] = state->hi[i] = state->sizes.n[i];
    if (!rt_stats(s, error)) return false;
    rt_state_init_weights(s->model, state, s->seed);
    Times *const all[] = {&b->whole, &b->program, &b->optimiser, &b->simulation, &b->inference};
    for (int i = 0; i < 5; i++) times_start(b, all[i]);
    b->step = rt_step_new(s, state, "step", state->draws);
    time_steps(b);
    prepare_simulate(b);
    time_call(b->simulate, state->sets, s->seed, RT_FOR_SIMULATE, &b->simulation);
    b->memory = rt_peak_memory(); /* of training; inference comes after it */
    prepare_posterior(b);
    time_call(b->posterior, 1, s->seed, RT_FOR_POSTERIOR, &b->inference);
    b->peak = rt_peak(s->pool, s->model->f64);
    return true;
}

/* ---- showing ---- */

static double work(const Bench *b, const char *program, int64_t n_data, int64_t n_draw) {
    return rt_count(b->s->model, rt_program(b->s->model, program), &b->s->state->sizes, n_data,
                    n_draw)
        .flop;
}

/* flop < 0: not counted. */
static void row(const char *name, const Times *t, double flop, const char *note) {
    printf("%-14s %9.4g", name, t->median * 1e3);
    if (flop < 0)
        printf(" %9s %9s", "-", "-");
    else
        printf(" %9.4g %9.3g", flop / 1e6, flop / t->median / 1e9);
    printf("  %s\n", note);
}

static void show_table(const Bench *b) {
    const RtSession *s = b->s;
    const RtModel *m = s->model;
    const RtState *state = s->state;
    double flop = work(b, "step", state->sets, state->draws), rate = flop / b->whole.median / 1e9;
    int threads = rt_pool_threads(s->pool);
    RtBytes sizes = {0};
    rt_sizes_text(m, &state->sizes, &sizes);
    printf("%s: %" PRId64 " data sets, %" PRId64 " draws%s", m->name, state->sets, state->draws,
           sizes.n ? sizes.data : "");
    rt_bytes_free(&sizes);
    printf("; %d thread%s\n\n%-14s %9s %9s %9s\n", threads, threads > 1 ? "s" : "", "median of",
           "ms", "MFLOP", "GFLOP/s");
    row("whole step", &b->whole, flop,
        rt_printf(s->mem, "%.3g %% of peak; %.4g to %.4g ms in %" PRId64 " steps",
                  100 * rate / b->peak.gflops, b->whole.min * 1e3, b->whole.max * 1e3, b->whole.n));
    row("  program", &b->program, flop, "loss and gradient, of data that it simulates");
    row("  simulation", &b->simulation, work(b, "simulate", state->sets, 1),
        "as many data sets alone: part of the program");
    row("  optimiser", &b->optimiser, -1, "norm of the gradient, Adam");
    row("inference", &b->inference, work(b, "posterior", 1, INFER_DRAWS),
        rt_printf(s->mem, "1 data set, %d draws", INFER_DRAWS));
    printf("\npeak      %.4g GFLOP/s of multiply-adds, as measured: %s, %s, %d thread%s\n"
           "memory    %.1f MiB at most in these steps, as measured\n",
           b->peak.gflops, b->peak.instructions, m->f64 ? "float64" : "float32", threads,
           threads > 1 ? "s" : "", (double)b->memory / 1048576);
}

static void json_field(RtBytes *out, const char *name, double x, const char *end) {
    rt_json_field(out, "", name, x);
    rt_bytes_printf(out, "%s", end);
}

static void show_json(const Bench *b) {
    const RtSession *s = b->s;
    double flop = work(b, "step", s->state->sets, s->state->draws);
    RtBytes out = {0};
    rt_bytes_printf(&out, "{\"threads\": %d, \"step_ms\": {", rt_pool_threads(s->pool));
    json_field(&out, "min", b->whole.min * 1e3, ", ");
    json_field(&out, "median", b->whole.median * 1e3, ", ");
    json_field(&out, "max", b->whole.max * 1e3, "}, \"stages_ms\": {");
    json_field(&out, "simulate", b->simulation.median * 1e3, ", ");
    json_field(&out, "step", b->program.median * 1e3, ", ");
    json_field(&out, "optimiser", b->optimiser.median * 1e3, ", ");
    json_field(&out, "posterior", b->inference.median * 1e3, "}, ");
    json_field(&out, "flop", flop, ", ");
    json_field(&out, "gflops", flop / b->whole.median / 1e9, ", ");
    json_field(&out, "peak_gflops", b->peak.gflops, ", ");
    json_field(&out, "rss_mib", (double)b->memory / 1048576, ", ");
    rt_bytes_printf(&out, "\"steps\": %" PRId64 ", \"sets\": %" PRId64 ", ", b->whole.n,
                    s->state->sets);
    rt_json_settings(&out, s, s->state->draws);
    printf("%s}\n", out.data);
    rt_bytes_free(&out);
}

int rt_command_bench(RtSession *s) {
    RtError error;
    Bench b = {.s = s};
    if (!measure(&b, &error)) return rt_complain(&error);
    if (s->options->json)
        show_json(&b);
    else
        show_table(&b);
    return 0;
}
