/* info.c -- the command `info`: what the program is, what it needs, and where its weights come
 * from. */
#include "runtime/certificate.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

static const char *const kinds[] = {
    [RT_HYPER] = "hyper",       [RT_LATENT] = "latent",   [RT_OBSERVED] = "observed",
    [RT_QUANTITY] = "quantity", [RT_CONTEXT] = "context", [RT_DISCRETE] = "discrete",
    [RT_GIVEN] = "given"};

/* The weights beside the program, if they are there and sound; otherwise why not. */
static RtState *find_weights(RtSession *s, const char *path, RtError *error) {
    error->text[0] = 0;
    if (access(path, F_OK)) {
        rt_error(error, "none at %s yet", path);
        return NULL;
    }
    return rt_weights_load(s->mem, s->model, path, error);
}

/* ---- text ---- */

static void show_plates(const RtSession *s) {
    const RtModel *m = s->model;
    for (int i = 0; i < m->n_plates; i++) {
        const RtPlate *plate = &m->plates[i];
        if (plate->across >= 0)
            printf("cross     %s, %s", m->plates[plate->parent].name,
                   m->plates[plate->across].name);
        else
            printf("plate     %*s%s(%s)", 2 * plate->depth, "", plate->name,
                   rt_range_text(s->mem, s->state->lo[i], s->state->hi[i]));
        printf("  %s: %s\n", plate->exchangeable ? "exchangeable" : "not exchangeable",
               plate->reason);
    }
}

static void show_vars(const RtSession *s) {
    const RtModel *m = s->model;
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        RtBytes shape = {0};
        if (v->kind == RT_PRESENCE) continue;
        rt_shape_text(m, v, &s->state->sizes, &shape);
        printf("%-9s %s", kinds[v->kind], shape.data);
        for (int64_t k = 0; v->kind == RT_HYPER && k < v->event; k++)
            printf("%s %.6g", k ? "," : " =", s->state->hypers[i][k]);
        printf("%s\n", v->presence >= 0 ? ", cells may be missing" : "");
        rt_bytes_free(&shape);
    }
}

static void show_weights(const RtSession *s, const char *path, const RtState *trained,
                         const RtError *error) {
    const RtModel *m = s->model;
    if (!trained) {
        printf("trained   %s\n", error->text);
        return;
    }
    printf("trained   %s: %" PRId64 " steps of %" PRId64 " sets and %" PRId64
           " draws, %s, learning rate %g, seed %" PRIu32 "\n",
           path, trained->steps, trained->sets, trained->draws, trained->objective,
           trained->learning_rate, trained->seed);
    printf("          validation ELBO %.4f %s, %" PRId64 " steps skipped; at", trained->validation,
           rt_validation_unit(rt_sizes_vary(m, trained)), trained->skipped);
    for (int i = 0; i < m->n_plates; i++)
        if (m->plates[i].across < 0)
            printf(" %s = %s", m->plates[i].name,
                   rt_range_text(s->mem, trained->lo[i], trained->hi[i]));
    for (int i = 0; i < m->n_vars; i++)
        for (int64_t k = 0; m->vars[i].kind == RT_HYPER && k < m->vars[i].event; k++)
            printf("%s%s %.6g", k ? "," : "; ", k ? "" : rt_printf(s->mem, "%s =", m->vars[i].name),
                   trained->hypers[i][k]);
    putchar('\n');
}

static void show_text(const RtSession *s, const RtCertificate *c, const char *path,
                      const RtState *trained, const RtError *error) {
    const RtModel *m = s->model;
    RtBytes certificate = {0};
    printf("model     %s (source hash %s), family %s\n", m->name, m->hash, m->family);
    printf("code      %s, for %s\n", m->f64 ? "float64" : "float32",
           *m->target ? m->target : "this machine");
    show_plates(s);
    show_vars(s);
    rt_certificate_text(s, c, &certificate);
    printf("%s", certificate.data);
    rt_bytes_free(&certificate);
    show_weights(s, path, trained, error);
    for (int i = 0; i < m->n_texts; i++)
        printf("\n%s\n%s%s", m->texts[i].key, m->texts[i].text,
               *m->texts[i].text && m->texts[i].text[strlen(m->texts[i].text) - 1] == '\n' ? ""
                                                                                           : "\n");
}

/* ---- JSON ---- */

static void json_plates(RtBytes *out, const RtSession *s) {
    const RtModel *m = s->model;
    rt_bytes_printf(out, "\"plates\": {");
    for (int i = 0; i < m->n_plates; i++) {
        rt_bytes_printf(out, "%s", i ? ", " : "");
        rt_json_string(out, m->plates[i].name);
        rt_bytes_printf(
            out, ": {\"size\": [%" PRId64 ", %" PRId64 "], \"exchangeable\": %s, \"reason\": ",
            s->state->lo[i], s->state->hi[i], m->plates[i].exchangeable ? "true" : "false");
        rt_json_string(out, m->plates[i].reason);
        if (m->plates[i].across >= 0)
            rt_bytes_printf(out, ", \"across\": \"%s\"", m->plates[m->plates[i].across].name);
        rt_bytes_printf(out, "}");
    }
    rt_bytes_printf(out, "}");
}

static void json_vars(RtBytes *out, const RtModel *m, const char *key, RtVarKind kind) {
    bool first = true;
    rt_bytes_printf(out, "\"%s\": {", key);
    for (int i = 0; i < m->n_vars; i++) {
        const RtVar *v = &m->vars[i];
        if (v->kind != kind) continue;
        rt_bytes_printf(out, "%s", first ? "" : ", ");
        rt_json_string(out, v->name);
        rt_bytes_printf(out, ": {\"plates\": [");
        for (int k = 0; k < v->n_plates; k++)
            rt_bytes_printf(out, "%s\"%s\"", k ? ", " : "", m->plates[v->plates[k]].name);
        rt_bytes_printf(out, "], \"dims\": [");
        for (int k = 0; k < v->n_dims; k++)
            rt_bytes_printf(out, "%s%" PRId64, k ? ", " : "", v->dims[k]);
        rt_bytes_printf(out, "]%s}", v->presence >= 0 ? ", \"missing\": true" : "");
        first = false;
    }
    rt_bytes_printf(out, "}");
}

static void json_trained(RtBytes *out, const RtModel *m, const char *path, const RtState *t) {
    rt_bytes_printf(out, ", \"trained\": ");
    if (!t) {
        rt_bytes_printf(out, "null");
        return;
    }
    rt_bytes_printf(out, "{\"file\": ");
    rt_json_string(out, path);
    rt_bytes_printf(out,
                    ", \"steps\": %" PRId64 ", \"sets\": %" PRId64 ", \"draws\": %" PRId64
                    ", \"seed\": %" PRIu32 ", \"skipped_steps\": %" PRId64 ", \"objective\": ",
                    t->steps, t->sets, t->draws, t->seed, t->skipped);
    rt_json_string(out, t->objective);
    rt_bytes_printf(out, ", \"learning_rate\": ");
    rt_json_number(out, t->learning_rate);
    rt_bytes_printf(out, ", \"validation_elbo\": ");
    rt_json_number(out, t->validation);
    rt_bytes_printf(out, ", \"validation_unit\": \"%s\"", rt_validation_unit(rt_sizes_vary(m, t)));
    rt_bytes_printf(out, ", \"sizes\": ");
    rt_sizes_json(m, &t->sizes, out);
    rt_bytes_printf(out, ", \"ranges\": {");
    for (int i = 0, n = 0; i < m->n_plates; i++)
        if (m->plates[i].across < 0)
            rt_bytes_printf(out, "%s\"%s\": [%" PRId64 ", %" PRId64 "]", n++ ? ", " : "",
                            m->plates[i].name, t->lo[i], t->hi[i]);
    rt_bytes_printf(out, "}}");
}

static void show_json(const RtSession *s, const RtCertificate *c, const char *path,
                      const RtState *trained) {
    const RtModel *m = s->model;
    RtBytes out = {0};
    rt_bytes_printf(&out, "{");
    rt_certificate_json(s, c, &out);
    rt_bytes_printf(&out, ", ");
    json_plates(&out, s);
    rt_bytes_printf(&out, ", ");
    json_vars(&out, m, "latents", RT_LATENT);
    rt_bytes_printf(&out, ", ");
    json_vars(&out, m, "discrete", RT_DISCRETE);
    rt_bytes_printf(&out, ", ");
    json_vars(&out, m, "observed", RT_OBSERVED);
    rt_bytes_printf(&out, ", ");
    json_vars(&out, m, "given", RT_GIVEN);
    rt_bytes_printf(&out, ", ");
    json_vars(&out, m, "contexts", RT_CONTEXT);
    rt_bytes_printf(&out, ", \"model\": ");
    rt_json_string(&out, m->name);
    rt_bytes_printf(&out, ", \"source_hash\": ");
    rt_json_string(&out, m->hash);
    rt_bytes_printf(&out, ", \"family\": ");
    rt_json_string(&out, m->family);
    for (int i = 0; i < m->n_texts; i++) {
        rt_bytes_printf(&out, ", ");
        rt_json_string(&out, m->texts[i].key);
        rt_bytes_printf(&out, ": ");
        rt_json_string(&out, m->texts[i].text);
    }
    json_trained(&out, m, path, trained);
    printf("%s}\n", out.data);
    rt_bytes_free(&out);
}

int rt_command_info(RtSession *s) {
    RtError error;
    char *path = rt_weights_path(s->mem, s->options);
    RtCertificate c = rt_certificate(s);
    RtState *trained = find_weights(s, path, &error);
    if (!trained && !access(path, F_OK)) return rt_complain(&error); /* there, but not sound */
    if (s->options->json)
        show_json(s, &c, path, trained);
    else
        show_text(s, &c, path, trained, &error);
    return 0;
}
