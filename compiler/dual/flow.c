/* flow.c -- the guide: one conditional flow per latent template, shared by all instances of its
 * plates.
 *
 * For a template with flat unconstrained event v of size D: u ~ N(0, I), v = F(u; E, K),
 * value = link(v), where E encodes the instance's data and K are the earlier latents of
 * Analysis.order. log q = log N(u) - log|dv/du| - log|d value/dv|. Everything outside all plates
 * shares one joint flow, in which bounded supports come first: given the scales a location is close
 * to Gaussian, while without them it is not.
 *
 * F = affine . skew . autoregressive (the last for D > 1 only). The affine map starts as a fusion
 * of two Gaussians that the compiler knows: the prior of the latent given K, N(v0, s0^2), and,
 * where the data has a moment that speaks of the latent, that moment with its standard error:
 *
 *     gate      = logistic(log s0^2 - log se^2 + correction)
 *     shift     = v0 + gate (moment - v0) + scale * correction
 *     log scale = log s0 + log(1 - gate) / 2 + correction
 *
 * All corrections come from a network of E and K whose last layer starts at zero, so training
 * starts from a proper guide. --paper has its own affine map and order (ADAVI, appendix).
 */
#include "dual/internal.h"

#include <math.h>

enum { MAX_JOINT = 32, HIDDEN = 32, MAF_HIDDEN = 32 };

static const double LOG_2PI = 1.8378770664093454836;
static const double PAPER_CLIP = 8, CLIP = 4;
static const double TINY = 1e-30; /* keeps logarithms finite in float32 */

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

typedef struct GuideState {
    Build *b;
    const Encoding *enc;
    Val *free; /* by Var.index: unconstrained values of the latents drawn so far */
    bool show;
    IrValue log_q;
} GuideState;

static IrValue number(Build *b, double x) {
    return ir_const(b->p, x);
}

static bool is_structured(const Build *b) {
    return b->options.family == FAMILY_STRUCTURED && !b->options.paper;
}

/* ------------------------------------------------------------------ conditioning */

/* One latent of K as features of order one. */
static void add_known(GuideState *g, const Var *var, Blocks *blocks) {
    Build *b = g->b;
    IrProgram *p = b->p;
    Val value = b->value[var->index], v = g->free[var->index];
    AxisId events[MAX_DIMS];
    int n = event_axes(b, &value, events);
    const char *tag = arena_printf(b->arena, "given.%s", var->name);
    if (var->support.kind != SUPPORT_REAL) {
        blocks_add(blocks, block_of(v.v, n, events, tag));
        if (var->support.kind != SUPPORT_POSITIVE) return;
        IrValue median = stat_input(b, var->name, "median", events, n);
        IrValue log_value = ir_log(p, ir_max(p, value.v, number(b, TINY)));
        IrValue ratio = ir_sub(p, log_value, ir_log(p, ir_max(p, median, number(b, TINY))));
        blocks_add(blocks,
                   block_of(ratio, n, events, arena_printf(b->arena, "given.log.%s", var->name)));
        return;
    }
    const Moments *m = moments_of(g->enc, var);
    IrValue centre = m ? m->centre.v : stat_input(b, var->name, "median", events, n);
    IrValue scale =
        m ? m->scale.v : ir_max(p, stat_input(b, var->name, "mad", events, n), number(b, 1e-6));
    IrValue z = ir_mul(p, ir_sub(p, value.v, centre), ir_recip(p, scale));
    blocks_add(blocks, block_of(z, n, events, tag));
}

/* A feature that stands at both levels (a plate's size) is read once. */
static void add_all(Blocks *into, const Blocks *from) {
    for (int i = 0; i < from->n; i++) {
        bool known = false;
        for (int k = 0; k < into->n && !known; k++)
            known = !strcmp(into->at[k].tag, from->at[i].tag);
        if (!known) blocks_add(into, from->at[i]);
    }
}

static Blocks context_of(GuideState *g, const Template *t) {
    Build *b = g->b;
    const Plate *plate = t->plate;
    while (plate && !g->enc->plate[plate->index].n) plate = plate->parent;
    Blocks blocks = plate ? g->enc->plate[plate->index] : g->enc->root;
    if (b->options.paper) return blocks;
    add_all(&blocks, &g->enc->scale);
    /* A mean-field guide that is amortised also needs what the whole data set says. */
    if (!is_structured(b) && plate) add_all(&blocks, &g->enc->root);
    if (is_structured(b) && t->conditioning)
        for (int i = 0; i < t->conditioning->n_on; i++)
            add_known(g, t->conditioning->on[i], &blocks);
    return blocks;
}

/* ------------------------------------------------------------------ prior and moment */

typedef struct KnownArgs {
    const Build *b;
    bool known;
} KnownArgs;

static void check_known(void *user, Var *var) {
    KnownArgs *k = user;
    if (var->kind == VAR_LATENT && (!is_structured(k->b) || k->b->value[var->index].v == IR_NONE))
        k->known = false;
}

static bool prior_is_known(const Build *b, const Var *var) {
    KnownArgs k = {.b = b, .known = true};
    for (int i = 0; i < var->dist->n_params; i++) expr_visit_vars(var->args[i], check_known, &k);
    return k.known;
}

typedef struct Gaussian {
    Val centre, spread; /* unconstrained; spread is a standard deviation */
} Gaussian;

/* Centre and spread of the latent's law given K, or over all prior draws where K does not determine
 * its arguments. */
static Gaussian prior_of(GuideState *g, const Var *var) {
    Build *b = g->b;
    IrProgram *p = b->p;
    Gaussian prior = {.centre = val_of(IR_NONE, &var->type), .spread = val_of(IR_NONE, &var->type)};
    if (prior_is_known(b, var) && !b->options.no_exact) {
        prior.centre = lower_link(b, var, LINK_INVERSE, lower_sample(b, var, BASE_CENTRE));
        Val upper = lower_link(b, var, LINK_INVERSE, lower_sample(b, var, BASE_UPPER));
        IrValue apart = ir_abs(p, ir_sub(p, upper.v, prior.centre.v));
        prior.spread.v = ir_max(p, apart, number(b, 1e-6));
        return prior;
    }
    AxisId events[MAX_DIMS];
    int n = event_axes(b, &prior.centre, events);
    prior.centre.v = stat_input(b, var->name, "median", events, n);
    prior.centre = lower_link(b, var, LINK_INVERSE, prior.centre);
    if (var->support.kind != SUPPORT_REAL) {
        prior.spread.v = number(b, 1.5); /* links are scaled by the prior's median: unconstrained
                                            values are of order one */
        return prior;
    }
    IrValue mad = stat_input(b, var->name, "mad", events, n);
    prior.spread.v = ir_mul(p, number(b, 1.4826), ir_max(p, mad, number(b, 1e-6)));
    return prior;
}

/* A location and its standard error, carried through the link. */
static Gaussian through_link(Build *b, const Var *var, Val location, IrValue error) {
    IrProgram *p = b->p;
    if (var->support.kind == SUPPORT_POSITIVE)
        location.v =
            ir_max(p, location.v, ir_max(p, ir_mul(p, number(b, 0.1), error), number(b, TINY)));
    Gaussian moment = {.centre = lower_link(b, var, LINK_INVERSE, location)};
    Val log_slope = lower_link(b, var, LINK_LOG_JACOBIAN, moment.centre);
    moment.spread = moment.centre;
    moment.spread.v = ir_mul(p, error, ir_exp(p, ir_neg(p, log_slope.v)));
    return moment;
}

/* A location latent's own moment: the mean of all that its instance holds. */
static Gaussian location_moment(GuideState *g, const Var *var, const Moments *m) {
    Build *b = g->b;
    int level = var->type.plate ? var->type.plate->depth + 1 : 0;
    Val location = val_of(m->mean[level].v, &var->type);
    IrValue error = m->se2[level] == IR_NONE ? m->scale.v : ir_sqrt(b->p, m->se2[level]);
    return through_link(b, var, location, error);
}

/* A scale latent's own moment: the level's variance less what the levels below put into it; the
 * error of a sample variance V with f degrees of freedom is V sqrt(2 / f). */
static Gaussian scale_moment(GuideState *g, const Var *var, const Moments *m, int level) {
    Build *b = g->b;
    IrProgram *p = b->p;
    IrValue total = m->variance[level], own = total;
    if (m->se2[level] != IR_NONE)
        own = ir_max(p, ir_sub(p, total, m->se2[level]), ir_mul(p, number(b, 0.05), total));
    Val scale = val_of(ir_sqrt(p, own), &var->type);
    IrValue halved = ir_sqrt(p, ir_mul(p, number(b, 2), m->freedom[level]));
    return through_link(b, var, scale, ir_div(p, total, ir_mul(p, scale.v, halved)));
}

/* The moment of the data that speaks of `var` most directly; false: there is none. */
static bool moment_of(GuideState *g, const Var *var, Gaussian *moment) {
    if (g->b->options.no_exact || var->support.kind == SUPPORT_INTERVAL) return false;
    int level;
    const Moments *m = moments_of(g->enc, var);
    if (m) {
        *moment = location_moment(g, var, m);
        return true;
    }
    m = var->support.kind == SUPPORT_POSITIVE ? scale_moments_of(g->enc, var, &level) : NULL;
    if (m) *moment = scale_moment(g, var, m, level);
    return m != NULL;
}

/* What the affine map starts from where nothing is fused: the latent's prior, or for locations
 * without the exact path the data set's own centre and scale. */
static Gaussian start_of(GuideState *g, const Var *var) {
    const Moments *m = var->support.kind == SUPPORT_INTERVAL ? NULL : moments_of(g->enc, var);
    if (!m || !g->b->options.no_exact) return prior_of(g, var);
    return through_link(g->b, var, val_of(m->centre.v, &var->type), m->scale.v);
}

/* ------------------------------------------------------------------ affine maps */

typedef struct Affine {
    IrValue shift, log_scale, skew; /* over the flat axis */
} Affine;

static void add_flat(Build *b, const Template *t, IrValue *sum, int i, Val val) {
    AxisId own = feature_axis(b, event_size(&t->latent[i]->type));
    IrValue v = flatten(b, val, own);
    if (t->n > 1) {
        /* a joint template: the latent's stretch of the flat event. Padding needs two axes. */
        AxisId from = named_axis(b, "part", event_size(&t->latent[i]->type));
        v = ir_pad(b->p, ir_rename(b->p, v, own, from), from, t->flat, t->start[i]);
    }
    *sum = *sum == IR_NONE ? v : ir_add(b->p, *sum, v);
}

/* The corrections (gate, shift, log scale, skew), zero at the start, each over the flat axis. */
static void corrections(Build *b, const Template *t, const Blocks *context, IrValue hidden,
                        IrValue out[4]) {
    Blocks in = *context;
    AxisId f = feature_axis(b, HIDDEN);
    blocks_add(&in, block_of(hidden, 1, &f, "hidden"));
    const char *name = arena_printf(b->arena, "%s.affine", t->name);
    IrValue all = dense(b, name, &in, 4 * t->size, 0);
    AxisId four = feature_axis(b, 4 * t->size);
    for (int i = 0; i < 4; i++) out[i] = ir_slice(b->p, all, four, t->flat, i * t->size);
}

static IrValue clipped(Build *b, IrValue x, double at) {
    return ir_mul(b->p, number(b, at), ir_tanh(b->p, ir_mul(b->p, x, number(b, 1 / at))));
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
        Gaussian prior = start_of(g, var), own = prior;
        bool fuse = moment_of(g, var, &own);
        n_moments += fuse;
        for (int64_t k = 0; k < event_size(&var->type); k++) has[t->start[i] + k] = fuse;
        add_flat(b, t, &v0, i, prior.centre);
        add_flat(b, t, &s0, i, prior.spread);
        add_flat(b, t, &moment, i, own.centre);
        add_flat(b, t, &error, i, own.spread);
    }
    IrValue correct[4];
    corrections(b, t, context, hidden, correct);
    Affine a = {.shift = v0, .log_scale = ir_log(p, s0), .skew = correct[3]};
    if (n_moments) {
        IrValue where = ir_table(p, has, &t->flat, 1);
        IrValue ratio = ir_mul(
            p, number(b, 2), ir_sub(p, a.log_scale, ir_log(p, ir_max(p, error, number(b, TINY)))));
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

/* ------------------------------------------------------------------ autoregressive flow */

typedef struct Maf {
    int n_layers; /* hidden layers */
    int64_t width;
    double clip, last_gain;
    bool relu;
} Maf;

typedef struct MafNet {
    Build *b;
    const Maf *shape;
    IrValue w[8], c[8]; /* weights; context term + bias, over the layer's output axis */
    AxisId in, feature, out, last;
    int64_t d;
    int64_t n_blocks, start[64], length[64]; /* hidden units by degree 1, 2, ... */
    IrValue hidden[8][64]; /* by layer and degree, once computed, on axis "u.<length>" */
} MafNet;

/* Degrees as in the published network: ceil(linspace(1, D - 1, width)), sorted, so that each degree
 * is a dense block. */
static void maf_degrees(MafNet *net) {
    int64_t top = net->d > 2 ? net->d - 1 : 1, width = net->shape->width;
    for (int64_t i = 0; i < width; i++) {
        double at = width > 1 ? 1 + (double)(top - 1) * (double)i / (double)(width - 1) : 1;
        int64_t degree = (int64_t)ceil(at - 1e-9);
        if (degree > net->n_blocks) {
            net->n_blocks = degree;
            net->start[degree - 1] = i;
        }
        net->length[degree - 1]++;
    }
}

static MafNet *maf_net(Build *b, const char *name, const Maf *shape, int64_t d,
                       const Block *context) {
    MafNet *net = arena_new_of(b->arena, MafNet);
    if (d > 64)
        internal_error("dual", "an autoregressive flow over %lld > 64 numbers", (long long)d);
    net->b = b, net->shape = shape, net->d = d;
    net->in = feature_axis(b, d), net->feature = feature_axis(b, shape->width);
    net->out = output_axis(b, shape->width), net->last = output_axis(b, 2 * d);
    maf_degrees(net);
    int64_t context_width = 1;
    for (int i = 0; i < context->n_axes; i++)
        context_width *= b->p->axes.data[context->axes[i]].extent;
    for (int l = 0; l <= shape->n_layers; l++) {
        AxisId in = l ? net->feature : net->in, out = l < shape->n_layers ? net->out : net->last;
        int64_t n_in = l ? shape->width : d, n_out = l < shape->n_layers ? shape->width : 2 * d;
        double gain = l < shape->n_layers ? 1 : shape->last_gain;
        IrInit w = {INIT_UNIFORM, gain * sqrt(6.0 / (double)(n_in + n_out))};
        IrInit c = {INIT_UNIFORM, gain * sqrt(6.0 / (double)(context_width + n_out))};
        if (gain == 0) w = c = (IrInit){INIT_CONSTANT, 0};
        net->w[l] =
            weight(b, arena_printf(b->arena, "%s.maf.%d.W", name, l), (AxisId[]){in, out}, 2, w);
        AxisId axes[MAX_DIMS + 1];
        for (int i = 0; i < context->n_axes; i++) axes[i] = context->axes[i];
        axes[context->n_axes] = out;
        IrValue from =
            weight(b, arena_printf(b->arena, "%s.maf.%d.C", name, l), axes, context->n_axes + 1, c);
        IrValue bias = weight(b, arena_printf(b->arena, "%s.maf.%d.b", name, l), &out, 1,
                              (IrInit){INIT_CONSTANT, 0});
        net->c[l] =
            ir_add(b->p, ir_contract(b->p, context->v, from, context->axes, context->n_axes), bias);
    }
    return net;
}

/* Hidden units of `degree` in all layers, once the coordinates below it (y[0..degree)) are known.
 */
static void maf_hidden(MafNet *net, int64_t degree, const IrValue *y) {
    Build *b = net->b;
    IrProgram *p = b->p;
    int64_t k = degree - 1, n = net->length[k];
    if (!n) return;
    AxisId out = named_axis(b, "w", n), unit = named_axis(b, "u", n);
    for (int l = 0; l < net->shape->n_layers; l++) {
        IrValue sum = ir_slice(p, net->c[l], net->out, out, net->start[k]);
        if (l == 0) {
            IrValue columns = ir_slice(p, net->w[0], net->out, out, net->start[k]);
            for (int64_t j = 0; j < degree && j < net->d; j++)
                sum = ir_add(p, sum, ir_mul(p, y[j], ir_pick(p, columns, net->in, j)));
        }
        for (int64_t below = 0; l > 0 && below <= k; below++) {
            if (!net->length[below]) continue;
            AxisId in = named_axis(b, "u", net->length[below]);
            IrValue w = ir_slice(p, net->w[l], net->feature, in, net->start[below]);
            w = ir_slice(p, w, net->out, out, net->start[k]);
            sum = ir_add(p, sum, ir_contract(p, net->hidden[l - 1][below], w, &in, 1));
        }
        sum = ir_rename(p, sum, out, unit);
        net->hidden[l][k] = net->shape->relu ? ir_relu(p, sum) : ir_tanh(p, sum);
    }
}

/* Output unit `at` (shifts first, then log scales), which sees hidden degrees up to `degree`. */
static IrValue maf_output(MafNet *net, int64_t at, int64_t degree) {
    IrProgram *p = net->b->p;
    int last = net->shape->n_layers;
    IrValue sum = ir_pick(p, net->c[last], net->last, at);
    IrValue column = ir_pick(p, net->w[last], net->last, at);
    for (int64_t k = 0; k < degree && k < net->n_blocks; k++) {
        if (!net->length[k]) continue;
        AxisId in = named_axis(net->b, "u", net->length[k]);
        IrValue w = ir_slice(p, column, net->feature, in, net->start[k]);
        sum = ir_add(p, sum, ir_contract(p, net->hidden[last - 1][k], w, &in, 1));
    }
    return sum;
}

/* y_i = z_i exp(ls_i(y_<i, context)) + shift_i(y_<i, context): sampled in one pass, since a hidden
 * unit is computed as soon as its inputs exist. Adds the log scales to *log_det. */
static IrValue maf(Build *b, const char *name, const Maf *shape, IrValue z, int64_t d,
                   const Block *context, IrValue *log_det) {
    IrProgram *p = b->p;
    MafNet *net = maf_net(b, name, shape, d, context);
    IrValue *y = arena_array(b->arena, IrValue, d), result = IR_NONE;
    for (int64_t i = 0; i < d; i++) {
        if (i > 0 && i <= net->n_blocks) maf_hidden(net, i, y);
        IrValue shift = maf_output(net, i, i);
        IrValue log_scale = clipped(b, maf_output(net, d + i, i), shape->clip);
        *log_det = ir_add(p, *log_det, log_scale);
        y[i] = ir_add(p, ir_mul(p, ir_pick(p, z, net->in, i), ir_exp(p, log_scale)), shift);
        IrValue placed = ir_place(p, y[i], net->in, i);
        result = result == IR_NONE ? placed : ir_add(p, result, placed);
    }
    return result;
}

/* ------------------------------------------------------------------ templates */

static IrValue base_draw(Build *b, const Template *t) {
    AxisId axes[IR_MAX_AXES];
    int n = instance_axes(b, t->plate, true, axes);
    axes[n++] = t->flat;
    return ir_random(b->p, RANDOM_NORMAL, arena_printf(b->arena, "u:%s", t->name), axes, n);
}

static IrValue hidden_of(Build *b, const Template *t, const Blocks *context) {
    IrValue h =
        ir_tanh(b->p, dense(b, arena_printf(b->arena, "%s.net.0", t->name), context, HIDDEN, 1));
    return ir_tanh(
        b->p, dense_plain(b, arena_printf(b->arena, "%s.net.1", t->name), h, HIDDEN, HIDDEN, 1));
}

static IrValue paper_flow(GuideState *g, const Template *t, const Blocks *context, IrValue u,
                          IrValue *log_det) {
    static const Maf PAPER_MAF = {
        .n_layers = 3, .width = 32, .clip = 8, .last_gain = 0.1, .relu = true};
    IrValue z = paper_affine(g, t, context, u, log_det);
    return maf(g->b, t->name, &PAPER_MAF, z, t->size, &context->at[0], log_det);
}

/* y + a (sqrt(1 + y^2) - 1), |a| < 1: slope 1 - a far to the left, 1 + a far to the right.
 * Posteriors of scales near zero have such tails, which no affine map gives. The inverse is the
 * root of a quadratic. */
static IrValue skewed(Build *b, IrValue y, IrValue raw, AxisId flat, IrValue *log_det) {
    IrProgram *p = b->p;
    IrValue a = ir_mul(p, number(b, 0.95), ir_tanh(p, raw)), one = number(b, 1);
    IrValue root = ir_sqrt(p, ir_add(p, ir_square(p, y), one));
    IrValue slope = ir_add(p, one, ir_div(p, ir_mul(p, a, y), root));
    *log_det = ir_add(p, *log_det, ir_sum(p, ir_log(p, slope), &flat, 1));
    return ir_add(p, y, ir_mul(p, a, ir_sub(p, root, one)));
}

static IrValue derived_flow(GuideState *g, const Template *t, const Blocks *context, IrValue u,
                            IrValue *log_det) {
    static const Maf RESIDUAL = {.n_layers = 2, .width = MAF_HIDDEN, .clip = 4, .last_gain = 0};
    Build *b = g->b;
    IrProgram *p = b->p;
    IrValue hidden = hidden_of(b, t, context), y = u;
    *log_det = number(b, 0);
    if (t->size > 1) {
        AxisId f = feature_axis(b, HIDDEN);
        Block of_hidden = block_of(hidden, 1, &f, "hidden");
        y = maf(b, t->name, &RESIDUAL, u, t->size, &of_hidden, log_det);
    }
    Affine a = fused_affine(g, t, context, hidden);
    y = skewed(b, y, a.skew, t->flat, log_det);
    IrValue sum =
        ir_has_axis(p, a.log_scale, t->flat) ? ir_sum(p, a.log_scale, &t->flat, 1) : a.log_scale;
    *log_det = ir_add(p, *log_det, sum);
    if (g->show) {
        ir_output(p, arena_printf(b->arena, "flow:%s:shift", t->name), a.shift);
        ir_output(p, arena_printf(b->arena, "flow:%s:scale", t->name), a.log_scale);
    }
    return ir_add(p, a.shift, ir_mul(p, ir_exp(p, a.log_scale), y));
}

static IrValue sum_over_plates(Build *b, IrValue v, const Plate *plate) {
    for (const Plate *q = plate; q; q = q->parent) {
        AxisId axis = b->plate[q->index];
        v = ir_has_axis(b->p, v, axis) ? ir_sum(b->p, v, &axis, 1)
                                       : ir_mul(b->p, v, ir_extent(b->p, axis));
    }
    return v;
}

static void sample_template(GuideState *g, Template *t) {
    Build *b = g->b;
    IrProgram *p = b->p;
    t->flat = feature_axis(b, t->size);
    Blocks context = context_of(g, t);
    IrValue u = base_draw(b, t), log_det;
    IrValue v = b->options.paper ? paper_flow(g, t, &context, u, &log_det)
                                 : derived_flow(g, t, &context, u, &log_det);
    IrValue square = ir_contract(p, u, u, &t->flat, 1);
    IrValue log_q =
        ir_mul(p, number(b, -0.5), ir_add(p, square, number(b, LOG_2PI * (double)t->size)));
    log_q = ir_sub(p, log_q, log_det);
    for (int i = 0; i < t->n; i++) {
        const Var *var = t->latent[i];
        Val free = unflatten(b, v, t->flat, t->start[i], &var->type);
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
    log_q = sum_over_plates(b, log_q, t->plate);
    g->log_q = g->log_q == IR_NONE ? log_q : ir_add(p, g->log_q, log_q);
}

static void add_latent(Template *t, const Var *var) {
    if (t->n == MAX_JOINT)
        internal_error("dual", "more than %d latents outside all plates", MAX_JOINT);
    t->start[t->n] = t->size;
    t->latent[t->n++] = var;
    t->size += event_size(&var->type);
}

IrValue guide_sample(Build *b, const Encoding *enc, bool show) {
    const Analysis *analysis = b->analysis;
    GuideState g = {.b = b, .enc = enc, .show = show, .log_q = IR_NONE};
    g.free = arena_array(b->arena, Val, b->model->vars.n + 1);
    Template joint = {.name = "globals"};
    for (int bounded = 1; bounded >= 0 && !b->options.paper; bounded--)
        for (int i = 0; i < analysis->n_latents; i++) {
            const Var *var = analysis->order[i].latent;
            if (!var->type.plate && (var->support.kind != SUPPORT_REAL) == bounded)
                add_latent(&joint, var);
        }
    if (joint.n) {
        if (joint.n == 1) joint.name = joint.latent[0]->name;
        sample_template(&g, &joint);
    }
    for (int i = 0; i < analysis->n_latents; i++) {
        const Conditioning *c = &analysis->order[i];
        if (!c->latent->type.plate && !b->options.paper) continue;
        Template t = {.name = c->latent->name, .plate = c->latent->type.plate, .conditioning = c};
        add_latent(&t, c->latent);
        sample_template(&g, &t);
    }
    return g.log_q;
}
