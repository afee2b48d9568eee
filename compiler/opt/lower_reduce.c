/* lower_reduce.c -- sum, max_over and contract as loops around register blocks of accumulators.
 *
 * Loops, outside in: result event axes that are not blocked; blocks of one or two result axes
 * (contract: the last that only the first operand has and the last that only the second has, so
 * that each operand read serves several accumulators); in a kernel nest the reduced loop axes; the
 * reduced event axes. Unrolled result axes are positions of the block too.
 *
 * Where loop axes or lanes are reduced in a point nest, or tile by tile, accumulators start from
 * memory and return there.
 */
#include "opt/lower.h"

#include <math.h>

enum { MAX_POSITIONS = 32, MAX_INNER = IR_MAX_OVER + 2 };

typedef struct Reduction {
    Lower *l;
    int v;
    const int *nodes; /* v, and the point-wise operations that follow */
    int n_nodes;
    const Node *node;
    bool kernel;      /* the reduced loop axes run here */
    bool accumulate;  /* from memory and back */
    bool variable;    /* there are loops around the terms */
    int accumulators; /* at most, at a time */
    int n_blocked;
    AxisId blocked[2];
    int64_t factor[2];
    /* the block being written */
    int n_positions;
    Env positions[MAX_POSITIONS * (IR_MAX_AXES + 1)];
    int n_envs;
    const Env *position[MAX_POSITIONS];
    int acc[MAX_POSITIONS];
    int n_inner;
    AxisId inner_axis[MAX_INNER];
    AxisIndex inner[MAX_INNER];
} Reduction;

static bool lane_reduced(const Reduction *r) {
    return schedule_lane_reduced(r->node);
}

/* ---- blocks ---- */

/* The last looped result axis that only operand `which` has (-1: any). */
static AxisId axis_to_block(const Reduction *r, int which) {
    const Schedule *s = r->l->s;
    const IrOp *op = &r->node->op;
    for (int i = r->node->n_events - 1; i >= 0; i--) {
        AxisId axis = r->node->events[i];
        if (s->unrolled[axis]) continue;
        if (which < 0) return axis;
        bool has[2] = {false, false};
        for (int k = 0; k < 2; k++) {
            const IrOp *arg = &s->nodes.data[op->args[k]].op;
            for (int j = 0; j < arg->n_axes; j++) has[k] |= arg->axes[j] == axis;
        }
        if (has[which] && !has[!which]) return axis;
    }
    return AXIS_NONE;
}

static void add_block(Reduction *r, AxisId axis, int64_t factor) {
    if (axis == AXIS_NONE || factor < 2) return;
    r->blocked[r->n_blocked] = axis;
    r->factor[r->n_blocked++] = factor;
}

static void choose_blocks(Reduction *r) {
    const Schedule *s = r->l->s;
    bool wide = s->out->lanes * (s->out->f64 ? 8 : 4) >= 64; /* then there are 32 registers */
    r->accumulators = (wide ? 16 : 8) / (r->kernel ? 1 : r->l->nest->copies);
    int64_t unrolled = 1;
    for (int i = 0; i < r->node->n_events; i++)
        if (s->unrolled[r->node->events[i]])
            unrolled *= s->ir->axes.data[r->node->events[i]].extent;
    int64_t room = r->accumulators / unrolled;
    /* uniform numbers: algebra of weights, done once, where small code counts */
    if (r->node->lane == AXIS_NONE) room = r->node->space ? room / 2 : 0;
    bool swallows = false;
    for (int i = 0; i < r->node->op.n_args; i++) {
        const Node *arg = &s->nodes.data[schedule_base(s, r->node->op.args[i]).node];
        swallows |= arg->inlined && arg->op.opcode != OP_INPUT;
    }
    if (swallows) return;
    if (r->node->op.opcode != OP_CONTRACT) {
        add_block(r, axis_to_block(r, -1), room < 4 ? room : 4);
        return;
    }
    AxisId a = axis_to_block(r, 0), b = axis_to_block(r, 1);
    if (a != AXIS_NONE && b != AXIS_NONE) {
        int64_t first = room < 4 ? room : 4;
        add_block(r, a, first);
        add_block(r, b, first ? room / first : 0);
    } else {
        add_block(r, a != AXIS_NONE ? a : b, room < 8 ? room : 8);
    }
}

/* Of a stretch: a divisor if there is a good one, else with a remainder. */
static int64_t block_factor(int64_t length, int64_t most) {
    if (length <= most) return length;
    for (int64_t f = most; f > most / 2; f--)
        if (length % f == 0) return f;
    return most;
}

/* ---- the innermost part ---- */

static int tail(Reduction *r, int reg, double number) {
    LoopCode *code = &r->l->code;
    LoopInst inst = {.op = LOOP_tail,
                     .arg = {loop_varying(code, reg)},
                     .number = number,
                     .integer = r->l->block};
    return loop_push(code, inst, LOOP_REAL, true);
}

static double neutral(const Reduction *r) {
    return r->node->op.opcode == OP_MAX_OVER ? -INFINITY : 0;
}

/* acc combined with the term at `env`; acc itself where the term is zero */
static int combine(Reduction *r, int acc, const Env *env) {
    Lower *l = r->l;
    const IrOp *op = &r->node->op;
    bool mask = lane_reduced(r) && l->many_blocks;
    int x[2] = {READ_ZERO, READ_ZERO};
    for (int i = 0; i < op->n_args; i++) {
        x[i] = lower_value(l, op->args[i], env);
        if (x[i] == READ_ZERO && op->opcode != OP_MAX_OVER) return acc;
        x[i] = lower_number(l, x[i]);
        if (mask) x[i] = tail(r, x[i], neutral(r));
    }
    if (op->opcode == OP_CONTRACT) return loop_emit(&l->code, LOOP_fma, x[0], x[1], acc);
    return loop_emit(&l->code, op->opcode == OP_SUM ? LOOP_add : LOOP_max, x[0], acc, 0);
}

static void terms(Reduction *r, int first, int n) {
    for (int i = first; i < first + n; i++) {
        Env chain[MAX_INNER];
        const Env *env = r->position[i];
        for (int k = 0; k < r->n_inner; k++) {
            chain[k] = (Env){env, r->inner_axis[k], r->inner[k]};
            env = &chain[k];
        }
        int acc = combine(r, r->acc[i], env);
        if (acc == r->acc[i]) continue;
        if (r->variable)
            loop_set(&r->l->code, r->acc[i], acc);
        else
            r->acc[i] = acc;
    }
}

static void bind_inner(Reduction *r, AxisId axis, AxisIndex index) {
    r->inner_axis[r->n_inner] = axis;
    r->inner[r->n_inner++] = index;
}

static void inner_events(Reduction *r, int k, int first, int n) {
    LoopCode *code = &r->l->code;
    if (k == r->node->n_space_events) {
        terms(r, first, n);
        return;
    }
    AxisId axis = r->node->space_events[k];
    Stretch *stretch;
    int found = lower_stretches(r->l, &r->v, 1, axis, &stretch);
    for (int i = 0; i < found; i++) {
        int64_t low = stretch[i].low, high = stretch[i].high;
        bool loop = high - low > 1;
        AxisIndex index = index_const(low);
        if (loop) index = lower_open_stretch(r->l, low, high);
        bind_inner(r, axis, index);
        inner_events(r, k + 1, first, n);
        r->n_inner--;
        if (loop) loop_end(code);
    }
}

static void inner_loops(Reduction *r, int first, int n) {
    Lower *l = r->l;
    Schedule *s = l->s;
    int opened = 0, block = l->block, bound = r->n_inner;
    if (r->kernel) {
        if (lane_reduced(r) && l->many_blocks) {
            l->block = loop_begin(&l->code, loop_size_blocks(l->nest->lane));
            opened++;
        }
        uint32_t reduced = r->node->space & ~r->node->loops;
        Env around[32]; /* where a ragged plate's loop reads how long it is */
        const Env *env = r->position[first];
        for (int i = 0; i < s->n_loop_axes; i++)
            if (reduced >> i & 1) {
                AxisId axis = s->loop_axes[i];
                around[i] = (Env){env, axis, lower_open(l, axis, env)};
                env = &around[i];
                bind_inner(r, axis, env->index);
                opened++;
            }
    }
    inner_events(r, r->node->n_events, first, n);
    while (opened--) loop_end(&l->code);
    l->block = block;
    r->n_inner = bound;
}

static int start(Reduction *r, const Env *env) {
    Lower *l = r->l;
    int acc;
    if (r->accumulate)
        acc = lane_reduced(r) ? lower_load_sums(l, r->v, env) : lower_load_own(l, r->v, env);
    else {
        acc = loop_number(&l->code, neutral(r));
        if (r->node->lane != AXIS_NONE) acc = loop_varying(&l->code, acc);
    }
    return r->variable ? loop_emit(&l->code, LOOP_variable, acc, 0, 0) : acc;
}

static void finish(Reduction *r, const Env *env, int acc) {
    Lower *l = r->l;
    const Node *node = r->node;
    if (lane_reduced(r)) { /* the nest ends with a loop that sums the lanes of all results */
        lower_store_sums(l, r->v, env, acc);
        return;
    }
    if (!r->accumulate && !r->kernel && schedule_in_registers(l->s, node))
        lower_remember(l, r->v, env, acc);
    if (node->buffer >= 0) lower_store(l, r->v, env, acc);
    if (r->n_nodes == 1) return;
    l->iteration--;
    lower_remember(l, r->v, env, acc);
    lower_points(l, r->nodes + 1, r->n_nodes - 1, env);
}

static void block(Reduction *r) {
    r->variable = r->node->n_space_events > r->node->n_events || r->kernel;
    for (int first = 0; first < r->n_positions; first += r->accumulators) {
        int n = r->n_positions - first;
        if (n > r->accumulators) n = r->accumulators;
        for (int i = first; i < first + n; i++) r->acc[i] = start(r, r->position[i]);
        inner_loops(r, first, n);
        for (int i = first; i < first + n; i++) finish(r, r->position[i], r->acc[i]);
    }
}

/* ---- around it ---- */

static const Env *bind(Reduction *r, const Env *outer, AxisId axis, AxisIndex index) {
    if (r->n_envs == MAX_POSITIONS * (IR_MAX_AXES + 1))
        internal_error("lower", "a block too large");
    Env *env = &r->positions[r->n_envs++];
    *env = (Env){outer, axis, index};
    return env;
}

/* All unrolled positions of the block. */
static void unrolled_axes(Reduction *r, int k, const Env *env) {
    if (k == r->node->n_events) {
        if (r->n_positions == MAX_POSITIONS) internal_error("lower", "a block too large");
        r->position[r->n_positions++] = env;
        return;
    }
    AxisId axis = r->node->events[k];
    if (!r->l->s->unrolled[axis]) {
        unrolled_axes(r, k + 1, env);
        return;
    }
    for (int64_t i = 0; i < r->l->s->ir->axes.data[axis].extent; i++)
        unrolled_axes(r, k + 1, bind(r, env, axis, index_const(i)));
}

/* One block of each blocked axis; `index` says where the first position of each is. */
static void positions(Reduction *r, int k, const AxisIndex *index, const int64_t *size,
                      const Env *env) {
    if (k == r->n_blocked) {
        unrolled_axes(r, 0, env);
        return;
    }
    for (int64_t j = 0; j < size[k]; j++) {
        AxisIndex at = index[k];
        at.offset += j;
        if (at.var < 0) at = index_const(at.offset);
        positions(r, k + 1, index, size, bind(r, env, r->blocked[k], at));
    }
}

static void blocked_axes(Reduction *r, int k, AxisIndex *index, int64_t *size, const Env *env) {
    LoopCode *code = &r->l->code;
    if (k == r->n_blocked) {
        r->n_positions = 0;
        int envs = r->n_envs;
        positions(r, 0, index, size, env);
        block(r);
        r->n_envs = envs;
        return;
    }
    Stretch *stretch;
    int found = lower_stretches(r->l, r->nodes, r->n_nodes, r->blocked[k], &stretch);
    for (int i = 0; i < found; i++) {
        int64_t low = stretch[i].low, length = stretch[i].high - low;
        int64_t f = block_factor(length, r->factor[k]), count = length / f;
        size[k] = f;
        if (count > 1) {
            int var = loop_begin(code, loop_size(count));
            index[k] = (AxisIndex){
                .var = var, .scale = f, .offset = low, .low = low, .high = stretch[i].high};
        } else
            index[k] = index_const(low);
        blocked_axes(r, k + 1, index, size, env);
        if (count > 1) loop_end(code);
        size[k] = length % f;
        index[k] = index_const(low + count * f);
        if (size[k]) blocked_axes(r, k + 1, index, size, env);
    }
}

static void looped_axes(Reduction *r, int k, const Env *env) {
    LoopCode *code = &r->l->code;
    if (k == r->node->n_events) {
        AxisIndex index[2];
        int64_t size[2];
        blocked_axes(r, 0, index, size, env);
        return;
    }
    AxisId axis = r->node->events[k];
    bool blocked = false;
    for (int i = 0; i < r->n_blocked; i++) blocked |= r->blocked[i] == axis;
    if (blocked || r->l->s->unrolled[axis]) {
        looped_axes(r, k + 1, env);
        return;
    }
    Stretch *stretch;
    int found = lower_stretches(r->l, r->nodes, r->n_nodes, axis, &stretch);
    for (int i = 0; i < found; i++) {
        int64_t low = stretch[i].low, high = stretch[i].high;
        AxisIndex index = index_const(low);
        bool loop = high - low > 1;
        if (loop) index = lower_open_stretch(r->l, low, high);
        looped_axes(r, k + 1, &(Env){env, axis, index});
        if (loop) loop_end(code);
    }
}

void lower_reduction(Lower *l, const int *nodes, int n, const Env *env) {
    Reduction *r = &(Reduction){
        .l = l, .v = nodes[0], .nodes = nodes, .n_nodes = n, .node = &l->s->nodes.data[nodes[0]]};
    r->kernel = l->nest->kind == NEST_KERNEL;
    r->accumulate = sweep_summed(l->s, r->node) >= 0 ||
                    (!r->kernel && (r->node->space != r->node->loops || lane_reduced(r)));
    choose_blocks(r);
    looped_axes(r, 0, env);
}
