/* test_back_loops.c -- compiled programs against the interpreter: random programs over all
 * operations and axes, f32 and f64, lanes along data sets, draws or nowhere, full and partial lane
 * blocks; by printed C and by LLVM. */
#include "backends.h"
#include "check.h"
#include "ir_values.h"

enum { PROGRAMS = 5, PROGRAMS_LLVM = 10, SIZE = 60 };

typedef struct Shape {
    const char *lane;
    int lanes;
    bool f64;
    int64_t blas; /* as in ScheduleOptions */
} Shape;

static const Shape shapes[] = {{"data", 8, false, 0}, {"draw", 8, false, 0}, {NULL, 1, false, 0},
                               {"data", 4, true, 0},  {"draw", 4, true, 0},  {"data", 16, false, 0},
                               {NULL, 1, true, 0},    {"data", 8, false, 1}, {"draw", 4, true, 1}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* An instance at a time, a few, or all that there are. */
static const int64_t tiles[] = {1, 40, 1 << 20};

/* Data sets and draws: less than a block, a full block, several blocks with and without remainder.
 */
static const int64_t sizes[][2] = {{1, 3}, {5, 17}, {8, 8}, {19, 1}};

static void set_extents(Values *values, const IrProgram *p, const int64_t size[2]) {
    for (int i = 0; i < p->axes.n; i++) {
        if (p->axes.data[i].kind == AXIS_DATA) values->extent[i] = size[0];
        if (p->axes.data[i].kind == AXIS_DRAW) values->extent[i] = size[1];
        /* where lanes run over the instances of a plate: more than one block of them */
        bool outermost = p->axes.data[i].kind == AXIS_PLATE && p->axes.data[i].parent == AXIS_NONE;
        if (size == sizes[3] && outermost && p->axes.data[i].extent == 0) values->extent[i] = 11;
    }
    values_cut(values, p);
}

/* ---- programs with events of many sizes ---- */

typedef struct Maker {
    IrProgram *p;
    uint64_t state;
    AxisId data;
    AxisId axes[12];
    int n_axes;
} Maker;

static int pick(Maker *m, int n) {
    return values_pick(&m->state, n);
}

static int some_axes(Maker *m, const AxisId *of, int n, AxisId *out, int limit) {
    int count = 0;
    for (int i = 0; i < n && count < limit; i++)
        if (pick(m, 3) == 0) out[count++] = of[i];
    return count;
}

static bool too_big(const Maker *m, const AxisId *axes, int n) {
    int64_t events = 1;
    int loops = 0;
    for (int i = 0; i < n; i++) {
        const IrAxis *a = &m->p->axes.data[axes[i]];
        if (a->kind == AXIS_EVENT)
            events *= a->extent;
        else
            loops++;
    }
    return events > 600 || loops > 4;
}

static IrValue any_value(Maker *m) {
    int n = m->p->ops.n, from = pick(m, 2) ? n / 2 : 0;
    return from + pick(m, n - from);
}

static IrValue leaf(Maker *m) {
    IrProgram *p = m->p;
    AxisId axes[4];
    int n = some_axes(m, m->axes, m->n_axes, axes, 4);
    n = ir_axes_sort(p, axes, n);
    while (too_big(m, axes, n)) n--;
    switch (pick(m, 5)) {
    case 0:
        return ir_const(p, 0.25 * (pick(m, 9) - 4));
    case 1:
        return ir_random(p, RANDOM_NORMAL, arena_printf(p->arena, "site%d", p->ops.n), axes, n);
    case 2: { /* what could be replaced, and is not */
        IrValue v = p->ops.n ? any_value(m) : IR_NONE;
        if (v != IR_NONE && p->ops.data[v].type == IR_REAL)
            return ir_given(p, v, arena_printf(p->arena, "given%d", p->ops.n));
    }
        /* fall through */
    default:
        return ir_input(p, arena_printf(p->arena, "in%d", p->ops.n), ROLE_LATENT, axes, n);
    }
}

/* Operands in the domain of wild functions, results kept small. */
static IrValue tame(Maker *m, IrOp op) {
    IrProgram *p = m->p;
    bool positive = op.opcode == OP_LOG || op.opcode == OP_SQRT || op.opcode == OP_LGAMMA ||
                    op.opcode == OP_DIGAMMA || op.opcode == OP_POW || op.opcode == OP_RECIP ||
                    op.opcode == OP_DIV || op.opcode == OP_LOG1P;
    for (int i = 0; i < op.n_args && positive; i++)
        if (p->ops.data[op.args[i]].type == IR_REAL)
            op.args[i] = ir_add(p, ir_softplus(p, op.args[i]), ir_const(p, 0.1));
    if (op.opcode == OP_INV_PHI) op.args[0] = ir_logistic(p, ir_tanh(p, op.args[0]));
    if (op.opcode == OP_LOG1M_EXP)
        op.args[0] = ir_sub(p, ir_const(p, -0.1), ir_softplus(p, op.args[0]));
    if (op.opcode == OP_LOG_BESSEL_I || op.opcode == OP_BESSEL_RATIO) {
        op.args[0] = ir_const(p, 0.5 * pick(m, 9));
        op.args[1] = ir_add(p, ir_softplus(p, op.args[1]), ir_const(p, 0.1));
    }
    if (op.opcode == OP_EXP || op.opcode == OP_EXPM1) op.args[0] = ir_tanh(p, op.args[0]);
    const char *why;
    IrValue v = ir_append(p, op, &why);
    if (v == IR_NONE || p->ops.data[v].type != IR_REAL) return v;
    IrRule rule = ir_op_info[op.opcode].rule;
    bool grows = positive || rule == RULE_CONTRACT || rule == RULE_REDUCE || op.opcode == OP_ADD ||
                 op.opcode == OP_MUL || op.opcode == OP_SUB || op.opcode == OP_SQUARE;
    return grows && pick(m, 2) ? ir_tanh(p, v) : v;
}

/* A slice or pad of a random event axis at a random position; adjoints and concatenations are made
 * of these. */
static IrOp stretch(Maker *m) {
    IrProgram *p = m->p;
    IrOp op = {.opcode = pick(m, 2) ? OP_SLICE : OP_PAD, .n_args = 1, .args = {any_value(m)}};
    const IrOp *a = &p->ops.data[op.args[0]];
    op.axis = a->n_axes ? a->axes[pick(m, a->n_axes)] : m->axes[0];
    op.axis2 = m->axes[5 + pick(m, m->n_axes - 5)];
    int64_t room = p->axes.data[op.axis].extent - p->axes.data[op.axis2].extent;
    if (room < 0) room = -room;
    op.index = pick(m, (int)room + 1);
    return op;
}

static void operation(Maker *m) {
    IrProgram *p = m->p;
    IrOp op = {.opcode = (IrOpcode)pick(m, OP_COUNT)};
    const IrOpInfo *info = &ir_op_info[op.opcode];
    if (pick(m, 3) == 0) {
        IrOp view = stretch(m), inferred = view;
        const char *why;
        if (!ir_infer(p, &inferred, p->ops.n) && !too_big(m, inferred.axes, inferred.n_axes))
            ir_append(p, view, &why);
        return;
    }
    if (pick(m, 4) == 0) op.opcode = OP_CONTRACT, info = &ir_op_info[OP_CONTRACT];
    if (info->rule == RULE_LEAF || info->rule == RULE_RANDOM) {
        leaf(m);
        return;
    }
    op.n_args = info->arity;
    for (int i = 0; i < op.n_args; i++) op.args[i] = any_value(m);
    const IrOp *a = &p->ops.data[op.args[0]];
    op.axis = a->n_axes ? a->axes[pick(m, a->n_axes)] : m->axes[0];
    if (info->rule == RULE_PLACE) op.axis = m->axes[pick(m, m->n_axes)];
    op.axis2 = m->axes[pick(m, m->n_axes)];
    op.index = pick(m, 6);
    if (info->rule == RULE_SPREAD) op.n_axes = some_axes(m, m->axes, m->n_axes, op.axes, 2);
    if (info->rule == RULE_REDUCE || info->rule == RULE_CONTRACT)
        op.n_over = some_axes(m, a->axes, a->n_axes, op.over, 3);
    for (int i = 0; i < op.n_over; i++)
        if (op.over[i] == m->data) op.n_over = 0;
    IrOp inferred = op;
    if (ir_infer(p, &inferred, p->ops.n) || too_big(m, inferred.axes, inferred.n_axes)) return;
    tame(m, op);
}

static IrProgram *large_events(Arena *arena, uint64_t seed) {
    IrProgram *p = ir_program_new(arena, "events");
    Maker m = {.p = p, .state = seed * 104729 + 7};
    AxisId group = ir_axis(p, "group", AXIS_PLATE, AXIS_NONE, 0);
    AxisId obs = ir_axis(p, "obs", AXIS_PLATE, group, 0);
    m.data = ir_axis(p, "data", AXIS_DATA, AXIS_NONE, 0);
    AxisId axes[] = {m.data,
                     ir_axis(p, "draw", AXIS_DRAW, AXIS_NONE, 0),
                     group,
                     obs,
                     ir_axis_copy(p, obs, "obs.b"),
                     ir_axis(p, "e2", AXIS_EVENT, AXIS_NONE, 2),
                     ir_axis(p, "e3", AXIS_EVENT, AXIS_NONE, 3),
                     ir_axis(p, "e5", AXIS_EVENT, AXIS_NONE, 5),
                     ir_axis(p, "e8", AXIS_EVENT, AXIS_NONE, 8),
                     ir_axis(p, "f8", AXIS_EVENT, AXIS_NONE, 8),
                     ir_axis(p, "e13", AXIS_EVENT, AXIS_NONE, 13)};
    m.n_axes = (int)(sizeof axes / sizeof *axes);
    memcpy(m.axes, axes, sizeof axes);
    for (int i = 0; i < 4; i++) leaf(&m);
    for (int tries = 0; p->ops.n < SIZE && tries < 100 * SIZE; tries++) operation(&m);
    for (int i = 0, n = p->ops.n; i < 8; i++) {
        IrValue v = i == 0 ? n - 1 : pick(&m, n);
        if (p->ops.data[v].type != IR_REAL) continue;
        ir_output(p, arena_printf(arena, "out%d", i), v);
        /* partial sums over data sets, of the shape of a weight's gradient */
        if (i % 2 == 0 && ir_has_axis(p, v, m.data)) {
            AxisId over[IR_MAX_AXES];
            int n_over = 0;
            for (int k = 0; k < p->ops.data[v].n_axes; k++)
                if (p->axes.data[p->ops.data[v].axes[k]].kind != AXIS_EVENT)
                    over[n_over++] = p->ops.data[v].axes[k];
            IrValue w = ir_tanh(p, v);
            ir_output(p, arena_printf(arena, "sum%d", i), ir_contract(p, v, w, over, n_over));
            ir_output(p, arena_printf(arena, "total%d", i), ir_sum(p, w, over, n_over));
        }
    }
    return p;
}

static IrProgram *small_events(Arena *arena, uint64_t seed) {
    return random_program(arena, seed, SIZE, false);
}

/* A step: a random loss and its gradients. */
static IrProgram *gradients(Arena *arena, uint64_t seed) {
    IrProgram *p = random_program(arena, seed + 1000, SIZE / 2, true);
    add_gradients(p);
    return p;
}

/* ---- comparing ---- */

static void compare_all(BackendKind kind, IrProgram *(*make)(Arena *arena, uint64_t seed), int n) {
    Arena *arena = arena_new();
    Backends *b = backends_new(arena);
    IrProgram *programs[PROGRAMS_LLVM];
    for (int i = 0; i < n; i++) {
        programs[i] = make(arena, (uint64_t)i);
        for (int k = 0; k < SHAPES; k++)
            backends_add(b, programs[i],
                         &(ScheduleOptions){.f64 = shapes[k].f64,
                                            .lanes = shapes[k].lanes,
                                            .lane_axis = shapes[k].lane,
                                            .blas = shapes[k].blas,
                                            .tile = tiles[(i + k) % 3],
                                            .copies = 1 + (i + k) % 4,
                                            .keep = (ScheduleKeep)((i + k / 3) % 3)});
    }
    const char *why = backends_build(b, kind);
    if (CHECK(!why, "%s", why))
        for (int i = 0; i < n; i++)
            for (int s = 0; s < 4; s++) {
                Values values = values_new(arena, programs[i]);
                set_extents(&values, programs[i], sizes[s]);
                IrEvalEnv env = values_env(&values);
                for (int k = 0; k < SHAPES; k++) {
                    why = shapes[k].f64 ? backends_compare(b, i * SHAPES + k, &env, 1e-10, 1e-3)
                                        : backends_compare(b, i * SHAPES + k, &env, 1e-4, 1e-2);
                    CHECK(!why, "program %d, %d data sets, %d draws: %s", i, (int)sizes[s][0],
                          (int)sizes[s][1], why);
                }
            }
    backends_free(b);
    arena_free(arena);
}

static void random_programs_by_llvm(void) {
    compare_all(BACKEND_LLVM, small_events, PROGRAMS_LLVM);
}

static void random_programs_by_c(void) {
    compare_all(BACKEND_C, small_events, PROGRAMS);
}

static void programs_with_large_events_by_llvm(void) {
    compare_all(BACKEND_LLVM, large_events, PROGRAMS_LLVM);
}

static void programs_with_large_events_by_c(void) {
    compare_all(BACKEND_C, large_events, PROGRAMS);
}

static void gradients_by_llvm(void) {
    compare_all(BACKEND_LLVM, gradients, PROGRAMS);
}

static IrProgram *ragged(Arena *arena, uint64_t seed) {
    IrProgram *p = random_ragged_program(arena, seed, SIZE, seed % 2);
    if (seed % 2) add_gradients(p);
    const char *why = ir_verify(p);
    CHECK(!why, "program %d: %s", (int)seed, why);
    return p;
}

static void ragged_plates_by_llvm(void) {
    compare_all(BACKEND_LLVM, ragged, 3);
}

static void ragged_plates_by_c(void) {
    compare_all(BACKEND_C, ragged, 1);
}

int main(void) {
    RUN(ragged_plates_by_llvm);
    RUN(ragged_plates_by_c);
    RUN(random_programs_by_llvm);
    RUN(programs_with_large_events_by_llvm);
    RUN(gradients_by_llvm);
    RUN(random_programs_by_c);
    RUN(programs_with_large_events_by_c);
    return check_done();
}
