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
        bool has;
    } laws[] = {
        {"normal(b, s)", true},
        {"laplace(b, s)", true},
        {"logistic(b, s)", true},
        {"gumbel(b, s)", true},
        {"student_t(5, b, s)", true},
        {"student_t(2.1, b, s)", true},
        {"student_t(more, b, s)", true},
        {"cubic(b, s)", true},
        {"student_t(2, b, s)", false},
        {"student_t(1, b, s)", false},
        {"student_t(small, b, s)", false},
        {"cauchy(b, s)", false},
        {"ratio(b, s)", false},
    };
    for (size_t i = 0; i < sizeof laws / sizeof *laws; i++) {
        Compiled *c = model_with(laws[i].law);
        if (!CHECK(c, "%s is refused", laws[i].law)) continue;
        const Var *x = var_named(c, "x"), *b = var_named(c, "b"), *s = var_named(c, "s");
        CHECK(has_variance(x) == laws[i].has, "%s", laws[i].law);
        CHECK((location_of(x) == b) == laws[i].has, "%s: its location", laws[i].law);
        CHECK((scaled_by(s, x) == x) == laws[i].has, "%s: its scale", laws[i].law);
        compiled_free(c);
    }
}

int main(void) {
    RUN(variances_are_seen_in_the_sampler);
    return check_done();
}
