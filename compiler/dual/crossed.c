/* crossed.c -- Newton steps where the data of a cross tie the instances of two plates to each
 * other: y[i, j] about a[i] + c[j].
 *
 * Given c the a[i] are independent, and given a the c[j] are; but neither are given the data alone,
 * and no order eliminates both instance by instance. What they have in common is mostly that all
 * a[i] may rise while all c[j] fall. So the component keeps a as it is, and of c how far all its
 * instances are moved at once, a few numbers outside all plates (`shifted` nodes): with these its
 * messages up the tree are exact. Where each c[j] is, about which it is moved, is found in turns:
 *
 *     all but c    a step of the component: a, the shift, and latents outside plates
 *     c            a step of each c[j], all else held
 *
 * In a table with all its pairs and a Gaussian law the contrasts of a and those of c do not meet,
 * so that the first turn ends at the mode, and
 *
 *     |P| = product of |P_a[i]| * product of |P_c[j]| * |B'| / |B|
 *
 * where P_a and P_c are blocks of the joint curvature, and B, B' that of the shift before and after
 * a is eliminated. With absent pairs turns converge fast, and the determinant is near; laws that
 * are not Gaussian take one step a turn, bounded as elsewhere.
 *
 * Draws of a, where they come first, are not independent either: given c's uncertainty some
 * direction over the instances, where data are alike that of their mean, has less precision than
 * each has by itself. With K[i] = L^-1 C[i] the slopes of a[i]'s score in the shift, in units of
 * a[i]'s own curvature L L', it is that of K, with 1 - K'K / B of the precision left. There the
 * tie of the flow starts (flow.c). */
#include "dual/expansion.h"
#include "dual/plate.h"

enum { TURNS = 3, TURNS_REWEIGHTED = 5, TURNS_NEAR = 1, MAX_SIDES = 4 };

static const double LEAST_LEFT = 1e-4; /* of precision, as a difference */
static const double LEAST_CURVATURE = 1e-12;

/* The latents of one plate that are shifted, by themselves. */
typedef struct Side {
    Component c;
    Newton *s;
} Side;

static int find_sides(const Newton *s, Side *sides) {
    const Component *c = s->c;
    int n = 0;
    for (int k = 0; k < c->n; k++) {
        if (!c->shifted[k]) continue;
        int i = 0;
        while (i < n && sides[i].c.node[0]->type.plate != c->node[k]->type.plate) i++;
        if (i == MAX_SIDES) return 0;
        if (i == n) sides[n++] = (Side){.c = {.reweighted = c->reweighted}};
        Component *own = &sides[i].c;
        own->node[own->n++] = c->node[k];
        own->n_targets = own->n;
    }
    for (int i = 0; i < n; i++) sides[i].s = newton_lay_out(s->b, &sides[i].c, s->copies);
    for (int i = 0; i < n; i++) sides[i].s->saturated = s->saturated; /* of data alone */
    return n;
}

static Node *shifted_node(Newton *s, const Var *var) {
    Node *node = s->node;
    while (node->var != var) node++;
    return node;
}

/* One step of each of the side's instances, all else held where it is. */
static bool turn_side(Newton *s, Side *side, PullKind kind) {
    Build *b = s->b;
    Val *outer = arena_array(b->arena, Val, b->model->vars.n + 1);
    memcpy(outer, b->value, sizeof *outer * (size_t)b->model->vars.n);
    newton_set_values(s);
    for (int k = 0; k < side->c.n; k++) b->value[side->c.node[k]->index].v = IR_NONE;
    newton_begin(side->s, NULL); /* for the spreads */
    for (int k = 0; k < side->c.n; k++) {
        Node *node = &side->s->node[k];
        const Node *moved = shifted_node(s, node->var);
        IrValue here = ir_add(b->p, moved->base, moved->here);
        node->here = ir_spread(b->p, here, node->axes, node->n_axes + 1);
    }
    bool served = newton_expand(side->s, kind);
    if (served) newton_step(side->s, false, false);
    for (int k = 0; k < side->c.n && served; k++) {
        Node *moved = shifted_node(s, side->s->node[k].var);
        moved->base = side->s->node[k].here;
        moved->here = ir_spread(b->p, number(b, 0), moved->axes, moved->n_axes + 1);
    }
    /* copies: what is moved follows from where the nodes are, and is no function of where they go
     */
    for (int k = 0; k < s->c->n; k++) {
        Node *node = &s->node[k];
        node->here = ir_spread(b->p, node->here, node->axes, node->n_axes + 1);
    }
    memcpy(b->value, outer, sizeof *outer * (size_t)b->model->vars.n);
    return served;
}

/* The entries of the shifted nodes in one plate (NULL: in any) into `entry`; returns how many. */
static int shifted_entries(const Newton *s, const Plate *plate, int *entry) {
    int n = 0;
    for (int k = 0; k < s->c->n; k++) {
        const Node *node = &s->node[k];
        if (!node->shifted || (plate && node->var->type.plate != plate)) continue;
        for (int i = node->first; i < end_of(node); i++) entry[n++] = i;
    }
    return n;
}

/* The factor of the shifts' curvature before the watched node was eliminated. */
static void factor_of_shift(const Newton *s, const int *entry, int n, IrValue *l) {
    IrValue h[MAX_ENTRIES * MAX_ENTRIES];
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            IrValue law = *at(s, s->law, entry[i], entry[j]);
            h[i * n + j] = entry_add(s->b, *at(s, s->before, entry[i], entry[j]), law);
            if (i == j && h[i * n + j] == IR_NONE) h[i * n + j] = number(s->b, 0);
        }
    entries_factor(s->b, h, n, number(s->b, LEAST_CURVATURE), l);
}

/* See crossed_settle: (2 pi)^(n/2) / sqrt of product of |P_c[j]| * |B'| / |B|, its logarithm. */
static IrValue volume(const Newton *s, const Side *sides, int n_sides) {
    static const double LOG_2PI = 1.8378770664093454836;
    Build *b = s->b;
    IrProgram *p = b->p;
    IrValue sum = number(b, 0);
    for (int i = 0; i < n_sides; i++) {
        const Newton *own = sides[i].s;
        IrValue each = number(b, 0.5 * LOG_2PI * own->n), l[MAX_ENTRIES * MAX_ENTRIES];
        for (int k = 0; k < own->n; k++) {
            each = ir_add(p, each, ir_log(p, own->spread[k]));
            each = ir_sub(p, each, ir_log(p, *at(own, own->factor, k, k)));
        }
        const Plate *plate = sides[i].c.node[0]->type.plate;
        int entry[MAX_ENTRIES], n = shifted_entries(s, plate, entry);
        sum = ir_add(p, sum, sum_over_plates(b, each, plate));
        factor_of_shift(s, entry, n, l);
        for (int k = 0; k < n; k++) {
            sum = ir_add(p, sum, ir_log(p, l[k * n + k]));
            sum = ir_sub(p, sum, ir_log(p, *at(s, s->factor, entry[k], entry[k])));
        }
    }
    return sum;
}

bool crossed_settle(Newton *s, Newton *const *found, IrValue *log_volume) {
    Side sides[MAX_SIDES];
    const bool near = newton_begin(s, found), approach = s->c->reweighted && !near;
    int n = find_sides(s, sides);
    if (!n) return false;
    const int turns = near ? TURNS_NEAR : approach ? TURNS_REWEIGHTED : TURNS;
    for (int turn = 0; turn < turns; turn++) {
        PullKind kind = !approach ? PULL_SETTLED : turn ? PULL_STEP : PULL_FIRST;
        if (!newton_expand(s, kind)) return false;
        newton_step(s, false, false);
        for (int i = 0; i < n; i++)
            if (!turn_side(s, &sides[i], kind)) return false;
    }
    if (!newton_expand(s, PULL_SETTLED)) return false;
    if (log_volume) *log_volume = volume(s, sides, n);
    return true;
}

/* K, [size * n]: the slope of each entry of the target's score in each shift, in units of the
 * target's own curvature L L'. */
static void slopes_in_shift(const Newton *s, const Node *node, const int *entry, int n,
                            IrValue *k) {
    Build *b = s->b;
    const int size = node->size;
    IrValue own[MAX_NODE * MAX_NODE];
    for (int i = 0; i < size; i++)
        for (int j = 0; j <= i; j++)
            own[i * size + j] = *at(s, s->factor, node->first + i, node->first + j);
    for (int u = 0; u < n; u++) {
        IrValue column[MAX_NODE];
        for (int i = 0; i < size; i++) column[i] = *at(s, s->before, node->first + i, entry[u]);
        entries_solve_lower(b, own, size, column);
        for (int i = 0; i < size; i++) k[i * n + u] = column[i];
    }
}

/* K'v, summed over instances, and with l, the factor of B, L_B^-1 of it. */
static void seen_by_shift(Build *b, const Node *node, const IrValue *k, int n, IrValue v,
                          const IrValue *l, IrValue *seen) {
    for (int u = 0; u < n; u++) {
        seen[u] = entry_mul(b, k[u], v);
        if (seen[u] != IR_NONE) seen[u] = sum_over_plates(b, seen[u], node->plate);
    }
    entries_solve_lower(b, l, n, seen);
}

/* The direction, over the instances, in which most precision is lost: one power iteration from
 * where all are alike, which ends there where one number is shifted. Of unit length. */
static IrValue direction_of(Build *b, const Node *node, const IrValue *k, int n, const IrValue *l) {
    static const double NOTHING = 1e-20;
    IrProgram *p = b->p;
    IrValue w[MAX_ENTRIES], v = IR_NONE, share = instance_share(b, plate_axis(b, node->plate));
    seen_by_shift(b, node, k, n, number(b, 1), l, w);
    entries_solve_upper(b, l, n, w);
    for (int u = 0; u < n; u++) v = entry_add(b, v, entry_mul(b, k[u], w[u]));
    if (v == IR_NONE) return v;
    IrValue square = sum_over_plates(b, ir_square(p, v), node->plate);
    IrValue some = ir_lt(p, number(b, NOTHING), square);
    IrValue length = ir_sqrt(p, ir_select(p, some, square, number(b, 1)));
    return ir_select(p, some, ir_div(p, v, length), ir_sqrt(p, share));
}

/* 1 - v'K B^-1 K'v; where that is |B'| / |B|, so computed: it subtracts nothing. */
static IrValue left_along(const Newton *s, const Node *node, const IrValue *k, int n,
                          const int *entry, const IrValue *l, IrValue v) {
    Build *b = s->b;
    IrProgram *p = b->p;
    IrValue w[MAX_ENTRIES], left = number(b, 1);
    if (node->size == 1 && n == 1) {
        IrValue ratio = ir_div(p, *at(s, s->factor, entry[0], entry[0]), l[0]);
        return ir_min(p, ir_square(p, ratio), left);
    }
    seen_by_shift(b, node, k, n, v, l, w);
    for (int u = 0; u < n; u++)
        if (w[u] != IR_NONE) left = ir_sub(p, left, ir_square(p, w[u]));
    return ir_max(p, left, number(b, LEAST_LEFT));
}

static void find_tie(Newton *s) {
    Build *b = s->b;
    IrProgram *p = b->p;
    const Node *node = &s->node[component_drawn(s->c) - 1];
    IrValue l[MAX_ENTRIES * MAX_ENTRIES], k[MAX_NODE * MAX_ENTRIES];
    IrValue along[MAX_NODE], more[MAX_NODE];
    int entry[MAX_ENTRIES], n = shifted_entries(s, NULL, entry);
    factor_of_shift(s, entry, n, l);
    slopes_in_shift(s, node, entry, n, k);
    for (int i = 0; i < node->size; i++) {
        IrValue v = direction_of(b, node, &k[i * n], n, l);
        more[i] = IR_NONE;
        along[i] = v;
        if (v == IR_NONE) { /* nothing ties this entry */
            IrValue share = instance_share(b, plate_axis(b, node->plate));
            along[i] = ir_sqrt(p, share);
            continue;
        }
        IrValue left = left_along(s, node, &k[i * n], n, entry, l, v);
        more[i] = ir_mul(p, number(b, -0.5), ir_log(p, ir_max(p, left, number(b, DUAL_TINY))));
    }
    s->tie.more = entries_gather(b, more, node->size, node->flat);
    s->tie.along = entries_gather(b, along, node->size, node->flat);
}

Newton *crossed_start(Build *b, const Component *c, Axes copies, Newton **found) {
    Newton *s = newton_lay_out(b, c, copies);
    const bool in_plate = component_drawn(c) < c->n;
    s->watched = in_plate ? component_drawn(c) - 1 : 0;
    if (!crossed_settle(s, found, NULL)) return NULL;
    newton_step(s, true, s->quadratic);
    if (in_plate) find_tie(s);
    for (int k = 0; k < c->n; k++) found[c->node[k]->index] = s;
    return s;
}
