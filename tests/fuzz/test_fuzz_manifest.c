/* The reader of manifests on any text at all. What is accepted, the program must be able to rely
 * on: every index names something. */
#include "fuzz.h"

#include "runtime/rt.h"
#include "rt_fake_model.h"

#include <stdlib.h>
#include <string.h>

static void must_hold(bool condition) {
    if (!condition) abort();
}

static void check_program(const RtModel *m, const RtProgram *g) {
    must_hold(g->entry && g->chunk >= 1);
    for (int i = 0; i < g->n_axes; i++)
        must_hold((g->axes[i].kind == RT_PLATE) == (g->axes[i].plate >= 0) &&
                  g->axes[i].plate < m->n_plates);
    for (int k = 0; k < g->n_inputs + g->n_outputs; k++) {
        const RtTensor *t = k < g->n_inputs ? &g->inputs[k] : &g->outputs[k - g->n_inputs];
        for (int i = 0; i < t->n_axes; i++) must_hold(t->axes[i] < g->n_axes);
    }
    for (int k = 0; k < g->n_flop + g->n_functions; k++) {
        const RtTerm *t = k < g->n_flop ? &g->flop[k] : &g->functions[k - g->n_flop];
        must_hold(t->coef >= 0);
        for (int i = 0; i < t->n_axes; i++) must_hold(t->axes[i] < g->n_axes);
    }
}

static void check_model(const RtModel *m) {
    for (int i = 0; i < m->n_plates; i++) {
        const RtPlate *plate = &m->plates[i], *counted = &m->plates[rt_counts(m, i)];
        must_hold(plate->parent < i && plate->across < i && plate->size >= 1);
        must_hold(plate->size == counted->size && plate->lo == counted->lo &&
                  plate->hi == counted->hi);
        must_hold(plate->across < 0 || (plate->parent >= 0 && counted->parent < 0 &&
                                        m->plates[plate->parent].parent < 0));
    }
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        must_hold(v->event >= 1 && (v->kind != RT_HYPER || v->values));
        must_hold(v->kind == RT_CONTEXT || v->kind == RT_GIVEN || !v->positive);
        must_hold(v->n_kinds >= 0 && (v->kind == RT_GIVEN || !v->n_kinds));
        for (int k = 0; k < v->n_plates; k++) must_hold(v->plates[k] < m->n_plates);
    }
    must_hold(m->sets >= 0 && m->draws >= 0); /* 0: nothing is said */
    int64_t flat = 0;
    for (int i = 0; i < m->n_weights; i++) {
        must_hold(m->weights[i].offset == flat && m->weights[i].size >= 1);
        flat += (m->weights[i].size + 15) / 16 * 16;
    }
    must_hold(flat == m->flat);
    for (int i = 0; i < m->n_programs; i++) check_program(m, &m->programs[i]);
}

static void run(const uint8_t *data, size_t n) {
    RtMem *mem = rt_mem_new();
    RtError error = {{0}};
    char *text = malloc(n + 1);
    if (!text) abort();
    memcpy(text, data, n);
    text[n] = 0;
    RtModel *m = rt_model_new(mem, text, &error);
    if (m)
        check_model(m);
    else
        must_hold(error.text[0]);
    free(text);
    rt_mem_free(mem);
}

static void seeds(FuzzList *list) {
    fuzz_add(list, adavic_manifest, strlen(adavic_manifest));
    /* and its parts, which mutate into stranger things */
    for (const char *at = adavic_manifest; (at = strstr(at, "\nprogram ")); at++)
        fuzz_add(list, at + 1, strlen(at + 1));
    fuzz_add(list, adavic_manifest,
             (size_t)(strstr(adavic_manifest, "program ") - adavic_manifest));
}

static void words(FuzzList *list) {
    static const char *const some[] = {"adavic-manifest 1",
                                       "model ",
                                       "plate ",
                                       " parent ",
                                       " size ",
                                       " exchangeable ",
                                       " from ",
                                       " across ",
                                       "hyper ",
                                       "latent ",
                                       "observed ",
                                       "context ",
                                       "given ",
                                       " positive",
                                       "quantity ",
                                       " plates ",
                                       " dims ",
                                       " values ",
                                       "weight ",
                                       " init ",
                                       "constant",
                                       "uniform",
                                       "normal",
                                       "setting ",
                                       "sets",
                                       "draws",
                                       " range ",
                                       "text ",
                                       "program ",
                                       " chunk ",
                                       " axis ",
                                       " kind ",
                                       " extent ",
                                       " copy ",
                                       " input ",
                                       " role ",
                                       " output ",
                                       " reduced ",
                                       " axes ",
                                       " flop ",
                                       " functions ",
                                       "end\n",
                                       "step",
                                       "simulate",
                                       "group",
                                       "obs",
                                       "data",
                                       "draw",
                                       "\\\"",
                                       "\\n",
                                       "-"};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) fuzz_add_word(list, some[i]);
}

static const FuzzTarget target = {"manifest", run, seeds, words};
FUZZ_MAIN(target)
