/* graddiff.c -- see graddiff.h.
 *
 * A difference is the four-point formula (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12 h, whose error
 * is of order h^4. Steps of several sizes are tried until one agrees: a short one where a kink of
 * the loss is near, a long one where the loss is large or flat and rounding counts. A wrong
 * derivative agrees with none of them.
 */
#include "graddiff.h"

#include "opt/opt.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

typedef struct Probe {
    const IrProgram *loss; /* the program with the output "loss" alone */
    const IrEvalEnv *env;
    const char *name; /* the input that is moved */
    const double *moved;
    double size; /* of the loss */
} Probe;

static const double *probe_lookup(void *user, const IrProgram *p, const IrOp *op) {
    const Probe *probe = user;
    if (op->opcode == OP_INPUT && strcmp(op->name, probe->name) == 0) return probe->moved;
    return probe->env->lookup ? probe->env->lookup(probe->env->user, p, op) : NULL;
}

IrProgram *only_output(const IrProgram *p, const char *name) {
    IrProgram copy = *p;
    memset(&copy.outputs, 0, sizeof copy.outputs);
    for (int i = 0; i < p->outputs.n; i++)
        if (strcmp(p->outputs.data[i].name, name) == 0)
            vec_push(p->arena, &copy.outputs, p->outputs.data[i]);
    return copy.outputs.n ? opt_dce(&copy) : NULL;
}

/* The loss with the input at x + step * direction. */
static double loss_at(Probe *probe, const double *x, const double *direction, int64_t n,
                      double step) {
    double *moved = malloc(sizeof(double) * (size_t)n);
    for (int64_t i = 0; i < n; i++) moved[i] = x[i] + step * direction[i];
    probe->moved = moved;
    IrEvalEnv env = *probe->env;
    env.lookup = probe_lookup;
    env.user = probe;
    Arena *arena = arena_new();
    IrTensor result;
    double loss = ir_eval(arena, probe->loss, &env, &result) ? NAN : result.data[0];
    arena_free(arena);
    free(moved);
    return loss;
}

/* The smallest error of the derivative along `direction` over the steps. */
static double error_along(Probe *probe, const double *x, const double *direction, int64_t n,
                          double derivative, double tolerance, double *numeric) {
    static const double steps[] = {1e-4, 1e-3, 1e-2, 1e-5, 1e-6, 0.1, 1, 1e-7, 1e-8};
    double best = INFINITY;
    for (int k = 0; k < 9 && !(best <= tolerance); k++) {
        double h = steps[k];
        double near = loss_at(probe, x, direction, n, h) - loss_at(probe, x, direction, n, -h);
        double far =
            loss_at(probe, x, direction, n, 2 * h) - loss_at(probe, x, direction, n, -2 * h);
        double slope = (8 * near - far) / (12 * h);
        /* what the rounding of the loss alone may do to the slope is no error of the derivative */
        double rounding = h < 1e-4 ? 0 : 64 * DBL_EPSILON * fabs(probe->size) / h;
        double off = fabs(slope - derivative);
        double error = off <= rounding ? 0 : isnan(off) ? INFINITY : off - rounding;
        if (error < best) {
            best = error;
            *numeric = slope;
        }
    }
    return best;
}

static uint64_t next_random(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* Directions 0 .. entries are unit vectors (the largest entry of the gradient first), the last one
 * is random. */
static void make_direction(double *direction, const double *gradient, int64_t n, int which,
                           int entries, uint64_t *random) {
    memset(direction, 0, sizeof(double) * (size_t)n);
    int64_t largest = 0;
    for (int64_t i = 0; i < n; i++)
        if (fabs(gradient[i]) > fabs(gradient[largest])) largest = i;
    if (which <= entries) {
        direction[which ? (int64_t)(next_random(random) % (uint64_t)n) : largest] = 1;
        return;
    }
    double norm = 0;
    for (int64_t i = 0; i < n; i++) {
        direction[i] = (double)next_random(random) / (double)(UINT32_MAX / 2) - 0.5;
        norm += direction[i] * direction[i];
    }
    for (int64_t i = 0; i < n; i++) direction[i] /= sqrt(norm);
}

static int check_tensor(Probe *probe, const double *x, const IrTensor *gradient, int entries,
                        double *worst) {
    int64_t n = gradient->size;
    double largest = 0, *direction = malloc(sizeof(double) * (size_t)n);
    uint64_t random = (uint64_t)n * 977 + 5;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(gradient->data[i]));
    double scale = fmax(largest, 1e-4);
    int wrong = 0;
    if (entries > n) entries = (int)n;
    for (int which = 0; which <= entries + 1; which++) {
        make_direction(direction, gradient->data, n, which, entries, &random);
        double derivative = 0, numeric = NAN;
        for (int64_t i = 0; i < n; i++) derivative += gradient->data[i] * direction[i];
        double error = error_along(probe, x, direction, n, derivative, 1e-6 * scale, &numeric);
        if (!(error / scale <= *worst)) *worst = error / scale;
        if (error <= 1e-6 * scale) continue;
        wrong++;
        printf("  gradient of %s, %s: %.12g, by differences %.12g (largest entry %.3g)\n",
               probe->name, which <= entries ? "one entry" : "a direction", derivative, numeric,
               largest);
    }
    free(direction);
    return wrong;
}

static const IrOp *input_named(const IrProgram *p, const char *name) {
    for (int v = 0; v < p->ops.n; v++)
        if (p->ops.data[v].opcode == OP_INPUT && strcmp(p->ops.data[v].name, name) == 0)
            return &p->ops.data[v];
    return NULL;
}

int check_gradients(const IrProgram *p, const IrEvalEnv *env, int max_entries_per_tensor,
                    double *worst) {
    IrProgram *loss = only_output(p, "loss");
    Arena *arena = arena_new();
    IrTensor *result = arena_array(arena, IrTensor, p->outputs.n + 1);
    const char *why = loss ? ir_eval(arena, p, env, result) : "no output is named loss";
    int wrong = why ? -1 : 0;
    if (why) printf("  gradients of %s: %s\n", p->name, why);
    *worst = why ? INFINITY : 0;
    double size = 0;
    for (int i = 0; i < p->outputs.n && !why; i++)
        if (strcmp(p->outputs.data[i].name, "loss") == 0) size = result[i].data[0];
    for (int i = 0; i < p->outputs.n && !why; i++) {
        const char *name = p->outputs.data[i].name, *colon = strchr(name, ':');
        if (strncmp(name, "grad:", 5) != 0 && strncmp(name, "d:", 2) != 0) continue;
        const IrOp *input = input_named(p, colon + 1);
        const double *x = input && env->lookup ? env->lookup(env->user, p, input) : NULL;
        if (!x) { /* nothing reads the input any more: its derivative is zero */
            for (int64_t k = 0; k < result[i].size; k++) wrong += result[i].data[k] != 0;
            continue;
        }
        Probe probe = {.loss = loss, .env = env, .name = colon + 1, .size = size};
        wrong += check_tensor(&probe, x, &result[i], max_entries_per_tensor, worst);
    }
    arena_free(arena);
    return wrong;
}
