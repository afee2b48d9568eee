/* write.h -- a design as the text of a model, with comments that say where its numbers come from.
 */
#ifndef ADAVIC_INIT_WRITE_H
#define ADAVIC_INIT_WRITE_H

#include "init/design.h"

typedef struct WriteOptions {
    OutcomeKind kind;
    bool amortise;            /* ranges of sizes in place of the file's own */
    const char *data, *model; /* paths, for comments; model: without .hbm */
} WriteOptions;

bool write_model(const Frame *a, const Design *d, const WriteOptions *options, RtBytes *out,
                 RtError *error);

#endif
