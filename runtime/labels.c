/* labels.c -- what the instances of plates, and categories, are called in a data file, for files of
 * draws: as JSON, and as arrays of texts. */
#include "runtime/session.h"

#include <string.h>

/* Pairs are called by the keys of both plates, which are there. */
static bool has_labels(const RtModel *m, const RtData *d, int plate) {
    return d->labels[plate] && m->plates[plate].across < 0;
}

/* How many categories of covariate i have a label. */
static int64_t count_kinds(const RtModel *m, const RtData *d, int i) {
    int64_t n = 0;
    char *const *kinds = d->kinds ? d->kinds[i] : NULL;
    while (kinds && n < m->vars[i].n_kinds && kinds[n]) n++;
    return n;
}

/* Texts as nested arrays of these extents. */
static void nested(char *const *texts, const int64_t *dims, int n_dims, RtBytes *out) {
    int64_t all = rt_product(dims, n_dims);
    for (int64_t k = 0; k < all; k++) {
        int64_t below = 1; /* texts of an array that ends, or begins, here */
        RtBytes open = {0}, close = {0};
        for (int i = n_dims; i-- > 0;) {
            below *= dims[i];
            if (k % below == 0) rt_bytes_printf(&open, "[");
            if ((k + 1) % below == 0) rt_bytes_printf(&close, "]");
        }
        rt_bytes_printf(out, "%s%s", k ? ", " : "", open.n ? open.data : "");
        rt_json_string(out, texts[k]);
        rt_bytes_printf(out, "%s", close.n ? close.data : "");
        rt_bytes_free(&open);
        rt_bytes_free(&close);
    }
}

void rt_labels_json(const RtModel *m, const RtData *d, RtBytes *out) {
    int64_t dims[RT_MAX_PLATES];
    for (int p = 0; p < m->n_plates; p++) {
        if (!has_labels(m, d, p)) continue;
        rt_bytes_printf(out, "%s\"%s\": ", out->n ? ", " : "{", m->plates[p].name);
        nested(d->labels[p], dims, rt_plate_shape(m, &d->sizes, p, dims), out);
    }
    if (out->n) rt_bytes_printf(out, "}");
}

void rt_categories_json(const RtModel *m, const RtData *d, RtBytes *out) {
    for (int i = 0; i < m->n_vars; i++) {
        int64_t n = count_kinds(m, d, i);
        if (!n) continue;
        rt_bytes_printf(out, "%s\"%s\": ", out->n ? ", " : "{", m->vars[i].name);
        nested(d->kinds[i], &n, 1, out);
    }
    if (out->n) rt_bytes_printf(out, "}");
}

static bool add_texts(RtMem *mem, RtBytes *archive, RtBytes *directory, const char *folder,
                      const char *name, char *const *texts, const int64_t *dims, int n_dims,
                      RtError *error) {
    RtBytes file = {0};
    rt_npy_write_texts(&file, texts, dims, n_dims);
    bool ok =
        rt_zip_add(archive, directory, rt_printf(mem, "%s/%s.npy", folder, name), &file, error);
    rt_bytes_free(&file);
    return ok;
}

bool rt_labels_npz(RtMem *mem, const RtModel *m, const RtData *d, RtBytes *archive,
                   RtBytes *directory, RtError *error) {
    int64_t dims[RT_MAX_PLATES];
    bool ok = true;
    for (int p = 0; ok && p < m->n_plates; p++)
        if (has_labels(m, d, p))
            ok = add_texts(mem, archive, directory, "labels", m->plates[p].name, d->labels[p], dims,
                           rt_plate_shape(m, &d->sizes, p, dims), error);
    for (int i = 0; ok && i < m->n_vars; i++) {
        int64_t n = count_kinds(m, d, i);
        if (n)
            ok = add_texts(mem, archive, directory, "categories", m->vars[i].name, d->kinds[i], &n,
                           1, error);
    }
    return ok;
}
