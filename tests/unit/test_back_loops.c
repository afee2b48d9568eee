/* test_back_loops.c -- compiled programs against the interpreter: random programs over all operations and axes, f32 and
 * f64, lanes along data sets, draws or nowhere, full and partial lane blocks; by printed C and by LLVM. */
#include "backends.h"
#include "check.h"
#include "ir_values.h"


enum { PROGRAMS = 12, SIZE = 60 };

typedef struct Shape {
    const char *lane;
    int lanes;
    bool f64;
} Shape;

static const Shape shapes[] = {{"data", 8, false}, {"draw", 8, false}, {NULL, 1, false},
                               {"data", 4, true},  {"draw", 4, true},  {NULL, 1, true}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* Data sets and draws: none of a block, a full block, several with and without remainder. */
static const int64_t sizes[][2] = {{1, 3}, {5, 17}, {8, 8}, {19, 1}};

static void set_extents(Values *values, const IrProgram *p, const int64_t size[2]) {
    for (int i = 0; i < p->axes.n; i++) {
        if (p->axes.data[i].kind == AXIS_DATA) values->extent[i] = size[0];
        if (p->axes.data[i].kind == AXIS_DRAW) values->extent[i] = size[1];
    }
}

static void compare_all(BackendKind kind, IrProgram *(*make)(Arena *arena, uint64_t seed)) {
    Arena *arena = arena_new();
    Backends *b = backends_new(arena);
    IrProgram *programs[PROGRAMS];
    for (int i = 0; i < PROGRAMS; i++) {
        programs[i] = make(arena, (uint64_t)i);
        for (int k = 0; k < SHAPES; k++)
            backends_add(b, programs[i],
                         &(ScheduleOptions){.f64 = shapes[k].f64, .lanes = shapes[k].lanes,
                                            .lane_axis = shapes[k].lane});
    }
    const char *why = backends_build(b, kind);
    if (CHECK(!why, "%s", why))
        for (int i = 0; i < PROGRAMS; i++)
            for (int s = 0; s < 4; s++) {
                Values values = values_new(arena, programs[i]);
                set_extents(&values, programs[i], sizes[s]);
                IrEvalEnv env = values_env(&values);
                for (int k = 0; k < SHAPES; k++) {
                    why = backends_compare(b, i * SHAPES + k, &env, shapes[k].f64 ? 1e-10 : 1e-4);
                    CHECK(!why, "program %d, %d data sets, %d draws: %s", i, (int)sizes[s][0],
                          (int)sizes[s][1], why);
                }
            }
    backends_free(b);
    arena_free(arena);
}

static IrProgram *small_events(Arena *arena, uint64_t seed) {
    return random_program(arena, seed, SIZE, false);
}

static void random_programs_c(void) {
    compare_all(BACKEND_C, small_events);
}

static void random_programs_llvm(void) {
    compare_all(BACKEND_LLVM, small_events);
}

int main(void) {
    RUN(random_programs_llvm);
    RUN(random_programs_c);
    return check_done();
}
