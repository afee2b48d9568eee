/* diag.h -- errors as data: a code, a span, what was expected, what was found, what to do.
 *
 * Every diagnostic is one row of diags.def: DIAG(NAME, code, severity, "format", "long
 * explanation"). The format's % arguments are those given to diag_report. Shown as
 *
 *     pastes.hbm:3:28: error E0201: unknown name `sd_bach`
 *       3 |   latent b ~ normal(mean, sd_bach);
 *         |                           ^~~~~~~
 *       help: did you mean `sd_batch`?
 */
#ifndef ADAVIC_DIAG_H
#define ADAVIC_DIAG_H

#include "base/base.h"

typedef enum {
#define DIAG(NAME, ...) DIAG_##NAME,
#include "base/diags.def"
#undef DIAG
    DIAG_COUNT
} DiagCode;

typedef struct Diags Diags; /* the sources and what was said of them */

Diags *diags_new(Arena *arena);
/* Registers a source; the number for Span.file. The text must outlive the Diags. */
int diags_add_source(Diags *diags, const char *path, const char *text, size_t n);
/* Says that source `file` stands in the place of `from`, in a source added before it. */
void diags_set_origin(Diags *diags, int file, Span from);
/* Does `a` stand before `b`, each imported text counting where it is imported? */
bool diags_before(const Diags *diags, Span a, Span b);
void diag_report(Diags *diags, DiagCode code, Span span, ...);
/* Attach to the last report: a second place, a suggestion. */
void diag_note(Diags *diags, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void diag_help(Diags *diags, const char *format, ...) __attribute__((format(printf, 2, 3)));
int diags_errors(const Diags *diags);
/* All reports, by position; at most 20 errors, then a count. */
void diags_print(const Diags *diags, FILE *out, bool color);
/* --explain: the long form, or NULL for an unknown code (suggests with *nearest). */
const char *diag_explain(const char *code, const char **nearest);
/* The candidate nearest to `name` (edit distance <= 2 and < length), or NULL. */
const char *nearest_name(const char *name, const char *const *candidates, int n);

#endif
