/* report.c -- numbers for people and for programs: summaries of draws, JSON, what a terminal can
 * show. */
#include "runtime/psis.h"
#include "runtime/session.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int rt_complain(const RtError *error) {
    bool colour = rt_colour(stderr);
    fprintf(stderr, "%serror:%s %s\n", colour ? "\033[1;31m" : "", colour ? "\033[0m" : "",
            error->text);
    return 1;
}

bool rt_colour(FILE *f) {
    const char *term = getenv("TERM");
    return isatty(fileno(f)) && !getenv("NO_COLOR") && (!term || strcmp(term, "dumb"));
}

int rt_columns(FILE *f) {
    struct winsize size;
    if (isatty(fileno(f)) && !ioctl(fileno(f), TIOCGWINSZ, &size) && size.ws_col > 20)
        return size.ws_col;
    return 100;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Quantile of ascending draws, linear between them. */
static double quantile(const double *x, int64_t n, double p) {
    double at = p * (double)(n - 1);
    int64_t i = (int64_t)at;
    return i + 1 < n ? x[i] + (at - (double)i) * (x[i + 1] - x[i]) : x[n - 1];
}

/* Draws of the guide are independent: their effective number is their number. */
RtSummary rt_summary(double *draws, int64_t n) {
    double mean = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) mean += draws[i] / (double)n;
    for (int64_t i = 0; i < n; i++) squares += (draws[i] - mean) * (draws[i] - mean);
    qsort(draws, (size_t)n, sizeof *draws, ascending);
    double sd = n > 1 ? sqrt(squares / (double)(n - 1)) : NAN;
    return (RtSummary){.mean = mean,
                       .sd = sd,
                       .mcse = sd / sqrt((double)n),
                       .q5 = quantile(draws, n, 0.05),
                       .q50 = quantile(draws, n, 0.5),
                       .q95 = quantile(draws, n, 0.95),
                       .ess = (double)n};
}

static int by_value(const void *a, const void *b) {
    const RtWeighted *x = a, *y = b;
    if (x->x != y->x) return x->x < y->x ? -1 : 1;
    return (x->weight > y->weight) - (x->weight < y->weight);
}

/* A draw stands at the middle of its weight; linear between draws. */
static double weighted_quantile(const RtWeighted *d, int64_t n, double p) {
    double below = 0, last_at = 0;
    for (int64_t i = 0; i < n; below += d[i++].weight) {
        double at = below + d[i].weight / 2;
        if (at >= p) {
            double along = i && at > last_at ? (p - last_at) / (at - last_at) : 1;
            return i ? d[i - 1].x + along * (d[i].x - d[i - 1].x) : d[0].x;
        }
        last_at = at;
    }
    return d[n - 1].x;
}

/* Draws without weight count for nothing, not even where they are not finite. */
static int64_t with_weight(RtWeighted *d, int64_t n) {
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++)
        if (d[i].weight > 0) d[kept++] = d[i];
    return kept;
}

RtSummary rt_summary_weighted(RtWeighted *d, int64_t n) {
    double mean = 0, squares = 0, weights2 = 0, error2 = 0;
    n = with_weight(d, n);
    if (!n) return (RtSummary){NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    for (int64_t i = 0; i < n; i++) mean += d[i].weight * d[i].x;
    for (int64_t i = 0; i < n; i++) {
        double w = d[i].weight, off = (d[i].x - mean) * (d[i].x - mean);
        squares += w * off;
        error2 += w * w * off;
        weights2 += w * w;
    }
    qsort(d, (size_t)n, sizeof *d, by_value);
    return (RtSummary){.mean = mean,
                       .sd = weights2 < 1 ? sqrt(squares / (1 - weights2)) : NAN,
                       .mcse = sqrt(error2),
                       .q5 = weighted_quantile(d, n, 0.05),
                       .q50 = weighted_quantile(d, n, 0.5),
                       .q95 = weighted_quantile(d, n, 0.95),
                       .ess = 1 / weights2};
}

/* The shortest text that reads back as the same double. */
void rt_json_number(RtBytes *out, double x) {
    char text[40];
    if (!isfinite(x)) {
        rt_bytes_printf(out, "null");
        return;
    }
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x) break;
    }
    rt_bytes_printf(out, "%s", text);
}

void rt_json_field(RtBytes *out, const char *before, const char *name, double x) {
    rt_bytes_printf(out, "%s\"%s\": ", before, name);
    rt_json_number(out, x);
}

void rt_json_string(RtBytes *out, const char *text) {
    rt_bytes_printf(out, "\"");
    while (*text) {
        const char *start = text;
        uint32_t c = rt_utf8(&text);
        if (c == '"' || c == '\\')
            rt_bytes_printf(out, "\\%c", (int)c);
        else if (c == '\n')
            rt_bytes_printf(out, "\\n");
        else if (c == '\t')
            rt_bytes_printf(out, "\\t");
        else if (c < 0x20 || c == 0xfffd)
            rt_bytes_printf(out, "\\u%04x", c);
        else
            rt_bytes_add(out, start, (size_t)(text - start));
    }
    rt_bytes_printf(out, "\"");
}

/* Hypers, or those contexts that --set states. */
static void json_values(RtBytes *out, const RtModel *m, RtVarKind kind, double *const *values) {
    bool first = true;
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        if (v->kind != kind || (kind == RT_CONTEXT && !values[i][v->event])) continue;
        rt_bytes_printf(out, "%s\"%s\": %s", first ? "" : ", ", v->name, v->n_dims ? "[" : "");
        for (int64_t k = 0; k < v->event; k++) {
            if (k) rt_bytes_printf(out, ", ");
            rt_json_number(out, values[i][k]);
        }
        rt_bytes_printf(out, "%s", v->n_dims ? "]" : "");
        first = false;
    }
}

void rt_json_settings(RtBytes *out, const RtSession *s, int64_t draws) {
    const RtModel *m = s->model;
    rt_bytes_printf(
        out, "\"seed\": %" PRIu32 ", \"settings\": {\"draws\": %" PRId64 ", \"sizes\": ", s->seed,
        draws);
    rt_sizes_json(m, &s->state->sizes, out);
    rt_bytes_printf(out, ", \"hypers\": {");
    json_values(out, m, RT_HYPER, s->state->hypers);
    rt_bytes_printf(out, "}, \"contexts\": {");
    json_values(out, m, RT_CONTEXT, s->state->contexts);
    rt_bytes_printf(out, "}}");
}
