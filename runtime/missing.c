/* missing.c -- cells of observed variables that a data file leaves empty: see data.h.
 *
 * Programs read a number in every cell, and beside it whether the cell counts. In the place of a
 * missing one stands the mean of the data set's other cells, which lies in the support as they do
 * and is of their size, so that nothing overflows on its way to being multiplied by 0; of whole
 * numbers, and where a data set has no cell at all, what the model names as harmless. */
#include "runtime/data.h"

#include <math.h>

bool rt_refuse_missing(const RtVar *v, const char *where, const char *found, RtError *error) {
    if (v->kind != RT_OBSERVED)
        return rt_error(
            error,
            "%s: a value of %s is missing\n  expected  a number\n  found     %s\n  only "
            "cells of what is observed may be missing: leave the instance out, or fill "
            "the cell",
            where, v->name, found);
    return rt_error(error,
                    "%s: a value of %s is missing, and the model does not say that it may be\n  "
                    "expected  a number\n  found     %s\n  write  observed %s ~ ... with missing;  "
                    "in the model, compile and train it again; or leave the instance out",
                    where, v->name, found, v->name);
}

bool rt_may_lack(const RtVar *v, const RtDataOptions *options) {
    return v->presence >= 0 || (v->kind == RT_OBSERVED && options->outcomes_optional);
}

double *rt_data_absent(RtMem *mem, const RtVar *v, const RtData *d) {
    int64_t n = rt_var_size(v, &d->sizes) * d->n_sets;
    double *values = rt_alloc(mem, n, sizeof *values);
    for (int64_t i = 0; i < n; i++) values[i] = NAN;
    return values;
}

/* What stands for missing values of entry e of data set `set`. */
static double stand_in(const RtVar *v, const double *values, const double *present, int64_t cells,
                       int64_t e) {
    double sum = 0, n = 0;
    for (int64_t c = 0; c < cells && !v->whole && !v->n_kinds; c++) {
        if (present[c] == 0) continue;
        sum += values[c * v->event + e];
        n++;
    }
    return n > 0 ? sum / n : v->harmless;
}

static bool partly(const RtVar *v, const char *name, const RtData *d, int64_t at, RtError *error) {
    RtBytes element = {0};
    rt_element_name(v, &d->sizes, at % rt_var_size(v, &d->sizes), &element);
    rt_error(error,
             "%s: %s is missing, but other entries of its event are there\n  expected  all entries "
             "of a cell, or none\n  leave all of them empty, or declare the entries as variables "
             "of their own",
             name, element.data);
    rt_bytes_free(&element);
    return false;
}

static bool find_present(const RtVar *v, const char *name, RtData *d, const double *values,
                         double *present, RtError *error) {
    int64_t cells = rt_var_size(v, &d->sizes) / v->event;
    for (int64_t c = 0; c < cells * d->n_sets; c++) {
        int64_t missing = 0, last = 0;
        for (int64_t e = 0; e < v->event; e++) {
            if (!isnan(values[c * v->event + e])) continue;
            missing++;
            last = c * v->event + e;
        }
        if (missing && missing < v->event) return partly(v, name, d, last, error);
        present[c] = !missing;
    }
    return true;
}

static void fill(const RtVar *v, const RtData *d, double *values, const double *present) {
    int64_t cells = rt_var_size(v, &d->sizes) / v->event;
    for (int64_t set = 0; set < d->n_sets; set++)
        for (int64_t e = 0; e < v->event; e++) {
            double *own = values + set * cells * v->event;
            double x = stand_in(v, own, present + set * cells, cells, e);
            for (int64_t c = 0; c < cells; c++)
                if (present[set * cells + c] == 0) own[c * v->event + e] = x;
        }
}

bool rt_data_presence(RtMem *mem, const RtModel *m, const char *name, RtData *d, RtError *error) {
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        if (v->presence < 0) continue;
        int64_t cells = rt_var_size(v, &d->sizes) / v->event;
        double *present = rt_alloc(mem, cells * d->n_sets, sizeof *present);
        if (!find_present(v, name, d, d->values[i], present, error)) return false;
        fill(v, d, d->values[i], present);
        d->values[v->presence] = present;
    }
    return true;
}

int64_t rt_missing_cells(const RtModel *m, const RtData *d, int variable, int64_t set) {
    const RtVar *v = &m->vars[variable];
    int64_t cells = rt_var_instances(v, &d->sizes), n = 0;
    if (v->presence < 0) return 0;
    for (int64_t c = 0; c < cells; c++)
        n += d->values[v->presence][set * cells + c] == 0 && rt_instance_there(d, v, c);
    return n;
}

int64_t rt_instances_there(const RtData *d, const RtVar *v) {
    int64_t all = rt_var_instances(v, &d->sizes), n = 0;
    for (int64_t c = 0; c < all; c++) n += rt_instance_there(d, v, c);
    return n;
}
