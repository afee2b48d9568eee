/* sweep_keep.c -- what one sweep computes of an instance and a later one reads: is it kept, or
 * computed again from what is kept?
 *
 * Costs are in vector operations and count roughly. A value is kept if having it again from what is
 * kept would cost more than some multiple of its size; the multiple is the one of a few for which
 * the whole, keeping and computing again, costs least. So outputs of layers are kept, or nothing
 * but the data, and what lies between never is.
 *
 * Twice, for values that all tiles must outlast, and for those that readers in the same tile of an
 * outer sweep want.
 */
#include "opt/sweep.h"

enum { FUNCTION = 12, MAX_CHAIN = 2000 }; /* the cost of a function; operations in a row */

/* Of keeping a number: written once and read once, in the cache or in memory; the latter where all
 * that could be kept is larger than KEPT_BYTES. */
enum { CACHED = 6, STORED = 48, KEPT_BYTES = 2 << 20 };

typedef struct Keep {
    const Plan *p;
    Reach reach;  /* readers this far, */
    double price; /* and what it costs to keep a number for them */
    bool *asked;  /* by node: such a reader wants it */
    bool *needed; /* so it does, or what is computed again for one */
    bool *again;
    double limit; /* of a search for what an instance costs */
    int *seen, search;
} Keep;

Reach sweep_reach(const Plan *p, int from, int at) {
    int sweep = p->segments.data[from].sweep;
    int common = sweep_common(p->s, sweep, p->segments.data[at].sweep);
    return common == sweep ? WITHIN_REACH : common >= 0 ? AN_OUTER_TILE : ALL_TILES;
}

static const Node *node_of(const Keep *k, int v) {
    return &k->p->s->nodes.data[v];
}

static int read_of(const Keep *k, int v, int i) {
    return schedule_base(k->p->s, node_of(k, v)->op.args[i]).node;
}

/* Whether the node's value can be had again at the same instance from what it reads, and is large
 * enough for that to be a question: over more than the axes of its sweep, or of one inside another.
 */
static bool repeatable(const Keep *k, int v) {
    const Schedule *s = k->p->s;
    const Node *node = node_of(k, v);
    if (!schedule_computes(node)) return false;
    int sweep = k->p->segments.data[k->p->home[v]].sweep;
    if (sweep < 0 || node->output >= 0 || node->op.opcode == OP_INPUT || node->rows) return false;
    if (node->class != NODE_POINT && node->class != NODE_REDUCE) return false;
    if (node->space != node->loops || schedule_lane_reduced(node)) return false;
    if (node->lane != s->out->lane && node->lane != AXIS_NONE) return false; /* all tiles at once */
    if (s->out->sweeps.data[sweep].outer >= 0) return true;
    for (int i = 0; i < s->n_loop_axes; i++)
        if (node->loops >> i & 1 && sweep_over(s, sweep, s->loop_axes[i]) < 0) return true;
    return false;
}

/* ---- costs ---- */

static double numbers(const Keep *k, int v) {
    return (double)schedule_event_count(k->p->s, node_of(k, v)->events, node_of(k, v)->n_events);
}

static double instances(const Keep *k, int v) {
    const Schedule *s = k->p->s;
    double n = 1;
    for (int i = 0; i < s->n_loop_axes; i++)
        if (node_of(k, v)->loops >> i & 1) n *= (double)sweep_usual(s, s->loop_axes[i]);
    return n;
}

static double own_cost(const Keep *k, int v) {
    const Node *node = node_of(k, v);
    bool function = ir_op_info[node->op.opcode].cost == COST_FUNCTION;
    return (double)schedule_event_count(k->p->s, node->space_events, node->n_space_events) *
           (function ? FUNCTION : 1);
}

/* Adds what `v` and all that has to be computed again for it cost, as far as the limit; more than
 * the limit where that takes too long a chain. */
static double cost_again(Keep *k, int v, double cost, int depth) {
    k->seen[v] = k->search;
    cost += depth < MAX_CHAIN ? own_cost(k, v) : k->limit + 1;
    for (int i = 0; i < node_of(k, v)->op.n_args && cost <= k->limit; i++) {
        int read = read_of(k, v, i);
        if (k->again[read] && k->seen[read] != k->search)
            cost = cost_again(k, read, cost, depth + 1);
    }
    return cost;
}

/* ---- a choice, and what it costs ---- */

static void choose(Keep *k, double multiple) {
    for (int v = 0; v < k->p->s->nodes.n; v++) {
        k->again[v] = false;
        if (!repeatable(k, v)) continue;
        k->limit = multiple * numbers(k, v);
        k->search++;
        k->again[v] = cost_again(k, v, 0, 0) <= k->limit;
    }
}

static double total_cost(Keep *k) {
    int n = k->p->s->nodes.n;
    double cost = 0;
    memcpy(k->needed, k->asked, sizeof *k->needed * (size_t)n);
    for (int v = n - 1; v >= 0; v--) {
        if (!k->needed[v] || !repeatable(k, v)) continue;
        cost += instances(k, v) * (k->again[v] ? own_cost(k, v) : k->price * numbers(k, v));
        for (int i = 0; k->again[v] && i < node_of(k, v)->op.n_args; i++)
            k->needed[read_of(k, v, i)] = true;
    }
    return cost;
}

static void note_asked(Keep *k) {
    for (int v = 0; v < k->p->s->nodes.n; v++) {
        if (!schedule_computes(node_of(k, v))) continue;
        for (int i = 0; i < node_of(k, v)->op.n_args; i++) {
            int read = read_of(k, v, i);
            if (schedule_computes(node_of(k, read)) &&
                sweep_reach(k->p, k->p->home[read], k->p->home[v]) == k->reach)
                k->asked[read] = true;
        }
    }
}

static double price_of(const Keep *k) {
    const Schedule *s = k->p->s;
    double bytes = 0;
    if (k->reach != ALL_TILES || s->keep == KEEP_ALL) return CACHED;
    for (int v = 0; v < s->nodes.n; v++)
        if (k->asked[v] && repeatable(k, v))
            bytes += numbers(k, v) * instances(k, v) * s->out->lanes * (s->out->f64 ? 8 : 4);
    return s->keep == KEEP_BY_SIZE && bytes <= KEPT_BYTES ? CACHED : STORED;
}

Repeated sweep_choose_repeated(Plan *p) {
    static const double multiples[] = {1, 4, 16, 48, 128, 512, 1e6};
    int n = p->s->nodes.n;
    Repeated out = {{NULL}};
    for (Reach reach = AN_OUTER_TILE; reach <= ALL_TILES; reach++) {
        Keep *k = &(Keep){.p = p,
                          .reach = reach,
                          .asked = arena_array(p->s->arena, bool, n + 1),
                          .needed = arena_array(p->s->arena, bool, n + 1),
                          .again = arena_array(p->s->arena, bool, n + 1),
                          .seen = arena_array(p->s->arena, int, n + 1)};
        out.beyond[reach] = arena_array(p->s->arena, bool, n + 1);
        note_asked(k);
        k->price = price_of(k);
        double least = 0;
        for (size_t i = 0; i < sizeof multiples / sizeof *multiples; i++) {
            choose(k, multiples[i]);
            double cost = total_cost(k);
            if (i && cost >= least) continue;
            least = cost;
            memcpy(out.beyond[reach], k->again, sizeof *k->again * (size_t)n);
        }
    }
    return out;
}
