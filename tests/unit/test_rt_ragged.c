/* Data files of models with ragged plates: what is read, how plates are cut, also those that no
 * variable of the file stands in, and what is refused. */
#include "check.h"
#include "rt_fake_model.h"
#include "runtime/session.h"

#include <stdlib.h>
#include <string.h>

static RtMem *mem;
static RtError error;

typedef bool Reader(RtMem *m, const RtModel *model, const char *name, const RtBytes *bytes,
                    const RtDataOptions *options, RtData *out, RtError *error);

/* As trained: plates of the sizes that the manifest states, ragged ones evenly. */
static RtDataOptions trained(const RtModel *m) {
    RtDataOptions o = {0};
    for (int i = 0; i < m->n_plates; i++) o.sizes.n[i] = m->plates[i].size;
    rt_sizes_balance(mem, m, &o.sizes);
    return o;
}

static bool read_text(const RtModel *m, Reader *reader, const char *text, RtData *out) {
    RtDataOptions o = trained(m);
    RtBytes bytes = {(char *)(uintptr_t)text, strlen(text), 0};
    return reader(mem, m, "d", &bytes, &o, out, &error);
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
    if (CHECK(read_text(m, rt_data_csv, csv.data, &d), "%s", error.text)) {
        check_firsts(m, &d.sizes, "table");
        CHECK(rt_instances(m, &d.sizes, 1) == 600 && rt_instances(m, &d.sizes, 2) == 400,
              "table: %lld of b, %lld of c", (long long)rt_instances(m, &d.sizes, 1),
              (long long)rt_instances(m, &d.sizes, 2));
    }
    if (CHECK(read_text(m, rt_data_json, json.data, &d), "%s", error.text)) {
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
        CHECK(!read_text(m, rt_data_json, bad[i], &d) &&
                  strstr(error.text, "expected  x[a = 3, c = 2] (plate"),
              "%s: %s", bad[i], error.text);
    }
}

int main(void) {
    mem = rt_mem_new();
    fake_overflow = INFINITY; /* links what the manifests have no programs of */
    RUN(plates_off_the_path);
    RUN(wrong_shapes);
    rt_mem_free(mem);
    return check_done();
}
