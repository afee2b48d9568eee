/* options.c -- reading the words of a command line. See options.h. */
#include "base/options.h"

#include "base/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MOST_OPTIONS = 64 };

__attribute__((format(printf, 2, 3))) static WordKind wrong(OptionWords *w, const char *format,
                                                            ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(w->why, sizeof w->why, format, args);
    va_end(args);
    return WORD_WRONG;
}

static WordKind unknown(OptionWords *w, const char *word) {
    const char *names[MOST_OPTIONS];
    char given[100];
    int n = w->n_table < MOST_OPTIONS ? w->n_table : MOST_OPTIONS;
    for (int i = 0; i < n; i++) names[i] = w->table[i].name;
    snprintf(given, sizeof given, "%.*s", (int)strcspn(word, "="), word);
    const char *near = nearest_name(given, names, n);
    return wrong(w, "unknown option %s%s%s%s", given, near ? "; did you mean " : "",
                 near ? near : "", near ? "?" : "");
}

WordKind options_next(OptionWords *w, const OptionInfo **option, const char **value) {
    if (++w->at >= w->argc) return WORD_END;
    const char *word = *value = w->argv[w->at];
    if (w->only_names || word[0] != '-' || !word[1]) return WORD_NAME;
    if (!strcmp(word, "--")) {
        w->only_names = true;
        return options_next(w, option, value);
    }
    size_t n = word[1] == '-' ? strcspn(word, "=") : 2;
    for (int i = 0; i < w->n_table; i++) {
        const OptionInfo *o = *option = &w->table[i];
        if (strlen(o->name) != n || strncmp(o->name, word, n)) continue;
        *value = word[n] ? word + n + (word[n] == '=') : NULL;
        if (!o->argument && *value) return wrong(w, "%s takes no value", o->name);
        if (o->argument && !*value) *value = ++w->at < w->argc ? w->argv[w->at] : NULL;
        if (o->argument && !*value) return wrong(w, "%s needs %s", o->name, o->argument);
        return WORD_OPTION;
    }
    return unknown(w, word);
}
