/* rows.c -- see rows.h. */
#include "runtime/rows.h"

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
