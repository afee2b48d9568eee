/* cse.c -- one value for equal operations on equal operands: value numbering through a hash table,
 * in one sweep since operands stand before their users. Inputs and random sources are equal by
 * name. Operands of commutative operations are compared in sorted order, but stay in theirs. Notes
 * are not compared.
 */
#include "opt/opt.h"
#include "opt/rewrite.h"

static bool commutative(IrOpcode opcode) {
    return opcode == OP_ADD || opcode == OP_MUL || opcode == OP_CONTRACT || opcode == OP_EQ ||
           opcode == OP_AND || opcode == OP_OR;
}

static uint64_t bits_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static uint64_t mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

/* The operands in the order in which they are compared. */
static void sorted_args(const IrOp *op, IrValue *args) {
    memcpy(args, op->args, sizeof(IrValue) * 3);
    if (commutative(op->opcode) && args[0] > args[1]) {
        args[0] = op->args[1];
        args[1] = op->args[0];
    }
}

static uint64_t hash_op(const IrProgram *p, const IrOp *op) {
    IrValue args[3];
    sorted_args(op, args);
    uint64_t h = mix(op->opcode, bits_of(op->number));
    for (int i = 0; i < op->n_args; i++) h = mix(h, (uint64_t)args[i]);
    for (int i = 0; i < op->n_axes; i++) h = mix(h, (uint64_t)op->axes[i]);
    for (int i = 0; i < op->n_over; i++) h = mix(h, (uint64_t)op->over[i] + 1000);
    h = mix(mix(mix(h, (uint64_t)op->axis), (uint64_t)op->axis2), (uint64_t)op->index);
    for (const char *c = op->name; c && *c; c++) h = mix(h, (uint8_t)*c);
    int64_t size = op->table ? ir_event_size(p, op->axes, op->n_axes) : 0;
    for (int64_t i = 0; i < size; i++) h = mix(h, bits_of(op->table[i]));
    return h;
}

static bool same_ints(const int *a, int n, const int *b, int m) {
    return n == m && (n == 0 || memcmp(a, b, sizeof(int) * (size_t)n) == 0);
}

static bool same_op(const IrProgram *p, const IrOp *x, const IrOp *y) {
    IrValue x_args[3], y_args[3];
    if (x->opcode != y->opcode) return false;
    sorted_args(x, x_args);
    sorted_args(y, y_args);
    if (!same_ints(x_args, x->n_args, y_args, y->n_args) ||
        !same_ints(x->axes, x->n_axes, y->axes, y->n_axes) ||
        !same_ints(x->over, x->n_over, y->over, y->n_over))
        return false;
    if (x->axis != y->axis || x->axis2 != y->axis2 || x->index != y->index || x->role != y->role ||
        x->random != y->random || bits_of(x->number) != bits_of(y->number))
        return false;
    if (x->name && strcmp(x->name, y->name) != 0) return false;
    if (!x->table) return true;
    size_t size = (size_t)ir_event_size(p, x->axes, x->n_axes);
    return memcmp(x->table, y->table, sizeof(double) * size) == 0;
}

IrProgram *opt_cse(const IrProgram *p) {
    IrProgram *q = ir_program_like(p);
    IrValue *map = arena_array(p->arena, IrValue, p->ops.n + 1);
    size_t slots = 16;
    while (slots < 2 * (size_t)p->ops.n) slots *= 2;
    IrValue *slot = arena_array(p->arena, IrValue, slots); /* value + 1; 0 = free */
    for (IrValue v = 0; v < p->ops.n; v++) {
        IrOp op = rewrite_operands(&p->ops.data[v], map);
        size_t at = (size_t)hash_op(q, &op) & (slots - 1);
        while (slot[at] && !same_op(q, &q->ops.data[slot[at] - 1], &op))
            at = (at + 1) & (slots - 1);
        if (!slot[at]) slot[at] = rewrite_append(q, op) + 1;
        map[v] = slot[at] - 1;
    }
    rewrite_outputs(q, p, map);
    return q;
}
