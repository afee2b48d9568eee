/* context.c -- see context.h. A feature is the value, and of positive ones the logarithm too, less
 * its median and over its median absolute deviation in training, then through asinh as all features
 * of wide range are. */
#include "dual/context.h"

Val given_or(Build *b, const Var *context, Val draw) {
    IrProgram *p = b->p;
    AxisId events[MAX_DIMS];
    int n = event_axes(b, &draw, events);
    const char *name = arena_printf(b->arena, "set:%s", context->name);
    IrValue given = ir_input(p, name, ROLE_CONTROL, events, n);
    IrValue on = ir_input(p, arena_printf(b->arena, "%s:on", name), ROLE_CONTROL, NULL, 0);
    draw.v = ir_select(p, ir_eq(p, on, number(b, 0)), draw.v, given);
    return draw;
}

static void add_feature(Build *b, Blocks *blocks, const char *name, IrValue v, const AxisId *events,
                        int n) {
    IrValue feature = standardise(b, name, v, number(b, 0), events, n);
    blocks_add(blocks, block_of(feature, n, events, name));
}

void context_features(Build *b, Blocks *blocks) {
    IrProgram *p = b->p;
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        if (var->kind != VAR_CONTEXT) continue;
        Val value = b->value[i];
        AxisId events[MAX_DIMS];
        int n = event_axes(b, &value, events);
        add_feature(b, blocks, arena_printf(b->arena, "%s.context", var->name), value.v, events, n);
        if (var->support.kind != SUPPORT_POSITIVE) continue;
        IrValue positive = ir_max(p, value.v, number(b, DUAL_TINY));
        add_feature(b, blocks, arena_printf(b->arena, "%s.logcontext", var->name),
                    ir_log(p, positive), events, n);
    }
}
