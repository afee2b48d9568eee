/* predict.h -- program predict (predict.c). Private to dual/. */
#ifndef ADAVIC_DUAL_PREDICT_H
#define ADAVIC_DUAL_PREDICT_H

#include "dual/internal.h"

/* Can what is observed be drawn given draws of the posterior? */
bool predict_served(const Analysis *analysis);
void build_predict(Build *b);

/* ---- programs.c ---- */
/* All variables of a kind as inputs of that name; latents have an axis of draws. */
void input_all(Build *b, VarKind kind, IrRole role);
void output_value(Build *b, const char *name, const Val *val, const Plate *plate, bool with_draw);

#endif
