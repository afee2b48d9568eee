/* csv_keys.h -- which row of a long table belongs to which instances of its plates.
 *
 *     batch,cask,assay,strength       levels: plate batch by column 1, cask by 2, assay by 3
 *     A,a,1,62.8
 *
 * Rows come in any order; instances are numbered in order of first appearance within their parent,
 * and a key, a text, names an instance within its parent. Where the innermost plate has no column,
 * every row is an instance of it. The map itself does not need groups of equal size: `counts` has
 * the size of each. Whether they must be equal, since their plate is not ragged, is asked in one
 * place, rt_keys_sizes; a file read as `padded` leaves positions free in groups that are smaller.
 *
 *     person,item,correct             levels: plate person by column 1, the cross person*item by 2;
 *     a,x,1                           and beside this path, plate item by column 2
 *     b,x,0
 *
 * Where the innermost plate is a cross, a row is of a pair. Either key names an instance in the
 * whole table, and positions are free where a pair has no row.
 */
#ifndef ADAVIC_CSV_KEYS_H
#define ADAVIC_CSV_KEYS_H

#include "runtime/data.h"
#include "runtime/table.h"

/* A plate of the table. Instances are numbered from 0 as they appear in the file. */
typedef struct RtLevel {
    int plate, column;      /* of the table; -1: it has none */
    int64_t n, n_positions; /* instances, and positions; more where some are free */
    int64_t *parent;        /* by instance: its number on the level above; 0 on the outermost */
    int64_t *row;           /* by instance: where it first appears */
    int64_t *position; /* by instance: among all of its plate, parents in the order of their own
                          positions; row-major where groups are equal, or padded to be */
    int64_t *counts;   /* by position of the parent: how many instances it has; one entry, n, on the
                          outermost */
    int64_t *of_row;   /* by row: its instance */
    RtIndex keys;      /* by instance: its key; of a level with a column */
} RtLevel;

typedef struct RtKeys {
    const RtModel *m;
    const RtTable *t;
    bool padded;  /* as RtDataOptions.padded */
    int n_levels; /* the path of plates, outermost first; plate and column are the caller's */
    RtLevel levels[RT_MAX_PLATES]; /* behind a cross that it ends with, the plate that this lies
                                      across, whose parent is the data set */
} RtKeys;

/* What a row of the model's long table is of: the variable of a data file that stands in most
 * plates. Those around it hold the others, or a cross that it stands in has both plates of them.
 * NULL with the reason, if not; `instead`: which files could hold them. */
const RtVar *rt_keys_deepest(const RtModel *m, const char *file, const char *instead,
                             RtError *error);
/* Is a variable of the plate that a cross (-1: there is none) lies across, alone? */
bool rt_keys_across(const RtModel *m, int cross, const RtVar *v);
/* Levels, the one behind a cross included. */
int rt_keys_count(const RtKeys *k);

/* Fills the levels. A missing key, and an innermost key that occurs twice, are errors. */
bool rt_keys_place(RtKeys *k, RtError *error);
/* The sizes of the plates of the path, in `mem`; where --size says one, groups have it. */
bool rt_keys_sizes(const RtKeys *k, RtMem *mem, const RtDataOptions *options, RtSizes *sizes,
                   RtError *error);
/* Has every pair of a cross a row? Where not, the first that has none. True without a cross. */
bool rt_keys_whole(const RtKeys *k, RtError *error);
/* Position of the row's instance on a level; 0 on level -1, the data set. */
static inline int64_t rt_keys_position(const RtKeys *k, int level, int64_t row) {
    const RtLevel *l = &k->levels[level < 0 ? 0 : level];
    return level < 0 ? 0 : l->position[l->of_row[row]];
}
/* Keys by position, "" at one that is free; NULL: the level has no column. Of a cross the second
 * key of each pair. */
char **rt_keys_labels(const RtKeys *k, int level);
/* Whether an instance stands there, by position; NULL: everywhere. */
bool *rt_keys_there(const RtKeys *k, int level);

#endif
