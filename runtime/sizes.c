/* sizes.c -- the plate sizes that training covers: a range per plate, drawn log-uniformly; and
 * arithmetic of sizes (sizes.h).
 *
 * A size n of lo..hi has probability log((n + 1) / n) / log((hi + 1) / lo): as many data sets
 * between 2 and 4 as between 20 and 40 (where lo is 0, n + 1 is so drawn). One number per plate and
 * block of data sets, from the counter (step, block, plate) alone: the same under any number of
 * threads or lanes. A ragged plate has one size in all instances of its parent in half of the
 * blocks, and in the others a size for each. A cross has the size of the plate that it lies across.
 */
#include "runtime/session.h"

#include "runtime/random.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ---- arithmetic ---- */

int64_t rt_instances_in(const RtSizes *sizes, int plate, int64_t parents) {
    const int64_t *first = sizes->first[plate];
    return first ? first[parents] : parents * sizes->n[plate];
}

int64_t rt_instances(const RtModel *m, const RtSizes *sizes, int plate) {
    if (plate < 0) return 1;
    return rt_instances_in(sizes, plate, rt_instances(m, sizes, m->plates[plate].parent));
}

int64_t rt_var_instances(const RtVar *v, const RtSizes *sizes) {
    int64_t extent[RT_MAX_PLATES], all = 1;
    for (int i = 0; i < v->n_plates; i++) {
        const int64_t *first = sizes->first[v->plates[i]];
        extent[0] = all, extent[1] = sizes->n[v->plates[i]];
        all = first ? first[all] : rt_product(extent, 2);
        if (all < 0) return -1;
    }
    return all;
}

int64_t rt_var_size(const RtVar *v, const RtSizes *sizes) {
    int64_t extent[] = {rt_var_instances(v, sizes), v->event};
    return extent[0] < 0 ? -1 : rt_product(extent, 2);
}

/* The parent whose instances `flat` is among. */
static int64_t parent_of(const int64_t *first, int64_t parents, int64_t flat) {
    int64_t low = 0, high = parents - 1;
    while (low < high) {
        int64_t middle = (low + high + 1) / 2;
        if (first[middle] <= flat)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

void rt_var_place(const RtVar *v, const RtSizes *sizes, int64_t flat, int64_t *index,
                  int64_t *among) {
    int64_t all[RT_MAX_PLATES + 1] = {1};
    for (int i = 0; i < v->n_plates; i++) all[i + 1] = rt_instances_in(sizes, v->plates[i], all[i]);
    for (int i = v->n_plates - 1; i >= 0; i--) {
        const int64_t *first = sizes->first[v->plates[i]];
        int64_t n = sizes->n[v->plates[i]];
        int64_t parent = first ? parent_of(first, all[i], flat) : n ? flat / n : 0;
        if (among) among[i] = flat;
        index[i] = flat - rt_instances_in(sizes, v->plates[i], parent);
        flat = parent;
    }
}

int rt_plate_shape(const RtModel *m, const RtSizes *sizes, int plate, int64_t *dims) {
    if (plate < 0) return 0;
    if (rt_sizes_even(m, sizes, plate)) {
        int n = rt_plate_shape(m, sizes, m->plates[plate].parent, dims);
        dims[n] = sizes->n[plate];
        return n + 1;
    }
    dims[0] = rt_instances(m, sizes, plate);
    return 1;
}

int rt_var_shape(const RtModel *m, const RtVar *v, const RtSizes *sizes, int64_t *dims) {
    int n = rt_plate_shape(m, sizes, v->n_plates ? v->plates[v->n_plates - 1] : -1, dims);
    for (int i = 0; i < v->n_dims; i++) dims[n++] = v->dims[i];
    return n;
}

void rt_sizes_room(RtMem *mem, const RtModel *m, const RtSizes *largest, RtSizes *sizes) {
    for (int i = 0; i < m->n_plates; i++) {
        int64_t parents = rt_instances(m, largest, m->plates[i].parent);
        sizes->first[i] = m->plates[i].ragged ? rt_alloc(mem, parents + 1, sizeof(int64_t)) : NULL;
    }
}

static void balance(const RtModel *m, RtSizes *sizes, int plate) {
    int64_t parents = rt_instances(m, sizes, m->plates[plate].parent);
    for (int64_t k = 0; k <= parents; k++) sizes->first[plate][k] = k * sizes->n[plate];
}

void rt_sizes_keep_even(RtMem *mem, const RtModel *m, RtSizes *sizes, const bool *cut) {
    for (int i = 0; i < m->n_plates; i++) {
        sizes->n[i] = sizes->n[rt_counts(m, i)];
        if (!m->plates[i].ragged || cut[i]) continue;
        int64_t parents = rt_instances(m, sizes, m->plates[i].parent);
        sizes->first[i] = rt_alloc(mem, parents + 1, sizeof(int64_t));
        balance(m, sizes, i);
    }
}

void rt_sizes_balance(RtMem *mem, const RtModel *m, RtSizes *sizes) {
    rt_sizes_keep_even(mem, m, sizes, (const bool[RT_MAX_PLATES]){false});
}

RtSizes rt_sizes_balanced(RtMem *mem, const RtModel *m, const int64_t *n) {
    RtSizes sizes = {{0}, {0}};
    for (int i = 0; i < m->n_plates; i++) sizes.n[i] = n[i];
    rt_sizes_balance(mem, m, &sizes);
    return sizes;
}

void rt_sizes_cut(RtMem *mem, const RtModel *m, RtSizes *sizes, int plate, const int64_t *count) {
    int64_t parents = rt_instances(m, sizes, m->plates[plate].parent);
    int64_t *first = sizes->first[plate] = rt_alloc(mem, parents + 1, sizeof *first);
    sizes->n[plate] = 0;
    for (int64_t k = 0; k < parents; k++) {
        first[k + 1] = first[k] + count[k];
        if (count[k] > sizes->n[plate]) sizes->n[plate] = count[k];
    }
}

int64_t rt_sizes_least(const RtModel *m, const RtSizes *sizes, int plate) {
    const int64_t *first = sizes->first[plate];
    int64_t parents = rt_instances(m, sizes, m->plates[plate].parent), least = sizes->n[plate];
    for (int64_t k = 0; first && k < parents; k++)
        if (first[k + 1] - first[k] < least) least = first[k + 1] - first[k];
    return least;
}

bool rt_sizes_even(const RtModel *m, const RtSizes *sizes, int plate) {
    return rt_sizes_least(m, sizes, plate) == sizes->n[plate];
}

void rt_sizes_text(const RtModel *m, const RtSizes *sizes, RtBytes *out) {
    for (int i = 0; i < m->n_plates; i++)
        if (m->plates[i].across < 0)
            rt_bytes_printf(out, ", %s = %" PRId64, m->plates[i].name, sizes->n[i]);
}

void rt_sizes_json(const RtModel *m, const RtSizes *sizes, RtBytes *out) {
    const char *between = "";
    rt_bytes_printf(out, "{");
    for (int i = 0; i < m->n_plates; i++) {
        if (m->plates[i].across >= 0) continue;
        rt_bytes_printf(out, "%s\"%s\": %" PRId64, between, m->plates[i].name, sizes->n[i]);
        between = ", ";
    }
    rt_bytes_printf(out, "}");
}

/* ---- training ---- */

bool rt_sizes_vary(const RtModel *m, const RtState *state) {
    for (int i = 0; i < m->n_plates && !state->one_size; i++)
        if (state->lo[i] < state->hi[i]) return true;
    return false;
}

static int64_t log_uniform(int64_t lo, int64_t hi, double u) {
    if (lo == 0) return log_uniform(1, hi + 1, u) - 1;
    double n = floor((double)lo * exp(u * log(((double)hi + 1) / (double)lo)));
    return n < (double)lo ? lo : n > (double)hi ? hi : (int64_t)n;
}

typedef struct Drawing {
    uint32_t seed, step, block;
} Drawing;

/* Two numbers in (0, 1), of a plate (instance 0), or of an instance of its parent. */
static void uniform(Drawing d, int plate, int64_t instance, double u[2]) {
    const uint32_t key[2] = {d.seed, RT_FOR_SIZES};
    uint32_t words[4];
    av_philox(key, (uint32_t[4]){d.step, d.block, (uint32_t)plate, (uint32_t)instance}, words);
    for (int i = 0; i < 2; i++) u[i] = (words[i] + 0.5) * 0x1p-32;
}

/* `sizes` has room. */
static void draw_cut(const RtModel *m, const RtState *state, Drawing d, int plate, RtSizes *sizes) {
    int64_t parents = rt_instances(m, sizes, m->plates[plate].parent), most = 0;
    int64_t *first = sizes->first[plate];
    double u[2];
    first[0] = 0;
    for (int64_t k = 0; k < parents; k++) {
        uniform(d, plate, k + 1, u);
        int64_t n = log_uniform(state->lo[plate], state->hi[plate], u[0]);
        first[k + 1] = first[k] + n;
        if (n > most) most = n;
    }
    sizes->n[plate] = most;
}

void rt_sizes_draw(const RtModel *m, const RtState *state, uint32_t seed, uint32_t step,
                   uint32_t block, RtSizes *sizes) {
    Drawing d = {seed, step, block};
    for (int i = 0; i < m->n_plates; i++) {
        double u[2];
        uniform(d, i, 0, u);
        sizes->n[i] = m->plates[i].across >= 0 ? sizes->n[m->plates[i].across]
                                               : log_uniform(state->lo[i], state->hi[i], u[0]);
        if (!m->plates[i].ragged) continue;
        if (u[1] < 0.5)
            balance(m, sizes, i);
        else
            draw_cut(m, state, d, i, sizes);
    }
}

void rt_sizes_usual(RtMem *mem, const RtModel *m, RtState *state, const bool *given) {
    RtSizes *sizes = &state->sizes;
    for (int i = 0; i < m->n_plates; i++) {
        const int counted = rt_counts(m, i);
        sizes->n[i] = sizes->n[counted];
        state->lo[i] = state->lo[counted];
        state->hi[i] = state->hi[counted];
        if (!m->plates[i].ragged) continue;
        int64_t parents = rt_instances(m, sizes, m->plates[i].parent);
        sizes->first[i] = rt_alloc(mem, parents + 1, sizeof(int64_t));
        if (given && given[i])
            balance(m, sizes, i);
        else
            draw_cut(m, state, (Drawing){0, UINT32_MAX, 1}, i, sizes);
    }
}

RtSizes rt_sizes_largest(RtMem *mem, const RtModel *m, const RtState *state) {
    if (!rt_sizes_vary(m, state)) return state->sizes;
    return rt_sizes_balanced(mem, m, state->hi);
}

int rt_sizes_grid(RtMem *mem, const RtModel *m, const RtState *state, RtSizes grid[RT_GRID]) {
    if (!rt_sizes_vary(m, state)) {
        grid[0] = state->sizes;
        return 1;
    }
    int64_t least[RT_MAX_PLATES];
    for (int i = 0; i < m->n_plates; i++) least[i] = state->lo[i] ? state->lo[i] : 1;
    grid[0] = rt_sizes_balanced(mem, m, least);
    grid[1] = state->sizes;
    grid[2] = rt_sizes_balanced(mem, m, state->hi);
    return RT_GRID;
}

double rt_latent_numbers(const RtModel *m, const RtSizes *sizes) {
    double n = 0;
    for (int i = 0; i < m->n_vars; i++)
        if (m->vars[i].kind == RT_LATENT) n += (double)rt_var_size(&m->vars[i], sizes);
    return n;
}

const char *rt_range_text(RtMem *mem, int64_t lo, int64_t hi) {
    return rt_printf(mem, lo < hi ? "%lld..%lld" : "%lld", (long long)lo, (long long)hi);
}
