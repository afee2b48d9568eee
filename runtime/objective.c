/* objective.c -- see objective.h.
 *
 * The horizon of a run by time is unknown until a twentieth of it is over: what a phase does must
 * not depend on it before. So the first phase lasts that long at least; and a weight that changes
 * in the course of a phase starts to do so at RT_HOLD, where the learning rate does. */
#include "runtime/objective.h"

#include "runtime/rt.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const RtObjective rt_objectives[] = {
#define OBJECTIVE(name, program, draws, densities, rounds, entropy, likelihood, loss, when) \
    {name, program, draws, densities, rounds, entropy, likelihood, loss, when},
#include "runtime/objectives.def"
#undef OBJECTIVE
};
const int rt_objective_count = sizeof rt_objectives / sizeof *rt_objectives;

const char *rt_objective_text(const RtObjective *objective, char *line, size_t size) {
    snprintf(line, size, "%s; %s", objective->loss, objective->when);
    return line;
}

static const RtObjective *objective_named(const char *name, size_t n) {
    for (int i = 0; i < rt_objective_count; i++)
        if (strlen(rt_objectives[i].name) == n && !strncmp(rt_objectives[i].name, name, n))
            return &rt_objectives[i];
    return NULL;
}

const RtObjective *rt_objective(const char *name) {
    return objective_named(name, strlen(name));
}

static bool unexpected(const char *at, size_t n, char *why, size_t size) {
    int to = snprintf(why, size, "at \"%.*s\"\n  expected  ", (int)n, at);
    for (int i = 0; i < rt_objective_count && to >= 0 && (size_t)to < size; i++)
        to += snprintf(why + to, size - (size_t)to, "%s, ", rt_objectives[i].name);
    if (to >= 0 && (size_t)to < size)
        snprintf(why + to, size - (size_t)to, "or a schedule such as unregularised:1,reverse-kl:4");
    return false;
}

static bool check_first(const RtPhase *first, char *why, size_t size) {
    bool changes = first->objective->likelihood < 1;
    if (first->until >= (changes ? 2 * RT_HOLD : RT_FIRST)) return true;
    snprintf(why, size, "the first phase needs at least %s of the steps",
             changes ? "a fifth" : "a twentieth");
    return false;
}

bool rt_schedule_parse(const char *text, RtSchedule *schedule, char *why, size_t size) {
    double total = 0;
    *schedule = (RtSchedule){0};
    for (const char *at = text;; at++) {
        size_t n = strcspn(at, ","), name = strcspn(at, ":,");
        double share = 1;
        RtPhase phase = {.objective = objective_named(at, name), .from = total};
        if (!phase.objective ||
            (name < n && !rt_parse_number(at + name + 1, n - name - 1, &share)) || !(share > 0) ||
            share > 1e6)
            return unexpected(at, n, why, size);
        if (schedule->n == RT_MAX_PHASES) {
            snprintf(why, size, "more than %d phases", RT_MAX_PHASES);
            return false;
        }
        phase.until = total += share;
        schedule->phases[schedule->n++] = phase;
        at += n;
        if (!*at) break;
    }
    for (int i = 0; i < schedule->n; i++) {
        schedule->phases[i].from /= total;
        schedule->phases[i].until /= total;
    }
    return check_first(&schedule->phases[0], why, size);
}

int rt_schedule_phase(const RtSchedule *schedule, int64_t step, int64_t horizon) {
    int i = 0;
    while (i + 1 < schedule->n && horizon &&
           (double)step >= schedule->phases[i].until * (double)horizon)
        i++;
    return i;
}

double rt_phase_likelihood(const RtPhase *phase, int64_t step, int64_t horizon) {
    double start = phase->objective->likelihood, from = fmax(phase->from, RT_HOLD);
    double share = horizon ? (double)step / (double)horizon : 0;
    return start + (1 - start) * fmax(0, fmin(1, (share - from) / (phase->until - from)));
}
