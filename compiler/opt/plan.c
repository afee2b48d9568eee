/* plan.c -- memory: offsets in a nest's frame, slots of the scratch area. Two buffers share memory
 * only if one is last read before the other is first written.
 *
 * Frame buffers have static sizes: first fit by offset. Scratch sizes are products of run-time
 * extents, and only like is compared with like: a slot serves buffers over the same axes, and is as
 * large as the largest.
 */
#include "opt/loop.h"

static bool overlap(const LoopBuffer *a, const LoopBuffer *b) {
    return a->first <= b->last && b->first <= a->last;
}

int64_t plan_frame(LoopProgram *p, const int *buffers, int n) {
    int64_t size = 0, align = 64 / (p->f64 ? 8 : 4);
    for (int i = 0; i < n; i++) {
        LoopBuffer *b = &p->buffers.data[buffers[i]];
        b->offset = 0;
        for (bool moved = true; moved;) {
            moved = false;
            for (int k = 0; k < i; k++) {
                const LoopBuffer *o = &p->buffers.data[buffers[k]];
                int64_t end = o->offset + (o->size.coef + align - 1) / align * align;
                if (!overlap(b, o) || b->offset >= end || o->offset >= b->offset + b->size.coef)
                    continue;
                b->offset = end;
                moved = true;
            }
        }
        if (b->offset + b->size.coef > size) size = b->offset + b->size.coef;
    }
    return size;
}

/* The last nest that uses each slot decides; ties go to the slot that need not grow. */
void plan_scratch(Arena *arena, LoopProgram *p, int64_t frame) {
    int *busy = arena_array(arena, int, p->buffers.n + 1);
    vec_push(arena, &p->slots, loop_size(frame));
    busy[0] = INT32_MAX;
    for (int pass = 0; pass < 2; pass++)
        for (int first = 0, more = 1; more; first++) {
            more = 0;
            for (int i = 0; i < p->buffers.n; i++) {
                LoopBuffer *b = &p->buffers.data[i];
                if (b->kind != (pass ? BUFFER_OUTPUT : BUFFER_SCRATCH)) continue;
                more |= b->first > first;
                if (b->first != first) continue;
                int best = -1;
                for (int k = 1; k < p->slots.n; k++) {
                    const LoopSize *slot = &p->slots.data[k];
                    /* unwanted outputs are never read: they share a slot, but not with scratch */
                    bool free = pass ? busy[k] < 0 : busy[k] < first;
                    if (!free || !loop_size_same_factors(*slot, b->size)) continue;
                    if (best < 0 || (p->slots.data[best].coef < b->size.coef &&
                                     slot->coef > p->slots.data[best].coef))
                        best = k;
                }
                if (best < 0) {
                    best = p->slots.n;
                    vec_push(arena, &p->slots, b->size);
                }
                if (p->slots.data[best].coef < b->size.coef)
                    p->slots.data[best].coef = b->size.coef;
                busy[best] = pass ? -1 : b->last;
                b->slot = best;
            }
        }
}
