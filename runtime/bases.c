/* bases.c -- see bases.h. */
#include "runtime/bases.h"

#include <string.h>

static RtBase base_of(const RtProgram *p, const RtTensor *t) {
    RtBase base = {.name = t->name, .plate = -1, .event = 1};
    for (int k = 0; k < t->n_axes; k++) {
        const RtAxis *a = &p->axes[t->axes[k]];
        if (a->kind == RT_EVENT) base.event *= a->extent;
        if (a->kind != RT_PLATE) continue;
        if (base.plate >= 0)
            base.inside[base.n_inside++] = a->plate;
        else
            base.plate = a->plate;
    }
    return base;
}

int rt_bases_find(RtMem *mem, const RtModel *m, RtBase **out) {
    const RtProgram *p = rt_program(m, "posterior");
    int n = 0;
    *out = rt_alloc(mem, p->n_inputs, sizeof **out);
    for (int i = 0; i < p->n_inputs; i++)
        if (p->inputs[i].role == RT_IN_RANDOM && !strncmp(p->inputs[i].name, "u:", 2))
            (*out)[n++] = base_of(p, &p->inputs[i]);
    return n;
}

void rt_base_fill(const RtModel *m, av_random r, void *numbers) {
    r.kind = AV_NORMAL;
    if (m->f64)
        av_fill_f64(&r, numbers);
    else
        av_fill_f32(&r, numbers);
}
