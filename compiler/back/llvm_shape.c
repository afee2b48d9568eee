/* llvm_shape.c -- recognises nests that differ only in the buffers and run-time sizes they work on:
 * the layers of an encoder at every level of plates, the gradients of weights of one shape. Each
 * shape is compiled once. */
#include "back/llvm.h"

int llvm_buffer_place(const LoopProgram *p, int buffer) {
    const LoopBuffer *b = &p->buffers.data[buffer];
    int fixed = p->inputs.n + p->ir->outputs.n;
    switch (b->kind) {
    case BUFFER_FRAME:
        return fixed;
    case BUFFER_SCRATCH:
        return fixed + b->slot;
    case BUFFER_TABLE:
        return fixed + p->slots.n + buffer;
    default:
        return buffer;
    }
}

int llvm_size_place(LlvmProgram *lp, LoopSize size) {
    for (int i = 0; i < lp->sizes.n; i++)
        if (lp->sizes.data[i].coef == size.coef && loop_size_same_factors(lp->sizes.data[i], size))
            return i;
    vec_push(lp->m->arena, &lp->sizes, size);
    return lp->sizes.n - 1;
}

typedef struct Keying {
    LlvmProgram *lp;
    NestRefs *refs;
} Keying;

static void put(Keying *k, int64_t x) {
    vec_push(k->lp->m->arena, &k->refs->key, x);
}

static void put_size(Keying *k, LoopSize size) {
    if (size.n == 0) {
        put(k, -1);
        put(k, size.coef);
        return;
    }
    int place = llvm_size_place(k->lp, size), i = 0;
    while (i < k->refs->sizes.n && k->refs->sizes.data[i] != place) i++;
    if (i == k->refs->sizes.n) vec_push(k->lp->m->arena, &k->refs->sizes, place);
    put(k, i);
}

static void put_buffer(Keying *k, int buffer) {
    const LoopBuffer *b = &k->lp->p->buffers.data[buffer];
    int place = llvm_buffer_place(k->lp->p, buffer), i = 0;
    while (i < k->refs->buffers.n && k->refs->buffers.data[i] != place) i++;
    if (i == k->refs->buffers.n) vec_push(k->lp->m->arena, &k->refs->buffers, place);
    put(k, i);
    put(k, b->kind == BUFFER_FRAME ? b->offset : 0);
}

static void put_index(Keying *k, const LoopIndex *index) {
    put(k, index->base);
    put(k, index->n);
    for (int i = 0; i < index->n; i++) {
        put(k, index->term[i].var);
        put_size(k, index->term[i].stride);
    }
    put_size(k, index->lane_stride);
}

static void put_matrix(Keying *k, const LoopMatrix *m) {
    put_buffer(k, m->buffer);
    put(k, m->n);
    put(k, m->first);
    put_size(k, m->block);
    put_size(k, m->point);
    put_size(k, m->feature);
}

static void put_gemm(Keying *k, const LoopGemm *g) {
    put(k, g->kind);
    put_matrix(k, &g->x);
    put_matrix(k, &g->y);
    put_buffer(k, g->w);
    put_buffer(k, g->room);
    put(k, g->w_first);
    put(k, g->w_row);
    put_size(k, g->blocks);
    put_size(k, g->points);
    put_size(k, g->exist);
}

static void put_inst(Keying *k, const LoopNest *nest, const LoopInst *inst) {
    int64_t number;
    memcpy(&number, &inst->number, sizeof number);
    put(k, inst->op);
    put(k, inst->dst);
    for (int i = 0; i < loop_op_arity[inst->op]; i++) put(k, inst->arg[i]);
    put(k, number);
    put(k, inst->integer);
    put(k, inst->whole);
    bool counts = inst->op == LOOP_loop || inst->op == LOOP_next || inst->op == LOOP_inside;
    put(k, inst->limit);
    if (inst->dst >= 0 && inst->op != LOOP_loop && inst->op != LOOP_next && inst->op != LOOP_place)
        put(k, nest->regs.data[inst->dst].type * 2 + nest->regs.data[inst->dst].varying);
    bool bulk = inst->op == LOOP_clear || inst->op == LOOP_sum_lanes || inst->op == LOOP_max_lanes;
    if (bulk || (counts && !inst->limit)) put_size(k, inst->count);
    if (inst->op == LOOP_clear)
        put_size(k, loop_size_times(inst->count, loop_size(k->lp->p->f64 ? 8 : 4)));
    if (inst->index || bulk) put_buffer(k, inst->buffer);
    if (inst->op == LOOP_sum_lanes || inst->op == LOOP_max_lanes) put_buffer(k, inst->buffer2);
    if (inst->index) put_index(k, inst->index);
    if (inst->gemm) put_gemm(k, inst->gemm);
    bool lanes = inst->op == LOOP_tail || inst->op == LOOP_gather || inst->op == LOOP_scatter ||
                 inst->op == LOOP_sum_lanes || inst->op == LOOP_max_lanes;
    if (lanes) put_size(k, loop_size_extent(k->lp->p, nest->lane));
}

static void put_fill(Keying *k, const LoopFill *f) {
    const LoopSize sizes[] = {f->n_data, f->n_draw, f->n_inst, f->s_data, f->s_draw, f->s_inst};
    put(k, -2); /* fills are calls: none is like another */
    put_buffer(k, f->buffer);
    put_buffer(k, f->input);
    put(k, f->site);
    for (int i = 0; i < 6; i++) put_size(k, sizes[i]);
    for (int p = 0; p < f->n_params; p++) {
        put_buffer(k, f->param[p]);
        put_size(k, f->p_data[p]);
        put_size(k, f->p_draw[p]);
        for (int i = 0; i < f->n_dims; i++) {
            put_size(k, f->dim[i]);
            put_size(k, f->p_dim[p][i]);
        }
    }
}

NestRefs *llvm_refs(LlvmProgram *lp, const LoopNest *nest) {
    Keying k = {lp, arena_new_of(lp->m->arena, NestRefs)};
    if (nest->fill) put_fill(&k, nest->fill);
    for (int i = 0; i < nest->code.n; i++) put_inst(&k, nest, &nest->code.data[i]);
    return k.refs;
}
