/* rows.c -- independent copies of an event: `latent A[4, 3] ~ dirichlet(a)` is four vectors.
 *
 * Bodies of distributions and links are written for one value, whose components live on axes d0,
 * d1, ... The copies' dimensions, which stand before them, are moved to axes b0, b1, ... on the way
 * in, where they ride along like a plate, and back in front on the way out. */
#include "dual/internal.h"

static AxisId copy_axis(Build *b, int position, int64_t extent) {
    return named_axis(b, position == 0 ? "b0" : position == 1 ? "b1" : "b2", extent);
}

Rows rows_of(Build *b, const Type *type, int n_event) {
    Rows rows = {.n = type->n_dims - n_event};
    for (int i = 0; i < rows.n; i++) {
        rows.dims[i] = type->dims[i];
        rows.axes[i] = copy_axis(b, i, type->dims[i]);
    }
    return rows;
}

Val rows_enter(Build *b, Val val, int n_event, const int64_t *event) {
    if (val.n_dims < n_event) { /* a number for every entry */
        Val spread = {.v = val.v, .n_dims = n_event};
        memcpy(spread.dims, event, sizeof *event * (size_t)n_event);
        return spread;
    }
    int copies = val.n_dims - n_event;
    Val one = {.v = val.v, .n_dims = n_event};
    for (int i = 0; i < copies; i++)
        one.v = renamed(b, one.v, event_axis(b, i, val.dims[i]), copy_axis(b, i, val.dims[i]));
    for (int i = 0; i < n_event; i++) {
        one.dims[i] = val.dims[copies + i];
        one.v = renamed(b, one.v, event_axis(b, copies + i, one.dims[i]),
                        event_axis(b, i, one.dims[i]));
    }
    return one;
}

Val rows_leave(Build *b, Val val, const Rows *rows) {
    Val all = {.v = val.v, .n_dims = rows->n + val.n_dims};
    for (int i = val.n_dims - 1; i >= 0; i--) {
        all.dims[rows->n + i] = val.dims[i];
        all.v = renamed(b, all.v, event_axis(b, i, val.dims[i]),
                        event_axis(b, rows->n + i, val.dims[i]));
    }
    for (int i = rows->n - 1; i >= 0; i--) {
        all.dims[i] = rows->dims[i];
        all.v = renamed(b, all.v, rows->axes[i], event_axis(b, i, rows->dims[i]));
    }
    return all;
}

IrValue rows_sum(Build *b, IrValue v, const Rows *rows) {
    return rows->n ? ir_sum(b->p, along(b, v, rows->axes, rows->n), rows->axes, rows->n) : v;
}

/* ---- may a body written for one number be applied to a whole event at once? ---- */

bool is_entrywise(const Expr *e) {
    switch (e->kind) {
    case EXPR_REDUCE:
    case EXPR_INDEX:
    case EXPR_SLICE:
    case EXPR_ARRAY:
    case EXPR_SHAPED:
        return false;
    case EXPR_CALL:
        if (!is_entrywise(e->function->body)) return false;
        break;
    case EXPR_LINK:
        if (e->link->n_dims) return false;
        break;
    default:
        break;
    }
    for (int i = 0; i < e->n_args; i++)
        if (!is_entrywise(e->args[i])) return false;
    return true;
}
