/* structure.c -- what can be said of vectors and matrices as a whole: does a value lie on a
 * simplex, is it a lower triangle with a positive diagonal? Sets of single numbers are support.c's.
 *
 * A set is proved by what makes the value: a variable of that support, a link to it, products of
 * triangles, L @ transpose(L) of a triangle. What is not proved may still be true. */
#include "front/check.h"

#include <math.h>

static const Expr *behind_lets(const Expr *e) {
    while (e->kind == EXPR_VAR && e->var->kind == VAR_LET) e = e->var->value;
    return e;
}

static bool same_value(const Expr *a, const Expr *b) {
    a = behind_lets(a), b = behind_lets(b);
    if (a == b) return true;
    if (a->kind != b->kind || a->n_args != b->n_args || a->var != b->var) return false;
    if (a->kind == EXPR_VAR) return true;
    if (a->kind != EXPR_SHAPED && a->kind != EXPR_OP && a->kind != EXPR_NUMBER) return false;
    if (a->number != b->number || a->opcode != b->opcode || a->shaped != b->shaped) return false;
    for (int i = 0; i < a->n_args; i++)
        if (!same_value(a->args[i], b->args[i])) return false;
    return true;
}

/* Is every value of `narrow` one of `wide`? */
static bool is_part_of(SupportKind narrow, SupportKind wide) {
    static const struct {
        SupportKind narrow, wide;
    } parts[] = {{SUPPORT_CHOLESKY_CORR, SUPPORT_CHOLESKY_COV},
                 {SUPPORT_POSITIVE_ORDERED, SUPPORT_ORDERED},
                 {SUPPORT_SPHERE_OCTANT, SUPPORT_SPHERE}};
    if (narrow == wide) return true;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i].narrow == narrow && parts[i].wide == wide) return true;
    return false;
}

static bool is_transpose_of(const Expr *e, const Expr *of) {
    e = behind_lets(e);
    return e->kind == EXPR_SHAPED && e->shaped == SHAPED_TRANSPOSE && same_value(e->args[0], of);
}

static bool proves_positive(Checker *ck, const Expr *e) {
    Range r = range_of(ck, e, NULL);
    return r.lo >= 0 && r.hi > 0;
}

/* Is `e` a positive number times what lies in the set? */
static bool proves_multiple(Checker *ck, const Expr *e, SupportKind kind) {
    if (e->kind != EXPR_OP || e->opcode != OP_MUL) return false;
    for (int side = 0; side < 2; side++)
        if (e->args[side]->type.n_dims == 0 && proves_positive(ck, e->args[side]) &&
            proves_support(ck, e->args[1 - side], kind))
            return true;
    return false;
}

static bool proves_cholesky(Checker *ck, const Expr *e) {
    if (proves_multiple(ck, e, SUPPORT_CHOLESKY_COV)) return true;
    if (e->kind != EXPR_SHAPED) return false;
    if (e->shaped == SHAPED_MATMUL)
        return proves_support(ck, e->args[0], SUPPORT_CHOLESKY_COV) &&
               proves_support(ck, e->args[1], SUPPORT_CHOLESKY_COV);
    if (e->shaped == SHAPED_DIAG) return proves_positive(ck, e->args[0]);
    return e->shaped == SHAPED_CHOLESKY;
}

static bool proves_covariance(Checker *ck, const Expr *e) {
    if (e->kind == EXPR_OP && e->opcode == OP_ADD)
        return proves_support(ck, e->args[0], SUPPORT_COVARIANCE) &&
               proves_support(ck, e->args[1], SUPPORT_COVARIANCE);
    if (proves_multiple(ck, e, SUPPORT_COVARIANCE)) return true;
    if (e->kind != EXPR_SHAPED) return false;
    if (e->shaped == SHAPED_DIAG) return proves_positive(ck, e->args[0]);
    return e->shaped == SHAPED_MATMUL && is_transpose_of(e->args[1], e->args[0]) &&
           proves_support(ck, e->args[0], SUPPORT_CHOLESKY_COV);
}

/* [p, 1 - p] or [1 - p, p], of a p between 0 and 1 */
static bool proves_pair(Checker *ck, const Expr *e) {
    if (e->kind != EXPR_ARRAY || e->n_args != 2) return false;
    for (int side = 0; side < 2; side++) {
        const Expr *p = e->args[side], *rest = e->args[1 - side];
        Range r = range_of(ck, p, NULL);
        if (r.lo >= 0 && r.hi <= 1 && r.lo < r.hi && rest->kind == EXPR_OP &&
            rest->opcode == OP_SUB && rest->args[0]->kind == EXPR_NUMBER &&
            rest->args[0]->number == 1 && same_value(rest->args[1], p))
            return true;
    }
    return false;
}

bool proves_support(Checker *ck, const Expr *e, SupportKind kind) {
    Value value;
    const char *why;
    if (evaluate(ck, e, true, &value)) return has_support(&value, kind, &why);
    e = behind_lets(e);
    if (e->kind == EXPR_VAR) return e->var->dist && is_part_of(e->var->support.kind, kind);
    if (e->kind == EXPR_LINK && e->link_part == LINK_FORWARD)
        return is_part_of(e->link->support, kind);
    /* a stretch of copies: A[0] of independent values */
    if ((e->kind == EXPR_INDEX || e->kind == EXPR_AT) && e->dim == 0) {
        const Expr *whole = behind_lets(e->args[0]);
        if (evaluate(ck, whole, true, &value)) return has_support(&value, kind, &why);
        return whole->kind == EXPR_VAR && whole->var->dist && whole->var->dist->n_dims &&
               whole->type.n_dims > whole->var->dist->n_dims &&
               is_part_of(whole->var->support.kind, kind);
    }
    if (kind == SUPPORT_SIMPLEX) return proves_pair(ck, e);
    if (kind == SUPPORT_CHOLESKY_COV) return proves_cholesky(ck, e);
    if (kind == SUPPORT_COVARIANCE) return proves_covariance(ck, e);
    return false;
}

/* ---- numbers ---- */

static const double CLOSE = 1e-6;

static bool has_shape(const double *x, int64_t n, SupportKind kind, const char **why) {
    double sum = 0, squares = 0;
    bool positive = true, increasing = true;
    for (int64_t i = 0; i < n; i++) {
        sum += x[i];
        squares += x[i] * x[i];
        positive &= x[i] > 0;
        increasing &= i == 0 || x[i] > x[i - 1];
    }
    bool needs_positive = kind == SUPPORT_SIMPLEX || kind == SUPPORT_POSITIVE_ORDERED ||
                          kind == SUPPORT_SPHERE_OCTANT;
    bool needs_order = kind == SUPPORT_ORDERED || kind == SUPPORT_POSITIVE_ORDERED;
    bool needs_length = kind == SUPPORT_SPHERE || kind == SUPPORT_SPHERE_OCTANT;
    *why = needs_positive && !positive                        ? "an entry is not positive"
           : needs_order && !increasing                       ? "its entries do not increase"
           : needs_length && fabs(squares - 1) > CLOSE        ? "its length is not 1"
           : kind == SUPPORT_SIMPLEX && fabs(sum - 1) > CLOSE ? "its sum is not 1"
           : kind == SUPPORT_SUM_TO_ZERO && fabs(sum) > CLOSE ? "its sum is not 0"
                                                              : NULL;
    return !*why;
}

static bool is_triangle(const Value *value, bool unit_rows, const char **why) {
    int64_t n = value->dims[0];
    *why = NULL;
    for (int64_t i = 0; i < n; i++) {
        double squares = 0;
        for (int64_t j = 0; j < n; j++) {
            double x = value->data[i * n + j];
            squares += x * x;
            if (j > i && x != 0) *why = "there is something above its diagonal";
            if (j == i && !(x > 0)) *why = "its diagonal is not positive";
        }
        if (unit_rows && fabs(squares - 1) > CLOSE) *why = "a row's length is not 1";
    }
    return !*why;
}

/* Symmetric, and with a Cholesky factor. */
static bool is_covariance(const Value *value, const char **why) {
    enum { MOST = 64 };
    int64_t n = value->dims[0];
    double l[MOST * MOST];
    *why = NULL;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++)
            if (fabs(value->data[i * n + j] - value->data[j * n + i]) > CLOSE)
                *why = "it is not symmetric";
    for (int64_t i = 0; i < n && n <= MOST && !*why; i++)
        for (int64_t j = 0; j <= i; j++) {
            double sum = value->data[i * n + j];
            for (int64_t k = 0; k < j; k++) sum -= l[i * n + k] * l[j * n + k];
            if (i == j && !(sum > 0)) *why = "it is not positive definite";
            l[i * n + j] = i == j ? sqrt(sum) : sum / l[j * n + j];
        }
    return !*why;
}

bool has_support(const Value *value, SupportKind kind, const char **why) {
    int n_dims = support_info[kind].n_dims;
    *why = NULL;
    if (!n_dims) return true;
    if (value->n_dims < n_dims) {
        *why = n_dims == 1 ? "it is no vector" : "it is no matrix";
        return false;
    }
    int copies = value->n_dims - n_dims;
    int64_t size = shape_size(n_dims, value->dims + copies);
    for (int64_t i = 0; i < shape_size(copies, value->dims) && !*why; i++) {
        Value one = {.n_dims = n_dims, .data = value->data + i * size};
        memcpy(one.dims, value->dims + copies, sizeof *one.dims * (size_t)n_dims);
        if (kind == SUPPORT_COVARIANCE)
            is_covariance(&one, why);
        else if (n_dims == 2)
            is_triangle(&one, kind == SUPPORT_CHOLESKY_CORR, why);
        else
            has_shape(one.data, size, kind, why);
    }
    return !*why;
}
