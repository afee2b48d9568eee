/* component.c -- see component.h. A component is expanded to second order around one point, and its
 * inner latents are eliminated plate by plate; that takes
 *   - laws whose arguments are known, data or in the component;
 *   - of inner latents: support on the whole line, which a Gaussian describes, and within the
 *     targets' plate, so that an instance of it holds all; of one side of a cross, only what moves
 *     all instances at once counts as inner;
 *   - of latents below others: a law that these enter as its location alone, so that it is a
 *     Gaussian about what they say (newton.c);
 *   - no mixtures, of laws or by a discrete latent: they have several modes, which zeros of two
 *     causes have, too, where latents enter the probability of either (predictor.c serves one);
 *   - about the component's latents, laws with a variance: a Cauchy's density curves either way,
 * and steps on what is far out lead anywhere; but of data about a location (reweighted.c);
 *   - no reduction over a plate of the component's: it would tie the instances to each other;
 *   - data alone below: scales that a location governs, and that are drawn before it, are far from
 *     Gaussian. */
#include "dual/component.h"
#include "dual/reweighted.h"

bool component_holds(const Component *c, const Var *var) {
    for (int i = 0; i < c->n; i++)
        if (c->node[i] == var) return true;
    return false;
}

bool component_mentioned(const Component *c, const Expr *e) {
    for (int i = 0; i < c->n; i++)
        if (expr_mentions(e, c->node[i])) return true;
    return false;
}

bool component_has_parents(const Component *c, const Var *var) {
    for (int i = 0; i < var->dist->n_params; i++)
        if (component_mentioned(c, var->args[i])) return true;
    return false;
}

bool component_enters(const Component *c, const Var *factor) {
    bool random = factor->kind == VAR_OBSERVED || factor->kind == VAR_LATENT;
    return random && component_has_parents(c, factor);
}

/* ---- which latents are joined ---- */

typedef struct Growing {
    const Build *b;
    Component *c;
    bool full;
} Growing;

static bool is_unknown(const Build *b, const Var *var) {
    return var->kind == VAR_LATENT && b->value[var->index].v == IR_NONE;
}

static void join(void *user, Var *var) {
    Growing *g = user;
    if (!is_unknown(g->b, var) || component_holds(g->c, var)) return;
    if (g->c->n == MAX_NODES)
        g->full = true;
    else
        g->c->node[g->c->n++] = var;
}

/* All that share a law with what is joined already, until there is nothing new. */
static bool grow(const Build *b, Component *c) {
    Growing g = {b, c, false};
    for (int before = 0; before != c->n && !g.full;) {
        before = c->n;
        for (int i = 0; i < b->model->vars.n; i++) {
            Var *var = b->model->vars.data[i];
            if (!component_holds(c, var) && !component_enters(c, var)) continue;
            join(&g, var);
            for (int k = 0; k < var->dist->n_params; k++) expr_visit_vars(var->args[k], join, &g);
        }
    }
    return !g.full;
}

/* ---- in which order they are eliminated ---- */

static int drawn_at(const Build *b, const Var *var) {
    int i = 0;
    while (b->analysis->order[i].latent != var) i++;
    return i;
}

static bool goes_before(const Build *b, const Component *c, int x, int y) {
    int dx = plates_around(component_plate(c, x)), dy = plates_around(component_plate(c, y));
    return dx != dy ? dx > dy : drawn_at(b, c->node[x]) > drawn_at(b, c->node[y]);
}

static void arrange(const Build *b, Component *c) {
    for (int i = 1; i < c->n; i++)
        for (int k = i; k > 0 && goes_before(b, c, k, k - 1); k--) {
            const Var *other = c->node[k];
            const bool shifted = c->shifted[k];
            c->node[k] = c->node[k - 1];
            c->shifted[k] = c->shifted[k - 1];
            c->node[k - 1] = other;
            c->shifted[k - 1] = shifted;
        }
}

/* ---- crosses ---- */

static bool has_node_in(const Component *c, const Plate *plate) {
    for (int i = 0; i < c->n; i++)
        if (c->node[i]->type.plate == plate) return true;
    return false;
}

/* Of every cross with nodes on both sides one side is shifted: not the one that is to be drawn. */
static void shift_one_side(const Build *b, const Var *z, Component *c) {
    for (int i = 0; i < b->model->plates.n; i++) {
        const Plate *cross = b->model->plates.data[i];
        if (!cross->across) continue;
        if (!has_node_in(c, cross->parent) || !has_node_in(c, cross->across)) continue;
        const Plate *side = z->type.plate == cross->across ? cross->parent : cross->across;
        for (int k = 0; k < c->n; k++) c->shifted[k] |= c->node[k]->type.plate == side;
    }
    for (int k = 0; k < c->n; k++) c->n_shifted += c->shifted[k];
}

/* ---- may it be expanded? ---- */

/* `seen` (by Var.index): lets that were looked through before, and hold none. */
static bool reduces(const Component *c, const Expr *e, bool *seen) {
    if (e->kind == EXPR_VAR) {
        if (!e->var->value || seen[e->var->index]) return false;
        seen[e->var->index] = true;
        return reduces(c, e->var->value, seen);
    }
    if (e->kind == EXPR_OVER && component_mentioned(c, e)) return true;
    for (int i = 0; i < e->n_args; i++)
        if (reduces(c, e->args[i], seen)) return true;
    return false;
}

static bool ties(const Build *b, const Component *c, const Var *factor) {
    bool *seen = arena_array(b->arena, bool, b->model->vars.n + 1);
    for (int i = 0; i < factor->dist->n_params; i++)
        if (reduces(c, factor->args[i], seen)) return true;
    return false;
}

bool component_is_about_location(const Component *c, const Var *var) {
    int at = location_param(var->dist);
    for (int i = 0; i < var->dist->n_params; i++)
        if (i != at && component_mentioned(c, var->args[i])) return false;
    return at >= 0;
}

/* Does it enter an observed law as anything but its location? What a scale is moved by is far from
 * Gaussian. */
static bool is_scale(const Build *b, const Var *var) {
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *o = b->model->vars.data[i];
        int at = o->kind == VAR_OBSERVED ? location_param(o->dist) : -1;
        for (int k = 0; at >= 0 && k < o->dist->n_params; k++)
            if (k != at && expr_mentions(o->args[k], var)) return true;
    }
    return false;
}

static bool node_served(const Build *b, const Component *c, const Var *z, int k) {
    const Var *var = c->node[k];
    const bool target = k < component_drawn(c) && k >= component_drawn(c) - c->n_targets;
    Type free = model_free_type(var);
    if (event_size(&free) > MAX_NODE) return false;
    if (c->shifted[k] && is_scale(b, var)) return false;
    if (!c->shifted[k] && !plate_within(var->type.plate, z->type.plate)) return false;
    if (bounded_by_latents(var) || var->dist->mixed || var_reads_summed(var)) return false;
    if (var->support.kind != SUPPORT_REAL && !c->shifted[k] && (!target || c->n_targets > 1))
        return false;
    return !component_has_parents(c, var) ||
           (var->support.kind == SUPPORT_REAL && component_is_about_location(c, var));
}

bool component_of(const Build *b, const Var *z, Component *c) {
    int64_t entries = 0;
    *c = (Component){.n = 1, .n_targets = 1, .node = {z}};
    if (!is_structured(b) || b->options.no_exact || !grow(b, c)) return false;
    shift_one_side(b, z, c);
    arrange(b, c);
    if (!z->type.plate)
        for (c->n_targets = 0; c->n_targets < c->n; c->n_targets++)
            if (c->node[c->n - 1 - c->n_targets]->type.plate) break;
    if (c->n_targets == 1 && c->node[component_drawn(c) - 1] != z) return false;
    for (int i = 0; i < c->n; i++) {
        Type free = model_free_type(c->node[i]);
        entries += event_size(&free);
        if (!node_served(b, c, z, i)) return false;
    }
    bool evidence = false;
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        if (!component_enters(c, var)) continue;
        if (ties(b, c, var) || var_reads_summed(var) || var->dist->mixed) return false;
        bool reweighted = is_reweighted(c, var);
        if (!reweighted && (!has_variance(var) || var->dist->inflated)) return false;
        c->reweighted |= reweighted;
        if (var->kind == VAR_LATENT && !component_holds(c, var)) return false;
        evidence |= var->kind == VAR_OBSERVED;
    }
    return evidence && entries <= MAX_ENTRIES;
}

/* ---- do means do? ---- */

typedef struct Uneven {
    const Plate *around;
    bool found;
} Uneven;

static void find_uneven(void *user, Var *var) {
    Uneven *uneven = user;
    uneven->found |= var->kind == VAR_GIVEN && !plate_within(uneven->around, var->type.plate);
}

/* Do covariates make the factor's law another one, but for its location, in each of the instances
 * that an instance of the targets holds? Are those not equally many everywhere, or may some be
 * missing? Their plain mean is not all that they say then. */
static bool is_uneven(const Component *c, const Var *factor) {
    if (factor->missing) return true;
    Uneven uneven = {c->node[c->n - 1]->type.plate, false};
    int at = location_param(factor->dist);
    for (const Plate *q = plate_seen_from(factor->type.plate, uneven.around);
         q && q != uneven.around; q = q->parent)
        uneven.found |= q->ragged;
    for (int i = 0; i < factor->dist->n_params; i++)
        if (i != at) expr_visit_vars(factor->args[i], find_uneven, &uneven);
    return uneven.found;
}

static bool is_identity(const Component *c, const Var *factor) {
    const Var *of = location_of(factor);
    int read = 0;
    for (int k = 0; k < c->n; k++)
        for (int i = 0; i < factor->dist->n_params; i++)
            read += expr_mentions(factor->args[i], c->node[k]);
    return read == 1 && !factor->dist->n_dims && of && component_holds(c, of) &&
           !is_uneven(c, factor);
}

bool component_is_chain(const Component *c, const Build *b, const Encoding *enc) {
    if (c->reweighted || c->n_shifted) return false;
    for (int i = 0; i < b->model->vars.n; i++) {
        const Var *var = b->model->vars.data[i];
        if (component_enters(c, var) && !is_identity(c, var)) return false;
    }
    for (int i = 0; i < c->n; i++)
        if (c->node[i]->dist->n_dims || !moments_of(enc, c->node[i])) return false;
    return true;
}
