/* Exchangeable components: the model's density is the same in every order of them, and program
 * density says of given latents what the guide says of its own draws. */
#include "check.h"
#include "harness.h"

#include <math.h>

static const DualOptions DEFAULT = {.family = FAMILY_STRUCTURED};
enum { SETS = 2, DRAWS = 3 };

static const struct {
    const char *path, *text; /* the model in a file, or this one */
    DualOptions options;
    double way_back; /* error of log q of given latents; latents near the ends of their support lose
                        digits. 0: rounding alone */
} models[] = {
    {"examples/gm.hbm", NULL, {.family = FAMILY_STRUCTURED}, 0},
    {"examples/gm.hbm", NULL, {.family = FAMILY_ADAVI, .no_exact = true, .paper = true}, 0},
    {"examples/mshbm.hbm", NULL, {.family = FAMILY_STRUCTURED}, 1e-5},
    {"instances",
     "latent s ~ half_normal(1); plate g(3) { latent m[2] ~ normal(0, 1 + s);"
     "latent w[2] ~ dirichlet(rep(3, 2)); latent c ~ normal(0, 1);"
     "plate o(4) { latent z ~ categorical(w); observed x ~ normal(m[z] + c, 1); } }",
     {.family = FAMILY_STRUCTURED},
     0},
    {"total",
     "latent m[2] ~ normal(0, 2); latent w[2] ~ dirichlet(rep(3, 2)); plate g(2) {"
     "latent u[2] ~ normal(m, 1);"
     "plate o(4) { latent z ~ categorical(w); observed x ~ normal(u[z], 1); } }",
     {.family = FAMILY_TOTAL_FLOW},
     0},
    {"two kinds",
     "latent P[2, 3] ~ dirichlet([1, 1, 1]); latent m[3] ~ normal(0, 1);"
     "plate o(4) { latent k ~ categorical([0.5, 0.5]); latent z ~ categorical(P[k]);"
     "observed x ~ normal(m[z], 1); }",
     {.family = FAMILY_STRUCTURED},
     0},
};

/* Numbers of `var` in one draw of one data set. */
static int64_t size_of(const Var *var) {
    int64_t n = 1;
    for (int i = 0; i < var->type.n_dims; i++) n *= var->type.dims[i];
    for (const Plate *p = var->type.plate; p; p = p->parent) n *= p->size;
    return n;
}

/* Entry 0 of every component changes places with entry 1: in each instance of the symmetry's plate
 * whose number `in` is, or everywhere (-1). */
static void exchange(const LabelSymmetry *s, int k, double *x, int64_t copies, int64_t in) {
    const Var *var = s->moved[k];
    int64_t size = size_of(var), inner = 1;
    for (int i = s->dim[k] + 1; i < var->type.n_dims; i++) inner *= var->type.dims[i];
    for (int64_t i = 0; i < copies * size; i++) {
        int64_t each = s->plate ? size / s->plate->size : size;
        if (i / inner % s->components || (in >= 0 && i % size / each != in)) continue;
        double first = x[i];
        x[i] = x[i + inner];
        x[i + inner] = first;
    }
}

/* The latents as the guide draws them, given to programs that read them. */
static void give_draws(Run *run) {
    const IrProgram *p = run->c->dual->posterior;
    for (int i = 0; i < run->c->model->vars.n; i++) {
        const Var *var = run->c->model->vars.data[i];
        if (var->kind != VAR_LATENT) continue;
        const IrTensor *t = run_output(run, p, var->name);
        run_give(run, var->name, t->data, t->size);
    }
}

static void give_exchanged(Run *run, const LabelSymmetry *s, int64_t in) {
    for (int k = 0; k < s->n_moved; k++) {
        Given *given = run_given(run, s->moved[k]->name);
        double *x = arena_array(run->c->arena, double, given->n);
        memcpy(x, given->data, (size_t)given->n * sizeof *x);
        exchange(s, k, x, SETS * DRAWS, in);
        run_give(run, s->moved[k]->name, x, given->n);
    }
}

static double *copy_of(Run *run, const IrProgram *p, const char *name) {
    const IrTensor *t = run_output(run, p, name);
    double *x = arena_array(run->c->arena, double, t->size);
    memcpy(x, t->data, (size_t)t->size * sizeof *x);
    return x;
}

static void check_equal(const char *what, const double *a, const double *b, int64_t n,
                        double error) {
    for (int64_t i = 0; i < n; i++)
        CHECK(fabs(a[i] - b[i]) <= (1e-9 + error) * (1 + fabs(b[i])), "%s: %.17g against %.17g",
              what, a[i], b[i]);
}

/* The change of log q by an order of one instance's own is that of the instance's part. */
static void check_parts(Run *run, const char *what, const LabelSymmetry *s) {
    const IrProgram *p = dual_program(run->c->dual, "density");
    const char *name = arena_printf(run->c->arena, "log_q:%s", s->plate->name);
    const int64_t n = s->plate->size;
    double *whole = copy_of(run, p, "log_q"), *part = copy_of(run, p, name);
    give_exchanged(run, s, n - 1);
    double *whole_after = copy_of(run, p, "log_q"), *part_after = copy_of(run, p, name);
    for (int64_t i = 0; i < SETS * DRAWS * n; i++) {
        double change = i % n == n - 1 ? whole_after[i / n] - whole[i / n] : 0;
        check_equal(what, &part_after[i], &(double){part[i] + change}, 1, 0);
    }
    CHECK(fabs(whole_after[0] - whole[0]) > 1e-6, "%s: nothing was exchanged", what);
}

static void check_model(int i) {
    const char *what = models[i].path;
    Compiled *c = models[i].text ? compile_text(what, models[i].text, models[i].options)
                                 : compile_file(what, models[i].options);
    if (!CHECK(c, "%s does not compile", what)) return;
    const IrProgram *density = dual_program(c->dual, "density");
    if (!CHECK(density, "%s has no program density", what)) return;
    Run *run = run_new(c, SETS, DRAWS), *prior = run_new(c, SETS, 1);
    prior->seed = 4;
    for (int k = 0; k < c->model->vars.n; k++) {
        const Var *var = c->model->vars.data[k];
        if (var->kind != VAR_OBSERVED) continue;
        const IrTensor *x = run_output(prior, c->dual->simulate, var->name);
        run_give(run, var->name, x->data, x->size);
    }
    run_start_weights(run, 3, 0.1);
    run_statistics(run);
    double *drawn = copy_of(run, c->dual->posterior, "log_q");
    give_draws(run);
    check_equal(what, copy_of(run, density, "log_q"), drawn, SETS * DRAWS, models[i].way_back);
    double *prior_before = copy_of(run, c->dual->logjoint, "log_prior"),
           *data_before = copy_of(run, c->dual->logjoint, "log_likelihood");
    for (int k = 0; k < c->analysis->n_symmetries; k++) {
        const LabelSymmetry *s = &c->analysis->symmetries[k];
        if (s->plate) check_parts(run, what, s);
        give_exchanged(run, s, -1);
        check_equal(what, copy_of(run, c->dual->logjoint, "log_prior"), prior_before, SETS * DRAWS,
                    0);
        check_equal(what, copy_of(run, c->dual->logjoint, "log_likelihood"), data_before,
                    SETS * DRAWS, 0);
        const double *moved = copy_of(run, density, "log_q");
        CHECK(fabs(moved[0] - drawn[0]) > 1e-6, "%s: log q is the same in another order", what);
    }
    compiled_free(c);
}

static void given_latents_in_every_order(void) {
    for (int i = 0; i < (int)(sizeof models / sizeof *models); i++) check_model(i);
}

/* Not where it would be of no use. */
static void others_do_not_pay(void) {
    static const char *const texts[] = {
        "latent m ~ normal(0, 1); plate o(4) { observed x ~ normal(m, 1); }",
        "latent m[6] ~ normal(0, 1); plate o(4) { latent z ~ categorical(rep(1 / 6, 6));"
        "observed x ~ normal(m[z], 1); }",
        "latent m[2, 5] ~ normal(0, 1); plate o(4) { latent z ~ categorical([0.5, 0.5]);"
        "observed x[5] ~ normal(m[z], 1); }",
    };
    for (int i = 0; i < 3; i++) {
        Compiled *c = compile_text("other", texts[i], DEFAULT);
        if (!CHECK(c, "model %d does not compile", i)) continue;
        CHECK(!dual_program(c->dual, "density"), "model %d has a program density", i);
        compiled_free(c);
    }
}

int main(void) {
    RUN(given_latents_in_every_order);
    RUN(others_do_not_pay);
    return check_done();
}
