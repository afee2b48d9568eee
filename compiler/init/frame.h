/* frame.h -- what a data file says about the columns and groups of a formula.
 *
 * Groups must be nested in each other: they become plates, outermost (fewest groups) first, one
 * for each column that tells them apart, and last a plate of rows, which no column names. Or there
 * are two groupings, by one column each, which cross, and no pair of their groups has two rows:
 * two plates side by side, in the order of the formula, and last the plate of their pairs. Else (1
 * | g) may cross the others, where g has few levels: its effects are a vector beside plates. A
 * column that is constant within the instances of a plate belongs to the outermost such plate.
 */
#ifndef ADAVIC_INIT_FRAME_H
#define ADAVIC_INIT_FRAME_H

#include "init/formula.h"
#include "runtime/table.h"

enum {
    FRAME_PLATES = 8,
    FRAME_LEVELS = 64,
    FRAME_CROSSING = 8 /* most levels of a group that crosses others */
};
enum { DATA_SET = -1 }; /* the plate of what is constant in the whole file */

/* Numbers of a column, each instance of its plate once. */
typedef struct Moments {
    int64_t n;
    double least, most, mean, sd, median;
} Moments;

typedef struct FrameColumn {
    const char *name; /* the file's header; of what the model reads a name of the language */
    int at;           /* in the table */
    bool text;        /* levels by label, numbered as they first appear */
    int n_levels;     /* of a factor; of numbers 0 .. n_levels - 1; 0: it is none */
    const char *labels[FRAME_LEVELS]; /* NULL: does not occur */
    double shares[FRAME_LEVELS];
    double *x; /* by row: the number, or that of the level; NaN: missing, of the outcome alone */
    int plate;
    Moments all;   /* of a factor: n alone */
    bool bounded;  /* a function of it that is used is no number everywhere */
    bool by_index; /* first + step * the number of the row in its group */
    double first, step;
} FrameColumn;

typedef struct FramePlate {
    const char *column;     /* NULL: rows */
    int64_t n, least, most; /* instances; in each of the plate around it */
    int64_t *of_row;
    int64_t *number; /* by instance: within its parent */
} FramePlate;

typedef struct Frame {
    const Formula *f;
    RtTable t;
    int n_columns;
    FrameColumn columns[FORMULA_VARS + FORMULA_GROUPS + 2];
    int of_var[FORMULA_VARS]; /* its column */
    int outcome, trials;      /* trials: -1, none */
    int n_plates;             /* the last is that of rows */
    FramePlate plates[FRAME_PLATES];
    bool crossed; /* there are three: the first two cross, and the last is of their pairs */
    int of_group[FORMULA_GROUPS]; /* its plate; -1: it crosses the others */
    int crossing[FORMULA_GROUPS]; /* its column then */
} Frame;

/* Reads the bytes of a file for the formula, whose names of columns become the file's. */
bool frame_read(RtMem *mem, const char *path, const RtBytes *bytes, Formula *f, Frame *out,
                RtError *error);
/* The outermost plate in which there is one instance of plate p and one of plate q. */
int frame_meet(const Frame *a, int p, int q);
/* Numbers sorted in place. */
Moments frame_moments(double *x, int64_t n);
/* FILE:LINE:COLUMN of a cell, for messages. */
const char *frame_place(const Frame *a, int64_t row, const FrameColumn *c);

#endif
