/* harness.c -- see harness.h. */
#include "harness.h"

#include "front/front.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

_Noreturn static void give_up(const char *what, const char *why) {
    printf("not ok %s: %s\n", what, why);
    exit(1);
}

/* ---- compiling ---- */

Compiled *compile_text(const char *name, const char *text, DualOptions options) {
    Arena *arena = arena_new();
    Compiled *c = arena_new_of(arena, Compiled);
    c->arena = arena;
    Diags *diags = diags_new(arena);
    Ast *ast = front_parse(arena, diags, name, text, strlen(text));
    c->model = ast ? front_check(arena, diags, ast, NULL, 0) : NULL;
    if (!c->model) {
        diags_print(diags, stdout, false);
        arena_free(arena);
        return NULL;
    }
    c->analysis = model_analyse(arena, c->model);
    c->dual = dual_build(arena, c->analysis, &options);
    return c;
}

Compiled *compile_file(const char *path, DualOptions options) {
    Arena *arena = arena_new();
    char *text = read_whole_file(arena, path, NULL);
    if (!text) printf("cannot read %s: %s\n", path, strerror(errno));
    /* the text must outlive the model's spans */
    Compiled *c = text ? compile_text(path, text, options) : NULL;
    arena_free(arena);
    return c;
}

void compiled_free(Compiled *c) {
    if (c) arena_free(c->arena);
}

/* ---- a run ---- */

Run *run_new(Compiled *c, int64_t data, int64_t draws) {
    Run *run = arena_new_of(c->arena, Run);
    run->c = c;
    run->seed = 1;
    run_size(run, "data", data);
    run_size(run, "draw", draws);
    for (int i = 0; i < c->model->plates.n; i++)
        run_size(run, c->model->plates.data[i]->name, c->model->plates.data[i]->size);
    for (int i = 0; i < c->model->vars.n; i++) {
        const Var *var = c->model->vars.data[i];
        int64_t n = 1;
        for (int k = 0; k < var->type.n_dims; k++) n *= var->type.dims[k];
        if (var->kind == VAR_HYPER) run_give(run, var->name, var->numbers, n);
        if (var->kind != VAR_CONTEXT) continue;
        double *unused = arena_array(c->arena, double, n), off = 0; /* drawn, unless given anew */
        run_give(run, arena_printf(c->arena, "set:%s", var->name), unused, n);
        run_give(run, arena_printf(c->arena, "set:%s:on", var->name), &off, 1);
    }
    double one = 1;
    run_give(run, "entropy_weight", &one, 1);
    run_give(run, "likelihood_weight", &one, 1);
    return run;
}

void run_size(Run *run, const char *axis, int64_t n) {
    run->program = NULL;
    double *index = arena_array(run->c->arena, double, n); /* as the runtime does (abi.h) */
    for (int64_t i = 0; i < n; i++) index[i] = (double)i;
    run_give(run, arena_printf(run->c->arena, "index:%s", axis), index, n);
    for (int i = 0; i < run->extents.n; i++) {
        if (strcmp(run->extents.data[i].axis, axis)) continue;
        run->extents.data[i].n = n;
        return;
    }
    vec_push(run->c->arena, &run->extents, (Extent){axis, n});
}

static int64_t size_of_axis(const Run *run, const IrProgram *p, AxisId axis) {
    const IrAxis *a = &p->axes.data[axis];
    if (a->kind == AXIS_EVENT) return a->extent;
    const char *name = a->copy_of == AXIS_NONE ? a->name : p->axes.data[a->copy_of].name;
    for (int i = 0; i < run->extents.n; i++)
        if (!strcmp(run->extents.data[i].axis, name)) return run->extents.data[i].n;
    give_up(name, "no extent is known of this axis");
}

Given *run_given(const Run *run, const char *name) {
    for (int i = 0; i < run->given.n; i++)
        if (!strcmp(run->given.data[i].name, name)) return &run->given.data[i];
    return NULL;
}

void run_give(Run *run, const char *name, const double *data, int64_t n) {
    Arena *arena = run->c->arena;
    Given *old = run_given(run, name);
    run->program = NULL;
    if (!old) {
        vec_push(arena, &run->given, (Given){arena_strdup(arena, name), NULL, 0});
        old = &run->given.data[run->given.n - 1];
    }
    old->n = n;
    old->data = arena_array(arena, double, n);
    memcpy(old->data, data, sizeof(double) * (size_t)n);
}

static const double *lookup(void *user, const IrProgram *p, const IrOp *op) {
    Run *run = user;
    int next = run->last + 1 < run->given.n ? run->last + 1 : 0;
    const Given *given = next < run->given.n ? &run->given.data[next] : NULL;
    if (!given || strcmp(given->name, op->name)) given = run_given(run, op->name);
    if (!given) return NULL;
    run->last = (int)(given - run->given.data);
    int64_t n = 1;
    for (int i = 0; i < op->n_axes; i++) n *= size_of_axis(run, p, op->axes[i]);
    if (n != given->n) {
        printf("%lld numbers given, %lld needed\n", (long long)given->n, (long long)n);
        give_up(op->name, "another number of numbers is needed");
    }
    return given->data;
}

IrEvalEnv run_env(Run *run, const IrProgram *p) {
    int64_t *extent = arena_array(run->c->arena, int64_t, p->axes.n + 1);
    for (int i = 0; i < p->axes.n; i++) extent[i] = size_of_axis(run, p, i);
    return (IrEvalEnv){.extent = extent, .lookup = lookup, .user = run, .key = {run->seed, 7}};
}

const IrTensor *run_output(Run *run, const IrProgram *p, const char *name) {
    if (run->program != p) {
        IrEvalEnv env = run_env(run, p);
        run->result = arena_array(run->c->arena, IrTensor, p->outputs.n + 1);
        const char *why = ir_eval(run->c->arena, p, &env, run->result);
        if (why) give_up(p->name, why);
        run->program = p;
    }
    for (int i = 0; i < p->outputs.n; i++)
        if (!strcmp(p->outputs.data[i].name, name)) return &run->result[i];
    give_up(name, "no such output");
}

/* ---- weights and statistics ---- */

static double uniform(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return ((double)(*state >> 11) + 0.5) / 9007199254740992.0;
}

void fill_normal(double *x, int64_t n, uint32_t seed) {
    uint64_t state = seed * UINT64_C(2654435761) + 12345;
    for (int k = 0; k < 4; k++) uniform(&state);
    for (int64_t i = 0; i < n; i++) {
        double radius = sqrt(-2 * log(uniform(&state)));
        x[i] = radius * cos(6.283185307179586 * uniform(&state));
    }
}

void run_start_weights(Run *run, uint32_t seed, double noise) {
    for (int i = 0; i < run->c->dual->weights.n; i++) {
        const DualWeight *w = &run->c->dual->weights.data[i];
        int64_t n = 1;
        for (int k = 0; k < w->n_dims; k++) n *= w->dims[k];
        double *x = malloc(sizeof(double) * (size_t)(2 * n)), *z = x + n;
        uint64_t state = seed * UINT64_C(40503) + (uint64_t)i;
        for (int k = 0; k < 4; k++) uniform(&state);
        fill_normal(z, n, seed * 1000 + (uint32_t)i);
        for (int64_t k = 0; k < n; k++) {
            x[k] = noise * z[k];
            if (w->init.kind == INIT_CONSTANT) x[k] += w->init.scale;
            if (w->init.kind == INIT_UNIFORM) x[k] += w->init.scale * (2 * uniform(&state) - 1);
            if (w->init.kind == INIT_NORMAL) x[k] += w->init.scale * z[n - 1 - k];
        }
        run_give(run, w->name, x, n);
        free(x);
    }
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int64_t n) {
    qsort(x, (size_t)n, sizeof *x, ascending);
    return n % 2 ? x[n / 2] : 0.5 * (x[n / 2 - 1] + x[n / 2]);
}

/* Over everything but the event axes, which are the last. */
static void statistic(const IrProgram *p, const IrTensor *t, bool mad, double *out) {
    int64_t event = 1;
    for (int i = 0; i < t->n_axes; i++)
        if (p->axes.data[t->axes[i]].kind == AXIS_EVENT) event *= t->extent[i];
    int64_t n = t->size / event;
    double *x = malloc(sizeof(double) * (size_t)n);
    for (int64_t e = 0; e < event; e++) {
        for (int64_t i = 0; i < n; i++) x[i] = t->data[i * event + e];
        double centre = median(x, n);
        for (int64_t i = 0; mad && i < n; i++) x[i] = fabs(x[i] - centre);
        out[e] = mad ? median(x, n) : centre;
    }
    free(x);
}

static void statistics_of(Run *run, Run *prior, const IrProgram *reader) {
    Arena *arena = run->c->arena;
    const IrProgram *prepare = run->c->dual->prepare;
    for (int i = 0; i < reader->ops.n; i++) {
        const IrOp *op = &reader->ops.data[i];
        if (op->opcode != OP_INPUT || op->role != ROLE_STAT) continue;
        const char *colon = strrchr(op->name, ':');
        char *name = arena_strndup(arena, op->name, (size_t)(colon - op->name));
        int64_t n = 1;
        for (int k = 0; k < op->n_axes; k++) n *= size_of_axis(run, reader, op->axes[k]);
        double *out = arena_array(arena, double, n + 64);
        statistic(prepare, run_output(prior, prepare, name), !strcmp(colon, ":mad"), out);
        run_give(run, op->name, out, n);
    }
}

void run_statistics(Run *run) {
    Run *prior = run_new(run->c, 256, 1);
    for (int i = 0; i < run->extents.n; i++)
        if (strcmp(run->extents.data[i].axis, "data"))
            run_size(prior, run->extents.data[i].axis, run->extents.data[i].n);
    prior->seed = 9;
    const Dual *dual = run->c->dual;
    statistics_of(run, prior, dual->step);
    statistics_of(run, prior, dual->posterior);
}
