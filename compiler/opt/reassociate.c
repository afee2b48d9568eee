/* reassociate.c -- chains of linear maps in the order that costs least.
 *
 * (x A) B is x (A B). Where x has many instances and A B is made once for all of them, or where A
 * and B together are narrow, multiplying the maps first is cheaper; elsewhere it is not. One
 * decision per value: every contraction, sum and product is tried in the forms that
 * reassociate_forms.c finds, each further back along the chain of maps, and the cheapest stays. A
 * replacement is accepted only where the cost of the whole program falls, so that the search ends;
 * sweeps go on until none does.
 *
 * The cost: multiply-adds, other operations and elements of results, summed over the instances
 * at usual sizes of the plates (IrAxis.usual). What nothing needs any longer costs nothing: uses
 * are counted, and a value without users releases its operands.
 *
 * Values and derivatives are the same in exact arithmetic. */
#include "opt/reassociate.h"

#include "opt/opt.h"
#include "opt/rewrite.h"

enum {
    USUAL_INSTANCES = 16, /* of data sets, draws, and plates of unknown size */
    FUNCTION_COST = 8,    /* exp and the like, in multiply-adds */
    MAX_DEPTH = 3,        /* maps further back; sweeps go on from there */
    PATIENCE = 64,        /* values looked at for one form: long sums must not cost their square */
    MAX_SWEEPS = 6        /* nothing is left to do after three, as a rule */
};

/* ------------------------------------------------------------------ the program as it stands */

IrValue algebra_now(const Algebra *a, IrValue v) {
    while (a->now.data[v] != v) v = a->now.data[v];
    return v;
}

double algebra_extent(const Algebra *a, AxisId axis) {
    const IrAxis *x = &a->p->axes.data[ir_axis_original(a->p, axis)];
    if (x->kind == AXIS_EVENT) return (double)x->extent;
    return x->usual ? (double)x->usual : USUAL_INSTANCES;
}

static void track(Algebra *a, IrValue v) {
    vec_push(a->p->arena, &a->now, v);
    vec_push(a->p->arena, &a->users, 0);
}

IrValue algebra_append(Algebra *a, IrOp op) {
    const char *why;
    for (int i = 0; i < op.n_args; i++) {
        if (op.args[i] == IR_NONE) return IR_NONE;
        op.args[i] = algebra_now(a, op.args[i]);
    }
    IrValue v = ir_append(a->p, op, &why);
    if (v != IR_NONE) track(a, v);
    return v;
}

static double cost_of(const Algebra *a, IrValue v) {
    const IrOp *op = &a->p->ops.data[v];
    double elements = 1, terms = 1;
    for (int i = 0; i < op->n_axes; i++) elements *= algebra_extent(a, op->axes[i]);
    for (int i = 0; i < op->n_over; i++) terms *= algebra_extent(a, op->over[i]);
    switch (ir_op_info[op->opcode].rule) {
    case RULE_POINT: {
        IrCost cost = ir_op_info[op->opcode].cost;
        return cost == COST_NONE ? 0 : cost == COST_FLOP ? elements : FUNCTION_COST * elements;
    }
    case RULE_REDUCE:
    case RULE_CONTRACT:
        return elements * (terms + 1);
    default:
        return 0;
    }
}

/* One user more (by = 1) or less (-1) of v. What thereby comes to life, or dies, uses its operands
 * or no longer does. */
static void use(Algebra *a, IrValue v, int by) {
    a->open.n = 0;
    vec_push(a->p->arena, &a->open, v);
    while (a->open.n) {
        v = a->open.data[--a->open.n];
        int before = a->users.data[v];
        a->users.data[v] += by;
        if (before && a->users.data[v]) continue;
        a->cost += by * cost_of(a, v);
        const IrOp *op = &a->p->ops.data[v];
        for (int i = 0; i < op->n_args; i++)
            vec_push(a->p->arena, &a->open, algebra_now(a, op->args[i]));
    }
}

/* ------------------------------------------------------------------ replacing */

/* All users of `old` turn to `fresh`; returns how many there were. */
static int replace(Algebra *a, IrValue old, IrValue fresh) {
    int users = a->users.data[old];
    use(a, fresh, 1); /* first, so that what both need never dies */
    a->users.data[fresh] += users - 1;
    a->users.data[old] = 1;
    use(a, old, -1);
    a->now.data[old] = fresh;
    return users;
}

static void put_back(Algebra *a, IrValue old, IrValue fresh, int users) {
    a->now.data[old] = old;
    use(a, old, 1);
    a->users.data[old] = users;
    a->users.data[fresh] -= users - 1;
    use(a, fresh, -1);
}

static bool fits(const Algebra *a, IrValue old, IrValue fresh) {
    if (fresh == IR_NONE || fresh == old) return false;
    const IrOp *x = &a->p->ops.data[old], *y = &a->p->ops.data[fresh];
    return x->type == y->type && x->n_axes == y->n_axes &&
           !memcmp(x->axes, y->axes, sizeof x->axes[0] * (size_t)x->n_axes);
}

/* A form of v; instead of those of negative depth, v with other scores. */
static IrValue candidate(Algebra *a, IrValue v, int depth) {
    Form f;
    a->patience = PATIENCE;
    a->deeper = false;
    a->p->note = a->p->ops.data[v].note;
    if (depth < 0) return form_unshifted(a, v, -depth - 1);
    return form_of(a, v, depth, &f) ? form_value(a, &f) : IR_NONE;
}

typedef struct Choice {
    int depth;
    double cost; /* of the program with that form */
} Choice;

/* Tries one form and takes it back; false where there is none. */
static bool try_form(Algebra *a, IrValue v, int depth, Choice *best) {
    int n = a->p->ops.n;
    IrValue fresh = candidate(a, v, depth);
    if (fits(a, v, fresh)) {
        int users = replace(a, v, fresh);
        if (a->cost < best->cost) *best = (Choice){depth, a->cost};
        put_back(a, v, fresh, users);
    }
    a->p->ops.n = a->now.n = a->users.n = n;
    return fresh != IR_NONE;
}

/* Puts the cheapest form in the place of v, if it is cheaper than v. */
static bool improve(Algebra *a, IrValue v) {
    enum { NONE = MAX_DEPTH + 1 };
    Choice best = {NONE, a->cost * (1 - 1e-12) - 1e-6};
    for (int which = 0; which < FORM_SHIFTS; which++)
        if (!try_form(a, v, -which - 1, &best)) break;
    a->deeper = true;
    int depth = a->p->ops.data[v].opcode == OP_CONTRACT; /* at 0 it is what it is */
    for (; depth <= MAX_DEPTH && a->deeper; depth++) try_form(a, v, depth, &best);
    if (best.depth == NONE) return false;
    replace(a, v, candidate(a, v, best.depth));
    return true;
}

static bool is_root(const Algebra *a, IrValue v) {
    IrOpcode opcode = a->p->ops.data[v].opcode;
    bool linear = opcode == OP_CONTRACT || opcode == OP_SUM || opcode == OP_ADD || opcode == OP_MUL;
    return linear && a->users.data[v] && a->now.data[v] == v;
}

/* ------------------------------------------------------------------ the new program */

/* Writes v behind the operands that it lacks. */
static void write_out(Algebra *a, IrProgram *q, IrValue *map, IrValue v) {
    a->open.n = 0;
    vec_push(q->arena, &a->open, v);
    while (a->open.n) {
        v = a->open.data[a->open.n - 1];
        IrOp op = a->p->ops.data[v];
        int before = a->open.n;
        for (int i = 0; i < op.n_args; i++) {
            op.args[i] = algebra_now(a, op.args[i]);
            if (map[op.args[i]] == IR_NONE) vec_push(q->arena, &a->open, op.args[i]);
        }
        if (a->open.n > before) continue;
        if (map[v] == IR_NONE) map[v] = rewrite_append(q, rewrite_operands(&op, map));
        a->open.n--;
    }
}

/* Live values in the order of the given program, new ones where they are first needed. Inputs all
 * stay: a gradient may be asked for that has become zero. */
static IrProgram *written(Algebra *a) {
    IrProgram *q = ir_program_like(a->p);
    int n = a->p->ops.n;
    IrValue *map = arena_array(q->arena, IrValue, n + 1);
    for (IrValue v = 0; v < n; v++) map[v] = IR_NONE;
    for (IrValue v = 0; v < n; v++)
        if (a->users.data[v] || a->p->ops.data[v].opcode == OP_INPUT) write_out(a, q, map, v);
    for (int i = 0; i < a->p->outputs.n; i++) {
        IrOutput output = a->p->outputs.data[i];
        ir_output(q, output.name, map[algebra_now(a, output.value)]);
    }
    return q;
}

/* A copy of the program, to be rewritten. */
static Algebra start(const IrProgram *given) {
    IrProgram *p = ir_program_like(given);
    for (int i = 0; i < given->ops.n; i++) vec_push(p->arena, &p->ops, given->ops.data[i]);
    for (int i = 0; i < given->outputs.n; i++)
        vec_push(p->arena, &p->outputs, given->outputs.data[i]);
    const char *why;
    Algebra a = {.p = p, .n_given = given->ops.n};
    a.partial = ir_reduced(p->arena, given, &why);
    if (!a.partial) internal_error("reassociate", "program %s: %s", p->name, why);
    for (IrValue v = 0; v < p->ops.n; v++) track(&a, v);
    for (int i = 0; i < p->outputs.n; i++) use(&a, p->outputs.data[i].value, 1);
    return a;
}

double opt_cost(const IrProgram *p) {
    return start(p).cost;
}

IrProgram *opt_reassociate(const IrProgram *given) {
    Algebra a = start(given);
    bool any = false, changed = true;
    for (int sweep = 0; sweep < MAX_SWEEPS && changed; sweep++) {
        changed = false;
        for (IrValue v = 0, n = a.p->ops.n; v < n; v++)
            for (IrValue at = v; is_root(&a, at) && improve(&a, at); at = algebra_now(&a, at))
                changed = true;
        any |= changed;
    }
    return any ? written(&a) : (IrProgram *)given;
}
