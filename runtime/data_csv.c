/* data_csv.c -- long tables: a row per instance of the innermost plate, a column per observed
 * variable and covariate, a key column per plate.
 *
 *     batch,cask,assay,strength       plate batch(10) { plate cask(3) { plate assay(2) {
 *     A,a,1,62.8                          observed strength ~ ...; } } }
 *
 * Rows come in any order; instances are numbered in order of first appearance within their parent,
 * and a key names an instance within its parent. The key of the innermost plate may be absent: then
 * every row is an instance. Variables of outer plates repeat in every row of their instance and
 * must not change there. Groups must be equal. Positions in messages are file:row:column, both
 * counted from 1; the header is row 1. */
#include "runtime/data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct Cell {
    char *text;
    size_t n;
} Cell;

typedef struct Table {
    RtMem *mem;
    const char *name;
    int n_columns;
    int64_t n_rows;
    const char **header;
    Cell *cells;   /* [row][column] */
    int64_t *line; /* of each row in the file */
} Table;

/* An instance of a plate: found by its parent and key. */
typedef struct Instance {
    int64_t parent; /* index among the parent plate's instances (0 at the top) */
    int64_t number; /* within the parent */
    int64_t children;
    int64_t row; /* where it first appears */
    const char *label;
} Instance;

typedef struct Level {
    int plate, column; /* column: -1 if the file has none */
    int64_t n;
    Instance *instances;     /* as many as rows at most */
    int64_t *slots, n_slots; /* open hashing: instance number + 1, or 0 */
    int64_t *of_row;
} Level;

typedef struct Reader {
    const RtModel *m;
    Table t;
    const RtDataOptions *options;
    int n_levels;
    Level levels[RT_MAX_PLATES];
    RtData *out;
    RtError *error;
} Reader;

/* ---- text to cells ---- */

static char find_separator(const char *text, const char *end) {
    int tabs = 0, semicolons = 0, commas = 0;
    bool quoted = false;
    for (; text < end && (quoted || (*text != '\n' && *text != '\r')); text++) {
        if (*text == '"') quoted = !quoted;
        if (quoted) continue;
        tabs += *text == '\t';
        semicolons += *text == ';';
        commas += *text == ',';
    }
    if (tabs && tabs >= semicolons && tabs >= commas) return '\t';
    return semicolons > commas ? ';' : ',';
}

/* One cell from *at on, unquoted in place; leaves *at at the separator or the line's end. False: a
 * quote stays open. */
static bool read_cell(char **at, char *end, char separator, Cell *cell, int64_t *line) {
    char *s = *at, *to;
    while (s < end && (*s == ' ' || (*s == '\t' && separator != '\t'))) s++;
    if (s < end && *s == '"') {
        for (cell->text = to = ++s;; s++) {
            if (s == end) return false;
            if (*s == '"' && !(s + 1 < end && s[1] == '"')) break;
            if (*s == '"') s++;
            if (*s == '\n') ++*line;
            *to++ = *s;
        }
        cell->n = (size_t)(to - cell->text);
        for (s++; s < end && *s != separator && *s != '\n' && *s != '\r';) s++;
    } else {
        cell->text = s;
        while (s < end && *s != separator && *s != '\n' && *s != '\r') s++;
        for (to = s; to > cell->text && (to[-1] == ' ' || to[-1] == '\t');) to--;
        cell->n = (size_t)(to - cell->text);
    }
    *at = s;
    return true;
}

static void end_line(char **at, char *end) {
    if (*at < end && **at == '\r') ++*at;
    if (*at < end && **at == '\n') ++*at;
}

/* Upper bounds of rows and cells, from which the table is allocated. */
static void count(const char *s, const char *end, char separator, int64_t *rows, int64_t *cells) {
    *rows = *cells = 1;
    for (; s < end; s++) {
        bool line = *s == '\n' || *s == '\r';
        *rows += line;
        *cells += line || *s == separator;
    }
}

static bool read_header(Table *t, char **at, char *end, char separator, RtError *error) {
    int64_t line = 1, rows, cells;
    char *stop = *at;
    while (stop < end && *stop != '\n' && *stop != '\r') stop++;
    count(*at, stop, separator, &rows, &cells);
    if (cells > 1 << 20) return rt_error(error, "%s:1: too many columns", t->name);
    t->header = rt_alloc(t->mem, cells, sizeof *t->header);
    for (;;) {
        Cell c;
        if (!read_cell(at, end, separator, &c, &line) || t->n_columns == cells)
            return rt_error(error, "%s:1:%d: a quote stays open", t->name, t->n_columns + 1);
        t->header[t->n_columns++] = rt_copy_text(t->mem, c.text, c.n);
        if (*at == end || **at != separator) break;
        ++*at;
    }
    end_line(at, end);
    return true;
}

/* Empty lines are no rows; but in a table of one column an empty line before others is a missing
 * cell. */
static bool only_blanks(const char *s, const char *end) {
    while (s < end && (*s == '\n' || *s == '\r')) s++;
    return s == end;
}

static bool read_table(Table *t, const RtBytes *bytes, RtError *error) {
    char *at = rt_alloc(t->mem, (int64_t)bytes->n + 1, 1), *end = at + bytes->n;
    if (bytes->n) memcpy(at, bytes->data, bytes->n);
    if (bytes->n >= 3 && !memcmp(at, "\xef\xbb\xbf", 3)) at += 3; /* byte order mark */
    char separator = find_separator(at, end);
    int64_t rows, cells, line = 2;
    count(at, end, separator, &rows, &cells);
    if (!read_header(t, &at, end, separator, error)) return false;
    t->cells = rt_alloc(t->mem, cells + t->n_columns, sizeof *t->cells);
    t->line = rt_alloc(t->mem, rows, sizeof *t->line);
    for (; at < end; line++, end_line(&at, end)) {
        Cell *row = t->cells + t->n_rows * t->n_columns;
        int64_t first = line;
        int n = 0;
        if ((*at == '\n' || *at == '\r') && (t->n_columns > 1 || only_blanks(at, end))) continue;
        for (;;) {
            Cell c;
            if (!read_cell(&at, end, separator, &c, &line))
                return rt_error(error, "%s:%lld:%d: a quote stays open", t->name, (long long)first,
                                n + 1);
            if (n < t->n_columns) row[n] = c;
            n++;
            if (at == end || *at != separator) break;
            at++;
        }
        if (n != t->n_columns)
            return rt_error(
                error,
                "%s:%lld: the row has %d cells\n  expected  %d, as the header has\n  found     %d",
                t->name, (long long)first, n, t->n_columns, n);
        t->line[t->n_rows++] = first;
    }
    if (!t->n_rows) return rt_error(error, "%s: no row of data below the header", t->name);
    return true;
}

/* ---- columns ---- */

static int find_column(const Table *t, const char *name) {
    for (int c = 0; c < t->n_columns; c++)
        if (!strcmp(t->header[c], name)) return c;
    return -1;
}

static bool missing_column(const Reader *r, const char *name, const char *what) {
    const char *near = rt_nearest(name, r->t.header, r->t.n_columns);
    RtBytes have = {0};
    for (int c = 0; c < r->t.n_columns; c++)
        rt_bytes_printf(&have, "%s%s", c ? ", " : "", r->t.header[c]);
    rt_error(r->error, "%s:1: no column named %s\n  expected  %s\n  found     %.600s%s%s%s",
             r->t.name, name, what, have.data, near ? "\n  did you mean " : "", near ? near : "",
             near ? "?" : "");
    rt_bytes_free(&have);
    return false;
}

/* Columns of a variable's event, row-major: NAME for scalars, NAME[i,j] or NAME.i.j (from 1) for
 * vectors. */
static bool value_columns(const Reader *r, const RtVar *v, int *columns) {
    for (int64_t e = 0; e < v->event; e++) {
        RtBytes brackets = {0}, dots = {0};
        int64_t rest = e, index[RT_MAX_DIMS];
        for (int d = v->n_dims; d-- > 0;) {
            index[d] = rest % v->dims[d];
            rest /= v->dims[d];
        }
        rt_bytes_printf(&brackets, "%s", v->name);
        rt_bytes_printf(&dots, "%s", v->name);
        for (int d = 0; d < v->n_dims; d++) {
            rt_bytes_printf(&brackets, "%s%lld", d ? "," : "[", (long long)index[d]);
            rt_bytes_printf(&dots, ".%lld", (long long)index[d] + 1);
        }
        if (v->n_dims) rt_bytes_printf(&brackets, "]");
        columns[e] = find_column(&r->t, brackets.data);
        if (columns[e] < 0) columns[e] = find_column(&r->t, dots.data);
        bool ok = columns[e] >= 0 ||
                  missing_column(r, brackets.data,
                                 v->n_dims ? "a column per component: x[0], x[1] or x.1, x.2"
                                 : v->kind == RT_GIVEN ? "a column per covariate of the model"
                                                       : "a column per observed variable");
        rt_bytes_free(&brackets);
        rt_bytes_free(&dots);
        if (!ok) return false;
    }
    return true;
}

/* The plates that the variables of the file stand in: one path, outermost first. */
static bool find_levels(Reader *r) {
    const RtVar *deepest = NULL;
    for (int i = 0; i < r->m->n_vars; i++) {
        const RtVar *v = &r->m->vars[i];
        if (rt_is_data(v) && (!deepest || v->n_plates > deepest->n_plates)) deepest = v;
    }
    if (!deepest) return rt_error(r->error, "the model observes nothing");
    for (int i = 0; i < r->m->n_vars; i++) {
        const RtVar *v = &r->m->vars[i];
        if (!rt_is_data(v)) continue;
        for (int k = 0; k < v->n_plates; k++)
            if (v->plates[k] != deepest->plates[k])
                return rt_error(
                    r->error,
                    "%s: %s and %s stand in different plates, which one long table cannot hold: "
                    "use .npz",
                    r->t.name, v->name, deepest->name);
    }
    for (r->n_levels = 0; r->n_levels < deepest->n_plates; r->n_levels++) {
        Level *l = &r->levels[r->n_levels];
        const RtPlate *plate = &r->m->plates[deepest->plates[r->n_levels]];
        *l = (Level){.plate = deepest->plates[r->n_levels],
                     .column = find_column(&r->t, plate->column)};
        if (l->column < 0 && r->n_levels + 1 < deepest->n_plates)
            return missing_column(r, plate->column,
                                  "a key column for every plate but the innermost");
    }
    return true;
}

/* ---- rows to instances ---- */

static uint64_t hash_key(int64_t parent, const Cell *key) {
    uint64_t h = 1469598103934665603u ^ (uint64_t)parent * 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < key->n; i++) h = (h ^ (unsigned char)key->text[i]) * 1099511628211u;
    return h ^ h >> 29;
}

static int64_t add_instance(Reader *r, int level, int64_t parent, int64_t row, const char *label) {
    Level *l = &r->levels[level];
    Instance *above = level ? &r->levels[level - 1].instances[parent] : NULL;
    int64_t number = above ? above->children++ : l->n;
    l->instances[l->n] = (Instance){.parent = parent, .number = number, .row = row, .label = label};
    return l->n++;
}

static int64_t find_instance(Reader *r, int level, int64_t parent, int64_t row, const Cell *key) {
    Level *l = &r->levels[level];
    for (uint64_t at = hash_key(parent, key);; at++) {
        int64_t *slot = &l->slots[at % (uint64_t)l->n_slots];
        if (!*slot) {
            *slot =
                1 + add_instance(r, level, parent, row, rt_copy_text(r->t.mem, key->text, key->n));
            return *slot - 1;
        }
        const Instance *i = &l->instances[*slot - 1];
        if (i->parent == parent && strlen(i->label) == key->n &&
            !memcmp(i->label, key->text, key->n))
            return *slot - 1;
    }
}

static bool is_missing(const Cell *c) {
    return !c->n || (c->n == 2 && !memcmp(c->text, "NA", 2)) ||
           (c->n == 3 && !strncasecmp(c->text, "nan", 3));
}

static bool duplicate(const Reader *r, int64_t row, int64_t before) {
    RtBytes key = {0};
    for (int i = 0; i < r->n_levels; i++) {
        const Level *l = &r->levels[i];
        const Cell *c = &r->t.cells[row * r->t.n_columns + l->column];
        rt_bytes_printf(&key, "%s%s = %.*s", i ? ", " : "", r->m->plates[l->plate].column,
                        (int)c->n, c->text);
    }
    rt_error(r->error,
             "%s:%lld:%d: the key occurs twice: %.300s\n  expected  one row per instance\n  found  "
             "   the same key in "
             "row %lld\n  repeated measurements need a plate of their own, inside this one",
             r->t.name, (long long)r->t.line[row], r->levels[r->n_levels - 1].column + 1, key.data,
             (long long)r->t.line[before]);
    rt_bytes_free(&key);
    return false;
}

static bool place_rows(Reader *r) {
    for (int i = 0; i < r->n_levels; i++) {
        Level *l = &r->levels[i];
        l->instances = rt_alloc(r->t.mem, r->t.n_rows, sizeof *l->instances);
        l->of_row = rt_alloc(r->t.mem, r->t.n_rows, sizeof *l->of_row);
        l->n_slots = 2 * r->t.n_rows + 1;
        l->slots = rt_alloc(r->t.mem, l->n_slots, sizeof *l->slots);
    }
    for (int64_t row = 0; row < r->t.n_rows; row++) {
        int64_t parent = 0;
        for (int i = 0; i < r->n_levels; i++) {
            Level *l = &r->levels[i];
            if (l->column < 0) {
                parent = l->of_row[row] = add_instance(r, i, parent, row, NULL);
                continue;
            }
            const Cell *key = &r->t.cells[row * r->t.n_columns + l->column];
            if (is_missing(key))
                return rt_error(r->error, "%s:%lld:%d: the key %s is missing", r->t.name,
                                (long long)r->t.line[row], l->column + 1,
                                r->m->plates[l->plate].column);
            int64_t known = l->n;
            parent = l->of_row[row] = find_instance(r, i, parent, row, key);
            if (i + 1 == r->n_levels && l->n == known)
                return duplicate(r, row, l->instances[parent].row);
        }
    }
    if (!r->n_levels && r->t.n_rows > 1)
        return rt_error(r->error,
                        "%s: %lld rows\n  expected  one: nothing observed stands in a plate",
                        r->t.name, (long long)r->t.n_rows);
    return true;
}

/* "batch C, cask a": an instance by the labels on its path, or by its row where there are none. */
static void path_text(const Reader *r, int level, int64_t instance, RtBytes *out) {
    const Instance *i = &r->levels[level].instances[instance];
    if (level) {
        path_text(r, level - 1, i->parent, out);
        rt_bytes_printf(out, ", ");
    }
    rt_bytes_printf(out, "%s %.60s", r->m->plates[r->levels[level].plate].column,
                    i->label ? i->label : "?");
}

static bool unequal(const Reader *r, int level, int64_t other) {
    const Level *above = &r->levels[level - 1];
    const char *plate = r->m->plates[r->levels[level].plate].name;
    RtBytes first = {0}, second = {0};
    path_text(r, level - 1, 0, &first);
    path_text(r, level - 1, other, &second);
    rt_error(r->error,
             "%s:%lld: groups of unequal size\n  expected  %lld of plate %s in every group, as in "
             "%s (from row %lld)\n  found     %lld in %s"
             "\n  this program needs equal groups: leave some rows out, or look for a row that is "
             "missing",
             r->t.name, (long long)r->t.line[above->instances[other].row],
             (long long)above->instances[0].children, plate, first.data,
             (long long)r->t.line[above->instances[0].row],
             (long long)above->instances[other].children, second.data);
    rt_bytes_free(&first);
    rt_bytes_free(&second);
    return false;
}

static bool take_sizes(Reader *r) {
    for (int i = 0; i < r->n_levels; i++) {
        const Level *l = &r->levels[i];
        int64_t size = i ? r->levels[i - 1].instances[0].children : l->n;
        for (int64_t k = 1; i && k < r->levels[i - 1].n; k++)
            if (r->levels[i - 1].instances[k].children != size) return unequal(r, i, k);
        if (r->options->given[l->plate] && r->options->sizes[l->plate] != size)
            return rt_error(r->error, "%s: %lld of plate %s, but --size says %lld", r->t.name,
                            (long long)size, r->m->plates[l->plate].name,
                            (long long)r->options->sizes[l->plate]);
        r->out->sizes[l->plate] = size;
    }
    return true;
}

/* Row-major position of an instance among all of its plate. */
static int64_t flat_position(const Reader *r, int level, int64_t instance) {
    const Instance *i = &r->levels[level].instances[instance];
    int64_t size = r->out->sizes[r->levels[level].plate];
    return (level ? flat_position(r, level - 1, i->parent) * size : 0) + i->number;
}

static void keep_labels(Reader *r) {
    for (int i = 0; i < r->n_levels; i++) {
        const Level *l = &r->levels[i];
        if (l->column < 0) continue;
        char **labels = rt_alloc(r->t.mem, l->n, sizeof *labels);
        for (int64_t k = 0; k < l->n; k++)
            labels[flat_position(r, i, k)] = (char *)(uintptr_t)l->instances[k].label;
        r->out->labels[l->plate] = labels;
    }
}

/* ---- values ---- */

static bool read_value(const Reader *r, const RtVar *v, int64_t row, int column, double *out) {
    const Cell *c = &r->t.cells[row * r->t.n_columns + column];
    long long line = r->t.line[row];
    int shown = c->n > 40 ? 40 : (int)c->n;
    if (is_missing(c))
        return rt_error(r->error,
                        "%s:%lld:%d: a value of %s is missing\n  expected  a number\n  found     "
                        "%s\n  this program "
                        "has no missing values: leave the group out, or fill the cell",
                        r->t.name, line, column + 1, v->name, c->n ? "NA" : "an empty cell");
    if (!rt_parse_number(c->text, c->n, out))
        return rt_error(r->error,
                        "%s:%lld:%d: text where %s needs a number\n  expected  a number such as "
                        "3.25\n  found     \"%.*s\"%s",
                        r->t.name, line, column + 1, v->name, shown, c->text,
                        memchr(c->text, ',', c->n) ? "\n  decimals are written with a point" : "");
    if (!isfinite(*out) || !isfinite((double)(float)*out))
        return rt_error(
            r->error,
            "%s:%lld:%d: a value of %s is infinite\n  expected  a finite number\n  found     %.*s",
            r->t.name, line, column + 1, v->name, shown, c->text);
    char why[100];
    if (rt_value_allowed(v, *out, why)) return true;
    return rt_error(r->error, "%s:%lld:%d: %s is out of range\n  expected  %s\n  found     %.*s",
                    r->t.name, line, column + 1, v->name, why, shown, c->text);
}

/* ---- categories by text ---- */

static bool is_text(const Cell *c) {
    double x;
    return !is_missing(c) && !rt_parse_number(c->text, c->n, &x);
}

/* Labels, if some cell of a category is text: then all of them are, and the first to appear in the
 * file is category 0. */
static char **find_kinds(const Reader *r, const RtVar *v, int column) {
    bool text = false;
    for (int64_t row = 0; v->n_kinds && !text && row < r->t.n_rows; row++)
        text = is_text(&r->t.cells[row * r->t.n_columns + column]);
    return text ? rt_alloc(r->t.mem, v->n_kinds, sizeof(char *)) : NULL;
}

static bool too_many_kinds(const Reader *r, const RtVar *v, int64_t row, int column,
                           char *const *kinds) {
    const Cell *c = &r->t.cells[row * r->t.n_columns + column];
    RtBytes have = {0};
    for (int64_t k = 0; k < v->n_kinds; k++)
        rt_bytes_printf(&have, "%s%.40s", k ? ", " : "", kinds[k]);
    rt_error(r->error,
             "%s:%lld:%d: one category of %s too many\n  expected  %lld, and there are %.400s\n  "
             "found     %.*s",
             r->t.name, (long long)r->t.line[row], column + 1, v->name, (long long)v->n_kinds,
             have.data, c->n > 40 ? 40 : (int)c->n, c->text);
    rt_bytes_free(&have);
    return false;
}

static bool read_kind(const Reader *r, const RtVar *v, int64_t row, int column, char **kinds,
                      double *out) {
    const Cell *c = &r->t.cells[row * r->t.n_columns + column];
    if (is_missing(c)) return read_value(r, v, row, column, out); /* which says so */
    for (int64_t k = 0; k < v->n_kinds; k++) {
        if (!kinds[k]) kinds[k] = rt_copy_text(r->t.mem, c->text, c->n);
        *out = (double)k;
        if (strlen(kinds[k]) == c->n && !memcmp(kinds[k], c->text, c->n)) return true;
    }
    return too_many_kinds(r, v, row, column, kinds);
}

static bool changes(const Reader *r, const RtVar *v, int64_t row, int64_t before, int column) {
    const Cell *old = &r->t.cells[before * r->t.n_columns + column];
    const Cell *now = &r->t.cells[row * r->t.n_columns + column];
    const char *within =
        v->n_plates ? r->m->plates[v->plates[v->n_plates - 1]].name : "the data set";
    return rt_error(r->error,
                    "%s:%lld:%d: %s changes within an instance of %s\n  expected  %.*s, as in row "
                    "%lld\n  found     %.*s",
                    r->t.name, (long long)r->t.line[row], column + 1, v->name, within,
                    old->n > 40 ? 40 : (int)old->n, old->text, (long long)r->t.line[before],
                    now->n > 40 ? 40 : (int)now->n, now->text);
}

static bool read_variable(Reader *r, const RtVar *v) {
    int *columns = rt_alloc(r->t.mem, v->event, sizeof *columns);
    if (!value_columns(r, v, columns)) return false;
    int64_t instances = rt_var_size(v, r->out->sizes) / v->event;
    int64_t *seen = rt_alloc(r->t.mem, instances, sizeof *seen); /* row + 1 that gave the value */
    double *values = rt_alloc(r->t.mem, instances * v->event, sizeof *values);
    char **kinds = r->out->kinds[v - r->m->vars] = find_kinds(r, v, columns[0]);
    for (int64_t row = 0; row < r->t.n_rows; row++) {
        int level = v->n_plates - 1;
        int64_t at = level < 0 ? 0 : flat_position(r, level, r->levels[level].of_row[row]);
        for (int64_t e = 0; e < v->event; e++) {
            double x;
            if (kinds ? !read_kind(r, v, row, columns[e], kinds, &x)
                      : !read_value(r, v, row, columns[e], &x))
                return false;
            double *to = &values[at * v->event + e];
            if (seen[at] && *to != x) return changes(r, v, row, seen[at] - 1, columns[e]);
            *to = x;
        }
        if (!seen[at]) seen[at] = row + 1;
    }
    r->out->values[v - r->m->vars] = values;
    return true;
}

/* Is no whole number above the covariate that it ends at, and are sums right? */
static bool check_end(Reader *r, const RtVar *v) {
    int64_t at;
    char why[160];
    if (!rt_find_misfit(v, r->m, r->out, &at, why)) return true;
    int *columns = rt_alloc(r->t.mem, v->event, sizeof *columns);
    int level = v->n_plates - 1;
    int64_t row = 0;
    if (!value_columns(r, v, columns)) return false;
    while (level >= 0 && flat_position(r, level, r->levels[level].of_row[row]) != at / v->event)
        row++;
    return rt_error(r->error, "%s:%lld:%d: %s is out of range\n  expected  %s\n  found     %g",
                    r->t.name, (long long)r->t.line[row], columns[at % v->event] + 1, v->name, why,
                    r->out->values[v - r->m->vars][at]);
}

/* Has the table any column of this context? */
static bool has_context(const Reader *r, const RtVar *v) {
    static const int64_t no_sizes[RT_MAX_PLATES];
    RtBytes first = {0}, dots = {0};
    rt_element_name(v, no_sizes, 0, &first);
    rt_bytes_printf(&dots, "%s.1%s", v->name, v->n_dims == 2 ? ".1" : "");
    bool found =
        find_column(&r->t, first.data) >= 0 || (v->n_dims && find_column(&r->t, dots.data) >= 0);
    rt_bytes_free(&first);
    rt_bytes_free(&dots);
    return found;
}

bool rt_data_csv(RtMem *mem, const RtModel *m, const char *name, const RtBytes *bytes,
                 const RtDataOptions *options, RtData *out, RtError *error) {
    Reader r = {
        .m = m, .t = {.mem = mem, .name = name}, .options = options, .out = out, .error = error};
    *out = (RtData){.n_sets = 1};
    memcpy(out->sizes, options->sizes, sizeof out->sizes);
    out->values = rt_alloc(mem, m->n_vars, sizeof *out->values);
    out->kinds = rt_alloc(mem, m->n_vars, sizeof *out->kinds);
    if (!read_table(&r.t, bytes, error) || !find_levels(&r) || !place_rows(&r) || !take_sizes(&r))
        return false;
    keep_labels(&r);
    for (int i = 0; i < m->n_vars; i++)
        if ((rt_is_data(&m->vars[i]) ||
             (m->vars[i].kind == RT_CONTEXT && has_context(&r, &m->vars[i]))) &&
            !read_variable(&r, &m->vars[i]))
            return false;
    for (int i = 0; i < m->n_vars; i++)
        if (rt_is_data(&m->vars[i]) && !check_end(&r, &m->vars[i])) return false;
    return true;
}
