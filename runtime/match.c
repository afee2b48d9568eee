/* match.c -- see match.h. Parents come before their children in the model's plates, so that one
 * pass from the outside in is enough. */
#include "runtime/match.h"

#include "runtime/table.h"

typedef struct Stretch {
    int64_t first, n;
} Stretch;

/* The instances of a plate in one of its parent. */
static Stretch inside(const RtSizes *sizes, int plate, int64_t parent) {
    const int64_t first = rt_instances_in(sizes, plate, parent);
    return (Stretch){first, rt_instances_in(sizes, plate, parent + 1) - first};
}

static bool in_table(const RtModel *m, int plate) {
    for (int i = 0; i < m->n_vars; i++)
        for (int k = 0; k < m->vars[i].n_plates; k++)
            if (rt_is_data(&m->vars[i]) && m->vars[i].plates[k] == plate) return true;
    return false;
}

static RtCell cell_of(char *label) {
    return (RtCell){label, strlen(label)};
}

/* The keys of a plate's instances, numbered as these are. */
static RtIndex keys_of(RtMem *mem, const RtModel *m, const RtData *d, int plate) {
    RtIndex keys = rt_index_new(mem, rt_instances(m, &d->sizes, plate));
    int64_t parents = rt_instances(m, &d->sizes, m->plates[plate].parent);
    bool fresh;
    for (int64_t p = 0; p < parents; p++) {
        Stretch s = inside(&d->sizes, plate, p);
        for (int64_t i = s.first; i < s.first + s.n; i++)
            rt_index_add(&keys, p, cell_of(d->labels[plate][i]), &fresh);
    }
    return keys;
}

/* Of each parent in `to`: that in `from`, or -1. The data set itself is matched. */
static int64_t parent_of(const RtModel *m, const RtMatch *match, int plate, int64_t p) {
    int parent = m->plates[plate].parent;
    return parent < 0 ? 0 : match->of[parent][p];
}

static void cut_alike(RtMem *mem, const RtModel *m, const RtData *from, RtData *to, int plate,
                      const RtMatch *match) {
    int64_t parents = rt_instances(m, &to->sizes, m->plates[plate].parent);
    int64_t *count = rt_alloc(mem, parents, sizeof *count);
    for (int64_t p = 0; p < parents; p++) {
        int64_t q = parent_of(m, match, plate, p);
        count[p] = q < 0 ? 0 : inside(&from->sizes, plate, q).n;
    }
    rt_sizes_cut(mem, m, &to->sizes, plate, count);
}

static void match_plate(RtMem *mem, const RtModel *m, const RtData *from, RtData *to, int plate,
                        RtMatch *match) {
    const bool keyed = from->labels[plate] && to->labels[plate], tabled = in_table(m, plate);
    RtIndex keys = {0};
    if (!tabled && m->plates[plate].ragged) cut_alike(mem, m, from, to, plate, match);
    if (keyed) keys = keys_of(mem, m, from, plate);
    int64_t parents = rt_instances(m, &to->sizes, m->plates[plate].parent);
    int64_t *of = match->of[plate] =
        rt_alloc(mem, rt_instances(m, &to->sizes, plate), sizeof *match->of[plate]);
    for (int64_t p = 0; p < parents; p++) {
        const int64_t q = parent_of(m, match, plate, p);
        const Stretch own = inside(&to->sizes, plate, p);
        for (int64_t i = 0; i < own.n; i++) {
            int64_t *one = &of[own.first + i];
            *one = -1;
            if (q < 0 || (to->there[plate] && !to->there[plate][own.first + i])) continue;
            if (keyed) {
                *one = rt_index_find(&keys, q, cell_of(to->labels[plate][own.first + i]));
            } else if (!tabled) {
                Stretch other = inside(&from->sizes, plate, q);
                if (i < other.n) *one = other.first + i;
            }
        }
    }
}

/* A pair is one of `from` where both of its instances are, and `from` has it. */
static void match_pairs(RtMem *mem, const RtModel *m, const RtData *from, RtData *to, int plate,
                        RtMatch *match) {
    const int64_t *first = match->of[m->plates[plate].parent];
    const int64_t *second = match->of[m->plates[plate].across];
    const int64_t n = to->sizes.n[plate], all = rt_instances(m, &to->sizes, plate);
    const bool *there = to->there[plate], *known = from->there[plate];
    int64_t *of = match->of[plate] = rt_alloc(mem, all, sizeof *of);
    for (int64_t i = 0; i < all; i++) {
        const int64_t p = first[i / n], q = second[i % n], pair = p * from->sizes.n[plate] + q;
        of[i] = -1;
        if (p >= 0 && q >= 0 && (!there || there[i]) && (!known || known[pair])) of[i] = pair;
    }
}

void rt_match(RtMem *mem, const RtModel *m, const RtData *from, RtData *to, RtMatch *out) {
    *out = (RtMatch){{0}};
    for (int plate = 0; plate < m->n_plates; plate++)
        (m->plates[plate].across < 0 ? match_plate : match_pairs)(mem, m, from, to, plate, out);
}
