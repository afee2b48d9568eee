/* schedule.c -- decides what is computed where: classes of nodes, nests, groups, storage. See
 * schedule.h.
 *
 * Order of decisions: nodes and their axes; sweeps; swallowed producers; nests; groups; who is read
 * from where; buffers. Everything is greedy and linear in the number of operations and nests.
 */
#include "opt/schedule.h"
#include "opt/sweep.h"
#include "runtime/gemm.h"

enum { UNROLL = 4, UNROLL_POINTS = 16, FUSED_CONTRACT = 8, MANY_INSTANCES = 8 };
enum { FRAME_NUMBERS = 4096 }; /* 16 KiB of float: half of a common L1 cache */

Base schedule_base(const Schedule *s, int v) {
    Base base = {v, true, true, 0};
    while (s->nodes.data[base.node].class == NODE_VIEW) {
        const Node *node = &s->nodes.data[base.node];
        IrRule rule = ir_op_info[node->op.opcode].rule;
        bool moves = rule == RULE_RENAME || rule == RULE_PICK || rule == RULE_PLACE ||
                     rule == RULE_SLICE || rule == RULE_PAD;
        if (moves && s->loop_bit[node->op.axis] >= 0) {
            base.same_loops = false;
            base.moved |= UINT32_C(1) << s->loop_bit[node->op.axis];
        } else if (moves)
            base.same_events = false;
        base.node = node->op.args[0];
    }
    return base;
}

void schedule_reads(Schedule *s, int reader, int v, ScheduleVisit *visit) {
    const IrOp *op = &s->nodes.data[v].op;
    for (int i = 0; i < op->n_args; i++) {
        Base base = schedule_base(s, op->args[i]);
        const Node *node = &s->nodes.data[base.node];
        if (node->class == NODE_LEAF) continue;
        if (node->inlined)
            schedule_reads(s, reader, base.node, visit);
        else
            visit(s, reader, base);
    }
}

bool schedule_lane_reduced(const Node *node) {
    return node->class == NODE_REDUCE && node->lane != AXIS_NONE && !node->varying;
}

bool schedule_many_blocks(const Schedule *s, AxisId lane) {
    return lane != AXIS_NONE && s->ir->axes.data[lane].kind != AXIS_DATA;
}

bool schedule_plain(const Schedule *s, const Node *node) {
    if (s->out->buffers.data[node->buffer].kind == BUFFER_FRAME) return false;
    return node->plain || (!node->varying && s->plate_lane != AXIS_NONE);
}

int64_t schedule_event_count(const Schedule *s, const AxisId *axes, int n) {
    int64_t count = 1;
    for (int i = 0; i < n; i++) count *= s->ir->axes.data[axes[i]].extent;
    return count;
}

bool schedule_in_registers(const Schedule *s, const Node *node) {
    for (int i = 0; i < node->n_events; i++)
        if (!s->unrolled[node->events[i]]) return false;
    return true;
}

int schedule_buffer(Schedule *s, LoopBuffer buffer) {
    vec_push(s->arena, &s->out->buffers, buffer);
    return s->out->buffers.n - 1;
}

/* ---- axes ---- */

/* Lanes along a plate serve where no copy of the axis meets them and no random numbers lie along
 * them. */
static AxisId lane_axis(const IrProgram *ir, const char *name) {
    AxisId axis = name ? ir_axis_find(ir, name) : AXIS_NONE;
    if (axis == AXIS_NONE || ir->axes.data[axis].kind == AXIS_EVENT) return AXIS_NONE;
    if (ragged_related(ir, axis)) return AXIS_NONE;
    for (int i = 0; i < ir->axes.n; i++)
        if (ir->axes.data[i].copy_of == axis || ir->axes.data[axis].copy_of != AXIS_NONE)
            return AXIS_NONE;
    for (int i = 0; i < ir->ops.n && ir->axes.data[axis].kind == AXIS_PLATE; i++)
        if (ir_op_info[ir->ops.data[i].opcode].rule == RULE_RANDOM && ir_has_axis(ir, i, axis))
            return AXIS_NONE;
    return axis;
}

static void find_loop_axes(Schedule *s) {
    int n = s->ir->axes.n;
    s->loop_bit = arena_array(s->arena, int8_t, n + 1);
    AxisId axes[IR_MAX_AXES * 4];
    int found = 0;
    for (int i = 0; i < n; i++) {
        AxisKind kind = s->ir->axes.data[i].kind;
        s->loop_bit[i] = -1;
        if ((kind == AXIS_DRAW || kind == AXIS_PLATE) && i != s->out->lane) {
            if (found == 32) internal_error("schedule", "more than 32 plates");
            axes[found++] = i;
        }
    }
    found = ir_axes_sort(s->ir, axes, found);
    for (int i = 0; i < found; i++) {
        s->loop_axes[i] = axes[i];
        s->loop_bit[axes[i]] = (int8_t)i;
    }
    s->n_loop_axes = found;
}

uint32_t schedule_loops(const Schedule *s, const AxisId *axes, int n) {
    uint32_t loops = 0;
    for (int i = 0; i < n; i++)
        if (s->loop_bit[axes[i]] >= 0) loops |= UINT32_C(1) << s->loop_bit[axes[i]];
    return loops;
}

static bool is_event(const Schedule *s, AxisId axis) {
    return s->ir->axes.data[axis].kind == AXIS_EVENT;
}

/* All of `axes` but that of the lanes. */
static void add_axes(Schedule *s, const AxisId *axes, int n, AxisId lane, uint32_t *loops,
                     AxisId *events, int *n_events) {
    for (int i = 0; i < n; i++) {
        if (axes[i] == lane || axes[i] == s->out->lane) continue;
        if (s->loop_bit[axes[i]] >= 0)
            *loops |= UINT32_C(1) << s->loop_bit[axes[i]];
        else if (is_event(s, axes[i]))
            events[(*n_events)++] = axes[i];
    }
}

static bool iterates(const Node *node, AxisId axis) {
    const IrOp *op = &node->op;
    bool reduces = node->class == NODE_REDUCE && ir_axis_among(op->over, op->n_over, axis);
    return reduces || ir_axis_among(op->axes, op->n_axes, axis);
}

static AxisId lane_of(const Schedule *s, const Node *node) {
    bool computes = node->class == NODE_POINT || node->class == NODE_REDUCE;
    if (iterates(node, s->out->lane)) return s->out->lane;
    return computes && iterates(node, s->plate_lane) ? s->plate_lane : AXIS_NONE;
}

static void set_axes(Schedule *s, Node *node) {
    const IrOp *op = &node->op;
    node->lane = lane_of(s, node);
    node->varying = ir_axis_among(op->axes, op->n_axes, node->lane);
    add_axes(s, op->axes, op->n_axes, node->lane, &node->loops, node->events, &node->n_events);
    node->space = node->loops;
    memcpy(node->space_events, node->events, sizeof node->events);
    node->n_space_events = node->n_events;
    if (node->class == NODE_REDUCE)
        add_axes(s, op->over, op->n_over, node->lane, &node->space, node->space_events,
                 &node->n_space_events);
}

/* ---- nodes ---- */

static NodeClass class_of(const Schedule *s, const IrOp *op) {
    switch (ir_op_info[op->opcode].rule) {
    case RULE_LEAF:
        if (op->opcode == OP_INPUT && (ir_axis_among(op->axes, op->n_axes, s->out->lane) ||
                                       ir_axis_among(op->axes, op->n_axes, s->plate_lane)))
            return NODE_POINT; /* gathered */
        return NODE_LEAF;
    case RULE_POINT:
        return op->opcode == OP_STOP_GRADIENT ? NODE_VIEW : NODE_POINT;
    case RULE_REDUCE:
    case RULE_CONTRACT:
        return NODE_REDUCE;
    case RULE_RANDOM:
        return NODE_RANDOM;
    default:
        return NODE_VIEW;
    }
}

static int add_node(Schedule *s, IrOp op, NodeClass class) {
    Node node = {.op = op,
                 .class = class,
                 .input = -1,
                 .output = -1,
                 .buffer = -1,
                 .sums = -1,
                 .sweep = -1,
                 .nest = -1,
                 .group = -1,
                 .user = -1,
                 .stamp = -1};
    set_axes(s, &node);
    vec_push(s->arena, &s->nodes, node);
    return s->nodes.n - 1;
}

static int add_copy(Schedule *s, int of) {
    IrOp op = s->nodes.data[of].op;
    op.opcode = OP_STOP_GRADIENT;
    op.n_args = 1;
    op.args[0] = of;
    return add_node(s, op, NODE_POINT);
}

static int input_number(const LoopProgram *out, int op) {
    for (int i = 0; i < out->inputs.n; i++)
        if (out->inputs.data[i].op == op) return i;
    return -1;
}

void schedule_mark_live(Schedule *s) {
    for (int i = 0; i < s->nodes.n; i++) s->nodes.data[i].live = false;
    for (int i = s->nodes.n - 1; i >= 0; i--) {
        Node *node = &s->nodes.data[i];
        if (node->output >= 0) node->live = true;
        if (!node->live) continue;
        for (int k = 0; k < node->op.n_args; k++) s->nodes.data[node->op.args[k]].live = true;
    }
}

/* Random sources come first: they wait for nothing, and nests after them can fuse. */
static void add_nodes(Schedule *s) {
    const IrProgram *ir = s->ir;
    int *map = arena_array(s->arena, int, ir->ops.n + 1);
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < ir->ops.n; i++) {
            IrOp op = ir->ops.data[i];
            if ((op.opcode == OP_RANDOM) != (pass == 0)) continue;
            for (int k = 0; k < op.n_args; k++) op.args[k] = map[op.args[k]];
            for (int k = 0; ir_op_info[op.opcode].rule == RULE_RANDOM && k < op.n_args; k++) {
                op.args[k] = add_copy(s, op.args[k]);
                s->nodes.data[op.args[k]].rows = s->nodes.data[op.args[k]].shared = true;
            }
            map[i] = add_node(s, op, class_of(s, &op));
            s->nodes.data[map[i]].input = input_number(s->out, i);
        }
    for (int i = 0; i < ir->outputs.n; i++) {
        int copy = add_copy(s, map[ir->outputs.data[i].value]);
        s->nodes.data[copy].output = i;
    }
    schedule_mark_live(s);
}

/* An axis is unrolled if it is short and single positions of it are asked for (picks and places
 * then cost nothing), unless some operation sweeps too many short axes at once; and if what is read
 * along it (renames, slices) is unrolled too, for registers have no run-time index. */
static void choose_unrolled(Schedule *s) {
    const IrProgram *ir = s->ir;
    s->unrolled = arena_array(s->arena, bool, ir->axes.n + 1);
    for (int i = 0; i < ir->axes.n; i++)
        s->unrolled[i] = is_event(s, i) && ir->axes.data[i].extent == 1;
    for (int i = 0; i < s->nodes.n; i++) {
        const IrOp *op = &s->nodes.data[i].op;
        IrRule rule = ir_op_info[op->opcode].rule;
        bool both = rule == RULE_SLICE || rule == RULE_PAD;
        if (rule != RULE_PICK && rule != RULE_PLACE && !both) continue;
        for (int k = 0; k <= both; k++) {
            AxisId axis = k ? op->axis2 : op->axis;
            if (is_event(s, axis) && ir->axes.data[axis].extent <= UNROLL) s->unrolled[axis] = true;
        }
    }
    for (int i = 0; i < s->nodes.n; i++) {
        const Node *node = &s->nodes.data[i];
        int64_t points = 1;
        for (int k = node->n_space_events - 1; k >= 0; k--) {
            AxisId axis = node->space_events[k];
            if (!s->unrolled[axis]) continue;
            points *= ir->axes.data[axis].extent;
            if (points <= UNROLL_POINTS) continue;
            points /= ir->axes.data[axis].extent;
            s->unrolled[axis] = false;
        }
    }
    for (bool again = true; again;) {
        again = false;
        for (int i = 0; i < s->nodes.n; i++) {
            const IrOp *op = &s->nodes.data[i].op;
            IrRule rule = ir_op_info[op->opcode].rule;
            if (rule != RULE_RENAME && rule != RULE_SLICE) continue;
            if (!s->unrolled[op->axis2] && s->unrolled[op->axis] && is_event(s, op->axis)) {
                s->unrolled[op->axis] = false;
                again = true;
            }
        }
    }
}

/* ---- nests ---- */

/* Whether `b` is there at the same point of the nest that computes it. */
static bool pointwise_in_nest(const Schedule *s, const Node *reader, Base read) {
    const Node *b = &s->nodes.data[read.node];
    return b->class != NODE_RANDOM && s->nests.data[b->nest].kind == NEST_POINT &&
           b->space == reader->space && b->lane == reader->lane && b->loops == b->space &&
           !schedule_lane_reduced(b) && read.same_loops;
}

static int new_nest(Schedule *s, NestKind kind, const Node *node) {
    Nest nest = {.kind = kind,
                 .sweep = node->sweep,
                 .segment = node->segment,
                 .space = node->space,
                 .lane = node->lane};
    vec_push(s->arena, &s->nests, nest);
    return s->nests.n - 1;
}

/* Big products over instances (weights' gradients, pooling) are kernels: their loops run inside the
 * event axes, so that sums stay in registers. */
bool schedule_is_kernel(const Schedule *s, const Node *node) {
    return node->op.opcode == OP_CONTRACT &&
           (node->space != node->loops || schedule_lane_reduced(node)) &&
           schedule_event_count(s, node->events, node->n_events) > FUSED_CONTRACT;
}

/* ---- producers that are computed where they are read ---- */

static bool same_axes(const AxisId *a, int n, const AxisId *b, int m) {
    return n == m && !memcmp(a, b, sizeof *a * (size_t)n);
}

static void count_uses(Schedule *s) {
    for (int v = 0; v < s->nodes.n; v++) {
        if (!schedule_computes(&s->nodes.data[v])) continue;
        for (int i = 0; i < s->nodes.data[v].op.n_args; i++) {
            Node *b = &s->nodes.data[schedule_base(s, s->nodes.data[v].op.args[i]).node];
            b->n_uses++;
            b->user = v;
        }
    }
}

/* A producer that a single reduction reads, element by element once, is computed there. */
static void choose_inlined(Schedule *s) {
    for (int v = s->nodes.n - 1; v >= 0; v--) {
        Node *node = &s->nodes.data[v];
        if (!schedule_computes(node) || node->class != NODE_POINT || node->n_uses != 1) continue;
        if (node->output >= 0 || node->shared) continue;
        const Node *user = &s->nodes.data[node->user];
        bool reduces = user->class == NODE_REDUCE && !user->gemm && !schedule_is_kernel(s, user);
        if (!reduces && !user->inlined) continue;
        if (user->segment != node->segment || user->space != node->space ||
            user->lane != node->lane)
            continue;
        if (schedule_event_count(s, node->events, node->n_events) !=
            schedule_event_count(s, user->space_events, user->n_space_events))
            continue;
        bool same = true;
        for (int i = 0; i < user->op.n_args; i++) {
            Base read = schedule_base(s, user->op.args[i]);
            if (read.node == v) same = read.same_events && read.same_loops;
        }
        node->inlined = same;
    }
}

/* ---- nodes into nests ---- */

static void note_bound(Schedule *s, int reader, Base read) {
    const Node *b = &s->nodes.data[read.node];
    if (schedule_elsewhere(b, s->nodes.data[reader].lane)) return;
    int after = b->nest + !pointwise_in_nest(s, &s->nodes.data[reader], read);
    if (after > s->bound) s->bound = after;
}

static bool joins(const Nest *nest, const Node *node) {
    return nest->kind == NEST_POINT && nest->segment == node->segment &&
           nest->space == node->space && nest->lane == node->lane;
}

static void place_in_nest(Schedule *s, int v) {
    Node *node = &s->nodes.data[v];
    if (node->gemm) node->gemm = schedule_gemm(s, v); /* nodes have moved since */
    s->bound = 0;
    schedule_reads(s, v, v, note_bound);
    int nest = s->bound;
    if (node->class == NODE_RANDOM)
        nest = new_nest(s, NEST_FILL, node);
    else if (node->gemm)
        nest = new_nest(s, NEST_GEMM, node);
    else if (schedule_is_kernel(s, node))
        nest = new_nest(s, NEST_KERNEL, node);
    else {
        while (nest < s->nests.n && !joins(&s->nests.data[nest], node)) nest++;
        if (nest == s->nests.n) nest = new_nest(s, NEST_POINT, node);
    }
    node->nest = nest;
    vec_push(s->arena, &s->nests.data[nest].nodes, v);
}

/* ---- groups ---- */

/* Whether a reduction has its result once its own loops end, so that what is done to each number of
 * it can follow at once. */
static bool completes(const Node *node) {
    return node->class == NODE_REDUCE && node->space == node->loops && !schedule_lane_reduced(node);
}

static int group_bound(Schedule *s, const Node *node, int v) {
    int bound = 0;
    for (int i = 0; i < s->nodes.data[v].op.n_args; i++) {
        Base read = schedule_base(s, s->nodes.data[v].op.args[i]);
        const Node *b = &s->nodes.data[read.node];
        if (b->class == NODE_LEAF || b->nest != node->nest) continue;
        bool same = (b->class == NODE_POINT || completes(b)) && read.same_events &&
                    same_axes(b->events, b->n_events, node->events, node->n_events);
        int after = b->group + !same;
        if (after > bound) bound = after;
    }
    return bound;
}

/* Whether `v` reads a number that the group has just computed. */
static bool reads_group(const Schedule *s, int v, int group) {
    const Node *node = &s->nodes.data[v];
    for (int i = 0; i < node->op.n_args; i++) {
        const Node *b = &s->nodes.data[schedule_base(s, node->op.args[i]).node];
        if (b->class != NODE_LEAF && b->nest == node->nest && b->group == group) return true;
    }
    return false;
}

static void place_in_group(Schedule *s, int v) {
    Node *node = &s->nodes.data[v];
    Nest *nest = &s->nests.data[node->nest];
    int group = nest->groups.n;
    if (node->class == NODE_POINT) {
        group = group_bound(s, node, v);
        while (group < nest->groups.n) {
            const Group *g = &nest->groups.data[group];
            bool joinable = !g->reduce || (completes(&s->nodes.data[g->nodes.data[0]]) &&
                                           reads_group(s, v, group));
            if (joinable && same_axes(g->events, g->n_events, node->events, node->n_events)) break;
            group++;
        }
    }
    if (group == nest->groups.n) {
        AxisId *events = arena_array(s->arena, AxisId, node->n_events + 1);
        memcpy(events, node->events, sizeof *events * (size_t)node->n_events);
        Group g = {
            .reduce = node->class == NODE_REDUCE, .n_events = node->n_events, .events = events};
        vec_push(s->arena, &nest->groups, g);
    }
    node->group = group;
    vec_push(s->arena, &nest->groups.data[group].nodes, v);
}

/* ---- storage ---- */

static void note_read(Schedule *s, int reader, Base read) {
    const Node *r = &s->nodes.data[reader];
    Node *b = &s->nodes.data[read.node];
    if (schedule_elsewhere(b, r->lane)) return;
    if (b->varying && b->lane != r->lane) b->plain = true;
    if (b->nest != r->nest)
        b->shared = true;
    else if (b->group != r->group)
        b->kept = true;
    if (b->nest == r->nest && r->group > b->last_group) b->last_group = r->group;
    b->local = sweep_common(s, b->local, r->sweep);
}

/* Once `local` is known. */
static void note_life(Schedule *s, int reader, Base read) {
    Node *b = &s->nodes.data[read.node];
    if (schedule_elsewhere(b, s->nodes.data[reader].lane)) return;
    sweep_lifetime(s, b->local, s->nodes.data[reader].nest, &b->first_nest, &b->last_nest);
}

static void start_life(Schedule *s, Node *node) {
    int summed = sweep_summed(s, node);
    node->local = summed >= 0 ? s->out->sweeps.data[summed].outer : node->sweep;
    node->first_nest = node->last_nest = node->nest;
}

static LoopSize loops_size(const Schedule *s, const Node *node) {
    LoopSize size = loop_size(1);
    for (int i = 0; i < s->n_loop_axes; i++) {
        if (node->loops >> i & 1 || (node->plain && s->loop_axes[i] == node->lane))
            size =
                loop_size_times(size, ragged_extent(s, node->loops, node->local, s->loop_axes[i]));
    }
    return size;
}

static LoopSize node_size(const Schedule *s, const Node *node, bool with_loops) {
    LoopSize size = loop_size(schedule_event_count(s, node->events, node->n_events));
    bool lanes = node->varying && !node->plain;
    if (lanes) size.coef *= s->out->lanes;
    if (!with_loops) return size;
    if (lanes && schedule_many_blocks(s, node->lane))
        size = loop_size_times(size, loop_size_blocks(node->lane));
    return loop_size_times(size, loops_size(s, node));
}

/* A reduced result that only an output wants goes there at once: the layouts agree. */
static bool reduces_to_output(Schedule *s, Node *node) {
    if (node->varying || node->n_uses != 1) return false;
    if (node->space == node->loops && !schedule_lane_reduced(node)) return false;
    Node *user = &s->nodes.data[node->user];
    if (user->output < 0 || &s->nodes.data[user->op.args[0]] != node) return false;
    node->buffer = s->out->inputs.n + user->output;
    node->local = -1;
    user->live = false;
    return true;
}

static const char *node_name(const Schedule *s, int v) {
    const IrOp *op = &s->nodes.data[v].op;
    if (op->name) return arena_printf(s->arena, "%s", op->name);
    return arena_printf(s->arena, "%s%d", ir_op_info[op->opcode].text, v);
}

/* What may be replaced is replaced where it lies. */
static void share_storage(Schedule *s, Node *node, const Node *of) {
    LoopBuffer *buffer = &s->out->buffers.data[of->buffer];
    node->shared = node->rows = true;
    node->buffer = of->buffer;
    buffer->name = node->op.name;
    if (buffer->last < node->last_nest) buffer->last = node->last_nest;
}

static void choose_storage(Schedule *s, int v) {
    Node *node = &s->nodes.data[v];
    bool reduced =
        node->class == NODE_REDUCE && (node->space != node->loops || schedule_lane_reduced(node));
    bool to_output = reduced && reduces_to_output(s, node);
    int first = node->nest, last = node->nest; /* of what is there for the nest alone */
    sweep_lifetime(s, node->local, node->nest, &first, &last);
    if (node->gemm) {
        int64_t room = AV_GEMM_ROW * (node->gemm->x.n + node->gemm->y.n);
        node->sums = schedule_buffer(s, (LoopBuffer){.kind = BUFFER_SCRATCH,
                                                     .size = loop_size(room),
                                                     .name = arena_printf(s->arena, "panels%d", v),
                                                     .first = first,
                                                     .last = last});
    } else if (schedule_lane_reduced(node)) {
        Node sums = *node;
        sums.varying = true;
        LoopSize size = loop_size_times(node_size(s, &sums, false), loops_size(s, node));
        node->sums = schedule_buffer(s, (LoopBuffer){.kind = BUFFER_SCRATCH,
                                                     .size = size,
                                                     .name = arena_printf(s->arena, "lanes%d", v),
                                                     .first = first,
                                                     .last = last});
    }
    if (to_output) return;
    if (node->op.opcode == OP_GIVEN) {
        share_storage(s, node, &s->nodes.data[node->op.args[0]]);
    } else if (reduced || node->class == NODE_RANDOM || node->shared || node->gemm) {
        node->shared = true;
        if (node->class == NODE_RANDOM) node->rows = true;
        node->buffer = schedule_buffer(s, (LoopBuffer){.kind = BUFFER_SCRATCH,
                                                       .size = node_size(s, node, true),
                                                       .name = node_name(s, v),
                                                       .first = node->first_nest,
                                                       .last = node->last_nest});
    } else if (node->kept && !schedule_in_registers(s, node)) {
        node->buffer = schedule_buffer(s, (LoopBuffer){.kind = BUFFER_FRAME,
                                                       .size = node_size(s, node, false),
                                                       .name = node_name(s, v),
                                                       .first = node->group,
                                                       .last = node->last_group});
    }
}

/* ---- the whole ---- */

static void list_inputs(Schedule *s) {
    const IrProgram *ir = s->ir;
    for (int random = 0; random < 2; random++)
        for (int i = 0; i < ir->ops.n; i++) {
            const IrOp *op = &ir->ops.data[i];
            bool drawn = ir_op_info[op->opcode].rule == RULE_RANDOM;
            if (drawn ? !random : random || op->opcode != OP_INPUT) continue;
            vec_push(s->arena, &s->out->inputs, (LoopInput){op->name, i});
        }
    /* buffers: inputs, then outputs, then all others */
    for (int i = 0; i < s->out->inputs.n; i++)
        schedule_buffer(
            s,
            (LoopBuffer){.kind = BUFFER_INPUT, .name = s->out->inputs.data[i].name, .number = i});
    for (int i = 0; i < ir->outputs.n; i++) {
        const IrOp *op = &ir->ops.data[ir->outputs.data[i].value];
        LoopSize size = loop_size(1);
        uint32_t loops = schedule_loops(s, op->axes, op->n_axes);
        for (int k = 0; k < op->n_axes; k++)
            size = loop_size_times(size, ragged_extent(s, loops, -1, op->axes[k]));
        schedule_buffer(s, (LoopBuffer){.kind = BUFFER_OUTPUT,
                                        .name = ir->outputs.data[i].name,
                                        .number = i,
                                        .size = size});
    }
}

/* Frame buffers of a nest; returns their number. */
static int frame_buffers(const Schedule *s, const Nest *nest, int *list) {
    int found = 0;
    for (int i = 0; i < nest->nodes.n; i++) {
        int buffer = s->nodes.data[nest->nodes.data[i]].buffer;
        if (buffer >= 0 && s->out->buffers.data[buffer].kind == BUFFER_FRAME)
            list[found++] = buffer;
    }
    return found;
}

/* How many instances a nest computes at once: several, where an instance is a chain of groups,
 * there are enough, and the frames of all leave most of the nearest cache to what they read. */
static int choose_copies(const Schedule *s, const Nest *nest, int64_t frame) {
    bool chain = nest->kind == NEST_POINT && nest->lane != AXIS_NONE && nest->groups.n > 1;
    int64_t instances = 1;
    for (int i = 0; i < s->n_loop_axes; i++)
        if (nest->space >> i & 1) instances *= sweep_usual(s, s->loop_axes[i]);
    bool fits = chain && instances >= MANY_INSTANCES && frame * s->copies <= FRAME_NUMBERS;
    return fits ? s->copies : 1;
}

/* Gives each nest its copies and its frame. */
static int64_t plan_frames(Schedule *s) {
    int64_t largest = 0;
    int *list = arena_array(s->arena, int, s->out->buffers.n + 1);
    for (int n = 0; n < s->nests.n; n++) {
        Nest *nest = &s->nests.data[n];
        int found = frame_buffers(s, nest, list);
        int64_t frame = plan_frame(s->out, list, found);
        nest->copies = choose_copies(s, nest, frame);
        if (nest->copies > 1) {
            for (int i = 0; i < found; i++) s->out->buffers.data[list[i]].size.coef *= nest->copies;
            frame = plan_frame(s->out, list, found);
        }
        if (frame > largest) largest = frame;
    }
    return largest;
}

LoopProgram *schedule(Arena *arena, const IrProgram *ir, const ScheduleOptions *options) {
    LoopProgram *out = arena_new_of(arena, LoopProgram);
    ir = ragged_inputs(arena, ir);
    Schedule *s = &(Schedule){
        .arena = arena, .ir = ir, .out = out, .blas = options->blas, .keep = options->keep};
    s->tile = options->tile ? options->tile : TILE_NUMBERS;
    s->copies = options->copies ? (int)options->copies : COPIES;
    out->name = ir->name;
    out->ir = ir;
    out->f64 = options->f64;
    out->lane = options->lanes > 1 ? lane_axis(ir, options->lane_axis) : AXIS_NONE;
    out->lanes = out->lane == AXIS_NONE ? 1 : options->lanes;
    bool data = out->lane != AXIS_NONE && ir->axes.data[out->lane].kind == AXIS_DATA;
    out->chunk = data ? out->lanes : 1;
    find_loop_axes(s);
    s->plate_lane = options->no_plate_lanes ? AXIS_NONE : schedule_plate_lanes(s);
    list_inputs(s);
    add_nodes(s);
    choose_unrolled(s);
    for (int v = 0; v < s->nodes.n; v++)
        if (schedule_computes(&s->nodes.data[v])) s->nodes.data[v].gemm = schedule_gemm(s, v);
    sweep_plan(s);
    count_uses(s);
    choose_inlined(s);
    for (int v = 0; v < s->nodes.n; v++)
        if (schedule_computes(&s->nodes.data[v]) && !s->nodes.data[v].inlined) place_in_nest(s, v);
    sweep_measure(s);
    for (int v = 0; v < s->nodes.n; v++)
        if (schedule_computes(&s->nodes.data[v]) && !s->nodes.data[v].inlined) place_in_group(s, v);
    for (int v = 0; v < s->nodes.n; v++)
        if (schedule_computes(&s->nodes.data[v]) && !s->nodes.data[v].inlined)
            start_life(s, &s->nodes.data[v]);
    for (int v = 0; v < s->nodes.n; v++)
        if (schedule_computes(&s->nodes.data[v]) && !s->nodes.data[v].inlined)
            schedule_reads(s, v, v, note_read);
    for (int v = 0; v < s->nodes.n; v++) {
        Node *node = &s->nodes.data[v];
        if (!schedule_computes(node) || node->inlined) continue;
        sweep_lifetime(s, node->local, node->nest, &node->first_nest, &node->last_nest);
        schedule_reads(s, v, v, note_life);
    }
    for (int v = 0; v < s->nodes.n; v++)
        if (schedule_computes(&s->nodes.data[v]) && !s->nodes.data[v].inlined) choose_storage(s, v);
    int64_t frame = plan_frames(s);
    lower_all(s);
    plan_scratch(s->arena, s->out, frame);
    return out;
}
