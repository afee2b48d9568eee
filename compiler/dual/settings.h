/* settings.h -- dual { ... } applied to what is derived (settings.c). Private to dual/. */
#ifndef ADAVIC_DUAL_SETTINGS_H
#define ADAVIC_DUAL_SETTINGS_H

#include "dual/autoregressive.h"

SetTransformer encoder_with_settings(const Build *b, const SetTransformer *derived);
/* What is said of the flow of the first of these latents that has a setting; NULL: nothing. */
const FlowSetting *flow_setting(const Build *b, const Var *const *latents, int n);
Maf maf_with_setting(const FlowSetting *setting, const Maf *derived);
/* Axes of extents that only settings bring in, in their places among the others (internal.h): what
 * layers read, and, behind the heads, their keys. */
void declare_set_axes(Build *b);
void declare_set_keys(Build *b);

#endif
