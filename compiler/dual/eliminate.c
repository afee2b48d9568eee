/* eliminate.c -- integrates the nodes of an expansion out, one after another, innermost plates
 * first; those outside all plates at once. See newton.c for the forms. */
#include "dual/expansion.h"
#include "dual/plate.h"

static const double LEAST_CURVATURE = 0.1; /* of the law's own */
static const double NO_CURVATURE = 1e-20;

/* ---- one node ---- */

static IrValue dot(Build *b, const IrValue *x, const IrValue *y, int n) {
    IrValue sum = IR_NONE;
    for (int i = 0; i < n; i++) sum = entry_add(b, sum, entry_mul(b, x[i], y[i]));
    return sum;
}

/* The law of what is moved is among the evidence where other nodes are in it. */
static double least_of(const Newton *s, const Node *node) {
    return node->shifted && component_has_parents(s->c, node->var) ? NO_CURVATURE : LEAST_CURVATURE;
}

/* What one node is to a later entry u: columns of A, C, W, V, W - V and J A. */
typedef struct Column {
    int u;
    IrValue a[MAX_NODE], c[MAX_NODE], w[MAX_NODE], v[MAX_NODE], gain[MAX_NODE], ja[MAX_NODE];
    IrValue by; /* A0 of a node that is turned, else IR_NONE */
} Column;

/* Block `matrix` of the node times x. */
static void times_block(const Newton *s, const Node *node, IrValue *matrix, const IrValue *x,
                        IrValue *out) {
    for (int i = 0; i < node->size; i++) {
        out[i] = IR_NONE;
        for (int k = 0; k < node->size; k++) {
            IrValue h = *at(s, matrix, node->first + i, node->first + k);
            out[i] = entry_add(s->b, out[i], entry_mul(s->b, h, x[k]));
        }
    }
}

static void solve(Build *b, const IrValue *l, int n, IrValue *x) {
    entries_solve_lower(b, l, n, x);
    entries_solve_upper(b, l, n, x);
}

static bool fill_column(Newton *s, const Node *node, const IrValue *l, int u, Column *col) {
    Build *b = s->b;
    bool any = false;
    col->u = u;
    col->by = IR_NONE;
    for (int i = 0; i < node->size; i++) {
        col->a[i] = *at(s, s->slopes, node->first + i, u);
        col->c[i] = col->v[i] = *at(s, s->evidence, node->first + i, u);
        any |= col->a[i] != IR_NONE || col->c[i] != IR_NONE;
    }
    if (!any) return false;
    times_block(s, node, s->law, col->a, col->w);
    times_block(s, node, s->evidence, col->a, col->ja);
    solve(b, l, node->size, col->w);
    solve(b, l, node->size, col->v);
    for (int i = 0; i < node->size; i++)
        *at(s, s->gain, node->first + i, u) = col->gain[i] = entry_sub(b, col->w[i], col->v[i]);
    return true;
}

/* coefficient * x summed from the instances of `plate` up to those of `outer`; the coefficient
 * where it has the axis, else outside the sum. */
static IrValue carried(Build *b, IrValue coefficient, IrValue x, const Plate *plate,
                       const Plate *outer) {
    if (coefficient == IR_NONE || x == IR_NONE) return IR_NONE;
    for (const Plate *q = plate; q != outer; q = q->parent) {
        if (coefficient != IR_NONE && ir_has_axis(b->p, coefficient, plate_axis(b, q))) {
            x = entry_mul(b, coefficient, x);
            coefficient = IR_NONE;
        }
        x = sum_up_to(b, x, q, q->parent);
    }
    return coefficient == IR_NONE ? x : entry_mul(b, coefficient, x);
}

/* What the node's evidence says of two later entries together. */
static void add_to_curvature(Newton *s, const Node *node, const Column *x, const Column *y) {
    Build *b = s->b;
    IrValue term = dot(b, x->ja, y->w, node->size);
    term = entry_add(b, term, dot(b, x->w, y->c, node->size));
    term = entry_add(b, term, dot(b, x->c, y->gain, node->size));
    if (term == IR_NONE) return;
    const Plate *px = s->owner[x->u]->plate, *py = s->owner[y->u]->plate;
    term = sum_up_to(b, term, node->plate, plate_within(px, py) ? px : py);
    IrValue whole = *at(s, s->evidence, x->u, y->u);
    term = entry_add(b, whole, term);
    if (x->u == y->u) term = entry_above_rounding(b, term, whole);
    *at(s, s->evidence, x->u, y->u) = *at(s, s->evidence, y->u, x->u) = term;
}

static void add_to_score(Newton *s, const Node *node, const Column *x, const IrValue *qo) {
    Build *b = s->b;
    const Plate *plate = node->plate, *outer = s->owner[x->u]->plate;
    IrValue *score = &s->score[x->u];
    for (int i = 0; i < node->size; i++) {
        IrValue g = s->score[node->first + i], h = entry_add(b, x->ja[i], x->c[i]);
        *score = entry_add(b, *score, carried(b, x->gain[i], g, plate, outer));
        *score = entry_sub(b, *score, carried(b, h, qo[i], plate, outer));
    }
}

/* ---- turned nodes ----
 *
 * Where the data see the sum of a node and a later entry, a[i] + u, and are sharp, what they say of
 * u is nearly lost again when a is integrated out: B - sum C^2 / (P + J) would be the difference of
 * large numbers. A node of one number is therefore taken as x = w + A0 u with A0 = C / J, in which
 * the data see no more of u than they do beside it:
 *
 *     C~ = 0    A~ = A + A0    B~ = B - sum J A0^2    g~ = g - sum A0 g_w
 *
 * and B~, where it is within rounding of nothing, is nothing. */

static const double ROUNDING = 1e-5; /* of sums over instances, in f32 */

static void turn_column(Newton *s, const Node *node, const IrValue *l, Column *col) {
    Build *b = s->b;
    IrProgram *p = b->p;
    IrValue j = *at(s, s->evidence, node->first, node->first), *c = col->c;
    if (!s->c->n_shifted || node->size > 1 || c[0] == IR_NONE || j == IR_NONE) return;
    col->by = ir_div(p, c[0], ir_max(p, j, number(b, NO_CURVATURE)));
    col->a[0] = entry_add(b, col->a[0], col->by);
    c[0] = col->v[0] = IR_NONE;
    times_block(s, node, s->law, col->a, col->w);
    times_block(s, node, s->evidence, col->a, col->ja);
    solve(b, l, node->size, col->w);
    col->gain[0] = col->w[0]; /* of x; the node's own stays as it is */
}

/* 1 where something is left of the entry beside the node, else 0. */
static IrValue something_left(Newton *s, const Node *node, const Column *col) {
    Build *b = s->b;
    IrProgram *p = b->p;
    IrValue j = *at(s, s->evidence, node->first, node->first);
    IrValue whole = *at(s, s->evidence, col->u, col->u);
    IrValue seen = ir_mul(p, j, ir_square(p, col->by));
    seen = sum_up_to(b, seen, node->plate, s->owner[col->u]->plate);
    if (whole == IR_NONE) return number(b, 0);
    IrValue left = ir_sub(p, whole, seen);
    IrValue some = ir_lt(p, ir_mul(p, number(b, ROUNDING), whole), left);
    return ir_select(p, some, number(b, 1), number(b, 0));
}

/* Takes what the turned columns see together with the node out of the evidence of later entries. */
static void turn_evidence(Newton *s, const Node *node, const Column *columns, int n) {
    Build *b = s->b;
    IrProgram *p = b->p;
    IrValue keep[MAX_ENTRIES], by[MAX_ENTRIES];
    IrValue j = *at(s, s->evidence, node->first, node->first);
    for (int u = 0; u < s->n; u++) keep[u] = by[u] = IR_NONE;
    for (int i = 0; i < n; i++) {
        const int u = columns[i].u;
        if (columns[i].by == IR_NONE) continue;
        by[u] = columns[i].by;
        keep[u] = something_left(s, node, &columns[i]);
        IrValue seen = entry_mul(b, by[u], s->score[node->first]);
        if (seen != IR_NONE) seen = sum_up_to(b, seen, node->plate, s->owner[u]->plate);
        s->score[u] = entry_mul(b, keep[u], entry_sub(b, s->score[u], seen));
    }
    for (int x = end_of(node); x < s->n; x++)
        for (int y = end_of(node); y <= x; y++) {
            IrValue whole = *at(s, s->evidence, x, y);
            if (keep[x] == IR_NONE && keep[y] == IR_NONE) continue;
            if (by[x] != IR_NONE && by[y] != IR_NONE) {
                const Plate *px = s->owner[x]->plate, *py = s->owner[y]->plate;
                IrValue seen = ir_mul(p, j, ir_mul(p, by[x], by[y]));
                seen = sum_up_to(b, seen, node->plate, plate_within(px, py) ? px : py);
                whole = entry_sub(b, whole, seen);
            }
            if (keep[x] != IR_NONE) whole = entry_mul(b, keep[x], whole);
            if (keep[y] != IR_NONE && x != y) whole = entry_mul(b, keep[y], whole);
            *at(s, s->evidence, x, y) = *at(s, s->evidence, y, x) = whole;
        }
}

/* Integrates node k out: what hangs on it becomes evidence of the nodes after it. */
static void eliminate(Newton *s, int k) {
    Build *b = s->b;
    const Node *node = &s->node[k];
    int size = node->size, n_columns = 0;
    IrValue h[MAX_NODE * MAX_NODE], qo[MAX_NODE], l[MAX_NODE * MAX_NODE];
    Column *columns = arena_array(b->arena, Column, s->n);
    for (int i = 0; i < size; i++)
        for (int j = 0; j <= i; j++) {
            int to = node->first + i, from = node->first + j;
            h[i * size + j] = entry_add(b, *at(s, s->law, to, from), *at(s, s->evidence, to, from));
            if (i == j && h[i * size + j] == IR_NONE) h[i * size + j] = number(b, 0);
        }
    entries_factor(b, h, size, number(b, least_of(s, node)), l);
    for (int i = 0; i < size; i++) {
        for (int j = 0; j <= i; j++)
            *at(s, s->factor, node->first + i, node->first + j) = l[i * size + j];
        qo[i] = s->law_score[node->first + i];
        s->offset[node->first + i] = entry_add(b, s->score[node->first + i], qo[i]);
    }
    solve(b, l, size, qo);
    solve(b, l, size, &s->offset[node->first]);
    for (int u = end_of(node); u < s->n; u++)
        n_columns += fill_column(s, node, l, u, &columns[n_columns]);
    for (int x = 0; x < n_columns; x++) turn_column(s, node, l, &columns[x]);
    turn_evidence(s, node, columns, n_columns);
    for (int x = 0; x < n_columns; x++) {
        add_to_score(s, node, &columns[x], qo);
        for (int y = 0; y <= x; y++) add_to_curvature(s, node, &columns[x], &columns[y]);
    }
}

/* ---- all outside plates ---- */

/* The first of the last nodes that stand outside all plates and are taken together, so that nothing
 * has to be summed over instances: where there are several, and all is quadratic. */
static int first_together(const Newton *s) {
    int k = s->c->n;
    if (!s->quadratic) return k;
    while (k > 0 && !s->node[k - 1].plate) k--;
    return k + 1 < s->c->n ? k : s->c->n;
}

/* The factor of the curvature of the joint law of all entries from `first` on, w before u: that of
 * (w - A u)'P(w - A u) + ... is L_P beside w, and -A'L_P below it. */
static void factor_of_laws(Newton *s, int from, int first, IrValue *l) {
    Build *b = s->b;
    const int n = s->n - first;
    for (int i = 0; i < n * n; i++) l[i] = IR_NONE;
    for (const Node *node = &s->node[from]; node < s->node + s->c->n; node++) {
        const int size = node->size, at_node = node->first - first;
        IrValue h[MAX_NODE * MAX_NODE], own[MAX_NODE * MAX_NODE];
        for (int i = 0; i < size; i++)
            for (int j = 0; j <= i; j++) {
                h[i * size + j] = *at(s, s->law, node->first + i, node->first + j);
                if (i == j && h[i * size + j] == IR_NONE) h[i * size + j] = number(b, 0);
            }
        entries_factor(b, h, size, number(b, least_of(s, node)), own);
        for (int j = 0; j < size; j++) {
            for (int i = j; i < size; i++) l[(at_node + i) * n + at_node + j] = own[i * size + j];
            for (int u = end_of(node); u < s->n; u++) {
                IrValue sum = IR_NONE;
                for (int i = j; i < size; i++)
                    sum = entry_sub(
                        b, sum,
                        entry_mul(b, *at(s, s->slopes, node->first + i, u), own[i * size + j]));
                l[(u - first) * n + at_node + j] = sum;
            }
        }
    }
}

/* The scores of the laws and of the evidence, of all entries from `first` on. */
static void joint_score(const Newton *s, int from, int first, IrValue *score) {
    Build *b = s->b;
    for (int i = first; i < s->n; i++)
        score[i - first] = entry_add(b, s->score[i], s->law_score[i]);
    for (const Node *node = &s->node[from]; node < s->node + s->c->n; node++)
        for (int i = node->first; i < end_of(node); i++)
            for (int u = end_of(node); u < s->n; u++)
                score[u - first] = entry_sub(
                    b, score[u - first], entry_mul(b, *at(s, s->slopes, i, u), s->law_score[i]));
}

/* Nodes from `from` on at once, by the factor L of the curvature of laws and evidence together. One
 * after another, what two of them have in common with the data (an intercept, and effects about it)
 * would have to come out of the difference of two large numbers. With L L' x = score, y = L^-1
 * score and L in blocks w = L_ww'^-1 (y_w - L_uw' u) is what eliminate() has as gain and offset. */
static void eliminate_together(Newton *s, int from) {
    Build *b = s->b;
    const int first = s->node[from].first, n = s->n - first;
    IrValue *l = arena_array(b->arena, IrValue, n * n), *h = arena_array(b->arena, IrValue, n * n);
    IrValue *y = arena_array(b->arena, IrValue, n);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) h[i * n + j] = *at(s, s->evidence, first + i, first + j);
    factor_of_laws(s, from, first, l);
    entries_update(b, h, n, l);
    joint_score(s, from, first, y);
    entries_solve_lower(b, l, n, y);
    for (const Node *node = &s->node[from]; node < s->node + s->c->n; node++) {
        const int size = node->size, at_node = node->first - first;
        IrValue own[MAX_NODE * MAX_NODE], x[MAX_NODE];
        for (int i = 0; i < size; i++)
            for (int j = 0; j <= i; j++)
                *at(s, s->factor, node->first + i, node->first + j) = own[i * size + j] =
                    l[(at_node + i) * n + at_node + j];
        for (int u = end_of(node); u < s->n; u++) {
            for (int i = 0; i < size; i++)
                x[i] = entry_sub(b, IR_NONE, l[(u - first) * n + at_node + i]);
            entries_solve_upper(b, own, size, x);
            for (int i = 0; i < size; i++) *at(s, s->gain, node->first + i, u) = x[i];
        }
        memcpy(&s->offset[node->first], &y[at_node], sizeof *y * (size_t)size);
        entries_solve_upper(b, own, size, &s->offset[node->first]);
    }
}

void eliminate_nodes(Newton *s) {
    const int from = first_together(s);
    s->together = from < s->c->n;
    for (int k = 0; k < s->c->n; k++) {
        if (k == s->watched && s->c->n_shifted)
            memcpy(s->before, s->evidence, sizeof *s->before * (size_t)(s->n * s->n));
        if (k < from) eliminate(s, k);
    }
    if (s->together) eliminate_together(s, from);
}
