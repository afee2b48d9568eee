/* Crosses: manifests, sizes, and data files of models with a copy for each pair of instances of two
 * plates: what is read, which pairs are there, and what is refused. */
#include "check.h"
#include "rt_fake_model.h"
#include "rt_reading.h"
#include "runtime/csv_write.h"
#include "runtime/match.h"
#include "runtime/session.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static RtMem *mem;
static RtError error;

#define PLATES                                                                     \
    "adavic-manifest 1\n"                                                          \
    "plate person parent - size 3 exchangeable 1 \"\" range 2 50\n"                \
    "plate item parent - size 2 exchangeable 1 \"\" range 2 9 from \"question\"\n" \
    "plate person*item parent person size 2 exchangeable 1 \"\" across item\n"

/* Pairs may be absent; covariates of persons, items and pairs, tries bounded by the item's most. */
static const char sparse[] = PLATES "given age plates person dims\n"
                                    "given most plates item dims whole\n"
                                    "given tries plates person person*item dims whole to most\n"
                                    "observed right plates person person*item dims whole to tries "
                                    "missing 0\n"
                                    "latent ability plates person dims\n"
                                    "latent ease plates item dims\n";
static const char full[] = PLATES "observed y plates person person*item dims\n";
enum { PERSON, ITEM, PAIR };
enum { AGE, MOST, TRIES, RIGHT, PRESENT };

static const RtModel *model_of(const char *manifest) {
    RtModel *m = rt_model_new(mem, manifest, &error);
    if (!CHECK(m, "%s", error.text)) exit(1);
    return m;
}

static Reading reading(const RtModel *m, Reader *reader) {
    Reading r = {.reader = reader, .mem = mem, .model = m, .name = "d"};
    for (int i = 0; i < m->n_plates; i++) r.options.sizes.n[i] = m->plates[i].size;
    return r;
}

static bool read_as(const RtModel *m, Reader *reader, const char *text, RtData *out) {
    Reading r = reading(m, reader);
    return read_text(&r, text, out, &error);
}

static void same(const double *found, const double *wanted, int n, const char *what) {
    for (int k = 0; k < n; k++)
        CHECK(found[k] == wanted[k], "%s: number %d is %g, not %g", what, k, found[k], wanted[k]);
}

/* ---- manifests and sizes ---- */

static void manifests(void) {
    static const char *const bad[] = {
        "plate a parent - size 2 exchangeable 1 \"\"\n"
        "plate a*b parent a size 2 exchangeable 1 \"\" across b\n",
        "plate a parent - size 2 exchangeable 1 \"\"\n"
        "plate a*a parent a size 2 exchangeable 1 \"\" across a\n",
        "plate a parent - size 2 exchangeable 1 \"\"\nplate b parent - size 3 exchangeable 1 \"\"\n"
        "plate a*b parent a size 2 exchangeable 1 \"\" across b\n",
        "plate a parent - size 2 exchangeable 1 \"\"\nplate b parent a size 3 exchangeable 1 \"\"\n"
        "plate a*b parent a size 3 exchangeable 1 \"\" across b\n",
        "plate a parent - size 2 exchangeable 1 \"\"\nplate b parent - size 3 exchangeable 1 \"\"\n"
        "plate a*b parent - size 3 exchangeable 1 \"\" across b\n"};
    const RtModel *m = model_of(sparse);
    CHECK(m->plates[PAIR].across == ITEM && m->plates[PERSON].across < 0 &&
              m->plates[PAIR].lo == 2 && m->plates[PAIR].hi == 9 &&
              !strcmp(m->plates[PAIR].column, "question"),
          "the cross is as large as the second plate, and called by its key");
    CHECK(m->vars[TRIES].most_of == MOST, "a bound that is a covariate of the second plate");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!rt_model_new(mem, bad[i], &error) && strstr(error.text, "a cross of two outermost"),
              "manifest %zu: %s", i, error.text);
}

static void sizes_follow(void) {
    const RtModel *m = model_of(sparse);
    RtState *state = rt_state_new(mem, m);
    RtOptions o = {.size = {"item=7"}, .n_size = 1};
    RtSizes grid[RT_GRID], drawn = {{0}, {0}};
    int differ = 0;
    for (uint32_t block = 0; block < 50; block++) {
        rt_sizes_draw(m, state, 1, 3, block, &drawn);
        CHECK(drawn.n[PAIR] == drawn.n[ITEM], "block %u", block);
        differ += drawn.n[PERSON] != drawn.n[ITEM];
    }
    CHECK(differ > 10, "persons and items are as many in %d blocks of 50", 50 - differ);
    for (int k = 0; k < rt_sizes_grid(mem, m, state, grid); k++)
        CHECK(grid[k].n[PAIR] == grid[k].n[ITEM], "point %d of the grid", k);
    RtDataOptions options;
    CHECK(rt_state_data_options(mem, m, &o, state, &options, &error) && options.given[PAIR] &&
              options.sizes.n[PAIR] == 7,
          "%s", error.text);
    CHECK(rt_state_fix_sizes(mem, m, &o, state, &error) && state->sizes.n[PAIR] == 7 &&
              state->lo[PAIR] == 7 && state->hi[PAIR] == 7,
          "%s", error.text);
    o.size[0] = "person*item=3";
    CHECK(!rt_state_fix_sizes(mem, m, &o, state, &error) &&
              strstr(error.text, "--size person=N, or --size item=N"),
          "%s", error.text);
    RtBytes text = {0};
    rt_sizes_text(m, &state->sizes, &text);
    rt_sizes_json(m, &state->sizes, &text);
    CHECK(!strcmp(text.data, ", person = 3, item = 7{\"person\": 3, \"item\": 7}"), "%s",
          text.data);
    rt_bytes_free(&text);
}

/* Weights keep the sizes of plates alone. */
static void weights_files(void) {
    static const char range[] = "plate person 3 range 2 50\nplate item 5 range 4 9\n";
    const RtModel *m = model_of(sparse);
    RtState *state = rt_state_new(mem, m);
    state->sizes.n[ITEM] = 5, state->lo[ITEM] = 4;
    RtBytes bytes = {0};
    char path[] = "/tmp/adavic-cross-XXXXXX";
    close(mkstemp(path));
    bool kept = rt_weights_save(m, state, path, &error) && rt_read_file(path, &bytes, &error);
    unlink(path);
    if (!CHECK(kept, "%s", error.text)) return;
    bool told = memmem(bytes.data, bytes.n, range, strlen(range)) != NULL;
    CHECK(told && !memmem(bytes.data, bytes.n, "person*item", 11), "the header");
    state = rt_weights_parse(mem, m, "w", &bytes, &error);
    if (CHECK(state, "%s", error.text))
        CHECK(state->sizes.n[PAIR] == 5 && state->lo[PAIR] == 4 && state->hi[PAIR] == 9,
              "%lld in %lld..%lld", (long long)state->sizes.n[PAIR], (long long)state->lo[PAIR],
              (long long)state->hi[PAIR]);
    rt_bytes_free(&bytes);
}

/* ---- tables ---- */

static const char table[] = "question,person,right,tries,age,most\n"
                            "q1,ann,1,2,30,3\n"
                            "q2,ann,,4,30,9\n"
                            "q2,bob,7,8,41,9\n"
                            "q3,bob,0,0,41,1\n"
                            "q1,cy,2,3,25,3\n";

/* Both plates are numbered as their keys first appear; the pairs that have no row are absent. */
static void rows_of_pairs(void) {
    static const double age[] = {30, 41, 25}, most[] = {3, 9, 1};
    static const double present[] = {1, 0, 0, 0, 1, 1, 1, 0, 0};
    static const bool there[] = {1, 1, 0, 0, 1, 1, 1, 0, 0};
    const RtModel *m = model_of(sparse);
    RtData d;
    if (!CHECK(read_as(m, rt_data_csv, table, &d), "%s", error.text)) return;
    CHECK(d.sizes.n[PERSON] == 3 && d.sizes.n[ITEM] == 3 && d.sizes.n[PAIR] == 3, "sizes");
    same(d.values[AGE], age, 3, "age");
    same(d.values[MOST], most, 3, "most");
    same(d.values[PRESENT], present, 9, "present");
    CHECK(d.values[RIGHT][0] == 1 && d.values[RIGHT][4] == 7 && d.values[RIGHT][6] == 2, "right");
    for (int k = 0; k < 9; k++) {
        const double bound = d.values[MOST][k % 3], tries = d.values[TRIES][k];
        CHECK(d.there[PAIR][k] == there[k], "pair %d", k);
        CHECK(tries >= 0 && tries <= bound && d.values[RIGHT][k] <= tries,
              "pair %d: %g of %g, at most %g", k, d.values[RIGHT][k], tries, bound);
        CHECK(!strcmp(d.labels[PAIR][k], d.labels[ITEM][k % 3]), "label of pair %d", k);
    }
    CHECK(!strcmp(d.labels[PERSON][2], "cy") && !strcmp(d.labels[ITEM][1], "q2"), "labels");
    RtBytes labels = {0};
    rt_labels_json(m, &d, &labels);
    CHECK(!strcmp(labels.data,
                  "{\"person\": [\"ann\", \"bob\", \"cy\"], \"item\": [\"q1\", \"q2\", "
                  "\"q3\"]}"),
          "%s", labels.data);
    rt_bytes_free(&labels);
}

/* A bound of the person's: absent pairs borrow from the same person. */
static void bounds_by_person(void) {
    static const char manifest[] =
        PLATES "given most plates person dims whole\n"
               "given tries plates person person*item dims whole to most\n"
               "observed y plates person person*item dims missing 0\n";
    const RtModel *m = model_of(manifest);
    RtData d;
    if (!CHECK(read_as(m, rt_data_csv,
                       "person,question,most,tries,y\n1,a,9,8,0\n2,b,2,1,0\n3,a,1,0,0\n", &d),
               "%s", error.text))
        return;
    for (int k = 0; k < 6; k++)
        CHECK(d.values[1][k] <= d.values[0][k / 2], "pair %d: %g of %g", k, d.values[1][k],
              d.values[0][k / 2]);
}

static void tables_refused(void) {
    static const Bad of_pairs[] = {
        {"person,right,tries,age,most\na,1,1,1,1\n", "d:1: no column named question",
         "a key column for each of the two plates", NULL},
        {"question,right,tries,age,most\na,1,1,1,1\n", "d:1: no column named person",
         "a key column for each of the two plates", NULL},
        {"person,question,right,tries,age,most\na,q,1,1,1,1\nb,q,1,1,1,1\na,q,0,1,1,1\n",
         "d:4:2: the pair occurs twice: person = a, question = q", "the same pair in row 2",
         "average or sum them up first"},
        {"person,question,right,tries,age,most\na,q,1,1,1,1\na,,1,1,1,1\n",
         "d:3:2: the key question is missing", "for the instance of plate item", NULL},
        {"person,question,right,tries,age,most\na,q,1,1,1,1\nb,q,1,1,1,2\n",
         "d:3:6: most changes within an instance of item", "1, as in row 2", NULL},
        {"person,question,right,tries,age,most\na,q,1,1,1,1\na,r,1,1,2,1\n",
         "d:3:5: age changes within an instance of person", "1, as in row 2", NULL},
        {"person,question,right,tries,age,most\na,q,1,1,1,1\na,r,1,3,1,2\n",
         "d:3:4: tries is out of range", "at most 2, which is most there", NULL}};
    static const Bad of_all[] = {{"person,question,y\n1,a,0\n1,b,0\n2,b,0\n2,c,0\n3,a,0\n",
                                  "d: no row of person 1, question c, the first of 4 pairs",
                                  "a row for each of 3 x 3 pairs", "cross person, item (0.5..1)"},
                                 {"person,question,y\n1,a,0\n1,b,\n2,a,0\n2,b,0\n",
                                  "d:3:3: a value of y is missing", "with missing", NULL}};
    Reading r = reading(model_of(sparse), rt_data_csv);
    check_refused(&r, of_pairs, sizeof of_pairs / sizeof *of_pairs);
    r = reading(model_of(full), rt_data_csv);
    check_refused(&r, of_all, sizeof of_all / sizeof *of_all);
    r.options.given[ITEM] = r.options.given[PAIR] = true;
    static const Bad sized = {"person,question,y\n1,a,0\n1,b,0\n1,c,0\n", "d: 3 of plate item",
                              "--size says 2", NULL};
    check_refused(&r, &sized, 1);
}

/* ---- written tables ---- */

/* A data set as a table and back; the table's text into *text. */
static bool there_and_back(const RtModel *m, RtData *d, RtBytes *text, RtData *out) {
    char path[] = "/tmp/adavic-cross-XXXXXX";
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        for (int64_t k = 0; v->presence >= 0 && k < rt_var_size(v, &d->sizes); k++)
            if (d->values[v->presence][k] == 0) d->values[i][k] = NAN;
    }
    close(mkstemp(path));
    bool ok = rt_csv_write(m, d, path, &error) && rt_read_file(path, text, &error);
    unlink(path);
    rt_bytes_add(text, "", 1); /* a text */
    Reading r = reading(m, rt_data_csv);
    return CHECK(ok && read_text(&r, text->data, out, &error), "%s", error.text);
}

/* Every cell and every pair that is there stands where it stood; bob has no pair, nor q3 any. */
static void written_pairs(void) {
    static const char csv[] = "person,question,right,tries,age,most\n"
                              "ann,q1,,1,30,3\nann,q2,3,3,30,4\nbob,q3,,2,31,9\n"
                              "cy,q1,1,3,32,3\ndee,q2,4,4,33,4\n";
    static const char wanted[] = "person,question,age,most,tries,right\n"
                                 "1,1,30,3,1,\n1,2,30,4,3,3\n1,3,30,9,2,\n"
                                 "2,1,31,3,3,\n3,1,32,3,3,1\n4,2,33,4,4,4\n";
    const RtModel *m = model_of(sparse);
    RtData d, back;
    RtBytes text = {0};
    if (!CHECK(read_as(m, rt_data_csv, csv, &d), "%s", error.text)) return;
    if (there_and_back(m, &d, &text, &back)) {
        CHECK(!strcmp(text.data, wanted), "%s", text.data);
        same(back.values[AGE], d.values[AGE], 4, "age");
        same(back.values[MOST], d.values[MOST], 3, "most");
        same(back.values[PRESENT], d.values[PRESENT], 12, "present");
        for (int k = 0; k < 12; k++)
            if (d.values[PRESENT][k])
                CHECK(back.values[RIGHT][k] == d.values[RIGHT][k] &&
                          back.values[TRIES][k] == d.values[TRIES][k],
                      "pair %d: %g of %g", k, back.values[RIGHT][k], back.values[TRIES][k]);
    }
    rt_bytes_free(&text);
}

/* Groups of unequal size, vectors, and a number of the whole data set. */
static void written_groups(void) {
    static const char manifest[] = "adavic-manifest 1\n"
                                   "plate g parent - size 2 exchangeable 1 \"\" range 2 5\n"
                                   "plate o parent g size 2 exchangeable 1 \"\" range 0 4 ragged\n"
                                   "observed x plates g o dims 2\nobserved t plates dims\n";
    static const char csv[] = "g,o,x.1,x.2,t\n1,1,0.5,-2,7\n1,2,1e-09,3,7\n2,1,4,5,7\n";
    const RtModel *m = model_of(manifest);
    RtData d, back;
    RtBytes text = {0};
    if (!CHECK(read_as(m, rt_data_csv, csv, &d), "%s", error.text)) return;
    if (there_and_back(m, &d, &text, &back)) {
        CHECK(!strcmp(text.data, csv), "%s", text.data);
        same(back.values[0], d.values[0], 6, "x");
    }
    rt_sizes_cut(mem, m, &d.sizes, 1, (int64_t[]){3, 0});
    CHECK(!rt_csv_write(m, &d, "/tmp", &error) &&
              strstr(error.text, "an instance of plate g that holds none of plate o"),
          "%s", error.text);
    rt_bytes_free(&text);
}

/* One table has the variables of the cross and of its plates, and of no other. */
static void other_plates(void) {
    static const char manifest[] = PLATES "plate day parent - size 2 exchangeable 1 \"\"\n"
                                          "observed y plates person person*item dims missing 0\n"
                                          "observed z plates day dims\n";
    static const Bad bad = {"person,question,day,y,z\n1,1,1,1,1\n", "d: z and y stand in different",
                            "use .npz or .json", NULL};
    const RtModel *m = model_of(manifest);
    Reading r = reading(m, rt_data_csv);
    check_refused(&r, &bad, 1);
    CHECK(!rt_csv_can_hold(m, "x.csv", &error) && strstr(error.text, "use .npz or .bin"), "%s",
          error.text);
}

/* ---- the instances of two tables ---- */

/* By the keys of both plates: a pair is known where DATA have a row of it. */
static void matched_pairs(void) {
    static const char other[] = "person,question,right,tries,age,most\n"
                                "cy,q1,,1,25,3\ncy,q2,,1,25,9\nzoe,q2,,1,9,9\nann,q9,,1,30,8\n";
    static const int64_t persons[] = {2, -1, 0}, items[] = {0, 1, -1};
    static const int64_t pairs[] = {6, -1, -1, -1, -1, -1, -1, -1, -1};
    const RtModel *m = model_of(sparse);
    RtData from, to;
    RtMatch match;
    Reading r = reading(m, rt_data_csv);
    if (!CHECK(read_text(&r, table, &from, &error), "%s", error.text)) return;
    r.options.padded = r.options.outcomes_optional = true;
    if (!CHECK(read_text(&r, other, &to, &error), "%s", error.text)) return;
    rt_match(mem, m, &from, &to, &match);
    for (int k = 0; k < 3; k++)
        CHECK(match.of[PERSON][k] == persons[k] && match.of[ITEM][k] == items[k], "instance %d", k);
    for (int k = 0; k < 9; k++) CHECK(match.of[PAIR][k] == pairs[k], "pair %d", k);
}

/* ---- arrays ---- */

static void arrays_of_pairs(void) {
    static const double present[] = {1, 0, 1, 1, 1, 1};
    const RtModel *m = model_of(sparse);
    RtData d;
    if (!CHECK(read_as(m, rt_data_json,
                       "{\"age\": [1, 2], \"most\": [3, 3, 3], \"tries\": [[1, 2, 3], [0, 1, 2]],"
                       " \"right\": [[1, null, 0], [0, 0, 2]]}",
                       &d),
               "%s", error.text))
        return;
    CHECK(d.sizes.n[PERSON] == 2 && d.sizes.n[ITEM] == 3 && d.sizes.n[PAIR] == 3 && !d.there[PAIR],
          "sizes");
    same(d.values[PRESENT], present, 6, "present");
}

static void arrays_refused(void) {
    static const Bad bad[] = {
        {"{\"age\": [1, 2], \"most\": [3, 3], \"tries\": [[1, 2, 3], [0, 1, 2]],"
         " \"right\": [[1, 2, 3], [0, 0, 2]]}",
         NULL, "2 instances of item, but 3 stated before", NULL},
        {"{\"right\": [[1, 2], [0]]}", "d:1:20: arrays of unequal size within right",
         "every person has an entry for each item, null where", NULL},
        {"{\"age\": [1, 2], \"most\": [3, 3], \"tries\": [[1, 2], [3, 4]],"
         " \"right\": [[1, 2], [0, 0]]}",
         NULL, "tries[1,1] is 4", "at most 3, which is most there"}};
    Reading r = reading(model_of(sparse), rt_data_json);
    check_refused(&r, bad, sizeof bad / sizeof *bad);
}

/* The length of a .bin file says one size, the other is stated. */
static void raw_numbers(void) {
    static float numbers[12];
    const RtModel *m = model_of(full);
    RtBytes bytes = {(char *)numbers, sizeof numbers, 0};
    Reading r = reading(m, rt_data_bin);
    RtData d;
    r.options.ranged[PERSON] = r.options.ranged[ITEM] = r.options.ranged[PAIR] = true;
    CHECK(!rt_data_bin(mem, m, "d", &bytes, &r.options, &d, &error) &&
              strstr(error.text, "--size item=N"),
          "%s", error.text);
    r.options.given[ITEM] = r.options.given[PAIR] = true;
    r.options.sizes.n[ITEM] = r.options.sizes.n[PAIR] = 4;
    CHECK(rt_data_bin(mem, m, "d", &bytes, &r.options, &d, &error) && d.sizes.n[PERSON] == 3, "%s",
          error.text);
    memset(r.options.given, 0, sizeof r.options.given);
    r.options.given[PERSON] = true, r.options.sizes.n[PERSON] = 6;
    CHECK(rt_data_bin(mem, m, "d", &bytes, &r.options, &d, &error) && d.sizes.n[ITEM] == 2 &&
              d.sizes.n[PAIR] == 2,
          "%s", error.text);
}

int main(void) {
    mem = rt_mem_new();
    fake_overflow = INFINITY; /* links what the manifests have no programs of */
    RUN(manifests);
    RUN(sizes_follow);
    RUN(weights_files);
    RUN(rows_of_pairs);
    RUN(bounds_by_person);
    RUN(tables_refused);
    RUN(other_plates);
    RUN(written_pairs);
    RUN(written_groups);
    RUN(matched_pairs);
    RUN(arrays_of_pairs);
    RUN(arrays_refused);
    RUN(raw_numbers);
    rt_mem_free(mem);
    return check_done();
}
