/* table.c -- text to cells, names to columns, cells to numbers. See table.h. */
#include "runtime/table.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

/* ---- texts to numbers of their own ---- */

RtIndex rt_index_new(RtMem *mem, int64_t most) {
    RtIndex x = {.n_slots = 16};
    while (x.n_slots < 2 * most) x.n_slots *= 2;
    x.slots = rt_alloc(mem, x.n_slots, sizeof *x.slots);
    x.parents = rt_alloc(mem, most, sizeof *x.parents);
    x.keys = rt_alloc(mem, most, sizeof *x.keys);
    return x;
}

static uint64_t hash_key(int64_t parent, RtCell key) {
    uint64_t h = 1469598103934665603u ^ (uint64_t)parent * 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < key.n; i++) h = (h ^ (unsigned char)key.text[i]) * 1099511628211u;
    return h ^ h >> 29;
}

/* Open hashing: the slot that holds the key's number + 1, or 0 where it would stand. */
static int64_t *find_slot(const RtIndex *x, int64_t parent, RtCell key) {
    for (uint64_t at = hash_key(parent, key);; at++) {
        int64_t *slot = &x->slots[at & (uint64_t)(x->n_slots - 1)];
        if (!*slot || (x->parents[*slot - 1] == parent && rt_cell_equal(&x->keys[*slot - 1], &key)))
            return slot;
    }
}

int64_t rt_index_add(RtIndex *x, int64_t parent, RtCell key, bool *fresh) {
    int64_t *slot = find_slot(x, parent, key);
    *fresh = !*slot;
    if (*fresh) {
        x->parents[x->n] = parent;
        x->keys[x->n] = key;
        *slot = ++x->n;
    }
    return *slot - 1;
}

int64_t rt_index_find(const RtIndex *x, int64_t parent, RtCell key) {
    return *find_slot(x, parent, key) - 1;
}

/* ---- text to cells ---- */

/* A text on the way to being a table. */
typedef struct Scan {
    char *at, *end;
    char *rest;   /* from here on there are line ends alone */
    int64_t line; /* of `at` */
    RtTable *t;
    RtError *error;
} Scan;

static bool ends_line(const char *s, const char *end) {
    return s == end || *s == '\n' || *s == '\r';
}

/* Of the header. Commas within brackets are those of names such as x[0,1]. */
static char find_separator(const char *text, const char *end) {
    int tabs = 0, semicolons = 0, commas = 0;
    bool quoted = false, bracket = false;
    for (; text < end && (quoted || !ends_line(text, end)); text++) {
        if (*text == '"') quoted = !quoted;
        if (quoted) continue;
        bracket = *text == '[' || (bracket && *text != ']');
        tabs += *text == '\t';
        semicolons += *text == ';';
        commas += *text == ',' && !bracket;
    }
    if (tabs && tabs >= semicolons && tabs >= commas) return '\t';
    return semicolons && semicolons >= commas ? ';' : ',';
}

static void end_line(Scan *s) {
    if (s->at < s->end && *s->at == '\r') ++s->at;
    if (s->at < s->end && *s->at == '\n') ++s->at;
    s->line++;
}

static bool is_blank(const Scan *s, char c) {
    return c == ' ' || (c == '\t' && s->t->separator != '\t');
}

/* The text of a quoted cell, unquoted in place; `s->at` stands behind the first quote. False: it
 * stays open. */
static bool read_quoted(Scan *s, RtCell *cell) {
    char *to = cell->text = s->at;
    for (;; s->at++) {
        if (s->at == s->end) return false;
        if (*s->at == '"' && !(s->at + 1 < s->end && s->at[1] == '"')) break;
        if (*s->at == '"') s->at++;
        if (*s->at == '\n' || (*s->at == '\r' && !(s->at + 1 < s->end && s->at[1] == '\n')))
            s->line++;
        *to++ = *s->at;
    }
    cell->n = (size_t)(to - cell->text);
    s->at++;
    return true;
}

/* One cell from s->at on; leaves it at the separator or the line's end. */
static bool read_cell(Scan *s, int64_t line, int column, RtCell *cell) {
    while (s->at < s->end && is_blank(s, *s->at)) s->at++;
    if (s->at < s->end && *s->at == '"') {
        s->at++;
        if (!read_quoted(s, cell))
            return rt_error(s->error,
                            "%s:%lld:%d: a quote stays open\n  expected  \" at the end "
                            "of the cell, and \"\" for a quote within it",
                            s->t->name, (long long)line, column + 1);
        while (s->at < s->end && is_blank(s, *s->at)) s->at++;
        if (ends_line(s->at, s->end) || *s->at == s->t->separator) return true;
        return rt_error(s->error,
                        "%s:%lld:%d: text behind a quoted cell\n  expected  a separator, or \"\" "
                        "for a quote within the cell\n  found     %.*s",
                        s->t->name, (long long)line, column + 1,
                        (int)(s->end - s->at > 20 ? 20 : s->end - s->at), s->at);
    }
    cell->text = s->at;
    while (!ends_line(s->at, s->end) && *s->at != s->t->separator) s->at++;
    char *to = s->at;
    while (to > cell->text && (to[-1] == ' ' || to[-1] == '\t')) to--;
    cell->n = (size_t)(to - cell->text);
    return true;
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

static RtCell trimmed(RtCell c) {
    while (c.n && isspace((unsigned char)*c.text)) c.text++, c.n--;
    while (c.n && isspace((unsigned char)c.text[c.n - 1])) c.n--;
    return c;
}

static bool add_name(RtTable *t, RtCell c, RtError *error) {
    bool fresh = true;
    int64_t number = c.n ? rt_index_add(&t->columns, 0, c, &fresh) : 0;
    if (!fresh)
        return rt_error(
            error,
            "%s:1:%d: two columns are called %.*s\n  expected  a name once\n  found     "
            "it in columns %d and %d\n  rename one of them",
            t->name, t->n_columns + 1, c.n > 60 ? 60 : (int)c.n, c.text, t->column_of[number] + 1,
            t->n_columns + 1);
    if (c.n) t->column_of[number] = t->n_columns;
    t->header[t->n_columns++] = rt_copy_text(t->mem, c.text, c.n);
    return true;
}

static bool read_header(Scan *s) {
    RtTable *t = s->t;
    int64_t rows, cells;
    char *stop = s->at;
    while (!ends_line(stop, s->end)) stop++;
    count(s->at, stop, t->separator, &rows, &cells);
    if (cells > 1 << 20) return rt_error(s->error, "%s:1: too many columns", t->name);
    t->header = rt_alloc(t->mem, cells, sizeof *t->header);
    t->column_of = rt_alloc(t->mem, cells, sizeof *t->column_of);
    t->columns = rt_index_new(t->mem, cells);
    for (int64_t line = s->line;;) {
        RtCell c;
        if (!read_cell(s, line, t->n_columns, &c)) return false;
        if (t->n_columns == cells)
            return rt_error(s->error, "%s:1:%d: the header goes on in line 2", t->name,
                            t->n_columns + 1);
        if (!add_name(t, trimmed(c), s->error)) return false;
        if (s->at == s->end || *s->at != t->separator) break;
        ++s->at;
    }
    end_line(s);
    return true;
}

/* Empty lines are no rows; but in a table of one column an empty line before others is a missing
 * cell. */
static bool is_no_row(const Scan *s) {
    return s->t->n_columns > 1 ? ends_line(s->at, s->end) : s->at >= s->rest;
}

static bool read_row(Scan *s) {
    RtTable *t = s->t;
    RtCell *row = t->cells + t->n_rows * t->n_columns;
    int64_t first = s->line;
    int n = 0;
    for (;; s->at++) {
        RtCell c;
        if (!read_cell(s, first, n, &c)) return false;
        if (n < t->n_columns) row[n] = c;
        n++;
        if (s->at == s->end || *s->at != t->separator) break;
    }
    if (n != t->n_columns)
        return rt_error(s->error,
                        "%s:%lld: the row has %d cell%s\n  expected  %d, as the header has\n  "
                        "found     %d\n  a cell that holds %s is written in quotes",
                        t->name, (long long)first, n, n == 1 ? "" : "s", t->n_columns, n,
                        t->separator == ';'    ? "a semicolon"
                        : t->separator == '\t' ? "a tab"
                                               : "a comma");
    t->line[t->n_rows++] = first;
    return true;
}

/* Spreadsheets leave rows of empty cells at the end. */
static void drop_empty_rows(RtTable *t) {
    for (; t->n_rows && t->n_columns > 1; t->n_rows--)
        for (int c = 0; c < t->n_columns; c++)
            if (rt_table_cell(t, t->n_rows - 1, c)->n) return;
}

/* Is it text in an encoding that is read here? */
static bool check_encoding(const RtTable *t, const RtBytes *bytes, RtError *error) {
    bool wide = bytes->n >= 2 &&
                (!memcmp(bytes->data, "\xff\xfe", 2) || !memcmp(bytes->data, "\xfe\xff", 2));
    if (!wide && (!bytes->n || !memchr(bytes->data, 0, bytes->n))) return true;
    if (bytes->n >= 2 && !memcmp(bytes->data, "PK", 2))
        return rt_error(error,
                        "%s: not a text file, but a workbook or another archive\n  save the "
                        "sheet as CSV (UTF-8)",
                        t->name);
    return rt_error(error, "%s: not text in UTF-8%s\n  save it as CSV (UTF-8)", t->name,
                    wide ? ", but in UTF-16" : ": it holds bytes that are 0");
}

bool rt_table_read(RtMem *mem, const char *name, const RtBytes *bytes, RtTable *t, RtError *error) {
    *t = (RtTable){.mem = mem, .name = name};
    if (!check_encoding(t, bytes, error)) return false;
    char *text = rt_alloc(mem, (int64_t)bytes->n + 1, 1);
    if (bytes->n) memcpy(text, bytes->data, bytes->n);
    Scan s = {.at = text, .end = text + bytes->n, .line = 1, .t = t, .error = error};
    for (s.rest = s.end; s.rest > text && (s.rest[-1] == '\n' || s.rest[-1] == '\r');) s.rest--;
    if (bytes->n >= 3 && !memcmp(s.at, "\xef\xbb\xbf", 3)) s.at += 3; /* byte order mark */
    if (s.end - s.at >= 5 && !strncasecmp(s.at, "sep=", 4) && ends_line(s.at + 5, s.end)) {
        t->separator = s.at[4];
        s.at += 5;
        end_line(&s);
    } else {
        t->separator = find_separator(s.at, s.end);
    }
    int64_t rows, cells;
    count(s.at, s.end, t->separator, &rows, &cells);
    if (!read_header(&s)) return false;
    t->cells = rt_alloc(mem, cells + t->n_columns, sizeof *t->cells);
    t->line = rt_alloc(mem, rows, sizeof *t->line);
    for (; s.at < s.end; end_line(&s))
        if (!is_no_row(&s) && !read_row(&s)) return false;
    drop_empty_rows(t);
    if (!t->n_rows) return rt_error(error, "%s: no row of data below the header", name);
    return true;
}

/* ---- names to columns ---- */

/* From column `from` on: differing from the name in case at most, and not taken. */
static int next_alike(const RtTable *t, const char *name, const bool *taken, int from) {
    for (int c = from; c < t->n_columns; c++)
        if ((!taken || !taken[c]) && !strcasecmp(t->header[c], name)) return c;
    return RT_NO_COLUMN;
}

int rt_table_column(const RtTable *t, const char *name, const bool *taken) {
    RtCell key = {(char *)(uintptr_t)name, strlen(name)};
    int64_t exact = rt_index_find(&t->columns, 0, key);
    if (exact >= 0) return t->column_of[exact];
    int alike = next_alike(t, name, taken, 0);
    if (alike >= 0 && next_alike(t, name, taken, alike + 1) >= 0) return RT_SEVERAL_COLUMNS;
    return alike;
}

int rt_table_why_none(const RtTable *t, const char *name, const bool *taken, const char *expected,
                      RtBytes *what, RtBytes *more) {
    int first = next_alike(t, name, taken, 0);
    int second = first < 0 ? first : next_alike(t, name, taken, first + 1);
    if (second >= 0) {
        rt_bytes_printf(what, "two columns that differ from %.60s in case alone", name);
        rt_bytes_printf(more,
                        "\n  expected  one of them, or one called exactly %.60s\n  found     %.60s "
                        "(column %d) and %.60s (column %d)",
                        name, t->header[first], first + 1, t->header[second], second + 1);
        return second;
    }
    const char *near = rt_nearest(name, t->header, t->n_columns);
    RtBytes have = {0};
    for (int c = 0; c < t->n_columns; c++)
        rt_bytes_printf(&have, "%s%s", c ? ", " : "", t->header[c]);
    rt_bytes_printf(what, "no column named %.60s", name);
    if (expected) rt_bytes_printf(more, "\n  expected  %s", expected);
    rt_bytes_printf(more, "\n  found     %.500s", have.data);
    if (near && *near) rt_bytes_printf(more, "\n  did you mean %.60s?", near);
    rt_bytes_free(&have);
    return RT_NO_COLUMN;
}

bool rt_table_no_column(const RtTable *t, const char *name, const bool *taken, const char *expected,
                        RtError *error) {
    RtBytes what = {0}, more = {0};
    int column = rt_table_why_none(t, name, taken, expected, &what, &more);
    if (column >= 0)
        rt_error(error, "%s:1:%d: %s%s", t->name, column + 1, what.data, more.data);
    else
        rt_error(error, "%s:1: %s%s", t->name, what.data, more.data);
    rt_bytes_free(&what);
    rt_bytes_free(&more);
    return false;
}

/* ---- cells to numbers ---- */

bool rt_cell_missing(const RtCell *c) {
    return !c->n || (c->n == 2 && !memcmp(c->text, "NA", 2)) ||
           (c->n == 3 && !strncasecmp(c->text, "nan", 3));
}

RtNotation rt_cell_number(const RtTable *t, const RtCell *c, double *out) {
    const char *comma = t->separator == ';' ? memchr(c->text, ',', c->n) : NULL;
    if (!comma) {
        if (!rt_parse_number(c->text, c->n, out)) return RT_NO_NUMBER;
        return memchr(c->text, '.', c->n) ? RT_POINT : RT_PLAIN;
    }
    char copy[64];
    if (c->n >= sizeof copy || memchr(c->text, '.', c->n)) return RT_NO_NUMBER;
    memcpy(copy, c->text, c->n);
    copy[comma - c->text] = '.';
    return rt_parse_number(copy, c->n, out) ? RT_COMMA : RT_NO_NUMBER;
}

bool rt_table_holds_text(const RtTable *t, int column) {
    double x;
    for (int64_t row = 0; row < t->n_rows; row++) {
        const RtCell *c = rt_table_cell(t, row, column);
        if (!rt_cell_missing(c) && rt_cell_number(t, c, &x) == RT_NO_NUMBER) return true;
    }
    return false;
}

/* In one file a decimal sign is a point or a comma: of 1,234 beside 2.5 none can say what it is. */
static bool same_sign(RtTable *t, int64_t row, int column, RtNotation notation, RtError *error) {
    int own = notation == RT_COMMA, other = !own;
    const RtCell *c = rt_table_cell(t, row, column);
    if (!t->sign[own]) t->sign[own] = c, t->sign_line[own] = t->line[row];
    if (!t->sign[other]) return true;
    return rt_error(error,
                    "%s:%lld:%d: a decimal %s, but a decimal %s in row %lld\n  expected  one of "
                    "them in the whole file\n  found     %.*s and %.*s\n  write numbers without "
                    "signs between thousands",
                    t->name, (long long)t->line[row], column + 1, own ? "comma" : "point",
                    own ? "point" : "comma", (long long)t->sign_line[other], (int)t->sign[other]->n,
                    t->sign[other]->text, (int)c->n, c->text);
}

bool rt_table_number(RtTable *t, int64_t row, int column, const char *name, double most,
                     double *out, RtError *error) {
    const RtCell *c = rt_table_cell(t, row, column);
    long long line = t->line[row];
    int shown = c->n > 40 ? 40 : (int)c->n;
    RtNotation notation = rt_cell_number(t, c, out);
    if (notation == RT_NO_NUMBER)
        return rt_error(error,
                        "%s:%lld:%d: text where %s needs a number\n  expected  a number such as "
                        "3.25\n  found     \"%.*s\"%s",
                        t->name, line, column + 1, name, shown, c->text, rt_cell_advice(c));
    if (notation != RT_PLAIN && !same_sign(t, row, column, notation, error)) return false;
    if (isinf(*out))
        return rt_error(error,
                        "%s:%lld:%d: a value of %s is infinite\n  expected  a finite number\n  "
                        "found     %.*s",
                        t->name, line, column + 1, name, shown, c->text);
    if (fabs(*out) <= most) return true;
    return rt_error(error,
                    "%s:%lld:%d: %s is out of range\n  expected  %g at most, either side of 0: "
                    "programs hold numbers in float\n  found     %.*s",
                    t->name, line, column + 1, name, most, shown, c->text);
}

/* The length of a run of digits or letters at *text, which moves behind it. */
static size_t run(const char **text, const char *end, int (*is)(int)) {
    const char *start = *text;
    while (*text < end && is((unsigned char)**text)) ++*text;
    return (size_t)(*text - start);
}

/* 2024-01-05, 1/5/2024, 5.1.2024, 5-Jan, Jan-05, 5 January 2024: two or three parts, digits or the
 * name of a month, with the same sign between them. */
static bool is_date(const RtCell *c) {
    static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    const char *at = c->text, *end = c->text + c->n;
    char sign = 0;
    int parts = 0, names = 0;
    for (;; at++) {
        const char *part = at;
        if (run(&at, end, isdigit) == 0) {
            bool month = false;
            if (run(&at, end, isalpha) < 3 || names++) return false;
            for (const char *m = months; *m; m += 3) month |= !strncasecmp(m, part, 3);
            if (!month) return false;
        } else if (at - part > 4) {
            return false;
        }
        parts++;
        if (at == end) break;
        if (!strchr("-/. ", *at) || (sign && *at != sign)) /* then a time of the day, perhaps */
            return parts == 3 && (*at == ' ' || *at == 'T');
        sign = *at;
    }
    return parts == 3 || (parts == 2 && names);
}

const char *rt_cell_advice(const RtCell *c) {
    const char *comma = memchr(c->text, ',', c->n), *point = memchr(c->text, '.', c->n);
    if (is_date(c))
        return "\n  it looks like a date: spreadsheets make dates of what was typed as 1-2 or 1.5; "
               "format the column as numbers, and enter it again";
    if (c->n && c->text[c->n - 1] == '%') return "\n  write percentages as numbers, without a sign";
    if (comma && point) return "\n  write numbers without signs between thousands";
    if (comma)
        return "\n  decimals are written with a point; a decimal comma needs semicolons between "
               "the cells";
    return "";
}
