/* settings.h -- what a model's author says in dual { ... } of the network and its training; part of
 * model.h. */
#ifndef ADAVIC_MODEL_SETTINGS_H
#define ADAVIC_MODEL_SETTINGS_H

#include "base/base.h"

typedef struct Var Var;

/* Arguments of flows, bit by bit. */
enum { TAKES_LAYERS = 1, TAKES_WIDTH = 2, TAKES_STEPS = 4, TAKES_BINS = 8 };

typedef enum {
    FLOW_DERIVED, /* nothing is said */
#define FLOW(ENUM, ...) FLOW_##ENUM,
#include "model/flows.def"
#undef FLOW
} FlowKind;

typedef struct FlowInfo {
    const char *name;
    int takes;
    const char *help;
} FlowInfo;
extern const FlowInfo flow_info[]; /* by FlowKind; the first is nameless */
extern const int flow_count;
FlowKind flow_named(const char *name); /* FLOW_DERIVED: none is called that */

/* flow NAME = maf(...), say */
typedef struct FlowSetting {
    const Var *latent; /* NULL: every latent of which nothing else is said */
    FlowKind kind;
    int64_t layers, width, steps, bins; /* 0: as derived */
} FlowSetting;

/* dual { ... }: 0 or NULL (isab: -1) where nothing is said. */
typedef struct DualSettings {
    int64_t embed, isab, heads, inducing, seeds;
    VEC(FlowSetting) flows;
    FlowSetting flow; /* of all others: adavic --flow */
    /* defaults of training, which options of `train` override */
    const char *objective;
    int64_t sets, draws;
} DualSettings;

#endif
