/* graddiff.h -- the gradients of a program against central differences of its loss, in double.
 *
 * The program has an output "loss" (a scalar) and, for some inputs NAME, an output "grad:NAME" or
 * "d:NAME" over the input's axes: the derivative of the loss. `env` gives all inputs, and random
 * sources that it does not give are drawn alike in every evaluation.
 *
 *     double worst;
 *     int wrong = check_gradients(step, &env, 5, &worst);
 *     CHECK(wrong == 0, "%d derivatives are wrong, the worst by %g of the largest", wrong, worst);
 */
#ifndef ADAVIC_GRADDIFF_H
#define ADAVIC_GRADDIFF_H

#include "ir/eval.h"
#include "ir/ir.h"

/* Per gradient, tries its largest entry, `max_entries_per_tensor` random ones, and one random
 * direction. Returns how many of these were off by more than 1e-6 of the gradient's largest entry
 * (and 1e-10), each printed; -1 where the program does not run. *worst is the largest error
 * relative to max(largest entry, 1e-4): at most 1e-6 where all is well. */
int check_gradients(const IrProgram *p, const IrEvalEnv *env, int max_entries_per_tensor,
                    double *worst);

/* A copy of `p` with one output alone; NULL if it has none of that name. Its inputs, axes and draws
 * are those of p. */
IrProgram *only_output(const IrProgram *p, const char *name);

#endif
