/* objective.h -- schedules of training: "reverse-kl", or "map:2,unregularised:1,reverse-kl:20",
 * objectives with their shares of the steps. Compiler and compiled programs read them alike. */
#ifndef ADAVIC_OBJECTIVE_H
#define ADAVIC_OBJECTIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A row of objectives.def, where the columns are explained. */
typedef struct RtObjective {
    const char *name, *program;
    bool draws, densities, rounds;
    double entropy, likelihood;
    const char *loss, *when;
} RtObjective;

extern const RtObjective rt_objectives[];
extern const int rt_objective_count;

enum { RT_MAX_PHASES = 8 };

typedef struct RtPhase {
    const RtObjective *objective;
    double from, until; /* shares of the horizon */
} RtPhase;

typedef struct RtSchedule {
    int n;
    RtPhase phases[RT_MAX_PHASES];
} RtSchedule;

/* Shares of the steps: at which the learning rate starts to fall; of the first phase, at least. The
 * horizon of a run by time is known before either. */
#define RT_HOLD 0.1
#define RT_FIRST 0.05

const RtObjective *rt_objective(const char *name); /* or NULL */
/* "LOSS; WHEN" of help, into `line`. */
const char *rt_objective_text(const RtObjective *objective, char *line, size_t size);
/* false: `why` says what is wrong with the text, on lines of its own after a first one that names
 * the option. */
bool rt_schedule_parse(const char *text, RtSchedule *schedule, char *why, size_t size);
/* The phase of a step; horizon 0: not known yet. */
int rt_schedule_phase(const RtSchedule *schedule, int64_t step, int64_t horizon);
/* The weight of the log likelihood in a step of the phase. */
double rt_phase_likelihood(const RtPhase *phase, int64_t step, int64_t horizon);

#endif
