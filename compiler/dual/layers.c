/* layers.c -- the pieces of the networks, each a few operations of the tensor IR: dense layers over
 * groups of features, layer norm, multi-head attention, set transformers (Lee et al., ICML 2019;
 * ADAVI, appendix F.2).
 *
 * Attention over a plate is softmax and weighted mean along the plate's axis: no padding, any
 * number of instances. Heads are two event axes (head, feature of the head); a weight declared [in,
 * head, key] has the bytes of [in, out].
 */
#include "dual/internal.h"

#include <math.h>

static const double LAYER_NORM_EPSILON = 1e-3;

AxisId named_axis(Build *b, const char *prefix, int64_t n) {
    const char *name = arena_printf(b->arena, "%s.%lld", prefix, (long long)n);
    return ir_axis(b->p, name, AXIS_EVENT, AXIS_NONE, n);
}

AxisId feature_axis(Build *b, int64_t width) {
    return named_axis(b, "f", width);
}

AxisId output_axis(Build *b, int64_t width) {
    return named_axis(b, "o", width);
}

IrValue weight(Build *b, const char *name, const AxisId *axes, int n, IrInit init) {
    AxisId sorted[4];
    memcpy(sorted, axes, sizeof *axes * (size_t)n);
    if (ir_axes_sort(b->p, sorted, n) != n || memcmp(sorted, axes, sizeof *axes * (size_t)n))
        internal_error("dual", "axes of weight %s are not in canonical order", name);
    int at = 0;
    while (at < b->dual->weights.n && strcmp(b->dual->weights.data[at].name, name)) at++;
    if (at == b->dual->weights.n) {
        DualWeight w = {.name = arena_strdup(b->arena, name), .n_dims = n, .init = init};
        for (int i = 0; i < n; i++) w.dims[i] = b->p->axes.data[axes[i]].extent;
        vec_push(b->arena, &b->dual->weights, w);
    }
    while (b->weights.n <= at) vec_push(b->arena, &b->weights, IR_NONE);
    IrValue *input = &b->weights.data[at];
    if (*input == IR_NONE) *input = ir_input(b->p, name, ROLE_WEIGHT, axes, n);
    return b->held ? ir_stop_gradient(b->p, *input) : *input;
}

Block block_of(IrValue v, int n_axes, const AxisId *axes, const char *tag) {
    Block block = {.v = v, .n_axes = n_axes, .tag = tag};
    for (int i = 0; i < n_axes; i++) block.axes[i] = axes[i];
    return block;
}

void blocks_add(Blocks *blocks, Block block) {
    if (blocks->n < MAX_BLOCKS)
        blocks->at[blocks->n++] = block;
    else
        blocks->refused++;
}

static int64_t block_width(Build *b, const Block *block) {
    int64_t width = 1;
    for (int i = 0; i < block->n_axes; i++) width *= b->p->axes.data[block->axes[i]].extent;
    return width;
}

IrInit glorot(double gain, int64_t in, int64_t out) {
    if (gain == 0) return (IrInit){INIT_CONSTANT, 0};
    return (IrInit){INIT_UNIFORM, gain * sqrt(6.0 / (double)(in + out))};
}

/* sum over blocks of block . W [+ bias], on the axes `out` (in the place of features). */
static IrValue affine_to(Build *b, const char *name, const Blocks *in, const AxisId *out, int n_out,
                         double gain, bool bias) {
    int64_t width_in = 0, width_out = 1;
    if (in->refused)
        over_limit(b, NULL, "variables, plates and their moments that one network reads",
                   MAX_BLOCKS);
    for (int i = 0; i < in->n; i++) width_in += block_width(b, &in->at[i]);
    for (int i = 0; i < n_out; i++) width_out *= b->p->axes.data[out[i]].extent;
    IrValue y = IR_NONE;
    for (int i = 0; i < in->n; i++) {
        const Block *block = &in->at[i];
        AxisId axes[4 + MAX_DIMS];
        int n = block->n_axes;
        memcpy(axes, block->axes, sizeof *axes * (size_t)n);
        for (int k = 0; k < n_out; k++) axes[n + k] = out[k];
        const char *w_name = in->n == 1 ? arena_printf(b->arena, "%s.W", name)
                                        : arena_printf(b->arena, "%s.W.%s", name, block->tag);
        IrValue w = weight(b, w_name, axes, n + n_out, glorot(gain, width_in, width_out));
        IrValue term = ir_contract(b->p, block->v, w, block->axes, block->n_axes);
        y = y == IR_NONE ? term : ir_add(b->p, y, term);
    }
    if (!bias && y != IR_NONE) return y;
    IrValue shift =
        weight(b, arena_printf(b->arena, "%s.b", name), out, n_out, (IrInit){INIT_CONSTANT, 0});
    return y == IR_NONE ? shift : ir_add(b->p, y, shift);
}

IrValue dense(Build *b, const char *name, const Blocks *in, int64_t width, double gain) {
    AxisId f = feature_axis(b, width), o = output_axis(b, width);
    return ir_rename(b->p, affine_to(b, name, in, &o, 1, gain, true), o, f);
}

IrValue dense_over(Build *b, const char *name, const Blocks *in, const AxisId *out, int n_out,
                   double gain) {
    return affine_to(b, name, in, out, n_out, gain, true);
}

IrValue dense_plain(Build *b, const char *name, IrValue x, int64_t width_in, int64_t width,
                    double gain) {
    AxisId f = feature_axis(b, width_in);
    Blocks in = {.n = 1, .at = {block_of(x, 1, &f, "x")}};
    return dense(b, name, &in, width, gain);
}

static IrValue layer_norm(Build *b, const char *name, IrValue x, int64_t width) {
    IrProgram *p = b->p;
    AxisId f = feature_axis(b, width);
    IrValue share = ir_const(p, 1.0 / (double)width);
    IrValue centred = ir_sub(p, x, ir_mul(p, ir_sum(p, x, &f, 1), share));
    IrValue variance = ir_mul(p, ir_contract(p, centred, centred, &f, 1), share);
    IrValue rms = ir_sqrt(p, ir_add(p, variance, ir_const(p, LAYER_NORM_EPSILON)));
    IrValue g = weight(b, arena_printf(b->arena, "%s.g", name), &f, 1, (IrInit){INIT_CONSTANT, 1});
    IrValue s = weight(b, arena_printf(b->arena, "%s.b", name), &f, 1, (IrInit){INIT_CONSTANT, 0});
    return ir_add(p, ir_mul(p, ir_mul(p, centred, ir_recip(p, rms)), g), s);
}

/* ------------------------------------------------------------------ attention */

typedef struct Heads {
    int64_t width;
    AxisId feature, head, key, out; /* in canonical order */
    double gain;                    /* of what is added to the residual stream */
} Heads;

/* Nothing normalises a pre-norm residual stream: its branches start small, so that encodings keep
 * their size over any number of plates. */
static double branch_gain(const SetTransformer *shape) {
    return shape->pre_norm ? 0.5 : 1;
}

static Heads heads_of(Build *b, const SetTransformer *shape) {
    Heads h = {.width = shape->width, .feature = feature_axis(b, shape->width)};
    h.gain = branch_gain(shape);
    int64_t key = shape->width / shape->heads;
    h.head = named_axis(b, "head", shape->heads);
    h.key = named_axis(b, "key", key);
    h.out = output_axis(b, shape->width);
    return h;
}

static IrValue project(Build *b, const char *name, IrValue x, const Heads *h) {
    Blocks in = {.n = 1, .at = {block_of(x, 1, &h->feature, "x")}};
    return affine_to(b, name, &in, (AxisId[]){h->head, h->key}, 2, 1, true);
}

/* What attention is over. */
typedef struct Elements {
    IrValue v;
    AxisId over;
    IrValue present; /* as in set_transformer */
} Elements;

static const double FAR = 1e4; /* scores of elements that do not count are lower */

/* Multi-head attention of x over the elements y, through the four projections of `name`. */
static IrValue attention(Build *b, const char *name, IrValue x, Elements y, const Heads *h) {
    IrProgram *p = b->p;
    IrValue q = project(b, arena_printf(b->arena, "%s.q", name), x, h);
    IrValue k = project(b, arena_printf(b->arena, "%s.k", name), y.v, h);
    IrValue v = project(b, arena_printf(b->arena, "%s.v", name), y.v, h);
    const AxisId over = y.over;
    const bool all = y.present == IR_NONE;
    double key_width = (double)p->axes.data[h->key].extent;
    IrValue scaled = ir_mul(p, q, ir_const(p, 1 / sqrt(key_width)));
    IrValue score = ir_contract(p, scaled, k, &h->key, 1);
    if (!all) {
        IrValue absent = ir_sub(p, ir_const(p, 1), y.present);
        score = ir_sub(p, score, ir_mul(p, ir_const(p, FAR), absent));
    }
    IrValue top = ir_stop_gradient(p, ir_max_over(p, score, &over, 1));
    IrValue e = ir_exp(p, ir_sub(p, score, top));
    if (!all) e = ir_mul(p, e, y.present);
    IrValue whole = ir_sum(p, e, &over, 1); /* 1 or more, but where no element counts */
    IrValue norm = ir_recip(p, all ? whole : ir_max(p, whole, ir_const(p, DUAL_TINY)));
    /* Values are taken about their mean: the same sum, since the weights add up to 1, but the
     * adjoints of the scores do not cancel what all values have in common (a digit and a half in
     * f32). */
    IrValue size = ir_recip(p, all ? ir_extent(p, over)
                                   : ir_max(p, ir_sum_at(p, y.present, &over, 1), ir_const(p, 1)));
    IrValue values = ir_sum(p, all ? v : ir_mul(p, y.present, v), &over, 1);
    IrValue mean = ir_stop_gradient(p, ir_mul(p, values, size));
    IrValue about = ir_contract(p, e, ir_sub(p, v, mean), &over, 1);
    IrValue pooled = ir_add(p, ir_mul(p, about, norm), mean);
    Blocks in = {.n = 1, .at = {block_of(pooled, 2, (AxisId[]){h->head, h->key}, "x")}};
    IrValue out =
        affine_to(b, arena_printf(b->arena, "%s.o", name), &in, &h->out, 1, h->gain, true);
    return ir_rename(p, out, h->out, h->feature);
}

/* MAB(X, Y): post-norm as published (H = LN(X + MHA(X, Y, Y)); LN(H + rFF(H))) or pre-norm. */
static IrValue mab(Build *b, const char *name, IrValue x, Elements y, const SetTransformer *shape) {
    IrProgram *p = b->p;
    Heads h = heads_of(b, shape);
    const char *ln1 = arena_printf(b->arena, "%s.ln1", name),
               *ln2 = arena_printf(b->arena, "%s.ln2", name);
    const char *ff = arena_printf(b->arena, "%s.ff", name);
    if (!shape->pre_norm) {
        IrValue hidden = layer_norm(b, ln1, ir_add(p, x, attention(b, name, x, y, &h)), h.width);
        IrValue fed = ir_relu(p, dense_plain(b, ff, hidden, h.width, h.width, 1));
        return layer_norm(b, ln2, ir_add(p, hidden, fed), h.width);
    }
    IrValue hidden = ir_add(p, x, attention(b, name, x, y, &h));
    IrValue fed = ir_relu(
        p, dense_plain(b, ff, layer_norm(b, ln2, hidden, h.width), h.width, h.width, h.gain));
    return ir_add(p, hidden, fed);
}

static IrValue learned_set(Build *b, const char *name, AxisId axis, int64_t width) {
    AxisId f = feature_axis(b, width);
    return weight(b, name, (AxisId[]){axis, f}, 2, (IrInit){INIT_NORMAL, 0.05});
}

IrValue set_transformer(Build *b, const char *name, const SetTransformer *shape, const Blocks *in,
                        AxisId plate, IrValue present) {
    IrProgram *p = b->p;
    AxisId inducing = named_axis(b, "inducing", shape->inducing),
           seed = named_axis(b, "seed", shape->seeds);
    IrValue x = dense(b, arena_printf(b->arena, "%s.embed", name), in, shape->width, 1);
    for (int64_t i = 0; i < shape->n_isab; i++) {
        const char *isab = arena_printf(b->arena, "%s.isab%lld", name, (long long)i);
        IrValue points =
            learned_set(b, arena_printf(b->arena, "%s.I", isab), inducing, shape->width);
        IrValue h = mab(b, arena_printf(b->arena, "%s.mab0", isab), points,
                        (Elements){x, plate, present}, shape);
        x = mab(b, arena_printf(b->arena, "%s.mab1", isab), x, (Elements){h, inducing, IR_NONE},
                shape);
    }
    IrValue seeds = learned_set(b, arena_printf(b->arena, "%s.pma.S", name), seed, shape->width);
    const char *ff = arena_printf(b->arena, "%s.pma.ff", name);
    IrValue fed = dense_plain(b, ff, x, shape->width, shape->width, 1);
    IrValue keys = shape->pre_norm ? ir_add(p, x, ir_relu(p, fed)) : ir_relu(p, fed);
    IrValue pooled = mab(b, arena_printf(b->arena, "%s.pma.mab", name), seeds,
                         (Elements){keys, plate, present}, shape);
    AxisId others =
        ir_axis_copy(p, seed, arena_printf(b->arena, "seed.%lld.k", (long long)shape->seeds));
    Elements own = {ir_rename(p, pooled, seed, others), others, IR_NONE};
    pooled = mab(b, arena_printf(b->arena, "%s.sab", name), pooled, own, shape);
    AxisId f = feature_axis(b, shape->width);
    Blocks out = {.n = 1, .at = {block_of(pooled, 2, (AxisId[]){seed, f}, "x")}};
    return dense(b, arena_printf(b->arena, "%s.out", name), &out, shape->width, branch_gain(shape));
}
