/* formula.h -- model formulas in the notation of lme4 and brms, read into terms.
 *
 *     reaction ~ 1 + days + (1 + days | subject)
 *
 * Outcome: a column, cbind(y, n - y), or y | trials(n). Terms: 1, 0, -1, columns, functions of one
 * as log(x + 1), I(x^2) and scale(x) (transform.h), factor(x), with + - : * / ^ and parentheses;
 * offset(x) and offset(log(x)); (terms | groups) and, for effects that do not correlate,
 * (terms || groups). Groups: g, a:b, a/b = a + a:b.
 * Columns whose names are no names of R stand in backquotes. A term is a set of variables: order
 * and repetition mean nothing, and the empty one is the intercept, which is there unless it is
 * taken out. Knows nothing of the file: that columns exist is asked by frame.h.
 *
 * Errors show the formula with the place underlined.
 */
#ifndef ADAVIC_INIT_FORMULA_H
#define ADAVIC_INIT_FORMULA_H

#include "init/transform.h"

enum { FORMULA_VARS = 32, FORMULA_TERMS = 64, FORMULA_GROUPS = 16, FORMULA_COLUMNS = 6 };

/* A part of the formula's text, in bytes. */
typedef struct Place {
    int begin, end;
} Place;

typedef struct FormulaVar {
    const char *column;
    bool factor;                /* factor(x) of numbers; text is one by itself */
    bool scaled;                /* scale(...): frame_read puts it into `transform` */
    const Transform *transform; /* NULL: the column as it is */
    Place place;
} FormulaVar;

typedef uint32_t VarSet; /* of FormulaVars, by their numbers */

typedef struct FormulaTerms {
    int n;
    bool without_intercept;   /* 0 or -1 stands there */
    VarSet at[FORMULA_TERMS]; /* 0: the intercept; in order of their numbers of variables */
} FormulaTerms;

/* (terms | groups); a/b has been made two of these. */
typedef struct FormulaGroup {
    FormulaTerms terms;
    bool correlated;
    int n_columns;
    const char *columns[FORMULA_COLUMNS]; /* a group is a combination of their values */
    Place place;                          /* of the groups */
} FormulaGroup;

typedef struct Formula {
    const char *text;
    FormulaVar outcome;
    FormulaVar trials;    /* column NULL: none; */
    int64_t fixed_trials; /* or so many, where it is not 0 */
    int n_vars;
    FormulaVar vars[FORMULA_VARS];
    FormulaTerms fixed;
    VarSet offsets;
    int n_groups;
    FormulaGroup groups[FORMULA_GROUPS];
} Formula;

bool formula_parse(RtMem *mem, const char *text, Formula *out, RtError *error);
/* "error: what", the formula, and the place underlined; `more`: lines behind it, each begun by
 * "\n  ", or "". */
bool formula_error(const Formula *f, Place place, RtError *error, const char *more,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
