/* symmetry.c -- label symmetries: K components that may be exchanged without changing the joint
 * density, so that the posterior has K! modes.
 *
 * A permutation acts on a set of discrete latents with K values and, along one dimension of K
 * entries each, on a set of latents. Every expression is looked at once: under the permutation its
 * value stays the SAME, has its entries MOVED along a dimension, is such a LABEL, or changes in
 * some other way (BROKEN). mu[z] stays the same if mu is moved along that dimension and z is a
 * label; point-wise operations keep what they move; reductions over the event undo it. The density
 * is symmetric if the law of every variable stays the same. The sets grow from one label: what it
 * indexes must move, and what meets a moved value entry by entry and differs from entry to entry
 * must move with it.
 *
 * What is claimed is true; symmetries without labels (in `mixture`, in signs) are not looked for.
 * The argument is on the checked model: nothing is recognised by name. */
#include "model/graph.h"

#include <math.h>

typedef enum { SAME, MOVED, LABEL, BROKEN } Action;

typedef struct State {
    Action action;
    int n_dims, dim; /* MOVED: along which dimension */
    uint32_t flat;   /* SAME: dimensions along which all entries are equal */
    /* A latent whose dimension origin[d] is dimension d of the value, entry by entry: if that
     * moves, so does this. Or the discrete latent that the value is. NULL: none. */
    const Var *from;
    int origin[MAX_DIMS];
} State;

typedef struct Search {
    const Model *model;
    int64_t components;
    int *moved;  /* by Model.vars: the dimension, or -1 */
    bool *label; /* by Model.vars */
    State *let;  /* by Model.vars, of this pass */
    bool *let_known;
    bool grew;         /* a set has: pass again */
    const Var *walked; /* within an array: its entry 0 stands for that of every element's number */
} Search;

static const uint32_t ALL_FLAT = ~UINT32_C(0);

static State broken(void) {
    return (State){.action = BROKEN};
}

static State eval(Search *s, const Expr *e, const State *params);

/* May `state`, which does not move, move along `dim`? Then its variable joins. */
static bool join(Search *s, const State *state, int dim) {
    const Var *var = state->from;
    if (!var || var->kind != VAR_LATENT || s->moved[var->index] >= 0) return false;
    if (state->origin[dim] >= var->type.n_dims) return false;
    if (var->type.dims[state->origin[dim]] != s->components) return false;
    s->moved[var->index] = state->origin[dim];
    s->grew = true;
    return true;
}

/* Values that meet entry by entry. */
static State meet(Search *s, const State *args, int n) {
    State all = {.action = SAME, .flat = ALL_FLAT};
    for (int i = 0; i < n; i++) {
        if (args[i].action == BROKEN || args[i].action == LABEL) return broken();
        if (args[i].n_dims > all.n_dims) all.n_dims = args[i].n_dims;
        if (args[i].n_dims) all.flat &= args[i].flat;
        if (args[i].n_dims && args[i].from && !all.from) {
            all.from = args[i].from;
            memcpy(all.origin, args[i].origin, sizeof all.origin);
        }
        if (args[i].action != MOVED) continue;
        if (all.action == MOVED && all.dim != args[i].dim) return broken();
        all.action = MOVED;
        all.dim = args[i].dim;
    }
    for (int i = 0; i < n && all.action == MOVED; i++) {
        bool free = args[i].action == MOVED || !args[i].n_dims || args[i].flat >> all.dim & 1;
        if (!free && !join(s, &args[i], all.dim)) return broken();
    }
    return all;
}

/* Without dimension `dim`. */
static State drop(State state, int dim) {
    uint32_t below = state.flat & ((UINT32_C(1) << dim) - 1);
    state.flat = below | (state.flat >> (dim + 1) << dim);
    state.n_dims--;
    for (int i = dim; i < state.n_dims; i++) state.origin[i] = state.origin[i + 1];
    if (!state.n_dims) state.from = NULL;
    if (state.action == MOVED && state.dim > dim) state.dim--;
    return state;
}

static State at_position(Search *s, State whole, State position, int dim) {
    if (whole.action == BROKEN || position.action == BROKEN) return broken();
    if (position.action == LABEL) {
        if (whole.action == SAME && whole.flat >> dim & 1) return drop(whole, dim);
        if (whole.action == SAME && !join(s, &whole, dim)) return broken();
        if (whole.action == MOVED && whole.dim != dim) return broken();
        return (State){.action = SAME, .n_dims = whole.n_dims - 1};
    }
    if (whole.action == MOVED && whole.dim == dim) {
        const Var *var = position.from;
        if (!var || var->kind != VAR_SUMMED || var->n_values != s->components) return broken();
        s->label[var->index] = s->grew = true;
        return (State){.action = SAME, .n_dims = whole.n_dims - 1};
    }
    State entry = drop(whole, dim);
    entry.flat = 0; /* which entry it is may be another for each of them */
    return entry;
}

static State of_hyper(const Var *var) {
    State state = {.action = SAME, .n_dims = var->type.n_dims, .flat = ALL_FLAT};
    int64_t n = 1, inner = 1;
    for (int i = 0; i < var->type.n_dims; i++) n *= var->type.dims[i];
    for (int dim = var->type.n_dims - 1; dim >= 0; inner *= var->type.dims[dim--])
        for (int64_t i = 0; i < n; i++) {
            int64_t first = i - i / inner % var->type.dims[dim] * inner;
            if (var->numbers[i] != var->numbers[first]) state.flat &= ~(UINT32_C(1) << dim);
        }
    return state;
}

static State of_var(Search *s, const Var *var) {
    if (var->kind == VAR_HYPER) return of_hyper(var);
    if (var->kind == VAR_LET || var->kind == VAR_QUANTITY) {
        const Var *walked = s->walked;
        s->walked = NULL;
        if (!s->let_known[var->index]) s->let[var->index] = eval(s, var->value, NULL);
        s->walked = walked;
        s->let_known[var->index] = true;
        return s->let[var->index];
    }
    State state = {.action = SAME, .n_dims = var->type.n_dims, .from = var};
    for (int i = 0; i < MAX_DIMS; i++) state.origin[i] = i;
    if (s->label[var->index]) state.action = LABEL;
    if (s->moved[var->index] < 0) return state;
    state.action = MOVED;
    state.dim = s->moved[var->index];
    return state;
}

/* Is `e` element `i` of an array whose element 0 is `first`, but for the entries of one variable
 * that are those of the element's own number? *walked gets the variable; NULL: none so far. */
static bool walks(const Expr *e, const Expr *first, int64_t i, int64_t n, const Var **walked) {
    if (e->kind != first->kind || e->n_args != first->n_args) return false;
    const Expr *of = e->kind == EXPR_INDEX ? e->args[0] : NULL;
    if (of && of->kind == EXPR_VAR && e->index == i && first->index == 0) {
        const Type *type = &of->var->type;
        bool fits = first->args[0]->kind == EXPR_VAR && first->args[0]->var == of->var;
        fits &= type->n_dims == 1 && type->dims[0] == n && (!*walked || *walked == of->var);
        *walked = of->var;
        return fits;
    }
    if (e == first) return true;
    bool same = e->number == first->number && e->var == first->var && e->opcode == first->opcode &&
                e->function == first->function && e->link == first->link &&
                e->link_part == first->link_part && e->param == first->param &&
                e->index == first->index && e->dim == first->dim && e->reduce == first->reduce &&
                e->count == first->count && e->shaped == first->shaped && e->plate == first->plate;
    for (int k = 0; k < e->n_args && same; k++)
        same = walks(e->args[k], first->args[k], i, n, walked);
    return same;
}

/* Does `e` mention the variable otherwise than as its entry i? */
static bool strays(const Expr *e, const Var *walked, int64_t i) {
    if (e->kind == EXPR_INDEX && e->args[0]->kind == EXPR_VAR && e->args[0]->var == walked)
        return e->index != i;
    if (e->kind == EXPR_VAR) return e->var == walked;
    for (int k = 0; k < e->n_args; k++)
        if (strays(e->args[k], walked, i)) return true;
    return false;
}

/* [k in n: f(v[k])]: along its first dimension it moves with v. False: it is no such array. */
static bool along_variable(Search *s, const Expr *e, const State *params, State *state) {
    const Var *walked = NULL;
    for (int i = 1; i < e->n_args; i++)
        if (!walks(e->args[i], e->args[0], i, e->n_args, &walked)) return false;
    if (!walked || s->walked) return false;
    for (int i = 0; i < e->n_args; i++)
        if (strays(e->args[i], walked, i)) return false;
    State whole = of_var(s, walked);
    s->walked = walked;
    State element = eval(s, e->args[0], params);
    s->walked = NULL;
    if (element.action != SAME || element.n_dims >= MAX_DIMS) return false;
    if (whole.action != SAME && whole.action != MOVED) return false;
    *state = whole; /* its action, dimension 0, and what it comes from */
    state->n_dims = element.n_dims + 1;
    state->flat = element.flat << 1 | (whole.flat & 1);
    /* only dimension 0 is an entry of the variable */
    for (int i = 1; i < MAX_DIMS; i++) state->origin[i] = MAX_DIMS;
    return true;
}

static State of_array(Search *s, const Expr *e, const State *params) {
    State walking;
    if (along_variable(s, e, params, &walking)) return walking;
    State first = eval(s, e->args[0], params);
    bool copies = true, moves = first.action != SAME;
    for (int i = 1; i < e->n_args; i++) {
        const Expr *a = e->args[i], *b = e->args[0];
        if (a == b) continue;
        copies &= a->kind == EXPR_NUMBER && b->kind == EXPR_NUMBER && a->number == b->number;
        State state = eval(s, a, params);
        moves |= state.action != SAME;
        first.flat &= state.flat;
    }
    if (first.action == BROKEN || first.action == LABEL || (moves && !copies)) return broken();
    first.n_dims++;
    first.dim++;
    first.flat = first.flat << 1 | copies;
    first.from = NULL;
    return first;
}

static State eval(Search *s, const Expr *e, const State *params) {
    enum { MOST = 8 };
    State args[MOST];
    switch (e->kind) {
    case EXPR_NUMBER:
    case EXPR_SIZE:
    case EXPR_POSITION:
    case EXPR_RANDOM:
        return (State){.action = SAME, .flat = ALL_FLAT};
    case EXPR_VAR:
        return of_var(s, e->var);
    case EXPR_PARAM:
        return params ? params[e->param] : broken();
    case EXPR_ARRAY:
        return of_array(s, e, params);
    default:
        break;
    }
    bool own = e->kind == EXPR_INDEX && e->args[0]->kind == EXPR_VAR && !e->index;
    if (own && s->walked && e->args[0]->var == s->walked) return (State){.action = SAME};
    if (e->n_args > MOST) return broken();
    bool same = true;
    for (int i = 0; i < e->n_args; i++) {
        args[i] = eval(s, e->args[i], params);
        same &= args[i].action == SAME;
    }
    switch (e->kind) {
    case EXPR_OP:
        return meet(s, args, e->n_args);
    case EXPR_REDUCE: /* over all entries, wherever they are */
        if (args[0].action == LABEL || args[0].action == BROKEN) return broken();
        return (State){.action = SAME, .flat = ALL_FLAT};
    case EXPR_OVER:
        args[0].from = NULL;
        return args[0].action == LABEL ? broken() : args[0];
    case EXPR_CALL:
        return eval(s, e->function->body, args);
    case EXPR_AT:
        return at_position(s, args[0], args[1], e->dim);
    case EXPR_INDEX:
        if (args[0].action == BROKEN || (args[0].action == MOVED && args[0].dim == e->dim))
            return broken();
        return drop(args[0], e->dim);
    case EXPR_SLICE:
        args[0].from = NULL;
        return args[0].action == MOVED && args[0].dim == e->dim ? broken() : args[0];
    case EXPR_LINK:
        if (!e->link->n_dims) return meet(s, args, e->n_args);
        break;
    default:
        break;
    }
    /* functions of whole events: what does not move goes in and comes out */
    return same ? (State){.action = SAME, .n_dims = e->type.n_dims} : broken();
}

/* ---- laws ---- */

/* What a body written for one value sees of an argument or value whose copies stand in front. */
static State inside(State state, int n_dims) {
    while (state.n_dims > n_dims) state = drop(state, 0);
    return state;
}

/* Does a moved dimension stand among the copies, of which the value has `copies`? */
static bool moves_copies(const State *state, int own_dims) {
    return state->action == MOVED && state->dim < state->n_dims - own_dims;
}

/* Is the log density of `var` the same? */
static bool law_stays(Search *s, const Var *var) {
    const Distribution *dist = var->dist;
    State args[MAX_ARGS + 1], rows[MAX_ARGS + 3];
    bool scalars = !dist->n_dims, copies_move = false;
    int n = dist->n_params;
    for (int i = 0; i <= n; i++) {
        int own = i < n ? dist->params[i].n_dims : dist->n_dims;
        rows[i] = args[i] = i < n ? eval(s, var->args[i], NULL) : of_var(s, var);
        if (args[i].action == BROKEN) return false;
        scalars &= !own;
        copies_move |= moves_copies(&args[i], own);
        args[i] = inside(args[i], own);
    }
    int n_rows = n + 1;
    if (var->support.lo) rows[n_rows++] = eval(s, var->support.lo, NULL);
    if (var->support.hi) rows[n_rows++] = eval(s, var->support.hi, NULL);
    if (scalars) return meet(s, rows, n_rows).action != BROKEN;
    if (copies_move) { /* then no event may move, and what is the same for all copies stays */
        for (int i = 0; i <= n; i++) {
            int own = i < n ? dist->params[i].n_dims : dist->n_dims;
            if (rows[i].action == LABEL ||
                (rows[i].action == MOVED && !moves_copies(&rows[i], own)))
                return false;
            if (rows[i].n_dims == own) rows[i] = (State){.action = SAME, .flat = ALL_FLAT};
        }
        return meet(s, rows, n + 1).action != BROKEN;
    }
    bool same = true;
    for (int i = 0; i <= n; i++) same &= args[i].action == SAME;
    return same || eval(s, dist->log_prob, args).action == SAME;
}

/* Grows the sets from one label until every law stays the same; false: one does not. */
static bool settle(Search *s) {
    const Model *model = s->model;
    bool stays;
    do {
        s->grew = false;
        stays = true;
        memset(s->let_known, 0, (size_t)model->vars.n);
        for (int i = 0; i < model->vars.n && !s->grew; i++) {
            const Var *var = model->vars.data[i];
            bool random = var->kind == VAR_LATENT || var->kind == VAR_OBSERVED ||
                          var->kind == VAR_SUMMED || var->kind == VAR_CONTEXT;
            if (random && !law_stays(s, var)) stays = false;
            if (!stays && !s->grew) return false;
        }
    } while (s->grew);
    return stays;
}

static LabelSymmetry symmetry_of(Arena *arena, const Search *s) {
    const Model *model = s->model;
    LabelSymmetry found = {.components = s->components};
    found.labels = arena_array(arena, Var *, model->vars.n);
    found.moved = arena_array(arena, Var *, model->vars.n);
    found.dim = arena_array(arena, int, model->vars.n);
    bool first = true;
    for (int i = 0; i < model->vars.n; i++) {
        Var *var = model->vars.data[i];
        if (!s->label[i] && s->moved[i] < 0) continue;
        if (first || plates_around(var->type.plate) < plates_around(found.plate))
            found.plate = var->type.plate;
        first = false;
        if (s->label[i]) {
            found.labels[found.n_labels++] = var;
        } else {
            found.dim[found.n_moved] = s->moved[i];
            found.moved[found.n_moved++] = var;
        }
    }
    found.loss = lgamma((double)s->components + 1);
    return found;
}

static bool is_known(const LabelSymmetry *found, int n, const Var *label) {
    for (int i = 0; i < n; i++)
        for (int k = 0; k < found[i].n_labels; k++)
            if (found[i].labels[k] == label) return true;
    return false;
}

LabelSymmetry *model_symmetries(Arena *arena, const Model *model, int *n) {
    int n_vars = model->vars.n;
    LabelSymmetry *found = arena_array(arena, LabelSymmetry, n_vars + 1);
    *n = 0;
    for (int i = 0; i < n_vars; i++) {
        const Var *var = model->vars.data[i];
        if (var->kind != VAR_SUMMED || var->n_values < 2 || is_known(found, *n, var)) continue;
        Search s = {.model = model,
                    .components = var->n_values,
                    .moved = arena_array(arena, int, n_vars),
                    .label = arena_array(arena, bool, n_vars),
                    .let = arena_array(arena, State, n_vars),
                    .let_known = arena_array(arena, bool, n_vars)};
        for (int k = 0; k < n_vars; k++) s.moved[k] = -1;
        s.label[i] = true;
        if (!settle(&s)) continue;
        LabelSymmetry own = symmetry_of(arena, &s);
        if (own.n_moved) found[(*n)++] = own;
    }
    return found;
}
