/* spline.c -- monotone rational-quadratic splines (Gregory & Delbourgo 1982; Durkan et al., NeurIPS
 * 2019), entry by entry, and the maps of one number that flows are made of.
 *
 * Knots cut [-EDGE, EDGE] into bins, the same interval on either side; beyond it the spline is the
 * identity, and slope 1 at both ends joins them. Within a bin of width w and height h, slopes d0
 * and d1 at its ends, s = h / w and xi from 0 to 1,
 *
 *     y     = y0 + h (s xi^2 + d0 xi (1 - xi)) / (s + (d0 + d1 - 2 s) xi (1 - xi))
 *     slope = s^2 (d1 xi^2 + 2 s xi (1 - xi) + d0 (1 - xi)^2) / (s + (d0 + d1 - 2 s) xi (1 - xi))^2
 *
 * and the inverse is the root of a quadratic, in the form in which nothing cancels.
 *
 * A bin is found by comparing with the inner knots. What belongs to it are sums over bins with
 * weights 0 and 1, which follow from one set of comparisons: exactly one bin is hit however the
 * sums that place the knots are rounded.
 */
#include "dual/autoregressive.h"

#include <math.h>

static const double EDGE = 4;     /* on the scale of the base draws */
static const double LEAST = 1e-3; /* of a bin's share of the interval, and of a slope */
static const double CLIP = 4;     /* of the networks' numbers */

void spline_declare(Build *b, int64_t bins) {
    named_axis(b, "bin", bins);
    named_axis(b, "knot", bins - 1);
}

AxisId spline_bins(Build *b, int64_t bins) {
    return named_axis(b, "bin", bins);
}

AxisId spline_knots(Build *b, int64_t bins) {
    return named_axis(b, "knot", bins - 1);
}

/* Lengths of the bins, which fill the interval. */
static IrValue lengths(Build *b, const Spline *s, IrValue raw) {
    IrProgram *p = b->p;
    IrValue e = ir_exp(p, clipped(b, raw, CLIP));
    IrValue share = ir_div(p, e, ir_sum(p, e, &s->bin, 1));
    double rest = 1 - LEAST * (double)s->bins;
    share = ir_add(p, ir_mul(p, share, number(b, rest)), number(b, LEAST));
    return ir_mul(p, share, number(b, 2 * EDGE));
}

Spline spline_of(Build *b, int64_t bins, IrValue width, IrValue height, IrValue slope) {
    IrProgram *p = b->p;
    Spline s = {.bins = bins, .bin = spline_bins(b, bins), .knot = spline_knots(b, bins)};
    IrValue start = number(b, log(expm1(1 - LEAST))); /* slope 1 */
    s.width = lengths(b, &s, width);
    s.height = lengths(b, &s, height);
    slope = ir_softplus(p, ir_add(p, clipped(b, slope, CLIP), start));
    s.slope = ir_add(p, slope, number(b, LEAST));
    return s;
}

/* The bin that a number is in. */
typedef struct Bin {
    IrValue x, y, w, h, d0, d1;
} Bin;

/* `length`: of the bins on the side that `at` is on. */
static Bin bin_of(Build *b, const Spline *s, IrValue length, IrValue at) {
    IrProgram *p = b->p;
    double *below = arena_array(b->arena, double, s->bins * s->bins);
    double *first = arena_array(b->arena, double, s->bins);
    double *last = arena_array(b->arena, double, s->bins);
    for (int64_t i = 0; i < s->bins; i++)
        for (int64_t k = 0; k + 1 < s->bins; k++) below[i * (s->bins - 1) + k] = i <= k;
    first[0] = last[s->bins - 1] = 1;
    IrValue sums = ir_table(p, below, (AxisId[]){s->bin, s->knot}, 2);
    IrValue knots = ir_sub(p, ir_contract(p, length, sums, &s->bin, 1), number(b, EDGE));
    IrValue passed = ir_select(p, ir_le(p, knots, at), number(b, 1), number(b, 0));
    IrValue done = ir_pad(p, passed, s->knot, s->bin, 0); /* bins that lie below */
    IrValue in = ir_sub(p, ir_pad(p, passed, s->knot, s->bin, 1), done);
    in = ir_add(p, in, ir_table(p, first, &s->bin, 1));
    IrValue d0 = ir_add(p, ir_pad(p, s->slope, s->knot, s->bin, 1), ir_table(p, first, &s->bin, 1));
    IrValue d1 = ir_add(p, ir_pad(p, s->slope, s->knot, s->bin, 0), ir_table(p, last, &s->bin, 1));
    return (Bin){.x = ir_sub(p, ir_contract(p, done, s->width, &s->bin, 1), number(b, EDGE)),
                 .y = ir_sub(p, ir_contract(p, done, s->height, &s->bin, 1), number(b, EDGE)),
                 .w = ir_contract(p, in, s->width, &s->bin, 1),
                 .h = ir_contract(p, in, s->height, &s->bin, 1),
                 .d0 = ir_contract(p, in, d0, &s->bin, 1),
                 .d1 = ir_contract(p, in, d1, &s->bin, 1)};
}

/* xi at which the spline is `rise` above the bin's lower end; bend = d0 + d1 - 2 s. */
static IrValue root(Build *b, const Bin *bin, IrValue s, IrValue bend, IrValue rise) {
    IrProgram *p = b->p;
    IrValue part = ir_mul(p, rise, bend);
    IrValue a2 = ir_add(p, ir_mul(p, bin->h, ir_sub(p, s, bin->d0)), part);
    IrValue a1 = ir_sub(p, ir_mul(p, bin->h, bin->d0), part);
    IrValue a0 = ir_mul(p, s, rise); /* a2 xi^2 + a1 xi = a0 */
    IrValue inside = ir_add(p, ir_square(p, a1), ir_mul(p, number(b, 4), ir_mul(p, a2, a0)));
    inside = ir_sqrt(p, ir_max(p, inside, number(b, 1e-30)));
    return ir_div(p, ir_mul(p, number(b, 2), a0), ir_add(p, a1, inside));
}

IrValue spline(Build *b, const Spline *spline, Way way, IrValue from, IrValue *log_slope) {
    IrProgram *p = b->p;
    IrValue one = number(b, 1), two = number(b, 2), edge = number(b, EDGE);
    bool draw = way == WAY_DRAW;
    IrValue at = ir_max(p, ir_min(p, from, edge), ir_neg(p, edge));
    Bin bin = bin_of(b, spline, draw ? spline->width : spline->height, at);
    IrValue s = ir_div(p, bin.h, bin.w);
    IrValue bend = ir_sub(p, ir_add(p, bin.d0, bin.d1), ir_mul(p, two, s));
    IrValue xi = draw ? ir_div(p, ir_sub(p, at, bin.x), bin.w)
                      : root(b, &bin, s, bend, ir_sub(p, at, bin.y));
    IrValue left = ir_sub(p, one, xi), both = ir_mul(p, xi, left), square = ir_square(p, xi);
    IrValue below = ir_add(p, s, ir_mul(p, bend, both));
    IrValue rate = ir_add(p, ir_mul(p, bin.d1, square), ir_mul(p, ir_mul(p, two, s), both));
    rate = ir_add(p, rate, ir_mul(p, bin.d0, ir_square(p, left)));
    IrValue slope = ir_mul(p, ir_square(p, ir_div(p, s, below)), rate);
    IrValue to;
    if (draw) {
        IrValue above = ir_add(p, ir_mul(p, s, square), ir_mul(p, bin.d0, both));
        to = ir_add(p, bin.y, ir_mul(p, bin.h, ir_div(p, above, below)));
    } else {
        to = ir_add(p, bin.x, ir_mul(p, bin.w, xi));
    }
    IrValue within = ir_lt(p, ir_abs(p, from), edge);
    *log_slope = ir_log(p, ir_select(p, within, slope, one));
    return ir_select(p, within, to, from);
}

IrValue number_map(Build *b, const NumberMap *map, Way way, IrValue from, IrValue *log_slope) {
    IrProgram *p = b->p;
    IrValue own = IR_NONE, to = from;
    if (way == WAY_DENSITY && map->shift != IR_NONE)
        to = ir_mul(p, ir_sub(p, to, map->shift), ir_exp(p, ir_neg(p, map->log_scale)));
    if (map->spline) to = spline(b, map->spline, way, to, &own);
    if (way == WAY_DRAW && map->shift != IR_NONE)
        to = ir_add(p, ir_mul(p, to, ir_exp(p, map->log_scale)), map->shift);
    *log_slope = map->shift == IR_NONE ? own : map->log_scale;
    if (map->shift != IR_NONE && own != IR_NONE) *log_slope = ir_add(p, map->log_scale, own);
    return to;
}
