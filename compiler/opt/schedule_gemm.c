/* schedule_gemm.c -- finds products of activations with wide matrices of weights and hands them to
 * the BLAS (runtime/gemm.h); whoever reads or writes their operands does so in memory.
 *
 * The forms are those of a dense layer: y = x W and its two adjoints. Activations vary over the
 * lanes; weights are a matrix, read where it is or computed before, of one or several event axes to
 * a side. Views of the operands may rename event axes, and cut a range out of one that stands
 * alone.
 */
#include "opt/schedule.h"
#include "runtime/gemm.h"

/* The event axes of a value as its reader sees them, and where they lie in the node that holds the
 * numbers. */
typedef struct View {
    int node, n;
    AxisId axis[IR_MAX_AXES], base[IR_MAX_AXES];
    int64_t first[IR_MAX_AXES];
} View;

/* false where a view on the way is more than a range of an event axis, or a new name for it. */
static bool look_through(const Schedule *s, int v, View *view) {
    const Node *top = &s->nodes.data[v];
    *view = (View){.node = v, .n = top->n_events};
    memcpy(view->axis, top->events, sizeof *view->axis * (size_t)view->n);
    memcpy(view->base, top->events, sizeof *view->base * (size_t)view->n);
    while (s->nodes.data[view->node].class == NODE_VIEW) {
        const IrOp *op = &s->nodes.data[view->node].op;
        IrRule rule = ir_op_info[op->opcode].rule;
        bool moves = rule == RULE_RENAME || rule == RULE_SLICE;
        if (!moves && op->opcode != OP_STOP_GRADIENT) return false;
        if (moves && s->ir->axes.data[op->axis].kind != AXIS_EVENT) return false;
        for (int i = 0; i < view->n && moves; i++) {
            if (view->base[i] != op->axis2) continue;
            view->base[i] = op->axis;
            if (rule == RULE_SLICE) view->first[i] += op->index;
        }
        view->node = op->args[0];
    }
    const Node *base = &s->nodes.data[view->node];
    if (base->n_events != view->n) return false;
    for (int i = 0; i < view->n; i++)
        if (base->events[i] != view->base[i]) return false; /* the order in memory */
    return true;
}

static int64_t extent(const Schedule *s, AxisId axis) {
    return s->ir->axes.data[axis].extent;
}

/* Axes [from, to) of the view as one side of a matrix: their entries, those of the base, and where
 * the range begins. Several axes must be whole. */
static bool one_side(const Schedule *s, const View *view, int from, int to, int64_t *n,
                     int64_t *whole, int64_t *first) {
    *n = *whole = 1;
    *first = 0;
    for (int i = from; i < to; i++) {
        *n *= extent(s, view->axis[i]);
        *whole *= extent(s, view->base[i]);
        *first = view->first[i];
    }
    return *n == *whole || to - from == 1;
}

static bool weights(const Schedule *s, int v, View *view) {
    const Node *node = &s->nodes.data[v];
    if (node->varying || node->loops || !look_through(s, v, view)) return false;
    const Node *base = &s->nodes.data[view->node];
    bool leaf = base->class == NODE_LEAF && base->op.opcode == OP_INPUT;
    return leaf || base->class == NODE_POINT || base->class == NODE_REDUCE;
}

static bool activations(const Schedule *s, int v, const Node *result, View *view) {
    const Node *node = &s->nodes.data[v];
    if (!node->varying || node->loops != result->space || !look_through(s, v, view)) return false;
    const Node *base = &s->nodes.data[view->node];
    return base->class != NODE_LEAF && base->loops == node->loops && base->varying &&
           base->lane == s->out->lane;
}

static bool equal_axes(const AxisId *a, const AxisId *b, int n) {
    return !memcmp(a, b, sizeof *a * (size_t)n);
}

/* Activations [outer axes.., features]: fills in all but where the lanes of a vector lie. */
static bool side_of(const Schedule *s, const View *view, int n_outer, GemmSide *side) {
    int64_t outer = 1, whole_outer = 1, first_outer, whole;
    if (!one_side(s, view, 0, n_outer, &outer, &whole_outer, &first_outer)) return false;
    if (!one_side(s, view, n_outer, view->n, &side->n, &whole, &side->first)) return false;
    side->node = view->node;
    side->whole = whole;
    side->outer = outer;
    return outer == whole_outer;
}

/* y[.., outer, out] = sum over `in` of x[.., outer, in] and W[in, out] or W[out, in]. */
static bool layer(const Schedule *s, int v, int x, int w, GemmPlan *plan) {
    const Node *node = &s->nodes.data[v];
    const IrOp *op = &node->op;
    View xs, ws;
    if (!node->varying || node->lane != s->out->lane || node->space != node->loops) return false;
    if (!weights(s, w, &ws) || !activations(s, x, node, &xs)) return false;
    int n_in = op->n_over, n_out = ws.n - n_in, n_outer = xs.n - n_in;
    if (n_in < 1 || n_out < 1 || n_outer < 0 || node->n_events != n_outer + n_out) return false;
    const AxisId *in = &xs.axis[n_outer], *out = &node->events[n_outer];
    bool forward = equal_axes(ws.axis, in, n_in) && equal_axes(ws.axis + n_in, out, n_out);
    bool backward = equal_axes(ws.axis, out, n_out) && equal_axes(ws.axis + n_out, in, n_in);
    for (int i = 0; i < n_in; i++) { /* what is summed are the inputs, all of them */
        bool summed = false;
        for (int k = 0; k < n_in; k++) summed |= op->over[k] == in[i];
        if (!summed) return false;
    }
    if (!(forward || backward) || !equal_axes(xs.axis, node->events, n_outer)) return false;
    View ys = {.node = v, .n = node->n_events};
    memcpy(ys.axis, node->events, sizeof ys.axis);
    memcpy(ys.base, node->events, sizeof ys.base);
    if (!side_of(s, &xs, n_outer, &plan->x) || !side_of(s, &ys, n_outer, &plan->y)) return false;
    int64_t rows, columns, whole_rows, row, column;
    int cut = forward ? n_in : n_out;
    if (!one_side(s, &ws, 0, cut, &rows, &whole_rows, &row)) return false;
    if (!one_side(s, &ws, cut, ws.n, &columns, &plan->w_row, &column)) return false;
    plan->kind = forward ? AV_GEMM_FORWARD : AV_GEMM_BACKWARD;
    plan->w = ws.node;
    plan->w_first = row * plan->w_row + column;
    return true;
}

/* W[a, b] = sum over lanes, loops and `outer` of x[.., outer, a] y[.., outer, b]. */
static bool outer(const Schedule *s, int v, int x, int y, GemmPlan *plan) {
    const Node *node = &s->nodes.data[v];
    const IrOp *op = &node->op;
    View xs, ys;
    if (node->loops || !schedule_lane_reduced(node)) return false;
    if (!activations(s, x, node, &xs) || !activations(s, y, node, &ys)) return false;
    int n_outer = 0;
    for (int i = 0; i < op->n_over; i++)
        n_outer += s->ir->axes.data[op->over[i]].kind == AXIS_EVENT;
    int n_x = xs.n - n_outer, n_y = ys.n - n_outer;
    if (n_x < 1 || n_y < 1 || n_x + n_y != node->n_events) return false;
    if (!equal_axes(xs.axis, ys.axis, n_outer)) return false;
    if (!equal_axes(xs.axis + n_outer, node->events, n_x)) return false;
    if (!equal_axes(ys.axis + n_outer, node->events + n_x, n_y)) return false;
    if (!side_of(s, &xs, n_outer, &plan->x) || !side_of(s, &ys, n_outer, &plan->y)) return false;
    plan->kind = AV_GEMM_OUTER;
    plan->w = v;
    plan->w_first = 0;
    plan->w_row = plan->y.n;
    return true;
}

const GemmPlan *schedule_gemm(Schedule *s, int v) {
    const IrOp *op = &s->nodes.data[v].op;
    if (op->opcode != OP_CONTRACT || !s->blas || s->out->lanes > AV_GEMM_COLUMNS) return NULL;
    GemmPlan plan;
    for (int k = 0; k < 2; k++) {
        int a = op->args[k], b = op->args[1 - k];
        if (!layer(s, v, a, b, &plan) && !outer(s, v, a, b, &plan)) continue;
        if (plan.x.n < s->blas || plan.y.n < s->blas) return NULL;
        GemmPlan *kept = arena_new_of(s->arena, GemmPlan);
        *kept = plan;
        return kept;
    }
    return NULL;
}
