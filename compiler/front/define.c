/* define.c -- fn, distribution and link: their parameters and bodies.
 *
 * A body is resolved when it is first needed, so that functions may stand in any order; while it is
 * being resolved it is ACTIVE, and meeting it again is a cycle. Bodies of distributions and links
 * are scalar: the dimensions of a variable are independent copies. Bodies of fn are typed anew at
 * each call. */
#include "front/check.h"

/* What the walk stood in, to be taken up again after a body. */
typedef struct Outer {
    const Body *body;
    const char *constant, *user;
    int size, depth, deepest;
    bool too_large;
} Outer;

static Outer enter(Checker *ck, const Body *body) {
    Outer outer = {ck->body,  ck->constant, ck->user,     ck->size,
                   ck->depth, ck->deepest,  ck->too_large};
    ck->body = body;
    ck->constant = NULL;
    ck->user = body->what;
    ck->too_large = false;
    ck->size = 0;
    ck->deepest = ck->depth;
    return outer;
}

static void leave(Checker *ck, const Outer *outer) {
    ck->body = outer->body;
    ck->constant = outer->constant;
    ck->user = outer->user;
    ck->size = outer->size;
    ck->too_large = outer->too_large;
    ck->depth = outer->depth;
    if (outer->deepest > ck->deepest) ck->deepest = outer->deepest;
}

/* Parameters with their names unique; the supports refer to the parameters themselves. */
static bool read_params(Checker *ck, Definition *d, Param **params, int *n_params) {
    const AstList *list = &d->ast->args;
    if (list->n > MAX_PARAMS) {
        FAIL(ck, DIAG_TOO_MANY_PARAMS, list->data[MAX_PARAMS]->span, d->name, MAX_PARAMS);
        return false;
    }
    bool good = true;
    *n_params = list->n;
    *params = arena_array(ck->arena, Param, list->n + 1);
    for (int i = 0; i < list->n; i++) {
        const Ast *param = list->data[i];
        (*params)[i] = (Param){.name = param->name.text, .span = param->name.span};
        for (int k = 0; k < i; k++) {
            if (strcmp(list->data[k]->name.text, param->name.text) != 0) continue;
            FAIL(ck, DIAG_DUPLICATE_NAME, param->name.span, param->name.text);
            diag_note(ck->diags, list->data[k]->name.span, "first declared here");
            good = false;
        }
        Support support = {0};
        if (param->value) good = resolve_support(ck, param->value, &support) && good;
        (*params)[i].support = support.kind;
        (*params)[i].lo = support.lo;
        (*params)[i].hi = support.hi;
    }
    return good;
}

static Body body_of(Checker *ck, const Definition *d, const Ast *member) {
    static const char *const words[] = {"fn", "distribution", "link"};
    int n = d->ast->args.n, own = member ? member->args.n : 0;
    Body body = {.what = arena_printf(ck->arena, "%s `%s`", words[d->kind], d->name),
                 .library = d->library};
    body.names = arena_array(ck->arena, AstWord, n + own + 1);
    /* a link's own variable comes first, a distribution's last (model.h) */
    int first = d->kind == DEFINES_LINK ? own : 0;
    for (int i = 0; i < n; i++) body.names[first + i] = d->ast->args.data[i]->name;
    for (int i = 0; i < own; i++) body.names[(first ? 0 : n) + i] = member->args.data[i]->name;
    body.n = n + own;
    return body;
}

/* ---- members ---- */

typedef struct MemberSlot {
    const char *name;
    int params;
    bool required;
    Expr **to;
} MemberSlot;

static bool type_member(Checker *ck, Expr *e) {
    Type scalars[MAX_PARAMS + 2] = {0};
    if (!type_expr(ck, e, scalars)) return false;
    if (e->type.elem == ELEM_BOOL) {
        FAIL(ck, DIAG_NEEDS_NUMBER, e->span);
        return false;
    }
    if (e->type.n_dims) {
        FAIL(ck, DIAG_SHAPE_MISMATCH, e->span, "scalar",
             shape_text(ck->arena, e->type.n_dims, e->type.dims));
        return false;
    }
    return true;
}

/* Gives the base draws of a `sample` body their numbers. */
static void number_draws(Expr *e, int64_t *n) {
    for (int i = 0; i < e->n_args; i++) number_draws(e->args[i], n);
    if (e->kind == EXPR_RANDOM && e->index < 0) e->index = (*n)++; /* seen before: the same draw */
}

static bool read_member(Checker *ck, Definition *d, const Ast *member, const MemberSlot *slot) {
    if (*slot->to) {
        FAIL(ck, DIAG_MEMBER_TWICE, member->name.span, slot->name);
        return false;
    }
    if (member->args.n != slot->params || member->word.text) {
        FAIL(ck, DIAG_MEMBER_PARAMETERS, member->name.span, slot->name,
             slot->params ? "1 parameter" : "no parameter", member->args.n);
        return false;
    }
    Body body = body_of(ck, d, member);
    body.random = strcmp(slot->name, "sample") == 0;
    Outer outer = enter(ck, &body);
    Expr *e = resolve_expr(ck, member->value);
    if (ck->size > d->size) d->size = ck->size;
    if (ck->deepest - outer.depth > d->depth) d->depth = ck->deepest - outer.depth;
    leave(ck, &outer);
    if (!e || !type_member(ck, e)) return false;
    int64_t draws = 0;
    if (body.random) number_draws(e, &draws);
    *slot->to = e;
    return true;
}

static bool read_members(Checker *ck, Definition *d, MemberSlot *slots, int n) {
    static const char *const words[] = {"a fn", "a distribution", "a link"};
    bool good = true;
    for (int i = 0; i < d->ast->items.n; i++) {
        const Ast *member = d->ast->items.data[i];
        int at = -1;
        for (int k = 0; k < n; k++)
            if (strcmp(slots[k].name, member->name.text) == 0) at = k;
        if (at >= 0) {
            good = read_member(ck, d, member, &slots[at]) && good;
            continue;
        }
        good = false;
        FAIL(ck, DIAG_UNKNOWN_MEMBER, member->name.span, words[d->kind], member->name.text);
    }
    for (int k = 0; good && k < n; k++) {
        if (*slots[k].to || !slots[k].required) continue;
        FAIL(ck, DIAG_MISSING_MEMBER, d->ast->name.span, words[d->kind] + 2, d->name,
             slots[k].name);
        good = false;
    }
    return good;
}

/* ---- the three kinds ---- */

/* The support behind the colon, which sees the definition's parameters. */
static bool read_support(Checker *ck, Definition *d, Support *support) {
    Body body = body_of(ck, d, NULL);
    Outer outer = enter(ck, &body);
    bool good = resolve_support(ck, d->ast->value, support);
    leave(ck, &outer);
    return good;
}

static bool define_fn(Checker *ck, Definition *d) {
    Function *f = arena_new_of(ck->arena, Function);
    f->name = d->name;
    f->span = d->ast->name.span;
    if (!read_params(ck, d, &f->params, &f->n_params)) return false;
    Body body = body_of(ck, d, NULL);
    Outer outer = enter(ck, &body);
    f->body = resolve_expr(ck, d->ast->value);
    d->size = ck->size;
    d->depth = ck->deepest - outer.depth;
    leave(ck, &outer);
    d->function = f;
    return f->body != NULL;
}

static bool define_distribution(Checker *ck, Definition *d) {
    Distribution *dist = arena_new_of(ck->arena, Distribution);
    dist->name = d->name;
    dist->doc = d->ast->doc;
    dist->span = d->ast->name.span;
    Body body = body_of(ck, d, NULL); /* the parameters' supports may refer to one another */
    Outer outer = enter(ck, &body);
    bool good = read_params(ck, d, &dist->params, &dist->n_params);
    leave(ck, &outer);
    if (!good) return false;
    good = read_support(ck, d, &dist->support);
    MemberSlot slots[] = {{"sample", 0, true, &dist->sample},
                          {"log_prob", 1, false, &dist->log_prob},
                          {"log_cdf", 1, false, &dist->log_cdf},
                          {"log_ccdf", 1, false, &dist->log_ccdf},
                          {"quantile", 1, false, &dist->quantile},
                          {"upper_quantile", 1, false, &dist->upper_quantile}};
    good = read_members(ck, d, slots, sizeof slots / sizeof *slots) && good;
    if (good && !dist->log_prob) {
        FAIL(ck, DIAG_NO_LOG_PROB, dist->span, d->name);
        good = false;
    }
    d->distribution = dist;
    return good;
}

/* Are the ends parameters 0, 1, ... themselves? */
static bool ends_are_parameters(const Support *support) {
    const Expr *const ends[] = {support->lo, support->hi};
    int n = 0;
    for (int i = 0; i < 2; i++)
        if (ends[i] && !(ends[i]->kind == EXPR_PARAM && ends[i]->param == n++)) return false;
    return true;
}

static bool ends_are_constants(Checker *ck, const Support *support) {
    Value lo = {0}, hi = {0};
    if (support->lo && !evaluate(ck, support->lo, false, &lo)) return false;
    if (support->hi && !evaluate(ck, support->hi, false, &hi)) return false;
    return !support->lo || !support->hi || lo.data[0] < hi.data[0];
}

/* A link has the ends of its support as parameters, or it leads to one such set alone; and then,
 * unless to an interval, perhaps the scale c. */
static bool check_link_support(Checker *ck, const Definition *d, Link *link,
                               const Support *support) {
    int n = link->n_params, ends = !!support->lo + !!support->hi, more = ends < 2;
    bool own = ends && n >= ends && n <= ends + more, constant = n <= more;
    if (!own && !constant) {
        static const char *const takes[] = {"at most 1 parameter", "at most 2 parameters",
                                            "2 parameters, or none,"};
        FAIL(ck, DIAG_LINK_PARAMETERS, link->span, support_names[support->kind], takes[ends], n);
        return false;
    }
    own = own && ends_are_parameters(support);
    if (!own && !(constant && ends_are_constants(ck, support))) {
        FAIL(ck, DIAG_LINK_INTERVAL, d->ast->value->span);
        return false;
    }
    if (!own) {
        link->lo = support->lo;
        link->hi = support->hi;
    }
    link->scaled = n > (own ? ends : 0);
    return true;
}

static bool define_link(Checker *ck, Definition *d) {
    Link *link = arena_new_of(ck->arena, Link);
    link->name = d->name;
    link->doc = d->ast->doc;
    link->span = d->ast->name.span;
    Body body = body_of(ck, d, NULL);
    Outer outer = enter(ck, &body);
    bool good = read_params(ck, d, &link->params, &link->n_params);
    leave(ck, &outer);
    Support support = {0};
    good = good && read_support(ck, d, &support);
    if (!good) return false;
    link->support = support.kind;
    if (!check_link_support(ck, d, link, &support)) return false;
    MemberSlot slots[] = {{"forward", 1, true, &link->forward},
                          {"inverse", 1, true, &link->inverse},
                          {"log_jacobian", 1, true, &link->log_jacobian}};
    d->link = link;
    return read_members(ck, d, slots, 3);
}

bool define(Checker *ck, Definition *d, Span use) {
    if (d->state == STATE_DONE) return !d->broken;
    if (d->state == STATE_ACTIVE) {
        FAIL(ck, DIAG_CYCLE, use, d->name, d->kind == DEFINES_FN ? "" : " through a function");
        diag_note(ck->diags, d->ast->name.span, "`%s` is defined here", d->name);
        d->broken = true;
        return false;
    }
    d->state = STATE_ACTIVE;
    bool good = d->kind == DEFINES_FN             ? define_fn(ck, d)
                : d->kind == DEFINES_DISTRIBUTION ? define_distribution(ck, d)
                                                  : define_link(ck, d);
    d->state = STATE_DONE;
    if (!good) d->broken = true;
    return !d->broken;
}

/* ---- supports ---- */

static bool resolve_end(Checker *ck, const Ast *ast, Expr **end) {
    Type scalars[MAX_PARAMS + 2] = {0};
    *end = resolve_expr(ck, ast);
    return *end && type_expr(ck, *end, scalars);
}

bool resolve_support(Checker *ck, const Ast *ast, Support *support) {
    const char *name = ast->name.text;
    int n = ast->kind == AST_CALL ? ast->args.n : 0;
    *support = (Support){0};
    for (int kind = 0; kind < N_SUPPORTS; kind++) {
        if (strcmp(support_names[kind], name) != 0) continue;
        static const char *const takes[] = {"no arguments", "1 argument", "2 arguments"};
        SupportEnds ends = support_ends[kind];
        support->kind = (SupportKind)kind;
        if (n != ends.lo + ends.hi) {
            FAIL(ck, DIAG_ARGUMENT_COUNT, ast->span, name, takes[ends.lo + ends.hi], n);
            return false;
        }
        bool good = true;
        if (ends.lo) good = resolve_end(ck, ast->args.data[0], &support->lo);
        if (ends.hi) good = resolve_end(ck, ast->args.data[n - 1], &support->hi) && good;
        return good;
    }
    if (is_refused(REFUSED_SUPPORT, name))
        FAIL(ck, DIAG_UNSUPPORTED_FORM, ast->name.span,
             arena_printf(ck->arena, "support `%s` is", name));
    else {
        FAIL(ck, DIAG_UNKNOWN_SUPPORT, ast->name.span, name);
        const char *nearest = nearest_name(name, support_names, N_SUPPORTS);
        if (nearest) diag_help(ck->diags, "did you mean `%s`?", nearest);
    }
    return false;
}
