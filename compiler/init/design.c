/* design.c -- what the columns hold, as the family of the outcome needs it; terms to effects. See
 * design.h. */
#include "init/design.h"

#include <math.h>

const OutcomeInfo outcome_info[OUTCOME_COUNT] = {
#define OUTCOME(NAME, link, values, intercept, slope, groups, law, summary) \
    {#NAME, LINK_##link, VALUES_##values, intercept, slope, groups, law, summary},
#include "init/families.def"
#undef OUTCOME
};

OutcomeKind outcome_named(const char *name) {
    int k = 0;
    while (k < OUTCOME_COUNT && strcasecmp(outcome_info[k].name, name)) k++;
    return (OutcomeKind)k;
}

/* ---- effects ---- */

static const FrameColumn *column_of(const Frame *a, int var) {
    return &a->columns[a->of_var[var]];
}

/* Is the variable a factor in the formula? */
static bool is_factor(const Frame *a, int var) {
    return column_of(a, var)->text || a->f->vars[var].factor;
}

/* A variable that is no factor, in a row, before anything is taken off. */
static double plain_value(const Frame *a, int var, int64_t row) {
    return transform_at(a->f->vars[var].transform, column_of(a, var)->x[row]);
}

/* Where 0 is farther from a variable than its range is wide, the intercept would be a number that
 * the outcome's location says nothing about: then it is one at a round number near the mean. */
static void find_centers(const Frame *a, Design *d) {
    double *x = rt_alloc(a->t.mem, a->t.n_rows, sizeof *x);
    for (int v = 0; v < a->f->n_vars && !a->f->fixed.without_intercept; v++) {
        if (is_factor(a, v) || a->f->offsets >> v & 1) continue;
        for (int64_t row = 0; row < a->t.n_rows; row++) x[row] = plain_value(a, v, row);
        Moments m = frame_moments(x, a->t.n_rows);
        double range = m.most - m.least, step = pow(10, floor(log10(range)));
        if (range > 0 && isfinite(range) && (m.least > range || m.most < -range))
            d->center[v] = round(m.mean / step) * step;
    }
}

/* What an effect multiplies, in a row. */
static double value(const Frame *a, const Design *d, const Effect *e, int64_t row) {
    double x = 1;
    for (int v = 0; v < a->f->n_vars; v++) {
        if (!(e->vars >> v & 1)) continue;
        x *= is_factor(a, v) ? column_of(a, v)->x[row] == e->level[v]
                             : plain_value(a, v, row) - d->center[v];
    }
    return x;
}

/* A label as a part of a name. */
static void add_label(const char *label, RtBytes *out) {
    rt_bytes_printf(out, "_");
    for (; *label; label++) {
        bool plain = (*label >= '0' && *label <= '9') || (*label >= 'a' && *label <= 'z') ||
                     (*label >= 'A' && *label <= 'Z');
        if (out->n < 60) rt_bytes_printf(out, "%c", plain ? *label : '_');
    }
}

static void describe_effect(const Frame *a, const Design *d, Effect *e) {
    RtBytes name = {0}, times = {0};
    e->plate = DATA_SET;
    for (int v = 0; v < a->f->n_vars; v++) {
        if (!(e->vars >> v & 1)) continue;
        const FrameColumn *c = column_of(a, v);
        const Transform *t = a->f->vars[v].transform;
        e->plate = frame_meet(a, e->plate, c->plate);
        if (name.n) rt_bytes_printf(&name, "_");
        if (a->f->vars[v].scaled)
            rt_bytes_printf(&name, "scale_%s", c->name);
        else
            transform_name(t, c->name, &name);
        rt_bytes_printf(&times, "%s", times.n ? " * " : "");
        if (is_factor(a, v)) {
            add_label(c->labels[e->level[v]], &name);
            rt_bytes_printf(&times, "(%s == %d ? 1 : 0)", c->name, e->level[v]);
        } else {
            double off = d->center[v];
            if (off != 0) rt_bytes_printf(&times, "(");
            transform_text(t, c->name, &times);
            if (off != 0) rt_bytes_printf(&times, " %c %.10g)", off > 0 ? '-' : '+', fabs(off));
        }
    }
    e->name = e->vars ? rt_copy_text(a->t.mem, name.data, name.n) : "intercept";
    e->times = e->vars ? rt_copy_text(a->t.mem, times.data, times.n) : NULL;
    rt_bytes_free(&name);
    rt_bytes_free(&times);
}

/* Its spread over the rows; of what is 0 and 1 alone, 1. 0: it never differs. */
static void measure_effect(const Frame *a, const Design *d, Effect *e) {
    double *x = rt_alloc(a->t.mem, a->t.n_rows, sizeof *x);
    bool bits = true;
    for (int64_t row = 0; row < a->t.n_rows; row++) {
        x[row] = value(a, d, e, row);
        bits &= x[row] == 0 || x[row] == 1;
    }
    e->sd = frame_moments(x, a->t.n_rows).sd;
    if (!e->vars || (e->sd > 0 && bits)) e->sd = 1;
}

static bool same_effect(const Frame *a, const Effect *e, const Effect *other) {
    bool same = e->vars == other->vars;
    for (int v = 0; same && v < a->f->n_vars; v++)
        if (e->vars >> v & 1 && is_factor(a, v)) same = e->level[v] == other->level[v];
    return same;
}

/* The number of an effect in the design; it never differs: -1; too many: -2; beyond what a number
 * holds: -3. */
static int add_effect(const Frame *a, Design *d, Effect e) {
    for (int i = 0; i < d->n_effects; i++)
        if (same_effect(a, &d->effects[i], &e)) return i;
    if (d->n_effects == MOST_EFFECTS) return -2;
    describe_effect(a, d, &e);
    measure_effect(a, d, &e);
    if (e.vars && e.sd == 0) return -1;
    if (!isfinite(e.sd)) return -3;
    d->effects[d->n_effects] = e;
    return d->n_effects++;
}

static bool has_term(const FormulaTerms *t, VarSet term) {
    for (int i = 0; i < t->n; i++)
        if (t->at[i] == term) return true;
    return false;
}

static int first_level(const FrameColumn *c) {
    int k = 0;
    while (!c->labels[k]) k++;
    return k;
}

typedef struct Expansion {
    const Frame *a;
    Design *d;
    const FormulaTerms *terms;
    int n, most, *effects; /* of all terms, by their numbers in the design */
    Place place;
    RtError *error;
} Expansion;

/* The effects of a term, once levels of the factors before variable `from` are chosen. */
static bool expand_levels(Expansion *x, Effect e, int from) {
    int v = from;
    while (v < x->a->f->n_vars && !(e.vars >> v & 1 && is_factor(x->a, v))) v++;
    if (v < x->a->f->n_vars) {
        const FrameColumn *c = column_of(x->a, v);
        bool differences = has_term(x->terms, e.vars & ~((VarSet)1 << v));
        for (int k = 0; k < c->n_levels; k++) {
            if (!c->labels[k] || (differences && k == first_level(c))) continue;
            e.level[v] = k;
            e.whole = !differences && e.vars == (VarSet)1 << v;
            if (!expand_levels(x, e, v + 1)) return false;
        }
        return true;
    }
    int at = add_effect(x->a, x->d, e);
    if (at == -1) return true; /* no row has these levels together */
    if (at == -3)
        return formula_error(x->a->f, x->place, x->error, "\n  scale the columns",
                             "a product or a function of columns is too large for a number");
    if (at == -2 || x->n == x->most)
        return formula_error(x->a->f, x->place, x->error,
                             x->most == MOST_CORRELATED
                                 ? "\n  (terms || groups) has effects that do not correlate"
                                 : "",
                             "more than %d effects", x->most);
    x->effects[x->n++] = at;
    return true;
}

static bool expand_terms(Expansion *x) {
    for (int i = 0; i < x->terms->n; i++) {
        Effect e = {.vars = x->terms->at[i]};
        int before = x->n;
        if (!expand_levels(x, e, 0)) return false;
        VarSet term = x->terms->at[i];
        if (x->n > before || (term & (term - 1))) continue;
        int v = 0;
        while (!(term >> v & 1)) v++;
        return formula_error(x->a->f, x->a->f->vars[v].place, x->error,
                             "\n  its effect cannot be told from the intercept: leave it out",
                             "%s is the same in every row", x->a->f->vars[v].column);
    }
    return true;
}

/* ---- blocks of effects ---- */

static bool add_block(const Frame *a, Design *d, int plate, const int *effects, int n, Place place,
                      RtError *error) {
    for (int b = 0; b < d->n_blocks; b++)
        for (int i = 0; i < d->blocks[b].n; i++)
            for (int k = 0; k < n; k++)
                if (d->blocks[b].plate == plate && d->blocks[b].effects[i] == effects[k])
                    return formula_error(a->f, place, error, "",
                                         "%s varies twice with these groups",
                                         d->effects[effects[k]].name);
    if (d->n_blocks == MOST_EFFECTS) return rt_error(error, "formula: too many effects of groups");
    Block *b = &d->blocks[d->n_blocks++];
    *b = (Block){.plate = plate, .n = n};
    memcpy(b->effects, effects, (size_t)n * sizeof *effects);
    return true;
}

static bool add_group(const Frame *a, Design *d, int group, RtError *error) {
    const FormulaGroup *g = &a->f->groups[group];
    int effects[MOST_EFFECTS], plate = a->of_group[group];
    if (plate < 0) return true; /* its effects are a vector */
    Expansion x = {.a = a,
                   .d = d,
                   .terms = &g->terms,
                   .most = g->correlated ? MOST_CORRELATED : MOST_EFFECTS,
                   .effects = effects,
                   .place = g->place,
                   .error = error};
    if (!expand_terms(&x)) return false;
    if (g->correlated) return add_block(a, d, plate, effects, x.n, g->place, error);
    for (int i = 0; i < x.n; i++)
        if (!add_block(a, d, plate, effects + i, 1, g->place, error)) return false;
    return true;
}

/* ---- the outcome ---- */

static bool wrong_value(const Frame *a, int64_t row, const FrameColumn *c, const char *expected,
                        RtError *error) {
    return rt_error(error, "%s: %s is out of range\n  expected  %s\n  found     %g",
                    frame_place(a, row, c), c->name, expected, c->x[row]);
}

static double trials_in(const Frame *a, int64_t row) {
    return a->trials >= 0 ? a->columns[a->trials].x[row] : (double)a->f->fixed_trials;
}

static bool check_values(const Frame *a, OutcomeKind kind, RtError *error) {
    const OutcomeInfo *info = &outcome_info[kind];
    const FrameColumn *y = &a->columns[a->outcome];
    bool trials = a->trials >= 0 || a->f->fixed_trials;
    if (trials != (info->values == VALUES_TRIALS))
        return formula_error(a->f, trials ? a->f->trials.place : a->f->outcome.place, error,
                             trials ? "\n  expected  --family binomial"
                                    : "\n  expected  cbind(y, n - y) or y | trials(n)",
                             trials ? "trials are of the binomial" : "out of how many?");
    for (int64_t row = 0; row < a->t.n_rows && info->values != VALUES_ANY; row++) {
        double x = y->x[row], n = trials ? trials_in(a, row) : 0;
        if (trials && !(n > 0 && n == floor(n)))
            return wrong_value(a, row, &a->columns[a->trials], "a whole number above 0", error);
        if (isnan(x)) continue;
        if (info->values == VALUES_BITS && x != 0 && x != 1)
            return wrong_value(a, row, y, "0 or 1", error);
        if (x < 0 || x != floor(x))
            return wrong_value(a, row, y, "a whole number from 0 on", error);
        if (trials && x > n)
            return wrong_value(a, row, y, rt_printf(a->t.mem, "at most %g, the trials there", n),
                               error);
    }
    return true;
}

static double offset_in(const Frame *a, int64_t row) {
    double sum = 0;
    for (int v = 0; v < a->f->n_vars; v++)
        if (a->f->offsets >> v & 1) sum += plain_value(a, v, row);
    return sum;
}

/* Where the outcome lies, and how far it spreads, beside offsets. */
static bool locate(const Frame *a, OutcomeKind kind, Design *d, RtError *error) {
    const FrameColumn *y = &a->columns[a->outcome];
    double *x = rt_alloc(a->t.mem, a->t.n_rows, sizeof *x), sum = 0, of = 0;
    int64_t n = 0;
    for (int64_t row = 0; row < a->t.n_rows; row++) {
        if (isnan(y->x[row])) continue;
        sum += y->x[row];
        of += outcome_info[kind].values == VALUES_TRIALS ? trials_in(a, row)
              : outcome_info[kind].link == LINK_LOG      ? exp(offset_in(a, row))
                                                         : 1;
        x[n++] = y->x[row] - offset_in(a, row);
    }
    Moments m = frame_moments(x, n);
    bool shares = outcome_info[kind].link == LINK_LOGIT;
    double share = (sum + 0.5) / (shares ? of + 1 : of); /* never 0, nor all */
    d->unit = 1;
    if (!n) return rt_error(error, "%s: no value of %s is there", a->t.name, y->name);
    if (!isfinite(share) || !isfinite(m.sd) || !isfinite(of) || !(of > 0))
        return rt_error(error,
                        "%s: %s or its offset is too large for a number\n  as in  offset(log(n)), "
                        "where n is an exposure",
                        a->t.name, y->name);
    if (shares) {
        d->location = log(share / (1 - share));
    } else if (outcome_info[kind].link == LINK_LOG) {
        d->location = log(share);
    } else {
        d->location = m.median;
        d->unit = m.sd;
        if (!(m.sd > 0))
            return rt_error(error, "%s: %s is the same in every row", a->t.name, y->name);
    }
    return true;
}

/* As many groups as rows: their differences are those of the rows. */
static bool check_groups(const Frame *a, OutcomeKind kind, RtError *error) {
    for (int g = 0; g < a->f->n_groups; g++) {
        if (a->of_group[g] < 0 || a->plates[a->of_group[g]].n < a->t.n_rows) continue;
        if (outcome_info[kind].link != LINK_IDENTITY) continue;
        return formula_error(a->f, a->f->groups[g].place, error,
                             "\n  expected  fewer groups than rows",
                             "every group has one row: its effect is the residual's");
    }
    return true;
}

bool design_make(const Frame *a, OutcomeKind kind, Design *d, RtError *error) {
    *d = (Design){0};
    if (!check_values(a, kind, error) || !check_groups(a, kind, error) ||
        !locate(a, kind, d, error))
        return false;
    find_centers(a, d);
    int fixed[MOST_EFFECTS];
    Expansion x = {.a = a,
                   .d = d,
                   .terms = &a->f->fixed,
                   .most = MOST_EFFECTS,
                   .effects = fixed,
                   .place = {0, (int)strlen(a->f->text)},
                   .error = error};
    if (!expand_terms(&x)) return false;
    for (int i = 0; i < x.n; i++) d->effects[fixed[i]].fixed = true;
    for (int g = 0; g < a->f->n_groups; g++)
        if (!add_group(a, d, g, error)) return false;
    return true;
}
