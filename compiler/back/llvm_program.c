/* llvm_program.c -- everything of a unit but the nests' instructions: types, helpers, each
 * program's `run` and `scratch`, literal tables, the entry table and the manifest. Layouts are
 * those of runtime/abi.h and random.h. */
#include "back/llvm.h"

#include <math.h>

/* ---- functions and types ---- */

static void attribute(Llvm *m, LLVMValueRef f, const char *key, const char *text) {
    LLVMAttributeRef a = LLVMCreateStringAttribute(m->context, key, (unsigned)strlen(key), text,
                                                   (unsigned)strlen(text));
    LLVMAddAttributeAtIndex(f, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, a);
}

LLVMValueRef llvm_function(Llvm *m, const char *name, LLVMTypeRef type, bool internal) {
    LLVMValueRef f = LLVMAddFunction(m->module, name, type);
    static const char *const marks[] = {"noinline", "nounwind"};
    for (int i = 0; i < 2; i++) {
        unsigned kind = LLVMGetEnumAttributeKindForName(marks[i], strlen(marks[i]));
        LLVMAddAttributeAtIndex(f, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                                LLVMCreateEnumAttribute(m->context, kind, 0));
    }
    const char *bits = arena_printf(m->arena, "%d", m->vector_bits);
    attribute(m, f, "min-legal-vector-width", bits);
    attribute(m, f, "prefer-vector-width", bits);
    if (m->tune) attribute(m, f, "tune-cpu", m->tune);
    if (internal) LLVMSetLinkage(f, LLVMInternalLinkage);
    return f;
}

LLVMValueRef llvm_field(Llvm *m, LLVMTypeRef type, LLVMValueRef object, unsigned field) {
    return LLVMBuildStructGEP2(m->builder, type, object, field, "");
}

static LLVMTypeRef struct_of(Llvm *m, LLVMTypeRef *fields, unsigned n) {
    return LLVMStructTypeInContext(m->context, fields, n, false);
}

static void unit_types(Llvm *m) {
    m->void_t = LLVMVoidTypeInContext(m->context);
    m->i1 = LLVMInt1TypeInContext(m->context);
    m->i8 = LLVMInt8TypeInContext(m->context);
    m->i32 = LLVMInt32TypeInContext(m->context);
    m->i64 = LLVMInt64TypeInContext(m->context);
    m->ptr = LLVMPointerTypeInContext(m->context, 0);
    LLVMTypeRef key = LLVMArrayType2(m->i32, 2), dims = LLVMArrayType2(m->i64, LOOP_MAX_DIMS);
    LLVMTypeRef params = LLVMArrayType2(m->ptr, 2), steps = LLVMArrayType2(m->i64, 2);
    LLVMTypeRef call[] = {m->ptr, m->ptr, m->ptr, m->ptr, m->ptr, key, m->i32, m->i32};
    m->call_t = struct_of(m, call, 8);
    LLVMTypeRef random[] = {key,    m->i32, m->i32, m->i32, m->i32, m->i64,
                            m->i64, m->i64, m->i64, m->i64, m->i64, m->ptr,
                            params, steps,  steps,  m->i32, dims,   LLVMArrayType2(dims, 2)};
    m->random_t = struct_of(m, random, 18);
    LLVMTypeRef gemm[] = {LLVMArrayType2(m->i64, GEMM_SIZES),
                          LLVMArrayType2(m->ptr, GEMM_POINTERS)};
    m->gemm_t = struct_of(m, gemm, 2);
    m->nest_t =
        LLVMFunctionType(m->void_t, (LLVMTypeRef[]){m->ptr, m->ptr, m->ptr, m->ptr}, 4, false);
    m->run_t = LLVMFunctionType(m->void_t, &m->ptr, 1, false);
    m->scratch_t = LLVMFunctionType(m->i64, &m->ptr, 1, false);
}

static LLVMValueRef factor_of(LlvmProgram *lp, LLVMValueRef extent, int factor) {
    Llvm *m = lp->m;
    LLVMBuilderRef b = m->builder;
    if (factor >= LOOP_START) return LLVMBuildLoad2(b, m->i64, lp->start[factor - LOOP_START], "");
    if (factor >= LOOP_TILE) return LLVMBuildLoad2(b, m->i64, lp->tile[factor - LOOP_TILE], "");
    bool blocks = factor <= LOOP_BLOCKS;
    int entry = blocks ? loop_blocks_axis(factor) : loop_factor_entry(lp->p, factor);
    LLVMValueRef at = LLVMConstInt(m->i64, (unsigned long long)entry, false);
    LLVMValueRef n =
        LLVMBuildLoad2(b, m->i64, LLVMBuildInBoundsGEP2(b, m->i64, extent, &at, 1, ""), "");
    if (!blocks) return n;
    unsigned lanes = (unsigned)lp->p->lanes;
    n = LLVMBuildAdd(b, n, LLVMConstInt(m->i64, lanes - 1, false), "");
    return LLVMBuildUDiv(b, n, LLVMConstInt(m->i64, lanes, false), "");
}

LLVMValueRef llvm_size(LlvmProgram *lp, LLVMValueRef extent, LoopSize size) {
    LLVMValueRef value = LLVMConstInt(lp->m->i64, (unsigned long long)size.coef, true);
    for (int i = 0; i < size.n; i++)
        value = LLVMBuildMul(lp->m->builder, value, factor_of(lp, extent, size.factor[i]), "");
    return value;
}

/* ---- vectors ---- */

LLVMValueRef llvm_splat(LlvmProgram *lp, LLVMValueRef x) {
    LLVMBuilderRef b = lp->m->builder;
    unsigned lanes = (unsigned)lp->p->lanes;
    LLVMTypeRef vector = LLVMVectorType(LLVMTypeOf(x), lanes);
    if (LLVMIsConstant(x)) {
        LLVMValueRef all[64];
        for (unsigned i = 0; i < lanes; i++) all[i] = x;
        return LLVMConstVector(all, lanes);
    }
    LLVMValueRef zero = LLVMConstInt(lp->m->i32, 0, false);
    LLVMValueRef first = LLVMBuildInsertElement(b, LLVMGetPoison(vector), x, zero, "");
    return LLVMBuildShuffleVector(b, first, LLVMGetPoison(vector),
                                  LLVMConstNull(LLVMVectorType(lp->m->i32, lanes)), "");
}

LLVMValueRef llvm_lanes_below(LlvmProgram *lp, LLVMValueRef n) {
    Llvm *m = lp->m;
    LLVMValueRef number[64];
    unsigned lanes = (unsigned)lp->p->lanes;
    for (unsigned i = 0; i < lanes; i++) number[i] = LLVMConstInt(m->i32, i, false);
    n = llvm_splat(lp, LLVMBuildTrunc(m->builder, n, m->i32, ""));
    return LLVMBuildICmp(m->builder, LLVMIntSLT, LLVMConstVector(number, lanes), n, "");
}

/* ---- helpers of a program ---- */

static LLVMValueRef element(LlvmProgram *lp, LLVMValueRef p, LLVMValueRef at) {
    return LLVMBuildInBoundsGEP2(lp->m->builder, lp->real, p, &at, 1, "");
}

/* (pointer, stride, lanes that exist) -> vector; the last one stands for those that do not. */
static void make_gather(LlvmProgram *lp) {
    Llvm *m = lp->m;
    LLVMBuilderRef b = m->builder;
    LLVMTypeRef args[] = {m->ptr, m->i64, m->i64};
    LLVMValueRef f = llvm_function(m, arena_printf(m->arena, "%s_gather", lp->p->name),
                                   LLVMFunctionType(lp->vreal, args, 3, false), true);
    LLVMPositionBuilderAtEnd(b, LLVMAppendBasicBlockInContext(m->context, f, ""));
    LLVMValueRef last = LLVMBuildSub(b, LLVMGetParam(f, 2), LLVMConstInt(m->i64, 1, false), "");
    LLVMValueRef out = LLVMGetPoison(lp->vreal);
    for (int i = 0; i < lp->p->lanes; i++) {
        LLVMValueRef lane = LLVMConstInt(m->i64, (unsigned)i, false);
        LLVMValueRef there = LLVMBuildICmp(b, LLVMIntSLT, lane, last, "");
        LLVMValueRef at = LLVMBuildSelect(b, there, lane, last, "");
        at = LLVMBuildMul(b, at, LLVMGetParam(f, 1), "");
        LLVMValueRef x = LLVMBuildLoad2(b, lp->real, element(lp, LLVMGetParam(f, 0), at), "");
        out = LLVMBuildInsertElement(b, out, x, lane, "");
    }
    LLVMBuildRet(b, out);
    lp->gather = f;
}

/* (pointer, stride, lanes that exist, vector) */
static void make_scatter(LlvmProgram *lp) {
    Llvm *m = lp->m;
    LLVMBuilderRef b = m->builder;
    LLVMTypeRef args[] = {m->ptr, m->i64, m->i64, lp->vreal};
    LLVMValueRef f = llvm_function(m, arena_printf(m->arena, "%s_scatter", lp->p->name),
                                   LLVMFunctionType(m->void_t, args, 4, false), true);
    LLVMPositionBuilderAtEnd(b, LLVMAppendBasicBlockInContext(m->context, f, ""));
    LLVMBasicBlockRef done = LLVMAppendBasicBlockInContext(m->context, f, "done");
    for (int i = 0; i < lp->p->lanes; i++) {
        LLVMValueRef lane = LLVMConstInt(m->i64, (unsigned)i, false);
        LLVMBasicBlockRef some = LLVMInsertBasicBlockInContext(m->context, done, "");
        LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSLT, lane, LLVMGetParam(f, 2), ""), some, done);
        LLVMPositionBuilderAtEnd(b, some);
        LLVMValueRef at = LLVMBuildMul(b, lane, LLVMGetParam(f, 1), "");
        LLVMValueRef x = LLVMBuildExtractElement(b, LLVMGetParam(f, 3), lane, "");
        LLVMBuildStore(b, x, element(lp, LLVMGetParam(f, 0), at));
    }
    LLVMBuildBr(b, done);
    LLVMPositionBuilderAtEnd(b, done);
    LLVMBuildRetVoid(b);
    lp->scatter = f;
}

/* A function with one loop of `count` (parameter `n`) iterations; the builder stands in its body.
 */
typedef struct HelperLoop {
    LLVMValueRef f, i;
    LLVMBasicBlockRef body, done;
} HelperLoop;

static HelperLoop open_helper(LlvmProgram *lp, const char *name, LLVMTypeRef *args, unsigned n_args,
                              unsigned count) {
    Llvm *m = lp->m;
    LLVMBuilderRef b = m->builder;
    HelperLoop h = {.f = llvm_function(m, arena_printf(m->arena, "%s_%s", lp->p->name, name),
                                       LLVMFunctionType(m->void_t, args, n_args, false), true)};
    LLVMBasicBlockRef entry = LLVMAppendBasicBlockInContext(m->context, h.f, "");
    h.body = LLVMAppendBasicBlockInContext(m->context, h.f, "body");
    h.done = LLVMAppendBasicBlockInContext(m->context, h.f, "done");
    LLVMPositionBuilderAtEnd(b, entry);
    LLVMValueRef zero = LLVMConstInt(m->i64, 0, false);
    LLVMValueRef some = LLVMBuildICmp(b, LLVMIntSGT, LLVMGetParam(h.f, count), zero, "");
    LLVMBuildCondBr(b, some, h.body, h.done);
    LLVMPositionBuilderAtEnd(b, h.body);
    h.i = LLVMBuildPhi(b, m->i64, "");
    LLVMAddIncoming(h.i, &zero, &entry, 1);
    return h;
}

static LLVMValueRef close_helper(LlvmProgram *lp, HelperLoop h, unsigned count) {
    Llvm *m = lp->m;
    LLVMBuilderRef b = m->builder;
    LLVMValueRef next = LLVMBuildAdd(b, h.i, LLVMConstInt(m->i64, 1, false), "");
    LLVMAddIncoming(h.i, &next, &h.body, 1);
    LLVMValueRef more = LLVMBuildICmp(b, LLVMIntSLT, next, LLVMGetParam(h.f, count), "");
    LLVMBuildCondBr(b, more, h.body, h.done);
    LLVMPositionBuilderAtEnd(b, h.done);
    LLVMBuildRetVoid(b);
    return h.f;
}

/* (to, count, x) */
static LLVMValueRef make_clear(LlvmProgram *lp) {
    Llvm *m = lp->m;
    HelperLoop h = open_helper(lp, "clear", (LLVMTypeRef[]){m->ptr, m->i64, lp->real}, 3, 1);
    LLVMBuildStore(m->builder, LLVMGetParam(h.f, 2), element(lp, LLVMGetParam(h.f, 0), h.i));
    return close_helper(lp, h, 1);
}

/* Lanes `first` to `first + n - 1`. */
static LLVMValueRef some_lanes(Llvm *m, LLVMValueRef x, unsigned first, unsigned n) {
    LLVMValueRef lane[64];
    for (unsigned i = 0; i < n; i++) lane[i] = LLVMConstInt(m->i32, first + i, false);
    return LLVMBuildShuffleVector(m->builder, x, LLVMGetPoison(LLVMTypeOf(x)),
                                  LLVMConstVector(lane, n), "");
}

/* ---- sums and maxima over lanes: (to, from, count, valid lanes) ----
 *
 * Halves are combined until one number is left, always in the same order. A block of as many
 * vectors as there are lanes is transposed on the way: two vectors become one that holds the halves
 * of both, combined. */

static LLVMValueRef combined(LlvmProgram *lp, bool max, LLVMValueRef a, LLVMValueRef b) {
    LLVMBuilderRef builder = lp->m->builder;
    if (!max) return LLVMBuildFAdd(builder, a, b, "");
    return LLVMBuildSelect(builder, LLVMBuildFCmp(builder, LLVMRealOGT, a, b, ""), a, b, "");
}

static LLVMValueRef valid_row(LlvmProgram *lp, bool max, LLVMValueRef mask, LLVMValueRef from,
                              LLVMValueRef row) {
    Llvm *m = lp->m;
    unsigned lanes = (unsigned)lp->p->lanes;
    LLVMValueRef at = LLVMBuildMul(m->builder, row, LLVMConstInt(m->i64, lanes, false), "");
    LLVMValueRef x = LLVMBuildLoad2(m->builder, lp->vreal, element(lp, from, at), "");
    LLVMSetAlignment(x, lp->p->f64 ? 8 : 4);
    LLVMValueRef rest = llvm_splat(lp, LLVMConstReal(lp->real, max ? -INFINITY : 0));
    return LLVMBuildSelect(m->builder, mask, x, rest, "");
}

/* Row by row. */
static LLVMValueRef make_rows(LlvmProgram *lp, bool max, LLVMTypeRef *args) {
    Llvm *m = lp->m;
    HelperLoop h = open_helper(lp, max ? "max_rows" : "sum_rows", args, 4, 2);
    LLVMValueRef mask = llvm_lanes_below(lp, LLVMGetParam(h.f, 3));
    LLVMValueRef x = valid_row(lp, max, mask, LLVMGetParam(h.f, 1), h.i);
    for (unsigned n = (unsigned)lp->p->lanes / 2; n; n /= 2)
        x = combined(lp, max, some_lanes(m, x, 0, n), some_lanes(m, x, n, n));
    x = LLVMBuildExtractElement(m->builder, x, LLVMConstInt(m->i32, 0, false), "");
    LLVMBuildStore(m->builder, x, element(lp, LLVMGetParam(h.f, 0), h.i));
    return close_helper(lp, h, 2);
}

/* Of stretches of `size` lanes the lower halves (upper: `from` = size / 2), all of a, then all of
 * b. */
static LLVMValueRef halves(Llvm *m, LLVMValueRef a, LLVMValueRef b, unsigned lanes, unsigned size,
                           unsigned from) {
    LLVMValueRef lane[64];
    unsigned n = 0;
    for (unsigned at = 0; at < 2 * lanes; at += size)
        for (unsigned i = 0; i < size / 2; i++)
            lane[n++] = LLVMConstInt(m->i32, at + from + i, false);
    return LLVMBuildShuffleVector(m->builder, a, b, LLVMConstVector(lane, lanes), "");
}

/* `count` blocks of as many rows as there are lanes. */
static LLVMValueRef make_blocks(LlvmProgram *lp, bool max, LLVMTypeRef *args) {
    Llvm *m = lp->m;
    LLVMBuilderRef b = m->builder;
    unsigned lanes = (unsigned)lp->p->lanes;
    LLVMValueRef x[64];
    HelperLoop h = open_helper(lp, max ? "max_blocks" : "sum_blocks", args, 4, 2);
    LLVMValueRef first = LLVMBuildMul(b, h.i, LLVMConstInt(m->i64, lanes, false), "");
    LLVMValueRef mask = llvm_lanes_below(lp, LLVMGetParam(h.f, 3));
    for (unsigned i = 0; i < lanes; i++) {
        LLVMValueRef row = LLVMBuildAdd(b, first, LLVMConstInt(m->i64, i, false), "");
        x[i] = valid_row(lp, max, mask, LLVMGetParam(h.f, 1), row);
    }
    for (unsigned n = lanes, size = lanes; n > 1; n /= 2, size /= 2)
        for (unsigned i = 0; i < n / 2; i++)
            x[i] = combined(lp, max, halves(m, x[2 * i], x[2 * i + 1], lanes, size, 0),
                            halves(m, x[2 * i], x[2 * i + 1], lanes, size, size / 2));
    LLVMValueRef store = LLVMBuildStore(b, x[0], element(lp, LLVMGetParam(h.f, 0), first));
    LLVMSetAlignment(store, lp->p->f64 ? 8 : 4);
    return close_helper(lp, h, 2);
}

/* Blocks, then the rows that are left. */
static LLVMValueRef make_across_lanes(LlvmProgram *lp, bool max) {
    Llvm *m = lp->m;
    LLVMBuilderRef b = m->builder;
    LLVMTypeRef args[] = {m->ptr, m->ptr, m->i64, m->i64};
    LLVMTypeRef type = LLVMFunctionType(m->void_t, args, 4, false);
    LLVMValueRef rows = make_rows(lp, max, args), blocks = make_blocks(lp, max, args);
    const char *name = max ? "max_lanes" : "sum_lanes";
    LLVMValueRef f =
        llvm_function(m, arena_printf(m->arena, "%s_%s", lp->p->name, name), type, true);
    LLVMPositionBuilderAtEnd(b, LLVMAppendBasicBlockInContext(m->context, f, ""));
    LLVMValueRef to = LLVMGetParam(f, 0), from = LLVMGetParam(f, 1), valid = LLVMGetParam(f, 3);
    LLVMValueRef lanes = LLVMConstInt(m->i64, (unsigned)lp->p->lanes, false);
    LLVMValueRef n_blocks = LLVMBuildUDiv(b, LLVMGetParam(f, 2), lanes, "");
    LLVMValueRef done = LLVMBuildMul(b, n_blocks, lanes, "");
    LLVMBuildCall2(b, type, blocks, (LLVMValueRef[]){to, from, n_blocks, valid}, 4, "");
    LLVMValueRef left[] = {element(lp, to, done),
                           element(lp, from, LLVMBuildMul(b, done, lanes, "")),
                           LLVMBuildSub(b, LLVMGetParam(f, 2), done, ""), valid};
    LLVMBuildCall2(b, type, rows, left, 4, "");
    LLVMBuildRetVoid(b);
    return f;
}

static void program_types(LlvmProgram *lp) {
    Llvm *m = lp->m;
    unsigned lanes = (unsigned)lp->p->lanes;
    lp->real =
        lp->p->f64 ? LLVMDoubleTypeInContext(m->context) : LLVMFloatTypeInContext(m->context);
    lp->integer = lp->p->f64 ? m->i64 : m->i32;
    lp->vreal = LLVMVectorType(lp->real, lanes);
    lp->vinteger = LLVMVectorType(lp->integer, lanes);
    lp->vmask = LLVMVectorType(m->i1, lanes);
    const char *fill = lp->p->f64 ? "av_fill_f64" : "av_fill_f32";
    lp->fill = LLVMGetNamedFunction(m->module, fill);
    LLVMTypeRef fill_t = LLVMFunctionType(m->void_t, (LLVMTypeRef[]){m->ptr, m->ptr}, 2, false);
    if (!lp->fill) lp->fill = LLVMAddFunction(m->module, fill, fill_t);
    const char *gemm = lp->p->f64 ? "av_gemm_f64" : "av_gemm_f32";
    lp->gemm = LLVMGetNamedFunction(m->module, gemm);
    LLVMTypeRef gemm_t = LLVMFunctionType(m->void_t, &m->ptr, 1, false);
    if (!lp->gemm && loop_uses_blas(lp->p)) lp->gemm = LLVMAddFunction(m->module, gemm, gemm_t);
    lp->clear = make_clear(lp);
    if (lanes == 1) return;
    lp->sum_lanes = make_across_lanes(lp, false);
    lp->max_lanes = make_across_lanes(lp, true);
    make_gather(lp);
    make_scatter(lp);
}

static void tables(LlvmProgram *lp) {
    Llvm *m = lp->m;
    lp->tables = arena_array(m->arena, LLVMValueRef, lp->p->buffers.n + 1);
    for (int i = 0; i < lp->p->buffers.n; i++) {
        const LoopBuffer *buffer = &lp->p->buffers.data[i];
        if (buffer->kind != BUFFER_TABLE) continue;
        unsigned n = (unsigned)buffer->size.coef;
        LLVMValueRef *numbers = arena_array(m->arena, LLVMValueRef, n);
        for (unsigned k = 0; k < n; k++) numbers[k] = LLVMConstReal(lp->real, buffer->table[k]);
        LLVMValueRef all = LLVMConstArray2(lp->real, numbers, n);
        lp->tables[i] = LLVMAddGlobal(m->module, LLVMTypeOf(all), buffer->name);
        LLVMSetInitializer(lp->tables[i], all);
        LLVMSetGlobalConstant(lp->tables[i], true);
        LLVMSetLinkage(lp->tables[i], LLVMPrivateLinkage);
    }
}

/* ---- scratch and run ---- */

static LLVMValueRef larger(Llvm *m, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildSelect(m->builder, LLVMBuildICmp(m->builder, LLVMIntSGT, a, b, ""), a, b, "");
}

static LLVMValueRef largest(LlvmProgram *lp, LLVMValueRef extent, const LoopSize *sizes, int n) {
    LLVMValueRef out = llvm_size(lp, extent, sizes[0]);
    for (int i = 1; i < n; i++) out = larger(lp->m, out, llvm_size(lp, extent, sizes[i]));
    return out;
}

/* Of all sweeps, the outer ones first: the largest tile, which is also the first. */
static void open_tiles(LlvmProgram *lp, LLVMValueRef extent) {
    Llvm *m = lp->m;
    LLVMBuilderRef b = m->builder;
    int n = lp->p->sweeps.n;
    LLVMValueRef one = LLVMConstInt(m->i64, 1, false), zero = LLVMConstInt(m->i64, 0, false);
    lp->room = arena_array(m->arena, LLVMValueRef, n + 1);
    lp->tile = arena_array(m->arena, LLVMValueRef, n + 1);
    lp->start = arena_array(m->arena, LLVMValueRef, n + 1);
    for (int i = 0; i < n; i++) {
        lp->tile[i] = LLVMBuildAlloca(b, m->i64, "tile");
        lp->start[i] = LLVMBuildAlloca(b, m->i64, "start");
    }
    for (int i = 0; i < n; i++) {
        const LoopSweep *sweep = &lp->p->sweeps.data[i];
        LLVMValueRef each = largest(lp, extent, sweep->numbers, sweep->n_numbers);
        LLVMValueRef whole = llvm_size(lp, extent, loop_size_extent(lp->p, sweep->axis));
        LLVMValueRef most = LLVMConstInt(m->i64, (unsigned long long)sweep->room, false);
        most = LLVMBuildUDiv(b, most, larger(m, each, one), "");
        LLVMValueRef less = LLVMBuildICmp(b, LLVMIntSLT, most, whole, "");
        lp->room[i] = larger(m, LLVMBuildSelect(b, less, most, whole, ""), one);
        LLVMBuildStore(b, lp->room[i], lp->tile[i]);
        LLVMBuildStore(b, zero, lp->start[i]);
    }
}

static LLVMValueRef slot_bytes(LlvmProgram *lp, LLVMValueRef extent, int slot) {
    Llvm *m = lp->m;
    const LoopSlot *of = &lp->p->slots.data[slot];
    LLVMValueRef n = largest(lp, extent, of->sizes.data, of->sizes.n);
    n = LLVMBuildMul(m->builder, n, LLVMConstInt(m->i64, lp->p->f64 ? 8 : 4, false), "");
    n = LLVMBuildAdd(m->builder, n, LLVMConstInt(m->i64, 63, false), "");
    return LLVMBuildAnd(m->builder, n, LLVMConstInt(m->i64, (unsigned long long)-64, true), "");
}

static LLVMValueRef scratch_function(LlvmProgram *lp) {
    Llvm *m = lp->m;
    LLVMValueRef f =
        llvm_function(m, arena_printf(m->arena, "%s_scratch", lp->p->name), m->scratch_t, true);
    LLVMPositionBuilderAtEnd(m->builder, LLVMAppendBasicBlockInContext(m->context, f, ""));
    LLVMValueRef sum = LLVMConstInt(m->i64, 0, false);
    open_tiles(lp, LLVMGetParam(f, 0));
    for (int i = 0; i < lp->p->slots.n; i++)
        sum = LLVMBuildAdd(m->builder, sum, slot_bytes(lp, LLVMGetParam(f, 0), i), "");
    LLVMBuildRet(m->builder, sum);
    return f;
}

static LLVMValueRef pointer_at(Llvm *m, LLVMValueRef array, int i) {
    LLVMValueRef at = LLVMConstInt(m->i64, (unsigned)i, false);
    return LLVMBuildInBoundsGEP2(m->builder, m->ptr, array, &at, 1, "");
}

static void set_entry(Llvm *m, LLVMTypeRef type, LLVMValueRef array, int i, LLVMValueRef x) {
    LLVMValueRef at = LLVMConstInt(m->i64, (unsigned)i, false);
    LLVMBuildStore(m->builder, x, LLVMBuildInBoundsGEP2(m->builder, type, array, &at, 1, ""));
}

/* Pointers to all buffers: inputs, outputs (an unwanted one goes to its slot), slots, literal
 * tables. */
static void fill_bases(LlvmProgram *lp, const LLVMValueRef *field, LLVMValueRef bases) {
    Llvm *m = lp->m;
    LLVMBuilderRef b = m->builder;
    const LoopProgram *p = lp->p;
    int n_in = p->inputs.n, n_out = p->ir->outputs.n;
    LLVMValueRef at = field[CALL_SCRATCH];
    LLVMValueRef *slots = arena_array(m->arena, LLVMValueRef, p->slots.n + 1);
    for (int i = 0; i < n_in; i++) {
        LLVMValueRef x = LLVMBuildLoad2(b, m->ptr, pointer_at(m, field[CALL_IN], i), "");
        set_entry(m, m->ptr, bases, i, x);
    }
    for (int i = 0; i < p->slots.n; i++) {
        slots[i] = at;
        set_entry(m, m->ptr, bases, n_in + n_out + i, at);
        LLVMValueRef bytes = slot_bytes(lp, field[CALL_EXTENT], i);
        at = LLVMBuildInBoundsGEP2(b, m->i8, at, &bytes, 1, "");
    }
    for (int i = 0; i < n_out; i++) {
        LLVMValueRef x = LLVMBuildLoad2(b, m->ptr, pointer_at(m, field[CALL_OUT], i), "");
        LLVMValueRef unwanted = LLVMBuildIsNull(b, x, "");
        x = LLVMBuildSelect(b, unwanted, slots[p->buffers.data[n_in + i].slot], x, "");
        set_entry(m, m->ptr, bases, n_in + i, x);
    }
    for (int i = 0; i < p->buffers.n; i++)
        if (lp->tables[i]) set_entry(m, m->ptr, bases, llvm_buffer_place(p, i), lp->tables[i]);
}

/* A sweep being written: a loop over tiles. */
typedef struct Tiles {
    LLVMBasicBlockRef head, after;
    LLVMValueRef whole, at;
} Tiles;

/* Sizes that depend on the tile of `sweep` (-1: all sizes) into the table. */
static void set_sizes(LlvmProgram *lp, LLVMValueRef extent, LLVMValueRef sizes, int sweep) {
    for (int i = 0; i < lp->sizes.n; i++)
        if (sweep < 0 || loop_size_in_sweep(lp->sizes.data[i], sweep))
            set_entry(lp->m, lp->m->i64, sizes, i, llvm_size(lp, extent, lp->sizes.data[i]));
}

static Tiles open_sweep(LlvmProgram *lp, LLVMValueRef f, LLVMValueRef extent, LLVMValueRef sizes,
                        int sweep) {
    Llvm *m = lp->m;
    LLVMBuilderRef b = m->builder;
    Tiles t = {.head = LLVMAppendBasicBlockInContext(m->context, f, "tile"),
               .after = LLVMAppendBasicBlockInContext(m->context, f, "after")};
    LLVMBasicBlockRef body = LLVMInsertBasicBlockInContext(m->context, t.after, "nests");
    t.whole = llvm_size(lp, extent, loop_size_extent(lp->p, lp->p->sweeps.data[sweep].axis));
    LLVMBuildStore(b, LLVMConstInt(m->i64, 0, false), lp->start[sweep]);
    LLVMBuildBr(b, t.head);
    LLVMPositionBuilderAtEnd(b, t.head);
    t.at = LLVMBuildLoad2(b, m->i64, lp->start[sweep], "");
    LLVMBuildCondBr(b, LLVMBuildICmp(b, LLVMIntSLT, t.at, t.whole, ""), body, t.after);
    LLVMPositionBuilderAtEnd(b, body);
    LLVMValueRef rest = LLVMBuildSub(b, t.whole, t.at, "");
    LLVMValueRef less = LLVMBuildICmp(b, LLVMIntSLT, rest, lp->room[sweep], "");
    LLVMBuildStore(b, LLVMBuildSelect(b, less, rest, lp->room[sweep], ""), lp->tile[sweep]);
    set_sizes(lp, extent, sizes, sweep);
    return t;
}

static void close_sweep(LlvmProgram *lp, const Tiles *t, int sweep) {
    LLVMBuilderRef b = lp->m->builder;
    LLVMBuildStore(b, LLVMBuildAdd(b, t->at, lp->room[sweep], ""), lp->start[sweep]);
    LLVMBuildBr(b, t->head);
    LLVMMoveBasicBlockAfter(t->after, LLVMGetInsertBlock(b));
    LLVMPositionBuilderAtEnd(b, t->after);
}

/* The tables of pointers and sizes, then the nests, each sweep's in a loop over its tiles. */
static LLVMValueRef run_function(LlvmProgram *lp, LLVMValueRef *nests, LLVMValueRef *tables) {
    Llvm *m = lp->m;
    LLVMBuilderRef b = m->builder;
    const LoopProgram *p = lp->p;
    LLVMValueRef f = llvm_function(m, arena_printf(m->arena, "%s_run", p->name), m->run_t, true);
    LLVMPositionBuilderAtEnd(b, LLVMAppendBasicBlockInContext(m->context, f, ""));
    LLVMValueRef call = LLVMGetParam(f, 0), field[5];
    for (unsigned i = 0; i < 5; i++)
        field[i] = LLVMBuildLoad2(b, m->ptr, llvm_field(m, m->call_t, call, i), "");
    unsigned n = (unsigned)(p->inputs.n + p->ir->outputs.n + p->slots.n + p->buffers.n);
    LLVMValueRef bases = LLVMBuildAlloca(b, LLVMArrayType2(m->ptr, n), "bases");
    LLVMValueRef sizes =
        LLVMBuildAlloca(b, LLVMArrayType2(m->i64, (unsigned)lp->sizes.n + 1), "sizes");
    open_tiles(lp, field[CALL_EXTENT]);
    fill_bases(lp, field, bases);
    set_sizes(lp, field[CALL_EXTENT], sizes, -1);
    Tiles *tiles = arena_array(m->arena, Tiles, p->sweeps.n + 1);
    for (int i = 0; i < p->nests.n; i++) {
        for (int k = 0; k < p->sweeps.n; k++)
            if (p->sweeps.data[k].first == i)
                tiles[k] = open_sweep(lp, f, field[CALL_EXTENT], sizes, k);
        LLVMValueRef args[] = {call, bases, sizes, tables[i]};
        LLVMBuildCall2(b, m->nest_t, nests[i], args, 4, "");
        for (int k = p->sweeps.n - 1; k >= 0; k--)
            if (p->sweeps.data[k].last == i) close_sweep(lp, &tiles[k], k);
    }
    LLVMBuildRetVoid(b);
    return f;
}

/* ---- the unit ---- */

static LLVMValueRef text_constant(Llvm *m, const char *name, const char *text) {
    LLVMValueRef x = LLVMConstStringInContext2(m->context, text, strlen(text), false);
    LLVMValueRef global = LLVMAddGlobal(m->module, LLVMTypeOf(x), name);
    LLVMSetInitializer(global, x);
    LLVMSetGlobalConstant(global, true);
    return global;
}

/* Its nests; in part 0 its row of the entry table. */
static LLVMValueRef program(Llvm *m, const LoopProgram *p) {
    LlvmProgram *lp = arena_new_of(m->arena, LlvmProgram);
    *lp = (LlvmProgram){.m = m, .p = p};
    program_types(lp);
    LLVMValueRef *nests = arena_array(m->arena, LLVMValueRef, p->nests.n + 1);
    LLVMValueRef *of_nest = arena_array(m->arena, LLVMValueRef, p->nests.n + 1);
    for (int i = 0; i < p->nests.n; i++) nests[i] = llvm_nest(lp, i, &of_nest[i]);
    if (m->here) return NULL;
    tables(lp);
    LLVMValueRef name = text_constant(m, arena_printf(m->arena, "%s_name", p->name), p->name);
    LLVMSetLinkage(name, LLVMPrivateLinkage);
    LLVMValueRef entry[] = {name, run_function(lp, nests, of_nest), scratch_function(lp)};
    return LLVMConstStructInContext(m->context, entry, 3, false);
}

static void entry_table(Llvm *m, LLVMValueRef *rows, unsigned n) {
    LLVMTypeRef row = struct_of(m, (LLVMTypeRef[]){m->ptr, m->ptr, m->ptr}, 3);
    LLVMValueRef table = LLVMConstArray2(row, rows, n);
    LLVMValueRef entries = LLVMAddGlobal(m->module, LLVMTypeOf(table), "adavic_entries");
    LLVMSetInitializer(entries, table);
    LLVMSetGlobalConstant(entries, true);
    LLVMValueRef count = LLVMAddGlobal(m->module, m->i64, "adavic_entry_count");
    LLVMSetInitializer(count, LLVMConstInt(m->i64, n, false));
    LLVMSetGlobalConstant(count, true);
}

void llvm_unit(Llvm *m, const Unit *unit) {
    for (int i = 0; i < unit->n_programs; i++) {
        const LoopProgram *p = unit->programs[i];
        int bits = p->lanes * (p->f64 ? 64 : 32);
        if (bits > m->vector_bits) m->vector_bits = bits;
    }
    unit_types(m);
    unsigned n = (unsigned)unit->n_programs;
    LLVMValueRef *rows = arena_array(m->arena, LLVMValueRef, n + 1);
    for (unsigned i = 0; i < n; i++) rows[i] = program(m, unit->programs[i]);
    if (m->here) return;
    entry_table(m, rows, n);
    text_constant(m, "adavic_manifest", unit->manifest ? unit->manifest : "");
}
