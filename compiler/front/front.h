/* front.h -- text to checked model: grammar/ builds the AST, front/ resolves names, infers types
 * and shapes, checks supports and reports. Several errors per run; no input crashes it. */
#ifndef ADAVIC_FRONT_H
#define ADAVIC_FRONT_H

#include "base/base.h"
#include "base/diag.h"
#include "model/model.h"

typedef struct Define {
    const char *name;
    int64_t value;
} Define; /* -D NAME=N */

typedef struct Ast Ast;

/* Parses `text` (of `path`, for messages; also the model's name). NULL after syntax errors, which
 * are in `diags`. */
Ast *front_parse(Arena *arena, Diags *diags, const char *path, const char *text, size_t n);
/* Reads what `file` imports, into it: looked for relative to the importing file, then in `dirs`.
 * False after errors. Without this call an import is an error, and no file is ever opened. */
bool front_import(Arena *arena, Diags *diags, Ast *file, const char *const *dirs, int n_dirs);
void front_print_ast(Text *out, const Ast *ast);
/* Resolves and checks against the embedded standard library. NULL after errors. */
Model *front_check(Arena *arena, Diags *diags, const Ast *ast, const Define *defines,
                   int n_defines);

/* The standard library's text, embedded at build time (build/stdlib_text.c): name and
 * zero-terminated contents. */
typedef struct StdlibFile {
    const char *name, *text;
} StdlibFile;
extern const StdlibFile stdlib_files[];
extern const int stdlib_file_count;
/* docs/distributions.md: its distributions, links and functions, as tables. */
void front_print_library(Text *out);

#endif
