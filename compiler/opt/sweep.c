/* sweep.c -- which nodes are computed tile by tile, and in which order all are.
 *
 * The instances of a plate are independent of each other but for sums over the plate. So what a
 * program computes over a plate falls into STAGES: a node is in the stage of what it reads of the
 * same instance, and in the next one after what needed all instances. The nodes of one stage make
 * one sweep: for a tile of instances after another, all of them. What is written and read in the
 * same sweep is there for one tile only, and never leaves the cache. Within a sweep the same holds
 * for a plate in the plate, where it is large.
 *
 * Output: Schedule.nodes holds the live nodes segment by segment; Schedule.out->sweeps.
 */
#include "opt/sweep.h"

/* ---- stages ---- */

/* USUAL: instances where nothing is known. */
enum { USUAL = 32, INNER = 32, FEW = 256 };

int64_t sweep_usual(const Schedule *s, AxisId id) {
    const IrAxis *axis = &s->ir->axes.data[ir_axis_original(s->ir, id)];
    return axis->usual ? axis->usual : USUAL;
}

/* The axis to sweep along: the outermost plate of the iteration. Random numbers and products by the
 * BLAS come whole; so does what is summed over lanes for each instance, once all lanes are there. A
 * plate inside another is swept along for its own sake from INNER instances on; big sums over it
 * are taken afterwards, as long as its instances are FEW. */
static int bit_to_sweep(const Plan *p, const Node *node, uint32_t swept) {
    const Schedule *s = p->s;
    if (node->class == NODE_RANDOM || node->gemm) return -1;
    for (int i = 0; i < s->n_loop_axes; i++) {
        const IrAxis *axis = &s->ir->axes.data[s->loop_axes[i]];
        int64_t usual = sweep_usual(s, s->loop_axes[i]);
        if (axis->kind != AXIS_PLATE || axis->copy_of != AXIS_NONE) continue;
        if (!(node->space >> i & 1) || swept >> i & 1) continue;
        if (axis->ragged) return -1;
        if (swept && usual < INNER) return -1;
        if (swept && usual < FEW && schedule_is_kernel(s, node)) return -1;
        bool whole = schedule_lane_reduced(node) && node->loops >> i & 1;
        return whole ? -1 : i;
    }
    return -1;
}

/* Operand `i` of `v` where it is a node of the level. `same`: `v` reads it at its own instance of
 * the axis that both are swept along. */
static int operand(const Plan *p, int v, int i, bool *same) {
    const Schedule *s = p->s;
    Base read = schedule_base(s, s->nodes.data[v].op.args[i]);
    const Node *b = &s->nodes.data[read.node];
    int bit = p->bit[v];
    if (!schedule_computes(b) || p->level[read.node] != p->level[v]) return -1;
    *same = bit >= 0 && p->bit[read.node] == bit && b->loops >> bit & 1 && !(read.moved >> bit & 1);
    return read.node;
}

/* The earliest stage in which `v` can be: flat nodes of a stage come before its sweeps. */
static int earliest(const Plan *p, int v) {
    int stage = 0;
    bool same;
    for (int i = 0; i < p->s->nodes.data[v].op.n_args; i++) {
        int read = operand(p, v, i, &same);
        if (read < 0) continue;
        int after = p->stage[read] + (p->bit[read] >= 0 && !same);
        if (after > stage) stage = after;
    }
    return stage;
}

/* p->late: the stage of each node where those that `may` (NULL: all) wait until they are read; the
 * others stay. */
static void wait_for_readers(Plan *p, const int *nodes, int n, const bool *may) {
    for (int i = 0; i < n; i++) p->late[nodes[i]] = INT32_MAX;
    for (int i = n - 1; i >= 0; i--) {
        int v = nodes[i];
        bool same, waits = (!may || may[v]) && p->late[v] != INT32_MAX;
        if (!waits) p->late[v] = p->stage[v];
        for (int k = 0; k < p->s->nodes.data[v].op.n_args; k++) {
            int read = operand(p, v, k, &same);
            if (read < 0) continue;
            int before = p->late[v] - (p->bit[read] >= 0 && !same);
            if (before < p->late[read]) p->late[read] = before;
        }
    }
}

/* Whether the node has but a few numbers for each instance that the level sweeps along. */
static bool small(const Plan *p, int v, uint32_t swept) {
    return !(p->s->nodes.data[v].loops & ~(swept | UINT32_C(1) << p->bit[v]));
}

/* What nobody reads before a later stage waits for it, where all that it is computed from is there
 * anyway, or waits too: what a flow computes of draws then meets the densities that want it in one
 * sweep. */
static void delay(Plan *p, const int *nodes, int n, uint32_t swept) {
    bool *may = arena_array(p->s->arena, bool, p->s->nodes.n + 1), same;
    wait_for_readers(p, nodes, n, NULL);
    for (int i = 0; i < n; i++) {
        int v = nodes[i];
        may[v] = p->late[v] > p->stage[v];
        for (int k = 0; may[v] && p->bit[v] >= 0 && k < p->s->nodes.data[v].op.n_args; k++) {
            int read = operand(p, v, k, &same);
            may[v] = read < 0 || p->bit[read] < 0 || may[read] || small(p, read, swept);
        }
    }
    wait_for_readers(p, nodes, n, may);
    for (int i = 0; i < n; i++) p->stage[nodes[i]] = p->late[nodes[i]];
}

static void plan_level(Plan *p, const int *nodes, int n, int sweep, uint32_t swept);

static void plan_part(Plan *p, const int *nodes, int n, int bit, int sweep, uint32_t swept) {
    Schedule *s = p->s;
    if (!n) return;
    if (bit < 0 || s->out->sweeps.n == LOOP_START - LOOP_TILE) {
        Segment segment = {.sweep = sweep};
        for (int i = 0; i < n; i++) vec_push(s->arena, &segment.nodes, nodes[i]);
        vec_push(s->arena, &p->segments, segment);
        return;
    }
    LoopSweep inner = {.axis = s->loop_axes[bit], .outer = sweep, .room = s->tile};
    vec_push(s->arena, &s->out->sweeps, inner);
    plan_level(p, nodes, n, s->out->sweeps.n - 1, swept | UINT32_C(1) << bit);
}

/* `nodes`, all of which run in `sweep`, in the order of their stages; in each the flat nodes first,
 * then a sweep for each axis. */
static void plan_level(Plan *p, const int *nodes, int n, int sweep, uint32_t swept) {
    Schedule *s = p->s;
    int level = ++p->n_levels, n_parts = 0, per_stage = s->n_loop_axes + 1;
    int *part = arena_array(s->arena, int, n + 1), *sorted = arena_array(s->arena, int, n + 1);
    for (int i = 0; i < n; i++) {
        int v = nodes[i];
        p->level[v] = level;
        p->bit[v] = bit_to_sweep(p, &s->nodes.data[v], swept);
        p->stage[v] = earliest(p, v);
    }
    delay(p, nodes, n, swept);
    for (int i = 0; i < n; i++) {
        part[i] = p->stage[nodes[i]] * per_stage + p->bit[nodes[i]] + 1;
        if (part[i] >= n_parts) n_parts = part[i] + 1;
    }
    int *end = arena_array(s->arena, int, n_parts + 1); /* of each part, once all are in place */
    for (int i = 0; i < n; i++) end[part[i] + 1]++;
    for (int k = 0; k < n_parts; k++) end[k + 1] += end[k];
    for (int i = 0; i < n; i++) sorted[end[part[i]]++] = nodes[i];
    for (int k = 0, from = 0; k < n_parts; from = end[k++])
        plan_part(p, sorted + from, end[k] - from, k % per_stage - 1, sweep, swept);
}

/* ---- the nodes in order ---- */

/* Where nodes have gone, and in which segment that is. */
typedef struct Copies {
    Repeated again;
    int *at, *segment;
    bool *needed;
} Copies;

/* Whether segment `number` has to compute the node, or to look through it. */
static bool absent(const Plan *p, const Copies *c, int v, int number) {
    if (c->at[v] < 0 || p->s->nodes.data[v].class == NODE_VIEW) return true;
    Reach reach = sweep_reach(p, c->segment[v], number);
    return reach != WITHIN_REACH && c->again.beyond[reach][v];
}

static void copy_segment(Plan *p, int number, Copies *c) {
    Schedule *s = p->s;
    const Segment *segment = &p->segments.data[number];
    int n = s->nodes.n;
    memset(c->needed, 0, sizeof *c->needed * (size_t)n);
    for (int i = 0; i < segment->nodes.n; i++) c->needed[segment->nodes.data[i]] = true;
    for (int v = n - 1; v >= 0; v--) {
        const Node *node = &s->nodes.data[v];
        if (c->needed[v] && absent(p, c, v, number))
            for (int k = 0; k < node->op.n_args; k++) c->needed[node->op.args[k]] = true;
    }
    for (int v = 0; v < n; v++) {
        if (!c->needed[v] || !absent(p, c, v, number)) continue;
        Node copy = s->nodes.data[v];
        copy.sweep = segment->sweep;
        copy.segment = number;
        for (int k = 0; k < copy.op.n_args; k++) copy.op.args[k] = c->at[copy.op.args[k]];
        c->at[v] = p->copies.n;
        c->segment[v] = number;
        vec_push(s->arena, &p->copies, copy);
    }
}

void sweep_plan(Schedule *s) {
    int n = s->nodes.n, found = 0;
    Plan *p = &(Plan){.s = s};
    p->level = arena_array(s->arena, int, n + 1);
    p->bit = arena_array(s->arena, int, n + 1);
    p->stage = arena_array(s->arena, int, n + 1);
    p->late = arena_array(s->arena, int, n + 1);
    p->home = arena_array(s->arena, int, n + 1);
    Copies c = {.at = arena_array(s->arena, int, n + 1),
                .segment = arena_array(s->arena, int, n + 1),
                .needed = arena_array(s->arena, bool, n + 1)};
    int *all = arena_array(s->arena, int, n + 1);
    for (int v = 0; v < n; v++) {
        c.at[v] = -1;
        if (schedule_computes(&s->nodes.data[v])) all[found++] = v;
    }
    plan_level(p, all, found, -1, 0);
    for (int i = 0; i < p->segments.n; i++)
        for (int k = 0; k < p->segments.data[i].nodes.n; k++)
            p->home[p->segments.data[i].nodes.data[k]] = i;
    c.again = sweep_choose_repeated(p);
    for (int i = 0; i < p->segments.n; i++) copy_segment(p, i, &c);
    s->nodes.n = 0;
    for (int i = 0; i < p->copies.n; i++) vec_push(s->arena, &s->nodes, p->copies.data[i]);
    schedule_mark_live(s);
}

/* ---- what sweeps are there around ---- */

int sweep_over(const Schedule *s, int sweep, AxisId axis) {
    while (sweep >= 0 && s->out->sweeps.data[sweep].axis != axis)
        sweep = s->out->sweeps.data[sweep].outer;
    return sweep;
}

LoopSize sweep_extent(const Schedule *s, int sweep, AxisId axis) {
    int over = sweep_over(s, sweep, axis);
    return over >= 0 ? loop_size_tile(over) : loop_size_extent(s->out, axis);
}

int sweep_common(const Schedule *s, int a, int b) {
    while (a != b) /* an outer sweep has the smaller number */
        if (a > b)
            a = s->out->sweeps.data[a].outer;
        else
            b = s->out->sweeps.data[b].outer;
    return a;
}

int sweep_summed(const Schedule *s, const Node *node) {
    int summed = -1;
    if (node->class != NODE_REDUCE) return -1;
    for (int sweep = node->sweep; sweep >= 0; sweep = s->out->sweeps.data[sweep].outer) {
        int bit = s->loop_bit[s->out->sweeps.data[sweep].axis];
        if (node->space >> bit & 1 && !(node->loops >> bit & 1)) summed = sweep;
    }
    return summed;
}

int sweep_outlasted(const Schedule *s, const Node *node) {
    int outlasted = -1;
    for (int at = node->sweep; at != node->local && at >= 0; at = s->out->sweeps.data[at].outer)
        outlasted = at;
    return outlasted;
}

void sweep_lifetime(const Schedule *s, int sweep, int nest, int *first, int *last) {
    int low = nest, high = nest;
    for (int at = s->nests.data[nest].sweep; at != sweep && at >= 0;
         at = s->out->sweeps.data[at].outer) {
        low = s->out->sweeps.data[at].first;
        high = s->out->sweeps.data[at].last;
    }
    if (low < *first) *first = low;
    if (high > *last) *last = high;
}

/* ---- measures ---- */

/* The largest tensor that a nest computes of one instance of `sweep`, in numbers. */
static LoopSize numbers_of(const Schedule *s, const Nest *nest, int sweep) {
    const LoopSweep *of = &s->out->sweeps.data[sweep];
    int64_t events = 1;
    for (int i = 0; i < nest->nodes.n && nest->kind == NEST_POINT; i++) {
        const Node *node = &s->nodes.data[nest->nodes.data[i]];
        int64_t n = schedule_event_count(s, node->events, node->n_events);
        if (node->loops == nest->space && n > events) events = n;
    }
    LoopSize size = loop_size(events * (nest->lane != AXIS_NONE ? s->out->lanes : 1));
    for (int i = 0; i < s->n_loop_axes; i++) {
        AxisId axis = s->loop_axes[i];
        if (!(nest->space >> i & 1) || axis == of->axis) continue;
        size =
            loop_size_times(size, s->ir->axes.data[axis].ragged ? loop_size_mean(s->out, axis)
                                                                : sweep_extent(s, of->outer, axis));
    }
    return size;
}

static void add_numbers(LoopSweep *sweep, LoopSize size) {
    for (int i = 0; i < sweep->n_numbers; i++)
        if (loop_size_same_factors(sweep->numbers[i], size)) {
            if (sweep->numbers[i].coef < size.coef) sweep->numbers[i].coef = size.coef;
            return;
        }
    if (sweep->n_numbers < LOOP_MAX_SPACES) sweep->numbers[sweep->n_numbers++] = size;
}

void sweep_measure(Schedule *s) {
    for (int i = 0; i < s->out->sweeps.n; i++) {
        s->out->sweeps.data[i].first = s->nests.n;
        s->out->sweeps.data[i].last = -1;
    }
    for (int n = 0; n < s->nests.n; n++) {
        const Nest *nest = &s->nests.data[n];
        for (int at = nest->sweep; at >= 0; at = s->out->sweeps.data[at].outer) {
            LoopSweep *sweep = &s->out->sweeps.data[at];
            if (n < sweep->first) sweep->first = n;
            sweep->last = n;
            add_numbers(sweep, numbers_of(s, nest, at));
        }
    }
}
