/* expansion.h -- a component expanded to second order (newton.c), and the elimination of its nodes
 * (eliminate.c). Private to these two.
 *
 * Letters are those at the head of newton.c. */
#ifndef ADAVIC_DUAL_EXPANSION_H
#define ADAVIC_DUAL_EXPANSION_H

#include "dual/component.h"
#include "dual/entries.h"
#include "dual/reweighted.h"

typedef struct Node {
    const Var *var;
    AxisId flat, axes[IR_MAX_AXES]; /* of an instance, then flat */
    int n_axes;                     /* without flat */
    int first, size;                /* its entries among those of the component */
    const Plate *plate;             /* around an instance; of a shifted node NULL */
    bool shifted;
    IrValue base;  /* of a shifted node: what is moved, over its instances and flat */
    IrValue here;  /* over axes and flat: where it is expanded */
    IrValue point; /* the same, as derivatives know it: a copy where weights are held */
} Node;

/* Matrices are [n * n] over the entries of all nodes, each over what instances it varies with. */
struct Newton {
    Build *b;
    const Component *c;
    Axes copies; /* of the data sets: draws, or trials of what is given */
    int n;
    Node node[MAX_NODES];
    const Node *owner[MAX_ENTRIES];
    IrValue spread[MAX_ENTRIES];
    IrValue score[MAX_ENTRIES], law_score[MAX_ENTRIES]; /* g, o */
    IrValue *evidence, *law, *slopes;                   /* J and C, P, A */
    IrValue *factor, *gain;                             /* L, W - V */
    IrValue offset[MAX_ENTRIES];                        /* Q (g + o) */
    bool quadratic;
    bool together; /* nodes outside all plates were eliminated at once */
    /* where nodes are shifted: the evidence before node `watched` is eliminated, [n * n] */
    int watched;
    IrValue *before;
    FlowTie tie;
    int n_pulls; /* of reweighted data */
    const Var **pulled;
    Pull *pull;
    IrValue *saturated; /* by Var.index, of those that are whole numbers */
};

static inline IrValue *at(const Newton *s, IrValue *matrix, int i, int k) {
    return &matrix[i * s->n + k];
}

static inline int end_of(const Node *node) {
    return node->first + node->size;
}

/* ---- newton.c, for crossed.c ---- */
Newton *newton_lay_out(Build *b, const Component *c, Axes copies);
/* Every node where earlier expansions (by Var.index, or NULL) have it, if all are found, and true;
 * else at the centre of its law, given K and the nodes after it there. What shifted nodes move,
 * likewise. */
bool newton_begin(Newton *s, Newton *const *found);
/* Expands at the present point, and eliminates; false: it cannot be had. */
bool newton_expand(Newton *s, PullKind kind);
/* A step to where the expansion has its mode: of the targets alone, and what comes after them, or
 * of every node. `again`: it only mends rounding. */
void newton_step(Newton *s, bool targets_alone, bool again);
void newton_set_values(Newton *s); /* of all nodes, where they are: into b->value */

/* ---- crossed.c ---- */
/* newton_start of a component with shifted nodes. */
Newton *crossed_start(Build *b, const Component *c, Axes copies, Newton **found);
/* Expands such a component about the mode of all that it and its shifted latents stand for.
 * *log_volume, over data sets and copies: log of the integral of the exponential of minus the
 * quadratic form of the shifted latents, over the part of it that is not the component's; may be
 * NULL. false: it cannot be had. */
bool crossed_settle(Newton *s, Newton *const *found, IrValue *log_volume);

/* Every node, first to last: evidence of the later ones gains what hangs on it, and factor, gain
 * and offset say what it is given these. */
void eliminate_nodes(Newton *s);

#endif
