/* test_opt_reassociate.c -- linear maps in another order: values and derivatives stay, the cost
 * never rises; how far it falls for known networks. What single rules do is in tests/ir.
 */
#include "check.h"
#include "graddiff.h"
#include "harness.h"
#include "ir_values.h"

#include "opt/opt.h"

/* ---- random stacks of linear maps and attention ---- */

typedef struct Net {
    IrProgram *p;
    uint64_t state;
    AxisId data, group, obs, in, f, head, key, out, set;
    int weights;
} Net;

static bool maybe(Net *n) {
    return values_pick(&n->state, 2) == 0;
}

static bool rarely(Net *n) {
    return values_pick(&n->state, 6) == 0;
}

static IrValue weight(Net *n, const AxisId *axes, int n_axes) {
    AxisId sorted[IR_MAX_AXES];
    memcpy(sorted, axes, sizeof *axes * (size_t)n_axes);
    n_axes = ir_axes_sort(n->p, sorted, n_axes);
    const char *name = arena_printf(n->p->arena, "w%d", n->weights++);
    return ir_input(n->p, name, ROLE_WEIGHT, sorted, n_axes);
}

/* x W, or x W + b, scaled or not, from features `in` to features `f` */
static IrValue dense(Net *n, IrValue x, AxisId in) {
    IrValue y = ir_contract(n->p, x, weight(n, (AxisId[]){in, n->out}, 2), &in, 1);
    if (maybe(n)) y = ir_add(n->p, y, weight(n, &n->out, 1));
    if (maybe(n)) y = ir_mul(n->p, weight(n, &n->out, 1), y);
    if (maybe(n)) y = ir_sub(n->p, weight(n, &n->out, 1), y);
    return ir_rename(n->p, y, n->out, n->f);
}

static IrValue heads(Net *n, IrValue x, bool bias) {
    AxisId axes[] = {n->f, n->head, n->key};
    IrValue y = ir_contract(n->p, x, weight(n, axes, 3), &n->f, 1);
    return bias ? ir_add(n->p, y, weight(n, axes + 1, 2)) : y;
}

static IrValue centre(Net *n, IrValue v, AxisId over) {
    IrValue size = ir_recip(n->p, ir_extent(n->p, over));
    return ir_stop_gradient(n->p, ir_mul(n->p, ir_sum(n->p, v, &over, 1), size));
}

/* Attention of x over the instances of y along `over`; weights normalised before or after. */
static IrValue attention(Net *n, IrValue x, IrValue y, AxisId over) {
    IrProgram *p = n->p;
    IrValue q = heads(n, x, maybe(n)), k = heads(n, y, maybe(n)), v = heads(n, y, maybe(n));
    if (rarely(n)) { /* offsets that vary along what is averaged */
        AxisId at[] = {over, n->head, n->key};
        k = ir_add(p, k, ir_input(p, arena_printf(p->arena, "k%d", n->weights), ROLE_HYPER, at, 3));
        v = ir_add(p, v, ir_input(p, arena_printf(p->arena, "v%d", n->weights), ROLE_HYPER, at, 3));
    }
    IrValue s = ir_contract(p, ir_mul(p, q, ir_const(p, 0.5)), k, &n->key, 1);
    if (rarely(n)) s = ir_sub(p, weight(n, &n->head, 1), s);
    if (rarely(n)) s = ir_mul(p, s, ir_pick(p, y, n->f, 1)); /* nothing before this cancels */
    IrValue e = ir_exp(p, ir_sub(p, s, ir_stop_gradient(p, ir_max_over(p, s, &over, 1))));
    IrValue norm = ir_recip(p, ir_sum(p, e, &over, 1)), pooled;
    if (maybe(n)) {
        IrValue m = centre(n, v, over), back = m;
        if (rarely(n)) { /* another is added than was taken away: no mean, and no constant */
            m = ir_sum(p, v, &over, 1);
            back = ir_tanh(p, m);
        }
        IrValue about = ir_contract(p, ir_sub(p, v, m), e, &over, 1);
        pooled = ir_add(p, back, ir_mul(p, about, norm));
    } else if (maybe(n)) {
        pooled = ir_mul(p, norm, ir_contract(p, e, v, &over, 1));
    } else {
        pooled = ir_contract(p, ir_mul(p, e, norm), v, &over, 1);
    }
    AxisId axes[] = {n->head, n->key, n->out};
    IrValue out = ir_contract(p, pooled, weight(n, axes, 3), axes, 2);
    if (maybe(n)) out = ir_add(p, out, weight(n, &n->out, 1));
    return ir_rename(p, out, n->out, n->f);
}

static Net net_new(Arena *arena, uint64_t seed, int64_t obs) {
    Net n = {.p = ir_program_new(arena, "net"), .state = seed * 7919 + 13};
    IrProgram *p = n.p;
    n.data = ir_axis(p, "data", AXIS_DATA, AXIS_NONE, 0);
    n.group = ir_axis(p, "group", AXIS_PLATE, AXIS_NONE, 0);
    n.obs = ir_axis(p, "obs", AXIS_PLATE, n.group, 0);
    p->axes.data[n.group].usual = 3;
    p->axes.data[n.obs].usual = obs;
    n.in = ir_axis(p, "in", AXIS_EVENT, AXIS_NONE, 2);
    n.set = ir_axis(p, "set", AXIS_EVENT, AXIS_NONE, 3);
    n.f = ir_axis(p, "f", AXIS_EVENT, AXIS_NONE, 4);
    n.head = ir_axis(p, "head", AXIS_EVENT, AXIS_NONE, 2);
    n.key = ir_axis(p, "key", AXIS_EVENT, AXIS_NONE, 2);
    n.out = ir_axis(p, "out", AXIS_EVENT, AXIS_NONE, 4);
    return n;
}

static IrProgram *random_net(Arena *arena, uint64_t seed) {
    static const int64_t sizes[] = {2, 10, 50};
    Net net = net_new(arena, seed, sizes[seed % 3]), *n = &net;
    IrProgram *p = n->p;
    AxisId of_x[] = {n->data, n->group, n->obs, n->in}, of_set[] = {n->set, n->f};
    IrValue x = dense(n, ir_input(p, "x", ROLE_DATA, of_x, 4), n->in);
    if (maybe(n)) {
        IrValue y = ir_input(p, "y", ROLE_DATA, (AxisId[]){n->data, n->group, n->in}, 3);
        x = ir_add(p, x, dense(n, y, n->in));
    }
    for (int layers = values_pick(&n->state, 3); layers >= 0; layers--) {
        IrValue points = attention(n, weight(n, of_set, 2), x, n->obs);
        if (maybe(n)) points = ir_tanh(p, points);
        IrValue seen = attention(n, x, points, n->set);
        x = maybe(n) ? ir_add(p, x, seen) : seen;
        if (maybe(n)) x = ir_tanh(p, x);
        if (maybe(n)) x = dense(n, x, n->f);
    }
    IrValue mean = ir_mul(p, ir_sum(p, x, &n->obs, 1), ir_recip(p, ir_extent(p, n->obs)));
    IrValue pooled =
        maybe(n) ? attention(n, weight(n, of_set, 2), x, n->obs) : dense(n, mean, n->f);
    ir_output(p, "pooled", pooled);
    IrValue each = ir_spread(p, ir_square(p, pooled), &n->set, 1);
    ir_output(p, "loss", ir_sum(p, each, (AxisId[]){n->data, n->group, n->set, n->f}, 4));
    return p;
}

/* ---- values and derivatives ---- */

static void same_values(const IrProgram *p, const IrProgram *q, const char *what, int seed) {
    Values values = values_new(p->arena, p);
    IrEvalEnv env = values_env(&values);
    IrTensor *a = arena_array(p->arena, IrTensor, p->outputs.n),
             *b = arena_array(p->arena, IrTensor, p->outputs.n);
    const char *why = ir_eval(p->arena, p, &env, a);
    if (!CHECK(!why && p->outputs.n == q->outputs.n, "%s, seed %d: %s", what, seed, why)) return;
    for (int i = p->axes.n; i < q->axes.n; i++) values.extent[i] = q->axes.data[i].extent;
    env = values_env(&values);
    why = ir_eval(p->arena, q, &env, b);
    if (!CHECK(!why, "%s, seed %d, afterwards: %s", what, seed, why)) return;
    double largest = 1;
    for (int i = 0; i < p->outputs.n; i++)
        for (int64_t k = 0; k < a[i].size; k++)
            if (fabs(a[i].data[k]) > largest) largest = fabs(a[i].data[k]);
    for (int i = 0; i < p->outputs.n; i++) {
        bool same = a[i].n_axes == b[i].n_axes && a[i].size == b[i].size;
        double worst = 0;
        for (int64_t k = 0; same && k < a[i].size; k++) {
            bool equal =
                a[i].data[k] == b[i].data[k] || (isnan(a[i].data[k]) && isnan(b[i].data[k]));
            if (!equal) worst = fmax(worst, fabs(a[i].data[k] - b[i].data[k]));
        }
        if (!CHECK(same && worst <= 1e-11 * largest, "%s, seed %d: output %s differs by %g of %g",
                   what, seed, p->outputs.data[i].name, worst, largest))
            return;
    }
}

/* Rewrites p and compares: the values, the cost, and what differentiation makes of both. Returns
 * the cost afterwards as a share of that before. */
static double judge(IrProgram *p, const char *what, int seed, bool gradients) {
    double before = opt_cost(p), after;
    IrProgram *q = opt_reassociate(p);
    const char *why = ir_verify(q);
    if (!CHECK(!why, "%s, seed %d: %s", what, seed, why)) return 1;
    after = opt_cost(q);
    CHECK(after <= before * (1 + 1e-12), "%s, seed %d: the cost rose from %g to %g", what, seed,
          before, after);
    CHECK(q == p || after < before, "%s, seed %d: rewritten for nothing", what, seed);
    if (gradients && q != p) {
        add_gradients(p);
        add_gradients(q);
    }
    why = ir_verify(q);
    if (CHECK(!why, "%s, seed %d, with gradients: %s", what, seed, why))
        same_values(p, q, what, seed);
    return before ? after / before : 1;
}

static void networks_keep_values_and_gradients(void) {
    int fell = 0;
    for (int seed = 0; seed < 300; seed++) {
        Arena *arena = arena_new();
        fell += judge(random_net(arena, (uint64_t)seed), "network", seed, true) < 1;
        arena_free(arena);
    }
    CHECK(fell > 290, "only %d of 300 networks became cheaper", fell);
}

static void any_program_keeps_its_values(void) {
    for (int seed = 0; seed < 400; seed++) {
        Arena *arena = arena_new();
        judge(random_program_either(arena, (uint64_t)seed, 40, seed % 2), "program", seed,
              seed % 2);
        arena_free(arena);
    }
}

/* What was differentiated first may be rewritten, too. */
static void adjoints_keep_values(void) {
    for (int seed = 0; seed < 40; seed++) {
        Arena *arena = arena_new();
        IrProgram *p = random_net(arena, (uint64_t)seed);
        add_gradients(p);
        judge(p, "adjoints", seed, false);
        arena_free(arena);
    }
}

/* The derivatives of what was rewritten, against differences of what was not. */
static void gradients_are_those_of_the_loss(void) {
    for (int seed = 0; seed < 20; seed++) {
        Arena *arena = arena_new();
        double worst;
        IrProgram *q = opt_reassociate(random_net(arena, (uint64_t)seed));
        add_gradients(q);
        Values values = values_new(arena, q);
        IrEvalEnv env = values_env(&values);
        int wrong = check_gradients(q, &env, 2, &worst);
        CHECK(wrong == 0, "seed %d: %d derivatives are wrong, by %g", seed, wrong, worst);
        arena_free(arena);
    }
}

/* ---- how far ---- */

/* Multiply-adds of contractions per instance of the plate `name`, which no other plate is inside
 * of. */
static int64_t multiply_adds(const IrProgram *p, const char *name) {
    AxisId plate = ir_axis_find(p, name);
    int64_t sum = 0;
    for (IrValue v = 0; v < p->ops.n; v++) {
        const IrOp *op = &p->ops.data[v];
        bool over = false;
        int64_t each = 1;
        if (op->opcode != OP_CONTRACT) continue;
        for (int i = 0; i < op->n_over; i++) over |= op->over[i] == plate;
        if (!over && !ir_has_axis(p, v, plate)) continue;
        for (int i = 0; i < op->n_axes; i++)
            if (p->axes.data[op->axes[i]].kind == AXIS_EVENT)
                each *= p->axes.data[op->axes[i]].extent;
        for (int i = 0; i < op->n_over; i++)
            if (p->axes.data[op->over[i]].kind == AXIS_EVENT)
                each *= p->axes.data[op->over[i]].extent;
        sum += each;
    }
    return sum;
}

static IrProgram *clean(const IrProgram *p) {
    return opt_dce(opt_cse(opt_fold(p)));
}

static void fewer_multiply_adds_per_observation(void) {
    static const struct {
        DualOptions options;
        int64_t forward[2], step[2]; /* before, after */
    } cases[] = {{{FAMILY_ADAVI, true, false}, {1410, 1010}, {4226, 2930}},
                 {{FAMILY_STRUCTURED, false, false}, {826, 442}, {2466, 1218}},
                 {{FAMILY_STRUCTURED, false, true}, {4546, 2722}, {13634, 8066}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Compiled *c = compile_file("examples/gre.hbm", cases[i].options);
        if (!CHECK(c, "gre")) return;
        const IrProgram *both[] = {c->dual->posterior, c->dual->step};
        for (int k = 0; k < 2; k++) {
            const int64_t *expected = k ? cases[i].step : cases[i].forward;
            if (!CHECK(both[k]->as_written, "%s was not rewritten", both[k]->name)) return;
            int64_t before = multiply_adds(clean(both[k]->as_written), "obs"),
                    after = multiply_adds(clean(both[k]), "obs");
            CHECK(before == expected[0] && after <= expected[1],
                  "case %d, %s: %lld became %lld multiply-adds, not %lld and %lld", (int)i,
                  both[k]->name, (long long)before, (long long)after, (long long)expected[0],
                  (long long)expected[1]);
        }
        compiled_free(c);
    }
}

/* What all keys have in common cancels: no score depends on it, and its derivative is 0, not just
 * near 0. */
static void key_biases_cancel(void) {
    Compiled *c = compile_file("examples/gre.hbm", (DualOptions){FAMILY_ADAVI, true, false});
    if (!CHECK(c, "gre")) return;
    const IrProgram *step = clean(c->dual->step);
    int found = 0;
    for (int i = 0; i < step->outputs.n; i++) {
        const char *name = step->outputs.data[i].name, *end = strstr(name, ".k.b");
        if (strncmp(name, "grad:", 5) || !end || end[4]) continue;
        const IrOp *op = &step->ops.data[step->outputs.data[i].value];
        if (op->opcode == OP_SPREAD) op = &step->ops.data[op->args[0]];
        CHECK(op->opcode == OP_CONST && op->number == 0, "%s is no zero", name);
        found++;
    }
    CHECK(found == 12, "%d biases of keys", found);
    compiled_free(c);
}

int main(void) {
    RUN(networks_keep_values_and_gradients);
    RUN(any_program_keeps_its_values);
    RUN(adjoints_keep_values);
    RUN(gradients_are_those_of_the_loss);
    RUN(fewer_multiply_adds_per_observation);
    RUN(key_biases_cancel);
    return check_done();
}
