/* test_opt_count.c -- the arithmetic of small programs: the formula equals the count by hand, and
 * its value what the scheduled loops execute for one data set.
 */
#include "check.h"
#include "ir_values.h"

#include "opt/count.h"
#include "opt/loop.h"

enum { SETS = 1, DRAWS = 5, GROUPS = 7 };

static const char axes[] = "  axis data : data\n  axis draw : draw\n  axis g : plate\n"
                           "  axis h : copy of g\n  axis e2 : event 2\n  axis e3 : event 3\n"
                           "  axis f3 : event 3\n  axis e5 : event 5\n";

static const struct {
    const char *name, *code, *flop, *functions;
    bool more; /* the loops do more: they see a zero where it is read, not what follows from it */
} cases[] = {
    {"a dense layer of 3 inputs and 2 units, per draw: 6 multiply-adds and 2 additions",
     "  %0 = input \"x\" data [data draw e3]\n  %1 = input \"W\" weight [e2 e3]\n"
     "  %2 = input \"b\" weight [e2]\n  %3 = contract %0 %1 over [e3]\n  %4 = add %3 %2\n"
     "  output \"y\" = %4\n",
     "14 data draw", "", false},
    {"what needs fewer axes is computed once: exp of a weight, times a number per instance",
     "  %0 = input \"w\" weight [e2]\n  %1 = input \"x\" data [data g]\n  %2 = exp %0\n"
     "  %3 = mul %2 %1\n  output \"y\" = %3\n",
     "2 data g", "2", false},
    {"a set attends to itself: scores of all pairs, softmax without the maximum",
     "  %0 = input \"x\" data [data g e3]\n  %1 = rename %0 g -> h\n"
     "  %2 = contract %0 %1 over [e3]\n  %3 = exp %2\n  %4 = sum %3 over [h]\n  %5 = div %3 %4\n"
     "  output \"y\" = %5\n",
     "8 data g g", "1 data g g", false},
    {"signs, comparisons and choices are free; a maximum is not",
     "  %0 = input \"x\" data [data e5]\n  %1 = neg %0\n  %2 = lt %0 %1\n  %3 = select %2 %0 %1\n"
     "  %4 = abs %3\n  %5 = max_over %4 over [e5]\n  output \"y\" = %5\n",
     "5 data", "", false},
    {"zeros of pad and place are neither added nor multiplied",
     "  %0 = input \"x\" data [data e5]\n  %1 = input \"y\" data [data e2]\n"
     "  %2 = pad %1 e2 -> e5 at 3\n  %3 = mul %0 %2\n  %4 = add %0 %3\n  %5 = pick %0 e5 at 0\n"
     "  %6 = place %5 e5 at 1\n  %7 = add %3 %6\n  %8 = add %7 %4\n  output \"y\" = %8\n",
     /* 2 products; 2 sums; two boxes that do not meet; three positions that live and five */
     "7 data", "", true},
    {"a contraction of a stretch: its terms alone",
     "  %0 = input \"x\" data [data e3]\n  %1 = input \"W\" weight [e5 e2]\n"
     "  %2 = pad %0 e3 -> e5 at 1\n  %3 = contract %2 %1 over [e5]\n  output \"y\" = %3\n",
     "12 data", "", false},
    {"a slice and a pick beside the numbers of a pad are nothing",
     "  %0 = input \"x\" data [data e2]\n  %1 = pad %0 e2 -> e5 at 0\n"
     "  %2 = slice %1 e5 -> e3 at 1\n  %3 = pick %1 e5 at 4\n  %4 = input \"y\" data [data e3]\n"
     "  %5 = mul %2 %4\n  %6 = mul %3 %4\n  %7 = add %5 %6\n  output \"y\" = %7\n",
     "1 data", "", true},
    {"a sum over data sets and draws, squared differences before it",
     "  %0 = input \"x\" data [data draw g]\n  %1 = input \"m\" weight []\n  %2 = sub %0 %1\n"
     "  %3 = square %2\n  %4 = sum %3 over [data draw g]\n  output \"y\" = %4\n",
     "3 data draw g", "", false},
};
enum { N_CASES = sizeof cases / sizeof *cases };

static const char *terms_text(Arena *arena, const IrProgram *p, const CountTerms *terms) {
    Text text;
    text_init(&text, arena);
    for (int i = 0; i < terms->n; i++) {
        text_printf(&text, "%s%lld", i ? ", " : "", (long long)terms->data[i].coef);
        for (int k = 0; k < terms->data[i].n_axes; k++)
            text_printf(&text, " %s", p->axes.data[terms->data[i].axes[k]].name);
    }
    return text.data;
}

static IrProgram *program_of(Arena *arena, int i) {
    const char *error = NULL;
    IrProgram *p =
        ir_parse(arena, arena_printf(arena, "program p {\n%s%s}\n", axes, cases[i].code), &error);
    CHECK(p, "%s: %s", cases[i].name, error);
    return p;
}

static void formulas_equal_the_count_by_hand(void) {
    for (int i = 0; i < N_CASES; i++) {
        Arena *arena = arena_new();
        const IrProgram *p = program_of(arena, i);
        if (!p) {
            arena_free(arena);
            continue;
        }
        Count count = opt_count(arena, p);
        const char *flop = terms_text(arena, p, &count.flop);
        const char *functions = terms_text(arena, p, &count.functions);
        CHECK(!strcmp(flop, cases[i].flop), "%s: flop %s, not %s", cases[i].name, flop,
              cases[i].flop);
        CHECK(!strcmp(functions, cases[i].functions), "%s: functions %s, not %s", cases[i].name,
              functions, cases[i].functions);
        arena_free(arena);
    }
}

/* ---- against the loops ---- */

static int64_t extent(const IrProgram *p, AxisId axis) {
    static const int64_t run_time[] = {SETS, DRAWS, GROUPS};
    const IrAxis *a = &p->axes.data[axis];
    return a->kind == AXIS_EVENT ? a->extent : run_time[a->kind];
}

/* All tiles of a sweep together are the extent of its axis. */
static int64_t trips(const LoopProgram *p, LoopSize size) {
    int64_t n = size.coef;
    for (int i = 0; i < size.n; i++) {
        bool tile = size.factor[i] >= LOOP_TILE;
        n *= extent(p->ir, tile ? p->sweeps.data[size.factor[i] - LOOP_TILE].axis : size.factor[i]);
    }
    return n;
}

static int64_t weight(LoopOp op) {
    switch (op) {
    case LOOP_add:
    case LOOP_sub:
    case LOOP_mul:
    case LOOP_div:
    case LOOP_max:
        return 1;
    case LOOP_fma:
        return 2;
    default:
        return 0;
    }
}

static int64_t executed(const LoopProgram *loops) {
    int64_t sum = 0, times[64] = {1};
    int depth = 0;
    for (int n = 0; n < loops->nests.n; n++)
        for (int i = 0; i < loops->nests.data[n]->code.n; i++) {
            const LoopInst *inst = &loops->nests.data[n]->code.data[i];
            if (inst->op == LOOP_loop) {
                times[depth + 1] = times[depth] * trips(loops, inst->count);
                depth++;
            }
            if (inst->op == LOOP_end) depth--;
            sum += times[depth] * weight(inst->op);
        }
    return sum;
}

static void formulas_equal_what_loops_execute(void) {
    for (int i = 0; i < N_CASES; i++) {
        Arena *arena = arena_new();
        const IrProgram *p = program_of(arena, i);
        if (!p || *cases[i].functions) { /* polynomials are many instructions */
            arena_free(arena);
            continue;
        }
        const LoopProgram *loops = schedule(arena, p, &(ScheduleOptions){.f64 = true, .lanes = 1});
        Count count = opt_count(arena, p);
        int64_t flop = 0;
        for (int k = 0; k < count.flop.n; k++) {
            int64_t term = count.flop.data[k].coef;
            for (int a = 0; a < count.flop.data[k].n_axes; a++)
                term *= extent(p, count.flop.data[k].axes[a]);
            flop += term;
        }
        CHECK(cases[i].more ? flop < executed(loops) : flop == executed(loops),
              "%s: %lld counted, %lld executed", cases[i].name, (long long)flop,
              (long long)executed(loops));
        arena_free(arena);
    }
}

int main(void) {
    RUN(formulas_equal_the_count_by_hand);
    RUN(formulas_equal_what_loops_execute);
    return check_done();
}
