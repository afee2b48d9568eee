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
    return param_expr(s->ck, i, s->span);
}

static Expr *point(const Shared *s, IrOpcode opcode, Expr *a, Expr *b) {
    return op_expr(s->ck, opcode, s->span, a, b, NULL);
}

static Function *function_of(const Shared *s, const char *name, int k, int n_params, Expr *body) {
    const char *whole = arena_printf(s->ck->arena, "%s %d of std_multinomial", name, k);
    Function *f = new_function(s->ck, whole, n_params, NULL, name, s->span);
    f->body = body;
    return f;
}

static Expr *call(const Shared *s, Function *f, Expr *const *args) {
    return call_expr(s->ck, f, args, s->span);
}

/* counts, and `own` more of category k */
static Expr *with(const Shared *s, Expr *counts, Expr *own, int k) {
    Expr *here = new_expr(s->ck, EXPR_ARRAY, s->span, s->n);
    for (int i = 0; i < s->n; i++) here->args[i] = number_expr(s->ck, i == k, s->span);
    return point(s, OP_ADD, counts, point(s, OP_MUL, own, here));
}

/* What category k has of the probability that is left: 1 at most, in float, too. */
static Expr *share_of(const Shared *s, int k) {
    Expr *own = index_expr(s->ck, param(s, SHARES), k, s->span);
    Expr *rest = new_expr(s->ck, EXPR_SLICE, s->span, 1);
    rest->args[0] = param(s, SHARES);
    rest->index = k;
    rest->count = SLICE_REST;
    Expr *sum = sum_expr(s->ck, rest, s->span);
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
    Expr *drawn = random_expr(s->ck, RANDOM_BINOMIAL, -1, s->span, param(s, REST), share_of(s, k));
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
    if (!count_up_to(ck, last, ast->name.text, "the number of categories", MOST, &size) || !n || !p)
        return NULL;
    Shared s = {.ck = ck, .span = ast->span, .n = (int)size};
    Expr *none = new_expr(ck, EXPR_ARRAY, ast->span, s.n);
    for (int i = 0; i < s.n; i++) none->args[i] = number_expr(ck, 0, ast->span);
    return call(&s, left(&s, 0), (Expr *[]){n, none, p});
}
