/* mixture.c -- mixture(w, dist(...), dist(...), ...) and mixture(w, k in K: dist(...)): with
 * probability w[k] a draw from component k.
 *
 * Its parameters are w and then those of every component:
 *
 *     log p(x) = log_sum_exp_k (log w[k] + log p_k(x))
 *     sample   = u < w[0] ? sample_0 : u < w[0] + w[1] ? sample_1 : ...
 *
 * Only one component's draw is taken, so that components of one distribution share their base
 * draws. u is the last base draw. Where the variable has copies each has a component of its own; a
 * label that several values share is a discrete latent (discrete.c). */
#include "front/check.h"

enum { MAX_COMPONENTS = 64 };

typedef struct Mixture {
    Checker *ck;
    Span span;
    int n;
    Var component[MAX_COMPONENTS]; /* as if it stood alone */
    Expr **params;                 /* of the result, as expressions; the last is x */
    int first[MAX_COMPONENTS];     /* of its parameters among them */
} Mixture;

/* ---- bodies ---- */

static Expr *point(const Mixture *m, IrOpcode opcode, Expr *a, Expr *b, Expr *c) {
    return op_expr(m->ck, opcode, m->span, a, b, c);
}

static Expr *weight(const Mixture *m, int k) {
    return index_expr(m->ck, m->params[0], k, m->span);
}

/* A body of component k over the parameters of the result; of log_prob the value is `x`. */
static Expr *body_of(const Mixture *m, int k, const Expr *body, Expr *x) {
    return member_at(m->ck, m->component[k].dist, body, m->params + m->first[k], x);
}

static Expr *log_prob(const Mixture *m, Expr *x) {
    Expr *terms = new_expr(m->ck, EXPR_ARRAY, m->span, m->n);
    for (int k = 0; k < m->n; k++) {
        Expr *own = body_of(m, k, m->component[k].dist->log_prob, x);
        terms->args[k] = point(m, OP_ADD, point(m, OP_LOG, weight(m, k), NULL, NULL), own, NULL);
    }
    return library_call(m->ck, "log_sum_exp", &terms, m->span);
}

static bool all_alike(const Mixture *m) {
    bool alike = true;
    for (int k = 1; k < m->n; k++) alike &= m->component[k].dist == m->component[0].dist;
    return alike;
}

static Expr *sample(const Mixture *m) {
    Expr *draws[MAX_COMPONENTS] = {0};
    int64_t n_draws = 0;
    for (int k = 0; k < m->n; k++) {
        draws[k] = body_of(m, k, m->component[k].dist->sample, NULL);
        if (all_alike(m)) {
            n_draws = expr_base_draws(draws[0]);
            continue;
        }
        int64_t own = expr_base_draws(draws[k]);
        shift_draws(m->ck, draws[k], n_draws);
        n_draws += own;
    }
    Expr *u = random_expr(m->ck, RANDOM_UNIFORM, n_draws, m->span, NULL, NULL);
    Expr *picked = draws[m->n - 1];
    for (int k = m->n - 2; k >= 0; k--) {
        Expr *sum = weight(m, 0);
        for (int i = 1; i <= k; i++) sum = point(m, OP_ADD, sum, weight(m, i), NULL);
        picked = point(m, OP_SELECT, point(m, OP_LT, u, sum, NULL), draws[k], picked);
    }
    return picked;
}

static bool make_bodies(const Mixture *m, Distribution *dist) {
    dist->sample = sample(m);
    dist->log_prob = log_prob(m, m->params[dist->n_params]);
    return type_bodies(m->ck, dist);
}

/* ---- components ---- */

static bool add_component(Mixture *m, const Var *var, const Ast *ast) {
    Checker *ck = m->ck;
    if (ast->kind != AST_CALL) {
        FAIL(ck, DIAG_NEEDS_COMPONENT, ast->span, m->n);
        return false;
    }
    if (m->n == MAX_COMPONENTS) {
        FAIL(ck, DIAG_NUMBER_TOO_LARGE, m->span, "the number of components", m->n + 1.0,
             (double)MAX_COMPONENTS);
        return false;
    }
    Var *own = &m->component[m->n++];
    *own = *var;
    return check_arguments(ck, own, ast);
}

/* k in K: dist(...) */
static bool add_each(Mixture *m, const Var *var, const Ast *all) {
    Checker *ck = m->ck;
    int64_t n;
    if (!constant_integer(ck, all->args.data[0], "the number of components", &n)) return false;
    Bound index = {all->name.text, 0, ck->bounds};
    ck->bounds = &index;
    bool good = true;
    for (int64_t k = 0; k < n && good; k++) {
        index.value = (double)k;
        good = add_component(m, var, all->args.data[1]);
    }
    ck->bounds = index.outer;
    return good;
}

/* Does the end of both supports lie at one number, or nowhere? *varies: at what is not known. */
static bool same_end(Checker *ck, const Var *a, const Expr *end_a, const Var *b, const Expr *end_b,
                     bool *varies) {
    double x, y;
    if (!end_a || !end_b) return !end_a && !end_b;
    bool known = one_number(ck, substitute(ck, end_a, a->args), true, &x) &&
                 one_number(ck, substitute(ck, end_b, b->args), true, &y);
    *varies = *varies || !known;
    return known && x == y;
}

/* What no mixture can be made of yet, though components `a` and `b` may well have one set; or
 * NULL. */
static const char *unsupported(const Var *a, const Var *b, bool ends_vary) {
    SupportKind kind = a->dist->support.kind;
    if (kind != b->dist->support.kind) return NULL;
    if (kind == SUPPORT_CATEGORY) return "a mixture of categories is";
    if (kind == SUPPORT_COUNTS) return "a mixture of counts that share out a number is";
    if (ends_vary) return "a mixture of values that end at what is not known is";
    if (a->dist->atoms != b->dist->atoms)
        return "a mixture of single values of positive probability and a density is";
    return NULL;
}

/* With the shape, where components differ in it. */
static const char *shaped_text(Checker *ck, const Var *var, bool shaped) {
    const char *text = set_text(ck, var);
    return shaped && var->dist->n_dims ? arena_printf(ck->arena, "%s (as vectors)", text) : text;
}

static bool same_set(Mixture *m, int k) {
    const Var *a = &m->component[0], *b = &m->component[k];
    const Support *s = &a->dist->support, *t = &b->dist->support;
    Type shapes[2] = {{.n_dims = a->dist->n_dims}, {.n_dims = b->dist->n_dims}};
    memcpy(shapes[0].dims, a->dist->dims, sizeof shapes[0].dims);
    memcpy(shapes[1].dims, b->dist->dims, sizeof shapes[1].dims);
    bool shaped = !same_shape(&shapes[0], &shapes[1]), ends_vary = false;
    bool same = !shaped && s->kind == t->kind && same_end(m->ck, a, s->lo, b, t->lo, &ends_vary) &&
                same_end(m->ck, a, s->hi, b, t->hi, &ends_vary);
    const char *form = shaped ? NULL : unsupported(a, b, ends_vary);
    if (same && !form) return true;
    if (form)
        FAIL(m->ck, DIAG_UNSUPPORTED_FORM, m->span, form);
    else
        FAIL(m->ck, DIAG_MIXTURE_SUPPORT, m->span, a->dist->name, shaped_text(m->ck, a, shaped),
             b->dist->name, shaped_text(m->ck, b, shaped));
    return false;
}

/* Parameters and arguments: w, then those of every component. */
static void gather(Mixture *m, Distribution *dist, Var *var, Expr *w) {
    Checker *ck = m->ck;
    dist->params = arena_array(ck->arena, Param, dist->n_params);
    var->args = arena_array(ck->arena, Expr *, dist->n_params + 1);
    m->params = param_exprs(ck, dist->n_params, m->span);
    dist->params[0] = (Param){
        .name = "w", .support = SUPPORT_SIMPLEX, .span = m->span, .n_dims = 1, .dims = {m->n}};
    var->args[0] = w;
    for (int k = 0; k < m->n; k++)
        for (int i = 0; i < m->component[k].dist->n_params; i++) {
            Param *param = &dist->params[m->first[k] + i];
            *param = m->component[k].dist->params[i];
            param->lo = body_of(m, k, param->lo, NULL);
            param->hi = body_of(m, k, param->hi, NULL);
            var->args[m->first[k] + i] = m->component[k].args[i];
        }
    const Distribution *first = m->component[0].dist;
    dist->support = (Support){first->support.kind, body_of(m, 0, first->support.lo, NULL),
                              body_of(m, 0, first->support.hi, NULL)};
}

static const char *name_of(const Mixture *m) {
    Text text;
    text_init(&text, m->ck->arena);
    text_add(&text, "mixture(");
    for (int k = 0; k < m->n && (k == 0 || !all_alike(m)); k++)
        text_printf(&text, "%s%s", k ? ", " : "", m->component[k].dist->name);
    text_add(&text, ")");
    return text.data;
}

static Distribution *new_distribution(Mixture *m) {
    const Distribution *first = m->component[0].dist;
    Distribution *dist = arena_new_of(m->ck->arena, Distribution);
    *dist = (Distribution){.name = name_of(m),
                           .doc = first->doc,
                           .span = m->span,
                           .n_dims = first->n_dims,
                           .n_params = 1,
                           .mixed = true,
                           .atoms = first->atoms};
    memcpy(dist->dims, first->dims, sizeof dist->dims);
    for (int k = 0; k < m->n; k++) {
        m->first[k] = dist->n_params;
        dist->n_params += m->component[k].dist->n_params;
    }
    if (dist->n_params <= MAX_ARGS) return dist;
    FAIL(m->ck, DIAG_TOO_MANY_PARAMS, m->span, dist->name, MAX_ARGS);
    return NULL;
}

bool mixture(Checker *ck, Var *var, const Ast *call) {
    Mixture *m = arena_new_of(ck->arena, Mixture);
    m->ck = ck;
    m->span = call->span;
    bool each = call->args.n == 2 && call->args.data[1]->kind == AST_COMPREHENSION;
    if (call->args.n < 3 && !each) {
        FAIL(ck, DIAG_ARGUMENT_COUNT, call->span, "mixture",
             "weights and two or more distributions", call->args.n);
        return false;
    }
    const Ast *weights = call->args.data[0];
    Expr *w = resolve_value(ck, weights->kind == AST_NAMED ? weights->value : weights);
    bool good = w != NULL;
    if (each) good = add_each(m, var, call->args.data[1]) && good;
    for (int i = 1; i < call->args.n && !each; i++)
        good = add_component(m, var, call->args.data[i]) && good;
    for (int k = 1; k < m->n && good; k++) good = same_set(m, k);
    Param simplex = {.name = "w", .n_dims = 1, .dims = {m->n}};
    if (!good) return false;
    if (m->n < 2) {
        FAIL(ck, DIAG_ARGUMENT_COUNT, call->span, "mixture", "two or more components", m->n);
        return false;
    }
    Distribution *dist = new_distribution(m);
    if (!dist) return false;
    var->dist = dist;
    if (!check_argument(ck, var, dist->n_dims, &simplex, w)) return false;
    gather(m, dist, var, w);
    return make_bodies(m, dist);
}
