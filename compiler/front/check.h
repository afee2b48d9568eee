/* check.h -- from AST to Model: what the checking files of the front end share. Private to the
 * front end.
 *
 *   stdlib.c    reads the standard library; the language's own names (builtins.def, refused.def)
 *   check.c     front_check: collects names, walks the declarations in order, final checks
 *   import.c    what a file imports, read before all of this
 *   define.c    fn, distribution and link
 *   combine.c   distributions made of others: truncated(...)
 *   push.c      push(link, ...)
 *   expr.c      AST expressions to Expr: names resolved, functions found
 *   plate.c     plates in expressions: reductions over them, their sizes and positions
 *   context.c   known inputs
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

#include "front/ast.h"
#include "front/front.h"
#include "model/model.h"

enum {
    MAX_EVENT = 4096, /* entries of an event */
    MAX_EVENT_DIMS = MAX_DIMS,
    MAX_EXPRESSION = 100000, /* operations after inlining */
    MAX_EXPRESSION_DEPTH = 1000,
    MAX_PLATE_DEPTH = 8,
    MAX_DECLARATIONS = 1000,
    MAX_PARAMS = 6,          /* of a fn, distribution or link */
    MAX_EVALUATED = 1 << 24, /* numbers computed at compile time, per model; of products, terms */
    N_BUCKETS = 512,
};

/* ---- names ---- */
typedef enum { SYMBOL_CONST, SYMBOL_VAR, SYMBOL_PLATE } SymbolKind;

typedef struct Symbol {
    SymbolKind kind;
    const char *name;
    Span span; /* of the name in its declaration */
    const Ast *ast;
    bool done, broken, used; /* done: its declaration has been read */
    double number;           /* const */
    Var *var;
    Plate *scope; /* innermost plate around the declaration */
    Plate *plate; /* of a plate */
    struct Symbol *next;
} Symbol;

typedef enum { DEFINES_FN, DEFINES_DISTRIBUTION, DEFINES_LINK } DefinitionKind;
typedef enum { STATE_NEW, STATE_ACTIVE, STATE_DONE } DefinitionState;

/* What a definition is for given shapes: of a fn's arguments, of one value of a distribution or
 * link. */
typedef struct Instance {
    int n;
    Type *shapes;
    int size, depth; /* as in Definition */
    Function *function;
    Distribution *distribution;
    Link *link; /* all NULL: an error, which has been reported */
} Instance;

/* A fn, distribution or link; its bodies are resolved when first needed. */
typedef struct Definition {
    DefinitionKind kind;
    const char *name;
    const Ast *ast;
    bool library, broken, used; /* used: by anything */
    DefinitionState state;
    bool sized;      /* its bodies depend on sizes: there is an instance for each use's */
    int size, depth; /* of the inlined body of a fn (the largest of a link's) */
    /* of a definition that is not sized */
    Function *function;
    Distribution *distribution;
    Link *link;
    VEC(Instance *) instances;
    struct Definition *next;
} Definition;

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

/* The formal parameters that a body sees. */
typedef struct Body {
    const char *what; /* "fn `f`" */
    AstWord *names;
    int n;
    const Type *types; /* of the parameters; NULL: not known, the body is only looked through */
    bool random, library;
    bool *meets_sized; /* set where a sized fn is called */
} Body;

/* A name that stands for a number while something is resolved: a size, or the running index of a
 * comprehension. */
typedef struct Bound {
    const char *name;
    double value;
    const struct Bound *outer;
} Bound;

typedef struct Checker {
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
    VEC(Facts) facts;
    /* where the walk stands */
    Plate *plate;
    const Body *body;
    const Bound *bounds;
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
} Checker;

/* Reports an error and marks the run as failed. */
#define FAIL(ck, ...) (diag_report((ck)->diags, __VA_ARGS__), (ck)->failed = true)

/* ---- check.c ---- */
Symbol *find_symbol(const Checker *ck, const char *name);
Definition *find_definition(const Checker *ck, DefinitionKind kind, const char *name);
void suggest_definition(Checker *ck, DefinitionKind kind, const char *name);
bool add_definition(Checker *ck, DefinitionKind kind, const Ast *ast, bool library);
void add_var(Checker *ck, Var *var);
/* The call of a distribution: var->dist and var->args, in the order of its parameters. */
bool check_arguments(Checker *ck, Var *var, const Ast *call);
/* Does the argument fit the parameter, for a `var` whose last n_event dimensions are one value? */
bool check_argument(Checker *ck, const Var *var, int n_event, const Param *param, const Expr *arg);

/* ---- stdlib.c ---- */
bool load_stdlib(Checker *ck);
typedef enum {
    BUILTIN_NONE,
    BUILTIN_POINT,
    BUILTIN_REDUCTION,
    BUILTIN_SPECIAL,
    BUILTIN_SHAPED,
    BUILTIN_PRIMITIVE
} BuiltinKind;
typedef struct Builtin {
    const char *name;
    BuiltinKind kind;
    int arity;
    IrOpcode opcode;
    Reduce reduce;
    IrRandom random;
    Shaped shaped;
} Builtin;
/* The built-in of that name and number of arguments; failing that, of that name; or NULL. */
const Builtin *find_builtin(const char *name, int arity);
int builtin_count(void);
const char *builtin_name(int i);
typedef enum { REFUSED_FUNCTION, REFUSED_DISTRIBUTION, REFUSED_LINK, REFUSED_SUPPORT } RefusedKind;
bool is_refused(RefusedKind kind, const char *name);

/* ---- define.c ---- */
/* Resolves the bodies of `definition` unless that is done; false if it is broken. */
bool define(Checker *ck, Definition *definition, Span use);
/* What `definition`, which must be defined, is for arguments of these shapes (a fn), or for the
 * trailing dimensions of `shapes[0]` (a distribution or link); NULL (reported) if they do not fit.
 * The number of those dimensions is that of definition->ast->dims. */
const Instance *instance_of(Checker *ck, Definition *definition, const Type *shapes, int n,
                            Span use);
/* A link's size for `n_free` unconstrained numbers: its instance, or NULL (reported). */
const Instance *instance_of_free(Checker *ck, Definition *definition, int64_t n_free, Span use);
/* "real", "lower(lo)", "interval(lo, hi)" of an AST, over the parameters of the current body. */
bool resolve_support(Checker *ck, const Ast *ast, Support *support);

/* ---- combine.c ---- */
const char *combinator_name(int i); /* NULL after the last */
bool is_combinator(const Checker *ck, const char *name);
/* check_arguments for the call of a combinator. */
bool combine(Checker *ck, Var *var, const Ast *call);
bool push(Checker *ck, Var *var, const Ast *call); /* push.c */

/* ---- expr.c ---- */
/* The tree of `ast`, untyped; NULL after an error. */
Expr *resolve_expr(Checker *ck, const Ast *ast);
/* Resolved and typed: a value of the model. */
Expr *resolve_value(Checker *ck, const Ast *ast);
Expr *new_expr(Checker *ck, ExprKind kind, Span span, int n_args);
/* The body of a definition with arguments in the place of its parameters. */
Expr *substitute(Checker *ck, const Expr *body, Expr *const *args);
/* A whole number known at compile time. */
bool constant_integer(Checker *ck, const Ast *ast, const char *what, int64_t *out);

/* The same for a part of an expression whose resolving has begun. */
Expr *resolve_part(Checker *ck, const Ast *ast);

/* ---- plate.c ---- */
/* sum(p: x) and its like. */
Expr *resolve_over(Checker *ck, const Ast *call);
Expr *resolve_plate_field(Checker *ck, const Ast *ast); /* p.size, p.index */
/* The plate that `plate p { ... }` without a size goes on with; NULL after a report. */
Plate *reopened_plate(Checker *ck, const Ast *ast);
/* The type of a reduction whose argument has one. */
bool type_over(Checker *ck, Expr *e);
/* Advice for a use of `symbol` outside its plate. */
void suggest_reduction(Checker *ck, const Symbol *symbol);

/* ---- dual.c ---- */
void check_duals(Checker *ck); /* the settings of all dual blocks, into the model */

/* ---- context.c ---- */
/* A context depends on nothing that is unknown when it is given. */
bool check_context(Checker *ck, const Var *var);

/* ---- type.c ---- */
/* Fills the types of a tree; params: the types of EXPR_PARAM (NULL: none occur). */
bool type_expr(Checker *ck, Expr *e, const Type *params);
/* "scalar", "[2]", "[2, 3]" */
const char *shape_text(Arena *arena, int n_dims, const int64_t *dims);
bool same_shape(const Type *a, const Type *b);
int64_t shape_size(int n_dims, const int64_t *dims);
Plate *deeper_plate(Plate *a, Plate *b);

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
Range range_of(Checker *ck, const Expr *e, const Range *params);
/* A latent that `e` depends on, through lets; or NULL. */
const Var *latent_in(const Checker *ck, const Expr *e);

/* ---- support.c ---- */
const char *support_text(Checker *ck, const Support *support);
/* Checks the arguments of `var`'s distribution, fills var->support and, for a latent, var->link. */
bool check_supports(Checker *ck, Var *var, const Ast *ast, Definition *via);

#endif
