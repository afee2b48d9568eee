/* test_opt_sweep.c -- sweeps: how many a small program takes, and what leaves a tile. That swept
 * programs compute the same is checked by test_back_loops and test_back_models, with tiles of one
 * instance, of a few and of all.
 */
#include "check.h"
#include "ir_values.h"

#include "opt/loop.h"

static const char axes[] = "  axis data : data\n  axis draw : draw\n  axis g : plate of 300\n"
                           "  axis o : plate in g of 50\n  axis h : copy of g\n"
                           "  axis e3 : event 3\n  axis f4 : event 4\n";

typedef struct Case {
    const char *name, *code;
    ScheduleKeep keep;
    int along_g, along_o;  /* sweeps */
    int whole_g, whole_go; /* scratch buffers over all instances of g alone; of g and o */
} Case;

/* A layer, centred over all instances and squared. */
#define CENTRED                                                                   \
    "  %0 = input \"x\" data [data g o e3]\n  %1 = input \"W\" weight [e3 f4]\n"  \
    "  %2 = contract %0 %1 over [e3]\n  %3 = tanh %2\n  %4 = sum %3 over [g o]\n" \
    "  %5 = const 0.01\n  %6 = mul %4 %5\n  %7 = sub %3 %6\n  %8 = square %7\n"   \
    "  %9 = sum %8 over [g o f4]\n  output \"y\" = %9\n"

static const Case cases[] = {
    {"point by point: nothing is kept but the input's lanes",
     "  %0 = input \"x\" data [data g o e3]\n  %1 = exp %0\n  %2 = tanh %1\n"
     "  output \"y\" = %2\n",
     KEEP_SMALL, 1, 1, 0, 0},
    {"what a second look needs is computed again: the data are kept, in lanes", CENTRED, KEEP_SMALL,
     2, 2, 0, 1},
    {"what a second look needs is kept, and the data are not", CENTRED, KEEP_ALL, 2, 2, 0, 1},
    {"sums within an instance are there for its tile alone",
     "  %0 = input \"x\" data [data g o e3]\n  %1 = sum %0 over [o]\n  %2 = sub %0 %1\n"
     "  %3 = exp %2\n  %4 = sum %3 over [g o e3]\n  output \"y\" = %4\n",
     KEEP_SMALL, 1, 2, 0, 0},
    {"a set that attends to itself is there as a whole",
     "  %0 = input \"x\" data [data g e3]\n  %1 = tanh %0\n  %2 = rename %1 g -> h\n"
     "  %3 = contract %1 %2 over [e3]\n  %4 = exp %3\n  %5 = sum %4 over [h]\n"
     "  %6 = sum %5 over [g]\n  output \"y\" = %6\n",
     KEEP_SMALL, 2, 0, 1, 0},
};

static const IrProgram *program(Arena *arena, const Case *c) {
    char *text = arena_printf(arena, "program p {\n%s%s}\n", axes, c->code);
    const char *why;
    IrProgram *p = ir_parse(arena, text, &why);
    CHECK(p, "%s: %s", c->name, why);
    return p;
}

static bool has_factor(const LoopSize *size, AxisId axis) {
    for (int i = 0; i < size->n; i++)
        if (size->factor[i] == axis) return true;
    return false;
}

static void sweeps_of_small_programs(void) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Case *c = &cases[i];
        Arena *arena = arena_new();
        const IrProgram *p = program(arena, c);
        if (!p) continue;
        ScheduleOptions options = {.lanes = 4, .lane_axis = "data", .keep = c->keep};
        const LoopProgram *loops = schedule(arena, p, &options);
        AxisId g = ir_axis_find(p, "g"), o = ir_axis_find(p, "o");
        int along_g = 0, along_o = 0, whole_g = 0, whole_go = 0;
        for (int k = 0; k < loops->sweeps.n; k++) {
            along_g += loops->sweeps.data[k].axis == g;
            along_o += loops->sweeps.data[k].axis == o;
        }
        for (int k = 0; k < loops->buffers.n; k++) {
            const LoopBuffer *b = &loops->buffers.data[k];
            if (b->kind != BUFFER_SCRATCH || !has_factor(&b->size, g)) continue;
            whole_go += has_factor(&b->size, o);
            whole_g += !has_factor(&b->size, o);
        }
        CHECK(along_g == c->along_g && along_o == c->along_o, "%s: %d sweeps along g, %d along o",
              c->name, along_g, along_o);
        CHECK(whole_g == c->whole_g && whole_go == c->whole_go,
              "%s: %d buffers over all of g, %d over all of g and o", c->name, whole_g, whole_go);
        arena_free(arena);
    }
}

int main(void) {
    RUN(sweeps_of_small_programs);
    return check_done();
}
