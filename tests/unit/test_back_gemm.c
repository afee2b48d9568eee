/* Products by the BLAS against the interpreter and beside our own kernels: every form of a dense
 * layer with its adjoints, f32 and f64, lanes along data sets and draws, panels that are full, part
 * full and several. */
#include "back/link.h"
#include "backends.h"
#include "check.h"
#include "ir_values.h"

typedef struct Net {
    IrProgram *p;
    AxisId data, draw, group, seed;
    AxisId f12, s5, f8, head, key, o12, o8;
} Net;

static Net net_new(Arena *arena) {
    IrProgram *p = ir_program_new(arena, "net");
    return (Net){.p = p,
                 .data = ir_axis(p, "data", AXIS_DATA, AXIS_NONE, 0),
                 .draw = ir_axis(p, "draw", AXIS_DRAW, AXIS_NONE, 0),
                 .group = ir_axis(p, "group", AXIS_PLATE, AXIS_NONE, 0),
                 .seed = ir_axis(p, "seed", AXIS_EVENT, AXIS_NONE, 3),
                 .f12 = ir_axis(p, "f12", AXIS_EVENT, AXIS_NONE, 12),
                 .s5 = ir_axis(p, "s5", AXIS_EVENT, AXIS_NONE, 5),
                 .f8 = ir_axis(p, "f8", AXIS_EVENT, AXIS_NONE, 8),
                 .head = ir_axis(p, "head", AXIS_EVENT, AXIS_NONE, 2),
                 .key = ir_axis(p, "key", AXIS_EVENT, AXIS_NONE, 4),
                 .o12 = ir_axis(p, "o12", AXIS_EVENT, AXIS_NONE, 12),
                 .o8 = ir_axis(p, "o8", AXIS_EVENT, AXIS_NONE, 8)};
}

static IrValue weights_of(Net *n, const char *name, const AxisId *axes, int n_axes) {
    return ir_input(n->p, name, ROLE_WEIGHT, axes, n_axes);
}

/* A plain layer of base draws, whose buffers have rows of lanes; 12 to 8. */
static IrValue plain(Net *n) {
    AxisId axes[] = {n->data, n->draw, n->group, n->f12};
    IrValue x = ir_random(n->p, RANDOM_NORMAL, "u", axes, 4);
    IrValue w = weights_of(n, "plain", (AxisId[]){n->f12, n->o8}, 2);
    IrValue y = ir_tanh(n->p, ir_contract(n->p, x, w, &n->f12, 1));
    return ir_rename(n->p, y, n->o8, n->f8);
}

/* Weights computed before; 8 to 12. */
static IrValue masked(Net *n, IrValue x) {
    static const double degree[12] = {0, 0, 1, 2, 3, 3, 4, 5, 6, 6, 7, 7};
    IrValue from = ir_table(n->p, degree, &n->f8, 1), to = ir_table(n->p, degree, &n->o12, 1);
    IrValue w = weights_of(n, "masked", (AxisId[]){n->f8, n->o12}, 2);
    w = ir_select(n->p, ir_le(n->p, from, to), w, ir_const(n->p, 0));
    IrValue y = ir_tanh(n->p, ir_contract(n->p, x, w, &n->f8, 1));
    return ir_rename(n->p, y, n->o12, n->f12);
}

/* Ranges of activations and of weights; 5 of 12 to 8. */
static IrValue range(Net *n, IrValue x) {
    IrValue w = weights_of(n, "range", (AxisId[]){n->f12, n->o8}, 2);
    w = ir_slice(n->p, w, n->f12, n->s5, 6);
    IrValue y = ir_contract(n->p, ir_slice(n->p, x, n->f12, n->s5, 3), w, &n->s5, 1);
    return ir_rename(n->p, ir_tanh(n->p, y), n->o8, n->f8);
}

/* To several axes and back; 8 to 2 x 4 to 12. */
static IrValue heads(Net *n, IrValue x) {
    AxisId both[] = {n->head, n->key};
    IrValue in = weights_of(n, "in", (AxisId[]){n->f8, n->head, n->key}, 3);
    IrValue out = weights_of(n, "out", (AxisId[]){n->head, n->key, n->o12}, 3);
    IrValue q = ir_tanh(n->p, ir_contract(n->p, x, in, &n->f8, 1));
    IrValue y = ir_tanh(n->p, ir_contract(n->p, q, out, both, 2));
    return ir_rename(n->p, y, n->o12, n->f12);
}

/* Several rows of features at each point, constant over draws; 12 to 8. */
static IrValue rows(Net *n) {
    AxisId axes[] = {n->data, n->group, n->seed, n->f12};
    IrValue x = ir_input(n->p, "rows", ROLE_DATA, axes, 4);
    IrValue w = weights_of(n, "many", (AxisId[]){n->f12, n->o8}, 2);
    return ir_tanh(n->p, ir_contract(n->p, x, w, &n->f12, 1));
}

static IrProgram *network(Arena *arena) {
    Net n = net_new(arena);
    IrProgram *p = n.p;
    IrValue a = heads(&n, range(&n, masked(&n, plain(&n)))), r = rows(&n);
    AxisId all[] = {n.data, n.draw, n.group, n.f12}, of_rows[] = {n.data, n.group, n.seed, n.o8};
    IrValue loss = ir_contract(p, a, a, all, 4);
    loss = ir_add(p, loss, ir_contract(p, r, r, of_rows, 4));
    ir_output(p, "activations", a);
    ir_output(p, "loss", loss);
    add_gradients(p);
    return p;
}

static const struct {
    const char *lane;
    int lanes;
    bool f64;
    int products; /* of all three forms: 6 layers, 5 adjoints of activations, 6 of weights; with
                     lanes along draws those of `rows` do not vary over them */
} shapes[] = {{"data", 8, false, 17},
              {"data", 4, true, 17},
              {"data", 16, false, 17},
              {"draw", 8, false, 14},
              {"draw", 4, true, 14}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static int count_products(const LoopProgram *p) {
    int n = 0;
    for (int i = 0; i < p->nests.n; i++)
        for (int k = 0; k < p->nests.data[i]->code.n; k++)
            n += p->nests.data[i]->code.data[k].op == LOOP_gemm;
    return n;
}

/* Data sets, draws, groups. */
static const int64_t sizes[][3] = {{1, 1, 1}, {5, 17, 2}, {16, 33, 3}, {19, 3, 1}};

static void compare(BackendKind kind) {
    Arena *arena = arena_new();
    Backends *b = backends_new(arena);
    IrProgram *p = network(arena);
    for (int s = 0; s < SHAPES; s++)
        for (int blas = 0; blas < 2; blas++) {
            int k = backends_add(b, p,
                                 &(ScheduleOptions){.f64 = shapes[s].f64,
                                                    .lanes = shapes[s].lanes,
                                                    .lane_axis = shapes[s].lane,
                                                    .blas = blas});
            int found = count_products(b->programs.data[k]);
            CHECK(found == (blas ? shapes[s].products : 0), "%d products, lanes over %s", found,
                  shapes[s].lane);
        }
    const char *why = backends_build(b, kind);
    for (int i = 0; CHECK(!why, "%s", why) && i < 4; i++) {
        Values values = values_new(arena, p);
        values.extent[ir_axis_find(p, "data")] = sizes[i][0];
        values.extent[ir_axis_find(p, "draw")] = sizes[i][1];
        values.extent[ir_axis_find(p, "group")] = sizes[i][2];
        IrEvalEnv env = values_env(&values);
        for (int k = 0; k < 2 * SHAPES && !why; k++)
            why = shapes[k / 2].f64 ? backends_compare(b, k, &env, 1e-12, 1e-6)
                                    : backends_compare(b, k, &env, 2e-6, 1e-3);
    }
    backends_free(b);
    arena_free(arena);
}

static void layers_by_llvm(void) {
    compare(BACKEND_LLVM);
}

static void layers_by_c(void) {
    compare(BACKEND_C);
}

int main(void) {
    Arena *arena = arena_new();
    bool missing = !link_has_blas(arena);
    arena_free(arena);
    if (missing) {
        printf("skip layers: cc does not find OpenBLAS\n");
        return 0;
    }
    RUN(layers_by_llvm);
    RUN(layers_by_c);
    return check_done();
}
