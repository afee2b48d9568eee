/* expr.c -- AST expressions to Expr: names to variables, parameters and numbers; calls to
 * operations and functions.
 *
 * Two limits are kept while the tree grows, so that whoever walks it later may recurse and inline
 * freely: the number of operations after inlining (Checker.size) and the depth (Checker.depth). */
#include "front/check.h"
#include "ir/special.h"

#include <math.h>

static Expr *resolve(Checker *ck, const Ast *ast);

Expr *new_expr(Checker *ck, ExprKind kind, Span span, int n_args) {
    Expr *e = arena_new_of(ck->arena, Expr);
    e->kind = kind;
    e->span = span;
    e->n_args = n_args;
    if (n_args) e->args = arena_array(ck->arena, Expr *, n_args);
    return e;
}

Expr *number_expr(Checker *ck, double number, Span span) {
    Expr *e = new_expr(ck, EXPR_NUMBER, span, 0);
    e->number = number;
    return e;
}

Expr *op_expr(Checker *ck, IrOpcode opcode, Span span, Expr *a, Expr *b, Expr *c) {
    Expr *e = new_expr(ck, EXPR_OP, span, c ? 3 : b ? 2 : 1);
    Expr *args[] = {a, b, c};
    e->opcode = opcode;
    for (int i = 0; i < e->n_args; i++) e->args[i] = args[i];
    return e;
}

static Expr *shaped_expr(Checker *ck, Shaped shaped, Span span, Expr *const *args) {
    Expr *e = new_expr(ck, EXPR_SHAPED, span, shaped_info[shaped].arity);
    e->shaped = shaped;
    for (int i = 0; i < e->n_args; i++) e->args[i] = args[i];
    return e;
}

/* Counts `more` operations into the expression; false (reported) beyond the limit. */
static bool grow(Checker *ck, double more, Span span) {
    if (ck->size + more <= MAX_EXPRESSION) {
        ck->size += (int)more;
        return true;
    }
    if (!ck->too_large) FAIL(ck, DIAG_EXPRESSION_TOO_LARGE, span, MAX_EXPRESSION);
    ck->too_large = true;
    return false;
}

static bool check_depth(Checker *ck, int below, Span span) {
    if (ck->depth + below > ck->deepest) ck->deepest = ck->depth + below;
    if (ck->depth + below <= MAX_EXPRESSION_DEPTH) return true;
    FAIL(ck, DIAG_TOO_DEEP, span, MAX_EXPRESSION_DEPTH);
    return false;
}

Expr *substitute(Checker *ck, const Expr *body, Expr *const *args) {
    if (body->kind == EXPR_PARAM) return args[body->param];
    Expr *e = new_expr(ck, body->kind, body->span, 0);
    *e = *body;
    e->typed = false;
    if (e->n_args) e->args = arena_array(ck->arena, Expr *, e->n_args);
    for (int i = 0; i < e->n_args; i++) e->args[i] = substitute(ck, body->args[i], args);
    return e;
}

/* ---- names ---- */

static void suggest_name(Checker *ck, const char *name, Span span) {
    if (find_builtin(name, 0) || find_definition(ck, DEFINES_FN, name)) {
        const Builtin *builtin = find_builtin(name, 0);
        const char *args = builtin && builtin->arity == 0 ? "" : "...";
        diag_help(ck->diags, "`%s` is a function: write `%s(%s)`", name, name, args);
        return;
    }
    const char **names = arena_array(ck->arena, const char *, ck->order.n + MAX_PARAMS + 2);
    int n = 0;
    for (int i = 0; ck->body && i < ck->body->n; i++) names[n++] = ck->body->names[i].text;
    for (int i = 0; i < ck->order.n && !(ck->body && ck->body->library); i++) {
        const Symbol *symbol = ck->order.data[i];
        bool seen = !ck->body || symbol->kind == SYMBOL_CONST;
        if (seen && symbol->kind != SYMBOL_PLATE && diags_before(ck->diags, symbol->span, span) &&
            plate_within(ck->plate, symbol->scope))
            names[n++] = symbol->name;
    }
    const char *nearest = nearest_name(name, names, n);
    if (nearest) diag_help(ck->diags, "did you mean `%s`?", nearest);
}

/* May this symbol be used here? Reports if not. */
static bool usable(Checker *ck, const Symbol *symbol, Span span) {
    const char *name = symbol->name;
    if (symbol->kind == SYMBOL_PLATE) {
        FAIL(ck, DIAG_NOT_A_VALUE, span, name);
    } else if (ck->body && symbol->kind == SYMBOL_VAR) {
        FAIL(ck, DIAG_OUTER_NAME_IN_BODY, span, name, ck->body->what);
        diag_note(ck->diags, symbol->span, "`%s` is declared here", name);
        diag_help(ck->diags, "make it a parameter");
    } else if (ck->constant && symbol->kind == SYMBOL_VAR &&
               !(ck->hypers && symbol->ast->kind == AST_HYPER)) {
        FAIL(ck, DIAG_NOT_CONSTANT, span, ck->constant);
        diag_note(ck->diags, symbol->span, "`%s` is not known then", name);
    } else if (!diags_before(ck->diags, symbol->span, span) || !symbol->done) {
        FAIL(ck, DIAG_USED_TOO_EARLY, span, name);
        diag_note(ck->diags, symbol->span, "`%s` is declared here", name);
    } else if (symbol->broken) {
        return false; /* said at its declaration */
    } else if (!plate_within(ck->plate, symbol->scope)) {
        FAIL(ck, DIAG_OUTSIDE_PLATE, span, name, symbol->scope->name);
        diag_note(ck->diags, symbol->span, "`%s` is declared here", name);
        suggest_reduction(ck, symbol);
    } else if (symbol->ast->kind == AST_QUANTITY && strcmp(ck->user, "a quantity") != 0) {
        FAIL(ck, DIAG_QUANTITY_USED, span, name, ck->user);
        diag_help(ck->diags, "declare `%s` with `let`", name);
    } else {
        return true;
    }
    return false;
}

static Expr *resolve_name(Checker *ck, const Ast *ast) {
    const char *name = ast->name.text;
    for (const Bound *bound = ck->bounds; bound; bound = bound->outer)
        if (strcmp(bound->name, name) == 0) return number_expr(ck, bound->value, ast->span);
    for (int i = 0; ck->body && i < ck->body->n; i++) {
        if (strcmp(ck->body->names[i].text, name) != 0) continue;
        return param_expr(ck, i, ast->span);
    }
    Symbol *symbol = ck->body && ck->body->library ? NULL : find_symbol(ck, name);
    if (!symbol) {
        FAIL(ck, DIAG_UNKNOWN_NAME, ast->span, name);
        suggest_name(ck, name, ast->span);
        return NULL;
    }
    symbol->used = true;
    if (!usable(ck, symbol, ast->span)) return NULL;
    if (symbol->kind == SYMBOL_CONST) return number_expr(ck, symbol->number, ast->span);
    Expr *e = new_expr(ck, EXPR_VAR, ast->span, 0);
    e->var = symbol->var;
    return e;
}

/* ---- operators ---- */

/* x to a whole power by repeated squaring; the operand is shared. */
static Expr *whole_power(Checker *ck, Expr *x, int n, Span span) {
    if (n == 1) return x;
    Expr *half = whole_power(ck, x, n / 2, span);
    Expr *result = op_expr(ck, OP_SQUARE, span, half, NULL, NULL);
    return n % 2 ? op_expr(ck, OP_MUL, span, result, x, NULL) : result;
}

static Expr *power(Checker *ck, const Ast *ast, Expr *x, Expr *exponent, int cost) {
    enum { LARGEST = 64 };
    double number;
    if (!one_number(ck, exponent, false, &number) || number != rint(number) ||
        fabs(number) > LARGEST)
        return op_expr(ck, OP_POW, ast->span, x, exponent, NULL);
    int n = (int)number;
    if (n == 0) return number_expr(ck, 1, ast->span);
    /* the operand occurs once per set bit of n */
    int bits = 0;
    for (int k = n < 0 ? -n : n; k; k >>= 1) bits += 1 + (k & 1);
    if (!grow(ck, (double)cost * bits, ast->span) || !check_depth(ck, bits, ast->span)) return NULL;
    Expr *result = whole_power(ck, x, n < 0 ? -n : n, ast->span);
    return n < 0 ? op_expr(ck, OP_RECIP, ast->span, result, NULL, NULL) : result;
}

static Expr *resolve_binary(Checker *ck, const Ast *ast) {
    static const struct {
        const char *text;
        IrOpcode opcode;
        bool swap, negate;
    } ops[] = {
        {"+", OP_ADD, false, false}, {"-", OP_SUB, false, false},  {"*", OP_MUL, false, false},
        {"/", OP_DIV, false, false}, {"<", OP_LT, false, false},   {">", OP_LT, true, false},
        {"<=", OP_LE, false, false}, {">=", OP_LE, true, false},   {"==", OP_EQ, false, false},
        {"!=", OP_EQ, false, true},  {"&&", OP_AND, false, false}, {"||", OP_OR, false, false},
    };
    int before = ck->size;
    Expr *left = resolve(ck, ast->args.data[0]);
    int cost = ck->size - before;
    Expr *right = resolve(ck, ast->args.data[1]);
    if (!left || !right) return NULL;
    if (strcmp(ast->word.text, "^") == 0) return power(ck, ast, left, right, cost);
    if (strcmp(ast->word.text, "@") == 0)
        return shaped_expr(ck, SHAPED_MATMUL, ast->span, (Expr *[]){left, right});
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (strcmp(ops[i].text, ast->word.text) != 0) continue;
        Expr *e = op_expr(ck, ops[i].opcode, ast->span, ops[i].swap ? right : left,
                          ops[i].swap ? left : right, NULL);
        return ops[i].negate ? op_expr(ck, OP_NOT, ast->span, e, NULL, NULL) : e;
    }
    return NULL;
}

static Expr *resolve_unary(Checker *ck, const Ast *ast) {
    Expr *e = resolve(ck, ast->args.data[0]);
    if (!e) return NULL;
    if (strcmp(ast->word.text, "!") == 0) return op_expr(ck, OP_NOT, ast->span, e, NULL, NULL);
    if (e->kind == EXPR_NUMBER) return number_expr(ck, -e->number, ast->span);
    return op_expr(ck, OP_NEG, ast->span, e, NULL, NULL);
}

/* ---- calls ---- */

static bool check_count(Checker *ck, const Ast *ast, int wanted, Span where, bool defined) {
    if (ast->args.n == wanted) return true;
    const char *takes = wanted == 0   ? "no arguments"
                        : wanted == 1 ? "1 argument"
                                      : arena_printf(ck->arena, "%d arguments", wanted);
    FAIL(ck, DIAG_ARGUMENT_COUNT, ast->span, ast->name.text, takes, ast->args.n);
    if (defined) diag_note(ck->diags, where, "`%s` is defined here", ast->name.text);
    return false;
}

/* Is this argument given by name, to what has no parameters? Reports it. */
static bool refuse_named(Checker *ck, const Ast *call, const Ast *arg) {
    if (arg->kind != AST_NAMED) return false;
    FAIL(ck, DIAG_NAMED_ARGUMENT, arg->span, call->name.text);
    resolve(ck, arg->value);
    return true;
}

/* Resolves all arguments of a call into args; false if any is wrong. */
static bool resolve_arguments(Checker *ck, const Ast *ast, Expr **args, int max) {
    bool good = true;
    for (int i = 0; i < ast->args.n; i++) {
        const Ast *arg = ast->args.data[i];
        Expr *e = refuse_named(ck, ast, arg) ? NULL : resolve(ck, arg);
        if (i < max) args[i] = e;
        good = good && e;
    }
    return good;
}

static Expr *resolve_rep(Checker *ck, const Ast *ast) {
    int before = ck->size;
    bool named = refuse_named(ck, ast, ast->args.data[0]);
    if (refuse_named(ck, ast, ast->args.data[1]) || named) return NULL;
    Expr *element = resolve(ck, ast->args.data[0]);
    int cost = ck->size - before;
    int64_t n;
    if (!constant_integer(ck, ast->args.data[1], "the number of copies in `rep`", &n) || !element)
        return NULL;
    if (n < 1) {
        FAIL(ck, DIAG_DIMENSION, ast->args.data[1]->span, "rep", (long long)n);
        return NULL;
    }
    if (n > MAX_EVENT) {
        FAIL(ck, DIAG_EVENT_TOO_LARGE, ast->args.data[1]->span, (long long)n, MAX_EVENT);
        return NULL;
    }
    if (!grow(ck, (double)cost * (double)(n - 1), ast->span)) return NULL;
    Expr *e = new_expr(ck, EXPR_ARRAY, ast->span, (int)n);
    for (int64_t i = 0; i < n; i++) e->args[i] = element;
    return e;
}

/* log_bessel_i(nu, x): code is made for the order, a number. */
static Expr *resolve_log_bessel_i(Checker *ck, const Ast *ast) {
    Expr *args[2] = {0};
    double order;
    if (!resolve_arguments(ck, ast, args, 2)) return NULL;
    Span span = ast->args.data[0]->span;
    if (!one_number(ck, args[0], false, &order)) {
        FAIL(ck, DIAG_NOT_CONSTANT, span, "the order of `log_bessel_i`");
        diag_help(ck->diags,
                  "write a number, a const, or the size of a definition, as `K / 2 - 1`");
    } else if (!(order >= 0 && order <= MAX_BESSEL_ORDER)) {
        FAIL(ck, DIAG_PARAMETER_VALUE, span, "nu", ast->name.text,
             arena_printf(ck->arena, "between 0 and %d", MAX_BESSEL_ORDER), order);
    } else {
        Expr *number = number_expr(ck, order, span);
        return op_expr(ck, OP_LOG_BESSEL_I, ast->span, number, args[1], NULL);
    }
    return NULL;
}

/* ---- comprehensions: an array, its elements resolved one by one ---- */

/* The number of elements; false after an error. */
static bool comprehension_count(Checker *ck, const Ast *ast, int64_t least, int64_t *n) {
    const Ast *count = ast->args.data[0];
    if (!constant_integer(ck, count, "the number of elements", n)) return false;
    if (*n < least)
        FAIL(ck, DIAG_DIMENSION, count->span, "[... in ...]", (long long)*n);
    else if (*n > MAX_EVENT)
        FAIL(ck, DIAG_EVENT_TOO_LARGE, count->span, (long long)*n, MAX_EVENT);
    return *n >= least && *n <= MAX_EVENT;
}

static Expr *comprehension(Checker *ck, const Ast *ast, int64_t n) {
    Expr *e = new_expr(ck, EXPR_ARRAY, ast->span, (int)n);
    Bound index = {ast->name.text, 0, ck->bounds};
    ck->bounds = &index;
    bool good = true;
    for (int64_t i = 0; i < n && good; i++) {
        index.value = (double)i;
        e->args[i] = resolve(ck, ast->args.data[1]);
        good = e->args[i] != NULL;
    }
    ck->bounds = index.outer;
    return good ? e : NULL;
}

static Expr *resolve_comprehension(Checker *ck, const Ast *ast) {
    int64_t n;
    return comprehension_count(ck, ast, 1, &n) ? comprehension(ck, ast, n) : NULL;
}

/* sum(k in n: ...) and prod(k in n: ...) of nothing are 0 and 1. */
static Expr *resolve_reduced_comprehension(Checker *ck, const Ast *ast, Reduce reduce) {
    const Ast *all = ast->args.data[0];
    bool may_be_empty = reduce == REDUCE_SUM || reduce == REDUCE_PROD;
    int64_t n;
    if (!comprehension_count(ck, all, may_be_empty ? 0 : 1, &n)) return NULL;
    if (n == 0) return number_expr(ck, reduce == REDUCE_PROD, ast->span);
    Expr *e = new_expr(ck, EXPR_REDUCE, ast->span, 1);
    e->reduce = reduce;
    e->args[0] = comprehension(ck, all, n);
    return e->args[0] ? e : NULL;
}

static Expr *resolve_builtin(Checker *ck, const Ast *ast, const Builtin *builtin) {
    if (!check_count(ck, ast, builtin->arity, ast->span, false)) {
        resolve_arguments(ck, ast, NULL, 0);
        return NULL;
    }
    if (strcmp(ast->name.text, "rep") == 0) return resolve_rep(ck, ast);
    if (strcmp(ast->name.text, "std_multinomial") == 0) return resolve_multinomial(ck, ast);
    if (builtin->kind == BUILTIN_REDUCTION && ast->args.data[0]->kind == AST_COMPREHENSION)
        return resolve_reduced_comprehension(ck, ast, builtin->reduce);
    if (builtin->kind == BUILTIN_POINT && builtin->opcode == OP_LOG_BESSEL_I)
        return resolve_log_bessel_i(ck, ast);
    Expr *args[3] = {0};
    if (!resolve_arguments(ck, ast, args, 3)) return NULL;
    if (builtin->kind == BUILTIN_POINT)
        return op_expr(ck, builtin->opcode, ast->span, args[0], args[1], args[2]);
    if (builtin->kind == BUILTIN_SHAPED) return shaped_expr(ck, builtin->shaped, ast->span, args);
    if (builtin->kind == BUILTIN_PRIMITIVE) {
        if (!ck->body || !ck->body->random) {
            FAIL(ck, DIAG_RANDOM_MISPLACED, ast->span, ast->name.text);
            return NULL;
        }
        return random_expr(ck, builtin->random, -1, ast->span, args[0], args[1]);
    }
    if (strcmp(ast->name.text, "pi") == 0)
        return number_expr(ck, 3.14159265358979323846, ast->span);
    Expr *e = new_expr(ck, EXPR_REDUCE, ast->span, 1);
    e->reduce = builtin->kind == BUILTIN_REDUCTION ? builtin->reduce : REDUCE_SUM;
    e->args[0] = args[0];
    if (builtin->kind == BUILTIN_SPECIAL) /* dot */
        e->args[0] = op_expr(ck, OP_MUL, ast->span, args[0], args[1], NULL);
    return e;
}

/* What a call refers to. */
typedef struct Use {
    Function *function;
    Link *link;
    int size, depth;
} Use;

/* The shapes of arguments, which a sized definition must know before its body is resolved. */
static bool shapes_of(Checker *ck, Expr *const *args, int n, Type *shapes) {
    const Type *params = ck->body ? ck->body->types : NULL;
    for (int i = 0; i < n; i++) {
        if (!type_expr(ck, args[i], params)) return false;
        shapes[i] = args[i]->type;
    }
    return true;
}

/* Is a body only looked through? Then shapes are not known, and the result is not used. */
static bool looks_through(const Checker *ck) {
    return ck->body && !ck->body->types;
}

static bool use_of(Checker *ck, Definition *d, Expr *const *args, int n, Span span, Use *use) {
    *use = (Use){d->function, d->link, d->size, d->depth};
    if (d->sized && ck->body && ck->body->meets_sized) *ck->body->meets_sized = true;
    if (!d->sized || looks_through(ck)) return true;
    Type shapes[MAX_PARAMS + 1];
    if (!shapes_of(ck, args, n, shapes)) return false;
    const Instance *instance = instance_of(ck, d, shapes, n, span);
    if (instance) *use = (Use){instance->function, NULL, instance->size, instance->depth};
    return instance != NULL;
}

static Expr *resolve_fn(Checker *ck, const Ast *ast, Definition *definition) {
    definition->used = true;
    Expr *args[MAX_PARAMS] = {0};
    bool good = define(ck, definition, ast->name.span);
    good = resolve_arguments(ck, ast, args, MAX_PARAMS) && good;
    if (!good || !check_count(ck, ast, definition->ast->args.n, definition->ast->name.span, true))
        return NULL;
    Use use;
    if (!use_of(ck, definition, args, ast->args.n, ast->span, &use)) return NULL;
    if (!grow(ck, use.size, ast->span) || !check_depth(ck, use.depth, ast->span)) return NULL;
    return call_expr(ck, use.function, args, ast->span);
}

static Expr *resolve_call(Checker *ck, const Ast *ast) {
    const char *name = ast->name.text;
    for (int i = 0; i < ast->args.n; i++)
        if (ast->args.data[i]->kind == AST_OVER) return resolve_over(ck, ast);
    Definition *definition = find_definition(ck, DEFINES_FN, name);
    const Builtin *builtin = find_builtin(name, ast->args.n);
    if (definition && !(ck->body && ck->body->library && !definition->library))
        return resolve_fn(ck, ast, definition);
    if (builtin) return resolve_builtin(ck, ast, builtin);
    if (is_refused(REFUSED_FUNCTION, name)) {
        FAIL(ck, DIAG_UNSUPPORTED_FUNCTION, ast->name.span, name);
    } else if (find_definition(ck, DEFINES_DISTRIBUTION, name) || is_combinator(ck, name)) {
        FAIL(ck, DIAG_MISPLACED_DISTRIBUTION, ast->span, name);
        diag_help(ck->diags, "declare it: latent NAME ~ %s(...);", name);
    } else if (is_refused(REFUSED_DISTRIBUTION, name)) {
        FAIL(ck, DIAG_UNSUPPORTED_DISTRIBUTION, ast->name.span, name);
    } else {
        FAIL(ck, DIAG_UNKNOWN_FUNCTION, ast->name.span, name);
        suggest_definition(ck, DEFINES_FN, name);
    }
    resolve_arguments(ck, ast, NULL, 0);
    return NULL;
}

/* A link's size follows from the value that `inverse` takes, or from how many numbers the other
 * parts take. */
static bool link_use(Checker *ck, Definition *d, Expr *arg, int part, Span span, Use *use) {
    *use = (Use){NULL, d->link, d->size, d->depth};
    if (d->sized && ck->body && ck->body->meets_sized) *ck->body->meets_sized = true;
    if (!d->sized || looks_through(ck)) return true;
    Type shape;
    if (!shapes_of(ck, &arg, 1, &shape)) return false;
    const Instance *instance = NULL;
    if (part == LINK_INVERSE)
        instance = instance_of(ck, d, &shape, 1, span);
    else if (shape.n_dims == 1)
        instance = instance_of_free(ck, d, shape.dims[0], span);
    else
        FAIL(ck, DIAG_SHAPE_MISMATCH, arg->span, "a vector",
             shape_text(ck->arena, shape.n_dims, shape.dims));
    if (instance) *use = (Use){NULL, instance->link, instance->size, instance->depth};
    return instance != NULL;
}

/* LINK.forward(v, ...), LINK.inverse(y, ...), LINK.log_jacobian(v, ...) */
static Expr *resolve_link_part(Checker *ck, const Ast *ast) {
    static const char *const parts[] = {"forward", "inverse", "log_jacobian"};
    Definition *definition = named_link(ck, &ast->name);
    int part = -1;
    for (int i = 0; i < 3; i++)
        if (strcmp(parts[i], ast->word.text) == 0) part = i;
    if (definition && part < 0)
        FAIL(ck, DIAG_UNKNOWN_MEMBER, ast->word.span, "a link", ast->word.text);
    Expr *args[MAX_PARAMS + 1] = {0};
    bool good = resolve_arguments(ck, ast, args, MAX_PARAMS + 1);
    if (!definition || part < 0 || !define(ck, definition, ast->name.span)) return NULL;
    definition->used = true;
    if (!check_count(ck, ast, definition->link->n_params + 1, definition->ast->name.span, true) ||
        !good)
        return NULL;
    Use use;
    if (!link_use(ck, definition, args[0], part, ast->span, &use)) return NULL;
    if (!grow(ck, use.size, ast->span) || !check_depth(ck, use.depth, ast->span)) return NULL;
    Expr *e = new_expr(ck, EXPR_LINK, ast->span, ast->args.n);
    e->link = use.link;
    e->link_part = (LinkPart)part;
    for (int i = 0; i < e->n_args; i++) e->args[i] = args[i];
    return e;
}

/* ---- the rest ---- */

/* x[a:b] along dimension `dim`: entries a .. b - 1; ends that are not written are x's own. */
static Expr *resolve_slice(Checker *ck, const Ast *slice, Expr *whole, int dim, bool from,
                           bool to) {
    int64_t begin = 0, end = 0;
    if (from && !constant_integer(ck, slice->args.data[0], "an index", &begin)) return NULL;
    if (to && !constant_integer(ck, slice->args.data[from ? 1 : 0], "an index", &end)) return NULL;
    if (to && end <= begin) {
        FAIL(ck, DIAG_DIMENSION, slice->span, "[... : ...]", (long long)(end - begin));
        return NULL;
    }
    Expr *e = new_expr(ck, EXPR_SLICE, slice->span, 1);
    e->args[0] = whole;
    e->dim = dim;
    e->index = begin;
    e->count = to ? end - begin : SLICE_REST;
    return e;
}

/* x[z] along dimension `dim`. */
static Expr *resolve_position(Checker *ck, const Ast *ast, const Ast *position, Expr *whole,
                              int dim) {
    Expr *at = resolve(ck, position);
    if (!at || !whole) return NULL;
    Expr *e = new_expr(ck, EXPR_AT, ast->span, 2);
    e->args[0] = whole;
    e->args[1] = at;
    e->dim = dim;
    return e;
}

static Expr *resolve_index(Checker *ck, const Ast *ast) {
    Expr *e = resolve(ck, ast->value);
    int dim = 0;
    for (int i = 0; i < ast->args.n; i++) {
        const Ast *position = ast->args.data[i];
        if (position->kind == AST_SLICE) {
            /* the grammar keeps what is written: one bound alone is the lower one where it stands
             * at the slice's beginning */
            bool both = position->args.n == 2, one = position->args.n == 1;
            bool from = both || (one && position->args.data[0]->span.begin == position->span.begin);
            if (e && position->args.n)
                e = resolve_slice(ck, position, e, dim, from, both || (one && !from));
            dim++;
            continue;
        }
        if (names_position(ck, position)) {
            e = resolve_position(ck, ast, position, e, dim);
            continue;
        }
        int64_t index;
        if (!constant_integer(ck, position, "an index", &index)) e = NULL;
        if (!e) continue;
        Expr *picked = new_expr(ck, EXPR_INDEX, ast->span, 1);
        picked->args[0] = e;
        picked->index = index;
        picked->dim = dim;
        e = picked;
    }
    return e;
}

static Expr *resolve_list(Checker *ck, const Ast *ast, Expr *e) {
    bool good = true;
    for (int i = 0; i < ast->args.n; i++) {
        e->args[i] = resolve(ck, ast->args.data[i]);
        good = good && e->args[i];
    }
    return good ? e : NULL;
}

/* c ? a : b. Where c follows from sizes and running indices, the other branch is not even looked
 * at: it may well have an index out of range. */
static Expr *resolve_condition(Checker *ck, const Ast *ast) {
    Expr *e = new_expr(ck, EXPR_OP, ast->span, 3);
    e->opcode = OP_SELECT;
    if (!ck->bounds) return resolve_list(ck, ast, e);
    Expr *condition = resolve(ck, ast->args.data[0]);
    double value;
    if (!condition) return NULL;
    if (one_number(ck, condition, false, &value))
        return resolve(ck, ast->args.data[value != 0 ? 1 : 2]);
    e->args[0] = condition;
    e->args[1] = resolve(ck, ast->args.data[1]);
    e->args[2] = resolve(ck, ast->args.data[2]);
    return e->args[1] && e->args[2] ? e : NULL;
}

static Expr *resolve_kind(Checker *ck, const Ast *ast) {
    switch (ast->kind) {
    case AST_NUMBER:
        return number_expr(ck, ast->number, ast->span);
    case AST_NAME:
        return resolve_name(ck, ast);
    case AST_CALL:
        return resolve_call(ck, ast);
    case AST_UNARY:
        return resolve_unary(ck, ast);
    case AST_BINARY:
        return resolve_binary(ck, ast);
    case AST_INDEX:
        return resolve_index(ck, ast);
    case AST_FIELD_CALL:
        return resolve_link_part(ck, ast);
    case AST_ARRAY:
        if (ast->args.n > MAX_EVENT) {
            FAIL(ck, DIAG_EVENT_TOO_LARGE, ast->span, (long long)ast->args.n, MAX_EVENT);
            return NULL;
        }
        return resolve_list(ck, ast, new_expr(ck, EXPR_ARRAY, ast->span, ast->args.n));
    case AST_CONDITION:
        return resolve_condition(ck, ast);
    case AST_COMPREHENSION:
        return resolve_comprehension(ck, ast);
    case AST_OVER:
        FAIL(ck, DIAG_REDUCTION_FORM, ast->span, "this call");
        return NULL;
    case AST_FIELD:
        return resolve_plate_field(ck, ast);
    default:
        internal_error("front", "an expression of kind %d", ast->kind);
    }
}

Expr *resolve_part(Checker *ck, const Ast *ast) {
    return resolve(ck, ast);
}

static Expr *resolve(Checker *ck, const Ast *ast) {
    ck->depth++;
    Expr *e = NULL;
    if (check_depth(ck, 0, ast->span) && grow(ck, 1, ast->span)) e = resolve_kind(ck, ast);
    ck->depth--;
    return e;
}

Expr *resolve_expr(Checker *ck, const Ast *ast) {
    if (!ck->body) {
        ck->size = 0;
        ck->deepest = ck->depth;
        ck->too_large = false;
    }
    return resolve(ck, ast);
}

Expr *resolve_value(Checker *ck, const Ast *ast) {
    Expr *e = resolve_expr(ck, ast);
    return e && type_expr(ck, e, NULL) ? e : NULL;
}

bool constant_integer(Checker *ck, const Ast *ast, const char *what, int64_t *out) {
    const double largest = 9007199254740992.0; /* 2^53: doubles are exact up to here */
    const char *outer = ck->constant;
    bool hypers = ck->hypers;
    ck->constant = what;
    ck->hypers = false;
    Expr *e = resolve(ck, ast);
    ck->constant = outer;
    ck->hypers = hypers;
    if (!e) return false;
    double number;
    if (!one_number(ck, e, false, &number)) {
        FAIL(ck, DIAG_NOT_CONSTANT, ast->span, what);
        return false;
    }
    if (!isfinite(number)) {
        FAIL(ck, DIAG_NOT_FINITE, ast->span, what, number);
    } else if (number != rint(number)) {
        FAIL(ck, DIAG_NOT_INTEGER, ast->span, what, number);
    } else if (fabs(number) > largest) {
        FAIL(ck, DIAG_NUMBER_TOO_LARGE, ast->span, what, number, largest);
    } else {
        *out = (int64_t)number;
        return true;
    }
    return false;
}

bool count_up_to(Checker *ck, const Ast *ast, const char *name, const char *what, int64_t most,
                 int64_t *out) {
    if (!constant_integer(ck, ast, what, out)) return false;
    if (*out < 1)
        FAIL(ck, DIAG_DIMENSION, ast->span, name, (long long)*out);
    else if (*out > most)
        FAIL(ck, DIAG_NUMBER_TOO_LARGE, ast->span, what, (double)*out, (double)most);
    return *out >= 1 && *out <= most;
}
