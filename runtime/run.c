/* run.c -- the command `run`: train for one data file, infer it, and mend the answer where k-hat
 * says that it needs it. Each part is what another command does, with options of its own. */
#include "runtime/posterior.h"

#include <math.h>

enum { MOST_SECONDS = 60 /* of training, unless told otherwise */ };

static RtOptions training_options(const RtOptions *o) {
    RtOptions own = *o;
    own.target = o->data;
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
    return rt_state_data_options(s->mem, m, s->options, s->state, &options, error) &&
           rt_data_read(s->mem, m, name, &options, &data, error) &&
           rt_context_data(s->mem, m, s->state, name, &data, error);
}

/* k-hat of the draws as they are or, under --psis, as they are weighted. */
static bool judge(RtSession *s, double *khat, int64_t *draws, RtError *error) {
    RtPosterior p;
    if (!rt_posterior_open(s, RT_AMORTISED, false, false, &p, error)) return false;
    p.seen = NULL; /* warnings come with the answer */
    rt_posterior_run(&p, 0);
    *khat = rt_posterior_weigh(&p, 0).khat;
    *draws = p.n_draws;
    return true;
}

/* What k-hat asks for, into the options of the answer: nothing; weights, where these are good; else
 * steps on this data set, too. Says so. */
static bool choose(RtSession *s, RtOptions *answer, bool tell, RtError *error) {
    const char *why, *text = "the draws are as they are, as by infer";
    double plain, weighted = NAN;
    int64_t draws;
    if (!judge(s, &plain, &draws, error)) return false;
    RtTrust trust = rt_trust(plain, draws, RT_AMORTISED, false, &why);
    answer->psis = trust == RT_USABLE || trust == RT_NO_TRUST;
    if (answer->psis) {
        if (!judge(s, &weighted, &draws, error)) return false;
        answer->refine = rt_trust(weighted, draws, RT_AMORTISED, true, &why) != RT_TRUST;
        text = answer->refine
                   ? "training goes on on this data set alone, as by infer --refine --psis"
                   : "the draws are weighted, as by infer --psis";
    }
    if (!tell) return true;
    printf("k-hat %.2f after training (trust up to %.2f)", plain, rt_khat_limit(draws));
    if (answer->psis) printf(", %.2f of weighted draws", weighted);
    printf(": %s\n", text);
    return true;
}

int rt_command_run(RtSession *s) {
    RtError error;
    const RtOptions *given = s->options;
    RtOptions training = training_options(given), answer = answer_options(s->model, given);
    if (!check_data(s, &error)) return rt_complain(&error);
    s->options = &answer;
    if (!rt_answer_options(s, RT_AMORTISED, &error)) {
        rt_complain(&error);
        return 2;
    }
    s->options = &training;
    int status = rt_train(s, MOST_SECONDS);
    if (status) return status;
    s->options = &answer;
    if (!choose(s, &answer, !given->quiet && !given->json, &error)) return rt_complain(&error);
    return rt_answer(s, answer.refine ? RT_REFINED : RT_AMORTISED);
}
