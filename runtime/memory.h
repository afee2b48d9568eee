/* memory.h -- memory.c: allocation, errors, text, files and clocks. Part of rt.h. */
#ifndef ADAVIC_RT_MEMORY_H
#define ADAVIC_RT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct RtMem RtMem;
RtMem *rt_mem_new(void);
void rt_mem_free(RtMem *mem);
int64_t rt_mem_bytes(const RtMem *mem); /* allocated so far */
/* Zeroed, aligned to 64 bytes. Ends the program with exit 1 when there is no memory. */
void *rt_alloc(RtMem *mem, int64_t count, size_t size);
char *rt_copy_text(RtMem *mem, const char *text, size_t n);
__attribute__((format(printf, 2, 3))) char *rt_printf(RtMem *mem, const char *format, ...);

typedef struct RtError {
    char text[1500];
} RtError;
/* Sets the text and returns false. */
__attribute__((format(printf, 2, 3))) bool rt_error(RtError *error, const char *format, ...);

/* Product of n extents; -1 if one is negative or the product exceeds 2^40. */
int64_t rt_product(const int64_t *extent, int n);
/* The name of `n` names nearest to `name`, or NULL if none is near. */
const char *rt_nearest(const char *name, const char *const *names, int n);
/* Strict: the whole of text[0..n) is one number (leading and trailing blanks aside). */
bool rt_parse_number(const char *text, size_t n, double *out);
bool rt_parse_int(const char *text, int64_t *out);
/* Does a path end so, behind a name? Capitals make no difference. */
bool rt_ends_with(const char *path, const char *ending);
/* The character at *text, which moves behind it; U+FFFD where a byte is no UTF-8. */
uint32_t rt_utf8(const char **text);

/* A growing byte string; `data` ends with a 0 that is not counted. Free with rt_bytes_free. */
typedef struct RtBytes {
    char *data;
    size_t n, room;
} RtBytes;
void rt_bytes_add(RtBytes *b, const void *data, size_t n);
__attribute__((format(printf, 2, 3))) void rt_bytes_printf(RtBytes *b, const char *format, ...);
void rt_bytes_free(RtBytes *b);
bool rt_read_file(const char *path, RtBytes *out, RtError *error);
/* Written to a temporary file beside it, fsynced, renamed: the previous file stays whole on any
 * failure. */
bool rt_write_file(const char *path, const void *data, size_t n, RtError *error);
double rt_seconds(void); /* monotonic */
/* The most that this process has had in memory so far, in bytes; 0 where nothing tells. */
int64_t rt_peak_memory(void);

#endif
