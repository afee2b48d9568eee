/* help.c -- the help of a compiled program, and its manual page, from commands.def and options.def.
 */
#include "runtime/commands.h"
#include "runtime/manual.h"
#include "runtime/objective.h"

#include <ctype.h>
#include <string.h>

const CommandText rt_commands[N_COMMANDS] = {
#define COMMAND(BIT, name, data, summary, text, result, examples) \
    {#name, BIT, data, summary, text, result, examples},
#include "runtime/commands.def"
#undef COMMAND
};

static const struct OptionText {
    const char *name;
    char letter;
    const char *argument; /* NULL: takes none */
    int commands;
    const char *text;
} options[] = {
#define OPTION(name, letter, kind, field, argument, commands, text) \
    {name, letter, argument, commands, text},
#include "runtime/options.def"
#undef OPTION
};
enum { N_OPTIONS = sizeof options / sizeof *options, INDENT = 24 };

static void print_options(Manual *m, const CommandText *command) {
    for (int i = 0; i < N_OPTIONS; i++) {
        const struct OptionText *o = &options[i];
        char letter[8] = "", term[64];
        if (!(o->commands & command->bit)) continue;
        if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
        snprintf(term, sizeof term, "%s--%s%s%s", letter, o->name, o->argument ? " " : "",
                 o->argument ? o->argument : "");
        manual_item(m, INDENT, term, o->text);
    }
    manual_item(m, INDENT, "--help", "this text");
}

static void print_objectives(Manual *m) {
    char line[400];
    manual_heading(m, "objectives");
    for (int i = 0; i < rt_objective_count; i++)
        manual_item(m, INDENT, rt_objectives[i].name,
                    rt_objective_text(&rt_objectives[i], line, sizeof line));
    manual_paragraph(m, "A program has reverse-kl and unregularised, and what it was compiled for: "
                        "`adavic --objective=NAME`.");
}

/* Every line of the commands' examples behind the program's name; of one command, or of all. */
static void print_examples(Manual *m, const char *program, int first, int last) {
    char lines[4096];
    int at = 0;
    for (int i = first; i <= last; i++) {
        for (const char *text = rt_commands[i].examples; *text;) {
            int n = (int)strcspn(text, "\n");
            at += snprintf(lines + at, sizeof lines - (size_t)at, "%s %.*s\n", program, n, text);
            if (at >= (int)sizeof lines) return; /* the program's path is absurdly long */
            text += n + (text[n] == '\n');
        }
    }
    manual_code(m, lines);
}

void rt_help(FILE *f, const char *program) {
    Manual m = manual_terminal(f);
    char line[300];
    fprintf(f, "usage: %s COMMAND [DATA] [options]\n\n", program);
    for (int i = 0; i < N_COMMANDS; i++) {
        snprintf(line, sizeof line, "%-8s %s", rt_commands[i].name,
                 rt_commands[i].data ? "DATA" : "");
        manual_item(&m, 17, line, rt_commands[i].summary);
    }
    manual_heading(&m, "more");
    snprintf(line, sizeof line, "%s COMMAND --help    explains a command\n%s --version", program,
             program);
    manual_code(&m, line);
    manual_heading(&m, "example");
    snprintf(line, sizeof line, "%s train --time 60s\n%s infer data.csv", program, program);
    manual_code(&m, line);
}

void rt_help_command(FILE *f, const char *program, const CommandText *command) {
    Manual m = manual_terminal(f);
    fprintf(f, "usage: %s %s%s [options]\n\n%s: %s\n\n", program, command->name,
            command->data ? " DATA" : "", command->name, command->summary);
    manual_paragraph(&m, command->text);
    manual_heading(&m, "options");
    print_options(&m, command);
    if (command->bit & TRAIN) print_objectives(&m);
    manual_heading(&m, "result");
    manual_paragraph(&m, command->result);
    manual_heading(&m, "examples");
    int i = (int)(command - rt_commands);
    print_examples(&m, program, i, i);
}

static void print_files(Manual *m) {
    manual_heading(m, "files");
    manual_item(
        m, 0, "PROGRAM.weights",
        "What training found, beside the program: weights, the sizes and hypers trained for, "
        "the seed. It fits only a program of the same model; any other is refused. Its bytes "
        "depend on `--steps` and `--seed`, not on the machine's load or the number of "
        "threads.");
    manual_item(
        m, 0, "DATA.csv, DATA.tsv",
        "A header, then a row per instance of the innermost plate. A column per observed "
        "variable and covariate, of its name (`x[0]`, `x[1]` or `x.1`, `x.2` for vectors), "
        "and a key column per plate, of its name or the one that the model states; the "
        "innermost key may be absent. Of plates that cross there is a row per pair, with the keys "
        "of both; a pair without a row is absent, where the model says that some may be. A name is "
        "found in other letters, too (Days for "
        "days), where one column alone fits. A context is a column of one value. "
        "A covariate that is a category is a number, or text: labels are numbered as they "
        "first appear. Keys and labels are carried into the answer. Rows in any order; "
        "groups have as many as they have, where their plate has a range, else all the same "
        "number; an empty cell is missing, where the model says that some may be. Commas, "
        "semicolons or tabs separate; "
        "where semicolons do, decimals may have a comma. Also compressed: DATA.csv.gz.");
    manual_item(m, 0, "DATA.json",
                "One object in cmdstan's convention: arrays by variable name, nested from the "
                "outermost plate to the event; a context is a number. Also DATA.json.gz.");
    manual_item(m, 0, "DATA.npz, DATA.npy",
                "Arrays by variable name, plates outermost to innermost, then the event. One extra "
                "leading axis is several data sets.");
    manual_item(
        m, 0, "DATA.bin",
        "float32 numbers, little-endian, without a header, in the same order, first of what is "
        "observed, then of covariates, as the model declares them; the outermost "
        "plate's size follows from the length.");
}

void rt_help_page(FILE *f, const char *version, const char *date) {
    Manual m = manual_page(f, "adavic-model", version, date,
                           "a hierarchical Bayesian model compiled by adavic");
    manual_heading(&m, "synopsis");
    manual_paragraph(&m, "`./model` COMMAND [DATA] [options]");
    manual_heading(&m, "description");
    manual_paragraph(&m,
                     "A program that adavic has compiled from a model holds the model's simulator "
                     "and log density, a network that learns to infer its latents, and the "
                     "trainer. Train it once; it then gives the posterior for any data set of the "
                     "model in milliseconds. It needs no other file but its weights.");
    manual_paragraph(&m, "`key=value` is the same as `--key value`.");
    manual_heading(&m, "commands");
    for (int i = 0; i < N_COMMANDS; i++) {
        const CommandText *c = &rt_commands[i];
        char title[64], line[200];
        snprintf(title, sizeof title, "%s%s [options]", c->name, c->data ? " DATA" : "");
        manual_subheading(&m, title);
        const char *stop = strchr(c->summary, '?') ? "" : ".";
        snprintf(line, sizeof line, "%c%s%s", toupper((unsigned char)c->summary[0]), c->summary + 1,
                 stop);
        manual_paragraph(&m, line);
        manual_paragraph(&m, c->text);
        manual_paragraph(&m, c->result);
        print_options(&m, c);
    }
    print_objectives(&m);
    print_files(&m);
    manual_heading(&m, "environment");
    manual_item(&m, 0, "NO_COLOR", "If set, no colours on terminals.");
    manual_heading(&m, "exit status");
    manual_item(&m, 0, "0", "Done.");
    manual_item(&m, 0, "1", "Something is wrong with the data, the weights or the system.");
    manual_item(&m, 0, "2", "Wrong use of the command.");
    manual_item(&m, 0, "3", "`check` has found something bad.");
    manual_item(&m, 0, "128 + n", "Ended by signal n; training has saved its weights before.");
    manual_heading(&m, "examples");
    print_examples(&m, "./model", 0, N_COMMANDS - 1);
    manual_heading(&m, "see also");
    manual_paragraph(&m, "`adavic`(1)");
}
