/* constant.c -- what can be said of values at compile time: the value itself, or a range that holds
 * it.
 *
 * evaluate() computes what rests on numbers and hypers alone, with the operations of ops.def.
 * range_of() is interval arithmetic over closed intervals: every value lies in its range, but a
 * range may be wider than need be. Both know variables by their Facts, so that chains of lets cost
 * nothing. */
#include "front/check.h"
#include "ir/special.h"

#include <math.h>

/* ---- values ---- */

/* A point-wise operation, by the value column of ops.def. */
static double point(IrOpcode opcode, double a, double b, double c) {
    (void)b;
    (void)c;
    switch (opcode) {
#define CASE_POINT(ENUM, value) \
    case OP_##ENUM:             \
        return (value);
#define CASE_LEAF(ENUM, value)
#define CASE_RANDOM(ENUM, value)
#define CASE_REDUCE(ENUM, value)
#define CASE_CONTRACT(ENUM, value)
#define CASE_RENAME(ENUM, value)
#define CASE_PICK(ENUM, value)
#define CASE_PLACE(ENUM, value)
#define CASE_SLICE(ENUM, value)
#define CASE_PAD(ENUM, value)
#define CASE_SPREAD(ENUM, value)
#define OP(ENUM, text, arity, RULE, value, ...) CASE_##RULE(ENUM, value)
#include "ir/ops.def"
#undef OP
    default:
        return NAN;
    }
}

bool take_work(Checker *ck, int64_t n) {
    if (n > MAX_EVALUATED - ck->evaluated) return false; /* what costs less may still be done */
    ck->evaluated += n;
    return true;
}

bool take_room(Checker *ck, Value *value) {
    int64_t n = shape_size(value->n_dims, value->dims);
    if (n > MAX_EVENT || !take_work(ck, n)) return false;
    value->data = arena_array(ck->arena, double, n);
    return true;
}

static bool value_of(Checker *ck, const Expr *e, const Value *params, bool hypers, Value *out);

static bool value_of_op(Checker *ck, const Expr *e, const Value *args, Value *out) {
    for (int i = 0; i < e->n_args; i++) {
        if (args[i].n_dims == 0) continue;
        Type have = {.n_dims = out->n_dims}, next = {.n_dims = args[i].n_dims};
        memcpy(have.dims, out->dims, sizeof have.dims);
        memcpy(next.dims, args[i].dims, sizeof next.dims);
        if (out->n_dims && !same_shape(&have, &next)) return false;
        out->n_dims = args[i].n_dims;
        memcpy(out->dims, args[i].dims, sizeof out->dims);
    }
    if (!take_room(ck, out)) return false;
    for (int64_t k = 0; k < shape_size(out->n_dims, out->dims); k++) {
        double x[3] = {0};
        for (int i = 0; i < e->n_args; i++) x[i] = args[i].data[args[i].n_dims ? k : 0];
        out->data[k] = point(e->opcode, x[0], x[1], x[2]);
    }
    return true;
}

static bool value_of_reduce(Checker *ck, const Expr *e, const Value *arg, Value *out) {
    int64_t n = shape_size(arg->n_dims, arg->dims);
    if (!take_room(ck, out)) return false;
    double result = arg->data[0];
    for (int64_t i = 1; i < n; i++) {
        double x = arg->data[i];
        switch (e->reduce) {
        case REDUCE_SUM:
        case REDUCE_MEAN:
            result += x;
            break;
        case REDUCE_PROD:
            result *= x;
            break;
        case REDUCE_MIN:
            result = x < result ? x : result;
            break;
        case REDUCE_MAX:
            result = x > result ? x : result;
            break;
        }
    }
    out->data[0] = e->reduce == REDUCE_MEAN ? result / (double)n : result;
    return true;
}

/* Entries e->index and on (one, or e->count) along dimension e->dim. */
static bool value_of_index(Checker *ck, const Expr *e, const Value *arg, Value *out) {
    if (e->dim >= arg->n_dims || e->index < 0) return false;
    int64_t extent = arg->dims[e->dim], count = 1;
    if (e->kind == EXPR_SLICE) count = e->count == SLICE_REST ? extent - e->index : e->count;
    if (count < 1 || e->index + count > extent) return false;
    for (int i = 0; i < arg->n_dims; i++)
        if (i != e->dim || e->kind == EXPR_SLICE)
            out->dims[out->n_dims++] = i == e->dim ? count : arg->dims[i];
    if (!take_room(ck, out)) return false;
    int64_t outer = shape_size(e->dim, arg->dims), inner = 1;
    for (int i = e->dim + 1; i < arg->n_dims; i++) inner *= arg->dims[i];
    for (int64_t i = 0; i < outer; i++)
        memcpy(out->data + i * count * inner, arg->data + (i * extent + e->index) * inner,
               sizeof *out->data * (size_t)(count * inner));
    return true;
}

static bool value_of_array(Checker *ck, const Expr *e, const Value *args, Value *out) {
    if (args[0].n_dims + 1 > MAX_EVENT_DIMS) return false;
    int64_t n = shape_size(args[0].n_dims, args[0].dims);
    out->n_dims = args[0].n_dims + 1;
    out->dims[0] = e->n_args;
    for (int i = 1; i < out->n_dims; i++) out->dims[i] = args[0].dims[i - 1];
    if (!take_room(ck, out)) return false;
    for (int i = 0; i < e->n_args; i++) {
        if (args[i].n_dims != args[0].n_dims || shape_size(args[i].n_dims, args[i].dims) != n)
            return false;
        memcpy(out->data + i * n, args[i].data, sizeof(double) * (size_t)n);
    }
    return true;
}

/* A link's part for numbers is written for one, but every operation in it is point-wise. */
static const Expr *link_body(const Expr *e) {
    const Expr *const parts[] = {e->link->forward, e->link->inverse, e->link->log_jacobian};
    return parts[e->link_part];
}

static bool value_of(Checker *ck, const Expr *e, const Value *params, bool hypers, Value *out) {
    *out = (Value){0};
    if (e->kind == EXPR_RANDOM || (e->kind == EXPR_PARAM && !params)) return false;
    if (e->kind == EXPR_PARAM) {
        *out = params[e->param];
        return true;
    }
    if (e->kind == EXPR_VAR) {
        const Value *known = ck->facts.data[e->var->index].constant;
        if (!known || !hypers) return false;
        *out = *known;
        return true;
    }
    if (e->kind == EXPR_NUMBER) {
        if (!take_room(ck, out)) return false;
        out->data[0] = e->number;
        return true;
    }
    Value small[8], *args = e->n_args > 8 ? arena_array(ck->arena, Value, e->n_args) : small;
    for (int i = 0; i < e->n_args; i++)
        if (!value_of(ck, e->args[i], params, hypers, &args[i])) return false;
    switch (e->kind) {
    case EXPR_OP:
        return value_of_op(ck, e, args, out);
    case EXPR_REDUCE:
        return value_of_reduce(ck, e, &args[0], out);
    case EXPR_CALL:
        return value_of(ck, e->function->body, args, hypers, out);
    case EXPR_LINK:
        return value_of(ck, link_body(e), args, hypers, out);
    case EXPR_INDEX:
    case EXPR_SLICE:
        return value_of_index(ck, e, &args[0], out);
    case EXPR_ARRAY:
        return value_of_array(ck, e, args, out);
    case EXPR_SHAPED:
        return e->typed && value_of_shaped(ck, e, args, out);
    default:
        return false;
    }
}

bool evaluate(Checker *ck, const Expr *e, bool hypers, Value *out) {
    return value_of(ck, e, NULL, hypers, out);
}

bool same_number(Checker *ck, const Expr *e, bool hypers, double *x) {
    Value value;
    if (!evaluate(ck, e, hypers, &value)) return false;
    *x = value.data[0];
    for (int64_t i = 1; i < shape_size(value.n_dims, value.dims); i++)
        if (value.data[i] != *x) return false;
    return true;
}

bool one_number(Checker *ck, const Expr *e, bool hypers, double *x) {
    Value value;
    if (!evaluate(ck, e, hypers, &value) || value.n_dims) return false;
    *x = value.data[0];
    return true;
}

/* ---- ranges ---- */

static Range all(void) {
    return (Range){-INFINITY, INFINITY};
}

static Range ordered(double a, double b) {
    if (isnan(a) || isnan(b)) return all();
    return a <= b ? (Range){a, b} : (Range){b, a};
}

static double times(double a, double b) {
    return a == 0 || b == 0 ? 0 : a * b; /* 0 times infinity: the bound is attained nowhere */
}

static Range product(Range a, Range b) {
    double p[] = {times(a.lo, b.lo), times(a.lo, b.hi), times(a.hi, b.lo), times(a.hi, b.hi)};
    Range r = {p[0], p[0]};
    for (int i = 1; i < 4; i++) {
        r.lo = fmin(r.lo, p[i]);
        r.hi = fmax(r.hi, p[i]);
    }
    return r;
}

static Range sum(Range a, Range b) {
    Range r = {a.lo + b.lo, a.hi + b.hi};
    if (isnan(r.lo)) r.lo = -INFINITY;
    if (isnan(r.hi)) r.hi = INFINITY;
    return r;
}

static Range reciprocal(Range a) {
    if (a.lo >= 0) return ordered(a.hi == 0 ? INFINITY : 1 / a.hi, a.lo == 0 ? INFINITY : 1 / a.lo);
    if (a.hi <= 0) return ordered(a.hi == 0 ? -INFINITY : 1 / a.hi, 1 / a.lo);
    return all();
}

static Range unite(Range a, Range b) {
    return (Range){fmin(a.lo, b.lo), fmax(a.hi, b.hi)};
}

static Range absolute(Range a) {
    if (a.lo >= 0) return a;
    if (a.hi <= 0) return (Range){-a.hi, -a.lo};
    return (Range){0, fmax(-a.lo, a.hi)};
}

static Range range_of_op(IrOpcode opcode, const Range *r) {
    Range a = r[0];
    switch (opcode) {
    case OP_NEG:
        return (Range){-a.hi, -a.lo};
    case OP_ABS:
        return absolute(a);
    case OP_SQUARE:
        a = absolute(a);
        return product(a, a);
    case OP_EXP:
    case OP_EXPM1:
    case OP_SQRT:
    case OP_TANH:
    case OP_LOGISTIC:
    case OP_SOFTPLUS:
    case OP_RELU:
    case OP_ERF:
    case OP_PHI:
    case OP_LOG_PHI:
    case OP_INV_PHI: /* increasing; sqrt and inv_Phi are no numbers outside, which says nothing here
                      */
        if ((opcode == OP_SQRT || opcode == OP_INV_PHI) && a.lo < 0) a.lo = 0;
        if (opcode == OP_INV_PHI && a.hi > 1) a.hi = 1;
        if (a.hi < a.lo) return all();
        return ordered(point(opcode, a.lo, 0, 0), point(opcode, a.hi, 0, 0));
    case OP_LOG:
        return a.hi <= 0 ? all() : (Range){a.lo > 0 ? log(a.lo) : -INFINITY, log(a.hi)};
    case OP_LOG1P:
        return a.hi <= -1 ? all() : (Range){a.lo > -1 ? log1p(a.lo) : -INFINITY, log1p(a.hi)};
    case OP_LOG1M_EXP:
        return a.lo > 0 ? all()
                        : (Range){a.hi < 0 ? ev_log1m_exp(a.hi) : -INFINITY, ev_log1m_exp(a.lo)};
    case OP_LOG_BESSEL_I: /* increasing in its argument; the order is a constant */
        return r[1].hi < 0 ? all()
                           : ordered(ev_log_bessel_i(a.lo, fmax(r[1].lo, 0)),
                                     ev_log_bessel_i(a.lo, r[1].hi));
    case OP_ATAN2:
        return (Range){-M_PI, M_PI};
    case OP_SIGN:
    case OP_SIN:
    case OP_COS:
        return (Range){-1, 1};
    case OP_RECIP:
        return reciprocal(a);
    case OP_ADD:
        return sum(a, r[1]);
    case OP_SUB:
        return sum(a, (Range){-r[1].hi, -r[1].lo});
    case OP_MUL:
        return product(a, r[1]);
    case OP_DIV:
        return product(a, reciprocal(r[1]));
    case OP_POW:
        return a.lo >= 0 ? (Range){0, INFINITY} : all();
    case OP_MIN:
        return (Range){fmin(a.lo, r[1].lo), fmin(a.hi, r[1].hi)};
    case OP_MAX:
        return (Range){fmax(a.lo, r[1].lo), fmax(a.hi, r[1].hi)};
    case OP_SELECT:
        return unite(r[1], r[2]);
    default:
        return all();
    }
}

static Range range_of_reduce(Reduce reduce, Range a) {
    if (reduce == REDUCE_SUM)
        return (Range){a.lo >= 0 ? a.lo : -INFINITY, a.hi <= 0 ? a.hi : INFINITY};
    if (reduce == REDUCE_PROD) return a.lo >= 0 ? (Range){0, INFINITY} : all();
    return a; /* mean, min, max */
}

static Range range_of_shaped(Shaped shaped, const Range *args) {
    switch (shaped) {
    case SHAPED_TRANSPOSE:
    case SHAPED_SORT:
        return args[0];
    case SHAPED_DIAG: /* of a vector: zeros beside it */
        return unite(args[0], (Range){0, 0});
    case SHAPED_OUTER:
        return product(args[0], args[1]);
    case SHAPED_MATMUL: {
        Range one = product(args[0], args[1]);
        return (Range){one.lo >= 0 ? 0 : -INFINITY, one.hi <= 0 ? 0 : INFINITY};
    }
    default:
        return all();
    }
}

Range range_of(Checker *ck, const Expr *e, const Range *params) {
    Range small[8], *args = e->n_args > 8 ? arena_array(ck->arena, Range, e->n_args) : small;
    for (int i = 0; i < e->n_args; i++)
        args[i] =
            i > 0 && e->args[i] == e->args[i - 1] ? args[i - 1] : range_of(ck, e->args[i], params);
    switch (e->kind) {
    case EXPR_NUMBER:
        return (Range){e->number, e->number};
    case EXPR_VAR:
        return ck->facts.data[e->var->index].range;
    case EXPR_PARAM:
        return params ? params[e->param] : all();
    case EXPR_OP:
        return range_of_op(e->opcode, args);
    case EXPR_REDUCE:
        return range_of_reduce(e->reduce, args[0]);
    case EXPR_CALL:
        return range_of(ck, e->function->body, args);
    case EXPR_LINK: {
        Range r = range_of(ck, link_body(e), args);
        bool positive = e->link_part == LINK_FORWARD && e->link->support == SUPPORT_POSITIVE;
        return positive && r.lo < 0 ? (Range){0, fmax(r.hi, 0)} : r;
    }
    case EXPR_INDEX:
    case EXPR_AT:
    case EXPR_SLICE:
        return args[0];
    case EXPR_SHAPED:
        return range_of_shaped(e->shaped, args);
    case EXPR_ARRAY: {
        Range r = args[0];
        for (int i = 1; i < e->n_args; i++) r = unite(r, args[i]);
        return r;
    }
    case EXPR_RANDOM:
        return e->random == RANDOM_NORMAL ? all() : (Range){0, INFINITY};
    case EXPR_OVER:
        return range_of_reduce(e->reduce, args[0]);
    case EXPR_SIZE:
    case EXPR_POSITION:
        return (Range){e->kind == EXPR_SIZE ? fmin(1, (double)e->plate->lo) : 0, INFINITY};
    }
    return all();
}

const Var *latent_in(const Checker *ck, const Expr *e) {
    if (e->kind == EXPR_VAR) return ck->facts.data[e->var->index].latent;
    for (int i = 0; i < e->n_args; i++) {
        const Var *latent = latent_in(ck, e->args[i]);
        if (latent) return latent;
    }
    return NULL;
}
