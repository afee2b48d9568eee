/* Files without outcomes (RtDataOptions.outcomes_optional): covariates and keys say how large the
 * data set is; what is observed is NaN, and not present, where it is not there. */
#include "check.h"
#include "rt_fake_model.h"
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

int main(void) {
    mem = rt_mem_new();
    model = rt_model_new(mem, manifest, &error);
    fake_overflow = INFINITY; /* links the hand-made model, as every test of the runtime does */
    if (!CHECK(model, "%s", error.text)) return check_done();
    RUN(outcomes_may_be_absent);
    RUN(cells_may_be_absent);
    RUN(the_rest_may_not);
    return check_done();
}
