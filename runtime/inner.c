/* inner.c -- see inner.h.
 *
 * Given the latents t outside all plates, the instances g of a plate around nothing else are
 * independent, in the model and in the guide (program posterior has an output "local:PLATE" where
 * they are). So
 *
 *     p(data | t) = prod over g of p(x_g | t) ~ prod over g of mean over k of exp l_gk
 *
 * with l_gk = log p(x_g, z_gk | t) - log q(z_gk | t, data) at k draws of each instance: the weight
 * of t, p(t) p(data | t) / q(t), has an unbiased estimate, in which the errors of instances are
 * averaged over k before they are multiplied. A joint weight multiplies them as they are, and the
 * more instances there are the heavier its tail.
 *
 * Of the k draws of an instance one is chosen, in proportion to exp l_gk: with it, the weighted
 * draws are of the joint posterior (importance sampling on t, all k draws and the choice, whose
 * marginal they are). Base draws are ours, so that the chosen ones can be run once more together.
 */
#include "runtime/inner.h"

#include "runtime/bases.h"
#include "runtime/psis.h"
#include "runtime/random.h"

#include <math.h>
#include <string.h>

enum { MOST_DRAWS = 4096 /* in one call: whole outer draws, one at least */ };

typedef struct Base {
    RtBase of;
    int64_t size;       /* numbers of one draw */
    void *all, *chosen; /* [block x k, size], [n_draws, size]; the model's real type */
} Base;

typedef struct Local {
    int plate;
    const void *values; /* [block x k, instances] */
} Local;

struct RtInner {
    RtSession *s;
    const RtData *data;
    int64_t n_draws, k, block; /* block: outer draws in one call */
    int n_bases, n_locals;
    Base *bases;
    Local *locals;
    RtCall *call;
    RtBinding *inputs;
    RtFeed *feed;
    RtLogs logs;
    double *weight, *plain;
};

/* Steps of the random numbers beyond those of blocks. */
static const uint32_t CHOICES = UINT32_MAX;

static Local *local_of(const RtInner *in, int plate) {
    for (int i = 0; i < in->n_locals; i++)
        if (in->locals[i].plate == plate) return &in->locals[i];
    return NULL;
}

/* Numbers of the first `instances` of its outermost plate. */
static int64_t numbers_before(const RtInner *in, const Base *base, int64_t instances) {
    for (int i = 0; i < base->of.n_inside; i++)
        instances = rt_instances_in(&in->data->sizes, base->of.inside[i], instances);
    return instances * base->of.event;
}

static bool find_bases(RtInner *in, RtError *error) {
    const RtModel *m = in->s->model;
    RtBase *all;
    in->n_bases = rt_bases_find(in->s->mem, m, &all);
    in->bases = rt_alloc(in->s->mem, in->n_bases, sizeof *in->bases);
    for (int i = 0; i < in->n_bases; i++) {
        Base *base = &in->bases[i];
        int plate = all[i].plate;
        base->of = all[i];
        base->size = numbers_before(in, base, plate < 0 ? 1 : in->data->sizes.n[plate]);
        if (plate < 0 || local_of(in, plate)) continue;
        return rt_error(error,
                        "--inner: instances of plate %s depend on each other, whatever is outside "
                        "all plates\n  weight all latents together: without --inner",
                        m->plates[plate].name);
    }
    return true;
}

static bool find_locals(RtInner *in, RtError *error) {
    const RtModel *m = in->s->model;
    in->locals = rt_alloc(in->s->mem, m->n_plates, sizeof *in->locals);
    for (int i = 0; i < m->n_plates; i++) {
        const char *name = rt_printf(in->s->mem, "local:%s", m->plates[i].name);
        const void *values = rt_call_want(in->call, name);
        if (values) in->locals[in->n_locals++] = (Local){i, values};
    }
    if (!find_bases(in, error)) return false;
    if (in->n_locals) return true;
    return rt_error(error, "--inner: no latent of this model is in a plate");
}

RtInner *rt_inner_new(RtSession *s, const RtData *data, const float *weights, int64_t n_draws,
                      int64_t k, RtError *error) {
    const RtModel *m = s->model;
    RtInner *in = rt_alloc(s->mem, 1, sizeof *in);
    *in = (RtInner){.s = s, .data = data, .n_draws = n_draws, .k = k};
    in->block = k < MOST_DRAWS ? MOST_DRAWS / k : 1;
    if (in->block > n_draws) in->block = n_draws;
    in->call = rt_call_new(s->mem, m, "posterior", s->pool, &data->sizes, 1, in->block * k);
    if (!find_locals(in, error)) return NULL;
    for (int i = 0; i < in->n_bases; i++) {
        Base *base = &in->bases[i];
        base->all = rt_alloc(s->mem, in->block * k * base->size, m->real);
        base->chosen = rt_alloc(s->mem, n_draws * base->size, m->real);
        rt_call_bind(in->call, base->of.name, base->all);
    }
    in->logs = rt_logs_want(in->call);
    in->inputs = rt_bind_state(s->mem, m, s->state, weights, in->call);
    in->feed = rt_feed_new(s->mem, m, in->call, &data->sizes, 1);
    in->weight = rt_alloc(s->mem, n_draws, sizeof *in->weight);
    in->plain = rt_alloc(s->mem, n_draws, sizeof *in->plain);
    rt_call_ready(in->call);
    return in;
}

void rt_inner_bind(const RtInner *in, RtCall *call) {
    for (int i = 0; i < in->n_bases; i++)
        rt_call_bind(call, in->bases[i].of.name, in->bases[i].chosen);
}

const double *rt_inner_weights(const RtInner *in) {
    return in->weight;
}

const double *rt_inner_plain(const RtInner *in) {
    return in->plain;
}

static char *numbers_at(const RtInner *in, void *array, int64_t at) {
    return (char *)array + (size_t)at * in->s->model->real;
}

/* Base draws of a block: of what is outside all plates one for each outer draw, k times. */
static void draw_bases(RtInner *in, int64_t set, uint32_t block) {
    const RtModel *m = in->s->model;
    for (int i = 0; i < in->n_bases; i++) {
        const Base *base = &in->bases[i];
        bool outside = base->of.plate < 0;
        int64_t repeat = outside ? in->k : 1;
        av_random r = {.key = {in->s->seed, RT_FOR_INNER},
                       .step = block,
                       .data0 = (uint32_t)set,
                       .site = (uint32_t)i,
                       .n_data = 1,
                       .n_draw = in->block * in->k / repeat,
                       .n_inst = base->size,
                       .s_draw = base->size * repeat,
                       .s_inst = 1};
        rt_base_fill(m, r, base->all);
        for (int64_t j = 0; outside && j < in->block * in->k; j++)
            if (j % in->k)
                memcpy(numbers_at(in, base->all, j * base->size),
                       numbers_at(in, base->all, (j - j % in->k) * base->size),
                       (size_t)base->size * m->real);
    }
}

/* Base draws of instance g of `plate` in outer draw `to`, taken from draw `from` of the block. */
static void choose(RtInner *in, int plate, int64_t g, int64_t from, int64_t to) {
    for (int i = 0; i < in->n_bases; i++) {
        const Base *base = &in->bases[i];
        if (base->of.plate != plate) continue;
        int64_t at = numbers_before(in, base, g), n = numbers_before(in, base, g + 1) - at;
        memcpy(numbers_at(in, base->chosen, to * base->size + at),
               numbers_at(in, base->all, from * base->size + at), (size_t)n * in->s->model->real);
    }
}

/* One instance: log of the mean over its k draws of exp l, from draw `first` of the block on; *pick
 * is one of them, in proportion; *sum gets the sum of all l. */
static double mean_of(const RtInner *in, const Local *local, int64_t first, int64_t g, double u,
                      int64_t *pick, double *sum) {
    const RtModel *m = in->s->model;
    const int64_t instances = in->data->sizes.n[local->plate];
    double most = -INFINITY, total = 0, below = 0;
    for (int64_t j = 0; j < in->k; j++) {
        double l = rt_real_get(m, local->values, (first + j) * instances + g);
        most = fmax(most, l);
        *sum += l;
    }
    for (int64_t j = 0; j < in->k; j++)
        total += exp(rt_real_get(m, local->values, (first + j) * instances + g) - most);
    *pick = in->k - 1;
    for (int64_t j = 0; j < in->k; j++) {
        below += exp(rt_real_get(m, local->values, (first + j) * instances + g) - most);
        if (below < u * total) continue;
        *pick = j;
        break;
    }
    return most + log(total / (double)in->k);
}

/* Outer draw `draw`, whose k draws begin at `first` of the block. */
static void weigh(RtInner *in, int64_t set, int64_t draw, int64_t first) {
    const RtModel *m = in->s->model;
    const uint32_t key[2] = {in->s->seed, RT_FOR_INNER};
    double whole = 0, locals = 0, weight = 0;
    for (int64_t j = first; j < first + in->k; j++) whole += rt_log_weight(m, &in->logs, j);
    choose(in, -1, 0, first, draw);
    for (int i = 0; i < in->n_locals; i++) {
        const Local *local = &in->locals[i];
        for (int64_t g = 0; g < in->data->sizes.n[local->plate]; g++) {
            uint32_t word[4];
            const uint32_t count[4] = {CHOICES, (uint32_t)set, (uint32_t)draw,
                                       (uint32_t)(g * m->n_plates + local->plate)};
            int64_t pick;
            av_philox(key, count, word);
            weight += mean_of(in, local, first, g, (double)word[0] / 4294967296.0, &pick, &locals);
            choose(in, local->plate, g, first + pick, draw);
        }
    }
    in->plain[draw] = whole / (double)in->k;
    in->weight[draw] = weight + (whole - locals) / (double)in->k;
}

void rt_inner_run(RtInner *in, int64_t set) {
    const uint32_t key[2] = {in->s->seed, RT_FOR_INNER};
    rt_binding_refresh(in->inputs);
    rt_feed_load(in->feed, in->data, set, 1);
    for (int64_t first = 0; first < in->n_draws; first += in->block) {
        draw_bases(in, set, (uint32_t)(first / in->block));
        rt_call_run(in->call, key, 0, (uint32_t)set, 1);
        for (int64_t j = 0; j < in->block && first + j < in->n_draws; j++)
            weigh(in, set, first + j, j * in->k);
    }
}
