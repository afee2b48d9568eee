/* Instances of an exchangeable plate have no order: permuting those of any plate in the data (and
 * in the base draws) permutes the encodings, the flow parameters and the draws that stand in that
 * plate likewise, leaves all others alone, and leaves every log density alone. Also: each base draw
 * has the name that tests inject it by. */
#include "backends.h"
#include "check.h"
#include "harness.h"

#include <stdlib.h>

enum { SETS = 2, DRAWS = 3 };

static const struct {
    const char *name;
    DualOptions options;
} families[] = {{"structured", {FAMILY_STRUCTURED, false, false}},
                {"adavi", {FAMILY_ADAVI, false, false}},
                {"no exact path", {FAMILY_STRUCTURED, false, true}},
                {"paper", {FAMILY_ADAVI, true, true}}};

/* out[.., i, ..] = in[.., (i * step + 1) mod n, ..] along `axis`; a plain copy of what lacks it. */
static void permute(const IrProgram *p, const IrTensor *t, const char *axis, double *out) {
    int64_t outer = 1, inner = 1, n = 1;
    for (int i = 0, found = 0; i < t->n_axes; i++) {
        if (!found && !strcmp(p->axes.data[t->axes[i]].name, axis)) {
            n = t->extent[i];
            found = 1;
        } else if (found)
            inner *= t->extent[i];
        else
            outer *= t->extent[i];
    }
    int64_t step = n > 2 && n % 2 ? 2 : n - 1; /* prime to n */
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < n; i++)
            memcpy(out + (o * n + i) * inner, t->data + (o * n + (i * step + 1) % n) * inner,
                   sizeof(double) * (size_t)inner);
}

static IrTensor tensor_of(const Run *run, const IrProgram *p, const IrOp *op, double *data) {
    IrTensor t = {.n_axes = op->n_axes, .data = data, .size = 1};
    for (int i = 0; i < op->n_axes; i++) {
        const IrAxis *axis = &p->axes.data[op->axes[i]];
        t.axes[i] = op->axes[i];
        t.extent[i] = axis->extent;
        for (int k = 0; k < run->extents.n && axis->kind != AXIS_EVENT; k++)
            if (!strcmp(run->extents.data[k].axis, axis->name))
                t.extent[i] = run->extents.data[k].n;
        t.size *= t.extent[i];
    }
    return t;
}

/* Data from the prior, base draws of every site of the posterior. */
static void give_data_and_draws(Run *run) {
    Compiled *c = run->c;
    Run *prior = run_new(c, SETS, 1);
    prior->seed = 5;
    for (int i = 0; i < run->extents.n; i++)
        if (strcmp(run->extents.data[i].axis, "draw"))
            run_size(prior, run->extents.data[i].axis, run->extents.data[i].n);
    const IrProgram *p = c->dual->posterior;
    for (int i = 0; i < p->ops.n; i++) {
        const IrOp *op = &p->ops.data[i];
        if (op->opcode == OP_INPUT && op->role == ROLE_DATA) {
            const IrTensor *x = run_output(prior, c->dual->simulate, op->name);
            double *single = arena_array(c->arena, double, x->size);
            for (int64_t k = 0; k < x->size; k++) single[k] = (float)x->data[k];
            run_give(run, op->name, single, x->size);
        }
        if (op->opcode == OP_RANDOM) {
            IrTensor t = tensor_of(run, p, op, NULL);
            double *u = arena_array(c->arena, double, t.size);
            fill_normal(u, t.size, 77 + (uint32_t)i);
            for (int64_t k = 0; k < t.size; k++) u[k] = (float)u[k];
            run_give(run, op->name, u, t.size);
        }
    }
}

/* `given` with data and base draws permuted along `axis`. */
static Run *permuted_run(Run *given, const char *axis) {
    Compiled *c = given->c;
    Run *run = run_new(c, SETS, DRAWS);
    for (int i = 0; i < given->extents.n; i++)
        run_size(run, given->extents.data[i].axis, given->extents.data[i].n);
    for (int i = 0; i < given->given.n; i++)
        run_give(run, given->given.data[i].name, given->given.data[i].data, given->given.data[i].n);
    const IrProgram *p = c->dual->posterior;
    for (int i = 0; i < p->ops.n; i++) {
        const IrOp *op = &p->ops.data[i];
        if (!(op->opcode == OP_INPUT && op->role == ROLE_DATA) && op->opcode != OP_RANDOM) continue;
        const Given *g = run_given(given, op->name);
        IrTensor t = tensor_of(given, p, op, g->data);
        double *out = arena_array(c->arena, double, t.size);
        permute(p, &t, axis, out);
        run_give(run, op->name, out, t.size);
    }
    return run;
}

/* Outputs of the posterior under a back end, or the interpreter. */
typedef const IrTensor *Evaluate(void *user, Run *run);

static void check_plate(Run *run, const char *family, const char *axis, Evaluate *evaluate,
                        void *user, double tolerance) {
    Compiled *c = run->c;
    const IrProgram *p = c->dual->posterior;
    const IrTensor *base = evaluate(user, run), *moved = evaluate(user, permuted_run(run, axis));
    if (!CHECK(base && moved, "%s: no result", family)) return;
    for (int i = 0; i < p->outputs.n; i++) {
        double *expected = arena_array(c->arena, double, base[i].size), largest = 1e-6, worst = 0;
        permute(p, &base[i], axis, expected);
        for (int64_t k = 0; k < base[i].size; k++) {
            double off = fabs(moved[i].data[k] - expected[k]);
            largest = fmax(largest, fabs(expected[k]));
            if (!(off <= worst)) worst = off;
        }
        CHECK(worst <= tolerance * largest, "%s, plate %s: output %s is off by %.3g of %.3g",
              family, axis, p->outputs.data[i].name, worst, largest);
    }
}

static Run *prepared(Compiled *c) {
    Run *run = run_new(c, SETS, DRAWS);
    for (int i = 0; i < c->model->plates.n; i++) {
        const Plate *plate = c->model->plates.data[i];
        if (plate->across) continue; /* it has the axes of the plates that it crosses */
        run_size(run, plate->name, plate->size > 5 ? 5 : plate->size); /* enough to permute */
    }
    run_start_weights(run, 6, 0.02);
    run_statistics(run);
    give_data_and_draws(run);
    return run;
}

static const IrTensor *interpret(void *user, Run *run) {
    const IrProgram *p = run->c->dual->posterior;
    (void)user;
    run_output(run, p, "log_q");
    return run->result;
}

static void check_interpreted(const char *path) {
    for (int f = 0; f < 4; f++) {
        Compiled *c = compile_file(path, families[f].options);
        if (!CHECK(c, "%s does not compile", path)) return;
        Run *run = prepared(c);
        for (int i = 0; i < c->model->plates.n; i++)
            if (!c->model->plates.data[i]->across)
                check_plate(run, families[f].name, c->model->plates.data[i]->name, interpret, NULL,
                            1e-9);
        compiled_free(c);
    }
}

typedef struct Native {
    Backends *backends;
    int program;
} Native;

static const IrTensor *run_native(void *user, Run *run) {
    const Native *native = user;
    const IrProgram *p = run->c->dual->posterior;
    IrEvalEnv env = run_env(run, p);
    IrTensor *result = arena_array(run->c->arena, IrTensor, p->outputs.n + 1);
    const char *why = backends_run(run->c->arena, native->backends, native->program, &env, result);
    CHECK(!why, "%s", why);
    return why ? NULL : result;
}

/* As shipped: f32, draws in the lanes. The tolerance is 125 units in the last place. */
static void check_native(const char *path, DualOptions options) {
    Compiled *c = compile_file(path, options);
    if (!CHECK(c, "%s does not compile", path)) return;
    Run *run = prepared(c);
    Native native = {.backends = backends_new(c->arena)};
    native.program = backends_add(native.backends, c->dual->posterior,
                                  &(ScheduleOptions){.lanes = 8, .lane_axis = "draw"});
    const char *why = backends_build(native.backends, BACKEND_LLVM);
    CHECK(!why, "%s", why);
    for (int i = 0; i < c->model->plates.n && !why; i++)
        check_plate(run, path, c->model->plates.data[i]->name, run_native, &native, 1.5e-5);
    backends_free(native.backends);
    compiled_free(c);
}

static void native_gre(void) {
    check_native("examples/gre.hbm", families[0].options);
}

static void native_gre_paper(void) {
    check_native("examples/gre.hbm", families[3].options);
}

static void native_pastes(void) {
    check_native("examples/pastes.hbm", families[0].options);
}

static void gre(void) {
    check_interpreted("examples/gre.hbm");
}

static void nc(void) {
    check_interpreted("examples/nc.hbm");
}

static void pastes(void) {
    check_interpreted("examples/pastes.hbm");
}

static void four_plates(void) {
    check_interpreted("examples/four_plates.hbm");
}

static void every_level(void) {
    check_interpreted("examples/every_level.hbm");
}

static void reductions(void) {
    check_interpreted("tests/models/reductions.hbm");
}

static void crossed(void) {
    check_interpreted("tests/models/crossed.hbm");
}

static void missing_cells(void) {
    check_interpreted("tests/models/missing.hbm");
    check_interpreted("tests/models/missing_mixture.hbm");
}

/* Components that are found in the data, and sums over labels. */
static void mixture(void) {
    check_interpreted("examples/gm.hbm");
}

static void mixture_in_nested_plates(void) {
    check_interpreted("examples/mshbm.hbm");
}

/* A permutation of one plate that is not carried over to the base draws must show: the test can
 * fail. */
static void other_base_draws_show(void) {
    Compiled *c = compile_file("examples/gre.hbm", families[0].options);
    if (!CHECK(c, "gre does not compile")) return;
    Run *run = prepared(c), *moved = permuted_run(run, "group");
    const Given *u = run_given(run, "u:mu_g");
    if (!CHECK(u, "no base draws are called u:mu_g")) return;
    run_give(moved, "u:mu_g", u->data, u->n);
    const IrTensor *base = run_output(run, c->dual->posterior, "log_likelihood");
    const IrTensor *other = run_output(moved, c->dual->posterior, "log_likelihood");
    double off = 0;
    for (int64_t k = 0; k < base->size; k++) off = fmax(off, fabs(base->data[k] - other->data[k]));
    CHECK(off > 1e-3, "base draws of the wrong instances change nothing (%g)", off);
    compiled_free(c);
}

static const IrOp *random_site(const IrProgram *p, const char *name) {
    for (int i = 0; i < p->ops.n; i++)
        if (p->ops.data[i].opcode == OP_RANDOM && !strcmp(p->ops.data[i].name, name))
            return &p->ops.data[i];
    return NULL;
}

static void base_draws_have_names(void) {
    Compiled *c = compile_file("examples/gre.hbm", (DualOptions){FAMILY_ADAVI, true, true});
    if (!CHECK(c, "gre does not compile")) return;
    static const char *const sites[] = {"sim:mu", "sim:mu_g", "sim:x", "u:mu", "u:mu_g"};
    for (int i = 0; i < 5; i++)
        CHECK(random_site(c->dual->step, sites[i]), "program step has no site %s", sites[i]);
    const IrOp *u = random_site(c->dual->posterior, "u:mu_g");
    if (CHECK(u, "program posterior has no site u:mu_g"))
        CHECK(u->n_axes == 4, "u:mu_g has %d axes, not data, draw, group and event", u->n_axes);
    compiled_free(c);
}

int main(void) {
    RUN(crossed);
    RUN(base_draws_have_names);
    RUN(gre);
    RUN(nc);
    RUN(pastes);
    RUN(four_plates);
    RUN(every_level);
    RUN(reductions);
    RUN(missing_cells);
    RUN(mixture);
    RUN(mixture_in_nested_plates);
    RUN(native_gre);
    RUN(native_gre_paper);
    RUN(native_pastes);
    RUN(other_base_draws_show);
    return check_done();
}
