/* iaf.c -- inverse autoregressive flows (Kingma et al., NeurIPS 2016), for events too wide for
 * maf.c.
 *
 *     y_i = z_i exp(ls_i(z_<i, context)) + shift_i(z_<i, context)
 *
 * The networks read the base draw and not the result, so that a draw with its density is one pass
 * of whole layers, however many numbers the event has; the density of a given y would take D
 * passes, but reverse KL never asks for it.
 *
 * Masks (MADE, Germain et al., ICML 2015): as a source, coordinate i has degree i and a hidden unit
 * its own degree; as a target, output i has degree i - 1; a target sees the sources of no higher
 * degree. Units are sorted by degree and cut into groups: of the products of groups those above the
 * diagonal are zero and left out, those below it are dense, and those on it have a mask.
 */
#include "dual/autoregressive.h"

enum { GROUP = 64, MAX_GROUPS = 4, MAX_HIDDEN = 256 };

typedef struct Iaf {
    Build *b;
    const char *name;
    const Maf *shape;
    const Block *context;
    int64_t context_width, d, groups;
} Iaf;

/* Products of groups half as wide cost as much as what they spare. */
static int64_t group_count(int64_t d) {
    int64_t n = d / GROUP;
    return n < 1 ? 1 : n > MAX_GROUPS ? MAX_GROUPS : n;
}

static int64_t group_start(const Iaf *net, int64_t units, int64_t group) {
    return units * group / net->groups;
}

static int64_t group_length(const Iaf *net, int64_t units, int64_t group) {
    return group_start(net, units, group + 1) - group_start(net, units, group);
}

int64_t iaf_hidden(int64_t d) {
    return d < MAX_HIDDEN ? d : MAX_HIDDEN;
}

void iaf_declare(Build *b, int64_t d) {
    Iaf net = {.d = d, .groups = group_count(d)};
    for (int64_t g = 0; g < net.groups; g++) {
        feature_axis(b, group_length(&net, d, g));
        feature_axis(b, group_length(&net, iaf_hidden(d), g));
    }
}

/* Degrees of the units of a group: as sources of layer `layer`, or as targets of the layer below
 * it. */
typedef struct Group {
    int64_t length;
    double *degree;
} Group;

/* Layer 0: the coordinates. Layers above: hidden units, whose degrees are spread over 0 .. d - 2.
 */
static Group source_group(const Iaf *net, int layer, int64_t group) {
    int64_t units = layer ? net->shape->width : net->d, start = group_start(net, units, group);
    Group out = {.length = group_length(net, units, group)};
    out.degree = arena_array(net->b->arena, double, out.length + 1);
    for (int64_t i = 0; i < out.length; i++)
        out.degree[i] = (double)(layer ? (start + i) * (net->d - 1) / units : start + i);
    return out;
}

/* The outputs of the flow: shifts of the group's coordinates, then their log scales. */
static Group output_group(const Iaf *net, int64_t group) {
    Group own = source_group(net, 0, group), out = {.length = 2 * own.length};
    out.degree = arena_array(net->b->arena, double, out.length + 1);
    for (int64_t i = 0; i < out.length; i++) out.degree[i] = own.degree[i % own.length] - 1;
    return out;
}

/* The weights of one product of groups, zero where the target must not see the source; IR_NONE
 * where it sees none of them. */
static IrValue masked_weight(const Iaf *net, const char *name, Group from, Group to, IrInit init) {
    IrProgram *p = net->b->p;
    int64_t seen = 0;
    for (int64_t i = 0; i < from.length; i++)
        for (int64_t j = 0; j < to.length; j++) seen += from.degree[i] <= to.degree[j];
    if (!seen) return IR_NONE;
    AxisId axes[] = {feature_axis(net->b, from.length), output_axis(net->b, to.length)};
    IrValue w = weight(net->b, name, axes, 2, init);
    if (seen == from.length * to.length) return w;
    IrValue source = ir_table(p, from.degree, &axes[0], 1);
    IrValue target = ir_table(p, to.degree, &axes[1], 1);
    return ir_select(p, ir_le(p, source, target), w, ir_const(p, 0));
}

/* Group `g` of the targets of layer `layer`: what it sees of `source` (by group), the context, a
 * bias. */
static IrValue layer_group(const Iaf *net, int layer, int64_t g, const IrValue *source) {
    Build *b = net->b;
    IrProgram *p = b->p;
    bool last = layer == net->shape->n_layers;
    int64_t n_in = layer ? net->shape->width : net->d;
    int64_t n_out = last ? 2 * net->d : net->shape->width;
    double gain = last ? net->shape->last_gain : 1;
    Group to = last ? output_group(net, g) : source_group(net, layer + 1, g);
    AxisId out = output_axis(b, to.length), axes[MAX_DIMS + 1];
    const Block *context = net->context;
    memcpy(axes, context->axes, sizeof *axes * (size_t)context->n_axes);
    axes[context->n_axes] = out;
    const char *name = arena_printf(b->arena, "%s.iaf.%d", net->name, layer);
    IrValue c = weight(b, arena_printf(b->arena, "%s.C.%lld", name, (long long)g), axes,
                       context->n_axes + 1, glorot(gain, net->context_width, n_out));
    IrValue bias = weight(b, arena_printf(b->arena, "%s.b.%lld", name, (long long)g), &out, 1,
                          (IrInit){INIT_CONSTANT, 0});
    IrValue sum = ir_contract(p, context->v, c, context->axes, context->n_axes);
    sum = ir_add(p, sum, bias);
    for (int64_t k = 0; k < net->groups; k++) {
        Group from = source_group(net, layer, k);
        const char *own =
            arena_printf(b->arena, "%s.W.%lld.%lld", name, (long long)k, (long long)g);
        IrValue w = masked_weight(net, own, from, to, glorot(gain, n_in, n_out));
        if (w == IR_NONE) continue;
        AxisId in = feature_axis(b, from.length);
        sum = ir_add(p, sum, ir_contract(p, source[k], w, &in, 1));
    }
    return ir_rename(p, sum, out, feature_axis(b, to.length));
}

/* Group `g` of the result, and the sum of its log scales onto *log_det. */
static IrValue transformed(const Iaf *net, int64_t g, IrValue z, IrValue outputs,
                           IrValue *log_det) {
    IrProgram *p = net->b->p;
    int64_t n = group_length(net, net->d, g);
    AxisId both = feature_axis(net->b, 2 * n), own = feature_axis(net->b, n);
    IrValue shift = ir_slice(p, outputs, both, own, 0);
    IrValue log_scale = clipped(net->b, ir_slice(p, outputs, both, own, n), net->shape->clip);
    *log_det = ir_add(p, *log_det, ir_sum(p, log_scale, &own, 1));
    return ir_add(p, ir_mul(p, z, ir_exp(p, log_scale)), shift);
}

IrValue iaf(Build *b, const char *name, const Maf *shape, IrValue z, int64_t d,
            const Block *context, IrValue *log_det) {
    IrProgram *p = b->p;
    Iaf *net = &(Iaf){b, name, shape, context, 1, d, group_count(d)};
    for (int i = 0; i < context->n_axes; i++)
        net->context_width *= p->axes.data[context->axes[i]].extent;
    AxisId whole = feature_axis(b, d);
    IrValue base[MAX_GROUPS], source[MAX_GROUPS], next[MAX_GROUPS], result = IR_NONE;
    for (int64_t g = 0; g < net->groups; g++) {
        AxisId own = feature_axis(b, group_length(net, d, g));
        base[g] = source[g] = own == whole ? z : ir_slice(p, z, whole, own, group_start(net, d, g));
    }
    for (int l = 0; l < shape->n_layers; l++) {
        for (int64_t g = 0; g < net->groups; g++) {
            next[g] = layer_group(net, l, g, source);
            next[g] = shape->relu ? ir_relu(p, next[g]) : ir_tanh(p, next[g]);
        }
        memcpy(source, next, sizeof source);
    }
    for (int64_t g = 0; g < net->groups; g++) {
        IrValue out = layer_group(net, shape->n_layers, g, source);
        AxisId own = feature_axis(b, group_length(net, d, g));
        IrValue y = transformed(net, g, base[g], out, log_det);
        if (own != whole) y = ir_pad(p, y, own, whole, group_start(net, d, g));
        result = result == IR_NONE ? y : ir_add(p, result, y);
    }
    return result;
}
