/* lower.h -- what the files that write a nest's instructions share. Private to opt/lower*.c. */
#ifndef ADAVIC_LOWER_H
#define ADAVIC_LOWER_H

#include "opt/schedule.h"

/* Where along an axis: var * scale + offset, which lies in [low, high). var == -1: the constant
 * `offset`. */
typedef struct AxisIndex {
    int var;
    int64_t scale, offset, low, high;
    int tile;  /* counts from the start of the tile of sweep tile - 1; 0: from the axis's */
    int first; /* of a ragged plate: 1 + the variable of where those of the parent begin */
} AxisIndex;

/* Indices of all axes at the present point; the innermost binding of an axis counts. */
typedef struct Env {
    const struct Env *outer;
    AxisId axis;
    AxisIndex index;
} Env;

typedef struct Lower {
    Schedule *s;
    const Nest *nest;
    int number; /* of the nest */
    int group;
    LoopCode code;
    int block;     /* loop variable of the lane block, or -1 */
    int iteration; /* stamps registers that live in one iteration of a group: below -1, falling */
    bool many_blocks; /* the lane axis may have several blocks */
} Lower;

enum { READ_ZERO = -1 };

AxisIndex index_const(int64_t value);
AxisIndex index_of(const Env *env, AxisId axis);

/* lower.c: opens a loop over a loop axis, or over the tile of it that the nest is in */
AxisIndex lower_open(Lower *l, AxisId axis, const Env *env);
/* lower_read.c: the count of a ragged plate's instances, or how many there are before them, at
 * `env`, which says where in the plates around it. */
int lower_segment(Lower *l, AxisId axis, bool first, const Env *env);
/* Opens a loop over positions low to high - 1 of an event axis. */
AxisIndex lower_open_stretch(Lower *l, int64_t low, int64_t high);

/* lower_read.c: the register that holds `v` at `env`, or READ_ZERO */
int lower_value(Lower *l, int v, const Env *env);
int lower_number(Lower *l, int reg);                /* zero and masks as numbers */
int lower_compute(Lower *l, int v, const Env *env); /* evaluates a point-wise node */
/* Stores a value of node `v` to its buffer. */
void lower_store(Lower *l, int v, const Env *env, int reg);
void lower_store_sums(Lower *l, int v, const Env *env, int reg);
int lower_load_own(Lower *l, int v, const Env *env);
int lower_load_sums(Lower *l, int v, const Env *env);
void lower_output(Lower *l, int v, const Env *env, int reg);
void lower_remember(Lower *l, int v, const Env *env, int reg);

/* Stretches of an event axis between which no place or pad read by `v` changes sides. */
typedef struct Stretch {
    int64_t low, high;
} Stretch;
/* In ascending order; *stretches of the unrolled axes are single positions. Returns their number.
 */
int lower_stretches(Lower *l, const int *nodes, int n, AxisId axis, Stretch **stretches);

/* lower_reduce.c */
/* `nodes`: the reduction, then the point-wise operations on each number of its result. */
void lower_reduction(Lower *l, const int *nodes, int n, const Env *env);

/* jam.c: computes `copies` instances at once in the last loop over instances, where that can be and
 * few are computed twice */
void lower_jam(const Schedule *s, LoopNest *nest, int copies);

/* lower.c: computes point-wise nodes at one point, and puts them where they are read. */
void lower_points(Lower *l, const int *nodes, int n, const Env *env);

#endif
