/* names.h -- what the names of a model stand for: variables, constants and plates (Symbol); fn,
 * distribution and link (Definition), of which sized ones have an Instance for every use. Private
 * to the front end, part of check.h.
 *
 *   stdlib.c    reads the standard library; the language's own names (builtins.def, refused.def)
 *   names.c     the tables of names, filled before anything is resolved
 *   define.c    fn, distribution and link
 *   arguments.c calls of distributions
 *   combine.c   distributions made of others: truncated(...), censored(...)
 *   compose.c   what the bodies of these, and of those below, are put together from: compose.h
 *   push.c      push(link, ...)
 *   mixture.c   mixture(w, ...)
 *   inflate.c   zero_inflated(p, ...), hurdle(p, ...)
 *   sorted.c    sorted(...)
 */
#ifndef ADAVIC_FRONT_NAMES_H
#define ADAVIC_FRONT_NAMES_H

#include "front/ast.h"
#include "front/front.h"
#include "model/model.h"

typedef struct Checker Checker;

enum {
    MAX_EVENT = 4096, /* entries of an event */
    MAX_EVENT_DIMS = MAX_DIMS,
    MAX_EXPRESSION = 100000, /* operations after inlining */
    MAX_EXPRESSION_DEPTH = 1000,
    MAX_PLATE_DEPTH = 8,
    MAX_DECLARATIONS = 1000,
    MAX_PARAMS = 6,                   /* of a fn, distribution or link */
    MAX_MADE_PARAMS = MAX_PARAMS + 2, /* of a function that a combinator makes of one */
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
    bool sized;        /* its bodies depend on sizes: there is an instance for each use's */
    bool by_arguments; /* a distribution of numbers, whose sizes are those of its arguments */
    int size, depth;   /* of the inlined body of a fn (the largest of a link's) */
    /* of a definition that is not sized */
    Function *function;
    Distribution *distribution;
    Link *link;
    VEC(Instance *) instances;
    struct Definition *next;
} Definition;

/* ---- what is around an expression ---- */

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

/* ---- names.c ---- */
Symbol *find_symbol(const Checker *ck, const char *name);
Definition *find_definition(const Checker *ck, DefinitionKind kind, const char *name);
void suggest_definition(Checker *ck, DefinitionKind kind, const char *name);
Definition *named_link(Checker *ck, const AstWord *name); /* NULL after a report */
bool add_definition(Checker *ck, DefinitionKind kind, const Ast *ast, bool library);
/* Names of these declarations, and of those inside them. */
void collect_names(Checker *ck, const AstList *items);

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
typedef enum {
    REFUSED_FUNCTION,
    REFUSED_DISTRIBUTION,
    REFUSED_COUNT, /* a distribution of whole numbers */
    REFUSED_LINK,
    REFUSED_SUPPORT
} RefusedKind;
bool is_refused(RefusedKind kind, const char *name);

/* ---- define.c ---- */
/* Resolves the bodies of `definition` unless that is done; false if it is broken. */
bool define(Checker *ck, Definition *definition, Span use);
/* What `definition`, which must be defined, is for arguments of these shapes (a fn, or a
 * distribution that is sized by its parameters), or for the trailing dimensions of `shapes[0]` (a
 * distribution or link); NULL (reported) if they do not fit. The number of those dimensions is that
 * of definition->ast->dims. */
const Instance *instance_of(Checker *ck, Definition *definition, const Type *shapes, int n,
                            Span use);
/* A sized distribution or link for the last dimensions of a variable of this type. */
const Instance *instance_of_event(Checker *ck, Definition *definition, const Type *type, Span use);
/* A link's size for `n_free` unconstrained numbers: its instance, or NULL (reported). */
const Instance *instance_of_free(Checker *ck, Definition *definition, int64_t n_free, Span use);
/* "real", "lower(lo)", "interval(lo, hi)" of an AST, over the parameters of the current body. */
bool resolve_support(Checker *ck, const Ast *ast, Support *support);

/* ---- arguments.c ---- */
/* The call of a distribution: var->dist and var->args, in the order of its parameters. */
bool check_arguments(Checker *ck, Var *var, const Ast *call);
/* Does the argument fit the parameter, for a `var` whose last n_event dimensions are one value? */
bool check_argument(Checker *ck, const Var *var, int n_event, const Param *param, const Expr *arg);

/* ---- combine.c ---- */
const char *combinator_name(int i); /* NULL after the last */
bool is_combinator(const Checker *ck, const char *name);
/* check_arguments for the call of a combinator. */
bool combine(Checker *ck, Var *var, const Ast *call);
bool push(Checker *ck, Var *var, const Ast *call);          /* push.c */
bool mixture(Checker *ck, Var *var, const Ast *call);       /* mixture.c */
bool zero_inflated(Checker *ck, Var *var, const Ast *call); /* inflate.c */
bool hurdle(Checker *ck, Var *var, const Ast *call);
bool sorted(Checker *ck, Var *var, const Ast *call);   /* sorted.c */
bool category(Checker *ck, Var *var, const Ast *call); /* discrete.c */

#endif
