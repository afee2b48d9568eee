/* Rounds on one data set: the atomic loss against its closed form, its gradient against differences
 * and at its optimum, whatever the latents are drawn from; and data given latents. */
#include "check.h"
#include "graddiff.h"
#include "harness.h"
#include "tests/measure/json.h"

#include <math.h>

static const char line[] = "latent m ~ normal(0, 1); plate obs(2) { observed x ~ normal(m, 0.5); }"
                           "dual { objective = sequential; }";
enum { OBS = 2 };

static double normal_log(double x, double mean, double sd) {
    return -0.5 * (x - mean) * (x - mean) / (sd * sd) - log(sd) - 0.91893853320467274;
}

/* Posterior over prior of `line`: the guide starts as the exact posterior. */
static double log_ratio(double m, const double *x) {
    double precision = 1 + OBS / 0.25, mean = (x[0] + x[1]) / 0.25 / precision;
    return normal_log(m, mean, 1 / sqrt(precision)) - normal_log(m, 0, 1);
}

/* Pairs from a proposal that is not the prior; atoms are the next data sets' latents. */
static void give_pairs(Run *run, int sets, int atoms, uint32_t seed) {
    Arena *arena = run->c->arena;
    double *m = arena_array(arena, double, sets), *x = arena_array(arena, double, sets *OBS),
           *all = arena_array(arena, double, sets *atoms),
           *own = arena_array(arena, double, sets *atoms);
    fill_normal(m, sets, seed);
    fill_normal(x, sets * OBS, seed + 1);
    for (int i = 0; i < sets; i++) m[i] = 0.7 + 0.2 * m[i];
    for (int i = 0; i < sets * OBS; i++) x[i] = m[i / OBS] + 0.5 * x[i];
    for (int i = 0; i < sets * atoms; i++) {
        all[i] = m[(i / atoms + i % atoms) % sets];
        own[i] = i % atoms == 0;
    }
    run_give(run, "m", all, sets * atoms);
    run_give(run, "x", x, sets * OBS);
    run_give(run, "atom:own", own, sets * atoms);
}

static void closed_form(void) {
    enum { SETS = 5, ATOMS = 4 };
    Compiled *c = compile_text("line", line, (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "does not compile")) return;
    Run *run = run_new(c, SETS, ATOMS);
    run_start_weights(run, 1, 0);
    run_statistics(run);
    give_pairs(run, SETS, ATOMS, 3);
    const double *x = run_given(run, "x")->data, *m = run_given(run, "m")->data;
    const IrTensor *loss = run_output(run, dual_program(c->dual, "atomic"), "set_loss");
    for (int i = 0; i < SETS; i++) {
        double sum = 0;
        for (int k = 0; k < ATOMS; k++) sum += exp(log_ratio(m[i * ATOMS + k], x + i * OBS));
        CHECK_NEAR(loss->data[i], log(sum) - log_ratio(m[i * ATOMS], x + i * OBS), 1e-9, "loss");
    }
    compiled_free(c);
}

/* Gradients of the weights that place and scale the guide, over batches of fresh pairs: largest
 * ratio of a mean to its standard error, and of how many entries. */
static double largest_mean(Run *run, int *entries) {
    enum { BATCHES = 12, SETS = 64, ATOMS = 6, MOST = 16 };
    static const char *const names[] = {"grad:m.affine.b", "grad:m.bend.b"};
    const IrProgram *p = dual_program(run->c->dual, "atomic");
    double sum[MOST] = {0}, squares[MOST] = {0}, worst = 0;
    for (int batch = 0; batch < BATCHES; batch++) {
        give_pairs(run, SETS, ATOMS, 100 + 2 * (uint32_t)batch);
        *entries = 0;
        for (int k = 0; k < 2; k++) {
            bool there = false;
            for (int i = 0; i < p->outputs.n; i++)
                there |= !strcmp(p->outputs.data[i].name, names[k]);
            if (!there) continue;
            const IrTensor *g = run_output(run, p, names[k]);
            for (int64_t i = 0; i < g->size && *entries < MOST; i++, ++*entries) {
                sum[*entries] += g->data[i];
                squares[*entries] += g->data[i] * g->data[i];
            }
        }
    }
    for (int i = 0; i < *entries; i++) {
        double mean = sum[i] / BATCHES;
        double se = sqrt((squares[i] / BATCHES - mean * mean) / (BATCHES - 1));
        if (se > 0) worst = fmax(worst, fabs(mean) / se);
    }
    return worst;
}

/* The posterior under the prior is the least loss under any proposal. Five entries, each beyond 5
 * standard errors by chance in 4 of 10,000 runs (t of 11 degrees of freedom); seeds are fixed. */
static void the_posterior_is_its_optimum(void) {
    Compiled *c = compile_text("line", line, (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "does not compile")) return;
    Run *run = run_new(c, 64, 6);
    int entries;
    run_start_weights(run, 1, 0);
    run_statistics(run);
    double there = largest_mean(run, &entries);
    CHECK(entries >= 2, "%d entries", entries);
    CHECK(there < 5, "%g standard errors at the posterior", there);
    Given *shift = run_given(run, "m.affine.b");
    double moved[16];
    memcpy(moved, shift->data, (size_t)shift->n * sizeof *moved);
    moved[0] += 1;
    run_give(run, "m.affine.b", moved, shift->n);
    double away = largest_mean(run, &entries);
    CHECK(away > 10, "%g standard errors beside it", away);
    compiled_free(c);
}

static const struct {
    const char *path, *text;
    Family family;
    const char *axis;
    int64_t n;
} models[] = {
    {"examples/gre.hbm", NULL, FAMILY_TOTAL_FLOW, NULL, 0},
    {"examples/nc.hbm", NULL, FAMILY_STRUCTURED, "sample", 4},
    {"covariates",
     "context c[1] ~ uniform(1, 2); latent s ~ half_normal(c[0]); latent a ~ normal(0, 2);"
     "plate g(3) { given t ~ normal(0, 1); latent z ~ categorical([0.3, 0.7]);"
     "observed y ~ normal(a * t + 2 * z, s); }",
     FAMILY_STRUCTURED, "g", 3},
};

/* Latents and data of the prior, the atoms of a set in their own rows. */
static void give_prior(Run *run, int64_t sets, int64_t atoms) {
    Compiled *c = run->c;
    Run *prior = run_new(c, sets * atoms, 1);
    double *own = arena_array(c->arena, double, sets *atoms);
    for (int64_t i = 0; i < sets; i++) own[i * atoms] = 1;
    run_give(run, "atom:own", own, sets * atoms);
    for (int i = 0; i < run->extents.n; i++)
        if (strcmp(run->extents.data[i].axis, "data") && strcmp(run->extents.data[i].axis, "draw"))
            run_size(prior, run->extents.data[i].axis, run->extents.data[i].n);
    for (int i = 0; i < c->model->vars.n; i++) {
        const Var *var = c->model->vars.data[i];
        bool latent = var->kind == VAR_LATENT;
        if (!latent && var->kind != VAR_OBSERVED && var->kind != VAR_CONTEXT &&
            var->kind != VAR_GIVEN)
            continue;
        const IrTensor *t = run_output(prior, c->dual->simulate, var->name);
        run_give(run, var->name, t->data, latent ? t->size : t->size / atoms);
    }
}

static void gradients(void) {
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        DualOptions options = {.family = models[i].family};
        const char *text = models[i].text;
        char *file = text ? NULL : json_read(models[i].path, NULL), whole[5000];
        int length = snprintf(whole, sizeof whole, "%s\ndual { objective = sequential; }\n",
                              text ? text : file);
        free(file);
        if (!CHECK(length < (int)sizeof whole, "%s is long", models[i].path)) continue;
        Compiled *c = compile_text(models[i].path, whole, options);
        if (!CHECK(c, "%s does not compile", models[i].path)) continue;
        Run *run = run_new(c, 2, 3);
        if (models[i].axis) run_size(run, models[i].axis, models[i].n);
        run_start_weights(run, 3, 0.1);
        run_statistics(run);
        give_prior(run, 2, 3);
        const IrProgram *p = dual_program(c->dual, "atomic");
        IrEvalEnv env = run_env(run, p);
        double worst;
        int wrong = check_gradients(p, &env, 3, &worst);
        CHECK(wrong == 0, "%s: %d derivatives are wrong, the worst by %g", models[i].path, wrong,
              worst);
        compiled_free(c);
    }
}

static void data_given_latents(void) {
    enum { SETS = 2000 };
    Compiled *c = compile_text("line", line, (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "does not compile")) return;
    Run *run = run_new(c, SETS, 1);
    double m[SETS], mean = 0, square = 0;
    for (int i = 0; i < SETS; i++) m[i] = i - SETS / 2;
    run_give(run, "m", m, SETS);
    const IrTensor *x = run_output(run, dual_program(c->dual, "observe"), "x");
    for (int i = 0; i < SETS * OBS; i++) {
        double e = x->data[i] - m[i / OBS];
        mean += e / (SETS * OBS);
        square += e * e / (SETS * OBS);
    }
    CHECK_NEAR(mean, 0, 5 * 0.5 / sqrt(SETS * OBS), "mean");
    CHECK_NEAR(square, 0.25, 5 * 0.25 * sqrt(2.0 / (SETS * OBS)), "variance");
    compiled_free(c);
}

int main(void) {
    RUN(closed_form);
    RUN(the_posterior_is_its_optimum);
    RUN(gradients);
    RUN(data_given_latents);
    return check_done();
}
