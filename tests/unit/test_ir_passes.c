/* test_ir_passes.c -- fold, hoist, cse and dce: the values of all outputs stay, the rules of the IR
 * hold, a second run finds nothing. What each rule does is in tests/ir.
 */
#include "ir/eval.h"
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
    IrTensor *a = arena_array(p->arena, IrTensor, p->outputs.n),
             *b = arena_array(p->arena, IrTensor, p->outputs.n);
    const char *why = ir_eval(p->arena, p, &env, a);
    if (!why) why = ir_eval(p->arena, q, &env, b);
    if (!CHECK(!why && p->outputs.n == q->outputs.n, "%s, seed %d: %s", what, (int)seed, why))
        return;
    for (int i = 0; i < p->outputs.n; i++) {
        bool same = a[i].n_axes == b[i].n_axes && a[i].size == b[i].size;
        double largest = 1;
        for (int64_t k = 0; same && k < a[i].size; k++)
            if (isfinite(a[i].data[k])) largest = fmax(largest, fabs(a[i].data[k]));
        for (int64_t k = 0; same && k < a[i].size; k++)
            same = a[i].data[k] == b[i].data[k] || /* the largest of no instances is -infinity */
                   (isnan(a[i].data[k]) && isnan(b[i].data[k])) ||
                   fabs(a[i].data[k] - b[i].data[k]) <= 1e-12 * largest;
        if (!CHECK(same, "%s, seed %d: output %s differs", what, (int)seed,
                   p->outputs.data[i].name))
            return;
    }
}

static void judge(Pass *pass, const char *what) {
    for (uint64_t seed = 0; seed < 400; seed++) {
        Arena *arena = arena_new();
        IrProgram *p = random_program_either(arena, seed, 40, seed % 2);
        if (seed % 4 == 1) add_gradients(p);
        const IrProgram *q = pass(p);
        const char *why = ir_verify(q);
        CHECK(!why, "%s, seed %d: %s", what, (int)seed, why);
        if (!why) same_values(p, q, what, seed);
        CHECK(strcmp(ir_text(q), ir_text(pass(q))) == 0, "%s, seed %d: a second run changes more",
              what, (int)seed);
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

static void hoisting_keeps_values(void) {
    judge(opt_hoist, "hoist");
}

/* Factors of which none has all axes: whatever is combined first has an axis that others lack. */
static void crossed_factors_end(void) {
    Arena *arena = arena_new();
    const char *error;
    IrProgram *p = ir_parse(arena,
                            "program p {\n  axis g : plate\n  axis e3 : event 3\n"
                            "  %0 = input \"x\" latent [g]\n  %1 = input \"a\" latent [e3]\n"
                            "  %2 = input \"b\" latent []\n  %3 = mul %1 %2\n  %4 = mul %0 %3\n"
                            "  output \"y\" = %4\n}\n",
                            &error);
    if (CHECK(p, "%s", error)) {
        const IrProgram *q = opt_hoist(p);
        same_values(p, q, "crossed factors", 0);
        CHECK(q->ops.n == p->ops.n, "%d operations became %d", p->ops.n, q->ops.n);
    }
    arena_free(arena);
}

/* Structural operations on one another, at every position: what fold makes of them is the same
 * tensor. */
static void views_of_views_keep_values(void) {
    static const char *const text =
        "program views {\n  axis g : plate\n  axis e1 : event 1\n  axis e2 : event 2\n  axis f2 : "
        "event 2\n"
        "  axis e3 : event 3\n  axis e5 : event 5\n  axis f5 : event 5\n"
        "  %%0 = input \"x\" latent [g %s]\n  %%1 = %s %%0%s%s%s at %d\n  %%2 = %s %%1%s%s%s at "
        "%d\n"
        "  output \"y\" = %%2\n}\n";
    static const char *const inner[] = {"pick", "place", "slice", "pad"}, *const outer[] = {
                                                                              "pick", "slice",
                                                                              "pad", "place"};
    static const char *const axes[] = {"e1", "e2", "f2", "e3", "e5", "f5"};
    int tried = 0;
    for (int k = 0; k < 4 * 4 * 6 * 6 * 6 * 6; k++) {
        int a = k % 6, b = k / 6 % 6, c = k / 36 % 6, d = k / 216 % 6, in = k / 1296 % 4,
            out = k / 5184;
        bool in_two = in >= 2, out_two = out == 1 || out == 2;
        if ((!in_two && d) || (!out_two && c)) continue; /* the second axis plays no part */
        for (int at = 0; at < 25; at++) {
            Arena *arena = arena_new();
            const char *error, *own = in == 1 ? axes[b] : axes[a], *result = in_two ? axes[d] : own;
            IrProgram *p = ir_parse(
                arena,
                arena_printf(arena, text, axes[a], inner[in], arena_printf(arena, " %s", own),
                             in_two ? " -> " : "", in_two ? axes[d] : "", at / 5, outer[out],
                             arena_printf(arena, " %s",
                                          out == 3  ? axes[b]
                                          : in == 0 ? axes[b]
                                                    : result),
                             out_two ? " -> " : "", out_two ? axes[c] : "", at % 5),
                &error);
            if (p) {
                tried++;
                same_values(p, opt_fold(p), "views", (uint64_t)k);
            }
            arena_free(arena);
        }
    }
    CHECK(tried > 500, "only %d pairs of views are sound", tried);
}

/* Expressions that a rule of fold fits: %0 varies, %1 = 3, %2 = -2. They change, and their values
 * do not. */
static void identities_keep_values(void) {
    static const char *const lines[] = {"mul %0 %1;mul %3 %2",
                                        "mul %0 %2;neg %3",
                                        "neg %0;mul %3 %2",
                                        "neg %0;sub %1 %3",
                                        "neg %0;add %3 %1",
                                        "neg %0;add %1 %3",
                                        "neg %0;square %3",
                                        "abs %0;square %3",
                                        "neg %0;abs %3",
                                        "sub %0 %1;neg %3",
                                        "spread %0 [e2];sum %3 over [e2 e3]",
                                        "spread %0 [g];sum %3 over [g]",
                                        "spread %0 [g e2];max_over %3 over [g e3]",
                                        "spread %1 [e3];contract %3 %0 over [e3]",
                                        "spread %1 [data];contract %3 %0 over [data]",
                                        "contract %0 %2 over [e3];neg %3",
                                        "lt %1 %2;select %3 %0 %1",
                                        "lt %2 %1;select %3 %0 %1",
                                        "lt %2 %1;not %3",
                                        "mul %0 %2;mul %3 %2",
                                        "rename %0 e3 -> f3;sum %3 over [data f3]",
                                        "extent e3;mul %3 %0",
                                        "spread %0 [g];exp %3"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        Arena *arena = arena_new();
        const char *error, *second = strchr(lines[i], ';') + 1;
        char *first = arena_strndup(arena, lines[i], (size_t)(second - 1 - lines[i]));
        bool boolean = strstr(second, "not") != NULL;
        IrProgram *p =
            ir_parse(arena,
                     arena_printf(arena,
                                  "program p {\n  axis data : data\n  axis g : plate\n  axis e2 : "
                                  "event 2\n  axis e3 : event 3\n  axis f3 : event 3\n"
                                  "  %%0 = input \"x\" latent [data e3]\n  %%1 = const 3\n  %%2 = "
                                  "const -2\n  %%3 = %s\n"
                                  "  %%4 = %s\n%s  output \"y\" = %s\n}\n",
                                  first, second, boolean ? "  %5 = select %4 %0 %1\n" : "",
                                  boolean ? "%5" : "%4"),
                     &error);
        if (CHECK(p, "%s: %s", lines[i], error)) {
            const IrProgram *q = opt_dce(opt_fold(p));
            same_values(p, q, lines[i], 0);
            CHECK(strcmp(ir_text(q), ir_text(opt_dce(p))) != 0, "%s: nothing was folded", lines[i]);
        }
        arena_free(arena);
    }
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
    RUN(hoisting_keeps_values);
    RUN(crossed_factors_end);
    RUN(views_of_views_keep_values);
    RUN(identities_keep_values);
    RUN(adjoints_shrink);
    return check_done();
}
