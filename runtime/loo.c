/* loo.c -- the command `loo`: leave-one-group-out predictive densities.
 *
 * Draws (t, z) of the guide, t outside all plates, z_g in instance g, have log weights
 * w = log p(y, t, z) - log q(t, z | y). Program posterior says of instance g
 *
 *     l_g = log p(y_g, z_g | t) - log q(z_g | t, y)          (output "local:PLATE")
 *
 * and exp(w - l_g) is the weight of (t, z without z_g) as a draw of the posterior without y_g,
 * times q(z_g | t, y), which integrates to 1: its mean is p(y without y_g). So
 *
 *     elpd_g = log p(y_g | y without y_g) = log mean exp w - log mean exp (w - l_g)
 *
 * in which z_g is integrated out; both means are Pareto-smoothed, and k-hat of the second says
 * whether the draws reach the posterior without y_g. Where it does not, or where the program has no
 * such output (no latent is in the plate, or it crosses another one), the guide is run on the data
 * without instance g: the same ratio of evidences, from draws of its own, on the same base draws
 * outside all plates.
 *
 * Monte Carlo error: of a ratio of means a_j and b_j with mean 1 by draw, sd(a - b) / sqrt S. */
#include "runtime/posterior.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_GROUPS = 12, DRAWS = 4000 };

typedef struct Group {
    int64_t at; /* instance */
    double elpd, error, khat;
    bool removed; /* the data without it were looked at; else weighted draws */
} Group;

/* Program posterior on the data without one instance. */
typedef struct Removal {
    RtCall *call;
    RtBinding *inputs;
    RtFeed *feed;
    RtLogs logs;
    RtData data;
} Removal;

typedef struct Loo {
    RtSession *s;
    RtPosterior p;
    RtElbo whole;
    int plate;
    int64_t n; /* instances */
    Group *groups;
    Removal *removal;         /* made when it is first needed */
    double *weights, *share;  /* [S]: log weights without an instance; smoothed */
    double *own, *difference; /* [S]: a - b of the last instance; its sum over instances */
} Loo;

/* ---- the data without an instance ---- */

/* Is it of pairs of which the plate's instance is the second? */
static bool is_across(const Loo *l, const RtVar *v) {
    const int cross = rt_cross_of(l->s->model, v);
    return cross >= 0 && l->s->model->plates[cross].across == l->plate;
}

static bool in_plate(const Loo *l, const RtVar *v) {
    return v->n_plates && (v->plates[0] == l->plate || is_across(l, v));
}

static void new_removal(Loo *l) {
    RtSession *s = l->s;
    const RtModel *m = s->model;
    Removal *r = rt_alloc(s->mem, 1, sizeof *r);
    r->data = (RtData){.n_sets = 1, .values = rt_alloc(s->mem, m->n_vars, sizeof(double *))};
    const RtSizes *all = &l->p.data.sizes; /* room for all; a run then has one instance less */
    r->data.sizes = *all;
    rt_sizes_room(s->mem, m, all, &r->data.sizes);
    for (int i = 0; i < m->n_vars; i++) {
        if (!l->p.data.values[i]) continue;
        int64_t size = rt_var_size(&m->vars[i], all);
        r->data.values[i] =
            in_plate(l, &m->vars[i]) ? rt_alloc(s->mem, size, sizeof(double)) : l->p.data.values[i];
    }
    r->call = rt_call_new(s->mem, m, "posterior", s->pool, all, 1, l->p.n_draws);
    r->logs = rt_logs_want(r->call);
    const float *weights = l->p.refine ? rt_refine_weights(l->p.refine) : s->state->average;
    r->inputs = rt_bind_state(s->mem, m, s->state, weights, r->call);
    r->feed = rt_feed_new(s->mem, m, r->call, all, 1);
    rt_defensive_bind(l->p.defensive, r->call);
    rt_call_ready(r->call);
    rt_binding_refresh(r->inputs);
    l->removal = r;
}

/* Sizes without instance g, and by plate in it the instances that g holds, from..to. */
static void sizes_without(const Loo *l, int64_t g, RtSizes *sizes, int64_t *from, int64_t *to) {
    const RtModel *m = l->s->model;
    const RtSizes *all = &l->p.data.sizes;
    for (int i = 0; i < m->n_plates; i++) { /* parents first */
        int parent = m->plates[i].parent;
        const int64_t *first = all->first[i];
        from[i] = i == l->plate ? g : parent < 0 ? 0 : from[parent];
        to[i] = i == l->plate ? g + 1 : parent < 0 ? 0 : to[parent];
        sizes->n[i] = all->n[i] - (rt_counts(m, i) == l->plate);
        if (i == l->plate || parent < 0) continue;
        int64_t parents = rt_instances(m, all, parent), kept = 0, lost_from = from[i],
                lost_to = to[i];
        from[i] = rt_instances_in(all, i, lost_from);
        to[i] = rt_instances_in(all, i, lost_to);
        for (int64_t k = 0; first && k < parents; k++) {
            if (k >= lost_from && k < lost_to) continue;
            sizes->first[i][kept + 1] = sizes->first[i][kept] + first[k + 1] - first[k];
            kept++;
        }
    }
}

/* What an array has without the numbers from..until of each stretch of n. */
static void copy_without(double *to, const double *values, int64_t all, int64_t n, int64_t from,
                         int64_t until) {
    for (int64_t at = 0; at < all; at += n) {
        memcpy(to, values + at, (size_t)from * sizeof *to);
        memcpy(to + from, values + at + until, (size_t)(n - until) * sizeof *to);
        to += n - (until - from);
    }
}

/* Into l->weights: log p - log q of draws given the data without instance g. */
static void weigh_without(Loo *l, int64_t g) {
    const RtModel *m = l->s->model;
    const uint32_t key[2] = {l->s->seed, RT_FOR_POSTERIOR};
    if (!l->removal) new_removal(l);
    Removal *r = l->removal;
    int64_t lost_from[RT_MAX_PLATES], lost_to[RT_MAX_PLATES];
    sizes_without(l, g, &r->data.sizes, lost_from, lost_to);
    rt_call_resize(r->call, &r->data.sizes);
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        if (!r->data.values[i] || !in_plate(l, v)) continue;
        int plate = v->plates[v->n_plates - 1];
        int64_t all = rt_var_size(v, &l->p.data.sizes), stretch = all;
        int64_t a = lost_from[plate] * v->event, b = lost_to[plate] * v->event;
        if (is_across(l, v))
            stretch = l->p.data.sizes.n[plate] * v->event, a = g * v->event, b = a + v->event;
        copy_without(r->data.values[i], l->p.data.values[i], all, stretch, a, b);
    }
    rt_feed_load(r->feed, &r->data, 0, 1);
    rt_call_run(r->call, key, 0, 0, 1);
    for (int64_t j = 0; j < l->p.n_draws; j++)
        l->weights[j] = rt_defensive_weight(l->p.defensive, &r->logs, j);
}

/* ---- one instance ---- */

/* From l->weights; into l->own: a - b. */
static Group group_of(Loo *l, int64_t g) {
    const int64_t n = l->p.n_draws;
    RtElbo without = rt_elbo(l->weights, n, l->share);
    double squares = 0;
    for (int64_t j = 0; j < n; j++) {
        double a = exp(l->p.log_share[j]) * (double)n, b = exp(l->share[j] - without.evidence);
        squares += (a - b) * (a - b);
        l->own[j] = a - b;
    }
    return (Group){.at = g,
                   .elpd = l->whole.evidence - without.evidence,
                   .error = sqrt(squares / (double)(n - 1) / (double)n),
                   .khat = without.khat};
}

static void take_group(Loo *l, int64_t g) {
    const RtModel *m = l->s->model;
    const int64_t n = l->p.n_draws;
    bool may_remove = !rt_plate_fixed(m, l->plate);
    Group *group = &l->groups[g];
    if (l->p.local) {
        for (int64_t j = 0; j < n; j++) {
            double whole = l->p.log_weights[j], own = rt_real_get(m, l->p.local, j * l->n + g);
            l->weights[j] = whole == -INFINITY ? whole : whole - own;
        }
        *group = group_of(l, g);
    }
    if (may_remove && !(l->p.local && group->khat <= rt_khat_limit(n))) {
        weigh_without(l, g);
        *group = group_of(l, g);
        group->removed = true;
    }
    for (int64_t j = 0; j < n; j++) l->difference[j] += l->own[j];
}

/* ---- the answer ---- */

typedef struct Total {
    double elpd, se, error, khat; /* khat: the largest */
    int64_t removed, beyond;      /* instances; beyond: with too large a k-hat */
} Total;

static Total total_of(const Loo *l) {
    const double n = (double)l->n, draws = (double)l->p.n_draws;
    Total t = {.khat = l->whole.khat};
    double squares = 0;
    for (int64_t g = 0; g < l->n; g++) {
        const Group *group = &l->groups[g];
        t.elpd += group->elpd;
        t.removed += group->removed;
        t.beyond += !(group->khat <= rt_khat_limit(l->p.n_draws));
        if (isnan(group->khat) || group->khat > t.khat) t.khat = group->khat;
    }
    for (int64_t g = 0; g < l->n; g++)
        squares += (l->groups[g].elpd - t.elpd / n) * (l->groups[g].elpd - t.elpd / n);
    t.se = n > 1 ? sqrt(n * squares / (n - 1)) : NAN;
    for (int64_t j = 0; j < l->p.n_draws; j++) t.error += l->difference[j] * l->difference[j];
    t.error = sqrt(t.error / (draws - 1) / draws);
    return t;
}

static int worst_first(const void *a, const void *b) {
    const Group *x = a, *y = b;
    if (x->elpd != y->elpd) return x->elpd < y->elpd ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static const char *label_of(const Loo *l, const Group *group) {
    char **labels = l->p.data.labels[l->plate];
    return labels ? labels[group->at] : "";
}

static void show(Loo *l, const Total *t) {
    const char *plate = l->s->model->plates[l->plate].name;
    const double limit = rt_khat_limit(l->p.n_draws);
    const char *why, *verdict;
    char name[100];
    qsort(l->groups, (size_t)l->n, sizeof *l->groups, worst_first);
    printf("%-32s %10s %9s %7s\n", "", "elpd", "mcse", "k-hat");
    for (int64_t i = 0; i < l->n && i < SHOWN_GROUPS; i++) {
        const Group *group = &l->groups[i];
        snprintf(name, sizeof name, "%.30s[%" PRId64 "]  %.24s", plate, group->at,
                 label_of(l, group));
        printf("%-32s %10.3f %9.3f %7.2f%s\n", name, group->elpd, group->error, group->khat,
               group->removed ? "  taken out" : "");
    }
    if (l->n > SHOWN_GROUPS)
        printf("... %" PRId64 " more, which are predicted better\n", l->n - SHOWN_GROUPS);
    printf("elpd %.2f nats (se %.2f over %" PRId64 " instances of %s, Monte Carlo error %.3f)\n",
           t->elpd, t->se, l->n, plate, t->error);
    verdict = rt_verdict(t->khat, l->p.n_draws, l->p.method, true, &why);
    printf("largest k-hat %.2f (trust up to %.2f): %s", t->khat, limit, verdict);
    if (t->beyond) printf(", in %" PRId64 " instances: train longer, or loo --refine", t->beyond);
    printf("\n%" PRId64 " draws, seed %" PRIu32 ", %" PRId64 " instances taken out, %.1f s\n",
           l->p.n_draws, l->s->seed, t->removed, rt_seconds() - l->s->started);
}

static void print_json(const Loo *l, const Total *t) {
    RtBytes out = {0};
    rt_bytes_printf(&out, "{\"by\": \"%s\", \"draws\": %" PRId64,
                    l->s->model->plates[l->plate].name, l->p.n_draws);
    rt_json_field(&out, ", ", "elpd", t->elpd);
    rt_json_field(&out, ", ", "se", t->se);
    rt_json_field(&out, ", ", "mcse", t->error);
    rt_json_field(&out, ", ", "khat", t->khat);
    rt_bytes_printf(&out, ", \"groups\": [");
    for (int64_t g = 0; g < l->n; g++) {
        const Group *group = &l->groups[g];
        rt_bytes_printf(&out, "%s{\"label\": ", g ? ", " : "");
        if (l->p.data.labels[l->plate])
            rt_json_string(&out, label_of(l, group));
        else
            rt_bytes_printf(&out, "null");
        rt_json_field(&out, ", ", "elpd", group->elpd);
        rt_json_field(&out, ", ", "mcse", group->error);
        rt_json_field(&out, ", ", "khat", group->khat);
        rt_bytes_printf(&out, ", \"removed\": %s}", group->removed ? "true" : "false");
    }
    rt_bytes_printf(&out, "], \"method\": \"%s\", ", rt_method_names[l->p.method]);
    rt_json_settings(&out, l->s, l->p.n_draws);
    printf("%s}\n", out.data);
    rt_bytes_free(&out);
}

/* ---- the command ---- */

/* The plate of --by: one that stands in no other. */
static bool find_plate(const RtModel *m, const char *by, int *plate, RtError *error) {
    RtBytes outer = {0};
    for (int i = 0; i < m->n_plates; i++)
        if (m->plates[i].parent < 0)
            rt_bytes_printf(&outer, "%s--by %s", outer.n ? " or " : "", m->plates[i].name);
    *plate = by ? rt_plate(m, by) : -1;
    bool inner = *plate >= 0 && m->plates[*plate].parent >= 0;
    bool good = *plate >= 0 && !inner;
    if (!good)
        rt_error(
            error, "%s%s%s\n  expected  %.300s", by ? "--by " : "loo needs the plate",
            by ? by : " whose instances are left out",
            !by ? ""
            : inner
                ? ": it stands in another plate; what is left out are instances of an outermost one"
                : ": the model has no such plate",
            outer.n ? outer.data : "a model with plates");
    rt_bytes_free(&outer);
    return good;
}

static bool is_crossed(const RtModel *m, int plate) {
    for (int i = 0; i < m->n_plates; i++)
        if (m->plates[i].across >= 0 &&
            (m->plates[i].across == plate || m->plates[i].parent == plate))
            return true;
    return false;
}

/* Do instances of the plate depend on each other given what is outside? Then nothing can be left
 * out: program posterior has no local ratios although there are latents. Those of a plate that
 * crosses another one do so by the latents of the other, which stay; they can be taken out all the
 * same, unless the law of the others hangs on them: then no new ones can be predicted, either. */
static bool are_coupled(const Loo *l) {
    const RtModel *m = l->s->model;
    if (is_crossed(m, l->plate) && !l->p.local)
        return rt_plate_fixed(m, l->plate) || rt_text(m, "new");
    for (int i = 0; i < m->n_vars; i++)
        if (m->vars[i].kind == RT_LATENT && in_plate(l, &m->vars[i])) return !l->p.local;
    return rt_plate_fixed(m, l->plate) && !l->p.local;
}

int rt_command_loo(RtSession *s) {
    RtError error;
    RtOptions own = *s->options;
    Loo l = {.s = s};
    if (!find_plate(s->model, own.by, &l.plate, &error)) {
        rt_complain(&error);
        return 2;
    }
    if (own.draws < 0) own.draws = DRAWS;
    own.psis = true;
    s->options = &own;
    if (!rt_posterior_open(s, own.refine ? RT_REFINED : RT_AMORTISED, false, false, &l.p, &error))
        return rt_complain(&error);
    if (l.p.data.n_sets != 1)
        rt_error(&error, "%s: loo is of one data set, and here are %" PRId64, own.data,
                 l.p.data.n_sets);
    else if (are_coupled(&l))
        rt_error(&error,
                 "--by %s: its instances depend on each other given what is outside all plates, as "
                 "adavic --emit=analysis says of the model; none can be left out by itself",
                 own.by);
    else if ((l.n = l.p.data.sizes.n[l.plate]) < 2)
        rt_error(&error, "--by %s: here is one instance; nothing is left without it", own.by);
    else {
        l.groups = rt_alloc(s->mem, l.n, sizeof *l.groups);
        l.weights = rt_alloc(s->mem, l.p.n_draws, sizeof(double));
        l.share = rt_alloc(s->mem, l.p.n_draws, sizeof(double));
        l.own = rt_alloc(s->mem, l.p.n_draws, sizeof(double));
        l.difference = rt_alloc(s->mem, l.p.n_draws, sizeof(double));
        rt_posterior_run(&l.p, 0);
        l.whole = rt_posterior_weigh(&l.p, 0);
        for (int64_t g = 0; g < l.n; g++) take_group(&l, g);
        Total total = total_of(&l);
        if (s->options->json)
            print_json(&l, &total);
        else
            show(&l, &total);
        return 0;
    }
    return rt_complain(&error);
}
