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
 * Draws of a, first, are not independent either: given c's uncertainty their mean has less
 * precision than each has. With K = L^-1 C the common slope of a[i]'s score in the shift, in units
 * of a[i]'s own curvature L L', the mean of n of them has 1 - n K B^-1 K' of it, which is where the
 * tie of the flow starts (flow.c). */
#include "dual/expansion.h"
#include "dual/plate.h"

enum { TURNS = 3, TURNS_REWEIGHTED = 5, TURNS_NEAR = 1, MAX_SIDES = 4 };

static const double LEAST_LEFT = 1e-4; /* of the mean's precision */
static const double LEAST_CURVATURE = 1e-12;
static const double ROUNDING = 1e-5; /* of sums over instances, in f32 */

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
    int n = find_sides(s, sides);
    if (!n) return false;
    const bool near = newton_begin(s, found), approach = s->c->reweighted && !near;
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

/* K B^-1 K' of the mean of n instances times n, by entry of the target; l: the factor of B. */
static void taken_by_shift(const Newton *s, const Node *node, const IrValue *l, const int *entry,
                           int n, IrValue *taken) {
    Build *b = s->b;
    const int size = node->size;
    IrValue own[MAX_NODE * MAX_NODE], k[MAX_NODE * MAX_ENTRIES];
    for (int i = 0; i < size; i++)
        for (int j = 0; j <= i; j++)
            own[i * size + j] = *at(s, s->factor, node->first + i, node->first + j);
    for (int u = 0; u < n; u++) {
        IrValue column[MAX_NODE];
        for (int i = 0; i < size; i++) column[i] = *at(s, s->before, node->first + i, entry[u]);
        entries_solve_lower(b, own, size, column);
        for (int i = 0; i < size; i++)
            k[i * n + u] =
                column[i] == IR_NONE ? IR_NONE : sum_over_plates(b, column[i], node->plate);
    }
    for (int i = 0; i < size; i++) {
        taken[i] = IR_NONE;
        entries_solve_lower(b, l, n, &k[i * n]);
        for (int u = 0; u < n; u++)
            if (k[i * n + u] != IR_NONE)
                taken[i] = entry_add(b, taken[i], ir_square(b->p, k[i * n + u]));
        if (taken[i] != IR_NONE)
            taken[i] = ir_mul(b->p, taken[i], instance_share(b, plate_axis(b, node->plate)));
    }
}

/* What is left where instances are alike, |B'| / |B|, which subtracts nothing. */
static IrValue left_if_alike(const Newton *s, const IrValue *l, const int *entry, int n) {
    IrProgram *p = s->b->p;
    IrValue left = number(s->b, 1);
    for (int u = 0; u < n; u++) {
        IrValue after = *at(s, s->factor, entry[u], entry[u]);
        left = ir_mul(p, left, ir_square(p, ir_div(p, after, l[u * n + u])));
    }
    return ir_min(p, left, number(s->b, 1));
}

/* Half the logarithm of what the mean of a target's instances has more of variance than each, by
 * entry. */
static void find_tie(Newton *s) {
    Build *b = s->b;
    IrProgram *p = b->p;
    const Node *node = &s->node[component_drawn(s->c) - 1];
    IrValue l[MAX_ENTRIES * MAX_ENTRIES], taken[MAX_NODE], one = number(b, 1);
    int entry[MAX_ENTRIES], n = shifted_entries(s, NULL, entry);
    factor_of_shift(s, entry, n, l);
    taken_by_shift(s, node, l, entry, n, taken);
    for (int i = 0; i < node->size; i++) {
        if (taken[i] == IR_NONE) continue;
        IrValue rest = ir_max(p, ir_sub(p, one, taken[i]), number(b, 0));
        if (node->size == 1) { /* what is more than that shows that they are not alike */
            IrValue alike = left_if_alike(s, l, entry, n), more = ir_sub(p, rest, alike);
            IrValue some = ir_lt(p, number(b, ROUNDING), more);
            rest = ir_add(p, alike, ir_select(p, some, more, number(b, 0)));
        }
        rest = ir_max(p, rest, number(b, node->size == 1 ? DUAL_TINY : LEAST_LEFT));
        taken[i] = ir_mul(p, number(b, -0.5), ir_log(p, rest));
    }
    s->tie = entries_gather(b, taken, node->size, node->flat);
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
