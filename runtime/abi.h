/* abi.h -- what generated code and the runtime agree on. Written into every compiled model; both
 * sides include it (the C back end by text, the LLVM back end builds the same layouts).
 *
 * A compiled model consists of
 *   adavic_entries[]    one row per program: its function and its need of scratch memory
 *   adavic_manifest     text that describes the programs, their axes and tensors, and the model
 *   libadavi_rt.a       everything else: command line, files, threads, optimiser, random numbers
 *
 * A program is called per CHUNK: a run of consecutive data sets, `chunk` of them at most (a
 * constant of the program, in the manifest: the number of lanes where the lane axis is `data`, else
 * 1). Chunks are independent; the runtime runs them on any number of threads and adds reduced
 * outputs in chunk order, in double: the same bits for any thread count.
 *
 * Tensors are row-major over their axes in canonical order (data, draw, plates outermost to
 * innermost, events), real = float or double (`real` in the manifest). input   with a data axis:
 * in[k] points at the chunk's first data set. Weights, hypers, statistics: whole. A random source:
 * NULL, or numbers that replace its draws. output  with a data axis: out[k] points at the chunk's
 * first data set. Without one (reduced over data, or independent of it): a buffer of the chunk's
 * own, overwritten. out[k] may be NULL: not wanted.
 *
 * Manifest: lines of space-separated words, strings quoted with \" \\ \n escapes. A list of words
 *
 *   adavic-manifest 1
 *   model NAME
 *   source-hash HEX16
 *   real f32|f64
 *   family NAME
 *   target "TEXT"
 *   plate NAME parent NAME|- size N exchangeable 0|1 "reason" [range LO HI] [ragged]
 *         [from "COLUMN"] [across NAME]
 *                                              across: a cross, a copy for each pair of instances
 *                                              of its parent and of that plate, both outermost,
 *                                              whose size it has
 *   hyper NAME dims K1 K2 ... values V1 V2 ...
 *   latent NAME plates P1 P2 ... dims K1 ...   in model order; also `observed`, `quantity` and
 *                                              `context` (which has no plates, and
 *                                              may end with the word `positive`)
 *                                              `observed` may end with `whole`: whole numbers from
 *                                              0 on; `whole upto N`, `whole to NAME`: up to a
 *                                              number, a covariate; `sums`: an event's sum is that;
 *                                              then `missing X`: cells may be missing, X is a value
 *                                              that each entry may have
 *   given NAME plates P1 P2 ... dims K1 ... [values K] [whole ...] [positive]
 *                                              a covariate; with the values 0 .. K - 1 alone
 *   discrete NAME plates P1 P2 ... dims K      a latent with the values 0 .. K - 1, summed out
 *   symmetry components K plate NAME|- moved NAME1 D1 NAME2 D2 ...
 *                                              K components may be exchanged in each instance of
 *                                              a plate by itself, or in all at once: entries of
 *                                              these latents along their dimension D
 *   weight NAME dims ... init constant|uniform|normal SCALE
 *   setting sets|draws N                       defaults of `train`
 *   text KEY "TEXT"                            descriptors, analysis, objective, version; new: why
 *                                              instances that the data lack cannot be predicted
 *   program NAME lane data|draw|- lanes L chunk C
 *     axis NAME kind data|draw|plate|event parent NAME|- extent N copy NAME|-
 *     input NAME role weight|hyper|data|latent|stat|control|segment|random axes
 *           A1 A2 ...
 *     output NAME reduced 0|1 axes A1 A2 ...
 *     flop K axes A1 A2 ...                  one term of the arithmetic of a call: K times the
 *                                            extents of these axes; their sum is exact
 *     functions K axes A1 A2 ...             the same of exp, log and the like, which flop leaves
 * out end
 *
 * Orders of axis, input and output lines are the orders of extent[], in[], out[].
 *
 * A cross has no axis: its arrays lie along those of its two plates, [parent, across], and so do
 * "NAME.present" of what is observed in it. A program with a ragged plate reads, of role segment,
 * by instance of the plate's parent, "PLATE:count", how many instances there are, and
 * "PLATE:first", how many before them.
 *
 * Programs of a model (dual/programs.c builds them), their inputs and their outputs:
 *
 *   simulate    hypers; "set:NAME" and "set:NAME:on" of contexts (0: drawn); "index:PLATE"
 *               [plate], 0, 1, ... along it, of a ragged one [plates around it, plate], from 0
 *               in each parent; random
 *               latents, contexts, observed, given [data, plates, dims], discrete ones [data,
 *               plates]; "NAME.present" [data, plates] of observed with missing cells: 1, or 0
 *               where the cell is missing
 *   prepare     hypers, "index:PLATE"; random
 *               those, and what statistics are taken of
 *   step        weights, hypers, statistics, entropy_weight, "index:PLATE"; random, and observed
 *               variables, "NAME.present", covariates and contexts as random sources: simulated
 *               unless given; so is, of a cross with a share of its pairs, "NAME.pair", which of
 *               them are there, of which "NAME.present" is drawn
 *               loss (reduced), set_loss [data], grad:W per weight (reduced)
 *   posterior   weights, hypers, statistics, data (contexts, covariates and "NAME.present"
 *               included); random
 *               latents, quantities [data, draw, ...]; of discrete ones the probabilities of
 *               their values, given the draw [data, draw, plates, K]; log_q, log_prior,
 *               log_likelihood [data, draw]; "local:PLATE" [data, draw, plate] (dual.md);
 *               encodings "enc:PLATE"; flow parameters "flow:LATENT:..."; features "seen:NAME"
 *               (seen.c)
 *   logjoint    hypers, data, latents
 *               log_prior, log_likelihood [data, draw]; d:LATENT, the gradient
 *   predict     hypers, covariates, contexts, latents [data, draw, ...], of discrete ones the
 *               probabilities of their values as posterior has them; random
 *               observed [data, draw, plates, dims]; absent where labels hang on each other
 *   extend      hypers, covariates, contexts, latents as predict; "known:PLATE" [data, plates]: 1
 *               for instances whose latents are given, 0 for others; random
 *               latents that stand in plates [data, draw, ...]: those given, and draws from
 *               their laws; of discrete ones 1 at the value that was drawn, else 0. Absent where
 *               there are none, and where the text "new" says why
 *   density     weights, hypers, statistics, data, latents; where there are symmetries, of
 *               AV_MAX_ORDERS orders at most, and the guide's flows have an inverse in one pass
 *               log_q, quantities and probabilities as posterior; "log_q:PLATE" [data, draw,
 *               plate], the part of the latents in an instance, where they are independent
 *   observe     hypers, contexts, covariates, latents [data, plates, dims]; random
 *               observed [data, plates, dims]; where an objective trains in rounds, as
 *   atomic      weights, hypers, statistics, data, latents [data, draw, plates, dims], "atom:own"
 *               [data, draw] (1: what the data set came from, else 0)
 *               as step; log q - log prior of each, "log_ratio" [data, draw]
 *   map, path, annealed, forward, consistency
 *               as step, for other objectives (objectives.def), where the model was compiled for
 *               them; annealed also reads likelihood_weight, and so does step of a model
 *               without the exact path, in its place. A weight that none of its values
 *               depends on is no input and has no gradient
 */
#ifndef ADAVIC_ABI_H
#define ADAVIC_ABI_H

#include <stdint.h>

typedef struct av_call {
    const int64_t *extent; /* by axis of the program: extents of this chunk (data: <= chunk; event
                              axes: their extents; a ragged plate: all its instances); behind them,
                              by axis again: the most instances that a parent has of a ragged
                              plate; and by axis: how many on average */
    const int64_t *total;  /* the same for the whole call, plates as in this chunk: `extent`
                              operations read these */
    const void *const *in; /* by input */
    void *const *out;      /* by output */
    char *scratch;         /* scratch(extent) bytes, aligned to 64 */
    uint32_t key[2];       /* random numbers: (seed, purpose) */
    uint32_t step;         /* and the position of this call in them */
    uint32_t data0;        /* number of the chunk's first data set within the step */
} av_call;

typedef struct av_entry {
    const char *name;
    void (*run)(const av_call *call);
    int64_t (*scratch)(const int64_t *extent);
} av_entry;

/* In so many orders of exchangeable components, one evaluation for each, program density serves. */
enum { AV_MAX_ORDERS = 120 };

extern const av_entry adavic_entries[];
extern const int64_t adavic_entry_count;
extern const char adavic_manifest[];

#endif
