/* stages.c -- the last map of a flow: what its affine map starts from, and in which order.
 *
 *     from means of the data    v = shift + scale y                        (affine.c)
 *     by Newton steps           v = centre + spread L'^-1 (shift + scale y) (newton.c)
 *
 * In the joint flow of all that stands outside the plates both may be needed, one after the other:
 * bounded latents first, from their marginal posterior where it can be had (scales.c); given their
 * values what the locations start from is known. The whole map is then triangular in stages, and
 * its inverse takes the stages in the same order.
 */
#include "dual/autoregressive.h"
#include "dual/component.h"
#include "dual/template.h"

static const double CLIP = 4;

/* Means of the data are cheaper, and as good where they say all. NULL: they do, or it cannot be. */
static Newton *newton_of(GuideState *g, const Var *var, Component *c) {
    int level;
    if (scale_moments_of(g->enc, var, &level)) return NULL; /* a scale's density is far from one */
    if (!component_of(g->b, var, c) || component_is_chain(c, g->b, g->enc)) return NULL;
    return newton_start(g->b, c, g->found);
}

static void show_affine(GuideState *g, const Template *t, IrValue shift, IrValue log_scale) {
    if (!g->show) return;
    ir_output(g->b->p, arena_printf(g->b->arena, "flow:%s:shift", t->name), shift);
    ir_output(g->b->p, arena_printf(g->b->arena, "flow:%s:scale", t->name), log_scale);
}

/* shift + exp(log_scale) y, or back. */
static IrValue affine_map(Build *b, const Template *t, const Affine *a, Way way, IrValue from,
                          IrValue *log_det) {
    IrProgram *p = b->p;
    IrValue log_scale = a->log_scale;
    if (!ir_has_axis(p, log_scale, t->flat)) log_scale = along(b, log_scale, &t->flat, 1);
    *log_det = ir_add(p, *log_det, ir_sum(p, log_scale, &t->flat, 1));
    if (way == WAY_DRAW) return ir_add(p, a->shift, ir_mul(p, ir_exp(p, a->log_scale), from));
    return ir_mul(p, ir_sub(p, from, a->shift), ir_exp(p, ir_neg(p, a->log_scale)));
}

static IrValue newton_map(GuideState *g, const Template *t, const Newton *start,
                          const IrValue correct[6], Way way, IrValue from, IrValue *log_det) {
    Affine a = {.shift = correct[1], .log_scale = clipped(g->b, correct[2], CLIP)};
    show_affine(g, t, newton_centre(start, t->flat), a.log_scale);
    if (way == WAY_DENSITY) from = newton_undo(start, t->flat, from, log_det);
    from = affine_map(g->b, t, &a, way, from, log_det);
    return way == WAY_DRAW ? newton_apply(start, t->flat, from, log_det) : from;
}

void settle(GuideState *g, const Template *t, int i, IrValue v) {
    Build *b = g->b;
    const Var *var = t->latent[i];
    Type type = model_free_type(var);
    Val free = unflatten(b, v, t->flat, t->start[i], &type);
    g->free[var->index] = free;
    b->value[var->index] = lower_link(b, var, LINK_FORWARD, free);
}

/* ------------------------------------------------------------------ the joint flow in stages */

static void add_to_part(Template *part, const Var *var) {
    part->start[part->n] = part->size;
    part->latent[part->n++] = var;
    part->size += free_size(var);
}

static int64_t start_in(const Template *t, const Var *var) {
    int k = 0;
    while (t->latent[k] != var) k++;
    return t->start[k];
}

/* The stretches of v along the flat axis of `from` that belong to the latents of `part`, in their
 * places along that of `to`; one of these is the part. */
static IrValue stretches(Build *b, const Template *part, const Template *from, const Template *to,
                         IrValue v) {
    IrValue all = IR_NONE;
    if (from->n == 1 && to->n == 1) return v; /* the same axis */
    for (int i = 0; i < part->n; i++) {
        const Var *var = part->latent[i];
        int64_t n = free_size(var);
        AxisId own = part->n > 1 ? named_axis(b, "part", n) : part->flat;
        IrValue x = v;
        if (own != from->flat) x = ir_slice(b->p, x, from->flat, own, start_in(from, var));
        if (own != to->flat) x = ir_pad(b->p, x, own, to->flat, start_in(to, var));
        all = all == IR_NONE ? x : ir_add(b->p, all, x);
    }
    return all;
}

typedef struct Staged {
    GuideState *g;
    const Template *t;
    const IrValue *correct;
    Way way;
    IrValue from, to; /* to: of the parts so far, way back */
    IrValue *log_det;
} Staged;

/* Bounded latents start from their marginal posterior where it can be had. */
static void sharpen(GuideState *g, const Template *part, Fusion *f) {
    Build *b = g->b;
    IrValue none = number(b, 0);
    Affine a = fused_affine(b, part, f, (IrValue[]){none, none, none, none, none, none});
    if (!scales_start(b, part->latent, part->n, part->start, part->flat, g->found, &a.shift,
                      &f->s0))
        return;
    f->v0 = a.shift;
    f->n_moments = 0;
}

/* The map of some latents, from a fusion or (not NULL) a Newton start. Later parts start from their
 * values: drawn, or those that the way back is from. */
static void map_part(Staged *s, Template *part, const Newton *start) {
    GuideState *g = s->g;
    Build *b = g->b;
    if (!part->n) return;
    part->name = part->latent[0]->name;
    for (int i = 1; i < part->n; i++)
        part->name = arena_printf(b->arena, "%s,%s", part->name, part->latent[i]->name);
    part->flat = feature_axis(b, part->size);
    IrValue from = stretches(b, part, s->t, part, s->from), correct[6], to;
    for (int i = 0; i < 6; i++) correct[i] = stretches(b, part, s->t, part, s->correct[i]);
    if (start) {
        to = newton_map(g, part, start, correct, s->way, from, s->log_det);
    } else {
        Fusion f = fusion_of(g, part);
        if (!is_located(b, part->latent[0])) sharpen(g, part, &f);
        Affine a = fused_affine(b, part, &f, correct);
        show_affine(g, part, a.shift, a.log_scale);
        to = affine_map(b, part, &a, s->way, from, s->log_det);
    }
    if (s->way == WAY_DRAW) {
        for (int i = 0; i < part->n; i++) settle(g, part, i, to);
        return;
    }
    for (int i = 0; i < part->n; i++) {
        int at = part->latent[i]->index;
        b->value[at] = g->given[at];
    }
    to = stretches(b, part, part, s->t, to);
    s->to = s->to == IR_NONE ? to : ir_add(b->p, s->to, to);
}

static void map_in_stages(Staged *s) {
    Build *b = s->g->b;
    Template bounded = {.n = 0}, rest = {.n = 0};
    for (int i = 0; i < s->t->n; i++)
        if (!is_located(b, s->t->latent[i])) add_to_part(&bounded, s->t->latent[i]);
    map_part(s, &bounded, NULL);
    for (int i = 0; i < s->t->n; i++) {
        const Var *var = s->t->latent[i];
        Component *c = arena_new_of(b->arena, Component);
        if (b->value[var->index].v != IR_NONE) continue;
        const Newton *start = newton_of(s->g, var, c);
        Template part = {.n = 0};
        for (int k = c->n - c->n_targets; k < c->n && start; k++) add_to_part(&part, c->node[k]);
        map_part(s, &part, start);
        if (!start) add_to_part(&rest, var);
    }
    map_part(s, &rest, NULL);
}

/* Are there several things to start from, one after the other? */
static bool is_staged(GuideState *g, const Template *t) {
    int n_bounded = 0, n_newton = 0;
    if (t->conditioning || !is_structured(g->b) || g->b->options.no_exact) return false;
    for (int i = 0; i < t->n; i++) {
        Component c;
        if (!is_located(g->b, t->latent[i]))
            n_bounded++;
        else
            n_newton +=
                component_of(g->b, t->latent[i], &c) && !component_is_chain(&c, g->b, g->enc);
    }
    return n_newton || n_bounded;
}

const Newton *start_of_template(GuideState *g, const Template *t) {
    const int at = t->latent[0]->index;
    if (!t->conditioning) return NULL;
    if (!g->started[at]) {
        g->started[at] = true;
        g->start[at] = newton_of(g, t->latent[0], arena_new_of(g->b->arena, Component));
    }
    return g->start[at];
}

IrValue last_map(GuideState *g, const Template *t, const IrValue correct[6], Way way, IrValue from,
                 IrValue *log_det) {
    const Newton *start = start_of_template(g, t);
    if (start) return newton_map(g, t, start, correct, way, from, log_det);
    if (is_staged(g, t)) {
        Staged s = {g, t, correct, way, from, IR_NONE, log_det};
        map_in_stages(&s);
        return s.to;
    }
    Affine a = affine_of(g, t, correct);
    show_affine(g, t, a.shift, a.log_scale);
    return affine_map(g->b, t, &a, way, from, log_det);
}
