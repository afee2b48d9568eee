/* descriptors.c -- what --emit=descriptors and --emit=analysis show: tables that fit a terminal.
 *
 * The descriptors are those of the ADAVI paper's appendix A.1: V, P, Card, Hier, Shape, Link. The
 * analysis adds the plates' certificates and the guide's factors with a verdict for each family.
 * Lines are at most WIDTH columns where names allow it.
 */
#include "model/graph.h"

enum { WIDTH = 80, MAX_COLUMNS = 7 };

/* ---- tables and paragraphs ---- */

typedef struct Table {
    int n_columns;
    VEC(const char *) cells; /* row by row, the head first */
    uint32_t right;          /* bit per column: aligned to the right */
} Table;

static void table_print(Text *out, const Table *table) {
    size_t width[MAX_COLUMNS] = {0};
    for (int i = 0; i < table->cells.n; i++) {
        size_t n = strlen(table->cells.data[i]), *w = &width[i % table->n_columns];
        if (n > *w) *w = n;
    }
    for (int i = 0; i < table->cells.n; i++) {
        int column = i % table->n_columns;
        bool last = column == table->n_columns - 1;
        text_add(out, "  ");
        if (table->right >> column & 1)
            text_printf(out, "%*s", (int)width[column], table->cells.data[i]);
        else if (last)
            text_add(out, table->cells.data[i]);
        else
            text_printf(out, "%-*s", (int)width[column], table->cells.data[i]);
        if (last) text_add(out, "\n");
    }
}

/* Words of `s`, broken into lines that begin at column `indent` (the first begins at `at`). */
static void paragraph(Text *out, int at, int indent, const char *s) {
    bool first = true;
    while (*s) {
        int n = (int)strcspn(s, " ");
        if (!first && at + 1 + n > WIDTH) {
            text_printf(out, "\n%*s", indent, "");
            at = indent;
            first = true;
        }
        text_printf(out, "%s%.*s", first ? "" : " ", n, s);
        at += n + !first;
        first = false;
        s += n + (s[n] == ' ');
    }
    text_add(out, "\n");
}

static const char *plate_path(Arena *arena, const Plate *plate, const char *outside) {
    if (!plate) return outside;
    if (!plate->parent) return plate->name;
    return arena_printf(arena, "%s, %s", plate_path(arena, plate->parent, ""), plate->name);
}

static const char *shape_text(Arena *arena, const Type *type) {
    if (!type->n_dims) return "()";
    Text text;
    text_init(&text, arena);
    for (int i = 0; i < type->n_dims; i++)
        text_printf(&text, "%s%lld", i ? ", " : "(", (long long)type->dims[i]);
    text_add(&text, type->n_dims == 1 ? ",)" : ")");
    return text.data;
}

/* ---- descriptors ---- */

static void head(Text *out, const Analysis *analysis, const char *what, const char *family) {
    const Model *model = analysis->model;
    text_printf(out, "%s of %s: %s", what, model->name, analysis->structure);
    if (model->plates.n)
        text_printf(out, ", %d plate%s", model->plates.n, model->plates.n > 1 ? "s" : "");
    text_printf(out, "; family %s\n\n", family);
}

static void print_plates(Text *out, const Model *model) {
    Table table = {.n_columns = 4, .right = 1u << 1 | 1u << 2};
    Arena *arena = out->arena;
    vec_push(arena, &table.cells, "P plate");
    vec_push(arena, &table.cells, "Card");
    vec_push(arena, &table.cells, "Hier");
    vec_push(arena, &table.cells, "inside");
    for (int i = 0; i < model->plates.n; i++) {
        const Plate *plate = model->plates.data[i];
        vec_push(arena, &table.cells, plate->name);
        vec_push(arena, &table.cells, plate_size_text(arena, plate));
        vec_push(arena, &table.cells, arena_printf(arena, "%d", model_hier(model, plate)));
        const char *inside = plate->parent ? plate->parent->name : "-";
        if (plate->across) inside = arena_printf(arena, "%s and %s", inside, plate->across->name);
        vec_push(arena, &table.cells, inside);
    }
    if (model->plates.n)
        table_print(out, &table);
    else
        text_add(out, "  no plates\n");
}

static void print_vertices(Text *out, const Model *model) {
    Table table = {.n_columns = 6, .right = 1u << 2};
    Arena *arena = out->arena;
    static const char *const names[] = {"V variable", "kind", "Hier", "Shape", "Link", "plates"};
    for (int i = 0; i < 6; i++) vec_push(arena, &table.cells, names[i]);
    for (int k = 0; k < model->vars.n; k++) {
        const Var *var = model->vars.data[k];
        bool latent = var->kind == VAR_LATENT, context = var->kind == VAR_CONTEXT;
        bool summed = var->kind == VAR_SUMMED, given = var->kind == VAR_GIVEN;
        if (!latent && !context && !summed && !given && var->kind != VAR_OBSERVED) continue;
        vec_push(arena, &table.cells, var->name);
        vec_push(arena, &table.cells,
                 latent    ? "latent"
                 : context ? "context"
                 : summed  ? "summed"
                 : given   ? "given"
                           : "observed");
        vec_push(arena, &table.cells,
                 arena_printf(arena, "%d", model_hier(model, var->type.plate)));
        vec_push(arena, &table.cells, shape_text(arena, &var->type));
        vec_push(arena, &table.cells, latent && var->link ? var->link->name : "-");
        vec_push(arena, &table.cells, plate_path(arena, var->type.plate, "-"));
    }
    table_print(out, &table);
}

void model_print_descriptors(Text *out, const Analysis *analysis, const char *family) {
    head(out, analysis, "descriptors", family);
    print_plates(out, analysis->model);
    text_add(out, "\n");
    print_vertices(out, analysis->model);
    text_add(out, "\nHier counts plates from the innermost. Shape is the event of one instance.\n"
                  "Link maps the guide's unconstrained space onto a latent's support.\n");
}

/* ---- analysis ---- */

static void print_certificates(Text *out, const Model *model) {
    text_add(out, "Plates\n");
    for (int i = 0; i < model->plates.n; i++) {
        const Plate *plate = model->plates.data[i];
        const char *line = arena_printf(out->arena, "%s (%s): %sexchangeable: %s.", plate->name,
                                        plate_size_text(out->arena, plate),
                                        plate->exchangeable ? "" : "not ", plate->reason);
        text_printf(out, "%*s", 2 + 2 * plate->depth, "");
        paragraph(out, 2 + 2 * plate->depth, 6 + 2 * plate->depth, line);
    }
    if (!model->plates.n) text_add(out, "  none\n");
    text_add(out, "\n");
}

static const char *names_of(Arena *arena, Var *const *vars, int n) {
    bool *all = arena_array(arena, bool, n + 1);
    for (int i = 0; i < n; i++) all[i] = true;
    return model_names(arena, vars, all, n);
}

static void print_order(Text *out, const Analysis *analysis, const TemplateGraph *graph) {
    Arena *arena = out->arena;
    Table table = {.n_columns = 4};
    static const char *const names[] = {"latent", "structured", "adavi", "plates"};
    for (int i = 0; i < 4; i++) vec_push(arena, &table.cells, names[i]);
    for (int i = 0; i < analysis->n_latents; i++) {
        bool exact;
        (void)model_mean_field_verdict(arena, graph, i, &exact);
        const Conditioning *c = &analysis->order[i];
        vec_push(arena, &table.cells, c->latent->name);
        vec_push(arena, &table.cells, c->exact ? "exact" : "approximate");
        vec_push(arena, &table.cells, exact ? "exact" : "approximate");
        vec_push(arena, &table.cells, plate_path(arena, c->latent->type.plate, "-"));
    }
    text_add(out, "Guide, top-down (what each factor loses, had its flow and encoder no limits)\n");
    table_print(out, &table);
    text_add(out, "\n");
}

static int count_outside(const Analysis *analysis) {
    int n = 0;
    while (n < analysis->n_latents && !analysis->order[n].latent->type.plate) n++;
    return n;
}

/* Marks the observed variables that inform latent i, directly or through later latents. */
static void mark_data_behind(Arena *arena, const TemplateGraph *graph, int i, bool *seen) {
    bool *on = arena_array(arena, bool, graph->n + 1);
    bool *through = arena_array(arena, bool, graph->n + 1);
    model_graph_reach(graph, i, on, through);
    through[i] = true;
    for (int k = 0; k < graph->n; k++)
        for (int d = 0; through[k] && d < graph->n_data; d++)
            if (graph->sees[k * graph->n_data + d]) seen[d] = true;
}

static const char *data_behind(Arena *arena, const TemplateGraph *graph, int i) {
    bool *seen = arena_array(arena, bool, graph->n_data + 1);
    mark_data_behind(arena, graph, i, seen);
    return model_names(arena, graph->data, seen, graph->n_data);
}

/* "  q(b | mean; strength)", and below it the verdict. */
static void print_factor(Text *out, const char *left, const char *on, const char *data, bool exact,
                         const char *reason) {
    text_add(out, "  ");
    paragraph(out, 2, 6,
              arena_printf(out->arena, "q(%s%s%s%s%s)", left, *on || *data ? " | " : "", on,
                           *on && *data ? "; " : "", data));
    text_add(out, "      ");
    paragraph(out, 6, 6,
              arena_printf(out->arena, "%s: %s%s.", exact ? "exact" : "approximate", reason,
                           *data ? "" : "; no data informs it"));
}

static void print_one_by_one(Text *out, const Analysis *analysis, const TemplateGraph *graph,
                             const char *family, Factors factors) {
    Arena *arena = out->arena;
    bool alone = factors == FACTORS_MEAN_FIELD;
    text_printf(out, "Factors of the family %.*s%s\n", (int)strcspn(family, " "), family,
                alone ? " (mean-field across latents)" : "");
    for (int i = 0; i < analysis->n_latents; i++) {
        bool exact, *on = arena_array(arena, bool, graph->n + 1);
        const char *reason = model_mean_field_verdict(arena, graph, i, &exact);
        if (!alone) reason = model_parents_verdict(arena, graph, i, on, &exact);
        print_factor(out, graph->latent[i]->name,
                     alone ? "" : model_names(arena, graph->latent, on, graph->n),
                     data_behind(arena, graph, i), exact, reason);
    }
}

static void print_joint(Text *out, const TemplateGraph *graph, const char *family) {
    text_printf(out, "Factors of the family %s\n", family);
    bool *all = arena_array(out->arena, bool, graph->n_data + 1);
    for (int i = 0; i < graph->n_data; i++) all[i] = true;
    print_factor(out, names_of(out->arena, graph->latent, graph->n), "",
                 model_names(out->arena, graph->data, all, graph->n_data), true,
                 MODEL_JOINT_VERDICT);
}

static void print_structured(Text *out, const Analysis *analysis, const TemplateGraph *graph) {
    Arena *arena = out->arena;
    int outside = count_outside(analysis);
    text_add(out, "Factors of the family structured\n");
    if (outside) {
        /* one joint flow for all of them: their order among themselves loses nothing */
        bool *seen = arena_array(arena, bool, graph->n_data + 1);
        for (int i = 0; i < outside; i++) mark_data_behind(arena, graph, i, seen);
        print_factor(out, names_of(arena, graph->latent, outside), "",
                     model_names(arena, graph->data, seen, graph->n_data), true,
                     outside > 1 ? "one joint flow for all that stands outside the plates"
                                 : "it stands outside all plates");
    }
    for (int i = outside; i < analysis->n_latents; i++) {
        const Conditioning *c = &analysis->order[i];
        print_factor(out, c->latent->name, names_of(arena, c->on, c->n_on),
                     data_behind(arena, graph, i), c->exact, c->reason);
    }
}

static void print_known(Text *out, const Model *model, VarKind kind, const char *title) {
    bool *mark = arena_array(out->arena, bool, model->vars.n + 1);
    for (int i = 0; i < model->vars.n; i++) mark[i] = model->vars.data[i]->kind == kind;
    const char *names = model_names(out->arena, model->vars.data, mark, model->vars.n);
    if (!*names) return;
    text_printf(out, "%s\n  ", title);
    paragraph(out, 2, 2, names);
    text_add(out, "\n");
}

/* What a discrete latent is summed out of, and where. */
static void print_sums(Text *out, const TemplateGraph *graph) {
    Arena *arena = out->arena;
    if (!graph->n_groups) return;
    text_add(out, "Discrete latents (summed out; the guide never draws them)\n");
    for (int g = 0; g < graph->n_groups; g++) {
        const SumGroup *group = &graph->groups[g];
        const char *names = names_of(arena, group->summed, group->n);
        const char *factors = names_of(arena, group->factors, group->n_factors);
        text_add(out, "  ");
        paragraph(out, 2, 6,
                  arena_printf(arena,
                               "%s: summed out of the laws of %s%s%s, %.0f terms at most in "
                               "each.",
                               names, names, *factors ? " and of " : "", factors,
                               model_table_size(group)));
    }
    text_add(out, "\n");
}

static void print_symmetries(Text *out, const Analysis *analysis) {
    Arena *arena = out->arena;
    if (analysis->n_symmetries) text_add(out, "Label symmetries\n");
    for (int i = 0; i < analysis->n_symmetries; i++) {
        const LabelSymmetry *s = &analysis->symmetries[i];
        const char *where =
            s->plate ? arena_printf(arena, " in each instance of plate %s", s->plate->name) : "";
        text_add(out, "  ");
        paragraph(
            out, 2, 6,
            arena_printf(arena,
                         "%s: the %lld values may be exchanged, with the entries of %s%s. The "
                         "posterior has as many modes as there are permutations: a unimodal "
                         "guide loses up to log %lld! = %.2f nats%s.",
                         names_of(arena, s->labels, s->n_labels), (long long)s->components,
                         names_of(arena, s->moved, s->n_moved), where, (long long)s->components,
                         s->loss, s->plate ? " in each" : ""));
    }
    if (analysis->n_symmetries) text_add(out, "\n");
}

void model_print_analysis(Text *out, const Analysis *analysis, const char *family,
                          Factors factors) {
    TemplateGraph *graph = model_graph(out->arena, analysis->model);
    head(out, analysis, "analysis", family);
    print_certificates(out, analysis->model);
    print_known(out, analysis->model, VAR_CONTEXT,
                "Contexts (known inputs; every factor below reads them)");
    print_known(out, analysis->model, VAR_GIVEN,
                "Covariates (given with the data; a factor reads those of the plates around it)");
    print_sums(out, graph);
    print_symmetries(out, analysis);
    print_order(out, analysis, graph);
    if (factors == FACTORS_STRUCTURED)
        print_structured(out, analysis, graph);
    else if (factors == FACTORS_JOINT)
        print_joint(out, graph, family);
    else
        print_one_by_one(out, analysis, graph, family, factors);
}
