/* flow.c -- the guide: one conditional flow per latent template, shared by all instances of its
 * plates.
 *
 * For a template with flat unconstrained event v of size D: u ~ N(0, I), v = F(u; E, K),
 * value = link(v), where E encodes the instance's data and K are the earlier latents of
 * Analysis.order. log q = log N(u) - log|dv/du| - log|d value/dv|. Everything outside all plates
 * shares one joint flow, but for what is bounded by other latents, which comes after it. Bounded
 * supports come first in it: given the scales a location is close to Gaussian, while without them
 * it is not.
 *
 * F = affine . bend . autoregressive (the last for D > 1 only; bend.c) . tie (coupled instances
 * only). The affine map starts as a fusion of two Gaussians that the compiler knows: the prior of
 * the latent given K, N(v0, s0^2), and, where the data has a moment that speaks of the latent, that
 * moment with its standard error:
 *
 *     gate      = logistic(log s0^2 - log se^2 + correction)
 *     shift     = v0 + gate (moment - v0) + scale * correction
 *     log scale = log s0 + log(1 - gate) / 2 + correction
 *
 * All corrections come from a network of E and K whose last layer starts at zero, so training
 * starts from a proper guide. --paper has its own affine map and order (ADAVI, appendix).
 */
#include "dual/autoregressive.h"
#include "dual/plate.h"
#include "dual/settings.h"

#include <math.h>

enum { MAX_JOINT = 32, HIDDEN = 32, WIDE_HIDDEN = 64, MAF_HIDDEN = 32 };

static const double LOG_2PI = 1.8378770664093454836;
static const double PAPER_CLIP = 8, CLIP = 4;

/* A latent template, or the joint one of all that stands outside the plates. */
typedef struct Template {
    const char *name;
    const Plate *plate;
    int n;
    const Var *latent[MAX_JOINT];
    int64_t start[MAX_JOINT], size;
    const Conditioning *conditioning; /* NULL: the joint template */
    AxisId flat;
} Template;

/* Beyond what is written out number by number, networks are layers over the whole event. */
static bool is_wide(const Template *t) {
    return t->size > MAX_UNROLLED;
}

static int64_t hidden_width(const Template *t) {
    return is_wide(t) ? WIDE_HIDDEN : HIDDEN;
}

typedef struct GuideState {
    Build *b;
    const Encoding *enc;
    Val *free; /* by Var.index: unconstrained values of the latents drawn so far */
    bool show;
    IrValue log_q;
} GuideState;

static int64_t free_size(const Var *latent) {
    Type free = model_free_type(latent);
    return event_size(&free);
}

/* ------------------------------------------------------------------ conditioning */

/* One feature of a latent of K, as an instance of `at` may read it. */
static void add_feature(GuideState *g, const Var *var, const Plate *at, Blocks *blocks,
                        Block feature) {
    IrValue pooled[2];
    if (!pool_apart(g->b, var->type.plate, at, feature.v, pooled)) {
        blocks_add(blocks, feature);
        return;
    }
    static const char *const what[] = {"mean", "sd"};
    for (int i = 0; i < 2; i++) {
        Block block = feature;
        block.v = pooled[i];
        block.tag = arena_printf(g->b->arena, "%s.%s", feature.tag, what[i]);
        blocks_add(blocks, block);
    }
}

/* One latent of K as features of order one. */
static void add_known(GuideState *g, const Var *var, const Plate *at, Blocks *blocks) {
    Build *b = g->b;
    IrProgram *p = b->p;
    Val value = b->value[var->index], v = g->free[var->index];
    AxisId events[MAX_DIMS];
    int n = event_axes(b, &v, events);
    const char *tag = arena_printf(b->arena, "given.%s", var->name);
    if (var->support.kind != SUPPORT_REAL) {
        add_feature(g, var, at, blocks, block_of(v.v, n, events, tag));
        if (var->support.kind != SUPPORT_POSITIVE) return;
        IrValue median = stat_input(b, var->name, "median", events, n);
        IrValue log_value = ir_log(p, ir_max(p, value.v, number(b, DUAL_TINY)));
        IrValue ratio = ir_sub(p, log_value, ir_log(p, ir_max(p, median, number(b, DUAL_TINY))));
        add_feature(g, var, at, blocks,
                    block_of(ratio, n, events, arena_printf(b->arena, "given.log.%s", var->name)));
        return;
    }
    const Moments *m = moments_of(g->enc, var);
    IrValue centre = m ? m->centre.v : stat_input(b, var->name, "median", events, n);
    IrValue scale =
        m ? m->scale.v : ir_max(p, stat_input(b, var->name, "mad", events, n), number(b, 1e-6));
    IrValue z = ir_mul(p, ir_sub(p, value.v, centre), ir_recip(p, scale));
    add_feature(g, var, at, blocks, block_of(z, n, events, tag));
}

/* A feature that stands at both levels (a plate's size) is read once. */
static void add_all(Blocks *into, const Blocks *from) {
    into->refused += from->refused;
    for (int i = 0; i < from->n; i++) {
        bool known = false;
        for (int k = 0; k < into->n && !known; k++)
            known = !strcmp(into->at[k].tag, from->at[i].tag);
        if (!known) blocks_add(into, from->at[i]);
    }
}

/* The innermost plate around the template in which there is data; NULL: the whole data set. */
static const Plate *encoded_plate(const GuideState *g, const Template *t) {
    const Plate *plate = t->plate;
    while (plate && !g->enc->plate[plate->index].n) plate = plate->parent;
    return plate;
}

static Blocks context_of(GuideState *g, const Template *t) {
    Build *b = g->b;
    const Plate *plate = encoded_plate(g, t);
    Blocks blocks = plate ? g->enc->plate[plate->index] : g->enc->root;
    add_all(&blocks, &g->enc->context);
    if (b->options.paper) return blocks;
    add_all(&blocks, &g->enc->scale);
    /* A mean-field guide that is amortised also needs what the whole data set says. */
    if (!is_structured(b) && plate) add_all(&blocks, &g->enc->root);
    if (is_structured(b) && t->conditioning)
        for (int i = 0; i < t->conditioning->n_on; i++)
            add_known(g, t->conditioning->on[i], t->plate, &blocks);
    return blocks;
}

/* ------------------------------------------------------------------ affine maps */

typedef struct Affine {
    IrValue shift, log_scale; /* over the flat axis */
    Bend bend;
} Affine;

static void add_flat(Build *b, const Template *t, IrValue *sum, int i, Val val) {
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
static void corrections(Build *b, const Template *t, const Blocks *context, IrValue hidden,
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

static Affine fused_affine(GuideState *g, const Template *t, const Blocks *context,
                           IrValue hidden) {
    Build *b = g->b;
    IrProgram *p = b->p;
    IrValue v0 = IR_NONE, s0 = IR_NONE, moment = IR_NONE, error = IR_NONE;
    double *has = arena_array(b->arena, double, t->size);
    int n_moments = 0;
    for (int i = 0; i < t->n; i++) {
        const Var *var = t->latent[i];
        Gaussian prior = start_of(b, g->enc, var), own = prior;
        bool fuse = moment_of(b, g->enc, var, &own);
        n_moments += fuse;
        for (int64_t k = 0; k < free_size(var); k++) has[t->start[i] + k] = fuse;
        add_flat(b, t, &v0, i, prior.centre);
        add_flat(b, t, &s0, i, prior.spread);
        add_flat(b, t, &moment, i, own.centre);
        add_flat(b, t, &error, i, own.spread);
    }
    IrValue correct[6];
    corrections(b, t, context, hidden, correct);
    Affine a = {
        .shift = v0, .log_scale = ir_log(p, s0), .bend = {correct[3], correct[4], correct[5]}};
    if (n_moments) {
        IrValue where = ir_table(p, has, &t->flat, 1);
        IrValue ratio =
            ir_mul(p, number(b, 2),
                   ir_sub(p, a.log_scale, ir_log(p, ir_max(p, error, number(b, DUAL_TINY)))));
        IrValue logit = ir_add(p, ratio, correct[0]);
        IrValue gate = ir_mul(p, where, ir_logistic(p, logit));
        a.shift = ir_add(p, v0, ir_mul(p, gate, ir_sub(p, moment, v0)));
        IrValue rest = ir_mul(p, ir_mul(p, number(b, 0.5), where), ir_softplus(p, logit));
        a.log_scale = ir_sub(p, a.log_scale, rest);
    }
    a.log_scale = ir_add(p, a.log_scale, clipped(b, correct[2], CLIP));
    a.shift = ir_add(p, a.shift, ir_mul(p, ir_exp(p, a.log_scale), correct[1]));
    return a;
}

/* The published affine map: t + L u, L lower triangular, from two small networks of the encoding.
 * Gives the sum of log-diagonals through *log_det. */
static IrValue paper_affine(GuideState *g, const Template *t, const Blocks *context, IrValue u,
                            IrValue *log_det) {
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
    AxisId triangle = feature_axis(b, d * (d + 1) / 2);
    IrValue z = out[0];
    *log_det = number(b, 0);
    int64_t at = 0;
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j <= i; j++, at++) {
            IrValue l = ir_pick(p, out[1], triangle, at);
            if (i == j) {
                l = clipped(b, l, PAPER_CLIP);
                *log_det = ir_add(p, *log_det, l);
                l = ir_exp(p, l);
            }
            z = ir_add(p, z, ir_place(p, ir_mul(p, l, ir_pick(p, u, t->flat, j)), t->flat, i));
        }
    return z;
}

/* ------------------------------------------------------------------ templates */

static IrValue base_draw(Build *b, const Template *t) {
    AxisId axes[IR_MAX_AXES];
    int n = instance_axes(b, t->plate, true, axes);
    axes[n++] = t->flat;
    return ir_random(b->p, RANDOM_NORMAL, arena_printf(b->arena, "u:%s", t->name), axes, n);
}

static IrValue hidden_of(Build *b, const Template *t, const Blocks *context) {
    int64_t n = hidden_width(t);
    IrValue h = ir_tanh(b->p, dense(b, arena_printf(b->arena, "%s.net.0", t->name), context, n, 1));
    return ir_tanh(b->p, dense_plain(b, arena_printf(b->arena, "%s.net.1", t->name), h, n, n, 1));
}

/* The flow between the base draw and the affine map; it starts as the identity. */
static const Maf RESIDUAL = {.n_layers = 2, .width = MAF_HIDDEN, .clip = 4, .last_gain = 0};

static IrValue residual_flow(Build *b, const Template *t, const FlowSetting *setting,
                             IrValue hidden, IrValue u, IrValue *log_det) {
    AxisId f = feature_axis(b, hidden_width(t));
    Block of_hidden = block_of(hidden, 1, &f, "hidden");
    Maf shape = maf_with_setting(setting, &RESIDUAL);
    if (!is_wide(t)) return maf(b, t->name, &shape, u, t->size, &of_hidden, log_det);
    shape.width = iaf_hidden(t->size);
    return iaf(b, t->name, &shape, u, t->size, &of_hidden, log_det);
}

static IrValue paper_flow(GuideState *g, const Template *t, const Blocks *context, IrValue u,
                          IrValue *log_det) {
    static const Maf PAPER_MAF = {
        .n_layers = 3, .width = 32, .clip = 8, .last_gain = 0.1, .relu = true};
    const FlowSetting *setting = flow_setting(g->b, t->latent, t->n);
    IrValue z = paper_affine(g, t, context, u, log_det);
    if (setting && setting->affine) return z;
    Maf shape = maf_with_setting(setting, &PAPER_MAF);
    return maf(g->b, t->name, &shape, z, t->size, &context->at[0], log_det);
}

/* A mean of the data is cheaper, and as good where it speaks of one number at a time. */
static bool starts_by_newton(GuideState *g, const Template *t, Newton *start) {
    const Var *var = t->latent[0];
    if (!t->conditioning || !newton_applies(g->b, var)) return false;
    if (!var->dist->n_dims && moments_of(g->enc, var)) return false;
    Gaussian prior = start_of(g->b, g->enc, var);
    return newton_start(g->b, var, t->flat, &prior, start);
}

static IrValue newton_flow(GuideState *g, const Template *t, const Newton *start, bool affine,
                           const Blocks *context, IrValue hidden, IrValue y, IrValue *log_det) {
    Build *b = g->b;
    IrProgram *p = b->p;
    IrValue correct[6];
    corrections(b, t, context, hidden, correct);
    Bend bend = {correct[3], correct[4], correct[5]};
    if (!affine) y = bent(b, y, &bend, t->flat, log_det);
    IrValue log_scale = clipped(b, correct[2], CLIP);
    *log_det = ir_add(p, *log_det, ir_sum(p, log_scale, &t->flat, 1));
    y = ir_add(p, correct[1], ir_mul(p, ir_exp(p, log_scale), y));
    if (g->show) {
        ir_output(p, arena_printf(b->arena, "flow:%s:shift", t->name), start->centre);
        ir_output(p, arena_printf(b->arena, "flow:%s:scale", t->name), log_scale);
    }
    return newton_apply(b, start, t->flat, y, log_det);
}

/* Where instances are coupled (a reduction over them is observed, say): u + (exp(c) - 1) mean of u
 * over the plate, c a function of what is around the plate. Instances then vary together or against
 * each other, all pairs alike; the determinant over n instances is exp(c). */
static IrValue tied(GuideState *g, const Template *t, IrValue u, IrValue *log_det) {
    Build *b = g->b;
    IrProgram *p = b->p;
    AxisId axis = b->plate[t->plate->index];
    const Plate *around = t->plate->parent;
    while (around && !g->enc->plate[around->index].n) around = around->parent;
    Blocks in = around ? g->enc->plate[around->index] : g->enc->root;
    add_all(&in, &g->enc->scale);
    add_all(&in, &g->enc->context);
    IrValue c = dense(b, arena_printf(b->arena, "%s.tie", t->name), &in, t->size, 0);
    c = clipped(b, c, CLIP);
    IrValue share = ir_recip(p, ir_extent(p, axis)); /* log_det counts once per instance */
    IrValue mean = ir_mul(p, ir_sum(p, u, &axis, 1), share);
    *log_det = ir_add(p, *log_det, ir_mul(p, ir_sum(p, c, &t->flat, 1), share));
    return ir_add(p, u, ir_mul(p, ir_sub(p, ir_exp(p, c), number(b, 1)), mean));
}

static IrValue derived_flow(GuideState *g, const Template *t, const Blocks *context, IrValue u,
                            IrValue *log_det) {
    Build *b = g->b;
    IrProgram *p = b->p;
    IrValue hidden = hidden_of(b, t, context), y = u;
    const FlowSetting *setting = flow_setting(b, t->latent, t->n);
    bool affine = setting && setting->affine;
    *log_det = number(b, 0);
    bool coupled = t->plate && t->conditioning && !t->conditioning->exact && is_structured(b);
    if (coupled) y = tied(g, t, u, log_det);
    if (t->size > 1 && !affine) y = residual_flow(b, t, setting, hidden, y, log_det);
    Newton start;
    if (starts_by_newton(g, t, &start))
        return newton_flow(g, t, &start, affine, context, hidden, y, log_det);
    Affine a = fused_affine(g, t, context, hidden);
    if (!affine) y = bent(b, y, &a.bend, t->flat, log_det);
    IrValue sum =
        ir_has_axis(p, a.log_scale, t->flat) ? ir_sum(p, a.log_scale, &t->flat, 1) : a.log_scale;
    *log_det = ir_add(p, *log_det, sum);
    if (g->show) {
        ir_output(p, arena_printf(b->arena, "flow:%s:shift", t->name), a.shift);
        ir_output(p, arena_printf(b->arena, "flow:%s:scale", t->name), a.log_scale);
    }
    return ir_add(p, a.shift, ir_mul(p, ir_exp(p, a.log_scale), y));
}

/* For people, once: in the program that shows the flows' parameters. */
static void describe(GuideState *g, const Template *t, const Blocks *context) {
    Build *b = g->b;
    DualFlow flow = {.name = t->name, .plate = t->plate, .encoding = encoded_plate(g, t)};
    if (!g->show) return;
    for (int i = 0; i < t->n; i++) vec_push(b->arena, &flow.latents, t->latent[i]);
    for (int i = 0; i < context->n; i++) vec_push(b->arena, &flow.features, context->at[i].tag);
    if (is_structured(b) && t->conditioning)
        for (int i = 0; i < t->conditioning->n_on; i++)
            vec_push(b->arena, &flow.given, t->conditioning->on[i]);
    vec_push(b->arena, &b->dual->flows, flow);
}

static void sample_template(GuideState *g, Template *t) {
    Build *b = g->b;
    IrProgram *p = b->p;
    t->flat = feature_axis(b, t->size);
    Blocks context = context_of(g, t);
    describe(g, t, &context);
    IrValue u = base_draw(b, t), log_det;
    IrValue v = b->options.paper ? paper_flow(g, t, &context, u, &log_det)
                                 : derived_flow(g, t, &context, u, &log_det);
    IrValue square = ir_contract(p, u, u, &t->flat, 1);
    IrValue log_q =
        ir_mul(p, number(b, -0.5), ir_add(p, square, number(b, LOG_2PI * (double)t->size)));
    log_q = ir_sub(p, log_q, log_det);
    for (int i = 0; i < t->n; i++) {
        const Var *var = t->latent[i];
        Type type = model_free_type(var);
        Val free = unflatten(b, v, t->flat, t->start[i], &type);
        g->free[var->index] = free;
        b->value[var->index] = lower_link(b, var, LINK_FORWARD, free);
        Val jacobian = lower_link(b, var, LINK_LOG_JACOBIAN, free);
        AxisId events[MAX_DIMS];
        int n = event_axes(b, &jacobian, events);
        for (int k = 0; k < n; k++) {
            bool has = ir_has_axis(p, jacobian.v, events[k]);
            jacobian.v = has ? ir_sum(p, jacobian.v, &events[k], 1)
                             : ir_mul(p, jacobian.v, number(b, (double)jacobian.dims[k]));
        }
        log_q = ir_sub(p, log_q, jacobian.v);
    }
    add_local(b, ir_neg(p, log_q), t->plate);
    log_q = sum_over_plates(b, log_q, t->plate);
    g->log_q = g->log_q == IR_NONE ? log_q : ir_add(p, g->log_q, log_q);
}

static void add_latent(Build *b, Template *t, const Var *var) {
    bool joint = !t->conditioning;
    if (t->n == MAX_JOINT) over_limit(b, var, "latents outside all plates", MAX_JOINT);
    t->start[t->n] = t->size;
    t->latent[t->n++] = var;
    t->size += free_size(var);
    int64_t most = b->options.paper ? MAX_PAPER : MAX_FLOW;
    if (t->size <= most) return;
    const char *what = joint ? "numbers in all latents outside all plates, which share one flow"
                             : arena_printf(b->arena, "numbers in latent `%s`", var->name);
    if (b->options.paper) what = arena_printf(b->arena, "%s (--paper)", what);
    over_limit(b, var, what, most);
}

static void find_latent(void *user, Var *var) {
    if (var->kind == VAR_LATENT) *(bool *)user = true;
}

/* Such a latent's link needs the values of others: it cannot be drawn together with them. */
bool bounded_by_latents(const Var *var) {
    bool found = false;
    if (var->support.lo) expr_visit_vars(var->support.lo, find_latent, &found);
    if (var->support.hi) expr_visit_vars(var->support.hi, find_latent, &found);
    return found;
}

bool is_joint(const Var *latent) {
    return !latent->type.plate && !bounded_by_latents(latent);
}

IrValue guide_sample(Build *b, const Encoding *enc, bool show) {
    const Analysis *analysis = b->analysis;
    GuideState g = {.b = b, .enc = enc, .show = show, .log_q = IR_NONE};
    g.free = arena_array(b->arena, Val, b->model->vars.n + 1);
    /* parentheses: no latent is called that */
    Template joint = {.name = "(globals)"};
    for (int bounded = 1; bounded >= 0 && is_structured(b); bounded--)
        for (int i = 0; i < analysis->n_latents; i++) {
            const Var *var = analysis->order[i].latent;
            if (is_joint(var) && (var->support.kind != SUPPORT_REAL) == bounded)
                add_latent(b, &joint, var);
        }
    if (joint.n) {
        if (joint.n == 1) joint.name = joint.latent[0]->name;
        sample_template(&g, &joint);
    }
    for (int i = 0; i < analysis->n_latents; i++) {
        const Conditioning *c = &analysis->order[i];
        if (is_joint(c->latent) && is_structured(b)) continue;
        Template t = {.name = c->latent->name, .plate = c->latent->type.plate, .conditioning = c};
        add_latent(b, &t, c->latent);
        sample_template(&g, &t);
    }
    return g.log_q;
}
