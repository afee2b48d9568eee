/* run.c -- the command `run`: train for one data file, infer it, and mend the answer where k-hat
 * says that it needs it. Each part is what another command does, with options of its own. */
#include "runtime/posterior.h"

#include <math.h>
#include <string.h>

enum { MOST_SECONDS = 60 /* of training, unless told otherwise */ };

/* What k-hat asks for. */
typedef struct Remedy {
    bool psis, refine;
    const char *text, *as; /* what is done; the command that does the same */
} Remedy;

static Remedy remedy_of(double khat, int64_t draws) {
    const char *why, *verdict = rt_verdict(khat, draws, RT_AMORTISED, false, &why);
    if (!strcmp(verdict, "usable"))
        return (Remedy){.psis = true, .text = "the draws are weighted", .as = "infer --psis"};
    if (!strcmp(verdict, "do not trust"))
        return (Remedy){.psis = true,
                        .refine = true,
                        .text =
                            "training goes on on this data set alone, and the draws are weighted",
                        .as = "infer --refine --psis"};
    return (Remedy){.text = "the draws are as they are", .as = "infer"};
}

static RtOptions training_options(const RtOptions *o) {
    RtOptions own = *o;
    own.design = o->data;
    own.draws = -1; /* of the answer, not of a step */
    own.quiet = o->quiet || o->json;
    own.json = false;
    return own;
}

/* Hypers are in the weights; contexts are stated again. */
static RtOptions answer_options(const RtModel *m, const RtOptions *o) {
    RtOptions own = *o;
    own.steps = -1;
    own.seconds = -1;
    own.n_set = 0;
    for (int i = 0; i < o->n_set; i++) {
        char name[64];
        const char *value;
        const RtVar *v = rt_setting_split(o->set[i], name, &value) ? rt_var(m, name) : NULL;
        if (v && v->kind == RT_CONTEXT) own.set[own.n_set++] = o->set[i];
    }
    return own;
}

/* Could the data be inferred, if there were weights? To be known before a minute of training. */
static bool check_data(RtSession *s, RtError *error) {
    const RtModel *m = s->model;
    const char *name = s->options->data;
    RtDataOptions options;
    RtData data;
    return rt_state_data_options(m, s->options, s->state, &options, error) &&
           rt_data_read(s->mem, m, name, &options, &data, error) &&
           rt_context_data(s->mem, m, s->state, name, &data, error);
}

/* k-hat of the draws as they are. */
static bool judge(RtSession *s, double *khat, int64_t *draws, RtError *error) {
    RtPosterior p;
    if (!rt_posterior_open(s, RT_AMORTISED, false, &p, error)) return false;
    p.seen = NULL; /* warnings come with the answer */
    rt_posterior_run(&p, 0);
    *khat = rt_posterior_weigh(&p, 0).khat;
    *draws = p.n_draws;
    return true;
}

int rt_command_run(RtSession *s) {
    RtError error;
    const RtOptions *given = s->options;
    RtOptions training = training_options(given), answer = answer_options(s->model, given);
    double khat;
    int64_t draws;
    if (!check_data(s, &error)) return rt_complain(&error);
    s->options = &training;
    int status = rt_train(s, MOST_SECONDS);
    if (status) return status;
    s->options = &answer;
    if (!judge(s, &khat, &draws, &error)) return rt_complain(&error);
    Remedy remedy = remedy_of(khat, draws);
    if (!given->quiet && !given->json)
        printf("k-hat %.2f after training (trust up to %.2f): %s, as by %s\n", khat,
               rt_khat_limit(draws), remedy.text, remedy.as);
    answer.psis = remedy.psis;
    answer.refine = remedy.refine;
    return rt_answer(s, remedy.refine ? RT_REFINED : RT_AMORTISED);
}
