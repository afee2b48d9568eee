/* sizes.h -- how many instances plates have: numbers, and for ragged plates one for each instance
 * of the parent.
 *
 * The instances of a ragged plate, all of them, are counted from 0, one parent's behind the
 * other's: `first` says where each parent's begin. Arrays over such a plate hold them in that
 * order, and the plates around it take no place in them. A cross (rt.h) has, in each instance of
 * its parent, as many as the plate has that it lies across: always, so that who sets the size of
 * that one, and calls what follows, need not think of it.
 */
#ifndef ADAVIC_RT_SIZES_H
#define ADAVIC_RT_SIZES_H

#include "runtime/memory.h"

enum { RT_MAX_PLATES = 32 };

struct RtModel;
struct RtVar;

typedef struct RtSizes {
    int64_t n[RT_MAX_PLATES]; /* instances in one of the parent; of a ragged plate the most */
    /* of a ragged plate: instances before those of each parent, and behind the last all; else NULL
     */
    int64_t *first[RT_MAX_PLATES];
} RtSizes;

/* The instances of a plate that the first `parents` of its parent hold. */
int64_t rt_instances_in(const RtSizes *sizes, int plate, int64_t parents);
/* All instances of a plate (-1: 1, the data set). */
int64_t rt_instances(const struct RtModel *m, const RtSizes *sizes, int plate);
/* Numbers of one data set (one draw) of a variable; -1 if they are too many. */
int64_t rt_var_size(const struct RtVar *v, const RtSizes *sizes);
/* The same without its event. */
int64_t rt_var_instances(const struct RtVar *v, const RtSizes *sizes);
/* Where instance `flat` of a variable stands: its number within the parent's, for each of its
 * plates, outermost first; and (unless NULL) its number among all instances of each. */
void rt_var_place(const struct RtVar *v, const RtSizes *sizes, int64_t flat, int64_t *index,
                  int64_t *among);
/* The shape of a variable's array: a ragged plate, where it is not even, as one axis of all its
 * instances. Returns the number of axes, events included. */
int rt_var_shape(const struct RtModel *m, const struct RtVar *v, const RtSizes *sizes,
                 int64_t *dims);
/* The same of something in the plate alone. */
int rt_plate_shape(const struct RtModel *m, const RtSizes *sizes, int plate, int64_t *dims);
/* Room for ragged plates of up to these sizes. */
void rt_sizes_room(RtMem *mem, const struct RtModel *m, const RtSizes *largest, RtSizes *sizes);
/* Ragged plates that are not `cut` (by plate) have sizes.n in every instance of their parents.
 * Whoever changes sizes.n, or cuts a plate, calls it: `first` of all plates has to follow, and so
 * have the sizes of crosses. */
void rt_sizes_keep_even(RtMem *mem, const struct RtModel *m, RtSizes *sizes, const bool *cut);
/* The same where none is cut. */
void rt_sizes_balance(RtMem *mem, const struct RtModel *m, RtSizes *sizes);
RtSizes rt_sizes_balanced(RtMem *mem, const struct RtModel *m, const int64_t *n);
/* A ragged plate of which parent k has count[k]; the parents' plate is cut already. */
void rt_sizes_cut(RtMem *mem, const struct RtModel *m, RtSizes *sizes, int plate,
                  const int64_t *count);
/* Of the plates that have sizes of their own: ", group = 4, obs = 5", and {"group": 4, "obs": 5}.
 */
void rt_sizes_text(const struct RtModel *m, const RtSizes *sizes, RtBytes *out);
void rt_sizes_json(const struct RtModel *m, const RtSizes *sizes, RtBytes *out);
/* The least that a parent has. */
int64_t rt_sizes_least(const struct RtModel *m, const RtSizes *sizes, int plate);
/* Do all parents have as many? */
bool rt_sizes_even(const struct RtModel *m, const RtSizes *sizes, int plate);

#endif
