/* The reader of the tensor IR on any text at all: what it accepts, the verifier judges; what is
 * sound stays sound and printable through every pass, and printing is the inverse of reading. */
#include "fuzz.h"

#include "ir/ir.h"
#include "opt/opt.h"

#include <stdlib.h>

static _Noreturn void wrong(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    abort();
}

static const char *printed(const IrProgram *p) {
    Text text;
    text_init(&text, p->arena);
    ir_print(&text, p);
    return text.data;
}

static void must_be_sound(const IrProgram *p, const char *after) {
    const char *why = ir_verify(p);
    if (why) wrong(after, why);
    const char *text = printed(p), *error = NULL;
    IrProgram *again = ir_parse(p->arena, text, &error);
    if (!again) wrong(after, error);
    const char *second = printed(again);
    if (strcmp(text, second)) wrong("printed and read back, it differs", second);
}

static void run(const uint8_t *data, size_t n) {
    Arena *arena = arena_new();
    const char *error = NULL;
    IrProgram *p = ir_parse(arena, arena_strndup(arena, (const char *)data, n), &error);
    if (!p && !error) wrong("parser", "refused without a word");
    if (p && !ir_verify(p)) {
        must_be_sound(p, "parser");
        p = opt_statistics(p);
        must_be_sound(p, "statistics");
        p = opt_reassociate(p);
        must_be_sound(p, "reassociate");
        p = opt_fold(p);
        must_be_sound(p, "fold");
        p = opt_hoist(p);
        must_be_sound(p, "hoist");
        p = opt_cse(p);
        must_be_sound(p, "cse");
        p = opt_dce(p);
        must_be_sound(p, "dce");
    }
    arena_free(arena);
}

/* A program with every kind of attribute. */
static const char every[] =
    "program all {\n  axis data : data\n  axis draw : draw\n  axis g : plate\n  axis h : plate in "
    "g\n"
    "  axis d0.2 : event 2\n  axis f.4 : event 4\n  axis g' : copy of g\n"
    "  %0 = input \"x\" data [data g h d0.2]\n  %1 = input \"w\" weight [d0.2 f.4]\n"
    "  %2 = contract %0 %1 over [d0.2]\n  %3 = pick %2 f.4 at 1\n  %4 = rename %3 g -> g'\n"
    "  %5 = sum %4 over [g' h]\n  %6 = table [d0.2] {1, -inf}\n  %7 = random normal \"u\" [data "
    "draw]\n"
    "  %8 = extent g\n  %9 = mul %5 %8\n  %10 = add %9 %7\n  %11 = const 2.5\n"
    "  %12 = lt %10 %11\n  %13 = select %12 %10 %11\n  %14 = place %13 f.4 at 0\n"
    "  %15 = slice %14 f.4 -> d0.2 at 1\n  %16 = pad %15 d0.2 -> f.4 at 2\n  %17 = spread %16 "
    "[data draw g f.4]\n"
    "  %18 = max %17 %16\n  %19 = add %18 %6\n  output \"y\" = %19\n}\n";

static void seeds(FuzzList *list) {
    fuzz_add(list, every, strlen(every));
    fuzz_add_files(list, "tests/ir", ".ir", "");
}

static void words(FuzzList *list) {
    static const char *const more[] = {
        "program ", "axis ",       " : ",     "data",   "draw", "plate",   "event ",  " in ",
        "copy of ", "output ",     " over [", " at ",   " -> ", "{1, 2}",  "%0",      "%1",
        "input ",   "weight",      "hyper",   "latent", "stat", "control", "random ", "normal",
        "uniform",  "exponential", "nan",     "inf",    "-inf", "-0"};
    for (int i = 0; i < OP_COUNT; i++) fuzz_add_word(list, ir_op_info[i].text);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) fuzz_add_word(list, more[i]);
}

static const FuzzTarget target = {"ir", run, seeds, words};
FUZZ_MAIN(target)
