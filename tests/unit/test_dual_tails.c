/* test_dual_tails.c -- which laws have a variance, and what follows for the guide. */
#include "check.h"
#include "dual/internal.h"
#include "harness.h"

/* `law` of x around b with scale s, where df is a latent and small a hyper. */
static Compiled *model_with(const char *law) {
    static char text[512];
    snprintf(text, sizeof text,
             "hyper small = 1.5; latent s ~ half_normal(1); latent df ~ gamma(2, 1);"
             "latent b ~ normal(0, 1); let more = df + 1;"
             "distribution cubic(loc: real, scale: positive) : real {"
             "  sample = loc + scale * (std_normal() ^ 3); log_prob(x) = x / scale - loc; }"
             "distribution ratio(loc: real, scale: positive) : real {"
             "  sample = loc + scale * (std_normal() / std_exponential());"
             "  log_prob(x) = x / scale - loc; }"
             "plate n(9) { observed x ~ %s; } quantity unused = more + s;",
             law);
    return compile_text("m.hbm", text, (DualOptions){.family = FAMILY_STRUCTURED});
}

static const Var *var_named(const Compiled *c, const char *name) {
    for (int i = 0; i < c->model->vars.n; i++)
        if (!strcmp(c->model->vars.data[i]->name, name)) return c->model->vars.data[i];
    return NULL;
}

static void variances_are_seen_in_the_sampler(void) {
    static const struct {
        const char *law;
        bool has, quadratic; /* a variance; log density */
    } laws[] = {
        {"normal(b, s)", true, true},
        {"laplace(b, s)", true, false},
        {"logistic(b, s)", true, false},
        {"gumbel(b, s)", true, false},
        {"student_t(5, b, s)", true, false},
        {"student_t(2.1, b, s)", true, false},
        {"student_t(more, b, s)", true, false},
        {"cubic(b, s)", true, true},
        {"student_t(2, b, s)", false, false},
        {"student_t(1, b, s)", false, false},
        {"student_t(small, b, s)", false, false},
        {"cauchy(b, s)", false, false},
        {"ratio(b, s)", false, true},
    };
    for (size_t i = 0; i < sizeof laws / sizeof *laws; i++) {
        Compiled *c = model_with(laws[i].law);
        if (!CHECK(c, "%s is refused", laws[i].law)) continue;
        const Var *x = var_named(c, "x"), *b = var_named(c, "b"), *s = var_named(c, "s");
        CHECK(has_variance(x) == laws[i].has, "%s", laws[i].law);
        CHECK(is_quadratic(x) == laws[i].quadratic, "%s: quadratic", laws[i].law);
        CHECK((location_of(x) == b) == laws[i].has, "%s: its location", laws[i].law);
        CHECK((scaled_by(s, x) == x) == laws[i].has, "%s: its scale", laws[i].law);
        compiled_free(c);
    }
}

/* A mixture has no location; it has a variance if all its components have. */
static void variances_of_mixtures(void) {
    static const struct {
        const char *law;
        bool has;
    } laws[] = {{"mixture([0.5, 0.5], normal(b, s), laplace(b, s))", true},
                {"mixture([0.5, 0.5], normal(b, s), cauchy(b, s))", false},
                {"mixture([0.5, 0.5], cauchy(b, s), normal(b, s))", false}};
    for (size_t i = 0; i < sizeof laws / sizeof *laws; i++) {
        Compiled *c = model_with(laws[i].law);
        if (!CHECK(c, "%s is refused", laws[i].law)) continue;
        const Var *x = var_named(c, "x");
        CHECK(has_variance(x) == laws[i].has, "%s", laws[i].law);
        CHECK(!location_of(x), "%s: its location", laws[i].law);
        compiled_free(c);
    }
}

/* A share of zeros that is not known, or is large, hides nothing of what is drawn else; nor does a
 * location that may be anything. */
static void variances_where_parameters_are_extreme(void) {
    static const struct {
        const char *law;
        bool has;
    } laws[] = {{"hurdle(p, gamma(2, rate))", true},
                {"hurdle(p, far(rate))", false},
                {"hurdle(0.3, far(rate))", false},
                {"hurdle(0.9, far(rate))", false},
                {"hurdle(0.9, gamma(2, rate))", true},
                {"cauchy(exp(a * rate + 30 * a), rate)", false},
                {"pareto(1, 30)", true}};
    for (size_t i = 0; i < sizeof laws / sizeof *laws; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "latent p ~ beta(1, 1); latent rate ~ half_normal(1); latent a ~ normal(0, 1);"
                 "distribution far(scale: positive) : positive {"
                 "  sample = scale / std_uniform(); log_prob(x) = -x / scale; }"
                 "plate n(9) { observed x ~ %s; }",
                 laws[i].law);
        Compiled *c = compile_text("m.hbm", text, (DualOptions){.family = FAMILY_STRUCTURED});
        if (!CHECK(c, "%s is refused", laws[i].law)) continue;
        CHECK(has_variance(var_named(c, "x")) == laws[i].has, "%s", laws[i].law);
        compiled_free(c);
    }
}

/* The loss of a data set whose scale comes from base draw u, with the prior's quantiles at 0.01
 * and 3. */
static double loss_at(Compiled *c, double u) {
    Run *run = run_new(c, 1, 3);
    run_start_weights(run, 1, 0);
    run_statistics(run);
    run_give(run, "tau:low", (double[]){0.01}, 1);
    run_give(run, "tau:high", (double[]){3}, 1);
    run_give(run, "sim:tau", &u, 1);
    return run_output(run, c->dual->step, "set_loss")->data[0];
}

static void training_draws_of_heavy_tails_are_cut(void) {
    static const char model[] = "latent m ~ normal(0, 1); latent tau ~ half_cauchy(1);"
                                "plate n(6) { observed x ~ normal(m, tau); }";
    Compiled *c = compile_text("m.hbm", model, (DualOptions){.family = FAMILY_STRUCTURED});
    double far = loss_at(c, 0.999), further = loss_at(c, 0.9999999), near = loss_at(c, 0.3);
    CHECK_NEAR(far, further, 1e-9, "loss beyond the quantile");
    CHECK(fabs(far - near) > 1e-3, "draws between the quantiles make no difference: %g", near);
    int cut = 0;
    for (int i = 0; i < c->dual->step->ops.n; i++) {
        const IrOp *op = &c->dual->step->ops.data[i];
        cut += op->opcode == OP_INPUT && strstr(op->name, ":high");
    }
    CHECK(cut == 1, "%d latents are cut, not tau alone", cut);
    compiled_free(c);
}

/* Far out in the guide's tails, as training without the exact path comes to be, an entry of a
 * simplex would round to 0, where a Dirichlet's density is 0 or has no bound. */
static void entries_of_a_simplex_stay_positive(void) {
    static const char *const links[] = {"simplex", "centred_softmax"};
    for (int i = 0; i < 2; i++) {
        char text[300];
        snprintf(text, sizeof text,
                 "latent w[3] ~ dirichlet([2, 2, 0.5]) via %s; plate n(4) {"
                 "latent z ~ categorical(w); observed x ~ normal(z, 1); }",
                 links[i]);
        Compiled *c = compile_text("m.hbm", text, (DualOptions){.family = FAMILY_STRUCTURED});
        if (!CHECK(c, "%s is refused", links[i])) continue;
        Run *run = run_new(c, 1, 4);
        const double u[8] = {3000, 3000, -3000, 3000, 3000, -3000, -3000, -3000};
        const double x[4] = {0, 1, 2, 0};
        run_start_weights(run, 1, 0);
        run_statistics(run);
        run_give(run, "u:w", u, 8);
        run_give(run, "x", x, 4);
        const IrTensor *w = run_output(run, c->dual->posterior, "w");
        double least = 1;
        for (int64_t k = 0; k < w->size; k++) least = fmin(least, w->data[k]);
        CHECK(least > 0 && least < 1e-20, "%s: the least entry is %g", links[i], least);
        static const char *const parts[] = {"log_q", "log_prior", "log_likelihood"};
        for (int k = 0; k < 3; k++) {
            const IrTensor *t = run_output(run, c->dual->posterior, parts[k]);
            for (int64_t d = 0; d < t->size; d++)
                CHECK(isfinite(t->data[d]), "%s of draw %d: %g", parts[k], (int)d, t->data[d]);
        }
        compiled_free(c);
    }
}

int main(void) {
    RUN(training_draws_of_heavy_tails_are_cut);
    RUN(variances_are_seen_in_the_sampler);
    RUN(variances_of_mixtures);
    RUN(variances_where_parameters_are_extreme);
    RUN(entries_of_a_simplex_stay_positive);
    return check_done();
}
