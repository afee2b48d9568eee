/* combine.c -- distributions made of others, and the first of them: truncated(dist(...), lo, hi)
 * and censored(dist(...), lo, hi).
 *
 * The result is a Distribution like any other, whose bodies are composed of the members of the one
 * inside; its parameters are those of the one inside, then lo and hi as far as given. Nothing after
 * the front end knows of it.
 *
 * Of a censored value beyond a bound only that is known: it is equal to the bound then, and its
 * probability, the tail's, is in the place of a density.
 *
 * Truncation is computed on the side of the median where the lower bound lies: from log_cdf and
 * quantile below it, from log_ccdf and upper_quantile above it, so that a bound far out in a tail
 * loses no digits. Draws from beyond a bound with less than e^-70 of the mass (of a normal, 11.7
 * standard deviations off) are the bound plus an exponential with the hazard there, which is what
 * the tail is to 1 %; probabilities that small soon vanish in float. */
#include "front/check.h"

static bool truncated(Checker *ck, Var *var, const Ast *call);
static bool censored(Checker *ck, Var *var, const Ast *call);

static const struct {
    const char *name;
    bool (*combine)(Checker *ck, Var *var, const Ast *call);
} combinators[] = {{"truncated", truncated}, {"censored", censored},
                   {"push", push},           {"mixture", mixture},
                   {"hurdle", hurdle},       {"zero_inflated", zero_inflated},
                   {"sorted", sorted},       {"category", category}};
enum { N_COMBINATORS = sizeof combinators / sizeof *combinators };

static int find_combinator(const Checker *ck, const char *name) {
    int found = -1;
    for (int i = 0; i < N_COMBINATORS; i++)
        if (strcmp(combinators[i].name, name) == 0) found = i;
    return found >= 0 && find_definition(ck, DEFINES_DISTRIBUTION, name) ? -1 : found;
}

const char *combinator_name(int i) {
    return i < N_COMBINATORS ? combinators[i].name : NULL;
}

bool is_combinator(const Checker *ck, const char *name) {
    return find_combinator(ck, name) >= 0;
}

bool combine(Checker *ck, Var *var, const Ast *call) {
    return combinators[find_combinator(ck, call->name.text)].combine(ck, var, call);
}

/* ---- bodies ---- */

typedef struct Truncation {
    Checker *ck;
    const Distribution *inner;
    Span span;
    Expr **params; /* of the result, as expressions; the last is x */
    Expr *lo, *hi; /* among them, or NULL */
    Expr *far;     /* does lo lie above the median? NULL without lo */
} Truncation;

static Expr *number(const Truncation *t, double number) {
    return number_expr(t->ck, number, t->span);
}

static Expr *point(const Truncation *t, IrOpcode opcode, Expr *a, Expr *b, Expr *c) {
    return op_expr(t->ck, opcode, t->span, a, b, c);
}

static Expr *of(const Truncation *t, IrOpcode opcode, Expr *a) {
    return point(t, opcode, a, NULL, NULL);
}

static Expr *of_two(const Truncation *t, IrOpcode opcode, Expr *a, Expr *b) {
    return point(t, opcode, a, b, NULL);
}

/* A member of the distribution inside, at `x`. */
static Expr *at(const Truncation *t, const Expr *member, Expr *x) {
    return member_at(t->ck, t->inner, member, t->params, x);
}

/* The log probabilities whose difference is the mass between the bounds: of the tail from the bound
 * that is nearer to the median, and of what the other bound cuts off from it. Above the median
 * (`upper`) of the tails to the right, else to the left. NULL: 1, or 0. */
typedef struct Tail {
    Expr *log_whole, *log_cut;
} Tail;

static Tail tail(const Truncation *t, bool upper) {
    const Expr *member = upper ? t->inner->log_ccdf : t->inner->log_cdf;
    Expr *whole = upper ? t->lo : t->hi, *cut_off = upper ? t->hi : t->lo;
    return (Tail){whole ? at(t, member, whole) : NULL, cut_off ? at(t, member, cut_off) : NULL};
}

/* log(exp(whole) - exp(cut)): what goes into the difference is chosen, not its result, since the
 * derivative of the other one may be infinite. */
static Expr *log_mass(const Truncation *t) {
    Tail left = tail(t, false), right = tail(t, true);
    if (!t->hi) return right.log_whole;
    if (!t->lo) return left.log_whole;
    Expr *whole = point(t, OP_SELECT, t->far, right.log_whole, left.log_whole);
    Expr *cut_off = point(t, OP_SELECT, t->far, right.log_cut, left.log_cut);
    Expr *rest = of(t, OP_LOG1M_EXP, of_two(t, OP_SUB, cut_off, whole));
    return of_two(t, OP_ADD, whole, rest);
}

/* The value that leaves the share w of the whole tail beyond it, where the tail is thin:
 * exponential from the bound on. Where it is not thin, the hazard may vanish and is kept off 0:
 * neither the value nor its derivative may be anything but a number, though nobody takes it. */
static Expr *thin_quantile(const Truncation *t, bool upper, const Tail *own, Expr *w) {
    Expr *bound = upper ? t->lo : t->hi;
    Expr *log_hazard = of_two(t, OP_SUB, at(t, t->inner->log_prob, bound), own->log_whole);
    log_hazard = of_two(t, OP_MAX, log_hazard, number(t, -60));
    Expr *beyond = of_two(t, OP_DIV, of(t, OP_LOG, w), of(t, OP_EXP, log_hazard));
    return of_two(t, upper ? OP_SUB : OP_ADD, bound, beyond);
}

/* A draw on one side of the median, from the uniform u. */
static Expr *draw(const Truncation *t, bool upper, Expr *u) {
    const Distribution *d = t->inner;
    Tail own = tail(t, upper);
    Expr *w = u, *p = u;
    if (own.log_cut) {
        Expr *log_share = own.log_cut;
        if (own.log_whole) log_share = of_two(t, OP_SUB, log_share, own.log_whole);
        Expr *share = of(t, OP_EXP, log_share);
        Expr *rest = of_two(t, OP_SUB, number(t, 1), share);
        p = w = of_two(t, OP_ADD, share, of_two(t, OP_MUL, u, rest));
    }
    if (own.log_whole) p = of_two(t, OP_MUL, of(t, OP_EXP, own.log_whole), w);
    /* off 0 and 1, where quantiles end */
    p = of_two(t, OP_MAX, of_two(t, OP_MIN, p, number(t, 0.99999994)), number(t, 1e-37));
    bool mirrored = upper && !d->upper_quantile;
    if (mirrored) p = of_two(t, OP_SUB, number(t, 1), p);
    Expr *x = at(t, upper && !mirrored ? d->upper_quantile : d->quantile, p);
    if (!own.log_whole) return x;
    Expr *thin = of_two(t, OP_LT, own.log_whole, number(t, -70));
    return point(t, OP_SELECT, thin, thin_quantile(t, upper, &own, w), x);
}

/* x, off its bound in float: a function of the library. */
static Expr *kept(const Truncation *t, const char *function, Expr *bound, Expr *x) {
    return library_call(t->ck, function, (Expr *[]){bound, x}, t->span);
}

static Expr *sample(const Truncation *t) {
    /* draw 0: one, wherever it stands */
    Expr *u = random_expr(t->ck, RANDOM_UNIFORM, 0, t->span, NULL, NULL);
    Expr *x = draw(t, false, u);
    if (t->lo) {
        x = point(t, OP_SELECT, t->far, draw(t, true, u), x);
        x = kept(t, "kept_above", t->lo, x);
    }
    return t->hi ? kept(t, "kept_below", t->hi, x) : x;
}

static bool truncated_bodies(Truncation *t, Distribution *dist) {
    const Distribution *d = t->inner;
    Expr *x = t->params[dist->n_params];
    if (t->lo) t->far = of_two(t, OP_LT, at(t, d->log_ccdf, t->lo), at(t, d->log_cdf, t->lo));
    dist->sample = sample(t);
    dist->log_prob = of_two(t, OP_SUB, at(t, d->log_prob, x), log_mass(t));
    return type_bodies(t->ck, dist);
}

static bool censored_bodies(Truncation *t, Distribution *dist) {
    const Distribution *d = t->inner;
    Expr *x = t->params[dist->n_params], *beyond;
    dist->sample = at(t, d->sample, NULL);
    dist->log_prob = at(t, d->log_prob, x);
    if (t->hi) {
        dist->sample = of_two(t, OP_MIN, dist->sample, t->hi);
        beyond = of_two(t, OP_LE, t->hi, x);
        dist->log_prob = point(t, OP_SELECT, beyond, at(t, d->log_ccdf, t->hi), dist->log_prob);
    }
    if (t->lo) {
        dist->sample = of_two(t, OP_MAX, dist->sample, t->lo);
        beyond = of_two(t, OP_LE, x, t->lo);
        dist->log_prob = point(t, OP_SELECT, beyond, at(t, d->log_cdf, t->lo), dist->log_prob);
    }
    return type_bodies(t->ck, dist);
}

/* ---- arguments ---- */

enum { LO, HI };
static const char *const bound_names[] = {"lo", "hi"};

static bool order_bounds(Checker *ck, const Ast *call, const Ast *bounds[2]) {
    const char *name = call->name.text;
    bool good = true, by_name = false;
    for (int i = 1; i < call->args.n; i++) {
        const Ast *arg = call->args.data[i];
        int which = i - 1;
        if (arg->kind == AST_NAMED) {
            by_name = true;
            which = strcmp(arg->name.text, "lo") == 0   ? LO
                    : strcmp(arg->name.text, "hi") == 0 ? HI
                                                        : 2;
            if (which == 2) FAIL(ck, DIAG_UNKNOWN_ARGUMENT, arg->name.span, name, arg->name.text);
        } else if (by_name) {
            FAIL(ck, DIAG_ARGUMENT_ORDER, arg->span);
            which = 2;
        }
        good = good && which < 2;
        if (which >= 2) continue;
        if (bounds[which]) FAIL(ck, DIAG_ARGUMENT_TWICE, arg->span, bound_names[which], name);
        good = good && !bounds[which];
        bounds[which] = arg->kind == AST_NAMED ? arg->value : arg;
    }
    if (call->args.n > 3 || (good && !bounds[LO] && !bounds[HI])) {
        FAIL(ck, DIAG_ARGUMENT_COUNT, call->span, name, "a distribution and one bound or two",
             call->args.n);
        return false;
    }
    return good;
}

/* The distribution inside, with its arguments in inner->args; the first n_needed members are
 * needed of it. */
static bool resolve_inner(Checker *ck, Var *inner, const Ast *call, int n_needed) {
    static const char *const needed[] = {"log_cdf", "log_ccdf", "quantile"};
    if (!call->args.n) return false; /* order_bounds says so */
    const Ast *first = call->args.data[0];
    if (!resolve_law(ck, inner, call, first, "first")) return false;
    const Distribution *d = inner->dist;
    const Expr *const members[] = {d->log_cdf, d->log_ccdf, d->quantile};
    for (int i = 0; i < n_needed; i++)
        if (!need_member(ck, d, members[i], needed[i], call, first)) return false;
    return check_room(ck, d, 2, MAX_PARAMS, call);
}

/* Does the support inside end at `bound` anyway, or before it? */
static bool is_idle(Checker *ck, const Var *inner, const Expr *bound, int which) {
    const Support *s = &inner->dist->support;
    const Expr *end = which == LO ? s->lo : s->hi;
    Range own = range_of(ck, bound, NULL), past = {0, 0};
    if (end)
        past = range_of(ck, substitute(ck, end, inner->args), NULL);
    else if (which == HI || s->kind != SUPPORT_POSITIVE)
        return false;
    return which == LO ? own.hi <= past.lo : own.lo >= past.hi;
}

/* The support inside, cut at the bounds, which may be among the values (`closed`) or not: over the
 * parameters of the result. */
static Support cut(const Truncation *t, const Expr *lo_argument, bool closed) {
    const Support *s = &t->inner->support;
    Expr *lo = t->lo ? t->lo : s->lo, *hi = t->hi ? t->hi : s->hi;
    if (!lo && s->kind == SUPPORT_POSITIVE) lo = number(t, 0);
    if (lo && hi) return (Support){SUPPORT_INTERVAL, lo, hi};
    if (hi) return (Support){SUPPORT_UPPER, NULL, hi};
    double least;
    bool zero = !closed && same_number(t->ck, lo_argument, false, &least) && least == 0;
    return zero ? (Support){SUPPORT_POSITIVE, NULL, NULL} : (Support){SUPPORT_LOWER, lo, NULL};
}

static bool cut_at(Checker *ck, Var *var, const Var *inner, Expr *const bounds[2], const Ast *call,
                   bool closed) {
    const Distribution *d = inner->dist;
    Span span = call->span;
    Distribution *dist = new_composed(ck, call, d);
    dist->atoms = closed;
    dist->n_params = d->n_params;
    dist->params = arena_array(ck->arena, Param, MAX_PARAMS);
    var->dist = dist;
    var->args = arena_array(ck->arena, Expr *, MAX_PARAMS);
    Truncation t = {.ck = ck, .inner = d, .span = span};
    for (int i = 0; i < d->n_params; i++) {
        dist->params[i] = d->params[i];
        var->args[i] = inner->args[i];
    }
    for (int which = LO; which <= HI; which++) {
        if (!bounds[which]) continue;
        dist->params[dist->n_params] = (Param){.name = bound_names[which],
                                               .support = d->support.kind,
                                               .span = bounds[which]->span,
                                               .lo = d->support.lo,
                                               .hi = d->support.hi};
        var->args[dist->n_params++] = bounds[which];
    }
    t.params = param_exprs(ck, dist->n_params, span);
    if (bounds[LO]) t.lo = t.params[d->n_params];
    if (bounds[HI]) t.hi = t.params[dist->n_params - 1];
    dist->support = cut(&t, bounds[LO], closed);
    return closed ? censored_bodies(&t, dist) : truncated_bodies(&t, dist);
}

static bool bounded(Checker *ck, Var *var, const Ast *call, bool closed) {
    const Ast *given[2] = {0};
    Expr *bounds[2] = {0};
    Var inner = *var;
    bool good = resolve_inner(ck, &inner, call, closed ? 2 : 3);
    good = order_bounds(ck, call, given) && good;
    for (int which = LO; which <= HI; which++) {
        if (!given[which]) continue;
        bounds[which] = resolve_value(ck, given[which]);
        good = bounds[which] &&
               check_argument(ck, var, 0, &(Param){.name = bound_names[which]}, bounds[which]) &&
               good;
        if (good && is_idle(ck, &inner, bounds[which], which)) bounds[which] = NULL;
    }
    if (!good) return false;
    if (bounds[LO] || bounds[HI]) return cut_at(ck, var, &inner, bounds, call, closed);
    var->dist = inner.dist;
    var->args = inner.args;
    return true;
}

static bool truncated(Checker *ck, Var *var, const Ast *call) {
    return bounded(ck, var, call, false);
}

static bool censored(Checker *ck, Var *var, const Ast *call) {
    return bounded(ck, var, call, true);
}
