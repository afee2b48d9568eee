/* missing.h -- observed variables of which cells may be missing: what is there of them, and moments
 * of that. Private to dual/.
 *
 * A cell is one instance of the variable with its whole event. Its presence is 1 where it is there
 * and 0 where it is missing: input "NAME.present" of programs that are given data, drawn where they
 * are simulated. */
#ifndef ADAVIC_DUAL_MISSING_H
#define ADAVIC_DUAL_MISSING_H

#include "dual/internal.h"

const char *presence_name(Build *b, const Var *observed);
/* Both set b->present: a draw that data or a design may replace, with pairs_alone of what an absent
 * pair of a cross takes with it, and of no other cells; an input. */
void draw_presence(Build *b, const Var *observed, bool pairs_alone);
void input_presence(Build *b, const Var *observed);
/* `v`, of the variable's cells, where they are there, and 0 where not; `v` itself of a variable
 * that is complete. */
IrValue where_present(Build *b, const Var *observed, IrValue v);

/* ---- moments of what is there; see encoder.c for those of complete data ---- */
/* Fills m->cells and m->present from the presence of `observed`, or from ragged plates around it.
 */
void presence_by_level(Build *b, const Var *observed, Moments *m);
/* What units of a data set are made of beside its numbers, in the shape of its moments: the least
 * scale; and where there is no cell, or one alone, what prior draws have for their centre and
 * scale. */
typedef struct Units {
    IrValue floor, centre, scale;
} Units;
/* normalise, with 0 for what is missing. */
Val normalise_present(Build *b, Val x, Moments *m, Units usual);
/* How many instances of the level below it an instance of `below - 1` holds on average, among all
 * that one of `level` holds. */
IrValue size_of_present(Build *b, const Moments *m, int level, int below);
/* The sum of v, a product of deviations of each instance of `below`, over their degrees of freedom;
 * over all that an instance of `level` holds. */
IrValue variance_of_present(Build *b, const Moments *m, IrValue v, int level, int below);
/* The mean of v, a number of each instance of `below`, over those that one of `level` holds. */
IrValue mean_within(Build *b, const Moments *m, IrValue v, int level, int below);
/* Degrees of freedom of that. */
IrValue freedom_of_present(Build *b, const Moments *m, int level, int below);
/* Of the instances of `plate`, is there anything of what the encoder reads? IR_NONE: of all. */
IrValue presence_in(Build *b, const Encoding *enc, const Plate *plate);

/* ---- encoder.c ---- */
/* Axes of one level, and of levels (from, to], outermost first. */
int own_axes(Build *b, const Moments *m, int level, AxisId *axes);
int level_axes(Build *b, const Moments *m, int from, int to, AxisId *axes);
/* The mean of v, a number of each instance of `level`, over those that an instance of the level
 * above holds, of unequal groups or where cells are missing over those that are there. */
IrValue mean_of_level(Build *b, const Moments *m, IrValue v, int level);

#endif
