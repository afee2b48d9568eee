/* ragged.c -- where the instances of ragged plates lie.
 *
 * The instances of a ragged plate, all of them, are numbered from 0, one parent's behind the
 * other's: its ROWS. A buffer over such a plate is laid out by rows, and the plates around it take
 * no place: row = first of the parent's + number within the parent. Inputs and outputs are, too.
 *
 * Two exceptions are padded to the most instances that a parent has: what holds one tile of a sweep
 * over a plate around it, and a second ragged axis (a copy, by which a set attends to itself).
 *
 * Where rows begin and how many there are come as two inputs for each ragged plate, of role
 * segment: "PLATE:first" and "PLATE:count", by instance of the parent.
 */
#include "opt/sweep.h"

bool ragged_related(const IrProgram *ir, AxisId axis) {
    for (int i = 0; i < ir->axes.n; i++) {
        bool same = i == axis || ir->axes.data[i].copy_of == axis;
        if (ir->axes.data[i].ragged && (same || ir_axis_around(ir, axis, i))) return true;
    }
    return false;
}

AxisId ragged_rows(const Schedule *s, uint32_t loops, int sweep) {
    for (int k = s->n_loop_axes - 1; k >= 0; k--) {
        AxisId axis = s->loop_axes[k];
        const IrAxis *a = &s->ir->axes.data[axis];
        bool copied = a->copy_of != AXIS_NONE && s->loop_bit[a->copy_of] >= 0 &&
                      loops >> s->loop_bit[a->copy_of] & 1;
        if (!(loops >> k & 1) || !a->ragged || copied) continue;
        for (int at = sweep; at >= 0; at = s->out->sweeps.data[at].outer)
            if (ir_axis_around(s->ir, s->out->sweeps.data[at].axis, axis)) return AXIS_NONE;
        return axis;
    }
    return AXIS_NONE;
}

LoopSize ragged_extent(const Schedule *s, uint32_t loops, int sweep, AxisId axis) {
    AxisId rows = ragged_rows(s, loops, sweep);
    if (rows != AXIS_NONE && ir_axis_around(s->ir, axis, rows)) return loop_size(1);
    if (s->ir->axes.data[axis].ragged && axis != rows) return loop_size_most(s->out, axis);
    return sweep_extent(s, sweep, axis);
}

const IrProgram *ragged_inputs(Arena *arena, const IrProgram *ir) {
    IrProgram *p = NULL;
    for (AxisId axis = 0; axis < ir->axes.n; axis++) {
        const IrAxis *a = &ir->axes.data[axis];
        if (!a->ragged || a->copy_of != AXIS_NONE) continue;
        if (!p) {
            p = arena_new_of(arena, IrProgram);
            *p = *ir;
            p->ops.data = arena_array(arena, IrOp, ir->ops.n + 2 * ir->axes.n);
            p->ops.cap = ir->ops.n + 2 * ir->axes.n;
            memcpy(p->ops.data, ir->ops.data, sizeof *p->ops.data * (size_t)ir->ops.n);
        }
        AxisId around[IR_MAX_AXES];
        int n = 0;
        for (AxisId up = a->parent; up != AXIS_NONE; up = ir->axes.data[up].parent)
            around[n++] = up;
        n = ir_axes_sort(p, around, n);
        ir_input(p, arena_printf(arena, "%s:count", a->name), ROLE_SEGMENT, around, n);
        ir_input(p, arena_printf(arena, "%s:first", a->name), ROLE_SEGMENT, around, n);
    }
    return p ? p : ir;
}
