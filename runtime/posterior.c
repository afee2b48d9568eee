/* posterior.c -- see posterior.h. */
#include "runtime/posterior.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static void warn_sizes(const RtSession *s, const int64_t *sizes) {
    for (int i = 0; i < s->model->n_plates; i++) {
        int64_t lo = s->state->lo[i], hi = s->state->hi[i];
        char range[64];
        if (sizes[i] >= lo && sizes[i] <= hi) continue;
        snprintf(range, sizeof range, lo < hi ? "%" PRId64 " to %" PRId64 : "%" PRId64, lo, hi);
        fprintf(stderr,
                "warning: plate %s has %" PRId64
                " instances here, %s in training: the answer is an "
                "extrapolation; mind k-hat\n",
                s->model->plates[i].name, sizes[i], range);
    }
}

bool rt_posterior_open(RtSession *s, bool want_draws, RtPosterior *p, RtError *error) {
    const RtModel *m = s->model;
    const RtOptions *o = s->options;
    *p = (RtPosterior){.s = s, .n_draws = o->draws > 0 ? o->draws : 1000};
    if (!(s->state = rt_weights_open(s, error))) return false;
    RtDataOptions options = {.batch = o->batch};
    memcpy(options.sizes, s->state->sizes, sizeof options.sizes);
    for (int i = 0; i < m->n_plates; i++) options.ranged[i] = s->state->lo[i] < s->state->hi[i];
    if (!rt_state_apply_sizes(m, o, options.sizes, options.given, error) ||
        !rt_settings_apply(m, o, RT_SETS_CONTEXTS, s->state, error) ||
        !rt_data_read(s->mem, m, o->data, &options, &p->data, error) ||
        !rt_context_data(s->mem, m, s->state, o->data, &p->data, error))
        return false;
    warn_sizes(s, p->data.sizes);
    rt_context_warn(s, &p->data);
    memcpy(s->state->sizes, p->data.sizes, sizeof s->state->sizes);
    p->block =
        p->data.n_sets < rt_pool_threads(s->pool) ? p->data.n_sets : rt_pool_threads(s->pool);
    p->call = rt_call_new(s->mem, m, "posterior", s->pool, p->data.sizes, p->block, p->n_draws);
    p->draws = rt_alloc(s->mem, m->n_vars, sizeof *p->draws);
    for (int i = 0; want_draws && i < m->n_vars; i++)
        if (rt_is_inferred(&m->vars[i])) p->draws[i] = rt_call_want(p->call, m->vars[i].name);
    p->log_q = rt_call_want(p->call, "log_q");
    p->log_prior = rt_call_want(p->call, "log_prior");
    p->log_likelihood = rt_call_want(p->call, "log_likelihood");
    p->log_weights = rt_alloc(s->mem, p->n_draws, sizeof *p->log_weights);
    p->seen = rt_seen_new(s, p->call);
    rt_bind_state(s->mem, m, s->state, s->state->average, p->call);
    p->feed = rt_feed_new(s->mem, m, p->call, p->data.sizes, p->block);
    rt_call_ready(p->call);
    return true;
}

int64_t rt_posterior_run(RtPosterior *p, int64_t first) {
    const uint32_t key[2] = {p->s->seed, RT_FOR_POSTERIOR};
    int64_t left = p->data.n_sets - first, n = left < p->block ? left : p->block;
    rt_feed_load(p->feed, &p->data, first, n);
    rt_call_run(p->call, key, 0, (uint32_t)first, n);
    rt_seen_warn(p->seen, first, n, p->data.n_sets);
    return n;
}

void rt_posterior_weights(RtPosterior *p, int64_t set) {
    const RtModel *m = p->s->model;
    for (int64_t j = 0; j < p->n_draws; j++) {
        int64_t at = set * p->n_draws + j;
        p->log_weights[j] = rt_real_get(m, p->log_prior, at) +
                            rt_real_get(m, p->log_likelihood, at) - rt_real_get(m, p->log_q, at);
    }
}

const char *rt_verdict(double khat, int64_t draws, const char **why) {
    if (isnan(khat)) {
        *why = "too few draws to judge: take 100 or more";
        return "not judged";
    }
    if (khat < 0.5 && khat < rt_khat_limit(draws)) {
        *why = "importance weights have finite variance";
        return "good";
    }
    if (khat <= rt_khat_limit(draws)) {
        *why = "importance weights are uneven; means hold, tails may not";
        return "usable";
    }
    *why = "the guide misses part of the posterior: train longer, or on this data's plate sizes";
    return "do not trust";
}

/* ---- files of draws ---- */

struct RtDraws {
    RtPosterior *p;
    const char *path;
    char **values; /* by variable: [set, draw, plates, dims], model's real type */
    char *logs[3];
};

static const char *const log_names[3] = {"log_q", "log_prior", "log_likelihood"};

RtDraws *rt_draws_new(RtPosterior *p, const char *path) {
    const RtModel *m = p->s->model;
    RtDraws *d = rt_alloc(p->s->mem, 1, sizeof *d);
    *d = (RtDraws){
        .p = p, .path = path, .values = rt_alloc(p->s->mem, m->n_vars, sizeof *d->values)};
    int64_t n = p->data.n_sets * p->n_draws;
    for (int i = 0; i < m->n_vars; i++)
        if (p->draws[i])
            d->values[i] =
                rt_alloc(p->s->mem, n * rt_var_size(&m->vars[i], p->data.sizes), m->real);
    for (int i = 0; i < 3; i++) d->logs[i] = rt_alloc(p->s->mem, n, m->real);
    return d;
}

void rt_draws_add(RtDraws *d, int64_t first, int64_t n) {
    const RtPosterior *p = d->p;
    const RtModel *m = p->s->model;
    const void *const logs[3] = {p->log_q, p->log_prior, p->log_likelihood};
    size_t each = (size_t)p->n_draws * m->real;
    for (int i = 0; i < m->n_vars; i++) {
        if (!p->draws[i]) continue;
        size_t set = each * (size_t)rt_var_size(&m->vars[i], p->data.sizes);
        memcpy(d->values[i] + (size_t)first * set, p->draws[i], (size_t)n * set);
    }
    for (int i = 0; i < 3; i++)
        memcpy(d->logs[i] + (size_t)first * each, logs[i], (size_t)n * each);
}

/* Leading axes: data sets where there are several, then draws. */
static bool add_array(RtBytes *archive, RtBytes *directory, const RtPosterior *p, const char *name,
                      const void *values, const RtVar *v, RtError *error) {
    int64_t dims[RT_MAX_PLATES + RT_MAX_DIMS + 2];
    int n = 0;
    if (p->data.n_sets > 1) dims[n++] = p->data.n_sets;
    dims[n++] = p->n_draws;
    for (int i = 0; v && i < v->n_plates; i++) dims[n++] = p->data.sizes[v->plates[i]];
    for (int i = 0; v && i < v->n_dims; i++) dims[n++] = v->dims[i];
    RtBytes file = {0}, entry = {0};
    rt_npy_write(&file, values, p->s->model->f64, dims, n);
    rt_bytes_printf(&entry, "%s.npy", name);
    bool ok = rt_zip_add(archive, directory, entry.data, &file, error);
    rt_bytes_free(&file);
    rt_bytes_free(&entry);
    return ok;
}

static bool write_npz(RtDraws *d, RtError *error) {
    const RtModel *m = d->p->s->model;
    RtBytes archive = {0}, directory = {0};
    bool ok = true;
    for (int i = 0; ok && i < m->n_vars; i++)
        if (d->values[i])
            ok = add_array(&archive, &directory, d->p, m->vars[i].name, d->values[i], &m->vars[i],
                           error);
    for (int i = 0; ok && i < 3; i++)
        ok = add_array(&archive, &directory, d->p, log_names[i], d->logs[i], NULL, error);
    rt_zip_end(&archive, &directory);
    ok = ok && rt_write_file(d->path, archive.data, archive.n, error);
    rt_bytes_free(&archive);
    rt_bytes_free(&directory);
    return ok;
}

/* cmdstan's names: mu.1, mu_g.3.2; indices from 1. */
static void add_column_names(RtBytes *out, const RtVar *v, const int64_t *sizes) {
    int64_t extent[RT_MAX_PLATES + RT_MAX_DIMS], n_all = rt_var_size(v, sizes);
    int n = 0;
    for (int i = 0; i < v->n_plates; i++) extent[n++] = sizes[v->plates[i]];
    for (int i = 0; i < v->n_dims; i++) extent[n++] = v->dims[i];
    for (int64_t k = 0; k < n_all; k++) {
        int64_t below = n_all;
        rt_bytes_printf(out, ",%s", v->name);
        for (int i = 0; i < n; i++) {
            below /= extent[i];
            rt_bytes_printf(out, ".%" PRId64, k / below % extent[i] + 1);
        }
    }
}

static bool write_csv(RtDraws *d, RtError *error) {
    const RtPosterior *p = d->p;
    const RtModel *m = p->s->model;
    RtBytes out = {0};
    int digits = m->f64 ? 17 : 9;
    rt_bytes_printf(
        &out, "# model %s, seed %" PRIu32 ", draws %" PRId64 "\n%slog_q,log_prior,log_likelihood",
        m->name, p->s->seed, p->n_draws, p->data.n_sets > 1 ? "set," : "");
    for (int i = 0; i < m->n_vars; i++)
        if (d->values[i]) add_column_names(&out, &m->vars[i], p->data.sizes);
    for (int64_t row = 0; row < p->data.n_sets * p->n_draws; row++) {
        rt_bytes_printf(&out, "\n");
        if (p->data.n_sets > 1) rt_bytes_printf(&out, "%" PRId64 ",", row / p->n_draws + 1);
        for (int i = 0; i < 3; i++)
            rt_bytes_printf(&out, "%s%.*g", i ? "," : "", digits, rt_real_get(m, d->logs[i], row));
        for (int i = 0; i < m->n_vars; i++) {
            int64_t size = d->values[i] ? rt_var_size(&m->vars[i], p->data.sizes) : 0;
            for (int64_t k = 0; k < size; k++)
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
    size_t n = strlen(d->path);
    return n > 4 && !strcmp(d->path + n - 4, ".csv") ? write_csv(d, error) : write_npz(d, error);
}
