/* blas.c -- where products by OpenBLAS overtake our own kernels: forward and backward passes
 * through a stack of dense layers of n inputs and n outputs, compiled both ways. Prints GFLOP/s of
 * processor time, the better of several runs each, by width and draws per data set.
 *
 *     make bench-blas
 */
#include "tests/unit/backends.h"
#include "tests/unit/ir_values.h"

enum { LAYERS = 6, SETS = 16, ROUNDS = 5 };

static IrProgram *stack(Arena *arena, int64_t n) {
    IrProgram *p = ir_program_new(arena, arena_printf(arena, "stack%d", (int)n));
    AxisId data = ir_axis(p, "data", AXIS_DATA, AXIS_NONE, 0);
    AxisId draw = ir_axis(p, "draw", AXIS_DRAW, AXIS_NONE, 0);
    AxisId in = ir_axis(p, "in", AXIS_EVENT, AXIS_NONE, n);
    AxisId out = ir_axis(p, "out", AXIS_EVENT, AXIS_NONE, n);
    AxisId x_axes[] = {data, draw, in}, w_axes[] = {in, out};
    IrValue x = ir_input(p, "x", ROLE_DATA, x_axes, 3);
    for (int i = 0; i < LAYERS; i++) {
        IrValue w = ir_input(p, arena_printf(arena, "w%d", i), ROLE_WEIGHT, w_axes, 2);
        IrValue y = ir_contract(p, x, w, &in, 1);
        y = ir_mul(p, ir_relu(p, y), ir_const(p, 2 / (double)n));
        x = ir_rename(p, y, out, in);
    }
    ir_output(p, "loss", ir_sum(p, x, x_axes, 3));
    add_gradients(p);
    return p;
}

/* GFLOP/s of all products: forward, and both adjoints. */
static double rate(Backends *b, int program, int64_t n, int64_t draws, const IrEvalEnv *env) {
    double best = 1e30, flop = 6.0 * LAYERS * (double)(n * n * SETS * draws);
    for (int i = 0; i < ROUNDS; i++) {
        int runs = 1 + (int)(3e8 / flop);
        double spent = backends_time(b, program, env, runs);
        if (spent < best) best = spent;
    }
    return flop / best * 1e-6;
}

static void compare(bool f64) {
    static const int64_t widths[] = {16, 32, 48, 64, 96, 128, 192, 256, 512}, draws[] = {1, 8, 32};
    printf("%s: GFLOP/s by OpenBLAS / by our own kernels (ratio)\n%8s", f64 ? "f64" : "f32", "n");
    for (int k = 0; k < 3; k++) printf(" %16d draws", (int)draws[k]);
    printf("\n");
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        Arena *arena = arena_new();
        Backends *b = backends_new(arena);
        IrProgram *p = stack(arena, widths[i]);
        for (int blas = 1; blas >= 0; blas--)
            backends_add(b, p,
                         &(ScheduleOptions){.f64 = f64,
                                            .lanes = target_lanes(&(Target){.cpu = "host"}, f64),
                                            .lane_axis = "data",
                                            .blas = blas});
        const char *why = backends_build(b, BACKEND_LLVM);
        if (why) printf("%s\n", why);
        printf("%8d", (int)widths[i]);
        for (int k = 0; k < 3 && !why; k++) {
            Values values = values_new(arena, p);
            values.extent[ir_axis_find(p, "data")] = SETS;
            values.extent[ir_axis_find(p, "draw")] = draws[k];
            IrEvalEnv env = values_env(&values);
            double with = rate(b, 0, widths[i], draws[k], &env);
            double without = rate(b, 1, widths[i], draws[k], &env);
            printf("    %5.1f / %5.1f (%4.2f)", with, without, with / without);
        }
        printf("\n");
        fflush(stdout);
        backends_free(b);
        arena_free(arena);
    }
}

int main(void) {
    compare(false);
    compare(true);
    return 0;
}
