/* base.h -- what every part of the compiler stands on: one arena per compilation, growable
 * vectors and strings in it, source spans.
 *
 * Lifetimes: everything that the compiler builds (AST, Model, IR, loops) is allocated from one
 * Arena and dies with it; nothing is freed on its own. Allocation never returns NULL: out of memory
 * ends the program with a message and exit status 1.
 *
 *     Arena *arena = arena_new();
 *     VEC(int) sizes = {0};
 *     vec_push(arena, &sizes, 3);                 // sizes.data[0] == 3, sizes.n == 1
 *     char *name = arena_printf(arena, "e%d", 8);
 *     arena_free(arena);
 */
#ifndef ADAVIC_BASE_H
#define ADAVIC_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct Arena Arena;

Arena *arena_new(void);
void arena_free(Arena *arena);
/* `bytes` zeroed bytes, aligned to 16. */
void *arena_alloc(Arena *arena, size_t bytes);
char *arena_strdup(Arena *arena, const char *text);
char *arena_strndup(Arena *arena, const char *text, size_t n);
char *arena_printf(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(Arena *arena, const char *format, va_list args);

#define arena_new_of(arena, T) ((T *)arena_alloc((arena), sizeof(T)))
#define arena_array(arena, T, n) ((T *)arena_alloc((arena), sizeof(T) * (size_t)(n)))

/* A growable array whose storage lives in an arena. Old storage is left to the arena. */
#define VEC(T)      \
    struct {        \
        T *data;    \
        int n, cap; \
    }

#define vec_push(arena, v, ...)                                                             \
    do {                                                                                    \
        if ((v)->n == (v)->cap)                                                             \
            (v)->data = vec_grow((arena), (v)->data, (v)->n, &(v)->cap, sizeof *(v)->data); \
        (v)->data[(v)->n++] = (__VA_ARGS__);                                                \
    } while (0)

void *vec_grow(Arena *arena, void *data, int n, int *cap, size_t element);

/* A growable string (text that a stage prints), zero-terminated at all times. */
typedef struct Text {
    Arena *arena;
    char *data;
    size_t n, cap;
} Text;

void text_init(Text *text, Arena *arena);
void text_add(Text *text, const char *s);
void text_printf(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Bytes [begin, end) of a source file; `file` indexes the SourceSet. Span of nothing: file == -1.
 */
typedef struct Span {
    int file;
    uint32_t begin, end;
} Span;

/* A whole file as zero-terminated bytes, or NULL (errno tells). `*n` may be NULL. */
char *read_whole_file(Arena *arena, const char *path, size_t *n);

/* Ends the program: a fault of adavic itself, never of its input. Says which pass, and how to
 * report. */
_Noreturn void internal_error(const char *where, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
