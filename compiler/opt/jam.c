/* jam.c -- unroll and jam: the loop over instances that a nest ends in computes several neighbours
 * at once.
 *
 *     for i < n { for f < 8 { v1 = load x[i*8 + f] ... } }
 *     for i < n by 2 { i' = next i; for f < 8 { v1 = load x[i*8+f]; v1' = load x[i'*8+f] ... } }
 *
 * One instance is a chain of short sums, each waiting for the one before (a layer's norm, a
 * softmax), and of loops over a few features: two instances fill the time in which one waits, share
 * what does not differ between them (weights, loop counters), and are computed as before, digit by
 * digit. Where the count does not divide, the last instance is computed twice.
 *
 * In: the code of a point nest, its frame buffers with room for `copies` instances. Instances hand
 * nothing to each other but sums in memory (load, add, store at an address without i): of those the
 * copies add one after another. Out: the same nest, or as it was if it does anything else, or if
 * too many instances would be computed twice.
 */
#include "opt/lower.h"
#include "opt/sweep.h"

enum { FEW = 8 }; /* one repeated in so many */

/* Of a register: the same for all copies; one for each; the running sum of a reduction over
 * instances, which all copies add to. */
typedef enum { ONE, EACH, SUM } Kind;

typedef struct Jam {
    Arena *arena;
    const LoopProgram *p;
    LoopNest *nest;
    int copies;
    int first, end, var;    /* the loop's instruction, that of its end; its variable */
    bool *stored;           /* by buffer: in the loop */
    Kind *kind;             /* by register, */
    int *sum;               /* its running sum: the register that it starts in */
    bool *variable;         /* and whether that is a variable */
    bool sums;              /* there are any */
    int *copy[MAX_COPIES];  /* the register in each copy */
    int inside[MAX_COPIES]; /* whether the copy is an instance of its own */
    VEC(LoopInst) code;
    VEC(LoopInst) waiting; /* additions to running sums that further copies have still to make */
} Jam;

/* The loop over a ragged plate stands behind the reading of its place and its count: there it is,
 * else `at`. */
static int ragged_loop(const Jam *j, int at) {
    const LoopInst *code = j->nest->code.data;
    int k = at, n = j->nest->code.n;
    while (k < n && (code[k].op == LOOP_load || code[k].op == LOOP_place)) k++;
    return k < n && code[k].op == LOOP_loop && code[k].limit ? k : at;
}

/* The last of the loops that hold each other and nothing else. */
static bool find_loop(Jam *j) {
    const LoopInst *code = j->nest->code.data;
    int n = j->nest->code.n, at = 0, after = n;
    j->first = -1;
    while (at < n && code[at].op == LOOP_clear) at++;
    while (after > 0 && code[after - 1].op != LOOP_end) after--;
    for (at = ragged_loop(j, at); at < n && code[at].op == LOOP_loop; at = ragged_loop(j, at + 1)) {
        int end = at + 1;
        for (int depth = 1; depth && end < n; end++)
            depth += (code[end].op == LOOP_loop) - (code[end].op == LOOP_end);
        if (end != after) break;
        j->first = at;
        j->end = --after;
        j->var = code[at].dst;
    }
    return j->first >= 0;
}

static bool moves(const Jam *j, const LoopInst *inst) {
    for (int i = 0; i < inst->index->n; i++)
        if (inst->index->term[i].var == j->var) return true;
    return false;
}

static bool is_frame(const Jam *j, const LoopInst *inst) {
    return j->p->buffers.data[inst->buffer].kind == BUFFER_FRAME;
}

/* What the loop stores; false where it does more than compute instances. */
static bool note_stores(Jam *j) {
    j->stored = arena_array(j->arena, bool, j->p->buffers.n + 1);
    for (int i = j->first + 1; i < j->end; i++) {
        const LoopInst *inst = &j->nest->code.data[i];
        if (inst->op == LOOP_place || inst->op == LOOP_clear || inst->op == LOOP_gemm ||
            inst->op == LOOP_sum_lanes || inst->op == LOOP_max_lanes)
            return false;
        bool names = inst->op == LOOP_tail || inst->op == LOOP_gather || inst->op == LOOP_scatter;
        if (names && inst->integer == j->var) return false;
        if (inst->op == LOOP_scatter && !moves(j, inst)) return false;
        if (inst->op == LOOP_store) j->stored[inst->buffer] = true;
    }
    return true;
}

static Kind result_kind(const Jam *j, const LoopInst *inst) {
    Kind kind = inst->op == LOOP_variable ? EACH : ONE;
    if (inst->op == LOOP_gather && moves(j, inst)) kind = EACH;
    if (inst->op == LOOP_load) {
        if (moves(j, inst) || is_frame(j, inst))
            kind = EACH;
        else if (j->stored[inst->buffer])
            kind = SUM;
    }
    for (int i = 0; i < loop_op_arity[inst->op]; i++) {
        Kind arg = j->kind[inst->arg[i]];
        if (arg == SUM) return SUM;
        if (arg == EACH) kind = EACH;
    }
    return kind;
}

/* A running sum starts where it is loaded, or in the variable that takes what was loaded. */
static void note_sum(Jam *j, const LoopInst *inst) {
    j->sums = true;
    j->sum[inst->dst] = inst->dst;
    j->variable[inst->dst] = inst->op == LOOP_variable;
    for (int k = 0; k < loop_op_arity[inst->op] && inst->op != LOOP_variable; k++)
        if (j->kind[inst->arg[k]] == SUM) j->sum[inst->dst] = j->sum[inst->arg[k]];
}

/* Kinds of all registers; false where a sum is used for anything but to be added to and stored. */
static bool classify(Jam *j) {
    int n = j->nest->regs.n;
    j->kind = arena_array(j->arena, Kind, n + 1);
    j->sum = arena_array(j->arena, int, n + 1);
    j->variable = arena_array(j->arena, bool, n + 1);
    for (int i = j->first + 1; i < j->end; i++) {
        const LoopInst *inst = &j->nest->code.data[i];
        if (inst->op == LOOP_loop || inst->op == LOOP_end) continue;
        if (inst->op == LOOP_store || inst->op == LOOP_scatter) {
            bool sum = j->kind[inst->arg[0]] == SUM;
            bool kept = inst->op == LOOP_store && !moves(j, inst) && !is_frame(j, inst);
            if (sum != kept) return false;
            continue;
        }
        if (inst->op == LOOP_set) {
            if ((j->kind[inst->arg[0]] == SUM) != (j->kind[inst->arg[1]] == SUM)) return false;
            if (j->kind[inst->arg[0]] == ONE) return false; /* a variable from before the loop */
            continue;
        }
        Kind kind = j->kind[inst->dst] = result_kind(j, inst);
        if (kind != SUM) continue;
        if (!j->nest->regs.data[inst->dst].varying) return false;
        int sums = 0;
        for (int k = 0; k < loop_op_arity[inst->op]; k++) sums += j->kind[inst->arg[k]] == SUM;
        if (sums > 1) return false;
        note_sum(j, inst);
    }
    return true;
}

/* ---- writing ---- */

static int new_reg(Jam *j, int like) {
    LoopReg reg = j->nest->regs.data[like];
    vec_push(j->arena, &j->nest->regs, reg);
    return j->nest->regs.n - 1;
}

/* Further copies of the loop's variable are numbered behind it, and what comes inside behind those.
 */
static int moved_var(const Jam *j, int var, int copy) {
    if (var == j->var) return var + copy;
    return var > j->var ? var + j->copies - 1 : var;
}

static const LoopIndex *index_of_copy(Jam *j, const LoopInst *inst, int copy) {
    LoopIndex *index = arena_new_of(j->arena, LoopIndex);
    *index = *inst->index;
    index->term = arena_array(j->arena, LoopTerm, index->n + 1);
    for (int i = 0; i < index->n; i++) {
        index->term[i] = inst->index->term[i];
        index->term[i].var = moved_var(j, index->term[i].var, copy);
    }
    if (is_frame(j, inst))
        index->base += copy * (j->p->buffers.data[inst->buffer].size.coef / j->copies);
    return index;
}

static void write(Jam *j, LoopInst inst, int copy) {
    for (int i = 0; i < loop_op_arity[inst.op]; i++) inst.arg[i] = j->copy[copy][inst.arg[i]];
    if (inst.op == LOOP_loop)
        inst.dst = moved_var(j, inst.dst, copy);
    else if (inst.dst >= 0 && copy)
        inst.dst = j->copy[copy][inst.dst] = new_reg(j, inst.dst);
    if (inst.index) inst.index = index_of_copy(j, &inst, copy);
    vec_push(j->arena, &j->code, inst);
}

/* The further copies add to a sum what the first has just added: `from` holds that, `result` is
 * the register of the first's addition. Copies that repeat an instance leave it as it is. The
 * register that holds all of it is returned, or the variable, where the sum is one. */
static int add_others(Jam *j, int sum, int from, int result) {
    bool variable = j->variable[sum];
    for (int copy = 1; copy < j->copies; copy++) {
        j->copy[copy][sum] = from;
        for (int i = 0; i < j->waiting.n; i++)
            if (j->sum[j->waiting.data[i].dst] == sum) write(j, j->waiting.data[i], copy);
        LoopInst choose = {.op = LOOP_select,
                           .dst = new_reg(j, result),
                           .arg = {j->inside[copy], j->copy[copy][result], from}};
        vec_push(j->arena, &j->code, choose);
        LoopInst set = {.op = LOOP_set, .dst = -1, .arg = {sum, choose.dst}};
        if (variable)
            vec_push(j->arena, &j->code, set);
        else
            from = choose.dst;
    }
    int kept = 0;
    for (int i = 0; i < j->waiting.n; i++)
        if (j->sum[j->waiting.data[i].dst] != sum) j->waiting.data[kept++] = j->waiting.data[i];
    j->waiting.n = kept;
    return from;
}

static void write_loop(Jam *j, LoopInst loop) {
    loop.integer = j->copies;
    vec_push(j->arena, &j->code, loop);
    for (int copy = 1; copy < j->copies; copy++) {
        LoopInst next = {.op = LOOP_next,
                         .dst = j->var + copy,
                         .integer = j->var,
                         .number = copy,
                         .count = loop.count,
                         .limit = loop.limit};
        vec_push(j->arena, &j->code, next);
        if (!j->sums) continue;
        vec_push(j->arena, &j->nest->regs, (LoopReg){LOOP_MASK, true});
        next.op = LOOP_inside;
        next.dst = j->inside[copy] = j->nest->regs.n - 1;
        vec_push(j->arena, &j->code, next);
    }
}

static void write_inst(Jam *j, LoopInst inst) {
    bool each = false;
    switch (inst.op) {
    case LOOP_loop:
    case LOOP_end:
        break;
    case LOOP_store:
        if (j->kind[inst.arg[0]] == SUM) {
            int sum = j->sum[inst.arg[0]];
            inst.arg[0] = j->variable[sum] ? sum : add_others(j, sum, inst.arg[0], inst.arg[0]);
            inst.index = index_of_copy(j, &inst, 0);
            vec_push(j->arena, &j->code, inst);
            return;
        }
        each = true;
        break;
    case LOOP_scatter:
        each = true;
        break;
    case LOOP_set:
        each = j->kind[inst.arg[0]] == EACH;
        break;
    default:
        each = j->kind[inst.dst] == EACH;
    }
    for (int copy = 0; copy < (each ? j->copies : 1); copy++) write(j, inst, copy);
    if (inst.op == LOOP_set && !each) add_others(j, inst.arg[0], inst.arg[0], inst.arg[1]);
    bool adds = inst.op != LOOP_load && inst.op != LOOP_variable && inst.op != LOOP_store &&
                inst.op != LOOP_set && inst.op != LOOP_loop && inst.dst >= 0 &&
                j->kind[inst.dst] == SUM;
    if (adds) vec_push(j->arena, &j->waiting, inst);
}

/* Whether copies that repeat an instance are few, at the usual sizes of plates. */
static bool few_repeat(const Schedule *s, const Jam *j) {
    LoopSize size = j->nest->code.data[j->first].count;
    int64_t count = size.coef;
    for (int i = 0; i < size.n; i++) {
        int factor = size.factor[i], entry = loop_factor_entry(s->out, factor);
        if (factor >= LOOP_TILE)
            count *= sweep_usual(s, s->out->sweeps.data[factor - LOOP_TILE].axis);
        if (entry >= 0) count *= sweep_usual(s, entry % s->ir->axes.n);
    }
    int64_t repeated = (j->copies - count % j->copies) % j->copies;
    if (j->nest->code.data[j->first].limit) repeated = j->copies - 1;
    return repeated * FEW <= count;
}

void lower_jam(const Schedule *s, LoopNest *nest, int copies) {
    Arena *arena = s->arena;
    Jam *j = &(Jam){.arena = arena, .p = s->out, .nest = nest, .copies = copies};
    if (copies < 2 || !find_loop(j) || !few_repeat(s, j) || !note_stores(j) || !classify(j)) return;
    int n = nest->regs.n;
    for (int copy = 0; copy < copies; copy++) {
        j->copy[copy] = arena_array(arena, int, n + 1);
        for (int r = 0; r < n; r++) j->copy[copy][r] = r;
    }
    for (int i = 0; i < nest->code.n; i++) {
        if (i == j->first)
            write_loop(j, nest->code.data[i]);
        else if (i > j->first && i < j->end)
            write_inst(j, nest->code.data[i]);
        else
            vec_push(arena, &j->code, nest->code.data[i]);
    }
    if (j->waiting.n) internal_error("lower", "a sum of instances that is never stored");
    nest->code.data = j->code.data;
    nest->code.n = j->code.n;
    nest->code.cap = j->code.cap;
    nest->n_vars += copies - 1;
}
