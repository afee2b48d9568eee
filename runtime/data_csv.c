/* data_csv.c -- long tables: a row per instance of the innermost plate, a column per observed
 * variable and covariate, a key column per plate.
 *
 *     batch,cask,assay,strength       plate batch(10) { plate cask(3) { plate assay(2) {
 *     A,a,1,62.8                          observed strength ~ ...; } } }
 *
 * table.h says what a table may look like, csv_keys.h how rows become instances. Columns are found
 * by name, those of the exact name first, else in another case. Variables of outer plates repeat in
 * every row of their instance and must not change there. Of a cross there is a row per pair, with
 * the keys of both plates; variables of either plate repeat in the rows of its instance. */
#include "runtime/csv_keys.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef struct Reader {
    const RtModel *m;
    RtTable t;
    RtKeys keys;
    const RtDataOptions *options;
    bool *taken; /* by column: it has the exact name of something that the model reads */
    RtData *out;
    RtError *error;
} Reader;

/* ---- columns ---- */

void rt_csv_column(const RtVar *v, int64_t e, bool dots, RtBytes *out) {
    int64_t index[RT_MAX_DIMS];
    for (int d = v->n_dims; d-- > 0;) {
        index[d] = e % v->dims[d];
        e /= v->dims[d];
    }
    rt_bytes_printf(out, "%s", v->name);
    for (int d = 0; d < v->n_dims; d++)
        rt_bytes_printf(out, dots ? ".%lld" : d ? ",%lld" : "[%lld", (long long)index[d] + dots);
    if (v->n_dims && !dots) rt_bytes_printf(out, "]");
}

/* The column of entry e, by either name: as rt_table_column says. */
static int value_column(const Reader *r, const RtVar *v, int64_t e) {
    int found[2];
    for (int dots = 0; dots < (v->n_dims ? 2 : 1); dots++) {
        RtBytes name = {0};
        rt_csv_column(v, e, dots, &name);
        found[dots] = rt_table_column(&r->t, name.data, r->taken);
        rt_bytes_free(&name);
        if (found[dots] >= 0) return found[dots];
    }
    return found[0] == RT_NO_COLUMN && v->n_dims ? found[1] : found[0];
}

static bool value_columns(const Reader *r, const RtVar *v, int *columns) {
    for (int64_t e = 0; e < v->event; e++) {
        columns[e] = value_column(r, v, e);
        if (columns[e] >= 0) continue;
        RtBytes name = {0};
        rt_csv_column(v, e, false, &name);
        rt_table_no_column(&r->t, name.data, r->taken,
                           v->n_dims             ? "a column per component: x[0], x[1] or x.1, x.2"
                           : v->kind == RT_GIVEN ? "a column per covariate of the model"
                                                 : "a column per observed variable",
                           r->error);
        rt_bytes_free(&name);
        return false;
    }
    return true;
}

static void take(Reader *r, const char *name) {
    RtCell key = {(char *)(uintptr_t)name, strlen(name)};
    int64_t exact = rt_index_find(&r->t.columns, 0, key);
    if (exact >= 0) r->taken[r->t.column_of[exact]] = true;
}

/* A column that has the exact name of one thing is not another's in other letters: x and X. */
static void take_exact_names(Reader *r) {
    r->taken = rt_alloc(r->t.mem, r->t.n_columns, sizeof *r->taken);
    for (int i = 0; i < r->m->n_plates; i++) take(r, r->m->plates[i].column);
    for (int i = 0; i < r->m->n_vars; i++) {
        const RtVar *v = &r->m->vars[i];
        for (int64_t e = 0; rt_is_given(v) && e < v->event; e++)
            for (int dots = 0; dots < 2; dots++) {
                RtBytes name = {0};
                rt_csv_column(v, e, dots, &name);
                take(r, name.data);
                rt_bytes_free(&name);
            }
    }
}

/* The levels of the path of plates that a variable stands in. */
static bool find_columns(Reader *r, const RtVar *deepest, int cross) {
    RtKeys *k = &r->keys;
    for (k->n_levels = 0; k->n_levels < deepest->n_plates; k->n_levels++) {
        int plate = deepest->plates[k->n_levels];
        const char *name = r->m->plates[plate].column;
        int column = rt_table_column(&r->t, name, r->taken);
        bool needed = cross >= 0 || k->n_levels + 1 < deepest->n_plates;
        k->levels[k->n_levels] = (RtLevel){.plate = plate, .column = column};
        if (column == RT_SEVERAL_COLUMNS || (column < 0 && needed))
            return rt_table_no_column(&r->t, name, r->taken,
                                      cross >= 0
                                          ? "a key column for each of the two plates that cross"
                                          : "a key column for every plate but the innermost",
                                      r->error);
    }
    if (cross >= 0)
        k->levels[k->n_levels] = (RtLevel){.plate = r->m->plates[cross].across,
                                           .column = k->levels[k->n_levels - 1].column};
    return true;
}

/* The plates that the variables of the file stand in: one path, outermost first, and where it ends
 * with a cross the plate that this lies across. */
static bool find_levels(Reader *r) {
    const RtVar *deepest = rt_keys_deepest(r->m, r->t.name, ".npz or .json", r->error);
    return deepest && find_columns(r, deepest, rt_cross_of(r->m, deepest));
}

/* The level whose instances a variable has, as rt_keys_position counts them. */
static int level_of(const Reader *r, const RtVar *v) {
    const RtKeys *k = &r->keys;
    const int cross = k->n_levels < rt_keys_count(k) ? k->levels[k->n_levels - 1].plate : -1;
    return rt_keys_across(r->m, cross, v) ? k->n_levels : v->n_plates - 1;
}

/* ---- values ---- */

/* A cell to the number that it holds: everything that is read of a variable, but for categories by
 * text, comes through here. */
static bool read_value(Reader *r, const RtVar *v, int64_t row, int column, double *out) {
    const RtCell *c = rt_table_cell(&r->t, row, column);
    long long line = r->t.line[row];
    int shown = c->n > 40 ? 40 : (int)c->n;
    if (rt_cell_missing(c) && rt_may_lack(v, r->options)) {
        *out = NAN;
        return true;
    }
    if (rt_cell_missing(c)) {
        char *where = rt_printf(r->t.mem, "%s:%lld:%d", r->t.name, line, column + 1);
        return rt_refuse_missing(v, where, c->n ? "NA" : "an empty cell", r->error);
    }
    if (!rt_table_number(&r->t, row, column, v->name, r->m->f64 ? DBL_MAX : FLT_MAX, out, r->error))
        return false;
    char why[100];
    if (rt_value_fits(r->m, v, *out, why)) return true;
    return rt_error(r->error, "%s:%lld:%d: %s is out of range\n  expected  %s\n  found     %.*s",
                    r->t.name, line, column + 1, v->name, why, shown, c->text);
}

/* ---- categories by text ---- */

/* Where some cell of a category is text, all of them are labels, and the first to appear in the
 * file is category 0, unless another file says which is. */
static bool has_kinds(const Reader *r, const RtVar *v, int column) {
    const RtData *coding = r->options->coding;
    if (coding) return coding->kinds && coding->kinds[v - r->m->vars];
    return v->n_kinds && rt_table_holds_text(&r->t, column);
}

static bool too_many_kinds(const Reader *r, const RtVar *v, int64_t row, int column,
                           const RtIndex *kinds) {
    const RtCell *c = rt_table_cell(&r->t, row, column);
    RtBytes have = {0};
    for (int64_t k = 0; k < v->n_kinds; k++)
        rt_bytes_printf(&have, "%s%.*s", k ? ", " : "",
                        (int)(kinds->keys[k].n > 40 ? 40 : kinds->keys[k].n), kinds->keys[k].text);
    rt_error(r->error,
             "%s:%lld:%d: one category of %s too many\n  expected  %lld, and there are %.400s\n  "
             "found     %.*s",
             r->t.name, (long long)r->t.line[row], column + 1, v->name, (long long)v->n_kinds,
             have.data, c->n > 40 ? 40 : (int)c->n, c->text);
    rt_bytes_free(&have);
    return false;
}

static bool read_kind(Reader *r, const RtVar *v, int64_t row, int column, RtIndex *kinds,
                      double *out) {
    const RtCell *c = rt_table_cell(&r->t, row, column);
    if (rt_cell_missing(c)) return read_value(r, v, row, column, out); /* which says so */
    bool fresh;
    int64_t kind = rt_index_find(kinds, 0, *c);
    if (kind < 0 && kinds->n == v->n_kinds) return too_many_kinds(r, v, row, column, kinds);
    if (kind < 0 && r->options->coding)
        fprintf(stderr,
                "warning: %s:%lld:%d: no %s is called %.*s in the data: it is taken as category "
                "%lld, of which they say nothing\n",
                r->t.name, (long long)r->t.line[row], column + 1, v->name,
                c->n > 40 ? 40 : (int)c->n, c->text, (long long)kinds->n);
    if (kind < 0) kind = rt_index_add(kinds, 0, *c, &fresh);
    *out = (double)kind;
    return true;
}

/* Room for all labels of a category; those of the other file that says how they are numbered. */
static RtIndex known_kinds(const Reader *r, const RtVar *v) {
    char *const *known = r->options->coding ? r->options->coding->kinds[v - r->m->vars] : NULL;
    int64_t n = 0;
    bool fresh;
    while (known && n < v->n_kinds && known[n]) n++;
    int64_t most = n + r->t.n_rows;
    RtIndex kinds = rt_index_new(r->t.mem, v->n_kinds < most ? v->n_kinds : most);
    for (int64_t k = 0; k < n; k++)
        rt_index_add(&kinds, 0, (RtCell){known[k], strlen(known[k])}, &fresh);
    return kinds;
}

static char **kind_labels(const Reader *r, const RtVar *v, const RtIndex *kinds) {
    char **labels = rt_alloc(r->t.mem, v->n_kinds, sizeof *labels);
    for (int64_t k = 0; k < kinds->n; k++)
        labels[k] = rt_copy_text(r->t.mem, kinds->keys[k].text, kinds->keys[k].n);
    return labels;
}

static bool changes(const Reader *r, const RtVar *v, int64_t row, int64_t before, int column) {
    const RtCell *old = rt_table_cell(&r->t, before, column);
    const RtCell *now = rt_table_cell(&r->t, row, column);
    const char *within =
        v->n_plates ? r->m->plates[v->plates[v->n_plates - 1]].name : "the data set";
    return rt_error(r->error,
                    "%s:%lld:%d: %s changes within an instance of %s\n  expected  %.*s, as in row "
                    "%lld\n  found     %.*s",
                    r->t.name, (long long)r->t.line[row], column + 1, v->name, within,
                    old->n > 40 ? 40 : (int)old->n, old->text, (long long)r->t.line[before],
                    now->n > 40 ? 40 : (int)now->n, now->text);
}

/* Has the table any column of this variable? */
static bool has_any(const Reader *r, const RtVar *v) {
    bool any = false;
    for (int64_t e = 0; e < v->event && !any; e++) any = value_column(r, v, e) != RT_NO_COLUMN;
    return any;
}

static bool read_variable(Reader *r, const RtVar *v) {
    if (v->kind == RT_OBSERVED && r->options->outcomes_optional && !has_any(r, v)) {
        r->out->values[v - r->m->vars] = rt_data_absent(r->t.mem, v, r->out);
        return true;
    }
    int *columns = rt_alloc(r->t.mem, v->event, sizeof *columns);
    if (!value_columns(r, v, columns)) return false;
    int64_t instances = rt_var_size(v, &r->out->sizes) / v->event;
    int64_t *seen = rt_alloc(r->t.mem, instances, sizeof *seen); /* row + 1 that gave the value */
    double *values = rt_alloc(r->t.mem, instances * v->event, sizeof *values);
    bool labelled = has_kinds(r, v, columns[0]);
    RtIndex kinds = {0};
    if (labelled) kinds = known_kinds(r, v);
    const int level = level_of(r, v);
    for (int64_t row = 0; row < r->t.n_rows; row++) {
        int64_t at = rt_keys_position(&r->keys, level, row);
        for (int64_t e = 0; e < v->event; e++) {
            double x;
            if (labelled ? !read_kind(r, v, row, columns[e], &kinds, &x)
                         : !read_value(r, v, row, columns[e], &x))
                return false;
            double *to = &values[at * v->event + e];
            if (seen[at] && *to != x && !(isnan(*to) && isnan(x)))
                return changes(r, v, row, seen[at] - 1, columns[e]);
            *to = x;
        }
        if (!seen[at]) seen[at] = row + 1;
    }
    for (int64_t i = 0; i < instances * v->event; i++)
        if (!seen[i / v->event]) values[i] = NAN;
    r->out->values[v - r->m->vars] = values;
    if (labelled) r->out->kinds[v - r->m->vars] = kind_labels(r, v, &kinds);
    return true;
}

/* Is no whole number above the covariate that it ends at, and are sums right? */
static bool check_end(Reader *r, const RtVar *v) {
    int64_t at;
    char why[160];
    if (!rt_find_misfit(v, r->m, r->out, &at, why)) return true;
    int *columns = rt_alloc(r->t.mem, v->event, sizeof *columns);
    int64_t row = 0;
    if (!value_columns(r, v, columns)) return false;
    const int level = level_of(r, v);
    while (rt_keys_position(&r->keys, level, row) != at / v->event) row++;
    return rt_error(r->error, "%s:%lld:%d: %s is out of range\n  expected  %s\n  found     %g",
                    r->t.name, (long long)r->t.line[row], columns[at % v->event] + 1, v->name, why,
                    r->out->values[v - r->m->vars][at]);
}

/* A covariate of pairs that are not in the file has the values of a pair with the same second key,
 * or, where it is bounded by a number of the first key, with the same first key: so that bounds
 * hold. */
static void pad_pairs(const Reader *r, const RtVar *v, int cross) {
    const RtModel *m = r->m;
    const RtVar *end = v;
    while (end->most_of >= 0) end = &m->vars[end->most_of];
    const bool by_parent = end->n_plates == 1 && end->plates[0] == m->plates[cross].parent;
    const bool *there = r->out->there[cross];
    const int64_t n = r->out->sizes.n[cross], all = rt_instances(m, &r->out->sizes, cross);
    int64_t *lender = rt_alloc(r->t.mem, by_parent ? all / n : n, sizeof *lender);
    double *values = r->out->values[v - m->vars];
    for (int64_t i = 0; i < all; i++)
        if (there[i]) lender[by_parent ? i / n : i % n] = i;
    for (int64_t i = 0; i < all; i++)
        for (int64_t e = 0; !there[i] && e < v->event; e++)
            values[i * v->event + e] = values[lender[by_parent ? i / n : i % n] * v->event + e];
}

/* Covariates of instances that are not in the file: those of the first instance, which is. */
static void pad(const Reader *r, const RtVar *v) {
    double *values = r->out->values[v - r->m->vars];
    int64_t size = rt_var_size(v, &r->out->sizes);
    const int cross = rt_cross_of(r->m, v);
    if (v->kind == RT_GIVEN && cross >= 0 && r->out->there[cross]) pad_pairs(r, v, cross);
    for (int64_t i = 0; v->kind == RT_GIVEN && i < size; i++)
        if (isnan(values[i])) values[i] = values[i % v->event];
}

/* Must there be a row for each pair of a cross? */
static bool needs_all_pairs(const Reader *r) {
    bool may_lack = false;
    for (int i = 0; i < r->m->n_vars; i++) {
        const RtVar *v = &r->m->vars[i];
        if (v->kind != RT_OBSERVED || rt_cross_of(r->m, v) < 0) continue;
        may_lack = v->presence >= 0;
        if (!may_lack) break;
    }
    return !may_lack && !r->options->padded;
}

/* Has the table any column of this context? */
static bool has_context(const Reader *r, const RtVar *v) {
    return value_column(r, v, 0) != RT_NO_COLUMN;
}

bool rt_data_csv(RtMem *mem, const RtModel *m, const char *name, const RtBytes *bytes,
                 const RtDataOptions *options, RtData *out, RtError *error) {
    Reader r = {.m = m, .options = options, .out = out, .error = error};
    *out = (RtData){.n_sets = 1};
    out->sizes = options->sizes;
    out->values = rt_alloc(mem, m->n_vars, sizeof *out->values);
    out->kinds = rt_alloc(mem, m->n_vars, sizeof *out->kinds);
    if (!rt_table_read(mem, name, bytes, &r.t, error)) return false;
    r.keys = (RtKeys){.m = m, .t = &r.t, .padded = options->padded};
    take_exact_names(&r);
    if (!find_levels(&r) || !rt_keys_place(&r.keys, error) ||
        !rt_keys_sizes(&r.keys, mem, options, &out->sizes, error))
        return false;
    if (needs_all_pairs(&r) && !rt_keys_whole(&r.keys, error)) return false;
    for (int i = 0; i < rt_keys_count(&r.keys); i++) {
        out->labels[r.keys.levels[i].plate] = rt_keys_labels(&r.keys, i);
        out->there[r.keys.levels[i].plate] = rt_keys_there(&r.keys, i);
    }
    for (int i = 0; i < m->n_vars; i++)
        if ((rt_is_data(&m->vars[i]) ||
             (m->vars[i].kind == RT_CONTEXT && has_context(&r, &m->vars[i]))) &&
            !read_variable(&r, &m->vars[i]))
            return false;
    for (int i = 0; i < m->n_vars; i++)
        if (rt_is_data(&m->vars[i]) && !check_end(&r, &m->vars[i])) return false;
    for (int i = 0; i < m->n_vars; i++) pad(&r, &m->vars[i]);
    return rt_data_presence(mem, m, name, out, error);
}
