/* frame.c -- columns and groups of a data file. See frame.h. */
#include "init/frame.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* ---- columns ---- */

const char *frame_place(const Frame *a, int64_t row, const FrameColumn *c) {
    return rt_printf(a->t.mem, "%s:%lld:%d", a->t.name, (long long)a->t.line[row], c->at + 1);
}

/* The column of a name in the formula, or -1. */
static int find_column(const Frame *a, const char *name, Place place, RtError *error) {
    int at = rt_table_column(&a->t, name, NULL);
    if (at >= 0) return at;
    RtBytes what = {0}, more = {0};
    rt_table_why_none(&a->t, name, NULL, NULL, &what, &more);
    formula_error(a->f, place, error, more.data, "%s has %s", a->t.name, what.data);
    rt_bytes_free(&what);
    rt_bytes_free(&more);
    return -1;
}

/* Can a variable of a model be called so? */
static bool is_name(const char *name) {
    bool ok = *name && !(*name >= '0' && *name <= '9');
    for (; *name; name++)
        ok &= (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') || *name == '_' ||
              (*name >= '0' && *name <= '9');
    return ok;
}

/* The frame's column of a variable, added where it is new; -1 with an error. */
static int add_column(Frame *a, const FormulaVar *v, RtError *error) {
    int at = find_column(a, v->column, v->place, error);
    if (at < 0) return -1;
    for (int i = 0; i < a->n_columns; i++)
        if (a->columns[i].at == at) return i;
    const char *name = a->t.header[at];
    if (!is_name(name)) {
        formula_error(a->f, v->place, error,
                      "\n  expected  letters, digits and _, not a digit first\n  rename the column",
                      "column %.60s cannot be a variable of a model", name);
        return -1;
    }
    a->columns[a->n_columns] = (FrameColumn){.name = name, .at = at};
    return a->n_columns++;
}

/* Numbers by row, as programs read them, which hold them in float. `text`: some cell of what is no
 * outcome is text, and nothing is read. */
static bool read_numbers(Frame *a, FrameColumn *c, bool *text, RtError *error) {
    bool outcome = c == &a->columns[a->outcome];
    c->x = rt_alloc(a->t.mem, a->t.n_rows, sizeof *c->x);
    *text = !outcome && rt_table_holds_text(&a->t, c->at);
    for (int64_t row = 0; row < a->t.n_rows && !*text; row++) {
        if (rt_cell_missing(rt_table_cell(&a->t, row, c->at)))
            c->x[row] = NAN;
        else if (!rt_table_number(&a->t, row, c->at, c->name, FLT_MAX, &c->x[row], error))
            return false;
    }
    for (int64_t row = 0; row < a->t.n_rows && !outcome && !*text; row++)
        if (isnan(c->x[row]))
            return rt_error(
                error,
                "%s: a value of %s is missing\n  expected  a number: covariates have no "
                "missing values\n  leave the row out, or fill the cell",
                frame_place(a, row, c), c->name);
    return true;
}

static bool too_many_levels(const Frame *a, const FrameColumn *c, int64_t row, RtError *error) {
    const RtCell *cell = rt_table_cell(&a->t, row, c->at);
    return rt_error(error,
                    "%s: more than %d levels of %s\n  found     \"%.*s\" as one more\n  a "
                    "text column is a factor, with a coefficient for each level; many levels are "
                    "groups: (1 | %s)",
                    frame_place(a, row, c), FRAME_LEVELS, c->name, cell->n > 40 ? 40 : (int)cell->n,
                    cell->text, c->name);
}

static bool read_labels(Frame *a, FrameColumn *c, RtError *error) {
    RtIndex labels = rt_index_new(a->t.mem, FRAME_LEVELS + 1);
    c->text = true;
    for (int64_t row = 0; row < a->t.n_rows; row++) {
        RtCell *cell = rt_table_cell(&a->t, row, c->at);
        bool fresh;
        if (rt_cell_missing(cell))
            return rt_error(error, "%s: a level of %s is missing\n  expected  one of its labels",
                            frame_place(a, row, c), c->name);
        int64_t level = rt_index_add(&labels, 0, *cell, &fresh);
        if (level == FRAME_LEVELS) return too_many_levels(a, c, row, error);
        if (fresh) c->labels[level] = rt_copy_text(a->t.mem, cell->text, cell->n);
        c->x[row] = (double)level;
    }
    c->n_levels = (int)labels.n;
    return true;
}

/* factor(x) of numbers. */
static bool number_levels(Frame *a, FrameColumn *c, Place place, RtError *error) {
    for (int64_t row = 0; row < a->t.n_rows; row++) {
        double x = c->x[row];
        if (x < 0 || x >= FRAME_LEVELS || x != floor(x))
            return formula_error(a->f, place, error,
                                 "\n  expected  whole numbers from 0 to 63, or text",
                                 "%s: %g is no level of a factor", frame_place(a, row, c), x);
        if (!c->labels[(int)x]) c->labels[(int)x] = rt_printf(a->t.mem, "%d", (int)x);
        if (c->n_levels <= x) c->n_levels = (int)x + 1;
    }
    return true;
}

/* Where the function of a column is no number, and what that asks of other data. */
static bool check_domain(Frame *a, int var, RtError *error) {
    const FormulaVar *v = &a->f->vars[var];
    FrameColumn *c = &a->columns[a->of_var[var]];
    double least = INFINITY, most = -INFINITY;
    for (int64_t row = 0; row < a->t.n_rows; row++) {
        if (!isfinite(transform_at(v->transform, c->x[row])))
            return formula_error(
                a->f, v->place, error, "\n  expected  a number in every row, as log(x + 1) is at 0",
                "%s: this is no number where %s is %g", frame_place(a, row, c), c->name, c->x[row]);
        least = fmin(least, c->x[row]);
        most = fmax(most, c->x[row]);
    }
    const double beyond = 2 * (most - least) + 1; /* as a normal law might go */
    for (int i = 0; i <= 16; i++)
        c->bounded |= !isfinite(transform_at(v->transform, least - beyond * i / 16)) ||
                      !isfinite(transform_at(v->transform, most + beyond * i / 16));
    return true;
}

/* Numbers, or the levels of text and, if it is to be a `factor`, of numbers. */
static bool read_column(Frame *a, int at, bool factor, Place place, RtError *error) {
    FrameColumn *c = &a->columns[at];
    bool text = c->text;
    if (at == a->outcome)
        return formula_error(a->f, place, error, "", "the outcome explains itself");
    if (!c->x && !read_numbers(a, c, &text, error)) return false;
    if (text && !c->text && !read_labels(a, c, error)) return false;
    return !factor || c->n_levels || number_levels(a, c, place, error);
}

static bool read_var(Frame *a, int var, RtError *error) {
    const FormulaVar *v = &a->f->vars[var];
    const FrameColumn *c = &a->columns[a->of_var[var]];
    if (!read_column(a, a->of_var[var], v->factor, v->place, error)) return false;
    if (c->text && (v->transform || v->scaled || a->f->offsets >> var & 1))
        return formula_error(a->f, v->place, error, "", "column %.60s holds text, not numbers",
                             c->name);
    return !v->transform || check_domain(a, var, error);
}

/* scale(x): over the rows, as R does. What never differs is refused later. */
static void put_to_scale(Frame *a, FormulaVar *v, const FrameColumn *c) {
    double *x = rt_alloc(a->t.mem, a->t.n_rows, sizeof *x);
    for (int64_t row = 0; row < a->t.n_rows; row++) x[row] = transform_at(v->transform, c->x[row]);
    Moments m = frame_moments(x, a->t.n_rows);
    if (m.sd > 0) v->transform = transform_scaled(a->t.mem, v->transform, m.mean, m.sd);
}

static bool read_columns(Frame *a, Formula *f, RtError *error) {
    bool text;
    if ((a->outcome = add_column(a, &f->outcome, error)) < 0) return false;
    f->outcome.column = a->columns[a->outcome].name;
    if (!read_numbers(a, &a->columns[a->outcome], &text, error)) return false;
    a->trials = f->trials.column ? add_column(a, &f->trials, error) : -1;
    if (f->trials.column && a->trials < 0) return false;
    if (a->trials >= 0 && !a->columns[a->trials].x) {
        FrameColumn *c = &a->columns[a->trials];
        if (!read_numbers(a, c, &text, error)) return false;
        if (text) return formula_error(f, f->trials.place, error, "", "%s holds text", c->name);
    }
    for (int i = 0; i < f->n_vars; i++) {
        if ((a->of_var[i] = add_column(a, &f->vars[i], error)) < 0) return false;
        f->vars[i].column = a->columns[a->of_var[i]].name;
        if (!read_var(a, i, error)) return false;
        if (f->vars[i].scaled) put_to_scale(a, &f->vars[i], &a->columns[a->of_var[i]]);
    }
    return true;
}

/* ---- groups ---- */

typedef struct Partition {
    int group; /* of the formula */
    int64_t n;
    int64_t *of_row, *first; /* first: by group, the row where it appears */
    int columns[FORMULA_COLUMNS];
} Partition;

/* Instances by the keys of a column within those of the parents (NULL: one). */
static bool divide(Frame *a, const int64_t *parent, int column, int64_t *of_row, int64_t *n,
                   RtError *error) {
    RtIndex keys = rt_index_new(a->t.mem, a->t.n_rows);
    for (int64_t row = 0; row < a->t.n_rows; row++) {
        RtCell *cell = rt_table_cell(&a->t, row, column);
        bool fresh;
        if (rt_cell_missing(cell))
            return rt_error(error, "%s:%lld:%d: the group %.60s is missing", a->t.name,
                            (long long)a->t.line[row], column + 1, a->t.header[column]);
        of_row[row] = rt_index_add(&keys, parent ? parent[row] : 0, *cell, &fresh);
    }
    *n = keys.n;
    return true;
}

static bool read_partition(Frame *a, int group, Partition *p, RtError *error) {
    const FormulaGroup *g = &a->f->groups[group];
    *p = (Partition){.group = group};
    for (int i = 0; i < g->n_columns; i++) {
        int64_t *of_row = rt_alloc(a->t.mem, a->t.n_rows, sizeof *of_row);
        if ((p->columns[i] = find_column(a, g->columns[i], g->place, error)) < 0 ||
            !divide(a, p->of_row, p->columns[i], of_row, &p->n, error))
            return false;
        p->of_row = of_row;
    }
    p->first = rt_alloc(a->t.mem, p->n, sizeof *p->first);
    for (int64_t row = a->t.n_rows; row-- > 0;) p->first[p->of_row[row]] = row;
    return true;
}

static void group_name(const Frame *a, const Partition *p, RtBytes *out) {
    const FormulaGroup *g = &a->f->groups[p->group];
    for (int i = 0; i < g->n_columns; i++)
        rt_bytes_printf(out, "%s%.40s", i ? ":" : "", a->t.header[p->columns[i]]);
}

/* "cask a", "batch A, cask a": the group of a row. */
static void group_text(const Frame *a, const Partition *p, int64_t row, RtBytes *out) {
    for (int i = 0; i < a->f->groups[p->group].n_columns; i++) {
        const RtCell *c = rt_table_cell(&a->t, row, p->columns[i]);
        rt_bytes_printf(out, "%s%.40s %.*s", i ? ", " : "", a->t.header[p->columns[i]],
                        c->n > 30 ? 30 : (int)c->n, c->text);
    }
}

/* A group of `inner` with rows in two groups of `outer`. */
static bool crossed(const Frame *a, const Partition *outer, const Partition *inner, int64_t before,
                    int64_t row, RtError *error) {
    RtBytes of = {0}, name = {0}, one = {0}, first = {0}, second = {0}, more = {0};
    group_name(a, outer, &of);
    group_name(a, inner, &name);
    group_text(a, inner, row, &one);
    group_text(a, outer, before, &first);
    group_text(a, outer, row, &second);
    rt_bytes_printf(
        &more,
        "\n  expected  groups inside each other\n  found     %s with %s (row %lld) and "
        "with %s (row %lld)\n  if %s is another one in each %s, write (1 | %s/%s)\n  "
        "two groupings of a column each that cross are served where there are no others, and "
        "each pair has one row: average or sum up its rows\n  "
        "else groups that cross others are served as (1 | g), where g is text or "
        "numbers from 0 on, of %d levels at most",
        one.data, first.data, (long long)a->t.line[before], second.data, (long long)a->t.line[row],
        one.data, of.data, of.data, name.data, FRAME_CROSSING);
    formula_error(a->f, a->f->groups[inner->group].place, error, more.data, "%s and %s are crossed",
                  of.data, name.data);
    RtBytes *all[] = {&of, &name, &one, &first, &second, &more};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) rt_bytes_free(all[i]);
    return false;
}

/* The first row whose group of `inner` was in another one of `outer` before; -1: it is nested. */
static int64_t first_crossing(const Frame *a, const Partition *outer, const Partition *inner) {
    for (int64_t row = 0; row < a->t.n_rows; row++)
        if (outer->of_row[inner->first[inner->of_row[row]]] != outer->of_row[row]) return row;
    return -1;
}

/* Has the column few levels, by text or by numbers from 0 on? */
static bool has_few_levels(const Frame *a, const Partition *p) {
    const int column = p->columns[0];
    if (rt_table_holds_text(&a->t, column)) return p->n <= FRAME_CROSSING;
    for (int64_t row = 0; row < a->t.n_rows; row++) {
        double x = -1;
        rt_cell_number(&a->t, rt_table_cell(&a->t, row, column), &x);
        if (!(x >= 0 && x < FRAME_CROSSING && x == floor(x))) return false;
    }
    return true;
}

/* A group that crosses others as a factor of the rows, if it can be one. */
static bool take_crossing(Frame *a, const Partition *p, bool *taken, RtError *error) {
    const FormulaGroup *g = &a->f->groups[p->group];
    const bool intercept = g->terms.n == 1 && !g->terms.at[0];
    *taken = g->n_columns == 1 && intercept && has_few_levels(a, p);
    if (!*taken) return true;
    const FormulaVar v = {.column = g->columns[0], .factor = true, .place = g->place};
    const int at = add_column(a, &v, error);
    if (at < 0 || !read_column(a, at, true, g->place, error)) return false;
    a->of_group[p->group] = -1;
    a->crossing[p->group] = at;
    return true;
}

/* Takes out of the n partitions those that cross larger ones; returns how many are left, -1 after
 * an error. */
static int take_crossings(Frame *a, Partition *parts, int n, RtError *error) {
    int left = 0;
    for (int i = 0; i < n; i++) {
        bool crosses = false, taken = false;
        for (int k = i + 1; k < n; k++) crosses |= first_crossing(a, &parts[i], &parts[k]) >= 0;
        if (crosses && !take_crossing(a, &parts[i], &taken, error)) return -1;
        if (!taken) parts[left++] = parts[i];
    }
    return left;
}

/* Is every group of `inner` within one of `outer`? */
static bool check_nested(const Frame *a, const Partition *outer, const Partition *inner,
                         RtError *error) {
    int64_t row = first_crossing(a, outer, inner);
    if (row >= 0) return crossed(a, outer, inner, inner->first[inner->of_row[row]], row, error);
    if (outer->n < inner->n) return true;
    RtBytes of = {0}, name = {0};
    group_name(a, outer, &of);
    group_name(a, inner, &name);
    formula_error(a->f, a->f->groups[inner->group].place, error,
                  "\n  their effects cannot be told apart: keep one of them",
                  "%s and %s are the same groups", of.data, name.data);
    rt_bytes_free(&of);
    rt_bytes_free(&name);
    return false;
}

static bool same_columns(const Frame *a, const Partition *p, const Partition *q) {
    int n = a->f->groups[p->group].n_columns, found = 0;
    if (n != a->f->groups[q->group].n_columns) return false;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++) found += p->columns[i] == q->columns[k];
    return found == n;
}

/* ---- plates ---- */

/* Sizes, and the numbers of instances in their parents. */
static void measure(Frame *a, FramePlate *p, const FramePlate *outer) {
    RtMem *mem = a->t.mem;
    int64_t parents = outer ? outer->n : 1, *counts = rt_alloc(mem, parents, sizeof *counts);
    bool *seen = rt_alloc(mem, p->n, sizeof *seen);
    p->number = rt_alloc(mem, p->n, sizeof *p->number);
    for (int64_t row = 0; row < a->t.n_rows; row++) {
        int64_t i = p->of_row[row];
        if (!seen[i]) p->number[i] = counts[outer ? outer->of_row[row] : 0]++;
        seen[i] = true;
    }
    p->least = p->most = counts[0];
    for (int64_t i = 1; i < parents; i++) {
        if (counts[i] < p->least) p->least = counts[i];
        if (counts[i] > p->most) p->most = counts[i];
    }
}

/* A plate inside the last one, or beside those that cross; column -1: of rows. */
static bool add_plate(Frame *a, int column, RtError *error) {
    if (a->n_plates == FRAME_PLATES) return rt_error(error, "formula: groups nested too deep");
    FramePlate *p = &a->plates[a->n_plates], *outer = a->n_plates && !a->crossed ? p - 1 : NULL;
    *p = (FramePlate){.column = column < 0 ? NULL : a->t.header[column], .n = a->t.n_rows};
    p->of_row = rt_alloc(a->t.mem, a->t.n_rows, sizeof *p->of_row);
    for (int64_t row = 0; row < a->t.n_rows; row++) p->of_row[row] = row;
    if (column >= 0 && !divide(a, outer ? outer->of_row : NULL, column, p->of_row, &p->n, error))
        return false;
    measure(a, p, outer);
    a->n_plates++;
    return true;
}

static bool has_plate(const Frame *a, int column) {
    for (int i = 0; i < a->n_plates; i++)
        if (a->plates[i].column == a->t.header[column]) return true;
    return false;
}

/* Has each pair of a group of the first and one of the second one row at most? */
static bool pairs_once(Frame *a, const Partition *first, const Partition *second, bool *once,
                       RtError *error) {
    int64_t n, *of_row = rt_alloc(a->t.mem, a->t.n_rows, sizeof *of_row);
    if (!divide(a, first->of_row, second->columns[0], of_row, &n, error)) return false;
    *once = n == a->t.n_rows;
    return true;
}

/* Two plates and their pairs, if the n groupings, in the formula's order, are two that cross so. */
static bool take_cross(Frame *a, const Partition *parts, int n, RtError *error) {
    const Partition *first = parts, *second = NULL;
    bool once = false;
    for (int i = 0; i < n; i++) {
        if (a->f->groups[parts[i].group].n_columns > 1) return true;
        if (same_columns(a, &parts[i], first)) continue;
        if (second && !same_columns(a, &parts[i], second)) return true;
        second = &parts[i];
    }
    if (!second || first_crossing(a, first, second) < 0 || first_crossing(a, second, first) < 0)
        return true;
    if (!pairs_once(a, first, second, &once, error)) return false;
    if (!once) return true;
    a->crossed = true;
    for (int i = 0; i < n; i++) a->of_group[parts[i].group] = !same_columns(a, &parts[i], first);
    return add_plate(a, first->columns[0], error) && add_plate(a, second->columns[0], error) &&
           add_plate(a, -1, error);
}

int frame_meet(const Frame *a, int p, int q) {
    bool beside = a->crossed && p != q && p != DATA_SET && q != DATA_SET;
    return beside ? a->n_plates - 1 : p > q ? p : q;
}

/* The fewest groups first; in the formula's order where these are as many. */
static void sort_partitions(Partition *parts, int n) {
    for (int i = 1; i < n; i++) {
        Partition p = parts[i];
        int at = i;
        for (; at > 0 && parts[at - 1].n > p.n; at--) parts[at] = parts[at - 1];
        parts[at] = p;
    }
}

static bool make_plates(Frame *a, RtError *error) {
    Partition parts[FORMULA_GROUPS];
    int n = a->f->n_groups;
    for (int g = 0; g < n; g++)
        if (!read_partition(a, g, &parts[g], error)) return false;
    if (!take_cross(a, parts, n, error)) return false;
    if (a->crossed) return true;
    sort_partitions(parts, n);
    if ((n = take_crossings(a, parts, n, error)) < 0) return false;
    for (int i = 0; i < n; i++) {
        bool again = i && same_columns(a, &parts[i - 1], &parts[i]);
        if (i && !again && !check_nested(a, &parts[i - 1], &parts[i], error)) return false;
        for (int k = 0; k < a->f->groups[parts[i].group].n_columns; k++)
            if (!has_plate(a, parts[i].columns[k]) && !add_plate(a, parts[i].columns[k], error))
                return false;
        a->of_group[parts[i].group] = a->n_plates - 1;
    }
    return add_plate(a, -1, error);
}

/* ---- what is known of the columns ---- */

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

Moments frame_moments(double *x, int64_t n) {
    Moments m = {.n = n};
    if (!n) return m;
    qsort(x, (size_t)n, sizeof *x, ascending);
    for (int64_t i = 0; i < n; i++) m.mean += x[i] / (double)n;
    for (int64_t i = 0; i < n; i++) m.sd += (x[i] - m.mean) * (x[i] - m.mean);
    m.sd = n > 1 ? sqrt(m.sd / (double)(n - 1)) : 0;
    m.median = (x[(n - 1) / 2] + x[n / 2]) / 2;
    m.least = x[0];
    m.most = x[n - 1];
    return m;
}

/* Is the column one number for each instance of plate p (DATA_SET: for all)? */
static bool is_constant(const Frame *a, const FrameColumn *c, int p) {
    int64_t n = p < 0 ? 1 : a->plates[p].n;
    double *seen = rt_alloc(a->t.mem, n, sizeof *seen);
    for (int64_t i = 0; i < n; i++) seen[i] = NAN;
    for (int64_t row = 0; row < a->t.n_rows; row++) {
        double *at = &seen[p < 0 ? 0 : a->plates[p].of_row[row]];
        if (!isnan(*at) && *at != c->x[row]) return false;
        *at = c->x[row];
    }
    return true;
}

/* Does it go up by equal steps with the rows of each group, as days 0, 1, 2, ... do? */
static void find_steps(const Frame *a, FrameColumn *c) {
    const FramePlate *rows = &a->plates[a->n_plates - 1];
    int64_t at[2] = {-1, -1};
    if (c->plate != a->n_plates - 1 || c->n_levels || a->n_plates < 2 || rows->least < 2) return;
    if (a->crossed) return; /* their rows have no order */
    for (int64_t row = a->t.n_rows; row-- > 0;)
        if (rows->number[row] < 2) at[rows->number[row]] = row;
    c->first = c->x[at[0]];
    c->step = c->x[at[1]] - c->first;
    c->by_index = true;
    for (int64_t row = 0; row < a->t.n_rows; row++)
        c->by_index &= fabs(c->x[row] - c->first - c->step * (double)rows->number[row]) <=
                       1e-9 * (fabs(c->x[row]) + fabs(c->step));
}

static void describe(const Frame *a, FrameColumn *c) {
    c->plate = c == &a->columns[a->outcome] ? a->n_plates - 1 : DATA_SET;
    while (c->plate < a->n_plates - 1 && !is_constant(a, c, c->plate)) c->plate++;
    double *x = rt_alloc(a->t.mem, a->t.n_rows, sizeof *x);
    const FramePlate *p = c->plate < 0 ? NULL : &a->plates[c->plate];
    bool *seen = rt_alloc(a->t.mem, a->t.n_rows, sizeof *seen);
    int64_t n = 0;
    for (int64_t row = 0; row < a->t.n_rows; row++) {
        int64_t i = p ? p->of_row[row] : 0;
        if (!seen[i] && !isnan(c->x[row])) x[n++] = c->x[row];
        seen[i] = true;
    }
    for (int64_t i = 0; i < n && c->n_levels; i++) c->shares[(int)x[i]] += 1 / (double)n;
    c->all = frame_moments(x, n);
    find_steps(a, c);
}

bool frame_read(RtMem *mem, const char *path, const RtBytes *bytes, Formula *f, Frame *a,
                RtError *error) {
    *a = (Frame){.f = f};
    if (!rt_table_read(mem, path, bytes, &a->t, error) || !read_columns(a, f, error) ||
        !make_plates(a, error))
        return false;
    for (int i = 0; i < a->n_columns; i++) describe(a, &a->columns[i]);
    return true;
}
