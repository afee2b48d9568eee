/* options.h -- the words of a command line, by a table of options: names, and options in GNU style
 * (--name=value, --name value, -Nvalue, -N value); behind `--` all are names.
 *
 *     OptionWords words = {.table = table, .n_table = n, .argc = argc, .argv = argv};
 *     const OptionInfo *option;
 *     const char *value;
 *     for (WordKind k; (k = options_next(&words, &option, &value)) != WORD_END;) ...
 */
#ifndef ADAVIC_BASE_OPTIONS_H
#define ADAVIC_BASE_OPTIONS_H

#include <stdbool.h>

typedef struct OptionInfo {
    int id;
    const char *name, *argument; /* argument NULL: takes none */
    const char *help;
} OptionInfo;

typedef struct OptionWords {
    const OptionInfo *table;
    int n_table, argc;
    char **argv;
    int at;          /* in argv, the last word that was read; 0 at first: the command */
    bool only_names; /* `--` was read */
    char why[300];
} OptionWords;

typedef enum {
    WORD_END,
    WORD_NAME,   /* *value */
    WORD_OPTION, /* *option; *value: its argument, or NULL where it takes none */
    WORD_WRONG   /* words->why: what is wrong with it */
} WordKind;

WordKind options_next(OptionWords *words, const OptionInfo **option, const char **value);

#endif
