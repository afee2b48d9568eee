/* context.c -- `--set`: values of hypers, which a training fixes, and of contexts, which every data
 * set has its own of.
 *
 * A context's value comes from --set or, where that says nothing, from the data file. Training saw
 * the values of its prior; statistics "NAME:low" and "NAME:high" hold their .001 and .999
 * quantiles, and what lies outside is warned of. */
#include "runtime/session.h"

#include <math.h>
#include <string.h>

static bool accepts(RtSettings kinds, const RtVar *v) {
    return (v->kind == RT_HYPER && kinds & RT_SETS_HYPERS) ||
           (v->kind == RT_CONTEXT && kinds & RT_SETS_CONTEXTS);
}

static bool unknown_setting(const RtModel *m, RtSettings kinds, const char *name, RtError *error) {
    const char *names[256] = {0}, *near;
    RtBytes have = {0};
    int n = 0;
    for (int i = 0; i < m->n_vars && n < 256; i++)
        if (accepts(kinds, &m->vars[i])) names[n++] = m->vars[i].name;
    near = rt_nearest(name, names, n);
    for (int i = 0; i < n; i++) rt_bytes_printf(&have, "%s%s", i ? ", " : "", names[i]);
    rt_error(error, "--set: the model has no %s %s\n  it has %.600s%s%s%s",
             kinds == RT_SETS_HYPERS     ? "hyper"
             : kinds == RT_SETS_CONTEXTS ? "context"
                                         : "hyper or context",
             name, n ? have.data : "none", near ? "\n  did you mean " : "", near ? near : "",
             near ? "?" : "");
    rt_bytes_free(&have);
    return false;
}

/* A variable that may be set, but not by this command. */
static bool misplaced(const char *setting, const RtVar *v, RtError *error) {
    if (v->kind == RT_CONTEXT)
        return rt_error(
            error,
            "--set %s: training draws context %s anew for every data set, so that its "
            "value can be stated afterwards\n  state it then: infer DATA --set %s\n  to "
            "train for one value alone, declare it as a hyper",
            setting, v->name, setting);
    return rt_error(error,
                    "--set %s: hyper %s is fixed by training\n  train again for another value: "
                    "train --set %s",
                    setting, v->name, setting);
}

/* The numbers behind NAME=, separated by commas. */
static bool read_numbers(const RtModel *m, const char *setting, const char *value, const RtVar *v,
                         double *to, RtError *error) {
    int64_t n = 0;
    for (const char *at = value; *at || at == value; n++) {
        size_t length = strcspn(at, ",");
        double x;
        char why[100];
        if (!rt_parse_number(at, length, &x) || !isfinite(x) || n == v->event)
            return rt_error(error, "--set %s\n  expected  %lld finite number%s separated by commas",
                            setting, (long long)v->event, v->event > 1 ? "s" : "");
        if (!rt_value_fits(m, v, x, why))
            return rt_error(error, "--set %s: %s %s is %g\n  expected  %s", setting,
                            v->kind == RT_HYPER ? "hyper" : "context", v->name, x, why);
        to[n] = x;
        at += length;
        if (*at == ',') at++;
    }
    if (n == v->event) return true;
    return rt_error(error, "--set %s: %lld numbers\n  expected  %lld", setting, (long long)n,
                    (long long)v->event);
}

static bool check_positive(const RtVar *v, const double *values, int64_t n, const char *where,
                           RtError *error) {
    for (int64_t i = 0; v->positive && i < n; i++)
        if (!(values[i] > 0))
            return rt_error(error, "%s: context %s is %g\n  expected  a number above 0", where,
                            v->name, values[i]);
    return true;
}

bool rt_settings_apply(const RtModel *m, const RtOptions *o, RtSettings kinds, RtState *state,
                       RtError *error) {
    for (int i = 0; i < o->n_set; i++) {
        char name[64];
        const char *value;
        if (!rt_setting_split(o->set[i], name, &value))
            return rt_error(error,
                            "--set %s\n  expected  a name and its value, as in --set s_mu=0.5",
                            o->set[i]);
        const RtVar *v = rt_var(m, name);
        bool settable = v && (v->kind == RT_HYPER || v->kind == RT_CONTEXT);
        if (settable && !accepts(kinds, v)) return misplaced(o->set[i], v, error);
        if (!settable) return unknown_setting(m, kinds, name, error);
        double *to =
            v->kind == RT_HYPER ? state->hypers[v - m->vars] : state->contexts[v - m->vars];
        if (!read_numbers(m, o->set[i], value, v, to, error)) return false;
        if (v->kind != RT_CONTEXT) continue;
        to[v->event] = 1;
    }
    return true;
}

/* ---- data sets ---- */

static bool missing(const RtVar *v, const char *name, RtError *error) {
    return rt_error(
        error,
        "%s: the value of context %s is not known\n  expected  --set %s=%s, or %s named "
        "%s in a .csv, .npz or .json file",
        name, v->name, v->name, v->event > 1 ? "X,Y,..." : "X",
        v->event > 1 ? "columns or an array" : "a column or an array", v->name);
}

bool rt_context_data(RtMem *mem, const RtModel *m, const RtState *state, const char *name,
                     RtData *data, RtError *error) {
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        if (v->kind != RT_CONTEXT) continue;
        const double *set = state->contexts[i];
        if (!set[v->event] && !data->values[i]) return missing(v, name, error);
        int64_t n = data->n_sets * v->event;
        if (set[v->event]) {
            data->values[i] = rt_alloc(mem, n, sizeof(double));
            for (int64_t k = 0; k < n; k++) data->values[i][k] = set[k % v->event];
        }
        if (!check_positive(v, data->values[i], n, name, error)) return false;
    }
    return true;
}

/* The first of n values outside the trained range of entry k % event; -1: none. */
static int64_t first_outside(const RtVar *v, const RtStat *low, const RtStat *high,
                             const double *values, int64_t n) {
    for (int64_t k = 0; k < n; k++)
        if (values[k] < (double)low->values[k % v->event] ||
            values[k] > (double)high->values[k % v->event])
            return k;
    return -1;
}

void rt_context_warn(const RtSession *s, const RtData *data) {
    const RtModel *m = s->model;
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        if (v->kind != RT_CONTEXT) continue;
        const double *set = s->state->contexts[i], *values = data ? data->values[i] : set;
        if (!data && !set[v->event]) continue;
        char name[100];
        snprintf(name, sizeof name, "%.80s:low", v->name);
        const RtStat *low = rt_stat(s->state, name);
        snprintf(name, sizeof name, "%.80s:high", v->name);
        const RtStat *high = rt_stat(s->state, name);
        if (!low || !high) continue;
        int64_t k = first_outside(v, low, high, values, data ? data->n_sets * v->event : v->event);
        if (k < 0) continue;
        static const RtSizes no_sizes;
        RtBytes entry = {0};
        rt_element_name(v, &no_sizes, k % v->event, &entry);
        fprintf(stderr,
                "warning: context %s is %g here, %.3g to %.3g in training: the answer is an "
                "extrapolation; mind k-hat\n",
                entry.data, values[k], (double)low->values[k % v->event],
                (double)high->values[k % v->event]);
        rt_bytes_free(&entry);
    }
}
