/* predict.c -- the command `predict`: posterior predictive draws of every observed variable, and
 * what they say of the model; with --new, of the rows of another file (predict_new.h).
 *
 *                     observed       mean        sd         5%        50%        95%
 *     y[0,3]  308/3        367      357.4      26.3      314.2      357.6      400.6
 *     y[1,0]  309/0    missing      232.1      27.9      186.0      232.4      277.9
 *
 * Program posterior draws the latents; program predict reads them where they are and draws what
 * would be observed, once for each. The checks compare statistics of the cells that are there with
 * those of each prediction for the same cells. */
#include "runtime/check.h"
#include "runtime/predict_new.h"
#include "runtime/rows.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { SHOWN_SETS = 3, SHOWN_ROWS = 16, SHOWN_NEW = 100 };

typedef struct Statistics {
    RtMoments moments;
    double least, largest;
} Statistics;

typedef struct Predict {
    RtPosterior p;
    RtNew fresh;
    const RtData *cells;    /* what is predicted: DATA's, or of --new FILE; */
    RtPosterior shown;      /* and p of them, for files of draws */
    const void **predicted; /* by observed variable: its draws, as p.draws, of `cells` */
    RtCall *call;
    RtFeed *feed;
    bool colour;
    RtBytes json;
    double *column;           /* of one number, by draw */
    RtWeighted *rows;         /* the same with weights, where draws have some; else NULL */
    Statistics *replications; /* by draw */
} Predict;

/* Before anything is read. */
static bool is_served(const RtSession *s, RtError *error) {
    if (!rt_program(s->model, "predict"))
        return rt_error(error,
                        "predict: discrete latents of this model depend on each other, so that the "
                        "probabilities of each alone do not say what would be observed");
    return !s->options->new_file || rt_new_check(s, error);
}

static bool prepare(Predict *f, RtError *error) {
    RtSession *s = f->p.s;
    const RtModel *m = s->model;
    f->cells = s->options->new_file ? &f->fresh.rows : &f->p.data;
    if (s->options->new_file && !rt_new_open(&f->p, &f->fresh, error)) return false;
    f->call =
        rt_call_new(s->mem, m, "predict", s->pool, &f->cells->sizes, f->p.block, f->p.n_draws);
    f->predicted = rt_alloc(s->mem, m->n_vars, sizeof *f->predicted);
    for (int i = 0; i < m->n_vars; i++) {
        const void *draws = s->options->new_file ? rt_new_latent(&f->fresh, i) : f->p.draws[i];
        if (draws) rt_call_bind(f->call, m->vars[i].name, draws);
        if (m->vars[i].kind == RT_OBSERVED)
            f->predicted[i] = rt_call_want(f->call, m->vars[i].name);
    }
    rt_bind_state(s->mem, m, s->state, s->state->average, f->call);
    f->feed = rt_feed_new(s->mem, m, f->call, &f->cells->sizes, f->p.block);
    rt_call_ready(f->call);
    f->column = rt_alloc(s->mem, f->p.n_draws, sizeof *f->column);
    if (s->options->psis) f->rows = rt_alloc(s->mem, f->p.n_draws, sizeof *f->rows);
    f->replications = rt_alloc(s->mem, f->p.n_draws, sizeof *f->replications);
    return true;
}

/* What pads groups of unequal size is no prediction, nor are pairs that have no row. */
static void blank_absent(Predict *f) {
    const RtModel *m = f->p.s->model;
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        void *draws = f->predicted[i] ? rt_call_want(f->call, v->name) : NULL;
        int64_t size = rt_var_size(v, &f->cells->sizes);
        for (int64_t k = 0; draws && k < size; k++)
            for (int64_t j = 0; !rt_instance_there(f->cells, v, k / v->event) && j < f->p.n_draws;
                 j++)
                rt_real_set(m, draws, j * size + k, NAN);
    }
}

static void run(Predict *f, int64_t first, int64_t n) {
    const uint32_t key[2] = {f->p.s->seed, RT_FOR_PREDICT};
    if (f->p.s->options->new_file) rt_new_run(&f->fresh);
    rt_feed_load(f->feed, f->cells, first, n);
    rt_call_run(f->call, key, 0, (uint32_t)first, n);
    blank_absent(f);
    f->shown = f->p;
    f->shown.data = *f->cells;
}

static int64_t size_of(const Predict *f, int variable) {
    return rt_var_size(&f->p.s->model->vars[variable], &f->cells->sizes);
}

/* Is number k of the variable there, in data set `at` of the file? */
static bool is_there(const Predict *f, int variable, int64_t at, int64_t k) {
    const RtVar *v = &f->p.s->model->vars[variable];
    int64_t size = size_of(f, variable), cells = size / v->event;
    if (v->presence < 0) return !isnan(f->cells->values[variable][at * size + k]);
    return f->cells->values[v->presence][at * cells + k / v->event] != 0;
}

/* Is the row of number k one of the file's, no absent pair, and not there for equal groups alone?
 */
static bool is_row(const Predict *f, int variable, int64_t k) {
    const RtVar *v = &f->p.s->model->vars[variable];
    return rt_instance_there(f->cells, v, k / v->event);
}

/* What is new of the row of number k; or NULL. */
static const char *new_plate(const Predict *f, int variable, int64_t k) {
    if (!f->p.s->options->new_file) return NULL;
    return rt_new_plate(&f->fresh, &f->p.s->model->vars[variable], k);
}

static double observed_at(const Predict *f, int variable, int64_t at, int64_t k) {
    return f->cells->values[variable][at * size_of(f, variable) + k];
}

static double predicted_at(const Predict *f, int variable, int64_t set, int64_t draw, int64_t k) {
    int64_t at = (set * f->p.n_draws + draw) * size_of(f, variable) + k;
    return rt_real_get(f->p.s->model, f->predicted[variable], at);
}

static double weight_of(const Predict *f, int64_t draw) {
    return f->rows ? exp(f->p.log_share[draw]) : 1 / (double)f->p.n_draws;
}

static RtSummary summarise(Predict *f, int variable, int64_t set, int64_t k) {
    for (int64_t j = 0; j < f->p.n_draws; j++) f->column[j] = predicted_at(f, variable, set, j, k);
    return rt_posterior_summary(&f->p, f->column, f->rows);
}

/* ---- checks ---- */

enum { MEAN, SD, LEAST, LARGEST, N_CHECKS };
static const char *const check_names[N_CHECKS] = {"mean", "sd", "min", "max"};

static void add_number(Statistics *s, double x) {
    rt_moments_add(&s->moments, x);
    if (s->moments.n == 1 || x < s->least) s->least = x;
    if (s->moments.n == 1 || x > s->largest) s->largest = x;
}

static double statistic(const Statistics *s, int which) {
    const RtMoments *m = &s->moments;
    switch (which) {
    case MEAN:
        return m->mean;
    case SD:
        return sqrt(m->squares / (double)(m->n - 1));
    case LEAST:
        return s->least;
    default:
        return s->largest;
    }
}

typedef struct Checked {
    const char *name;
    double observed, above; /* above: the share of predictions whose statistic is larger */
    RtSummary predicted;
} Checked;

/* All statistics of a variable in data set `set` of the block, `at` of the file; how many there
 * are: none where no cell is there, no sd of one number. */
static int check_variable(Predict *f, int variable, int64_t set, int64_t at,
                          Checked out[N_CHECKS]) {
    const int64_t size = size_of(f, variable), n_draws = f->p.n_draws;
    Statistics own = {0};
    int n = 0;
    memset(f->replications, 0, (size_t)n_draws * sizeof *f->replications);
    for (int64_t k = 0; k < size; k++) {
        if (!is_there(f, variable, at, k)) continue;
        add_number(&own, observed_at(f, variable, at, k));
        for (int64_t j = 0; j < n_draws; j++)
            add_number(&f->replications[j], predicted_at(f, variable, set, j, k));
    }
    for (int which = 0; which < N_CHECKS && own.moments.n; which++) {
        Checked c = {.name = check_names[which], .observed = statistic(&own, which)};
        if (which == SD && own.moments.n < 2) continue;
        for (int64_t j = 0; j < n_draws; j++) {
            f->column[j] = statistic(&f->replications[j], which);
            double share = (f->column[j] > c.observed) + 0.5 * (f->column[j] == c.observed);
            c.above += share * weight_of(f, j);
        }
        c.predicted = rt_posterior_summary(&f->p, f->column, f->rows);
        out[n++] = c;
    }
    return n;
}

/* ---- JSON ---- */

/* "y[0,1]": {"observed": 3.1 (null: missing), "mean": ...} */
static void json_cell(Predict *f, int variable, int64_t set, int64_t at, int64_t k) {
    const RtVar *v = &f->p.s->model->vars[variable];
    const RtSummary s = summarise(f, variable, set, k);
    const double observed = is_there(f, variable, at, k) ? observed_at(f, variable, at, k) : NAN;
    RtBytes name = {0};
    rt_element_name(v, &f->cells->sizes, k, &name);
    rt_json_string(&f->json, name.data);
    rt_json_field(&f->json, ": {", "observed", observed);
    rt_json_row(&f->json, ", ", f->cells, v, k, &s);
    if (new_plate(f, variable, k))
        rt_bytes_printf(&f->json, ", \"new\": \"%s\"", new_plate(f, variable, k));
    rt_bytes_printf(&f->json, "}");
    rt_bytes_free(&name);
}

static void json_checks(Predict *f, int variable, int64_t set, int64_t at) {
    Checked checks[N_CHECKS];
    int n = check_variable(f, variable, set, at, checks);
    rt_json_string(&f->json, f->p.s->model->vars[variable].name);
    rt_bytes_printf(&f->json, ": {");
    for (int i = 0; i < n; i++) {
        rt_bytes_printf(&f->json, "%s\"%s\": {", i ? ", " : "", checks[i].name);
        rt_json_field(&f->json, "", "observed", checks[i].observed);
        rt_json_quantiles(&f->json, &checks[i].predicted);
        rt_json_field(&f->json, ", ", "above", checks[i].above);
        rt_bytes_printf(&f->json, "}");
    }
    rt_bytes_printf(&f->json, "}");
}

static void json_set(Predict *f, int64_t set, int64_t at, const RtElbo *e) {
    const RtModel *m = f->p.s->model;
    bool first = true;
    rt_json_field(&f->json, at ? ", {" : "{", "khat", e->khat);
    rt_bytes_printf(&f->json, ", ");
    if (f->p.s->options->new_file) {
        rt_new_json(&f->fresh, &f->json);
        rt_bytes_printf(&f->json, ", ");
    }
    rt_bytes_printf(&f->json, "\"cells\": {");
    for (int i = 0; i < m->n_vars; i++)
        for (int64_t k = 0; f->predicted[i] && k < size_of(f, i); k++) {
            if (!is_row(f, i, k)) continue;
            if (!first) rt_bytes_printf(&f->json, ", ");
            json_cell(f, i, set, at, k);
            first = false;
        }
    rt_bytes_printf(&f->json, "}, \"checks\": {");
    first = true;
    for (int i = 0; i < m->n_vars; i++) {
        if (!f->predicted[i]) continue;
        if (!first) rt_bytes_printf(&f->json, ", ");
        json_checks(f, i, set, at);
        first = false;
    }
    rt_bytes_printf(&f->json, "}}");
}

/* ---- the screen ---- */

/* Which rows of a variable are shown: all of a short one; of a long one the first missing cells, or
 * where none is missing the first rows. */
static void choose_rows(const Predict *f, int variable, int64_t at, bool *shown) {
    const int64_t size = size_of(f, variable);
    const int64_t most = f->p.s->options->new_file ? SHOWN_NEW : SHOWN_ROWS;
    int64_t rows = 0, missing = 0, n = 0;
    for (int64_t k = 0; k < size; k++) {
        rows += is_row(f, variable, k);
        missing += is_row(f, variable, k) && !is_there(f, variable, at, k);
    }
    for (int64_t k = 0; k < size; k++) {
        if (!is_row(f, variable, k)) continue;
        bool wanted = !missing || !is_there(f, variable, at, k);
        shown[k] = rows <= most || (wanted && n < most);
        n += wanted;
    }
}

/* "y[0,3]  308/3", and behind it what DATA do not have. */
static void row_name(const Predict *f, int variable, int64_t k, RtBytes *name) {
    const char *fresh = new_plate(f, variable, k);
    rt_row_name(f->cells, &f->p.s->model->vars[variable], k, name);
    if (fresh) rt_bytes_printf(name, "  new %s", fresh);
}

static int name_width(const Predict *f, int variable, const bool *shown, int width) {
    for (int64_t k = 0; k < size_of(f, variable); k++) {
        RtBytes name = {0};
        if (!shown[k]) continue;
        row_name(f, variable, k, &name);
        if ((int)name.n > width) width = (int)name.n;
        rt_bytes_free(&name);
    }
    return width > 60 ? 60 : width;
}

static void show_row(Predict *f, int variable, int64_t set, int64_t at, int64_t k, int width) {
    const RtSummary s = summarise(f, variable, set, k);
    RtBytes name = {0};
    row_name(f, variable, k, &name);
    printf("%-*s ", width, name.data);
    if (is_there(f, variable, at, k))
        printf("%10.5g", observed_at(f, variable, at, k));
    else
        printf("%10s", "missing");
    printf(" %10.5g %9.4g %10.5g %10.5g %10.5g\n", s.mean, s.sd, s.q5, s.q50, s.q95);
    rt_bytes_free(&name);
}

static void show_variable(Predict *f, int variable, int64_t set, int64_t at, const bool *shown,
                          int width) {
    int64_t hidden = 0;
    for (int64_t k = 0; k < size_of(f, variable); k++) {
        hidden += !shown[k] && is_row(f, variable, k);
        if (shown[k]) show_row(f, variable, set, at, k, width);
    }
    if (hidden) printf("%-*s  ... %" PRId64 " more\n", width, "", hidden);
}

static void show_checks(Predict *f, int64_t set, int64_t at, int width) {
    const RtModel *m = f->p.s->model;
    const char *bold = f->colour ? "\033[1m" : "", *off = f->colour ? "\033[0m" : "";
    bool headed = false;
    for (int i = 0; i < m->n_vars; i++) {
        Checked checks[N_CHECKS];
        int n = f->predicted[i] ? check_variable(f, i, set, at, checks) : 0;
        if (n && !headed)
            printf("%s%-*s %10s %10s %9s %10s %10s %10s%s\n", bold, width,
                   "of all cells that are there", "observed", "", "P(above)", "5%", "50%", "95%",
                   off);
        headed |= n > 0;
        for (int k = 0; k < n; k++) {
            const RtSummary *s = &checks[k].predicted;
            printf("%s of %-*s %10.5g %10s %9.3f %10.5g %10.5g %10.5g\n", checks[k].name,
                   width - (int)strlen(checks[k].name) - 4, m->vars[i].name, checks[k].observed, "",
                   checks[k].above, s->q5, s->q50, s->q95);
        }
    }
}

static void show_set(Predict *f, int64_t set, int64_t at, const RtElbo *e) {
    enum { LEAST_WIDTH = 28 }; /* the head of the checks */
    const RtModel *m = f->p.s->model;
    const char *why, *verdict = rt_verdict(e->khat, f->p.n_draws, f->p.method, f->rows, &why);
    const char *bold = f->colour ? "\033[1m" : "", *off = f->colour ? "\033[0m" : "";
    bool **shown = rt_alloc(f->p.s->mem, m->n_vars, sizeof *shown);
    int width = LEAST_WIDTH;
    for (int i = 0; i < m->n_vars; i++) {
        if (!f->predicted[i]) continue;
        shown[i] = rt_alloc(f->p.s->mem, size_of(f, i), sizeof **shown);
        choose_rows(f, i, at, shown[i]);
        width = name_width(f, i, shown[i], width);
    }
    if (f->p.data.n_sets > 1) printf("data set %" PRId64 "\n", at);
    if (f->p.s->options->new_file) rt_new_show(&f->fresh);
    printf("%s%-*s %10s %10s %9s %10s %10s %10s%s\n", bold, width, "", "observed", "mean", "sd",
           "5%", "50%", "95%", off);
    for (int i = 0; i < m->n_vars; i++)
        if (shown[i]) show_variable(f, i, set, at, shown[i], width);
    show_checks(f, set, at, width);
    printf("k-hat %.2f (trust up to %.2f): %s, %s\n", e->khat, rt_khat_limit(f->p.n_draws), verdict,
           why);
}

static void footer(const Predict *f) {
    const RtSession *s = f->p.s;
    if (f->p.data.n_sets > SHOWN_SETS)
        printf("... %" PRId64 " more data sets: --json or --out FILE.npz has them\n",
               f->p.data.n_sets - SHOWN_SETS);
    printf("%" PRId64 " draws, seed %" PRIu32 ", trained %" PRId64 " steps, %.1f s\n", f->p.n_draws,
           s->seed, s->state->steps, rt_seconds() - s->started);
}

static void answer(Predict *f, RtDraws *draws) {
    const RtOptions *o = f->p.s->options;
    for (int64_t first = 0, n; first < f->p.data.n_sets; first += n) {
        n = rt_posterior_run(&f->p, first);
        run(f, first, n);
        if (draws) rt_draws_add(draws, first, n);
        for (int64_t set = 0; set < n; set++) {
            RtElbo e = rt_posterior_weigh(&f->p, set);
            if (draws && f->rows) rt_draws_add_weights(draws, first + set);
            if (o->json)
                json_set(f, set, first + set, &e);
            else if (first + set < SHOWN_SETS && !o->quiet)
                show_set(f, set, first + set, &e);
        }
    }
}

int rt_command_predict(RtSession *s) {
    RtError error;
    const RtOptions *o = s->options;
    const RtMethod method = o->refine ? RT_REFINED : RT_AMORTISED;
    Predict f = {.colour = rt_colour(stdout)};
    if (!rt_answer_options(s, method, &error)) {
        rt_complain(&error);
        return 2;
    }
    if (!is_served(s, &error) || !rt_posterior_open(s, method, true, false, &f.p, &error) ||
        !prepare(&f, &error))
        return rt_complain(&error);
    f.shown = f.p;
    f.shown.data = *f.cells;
    RtDraws *draws = o->out ? rt_draws_new(&f.shown, f.predicted, o->out) : NULL;
    rt_bytes_printf(&f.json, "{\"draws\": %" PRId64 ", \"sets\": [", f.p.n_draws);
    answer(&f, draws);
    bool ok = !draws || rt_draws_write(draws, &error);
    if (ok && o->json) {
        rt_bytes_printf(&f.json, "], \"method\": \"%s\", ", rt_method_names[method]);
        rt_json_settings(&f.json, s, f.p.n_draws);
        printf("%s}\n", f.json.data);
    } else if (ok && !o->quiet) {
        footer(&f);
    }
    rt_bytes_free(&f.json);
    return ok ? 0 : rt_complain(&error);
}
