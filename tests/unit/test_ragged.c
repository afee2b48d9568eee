/* Groups of unequal size against exact evidences. Where the guide is the exact posterior,
 * log p - log q is the evidence for every draw: no sampling error hides a number that is counted in
 * the wrong group. Run as a user does, with the compiler that make built. */
#include "arrays.h"
#include "check.h"
#include "compiled_program.h"
#include "tests/measure/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SETS = 20, MOST = 400 };

/* log p(x) of the model in tests/models/ragged.hbm. Of a group, given mu, its mean is normal, and
 * what is left of its observations does not know of mu. */
static double evidence(const int *count, int groups, const double *x) {
    const double noise = 0.09, between = 0.25, prior = 1;
    double log_p = 0, precision = 1 / prior, weighted = 0, square = 0;
    for (int g = 0; g < groups; x += count[g++]) {
        double n = count[g], mean = 0, within = 0;
        if (!count[g]) continue;
        for (int i = 0; i < count[g]; i++) mean += x[i] / n;
        for (int i = 0; i < count[g]; i++) within += (x[i] - mean) * (x[i] - mean);
        double v = noise / n + between; /* of the mean about mu */
        log_p -= 0.5 * (within / noise + (n - 1) * log(2 * M_PI * noise) + log(n));
        log_p -= 0.5 * log(2 * M_PI * v);
        precision += 1 / v;
        weighted += mean / v;
        square += mean * mean / v;
    }
    return log_p - 0.5 * (log(prior * precision) + square - weighted * weighted / precision);
}

static void check_elbo(const char *what, const char *at, double exact) {
    double elbo = json_number(at, NULL, "elbo"), evidence = json_number(at, NULL, "log_evidence");
    CHECK(fabs(elbo - exact) < 2e-3 && fabs(evidence - exact) < 2e-3,
          "%s: ELBO %.6f, evidence %.6f, exactly %.6f", what, elbo, evidence, exact);
}

static void simulated_sets(void) {
    int count[MOST], groups = 0, empty = 0, rows = 0;
    if (!shell("./ragged simulate --count 20 --seed 5 --out s.npz -q && "
               "./ragged elbo s.npz --draws 20 --json >elbo.json"))
        return;
    Arrays *arrays = arrays_read("s.npz");
    const Array *n = arrays_find(arrays, "obs.count"), *x = arrays_find(arrays, "x");
    if (!CHECK(n && x && n->n <= MOST, "no arrays")) return;
    for (; groups < n->n; groups++) {
        count[groups] = (int)n->values[groups];
        empty += !count[groups];
        rows += count[groups];
    }
    CHECK(empty && rows * SETS == x->n, "%d empty groups, %d rows", empty, rows);
    char *text = json_read("elbo.json", NULL);
    const char *at = text;
    for (int i = 0; i < SETS; i++, at++) {
        at = strstr(at, "{\"elbo\"");
        if (!CHECK(at, "no ELBO of data set %d", i)) break;
        check_elbo("a simulated set", at, evidence(count, groups, x->values + i * rows));
    }
    arrays_free(arrays);
    free(text);
}

/* The rows of groups as a table, from the last to the first or in order; `name` tells the keys of
 * copies apart. */
static void write_rows(FILE *f, const int *count, int groups, const double *x, const char *name,
                       bool backwards) {
    int first[MOST] = {0}, n = 0;
    for (int g = 0; g < groups; n += count[g++]) first[g] = n;
    for (int k = 0; k < n; k++) {
        int row = backwards ? n - 1 - k : k, g = groups - 1;
        while (first[g] > row) g--;
        fprintf(f, "%s%d,%.9g\n", name, g, x[row]);
    }
}

static void check_table(const char *what, const int *count, int groups, const double *x,
                        double exact, int copies, bool backwards) {
    static const char *const names[] = {"a", "b"};
    FILE *f = create("d.csv");
    fprintf(f, "group,x\n");
    for (int i = 0; i < copies; i++) write_rows(f, count, groups, x, names[i], backwards);
    fclose(f);
    if (!shell("./ragged elbo d.csv --draws 20 --json >elbo.json")) return;
    char *text = json_read("elbo.json", NULL);
    check_elbo(what, text, exact);
    free(text);
}

/* One observation in some groups, many in one. */
static void tables(void) {
    static const int count[] = {1, 8, 1, 3, 7};
    double x[20], twice[40];
    int both[10];
    for (int i = 0; i < 20; i++) x[i] = twice[i] = twice[20 + i] = sin(7.1 * i) + 0.1 * i;
    for (int g = 0; g < 10; g++) both[g] = count[g % 5];
    double once = evidence(count, 5, x);
    check_table("in order", count, 5, x, once, 1, false);
    check_table("backwards", count, 5, x, once, 1, true);
    check_table("every group twice", count, 5, x, evidence(both, 10, twice), 2, false);
}

/* Group 1 of the answer is the one whose key comes second, whatever the sizes before it. */
static void instances_keep_their_names(void) {
    FILE *f = create("d.csv");
    fprintf(f, "group,x\nfar,3\nnear,0.1\nfar,3.1\nnear,0\nnear,0.05\nfar,2.9\nfar,3\nlone,-2\n");
    fclose(f);
    if (!shell("./ragged infer d.csv --json --out draws.npz >infer.json")) return;
    char *text = json_read("infer.json", NULL);
    static const char *const name[] = {"a[0]", "a[1]", "a[2]"}, *const label[] = {"far", "near",
                                                                                  "lone"};
    static const double about[] = {3, 0.05, -1.4};
    for (int g = 0; g < 3; g++) {
        const char *own = json_find(text, NULL, name[g]);
        if (!CHECK(own, "no %s", name[g])) continue;
        CHECK(fabs(json_number(own, NULL, "mean") - about[g]) < 0.4, "%s: %.3f", name[g],
              json_number(own, NULL, "mean"));
        const char *labels = strstr(own, "\"labels\"");
        CHECK(labels && !strncmp(labels + 12, label[g], strlen(label[g])), "%s: %.30s", name[g],
              labels);
    }
    free(text);
}

int main(void) {
    char folder[] = "/tmp/adavic-ragged-XXXXXX";
    if (enter_with_program(folder, "tests/models/ragged.hbm", "ragged") &&
        shell("./ragged train --steps 1 -q 2>err")) {
        RUN(simulated_sets);
        RUN(tables);
        RUN(instances_keep_their_names);
    }
    leave_folder(folder);
    return check_done();
}
