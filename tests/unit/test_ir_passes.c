/* test_ir_passes.c -- fold, cse and dce: the values of all outputs stay, the rules of the IR hold, a second run finds
 * nothing. What each rule does is in tests/ir.
 */
#include "check.h"
#include "ir_values.h"

#include "opt/opt.h"

#include <stdlib.h>

typedef IrProgram *Pass(const IrProgram *p);

static IrProgram *all(const IrProgram *p) {
    return opt_dce(opt_cse(opt_fold(p)));
}

static void same_values(const IrProgram *p, const IrProgram *q, const char *what, uint64_t seed) {
    Values values = values_new(p->arena, p);
    IrEvalEnv env = values_env(&values);
    IrTensor *a = arena_array(p->arena, IrTensor, p->outputs.n), *b = arena_array(p->arena, IrTensor, p->outputs.n);
    const char *why = ir_eval(p->arena, p, &env, a);
    if (!why) why = ir_eval(p->arena, q, &env, b);
    if (!CHECK(!why && p->outputs.n == q->outputs.n, "%s, seed %d: %s", what, (int)seed, why)) return;
    for (int i = 0; i < p->outputs.n; i++) {
        bool same = a[i].n_axes == b[i].n_axes && a[i].size == b[i].size;
        double largest = 1;
        for (int64_t k = 0; same && k < a[i].size; k++) largest = fmax(largest, fabs(a[i].data[k]));
        for (int64_t k = 0; same && k < a[i].size; k++)
            same = fabs(a[i].data[k] - b[i].data[k]) <= 1e-12 * largest;
        if (!CHECK(same, "%s, seed %d: output %s differs", what, (int)seed, p->outputs.data[i].name)) return;
    }
}

static void judge(Pass *pass, const char *what) {
    for (uint64_t seed = 0; seed < 400; seed++) {
        Arena *arena = arena_new();
        IrProgram *p = random_program(arena, seed, 40, seed % 2);
        if (seed % 4 == 1) add_gradients(p);
        const IrProgram *q = pass(p);
        const char *why = ir_verify(q);
        CHECK(!why, "%s, seed %d: %s", what, (int)seed, why);
        if (!why) same_values(p, q, what, seed);
        CHECK(strcmp(ir_text(q), ir_text(pass(q))) == 0, "%s, seed %d: a second run changes more", what, (int)seed);
        arena_free(arena);
    }
}

static void folding_keeps_values(void) {
    judge(opt_fold, "fold");
}

static void sharing_keeps_values(void) {
    judge(opt_cse, "cse");
}

static void dropping_keeps_values(void) {
    judge(opt_dce, "dce");
}

static void all_three_keep_values(void) {
    judge(all, "fold, cse, dce");
}

/* The three together leave less than they were given, more so where gradients were made. */
static void adjoints_shrink(void) {
    int before = 0, after = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        Arena *arena = arena_new();
        IrProgram *p = random_program(arena, seed, 30, true);
        add_gradients(p);
        before += p->ops.n;
        after += all(p)->ops.n;
        arena_free(arena);
    }
    CHECK(after < 0.8 * before, "%d operations became %d", before, after);
}

int main(void) {
    RUN(folding_keeps_values);
    RUN(sharing_keeps_values);
    RUN(dropping_keeps_values);
    RUN(all_three_keep_values);
    RUN(adjoints_shrink);
    return check_done();
}
