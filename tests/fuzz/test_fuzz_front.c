/* The front end and all that follows it up to the schedule, on any text at all. What is refused
 * must be refused with diagnostics; what is accepted must give sound programs. */
#include "fuzz.h"

#include "opt/loop.h"
#include "dual/dual.h"
#include "front/front.h"
#include "opt/opt.h"

#include <ctype.h>
#include <stdlib.h>

static void must_be_sound(const IrProgram *p, const char *after) {
    const char *why = ir_verify(p);
    if (!why) return;
    fprintf(stderr, "program %s after %s: %s\n", p->name, after, why);
    abort();
}

/* Scheduling takes most of the time: one accepted model in four goes that far. */
static void compile(Arena *arena, Diags *diags, Model *model, Family family, bool far) {
    Analysis *analysis = model_analyse(arena, model);
    Text text;
    text_init(&text, arena);
    model_print(&text, model);
    model_print_analysis(&text, analysis, family == FAMILY_ADAVI);
    model_print_descriptors(&text, analysis, family == FAMILY_ADAVI);
    Dual *dual = dual_derive(arena, diags, analysis, &(DualOptions){.family = family});
    if (!dual && !diags_errors(diags)) abort(); /* refused without a word */
    if (!dual) return;
    IrProgram *all[] = {dual->simulate, dual->prepare, dual->step, dual->posterior, dual->logjoint};
    for (int i = 0; i < 5; i++) {
        must_be_sound(all[i], "dual");
        IrProgram *p = opt_dce(opt_cse(opt_fold(all[i])));
        must_be_sound(p, "dce");
        if (far)
            schedule(arena, p,
                     &(ScheduleOptions){.lanes = 4, .lane_axis = i < 3 ? "data" : "draw"});
    }
}

static void run(const uint8_t *data, size_t n) {
    static FILE *sink;
    if (!sink) sink = fopen("/dev/null", "w");
    uint32_t hash = 0;
    for (size_t i = 0; i < n; i++) hash = hash * 31 + data[i];
    Arena *arena = arena_new();
    Diags *diags = diags_new(arena);
    const char *text = arena_strndup(arena, (const char *)data, n);
    Ast *ast = front_parse(arena, diags, "fuzz.hbm", text, n);
    if (!ast && !diags_errors(diags)) abort(); /* refused without a word */
    if (ast) {
        Text printed;
        text_init(&printed, arena);
        front_print_ast(&printed, ast);
    }
    bool parsed = ast && !diags_errors(diags);
    Model *model = parsed ? front_check(arena, diags, ast, NULL, 0) : NULL;
    if (parsed && !model && !diags_errors(diags)) abort();
    diags_print(diags, sink, hash & 16);
    if (model && !diags_errors(diags))
        compile(arena, diags, model, hash & 8 ? FAMILY_ADAVI : FAMILY_STRUCTURED, hash % 4 == 0);
    arena_free(arena);
}

static void seeds(FuzzList *list) {
    fuzz_add_files(list, "examples", ".hbm", "");
    fuzz_add_files(list, "tests/diag", ".hbm", "");
    fuzz_add_files(list, "tests/models", ".hbm", "");
    for (int i = 0; i < stdlib_file_count; i++)
        fuzz_add(list, stdlib_files[i].text, strlen(stdlib_files[i].text));
}

/* The words of the standard library, and every string of the lexer: keywords and signs. */
static void words_in(FuzzList *list, const char *text, bool quoted) {
    for (const char *at = text, *end; *at; at = end) {
        end = at + 1;
        if (quoted && *at == '"') {
            while (*end && *end != '"' && *end != '\n') end++;
            if (*end != '"' || end - at > 14) continue;
            at++;
        } else if (!quoted && (isalpha((unsigned char)*at) || *at == '_')) {
            while (isalnum((unsigned char)*end) || *end == '_') end++;
        } else {
            continue;
        }
        char word[16] = {0};
        if (end == at || end - at > 15) continue;
        memcpy(word, at, (size_t)(end - at));
        fuzz_add_word(list, word);
        if (quoted) end++;
    }
}

static void words(FuzzList *list) {
    static const char *const builtins[] = {
#define POINT(name, ...) #name "(",
#define REDUCTION(name, ...) #name "(",
#define SPECIAL(name, ...) #name "(",
#define PRIMITIVE(name, ...) #name "(",
#include "front/builtins.def"
#undef POINT
#undef REDUCTION
#undef SPECIAL
#undef PRIMITIVE
    };
    static const char *const forms[] = {"plate p(3) {",
                                        "}",
                                        "let ",
                                        "latent z ~ normal(0, 1);",
                                        "observed y ~ normal(z, 1);",
                                        "[2, 3]",
                                        "[0]",
                                        "(",
                                        ")",
                                        "[",
                                        "]",
                                        ",",
                                        ";",
                                        "~",
                                        "?",
                                        ":",
                                        "1..2",
                                        "\"c\"",
                                        "/*",
                                        "*/"};
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
        fuzz_add_word(list, builtins[i]);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) fuzz_add_word(list, forms[i]);
    for (int i = 0; i < stdlib_file_count; i++) words_in(list, stdlib_files[i].text, false);
    Arena *arena = arena_new();
    const char *lexer = read_whole_file(arena, "grammar/hbm.l", NULL);
    if (lexer) words_in(list, lexer, true);
    arena_free(arena);
}

static const FuzzTarget target = {"front", run, seeds, words};
FUZZ_MAIN(target)
