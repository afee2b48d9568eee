/* type.c -- element types, event shapes and plates, bottom-up.
 *
 * A scalar goes with any event; two events meet only with equal dimensions. A fn's body is typed
 * anew at each call with the types of its arguments, so that the types left in a body are those of
 * the last call. */
#include "front/check.h"

#include <math.h>

int64_t shape_size(int n_dims, const int64_t *dims) {
    int64_t size = 1;
    for (int i = 0; i < n_dims; i++) size *= dims[i];
    return size;
}

bool same_shape(const Type *a, const Type *b) {
    if (a->n_dims != b->n_dims) return false;
    for (int i = 0; i < a->n_dims; i++)
        if (a->dims[i] != b->dims[i]) return false;
    return true;
}

const char *shape_text(Arena *arena, int n_dims, const int64_t *dims) {
    if (n_dims == 0) return "scalar";
    Text text;
    text_init(&text, arena);
    for (int i = 0; i < n_dims; i++)
        text_printf(&text, "%s%lld", i ? ", " : "[", (long long)dims[i]);
    text_add(&text, "]");
    return text.data;
}

Plate *deeper_plate(Checker *ck, Plate *a, Plate *b) {
    if (plate_within(a, b)) return a;
    if (plate_within(b, a)) return b;
    return cross_of(ck, a, b);
}

static const char *type_shape(Checker *ck, const Type *type) {
    return shape_text(ck->arena, type->n_dims, type->dims);
}

static bool mismatch(Checker *ck, Span span, const Expr *a, const Expr *b) {
    FAIL(ck, DIAG_SHAPE_MISMATCH, span, type_shape(ck, &a->type), type_shape(ck, &b->type));
    diag_note(ck->diags, a->span, "shape %s", type_shape(ck, &a->type));
    diag_note(ck->diags, b->span, "shape %s", type_shape(ck, &b->type));
    return false;
}

static bool need(Checker *ck, const Expr *e, bool condition) {
    if ((e->type.elem == ELEM_BOOL) == condition) return true;
    FAIL(ck, condition ? DIAG_NEEDS_BOOL : DIAG_NEEDS_NUMBER, e->span);
    return false;
}

/* The common shape and plate of all operands. */
static bool join(Checker *ck, Expr *e) {
    const Expr *shaped = NULL;
    e->type = (Type){0};
    for (int i = 0; i < e->n_args; i++) {
        const Expr *arg = e->args[i];
        e->type.plate = deeper_plate(ck, e->type.plate, arg->type.plate);
        if (arg->type.n_dims == 0) continue;
        if (shaped && !same_shape(&shaped->type, &arg->type))
            return mismatch(ck, e->span, shaped, arg);
        shaped = arg;
    }
    if (shaped) {
        e->type.n_dims = shaped->type.n_dims;
        memcpy(e->type.dims, shaped->type.dims, sizeof e->type.dims);
    }
    return true;
}

/* A divisor that is zero whatever the variables are. */
static bool check_divisor(Checker *ck, const Expr *divisor) {
    Value value;
    if (!evaluate(ck, divisor, true, &value)) return true;
    for (int64_t i = 0; i < shape_size(value.n_dims, value.dims); i++) {
        if (value.data[i] != 0) continue;
        FAIL(ck, DIAG_DIVISION_BY_ZERO, divisor->span);
        return false;
    }
    return true;
}

/* Whole numbers with whole numbers yield whole numbers. */
static bool is_whole(const Expr *e) {
    static const IrOpcode closed[] = {OP_ADD, OP_SUB, OP_MUL, OP_NEG,
                                      OP_ABS, OP_MIN, OP_MAX, OP_SQUARE};
    bool any = false, found = e->opcode == OP_SELECT;
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) found |= e->opcode == closed[i];
    for (int i = e->opcode == OP_SELECT; i < e->n_args && found; i++) {
        const Expr *arg = e->args[i];
        bool number = arg->kind == EXPR_NUMBER && arg->number == (double)(int64_t)arg->number;
        any |= arg->type.elem == ELEM_INT;
        found = number || arg->type.elem == ELEM_INT;
    }
    return found && any;
}

static bool type_op(Checker *ck, Expr *e, bool in_body) {
    if (!join(ck, e)) return false;
    if (is_whole(e)) e->type.elem = ELEM_INT;
    switch (e->opcode) {
    case OP_AND:
    case OP_OR:
    case OP_NOT:
        for (int i = 0; i < e->n_args; i++)
            if (!need(ck, e->args[i], true)) return false;
        e->type.elem = ELEM_BOOL;
        return true;
    case OP_SELECT:
        return need(ck, e->args[0], true) && need(ck, e->args[1], false) &&
               need(ck, e->args[2], false);
    default:
        break;
    }
    for (int i = 0; i < e->n_args; i++)
        if (!need(ck, e->args[i], false)) return false;
    if (e->opcode == OP_LT || e->opcode == OP_LE || e->opcode == OP_EQ) e->type.elem = ELEM_BOOL;
    if (e->opcode == OP_POW && !in_body && range_of(ck, e->args[0], NULL).lo < 0)
        diag_report(ck->diags, DIAG_NEGATIVE_BASE, e->args[0]->span);
    return e->opcode != OP_DIV || check_divisor(ck, e->args[1]);
}

/* A position or a stretch along one dimension. */
static bool type_index(Checker *ck, Expr *e, bool in_body) {
    const Type *whole = &e->args[0]->type;
    if (e->dim >= whole->n_dims) {
        FAIL(ck, DIAG_NOT_AN_EVENT, e->span,
             e->args[0]->kind == EXPR_VAR ? arena_printf(ck->arena, "`%s`", e->args[0]->var->name)
                                          : "this value");
        if (e->args[0]->kind == EXPR_VAR)
            diag_note(ck->diags, e->args[0]->var->span, "`%s` is declared here",
                      e->args[0]->var->name);
        return false;
    }
    int64_t extent = whole->dims[e->dim], last = e->index;
    if (e->kind == EXPR_AT && !type_position(ck, e, extent, in_body)) return false;
    bool slice = e->kind == EXPR_SLICE;
    if (slice && e->count != SLICE_REST) last = e->index + e->count - 1;
    if (e->index < 0 || last >= extent) {
        FAIL(ck, DIAG_INDEX_RANGE, e->span, (long long)(e->index < 0 ? e->index : last),
             (long long)extent);
        return false;
    }
    e->type = *whole;
    if (slice) {
        e->type.dims[e->dim] = e->count == SLICE_REST ? extent - e->index : e->count;
        return true;
    }
    if (e->kind == EXPR_AT) e->type.plate = deeper_plate(ck, whole->plate, e->args[1]->type.plate);
    e->type.n_dims--;
    for (int i = e->dim; i < e->type.n_dims; i++) e->type.dims[i] = whole->dims[i + 1];
    e->type.dims[e->type.n_dims] = 0;
    return true;
}

static bool type_array(Checker *ck, Expr *e) {
    const Expr *first = e->args[0];
    e->type = (Type){.n_dims = first->type.n_dims + 1, .dims = {e->n_args}};
    for (int i = 0; i < e->n_args; i++) {
        if (!need(ck, e->args[i], false)) return false;
        if (!same_shape(&first->type, &e->args[i]->type))
            return mismatch(ck, e->span, first, e->args[i]);
        e->type.plate = deeper_plate(ck, e->type.plate, e->args[i]->type.plate);
    }
    if (e->type.n_dims > MAX_EVENT_DIMS) {
        FAIL(ck, DIAG_TOO_MANY_DIMS, e->span, MAX_EVENT_DIMS);
        return false;
    }
    for (int i = 1; i < e->type.n_dims; i++) e->type.dims[i] = first->type.dims[i - 1];
    int64_t size = shape_size(e->type.n_dims, e->type.dims);
    if (size <= MAX_EVENT) return true;
    FAIL(ck, DIAG_EVENT_TOO_LARGE, e->span, (long long)size, MAX_EVENT);
    return false;
}

/* What positions named by parameters are held against: ranges of the arguments, as far as they are
 * known at the call. */
static bool ranges_of(Checker *ck, const Expr *call, bool in_body, Range *ranges) {
    if (in_body && !ck->ranges) return false;
    for (int i = 0; i < call->n_args; i++) {
        bool whole = call->args[i]->type.elem == ELEM_INT;
        ranges[i] = whole ? range_of(ck, call->args[i], ck->ranges) : (Range){-INFINITY, INFINITY};
    }
    return true;
}

static bool type_call(Checker *ck, Expr *e, bool in_body) {
    Type params[MAX_MADE_PARAMS];
    Range ranges[MAX_MADE_PARAMS];
    for (int i = 0; i < e->n_args; i++) params[i] = e->args[i]->type;
    Expr *body = e->function->body;
    const Range *outer = ck->ranges;
    ck->ranges = ranges_of(ck, e, in_body, ranges) ? ranges : NULL;
    bool good = type_expr(ck, body, params);
    ck->ranges = outer;
    if (!good) {
        diag_note(ck->diags, e->span, "in this call of `%s`", e->function->name);
        return false;
    }
    e->type = body->type;
    return true;
}

static bool type_reduce(Checker *ck, Expr *e) {
    const Expr *arg = e->args[0];
    if (!need(ck, arg, false)) return false;
    e->type = (Type){.plate = arg->type.plate};
    return true;
}

/* A link's part: entry by entry, or from a vector to an event and back. */
static bool type_link(Checker *ck, Expr *e) {
    for (int i = 0; i < e->n_args; i++)
        if (!need(ck, e->args[i], false)) return false;
    const Link *link = e->link;
    if (!link->n_dims) return join(ck, e);
    e->type = (Type){.plate = e->args[0]->type.plate};
    if (e->link_part == LINK_FORWARD) {
        e->type.n_dims = link->n_dims;
        memcpy(e->type.dims, link->dims, sizeof e->type.dims);
    } else if (e->link_part == LINK_INVERSE) {
        e->type.n_dims = 1;
        e->type.dims[0] = link->n_free;
    }
    return true;
}

static bool type_kind(Checker *ck, Expr *e, const Type *params);

bool type_expr(Checker *ck, Expr *e, const Type *params) {
    if (e->typed && !params) return true;
    bool good = true;
    for (int i = 0; i < e->n_args; i++) {
        /* copies of one element (rep) are one node */
        if (i > 0 && e->args[i] == e->args[i - 1]) continue;
        good = type_expr(ck, e->args[i], params) && good;
    }
    if (!good || !type_kind(ck, e, params)) return false;
    e->typed = !params;
    return true;
}

bool type_bodies(Checker *ck, Distribution *dist) {
    Type types[MAX_ARGS + 1] = {0};
    for (int i = 0; i < dist->n_params; i++) {
        types[i].n_dims = dist->params[i].n_dims;
        memcpy(types[i].dims, dist->params[i].dims, sizeof types[i].dims);
    }
    types[dist->n_params].n_dims = dist->n_dims;
    memcpy(types[dist->n_params].dims, dist->dims, sizeof dist->dims);
    return type_expr(ck, dist->sample, types) && type_expr(ck, dist->log_prob, types);
}

static bool type_kind(Checker *ck, Expr *e, const Type *params) {
    switch (e->kind) {
    case EXPR_NUMBER:
        e->type = (Type){.elem = ELEM_REAL};
        return true;
    case EXPR_VAR:
        e->type = e->var->type;
        return true;
    case EXPR_PARAM:
        e->type = params ? params[e->param] : (Type){.elem = ELEM_REAL};
        return true;
    case EXPR_OP:
        return type_op(ck, e, params != NULL);
    case EXPR_REDUCE:
        return type_reduce(ck, e);
    case EXPR_CALL:
        return type_call(ck, e, params != NULL);
    case EXPR_INDEX:
    case EXPR_AT:
    case EXPR_SLICE:
        return type_index(ck, e, params != NULL);
    case EXPR_ARRAY:
        return type_array(ck, e);
    case EXPR_LINK:
        return type_link(ck, e);
    case EXPR_SHAPED:
        for (int i = 0; i < e->n_args; i++)
            if (!need(ck, e->args[i], false)) return false;
        return type_shaped(ck, e);
    case EXPR_RANDOM:
        e->type = (Type){.elem = ELEM_REAL};
        for (int i = 0; i < e->n_args; i++)
            if (!need(ck, e->args[i], false)) return false;
        return true;
    case EXPR_OVER:
        return need(ck, e->args[0], false) && type_over(ck, e);
    case EXPR_SIZE:
        e->type = (Type){.elem = ELEM_REAL, .plate = e->plate->parent};
        return true;
    case EXPR_POSITION:
        e->type = (Type){.elem = ELEM_REAL, .plate = e->plate};
        return true;
    }
    return false;
}
