/* manifest.h -- the model's part of the manifest (runtime/abi.h): what the runtime must know of
 * plates, variables, hypers and weights, as text. manifest_program (back.h) appends one section per
 * program. */
#ifndef ADAVIC_MANIFEST_H
#define ADAVIC_MANIFEST_H

#include "dual/dual.h"

/* `target` is shown by `info` and compared with nothing. */
void manifest_model(Text *out, const Dual *dual, bool f64, const char *target);
/* "text", with \" \\ and \n escaped. */
void manifest_quote(Text *out, const char *text);

#endif
