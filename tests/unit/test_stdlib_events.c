/* test_stdlib_events.c -- distributions and links of vectors and matrices: links are inverse to
 * themselves and their log-Jacobians those of their forward maps in the stated reference measure;
 * densities integrate to 1 through every link that leads to their support, and are those of their
 * samplers; gradients agree with differences; functions of matrices give what their compile-time
 * values say. */
#include "dual/internal.h"
#include "front/ast.h"

#include "check.h"
#include "harness.h"
#include "library_items.h"

static Arena *arena;

/* ---- a link and a density of one latent `z`, as a program over grid points ---- */

typedef struct Probe {
    Compiled *c;
    const Var *z;
    IrProgram *p; /* input v, outputs value, jacobian, back, density */
    int64_t n_free, n_value;
} Probe;

enum { CHUNK = 4096 };

static void output_over_data(Build *b, const char *name, Val val) {
    AxisId axes[IR_MAX_AXES] = {b->data};
    int n = 1 + event_axes(b, &val, axes + 1);
    ir_output(b->p, name, along(b, val.v, axes, n));
}

/* `declarations` must make a latent z of one event. */
static Probe probe_of(const char *declarations) {
    const char *text =
        arena_printf(arena, "%s; plate g(1) { observed x ~ normal(0, 1); }", declarations);
    Probe probe = {.c = compile_text("m.hbm", text, (DualOptions){.family = FAMILY_STRUCTURED})};
    if (!probe.c) return probe;
    for (int i = 0; i < probe.c->model->vars.n; i++)
        if (!strcmp(probe.c->model->vars.data[i]->name, "z"))
            probe.z = probe.c->model->vars.data[i];
    Build *b = build_start(probe.c->arena, probe.c->dual, "probe");
    Type free = model_free_type(probe.z);
    probe.n_free = event_size(&free);
    probe.n_value = event_size(&probe.z->type);
    Val v = val_of(IR_NONE, &free);
    AxisId axes[IR_MAX_AXES] = {b->data};
    v.v = ir_input(b->p, "v", ROLE_LATENT, axes, 1 + event_axes(b, &v, axes + 1));
    Val value = lower_link(b, probe.z, LINK_FORWARD, v);
    Val jacobian = lower_link(b, probe.z, LINK_LOG_JACOBIAN, v);
    AxisId events[MAX_DIMS];
    int n = event_axes(b, &jacobian, events); /* entry by entry: summed here */
    if (n) jacobian = (Val){.v = ir_sum(b->p, along(b, jacobian.v, events, n), events, n)};
    output_over_data(b, "value", value);
    output_over_data(b, "jacobian", jacobian);
    output_over_data(b, "back", lower_link(b, probe.z, LINK_INVERSE, value));
    output_over_data(b, "density", (Val){.v = lower_log_prob(b, probe.z, value)});
    probe.p = b->p;
    return probe;
}

static Run *probe_at(const Probe *probe, const double *v, int64_t n) {
    Run *run = run_new(probe->c, n, 1);
    run_give(run, "v", v, n * probe->n_free);
    return run;
}

/* ---- links ---- */

typedef struct LinkCase {
    const char *link, *support;
    int64_t size; /* of every dimension */
    int dims;
    int64_t n_free;
} LinkCase;

static const LinkCase links[] = {
    {"simplex", "simplex", 2, 1, 1},
    {"simplex", "simplex", 5, 1, 4},
    {"centred_softmax", "simplex", 2, 1, 1},
    {"centred_softmax", "simplex", 4, 1, 3},
    {"ordered", "ordered", 1, 1, 1},
    {"ordered", "ordered", 4, 1, 4},
    {"positive_ordered", "positive_ordered", 3, 1, 3},
    {"cumulative_odds", "ordered", 1, 1, 1},
    {"cumulative_odds", "ordered", 4, 1, 4},
    {"sum_to_zero", "sum_to_zero", 2, 1, 1},
    {"sum_to_zero", "sum_to_zero", 5, 1, 4},
    {"sphere", "sphere", 2, 1, 1},
    {"sphere", "sphere", 4, 1, 3},
    {"sphere_octant", "sphere_octant", 2, 1, 1},
    {"sphere_octant", "sphere_octant", 4, 1, 3},
    {"cholesky_corr", "cholesky_corr", 2, 2, 1},
    {"cholesky_corr", "cholesky_corr", 4, 2, 6},
    {"cholesky_cov", "cholesky_cov", 1, 2, 1},
    {"cholesky_cov", "cholesky_cov", 3, 2, 6},
};
enum { N_LINKS = sizeof links / sizeof *links, POINTS = 12, MOST = 32 };

/* A distribution on the link's support, as a user would write one. */
static const char *anything_on(const LinkCase *c) {
    const char *dims = c->dims == 2 ? "K, K" : "K";
    const char *shape = c->dims == 2 ? arena_printf(arena, "%d, %d", (int)c->size, (int)c->size)
                                     : arena_printf(arena, "%d", (int)c->size);
    return arena_printf(arena,
                        "distribution anything[%s]() : %s { sample = %s.forward([k in %d: "
                        "std_normal()]); log_prob(x) = 0; }\nlatent z[%s] ~ anything() via %s",
                        dims, c->support, c->link, (int)c->n_free, shape, c->link);
}

/* Is the reference measure the set's own (surface), rather than that of some of the coordinates? */
static bool is_surface(SupportKind kind) {
    return kind == SUPPORT_SPHERE || kind == SUPPORT_SPHERE_OCTANT || kind == SUPPORT_SUM_TO_ZERO;
}

/* Is entry e of a value one of the coordinates that densities are over? */
static bool is_coordinate(const Probe *probe, int64_t e) {
    int64_t n = probe->z->type.dims[0], row = e / n, column = e % n;
    switch (probe->z->support.kind) {
    case SUPPORT_SIMPLEX:
        return e < n - 1;
    case SUPPORT_CHOLESKY_CORR:
        return column < row;
    case SUPPORT_CHOLESKY_COV:
        return column <= row;
    default:
        return true;
    }
}

/* log |det| of a square matrix, by Gaussian elimination; destroys it. */
static double log_det(double *a, int64_t n) {
    double sum = 0;
    for (int64_t k = 0; k < n; k++) {
        int64_t pivot = k;
        for (int64_t i = k + 1; i < n; i++)
            if (fabs(a[i * n + k]) > fabs(a[pivot * n + k])) pivot = i;
        for (int64_t j = 0; j < n; j++) {
            double held = a[k * n + j];
            a[k * n + j] = a[pivot * n + j];
            a[pivot * n + j] = held;
        }
        sum += log(fabs(a[k * n + k]));
        for (int64_t i = k + 1; i < n; i++) {
            double factor = a[i * n + k] / a[k * n + k];
            for (int64_t j = k; j < n; j++) a[i * n + j] -= factor * a[k * n + j];
        }
    }
    return sum;
}

/* log of the volume that a unit cube of v becomes: half the log determinant of J'J, J by central
 * differences over the coordinates of the reference measure. */
static double numeric_jacobian(const Probe *probe, const double *at) {
    int64_t n = probe->n_free, m = probe->n_value;
    double v[2 * MOST * MOST], slopes[MOST * MOST], gram[MOST * MOST] = {0};
    const double h = 1e-5;
    for (int64_t k = 0; k < 2 * n; k++) {
        memcpy(v + k * n, at, sizeof *at * (size_t)n);
        v[k * n + k / 2] += k % 2 ? h : -h;
    }
    const double *y = run_output(probe_at(probe, v, 2 * n), probe->p, "value")->data;
    for (int64_t k = 0; k < n; k++)
        for (int64_t e = 0; e < m; e++)
            slopes[e * n + k] = (y[(2 * k + 1) * m + e] - y[2 * k * m + e]) / (2 * h);
    for (int64_t e = 0; e < m; e++)
        for (int64_t i = 0;
             i < n && (is_surface(probe->z->support.kind) || is_coordinate(probe, e)); i++)
            for (int64_t j = 0; j < n; j++)
                gram[i * n + j] += slopes[e * n + i] * slopes[e * n + j];
    return 0.5 * log_det(gram, n);
}

static void check_link(const LinkCase *c) {
    Probe probe = probe_of(anything_on(c));
    if (!CHECK(probe.c, "%s of %d is refused", c->link, (int)c->size)) return;
    CHECK(probe.n_free == c->n_free, "%s of %d takes %d numbers", c->link, (int)c->size,
          (int)probe.n_free);
    double v[POINTS * MOST];
    fill_normal(v, POINTS * probe.n_free, 7);
    Run *run = probe_at(&probe, v, POINTS);
    double *back = arena_array(arena, double, POINTS *probe.n_free), jacobian[POINTS];
    memcpy(back, run_output(run, probe.p, "back")->data,
           sizeof *back * (size_t)(POINTS * probe.n_free));
    memcpy(jacobian, run_output(run, probe.p, "jacobian")->data, sizeof jacobian);
    const char *what = arena_printf(arena, "%s of %d", c->link, (int)c->size);
    for (int i = 0; i < POINTS * probe.n_free; i++) CHECK_NEAR(back[i], v[i], 1e-10, what);
    for (int i = 0; i < POINTS; i++)
        CHECK_NEAR(jacobian[i], numeric_jacobian(&probe, v + i * probe.n_free), 1e-6, what);
    compiled_free(probe.c);
}

static void links_are_inverse_and_their_jacobians_true(void) {
    for (int i = 0; i < N_LINKS; i++) check_link(&links[i]);
}

/* ---- densities, by the trapezoidal rule on a grid of v = sinh(t) ---- */

typedef struct LawCase {
    const char *declaration;
    double reach; /* of t */
} LawCase;

/* The law of von Mises and Fisher, as in tests/models/von_mises_fisher.hbm: its constant is a
 * Bessel function. */
#define DIRECTIONS                                                                  \
    "distribution directions[K](pole[K]: sphere, kappa: positive) : sphere {"       \
    "  sample = around(pole, 1 + log1p(std_uniform() * expm1(-2 * kappa)) / kappa," \
    "                  [k in K: std_normal()]);"                                    \
    "  log_prob(x) = kappa * dot(pole, x) + (K / 2 - 1) * log(kappa)"               \
    "                - 0.5 * K * log(2 * pi()) - log_bessel_i(K / 2 - 1, kappa); }" \
    "fn around(p, w, z) = w * p + sqrt(max(1 - square(w), 0)) * unit(z - dot(z, p) * p); "

static const LawCase laws[] = {
    {"latent z[2] ~ dirichlet([2, 3.5])", 5},
    {"latent z[2] ~ dirichlet([0.5, 0.7]) via centred_softmax", 6},
    {"latent z[3] ~ dirichlet([2, 3.5, 0.8])", 6},
    {"latent z[3] ~ dirichlet(1) via centred_softmax", 6},
    {"latent z[3] ~ dirichlet([4, 1, 2]) via centred_softmax", 6},
    {"latent z[2, 2] ~ lkj_cholesky(0.7)", 6},
    {"latent z[2, 2] ~ lkj_cholesky(4)", 4},
    {"latent z[3, 3] ~ lkj_cholesky(1)", 3.7},
    {"latent z[3, 3] ~ lkj_cholesky(2.5)", 3.2},
    {"latent z[2] ~ sphere_uniform()", 20},
    {"latent z[3] ~ sphere_uniform()", 14},
    {"latent z[2] ~ multi_normal_cholesky([1, -1], [[0.5, 0], [0.6, 0.8]])", 2.6},
    {"latent z[2] ~ multi_normal([0.5, -1], [[1, 0.6], [0.6, 0.5]])", 2.6},
    {"latent z[2] ~ multi_normal_precision([0, 1], [[2, -0.5], [-0.5, 1]])", 2.6},
    {"latent z ~ push(exp, normal(0.3, 0.5)) via exp", 4},
    {"latent z ~ push(logistic, student_t(4, 0, 1)) via interval", 7},
    {"latent z[3] ~ push(sphere_octant, normal([1, -1], 0.7))", 3},
    {"latent z[3] ~ push(sum_to_zero, normal(0, 2))", 3},
    {"latent z[3] ~ push(simplex, multi_normal([0, 1], [[1, 0.6], [0.6, 0.5]])) via "
     "centred_softmax",
     4},
    {"latent z[2] ~ push(exp, multi_normal([0, 0.5], [[1, 0.6], [0.6, 0.5]])) via exp", 5},
    {"latent z[2, 2] ~ push(cholesky_cov, normal([0.1, 0, 0.3], [0.4, 0.5, 0.6]))", 3.4},
    {"latent z[2] ~ sorted(normal(0.5, 1.2))", 6},
    {"latent z[3] ~ sorted(logistic(0, 0.5))", 4.5},
    {"latent z[2] ~ sorted(normal(0, 1)) via cumulative_odds", 4},
    {"latent z[2] ~ sorted(weibull(1.5, 2))", 7},
    {"latent z[1] ~ sorted(laplace(0, 1))", 4},
    {DIRECTIONS "latent z[3] ~ directions([0.6, 0, 0.8], 2.5)", 14},
    {DIRECTIONS "latent z[3] ~ directions([0, -1, 0], 0.1)", 14},
};
enum { N_LAWS = sizeof laws / sizeof *laws, DRAWS = 40000, BINS = 20 };
static const double Z_LIMIT = 4.418;   /* two-sided: exceeded by chance once in 100,000 */
static const double CHI_LIMIT = 57.38; /* 19 degrees of freedom: once in 100,000 */

static int64_t steps_of(int64_t n_free) {
    return n_free == 1 ? 2000 : n_free == 2 ? 400 : 80;
}

/* Sums over the grid: mass, mass by column of every v_k, and of products of entries of (1, z). */
typedef struct Sums {
    int64_t steps;
    double h, mass, *column; /* [n_free][steps + 1] */
    double moment[MOST], square[MOST];
} Sums;

static void add_chunk(const Probe *probe, Sums *s, const double *v, const int64_t *place,
                      int64_t n) {
    int64_t d = probe->n_free;
    Run *run = probe_at(probe, v, n);
    double *density = arena_array(arena, double, n), *jacobian = arena_array(arena, double, n);
    memcpy(density, run_output(run, probe->p, "density")->data, sizeof *density * (size_t)n);
    memcpy(jacobian, run_output(run, probe->p, "jacobian")->data, sizeof *density * (size_t)n);
    const double *value = run_output(run, probe->p, "value")->data;
    for (int64_t i = 0; i < n; i++) {
        double mass = exp(density[i] + jacobian[i]);
        for (int64_t k = 0; k < d; k++) mass *= sqrt(1 + v[i * d + k] * v[i * d + k]) * s->h;
        if (!(mass > 0) || !isfinite(mass)) continue; /* rounded onto the edge of the support */
        s->mass += mass;
        for (int64_t k = 0; k < d; k++) s->column[k * (s->steps + 1) + place[i * d + k]] += mass;
        for (int64_t e = 0; e < probe->n_value; e++) {
            double x = value[i * probe->n_value + e];
            s->moment[e] += mass * x;
            s->square[e] += mass * x * x;
        }
    }
}

static Sums integrate(const Probe *probe, double reach) {
    int64_t d = probe->n_free, steps = steps_of(d), total = 1, n = 0;
    Sums s = {.steps = steps, .h = 2 * reach / (double)steps};
    s.column = arena_array(arena, double, d *(steps + 1));
    double *v = arena_array(arena, double, CHUNK *d);
    int64_t *place = arena_array(arena, int64_t, CHUNK * d);
    for (int64_t k = 0; k < d; k++) total *= steps + 1;
    for (int64_t i = 0; i < total; i++) {
        int64_t rest = i;
        for (int64_t k = 0; k < d; k++, rest /= steps + 1) {
            place[n * d + k] = rest % (steps + 1);
            v[n * d + k] = sinh(-reach + s.h * (double)place[n * d + k]);
        }
        if (++n < CHUNK && i < total - 1) continue;
        add_chunk(probe, &s, v, place, n);
        n = 0;
    }
    return s;
}

/* Draws of v_k against the mass by column: bins end between columns, where the mass is cut. */
static void check_column(const char *what, const Sums *s, double reach, const double *draws,
                         int64_t stride, int64_t k) {
    const double *column = s->column + k * (s->steps + 1);
    double edges[BINS - 1], count[BINS] = {0}, below = 0, chi = 0;
    int n = 0;
    for (int64_t i = 0; i <= s->steps && n < BINS - 1; i++) {
        /* the mass of a column lies around it, half on either side */
        for (double goal = (double)(n + 1) / BINS;
             n < BINS - 1 && below + column[i] >= goal * s->mass; goal = (double)(n + 1) / BINS) {
            double within = (goal * s->mass - below) / column[i] - 0.5;
            edges[n++] = sinh(-reach + s->h * ((double)i + within));
        }
        below += column[i];
    }
    while (n < BINS - 1) edges[n++] = INFINITY;
    for (int i = 0; i < DRAWS; i++) {
        int bin = 0;
        while (bin < BINS - 1 && draws[i * stride + k] > edges[bin]) bin++;
        count[bin]++;
    }
    for (int i = 0; i < BINS; i++)
        chi += pow(count[i] - (double)DRAWS / BINS, 2) / ((double)DRAWS / BINS);
    CHECK(chi < CHI_LIMIT, "%s: chi-square of number %d is %g", what, (int)k, chi);
}

static void check_moments(const char *what, const Probe *probe, const Sums *s,
                          const double *draws) {
    int64_t m = probe->n_value;
    for (int64_t e = 0; e < m; e++)
        for (int power = 1; power <= 2; power++) {
            double sum = 0, squares = 0;
            for (int i = 0; i < DRAWS; i++) {
                double x = draws[i * m + e];
                double y = power == 1 ? x : x * x;
                sum += y;
                squares += y * y;
            }
            double mean = sum / DRAWS, sd = sqrt(fmax(0, squares / DRAWS - mean * mean));
            double wanted = (power == 1 ? s->moment[e] : s->square[e]) / s->mass;
            CHECK(fabs(mean - wanted) <= Z_LIMIT * sd / sqrt(DRAWS) + 1e-6,
                  "%s: mean of entry %d to the %d is %g, not %g", what, (int)e, power, mean,
                  wanted);
        }
}

static void check_law(const LawCase *c, uint32_t seed) {
    Probe probe = probe_of(c->declaration);
    if (!CHECK(probe.c, "%s is refused", c->declaration)) return;
    Sums s = integrate(&probe, c->reach);
    CHECK_NEAR(s.mass, 1, 1e-4, c->declaration);
    Run *run = run_new(probe.c, DRAWS, 1);
    run->seed = seed;
    check_moments(c->declaration, &probe, &s, run_output(run, probe.c->dual->simulate, "z")->data);
    const char *free_draws = probe.z->link->n_dims ? "z.free" : "z";
    const double *draws = run_output(run, probe.c->dual->prepare, free_draws)->data;
    bool free = probe.z->link->n_dims || probe.z->support.kind == SUPPORT_REAL;
    for (int64_t k = 0; k < probe.n_free && free; k++)
        check_column(c->declaration, &s, c->reach, draws, probe.n_free, k);
    compiled_free(probe.c);
}

static void densities_integrate_to_one_and_samplers_follow_them(void) {
    for (int i = 0; i < N_LAWS; i++) check_law(&laws[i], 40 + (uint32_t)i);
}

/* Nothing of the library is forgotten above. */
static void is_tried(const Ast *item) {
    if (!item->dims.n) return;
    /* those of whole numbers: test_counts.c */
    bool found = item->kind == AST_DISTRIBUTION && !strcmp(item->value->name.text, "counts");
    for (int c = 0; c < N_LAWS && item->kind == AST_DISTRIBUTION; c++)
        found |= strstr(laws[c].declaration, arena_printf(arena, "~ %s(", item->name.text)) != NULL;
    for (int c = 0; c < N_LINKS && item->kind == AST_LINK; c++)
        found |= !strcmp(links[c].link, item->name.text);
    CHECK(found, "%s has no case", item->name.text);
}

static void every_law_and_link_of_events_is_tried(void) {
    each_library_item(arena, is_tried);
}

/* ---- gradients ---- */

static const char *const models[] = {
    "latent a[3] ~ gamma(2, 1); latent z[3] ~ dirichlet(a); let y = z[0] - z[2];",
    "latent a ~ gamma(2, 1); latent z[4] ~ dirichlet(a); let y = sum(z[1:3]);",
    "latent eta ~ gamma(3, 1); latent z[3, 3] ~ lkj_cholesky(eta); let y = z[2, 1] + z[2, 2];",
    "latent m[2] ~ normal(0, 1); latent s[2] ~ half_normal(1); latent C[2, 2] ~ lkj_cholesky(2);"
    "latent z[2] ~ multi_normal_cholesky(m, diag(s) @ C); let y = z[0] * z[1];",
    "latent s[3] ~ gamma(4, 2); latent C[3, 3] ~ lkj_cholesky(1); let L = diag(s) @ C;"
    "latent z[3] ~ multi_normal([0, 1, 2], L @ transpose(L)); let y = mean(z);",
    "latent s[2] ~ gamma(4, 2); latent C[2, 2] ~ lkj_cholesky(1); let L = diag(s) @ C;"
    "latent z[2] ~ multi_normal_precision(0, L @ transpose(L)); let y = dot(z, z);",
    "latent z[4, 3] ~ dirichlet([1, 2, 3]); let y = z[3, 0] + sum(z[:, 1]);",
    "latent m[4, 2] ~ normal(0, 1); latent s ~ half_normal(1);"
    "latent z[4, 2] ~ multi_normal_cholesky(m, s * [[1, 0], [0.5, 2]]); let y = max(z[1:3, 0]);",
    "latent e[2] ~ gamma(3, 1); latent z[2, 3, 3] ~ lkj_cholesky(e); let y = z[1, 2, 1];",
    "latent z[5] ~ normal(0, 1); let s = sort(z); let y = dot(s, [1, 0, 3, 0.5, -2]);",
    "latent z[3, 3] ~ normal(0, 1); latent b[3] ~ normal(0, 1); let y = sum(solve(z, b));",
    "latent z[3] ~ normal(0, 1); let A = outer(z, z) + diag([2, 3, 1]);"
    "let y = sum(cholesky(A)) + sum(solve_lower(cholesky(A), A));",
    "latent z[4] ~ normal(0, 1); let y = sum(cumsum(z) * cumprod(z)) + log_sum_exp(z);",
    "fn f(x[K]) = sum(k in K: k * x[k]); fn g(A[N, K], x[K]) = f(A @ x);"
    "latent z[3] ~ normal(0, 1); let y = g([[1, 2, 3], [4, 5, 6]], z) + f(z);",
    "latent z[3] ~ sphere_uniform(); let y = softmax(z)[1];",
    "latent m[2] ~ normal(0, 1); latent s ~ half_normal(1);"
    "latent z[2, 3] ~ push(sphere_octant, normal(m, s)); let y = z[0, 1] * z[1, 2];",
    "latent s ~ half_normal(1); latent z[4] ~ push(sum_to_zero, normal(0, s));"
    "let y = z[0] - z[3];",
};
enum { N_MODELS = sizeof models / sizeof *models, SETS = 4 };

static double *joint(Run *run) {
    double *sum = arena_array(arena, double, SETS);
    const IrProgram *p = run->c->dual->logjoint;
    for (int i = 0; i < SETS; i++) {
        sum[i] = run_output(run, p, "log_prior")->data[i];
        sum[i] += run_output(run, p, "log_likelihood")->data[i];
    }
    return sum;
}

/* Entry e of the latent in all data sets, moved by `by` of its step. */
static double *joint_moved(Run *run, const char *name, const double *at, int64_t n, int64_t e,
                           double by) {
    double *moved = arena_array(arena, double, SETS *n);
    memcpy(moved, at, sizeof *at * (size_t)(SETS * n));
    for (int i = 0; i < SETS; i++) moved[i * n + e] += by;
    run_give(run, name, moved, SETS * n);
    double *result = joint(run);
    run_give(run, name, at, SETS * n);
    return result;
}

static void check_latent(Run *run, const char *text, const Var *var, const double *at) {
    int64_t n = event_size(&var->type);
    const double h = 1e-5;
    double *slope = arena_array(arena, double, SETS *n);
    memcpy(slope,
           run_output(run, run->c->dual->logjoint, arena_printf(arena, "d:%s", var->name))->data,
           sizeof *slope * (size_t)(SETS * n));
    for (int64_t e = 0; e < n; e++) {
        double *near[] = {joint_moved(run, var->name, at, n, e, -h),
                          joint_moved(run, var->name, at, n, e, h)};
        double *far[] = {joint_moved(run, var->name, at, n, e, -2 * h),
                         joint_moved(run, var->name, at, n, e, 2 * h)};
        for (int i = 0; i < SETS; i++) {
            double numeric = (8 * (near[1][i] - near[0][i]) - (far[1][i] - far[0][i])) / (12 * h);
            CHECK_NEAR(slope[i * n + e], numeric, 1e-5 * fmax(1, fabs(numeric)),
                       arena_printf(arena, "%s by %s, entry %d", text, var->name, (int)e));
        }
    }
}

static void check_step_is_finite(Compiled *c, const char *text) {
    Run *run = run_new(c, SETS, 2);
    run_start_weights(run, 5, 0.02);
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
        Compiled *c =
            compile_text("m.hbm", arena_printf(arena, "%s observed x ~ normal(y, 1.5);", models[m]),
                         (DualOptions){.family = FAMILY_STRUCTURED});
        if (!CHECK(c, "%s is refused", models[m])) continue;
        Run *prior = run_new(c, SETS, 1), *run = run_new(c, SETS, 1);
        prior->seed = 3;
        for (int v = 0; v < c->model->vars.n; v++) {
            const Var *var = c->model->vars.data[v];
            if (var->kind != VAR_LATENT && var->kind != VAR_OBSERVED) continue;
            const IrTensor *draws = run_output(prior, c->dual->simulate, var->name);
            run_give(run, var->name, draws->data, draws->size);
        }
        for (int v = 0; v < c->model->vars.n; v++) {
            const Var *var = c->model->vars.data[v];
            if (var->kind == VAR_LATENT)
                check_latent(run, models[m], var,
                             run_output(prior, c->dual->simulate, var->name)->data);
        }
        check_step_is_finite(c, models[m]);
        compiled_free(c);
    }
}

/* ---- functions of matrices: computed by two pieces of code that share nothing ---- */

static const char *const given =
    "hyper A[3, 3] = [[0.1, 2, 3], [4, 0.5, 6], [7, -8, 1]];"
    "hyper B[3, 2] = [[1, 2], [-3, 4], [0, 6]]; hyper b[3] = [2, -1, 0.5];";
enum { N_GIVEN = 3 };

static Compiled *with(const char *declaration) {
    return compile_text("m.hbm",
                        arena_printf(arena,
                                     "%s %s; latent z ~ normal(0, sum(square(e)) + 1);"
                                     "observed x ~ normal(z, 1); quantity q = e;",
                                     given, declaration),
                        (DualOptions){.family = FAMILY_STRUCTURED});
}

/* The value of quantity q, whose hypers are inputs of the program. */
static const IrTensor *computed(Compiled *c) {
    Run *run = run_new(c, 1, 1);
    run_start_weights(run, 1, 0);
    run_statistics(run);
    for (int v = 0; v < N_GIVEN; v++) {
        const Var *var = c->model->vars.data[v];
        run_give(run, var->name, var->numbers, event_size(&var->type));
    }
    run_give(run, "x", (double[]){0.3}, 1);
    return run_output(run, c->dual->posterior, "q");
}

static void check_expression(const char *expression) {
    Compiled *c = with(arena_printf(arena, "let e = %s", expression));
    if (!CHECK(c, "%s is refused", expression)) return;
    const Type *type = &c->model->vars.data[N_GIVEN]->type;
    const char *dims = "";
    for (int i = 0; i < type->n_dims; i++)
        dims = arena_printf(arena, "%s%s%d", dims, i ? ", " : "[", (int)type->dims[i]);
    if (type->n_dims) dims = arena_printf(arena, "%s]", dims);
    Compiled *h = with(arena_printf(arena, "hyper e%s = %s", dims, expression));
    if (!CHECK(h, "hyper of %s is refused", expression)) return;
    const double *known = h->model->vars.data[N_GIVEN]->numbers;
    const IrTensor *q = computed(c);
    CHECK(q->size == event_size(type), "%s: %d numbers", expression, (int)q->size);
    for (int64_t k = 0; k < q->size; k++)
        CHECK_NEAR(q->data[k], known[k], 1e-12 * fmax(1, fabs(known[k])), expression);
    compiled_free(c);
    compiled_free(h);
}

static void compile_time_values_are_those_of_programs(void) {
    static const char *const expressions[] = {
        "A @ B",
        "A @ b",
        "b @ A",
        "transpose(A) @ B",
        "outer(b, b)",
        "diag(b)",
        "diag(A)",
        "solve(A, b)",
        "solve(A, B)",
        "cholesky(A @ transpose(A))",
        "solve_lower(cholesky(A @ transpose(A)), B)",
        "sort(b)",
        "sort([5, 3, 9, 1, 1, 7, -2])",
        "A[1:, 0]",
        "A[:, 1:3]",
        "B[2]",
        "cumsum(b)",
        "softmax(b)",
        "[i in 3: [j in 2: A[i, j] * b[j] + (i == j ? 10 : 0)]]"};
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++)
        check_expression(expressions[i]);
}

/* ---- many numbers in order ---- */

/* Entry k of K normal numbers in order is the point below which a Beta(k + 1, K - k) share of the
 * mass lies; its share and that of entry l > k have the covariance
 * (k + 1) (K - l) / ((K + 1)^2 (K + 2)). */
static void check_order(const char *declarations, int n) {
    enum { DATA_SETS = 4000, MOST_ENTRIES = 64 };
    const char *text = arena_printf(arena, "%s observed x ~ normal(sum(z), 1);", declarations);
    Compiled *c = compile_text("m.hbm", text, (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "refused: %s", text)) return;
    Run *run = run_new(c, DATA_SETS, 1);
    double mean[MOST_ENTRIES] = {0}, beside[MOST_ENTRIES] = {0}, own[MOST_ENTRIES] = {0};
    const double *m = run_output(run, c->dual->simulate, "m")->data;
    const double *z = run_output(run, c->dual->simulate, "z")->data;
    int unordered = 0;
    for (int i = 0; i < DATA_SETS; i++)
        for (int k = 0; k < n; k++) {
            const double *at = z + (int64_t)i * n;
            double share = 0.5 * erfc((m[i] - at[k]) / M_SQRT2);
            double last = 0.5 * erfc((m[i] - at[n - 1]) / M_SQRT2);
            unordered += k && at[k] <= at[k - 1];
            mean[k] += share / DATA_SETS;
            own[k] += share * share / DATA_SETS;
            beside[k] += share * last / DATA_SETS;
        }
    CHECK(!unordered, "%d of %d entries are not above those before", unordered, n);
    double scale = (n + 1.0) * (n + 1.0) * (n + 2.0), top = n / scale;
    for (int k = 0; k < n; k++) { /* 312 numbers: a false alarm once in 80,000 */
        double variance = (k + 1) * (n - k) / scale, covariance = (k + 1) / scale;
        double product = sqrt(variance * top + covariance * covariance);
        CHECK_NEAR(mean[k], (k + 1) / (n + 1.0), 5.5 * sqrt(variance / DATA_SETS), "mean share");
        CHECK_NEAR(own[k] - mean[k] * mean[k], variance, 5.5 * variance * sqrt(8.0 / DATA_SETS),
                   "variance of a share");
        CHECK_NEAR(beside[k] - mean[k] * mean[n - 1], covariance,
                   5.5 * product * sqrt(4.0 / DATA_SETS), "covariance of a share and the last one");
    }
    /* its density: K! times that of the numbers in any order */
    Run *first = run_new(c, 1, 1);
    double joint = lgamma(n + 1.0) - 0.5 * log(2 * M_PI) * n;
    for (int k = 0; k < n; k++) joint -= 0.5 * (z[k] - m[0]) * (z[k] - m[0]);
    joint -= 0.5 * m[0] * m[0] + 0.5 * log(2 * M_PI);
    run_give(first, "m", m, 1);
    run_give(first, "z", z, n);
    run_give(first, "x", &(double){0}, 1);
    CHECK_NEAR(run_output(first, c->dual->logjoint, "log_prior")->data[0], joint,
               1e-9 * fabs(joint), "log density");
    compiled_free(c);
}

static void many_numbers_come_in_order(void) {
    check_order("latent m ~ normal(0, 1); latent z[20] ~ sorted(normal(m, 1));", 20);
    check_order("latent m ~ normal(0, 1); latent z[64] ~ sorted(normal(m, 1));", 64);
    /* with no upper quantile all sums come from below */
    check_order("distribution bell(m) : real { sample = m + std_normal();"
                "  log_prob(x) = -0.5 * (x - m)^2 - 0.5 * log(2 * pi());"
                "  quantile(p) = m + inv_Phi(p); }"
                "latent m ~ normal(0, 1); latent z[20] ~ sorted(bell(m));",
                20);
    Compiled *known = compile_text("m.hbm",
                                   "latent z[20] ~ sorted(normal(0, 1));"
                                   "observed x ~ normal(sum(z), 1);",
                                   (DualOptions){.family = FAMILY_STRUCTURED});
    if (CHECK(known, "20 numbers of a known law are refused")) compiled_free(known);
}

int main(void) {
    arena = arena_new();
    RUN(links_are_inverse_and_their_jacobians_true);
    RUN(densities_integrate_to_one_and_samplers_follow_them);
    RUN(every_law_and_link_of_events_is_tried);
    RUN(gradients_are_true_and_finite);
    RUN(compile_time_values_are_those_of_programs);
    RUN(many_numbers_come_in_order);
    arena_free(arena);
    return check_done();
}
