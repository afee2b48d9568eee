/* stdlib.c -- the embedded standard library, and the names that the language itself knows. */
#include "front/check.h"

static const Builtin builtins[] = {
#define POINT(name, arity, OPCODE) {#name, BUILTIN_POINT, arity, OP_##OPCODE, 0, 0, 0},
#define REDUCTION(name, REDUCE) {#name, BUILTIN_REDUCTION, 1, 0, REDUCE_##REDUCE, 0, 0},
#define SPECIAL(name, arity) {#name, BUILTIN_SPECIAL, arity, 0, 0, 0, 0},
#define PRIMITIVE(name, arity, RANDOM) {#name, BUILTIN_PRIMITIVE, arity, 0, 0, RANDOM_##RANDOM, 0},
#define SHAPED(ENUM, name, arity, ...) {#name, BUILTIN_SHAPED, arity, 0, 0, 0, SHAPED_##ENUM},
#include "front/builtins.def"
#include "model/shaped.def"
#undef SHAPED
#undef POINT
#undef REDUCTION
#undef SPECIAL
#undef PRIMITIVE
};

static const struct {
    RefusedKind kind;
    const char *name;
} refused[] = {
#define FUNCTION(name) {REFUSED_FUNCTION, #name},
#define DISTRIBUTION(name) {REFUSED_DISTRIBUTION, #name},
#define COUNT(name) {REFUSED_DISTRIBUTION, #name}, {REFUSED_COUNT, #name},
#define LINK(name) {REFUSED_LINK, #name},
#define SUPPORT(name) {REFUSED_SUPPORT, #name},
#include "front/refused.def"
#undef FUNCTION
#undef DISTRIBUTION
#undef COUNT
#undef LINK
#undef SUPPORT
};

int builtin_count(void) {
    return (int)(sizeof builtins / sizeof *builtins);
}

const char *builtin_name(int i) {
    return builtins[i].name;
}

const Builtin *find_builtin(const char *name, int arity) {
    const Builtin *found = NULL;
    for (int i = 0; i < builtin_count(); i++) {
        if (strcmp(builtins[i].name, name) != 0) continue;
        if (builtins[i].arity == arity) return &builtins[i];
        if (!found) found = &builtins[i];
    }
    return found;
}

bool is_refused(RefusedKind kind, const char *name) {
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (refused[i].kind == kind && strcmp(refused[i].name, name) == 0) return true;
    return false;
}

/* Of SUPPORT, or, for laws with a long tail, of long_tailed_SUPPORT. */
static void set_default(Checker *ck, const Ast *ast) {
    static const char prefix[] = "long_tailed_";
    const char *name = ast->name.text;
    bool is_long = strncmp(name, prefix, strlen(prefix)) == 0;
    if (is_long) name += strlen(prefix);
    Definition **links = is_long ? ck->long_tail_link : ck->default_link;
    for (int kind = 0; kind < N_SUPPORTS; kind++)
        if (strcmp(support_info[kind].name, name) == 0)
            links[kind] = find_definition(ck, DEFINES_LINK, ast->word.text);
}

/* Two passes, since a default may name a link of a later file. */
bool load_stdlib(Checker *ck) {
    Ast **files = arena_array(ck->arena, Ast *, stdlib_file_count + 1);
    for (int i = 0; i < stdlib_file_count; i++) {
        const StdlibFile *file = &stdlib_files[i];
        files[i] = front_parse_source(ck->arena, ck->diags, file->name, file->text,
                                      strlen(file->text), true);
        if (!files[i]) return false;
        for (int k = 0; k < files[i]->items.n; k++) {
            const Ast *item = files[i]->items.data[k];
            if (item->kind == AST_FN) add_definition(ck, DEFINES_FN, item, true);
            if (item->kind == AST_DISTRIBUTION)
                add_definition(ck, DEFINES_DISTRIBUTION, item, true);
            if (item->kind == AST_LINK) add_definition(ck, DEFINES_LINK, item, true);
        }
    }
    for (int i = 0; i < stdlib_file_count; i++)
        for (int k = 0; k < files[i]->items.n; k++)
            if (files[i]->items.data[k]->kind == AST_DEFAULT)
                set_default(ck, files[i]->items.data[k]);
    return true;
}
