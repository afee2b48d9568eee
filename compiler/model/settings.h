/* settings.h -- what a model's author says in dual { ... } of the network and its training; part of
 * model.h. */
#ifndef ADAVIC_MODEL_SETTINGS_H
#define ADAVIC_MODEL_SETTINGS_H

#include "base/base.h"

typedef struct Var Var;

/* flow NAME = affine() or maf(...) */
typedef struct FlowSetting {
    const Var *latent;
    bool affine;
    int64_t layers, width; /* 0: as derived */
} FlowSetting;

/* dual { ... }: 0 or NULL (isab: -1) where nothing is said. */
typedef struct DualSettings {
    int64_t embed, isab, heads, inducing, seeds;
    VEC(FlowSetting) flows;
    /* defaults of training, which options of `train` override */
    const char *objective;
    int64_t sets, draws;
} DualSettings;

#endif
