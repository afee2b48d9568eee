/* `adavic init` on any formula, for one table with columns of every kind: what is refused must be
 * refused with a reason, what is accepted must be a sound model. The first byte chooses the family
 * and whether sizes become ranges. */
#include "fuzz.h"

#include "base/diag.h"
#include "front/front.h"
#include "init/write.h"

#include <stdlib.h>

static const char table[] =
    "g,h,w,arm,x,z,day,k,b,n,y,a b,one,c\n"
    "1,a,u,drug,0.5,1,0,3,0,10,2.5,p,7,i\n1,a,v,drug,1.5,2,1,0,1,12,1,q,7,j\n"
    "1,b,u,drug,0.25,3,0,7,1,9,-3,p,7,k\n1,b,v,drug,4,1,1,1,0,11,0.5,q,7,l\n"
    "2,a,u,none,8,2,0,12,1,12,4,p,7,i\n2,a,v,none,0.75,3,1,2,0,30,NA,q,7,m\n"
    "2,c,u,none,1,1,0,5,0,8,8.5,p,7,j\n2,c,w,both 1,2,2,1,4,1,10,1e2,q,7,k\n";

static void must_be_sound(const char *text, size_t n) {
    Arena *arena = arena_new();
    Diags *diags = diags_new(arena);
    Ast *ast = front_parse(arena, diags, "init.hbm", text, n);
    if (!ast || !front_check(arena, diags, ast, NULL, 0) || diags_errors(diags)) {
        fputs(text, stderr);
        diags_print(diags, stderr, false);
        abort();
    }
    arena_free(arena);
}

static void run(const uint8_t *data, size_t n) {
    if (n < 2) return;
    RtMem *mem = rt_mem_new();
    RtError error = {{0}};
    RtBytes text = {0}, bytes = {(char *)(uintptr_t)table, sizeof table - 1, 0};
    Formula f;
    Frame *a = rt_alloc(mem, 1, sizeof *a);
    Design *d = rt_alloc(mem, 1, sizeof *d);
    const char *formula = rt_copy_text(mem, (const char *)data + 1, n - 1);
    WriteOptions options = {.kind = (OutcomeKind)(data[0] / 2 % OUTCOME_COUNT),
                            .amortise = data[0] % 2,
                            .data = "t.csv",
                            .model = "t"};
    if (formula_parse(mem, formula, &f, &error) &&
        frame_read(mem, "t.csv", &bytes, &f, a, &error) &&
        design_make(a, options.kind, d, &error) && write_model(a, d, &options, &text, &error))
        must_be_sound(text.data, text.n);
    else if (!error.text[0])
        abort(); /* refused without a word */
    rt_bytes_free(&text);
    rt_mem_free(mem);
}

static const char *const formulas[] = {
    "0y ~ 1 + x + (1 + x | g)",
    "1y ~ x*arm + z:x + (x || g/h)",
    "2y ~ 0 + arm + log(x) + (1 | g:h)",
    "4b ~ day + factor(z) + (arm | h)",
    "6cbind(k, n - k) ~ factor(z):arm + (1 | g) + (1 | g:h)",
    "7k | trials(40) ~ (x + z) * day - x:day + (0 + x | g)",
    "0y ~ log(x + 10) * I(2 * (z - 1)^2 / -3) + scale(log2(x)) + (I(1/z) | g)",
    "0y ~ x + (1 | g:h) + (1 | w) + (1 | z)",
    "4b ~ (x + z + arm)^2 + I(x^-1) + log10(abs(z) + 1)",
    "8k ~ sqrt(x) + exp(z) + offset(log(n)) + (day | g)",
    ":k ~ -1 + arm*z + (1 | `a b`) + (x | g)",
    "1y ~ x*arm + (x || g) + (1 + arm | c)",
    "8k ~ 0 + z + offset(log(n)) + (1 | c) + (0 + z | g) + (1 | g)",
};

static void seeds(FuzzList *list) {
    for (size_t i = 0; i < sizeof formulas / sizeof *formulas; i++)
        fuzz_add(list, formulas[i], strlen(formulas[i]));
}

static void words(FuzzList *list) {
    static const char *const some[] = {
        "y",     "k",    "b",       "n",       "g",       "h",      "w",  "arm",     "x",
        "z",     "day",  "`a b`",   "one",     "Y",       "0",      "1",  " + ",     " - ",
        ":",     "*",    "/",       " | ",     " || ",    "(",      ")",  " ~ ",     "log(",
        "sqrt(", "exp(", "factor(", "offset(", "trials(", "cbind(", ", ", "(1 | g)", "c"};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) fuzz_add_word(list, some[i]);
}

static const FuzzTarget target = {"formula", run, seeds, words};
FUZZ_MAIN(target)
