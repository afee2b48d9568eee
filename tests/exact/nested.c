/* nested.c -- see nested.h.
 *
 * Given the scales, the mean of all observations below an instance of level k has the error e_k^2
 * about its u_k, e_levels = 0 and e_(k-1)^2 = (s_k^2 + e_k^2) / size_k; the deviations of level k
 * within their groups have the variance t_k = s_k^2 + e_k^2. So the scales enter the likelihood
 * through one sum of squares per level. Downwards, u_k given u_(k-1) is the product of N(u_(k-1),
 * s_k^2) and N(its mean, e_k^2).
 *
 * The grid is equally spaced in log s_k. Its ends are moved, pass by pass, to where the marginal
 * posterior falls below CUT of its largest value; then the trapezoidal rule is exact to rounding
 * for a smooth integrand that vanishes at the ends.
 */
#include "tests/exact/nested.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS = 48, PASSES = 12 };
static const double CUT = 1e-7, LOG_2_PI = 1.8378770664093454836;

typedef struct Grid {
    const NestedEffects *model;
    double *mean[NESTED_LEVELS + 1];   /* of all observations below, by instance of level k */
    double squares[NESTED_LEVELS + 1]; /* of deviations of level k within groups */
    double lo[NESTED_LEVELS], step[NESTED_LEVELS]; /* of log s_(k+1) */
} Grid;

int nested_instances(const NestedEffects *model, int k) {
    int n = 1;
    for (int i = 0; i < k; i++) n *= model->level[i].size;
    return n;
}

static void summarise(Grid *g, const double *y) {
    int levels = g->model->levels, n = nested_instances(g->model, levels);
    g->mean[levels] = malloc(sizeof *y * (size_t)n);
    memcpy(g->mean[levels], y, sizeof *y * (size_t)n);
    for (int k = levels; k > 0; k--) {
        int size = g->model->level[k - 1].size, groups = nested_instances(g->model, k - 1);
        g->mean[k - 1] = calloc((size_t)groups, sizeof *y);
        for (int i = 0; i < groups * size; i++) g->mean[k - 1][i / size] += g->mean[k][i] / size;
        for (int i = 0; i < groups * size; i++)
            g->squares[k] += pow(g->mean[k][i] - g->mean[k - 1][i / size], 2);
    }
}

/* Squared errors e[0 .. levels] given the scales s[k - 1] = s_k. */
static void errors(const NestedEffects *m, const double *s, double *e) {
    e[m->levels] = 0;
    for (int k = m->levels; k > 0; k--)
        e[k - 1] = (s[k - 1] * s[k - 1] + e[k]) / m->level[k - 1].size;
}

/* Log density of the observations and of the logarithms of the scales. */
static double log_joint(const Grid *g, const double *s) {
    const NestedEffects *m = g->model;
    double e[NESTED_LEVELS + 1], sum = 0;
    errors(m, s, e);
    for (int k = 1; k <= m->levels; k++) {
        double groups = nested_instances(m, k - 1), size = m->level[k - 1].size,
               t = s[k - 1] * s[k - 1] + e[k], ratio = s[k - 1] / m->level[k - 1].scale;
        sum -= g->squares[k] / (2 * t) + 0.5 * groups * (size - 1) * (LOG_2_PI + log(t)) +
               0.5 * groups * log(size);
        sum += log(2) - 0.5 * LOG_2_PI + log(ratio) - 0.5 * ratio * ratio;
    }
    double v = m->sd * m->sd + e[0], r = g->mean[0][0] - m->mean;
    return sum - 0.5 * (LOG_2_PI + log(v)) - r * r / (2 * v);
}

static long grid_size(const Grid *g) {
    long n = 1;
    for (int k = 0; k < g->model->levels; k++) n *= POINTS;
    return n;
}

static void scales_at(const Grid *g, long at, double *s) {
    for (int k = 0; k < g->model->levels; k++, at /= POINTS)
        s[k] = exp(g->lo[k] + g->step[k] * (double)(at % POINTS));
}

/* log joint densities over the whole grid; returns the largest. */
static double fill(const Grid *g, double *log_p) {
    double s[NESTED_LEVELS], largest = -INFINITY;
    for (long at = 0; at < grid_size(g); at++) {
        scales_at(g, at, s);
        log_p[at] = log_joint(g, s);
        largest = fmax(largest, log_p[at]);
    }
    return largest;
}

/* The ends of dimension k: one point beyond the last that counts, on each side. False: they are
 * there already. */
static bool narrow(Grid *g, int k, const double *log_p, double largest) {
    double marginal[POINTS] = {0}, most = 0;
    long stride = 1;
    for (int i = 0; i < k; i++) stride *= POINTS;
    for (long at = 0; at < grid_size(g); at++)
        marginal[at / stride % POINTS] += exp(log_p[at] - largest);
    for (int i = 0; i < POINTS; i++) most = fmax(most, marginal[i]);
    int first = 0, last = POINTS - 1;
    while (marginal[first] < CUT * most) first++;
    while (marginal[last] < CUT * most) last--;
    if (first == 1 && last == POINTS - 2) return false;
    double from = g->lo[k] + g->step[k] * (first - 1), to = g->lo[k] + g->step[k] * (last + 1);
    g->lo[k] = from;
    g->step[k] = (to - from) / (POINTS - 1);
    return true;
}

typedef struct Moments {
    double first, second;
} Moments;

static void add(Moments *m, double weight, double mean, double variance) {
    m->first += weight * mean;
    m->second += weight * (mean * mean + variance);
}

/* Adds the latents of one point of the grid: moments[0 .. levels) of the scales, then of u_0,
 * u_1, ... by instance. */
static void add_point(const Grid *g, const double *s, double weight, Moments *moments) {
    const NestedEffects *m = g->model;
    double e[NESTED_LEVELS + 1], precision, variance;
    errors(m, s, e);
    for (int k = 0; k < m->levels; k++) add(moments++, weight, s[k], 0);
    precision = 1 / (m->sd * m->sd) + 1 / e[0];
    variance = 1 / precision;
    double root = (m->mean / (m->sd * m->sd) + g->mean[0][0] / e[0]) * variance;
    add(moments, weight, root, variance);
    double *above = &root, *own = NULL;
    for (int k = 1; k < m->levels; k++) {
        int n = nested_instances(m, k), size = m->level[k - 1].size;
        double s2 = s[k - 1] * s[k - 1], share = s2 / (s2 + e[k]);
        double *means = malloc(sizeof *means * (size_t)n);
        moments += nested_instances(m, k - 1);
        variance = share * e[k] + (1 - share) * (1 - share) * variance;
        for (int i = 0; i < n; i++) {
            means[i] = share * g->mean[k][i] + (1 - share) * above[i / size];
            add(&moments[i], weight, means[i], variance);
        }
        free(own);
        above = own = means;
    }
    free(own);
}

/* Weights below this share of the largest change no digit. */
static const double NEGLIGIBLE = 1e-14;

static void integrate(const Grid *g, const double *log_p, double largest, NestedPosterior *out) {
    const NestedEffects *m = g->model;
    unsigned n = (unsigned)m->levels;
    for (int k = 0; k < m->levels; k++) n += (unsigned)nested_instances(m, k);
    Moments *moments = calloc(n, sizeof *moments), *at = moments;
    double s[NESTED_LEVELS], total = 0, volume = 1;
    for (long i = 0; i < grid_size(g); i++) total += exp(log_p[i] - largest);
    for (long i = 0; i < grid_size(g); i++) {
        double weight = exp(log_p[i] - largest) / total;
        if (weight * total < NEGLIGIBLE) continue;
        scales_at(g, i, s);
        add_point(g, s, weight, moments);
    }
    for (int k = 0; k < m->levels; k++, at++) {
        volume *= g->step[k];
        out->scale_mean[k] = at->first;
        out->scale_variance[k] = at->second - at->first * at->first;
    }
    for (int k = 0; k < m->levels; k++) {
        int instances = nested_instances(m, k);
        out->mean[k] = malloc(sizeof(double) * (size_t)instances);
        out->variance[k] = malloc(sizeof(double) * (size_t)instances);
        for (int i = 0; i < instances; i++, at++) {
            out->mean[k][i] = at->first;
            out->variance[k][i] = at->second - at->first * at->first;
        }
    }
    out->log_evidence = largest + log(total * volume);
    free(moments);
}

NestedPosterior nested_posterior(const NestedEffects *model, const double *y) {
    Grid g = {.model = model};
    NestedPosterior out = {.log_evidence = 0};
    summarise(&g, y);
    for (int k = 0; k < model->levels; k++) {
        g.lo[k] = log(model->level[k].scale * 1e-6);
        g.step[k] = (log(model->level[k].scale * 8) - g.lo[k]) / (POINTS - 1);
    }
    double *log_p = malloc(sizeof *log_p * (size_t)grid_size(&g)), largest = fill(&g, log_p);
    for (int pass = 0, moved = 1; moved && pass < PASSES; pass++) {
        moved = 0;
        for (int k = 0; k < model->levels; k++) moved |= narrow(&g, k, log_p, largest);
        if (moved) largest = fill(&g, log_p);
    }
    integrate(&g, log_p, largest, &out);
    free(log_p);
    for (int k = 0; k <= model->levels; k++) free(g.mean[k]);
    return out;
}

void nested_free(NestedPosterior *posterior) {
    for (int k = 0; k < NESTED_LEVELS; k++) {
        free(posterior->mean[k]);
        free(posterior->variance[k]);
    }
}
