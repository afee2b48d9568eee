/* predict_new.c -- see predict_new.h.
 *
 * What is asked for is p(FILE's outcomes | DATA), an integral over the posterior's draws. Of each
 * draw, latents outside plates and those of instances that DATA has are kept; the others are drawn
 * from their laws given these, by program extend, outer plates first. Nothing of FILE but keys and
 * covariates takes part: no network sees it, so that it may have any size. */
#include "runtime/predict_new.h"

#include "runtime/rows.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static bool stands_in_plates(const RtVar *v) {
    return (v->kind == RT_LATENT || v->kind == RT_DISCRETE) && v->n_plates;
}

/* ---- reading ---- */

static bool no_table(const RtModel *m, const char *option, const char *path, RtError *error) {
    RtBytes keys = {0};
    for (int i = 0; i < m->n_plates; i++)
        if (m->plates[i].across < 0)
            rt_bytes_printf(&keys, "%s%s", keys.n ? ", " : "", m->plates[i].column);
    rt_error(error,
             "%s%s: not a table\n  expected  DATA and --new FILE as .csv, .tsv or .txt (also .gz): "
             "their columns of keys (%.300s) say which instances are the same",
             option, path, keys.data);
    rt_bytes_free(&keys);
    return false;
}

/* Keys need tables; without any latent in a plate, arrays by name will do. */
static bool check_kinds(const RtModel *m, const RtOptions *o, RtError *error) {
    const bool keyed = rt_program(m, "extend") != NULL;
    const RtFileKind kind = rt_file_kind(o->new_file);
    if (keyed && rt_file_kind(o->data) != RT_TABLE) return no_table(m, "", o->data, error);
    if (keyed && kind != RT_TABLE) return no_table(m, "--new ", o->new_file, error);
    if (kind != RT_BIN) return true;
    return rt_error(error,
                    "--new %s: a .bin file has no names, by which outcomes could be left out\n  "
                    "expected  .csv, .tsv, .json (also .gz) or .npz",
                    o->new_file);
}

bool rt_new_check(const RtSession *s, RtError *error) {
    const char *refusal = rt_text(s->model, "new");
    if (!refusal) return check_kinds(s->model, s->options, error);
    return rt_error(error, "predict --new: new rows of this model cannot be predicted: %s",
                    refusal);
}

static void take_contexts(RtNew *n) {
    const RtModel *m = n->p->s->model;
    const RtOptions *o = n->p->s->options;
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        const double *own = n->rows.values[i], *data = n->p->data.values[i];
        if (v->kind != RT_CONTEXT) continue;
        for (int64_t e = 0; own && e < v->event; e++)
            if (own[e] != data[e]) {
                fprintf(stderr,
                        "warning: %s: context %s is %g there, and %g for %s, which holds for "
                        "predictions, too\n",
                        o->new_file, v->name, own[e], data[e], o->data);
                break;
            }
        n->rows.values[i] = n->p->data.values[i];
    }
}

/* Of a plate whose instances DATA does not name, none of FILE's is known, whatever it says. */
static void warn_nameless(const RtNew *n) {
    const RtModel *m = n->p->s->model;
    const RtOptions *o = n->p->s->options;
    for (int i = 0; i < m->n_plates; i++)
        if (n->drawn[i] && n->rows.labels[i] && !n->p->data.labels[i])
            fprintf(stderr, "warning: %s has no column %s: every %s of %s is taken as a new one\n",
                    o->data, m->plates[i].column, m->plates[i].name, o->new_file);
}

static bool latents_within(const RtModel *m, int plate) {
    for (int i = 0; i < m->n_vars; i++)
        for (int k = 0; k < m->vars[i].n_plates; k++)
            if (stands_in_plates(&m->vars[i]) && m->vars[i].plates[k] == plate) return true;
    return false;
}

/* Another value of a covariate changes what is predicted of an instance that DATA has (outside all
 * plates: of all), but not its latents, which are known under the value in DATA. */
static void warn_changed(const RtNew *n, const RtVar *v) {
    const RtPosterior *p = n->p;
    const int64_t i = v - p->s->model->vars;
    const int64_t *of = v->n_plates ? n->match.of[v->plates[v->n_plates - 1]] : NULL;
    const int64_t instances = rt_var_instances(v, &n->rows.sizes);
    for (int64_t k = 0; k < instances * v->event; k++) {
        int64_t from = of ? of[k / v->event] : 0;
        if (from < 0) continue;
        double own = n->rows.values[i][k], data = p->data.values[i][from * v->event + k % v->event];
        if (own == data) continue;
        RtBytes name = {0};
        rt_row_name(&n->rows, v, k, &name);
        fprintf(stderr, "warning: %s: %s: %g, and %g in %s, under which its latents are known\n",
                p->s->options->new_file, name.data, own, data, p->s->options->data);
        rt_bytes_free(&name);
        return;
    }
}

static bool read_rows(RtNew *n, RtError *error) {
    RtPosterior *p = n->p;
    const RtModel *m = p->s->model;
    const char *path = p->s->options->new_file;
    const RtDataOptions options = {
        .sizes = p->data.sizes, .outcomes_optional = true, .padded = true, .coding = &p->data};
    if (p->data.n_sets > 1)
        return rt_error(error, "%s: %" PRId64 " data sets\n  expected  one, for predict --new",
                        p->s->options->data, p->data.n_sets);
    if (!rt_data_read(p->s->mem, m, path, &options, &n->rows, error)) return false;
    if (n->rows.n_sets > 1)
        return rt_error(error, "--new %s: %" PRId64 " data sets\n  expected  one", path,
                        n->rows.n_sets);
    take_contexts(n);
    return true;
}

/* ---- program extend ---- */

static int64_t size_at(const RtVar *v, const RtData *d) {
    return rt_var_size(v, &d->sizes);
}

static void bind_known(RtNew *n) {
    const RtModel *m = n->p->s->model;
    RtMem *mem = n->p->s->mem;
    for (int i = 0; i < m->n_plates; i++) {
        int64_t instances = rt_instances(m, &n->rows.sizes, i);
        void *known = rt_alloc(mem, instances, m->real);
        for (int64_t k = 0; k < instances; k++) rt_real_set(m, known, k, n->match.of[i][k] >= 0);
        rt_call_bind(n->call, rt_printf(mem, "known:%s", m->plates[i].name), known);
    }
}

static void prepare(RtNew *n) {
    RtPosterior *p = n->p;
    RtSession *s = p->s;
    const RtModel *m = s->model;
    n->call = rt_call_new(s->mem, m, "extend", s->pool, &n->rows.sizes, 1, p->n_draws);
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        if (stands_in_plates(v))
            n->given[i] = rt_alloc(s->mem, p->n_draws * size_at(v, &n->rows), m->real);
        if (p->draws[i])
            rt_call_bind(n->call, v->name, n->given[i] ? (const void *)n->given[i] : p->draws[i]);
        if (v->kind == RT_LATENT || v->kind == RT_DISCRETE)
            n->extended[i] = rt_call_want(n->call, v->name);
    }
    bind_known(n);
    rt_bind_state(s->mem, m, s->state, s->state->average, n->call);
    n->feed = rt_feed_new(s->mem, m, n->call, &n->rows.sizes, 1);
    rt_call_ready(n->call);
}

bool rt_new_open(RtPosterior *p, RtNew *n, RtError *error) {
    const RtModel *m = p->s->model;
    *n = (RtNew){.p = p};
    n->given = rt_alloc(p->s->mem, m->n_vars, sizeof *n->given);
    n->extended = rt_alloc(p->s->mem, m->n_vars, sizeof *n->extended);
    for (int i = 0; i < m->n_vars; i++)
        if (stands_in_plates(&m->vars[i]))
            n->drawn[m->vars[i].plates[m->vars[i].n_plates - 1]] = true;
    if (!read_rows(n, error)) return false;
    if (!rt_program(m, "extend")) return true;
    warn_nameless(n);
    rt_match(p->s->mem, m, &p->data, &n->rows, &n->match);
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        if (v->kind != RT_GIVEN) continue;
        if (!v->n_plates || latents_within(m, v->plates[v->n_plates - 1])) warn_changed(n, v);
    }
    prepare(n);
    return true;
}

const void *rt_new_latent(const RtNew *n, int variable) {
    return n->extended[variable] ? n->extended[variable] : n->p->draws[variable];
}

/* The draws of a latent at the instances that FILE shares with DATA. */
static void carry(RtNew *n, int variable) {
    const RtPosterior *p = n->p;
    const RtModel *m = p->s->model;
    const RtVar *v = &m->vars[variable];
    const int64_t *of = n->match.of[v->plates[v->n_plates - 1]];
    const int64_t from = rt_var_instances(v, &p->data.sizes);
    const int64_t to = rt_var_instances(v, &n->rows.sizes);
    const size_t bytes = (size_t)v->event * m->real;
    const char *draws = p->draws[variable];
    for (int64_t j = 0; j < p->n_draws; j++)
        for (int64_t k = 0; k < to; k++)
            if (of[k] >= 0)
                memcpy(n->given[variable] + (size_t)(j * to + k) * bytes,
                       draws + (size_t)(j * from + of[k]) * bytes, bytes);
}

void rt_new_run(RtNew *n) {
    const uint32_t key[2] = {n->p->s->seed, RT_FOR_EXTENDING};
    if (!n->call) return;
    for (int i = 0; i < n->p->s->model->n_vars; i++)
        if (n->given[i]) carry(n, i);
    rt_feed_load(n->feed, &n->rows, 0, 1);
    rt_call_run(n->call, key, 0, 0, 1);
}

/* ---- what is known ---- */

/* Is the instance of a plate with latents and keys none of DATA's? */
static bool is_new(const RtNew *n, int plate, int64_t instance) {
    return n->drawn[plate] && n->rows.labels[plate] && n->match.of[plate][instance] < 0;
}

const char *rt_new_plate(const RtNew *n, const RtVar *v, int64_t k) {
    const RtModel *m = n->p->s->model;
    int64_t index[RT_MAX_PLATES], among[RT_MAX_PLATES];
    if (!n->call) return NULL;
    rt_var_place(v, &n->rows.sizes, k / v->event, index, among);
    for (int i = 0; i < v->n_plates; i++) {
        const int plate = v->plates[i], across = m->plates[plate].across;
        if (across >= 0 && is_new(n, across, index[i])) return m->plates[across].name;
        if (is_new(n, plate, among[i])) return m->plates[plate].name;
    }
    return NULL;
}

typedef struct Tally {
    int64_t known, fresh;
} Tally;

static Tally tally_of(const RtNew *n, int plate) {
    Tally t = {0, 0};
    int64_t instances = rt_instances(n->p->s->model, &n->rows.sizes, plate);
    for (int64_t k = 0; k < instances; k++) {
        bool there = !n->rows.there[plate] || n->rows.there[plate][k];
        t.known += n->match.of[plate][k] >= 0;
        t.fresh += there && n->match.of[plate][k] < 0;
    }
    return t;
}

/* "(Lake, Cook, ...)": the keys of the new instances, as far as there are some. */
static void show_keys(const RtNew *n, int plate) {
    enum { SHOWN_KEYS = 6 };
    int64_t instances = rt_instances(n->p->s->model, &n->rows.sizes, plate), shown = 0;
    char *const *labels = n->rows.labels[plate];
    for (int64_t k = 0; labels && k < instances && shown <= SHOWN_KEYS; k++) {
        if (n->match.of[plate][k] >= 0 || (n->rows.there[plate] && !n->rows.there[plate][k]))
            continue;
        if (shown == SHOWN_KEYS)
            printf(", ...");
        else
            printf("%s%.24s", shown ? ", " : ": ", labels[k]);
        shown++;
    }
}

void rt_new_show(const RtNew *n) {
    const RtModel *m = n->p->s->model;
    const RtOptions *o = n->p->s->options;
    printf("rows of %s, given %s\n", o->new_file, o->data);
    for (int i = 0; n->call && i < m->n_plates; i++) {
        Tally t = tally_of(n, i);
        if (!n->drawn[i]) continue;
        printf("%s: %" PRId64 " known, %" PRId64 " new", m->plates[i].name, t.known, t.fresh);
        show_keys(n, i);
        printf("\n");
    }
}

void rt_new_json(const RtNew *n, RtBytes *out) {
    const RtModel *m = n->p->s->model;
    bool first = true;
    rt_bytes_printf(out, "\"plates\": {");
    for (int i = 0; n->call && i < m->n_plates; i++) {
        Tally t = tally_of(n, i);
        if (!n->drawn[i]) continue;
        rt_bytes_printf(out, "%s\"%s\": {\"known\": %" PRId64 ", \"new\": %" PRId64 "}",
                        first ? "" : ", ", m->plates[i].name, t.known, t.fresh);
        first = false;
    }
    rt_bytes_printf(out, "}");
}
