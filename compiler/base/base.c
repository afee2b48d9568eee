/* base.c -- the arena: a list of blocks, freed together. See base.h. */
#include "base/base.h"

#include <errno.h>
#include <stdlib.h>

enum { BLOCK_BYTES = 256 * 1024, ALIGNMENT = 16 };

typedef struct Block {
    struct Block *next;
    size_t used, size;
} Block;

struct Arena {
    Block *head;
};

static _Noreturn void out_of_memory(size_t bytes) {
    fprintf(stderr, "adavic: out of memory (asked for %zu bytes)\n", bytes);
    exit(1);
}

Arena *arena_new(void) {
    Arena *arena = calloc(1, sizeof *arena);
    if (!arena) out_of_memory(sizeof *arena);
    return arena;
}

void arena_free(Arena *arena) {
    if (!arena) return;
    for (Block *block = arena->head, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    free(arena);
}

void *arena_alloc(Arena *arena, size_t bytes) {
    const size_t header = (sizeof(Block) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    Block *block = arena->head;
    if (!block || block->size - block->used < bytes) {
        size_t size = bytes + header > BLOCK_BYTES ? bytes + header : BLOCK_BYTES;
        block = calloc(1, size);
        if (!block) out_of_memory(size);
        block->size = size;
        block->used = header;
        /* An outsized block goes behind the head, so that the head's free room stays in use. */
        if (size > BLOCK_BYTES && arena->head) {
            block->next = arena->head->next;
            arena->head->next = block;
        } else {
            block->next = arena->head;
            arena->head = block;
        }
    }
    void *result = (char *)block + block->used;
    block->used += bytes;
    return result;
}

char *arena_strndup(Arena *arena, const char *text, size_t n) {
    char *copy = arena_alloc(arena, n + 1);
    memcpy(copy, text, n);
    return copy;
}

char *arena_strdup(Arena *arena, const char *text) {
    return arena_strndup(arena, text, strlen(text));
}

char *arena_vprintf(Arena *arena, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *out = arena_alloc(arena, (size_t)n + 1);
    vsnprintf(out, (size_t)n + 1, format, again);
    va_end(again);
    return out;
}

char *arena_printf(Arena *arena, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *out = arena_vprintf(arena, format, args);
    va_end(args);
    return out;
}

void *vec_grow(Arena *arena, void *data, int n, int *cap, size_t element) {
    *cap = *cap ? *cap * 2 : 8;
    void *grown = arena_alloc(arena, (size_t)*cap * element);
    if (n) memcpy(grown, data, (size_t)n * element);
    return grown;
}

void text_init(Text *text, Arena *arena) {
    *text = (Text){.arena = arena, .cap = 256};
    text->data = arena_alloc(arena, text->cap);
}

static void text_reserve(Text *text, size_t more) {
    if (text->n + more + 1 <= text->cap) return;
    while (text->n + more + 1 > text->cap) text->cap *= 2;
    char *grown = arena_alloc(text->arena, text->cap);
    memcpy(grown, text->data, text->n);
    text->data = grown;
}

void text_add(Text *text, const char *s) {
    size_t n = strlen(s);
    text_reserve(text, n);
    memcpy(text->data + text->n, s, n + 1);
    text->n += n;
}

void text_printf(Text *text, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    text_reserve(text, (size_t)n);
    vsnprintf(text->data + text->n, (size_t)n + 1, format, again);
    text->n += (size_t)n;
    va_end(again);
    va_end(args);
}

char *read_whole_file(Arena *arena, const char *path, size_t *n) {
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    size_t used = 0, cap = 64 * 1024;
    char *data = arena_alloc(arena, cap + 1);
    for (;;) {
        size_t got = fread(data + used, 1, cap - used, file);
        used += got;
        if (used < cap) break;
        char *grown = arena_alloc(arena, cap * 2 + 1);
        memcpy(grown, data, used);
        data = grown;
        cap *= 2;
    }
    int failed = ferror(file) ? errno : 0;
    fclose(file);
    if (failed) {
        errno = failed;
        return NULL;
    }
    data[used] = 0;
    if (n) *n = used;
    return data;
}

void internal_error(const char *where, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fprintf(stderr, "adavic: internal error in %s: ", where);
    vfprintf(stderr, format, args);
    fprintf(
        stderr,
        "\nThis is a fault of adavic, not of your model. Please report it with the model file.\n");
    va_end(args);
    exit(70);
}
