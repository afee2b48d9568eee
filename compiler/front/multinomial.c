/* multinomial.c -- std_multinomial(n, p, K): n things shared out over K categories, of which each
 * is a binomial share of what those before it left:
 *
 *     x[k] ~ binomial(n - x[0] - ... - x[k - 1], p[k] / (p[k] + ... + p[K - 1]))
 *
 * Since what is left follows from draws it must be named: a chain of functions does that,
 *
 *     left_k(rest, x, p)       = take_k(std_binomial(rest, share_k(p)), rest, x, p)
 *     take_k(own, rest, x, p)  = left_{k + 1}(rest - own, x + own * e_k, p)
 *
 * whose last puts the rest into the last category. */
#include "front/check.h"

enum { REST = 0, COUNTS = 1, SHARES = 2 }; /* parameters of left_k; take_k has `own` before them */

typedef struct Shared {
    Checker *ck;
    Span span;
    int n;
} Shared;

static Expr *param(const Shared *s, int i) {
    Expr *e = new_expr(s->ck, EXPR_PARAM, s->span, 0);
    e->param = i;
    return e;
}

static Expr *point(const Shared *s, IrOpcode opcode, Expr *a, Expr *b) {
    return op_expr(s->ck, opcode, s->span, a, b, NULL);
}

static Function *function_of(const Shared *s, const char *name, int k, int n_params, Expr *body) {
    Function *f = arena_new_of(s->ck->arena, Function);
    *f = (Function){.name = arena_printf(s->ck->arena, "%s %d of std_multinomial", name, k),
                    .span = s->span,
                    .n_params = n_params,
                    .body = body};
    f->params = arena_array(s->ck->arena, Param, n_params);
    for (int i = 0; i < n_params; i++) f->params[i] = (Param){.name = name, .span = s->span};
    return f;
}

static Expr *call(const Shared *s, Function *f, Expr *const *args) {
    Expr *e = new_expr(s->ck, EXPR_CALL, s->span, f->n_params);
    e->function = f;
    for (int i = 0; i < f->n_params; i++) e->args[i] = args[i];
    return e;
}

/* counts, and `own` more of category k */
static Expr *with(const Shared *s, Expr *counts, Expr *own, int k) {
    Expr *here = new_expr(s->ck, EXPR_ARRAY, s->span, s->n);
    for (int i = 0; i < s->n; i++) here->args[i] = number_expr(s->ck, i == k, s->span);
    return point(s, OP_ADD, counts, point(s, OP_MUL, own, here));
}

/* What category k has of the probability that is left: 1 at most, in float, too. */
static Expr *share_of(const Shared *s, int k) {
    Expr *own = new_expr(s->ck, EXPR_INDEX, s->span, 1);
    Expr *rest = new_expr(s->ck, EXPR_SLICE, s->span, 1);
    Expr *sum = new_expr(s->ck, EXPR_REDUCE, s->span, 1);
    own->args[0] = rest->args[0] = param(s, SHARES);
    own->index = rest->index = k;
    rest->count = SLICE_REST;
    sum->reduce = REDUCE_SUM;
    sum->args[0] = rest;
    return point(s, OP_MIN, point(s, OP_DIV, own, sum), number_expr(s->ck, 1, s->span));
}

/* left_k */
static Function *left(const Shared *s, int k) {
    if (k == s->n - 1)
        return function_of(s, "left", k, 3, with(s, param(s, COUNTS), param(s, REST), k));
    Expr *own = param(s, 0), *rest = param(s, REST + 1), *counts = param(s, COUNTS + 1);
    Expr *body = call(
        s, left(s, k + 1),
        (Expr *[]){point(s, OP_SUB, rest, own), with(s, counts, own, k), param(s, SHARES + 1)});
    Function *take = function_of(s, "take", k, 4, body);
    Expr *drawn = new_expr(s->ck, EXPR_RANDOM, s->span, 2);
    drawn->random = RANDOM_BINOMIAL;
    drawn->index = -1;
    drawn->args[0] = param(s, REST);
    drawn->args[1] = share_of(s, k);
    body = call(s, take, (Expr *[]){drawn, param(s, REST), param(s, COUNTS), param(s, SHARES)});
    return function_of(s, "left", k, 3, body);
}

Expr *resolve_multinomial(Checker *ck, const Ast *ast) {
    enum { MOST = 64 };
    int64_t size;
    if (!ck->body || !ck->body->random) {
        FAIL(ck, DIAG_RANDOM_MISPLACED, ast->span, ast->name.text);
        return NULL;
    }
    Expr *n = resolve_part(ck, ast->args.data[0]), *p = resolve_part(ck, ast->args.data[1]);
    const Ast *last = ast->args.data[2];
    const char *what = "the number of categories";
    if (!constant_integer(ck, last, what, &size) || !n || !p) return NULL;
    if (size < 1 || size > MOST) {
        if (size < 1)
            FAIL(ck, DIAG_DIMENSION, last->span, ast->name.text, (long long)size);
        else
            FAIL(ck, DIAG_NUMBER_TOO_LARGE, last->span, what, (double)size, (double)MOST);
        return NULL;
    }
    Shared s = {.ck = ck, .span = ast->span, .n = (int)size};
    Expr *none = new_expr(ck, EXPR_ARRAY, ast->span, s.n);
    for (int i = 0; i < s.n; i++) none->args[i] = number_expr(ck, 0, ast->span);
    return call(&s, left(&s, 0), (Expr *[]){n, none, p});
}
