/* data.c -- reading data sets: by extension to the reader of the format; .bin and .npz here. See
 * data.h. */
#include "runtime/data.h"

#include <math.h>
#include <string.h>
#include <strings.h>

void rt_shape_text(const RtModel *m, const RtVar *v, const int64_t *sizes, RtBytes *out) {
    rt_bytes_printf(out, "%s", v->name);
    for (int i = 0; i < v->n_plates; i++)
        rt_bytes_printf(out, "%s%s = %lld", i ? ", " : "[", m->plates[v->plates[i]].name,
                        (long long)sizes[v->plates[i]]);
    for (int i = 0; i < v->n_dims; i++)
        rt_bytes_printf(out, "%s%lld", i || v->n_plates ? ", " : "[", (long long)v->dims[i]);
    if (v->n_plates + v->n_dims) rt_bytes_printf(out, "]");
}

void rt_element_name(const RtVar *v, const int64_t *sizes, int64_t flat, RtBytes *out) {
    int64_t extent[RT_MAX_PLATES + RT_MAX_DIMS], index[RT_MAX_PLATES + RT_MAX_DIMS];
    int n = 0;
    for (int i = 0; i < v->n_plates; i++) extent[n++] = sizes[v->plates[i]];
    for (int i = 0; i < v->n_dims; i++) extent[n++] = v->dims[i];
    for (int i = n; i-- > 0;) {
        index[i] = flat % extent[i];
        flat /= extent[i];
    }
    rt_bytes_printf(out, "%s", v->name);
    int brackets = v->kind == RT_DISCRETE ? n - 1 : n; /* the last is no position, but its value */
    for (int i = 0; i < brackets; i++)
        rt_bytes_printf(out, "%s%lld", i ? "," : "[", (long long)index[i]);
    if (brackets) rt_bytes_printf(out, "]");
    if (brackets < n) rt_bytes_printf(out, " = %lld", (long long)index[n - 1]);
}

/* The first number that is not finite, or of a covariate not allowed, is an error. */
static bool check_numbers(const RtModel *m, const RtVar *v, const char *file, const RtData *d,
                          RtError *error) {
    int64_t size = rt_var_size(v, d->sizes);
    const double *values = d->values[v - m->vars];
    for (int64_t i = 0; i < size * d->n_sets; i++) {
        char why[100];
        if (isfinite(values[i]) && rt_value_allowed(v, values[i], why)) continue;
        RtBytes name = {0};
        rt_element_name(v, d->sizes, i % size, &name);
        if (d->n_sets > 1) rt_bytes_printf(&name, " of data set %lld", (long long)(i / size));
        if (isfinite(values[i]))
            rt_error(error, "%s: %s is %g\n  expected  %s", file, name.data, values[i], why);
        else
            rt_error(error, "%s: %s is %s: this program needs a finite number in every cell", file,
                     name.data, isnan(values[i]) ? "NaN (missing)" : "infinite");
        rt_bytes_free(&name);
        return false;
    }
    return true;
}

const RtVar *rt_next_data(const RtModel *m, int *at) {
    while (*at < 2 * m->n_vars) {
        const RtVar *v = &m->vars[*at % m->n_vars];
        if (v->kind == ((*at)++ < m->n_vars ? RT_OBSERVED : RT_GIVEN)) return v;
    }
    return NULL;
}

bool rt_value_allowed(const RtVar *v, double x, char why[100]) {
    if (v->n_kinds && (x < 0 || x >= (double)v->n_kinds || x != floor(x)))
        snprintf(why, 100, "a whole number from 0 to %lld", (long long)v->n_kinds - 1);
    else if (v->whole && v->most >= 0 && (x < 0 || x > (double)v->most || x != floor(x)))
        snprintf(why, 100, "a whole number from 0 to %lld", (long long)v->most);
    else if (v->whole && (x < 0 || x != floor(x)))
        snprintf(why, 100, "a whole number from 0 on");
    else if (v->positive && !(x > 0))
        snprintf(why, 100, "a number above 0");
    else
        return true;
    return false;
}

bool rt_find_misfit(const RtVar *v, const RtModel *m, const RtData *d, int64_t *at, char why[160]) {
    if (!v->whole || (v->most_of < 0 && !v->sums)) return false;
    const RtVar *other = v->most_of < 0 ? NULL : &m->vars[v->most_of];
    const double *values = d->values[v - m->vars], *ends = other ? d->values[v->most_of] : NULL;
    int64_t size = rt_var_size(v, d->sizes), own = 1;     /* instances that share one end */
    int64_t row = v->n_dims ? v->dims[v->n_dims - 1] : 1; /* entries that have one sum */
    for (int i = other ? other->n_plates : v->n_plates; i < v->n_plates; i++)
        own *= d->sizes[v->plates[i]];
    double sum = 0;
    for (*at = 0; *at < size * d->n_sets; ++*at) {
        int64_t instance = *at / v->event / own, entry = *at % v->event;
        double end = (double)v->most;
        if (other) end = ends[instance * other->event + (other->event > 1 ? entry : 0)];
        sum = *at % row ? sum + values[*at] : values[*at];
        bool off = v->sums && *at % row == row - 1 && sum != end;
        if (!off && values[*at] <= end) continue;
        int n = off ? snprintf(why, 160, "numbers whose sum is %g, not %g", end, sum)
                    : snprintf(why, 160, "at most %g", end);
        if (other && n < 160)
            snprintf(why + n, (size_t)(160 - n), "%s which is %s there", off ? ":" : ",",
                     other->name);
        return true;
    }
    return false;
}

static bool check_ends(const RtModel *m, const char *file, const RtData *d, RtError *error) {
    int64_t at;
    char why[160];
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        if (!rt_is_data(v) || !rt_find_misfit(v, m, d, &at, why)) continue;
        RtBytes name = {0};
        rt_element_name(v, d->sizes, at % rt_var_size(v, d->sizes), &name);
        if (d->n_sets > 1)
            rt_bytes_printf(&name, " of data set %lld", (long long)(at / rt_var_size(v, d->sizes)));
        rt_error(error, "%s: %s is %g\n  expected  %s", file, name.data, d->values[i][at], why);
        rt_bytes_free(&name);
        return false;
    }
    return true;
}

static void start(RtMem *mem, const RtModel *m, const RtDataOptions *options, RtData *out) {
    *out = (RtData){.n_sets = 1};
    memcpy(out->sizes, options->sizes, sizeof out->sizes);
    out->values = rt_alloc(mem, m->n_vars, sizeof *out->values);
}

/* ---- .bin: float32, one variable after the other ---- */

static int64_t numbers_per_set(const RtModel *m, const int64_t *sizes) {
    int64_t total = 0;
    const RtVar *v;
    for (int at = 0; (v = rt_next_data(m, &at));) {
        int64_t n = rt_var_size(v, sizes);
        if (n < 0) return -1;
        total += n;
    }
    return total;
}

/* The outermost plate that --size left free and that something in the file depends on, or -1. */
static int free_plate(const RtModel *m, const RtDataOptions *options) {
    int best = -1;
    const RtVar *v;
    for (int at = 0; (v = rt_next_data(m, &at));)
        for (int i = 0; i < v->n_plates; i++) {
            int p = v->plates[i];
            if (options->given[p]) continue;
            if (best < 0 || m->plates[p].depth < m->plates[best].depth ||
                (m->plates[p].depth == m->plates[best].depth && p < best))
                best = p;
        }
    return best;
}

static bool wrong_length(const RtModel *m, const char *name, const RtBytes *bytes,
                         const RtDataOptions *options, int solved, int64_t per_set,
                         RtError *error) {
    RtBytes text = {0};
    int64_t sizes[RT_MAX_PLATES], found = (int64_t)bytes->n / 4, shown = 0;
    memcpy(sizes, options->sizes, sizeof sizes);
    rt_bytes_printf(&text, "%s: %zu bytes do not fit this model\n  expected  ", name, bytes->n);
    const RtVar *v;
    for (int at = 0; (v = rt_next_data(m, &at));) {
        if (shown++) rt_bytes_printf(&text, " then ");
        rt_shape_text(m, v, sizes, &text);
    }
    rt_bytes_printf(&text, " in float32: 4 x %lld = %lld bytes%s\n  found     %lld numbers%s\n",
                    (long long)per_set, (long long)(4 * per_set),
                    options->batch ? " per data set" : "", (long long)found,
                    bytes->n % 4 ? " and a broken one (the length is no multiple of 4)" : "");
    if (solved >= 0) {
        sizes[solved] = 1;
        int64_t one = numbers_per_set(m, sizes);
        sizes[solved] = 2;
        int64_t each = numbers_per_set(m, sizes) - one, fixed = one - each;
        int64_t n = each > 0 ? (found - fixed + each / 2) / each : 1;
        if (n < 1) n = 1;
        rt_bytes_printf(&text,
                        "  each instance of %s takes %lld numbers: the nearest that fits is %s = "
                        "%lld, with %lld bytes\n",
                        m->plates[solved].name, (long long)each, m->plates[solved].name,
                        (long long)n, (long long)(4 * (fixed + n * each)));
    }
    rt_bytes_printf(&text, "  state other sizes with --size PLATE=N%s",
                    options->batch ? "" : "; several data sets back to back need --batch");
    rt_error(error, "%s", text.data);
    rt_bytes_free(&text);
    return false;
}

/* A .bin file has no shape: a plate that was trained over a range must come with its size, unless
 * it is the one that the length is solved for. */
static bool sizes_known(const RtModel *m, const char *name, const RtDataOptions *options,
                        int solved, RtError *error) {
    const RtVar *v;
    for (int at = 0; (v = rt_next_data(m, &at));)
        for (int i = 0; i < v->n_plates; i++) {
            int p = v->plates[i];
            if (p == solved || options->given[p] || !options->ranged[p]) continue;
            return rt_error(error,
                            "%s: a .bin file does not say how many instances plate %s has, and "
                            "training covered a range\n  state it with --size %s=N",
                            name, m->plates[p].name, m->plates[p].name);
        }
    return true;
}

static double float_at(const RtBytes *bytes, int64_t at) {
    const unsigned char *p = (const unsigned char *)bytes->data + 4 * at;
    uint32_t bits = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

bool rt_data_bin(RtMem *mem, const RtModel *m, const char *name, const RtBytes *bytes,
                 const RtDataOptions *options, RtData *out, RtError *error) {
    start(mem, m, options, out);
    int64_t found = (int64_t)(bytes->n / 4), per_set = numbers_per_set(m, out->sizes);
    int solved = options->batch ? -1 : free_plate(m, options);
    if (!sizes_known(m, name, options, solved, error)) return false;
    if (per_set <= 0) return rt_error(error, "%s: the plates are too large", name);
    if (bytes->n % 4 || !found)
        return wrong_length(m, name, bytes, options, solved, per_set, error);
    if (options->batch) {
        if (found % per_set) return wrong_length(m, name, bytes, options, -1, per_set, error);
        out->n_sets = found / per_set;
    } else if (solved >= 0) {
        out->sizes[solved] = 1;
        int64_t one = numbers_per_set(m, out->sizes);
        out->sizes[solved] = 2;
        int64_t each = numbers_per_set(m, out->sizes) - one;
        if (each <= 0 || found < one || (found - one) % each)
            return wrong_length(m, name, bytes, options, solved, per_set, error);
        out->sizes[solved] = 1 + (found - one) / each;
        per_set = found;
    } else if (found != per_set) {
        return wrong_length(m, name, bytes, options, -1, per_set, error);
    }
    int64_t before = 0;
    const RtVar *v;
    for (int at = 0; (v = rt_next_data(m, &at));) {
        int64_t size = rt_var_size(v, out->sizes);
        double *to = rt_alloc(mem, out->n_sets * size, sizeof *to);
        for (int64_t s = 0; s < out->n_sets; s++)
            for (int64_t i = 0; i < size; i++)
                to[s * size + i] = float_at(bytes, s * per_set + before + i);
        out->values[v - m->vars] = to;
        before += size;
        if (!check_numbers(m, v, name, out, error)) return false;
    }
    return check_ends(m, name, out, error);
}

/* ---- .npz, .npy: arrays by name ---- */

static void array_shape(const RtArray *a, RtBytes *out) {
    rt_bytes_printf(out, "(");
    for (int i = 0; i < a->n_dims; i++)
        rt_bytes_printf(out, "%s%lld", i ? ", " : "", (long long)a->dims[i]);
    rt_bytes_printf(out, ")");
}

static bool wrong_shape(const RtModel *m, const RtVar *v, const char *name, const RtArray *a,
                        const int64_t *sizes, const char *why, RtError *error) {
    RtBytes want = {0}, got = {0};
    rt_shape_text(m, v, sizes, &want);
    array_shape(a, &got);
    rt_error(error,
             "%s: array %s has another shape than the model's\n  expected  %s (plate sizes may "
             "differ), or the "
             "same behind one axis of data sets\n  found     %s%s%s",
             name, v->name, want.data, got.data, why ? ": " : "", why ? why : "");
    rt_bytes_free(&want);
    rt_bytes_free(&got);
    return false;
}

/* Sizes of the variable's plates from the array; `fixed` plates keep theirs. */
static bool take_shape(const RtModel *m, const RtVar *v, const char *name, const RtArray *a,
                       bool *fixed, RtData *out, bool first, RtError *error) {
    int own = v->n_plates + v->n_dims, lead = a->n_dims - own;
    RtBytes why = {0};
    if (lead != 0 && lead != 1) return wrong_shape(m, v, name, a, out->sizes, NULL, error);
    int64_t sets = lead ? a->dims[0] : 1;
    if (!first && sets != out->n_sets)
        rt_bytes_printf(&why, "%lld data sets, but %lld in other arrays", (long long)sets,
                        (long long)out->n_sets);
    out->n_sets = sets;
    for (int i = 0; i < v->n_plates && !why.n; i++) {
        int p = v->plates[i];
        int64_t size = a->dims[lead + i];
        if (fixed[p] && out->sizes[p] != size)
            rt_bytes_printf(&why, "%lld instances of %s, but %lld stated before", (long long)size,
                            m->plates[p].name, (long long)out->sizes[p]);
        else if (size < 1)
            rt_bytes_printf(&why, "no instance of %s", m->plates[p].name);
        fixed[p] = true;
        out->sizes[p] = size;
    }
    for (int i = 0; i < v->n_dims && !why.n; i++)
        if (a->dims[lead + v->n_plates + i] != v->dims[i])
            rt_bytes_printf(&why, "the last axes are the event's");
    if (sets < 1 && !why.n) rt_bytes_printf(&why, "no data set");
    bool ok = !why.n || wrong_shape(m, v, name, a, out->sizes, why.data, error);
    rt_bytes_free(&why);
    return ok;
}

/* The file that holds the array of `v`, or -1. */
static int find_array(const RtVar *v, const RtZipFile *files, int n) {
    size_t length = strlen(v->name);
    for (int i = 0; i < n; i++)
        if (!strncmp(files[i].name, v->name, length) &&
            (!strcmp(files[i].name + length, ".npy") || !files[i].name[length]))
            return i;
    return -1;
}

/* Contexts that are there: one value for each data set, or one for all of them. */
static bool read_contexts(RtMem *mem, const RtModel *m, const char *name, const RtZipFile *files,
                          int n, RtData *out, RtError *error) {
    bool fixed[RT_MAX_PLATES] = {false};
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        int k = v->kind == RT_CONTEXT ? find_array(v, files, n) : -1;
        if (k < 0) continue;
        RtArray a;
        if (!rt_npy_read(mem, name, files[k].bytes, files[k].n, &a, error)) return false;
        bool one = a.n_dims == v->n_dims;
        RtData shape = *out;
        if (!take_shape(m, v, name, &a, fixed, &shape, one, error)) return false;
        out->values[i] = a.values;
        if (one) {
            out->values[i] = rt_alloc(mem, out->n_sets * v->event, sizeof(double));
            for (int64_t e = 0; e < out->n_sets * v->event; e++)
                out->values[i][e] = a.values[e % v->event];
        }
        if (!check_numbers(m, v, name, out, error)) return false;
    }
    return true;
}

static bool missing_array(const RtVar *v, const char *name, const RtZipFile *files, int n,
                          RtError *error) {
    RtBytes have = {0};
    for (int i = 0; i < n && i < 20; i++)
        rt_bytes_printf(&have, "%s%s", i ? ", " : "", files[i].name);
    rt_error(error, "%s: no array named %s\n  expected  %s.npy inside\n  found     %.800s", name,
             v->name, v->name, n ? have.data : "nothing");
    rt_bytes_free(&have);
    return false;
}

bool rt_data_npz(RtMem *mem, const RtModel *m, const char *name, const RtBytes *bytes,
                 const RtDataOptions *options, RtData *out, RtError *error) {
    start(mem, m, options, out);
    int n = 1, wanted = 0;
    RtZipFile single = {.bytes = (const unsigned char *)bytes->data, .n = bytes->n},
              *files = &single;
    bool lone = bytes->n > 6 && !memcmp(bytes->data, "\x93NUMPY", 6);
    bool fixed[RT_MAX_PLATES];
    memcpy(fixed, options->given, sizeof fixed);
    const RtVar *v;
    for (int at = 0; rt_next_data(m, &at);) wanted++;
    if (lone && wanted != 1)
        return rt_error(error,
                        "%s: one array, but a data set of this model has %d variables: use .npz",
                        name, wanted);
    if (!lone && !rt_zip_read(mem, name, bytes, &files, &n, error)) return false;
    for (int at = 0, first = 1; (v = rt_next_data(m, &at)); first = 0) {
        int k = lone ? 0 : find_array(v, files, n);
        if (k < 0) return missing_array(v, name, files, n, error);
        RtArray a;
        if (!rt_npy_read(mem, name, files[k].bytes, files[k].n, &a, error) ||
            !take_shape(m, v, name, &a, fixed, out, first, error))
            return false;
        out->values[v - m->vars] = a.values;
    }
    for (int at = 0; (v = rt_next_data(m, &at));)
        if (!check_numbers(m, v, name, out, error)) return false;
    if (!check_ends(m, name, out, error)) return false;
    return lone || read_contexts(mem, m, name, files, n, out, error);
}

/* ---- by extension ---- */

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), k = strlen(end);
    return n >= k && !strcasecmp(text + n - k, end);
}

bool rt_data_read(RtMem *mem, const RtModel *m, const char *path, const RtDataOptions *options,
                  RtData *out, RtError *error) {
    RtBytes bytes = {0};
    bool ok = false;
    bool text = ends_with(path, ".csv") || ends_with(path, ".tsv") || ends_with(path, ".txt") ||
                ends_with(path, ".csv.gz") || ends_with(path, ".tsv.gz");
    bool arrays = ends_with(path, ".npz") || ends_with(path, ".npy");
    if (!text && !arrays && !ends_with(path, ".bin"))
        return rt_error(error,
                        "%s: not a known kind of data file\n  expected  .csv, .tsv (also .gz), "
                        ".npz, .npy or .bin",
                        path);
    if (!rt_read_file(path, &bytes, error)) return false;
    if (text)
        ok = rt_gunzip(path, &bytes, error) &&
             rt_data_csv(mem, m, path, &bytes, options, out, error);
    else if (arrays)
        ok = rt_data_npz(mem, m, path, &bytes, options, out, error);
    else
        ok = rt_data_bin(mem, m, path, &bytes, options, out, error);
    rt_bytes_free(
        &bytes); /* readers keep numbers and copies of labels, never pointers into the bytes */
    return ok;
}
