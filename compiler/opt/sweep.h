/* sweep.h -- the plan of sweeps in the making. Private to opt/sweep*.c. */
#ifndef ADAVIC_SWEEP_H
#define ADAVIC_SWEEP_H

#include "opt/schedule.h"

typedef struct Segment {
    int sweep;
    VEC(int) nodes; /* ascending */
} Segment;

typedef struct Plan {
    Schedule *s;
    int *level; /* by node: the level that is being planned, where it belongs to it */
    int *bit;   /* of the axis to sweep along, or -1 */
    int *stage, *late;
    int n_levels;
    VEC(Segment) segments;
    int *home; /* by node: the segment it is in */
    VEC(Node) copies;
} Plan;

/* Instances that an axis usually has. */
int64_t sweep_usual(const Schedule *s, AxisId axis);

/* ---- sweep_keep.c ---- */

/* What a value of one segment has to outlast for a reader in another. */
typedef enum { WITHIN_REACH, AN_OUTER_TILE, ALL_TILES, REACHES } Reach;
Reach sweep_reach(const Plan *p, int from, int at);

/* By reach and node: whether readers that far compute the node again; otherwise it is kept. */
typedef struct Repeated {
    bool *beyond[REACHES];
} Repeated;
Repeated sweep_choose_repeated(Plan *p);

#endif
