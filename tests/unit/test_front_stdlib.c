/* test_front_stdlib.c -- the standard library is true: densities integrate to 1, on their support
 * and through every link that leads to it; links are inverse to themselves, and their log-Jacobians
 * are those of their forward maps. */
#include "base/diag.h"
#include "front/front.h"
#include "ir/special.h"

#include "check.h"

static Arena *arena;

/* ---- a small evaluator of bodies, at scalars ---- */

static double value(const Expr *e, const double *params) {
    double x[3] = {0};
    if (e->kind == EXPR_NUMBER) return e->number;
    if (e->kind == EXPR_PARAM) return params[e->param];
    for (int i = 0; i < e->n_args && i < 3; i++) x[i] = value(e->args[i], params);
    if (e->kind == EXPR_CALL) return value(e->function->body, x);
    if (e->kind != EXPR_OP) return NAN;
    switch (e->opcode) {
    case OP_ADD:
        return x[0] + x[1];
    case OP_SUB:
        return x[0] - x[1];
    case OP_MUL:
        return x[0] * x[1];
    case OP_DIV:
        return x[0] / x[1];
    case OP_NEG:
        return -x[0];
    case OP_ABS:
        return fabs(x[0]);
    case OP_SQUARE:
        return x[0] * x[0];
    case OP_SQRT:
        return sqrt(x[0]);
    case OP_EXP:
        return exp(x[0]);
    case OP_LOG:
        return log(x[0]);
    case OP_LOG1P:
        return log1p(x[0]);
    case OP_EXPM1:
        return expm1(x[0]);
    case OP_LOGISTIC:
        return ev_logistic(x[0]);
    case OP_SOFTPLUS:
        return ev_softplus(x[0]);
    case OP_LGAMMA:
        return ev_lgamma(x[0]);
    default:
        return NAN;
    }
}

/* ---- what is tested ---- */

typedef struct Case {
    const char *text; /* a distribution's call, at numbers */
    double mean;
} Case;

static const Case cases[] = {
    {"normal(1.5, 0.7)", 1.5}, {"half_normal(2)", 2 * 0.79788456080286541}, /* scale sqrt(2 / pi) */
    {"gamma(2.5, 0.5)", 5},    {"gamma(1, 4)", 0.25},
    {"laplace(-1, 0.5)", -1},  {"exponential(0.4)", 2.5},
    {"uniform(-1, 3)", 1},
};
enum { N_CASES = sizeof cases / sizeof *cases };
static const char *const links[] = {"identity", "exp", "softplus", "interval"};

static const Var *latent(const char *call, const char *via) {
    const char *text = arena_printf(arena, "latent z ~ %s%s%s; observed x ~ normal(z, 1);", call,
                                    via ? " via " : "", via ? via : "");
    Diags *diags = diags_new(arena);
    Ast *ast = front_parse(arena, diags, "m.hbm", text, strlen(text));
    Model *model = ast ? front_check(arena, diags, ast, NULL, 0) : NULL;
    return model ? model->vars.data[0] : NULL;
}

static double number_of(const Expr *e) {
    return value(e, NULL);
}

/* The density at y, of the distribution with the arguments of its variable. */
static double log_density(const Var *z, double y) {
    double params[8];
    for (int i = 0; i < z->dist->n_params; i++) params[i] = number_of(z->args[i]);
    params[z->dist->n_params] = y;
    return value(z->dist->log_prob, params);
}

static void link_params(const Var *z, double *params) {
    if (z->link->scaled) params[1] = 1.7;
    if (z->support.kind == SUPPORT_INTERVAL) {
        params[1] = number_of(z->support.lo);
        params[2] = number_of(z->support.hi);
    }
}

/* Simpson's rule over v in [-60, 60]: every density here, through a link, has its mass there. */
static void integrate(const Var *z, double *mass, double *mean) {
    enum { STEPS = 240000 };
    double params[3] = {0}, h = 120.0 / STEPS;
    link_params(z, params);
    *mass = *mean = 0;
    for (int i = 0; i <= STEPS; i++) {
        params[0] = -60 + h * i;
        double y = value(z->link->forward, params), jacobian = value(z->link->log_jacobian, params);
        double density = exp(log_density(z, y) + jacobian) *
                         (i % 2                  ? 4
                          : i == 0 || i == STEPS ? 1
                                                 : 2) *
                         h / 3;
        if (isnan(density)) continue; /* y is rounded onto the edge of the support */
        *mass += density;
        *mean += density * y;
    }
}

static void densities_integrate_to_one_through_links(void) {
    int pairs = 0;
    for (int c = 0; c < N_CASES; c++) {
        for (size_t k = 0; k < sizeof links / sizeof *links; k++) {
            const Var *z = latent(cases[c].text, links[k]);
            if (!z) continue; /* the link leads elsewhere */
            double mass, mean;
            integrate(z, &mass, &mean);
            CHECK_NEAR(mass, 1, 1e-6,
                       arena_printf(arena, "mass of %s via %s", cases[c].text, links[k]));
            CHECK_NEAR(mean, cases[c].mean, 1e-5,
                       arena_printf(arena, "mean of %s via %s", cases[c].text, links[k]));
            pairs++;
        }
    }
    CHECK(pairs == 11, "%d pairs of distribution and link", pairs);
}

static void defaults_lead_to_the_support(void) {
    for (int c = 0; c < N_CASES; c++) {
        const Var *z = latent(cases[c].text, NULL);
        if (!CHECK(z, "%s is refused", cases[c].text)) continue;
        CHECK(z->link && z->link->support == z->support.kind, "%s", cases[c].text);
        CHECK(z->dist->doc && strchr(z->dist->doc, '['), "%s names no source", cases[c].text);
    }
}

static void links_are_inverse_and_their_jacobians_true(void) {
    static const char *const on[] = {"normal(0, 1)", "gamma(1, 1)", "gamma(1, 1)",
                                     "uniform(-2, 5)"};
    for (size_t k = 0; k < sizeof links / sizeof *links; k++) {
        const Var *z = latent(on[k], links[k]);
        if (!CHECK(z, "%s is refused", links[k])) continue;
        double params[3] = {0};
        link_params(z, params);
        double far =
            k == 3 ? 20 : 30; /* further out, an interval has no two numbers left to tell apart */
        for (double v = -far; v <= far; v += 0.37) {
            params[0] = v;
            double y = value(z->link->forward, params),
                   jacobian = value(z->link->log_jacobian, params);
            double h = 1e-4;
            params[0] = v + h;
            double above = value(z->link->forward, params);
            params[0] = v - h;
            double slope = (above - value(z->link->forward, params)) / (2 * h);
            /* the difference quotient is only exact to the rounding of y */
            double tol = 1e-7 + 1e-16 * fabs(y) / h / exp(jacobian) * 20;
            CHECK_NEAR(jacobian, log(slope), tol,
                       arena_printf(arena, "%s: log-Jacobian at %g", links[k], v));
            params[0] = y;
            double back = value(z->link->inverse, params);
            double lost =
                k == 3 ? 1e-15 * 10 / exp(jacobian) : 0; /* near the ends of an interval */
            CHECK_NEAR(back, v, 1e-9 + lost, arena_printf(arena, "%s: back at %g", links[k], v));
        }
    }
}

/* softplus far out: neither overflow nor lost digits. */
static void softplus_is_stable_far_out(void) {
    const Var *z = latent("gamma(1, 1)", "softplus");
    if (!CHECK(z, "refused")) return;
    double params[2] = {0, 1};
    for (int i = 0; i < 2; i++) {
        double v = i ? 5000 : -600;
        params[0] = v;
        double y = value(z->link->forward, params);
        params[0] = y;
        CHECK_NEAR(value(z->link->inverse, params), v, 1e-9 * fabs(v), "back from far out");
    }
}

int main(void) {
    arena = arena_new();
    RUN(defaults_lead_to_the_support);
    RUN(densities_integrate_to_one_through_links);
    RUN(links_are_inverse_and_their_jacobians_true);
    RUN(softplus_is_stable_far_out);
    arena_free(arena);
    return check_done();
}
