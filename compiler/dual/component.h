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
 * eliminated: innermost plates first, children before parents. The last n_targets of them are to be
 * drawn now. */
struct Component {
    int n, n_targets;
    bool reweighted; /* some data hang on it by a law about a location that is not Gaussian */
    const Var *node[MAX_NODES];
};

/* The component of latent `z`, which is to be drawn next; outside all plates with all others of
 * the joint flow that it is joined to. false: it cannot be expanded. */
bool component_of(const Build *b, const Var *z, Component *c);
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
