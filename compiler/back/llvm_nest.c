/* llvm_nest.c -- the instructions of a nest as LLVM instructions, one by one.
 *
 * What is decided here is where addresses are computed: LLVM's loop-invariant code motion is not
 * run (it hoists weight broadcasts and spills them), so each address is built up term by term, the
 * terms of a loop's variable just before the next inner loop. Extents and the base pointers of
 * buffers are loaded at the function's entry.
 */
#include "back/llvm.h"

#include <math.h>

enum { MAX_DEPTH = 64 };

typedef struct Moved {
    LLVMValueRef from, to;
    int var;
    LoopSize stride;
} Moved;

/* An open loop; level 0 is the function. */
typedef struct Level {
    int var;
    LLVMBasicBlockRef before, body,
        after; /* `before` ends in a branch: addresses go in front of it */
    LLVMValueRef phi, count;
    int64_t step;
    VEC(Moved) moved; /* addresses computed before this loop */
} Level;

typedef struct NestEmitter {
    LlvmProgram *lp;
    Llvm *m;
    LLVMBuilderRef b;
    const LoopNest *nest;
    const NestRefs *refs;
    LLVMValueRef function, call, bases, sizes, table, total;
    LLVMBasicBlockRef entry;
    LLVMValueRef *reg, *base_of, *known_size; /* registers; buffers and sizes by number in refs */
    LLVMValueRef *var;                        /* loop variables */
    bool *mutable_reg;
    int depth;
    Level level[MAX_DEPTH];
} NestEmitter;

/* ---- the entry block ---- */

/* Moves to the end of the entry block; returns where to go back to. */
static LLVMBasicBlockRef enter_entry(NestEmitter *e) {
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b);
    LLVMPositionBuilderBefore(e->b, LLVMGetBasicBlockTerminator(e->entry));
    return here;
}

/* Entry `k` of the nest's table, then that entry of the program's `list`. */
static LLVMValueRef listed(NestEmitter *e, LLVMTypeRef type, LLVMValueRef list, int k) {
    LLVMBasicBlockRef here = enter_entry(e);
    LLVMValueRef at = LLVMConstInt(e->m->i64, (unsigned)k, false);
    at = LLVMBuildInBoundsGEP2(e->b, e->m->i32, e->table, &at, 1, "");
    at = LLVMBuildZExt(e->b, LLVMBuildLoad2(e->b, e->m->i32, at, ""), e->m->i64, "");
    at = LLVMBuildInBoundsGEP2(e->b, type, list, &at, 1, "");
    LLVMValueRef value = LLVMBuildLoad2(e->b, type, at, "");
    LLVMPositionBuilderAtEnd(e->b, here);
    return value;
}

static int position_of(const int *list, int n, int x) {
    for (int i = 0; i < n; i++)
        if (list[i] == x) return i;
    internal_error("emit llvm", "a nest uses what it does not list");
}

static LLVMValueRef size_of(NestEmitter *e, LoopSize size) {
    if (size.n == 0) return LLVMConstInt(e->m->i64, (unsigned long long)size.coef, true);
    int k = position_of(e->refs->sizes.data, e->refs->sizes.n, llvm_size_place(e->lp, size));
    if (!e->known_size[k])
        e->known_size[k] = listed(e, e->m->i64, e->sizes, e->refs->buffers.n + k);
    return e->known_size[k];
}

static LLVMValueRef buffer_base(NestEmitter *e, int buffer) {
    int k =
        position_of(e->refs->buffers.data, e->refs->buffers.n, llvm_buffer_place(e->lp->p, buffer));
    if (!e->base_of[k]) e->base_of[k] = listed(e, e->m->ptr, e->bases, k);
    return e->base_of[k];
}

/* ---- addresses ---- */

/* `from` plus var * stride numbers; with `level`, before that loop and remembered there. */
static LLVMValueRef move(NestEmitter *e, LLVMValueRef from, const LoopTerm *term, Level *level) {
    if (level)
        for (int i = level->moved.n - 1; i >= 0; i--) {
            const Moved *known = &level->moved.data[i];
            if (known->from == from && known->var == term->var &&
                known->stride.coef == term->stride.coef &&
                loop_size_same_factors(known->stride, term->stride))
                return known->to;
        }
    LLVMValueRef stride = size_of(e, term->stride);
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->b);
    if (level) LLVMPositionBuilderBefore(e->b, LLVMGetBasicBlockTerminator(level->before));
    LLVMValueRef offset =
        term->var < 0 ? stride : LLVMBuildMul(e->b, e->var[term->var], stride, "");
    LLVMValueRef to = LLVMBuildInBoundsGEP2(e->b, e->lp->real, from, &offset, 1, "");
    if (level) {
        LLVMPositionBuilderAtEnd(e->b, here);
        vec_push(e->m->arena, &level->moved, (Moved){from, to, term->var, term->stride});
    }
    return to;
}

static LLVMValueRef address(NestEmitter *e, const LoopInst *inst) {
    const LoopIndex *index = inst->index;
    const LoopBuffer *b = &e->lp->p->buffers.data[inst->buffer];
    LLVMValueRef at = buffer_base(e, inst->buffer);
    for (int depth = 0, i = 0; depth <= e->depth; depth++)
        for (; i < index->n && index->term[i].var <= e->level[depth].var; i++)
            at = move(e, at, &index->term[i], depth < e->depth ? &e->level[depth + 1] : NULL);
    int64_t base = index->base + (b->kind == BUFFER_FRAME ? b->offset : 0);
    if (!base) return at;
    LLVMValueRef offset = LLVMConstInt(e->m->i64, (unsigned long long)base, true);
    return LLVMBuildInBoundsGEP2(e->b, e->lp->real, at, &offset, 1, "");
}

static unsigned vector_alignment(const NestEmitter *e) {
    unsigned bytes = (unsigned)e->lp->p->lanes * (e->lp->p->f64 ? 8 : 4);
    return bytes < 64 ? bytes : 64;
}

/* ---- loops ---- */

/* Bottom-tested; a run-time count is tested for zero first. */
static void open_loop(NestEmitter *e, const LoopInst *inst) {
    if (++e->depth == MAX_DEPTH) internal_error("emit llvm", "loops nest too deeply");
    Level *level = &e->level[e->depth];
    *level = (Level){.var = inst->dst,
                     .count = inst->limit ? e->var[inst->limit - 1] : size_of(e, inst->count),
                     .step = inst->integer ? inst->integer : 1};
    level->before = LLVMGetInsertBlock(e->b);
    level->body = LLVMAppendBasicBlockInContext(e->m->context, e->function, "body");
    level->after = LLVMAppendBasicBlockInContext(e->m->context, e->function, "after");
    LLVMValueRef zero = LLVMConstInt(e->m->i64, 0, false);
    if (inst->count.n || inst->limit) {
        LLVMValueRef some = LLVMBuildICmp(e->b, LLVMIntSGT, level->count, zero, "");
        LLVMBuildCondBr(e->b, some, level->body, level->after);
    } else
        LLVMBuildBr(e->b, level->body);
    LLVMPositionBuilderAtEnd(e->b, level->body);
    level->phi = LLVMBuildPhi(e->b, e->m->i64, "");
    LLVMAddIncoming(level->phi, &zero, &level->before, 1);
    e->var[inst->dst] = level->phi;
}

static void close_loop(NestEmitter *e) {
    Level *level = &e->level[e->depth--];
    LLVMValueRef step = LLVMConstInt(e->m->i64, (unsigned long long)level->step, false);
    LLVMValueRef next = LLVMBuildNUWAdd(e->b, level->phi, step, "");
    LLVMBasicBlockRef latch = LLVMGetInsertBlock(e->b);
    LLVMAddIncoming(level->phi, &next, &latch, 1);
    LLVMValueRef more = LLVMBuildICmp(e->b, LLVMIntULT, next, level->count, "");
    LLVMBuildCondBr(e->b, more, level->body, level->after);
    /* blocks in program order */
    LLVMMoveBasicBlockAfter(level->after, latch);
    LLVMPositionBuilderAtEnd(e->b, level->after);
}

/* Whether the variable of the innermost open loop, a few on, is below the count; `there`: a few on.
 */
static LLVMValueRef is_inside(NestEmitter *e, const LoopInst *inst, LLVMValueRef *there) {
    const Level *level = &e->level[e->depth];
    LLVMValueRef on = LLVMConstInt(e->m->i64, (unsigned long long)inst->number, false);
    *there = LLVMBuildNUWAdd(e->b, e->var[inst->integer], on, "");
    return LLVMBuildICmp(e->b, LLVMIntULT, *there, level->count, "");
}

/* One more variable of that loop: addresses with it belong to the same level. */
static void next_instance(NestEmitter *e, const LoopInst *inst) {
    LLVMValueRef there, inside = is_inside(e, inst, &there);
    e->var[inst->dst] = LLVMBuildSelect(e->b, inside, there, e->var[inst->integer], "");
    e->level[e->depth].var = inst->dst;
}

/* A variable that belongs to the loop around it, as that of the loop does. */
static void place(NestEmitter *e, const LoopInst *inst) {
    e->var[inst->dst] = LLVMBuildFPToSI(e->b, e->reg[inst->arg[0]], e->m->i64, "");
    e->level[e->depth].var = inst->dst;
}

/* ---- values ---- */

static LLVMTypeRef type_of(const NestEmitter *e, const LoopReg *reg) {
    const LlvmProgram *lp = e->lp;
    switch (reg->type) {
    case LOOP_REAL:
        return reg->varying ? lp->vreal : lp->real;
    case LOOP_INT:
        return reg->varying ? lp->vinteger : lp->integer;
    default:
        return reg->varying ? lp->vmask : e->m->i1;
    }
}

static LLVMValueRef operand(NestEmitter *e, const LoopInst *inst, int k) {
    int reg = inst->arg[k];
    if (!e->mutable_reg[reg]) return e->reg[reg];
    return LLVMBuildLoad2(e->b, type_of(e, &e->nest->regs.data[reg]), e->reg[reg], "");
}

static LLVMValueRef splat(NestEmitter *e, LLVMValueRef x) {
    return llvm_splat(e->lp, x);
}

static LLVMValueRef intrinsic(NestEmitter *e, const char *name, LLVMValueRef *args, unsigned n) {
    LLVMTypeRef type = LLVMTypeOf(args[0]);
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef f = LLVMGetIntrinsicDeclaration(e->m->module, id, &type, 1);
    return LLVMBuildCall2(e->b, LLVMIntrinsicGetType(e->m->context, id, &type, 1), f, args, n, "");
}

/* Lanes that exist in the block that `inst` names. */
static LLVMValueRef valid_lanes(NestEmitter *e, const LoopInst *inst) {
    const LoopProgram *p = e->lp->p;
    LLVMValueRef n = size_of(e, loop_size_extent(p, e->nest->lane));
    if (inst->integer < 0) return n;
    LLVMValueRef lanes = LLVMConstInt(e->m->i64, (unsigned long long)p->lanes, false);
    return LLVMBuildSub(e->b, n, LLVMBuildMul(e->b, e->var[inst->integer], lanes, ""), "");
}

static LLVMValueRef tail(NestEmitter *e, const LoopInst *inst) {
    LLVMValueRef mask = llvm_lanes_below(e->lp, valid_lanes(e, inst));
    LLVMValueRef rest = splat(e, LLVMConstReal(e->lp->real, inst->number));
    return LLVMBuildSelect(e->b, mask, operand(e, inst, 0), rest, "");
}

static LLVMValueRef total(NestEmitter *e, const LoopInst *inst, LLVMTypeRef type) {
    LLVMValueRef at = LLVMConstInt(e->m->i64, (unsigned long long)inst->integer, false);
    at = LLVMBuildInBoundsGEP2(e->b, e->m->i64, e->total, &at, 1, "");
    return LLVMBuildSIToFP(e->b, LLVMBuildLoad2(e->b, e->m->i64, at, ""), type, "");
}

static LLVMValueRef load(NestEmitter *e, const LoopInst *inst) {
    bool varying = e->nest->regs.data[inst->dst].varying;
    LLVMValueRef x =
        LLVMBuildLoad2(e->b, varying ? e->lp->vreal : e->lp->real, address(e, inst), "");
    if (varying) LLVMSetAlignment(x, vector_alignment(e));
    return x;
}

static LLVMValueRef gather(NestEmitter *e, const LoopInst *inst) {
    LLVMValueRef args[] = {address(e, inst), size_of(e, inst->index->lane_stride),
                           valid_lanes(e, inst)};
    return LLVMBuildCall2(e->b, LLVMGlobalGetValueType(e->lp->gather), e->lp->gather, args, 3, "");
}

static LLVMValueRef compare(NestEmitter *e, LLVMRealPredicate how, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildFCmp(e->b, how, a, b, "");
}

static LLVMValueRef shift(NestEmitter *e, const LoopInst *inst, LLVMValueRef a) {
    LLVMValueRef by = LLVMConstInt(e->lp->integer, (unsigned long long)inst->integer, false);
    if (e->nest->regs.data[inst->dst].varying) by = splat(e, by);
    return inst->op == LOOP_ishl ? LLVMBuildShl(e->b, a, by, "") : LLVMBuildAShr(e->b, a, by, "");
}

/* 2^n as a real, n in the range of exponents. */
static LLVMValueRef power_of_two(NestEmitter *e, LLVMValueRef n, LLVMTypeRef type) {
    LLVMTypeRef integer = LLVMTypeOf(n);
    bool varying = LLVMGetTypeKind(integer) == LLVMVectorTypeKind;
    LLVMValueRef bias = LLVMConstInt(e->lp->integer, e->lp->p->f64 ? 1023 : 127, false);
    LLVMValueRef mantissa = LLVMConstInt(e->lp->integer, e->lp->p->f64 ? 52 : 23, false);
    if (varying) bias = splat(e, bias), mantissa = splat(e, mantissa);
    n = LLVMBuildShl(e->b, LLVMBuildAdd(e->b, n, bias, ""), mantissa, "");
    return LLVMBuildBitCast(e->b, n, type, "");
}

/* One instruction in AVX-512, else two factors: neither leaves the range of exponents. */
static LLVMValueRef scale(NestEmitter *e, LLVMValueRef x, LLVMValueRef by, bool varying) {
    LLVMBuilderRef b = e->b;
    bool f64 = e->lp->p->f64;
    LLVMTypeRef type = LLVMTypeOf(x), integer = varying ? e->lp->vinteger : e->lp->integer;
    if (varying && e->m->avx512 && e->lp->p->lanes * (f64 ? 64 : 32) == 512) {
        const char *name =
            f64 ? "llvm.x86.avx512.mask.scalef.pd.512" : "llvm.x86.avx512.mask.scalef.ps.512";
        LLVMTypeRef mask = f64 ? e->m->i8 : LLVMInt16TypeInContext(e->m->context);
        LLVMValueRef args[] = {x, by, x, LLVMConstAllOnes(mask), LLVMConstInt(e->m->i32, 4, false)};
        unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
        LLVMValueRef f = LLVMGetIntrinsicDeclaration(e->m->module, id, NULL, 0);
        LLVMTypeRef function = LLVMIntrinsicGetType(e->m->context, id, NULL, 0);
        return LLVMBuildCall2(b, function, f, args, 5, "");
    }
    LLVMValueRef one = LLVMConstInt(e->lp->integer, 1, false);
    /* 1.5 2^mantissa holds whole numbers in its lowest bits: unlike a conversion, sound for nan */
    LLVMValueRef magic = LLVMConstReal(e->lp->real, f64 ? 0x1.8p52 : 0x1.8p23);
    LLVMValueRef offset = LLVMConstBitCast(magic, e->lp->integer);
    if (varying) magic = splat(e, magic), offset = splat(e, offset);
    LLVMValueRef n = LLVMBuildBitCast(b, LLVMBuildFAdd(b, by, magic, ""), integer, "");
    n = LLVMBuildSub(b, n, offset, "");
    LLVMValueRef half = LLVMBuildAShr(b, n, varying ? splat(e, one) : one, "");
    LLVMValueRef rest = LLVMBuildSub(b, n, half, "");
    x = LLVMBuildFMul(b, x, power_of_two(e, half, type), "");
    return LLVMBuildFMul(b, x, power_of_two(e, rest, type), "");
}

static LLVMValueRef value(NestEmitter *e, const LoopInst *inst) {
    LLVMBuilderRef b = e->b;
    LLVMTypeRef type = type_of(e, &e->nest->regs.data[inst->dst]);
    LLVMValueRef x[3] = {0};
    for (int i = 0; i < loop_op_arity[inst->op]; i++) x[i] = operand(e, inst, i);
    switch (inst->op) {
    case LOOP_inside:
        return splat(e, is_inside(e, inst, &x[0]));
    case LOOP_number:
        return LLVMConstReal(type, inst->number);
    case LOOP_integer:
        return LLVMConstInt(type, (unsigned long long)inst->integer, true);
    case LOOP_total:
        return total(e, inst, type);
    case LOOP_load:
        return load(e, inst);
    case LOOP_gather:
        return gather(e, inst);
    case LOOP_broadcast:
        return splat(e, x[0]);
    case LOOP_tail:
        return tail(e, inst);
    case LOOP_neg:
        return LLVMBuildFNeg(b, x[0], "");
    case LOOP_abs:
        return intrinsic(e, "llvm.fabs", x, 1);
    case LOOP_sqrt:
        return intrinsic(e, "llvm.sqrt", x, 1);
    case LOOP_add:
        return LLVMBuildFAdd(b, x[0], x[1], "");
    case LOOP_sub:
        return LLVMBuildFSub(b, x[0], x[1], "");
    case LOOP_mul:
        return LLVMBuildFMul(b, x[0], x[1], "");
    case LOOP_div:
        return LLVMBuildFDiv(b, x[0], x[1], "");
    case LOOP_fma:
        return intrinsic(e, "llvm.fma", x, 3);
    case LOOP_scale:
        return scale(e, x[0], x[1], e->nest->regs.data[inst->dst].varying);
    case LOOP_min:
        return LLVMBuildSelect(b, compare(e, LLVMRealOLT, x[0], x[1]), x[0], x[1], "");
    case LOOP_max:
        return LLVMBuildSelect(b, compare(e, LLVMRealOGT, x[0], x[1]), x[0], x[1], "");
    case LOOP_lt:
        return compare(e, LLVMRealOLT, x[0], x[1]);
    case LOOP_le:
        return compare(e, LLVMRealOLE, x[0], x[1]);
    case LOOP_eq:
        return compare(e, LLVMRealOEQ, x[0], x[1]);
    case LOOP_and:
    case LOOP_iand:
        return LLVMBuildAnd(b, x[0], x[1], "");
    case LOOP_or:
        return LLVMBuildOr(b, x[0], x[1], "");
    case LOOP_not:
        return LLVMBuildNot(b, x[0], "");
    case LOOP_select:
        return LLVMBuildSelect(b, x[0], x[1], x[2], "");
    case LOOP_bits:
    case LOOP_unbits:
        return LLVMBuildBitCast(b, x[0], type, "");
    case LOOP_iadd:
        return LLVMBuildAdd(b, x[0], x[1], "");
    case LOOP_isub:
        return LLVMBuildSub(b, x[0], x[1], "");
    case LOOP_ishl:
    case LOOP_ishr:
        return shift(e, inst, x[0]);
    default:
        internal_error("emit llvm", "no instruction for %s", loop_op_text[inst->op]);
    }
}

static void clear(NestEmitter *e, const LoopInst *inst) {
    if (inst->number == 0) {
        LoopSize bytes = loop_size_times(inst->count, loop_size(e->lp->p->f64 ? 8 : 4));
        LLVMBuildMemSet(e->b, buffer_base(e, inst->buffer), LLVMConstInt(e->m->i8, 0, false),
                        size_of(e, bytes), e->lp->p->f64 ? 8 : 4);
        return;
    }
    LLVMValueRef args[] = {buffer_base(e, inst->buffer), size_of(e, inst->count),
                           LLVMConstReal(e->lp->real, inst->number)};
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(e->lp->clear), e->lp->clear, args, 3, "");
}

static void across_lanes(NestEmitter *e, const LoopInst *inst) {
    LoopSize valid =
        inst->whole ? loop_size(e->lp->p->lanes) : loop_size_extent(e->lp->p, e->nest->lane);
    LLVMValueRef f = inst->op == LOOP_sum_lanes ? e->lp->sum_lanes : e->lp->max_lanes;
    LLVMValueRef args[] = {buffer_base(e, inst->buffer), buffer_base(e, inst->buffer2),
                           size_of(e, inst->count), size_of(e, valid)};
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(f), f, args, 4, "");
}

/* `first` times `stride` numbers into a buffer. */
static LLVMValueRef gemm_pointer(NestEmitter *e, int buffer, int64_t first, LoopSize stride) {
    LLVMValueRef at = size_of(e, stride);
    at = LLVMBuildMul(e->b, at, LLVMConstInt(e->m->i64, (unsigned long long)first, false), "");
    return LLVMBuildInBoundsGEP2(e->b, e->lp->real, buffer_base(e, buffer), &at, 1, "");
}

static void gemm(NestEmitter *e, const LoopGemm *g) {
    Llvm *m = e->m;
    const LoopSize one = loop_size(1);
    const LoopSize sizes[GEMM_SIZES] = {loop_size(g->kind), loop_size(e->lp->p->lanes),
                                        loop_size(g->x.n),  loop_size(g->y.n),
                                        g->blocks,          g->points,
                                        g->exist,           g->x.block,
                                        g->x.point,         g->x.feature,
                                        g->y.block,         g->y.point,
                                        g->y.feature,       loop_size(g->w_row)};
    LLVMValueRef pointers[GEMM_POINTERS] = {gemm_pointer(e, g->x.buffer, g->x.first, g->x.feature),
                                            gemm_pointer(e, g->y.buffer, g->y.first, g->y.feature),
                                            gemm_pointer(e, g->w, g->w_first, one),
                                            gemm_pointer(e, g->room, 0, one)};
    LLVMValueRef r = LLVMBuildAlloca(e->b, m->gemm_t, "product");
    for (unsigned i = 0; i < GEMM_SIZES + GEMM_POINTERS; i++) {
        bool is_size = i < GEMM_SIZES;
        LLVMValueRef at = LLVMConstInt(m->i64, is_size ? i : i - GEMM_SIZES, false);
        LLVMValueRef all = llvm_field(m, m->gemm_t, r, !is_size);
        at = LLVMBuildInBoundsGEP2(e->b, is_size ? m->i64 : m->ptr, all, &at, 1, "");
        LLVMBuildStore(e->b, is_size ? size_of(e, sizes[i]) : pointers[i - GEMM_SIZES], at);
    }
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(e->lp->gemm), e->lp->gemm, &r, 1, "");
}

/* Variables are memory until the pass `sroa` makes registers of them. */
static void variable(NestEmitter *e, const LoopInst *inst) {
    LLVMValueRef start = operand(e, inst, 0);
    LLVMBasicBlockRef here = enter_entry(e);
    LLVMValueRef at = LLVMBuildAlloca(e->b, LLVMTypeOf(start), "");
    LLVMPositionBuilderAtEnd(e->b, here);
    LLVMBuildStore(e->b, start, at);
    e->reg[inst->dst] = at;
    e->mutable_reg[inst->dst] = true;
}

static void instruction(NestEmitter *e, const LoopInst *inst) {
    switch (inst->op) {
    case LOOP_loop:
        open_loop(e, inst);
        return;
    case LOOP_end:
        close_loop(e);
        return;
    case LOOP_next:
        next_instance(e, inst);
        return;
    case LOOP_place:
        place(e, inst);
        return;
    case LOOP_variable:
        variable(e, inst);
        return;
    case LOOP_clear:
        clear(e, inst);
        return;
    case LOOP_gemm:
        gemm(e, inst->gemm);
        return;
    case LOOP_sum_lanes:
    case LOOP_max_lanes:
        across_lanes(e, inst);
        return;
    case LOOP_set:
        LLVMBuildStore(e->b, operand(e, inst, 1), e->reg[inst->arg[0]]);
        return;
    case LOOP_store: {
        LLVMValueRef store = LLVMBuildStore(e->b, operand(e, inst, 0), address(e, inst));
        if (e->nest->regs.data[inst->arg[0]].varying) LLVMSetAlignment(store, vector_alignment(e));
        return;
    }
    case LOOP_scatter: {
        LLVMValueRef args[] = {address(e, inst), size_of(e, inst->index->lane_stride),
                               valid_lanes(e, inst), operand(e, inst, 0)};
        LLVMBuildCall2(e->b, LLVMGlobalGetValueType(e->lp->scatter), e->lp->scatter, args, 4, "");
        return;
    }
    default:
        e->reg[inst->dst] = value(e, inst);
    }
}

/* ---- random numbers ---- */

/* Fields of struct av_random. */
enum {
    RANDOM_KEY,
    RANDOM_STEP,
    RANDOM_DATA0,
    RANDOM_SITE,
    RANDOM_KIND,
    RANDOM_N_DATA,
    RANDOM_REPLACE = RANDOM_N_DATA + 6,
    RANDOM_PARAM,
    RANDOM_P_DATA,
    RANDOM_P_DRAW,
    RANDOM_N_DIMS,
    RANDOM_DIM,
    RANDOM_P_DIM
};

static void set_field(NestEmitter *e, LLVMValueRef object, unsigned field, LLVMValueRef x) {
    LLVMBuildStore(e->b, x, llvm_field(e->m, e->m->random_t, object, field));
}

/* Of a field that is an array. */
static void set_entry(NestEmitter *e, LLVMValueRef object, unsigned field, LLVMTypeRef type, int i,
                      LLVMValueRef x) {
    LLVMValueRef at = LLVMConstInt(e->m->i64, (unsigned)i, false);
    LLVMValueRef array = llvm_field(e->m, e->m->random_t, object, field);
    LLVMBuildStore(e->b, x, LLVMBuildInBoundsGEP2(e->b, type, array, &at, 1, ""));
}

static LLVMValueRef call_field(NestEmitter *e, LLVMTypeRef type, unsigned field) {
    return LLVMBuildLoad2(e->b, type, llvm_field(e->m, e->m->call_t, e->call, field), "");
}

static void fill(NestEmitter *e, const LoopFill *f) {
    Llvm *m = e->m;
    LLVMValueRef r = LLVMBuildAlloca(e->b, m->random_t, "random");
    LLVMBuildStore(e->b, LLVMConstNull(m->random_t), r);
    set_field(e, r, RANDOM_KEY, call_field(e, LLVMArrayType2(m->i32, 2), CALL_KEY));
    set_field(e, r, RANDOM_STEP, call_field(e, m->i32, CALL_STEP));
    set_field(e, r, RANDOM_DATA0, call_field(e, m->i32, CALL_DATA0));
    set_field(e, r, RANDOM_SITE, LLVMConstInt(m->i32, (uint32_t)f->site, false));
    set_field(e, r, RANDOM_KIND, LLVMConstInt(m->i32, f->kind, false));
    const LoopSize sizes[] = {f->n_data, f->n_draw, f->n_inst, f->s_data, f->s_draw, f->s_inst};
    for (unsigned i = 0; i < 6; i++) set_field(e, r, RANDOM_N_DATA + i, size_of(e, sizes[i]));
    set_field(e, r, RANDOM_REPLACE, buffer_base(e, f->input));
    if (f->n_params)
        set_field(e, r, RANDOM_N_DIMS, LLVMConstInt(m->i32, (unsigned)f->n_dims, false));
    for (int i = 0; f->n_params && i < f->n_dims; i++)
        set_entry(e, r, RANDOM_DIM, m->i64, i, size_of(e, f->dim[i]));
    for (int p = 0; p < f->n_params; p++) {
        set_entry(e, r, RANDOM_PARAM, m->ptr, p, buffer_base(e, f->param[p]));
        set_entry(e, r, RANDOM_P_DATA, m->i64, p, size_of(e, f->p_data[p]));
        set_entry(e, r, RANDOM_P_DRAW, m->i64, p, size_of(e, f->p_draw[p]));
        for (int i = 0; i < f->n_dims; i++)
            set_entry(e, r, RANDOM_P_DIM, m->i64, p * LOOP_MAX_DIMS + i,
                      size_of(e, f->p_dim[p][i]));
    }
    LLVMValueRef args[] = {r, buffer_base(e, f->buffer)};
    LLVMBuildCall2(e->b, LLVMGlobalGetValueType(e->lp->fill), e->lp->fill, args, 2, "");
}

/* ---- the function ---- */

/* The part that is to have a new shape: the one with the least to do. */
static int owner_of(Llvm *m, const LoopNest *nest) {
    int owner = 0;
    for (int k = 1; k < m->n_parts; k++)
        if (m->load[k] < m->load[owner]) owner = k;
    m->load[owner] += nest->code.n + 1;
    return owner;
}

static LLVMValueRef emit(LlvmProgram *lp, int number, const NestRefs *refs) {
    Llvm *m = lp->m;
    const LoopNest *nest = lp->p->nests.data[number];
    int owner = owner_of(m, nest);
    if (m->here && owner != m->here) return LLVMConstNull(m->ptr); /* programs are in part 0 */
    char *name = arena_printf(m->arena, "adavic_%s_nest%d", lp->p->name, number);
    LLVMValueRef function = llvm_function(m, name, m->nest_t, owner == 0);
    if (owner) LLVMSetVisibility(function, LLVMHiddenVisibility);
    if (owner != m->here) return function; /* a declaration */
    NestEmitter *e = arena_new_of(m->arena, NestEmitter);
    *e = (NestEmitter){.lp = lp, .m = m, .b = m->builder, .nest = nest, .refs = refs};
    e->function = function;
    e->call = LLVMGetParam(e->function, 0);
    e->bases = LLVMGetParam(e->function, 1);
    e->sizes = LLVMGetParam(e->function, 2);
    e->table = LLVMGetParam(e->function, 3);
    e->reg = arena_array(m->arena, LLVMValueRef, nest->regs.n + 1);
    e->mutable_reg = arena_array(m->arena, bool, nest->regs.n + 1);
    e->var = arena_array(m->arena, LLVMValueRef, nest->n_vars + 1);
    e->base_of = arena_array(m->arena, LLVMValueRef, refs->buffers.n + 1);
    e->known_size = arena_array(m->arena, LLVMValueRef, refs->sizes.n + 1);
    e->entry = LLVMAppendBasicBlockInContext(m->context, e->function, "entry");
    LLVMBasicBlockRef code = LLVMAppendBasicBlockInContext(m->context, e->function, "code");
    e->level[0] = (Level){.var = -1};
    LLVMPositionBuilderAtEnd(e->b, e->entry);
    e->total = call_field(e, m->ptr, CALL_TOTAL);
    LLVMBuildBr(e->b, code);
    LLVMPositionBuilderAtEnd(e->b, code);
    if (nest->fill) fill(e, nest->fill);
    for (int i = 0; i < nest->code.n; i++) instruction(e, &nest->code.data[i]);
    LLVMBuildRetVoid(e->b);
    return e->function;
}

static LLVMValueRef nest_table(LlvmProgram *lp, int number, const NestRefs *refs) {
    Llvm *m = lp->m;
    unsigned n = 0;
    LLVMValueRef *row = arena_array(m->arena, LLVMValueRef, refs->buffers.n + refs->sizes.n + 1);
    for (int i = 0; i < refs->buffers.n; i++)
        row[n++] = LLVMConstInt(m->i32, (unsigned)refs->buffers.data[i], false);
    for (int i = 0; i < refs->sizes.n; i++)
        row[n++] = LLVMConstInt(m->i32, (unsigned)refs->sizes.data[i], false);
    LLVMValueRef all = LLVMConstArray2(m->i32, row, n);
    const char *name = arena_printf(m->arena, "%s_table%d", lp->p->name, number);
    LLVMValueRef global = LLVMAddGlobal(m->module, LLVMTypeOf(all), name);
    LLVMSetInitializer(global, all);
    LLVMSetGlobalConstant(global, true);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    return global;
}

LLVMValueRef llvm_nest(LlvmProgram *lp, int number, LLVMValueRef *table) {
    NestRefs *refs = llvm_refs(lp, lp->p->nests.data[number]);
    *table = nest_table(lp, number, refs);
    for (int i = 0; i < lp->shapes.n; i++) {
        const LlvmShape *shape = &lp->shapes.data[i];
        if (shape->n_key == refs->key.n &&
            !memcmp(shape->key, refs->key.data, sizeof *shape->key * (size_t)shape->n_key))
            return shape->function;
    }
    LLVMValueRef function = emit(lp, number, refs);
    vec_push(lp->m->arena, &lp->shapes, (LlvmShape){refs->key.data, refs->key.n, function});
    return function;
}
