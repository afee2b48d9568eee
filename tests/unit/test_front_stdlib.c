/* test_front_stdlib.c -- the standard library is true: densities are the textbook's, integrate to 1
 * on their support and through every link that leads to it, and are those of their samplers;
 * gradients agree with differences; links are inverse to themselves, and their log-Jacobians are
 * those of their forward maps. */
#include "ir/eval.h"
#include "base/diag.h"
#include "front/ast.h"
#include "front/front.h"

#include "check.h"
#include "harness.h"
#include "library_items.h"

static Arena *arena;

/* ---- the textbook's densities, in the C library's functions ---- */

static double gamma_density(double shape, double rate, double x) {
    return pow(rate, shape) / tgamma(shape) * pow(x, shape - 1) * exp(-rate * x);
}

static double t_density(double df, double z) {
    double norm = tgamma((df + 1) / 2) / (sqrt(df * M_PI) * tgamma(df / 2));
    return norm * pow(1 + z * z / df, -(df + 1) / 2);
}

static double beta_density(double a, double b, double x) {
    return tgamma(a + b) / (tgamma(a) * tgamma(b)) * pow(x, a - 1) * pow(1 - x, b - 1);
}

static double of_normal(const double *a, double x) {
    return exp(-(x - a[0]) * (x - a[0]) / (2 * a[1] * a[1])) / (a[1] * sqrt(2 * M_PI));
}
static double of_half_normal(const double *a, double x) {
    return 2 * exp(-x * x / (2 * a[0] * a[0])) / (a[0] * sqrt(2 * M_PI));
}
static double of_lognormal(const double *a, double x) {
    return of_normal(a, log(x)) / x;
}
static double of_gamma(const double *a, double x) {
    return gamma_density(a[0], a[1], x);
}
static double of_inv_gamma(const double *a, double x) {
    return gamma_density(a[0], a[1], 1 / x) / (x * x);
}
static double of_chi_square(const double *a, double x) {
    return gamma_density(a[0] / 2, 0.5, x);
}
static double of_exponential(const double *a, double x) {
    return a[0] * exp(-a[0] * x);
}
static double of_weibull(const double *a, double x) {
    double z = x / a[1];
    return a[0] / a[1] * pow(z, a[0] - 1) * exp(-pow(z, a[0]));
}
static double of_laplace(const double *a, double x) {
    return exp(-fabs(x - a[0]) / a[1]) / (2 * a[1]);
}
static double of_student_t(const double *a, double x) {
    return t_density(a[0], (x - a[1]) / a[2]) / a[2];
}
static double of_half_student_t(const double *a, double x) {
    return 2 * t_density(a[0], x / a[1]) / a[1];
}
static double of_cauchy(const double *a, double x) {
    return a[1] / (M_PI * (a[1] * a[1] + (x - a[0]) * (x - a[0])));
}
static double of_half_cauchy(const double *a, double x) {
    return 2 * a[0] / (M_PI * (a[0] * a[0] + x * x));
}
static double of_logistic(const double *a, double x) {
    double c = cosh((x - a[0]) / (2 * a[1]));
    return 1 / (4 * a[1] * c * c);
}
static double of_gumbel(const double *a, double x) {
    double e = exp(-(x - a[0]) / a[1]);
    return e * exp(-e) / a[1];
}
static double of_uniform(const double *a, double x) {
    (void)x;
    return 1 / (a[1] - a[0]);
}
static double of_log_uniform(const double *a, double x) {
    return 1 / (x * (log(a[1]) - log(a[0])));
}
static double of_pareto(const double *a, double x) {
    return a[1] * pow(a[0], a[1]) / pow(x, a[1] + 1);
}
static double of_beta(const double *a, double x) {
    return beta_density(a[0], a[1], x);
}
static double of_beta_proportion(const double *a, double x) {
    return beta_density(a[0] * a[1], (1 - a[0]) * a[1], x);
}

/* Between args[2] and args[3], of the distribution with args[0] and args[1]. */
static double of_cut_normal(const double *a, double x) {
    double lo = (a[2] - a[0]) / (a[1] * M_SQRT2), hi = (a[3] - a[0]) / (a[1] * M_SQRT2);
    double mass = lo > 0 ? erfc(lo) - erfc(hi) : erfc(-hi) - erfc(-lo);
    return of_normal(a, x) / (0.5 * mass);
}
static double of_cut_lognormal(const double *a, double x) {
    double logs[] = {a[0], a[1], log(a[2]), log(a[3])};
    return of_cut_normal(logs, log(x)) / x;
}
static double of_cut_exponential(const double *a, double x) {
    return of_exponential(a, x) / (exp(-a[0] * a[2]) - exp(-a[0] * a[3]));
}
static double of_cut_gumbel(const double *a, double x) {
    return of_gumbel(a, x) / (exp(-exp((a[0] - a[3]) / a[1])) - exp(-exp((a[0] - a[2]) / a[1])));
}
static double of_cut_cauchy(const double *a, double x) {
    double mass = atan((a[3] - a[0]) / a[1]) - atan((a[2] - a[0]) / a[1]);
    return of_cauchy(a, x) / (mass / M_PI);
}
static double of_cut_uniform(const double *a, double x) {
    (void)x;
    return 1 / (a[3] - a[2]);
}

/* ---- what is tested ---- */

typedef struct Case {
    const char *name; /* of the distribution, or the whole call */
    int n;            /* of its arguments */
    double args[4];
    double (*density)(const double *args, double x);
    double mean, sd; /* NAN where they do not exist, or converge too slowly to be measured */
} Case;

static const Case cases[] = {
    {"normal", 2, {1.5, 0.7}, of_normal, 1.5, 0.7},
    {"half_normal", 1, {2}, of_half_normal, 1.5957691216057308, 1.2056205499781738},
    {"lognormal", 2, {0.3, 0.5}, of_lognormal, 1.5295904196633787, 0.8151804536545525},
    {"gamma", 2, {2.5, 0.5}, of_gamma, 5, 3.1622776601683795},
    {"gamma", 2, {1, 4}, of_gamma, 0.25, 0.25},
    {"gamma", 2, {0.3, 1}, of_gamma, 0.3, 0.5477225575051661},
    {"inv_gamma", 2, {5, 2}, of_inv_gamma, 0.5, 0.2886751345948129},
    {"inv_gamma", 2, {0.8, 1}, of_inv_gamma, NAN, NAN},
    {"chi_square", 1, {5}, of_chi_square, 5, 3.1622776601683795},
    {"chi_square", 1, {0.7}, of_chi_square, 0.7, 1.1832159566199232},
    {"exponential", 1, {0.4}, of_exponential, 2.5, 2.5},
    {"weibull", 2, {1.7, 2}, of_weibull, 1.7844890049986486, 1.080471799254109},
    {"weibull", 2, {0.7, 1}, of_weibull, 1.2658235060572833, 1.8511714003984483},
    {"laplace", 2, {-1, 0.5}, of_laplace, -1, 0.7071067811865476},
    {"student_t", 3, {5, 1, 0.7}, of_student_t, 1, 0.9036961141150639},
    {"student_t", 3, {1.5, 0, 1}, of_student_t, 0, NAN},
    {"half_student_t", 2, {3, 2}, of_half_student_t, 2.2053155816871683, 2.671438411262327},
    {"cauchy", 2, {0.5, 2}, of_cauchy, NAN, NAN},
    {"half_cauchy", 1, {1.5}, of_half_cauchy, NAN, NAN},
    {"logistic", 2, {-1, 0.6}, of_logistic, -1, 1.0882796185405308},
    {"gumbel", 2, {0.5, 1.2}, of_gumbel, 1.1926587978818395, 1.539059796194237},
    {"uniform", 2, {-1, 3}, of_uniform, 1, 1.1547005383792515},
    {"uniform", 2, {-1, 1}, of_uniform, 0, 0.5773502691896257},
    {"uniform", 2, {0, 1}, of_uniform, 0.5, 0.28867513459481287},
    {"log_uniform", 2, {0.1, 20}, of_log_uniform, 3.755909399773321, 4.862101813867773},
    {"pareto", 2, {1.5, 5}, of_pareto, 1.875, 0.48412291827592713},
    {"pareto", 2, {0.2, 0.8}, of_pareto, NAN, NAN},
    {"beta", 2, {2, 3}, of_beta, 0.4, 0.2},
    {"beta", 2, {0.5, 0.5}, of_beta, 0.5, 0.3535533905932738},
    {"beta_proportion", 2, {0.3, 5}, of_beta_proportion, 0.3, 0.18708286933869706},
    {"truncated(normal(1, 2), 0, 4)", 0, {1, 2, 0, 4}, of_cut_normal, NAN, NAN},
    {"truncated(normal(1, 2), lo = 0)", 0, {1, 2, 0, INFINITY}, of_cut_normal, NAN, NAN},
    {"truncated(normal(0, 1), lo = -2)", 0, {0, 1, -2, INFINITY}, of_cut_normal, NAN, NAN},
    {"truncated(normal(0, 1), hi = -1)", 0, {0, 1, -INFINITY, -1}, of_cut_normal, NAN, NAN},
    {"truncated(normal(0, 1), lo = 6)", 0, {0, 1, 6, INFINITY}, of_cut_normal, NAN, NAN},
    {"truncated(normal(0, 1), -7, -6)", 0, {0, 1, -7, -6}, of_cut_normal, NAN, NAN},
    {"truncated(normal(0, 1), 20, 20.1)", 0, {0, 1, 20, 20.1}, of_cut_normal, NAN, NAN},
    {"truncated(normal(3, 0.1), hi = 1)", 0, {3, 0.1, -INFINITY, 1}, of_cut_normal, NAN, NAN},
    {"truncated(lognormal(0.2, 1), 0.5, 4)", 0, {0.2, 1, 0.5, 4}, of_cut_lognormal, NAN, NAN},
    {"truncated(half_normal(2), lo = 0)", 0, {2}, of_half_normal, 1.5957691216057308, NAN},
    {"truncated(exponential(2), -1, 1.5)", 0, {2, 0, 0, 1.5}, of_cut_exponential, NAN, NAN},
    {"truncated(gumbel(0, 1), lo = -0.5, hi = 2)", 0, {0, 1, -0.5, 2}, of_cut_gumbel, NAN, NAN},
    {"truncated(cauchy(0, 1), lo = 3)", 0, {0, 1, 3, INFINITY}, of_cut_cauchy, NAN, NAN},
    {"truncated(uniform(0, 2), lo = 1.5)", 0, {0, 2, 1.5, 2}, of_cut_uniform, 1.75, NAN},
};
enum { N_CASES = sizeof cases / sizeof *cases };
/* Every link, a law on its support, and how far out it is tried: further out, a bounded value has
 * no two numbers left to tell apart. */
static const struct {
    const char *name, *on;
    double reach;
} links[] = {
    {"identity", "normal(0, 1)", 30},  {"exp", "gamma(1, 1)", 30},
    {"softplus", "gamma(1, 1)", 30},   {"interval", "uniform(-2, 5)", 20},
    {"lower", "pareto(1.5, 5)", 20},   {"upper", "truncated(normal(0, 1), hi = -1)", 20},
    {"logistic", "uniform(0, 1)", 20}, {"tanh", "uniform(-1, 1)", 9},
};
enum { N_LINKS = sizeof links / sizeof *links };

static const char *call_of(const Case *c) {
    if (strchr(c->name, '(')) return c->name;
    Text text;
    text_init(&text, arena);
    text_printf(&text, "%s(", c->name);
    for (int i = 0; i < c->n; i++) text_printf(&text, "%s%g", i ? ", " : "", c->args[i]);
    text_add(&text, ")");
    return text.data;
}

static const char *model_of(const char *call, const char *via) {
    return arena_printf(arena, "latent z ~ %s%s%s; observed x ~ normal(z, 1);", call,
                        via ? " via " : "", via ? via : "");
}

/* NULL where the link leads elsewhere. */
static const Var *latent(const char *call, const char *via) {
    const char *text = model_of(call, via);
    Diags *diags = diags_new(arena);
    Ast *ast = front_parse(arena, diags, "m.hbm", text, strlen(text));
    Model *model = ast ? front_check(arena, diags, ast, NULL, 0) : NULL;
    return model ? model->vars.data[0] : NULL;
}

/* ---- a small evaluator of bodies, at scalars ---- */

/* In double, or with every result rounded to float. */
static double value_in(const Expr *e, const double *params, bool single) {
    double x[3] = {0}, y = NAN;
    if (e->kind == EXPR_PARAM) y = params[e->param];
    if (e->kind == EXPR_NUMBER) y = e->number;
    for (int i = 0; i < e->n_args && i < 3; i++) x[i] = value_in(e->args[i], params, single);
    if (e->kind == EXPR_CALL) y = value_in(e->function->body, x, single);
    if (e->kind == EXPR_OP) y = ir_point_value(e->opcode, x[0], x[1], x[2]);
    return single ? (double)(float)y : y;
}

static double value(const Expr *e, const double *params) {
    return value_in(e, params, false);
}

/* A member of the distribution at y, with the arguments of its variable. */
static double member_in(const Var *z, const Expr *body, double y, bool single) {
    double params[8];
    for (int i = 0; i < z->dist->n_params; i++) params[i] = value(z->args[i], NULL);
    params[z->dist->n_params] = y;
    return value_in(body, params, single);
}

static double member(const Var *z, const Expr *body, double y) {
    return member_in(z, body, y, false);
}

/* The library's log density at y. */
static double log_density(const Var *z, double y) {
    return member(z, z->dist->log_prob, y);
}

static void link_params(const Var *z, double *params) {
    bool ends = !z->link->lo && !z->link->hi; /* as parameters */
    int n = 1;
    if (ends && z->support.lo) params[n++] = value(z->support.lo, NULL);
    if (ends && z->support.hi) params[n++] = value(z->support.hi, NULL);
    if (z->link->scaled) params[n++] = 1.7;
}

/* ---- quadrature ---- */

/* The trapezoidal rule over v = sinh(t): dense around 0, and far enough out for the tails of a
 * Cauchy. Point i of the rule: the value y, and the mass there. */
enum { STEPS = 40000 };
static const double REACH = 36;

static double mass_at(const Var *z, int i, double *y) {
    double params[3] = {0}, h = 2 * REACH / STEPS, t = -REACH + h * i;
    link_params(z, params);
    params[0] = sinh(t);
    *y = value(z->link->forward, params);
    double mass = exp(log_density(z, *y) + value(z->link->log_jacobian, params)) * cosh(t) * h;
    return isfinite(mass) ? mass : 0; /* else y is rounded onto the edge of the support */
}

static void densities_integrate_to_one_through_links(void) {
    for (int c = 0; c < N_CASES; c++) {
        int pairs = 0;
        for (int k = 0; k < N_LINKS; k++) {
            const char *call = call_of(&cases[c]);
            const Var *z = latent(call, links[k].name);
            if (!z) continue;
            double mass = 0, mean = 0, y;
            for (int i = 0; i <= STEPS; i++) {
                double own = mass_at(z, i, &y);
                mass += own;
                if (own > 0) mean += own * y;
            }
            CHECK_NEAR(mass, 1, 1e-6,
                       arena_printf(arena, "mass of %s via %s", call, links[k].name));
            if (!isnan(cases[c].mean))
                CHECK_NEAR(mean, cases[c].mean, 1e-5,
                           arena_printf(arena, "mean of %s via %s", call, links[k].name));
            pairs++;
        }
        CHECK(pairs > 0, "no link leads to the support of %s", cases[c].name);
    }
}

/* ---- densities ---- */

/* Nothing of the library is forgotten in `cases`. */
static void is_tried(const Ast *item) {
    /* those of events: test_stdlib_events.c */
    int found = item->kind != AST_DISTRIBUTION || item->dims.n > 0;
    /* and of whole numbers: test_discrete.c, test_counts.c */
    found |= !found && (!strcmp(item->value->name.text, "category") ||
                        !strncmp(item->value->name.text, "count", 5));
    for (int c = 0; c < N_CASES; c++) found |= !strcmp(cases[c].name, item->name.text);
    CHECK(found, "%s has no case", item->name.text);
}

static void every_distribution_is_tried(void) {
    each_library_item(arena, is_tried);
}

static void defaults_lead_to_the_support(void) {
    for (int c = 0; c < N_CASES; c++) {
        const char *call = call_of(&cases[c]);
        const Var *z = latent(call, NULL);
        if (!CHECK(z, "%s is refused", call)) continue;
        CHECK(z->link && z->link->support == z->support.kind, "%s", call);
        CHECK(z->dist->doc && strchr(z->dist->doc, '['), "%s names no source", call);
    }
}

static void densities_are_the_textbooks(void) {
    for (int c = 0; c < N_CASES; c++) {
        const Var *z = latent(call_of(&cases[c]), NULL);
        if (!CHECK(z, "%s is refused", cases[c].name)) continue;
        for (double v = -4; v <= 4; v += 0.31) {
            double params[3] = {v};
            link_params(z, params);
            double y = value(z->link->forward, params);
            double textbook = cases[c].density(cases[c].args, y);
            if (textbook < 1e-300) continue; /* C's exp has no more digits */
            CHECK_NEAR(log_density(z, y), log(textbook), 1e-11,
                       arena_printf(arena, "log density of %s at %g", call_of(&cases[c]), y));
        }
    }
}

/* ---- distribution functions and quantiles, of all that have them ---- */

static const double probabilities[] = {1e-30, 1e-9, 1e-4, 0.03, 0.3, 0.49, 0.505, 0.8, 0.99};
enum { N_PROBABILITIES = sizeof probabilities / sizeof *probabilities };

/* The quantile inverts, the density is the derivative, both sides add to one. */
static void check_member(const Case *c, const Var *z, double p) {
    const Distribution *d = z->dist;
    const char *what = arena_printf(arena, "%s at probability %g", call_of(c), p);
    for (int upper = 0; upper < 2; upper++) {
        const Expr *own = upper ? d->log_ccdf : d->log_cdf,
                   *other = upper ? d->log_cdf : d->log_ccdf;
        double y = member(z, upper ? d->upper_quantile : d->quantile, p), log_p = member(z, own, y);
        /* what rounding y does to log_p: hazard times the rounding of y and of the arguments */
        double hazard = exp(log_density(z, y) - log_p), size = fabs(y) + 1;
        double lost = 1e-14 * hazard * size;
        if (!(lost < 0.1)) continue; /* y is rounded onto the edge of the support */
        CHECK_NEAR(log_p, log(p), 1e-13 * fabs(log(p)) + 1e-14 / p * (p > 1e-12) + lost, what);
        CHECK_NEAR(exp(log_p) + exp(member(z, other, y)), 1, 1e-13 + lost, what);
        bool real = z->support.kind == SUPPORT_REAL;
        double h = 1e-3 * fmin(1 / hazard, real ? size : fabs(y));
        double slope = (8 * (member(z, own, y + h) - member(z, own, y - h)) -
                        (member(z, own, y + 2 * h) - member(z, own, y - 2 * h))) /
                       (12 * h);
        if (isnan(slope)) continue; /* a step out of the support */
        CHECK_NEAR(slope / hazard, upper ? -1 : 1, 1e-6 + 10 * lost / (h * hazard), what);
    }
}

/* In float, far out on either side: as good as its argument allows. */
static void check_member_in_float(const Case *c, const Var *z, double p) {
    const Distribution *d = z->dist;
    for (int upper = 0; upper < 2; upper++) {
        const Expr *own = upper ? d->log_ccdf : d->log_cdf;
        double y = member_in(z, upper ? d->upper_quantile : d->quantile, p, true);
        double exact = member(z, own, y), hazard = exp(log_density(z, y) - exact);
        double lost = 1e-6 * (1 + fabs(exact) + hazard * (fabs(y) + 1));
        if (!isfinite(exact) || !(lost < 0.1)) continue;
        CHECK_NEAR(member_in(z, own, y, true), exact, lost,
                   arena_printf(arena, "%s in float at %g", call_of(c), y));
        CHECK_NEAR(exact, log(p), 1e-5 * (1 + fabs(log(p))) + 1e-6 / p * (p > 1e-5) + 10 * lost,
                   arena_printf(arena, "quantile of %s in float at %g", call_of(c), p));
    }
}

static void distribution_functions_belong_to_the_densities(void) {
    int with = 0;
    for (int c = 0; c < N_CASES; c++) {
        const Var *z = latent(call_of(&cases[c]), NULL);
        if (!CHECK(z, "%s is refused", cases[c].name)) continue;
        const Distribution *d = z->dist;
        int n = !!d->log_cdf + !!d->log_ccdf + !!d->quantile + !!d->upper_quantile;
        CHECK(n == 0 || n == 4, "%s has %d of the four members", cases[c].name, n);
        if (n < 4) continue;
        with++;
        for (int i = 0; i < N_PROBABILITIES; i++) {
            check_member(&cases[c], z, probabilities[i]);
            check_member_in_float(&cases[c], z, probabilities[i]);
        }
    }
    CHECK(with == 18, "%d cases have a distribution function", with);
}

/* ---- samplers, as program simulate runs them ---- */

enum { DRAWS = 40000, BINS = 20 };
static const double Z_LIMIT = 4.418;   /* two-sided: exceeded by chance once in 100,000 */
static const double CHI_LIMIT = 57.38; /* 19 degrees of freedom: once in 100,000 */

/* The inner edges of the bins of equal probability, ascending. */
static void quantiles(const Var *z, double edges[BINS - 1]) {
    double below = 0, y, last = NAN;
    int n = 0;
    for (int i = 0; i <= STEPS && n < BINS - 1; i++) {
        double own = mass_at(z, i, &y), middle = below + 0.5 * own;
        double from = middle - 0.5 * own, goal = (double)(n + 1) / BINS;
        /* the mass of a point lies around it, half on either side */
        if (own > 0 && from + own >= goal)
            edges[n++] = isnan(last) ? y : y + (y - last) * ((goal - from) / own - 0.5);
        below += own;
        if (own > 0) last = y;
    }
    while (n < BINS - 1) edges[n++] = INFINITY;
}

static void check_draws(const Case *c, const Var *z, const double *x) {
    double edges[BINS - 1], count[BINS] = {0}, sum = 0, squares = 0, chi = 0;
    quantiles(z, edges);
    for (int i = 0; i < DRAWS; i++) {
        int bin = 0;
        while (bin < BINS - 1 && x[i] > edges[bin]) bin++;
        count[bin]++;
        sum += x[i];
    }
    for (int b = 0; b < BINS; b++)
        chi += pow(count[b] - (double)DRAWS / BINS, 2) / ((double)DRAWS / BINS);
    CHECK(chi < CHI_LIMIT, "%s: chi-square %g", call_of(c), chi);
    if (isnan(c->sd)) return;
    double mean = sum / DRAWS;
    CHECK(fabs(mean - c->mean) < Z_LIMIT * c->sd / sqrt(DRAWS), "%s: mean %g, not %g", call_of(c),
          mean, c->mean);
    if (strstr(c->name, "student")) return; /* no eighth moment: the variance varies too much */
    for (int i = 0; i < DRAWS; i++) squares += (x[i] - mean) * (x[i] - mean);
    double variance = squares / DRAWS, spread = 0;
    for (int i = 0; i < DRAWS; i++) spread += pow((x[i] - mean) * (x[i] - mean) - variance, 2);
    double error = sqrt(spread / DRAWS / DRAWS);
    CHECK(fabs(variance - c->sd * c->sd) < Z_LIMIT * error, "%s: variance %g, not %g", call_of(c),
          variance, c->sd * c->sd);
}

static void samplers_follow_their_densities(void) {
    for (int c = 0; c < N_CASES; c++) {
        const Var *z = latent(call_of(&cases[c]), NULL);
        Compiled *compiled = compile_text("m.hbm", model_of(call_of(&cases[c]), NULL),
                                          (DualOptions){.family = FAMILY_STRUCTURED});
        if (!CHECK(compiled && z, "%s is refused", cases[c].name)) continue;
        Run *run = run_new(compiled, DRAWS, 1);
        run->seed = 20 + (uint32_t)c;
        const IrTensor *draws = run_output(run, compiled->dual->simulate, "z");
        if (CHECK(draws->size == DRAWS, "%lld draws", (long long)draws->size))
            check_draws(&cases[c], z, draws->data);
        compiled_free(compiled);
    }
}

/* A power repeats its operand: the draw in it stays one draw. */
static void one_draw_may_stand_twice(void) {
    Compiled *compiled =
        compile_text("m.hbm",
                     "distribution cube(a: positive) : real {"
                     "  sample = (a * std_normal()) ^ 3 + std_uniform(); log_prob(x) = -x / a; }"
                     "latent z ~ cube(2); observed x ~ normal(z, 1);",
                     (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(compiled, "refused")) return;
    Run *run = run_new(compiled, 1, 1);
    run_give(run, "sim:z", &(double){1.5}, 1);
    run_give(run, "sim:z.1", &(double){0.25}, 1);
    CHECK_NEAR(run_output(run, compiled->dual->simulate, "z")->data[0], 27.25, 0, "(2 * 1.5)^3");
    compiled_free(compiled);
}

/* ---- gradients, with latents as parameters ---- */

enum { POINTS = 24, MAX_LATENTS = 4 };

static const char *const with_latent_parameters[] = {
    "latent a ~ normal(0, 1); latent b ~ half_normal(1); latent z ~ lognormal(a, b);",
    "latent a ~ uniform(1, 9); latent b ~ normal(0, 2); latent c ~ half_normal(2);"
    "latent z ~ student_t(a, b, c);",
    "latent a ~ uniform(1, 9); latent b ~ half_normal(2); latent z ~ half_student_t(a, b);",
    "latent a ~ normal(0, 2); latent b ~ half_normal(2); latent z ~ cauchy(a, b);",
    "latent b ~ half_normal(2); latent z ~ half_cauchy(b);",
    "latent a ~ normal(0, 2); latent b ~ half_normal(2); latent z ~ logistic(a, b);",
    "latent a ~ normal(0, 2); latent b ~ half_normal(2); latent z ~ gumbel(a, b);",
    "latent a ~ uniform(0.1, 1); latent b ~ uniform(1.5, 9); latent z ~ log_uniform(a, b);",
    "latent a ~ uniform(1, 5); latent b ~ half_normal(2); latent z ~ inv_gamma(a, b);",
    "latent a ~ uniform(0.8, 3); latent b ~ half_normal(2); latent z ~ weibull(a, b);",
    "latent a ~ uniform(1, 9); latent z ~ chi_square(a);",
    "latent a ~ uniform(1, 5); latent b ~ uniform(1, 5); latent z ~ beta(a, b) via logistic;",
    "latent a ~ beta(2, 2); latent b ~ uniform(2, 9); latent z ~ beta_proportion(a, b);",
    "latent a ~ uniform(-1, 1) via tanh; latent z ~ normal(a, 1);",
    "latent a ~ uniform(1, 3); latent b ~ half_normal(2); latent z ~ pareto(a, b);",
    "latent a ~ normal(0, 2); latent b ~ half_normal(2); latent z ~ truncated(normal(a, b), -1, "
    "2);",
    "latent a ~ normal(0, 3); latent b ~ half_normal(1); latent z ~ truncated(normal(a, b), lo = "
    "0);",
    "latent a ~ normal(0, 2); latent b ~ half_normal(2);"
    "latent z ~ truncated(logistic(a, b), hi = 0.5);",
    "latent a ~ normal(0, 2); latent b ~ uniform(0.5, 3);"
    "latent z ~ truncated(laplace(0, 1), a - b, a + b);",
    "latent a ~ normal(1, 1); latent b ~ uniform(0.01, 0.1);"
    "latent z ~ truncated(normal(a, b), 0, 100);",
    "latent a ~ half_normal(2); latent b ~ exponential(1);"
    "latent z ~ truncated(weibull(1.5, b), lo = a);",
};
enum { N_MODELS = sizeof with_latent_parameters / sizeof *with_latent_parameters };

/* The log joint of every point, with latent `which` moved by step[i] times `by`. */
static void joint_at(Run *run, const char *which, const double *at, const double *step, double by,
                     double *out) {
    double moved[POINTS];
    for (int i = 0; i < POINTS; i++) moved[i] = at[i] + by * step[i];
    run_give(run, which, moved, POINTS);
    const IrProgram *p = run->c->dual->logjoint;
    for (int i = 0; i < POINTS; i++) {
        out[i] = run_output(run, p, "log_prior")->data[i];
        out[i] += run_output(run, p, "log_likelihood")->data[i];
    }
    run_give(run, which, at, POINTS);
}

static void check_model_gradients(Compiled *c, const char *text) {
    Run *prior = run_new(c, POINTS, 1), *run = run_new(c, POINTS, 1);
    const IrProgram *simulate = c->dual->simulate;
    prior->seed = 3;
    for (int v = 0; v < c->model->vars.n; v++) {
        const char *name = c->model->vars.data[v]->name;
        run_give(run, name, run_output(prior, simulate, name)->data, POINTS);
    }
    for (int v = 0; v < c->model->vars.n; v++) {
        const Var *var = c->model->vars.data[v];
        if (var->kind != VAR_LATENT) continue;
        double at[POINTS], step[POINTS], near[2][POINTS], far[2][POINTS], slope[POINTS];
        memcpy(at, run_output(prior, simulate, var->name)->data, sizeof at);
        const char *output = arena_printf(arena, "d:%s", var->name);
        memcpy(slope, run_output(run, c->dual->logjoint, output)->data, sizeof slope);
        for (int i = 0; i < POINTS; i++) {
            step[i] = 1e-4 * (var->support.kind == SUPPORT_REAL ? fmax(1, fabs(at[i])) : at[i]);
            if (var->support.kind == SUPPORT_INTERVAL) step[i] = 1e-6 * fabs(at[i]);
        }
        for (int side = 0; side < 2; side++) {
            joint_at(run, var->name, at, step, side ? 1 : -1, near[side]);
            joint_at(run, var->name, at, step, side ? 2 : -2, far[side]);
        }
        for (int i = 0; i < POINTS; i++) {
            double numeric =
                (8 * (near[1][i] - near[0][i]) - (far[1][i] - far[0][i])) / (12 * step[i]);
            CHECK_NEAR(slope[i], numeric, 1e-5 * fmax(1, fabs(slope[i])),
                       arena_printf(arena, "%s by %s at %g", text, var->name, at[i]));
        }
    }
}

/* One training step from the start of training: neither the guide's start nor any gradient may be
 * anything but a number. */
static void check_first_step(Compiled *c, const char *text) {
    Run *run = run_new(c, 8, 2);
    run_start_weights(run, 5, 0);
    run_statistics(run);
    const IrProgram *step = c->dual->step;
    for (int i = 0; i < step->outputs.n; i++) {
        const IrTensor *out = run_output(run, step, step->outputs.data[i].name);
        bool finite = true;
        for (int64_t k = 0; k < out->size; k++) finite = finite && isfinite(out->data[k]);
        if (!CHECK(finite, "%s: %s is not finite", text, step->outputs.data[i].name)) return;
    }
}

static void gradients_are_true_and_finite(void) {
    for (int m = 0; m < N_MODELS; m++) {
        const char *text = with_latent_parameters[m];
        Compiled *c =
            compile_text("m.hbm", arena_printf(arena, "%s observed x ~ normal(z, 1);", text),
                         (DualOptions){.family = FAMILY_STRUCTURED});
        if (!CHECK(c, "%s is refused", text)) continue;
        check_model_gradients(c, text);
        check_first_step(c, text);
        compiled_free(c);
    }
}

/* Bounds very far out, in scales, of laws whose arguments the guide knows when it draws them: the
 * start of the guide goes through the sampler, whose other branches must not spoil the gradient. */
static void far_bounds_leave_gradients_finite(void) {
    static const char *const laws[] = {
        "pareto(b, 2)",
        "truncated(normal(a, b), 0, 100)",
        "truncated(normal(a, b), lo = 0)",
        "truncated(normal(a, b), hi = -10)",
        "truncated(half_normal(b), 3, 90)",
        "truncated(lognormal(a, b), 0.001, 200)",
        "truncated(exponential(1 / b), 0.01 * b, 1000)",
        "truncated(weibull(3, b), 0.001, 20)",
        "truncated(weibull(0.5, b), 0.001, 200)",
        "truncated(laplace(a, b), -200, 200)",
        "truncated(logistic(a, b), -200, 100)",
        "truncated(logistic(a, b), lo = 200)",
        "truncated(gumbel(a, b), -2, 100)",
        "truncated(gumbel(a, b), lo = 20)",
        "truncated(cauchy(a, b), -9, 1000)",
        "truncated(half_cauchy(b), 3, 90)",
        "truncated(pareto(b, 3), 1, 200)",
        "truncated(uniform(-b, 100), 1, 50)",
        "truncated(log_uniform(b, 100), 1, 50)",
    };
    for (size_t i = 0; i < sizeof laws / sizeof *laws; i++) {
        const char *text =
            arena_printf(arena,
                         "latent a ~ normal(1, 1); latent b ~ uniform(0.01, 0.1);"
                         "plate g(5) { latent z ~ %s; observed x ~ normal(z + a, 1); }",
                         laws[i]);
        Compiled *c = compile_text("m.hbm", text, (DualOptions){.family = FAMILY_STRUCTURED});
        if (!CHECK(c, "%s is refused", laws[i])) continue;
        check_first_step(c, laws[i]);
        compiled_free(c);
    }
}

/* ---- links ---- */

static void links_are_inverse_and_their_jacobians_true(void) {
    for (int k = 0; k < N_LINKS; k++) {
        const Var *z = latent(links[k].on, links[k].name);
        if (!CHECK(z, "%s is refused", links[k].name)) continue;
        double params[3] = {0};
        link_params(z, params);
        for (double v = -links[k].reach; v <= links[k].reach; v += 0.37) {
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
                       arena_printf(arena, "%s: log-Jacobian at %g", links[k].name, v));
            params[0] = y;
            double back = value(z->link->inverse, params);
            double lost =
                z->support.lo || z->support.hi ? 1e-14 / exp(jacobian) : 0; /* near an end */
            CHECK_NEAR(back, v, 1e-9 + lost,
                       arena_printf(arena, "%s: back at %g", links[k].name, v));
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
    RUN(every_distribution_is_tried);
    RUN(defaults_lead_to_the_support);
    RUN(densities_are_the_textbooks);
    RUN(densities_integrate_to_one_through_links);
    RUN(distribution_functions_belong_to_the_densities);
    RUN(samplers_follow_their_densities);
    RUN(one_draw_may_stand_twice);
    RUN(gradients_are_true_and_finite);
    RUN(far_bounds_leave_gradients_finite);
    RUN(links_are_inverse_and_their_jacobians_true);
    RUN(softplus_is_stable_far_out);
    arena_free(arena);
    return check_done();
}
