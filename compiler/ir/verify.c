/* verify.c -- what every sound program satisfies, checked after each pass: axes well declared,
 * every operation as ir_infer would make it, one declaration per input and random source, distinct
 * outputs, and the rule of the reduced data axis (ir.h).
 */
#include "ir/ir.h"

/* ---- the rule of the reduced data axis ---- */

typedef enum { WHOLE, PARTIAL, ZERO } Sum; /* ZERO: a literal zero, which is both */

/* What kind a value is that is linear in several: partial sums (and zeros) alone make one. */
static bool blend(Sum a, Sum b, Sum *out) {
    *out = a == ZERO ? b : a;
    return a == ZERO || b == ZERO || a == b;
}

/* A product: one factor at most may be partial. */
static bool scale(Sum a, Sum b, Sum *out) {
    *out = a == PARTIAL || b == PARTIAL ? PARTIAL : WHOLE;
    return a != PARTIAL || b != PARTIAL;
}

/* The kind of the result; false where the operation is not linear in its partial operands. */
static bool combine(const IrOp *op, const Sum *arg, Sum *out) {
    *out = WHOLE;
    bool partial = false;
    for (int i = 0; i < op->n_args; i++) partial = partial || arg[i] == PARTIAL;
    switch (op->opcode) {
    case OP_CONST:
        *out = op->number == 0 ? ZERO : WHOLE;
        return true;
    case OP_NEG:
    case OP_STOP_GRADIENT:
    case OP_RENAME:
    case OP_PICK:
    case OP_PLACE:
    case OP_SLICE:
    case OP_PAD:
    case OP_SPREAD:
    case OP_SUM:
        *out = arg[0];
        return true;
    case OP_ADD:
    case OP_SUB:
        return blend(arg[0], arg[1], out) || !partial;
    case OP_MUL:
    case OP_CONTRACT:
        return scale(arg[0], arg[1], out);
    case OP_DIV:
        *out = arg[0] == PARTIAL ? PARTIAL : WHOLE;
        return arg[1] != PARTIAL;
    case OP_SELECT:
        return arg[0] != PARTIAL && (blend(arg[1], arg[2], out) || !partial);
    default:
        return !partial;
    }
}

static bool reduces_data(const IrProgram *p, const IrOp *op) {
    return op->n_over > 0 && p->axes.data[op->over[0]].kind == AXIS_DATA;
}

static bool has_data(const IrProgram *p, const IrOp *op) {
    return op->n_axes > 0 && p->axes.data[op->axes[0]].kind == AXIS_DATA;
}

const bool *ir_reduced(Arena *arena, const IrProgram *p, const char **why) {
    Sum *kind = arena_array(arena, Sum, p->ops.n + 1);
    bool *reduced = arena_array(arena, bool, p->ops.n + 1);
    *why = NULL;
    for (IrValue v = 0; v < p->ops.n; v++) {
        const IrOp *op = &p->ops.data[v];
        Sum arg[3] = {WHOLE, WHOLE, WHOLE};
        bool partial = false;
        for (int i = 0; i < op->n_args; i++) {
            arg[i] = kind[op->args[i]];
            partial = partial || arg[i] == PARTIAL;
        }
        bool sound = combine(op, arg, &kind[v]);
        if (reduces_data(p, op)) kind[v] = PARTIAL;
        if (op->opcode == OP_MAX_OVER && reduces_data(p, op))
            *why =
                arena_printf(arena, "%%%d = max_over: the data axis is reduced by sums alone", v);
        if (!sound || (partial && (reduces_data(p, op) || has_data(p, op))))
            *why =
                arena_printf(arena, "%%%d = %s uses a partial sum over data sets %s", v,
                             ir_op_info[op->opcode].text,
                             sound ? "along the data axis" : "in a way that is not linear in it");
        if (*why) return NULL;
        reduced[v] = kind[v] == PARTIAL;
    }
    return reduced;
}

/* ---- declarations ---- */

static const char *verify_axis(const IrProgram *p, AxisId id) {
    const IrAxis *a = &p->axes.data[id];
    if (!a->name || ir_axis_find(p, a->name) != id) return "an axis whose name is not its own";
    if (a->kind == AXIS_EVENT ? a->extent < 1 : a->extent != 0)
        return arena_printf(p->arena, "axis %s: extent %lld", a->name, (long long)a->extent);
    if (a->parent != AXIS_NONE && (a->parent < 0 || a->parent >= id || a->kind != AXIS_PLATE ||
                                   p->axes.data[a->parent].kind != AXIS_PLATE))
        return arena_printf(p->arena, "axis %s: a parent that is no earlier plate", a->name);
    if (a->ragged && a->parent == AXIS_NONE)
        return arena_printf(p->arena, "axis %s: ragged without a parent", a->name);
    if (a->copy_of == AXIS_NONE) return NULL;
    bool of_original =
        a->copy_of >= 0 && a->copy_of < id && p->axes.data[a->copy_of].copy_of == AXIS_NONE &&
        ir_axis_same_extent(p, id, a->copy_of) && a->ragged == p->axes.data[a->copy_of].ragged;
    return of_original
               ? NULL
               : arena_printf(p->arena, "axis %s: not the copy of an earlier axis", a->name);
}

static bool same_axes(const AxisId *a, int n, const AxisId *b, int m) {
    return n == m && (n == 0 || memcmp(a, b, sizeof(AxisId) * (size_t)n) == 0);
}

static const char *verify_op(const IrProgram *p, IrValue v) {
    const IrOp *op = &p->ops.data[v];
    IrOp fresh = *op;
    const char *why = ir_infer(p, &fresh, v);
    if (why) return arena_printf(p->arena, "%%%d: %s", v, why);
    if (fresh.type != op->type || fresh.index != op->index ||
        !same_axes(fresh.axes, fresh.n_axes, op->axes, op->n_axes) ||
        !same_axes(fresh.over, fresh.n_over, op->over, op->n_over))
        return arena_printf(p->arena, "%%%d = %s: its type or axes are not what its operands give",
                            v, ir_op_info[op->opcode].text);
    return NULL;
}

/* Inputs and random sources of one name are one thing: they must agree. */
static const char *verify_names(const IrProgram *p) {
    VEC(IrValue) named = {0};
    for (IrValue v = 0; v < p->ops.n; v++) {
        const IrOp *op = &p->ops.data[v];
        if (!op->name) continue;
        for (int i = 0; i < named.n; i++) {
            const IrOp *old = &p->ops.data[named.data[i]];
            if (strcmp(old->name, op->name) != 0) continue;
            if (old->opcode != op->opcode || old->role != op->role || old->random != op->random ||
                !same_axes(old->axes, old->n_axes, op->axes, op->n_axes))
                return arena_printf(p->arena, "%%%d: \"%s\" is declared differently by %%%d", v,
                                    op->name, named.data[i]);
        }
        vec_push(p->arena, &named, v);
    }
    return NULL;
}

static const char *verify_outputs(const IrProgram *p) {
    for (int i = 0; i < p->outputs.n; i++) {
        const IrOutput *out = &p->outputs.data[i];
        if (out->value < 0 || out->value >= p->ops.n)
            return arena_printf(p->arena, "output \"%s\" is no value", out->name);
        for (int k = 0; k < i; k++)
            if (strcmp(p->outputs.data[k].name, out->name) == 0)
                return arena_printf(p->arena, "two outputs \"%s\"", out->name);
    }
    return NULL;
}

const char *ir_verify(const IrProgram *p) {
    const char *why = NULL;
    for (AxisId a = 0; a < p->axes.n && !why; a++) why = verify_axis(p, a);
    for (IrValue v = 0; v < p->ops.n && !why; v++) why = verify_op(p, v);
    if (!why) why = verify_names(p);
    if (!why) why = verify_outputs(p);
    if (!why) ir_reduced(p->arena, p, &why);
    return why ? arena_printf(p->arena, "program %s: %s", p->name, why) : NULL;
}
