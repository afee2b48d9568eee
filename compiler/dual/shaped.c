/* shaped.c -- positions, stretches and the functions of shaped.def on events, as tensor IR. Shapes
 * and meanings: front/shaped.c.
 *
 * Component i of an event lives on axis "d<i>.<extent>", so that a matrix is transposed by
 * renaming. What has no such form (factorisations, sorting) is unrolled over entries; a row of a
 * matrix on the right of solve is one value. A value may lack axes along which it is constant. */
#include "dual/entries.h"

enum { MOST_ROWS = 64 };

IrValue renamed(Build *b, IrValue v, AxisId from, AxisId to) {
    return ir_has_axis(b->p, v, from) && from != to ? ir_rename(b->p, v, from, to) : v;
}

/* One number may stand for all entries. */
Val lower_index(Build *b, const Val *whole, int dim, int64_t index) {
    if (!whole->n_dims) return *whole;
    AxisId axis = event_axis(b, dim, whole->dims[dim]);
    Val rest = {.n_dims = whole->n_dims - 1};
    rest.v = ir_has_axis(b->p, whole->v, axis) ? ir_pick(b->p, whole->v, axis, index) : whole->v;
    for (int i = 0; i < rest.n_dims; i++) {
        rest.dims[i] = whole->dims[i < dim ? i : i + 1];
        if (i >= dim)
            rest.v = renamed(b, rest.v, event_axis(b, i + 1, rest.dims[i]),
                             event_axis(b, i, rest.dims[i]));
    }
    return rest;
}

Val lower_slice(Build *b, const Val *whole, int dim, int64_t start, int64_t count) {
    Val part = *whole;
    if (!whole->n_dims) return part;
    int64_t extent = whole->dims[dim];
    if (count == SLICE_REST) count = extent - start;
    AxisId from = event_axis(b, dim, extent), to = event_axis(b, dim, count);
    part.dims[dim] = count;
    if (count != extent && ir_has_axis(b->p, whole->v, from))
        part.v = ir_slice(b->p, whole->v, from, to, start);
    return part;
}

/* ---- matrices as a whole ---- */

/* Axis of extent n that no event has: where one goes while another takes its place. */
static AxisId aside(Build *b, int64_t n) {
    return named_axis(b, "t", n);
}

static Val transpose(Build *b, const Val *a) {
    int64_t rows = a->dims[0], columns = a->dims[1];
    IrValue v = renamed(b, a->v, event_axis(b, 0, rows), aside(b, rows));
    v = renamed(b, v, event_axis(b, 1, columns), event_axis(b, 0, columns));
    v = renamed(b, v, aside(b, rows), event_axis(b, 1, rows));
    return (Val){.v = v, .n_dims = 2, .dims = {columns, rows}};
}

static Val matmul(Build *b, const Val *left, const Val *right) {
    int64_t inner = right->dims[0], columns = right->dims[1];
    int at = left->n_dims - 1;
    AxisId sum = event_axis(b, at, inner);
    IrValue r = right->v;
    if (right->n_dims == 2) r = renamed(b, r, event_axis(b, 1, columns), aside(b, columns));
    r = renamed(b, r, event_axis(b, 0, inner), sum);
    IrValue l = along(b, left->v, &sum, 1);
    Val result = {.v = ir_contract(b->p, l, r, &sum, 1), .n_dims = at};
    if (at) result.dims[0] = left->dims[0];
    if (right->n_dims == 2) {
        AxisId to = event_axis(b, at, columns);
        result.v = renamed(b, result.v, aside(b, columns), to);
        result.dims[result.n_dims++] = columns;
    }
    return result;
}

static Val outer(Build *b, const Val *left, const Val *right) {
    int64_t rows = left->dims[0], columns = right->dims[0];
    IrValue r = renamed(b, right->v, event_axis(b, 0, columns), event_axis(b, 1, columns));
    return (Val){.v = ir_mul(b->p, left->v, r), .n_dims = 2, .dims = {rows, columns}};
}

static IrValue identity(Build *b, int64_t n) {
    double *entries = arena_array(b->arena, double, n *n);
    for (int64_t i = 0; i < n; i++) entries[i * n + i] = 1;
    AxisId axes[] = {event_axis(b, 0, n), event_axis(b, 1, n)};
    ir_axes_sort(b->p, axes, 2); /* it is symmetric */
    return ir_table(b->p, entries, axes, 2);
}

static Val diagonal(Build *b, const Val *a) {
    int64_t n = a->dims[0];
    AxisId columns = event_axis(b, 1, n);
    IrValue eye = identity(b, n);
    if (a->n_dims == 1) return (Val){.v = ir_mul(b->p, eye, a->v), .n_dims = 2, .dims = {n, n}};
    return (Val){.v = ir_contract(b->p, a->v, eye, &columns, 1), .n_dims = 1, .dims = {n}};
}

/* ---- entry by entry ---- */

static IrValue entry(Build *b, const Val *a, int64_t i, int64_t j) {
    Val row = lower_index(b, a, 0, i);
    return lower_index(b, &row, 0, j).v;
}

/* Row i of a matrix, on axis d1; of a vector: its entry. */
static IrValue row(Build *b, const Val *a, int64_t i) {
    AxisId rows = event_axis(b, 0, a->dims[0]);
    return ir_has_axis(b->p, a->v, rows) ? ir_pick(b->p, a->v, rows, i) : a->v;
}

/* rows[i] side by side along axis d<dim>. */
static IrValue side_by_side(Build *b, const IrValue *rows, int64_t n, int dim) {
    return entries_gather(b, rows, n, event_axis(b, dim, n));
}

static IrValue less_product(Build *b, IrValue from, IrValue x, IrValue y) {
    return ir_sub(b->p, from, ir_mul(b->p, x, y));
}

/* The lower triangle of a matrix, entry by entry. */
static IrValue *triangle(Build *b, const Val *a) {
    int64_t n = a->dims[0];
    IrValue *l = arena_array(b->arena, IrValue, n * n);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) l[i * n + j] = j <= i ? entry(b, a, i, j) : IR_NONE;
    return l;
}

static Val cholesky(Build *b, const Val *a) {
    int64_t n = a->dims[0];
    IrValue *l = triangle(b, a), *rows = arena_array(b->arena, IrValue, n);
    entries_factor(b, l, n, IR_NONE, l);
    for (int64_t i = 0; i < n; i++) rows[i] = side_by_side(b, l + i * n, n, 1);
    return (Val){.v = side_by_side(b, rows, n, 0), .n_dims = 2, .dims = {n, n}};
}

static Val from_rows(Build *b, const IrValue *rows, const Val *like) {
    Val result = *like;
    result.v = side_by_side(b, rows, like->dims[0], 0);
    return result;
}

static Val solve_lower(Build *b, const Val *l, const Val *right) {
    int64_t n = l->dims[0];
    IrValue *x = arena_array(b->arena, IrValue, n);
    for (int64_t i = 0; i < n; i++) x[i] = row(b, right, i);
    entries_solve_lower(b, triangle(b, l), n, x);
    return from_rows(b, x, right);
}

static void exchange(Build *b, IrValue condition, IrValue *x, IrValue *y) {
    IrValue first = *x;
    *x = ir_select(b->p, condition, *y, first);
    *y = ir_select(b->p, condition, first, *y);
}

/* Brings the largest of column k's entries from row k down to row k: the rows are compared one by
 * one, since every lane may need another order. */
static void pivot(Build *b, IrValue *a, IrValue *x, int64_t n, int64_t k) {
    IrProgram *p = b->p;
    for (int64_t i = k + 1; i < n; i++) {
        IrValue larger = ir_lt(p, ir_abs(p, a[k * n + k]), ir_abs(p, a[i * n + k]));
        for (int64_t j = k; j < n; j++) exchange(b, larger, &a[k * n + j], &a[i * n + j]);
        exchange(b, larger, &x[k], &x[i]);
    }
}

/* Gaussian elimination with partial pivoting. */
static Val solve(Build *b, const Val *matrix, const Val *right) {
    IrProgram *p = b->p;
    int64_t n = matrix->dims[0];
    IrValue *a = arena_array(b->arena, IrValue, n * n), *x = arena_array(b->arena, IrValue, n);
    for (int64_t i = 0; i < n; i++) {
        x[i] = row(b, right, i);
        for (int64_t j = 0; j < n; j++) a[i * n + j] = entry(b, matrix, i, j);
    }
    for (int64_t k = 0; k < n; k++) {
        pivot(b, a, x, n, k);
        for (int64_t i = k + 1; i < n; i++) {
            IrValue factor = ir_div(p, a[i * n + k], a[k * n + k]);
            for (int64_t j = k + 1; j < n; j++)
                a[i * n + j] = less_product(b, a[i * n + j], factor, a[k * n + j]);
            x[i] = less_product(b, x[i], factor, x[k]);
        }
    }
    for (int64_t i = n - 1; i >= 0; i--) {
        for (int64_t k = i + 1; k < n; k++) x[i] = less_product(b, x[i], a[i * n + k], x[k]);
        x[i] = ir_div(p, x[i], a[i * n + i]);
    }
    return from_rows(b, x, right);
}

static void put_in_order(Build *b, IrValue *x, IrValue *y) {
    IrValue least = ir_min(b->p, *x, *y);
    *y = ir_max(b->p, *x, *y);
    *x = least;
}

/* A sorting network: Batcher's merge exchange (Knuth, The Art of Computer Programming 3, 5.2.2 M).
 */
static Val sorted(Build *b, const Val *a) {
    int64_t n = a->dims[0], top = 1;
    IrValue x[MOST_ROWS];
    if (n > MOST_ROWS) internal_error("lower", "sort of %lld entries", (long long)n);
    for (int64_t i = 0; i < n; i++) x[i] = row(b, a, i);
    while (2 * top < n) top *= 2;
    for (int64_t p = top; p > 0; p /= 2) {
        int64_t q = top, r = 0, d = p;
        for (;;) {
            for (int64_t i = 0; i + d < n; i++)
                if ((i & p) == r) put_in_order(b, &x[i], &x[i + d]);
            if (q == p) break;
            d = q - p;
            q /= 2;
            r = p;
        }
    }
    return from_rows(b, x, a);
}

Val lower_shaped(Build *b, Shaped shaped, const Val *args) {
    switch (shaped) {
    case SHAPED_MATMUL:
        return matmul(b, &args[0], &args[1]);
    case SHAPED_TRANSPOSE:
        return transpose(b, &args[0]);
    case SHAPED_OUTER:
        return outer(b, &args[0], &args[1]);
    case SHAPED_DIAG:
        return diagonal(b, &args[0]);
    case SHAPED_CHOLESKY:
        return cholesky(b, &args[0]);
    case SHAPED_SOLVE:
        return solve(b, &args[0], &args[1]);
    case SHAPED_SOLVE_LOWER:
        return solve_lower(b, &args[0], &args[1]);
    case SHAPED_SORT:
        return sorted(b, &args[0]);
    case N_SHAPED:
        break;
    }
    internal_error("lower", "unknown shaped function %d", shaped);
}
