/* adavic.c -- the command line: reads options into an Options, and calls the driver. Options are
 * rows of one table, from which the parser, --help and the suggestions for misspelt ones follow.
 *
 * Exit statuses: 0 done, 1 errors in the model, 2 wrong use of the command, 70 a fault of adavic.
 */
#include "base/options.h"
#include "driver.h"
#include "init/init.h"
#include "runtime/commands.h"
#include "runtime/manual.h"
#include "runtime/objective.h"

#include <stdlib.h>
#include <unistd.h>

enum { STATUS_USAGE = 2 };

typedef enum {
    OPT_OUTPUT,
    OPT_DEFINE,
    OPT_IMPORT_DIR,
    OPT_FAMILY,
    OPT_FLOW,
    OPT_PAPER,
    OPT_NO_EXACT,
    OPT_OBJECTIVE,
    OPT_PRECISION,
    OPT_TARGET,
    OPT_BLAS,
    OPT_TILE,
    OPT_JAM,
    OPT_KEEP,
    OPT_LANES,
    OPT_SHARED,
    OPT_EMIT,
    OPT_RUN,
    OPT_DUMP_AFTER,
    OPT_TIME_PASSES,
    OPT_EXPLAIN,
    OPT_EXPLAIN_OPS,
    OPT_EXPLAIN_LIBRARY,
    OPT_COLOR,
    OPT_VERSION,
    OPT_HELP_MAN,
    OPT_HELP,
} OptionId;

static const OptionInfo option_info[] = {
    {OPT_OUTPUT, "-o", "OUT", "where the result goes (default: the model's name, in this folder)"},
    {OPT_DEFINE, "-D", "NAME=N", "replaces the value of a const of the model"},
    {OPT_IMPORT_DIR, "-I", "DIR", "another folder to look into for what the model imports"},
    {OPT_FAMILY, "--family", "NAME", "the variational family (default structured; below)"},
    {OPT_FLOW, "--flow", "NAME",
     "what stands between base draws and affine maps (below), where dual { } says nothing else"},
    {OPT_PAPER, "--paper", NULL, "the published ADAVI design, its architecture and start"},
    {OPT_NO_EXACT, "--no-exact", NULL, "attention and flows alone, no exact moments"},
    {OPT_OBJECTIVE, "--objective", "SCHEDULE",
     "what training minimises unless told otherwise, and can besides reverse-kl and unregularised "
     "(below; with shares of the steps: map:2,unregularised:1,reverse-kl:20)"},
    {OPT_PRECISION, "--precision", "f32|f64", "numbers of the compiled program (default f32)"},
    {OPT_TARGET, "--target", "CPU",
     "host (default: the level of this machine), x86-64, x86-64-v2, x86-64-v3, x86-64-v4"},
    {OPT_BLAS, "--blas", "auto|off|N",
     "layers of at least N inputs and outputs go to OpenBLAS (auto: 256)"},
    {OPT_TILE, "--tile", "N", "numbers that one loop leaves to the next at a time (auto: 16384)"},
    {OPT_JAM, "--jam", "N",
     "neighbouring instances that one loop computes at once, 1 to 4 (auto: 2)"},
    {OPT_KEEP, "--keep", "auto|all|small",
     "what training computes early and needs late: kept, or computed again (auto: by size)"},
    {OPT_LANES, "--lanes", "auto|off",
     "what is computed once for all draws fills vectors with the instances of a plate (auto), or "
     "runs one instance at a time"},
    {OPT_SHARED, "--shared", NULL, "a shared library and its header instead of a program"},
    {OPT_EMIT, "--emit", "FORM", "print a stage instead of compiling (forms below)"},
    {OPT_RUN, "--run", "PASS", "run one pass on a file of tensor IR and print the result"},
    {OPT_DUMP_AFTER, "--dump-after", "PASS",
     "print what a pass leaves, to stderr; may be repeated"},
    {OPT_TIME_PASSES, "--time-passes", NULL, "how long each pass took, to stderr"},
    {OPT_EXPLAIN, "--explain", "CODE", "the long form of an error, as E0201; `all` lists them"},
    {OPT_EXPLAIN_OPS, "--explain-ops", NULL, "the operations of the tensor IR"},
    {OPT_EXPLAIN_LIBRARY, "--explain-library", NULL,
     "the distributions, links and functions there are"},
    {OPT_COLOR, "--color", "auto|always|never", "colours in messages"},
    {OPT_VERSION, "--version", NULL, "the version"},
    {OPT_HELP_MAN, "--help-man", "adavic|model|init",
     "the manual page of adavic, of compiled programs, or of `adavic init`, in man(7) form"},
    {OPT_HELP, "--help", NULL, "this text"},
};
enum { N_OPTIONS = sizeof option_info / sizeof *option_info };

__attribute__((format(printf, 1, 2))) static int usage_error(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fprintf(stderr, "adavic: ");
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry `adavic --help`.\n");
    return STATUS_USAGE;
}

/* ---- texts ---- */

static const char example[] = "$ cat coin.hbm\n"
                              "latent mu ~ normal(0, 1);\n"
                              "plate group(3) {\n"
                              "  latent mu_g ~ normal(mu, 0.5);\n"
                              "  plate obs(50) { observed x ~ normal(mu_g, 0.1); }\n"
                              "}\n"
                              "$ adavic coin.hbm -o coin        # analyse, derive the dual, link\n"
                              "$ ./coin train --time 60s        # amortise; writes coin.weights\n"
                              "$ ./coin infer data.csv          # every latent: columns group, x\n";

static const char purpose[] =
    "Compiles a hierarchical Bayesian model to a program that simulates, trains and infers. The "
    "result is the program OUT; what is wrong with a model is said on stderr, and then nothing is "
    "written. `-` as the model reads it from standard input.";

/* What the tables say: options, forms, passes. `indent`: of their texts, on a terminal. */
static void describe(Manual *m) {
    enum { INDENT = 30, SHORT = 16 };
    char term[64], line[400];
    manual_heading(m, "options");
    for (int i = 0; i < N_OPTIONS; i++) {
        const OptionInfo *o = &option_info[i];
        const char *between = !o->argument ? "" : o->name[1] != '-' ? " " : "=";
        snprintf(term, sizeof term, "%s%s%s", o->name, between, o->argument ? o->argument : "");
        manual_item(m, INDENT, term, o->help);
    }
    manual_heading(m, "families");
    for (int i = 0; i < family_count; i++)
        manual_item(m, SHORT, family_info[i].name, family_info[i].help);
    manual_heading(m, "flows");
    for (int i = 1; i < flow_count; i++)
        manual_item(m, SHORT, flow_info[i].name, flow_info[i].help);
    manual_heading(m, "objectives");
    for (int i = 0; i < rt_objective_count; i++)
        manual_item(m, SHORT + 4, rt_objectives[i].name,
                    rt_objective_text(&rt_objectives[i], line, sizeof line));
    manual_heading(m, "forms of --emit");
    for (const Emission *e = driver_emissions; e->name; e++)
        manual_item(m, SHORT, e->name, e->help);
    manual_heading(m, "passes, in order (--dump-after; those marked * also --run)");
    for (int i = 0; i < driver_pass_count; i++) {
        const PassInfo *pass = &driver_passes[i];
        snprintf(term, sizeof term, "%-10s%s", pass->name, pass->on_ir ? "*" : "");
        manual_item(m, SHORT, m->width || pass->on_ir ? term : pass->name, pass->why);
    }
    manual_heading(m, "exit status");
    manual_item(m, SHORT, "0", "done");
    manual_item(m, SHORT, "1", "errors in the model; nothing is written");
    manual_item(m, SHORT, "2", "wrong use of the command");
    manual_item(m, SHORT, "70", "a fault of adavic, which says where");
}

static void print_help(void) {
    Manual m = manual_terminal(stdout);
    printf(
        "usage: adavic [options] MODEL.hbm\n       adavic init DATA.csv 'FORMULA' [options]\n\n");
    manual_paragraph(&m, purpose);
    manual_heading(&m, "example");
    manual_code(&m, example);
    describe(&m);
    manual_heading(&m, "more");
    manual_paragraph(&m, "`./coin --help` explains what the compiled program does; `adavic "
                         "--explain E0201` explains an error. `adavic init --help`: how to start "
                         "from a data file and a formula.");
}

static void print_page(void) {
    Manual m = manual_page(stdout, "adavic", ADAVIC_VERSION, ADAVIC_DATE,
                           "compile hierarchical Bayesian models");
    manual_heading(&m, "synopsis");
    manual_paragraph(&m, "`adavic` [options] MODEL.hbm [`-o` OUT]");
    manual_paragraph(&m, "`adavic init` DATA.csv 'FORMULA' [options]");
    manual_heading(&m, "description");
    manual_paragraph(&m, purpose);
    describe(&m);
    manual_heading(&m, "files");
    manual_item(&m, 0, "MODEL.hbm", "A model, as docs/language.md describes it.");
    manual_item(&m, 0, "OUT",
                "The program, adavic-model(1); with `--shared` a library and, beside "
                "it, its header: libcoin.so, libcoin.h.");
    manual_heading(&m, "environment");
    manual_item(&m, 0, "NO_COLOR", "If set, no colours in messages.");
    manual_item(&m, 0, "TMPDIR", "Where adavic puts what it hands to the linker (default /tmp).");
    manual_heading(&m, "examples");
    manual_code(&m, example);
    manual_paragraph(&m, "What adavic knows of a model, and one of its programs:");
    manual_code(&m, "adavic --emit=analysis model.hbm\nadavic --emit=ir:step model.hbm");
    manual_heading(&m, "see also");
    manual_paragraph(&m, "`adavic-model`(1): the commands of a compiled program; "
                         "`adavic-init`(1): a model from a data file and a formula");
}

static void print_manual_page(const char *which) {
    if (!strcmp(which, "adavic"))
        print_page();
    else if (!strcmp(which, "init"))
        init_page(ADAVIC_VERSION, ADAVIC_DATE);
    else
        rt_help_page(stdout, ADAVIC_VERSION, ADAVIC_DATE);
}

/* docs/errors.md */
static void explain_all(void) {
    static const struct {
        const char *code, *severity, *format, *text;
    } all[] = {
#define DIAG(NAME, code, severity, format, text) {#code, #severity, format, text},
#include "base/diags.def"
#undef DIAG
    };
    printf("# Messages of adavic\n\nWritten by `make docs` from compiler/base/diags.def.\n");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        printf("\n## %s%s\n\n`%s`\n\n%s\n", all[i].code,
               strcmp(all[i].severity, "WARNING") ? "" : " (warning)", all[i].format, all[i].text);
}

static int explain(const char *code) {
    if (!strcmp(code, "all")) {
        explain_all();
        return 0;
    }
    const char *nearest = NULL;
    const char *text = diag_explain(code, &nearest);
    if (!text && nearest)
        return usage_error("there is no message %s; did you mean %s?", code, nearest);
    if (!text) return usage_error("there is no message %s; `--explain all` lists them", code);
    printf("%s\n", text);
    return 0;
}

static const char *counts_text(const IrOpInfo *op) {
    if (op->rule == RULE_CONTRACT) return "2 a term";
    if (op->rule == RULE_REDUCE) return "1 a term";
    return op->cost == COST_FLOP ? "1" : op->cost == COST_FUNCTION ? "a function" : "0";
}

/* docs/ir-ops.md */
static void explain_ops(void) {
    static const char *const rules[] = {
        [RULE_LEAF] = "as declared",
        [RULE_POINT] = "union of the operands'",
        [RULE_REDUCE] = "the operand's, less those summed",
        [RULE_CONTRACT] = "union, less those summed",
        [RULE_RENAME] = "one replaced by another of equal extent",
        [RULE_PICK] = "less one",
        [RULE_PLACE] = "one more",
        [RULE_SLICE] = "one replaced by a shorter one",
        [RULE_PAD] = "one replaced by a longer one",
        [RULE_SPREAD] = "those declared, too",
        [RULE_RANDOM] = "as declared",
    };
    printf("# Operations of the tensor IR\n\nWritten by `make docs` from compiler/ir/ops.def.\n\n"
           "An element counts as so many floating-point operations (compiler/opt/count.h).\n\n"
           "| operation | operands | axes of the result | counts | meaning |\n"
           "| --- | --- | --- | --- | --- |\n");
    for (int i = 0; i < OP_COUNT; i++)
        printf("| `%s` | %d | %s | %s | %s |\n", ir_op_info[i].text, ir_op_info[i].arity,
               rules[ir_op_info[i].rule], counts_text(ir_op_info + i), ir_op_info[i].doc);
}

/* docs/distributions.md */
static void explain_library(Arena *arena) {
    Text text;
    text_init(&text, arena);
    front_print_library(&text);
    fputs(text.data, stdout);
}

/* ---- reading options ---- */

/* Is `value` one of "a|b|c"? */
static bool one_of(const char *value, const char *choices) {
    size_t n = strlen(value);
    for (const char *at = choices;; at++) {
        size_t length = strcspn(at, "|");
        if (length == n && !strncmp(at, value, n)) return true;
        at += length;
        if (!*at) return false;
    }
}

/* A status: 0, or usage where `value` is none of "a|b|c". */
static int check_choice(const OptionInfo *o, const char *value) {
    bool free = o->id == OPT_BLAS; /* a word or a number */
    if (!o->argument || !strchr(o->argument, '|') || free || one_of(value, o->argument)) return 0;
    return usage_error("%s=%s: expected %s", o->name, value, o->argument);
}

static int read_define(Arena *arena, Options *options, const char *text) {
    const char *equals = strchr(text, '=');
    if (!equals || equals == text) return usage_error("-D %s: expected NAME=N, as in -D D=3", text);
    char *end;
    long long value = strtoll(equals + 1, &end, 10);
    if (end == equals + 1 || *end) return usage_error("-D %s: %s is no integer", text, equals + 1);
    Define define = {arena_strndup(arena, text, (size_t)(equals - text)), value};
    vec_push(arena, &options->defines, define);
    return 0;
}

static int read_count(const char *option, const char *text, const char *expected, int64_t *out) {
    char *end;
    long long n = strtoll(text, &end, 10);
    if (end == text || *end || n < 1)
        return usage_error("%s=%s: expected %s of at least 1", option, text, expected);
    *out = n;
    return 0;
}

static int read_blas(Options *options, const char *text) {
    options->blas = strcmp(text, "off") ? BLAS_AUTO : 0;
    if (!strcmp(text, "auto") || !strcmp(text, "off")) return 0;
    return read_count("--blas", text, "auto, off, or a number", &options->blas);
}

static int read_family(Family *family, const char *name) {
    char names[200] = "";
    if (family_named(name, family)) return 0;
    for (int i = 0, n = 0; i < family_count && n < (int)sizeof names; i++)
        n += snprintf(names + n, sizeof names - (size_t)n, "%s%s", i ? ", " : "",
                      family_info[i].name);
    return usage_error("--family=%s: expected %s", name, names);
}

static int read_flow(FlowKind *flow, const char *name) {
    char names[200] = "";
    *flow = flow_named(name);
    if (*flow) return 0;
    for (int i = 1, n = 0; i < flow_count && n < (int)sizeof names; i++)
        n += snprintf(names + n, sizeof names - (size_t)n, "%s%s", i > 1 ? ", " : "",
                      flow_info[i].name);
    return usage_error("--flow=%s: expected %s", name, names);
}

static int read_objective(Options *options, const char *text) {
    RtSchedule unused;
    char why[400];
    options->objective = text;
    if (rt_schedule_parse(text, &unused, why, sizeof why)) return 0;
    return usage_error("--objective=%s: %s", text, why);
}

static int read_tile(Options *options, const char *text) {
    return read_count("--tile", text, "a number", &options->tile);
}

static int read_jam(Options *options, const char *text) {
    if (read_count("--jam", text, "a number", &options->jam)) return 2;
    if (options->jam <= MAX_COPIES) return 0;
    return usage_error("--jam=%s: expected at most %d", text, MAX_COPIES);
}

/* One of the words in the table of options. */
static int read_keep(Options *options, const char *text) {
    options->keep = !strcmp(text, "all")     ? KEEP_ALL
                    : !strcmp(text, "small") ? KEEP_SMALL
                                             : KEEP_BY_SIZE;
    return 0;
}

static int read_emit(Arena *arena, Options *options, const char *form) {
    const char *names[32];
    int n = 0;
    char *base = arena_strndup(arena, form, strcspn(form, ":"));
    options->emit = form;
    for (const Emission *e = driver_emissions; e->name; e++) {
        if (!strcmp(e->name, base)) return 0;
        names[n++] = e->name;
    }
    const char *near = nearest_name(base, names, n);
    if (near) return usage_error("--emit=%s: no such form; did you mean %s?", form, near);
    return usage_error("--emit=%s: no such form", form);
}

/* A row of passes.def by name; `on_ir`: one that --run can run. */
static int check_pass(const char *option, const char *name, bool on_ir) {
    const char *names[32];
    int n = 0;
    for (int i = 0; i < driver_pass_count; i++) {
        if (on_ir && !driver_passes[i].on_ir) continue;
        if (!strcmp(driver_passes[i].name, name)) return 0;
        names[n++] = driver_passes[i].name;
    }
    const char *near = nearest_name(name, names, n);
    if (near) return usage_error("%s=%s: no such pass; did you mean %s?", option, name, near);
    return usage_error("%s=%s: no such pass", option, name);
}

/* NAME of --color, decided. */
static bool use_color(const char *when) {
    const char *no_color = getenv("NO_COLOR");
    if (!strcmp(when, "auto")) return isatty(STDERR_FILENO) && !(no_color && *no_color);
    return !strcmp(when, "always");
}

/* Applies one option that takes part in a compilation; a status, 0 where it was right. */
static int apply(Arena *arena, Options *options, const OptionInfo *o, const char *value) {
    switch (o->id) {
    case OPT_OUTPUT:
        options->output = value;
        return 0;
    case OPT_DEFINE:
        return read_define(arena, options, value);
    case OPT_IMPORT_DIR:
        vec_push(arena, &options->import_dirs, value);
        return 0;
    case OPT_FAMILY:
        return read_family(&options->dual.family, value);
    case OPT_FLOW:
        return read_flow(&options->flow, value);
    case OPT_PAPER:
        options->dual = (DualOptions){FAMILY_ADAVI, true, true};
        return 0;
    case OPT_NO_EXACT:
        options->dual.no_exact = true;
        return 0;
    case OPT_OBJECTIVE:
        return read_objective(options, value);
    case OPT_PRECISION:
        options->f64 = !strcmp(value, "f64");
        return 0;
    case OPT_TARGET:
        options->target.cpu = value;
        if (target_named(value)) return 0;
        return usage_error("--target=%s: expected host, x86-64, x86-64-v2, x86-64-v3 or x86-64-v4",
                           value);
    case OPT_BLAS:
        return read_blas(options, value);
    case OPT_TILE:
        return read_tile(options, value);
    case OPT_JAM:
        return read_jam(options, value);
    case OPT_KEEP:
        return read_keep(options, value);
    case OPT_LANES:
        options->no_plate_lanes = !strcmp(value, "off");
        return 0;
    case OPT_SHARED:
        options->target.shared = true;
        return 0;
    case OPT_EMIT:
        return read_emit(arena, options, value);
    case OPT_RUN:
        options->run = value;
        return check_pass("--run", value, true);
    case OPT_DUMP_AFTER:
        vec_push(arena, &options->dump_after, value);
        return check_pass("--dump-after", value, false);
    case OPT_TIME_PASSES:
        options->time_passes = true;
        return 0;
    case OPT_COLOR:
        options->color = use_color(value);
        return 0;
    default: /* those that print and end: see print_and_end */
        return 0;
    }
}

/* Options that print a text instead of compiling; -1 for the others. */
static int print_and_end(Arena *arena, OptionId id, const char *value) {
    switch (id) {
    case OPT_HELP:
        print_help();
        return 0;
    case OPT_HELP_MAN:
        print_manual_page(value);
        return 0;
    case OPT_VERSION:
        printf("adavic %s\n", ADAVIC_VERSION);
        return 0;
    case OPT_EXPLAIN:
        return explain(value);
    case OPT_EXPLAIN_OPS:
        explain_ops();
        return 0;
    case OPT_EXPLAIN_LIBRARY:
        explain_library(arena);
        return 0;
    default:
        return -1;
    }
}

static int check_options(const Options *options) {
    if (!options->input) return usage_error("no model given; as in: adavic model.hbm -o model");
    bool to_file = !options->run && (!options->emit || !strcmp(options->emit, "obj"));
    if (!strcmp(options->input, "-") && to_file && !options->output)
        return usage_error("a model from standard input needs -o OUT");
    if (options->dual.paper && options->dual.family != FAMILY_ADAVI)
        return usage_error("--paper is of the family adavi; no other --family goes with it");
    if (options->run && options->emit) return usage_error("--run and --emit exclude each other");
    return 0;
}

/* Reads all words; -1 to go on, else the exit status. */
static int read_options(Arena *arena, Options *options, int argc, char **argv) {
    OptionWords words = {.table = option_info, .n_table = N_OPTIONS, .argc = argc, .argv = argv};
    const OptionInfo *o;
    const char *value;
    for (WordKind kind; (kind = options_next(&words, &o, &value)) != WORD_END;) {
        if (kind == WORD_WRONG) return usage_error("%s", words.why);
        if (kind == WORD_NAME && options->input)
            return usage_error("one model at a time: %s and %s", options->input, value);
        if (kind == WORD_NAME) {
            options->input = value;
            continue;
        }
        int status = check_choice(o, value);
        if (status) return status;
        status = print_and_end(arena, (OptionId)o->id, value);
        if (status >= 0) return status;
        status = apply(arena, options, o, value);
        if (status) return status;
    }
    int status = check_options(options);
    return status ? status : -1;
}

int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "init")) return init_main(argc - 1, argv + 1);
    Arena *arena = arena_new();
    Options options = {.target = {.cpu = "host"}, .blas = BLAS_AUTO, .color = use_color("auto")};
    int status = read_options(arena, &options, argc, argv);
    if (status < 0)
        status = options.run ? driver_run_pass(arena, &options) : driver_compile(arena, &options);
    arena_free(arena);
    return status;
}
