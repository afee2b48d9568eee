/* One training over group(2..60), evaluated at its ends and beyond against exact evidences
 * (tests/exact): run as a user does, with the compiler that make built. */
#include "check.h"
#include "compiled_program.h"
#include "tests/exact/exact.h"
#include "tests/measure/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SETS = 20, OBS = 8, MAX_GROUPS = 120 };

/* Gap to the evidence in nats per group, the mean over data sets; its bound from below is 0. */
static void check_gap(int groups, double most) {
    char command[500];
    snprintf(
        command, sizeof command,
        "./groups simulate --count %d --seed 5 --size group=%d --size obs=%d --out s.bin -q && "
        "./groups elbo s.bin --batch --size group=%d --size obs=%d --draws 200 --json >e 2>err",
        SETS, groups, OBS, groups, OBS);
    if (!shell(command)) return;
    size_t bytes;
    char *json = json_read("e", NULL), *raw = json_read("s.bin", &bytes), *at = json;
    double gap = 0, se = 0, x[MAX_GROUPS * OBS];
    const GaussianEffects model = {groups, OBS, 1, 0.5, 0.5, 0.1};
    CHECK(bytes == sizeof(float) * (size_t)(SETS * groups * OBS), "%zu bytes", bytes);
    for (int i = 0; i < SETS; i++) {
        for (int k = 0; k < groups * OBS; k++) {
            float single;
            memcpy(&single, raw + sizeof single * (size_t)(i * groups * OBS + k), sizeof single);
            x[k] = (double)single;
        }
        at = strstr(at, "\"elbo\": ");
        if (!CHECK(at, "no ELBO of data set %d", i)) break;
        at += strlen("\"elbo\": ");
        gap += (exact_gaussian_effects(&model, x) - strtod(at, NULL)) / SETS;
        se += pow(strtod(strstr(at, "\"elbo_se\": ") + strlen("\"elbo_se\": "), NULL) / SETS, 2);
    }
    printf("# G = %d: %.5f +- %.5f nats per group\n", groups, gap / groups, sqrt(se) / groups);
    CHECK(gap / groups < most, "G = %d: %.4f nats per group", groups, gap / groups);
    CHECK(gap > -4.75 * sqrt(se), "G = %d: the ELBO exceeds the evidence by %.4g", groups, -gap);
    free(json);
    free(raw);
}

/* False alarms: the bounds are far above what these weights reach. */
static void one_training_for_all_sizes(void) {
    if (!shell("./groups train --steps 100 -q 2>err")) return;
    check_gap(3, 0.05);
    check_gap(60, 0.05);
    check_gap(120, 0.05);
}

int main(void) {
    char folder[] = "/tmp/adavic-ranges-XXXXXX";
    if (enter_with_program(folder, "examples/many_groups.hbm", "groups"))
        RUN(one_training_for_all_sizes);
    leave_folder(folder);
    return check_done();
}
