/* check.c -- from AST to Model: walks the declarations in order, once all names are collected. */
#include "front/check.h"

#include <math.h>
#include <stdlib.h>

/* ---- constants and definitions, before the walk ---- */

static const Define *find_define(const Checker *ck, const char *name) {
    const Define *found = NULL;
    for (int i = 0; i < ck->n_defines; i++)
        if (strcmp(ck->defines[i].name, name) == 0) found = &ck->defines[i];
    return found;
}

static void check_const(Checker *ck, Symbol *symbol) {
    const Define *define_option = find_define(ck, symbol->name);
    int64_t number;
    const char *what = arena_printf(ck->arena, "const `%s`", symbol->name);
    symbol->broken = !constant_integer(ck, symbol->ast->value, what, &number);
    symbol->done = true;
    if (define_option) {
        symbol->number = (double)define_option->value;
        symbol->broken = false;
    } else if (!symbol->broken) {
        symbol->number = (double)number;
    }
}

static void check_defines(Checker *ck, Span start) {
    for (int i = 0; i < ck->n_defines; i++) {
        const Symbol *symbol = find_symbol(ck, ck->defines[i].name);
        if (symbol && symbol->kind == SYMBOL_CONST) continue;
        FAIL(ck, DIAG_UNKNOWN_DEFINE, start, ck->defines[i].name);
        const char **names = arena_array(ck->arena, const char *, ck->order.n + 1);
        int n = 0;
        for (int k = 0; k < ck->order.n; k++)
            if (ck->order.data[k]->kind == SYMBOL_CONST) names[n++] = ck->order.data[k]->name;
        const char *nearest = nearest_name(ck->defines[i].name, names, n);
        if (nearest) diag_help(ck->diags, "did you mean `%s`?", nearest);
    }
}

/* ---- declarations ---- */

static Span first_word(const Ast *ast, const char *word) {
    Span span = ast->span;
    span.end = span.begin + (uint32_t)strlen(word);
    return span;
}

void add_var(Checker *ck, Var *var) {
    var->index = ck->model->vars.n;
    vec_push(ck->arena, &ck->model->vars, var);
    vec_push(ck->arena, &ck->facts, (Facts){.range = {-1.0 / 0.0, 1.0 / 0.0}});
}

/* The symbol of a declaration, unless the name was a duplicate. */
static Symbol *own_symbol(Checker *ck, const Ast *ast) {
    Symbol *symbol = find_symbol(ck, ast->name.text);
    if (!symbol || symbol->ast != ast) return NULL;
    symbol->scope = ck->plate;
    return symbol;
}

static Var *new_var(Checker *ck, VarKind kind, const Ast *ast) {
    Var *var = arena_new_of(ck->arena, Var);
    var->kind = kind;
    var->name = ast->name.text;
    var->span = ast->name.span;
    var->type.plate = ck->plate;
    return var;
}

static bool check_dims(Checker *ck, const Ast *ast, Type *type) {
    if (ast->dims.n > MAX_EVENT_DIMS) {
        FAIL(ck, DIAG_TOO_MANY_DIMS, ast->dims.data[MAX_EVENT_DIMS]->span, MAX_EVENT_DIMS);
        return false;
    }
    for (int i = 0; i < ast->dims.n; i++) {
        const char *what = arena_printf(ck->arena, "a dimension of `%s`", ast->name.text);
        const Ast *dim = ast->dims.data[i];
        if (!constant_integer(ck, dim, what, &type->dims[i])) return false;
        if (type->dims[i] < 1) {
            FAIL(ck, DIAG_DIMENSION, dim->span, ast->name.text, (long long)type->dims[i]);
            return false;
        }
        type->n_dims = i + 1;
        double size = 1;
        for (int k = 0; k <= i; k++) size *= (double)type->dims[k];
        if (size > MAX_EVENT) {
            FAIL(ck, DIAG_EVENT_TOO_LARGE, dim->span, (long long)size, MAX_EVENT);
            return false;
        }
    }
    return true;
}

static void set_facts(Checker *ck, Var *var, bool hyper) {
    Facts facts = {.range = range_of(ck, var->value, NULL), .latent = latent_in(ck, var->value)};
    Value *value = arena_new_of(ck->arena, Value);
    if (hyper) {
        *value = (Value){.n_dims = var->type.n_dims, .data = var->numbers};
        memcpy(value->dims, var->type.dims, sizeof value->dims);
        facts.constant = value;
        facts.range = (Range){var->numbers[0], var->numbers[0]};
        for (int64_t i = 1; i < shape_size(var->type.n_dims, var->type.dims); i++) {
            if (var->numbers[i] < facts.range.lo) facts.range.lo = var->numbers[i];
            if (var->numbers[i] > facts.range.hi) facts.range.hi = var->numbers[i];
        }
    } else if (evaluate(ck, var->value, true, value)) {
        facts.constant = value;
    }
    ck->facts.data[var->index] = facts;
}

/* Of a latent or observed variable, its support says where it lies. */
static void set_random_facts(Checker *ck, Var *var) {
    Facts *facts = &ck->facts.data[var->index];
    if (var->kind == VAR_LATENT || var->kind == VAR_SUMMED) facts->latent = var;
    facts->range = (Range){support_info[var->support.kind].lo, support_info[var->support.kind].hi};
    if (var->support.lo) facts->range.lo = range_of(ck, var->support.lo, NULL).lo;
    if (var->support.hi) facts->range.hi = range_of(ck, var->support.hi, NULL).hi;
    if (var->n_values) facts->range.hi = (double)(var->n_values - 1);
    if (var->dist->atoms) { /* the ends themselves, too: ranges of open sets leave these out */
        facts->range.lo = nextafter(facts->range.lo, -INFINITY);
        facts->range.hi = nextafter(facts->range.hi, INFINITY);
    }
}

static bool check_hyper(Checker *ck, Var *var, const Ast *ast) {
    bool good = check_dims(ck, ast, &var->type);
    ck->constant = arena_printf(ck->arena, "hyper `%s`", ast->name.text);
    ck->hypers = true;
    var->value = resolve_value(ck, ast->value);
    ck->constant = NULL;
    if (!var->value || !good) return false;
    Value value;
    if (!evaluate(ck, var->value, true, &value)) {
        FAIL(ck, DIAG_EXPRESSION_TOO_LARGE, ast->value->span, MAX_EVALUATED);
        return false;
    }
    Type found = {.n_dims = value.n_dims};
    memcpy(found.dims, value.dims, sizeof found.dims);
    if (value.n_dims && !same_shape(&found, &var->type)) {
        FAIL(ck, DIAG_SHAPE_MISMATCH, ast->value->span,
             shape_text(ck->arena, var->type.n_dims, var->type.dims),
             shape_text(ck->arena, value.n_dims, value.dims));
        diag_note(ck->diags, var->span, "`%s` is declared with shape %s", var->name,
                  shape_text(ck->arena, var->type.n_dims, var->type.dims));
        return false;
    }
    int64_t n = shape_size(var->type.n_dims, var->type.dims);
    var->numbers = arena_array(ck->arena, double, n);
    for (int64_t i = 0; i < n; i++) {
        var->numbers[i] = value.data[value.n_dims ? i : 0];
        if (var->numbers[i] - var->numbers[i] == 0) continue;
        FAIL(ck, DIAG_NOT_FINITE, ast->value->span,
             arena_printf(ck->arena, "hyper `%s`", var->name), var->numbers[i]);
        return false;
    }
    return true;
}

/* The numbers of a covariate in training: an event as declared, or one number for all of it. */
static bool check_design(Checker *ck, Var *var, const Ast *ast) {
    const Ast *design = ast->args.data[0];
    bool good = check_dims(ck, ast, &var->type);
    var->value = resolve_value(ck, design);
    if (!var->value || !good) return false;
    const Type *found = &var->value->type;
    if (found->elem == ELEM_BOOL) {
        FAIL(ck, DIAG_NEEDS_NUMBER, design->span);
        return false;
    }
    if (!found->n_dims || same_shape(found, &var->type)) return true;
    FAIL(ck, DIAG_SHAPE_MISMATCH, design->span,
         shape_text(ck->arena, var->type.n_dims, var->type.dims),
         shape_text(ck->arena, found->n_dims, found->dims));
    diag_note(ck->diags, var->span, "`%s` is declared with shape %s", var->name,
              shape_text(ck->arena, var->type.n_dims, var->type.dims));
    return false;
}

static bool check_elem(Checker *ck, const Ast *ast) {
    const char *elem = ast->elem.text;
    if (!elem || strcmp(elem, "real") == 0 || strcmp(elem, "int") == 0) return true;
    FAIL(ck, DIAG_UNKNOWN_TYPE, ast->elem.span, elem);
    return false;
}

static Definition *find_via(Checker *ck, const Ast *ast, bool *good) {
    if (!ast->word.text || ast->kind != AST_LATENT) return NULL;
    Definition *via = named_link(ck, &ast->word);
    *good = via && define(ck, via, ast->word.span);
    if (*good) via->used = true;
    return *good ? via : NULL;
}

static bool check_random(Checker *ck, Var *var, const Ast *ast) {
    bool good = check_elem(ck, ast), via_good = true;
    good = check_dims(ck, ast, &var->type) && good;
    Definition *via = find_via(ck, ast, &via_good);
    good = check_arguments(ck, var, ast->value) && good && via_good;
    if (good && var->kind == VAR_LATENT && var->dist->atoms) {
        FAIL(ck, DIAG_POINT_MASS, ast->value->span, var->name, var->dist->name);
        good = false;
    }
    good = good && check_discrete(ck, var, ast);
    good = good && check_supports(ck, var, ast, via);
    return good && (var->kind != VAR_OBSERVED || check_missing(ck, var, ast));
}

static bool check_deterministic(Checker *ck, Var *var, const Ast *ast) {
    var->value = resolve_value(ck, ast->value);
    if (!var->value) return false;
    if (var->value->type.elem == ELEM_BOOL) {
        FAIL(ck, DIAG_NEEDS_NUMBER, ast->value->span);
        return false;
    }
    var->type = var->value->type;
    return true;
}

static void check_declaration(Checker *ck, const Ast *ast) {
    static const struct {
        VarKind kind;
        const char *word;
    } kinds[AST_KIND_COUNT] = {
        [AST_HYPER] = {VAR_HYPER, "a hyper"},           [AST_LATENT] = {VAR_LATENT, "a latent"},
        [AST_OBSERVED] = {VAR_OBSERVED, "an observed"}, [AST_LET] = {VAR_LET, "a let"},
        [AST_QUANTITY] = {VAR_QUANTITY, "a quantity"},  [AST_CONTEXT] = {VAR_CONTEXT, "a context"},
        [AST_GIVEN] = {VAR_GIVEN, "a given"},
    };
    VarKind kind = kinds[ast->kind].kind;
    Symbol *symbol = own_symbol(ck, ast);
    Var *var = new_var(ck, kind, ast);
    ck->user = kinds[ast->kind].word;
    bool good;
    if (kind == VAR_HYPER)
        good = check_hyper(ck, var, ast);
    else if (kind == VAR_LATENT || kind == VAR_OBSERVED)
        good = check_random(ck, var, ast);
    else if (kind == VAR_CONTEXT)
        good = check_random(ck, var, ast) && check_known(ck, var);
    else if (kind == VAR_GIVEN)
        good = (ast->value ? check_random(ck, var, ast) : check_design(ck, var, ast)) &&
               check_known(ck, var);
    else
        good = check_deterministic(ck, var, ast);
    if (!good && !ck->failed) internal_error("front", "`%s` failed without a report", var->name);
    if (!symbol) return;
    symbol->done = true;
    symbol->broken = !good;
    if (!good) return;
    symbol->var = var;
    add_var(ck, var);
    if (var->dist)
        set_random_facts(ck, var);
    else if (kind == VAR_GIVEN)
        ck->facts.data[var->index].range = range_of(ck, var->value, NULL);
    else
        set_facts(ck, var, kind == VAR_HYPER);
}

static void check_items(Checker *ck, const AstList *items);

/* Uses of a name whose declaration is not translated stay silent. */
static void break_name(Checker *ck, const char *name, const Ast *ast) {
    Symbol *symbol = name ? find_symbol(ck, name) : NULL;
    if (symbol && symbol->ast == ast) symbol->broken = symbol->done = true;
}

static void break_names(Checker *ck, const Ast *ast) {
    break_name(ck, ast->name.text, ast);
    for (int i = 0; i < ast->args.n && ast->kind == AST_OBSERVED; i++)
        break_name(ck, ast->args.data[i]->name.text, ast);
    for (int i = 0; i < ast->items.n; i++) break_names(ck, ast->items.data[i]);
}

static Plate *open_plate(Checker *ck, const Ast *ast) {
    Plate *plate = arena_new_of(ck->arena, Plate);
    plate->name = ast->name.text;
    plate->parent = ck->plate;
    plate->depth = ck->plate ? ck->plate->depth + 1 : 0;
    plate->size = plate->lo = plate->hi = 1;
    plate->span = ast->name.span;
    plate->column = ast->word.text;
    return plate;
}

/* A size, or one end of a range of sizes. */
static bool plate_extent(Checker *ck, const Ast *ast, const Plate *plate, int least,
                         int64_t *size) {
    const double largest = 2147483647;
    const char *what = arena_printf(ck->arena, "the size of plate `%s`", plate->name);
    if (!constant_integer(ck, ast, what, size)) return false;
    if (*size < least)
        FAIL(ck, DIAG_PLATE_SIZE, ast->span, plate->name, (long long)*size);
    else if ((double)*size > largest)
        FAIL(ck, DIAG_NUMBER_TOO_LARGE, ast->span, what, (double)*size, largest);
    return *size >= least && (double)*size <= largest;
}

/* An outermost plate has one size per data set anyway; an inner one only where it is balanced. That
 * may be 0 in some instances of its parent, else. */
static void check_plate_range(Checker *ck, const Ast *ast, Plate *plate, bool balanced) {
    int64_t lo, hi;
    plate->ragged = plate->parent && !balanced;
    bool good = plate_extent(ck, ast->args.data[0], plate, !plate->ragged, &lo);
    if (!plate_extent(ck, ast->args.data[1], plate, 1, &hi) || !good) return;
    if (lo > hi) {
        FAIL(ck, DIAG_EMPTY_RANGE, ast->span, plate->name, (long long)lo, (long long)hi);
        return;
    }
    plate->lo = lo;
    plate->hi = hi;
    plate->size = (int64_t)(sqrt((double)(lo ? lo : 1) * (double)hi) + 0.5);
}

static void check_plate_size(Checker *ck, const Ast *ast, Plate *plate) {
    const Ast *size = ast->args.data[0];
    bool balanced = ast->elem.text && strcmp(ast->elem.text, "balanced") == 0;
    if (ast->elem.text && !balanced)
        FAIL(ck, DIAG_PLATE_OPTION, ast->elem.span, plate->name, ast->elem.text);
    if (size->kind == AST_RANGE) {
        check_plate_range(ck, size, plate, balanced);
        return;
    }
    if (plate_extent(ck, size, plate, 1, &plate->size)) plate->lo = plate->hi = plate->size;
}

static void check_members(Checker *ck, const Ast *ast, Plate *plate) {
    Plate *outer = ck->plate;
    ck->plate = plate;
    check_items(ck, &ast->items);
    ck->plate = outer;
}

static void check_cross(Checker *ck, const Ast *ast) {
    Plate *plate = open_cross(ck, ast);
    if (plate)
        check_members(ck, ast, plate);
    else
        break_names(ck, ast);
}

static void check_plate(Checker *ck, const Ast *ast) {
    if (ast->args.n == 0) {
        Plate *plate = reopened_plate(ck, ast);
        if (plate)
            check_members(ck, ast, plate);
        else
            break_names(ck, ast);
        return;
    }
    Symbol *symbol = own_symbol(ck, ast);
    Plate *plate = open_plate(ck, ast);
    check_plate_size(ck, ast, plate);
    if (plate->depth >= MAX_PLATE_DEPTH) {
        FAIL(ck, DIAG_TOO_MANY_PLATES, ast->name.span, MAX_PLATE_DEPTH);
        break_names(ck, ast);
        return;
    }
    if (symbol) symbol->plate = plate;
    plate->index = ck->model->plates.n;
    vec_push(ck->arena, &ck->model->plates, plate);
    check_members(ck, ast, plate);
}

static void refuse(Checker *ck, const Ast *ast, const char *word) {
    FAIL(ck, DIAG_UNSUPPORTED, first_word(ast, word), word);
    break_names(ck, ast);
}

static void check_item(Checker *ck, const Ast *ast) {
    static const char *const file_level[AST_KIND_COUNT] = {
        [AST_CONST] = "const",
        [AST_HYPER] = "hyper",
        [AST_CONTEXT] = "context",
        [AST_DUAL] = "dual",
        [AST_FN] = "fn",
        [AST_LINK] = "link",
        [AST_DISTRIBUTION] = "distribution",
    };
    if (ck->plate && file_level[ast->kind])
        FAIL(ck, DIAG_MISPLACED, first_word(ast, file_level[ast->kind]), file_level[ast->kind]);
    if (ck->plate && ck->plate->across && !check_in_cross(ck, ast)) {
        break_names(ck, ast);
        return;
    }
    switch (ast->kind) {
    case AST_SEQUENCE:
        refuse(ck, ast, "sequence");
        return;
    case AST_CROSS:
        check_cross(ck, ast);
        return;
    case AST_DUAL:
        vec_push(ck->arena, &ck->duals, (Ast *)ast);
        return;
    case AST_IMPORT:
        if (ast->path)
            check_items(ck, &ast->items);
        else
            FAIL(ck, DIAG_IMPORT_NOT_FOUND, ast->word.span, ast->word.text, "nowhere");
        return;
    case AST_PLATE:
        check_plate(ck, ast);
        return;
    case AST_OBSERVED:
        if (ast->args.n) {
            FAIL(ck, DIAG_UNSUPPORTED_FORM, ast->args.data[0]->span, "a joint observation is");
            break_names(ck, ast);
            return;
        }
        check_declaration(ck, ast);
        return;
    case AST_HYPER:
    case AST_CONTEXT:
    case AST_LATENT:
    case AST_GIVEN:
    case AST_LET:
    case AST_QUANTITY:
        check_declaration(ck, ast);
        return;
    default:
        return; /* const, fn, distribution, link: already done */
    }
}

static void check_items(Checker *ck, const AstList *items) {
    for (int i = 0; i < items->n; i++) check_item(ck, items->data[i]);
}

/* ---- after the walk ---- */

/* Marks what the expression depends on directly. */
static void mark_uses(const Expr *e, bool *marked) {
    if (e->kind == EXPR_VAR) marked[e->var->index] = true;
    for (int i = 0; i < e->n_args; i++) mark_uses(e->args[i], marked);
}

static void check_observed(Checker *ck) {
    const Model *model = ck->model;
    bool *marked = arena_array(ck->arena, bool, model->vars.n + 1);
    for (int i = model->vars.n - 1; i >= 0; i--) { /* a use never precedes its declaration */
        const Var *var = model->vars.data[i];
        if (var->kind == VAR_OBSERVED) marked[i] = true;
        if (!marked[i]) continue;
        for (int k = 0; var->dist && k < var->dist->n_params; k++) mark_uses(var->args[k], marked);
        if (var->value) mark_uses(var->value, marked);
    }
    for (int i = 0; i < model->vars.n; i++) {
        const Var *var = model->vars.data[i];
        if ((var->kind == VAR_LATENT || var->kind == VAR_SUMMED) && !marked[i])
            diag_report(ck->diags, DIAG_UNOBSERVED_LATENT, var->span, var->name);
    }
}

static void warn_unused(Checker *ck, int file) {
    for (int i = 0; i < ck->order.n; i++) {
        const Symbol *symbol = ck->order.data[i];
        /* a file that is imported may offer more than is wanted of it */
        if (symbol->used || symbol->broken || symbol->span.file != file) continue;
        if (symbol->kind == SYMBOL_CONST)
            diag_report(ck->diags, DIAG_UNUSED, symbol->span, "const", symbol->name);
        else if (symbol->var && symbol->var->kind == VAR_HYPER)
            diag_report(ck->diags, DIAG_UNUSED, symbol->span, "hyper", symbol->name);
        else if (symbol->var && symbol->var->kind == VAR_CONTEXT)
            diag_report(ck->diags, DIAG_UNUSED, symbol->span, "context", symbol->name);
        else if (symbol->var && symbol->var->kind == VAR_GIVEN)
            diag_report(ck->diags, DIAG_UNUSED, symbol->span, "given", symbol->name);
        else if (symbol->var && symbol->var->kind == VAR_LET)
            diag_report(ck->diags, DIAG_UNUSED, symbol->span, "let", symbol->name);
    }
    static const char *const words[] = {"fn", "distribution", "link"};
    for (int i = 0; i < ck->definition_order.n; i++) {
        const Definition *d = ck->definition_order.data[i];
        if (!d->used && !d->library && !d->broken && d->ast->span.file == file)
            diag_report(ck->diags, DIAG_UNUSED, d->ast->name.span, words[d->kind], d->name);
    }
}

static void check_whole(Checker *ck, const Ast *ast) {
    int latents = 0, observed = 0;
    for (int i = 0; i < ck->order.n; i++) {
        latents += ck->order.data[i]->ast->kind == AST_LATENT;
        observed += ck->order.data[i]->ast->kind == AST_OBSERVED;
    }
    Span start = {ast->span.file, 0, 0};
    if (!observed) FAIL(ck, DIAG_NO_OBSERVATION, start);
    if (!latents) FAIL(ck, DIAG_NO_LATENT, start);
    if (!ck->failed) check_sums(ck);
    if (!ck->failed) check_missing_read(ck);
    if (ck->failed) return;
    check_observed(ck);
    warn_unused(ck, ast->span.file);
}

static void keep_link(Checker *ck, Link *link);

/* Keeps the functions and links that an expression needs, each behind what its own body needs. */
static void keep(Checker *ck, const Expr *e) {
    if (e->kind == EXPR_LINK) keep_link(ck, e->link);
    if (e->kind == EXPR_CALL && !e->function->kept) {
        e->function->kept = true;
        keep(ck, e->function->body);
        vec_push(ck->arena, &ck->model->functions, e->function);
    }
    for (int i = 0; i < e->n_args; i++) keep(ck, e->args[i]);
}

static void keep_link(Checker *ck, Link *link) {
    if (link->kept) return;
    link->kept = true;
    keep(ck, link->forward);
    keep(ck, link->inverse);
    keep(ck, link->log_jacobian);
    vec_push(ck->arena, &ck->model->links, link);
}

static void keep_distribution(Checker *ck, Distribution *dist) {
    if (dist->kept) return;
    dist->kept = true;
    keep(ck, dist->sample);
    if (dist->log_prob) keep(ck, dist->log_prob);
    vec_push(ck->arena, &ck->model->distributions, dist);
}

/* Hands the definitions that the model needs to it, in the order of their first use. */
static void keep_definitions(Checker *ck) {
    Model *model = ck->model;
    for (int i = 0; i < model->vars.n; i++) {
        const Var *var = model->vars.data[i];
        if (var->dist) keep_distribution(ck, var->dist);
        if (var->link) keep_link(ck, var->link);
        if (var->value) keep(ck, var->value);
        for (int k = 0; var->dist && k < var->dist->n_params; k++) keep(ck, var->args[k]);
    }
}

static const char *model_name(Arena *arena, const char *path) {
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    const char *dot = strrchr(name, '.');
    if (dot && dot > name) return arena_strndup(arena, name, (size_t)(dot - name));
    return arena_strdup(arena, strcmp(name, "-") == 0 || !*name ? "model" : name);
}

Model *front_check(Arena *arena, Diags *diags, const Ast *ast, const Define *defines,
                   int n_defines) {
    Checker *ck = arena_new_of(arena, Checker);
    *ck = (Checker){.arena = arena, .diags = diags, .defines = defines, .n_defines = n_defines};
    ck->model = arena_new_of(arena, Model);
    ck->model->name = model_name(arena, ast->path);
    ck->model->dual.isab = -1;
    if (!load_stdlib(ck)) return NULL;
    collect_names(ck, &ast->items);
    check_defines(ck, (Span){ast->span.file, 0, 0});
    for (int i = 0; i < ck->order.n; i++)
        if (ck->order.data[i]->kind == SYMBOL_CONST) check_const(ck, ck->order.data[i]);
    for (int i = 0; i < ck->definition_order.n; i++) {
        Definition *definition = ck->definition_order.data[i];
        if (!definition->library) define(ck, definition, definition->ast->name.span);
    }
    check_items(ck, &ast->items);
    check_duals(ck);
    check_whole(ck, ast);
    if (ck->failed || diags_errors(diags)) return NULL;
    keep_definitions(ck);
    ck->model->hash = model_hash(arena, ck->model);
    return ck->model;
}
