/* bend.c -- a monotone map of the line that sets its two tails apart, with exact slope: the last
 * map of a flow before the affine one.
 *
 *     w = asinh(y)      w' = l (w - r + 1) / 2 + k (w + r - 1) / 2 + a,  r = sqrt(1 + w^2)
 *     t = sinh(w') - a
 *
 * Far out |t| grows as e^-a |y|^l to the left and as e^a |y|^k to the right, l and k positive;
 * l = k = 1, a = 0 is the identity. It is sinh-arcsinh (Jones & Pewsey, Biometrika 2009) with an
 * exponent for each side; `- a` keeps the middle, to first order, where it was.
 *
 * A scale near zero is why: its posterior density there is a positive constant, so that under a
 * link that ends like the exponential the unconstrained value has an exponential left tail, which
 * is a normal's to the power of two. Tails of a normal, with whatever scale on each side, are too
 * light for it.
 */
#include "dual/internal.h"

#include <math.h>

/* Of the exponents. Beyond 2 a scale would be drawn nearer to zero than any prior density that is
 * finite there asks for, and a single such draw costs an ELBO of tens of nats. */
static const double LEAST = 0.3, MOST = 2.2;

/* From the network's number, 0 at the start, to an exponent, 1 at the start. */
static IrValue exponent(Build *b, IrValue raw) {
    IrProgram *p = b->p;
    IrValue start = number(b, log((1 - LEAST) / (MOST - 1)));
    IrValue share = ir_logistic(p, ir_add(p, raw, start));
    return ir_add(p, number(b, LEAST), ir_mul(p, number(b, MOST - LEAST), share));
}

static IrValue root_of(Build *b, IrValue x) {
    return ir_sqrt(b->p, ir_add(b->p, ir_square(b->p, x), number(b, 1)));
}

IrValue bent(Build *b, IrValue y, const Bend *bend, AxisId flat, IrValue *log_det) {
    IrProgram *p = b->p;
    IrValue half = number(b, 0.5), one = number(b, 1), root = root_of(b, y);
    IrValue l = exponent(b, bend->left), k = exponent(b, bend->right);
    /* w' = mean w + apart (r - 1) + a */
    IrValue mean = ir_mul(p, half, ir_add(p, k, l)), apart = ir_mul(p, half, ir_sub(p, k, l));
    IrValue w = ir_mul(p, ir_sign(p, y), ir_log(p, ir_add(p, ir_abs(p, y), root)));
    IrValue r = root_of(b, w);
    IrValue to = ir_add(p, ir_mul(p, mean, w), ir_mul(p, apart, ir_sub(p, r, one)));
    to = ir_add(p, to, bend->skew);
    IrValue slope = ir_add(p, mean, ir_mul(p, apart, ir_div(p, w, r)));
    IrValue up = ir_mul(p, half, ir_exp(p, to)), down = ir_div(p, number(b, 0.25), up);
    slope = ir_div(p, ir_mul(p, slope, ir_add(p, up, down)), root);
    *log_det = ir_add(p, *log_det, ir_sum(p, ir_log(p, slope), &flat, 1));
    return ir_sub(p, ir_sub(p, up, down), bend->skew);
}

IrValue unbent(Build *b, IrValue t, const Bend *bend, AxisId flat, IrValue *log_det) {
    IrProgram *p = b->p;
    IrValue half = number(b, 0.5), x = ir_add(p, t, bend->skew), root = root_of(b, x);
    IrValue l = exponent(b, bend->left), k = exponent(b, bend->right), lk = ir_mul(p, l, k);
    IrValue mean = ir_mul(p, half, ir_add(p, k, l)), apart = ir_mul(p, half, ir_sub(p, k, l));
    /* with s = w' - a + apart: l k w^2 - 2 mean s w + s^2 - apart^2 = 0 */
    IrValue to = ir_mul(p, ir_sign(p, x), ir_log(p, ir_add(p, ir_abs(p, x), root)));
    IrValue s = ir_add(p, ir_sub(p, to, bend->skew), apart);
    IrValue right = ir_mul(p, apart, ir_sqrt(p, ir_add(p, ir_square(p, s), lk)));
    IrValue w = ir_div(p, ir_sub(p, ir_mul(p, mean, s), right), lk);
    IrValue slope = ir_add(p, mean, ir_mul(p, apart, ir_div(p, w, root_of(b, w))));
    IrValue up = ir_mul(p, half, ir_exp(p, w)), down = ir_div(p, number(b, 0.25), up);
    slope = ir_div(p, ir_mul(p, slope, root), ir_add(p, up, down));
    *log_det = ir_add(p, *log_det, ir_sum(p, ir_log(p, slope), &flat, 1));
    return ir_sub(p, up, down);
}
