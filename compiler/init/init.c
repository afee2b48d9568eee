/* init.c -- the command `adavic init`: options, help, and the way from file to model. See init.h.
 */
#include "init/init.h"

#include "base/diag.h"
#include "base/options.h"
#include "front/front.h"
#include "init/write.h"
#include "runtime/data.h"
#include "runtime/manual.h"

#include <math.h>
#include <stdarg.h>
#include <unistd.h>

enum { STATUS_PROBLEM = 1, STATUS_USAGE = 2 };

typedef enum { INIT_FAMILY, INIT_OUTPUT, INIT_AMORTISE, INIT_HELP } InitOptionId;
static const OptionInfo init_options[] = {
    {INIT_FAMILY, "--family", "NAME",
     "what the outcome is (default gaussian; of trials, binomial)"},
    {INIT_OUTPUT, "-o", "MODEL.hbm",
     "where the model goes (default: standard output); an existing "
     "file is left as it is"},
    {INIT_AMORTISE, "--amortise", NULL,
     "ranges of sizes about those of the file, for a network that serves other files, too"},
    {INIT_HELP, "--help", NULL, "this text"},
};
enum { N_INIT_OPTIONS = sizeof init_options / sizeof *init_options };

typedef struct Init {
    const char *data, *formula, *output, *family;
    bool amortise, help;
} Init;

/* ---- texts ---- */

static const char purpose[] =
    "Writes a model for a table and a formula in the notation of lme4 and brms: with the columns "
    "as "
    "covariates, the groups as plates of the file's sizes, nested or crossed, and weak priors on "
    "the scale of "
    "the data. It is a start, to be read and changed: comments say where each number comes from.";

static const char *const parts[][2] = {
    {"y ~ 1 + x", "an intercept and a slope; the intercept is there unless 0 or -1 is"},
    {"x:z, x*z", "a product; x + z + x:z"},
    {"arm", "of a column of text: a coefficient for each level but the first"},
    {"factor(x)", "the same of whole numbers from 0 to 63"},
    {"log(x + 1), I(x^2)",
     "functions of a column: log, log2, log10, log1p, sqrt, exp, abs, and arithmetic in I()"},
    {"scale(x)", "less its mean, over its standard deviation"},
    {"offset(log(n))", "added to the predictor, without a coefficient"},
    {"(1 | g)", "an intercept for each group of g"},
    {"(1 + x | g)", "a line for each group, intercepts and slopes correlated"},
    {"(1 + x || g)", "the same, uncorrelated"},
    {"(1 | a/b)", "groups of b within groups of a: (1 | a) + (1 | a:b)"},
    {"(1 | a) + (1 | b)", "where a and b cross: effects of both, a row for each pair"},
    {"cbind(y, n - y) ~", "y of n trials; also y | trials(n) ~"},
};

static const char example[] =
    "adavic init sleepstudy.csv 'reaction ~ days + (days | subject)' \\\n    -o sleepstudy.hbm\n"
    "adavic sleepstudy.hbm -o sleepstudy\n"
    "./sleepstudy train --for sleepstudy.csv\n"
    "./sleepstudy infer sleepstudy.csv\n";

static const char limits[] =
    "Groups lie within each other, or there are two groupings that cross, and each pair has one "
    "row or none: (1 | subject) + (1 | item). Else what crosses others has intercepts alone, and 8 "
    "levels at most, by text or by numbers from 0 on. "
    "Groups of unequal size are written as a range of sizes. Cells of the outcome may be "
    "empty; covariates have no missing values. A "
    "column that the model reads has a "
    "name of letters, digits and `_`; in the formula, other names of groups stand in backquotes.";

static void describe(Manual *m) {
    enum { INDENT = 27 };
    char term[64];
    manual_heading(m, "formula");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        manual_item(m, INDENT, parts[i][0], parts[i][1]);
    manual_heading(m, "families");
    for (int k = 0; k < OUTCOME_COUNT; k++)
        manual_item(m, INDENT, outcome_info[k].name, outcome_info[k].summary);
    manual_heading(m, "options");
    for (int i = 0; i < N_INIT_OPTIONS; i++) {
        snprintf(term, sizeof term, "%s%s%s", init_options[i].name,
                 init_options[i].argument ? " " : "",
                 init_options[i].argument ? init_options[i].argument : "");
        manual_item(m, INDENT, term, init_options[i].help);
    }
    manual_heading(m, "limits");
    manual_paragraph(m, limits);
    manual_heading(m, "example");
    manual_code(m, example);
}

static void print_help(void) {
    Manual m = manual_terminal(stdout);
    printf("usage: adavic init DATA.csv 'FORMULA' [--family NAME] [-o MODEL.hbm]\n\n");
    manual_paragraph(&m, purpose);
    describe(&m);
}

void init_page(const char *version, const char *date) {
    Manual m =
        manual_page(stdout, "adavic-init", version, date, "a model from a data file and a formula");
    manual_heading(&m, "synopsis");
    manual_paragraph(&m, "`adavic init` DATA.csv 'FORMULA' [`--family` NAME] [`-o` MODEL.hbm]");
    manual_heading(&m, "description");
    manual_paragraph(&m, purpose);
    describe(&m);
    manual_heading(&m, "exit status");
    manual_item(&m, 0, "0", "Done.");
    manual_item(&m, 0, "1", "Something is wrong with the formula or the data; nothing is written.");
    manual_item(&m, 0, "2", "Wrong use of the command.");
    manual_heading(&m, "see also");
    manual_paragraph(&m, "`adavic`(1), `adavic-model`(1)");
}

__attribute__((format(printf, 1, 2))) static int usage_error(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fprintf(stderr, "adavic init: ");
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry `adavic init --help`.\n");
    return STATUS_USAGE;
}

/* ---- options ---- */

static void apply(Init *init, InitOptionId id, const char *value) {
    switch (id) {
    case INIT_FAMILY:
        init->family = value;
        break;
    case INIT_OUTPUT:
        init->output = value;
        break;
    case INIT_AMORTISE:
        init->amortise = true;
        break;
    case INIT_HELP:
        init->help = true;
        break;
    }
}

static int read_options(Init *init, int argc, char **argv) {
    OptionWords words = {
        .table = init_options, .n_table = N_INIT_OPTIONS, .argc = argc, .argv = argv};
    const OptionInfo *o;
    const char *value;
    for (WordKind kind; (kind = options_next(&words, &o, &value)) != WORD_END;) {
        if (kind == WORD_WRONG) return usage_error("%s", words.why);
        if (kind == WORD_OPTION)
            apply(init, (InitOptionId)o->id, value);
        else if (!init->data)
            init->data = value;
        else if (!init->formula)
            init->formula = value;
        else
            return usage_error("one formula, in quotes: %s stands behind it", value);
    }
    if (init->help) return 0;
    if (!init->data) return usage_error("no data file given");
    if (!init->formula)
        return usage_error("no formula given; as in: adavic init %s 'y ~ x + (1 | g)'", init->data);
    return 0;
}

static int read_family(const Init *init, const Formula *f, OutcomeKind *kind) {
    bool trials = f->trials.column || f->fixed_trials;
    if (!init->family) {
        *kind = trials ? OUTCOME_binomial : OUTCOME_gaussian;
        return 0;
    }
    *kind = outcome_named(init->family);
    if (*kind != OUTCOME_COUNT) return 0;
    RtBytes names = {0};
    for (int k = 0; k < OUTCOME_COUNT; k++)
        rt_bytes_printf(&names, "%s%s", k ? ", " : "", outcome_info[k].name);
    usage_error("--family %s: expected %s", init->family, names.data);
    rt_bytes_free(&names);
    return STATUS_USAGE;
}

/* ---- the model ---- */

/* A gaussian outcome that is something else. */
static void note_family(const Frame *a) {
    const FrameColumn *y = &a->columns[a->outcome];
    bool whole = y->all.least >= 0, bits = y->all.most <= 1;
    for (int64_t row = 0; row < a->t.n_rows && whole; row++)
        whole = isnan(y->x[row]) || y->x[row] == floor(y->x[row]);
    if (whole && (bits || y->all.most < 100))
        fprintf(stderr,
                "note: %s is %s in every row, and taken for a number with normal noise: "
                "--family %s?\n",
                y->name, bits ? "0 or 1" : "a count", bits ? "bernoulli" : "poisson");
}

/* The text as a model: it may name what the language keeps for itself. */
static bool check_model(const char *path, const RtBytes *text) {
    Arena *arena = arena_new();
    Diags *diags = diags_new(arena);
    Ast *ast = front_parse(arena, diags, path, text->data, text->n);
    bool ok = ast && front_check(arena, diags, ast, NULL, 0) && !diags_errors(diags);
    if (!ok) {
        diags_print(diags, stderr, false);
        fprintf(stderr,
                "adavic init: the model that follows from this formula is not sound; a name "
                "in it is a column's: rename the column\n");
    }
    arena_free(arena);
    return ok;
}

static bool write_text(const Init *init, const RtBytes *text, RtError *error) {
    if (!init->output) return fwrite(text->data, 1, text->n, stdout) == text->n;
    if (!access(init->output, F_OK))
        return rt_error(error, "%s is there already\n  move it away, or choose another -o",
                        init->output);
    return rt_write_file(init->output, text->data, text->n, error);
}

/* The last part of a path, without an ending .hbm, .csv, .csv.gz and the like. */
static const char *base_name(RtMem *mem, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    return rt_copy_text(mem, name, strcspn(name, "."));
}

static int make_model(RtMem *mem, const Init *init) {
    RtError error;
    Formula f;
    Frame *a = rt_alloc(mem, 1, sizeof *a);
    Design *d = rt_alloc(mem, 1, sizeof *d);
    RtBytes text = {0}, bytes = {0};
    WriteOptions options = {.amortise = init->amortise, .data = init->data};
    options.model = base_name(mem, init->output ? init->output : init->data);
    bool sound = true, ok = formula_parse(mem, init->formula, &f, &error);
    if (ok && read_family(init, &f, &options.kind)) return STATUS_USAGE;
    ok = ok && rt_read_file(init->data, &bytes, &error) && rt_gunzip(init->data, &bytes, &error) &&
         frame_read(mem, init->data, &bytes, &f, a, &error) &&
         design_make(a, options.kind, d, &error) && write_model(a, d, &options, &text, &error);
    if (ok) {
        if (!init->family && options.kind == OUTCOME_gaussian) note_family(a);
        sound = check_model(init->output ? init->output : "model", &text);
        ok = !sound || write_text(init, &text, &error);
    }
    rt_bytes_free(&text);
    rt_bytes_free(&bytes);
    if (!ok) fprintf(stderr, "error: %s\n", error.text);
    return ok && sound ? 0 : STATUS_PROBLEM;
}

int init_main(int argc, char **argv) {
    Init init = {0};
    int status = read_options(&init, argc, argv);
    if (status) return status;
    if (init.help) {
        print_help();
        return 0;
    }
    RtMem *mem = rt_mem_new();
    status = make_model(mem, &init);
    rt_mem_free(mem);
    return status;
}
