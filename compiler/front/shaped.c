/* shaped.c -- the functions of shaped.def: which shapes they take and give, and their values where
 * those are known at compile time. What they compute in a model: dual/shaped.c. */
#include "front/check.h"

#include <math.h>
#include <stdlib.h>

/* ---- shapes ---- */

static const char *shape_of(Checker *ck, const Expr *e) {
    return e->type.n_dims ? shape_text(ck->arena, e->type.n_dims, e->type.dims) : "a scalar";
}

static bool refuse(Checker *ck, const Expr *e, const char *why) {
    const char *shapes = shape_of(ck, e->args[0]);
    if (e->n_args == 2)
        shapes = arena_printf(ck->arena, "%s and %s", shapes, shape_of(ck, e->args[1]));
    FAIL(ck, DIAG_SHAPED_ARGUMENT, e->span, shaped_info[e->shaped].name, shapes, why);
    return false;
}

static bool is_square(const Type *type) {
    return type->n_dims == 2 && type->dims[0] == type->dims[1];
}

static bool set_shape(Checker *ck, Expr *e, int n, int64_t first, int64_t second) {
    e->type.n_dims = n;
    e->type.dims[0] = n > 0 ? first : 0;
    e->type.dims[1] = n > 1 ? second : 0;
    int64_t size = shape_size(n, e->type.dims);
    if (size <= MAX_EVENT) return true;
    FAIL(ck, DIAG_EVENT_TOO_LARGE, e->span, (long long)size, MAX_EVENT);
    return false;
}

static bool type_matmul(Checker *ck, Expr *e, const Type *a, const Type *b) {
    if (a->n_dims < 1 || a->n_dims > 2 || b->n_dims < 1 || b->n_dims > 2)
        return refuse(ck, e, "expected vectors or matrices");
    if (a->dims[a->n_dims - 1] != b->dims[0])
        return refuse(ck, e, "the left one's columns must be as many as the right one's rows");
    int64_t rows = a->dims[0], columns = b->dims[1];
    if (a->n_dims == 2 && b->n_dims == 2) return set_shape(ck, e, 2, rows, columns);
    if (a->n_dims == 2) return set_shape(ck, e, 1, rows, 0);
    return b->n_dims == 2 ? set_shape(ck, e, 1, columns, 0) : set_shape(ck, e, 0, 0, 0);
}

static bool type_solve(Checker *ck, Expr *e, const Type *a, const Type *b) {
    enum { MAX_SOLVE = 32 };
    if (!is_square(a)) return refuse(ck, e, "expected a square matrix on the left");
    if (b->n_dims < 1 || b->n_dims > 2 || b->dims[0] != a->dims[0])
        return refuse(ck, e, "the right one needs as many rows as the matrix");
    if (a->dims[0] > MAX_SOLVE && e->shaped == SHAPED_SOLVE)
        return refuse(ck, e, "more than 32 unknowns");
    return set_shape(ck, e, b->n_dims, b->dims[0], b->dims[1]);
}

bool type_shaped(Checker *ck, Expr *e) {
    enum { MAX_SORT = 64, MAX_CHOLESKY = 32 };
    const Type *a = &e->args[0]->type, *b = e->n_args > 1 ? &e->args[1]->type : a;
    e->type = (Type){.plate = deeper_plate(ck, a->plate, b->plate)};
    switch (e->shaped) {
    case SHAPED_MATMUL:
        return type_matmul(ck, e, a, b);
    case SHAPED_TRANSPOSE:
        if (a->n_dims != 2) return refuse(ck, e, "expected a matrix");
        return set_shape(ck, e, 2, a->dims[1], a->dims[0]);
    case SHAPED_OUTER:
        if (a->n_dims != 1 || b->n_dims != 1) return refuse(ck, e, "expected two vectors");
        return set_shape(ck, e, 2, a->dims[0], b->dims[0]);
    case SHAPED_DIAG:
        if (a->n_dims == 1) return set_shape(ck, e, 2, a->dims[0], a->dims[0]);
        if (is_square(a)) return set_shape(ck, e, 1, a->dims[0], 0);
        return refuse(ck, e, "expected a vector or a square matrix");
    case SHAPED_CHOLESKY:
        if (!is_square(a)) return refuse(ck, e, "expected a square matrix");
        if (a->dims[0] > MAX_CHOLESKY) return refuse(ck, e, "more than 32 rows");
        return set_shape(ck, e, 2, a->dims[0], a->dims[0]);
    case SHAPED_SOLVE:
    case SHAPED_SOLVE_LOWER:
        return type_solve(ck, e, a, b);
    case SHAPED_SORT:
        if (a->n_dims != 1) return refuse(ck, e, "expected a vector");
        if (a->dims[0] > MAX_SORT) return refuse(ck, e, "more than 64 entries");
        return set_shape(ck, e, 1, a->dims[0], 0);
    case N_SHAPED:
        break;
    }
    internal_error("front", "unknown shaped function %d", e->shaped);
}

/* ---- values ---- */

/* A matrix, or a vector as a column. */
static int64_t columns_of(const Value *v) {
    return v->n_dims == 2 ? v->dims[1] : 1;
}

static void matmul(const Value *a, const Value *b, double *out) {
    int64_t inner = a->dims[a->n_dims - 1], rows = a->n_dims == 2 ? a->dims[0] : 1;
    int64_t columns = columns_of(b);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            double sum = 0;
            for (int64_t k = 0; k < inner; k++)
                sum += a->data[i * inner + k] * b->data[k * columns + j];
            out[i * columns + j] = sum;
        }
}

static void cholesky(const Value *a, double *out) {
    int64_t n = a->dims[0];
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = j > i ? 0 : a->data[i * n + j];
            for (int64_t k = 0; k < j && j <= i; k++) sum -= out[i * n + k] * out[j * n + k];
            out[i * n + j] = j > i ? 0 : i == j ? sqrt(sum) : sum / out[j * n + j];
        }
}

static void solve_lower(const double *l, int64_t n, double *x, int64_t columns) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < columns; j++) {
            double sum = x[i * columns + j];
            for (int64_t k = 0; k < i; k++) sum -= l[i * n + k] * x[k * columns + j];
            x[i * columns + j] = sum / l[i * n + i];
        }
}

static void swap_rows(double *m, int64_t a, int64_t b, int64_t columns) {
    for (int64_t j = 0; j < columns; j++) {
        double held = m[a * columns + j];
        m[a * columns + j] = m[b * columns + j];
        m[b * columns + j] = held;
    }
}

/* Gaussian elimination with partial pivoting; destroys `a`. */
static void solve(double *a, int64_t n, double *x, int64_t columns) {
    for (int64_t k = 0; k < n; k++) {
        int64_t pivot = k;
        for (int64_t i = k + 1; i < n; i++)
            if (fabs(a[i * n + k]) > fabs(a[pivot * n + k])) pivot = i;
        swap_rows(a, k, pivot, n);
        swap_rows(x, k, pivot, columns);
        for (int64_t i = k + 1; i < n; i++) {
            double factor = a[i * n + k] / a[k * n + k];
            for (int64_t j = k; j < n; j++) a[i * n + j] -= factor * a[k * n + j];
            for (int64_t j = 0; j < columns; j++) x[i * columns + j] -= factor * x[k * columns + j];
        }
    }
    for (int64_t i = n - 1; i >= 0; i--)
        for (int64_t j = 0; j < columns; j++) {
            double sum = x[i * columns + j];
            for (int64_t k = i + 1; k < n; k++) sum -= a[i * n + k] * x[k * columns + j];
            x[i * columns + j] = sum / a[i * n + i];
        }
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void diagonal(const Value *a, double *out) {
    int64_t n = a->dims[0];
    if (a->n_dims == 1) memset(out, 0, sizeof *out * (size_t)(n * n));
    for (int64_t i = 0; i < n; i++)
        if (a->n_dims == 1)
            out[i * n + i] = a->data[i];
        else
            out[i] = a->data[i * n + i];
}

/* Multiplications per number of the result, about. */
static int64_t work_per_number(Shaped shaped, const Value *a) {
    switch (shaped) {
    case SHAPED_MATMUL:
        return a->dims[a->n_dims - 1];
    case SHAPED_CHOLESKY:
    case SHAPED_SOLVE:
    case SHAPED_SOLVE_LOWER:
        return a->dims[0];
    default:
        return 0;
    }
}

bool value_of_shaped(Checker *ck, const Expr *e, const Value *args, Value *out) {
    const Value *a = &args[0], *b = &args[1];
    out->n_dims = e->type.n_dims;
    memcpy(out->dims, e->type.dims, sizeof out->dims);
    int64_t terms = work_per_number(e->shaped, a) * shape_size(out->n_dims, out->dims);
    if (!take_work(ck, terms) || !take_room(ck, out)) return false;
    size_t bytes = sizeof *out->data * (size_t)shape_size(out->n_dims, out->dims);
    Value work = *a;
    switch (e->shaped) {
    case SHAPED_MATMUL:
        matmul(a, b, out->data);
        return true;
    case SHAPED_TRANSPOSE:
        for (int64_t i = 0; i < a->dims[0]; i++)
            for (int64_t j = 0; j < a->dims[1]; j++)
                out->data[j * a->dims[0] + i] = a->data[i * a->dims[1] + j];
        return true;
    case SHAPED_OUTER:
        for (int64_t i = 0; i < a->dims[0]; i++)
            for (int64_t j = 0; j < b->dims[0]; j++)
                out->data[i * b->dims[0] + j] = a->data[i] * b->data[j];
        return true;
    case SHAPED_DIAG:
        diagonal(a, out->data);
        return true;
    case SHAPED_CHOLESKY:
        cholesky(a, out->data);
        return true;
    case SHAPED_SOLVE_LOWER:
        memcpy(out->data, b->data, bytes);
        solve_lower(a->data, a->dims[0], out->data, columns_of(b));
        return true;
    case SHAPED_SOLVE:
        memcpy(out->data, b->data, bytes);
        if (!take_room(ck, &work)) return false;
        memcpy(work.data, a->data, sizeof *work.data * (size_t)shape_size(a->n_dims, a->dims));
        solve(work.data, a->dims[0], out->data, columns_of(b));
        return true;
    case SHAPED_SORT:
        memcpy(out->data, a->data, bytes);
        qsort(out->data, (size_t)a->dims[0], sizeof *out->data, compare);
        return true;
    case N_SHAPED:
        break;
    }
    return false;
}
