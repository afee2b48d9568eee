/* eval.c -- the interpreter of the tensor IR, in double over whole tensors: the oracle of every
 * back end, so it is meant to be obviously right.
 *
 * Every operation is a walk: the axes of its result (and those it reduces over), each with its
 * extent and the step that every tensor takes along it; an operand that lacks an axis takes step 0.
 * Adjacent axes along which all tensors go evenly are walked as one. A tensor is freed after its
 * last use; values that no output needs are not computed.
 */
#include "ir/eval.h"
#include "ir/special.h"
#include "runtime/random.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_TENSORS = 4 };
static const int64_t MAX_ENTRIES = INT64_C(1) << 32;

/* ---- walks ---- */

typedef struct Walk {
    int n, n_tensors;
    int64_t extent[IR_MAX_AXES + IR_MAX_OVER];
    int64_t step[MAX_TENSORS][IR_MAX_AXES + IR_MAX_OVER];
} Walk;

/* A position in a walk: indices, and the offset of each tensor. */
typedef struct Place {
    int64_t index[IR_MAX_AXES + IR_MAX_OVER];
    int64_t offset[MAX_TENSORS];
} Place;

/* The step of `t` along `axis`: the product of the extents behind it, 0 if it has no such axis. */
static int64_t step_along(const IrTensor *t, AxisId axis) {
    int64_t step = 1;
    for (int i = t->n_axes - 1; i >= 0; i--) {
        if (t->axes[i] == axis) return step;
        step *= t->extent[i];
    }
    return 0;
}

/* Adds one more inner axis, or widens the last one if all tensors run through both evenly. */
static void walk_add(Walk *w, int64_t extent, const int64_t *step) {
    if (extent == 1) return;
    bool even = w->n > 0;
    for (int k = 0; k < w->n_tensors && even; k++) even = w->step[k][w->n - 1] == step[k] * extent;
    if (even)
        w->extent[w->n - 1] *= extent;
    else
        w->extent[w->n++] = extent;
    for (int k = 0; k < w->n_tensors; k++) w->step[k][w->n - 1] = step[k];
}

/* The walk over given axes of `n_tensors` tensors. */
static Walk walk_over(const AxisId *axes, const int64_t *extent, int n,
                      const IrTensor *const *tensors, int n_tensors) {
    Walk w = {.n_tensors = n_tensors};
    for (int i = 0; i < n; i++) {
        int64_t step[MAX_TENSORS];
        for (int k = 0; k < n_tensors; k++) step[k] = step_along(tensors[k], axes[i]);
        walk_add(&w, extent[i], step);
    }
    return w;
}

/* Takes the innermost axis off a walk: it is looped over by the caller. */
static int64_t walk_inner(Walk *w, int64_t *step) {
    memset(step, 0, sizeof(int64_t) * MAX_TENSORS);
    if (w->n == 0) return 1;
    w->n--;
    for (int k = 0; k < w->n_tensors; k++) step[k] = w->step[k][w->n];
    return w->extent[w->n];
}

/* The next position, false after the last. */
static bool walk_next(const Walk *w, Place *at) {
    for (int i = w->n - 1; i >= 0; i--) {
        for (int k = 0; k < w->n_tensors; k++) at->offset[k] += w->step[k][i];
        if (++at->index[i] < w->extent[i]) return true;
        for (int k = 0; k < w->n_tensors; k++) at->offset[k] -= w->step[k][i] * w->extent[i];
        at->index[i] = 0;
    }
    return false;
}

/* ---- the state of an evaluation ---- */

typedef struct Eval {
    Arena *arena;
    const IrProgram *p;
    const IrEvalEnv *env;
    IrTensor *value; /* by IrValue; data is malloc'ed, NULL where not (or no longer) computed */
    int *uses;       /* uses that are still to come */
} Eval;

static int64_t extent_of(const Eval *e, AxisId axis);

/* ---- ragged plates ----
 *
 * Tensors are padded to the most instances that a parent has. What lies at positions that are no
 * instance is never read by a reduction, and never leaves the interpreter. */

static bool is_ragged(const Eval *e, const IrTensor *t) {
    for (int i = 0; i < t->n_axes; i++)
        if (e->p->axes.data[t->axes[i]].ragged) return true;
    return false;
}

/* The number of the instance at `index`, all instances of the plate counted, or -1: it is none. */
static int64_t instance(const Eval *e, const IrTensor *t, const int64_t *index, AxisId axis) {
    const IrAxis *a = &e->p->axes.data[axis];
    int64_t own = -1, around = 0, before = 0;
    for (int i = 0; i < t->n_axes; i++)
        if (t->axes[i] == axis) own = index[i];
    if (a->parent != AXIS_NONE) around = instance(e, t, index, a->parent);
    if (own < 0 || around < 0) return -1;
    if (!a->ragged) return around * extent_of(e, axis) + own;
    const int64_t *count = e->env->count[ir_axis_original(e->p, axis)];
    if (own >= count[around]) return -1;
    for (int64_t i = 0; i < around; i++) before += count[i];
    return before + own;
}

/* The next position of `t`, in order; false behind the last. */
static bool next_position(const IrTensor *t, int64_t *index) {
    for (int i = t->n_axes - 1; i >= 0; i--) {
        if (++index[i] < t->extent[i]) return true;
        index[i] = 0;
    }
    return false;
}

static bool exists(const Eval *e, const IrTensor *t, const int64_t *index) {
    for (int i = 0; i < t->n_axes; i++)
        if (e->p->axes.data[t->axes[i]].ragged && instance(e, t, index, t->axes[i]) < 0)
            return false;
    return true;
}

/* Numbers of instances alone into a tensor, or out of it; returns how many there are. */
static int64_t scatter(const Eval *e, const IrTensor *t, const double *from) {
    int64_t index[IR_MAX_AXES] = {0}, n = 0, at = 0;
    if (!is_ragged(e, t)) {
        if (from) memcpy(t->data, from, sizeof(double) * (size_t)t->size);
        return t->size;
    }
    do {
        bool there = exists(e, t, index);
        if (from) t->data[at] = there ? from[n] : 0;
        n += there;
        at++;
    } while (next_position(t, index));
    return n;
}

static int64_t gather(const Eval *e, const IrTensor *t, double *to) {
    int64_t index[IR_MAX_AXES] = {0}, n = 0, at = 0;
    if (!is_ragged(e, t)) {
        memcpy(to, t->data, sizeof(double) * (size_t)t->size);
        return t->size;
    }
    do {
        if (exists(e, t, index)) to[n++] = t->data[at];
        at++;
    } while (next_position(t, index));
    return n;
}

/* The tensor with `x` where there is no instance. */
static IrTensor without_padding(const Eval *e, const IrTensor *t, double x) {
    IrTensor copy = *t;
    if (!is_ragged(e, t)) return copy;
    copy.data = arena_array(e->arena, double, t->size);
    int64_t index[IR_MAX_AXES] = {0}, at = 0;
    do {
        copy.data[at] = exists(e, t, index) ? t->data[at] : x;
        at++;
    } while (next_position(t, index));
    return copy;
}

static int64_t extent_of(const Eval *e, AxisId axis) {
    const IrAxis *a = &e->p->axes.data[axis];
    if (a->kind == AXIS_EVENT) return a->extent;
    return e->env->extent[ir_axis_original(e->p, axis)];
}

/* Gives the result of operation v its shape and room. */
static const char *shape_result(Eval *e, IrValue v) {
    const IrOp *op = &e->p->ops.data[v];
    IrTensor *t = &e->value[v];
    t->n_axes = op->n_axes;
    t->size = 1;
    for (int i = 0; i < op->n_axes; i++) {
        t->axes[i] = op->axes[i];
        t->extent[i] = extent_of(e, op->axes[i]);
        if (t->extent[i] < 1 || t->extent[i] > MAX_ENTRIES / t->size)
            return arena_printf(e->arena, "value %%%d: extent %lld of axis %s is out of range", v,
                                (long long)t->extent[i], e->p->axes.data[op->axes[i]].name);
        t->size *= t->extent[i];
    }
    t->data = malloc(sizeof(double) * (size_t)t->size);
    return t->data ? NULL : "out of memory";
}

/* ---- point-wise operations ---- */

/* out[i] = op(a[i * step a], ...) for i < n: one loop per row of ops.def. */
static void point_run(IrOpcode opcode, int64_t n, double *out, const double *const *arg,
                      const int64_t *step) {
    const double *pa = arg[0], *pb = arg[1], *pc = arg[2];
    const int64_t so = step[0], sa = step[1], sb = step[2], sc = step[3];
    switch (opcode) {
#define POINT_LOOP(ENUM, value)                                          \
    case OP_##ENUM:                                                      \
        for (int64_t i = 0; i < n; i++) {                                \
            const double a = pa[i * sa], b = pb[i * sb], c = pc[i * sc]; \
            (void)b, (void)c;                                            \
            out[i * so] = (value);                                       \
        }                                                                \
        break;
#define EVAL_POINT(ENUM, value) POINT_LOOP(ENUM, value)
#define EVAL_LEAF(ENUM, value)
#define EVAL_REDUCE(ENUM, value)
#define EVAL_CONTRACT(ENUM, value)
#define EVAL_RENAME(ENUM, value)
#define EVAL_PICK(ENUM, value)
#define EVAL_PLACE(ENUM, value)
#define EVAL_SLICE(ENUM, value)
#define EVAL_PAD(ENUM, value)
#define EVAL_SPREAD(ENUM, value)
#define EVAL_RANDOM(ENUM, value)
#define OP(ENUM, text, arity, rule, value, ...) EVAL_##rule(ENUM, value)
#include "ir/ops.def"
#undef OP
    default:
        internal_error("eval", "%s is not point-wise", ir_op_info[opcode].text);
    }
}

double ir_point_value(IrOpcode opcode, double a, double b, double c) {
    double out = 0;
    point_run(opcode, 1, &out, (const double *const[]){&a, &b, &c}, (const int64_t[4]){0});
    return out;
}

static void eval_point(Eval *e, IrValue v) {
    const IrOp *op = &e->p->ops.data[v];
    const IrTensor *t = &e->value[v];
    const IrTensor *tensors[MAX_TENSORS] = {t, t, t, t};
    for (int i = 0; i < op->n_args; i++) tensors[1 + i] = &e->value[op->args[i]];
    /* Operands that the operation lacks read entry 0 of the first one. */
    Walk w = walk_over(t->axes, t->extent, t->n_axes, tensors, 1 + op->n_args);
    int64_t step[MAX_TENSORS], n = walk_inner(&w, step);
    Place at = {0};
    do {
        const double *arg[3];
        for (int i = 0; i < 3; i++)
            arg[i] = i < op->n_args ? tensors[1 + i]->data + at.offset[1 + i] : tensors[1]->data;
        point_run(op->opcode, n, t->data + at.offset[0], arg, step);
    } while (walk_next(&w, &at));
}

/* ---- reductions ---- */

/* out[i] += sum over k of a * b, the two innermost loops of a contraction. */
static void contract_run(int64_t n, int64_t m, double *out, const double *a, const double *b,
                         const int64_t *outer, const int64_t *inner) {
    for (int64_t i = 0; i < n; i++) {
        const double *pa = a + i * outer[1], *pb = b + i * outer[2];
        double sum = 0;
        for (int64_t k = 0; k < m; k++) sum += pa[k * inner[1]] * pb[k * inner[2]];
        out[i * outer[0]] += sum;
    }
}

static void contract_tensors(Eval *e, IrValue v, const IrTensor *left, const IrTensor *right) {
    const IrOp *op = &e->p->ops.data[v];
    const IrTensor x = without_padding(e, left, 0), y = without_padding(e, right, 0);
    const IrTensor *a = &x, *b = &y, *t = &e->value[v], *tensors[] = {t, a, b};
    int64_t extent[IR_MAX_OVER];
    for (int i = 0; i < op->n_over; i++) extent[i] = extent_of(e, op->over[i]);
    Walk kept = walk_over(t->axes, t->extent, t->n_axes, tensors, 3);
    Walk over = walk_over(op->over, extent, op->n_over, tensors, 3);
    int64_t outer[MAX_TENSORS], inner[MAX_TENSORS];
    int64_t n = walk_inner(&kept, outer), m = walk_inner(&over, inner);
    memset(t->data, 0, sizeof(double) * (size_t)t->size);
    Place at = {0};
    do {
        Place sub = {0};
        do {
            contract_run(n, m, t->data + at.offset[0], a->data + at.offset[1] + sub.offset[1],
                         b->data + at.offset[2] + sub.offset[2], outer, inner);
        } while (walk_next(&over, &sub));
    } while (walk_next(&kept, &at));
}

static const char *eval_contract(Eval *e, IrValue v) {
    const IrOp *op = &e->p->ops.data[v];
    contract_tensors(e, v, &e->value[op->args[0]], &e->value[op->args[1]]);
    return NULL;
}

static const char *eval_sum(Eval *e, IrValue v) {
    double one = 1;
    const IrTensor ones = {.size = 1, .data = &one};
    contract_tensors(e, v, &e->value[e->p->ops.data[v].args[0]], &ones);
    return NULL;
}

static const char *eval_max_over(Eval *e, IrValue v) {
    const IrOp *op = &e->p->ops.data[v];
    const IrTensor x = without_padding(e, &e->value[op->args[0]], -INFINITY);
    const IrTensor *t = &e->value[v], *a = &x, *tensors[] = {t, a};
    for (int64_t i = 0; i < t->size; i++) t->data[i] = -INFINITY;
    Walk w = walk_over(a->axes, a->extent, a->n_axes, tensors, 2);
    int64_t step[MAX_TENSORS], n = walk_inner(&w, step);
    Place at = {0};
    do {
        double *out = t->data + at.offset[0];
        const double *in = a->data + at.offset[1];
        for (int64_t i = 0; i < n; i++)
            if (in[i * step[1]] > out[i * step[0]]) out[i * step[0]] = in[i * step[1]];
    } while (walk_next(&w, &at));
    return NULL;
}

/* ---- structural operations: one tensor's entries copied to another's ---- */

/* For every position of the axes of `by`: to[...] = from[...]. `from_axis` renames an axis for
 * `from` (its step along `axis` is from's along `from_axis`), `to_axis` for `to`; the offsets say
 * where each begins. */
typedef struct Copy {
    const IrTensor *to, *from, *by;
    AxisId axis, to_axis, from_axis;
    int64_t to_offset, from_offset;
} Copy;

static void copy_entries(const Copy *c) {
    Walk w = {.n_tensors = 2};
    for (int i = 0; i < c->by->n_axes; i++) {
        AxisId axis = c->by->axes[i];
        int64_t step[] = {step_along(c->to, axis == c->axis ? c->to_axis : axis),
                          step_along(c->from, axis == c->axis ? c->from_axis : axis)};
        walk_add(&w, c->by->extent[i], step);
    }
    int64_t step[MAX_TENSORS], n = walk_inner(&w, step);
    Place at = {0};
    do {
        double *to = c->to->data + c->to_offset + at.offset[0];
        const double *from = c->from->data + c->from_offset + at.offset[1];
        for (int64_t i = 0; i < n; i++) to[i * step[0]] = from[i * step[1]];
    } while (walk_next(&w, &at));
}

static const IrTensor *operand(const Eval *e, IrValue v) {
    return &e->value[e->p->ops.data[v].args[0]];
}

static const char *eval_rename(Eval *e, IrValue v) {
    const IrOp *op = &e->p->ops.data[v];
    const IrTensor *t = &e->value[v];
    copy_entries(&(Copy){.to = t,
                         .from = operand(e, v),
                         .by = t,
                         .axis = op->axis2,
                         .to_axis = op->axis2,
                         .from_axis = op->axis});
    return NULL;
}

static const char *eval_pick(Eval *e, IrValue v) {
    const IrOp *op = &e->p->ops.data[v];
    const IrTensor *t = &e->value[v], *a = operand(e, v);
    copy_entries(&(Copy){.to = t,
                         .from = a,
                         .by = t,
                         .axis = AXIS_NONE,
                         .from_offset = op->index * step_along(a, op->axis)});
    return NULL;
}

static const char *eval_place(Eval *e, IrValue v) {
    const IrOp *op = &e->p->ops.data[v];
    const IrTensor *t = &e->value[v], *a = operand(e, v);
    memset(t->data, 0, sizeof(double) * (size_t)t->size);
    copy_entries(&(Copy){.to = t,
                         .from = a,
                         .by = a,
                         .axis = AXIS_NONE,
                         .to_offset = op->index * step_along(t, op->axis)});
    return NULL;
}

static const char *eval_slice(Eval *e, IrValue v) {
    const IrOp *op = &e->p->ops.data[v];
    const IrTensor *t = &e->value[v], *a = operand(e, v);
    copy_entries(&(Copy){.to = t,
                         .from = a,
                         .by = t,
                         .axis = op->axis2,
                         .to_axis = op->axis2,
                         .from_axis = op->axis,
                         .from_offset = op->index * step_along(a, op->axis)});
    return NULL;
}

static const char *eval_pad(Eval *e, IrValue v) {
    const IrOp *op = &e->p->ops.data[v];
    const IrTensor *t = &e->value[v], *a = operand(e, v);
    memset(t->data, 0, sizeof(double) * (size_t)t->size);
    copy_entries(&(Copy){.to = t,
                         .from = a,
                         .by = a,
                         .axis = op->axis,
                         .to_axis = op->axis2,
                         .from_axis = op->axis,
                         .to_offset = op->index * step_along(t, op->axis2)});
    return NULL;
}

static const char *eval_spread(Eval *e, IrValue v) {
    const IrTensor *t = &e->value[v];
    copy_entries(&(Copy){.to = t, .from = operand(e, v), .by = t, .axis = AXIS_NONE});
    return NULL;
}

/* ---- leaves ---- */

static const char *eval_const(Eval *e, IrValue v) {
    e->value[v].data[0] = e->p->ops.data[v].number;
    return NULL;
}

static const char *eval_table(Eval *e, IrValue v) {
    memcpy(e->value[v].data, e->p->ops.data[v].table, sizeof(double) * (size_t)e->value[v].size);
    return NULL;
}

static const char *eval_extent(Eval *e, IrValue v) {
    AxisId axis = e->p->ops.data[v].axis;
    const IrAxis *a = &e->p->axes.data[axis];
    const IrTensor *t = &e->value[v];
    int64_t index[IR_MAX_AXES] = {0}, at = 0;
    do {
        int64_t around = a->ragged ? instance(e, t, index, a->parent) : 0;
        const int64_t *count = a->ragged ? e->env->count[ir_axis_original(e->p, axis)] : NULL;
        t->data[at++] = !count       ? (double)extent_of(e, axis)
                        : around < 0 ? 0
                                     : (double)count[around];
    } while (next_position(t, index));
    return NULL;
}

static const double *look_up(const Eval *e, IrValue v) {
    return e->env->lookup ? e->env->lookup(e->env->user, e->p, &e->p->ops.data[v]) : NULL;
}

static const char *eval_input(Eval *e, IrValue v) {
    const double *given = look_up(e, v);
    if (!given)
        return arena_printf(e->arena, "no numbers for input \"%s\"", e->p->ops.data[v].name);
    scatter(e, &e->value[v], given);
    return NULL;
}

static int av_kind(IrRandom kind) {
    switch (kind) {
    case RANDOM_NORMAL:
        return AV_NORMAL;
    case RANDOM_UNIFORM:
        return AV_UNIFORM;
    case RANDOM_EXPONENTIAL:
        return AV_EXPONENTIAL;
    case RANDOM_GAMMA:
        return AV_GAMMA;
    case RANDOM_POISSON:
        return AV_POISSON;
    case RANDOM_BINOMIAL:
        return AV_BINOMIAL;
    case RANDOM_GIVEN:
        return AV_GIVEN;
    }
    return AV_NORMAL;
}

static void set_kind(const Eval *e, const IrOp *op, av_random *r) {
    *r = (av_random){.key = {e->env->key[0], e->env->key[1]},
                     .step = e->env->step,
                     .data0 = e->env->data0,
                     .site = (uint32_t)op->index,
                     .kind = av_kind(op->random),
                     .n_data = 1,
                     .n_draw = 1,
                     .n_inst = 1,
                     .s_inst = 1};
}

/* Drawn for the instances one behind the other, as ragged plates have them; parameters likewise. */
static const char *eval_random(Eval *e, IrValue v) {
    const IrOp *op = &e->p->ops.data[v];
    const IrTensor *t = &e->value[v];
    const double *given = look_up(e, v);
    if (given) {
        scatter(e, t, given);
        return NULL;
    }
    av_random r;
    set_kind(e, op, &r);
    int64_t each = scatter(e, t, NULL);
    for (int i = 0; i < t->n_axes; i++) {
        AxisKind kind = e->p->axes.data[t->axes[i]].kind;
        if (kind == AXIS_DATA) r.n_data = t->extent[i];
        if (kind == AXIS_DRAW) r.n_draw = t->extent[i];
    }
    r.n_inst = r.dim[0] = each / (r.n_data * r.n_draw);
    r.n_dims = 1;
    r.s_draw = r.n_inst;
    r.s_data = r.n_inst * r.n_draw;
    for (int k = 0; k < op->n_args; k++) {
        IrTensor param = *t;
        param.data = arena_array(e->arena, double, t->size);
        copy_entries(
            &(Copy){.to = &param, .from = &e->value[op->args[k]], .by = t, .axis = AXIS_NONE});
        double *rows = arena_array(e->arena, double, each + 1);
        gather(e, &param, rows);
        r.param[k] = rows;
        r.p_data[k] = r.s_data;
        r.p_draw[k] = r.s_draw;
        r.p_dim[k][0] = 1;
    }
    double *drawn = arena_array(e->arena, double, each + 1);
    av_fill_f64(&r, drawn);
    scatter(e, t, drawn);
    return NULL;
}

static const char *eval_random_gamma(Eval *e, IrValue v) {
    return eval_random(e, v);
}

static const char *eval_random_poisson(Eval *e, IrValue v) {
    return eval_random(e, v);
}

static const char *eval_random_binomial(Eval *e, IrValue v) {
    return eval_random(e, v);
}

static const char *eval_given(Eval *e, IrValue v) {
    const double *from = look_up(e, v);
    if (from)
        scatter(e, &e->value[v], from);
    else
        memcpy(e->value[v].data, operand(e, v)->data, sizeof(double) * (size_t)e->value[v].size);
    return NULL;
}

/* ---- whole programs ---- */

static const char *eval_op(Eval *e, IrValue v) {
#undef EVAL_POINT
#undef EVAL_LEAF
#undef EVAL_REDUCE
#undef EVAL_CONTRACT
#undef EVAL_RENAME
#undef EVAL_PICK
#undef EVAL_PLACE
#undef EVAL_SLICE
#undef EVAL_PAD
#undef EVAL_SPREAD
#undef EVAL_RANDOM
#define EVAL_POINT(value) NULL
#define EVAL_LEAF(value) eval_##value
#define EVAL_REDUCE(value) eval_##value
#define EVAL_CONTRACT(value) eval_##value
#define EVAL_RENAME(value) eval_##value
#define EVAL_PICK(value) eval_##value
#define EVAL_PLACE(value) eval_##value
#define EVAL_SLICE(value) eval_##value
#define EVAL_PAD(value) eval_##value
#define EVAL_SPREAD(value) eval_##value
#define EVAL_RANDOM(value) eval_##value
    static const char *(*const table[OP_COUNT])(Eval *, IrValue) = {
#define OP(ENUM, text, arity, rule, value, ...) [OP_##ENUM] = EVAL_##rule(value),
#include "ir/ops.def"
#undef OP
    };
    IrOpcode opcode = e->p->ops.data[v].opcode;
    if (table[opcode]) return table[opcode](e, v);
    eval_point(e, v);
    return NULL;
}

/* How often each value will be read; values that no output needs are never read. */
static void count_uses(Eval *e) {
    for (int i = 0; i < e->p->outputs.n; i++) e->uses[e->p->outputs.data[i].value]++;
    for (IrValue v = e->p->ops.n - 1; v >= 0; v--) {
        const IrOp *op = &e->p->ops.data[v];
        for (int i = 0; e->uses[v] && i < op->n_args; i++) e->uses[op->args[i]]++;
    }
}

static const char *eval_values(Eval *e) {
    for (IrValue v = 0; v < e->p->ops.n; v++) {
        if (!e->uses[v]) continue;
        const IrOp *op = &e->p->ops.data[v];
        const char *why = shape_result(e, v);
        if (!why) why = eval_op(e, v);
        if (why) return why;
        for (int i = 0; i < op->n_args; i++)
            if (--e->uses[op->args[i]] == 0) {
                free(e->value[op->args[i]].data);
                e->value[op->args[i]].data = NULL;
            }
    }
    return NULL;
}

const char *ir_eval(Arena *arena, const IrProgram *p, const IrEvalEnv *env, IrTensor *result) {
    Eval e = {.arena = arena, .p = p, .env = env};
    e.value = calloc((size_t)p->ops.n + 1, sizeof *e.value);
    e.uses = calloc((size_t)p->ops.n + 1, sizeof *e.uses);
    const char *why = e.value && e.uses ? NULL : "out of memory";
    if (!why) {
        count_uses(&e);
        why = eval_values(&e);
    }
    for (int i = 0; !why && i < p->outputs.n; i++) {
        result[i] = e.value[p->outputs.data[i].value];
        result[i].data = arena_array(arena, double, result[i].size);
        result[i].size = gather(&e, &e.value[p->outputs.data[i].value], result[i].data);
    }
    for (IrValue v = 0; e.value && v < p->ops.n; v++) free(e.value[v].data);
    free(e.value);
    free(e.uses);
    return why;
}
