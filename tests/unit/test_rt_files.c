/* Data and weights from files: what is read, what is refused and how, and random damage to every
 * format (fixed seed, bounded counts; run under ASan by `make asan`). The model is the hand-made
 * one of rt_fake_model.c. */
#include "check.h"
#include "rt_fake_model.h"
#include "rt_reading.h"
#include "runtime/random.h"
#include "runtime/session.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static RtMem *mem;
static const RtModel *model;
static RtError error;

static void setup(void) {
    mem = rt_mem_new();
    model = rt_model_new(mem, adavic_manifest, &error);
    fake_overflow = INFINITY;
}

static RtDataOptions declared(void) {
    RtDataOptions o = {.sizes = {.n = {4, 5}}};
    return o;
}

static Reading reading(Reader *reader) {
    return (Reading){reader, mem, model, "d.csv", declared()};
}

static bool read_as(Reader *reader, const char *text, RtData *out) {
    Reading r = reading(reader);
    return read_text(&r, text, out, &error);
}

static const double *x_of(const RtData *d) {
    return d->values[rt_var(model, "x") - model->vars];
}

/* ---- contexts ---- */

/* A context's array holds one value for each data set, or one for all; a file need not have it. */
static void contexts_from_arrays(void) {
    static const char manifest[] = "adavic-manifest 1\n"
                                   "observed x plates dims 2\ncontext c plates dims positive\n"
                                   "context d plates dims 2\n";
    static const double x[] = {1, 2, 3, 4, 5, 6}, c[] = {7, 8, 9}, d[] = {10, 11};
    RtModel *m = rt_model_new(mem, manifest, &error);
    if (!CHECK(m, "%s", error.text)) return;
    RtBytes archive = {0}, directory = {0};
    add_array(&archive, &directory, "x.npy", x, (int64_t[]){3, 2}, 2);
    add_array(&archive, &directory, "c.npy", c, (int64_t[]){3}, 1);
    add_array(&archive, &directory, "d.npy", d, (int64_t[]){2}, 1);
    rt_zip_end(&archive, &directory);
    RtDataOptions o = {0};
    RtData data;
    RtState *state = rt_state_new(mem, m);
    if (CHECK(rt_data_npz(mem, m, "d.npz", &archive, &o, &data, &error), "%s", error.text))
        for (int s = 0; s < 3; s++)
            CHECK(data.values[1][s] == 7 + s && data.values[2][2 * s] == 10 &&
                      data.values[2][2 * s + 1] == 11,
                  "data set %d: c = %g, d = %g, %g", s, data.values[1][s], data.values[2][2 * s],
                  data.values[2][2 * s + 1]);
    state->contexts[1][0] = 0.5, state->contexts[1][1] = 1; /* set */
    CHECK(rt_context_data(mem, m, state, "d.npz", &data, &error) && data.values[1][2] == 0.5,
          "--set replaces what the file says");
    data.values[2] = NULL;
    CHECK(!rt_context_data(mem, m, state, "d.npz", &data, &error) &&
              strstr(error.text, "--set d=X,Y,..., or columns or an array named d"),
          "%s", error.text);
    state->contexts[1][0] = -1;
    CHECK(!rt_context_data(mem, m, state, "d.npz", &data, &error) &&
              strstr(error.text, "context c is -1"),
          "%s", error.text);
    rt_bytes_free(&archive);
    rt_bytes_free(&directory);
}

/* ---- csv ---- */

static const char good[] = "group,obs,x[0],x[1]\n"
                           "b,1,1,2\n"
                           "a,1,5,6\n"
                           "b,2,3,4\n"
                           "a,2,7,8e0\n";

static void csv_is_read(void) {
    RtData d;
    if (!CHECK(read_as(rt_data_csv, good, &d), "%s", error.text)) return;
    CHECK(d.sizes.n[0] == 2 && d.sizes.n[1] == 2 && d.n_sets == 1, "sizes %d, %d",
          (int)d.sizes.n[0], (int)d.sizes.n[1]);
    for (int i = 0; i < 8; i++) CHECK(x_of(&d)[i] == i + 1, "x[%d] is %g", i, x_of(&d)[i]);
    CHECK(!strcmp(d.labels[0][0], "b") && !strcmp(d.labels[0][1], "a"),
          "labels in order of appearance");
    CHECK(!strcmp(d.labels[1][3], "2"), "labels of the inner plate");
}

/* The same data in other clothes. */
static void csv_dialects(void) {
    static const char *const same[] = {
        "\xef\xbb\xbfgroup,obs,x[0],x[1]\r\nb,1,1,2\r\na,1,5,6\r\nb,2,3,4\r\na,2,7,8\r\n",
        "group;obs;x.1;x.2\nb;1;1;2\na;1;5;6\nb;2;3;4\na;2;7;8",
        "group\tobs\tx[0]\tx[1]\nb\t1\t1\t2\na\t1\t5\t6\nb\t2\t3\t4\na\t2\t7\t8\n\n",
        "x[1],extra,\"x[0]\",obs,\"group\"\n2,\"a, "
        "b\",\"1\",1,b\n6,,5,1,a\n\n4,\"q\"\"q\",3,2,b\n8,t, 7 ,2,a\n",
        "group,x[0],x[1]\nb,1,2\na,5,6\nb,3,4\na,7,8\n", /* rows are instances */
        "group,obs,x[0],x[1]\n\"b\ne\",1,1,2\na,1,5,6\n\"b\ne\",2,3,4\na,2,7,8\n",
    };
    for (int k = 0; k < 6; k++) {
        RtData d;
        if (!CHECK(read_as(rt_data_csv, same[k], &d), "dialect %d: %s", k, error.text)) continue;
        for (int i = 0; i < 8; i++)
            CHECK(x_of(&d)[i] == i + 1, "dialect %d: x[%d] is %g", k, i, x_of(&d)[i]);
    }
}

static void csv_refusals(void) {
    static const Bad bad[] = {
        {"", "d.csv", "no row", NULL},
        {"group,obs,x[0],x[1]\n", "d.csv", "no row", NULL},
        {"group,obs,x[0],x[1]\na,1,1\n", "d.csv:2:", "has 3 cells", NULL},
        {"group,obs,x[0],x[1]\na,1,1,2,3\n", "d.csv:2:", "has 5 cells", NULL},
        {"grup,obs,x[0],x[1]\na,1,1,2\n", "d.csv:1:", "did you mean grup?", NULL},
        {"group,obs,x[0],x2\na,1,1,2\n", "d.csv:1:", "no column named x[1]", NULL},
        {"group,obs,x[0],x[1]\na,1,1,2\na,2,,4\n", "d.csv:3:3:", "an empty cell", NULL},
        {"group,obs,x[0],x[1]\na,1,1,NA\n", "d.csv:2:4:", "is missing", NULL},
        {"group,obs,x[0],x[1]\na,1,1,nan\n", "d.csv:2:4:", "is missing", NULL},
        {"group,obs,x[0],x[1]\n,1,1,2\n", "d.csv:2:1:", "key group is missing", NULL},
        {"group,obs,x[0],x[1]\na,1,1,two\n", "d.csv:2:4:", "\"two\"", NULL},
        {"group\tobs\tx[0]\tx[1]\na\t1\t1\t2,5\n", "d.csv:2:4:", "written with a point", NULL},
        {"group,obs,x[0],x[1]\na,1,1,0x10\n", "d.csv:2:4:", "text where", NULL},
        {"group,obs,x[0],x[1]\na,1,inf,2\n", "d.csv:2:3:", "infinite", NULL},
        {"group,obs,x[0],x[1]\na,1,1e300,2\n", "d.csv:2:3:", "in float", NULL},
        {"group,obs,x[0],x[1]\na,1,1,2\nb,1,1,2\na,1,3,4\n", "d.csv:4:2:", "row 2", NULL},
        {"group,obs,x[0],x[1]\na,1,1,2\na,2,1,2\nb,1,3,4\n", "d.csv:4:", "2 of plate obs", NULL},
        {"group,obs,x[0],x[1]\na,1,1,\"2\n", "d.csv:2:4:", "quote", NULL},
        {"group,obs,\"x[0],x[1]\na,1,1,2\n", "d.csv:1:3:", "quote", NULL},
    };
    Reading r = reading(rt_data_csv);
    check_refused(&r, bad, sizeof bad / sizeof *bad);
}

static void csv_follows_given_sizes(void) {
    RtDataOptions o = declared();
    RtData d;
    RtBytes bytes = {(char *)(uintptr_t)good, strlen(good), 0};
    o.given[0] = true;
    CHECK(!rt_data_csv(mem, model, "d.csv", &bytes, &o, &d, &error) &&
              strstr(error.text, "--size says 4"),
          "%s", error.text);
}

/* An outer variable repeats in its rows and must not change; several trees of plates do not fit one
 * table. */
static void csv_outer_variables(void) {
    static const char manifest[] =
        "adavic-manifest 1\nplate g parent - size 2 exchangeable 1 \"\"\n"
        "plate k parent g size 2 exchangeable 1 \"\"\n"
        "observed y plates g dims\nobserved x plates g k dims\n";
    static const char *const text = "g,x,y\na,1,9\nb,2,7\na,3,9\nb,4,7\n",
                             *const bad = "g,x,y\na,1,9\na,3,8\n";
    RtModel *m = rt_model_new(mem, manifest, &error);
    RtDataOptions o = {.sizes = {.n = {2, 2}}};
    RtData d;
    RtBytes bytes = {(char *)(uintptr_t)text, strlen(text), 0};
    if (!CHECK(m && rt_data_csv(mem, m, "d.csv", &bytes, &o, &d, &error), "%s", error.text)) return;
    CHECK(d.values[0][0] == 9 && d.values[0][1] == 7 && d.values[1][1] == 3, "values");
    bytes = (RtBytes){(char *)(uintptr_t)bad, strlen(bad), 0};
    CHECK(!rt_data_csv(mem, m, "d.csv", &bytes, &o, &d, &error) &&
              strstr(error.text, "d.csv:3:3:") && strstr(error.text, "as in row 2"),
          "%s", error.text);
    static const char two[] = "adavic-manifest 1\nplate g parent - size 2 exchangeable 1 \"\"\n"
                              "plate k parent - size 2 exchangeable 1 \"\"\n"
                              "observed y plates g dims\nobserved x plates k dims\n";
    m = rt_model_new(mem, two, &error);
    CHECK(!rt_data_csv(mem, m, "d.csv", &bytes, &o, &d, &error) && strstr(error.text, ".npz"), "%s",
          error.text);
}

/* What is given: behind what is observed in .bin, by name elsewhere; categories by text. */
static void covariates(void) {
    static const char manifest[] =
        "adavic-manifest 1\nplate g parent - size 2 exchangeable 1 \"\"\n"
        "plate k parent g size 2 exchangeable 1 \"\"\n"
        "given arm plates g dims values 2\ngiven w plates dims positive\n"
        "observed y plates g k dims\n";
    static const char text[] = "g,y,arm,w\na,1,drug,3\nb,2,none,3\na,3,drug,3\nb,4,none,3\n";
    static const Bad bad[] = {
        {"g,y,arm,w\na,1,x,3\nb,2,y,3\na,1,z,3\nb,2,y,3\n", NULL, "d.csv:4:3: one category of arm",
         NULL},
        {"g,y,arm,w\na,1,x,3\nb,2,y,3\na,1,y,3\nb,2,y,3\n", NULL, "d.csv:4:3: arm changes", NULL},
        {"g,y,arm,w\na,1,x,3\nb,2,NA,3\n", NULL, "d.csv:3:3: a value of arm is missing", NULL},
        {"g,y,arm,w\na,1,0,3\nb,2,2,3\n", NULL, "expected  a whole number from 0 to 1", NULL},
        {"g,y,arm,w\na,1,0,0\nb,2,1,0\n", NULL, "expected  a number above 0", NULL},
        {"g,y,arm\na,1,0\nb,2,1\n", NULL, "no column named w", NULL}};
    RtModel *m = rt_model_new(mem, manifest, &error);
    RtDataOptions o = {.sizes = {.n = {2, 2}}};
    RtData d;
    RtBytes bytes = {(char *)(uintptr_t)text, sizeof text - 1, 0};
    if (!CHECK(m && rt_data_csv(mem, m, "d.csv", &bytes, &o, &d, &error), "%s", error.text)) return;
    CHECK(d.values[0][0] == 0 && d.values[0][1] == 1 && d.values[1][0] == 3 && d.values[2][1] == 3,
          "values");
    CHECK(!strcmp(d.kinds[0][0], "drug") && !strcmp(d.kinds[0][1], "none"), "labels");
    Reading r = {rt_data_csv, mem, m, "d.csv", o};
    check_refused(&r, bad, sizeof bad / sizeof *bad);
    float numbers[] = {1, 2, 3, 4, 1, 0, 5};
    bytes = (RtBytes){(char *)numbers, sizeof numbers, 0};
    if (!CHECK(rt_data_bin(mem, m, "d.bin", &bytes, &o, &d, &error), "%s", error.text)) return;
    CHECK(d.values[0][0] == 1 && d.values[0][1] == 0 && d.values[1][0] == 5 && d.values[2][3] == 4,
          "in the order of the file");
    numbers[4] = 0.5;
    CHECK(!rt_data_bin(mem, m, "d.bin", &bytes, &o, &d, &error) &&
              strstr(error.text, "arm[0] is 0.5"),
          "%s", error.text);
}

/* ---- bin ---- */

static RtBytes floats(int n) {
    RtBytes b = {0};
    for (int i = 0; i < n; i++) {
        float f = (float)i;
        rt_bytes_add(&b, &f, 4);
    }
    return b;
}

static bool read_bin(RtBytes *b, const RtDataOptions *o, RtData *d) {
    return rt_data_bin(mem, model, "d.bin", b, o, d, &error);
}

static void bin_is_read(void) {
    RtData d;
    RtDataOptions o = declared();
    RtBytes b = floats(70); /* 7 groups of 5 times 2 */
    CHECK(read_bin(&b, &o, &d) && d.sizes.n[0] == 7 && x_of(&d)[69] == 69, "%s", error.text);
    rt_bytes_free(&b);
    b = floats(120);
    o.batch = true;
    CHECK(read_bin(&b, &o, &d) && d.n_sets == 3 && d.sizes.n[0] == 4 && x_of(&d)[119] == 119, "%s",
          error.text);
    o = declared();
    o.given[0] = true; /* then the next plate is solved for */
    CHECK(read_bin(&b, &o, &d) && d.sizes.n[0] == 4 && d.sizes.n[1] == 15, "%s", error.text);
    rt_bytes_free(&b);
}

static void bin_refusals(void) {
    RtData d;
    RtDataOptions o = declared();
    RtBytes b = floats(72);
    CHECK(!read_bin(&b, &o, &d) && strstr(error.text, "group = 7, with 280 bytes"), "%s",
          error.text);
    CHECK(strstr(error.text, "x[group = 4, obs = 5, 2]"), "the expected shape: %s", error.text);
    b.n--;
    CHECK(!read_bin(&b, &o, &d) && strstr(error.text, "no multiple of 4"), "%s", error.text);
    b.n = 0;
    CHECK(!read_bin(&b, &o, &d), "an empty file");
    b.n = 70 * 4;
    ((float *)(void *)b.data)[13] = NAN;
    CHECK(!read_bin(&b, &o, &d) && strstr(error.text, "x[1,1,1]: a value of x is missing"), "%s",
          error.text);
    ((float *)(void *)b.data)[13] = -INFINITY;
    CHECK(!read_bin(&b, &o, &d) && strstr(error.text, "infinite"), "%s", error.text);
    b.n = 80 * 4;
    rt_bytes_free(&b);
    b = floats(70);
    o.given[0] = o.given[1] = true;
    CHECK(!read_bin(&b, &o, &d), "all sizes given, wrong length");
    o.batch = true;
    CHECK(!read_bin(&b, &o, &d) && strstr(error.text, "per data set"), "%s", error.text);
    rt_bytes_free(&b);
}

/* ---- npz ---- */

static RtBytes npz_of(const char *name, const RtBytes *npy) {
    RtBytes archive = {0}, directory = {0};
    rt_zip_add(&archive, &directory, name, npy, &error);
    rt_zip_end(&archive, &directory);
    rt_bytes_free(&directory);
    return archive;
}

static RtBytes npz_with(const char *name, const int64_t *dims, int n_dims) {
    RtBytes npy = {0}, numbers = floats((int)rt_product(dims, n_dims));
    rt_npy_write(&npy, numbers.data, false, dims, n_dims);
    RtBytes archive = npz_of(name, &npy);
    rt_bytes_free(&npy);
    rt_bytes_free(&numbers);
    return archive;
}

static bool read_npz(RtBytes *b, RtData *d) {
    RtDataOptions o = declared();
    return rt_data_npz(mem, model, "d.npz", b, &o, d, &error);
}

static void npz_is_read(void) {
    RtData d;
    RtBytes b = npz_with("x.npy", (int64_t[]){6, 3, 2}, 3);
    CHECK(read_npz(&b, &d) && d.n_sets == 1 && d.sizes.n[0] == 6 && d.sizes.n[1] == 3 &&
              x_of(&d)[35] == 35,
          "%s", error.text);
    rt_bytes_free(&b);
    b = npz_with("x.npy", (int64_t[]){3, 4, 5, 2}, 4);
    CHECK(read_npz(&b, &d) && d.n_sets == 3 && x_of(&d)[119] == 119, "%s", error.text);
    rt_bytes_free(&b);
    RtBytes npy = {0}, numbers = floats(16);
    rt_npy_write(&npy, numbers.data, false, (int64_t[]){2, 4, 2}, 3);
    CHECK(read_npz(&npy, &d) && d.sizes.n[1] == 4, "a lone .npy: %s", error.text);
    rt_bytes_free(&npy);
    rt_bytes_free(&numbers);
}

/* An array header as text, any element type. */
static RtBytes npy_raw(const char *descr, bool fortran, const char *shape, const void *body,
                       size_t n) {
    RtBytes text = {0}, out = {0};
    rt_bytes_printf(&text, "{'shape': %s, 'fortran_order': %s, 'descr': '%s'}\n", shape,
                    fortran ? "True" : "False", descr);
    unsigned char head[12] = {0x93, 'N', 'U', 'M', 'P', 'Y', 2, 0, (unsigned char)text.n, 0, 0, 0};
    rt_bytes_add(&out, head, 12);
    rt_bytes_add(&out, text.data, text.n);
    rt_bytes_add(&out, body, n);
    rt_bytes_free(&text);
    return out;
}

static void npy_element_types(void) {
    static const unsigned char half[] = {0x00, 0x3c, 0x00, 0xc0, 0x00, 0x38, 0x01, 0x00};
    const struct {
        const char *descr;
        const void *body;
        size_t n;
        double want[4];
    } types[] = {
        {"<f8", (const double[]){1, -2, 0.5, 3e10}, 32, {1, -2, 0.5, 3e10}},
        {"<i2", (const int16_t[]){1, -2, 300, -32768}, 8, {1, -2, 300, -32768}},
        {"<i8", (const int64_t[]){1, -2, 300, -7}, 32, {1, -2, 300, -7}},
        {"|u1", (const uint8_t[]){1, 2, 200, 255}, 4, {1, 2, 200, 255}},
        {"|b1", (const uint8_t[]){1, 0, 0, 1}, 4, {1, 0, 0, 1}},
        {">i2", (const uint8_t[]){0, 1, 255, 254, 1, 44, 128, 0}, 8, {1, -2, 300, -32768}},
        {"<f2", half, 8, {1, -2, 0.5, 0x1p-24}},
    };
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (int fortran = 0; fortran < 2; fortran++) {
            RtBytes b = npy_raw(types[t].descr, fortran, "(2, 2L, )", types[t].body, types[t].n);
            RtArray a;
            if (CHECK(rt_npy_read(mem, "a", (unsigned char *)b.data, b.n, &a, &error), "%s: %s",
                      types[t].descr, error.text))
                for (int i = 0; i < 4; i++) {
                    int at = fortran ? i % 2 * 2 + i / 2 : i;
                    CHECK(a.values[i] == types[t].want[at], "%s[%d] is %g", types[t].descr, i,
                          a.values[i]);
                }
            rt_bytes_free(&b);
        }
}

static void npy_refusals(void) {
    static const char *const shapes[] = {"(2, 2",
                                         "2, 2)",
                                         "(-2, 2)",
                                         "(99999999999999999999, 2)",
                                         "(1099511627776, 1099511627776)",
                                         "(2 2)",
                                         "(3, 2)",
                                         "",
                                         "(((("};
    double four[4] = {0};
    RtArray a;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        RtBytes b = npy_raw("<f8", false, shapes[i], four, sizeof four);
        CHECK(!rt_npy_read(mem, "a", (unsigned char *)b.data, b.n, &a, &error),
              "shape %s was accepted", shapes[i]);
        rt_bytes_free(&b);
    }
    static const char *const types[] = {"|O8", "<U4", "<c8", "<f3", "<f16", "", "f", "<M8[ns]"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        RtBytes b = npy_raw(types[i], false, "(1,)", four, sizeof four);
        CHECK(!rt_npy_read(mem, "a", (unsigned char *)b.data, b.n, &a, &error),
              "type %s was accepted", types[i]);
        rt_bytes_free(&b);
    }
}

static void npz_refusals(void) {
    RtData d;
    RtBytes b = npz_with("y.npy", (int64_t[]){6, 3, 2}, 3);
    CHECK(!read_npz(&b, &d) && strstr(error.text, "y.npy"), "%s", error.text);
    rt_bytes_free(&b);
    b = npz_with("x.npy", (int64_t[]){6, 2}, 2);
    CHECK(!read_npz(&b, &d) && strstr(error.text, "(6, 2)"), "%s", error.text);
    rt_bytes_free(&b);
    b = npz_with("x.npy", (int64_t[]){6, 3, 3}, 3);
    CHECK(!read_npz(&b, &d) && strstr(error.text, "event"), "%s", error.text);
    rt_bytes_free(&b);
    b = npz_with("x.npy", (int64_t[]){0, 3, 2}, 3);
    CHECK(!read_npz(&b, &d) && strstr(error.text, "no instance"), "%s", error.text);
    rt_bytes_free(&b);
    b = npz_with("x.npy", (int64_t[]){6, 3, 2}, 3);
    b.n -= 30;
    CHECK(!read_npz(&b, &d) && strstr(error.text, "truncated"), "%s", error.text);
    b.n += 30;
    b.data[b.n / 2] ^= 1;
    CHECK(!read_npz(&b, &d) && strstr(error.text, "checksum"), "%s", error.text);
    rt_bytes_free(&b);
}

/* A member as np.savez_compressed writes it. */
static RtBytes deflated(const RtBytes *npy) {
    RtBytes out = npz_of("x.npy", npy);
    size_t room = compressBound(npy->n) + 64, head = 30 + 5;
    unsigned char *packed = malloc(room);
    z_stream s = {0};
    deflateInit2(&s, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    s.next_in = (Bytef *)npy->data, s.avail_in = (uInt)npy->n;
    s.next_out = packed, s.avail_out = (uInt)room;
    deflate(&s, Z_FINISH);
    uint32_t n = (uint32_t)s.total_out, start = (uint32_t)(head + n);
    deflateEnd(&s);
    RtBytes b = {0};
    rt_bytes_add(&b, out.data, head);
    rt_bytes_add(&b, packed, n);
    rt_bytes_add(&b, out.data + head + npy->n, out.n - head - npy->n);
    char *central = b.data + start, *end = b.data + b.n - 22;
    b.data[8] = central[10] = 8;
    memcpy(b.data + 18, &n, 4);
    memcpy(central + 20, &n, 4);
    memcpy(end + 16, &start, 4);
    free(packed);
    rt_bytes_free(&out);
    return b;
}

static RtBytes compressed_sample(void) {
    RtBytes npy = {0}, numbers = floats(400);
    rt_npy_write(&npy, numbers.data, false, (int64_t[]){20, 10, 2}, 3);
    RtBytes b = deflated(&npy);
    rt_bytes_free(&npy);
    rt_bytes_free(&numbers);
    return b;
}

static void npz_compressed(void) {
    RtData d;
    RtBytes b = compressed_sample();
    CHECK(read_npz(&b, &d) && d.sizes.n[0] == 20 && x_of(&d)[399] == 399, "%s", error.text);
    rt_bytes_free(&b);
}

static void csv_gzipped(void) {
    unsigned char packed[400];
    z_stream s = {0};
    deflateInit2(&s, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    s.next_in = (Bytef *)(uintptr_t)good, s.avail_in = sizeof good - 1;
    s.next_out = packed, s.avail_out = sizeof packed;
    deflate(&s, Z_FINISH);
    RtBytes b = {0};
    rt_bytes_add(&b, packed, s.total_out);
    deflateEnd(&s);
    RtBytes cut = {0};
    rt_bytes_add(&cut, b.data, b.n - 6);
    CHECK(rt_gunzip("d.csv.gz", &b, &error) && b.n == sizeof good - 1 && !memcmp(b.data, good, b.n),
          "%s", error.text);
    CHECK(!rt_gunzip("d.csv.gz", &cut, &error), "cut short");
    rt_bytes_free(&b);
    rt_bytes_free(&cut);
}

/* ---- weights ---- */

static RtState *trained(void) {
    RtState *s = rt_state_new(mem, model);
    rt_state_init_weights(model, s, 5);
    for (int64_t i = 0; i < model->n_weights; i++) s->moment1[model->weights[i].offset] = (float)i;
    s->stats[1].values[0] = 2.5f;
    s->steps = 77, s->seed = 5, s->sets = 32, s->draws = 8, s->sizes.n[0] = 9;
    s->hypers[0][0] = 0.1;
    s->validation = -12.25;
    snprintf(s->objective, sizeof s->objective, "reverse-kl");
    return s;
}

static RtBytes weights_bytes(void) {
    char path[] = "/tmp/adavic-weights-XXXXXX";
    RtBytes b = {0};
    close(mkstemp(path));
    CHECK(rt_weights_save(model, trained(), path, &error) && rt_read_file(path, &b, &error), "%s",
          error.text);
    remove(path);
    return b;
}

static void weights_round_trip(void) {
    RtBytes b = weights_bytes();
    RtState *want = trained(), *s = rt_weights_parse(mem, model, "w", &b, &error);
    rt_bytes_free(&b);
    if (!CHECK(s, "%s", error.text)) return;
    size_t n = (size_t)model->flat * sizeof(float);
    CHECK(!memcmp(s->average, want->average, n) && !memcmp(s->moment1, want->moment1, n),
          "tensors");
    CHECK(s->n_stats == 2 && s->stats[1].values[0] == 2.5f, "statistics");
    CHECK(s->steps == 77 && s->seed == 5 && s->sets == 32 && s->draws == 8 && s->sizes.n[0] == 9,
          "facts");
    CHECK(s->hypers[0][0] == 0.1 && s->validation == -12.25 && !strcmp(s->objective, "reverse-kl"),
          "settings");
}

static void weights_refusals(void) {
    RtBytes b = weights_bytes(), foreign = {0};
    uint32_t crc;
    rt_bytes_add(&foreign, b.data, b.n);
    char *hash = strstr(foreign.data, "c0ffee");
    hash[0] = 'd';
    CHECK(!rt_weights_parse(mem, model, "w", &foreign, &error) && strstr(error.text, "checksum"),
          "%s", error.text);
    crc = (uint32_t)crc32(0, (Bytef *)foreign.data, (uInt)foreign.n - 4);
    memcpy(foreign.data + foreign.n - 4, &crc, 4);
    CHECK(!rt_weights_parse(mem, model, "w", &foreign, &error) &&
              strstr(error.text, "another model"),
          "%s", error.text);
    rt_bytes_free(&foreign);
    for (size_t n = 0; n < b.n; n += 1 + n / 40) {
        RtBytes cut = {b.data, n, 0};
        CHECK(!rt_weights_parse(mem, model, "w", &cut, &error), "%zu bytes were accepted", n);
    }
    RtBytes csv = {(char *)(uintptr_t)good, strlen(good), 0};
    CHECK(!rt_weights_parse(mem, model, "w", &csv, &error) &&
              strstr(error.text, "not a file of adavic weights"),
          "%s", error.text);
    b.data[15] = '2';
    CHECK(!rt_weights_parse(mem, model, "w", &b, &error) && strstr(error.text, "another version"),
          "%s", error.text);
    rt_bytes_free(&b);
}

/* ---- random damage ---- */

static uint32_t dice(uint32_t *state, uint32_t n) {
    const uint32_t key[2] = {2024, 9}, counter[4] = {(*state)++, 0, 0, 0};
    uint32_t out[4];
    av_philox(key, counter, out);
    return out[0] % n;
}

/* One to four edits: a flipped bit, a new byte, a removed, doubled or zeroed stretch, a cut. */
static RtBytes damage(const RtBytes *b, uint32_t *state) {
    RtBytes out = {0};
    rt_bytes_add(&out, b->data, b->n);
    for (uint32_t edits = 1 + dice(state, 4); edits > 0 && out.n > 1; edits--) {
        size_t at = dice(state, (uint32_t)out.n), length = 1 + dice(state, 16);
        if (at + length > out.n) length = out.n - at;
        switch (dice(state, 6)) {
        case 0:
            out.data[at] ^= (char)(1 << dice(state, 8));
            break;
        case 1:
            out.data[at] = (char)dice(state, 256);
            break;
        case 2:
            memmove(out.data + at, out.data + at + length, out.n - at - length);
            out.n -= length;
            break;
        case 3: {
            char part[16];
            memcpy(part, out.data + at, length);
            rt_bytes_add(&out, part, length);
            break;
        }
        case 4:
            memset(out.data + at, dice(state, 2) ? 0xff : 0, length);
            break;
        case 5:
            out.n = dice(state, 4) ? out.n : at;
            break;
        }
    }
    out.data[out.n] = 0;
    return out;
}

/* A damaged file is refused, or read as data that programs can take. */
static void survive(Reader *reader, const RtBytes *sample, int rounds, uint32_t seed,
                    const char *what) {
    RtDataOptions o = declared();
    int accepted = 0;
    for (int i = 0; i < rounds; i++) {
        RtMem *own = rt_mem_new();
        RtBytes b = damage(sample, &seed);
        RtData d;
        o.batch = i % 2;
        if (reader(own, model, "d", &b, &o, &d, &error)) {
            accepted++;
            int64_t n = rt_var_size(rt_var(model, "x"), &d.sizes) * d.n_sets;
            for (int64_t k = 0; k < n; k++)
                if (!CHECK(isfinite(x_of(&d)[k]),
                           "%s: damage %d let a number through that is not finite", what, i))
                    break;
        } else {
            CHECK(error.text[0], "%s: refused without a reason", what);
        }
        rt_bytes_free(&b);
        rt_mem_free(own);
    }
    CHECK(accepted < rounds, "%s: no damage was found", what);
}

static void damaged_data(void) {
    RtBytes csv = {(char *)(uintptr_t)good, strlen(good), 0};
    survive(rt_data_csv, &csv, 4000, 1000000, "csv");
    RtBytes bin = floats(80);
    survive(rt_data_bin, &bin, 1000, 2000000, "bin");
    rt_bytes_free(&bin);
    RtBytes npz = npz_with("x.npy", (int64_t[]){4, 5, 2}, 3);
    survive(rt_data_npz, &npz, 4000, 3000000, "npz");
    rt_bytes_free(&npz);
    npz = compressed_sample();
    survive(rt_data_npz, &npz, 4000, 4000000, "compressed npz");
    rt_bytes_free(&npz);
    RtBytes numbers = floats(40), npy = {0};
    rt_npy_write(&npy, numbers.data, false, (int64_t[]){4, 5, 2}, 3);
    survive(rt_data_npz, &npy, 4000, 5000000, "npy");
    rt_bytes_free(&npy);
    rt_bytes_free(&numbers);
}

/* Every change is found by the checksum; with the checksum mended, the rest of the reader must
 * cope. */
static void damaged_weights(void) {
    RtBytes b = weights_bytes();
    uint32_t seed = 6000000;
    for (int i = 0; i < 4000; i++) {
        RtMem *own = rt_mem_new();
        RtBytes bad = damage(&b, &seed);
        bool same = bad.n == b.n && !memcmp(bad.data, b.data, b.n);
        CHECK(same || !rt_weights_parse(own, model, "w", &bad, &error), "damage %d was accepted",
              i);
        if (bad.n > 8) {
            uint32_t crc = (uint32_t)crc32(0, (Bytef *)bad.data, (uInt)bad.n - 4);
            memcpy(bad.data + bad.n - 4, &crc, 4);
            rt_weights_parse(own, model, "w", &bad, &error);
        }
        rt_bytes_free(&bad);
        rt_mem_free(own);
    }
    rt_bytes_free(&b);
}

static void endings_of_names(void) {
    CHECK(rt_ends_with("a.csv", ".csv") && rt_ends_with("d/b.CSV", ".csv"), "a table");
    CHECK(!rt_ends_with(".csv", ".csv") && !rt_ends_with("csv", ".csv") &&
              !rt_ends_with("a.csv.gz", ".csv"),
          "no table");
}

int main(void) {
    setup();
    RUN(endings_of_names);
    RUN(contexts_from_arrays);
    RUN(csv_is_read);
    RUN(csv_dialects);
    RUN(csv_refusals);
    RUN(csv_follows_given_sizes);
    RUN(csv_outer_variables);
    RUN(covariates);
    RUN(bin_is_read);
    RUN(bin_refusals);
    RUN(npz_is_read);
    RUN(npy_element_types);
    RUN(npy_refusals);
    RUN(npz_refusals);
    RUN(npz_compressed);
    RUN(csv_gzipped);
    RUN(weights_round_trip);
    RUN(weights_refusals);
    RUN(damaged_data);
    RUN(damaged_weights);
    rt_mem_free(mem);
    return check_done();
}
