/* data.c -- reading data sets: by extension to the reader of the format; .bin, and arrays by name,
 * here. See data.h. */
#include "runtime/data.h"

#include <float.h>
#include <math.h>
#include <string.h>

void rt_shape_text(const RtModel *m, const RtVar *v, const RtSizes *sizes, RtBytes *out) {
    rt_bytes_printf(out, "%s", v->name);
    for (int i = 0; i < v->n_plates; i++) {
        int plate = v->plates[i];
        bool even = rt_sizes_even(m, sizes, plate);
        rt_bytes_printf(out, "%s%s = %lld%s", i ? ", " : "[", m->plates[rt_counts(m, plate)].name,
                        (long long)(even ? sizes->n[plate] : rt_instances(m, sizes, plate)),
                        even ? "" : " in all");
    }
    for (int i = 0; i < v->n_dims; i++)
        rt_bytes_printf(out, "%s%lld", i || v->n_plates ? ", " : "[", (long long)v->dims[i]);
    if (v->n_plates + v->n_dims) rt_bytes_printf(out, "]");
}

void rt_element_name(const RtVar *v, const RtSizes *sizes, int64_t flat, RtBytes *out) {
    int64_t index[RT_MAX_PLATES + RT_MAX_DIMS];
    int n = v->n_plates + v->n_dims;
    for (int i = v->n_dims; i-- > 0;) {
        index[v->n_plates + i] = flat % v->dims[i];
        flat /= v->dims[i];
    }
    rt_var_place(v, sizes, flat, index, NULL);
    rt_bytes_printf(out, "%s", v->name);
    int brackets = v->kind == RT_DISCRETE ? n - 1 : n; /* the last is no position, but its value */
    for (int i = 0; i < brackets; i++)
        rt_bytes_printf(out, "%s%lld", i ? "," : "[", (long long)index[i]);
    if (brackets) rt_bytes_printf(out, "]");
    if (brackets < n) rt_bytes_printf(out, " = %lld", (long long)index[n - 1]);
}

/* The first number that is not finite, or of a covariate not allowed, is an error. */
static bool check_numbers(const RtModel *m, const RtVar *v, const char *file, const RtData *d,
                          const RtDataOptions *options, RtError *error) {
    int64_t size = rt_var_size(v, &d->sizes);
    const double *values = d->values[v - m->vars];
    for (int64_t i = 0; i < size * d->n_sets; i++) {
        char why[100];
        if (rt_value_fits(m, v, values[i], why)) continue;
        if (isnan(values[i]) && rt_may_lack(v, options)) continue;
        RtBytes name = {0};
        rt_element_name(v, &d->sizes, i % size, &name);
        if (d->n_sets > 1) rt_bytes_printf(&name, " of data set %lld", (long long)(i / size));
        if (isfinite(values[i])) {
            rt_error(error, "%s: %s is %g\n  expected  %s", file, name.data, values[i], why);
        } else if (isnan(values[i])) {
            RtBytes where = {0};
            rt_bytes_printf(&where, "%s: %s", file, name.data);
            rt_refuse_missing(v, where.data, "NaN", error);
            rt_bytes_free(&where);
        } else {
            rt_error(error, "%s: %s is infinite: this program needs a finite number in every cell",
                     file, name.data);
        }
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

bool rt_value_fits(const RtModel *m, const RtVar *v, double x, char why[100]) {
    double held = m->f64 ? x : (double)(float)x;
    if (!isfinite(x)) {
        snprintf(why, 100, "a finite number");
        return false;
    }
    if (!rt_value_allowed(v, x, why)) return false;
    if (!m->f64 && fabs(x) > FLT_MAX)
        snprintf(why, 100, "%g at most, either side of 0: this program holds numbers in float",
                 (double)FLT_MAX);
    else if (!rt_value_allowed(v, held, why))
        snprintf(why + strlen(why), 100 - strlen(why), ", also in float, in which it is %g", held);
    else
        return true;
    return false;
}

int64_t rt_instance_around(const RtVar *v, const RtVar *outer, const int64_t *index,
                           const int64_t *among) {
    const int at = outer->n_plates - 1;
    if (at < 0) return 0;
    return outer->plates[at] == v->plates[at] ? among[at] : index[v->n_plates - 1];
}

bool rt_find_misfit(const RtVar *v, const RtModel *m, const RtData *d, int64_t *at, char why[160]) {
    if (!v->whole || (v->most_of < 0 && !v->sums)) return false;
    const RtVar *other = v->most_of < 0 ? NULL : &m->vars[v->most_of];
    const double *values = d->values[v - m->vars], *ends = other ? d->values[v->most_of] : NULL;
    int64_t size = rt_var_size(v, &d->sizes);
    int64_t others = other ? rt_var_instances(other, &d->sizes) : 0;
    int64_t row = v->n_dims ? v->dims[v->n_dims - 1] : 1; /* entries that have one sum */
    double sum = 0;
    for (*at = 0; *at < size * d->n_sets; ++*at) {
        int64_t entry = *at % v->event, index[RT_MAX_PLATES], among[RT_MAX_PLATES];
        double end = (double)v->most;
        if (other) {
            int64_t instance = *at / size * others; /* that of the plates that both stand in */
            rt_var_place(v, &d->sizes, *at % size / v->event, index, among);
            instance += rt_instance_around(v, other, index, among);
            end = ends[instance * other->event + (other->event > 1 ? entry : 0)];
        }
        sum = *at % row ? sum + values[*at] : values[*at];
        bool off = v->sums && *at % row == row - 1 && sum != end;
        if (isnan(sum) || (!off && values[*at] <= end)) continue; /* NaN: missing */
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
        rt_element_name(v, &d->sizes, at % rt_var_size(v, &d->sizes), &name);
        if (d->n_sets > 1)
            rt_bytes_printf(&name, " of data set %lld",
                            (long long)(at / rt_var_size(v, &d->sizes)));
        rt_error(error, "%s: %s is %g\n  expected  %s", file, name.data, d->values[i][at], why);
        rt_bytes_free(&name);
        return false;
    }
    return true;
}

static void start(RtMem *mem, const RtModel *m, const RtDataOptions *options, RtData *out) {
    *out = (RtData){.n_sets = 1};
    out->sizes = options->sizes;
    out->values = rt_alloc(mem, m->n_vars, sizeof *out->values);
}

/* ---- .bin: float32, one variable after the other ---- */

static int64_t numbers_per_set(const RtModel *m, const RtSizes *sizes) {
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
            int p = rt_counts(m, v->plates[i]);
            if (options->given[p]) continue;
            if (best < 0 || m->plates[p].depth < m->plates[best].depth ||
                (m->plates[p].depth == m->plates[best].depth && p < best))
                best = p;
        }
    return best;
}

/* With so many instances of one plate. */
static int64_t numbers_at(RtMem *mem, const RtModel *m, RtSizes *sizes, int plate, int64_t n) {
    sizes->n[plate] = n;
    rt_sizes_balance(mem, m, sizes);
    return numbers_per_set(m, sizes);
}

static bool wrong_length(RtMem *mem, const RtModel *m, const char *name, const RtBytes *bytes,
                         const RtDataOptions *options, int solved, int64_t per_set,
                         RtError *error) {
    RtBytes text = {0};
    RtSizes sizes = options->sizes;
    int64_t found = (int64_t)bytes->n / 4, shown = 0;
    rt_bytes_printf(&text, "%s: %zu bytes do not fit this model\n  expected  ", name, bytes->n);
    const RtVar *v;
    for (int at = 0; (v = rt_next_data(m, &at));) {
        if (shown++) rt_bytes_printf(&text, " then ");
        rt_shape_text(m, v, &sizes, &text);
    }
    rt_bytes_printf(&text, " in float32: 4 x %lld = %lld bytes%s\n  found     %lld numbers%s\n",
                    (long long)per_set, (long long)(4 * per_set),
                    options->batch ? " per data set" : "", (long long)found,
                    bytes->n % 4 ? " and a broken one (the length is no multiple of 4)" : "");
    if (solved >= 0) {
        int64_t one = numbers_at(mem, m, &sizes, solved, 1);
        int64_t each = numbers_at(mem, m, &sizes, solved, 2) - one, fixed = one - each;
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
            int p = rt_counts(m, v->plates[i]);
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
    int64_t found = (int64_t)(bytes->n / 4), per_set = numbers_per_set(m, &out->sizes);
    int solved = options->batch ? -1 : free_plate(m, options);
    if (!sizes_known(m, name, options, solved, error)) return false;
    if (per_set <= 0) return rt_error(error, "%s: the plates are too large", name);
    if (bytes->n % 4 || !found)
        return wrong_length(mem, m, name, bytes, options, solved, per_set, error);
    if (options->batch) {
        if (found % per_set) return wrong_length(mem, m, name, bytes, options, -1, per_set, error);
        out->n_sets = found / per_set;
    } else if (solved >= 0) {
        int64_t one = numbers_at(mem, m, &out->sizes, solved, 1);
        int64_t each = numbers_at(mem, m, &out->sizes, solved, 2) - one;
        if (each <= 0 || found < one || (found - one) % each)
            return wrong_length(mem, m, name, bytes, options, solved, per_set, error);
        numbers_at(mem, m, &out->sizes, solved, 1 + (found - one) / each);
        per_set = found;
    } else if (found != per_set) {
        return wrong_length(mem, m, name, bytes, options, -1, per_set, error);
    }
    int64_t before = 0;
    const RtVar *v;
    for (int at = 0; (v = rt_next_data(m, &at));) {
        int64_t size = rt_var_size(v, &out->sizes);
        double *to = rt_alloc(mem, out->n_sets * size, sizeof *to);
        for (int64_t s = 0; s < out->n_sets; s++)
            for (int64_t i = 0; i < size; i++)
                to[s * size + i] = float_at(bytes, s * per_set + before + i);
        out->values[v - m->vars] = to;
        before += size;
        if (!check_numbers(m, v, name, out, options, error)) return false;
    }
    return check_ends(m, name, out, error) && rt_data_presence(mem, m, name, out, error);
}

/* ---- arrays by name: .npz, .npy, .json ---- */

static void array_shape(const RtArray *a, RtBytes *out) {
    rt_bytes_printf(out, "(");
    for (int i = 0; i < a->n_dims; i++)
        rt_bytes_printf(out, "%s%lld", i ? ", " : "", (long long)a->dims[i]);
    rt_bytes_printf(out, ")");
}

static bool wrong_shape(const RtModel *m, const RtVar *v, const char *name, const RtArray *a,
                        const RtSizes *sizes, const char *why, RtError *error) {
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

/* A file of arrays by name: .npz, a single .npy, or .json. */
typedef struct Arrays {
    const char *file, *ending; /* ending: of an array's name inside */
    int n;
    bool lone;
    const RtZipFile *files;
    const RtArray *read; /* .json: all are there; else NULL */
} Arrays;

typedef struct Taking {
    RtMem *mem;
    const RtModel *m;
    const char *name;
    const Arrays *arrays;
    const RtDataOptions *options;
    bool fixed[RT_MAX_PLATES];   /* plates whose size is known */
    bool counted[RT_MAX_PLATES]; /* ragged plates of which the file says how they are cut */
    RtData *out;
    RtError *error;
} Taking;

/* Behind the axes of data sets that there may be, the first plate with an axis of its own: what
 * lies in a plate that is cut has one axis for all its instances. Where it is cut evenly, there may
 * be an axis for each plate instead. */
static int first_axis(const Taking *t, const RtVar *v, const RtArray *a) {
    int cut = 0, uneven = 0;
    for (int i = 0; i < v->n_plates; i++) {
        if (!t->counted[v->plates[i]]) continue;
        cut = i;
        if (!rt_sizes_even(t->m, &t->out->sizes, v->plates[i])) uneven = i;
    }
    if (cut == uneven) return cut;
    int lead = a->n_dims - (v->n_plates - cut + v->n_dims);
    bool fits = (lead == 0 || lead == 1) &&
                a->dims[lead] == rt_instances(t->m, &t->out->sizes, v->plates[cut]);
    return fits ? cut : uneven;
}

/* Sizes of the variable's plates from the array; those that are known keep theirs. */
static bool take_shape(Taking *t, const RtVar *v, const RtArray *a, bool first) {
    const RtModel *m = t->m;
    RtData *out = t->out;
    const RtSizes before = out->sizes; /* which agree with each other, for the message */
    int from = first_axis(t, v, a);
    int own = v->n_plates - from + v->n_dims, lead = a->n_dims - own;
    RtBytes why = {0};
    if (lead != 0 && lead != 1) return wrong_shape(m, v, t->name, a, &before, NULL, t->error);
    int64_t sets = lead ? a->dims[0] : 1;
    if (!first && sets != out->n_sets)
        rt_bytes_printf(&why, "%lld data sets, but %lld in other arrays", (long long)sets,
                        (long long)out->n_sets);
    out->n_sets = sets;
    for (int i = from; i < v->n_plates && !why.n; i++) {
        int p = rt_counts(m, v->plates[i]);
        int64_t size = a->dims[lead + i - from], known = out->sizes.n[p];
        if (t->counted[p] && i == from) known = rt_instances(m, &out->sizes, p);
        if (t->fixed[p] && known != size)
            rt_bytes_printf(&why, "%lld instances of %s, but %lld stated before", (long long)size,
                            m->plates[p].name, (long long)known);
        else if (size < 1)
            rt_bytes_printf(&why, "no instance of %s", m->plates[p].name);
        t->fixed[p] = true;
        if (!t->counted[p]) out->sizes.n[p] = size;
    }
    for (int i = 0; i < v->n_dims && !why.n; i++)
        if (a->dims[lead + v->n_plates - from + i] != v->dims[i])
            rt_bytes_printf(&why, "the last axes are the event's");
    if (sets < 1 && !why.n) rt_bytes_printf(&why, "no data set");
    if (!why.n) rt_sizes_keep_even(t->mem, m, &out->sizes, t->counted);
    bool ok = !why.n || wrong_shape(m, v, t->name, a, &before, why.data, t->error);
    rt_bytes_free(&why);
    return ok;
}

static const char *array_name(const Arrays *a, int i) {
    return a->read ? a->read[i].name : a->files[i].name;
}

/* The array of that name, or -1. */
static int find_array(const char *wanted, const Arrays *a) {
    size_t length = strlen(wanted);
    for (int i = 0; i < a->n; i++) {
        const char *name = array_name(a, i);
        if (!strncmp(name, wanted, length) && (!strcmp(name + length, a->ending) || !name[length]))
            return i;
    }
    return -1;
}

static bool open_array(RtMem *mem, const Arrays *a, int i, RtArray *out, RtError *error) {
    if (!a->read) return rt_npy_read(mem, a->file, a->files[i].bytes, a->files[i].n, out, error);
    *out = a->read[i];
    return true;
}

/* Numbers that are counts, all of them; n >= 0. NULL with the reason. */
static int64_t *read_counts(Taking *t, const char *name, const RtArray *a, int64_t n) {
    int64_t *count = rt_alloc(t->mem, n + 1, sizeof *count), all = 0;
    for (int64_t at = 0; at < n; at++) {
        if (!(a->values[at] >= 0 && a->values[at] <= 1 << 28) ||
            a->values[at] != (double)(int64_t)a->values[at]) {
            rt_error(t->error, "%s: number %lld of array %s is %g: expected a count", t->name,
                     (long long)at, name, a->values[at]);
            return NULL;
        }
        count[at] = (int64_t)a->values[at];
        all += count[at];
    }
    if (all) return count;
    rt_error(t->error, "%s: array %s counts no instance", t->name, name);
    return NULL;
}

/* The size of the outermost plate around, from how many instances `parent` has in all: what lies
 * between has the sizes that are known. */
static void solve_outermost(Taking *t, int parent, int64_t n) {
    const RtModel *m = t->m;
    int64_t each = 1;
    int top = parent;
    for (; !m->plates[top].ragged && m->plates[top].parent >= 0; top = m->plates[top].parent)
        each *= t->out->sizes.n[top];
    if (t->fixed[top] || m->plates[top].ragged || each < 1 || n < each || n % each) return;
    t->out->sizes.n[top] = n / each;
    rt_sizes_keep_even(t->mem, m, &t->out->sizes, t->counted);
}

/* Cuts a ragged plate as its array says. */
static bool take_count(Taking *t, int plate, const char *name, const RtArray *a) {
    const RtModel *m = t->m;
    RtSizes *sizes = &t->out->sizes;
    int parent = m->plates[plate].parent;
    int64_t n = rt_product(a->dims, a->n_dims), stated = sizes->n[plate];
    solve_outermost(t, parent, n);
    if (n != rt_instances(m, sizes, parent))
        return rt_error(t->error,
                        "%s: array %s has %lld numbers\n  expected  %lld: how many instances of "
                        "%s each instance of %s has\n  state other sizes of the plates around "
                        "with --size PLATE=N",
                        t->name, name, (long long)n, (long long)rt_instances(m, sizes, parent),
                        m->plates[plate].name, m->plates[parent].name);
    const int64_t *count = read_counts(t, name, a, n);
    if (!count) return false;
    for (int64_t k = 0; k < n; k++)
        if (t->fixed[plate] && count[k] != stated)
            return rt_error(t->error, "%s: number %lld of array %s is %lld, but --size says %lld",
                            t->name, (long long)k, name, (long long)count[k], (long long)stated);
    rt_sizes_cut(t->mem, m, sizes, plate, count);
    t->counted[plate] = true;
    for (int p = plate; p >= 0; p = m->plates[p].parent) t->fixed[p] = true;
    rt_sizes_keep_even(t->mem, m, sizes, t->counted);
    return true;
}

/* "PLATE.count": how many instances of a ragged plate each of its parent has, in order. */
static bool take_counts(Taking *t) {
    const RtModel *m = t->m;
    for (int i = 0; i < m->n_plates; i++) {
        const char *array = rt_printf(t->mem, "%s.count", m->plates[i].name);
        int k = m->plates[i].ragged ? find_array(array, t->arrays) : -1;
        if (k < 0) continue;
        RtArray a;
        if (!open_array(t->mem, t->arrays, k, &a, t->error) || !take_count(t, i, array, &a))
            return false;
    }
    return true;
}

/* Contexts that are there: one value for each data set, or one for all of them. */
static bool read_contexts(Taking *t) {
    const RtModel *m = t->m;
    RtData *out = t->out;
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        int k = v->kind == RT_CONTEXT ? find_array(v->name, t->arrays) : -1;
        if (k < 0) continue;
        RtArray a;
        if (!open_array(t->mem, t->arrays, k, &a, t->error)) return false;
        bool one = a.n_dims == v->n_dims;
        RtData shape = *out;
        Taking own = *t;
        own.out = &shape;
        if (!take_shape(&own, v, &a, one)) return false;
        out->values[i] = a.values;
        if (one) {
            out->values[i] = rt_alloc(t->mem, out->n_sets * v->event, sizeof(double));
            for (int64_t e = 0; e < out->n_sets * v->event; e++)
                out->values[i][e] = a.values[e % v->event];
        }
        if (!check_numbers(m, v, t->name, out, t->options, t->error)) return false;
    }
    return true;
}

static bool missing_array(const RtVar *v, const Arrays *a, RtError *error) {
    RtBytes have = {0};
    const char *names[20] = {0};
    int n = a->n < 20 ? a->n : 20;
    for (int i = 0; i < n; i++) {
        names[i] = array_name(a, i);
        rt_bytes_printf(&have, "%s%s", i ? ", " : "", names[i]);
    }
    const char *near = rt_nearest(v->name, names, n);
    rt_error(error, "%s: no array named %s\n  expected  %s%s inside\n  found     %.800s%s%.60s%s",
             a->file, v->name, v->name, a->ending, n ? have.data : "nothing",
             near ? "\n  did you mean " : "", near ? near : "", near ? "?" : "");
    rt_bytes_free(&have);
    return false;
}

/* Sizes and values from the arrays of all variables. */
static bool take_arrays(RtMem *mem, const RtModel *m, const Arrays *arrays,
                        const RtDataOptions *options, RtData *out, RtError *error) {
    Taking t = {.mem = mem,
                .m = m,
                .name = arrays->file,
                .arrays = arrays,
                .options = options,
                .out = out,
                .error = error};
    memcpy(t.fixed, options->given, sizeof t.fixed);
    if (!arrays->lone && !take_counts(&t)) return false;
    const RtVar *v;
    for (int at = 0, first = 1; (v = rt_next_data(m, &at));) {
        int k = arrays->lone ? 0 : find_array(v->name, arrays);
        if (k < 0 && v->kind == RT_OBSERVED && options->outcomes_optional) continue;
        if (k < 0) return missing_array(v, arrays, error);
        RtArray a;
        if (!open_array(mem, arrays, k, &a, error) || !take_shape(&t, v, &a, first)) return false;
        out->values[v - m->vars] = a.values;
        first = 0;
    }
    for (int at = 0; (v = rt_next_data(m, &at));) {
        if (!out->values[v - m->vars]) out->values[v - m->vars] = rt_data_absent(mem, v, out);
        if (!check_numbers(m, v, arrays->file, out, options, error)) return false;
    }
    if (!check_ends(m, arrays->file, out, error) ||
        !rt_data_presence(mem, m, arrays->file, out, error))
        return false;
    return arrays->lone || read_contexts(&t);
}

bool rt_data_npz(RtMem *mem, const RtModel *m, const char *name, const RtBytes *bytes,
                 const RtDataOptions *options, RtData *out, RtError *error) {
    start(mem, m, options, out);
    int wanted = 0;
    RtZipFile single = {.bytes = (const unsigned char *)bytes->data, .n = bytes->n}, *files;
    Arrays arrays = {.file = name, .ending = ".npy", .n = 1, .files = &single};
    arrays.lone = bytes->n > 6 && !memcmp(bytes->data, "\x93NUMPY", 6);
    for (int at = 0; rt_next_data(m, &at);) wanted++;
    if (arrays.lone && wanted != 1)
        return rt_error(error,
                        "%s: one array, but a data set of this model has %d variables: use .npz",
                        name, wanted);
    if (!arrays.lone) {
        if (!rt_zip_read(mem, name, bytes, &files, &arrays.n, error)) return false;
        arrays.files = files;
    }
    return take_arrays(mem, m, &arrays, options, out, error);
}

bool rt_data_json(RtMem *mem, const RtModel *m, const char *name, const RtBytes *bytes,
                  const RtDataOptions *options, RtData *out, RtError *error) {
    start(mem, m, options, out);
    RtArray *read;
    Arrays arrays = {.file = name, .ending = ""};
    if (!rt_json_read(mem, m, name, bytes, &read, &arrays.n, &out->unread, error)) return false;
    arrays.read = read;
    return take_arrays(mem, m, &arrays, options, out, error);
}

/* Is a plate not even, or one in it? */
static bool uneven_within(const RtModel *m, const RtSizes *sizes, int plate) {
    bool uneven = !rt_sizes_even(m, sizes, plate);
    for (int i = plate + 1; i < m->n_plates && !uneven; i++)
        uneven = m->plates[i].parent == plate && uneven_within(m, sizes, i);
    return uneven;
}

bool rt_npz_counts(RtMem *mem, const RtModel *m, const RtSizes *sizes, RtBytes *archive,
                   RtBytes *directory, RtError *error) {
    bool ok = true;
    for (int i = 0; ok && i < m->n_plates; i++) {
        if (!m->plates[i].ragged || !uneven_within(m, sizes, i)) continue;
        int64_t n = rt_instances(m, sizes, m->plates[i].parent);
        double *count = rt_alloc(mem, n, sizeof *count);
        for (int64_t k = 0; k < n; k++)
            count[k] = (double)(sizes->first[i][k + 1] - sizes->first[i][k]);
        RtBytes file = {0};
        rt_npy_write(&file, count, true, &n, 1);
        ok = rt_zip_add(archive, directory, rt_printf(mem, "%s.count.npy", m->plates[i].name),
                        &file, error);
        rt_bytes_free(&file);
    }
    return ok;
}

/* ---- by extension ---- */

RtFileKind rt_file_kind(const char *path) {
    static const struct {
        const char *ending;
        RtFileKind kind;
        bool packed; /* also .gz */
    } kinds[] = {{".csv", RT_TABLE, true}, {".tsv", RT_TABLE, true},   {".txt", RT_TABLE, true},
                 {".json", RT_JSON, true}, {".npz", RT_ARRAYS, false}, {".npy", RT_ARRAYS, false},
                 {".bin", RT_BIN, false}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char packed[16];
        snprintf(packed, sizeof packed, "%s.gz", kinds[i].ending);
        if (rt_ends_with(path, kinds[i].ending) || (kinds[i].packed && rt_ends_with(path, packed)))
            return kinds[i].kind;
    }
    return RT_NO_DATA;
}

bool rt_data_read(RtMem *mem, const RtModel *m, const char *path, const RtDataOptions *options,
                  RtData *out, RtError *error) {
    RtBytes bytes = {0};
    bool ok = false;
    const RtFileKind kind = rt_file_kind(path);
    if (kind == RT_NO_DATA)
        return rt_error(error,
                        "%s: not a known kind of data file\n  expected  .csv, .tsv, .json (also "
                        ".gz), .npz, .npy or .bin",
                        path);
    if (!rt_read_file(path, &bytes, error)) return false;
    if (kind == RT_TABLE || kind == RT_JSON)
        ok = rt_gunzip(path, &bytes, error) && (kind == RT_TABLE ? rt_data_csv : rt_data_json)(
                                                   mem, m, path, &bytes, options, out, error);
    else
        ok = (kind == RT_ARRAYS ? rt_data_npz : rt_data_bin)(mem, m, path, &bytes, options, out,
                                                             error);
    if (ok && out->unread)
        fprintf(stderr, "warning: %s: the model reads nothing called %s\n", path, out->unread);
    rt_bytes_free(
        &bytes); /* readers keep numbers and copies of labels, never pointers into the bytes */
    return ok;
}
