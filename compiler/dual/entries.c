/* entries.c -- see entries.h. Derivatives are read entry by entry: most of a gradient's entries
 * were placed, padded or spread by the sweep, and are zeros, ones or values of fewer axes when
 * taken out of it again. */
#include "dual/entries.h"

enum { MAX_READ = 12 }; /* operations that one reading looks through, in depth */

static const double ROUNDING = 1e-6; /* some units in the last place of f32 */

static bool is_number(const IrProgram *p, IrValue v, double x) {
    return p->ops.data[v].opcode == OP_CONST && p->ops.data[v].number == x;
}

IrValue entry_add(Build *b, IrValue x, IrValue y) {
    return x == IR_NONE ? y : y == IR_NONE ? x : ir_add(b->p, x, y);
}

IrValue entry_sub(Build *b, IrValue x, IrValue y) {
    return y == IR_NONE ? x : x == IR_NONE ? ir_neg(b->p, y) : ir_sub(b->p, x, y);
}

IrValue entry_mul(Build *b, IrValue x, IrValue y) {
    if (x == IR_NONE || y == IR_NONE) return IR_NONE;
    return is_number(b->p, x, 1) ? y : is_number(b->p, y, 1) ? x : ir_mul(b->p, x, y);
}

IrValue entry_above_rounding(Build *b, IrValue x, IrValue whole) {
    if (x == IR_NONE || whole == IR_NONE || x == whole) return x;
    return ir_max(b->p, x, ir_mul(b->p, number(b, ROUNDING), whole));
}

static IrValue read(Build *b, IrValue v, AxisId axis, int64_t i, int depth);

/* A point-wise operation: of the operands' entries. */
static IrValue read_point(Build *b, const IrOp *op, AxisId axis, int64_t i, int depth) {
    IrProgram *p = b->p;
    IrValue x = read(b, op->args[0], axis, i, depth);
    if (op->opcode == OP_NEG) return x == IR_NONE ? x : ir_neg(p, x);
    if (x == IR_NONE && (op->opcode == OP_DIV || op->opcode == OP_MUL)) return x;
    IrValue y = read(b, op->args[1], axis, i, depth);
    if (op->opcode == OP_DIV) return ir_div(p, x, y == IR_NONE ? number(b, 0) : y);
    return op->opcode == OP_MUL ? entry_mul(b, x, y)
                                : (op->opcode == OP_ADD ? entry_add : entry_sub)(b, x, y);
}

static IrValue read(Build *b, IrValue v, AxisId axis, int64_t i, int depth) {
    IrProgram *p = b->p;
    const IrOp op = p->ops.data[v];
    if (op.opcode == OP_CONST) return op.number == 0 ? IR_NONE : v;
    if (op.opcode == OP_SPREAD) return read(b, op.args[0], axis, i, depth);
    if (!ir_has_axis(p, v, axis)) return v;
    if (depth-- == 0) return ir_pick(p, v, axis, i);
    switch (op.opcode) {
    case OP_PLACE:
        if (op.axis != axis) break;
        return op.index == i ? read(b, op.args[0], axis, i, depth) : IR_NONE;
    case OP_PAD:
        if (op.axis2 != axis) break;
        if (i < op.index || i >= op.index + p->axes.data[op.axis].extent) return IR_NONE;
        return read(b, op.args[0], op.axis, i - op.index, depth);
    case OP_SLICE:
        return op.axis2 == axis ? read(b, op.args[0], op.axis, i + op.index, depth)
                                : ir_pick(p, v, axis, i);
    case OP_RENAME:
        return op.axis2 == axis ? read(b, op.args[0], op.axis, i, depth) : ir_pick(p, v, axis, i);
    case OP_NEG:
    case OP_ADD:
    case OP_SUB:
    case OP_MUL:
    case OP_DIV:
        return read_point(b, &op, axis, i, depth);
    default:
        break;
    }
    return ir_pick(p, v, axis, i);
}

IrValue entry_of(Build *b, IrValue v, AxisId axis, int64_t i) {
    return read(b, v, axis, i, MAX_READ);
}

IrValue entries_gather(Build *b, const IrValue *x, int64_t n, AxisId axis) {
    IrValue all = IR_NONE;
    for (int64_t i = 0; i < n; i++)
        if (x[i] != IR_NONE) all = entry_add(b, all, ir_place(b->p, x[i], axis, i));
    return all;
}

/* ---- triangles ---- */

static IrValue less_product(Build *b, IrValue from, IrValue x, IrValue y) {
    return entry_sub(b, from, entry_mul(b, x, y));
}

static IrValue divided(Build *b, IrValue x, IrValue y) {
    return x == IR_NONE ? x : ir_div(b->p, x, y);
}

void entries_factor(Build *b, const IrValue *h, int64_t n, IrValue least, IrValue *l) {
    IrProgram *p = b->p;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            IrValue whole = h[i * n + j], sum = whole;
            for (int64_t k = 0; k < j; k++) sum = less_product(b, sum, l[i * n + k], l[j * n + k]);
            if (i == j && least != IR_NONE)
                sum = ir_max(p, entry_above_rounding(b, sum, whole), least);
            l[i * n + j] = i == j ? ir_sqrt(p, sum) : divided(b, sum, l[j * n + j]);
        }
}

/* Column j of the factor of H, from those before it; zero where H has nothing more. */
static void column_of(Build *b, const IrValue *h, int64_t n, int64_t j, IrValue *m) {
    IrProgram *p = b->p;
    for (int64_t i = j; i < n; i++) {
        IrValue sum = h[i * n + j];
        for (int64_t k = 0; k < j; k++) sum = less_product(b, sum, m[i * n + k], m[j * n + k]);
        m[i * n + j] = sum;
    }
    IrValue rest = m[j * n + j], whole = h[j * n + j];
    if (rest == IR_NONE || whole == IR_NONE) { /* no curvature: nothing else in its row either */
        for (int64_t i = j; i < n; i++) m[i * n + j] = IR_NONE;
        return;
    }
    IrValue zero = number(b, 0);
    IrValue least = ir_max(p, ir_mul(p, number(b, ROUNDING), whole), number(b, 1e-30));
    IrValue some = ir_lt(p, least, rest), root = ir_sqrt(p, ir_select(p, some, rest, number(b, 1)));
    IrValue share = ir_select(p, some, ir_recip(p, root), zero);
    for (int64_t i = j; i < n; i++) m[i * n + j] = entry_mul(b, m[i * n + j], share);
}

/* L L' + x x', by rotations of each column of L with x. */
static void add_square(Build *b, IrValue *l, int64_t n, int64_t from, IrValue *x) {
    IrProgram *p = b->p;
    for (int64_t k = from; k < n; k++) {
        if (x[k] == IR_NONE) continue;
        IrValue own = l[k * n + k];
        IrValue length = ir_sqrt(p, ir_add(p, ir_square(p, own), ir_square(p, x[k])));
        IrValue c = ir_div(p, own, length), s = ir_div(p, x[k], length);
        l[k * n + k] = length;
        for (int64_t i = k + 1; i < n; i++) {
            IrValue in = l[i * n + k];
            l[i * n + k] = entry_add(b, entry_mul(b, c, in), entry_mul(b, s, x[i]));
            x[i] = entry_sub(b, entry_mul(b, c, x[i]), entry_mul(b, s, in));
        }
    }
}

void entries_update(Build *b, const IrValue *h, int64_t n, IrValue *l) {
    IrValue *m = arena_array(b->arena, IrValue, n * n), *x = arena_array(b->arena, IrValue, n);
    for (int64_t j = 0; j < n; j++) {
        column_of(b, h, n, j, m);
        for (int64_t i = j; i < n; i++) x[i] = m[i * n + j];
        add_square(b, l, n, j, x);
    }
}

void entries_solve_lower(Build *b, const IrValue *l, int64_t n, IrValue *x) {
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < i; k++) x[i] = less_product(b, x[i], l[i * n + k], x[k]);
        x[i] = divided(b, x[i], l[i * n + i]);
    }
}

void entries_solve_upper(Build *b, const IrValue *l, int64_t n, IrValue *x) {
    for (int64_t i = n - 1; i >= 0; i--) {
        for (int64_t k = i + 1; k < n; k++) x[i] = less_product(b, x[i], l[k * n + i], x[k]);
        x[i] = divided(b, x[i], l[i * n + i]);
    }
}
