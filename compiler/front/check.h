/* check.h -- from AST to Model: what the checking files of the front end share. Private to the
 * front end.
 *
 *   names.h     what names stand for, and the files that read definitions and calls of them
 *   check.c     front_check: walks the declarations in order, final checks
 *   import.c    what a file imports, read before all of this
 *   expr.c      AST expressions to Expr: names resolved, functions found
 *   plate.c     plates in expressions: reductions over them, their sizes and positions
 *   cross.c     crosses of two plates
 *   context.c   known inputs: contexts and covariates
 *   discrete.c  latents that are summed out
 *   multinomial.c  the base draws of counts that share out a number
 *   dual.c      dual { ... }
 *   type.c      element types, event shapes and plates of Expr
 *   shaped.c    those of the functions of shaped.def, and their compile-time values
 *   structure.c what is known of vectors and matrices as a whole: triangles, simplexes
 *   constant.c  values known at compile time; ranges of the others
 *   support.c   parameters against their supports, latents against their links
 *
 * Every function that can fail reports through Checker.diags and returns NULL or false; what failed
 * is marked broken, so that its uses stay silent.
 */
#ifndef ADAVIC_FRONT_CHECK_H
#define ADAVIC_FRONT_CHECK_H

#include "front/compose.h"
#include "front/names.h"

/* ---- values ---- */
typedef struct Range {
    double lo, hi; /* closed; covers every value of every entry */
} Range;

typedef struct Value {
    int n_dims;
    int64_t dims[MAX_DIMS];
    double *data;
} Value;

/* What is known of a variable, by Var.index. */
typedef struct Facts {
    const Value *constant; /* hyper, constant let; or NULL */
    Range range;
    const Var *latent; /* a latent that it depends on, or NULL */
} Facts;

struct Checker {
    Arena *arena;
    Diags *diags;
    Model *model;
    const Define *defines;
    int n_defines;
    Symbol *symbols[N_BUCKETS];
    VEC(Symbol *) order; /* of the symbols, as declared */
    Definition *definitions[N_BUCKETS];
    VEC(Definition *) definition_order;
    Definition *default_link[N_SUPPORTS];
    Definition *long_tail_link[N_SUPPORTS]; /* of laws with a long tail; NULL: default_link */
    VEC(Facts) facts;
    /* where the walk stands */
    Plate *plate;
    const Body *body;
    const Bound *bounds;
    const Range *ranges;  /* of the arguments of the call whose body is being typed, or NULL */
    bool by_entry;        /* the next call of a distribution of numbers fills a vector (push.c) */
    const char *constant; /* what is computed from constants alone just now, or NULL */
    bool hypers;          /* and whether it may use hypers */
    const char *user;     /* "a latent", "a let", ...: what uses names just now */
    int size, depth, deepest; /* of the expression being resolved, after inlining */
    bool too_large;           /* said of it already */
    AstList duals;            /* read after the walk */
    int64_t evaluated;
    int declared;
    bool failed;
};

/* Reports an error and marks the run as failed. */
#define FAIL(ck, ...) (diag_report((ck)->diags, __VA_ARGS__), (ck)->failed = true)

/* ---- check.c ---- */
void add_var(Checker *ck, Var *var);

/* ---- expr.c ---- */
/* The tree of `ast`, untyped; NULL after an error. */
Expr *resolve_expr(Checker *ck, const Ast *ast);
/* Resolved and typed: a value of the model. */
Expr *resolve_value(Checker *ck, const Ast *ast);
Expr *new_expr(Checker *ck, ExprKind kind, Span span, int n_args);
Expr *number_expr(Checker *ck, double number, Span span);
/* A point-wise operation on as many operands as are not NULL. */
Expr *op_expr(Checker *ck, IrOpcode opcode, Span span, Expr *a, Expr *b, Expr *c);
/* The body of a definition with arguments in the place of its parameters. */
Expr *substitute(Checker *ck, const Expr *body, Expr *const *args);
/* A whole number known at compile time. */
bool constant_integer(Checker *ck, const Ast *ast, const char *what, int64_t *out);
/* How many `what` there are, from 1 to `most`, in a call of `name`. */
bool count_up_to(Checker *ck, const Ast *ast, const char *name, const char *what, int64_t most,
                 int64_t *out);

/* The same for a part of an expression whose resolving has begun. */
Expr *resolve_part(Checker *ck, const Ast *ast);

/* ---- multinomial.c ---- */
/* std_multinomial(n, p, K). */
Expr *resolve_multinomial(Checker *ck, const Ast *ast);

/* ---- plate.c ---- */
/* sum(p: x) and its like. */
Expr *resolve_over(Checker *ck, const Ast *call);
Expr *resolve_plate_field(Checker *ck, const Ast *ast); /* p.size, p.index */
/* The plate that `plate p { ... }` without a size goes on with; NULL after a report. */
Plate *reopened_plate(Checker *ck, const Ast *ast);
/* The type of a reduction whose argument has one. */
bool type_over(Checker *ck, Expr *e);
/* The plate of that name that an expression or a cross may name here; NULL after a report. */
Plate *named_plate(Checker *ck, AstWord name);
/* Advice for a use of `symbol` outside its plate. */
void suggest_reduction(Checker *ck, const Symbol *symbol);

/* ---- cross.c ---- */
/* The plate that `cross a, b { ... }` opens, or goes on with; NULL after a report. */
Plate *open_cross(Checker *ck, const Ast *ast);
/* May this declaration or block stand in a cross? */
bool check_in_cross(Checker *ck, const Ast *ast);
/* The cross of two plates that stand apart; NULL: there is none. */
Plate *cross_of(const Checker *ck, const Plate *a, const Plate *b);

/* ---- dual.c ---- */
void check_duals(Checker *ck); /* the settings of all dual blocks, into the model */

/* ---- context.c ---- */
/* A context or covariate depends on nothing that is unknown when it is given. */
bool check_known(Checker *ck, const Var *var);
/* Some law takes values of `e` above 0 alone: so must the data be of covariates in it that training
 * keeps there. */
void keep_positive(Checker *ck, const Expr *e);

/* ---- missing.c ---- */
/* Whether cells of observed `var` may be missing, and what stands in their place. */
bool check_missing(Checker *ck, Var *var, const Ast *ast);
void check_missing_read(Checker *ck); /* after the walk: nothing is computed from such cells */

/* ---- discrete.c ---- */
/* Once its distribution is known: whether `var` is discrete, and then whether it may be. */
bool check_discrete(Checker *ck, Var *var, const Ast *ast);
/* Is this index a position that a discrete latent names (in a body: that a parameter may)? */
bool names_position(const Checker *ck, const Ast *ast);
/* Is args[1] of the EXPR_AT a position of a dimension of that extent, whatever its value is? */
bool type_position(Checker *ck, const Expr *e, int64_t extent, bool in_body);
void check_sums(Checker *ck); /* after the walk: where discrete latents stand */

/* ---- type.c ---- */
/* Fills the types of a tree; params: the types of EXPR_PARAM (NULL: none occur). */
bool type_expr(Checker *ck, Expr *e, const Type *params);
/* Types the bodies `sample` and `log_prob` that a combinator made, by the parameters and the event
 * of `dist`. */
bool type_bodies(Checker *ck, Distribution *dist);
/* "scalar", "[2]", "[2, 3]" */
const char *shape_text(Arena *arena, int n_dims, const int64_t *dims);
bool same_shape(const Type *a, const Type *b);
int64_t shape_size(int n_dims, const int64_t *dims);
/* Over what a value made of these two varies: the deeper plate, or their cross. */
Plate *deeper_plate(Checker *ck, Plate *a, Plate *b);

/* ---- shaped.c ---- */
bool type_shaped(Checker *ck, Expr *e);
/* false: not known, or more than the budget allows. */
bool value_of_shaped(Checker *ck, const Expr *e, const Value *args, Value *out);

/* ---- structure.c ---- */
/* Does `e` lie in the set, whatever the values of the variables are? */
bool proves_support(Checker *ck, const Expr *e, SupportKind kind);
/* Do these numbers? `why` names what does not hold. */
bool has_support(const Value *value, SupportKind kind, const char **why);

/* ---- constant.c ---- */
/* Room for the numbers of a value, counted against the model's budget; false: used up. */
bool take_room(Checker *ck, Value *value);
/* Counts so many operations at compile time; false beyond the limit. */
bool take_work(Checker *ck, int64_t n);
/* The value of `e` where it is known at compile time (from numbers, or hypers too); false
 * otherwise. */
bool evaluate(Checker *ck, const Expr *e, bool hypers, Value *out);
/* The same of a number (no vector), and of an event whose entries are all the same number. */
bool one_number(Checker *ck, const Expr *e, bool hypers, double *x);
bool same_number(Checker *ck, const Expr *e, bool hypers, double *x);
Range range_of(Checker *ck, const Expr *e, const Range *params);
/* A latent that `e` depends on, through lets; or NULL. */
const Var *latent_in(const Checker *ck, const Expr *e);

/* ---- support.c ---- */
const char *support_text(Checker *ck, const Support *support);
/* A support over parameters, with arguments in their place. */
Support over_arguments(Checker *ck, SupportKind kind, const Expr *lo, const Expr *hi,
                       Expr *const *args);
/* Checks the arguments of `var`'s distribution, fills var->support and, for a latent, var->link. */
bool check_supports(Checker *ck, Var *var, const Ast *ast, Definition *via);

#endif
