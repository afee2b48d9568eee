/* rows.h -- how the elements of a variable are called in tables and JSON (rows.c). */
#ifndef ADAVIC_ROWS_H
#define ADAVIC_ROWS_H

#include "runtime/data.h"
#include "runtime/psis.h"

/* The CSV's keys of element k, one per plate, joined by `between`; each through `add`. Nothing
 * without labels. */
void rt_add_labels(const RtData *d, const RtVar *v, int64_t k, const char *between,
                   void (*add)(RtBytes *out, const char *text), RtBytes *out);
/* What `infer --json` says of element k: `before`, mean, sd, quantiles, and labels where there are
 * some; and quantiles alone, behind a comma. */
void rt_json_row(RtBytes *out, const char *before, const RtData *d, const RtVar *v, int64_t k,
                 const RtSummary *s);
void rt_json_quantiles(RtBytes *out, const RtSummary *s);
/* Name and labels of element k, as the first two columns. */
void rt_row_name(const RtData *d, const RtVar *v, int64_t k, RtBytes *out);

#endif
