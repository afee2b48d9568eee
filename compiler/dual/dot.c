/* dot.c -- the template of a model beside its derived dual, as a picture (--emit=dot). What the
 * dual consists of was noted when it was built (Dual.encodings, Dual.flows).
 *
 * Left: the model. Hypers and lets are plain, latents round, observed variables round and grey; an
 * arrow leads to what is drawn or computed from them. Right: the dual, from the data to the
 * latents. A tab is what is known of an instance (its features are listed), a trapezium pools the
 * instances of a plate into it, a box is a flow. Dashed arrows carry latents that a later flow is
 * given. Plates are clusters on both sides. */
#include "dual/dual.h"

#include <ctype.h>

static const char head[] =
    "  compound=true; newrank=true; nodesep=0.3; ranksep=0.45;\n"
    "  fontname=\"Helvetica\"; fontsize=12; labeljust=l; style=rounded; color=gray50;\n"
    "  node [fontname=\"Helvetica\", fontsize=11, margin=\"0.08,0.04\"];\n"
    "  edge [arrowsize=0.7, color=gray30];\n";

/* A string of the DOT language; a line break in it is \n. */
static void quote(Text *out, const char *text) {
    text_add(out, "\"");
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            text_printf(out, "\\%c", *text);
        else if (*text == '\n')
            text_add(out, "\\n");
        else if (iscntrl((unsigned char)*text))
            text_add(out, " ");
        else
            text_printf(out, "%c", *text);
    }
    text_add(out, "\"");
}

/* Nodes are "x" in the model, "q:x" among the dual's values, "e:group", "p:group", "f:mu". */
static void id(Text *out, const char *prefix, const char *name) {
    quote(out, arena_printf(out->arena, "%s%s", prefix, name));
}

static void node(Text *out, int depth, const char *prefix, const char *name, const char *label,
                 const char *look) {
    text_printf(out, "%*s", 2 * depth, "");
    id(out, prefix, name);
    text_add(out, " [label=");
    quote(out, label);
    text_printf(out, ", %s];\n", look);
}

static void edge(Text *out, const char *prefix, const char *from, const char *to_prefix,
                 const char *to, const char *look) {
    text_add(out, "  ");
    id(out, prefix, from);
    text_add(out, " -> ");
    id(out, to_prefix, to);
    text_printf(out, "%s;\n", look);
}

static const char *name_of(const Plate *plate) {
    return plate ? plate->name : "";
}

/* "mu_g[2]" and below it what it is drawn from. */
static const char *var_label(Arena *arena, const Var *var, bool law) {
    Text text;
    text_init(&text, arena);
    text_add(&text, var->name);
    for (int i = 0; i < var->type.n_dims; i++)
        text_printf(&text, "%s%lld%s", i ? ", " : "[", (long long)var->type.dims[i],
                    i + 1 == var->type.n_dims ? "]" : "");
    if (law && var->dist) text_printf(&text, "\n~ %s", var->dist->name);
    return text.data;
}

/* ---- plates as clusters; what stands in one is printed by `inside` ---- */

typedef struct Side {
    const Dual *dual;
    const char *prefix; /* of the clusters' names */
    void (*inside)(Text *out, const struct Side *side, const Plate *plate, int depth);
} Side;

static void clusters(Text *out, const Side *side, const Plate *around, int depth) {
    const Model *model = side->dual->analysis->model;
    side->inside(out, side, around, depth);
    for (int i = 0; i < model->plates.n; i++) {
        const Plate *plate = model->plates.data[i];
        if (plate->parent != around) continue;
        text_printf(out, "%*ssubgraph ", 2 * depth, "");
        id(out, side->prefix, plate->name);
        text_printf(out, " {\n%*slabel=", 2 * depth + 2, "");
        quote(out,
              arena_printf(out->arena, "%s (%s)", plate->name, plate_size_text(out->arena, plate)));
        text_add(out, ";\n");
        clusters(out, side, plate, depth + 1);
        text_printf(out, "%*s}\n", 2 * depth, "");
    }
}

/* ---- the model ---- */

static void model_inside(Text *out, const Side *side, const Plate *plate, int depth) {
    static const char *const looks[] = {[VAR_HYPER] = "shape=plaintext",
                                        [VAR_CONTEXT] = "shape=plaintext",
                                        [VAR_GIVEN] = "shape=box, style=filled, fillcolor=gray85",
                                        [VAR_LET] = "shape=box, style=rounded, color=gray60",
                                        [VAR_QUANTITY] = "shape=box, style=\"rounded,dashed\"",
                                        [VAR_LATENT] = "shape=ellipse",
                                        [VAR_SUMMED] = "shape=ellipse, style=dashed",
                                        [VAR_OBSERVED] =
                                            "shape=ellipse, style=filled, fillcolor=gray85"};
    const Model *model = side->dual->analysis->model;
    for (int i = 0; i < model->vars.n; i++) {
        const Var *var = model->vars.data[i];
        if (var->type.plate == plate)
            node(out, depth, "", var->name, var_label(out->arena, var, true), looks[var->kind]);
    }
}

static void model_edges(Text *out, const Model *model) {
    for (int i = 0; i < model->vars.n; i++)
        for (int k = 0; k < model->vars.n; k++)
            if (var_reads(model->vars.data[i], model->vars.data[k]))
                edge(out, "", model->vars.data[k]->name, "", model->vars.data[i]->name, "");
}

/* ---- the dual ---- */

static const char *features_label(Arena *arena, const DualEncoding *e) {
    Text text;
    text_init(&text, arena);
    text_printf(&text, e->plate ? "known of each %s" : "known of the data set", name_of(e->plate));
    for (int i = 0; i < e->features.n; i++)
        text_printf(&text, "%s%s", i % 3 ? ", " : "\n", e->features.data[i]);
    return text.data;
}

static bool among(const char *const *list, int n, const char *text) {
    for (int i = 0; i < n; i++)
        if (!strcmp(list[i], text)) return true;
    return false;
}

static const DualEncoding *encoding_of(const Dual *dual, const Plate *plate) {
    for (int i = 0; i < dual->encodings.n; i++)
        if (dual->encodings.data[i].plate == plate) return &dual->encodings.data[i];
    return NULL;
}

static bool reads_feature(const DualEncoding *e, const char *tag) {
    return e && among(e->features.data, e->features.n, tag);
}

/* Where a feature that a flow reads comes from. */
typedef enum { FROM_ENCODING, FROM_LATENT, FROM_WHOLE, FROM_DATA } Origin;
static Origin origin_of(const Dual *dual, const DualFlow *f, const char *tag) {
    if (!strncmp(tag, "given.", 6)) return FROM_LATENT;
    if (reads_feature(encoding_of(dual, f->encoding), tag)) return FROM_ENCODING;
    return reads_feature(encoding_of(dual, NULL), tag) ? FROM_WHOLE : FROM_DATA;
}

/* What it reads of the data itself stands in the label: an arrow would cross the whole picture. */
static const char *flow_label(Arena *arena, const Dual *dual, const DualFlow *f) {
    Text text;
    text_init(&text, arena);
    text_add(&text, f->latents.n > 1 ? "joint flow of " : "flow of ");
    for (int i = 0; i < f->latents.n; i++)
        text_printf(&text, "%s%s", !i ? "" : i % 4 ? ", " : ",\n", f->latents.data[i]->name);
    for (int i = 0; i < f->features.n; i++)
        if (origin_of(dual, f, f->features.data[i]) == FROM_DATA)
            text_printf(&text, "\n+ %s", f->features.data[i]);
    return text.data;
}

/* Each value stands in its plate; what pools a plate stands around it. */
static void dual_inside(Text *out, const Side *side, const Plate *plate, int depth) {
    const Dual *dual = side->dual;
    const Model *model = dual->analysis->model;
    for (int i = 0; i < model->vars.n; i++) {
        const Var *var = model->vars.data[i];
        static const char *const looks[VAR_GIVEN + 1] = {
            [VAR_LATENT] = "shape=ellipse",
            [VAR_OBSERVED] = "shape=ellipse, style=filled, fillcolor=gray85",
            [VAR_GIVEN] = "shape=box, style=filled, fillcolor=gray85"};
        if (var->type.plate == plate && looks[var->kind])
            node(out, depth, "q:", var->name, var_label(out->arena, var, false), looks[var->kind]);
    }
    for (int i = 0; i < dual->encodings.n; i++) {
        const DualEncoding *e = &dual->encodings.data[i];
        if (e->plate == plate && e->features.n)
            node(out, depth, "e:", name_of(plate), features_label(out->arena, e),
                 "shape=tab, fontsize=9");
        if (e->plate && e->plate->parent == plate)
            node(out, depth, "p:", e->plate->name,
                 arena_printf(out->arena, "%s\nset transformer over %s", e->pooled, e->plate->name),
                 "shape=invtrapezium, style=filled, fillcolor=lightsteelblue1, fontsize=10");
    }
    for (int i = 0; i < dual->flows.n; i++)
        if (dual->flows.data[i].plate == plate)
            node(out, depth, "f:", dual->flows.data[i].name,
                 flow_label(out->arena, dual, &dual->flows.data[i]),
                 "shape=box, style=filled, fillcolor=navajowhite");
}

/* Features of an observed variable: itself, or named after it ("x.mean"). */
static bool reads_data(const DualEncoding *e, const char *name) {
    size_t n = strlen(name);
    for (int i = 0; i < e->features.n; i++)
        if (!strncmp(e->features.data[i], name, n) &&
            (!e->features.data[i][n] || e->features.data[i][n] == '.'))
            return true;
    return false;
}

/* Those of one plate are one feature (covariate.c). */
static bool reads_covariate(Arena *arena, const DualEncoding *e, const Var *var) {
    const char *of = var->type.plate ? var->type.plate->name : "root";
    return reads_feature(e, arena_printf(arena, "covariates.%s", of)) ||
           reads_feature(e, arena_printf(arena, "covariates.centre.%s", of));
}

static void encoding_edges(Text *out, const Dual *dual, const DualEncoding *e) {
    const Model *model = dual->analysis->model;
    for (int i = 0; i < model->vars.n; i++) {
        const Var *var = model->vars.data[i];
        if (var->kind == VAR_OBSERVED && reads_data(e, var->name))
            edge(out, "q:", var->name, "e:", name_of(e->plate),
                 reads_feature(e, var->name) ? "" : " [style=dotted]");
        if (var->kind == VAR_GIVEN && reads_covariate(out->arena, e, var))
            edge(out, "q:", var->name, "e:", name_of(e->plate), "");
    }
    if (!e->plate) return;
    edge(out, "e:", e->plate->name, "p:", e->plate->name, "");
    edge(out, "p:", e->plate->name, "e:", name_of(e->plate->parent), "");
}

static void flow_edges(Text *out, const Dual *dual, const DualFlow *f) {
    bool whole = false;
    edge(out, "e:", name_of(f->encoding), "f:", f->name, "");
    for (int i = 0; i < f->features.n; i++)
        whole |= origin_of(dual, f, f->features.data[i]) == FROM_WHOLE;
    if (whole) edge(out, "e:", "", "f:", f->name, "");
    for (int i = 0; i < f->given.n; i++)
        edge(out, "q:", f->given.data[i]->name, "f:", f->name, " [style=dashed]");
    for (int i = 0; i < f->latents.n; i++)
        edge(out, "f:", f->name, "q:", f->latents.data[i]->name, "");
}

void dual_print_dot(Text *out, const Dual *dual) {
    const Model *model = dual->analysis->model;
    const Side left = {dual, "cluster_model_", model_inside};
    const Side right = {dual, "cluster_dual_", dual_inside};
    text_add(out, "digraph ");
    quote(out, model->name);
    text_printf(out, " {\n%s  subgraph cluster_model {\n    label=", head);
    quote(out, arena_printf(out->arena, "model %s", model->name));
    text_add(out, "; style=\"\"; color=gray80;\n");
    clusters(out, &left, NULL, 2);
    text_add(out, "  }\n  subgraph cluster_dual {\n    label=\"derived dual, family ");
    text_add(out, family_of(&dual->options)->name);
    text_add(out, dual->options.paper ? " (as published)" : "");
    text_add(out, "\"; style=\"\"; color=gray80;\n");
    clusters(out, &right, NULL, 2);
    text_add(out, "  }\n");
    model_edges(out, model);
    for (int i = 0; i < dual->encodings.n; i++) encoding_edges(out, dual, &dual->encodings.data[i]);
    for (int i = 0; i < dual->flows.n; i++) flow_edges(out, dual, &dual->flows.data[i]);
    text_add(out, "}\n");
}
