/* model.h -- the checked model: what front/ yields and everything after it reads.
 *
 * Names are resolved, types and shapes inferred, supports checked. Expressions are trees over
 * variables, parameters (inside functions, distributions, links), built-in operations of the tensor
 * IR (ops.def) and calls of fn, which are inlined when lowered (dual/lower.c). A value's plates are
 * always a path from the root of the plate tree, so its innermost plate says all (NULL: outside all
 * plates).
 */
#ifndef ADAVIC_MODEL_H
#define ADAVIC_MODEL_H

#include "base/base.h"
#include "ir/ir.h"
#include "model/settings.h"

typedef struct Var Var;
typedef struct Expr Expr;
typedef struct Distribution Distribution;
typedef struct Link Link;
typedef struct Function Function;

typedef struct Plate {
    const char *name;
    struct Plate *parent; /* NULL: outermost */
    int depth;            /* number of plates around it */
    int index;            /* in Model.plates */
    int64_t size;         /* declared; of a range: the rounded geometric mean of its ends */
    int64_t lo, hi; /* sizes that training covers, log-uniformly; lo = size = hi without a range */
    const char *column; /* key column in long tables, from "..."; NULL: the plate's name */
    Span span;
    /* filled by model/exchangeability.c */
    bool exchangeable;
    const char *reason;
} Plate;

typedef enum { ELEM_REAL, ELEM_INT, ELEM_BOOL } Elem;

enum { MAX_DIMS = 3 };
/* Element type, event shape and plates of a value. */
typedef struct Type {
    Elem elem;
    int n_dims;
    int64_t dims[MAX_DIMS];
    Plate *plate; /* innermost plate it varies over, or NULL */
} Type;

typedef enum {
#define SUPPORT(ENUM, ...) SUPPORT_##ENUM,
#include "model/supports.def"
#undef SUPPORT
    N_SUPPORTS
} SupportKind;
/* Which ends a support of this kind states as its arguments, lo before hi. */
typedef struct SupportEnds {
    bool lo, hi;
} SupportEnds;
typedef struct SupportInfo {
    const char *name;
    SupportEnds ends;
    int n_dims;
    double lo, hi;
    const char *doc;
} SupportInfo;
extern const SupportInfo support_info[N_SUPPORTS];

typedef struct Support {
    SupportKind kind;
    Expr *lo, *hi; /* interval(lo, hi), lower(lo), upper(hi): over the distribution's parameters, or
                      (in a Var) over the model's variables; NULL: no such end */
} Support;

typedef enum {
    EXPR_NUMBER, /* number */
    EXPR_VAR,    /* var */
    EXPR_PARAM,  /* param: position among the formal parameters of the enclosing fn, distribution or
                    link body */
    EXPR_OP,     /* opcode, args: a point-wise operation of the tensor IR */
    EXPR_REDUCE, /* reduce, args[0]: over the whole event */
    EXPR_CALL,   /* function, args */
    EXPR_LINK,   /* link, link_part, args[0], then link parameters: exp.inverse(x) ... */
    EXPR_INDEX,  /* args[0], dim, index: constant position along one dimension, which goes */
    EXPR_SLICE,  /* args[0], dim, index, count: entries index .. index + count - 1 along one
                    dimension; count SLICE_REST: all that follow */
    EXPR_ARRAY,  /* args: elements of a new first dimension */
    EXPR_SHAPED, /* shaped, args: a row of shaped.def */
    EXPR_RANDOM, /* random; args[0] = shape parameter for gamma; index: which base draw of the body,
                    since one may stand in it more than once: only in `sample` bodies */
    EXPR_OVER,   /* reduce, plate, args[0]: over the instances of the plate inside the enclosing
                    instance of its parent; the event stays */
    EXPR_SIZE, /* plate: the number of its instances inside the enclosing instance of its parent */
    EXPR_POSITION, /* plate: the number, from 0, of its innermost enclosing instance */
} ExprKind;
enum { SLICE_REST = -1 };

typedef enum {
#define SHAPED(ENUM, ...) SHAPED_##ENUM,
#include "model/shaped.def"
#undef SHAPED
    N_SHAPED
} Shaped;
typedef struct ShapedInfo {
    const char *name;
    int arity;
    const char *doc;
} ShapedInfo;
extern const ShapedInfo shaped_info[N_SHAPED];

typedef enum { REDUCE_SUM, REDUCE_MEAN, REDUCE_MIN, REDUCE_MAX, REDUCE_PROD } Reduce;
typedef enum { LINK_FORWARD, LINK_INVERSE, LINK_LOG_JACOBIAN } LinkPart;

struct Expr {
    ExprKind kind;
    Span span;
    Type type;
    double number;
    Var *var;
    int param;
    IrOpcode opcode;
    Reduce reduce;
    Function *function;
    Link *link;
    LinkPart link_part;
    int dim;
    int64_t index, count;
    Shaped shaped;
    Plate *plate;
    IrRandom random;
    bool typed; /* outside bodies, whose types change from use to use */
    int n_args;
    Expr **args;
};

typedef struct Param {
    const char *name;
    SupportKind support; /* what the parameter must lie in */
    Span span;
    Expr *lo, *hi; /* of an interval: over the parameters */
    int n_dims;    /* declared: x[K]; 0 in a fn: any shape, elsewhere: a number */
    int64_t dims[MAX_DIMS];
} Param;

/* Where parameters have declared dimensions there is one Function, Distribution or Link for every
 * size that is used: in its bodies sizes are numbers, comprehensions unrolled, conditions on sizes
 * decided. */
struct Function {
    const char *name;
    Span span;
    int n_params;
    Param *params;
    Expr *body; /* over EXPR_PARAM 0..n_params-1; typed anew at each call (event shapes follow the
                   arguments') */
    bool kept;  /* it is in Model.functions */
};

/* A distribution of the standard library or of the user: data, not C. Its value is a number, or an
 * event of `dims`; further dimensions of a variable, on the left, are independent copies. Bodies
 * see the parameters as EXPR_PARAM 0..n_params-1; the value (log_prob, log_cdf, log_ccdf) or
 * probability (the quantiles) is EXPR_PARAM n_params. */
struct Distribution {
    const char *name;
    const char *doc;
    Span span;
    int n_dims; /* of one value */
    int64_t dims[MAX_DIMS];
    bool kept; /* it is in Model.distributions */
    int n_params;
    Param *params;
    Support support; /* over EXPR_PARAM */
    Expr *sample;
    Expr *log_prob; /* NULL: simulator only */
    /* Optional, of univariate laws; what is built upon a distribution uses them (front/combine.c),
     * and nothing after the front end. log P(X <= x), log P(X > x); the value that is not exceeded
     * with probability p, the value that is exceeded with probability q. */
    Expr *log_cdf, *log_ccdf, *quantile, *upper_quantile;
};

/* v (unconstrained) -> value: number by number, or from a vector of n_free numbers to an event of
 * `dims`. Bodies see v (forward, log_jacobian) or the value (inverse) as EXPR_PARAM 0, then
 * parameters: the ends of the support, and last, where `scaled`, the scale c that the runtime takes
 * from prior draws (softplus, lower, upper). */
struct Link {
    const char *name;
    const char *doc;
    Span span;
    int n_dims; /* of one value; 0: entry by entry */
    int64_t dims[MAX_DIMS], n_free;
    bool kept;    /* it is in Model.links */
    int n_params; /* beside v: its support's ends, unless they are constants; c */
    Param *params;
    SupportKind support;
    Expr *lo,
        *hi; /* the ends of a link to one such set, constants; NULL: they are its parameters */
    /* log |d forward / d v|, over v; of an event: one number */
    Expr *forward, *inverse, *log_jacobian;
    bool scaled; /* its last parameter is c: of positive values the marginal median of prior draws,
                    of others their median absolute deviation */
};

typedef enum {
    VAR_HYPER,
    VAR_LATENT,
    VAR_OBSERVED,
    VAR_LET,
    VAR_QUANTITY,
    VAR_CONTEXT, /* known to whoever infers: drawn from its distribution in training only */
} VarKind;

struct Var {
    VarKind kind;
    const char *name;
    Span span; /* of the name in its declaration */
    int index; /* in Model.vars: the order of declaration */
    Type type; /* type.plate: where it is declared (latent, observed) or what it varies over (let,
                  quantity) */
    /* latent, observed, context */
    Distribution *dist;
    Expr **args;     /* dist->n_params of them */
    Support support; /* the distribution's, with its parameters replaced */
    Link *link;      /* latent: the support's default or the one named by `via` */
    /* let, quantity, hyper */
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

typedef struct Analysis {
    const Model *model;
    const char *structure; /* "pyramid", "tree of plates" */
    int n_latents;
    Conditioning *order; /* earlier before later */
} Analysis;

Analysis *model_analyse(Arena *arena, Model *model); /* also fills Plate.exchangeable and .reason */
void model_print(Text *out, const Model *model);     /* --emit=model */
/* Shape of a latent's unconstrained value: the link's vector in the place of its event. */
Type model_free_type(const Var *latent);
const char *plate_size_text(Arena *arena, const Plate *plate); /* "3", "2..60" */
void expr_print(Text *out, const Expr *e); /* as it would be written; EXPR_PARAM as $0, $1 ... */
/* Over what model_print shows, the name left out. */
uint64_t model_hash(Arena *arena, const Model *model);
void model_print_descriptors(Text *out, const Analysis *analysis, bool mean_field);
void model_print_analysis(Text *out, const Analysis *analysis, bool mean_field);

/* Is `other` written in `var`'s distribution or value? (expr_mentions looks through lets.) */
bool var_reads(const Var *var, const Var *other);
/* Is `outer` around `inner`, or the same? NULL is around all. */
bool plate_within(const Plate *inner, const Plate *outer);
/* Does the value of `e` mention variable `var` (through lets too)? */
bool expr_mentions(const Expr *e, const Var *var);
/* Calls `visit` for every random variable or hyper that `e` depends on, lets and functions looked
 * through. */
void expr_visit_vars(const Expr *e, void (*visit)(void *user, Var *var), void *user);

#endif
