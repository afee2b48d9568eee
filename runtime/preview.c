/* preview.c -- what the model expects to see, printed before training: a prior that cannot be meant
 * is noticed now, not after ten minutes.
 *
 * The draws are those of `simulate --count 256` with the same seed. Nothing is kept. */
#include "runtime/objective.h"
#include "runtime/session.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { SETS = 256, BATCH = 64, ENTRIES = 4, PER_SET = 512, NAME = 18 };

/* One line: a variable, or one entry of it where there are few. */
typedef struct Line {
    int64_t n, bad; /* finite values, others */
    double *values;
    double between, within; /* sums over data sets: squares of means about 0, variances */
    double mean;
    int64_t sets, spread; /* data sets with a mean, with a variance */
} Line;

/* Every few instances of a large plate: entries e, e + step, ... of one data set. */
static void add_set(const RtModel *m, Line *l, const void *draws, int64_t from, int64_t n,
                    int64_t step) {
    double mean = 0, squares = 0;
    int64_t seen = 0, stride = (n + PER_SET - 1) / PER_SET;
    for (int64_t k = 0; k < n; k += stride) {
        double x = rt_real_get(m, draws, from + k * step);
        if (!isfinite(x)) {
            l->bad++;
            continue;
        }
        double d = x - mean;
        l->values[l->n++] = x;
        mean += d / (double)++seen;
        squares += d * (x - mean);
    }
    if (seen) {
        double d = mean - l->mean;
        l->mean += d / (double)++l->sets;
        l->between += d * (mean - l->mean);
    }
    if (seen > 1) {
        l->within += squares / (double)(seen - 1);
        l->spread++;
    }
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void show_line(RtProgress *p, const char *name, Line *l) {
    static const double levels[] = {0.05, 0.25, 0.5, 0.75, 0.95};
    RtBytes out = {0};
    rt_bytes_printf(&out, "%-*.*s", NAME, NAME, name);
    qsort(l->values, (size_t)l->n, sizeof *l->values, ascending);
    for (int i = 0; i < 5; i++)
        rt_bytes_printf(&out, " %9.4g",
                        l->n ? l->values[(int64_t)lround(levels[i] * (double)(l->n - 1))] : NAN);
    if (l->sets > 1) rt_bytes_printf(&out, " %10.3g", sqrt(l->between / (double)(l->sets - 1)));
    if (l->spread) rt_bytes_printf(&out, " %9.3g", sqrt(l->within / (double)l->spread));
    if (l->bad)
        rt_bytes_printf(&out, "  %.2g %% not finite",
                        100 * (double)l->bad / (double)(l->n + l->bad));
    rt_progress_line(p, "%s", out.data);
    rt_bytes_free(&out);
}

static int64_t n_lines(const RtVar *v) {
    return v->event <= ENTRIES ? v->event : 1;
}

static void show_variable(RtProgress *p, const RtVar *v, Line *lines) {
    static const RtSizes no_sizes;
    for (int64_t e = 0; e < n_lines(v); e++) {
        RtVar entry = *v; /* its name without plates: x[1] */
        RtBytes name = {0};
        entry.n_plates = 0;
        if (v->event == 1 || v->event > ENTRIES)
            rt_bytes_printf(&name, "%s", v->name);
        else
            rt_element_name(&entry, &no_sizes, e, &name);
        show_line(p, name.data, &lines[e]);
        rt_bytes_free(&name);
    }
}

/* Does some phase train on cut draws? (dual/objectives.c) */
static bool cuts_tails(const RtSession *s) {
    RtSchedule schedule;
    char why[400];
    bool cuts = !rt_schedule_parse(s->state->objective, &schedule, why, sizeof why);
    for (int i = 0; i < schedule.n; i++) cuts |= !schedule.phases[i].objective->densities;
    return cuts;
}

/* Latents of heavy tails, whose training draws are cut. */
static void show_cuts(const RtSession *s, RtProgress *p) {
    if (!cuts_tails(s)) return;
    for (int i = 0; i < s->model->n_vars; i++) {
        const RtVar *v = &s->model->vars[i];
        char name[2][100];
        for (int end = 0; end < 2; end++)
            snprintf(name[end], sizeof *name, "%.80s:%s", v->name, end ? "high" : "low");
        const RtStat *low = rt_stat(s->state, name[0]), *high = rt_stat(s->state, name[1]);
        if (v->kind != RT_LATENT || !low || !high) continue;
        float least = low->values[0], most = high->values[0];
        for (int64_t e = 1; e < low->size; e++) {
            if (low->values[e] < least) least = low->values[e];
            if (high->values[e] > most) most = high->values[e];
        }
        rt_progress_line(
            p,
            "%s has heavy tails: simulated between %.4g and %.4g, the prior's .001 and "
            ".999 quantiles; its density is not cut",
            v->name, least, most);
    }
}

void rt_preview(RtSession *s, RtProgress *p) {
    const RtModel *m = s->model;
    const uint32_t key[2] = {s->seed, RT_FOR_SIMULATE};
    RtMem *mem = rt_mem_new();
    RtCall *call = rt_call_new(mem, m, "simulate", s->pool, &s->state->sizes, BATCH, 1);
    const void **draws = rt_alloc(mem, m->n_vars, sizeof *draws);
    Line **lines = rt_alloc(mem, m->n_vars, sizeof *lines);
    for (int i = 0; i < m->n_vars; i++) {
        if (m->vars[i].kind != RT_OBSERVED) continue;
        draws[i] = rt_call_want(call, m->vars[i].name);
        lines[i] = rt_alloc(mem, n_lines(&m->vars[i]), sizeof **lines);
        for (int64_t e = 0; e < n_lines(&m->vars[i]); e++)
            lines[i][e].values = rt_alloc(mem, SETS * PER_SET, sizeof(double));
    }
    rt_bind_state(mem, m, s->state, s->state->iterate, call);
    rt_call_ready(call);
    for (int64_t first = 0; first < SETS; first += BATCH) {
        rt_call_run(call, key, 0, (uint32_t)first, BATCH);
        for (int i = 0; i < m->n_vars; i++) {
            if (!draws[i]) continue;
            int64_t size = rt_var_size(&m->vars[i], &s->state->sizes), n = n_lines(&m->vars[i]);
            for (int64_t set = 0; set < BATCH; set++)
                for (int64_t e = 0; e < n; e++)
                    add_set(m, &lines[i][e], draws[i], set * size + e, size / n, n);
        }
    }
    rt_progress_line(p, "%-*s %9s %9s %9s %9s %9s %10s %9s", NAME, "data by the prior", "5%", "25%",
                     "50%", "75%", "95%", "sd between", "within");
    for (int i = 0; i < m->n_vars; i++)
        if (draws[i]) show_variable(p, &m->vars[i], lines[i]);
    rt_progress_line(p,
                     "%d data sets from the prior; if yours looks unlike them, change the priors "
                     "(simulate shows more)",
                     SETS);
    show_cuts(s, p);
    rt_mem_free(mem);
}
