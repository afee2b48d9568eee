/* reassociate.h -- the algebra behind opt_reassociate: which values are linear in which others, and
 * what they look like when written so. reassociate.c decides, reassociate_forms.c rewrites.
 *
 * A program under rewriting only grows; a value that was replaced stays where it is, and
 * algebra_now says what stands for it. Everything here appends what it needs, and gives IR_NONE or
 * false where a rule does not fit; what it appended then is never used. */
#ifndef ADAVIC_REASSOCIATE_H
#define ADAVIC_REASSOCIATE_H

#include "ir/ir.h"

typedef struct Algebra {
    IrProgram *p;
    VEC(IrValue) now;    /* by value: its replacement, or itself */
    VEC(int) users;      /* by value: uses by live values and outputs; 0 = dead */
    const bool *partial; /* of the given values: a sum over data sets (ir.h) */
    int n_given;
    double cost;       /* of all live values */
    int patience;      /* values that may still be looked at for the form at hand */
    bool deeper;       /* whether that form goes further back at a greater depth */
    VEC(IrValue) open; /* for walks */
} Algebra;

enum { FORM_TERMS = 4, FORM_SHIFTS = 6 };

/* The sum over the axes `over` of base * matrix. */
typedef struct Term {
    IrValue base, matrix;
    int n_over;
    AxisId over[IR_MAX_OVER];
} Term;

/* A value as the sum of its terms and the offset (or IR_NONE). */
typedef struct Form {
    int n;
    Term terms[FORM_TERMS];
    IrValue offset;
} Form;

IrValue algebra_now(const Algebra *a, IrValue v);
/* Extents as costs are estimated: of run-time axes the usual ones. */
double algebra_extent(const Algebra *a, AxisId axis);
/* Appends; IR_NONE where the operation would not be sound. */
IrValue algebra_append(Algebra *a, IrOp op);

/* v as a linear map of what lies `depth` maps further back than its own operands; false where v is
 * none. Sets a->deeper where more depth may give another form. */
bool form_of(Algebra *a, IrValue v, int depth, Form *f);
/* The value that a form describes. */
IrValue form_value(Algebra *a, const Form *f);
/* A softmax-weighted mean v whose scores lack one of the summands that all scores have in common,
 * the one numbered `which`; IR_NONE where v is none, or has fewer. */
IrValue form_unshifted(Algebra *a, IrValue v, int which);

#endif
