/* tails.c -- has a law a variance? Where it has none, the mean of the data says next to nothing of
 * its location, nor their variance of its scale: the guide then takes no moments from it.
 *
 * Read off the `sample` body alone: a base draw that is exceeded with probability p, p small, moves
 * the body's value by about p^(-1/k), where k is the order of the first moment that does not exist.
 * Each base draw is tried at p = 1e-3 and 1e-6, in both directions; there is a variance where the
 * second goes less than 1000^(1/2) times as far as the first, and the tail is long where it goes
 * more than 1000^(1/8) times as far: an exponential's goes about twice as far.
 *
 * And is it Gaussian in shape? Read off `log_prob`, evaluated likewise.
 */
#include "model/model.h"

#include "ir/eval.h"

#include <math.h>

static const double UNKNOWN = 10; /* for what is not known before training: some ordinary number */

typedef struct LetValue {
    const Var *let;
    double value;
    bool guessed; /* see Probe */
} LetValue;

/* Values of lets that have been computed: a chain of lets that each mention the one before twice
 * must not be walked along every path. */
typedef struct LetValues {
    Arena *arena;
    VEC(LetValue) list;
} LetValues;

typedef struct Probe {
    LetValues *lets; /* of arguments; bodies of distributions mention none */
    const double *params;
    int n_sites;  /* base draws that the body has */
    int moved;    /* the one that is far out; -1: none */
    double p, z;  /* its tail probability, and the normal's quantile there */
    bool upwards; /* in which direction */
    bool guessed; /* something was not known, and UNKNOWN stood for it */
} Probe;

static double value_of(Probe *probe, const Expr *e);

static double far_out(const Probe *probe, IrRandom random, double shape) {
    switch (random) {
    case RANDOM_NORMAL:
        return probe->upwards ? probe->z : -probe->z;
    case RANDOM_UNIFORM:
        return probe->upwards ? 1 - probe->p : probe->p;
    case RANDOM_EXPONENTIAL:
        return probe->upwards ? -log(probe->p) : probe->p;
    case RANDOM_GAMMA: /* below: P(g < x) = x^a / Gamma(a + 1) */
        if (probe->upwards) return shape - log(probe->p);
        return exp((log(probe->p) + lgamma(shape + 1)) / shape);
    case RANDOM_POISSON:
        return probe->upwards ? shape - log(probe->p) : 0;
    case RANDOM_BINOMIAL: /* `shape` of them at most */
        return probe->upwards ? shape : 0;
    case RANDOM_GIVEN: /* no primitive of `sample` */
        break;
    }
    internal_error("tails", "unknown random primitive");
}

static double draw_of(Probe *probe, const Expr *e) {
    double shape = e->n_args ? value_of(probe, e->args[0]) : 0;
    if (e->index >= probe->n_sites) probe->n_sites = (int)e->index + 1;
    if (e->index == probe->moved) return far_out(probe, e->random, shape);
    /* somewhere ordinary, where a product with another draw does not vanish */
    return e->n_args ? shape : e->random == RANDOM_UNIFORM ? 0.7 : 1;
}

static double unknown(Probe *probe) {
    probe->guessed = true;
    return UNKNOWN;
}

static const LetValue *let_value(Probe *probe, const Var *let) {
    LetValues *lets = probe->lets;
    for (int i = 0; i < lets->list.n; i++)
        if (lets->list.data[i].let == let) return &lets->list.data[i];
    bool guessed = probe->guessed;
    probe->guessed = false;
    double value = value_of(probe, let->value);
    LetValue computed = {let, value, probe->guessed};
    probe->guessed = guessed;
    vec_push(lets->arena, &lets->list, computed);
    return &lets->list.data[lets->list.n - 1];
}

static double value_of_var(Probe *probe, const Var *var) {
    if (var->kind == VAR_HYPER) return var->numbers[0];
    if (var->kind != VAR_LET || var->type.n_dims) return unknown(probe);
    const LetValue *let = let_value(probe, var);
    probe->guessed |= let->guessed;
    return let->value;
}

static double value_of(Probe *probe, const Expr *e) {
    double x[8] = {0};
    switch (e->kind) {
    case EXPR_NUMBER:
        return e->number;
    case EXPR_VAR:
        return value_of_var(probe, e->var);
    case EXPR_PARAM:
        return probe->params[e->param];
    case EXPR_RANDOM:
        return draw_of(probe, e);
    default:
        break;
    }
    if (e->kind == EXPR_SIZE) return (double)e->plate->size;
    if (e->n_args > 8) return unknown(probe);
    for (int i = 0; i < e->n_args; i++) x[i] = value_of(probe, e->args[i]);
    if (e->kind == EXPR_OP) return ir_point_value(e->opcode, x[0], x[1], x[2]);
    const Expr *body = NULL;
    if (e->kind == EXPR_CALL) body = e->function->body;
    if (e->kind == EXPR_LINK) {
        const Expr *const parts[] = {e->link->forward, e->link->inverse, e->link->log_jacobian};
        body = parts[e->link_part];
    }
    if (e->kind == EXPR_OVER) return x[0]; /* instances are alike */
    if (!body) return unknown(probe);      /* events: elements are alike */
    const double *outer = probe->params;
    probe->params = x;
    double value = value_of(probe, body);
    probe->params = outer;
    return value;
}

static double sample_at(const Expr *sample, const double *params, Probe probe, int *n_sites) {
    probe.params = params;
    double value = value_of(&probe, sample);
    *n_sites = probe.n_sites;
    return value;
}

/* Does a draw that is a thousand times rarer go more than `farther` times as far? */
static bool body_goes(const Expr *sample, const double *params, double farther) {
    int n_sites;
    double centre = sample_at(sample, params, (Probe){.moved = -1}, &n_sites);
    for (int k = 0; k < 2 * n_sites; k++) {
        Probe near = {.moved = k / 2, .p = 1e-3, .z = 3.0902, .upwards = k % 2},
              far = {.moved = k / 2, .p = 1e-6, .z = 4.7534, .upwards = k % 2};
        double nearby = fabs(sample_at(sample, params, near, &n_sites) - centre);
        if (fabs(sample_at(sample, params, far, &n_sites) - centre) > farther * nearby) return true;
    }
    return false;
}

/* What is made of unknown numbers, as exp(a + b * x), may be anything: some ordinary number that
 * the parameter may be. */
static double ordinary(const Param *param, double value) {
    if (param->support == SUPPORT_INTERVAL && param->lo->kind == EXPR_NUMBER &&
        param->hi->kind == EXPR_NUMBER) {
        double lo = param->lo->number, hi = param->hi->number;
        return value > lo && value < hi ? value : 0.5 * (lo + hi);
    }
    return fmax(param->support == SUPPORT_POSITIVE ? 1 / UNKNOWN : -UNKNOWN, fmin(value, UNKNOWN));
}

/* The parameters of the law of `var`: what is known of them as it is. */
static void params_of(const Var *var, double *params) {
    LetValues lets = {.arena = arena_new()};
    for (int i = 0; i < var->dist->n_params; i++) {
        Probe probe = {.lets = &lets, .moved = -1};
        double value = value_of(&probe, var->args[i]);
        params[i] = probe.guessed ? ordinary(&var->dist->params[i], value) : value;
    }
    arena_free(lets.arena);
}

static bool goes(const Var *var, double farther) {
    double params[MAX_ARGS];
    const Expr *sample = var->dist->sample;
    params_of(var, params);
    /* what chooses, as mixtures and hurdles do, goes as far as one of its choices */
    for (; sample->kind == EXPR_OP && sample->opcode == OP_SELECT; sample = sample->args[2])
        if (body_goes(sample->args[1], params, farther)) return true;
    return body_goes(sample, params, farther);
}

bool has_variance(const Var *var) {
    return !goes(var, 31.6);
}

bool has_long_tail(const Var *var) {
    return goes(var, 2.37);
}

/* Quadratic functions have one second difference everywhere. It is looked at about several points,
 * so many steps from params[moved], of the log density as a function of that one. */
static bool is_quadratic_along(Probe *probe, const Expr *log_prob, double *params, int moved,
                               double step) {
    enum { POINTS = 4 };
    static const double FROM[POINTS] = {0, -3, 1.5, 8};
    double curve[POINTS], at = params[moved];
    bool same = true;
    probe->params = params;
    for (int i = 0; i < POINTS; i++) {
        curve[i] = 0;
        for (int k = -1; k <= 1; k++) {
            params[moved] = at + step * (FROM[i] + k);
            curve[i] += (k ? 1 : -2) * value_of(probe, log_prob);
        }
        same &= fabs(curve[i] - curve[0]) <= 1e-6 * fabs(curve[0]);
    }
    params[moved] = at;
    return same;
}

bool is_quadratic_in(const Var *var, int param) {
    static const double FAR = 40; /* beyond where values may be censored, in these units */
    double params[MAX_ARGS + 1];
    Probe probe = {.moved = -1}, upper = {.moved = 0, .p = 0.05, .z = 2, .upwards = true};
    const Expr *sample = var->dist->sample, *log_prob = var->dist->log_prob;
    int n = var->dist->n_params, n_sites;
    params_of(var, params);
    double centre = sample_at(sample, params, probe, &n_sites); /* base draws are 1 there */
    double step = fabs(sample_at(sample, params, upper, &n_sites) - centre);
    bool quadratic = true;
    params[n] = centre;
    if (param < 0) return is_quadratic_along(&probe, log_prob, params, n, step);
    for (int side = -1; side <= 1; side++) {
        params[n] = centre + side * FAR * step;
        probe.params = params;
        if (isfinite(value_of(&probe, log_prob))) /* else it is no value of this law */
            quadratic &= is_quadratic_along(&probe, log_prob, params, param, 1);
    }
    return quadratic;
}

bool is_quadratic(const Var *var) {
    return is_quadratic_in(var, -1);
}
