/* newton.c -- the conditional Newton start: where means of the data do not say all of a latent, its
 * affine map starts at the mode of its marginal log density given K (what was drawn before) and the
 * data, with that mode's curvature. Latents below it that are yet to be drawn, and others that the
 * data tie it to, are integrated out: messages up the tree.
 *
 * All latents of a component (component.h) are expanded at once, to second order around the centres
 * of their laws given K and each other. With w the deviation of one of them from its centre, u
 * those of the latents after it, in units of their laws' spreads:
 *
 *     law        w = A u + e    e about N(P^-1 o, P^-1)     A, P, o: slopes of its location, and
 *                                                           curvature and score of its own law
 *     evidence   g'w - w'J w / 2 - w'C u                    of all that hangs on them
 *
 * Integrated over w, with Q = (P + J)^-1, W = Q P A, V = Q C, the evidence of u gains
 *
 *     curvature  A'J W + W'C + C'W - C'V        score  (W - V)'g - (A'J + C') Q o
 *
 * summed over the instances of w, and given u w is N((W - V) u + Q (g + o), Q). These forms
 * subtract nothing that nearly cancels when the law is much narrower than what the data say of w,
 * as at scales near zero (where P and A'P A would swamp the evidence), or much wider. Nodes are
 * eliminated innermost first (eliminate.c); the targets' conditionals, last to first, are the
 * start:
 *
 *     v = centre + spread ((W - V) u + L'^-1 t)        L L' = P + J
 *
 * where t is what the flow makes of its base draws. For Gaussian laws whose locations and data are
 * linear in them that is the exact posterior given K, whatever the plates' sizes. Nothing then
 * depends on the centre, and one step is taken, of any length: where it was cut short, for draws of
 * K that fit the data badly, the loss was far above the true one, and its gradients spoilt the
 * optimiser's scales for a thousand steps. Otherwise steps are bounded and repeated.
 *
 * Derivatives are the compiler's own (opt_grad), in the program under construction. All is
 * differentiated again in training, so that what has no second derivative (lgamma of a latent)
 * rules it out. */
#include "dual/expansion.h"
#include "dual/plate.h"
#include "opt/opt.h"

enum { STEPS = 3, APPROACH = 5 };

static const double STRIDE = 3;          /* longest step, in spreads of the law given K */
static const double FAR = 20;            /* where one may begin, likewise */
static const double LARGEST_AGAIN = 1e4; /* of a step that only mends rounding */
static const double LOG_2PI = 1.8378770664093454836;

/* ---- values of the nodes, and what rests on them ---- */

static Val *saved_values(const Build *b) {
    Val *values = arena_array(b->arena, Val, b->model->vars.n + 1);
    memcpy(values, b->value, sizeof *values * (size_t)b->model->vars.n);
    return values;
}

/* Forgets the nodes' values, and lets that rest on them. */
static void restore_values(Build *b, const Val *values) {
    memcpy(b->value, values, sizeof *values * (size_t)b->model->vars.n);
}

static Val free_value(Build *b, const Node *node, IrValue v) {
    if (node->shifted) v = ir_add(b->p, node->base, v);
    Type type = model_free_type(node->var);
    return unflatten(b, v, node->flat, 0, &type);
}

static void set_value(Build *b, const Node *node, IrValue v) {
    b->value[node->var->index] = lower_link(b, node->var, LINK_FORWARD, free_value(b, node, v));
}

/* (W - V) u of the node's entry i, plus what else moves it. */
static IrValue moved(const Newton *s, const Node *node, int i, const IrValue *deviation,
                     IrValue other) {
    for (int u = end_of(node); u < s->n; u++)
        other = entry_add(s->b, other,
                          entry_mul(s->b, *at(s, s->gain, node->first + i, u), deviation[u]));
    return other;
}

static IrValue scaled(Build *b, const Newton *s, int entry, IrValue deviation) {
    return entry_mul(b, s->spread[entry], deviation);
}

static Node *node_of(Newton *s, const Var *var) {
    for (int k = 0; k < s->c->n; k++)
        if (s->node[k].var == var) return &s->node[k];
    return NULL;
}

/* Where an earlier expansion has a node. */
static IrValue place_of(const Newton *earlier, const Node *node) {
    return node->shifted ? ir_add(earlier->b->p, node->base, node->here) : node->here;
}

/* Where an earlier expansion has a node, given what has been drawn or found since of those after
 * it. */
static IrValue response(Newton *s, Newton *earlier, const Var *var) {
    Build *b = s->b;
    IrProgram *p = b->p;
    const Node *node = node_of(earlier, var);
    IrValue deviation[MAX_ENTRIES], v[MAX_NODE];
    if (earlier->c->n_shifted) return place_of(earlier, node); /* what is moved is not the same */
    for (const Node *after = node + 1; after < earlier->node + earlier->c->n; after++) {
        const Node *here = node_of(s, after->var);
        Val known = b->value[after->var->index];
        for (int i = after->first; i < end_of(after); i++) deviation[i] = IR_NONE;
        if (!here && known.v == IR_NONE) continue; /* nothing ties them now */
        IrValue now = here ? here->here : flatten(b, to_free(b, after->var, known), after->flat);
        IrValue apart = ir_sub(p, now, after->here);
        for (int i = after->first; i < end_of(after); i++)
            deviation[i] =
                ir_div(p, entry_of(b, apart, after->flat, i - after->first), earlier->spread[i]);
    }
    for (int i = 0; i < node->size; i++)
        v[i] = scaled(b, earlier, node->first + i, moved(earlier, node, i, deviation, IR_NONE));
    IrValue by = entries_gather(b, v, node->size, node->flat);
    return by == IR_NONE ? node->here : ir_add(p, node->here, by);
}

/* The law of node k given K and the values of the nodes after it: centre, over flat. Its spread is
 * kept. */
static IrValue centre_of_law(Newton *s, int k) {
    Build *b = s->b;
    Node *node = &s->node[k];
    Gaussian law;
    lower_centre_and_spread(b, node->var, to_free, &law.centre, &law.spread.v);
    law.spread.n_dims = law.centre.n_dims;
    memcpy(law.spread.dims, law.centre.dims, sizeof law.spread.dims);
    law.spread.v = ir_max(b->p, law.spread.v, number(b, 1e-6));
    IrValue centre = flatten(b, law.centre, node->flat);
    IrValue spread = along(b, flatten(b, law.spread, node->flat), &node->flat, 1);
    if (node->shifted) /* any length that its instances have in common */
        spread = mean_along(b, spread, plate_axis(b, node->var->type.plate));
    for (int i = 0; i < node->size; i++)
        s->spread[node->first + i] = entry_of(b, spread, node->flat, i);
    return centre;
}

/* `to`, but no further from the centre of the node's law than FAR spreads: of a law much narrower
 * than the way rounding would leave nothing. */
static IrValue not_far(const Newton *s, const Node *node, IrValue centre, IrValue to) {
    Build *b = s->b;
    IrProgram *p = b->p;
    IrValue v[MAX_NODE];
    for (int i = 0; i < node->size; i++) {
        IrValue from = ir_pick(p, along(b, centre, &node->flat, 1), node->flat, i);
        IrValue apart = ir_sub(p, ir_pick(p, to, node->flat, i), from);
        IrValue far = ir_mul(p, number(b, FAR), s->spread[node->first + i]);
        apart = ir_max(p, ir_min(p, apart, far), ir_neg(p, far));
        v[i] = ir_add(p, from, apart);
    }
    return entries_gather(b, v, node->size, node->flat);
}

/* Axes of what a shifted node moves, into axes[]; returns how many. */
static int full_axes(const Newton *s, const Node *node, AxisId *axes) {
    int n = instance_axes(s->b, node->var->type.plate, false, axes);
    for (int i = 0; i < s->copies.n; i++) axes[n++] = s->copies.axes[i];
    axes[n++] = node->flat;
    return n;
}

/* Every node where an earlier expansion has it (found != NULL), or at the centre of its law, given
 * K and the nodes after it there. */
static void start_at(Newton *s, Newton *const *found) {
    Build *b = s->b;
    Val *outer = saved_values(b);
    for (int k = s->c->n - 1; k >= 0; k--) {
        Node *node = &s->node[k];
        node->here = centre_of_law(s, k);
        if (found) {
            IrValue to = response(s, found[node->var->index], node->var);
            node->here = not_far(s, node, node->here, to);
        }
        if (node->shifted) {
            AxisId axes[IR_MAX_AXES];
            int n = full_axes(s, node, axes);
            node->base = ir_spread(b->p, node->here, axes, n);
            node->here = number(b, 0);
        }
        set_value(b, node, node->here);
    }
    restore_values(b, outer);
    for (int k = 0; k < s->c->n; k++) {
        Node *node = &s->node[k];
        node->here = ir_spread(b->p, node->here, node->axes, node->n_axes + 1);
    }
}

/* ---- derivatives ---- */

/* Summed over all instances of `node`. */
static IrValue total(Build *b, const Node *node, IrValue v) {
    return ir_sum(b->p, along(b, v, node->axes, node->n_axes), node->axes, node->n_axes);
}

static int set_axes(const Newton *s, AxisId *axes) {
    axes[0] = s->b->data;
    memcpy(axes + 1, s->copies.axes, sizeof *axes * (size_t)s->copies.n);
    return 1 + s->copies.n;
}

static IrValue law_of_shift(const Newton *s, const Node *node);

/* log p of the data that hang on the nodes, and of what shifted ones move where other nodes are in
 * its law: [data, copies]. */
static IrValue log_data(const Newton *s) {
    Build *b = s->b;
    IrProgram *p = b->p;
    const IrValue first = p->ops.n;
    IrValue sum = number(b, 0);
    for (int k = 0; k < s->c->n; k++) set_value(b, &s->node[k], s->node[k].point);
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        if (component_holds(s->c, var) || !component_enters(s->c, var)) continue;
        if (s->n_pulls && is_reweighted(s->c, var)) continue;
        IrValue own = lower_log_prob(b, var, b->value[var->index]);
        sum = ir_add(p, sum, sum_over_plates(b, own, var->type.plate));
    }
    for (const Node *node = s->node; node < s->node + s->c->n; node++)
        if (node->shifted && component_has_parents(s->c, node->var))
            sum = ir_add(p, sum, law_of_shift(s, node));
    AxisId axes[1 + MAX_TRIAL_AXES];
    return along(b, opt_statistics_of(p, first, sum), axes, set_axes(s, axes));
}

/* log p(node | those after it) + log |dz/dv|, by instance. */
static IrValue log_law(const Newton *s, const Node *node) {
    Build *b = s->b;
    IrProgram *p = b->p;
    Val jacobian = lower_link(b, node->var, LINK_LOG_JACOBIAN, free_value(b, node, node->point));
    AxisId events[MAX_DIMS];
    int n = event_axes(b, &jacobian, events);
    IrValue sum = n ? ir_sum(p, along(b, jacobian.v, events, n), events, n) : jacobian.v;
    return ir_add(p, sum, lower_log_prob(b, node->var, b->value[node->var->index]));
}

/* Of all that a shifted node moves. */
static IrValue law_of_shift(const Newton *s, const Node *node) {
    return sum_over_plates(s->b, log_law(s, node), node->var->type.plate);
}

/* Does `v` follow from where any node is expanded? */
static bool depends_on_point(const Newton *s, IrValue v) {
    const IrProgram *p = s->b->p;
    IrValue from = s->node[0].here;
    for (int k = 1; k < s->c->n; k++)
        if (s->node[k].here < from) from = s->node[k].here;
    if (v < from) return false;
    bool *depends = arena_array(p->arena, bool, v - from + 1);
    for (int k = 0; k < s->c->n; k++)
        if (s->node[k].here <= v) depends[s->node[k].here - from] = true;
    for (IrValue i = from; i <= v; i++) {
        const IrOp *op = &p->ops.data[i];
        for (int k = 0; k < op->n_args; k++)
            if (op->args[k] >= from && depends[op->args[k] - from]) depends[i - from] = true;
    }
    return depends[v - from];
}

/* Nothing is held, and derivatives are of the points themselves. */
static void hold_nothing(Newton *s) {
    s->n_pulls = 0;
    for (int k = 0; k < s->c->n; k++) s->node[k].point = s->node[k].here;
}

/* Slopes and weights of reweighted data where the nodes are expanded. They are held: what is
 * differentiated from here on knows copies of these points. */
static void hold_weights(Newton *s, PullKind kind) {
    Build *b = s->b;
    hold_nothing(s);
    if (!s->c->reweighted) return;
    Val *outer = saved_values(b);
    for (int k = 0; k < s->c->n; k++) set_value(b, &s->node[k], s->node[k].here);
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        if (!is_reweighted(s->c, var)) continue;
        s->pulled[s->n_pulls] = var;
        s->pull[s->n_pulls++] = pull_of(b, s->c, var, kind, &s->saturated[i]);
    }
    restore_values(b, outer);
    for (int k = 0; k < s->c->n; k++) {
        Node *node = &s->node[k];
        node->point = ir_spread(b->p, node->here, node->axes, node->n_axes + 1);
    }
}

static IrValue sum_of_all(IrProgram *p, IrValue v) {
    const IrOp op = p->ops.data[v];
    return ir_sum(p, v, op.axes, op.n_axes);
}

/* Adds what has the slopes for its gradient, and what has the weights for its curvature along the
 * locations. */
static void add_pulls(Newton *s, IrValue *sloped, IrValue *curved) {
    IrProgram *p = s->b->p;
    for (int i = 0; i < s->n_pulls; i++) {
        const Var *var = s->pulled[i];
        const Pull *pull = &s->pull[i];
        IrValue location = lower_pulled(s->b, s->c, var);
        IrValue apart = ir_square(p, ir_sub(p, location, pull->location));
        IrValue along = ir_mul(p, pull->slope, location);
        IrValue across = ir_mul(p, ir_mul(p, number(s->b, -0.5), pull->weight), apart);
        *sloped = ir_add(p, *sloped, sum_of_all(p, along));
        *curved = ir_add(p, *curved, sum_of_all(p, across));
    }
}

/* Score and curvature, in units of the spreads, of a log density with respect to nodes [0, last]:
 * those of the last one, its rows and columns with the others. `raw`: its gradient; `again`: the
 * one to be differentiated again. */
static void add_curvature(Newton *s, int last, IrValue raw, IrValue again, bool law, IrValue *score,
                          IrValue *matrix) {
    Build *b = s->b;
    IrProgram *p = b->p;
    const Node *node = &s->node[last];
    int from = law ? last : 0;
    IrValue here[MAX_NODES], column[MAX_NODES];
    for (int k = from; k <= last; k++) here[k - from] = s->node[k].point;
    for (int j = 0; j < node->size; j++) {
        int to = node->first + j;
        IrValue slope = entry_of(b, raw, node->flat, j);
        score[to] = entry_mul(b, slope, s->spread[to]);
        /* not `slope`: what reads an entry looks through the spreading of the point */
        IrValue sum = total(b, node, ir_pick(p, again, node->flat, j));
        opt_grad(p, sum, here, last - from + 1, column);
        for (int k = from; k <= last; k++) {
            const Node *other = &s->node[k];
            s->quadratic &= !depends_on_point(s, column[k - from]);
            for (int i = k == last ? j : 0; i < other->size; i++) {
                IrValue h = entry_of(b, column[k - from], other->flat, i);
                if (h != IR_NONE) h = ir_neg(p, h);
                h = entry_mul(b, entry_mul(b, h, s->spread[to]), s->spread[other->first + i]);
                *at(s, matrix, other->first + i, to) = *at(s, matrix, to, other->first + i) = h;
            }
        }
    }
}

/* How the location of node k's law moves with the nodes after it, at every instance of node k: of
 * these copies are made there. */
static void find_slopes(Newton *s, int k) {
    Build *b = s->b;
    IrProgram *p = b->p;
    const Node *node = &s->node[k];
    const Var *var = node->var;
    if (node->shifted || !component_has_parents(s->c, var)) return;
    Val *outer = saved_values(b);
    IrValue copy[MAX_NODES], slope[MAX_NODES];
    int n = 0;
    for (int m = k + 1; m < s->c->n; m++, n++) {
        const Node *parent = &s->node[m];
        copy[n] = ir_spread(p, parent->here, node->axes, node->n_axes);
        set_value(b, parent, copy[n]);
    }
    Val location = lower_expr(b, var->args[location_param(var->dist)]);
    location.n_dims = var->type.n_dims; /* one number for all entries: repeated */
    memcpy(location.dims, var->type.dims, sizeof location.dims);
    IrValue v = flatten(b, to_free(b, var, location), node->flat);
    for (int i = 0; i < node->size; i++) {
        opt_grad(p, total(b, node, ir_pick(p, v, node->flat, i)), copy, n, slope);
        for (int m = k + 1; m < s->c->n; m++)
            for (int j = 0; j < s->node[m].size; j++) {
                int from = s->node[m].first + j, to = node->first + i;
                s->quadratic &= !depends_on_point(s, slope[m - k - 1]);
                IrValue a = entry_of(b, slope[m - k - 1], s->node[m].flat, j);
                a = entry_mul(b, a, s->spread[from]);
                *at(s, s->slopes, to, from) = a == IR_NONE ? a : ir_div(p, a, s->spread[to]);
            }
    }
    restore_values(b, outer);
}

static void clear(IrValue *x, int n) {
    for (int i = 0; i < n; i++) x[i] = IR_NONE;
}

/* Everything at the present point; `kind`: of what hangs on it by reweighted data. false: it is not
 * to be had. */
static bool expand(Newton *s, PullKind kind) {
    Build *b = s->b;
    IrProgram *p = b->p;
    IrValue from = p->ops.n, here[MAX_NODES], raw[MAX_NODES], again[MAX_NODES];
    Val *outer = saved_values(b);
    IrValue *const matrices[] = {s->evidence, s->law, s->slopes, s->factor, s->gain};
    for (size_t i = 0; i < sizeof matrices / sizeof *matrices; i++) clear(matrices[i], s->n * s->n);
    clear(s->law_score, s->n);
    s->quadratic = !s->c->reweighted;
    hold_weights(s, kind);
    for (int k = 0; k < s->c->n; k++) here[k] = s->node[k].point;
    AxisId axes[1 + MAX_TRIAL_AXES];
    IrValue sloped = ir_sum(p, log_data(s), axes, set_axes(s, axes)), curved = sloped;
    add_pulls(s, &sloped, &curved);
    opt_grad(p, sloped, here, s->c->n, raw);
    if (s->n_pulls)
        opt_grad(p, curved, here, s->c->n, again);
    else
        memcpy(again, raw, sizeof again);
    for (int k = 0; k < s->c->n; k++) {
        IrValue own;
        add_curvature(s, k, raw[k], again[k], false, s->score, s->evidence);
        const Node *node = &s->node[k];
        if (node->shifted && component_has_parents(s->c, node->var)) continue;
        IrValue law = total(b, node, node->shifted ? law_of_shift(s, node) : log_law(s, node));
        opt_grad(p, law, &here[k], 1, &own);
        add_curvature(s, k, own, own, true, s->law_score, s->law);
    }
    restore_values(b, outer);
    for (int k = 0; k < s->c->n; k++) find_slopes(s, k);
    for (IrValue v = from; v < p->ops.n; v++)
        if (p->ops.data[v].opcode == OP_DIGAMMA) return false;
    return true;
}

/* ---- the start ---- */

/* A step of entry i of at most so many spreads, beside what brings it to the centre of its law and
 * what the latents after the node carry along. */
static IrValue bounded(const Newton *s, const Node *node, int i, const IrValue *deviation,
                       IrValue step) {
    Build *b = s->b;
    IrProgram *p = b->p;
    const int entry = node->first + i;
    IrValue carried = IR_NONE, longest = number(b, STRIDE);
    for (int u = end_of(node); u < s->n; u++)
        carried = entry_add(b, carried, entry_mul(b, *at(s, s->slopes, entry, u), deviation[u]));
    IrValue own = entry_sub(b, step, carried);
    if (own == IR_NONE) return carried;
    if (s->n_pulls && s->law_score[entry] != IR_NONE)
        longest = ir_add(p, longest, ir_abs(p, s->law_score[entry]));
    own = ir_max(p, ir_min(p, own, longest), ir_neg(p, longest));
    return entry_add(b, own, carried);
}

/* How far the expansion has its mode from the node's entry i, given how far from those after it. */
static IrValue to_mode(const Newton *s, const Node *node, int i, const IrValue *deviation) {
    IrValue d = moved(s, node, i, deviation, s->offset[node->first + i]);
    return s->quadratic ? d : bounded(s, node, i, deviation, d);
}

/* The largest of v over what instances of the node have in common, where v differs within them. */
static IrValue largest_of_node(const Newton *s, const Node *node, IrValue v) {
    const IrOp op = s->b->p->ops.data[v];
    for (int i = 0; i < op.n_axes; i++) {
        bool own = false;
        for (int k = 0; k < node->n_axes; k++) own |= node->axes[k] == op.axes[i];
        if (!own) v = ir_max_over(s->b->p, v, &op.axes[i], 1);
    }
    return v;
}

/* A step that only mends what rounding left of the one before: none, where an entry's is so large
 * that it cannot be that. */
static void small_deviations(const Newton *s, int from, IrValue *deviation) {
    IrProgram *p = s->b->p;
    IrValue largest = number(s->b, 0), zero = largest;
    for (const Node *node = &s->node[s->c->n - 1]; node >= &s->node[from]; node--)
        for (int i = 0; i < node->size; i++)
            deviation[node->first + i] = to_mode(s, node, i, deviation);
    for (int i = s->node[from].first; i < s->n; i++)
        if (deviation[i] != IR_NONE) largest = ir_max(p, largest, ir_abs(p, deviation[i]));
    IrValue small = ir_lt(p, largest, number(s->b, LARGEST_AGAIN));
    for (const Node *node = &s->node[from]; node < &s->node[s->c->n]; node++) {
        IrValue own = largest_of_node(s, node, largest);
        IrValue here = own == largest ? small : ir_lt(p, own, number(s->b, LARGEST_AGAIN));
        for (int i = node->first; i < end_of(node); i++)
            if (deviation[i] != IR_NONE) deviation[i] = ir_select(p, here, deviation[i], zero);
    }
}

/* A step of the nodes, or of the targets alone, to where the expansion has its mode. `again`: it
 * has been there before, but for rounding. */
void newton_step(Newton *s, bool targets_alone, bool again) {
    Build *b = s->b;
    IrProgram *p = b->p;
    IrValue deviation[MAX_ENTRIES];
    int last = targets_alone ? component_drawn(s->c) - s->c->n_targets : 0;
    if (again) small_deviations(s, last, deviation);
    for (int k = s->c->n - 1; k >= last; k--) {
        Node *node = &s->node[k];
        IrValue by[MAX_NODE];
        for (int i = 0; i < node->size; i++) {
            int entry = node->first + i;
            if (!again) deviation[entry] = to_mode(s, node, i, deviation);
            by[i] = scaled(b, s, entry, deviation[entry]);
        }
        IrValue shift = entries_gather(b, by, node->size, node->flat);
        if (shift == IR_NONE) shift = number(b, 0);
        node->here = ir_spread(p, ir_add(p, node->here, shift), node->axes, node->n_axes + 1);
    }
}

Newton *newton_lay_out(Build *b, const Component *c, Axes copies) {
    Newton *s = arena_new_of(b->arena, Newton);
    s->b = b;
    s->c = c;
    s->copies = copies;
    for (int k = 0; k < c->n; k++) {
        Node *node = &s->node[k];
        Type free = model_free_type(c->node[k]);
        node->var = c->node[k];
        node->first = s->n;
        node->size = (int)event_size(&free);
        node->flat = feature_axis(b, node->size);
        node->shifted = c->shifted[k];
        node->plate = component_plate(c, k);
        node->n_axes = instance_axes(b, node->plate, false, node->axes);
        for (int i = 0; i < copies.n; i++) node->axes[node->n_axes++] = copies.axes[i];
        node->axes[node->n_axes] = node->flat;
        for (int i = 0; i < node->size; i++) s->owner[s->n++] = node;
    }
    s->tie = (FlowTie){IR_NONE, IR_NONE};
    IrValue **const all[] = {&s->evidence, &s->law, &s->slopes, &s->factor, &s->gain, &s->before};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        *all[i] = arena_array(b->arena, IrValue, s->n * s->n);
    s->pulled = arena_array(b->arena, const Var *, b->model->vars.n);
    s->pull = arena_array(b->arena, Pull, b->model->vars.n);
    s->saturated = arena_array(b->arena, IrValue, b->model->vars.n);
    for (int i = 0; i < b->model->vars.n; i++) s->saturated[i] = IR_NONE;
    return s;
}

bool newton_expand(Newton *s, PullKind kind) {
    if (!expand(s, kind)) return false;
    eliminate_nodes(s);
    return true;
}

/* Does what the component is expanded with depend on draws? Else it is expanded once per data set.
 */
static bool varies_by_draw(const Build *b, const Component *c, Newton *const *found) {
    const Model *model = b->model;
    for (int i = 0; i < c->n; i++) {
        const Newton *earlier = found[c->node[i]->index];
        if (earlier && earlier->copies.n) return true;
    }
    for (int i = 0; i < model->vars.n; i++) {
        const Var *var = model->vars.data[i];
        if (!component_holds(c, var) && !component_enters(c, var)) continue;
        for (int k = 0; k < model->vars.n; k++) {
            IrValue known = b->value[k].v;
            if (known == IR_NONE || !ir_has_axis(b->p, known, b->draw)) continue;
            for (int j = 0; j < var->dist->n_params; j++)
                if (expr_mentions(var->args[j], model->vars.data[k])) return true;
        }
    }
    return false;
}

static bool all_found(const Newton *s, Newton *const *found) {
    for (int k = 0; k < s->c->n; k++)
        if (!found[s->node[k].var->index]) return false;
    return true;
}

bool newton_begin(Newton *s, Newton *const *found) {
    bool near = found && all_found(s, found);
    if (near) s->saturated = found[s->node[0].var->index]->saturated;
    start_at(s, near ? found : NULL);
    return near;
}

void newton_set_values(Newton *s) {
    for (int k = 0; k < s->c->n; k++) set_value(s->b, &s->node[k], s->node[k].here);
}

/* From where earlier expansions have the nodes, or from the centres of their laws by several steps.
 */
static bool settle_reweighted(Newton *s, Newton **found) {
    const bool near = all_found(s, found);
    start_at(s, near ? found : NULL);
    for (int k = 0; k < APPROACH && !near; k++) {
        if (!newton_expand(s, k ? PULL_STEP : PULL_FIRST)) return false;
        newton_step(s, false, false);
    }
    if (!newton_expand(s, PULL_SETTLED)) return false;
    newton_step(s, false, false);
    for (int k = 0; k < s->c->n; k++) found[s->node[k].var->index] = s;
    return true;
}

Newton *newton_start(Build *b, const Component *c, Newton **found) {
    if (c->n_shifted) {
        Axes copies = {varies_by_draw(b, c, found), {b->draw}};
        return crossed_start(b, c, copies, found);
    }
    bool draws = !c->reweighted || varies_by_draw(b, c, found);
    Newton *s = newton_lay_out(b, c, (Axes){draws, {b->draw}});
    if (c->reweighted) return settle_reweighted(s, found) ? s : NULL;
    start_at(s, NULL);
    bool more = true, again = false;
    for (int k = 0; k < STEPS && more; k++) {
        if (k) newton_step(s, false, false);
        if (!newton_expand(s, PULL_SETTLED)) return NULL;
        again = s->quadratic && k;
        more = s->quadratic ? !k && s->together : true;
    }
    newton_step(s, true, again);
    return s;
}

/* Every node's Gaussian integral about the mode: p there times (2 pi)^(n/2) |Q|^(1/2). (From
 * anywhere else the same follows from g and Q, but nothing would be left of it in f32 where the
 * data are many of their standard deviations away.) */
IrValue newton_log_evidence(Build *b, const Component *c, Axes trials, Newton *const *found) {
    IrProgram *p = b->p;
    Newton *s = newton_lay_out(b, c, trials);
    IrValue shifted = IR_NONE;
    if (c->n_shifted) {
        if (!crossed_settle(s, found, &shifted)) return IR_NONE;
    } else {
        if (c->reweighted && !all_found(s, found)) return IR_NONE;
        start_at(s, c->reweighted ? found : NULL);
        if (!newton_expand(s, PULL_SETTLED)) return IR_NONE;
    }
    if (!c->reweighted && !s->quadratic) return IR_NONE;
    newton_step(s, false, false);
    hold_nothing(s);
    Val *outer = saved_values(b);
    IrValue sum = log_data(s);
    if (shifted != IR_NONE) sum = ir_add(p, sum, shifted);
    for (int k = 0; k < c->n; k++) {
        const Node *node = &s->node[k];
        if (node->shifted) { /* its volume is crossed_settle's */
            if (!component_has_parents(c, node->var)) sum = ir_add(p, sum, law_of_shift(s, node));
            continue;
        }
        IrValue own = ir_add(p, log_law(s, node), number(b, 0.5 * LOG_2PI * node->size));
        for (int i = node->first; i < end_of(node); i++) {
            own = ir_add(p, own, ir_log(p, s->spread[i]));
            own = ir_sub(p, own, ir_log(p, *at(s, s->factor, i, i)));
        }
        sum = ir_add(p, sum, sum_over_plates(b, own, node->var->type.plate));
    }
    restore_values(b, outer);
    return sum;
}

static const Node *first_target(const Newton *s) {
    return &s->node[component_drawn(s->c) - s->c->n_targets];
}

/* The node behind the last target: those from here on are where they are. */
static const Node *last_target(const Newton *s) {
    return &s->node[component_drawn(s->c) - 1];
}

/* The slope of v along an entry of t: spread over the entry of L's diagonal. */
static void add_slope(const Newton *s, int entry, IrValue *log_det) {
    IrProgram *p = s->b->p;
    *log_det = ir_sub(p, *log_det, ir_log(p, *at(s, s->factor, entry, entry)));
    *log_det = ir_add(p, *log_det, ir_log(p, s->spread[entry]));
}

IrValue newton_centre(const Newton *s, AxisId flat) {
    const Node *first = first_target(s);
    IrValue all[MAX_ENTRIES];
    for (const Node *node = first; node <= last_target(s); node++)
        for (int i = 0; i < node->size; i++)
            all[node->first - first->first + i] = entry_of(s->b, node->here, node->flat, i);
    IrValue centre = entries_gather(s->b, all, end_of(last_target(s)) - first->first, flat);
    return centre == IR_NONE ? number(s->b, 0) : centre;
}

FlowTie newton_tie(const Newton *s) {
    return s->tie;
}

IrValue newton_apply(const Newton *s, AxisId flat, IrValue t, IrValue *log_det) {
    Build *b = s->b;
    IrProgram *p = b->p;
    const int n_first = first_target(s)->first;
    IrValue deviation[MAX_ENTRIES], v[MAX_ENTRIES];
    clear(deviation, s->n);
    for (const Node *node = last_target(s); node >= first_target(s); node--) {
        IrValue x[MAX_NODE], l[MAX_NODE * MAX_NODE];
        for (int i = 0; i < node->size; i++) {
            int entry = node->first + i;
            x[i] = ir_pick(p, t, flat, entry - n_first);
            for (int j = 0; j <= i; j++)
                l[i * node->size + j] = *at(s, s->factor, entry, node->first + j);
            add_slope(s, entry, log_det);
        }
        entries_solve_upper(b, l, node->size, x);
        for (int i = 0; i < node->size; i++) {
            int entry = node->first + i;
            deviation[entry] = moved(s, node, i, deviation, x[i]);
            v[entry] = entry_add(b, entry_of(b, node->here, node->flat, i),
                                 scaled(b, s, entry, deviation[entry]));
        }
    }
    return entries_gather(b, &v[n_first], end_of(last_target(s)) - n_first, flat);
}

/* Targets last to first, as in newton_apply: what lies after a node is known before it. */
IrValue newton_undo(const Newton *s, AxisId flat, IrValue v, IrValue *log_det) {
    Build *b = s->b;
    IrProgram *p = b->p;
    const int n_first = first_target(s)->first;
    IrValue deviation[MAX_ENTRIES], t[MAX_ENTRIES];
    clear(deviation, s->n);
    for (const Node *node = last_target(s); node >= first_target(s); node--) {
        IrValue x[MAX_NODE];
        for (int i = 0; i < node->size; i++) {
            int entry = node->first + i;
            IrValue from = entry_of(b, node->here, node->flat, i);
            deviation[entry] = ir_div(p, entry_sub(b, ir_pick(p, v, flat, entry - n_first), from),
                                      s->spread[entry]);
        }
        for (int i = 0; i < node->size; i++) {
            int entry = node->first + i;
            IrValue centre = moved(s, node, i, deviation, IR_NONE);
            x[i] = entry_sub(b, deviation[entry], centre);
        }
        for (int i = 0; i < node->size; i++) { /* L' x */
            int entry = node->first + i;
            IrValue sum = IR_NONE;
            for (int j = i; j < node->size; j++)
                sum = entry_add(b, sum,
                                entry_mul(b, *at(s, s->factor, node->first + j, entry), x[j]));
            t[entry] = sum;
            add_slope(s, entry, log_det);
        }
    }
    return entries_gather(b, &t[n_first], end_of(last_target(s)) - n_first, flat);
}
