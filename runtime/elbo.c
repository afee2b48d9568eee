/* elbo.c -- the command `elbo`: ELBO, importance-weighted evidence and k-hat of each data set.
 *
 * With w = log p(x, z) - log q(z | x) over S draws of q: ELBO = mean w, standard error sd(w) / sqrt
 * S. With v the weights w after Pareto smoothing (psis.c): log evidence = log mean exp v, standard
 * error sd(exp v) / (mean exp v sqrt S), ess = (sum exp v)^2 / sum exp 2v.
 *
 * Where components may be exchanged q is mixed over their orders, unless told otherwise: a guide in
 * one order sees one of the K! modes, so that its draws tell neither the evidence nor, by k-hat,
 * that they do not. */
#include "runtime/posterior.h"

#include <inttypes.h>
#include <math.h>

enum { SHOWN_SETS = 20 };

/* `one`: the ELBO in the one order that the guide finds, where q is mixed; else NULL. */
static void json_set(RtBytes *out, const RtElbo *e, const double *one, bool first) {
    const char *const names[] = {"elbo", "elbo_se", "log_evidence",  "log_evidence_se",
                                 "ess",  "khat",    "elbo_one_order"};
    const double values[] = {e->elbo, e->se,   e->evidence,   e->evidence_se,
                             e->ess,  e->khat, one ? *one : 0};
    rt_bytes_printf(out, "%s{", first ? "" : ", ");
    for (int i = 0; i < (one ? 7 : 6); i++) {
        rt_json_field(out, i ? ", " : "", names[i], values[i]);
    }
    rt_bytes_printf(out, "}");
}

static void show_set(int64_t set, const RtElbo *e) {
    if (!set)
        printf("%8s %14s %9s %14s %9s %9s %7s\n", "data set", "ELBO", "se", "log evidence", "se",
               "ess", "k-hat");
    printf("%8" PRId64 " %14.4f %9.4f %14.4f %9.4f %9.1f %7.2f\n", set, e->elbo, e->se, e->evidence,
           e->evidence_se, e->ess, e->khat);
}

/* The ELBO of draws of data set `set` of the block under the guide as it is. */
static double in_one_order(const RtPosterior *p, int64_t set) {
    RtLogs logs = p->logs;
    double sum = 0;
    logs.q = p->own_q;
    for (int64_t j = 0; j < p->n_draws; j++)
        sum += rt_log_weight(p->s->model, &logs, set * p->n_draws + j);
    return sum / (double)p->n_draws;
}

/* In which orders components are; nothing where none may be exchanged. */
static void orders(const RtPosterior *p, double mean_one) {
    const RtSession *s = p->s;
    if (p->labels) {
        int64_t n = rt_orders_count(s->model);
        printf("components in all %" PRId64 " orders%s; in the one that the guide finds %sELBO "
               "%.4f (--labels one)\n",
               n, rt_orders_apart(p->labels) ? " in each instance" : "",
               p->data.n_sets > 1 ? "mean " : "", mean_one);
        return;
    }
    const char *reason = rt_orders_reason(s);
    if (s->model->n_symmetries)
        printf("components in the one order that the guide finds%s%s\n",
               reason ? "; no other can be had: " : "", reason ? reason : "");
}

static void footer(const RtPosterior *p, double sum, double squares, double worst, double one) {
    int64_t n = p->data.n_sets;
    const char *why, *verdict = rt_verdict(worst, p->n_draws, RT_AMORTISED, false, &why);
    if (n > SHOWN_SETS) printf("... %" PRId64 " more data sets: --json has them\n", n - SHOWN_SETS);
    if (n > 1) {
        double mean = sum / (double)n, var = (squares - (double)n * mean * mean) / (double)(n - 1);
        printf("mean ELBO %.4f +- %.4f over %" PRId64 " data sets\n", mean,
               sqrt(fmax(var, 0) / (double)n), n);
    }
    orders(p, one / (double)n);
    printf("%s k-hat %.2f (trust up to %.2f): %s, %s\n%" PRId64 " draws, seed %" PRIu32 "\n",
           n > 1 ? "largest" : "", worst, rt_khat_limit(p->n_draws), verdict, why, p->n_draws,
           p->s->seed);
}

int rt_command_elbo(RtSession *s) {
    RtError error;
    RtPosterior p;
    RtBytes json = {0};
    double sum = 0, squares = 0, worst = -INFINITY, sum_one = 0;
    bool mixed;
    if (!rt_orders_choose(s, true, &mixed, &error)) {
        rt_complain(&error);
        return 2;
    }
    if (!rt_posterior_open(s, RT_AMORTISED, false, mixed, &p, &error)) return rt_complain(&error);
    rt_bytes_printf(&json, "{\"draws\": %" PRId64 ", \"sets\": [", p.n_draws);
    for (int64_t first = 0, n; first < p.data.n_sets; first += n) {
        n = rt_posterior_run(&p, first);
        for (int64_t set = 0; set < n; set++) {
            RtElbo e = rt_posterior_weigh(&p, set);
            sum += e.elbo;
            squares += e.elbo * e.elbo;
            double one = mixed ? in_one_order(&p, set) : 0;
            sum_one += one;
            if (isnan(e.khat) || e.khat > worst) worst = e.khat;
            if (s->options->json)
                json_set(&json, &e, mixed ? &one : NULL, first + set == 0);
            else if (first + set < SHOWN_SETS)
                show_set(first + set, &e);
        }
    }
    if (s->options->json) {
        rt_bytes_printf(&json, "], %s", rt_orders_json(s->model, mixed));
        rt_json_settings(&json, s, p.n_draws);
        printf("%s}\n", json.data);
    } else {
        footer(&p, sum, squares, worst, sum_one);
    }
    rt_bytes_free(&json);
    return 0;
}
