/* stats.c -- medians and MADs of prior predictive draws, which networks take as the scales of their
 * inputs.
 *
 * Input "NAME:median" (":mad", ":low", ":high") of a program holds, per event entry of output NAME
 * of program `prepare`, the median (the median absolute deviation, unscaled; the .001 and .999
 * quantiles) over 4,096 data sets under a
 * fixed key and over all plate instances, of which large plates contribute an evenly spaced part.
 * Sizes of a range are drawn per batch; a small data set then counts as much as a large one.
 * They do not depend on --seed: all trainings of a model see the same scales. A deviation of 0 (a
 * constant) is replaced by the mean absolute deviation, or by 1 if that is 0 as well. */
#include "runtime/session.h"

#include <math.h>
#include <string.h>

enum { SETS = 4096, BATCH = 64, PER_SET = 512 };
enum { MEDIAN, MAD, LOW, HIGH, N_STATISTICS };
static const char *const statistics[N_STATISTICS] = {"median", "mad", "low", "high"};

/* The k-th smallest of n numbers; reorders them. */
static double select_kth(double *x, int64_t n, int64_t k) {
    int64_t lo = 0, hi = n - 1;
    while (lo < hi) {
        double pivot = x[lo + (hi - lo) / 2];
        int64_t i = lo, j = hi;
        while (i <= j) {
            while (x[i] < pivot) i++;
            while (x[j] > pivot) j--;
            if (i > j) break;
            double t = x[i];
            x[i++] = x[j];
            x[j--] = t;
        }
        if (k <= j)
            hi = j;
        else if (k >= i)
            lo = i;
        else
            break;
    }
    return x[k];
}

static double median(double *x, int64_t n) {
    double upper = select_kth(x, n, n / 2);
    if (n % 2) return upper;
    double lower = -INFINITY; /* everything before n / 2 is at most x[n / 2] */
    for (int64_t i = 0; i < n / 2; i++) lower = fmax(lower, x[i]);
    return lower + (upper - lower) / 2;
}

static double spread(double *x, int64_t n, double centre) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        x[i] = fabs(x[i] - centre);
        sum += x[i];
    }
    double mad = median(x, n);
    return mad > 0 ? mad : sum > 0 ? sum / (double)n : 1;
}

/* One output of `prepare` that statistics are wanted of. */
typedef struct Source {
    const char *name;
    const void *draws;     /* of a batch */
    int64_t entries, kept; /* per data set: event entries, instances that are kept */
    double *sample;        /* [entry][set, kept instance] */
    int64_t n;
    RtStat *stat[N_STATISTICS]; /* NULL: not wanted */
} Source;

typedef struct Stats {
    RtSession *s;
    RtMem *mem; /* until the statistics are taken */
    RtCall *call;
    int n_sources;
    Source *sources;
} Stats;

static int64_t event_entries(const RtProgram *p, const RtTensor *t) {
    int64_t n = 1;
    for (int i = 0; i < t->n_axes; i++)
        if (p->axes[t->axes[i]].kind == RT_EVENT) n *= p->axes[t->axes[i]].extent;
    return n;
}

static Source *add_source(Stats *st, const RtTensor *output) {
    for (int i = 0; i < st->n_sources; i++)
        if (!strcmp(st->sources[i].name, output->name)) return &st->sources[i];
    Source *source = &st->sources[st->n_sources++];
    *source = (Source){.name = output->name, .draws = rt_call_want(st->call, output->name)};
    source->entries = event_entries(rt_program(st->s->model, "prepare"), output);
    int64_t instances = rt_call_size(st->call, output->name) / source->entries; /* at most */
    int64_t room = PER_SET / source->entries;
    source->kept = instances < room ? instances : room < 1 ? 1 : room;
    source->sample =
        rt_alloc(st->mem, SETS * source->kept * source->entries, sizeof *source->sample);
    return source;
}

/* Finds the output that a statistic is of, and notes what is wanted of it. */
static bool add_stat(Stats *st, RtStat *stat, RtError *error) {
    const char *colon = strrchr(stat->name, ':');
    const RtProgram *prepare = rt_program(st->s->model, "prepare");
    const RtTensor *output =
        colon ? rt_output(prepare, stat->name, (size_t)(colon - stat->name)) : NULL;
    int which = N_STATISTICS;
    while (colon && which-- > 0 && strcmp(colon + 1, statistics[which])) {
    }
    if (!output || which < 0)
        return rt_error(error, "the program reads the statistic %s, which nothing yields",
                        stat->name);
    Source *source = add_source(st, output);
    if (stat->size != source->entries)
        return rt_error(error, "the statistic %s has %lld entries, its draws have %lld", stat->name,
                        (long long)stat->size, (long long)source->entries);
    source->stat[which] = stat;
    return true;
}

/* Every step-th instance, so that a large plate is covered from end to end; where there are fewer
 * than are kept, they repeat. `size`: numbers of one data set. */
static void keep(const RtModel *m, Source *source, int64_t size, int64_t sets) {
    int64_t instances = size / source->entries;
    for (int64_t set = 0; set < sets; set++)
        for (int64_t k = 0; k < source->kept; k++, source->n++) {
            int64_t from = set * size + k * instances / source->kept * source->entries;
            for (int64_t e = 0; e < source->entries; e++)
                source->sample[e * SETS * source->kept + source->n] =
                    rt_real_get(m, source->draws, from + e);
        }
}

static bool finish_source(Source *source, RtError *error) {
    for (int64_t e = 0; e < source->entries; e++) {
        double *x = source->sample + e * SETS * source->kept;
        int64_t n = 0;
        for (int64_t i = 0; i < source->n; i++)
            if (isfinite(x[i]))
                x[n++] = x[i]; /* overflow of a heavy-tailed prior does not move a median */
        if (2 * n < source->n)
            return rt_error(
                error,
                "most prior draws of %s are not finite: the prior is too wide for the model's "
                "arithmetic",
                source->name);
        double centre = median(x, n);
        double found[N_STATISTICS] = {[MEDIAN] = centre};
        found[LOW] = select_kth(x, n, n / 1000);
        found[HIGH] = select_kth(x, n, n - 1 - n / 1000);
        found[MAD] = spread(x, n, centre); /* the last: it overwrites x */
        for (int i = 0; i < N_STATISTICS; i++)
            if (source->stat[i]) source->stat[i]->values[e] = (float)found[i];
    }
    return true;
}

static bool take_stats(Stats *st, RtError *error) {
    RtSession *s = st->s;
    const RtModel *m = s->model;
    if (!s->state->n_stats) return true;
    RtSizes largest = rt_sizes_largest(st->mem, m, s->state), sizes = s->state->sizes;
    bool vary = rt_sizes_vary(m, s->state);
    if (vary) rt_sizes_room(st->mem, m, &largest, &sizes);
    if (rt_program(m, "prepare"))
        st->call = rt_call_new(st->mem, m, "prepare", s->pool, &largest, BATCH, 1);
    st->sources = rt_alloc(st->mem, s->state->n_stats, sizeof *st->sources);
    for (int i = 0; i < s->state->n_stats; i++)
        if (!add_stat(st, &s->state->stats[i], error)) return false;
    rt_bind_state(st->mem, m, s->state, s->state->iterate, st->call);
    rt_call_ready(st->call);
    const uint32_t key[2] = {0, RT_FOR_PREPARE};
    for (int64_t first = 0; first < SETS; first += BATCH) {
        if (vary) rt_sizes_draw(m, s->state, 0, UINT32_MAX, (uint32_t)(first / BATCH), &sizes);
        rt_call_resize(st->call, &sizes);
        rt_call_run(st->call, key, 0, (uint32_t)first, BATCH);
        for (int i = 0; i < st->n_sources; i++)
            keep(m, &st->sources[i], rt_call_size(st->call, st->sources[i].name), BATCH);
    }
    for (int i = 0; i < st->n_sources; i++)
        if (!finish_source(&st->sources[i], error)) return false;
    return true;
}

bool rt_stats(RtSession *s, RtError *error) {
    Stats st = {.s = s, .mem = rt_mem_new()};
    bool ok = take_stats(&st, error);
    rt_mem_free(st.mem);
    return ok;
}
