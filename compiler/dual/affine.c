/* affine.c -- the last map of a flow: from what each family knows before training, and what a
 * network adds to it.
 *
 * It starts as a fusion of two Gaussians that the compiler knows: the prior of the latent given K,
 * N(v0, s0^2), and, where the data has a moment that speaks of the latent, that moment with its
 * standard error:
 *
 *     gate      = logistic(log s0^2 - log se^2 + correction)
 *     shift     = v0 + gate (moment - v0) + scale * correction
 *     log scale = log s0 + log(1 - gate) / 2 + correction
 *
 * All corrections come from a network of E and K whose last layer starts at zero, so training
 * starts from a proper guide. --paper has its own affine map (ADAVI, appendix), and so has family
 * cascading.
 */
#include "dual/autoregressive.h"
#include "dual/template.h"
#include "dual/total.h"

static const double PAPER_CLIP = 8, CLIP = 4;
static const double NEAR_PRIOR = 4; /* log-odds of the prior's law in family cascading */

void add_flat(Build *b, const Template *t, IrValue *sum, int i, Val val) {
    if (t->total) {
        IrValue all = total_gather(b, t->latent[i], val, t->flat, t->start[i]);
        *sum = *sum == IR_NONE ? all : ir_add(b->p, *sum, all);
        return;
    }
    AxisId own = feature_axis(b, free_size(t->latent[i]));
    IrValue v = flatten(b, val, own);
    if (t->n > 1) {
        /* a joint template: the latent's stretch of the flat event. Padding needs two axes. */
        AxisId from = named_axis(b, "part", free_size(t->latent[i]));
        v = ir_pad(b->p, ir_rename(b->p, v, own, from), from, t->flat, t->start[i]);
    }
    *sum = *sum == IR_NONE ? v : ir_add(b->p, *sum, v);
}

/* What every number of a wide event takes from its own features: of the context, the blocks over
 * the event axes of a latent, each with one weight per number. IR_NONE: there are none. */
static IrValue own_features(Build *b, const Template *t, const Blocks *context, int correction) {
    IrProgram *p = b->p;
    IrValue all = IR_NONE;
    for (int i = 0; i < t->n; i++) {
        const Var *var = t->latent[i];
        Type free = model_free_type(var);
        Val sum = val_of(IR_NONE, &free);
        AxisId events[MAX_DIMS];
        int n = event_axes(b, &sum, events);
        for (int k = 0; k < context->n && n; k++) {
            const Block *block = &context->at[k];
            if (block->n_axes != n || memcmp(block->axes, events, sizeof *events * (size_t)n))
                continue;
            const char *name = arena_printf(b->arena, "%s.own.%d.%s.%s", t->name, correction,
                                            var->name, block->tag);
            IrValue w = weight(b, name, events, n, (IrInit){INIT_CONSTANT, 0});
            IrValue term = ir_mul(p, block->v, w);
            sum.v = sum.v == IR_NONE ? term : ir_add(p, sum.v, term);
        }
        if (sum.v != IR_NONE) add_flat(b, t, &all, i, sum);
    }
    return all;
}

/* The corrections (gate, shift, log scale, left tail, right tail, skew), zero at the start, each
 * over the flat axis. Those of a wide event read the context through the hidden units alone, and
 * each number its own features: weights from every feature to every number would be most of the
 * network. */
void corrections(Build *b, const Template *t, const Blocks *context, IrValue hidden,
                 IrValue out[6]) {
    Blocks in = {.n = 0};
    if (!is_wide(t)) in = *context;
    AxisId f = feature_axis(b, hidden_width(t));
    blocks_add(&in, block_of(hidden, 1, &f, "hidden"));
    const char *name = arena_printf(b->arena, "%s.affine", t->name);
    IrValue all = dense(b, name, &in, 6 * t->size, 0);
    AxisId six = feature_axis(b, 6 * t->size);
    for (int i = 0; i < 6; i++) {
        out[i] = ir_slice(b->p, all, six, t->flat, i * t->size);
        IrValue own = is_wide(t) ? own_features(b, t, context, i) : IR_NONE;
        if (own != IR_NONE) out[i] = ir_add(b->p, out[i], own);
    }
}

Fusion fusion_of(GuideState *g, const Template *t) {
    Build *b = g->b;
    Fusion f = {IR_NONE, IR_NONE, IR_NONE, IR_NONE, arena_array(b->arena, double, t->size), 0};
    for (int i = 0; i < t->n; i++) {
        const Var *var = t->latent[i];
        Gaussian prior = start_of(b, g->enc, var), own = prior;
        bool fuse = moment_of(b, g->enc, var, &own);
        f.n_moments += fuse;
        int64_t size = t->total ? total_size(var) : free_size(var);
        for (int64_t k = 0; k < size; k++) f.has[t->start[i] + k] = fuse;
        add_flat(b, t, &f.v0, i, prior.centre);
        add_flat(b, t, &f.s0, i, prior.spread);
        add_flat(b, t, &f.moment, i, own.centre);
        add_flat(b, t, &f.error, i, own.spread);
    }
    return f;
}

Affine fused_affine(Build *b, const Template *t, const Fusion *f, const IrValue correct[6]) {
    IrProgram *p = b->p;
    Affine a = {.shift = f->v0, .log_scale = ir_log(p, f->s0)};
    if (f->n_moments) {
        IrValue where = ir_table(p, f->has, &t->flat, 1);
        IrValue ratio =
            ir_mul(p, number(b, 2),
                   ir_sub(p, a.log_scale, ir_log(p, ir_max(p, f->error, number(b, DUAL_TINY)))));
        IrValue logit = ir_add(p, ratio, correct[0]);
        IrValue gate = ir_mul(p, where, ir_logistic(p, logit));
        a.shift = ir_add(p, f->v0, ir_mul(p, gate, ir_sub(p, f->moment, f->v0)));
        IrValue rest = ir_mul(p, ir_mul(p, number(b, 0.5), where), ir_softplus(p, logit));
        a.log_scale = ir_sub(p, a.log_scale, rest);
    }
    a.log_scale = ir_add(p, a.log_scale, clipped(b, correct[2], CLIP));
    a.shift = ir_add(p, a.shift, ir_mul(p, ir_exp(p, a.log_scale), correct[1]));
    return a;
}

/* Family cascading: v = centre + spread y as in the prior given the parents, and as near the data
 * as the network likes; which of the two, is its to say as well:
 *
 *     shift     = k prior's centre + (1 - k) target's + scale * correction
 *     log scale = k log of prior's spread + (1 - k) log of target's + correction
 *
 * The target is what a guide without latents starts from (start.c): the data's moment, and then k
 * starts by precision; or the law over all prior draws, and then k starts near 1. */
static Affine cascading_affine(GuideState *g, const Template *t, const IrValue correct[6]) {
    Build *b = g->b;
    IrProgram *p = b->p;
    const Var *var = t->latent[0];
    Type free = model_free_type(var);
    Gaussian prior = {val_of(IR_NONE, &free), val_of(IR_NONE, &free)};
    Gaussian target = start_of(b, g->enc, var);
    lower_centre_and_spread(b, var, to_free, &prior.centre, &prior.spread.v);
    bool moment = moment_of(b, g->enc, var, &target);
    IrValue flat[4];
    const Val *const parts[] = {&prior.centre, &prior.spread, &target.centre, &target.spread};
    for (int i = 0; i < 4; i++) {
        flat[i] = flatten(b, *parts[i], t->flat);
        if (i % 2) flat[i] = ir_log(p, ir_max(p, flat[i], number(b, 1e-6)));
    }
    IrValue ratio = ir_mul(p, number(b, 2), ir_sub(p, flat[3], flat[1]));
    IrValue k = ir_logistic(p, ir_add(p, correct[0], moment ? ratio : number(b, NEAR_PRIOR)));
    Affine a;
    a.log_scale = ir_add(p, flat[3], ir_mul(p, k, ir_sub(p, flat[1], flat[3])));
    a.log_scale = ir_add(p, a.log_scale, clipped(b, correct[2], CLIP));
    a.shift = ir_add(p, flat[2], ir_mul(p, k, ir_sub(p, flat[0], flat[2])));
    a.shift = ir_add(p, a.shift, ir_mul(p, ir_exp(p, a.log_scale), correct[1]));
    return a;
}

Affine affine_of(GuideState *g, const Template *t, const IrValue correct[6]) {
    if (g->b->options.family == FAMILY_CASCADING) return cascading_affine(g, t, correct);
    Fusion f = fusion_of(g, t);
    return fused_affine(g->b, t, &f, correct);
}

PaperAffine paper_affine(GuideState *g, const Template *t, const Blocks *context) {
    Build *b = g->b;
    IrProgram *p = b->p;
    int64_t d = t->size, width = 8;
    IrValue out[2];
    const char *const part[] = {"shift", "scale"};
    for (int i = 0; i < 2; i++) {
        const char *name = arena_printf(b->arena, "%s.affine.%s", t->name, part[i]);
        IrValue h = ir_relu(p, dense(b, arena_printf(b->arena, "%s.0", name), context, width, 1));
        out[i] = dense_plain(b, arena_printf(b->arena, "%s.1", name), h, width,
                             i ? d * (d + 1) / 2 : d, 0.1);
        if (g->show) ir_output(p, arena_printf(b->arena, "flow:%s:%s", t->name, part[i]), out[i]);
    }
    return (PaperAffine){out[0], out[1], feature_axis(b, d * (d + 1) / 2)};
}

/* Either way, row by row; adds the sum of log-diagonals to *log_det (IR_NONE: 0). */
IrValue paper_apply(Build *b, const Template *t, const PaperAffine *a, Way way, IrValue from,
                    IrValue *log_det) {
    IrProgram *p = b->p;
    IrValue z = way == WAY_DRAW ? a->shift : IR_NONE, sum = number(b, 0);
    IrValue rest = way == WAY_DRAW ? IR_NONE : ir_sub(p, from, a->shift);
    IrValue *u = arena_array(b->arena, IrValue, t->size);
    int64_t at = 0;
    for (int64_t i = 0; i < t->size; i++) {
        u[i] = way == WAY_DRAW ? IR_NONE : ir_pick(p, rest, t->flat, i);
        for (int64_t j = 0; j <= i; j++, at++) {
            IrValue l = ir_pick(p, a->lower, a->triangle, at);
            if (i == j) {
                l = clipped(b, l, PAPER_CLIP);
                sum = ir_add(p, sum, l);
                l = ir_exp(p, way == WAY_DRAW ? l : ir_neg(p, l));
            }
            if (way == WAY_DRAW) {
                IrValue term = ir_mul(p, l, ir_pick(p, from, t->flat, j));
                z = ir_add(p, z, ir_place(p, term, t->flat, i));
            } else {
                u[i] = i == j ? ir_mul(p, u[i], l) : ir_sub(p, u[i], ir_mul(p, l, u[j]));
            }
        }
        if (way == WAY_DRAW) continue;
        IrValue placed = ir_place(p, u[i], t->flat, i);
        z = z == IR_NONE ? placed : ir_add(p, z, placed);
    }
    *log_det = *log_det == IR_NONE ? sum : ir_add(p, *log_det, sum);
    return z;
}
