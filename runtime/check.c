/* check.c -- the command `check`: does the trained guide give posteriors that can be believed?
 *
 * Data sets are simulated with their latents, answered by the guide, and compared (check.h). The
 * log likelihood and the log prior are treated like latents, true value against draws: a guide that
 * ignores the data and returns the prior has uniform ranks for every latent, but draws that explain
 * the data worse than the truth does. [Modrak et al. 2023]
 *
 * All numbers come from counters of (seed, RT_FOR_CHECK) and are added up in the order of the data
 * sets: the same for any number of threads. */
#include "runtime/check.h"
#include "runtime/psis.h"

#include "runtime/random.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum {
    COUNT = 1000,
    LEAST_COUNT = 100,
    DRAWS = 199,
    LEAST_DRAWS = 99,
    LARGEST_BLOCK = 64,
    GRADIENT_SETS = 4,
    EXACT_SETS = 8,
    GRADIENT_DRAWS = 8
};
static const double block_bytes = 32 << 20;

/* Steps of the random numbers. */
enum { SIMULATED, ANSWERED, PICKED };

static const struct {
    double good, look; /* share of data sets whose k-hat is too large */
    double ess;        /* mean ess / draws: bad only where most weight is lost, too */
} importance = {0.2, 0.5, 0.5};

static const double equal_weights = 0.99; /* ess / draws */

typedef struct Check {
    RtSession *s;
    RtProgress *progress;
    RtChecked r;
    int64_t block;
    RtCall *simulate, *posterior, *truth; /* truth: logjoint at the true latents, or NULL */
    RtData data;                          /* of a block */
    RtFeed *posterior_data, *truth_data;
    const void **simulated, **draws; /* by variable: [set, ...], [set, draw, ...] */
    const void *log_q, *logs[2], *true_logs[2];
    int *row; /* by variable, -1: none */
    int log_row;
    double *column, *weights;
} Check;

static const char *const log_names[2] = {"log_likelihood", "log_prior"};

static int64_t size_of(const Check *c, int variable) {
    return rt_var_size(&c->s->model->vars[variable], &c->s->state->sizes);
}

/* ---- preparation ---- */

static void choose_block(Check *c) {
    const RtModel *m = c->s->model;
    double bytes = 1;
    for (int i = 0; i < m->n_vars; i++)
        if (m->vars[i].kind == RT_LATENT)
            bytes += (double)size_of(c, i) * (double)c->r.n_draws * (double)m->real;
        else if (rt_is_given(&m->vars[i]))
            bytes += (double)size_of(c, i) * 16;
    double n = block_bytes / bytes;
    c->block = n < 1 ? 1 : n > LARGEST_BLOCK ? LARGEST_BLOCK : (int64_t)n;
    if (c->block > c->r.n_sets) c->block = c->r.n_sets;
}

static void prepare_simulate(Check *c) {
    RtSession *s = c->s;
    const RtModel *m = s->model;
    c->simulate = rt_call_new(s->mem, m, "simulate", s->pool, &s->state->sizes, c->block, 1);
    c->simulated = rt_alloc(s->mem, m->n_vars, sizeof *c->simulated);
    c->data =
        (RtData){.n_sets = c->block, .values = rt_alloc(s->mem, m->n_vars, sizeof *c->data.values)};
    c->data.sizes = s->state->sizes;
    for (int i = 0; i < m->n_vars; i++) {
        bool given = rt_is_given(&m->vars[i]);
        if (!given && m->vars[i].kind != RT_LATENT) continue;
        c->simulated[i] = rt_call_want(c->simulate, m->vars[i].name);
        if (given) c->data.values[i] = rt_alloc(s->mem, c->block * size_of(c, i), sizeof(double));
    }
    rt_bind_state(s->mem, m, s->state, s->state->average, c->simulate);
    rt_call_ready(c->simulate);
}

static void prepare_posterior(Check *c) {
    RtSession *s = c->s;
    const RtModel *m = s->model;
    c->posterior =
        rt_call_new(s->mem, m, "posterior", s->pool, &s->state->sizes, c->block, c->r.n_draws);
    c->draws = rt_alloc(s->mem, m->n_vars, sizeof *c->draws);
    for (int i = 0; i < m->n_vars; i++)
        if (m->vars[i].kind == RT_LATENT) c->draws[i] = rt_call_want(c->posterior, m->vars[i].name);
    c->log_q = rt_call_want(c->posterior, "log_q");
    for (int i = 0; i < 2; i++) c->logs[i] = rt_call_want(c->posterior, log_names[i]);
    rt_bind_state(s->mem, m, s->state, s->state->average, c->posterior);
    c->posterior_data = rt_feed_new(s->mem, m, c->posterior, &s->state->sizes, c->block);
    rt_call_ready(c->posterior);
}

/* `logjoint` reads the simulated latents in place: one draw per data set. */
static void prepare_truth(Check *c) {
    RtSession *s = c->s;
    const RtModel *m = s->model;
    if (!rt_program(m, "logjoint")) return;
    c->truth = rt_call_new(s->mem, m, "logjoint", s->pool, &s->state->sizes, c->block, 1);
    for (int i = 0; i < m->n_vars; i++)
        if (m->vars[i].kind == RT_LATENT) rt_call_bind(c->truth, m->vars[i].name, c->simulated[i]);
    for (int i = 0; i < 2; i++) c->true_logs[i] = rt_call_want(c->truth, log_names[i]);
    rt_bind_state(s->mem, m, s->state, s->state->average, c->truth);
    c->truth_data = rt_feed_new(s->mem, m, c->truth, &s->state->sizes, c->block);
    rt_call_ready(c->truth);
}

static void prepare_rows(Check *c) {
    RtSession *s = c->s;
    const RtModel *m = s->model;
    c->row = rt_alloc(s->mem, m->n_vars, sizeof *c->row);
    c->r.rows = rt_alloc(s->mem, m->n_vars + 2, sizeof *c->r.rows);
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        c->row[i] = -1;
        if (!c->draws[i] || !c->simulated[i]) continue;
        c->row[i] = c->r.n_rows;
        c->r.rows[c->r.n_rows++] =
            rt_calibration_new(s->mem, v->name, size_of(c, i), v->event, true);
    }
    c->log_row = c->r.n_rows;
    for (int i = 0; c->truth && i < 2; i++)
        c->r.rows[c->r.n_rows++] = rt_calibration_new(s->mem, log_names[i], 1, 1, false);
    c->r.results = rt_alloc(s->mem, c->r.n_rows, sizeof *c->r.results);
    c->column = rt_alloc(s->mem, c->r.n_draws, sizeof *c->column);
    c->weights = rt_alloc(s->mem, c->r.n_draws, sizeof *c->weights);
}

/* ---- one block ---- */

static void run_block(Check *c, int64_t first, int64_t n) {
    const RtModel *m = c->s->model;
    const uint32_t key[2] = {c->s->seed, RT_FOR_CHECK};
    rt_call_run(c->simulate, key, SIMULATED, (uint32_t)first, n);
    for (int i = 0; i < m->n_vars; i++) {
        if (!c->data.values[i]) continue;
        for (int64_t k = 0; k < n * size_of(c, i); k++)
            c->data.values[i][k] = rt_real_get(m, c->simulated[i], k);
    }
    rt_feed_load(c->posterior_data, &c->data, 0, n);
    rt_call_run(c->posterior, key, ANSWERED, (uint32_t)first, n);
    if (!c->truth) return;
    rt_feed_load(c->truth_data, &c->data, 0, n);
    rt_call_run(c->truth, key, ANSWERED, (uint32_t)first, n);
}

/* Data set `set` of the block, number `number` of all: one row. */
static void add_row(Check *c, int row, const void *truth, const void *draws, int64_t set,
                    int64_t number) {
    const RtModel *m = c->s->model;
    RtCalibration *to = c->r.rows[row];
    const uint32_t key[2] = {c->s->seed, RT_FOR_CHECK};
    for (int64_t k = 0; k < to->size; k++) {
        uint32_t word[4], count[4] = {PICKED, (uint32_t)number, (uint32_t)row, (uint32_t)k};
        av_philox(key, count, word);
        for (int64_t j = 0; j < c->r.n_draws; j++)
            c->column[j] = rt_real_get(m, draws, (set * c->r.n_draws + j) * to->size + k);
        rt_calibration_scalar(to, k, rt_real_get(m, truth, set * to->size + k), c->column,
                              c->r.n_draws, word);
    }
    rt_calibration_end_set(to);
}

static void add_weights(Check *c, int64_t set) {
    const RtModel *m = c->s->model;
    RtMoments log_q = {0};
    for (int64_t j = 0; j < c->r.n_draws; j++) {
        int64_t at = set * c->r.n_draws + j;
        double q = rt_real_get(m, c->log_q, at);
        rt_moments_add(&log_q, q);
        c->weights[j] = rt_real_get(m, c->logs[0], at) + rt_real_get(m, c->logs[1], at) - q;
    }
    RtElbo e = rt_elbo(c->weights, c->r.n_draws, NULL);
    bool equal = e.ess > equal_weights * (double)c->r.n_draws; /* k-hat is of rounding */
    if (!equal && !(e.khat <= rt_khat_limit(c->r.n_draws))) c->r.above++;
    if (!isfinite(e.elbo) || !isfinite(e.ess)) return;
    rt_moments_add(&c->r.ess, e.ess);
    rt_moments_add(&c->r.elbo, e.elbo);
    rt_moments_add(&c->r.gap, e.evidence - e.elbo);
    rt_moments_add(&c->r.log_q, log_q.mean);
}

static void add_block(Check *c, int64_t first, int64_t n) {
    for (int64_t set = 0; set < n; set++) {
        for (int i = 0; i < c->s->model->n_vars; i++)
            if (c->row[i] >= 0)
                add_row(c, c->row[i], c->simulated[i], c->draws[i], set, first + set);
        for (int i = 0; c->truth && i < 2; i++)
            add_row(c, c->log_row + i, c->true_logs[i], c->logs[i], set, first + set);
        add_weights(c, set);
    }
}

/* At a few draws of the first data sets. */
static void test_gradient(Check *c, int64_t n) {
    const RtModel *m = c->s->model;
    if (!c->truth) return;
    RtMem *mem = rt_mem_new();
    int64_t sets = n < GRADIENT_SETS ? n : GRADIENT_SETS;
    const void **draws = rt_alloc(mem, m->n_vars, sizeof *draws);
    for (int i = 0; i < m->n_vars; i++) {
        if (!c->draws[i]) continue;
        size_t each = (size_t)size_of(c, i) * m->real;
        char *to = rt_alloc(mem, sets * GRADIENT_DRAWS, each);
        for (int64_t set = 0; set < sets; set++)
            memcpy(to + (size_t)(set * GRADIENT_DRAWS) * each,
                   (const char *)c->draws[i] + (size_t)(set * c->r.n_draws) * each,
                   GRADIENT_DRAWS * each);
        draws[i] = to;
    }
    c->r.has_gradient = true;
    c->r.gradient = rt_gradient_test(c->s, &c->data, sets, draws, GRADIENT_DRAWS);
    rt_mem_free(mem);
}

/* ---- the verdict ---- */

/* True if no latent is any narrower than its prior. */
static bool is_prior(const RtChecked *r) {
    int latents = 0;
    for (int i = 0; i < r->n_rows; i++) {
        if (!r->rows[i]->latent) continue;
        latents++;
        if (!(r->results[i].contraction < rt_least_contraction())) return false;
    }
    return latents > 0;
}

/* A latent as wide as its prior is right where the data say nothing about it; the guide as a whole
 * is then still exact, and its weights and log densities show no fault. */
static bool returns_prior(const RtChecked *r) {
    bool fault = r->importance == RT_BAD;
    for (int i = 0; i < r->n_rows; i++)
        if (!r->rows[i]->latent && r->results[i].verdict == RT_BAD) fault = true;
    return fault && is_prior(r);
}

static void judge(RtChecked *r) {
    double share = (double)r->above / (double)r->n_sets;
    bool lost = !(r->ess.mean >= importance.ess * (double)r->n_draws);
    r->importance = share <= importance.good            ? RT_GOOD
                    : share <= importance.look || !lost ? RT_LOOK
                                                        : RT_BAD;
    for (int i = 0; i < r->n_rows; i++)
        r->results[i] = rt_calibration_judge(r->rows[i], r->n_draws);
    bool prior = returns_prior(r);
    r->overall = r->importance;
    for (int i = 0; i < r->n_rows; i++) {
        if (prior && r->rows[i]->latent)
            rt_calibrated_add(&r->results[i], RT_BAD,
                              "the guide returns the prior: it has learned nothing of the data");
        if (r->results[i].verdict > r->overall) r->overall = r->results[i].verdict;
    }
    if (r->exact.applies && r->exact.verdict > r->overall) r->overall = r->exact.verdict;
    bool gradient = r->has_gradient && r->gradient.verdict == RT_BAD;
    if (gradient) r->overall = RT_BAD;
    r->summary =
        gradient ? "the program's derivatives are wrong: this is a fault of adavic"
        : prior  ? "the guide returns the prior: train it longer"
        : r->overall == RT_BAD
            ? "posteriors cannot be taken at their word: train longer, or look at the model"
        : r->overall == RT_LOOK
            ? "nothing failed; read the lines marked look before you rely on it"
            : "posteriors of data like the model's own can be taken at their word";
}

/* Ranks fall evenly into the bins if the draws are one less than a multiple of their number. */
static int64_t even_draws(int64_t n) {
    return (n + RT_BINS) / RT_BINS * RT_BINS - 1;
}

/* From fewer, standard errors and k-hat say nothing. */
static bool enough(const char *option, int64_t n, int64_t least) {
    RtError error;
    if (n < 0 || n >= least) return true;
    rt_error(&error, "--%s %" PRId64 ": too few to judge by\n  expected  %" PRId64 " or more",
             option, n, least);
    rt_complain(&error);
    return false;
}

static bool known_plot(const char *path) {
    RtError error;
    if (!path || rt_ends_with(path, ".svg")) return true;
    rt_error(&error, "--plot %s: pictures are written as .svg", path);
    rt_complain(&error);
    return false;
}

int rt_command_check(RtSession *s) {
    RtError error;
    const RtOptions *o = s->options;
    if (!known_plot(o->plot)) return 2;
    if (!enough("count", o->count, LEAST_COUNT) || !enough("draws", o->draws, LEAST_DRAWS))
        return 2;
    Check c = {.s = s,
               .progress = rt_progress_new(s->mem, o->quiet),
               .r = {.n_sets = o->count > 0 ? o->count : COUNT,
                     .n_draws = even_draws(o->draws > 0 ? o->draws : DRAWS)}};
    RtState *state = rt_weights_open(s, &error);
    if (!state) return rt_complain(&error);
    s->state = state;
    if (!rt_state_apply_sizes(s->mem, s->model, o, state, NULL, &error) ||
        !rt_settings_apply(s->model, o, RT_SETS_CONTEXTS, state, &error))
        return rt_complain(&error);
    rt_context_warn(s, NULL);
    choose_block(&c);
    prepare_simulate(&c);
    prepare_posterior(&c);
    prepare_truth(&c);
    prepare_rows(&c);
    for (int64_t first = 0, n; first < c.r.n_sets; first += n) {
        n = c.r.n_sets - first < c.block ? c.r.n_sets - first : c.block;
        run_block(&c, first, n);
        add_block(&c, first, n);
        if (!first) test_gradient(&c, n);
        if (!first && c.truth)
            c.r.exact = rt_exact_test(s, &c.data, n < EXACT_SETS ? n : EXACT_SETS);
        rt_progress_count(c.progress, first + n, c.r.n_sets, "data sets");
    }
    rt_progress_end(c.progress);
    judge(&c.r);
    if (o->plot && !rt_checked_plot(s, &c.r, o->plot, &error)) return rt_complain(&error);
    if (o->json)
        rt_checked_json(s, &c.r);
    else if (!o->quiet)
        rt_checked_show(s, &c.r);
    return c.r.overall == RT_BAD ? 3 : 0;
}
