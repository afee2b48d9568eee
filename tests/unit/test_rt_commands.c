/* The commands of a compiled program as a user runs them: each run is a process of its own, in an
 * empty folder. The model is the hand-made one of rt_fake_model.c, whose evidence and posterior are
 * known in closed form. */
#include "check.h"
#include "rt_fake_model.h"
#include "rt_process.h"
#include "runtime/abi.h"
#include "runtime/session.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool same_files(const char *a, const char *b) {
    RtBytes x = {0}, y = {0};
    RtError error;
    bool same = rt_read_file(a, &x, &error) && rt_read_file(b, &y, &error) && x.n == y.n &&
                !memcmp(x.data, y.data, x.n);
    rt_bytes_free(&x);
    rt_bytes_free(&y);
    return same;
}

/* ---- exact answers: x_k ~ N(a_g + shift, 1), a_g ~ N(mu, 0.5), mu ~ N(0, 1); K = 10 numbers a
 * group ---- */

typedef struct Exact {
    double evidence, mu_mean, mu_sd;
} Exact;

static Exact exact(const double *x, int G, int N) {
    double K = 2.0 * N, t = 0.25 + 1 / K, sum = 0, squares = 0, m = 0, log2pi = 1.8378770664093453;
    double *means = malloc((size_t)G * sizeof *means);
    for (int g = 0; g < G; g++) {
        double mean = 0, w = 0;
        for (int k = 0; k < 2 * N; k++) mean += (x[g * 2 * N + k] - k % 2) / K;
        for (int k = 0; k < 2 * N; k++) w += pow(x[g * 2 * N + k] - k % 2 - mean, 2);
        sum += -0.5 * w - 0.5 * (K - 1) * log2pi - 0.5 * log(K);
        means[g] = mean;
        m += mean / G;
    }
    for (int g = 0; g < G; g++) squares += (means[g] - m) * (means[g] - m);
    free(means);
    double vt = 1 + t / G;
    sum += -0.5 * squares / t - 0.5 * (G - 1) * (log2pi + log(t)) - 0.5 * log(G);
    sum += -0.5 * m * m / vt - 0.5 * (log2pi + log(vt));
    double precision = 1 + G / t;
    return (Exact){sum, m * G / t / precision, 1 / sqrt(precision)};
}

static RtData simulated(RtMem *mem, const char *path) {
    RtError error;
    const RtModel *m = rt_model_new(mem, adavic_manifest, &error);
    RtDataOptions o = {.sizes = {.n = {4, 5}}};
    RtData d = {0};
    CHECK(rt_data_read(mem, m, path, &o, &d, &error), "%s", error.text);
    return d;
}

/* ---- tests ---- */

static void training_reaches_the_evidence(void) {
    EXPECT("train --steps 2500 --learning-rate 0.02 --json", 0);
    CHECK(json("steps", 0) == 2500 && json("skipped_steps", 0) == 0 && json("seed", 0) == 1, "%s",
          text_out);
    EXPECT("simulate --count 20 --seed 9 --out sets.npz -q", 0);
    EXPECT("elbo sets.npz --draws 2000 --json", 0);
    RtMem *mem = rt_mem_new();
    RtData d = simulated(mem, "sets.npz");
    const double *x = d.values[5];
    for (int i = 0; x && i < 20; i++) {
        Exact e = exact(x + i * 40, 4, 5);
        double elbo = json("elbo", i), se = json("elbo_se", i);
        CHECK(elbo <= e.evidence + 4.75 * se + 1e-3, "set %d: ELBO %.4f above the evidence %.4f", i,
              elbo, e.evidence);
        CHECK_NEAR(elbo, e.evidence, 0.1, "ELBO and evidence");
        CHECK_NEAR(json("log_evidence", i), e.evidence, 0.02, "importance-weighted evidence");
        CHECK(json("khat", i) < 0.6, "set %d: k-hat %.2f", i, json("khat", i));
    }
    EXPECT("infer sets.npz --json", 0);
    for (int i = 0; x && i < 3; i++) {
        Exact e = exact(x + i * 40, 4, 5);
        CHECK_NEAR(json("mean", 9 * i), e.mu_mean, 0.2 * e.mu_sd,
                   "posterior mean of mu"); /* se of the mean: 0.03 sd */
        CHECK_NEAR(json("sd", 9 * i), e.mu_sd, 0.15 * e.mu_sd, "posterior sd of mu");
    }
    rt_mem_free(mem);
}

/* A guide that has not learned enough yet: weights take its answers to the posterior. */
static void weights_correct_the_answer(void) {
    EXPECT("train --steps 120 --learning-rate 0.02 --weights wr -q", 0);
    EXPECT("simulate --count 12 --seed 9 --out sets.npz -q", 0);
    RtMem *mem = rt_mem_new();
    RtData d = simulated(mem, "sets.npz");
    const double *x = d.values[5];
    double off[2] = {0}, worst = 0;
    for (int psis = 0; psis < 2; psis++) {
        EXPECT(psis ? "infer sets.npz --weights wr --draws 4000 --psis --json"
                    : "infer sets.npz --weights wr --draws 4000 --json",
               0);
        for (int i = 0; x && i < 12; i++) {
            Exact e = exact(x + i * 40, 4, 5);
            double z = fabs(json("mean", 9 * i) - e.mu_mean) / e.mu_sd;
            off[psis] += z / 12;
            if (psis) worst = fmax(worst, z);
        }
        CHECK(!strstr(text_out, "\"reweighted\": true") == !psis, "%.200s", text_out);
    }
    CHECK(off[0] > 0.08, "the guide is off by %.3f sd only", off[0]);
    CHECK(off[1] < 0.5 * off[0] && worst < 0.25, "off by %.3f sd, reweighted by %.3f (worst %.3f)",
          off[0], off[1], worst);
    EXPECT("infer sets.npz --weights wr --psis", 0);
    CHECK(strstr(text_out, "reweighted to the posterior"), "%s", text_out);
    rt_mem_free(mem);
}

/* The guide's family holds the exact posterior of every data set, so a fit must find it. */
static void one_data_set_is_fitted(void) {
    EXPECT("simulate --count 3 --seed 9 --out sets.npz -q", 0);
    RtMem *mem = rt_mem_new();
    RtData d = simulated(mem, "sets.npz");
    const double *x = d.values[5];
    remove("model.weights");
    EXPECT("fit sets.npz --steps 700 --learning-rate 0.02 --json", 0);
    CHECK(access("model.weights", F_OK), "fit writes weights");
    CHECK(strstr(text_out, "\"method\": \"fitted\""), "%.200s", text_out);
    for (int i = 0; x && i < 3; i++) {
        Exact e = exact(x + i * 40, 4, 5);
        CHECK(json("elbo_start", i) < e.evidence - 1, "set %d starts at %.3f, evidence %.3f", i,
              json("elbo_start", i), e.evidence);
        CHECK_NEAR(json("elbo", i), e.evidence, 0.02, "fitted ELBO and evidence");
        CHECK_NEAR(json("mean", 9 * i), e.mu_mean, 0.2 * e.mu_sd, "posterior mean of mu");
        CHECK_NEAR(json("sd", 9 * i), e.mu_sd, 0.15 * e.mu_sd, "posterior sd of mu");
    }
    EXPECT("fit sets.npz --steps 40 -j1 --out f1.npz -q", 0);
    EXPECT("fit sets.npz --steps 40 -j3 --out f3.npz -q", 0);
    CHECK(same_files("f1.npz", "f3.npz"), "a fit depends on the number of threads");
    EXPECT("fit sets.npz --steps 40 --set s_a=0.25 --json", 0);
    CHECK(strstr(text_out, "\"s_a\": 0.25"), "%.300s", text_out);
    rt_mem_free(mem);
}

/* From weights that have not learned enough, and from the best there are. */
static void an_answer_is_refined(void) {
    EXPECT("train --steps 60 --learning-rate 0.02 --weights wr -q", 0);
    EXPECT("train --steps 60 --learning-rate 0.02 --weights copy -q", 0);
    EXPECT("simulate --count 2 --seed 9 --out sets.npz -q", 0);
    RtMem *mem = rt_mem_new();
    RtData d = simulated(mem, "sets.npz");
    EXPECT("infer sets.npz --weights wr --refine --steps 500 --learning-rate 0.01 --json", 0);
    CHECK(same_files("wr", "copy"), "refining writes weights");
    CHECK(strstr(text_out, "\"method\": \"refined\""), "%.200s", text_out);
    for (int i = 0; d.values[5] && i < 2; i++) {
        Exact e = exact(d.values[5] + i * 40, 4, 5);
        CHECK(json("gain", i) > 0.3, "set %d gains %.3f", i, json("gain", i));
        CHECK_NEAR(json("elbo", i), json("elbo_start", i) + json("gain", i), 1e-6, "gain");
        CHECK_NEAR(json("elbo", i), e.evidence, 0.02, "refined ELBO and evidence");
    }
    EXPECT("infer sets.npz --weights wr --refine --steps 50", 0);
    CHECK(strstr(text_out, "refined to this data set alone: 50 steps"), "%s", text_out);
    /* one step so long that it leads nowhere: the answer is the amortised one, bit for bit */
    EXPECT("infer sets.npz --weights wr --json", 0);
    double mean = json("mean", 0), sd = json("sd", 4);
    EXPECT("infer sets.npz --weights wr --refine --steps 3 --learning-rate 10 --json", 0);
    CHECK(strstr(text_out, "\"kept\": \"start\"") && json("mean", 0) == mean && json("sd", 4) == sd,
          "a start that was kept gives other draws: %.400s", text_out);
    EXPECT("infer sets.npz --weights wr --refine --steps 3 --learning-rate 10", 0);
    CHECK(strstr(text_out, "did not raise the ELBO"), "%s", text_out);
    EXPECT("infer sets.npz --weights wr --steps 3", 2);
    CHECK(strstr(text_err, "--refine"), "%s", text_err);
    rt_mem_free(mem);
}

static void threads_and_seeds(void) {
    EXPECT("train --steps 120 --threads 1 --weights w1 -q", 0);
    EXPECT("train --steps 120 --threads 2 --weights w2 -q", 0);
    EXPECT("train steps=120 threads=3 weights=w3 -q", 0);
    EXPECT("train --steps 120 --seed 2 --weights w4 -q", 0);
    CHECK(same_files("w1", "w2") && same_files("w1", "w3"),
          "weights depend on the number of threads");
    CHECK(!same_files("w1", "w4"), "weights do not depend on the seed");
    EXPECT("simulate --count 5 --out a.npz -j1 -q", 0);
    EXPECT("infer a.npz --weights w1 --out d1.npz -j1 -q", 0);
    EXPECT("infer a.npz --weights w1 --out d3.npz -j3 -q", 0);
    CHECK(same_files("d1.npz", "d3.npz"), "draws depend on the number of threads");
}

static void time_is_kept_and_repeats_as_steps(void) {
    EXPECT("train --time 2s --weights wt --json", 0);
    double steps = json("steps", 0), seconds = json("seconds", 0);
    bool cut = strstr(text_err, "slower") != NULL; /* by other load on the machine */
    CHECK(seconds < 6 && steps > 20, "%g steps in %g s", steps, seconds);
    char line[100];
    snprintf(line, sizeof line, "train --steps %.0f --weights ws -q", steps);
    EXPECT(line, 0);
    CHECK(cut || same_files("wt", "ws"), "a run by time is not repeated by its --steps");
}

static void schedule_of_objectives(void) {
    EXPECT("train --steps 40 --objective unregularised:1,reverse-kl:1 --weights w1 -q", 0);
    EXPECT("train --steps 40 --objective reverse-kl --weights w2 -q", 0);
    CHECK(!same_files("w1", "w2"), "the schedule changes nothing");
    EXPECT("train --steps 40 --objective reverse -q", 1);
    EXPECT("train --steps 40 --objective reverse-kl:0 -q", 1);
    EXPECT("train --steps 40 --objective reverse-kl:1,unregularised:99 -q", 1);
}

static void steps_that_are_not_finite(void) {
    fake_overflow = 3.6f; /* one step in 200 */
    EXPECT("train --steps 1200 --weights wf --json", 0);
    double skipped = json("skipped_steps", 0);
    CHECK(skipped >= 1 && skipped <= 12, "%g steps were skipped", skipped);
    CHECK(strstr(text_err, "skipped: the loss of its data set") && strstr(text_err, "seed 1"), "%s",
          text_err);
    CHECK(isfinite(json("validation_elbo", 0)), "%s", text_out);
    fake_overflow = 2.5f; /* one in six */
    EXPECT("train --steps 900 --weights wg", 1);
    CHECK(strstr(text_err, "not finite") && access("wg", F_OK), "%s", text_err);
    fake_overflow = -100;
    EXPECT("train --steps 900 --weights wg", 1);
    fake_overflow = INFINITY;
}

static void signals_save(void) {
    const int signals[] = {SIGINT, SIGTERM};
    for (int i = 0; i < 2; i++) {
        remove("wi");
        pid_t child = start("train --time 60s --weights wi", 0);
        usleep(700000);
        kill(child, signals[i]);
        int status = finish(child);
        CHECK(status == 128 + signals[i], "exit %d: %s", status, text_err);
        EXPECT("info --weights wi --json", 0);
        CHECK(json("steps", 0) > 0, "nothing was saved: %s", text_out);
    }
}

static void a_full_disk_keeps_the_old_weights(void) {
    EXPECT("train --steps 10 --weights wd -q", 0);
    EXPECT("train --steps 10 --weights copy -q", 0);
    int status = finish(start("train --steps 20 --weights wd -q", 600));
    CHECK(status == 1 && strstr(text_err, "unchanged"), "exit %d: %s", status, text_err);
    CHECK(same_files("wd", "copy"), "the previous weights are gone");
    EXPECT("train --steps 10 --weights no/such/folder -q", 1);
}

static void hypers_and_sizes_are_stored(void) {
    EXPECT("train --steps 30 --set s_a=0.25 --set shift=2,3 --size group=6 --weights wh -q", 0);
    EXPECT("info --weights wh --json", 0);
    CHECK(strstr(text_out, "\"sizes\": {\"group\": 6, \"obs\": 5}"), "%s", text_out);
    EXPECT("simulate --count 1 --size group=3 --out three.bin -q", 0);
    EXPECT("infer three.bin --weights wh --json", 0);
    CHECK(strstr(text_out, "\"s_a\": 0.25") && strstr(text_out, "\"shift\": [2, 3]"), "%s",
          text_out);
    CHECK(strstr(text_err, "warning: plate group has 3 instances here, 6 in training"), "%s",
          text_err);
    EXPECT("info --size group=300 --json", 0);
    CHECK(json("weights", 0) == 7 && json("bytes", 0) > 1000 &&
              strstr(text_out, "\"size\": [300, 300]"),
          "%s", text_out);
}

static void draws_files(void) {
    EXPECT("train --steps 30 -q", 0);
    EXPECT("simulate --count 1 --out one.npz -q", 0);
    EXPECT("infer one.npz --draws 7 --out draws.csv -q", 0);
    char csv[20000];
    read_back("draws.csv", csv, sizeof csv);
    CHECK(strstr(csv, "\nlog_q,log_prior,log_likelihood,mu,a.1,a.2,a.3,a.4,offset.1"), "%.300s",
          csv);
    int lines = 0;
    for (char *c = csv; *c; c++) lines += *c == '\n';
    CHECK(lines == 9, "%d lines", lines);
    EXPECT("infer one.npz --draws 50 --psis --out draws.csv -q", 0);
    read_back("draws.csv", csv, sizeof csv);
    char *row = strstr(csv, "\nlog_q,log_prior,log_likelihood,log_weight,mu,");
    double total = 0;
    for (int i = 0; row && i < 50; i++) {
        double log_weight = NAN;
        row = strchr(row + 1, '\n');
        if (row) sscanf(row, "\n%*[^,],%*[^,],%*[^,],%lf", &log_weight);
        total += exp(log_weight);
    }
    CHECK_NEAR(total, 1, 1e-5, "sum of the weights");
    EXPECT("infer one.npz --draws 7 --out draws.npz --json", 0);
    RtMem *mem = rt_mem_new();
    RtBytes b = {0};
    RtError error;
    RtZipFile *files;
    RtArray a;
    int n = 0;
    CHECK(rt_read_file("draws.npz", &b, &error) &&
              rt_zip_read(mem, "draws.npz", &b, &files, &n, &error),
          "%s", error.text);
    CHECK(n == 6 && !strcmp(files[1].name, "a.npy"), "%d arrays", n);
    CHECK(n == 6 && rt_npy_read(mem, "a", files[1].bytes, files[1].n, &a, &error) &&
              a.n_dims == 2 && a.dims[0] == 7 && a.dims[1] == 4,
          "draws first");
    rt_bytes_free(&b);
    rt_mem_free(mem);
}

static void labels_of_a_csv(void) {
    FILE *f = fopen("d.csv", "w");
    fputs("group,x[0],x[1]\nnorth,1,2\nsouth,1,2\nnorth,2,2\nsouth,0,1\n", f);
    fclose(f);
    EXPECT("infer d.csv --json", 0);
    CHECK(strstr(text_out, "\"a[1]\": {\"mean\""), "%s", text_out);
    CHECK(strstr(text_out, "\"labels\": [\"south\"]"), "%s", text_out);
    EXPECT("infer d.csv", 0);
    CHECK(strstr(text_out, "a[0]  north") && strstr(text_out, "k-hat"), "%s", text_out);
}

/* The same data set as a table and as arrays. */
static void simulated_table(void) {
    RtMem *mem = rt_mem_new();
    EXPECT("simulate --seed 3 --out t.csv --quiet", 0);
    EXPECT("simulate --seed 3 --out t.npz --quiet", 0);
    const double *table = simulated(mem, "t.csv").values[5];
    const double *arrays = simulated(mem, "t.npz").values[5];
    for (int k = 0; table && arrays && k < 40; k++)
        CHECK((float)table[k] == (float)arrays[k], "number %d: %g, %g", k, table[k], arrays[k]);
    rt_mem_free(mem);
}

static void usage_errors(void) {
    static const struct {
        const char *line, *says;
    } wrong[] = {
        {"trian", "did you mean train?"},
        {"train --stps 3", "did you mean --steps?"},
        {"train --steps", "needs N"},
        {"train --steps 0", "an integer from 1"},
        {"train --steps 1e3", "an integer from 1"},
        {"train --time soon", "a time such as"},
        {"train --seed -1", "an integer from 0"},
        {"train --count 3", "simulate has it"},
        {"train data.csv", "takes no file"},
        {"train --size grp=3", "did you mean group?"},
        {"train --size group=0", "out of range"},
        {"train --size group", "a plate and a number"},
        {"train --set s_b=1", "did you mean"},
        {"train --set s_a=nan", "finite"},
        {"train --set shift=1", "expected  2"},
        {"train --json=1", "nothing"},
        {"train stps=3", "did you mean --steps?"},
        {"infer", "needs a data file"},
        {"infer a.csv b.csv", "one data file"},
        {"infer one.npz --out draws.txt", ".npz or .csv"},
        {"infer one.npz --set s_a=1", "fixed by training"},
        {"simulate --out x.txt", ".npz, .csv or .bin"},
        {"simulate --out x.csv --count 2", "a table holds one data set"},
        {"", "usage:"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        EXPECT(wrong[i].line, 2);
        CHECK(strstr(text_err, wrong[i].says), "%s: no \"%s\" in: %s", wrong[i].line, wrong[i].says,
              text_err);
        CHECK(!*text_out, "%s: writes to stdout", wrong[i].line);
    }
}

/* The formulas of the fake manifest, by hand: flop 7 + 20 data group obs + 10 data draw group,
 * functions 3 data draw group. */
static void certificate(void) {
    EXPECT("info --sets 8 --draws 4 --json", 0);
    CHECK(json("flop_per_step", 0) == 7 + 20 * 8 * 4 * 5 + 10 * 8 * 4 * 4, "%s", text_out);
    CHECK(json("functions_per_step", 0) == 3 * 8 * 4 * 4, "%s", text_out);
    CHECK(json("coefficient", 1) == 20 && strstr(text_out, "[\"data\", \"draw\", \"group\"]"), "%s",
          text_out);
    /* one more group, one more obs */
    CHECK(json("flop_per_step", 1) == 20 * 8 * 5 + 10 * 8 * 4, "%s", text_out);
    CHECK(json("flop_per_step", 2) == 20 * 8 * 4, "%s", text_out);
    CHECK(json("functions_per_step", 2) == 0, "%s", text_out);
    double bytes = json("bytes", 0), group = json("bytes", 1), obs = json("bytes", 2);
    EXPECT("info --sets 8 --draws 4 --size group=104 --json", 0);
    CHECK(json("flop_per_step", 0) == 7 + 104 * (20 * 8 * 5 + 10 * 8 * 4), "%s", text_out);
    CHECK_NEAR(json("bytes", 0), bytes + 100 * group, 0.05 * json("bytes", 0), "bytes by group");
    EXPECT("info --sets 8 --draws 4 --size obs=1005 --json", 0);
    CHECK_NEAR(json("bytes", 0), bytes + 1000 * obs, 0.05 * json("bytes", 0), "bytes by obs");
    EXPECT("info", 0);
    CHECK(strstr(text_out, "one more group: + ") && strstr(text_out, ", all of it allocated"), "%s",
          text_out);
    EXPECT("train --steps 3 -v --sets 8 --draws 4", 0);
    const char *need = strstr(text_err, "FLOP and 384 functions"),
               *end = strstr(text_err, "3 steps");
    CHECK(need && end && need < end, "%s", text_err);
}

static void bench(void) {
    EXPECT("bench --steps 7 --sets 8 --draws 4 -j2 --json", 0);
    CHECK(json("threads", 0) == 2 && json("steps", 0) == 7, "%s", text_out);
    double least = json("min", 0), median = json("median", 0), most = json("max", 0);
    CHECK(0 < least && least <= median && median <= most, "%s", text_out);
    double step = json("step", 0), optimiser = json("optimiser", 0);
    CHECK(step > 0 && step < most && optimiser > 0 && optimiser < most, "%s", text_out);
    CHECK(json("simulate", 0) > 0 && json("posterior", 0) > 0, "%s", text_out);
    CHECK(json("flop", 0) == 7 + 20 * 8 * 4 * 5 + 10 * 8 * 4 * 4, "%s", text_out);
    CHECK_NEAR(json("gflops", 0), json("flop", 0) / median / 1e6, 1e-3 * json("gflops", 0), "rate");
    CHECK(json("peak_gflops", 0) > 0.5 && json("rss_mib", 0) > 1, "%s", text_out);
    EXPECT("bench --time 0.1 --size group=7", 0);
    CHECK(strstr(text_out, "group = 7") && strstr(text_out, "whole step"), "%s", text_out);
    EXPECT("bench one.npz", 2);
    EXPECT("bench --count 3", 2);
}

static void help_teaches(void) {
    static const char *const commands[] = {"train", "infer", "elbo",  "simulate",
                                           "info",  "check", "bench", "fit"};
    EXPECT("--help", 0);
    for (int i = 0; i < 8; i++) {
        char line[40];
        CHECK(strstr(text_out, commands[i]) || i, "no %s", commands[i]);
        snprintf(line, sizeof line, i % 2 ? "%s --help" : "help %s", commands[i]);
        EXPECT(line, 0);
        CHECK(strstr(text_out, "examples") && strstr(text_out, "--json"), "%s: %s", line, text_out);
    }
    EXPECT("--version", 0);
    CHECK(strstr(text_out, "fake, compiled by adavic"), "%s", text_out);
}

static void data_errors(void) {
    EXPECT("info --weights d.csv", 1);
    EXPECT("infer one.npz --weights missing", 1);
    CHECK(strstr(text_err, "no weights at missing") && strstr(text_err, "train"), "%s", text_err);
    EXPECT("elbo one.npz --weights d.csv", 1);
    CHECK(strstr(text_err, "not a file of adavic weights"), "%s", text_err);
    EXPECT("infer nothing.npz --out bad.npz", 1);
    EXPECT("infer one.xyz", 1);
    FILE *f = fopen("bad.bin", "w");
    fputs("12345678", f);
    fclose(f);
    EXPECT("infer bad.bin --out bad.npz", 1);
    CHECK(strstr(text_err, "the nearest that fits is group = 1") && access("bad.npz", F_OK), "%s",
          text_err);
    CHECK(!*text_out, "%s", text_out);
}

int main(void) {
    char folder[] = "/tmp/adavic-commands-XXXXXX";
    enter_empty_folder(folder);
    RUN(training_reaches_the_evidence);
    RUN(weights_correct_the_answer);
    RUN(one_data_set_is_fitted);
    RUN(an_answer_is_refined);
    RUN(threads_and_seeds);
    RUN(time_is_kept_and_repeats_as_steps);
    RUN(schedule_of_objectives);
    RUN(steps_that_are_not_finite);
    RUN(signals_save);
    RUN(a_full_disk_keeps_the_old_weights);
    RUN(hypers_and_sizes_are_stored);
    RUN(draws_files);
    RUN(labels_of_a_csv);
    RUN(certificate);
    RUN(bench);
    RUN(simulated_table);
    RUN(usage_errors);
    RUN(help_teaches);
    RUN(data_errors);
    leave_folder(folder);
    return check_done();
}
