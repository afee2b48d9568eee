/* The map that bends the tails of the guide's flows: inverse and slope against numbers computed
 * here, and the density of whole guides by quadrature over their base draw. */
#include "check.h"
#include "dual/internal.h"
#include "harness.h"
#include "ir/eval.h"

#include <stdlib.h>

enum { POINTS = 161 };
static const double FROM = -8, STEP = 0.1;

typedef struct Points {
    double y[POINTS], left[POINTS], right[POINTS], skew[POINTS];
} Points;
static const char *const names[] = {"y", "left", "right", "skew"};

static const double *point_input(void *user, const IrProgram *p, const IrOp *op) {
    const Points *at = user;
    const double *const numbers[] = {at->y, at->left, at->right, at->skew};
    (void)p;
    for (int i = 0; i < 4; i++)
        if (!strcmp(op->name, names[i])) return numbers[i];
    return NULL;
}

/* t and log dt/dy at the points. */
static void run_bend(Points *at, double *t, double *log_slope) {
    Arena *arena = arena_new();
    Build b = {.arena = arena, .p = ir_program_new(arena, "bend")};
    AxisId axes[] = {ir_axis(b.p, "data", AXIS_DATA, AXIS_NONE, 0),
                     ir_axis(b.p, "flat", AXIS_EVENT, AXIS_NONE, 1)};
    IrValue in[4];
    for (int i = 0; i < 4; i++) in[i] = ir_input(b.p, names[i], ROLE_DATA, axes, 2);
    Bend bend = {.left = in[1], .right = in[2], .skew = in[3]};
    IrValue log_det = ir_const(b.p, 0);
    ir_output(b.p, "t", bent(&b, in[0], &bend, axes[1], &log_det));
    ir_output(b.p, "log_det", log_det);
    int64_t extent[] = {POINTS, 1};
    IrEvalEnv env = {.extent = extent, .lookup = point_input, .user = at};
    IrTensor result[2];
    const char *why = ir_eval(arena, b.p, &env, result);
    if (CHECK(!why, "%s", why)) {
        memcpy(t, result[0].data, sizeof *t * POINTS);
        memcpy(log_slope, result[1].data, sizeof *log_slope * POINTS);
    }
    arena_free(arena);
}

/* From 0.3 to 2.2, and 1 at 0. */
static double exponent_of(double raw) {
    return 0.3 + 1.9 / (1 + 1.2 / 0.7 * exp(-raw));
}

/* y where w' = m w + d (sqrt(1 + w^2) - 1) + skew, m and d half of the exponents' sum and
 * difference: w is a root of (m^2 - d^2) w^2 - 2 m c w + c^2 - d^2 = 0, c = w' - skew + d. */
static double inverse_of(double t, double l, double k, double skew) {
    double m = (k + l) / 2, d = (k - l) / 2, c = asinh(t + skew) - skew + d, a = m * m - d * d;
    return sinh((m * c - d * sqrt(c * c + a)) / a);
}

static const double raws[] = {-3, -0.5, 0, 0.7, 4}, skews[] = {-1.5, 0, 0.4};
enum { RAWS = sizeof raws / sizeof *raws, SKEWS = sizeof skews / sizeof *skews };

static void check_bend(double left, double right, double skew) {
    const double h = 1e-6;
    Points at, above, below;
    double t[POINTS], up[POINTS], down[POINTS], slope[POINTS], unused[POINTS];
    for (int n = 0; n < POINTS; n++) {
        at.y[n] = FROM + STEP * n + 0.01;
        at.left[n] = left;
        at.right[n] = right;
        at.skew[n] = skew;
    }
    above = below = at;
    for (int n = 0; n < POINTS; n++) above.y[n] += h, below.y[n] -= h;
    run_bend(&at, t, slope);
    run_bend(&above, up, unused);
    run_bend(&below, down, unused);
    for (int n = 0; n < POINTS; n++) {
        double y = inverse_of(t[n], exponent_of(left), exponent_of(right), skew);
        CHECK(fabs(y - at.y[n]) <= 1e-10 * (1 + fabs(y)), "%g, %g, %g: %.17g came back as %.17g",
              left, right, skew, at.y[n], y);
        double difference = (up[n] - down[n]) / (2 * h);
        CHECK(fabs(exp(slope[n]) / difference - 1) <= 1e-6, "%g, %g, %g at %g: slope %g, not %g",
              left, right, skew, at.y[n], exp(slope[n]), difference);
    }
}

static void inverse_and_slope_are_exact(void) {
    for (int i = 0; i < RAWS * RAWS * SKEWS; i++)
        check_bend(raws[i % RAWS], raws[i / RAWS % RAWS], skews[i / RAWS / RAWS]);
}

static void zero_is_the_identity(void) {
    Points at = {.left = {0}};
    double t[POINTS], slope[POINTS];
    for (int n = 0; n < POINTS; n++) at.y[n] = FROM + STEP * n;
    run_bend(&at, t, slope);
    for (int n = 0; n < POINTS; n++) {
        CHECK_NEAR(t[n], at.y[n], 1e-13, "value");
        CHECK_NEAR(slope[n], 0, 1e-14, "log slope");
    }
}

/* The integral of exp(log_q) over the one latent, its base draw running from -9 to 9. */
static void check_integral(const char *text, const char *latent) {
    enum { DRAWS = 6001, SETS = 3 };
    Compiled *c = compile_text("one", text, (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "%s is refused", text)) return;
    Run *prior = run_new(c, SETS, 1), *run = run_new(c, SETS, DRAWS);
    const IrTensor *x = run_output(prior, c->dual->simulate, "x");
    run_give(run, "x", x->data, x->size);
    run_start_weights(run, 7, 0.15);
    run_statistics(run);
    double *u = malloc(sizeof *u * SETS * DRAWS);
    for (int i = 0; i < SETS * DRAWS; i++) u[i] = -9 + 18.0 * (i % DRAWS) / (DRAWS - 1);
    char site[64];
    snprintf(site, sizeof site, "u:%s", latent);
    run_give(run, site, u, SETS * DRAWS);
    const double *v = run_output(run, c->dual->posterior, latent)->data,
                 *q = run_output(run, c->dual->posterior, "log_q")->data;
    for (int set = 0; set < SETS; set++) {
        double sum = 0;
        for (int i = set * DRAWS + 1; i < (set + 1) * DRAWS; i++)
            sum += 0.5 * (exp(q[i]) + exp(q[i - 1])) * (v[i] - v[i - 1]);
        CHECK_NEAR(sum, 1, 1e-4, text);
    }
    free(u);
    compiled_free(c);
}

static void densities_integrate_to_one(void) {
    check_integral("latent s ~ half_normal(2); plate n(5) { observed x ~ normal(0, s); }", "s");
    check_integral("latent s ~ gamma(2, 1) via exp; plate n(5) { observed x ~ normal(0, s); }",
                   "s");
    check_integral("latent p ~ beta(2, 2); plate n(5) { observed x ~ normal(p, 1); }", "p");
    check_integral("latent m ~ normal(3, 2); plate n(5) { observed x ~ normal(m, 1); }", "m");
}

int main(void) {
    RUN(inverse_and_slope_are_exact);
    RUN(zero_is_the_identity);
    RUN(densities_integrate_to_one);
    return check_done();
}
