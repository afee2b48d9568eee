/* lanes.c -- the plate whose instances fill lanes where there are no draws.
 *
 * With one data set, lanes are its draws. What is computed of the data alone, once for all draws,
 * has none: the encoder would run one instance at a time. There, lanes run over one of its plates.
 * Input: the tensor program, the axes of the schedule. Output: the plate that saves most of the
 * operations of such nests, or AXIS_NONE.
 */
#include "opt/sweep.h"

/* Whether every operation takes instances of the plate as they come: none reads another's, no
 * random number lies along it but draw by draw, nor does the shape of one. */
static bool takes_lanes(const Schedule *s, AxisId plate) {
    const IrProgram *ir = s->ir;
    if (ir->axes.data[plate].kind != AXIS_PLATE || ir->axes.data[plate].copy_of != AXIS_NONE)
        return false;
    if (ragged_related(ir, plate)) return false;
    for (int i = 0; i < ir->axes.n; i++)
        if (ir->axes.data[i].copy_of == plate) return false;
    for (int i = 0; i < ir->ops.n; i++) {
        const IrOp *op = &ir->ops.data[i];
        IrRule rule = ir_op_info[op->opcode].rule;
        bool moves = rule == RULE_RENAME || rule == RULE_PICK || rule == RULE_PLACE ||
                     rule == RULE_SLICE || rule == RULE_PAD;
        if (moves && (op->axis == plate || op->axis2 == plate)) return false;
        if (rule != RULE_RANDOM) continue;
        if (ir_axis_among(op->axes, op->n_axes, plate) &&
            !ir_axis_among(op->axes, op->n_axes, s->out->lane))
            return false;
        for (int k = 0; k < op->n_args; k++)
            if (ir_has_axis(ir, op->args[k], plate) && !ir_has_axis(ir, op->args[k], s->out->lane))
                return false;
    }
    return true;
}

/* What filling lanes with instances of `plate` saves, in operations. */
static double saved(const Schedule *s, AxisId plate) {
    const IrProgram *ir = s->ir;
    double n = (double)sweep_usual(s, plate), lanes = s->out->lanes, operations = 0;
    double blocks = (n + lanes - 1) / lanes, rounds = (double)(int64_t)blocks;
    for (int i = 0; i < ir->ops.n; i++) {
        const IrOp *op = &ir->ops.data[i];
        IrRule rule = ir_op_info[op->opcode].rule;
        if (rule != RULE_POINT && rule != RULE_REDUCE && rule != RULE_CONTRACT) continue;
        int n_over = rule == RULE_POINT ? 0 : op->n_over;
        bool there =
            ir_axis_among(op->axes, op->n_axes, plate) || ir_axis_among(op->over, n_over, plate);
        bool drawn = ir_axis_among(op->axes, op->n_axes, s->out->lane) ||
                     ir_axis_among(op->over, n_over, s->out->lane);
        if (!there || drawn) continue;
        double points = 1;
        for (int k = 0; k < op->n_axes + n_over; k++) {
            AxisId axis = k < op->n_axes ? op->axes[k] : op->over[k - op->n_axes];
            AxisKind kind = ir->axes.data[axis].kind;
            if (kind == AXIS_EVENT) points *= (double)ir->axes.data[axis].extent;
            if (kind == AXIS_PLATE) points *= (double)sweep_usual(s, axis);
        }
        operations += points;
    }
    return operations * (1 - rounds / n);
}

AxisId schedule_plate_lanes(const Schedule *s) {
    const IrProgram *ir = s->ir;
    AxisId best = AXIS_NONE;
    double most = 0;
    if (s->out->lane == AXIS_NONE || ir->axes.data[s->out->lane].kind != AXIS_DRAW) return best;
    for (AxisId axis = 0; axis < ir->axes.n; axis++) {
        if (!takes_lanes(s, axis)) continue;
        double gain = saved(s, axis);
        if (gain <= most) continue;
        most = gain;
        best = axis;
    }
    return best;
}
