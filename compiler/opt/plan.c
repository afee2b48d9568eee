/* plan.c -- memory: offsets in a nest's frame, slots of the scratch area. Two buffers share memory
 * only if one is last read before the other is first written.
 *
 * Frame buffers have static sizes: first fit by offset. Scratch sizes are products of run-time
 * extents, and only like is compared with like: a slot serves buffers over the same axes, or
 * buffers that hold a tile of any sweep, and is as large as the largest.
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

/* The size among a slot's that has the factors of `size`, or NULL. */
static LoopSize *like(const LoopSlot *slot, LoopSize size) {
    for (int i = 0; i < slot->sizes.n; i++)
        if (loop_size_same_factors(slot->sizes.data[i], size)) return &slot->sizes.data[i];
    return NULL;
}

/* How well a slot suits a buffer: 0 not at all; else the higher the better. */
static int64_t fit(const LoopSlot *slot, LoopSize size) {
    const LoopSize *own = like(slot, size);
    if (own && own->coef >= size.coef)
        return INT64_MAX - own->coef; /* the smallest that holds it */
    bool tiles = loop_size_in_sweep(size, -1) && loop_size_in_sweep(slot->sizes.data[0], -1);
    if (!own && !tiles) return 0;
    int64_t room = own ? own->coef : slot->sizes.data[0].coef;
    return (own ? INT64_MAX / 2 : 1) + (room < size.coef ? room : size.coef);
}

static void put(Arena *arena, LoopProgram *p, LoopBuffer *b, int slot) {
    if (slot == p->slots.n) vec_push(arena, &p->slots, (LoopSlot){0});
    LoopSize *own = like(&p->slots.data[slot], b->size);
    if (!own)
        vec_push(arena, &p->slots.data[slot].sizes, b->size);
    else if (own->coef < b->size.coef)
        own->coef = b->size.coef;
    b->slot = slot;
}

/* The last nest that uses each slot decides whether it is free; then the best fit. Unwanted outputs
 * are never read: they share slots with each other, but not with scratch. */
void plan_scratch(Arena *arena, LoopProgram *p, int64_t frame) {
    int *busy = arena_array(arena, int, p->buffers.n + 1);
    put(arena, p, &(LoopBuffer){.size = loop_size(frame)}, 0);
    busy[0] = INT32_MAX;
    for (int pass = 0; pass < 2; pass++)
        for (int first = 0, more = 1; more; first++) {
            more = 0;
            for (int i = 0; i < p->buffers.n; i++) {
                LoopBuffer *b = &p->buffers.data[i];
                if (b->kind != (pass ? BUFFER_OUTPUT : BUFFER_SCRATCH)) continue;
                more |= b->first > first;
                if (b->first != first) continue;
                int best = p->slots.n;
                int64_t best_fit = 0;
                for (int k = 1; k < p->slots.n; k++) {
                    bool free = pass ? busy[k] < 0 : busy[k] < first;
                    int64_t how = free ? fit(&p->slots.data[k], b->size) : 0;
                    if (how <= best_fit) continue;
                    best = k;
                    best_fit = how;
                }
                put(arena, p, b, best);
                busy[best] = pass ? -1 : b->last;
            }
        }
}
