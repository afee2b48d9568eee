/* The guide of a mixture before training: which observations its draws assign to which component,
 * against the labels that the data were simulated with. */
#include "check.h"
#include "harness.h"

#include <math.h>

enum { MAX_LABELS = 5 };

/* The largest share of `n` observations whose likeliest label is the true one, over all orders of
 * the labels: `table[i][k]` of true label i were given label k. */
static double best_agreement(double table[MAX_LABELS][MAX_LABELS], int n_labels, int from,
                             bool *taken) {
    if (from == n_labels) return 0;
    double best = 0;
    for (int k = 0; k < n_labels; k++) {
        if (taken[k]) continue;
        taken[k] = true;
        double rest = best_agreement(table, n_labels, from + 1, taken);
        best = fmax(best, table[from][k] + rest);
        taken[k] = false;
    }
    return best;
}

static double agreement(const double *label, const double *probability, int n, int n_labels) {
    double table[MAX_LABELS][MAX_LABELS] = {{0}};
    for (int i = 0; i < n; i++) {
        int most = 0;
        for (int k = 1; k < n_labels; k++)
            if (probability[i * n_labels + k] > probability[i * n_labels + most]) most = k;
        table[(int)label[i]][most] += 1;
    }
    return best_agreement(table, n_labels, 0, (bool[MAX_LABELS]){false}) / n;
}

/* Data sets of `c`'s prior in which at least `enough` of the labels are found by a draw of the
 * untrained guide. */
static int sets_found(Compiled *c, int sets, double enough) {
    Run *prior = run_new(c, sets, 1), *run = run_new(c, sets, 1);
    prior->seed = 5;
    const Var *label = NULL;
    for (int i = 0; i < c->model->vars.n; i++) {
        const Var *var = c->model->vars.data[i];
        if (var->kind == VAR_SUMMED) label = var;
        if (var->kind != VAR_OBSERVED) continue;
        const IrTensor *x = run_output(prior, c->dual->simulate, var->name);
        run_give(run, var->name, x->data, x->size);
    }
    const IrTensor *z = run_output(prior, c->dual->simulate, label->name);
    int found = 0, n = (int)(z->size / sets), n_labels = (int)label->n_values;
    run_start_weights(run, 1, 0);
    run_statistics(run);
    const IrTensor *p = run_output(run, c->dual->posterior, label->name);
    for (int s = 0; s < sets; s++) {
        double share = agreement(z->data + s * n, p->data + (int64_t)s * n * n_labels, n, n_labels);
        found += share >= enough;
    }
    return found;
}

/* In groups of 50 components are few, empty or near each other; and their order must be the same in
 * all groups. */
static void labels_of_groups_are_found(void) {
    enum { SETS = 100 };
    Compiled *c = compile_file("examples/gm.hbm", (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "gm does not compile")) return;
    int found = sets_found(c, SETS, 0.97);
    CHECK(found >= 90, "the labels of %d of %d data sets", found, SETS);
    compiled_free(c);
}

/* The same model, which does not know its scales. */
static void scales_may_be_unknown(void) {
    enum { SETS = 100 };
    Compiled *c = compile_text("unknown.hbm",
                               "latent s_g ~ lognormal(-1.6, 0.3);\n"
                               "latent s_x ~ lognormal(-3, 0.3);\n"
                               "latent mu[3, 2] ~ normal(0, 1);\n"
                               "plate group(3) {\n"
                               "  latent mu_g[3, 2] ~ normal(mu, s_g);\n"
                               "  latent pi_g[3] ~ dirichlet(rep(1, 3));\n"
                               "  plate obs(50) {\n"
                               "    latent z ~ categorical(pi_g);\n"
                               "    observed x[2] ~ normal(mu_g[z], s_x);\n"
                               "  }\n"
                               "}\n",
                               (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "the model does not compile")) return;
    int found = sets_found(c, SETS, 0.97);
    CHECK(found >= 88, "the labels of %d of %d data sets", found, SETS);
    compiled_free(c);
}

/* One set of components and no plate around it; a point on a line. */
static void labels_of_one_set_are_found(void) {
    enum { SETS = 100 };
    Compiled *c = compile_text("one.hbm",
                               "latent m[4] ~ normal(0, 5);\n"
                               "latent w[4] ~ dirichlet(rep(3, 4));\n"
                               "plate obs(60) {\n"
                               "  latent z ~ categorical(w);\n"
                               "  observed x ~ normal(m[z], 0.1);\n"
                               "}\n",
                               (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "the model does not compile")) return;
    int found = sets_found(c, SETS, 0.97);
    CHECK(found >= 80, "the labels of %d of %d data sets", found, SETS);
    compiled_free(c);
}

/* Components behind push, three plates up. */
static void components_are_seen_through_a_link(void) {
    enum { SETS = 100 };
    Compiled *c = compile_file("examples/mshbm.hbm", (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "mshbm does not compile")) return;
    int found = sets_found(c, SETS, 0.97);
    CHECK(found >= 90, "the labels of %d of %d data sets", found, SETS);
    compiled_free(c);
}

int main(void) {
    RUN(labels_of_groups_are_found);
    RUN(scales_may_be_unknown);
    RUN(labels_of_one_set_are_found);
    RUN(components_are_seen_through_a_link);
    return check_done();
}
