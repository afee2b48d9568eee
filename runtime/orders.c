/* orders.c -- see orders.h.
 *
 * The density p(data, z) is the same in every order of the components, so that the expectation of
 * log p - log q_mix over q_mix is that over q: draws need not be put into random orders for a
 * bound, only to be shown. log q at the orders that the guide did not draw comes from program
 * density, one run for each; at its own it is the guide's, as ever.
 *
 * Where components may be exchanged in each instance of a plate by itself there are (K!)^n orders.
 * The guide is a product over instances given the rest (program density says the instances' parts
 * only where it is), and so is the mixture: each instance has a mean over its own K! orders.
 */
#include "runtime/orders.h"

#include "runtime/psis.h"
#include "runtime/random.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

struct RtOrders {
    RtSession *s;
    const RtData *data;
    int64_t n_draws;
    int64_t n_orders, instances; /* instances: of `plate`; 1 without */
    int plate;                   /* in whose instances each has an order of its own; or -1 */
    int64_t **source;     /* by variable that moves: [order][event], where an entry comes from */
    int64_t **outer;      /* by variable that moves, by instance: in which of `instances` it is */
    const void **drawn;   /* by variable: latents, as the guide drew them */
    void **arranged;      /* by variable: the same in some order; inputs of density */
    const void **derived; /* by variable: what density says of them */
    int64_t *order;       /* [block, S, instances] */
    const void *own, *log_q, *part; /* of the guide; of density, and of instances */
    double *sum, *first; /* [block, S, instances]: log of the sum over orders; its first term */
    void *mixed;         /* [block, S] */
    int64_t not_numbers;
    RtCall *density;
    RtBinding *inputs;
    RtFeed *feed;
};

/* ---- can it be had? ---- */

int64_t rt_orders_count(const RtModel *m) {
    int64_t orders = 1;
    for (int i = 0; i < m->n_symmetries; i++)
        for (int64_t k = 2; k <= m->symmetries[i].components && orders <= AV_MAX_ORDERS; k++)
            orders *= k;
    return orders;
}

const char *rt_orders_reason(const RtSession *s) {
    const RtModel *m = s->model;
    const RtProgram *density = rt_program(m, "density");
    if (!m->n_symmetries) return "no components of this model may be exchanged";
    if (rt_orders_count(m) > AV_MAX_ORDERS)
        return rt_printf(s->mem, "components may be in more than %d orders", AV_MAX_ORDERS);
    if (!density)
        return "a flow of this guide has no inverse in one pass (compile with --objective "
               "forward-kl, and train by any)";
    for (int i = 0; i < m->n_symmetries; i++) {
        int plate = m->symmetries[i].plate;
        if (plate < 0) continue;
        const char *name = m->plates[plate].name;
        if (m->n_symmetries > 1)
            return rt_printf(s->mem, "several sets of components, one in instances of plate %s",
                             name);
        const char *output = rt_printf(s->mem, "log_q:%s", name);
        if (!rt_output(density, output, strlen(output)))
            return rt_printf(s->mem,
                             "components are exchanged in each instance of plate %s by itself, and "
                             "the guide is no product over these",
                             name);
    }
    return NULL;
}

bool rt_orders_choose(RtSession *s, bool mixed_unless_said, bool *mixed, RtError *error) {
    const char *said = s->options->labels, *reason = rt_orders_reason(s);
    bool inner = s->options->inner > 0;
    *mixed = said ? !strcmp(said, "mixture") : mixed_unless_said && !reason && !inner;
    if (said && !*mixed && strcmp(said, "one"))
        return rt_error(error, "--labels %s\n  expected  one or mixture", said);
    if (*mixed && reason) return rt_error(error, "--labels mixture: %s", reason);
    if (*mixed && inner)
        return rt_error(error, "--labels mixture: --inner weighs latents of one order\n  expected  "
                               "one of the two options");
    return true;
}

const char *rt_orders_json(const RtModel *m, bool mixed) {
    if (!m->n_symmetries) return "";
    return mixed ? "\"labels\": \"mixture\", " : "\"labels\": \"one\", ";
}

/* ---- orders ---- */

/* Permutation number `index` of 0 .. n - 1; number 0 leaves all where they are. */
static void permutation(int64_t index, int64_t n, int64_t *to) {
    for (int64_t k = 0; k < n; k++) to[k] = k;
    for (int64_t k = 0; k < n; k++) {
        int64_t pick = k + index % (n - k), moved = to[pick];
        index /= n - k;
        for (int64_t i = pick; i > k; i--) to[i] = to[i - 1];
        to[k] = moved;
    }
}

static int64_t factorial(int64_t n) {
    return n < 2 ? 1 : n * factorial(n - 1);
}

/* Entries of an event along dimension `dim`, permuted: source[k] becomes where entry k comes from.
 */
static void exchange(const RtVar *v, int dim, const int64_t *to, int64_t *source, RtMem *mem) {
    int64_t *old = rt_alloc(mem, v->event, sizeof *old), inner = 1;
    memcpy(old, source, (size_t)v->event * sizeof *old);
    for (int i = dim + 1; i < v->n_dims; i++) inner *= v->dims[i];
    for (int64_t k = 0; k < v->event; k++) {
        int64_t at = k / inner % v->dims[dim];
        source[k] = old[k + (to[at] - at) * inner];
    }
}

/* In which instance of the orders' plate each instance of a variable that moves is. */
static int64_t *outer_instances(const RtOrders *l, const RtVar *v) {
    int64_t n = rt_var_instances(v, &l->data->sizes), index[RT_MAX_PLATES], among[RT_MAX_PLATES];
    int64_t *outer = rt_alloc(l->s->mem, n, sizeof *outer);
    for (int64_t k = 0; k < n && l->plate >= 0; k++) {
        rt_var_place(v, &l->data->sizes, k, index, among);
        for (int i = 0; i < v->n_plates; i++)
            if (v->plates[i] == l->plate) outer[k] = among[i];
    }
    return outer;
}

static void find_sources(RtOrders *l) {
    const RtModel *m = l->s->model;
    RtMem *own = rt_mem_new();
    for (int64_t order = 0; order < l->n_orders; order++) {
        int64_t index = order, to[AV_MAX_ORDERS];
        for (int i = 0; i < m->n_symmetries; i++) {
            const RtSymmetry *y = &m->symmetries[i];
            int64_t each = factorial(y->components);
            permutation(index % each, y->components, to);
            index /= each;
            for (int k = 0; k < y->n_moved; k++) {
                const RtVar *v = &m->vars[y->moved[k]];
                int64_t **all = &l->source[y->moved[k]];
                if (!*all) {
                    l->outer[y->moved[k]] = outer_instances(l, v);
                    *all = rt_alloc(l->s->mem, l->n_orders * v->event, sizeof **all);
                    for (int64_t e = 0; e < l->n_orders * v->event; e++) (*all)[e] = e % v->event;
                }
                exchange(v, y->dim[k], to, *all + order * v->event, own);
            }
        }
    }
    rt_mem_free(own);
}

/* Every draw in the order that l->order says. */
static void arrange(RtOrders *l, int64_t n) {
    const RtModel *m = l->s->model;
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        if (v->kind != RT_LATENT) continue;
        int64_t copies = n * l->n_draws, size = rt_var_size(v, &l->data->sizes);
        const char *from = l->drawn[i];
        char *to = l->arranged[i];
        if (!l->source[i]) {
            memcpy(to, from, (size_t)(copies * size) * m->real);
            continue;
        }
        int64_t count = size / v->event;
        for (int64_t c = 0; c < copies * count; c++) {
            int64_t at = c / count * l->instances + l->outer[i][c % count];
            const int64_t *source = l->source[i] + l->order[at] * v->event;
            for (int64_t e = 0; e < v->event; e++)
                memcpy(to + (size_t)(c * v->event + e) * m->real,
                       from + (size_t)(c * v->event + source[e]) * m->real, m->real);
        }
    }
}

/* ---- memory ---- */

RtOrders *rt_orders_new(RtSession *s, const RtData *data, int64_t block, int64_t n_draws,
                        const float *weights, RtCall *call) {
    const RtModel *m = s->model;
    RtMem *mem = s->mem;
    RtOrders *l = rt_alloc(mem, 1, sizeof *l);
    *l = (RtOrders){.s = s, .data = data, .n_draws = n_draws, .plate = -1, .instances = 1};
    for (int i = 0; i < m->n_symmetries; i++)
        if (m->symmetries[i].plate >= 0) l->plate = m->symmetries[i].plate;
    if (l->plate >= 0) l->instances = rt_instances(m, &data->sizes, l->plate);
    l->n_orders = rt_orders_count(m);
    l->density = rt_call_new(mem, m, "density", s->pool, &data->sizes, block, n_draws);
    l->source = rt_alloc(mem, m->n_vars, sizeof *l->source);
    l->outer = rt_alloc(mem, m->n_vars, sizeof *l->outer);
    l->drawn = rt_alloc(mem, m->n_vars, sizeof *l->drawn);
    l->arranged = rt_alloc(mem, m->n_vars, sizeof *l->arranged);
    l->derived = rt_alloc(mem, m->n_vars, sizeof *l->derived);
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        if (v->kind == RT_QUANTITY || v->kind == RT_DISCRETE)
            l->derived[i] = rt_call_want(l->density, v->name);
        if (v->kind != RT_LATENT) continue;
        l->drawn[i] = rt_call_want(call, v->name);
        l->arranged[i] = rt_alloc(mem, block * n_draws * rt_var_size(v, &data->sizes), m->real);
        rt_call_bind(l->density, v->name, l->arranged[i]);
    }
    find_sources(l);
    int64_t n = block * n_draws * l->instances;
    l->order = rt_alloc(mem, n, sizeof *l->order);
    l->sum = rt_alloc(mem, n, sizeof *l->sum);
    l->first = rt_alloc(mem, n, sizeof *l->first);
    l->mixed = rt_alloc(mem, block * n_draws, m->real);
    l->own = rt_logs_want(call).q;
    l->log_q = l->part = rt_call_want(l->density, "log_q");
    if (l->plate >= 0)
        l->part = rt_call_want(l->density, rt_printf(mem, "log_q:%s", m->plates[l->plate].name));
    l->inputs = rt_bind_state(mem, m, s->state, weights, l->density);
    l->feed = rt_feed_new(mem, m, l->density, &data->sizes, block);
    rt_call_ready(l->density);
    return l;
}

/* ---- a run ---- */

static void run_density(RtOrders *l, int64_t first, int64_t n) {
    const uint32_t key[2] = {l->s->seed, RT_FOR_LABELS}; /* it draws nothing */
    arrange(l, n);
    rt_call_run(l->density, key, 0, (uint32_t)first, n);
}

static double log_add(double a, double b) {
    double most = fmax(a, b);
    return most == -INFINITY ? most : most + log1p(exp(fmin(a, b) - most));
}

/* Adds the terms of one order, the guide's own first. */
static void add_terms(RtOrders *l, int64_t n, int64_t order, const void *terms) {
    for (int64_t i = 0; i < n * l->n_draws * l->instances; i++) {
        double term = rt_real_get(l->s->model, terms, i);
        if (!order) {
            l->sum[i] = l->first[i] = term;
        } else if (isnan(term)) {
            l->not_numbers++;
        } else {
            l->sum[i] = log_add(l->sum[i], term);
        }
    }
}

static void sum_orders(RtOrders *l, int64_t first, int64_t n) {
    const int64_t all = n * l->n_draws * l->instances;
    for (int64_t order = 0; order < l->n_orders; order++) {
        bool own = !order && l->plate < 0;
        for (int64_t i = 0; i < all; i++) l->order[i] = order;
        if (!own) run_density(l, first, n);
        add_terms(l, n, order, own ? l->own : l->part);
    }
    for (int64_t j = 0; j < n * l->n_draws; j++) {
        double log_q = rt_real_get(l->s->model, l->own, j);
        for (int64_t i = j * l->instances; i < (j + 1) * l->instances; i++)
            log_q += l->sum[i] - l->first[i] - log((double)l->n_orders);
        rt_real_set(l->s->model, l->mixed, j, log_q);
    }
}

static void warn(RtOrders *l) {
    if (l->not_numbers)
        fprintf(stderr,
                "warning: log q of %" PRId64
                " draws in an order other than their own is beyond this program's numbers and "
                "counts as nothing: each may raise its weight by up to log %" PRId64 "\n",
                l->not_numbers, l->n_orders);
    l->not_numbers = 0;
}

void rt_orders_run(RtOrders *l, int64_t first, int64_t n, bool draws) {
    rt_binding_refresh(l->inputs);
    rt_feed_load(l->feed, l->data, first, n);
    sum_orders(l, first, n);
    warn(l);
    if (!draws) return;
    const uint32_t key[2] = {l->s->seed, RT_FOR_LABELS};
    const int64_t each = l->n_draws * l->instances;
    for (int64_t i = 0; i < n * each; i++) {
        const uint32_t count[4] = {0, (uint32_t)(first + i / each), (uint32_t)(i % each), 0};
        uint32_t word[4];
        av_philox(key, count, word);
        l->order[i] = (int64_t)((uint64_t)word[0] * (uint64_t)l->n_orders >> 32);
    }
    run_density(l, first, n);
}

const void *rt_orders_log_q(const RtOrders *l) {
    return l->mixed;
}

bool rt_orders_apart(const RtOrders *l) {
    return l->plate >= 0;
}

const void *rt_orders_draws(const RtOrders *l, int variable) {
    return l->s->model->vars[variable].kind == RT_LATENT ? l->arranged[variable]
                                                         : l->derived[variable];
}
