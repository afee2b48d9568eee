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
 * F = last map . bend . autoregressive (the last for D > 1 only; bend.c) . tie (coupled instances
 * only). The last map is affine, from what the compiler knows (stages.c, affine.c); the networks of
 * E and K that correct it have a last layer of zeros, so training starts from a proper guide.
 * --paper has its own order (ADAVI, appendix).
 */
#include "dual/autoregressive.h"
#include "dual/plate.h"
#include "dual/settings.h"
#include "dual/template.h"
#include "dual/total.h"

#include <math.h>

enum { MAF_HIDDEN = 32 };

static const double LOG_2PI = 1.8378770664093454836;
static const double CLIP = 4; /* of the tie */

static const FlowSetting *setting_of(const Build *b, const Template *t) {
    return flow_setting(b->model, t->latent, t->n);
}

static FlowKind kind_of(const Build *b, const Template *t) {
    if (b->options.family == FAMILY_MEAN_FIELD) return FLOW_AFFINE;
    return flow_kind(setting_of(b, t), t->size, b->dual->densities);
}

/* Then the flow between base draw and affine map can be drawn in one pass, or its density taken in
 * one, not both: it is drawn, unless an objective asks for densities of latents that the guide did
 * not draw. Such events are written out then, too (and add_latent bounds them). */
static bool in_layers(const Build *b, const Template *t) {
    return kind_of(b, t) == FLOW_MAF && is_wide(t) && !b->dual->densities;
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
    for (const Plate *q = t->plate; q; q = q->parent) add_all(&blocks, &g->enc->given[q->index]);
    if (b->options.paper) return blocks;
    add_all(&blocks, &g->enc->scale);
    /* A mean-field guide that is amortised also needs what the whole data set says. */
    if (!is_structured(b) && plate) add_all(&blocks, &g->enc->root);
    if (is_structured(b) && t->conditioning)
        for (int i = 0; i < t->conditioning->n_on; i++)
            add_known(g, t->conditioning->on[i], t->plate, &blocks);
    return blocks;
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

static bool has_residual(const Build *b, const Template *t) {
    FlowKind kind = kind_of(b, t);
    return kind != FLOW_AFFINE && (t->size > 1 || kind == FLOW_SPLINE_COUPLING);
}

static IrValue residual_flow(Build *b, const Template *t, IrValue hidden, Way way, IrValue from,
                             IrValue *log_det) {
    AxisId f = feature_axis(b, hidden_width(t));
    Block of_hidden = block_of(hidden, 1, &f, "hidden");
    FlowKind kind = kind_of(b, t);
    Maf shape = RESIDUAL;
    if (flow_couples(kind)) {
        shape.width = coupling_hidden(t->size);
        if (t->size == 1) shape.n_layers = 0; /* the context has been through two */
        shape = maf_with_setting(setting_of(b, t), &shape);
        return coupling(b, t->name, &shape, way, from, t->size, &of_hidden, log_det);
    }
    shape = maf_with_setting(setting_of(b, t), &shape);
    if (!in_layers(b, t)) return maf(b, t->name, &shape, way, from, t->size, &of_hidden, log_det);
    shape.width = iaf_hidden(t->size);
    return iaf(b, t->name, &shape, from, t->size, &of_hidden, log_det);
}

static IrValue paper_flow(GuideState *g, const Template *t, const Blocks *context, Way way,
                          IrValue from, IrValue *log_det) {
    static const Maf PAPER_MAF = {
        .n_layers = 3, .width = 32, .clip = 8, .last_gain = 0.1, .relu = true};
    Build *b = g->b;
    Maf shape = maf_with_setting(setting_of(b, t), &PAPER_MAF);
    FlowKind kind = kind_of(b, t);
    bool affine = kind == FLOW_AFFINE;
    IrValue (*flow)(Build *, const char *, const Maf *, Way, IrValue, int64_t, const Block *,
                    IrValue *) = flow_couples(kind) ? coupling : maf;
    PaperAffine a = paper_affine(g, t, context);
    if (way == WAY_DENSITY && !affine)
        from = flow(b, t->name, &shape, way, from, t->size, &context->at[0], log_det);
    IrValue z = paper_apply(b, t, &a, way, from, log_det);
    if (way == WAY_DENSITY || affine) return z;
    return flow(b, t->name, &shape, way, z, t->size, &context->at[0], log_det);
}

/* Where instances are coupled (a reduction over them is observed, say): u + (exp(c) - 1) v (v'u),
 * over the plate, v of unit length, c a function of what is around the plate. Instances then vary
 * together or against each other: all pairs alike, or along what a Newton start knows, which also
 * has an amount to begin with. The determinant over n instances is exp(c). */
static IrValue tied(GuideState *g, const Template *t, Way way, IrValue u, IrValue *log_det) {
    Build *b = g->b;
    IrProgram *p = b->p;
    AxisId axis = plate_axis(b, t->plate);
    const Plate *around = t->plate->parent;
    while (around && !g->enc->plate[around->index].n) around = around->parent;
    Blocks in = around ? g->enc->plate[around->index] : g->enc->root;
    add_all(&in, &g->enc->scale);
    add_all(&in, &g->enc->context);
    for (const Plate *q = t->plate->parent; q; q = q->parent)
        add_all(&in, &g->enc->given[q->index]);
    IrValue c = dense(b, arena_printf(b->arena, "%s.tie", t->name), &in, t->size, 0);
    c = clipped(b, c, CLIP);
    const Newton *start = start_of_template(g, t);
    const FlowTie tie = start ? newton_tie(start) : (FlowTie){IR_NONE, IR_NONE};
    if (tie.more != IR_NONE) c = ir_add(p, c, tie.more);
    IrValue share = instance_share(b, axis), part; /* log_det counts once per instance */
    if (tie.along == IR_NONE)
        part = mean_along(b, u, axis);
    else
        part = ir_mul(p, tie.along, ir_sum(p, ir_mul(p, tie.along, u), &axis, 1));
    *log_det = ir_add(p, *log_det, ir_mul(p, ir_sum(p, c, &t->flat, 1), share));
    if (way == WAY_DENSITY) c = ir_neg(p, c); /* the part is exp(c) times that of the base draws */
    return ir_add(p, u, ir_mul(p, ir_sub(p, ir_exp(p, c), number(b, 1)), part));
}

static bool is_coupled(const Build *b, const Template *t) {
    return t->plate && t->conditioning && !t->conditioning->exact && is_structured(b);
}

static bool is_affine(const Build *b, const Template *t) {
    return kind_of(b, t) == FLOW_AFFINE;
}

/* IR_NONE: the latents have their values. */
static IrValue derived_flow(GuideState *g, const Template *t, const Blocks *context, IrValue u,
                            IrValue *log_det) {
    Build *b = g->b;
    IrValue hidden = hidden_of(b, t, context), y = u, correct[6];
    bool affine = is_affine(b, t);
    *log_det = number(b, 0);
    if (is_coupled(b, t)) y = tied(g, t, WAY_DRAW, u, log_det);
    if (has_residual(b, t)) y = residual_flow(b, t, hidden, WAY_DRAW, y, log_det);
    corrections(b, t, context, hidden, correct);
    Bend bend = {correct[3], correct[4], correct[5]};
    if (!affine) y = bent(b, y, &bend, t->flat, log_det);
    return last_map(g, t, correct, WAY_DRAW, y, log_det);
}

/* The base draw of v: derived_flow backwards, map by map. */
static IrValue derived_inverse(GuideState *g, const Template *t, const Blocks *context, IrValue v,
                               IrValue *log_det) {
    Build *b = g->b;
    IrValue hidden = hidden_of(b, t, context), correct[6];
    bool affine = is_affine(b, t);
    corrections(b, t, context, hidden, correct);
    Bend bend = {correct[3], correct[4], correct[5]};
    IrValue y = last_map(g, t, correct, WAY_DENSITY, v, log_det);
    if (!affine) y = unbent(b, y, &bend, t->flat, log_det);
    if (has_residual(b, t)) y = residual_flow(b, t, hidden, WAY_DENSITY, y, log_det);
    if (is_coupled(b, t)) y = tied(g, t, WAY_DENSITY, y, log_det);
    return y;
}

/* Where the last map alone puts the centre of the base distribution; IR_NONE as above. */
static IrValue centre_of(GuideState *g, const Template *t, const Blocks *context) {
    Build *b = g->b;
    if (b->options.paper) return paper_affine(g, t, context).shift;
    IrValue hidden = hidden_of(b, t, context), unused = number(b, 0), correct[6];
    corrections(b, t, context, hidden, correct);
    return last_map(g, t, correct, WAY_DRAW, along(b, number(b, 0), &t->flat, 1), &unused);
}

/* For people, once: in the program that shows the flows' parameters. */
static void describe(GuideState *g, const Template *t, const Blocks *context) {
    Build *b = g->b;
    DualFlow flow = {
        .name = t->name, .map = kind_of(b, t), .plate = t->plate, .encoding = encoded_plate(g, t)};
    if (!g->show) return;
    for (int i = 0; i < t->n; i++) vec_push(b->arena, &flow.latents, t->latent[i]);
    for (int i = 0; i < context->n; i++) vec_push(b->arena, &flow.features, context->at[i].tag);
    if (is_structured(b) && t->conditioning)
        for (int i = 0; i < t->conditioning->n_on; i++)
            vec_push(b->arena, &flow.given, t->conditioning->on[i]);
    for (int i = 0; i < b->model->vars.n && b->options.family == FAMILY_CASCADING; i++) {
        const Var *parent = b->model->vars.data[i];
        bool read = false;
        for (int k = 0; k < t->latent[0]->dist->n_params; k++)
            read |= expr_mentions(t->latent[0]->args[k], parent);
        if (parent->kind == VAR_LATENT && read) vec_push(b->arena, &flow.given, parent);
    }
    vec_push(b->arena, &b->dual->flows, flow);
}

/* log N(u) - log_det. */
static IrValue base_density(Build *b, const Template *t, IrValue u, IrValue log_det) {
    IrProgram *p = b->p;
    IrValue square = ir_contract(p, u, u, &t->flat, 1);
    IrValue log_q =
        ir_mul(p, number(b, -0.5), ir_add(p, square, number(b, LOG_2PI * (double)t->size)));
    return ir_sub(p, log_q, log_det);
}

/* log |d value / dv|, summed over the event; over all instances, where these are in the template.
 */
static IrValue link_slope(Build *b, const Template *t, const Var *var, Val free) {
    IrProgram *p = b->p;
    Val jacobian = lower_link(b, var, LINK_LOG_JACOBIAN, free);
    AxisId events[MAX_DIMS];
    int n = event_axes(b, &jacobian, events);
    for (int k = 0; k < n; k++) {
        bool has = ir_has_axis(p, jacobian.v, events[k]);
        jacobian.v = has ? ir_sum(p, jacobian.v, &events[k], 1)
                         : ir_mul(p, jacobian.v, number(b, (double)jacobian.dims[k]));
    }
    return t->total ? sum_over_plates(b, jacobian.v, var->type.plate) : jacobian.v;
}

/* v is known (IR_NONE: and the latents have their values): the latents' values, and what they are
 * as features. Takes the slopes of their links from *log_q, unless that is NULL. */
static void set_latents(GuideState *g, const Template *t, IrValue v, IrValue *log_q) {
    Build *b = g->b;
    for (int i = 0; i < t->n; i++) {
        const Var *var = t->latent[i];
        if (v != IR_NONE && t->total) {
            g->free[var->index] = total_scatter(b, var, v, t->flat, t->start[i]);
            b->value[var->index] = lower_link(b, var, LINK_FORWARD, g->free[var->index]);
        } else if (v != IR_NONE) {
            settle(g, t, i, v);
        }
        if (log_q) *log_q = ir_sub(b->p, *log_q, link_slope(b, t, var, g->free[var->index]));
    }
}

static void add_log_q(GuideState *g, const Template *t, IrValue log_q) {
    log_q = sum_over_plates(g->b, log_q, t->plate);
    g->own[t->latent[0]->index] = log_q;
    g->log_q = g->log_q == IR_NONE ? log_q : ir_add(g->b->p, g->log_q, log_q);
}

static void sample_template(GuideState *g, Template *t) {
    Build *b = g->b;
    Blocks context = context_of(g, t);
    describe(g, t, &context);
    IrValue u = base_draw(b, t), log_det = IR_NONE;
    IrValue v = b->options.paper ? paper_flow(g, t, &context, WAY_DRAW, u, &log_det)
                                 : derived_flow(g, t, &context, u, &log_det);
    IrValue log_q = base_density(b, t, u, log_det);
    set_latents(g, t, v, &log_q);
    add_local(b, ir_neg(b->p, log_q), t->plate);
    add_log_q(g, t, log_q);
}

static void locate_template(GuideState *g, Template *t) {
    Blocks context = context_of(g, t);
    set_latents(g, t, centre_of(g, t, &context), NULL);
}

static void invert_template(GuideState *g, Template *t) {
    Build *b = g->b;
    IrValue v = IR_NONE, log_det = number(b, 0), log_q;
    Blocks context = context_of(g, t);
    for (int i = 0; i < t->n; i++) {
        int at = t->latent[i]->index;
        g->free[at] = g->given_free ? g->given_free[at]
                                    : lower_link(b, t->latent[i], LINK_INVERSE, g->given[at]);
        add_flat(b, t, &v, i, g->free[at]);
        if (t->total) b->value[at] = g->given[at]; /* others may be bounded by it */
    }
    if (in_layers(b, t)) {
        if (!g->drawn) internal_error("dual", "no density of given %s", t->name);
        log_q = g->drawn[t->latent[0]->index];
        g->log_q = g->log_q == IR_NONE ? log_q : ir_add(b->p, g->log_q, log_q);
    } else {
        IrValue u = b->options.paper ? paper_flow(g, t, &context, WAY_DENSITY, v, &log_det)
                                     : derived_inverse(g, t, &context, v, &log_det);
        log_q = base_density(b, t, u, log_det);
        for (int i = 0; i < t->n; i++)
            log_q =
                ir_sub(b->p, log_q, link_slope(b, t, t->latent[i], g->free[t->latent[i]->index]));
        add_local(b, log_q, t->plate);
        add_log_q(g, t, log_q);
    }
    for (int i = 0; i < t->n; i++) /* now that it is drawn, so to speak */
        b->value[t->latent[i]->index] = g->given[t->latent[i]->index];
}

/* It was asked for by name, and would take as many passes as there are numbers. */
static _Noreturn void no_density(Build *b, const Var *var, int64_t size) {
    if (!b->diags) internal_error("dual", "no density of given %s", var->name);
    diag_report(b->diags, DIAG_NO_DENSITY, var->span, var->name, (long long)size, MAX_PAPER);
    longjmp(*b->too_large, 1);
}

static void add_latent(Build *b, Template *t, const Var *var) {
    bool joint = !t->conditioning;
    if (t->n == MAX_JOINT)
        over_limit(b, var, t->total ? "latents in one flow" : "latents outside all plates",
                   MAX_JOINT);
    t->start[t->n] = t->size;
    t->latent[t->n++] = var;
    t->size += t->total ? total_size(var) : free_size(var);
    int64_t most = b->options.paper ? MAX_PAPER : MAX_FLOW;
    if (b->dual->densities && t->size > MAX_PAPER && t->size <= most && kind_of(b, t) == FLOW_MAF)
        no_density(b, var, t->size);
    if (t->size <= most) return;
    const char *what = joint ? "numbers in all latents outside all plates, which share one flow"
                             : arena_printf(b->arena, "numbers in latent `%s`", var->name);
    if (t->total) what = "numbers in all instances of all latents, which share one flow";
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

static void find_varying(void *user, Var *var) {
    if (var->kind != VAR_HYPER) *(bool *)user = true;
}

bool has_varying_ends(const Var *var) {
    bool found = false;
    if (var->support.lo) expr_visit_vars(var->support.lo, find_varying, &found);
    if (var->support.hi) expr_visit_vars(var->support.hi, find_varying, &found);
    return found;
}

bool is_joint(const Var *latent) {
    return !latent->type.plate && !bounded_by_latents(latent);
}

/* Number i of the latents as they are drawn: laws follow the model, all else the analysis. */
static const Conditioning *in_turn(const Build *b, int i) {
    const Conditioning *order = b->analysis->order;
    bool as_modelled =
        b->options.family == FAMILY_CASCADING || b->options.family == FAMILY_TOTAL_FLOW;
    if (!as_modelled) return &order[i];
    for (int k = 0, n = 0; k < b->model->vars.n; k++) {
        const Var *var = b->model->vars.data[k];
        if (var->kind != VAR_LATENT || n++ < i) continue;
        while (order->latent != var) order++;
        return order;
    }
    internal_error("dual", "no latent %d", i);
}

typedef void VisitTemplate(GuideState *g, Template *t);

/* Every template in the order in which they are drawn. */
static void each_template(GuideState *g, VisitTemplate *visit) {
    Build *b = g->b;
    const Analysis *analysis = b->analysis;
    if (b->options.family == FAMILY_TOTAL_FLOW) {
        Template all = {.name = "(all)", .total = true};
        for (int i = 0; i < analysis->n_latents; i++) add_latent(b, &all, in_turn(b, i)->latent);
        all.flat = feature_axis(b, all.size);
        visit(g, &all);
        return;
    }
    /* parentheses: no latent is called that */
    Template joint = {.name = "(globals)"};
    for (int bounded = 1; bounded >= 0 && is_structured(b); bounded--)
        for (int i = 0; i < analysis->n_latents; i++) {
            const Var *var = analysis->order[i].latent;
            if (is_joint(var) && !is_located(b, var) == bounded) add_latent(b, &joint, var);
        }
    if (joint.n) {
        if (joint.n == 1) joint.name = joint.latent[0]->name;
        joint.flat = feature_axis(b, joint.size);
        visit(g, &joint);
    }
    for (int i = 0; i < analysis->n_latents; i++) {
        const Conditioning *c = in_turn(b, i);
        if (is_joint(c->latent) && is_structured(b)) continue;
        Template t = {.name = c->latent->name, .plate = c->latent->type.plate, .conditioning = c};
        add_latent(b, &t, c->latent);
        t.flat = feature_axis(b, t.size);
        visit(g, &t);
    }
}

static GuideState guide_state(Build *b, const Encoding *enc) {
    int n = b->model->vars.n + 1;
    return (GuideState){.b = b,
                        .enc = enc,
                        .log_q = IR_NONE,
                        .free = arena_array(b->arena, Val, n),
                        .own = arena_array(b->arena, IrValue, n),
                        .found = arena_array(b->arena, Newton *, n),
                        .start = arena_array(b->arena, const Newton *, n),
                        .started = arena_array(b->arena, bool, n)};
}

IrValue guide_sample(Build *b, const Encoding *enc, bool show) {
    GuideState g = guide_state(b, enc);
    g.show = show;
    each_template(&g, sample_template);
    return g.log_q;
}

void guide_locate(Build *b, const Encoding *enc) {
    GuideState g = guide_state(b, enc);
    each_template(&g, locate_template);
}

IrValue guide_log_density(Build *b, const Encoding *enc, const Val *given) {
    GuideState g = guide_state(b, enc);
    g.given = given;
    each_template(&g, invert_template);
    return g.log_q;
}

static void find_layers(GuideState *g, Template *t) {
    if (in_layers(g->b, t)) g->one_way = true;
}

bool guide_has_density(Build *b) {
    GuideState g = guide_state(b, NULL);
    each_template(&g, find_layers);
    return !g.one_way;
}

/* Features are functions of the weights, too. */
static Encoding *held_encoding(Build *b, const Encoding *enc) {
    Encoding *held = arena_new_of(b->arena, Encoding);
    *held = *enc;
    held->plate = arena_array(b->arena, Blocks, b->model->plates.n + 1);
    memcpy(held->plate, enc->plate, sizeof *held->plate * (size_t)b->model->plates.n);
    for (int i = -1; i < b->model->plates.n; i++) {
        Blocks *blocks = i < 0 ? &held->root : &held->plate[i];
        for (int k = 0; k < blocks->n; k++)
            blocks->at[k].v = ir_stop_gradient(b->p, blocks->at[k].v);
    }
    return held;
}

IrValue guide_sample_held(Build *b, const Encoding *enc, bool draws_held) {
    GuideState draw = guide_state(b, enc);
    each_template(&draw, sample_template);
    Val *given = arena_array(b->arena, Val, b->model->vars.n + 1);
    memcpy(given, b->value, sizeof *given * (size_t)b->model->vars.n);
    GuideState back = guide_state(b, draws_held ? enc : held_encoding(b, enc));
    for (int i = 0; i < b->model->vars.n && draws_held; i++) {
        if (b->model->vars.data[i]->kind != VAR_LATENT) continue;
        given[i].v = ir_stop_gradient(b->p, given[i].v);
        draw.free[i].v = ir_stop_gradient(b->p, draw.free[i].v);
    }
    back.given = given, back.given_free = draw.free;
    if (!draws_held) back.drawn = draw.own;
    forget_latents(b);
    b->held = !draws_held;
    each_template(&back, invert_template);
    b->held = false;
    return back.log_q;
}
