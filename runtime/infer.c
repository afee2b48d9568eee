/* infer.c -- the commands `infer` and `fit`: the posterior of every latent and quantity, as a
 * table, as JSON, as files of draws.
 *
 *                        mean      sd    mcse      5%     50%     95%
 *     mu_batch[0]  A    62.81   0.412  0.0130   62.13   62.81   63.48
 *
 * Of a discrete latent it is the probability of each of its values; the mean over the draws is its
 * posterior probability. */
#include "runtime/posterior.h"
#include "runtime/rows.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { SHOWN_SETS = 3 };

typedef struct Infer {
    RtPosterior p;
    bool colour;
    RtBytes json;
    double *column;     /* the draws of one scalar */
    RtWeighted *rows;   /* with their weights, where they have some; else NULL */
    int64_t shown_rows; /* of one variable on screen */
} Infer;

static RtSummary summarise(Infer *f, int variable, int64_t set, int64_t k) {
    const RtModel *m = f->p.s->model;
    int64_t size = rt_var_size(&m->vars[variable], &f->p.data.sizes), n = f->p.n_draws;
    for (int64_t j = 0; j < n; j++)
        f->column[j] = rt_real_get(m, f->p.draws[variable], (set * n + j) * size + k);
    return rt_posterior_summary(&f->p, f->column, f->rows);
}

/* Is element k of a pair that the file has? Of others nothing is said. */
static bool is_there(const Infer *f, const RtVar *v, int64_t k) {
    return rt_instance_there(&f->p.data, v, k / v->event);
}

/* ---- JSON ---- */

static void json_scalar(Infer *f, int variable, int64_t set, int64_t k) {
    const RtVar *v = &f->p.s->model->vars[variable];
    RtSummary s = summarise(f, variable, set, k);
    RtBytes name = {0};
    rt_element_name(v, &f->p.data.sizes, k, &name);
    rt_json_string(&f->json, name.data);
    rt_bytes_printf(&f->json, ": {");
    rt_json_row(&f->json, "", &f->p.data, v, k, &s);
    rt_bytes_printf(&f->json, "}");
    rt_bytes_free(&name);
}

static void json_kind(Infer *f, RtVarKind kind, int64_t set) {
    const RtModel *m = f->p.s->model;
    bool first = true;
    for (int i = 0; i < m->n_vars; i++) {
        if (m->vars[i].kind != kind || !f->p.draws[i]) continue;
        for (int64_t k = 0; k < rt_var_size(&m->vars[i], &f->p.data.sizes); k++) {
            if (!is_there(f, &m->vars[i], k)) continue;
            rt_bytes_printf(&f->json, "%s", first ? "" : ", ");
            json_scalar(f, i, set, k);
            first = false;
        }
    }
}

static bool has_kind(const Infer *f, RtVarKind kind) {
    for (int i = 0; i < f->p.s->model->n_vars; i++)
        if (f->p.s->model->vars[i].kind == kind && f->p.draws[i]) return true;
    return false;
}

static void json_refined(Infer *f) {
    const RtRefined *r = &f->p.refined;
    rt_bytes_printf(
        &f->json,
        ", \"%s\": {\"steps\": %" PRId64 ", \"skipped_steps\": %" PRId64 ", \"kept\": \"%s\", ",
        rt_method_names[f->p.method], r->steps, r->skipped, r->kept_start ? "start" : "end");
    if (r->rounds) rt_bytes_printf(&f->json, "\"rounds\": %" PRId64 ", ", r->rounds);
    rt_json_field(&f->json, "", "elbo_start", r->start);
    rt_json_field(&f->json, ", ", "elbo", r->end);
    rt_json_field(&f->json, ", ", "gain", r->gain);
    rt_json_field(&f->json, ", ", "gain_se", r->gain_se);
    rt_bytes_printf(&f->json, "}");
}

/* The labels of category `kind` of covariate i; NULL: it has none. */
static const char *kind_label(const Infer *f, int i, int64_t kind) {
    char **kinds = f->p.data.kinds ? f->p.data.kinds[i] : NULL;
    return kinds && kind < f->p.s->model->vars[i].n_kinds ? kinds[kind] : NULL;
}

static void show_categories(const Infer *f) {
    const RtModel *m = f->p.s->model;
    for (int i = 0; i < m->n_vars; i++)
        for (int64_t k = 0; kind_label(f, i, k); k++)
            printf("%s%s%" PRId64 " is %s%s", k ? "" : m->vars[i].name, k ? ", " : ": ", k,
                   kind_label(f, i, k), kind_label(f, i, k + 1) ? "" : "\n");
}

/* How many cells of the data set are missing, by variable that may have some. */
static void json_missing(Infer *f, int64_t at) {
    const RtModel *m = f->p.s->model;
    bool any = false;
    for (int i = 0; i < m->n_vars; i++) {
        if (m->vars[i].presence < 0) continue;
        rt_bytes_printf(&f->json, "%s\"%s\": %" PRId64, any ? ", " : ", \"missing\": {",
                        m->vars[i].name, rt_missing_cells(m, &f->p.data, i, at));
        any = true;
    }
    if (any) rt_bytes_printf(&f->json, "}");
}

static void show_missing(const Infer *f, int64_t at) {
    const RtModel *m = f->p.s->model;
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        int64_t missing = rt_missing_cells(m, &f->p.data, i, at);
        if (missing)
            printf("%" PRId64 " of %" PRId64 " cells of %s are missing (predict draws them)\n",
                   missing, rt_instances_there(&f->p.data, v), v->name);
    }
    for (int i = 0; i < m->n_plates; i++) {
        const bool *there = f->p.data.there[i];
        const int64_t pairs = rt_instances(m, &f->p.data.sizes, i);
        int64_t n = 0;
        if (!there) continue;
        for (int64_t k = 0; k < pairs; k++) n += there[k];
        printf("%" PRId64 " of %" PRId64 " pairs of %s and %s are in the file\n", n, pairs,
               m->plates[m->plates[i].parent].name, m->plates[rt_counts(m, i)].name);
    }
}

/* `at`: its number in the file. */
static void json_set(Infer *f, int64_t set, int64_t at, const RtElbo *e) {
    RtBytes categories = {0};
    rt_json_field(&f->json, "{", "khat", e->khat);
    if (f->rows) rt_json_field(&f->json, ", \"reweighted\": true, ", "ess", e->ess);
    if (f->p.refine) json_refined(f);
    rt_bytes_printf(&f->json, ", \"latents\": {");
    json_kind(f, RT_LATENT, set);
    rt_bytes_printf(&f->json, "}");
    static const struct {
        RtVarKind kind;
        const char *key;
    } more[] = {{RT_QUANTITY, "quantities"}, {RT_DISCRETE, "discrete"}};
    for (int i = 0; i < 2; i++) {
        if (!has_kind(f, more[i].kind)) continue;
        rt_bytes_printf(&f->json, ", \"%s\": {", more[i].key);
        json_kind(f, more[i].kind, set);
        rt_bytes_printf(&f->json, "}");
    }
    rt_categories_json(f->p.s->model, &f->p.data, &categories);
    if (categories.n) rt_bytes_printf(&f->json, ", \"categories\": %s", categories.data);
    rt_bytes_free(&categories);
    json_missing(f, at);
    rt_bytes_printf(&f->json, "}");
}

/* ---- the screen ---- */

/* Of a variable with more than shown_rows scalars, the first ones and the last are shown; row: the
 * number of one of `rows` in all. */
static bool is_shown(const Infer *f, int64_t row, int64_t rows) {
    return rows <= f->shown_rows || row < f->shown_rows - 2 || row == rows - 1;
}

static int64_t count_rows(const Infer *f, const RtVar *v) {
    return rt_instances_there(&f->p.data, v) * v->event;
}

static int name_width(const Infer *f) {
    const RtModel *m = f->p.s->model;
    size_t width = 4;
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        int64_t size = f->p.draws[i] ? rt_var_size(v, &f->p.data.sizes) : 0;
        int64_t rows = size ? count_rows(f, v) : 0, row = 0;
        for (int64_t k = 0; k < size; k++) {
            RtBytes name = {0};
            if (!is_there(f, v, k) || !is_shown(f, row++, rows)) continue;
            rt_row_name(&f->p.data, &m->vars[i], k, &name);
            if (name.n > width) width = name.n;
            rt_bytes_free(&name);
        }
    }
    return width > 60 ? 60 : (int)width;
}

static void show_variable(Infer *f, int variable, int64_t set, int width) {
    const RtVar *v = &f->p.s->model->vars[variable];
    int64_t size = rt_var_size(v, &f->p.data.sizes), rows = count_rows(f, v), row = -1;
    for (int64_t k = 0; k < size; k++) {
        if (!is_there(f, v, k)) continue;
        if (!is_shown(f, ++row, rows)) {
            if (row + 2 == rows)
                printf("%-*s  ... %" PRId64 " more\n", width, "", rows - f->shown_rows + 1);
            continue;
        }
        RtBytes name = {0};
        rt_row_name(&f->p.data, v, k, &name);
        RtSummary s = summarise(f, variable, set, k);
        printf("%-*s %10.5g %9.4g %9.3g %10.5g %10.5g %10.5g %7.0f\n", width, name.data, s.mean,
               s.sd, s.mcse, s.q5, s.q50, s.q95, s.ess);
        rt_bytes_free(&name);
    }
}

/* How the guide came to fit this data set alone. */
static void show_refined(const RtPosterior *p) {
    const RtRefined *r = &p->refined;
    bool fit = p->method == RT_FITTED;
    if (r->kept_start)
        printf("%" PRId64
               " steps on this data set did not raise the ELBO (%.3f +- %.3f nats): this is "
               "%s\n",
               r->steps, r->gain, r->gain_se,
               fit ? "the guide they started from, as derived from the model"
                   : "the amortised answer");
    else
        printf("%s to this data set alone: %" PRId64
               " steps, ELBO %.3f, %.3f +- %.3f nats above %s\n",
               rt_method_names[p->method], r->steps, r->end, r->gain, r->gain_se,
               fit ? "its start" : "the amortised answer's");
    if (r->rounds) printf("by the objective sequential, in %" PRId64 " rounds\n", r->rounds);
    if (r->skipped)
        printf("%" PRId64 " of the steps were skipped: their loss or gradient was not finite\n",
               r->skipped);
}

static void show_set(Infer *f, int64_t first, int64_t set, const RtElbo *e) {
    const RtModel *m = f->p.s->model;
    const char *why, *verdict = rt_verdict(e->khat, f->p.n_draws, f->p.method, f->rows, &why);
    int width = name_width(f);
    bool bad = rt_trust(e->khat, f->p.n_draws, f->p.method, f->rows, &why) == RT_NO_TRUST;
    const char *on = !f->colour ? ""
                     : bad      ? "\033[1;31m"
                                : "\033[1;32m",
               *off = f->colour ? "\033[0m" : "";
    if (f->p.data.n_sets > 1) printf("data set %" PRId64 "\n", first + set);
    printf("%s%-*s %10s %9s %9s %10s %10s %10s %7s%s\n", f->colour ? "\033[1m" : "", width, "",
           "mean", "sd", "mcse", "5%", "50%", "95%", "ess", off);
    for (int i = 0; i < m->n_vars; i++)
        if (f->p.draws[i]) show_variable(f, i, set, width);
    show_categories(f);
    show_missing(f, first + set);
    if (f->p.refine) show_refined(&f->p);
    if (f->p.labels)
        printf("components are in all %" PRId64 " orders: what is said of one holds for each\n",
               rt_orders_count(m));
    if (f->rows)
        printf("reweighted to the posterior by Pareto-smoothed importance weights%s (ess %.0f of "
               "%" PRId64 " draws)\n",
               f->p.inner ? " of the latents outside all plates" : "", e->ess, f->p.n_draws);
    printf("k-hat %.2f (trust up to %.2f): %s%s%s, %s\n", e->khat, rt_khat_limit(f->p.n_draws), on,
           verdict, off, why);
}

/* A long plate gives way first: enough rows that all variables fit on about one screen. */
static int64_t rows_per_variable(const RtModel *m) {
    int variables = 0;
    for (int i = 0; i < m->n_vars; i++) variables += rt_is_inferred(&m->vars[i]);
    int64_t rows = variables ? 48 / variables : 48;
    return rows < 6 ? 6 : rows > 16 ? 16 : rows;
}

static void footer(const Infer *f) {
    const RtSession *s = f->p.s;
    if (f->p.data.n_sets > SHOWN_SETS)
        printf("... %" PRId64 " more data sets: --json or --out FILE.npz has them\n",
               f->p.data.n_sets - SHOWN_SETS);
    printf("%" PRId64 " draws, seed %" PRIu32 ", ", f->p.n_draws, s->seed);
    if (f->p.method != RT_FITTED) printf("trained %" PRId64 " steps, ", s->state->steps);
    printf("%.1f s\n", rt_seconds() - s->started);
}

static bool known_output(const char *path) {
    return rt_ends_with(path, ".npz") || rt_ends_with(path, ".csv");
}

bool rt_answer_options(const RtSession *s, RtMethod method, RtError *error) {
    const RtOptions *o = s->options;
    if (o->out && !known_output(o->out))
        return rt_error(error, "--out %s: draws are written as .npz or .csv", o->out);
    if (o->inner > 0 && !o->psis)
        return rt_error(error, "--inner is of weights\n  expected  --psis --inner %" PRId64,
                        o->inner);
    const char *steps = o->steps > 0           ? "--steps"
                        : o->seconds > 0       ? "--time"
                        : o->learning_rate > 0 ? "--learning-rate"
                                               : NULL;
    if (steps && method == RT_AMORTISED)
        return rt_error(error, "%s is of refining\n  expected  --refine %s ...", steps, steps);
    return method != RT_FITTED || rt_fit_options(s, error);
}

int rt_answer(RtSession *s, RtMethod method) {
    RtError error;
    Infer f = {.colour = rt_colour(stdout), .shown_rows = rows_per_variable(s->model)};
    const char *out = s->options->out;
    bool mixed;
    if (!rt_answer_options(s, method, &error) || !rt_orders_choose(s, false, &mixed, &error)) {
        rt_complain(&error);
        return 2;
    }
    if (!rt_posterior_open(s, method, true, mixed, &f.p, &error)) return rt_complain(&error);
    f.column = rt_alloc(s->mem, f.p.n_draws, sizeof *f.column);
    if (s->options->psis) f.rows = rt_alloc(s->mem, f.p.n_draws, sizeof *f.rows);
    RtDraws *draws = out ? rt_draws_new(&f.p, f.p.draws, out) : NULL;
    rt_bytes_printf(&f.json, "{\"draws\": %" PRId64 ", \"sets\": [", f.p.n_draws);
    for (int64_t first = 0, n; first < f.p.data.n_sets; first += n) {
        n = rt_posterior_run(&f.p, first);
        if (draws) rt_draws_add(draws, first, n);
        for (int64_t set = 0; set < n; set++) {
            RtElbo e = rt_posterior_weigh(&f.p, set);
            if (draws && f.rows) rt_draws_add_weights(draws, first + set);
            if (s->options->json) {
                if (first + set) rt_bytes_printf(&f.json, ", ");
                json_set(&f, set, first + set, &e);
            } else if (first + set < SHOWN_SETS && !s->options->quiet) {
                show_set(&f, first, set, &e);
            }
        }
    }
    bool ok = !draws || rt_draws_write(draws, &error);
    if (ok && s->options->json) {
        rt_bytes_printf(&f.json, "], \"method\": \"%s\", %s", rt_method_names[method],
                        rt_orders_json(s->model, mixed));
        rt_json_settings(&f.json, s, f.p.n_draws);
        printf("%s}\n", f.json.data);
    } else if (ok && !s->options->quiet) {
        footer(&f);
    }
    rt_bytes_free(&f.json);
    return ok ? 0 : rt_complain(&error);
}

int rt_command_infer(RtSession *s) {
    return rt_answer(s, s->options->refine ? RT_REFINED : RT_AMORTISED);
}

int rt_command_fit(RtSession *s) {
    return rt_answer(s, RT_FITTED);
}
