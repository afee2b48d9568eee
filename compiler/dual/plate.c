/* plate.c -- reductions over plates: those that the model writes, and those by which the guide of
 * one plate reads what was drawn in another.
 *
 * Both treat a plate's instances alike, so that the guide stays equivariant.
 */
#include "dual/plate.h"

IrValue instance_share(Build *b, AxisId axis) {
    IrValue n = ir_extent(b->p, axis);
    return ir_recip(b->p, b->p->axes.data[axis].ragged ? ir_max(b->p, n, number(b, 1)) : n);
}

static IrValue largest_along(Build *b, IrValue v, AxisId axis) {
    return ir_has_axis(b->p, v, axis) ? ir_max_over(b->p, v, &axis, 1) : v;
}

IrValue mean_along(Build *b, IrValue v, AxisId axis) {
    return ir_mul(b->p, ir_sum_at(b->p, v, &axis, 1), instance_share(b, axis));
}

IrValue precision_over(Build *b, IrValue precision, AxisId axis) {
    static const double NOTHING = 1e-20; /* its variance is a float, and nothing follows from it */
    IrValue sum = ir_sum(b->p, precision, &axis, 1);
    return b->p->axes.data[axis].ragged ? ir_max(b->p, sum, number(b, NOTHING)) : sum;
}

Val reduce_over(Build *b, const Plate *plate, Reduce reduce, Val val) {
    AxisId axis = plate_axis(b, plate);
    switch (reduce) {
    case REDUCE_SUM:
        val.v = ir_sum_at(b->p, val.v, &axis, 1);
        return val;
    case REDUCE_MEAN:
        val.v = mean_along(b, val.v, axis);
        return val;
    case REDUCE_MAX:
        val.v = largest_along(b, val.v, axis);
        return val;
    case REDUCE_MIN:
        val.v = ir_neg(b->p, largest_along(b, ir_neg(b->p, val.v), axis));
        return val;
    case REDUCE_PROD:
        break;
    }
    internal_error("lower", "unknown reduction over a plate");
}

bool pool_apart(Build *b, const Plate *of, const Plate *at, IrValue feature, IrValue pooled[2]) {
    IrProgram *p = b->p;
    bool apart = false;
    IrValue mean = feature, square = ir_square(p, feature);
    for (const Plate *q = of; q; q = q->parent) {
        if (plate_within(at, q)) continue;
        apart = true;
        mean = mean_along(b, mean, plate_axis(b, q));
        square = mean_along(b, square, plate_axis(b, q));
    }
    IrValue variance = ir_max(p, ir_sub(p, square, ir_square(p, mean)), number(b, 0));
    pooled[0] = mean;
    pooled[1] = ir_sqrt(p, ir_add(p, variance, number(b, 1e-6)));
    return apart;
}
