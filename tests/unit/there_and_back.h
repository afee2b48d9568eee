/* there_and_back.h -- draws from the guide, and log q of what was drawn when it is given. */
#ifndef ADAVIC_THERE_AND_BACK_H
#define ADAVIC_THERE_AND_BACK_H

#include "harness.h"

/* Outputs `drawn` and `back`, [data, draw]: log q of the same latents by either way. */
IrProgram *there_and_back(Compiled *c);
/* Both within 1e-10 of their size; `what` names the case. */
void check_there_and_back(Run *run, const IrProgram *p, const char *what);

#endif
