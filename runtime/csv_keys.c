/* csv_keys.c -- rows to instances by their keys, and what sizes the plates have. See csv_keys.h. */
#include "runtime/csv_keys.h"

#include <math.h>
#include <string.h>

enum { MOST_POSITIONS = 1 << 27 }; /* of padded groups: 1 GB for each number of theirs */

bool rt_keys_across(const RtModel *m, int cross, const RtVar *v) {
    return cross >= 0 && v->n_plates == 1 && v->plates[0] == m->plates[cross].across;
}

const RtVar *rt_keys_deepest(const RtModel *m, const char *file, const char *instead,
                             RtError *error) {
    const RtVar *deepest = NULL;
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        if (rt_is_data(v) && (!deepest || v->n_plates > deepest->n_plates)) deepest = v;
    }
    if (!deepest) return rt_error(error, "the model observes nothing"), NULL;
    const int cross = rt_cross_of(m, deepest);
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        if (!rt_is_data(v) || rt_keys_across(m, cross, v)) continue;
        for (int p = 0; p < v->n_plates; p++) {
            if (v->plates[p] == deepest->plates[p]) continue;
            rt_error(error,
                     "%s: %s and %s stand in different plates, which one long table cannot hold: "
                     "use %s",
                     file, v->name, deepest->name, instead);
            return NULL;
        }
    }
    return deepest;
}

/* Does the path end with a cross? */
static bool is_crossed(const RtKeys *k) {
    return k->n_levels && k->m->plates[k->levels[k->n_levels - 1].plate].across >= 0;
}

int rt_keys_count(const RtKeys *k) {
    return k->n_levels + is_crossed(k);
}

/* The plate whose instances a level's keys name. */
static const char *plate_name(const RtKeys *k, int level) {
    return k->m->plates[rt_counts(k->m, k->levels[level].plate)].name;
}

static bool duplicate(const RtKeys *k, int64_t row, int64_t before, RtError *error) {
    RtBytes key = {0};
    for (int i = 0; i < k->n_levels; i++) {
        int column = k->levels[i].column;
        const RtCell *c = rt_table_cell(k->t, row, column);
        rt_bytes_printf(&key, "%s%.60s = %.*s", i ? ", " : "", k->t->header[column], (int)c->n,
                        c->text);
    }
    rt_error(error,
             "%s:%lld:%d: the %s occurs twice: %.300s\n  expected  one row per %s\n  found     the "
             "same %s in row %lld\n  %s",
             k->t->name, (long long)k->t->line[row], k->levels[k->n_levels - 1].column + 1,
             is_crossed(k) ? "pair" : "key", key.data, is_crossed(k) ? "pair" : "instance",
             is_crossed(k) ? "pair" : "key", (long long)k->t->line[before],
             is_crossed(k) ? "of repeated measurements, average or sum them up first"
                           : "repeated measurements need a plate of their own, inside this one");
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
    bool fresh;
    for (int i = 0; i < k->n_levels; i++) {
        RtLevel *l = &k->levels[i];
        if (l->column >= 0 && rt_cell_missing(rt_table_cell(k->t, row, l->column)))
            return rt_error(error,
                            "%s:%lld:%d: the key %.60s is missing\n  expected  a name or a number "
                            "for the instance of plate %s\n  found     %s",
                            k->t->name, (long long)k->t->line[row], l->column + 1,
                            k->t->header[l->column], plate_name(k, i),
                            rt_table_cell(k->t, row, l->column)->n ? "NA" : "an empty cell");
        parent = find_instance(l, k->t, parent, row, &fresh);
        if (i + 1 == k->n_levels && !fresh) return duplicate(k, row, l->row[parent], error);
    }
    if (is_crossed(k)) find_instance(&k->levels[k->n_levels], k->t, 0, row, &fresh);
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

/* The same of a cross, whose pairs have a position each, with a row or without. */
static void number_pairs(RtMem *mem, RtLevel *l, const RtLevel *above, const RtLevel *across) {
    l->n_positions = above->n_positions * across->n;
    l->counts = rt_alloc(mem, above->n_positions, sizeof *l->counts);
    l->position = rt_alloc(mem, l->n, sizeof *l->position);
    for (int64_t p = 0; p < above->n_positions; p++) l->counts[p] = across->n;
    for (int64_t i = 0; i < l->n; i++)
        l->position[i] =
            above->position[l->parent[i]] * across->n + across->position[across->of_row[l->row[i]]];
}

static bool too_many(const RtKeys *k, int level, RtError *error) {
    const RtLevel *l = &k->levels[level];
    if (k->m->plates[l->plate].across >= 0)
        return rt_error(error,
                        "%s: too many pairs\n  expected  at most %d, of which a place is kept for "
                        "each\n  found     %lld of plate %s and %lld of plate %s\n  split the file",
                        k->t->name, MOST_POSITIONS, (long long)k->levels[level - 1].n,
                        plate_name(k, level - 1), (long long)k->levels[level + 1].n,
                        plate_name(k, level));
    return rt_error(error,
                    "%s: groups of plate %s are too unequal\n  expected  at most %d places when "
                    "all are as large as the largest\n  found     %lld\n  split the file, or give "
                    "plate %s a range of sizes in the model",
                    k->t->name, plate_name(k, level), MOST_POSITIONS, (long long)l->n_positions,
                    plate_name(k, level));
}

bool rt_keys_place(RtKeys *k, RtError *error) {
    const RtTable *t = k->t;
    const int crossed = is_crossed(k) ? k->n_levels : 0; /* the level across */
    for (int i = 0; i < rt_keys_count(k); i++) {
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
    if (crossed) number_level(t->mem, &k->levels[crossed], NULL, false);
    for (int i = 0; i < k->n_levels; i++) {
        RtLevel *l = &k->levels[i], *above = i ? l - 1 : NULL;
        if (crossed && i + 1 == crossed)
            number_pairs(t->mem, l, above, l + 1);
        else
            number_level(t->mem, l, above, k->padded && !k->m->plates[l->plate].ragged);
        if (l->n_positions > MOST_POSITIONS) return too_many(k, i, error);
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
    for (int i = 0; i < rt_keys_count(k); i++) {
        const RtLevel *l = &k->levels[i];
        int64_t parents = i && i < k->n_levels ? k->levels[i - 1].n_positions : 1,
                given = options->sizes.n[l->plate];
        bool ragged = k->m->plates[l->plate].ragged;
        for (int64_t p = 0; p < parents; p++) {
            if (l->counts[p] != l->counts[0] && !ragged && !k->padded)
                return unequal(k, i, p, error);
            if (options->given[l->plate] && given != l->counts[p])
                return rt_error(error, "%s: %lld of plate %s, but --size says %lld", k->t->name,
                                (long long)l->counts[p], plate_name(k, i), (long long)given);
        }
        sizes->n[l->plate] = largest(l, parents);
        if (ragged) rt_sizes_cut(mem, k->m, sizes, l->plate, l->counts);
        cut[l->plate] = ragged;
    }
    rt_sizes_keep_even(mem, k->m, sizes, cut);
    return true;
}

bool rt_keys_whole(const RtKeys *k, RtError *error) {
    if (!is_crossed(k)) return true;
    const RtLevel *pairs = &k->levels[k->n_levels - 1], *above = pairs - 1, *across = pairs + 1;
    const bool *there = rt_keys_there(k, k->n_levels - 1);
    int64_t first = 0;
    double share = (double)pairs->n / (double)pairs->n_positions, lo = 0;
    if (!there) return true;
    while (there[first]) first++;
    for (double digits = 10; lo == 0; digits *= 10) lo = floor(share * digits) / digits;
    const RtCell *a = &above->keys.keys[first / across->n],
                 *b = &across->keys.keys[first % across->n];
    return rt_error(error,
                    "%s: no row of %s %.*s, %s %.*s, the first of %lld pairs that are absent\n  "
                    "expected  a row for each of %lld x %lld pairs of %s and %s\n  found     %lld "
                    "rows\n  if pairs may be absent, the model says so: cross %s, %s (%g..1) { ... "
                    "}; compile and train it again",
                    k->t->name, k->t->header[above->column], (int)(a->n > 60 ? 60 : a->n), a->text,
                    k->t->header[across->column], (int)(b->n > 60 ? 60 : b->n), b->text,
                    (long long)(pairs->n_positions - pairs->n), (long long)above->n,
                    (long long)across->n, plate_name(k, k->n_levels - 2),
                    plate_name(k, k->n_levels - 1), (long long)pairs->n,
                    plate_name(k, k->n_levels - 2), plate_name(k, k->n_levels - 1), lo);
}

char **rt_keys_labels(const RtKeys *k, int level) {
    const RtLevel *l = &k->levels[level];
    if (l->column < 0) return NULL;
    char **labels = rt_alloc(k->t->mem, l->n_positions, sizeof *labels);
    if (is_crossed(k) && level + 1 == k->n_levels) {
        char **each = rt_keys_labels(k, k->n_levels);
        int64_t n = k->levels[k->n_levels].n;
        for (int64_t i = 0; i < l->n_positions; i++) labels[i] = each[i % n];
        return labels;
    }
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
