/* csv_write.c -- see csv_write.h.
 *
 *     person,item,correct
 *     1,1,1
 *     1,2,
 *     2,1,0
 *
 * A row per instance of the innermost plate. Of a cross a row per pair of which something is
 * observed, and of the first parent all of them, so that whoever numbers keys as they appear finds
 * every instance where it was; a parent without any pair has one empty row. */
#include "runtime/csv_write.h"

#include "runtime/csv_keys.h"

#include <math.h>

typedef struct Writer {
    const RtModel *m;
    const RtData *d;
    const RtVar *deepest; /* a row is an instance of it */
    int cross;            /* the one that it stands in, or -1 */
    RtBytes out;
} Writer;

static const RtVar *deepest_of(const RtModel *m, const char *path, RtError *error) {
    return rt_keys_deepest(m, path, ".npz or .bin", error);
}

bool rt_csv_can_hold(const RtModel *m, const char *path, RtError *error) {
    return deepest_of(m, path, error) != NULL;
}

/* Has the file a column of it? */
static bool is_written(const Writer *w, const RtVar *v) {
    return w->d->values[v - w->m->vars] && v->kind != RT_PRESENCE;
}

/* A key column as the model names it; in quotes where it has to be (RFC 4180). */
static void write_name(RtBytes *out, const char *name) {
    const size_t n = strlen(name);
    bool bare = n && !strpbrk(name, ",;\"\t\r\n") && name[0] != ' ' && name[n - 1] != ' ';
    if (bare) {
        rt_bytes_printf(out, "%s", name);
        return;
    }
    rt_bytes_printf(out, "\"");
    for (; *name; name++) rt_bytes_printf(out, *name == '"' ? "\"\"" : "%c", *name);
    rt_bytes_printf(out, "\"");
}

static void write_header(Writer *w) {
    const char *between = "";
    for (int i = 0; i < w->deepest->n_plates; i++) {
        rt_bytes_printf(&w->out, "%s", between);
        write_name(&w->out, w->m->plates[w->deepest->plates[i]].column);
        between = ",";
    }
    for (int i = 0; i < w->m->n_vars; i++) {
        const RtVar *v = &w->m->vars[i];
        for (int64_t e = 0; is_written(w, v) && e < v->event; e++) {
            rt_bytes_printf(&w->out, "%s", between);
            rt_csv_column(v, e, true, &w->out);
            between = ",";
        }
    }
    rt_bytes_printf(&w->out, "\n");
}

static void write_row(Writer *w, int64_t row) {
    const RtModel *m = w->m;
    int64_t index[RT_MAX_PLATES], among[RT_MAX_PLATES];
    const char *between = "";
    rt_var_place(w->deepest, &w->d->sizes, row, index, among);
    for (int i = 0; i < w->deepest->n_plates; i++) {
        rt_bytes_printf(&w->out, "%s%lld", between, (long long)index[i] + 1);
        between = ",";
    }
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        if (!is_written(w, v)) continue;
        const int64_t at = rt_instance_around(w->deepest, v, index, among);
        for (int64_t e = 0; e < v->event; e++) {
            const double x = w->d->values[i][at * v->event + e];
            rt_bytes_printf(&w->out, "%s", between);
            if (isfinite(x)) rt_bytes_printf(&w->out, "%.*g", m->f64 ? 17 : 9, x);
            between = ",";
        }
    }
    rt_bytes_printf(&w->out, "\n");
}

/* Is nothing observed of a pair, although something might be? */
static bool is_absent(const Writer *w, int64_t pair) {
    bool any = false;
    for (int i = 0; i < w->m->n_vars; i++) {
        const RtVar *v = &w->m->vars[i];
        if (v->kind != RT_OBSERVED || rt_cross_of(w->m, v) != w->cross || !is_written(w, v))
            continue;
        if (!isnan(w->d->values[i][pair * v->event])) return false;
        any = true;
    }
    return any;
}

static void write_pairs(Writer *w) {
    const int64_t n = w->d->sizes.n[w->cross], all = rt_instances(w->m, &w->d->sizes, w->cross);
    for (int64_t first = 0; first < all; first += n) {
        int64_t rows = 0;
        for (int64_t k = first; k < first + n; k++) {
            if (first && is_absent(w, k)) continue;
            write_row(w, k);
            rows++;
        }
        if (!rows) write_row(w, first);
    }
}

/* A table has no row of a group that holds nothing. */
static bool check_groups(const Writer *w, const char *path, RtError *error) {
    const RtModel *m = w->m;
    for (int i = 1; i < w->deepest->n_plates; i++) {
        const int plate = w->deepest->plates[i];
        if (rt_sizes_least(m, &w->d->sizes, plate) == 0)
            return rt_error(error,
                            "%s: there is an instance of plate %s that holds none of plate %s, "
                            "which has no row in a table\n  expected  .npz",
                            path, m->plates[m->plates[plate].parent].name, m->plates[plate].name);
    }
    return true;
}

bool rt_csv_write(const RtModel *m, const RtData *d, const char *path, RtError *error) {
    Writer w = {.m = m, .d = d, .deepest = deepest_of(m, path, error)};
    if (!w.deepest || !check_groups(&w, path, error)) return false;
    w.cross = rt_cross_of(m, w.deepest);
    write_header(&w);
    if (w.cross >= 0) write_pairs(&w);
    const int64_t rows = w.cross < 0 ? rt_var_instances(w.deepest, &d->sizes) : 0;
    for (int64_t row = 0; row < rows; row++) write_row(&w, row);
    bool ok = rt_write_file(path, w.out.data, w.out.n, error);
    rt_bytes_free(&w.out);
    return ok;
}
