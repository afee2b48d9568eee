/* Files without outcomes (RtDataOptions.outcomes_optional): covariates and keys say how large the
 * data set is; what is observed is NaN, and not present, where it is not there. Beside what else
 * `predict --new` asks of tables: unequal groups (padded), the numbers of categories (coding), and
 * which instances are those of another table (match.h). */
#include "check.h"
#include "rt_fake_model.h"
#include "runtime/match.h"
#include "runtime/session.h"

#include <math.h>
#include <string.h>

static const char manifest[] =
    "adavic-manifest 1\nplate g parent - size 2 exchangeable 1 \"\"\n"
    "plate k parent g size 2 exchangeable 1 \"\"\n"
    "given w plates g k dims\nobserved y plates g k dims missing 0\nobserved z plates g k dims 2\n";

static RtMem *mem;
static const RtModel *model;
static RtError error;

static bool read_text(bool optional, const char *name, const char *text, RtData *d) {
    const RtDataOptions o = {.sizes = {.n = {2, 2}}, .outcomes_optional = optional};
    const RtBytes bytes = {(char *)(uintptr_t)text, strlen(text), 0};
    bool csv = !strcmp(name, "d.csv");
    return (csv ? rt_data_csv : rt_data_json)(mem, model, name, &bytes, &o, d, &error);
}

static const double *values_of(const RtData *d, const char *name) {
    return d->values[rt_var(model, name) - model->vars];
}

static void check_absent(const RtData *d) {
    const RtVar *y = rt_var(model, "y");
    CHECK(d->sizes.n[0] == 2 && d->sizes.n[1] == 3, "sizes %lld, %lld", (long long)d->sizes.n[0],
          (long long)d->sizes.n[1]);
    for (int i = 0; i < 6; i++) {
        CHECK(values_of(d, "w")[i] == i, "w[%d] is %g", i, values_of(d, "w")[i]);
        CHECK(d->values[y->presence][i] == 0, "y[%d] is there", i);
        CHECK(isnan(values_of(d, "z")[2 * i + 1]), "z[%d,1] is %g", i,
              values_of(d, "z")[2 * i + 1]);
    }
}

static void outcomes_may_be_absent(void) {
    static const char *const csv = "g,w\na,0\na,1\na,2\nb,3\nb,4\nb,5\n",
                             *const json = "{\"w\": [[0, 1, 2], [3, 4, 5]]}";
    RtData d;
    if (CHECK(read_text(true, "d.csv", csv, &d), "%s", error.text)) check_absent(&d);
    if (CHECK(read_text(true, "d.json", json, &d), "%s", error.text)) check_absent(&d);
    CHECK(!read_text(false, "d.csv", csv, &d) && strstr(error.text, "no column named y"), "%s",
          error.text);
    CHECK(!read_text(false, "d.json", json, &d) && strstr(error.text, "no array named y"), "%s",
          error.text);
}

/* What is there is read, cell by cell; without the option an empty cell of z is refused. */
static void cells_may_be_absent(void) {
    static const char *const csv = "g,w,y,z[0],z[1]\na,0,,1,2\na,1,7,,\nb,3,8,3,4\nb,4,NA,,\n";
    RtData d;
    if (!CHECK(read_text(true, "d.csv", csv, &d), "%s", error.text)) return;
    const double *y = values_of(&d, "y"), *z = values_of(&d, "z"),
                 *there = d.values[rt_var(model, "y")->presence];
    CHECK(there[0] == 0 && there[1] == 1 && there[2] == 1 && there[3] == 0, "presence of y");
    CHECK(y[1] == 7 && y[2] == 8, "y is %g, %g", y[1], y[2]);
    CHECK(z[1] == 2 && isnan(z[2]) && z[5] == 4 && isnan(z[7]), "z");
    CHECK(!read_text(false, "d.csv", csv, &d) && strstr(error.text, "a value of z is missing"),
          "%s", error.text);
}

/* The others must be there, and some components of an event without the others are a mistake. */
static void the_rest_may_not(void) {
    static const struct {
        const char *text, *says;
    } bad[] = {{"g,y\na,1\nb,2\n", "no column named w"},
               {"g,w\na,1\nb,\n", "a value of w is missing"},
               {"g,w,z[0]\na,1,1\nb,2,1\n", "no column named z[1]"},
               {"g,w,y\na,1,inf\nb,2,1\n", "infinite"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        RtData d;
        CHECK(!read_text(true, "d.csv", bad[i].text, &d) && strstr(error.text, bad[i].says),
              "%zu: %s", i, error.text);
    }
}

/* Plates a, b in a, c in b, of which c is ragged; arm in b. */
static const char three[] = "adavic-manifest 1\nplate a parent - size 2 exchangeable 1 \"\"\n"
                            "plate b parent a size 2 exchangeable 1 \"\"\n"
                            "plate c parent b size 2 exchangeable 1 \"\" range 0 4 ragged\n"
                            "given arm plates a b dims values 3\n"
                            "observed y plates a b c dims\n";

static bool read_three(const RtModel *m, const RtData *coding, const char *text, RtData *d) {
    const RtDataOptions o = {.outcomes_optional = coding != NULL,
                             .padded = coding != NULL,
                             .coding = coding,
                             .sizes = rt_sizes_balanced(mem, m, (int64_t[]){2, 2, 2})};
    const RtBytes bytes = {(char *)(uintptr_t)text, strlen(text), 0};
    return rt_data_csv(mem, m, "d.csv", &bytes, &o, d, &error);
}

static void check_numbers(const char *what, const int64_t *got, const int64_t *wanted, int n) {
    for (int i = 0; i < n; i++)
        CHECK(got[i] == wanted[i], "%s[%d] is %lld, not %lld", what, i, (long long)got[i],
              (long long)wanted[i]);
}

/* In rows, Q has one b where P has two: b = [P/x, P/z, Q/x, -], c = 2, 1, 1 and 0 of them. */
static void rows_are_matched(void) {
    const RtModel *m = rt_model_new(mem, three, &error);
    RtData d, rows;
    RtMatch match;
    if (!CHECK(m, "%s", error.text)) return;
    if (!CHECK(read_three(m, NULL,
                          "a,b,c,arm,y\nR,x,1,u,0\nR,y,1,v,0\nP,x,1,v,0\nP,y,1,u,0\nP,x,2,v,0\n",
                          &d),
               "%s", error.text))
        return;
    if (!CHECK(read_three(m, &d, "arm,b,a,c\nw,x,P,2\nv,z,P,1\nu,x,Q,1\nw,x,P,3\n", &rows), "%s",
               error.text))
        return;
    CHECK(rows.sizes.n[0] == 2 && rows.sizes.n[1] == 2 && rows.sizes.n[2] == 2, "sizes");
    check_numbers("first", rows.sizes.first[2], (int64_t[]){0, 2, 3, 4, 4}, 5);
    const bool *there = rows.there[1];
    CHECK(!rows.there[0] && there && there[0] && there[1] && there[2] && !there[3], "there");
    CHECK(!rows.there[2], "nothing pads a ragged plate");
    const double *arm = rows.values[rt_var(m, "arm") - m->vars];
    CHECK(arm[0] == 2 && arm[1] == 1 && arm[2] == 0 && arm[3] == 2, "arms %g, %g, %g and %g",
          arm[0], arm[1], arm[2], arm[3]);
    CHECK(!strcmp(rows.kinds[rt_var(m, "arm") - m->vars][2], "w"), "the new arm has a name");
    rt_match(mem, m, &d, &rows, &match);
    check_numbers("a", match.of[0], (int64_t[]){1, -1}, 2);
    check_numbers("b", match.of[1], (int64_t[]){2, -1, -1, -1}, 4);
    check_numbers("c", match.of[2], (int64_t[]){3, -1, -1, -1}, 4);
    CHECK(!read_three(m, &d, "arm,b,a\nw,x,P\nr,x,Q\n", &rows) &&
              strstr(error.text, "expected  3, and there are u, v, w"),
          "%s", error.text);
}

/* Nothing that is observed or given stands in `side` and `deep`, which no table holds: they are as
 * in the instance that is known, and `deep`, which is ragged, is empty elsewhere. */
static void plates_outside_the_table_follow(void) {
    const RtModel *m =
        rt_model_new(mem,
                     "adavic-manifest 1\nplate a parent - size 2 exchangeable 1 \"\"\n"
                     "plate side parent a size 2 exchangeable 1 \"\"\n"
                     "plate deep parent side size 2 exchangeable 1 \"\" range 0 4 "
                     "ragged\nobserved y plates a dims\n",
                     &error);
    RtData d, rows;
    RtMatch match;
    if (!CHECK(m, "%s", error.text)) return;
    if (!CHECK(read_three(m, NULL, "a,y\nP,0\nQ,0\n", &d), "%s", error.text)) return;
    rt_sizes_cut(mem, m, &d.sizes, 2, (int64_t[]){1, 2, 0, 3});
    if (!CHECK(read_three(m, &d, "a\nR\nQ\nP\n", &rows), "%s", error.text)) return;
    rt_match(mem, m, &d, &rows, &match);
    check_numbers("side", match.of[1], (int64_t[]){-1, -1, 2, 3, 0, 1}, 6);
    check_numbers("first", rows.sizes.first[2], (int64_t[]){0, 0, 0, 0, 3, 4, 6}, 7);
    check_numbers("deep", match.of[2], (int64_t[]){3, 4, 5, 0, 1, 2}, 6);
}

int main(void) {
    mem = rt_mem_new();
    model = rt_model_new(mem, manifest, &error);
    fake_overflow = INFINITY; /* links the hand-made model, as every test of the runtime does */
    if (!CHECK(model, "%s", error.text)) return check_done();
    RUN(outcomes_may_be_absent);
    RUN(cells_may_be_absent);
    RUN(the_rest_may_not);
    RUN(rows_are_matched);
    RUN(plates_outside_the_table_follow);
    return check_done();
}
