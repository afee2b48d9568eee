/* npy.c -- NumPy's array files (format versions 1 to 3): a header that is a Python dictionary, then
 * the numbers. Reads little- and big-endian floats, integers and booleans in C or Fortran order;
 * writes version 1, little-endian. */
#include "runtime/data.h"

#include <math.h>
#include <string.h>

enum { MAX_DIMS = RT_MAX_PLATES + RT_MAX_DIMS + 2 };

typedef struct Header {
    char kind;  /* f i u b */
    char order; /* < > | = */
    int bytes;
    bool fortran;
    int n_dims;
    int64_t dims[MAX_DIMS];
    bool has_descr, has_order, has_shape;
} Header;

typedef struct Scan {
    const char *at, *end;
} Scan;

static void blanks(Scan *s) {
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t')) s->at++;
}

static bool take(Scan *s, char c) {
    blanks(s);
    if (s->at == s->end || *s->at != c) return false;
    s->at++;
    return true;
}

/* A quoted string without escapes, of at most room - 1 bytes. */
static bool quoted(Scan *s, char *out, size_t room) {
    blanks(s);
    if (s->at == s->end || (*s->at != '\'' && *s->at != '"')) return false;
    char quote = *s->at++;
    size_t n = 0;
    while (s->at < s->end && *s->at != quote && n + 1 < room) out[n++] = *s->at++;
    out[n] = 0;
    return take(s, quote);
}

static bool take_word(Scan *s, const char *word) {
    size_t n = strlen(word);
    blanks(s);
    if ((size_t)(s->end - s->at) < n || memcmp(s->at, word, n)) return false;
    s->at += n;
    return true;
}

static bool shape(Scan *s, Header *h) {
    if (!take(s, '(')) return false;
    while (!take(s, ')')) {
        int64_t v = 0;
        blanks(s);
        if (s->at == s->end || *s->at < '0' || *s->at > '9' || h->n_dims == MAX_DIMS) return false;
        for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++) {
            if (v > INT64_C(1) << 40) return false;
            v = 10 * v + (*s->at - '0');
        }
        take(s, 'L');
        h->dims[h->n_dims++] = v;
        if (!take(s, ',') && (blanks(s), s->at == s->end || *s->at != ')')) return false;
    }
    return true;
}

static bool entry(Scan *s, Header *h) {
    char key[32], value[32];
    if (!quoted(s, key, sizeof key) || !take(s, ':')) return false;
    if (!strcmp(key, "descr")) {
        if (!quoted(s, value, sizeof value) || strlen(value) < 3) return false;
        h->order = value[0], h->kind = value[1];
        int64_t bytes;
        if (!rt_parse_int(value + 2, &bytes) || bytes < 1 || bytes > 8) return false;
        h->bytes = (int)bytes;
        return h->has_descr = true;
    }
    if (!strcmp(key, "fortran_order")) {
        h->fortran = take_word(s, "True");
        return h->has_order = h->fortran || take_word(s, "False");
    }
    if (!strcmp(key, "shape") && !h->has_shape) return h->has_shape = shape(s, h);
    return false;
}

static bool parse_header(const char *text, size_t n, Header *h) {
    Scan s = {text, text + n};
    if (!take(&s, '{')) return false;
    while (!take(&s, '}'))
        if (!entry(&s, h) || (!take(&s, ',') && (blanks(&s), s.at == s.end || *s.at != '}')))
            return false;
    if (!h->has_descr || !h->has_order || !h->has_shape) return false;
    bool real = h->kind == 'f' && (h->bytes == 2 || h->bytes == 4 || h->bytes == 8);
    bool whole = (h->kind == 'i' || h->kind == 'u') && !(h->bytes & (h->bytes - 1));
    return real || whole || (h->kind == 'b' && h->bytes == 1);
}

static double half(uint64_t bits) {
    int exponent = (int)(bits >> 10 & 31), fraction = (int)(bits & 1023);
    double v = exponent == 31 ? (fraction ? NAN : INFINITY)
               : exponent     ? ldexp(1024 + fraction, exponent - 25)
                              : ldexp(fraction, -24);
    return bits >> 15 ? -v : v;
}

static double element(const Header *h, const unsigned char *at) {
    uint64_t bits = 0;
    for (int i = 0; i < h->bytes; i++)
        bits |= (uint64_t)at[h->order == '>' ? h->bytes - 1 - i : i] << 8 * i;
    if (h->kind == 'f' && h->bytes == 2) return half(bits);
    if (h->kind == 'f' && h->bytes == 4) {
        uint32_t low = (uint32_t)bits;
        float f;
        memcpy(&f, &low, 4);
        return f;
    }
    if (h->kind == 'f') {
        double d;
        memcpy(&d, &bits, 8);
        return d;
    }
    if (h->kind != 'i') return (double)bits;
    int unused = 64 - 8 * h->bytes;
    return (double)((int64_t)(bits << unused) >> unused);
}

/* Position in a column-major file of the element that stands at `flat` in row-major order. */
static int64_t fortran_position(const Header *h, int64_t flat) {
    int64_t index[MAX_DIMS], at = 0;
    for (int d = h->n_dims; d-- > 0;) {
        index[d] = flat % h->dims[d];
        flat /= h->dims[d];
    }
    for (int d = h->n_dims; d-- > 0;) at = at * h->dims[d] + index[d];
    return at;
}

bool rt_npy_read(RtMem *mem, const char *name, const unsigned char *bytes, size_t n, RtArray *out,
                 RtError *error) {
    size_t start = 10, length;
    if (n < 12 || memcmp(bytes, "\x93NUMPY", 6))
        return rt_error(error, "%s: not a NumPy array (.npy)", name);
    length = bytes[8] | (size_t)bytes[9] << 8;
    if (bytes[6] >= 2) {
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
        start = 12;
    }
    if (length > n - start) return rt_error(error, "%s: the array's header is cut short", name);
    Header h = {0};
    if (bytes[6] < 1 || bytes[6] > 3 || !parse_header((const char *)bytes + start, length, &h))
        return rt_error(error,
                        "%s: the array's header is damaged, or its elements are not plain numbers "
                        "(expected float32, "
                        "float64 or integers)",
                        name);
    int64_t count = rt_product(h.dims, h.n_dims);
    size_t body = n - start - length;
    if (count < 0 || (uint64_t)count > body / (unsigned)h.bytes)
        return rt_error(
            error,
            "%s: the array is cut short: its shape needs more than the %zu bytes that are there",
            name, body);
    *out = (RtArray){.name = name, .n_dims = h.n_dims};
    memcpy(out->dims, h.dims, sizeof h.dims);
    out->values = rt_alloc(mem, count + 1, sizeof *out->values);
    const unsigned char *from = bytes + start + length;
    for (int64_t i = 0; i < count; i++)
        out->values[i] = element(&h, from + (h.fortran ? fortran_position(&h, i) : i) * h.bytes);
    return true;
}

/* `what`: the type of an element, as "<f4". Returns the number of elements. */
static int64_t write_header(RtBytes *out, const char *what, const int64_t *dims, int n_dims) {
    RtBytes text = {0};
    rt_bytes_printf(&text, "{'descr': '%s', 'fortran_order': False, 'shape': (", what);
    int64_t count = 1;
    for (int i = 0; i < n_dims; i++) {
        rt_bytes_printf(&text, "%s%lld", i ? ", " : "", (long long)dims[i]);
        count *= dims[i];
    }
    rt_bytes_printf(&text, "%s), }", n_dims == 1 ? "," : "");
    while ((10 + text.n + 1) % 64) rt_bytes_add(&text, " ", 1);
    rt_bytes_add(&text, "\n", 1);
    unsigned char head[10] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)text.n, (unsigned char)(text.n >> 8)};
    rt_bytes_add(out, head, 10);
    rt_bytes_add(out, text.data, text.n);
    rt_bytes_free(&text);
    return count;
}

void rt_npy_write(RtBytes *out, const void *values, bool f64, const int64_t *dims, int n_dims) {
    int64_t count = write_header(out, f64 ? "<f8" : "<f4", dims, n_dims);
    rt_bytes_add(out, values, (size_t)count * (f64 ? 8 : 4));
}

static size_t characters(const char *text) {
    size_t n = 0;
    for (; *text; n++) rt_utf8(&text);
    return n;
}

void rt_npy_write_texts(RtBytes *out, char *const *texts, const int64_t *dims, int n_dims) {
    size_t width = 1;
    char what[32];
    for (int64_t i = 0, n = rt_product(dims, n_dims); i < n; i++) {
        size_t length = characters(texts[i]);
        if (length > width) width = length;
    }
    snprintf(what, sizeof what, "<U%zu", width);
    int64_t count = write_header(out, what, dims, n_dims);
    for (int64_t i = 0; i < count; i++) {
        const char *at = texts[i];
        for (size_t k = 0; k < width; k++) {
            uint32_t c = *at ? rt_utf8(&at) : 0;
            unsigned char le[4];
            for (int b = 0; b < 4; b++) le[b] = (unsigned char)(c >> 8 * b);
            rt_bytes_add(out, le, 4);
        }
    }
}
