/* cli.c -- the command line: COMMAND [DATA] [options], GNU style; `key=value` is `--key value`. */
#include "runtime/cli.h"

#include "runtime/session.h"
#include "runtime/target.h"

#include <math.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

enum { TRAIN = 1, INFER = 2, ELBO = 4, SIMULATE = 8, INFO = 16, CHECK = 32 };
typedef enum { COUNT, SEED, TIME, RATE, TEXT, FLAG, LIST } Kind;

typedef struct Option {
    const char *name;
    char letter;
    Kind kind;
    size_t field;
    const char *argument;
    int commands;
    const char *text;
} Option;

static const Option options[] = {
#define OPTION(name, letter, kind, field, argument, commands, text) \
    {name, letter, kind, offsetof(RtOptions, field), argument, commands, text},
#include "runtime/options.def"
#undef OPTION
};
enum { N_OPTIONS = sizeof options / sizeof *options };

static const struct Command {
    const char *name;
    int bit;
    bool data;
    int (*run)(RtSession *s);
    const char *summary, *text;
    const char *example; /* after the program's name */
} commands[] = {
    {"train", TRAIN, false, rt_command_train,
     "learn to infer, from simulated data; writes the weights",
     "Simulates data sets from the model, trains the inference network on them, checks it on a "
     "fixed\n"
     "validation set and saves the weights. --steps N or --time T says how long; without them "
     "training ends\n"
     "when the validation ELBO has settled, after 10 minutes at most. Interrupting (Ctrl-C) saves, "
     "too.\n"
     "Where the model declares a range of plate sizes, each 16 data sets have sizes of their own; "
     "--size\n"
     "trains for one size instead.",
     "train --time 60s --size group=30"},
    {"infer", INFER, true, rt_command_infer, "the posterior of every latent, given data",
     "DATA is a .csv (a row per observation, a key column per plate), .npz or .npy (arrays by "
     "name) or .bin\n"
     "(float32) file. Prints mean, sd and quantiles; --out keeps the draws with log_q, log_prior "
     "and\n"
     "log_likelihood. k-hat says how far the answer can be trusted.",
     "infer data.csv --draws 4000 --out draws.npz"},
    {"elbo", ELBO, true, rt_command_elbo, "ELBO and evidence of data sets, with k-hat",
     "The evidence lower bound, the importance-weighted evidence, their standard error, the "
     "effective number\n"
     "of draws and k-hat, per data set.",
     "elbo sets.npz --draws 1000 --json"},
    {"simulate", SIMULATE, false, rt_command_simulate, "data sets from the prior",
     "Draws latents from the prior and data given them. A .npz file holds both, a .bin file the "
     "data only.\n"
     "Without --out, quantiles of every variable are printed.",
     "simulate --count 100 --out sets.npz"},
    {"check", CHECK, false, rt_command_check, "is the trained model any good?",
     "Simulates data sets with their latents, infers each, and looks up the truth in the "
     "answers. Per latent\n"
     "(all its instances together): the histogram of the truth's rank among the draws, flat if the "
     "posterior\n"
     "is right; how often 90 % intervals hold the truth; mean and rms of (truth - mean) / sd, 0 "
     "and "
     "1 if\n"
     "right; contraction, 1 - posterior variance / prior variance. Then the compiled gradient, and "
     "importance\n"
     "weights. Exit status 3 if anything is bad.",
     "check --count 4000"},
    {"info", INFO, false, rt_command_info, "what this program is and how it was trained",
     "The model's plates and variables, the size of the network, the analysis that it was derived "
     "from, and\n"
     "where the weights come from.",
     "info --json"},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };
typedef struct Command Command;

typedef struct Cli {
    const char *program;
    const Command *command;
    RtOptions *o;
} Cli;

/* ---- help ---- */

static void print_commands(const char *program, FILE *f) {
    fprintf(f, "usage: %s COMMAND [options]\n\n", program);
    for (int i = 0; i < N_COMMANDS; i++)
        fprintf(f, "  %-8s %-5s %s\n", commands[i].name, commands[i].data ? "DATA" : "",
                commands[i].summary);
    fprintf(f,
            "\n  %s COMMAND --help    explains a command\n  %s --version\n\nexample:\n  %s train "
            "&& %s infer data.csv\n",
            program, program, program, program);
}

static void print_help(const Cli *c) {
    printf("usage: %s %s%s [options]\n\n%s\n\noptions:\n", c->program, c->command->name,
           c->command->data ? " DATA" : "", c->command->text);
    for (int i = 0; i < N_OPTIONS; i++) {
        const Option *o = &options[i];
        char left[64];
        if (!(o->commands & c->command->bit)) continue;
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->argument ? " " : "",
                 o->argument ? o->argument : "");
        if (o->letter)
            printf("  -%c, %-22s %s\n", o->letter, left, o->text);
        else
            printf("      %-22s %s\n", left, o->text);
    }
    printf("      %-22s %s\n\nexample:\n  %s %s\n", "--help", "this text", c->program,
           c->command->example);
}

static void print_version(void) {
    RtError error;
    RtMem *mem = rt_mem_new();
    const RtModel *m = rt_model_new(mem, adavic_manifest, &error);
    const char *version = m ? rt_text(m, "version") : NULL;
    if (m)
        printf("%s, compiled by adavic%s%s (source hash %s, family %s, %s)\n", m->name,
               version ? " " : "", version ? version : "", m->hash, m->family,
               m->f64 ? "float64" : "float32");
    rt_mem_free(mem);
}

/* ---- parsing ---- */

static const Option *find_option(const char *name, size_t n, char letter) {
    for (int i = 0; i < N_OPTIONS; i++)
        if (letter ? options[i].letter == letter
                   : strlen(options[i].name) == n && !strncmp(options[i].name, name, n))
            return &options[i];
    return NULL;
}

static bool unknown_option(const Cli *c, const char *text, size_t n) {
    const char *names[N_OPTIONS] = {0};
    int known = 0;
    char name[64];
    for (int i = 0; i < N_OPTIONS; i++)
        if (options[i].commands & c->command->bit) names[known++] = options[i].name;
    snprintf(name, sizeof name, "%.*s", (int)n, text);
    const char *near = rt_nearest(name, names, known);
    fprintf(stderr, "error: %s has no option --%s\n", c->command->name, name);
    const Option *other = find_option(text, n, 0);
    for (int i = 0; other && i < N_COMMANDS; i++)
        if (other->commands & commands[i].bit) fprintf(stderr, "  %s has it\n", commands[i].name);
    if (near && !other) fprintf(stderr, "  did you mean --%s?\n", near);
    fprintf(stderr, "  %s %s --help lists all\n", c->program, c->command->name);
    return false;
}

static bool bad_value(const Option *o, const char *value, const char *expected) {
    fprintf(stderr, "error: --%s %s\n  expected  %s\n", o->name, value, expected);
    return false;
}

/* "90", "90s", "1.5m", "1h". */
static bool parse_time(const char *text, double *seconds) {
    size_t n = strlen(text);
    double unit = 1;
    if (n && strchr("smh", text[n - 1])) {
        unit = text[n - 1] == 'h' ? 3600 : text[n - 1] == 'm' ? 60 : 1;
        n--;
    }
    if (!rt_parse_number(text, n, seconds)) return false;
    *seconds *= unit;
    return *seconds > 0 && *seconds <= 1e7;
}

static bool add_to_list(RtOptions *r, const Option *o, const char *value) {
    bool size = o->field == offsetof(RtOptions, size);
    int *n = size ? &r->n_size : &r->n_set;
    if (*n == RT_MAX_SETTINGS) return bad_value(o, value, "fewer of them");
    (size ? r->size : r->set)[(*n)++] = value;
    return true;
}

static bool store(RtOptions *r, const Option *o, const char *value) {
    char *field = (char *)r + o->field;
    int64_t n;
    switch (o->kind) {
    case COUNT:
        if (!rt_parse_int(value, &n) || n < 1 || n > (o->letter == 'j' ? 1024 : 1000000000))
            return bad_value(o, value, "an integer from 1 on");
        memcpy(field, &n, sizeof n);
        return true;
    case SEED:
        if (!rt_parse_int(value, &n) || n < 0 || n > UINT32_MAX)
            return bad_value(o, value, "an integer from 0 to 4294967295");
        memcpy(field, &n, sizeof n);
        return true;
    case TIME:
        return parse_time(value, (double *)field) ||
               bad_value(o, value, "a time such as 60s, 5m or 1h");
    case RATE:
        if (!rt_parse_number(value, strlen(value), (double *)field) || !(*(double *)field > 0) ||
            *(double *)field > 10)
            return bad_value(o, value, "a number above 0, such as 1e-3");
        return true;
    case TEXT:
        memcpy(field, &value, sizeof value);
        return true;
    case FLAG:
        *(bool *)field = true;
        return true;
    case LIST:
        return add_to_list(r, o, value);
    }
    return false;
}

/* One argument, and the next where it is an option's. *i moves over what was used. */
static bool parse_option(Cli *c, int argc, char **argv, int *i, const char *name, size_t n,
                         const char *value) {
    const Option *o = find_option(name, n, 0);
    if (!o || !(o->commands & c->command->bit)) return unknown_option(c, name, n);
    if (o->kind == FLAG) {
        if (value) return bad_value(o, value, "nothing: it is on or absent");
        return store(c->o, o, "");
    }
    if (!value) {
        if (*i + 1 == argc) {
            fprintf(stderr, "error: --%s needs %s\n", o->name, o->argument);
            return false;
        }
        value = argv[++*i];
    }
    return store(c->o, o, value);
}

static bool parse_letter(Cli *c, int argc, char **argv, int *i) {
    const Option *o = find_option("", 0, argv[*i][1]);
    const char *value = o && argv[*i][2] ? argv[*i] + 2 : NULL; /* -j4 */
    if (!o) return unknown_option(c, argv[*i] + 1, strlen(argv[*i] + 1));
    return parse_option(c, argc, argv, i, o->name, strlen(o->name), value);
}

static bool parse_data(Cli *c, const char *argument) {
    if (!c->command->data)
        fprintf(stderr, "error: %s takes no file: %s\n", c->command->name, argument);
    else if (c->o->data)
        fprintf(stderr, "error: one data file at a time: %s and %s\n", c->o->data, argument);
    else {
        c->o->data = argument;
        return true;
    }
    return false;
}

/* True if the arguments are sound; *help if they ask for help. */
static bool parse(Cli *c, int argc, char **argv, bool *help) {
    bool options_end = false;
    for (int i = 2; i < argc; i++) {
        const char *a = argv[i], *equals = strchr(a, '=');
        size_t n = equals ? (size_t)(equals - a) : strlen(a);
        if (options_end || !strcmp(a, "-")) {
            if (!parse_data(c, a)) return false;
        } else if (!strcmp(a, "--help") || !strcmp(a, "-h")) {
            *help = true;
            return true;
        } else if (!strcmp(a, "--")) {
            options_end = true;
        } else if (!strncmp(a, "--", 2)) {
            if (!parse_option(c, argc, argv, &i, a + 2, n - 2, equals ? equals + 1 : NULL))
                return false;
        } else if (a[0] == '-') {
            if (!parse_letter(c, argc, argv, &i)) return false;
        } else if (equals && (find_option(a, n, 0) || access(a, F_OK))) {
            if (!parse_option(c, argc, argv, &i, a, n, equals + 1)) return false;
        } else if (!parse_data(c, a)) {
            return false;
        }
    }
    if (!c->command->data || c->o->data) return true;
    fprintf(stderr, "error: %s needs a data file\n  %s %s\n", c->command->name, c->program,
            c->command->example);
    return false;
}

static const Command *find_command(const char *program, const char *name) {
    const char *names[N_COMMANDS] = {0};
    for (int i = 0; i < N_COMMANDS; i++) {
        if (!strcmp(commands[i].name, name)) return &commands[i];
        names[i] = commands[i].name;
    }
    const char *near = rt_nearest(name, names, N_COMMANDS);
    fprintf(stderr, "error: no command %s\n", name);
    if (near) fprintf(stderr, "  did you mean %s?\n", near);
    fprintf(stderr, "  %s --help lists the commands\n", program);
    return NULL;
}

/* ---- running ---- */

static int cores(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set)) return 1;
    int n = CPU_COUNT(&set);
    return n < 1 ? 1 : n;
}

/* argv[0] where it is a path; where the shell found the program by name, the path it found. */
static const char *program_path(RtMem *mem, const char *argv0) {
    char path[4096];
    if (strchr(argv0, '/')) return argv0;
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    return n > 0 ? rt_copy_text(mem, path, (size_t)n) : argv0;
}

/* Else the first vector instruction that is missing would end the program without a word. */
static bool can_run(const RtModel *m, RtError *error) {
    int needed = av_target_level(m->target), there = av_machine_level();
    if (needed <= there) return true;
    char here[32];
    snprintf(here, sizeof here, there > 1 ? "x86-64-v%d" : "x86-64", there);
    return rt_error(error,
                    "this program is compiled for processors of level %s, and this one is %s; "
                    "compile the model on this machine, or with --target=%s",
                    m->target, here, here);
}

static int run(const Command *command, RtOptions *o, const char *argv0) {
    RtError error;
    RtMem *mem = rt_mem_new();
    double started = rt_seconds();
    int status = 1;
    o->program = program_path(mem, argv0);
    rt_flush_denormals();
    const RtModel *m = rt_model_new(mem, adavic_manifest, &error);
    if (m && !can_run(m, &error)) m = NULL;
    RtState *state = m ? rt_state_new(mem, m) : NULL;
    if (!m) {
        rt_complain(&error);
    } else if (!rt_state_fix_sizes(m, o, state, &error) ||
               !rt_state_apply_hypers(m, o, state->hypers, &error)) {
        rt_complain(&error);
        status = 2;
    } else {
        RtSession s = {.mem = mem,
                       .model = m,
                       .pool = rt_pool_new(mem, o->threads > 0 ? (int)o->threads : cores()),
                       .options = o,
                       .state = state,
                       .seed = o->seed >= 0 ? (uint32_t)o->seed : 1,
                       .started = started};
        status = command->run(&s);
        rt_pool_free(s.pool);
    }
    rt_mem_free(mem);
    if (fflush(stdout) && !status) {
        fprintf(stderr, "error: cannot write the results: the output is closed or full\n");
        status = 1;
    }
    return status;
}

int rt_main(int argc, char **argv) {
    RtOptions o = {.steps = -1,
                   .sets = -1,
                   .draws = -1,
                   .threads = -1,
                   .count = -1,
                   .seed = -1,
                   .seconds = -1,
                   .learning_rate = -1};
    const char *program = argc > 0 ? argv[0] : "model";
    if (argc < 2) {
        print_commands(program, stderr);
        return 2;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
        (!strcmp(argv[1], "help") && argc == 2)) {
        print_commands(program, stdout);
        return 0;
    }
    if (!strcmp(argv[1], "--version")) {
        print_version();
        return 0;
    }
    bool help = !strcmp(argv[1], "help");
    Cli c = {.program = program, .command = find_command(program, argv[help ? 2 : 1]), .o = &o};
    if (!c.command || (!help && !parse(&c, argc, argv, &help))) return 2;
    if (help) {
        print_help(&c);
        return 0;
    }
    return run(c.command, &o, program);
}
