/* manifest.c -- see manifest.h; the format is stated in runtime/abi.h and read by the runtime.
 * Nothing in it depends on the machine, the time or a path: equal models give equal bytes. */
#include "back/manifest.h"

#include <inttypes.h>

void manifest_quote(Text *out, const char *text) {
    text_add(out, "\"");
    for (; *text; text++) {
        if (*text == '"')
            text_add(out, "\\\"");
        else if (*text == '\\')
            text_add(out, "\\\\");
        else if (*text == '\n')
            text_add(out, "\\n");
        else
            text_printf(out, "%c", *text);
    }
    text_add(out, "\"");
}

static void add_dims(Text *out, const int64_t *dims, int n) {
    text_add(out, " dims");
    for (int i = 0; i < n; i++) text_printf(out, " %" PRId64, dims[i]);
}

/* Outermost first. */
static void add_plates(Text *out, const Plate *plate) {
    if (!plate) return;
    add_plates(out, plate->parent);
    text_printf(out, " %s", plate->name);
}

static void add_plate(Text *out, const Plate *plate) {
    text_printf(out, "plate %s parent %s size %" PRId64 " exchangeable %d ", plate->name,
                plate->parent ? plate->parent->name : "-", plate->size, plate->exchangeable);
    manifest_quote(out, plate->reason ? plate->reason : "");
    if (plate->across)
        text_printf(out, " across %s", plate->across->name);
    else if (plate->lo < plate->hi)
        text_printf(out, " range %" PRId64 " %" PRId64, plate->lo, plate->hi);
    if (plate->ragged) text_add(out, " ragged");
    if (plate->column) {
        text_add(out, " from ");
        manifest_quote(out, plate->column);
    }
    text_add(out, "\n");
}

static void add_hyper(Text *out, const Var *var) {
    int64_t n = 1;
    for (int i = 0; i < var->type.n_dims; i++) n *= var->type.dims[i];
    text_printf(out, "hyper %s", var->name);
    add_dims(out, var->type.dims, var->type.n_dims);
    text_add(out, " values");
    for (int64_t i = 0; i < n; i++) text_printf(out, " %.17g", var->numbers[i]);
    text_add(out, "\n");
}

static void add_var(Text *out, const Var *var) {
    static const char *const kinds[] = {
        [VAR_LATENT] = "latent",   [VAR_OBSERVED] = "observed", [VAR_QUANTITY] = "quantity",
        [VAR_CONTEXT] = "context", [VAR_SUMMED] = "discrete",   [VAR_GIVEN] = "given"};
    if (var->kind == VAR_HYPER) {
        add_hyper(out, var);
    } else if (var->kind != VAR_LET) {
        text_printf(out, "%s %s plates", kinds[var->kind], var->name);
        add_plates(out, var->type.plate);
        if (var->kind == VAR_SUMMED)
            add_dims(out, &var->n_values, 1);
        else
            add_dims(out, var->type.dims, var->type.n_dims);
        bool context = var->kind == VAR_CONTEXT;
        bool positive = context ? var->support.kind == SUPPORT_POSITIVE : var->positive;
        if (var->kind == VAR_GIVEN && var->n_values)
            text_printf(out, " values %" PRId64, var->n_values);
        if (var->whole) text_add(out, " whole");
        if (var->whole && var->most_of) text_printf(out, " to %s", var->most_of->name);
        if (var->whole && !var->most_of && var->most >= 0)
            text_printf(out, " upto %" PRId64, var->most);
        if (var->whole && var->support.kind == SUPPORT_COUNTS) text_add(out, " sums");
        if (var->missing) text_printf(out, " missing %.17g", var->harmless);
        text_add(out, positive ? " positive\n" : "\n");
    }
}

static void add_symmetry(Text *out, const LabelSymmetry *symmetry) {
    text_printf(out, "symmetry components %" PRId64 " plate %s moved", symmetry->components,
                symmetry->plate ? symmetry->plate->name : "-");
    for (int i = 0; i < symmetry->n_moved; i++)
        text_printf(out, " %s %d", symmetry->moved[i]->name, symmetry->dim[i]);
    text_add(out, "\n");
}

static void add_weight(Text *out, const DualWeight *weight) {
    static const char *const kinds[] = {
        [INIT_CONSTANT] = "constant", [INIT_UNIFORM] = "uniform", [INIT_NORMAL] = "normal"};
    text_printf(out, "weight %s", weight->name);
    add_dims(out, weight->dims, weight->n_dims);
    text_printf(out, " init %s %.17g\n", kinds[weight->init.kind], weight->init.scale);
}

static void add_text(Text *out, const char *key, const char *text) {
    text_printf(out, "text %s ", key);
    manifest_quote(out, text);
    text_add(out, "\n");
}

/* Kinds of line in the order of runtime/abi.h; within a kind in the model's order. */
void manifest_model(Text *out, const Dual *dual, bool f64, const char *target) {
    const Model *model = dual->analysis->model;
    const FamilyInfo *family = family_of(&dual->options);
    text_add(out, "adavic-manifest 1\n");
    text_printf(out, "model %s\nsource-hash %016" PRIx64 "\nreal %s\nfamily %s\n", model->name,
                model->hash, f64 ? "f64" : "f32", family->name);
    text_add(out, "target ");
    manifest_quote(out, target);
    text_add(out, "\n");
    for (int i = 0; i < model->plates.n; i++) add_plate(out, model->plates.data[i]);
    for (int i = 0; i < model->vars.n; i++) add_var(out, model->vars.data[i]);
    for (int i = 0; i < dual->analysis->n_symmetries; i++)
        add_symmetry(out, &dual->analysis->symmetries[i]);
    for (int i = 0; i < dual->weights.n; i++) add_weight(out, &dual->weights.data[i]);
    const DualSettings *set = &model->dual;
    if (set->sets) text_printf(out, "setting sets %" PRId64 "\n", set->sets);
    if (set->draws) text_printf(out, "setting draws %" PRId64 "\n", set->draws);
    if (dual->objective) add_text(out, "objective", dual->objective);
    add_text(out, "version", ADAVIC_VERSION);
    const char *refusal = dual_extend_refusal(out->arena, dual->analysis);
    if (refusal) add_text(out, "new", refusal);
    Text shown;
    text_init(&shown, out->arena);
    model_print_descriptors(&shown, dual->analysis, family->title);
    add_text(out, "descriptors", shown.data);
    text_init(&shown, out->arena);
    model_print_analysis(&shown, dual->analysis, family->title, family->factors);
    dual_print_objectives(&shown, dual->analysis, &dual->options);
    add_text(out, "analysis", shown.data);
}
