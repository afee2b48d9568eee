/* rows.c -- see rows.h. */
#include "runtime/rows.h"

#include "runtime/session.h"

void rt_add_labels(const RtData *d, const RtVar *v, int64_t k, const char *between,
                   void (*add)(RtBytes *out, const char *text), RtBytes *out) {
    int64_t index[RT_MAX_PLATES], among[RT_MAX_PLATES];
    bool first = true;
    rt_var_place(v, &d->sizes, k / v->event, index, among);
    for (int i = 0; i < v->n_plates; i++) {
        char *const *labels = d->labels[v->plates[i]];
        if (!labels) continue;
        if (!first) rt_bytes_printf(out, "%s", between);
        add(out, labels[among[i]]);
        first = false;
    }
}

static void add_plain(RtBytes *out, const char *text) {
    rt_bytes_printf(out, "%.24s", text);
}

void rt_row_name(const RtData *d, const RtVar *v, int64_t k, RtBytes *out) {
    RtBytes labels = {0};
    rt_element_name(v, &d->sizes, k, out);
    rt_add_labels(d, v, k, "/", add_plain, &labels);
    if (labels.n) rt_bytes_printf(out, "  %s", labels.data);
    rt_bytes_free(&labels);
}

void rt_json_quantiles(RtBytes *out, const RtSummary *s) {
    rt_json_field(out, ", ", "q5", s->q5);
    rt_json_field(out, ", ", "q50", s->q50);
    rt_json_field(out, ", ", "q95", s->q95);
}

void rt_json_row(RtBytes *out, const char *before, const RtData *d, const RtVar *v, int64_t k,
                 const RtSummary *s) {
    RtBytes labels = {0};
    rt_json_field(out, before, "mean", s->mean);
    rt_json_field(out, ", ", "sd", s->sd);
    rt_json_quantiles(out, s);
    rt_add_labels(d, v, k, ", ", rt_json_string, &labels);
    if (labels.n) rt_bytes_printf(out, ", \"labels\": [%s]", labels.data);
    rt_bytes_free(&labels);
}
