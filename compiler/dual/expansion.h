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
    IrValue here;                   /* over axes and flat: where it is expanded */
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
    int n_pulls;   /* of reweighted data */
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

/* Every node, first to last: evidence of the later ones gains what hangs on it, and factor, gain
 * and offset say what it is given these. */
void eliminate_nodes(Newton *s);

#endif
