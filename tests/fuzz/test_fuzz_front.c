/* The front end and all that follows it up to the schedule, on any text at all. What is refused
 * must be refused with diagnostics; what is accepted must give sound programs. */
#include "fuzz.h"

#include "back/manifest.h"
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

static void print_model(Arena *arena, const Analysis *analysis, const FamilyInfo *family) {
    Text text;
    text_init(&text, arena);
    model_print(&text, analysis->model);
    model_print_analysis(&text, analysis, family->title, family->factors);
    model_print_descriptors(&text, analysis, family->title);
}

static void print_dual(Arena *arena, const Dual *dual) {
    Text text;
    text_init(&text, arena);
    dual_print_dot(&text, dual);
    dual_print_json(&text, dual);
    manifest_model(&text, dual, false, "");
}

/* Scheduling takes most of the time: one accepted model in four goes that far. */
static void compile(Arena *arena, Diags *diags, Model *model, const DualOptions *options,
                    bool far) {
    Analysis *analysis = model_analyse(arena, model);
    print_model(arena, analysis, family_of(options));
    Dual *dual = dual_derive(arena, diags, analysis, options);
    if (!dual && !diags_errors(diags)) abort(); /* refused without a word */
    if (!dual) return;
    print_dual(arena, dual);
    for (int i = 0; i < dual->programs.n; i++) {
        const DualProgram *made = &dual->programs.data[i];
        must_be_sound(made->p, "dual");
        IrProgram *p = opt_dce(opt_cse(opt_hoist(opt_fold(made->p))));
        must_be_sound(p, "dce");
        if (far) schedule(arena, p, &(ScheduleOptions){.lanes = 4, .lane_axis = made->lanes});
    }
}

/* The published design, or the present one with any family, by chance: the default in half. */
static DualOptions options_of(uint32_t hash) {
    bool paper = hash % 16 == 0;
    Family any = hash & 8 ? (Family)(hash / 16 % (uint32_t)family_count) : FAMILY_STRUCTURED;
    return (DualOptions){
        .family = paper ? FAMILY_ADAVI : any, .paper = paper, .no_exact = paper || hash % 16 == 1};
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
    DualOptions options = options_of(hash >> 8);
    if (model && !diags_errors(diags)) compile(arena, diags, model, &options, hash % 4 == 0);
    arena_free(arena);
}

/* The models in a page of the documentation: what stands between ```hbm and ```. */
static void add_blocks(FuzzList *list, const char *page) {
    Arena *arena = arena_new();
    const char *at = read_whole_file(arena, page, NULL), *end;
    while (at && (at = strstr(at, "\n```hbm")) && (at = strchr(at + 1, '\n')) &&
           (end = strstr(at, "\n```"))) {
        fuzz_add(list, at + 1, (size_t)(end - at));
        at = end + 1;
    }
    arena_free(arena);
}

static void seeds(FuzzList *list) {
    fuzz_add_files(list, "examples", ".hbm", "");
    add_blocks(list, "docs/language.md");
    fuzz_add_files(list, "tests/diag", ".hbm", "");
    fuzz_add_files(list, "tests/models", ".hbm", "");
    for (int i = 0; i < stdlib_file_count; i++)
        fuzz_add(list, stdlib_files[i].text, strlen(stdlib_files[i].text));
}

/* The words of the standard library, or the strings of a source: of the lexer, keywords and signs.
 */
static void words_in(FuzzList *list, const char *text, bool quoted) {
    enum { LONGEST = 31 };
    for (const char *at = text, *end; *at; at = end) {
        end = at + 1;
        if (quoted && *at == '"') {
            while (*end && *end != '"' && *end != '\n') end++;
            if (*end != '"' || end - at > LONGEST) continue;
            at++;
        } else if (!quoted && (isalpha((unsigned char)*at) || *at == '_')) {
            while (isalnum((unsigned char)*end) || *end == '_') end++;
        } else {
            continue;
        }
        char word[LONGEST + 1] = {0};
        if (end == at || end - at > LONGEST) continue;
        memcpy(word, at, (size_t)(end - at));
        fuzz_add_word(list, word);
        if (quoted) end++;
    }
}

/* names out of the tables */
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
#define FUNCTION(name) #name "(",
#define DISTRIBUTION(name) #name "(",
#define COUNT(name) #name "(",
#define LINK(name) #name,
#define SUPPORT(name) #name,
#include "front/refused.def"
#undef FUNCTION
#undef DISTRIBUTION
#undef COUNT
#undef LINK
#undef SUPPORT
#define SUPPORT(ENUM, name, ...) #name,
#include "model/supports.def"
#undef SUPPORT
#define SHAPED(ENUM, name, ...) #name,
#include "model/shaped.def"
#undef SHAPED
};
/* where the language's other words stand as strings: keywords and signs, settings, combinators
 */
static const char *const sources[] = {
    "grammar/hbm.l",         "compiler/front/dual.c",  "compiler/front/combine.c",
    "compiler/front/push.c", "runtime/objectives.def", "compiler/model/flows.def"};
/* pieces that an input seldom puts together itself */
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
                                    "context c ~ normal(0, 1);",
                                    "given w ~ normal(0, 1);",
                                    "given t[2] = p.index;",
                                    "given k ~ category(3);",
                                    "dual {",
                                    "[k in 3: ",
                                    "[0:2]",
                                    "[K]",
                                    "[K, K]",
                                    "[K - 1]",
                                    "sum(k in 3: ",
                                    "mean(p: ",
                                    "truncated(normal(0, 1), lo = 0)",
                                    "push(exp, normal(0, 1))",
                                    "censored(normal(0, 1), hi = 1)",
                                    "hurdle(0.5, poisson(1))",
                                    "zero_inflated(0.5, poisson(1))",
                                    "sorted(normal(0, 1))",
                                    " via ",
                                    "fn f(x[K]) = x[K - 1];",
                                    "\"c\"",
                                    "/*",
                                    "*/"};

static void words(FuzzList *list) {
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
        fuzz_add_word(list, builtins[i]);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) fuzz_add_word(list, forms[i]);
    for (int i = 0; i < stdlib_file_count; i++) words_in(list, stdlib_files[i].text, false);
    Arena *arena = arena_new();
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        const char *text = read_whole_file(arena, sources[i], NULL);
        if (text) words_in(list, text, true);
    }
    arena_free(arena);
}

static const FuzzTarget target = {"front", run, seeds, words};
FUZZ_MAIN(target)
