/* build.c -- the one door through which operations enter a program, and the builders in front of
 * it.
 *
 * ir_append checks an operation against its row of ops.def and infers the type and the axes of its
 * result. Parser and verifier report its complaint to the user; the builders are called by the
 * compiler alone, whose misuse is an internal error.
 *
 * Canonical order of axes: data, draw, plates, events. Plates stand by the number of their
 * original, then their own, so that a parent (always declared first) precedes its children and a
 * copy stands beside what it copies; events by number.
 */
#include "ir/ir.h"
#include "ir/special.h"

/* ---- axes ---- */

AxisId ir_axis_original(const IrProgram *p, AxisId a) {
    return p->axes.data[a].copy_of == AXIS_NONE ? a : p->axes.data[a].copy_of;
}

static bool stands_before(const IrProgram *p, AxisId a, AxisId b) {
    const IrAxis *x = &p->axes.data[a], *y = &p->axes.data[b];
    if (x->kind != y->kind) return x->kind < y->kind;
    if (x->kind == AXIS_PLATE && ir_axis_original(p, a) != ir_axis_original(p, b))
        return ir_axis_original(p, a) < ir_axis_original(p, b);
    return a < b;
}

int ir_axes_sort(const IrProgram *p, AxisId *axes, int n) {
    for (int i = 1; i < n; i++) {
        AxisId moving = axes[i];
        int k = i;
        for (; k > 0 && stands_before(p, moving, axes[k - 1]); k--) axes[k] = axes[k - 1];
        axes[k] = moving;
    }
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (kept == 0 || axes[kept - 1] != axes[i]) axes[kept++] = axes[i];
    return kept;
}

AxisId ir_axis_find(const IrProgram *p, const char *name) {
    for (int i = 0; i < p->axes.n; i++)
        if (strcmp(p->axes.data[i].name, name) == 0) return i;
    return AXIS_NONE;
}

bool ir_axis_same_extent(const IrProgram *p, AxisId a, AxisId b) {
    const IrAxis *x = &p->axes.data[a], *y = &p->axes.data[b];
    if (x->kind != y->kind) return false;
    if (x->kind == AXIS_EVENT) return x->extent == y->extent;
    return ir_axis_original(p, a) == ir_axis_original(p, b);
}

const char *ir_axis_declare(IrProgram *p, IrAxis axis, AxisId *id) {
    AxisId known = ir_axis_find(p, axis.name);
    if (known != AXIS_NONE) {
        const IrAxis *old = &p->axes.data[known];
        if (old->kind != axis.kind || old->parent != axis.parent || old->copy_of != axis.copy_of ||
            old->extent != axis.extent || old->ragged != axis.ragged)
            return arena_printf(p->arena, "axis %s is declared twice, differently", axis.name);
        *id = known;
        return NULL;
    }
    if (axis.kind == AXIS_EVENT && axis.extent < 1)
        return arena_printf(p->arena, "event axis %s needs an extent of at least 1", axis.name);
    if (axis.kind != AXIS_EVENT && axis.extent != 0)
        return arena_printf(p->arena, "axis %s has its extent at run time", axis.name);
    if (axis.parent != AXIS_NONE &&
        (axis.kind != AXIS_PLATE || axis.parent < 0 || axis.parent >= p->axes.n ||
         p->axes.data[axis.parent].kind != AXIS_PLATE))
        return arena_printf(p->arena, "axis %s: only a plate has a parent, and it is a plate",
                            axis.name);
    if (axis.ragged && axis.parent == AXIS_NONE)
        return arena_printf(p->arena, "axis %s: what is ragged has a parent", axis.name);
    for (int i = 0; axis.kind <= AXIS_DRAW && i < p->axes.n; i++)
        if (p->axes.data[i].kind == axis.kind)
            return arena_printf(p->arena, "a second %s axis, %s",
                                axis.kind == AXIS_DATA ? "data" : "draw", axis.name);
    axis.name = arena_strdup(p->arena, axis.name);
    vec_push(p->arena, &p->axes, axis);
    *id = p->axes.n - 1;
    return NULL;
}

AxisId ir_axis(IrProgram *p, const char *name, AxisKind kind, AxisId parent, int64_t extent) {
    AxisId id = AXIS_NONE;
    IrAxis axis = {
        .name = name, .kind = kind, .parent = parent, .copy_of = AXIS_NONE, .extent = extent};
    const char *why = ir_axis_declare(p, axis, &id);
    if (why) internal_error("ir", "program %s: %s", p->name, why);
    return id;
}

AxisId ir_axis_copy(IrProgram *p, AxisId of, const char *name) {
    if (of < 0 || of >= p->axes.n)
        internal_error("ir", "program %s: copy of no axis, %s", p->name, name);
    AxisId id = AXIS_NONE;
    IrAxis axis = p->axes.data[ir_axis_original(p, of)];
    axis.name = name;
    axis.copy_of = ir_axis_original(p, of);
    const char *why = ir_axis_declare(p, axis, &id);
    if (why) internal_error("ir", "program %s: %s", p->name, why);
    return id;
}

bool ir_axis_around(const IrProgram *p, AxisId outer, AxisId inner) {
    AxisId up = p->axes.data[inner].parent;
    while (up != AXIS_NONE && up != outer) up = p->axes.data[up].parent;
    return up == outer;
}

bool ir_axis_among(const AxisId *axes, int n, AxisId axis) {
    for (int i = 0; i < n; i++)
        if (axes[i] == axis) return true;
    return false;
}

bool ir_has_axis(const IrProgram *p, IrValue v, AxisId axis) {
    return ir_axis_among(p->ops.data[v].axes, p->ops.data[v].n_axes, axis);
}

/* ---- inference: one function per family of axis rules; each returns a complaint or NULL ---- */

static const char *name_of(const IrProgram *p, AxisId axis) {
    return axis >= 0 && axis < p->axes.n ? p->axes.data[axis].name : "(no axis)";
}

static bool is_axis(const IrProgram *p, AxisId axis) {
    return axis >= 0 && axis < p->axes.n;
}

static const char *add_axes(const IrProgram *p, IrOp *op, const AxisId *axes, int n) {
    AxisId all[2 * IR_MAX_AXES];
    memcpy(all, op->axes, sizeof(AxisId) * (size_t)op->n_axes);
    memcpy(all + op->n_axes, axes, sizeof(AxisId) * (size_t)n);
    int total = ir_axes_sort(p, all, op->n_axes + n);
    if (total > IR_MAX_AXES) return arena_printf(p->arena, "more than %d axes", IR_MAX_AXES);
    memcpy(op->axes, all, sizeof(AxisId) * (size_t)total);
    op->n_axes = total;
    return NULL;
}

static void remove_axis(IrOp *op, AxisId axis) {
    int kept = 0;
    for (int i = 0; i < op->n_axes; i++)
        if (op->axes[i] != axis) op->axes[kept++] = op->axes[i];
    op->n_axes = kept;
}

static const char *infer_declared(const IrProgram *p, IrOp *op) {
    if (op->n_axes < 0 || op->n_axes > IR_MAX_AXES)
        return arena_printf(p->arena, "more than %d axes", IR_MAX_AXES);
    for (int i = 0; i < op->n_axes; i++)
        if (!is_axis(p, op->axes[i])) return "an axis that the program does not declare";
    op->n_axes = ir_axes_sort(p, op->axes, op->n_axes);
    return NULL;
}

static const char *infer_leaf(const IrProgram *p, IrOp *op) {
    const char *why = infer_declared(p, op);
    if (why) return why;
    op->type = IR_REAL;
    bool input = op->opcode == OP_INPUT, table = op->opcode == OP_TABLE;
    if (!input && !table) op->n_axes = 0;
    if (input && !op->name) return "an input needs a name";
    if (table && !op->table) return "a table needs its numbers";
    if (op->opcode == OP_EXTENT) {
        if (!is_axis(p, op->axis)) return "the extent of no axis";
        if (p->axes.data[op->axis].ragged)
            for (AxisId a = p->axes.data[op->axis].parent; a != AXIS_NONE;
                 a = p->axes.data[a].parent)
                why = why ? why : add_axes(p, op, &a, 1);
        return why;
    }
    if (table || (input && op->role == ROLE_WEIGHT))
        for (int i = 0; i < op->n_axes; i++)
            if (p->axes.data[op->axes[i]].kind != AXIS_EVENT)
                return arena_printf(p->arena, "%s has event axes alone, not %s",
                                    table ? "a table" : "a weight", name_of(p, op->axes[i]));
    return NULL;
}

/* A stable number of a site: 32-bit FNV-1a of its name, so that all programs of a model agree on
 * it. */
static uint32_t site_number(const char *name) {
    uint32_t hash = 2166136261u;
    for (; *name; name++) hash = (hash ^ (uint8_t)*name) * 16777619u;
    return hash;
}

/* The operation that draws numbers of a kind, as far as it takes operands. */
static IrOpcode drawn_by(IrRandom kind) {
    static const IrOpcode opcodes[] = {[RANDOM_GAMMA] = OP_RANDOM_GAMMA,
                                       [RANDOM_POISSON] = OP_RANDOM_POISSON,
                                       [RANDOM_BINOMIAL] = OP_RANDOM_BINOMIAL,
                                       [RANDOM_GIVEN] = OP_GIVEN};
    return kind < RANDOM_GAMMA ? OP_RANDOM : opcodes[kind];
}

static const char *infer_random(const IrProgram *p, IrOp *op) {
    const char *why = infer_declared(p, op);
    if (why) return why;
    if (!op->name) return "a random source needs a name";
    op->type = IR_REAL;
    op->index = site_number(op->name);
    bool given = op->opcode == OP_GIVEN;
    if (op->opcode != drawn_by(op->random)) return "draws of this kind take other operands";
    for (int k = 0; k < op->n_args; k++) {
        const IrOp *param = &p->ops.data[op->args[k]];
        if (param->type != IR_REAL) return given ? "takes a real" : "a parameter is a real";
        if (given && param->n_axes != op->n_axes) return "the axes are not the operand's";
        for (int i = 0; i < param->n_axes; i++)
            if (!ir_axis_among(op->axes, op->n_axes, param->axes[i]))
                return arena_printf(p->arena, "the draws lack axis %s of a parameter",
                                    name_of(p, param->axes[i]));
        for (int i = 0; i < op->n_axes; i++)
            if (p->axes.data[op->axes[i]].ragged &&
                !ir_axis_among(param->axes, param->n_axes, op->axes[i]))
                return arena_printf(p->arena, "a parameter lacks axis %s, which is ragged",
                                    name_of(p, op->axes[i]));
    }
    return NULL;
}

static bool is_order(const IrOp *op) {
    return op->opcode == OP_CONST && op->number >= 0 && op->number <= MAX_BESSEL_ORDER;
}

static const char *infer_point_type(const IrProgram *p, IrOp *op) {
    IrType type[3] = {IR_REAL, IR_REAL, IR_REAL};
    for (int i = 0; i < op->n_args; i++) type[i] = p->ops.data[op->args[i]].type;
    switch (op->opcode) {
    case OP_LT:
    case OP_LE:
    case OP_EQ:
        op->type = IR_BOOL;
        return type[0] == type[1] && type[0] != IR_BOOL ? NULL : "compares two reals";
    case OP_AND:
    case OP_OR:
    case OP_NOT:
        op->type = IR_BOOL;
        return type[0] == IR_BOOL && (op->n_args == 1 || type[1] == IR_BOOL) ? NULL : "takes bools";
    case OP_SELECT:
        op->type = type[1];
        return type[0] == IR_BOOL && type[1] == type[2] ? NULL
                                                        : "takes a bool and two values of one type";
    case OP_STOP_GRADIENT:
        op->type = type[0];
        return NULL;
    case OP_LOG_BESSEL_I:
    case OP_BESSEL_RATIO: /* code is made for the order */
        op->type = IR_REAL;
        if (type[1] != IR_REAL) return "takes reals";
        return is_order(&p->ops.data[op->args[0]])
                   ? NULL
                   : arena_printf(p->arena, "takes a const from 0 to %d as order",
                                  MAX_BESSEL_ORDER);
    default:
        op->type = IR_REAL;
        for (int i = 0; i < op->n_args; i++)
            if (type[i] != IR_REAL) return "takes reals";
        return NULL;
    }
}

/* Point-wise operations and contractions: the union of the operands' axes. */
static const char *infer_union(const IrProgram *p, IrOp *op) {
    op->n_axes = 0;
    for (int i = 0; i < op->n_args; i++) {
        const IrOp *arg = &p->ops.data[op->args[i]];
        const char *why = add_axes(p, op, arg->axes, arg->n_axes);
        if (why) return why;
    }
    return infer_point_type(p, op);
}

static const char *infer_over(const IrProgram *p, IrOp *op) {
    const char *why = infer_union(p, op);
    if (why) return why;
    if (op->n_over < 1 || op->n_over > IR_MAX_OVER)
        return arena_printf(p->arena, "reduces over 1 to %d axes", IR_MAX_OVER);
    for (int i = 0; i < op->n_over; i++) {
        if (!is_axis(p, op->over[i])) return "reduces over no axis";
        if (!ir_axis_among(op->axes, op->n_axes, op->over[i]))
            return arena_printf(p->arena, "reduces over %s, which no operand has",
                                name_of(p, op->over[i]));
    }
    op->n_over = ir_axes_sort(p, op->over, op->n_over);
    for (int i = 0; i < op->n_over; i++) remove_axis(op, op->over[i]);
    return NULL;
}

/* The event axes that slice and pad speak of: a stretch of the longer one. */
static const char *check_stretch(const IrProgram *p, AxisId whole, AxisId part, int64_t start) {
    const IrAxis *w = &p->axes.data[whole], *s = &p->axes.data[part];
    if (w->kind != AXIS_EVENT || s->kind != AXIS_EVENT) return "takes event axes";
    if (start < 0 || start > w->extent - s->extent)
        return arena_printf(p->arena, "%s (%lld) from %lld does not fit into %s (%lld)", s->name,
                            (long long)s->extent, (long long)start, w->name, (long long)w->extent);
    return NULL;
}

static const char *check_position(const IrProgram *p, AxisId axis, int64_t index) {
    const IrAxis *a = &p->axes.data[axis];
    if (a->kind != AXIS_EVENT)
        return arena_printf(p->arena, "takes an event axis, not %s", a->name);
    if (index < 0 || index >= a->extent)
        return arena_printf(p->arena, "position %lld is outside of %s (%lld)", (long long)index,
                            a->name, (long long)a->extent);
    return NULL;
}

/* rename, pick, place, slice, pad. */
static const char *infer_structural(const IrProgram *p, IrOp *op, IrRule rule) {
    const IrOp *arg = &p->ops.data[op->args[0]];
    op->type = arg->type;
    op->n_axes = arg->n_axes;
    memcpy(op->axes, arg->axes, sizeof op->axes);
    bool two = rule == RULE_RENAME || rule == RULE_SLICE || rule == RULE_PAD;
    if (!is_axis(p, op->axis) || (two && !is_axis(p, op->axis2))) return "speaks of no axis";
    if (rule == RULE_PLACE) {
        if (ir_axis_among(arg->axes, arg->n_axes, op->axis))
            return arena_printf(p->arena, "the operand already has axis %s", name_of(p, op->axis));
        const char *why = check_position(p, op->axis, op->index);
        return why ? why : add_axes(p, op, &op->axis, 1);
    }
    if (!ir_axis_among(arg->axes, arg->n_axes, op->axis))
        return arena_printf(p->arena, "the operand lacks axis %s", name_of(p, op->axis));
    remove_axis(op, op->axis);
    if (rule == RULE_PICK) return check_position(p, op->axis, op->index);
    if (ir_axis_among(arg->axes, arg->n_axes, op->axis2))
        return arena_printf(p->arena, "the operand already has axis %s", name_of(p, op->axis2));
    const char *why = NULL;
    if (rule == RULE_SLICE) why = check_stretch(p, op->axis, op->axis2, op->index);
    if (rule == RULE_PAD) why = check_stretch(p, op->axis2, op->axis, op->index);
    if (rule == RULE_RENAME && !ir_axis_same_extent(p, op->axis, op->axis2))
        why = arena_printf(p->arena, "%s and %s differ in extent", name_of(p, op->axis),
                           name_of(p, op->axis2));
    return why ? why : add_axes(p, op, &op->axis2, 1);
}

static const char *infer_spread(const IrProgram *p, IrOp *op) {
    const char *why = infer_declared(p, op);
    if (why) return why;
    const IrOp *arg = &p->ops.data[op->args[0]];
    op->type = arg->type;
    return add_axes(p, op, arg->axes, arg->n_axes);
}

/* Instances of a ragged plate are counted within those of its parent. */
static const char *check_ragged(const IrProgram *p, const IrOp *op) {
    for (int i = 0; i < op->n_axes; i++) {
        const IrAxis *a = &p->axes.data[op->axes[i]];
        if (a->ragged && !ir_axis_among(op->axes, op->n_axes, a->parent))
            return arena_printf(p->arena, "has axis %s and not %s, by whose instances it is ragged",
                                a->name, name_of(p, a->parent));
    }
    return NULL;
}

/* The numbers an operation does not speak of are zeroed, so that equal operations are equal bit by
 * bit. */
static void clear_unused(IrOp *op) {
    IrRule rule = ir_op_info[op->opcode].rule;
    bool structural = rule >= RULE_RENAME && rule <= RULE_PAD;
    bool two = structural && rule != RULE_PICK && rule != RULE_PLACE;
    if (rule != RULE_REDUCE && rule != RULE_CONTRACT) op->n_over = 0;
    if (!structural && op->opcode != OP_EXTENT) op->axis = AXIS_NONE;
    if (!two) op->axis2 = AXIS_NONE;
    if ((!structural && rule != RULE_RANDOM) || rule == RULE_RENAME) op->index = 0;
    if (op->opcode != OP_CONST) op->number = 0;
    if (op->opcode != OP_TABLE) op->table = NULL;
    if (op->opcode != OP_INPUT && rule != RULE_RANDOM) op->name = NULL;
    if (op->opcode != OP_INPUT) op->role = ROLE_WEIGHT;
    if (rule != RULE_RANDOM) op->random = RANDOM_NORMAL;
}

const char *ir_infer(const IrProgram *p, IrOp *op, int position) {
    if ((int)op->opcode < 0 || op->opcode >= OP_COUNT) return "an unknown operation";
    const IrOpInfo *info = &ir_op_info[op->opcode];
    if (op->n_args != info->arity)
        return arena_printf(p->arena, "%s takes %d operands, not %d", info->text, info->arity,
                            op->n_args);
    for (int i = 0; i < op->n_args; i++)
        if (op->args[i] < 0 || op->args[i] >= position)
            return arena_printf(p->arena, "%s: operand %%%d does not stand before it", info->text,
                                op->args[i]);
    const char *why = NULL;
    switch (info->rule) {
    case RULE_LEAF:
        why = infer_leaf(p, op);
        break;
    case RULE_POINT:
        why = infer_union(p, op);
        break;
    case RULE_REDUCE:
    case RULE_CONTRACT:
        why = infer_over(p, op);
        break;
    case RULE_RENAME:
    case RULE_PICK:
    case RULE_PLACE:
    case RULE_SLICE:
    case RULE_PAD:
        why = infer_structural(p, op, info->rule);
        break;
    case RULE_SPREAD:
        why = infer_spread(p, op);
        break;
    case RULE_RANDOM:
        why = infer_random(p, op);
        break;
    }
    if (!why) why = check_ragged(p, op);
    if (why) return arena_printf(p->arena, "%s: %s", info->text, why);
    clear_unused(op);
    return NULL;
}

IrValue ir_append(IrProgram *p, IrOp op, const char **why) {
    *why = ir_infer(p, &op, p->ops.n);
    if (*why) return IR_NONE;
    if (!op.note) op.note = p->note;
    vec_push(p->arena, &p->ops, op);
    return p->ops.n - 1;
}

/* ---- builders ---- */

static IrValue must(IrProgram *p, IrOp op) {
    const char *why;
    IrValue v = ir_append(p, op, &why);
    if (why)
        internal_error("ir", "program %s, operation %%%d (%s): %s", p->name, p->ops.n,
                       p->note ? p->note : "no note", why);
    return v;
}

IrProgram *ir_program_new(Arena *arena, const char *name) {
    IrProgram *p = arena_new_of(arena, IrProgram);
    p->arena = arena;
    p->name = arena_strdup(arena, name);
    return p;
}

IrProgram *ir_program_like(const IrProgram *p) {
    IrProgram *q = ir_program_new(p->arena, p->name);
    q->as_written = p->as_written;
    for (int i = 0; i < p->axes.n; i++) vec_push(q->arena, &q->axes, p->axes.data[i]);
    return q;
}

static IrOp with_axes(IrProgram *p, IrOp op, const AxisId *axes, int n) {
    if (n > IR_MAX_AXES)
        internal_error("ir", "program %s: more than %d axes", p->name, IR_MAX_AXES);
    if (n) memcpy(op.axes, axes, sizeof(AxisId) * (size_t)n);
    op.n_axes = n;
    return op;
}

static IrOp with_over(IrProgram *p, IrOp op, const AxisId *over, int n) {
    if (n > IR_MAX_OVER)
        internal_error("ir", "program %s: more than %d axes", p->name, IR_MAX_OVER);
    if (n) memcpy(op.over, over, sizeof(AxisId) * (size_t)n);
    op.n_over = n;
    return op;
}

IrValue ir_const(IrProgram *p, double number) {
    return must(p, (IrOp){.opcode = OP_CONST, .number = number});
}

int64_t ir_event_size(const IrProgram *p, const AxisId *axes, int n) {
    int64_t size = 1;
    for (int i = 0; i < n; i++) {
        int64_t extent = p->axes.data[axes[i]].extent;
        if (p->axes.data[axes[i]].kind != AXIS_EVENT || extent > IR_MAX_TABLE / size) return -1;
        size *= extent;
    }
    return size;
}

IrValue ir_table(IrProgram *p, const double *data, const AxisId *axes, int n_axes) {
    IrOp op = with_axes(p, (IrOp){.opcode = OP_TABLE}, axes, n_axes);
    int64_t size = ir_event_size(p, axes, n_axes);
    if (size < 0) internal_error("ir", "program %s: a table has event axes alone", p->name);
    double *copy = arena_array(p->arena, double, size);
    memcpy(copy, data, sizeof(double) * (size_t)size);
    op.table = copy;
    IrValue v = must(p, op);
    /* The numbers were given in the order of `axes`: that order must be the canonical one. */
    if (p->ops.data[v].n_axes != n_axes ||
        (n_axes && memcmp(p->ops.data[v].axes, axes, sizeof(AxisId) * (size_t)n_axes) != 0))
        internal_error("ir", "program %s: a table's axes are not in canonical order", p->name);
    return v;
}

IrValue ir_input(IrProgram *p, const char *name, IrRole role, const AxisId *axes, int n_axes) {
    IrOp op = {.opcode = OP_INPUT, .name = arena_strdup(p->arena, name), .role = role};
    return must(p, with_axes(p, op, axes, n_axes));
}

IrValue ir_random(IrProgram *p, IrRandom kind, const char *site, const AxisId *axes, int n_axes) {
    IrOp op = {.opcode = OP_RANDOM, .name = arena_strdup(p->arena, site), .random = kind};
    return must(p, with_axes(p, op, axes, n_axes));
}

/* Along all plates among `axes`. */
static IrValue spread_plates(IrProgram *p, IrValue v, const AxisId *axes, int n) {
    AxisId plates[IR_MAX_AXES];
    int found = 0;
    for (int i = 0; i < n; i++)
        if (p->axes.data[axes[i]].kind == AXIS_PLATE) plates[found++] = axes[i];
    return ir_spread(p, v, plates, found);
}

IrValue ir_random_of(IrProgram *p, IrRandom kind, const IrValue *params, const char *site,
                     const AxisId *axes, int n_axes) {
    IrOp op = {.opcode = drawn_by(kind), .random = kind};
    op.n_args = ir_op_info[op.opcode].arity;
    for (int i = 0; i < op.n_args; i++) op.args[i] = params[i];
    for (int i = 0; i < n_axes; i++) /* draws along a ragged axis have no regular place */
        for (int k = 0; k < op.n_args && p->axes.data[axes[i]].ragged; k++)
            op.args[k] = spread_plates(p, op.args[k], axes, n_axes);
    op.name = arena_strdup(p->arena, site);
    return must(p, with_axes(p, op, axes, n_axes));
}

IrValue ir_given(IrProgram *p, IrValue v, const char *name) {
    IrOp op = {.opcode = OP_GIVEN, .n_args = 1, .args = {v}, .random = RANDOM_GIVEN};
    op.name = arena_strdup(p->arena, name);
    return must(p, with_axes(p, op, p->ops.data[v].axes, p->ops.data[v].n_axes));
}

IrValue ir_extent(IrProgram *p, AxisId axis) {
    return must(p, (IrOp){.opcode = OP_EXTENT, .axis = axis});
}

/* Is `outer` around one of these axes? */
static bool is_around(const IrProgram *p, AxisId outer, const AxisId *axes, int n) {
    bool around = false;
    for (int i = 0; i < n; i++) around |= ir_axis_around(p, outer, axes[i]);
    return around;
}

/* From the inside out: an extent may lie along a ragged axis that v lacks, which then has it. */
IrCountedSum ir_counted_sum(const IrProgram *p, IrValue v, const AxisId *axes, int n) {
    IrCountedSum sum = {0, 0, 0, {0}, {0}, {0}};
    for (int k = n - 1; k >= 0; k--) {
        bool had = ir_has_axis(p, v, axes[k]) || is_around(p, axes[k], sum.first, sum.n_first);
        if (p->axes.data[axes[k]].ragged && !had) sum.first[sum.n_first++] = axes[k];
    }
    for (int k = 0; k < n; k++)
        if (ir_has_axis(p, v, axes[k]) || is_around(p, axes[k], sum.first, sum.n_first))
            sum.own[sum.n_own++] = axes[k];
        else if (!p->axes.data[axes[k]].ragged)
            sum.last[sum.n_last++] = axes[k];
    return sum;
}

IrValue ir_sum_at(IrProgram *p, IrValue v, const AxisId *axes, int n) {
    const IrCountedSum sum = ir_counted_sum(p, v, axes, n);
    for (int k = 0; k < sum.n_first; k++) v = ir_mul(p, v, ir_extent(p, sum.first[k]));
    if (sum.n_own) v = ir_sum(p, v, sum.own, sum.n_own);
    for (int k = 0; k < sum.n_last; k++) v = ir_mul(p, v, ir_extent(p, sum.last[k]));
    return v;
}

IrValue ir_point(IrProgram *p, IrOpcode opcode, const IrValue *args, int n) {
    IrOp op = {.opcode = opcode, .n_args = n};
    memcpy(op.args, args, sizeof(IrValue) * (size_t)n);
    if (ir_op_info[opcode].rule != RULE_POINT)
        internal_error("ir", "program %s: %s is not point-wise", p->name, ir_op_info[opcode].text);
    return must(p, op);
}

static IrValue reduce(IrProgram *p, IrOpcode opcode, IrValue a, const AxisId *over, int n_over) {
    if (n_over == 0) return a;
    return must(p, with_over(p, (IrOp){.opcode = opcode, .n_args = 1, .args = {a}}, over, n_over));
}

IrValue ir_sum(IrProgram *p, IrValue a, const AxisId *over, int n_over) {
    return reduce(p, OP_SUM, a, over, n_over);
}

IrValue ir_max_over(IrProgram *p, IrValue a, const AxisId *over, int n_over) {
    return reduce(p, OP_MAX_OVER, a, over, n_over);
}

IrValue ir_contract(IrProgram *p, IrValue a, IrValue b, const AxisId *over, int n_over) {
    if (n_over == 0) return ir_mul(p, a, b);
    IrOp op = {.opcode = OP_CONTRACT, .n_args = 2, .args = {a, b}};
    return must(p, with_over(p, op, over, n_over));
}

static IrValue structural(IrProgram *p, IrOpcode opcode, IrValue a, AxisId axis, AxisId axis2,
                          int64_t index) {
    return must(p, (IrOp){.opcode = opcode,
                          .n_args = 1,
                          .args = {a},
                          .axis = axis,
                          .axis2 = axis2,
                          .index = index});
}

IrValue ir_rename(IrProgram *p, IrValue a, AxisId from, AxisId to) {
    return structural(p, OP_RENAME, a, from, to, 0);
}

IrValue ir_pick(IrProgram *p, IrValue a, AxisId axis, int64_t index) {
    return structural(p, OP_PICK, a, axis, AXIS_NONE, index);
}

IrValue ir_place(IrProgram *p, IrValue a, AxisId axis, int64_t index) {
    return structural(p, OP_PLACE, a, axis, AXIS_NONE, index);
}

IrValue ir_slice(IrProgram *p, IrValue a, AxisId from, AxisId to, int64_t start) {
    return structural(p, OP_SLICE, a, from, to, start);
}

IrValue ir_pad(IrProgram *p, IrValue a, AxisId from, AxisId to, int64_t start) {
    return structural(p, OP_PAD, a, from, to, start);
}

IrValue ir_spread(IrProgram *p, IrValue a, const AxisId *axes, int n_axes) {
    IrOp op = {.opcode = OP_SPREAD, .n_args = 1, .args = {a}};
    return must(p, with_axes(p, op, axes, n_axes));
}

void ir_output(IrProgram *p, const char *name, IrValue v) {
    if (v < 0 || v >= p->ops.n)
        internal_error("ir", "program %s: output %s of no value", p->name, name);
    vec_push(p->arena, &p->outputs, (IrOutput){arena_strdup(p->arena, name), v});
}
