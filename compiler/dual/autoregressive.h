/* autoregressive.h -- the two autoregressive flows of the guide: written out number by number for
 * small events (maf.c), in whole layers for wide ones (iaf.c). Private to dual/. */
#ifndef ADAVIC_AUTOREGRESSIVE_H
#define ADAVIC_AUTOREGRESSIVE_H

#include "dual/internal.h"

/* ---- maf.c ---- */
typedef struct Maf {
    int n_layers; /* hidden layers */
    int64_t width;
    double clip, last_gain;
    bool relu;
} Maf;

/* y_i = z_i exp(ls_i(y_<i, context)) + shift_i(y_<i, context) over feature_axis(d): y of `from` =
 * z, or z of `from` = y; adds the log scales to *log_det. */
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

#endif
