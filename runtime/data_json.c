/* data_json.c -- data in cmdstan's convention: one JSON object, arrays by the names of variables.
 *
 *     {"J": 2, "y": [[1.5, 2], [3, 4]], "scale": 50}
 *
 * Arrays are nested row-major, plates outermost to innermost, then the event; a context is a number
 * or an array of its shape. Their shapes say the sizes of plates. In a ragged plate arrays may be
 * of unequal size; or all its instances stand in one array, and how many each parent has in one
 * called PLATE.count, as in .npz files. The first way becomes the second here. NaN, Infinity and
 * -Infinity may stand where numbers do, also as strings, and null for NaN: data.c says which of
 * them a variable may hold. What the model does not read may be any JSON. Positions in messages are
 * FILE:LINE:COLUMN, both counted from 1, columns in bytes. */
#include "runtime/data.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

enum { MOST_DIMS = sizeof((RtArray *)0)->dims / sizeof(int64_t) };

typedef struct Scan {
    RtMem *mem;
    const RtModel *m;
    const char *file, *start, *at, *end;
    const char *name; /* of the array being read */
    RtArray *array;
    RtBytes values;             /* of it, as doubles */
    RtBytes extents[MOST_DIMS]; /* of the arrays on each level, in their order, as doubles */
    const char *odd[MOST_DIMS]; /* the first on this level that has not as many as those before */
    bool flat;                  /* numbers stand on level n_dims */
    RtArray *arrays;            /* those that were read */
    int n_arrays;
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
    if (!s->extents[level].n) a->dims[level] = extent;
    if (a->dims[level] != extent && !s->odd[level]) s->odd[level] = open;
    double counted = (double)extent;
    rt_bytes_add(&s->extents[level], &counted, sizeof counted);
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

static double *copy_numbers(RtMem *mem, const RtBytes *numbers, int64_t *n) {
    *n = (int64_t)(numbers->n / sizeof(double));
    double *copy = rt_alloc(mem, *n + 1, sizeof *copy);
    if (*n) memcpy(copy, numbers->data, numbers->n);
    return copy;
}

/* Reads into *array; `name` lives in `mem`. */
static bool read_array(Scan *s, const char *name, RtArray *array) {
    *array = (RtArray){.name = name};
    s->name = name;
    s->array = array;
    s->values.n = 0;
    s->flat = false;
    for (int i = 0; i < MOST_DIMS; i++) s->extents[i].n = 0, s->odd[i] = NULL;
    if (!read_level(s, 0)) return false;
    array->values = copy_numbers(s->mem, &s->values, &(int64_t){0});
    return true;
}

/* ---- groups of unequal size ---- */

/* Arrays on a level differ in size, and may not. */
static bool unequal(const Scan *s, const RtVar *v, int level) {
    const double *extents = (const double *)(const void *)s->extents[level].data;
    size_t n = s->extents[level].n / sizeof *extents, odd = 0;
    double most = 0;
    for (size_t i = 0; i < n; i++) most = fmax(most, extents[i]);
    while (extents[odd] == extents[0]) odd++;
    RtBytes what = {0};
    rt_bytes_printf(&what,
                    "arrays of unequal size within %s\n  expected  %g entries, as before on this "
                    "level\n  found     %g",
                    s->name, extents[0], extents[odd]);
    bool sets = v && s->array->n_dims > v->n_plates + v->n_dims;
    const RtPlate *plate = v && level - sets >= 0 && level - sets < v->n_plates
                               ? &s->m->plates[v->plates[level - sets]]
                               : NULL;
    if (plate && plate->ragged)
        rt_bytes_printf(&what,
                        "\n  several data sets have groups of the same sizes: give all "
                        "instances of %s one axis, and how many each %s has as \"%s.count\"",
                        plate->name, s->m->plates[plate->parent].name, plate->name);
    else if (plate && plate->across >= 0)
        rt_bytes_printf(&what,
                        "\n  every %s has an entry for each %s, null where the pair is absent",
                        s->m->plates[plate->parent].name, s->m->plates[plate->across].name);
    else if (plate && plate->parent >= 0)
        rt_bytes_printf(&what,
                        "\n  this model has equal groups: look for entries that are missing, or "
                        "give plate %s a range of sizes in the model, plate %s(1..%g), and train "
                        "again",
                        plate->name, plate->name, most);
    fail(s, s->odd[level], what.data);
    rt_bytes_free(&what);
    return false;
}

/* How many instances a ragged plate has in each parent: once, or twice the same. */
static bool add_count(Scan *s, const char *at, RtArray count) {
    for (int i = 0; i < s->n_arrays; i++) {
        const RtArray *a = &s->arrays[i];
        if (strcmp(a->name, count.name)) continue;
        int64_t n = rt_product(a->dims, a->n_dims);
        if (n == rt_product(count.dims, count.n_dims) &&
            !memcmp(a->values, count.values, (size_t)n * sizeof *count.values))
            return true;
        RtBytes what = {0};
        rt_bytes_printf(&what,
                        "%s is not what was said before of %.*s\n  expected  groups of the same "
                        "sizes in all arrays, and as %s says",
                        s->name, (int)(strlen(count.name) - strlen(".count")), count.name,
                        count.name);
        fail(s, at, what.data);
        rt_bytes_free(&what);
        return false;
    }
    s->arrays[s->n_arrays++] = count;
    return true;
}

/* An array whose plates are nested, some of unequal size, as one with an axis for all instances of
 * the innermost of these, and counts for it and the ragged ones around. */
static bool lay_side_by_side(Scan *s, const RtVar *v, const char *at) {
    RtArray *a = s->array;
    int cut = -1;
    for (int level = 0; level < a->n_dims; level++) {
        if (!s->odd[level]) continue;
        bool may = v && a->n_dims == v->n_plates + v->n_dims && level < v->n_plates &&
                   s->m->plates[v->plates[level]].ragged;
        if (!may) return unequal(s, v, level);
        cut = level;
    }
    if (cut < 0) return true;
    int64_t all = 1;
    for (int level = 0; level <= cut; level++) {
        const RtPlate *plate = &s->m->plates[v->plates[level]];
        RtArray count = {.name = rt_printf(s->mem, "%s.count", plate->name), .n_dims = 1};
        count.values = copy_numbers(s->mem, &s->extents[level], count.dims);
        all = 0;
        for (int64_t k = 0; k < count.dims[0]; k++) all += (int64_t)count.values[k];
        if (plate->ragged && !add_count(s, at, count)) return false;
    }
    a->dims[0] = all;
    for (int level = cut + 1; level < a->n_dims; level++) a->dims[level - cut] = a->dims[level];
    a->n_dims -= cut;
    return true;
}

/* ---- the object ---- */

/* Is it the name of counts of a ragged plate? */
static bool names_count(const RtModel *m, const char *name) {
    for (int i = 0; i < m->n_plates; i++) {
        size_t n = strlen(m->plates[i].name);
        if (m->plates[i].ragged && !strncmp(name, m->plates[i].name, n) &&
            !strcmp(name + n, ".count"))
            return true;
    }
    return false;
}

/* One `"name": value` into the arrays, if the model reads it; else its name into `unread`. */
static bool read_member(Scan *s, RtBytes *unread) {
    skip_blanks(s);
    const char *text, *at = s->at;
    size_t length;
    if (!read_string(s, &text, &length)) return false;
    const char *name = rt_copy_text(s->mem, text, length);
    bool count = names_count(s->m, name);
    if (!next_is(s, ':')) return fail(s, s->at, "not JSON\n  expected  : behind a name");
    for (int i = 0; i < s->n_arrays; i++)
        if (!count && !strcmp(s->arrays[i].name, name)) return fail(s, at, "the name occurs twice");
    const RtVar *v = rt_var(s->m, name);
    RtArray array;
    if (count)
        return read_array(s, name, &array) && lay_side_by_side(s, NULL, at) &&
               add_count(s, at, array);
    if (v && rt_is_given(v)) {
        if (!read_array(s, v->name, &array) || !lay_side_by_side(s, v, at)) return false;
        s->arrays[s->n_arrays++] = array;
        return true;
    }
    if (unread->n < 200) rt_bytes_printf(unread, "%s%.60s", unread->n ? ", " : "", name);
    return skip_value(s);
}

bool rt_json_read(RtMem *mem, const RtModel *m, const char *name, const RtBytes *bytes,
                  RtArray **arrays, int *n, char **unread, RtError *error) {
    const char *start = bytes->n ? bytes->data : "";
    Scan s = {.mem = mem,
              .m = m,
              .file = name,
              .start = start,
              .at = start,
              .end = start + bytes->n,
              .error = error};
    RtBytes names = {0};
    bool ok = true;
    s.arrays = rt_alloc(mem, m->n_vars + m->n_plates + 1, sizeof *s.arrays);
    if (bytes->n >= 3 && !memcmp(s.at, "\xef\xbb\xbf", 3)) s.at += 3; /* byte order mark */
    if (!next_is(&s, '{')) return fail(&s, s.at, "not JSON\n  expected  { \"name\": values, ... }");
    if (!next_is(&s, '}')) {
        do ok = read_member(&s, &names);
        while (ok && next_is(&s, ','));
        if (ok && !next_is(&s, '}')) ok = fail(&s, s.at, "not JSON\n  expected  , or }");
    }
    skip_blanks(&s);
    if (ok && s.at < s.end) ok = fail(&s, s.at, "text behind the end of the data");
    *unread = ok && names.n ? rt_copy_text(mem, names.data, names.n) : NULL;
    *arrays = s.arrays;
    *n = s.n_arrays;
    rt_bytes_free(&s.values);
    for (int i = 0; i < MOST_DIMS; i++) rt_bytes_free(&s.extents[i]);
    rt_bytes_free(&names);
    return ok;
}
