/* autoregressive.h -- what stands between base draws and bend: autoregressive flows, written out
 * number by number for small events (maf.c) and in whole layers for wide ones (iaf.c), coupling
 * layers (coupling.c), and the maps of single numbers that they set (spline.c). Private to dual/.
 */
#ifndef ADAVIC_AUTOREGRESSIVE_H
#define ADAVIC_AUTOREGRESSIVE_H

#include "dual/internal.h"

/* ---- spline.c ---- */
typedef struct Spline {
    int64_t bins;
    AxisId bin, knot;             /* of the bins, of the knots between them */
    IrValue width, height, slope; /* of each bin; at each knot */
} Spline;

/* From a network's numbers, 0 where the spline is the identity: over [.., spline_bins] each, and
 * over [.., spline_knots]. */
Spline spline_of(Build *b, int64_t bins, IrValue width, IrValue height, IrValue slope);
/* Entry by entry, either way; *log_slope is that of the way to draws. */
IrValue spline(Build *b, const Spline *s, Way way, IrValue from, IrValue *log_slope);
AxisId spline_bins(Build *b, int64_t bins);
AxisId spline_knots(Build *b, int64_t bins);
void spline_declare(Build *b, int64_t bins); /* the axes that weights have */

/* A number's map: its spline (NULL: none), then shift + exp(log_scale) of that (IR_NONE: neither);
 * not nothing. */
typedef struct NumberMap {
    IrValue shift, log_scale;
    const Spline *spline;
} NumberMap;
/* Either way; *log_slope is that of the way to draws. */
IrValue number_map(Build *b, const NumberMap *map, Way way, IrValue from, IrValue *log_slope);

/* ---- maf.c ---- */
typedef struct Maf {
    int n_layers; /* hidden layers */
    int64_t width;
    double clip, last_gain;
    bool relu;
    int64_t bins;  /* of the splines; 0: affine maps alone */
    int64_t steps; /* of coupling layers; 0: as many as usual */
} Maf;

/* y_i = z_i exp(ls_i(y_<i, context)) + shift_i(y_<i, context) over feature_axis(d), z_i through a
 * spline first where there are bins: y of `from` = z, or z of `from` = y; adds the logs of slopes
 * to *log_det. */
IrValue maf(Build *b, const char *name, const Maf *shape, Way way, IrValue from, int64_t d,
            const Block *context, IrValue *log_det);
IrValue clipped(Build *b, IrValue x, double at); /* at * tanh(x / at) */

/* ---- iaf.c ---- */
/* y_i = z_i exp(ls_i(z_<i, context)) + shift_i(z_<i, context), in whole layers of iaf_hidden(d)
 * units; else as maf. */
IrValue iaf(Build *b, const char *name, const Maf *shape, IrValue z, int64_t d,
            const Block *context, IrValue *log_det);
int64_t iaf_hidden(int64_t d);
void iaf_declare(Build *b, int64_t d); /* the axes that its weights read */

/* ---- coupling.c ---- */
/* In shape->steps steps; else as maf. */
IrValue coupling(Build *b, const char *name, const Maf *shape, Way way, IrValue from, int64_t d,
                 const Block *context, IrValue *log_det);
int64_t coupling_hidden(int64_t d);
void coupling_declare(Build *b, int64_t d);

#endif
