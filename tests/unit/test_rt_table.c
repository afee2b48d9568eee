/* Tables as people have them, keys to instances, and .json: what is read of each oddity, and what
 * is refused, where and with which advice. */
#include "check.h"
#include "rt_fake_model.h"
#include "rt_reading.h"
#include "runtime/csv_keys.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static RtMem *mem;
static RtError error;

/* Casks in batches, a covariate of a batch in categories, events of two, a context. */
static const char casks[] = "adavic-manifest 1\n"
                            "plate batch parent - size 2 exchangeable 1 \"\"\n"
                            "plate cask parent batch size 2 exchangeable 1 \"\" from \"the cask\"\n"
                            "given arm plates batch dims values 3\n"
                            "observed y plates batch cask dims 2\n"
                            "context c plates dims\n";

static const RtModel *model_of(const char *text) {
    const RtModel *m = rt_model_new(mem, text, &error);
    if (!m) CHECK(false, "%s", error.text);
    return m;
}

static Reading reading(Reader *reader) {
    return (Reading){reader, mem, model_of(casks), "d", {.sizes = {.n = {2, 2}}}};
}

static bool read_as(Reader *reader, const char *text, RtData *out) {
    Reading r = reading(reader);
    return read_text(&r, text, out, &error);
}

/* Two batches, A and B, of two casks with y = 1, 2; 3, 4; 5, 6; 7, 8.5; and their arms. */
static void check_values(const RtData *d, int64_t k) {
    static const double y[] = {1, 2, 3, 4, 5, 6, 7, 8.5};
    CHECK(d->sizes.n[0] == 2 && d->sizes.n[1] == 2, "%lld: sizes", (long long)k);
    for (int i = 0; i < 8; i++)
        CHECK(d->values[1][i] == y[i], "%lld: y %d is %g", (long long)k, i, d->values[1][i]);
    CHECK(d->values[0][0] == 0 && d->values[0][1] == 1, "%lld: arms", (long long)k);
}

static void same_table_in_other_clothes(void) {
    static const char *const same[] = {
        "batch,the cask,arm,y[0],y[1]\nA,a,x,1,2\nA,b,x,3,4\nB,a,z,5,6\nB,b,z,7,8.5\n",
        "Batch,The Cask,ARM,Y[0],Y.2\nA,a,x,1,2\nA,b,x,3,4\nB,a,z,5,6\nB,b,z,7,8.5\n",
        "BATCH,batch,the cask,arm,y.1,y.2\nq,A,a,x,1,2\nq,A,b,x,3,4\nq,B,a,z,5,6\nq,B,b,z,7,8.5\n",
        "batch;the cask;arm;y.1;y.2\nA;a;x;1;2\nA;b;x;3;4\nB;a;z;5,0;6\nB;b;z;7;8,5\n",
        "batch;the cask;arm;y.1;y.2\nA;a;x;1;2\nA;b;x;3;4\nB;a;z;5.0;6\nB;b;z;7;8.5\n",
        "sep=;\r\nbatch;the cask;arm;y.1;y.2\r\nA;a;x;1;2\r\nA;b;x;3;4\r\nB;a;z;5;6\r\nB;b;z;7;8,5",
        " batch , \" the cask \",arm,y.1 ,y.2\n A ,a, x,1 ,2\nA, b,x,3,4\nB,a,z,5,6\nB,b,z,7, 8.5 "
        "\n",
        "batch,arm,y.1,y.2\nA,x,1,2\nB,z,5,6\nB,z,7,8.5\nA,x,3,4\n",
        "batch,the "
        "cask,arm,y.1,y.2,,\nA,a,x,1,2,,\nA,b,x,3,4,,\nB,a,z,5,6,,\nB,b,z,7,8.5,,\n,,,,,,\n",
        "batch\tthe "
        "cask\tarm\ty.1\ty.2\rA\ta\tx\t1\t2\rA\tb\tx\t3\t4\rB\ta\tz\t5\t6\rB\tb\tz\t7\t8.5\r",
        "batch,the cask,arm,note,y.1,y.2\nA,a,x,\"1, \"\"2\"\"\r\n3\" ,1,2\nA,b,x,\"\",3,4\n"
        "B,a,z,5\" pipe,5,6\nB,b,z,=1+1,7,8.5\n"};
    for (size_t k = 0; k < sizeof same / sizeof *same; k++) {
        RtData d;
        if (CHECK(read_as(rt_data_csv, same[k], &d), "table %zu: %s", k, error.text))
            check_values(&d, (int64_t)k);
    }
}

static void brackets_do_not_separate(void) {
    static const char matrix[] = "adavic-manifest 1\nobserved y plates dims 2 2\n";
    static const char text[] = "y[0,0];y[0,1];y[1,0];y[1,1]\n1;2;3;4,5\n";
    RtBytes bytes = {(char *)(uintptr_t)text, sizeof text - 1, 0};
    RtDataOptions o = {0};
    RtData d;
    if (CHECK(rt_data_csv(mem, model_of(matrix), "d", &bytes, &o, &d, &error), "%s", error.text))
        CHECK(d.values[0][1] == 2 && d.values[0][3] == 4.5, "values");
}

/* A header and one batch around a cell for y[1] of its second cask, the third line. */
#define TABLE(cell) "batch,the cask,arm,y.1,y.2\nA,a,x,1,2\nA,b,x,3," cell "\n"
#define SEMICOLONS(cell) "batch;the cask;arm;y.1;y.2\nA;a;x;1;2,5\nA;b;x;3;" cell "\n"

static void tables_are_refused(void) {
    static const Bad bad[] = {
        {"batch,y.1,arm,y.2,y.1\nA,1,x,2,1\n", "d:1:5:", "called y.1", "columns 2 and 5"},
        {"Batch,BATCH,arm,y.1,y.2\nA,A,x,1,2\n", "d:1:2:", "differ from batch in case alone",
         "Batch (column 1) and BATCH (column 2)"},
        {"batch,the cask,arm,y.1,Y.2,Y.3\nA,a,x,1,2,3\nA,b,x,1,2\n", "d:3:", "has 5 cells",
         "a comma is written in quotes"},
        {"batch,the casc,arm,y.1\nA,a,x,1\n", "d:1:", "no column named y[1]", "did you mean y.1?"},
        {"batsh,the cask,arm,y.1,y.2\nA,a,x,1,2\n", "d:1:", "named batch", "did you mean batsh?"},
        {TABLE("2024-01-05"), "d:3:5:", "text where y needs a number", "looks like a date"},
        {TABLE("1/5/2024"), "d:3:5:", "found     \"1/5/2024\"", "looks like a date"},
        {TABLE("5-Jan"), "d:3:5:", "found     \"5-Jan\"", "looks like a date"},
        {TABLE("Jan-05"), "d:3:5:", "text", "looks like a date"},
        {TABLE("5.1.2024 12:30"), "d:3:5:", "text", "looks like a date"},
        {TABLE("\"1,234.5\""), "d:3:5:", "text", "signs between thousands"},
        {TABLE("\"2,5\""), "d:3:5:", "text", "needs semicolons between the cells"},
        {TABLE("12%"), "d:3:5:", "text", "without a sign"},
        {TABLE("#REF!"), "d:3:5:", "found     \"#REF!\"", NULL},
        {TABLE("-inf"), "d:3:5:", "a value of y is infinite", "finite number"},
        {TABLE("\"2\"5"), "d:3:5:", "text behind a quoted cell", "found     5"},
        {TABLE("\"2"), "d:3:5:", "a quote stays open", "\"\" for a quote"},
        {SEMICOLONS("2.5"), "d:3:5:", "a decimal point, but a decimal comma in row 2",
         "found     2,5 and 2.5"},
        {SEMICOLONS("1.234,5"), "d:3:5:", "text", "signs between thousands"},
        {SEMICOLONS("1,234,5"), "d:3:5:", "text", NULL},
        {TABLE("4") "A,b,x,5,6\n", "d:4:2:", "batch = A, the cask = b", "row 3"},
        {TABLE("4") "B,NA,x,5,6\n", "d:4:2:", "the key the cask is missing", "plate cask"},
        {TABLE("4") ",b,x,5,6\n", "d:4:1:", "the key batch is missing", "an empty cell"},
        {TABLE("4") "A,c,y,5,6\n", "d:4:3:", "arm changes within an instance of batch", "row 2"},
        {TABLE("4") "B,a,z,5,6\n", "d:4:", "2 of plate cask in every group, as in batch A",
         "1 in batch B"},
        {"\xff\xfe"
         "b",
         "d:", "UTF-16", "save it as CSV (UTF-8)"}};
    Reading r = reading(rt_data_csv);
    check_refused(&r, bad, sizeof bad / sizeof *bad);
    RtData d;
    RtDataOptions o = {.sizes = {.n = {2, 2}}};
    RtBytes book = {(char *)(uintptr_t) "PK\3\4\0\0", 6, 0};
    CHECK(!rt_data_csv(mem, model_of(casks), "d", &book, &o, &d, &error) &&
              strstr(error.text, "a workbook"),
          "%s", error.text);
}

/* In a table of one column an empty line is a missing cell, but at the end none; as many as there
 * are, each is looked at once (looking on to the end from each would take 20 s here). */
static void many_empty_lines(void) {
    enum { LINES = 200000 };
    RtBytes bytes = {0};
    RtTable t;
    rt_bytes_printf(&bytes, "y\n1\n%*s2\n%*s", LINES, "", LINES, "");
    for (size_t i = 0; i < bytes.n; i++)
        if (bytes.data[i] == ' ') bytes.data[i] = '\n';
    clock_t start = clock();
    if (CHECK(rt_table_read(mem, "d", &bytes, &t, &error), "%s", error.text))
        CHECK(t.n_rows == LINES + 2 && rt_cell_missing(rt_table_cell(&t, LINES, 0)) &&
                  rt_table_cell(&t, LINES + 1, 0)->text[0] == '2',
              "%lld rows", (long long)t.n_rows);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    CHECK(seconds < 5, "%g s", seconds);
    rt_bytes_free(&bytes);
}

/* The map from rows to instances does not need equal groups; positions follow the parents'. */
static void sizes_of_groups(void) {
    static const char text[] = "batch,the cask\nB,b\nA,a\nB,a\nC,a\nB,c\nA,c\n";
    static const int64_t position[] = {0, 3, 1, 5, 2, 4};
    RtBytes bytes = {(char *)(uintptr_t)text, sizeof text - 1, 0};
    RtTable t;
    RtDataOptions o = {0};
    RtSizes sizes;
    if (!CHECK(rt_table_read(mem, "d", &bytes, &t, &error), "%s", error.text)) return;
    RtKeys k = {.m = model_of(casks), .t = &t, .n_levels = 2};
    k.levels[0] = (RtLevel){.plate = 0, .column = 0};
    k.levels[1] = (RtLevel){.plate = 1, .column = 1};
    if (!CHECK(rt_keys_place(&k, &error), "%s", error.text)) return;
    const int64_t *n = k.levels[1].counts;
    CHECK(k.levels[0].counts[0] == 3 && n[0] == 3 && n[1] == 2 && n[2] == 1, "%d %d %d", (int)n[0],
          (int)n[1], (int)n[2]);
    for (int64_t row = 0; row < 6; row++)
        CHECK(rt_keys_position(&k, 1, row) == position[row], "row %lld: %lld", (long long)row,
              (long long)rt_keys_position(&k, 1, row));
    CHECK(!strcmp(rt_keys_labels(&k, 0)[2], "C") && !strcmp(rt_keys_labels(&k, 1)[3], "a"),
          "labels by position");
    CHECK(!rt_keys_sizes(&k, mem, &o, &sizes, &error) && strstr(error.text, "3 of plate cask"),
          "%s", error.text);
}

static void labels_in_files(void) {
    static const char text[] = "batch,the cask,arm,y.1,y.2\n\"A \"\"1\"\"\",\xc3\xa9,x,1,2\n"
                               "B\xff,\xf0\x9f\x98\x80z,z,5,6\n";
    RtData d;
    RtBytes labels = {0}, kinds = {0}, archive = {0}, directory = {0};
    const RtModel *m = model_of(casks);
    if (!CHECK(read_as(rt_data_csv, text, &d), "%s", error.text)) return;
    rt_labels_json(m, &d, &labels);
    rt_categories_json(m, &d, &kinds);
    CHECK(!strcmp(labels.data, "{\"batch\": [\"A \\\"1\\\"\", \"B\\ufffd\"], \"cask\": "
                               "[[\"\xc3\xa9\"], [\"\xf0\x9f\x98\x80z\"]]}"),
          "%s", labels.data);
    CHECK(!strcmp(kinds.data, "{\"arm\": [\"x\", \"z\"]}"), "%s", kinds.data);
    RtZipFile *files;
    int n;
    CHECK(rt_labels_npz(mem, m, &d, &archive, &directory, &error), "%s", error.text);
    rt_zip_end(&archive, &directory);
    if (CHECK(rt_zip_read(mem, "z", &archive, &files, &n, &error) && n == 3, "%s", error.text)) {
        static const unsigned char cask[] = {0xe9, 0,    0, 0, 0,   0, 0, 0,
                                             0,    0xf6, 1, 0, 'z', 0, 0, 0};
        CHECK(!strcmp(files[1].name, "labels/cask.npy") &&
                  !strcmp(files[2].name, "categories/arm.npy"),
              "%s, %s", files[1].name, files[2].name);
        CHECK(strstr((const char *)files[1].bytes + 10, "'<U2'") &&
                  strstr((const char *)files[1].bytes + 10, "(2, 1)") &&
                  !memcmp(files[1].bytes + files[1].n - sizeof cask, cask, sizeof cask),
              "array of casks");
    }
    rt_bytes_free(&labels);
    rt_bytes_free(&kinds);
    rt_bytes_free(&archive);
    rt_bytes_free(&directory);
}

/* ---- .json ---- */

static void json_is_read(void) {
    static const char *const same[] = {
        "{\"arm\": [0, 1], \"y\": [[[1, 2], [3, 4]], [[5, 6], [7, 8.5]]]}",
        "\xef\xbb\xbf { \"N\" : 2, \"y\":[[[1,2],[3,4e0]],[[5,6],[7,85e-1]]],\n"
        "\"more\": {\"a\": [[1], [\"]\", {}]]}, \"arm\": [0,1], \"c\": 3 } \n"};
    RtData d;
    for (int k = 0; k < 2; k++)
        if (CHECK(read_as(rt_data_json, same[k], &d), "%d: %s", k, error.text)) check_values(&d, k);
    CHECK(d.unread && !strcmp(d.unread, "N, more"), "unread: %s", d.unread);
    CHECK(d.values[2] && d.values[2][0] == 3, "a context");
}

static void json_is_refused(void) {
    static const Bad bad[] = {
        {"", "d:1:1:", "not JSON", "{ \"name\": values"},
        {"[1]", "d:1:1:", "not JSON", NULL},
        {"{\"arm\": [0]", "d:1:12:", "expected  , or }", NULL},
        {"{\"arm\": [0]} x", "d:1:14:", "text behind the end", NULL},
        {"{\"arm\": [0], \"arm\": [1]}", "d:1:14:", "occurs twice", NULL},
        {"{\"arm\": [0, \"drug\"]}", "d:1:13:", "text where arm needs a number", "found     drug"},
        {"{\"arm\": [0 1]}", "d:1:12:", "expected  , or ]", NULL},
        {"{\"arm\": [true]}", "d:1:10:", "arm needs a number", "found     true"},
        {"{\"arm\": [0x1]}", "d:1:10:", "arm needs a number", NULL},
        {"{\"arm\": [0, [1]]}", "d:1:13:", "an array where others", NULL},
        {"{\"arm\": [[0], 1]}", "d:1:15:", "a number where others", NULL},
        {"{\"y\": [[[1, 2]],\n[[1, 2], [3, 4]]]}", "d:2:1:", "arrays of unequal size within y",
         "give plate cask a range of sizes in the model, plate cask(1..2)"},
        {"{\"y\": [[1", "d:1:", "expected  , or ]", NULL},
        {"{\"x\": {\"a\": [1, 2}", "d:1:7:", "has no end", NULL},
        {"{\"x\": [1, 2", "d:1:", "has no end", NULL},
        {"{\"x\": \"a\\", "d:1:7:", "quote stays open", NULL},
        {"{\"Arm\": [0, 1], \"y\": [[[1, 2]]]}", "d: no array named arm", "found     y", NULL},
        {"{\"arm\": [0, 1], \"y\": [[[1, 2]]]}", "d: array arm", "1 stated before", NULL},
        {"{\"arm\": [0], \"y\": [[1, 2]]}", "d: array y", "another shape", "(1, 2)"},
        {"{\"arm\": [0], \"y\": []}", "d: array y", "another shape", NULL},
        {"{\"arm\": [0], \"y\": [[[1, null]]]}", "d: y[0,0,1]: a value of y is missing",
         "with missing", NULL},
        {"{\"arm\": [0], \"y\": [[[1, \"-Inf\"]]]}", "d: y[0,0,1] is infinite", "finite", NULL},
        {"{\"arm\": [0], \"y\": [[[1, 1e300]]]}", "d: y[0,0,1] is 1e+300", "in float", NULL},
        {"{\"arm\": [3], \"y\": [[[1, 2]]]}", "d: arm[0] is 3", "from 0 to 2", NULL}};
    Reading r = reading(rt_data_json);
    check_refused(&r, bad, sizeof bad / sizeof *bad);
    RtBytes deep = {0};
    RtData d;
    rt_bytes_printf(&deep, "{\"y\": ");
    for (int i = 0; i < 100000; i++) rt_bytes_printf(&deep, "[");
    CHECK(!read_as(rt_data_json, deep.data, &d) && strstr(error.text, "nested deeper"), "%s",
          error.text);
    deep.data[2] = 'x';
    CHECK(!read_as(rt_data_json, deep.data, &d) && strstr(error.text, "has no end"), "%s",
          error.text);
    rt_bytes_free(&deep);
}

int main(void) {
    mem = rt_mem_new();
    fake_overflow = INFINITY; /* links the hand-made model, whose entries every program needs */
    RUN(same_table_in_other_clothes);
    RUN(brackets_do_not_separate);
    RUN(tables_are_refused);
    RUN(many_empty_lines);
    RUN(sizes_of_groups);
    RUN(labels_in_files);
    RUN(json_is_read);
    RUN(json_is_refused);
    rt_mem_free(mem);
    return check_done();
}
