/* json.h -- just enough of JSON to read what compiled models print: numbers behind keys. */
#ifndef ADAVIC_MEASURE_JSON_H
#define ADAVIC_MEASURE_JSON_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline char *json_read(const char *path, size_t *n) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    size_t room = 1 << 16, used = 0;
    char *text = malloc(room);
    for (size_t got; (got = fread(text + used, 1, room - used - 1, file)) > 0;) {
        used += got;
        if (room - used < 2) text = realloc(text, room *= 2);
    }
    fclose(file);
    text[used] = 0;
    if (n) *n = used;
    return text;
}

/* Where the value of the next `key` in text[0..end) begins, or NULL. */
static inline const char *json_find(const char *text, const char *end, const char *key) {
    size_t n = strlen(key);
    for (const char *at = text; (at = strchr(at, '"')) && (!end || at < end); at++) {
        if (strncmp(at + 1, key, n) || at[n + 1] != '"') continue;
        const char *value = at + n + 2 + strspn(at + n + 2, " \n\t");
        if (*value != ':') continue;
        return value + 1 + strspn(value + 1, " \n\t");
    }
    return NULL;
}

/* The number behind `key` in text[0..end); not a number where there is none. */
static inline double json_number(const char *text, const char *end, const char *key) {
    const char *value = json_find(text, end, key);
    char *rest;
    double x = value ? strtod(value, &rest) : NAN;
    return value && rest != value ? x : NAN;
}

#endif
