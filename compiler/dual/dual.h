/* dual.h -- the derived dual: from an analysed model to the tensor programs of a compiled model.
 *
 * Everything the network computes is built here out of ops.def: there is no operation "attention",
 * "MAF" or "normal" below this folder. Names that other parts rely on:
 *
 *   random sites    "sim:NAME" for the first base draw of NAME's `sample`, "sim:NAME.1", ... for
 *                   further ones; "u:LATENT", and "u:(globals)" for the joint flow outside all
 *                   plates, for the guide's base draws [data, draw, plates, flat event]
 *   weights         "st0.embed.W", "mu_g.affine.shift.0.W", "mu_g.maf.0.W" ...
 *   axes            "data", "draw", the plates' names; event axes are internal
 *   control input   "entropy_weight": w in loss = mean over sets and draws of w log q - log p
 *
 * The programs' inputs and outputs are listed in runtime/abi.h.
 */
#ifndef ADAVIC_DUAL_H
#define ADAVIC_DUAL_H

#include "base/diag.h"
#include "ir/ir.h"
#include "model/model.h"

typedef enum { FAMILY_STRUCTURED, FAMILY_ADAVI } Family;

typedef struct DualOptions {
    Family family;
    bool paper;    /* the paper's design: adavi + no_exact, no input scaling, its architecture and
                      start */
    bool no_exact; /* attention and flows alone: no moments, no log(1+n); input scaling stays */
} DualOptions;

typedef struct DualWeight {
    const char *name;
    int n_dims;
    int64_t dims[4];
    IrInit init;
} DualWeight;

typedef struct Dual {
    const Analysis *analysis;
    DualOptions options;
    VEC(DualWeight) weights;
    IrProgram *simulate, *prepare, *step, *posterior, *logjoint;
} Dual;

/* NULL after a report: the model is larger than this version can derive a dual for. */
Dual *dual_derive(Arena *arena, Diags *diags, const Analysis *analysis, const DualOptions *options);
/* The same for models known to be small: one that is too large ends the program. */
Dual *dual_build(Arena *arena, const Analysis *analysis, const DualOptions *options);

#endif
