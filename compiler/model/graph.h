/* graph.h -- the template graph of a model, private to model/, its tests, and what prints it
 * (dual/json.c).
 *
 * One vertex per declared latent and observed variable, whatever the plates' sizes. Every latent or
 * observed variable has one factor: itself and the variables its distribution's arguments mention,
 * lets and functions looked through; what depends on discrete latents that are summed out together
 * is one factor. Two variables meet when some factor holds both (the moral graph). Latents are
 * numbered in the guide's order: fewer plates first, of two sides of a cross the smaller one, then
 * the model's order; a latent whose support
 * other latents bound comes after these.
 */
#ifndef ADAVIC_MODEL_GRAPH_H
#define ADAVIC_MODEL_GRAPH_H

#include "model/model.h"

typedef struct TemplateGraph {
    const Model *model;
    int n; /* latents */
    Var **latent;
    bool *meets; /* [n * n], symmetric, the diagonal is false */
    int n_data;  /* observed variables, in the model's order */
    Var **data;
    bool *sees;    /* [n * n_data]: latent and observed share a factor */
    bool *reduces; /* by Model.vars: see model_mark_reductions */
    int n_groups;  /* of discrete latents that are summed out */
    SumGroup *groups;
} TemplateGraph;

TemplateGraph *model_graph(Arena *arena, const Model *model);
/* From latent `i` along paths whose interior holds only later latents: on[k] marks the earlier
 * latents reached, interior[k] the later ones passed through (both [n], overwritten; on[i] stays
 * false). */
void model_graph_reach(const TemplateGraph *graph, int i, bool *on, bool *interior);
/* Every latent connected with latent `i` by latents alone (itself included). */
void model_graph_component(const TemplateGraph *graph, int i, bool *component);

/* reductions.c: calls `visit` for every variable inside reductions over `plate` or plates around it
 * that the value of `e` holds, through lets. A variable may be visited more than once. */
void expr_visit_tied(const Expr *e, const Plate *plate, void (*visit)(void *user, Var *var),
                     void *user);
/* mark[i]: the declaration of Model.vars[i] holds a reduction over a plate, through lets; may be
 * true of what reads such a variable, too. */
void model_mark_reductions(const Model *model, bool *mark);
bool expr_reads_position(const Expr *e, const Plate *plate); /* p.index; lets are not followed */

/* The height of a value in the hierarchy: ADAVI's Hier. 0 in a plate that holds no other. */
int model_hier(const Model *model, const Plate *plate);

/* Fills exchangeable and reason of every plate (exchangeability.c). */
void model_certify_plates(Arena *arena, Model *model);
/* The guide's conditioning sets with their verdicts (factorise.c). */
Conditioning *model_factorise(Arena *arena, const TemplateGraph *graph);
/* What a guide with one independent factor per latent loses at latent `i`; *exact says whether
 * nothing. */
const char *model_mean_field_verdict(Arena *arena, const TemplateGraph *graph, int i, bool *exact);
/* The same of a guide whose factors follow the prior: on[k] marks the latents that the law of
 * latent `i` depends on. */
const char *model_parents_verdict(Arena *arena, const TemplateGraph *graph, int i, bool *on,
                                  bool *exact);
/* And of one that has a single factor. */
#define MODEL_JOINT_VERDICT "one joint flow for all instances of all latents"

/* "a", "a and b", "a, b and c": the names of the marked variables; "" if none. */
const char *model_names(Arena *arena, Var *const *vars, const bool *mark, int n);

#endif
