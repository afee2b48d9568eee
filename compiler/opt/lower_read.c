/* lower_read.c -- reading and writing values: views become index arithmetic, leaves constants or
 * loads, and everything else a register or a buffer. */
#include "opt/lower.h"

AxisIndex index_const(int64_t value) {
    return (AxisIndex){.var = -1, .offset = value, .low = value, .high = value + 1};
}

AxisIndex index_of(const Env *env, AxisId axis) {
    for (; env; env = env->outer)
        if (env->axis == axis) return env->index;
    return index_const(0); /* the one data set of a scalar chunk */
}

static AxisIndex shifted(AxisIndex i, int64_t by) {
    i.offset += by;
    i.low += by;
    i.high += by;
    return i;
}

/* ---- addresses ---- */

typedef struct Address {
    LoopIndex index;
    LoopTerm term[2 * IR_MAX_AXES + 2];
} Address;

static void add_term(Address *a, int var, LoopSize stride) {
    for (int i = 0; i < a->index.n; i++)
        if (a->term[i].var == var && loop_size_same_factors(a->term[i].stride, stride)) {
            a->term[i].stride.coef += stride.coef;
            return;
        }
    int at = a->index.n++;
    for (; at > 0 && a->term[at - 1].var > var; at--) a->term[at] = a->term[at - 1];
    a->term[at] = (LoopTerm){var, stride};
}

/* `tile`: the sweep whose tile the buffer holds, or -1. */
static void add_axis(Address *a, AxisIndex i, LoopSize stride, int tile) {
    if (i.tile && i.tile - 1 != tile)
        add_term(a, -1, loop_size_times(stride, loop_size_start(i.tile - 1)));
    if (i.first) add_term(a, i.first - 1, stride);
    if (i.var >= 0) add_term(a, i.var, loop_size_times(stride, loop_size(i.scale)));
    if (i.offset == 0) return;
    if (stride.n)
        add_term(a, -1, loop_size_times(stride, loop_size(i.offset)));
    else
        a->index.base += i.offset * stride.coef;
}

/* The step along loop axis `axis` in a buffer over `loops`, see ragged.c: none along a plate whose
 * instances rows count. Returns how many places the axis takes. */
static LoopSize add_loop_axis(const Lower *l, Address *a, uint32_t loops, int local, AxisId axis,
                              LoopSize stride, const Env *env) {
    const Schedule *s = l->s;
    AxisId rows = ragged_rows(s, loops, local);
    AxisIndex i = index_of(env, axis);
    if (axis != rows) i.first = 0;
    if (rows == AXIS_NONE || !ir_axis_around(s->ir, axis, rows))
        add_axis(a, i, stride, sweep_over(s, local, axis));
    return ragged_extent(s, loops, local, axis);
}

static const LoopIndex *finish(Lower *l, const Address *a) {
    LoopIndex *out = arena_new_of(l->s->arena, LoopIndex);
    *out = a->index;
    out->term = arena_array(l->s->arena, LoopTerm, a->index.n + 1);
    memcpy(out->term, a->term, sizeof *a->term * (size_t)a->index.n);
    return out;
}

/* In a buffer of the node's own: frame buffers lack the loop axes, sums the lane blocks. */
static const LoopIndex *own_index(Lower *l, const Node *node, bool loops, bool varying, bool blocks,
                                  const Env *env) {
    Schedule *s = l->s;
    Address a = {0};
    LoopSize stride = loop_size(varying ? s->out->lanes : 1);
    if (varying && node->rows && l->many_blocks)
        stride = loop_size_times(stride, loop_size_blocks(l->nest->lane));
    for (int k = node->n_events - 1; k >= 0; k--) {
        add_axis(&a, index_of(env, node->events[k]), stride, -1);
        stride = loop_size_times(stride, loop_size_extent(s->out, node->events[k]));
    }
    for (int k = s->n_loop_axes - 1; loops && k >= 0; k--)
        if (node->loops >> k & 1)
            stride = loop_size_times(stride, add_loop_axis(l, &a, node->loops, node->local,
                                                           s->loop_axes[k], stride, env));
    if (varying && blocks && loops && l->block >= 0)
        add_term(&a, l->block, node->rows ? loop_size(s->out->lanes) : stride);
    return finish(l, &a);
}

/* Row-major over all axes; the lane axis advances by lane_stride. `local`: the sweep whose tile the
 * buffer holds, or -1. */
static const LoopIndex *row_major(Lower *l, const IrOp *op, int local, const Env *env) {
    Schedule *s = l->s;
    Address a = {.index.lane_stride = loop_size(0)};
    LoopSize stride = loop_size(1);
    uint32_t loops = schedule_loops(s, op->axes, op->n_axes);
    for (int k = op->n_axes - 1; k >= 0; k--) {
        AxisId axis = op->axes[k];
        if (axis == l->nest->lane) {
            a.index.lane_stride = stride;
            if (l->block >= 0)
                add_term(&a, l->block, loop_size_times(stride, loop_size(s->out->lanes)));
        } else if (s->loop_bit[axis] >= 0) {
            stride = loop_size_times(stride, add_loop_axis(l, &a, loops, local, axis, stride, env));
            continue;
        } else {
            add_axis(&a, index_of(env, axis), stride, -1);
        }
        stride = loop_size_times(stride, sweep_extent(s, local, axis));
    }
    return finish(l, &a);
}

/* In an input or output. */
static const LoopIndex *caller_index(Lower *l, const IrOp *op, const Env *env) {
    return row_major(l, op, -1, env);
}

/* ---- leaves ---- */

int lower_segment(Lower *l, AxisId axis, bool first, const Env *env) {
    const IrProgram *ir = l->s->ir;
    const char *plate = ir->axes.data[ir_axis_original(ir, axis)].name;
    const char *name = arena_printf(l->s->arena, "%s:%s", plate, first ? "first" : "count");
    for (int i = 0; i < l->s->out->inputs.n; i++) {
        const LoopInput *input = &l->s->out->inputs.data[i];
        if (ir->ops.data[input->op].role != ROLE_SEGMENT || strcmp(input->name, name)) continue;
        return loop_load(&l->code, i, caller_index(l, &ir->ops.data[input->op], env), false);
    }
    internal_error("lower", "no input says how plate %s is cut", ir->axes.data[axis].name);
}

static int read_table(Lower *l, int v, const Env *env) {
    Node *node = &l->s->nodes.data[v];
    const IrOp *op = &node->op;
    const LoopIndex *index = caller_index(l, op, env);
    if (index->n == 0) return loop_number(&l->code, op->table[index->base]);
    if (node->buffer < 0) {
        LoopSize size = loop_size(schedule_event_count(l->s, op->axes, op->n_axes));
        node->buffer =
            schedule_buffer(l->s, (LoopBuffer){.kind = BUFFER_TABLE,
                                               .size = size,
                                               .table = op->table,
                                               .name = arena_printf(l->s->arena, "table%d", v)});
    }
    return loop_load(&l->code, node->buffer, index, false);
}

static int read_leaf(Lower *l, int v, const Env *env) {
    const Node *node = &l->s->nodes.data[v];
    switch (node->op.opcode) {
    case OP_CONST:
        return loop_number(&l->code, node->op.number);
    case OP_TABLE:
        return read_table(l, v, env);
    case OP_EXTENT: {
        if (l->s->ir->axes.data[node->op.axis].ragged)
            return lower_segment(l, node->op.axis, false, env);
        LoopSize extent = loop_size_extent(l->s->out, node->op.axis);
        if (extent.n == 0) return loop_number(&l->code, (double)extent.coef);
        return loop_push(&l->code, (LoopInst){.op = LOOP_total, .integer = extent.factor[0]},
                         LOOP_REAL, false);
    }
    default:
        return loop_load(&l->code, node->input, caller_index(l, &node->op, env), false);
    }
}

/* ---- views ---- */

static int read_view(Lower *l, int v, const Env *env) {
    const IrOp *op = &l->s->nodes.data[v].op;
    int arg = op->args[0];
    Env bound = {.outer = env, .axis = op->axis};
    switch (ir_op_info[op->opcode].rule) {
    case RULE_RENAME:
        bound.index = index_of(env, op->axis2);
        break;
    case RULE_PICK:
        bound.index = index_const(op->index);
        break;
    case RULE_SLICE:
        bound.index = shifted(index_of(env, op->axis2), op->index);
        break;
    case RULE_PLACE: {
        AxisIndex i = index_of(env, op->axis);
        if (op->index < i.low || op->index >= i.high) return READ_ZERO;
        if (i.high != i.low + 1) internal_error("lower", "place straddles a loop");
        return lower_value(l, arg, env);
    }
    case RULE_PAD: {
        bound.index = shifted(index_of(env, op->axis2), -op->index);
        int64_t n = l->s->ir->axes.data[op->axis].extent;
        if (bound.index.high <= 0 || bound.index.low >= n) return READ_ZERO;
        if (bound.index.low < 0 || bound.index.high > n)
            internal_error("lower", "pad straddles a loop");
        break;
    }
    default:
        return lower_value(l, arg, env);
    }
    return lower_value(l, arg, &bound);
}

/* ---- values ---- */

/* Position among the unrolled positions of a node all of whose events are unrolled. */
static int64_t position(const Lower *l, const Node *node, const Env *env) {
    int64_t at = 0;
    for (int i = 0; i < node->n_events; i++)
        at = at * l->s->ir->axes.data[node->events[i]].extent +
             index_of(env, node->events[i]).offset;
    return at;
}

static bool in_registers(const Lower *l, const Node *node) {
    return node->nest == l->number && schedule_in_registers(l->s, node);
}

void lower_remember(Lower *l, int v, const Env *env, int reg) {
    Node *node = &l->s->nodes.data[v];
    bool all = in_registers(l, node);
    if (!node->regs) {
        int64_t n = all ? schedule_event_count(l->s, node->events, node->n_events) : 1;
        node->regs = arena_array(l->s->arena, int, n);
        for (int64_t i = 0; i < n; i++) node->regs[i] = -1;
    }
    node->regs[all ? position(l, node, env) : 0] = reg;
    node->stamp = all ? l->number : l->iteration;
}

static int remembered(const Lower *l, const Node *node, const Env *env) {
    if (!node->regs || node->nest != l->number) return -1;
    if (in_registers(l, node))
        return node->stamp == l->number ? node->regs[position(l, node, env)] : -1;
    return node->stamp == l->iteration ? node->regs[0] : -1;
}

int lower_load_own(Lower *l, int v, const Env *env) {
    const Node *node = &l->s->nodes.data[v];
    if (node->buffer < 0) internal_error("lower", "value %d is nowhere", v);
    if (schedule_plain(l->s, node)) {
        const LoopIndex *index = row_major(l, &node->op, node->local, env);
        if (index->lane_stride.coef) return loop_gather(&l->code, node->buffer, l->block, index);
        return loop_load(&l->code, node->buffer, index, false);
    }
    bool frame = l->s->out->buffers.data[node->buffer].kind == BUFFER_FRAME;
    return loop_load(&l->code, node->buffer, own_index(l, node, !frame, node->varying, true, env),
                     node->varying);
}

/* A number of an input that has the axis of some nest's lanes; in another nest, one of it. */
static int read_input(Lower *l, int v, const Env *env) {
    const Node *node = &l->s->nodes.data[v];
    const LoopIndex *index = caller_index(l, &node->op, env);
    if (node->lane != l->nest->lane) return loop_load(&l->code, node->input, index, false);
    return loop_gather(&l->code, node->input, l->block, index);
}

/* What a zero operand leaves of an operation; false if it must be written out. */
static bool with_zero(Lower *l, IrOpcode opcode, const int *args, int *out) {
    bool a = args[0] == READ_ZERO, b = args[1] == READ_ZERO;
    switch (opcode) {
    case OP_ADD:
        *out = a ? args[1] : args[0];
        return a || b;
    case OP_SUB:
        if (b)
            *out = args[0];
        else if (a)
            *out = loop_point(&l->code, OP_NEG, &args[1]);
        return a || b;
    case OP_MUL:
        *out = READ_ZERO;
        return a || b;
    case OP_NEG:
    case OP_STOP_GRADIENT:
        *out = READ_ZERO;
        return a;
    default:
        return false;
    }
}

int lower_compute(Lower *l, int v, const Env *env) {
    const IrOp *op = &l->s->nodes.data[v].op;
    if (op->opcode == OP_INPUT) return read_input(l, v, env);
    int args[3] = {0}, out = READ_ZERO;
    for (int i = 0; i < op->n_args; i++) args[i] = lower_value(l, op->args[i], env);
    if (with_zero(l, op->opcode, args, &out)) return out;
    for (int i = 0; i < op->n_args; i++)
        if (args[i] == READ_ZERO) args[i] = loop_number(&l->code, 0);
    return loop_point(&l->code, op->opcode, args);
}

int lower_value(Lower *l, int v, const Env *env) {
    const Node *node = &l->s->nodes.data[v];
    if (node->class == NODE_LEAF) return read_leaf(l, v, env);
    if (node->class == NODE_VIEW) return read_view(l, v, env);
    if (node->inlined || schedule_elsewhere(node, l->nest->lane)) return lower_compute(l, v, env);
    int reg = remembered(l, node, env);
    return reg >= 0 ? reg : lower_load_own(l, v, env);
}

int lower_number(Lower *l, int reg) {
    if (reg == READ_ZERO) return loop_number(&l->code, 0);
    if (l->code.nest->regs.data[reg].type != LOOP_MASK) return reg;
    int one = loop_number(&l->code, 1);
    return loop_emit(&l->code, LOOP_select, reg, one, loop_number(&l->code, 0));
}

/* ---- stores ---- */

static int to_store(Lower *l, const Node *node, int reg) {
    reg = lower_number(l, reg);
    return node->varying ? loop_varying(&l->code, reg) : reg;
}

static void scatter(Lower *l, int buffer, const LoopIndex *index, int reg) {
    vec_push(l->s->arena, &l->code.nest->code,
             (LoopInst){.op = LOOP_scatter,
                        .dst = -1,
                        .arg = {reg},
                        .buffer = buffer,
                        .integer = l->block,
                        .index = index});
}

void lower_store(Lower *l, int v, const Env *env, int reg) {
    const Node *node = &l->s->nodes.data[v];
    bool frame = l->s->out->buffers.data[node->buffer].kind == BUFFER_FRAME;
    if (node->plain) {
        scatter(l, node->buffer, row_major(l, &node->op, node->local, env), to_store(l, node, reg));
        return;
    }
    loop_store(&l->code, node->buffer, own_index(l, node, !frame, node->varying, true, env),
               to_store(l, node, reg));
}

void lower_store_sums(Lower *l, int v, const Env *env, int reg) {
    const Node *node = &l->s->nodes.data[v];
    loop_store(&l->code, node->sums, own_index(l, node, true, true, false, env),
               loop_varying(&l->code, reg));
}

int lower_load_sums(Lower *l, int v, const Env *env) {
    const Node *node = &l->s->nodes.data[v];
    return loop_load(&l->code, node->sums, own_index(l, node, true, true, false, env), true);
}

void lower_output(Lower *l, int v, const Env *env, int reg) {
    const Node *node = &l->s->nodes.data[v];
    int buffer = l->s->out->inputs.n + node->output;
    const LoopIndex *index = caller_index(l, &node->op, env);
    reg = to_store(l, node, reg);
    if (!node->varying) {
        loop_store(&l->code, buffer, index, reg);
        return;
    }
    scatter(l, buffer, index, reg);
}

/* ---- stretches ---- */

/* Positions in (0, extent) where a loop along the axis must be cut. */
typedef struct Cuts {
    int64_t extent;
    bool *at;
} Cuts;

static void cut(Cuts *cuts, int64_t at) {
    if (at > 0 && at < cuts->extent) cuts->at[at] = true;
}

/* `axis`, at the node's own point, is the axis in question plus `offset`. */
static void find_cuts(Lower *l, int v, AxisId axis, int64_t offset, Cuts *cuts) {
    const Node *node = &l->s->nodes.data[v];
    const IrOp *op = &node->op;
    if (node->class != NODE_VIEW) {
        if (node->inlined)
            for (int i = 0; i < op->n_args; i++) find_cuts(l, op->args[i], axis, offset, cuts);
        return;
    }
    switch (ir_op_info[op->opcode].rule) {
    case RULE_RENAME:
    case RULE_SLICE:
        if (op->axis == axis) return;
        if (op->axis2 != axis) break;
        axis = op->axis;
        if (ir_op_info[op->opcode].rule == RULE_SLICE) offset += op->index;
        break;
    case RULE_PICK:
        if (op->axis == axis) return;
        break;
    case RULE_PLACE:
        if (op->axis != axis) break;
        cut(cuts, op->index - offset);
        cut(cuts, op->index + 1 - offset);
        return;
    case RULE_PAD: {
        if (op->axis == axis) return;
        if (op->axis2 != axis) break;
        int64_t n = l->s->ir->axes.data[op->axis].extent;
        int64_t step = l->s->unrolled[op->axis] ? 1 : n; /* unrolled: constant indices only */
        for (int64_t k = 0; k <= n; k += step) cut(cuts, op->index + k - offset);
        axis = op->axis;
        offset -= op->index;
        break;
    }
    default:
        break;
    }
    find_cuts(l, op->args[0], axis, offset, cuts);
}

int lower_stretches(Lower *l, const int *nodes, int n, AxisId axis, Stretch **stretches) {
    int64_t extent = l->s->ir->axes.data[axis].extent;
    Cuts cuts = {.extent = extent, .at = arena_array(l->s->arena, bool, extent + 1)};
    if (l->s->unrolled[axis])
        memset(cuts.at, true, (size_t)extent);
    else
        for (int i = 0; i < n; i++) {
            const IrOp *op = &l->s->nodes.data[nodes[i]].op;
            for (int k = 0; k < op->n_args; k++) find_cuts(l, op->args[k], axis, 0, &cuts);
        }
    *stretches = arena_array(l->s->arena, Stretch, extent);
    int found = 0;
    for (int64_t low = 0, high; low < extent; low = high) {
        for (high = low + 1; high < extent && !cuts.at[high];) high++;
        (*stretches)[found++] = (Stretch){low, high};
    }
    return found;
}
