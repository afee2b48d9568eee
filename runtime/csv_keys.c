/* csv_keys.c -- rows to instances by their keys, and what sizes the plates have. See csv_keys.h. */
#include "runtime/csv_keys.h"

#include <string.h>

enum { MOST_POSITIONS = 1 << 27 }; /* of padded groups: 1 GB for each number of theirs */

static bool duplicate(const RtKeys *k, int64_t row, int64_t before, RtError *error) {
    RtBytes key = {0};
    for (int i = 0; i < k->n_levels; i++) {
        int column = k->levels[i].column;
        const RtCell *c = rt_table_cell(k->t, row, column);
        rt_bytes_printf(&key, "%s%.60s = %.*s", i ? ", " : "", k->t->header[column], (int)c->n,
                        c->text);
    }
    rt_error(error,
             "%s:%lld:%d: the key occurs twice: %.300s\n  expected  one row per instance\n  found  "
             "   the same key in row %lld\n  repeated measurements need a plate of their own, "
             "inside this one",
             k->t->name, (long long)k->t->line[row], k->levels[k->n_levels - 1].column + 1,
             key.data, (long long)k->t->line[before]);
    rt_bytes_free(&key);
    return false;
}

/* The instance of a row, below `parent`; *fresh: the row is its first. */
static int64_t find_instance(RtLevel *l, const RtTable *t, int64_t parent, int64_t row,
                             bool *fresh) {
    int64_t instance = l->n;
    *fresh = true;
    if (l->column >= 0)
        instance = rt_index_add(&l->keys, parent, *rt_table_cell(t, row, l->column), fresh);
    if (*fresh) {
        l->parent[instance] = parent;
        l->row[instance] = row;
        l->n++;
    }
    return l->of_row[row] = instance;
}

static bool place_row(RtKeys *k, int64_t row, RtError *error) {
    int64_t parent = 0;
    for (int i = 0; i < k->n_levels; i++) {
        RtLevel *l = &k->levels[i];
        if (l->column >= 0 && rt_cell_missing(rt_table_cell(k->t, row, l->column)))
            return rt_error(error,
                            "%s:%lld:%d: the key %.60s is missing\n  expected  a name or a number "
                            "for the instance of plate %s\n  found     %s",
                            k->t->name, (long long)k->t->line[row], l->column + 1,
                            k->t->header[l->column], k->m->plates[l->plate].name,
                            rt_table_cell(k->t, row, l->column)->n ? "NA" : "an empty cell");
        bool fresh;
        parent = find_instance(l, k->t, parent, row, &fresh);
        if (i + 1 == k->n_levels && !fresh) return duplicate(k, row, l->row[parent], error);
    }
    return true;
}

static int64_t largest(const RtLevel *l, int64_t parents) {
    int64_t most = 0;
    for (int64_t p = 0; p < parents; p++)
        if (l->counts[p] > most) most = l->counts[p];
    return most;
}

/* Sizes of groups, and positions, once all instances of a level and those above are known. */
static void number_level(RtMem *mem, RtLevel *l, const RtLevel *above, bool padded) {
    int64_t n_parents = above ? above->n_positions : 1;
    int64_t *next = rt_alloc(mem, n_parents, sizeof *next);
    l->counts = rt_alloc(mem, n_parents, sizeof *l->counts);
    l->position = rt_alloc(mem, l->n, sizeof *l->position);
    for (int64_t i = 0; i < l->n; i++) l->counts[above ? above->position[l->parent[i]] : 0]++;
    int64_t most = largest(l, n_parents);
    for (int64_t p = 1; p < n_parents; p++)
        next[p] = next[p - 1] + (padded ? most : l->counts[p - 1]);
    l->n_positions = padded ? n_parents * most : l->n;
    for (int64_t i = 0; i < l->n; i++)
        l->position[i] = next[above ? above->position[l->parent[i]] : 0]++;
}

bool rt_keys_place(RtKeys *k, RtError *error) {
    const RtTable *t = k->t;
    for (int i = 0; i < k->n_levels; i++) {
        RtLevel *l = &k->levels[i];
        l->parent = rt_alloc(t->mem, t->n_rows, sizeof *l->parent);
        l->row = rt_alloc(t->mem, t->n_rows, sizeof *l->row);
        l->of_row = rt_alloc(t->mem, t->n_rows, sizeof *l->of_row);
        if (l->column >= 0) l->keys = rt_index_new(t->mem, t->n_rows);
    }
    for (int64_t row = 0; row < t->n_rows; row++)
        if (!place_row(k, row, error)) return false;
    if (!k->n_levels && t->n_rows > 1)
        return rt_error(error, "%s: %lld rows\n  expected  one: nothing observed stands in a plate",
                        t->name, (long long)t->n_rows);
    for (int i = 0; i < k->n_levels; i++) {
        const RtPlate *plate = &k->m->plates[k->levels[i].plate];
        number_level(t->mem, &k->levels[i], i ? &k->levels[i - 1] : NULL,
                     k->padded && !plate->ragged);
        if (k->levels[i].n_positions > MOST_POSITIONS)
            return rt_error(error,
                            "%s: groups of plate %s are too unequal\n  expected  at most %d places "
                            "when all are as large as the largest\n  found     %lld\n  split the "
                            "file, or give plate %s a range of sizes in the model",
                            t->name, plate->name, MOST_POSITIONS,
                            (long long)k->levels[i].n_positions, plate->name);
    }
    return true;
}

/* ---- sizes ---- */

/* "batch C, cask a": an instance by the keys on its path, or by its row where there are none. */
static void path_text(const RtKeys *k, int level, int64_t instance, RtBytes *out) {
    const RtLevel *l = &k->levels[level];
    if (level) {
        path_text(k, level - 1, l->parent[instance], out);
        rt_bytes_printf(out, ", ");
    }
    const RtCell *key = l->column < 0 ? NULL : &l->keys.keys[instance];
    rt_bytes_printf(out, "%s %.*s", k->m->plates[l->plate].column,
                    key ? (int)(key->n > 60 ? 60 : key->n) : 1, key ? key->text : "?");
}

static int64_t instance_at(const RtLevel *l, int64_t position) {
    int64_t i = 0;
    while (l->position[i] != position) i++;
    return i;
}

static bool unequal(const RtKeys *k, int level, int64_t other, RtError *error) {
    const RtLevel *l = &k->levels[level], *above = &k->levels[level - 1];
    int64_t instance = instance_at(above, other);
    RtBytes first = {0}, second = {0};
    path_text(k, level - 1, 0, &first); /* the first to appear stands at position 0 */
    path_text(k, level - 1, instance, &second);
    rt_error(error,
             "%s:%lld: groups of unequal size\n  expected  %lld of plate %s in every group, as in "
             "%s (from row %lld)\n  found     %lld in %s"
             "\n  this model has equal groups: look for a row that is missing, or give plate %s a "
             "range of sizes in the model, plate %s(1..%lld), and train again",
             k->t->name, (long long)k->t->line[above->row[instance]], (long long)l->counts[0],
             k->m->plates[l->plate].name, first.data, (long long)k->t->line[above->row[0]],
             (long long)l->counts[other], second.data, k->m->plates[l->plate].name,
             k->m->plates[l->plate].name, (long long)largest(l, above->n));
    rt_bytes_free(&first);
    rt_bytes_free(&second);
    return false;
}

bool rt_keys_sizes(const RtKeys *k, RtMem *mem, const RtDataOptions *options, RtSizes *sizes,
                   RtError *error) {
    bool cut[RT_MAX_PLATES] = {false};
    for (int i = 0; i < k->n_levels; i++) {
        const RtLevel *l = &k->levels[i];
        int64_t parents = i ? k->levels[i - 1].n_positions : 1, given = options->sizes.n[l->plate];
        bool ragged = k->m->plates[l->plate].ragged;
        for (int64_t p = 0; p < parents; p++) {
            if (l->counts[p] != l->counts[0] && !ragged && !k->padded)
                return unequal(k, i, p, error);
            if (options->given[l->plate] && given != l->counts[p])
                return rt_error(error, "%s: %lld of plate %s, but --size says %lld", k->t->name,
                                (long long)l->counts[p], k->m->plates[l->plate].name,
                                (long long)given);
        }
        sizes->n[l->plate] = largest(l, parents);
        if (ragged) rt_sizes_cut(mem, k->m, sizes, l->plate, l->counts);
        cut[l->plate] = ragged;
    }
    rt_sizes_keep_even(mem, k->m, sizes, cut);
    return true;
}

char **rt_keys_labels(const RtKeys *k, int level) {
    const RtLevel *l = &k->levels[level];
    if (l->column < 0) return NULL;
    char **labels = rt_alloc(k->t->mem, l->n_positions, sizeof *labels);
    for (int64_t i = 0; i < l->n_positions; i++) labels[i] = "";
    for (int64_t i = 0; i < l->n; i++)
        labels[l->position[i]] = rt_copy_text(k->t->mem, l->keys.keys[i].text, l->keys.keys[i].n);
    return labels;
}

bool *rt_keys_there(const RtKeys *k, int level) {
    const RtLevel *l = &k->levels[level];
    if (l->n_positions == l->n) return NULL;
    bool *there = rt_alloc(k->t->mem, l->n_positions, sizeof *there);
    for (int64_t i = 0; i < l->n; i++) there[l->position[i]] = true;
    return there;
}
