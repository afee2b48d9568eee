/* define.c -- fn, distribution and link: their parameters and bodies.
 *
 * A body is resolved when it is first needed, so that functions may stand in any order; while it is
 * being resolved it is ACTIVE, and meeting it again is a cycle. Bodies of fn are typed anew at each
 * call.
 *
 * A definition whose parameters have declared dimensions (`fn f(x[K])`, `distribution d[K](..)`) is
 * sized (a distribution of numbers by its parameters, `distribution d(p[K])`, others by their
 * values): it is looked through once, every size taken as LOOK_SIZE and nothing typed, so that
 * faults are found where nothing uses it; then there is an instance for the shapes of each use, in
 * which sizes are numbers.
 */
#include "front/check.h"

enum { LOOK_SIZE = 4, MAX_SIZES = MAX_PARAMS * MAX_DIMS };

/* What the walk stood in, to be taken up again after a body. */
typedef struct Outer {
    const Body *body;
    const Bound *bounds;
    const char *constant, *user;
    int size, depth, deepest;
    bool too_large;
} Outer;

/* The sizes that a definition names, and their values in one instance. */
typedef struct Sizes {
    Bound bound[MAX_SIZES];
    int n;
    bool closed;  /* all are bound: any other name is unknown */
    bool looking; /* they are LOOK_SIZE */
} Sizes;

static Outer enter(Checker *ck, const Body *body, const Sizes *sizes) {
    Outer outer = {ck->body, ck->bounds, ck->constant, ck->user,
                   ck->size, ck->depth,  ck->deepest,  ck->too_large};
    ck->body = body;
    ck->bounds = sizes->n ? &sizes->bound[sizes->n - 1] : NULL;
    ck->constant = NULL;
    ck->user = body->what;
    ck->too_large = false;
    ck->size = 0;
    ck->deepest = ck->depth;
    return outer;
}

static void leave(Checker *ck, const Outer *outer) {
    ck->body = outer->body;
    ck->bounds = outer->bounds;
    ck->constant = outer->constant;
    ck->user = outer->user;
    ck->size = outer->size;
    ck->too_large = outer->too_large;
    ck->depth = outer->depth;
    if (outer->deepest > ck->deepest) ck->deepest = outer->deepest;
}

/* ---- sizes ---- */

static bool is_size(const Sizes *sizes, const char *name) {
    for (int i = 0; i < sizes->n; i++)
        if (strcmp(sizes->bound[i].name, name) == 0) return true;
    return false;
}

/* May this dimension declare a size? Constants of the file are numbers already. */
static bool declares_size(Checker *ck, const Definition *d, const Sizes *sizes, const Ast *dim) {
    if (dim->kind != AST_NAME || sizes->closed || is_size(sizes, dim->name.text)) return false;
    const Symbol *symbol = d->library ? NULL : find_symbol(ck, dim->name.text);
    return !symbol || symbol->kind != SYMBOL_CONST;
}

/* Declared dimensions against those found (NULL: only looked through): a name met first takes the
 * size found, everything else must be equal to it. Writes the dimensions to `to`. */
static bool match_dims(Checker *ck, const Definition *d, const AstList *dims, const int64_t *found,
                       Sizes *sizes, int64_t *to) {
    if (dims->n > MAX_DIMS) {
        FAIL(ck, DIAG_TOO_MANY_DIMS, dims->data[MAX_DIMS]->span, MAX_DIMS);
        return false;
    }
    for (int i = 0; i < dims->n; i++) {
        const Ast *dim = dims->data[i];
        if (declares_size(ck, d, sizes, dim)) {
            Bound *outer = sizes->n ? &sizes->bound[sizes->n - 1] : NULL;
            double size = found ? (double)found[i] : LOOK_SIZE;
            sizes->looking |= !found;
            sizes->bound[sizes->n++] = (Bound){dim->name.text, size, outer};
            to[i] = (int64_t)size;
            continue;
        }
        static const Type none[1];
        Body body = {.what = d->name, .library = d->library, .types = sizes->looking ? NULL : none};
        Outer outer = enter(ck, &body, sizes);
        bool good = constant_integer(ck, dim, "a dimension", &to[i]);
        leave(ck, &outer);
        if (!good) return false;
        if (found && to[i] != found[i]) return false;
    }
    return true;
}

/* A dimension that follows from the sizes; where they are not the true ones it may come out as
 * none. */
static bool check_size(Checker *ck, const char *name, const Ast *dim, bool looking, int64_t *size) {
    if (*size < 1 && looking) *size = 1;
    if (*size >= 1) return true;
    FAIL(ck, DIAG_DIMENSION, dim->span, name, (long long)*size);
    return false;
}

static Type shape_of(const Param *param) {
    Type type = {.n_dims = param->n_dims};
    memcpy(type.dims, param->dims, sizeof type.dims);
    return type;
}

/* ---- parameters ---- */

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
    Body body = body_of(ck, d, NULL); /* the parameters' supports may refer to one another */
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
        Outer outer = enter(ck, &body, &(Sizes){0});
        if (param->value) good = resolve_support(ck, param->value, &support) && good;
        leave(ck, &outer);
        (*params)[i].support = support.kind;
        (*params)[i].lo = support.lo;
        (*params)[i].hi = support.hi;
    }
    return good;
}

/* Dimensions of the parameters of a distribution or link, all of whose sizes are bound by now. */
static bool size_params(Checker *ck, Definition *d, Param *params, Sizes *sizes, bool looking) {
    for (int i = 0; i < d->ast->args.n; i++) {
        const AstList *dims = &d->ast->args.data[i]->dims;
        if (!match_dims(ck, d, dims, NULL, sizes, params[i].dims)) return false;
        params[i].n_dims = dims->n;
        for (int k = 0; k < dims->n; k++)
            if (!check_size(ck, params[i].name, dims->data[k], looking, &params[i].dims[k]))
                return false;
        int wanted = support_info[params[i].support].n_dims;
        if (!wanted || wanted == dims->n) continue;
        FAIL(ck, DIAG_SUPPORT_DIMS, params[i].span, support_info[params[i].support].name, wanted,
             params[i].name, dims->n);
        return false;
    }
    return true;
}

/* ---- members ---- */

typedef struct MemberSlot {
    const char *name;
    int params;
    bool required;
    Expr **to;
    Type own, result; /* of its parameter, and of its value */
} MemberSlot;

/* A definition while its members are read. */
typedef struct Reading {
    Definition *d;
    const Sizes *sizes;
    const Param *params;
    int n_params;
    bool looking; /* nothing is typed */
    int size, depth;
} Reading;

static bool type_member(Checker *ck, Expr *e, const Body *body, const MemberSlot *slot) {
    if (!type_expr(ck, e, body->types)) return false;
    if (e->type.elem == ELEM_BOOL) {
        FAIL(ck, DIAG_NEEDS_NUMBER, e->span);
        return false;
    }
    if (e->type.n_dims && !same_shape(&e->type, &slot->result)) {
        FAIL(ck, DIAG_SHAPE_MISMATCH, e->span,
             shape_text(ck->arena, slot->result.n_dims, slot->result.dims),
             shape_text(ck->arena, e->type.n_dims, e->type.dims));
        return false;
    }
    return true;
}

/* The types of what a member's body sees. */
static const Type *member_types(Checker *ck, const Reading *r, const Ast *member,
                                const MemberSlot *slot) {
    Type *types = arena_array(ck->arena, Type, r->n_params + 2);
    int own = member->args.n, first = r->d->kind == DEFINES_LINK ? own : 0;
    for (int i = 0; i < r->n_params; i++) types[first + i] = shape_of(&r->params[i]);
    if (own) types[first ? 0 : r->n_params] = slot->own;
    return types;
}

/* Gives the base draws of a `sample` body their numbers. */
static void number_draws(Expr *e, int64_t *n) {
    for (int i = 0; i < e->n_args; i++) number_draws(e->args[i], n);
    if (e->kind == EXPR_CALL) number_draws(e->function->body, n);
    if (e->kind == EXPR_RANDOM && e->index < 0) e->index = (*n)++; /* seen before: the same draw */
}

static bool read_member(Checker *ck, Reading *r, const Ast *member, const MemberSlot *slot) {
    if (*slot->to) {
        FAIL(ck, DIAG_MEMBER_TWICE, member->name.span, slot->name);
        return false;
    }
    if (member->args.n != slot->params || member->word.text) {
        FAIL(ck, DIAG_MEMBER_PARAMETERS, member->name.span, slot->name,
             slot->params ? "1 parameter" : "no parameter", member->args.n);
        return false;
    }
    Body body = body_of(ck, r->d, member);
    bool meets_sized = false;
    body.meets_sized = &meets_sized;
    body.random = strncmp(slot->name, "sample", strlen("sample")) == 0;
    if (!r->looking) body.types = member_types(ck, r, member, slot);
    Outer outer = enter(ck, &body, r->sizes);
    Expr *e = resolve_expr(ck, member->value);
    if (ck->size > r->size) r->size = ck->size;
    if (ck->deepest - outer.depth > r->depth) r->depth = ck->deepest - outer.depth;
    if (e && !r->looking && !type_member(ck, e, &body, slot)) e = NULL;
    leave(ck, &outer);
    int64_t draws = 0;
    if (e && body.random) number_draws(e, &draws);
    *slot->to = e;
    return e != NULL;
}

static bool read_members(Checker *ck, Reading *r, MemberSlot *slots, int n) {
    static const char *const words[] = {"a fn", "a distribution", "a link"};
    const Definition *d = r->d;
    bool good = true;
    for (int i = 0; i < d->ast->items.n; i++) {
        const Ast *member = d->ast->items.data[i];
        int at = -1;
        for (int k = 0; k < n; k++)
            if (strcmp(slots[k].name, member->name.text) == 0) at = k;
        if (at >= 0) {
            good = read_member(ck, r, member, &slots[at]) && good;
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

/* ---- fn ---- */

/* `shapes`: of the arguments; NULL: only looked through. */
static Function *build_fn(Checker *ck, Definition *d, const Type *shapes, Instance *instance) {
    Function *f = arena_new_of(ck->arena, Function);
    f->name = d->name;
    f->span = d->ast->name.span;
    if (!read_params(ck, d, &f->params, &f->n_params)) return NULL;
    Sizes sizes = {.n = 0};
    for (int i = 0; i < f->n_params; i++) {
        const Ast *param = d->ast->args.data[i];
        if (!match_dims(ck, d, &param->dims, shapes ? shapes[i].dims : NULL, &sizes,
                        f->params[i].dims))
            return NULL;
        f->params[i].n_dims = param->dims.n;
        if (param->dims.n) d->sized = true;
    }
    Body body = body_of(ck, d, NULL);
    bool meets_sized = false;
    body.meets_sized = &meets_sized;
    body.types = shapes;
    Outer outer = enter(ck, &body, &sizes);
    f->body = resolve_expr(ck, d->ast->value);
    instance->size = ck->size;
    instance->depth = ck->deepest - outer.depth;
    if (f->body && shapes && !type_expr(ck, f->body, shapes)) f->body = NULL;
    leave(ck, &outer);
    d->sized |= meets_sized;
    return f->body ? f : NULL;
}

static bool define_fn(Checker *ck, Definition *d) {
    Instance instance = {0};
    d->function = build_fn(ck, d, NULL, &instance);
    d->size = instance.size;
    d->depth = instance.depth;
    return d->function != NULL;
}

/* ---- distribution ---- */

/* The support behind the colon, which sees the definition's parameters. */
static bool read_support(Checker *ck, const Reading *r, Support *support) {
    Body body = body_of(ck, r->d, NULL);
    Outer outer = enter(ck, &body, r->sizes);
    bool good = resolve_support(ck, r->d->ast->value, support);
    leave(ck, &outer);
    int wanted = good ? support_info[support->kind].n_dims : 0;
    if (!wanted || wanted == r->d->ast->dims.n) return good;
    FAIL(ck, DIAG_SUPPORT_DIMS, r->d->ast->value->span, support_info[support->kind].name, wanted,
         r->d->name, r->d->ast->dims.n);
    return false;
}

/* Does a parameter of a distribution of numbers name a size? */
static bool names_size(Checker *ck, const Definition *d) {
    bool named = false;
    for (int i = 0; i < d->ast->args.n && !d->ast->dims.n; i++) {
        const AstList *dims = &d->ast->args.data[i]->dims;
        for (int k = 0; k < dims->n; k++) named |= declares_size(ck, d, &(Sizes){0}, dims->data[k]);
    }
    return named && d->kind == DEFINES_DISTRIBUTION;
}

/* Sizes named by the parameters of a distribution of numbers, from those of its arguments. */
static bool match_params(Checker *ck, const Definition *d, const Type *shapes, Sizes *sizes) {
    for (int i = 0; i < d->ast->args.n && d->by_arguments; i++) {
        int64_t to[MAX_DIMS];
        if (!match_dims(ck, d, &d->ast->args.data[i]->dims, shapes ? shapes[i].dims : NULL, sizes,
                        to))
            return false;
    }
    return true;
}

/* `shapes`: of one value, or (by_arguments) of the arguments; NULL: only looked through,
 * unless nothing is sized. */
static Distribution *build_distribution(Checker *ck, Definition *d, const Type *shapes,
                                        Instance *instance) {
    Distribution *dist = arena_new_of(ck->arena, Distribution);
    dist->name = d->name;
    dist->doc = d->ast->doc;
    dist->span = d->ast->name.span;
    dist->n_dims = d->ast->dims.n;
    Sizes sizes = {.n = 0};
    bool by_value = dist->n_dims > 0, looking = d->sized && !shapes;
    const int64_t *event = by_value && shapes ? shapes[0].dims : NULL;
    if (!read_params(ck, d, &dist->params, &dist->n_params) ||
        !match_dims(ck, d, &d->ast->dims, event, &sizes, dist->dims) ||
        !match_params(ck, d, shapes, &sizes))
        return NULL;
    sizes.closed = true;
    if (!size_params(ck, d, dist->params, &sizes, looking)) return NULL;
    Reading r = {.d = d,
                 .sizes = &sizes,
                 .params = dist->params,
                 .n_params = dist->n_params,
                 .looking = looking};
    bool good = read_support(ck, &r, &dist->support);
    Type value = {.n_dims = dist->n_dims};
    if (dist->support.kind == SUPPORT_CATEGORY) value.elem = ELEM_INT;
    memcpy(value.dims, dist->dims, sizeof value.dims);
    MemberSlot slots[] = {{"sample", 0, true, &dist->sample, {0}, value},
                          {"log_prob", 1, false, &dist->log_prob, value, {0}},
                          {"log_cdf", 1, false, &dist->log_cdf, value, {0}},
                          {"log_ccdf", 1, false, &dist->log_ccdf, value, {0}},
                          {"quantile", 1, false, &dist->quantile, {0}, value},
                          {"upper_quantile", 1, false, &dist->upper_quantile, {0}, value},
                          {"sample_positive", 0, false, &dist->sample_positive, {0}, value}};
    good = read_members(ck, &r, slots, sizeof slots / sizeof *slots) && good;
    if (good && !dist->log_prob) {
        FAIL(ck, DIAG_NO_LOG_PROB, dist->span, d->name);
        good = false;
    }
    instance->size = r.size;
    instance->depth = r.depth;
    return good ? dist : NULL;
}

/* ---- link ---- */

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
 * unless to an interval or to events, perhaps the scale c. */
static bool check_link_support(Checker *ck, const Definition *d, Link *link,
                               const Support *support) {
    int n = link->n_params, ends = !!support->lo + !!support->hi;
    int more = ends < 2 && !link->n_dims;
    bool own = ends && n >= ends && n <= ends + more, constant = n <= more;
    if (!own && !constant) {
        static const char *const takes[] = {"at most 1 parameter", "at most 2 parameters",
                                            "2 parameters, or none,"};
        FAIL(ck, DIAG_LINK_PARAMETERS, link->span, support_info[support->kind].name,
             link->n_dims ? "no parameter" : takes[ends], n);
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

/* The vector that `forward` takes: its declared length is the number of unconstrained numbers. */
static bool read_free(Checker *ck, const Definition *d, Sizes *sizes, const Ast **dim,
                      int64_t *n_free) {
    for (int i = 0; i < d->ast->items.n; i++) {
        const Ast *member = d->ast->items.data[i];
        if (strcmp(member->name.text, "forward") != 0 || member->args.n != 1) continue;
        const AstList *dims = &member->args.data[0]->dims;
        *dim = dims->n ? dims->data[0] : NULL;
        if (dims->n == 1) return match_dims(ck, d, dims, NULL, sizes, n_free);
        FAIL(ck, DIAG_LINK_FREE, member->args.data[0]->span, d->name);
        return false;
    }
    *n_free = 1;
    return true; /* its absence is reported with the other members' */
}

/* `event`: dimensions of one value; NULL: only looked through, unless there are none. */
static Link *build_link(Checker *ck, Definition *d, const int64_t *event, Instance *instance) {
    Link *link = arena_new_of(ck->arena, Link);
    link->name = d->name;
    link->doc = d->ast->doc;
    link->span = d->ast->name.span;
    link->n_dims = d->ast->dims.n;
    Sizes sizes = {.n = 0};
    bool looking = link->n_dims && !event;
    const Ast *dim = NULL;
    if (!read_params(ck, d, &link->params, &link->n_params) ||
        !match_dims(ck, d, &d->ast->dims, event, &sizes, link->dims))
        return NULL;
    sizes.closed = true;
    if (link->n_dims && (!read_free(ck, d, &sizes, &dim, &link->n_free) ||
                         !check_size(ck, d->name, dim, looking, &link->n_free)))
        return NULL;
    if (!size_params(ck, d, link->params, &sizes, looking)) return NULL;
    Reading r = {.d = d,
                 .sizes = &sizes,
                 .params = link->params,
                 .n_params = link->n_params,
                 .looking = looking};
    Support support = {0};
    if (!read_support(ck, &r, &support)) return NULL;
    link->support = support.kind;
    if (!check_link_support(ck, d, link, &support)) return NULL;
    Type value = {.n_dims = link->n_dims}, free = {.n_dims = link->n_dims ? 1 : 0};
    memcpy(value.dims, link->dims, sizeof value.dims);
    free.dims[0] = link->n_free;
    MemberSlot slots[] = {{"forward", 1, true, &link->forward, free, value},
                          {"inverse", 1, true, &link->inverse, value, free},
                          {"log_jacobian", 1, true, &link->log_jacobian, free, {0}}};
    bool good = read_members(ck, &r, slots, 3);
    instance->size = r.size;
    instance->depth = r.depth;
    return good ? link : NULL;
}

/* ---- definitions and their instances ---- */

static bool define_event(Checker *ck, Definition *d) {
    Instance instance = {0};
    d->by_arguments = names_size(ck, d);
    d->sized = d->ast->dims.n > 0 || d->by_arguments;
    if (d->kind == DEFINES_DISTRIBUTION)
        d->distribution = build_distribution(ck, d, NULL, &instance);
    else
        d->link = build_link(ck, d, NULL, &instance);
    d->size = instance.size;
    d->depth = instance.depth;
    return d->kind == DEFINES_DISTRIBUTION ? d->distribution != NULL : d->link != NULL;
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
    bool good = d->kind == DEFINES_FN ? define_fn(ck, d) : define_event(ck, d);
    d->state = STATE_DONE;
    if (!good) d->broken = true;
    return !d->broken;
}

/* Whole numbers may name positions in a body; all else is alike there. */
static Elem whole_or_real(const Type *type) {
    return type->elem == ELEM_INT ? ELEM_INT : ELEM_REAL;
}

static const Instance *find_instance(const Definition *d, const Type *shapes, int n) {
    for (int i = 0; i < d->instances.n; i++) {
        const Instance *instance = d->instances.data[i];
        bool same = instance->n == n;
        for (int k = 0; k < n && same; k++)
            same = same_shape(&instance->shapes[k], &shapes[k]) &&
                   instance->shapes[k].elem == whole_or_real(&shapes[k]);
        if (same) return instance;
    }
    return NULL;
}

static const Instance *build_instance(Checker *ck, Definition *d, const Type *shapes, int n) {
    Instance *instance = arena_new_of(ck->arena, Instance);
    instance->n = n;
    instance->shapes = arena_array(ck->arena, Type, n + 1);
    for (int i = 0; i < n; i++) {
        instance->shapes[i].elem = whole_or_real(&shapes[i]);
        instance->shapes[i].n_dims = shapes[i].n_dims;
        memcpy(instance->shapes[i].dims, shapes[i].dims, sizeof shapes[i].dims);
    }
    vec_push(ck->arena, &d->instances, instance);
    /* Calls of itself may stand where only some sizes lead. */
    d->state = STATE_ACTIVE;
    if (d->kind == DEFINES_FN)
        instance->function = build_fn(ck, d, instance->shapes, instance);
    else if (d->kind == DEFINES_DISTRIBUTION)
        instance->distribution = build_distribution(ck, d, instance->shapes, instance);
    else
        instance->link = build_link(ck, d, instance->shapes[0].dims, instance);
    d->state = STATE_DONE;
    return instance;
}

/* "[K, K - 1]", as declared. */
static const char *dims_text(Checker *ck, const AstList *dims) {
    Text text;
    text_init(&text, ck->arena);
    for (int i = 0; i < dims->n; i++) {
        const Ast *dim = dims->data[i];
        text_add(&text, i ? ", " : "[");
        if (dim->kind == AST_NUMBER)
            text_printf(&text, "%g", dim->number);
        else
            text_add(&text, dim->kind == AST_NAME ? dim->name.text : "..");
    }
    text_add(&text, "]");
    return text.data;
}

/* Does every argument have the dimensions that its parameter declares? */
static bool check_shapes(Checker *ck, const Definition *d, const Type *shapes, int n, Span use) {
    Sizes sizes = {.n = 0};
    bool of_params = d->kind == DEFINES_FN || d->by_arguments;
    for (int i = 0; i < n; i++) {
        const Ast *param = of_params ? d->ast->args.data[i] : d->ast;
        const AstList *dims = &param->dims;
        int64_t wanted[MAX_DIMS];
        if (d->kind == DEFINES_FN && !dims->n) continue; /* any shape */
        if (dims->n == shapes[i].n_dims && match_dims(ck, d, dims, shapes[i].dims, &sizes, wanted))
            continue;
        const char *found = shape_text(ck->arena, shapes[i].n_dims, shapes[i].dims);
        if (of_params)
            FAIL(ck, DIAG_PARAMETER_SHAPE, use, param->name.text, d->name, found,
                 dims_text(ck, dims));
        else
            FAIL(ck, DIAG_EVENT_SHAPE, use, "the value", found, d->name, dims_text(ck, dims));
        diag_note(ck->diags, param->name.span, "declared here");
        return false;
    }
    return true;
}

const Instance *instance_of(Checker *ck, Definition *d, const Type *shapes, int n, Span use) {
    const Instance *found = find_instance(d, shapes, n);
    if (!found) {
        if (!check_shapes(ck, d, shapes, n, use)) return NULL;
        found = build_instance(ck, d, shapes, n);
    }
    if (found->function || found->distribution || found->link) return found;
    diag_note(ck->diags, use, "in this use of `%s`", d->name);
    return NULL;
}

const Instance *instance_of_event(Checker *ck, Definition *d, const Type *type, Span use) {
    int n = d->ast->dims.n, copies = type->n_dims - n;
    Type event = *type;
    if (copies >= 0) { /* else it does not fit, which instance_of says */
        event.n_dims = n;
        memmove(event.dims, event.dims + copies, sizeof *event.dims * (size_t)n);
    }
    return instance_of(ck, d, &event, 1, use);
}

/* How many unconstrained numbers a link takes whose sizes are all `size`; 0: none. */
static int64_t free_numbers(Checker *ck, Definition *d, int64_t size) {
    Sizes sizes = {.n = 0};
    const Ast *dim;
    int64_t event[MAX_DIMS] = {size, size, size}, to[MAX_DIMS], n_free = 0;
    bool good = match_dims(ck, d, &d->ast->dims, event, &sizes, to);
    sizes.closed = true;
    good = good && read_free(ck, d, &sizes, &dim, &n_free);
    return good ? n_free : 0;
}

const Instance *instance_of_free(Checker *ck, Definition *d, int64_t n_free, Span use) {
    for (int64_t size = 1; size <= n_free + 1; size++) {
        if (free_numbers(ck, d, size) != n_free) continue;
        Type shape = {.n_dims = d->ast->dims.n, .dims = {size, size, size}};
        return instance_of(ck, d, &shape, 1, use);
    }
    FAIL(ck, DIAG_LINK_NUMBERS, use, d->name, (long long)n_free);
    return NULL;
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
        if (strcmp(support_info[kind].name, name) != 0) continue;
        static const char *const takes[] = {"no arguments", "1 argument", "2 arguments"};
        SupportEnds ends = support_info[kind].ends;
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
    if (is_refused(REFUSED_SUPPORT, name)) {
        FAIL(ck, DIAG_UNSUPPORTED_FORM, ast->name.span,
             arena_printf(ck->arena, "support `%s` is", name));
        return false;
    }
    FAIL(ck, DIAG_UNKNOWN_SUPPORT, ast->name.span, name);
    const char *names[N_SUPPORTS];
    for (int kind = 0; kind < N_SUPPORTS; kind++) names[kind] = support_info[kind].name;
    const char *nearest = nearest_name(name, names, N_SUPPORTS);
    if (nearest) diag_help(ck->diags, "did you mean `%s`?", nearest);
    return false;
}
