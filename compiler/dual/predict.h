/* predict.h -- programs predict (predict.c) and extend (extend.c). Private to dual/. */
#ifndef ADAVIC_DUAL_PREDICT_H
#define ADAVIC_DUAL_PREDICT_H

#include "dual/objectives.h"

/* Can what is observed be drawn given draws of the posterior? */
bool predict_serves(Build *b);
void build_predict(Build *b);
/* Draws of the latents, and what is known, as inputs; from here on all is by draw. */
void input_draws(Build *b);
/* Probabilities of a discrete latent's values, as program posterior has them: an input. */
IrValue input_probabilities(Build *b, const Var *z);
/* Its value becomes one drawn with these probabilities, which lie along summed_axis. */
void draw_label(Build *b, const Var *z, IrValue probability);

/* ---- extend.c ---- */
/* Is there anything to carry over, and can it be? (dual_extend_refusal says why not.) */
bool extend_serves(Build *b);
void build_extend(Build *b);

/* ---- discrete.c ---- */
/* log p of each value of a discrete latent, along its axis, given the values so far. */
IrValue label_law(Build *b, const Var *z);

#endif
