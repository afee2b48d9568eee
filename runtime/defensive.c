/* defensive.c -- see defensive.h.
 *
 * What is drawn so are the base draws outside all plates: the tails of scales, near 0 and far out,
 * are what the weights of a good guide are uneven by. With u its D base draws, draws have the
 * density
 *
 *     m(u) = (1 - e) prod N(u_i; 0, 1) + e prod N(u_i; 0, WIDTH^2)        e about 1 / EVERY
 *
 * and weights p / q become (p / q) N(u) / m(u): nowhere above 1 / (1 - e) times what they were, and
 * lower by far where u is. Which draws are the wide ones is fixed, which leaves weighted sums
 * unbiased (a deterministic mixture). */
#include "runtime/defensive.h"

#include "runtime/bases.h"
#include "runtime/random.h"

#include <math.h>
#include <string.h>

enum { EVERY = 5 };
static const double WIDTH = 1.7; /* wider: numbers overflow where bends and links are steep */

typedef struct Base {
    const char *name;
    int64_t size;  /* numbers of one draw */
    void *numbers; /* [set, draw, size], the model's real type */
} Base;

struct RtDefensive {
    const RtSession *s;
    int64_t n_draws;
    double share; /* of wide draws: e */
    int n_bases;
    Base *bases;
    double *note; /* [set, draw] */
};

RtDefensive *rt_defensive_new(RtSession *s, int64_t sets, int64_t n_draws) {
    const RtModel *m = s->model;
    RtDefensive *d = rt_alloc(s->mem, 1, sizeof *d);
    *d = (RtDefensive){
        .s = s, .n_draws = n_draws, .share = (double)(n_draws / EVERY) / (double)n_draws};
    d->note = rt_alloc(s->mem, sets * n_draws, sizeof *d->note);
    RtBase *all;
    int n = rt_bases_find(s->mem, m, &all);
    d->bases = rt_alloc(s->mem, n, sizeof *d->bases);
    for (int i = 0; i < n; i++) {
        if (all[i].plate >= 0) continue;
        void *numbers = rt_alloc(s->mem, sets * n_draws * all[i].event, m->real);
        d->bases[d->n_bases++] = (Base){all[i].name, all[i].event, numbers};
    }
    return d;
}

void rt_defensive_bind(const RtDefensive *d, RtCall *call) {
    for (int i = 0; i < d->n_bases; i++) rt_call_bind(call, d->bases[i].name, d->bases[i].numbers);
}

static void fill(const RtDefensive *d, int base, int64_t first, int64_t n) {
    const Base *b = &d->bases[base];
    av_random r = {.key = {d->s->seed, RT_FOR_DEFENSIVE},
                   .data0 = (uint32_t)first,
                   .site = (uint32_t)base,
                   .n_data = n,
                   .n_draw = d->n_draws,
                   .n_inst = b->size,
                   .s_data = d->n_draws * b->size,
                   .s_draw = b->size,
                   .s_inst = 1};
    rt_base_fill(d->s->model, r, b->numbers);
}

/* log of (1 - e) + e exp(by): what the mixture's density is over the normal's, where the wide
 * part's is exp(by) times that. */
static double log_mixed(double e, double by) {
    return by > 0 ? by + log(e + (1 - e) * exp(-by)) : log(1 - e + e * exp(by));
}

static bool is_wide(int64_t draw) {
    return draw % EVERY == EVERY - 1;
}

void rt_defensive_draw(RtDefensive *d, int64_t first, int64_t n) {
    const RtModel *m = d->s->model;
    for (int64_t at = 0; at < n * d->n_draws; at++) d->note[at] = 0;
    for (int i = 0; i < d->n_bases; i++) {
        const Base *b = &d->bases[i];
        fill(d, i, first, n);
        for (int64_t at = 0; at < n * d->n_draws; at++)
            for (int64_t k = at * b->size; k < (at + 1) * b->size; k++) {
                double u = rt_real_get(m, b->numbers, k);
                if (is_wide(at % d->n_draws)) {
                    rt_real_set(m, b->numbers, k, WIDTH * u);
                    u = rt_real_get(m, b->numbers, k);
                }
                d->note[at] += 0.5 * u * u * (1 - 1 / (WIDTH * WIDTH)) - log(WIDTH);
            }
    }
    for (int64_t at = 0; at < n * d->n_draws && d->n_bases; at++)
        d->note[at] = log_mixed(d->share, d->note[at]);
}

double rt_defensive_weight(const RtDefensive *d, const RtLogs *logs, int64_t at) {
    double weight = rt_log_weight(d->s->model, logs, at) - d->note[at];
    bool overflow = isnan(weight) || weight == INFINITY;
    return overflow && is_wide(at % d->n_draws) ? -INFINITY : weight;
}
