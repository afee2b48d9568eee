/* link.h -- from an object file to a program or a library, by the system's `cc` and the runtime
 * archive that adavic carries. */
#ifndef ADAVIC_LINK_H
#define ADAVIC_LINK_H

#include "back/back.h"

/* A directory of adavic's own, under $TMPDIR; removed with all it holds by workdir_remove. */
typedef struct Workdir {
    const char *path;                     /* "/tmp/adavic-XXXXXX" */
    const char *object[BACK_MAX_OBJECTS]; /* path/model0.o .. */
    const char *product;
} Workdir;

/* NULL, or a complaint. */
const char *workdir_make(Arena *arena, Workdir *dir);
void workdir_remove(Arena *arena, const Workdir *dir);

typedef struct LinkOptions {
    bool shared; /* a library instead of a program */
    bool blas;   /* with OpenBLAS, as a shared library of the system */
} LinkOptions;

/* Links dir->object with the runtime into `out`; where that is a library, `header` gets the C
 * declarations. Files appear whole or not at all. NULL, or a complaint. */
const char *link_model(Arena *arena, const Workdir *dir, const LinkOptions *options,
                       const char *out, const char *header);
/* Whether `cc` finds OpenBLAS. */
bool link_has_blas(Arena *arena);

/* Writes `n` bytes to `path` by way of a temporary file beside it. NULL, or a complaint. */
const char *write_whole_file(Arena *arena, const char *path, const char *data, size_t n);
/* Moves a finished file to its place, across file systems too. NULL, or a complaint. */
const char *move_file(Arena *arena, const char *from, const char *to, bool executable);

#endif
