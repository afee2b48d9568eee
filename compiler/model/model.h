/* model.h -- the checked model: what front/ yields and everything after it reads.
 *
 * Names are resolved, types and shapes inferred, supports checked. Expressions are trees over
 * variables, parameters (inside functions, distributions, links), built-in operations of the tensor
 * IR (ops.def) and calls of fn, which are inlined when lowered (dual/lower.c). A value's plates are
 * always a path from the root of the plate tree, or a cross of two such paths, so its innermost
 * plate says all (NULL: outside all plates).
 */
#ifndef ADAVIC_MODEL_H
#define ADAVIC_MODEL_H

#include "model/expr.h"
#include "model/settings.h"

typedef enum {
    VAR_HYPER,
    VAR_LATENT,
    VAR_OBSERVED,
    VAR_LET,
    VAR_QUANTITY,
    VAR_CONTEXT, /* known to whoever infers: drawn from its distribution in training only */
    VAR_SUMMED,  /* a latent of finitely many values: summed out, never drawn by a guide */
    VAR_GIVEN,   /* a covariate: part of a data set; what it is made of designs the training data */
} VarKind;

struct Var {
    VarKind kind;
    const char *name;
    Span span; /* of the name in its declaration */
    int index; /* in Model.vars: the order of declaration */
    Type type; /* type.plate: where it is declared (latent, observed) or what it varies over (let,
                  quantity) */
    /* latent, observed, context, given (or `value`) */
    Distribution *dist;
    Expr **args;     /* dist->n_params of them */
    Support support; /* the distribution's, with its parameters replaced */
    Link *link;      /* latent: the support's default or the one named by `via` */
    /* latent, observed: of the law push(link, dist(...)), link.inverse of the variable, which is
     * `dist(...)` and stands in no list; its `link` is that of push. Of an observation with
     * n_values: as many numbers more, which are 1 at its category and else 0. NULL: neither */
    const Var *before;
    int64_t n_values;          /* summed, discrete given, observed of more than two categories: it
                                  is one of 0 .. n_values - 1; else 0 */
    bool whole;                /* observed, given that is no category: whole numbers from 0 on, */
    int64_t most;              /* up to this one, unless it is below 0, */
    const struct Var *most_of; /* up to this covariate, or NULL */
    bool positive;             /* given: some law is one for numbers above 0 alone */
    bool missing;              /* observed: cells of data files may be missing; */
    bool with_pairs;           /* in training these are of absent pairs of a cross alone; */
    double harmless; /* a value of each entry that its law takes, whatever it depends on */
    /* let, quantity, hyper, given (or `dist`) */
    Expr *value;
    double *numbers; /* hyper: evaluated, row-major over type.dims */
};

typedef struct Model {
    const char *name;    /* the file's name without folder and extension */
    VEC(Plate *) plates; /* parents before children, in order of declaration */
    VEC(Var *) vars;     /* in order of declaration; a use never precedes its declaration */
    VEC(Distribution *) distributions;
    VEC(Link *) links;
    VEC(Function *) functions;
    DualSettings dual;
    uint64_t hash; /* of the checked model, so spacing and comments do not change it */
} Model;

/* ---- analysis (model/) ---- */

/* The factorisation of the guide: latents in top-down order with their conditioning sets. */
typedef struct Conditioning {
    Var *latent;
    int n_on;
    Var **on;   /* K_i: earlier latents */
    bool exact; /* universal flows would lose nothing */
    const char *reason;
    int hier; /* ADAVI's Hier: plates counted from the innermost */
} Conditioning;

/* Discrete latents that are summed out together, since a factor holds several of them or they hang
 * on each other; most stand alone. */
typedef struct SumGroup {
    int n;
    Var **summed; /* in the order in which sums are taken: inner plates first */
    int n_factors;
    Var **factors; /* latents and observed variables whose law depends on one of them */
    bool observed; /* one of the factors is observed */
} SumGroup;

/* Components that may be exchanged: the values of `labels`, with the entries of `moved`. */
typedef struct LabelSymmetry {
    int64_t components;
    int n_labels, n_moved;
    Var **labels, **moved;
    int *dim;           /* of moved[i]: the dimension along which its entries are exchanged */
    const Plate *plate; /* in each of whose instances by itself; NULL: in all at once */
    double loss; /* log of the number of permutations: what a guide with one mode loses at most
                    in each instance */
} LabelSymmetry;

typedef struct Analysis {
    const Model *model;
    const char *structure; /* "pyramid", "tree of plates", "plates that cross" */
    int n_latents;
    Conditioning *order; /* earlier before later */
    int n_groups;
    SumGroup *groups;
    int n_symmetries;
    LabelSymmetry *symmetries;
} Analysis;

Analysis *model_analyse(Arena *arena, Model *model); /* also fills Plate.exchangeable and .reason */
void model_print(Text *out, const Model *model);     /* --emit=model */
/* Shape of a latent's unconstrained value: the link's vector in the place of its event. */
Type model_free_type(const Var *latent);
const char *plate_size_text(Arena *arena, const Plate *plate); /* "3", "2..60" */
void expr_print(Text *out, const Expr *e); /* as it would be written; EXPR_PARAM as $0, $1 ... */
/* Over what model_print shows, the name left out. */
uint64_t model_hash(Arena *arena, const Model *model);
/* What a family's factor of one latent is given beside data. */
typedef enum {
    FACTORS_STRUCTURED, /* Conditioning.on; all outside the plates are one factor */
    FACTORS_MEAN_FIELD, /* nothing */
    FACTORS_PARENTS,    /* the latents that its law depends on */
    FACTORS_JOINT,      /* there is one factor, of all latents */
} Factors;
/* `family`: its name, for people. */
void model_print_descriptors(Text *out, const Analysis *analysis, const char *family);
void model_print_analysis(Text *out, const Analysis *analysis, const char *family, Factors factors);

/* ---- discrete.c ---- */
SumGroup *model_sum_groups(Arena *arena, const Model *model, int *n_groups);
/* Does the law of `var` depend on a summed variable directly (through lets)? */
bool var_reads_summed(const Var *var);
/* The largest table that summing out `group` makes for one instance: the product of the numbers of
 * values that meet in it. */
double model_table_size(const SumGroup *group);

/* ---- tails.c: as far as a law's `sample` shows; what is unknown before training counts as
 * ordinary ---- */
bool has_variance(const Var *var);
/* Does a tail fall more slowly than an exponential's? */
bool has_long_tail(const Var *var);
/* Is the log density of this law of one number quadratic in it? */
bool is_quadratic(const Var *var);
/* ... or in that parameter, whatever the value is? */
bool is_quadratic_in(const Var *var, int param);

/* symmetry.c */
LabelSymmetry *model_symmetries(Arena *arena, const Model *model, int *n);

/* Is `other` written in `var`'s distribution or value? (expr_mentions looks through lets.) */
bool var_reads(const Var *var, const Var *other);
/* Is `outer` around `inner`, or the same? NULL is around all; both plates of a cross are. */
bool plate_within(const Plate *inner, const Plate *outer);
/* `inner` with its parents chosen so that `outer`, which is around it, is among them. */
const Plate *plate_seen_from(const Plate *inner, const Plate *outer);
/* Does the value of `e` mention variable `var` (through lets too)? */
bool expr_mentions(const Expr *e, const Var *var);
/* The number of base draws in a `sample` body. */
int64_t expr_base_draws(const Expr *e);
/* Calls `visit` for every random variable or hyper that `e` depends on, lets and functions looked
 * through. */
void expr_visit_vars(const Expr *e, void (*visit)(void *user, Var *var), void *user);

#endif
