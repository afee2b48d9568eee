/* names.c -- the tables of names. They are filled before anything is resolved, so that a use above
 * the declaration is told apart from an unknown name. A name's scope is the plate around its
 * declaration; whether it stands above a use is a comparison of positions. */
#include "front/check.h"

static unsigned bucket_of(const char *name) {
    uint32_t hash = 2166136261u;
    for (; *name; name++) hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash % N_BUCKETS;
}

Symbol *find_symbol(const Checker *ck, const char *name) {
    for (Symbol *s = ck->symbols[bucket_of(name)]; s; s = s->next)
        if (strcmp(s->name, name) == 0) return s;
    return NULL;
}

Definition *find_definition(const Checker *ck, DefinitionKind kind, const char *name) {
    for (Definition *d = ck->definitions[bucket_of(name)]; d; d = d->next)
        if (d->kind == kind && strcmp(d->name, name) == 0) return d;
    return NULL;
}

void suggest_definition(Checker *ck, DefinitionKind kind, const char *name) {
    int n = 0;
    const char **names =
        arena_array(ck->arena, const char *, ck->definition_order.n + builtin_count());
    for (int i = 0; i < ck->definition_order.n; i++)
        if (ck->definition_order.data[i]->kind == kind)
            names[n++] = ck->definition_order.data[i]->name;
    for (int i = 0; kind == DEFINES_FN && i < builtin_count(); i++) names[n++] = builtin_name(i);
    for (int i = 0; kind == DEFINES_DISTRIBUTION && combinator_name(i); i++)
        names[n++] = combinator_name(i);
    const char *nearest = nearest_name(name, names, n);
    if (nearest) diag_help(ck->diags, "did you mean `%s`?", nearest);
}

Definition *named_link(Checker *ck, const AstWord *name) {
    Definition *link = find_definition(ck, DEFINES_LINK, name->text);
    if (link) return link;
    if (is_refused(REFUSED_LINK, name->text)) {
        FAIL(ck, DIAG_UNSUPPORTED_FORM, name->span,
             arena_printf(ck->arena, "link `%s` is", name->text));
    } else {
        FAIL(ck, DIAG_UNKNOWN_LINK, name->span, name->text);
        suggest_definition(ck, DEFINES_LINK, name->text);
    }
    return NULL;
}

static bool too_many(Checker *ck, Span span) {
    if (++ck->declared <= MAX_DECLARATIONS) return false;
    if (ck->declared == MAX_DECLARATIONS + 1) FAIL(ck, DIAG_TOO_MANY_NAMES, span, MAX_DECLARATIONS);
    return true;
}

bool add_definition(Checker *ck, DefinitionKind kind, const Ast *ast, bool library) {
    const Definition *old = find_definition(ck, kind, ast->name.text);
    if (old) {
        FAIL(ck, DIAG_DUPLICATE_NAME, ast->name.span, ast->name.text);
        diag_note(ck->diags, old->ast->name.span, "first declared here");
        return false;
    }
    if (!library && too_many(ck, ast->name.span)) return false;
    Definition *definition = arena_new_of(ck->arena, Definition);
    *definition =
        (Definition){.kind = kind, .name = ast->name.text, .ast = ast, .library = library};
    Definition **bucket = &ck->definitions[bucket_of(definition->name)];
    definition->next = *bucket;
    *bucket = definition;
    vec_push(ck->arena, &ck->definition_order, definition);
    return true;
}

/* Names that compiled models use for themselves (runtime/abi.h), among axes and among inputs and
 * outputs. */
static bool is_reserved(SymbolKind kind, const char *name) {
    static const char *const axes[] = {"data", "draw"};
    static const char *const values[] = {
        "loss",           "set_loss",         "log_q", "log_prior", "log_likelihood",
        "entropy_weight", "likelihood_weight"};
    bool found = false;
    for (size_t i = 0; i < sizeof axes / sizeof *axes; i++)
        found |= kind == SYMBOL_PLATE && strcmp(axes[i], name) == 0;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        found |= kind == SYMBOL_VAR && strcmp(values[i], name) == 0;
    return found;
}

static void add_symbol(Checker *ck, SymbolKind kind, const Ast *ast, AstWord name) {
    if (is_reserved(kind, name.text)) FAIL(ck, DIAG_RESERVED_NAME, name.span, name.text);
    const Symbol *old = find_symbol(ck, name.text);
    if (old) {
        FAIL(ck, DIAG_DUPLICATE_NAME, name.span, name.text);
        diag_note(ck->diags, old->span, "first declared here");
        return;
    }
    if (too_many(ck, name.span)) return;
    Symbol *symbol = arena_new_of(ck->arena, Symbol);
    *symbol = (Symbol){.kind = kind, .name = name.text, .span = name.span, .ast = ast};
    Symbol **bucket = &ck->symbols[bucket_of(name.text)];
    symbol->next = *bucket;
    *bucket = symbol;
    vec_push(ck->arena, &ck->order, symbol);
}

void collect_names(Checker *ck, const AstList *items) {
    for (int i = 0; i < items->n; i++) {
        const Ast *item = items->data[i];
        switch (item->kind) {
        case AST_CONST:
            add_symbol(ck, SYMBOL_CONST, item, item->name);
            break;
        case AST_HYPER:
        case AST_CONTEXT:
        case AST_LATENT:
        case AST_GIVEN:
        case AST_LET:
        case AST_QUANTITY:
            add_symbol(ck, SYMBOL_VAR, item, item->name);
            break;
        case AST_OBSERVED:
            if (item->name.text) add_symbol(ck, SYMBOL_VAR, item, item->name);
            for (int k = 0; k < item->args.n; k++)
                add_symbol(ck, SYMBOL_VAR, item, item->args.data[k]->name);
            break;
        case AST_PLATE:
        case AST_SEQUENCE:
            if (item->args.n) /* without a size it reopens a plate */
                add_symbol(ck, SYMBOL_PLATE, item, item->name);
            collect_names(ck, &item->items);
            break;
        case AST_CROSS:
        case AST_IMPORT:
            collect_names(ck, &item->items);
            break;
        case AST_FN:
            add_definition(ck, DEFINES_FN, item, false);
            break;
        case AST_DISTRIBUTION:
            add_definition(ck, DEFINES_DISTRIBUTION, item, false);
            break;
        case AST_LINK:
            add_definition(ck, DEFINES_LINK, item, false);
            break;
        default:
            break;
        }
    }
}
