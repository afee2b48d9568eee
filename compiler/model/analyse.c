/* analyse.c -- what a checked model says of itself before anything is derived: the variables
 * behind an expression, the template graph, the plates' heights and the structure class.
 *
 * Everything here works on the template (one vertex per declaration), so its cost does not depend
 * on any plate's size. Hyperparameters are numbers that a training fixes: they never make vertices.
 */
#include "model/graph.h"

#include <math.h>

/* ---- variables behind an expression ---- */

/* Bodies of functions see their arguments as parameters; a frame binds those of one call. */
typedef struct Frame {
    const Expr *call;
    struct Frame *outer;
    uint64_t walked; /* parameters whose arguments have been walked: once is enough */
} Frame;

typedef struct Walk {
    Arena *arena;
    VEC(const Var *) seen; /* each variable is reported, and each let looked through, once */
    void (*visit)(void *user, Var *var);
    void *user;
    const Var *wanted; /* expr_mentions: stops at this one */
    bool found;
} Walk;

static void walk_expr(Walk *walk, const Expr *e, Frame *frame);

static void walk_var(Walk *walk, Var *var) {
    for (int i = 0; i < walk->seen.n; i++)
        if (walk->seen.data[i] == var) return;
    vec_push(walk->arena, &walk->seen, var);
    if (var == walk->wanted) walk->found = true;
    if (var->kind == VAR_LET || var->kind == VAR_QUANTITY)
        walk_expr(walk, var->value, NULL);
    else if (walk->visit)
        walk->visit(walk->user, var);
}

static void walk_expr(Walk *walk, const Expr *e, Frame *frame) {
    if (!e) return;
    if (e->kind == EXPR_VAR) {
        walk_var(walk, e->var);
    } else if (e->kind == EXPR_PARAM) {
        /* an argument that the body never reads is not part of the value */
        if (!frame || e->param >= frame->call->n_args || frame->walked >> e->param & 1) return;
        frame->walked |= UINT64_C(1) << e->param;
        walk_expr(walk, frame->call->args[e->param], frame->outer);
    } else if (e->kind == EXPR_CALL) {
        walk_expr(walk, e->function->body, &(Frame){e, frame, 0});
    } else {
        for (int i = 0; i < e->n_args; i++) walk_expr(walk, e->args[i], frame);
    }
}

static bool walk_all(const Expr *e, void (*visit)(void *, Var *), void *user, const Var *wanted) {
    Walk walk = {.arena = arena_new(), .visit = visit, .user = user, .wanted = wanted};
    walk_expr(&walk, e, NULL);
    arena_free(walk.arena);
    return walk.found;
}

bool expr_mentions(const Expr *e, const Var *var) {
    return walk_all(e, NULL, NULL, var);
}

void expr_visit_vars(const Expr *e, void (*visit)(void *user, Var *var), void *user) {
    walk_all(e, visit, user, NULL);
}

int64_t expr_base_draws(const Expr *e) {
    int64_t n = e->kind == EXPR_RANDOM ? e->index + 1 : 0;
    for (int i = 0; i < e->n_args; i++) {
        int64_t own = expr_base_draws(e->args[i]);
        if (own > n) n = own;
    }
    int64_t inside = e->kind == EXPR_CALL ? expr_base_draws(e->function->body) : 0;
    if (inside > n) n = inside;
    return n;
}

static bool written_in(const Expr *e, const Var *var) {
    if (!e) return false;
    bool found = e->kind == EXPR_VAR && e->var == var;
    for (int i = 0; i < e->n_args && !found; i++) found = written_in(e->args[i], var);
    return found;
}

bool var_reads(const Var *var, const Var *other) {
    bool found = written_in(var->value, other);
    for (int i = 0; var->dist && i < var->dist->n_params && !found; i++)
        found = written_in(var->args[i], other);
    return found;
}

/* ---- tables ---- */

const SupportInfo support_info[N_SUPPORTS] = {
#define SUPPORT(ENUM, name, lo_stated, hi_stated, n_dims, lo, hi, doc) \
    {#name, {lo_stated, hi_stated}, n_dims, lo, hi, doc},
#include "model/supports.def"
#undef SUPPORT
};

const ShapedInfo shaped_info[N_SHAPED] = {
#define SHAPED(ENUM, name, arity, doc) {#name, arity, doc},
#include "model/shaped.def"
#undef SHAPED
};

Type model_free_type(const Var *latent) {
    Type type = latent->type;
    if (!latent->link || !latent->link->n_dims) return type;
    type.n_dims -= latent->link->n_dims;
    type.dims[type.n_dims++] = latent->link->n_free;
    return type;
}

/* ---- plates ---- */

bool plate_within(const Plate *inner, const Plate *outer) {
    if (!outer) return true;
    while (inner && inner != outer && inner->across != outer) inner = inner->parent;
    return inner;
}

const Plate *plate_seen_from(const Plate *inner, const Plate *outer) {
    bool turned = inner && outer && inner->across == outer;
    return turned ? inner->turned : inner;
}

int model_hier(const Model *model, const Plate *plate) {
    int hier = 0;
    for (int i = 0; i < model->plates.n; i++) {
        if (plate_seen_from(model->plates.data[i], plate)->parent != plate) continue;
        int below = 1 + model_hier(model, model->plates.data[i]);
        if (below > hier) hier = below;
    }
    return hier;
}

/* ---- the template graph ---- */

static int latent_number(const TemplateGraph *graph, const Var *var) {
    for (int i = 0; i < graph->n; i++)
        if (graph->latent[i] == var) return i;
    return -1;
}

static int data_number(const TemplateGraph *graph, const Var *var) {
    for (int i = 0; i < graph->n_data; i++)
        if (graph->data[i] == var) return i;
    return -1;
}

/* Of two latents on the sides of a cross the one with fewer instances comes first: what the other
 * side leaves of their dependence is the nearer to one number for all pairs, the more instances it
 * averages over. */
static bool fewer_across(const Model *model, const Var *x, const Var *y) {
    for (int i = 0; i < model->plates.n; i++) {
        const Plate *q = model->plates.data[i], *px = x->type.plate, *py = y->type.plate;
        bool both = (q->parent == px && q->across == py) || (q->parent == py && q->across == px);
        if (q->across && both) return px->size < py->size;
    }
    return false;
}

static bool goes_before(const Model *model, const Var *x, const Var *y) {
    int dx = plates_around(x->type.plate), dy = plates_around(y->type.plate);
    return dx < dy || (dx == dy && fewer_across(model, x, y));
}

static void collect_vertices(Arena *arena, TemplateGraph *graph) {
    const Model *model = graph->model;
    graph->latent = arena_array(arena, Var *, model->vars.n);
    graph->data = arena_array(arena, Var *, model->vars.n);
    for (int k = 0; k < model->vars.n; k++) {
        Var *var = model->vars.data[k];
        if (var->kind == VAR_OBSERVED) graph->data[graph->n_data++] = var;
        if (var->kind != VAR_LATENT) continue;
        int at = graph->n++; /* insertion keeps the model's order among equals */
        while (at > 0 && goes_before(model, var, graph->latent[at - 1])) {
            graph->latent[at] = graph->latent[at - 1];
            at--;
        }
        graph->latent[at] = var;
    }
}

typedef struct Bounds {
    const TemplateGraph *graph;
    int from;  /* latents from here on are not drawn yet */
    bool open; /* one of them bounds the support */
} Bounds;

static void note_bound(void *user, Var *var) {
    Bounds *bounds = user;
    if (latent_number(bounds->graph, var) >= bounds->from) bounds->open = true;
}

/* Is the support of latent `i` known once those before `from` are drawn? */
static bool bounds_known(const TemplateGraph *graph, int i, int from) {
    const Support *support = &graph->latent[i]->support;
    Bounds bounds = {.graph = graph, .from = from};
    if (support->lo) expr_visit_vars(support->lo, note_bound, &bounds);
    if (support->hi) expr_visit_vars(support->hi, note_bound, &bounds);
    return !bounds.open;
}

/* A latent is drawn after those that bound its support: its link needs them. Through a reduction
 * these may stand in plates inside its own. Bounds precede in the model, so that there always is a
 * next one. */
static void order_bounds(TemplateGraph *graph) {
    for (int from = 0; from < graph->n; from++) {
        int next = from;
        while (next + 1 < graph->n && !bounds_known(graph, next, from)) next++;
        Var *var = graph->latent[next];
        for (int i = next; i > from; i--) graph->latent[i] = graph->latent[i - 1];
        graph->latent[from] = var;
    }
}

typedef struct Factor {
    const TemplateGraph *graph;
    bool *latent, *data; /* members */
} Factor;

static void factor_add(void *user, Var *var) {
    Factor *factor = user;
    int i = latent_number(factor->graph, var), d = data_number(factor->graph, var);
    if (i >= 0) factor->latent[i] = true;
    if (d >= 0) factor->data[d] = true;
}

static void moralise(TemplateGraph *graph, const Factor *factor) {
    for (int i = 0; i < graph->n; i++) {
        if (!factor->latent[i]) continue;
        for (int k = 0; k < graph->n; k++)
            if (k != i && factor->latent[k]) graph->meets[i * graph->n + k] = true;
        for (int d = 0; d < graph->n_data; d++)
            if (factor->data[d]) graph->sees[i * graph->n_data + d] = true;
    }
}

static void add_law(Factor *factor, Var *var) {
    factor_add(factor, var);
    for (int a = 0; a < var->dist->n_params; a++) expr_visit_vars(var->args[a], factor_add, factor);
}

/* Summing out makes one factor of all that a group of discrete latents stands in. */
static void moralise_groups(Arena *arena, TemplateGraph *graph, Factor *factor) {
    graph->groups = model_sum_groups(arena, graph->model, &graph->n_groups);
    for (int g = 0; g < graph->n_groups; g++) {
        const SumGroup *group = &graph->groups[g];
        memset(factor->latent, 0, (size_t)graph->n);
        memset(factor->data, 0, (size_t)graph->n_data);
        for (int i = 0; i < group->n; i++) add_law(factor, group->summed[i]);
        for (int i = 0; i < group->n_factors; i++) add_law(factor, group->factors[i]);
        moralise(graph, factor);
    }
}

TemplateGraph *model_graph(Arena *arena, const Model *model) {
    TemplateGraph *graph = arena_new_of(arena, TemplateGraph);
    graph->model = model;
    collect_vertices(arena, graph);
    order_bounds(graph);
    graph->reduces = arena_array(arena, bool, model->vars.n + 1);
    model_mark_reductions(model, graph->reduces);
    graph->meets = arena_array(arena, bool, graph->n * graph->n + 1);
    graph->sees = arena_array(arena, bool, graph->n * graph->n_data + 1);
    Factor factor = {graph, arena_array(arena, bool, graph->n + 1),
                     arena_array(arena, bool, graph->n_data + 1)};
    for (int k = 0; k < model->vars.n; k++) {
        Var *var = model->vars.data[k];
        if (var->kind != VAR_LATENT && var->kind != VAR_OBSERVED) continue;
        memset(factor.latent, 0, (size_t)graph->n);
        memset(factor.data, 0, (size_t)graph->n_data);
        factor_add(&factor, var);
        for (int a = 0; a < var->dist->n_params; a++)
            expr_visit_vars(var->args[a], factor_add, &factor);
        moralise(graph, &factor);
    }
    moralise_groups(arena, graph, &factor);
    return graph;
}

void model_graph_reach(const TemplateGraph *graph, int i, bool *on, bool *interior) {
    int n = graph->n;
    memset(on, 0, (size_t)n);
    memset(interior, 0, (size_t)n);
    /* spreads until nothing changes: at most n rounds, and templates are small */
    for (bool grew = true; grew;) {
        grew = false;
        for (int from = 0; from < n; from++) {
            if (from != i && !interior[from]) continue;
            for (int to = 0; to < n; to++) {
                if (to == i || !graph->meets[from * n + to]) continue;
                bool *mark = to < i ? &on[to] : &interior[to];
                grew |= !*mark;
                *mark = true;
            }
        }
    }
}

void model_graph_component(const TemplateGraph *graph, int i, bool *component) {
    int n = graph->n;
    memset(component, 0, (size_t)n);
    component[i] = true;
    for (bool grew = true; grew;) {
        grew = false;
        for (int from = 0; from < n; from++)
            for (int to = 0; component[from] && to < n; to++)
                if (graph->meets[from * n + to] && !component[to]) component[to] = grew = true;
    }
}

const char *model_names(Arena *arena, Var *const *vars, const bool *mark, int n) {
    Text text;
    text_init(&text, arena);
    int left = 0, done = 0;
    for (int i = 0; i < n; i++) left += mark[i];
    for (int i = 0; i < n; i++) {
        if (!mark[i]) continue;
        if (done++)
            text_add(&text, --left ? ", " : " and ");
        else
            left--;
        text_add(&text, vars[i]->name);
    }
    return text.data ? text.data : "";
}

/* ---- the class ---- */

/* A pyramid is the class of the ADAVI paper: one stack of plates, data in the innermost only. */
static const char *structure_class(const Model *model) {
    if (!model->plates.n) return "no plates";
    const Plate *innermost = NULL;
    for (int i = 0; i < model->plates.n; i++)
        if (model->plates.data[i]->across) return "plates that cross";
    for (int i = 0; i < model->plates.n; i++) {
        if (model->plates.data[i]->parent != innermost) return "tree of plates";
        innermost = model->plates.data[i];
    }
    for (int k = 0; k < model->vars.n; k++) {
        const Var *var = model->vars.data[k];
        if (var->kind == VAR_OBSERVED && var->type.plate != innermost) return "tree of plates";
    }
    return "pyramid";
}

Analysis *model_analyse(Arena *arena, Model *model) {
    model_certify_plates(arena, model);
    TemplateGraph *graph = model_graph(arena, model);
    Analysis *analysis = arena_new_of(arena, Analysis);
    analysis->model = model;
    analysis->structure = structure_class(model);
    analysis->n_latents = graph->n;
    analysis->order = model_factorise(arena, graph);
    analysis->n_groups = graph->n_groups;
    analysis->groups = graph->groups;
    analysis->symmetries = model_symmetries(arena, model, &analysis->n_symmetries);
    return analysis;
}
