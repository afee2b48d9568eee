/* lower.c -- writes the instructions of a nest: its loops, its groups, the start and end of its
 * reductions, and the description of random fills. See schedule.h and lower.h. */
#include "opt/lower.h"

#include <math.h>

/* ---- groups ---- */

AxisIndex lower_open_stretch(Lower *l, int64_t low, int64_t high) {
    int var = loop_begin(&l->code, loop_size(high - low));
    return (AxisIndex){.var = var, .scale = 1, .offset = low, .low = low, .high = high};
}

void lower_points(Lower *l, const int *nodes, int n, const Env *env) {
    for (int i = 0; i < n; i++) {
        int v = nodes[i];
        const Node *node = &l->s->nodes.data[v];
        if (!node->live) continue;
        int reg = lower_compute(l, v, env);
        if (reg == READ_ZERO) reg = lower_number(l, reg);
        lower_remember(l, v, env, reg);
        if (node->buffer >= 0) lower_store(l, v, env, reg);
        if (node->output >= 0) lower_output(l, v, env, reg);
    }
}

static void point_axes(Lower *l, const Group *g, int k, const Env *env) {
    if (k == g->n_events) {
        l->iteration--;
        lower_points(l, g->nodes.data, g->nodes.n, env);
        return;
    }
    Stretch *stretch;
    int n = lower_stretches(l, g->nodes.data, g->nodes.n, g->events[k], &stretch);
    for (int i = 0; i < n; i++) {
        int64_t low = stretch[i].low, high = stretch[i].high;
        bool loop = high - low > 1;
        AxisIndex index = index_const(low);
        if (loop) index = lower_open_stretch(l, low, high);
        point_axes(l, g, k + 1, &(Env){env, g->events[k], index});
        if (loop) loop_end(&l->code);
    }
}

static void groups(Lower *l, const Env *env) {
    for (int i = 0; i < l->nest->groups.n; i++) {
        const Group *g = &l->nest->groups.data[i];
        l->group = i;
        l->iteration--;
        if (g->reduce)
            lower_reduction(l, g->nodes.data, g->nodes.n, env);
        else
            point_axes(l, g, 0, env);
    }
}

/* ---- the loops of a nest ---- */

AxisIndex lower_open(Lower *l, AxisId axis, const Env *env) {
    const Schedule *s = l->s;
    if (s->ir->axes.data[axis].ragged) {
        int count = lower_segment(l, axis, false, env), first = lower_segment(l, axis, true, env);
        int limit = loop_place(&l->code, count), begin = loop_place(&l->code, first);
        int var = loop_begin_upto(&l->code, limit, loop_size_most(s->out, axis));
        return (AxisIndex){.var = var, .scale = 1, .high = INT64_MAX, .first = begin + 1};
    }
    int sweep = sweep_over(s, l->nest->sweep, axis);
    int var = loop_begin(&l->code, sweep_extent(s, l->nest->sweep, axis));
    return (AxisIndex){.var = var, .scale = 1, .high = INT64_MAX, .tile = sweep + 1};
}

static void loops(Lower *l, uint32_t space, int k, const Env *env) {
    const Schedule *s = l->s;
    while (k < s->n_loop_axes && !(space >> k & 1)) k++;
    if (k == s->n_loop_axes) {
        if (l->nest->kind == NEST_KERNEL)
            lower_reduction(l, l->nest->nodes.data, 1, env);
        else
            groups(l, env);
        return;
    }
    AxisId axis = s->loop_axes[k];
    loops(l, space, k + 1, &(Env){env, axis, lower_open(l, axis, env)});
    loop_end(&l->code);
}

static void nest_loops(Lower *l) {
    const Node *first = &l->s->nodes.data[l->nest->nodes.data[0]];
    bool kernel = l->nest->kind == NEST_KERNEL;
    bool varying = kernel ? first->varying : l->nest->lane != AXIS_NONE;
    bool blocks = varying && l->many_blocks;
    if (blocks) l->block = loop_begin(&l->code, loop_size_blocks(l->nest->lane));
    loops(l, kernel ? first->loops : l->nest->space, 0, NULL);
    if (blocks) loop_end(&l->code);
    l->block = -1;
}

/* ---- reductions over loop axes and lanes: before and after the loops ---- */

/* Into memory, point by point or tile by tile: from zero. */
static bool accumulates(const Schedule *s, const Node *node) {
    if (!node->live || node->class != NODE_REDUCE) return false;
    bool points = s->nests.data[node->nest].kind == NEST_POINT;
    return sweep_summed(s, node) >= 0 ||
           (points && (node->space != node->loops || schedule_lane_reduced(node)));
}

static void clear_sums(Lower *l, const Node *node) {
    int buffer = schedule_lane_reduced(node) ? node->sums : node->buffer;
    LoopInst inst = {.op = LOOP_clear,
                     .dst = -1,
                     .buffer = buffer,
                     .number = node->op.opcode == OP_MAX_OVER ? -INFINITY : 0,
                     .count = l->s->out->buffers.data[buffer].size};
    vec_push(l->s->arena, &l->code.nest->code, inst);
}

static void sum_lanes(Lower *l, const Node *node) {
    if (!node->live || !schedule_lane_reduced(node)) return;
    LoopInst inst = {.op = node->op.opcode == OP_MAX_OVER ? LOOP_max_lanes : LOOP_sum_lanes,
                     .dst = -1,
                     .buffer = node->buffer,
                     .buffer2 = node->sums,
                     .whole = schedule_many_blocks(l->s, node->lane),
                     .count = l->s->out->buffers.data[node->sums].size};
    inst.count.coef /= l->s->out->lanes;
    vec_push(l->s->arena, &l->code.nest->code, inst);
}

/* ---- random numbers ---- */

static AxisKind kind_of(const Lower *l, AxisId axis) {
    return l->s->ir->axes.data[axis].kind;
}

/* Stride of an axis in a node's own buffer; 0 where the node is constant along it. */
static LoopSize own_stride(const Lower *l, const Node *node, AxisId axis) {
    const Schedule *s = l->s;
    if (!ir_axis_among(node->op.axes, node->op.n_axes, axis)) return loop_size(0);
    if (axis == l->nest->lane) return loop_size(1);
    LoopSize stride = loop_size(node->varying ? s->out->lanes : 1);
    if (node->varying && l->many_blocks)
        stride = loop_size_times(stride, loop_size_blocks(l->nest->lane));
    bool inside = false;
    uint32_t loops = schedule_loops(s, node->op.axes, node->op.n_axes);
    for (int i = 0; i < node->op.n_axes; i++) {
        AxisId other = node->op.axes[i];
        if (inside && other != l->nest->lane)
            stride = loop_size_times(stride, ragged_extent(s, loops, -1, other));
        if (other == axis) inside = true;
    }
    return kind_of(l, axis) == AXIS_DATA ? loop_size(0) : stride;
}

static void fill(Lower *l) {
    Schedule *s = l->s;
    const Node *node = &s->nodes.data[l->nest->nodes.data[0]];
    const IrOp *op = &node->op;
    LoopFill *f = arena_new_of(s->arena, LoopFill);
    *f = (LoopFill){.buffer = node->buffer,
                    .site = op->index,
                    .input = node->input,
                    .n_params = op->n_args,
                    .kind = op->random};
    f->n_data = f->n_draw = f->n_inst = loop_size(1);
    f->s_inst = loop_size(node->varying ? s->out->lanes : 1);
    if (node->varying && l->many_blocks)
        f->s_inst = loop_size_times(f->s_inst, loop_size_blocks(l->nest->lane));
    for (int p = 0; p < op->n_args; p++) f->param[p] = s->nodes.data[op->args[p]].buffer;
    for (int i = 0; i < op->n_axes; i++) {
        AxisId axis = op->axes[i];
        LoopSize extent = ragged_extent(s, schedule_loops(s, op->axes, op->n_axes), -1, axis);
        LoopSize stride[2] = {loop_size(0), loop_size(0)};
        for (int p = 0; p < op->n_args; p++)
            stride[p] = own_stride(l, &s->nodes.data[op->args[p]], axis);
        if (kind_of(l, axis) == AXIS_DATA) {
            f->n_data = extent;
            f->s_data = own_stride(l, node, axis);
            memcpy(f->p_data, stride, sizeof stride);
        } else if (kind_of(l, axis) == AXIS_DRAW) {
            f->n_draw = extent;
            f->s_draw = own_stride(l, node, axis);
            memcpy(f->p_draw, stride, sizeof stride);
        } else {
            if (f->n_dims == LOOP_MAX_DIMS)
                internal_error("lower", "random numbers over too many axes");
            f->dim[f->n_dims] = extent;
            for (int p = 0; p < op->n_args; p++) f->p_dim[p][f->n_dims] = stride[p];
            f->n_dims++;
            f->n_inst = loop_size_times(f->n_inst, extent);
        }
    }
    l->code.nest->fill = f;
}

/* ---- products by the BLAS ---- */

/* Where the vectors of a side lie: in a node's own buffer, see own_index in lower_read.c. */
static LoopMatrix matrix(const Lower *l, const GemmSide *side, LoopSize points) {
    const Schedule *s = l->s;
    const Node *node = &s->nodes.data[side->node];
    LoopMatrix m = {.buffer = node->buffer, .n = side->n, .first = side->first};
    LoopSize lanes = loop_size(s->out->lanes);
    if (node->buffer < 0) internal_error("lower", "value %d is nowhere", side->node);
    bool rows = node->rows && l->many_blocks;
    m.feature = rows ? loop_size_times(lanes, loop_size_blocks(l->nest->lane)) : lanes;
    m.point = loop_size_times(m.feature, loop_size(side->whole));
    m.block = rows ? lanes : loop_size_times(m.point, points);
    return m;
}

static void gemm(Lower *l) {
    Schedule *s = l->s;
    const Node *node = &s->nodes.data[l->nest->nodes.data[0]];
    const GemmPlan *plan = node->gemm;
    const Node *w = &s->nodes.data[plan->w];
    LoopGemm *g = arena_new_of(s->arena, LoopGemm);
    *g = (LoopGemm){.kind = plan->kind,
                    .w = w->class == NODE_LEAF ? w->input : w->buffer,
                    .room = node->sums,
                    .w_first = plan->w_first,
                    .w_row = plan->w_row,
                    .blocks = l->many_blocks ? loop_size_blocks(l->nest->lane) : loop_size(1),
                    .points = loop_size(plan->x.outer),
                    .exist = loop_size_extent(s->out, s->out->lane)};
    for (int i = 0; i < s->n_loop_axes; i++)
        if (node->space >> i & 1)
            g->points =
                loop_size_times(g->points, ragged_extent(s, node->space, -1, s->loop_axes[i]));
    g->x = matrix(l, &plan->x, g->points);
    g->y = matrix(l, &plan->y, g->points);
    vec_push(s->arena, &l->code.nest->code, (LoopInst){.op = LOOP_gemm, .dst = -1, .gemm = g});
}

/* ---- the whole nest ---- */

static const char *title(const Lower *l) {
    const Schedule *s = l->s;
    Text text;
    text_init(&text, s->arena);
    static const char *const kinds[] = {"points", "kernel", "random numbers", "product"};
    text_printf(&text, "%s over", kinds[l->nest->kind]);
    for (int i = 0; i < s->n_loop_axes; i++)
        if (l->nest->space >> i & 1)
            text_printf(&text, " %s", s->ir->axes.data[s->loop_axes[i]].name);
    if (l->nest->lane != AXIS_NONE)
        text_printf(&text, " lanes(%s)", s->ir->axes.data[l->nest->lane].name);
    if (l->nest->kind == NEST_POINT)
        text_printf(&text, ", %d operations", l->nest->nodes.n);
    else {
        const IrOp *op = &s->nodes.data[l->nest->nodes.data[0]].op;
        text_printf(&text, ": %s", op->name ? op->name : op->note ? op->note : "");
    }
    return text.data;
}

static Lower start_nest(Schedule *s, int number) {
    LoopNest *out = arena_new_of(s->arena, LoopNest);
    AxisId lane = s->nests.data[number].lane;
    out->lane = lane;
    vec_push(s->arena, &s->out->nests, out);
    return (Lower){.s = s,
                   .nest = &s->nests.data[number],
                   .number = number,
                   .block = -1,
                   .iteration = -2,
                   .code = {s->arena, s->out, out},
                   .many_blocks = schedule_many_blocks(s, lane)};
}

static void lower_nest(Schedule *s, int number) {
    Lower start = start_nest(s, number), *l = &start;
    l->code.nest->title = title(l);
    if (l->nest->kind == NEST_FILL) {
        fill(l);
        return;
    }
    if (l->nest->kind == NEST_GEMM) {
        gemm(l);
        return;
    }
    const Node *nodes = s->nodes.data;
    for (int i = 0; i < l->nest->nodes.n; i++)
        if (accumulates(s, &nodes[l->nest->nodes.data[i]]) &&
            sweep_outlasted(s, &nodes[l->nest->nodes.data[i]]) < 0)
            clear_sums(l, &nodes[l->nest->nodes.data[i]]);
    nest_loops(l);
    for (int i = 0; i < l->nest->nodes.n; i++) {
        const Node *node = &nodes[l->nest->nodes.data[i]];
        if (sweep_outlasted(s, node) < 0) sum_lanes(l, node);
    }
    loop_collapse(s->arena, l->code.nest);
    lower_jam(s, l->code.nest, l->nest->copies);
}

/* ---- sweeps ---- */

/* Sums that outlast the tiles of a sweep start from zero before the first, and are complete after
 * the last: a nest of its own before the sweep, and one behind it. */
static void around_sweep(Schedule *s, int sweep, bool before) {
    const LoopSweep *of = &s->out->sweeps.data[sweep];
    Lower start = {0}, *l = &start;
    const char *axis = s->ir->axes.data[of->axis].name;
    for (int n = of->first; n <= of->last; n++)
        for (int i = 0; i < s->nests.data[n].nodes.n; i++) {
            const Node *node = &s->nodes.data[s->nests.data[n].nodes.data[i]];
            if (sweep_outlasted(s, node) != sweep) continue;
            if (before ? !accumulates(s, node) : !schedule_lane_reduced(node)) continue;
            if (!l->s) {
                start = start_nest(s, of->first);
                l->code.nest->title =
                    arena_printf(s->arena, "sums over %s, %s", axis, before ? "start" : "end");
            }
            l->code.nest->lane = node->lane;
            if (before)
                clear_sums(l, node);
            else
                sum_lanes(l, node);
        }
}

/* The sweeps that begin at a nest, from the outside in; those that end there, from the inside out.
 */
void lower_all(Schedule *s) {
    int n_sweeps = s->out->sweeps.n;
    LoopSweep *done = arena_array(s->arena, LoopSweep, n_sweeps + 1);
    for (int k = 0; k < n_sweeps; k++) { /* one that has no nests left never begins */
        done[k] = s->out->sweeps.data[k];
        done[k].first = done[k].last = -1;
    }
    for (int n = 0; n < s->nests.n; n++) {
        for (int k = 0; k < n_sweeps; k++) {
            if (s->out->sweeps.data[k].first != n) continue;
            around_sweep(s, k, true);
            done[k].first = s->out->nests.n;
        }
        lower_nest(s, n);
        for (int k = n_sweeps - 1; k >= 0; k--) {
            if (s->out->sweeps.data[k].last != n) continue;
            done[k].last = s->out->nests.n - 1;
            around_sweep(s, k, false);
        }
    }
    for (int k = 0; k < n_sweeps; k++) s->out->sweeps.data[k] = done[k];
}
