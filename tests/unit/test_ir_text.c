/* test_ir_text.c -- printer and parser are inverse to each other; bad text is refused with its
 * line; no bytes crash the parser or the passes behind it; the verifier's complaints.
 */
#include "check.h"
#include "ir_values.h"

#include "opt/opt.h"

/* print . parse is the identity on text, and what was read is the same program. */
static void round_trip(const IrProgram *p, const char *what) {
    const char *text = ir_text(p), *error;
    IrProgram *again = ir_parse(p->arena, text, &error);
    if (!CHECK(again, "%s: %s", what, error)) return;
    CHECK(strcmp(text, ir_text(again)) == 0, "%s: prints differently after reading", what);
    CHECK(again->ops.n == p->ops.n && again->axes.n == p->axes.n &&
              again->outputs.n == p->outputs.n,
          "%s: %d operations became %d", what, p->ops.n, again->ops.n);
    for (int v = 0; v < p->ops.n && v < again->ops.n; v++) {
        const char *a = p->ops.data[v].note, *b = again->ops.data[v].note;
        CHECK((!a && !b) || (a && b && strcmp(a, b) == 0), "%s: note of %%%d", what, v);
    }
}

static void printing_and_reading_are_inverse(void) {
    for (uint64_t seed = 0; seed < 200; seed++) {
        Arena *arena = arena_new();
        IrProgram *p = random_program_either(arena, seed, 40, false);
        round_trip(p, "random program");
        add_gradients(p);
        round_trip(p, "with gradients");
        round_trip(opt_cse(opt_fold(p)), "folded");
        arena_free(arena);
    }
}

static void numbers_and_names_survive(void) {
    static const double numbers[] = {
        0.1, -0.0, 1e308, 5e-324, 1.0 / 3, 2.2250738585072014e-308, 1e15, 123456789012345678.0};
    Arena *arena = arena_new();
    IrProgram *p = ir_program_new(arena, "odd \"name\"\\\n\x01");
    AxisId e = ir_axis(p, "over", AXIS_EVENT, AXIS_NONE, 8),
           f = ir_axis(p, "a b]", AXIS_EVENT, AXIS_NONE, 1);
    ir_table(p, numbers, &e, 1);
    p->note = " a note # with marks\t";
    ir_const(p, INFINITY);
    ir_const(p, -INFINITY);
    p->note = NULL;
    ir_const(p, NAN);
    ir_input(p, "w\xc3\xa9 \"q\"", ROLE_STAT, (AxisId[]){e, f}, 2);
    const char *error, *text = ir_text(p);
    IrProgram *q = ir_parse(arena, text, &error);
    if (!CHECK(q, "%s in\n%s", error, text)) return;
    CHECK(strcmp(text, ir_text(q)) == 0, "prints differently:\n%s%s", text, ir_text(q));
    CHECK(strcmp(p->name, q->name) == 0, "program name");
    CHECK(memcmp(q->ops.data[0].table, numbers, sizeof numbers) == 0, "numbers of a table");
    CHECK(strcmp(q->ops.data[4].name, p->ops.data[4].name) == 0, "name of an input");
    CHECK(strcmp(q->axes.data[f].name, "a b]") == 0, "name of an axis");
    arena_free(arena);
}

/* ---- refusals ---- */

#define AXES "  axis data : data\n  axis g : plate\n  axis e2 : event 2\n  axis e3 : event 3\n"
#define X "  %0 = input \"x\" data [data g e3]\n"

static void refuses(const char *body, const char *complaint) {
    Arena *arena = arena_new();
    const char *error, *text = arena_printf(arena, "program p {\n%s%s\n}\n", AXES X, body);
    IrProgram *p = ir_parse(arena, text, &error);
    if (CHECK(!p, "read without complaint: %s", body))
        CHECK(strstr(error, complaint), "%s\n  gives: %s\n  not:   %s", body, error, complaint);
    arena_free(arena);
}

static void errors_name_line_and_expectation(void) {
    refuses("  %1 = frob %0", "line 7: expected an operation, found 'frob'");
    refuses("  %2 = neg %0", "line 7: expected %1, the number of this operation");
    refuses("  %1 = neg %1", "line 7: value %1 is not defined before this line");
    refuses("  %1 = neg", "line 7: expected '%', found the end of the line");
    refuses("  %1 = neg %0 %0", "line 7: expected the end of the line, found '%0'");
    refuses("  %1 = sum %0 over [h]", "line 7: axis h is not declared");
    refuses("  %1 = sum %0 over [e2]", "reduces over e2, which no operand has");
    refuses("  %1 = sum %0 over []", "reduces over 1 to");
    refuses("  %1 = sum %0 over [g g]", "axis g stands twice");
    refuses("  %1 = sum %0", "expected 'over', found the end of the line");
    refuses("  %1 = rename %0 e3 -> e2", "e3 and e2 differ in extent");
    refuses("  %1 = rename %0 e2 -> e3", "the operand lacks axis e2");
    refuses("  %1 = pick %0 e3 at 3", "position 3 is outside of e3 (3)");
    refuses("  %1 = pick %0 g at 0", "takes an event axis, not g");
    refuses("  %1 = place %0 e3 at 0", "the operand already has axis e3");
    refuses("  %1 = slice %0 e3 -> e2 at 2", "e2 (2) from 2 does not fit into e3 (3)");
    refuses("  axis h : plate\n  %1 = slice %0 e3 -> h at 0", "line 8: slice: takes event axes");
    refuses("  %1 = slice %0 e3 -> h at 0", "axis h is not declared");
    refuses("  %1 = const one", "expected a number, found 'one'");
    refuses("  %1 = table [e3] {1, 2}", "expected ',', found '}'");
    refuses("  %1 = table [g] {1}", "a table has event axes alone");
    refuses("  %1 = table [e3 e2] {1, 2, 3, 4, 5, 6}", "canonical order");
    refuses("  %1 = input \"w\" weights []", "expected the role of an input");
    refuses("  %1 = input \"w\" weight [g]", "a weight has event axes alone, not g");
    refuses("  %1 = input \"x\" data [g]", "\"x\" is declared differently by %0");
    refuses("  %1 = random gauss \"s\" []", "expected a kind of draws");
    refuses("  %1 = random_gamma %0 \"s\" [data]", "the draws lack axis g");
    refuses("  %1 = given %0 \"x\" [data]", "the axes are not the operand's");
    refuses("  %1 = and %0 %0", "takes bools");
    refuses("  %1 = lt %0 %0\n  %2 = add %1 %0", "line 8: add: takes reals");
    refuses("  %1 = select %0 %0 %0", "takes a bool and two values of one type");
    refuses("  output \"y\" = %0\n  output \"y\" = %0", "line 8: output \"y\" stands twice");
    refuses("  output \"y = %0", "expected '\"' at the end of a name");
    refuses("  axis g : plate", "axis g is declared twice");
    refuses("  axis d2 : data", "a second data axis");
    refuses("  axis h : plate in e2", "only a plate has a parent");
    refuses("  axis h : event 0", "needs an extent of at least 1");
    refuses("  axis h : event 99999999999", "a number above");
    refuses("  axis h : copy of g\n  axis i : copy of h", "not of another copy");
    refuses("  axis h : plain",
            "expected a kind of axis (data, draw, plate, event, copy), found 'plain'");
    refuses("} x", "expected the end of the text, found 'x'");
    Arena *arena = arena_new();
    const char *error;
    CHECK(!ir_parse(arena, "", &error) && strstr(error, "line 1: expected 'program'"), "%s", error);
    CHECK(!ir_parse(arena, "program p {\n", &error) && strstr(error, "the end of the text"), "%s",
          error);
    arena_free(arena);
}

/* What is reduced over data sets is a partial sum: linear uses alone, nothing added that is not
 * one. */
static void partial_sums_are_used_linearly(void) {
#define S X "  %1 = sum %0 over [data g e3]\n  %2 = const 3\n"
    static const struct {
        const char *line, *complaint;
    } uses[] = {{"neg %1", NULL},
                {"add %1 %1", NULL},
                {"sub %1 %1", NULL},
                {"mul %1 %2", NULL},
                {"div %1 %2", NULL},
                {"spread %1 [e2]", NULL},
                {"stop_gradient %1", NULL},
                {"place %1 e2 at 1", NULL},
                {"square %1", "not linear"},
                {"exp %1", "not linear"},
                {"mul %1 %1", "not linear"},
                {"div %2 %1", "not linear"},
                {"add %1 %2", "not linear"},
                {"lt %1 %2", "not linear"},
                {"mul %1 %0", "along the data axis"},
                {"spread %1 [data]", "along the data axis"},
                {"max_over %0 over [data]", "sums alone"}};
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        Arena *arena = arena_new();
        const char *error,
            *text = arena_printf(arena, "program p {\n%s  %%3 = %s\n}\n", AXES S, uses[i].line);
        IrProgram *p = ir_parse(arena, text, &error);
        if (!uses[i].complaint) {
            const char *why = error;
            const bool *reduced = p ? ir_reduced(arena, p, &why) : NULL;
            CHECK(reduced && !reduced[0] && reduced[1] && !reduced[2] && reduced[3], "%s: %s",
                  uses[i].line, why);
        } else if (CHECK(!p, "%s is accepted", uses[i].line)) {
            CHECK(strstr(error, uses[i].complaint), "%s: %s", uses[i].line, error);
        }
        arena_free(arena);
    }
}

/* Programs that no builder makes: broken in memory. */
static void verifier_sees_broken_programs(void) {
    static const char *const expected[] = {"does not stand before it",
                                           "not what its operands give",
                                           "not what its operands give",
                                           "is no value",
                                           "two outputs",
                                           "no earlier plate",
                                           "takes 1 operands"};
    for (int k = 0; k < 7; k++) {
        Arena *arena = arena_new();
        IrProgram *p = ir_program_new(arena, "p");
        AxisId e = ir_axis(p, "e", AXIS_EVENT, AXIS_NONE, 4),
               g = ir_axis(p, "g", AXIS_PLATE, AXIS_NONE, 0);
        IrValue x = ir_input(p, "x", ROLE_DATA, (AxisId[]){g, e}, 2), y = ir_exp(p, x);
        ir_output(p, "y", y);
        CHECK(!ir_verify(p), "a sound program: %s", ir_verify(p));
        if (k == 0) p->ops.data[y].args[0] = y;
        if (k == 1) p->ops.data[y].n_axes = 1;
        if (k == 2) p->ops.data[y].type = IR_BOOL;
        if (k == 3) p->outputs.data[0].value = 2;
        if (k == 4) vec_push(arena, &p->outputs, p->outputs.data[0]);
        if (k == 5) p->axes.data[g].parent = e;
        if (k == 6) p->ops.data[y].n_args = 2;
        const char *why = ir_verify(p);
        CHECK(why && strstr(why, expected[k]), "fault %d: %s", k, why ? why : "no complaint");
        arena_free(arena);
    }
}

/* ---- random mutations ---- */

static char *mutated(Arena *arena, const char *text, uint64_t *state) {
    static const char *const words[] = {"%0",         "data", "[",       "]",   "->",      "at",
                                        "2147483648", "-1",   "over",    "\"",  "}",       "#",
                                        "\n",         "e2",   "copy of", "nan", "= ",      "\\x",
                                        "axis",       "sum",  "{",       "0x",  "plate in"};
    size_t n = strlen(text);
    char *out = arena_alloc(arena, 2 * n + 100);
    memcpy(out, text, n + 1);
    for (int times = 1 + values_pick(state, 3); times > 0; times--) {
        size_t at = (size_t)values_pick(state, (int)n), other = (size_t)values_pick(state, (int)n);
        size_t stretch = (size_t)values_pick(state, 12);
        if (at + stretch > n) stretch = n - at;
        switch (values_pick(state, 4)) {
        case 0:
            out[at] = (char)(1 + values_pick(state, 255));
            break;
        case 1: /* cut a stretch */
            memmove(out + at, out + at + stretch, n - at - stretch + 1);
            n -= stretch;
            break;
        case 2: { /* a word of the language */
            const char *word = words[values_pick(state, (int)(sizeof words / sizeof words[0]))];
            memmove(out + at + strlen(word), out + at, n - at + 1);
            memcpy(out + at, word, strlen(word));
            n += strlen(word);
            break;
        }
        default: /* a piece of itself over another */
            if (other + stretch <= n) memmove(out + other, out + at, stretch);
        }
        if (n == 0) break;
    }
    return out;
}

static void mutations_never_crash(void) {
    uint64_t state = 4;
    int read = 0;
    for (uint64_t seed = 0; seed < 6000; seed++) {
        Arena *arena = arena_new();
        const char *text = ir_text(random_program(arena, seed / 40, 15, false)), *error = NULL;
        IrProgram *p = ir_parse(arena, mutated(arena, text, &state), &error);
        CHECK(!p == !!error && (p || strncmp(error, "line ", 5) == 0), "no program and no line: %s",
              error ? error : "(none)");
        if (p) {
            read++;
            const char *why = ir_verify(opt_dce(opt_cse(opt_fold(p))));
            CHECK(!why, "after the passes: %s", why);
            round_trip(p, "mutated program");
        }
        arena_free(arena);
    }
    CHECK(read > 150, "only %d mutated programs could be read", read);
}

int main(void) {
    RUN(printing_and_reading_are_inverse);
    RUN(numbers_and_names_survive);
    RUN(errors_name_line_and_expectation);
    RUN(partial_sums_are_used_linearly);
    RUN(verifier_sees_broken_programs);
    RUN(mutations_never_crash);
    return check_done();
}
