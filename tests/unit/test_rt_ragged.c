/* Data files of models with ragged plates: what is read, how plates are cut, also those that no
 * variable of the file stands in, and what is refused. */
#include "check.h"
#include "rt_fake_model.h"
#include "rt_reading.h"
#include "runtime/session.h"

#include <stdlib.h>
#include <string.h>

static RtMem *mem;
static RtError error;

/* As trained: plates of the sizes that the manifest states, ragged ones evenly. */
static RtDataOptions trained(const RtModel *m) {
    RtDataOptions o = {0};
    for (int i = 0; i < m->n_plates; i++) o.sizes.n[i] = m->plates[i].size;
    rt_sizes_balance(mem, m, &o.sizes);
    return o;
}

static Reading reading(const RtModel *m, Reader *reader) {
    return (Reading){reader, mem, m, "d", trained(m)};
}

static bool read_as(const RtModel *m, Reader *reader, const char *text, RtData *out) {
    Reading r = reading(m, reader);
    return read_text(&r, text, out, &error);
}

static const RtModel *model_of(const char *manifest) {
    RtModel *m = rt_model_new(mem, manifest, &error);
    if (!CHECK(m, "%s", error.text)) exit(1);
    return m;
}

/* Does every ragged plate say where the instances of each parent begin, all counted? */
static void check_firsts(const RtModel *m, const RtSizes *sizes, const char *what) {
    for (int i = 0; i < m->n_plates; i++) {
        if (!m->plates[i].ragged) continue;
        int64_t parents = rt_instances(m, sizes, m->plates[i].parent);
        for (int64_t k = 0; k < parents; k++) {
            int64_t n = sizes->first[i][k + 1] - sizes->first[i][k];
            if (!CHECK(n >= 0 && n <= sizes->n[i], "%s: %lld instances of %s in parent %lld", what,
                       (long long)n, m->plates[i].name, (long long)k))
                break;
        }
    }
}

/* ---- plates that the file does not speak of ---- */

static const char two_inside[] = "adavic-manifest 1\n"
                                 "plate a parent - size 3 exchangeable 1 \"\" range 2 400\n"
                                 "plate b parent a size 2 exchangeable 1 \"\" range 1 5 ragged\n"
                                 "plate c parent a size 2 exchangeable 1 \"\" range 1 5 ragged\n"
                                 "latent u plates a b dims\n"
                                 "observed x plates a c dims missing 0\n";

/* `b` is of no variable of the file, and has as many parents as the file has groups. */
static void plates_off_the_path(void) {
    const RtModel *m = model_of(two_inside);
    RtData d;
    RtBytes csv = {0}, json = {0};
    rt_bytes_printf(&csv, "a,x\n");
    rt_bytes_printf(&json, "{\"x\": [");
    for (int i = 0; i < 300; i++) {
        rt_bytes_printf(&csv, i % 3 ? "%d,1\n" : "%d,1\n%d,2\n", i, i);
        rt_bytes_printf(&json, "%s[1, null]", i ? ", " : "");
    }
    rt_bytes_printf(&json, "]}");
    if (CHECK(read_as(m, rt_data_csv, csv.data, &d), "%s", error.text)) {
        check_firsts(m, &d.sizes, "table");
        CHECK(rt_instances(m, &d.sizes, 1) == 600 && rt_instances(m, &d.sizes, 2) == 400,
              "table: %lld of b, %lld of c", (long long)rt_instances(m, &d.sizes, 1),
              (long long)rt_instances(m, &d.sizes, 2));
    }
    if (CHECK(read_as(m, rt_data_json, json.data, &d), "%s", error.text)) {
        check_firsts(m, &d.sizes, "arrays");
        CHECK(rt_instances(m, &d.sizes, 1) == 600 && rt_instances(m, &d.sizes, 2) == 600,
              "arrays: %lld of b, %lld of c", (long long)rt_instances(m, &d.sizes, 1),
              (long long)rt_instances(m, &d.sizes, 2));
    }
    rt_bytes_free(&csv);
    rt_bytes_free(&json);
}

/* The message shows the sizes that were there before the array, which agree with each other. */
static void wrong_shapes(void) {
    const RtModel *m = model_of(two_inside);
    static const char *const bad[] = {"{\"x\": [[[[1]]]]}", "{\"x\": [[], [], [], [], [], []]}",
                                      "{\"x\": []}"};
    for (int i = 0; i < 3; i++) {
        RtData d;
        CHECK(!read_as(m, rt_data_json, bad[i], &d) &&
                  strstr(error.text, "expected  x[a = 3, c = 2] (plate"),
              "%s: %s", bad[i], error.text);
    }
}

/* ---- arrays PLATE.count ---- */

static const char three_deep[] = "adavic-manifest 1\n"
                                 "plate a parent - size 3 exchangeable 1 \"\" range 2 5\n"
                                 "plate b parent a size 2 exchangeable 1 \"\"\n"
                                 "plate c parent b size 2 exchangeable 1 \"\" range 0 4 ragged\n"
                                 "plate d parent a size 2 exchangeable 1 \"\" range 0 4 ragged\n"
                                 "latent u plates a d dims\n"
                                 "observed y plates a b dims\n"
                                 "observed x plates a b c dims 2\n";

/* y and x of four instances of a, c cut by `count` and d, if it is to be, by `d_count`. */
static bool read_counted(const RtModel *m, const double *count, int n, const double *d_count,
                         int n_d, const RtDataOptions *options, RtData *out) {
    static const double values[40];
    RtBytes archive = {0}, directory = {0};
    int64_t all = 0;
    for (int i = 0; i < n; i++) all += (int64_t)count[i];
    add_array(&archive, &directory, "c.count.npy", count, (int64_t[]){n}, 1);
    if (d_count) add_array(&archive, &directory, "d.count.npy", d_count, (int64_t[]){n_d}, 1);
    add_array(&archive, &directory, "y.npy", values, (int64_t[]){4, 2}, 2);
    add_array(&archive, &directory, "x.npy", values, (int64_t[]){all, 2}, 2);
    rt_zip_end(&archive, &directory);
    bool ok = rt_data_npz(mem, m, "d", &archive, options, out, &error);
    rt_bytes_free(&archive);
    rt_bytes_free(&directory);
    return ok;
}

/* The number of counts says how many of the outermost plate there are. */
static void counts_below_an_inner_plate(void) {
    static const double count[] = {1, 0, 2, 4, 1, 1, 0, 3};
    const RtModel *m = model_of(three_deep);
    RtDataOptions o = trained(m);
    RtData d;
    if (!CHECK(read_counted(m, count, 8, NULL, 0, &o, &d), "%s", error.text)) return;
    check_firsts(m, &d.sizes, "counts");
    CHECK(d.sizes.n[0] == 4 && d.sizes.n[1] == 2 && rt_instances(m, &d.sizes, 2) == 12 &&
              rt_instances(m, &d.sizes, 3) == 8,
          "%lld of a, %lld of c, %lld of d", (long long)d.sizes.n[0],
          (long long)rt_instances(m, &d.sizes, 2), (long long)rt_instances(m, &d.sizes, 3));
    CHECK(!read_counted(m, count, 7, NULL, 0, &o, &d) && strstr(error.text, "has 7 numbers"), "%s",
          error.text);
}

/* What --size or another array says is not overridden. */
static void counts_against_other_sizes(void) {
    static const double count[] = {1, 0, 2, 4, 1, 1, 0, 3};
    const RtModel *m = model_of(three_deep);
    RtDataOptions o = trained(m);
    RtData d;
    CHECK(!read_counted(m, count, 8, count + 2, 3, &o, &d) &&
              strstr(error.text, "array d.count has 3 numbers\n  expected  4"),
          "%s", error.text);
    CHECK(read_counted(m, count, 8, count + 2, 4, &o, &d), "%s", error.text);
    o.given[0] = true;
    CHECK(!read_counted(m, count, 8, NULL, 0, &o, &d) &&
              strstr(error.text, "array c.count has 8 numbers\n  expected  6"),
          "%s", error.text);
    o.given[0] = false, o.given[2] = true;
    CHECK(!read_counted(m, count, 8, NULL, 0, &o, &d) &&
              strstr(error.text, "number 0 of array c.count is 1, but --size says 2"),
          "%s", error.text);
}

/* Groups that are equal after all: one axis of all instances, or one for each plate. */
static void equal_counts(void) {
    static const double two[] = {2, 2, 2};
    static const struct {
        int64_t dims[3];
        int n;
        bool fits;
    } shapes[] = {{{6}, 1, true},       {{3, 2}, 2, true},  {{5, 6}, 2, true},
                  {{5, 3, 2}, 3, true}, {{2, 3}, 2, false}, {{7}, 1, false}};
    const RtModel *m = model_of(two_inside);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        static const double values[30];
        RtBytes archive = {0}, directory = {0};
        RtDataOptions o = trained(m);
        RtData d;
        add_array(&archive, &directory, "c.count.npy", two, (int64_t[]){3}, 1);
        add_array(&archive, &directory, "x.npy", values, shapes[i].dims, shapes[i].n);
        rt_zip_end(&archive, &directory);
        bool read = rt_data_npz(mem, m, "d", &archive, &o, &d, &error);
        CHECK(read == shapes[i].fits, "shape %zu: %s", i, read ? "read" : error.text);
        if (read)
            CHECK(d.n_sets == (shapes[i].dims[0] == 5 ? 5 : 1) && rt_instances(m, &d.sizes, 2) == 6,
                  "shape %zu: %lld sets", i, (long long)d.n_sets);
        rt_bytes_free(&archive);
        rt_bytes_free(&directory);
    }
}

/* ---- .json ---- */

/* Instances of c nested in those of b in those of a, or side by side with their numbers. */
static void unequal_arrays(void) {
    static const char *const same[] = {
        "{\"y\": [[1, 2], [3, 4]], \"x\": [[[[1, 2]], []], [[[3, 4], [5, 6]], [[7, 8]]]]}",
        "{\"y\": [[1, 2], [3, 4]], \"c.count\": [1, 0, 2, 1],"
        " \"x\": [[1, 2], [3, 4], [5, 6], [7, 8]]}",
        "{\"x\": [[[[1, 2]], []], [[[3, 4], [5, 6]], [[7, 8]]]], \"c.count\": [1, 0, 2, 1],"
        " \"y\": [[1, 2], [3, 4]]}"};
    const RtModel *m = model_of(three_deep);
    for (int i = 0; i < 3; i++) {
        RtData d;
        if (!CHECK(read_as(m, rt_data_json, same[i], &d), "%d: %s", i, error.text)) continue;
        check_firsts(m, &d.sizes, same[i]);
        const int64_t *first = d.sizes.first[2];
        CHECK(d.sizes.n[0] == 2 && first[1] == 1 && first[2] == 1 && first[3] == 3 && first[4] == 4,
              "%d: cut otherwise", i);
        CHECK(d.n_sets == 1 && !d.unread, "%d: %lld sets, unread %s", i, (long long)d.n_sets,
              d.unread);
        for (int k = 0; k < 8; k++)
            CHECK(d.values[2][k] == k + 1, "%d: x %d is %g", i, k, d.values[2][k]);
    }
}

/* Two ragged plates in each other: both are cut. */
static void unequal_arrays_in_unequal_arrays(void) {
    static const char manifest[] = "adavic-manifest 1\n"
                                   "plate a parent - size 3 exchangeable 1 \"\" range 2 5\n"
                                   "plate b parent a size 2 exchangeable 1 \"\" range 0 4 ragged\n"
                                   "plate c parent b size 2 exchangeable 1 \"\" range 0 4 ragged\n"
                                   "observed x plates a b c dims\n";
    static const char *const texts[] = {"{\"x\": [[[1, 2], [3]], [], [[4]]]}",
                                        "{\"x\": [[[1, 2], [3]], [[], [4]]]}"};
    static const int64_t b[2][3] = {{2, 2, 3}, {2, 4, 4}}, c[2][4] = {{2, 3, 4, 4}, {2, 3, 3, 4}};
    const RtModel *m = model_of(manifest);
    for (int i = 0; i < 2; i++) {
        RtData d;
        if (!CHECK(read_as(m, rt_data_json, texts[i], &d), "%d: %s", i, error.text)) continue;
        for (int k = 0; k < d.sizes.n[0]; k++)
            CHECK(d.sizes.first[1][k + 1] == b[i][k], "%d: b of %d", i, k);
        for (int k = 0; k < rt_instances(m, &d.sizes, 1); k++)
            CHECK(d.sizes.first[2][k + 1] == c[i][k], "%d: c of %d", i, k);
    }
}

static void unequal_arrays_refused(void) {
    static const Bad bad[] = {
        {"{\"y\": [[1, 2], [3]], \"x\": []}", NULL, "plate b(1..2), and train again", NULL},
        {"{\"y\": [[1, 2], [3, 4]], \"x\": [[[[1, 2]], [[1]]], [[], []]]}", NULL, "found     1",
         NULL},
        {"{\"c.count\": [1, 2, 2, 1], \"x\": [[[[1, 2]], []], [[[3, 4], [5, 6]], [[7, 8]]]]}", NULL,
         "d:1:27: x is not what was said before of c", NULL},
        {"{\"c.count\": [[1], [2, 2]]}", NULL, "arrays of unequal size within c.count", NULL},
        {"{\"x\": [[[[[1, 2]], []], [[], []]]]}", NULL, "how many each b has as \"c.count\"", NULL},
        {"{\"c.count\": [1, 2.5], \"y\": [[1, 2]], \"x\": [[1, 2]]}", NULL, "expected a count",
         NULL}};
    Reading r = reading(model_of(three_deep), rt_data_json);
    check_refused(&r, bad, sizeof bad / sizeof *bad);
}

int main(void) {
    mem = rt_mem_new();
    fake_overflow = INFINITY; /* links what the manifests have no programs of */
    RUN(plates_off_the_path);
    RUN(wrong_shapes);
    RUN(counts_below_an_inner_plate);
    RUN(counts_against_other_sizes);
    RUN(equal_counts);
    RUN(unequal_arrays);
    RUN(unequal_arrays_in_unequal_arrays);
    RUN(unequal_arrays_refused);
    rt_mem_free(mem);
    return check_done();
}
