/* total.c -- family total-flow: all latents of a model, instance by instance, as one flat event.
 *
 * One flow cannot be shared by the instances of a plate, so that sizes of plates that hold latents
 * are those declared: in programs that draw from the guide these are event axes (build_start), and
 * whole values can be laid out along the flat axis and taken back. Plates come before the event,
 * outermost first. Plates inside them are event axes, too, since axes of plates come before those
 * of events in every array. */
#include "dual/total.h"
#include "dual/plate.h"

enum { MAX_LAYOUT = IR_MAX_AXES };

typedef struct Layout {
    int n;
    AxisId axes[MAX_LAYOUT];
    int64_t extents[MAX_LAYOUT];
} Layout;

static void add_plates(Build *b, const Plate *plate, Layout *layout) {
    if (!plate) return;
    add_plates(b, plate->parent, layout);
    layout->axes[layout->n] = plate_axis(b, plate);
    layout->extents[layout->n++] = plate->size;
}

static Layout layout_of(Build *b, const Plate *plate, const Val *val) {
    Layout layout = {0};
    add_plates(b, plate, &layout);
    for (int i = 0; i < val->n_dims; i++) {
        layout.axes[layout.n] = event_axis(b, i, val->dims[i]);
        layout.extents[layout.n++] = val->dims[i];
    }
    return layout;
}

static int64_t stride_of(const Layout *layout, int dim) {
    int64_t stride = 1;
    for (int i = dim + 1; i < layout->n; i++) stride *= layout->extents[i];
    return stride;
}

int64_t total_size(const Var *latent) {
    Type free = model_free_type(latent);
    int64_t n = event_size(&free);
    for (const Plate *plate = latent->type.plate; plate; plate = plate->parent) n *= plate->size;
    return n;
}

static IrValue gather(Build *b, IrValue v, const Layout *layout, int dim, AxisId flat,
                      int64_t start) {
    IrProgram *p = b->p;
    if (dim == layout->n) return ir_place(p, v, flat, start);
    if (dim == layout->n - 1) return ir_pad(p, v, layout->axes[dim], flat, start);
    int64_t stride = stride_of(layout, dim);
    IrValue all = IR_NONE;
    for (int64_t i = 0; i < layout->extents[dim]; i++) {
        IrValue row = gather(b, ir_pick(p, v, layout->axes[dim], i), layout, dim + 1, flat,
                             start + i * stride);
        all = all == IR_NONE ? row : ir_add(p, all, row);
    }
    return all;
}

IrValue total_gather(Build *b, const Var *latent, Val val, AxisId flat, int64_t start) {
    Layout layout = layout_of(b, latent->type.plate, &val);
    return gather(b, along(b, val.v, layout.axes, layout.n), &layout, 0, flat, start);
}

static IrValue scatter(Build *b, IrValue v, const Layout *layout, int dim, AxisId flat,
                       int64_t start) {
    IrProgram *p = b->p;
    if (dim == layout->n) return ir_pick(p, v, flat, start);
    if (dim == layout->n - 1) return ir_slice(p, v, flat, layout->axes[dim], start);
    int64_t stride = stride_of(layout, dim);
    IrValue all = IR_NONE;
    for (int64_t i = 0; i < layout->extents[dim]; i++) {
        IrValue row = scatter(b, v, layout, dim + 1, flat, start + i * stride);
        row = ir_place(p, row, layout->axes[dim], i);
        all = all == IR_NONE ? row : ir_add(p, all, row);
    }
    return all;
}

Val total_scatter(Build *b, const Var *latent, IrValue v, AxisId flat, int64_t start) {
    Type type = model_free_type(latent);
    Val val = val_of(IR_NONE, &type);
    Layout layout = layout_of(b, latent->type.plate, &val);
    val.v = scatter(b, v, &layout, 0, flat, start);
    return val;
}

static bool holds_latents(const Model *model, const Plate *plate) {
    for (int i = 0; i < model->vars.n; i++) {
        const Var *var = model->vars.data[i];
        if (var->kind == VAR_LATENT && var->type.plate && plate_within(var->type.plate, plate))
            return true;
    }
    return false;
}

/* Both sides of a cross are of one kind, so that its arrays keep their order. */
bool total_fixes(const Model *model, const Plate *plate) {
    if (plate->parent && total_fixes(model, plate->parent)) return true;
    if (holds_latents(model, plate)) return true;
    for (int i = 0; i < model->plates.n; i++) {
        const Plate *q = model->plates.data[i];
        if (!q->across || (q->parent != plate && q->across != plate)) continue;
        if (holds_latents(model, q->parent) || holds_latents(model, q->across)) return true;
    }
    return false;
}

bool total_served(Diags *diags, const Model *model) {
    bool served = true;
    for (int i = 0; i < model->plates.n; i++) {
        const Plate *plate = model->plates.data[i];
        if (plate->across || plate->lo == plate->hi || !total_fixes(model, plate)) continue;
        served = false;
        if (!diags) internal_error("dual", "total-flow over plate %s of a range", plate->name);
        diag_report(diags, DIAG_TOTAL_FLOW, plate->span, plate->name, (long long)plate->lo,
                    (long long)plate->hi);
    }
    return served;
}
