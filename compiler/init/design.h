/* design.h -- terms as effects: what is multiplied by a coefficient each, on which scale.
 *
 * Factors are coded as R codes them: by the differences of their levels to the first where the term
 * without the factor is in the model, too, else by all levels. The first level is the first to
 * appear in the file, or the smallest number. */
#ifndef ADAVIC_INIT_DESIGN_H
#define ADAVIC_INIT_DESIGN_H

#include "init/frame.h"

typedef enum { LINK_IDENTITY, LINK_LOGIT, LINK_LOG } OutcomeLink;
typedef enum { VALUES_ANY, VALUES_BITS, VALUES_TRIALS, VALUES_COUNTS } OutcomeValues;
typedef enum {
#define OUTCOME(NAME, ...) OUTCOME_##NAME,
#include "init/families.def"
#undef OUTCOME
    OUTCOME_COUNT
} OutcomeKind;
typedef struct OutcomeInfo {
    const char *name;
    OutcomeLink link;
    OutcomeValues values;
    double intercept, slope, groups; /* prior standard deviations */
    const char *law, *summary;
} OutcomeInfo;
extern const OutcomeInfo outcome_info[OUTCOME_COUNT];
/* OUTCOME_COUNT: there is none of this name. */
OutcomeKind outcome_named(const char *name);

enum { MOST_EFFECTS = 128, MOST_CORRELATED = 8 };
typedef struct Effect {
    VarSet vars;
    int level[FORMULA_VARS]; /* of the factors among them */
    const char *name;        /* "days", "arm_drug"; of the intercept "intercept" */
    const char *times;       /* "days * (arm == 1 ? 1 : 0)"; NULL: of the intercept */
    int plate;               /* the outermost in which it is one number */
    double sd;               /* of what it multiplies; 1 of factors and of 0 and 1 */
    bool whole; /* a level of a factor without an intercept: lies where the outcome lies */
    bool fixed;
} Effect;

/* (effects | groups), or of (effects || groups) one of them. */
typedef struct Block {
    int plate, n, effects[MOST_CORRELATED];
} Block;

typedef struct Design {
    int n_effects, n_blocks;
    double center[FORMULA_VARS]; /* what is taken off a variable that is far from 0 everywhere, as
                                    years are */
    Effect effects[MOST_EFFECTS];
    Block blocks[MOST_EFFECTS];
    double location,
        unit; /* of the outcome, as the predictor has it: where it lies; how far it spreads */
} Design;

bool design_make(const Frame *a, OutcomeKind kind, Design *out, RtError *error);

#endif
