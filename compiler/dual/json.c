/* json.c -- all that is known of a model and its dual, for programs (--emit=json): one object
 *
 *   model, hash, structure, family, paper, exact, objective
 *   plates         name, parent, across (of a cross: the other plate), size, range, column, hier,
 *                  exchangeable, reason
 *   variables      name, kind, plates, hier, shape, parents; distribution with arguments and
 *                  support, link, value, values: where there are such
 *   sums           discrete latents that are summed out together: variables, factors
 *   symmetries     components that may be exchanged: labels, their number, what moves with them
 *                  along which dimension, in each instance of which plate, what a guide with one
 *                  mode loses at most
 *   factorisation  of the family in use, in the order of drawing: latent, given, exact, reason
 *   encodings      what is known of an instance of each plate, and what pools its instances
 *   flows          what each draws, for which plate, by which map (flows.def), and what it reads
 *   weights        name, shape, start
 *
 * Expressions are as --emit=model prints them. Absent plates and parents are null. */
#include "dual/dual.h"
#include "model/graph.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* ---- writing JSON: the writer puts commas, the caller opens and closes ---- */

typedef struct Json {
    Text *out;
    int depth;
    bool first; /* nothing stands in the innermost object or array yet */
} Json;

static void quote(Json *j, const char *text) {
    text_add(j->out, "\"");
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            text_printf(j->out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            text_printf(j->out, "\\u%04x", c);
        else
            text_printf(j->out, "%c", c);
    }
    text_add(j->out, "\"");
}

/* Before an element of an array (key NULL) or a member of an object. */
static void item(Json *j, const char *key) {
    if (!j->first) text_add(j->out, ",");
    if (j->depth && j->depth <= 2) text_printf(j->out, "\n%*s", 2 * j->depth, "");
    if (j->depth > 2 && !j->first) text_add(j->out, " ");
    j->first = false;
    if (!key) return;
    quote(j, key);
    text_add(j->out, ": ");
}

static void open_item(Json *j, const char *key, const char *bracket) {
    item(j, key);
    text_add(j->out, bracket);
    j->depth++;
    j->first = true;
}

static void close_item(Json *j, const char *bracket) {
    j->depth--;
    if (j->depth && j->depth < 2 && !j->first) text_printf(j->out, "\n%*s", 2 * j->depth, "");
    text_add(j->out, bracket);
    j->first = false;
}

static void put_text(Json *j, const char *key, const char *text) {
    item(j, key);
    if (text)
        quote(j, text);
    else
        text_add(j->out, "null");
}

static void put_int(Json *j, const char *key, int64_t n) {
    item(j, key);
    text_printf(j->out, "%" PRId64, n);
}

static void put_bool(Json *j, const char *key, bool yes) {
    item(j, key);
    text_add(j->out, yes ? "true" : "false");
}

/* The shortest decimal that reads back as the same number; JSON has no others than finite ones. */
static void put_number(Json *j, const char *key, double number) {
    char text[40];
    item(j, key);
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number) break;
    }
    text_add(j->out, isfinite(number) ? text : "null");
}

static void put_expr(Json *j, const char *key, const Expr *e) {
    Text text;
    text_init(&text, j->out->arena);
    expr_print(&text, e);
    put_text(j, key, text.data);
}

static void put_dims(Json *j, const char *key, const int64_t *dims, int n) {
    open_item(j, key, "[");
    for (int i = 0; i < n; i++) put_int(j, NULL, dims[i]);
    close_item(j, "]");
}

static const char *plate_name(const Plate *plate) {
    return plate ? plate->name : NULL;
}

/* ---- the model ---- */

static void put_plate(Json *j, const Model *model, const Plate *plate) {
    open_item(j, NULL, "{");
    put_text(j, "name", plate->name);
    put_text(j, "parent", plate_name(plate->parent));
    put_text(j, "across", plate_name(plate->across));
    put_int(j, "size", plate->size);
    put_dims(j, "range", (const int64_t[]){plate->lo, plate->hi}, 2);
    put_text(j, "column", plate->across ? NULL : plate->column ? plate->column : plate->name);
    put_int(j, "hier", model_hier(model, plate));
    put_bool(j, "exchangeable", plate->exchangeable);
    put_text(j, "reason", plate->reason);
    close_item(j, "}");
}

/* Outermost first. */
static void put_plates_around(Json *j, const Plate *plate) {
    if (!plate) return;
    put_plates_around(j, plate->parent);
    put_text(j, NULL, plate->name);
}

static void put_support(Json *j, const Support *support) {
    open_item(j, "support", "{");
    put_text(j, "kind", support_info[support->kind].name);
    if (support->lo) put_expr(j, "lo", support->lo);
    if (support->hi) put_expr(j, "hi", support->hi);
    close_item(j, "}");
}

static void put_law(Json *j, const Var *var) {
    put_text(j, "distribution", var->dist->name);
    open_item(j, "arguments", "{");
    for (int i = 0; i < var->dist->n_params; i++)
        put_expr(j, var->dist->params[i].name, var->args[i]);
    close_item(j, "}");
    put_support(j, &var->support);
    if (var->link) put_text(j, "link", var->link->name);
}

static void put_var(Json *j, const Model *model, const Var *var) {
    static const char *const kinds[] = {
        [VAR_HYPER] = "hyper",   [VAR_LATENT] = "latent",     [VAR_OBSERVED] = "observed",
        [VAR_LET] = "let",       [VAR_QUANTITY] = "quantity", [VAR_CONTEXT] = "context",
        [VAR_SUMMED] = "summed", [VAR_GIVEN] = "given"};
    static const char *const elems[] = {"real", "int", "bool"};
    int64_t n = 1;
    open_item(j, NULL, "{");
    put_text(j, "name", var->name);
    put_text(j, "kind", kinds[var->kind]);
    put_text(j, "element", elems[var->type.elem]);
    put_dims(j, "shape", var->type.dims, var->type.n_dims);
    if (var->n_values) put_int(j, "values", var->n_values);
    open_item(j, "plates", "[");
    put_plates_around(j, var->type.plate);
    close_item(j, "]");
    put_int(j, "hier", model_hier(model, var->type.plate));
    if (var->dist) put_law(j, var);
    if (var->value) put_expr(j, "value", var->value);
    for (int i = 0; i < var->type.n_dims; i++) n *= var->type.dims[i];
    if (var->numbers) open_item(j, "numbers", "[");
    for (int64_t i = 0; var->numbers && i < n; i++) put_number(j, NULL, var->numbers[i]);
    if (var->numbers) close_item(j, "]");
    open_item(j, "parents", "[");
    for (int i = 0; i < model->vars.n; i++)
        if (var_reads(var, model->vars.data[i])) put_text(j, NULL, model->vars.data[i]->name);
    close_item(j, "]");
    close_item(j, "}");
}

static void put_sums(Json *j, const Analysis *analysis) {
    open_item(j, "sums", "[");
    for (int g = 0; g < analysis->n_groups; g++) {
        const SumGroup *group = &analysis->groups[g];
        open_item(j, NULL, "{");
        open_item(j, "variables", "[");
        for (int i = 0; i < group->n; i++) put_text(j, NULL, group->summed[i]->name);
        close_item(j, "]");
        open_item(j, "factors", "[");
        for (int i = 0; i < group->n_factors; i++) put_text(j, NULL, group->factors[i]->name);
        close_item(j, "]");
        close_item(j, "}");
    }
    close_item(j, "]");
}

static void put_symmetries(Json *j, const Analysis *analysis) {
    open_item(j, "symmetries", "[");
    for (int i = 0; i < analysis->n_symmetries; i++) {
        const LabelSymmetry *s = &analysis->symmetries[i];
        open_item(j, NULL, "{");
        open_item(j, "labels", "[");
        for (int k = 0; k < s->n_labels; k++) put_text(j, NULL, s->labels[k]->name);
        close_item(j, "]");
        put_int(j, "components", s->components);
        open_item(j, "moved", "[");
        for (int k = 0; k < s->n_moved; k++) {
            open_item(j, NULL, "{");
            put_text(j, "name", s->moved[k]->name);
            put_int(j, "dimension", s->dim[k]);
            close_item(j, "}");
        }
        close_item(j, "]");
        put_text(j, "plate", plate_name(s->plate));
        put_number(j, "loss", s->loss);
        close_item(j, "}");
    }
    close_item(j, "]");
}

static void put_factorisation(Json *j, const Dual *dual) {
    const Analysis *analysis = dual->analysis;
    TemplateGraph *graph = model_graph(j->out->arena, analysis->model);
    Factors factors = family_of(&dual->options)->factors;
    bool structured = factors == FACTORS_STRUCTURED;
    open_item(j, "factorisation", "[");
    for (int i = 0; i < analysis->n_latents; i++) {
        const Conditioning *c = &analysis->order[i];
        bool exact = c->exact, *on = arena_array(j->out->arena, bool, graph->n + 1);
        const char *reason = c->reason;
        if (factors == FACTORS_MEAN_FIELD)
            reason = model_mean_field_verdict(j->out->arena, graph, i, &exact);
        if (factors == FACTORS_PARENTS)
            reason = model_parents_verdict(j->out->arena, graph, i, on, &exact);
        if (factors == FACTORS_JOINT) exact = true, reason = MODEL_JOINT_VERDICT;
        open_item(j, NULL, "{");
        put_text(j, "latent", structured ? c->latent->name : graph->latent[i]->name);
        open_item(j, "given", "[");
        for (int k = 0; k < c->n_on && structured; k++) put_text(j, NULL, c->on[k]->name);
        for (int k = 0; k < graph->n; k++)
            if (on[k]) put_text(j, NULL, graph->latent[k]->name);
        close_item(j, "]");
        put_bool(j, "exact", exact);
        put_text(j, "reason", reason);
        close_item(j, "}");
    }
    close_item(j, "]");
}

/* ---- the dual ---- */

static void put_names(Json *j, const char *key, const char *const *names, int n) {
    open_item(j, key, "[");
    for (int i = 0; i < n; i++) put_text(j, NULL, names[i]);
    close_item(j, "]");
}

static void put_latents(Json *j, const char *key, const Var *const *vars, int n) {
    open_item(j, key, "[");
    for (int i = 0; i < n; i++) put_text(j, NULL, vars[i]->name);
    close_item(j, "]");
}

static void put_networks(Json *j, const Dual *dual) {
    open_item(j, "encodings", "[");
    for (int i = 0; i < dual->encodings.n; i++) {
        const DualEncoding *e = &dual->encodings.data[i];
        open_item(j, NULL, "{");
        put_text(j, "plate", plate_name(e->plate));
        put_names(j, "features", e->features.data, e->features.n);
        put_text(j, "pooled_by", e->pooled);
        close_item(j, "}");
    }
    close_item(j, "]");
    open_item(j, "flows", "[");
    for (int i = 0; i < dual->flows.n; i++) {
        const DualFlow *f = &dual->flows.data[i];
        open_item(j, NULL, "{");
        put_text(j, "name", f->name);
        put_text(j, "map", flow_info[f->map].name);
        put_text(j, "plate", plate_name(f->plate));
        put_latents(j, "latents", f->latents.data, f->latents.n);
        put_text(j, "encoding", plate_name(f->encoding));
        put_latents(j, "given", f->given.data, f->given.n);
        put_names(j, "features", f->features.data, f->features.n);
        close_item(j, "}");
    }
    close_item(j, "]");
}

static void put_weights(Json *j, const Dual *dual) {
    static const char *const starts[] = {
        [INIT_CONSTANT] = "constant", [INIT_UNIFORM] = "uniform", [INIT_NORMAL] = "normal"};
    open_item(j, "weights", "[");
    for (int i = 0; i < dual->weights.n; i++) {
        const DualWeight *w = &dual->weights.data[i];
        open_item(j, NULL, "{");
        put_text(j, "name", w->name);
        put_dims(j, "shape", w->dims, w->n_dims);
        put_text(j, "start", starts[w->init.kind]);
        put_number(j, "scale", w->init.scale);
        close_item(j, "}");
    }
    close_item(j, "]");
}

void dual_print_json(Text *out, const Dual *dual) {
    const Model *model = dual->analysis->model;
    Json *j = &(Json){.out = out, .first = true};
    open_item(j, NULL, "{");
    put_text(j, "model", model->name);
    put_text(j, "hash", arena_printf(out->arena, "%016" PRIx64, model->hash));
    put_text(j, "structure", dual->analysis->structure);
    put_text(j, "family", family_of(&dual->options)->name);
    put_bool(j, "paper", dual->options.paper);
    put_bool(j, "exact", !dual->options.paper && !dual->options.no_exact);
    put_text(j, "objective", dual->objective ? dual->objective : "reverse-kl");
    open_item(j, "plates", "[");
    for (int i = 0; i < model->plates.n; i++) put_plate(j, model, model->plates.data[i]);
    close_item(j, "]");
    open_item(j, "variables", "[");
    for (int i = 0; i < model->vars.n; i++) put_var(j, model, model->vars.data[i]);
    close_item(j, "]");
    put_sums(j, dual->analysis);
    put_symmetries(j, dual->analysis);
    put_factorisation(j, dual);
    put_networks(j, dual);
    put_weights(j, dual);
    close_item(j, "}");
    text_add(out, "\n");
}
