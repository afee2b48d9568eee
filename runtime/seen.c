/* seen.c -- is a data set like those that training saw?
 *
 * Program `posterior` yields, as outputs "seen:FEATURE", what its encoder knows of a whole data set
 * before it is scaled; statistics "FEATURE:low" and "FEATURE:high" hold the .001 and .999 quantiles
 * of the same feature over prior draws, widened to the data set that training was for, if there is
 * one. Beyond them the networks extrapolate, which is said once per feature. */
#include "runtime/posterior.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const char PREFIX[] = "seen:";
/* Beyond a quantile by less than this share of the range is no news: one prior data set in a
 * thousand is. */
static const double MARGIN = 0.1;
/* Nor is rounding, where all training data are alike in a feature, as covariates by design are. */
static const double ROUNDING = 1e-4;

typedef struct Feature {
    const char *name;   /* "x.centre" */
    const void *values; /* [data set, entry] */
    RtStat *low, *high;
    bool said;
} Feature;

struct RtSeen {
    const RtSession *s;
    int n;
    Feature *features;
};

const char *rt_seen_feature(const RtTensor *output) {
    size_t n = sizeof PREFIX - 1;
    return strncmp(output->name, PREFIX, n) ? NULL : output->name + n;
}

RtSeen *rt_seen_new(RtSession *s, RtCall *call) {
    const RtProgram *p = rt_program(s->model, "posterior");
    RtSeen *seen = rt_alloc(s->mem, 1, sizeof *seen);
    seen->s = s;
    seen->features = rt_alloc(s->mem, p->n_outputs + 1, sizeof *seen->features);
    for (int i = 0; i < p->n_outputs; i++) {
        const char *name = rt_seen_feature(&p->outputs[i]);
        if (!name) continue;
        seen->features[seen->n++] =
            (Feature){.name = name,
                      .values = rt_call_want(call, p->outputs[i].name),
                      .low = rt_stat(s->state, rt_printf(s->mem, "%s:low", name)),
                      .high = rt_stat(s->state, rt_printf(s->mem, "%s:high", name))};
    }
    return seen;
}

/* How a feature is called to people: by what the encoder's name for it ends with. */
static const struct {
    const char *ending, *text;
    bool logarithm;
} words[] = {{".centre", "the mean of", false},
             {".logscale", "the spread of", true},
             {".share", "the share of cells that are there of", false}};

static void say(const Feature *f, int64_t set, int64_t sets, int64_t entry, double value) {
    const char *ending = strrchr(f->name, '.'), *text = "";
    bool logarithm = false;
    for (size_t i = 0; ending && i < sizeof words / sizeof *words; i++)
        if (!strcmp(ending, words[i].ending)) {
            text = words[i].text;
            logarithm = words[i].logarithm;
        }
    double low = f->low->values[entry], high = f->high->values[entry];
    char where[64] = "", which[32] = "";
    if (f->low->size > 1) snprintf(which, sizeof which, ", entry %" PRId64 ",", entry);
    if (sets > 1) snprintf(where, sizeof where, " in data set %" PRId64, set);
    fprintf(stderr,
            "warning: %s %.*s%s is %.4g%s, %.4g to %.4g in training: the answer is an "
            "extrapolation; mind "
            "k-hat\n",
            text, (int)(ending ? ending - f->name : (long)strlen(f->name)), f->name, which,
            logarithm ? exp(value) : value, where, logarithm ? exp(low) : low,
            logarithm ? exp(high) : high);
}

void rt_seen_warn(RtSeen *seen, int64_t first, int64_t n, int64_t sets) {
    for (int i = 0; i < seen->n; i++) {
        Feature *f = &seen->features[i];
        for (int64_t k = 0; f->low && f->high && !f->said && k < n * f->low->size; k++) {
            int64_t entry = k % f->low->size;
            double value = rt_real_get(seen->s->model, f->values, k);
            double low = f->low->values[entry], high = f->high->values[entry];
            double margin = MARGIN * (high - low) + ROUNDING * (1 + fabs(low));
            if (value >= low - margin && value <= high + margin) continue;
            f->said = true;
            say(f, first + k / f->low->size, sets, entry, value);
        }
    }
}

void rt_seen_widen(RtSeen *seen, int64_t n) {
    for (int i = 0; i < seen->n; i++) {
        const Feature *f = &seen->features[i];
        for (int64_t k = 0; f->low && f->high && k < n * f->low->size; k++) {
            int64_t entry = k % f->low->size;
            float value = (float)rt_real_get(seen->s->model, f->values, k);
            f->low->values[entry] = fminf(f->low->values[entry], value);
            f->high->values[entry] = fmaxf(f->high->values[entry], value);
        }
    }
}
