/* text.h -- the words of the text form that printer and parser share, each list in the order of its
 * enum in ir.h.
 *
 *   program NAME {
 *     axis NAME : data | draw | plate [in NAME [ragged]] [of N] | event N | copy of NAME
 *     %N = const NUMBER
 *     %N = table [AXES] {NUMBER, ...}
 *     %N = input "NAME" ROLE [AXES]
 *     %N = extent AXIS
 *     %N = random KIND "SITE" [AXES]             %N = random_gamma %A "SITE" [AXES]
 *     %N = random_poisson %A "SITE" [AXES]       %N = random_binomial %A %B "SITE" [AXES]
 *     %N = OPERATION %A %B ...                   point-wise
 *     %N = sum %A over [AXES]                    also max_over; contract %A %B over [AXES]
 *     %N = rename %A AXIS -> AXIS
 *     %N = pick %A AXIS at I                     also place
 *     %N = slice %A AXIS -> AXIS at I            also pad
 *     %N = spread %A [AXES]
 *     output "NAME" = %N
 *   }
 *
 * N counts operations from 0. `#` opens a comment up to the end of the line: behind an operation it
 * is the note (where the operation came from) from there on, a bare `#` ends it; elsewhere it says
 * nothing. A name that is not letters, digits, `_`, `.`, `:` alone stands in quotes, with \" \\ \n
 * \xHH.
 */
#ifndef ADAVIC_IR_TEXT_H
#define ADAVIC_IR_TEXT_H

#include "base/base.h"

#define IR_ROLE_WORDS \
    { "weight", "hyper", "data", "latent", "stat", "control", "segment" }
#define IR_RANDOM_WORDS \
    { "normal", "uniform", "exponential", "gamma", "poisson", "binomial", "given" }
enum { IR_ROLES = 7 };

static inline bool ir_name_char(char c, bool first) {
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    return letter || (!first && ((c >= '0' && c <= '9') || c == '.' || c == ':'));
}

#endif
