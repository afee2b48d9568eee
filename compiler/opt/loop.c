/* loop.c -- building loop IR: sizes and instructions. See loop.h. */
#include "opt/loop_code.h"

const char *const loop_op_text[LOOP_OP_COUNT] = {
#define X(name, arity, doc) [LOOP_##name] = #name,
#include "opt/loop_ops.def"
#undef X
};

const int loop_op_arity[LOOP_OP_COUNT] = {
#define X(name, arity, doc) [LOOP_##name] = arity,
#include "opt/loop_ops.def"
#undef X
};

/* ---- sizes ---- */

LoopSize loop_size(int64_t coef) {
    return (LoopSize){.coef = coef};
}

LoopSize loop_size_times(LoopSize a, LoopSize b) {
    LoopSize out = {.coef = a.coef * b.coef};
    if (a.n + b.n > LOOP_MAX_FACTORS) internal_error("schedule", "a tensor over too many axes");
    for (int i = 0, j = 0; i < a.n || j < b.n;) {
        bool from_a = j == b.n || (i < a.n && a.factor[i] <= b.factor[j]);
        out.factor[out.n++] = from_a ? a.factor[i++] : b.factor[j++];
    }
    return out;
}

LoopSize loop_size_extent(const LoopProgram *p, AxisId axis) {
    AxisId of = ir_axis_original(p->ir, axis);
    int64_t extent = p->ir->axes.data[of].extent;
    if (extent > 0) return loop_size(extent);
    return (LoopSize){.coef = 1, .n = 1, .factor = {(int16_t)of}};
}

static LoopSize of_ragged(const LoopProgram *p, AxisId axis, int what) {
    AxisId of = ir_axis_original(p->ir, axis);
    return (LoopSize){.coef = 1, .n = 1, .factor = {(int16_t)(what + of)}};
}

LoopSize loop_size_most(const LoopProgram *p, AxisId axis) {
    return of_ragged(p, axis, LOOP_MOST);
}

LoopSize loop_size_mean(const LoopProgram *p, AxisId axis) {
    return of_ragged(p, axis, LOOP_MEAN);
}

int loop_factor_entry(const LoopProgram *p, int factor) {
    int n = p->ir->axes.n;
    if (factor < 0 || factor >= LOOP_TILE) return -1;
    return factor >= LOOP_MEAN   ? 2 * n + factor - LOOP_MEAN
           : factor >= LOOP_MOST ? n + factor - LOOP_MOST
                                 : factor;
}

bool loop_uses_blas(const LoopProgram *p) {
    for (int n = 0; n < p->nests.n; n++)
        for (int i = 0; i < p->nests.data[n]->code.n; i++)
            if (p->nests.data[n]->code.data[i].op == LOOP_gemm) return true;
    return false;
}

bool loop_size_same_factors(LoopSize a, LoopSize b) {
    return a.n == b.n && !memcmp(a.factor, b.factor, sizeof a.factor[0] * (size_t)a.n);
}

LoopSize loop_size_blocks(AxisId axis) {
    return (LoopSize){.coef = 1, .n = 1, .factor = {(int16_t)(LOOP_BLOCKS - axis)}};
}

LoopSize loop_size_tile(int sweep) {
    return (LoopSize){.coef = 1, .n = 1, .factor = {(int16_t)(LOOP_TILE + sweep)}};
}

LoopSize loop_size_start(int sweep) {
    return (LoopSize){.coef = 1, .n = 1, .factor = {(int16_t)(LOOP_START + sweep)}};
}

bool loop_size_in_sweep(LoopSize size, int sweep) {
    for (int i = 0; i < size.n; i++) {
        int of = size.factor[i] - (size.factor[i] >= LOOP_START ? LOOP_START : LOOP_TILE);
        if (size.factor[i] >= LOOP_TILE && (sweep < 0 || of == sweep)) return true;
    }
    return false;
}

/* ---- instructions ---- */

int loop_push(LoopCode *code, LoopInst inst, LoopType type, bool varying) {
    LoopNest *nest = code->nest;
    inst.dst = nest->regs.n;
    vec_push(code->arena, &nest->regs, (LoopReg){type, varying});
    vec_push(code->arena, &nest->code, inst);
    return inst.dst;
}

int loop_number(LoopCode *code, double number) {
    return loop_push(code, (LoopInst){.op = LOOP_number, .number = number}, LOOP_REAL, false);
}

int loop_integer(LoopCode *code, int64_t integer) {
    return loop_push(code, (LoopInst){.op = LOOP_integer, .integer = integer}, LOOP_INT, false);
}

static const LoopReg *reg_of(const LoopCode *code, int reg) {
    return &code->nest->regs.data[reg];
}

int loop_varying(LoopCode *code, int reg) {
    if (reg_of(code, reg)->varying) return reg;
    LoopInst inst = {.op = LOOP_broadcast, .arg = {reg}};
    return loop_push(code, inst, reg_of(code, reg)->type, true);
}

static LoopType result_type(const LoopCode *code, LoopOp op, const int *args) {
    switch (op) {
    case LOOP_lt:
    case LOOP_le:
    case LOOP_eq:
    case LOOP_and:
    case LOOP_or:
    case LOOP_not:
        return LOOP_MASK;
    case LOOP_bits:
    case LOOP_iadd:
    case LOOP_isub:
    case LOOP_iand:
    case LOOP_ishl:
    case LOOP_ishr:
        return LOOP_INT;
    case LOOP_select:
        return reg_of(code, args[1])->type;
    case LOOP_variable:
        return reg_of(code, args[0])->type;
    default:
        return LOOP_REAL;
    }
}

int loop_emit(LoopCode *code, LoopOp op, int a, int b, int c) {
    LoopInst inst = {.op = op, .arg = {a, b, c}};
    bool varying = false;
    for (int i = 0; i < loop_op_arity[op]; i++) varying |= reg_of(code, inst.arg[i])->varying;
    if (varying)
        for (int i = 0; i < loop_op_arity[op]; i++) inst.arg[i] = loop_varying(code, inst.arg[i]);
    return loop_push(code, inst, result_type(code, op, inst.arg), varying);
}

int loop_shift(LoopCode *code, LoopOp op, int a, int64_t by) {
    LoopInst inst = {.op = op, .arg = {a}, .integer = by};
    return loop_push(code, inst, LOOP_INT, reg_of(code, a)->varying);
}

int loop_begin(LoopCode *code, LoopSize count) {
    int var = code->nest->n_vars++;
    vec_push(code->arena, &code->nest->code,
             (LoopInst){.op = LOOP_loop, .dst = var, .count = count});
    return var;
}

int loop_place(LoopCode *code, int reg) {
    int var = code->nest->n_vars++;
    vec_push(code->arena, &code->nest->code,
             (LoopInst){.op = LOOP_place, .dst = var, .arg = {reg}});
    return var;
}

int loop_begin_upto(LoopCode *code, int limit, LoopSize most) {
    int var = loop_begin(code, most);
    code->nest->code.data[code->nest->code.n - 1].limit = limit + 1;
    return var;
}

void loop_end(LoopCode *code) {
    vec_push(code->arena, &code->nest->code, (LoopInst){.op = LOOP_end, .dst = -1});
}

void loop_set(LoopCode *code, int variable, int value) {
    if (reg_of(code, variable)->varying) value = loop_varying(code, value);
    vec_push(code->arena, &code->nest->code,
             (LoopInst){.op = LOOP_set, .dst = -1, .arg = {variable, value}});
}

static bool same_index(const LoopIndex *a, const LoopIndex *b) {
    if (a == b) return true;
    if (a->base != b->base || a->n != b->n) return false;
    for (int i = 0; i < a->n; i++) {
        const LoopTerm *x = &a->term[i], *y = &b->term[i];
        if (x->var != y->var || x->stride.coef != y->stride.coef ||
            !loop_size_same_factors(x->stride, y->stride))
            return false;
    }
    return true;
}

/* Looks back within straight-line code for the same load: register blocks read each operand once.
 */
static int load_once(LoopCode *code, LoopInst load, bool varying) {
    const LoopNest *nest = code->nest;
    int buffer = load.buffer;
    for (int i = nest->code.n - 1, seen = 0; i >= 0 && seen < 96; i--, seen++) {
        const LoopInst *inst = &nest->code.data[i];
        if (inst->op == LOOP_loop || inst->op == LOOP_end) break;
        if ((inst->op == LOOP_store || inst->op == LOOP_scatter) && inst->buffer == buffer) break;
        if (inst->op == load.op && inst->buffer == buffer &&
            reg_of(code, inst->dst)->varying == varying && same_index(inst->index, load.index))
            return inst->dst;
    }
    return loop_push(code, load, LOOP_REAL, varying);
}

int loop_load(LoopCode *code, int buffer, const LoopIndex *index, bool varying) {
    return load_once(code, (LoopInst){.op = LOOP_load, .buffer = buffer, .index = index}, varying);
}

int loop_gather(LoopCode *code, int buffer, int block, const LoopIndex *index) {
    LoopInst inst = {.op = LOOP_gather, .buffer = buffer, .integer = block, .index = index};
    return load_once(code, inst, true);
}

void loop_store(LoopCode *code, int buffer, const LoopIndex *index, int value) {
    LoopInst inst = {.op = LOOP_store, .dst = -1, .arg = {value}, .buffer = buffer, .index = index};
    vec_push(code->arena, &code->nest->code, inst);
}

/* ---- collapsing ---- */

/* The stride of `var`, 0 if the address does not depend on it; false if it has several. */
static bool stride_of(const LoopIndex *index, int var, LoopSize *stride) {
    *stride = loop_size(0);
    for (int i = 0; i < index->n; i++) {
        if (index->term[i].var != var) continue;
        if (stride->coef) return false;
        *stride = index->term[i].stride;
    }
    return true;
}

/* Whether `integer` is the loop variable of the lane block. */
static bool names_block(const LoopInst *inst) {
    return inst->op == LOOP_tail || inst->op == LOOP_gather || inst->op == LOOP_scatter;
}

static bool collapsible(const LoopNest *nest, int first, int last, const LoopInst *outer,
                        const LoopInst *inner) {
    if (outer->limit || inner->limit) return false;
    for (int i = first; i < last; i++) {
        const LoopInst *inst = &nest->code.data[i];
        if (names_block(inst) && (inst->integer == outer->dst || inst->integer == inner->dst))
            return false;
        if (!inst->index) continue;
        LoopSize a, b;
        if (!stride_of(inst->index, outer->dst, &a) || !stride_of(inst->index, inner->dst, &b))
            return false;
        b = loop_size_times(b, inner->count);
        if (a.coef != b.coef || (a.coef && !loop_size_same_factors(a, b))) return false;
    }
    return true;
}

static void drop_var(LoopIndex *index, int var) {
    int kept = 0;
    for (int i = 0; i < index->n; i++)
        if (index->term[i].var != var) index->term[kept++] = index->term[i];
    index->n = kept;
}

/* Numbers loop variables by the order in which their loops open, so that equal nests look equal. */
static void renumber(Arena *arena, LoopNest *nest) {
    int *number = arena_array(arena, int, nest->n_vars + 1);
    nest->n_vars = 0;
    for (int i = 0; i < nest->code.n; i++) {
        LoopInst *inst = &nest->code.data[i];
        if (inst->op == LOOP_loop || inst->op == LOOP_place) {
            if (inst->limit) inst->limit = 1 + number[inst->limit - 1];
            number[inst->dst] = nest->n_vars;
            inst->dst = nest->n_vars++;
        } else if (names_block(inst) && inst->integer >= 0) {
            inst->integer = number[inst->integer];
        }
        for (int k = 0; inst->index && k < inst->index->n; k++)
            if (inst->index->term[k].var >= 0)
                inst->index->term[k].var = number[inst->index->term[k].var];
    }
}

/* Perfect pairs `for i { for j { ... } }` where i's stride is j's times j's count everywhere: j
 * runs on alone. From the inside out, so that whole stacks collapse. */
void loop_collapse(Arena *arena, LoopNest *nest) {
    LoopInst *code = nest->code.data;
    for (int i = nest->code.n - 1; i > 0; i--) {
        if (code[i].op != LOOP_loop || code[i - 1].op != LOOP_loop) continue;
        int end = i + 1;
        for (int depth = 1; depth; end++)
            depth += (code[end].op == LOOP_loop) - (code[end].op == LOOP_end);
        if (code[end].op != LOOP_end || !collapsible(nest, i + 1, end - 1, &code[i - 1], &code[i]))
            continue;
        for (int k = i + 1; k < end - 1; k++)
            if (code[k].index)
                drop_var((LoopIndex *)(void *)(uintptr_t)code[k].index, code[i - 1].dst);
        code[i].count = loop_size_times(code[i - 1].count, code[i].count);
        memmove(&code[end], &code[end + 1], sizeof *code * (size_t)(nest->code.n - end - 1));
        memmove(&code[i - 1], &code[i], sizeof *code * (size_t)(nest->code.n - 1 - i));
        nest->code.n -= 2;
    }
    renumber(arena, nest);
}
