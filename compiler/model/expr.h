/* expr.h -- what model.h's variables are made of: plates, types, expressions, and the functions,
 * distributions and links whose bodies are expressions. Part of model.h. */
#ifndef ADAVIC_EXPR_H
#define ADAVIC_EXPR_H

#include "base/base.h"
#include "ir/ir.h"

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
    bool ragged;    /* an inner plate of a range: a size for each instance of its parent */
    const char *column; /* key column in long tables, from "..."; NULL: the plate's name */
    /* of a cross of two plates, an instance for each pair: it stands in `parent`, and lies along
     * the instances of this one, too, which is declared later; else NULL. Both are outermost */
    struct Plate *across;
    /* the same cross as it is seen from there: parent and across in each other's place, with the
     * same index; in no list */
    struct Plate *turned;
    double share_lo, share_hi; /* of the pairs, which training has */
    Span span;
    /* filled by model/exchangeability.c */
    bool exchangeable;
    const char *reason;
} Plate;

/* How many plates there are around something that stands in `plate` (NULL: in none). */
static inline int plates_around(const Plate *plate) {
    return plate ? plate->depth + 1 : 0;
}

typedef enum { ELEM_REAL, ELEM_INT, ELEM_BOOL } Elem;

enum {
    MAX_DIMS = 3,
    MAX_ARGS = 64 /* of a distribution made of others; of one that is defined front/names.h says */
};
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

static inline bool support_is_whole(SupportKind kind) {
    return kind == SUPPORT_CATEGORY || kind == SUPPORT_COUNT || kind == SUPPORT_COUNT_TO ||
           kind == SUPPORT_COUNTS;
}

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
    EXPR_AT,     /* args[0], dim, args[1]: the position that a whole number names along one
                    dimension, which goes */
    EXPR_SLICE,  /* args[0], dim, index, count: entries index .. index + count - 1 along one
                    dimension; count SLICE_REST: all that follow */
    EXPR_ARRAY,  /* args: elements of a new first dimension */
    EXPR_SHAPED, /* shaped, args: a row of shaped.def */
    EXPR_RANDOM, /* random; args: parameters of gamma, Poisson, binomial; index: which base draw of
                    the body, since one may stand in it more than once: only in `sample` bodies */
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
    bool kept;     /* it is in Model.distributions */
    bool mixed;    /* a mixture, whose last base draw chooses the component */
    bool inflated; /* zero_inflated: a mixture, too, but with one of its components known */
    bool atoms;    /* no count, but with single values of positive probability */
    int n_params;
    Param *params;   /* at most MAX_ARGS */
    Support support; /* over EXPR_PARAM */
    Expr *sample;
    Expr *log_prob; /* NULL: simulator only */
    /* Optional, of univariate laws; what is built upon a distribution uses them (front/combine.c),
     * and nothing after the front end. log P(X <= x), log P(X > x); the value that is not exceeded
     * with probability p, the value that is exceeded with probability q. */
    Expr *log_cdf, *log_ccdf, *quantile, *upper_quantile;
    Expr *sample_positive; /* of counts: a draw given that it is above 0 */
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

#endif
