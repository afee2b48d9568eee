/* settings.c -- see settings.h: a setting replaces what is derived, all else stays. */
#include "dual/settings.h"

enum { BINS = 8 }; /* of splines */

static int64_t or_else(int64_t set, int64_t derived) {
    return set ? set : derived;
}

SetTransformer encoder_with_settings(const Build *b, const SetTransformer *derived) {
    const DualSettings *set = &b->model->dual;
    SetTransformer shape = *derived;
    shape.width = or_else(set->embed, shape.width);
    shape.heads = or_else(set->heads, shape.heads);
    shape.inducing = or_else(set->inducing, shape.inducing);
    shape.seeds = or_else(set->seeds, shape.seeds);
    if (set->isab >= 0) shape.n_isab = set->isab;
    return shape;
}

const FlowSetting *flow_setting(const Model *model, const Var *const *latents, int n) {
    const DualSettings *set = &model->dual;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < set->flows.n; k++)
            if (set->flows.data[k].latent == latents[i]) return &set->flows.data[k];
    return set->flow.kind ? &set->flow : NULL;
}

/* Splines number by number are for what is written out. Beyond that an autoregressive flow has one
 * direction alone in one pass, and coupling layers have both. */
FlowKind flow_kind(const FlowSetting *setting, int64_t size, bool densities) {
    FlowKind kind = setting ? setting->kind : FLOW_DERIVED;
    if (kind == FLOW_SPLINE && (size == 1 || size > MAX_UNROLLED)) return FLOW_SPLINE_COUPLING;
    if (kind == FLOW_DERIVED && densities && size > MAX_PAPER) return FLOW_COUPLING;
    return kind == FLOW_DERIVED ? FLOW_MAF : kind;
}

Maf maf_with_setting(const FlowSetting *setting, const Maf *derived) {
    Maf shape = *derived;
    if (!setting) return shape;
    shape.n_layers = (int)or_else(setting->layers, shape.n_layers);
    shape.width = or_else(setting->width, shape.width);
    shape.steps = setting->steps;
    if (flow_info[setting->kind].takes & TAKES_BINS) shape.bins = or_else(setting->bins, BINS);
    return shape;
}

void declare_set_axes(Build *b) {
    const DualSettings *set = &b->model->dual;
    if (set->inducing) named_axis(b, "inducing", set->inducing);
    if (set->seeds) named_axis(b, "seed", set->seeds);
    if (set->embed) feature_axis(b, set->embed);
    for (int i = 0; i < set->flows.n; i++)
        if (set->flows.data[i].width) feature_axis(b, set->flows.data[i].width);
}

/* What is said of flows: of single ones, and last of all others. */
static int n_flow_settings(const DualSettings *set) {
    return set->flows.n + 1;
}

static const FlowSetting *flow_setting_at(const DualSettings *set, int i) {
    return i < set->flows.n ? &set->flows.data[i] : &set->flow;
}

void declare_set_halves(Build *b, int64_t size) {
    const DualSettings *set = &b->model->dual;
    bool any = b->dual->densities && size > MAX_PAPER;
    for (int i = 0; i < n_flow_settings(set) && !any; i++)
        any = flow_couples(flow_kind(flow_setting_at(set, i), size, b->dual->densities));
    if (any) coupling_declare(b, size);
}

void declare_set_keys(Build *b) {
    const DualSettings *set = &b->model->dual;
    for (int i = 0; i < n_flow_settings(set); i++) {
        const FlowSetting *flow = flow_setting_at(set, i);
        if (flow_info[flow->kind].takes & TAKES_BINS) spline_declare(b, or_else(flow->bins, BINS));
    }
    /* the one of the two that is not set is one of those of encoder.c */
    for (int64_t width = 8; width <= 64 && (set->heads || set->embed); width += 8)
        for (int64_t heads = 1; heads <= 8; heads *= 2) named_axis(b, "key", width / heads);
}
