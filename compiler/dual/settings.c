/* settings.c -- see settings.h: a setting replaces what is derived, all else stays. */
#include "dual/settings.h"

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

const FlowSetting *flow_setting(const Build *b, const Var *const *latents, int n) {
    const DualSettings *set = &b->model->dual;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < set->flows.n; k++)
            if (set->flows.data[k].latent == latents[i]) return &set->flows.data[k];
    return NULL;
}

Maf maf_with_setting(const FlowSetting *setting, const Maf *derived) {
    Maf shape = *derived;
    if (!setting) return shape;
    shape.n_layers = (int)or_else(setting->layers, shape.n_layers);
    shape.width = or_else(setting->width, shape.width);
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

void declare_set_keys(Build *b) {
    const DualSettings *set = &b->model->dual;
    /* the one of the two that is not set is one of those of encoder.c */
    for (int64_t width = 8; width <= 64 && (set->heads || set->embed); width += 8)
        for (int64_t heads = 1; heads <= 8; heads *= 2) named_axis(b, "key", width / heads);
}
