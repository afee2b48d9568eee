/* cli.c -- the command line: COMMAND [DATA] [options], GNU style; `key=value` is `--key value`. */
#include "runtime/cli.h"

#include "runtime/commands.h"
#include "runtime/session.h"
#include "runtime/target.h"

#include <math.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

typedef enum { COUNT, SEED, TIME, RATE, TEXT, FLAG, LIST } Kind;

typedef struct Option {
    const char *name;
    char letter;
    Kind kind;
    size_t field;
    const char *argument;
    int commands;
} Option;

static const Option options[] = {
#define OPTION(name, letter, kind, field, argument, commands, text) \
    {name, letter, kind, offsetof(RtOptions, field), argument, commands},
#include "runtime/options.def"
#undef OPTION
};
enum { N_OPTIONS = sizeof options / sizeof *options };

static int (*const runs[N_COMMANDS])(RtSession *s) = {
#define COMMAND(BIT, name, ...) rt_command_##name,
#include "runtime/commands.def"
#undef COMMAND
};

typedef struct Cli {
    const char *program;
    const CommandText *command;
    RtOptions *o;
} Cli;

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

/* Its row for one of `commands`; failing that, for any; NULL if there is none. */
static const Option *find_option(const char *name, size_t n, char letter, int commands) {
    const Option *found = NULL;
    for (int i = 0; i < N_OPTIONS; i++) {
        const Option *o = &options[i];
        if (letter ? o->letter != letter : strlen(o->name) != n || strncmp(o->name, name, n))
            continue;
        if (o->commands & commands) return o;
        if (!found) found = o;
    }
    return found;
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
    const Option *other = NULL;
    for (int i = 0; i < N_COMMANDS; i++) {
        other = find_option(text, n, 0, rt_commands[i].bit);
        if (other && other->commands & rt_commands[i].bit)
            fprintf(stderr, "  %s has it\n", rt_commands[i].name);
    }
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
    const Option *o = find_option(name, n, 0, c->command->bit);
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
    const Option *o = find_option("", 0, argv[*i][1], c->command->bit);
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
        } else if (equals && (find_option(a, n, 0, 0) || access(a, F_OK))) {
            if (!parse_option(c, argc, argv, &i, a, n, equals + 1)) return false;
        } else if (!parse_data(c, a)) {
            return false;
        }
    }
    if (!c->command->data || c->o->data) return true;
    fprintf(stderr, "error: %s needs a data file\n  %s %.*s\n", c->command->name, c->program,
            (int)strcspn(c->command->examples, "\n"), c->command->examples);
    return false;
}

static const CommandText *find_command(const char *program, const char *name) {
    const char *names[N_COMMANDS] = {0};
    for (int i = 0; i < N_COMMANDS; i++) {
        if (!strcmp(rt_commands[i].name, name)) return &rt_commands[i];
        names[i] = rt_commands[i].name;
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

/* What --set may name: hypers are fixed by training, contexts stated afterwards; where both or
 * neither is done, both. */
static RtSettings settings_of(const CommandText *command) {
    if (command->bit == TRAIN) return RT_SETS_HYPERS;
    return command->bit & (SIMULATE | BENCH | FIT | RUN) ? RT_SETS_ALL : RT_SETS_CONTEXTS;
}

static int run(const CommandText *command, RtOptions *o, const char *argv0) {
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
    } else if (!rt_state_fix_sizes(mem, m, o, state, &error) ||
               !rt_settings_apply(m, o, settings_of(command), state, &error)) {
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
        status = runs[command - rt_commands](&s);
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
                   .inner = -1,
                   .rounds = -1,
                   .threads = -1,
                   .count = -1,
                   .seed = -1,
                   .seconds = -1,
                   .learning_rate = -1};
    const char *program = argc > 0 ? argv[0] : "model";
    if (argc < 2) {
        rt_help(stderr, program);
        return 2;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
        (!strcmp(argv[1], "help") && argc == 2)) {
        rt_help(stdout, program);
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
        rt_help_command(stdout, program, c.command);
        return 0;
    }
    return run(c.command, &o, program);
}
