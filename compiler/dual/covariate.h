/* covariate.h -- covariates in the dual (covariate.c): what the encoder and the flows are told of
 * them. Private to dual/. */
#ifndef ADAVIC_DUAL_COVARIATE_H
#define ADAVIC_DUAL_COVARIATE_H

#include "dual/internal.h"

/* The axes of categories: before any output axis of a weight (internal.h). */
void declare_covariates(Build *b);
/* Fills enc->given, and adds what is known of whole data sets to enc->context, root and scale; in
 * program prepare, what statistics are taken of leaves as outputs. */
void encode_covariates(Build *b, Encoding *enc);
/* The exact path: adds the cross-products of an observed variable, `normal` in units of the data
 * set, with covariates, after encode_covariates. */
void add_cross_products(Build *b, Encoding *enc, const Moments *m, Val normal);

/* ---- encoder.c ---- */
IrValue asinh_of(Build *b, IrValue v);
IrValue mean_over(Build *b, IrValue v, const AxisId *axes, int n);
/* Is there an observed variable in the plate, or in one inside it? */
bool holds_data(const Build *b, const Plate *plate);
/* A raw feature of the whole data set as an output of program posterior, for the runtime to compare
 * with what training saw (runtime/seen.c). */
void output_seen(Build *b, const char *tag, IrValue v, const AxisId *events, int n);

#endif
