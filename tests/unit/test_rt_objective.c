/* Schedules of training: how their text is read, which phase a step is in, and the weight of the
 * likelihood where a phase changes it. */
#include "check.h"
#include "runtime/objective.h"

#include <string.h>

static RtSchedule parse(const char *text) {
    RtSchedule schedule;
    char why[400];
    CHECK(rt_schedule_parse(text, &schedule, why, sizeof why), "%s: %s", text, why);
    return schedule;
}

static void phases_by_share(void) {
    RtSchedule s = parse("map:2,unregularised:1,reverse-kl:20");
    CHECK(s.n == 3 && !strcmp(s.phases[0].objective->name, "map"), "%d phases", s.n);
    static const struct {
        int64_t step, horizon;
        int phase;
    } at[] = {
        {0, 230, 0},  {19, 230, 0},  {20, 230, 1}, {29, 230, 1},
        {30, 230, 2}, {229, 230, 2}, {90, 0, 0}}; /* while the horizon is not known, the first */
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        CHECK(rt_schedule_phase(&s, at[i].step, at[i].horizon) == at[i].phase,
              "step %d of %d is in phase %d", (int)at[i].step, (int)at[i].horizon,
              rt_schedule_phase(&s, at[i].step, at[i].horizon));
    s = parse("reverse-kl");
    CHECK(s.n == 1 && rt_schedule_phase(&s, 5, 10) == 0, "one phase");
}

static void the_likelihood_rises(void) {
    RtSchedule first = parse("annealed:1,reverse-kl:1"), second = parse("map:1,annealed:1");
    const RtPhase *a = &first.phases[0], *b = &second.phases[1];
    CHECK_NEAR(rt_phase_likelihood(a, 60, 0), 0.1, 1e-15, "of an unknown horizon");
    CHECK_NEAR(rt_phase_likelihood(a, 10, 100), 0.1, 1e-15, "before it can be known");
    CHECK_NEAR(rt_phase_likelihood(a, 30, 100), 0.55, 1e-12, "halfway from a tenth to a half");
    CHECK_NEAR(rt_phase_likelihood(a, 50, 100), 1, 1e-12, "at the end");
    CHECK_NEAR(rt_phase_likelihood(b, 50, 100), 0.1, 1e-12, "of a later phase, at its beginning");
    CHECK_NEAR(rt_phase_likelihood(b, 75, 100), 0.55, 1e-12, "halfway");
    CHECK_NEAR(rt_phase_likelihood(&first.phases[1], 0, 100), 1, 1e-15, "elsewhere");
}

static void texts_that_are_none(void) {
    static const struct {
        const char *text, *why;
    } wrong[] = {{"", "expected"},
                 {"elbo", "at \"elbo\""},
                 {"map:0", "at \"map:0\""},
                 {"map:-1,reverse-kl:2", "at \"map:-1\""},
                 {"map:x", "at \"map:x\""},
                 {"reverse-kl,", "at \"\""},
                 {"map:1,reverse-kl:30", "a twentieth"},
                 {"annealed:1,reverse-kl:9", "a fifth"},
                 {"map,map,map,map,map,map,map,map,map", "more than 8"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        RtSchedule schedule;
        char why[400] = "";
        bool read = rt_schedule_parse(wrong[i].text, &schedule, why, sizeof why);
        CHECK(!read && strstr(why, wrong[i].why), "\"%s\": %s", wrong[i].text, why);
        char less[8];
        CHECK(!rt_schedule_parse(wrong[i].text, &schedule, less, sizeof less), "in little room");
        CHECK(strlen(less) < sizeof less, "%s", less);
    }
}

int main(void) {
    RUN(phases_by_share);
    RUN(the_likelihood_rises);
    RUN(texts_that_are_none);
    return check_done();
}
