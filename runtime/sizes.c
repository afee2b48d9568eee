/* sizes.c -- the plate sizes that training covers: a range per plate, drawn log-uniformly.
 *
 * A size n of lo..hi has probability log((n + 1) / n) / log((hi + 1) / lo): as many data sets
 * between 2 and 4 as between 20 and 40. One number per plate and block of data sets, from the
 * counter (step, block, plate) alone: the same under any number of threads or lanes. */
#include "runtime/session.h"

#include "runtime/random.h"

#include <math.h>
#include <string.h>

bool rt_sizes_vary(const RtModel *m, const RtState *state) {
    for (int i = 0; i < m->n_plates; i++)
        if (state->lo[i] < state->hi[i]) return true;
    return false;
}

static int64_t log_uniform(int64_t lo, int64_t hi, double u) {
    double n = floor((double)lo * exp(u * log(((double)hi + 1) / (double)lo)));
    return n < (double)lo ? lo : n > (double)hi ? hi : (int64_t)n;
}

void rt_sizes_draw(const RtModel *m, const RtState *state, uint32_t seed, uint32_t step,
                   uint32_t block, int64_t *sizes) {
    const uint32_t key[2] = {seed, RT_FOR_SIZES};
    for (int i = 0; i < m->n_plates; i++) {
        uint32_t words[4];
        av_philox(key, (uint32_t[4]){step, block, (uint32_t)i, 0}, words);
        sizes[i] = log_uniform(state->lo[i], state->hi[i], (words[0] + 0.5) * 0x1p-32);
    }
}

int rt_sizes_grid(const RtModel *m, const RtState *state, int64_t grid[][RT_MAX_PLATES]) {
    bool vary = rt_sizes_vary(m, state);
    const int64_t *const points[RT_GRID] = {state->lo, state->sizes, state->hi};
    for (int k = 0; vary && k < RT_GRID; k++) memcpy(grid[k], points[k], sizeof grid[k]);
    if (!vary) memcpy(grid[0], state->sizes, sizeof grid[0]);
    return vary ? RT_GRID : 1;
}

double rt_latent_numbers(const RtModel *m, const int64_t *sizes) {
    double n = 0;
    for (int i = 0; i < m->n_vars; i++) {
        if (m->vars[i].kind != RT_LATENT) continue;
        double here = (double)m->vars[i].event;
        for (int k = 0; k < m->vars[i].n_plates; k++) here *= (double)sizes[m->vars[i].plates[k]];
        n += here;
    }
    return n;
}

const char *rt_range_text(RtMem *mem, int64_t lo, int64_t hi) {
    return rt_printf(mem, lo < hi ? "%lld..%lld" : "%lld", (long long)lo, (long long)hi);
}
