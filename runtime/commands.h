/* commands.h -- what the tables commands.def and options.def say, and help written from them.
 * Private to cli.c and help.c, but for rt_help_page, which adavic calls: it needs no compiled
 * model. */
#ifndef ADAVIC_COMMANDS_H
#define ADAVIC_COMMANDS_H

#include <stdbool.h>
#include <stdio.h>

enum {
#define COMMAND(BIT, ...) NUMBER_OF_##BIT,
#include "runtime/commands.def"
#undef COMMAND
    N_COMMANDS
};

/* options.def names commands by these. */
enum {
#define COMMAND(BIT, ...) BIT = 1 << NUMBER_OF_##BIT,
#include "runtime/commands.def"
#undef COMMAND
};

typedef struct CommandText {
    const char *name;
    int bit;
    bool data; /* takes a file */
    const char *summary, *text, *result, *examples;
} CommandText;
extern const CommandText rt_commands[N_COMMANDS];

/* `program` as the user called it. */
void rt_help(FILE *f, const char *program);
void rt_help_command(FILE *f, const char *program, const CommandText *command);
/* The manual page adavic-model(1), the same for all programs. */
void rt_help_page(FILE *f, const char *version, const char *date);

#endif
