/* Output "local:PLATE" of program posterior: log p(data and latents in an instance | what is
 * outside all plates) - log q of these latents. With the latents outside all plates held fixed, the
 * whole log density ratio less these of all instances must not change, whatever the latents inside
 * do; and the latents of one instance must not enter those of another. */
#include "ir/eval.h"
#include "check.h"
#include "harness.h"

#include <stdlib.h>
#include <string.h>

enum { DRAWS = 5 };

static bool has_plate(const IrProgram *p, const IrOp *op) {
    for (int i = 0; i < op->n_axes; i++)
        if (p->axes.data[op->axes[i]].kind == AXIS_PLATE) return true;
    return false;
}

static int64_t extent_of(const IrEvalEnv *env, const IrProgram *p, AxisId axis) {
    const IrAxis *a = &p->axes.data[axis];
    return a->kind == AXIS_EVENT ? a->extent : env->extent[axis];
}

/* Base draws "u:...": of what is outside all plates those of `seed0`, the same in every draw; of
 * instance 0 of any plate those of `seed0`, of the rest those of `seed`. */
static void give_bases(Run *run, uint32_t seed0, uint32_t seed) {
    const IrProgram *p = run->c->dual->posterior;
    IrEvalEnv env = run_env(run, p);
    for (IrValue v = 0; v < p->ops.n; v++) {
        const IrOp *op = &p->ops.data[v];
        if (op->opcode != OP_RANDOM || strncmp(op->name, "u:", 2)) continue;
        int64_t size = 1, instances = 1;
        for (int i = 0; i < op->n_axes; i++) {
            AxisKind kind = p->axes.data[op->axes[i]].kind;
            if (kind == AXIS_DATA || kind == AXIS_DRAW) continue;
            if (kind == AXIS_PLATE && instances == 1)
                instances = extent_of(&env, p, op->axes[i]); /* of the outermost plate */
            size *= extent_of(&env, p, op->axes[i]);
        }
        double *u = malloc(sizeof *u * (size_t)(DRAWS * size)),
               *u0 = malloc(sizeof *u * (size_t)(DRAWS * size));
        fill_normal(u, DRAWS * size, seed + (uint32_t)op->index);
        fill_normal(u0, DRAWS * size, seed0 + (uint32_t)op->index);
        bool inside = has_plate(p, op);
        for (int64_t k = 0; k < DRAWS * size; k++) {
            if (!inside) u[k] = u0[k % size];
            if (inside && k % size < size / instances) u[k] = u0[k];
        }
        run_give(run, op->name, u, DRAWS * size);
        free(u);
        free(u0);
    }
}

/* log p - log q of each draw less local ratios; returns how many plates have these. */
static int rest_of(Run *run, double *rest) {
    const IrProgram *p = run->c->dual->posterior;
    const IrTensor *q = run_output(run, p, "log_q"), *prior = run_output(run, p, "log_prior");
    const IrTensor *likelihood = run_output(run, p, "log_likelihood");
    int found = 0;
    for (int j = 0; j < DRAWS; j++) rest[j] = prior->data[j] + likelihood->data[j] - q->data[j];
    for (int i = 0; i < p->outputs.n; i++) {
        if (strncmp(p->outputs.data[i].name, "local:", 6)) continue;
        const IrTensor *local = run_output(run, p, p->outputs.data[i].name);
        found++;
        for (int64_t k = 0; k < local->size; k++) rest[k / (local->size / DRAWS)] -= local->data[k];
    }
    return found;
}

static Run *prepared(const char *path, DualOptions options) {
    Compiled *c = compile_file(path, options);
    if (!CHECK(c, "%s does not compile", path)) return NULL;
    Run *run = run_new(c, 1, DRAWS), *prior = run_new(c, 1, 1);
    run_start_weights(run, 4, 0.05);
    run_statistics(run);
    for (int i = 0; i < c->model->vars.n; i++) {
        const Var *var = c->model->vars.data[i];
        if (var->kind != VAR_OBSERVED && var->kind != VAR_CONTEXT) continue;
        const IrTensor *x = run_output(prior, c->dual->simulate, var->name);
        run_give(run, var->name, x->data, x->size);
    }
    return run;
}

static void check_model(const char *path, Family family, int plates) {
    Run *run = prepared(path, (DualOptions){.family = family});
    double rest[DRAWS], first[DRAWS * 64];
    if (!run) return;
    give_bases(run, 11, 12);
    int found = rest_of(run, rest);
    CHECK(found == plates, "%s: %d plates with local ratios, not %d", path, found, plates);
    for (int j = 1; j < DRAWS; j++)
        CHECK_NEAR(rest[j], rest[0], 1e-9 * (1 + fabs(rest[0])), "what is left of the ratio");
    const IrProgram *p = run->c->dual->posterior;
    const char *name = NULL;
    for (int i = 0; i < p->outputs.n && !name; i++)
        if (!strncmp(p->outputs.data[i].name, "local:", 6)) name = p->outputs.data[i].name;
    if (!name) return;
    const IrTensor *local = run_output(run, p, name);
    int64_t instances = local->size / DRAWS;
    if (!CHECK(instances <= 64, "%s: too many instances", path)) return;
    memcpy(first, local->data, sizeof(double) * (size_t)local->size);
    give_bases(run, 11, 13); /* all instances but the first draw anew */
    local = run_output(run, p, name);
    for (int j = 0; j < DRAWS; j++) {
        CHECK_NEAR(local->data[j * instances], first[j * instances], 1e-9, "instance 0");
        CHECK(local->data[j * instances + 1] != first[j * instances + 1], "instance 1 stays");
    }
    compiled_free(run->c);
}

static void one_plate(void) {
    check_model("examples/gre.hbm", FAMILY_STRUCTURED, 1);
    check_model("examples/gre.hbm", FAMILY_ADAVI, 1);
}

static void nested_plates(void) {
    check_model("examples/pastes.hbm", FAMILY_STRUCTURED, 1);
    check_model("examples/every_level.hbm", FAMILY_STRUCTURED, 1);
}

/* A reduction over instances ties them to each other. */
static void not_where_instances_are_coupled(void) {
    Run *run = prepared("tests/models/reductions.hbm", (DualOptions){.family = FAMILY_STRUCTURED});
    double rest[DRAWS];
    if (!run) return;
    CHECK(rest_of(run, rest) == 0, "coupled instances have local ratios");
    compiled_free(run->c);
}

int main(void) {
    RUN(one_plate);
    RUN(nested_plates);
    RUN(not_where_instances_are_coupled);
    return check_done();
}
