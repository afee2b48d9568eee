/* data_json.c -- data in cmdstan's convention: one JSON object, arrays by the names of variables.
 *
 *     {"J": 2, "y": [[1.5, 2], [3, 4]], "scale": 50}
 *
 * Arrays are nested row-major, plates outermost to innermost, then the event; a context is a number
 * or an array of its shape. Their shapes say the sizes of plates. NaN, Infinity and -Infinity may
 * stand where numbers do, also as strings, and null for NaN: data.c says which of them a variable
 * may hold. What the model does not read may be any JSON. Positions in messages are
 * FILE:LINE:COLUMN, both counted from 1, columns in bytes. */
#include "runtime/data.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

enum { MOST_DIMS = sizeof((RtArray *)0)->dims / sizeof(int64_t) };

typedef struct Scan {
    RtMem *mem;
    const char *file, *start, *at, *end;
    const char *name; /* of the array being read */
    RtArray *array;
    RtBytes values;         /* of it, as doubles */
    bool closed[MOST_DIMS]; /* its extent on this level is known */
    bool flat;              /* numbers stand on level n_dims */
    RtError *error;
} Scan;

/* "FILE:LINE:COLUMN: what", at `at`. */
static bool fail(const Scan *s, const char *at, const char *what) {
    long long line = 1, column = 1;
    for (const char *c = s->start; c < at; c++) {
        column = *c == '\n' ? 1 : column + 1;
        line += *c == '\n';
    }
    return rt_error(s->error, "%s:%lld:%lld: %.900s", s->file, line, column, what);
}

static void skip_blanks(Scan *s) {
    while (s->at < s->end && isspace((unsigned char)*s->at)) s->at++;
}

static bool next_is(Scan *s, char c) {
    skip_blanks(s);
    if (s->at == s->end || *s->at != c) return false;
    s->at++;
    return true;
}

/* A string, without its quotes, escapes as they are. */
static bool read_string(Scan *s, const char **text, size_t *n) {
    const char *open = s->at;
    if (!next_is(s, '"')) return fail(s, s->at, "not JSON\n  expected  a name in quotes");
    *text = s->at;
    for (; s->at < s->end && *s->at != '"'; s->at++)
        if (*s->at == '\\' && s->at + 1 < s->end) s->at++;
    *n = (size_t)(s->at - *text);
    return next_is(s, '"') || fail(s, open, "a quote stays open");
}

/* ---- what the model does not read ---- */

/* Any value, by its brackets. */
static bool skip_value(Scan *s) {
    skip_blanks(s);
    const char *open = s->at, *text;
    size_t n;
    int64_t depth = 0;
    for (;;) {
        skip_blanks(s);
        if (s->at == s->end) return fail(s, open, "not JSON: the value has no end");
        char c = *s->at;
        if (c == '"') {
            if (!read_string(s, &text, &n)) return false;
        } else if (strchr("[{", c)) {
            depth++, s->at++;
        } else if (strchr("]}", c)) {
            if (--depth < 0) return fail(s, s->at, "not JSON: a bracket too many");
            s->at++;
        } else if (strchr(",:", c)) {
            if (!depth) return fail(s, s->at, "not JSON\n  expected  a value");
            s->at++;
            continue;
        } else {
            while (s->at < s->end && !strchr(",:]}[{\" \t\r\n", *s->at)) s->at++;
        }
        if (!depth) return true;
    }
}

/* ---- numbers ---- */

static bool special_number(const char *text, size_t n, double *out) {
    static const struct {
        const char *text;
        double value;
    } known[] = {{"NaN", NAN},        {"null", NAN},           {"Infinity", INFINITY},
                 {"Inf", INFINITY},   {"+Inf", INFINITY},      {"+Infinity", INFINITY},
                 {"-Inf", -INFINITY}, {"-Infinity", -INFINITY}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i].text) == n && !memcmp(known[i].text, text, n)) {
            *out = known[i].value;
            return true;
        }
    return false;
}

static bool read_number(Scan *s, double *out) {
    const char *start = s->at, *text = s->at;
    size_t n;
    bool quoted = *s->at == '"';
    if (quoted) {
        if (!read_string(s, &text, &n)) return false;
    } else {
        while (s->at < s->end && (isalnum((unsigned char)*s->at) || strchr("+-.", *s->at))) s->at++;
        n = (size_t)(s->at - start);
    }
    if (special_number(text, n, out)) return true;
    if (!quoted && n && strspn(text, "+-.eE0123456789") >= n && rt_parse_number(text, n, out))
        return true;
    RtBytes what = {0};
    if (!n) text = start, n = 1;
    rt_bytes_printf(&what,
                    "%s where %s needs a number\n  expected  a number such as 3.25%s\n  "
                    "found     %.*s",
                    quoted ? "text" : "something else", s->name,
                    s->array->n_dims ? ", or arrays of them" : "", n > 40 ? 40 : (int)n, text);
    fail(s, start, what.data);
    rt_bytes_free(&what);
    return false;
}

/* ---- arrays ---- */

static bool uneven(const Scan *s, const char *at, int level, int64_t extent) {
    RtBytes what = {0};
    rt_bytes_printf(&what,
                    "arrays of unequal size within %s\n  expected  %lld entries, as before on this "
                    "level\n  found     %lld\n  this program needs equal groups: leave some "
                    "entries out",
                    s->name, (long long)s->array->dims[level], (long long)extent);
    fail(s, at, what.data);
    rt_bytes_free(&what);
    return false;
}

static bool read_level(Scan *s, int level);

/* The entries of an array behind its bracket, which stands at `open`. */
static bool read_entries(Scan *s, int level, const char *open) {
    RtArray *a = s->array;
    int64_t extent = 0;
    if (level == MOST_DIMS) return fail(s, open, "arrays nested deeper than any variable's");
    if (a->n_dims == level) {
        if (s->flat) return fail(s, open, "an array where others of its level are numbers");
        a->n_dims = level + 1;
    }
    if (!next_is(s, ']')) {
        do {
            if (!read_level(s, level + 1)) return false;
            extent++;
        } while (next_is(s, ','));
        if (!next_is(s, ']')) return fail(s, s->at, "not JSON\n  expected  , or ]");
    }
    if (s->closed[level] && a->dims[level] != extent) return uneven(s, open, level, extent);
    s->closed[level] = true;
    a->dims[level] = extent;
    return true;
}

/* An array or a number that stands within `level` arrays. */
static bool read_level(Scan *s, int level) {
    skip_blanks(s);
    if (s->at == s->end) return fail(s, s->at, "not JSON: the value has no end");
    const char *open = s->at;
    if (next_is(s, '[')) return read_entries(s, level, open);
    double x;
    if (!read_number(s, &x)) return false;
    if (level != s->array->n_dims) return fail(s, open, "a number where others are arrays");
    s->flat = true;
    rt_bytes_add(&s->values, &x, sizeof x);
    return true;
}

static bool read_array(Scan *s, const char *name, RtArray *array) {
    *array = (RtArray){.name = name};
    s->name = name;
    s->array = array;
    s->values.n = 0;
    s->flat = false;
    memset(s->closed, 0, sizeof s->closed);
    if (!read_level(s, 0)) return false;
    int64_t count = (int64_t)(s->values.n / sizeof(double));
    array->values = rt_alloc(s->mem, count + 1, sizeof(double));
    if (count) memcpy(array->values, s->values.data, s->values.n);
    return true;
}

/* ---- the object ---- */

/* One `"name": value` into the arrays, if the model reads it; else its name into `unread`. */
static bool read_member(Scan *s, const RtModel *m, RtArray *arrays, int *n, RtBytes *unread) {
    skip_blanks(s);
    const char *text, *at = s->at;
    size_t length;
    if (!read_string(s, &text, &length)) return false;
    const char *name = rt_copy_text(s->mem, text, length);
    if (!next_is(s, ':')) return fail(s, s->at, "not JSON\n  expected  : behind a name");
    for (int i = 0; i < *n; i++)
        if (!strcmp(arrays[i].name, name)) return fail(s, at, "the name occurs twice");
    const RtVar *v = rt_var(m, name);
    if (v && rt_is_given(v)) return read_array(s, v->name, &arrays[(*n)++]);
    if (unread->n < 200) rt_bytes_printf(unread, "%s%.60s", unread->n ? ", " : "", name);
    return skip_value(s);
}

bool rt_json_read(RtMem *mem, const RtModel *m, const char *name, const RtBytes *bytes,
                  RtArray **arrays, int *n, char **unread, RtError *error) {
    const char *start = bytes->n ? bytes->data : "";
    Scan s = {.mem = mem,
              .file = name,
              .start = start,
              .at = start,
              .end = start + bytes->n,
              .error = error};
    RtBytes names = {0};
    bool ok = true;
    *arrays = rt_alloc(mem, m->n_vars + 1, sizeof **arrays);
    *n = 0;
    if (bytes->n >= 3 && !memcmp(s.at, "\xef\xbb\xbf", 3)) s.at += 3; /* byte order mark */
    if (!next_is(&s, '{')) return fail(&s, s.at, "not JSON\n  expected  { \"name\": values, ... }");
    if (!next_is(&s, '}')) {
        do ok = read_member(&s, m, *arrays, n, &names);
        while (ok && next_is(&s, ','));
        if (ok && !next_is(&s, '}')) ok = fail(&s, s.at, "not JSON\n  expected  , or }");
    }
    skip_blanks(&s);
    if (ok && s.at < s.end) ok = fail(&s, s.at, "text behind the end of the data");
    *unread = ok && names.n ? rt_copy_text(mem, names.data, names.n) : NULL;
    rt_bytes_free(&s.values);
    rt_bytes_free(&names);
    return ok;
}
