/* coupling.c -- coupling layers (Dinh et al., ICLR 2017): the numbers of an event are cut into two
 * halves, and each step maps one of them number by number, by an affine map or a spline and an
 * affine map, whose parameters are a network of the other half and the context. Draws and densities
 * are one pass of whole layers, at any width.
 *
 * Steps take the halves in turns. A number on its own has no other half: its spline follows from
 * the context, and there is no affine map, since the flow has one.
 */
#include "dual/autoregressive.h"

enum { STEPS = 4, MAX_HIDDEN = 256 };

static int64_t first_half(int64_t d) {
    return d / 2;
}

int64_t coupling_hidden(int64_t d) {
    return d <= MAX_UNROLLED ? 32 : d < MAX_HIDDEN ? d : MAX_HIDDEN;
}

void coupling_declare(Build *b, int64_t d) {
    if (d > 1) feature_axis(b, first_half(d));
    if (d > 1) feature_axis(b, d - first_half(d));
    feature_axis(b, coupling_hidden(d));
}

typedef struct Coupling {
    Build *b;
    const char *name;
    const Maf *shape;
    Block context;
} Coupling;

/* What a network of the context and `given` (IR_NONE: nothing) says of `n` numbers. */
static NumberMap parameters(const Coupling *c, int step, IrValue given, int64_t n_given, int64_t n,
                            Spline *room) {
    Build *b = c->b;
    IrProgram *p = b->p;
    const Maf *shape = c->shape;
    const char *name = arena_printf(b->arena, "%s.coupling.%d", c->name, step);
    AxisId in = n_given ? feature_axis(b, n_given) : AXIS_NONE, f = feature_axis(b, shape->width);
    Blocks blocks = {.n = 0};
    blocks_add(&blocks, c->context);
    if (given != IR_NONE) blocks_add(&blocks, block_of(given, 1, &in, "other"));
    IrValue h = IR_NONE;
    for (int l = 0; l < shape->n_layers; l++) {
        const char *layer = arena_printf(b->arena, "%s.%d", name, l);
        h = dense(b, layer, &blocks, shape->width, 1);
        h = shape->relu ? ir_relu(p, h) : ir_tanh(p, h);
        blocks = (Blocks){.n = 1, .at = {block_of(h, 1, &f, "hidden")}};
    }
    NumberMap map = {IR_NONE, IR_NONE, NULL};
    if (n_given) {
        IrValue both =
            dense(b, arena_printf(b->arena, "%s.affine", name), &blocks, 2 * n, shape->last_gain);
        AxisId twice = feature_axis(b, 2 * n), own = feature_axis(b, n);
        map.shift = ir_slice(p, both, twice, own, 0);
        map.log_scale = clipped(b, ir_slice(p, both, twice, own, n), shape->clip);
    }
    if (!shape->bins) return map;
    static const char *const part[] = {"width", "height", "slope"};
    IrValue raw[3];
    for (int i = 0; i < 3; i++) {
        AxisId out = output_axis(b, n),
               each = i < 2 ? spline_bins(b, shape->bins) : spline_knots(b, shape->bins);
        raw[i] = dense_over(b, arena_printf(b->arena, "%s.%s", name, part[i]), &blocks,
                            (AxisId[]){each, out}, 2, shape->last_gain);
        raw[i] = ir_rename(p, raw[i], out, feature_axis(b, n));
    }
    *room = spline_of(b, shape->bins, raw[0], raw[1], raw[2]);
    map.spline = room;
    return map;
}

/* Maps `n` numbers; adds the sum of the logs of slopes. */
static IrValue mapped(const Coupling *c, int step, Way way, IrValue given, int64_t n_given,
                      IrValue from, int64_t n, IrValue *log_det) {
    Build *b = c->b;
    Spline room;
    NumberMap map = parameters(c, step, given, n_given, n, &room);
    AxisId own = feature_axis(b, n);
    IrValue log_slope, to = number_map(b, &map, way, from, &log_slope);
    *log_det = ir_add(b->p, *log_det, ir_sum(b->p, log_slope, &own, 1));
    return to;
}

IrValue coupling(Build *b, const char *name, const Maf *shape, Way way, IrValue from, int64_t d,
                 const Block *context, IrValue *log_det) {
    IrProgram *p = b->p;
    Coupling c = {b, name, shape, *context};
    AxisId whole = feature_axis(b, d), axis[2];
    IrValue half[2];
    int64_t n[] = {first_half(d), d - first_half(d)};
    if (d == 1 && !shape->bins) return from;
    if (d == 1) return mapped(&c, 0, way, IR_NONE, 0, from, 1, log_det);
    for (int i = 0; i < 2; i++) {
        axis[i] = feature_axis(b, n[i]);
        half[i] = ir_slice(p, from, whole, axis[i], i * n[0]);
    }
    int steps = shape->steps ? (int)shape->steps : STEPS;
    for (int k = 0; k < steps; k++) {
        int step = way == WAY_DRAW ? k : steps - 1 - k, given = step % 2, to = 1 - given;
        half[to] = mapped(&c, step, way, half[given], n[given], half[to], n[to], log_det);
    }
    return ir_add(p, ir_pad(p, half[0], axis[0], whole, 0),
                  ir_pad(p, half[1], axis[1], whole, n[0]));
}
