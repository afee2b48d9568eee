/* ir_values.c -- see ir_values.h. */
#include "ir_values.h"

#include "opt/opt.h"

#include <stdlib.h>

double values_random(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*state >> 11) / 9007199254740992.0;
}

int values_pick(uint64_t *state, int n) {
    return (int)(values_random(state) * n);
}

Values values_new(Arena *arena, const IrProgram *p) {
    Values v = {.arena = arena};
    for (int k = 0; k < 4; k++) v.low[k] = -1, v.high[k] = 1;
    for (int i = 0, next = 2; i < p->axes.n; i++)
        v.extent[i] = p->axes.data[i].kind == AXIS_EVENT     ? p->axes.data[i].extent
                      : p->axes.data[i].copy_of != AXIS_NONE ? v.extent[p->axes.data[i].copy_of]
                                                             : next++;
    values_cut(&v, p);
    return v;
}

int64_t env_extent(const IrProgram *p, const IrEvalEnv *env, AxisId axis) {
    const IrAxis *a = &p->axes.data[axis];
    return a->kind == AXIS_EVENT ? a->extent : env->extent[a->copy_of >= 0 ? a->copy_of : axis];
}

int64_t env_instances(const IrProgram *p, const IrEvalEnv *env, AxisId axis) {
    if (axis == AXIS_NONE) return 1;
    const IrAxis *a = &p->axes.data[axis];
    int64_t around = env_instances(p, env, a->parent), n = 0;
    if (!a->ragged) return around * env_extent(p, env, axis);
    const int64_t *count = env->count[a->copy_of >= 0 ? a->copy_of : axis];
    for (int64_t i = 0; i < around; i++) n += count[i];
    return n;
}

int64_t env_size(const IrProgram *p, const IrEvalEnv *env, const AxisId *axes, int n) {
    int64_t size = 1;
    bool inside = false;
    for (int i = n - 1; i >= 0; i--) {
        const IrAxis *a = &p->axes.data[axes[i]];
        if (inside && a->kind == AXIS_PLATE) continue;
        size *= a->ragged ? env_instances(p, env, axes[i]) : env_extent(p, env, axes[i]);
        inside |= a->ragged;
    }
    return size;
}

void values_cut(Values *v, const IrProgram *p) {
    const IrEvalEnv env = values_env(v);
    for (int i = 0; i < p->axes.n; i++) {
        const IrAxis *a = &p->axes.data[i];
        if (!a->ragged) continue;
        int64_t around = env_instances(p, &env, a->parent);
        v->count[i] = a->copy_of == AXIS_NONE ? arena_array(v->arena, int64_t, around + 1)
                                              : v->count[a->copy_of];
        for (int64_t k = 0; k < around; k++) v->count[i][k] = (k + 3) % (v->extent[i] + 1);
    }
}

/* Of the ragged plate that the input names. */
static const double *segment(Values *v, const IrProgram *p, const IrOp *op) {
    const char *colon = strchr(op->name, ':');
    const char *plate = arena_printf(v->arena, "%.*s", (int)(colon - op->name), op->name);
    AxisId axis = ir_axis_find(p, plate);
    const IrEvalEnv env = values_env(v);
    int64_t around = env_instances(p, &env, p->axes.data[axis].parent), before = 0;
    double *data = arena_array(v->arena, double, around + 1);
    for (int64_t i = 0; i < around; i++) {
        data[i] = colon[1] == 'f' ? (double)before : (double)v->count[axis][i];
        before += v->count[axis][i];
    }
    return data;
}

static const double *values_lookup(void *user, const IrProgram *p, const IrOp *op) {
    Values *v = user;
    for (int i = 0; i < v->known.n; i++)
        if (strcmp(v->known.data[i].name, op->name) == 0) return v->known.data[i].data;
    if (op->role == ROLE_SEGMENT) return segment(v, p, op);
    const IrEvalEnv env = values_env(v);
    int64_t n = env_size(p, &env, op->axes, op->n_axes);
    double *data = arena_array(v->arena, double, n);
    int which =
        op->name[0] == 'x' && op->name[1] >= '0' && op->name[1] <= '3' ? op->name[1] - '0' : -1;
    double low = which < 0 ? -1 : v->low[which], high = which < 0 ? 1 : v->high[which];
    uint64_t state = 99;
    for (const char *c = op->name; *c; c++) state = state * 31 + (uint8_t)*c;
    for (int64_t i = 0; i < n; i++) {
        double u = values_random(&state);
        /* on a grid of 251 places, each used once, in a quarter of its own per input */
        if (v->spaced) u = (double)((i * 101 + 17 * which + 30) % 251) / 251 + 0.001 * (which + 1);
        data[i] = low + (high - low) * u;
    }
    vec_push(v->arena, &v->known, (NamedNumbers){op->name, data});
    return data;
}

IrEvalEnv values_env(Values *values) {
    return (IrEvalEnv){.extent = values->extent,
                       .count = (const int64_t *const *)values->count,
                       .lookup = values_lookup,
                       .user = values};
}

const char *ir_text(const IrProgram *p) {
    Text out;
    text_init(&out, p->arena);
    ir_print(&out, p);
    return out.data;
}

void add_gradients(IrProgram *p) {
    VEC(IrValue) inputs = {0};
    IrValue loss = IR_NONE;
    for (int i = 0; i < p->outputs.n; i++)
        if (strcmp(p->outputs.data[i].name, "loss") == 0) loss = p->outputs.data[i].value;
    for (IrValue v = 0; v < p->ops.n; v++)
        if (p->ops.data[v].opcode == OP_INPUT) vec_push(p->arena, &inputs, v);
    if (inputs.n == 0 || loss == IR_NONE) return;
    IrValue *grad = arena_array(p->arena, IrValue, inputs.n);
    opt_grad(p, loss, inputs.data, inputs.n, grad);
    for (int i = 0; i < inputs.n; i++)
        ir_output(p, arena_printf(p->arena, "grad:%s", p->ops.data[inputs.data[i]].name), grad[i]);
}

/* ---- random programs ---- */

typedef struct Maker {
    IrProgram *p;
    uint64_t state;
    bool smooth, ragged;
    AxisId data, axes[10];
    int n_axes, events; /* the first event axis */
} Maker;

/* Ragged plates are told from events of 2 and 3 by their names. */
static void make_ragged_axes(Maker *m) {
    IrProgram *p = m->p;
    AxisId group = ir_axis(p, "group", AXIS_PLATE, AXIS_NONE, 0), obs, cell;
    ir_axis_declare(
        p,
        (IrAxis){.name = "obs", .kind = AXIS_PLATE, .parent = group, .ragged = true, .copy_of = -1},
        &obs);
    p->axes.data[obs].usual = 20;
    ir_axis_declare(
        p,
        (IrAxis){.name = "cell", .kind = AXIS_PLATE, .parent = obs, .ragged = true, .copy_of = -1},
        &cell);
    AxisId axes[] = {ir_axis(p, "data", AXIS_DATA, AXIS_NONE, 0),
                     ir_axis(p, "draw", AXIS_DRAW, AXIS_NONE, 0),
                     group,
                     obs,
                     ir_axis_copy(p, obs, "obs.b"),
                     cell,
                     ir_axis(p, "part", AXIS_PLATE, cell, 0),
                     ir_axis(p, "e2", AXIS_EVENT, AXIS_NONE, 2),
                     ir_axis(p, "e3", AXIS_EVENT, AXIS_NONE, 3)};
    m->n_axes = (int)(sizeof axes / sizeof axes[0]);
    memcpy(m->axes, axes, sizeof axes);
    m->data = axes[0];
    m->events = 7;
}

/* With a plate, those around it. */
static int with_parents(const Maker *m, AxisId *axes, int n) {
    for (int i = 0; i < n && n < IR_MAX_AXES; i++) {
        AxisId parent = m->p->axes.data[axes[i]].parent;
        if (m->ragged && parent != AXIS_NONE && !ir_axis_among(axes, n, parent)) axes[n++] = parent;
    }
    return ir_axes_sort(m->p, axes, n);
}

/* Two axes of one ragged plate are padded in programs, and not in what is given to them. */
static bool has_copy(const Maker *m, const AxisId *axes, int n) {
    for (int i = 0; i < n && m->ragged; i++)
        if (m->p->axes.data[axes[i]].copy_of != AXIS_NONE) return true;
    return false;
}

static void make_axes(Maker *m) {
    IrProgram *p = m->p;
    m->events = 5;
    AxisId group = ir_axis(p, "group", AXIS_PLATE, AXIS_NONE, 0);
    AxisId obs = ir_axis(p, "obs", AXIS_PLATE, group, 0);
    p->axes.data[obs].usual = 20;
    AxisId e2 = ir_axis(p, "e2", AXIS_EVENT, AXIS_NONE, 2),
           e3 = ir_axis(p, "e3", AXIS_EVENT, AXIS_NONE, 3);
    AxisId axes[] = {ir_axis(p, "data", AXIS_DATA, AXIS_NONE, 0),
                     ir_axis(p, "draw", AXIS_DRAW, AXIS_NONE, 0),
                     group,
                     obs,
                     ir_axis_copy(p, obs, "obs.b"),
                     e2,
                     e3,
                     ir_axis(p, "f3", AXIS_EVENT, AXIS_NONE, 3),
                     ir_axis(p, "e1", AXIS_EVENT, AXIS_NONE, 1)};
    m->n_axes = (int)(sizeof axes / sizeof axes[0]);
    memcpy(m->axes, axes, sizeof axes);
    m->data = axes[0];
}

/* A few random axes (each of `of` with probability 1/3). */
static int some_axes(Maker *m, const AxisId *of, int n, AxisId *out, int limit) {
    int count = 0;
    for (int i = 0; i < n && count < limit; i++)
        if (values_pick(&m->state, 3) == 0) out[count++] = of[i];
    return count;
}

static IrValue any_value(Maker *m) {
    /* the later half more often: chains, not a star around the inputs */
    int n = m->p->ops.n, from = values_pick(&m->state, 2) ? n / 2 : 0;
    return from + values_pick(&m->state, n - from);
}

static IrOp random_leaf(Maker *m) {
    static const double numbers[] = {0, 1, -1, 2, 0.5, 0.3};
    IrOp op = {.number = numbers[values_pick(&m->state, 6)]};
    op.n_axes = some_axes(m, m->axes, m->n_axes, op.axes, 3);
    op.n_axes = with_parents(m, op.axes, op.n_axes);
    if (has_copy(m, op.axes, op.n_axes)) op.n_axes = 0;
    switch (values_pick(&m->state, 6)) {
    case 0:
        op.opcode = OP_CONST;
        op.n_axes = 0;
        break;
    case 1: {
        op.opcode = OP_TABLE;
        op.n_axes = some_axes(m, m->axes + m->events, m->n_axes - m->events, op.axes, 2);
        double *table = arena_array(m->p->arena, double, 9);
        for (int i = 0; i < 9; i++) table[i] = values_random(&m->state);
        op.table = table;
        break;
    }
    case 2:
        op.opcode = OP_EXTENT;
        op.n_axes = 0;
        op.axis = m->axes[values_pick(&m->state, m->n_axes)];
        break;
    case 3:
        op.opcode = OP_RANDOM;
        op.name = arena_printf(m->p->arena, "site%d", m->p->ops.n);
        break;
    default:
        op.opcode = OP_INPUT;
        op.role = ROLE_LATENT;
        op.name = arena_printf(m->p->arena, "in%d", m->p->ops.n);
    }
    return op;
}

static bool allowed(const Maker *m, IrOpcode opcode) {
    static const IrOpcode wild[] = {OP_EXP,       OP_EXPM1, OP_LOG,          OP_LOG1P,
                                    OP_SQRT,      OP_RECIP, OP_LGAMMA,       OP_DIGAMMA,
                                    OP_DIV,       OP_POW,   OP_RANDOM_GAMMA, OP_INV_PHI,
                                    OP_LOG1M_EXP, OP_ATAN2, OP_LOG_BESSEL_I, OP_BESSEL_RATIO};
    static const IrOpcode kinks[] = {OP_ABS, OP_SIGN, OP_RELU, OP_MIN,      OP_MAX,
                                     OP_LT,  OP_LE,   OP_EQ,   OP_MAX_OVER, OP_STOP_GRADIENT};
    for (size_t i = 0; i < sizeof wild / sizeof wild[0]; i++)
        if (wild[i] == opcode) return false;
    for (size_t i = 0; i < sizeof kinks / sizeof kinks[0] && m->smooth; i++)
        if (kinks[i] == opcode) return false;
    return true;
}

static IrOp random_operation(Maker *m) {
    IrOp op = {.opcode = (IrOpcode)values_pick(&m->state, OP_COUNT)};
    const IrOpInfo *info = &ir_op_info[op.opcode];
    if (info->rule == RULE_LEAF || info->rule == RULE_RANDOM || !allowed(m, op.opcode))
        return random_leaf(m);
    op.n_args = info->arity;
    for (int i = 0; i < op.n_args; i++) op.args[i] = any_value(m);
    const IrOp *a = &m->p->ops.data[op.args[0]];
    op.axis = a->n_axes ? a->axes[values_pick(&m->state, a->n_axes)] : m->axes[0];
    if (info->rule == RULE_PLACE) op.axis = m->axes[values_pick(&m->state, m->n_axes)];
    op.axis2 = m->axes[values_pick(&m->state, m->n_axes)];
    op.index = values_pick(&m->state, 3);
    if (info->rule == RULE_SPREAD)
        op.n_axes = with_parents(m, op.axes, some_axes(m, m->axes, m->n_axes, op.axes, 2));
    if (info->rule == RULE_REDUCE || info->rule == RULE_CONTRACT)
        op.n_over = some_axes(m, a->axes, a->n_axes, op.over, 3);
    for (int i = 0; i < op.n_over; i++) /* sums over data sets may only be outputs */
        if (op.over[i] == m->data) op.n_over = 0;
    return op;
}

/* Bounded, so that numbers neither grow without limit nor vanish. */
static IrValue add_loss(Maker *m, IrValue v, IrValue loss) {
    IrProgram *p = m->p;
    IrValue bounded = ir_tanh(p, v), data = ir_spread(p, bounded, &m->data, 1);
    IrOp over = p->ops.data[data];
    IrValue part = ir_sum(p, data, over.axes, over.n_axes);
    return loss == IR_NONE ? part : ir_add(p, loss, part);
}

static IrProgram *make_program(Arena *arena, uint64_t seed, int size, bool smooth, bool ragged) {
    Maker m = {.p = ir_program_new(arena, "random"),
               .state = seed * 7919 + 13,
               .smooth = smooth,
               .ragged = ragged};
    if (ragged)
        make_ragged_axes(&m);
    else
        make_axes(&m);
    for (int i = 0; i < 3; i++) {
        const char *why;
        ir_append(m.p, random_leaf(&m), &why);
    }
    for (int tries = 0; m.p->ops.n < size && tries < 20 * size; tries++) {
        const char *why;
        IrOp op = random_operation(&m);
        op.note = tries % 5 ? NULL : "every fifth";
        IrOp inferred = op;
        if (ir_infer(m.p, &inferred, m.p->ops.n) || inferred.n_axes > 5) continue;
        ir_append(m.p, op, &why);
    }
    IrValue loss = IR_NONE;
    for (int i = 0, n = m.p->ops.n; i < 6; i++) {
        IrValue v = i == 0 ? n - 1 : values_pick(&m.state, n);
        if (m.p->ops.data[v].type != IR_REAL) continue;
        if (has_copy(&m, m.p->ops.data[v].axes, m.p->ops.data[v].n_axes)) continue;
        ir_output(m.p, arena_printf(arena, "out%d", i), v);
        loss = add_loss(&m, v, loss);
    }
    if (loss != IR_NONE) ir_output(m.p, "loss", loss);
    return m.p;
}

IrProgram *random_program(Arena *arena, uint64_t seed, int size, bool smooth) {
    return make_program(arena, seed, size, smooth, false);
}

IrProgram *random_ragged_program(Arena *arena, uint64_t seed, int size, bool smooth) {
    return make_program(arena, seed, size, smooth, true);
}

IrProgram *random_program_either(Arena *arena, uint64_t seed, int size, bool smooth) {
    return make_program(arena, seed, size, smooth, seed % 3 == 2);
}
