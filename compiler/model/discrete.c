/* discrete.c -- which discrete latents are summed out together, and what that takes.
 *
 * Summing out z adds an axis of z's values to every factor that mentions it: its own law and those
 * of its children. In one instance of z's plate these are added up over the plates inside, and
 * replaced by the log of the sum of their exponentials over that axis. Two discrete latents that
 * meet in a factor (a child of both, or one that hangs on the other) are summed out one after the
 * other, inner plates first: what is left of the first is a factor of the second, with an axis for
 * its values (variable elimination; over plates: Obermeyer et al., Tensor variable elimination for
 * plated factor graphs, 2019). Plates are a tree and a factor's plates are a path in it, so that
 * this is exact for whatever the language can say; only reductions over z's own plate, which would
 * couple its instances, and what depends on both sides of a cross are refused by the front end. */
#include "model/model.h"

typedef struct Reads {
    Var *const *summed;
    int n;
    bool *mark; /* by position in `summed` */
} Reads;

static void note(void *user, Var *var) {
    Reads *reads = user;
    for (int i = 0; i < reads->n; i++)
        if (reads->summed[i] == var) reads->mark[i] = true;
}

/* mark[i]: the law of `var` depends on summed[i], or `var` is it. */
static bool mark_reads(const Var *var, Var *const *summed, int n, bool *mark) {
    Reads reads = {summed, n, mark};
    bool any = false;
    for (int i = 0; i < n; i++) mark[i] = summed[i] == var;
    for (int i = 0; var->dist && i < var->dist->n_params; i++)
        expr_visit_vars(var->args[i], note, &reads);
    for (int i = 0; i < n; i++) any |= mark[i];
    return any;
}

static bool is_unknown(const Var *var) {
    return var->kind == VAR_LATENT || var->kind == VAR_OBSERVED || var->kind == VAR_SUMMED;
}

/* All discrete latents: inner plates first, and among equals what is declared last. */
static Var **sorted_summed(Arena *arena, const Model *model, int *n) {
    Var **summed = arena_array(arena, Var *, model->vars.n + 1);
    *n = 0;
    for (int i = model->vars.n - 1; i >= 0; i--) {
        Var *var = model->vars.data[i];
        if (var->kind != VAR_SUMMED) continue;
        int at = (*n)++;
        for (; at > 0 && plates_around(summed[at - 1]->type.plate) < plates_around(var->type.plate);
             at--)
            summed[at] = summed[at - 1];
        summed[at] = var;
    }
    return summed;
}

static void fill_group(Arena *arena, const Model *model, Var *const *summed, int n, const int *of,
                       int which, SumGroup *group) {
    bool *mark = arena_array(arena, bool, n + 1);
    group->summed = arena_array(arena, Var *, n);
    group->factors = arena_array(arena, Var *, model->vars.n);
    for (int i = 0; i < n; i++)
        if (of[i] == which) group->summed[group->n++] = summed[i];
    for (int i = 0; i < model->vars.n; i++) {
        Var *var = model->vars.data[i];
        if (!is_unknown(var) || var->kind == VAR_SUMMED) continue;
        if (!mark_reads(var, group->summed, group->n, mark)) continue;
        group->factors[group->n_factors++] = var;
        group->observed |= var->kind == VAR_OBSERVED;
    }
}

SumGroup *model_sum_groups(Arena *arena, const Model *model, int *n_groups) {
    int n;
    Var **summed = sorted_summed(arena, model, &n);
    int *of = arena_array(arena, int, n + 1);
    bool *mark = arena_array(arena, bool, n + 1);
    for (int i = 0; i < n; i++) of[i] = i;
    for (int k = 0; k < model->vars.n; k++) {
        const Var *var = model->vars.data[k];
        if (!is_unknown(var) || !mark_reads(var, summed, n, mark)) continue;
        int first = -1;
        for (int i = 0; i < n; i++) {
            if (!mark[i]) continue;
            if (first < 0) first = of[i];
            for (int j = 0, from = of[i]; j < n; j++)
                if (of[j] == from) of[j] = first;
        }
    }
    SumGroup *groups = arena_array(arena, SumGroup, n + 1);
    *n_groups = 0;
    for (int which = 0; which < n; which++) {
        bool any = false;
        for (int i = 0; i < n; i++) any |= of[i] == which;
        if (any) fill_group(arena, model, summed, n, of, which, &groups[(*n_groups)++]);
    }
    return groups;
}

static void find_summed(void *user, Var *var) {
    if (var->kind == VAR_SUMMED) *(bool *)user = true;
}

bool var_reads_summed(const Var *var) {
    bool found = false;
    for (int i = 0; var->dist && i < var->dist->n_params; i++)
        expr_visit_vars(var->args[i], find_summed, &found);
    return found;
}

/* The steps of the elimination, on sets of variables alone. */
double model_table_size(const SumGroup *group) {
    Arena *arena = arena_new();
    int n = group->n, n_sets = group->n + group->n_factors;
    bool *sets = arena_array(arena, bool, n_sets *n + 1);
    double largest = 1;
    for (int f = 0; f < n_sets; f++) {
        const Var *var = f < n ? group->summed[f] : group->factors[f - n];
        mark_reads(var, group->summed, n, sets + f * n);
    }
    for (int z = 0; z < n; z++) {
        bool *all = arena_array(arena, bool, n);
        int into = -1;
        for (int f = 0; f < n_sets; f++) {
            if (!sets[f * n + z]) continue;
            for (int i = 0; i < n; i++) {
                all[i] |= sets[f * n + i];
                sets[f * n + i] = false;
            }
            if (into < 0) into = f;
        }
        double size = 1;
        for (int i = 0; i < n; i++)
            if (all[i]) size *= (double)group->summed[i]->n_values;
        if (size > largest) largest = size;
        all[z] = false;
        memcpy(sets + into * n, all, sizeof *all * (size_t)n);
    }
    arena_free(arena);
    return largest;
}
