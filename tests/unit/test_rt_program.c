/* Manifests, calls over threads, and Pareto smoothing, on the hand-made model of rt_fake_model.c.
 */
#include "check.h"
#include "rt_fake_model.h"
#include "runtime/gemm.h"
#include "runtime/random.h"
#include "runtime/psis.h"
#include "runtime/session.h"

#include <stdlib.h>
#include <string.h>

/* Every function that generated code may call exists with the type that abi.def states. */
#define ABI_CALL(name, result, parameters, doc) \
    static result(*const check_##name) parameters = name;
#include "runtime/abi.def"
#undef ABI_CALL

static RtError error;

static void abi_is_complete(void) {
    CHECK(check_av_fill_f32 && check_av_fill_f64 && check_av_gemm_f32 && check_av_gemm_f64, "null");
}

static void manifest_is_read(void) {
    RtMem *mem = rt_mem_new();
    const RtModel *m = rt_model_new(mem, adavic_manifest, &error);
    fake_overflow = INFINITY;
    if (!CHECK(m, "%s", error.text)) return;
    CHECK(!strcmp(m->target, "by \"hand\"") && !strcmp(m->hash, "00c0ffee00c0ffee") && !m->f64,
          "words");
    CHECK(m->n_plates == 2 && m->plates[1].parent == 0 && m->plates[1].depth == 1, "plates");
    CHECK(m->n_parameters == 7 && m->flat == 64 && m->weights[1].offset == 16, "weights");
    CHECK(!strcmp(rt_text(m, "analysis"), "two lines,\nboth shown"), "text");
    const RtProgram *step = rt_program(m, "step");
    CHECK(step->chunk == 3 && step->n_axes == 8 && step->axes[3].plate == 0,
          "a copy belongs to its plate");
    CHECK(rt_var(m, "shift")->values[1] == 1 && rt_var(m, "x")->n_plates == 2, "variables");
    rt_mem_free(mem);
}

static void malformed_manifests(void) {
    static const char *const bad[] = {
        "adavic-manifest 2\n",
        "nonsense\n",
        "plate g parent h size 3 exchangeable 1 \"\"\n",
        "plate g parent - size x exchangeable 1 \"\"\n",
        "plate g parent - size 3 exchangeable 1 \"\" range 2\n",
        "plate g parent - size 3 exchangeable 1 \"\" range 4 9\n",
        "plate g parent - size 0 exchangeable 1 \"\"\n",
        "hyper a dims 2 values 1\n",
        "latent z plates q dims\n",
        "symmetry components 2 plate - moved m 0\n",
        "latent m plates dims 3\nsymmetry components 2 plate - moved m 0\n",
        "latent m plates dims 2\nsymmetry components 2 plate - moved m 1\n",
        "latent m plates dims 2\nsymmetry components 2 plate q moved m 0\n",
        "weight w dims 2 init maybe 1\n",
        "weight w dims 1099511627776 1099511627776 init constant 1\n",
        "text key \"open\n",
        "program unheard lane - lanes 1 chunk 1\nend\n",
        "program step lane - lanes 1 chunk 0\nend\n",
        "program step lane - lanes 1 chunk 1\n axis a kind plate parent - extent 0 copy -\nend\n",
        "program step lane - lanes 1 chunk 1\n input w role weight axes q\nend\n",
        "program step lane - lanes 1 chunk 1\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        RtMem *mem = rt_mem_new();
        CHECK(!rt_model_new(mem, bad[i], &error), "case %zu was accepted", i);
        CHECK(strstr(error.text, "line "), "case %zu: no line in: %s", i, error.text);
        rt_mem_free(mem);
    }
}

static void count_item(void *context, int64_t item, int worker) {
    (void)worker;
    ((int *)context)[item]++;
}

static void pool_runs_every_item_once(void) {
    for (int threads = 1; threads <= 5; threads++) {
        RtMem *mem = rt_mem_new();
        RtPool *pool = rt_pool_new(mem, threads);
        for (int round = 0; round < 300; round++) {
            int seen[40] = {0}, n = round % 40;
            rt_pool_run(pool, count_item, seen, n);
            for (int i = 0; i < 40; i++)
                if (!CHECK(seen[i] == (i < n), "%d threads: item %d ran %d times", threads, i,
                           seen[i]))
                    break;
        }
        rt_pool_free(pool);
        rt_mem_free(mem);
    }
}

/* Loss, gradient and per-set losses of one step; 10 data sets in chunks of 3 leave a remainder. */
static void run_step(int threads, double gradient[2], float set_loss[10], double *loss) {
    RtMem *mem = rt_mem_new();
    const RtModel *m = rt_model_new(mem, adavic_manifest, &error);
    RtPool *pool = rt_pool_new(mem, threads);
    RtState *state = rt_state_new(mem, m);
    rt_state_init_weights(m, state, 3);
    for (int i = 0; i < state->n_stats; i++)
        for (int64_t k = 0; k < state->stats[i].size; k++) state->stats[i].values[k] = 1;
    RtCall *call = rt_call_new(mem, m, "step", pool, &state->sizes, 10, 4);
    const double *l = rt_call_want(call, "loss"), *g = rt_call_want(call, "grad:loc");
    const float *s = rt_call_want(call, "set_loss");
    CHECK(!rt_call_want(call, "grad:nothing"), "an output that does not exist");
    rt_bind_state(mem, m, state, state->iterate, call);
    rt_call_ready(call);
    rt_call_run(call, (const uint32_t[2]){1, 0}, 7, 0, 10);
    *loss = *l;
    memcpy(gradient, g, 2 * sizeof *g);
    memcpy(set_loss, s, 10 * sizeof *s);
    rt_pool_free(pool);
    rt_mem_free(mem);
}

static void calls_do_not_depend_on_threads(void) {
    double g1[2], l1;
    float s1[10];
    run_step(1, g1, s1, &l1);
    for (int threads = 2; threads <= 4; threads++) {
        double g[2], l;
        float s[10];
        run_step(threads, g, s, &l);
        CHECK(!memcmp(g, g1, sizeof g) && !memcmp(s, s1, sizeof s) && l == l1,
              "%d threads differ from one", threads);
    }
    double sum = 0;
    for (int i = 0; i < 10; i++) sum += s1[i] / 10;
    CHECK_NEAR(sum, l1, 1e-4 * fabs(l1), "loss, and the mean over data sets");
}

static const RtSizes block_sizes[3] = {{.n = {2, 5}}, {.n = {4, 1}}, {.n = {3, 3}}};
static const double block_weights[3] = {1, 0.25, 3};

/* The same step with sizes and a weight per block of 4 data sets, which chunks of 3 do not fit;
 * or (alone >= 0) with the sizes of that block for all. */
static void run_blocks(int threads, int alone, double gradient[2], float set_loss[10],
                       double *loss) {
    RtMem *mem = rt_mem_new();
    const RtModel *m = rt_model_new(mem, adavic_manifest, &error);
    RtPool *pool = rt_pool_new(mem, threads);
    RtState *state = rt_state_new(mem, m);
    rt_state_init_weights(m, state, 3);
    for (int i = 0; i < state->n_stats; i++)
        for (int64_t k = 0; k < state->stats[i].size; k++) state->stats[i].values[k] = 1;
    RtCall *call = rt_call_new(mem, m, "step", pool, &(RtSizes){.n = {4, 5}}, 10, 4);
    if (alone < 0) rt_call_blocks(call, 4);
    const double *l = rt_call_want(call, "loss"), *g = rt_call_want(call, "grad:loc");
    const float *s = rt_call_want(call, "set_loss");
    rt_bind_state(mem, m, state, state->iterate, call);
    rt_call_ready(call);
    for (int b = 0; alone < 0 && b < 3; b++)
        rt_call_block(call, b, &block_sizes[b], block_weights[b]);
    if (alone >= 0) rt_call_resize(call, &block_sizes[alone]);
    rt_call_run(call, (const uint32_t[2]){1, 0}, 7, 0, 10);
    *loss = *l;
    memcpy(gradient, g, 2 * sizeof *g);
    memcpy(set_loss, s, 10 * sizeof *s);
    rt_pool_free(pool);
    rt_mem_free(mem);
}

static void blocks_have_sizes_of_their_own(void) {
    double g1[2], l1, g[2], l, sum = 0;
    float s1[10], s[10];
    run_blocks(1, -1, g1, s1, &l1);
    for (int b = 0; b < 3; b++) {
        run_blocks(1, b, g, s, &l);
        for (int i = 4 * b; i < 10 && i < 4 * b + 4; i++) {
            CHECK(s1[i] == s[i], "data set %d: %g, with the sizes of its block %g", i,
                  (double)s1[i], (double)s[i]);
            sum += block_weights[b] * (double)s[i] / 10;
        }
    }
    CHECK_NEAR(l1, sum, 1e-4 * fabs(sum), "the weighted loss");
    for (int threads = 2; threads <= 4; threads++) {
        run_blocks(threads, -1, g, s, &l);
        CHECK(!memcmp(g, g1, sizeof g) && !memcmp(s, s1, sizeof s) && l == l1,
              "%d threads differ from one", threads);
    }
}

/* 58 degrees of freedom: chi-square exceeds 116 with probability 1e-5 (the correlation 4.42 / sqrt
 * n, too). */
static void sizes_are_log_uniform(void) {
    enum { N = 20000, LO = 2, HI = 60 };
    RtMem *mem = rt_mem_new();
    const RtModel *m = rt_model_new(mem, adavic_manifest, &error);
    RtState *state = rt_state_new(mem, m);
    CHECK(!rt_sizes_vary(m, state), "no range is declared");
    state->lo[0] = state->lo[1] = LO;
    state->hi[0] = state->hi[1] = HI;
    int count[HI + 1] = {0};
    double chi2 = 0, sum[2] = {0}, square[2] = {0}, product = 0;
    for (int i = 0; i < N; i++) {
        RtSizes drawn = {.n = {0}}, again = drawn;
        rt_sizes_draw(m, state, 1, (uint32_t)i / 2, (uint32_t)i % 2, &drawn);
        rt_sizes_draw(m, state, 1, (uint32_t)i / 2, (uint32_t)i % 2, &again);
        CHECK(drawn.n[0] == again.n[0], "the same counter, another size");
        if (!CHECK(drawn.n[0] >= LO && drawn.n[0] <= HI, "size %lld", (long long)drawn.n[0])) break;
        count[drawn.n[0]]++;
        double x[2] = {log((double)drawn.n[0]), log((double)drawn.n[1])};
        for (int k = 0; k < 2; k++) sum[k] += x[k] / N, square[k] += x[k] * x[k] / N;
        product += x[0] * x[1] / N;
    }
    for (int n = LO; n <= HI; n++) {
        double expected = N * log((n + 1.0) / n) / log((HI + 1.0) / LO);
        chi2 += (count[n] - expected) * (count[n] - expected) / expected;
    }
    CHECK(chi2 < 116, "chi-square of the sizes: %.1f with 58 degrees of freedom", chi2);
    double r = (product - sum[0] * sum[1]) /
               sqrt((square[0] - sum[0] * sum[0]) * (square[1] - sum[1] * sum[1]));
    CHECK(fabs(r) < 4.42 / sqrt(N), "sizes of two plates are correlated: %.4f", r);
    rt_mem_free(mem);
}

static void latents_are_counted(void) {
    RtMem *mem = rt_mem_new();
    const RtModel *m = rt_model_new(mem, adavic_manifest, &error);
    CHECK(rt_latent_numbers(m, &(RtSizes){.n = {60, 5}}) == 61, "mu and 60 times a");
    rt_mem_free(mem);
}

/* What x is like does not depend on the sizes here, so its statistics do not either. */
static void statistics_over_sizes(void) {
    RtMem *mem = rt_mem_new();
    const RtModel *m = rt_model_new(mem, adavic_manifest, &error);
    RtOptions o = {0};
    RtSession s = {.mem = mem,
                   .model = m,
                   .pool = rt_pool_new(mem, 2),
                   .options = &o,
                   .state = rt_state_new(mem, m)};
    s.state->lo[0] = 1, s.state->hi[0] = 300; /* more numbers than are kept of a data set */
    if (CHECK(rt_stats(&s, &error), "%s", error.text)) {
        const RtStat *median = rt_stat(s.state, "x:median"), *mad = rt_stat(s.state, "x:mad");
        CHECK_NEAR(median->values[1], 1, 0.1, "median of x[1]");
        CHECK_NEAR(mad->values[0], 0.67449 * sqrt(1 + 0.25 + 1), 0.075, "MAD of x[0]");
    }
    rt_pool_free(s.pool);
    rt_mem_free(mem);
}

/* The statistics are those of the prior: x = mu + s_a z + shift + s_x e, symmetric about shift. */
static void statistics_of_the_prior(void) {
    RtMem *mem = rt_mem_new();
    const RtModel *m = rt_model_new(mem, adavic_manifest, &error);
    RtOptions o = {0};
    RtSession s = {.mem = mem,
                   .model = m,
                   .pool = rt_pool_new(mem, 2),
                   .options = &o,
                   .state = rt_state_new(mem, m)};
    if (CHECK(rt_stats(&s, &error), "%s", error.text)) {
        const RtStat *median = rt_stat(s.state, "x:median"), *mad = rt_stat(s.state, "x:mad");
        /* 4,096 independent sets limit it: se of the median = 1.25 / 64 = 0.02; of the MAD about
         * 0.015. 5 se. */
        CHECK_NEAR(median->values[0], 0, 0.1, "median of x[0]");
        CHECK_NEAR(median->values[1], 1, 0.1, "median of x[1]");
        CHECK_NEAR(mad->values[0], 0.67449 * sqrt(1 + 0.25 + 1), 0.075, "MAD of x[0]");
    }
    rt_pool_free(s.pool);
    rt_mem_free(mem);
}

static void fill_exponential(float *e, int64_t n, uint32_t seed, uint32_t site) {
    av_random r = {.key = {seed, 1},
                   .site = site,
                   .kind = AV_EXPONENTIAL,
                   .n_data = 1,
                   .n_draw = 1,
                   .n_inst = n,
                   .s_inst = 1};
    av_fill_f32(&r, e);
}

/* Largest weights of a Pareto law of shape k: log w = k e, e exponential. The fit's standard error
 * at 3 sqrt(S) = 300 exceedances is about (1 + k) / sqrt(300) = 0.06 .. 0.12; the bound is 5 of
 * them, with the prior's pull to 1/2. */
static void khat_of_pareto_weights(void) {
    enum { N = 10000 };
    static const double shapes[] = {0.1, 0.4, 0.7, 1.2};
    RtMem *mem = rt_mem_new();
    float *e = rt_alloc(mem, N, sizeof *e);
    double *w = rt_alloc(mem, N, sizeof *w), *smoothed = rt_alloc(mem, N, sizeof *w);
    for (int k = 0; k < 4; k++) {
        fill_exponential(e, N, 77, (uint32_t)k);
        for (int i = 0; i < N; i++) w[i] = shapes[k] * e[i] - 300;
        CHECK_NEAR(rt_psis(mem, w, N, smoothed), shapes[k], 5 * (1 + shapes[k]) / sqrt(300),
                   "k-hat");
    }
    for (int i = 0; i < N; i++) w[i] = -5;
    CHECK(rt_psis(mem, w, N, smoothed) == 0, "equal weights: k-hat %g",
          rt_psis(mem, w, N, smoothed));
    RtElbo exact = rt_elbo(w, N, NULL);
    CHECK(fabs(exact.elbo + 5) < 1e-9 && fabs(exact.evidence + 5) < 1e-12 &&
              fabs(exact.ess - N) < 1e-6,
          "equal weights");
    w[3] = NAN;
    CHECK(rt_psis(mem, w, N, smoothed) > 1e9, "NaN among the weights");
    CHECK(isnan(rt_psis(mem, w, 10, smoothed)), "ten draws are too few");
    rt_mem_free(mem);
}

/* Weights exp(k e), e exponential, have mean 1 / (1 - k) and for k > 1/2 no variance. Smoothed, the
 * tail keeps its order, none exceeds the largest, and the mean over 40 replications is nearer than
 * that of raw weights, which outliers move. */
static void smoothed_tails(void) {
    enum { N = 1000, TAIL = 95, RUNS = 40 };
    RtMem *mem = rt_mem_new();
    float *e = rt_alloc(mem, N, sizeof *e);
    double *w = rt_alloc(mem, N, sizeof *w), *smoothed = rt_alloc(mem, N, sizeof *w);
    const double k = 0.65, mean = 1 / (1 - k);
    double raw2 = 0, smooth2 = 0;
    for (int run = 0; run < RUNS; run++) {
        fill_exponential(e, N, 78, (uint32_t)run);
        double most = -INFINITY;
        for (int i = 0; i < N; i++) most = fmax(most, w[i] = k * e[i] + 900);
        rt_psis(mem, w, N, smoothed);
        int moved = 0, disordered = 0, above = 0;
        for (int i = 0; i < N; i++) {
            moved += smoothed[i] != w[i];
            above += smoothed[i] > most;
            for (int j = 0; j < i; j++)
                disordered += (w[i] - w[j]) * (smoothed[i] - smoothed[j]) < 0;
        }
        CHECK(moved <= TAIL && moved > TAIL / 2, "%d weights moved", moved);
        CHECK(!disordered && !above, "%d pairs out of order, %d above the largest", disordered,
              above);
        raw2 += pow(exp(rt_log_mean(w, N) - 900) - mean, 2) / RUNS;
        smooth2 += pow(exp(rt_log_mean(smoothed, N) - 900) - mean, 2) / RUNS;
    }
    CHECK(smooth2 < raw2, "rms error %.3f, of raw weights %.3f", sqrt(smooth2), sqrt(raw2));
    rt_mem_free(mem);
}

static void weighted_summaries(void) {
    RtWeighted even[100], few[3] = {{3, 0.5}, {1, 0.25}, {2, 0.25}};
    double x[100];
    for (int i = 0; i < 100; i++) {
        x[i] = (i * 37) % 100;
        even[i] = (RtWeighted){x[i], 0.01};
    }
    RtSummary plain = rt_summary(x, 100), same = rt_summary_weighted(even, 100);
    CHECK_NEAR(same.mean, plain.mean, 1e-9, "mean");
    CHECK_NEAR(same.sd, plain.sd, 1e-9, "sd");
    CHECK_NEAR(same.mcse, plain.mcse, 0.01 * plain.mcse, "mcse");
    CHECK_NEAR(same.q5, plain.q5, 0.5, "5 %");
    CHECK_NEAR(same.q95, plain.q95, 0.5, "95 %");
    CHECK_NEAR(same.ess, 100, 1e-9, "ess");
    RtSummary s = rt_summary_weighted(few, 3);
    CHECK_NEAR(s.mean, 2.25, 1e-12, "mean");
    CHECK_NEAR(s.sd, sqrt(0.6875 / 0.625), 1e-12, "sd");
    CHECK_NEAR(s.mcse, sqrt(0.25 * 0.5625 + 0.0625 * (1.5625 + 0.0625)), 1e-12, "mcse");
    CHECK_NEAR(s.ess, 1 / 0.375, 1e-12, "ess");
    CHECK_NEAR(s.q50, 2 + (0.5 - 0.375) / (0.75 - 0.375), 1e-12, "50 %");
    CHECK_NEAR(s.q95, 3, 1e-12, "95 %");
    RtWeighted some[] = {{INFINITY, 0}, {2, 0.5}, {NAN, 0}, {4, 0.5}}, none[] = {{1, 0}, {2, NAN}};
    s = rt_summary_weighted(some, 4);
    CHECK_NEAR(s.mean, 3, 1e-12, "mean of what has a weight");
    CHECK_NEAR(s.q95, 4, 1e-12, "95 % of what has a weight");
    s = rt_summary_weighted(none, 2);
    CHECK(isnan(s.mean) && isnan(s.sd) && isnan(s.q5), "nothing has a weight: %g", s.mean);
}

static void summaries(void) {
    double x[101];
    for (int i = 0; i < 101; i++) x[i] = (i * 37) % 101;
    RtSummary s = rt_summary(x, 101);
    CHECK_NEAR(s.mean, 50, 1e-12, "mean");
    CHECK_NEAR(s.q5, 5, 1e-12, "5 %");
    CHECK_NEAR(s.q95, 95, 1e-12, "95 %");
    CHECK_NEAR(s.sd, sqrt(101.0 * 102 / 12), 1e-9, "sd");
    CHECK_NEAR(s.mcse, s.sd / sqrt(101), 1e-12, "mcse");
}

static void json_is_valid(void) {
    RtBytes out = {0};
    rt_json_string(&out, "a\"b\\c\nd\001");
    rt_json_number(&out, 0.1);
    rt_json_number(&out, INFINITY);
    CHECK(!strcmp(out.data, "\"a\\\"b\\\\c\\nd\\u0001\"0.1null"), "%s", out.data);
    rt_bytes_free(&out);
}

int main(void) {
    RUN(abi_is_complete);
    RUN(manifest_is_read);
    RUN(malformed_manifests);
    RUN(pool_runs_every_item_once);
    RUN(calls_do_not_depend_on_threads);
    RUN(blocks_have_sizes_of_their_own);
    RUN(sizes_are_log_uniform);
    RUN(latents_are_counted);
    RUN(statistics_of_the_prior);
    RUN(statistics_over_sizes);
    RUN(khat_of_pareto_weights);
    RUN(smoothed_tails);
    RUN(summaries);
    RUN(weighted_summaries);
    RUN(json_is_valid);
    return check_done();
}
