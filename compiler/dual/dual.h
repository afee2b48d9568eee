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
 *   control inputs  "entropy_weight", "likelihood_weight": w and b in a loss, the mean over sets
 * and draws of w log q - log p(latents) - b log p(data | latents) (objectives.c)
 *
 * The programs' inputs and outputs are listed in runtime/abi.h.
 */
#ifndef ADAVIC_DUAL_H
#define ADAVIC_DUAL_H

#include "base/diag.h"
#include "ir/ir.h"
#include "model/model.h"

typedef enum {
#define FAMILY(ENUM, ...) FAMILY_##ENUM,
#include "dual/families.def"
#undef FAMILY
} Family;

typedef struct DualOptions {
    Family family;
    bool paper;    /* the paper's design: adavi + no_exact, no input scaling, its architecture and
                      start */
    bool no_exact; /* attention and flows alone: no moments, no log(1+n); input scaling stays */
} DualOptions;

typedef struct FamilyInfo {
    const char *name, *title;
    Factors factors;
    const char *help;
} FamilyInfo;
extern const FamilyInfo family_info[]; /* by Family */
extern const int family_count;
bool family_named(const char *name, Family *family);
const FamilyInfo *family_of(const DualOptions *options);

/* How a weight starts; drawn by the runtime from Philox under the purpose `init`. */
typedef enum { INIT_CONSTANT, INIT_UNIFORM, INIT_NORMAL } InitKind;
typedef struct IrInit {
    InitKind kind;
    double scale; /* the constant; the half-width; the standard deviation */
} IrInit;

typedef struct DualWeight {
    const char *name;
    int n_dims;
    int64_t dims[4];
    IrInit init;
} DualWeight;

/* What was built, for people (--emit=dot, --emit=json). Features are named by their tags: "x" the
 * variable itself, "set.obs" the pooled instances of obs, "given.mu" a latent drawn before. */
typedef struct DualEncoding {
    const Plate *plate; /* of whose instances; NULL: of the whole data set */
    const char *pooled; /* begins the names of the weights that pool the instances; NULL: nothing
                           does */
    VEC(const char *) features; /* what is known of an instance */
} DualEncoding;

typedef struct DualFlow {
    const char *name;   /* begins the names of its weights */
    FlowKind map;       /* what stands between base draws and bend */
    const Plate *plate; /* of whose instances it draws the latents; NULL: outside all plates */
    VEC(const Var *) latents;
    const Plate *encoding;      /* whose encoding it reads; NULL: the whole data set's */
    VEC(const char *) features; /* all that it reads, beside its base draws */
    VEC(const Var *) given;     /* the latents among them */
} DualFlow;

typedef struct DualProgram {
    IrProgram *p;
    const char *lanes; /* the axis that fills lanes: data sets in training, draws where one data set
                          is answered for */
} DualProgram;

typedef struct Dual {
    const Analysis *analysis;
    DualOptions options;
    const char *objective; /* what training starts from; NULL: the default */
    bool densities;        /* some objective asks for densities of given latents */
    bool fixed;            /* plates around latents have their declared sizes in the program under
                              construction (total.c) */
    VEC(DualWeight) weights;
    VEC(DualEncoding) encodings; /* parents before children */
    VEC(DualFlow) flows;         /* in the order in which they draw */
    IrProgram *simulate, *prepare, *step, *posterior, *logjoint;
    VEC(DualProgram)
    programs; /* these five, predict, extend, and those of objectives.def that were asked
                 for */
} Dual;

const IrProgram *dual_program(const Dual *dual, const char *name); /* or NULL */

/* NULL after a report: the model is larger than this version can derive a dual for. */
Dual *dual_derive(Arena *arena, Diags *diags, const Analysis *analysis, const DualOptions *options);
/* The same for models known to be small: one that is too large ends the program. */
Dual *dual_build(Arena *arena, const Analysis *analysis, const DualOptions *options);

/* extend.c: why draws cannot be carried over to new instances (predict --new); NULL: they can. */
const char *dual_extend_refusal(Arena *arena, const Analysis *analysis);
/* objectives.c: the objective that the model or the user asks for, and the flows whose direction
 * follows from it; nothing where none is asked for. */
void dual_print_objectives(Text *out, const Analysis *analysis, const DualOptions *options);
/* dot.c, json.c: the template beside the dual as a picture for graphviz, and all that is known of
 * both. */
void dual_print_dot(Text *out, const Dual *dual);
void dual_print_json(Text *out, const Dual *dual);

#endif
