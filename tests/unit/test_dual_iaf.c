/* The inverse autoregressive flow of wide events: its Jacobian, by differences, is triangular with
 * the logarithms of its diagonal adding up to what the flow says, for one group of units and for
 * several, of equal and of unequal lengths. A mask that lets through too much breaks it, one that
 * lets through too little leaves entries zero. */
#include "check.h"
#include "dual/autoregressive.h"
#include "harness.h"

enum { CONTEXT = 32 };

typedef struct Inputs {
    Arena *arena;
    double *z;
    int64_t d;
} Inputs;

/* z, and numbers of order 1 / sqrt(inputs) for whatever else there is. */
static const double *lookup(void *user, const IrProgram *p, const IrOp *op) {
    Inputs *in = user;
    if (!strcmp(op->name, "z")) return in->z;
    int64_t n = ir_event_size(p, op->axes, op->n_axes);
    double *x = arena_array(in->arena, double, n);
    uint32_t seed = 7;
    for (const char *c = op->name; *c; c++) seed = seed * 31 + (uint32_t)*c;
    fill_normal(x, n, seed);
    double rows = op->n_axes > 1 ? (double)p->axes.data[op->axes[0]].extent : 4;
    for (int64_t i = 0; i < n; i++) x[i] /= sqrt(rows);
    return x;
}

typedef struct Flow {
    IrProgram *p;
    Inputs in;
} Flow;

static Flow flow_of(Compiled *c, int64_t d) {
    Build *b = build_start(c->arena, c->dual, "flow");
    AxisId f = feature_axis(b, d), k = feature_axis(b, CONTEXT);
    IrValue z = ir_input(b->p, "z", ROLE_LATENT, &f, 1), log_det = ir_const(b->p, 0);
    Block context = block_of(ir_input(b->p, "context", ROLE_LATENT, &k, 1), 1, &k, "context");
    Maf shape = {.n_layers = 2, .width = iaf_hidden(d), .clip = 4, .last_gain = 1};
    ir_output(b->p, "y", iaf(b, "test", &shape, z, d, &context, &log_det));
    ir_output(b->p, "log_det", log_det);
    return (Flow){b->p, {c->arena, arena_array(c->arena, double, d), d}};
}

static const double *evaluate(Flow *flow, Arena *arena, double *log_det) {
    IrTensor out[2];
    int64_t *extent = arena_array(arena, int64_t, flow->p->axes.n + 1);
    IrEvalEnv env = {.extent = extent, .lookup = lookup, .user = &flow->in};
    flow->in.arena = arena;
    const char *why = ir_eval(arena, flow->p, &env, out);
    if (!CHECK(!why, "%s", why)) return NULL;
    if (log_det) *log_det = out[1].data[0];
    return out[0].data;
}

/* Column j of the Jacobian; y is linear in its own z, so its difference is exact. */
static void check_column(Flow *flow, const double *y, int64_t j, double *sum, int64_t *reached) {
    Arena *arena = arena_new();
    flow->in.z[j] += 0.5;
    const double *moved = evaluate(flow, arena, NULL);
    flow->in.z[j] -= 0.5;
    for (int64_t i = 0; moved && i < flow->in.d; i++) {
        double slope = (moved[i] - y[i]) / 0.5;
        if (i < j) CHECK(fabs(slope) < 1e-12, "y[%d] depends on z[%d]", (int)i, (int)j);
        if (i == j && CHECK(slope > 0, "y[%d] falls with z[%d]", (int)i, (int)j))
            *sum += log(slope);
        if (i > j && fabs(slope) > 1e-12) ++*reached;
    }
    arena_free(arena);
}

static void check_width(int64_t d) {
    Arena *arena = arena_new();
    Compiled *c = compile_text("wide",
                               arena_printf(arena,
                                            "latent a[%d] ~ normal(0, 1);\n"
                                            "observed x[%d] ~ normal(a, 1);\n",
                                            (int)d, (int)d),
                               (DualOptions){.family = FAMILY_STRUCTURED});
    if (!CHECK(c, "the model does not compile")) return;
    Flow flow = flow_of(c, d);
    fill_normal(flow.in.z, d, 5);
    double log_det = 0, sum = 0;
    int64_t reached = 0;
    const double *y = evaluate(&flow, c->arena, &log_det);
    for (int64_t j = 0; y && j < d; j++) check_column(&flow, y, j, &sum, &reached);
    CHECK_NEAR(sum, log_det, 1e-9 * (double)d, "log determinant");
    CHECK(fabs(log_det) > 0.1, "a log determinant of %g tests nothing", log_det);
    /* y[m + 1] sees z[m] through hidden units of degree m, of which 0 .. d - 2 have one if possible
     */
    int64_t missing = d - 1 > iaf_hidden(d) ? d - 1 - iaf_hidden(d) : 0;
    CHECK(reached == d * (d - 1) / 2 - missing, "of %d entries below the diagonal %d are not zero",
          (int)(d * (d - 1) / 2), (int)reached);
    compiled_free(c);
    arena_free(arena);
}

static void one_group(void) {
    check_width(9);
    check_width(70);
}

static void several_groups(void) {
    check_width(130);
    check_width(259);
}

int main(void) {
    RUN(one_group);
    RUN(several_groups);
    return check_done();
}
