/* factorise.c -- the factorisation of the guide by paths (7 of the analysis).
 *
 * Latents are ordered top-down (fewer plates first, then the model's order). The exact posterior is
 * the product over that order of p(z_i | earlier latents, data), and z_i depends on an earlier
 * latent only if a path of the moral graph joins them whose interior is not conditioned on, that
 * is, holds later latents alone. Those earlier latents are the conditioning set K_i. This is more
 * than the Markov blanket: in plate g { latent a, b; plate k { latent c ~ N(a); latent d ~ N(b);
 * observed x ~ N(c + d); } } b needs a, since both reach x through c and d.
 *
 * The verdict. One conditional per template, shared by its instances, reads K_i, and the encoding
 * of its own instance. Given flows and encoders without limit that loses nothing if the interior
 * stays inside one instance of z_i's plates and every member of K_i is common to that instance;
 * else instances of one template are coupled and the factorisation over them is an approximation.
 */
#include "model/graph.h"

/* The first latent of the marked ones that does not stand within `plate` (or, `around`, whose
 * plates do not all stand around `plate`). */
static const Var *first_astray(const TemplateGraph *graph, const bool *mark, const Plate *plate,
                               bool around) {
    for (int k = 0; k < graph->n; k++) {
        if (!mark[k]) continue;
        const Plate *of = graph->latent[k]->type.plate;
        if (!(around ? plate_within(plate, of) : plate_within(of, plate))) return graph->latent[k];
    }
    return NULL;
}

typedef struct Tied {
    const TemplateGraph *graph;
    int i;
    const bool *interior;
    bool found;
} Tied;

static void find_tied(void *user, Var *var) {
    Tied *tied = user;
    for (int k = 0; k < tied->graph->n && !tied->found; k++)
        tied->found = (k == tied->i || tied->interior[k]) && tied->graph->latent[k] == var;
}

static bool is_tied(Tied *tied, Var *var) {
    find_tied(tied, var);
    for (int a = 0; a < var->dist->n_params && !tied->found; a++)
        expr_visit_vars(var->args[a], find_tied, tied);
    return tied->found;
}

/* A discrete latent outside z_i's plate whose sum holds z_i or its interior, and so all instances
 * of the plate at once. */
static const Var *tying_sum(const TemplateGraph *graph, Tied *tied, const Plate *plate) {
    for (int g = 0; plate && g < graph->n_groups; g++) {
        const SumGroup *group = &graph->groups[g];
        const Var *outside = NULL;
        for (int i = 0; i < group->n; i++)
            if (!plate_within(group->summed[i]->type.plate, plate)) outside = group->summed[i];
        for (int i = 0; outside && i < group->n; i++)
            if (is_tied(tied, group->summed[i])) return outside;
        for (int i = 0; outside && i < group->n_factors; i++)
            if (is_tied(tied, group->factors[i])) return outside;
    }
    return NULL;
}

/* A declaration whose arguments mention z_i or its interior in several instances of z_i's plate at
 * once: one outside the plate, or one that reads them through a reduction. */
static const Var *tying_reader(const TemplateGraph *graph, int i, const bool *interior,
                               const Plate *plate) {
    const Model *model = graph->model;
    Tied tied = {graph, i, interior, false};
    for (int v = 0; plate && v < model->vars.n; v++) {
        const Var *reader = model->vars.data[v];
        bool outside = !plate_within(reader->type.plate, plate);
        if (!reader->dist || (!outside && !graph->reduces[v])) continue;
        for (int a = 0; a < reader->dist->n_params && !tied.found; a++) {
            if (outside)
                expr_visit_vars(reader->args[a], find_tied, &tied);
            else
                expr_visit_tied(reader->args[a], plate, find_tied, &tied);
        }
        if (tied.found) return reader;
    }
    return tying_sum(graph, &tied, plate);
}

static const char *where(Arena *arena, const Plate *plate) {
    return plate ? arena_printf(arena, "one instance of plate %s", plate->name) : "one data set";
}

static void judge(Arena *arena, const TemplateGraph *graph, int i, const bool *on,
                  const bool *interior, Conditioning *c) {
    const Plate *plate = c->latent->type.plate;
    const Var *astray = first_astray(graph, interior, plate, false);
    if (!astray) astray = first_astray(graph, on, plate, true);
    if (!astray) astray = tying_reader(graph, i, interior, plate);
    c->exact = !astray;
    if (astray) {
        c->reason = arena_printf(arena, "its paths leave %s through `%s`, so instances are coupled",
                                 where(arena, plate), astray->name);
        return;
    }
    const char *through = model_names(arena, graph->latent, interior, graph->n);
    if (*through)
        c->reason = arena_printf(
            arena, "its paths to the data and to earlier latents run through %s, inside %s",
            through, where(arena, plate));
    else
        c->reason = arena_printf(arena, "no later latent stands between it and the rest");
}

static Conditioning condition(Arena *arena, const TemplateGraph *graph, int i) {
    bool *on = arena_array(arena, bool, graph->n + 1),
         *interior = arena_array(arena, bool, graph->n + 1);
    model_graph_reach(graph, i, on, interior);
    Conditioning c = {.latent = graph->latent[i]};
    c.on = arena_array(arena, Var *, graph->n + 1);
    for (int k = 0; k < i; k++)
        if (on[k]) c.on[c.n_on++] = graph->latent[k];
    c.hier = model_hier(graph->model, c.latent->type.plate);
    judge(arena, graph, i, on, interior, &c);
    return c;
}

Conditioning *model_factorise(Arena *arena, const TemplateGraph *graph) {
    Conditioning *order = arena_array(arena, Conditioning, graph->n + 1);
    for (int i = 0; i < graph->n; i++) order[i] = condition(arena, graph, i);
    return order;
}

const char *model_mean_field_verdict(Arena *arena, const TemplateGraph *graph, int i, bool *exact) {
    bool *component = arena_array(arena, bool, graph->n + 1),
         *direct = arena_array(arena, bool, graph->n + 1);
    model_graph_component(graph, i, component);
    component[i] = false;
    bool alone = true;
    for (int k = 0; k < graph->n; k++) {
        alone &= !component[k];
        direct[k] = graph->meets[i * graph->n + k];
    }
    const Plate *plate = graph->latent[i]->type.plate;
    component[i] = true;
    const Var *reader = tying_reader(graph, i, component, plate);
    *exact = alone && !reader;
    if (alone && reader)
        return arena_printf(arena, "its instances are coupled through `%s`", reader->name);
    if (alone) return "no factor ties it to another latent";
    return arena_printf(arena, "loses its dependence on %s in the posterior",
                        model_names(arena, graph->latent, direct, graph->n));
}

typedef struct Parents {
    const TemplateGraph *graph;
    bool *on;
} Parents;

static void mark_parent(void *user, Var *var) {
    Parents *parents = user;
    for (int k = 0; k < parents->graph->n; k++)
        if (parents->graph->latent[k] == var) parents->on[k] = true;
}

const char *model_parents_verdict(Arena *arena, const TemplateGraph *graph, int i, bool *on,
                                  bool *exact) {
    Parents parents = {graph, on};
    const Var *latent = graph->latent[i];
    memset(on, 0, sizeof *on * (size_t)graph->n);
    for (int k = 0; k < latent->dist->n_params; k++)
        expr_visit_vars(latent->args[k], mark_parent, &parents);
    const char *reason = model_mean_field_verdict(arena, graph, i, exact);
    bool any = false;
    for (int k = 0; k < graph->n; k++) any |= on[k];
    return *exact || !any ? reason
                          : "the latents that it depends on move it as they do in the prior alone";
}
