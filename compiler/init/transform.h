/* transform.h -- functions of one column in a formula: log(dose + 10), I(days^2), scale(x).
 *
 * A tree of numbers, the column, + - * / ^ and functions of one argument, which can be evaluated,
 * and written as an expression of the language or as a part of a name. */
#ifndef ADAVIC_INIT_TRANSFORM_H
#define ADAVIC_INIT_TRANSFORM_H

#include "runtime/memory.h"

/* By their names in a formula; I and scale are none of these. */
typedef enum { FN_LOG, FN_LOG1P, FN_LOG2, FN_LOG10, FN_SQRT, FN_EXP, FN_ABS, FN_COUNT } TransformFn;
extern const char *const transform_functions[FN_COUNT];

typedef enum { TRANSFORM_NUMBER, TRANSFORM_COLUMN, TRANSFORM_CALL, TRANSFORM_OP } TransformKind;
typedef struct Transform {
    TransformKind kind;
    char op; /* + - * / ^; '-' without a left: the sign */
    TransformFn fn;
    double number;
    const struct Transform *left, *right; /* of a call: left */
} Transform;

/* NULL stands for the column itself, in all of these. */
bool transform_same(const Transform *a, const Transform *b);
double transform_at(const Transform *t, double x);
/* (t - mean) / sd */
const Transform *transform_scaled(RtMem *mem, const Transform *t, double mean, double sd);
/* Appends it as an expression; in parentheses where it is a sum. */
void transform_text(const Transform *t, const char *column, RtBytes *out);
/* Appends it with nothing but letters, digits and single _ : "log_dose_10". */
void transform_name(const Transform *t, const char *column, RtBytes *out);

#endif
