/* posterior.c -- see posterior.h. */
#include "runtime/posterior.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static void warn_sizes(const RtSession *s, const RtSizes *sizes) {
    const RtModel *m = s->model;
    for (int i = 0; i < m->n_plates; i++) {
        int64_t lo = s->state->lo[i], hi = s->state->hi[i];
        char range[64];
        int64_t least = rt_sizes_least(m, sizes, i), most = sizes->n[i];
        if (m->plates[i].across >= 0) continue;
        if (least >= lo && most <= hi) continue;
        snprintf(range, sizeof range, lo < hi ? "%" PRId64 " to %" PRId64 : "%" PRId64, lo, hi);
        fprintf(stderr,
                "warning: plate %s has %" PRId64
                " instances here, %s in training: the answer is an "
                "extrapolation; mind k-hat\n",
                m->plates[i].name, least < lo ? least : most, range);
    }
}

/* What a fit starts from: sizes are the data's, inputs are scaled and weights start as in training.
 */
static bool start_fit(RtSession *s, const RtData *d, RtError *error) {
    rt_state_take_sizes(s->model, s->state, &d->sizes);
    if (!rt_stats(s, error)) return false;
    rt_state_init_weights(s->model, s->state, s->seed);
    return true;
}

static bool open_data(RtPosterior *p, RtError *error) {
    RtSession *s = p->s;
    const RtModel *m = s->model;
    const RtOptions *o = s->options;
    bool fit = p->method == RT_FITTED; /* --set and --size are in its state already */
    if (!fit && !(s->state = rt_weights_open(s, error))) return false;
    RtDataOptions options;
    if (!rt_state_data_options(s->mem, m, o, s->state, &options, error) ||
        (!fit && !rt_settings_apply(m, o, RT_SETS_CONTEXTS, s->state, error)) ||
        !rt_data_read(s->mem, m, o->data, &options, &p->data, error) ||
        !rt_context_data(s->mem, m, s->state, o->data, &p->data, error))
        return false;
    if (fit) return start_fit(s, &p->data, error);
    s->state->sizes = p->data.sizes;
    return true;
}

/* Where what is inferred, and its log q, will be. */
static void want_answer(RtPosterior *p, const float *weights, bool mixed) {
    RtSession *s = p->s;
    const RtModel *m = s->model;
    p->logs = rt_logs_want(p->call);
    p->own_q = p->logs.q;
    if (mixed) {
        p->labels = rt_orders_new(s, &p->data, p->block, p->n_draws, weights, p->call);
        p->logs.q = rt_orders_log_q(p->labels);
    }
    p->draws = rt_alloc(s->mem, m->n_vars, sizeof *p->draws);
    for (int i = 0; p->want_draws && i < m->n_vars; i++)
        if (rt_is_inferred(&m->vars[i]))
            p->draws[i] =
                mixed ? rt_orders_draws(p->labels, i) : rt_call_want(p->call, m->vars[i].name);
}

bool rt_posterior_open(RtSession *s, RtMethod method, bool want_draws, bool mixed, RtPosterior *p,
                       RtError *error) {
    const RtModel *m = s->model;
    const RtOptions *o = s->options;
    *p = (RtPosterior){.s = s,
                       .method = method,
                       .n_draws = o->draws > 0 ? o->draws : 1000,
                       .want_draws = want_draws};
    if (!open_data(p, error)) return false;
    int64_t threads = rt_pool_threads(s->pool);
    p->block = p->data.n_sets < threads ? p->data.n_sets : threads;
    const float *weights = s->state->average;
    if (method != RT_AMORTISED) {
        p->block = 1;
        p->refine = rt_refine_new(s, method, &p->data);
        weights = rt_refine_weights(p->refine);
    }
    if (o->inner > 0) {
        p->block = 1;
        p->inner = rt_inner_new(s, &p->data, weights, p->n_draws, o->inner, error);
        if (!p->inner) return false;
    }
    p->call = rt_call_new(s->mem, m, "posterior", s->pool, &p->data.sizes, p->block, p->n_draws);
    want_answer(p, weights, mixed);
    if (o->by) p->local = rt_call_want(p->call, rt_printf(s->mem, "local:%s", o->by));
    p->log_weights = rt_alloc(s->mem, p->n_draws, sizeof *p->log_weights);
    p->log_share = rt_alloc(s->mem, p->n_draws, sizeof *p->log_share);
    if (method != RT_FITTED) p->seen = rt_seen_new(s, p->call);
    p->inputs = rt_bind_state(s->mem, m, s->state, weights, p->call);
    p->feed = rt_feed_new(s->mem, m, p->call, &p->data.sizes, p->block);
    if (p->inner) rt_inner_bind(p->inner, p->call);
    if (o->psis && !p->inner && !mixed) { /* wide draws have a density in the order drawn alone */
        p->defensive = rt_defensive_new(s, p->block, p->n_draws);
        rt_defensive_bind(p->defensive, p->call);
    }
    rt_call_ready(p->call);
    return true;
}

int64_t rt_posterior_run(RtPosterior *p, int64_t first) {
    const uint32_t key[2] = {p->s->seed, RT_FOR_POSTERIOR};
    int64_t left = p->data.n_sets - first, n = left < p->block ? left : p->block;
    if (p->seen && !first) {
        warn_sizes(p->s, &p->data.sizes);
        rt_context_warn(p->s, &p->data);
    }
    if (p->refine) {
        p->refined = rt_refine_run(p->refine, first);
        rt_binding_refresh(p->inputs);
    }
    if (p->inner) rt_inner_run(p->inner, first);
    if (p->defensive) rt_defensive_draw(p->defensive, first, n);
    rt_feed_load(p->feed, &p->data, first, n);
    rt_call_run(p->call, key, 0, (uint32_t)first, n);
    if (p->labels) rt_orders_run(p->labels, first, n, p->want_draws);
    if (p->seen) rt_seen_warn(p->seen, first, n, p->data.n_sets);
    return n;
}

static double log_weight(const RtPosterior *p, int64_t at) {
    return p->defensive ? rt_defensive_weight(p->defensive, &p->logs, at)
                        : rt_log_weight(p->s->model, &p->logs, at);
}

RtElbo rt_posterior_weigh(RtPosterior *p, int64_t set) {
    const size_t bytes = (size_t)p->n_draws * sizeof *p->log_weights;
    if (p->inner) memcpy(p->log_weights, rt_inner_weights(p->inner), bytes);
    for (int64_t j = 0; !p->inner && j < p->n_draws; j++)
        p->log_weights[j] = log_weight(p, set * p->n_draws + j);
    RtElbo e = rt_elbo(p->log_weights, p->n_draws, p->log_share);
    if (p->inner) { /* the bound is of single draws of the guide, whatever the weights are of */
        RtElbo plain = rt_elbo(rt_inner_plain(p->inner), p->n_draws, NULL);
        e.elbo = plain.elbo;
        e.se = plain.se;
    }
    double total = e.evidence + log((double)p->n_draws);
    for (int64_t j = 0; j < p->n_draws; j++) p->log_share[j] -= total;
    return e;
}

RtSummary rt_posterior_summary(const RtPosterior *p, double *column, RtWeighted *rows) {
    if (!rows) return rt_summary(column, p->n_draws);
    for (int64_t j = 0; j < p->n_draws; j++)
        rows[j] = (RtWeighted){column[j], exp(p->log_share[j])};
    return rt_summary_weighted(rows, p->n_draws);
}

/* What to try where the guide falls short; by method. */
static const char *const remedies[] = {
    [RT_AMORTISED] =
        "the guide misses part of the posterior: infer --psis or --refine, or train longer, or on "
        "this data's plate sizes",
    [RT_REFINED] =
        "the guide misses part of the posterior: refine longer (--time), or train longer",
    [RT_FITTED] = "the guide misses part of the posterior: fit longer (--time)"};

RtTrust rt_trust(double khat, int64_t draws, RtMethod method, bool reweighted, const char **why) {
    if (isnan(khat)) {
        *why = "too few draws to judge: take 100 or more";
        return RT_NOT_JUDGED;
    }
    if (khat < 0.5 && khat < rt_khat_limit(draws)) {
        *why = reweighted ? "what is reweighted is the posterior up to mcse"
                          : "importance weights have finite variance";
        return RT_TRUST;
    }
    if (khat <= rt_khat_limit(draws)) {
        *why = reweighted ? "means hold, with errors larger than mcse; tails may not"
                          : "importance weights are uneven; means hold, tails may not (--psis "
                            "reweights)";
        return RT_USABLE;
    }
    *why = remedies[method];
    return RT_NO_TRUST;
}

const char *rt_verdict(double khat, int64_t draws, RtMethod method, bool reweighted,
                       const char **why) {
    static const char *const words[] = {[RT_NOT_JUDGED] = "not judged",
                                        [RT_TRUST] = "good",
                                        [RT_USABLE] = "usable",
                                        [RT_NO_TRUST] = "do not trust"};
    return words[rt_trust(khat, draws, method, reweighted, why)];
}

/* ---- files of draws ---- */

struct RtDraws {
    RtPosterior *p;
    const void *const *draws; /* by variable, of a block; NULL: not kept */
    const char *path;
    char **values; /* by variable: [set, draw, plates, dims], model's real type */
    int n_logs;
    char *logs[4];
    char *steps; /* [set], unless amortised: on this data set, behind its draws */
};

enum { LOG_WEIGHT = 3 }; /* the last, where draws are weighted */
static const char *const log_names[] = {"log_q", "log_prior", "log_likelihood", "log_weight"};

RtDraws *rt_draws_new(RtPosterior *p, const void *const *draws, const char *path) {
    const RtModel *m = p->s->model;
    RtDraws *d = rt_alloc(p->s->mem, 1, sizeof *d);
    *d = (RtDraws){.p = p,
                   .draws = draws,
                   .path = path,
                   .values = rt_alloc(p->s->mem, m->n_vars, sizeof *d->values),
                   .n_logs = p->s->options->psis ? LOG_WEIGHT + 1 : LOG_WEIGHT};
    int64_t n = p->data.n_sets * p->n_draws;
    for (int i = 0; i < m->n_vars; i++)
        if (draws[i])
            d->values[i] =
                rt_alloc(p->s->mem, n * rt_var_size(&m->vars[i], &p->data.sizes), m->real);
    if (p->refine) d->steps = rt_alloc(p->s->mem, p->data.n_sets, m->real);
    for (int i = 0; i < d->n_logs; i++) d->logs[i] = rt_alloc(p->s->mem, n, m->real);
    return d;
}

void rt_draws_add(RtDraws *d, int64_t first, int64_t n) {
    const RtPosterior *p = d->p;
    const RtModel *m = p->s->model;
    const void *const logs[LOG_WEIGHT] = {p->logs.q, p->logs.prior, p->logs.likelihood};
    size_t each = (size_t)p->n_draws * m->real;
    for (int i = 0; i < m->n_vars; i++) {
        if (!d->draws[i]) continue;
        size_t set = each * (size_t)rt_var_size(&m->vars[i], &p->data.sizes);
        memcpy(d->values[i] + (size_t)first * set, d->draws[i], (size_t)n * set);
    }
    if (d->steps)
        rt_real_set(m, d->steps, first, p->refined.kept_start ? 0 : (double)p->refined.steps);
    for (int i = 0; i < LOG_WEIGHT; i++)
        memcpy(d->logs[i] + (size_t)first * each, logs[i], (size_t)n * each);
}

void rt_draws_add_weights(RtDraws *d, int64_t at) {
    const RtPosterior *p = d->p;
    for (int64_t j = 0; j < p->n_draws; j++)
        rt_real_set(p->s->model, d->logs[LOG_WEIGHT], at * p->n_draws + j, p->log_share[j]);
}

static bool add_file(RtBytes *archive, RtBytes *directory, const RtPosterior *p, const char *name,
                     const void *values, const int64_t *dims, int n, RtError *error) {
    RtBytes file = {0}, entry = {0};
    rt_npy_write(&file, values, p->s->model->f64, dims, n);
    rt_bytes_printf(&entry, "%s.npy", name);
    bool ok = rt_zip_add(archive, directory, entry.data, &file, error);
    rt_bytes_free(&file);
    rt_bytes_free(&entry);
    return ok;
}

/* Leading axes: data sets where there are several, then draws. */
static bool add_array(RtBytes *archive, RtBytes *directory, const RtPosterior *p, const char *name,
                      const void *values, const RtVar *v, RtError *error) {
    int64_t dims[RT_MAX_PLATES + RT_MAX_DIMS + 2];
    int n = 0;
    if (p->data.n_sets > 1) dims[n++] = p->data.n_sets;
    dims[n++] = p->n_draws;
    if (v) n += rt_var_shape(p->s->model, v, &p->data.sizes, dims + n);
    return add_file(archive, directory, p, name, values, dims, n, error);
}

static bool write_npz(RtDraws *d, RtError *error) {
    const RtModel *m = d->p->s->model;
    RtBytes archive = {0}, directory = {0};
    const RtPosterior *p = d->p;
    bool ok = rt_npz_counts(p->s->mem, m, &p->data.sizes, &archive, &directory, error);
    for (int i = 0; ok && i < m->n_vars; i++)
        if (d->values[i])
            ok = add_array(&archive, &directory, d->p, m->vars[i].name, d->values[i], &m->vars[i],
                           error);
    for (int i = 0; ok && i < d->n_logs; i++)
        ok = add_array(&archive, &directory, d->p, log_names[i], d->logs[i], NULL, error);
    if (ok && d->steps)
        ok = add_file(&archive, &directory, d->p, "steps_on_data", d->steps, &d->p->data.n_sets, 1,
                      error);
    if (ok) ok = rt_labels_npz(d->p->s->mem, m, &d->p->data, &archive, &directory, error);
    rt_zip_end(&archive, &directory);
    ok = ok && rt_write_file(d->path, archive.data, archive.n, error);
    rt_bytes_free(&archive);
    rt_bytes_free(&directory);
    return ok;
}

/* cmdstan's names: mu.1, mu_g.3.2; indices from 1. */
static void add_column_names(RtBytes *out, const RtVar *v, const RtData *d) {
    const RtSizes *sizes = &d->sizes;
    int64_t index[RT_MAX_PLATES], n_all = rt_var_size(v, sizes);
    for (int64_t k = 0; k < n_all; k++) {
        int64_t below = v->event;
        if (!rt_instance_there(d, v, k / v->event)) continue;
        rt_bytes_printf(out, ",%s", v->name);
        rt_var_place(v, sizes, k / v->event, index, NULL);
        for (int i = 0; i < v->n_plates; i++) rt_bytes_printf(out, ".%" PRId64, index[i] + 1);
        for (int i = 0; i < v->n_dims; i++) {
            below /= v->dims[i];
            rt_bytes_printf(out, ".%" PRId64, k / below % v->dims[i] + 1);
        }
    }
}

/* What the positions in the columns' names are called in the data: lines of comment, each an object
 * of JSON. */
static void add_labels(RtBytes *out, const RtModel *m, const RtData *d) {
    RtBytes labels = {0}, categories = {0};
    rt_labels_json(m, d, &labels);
    rt_categories_json(m, d, &categories);
    if (labels.n) rt_bytes_printf(out, "# labels %s\n", labels.data);
    if (categories.n) rt_bytes_printf(out, "# categories %s\n", categories.data);
    rt_bytes_free(&labels);
    rt_bytes_free(&categories);
}

static bool write_csv(RtDraws *d, RtError *error) {
    const RtPosterior *p = d->p;
    const RtModel *m = p->s->model;
    RtBytes out = {0};
    int digits = m->f64 ? 17 : 9;
    const char *method = p->method == RT_AMORTISED ? "" : rt_method_names[p->method];
    rt_bytes_printf(&out, "# model %s, seed %" PRIu32 ", draws %" PRId64 "%s%s%s\n", m->name,
                    p->s->seed, p->n_draws, *method ? ", " : "", method,
                    d->n_logs > LOG_WEIGHT ? ", to be weighted by exp(log_weight)" : "");
    add_labels(&out, m, &p->data);
    if (p->data.n_sets > 1) rt_bytes_printf(&out, "set,");
    for (int i = 0; i < d->n_logs; i++) rt_bytes_printf(&out, "%s%s", i ? "," : "", log_names[i]);
    for (int i = 0; i < m->n_vars; i++)
        if (d->values[i]) add_column_names(&out, &m->vars[i], &p->data);
    for (int64_t row = 0; row < p->data.n_sets * p->n_draws; row++) {
        rt_bytes_printf(&out, "\n");
        if (p->data.n_sets > 1) rt_bytes_printf(&out, "%" PRId64 ",", row / p->n_draws + 1);
        for (int i = 0; i < d->n_logs; i++)
            rt_bytes_printf(&out, "%s%.*g", i ? "," : "", digits, rt_real_get(m, d->logs[i], row));
        for (int i = 0; i < m->n_vars; i++) {
            int64_t size = d->values[i] ? rt_var_size(&m->vars[i], &p->data.sizes) : 0;
            for (int64_t k = 0; k < size; k++)
                if (rt_instance_there(&p->data, &m->vars[i], k / m->vars[i].event))
                    rt_bytes_printf(&out, ",%.*g", digits,
                                    rt_real_get(m, d->values[i], row * size + k));
        }
    }
    rt_bytes_printf(&out, "\n");
    bool ok = rt_write_file(d->path, out.data, out.n, error);
    rt_bytes_free(&out);
    return ok;
}

bool rt_draws_write(RtDraws *d, RtError *error) {
    return rt_ends_with(d->path, ".csv") ? write_csv(d, error) : write_npz(d, error);
}
