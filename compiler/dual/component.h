/* component.h -- latents that the data tie together: what a Newton start expands at once
 * (component.c). Private to dual/. */
#ifndef ADAVIC_DUAL_COMPONENT_H
#define ADAVIC_DUAL_COMPONENT_H

#include "dual/internal.h"

enum {
    MAX_NODES = 8,   /* latents of a component */
    MAX_NODE = 8,    /* numbers of one */
    MAX_ENTRIES = 24 /* numbers of all */
};

/* The undrawn latents that paths over undrawn latents join, in the order in which they are
 * eliminated: innermost plates first, children before parents. Of those that are drawn
 * (component_drawn) the last n_targets are to be drawn now.
 *
 * Where nodes of both sides of a cross are among them, those of one side are `shifted`: a node is
 * how far all instances of the latent are moved at once, outside all plates (crossed.c). */
struct Component {
    int n, n_targets, n_shifted;
    bool reweighted; /* some data hang on it by a law about a location that is not Gaussian */
    const Var *node[MAX_NODES];
    bool shifted[MAX_NODES];
};

/* The component of latent `z`, which is to be drawn next; outside all plates with all others of
 * the joint flow that it is joined to. false: it cannot be expanded. */
bool component_of(const Build *b, const Var *z, Component *c);
/* The plate in whose instances node k stands. */
static inline Plate *component_plate(const Component *c, int k) {
    return c->shifted[k] ? NULL : c->node[k]->type.plate;
}
/* How many of the nodes are drawn: targets in a plate come before shifted nodes. */
static inline int component_drawn(const Component *c) {
    return c->n && c->shifted[c->n - 1] ? c->n - c->n_shifted : c->n;
}
bool component_holds(const Component *c, const Var *var);
/* Does the law of `factor` read one of the component's latents? */
bool component_enters(const Component *c, const Var *factor);
/* Does the expression depend on a node? */
bool component_mentioned(const Component *c, const Expr *e);
/* Is `var` a node that some argument of its law ties to a later node? */
bool component_has_parents(const Component *c, const Var *var);
/* Do the component's latents enter this one's law as its location alone? */
bool component_is_about_location(const Component *c, const Var *var);
/* Do means of the data say all that a Newton step would: does every law read one of the component's
 * latents at most, and that as its location, one number at a time? */
bool component_is_chain(const Component *c, const Build *b, const Encoding *enc);

#endif
