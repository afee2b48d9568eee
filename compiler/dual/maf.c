/* maf.c -- masked autoregressive flows (Papamakarios et al., NeurIPS 2017; MADE, Germain et al.,
 * ICML 2015), sampled in one pass.
 *
 * Hidden units are sorted by degree, so that the mask is a pattern of dense blocks and zeros are
 * never multiplied; the units of a degree are computed as soon as the coordinates below it exist,
 * each once. Outputs [shift_0 .. shift_(D-1), log scale_0 ..]: the first of each are functions of
 * the context alone.
 */
#include "dual/autoregressive.h"

#include <math.h>

IrValue clipped(Build *b, IrValue x, double at) {
    IrProgram *p = b->p;
    return ir_mul(p, ir_const(p, at), ir_tanh(p, ir_mul(p, x, ir_const(p, 1 / at))));
}

/* A last layer: outputs of every number along `out`, weights and context term + bias. */
typedef struct MafHead {
    AxisId out;
    IrValue w, c;
} MafHead;

typedef struct MafNet {
    Build *b;
    const Maf *shape;
    IrValue w[8], c[8];        /* weights; context term + bias, over the layer's output axis */
    MafHead affine, spline[3]; /* of splines widths, heights and slopes, over bins or knots, too */
    AxisId in, feature, out, last;
    int64_t d;
    int64_t n_blocks, start[64], length[64]; /* hidden units by degree 1, 2, ... */
    IrValue hidden[8][64]; /* by layer and degree, once computed, on axis "u.<length>" */
} MafNet;

/* Degrees as in the published network: ceil(linspace(1, D - 1, width)), sorted, so that each degree
 * is a dense block. */
static void maf_degrees(MafNet *net) {
    int64_t top = net->d > 2 ? net->d - 1 : 1, width = net->shape->width;
    for (int64_t i = 0; i < width; i++) {
        double at = width > 1 ? 1 + (double)(top - 1) * (double)i / (double)(width - 1) : 1;
        int64_t degree = (int64_t)ceil(at - 1e-9);
        if (degree > net->n_blocks) {
            net->n_blocks = degree;
            net->start[degree - 1] = i;
        }
        net->length[degree - 1]++;
    }
}

/* The last layer that says the splines' `part`, of each number over `each`. */
static MafHead spline_head(const MafNet *net, const char *name, const char *part, AxisId each,
                           const Block *context, int64_t context_width) {
    Build *b = net->b;
    AxisId out = output_axis(b, net->d), axes[MAX_DIMS + 2];
    double gain = net->shape->last_gain;
    const char *own = arena_printf(b->arena, "%s.maf.%s", name, part);
    int n = context->n_axes;
    memcpy(axes, context->axes, sizeof *axes * (size_t)n);
    axes[n] = each, axes[n + 1] = out;
    IrValue from = weight(b, arena_printf(b->arena, "%s.C", own), axes, n + 2,
                          glorot(gain, context_width, net->d));
    IrValue bias =
        weight(b, arena_printf(b->arena, "%s.b", own), axes + n, 2, (IrInit){INIT_CONSTANT, 0});
    MafHead head = {.out = out, .w = IR_NONE};
    head.w = weight(b, arena_printf(b->arena, "%s.W", own), (AxisId[]){net->feature, each, out}, 3,
                    glorot(gain, net->shape->width, net->d));
    head.c = ir_add(b->p, ir_contract(b->p, context->v, from, axes, n), bias);
    return head;
}

static MafNet *maf_net(Build *b, const char *name, const Maf *shape, int64_t d,
                       const Block *context) {
    MafNet *net = arena_new_of(b->arena, MafNet);
    if (d > MAX_FLOW)
        internal_error("dual", "an autoregressive flow over %lld numbers", (long long)d);
    net->b = b, net->shape = shape, net->d = d;
    net->in = feature_axis(b, d), net->feature = feature_axis(b, shape->width);
    net->out = output_axis(b, shape->width), net->last = output_axis(b, 2 * d);
    maf_degrees(net);
    int64_t context_width = 1;
    for (int i = 0; i < context->n_axes; i++)
        context_width *= b->p->axes.data[context->axes[i]].extent;
    for (int l = 0; l <= shape->n_layers; l++) {
        AxisId in = l ? net->feature : net->in, out = l < shape->n_layers ? net->out : net->last;
        int64_t n_in = l ? shape->width : d, n_out = l < shape->n_layers ? shape->width : 2 * d;
        double gain = l < shape->n_layers ? 1 : shape->last_gain;
        IrInit w = {INIT_UNIFORM, gain * sqrt(6.0 / (double)(n_in + n_out))};
        IrInit c = {INIT_UNIFORM, gain * sqrt(6.0 / (double)(context_width + n_out))};
        if (gain == 0) w = c = (IrInit){INIT_CONSTANT, 0};
        net->w[l] =
            weight(b, arena_printf(b->arena, "%s.maf.%d.W", name, l), (AxisId[]){in, out}, 2, w);
        AxisId axes[MAX_DIMS + 1];
        for (int i = 0; i < context->n_axes; i++) axes[i] = context->axes[i];
        axes[context->n_axes] = out;
        IrValue from =
            weight(b, arena_printf(b->arena, "%s.maf.%d.C", name, l), axes, context->n_axes + 1, c);
        IrValue bias = weight(b, arena_printf(b->arena, "%s.maf.%d.b", name, l), &out, 1,
                              (IrInit){INIT_CONSTANT, 0});
        net->c[l] =
            ir_add(b->p, ir_contract(b->p, context->v, from, context->axes, context->n_axes), bias);
    }
    net->affine = (MafHead){net->last, net->w[shape->n_layers], net->c[shape->n_layers]};
    static const char *const part[] = {"width", "height", "slope"};
    for (int i = 0; i < 3 && shape->bins; i++) {
        AxisId each = i < 2 ? spline_bins(b, shape->bins) : spline_knots(b, shape->bins);
        net->spline[i] = spline_head(net, name, part[i], each, context, context_width);
    }
    return net;
}

/* Hidden units of `degree` in all layers, once the coordinates below it (y[0..degree)) are known.
 */
static void maf_hidden(MafNet *net, int64_t degree, const IrValue *y) {
    Build *b = net->b;
    IrProgram *p = b->p;
    int64_t k = degree - 1, n = net->length[k];
    if (!n) return;
    AxisId out = named_axis(b, "w", n), unit = named_axis(b, "u", n);
    for (int l = 0; l < net->shape->n_layers; l++) {
        IrValue sum = ir_slice(p, net->c[l], net->out, out, net->start[k]);
        if (l == 0) {
            IrValue columns = ir_slice(p, net->w[0], net->out, out, net->start[k]);
            for (int64_t j = 0; j < degree && j < net->d; j++)
                sum = ir_add(p, sum, ir_mul(p, y[j], ir_pick(p, columns, net->in, j)));
        }
        for (int64_t below = 0; l > 0 && below <= k; below++) {
            if (!net->length[below]) continue;
            AxisId in = named_axis(b, "u", net->length[below]);
            IrValue w = ir_slice(p, net->w[l], net->feature, in, net->start[below]);
            w = ir_slice(p, w, net->out, out, net->start[k]);
            sum = ir_add(p, sum, ir_contract(p, net->hidden[l - 1][below], w, &in, 1));
        }
        sum = ir_rename(p, sum, out, unit);
        net->hidden[l][k] = net->shape->relu ? ir_relu(p, sum) : ir_tanh(p, sum);
    }
}

/* Output unit `at`, which sees hidden degrees up to `degree`. */
static IrValue maf_output(MafNet *net, const MafHead *head, int64_t at, int64_t degree) {
    IrProgram *p = net->b->p;
    int last = net->shape->n_layers;
    IrValue sum = ir_pick(p, head->c, head->out, at);
    IrValue column = ir_pick(p, head->w, head->out, at);
    for (int64_t k = 0; k < degree && k < net->n_blocks; k++) {
        if (!net->length[k]) continue;
        AxisId in = named_axis(net->b, "u", net->length[k]);
        IrValue w = ir_slice(p, column, net->feature, in, net->start[k]);
        sum = ir_add(p, sum, ir_contract(p, net->hidden[last - 1][k], w, &in, 1));
    }
    return sum;
}

/* A number's map through its spline. */
static IrValue maf_spline(MafNet *net, int64_t i, NumberMap map, Way way, IrValue from,
                          IrValue *log_det) {
    Build *b = net->b;
    IrValue raw[3], log_slope;
    for (int k = 0; k < 3; k++) raw[k] = maf_output(net, &net->spline[k], i, i);
    Spline s = spline_of(b, net->shape->bins, raw[0], raw[1], raw[2]);
    map.spline = &s;
    IrValue to = number_map(b, &map, way, from, &log_slope);
    *log_det = ir_add(b->p, *log_det, log_slope);
    return to;
}

/* y_i = z_i exp(ls_i(y_<i, context)) + shift_i(y_<i, context): sampled in one pass, since a hidden
 * unit is computed as soon as its inputs exist. Where y is given they all do, and the same networks
 * yield z. */
IrValue maf(Build *b, const char *name, const Maf *shape, Way way, IrValue from, int64_t d,
            const Block *context, IrValue *log_det) {
    IrProgram *p = b->p;
    MafNet *net = maf_net(b, name, shape, d, context);
    IrValue *y = arena_array(b->arena, IrValue, d), result = IR_NONE;
    for (int64_t i = 0; i < d; i++) {
        if (i > 0 && i <= net->n_blocks) maf_hidden(net, i, y);
        /* shifts come first, then log scales */
        IrValue shift = maf_output(net, &net->affine, i, i), entry;
        IrValue log_scale = clipped(b, maf_output(net, &net->affine, d + i, i), shape->clip);
        if (shape->bins) {
            NumberMap map = {shift, log_scale, NULL};
            IrValue own = ir_pick(p, from, net->in, i);
            entry = maf_spline(net, i, map, way, own, log_det);
            y[i] = way == WAY_DRAW ? entry : own;
            IrValue placed = ir_place(p, entry, net->in, i);
            result = result == IR_NONE ? placed : ir_add(p, result, placed);
            continue;
        }
        *log_det = ir_add(p, *log_det, log_scale);
        if (way == WAY_DRAW) {
            entry = y[i] =
                ir_add(p, ir_mul(p, ir_pick(p, from, net->in, i), ir_exp(p, log_scale)), shift);
        } else {
            y[i] = ir_pick(p, from, net->in, i);
            entry = ir_mul(p, ir_sub(p, y[i], shift), ir_exp(p, ir_neg(p, log_scale)));
        }
        IrValue placed = ir_place(p, entry, net->in, i);
        result = result == IR_NONE ? placed : ir_add(p, result, placed);
    }
    return result;
}
