/* settings.h -- dual { ... } applied to what is derived (settings.c). Private to dual/. */
#ifndef ADAVIC_DUAL_SETTINGS_H
#define ADAVIC_DUAL_SETTINGS_H

#include "dual/autoregressive.h"

SetTransformer encoder_with_settings(const Build *b, const SetTransformer *derived);
/* What is said of the flow of the first of these latents that has a setting; NULL: nothing. */
const FlowSetting *flow_setting(const Model *model, const Var *const *latents, int n);
/* What a flow of `size` numbers is, given its setting (NULL: none). `densities`: an objective asks
 * for those of given values. */
FlowKind flow_kind(const FlowSetting *setting, int64_t size, bool densities);
static inline bool flow_couples(FlowKind kind) {
    return kind == FLOW_COUPLING || kind == FLOW_SPLINE_COUPLING;
}
Maf maf_with_setting(const FlowSetting *setting, const Maf *derived);
/* Axes of extents that only settings bring in, in their places among the others (internal.h): what
 * layers read; halves of flows of `size` numbers; and, behind the heads, their keys and bins. */
void declare_set_axes(Build *b);
void declare_set_halves(Build *b, int64_t size);
void declare_set_keys(Build *b);

#endif
