/* memory.c -- memory that lives until its RtMem is freed, byte strings, whole files, and numbers in
 * text. */
#include "runtime/rt.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef struct Block {
    struct Block *next;
} Block;

struct RtMem {
    Block *blocks;
    int64_t bytes;
    char *text; /* room for small strings */
    size_t text_left;
};

enum { ALIGN = 64, TEXT_ROOM = 1 << 16 };

static void no_memory(double bytes) {
    if (bytes < 0 || bytes > 0x1p46) {
        fprintf(stderr, "error: the plates are too large: the arrays would not fit any memory\n");
        exit(1);
    }
    fprintf(stderr,
            "error: out of memory: %.1f MiB more were needed. Fewer --sets or --draws, or smaller "
            "plates, "
            "need less.\n",
            bytes / 1048576);
    exit(1);
}

RtMem *rt_mem_new(void) {
    RtMem *mem = calloc(1, sizeof *mem);
    if (!mem) no_memory(sizeof *mem);
    return mem;
}

void rt_mem_free(RtMem *mem) {
    for (Block *b = mem->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(mem);
}

int64_t rt_mem_bytes(const RtMem *mem) {
    return mem->bytes;
}

/* Pages of a large block are zero and untouched until they are used. */
void *rt_alloc(RtMem *mem, int64_t count, size_t size) {
    double wanted = (double)count * (double)size;
    if (count < 0 || wanted > 0x1p46) no_memory(wanted);
    size_t bytes = (size_t)count * size;
    char *raw = calloc(1, bytes + 2 * ALIGN);
    if (!raw) no_memory(wanted);
    Block *block = (Block *)raw;
    block->next = mem->blocks;
    mem->blocks = block;
    mem->bytes += (int64_t)bytes;
    uintptr_t start = ((uintptr_t)(raw + sizeof *block) + ALIGN - 1) / ALIGN * ALIGN;
    return (void *)start;
}

char *rt_copy_text(RtMem *mem, const char *text, size_t n) {
    if (n + 1 > mem->text_left) {
        size_t room = n + 1 > TEXT_ROOM ? n + 1 : TEXT_ROOM;
        mem->text = rt_alloc(mem, (int64_t)room, 1);
        mem->text_left = room;
    }
    char *copy = mem->text;
    memcpy(copy, text, n);
    copy[n] = 0;
    mem->text += n + 1;
    mem->text_left -= n + 1;
    return copy;
}

char *rt_printf(RtMem *mem, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *out = rt_alloc(mem, n + 1, 1);
    vsnprintf(out, (size_t)n + 1, format, again);
    va_end(again);
    va_end(args);
    return out;
}

bool rt_error(RtError *error, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return false;
}

int64_t rt_product(const int64_t *extent, int n) {
    int64_t product = 1;
    for (int i = 0; i < n; i++) {
        if (extent[i] < 0) return -1;
        if (extent[i] && product > (INT64_C(1) << 40) / extent[i]) return -1;
        product *= extent[i];
    }
    return product;
}

/* ---- names and numbers ---- */

/* Insertions, deletions, replacements and exchanges of neighbours that lead from a to b. */
static int edits(const char *a, const char *b) {
    enum { MAX = 48 };
    size_t n = strlen(a), m = strlen(b);
    if (n >= MAX || m >= MAX) return MAX;
    int d[MAX][MAX];
    for (size_t i = 0; i <= n; i++) d[i][0] = (int)i;
    for (size_t j = 0; j <= m; j++) d[0][j] = (int)j;
    for (size_t i = 1; i <= n; i++)
        for (size_t j = 1; j <= m; j++) {
            int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && d[i - 2][j - 2] + 1 < best) best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    return d[n][m];
}

const char *rt_nearest(const char *name, const char *const *names, int n) {
    const char *best = NULL;
    int limit = (int)strlen(name) / 3 + 1, least = limit + 1;
    for (int i = 0; i < n; i++) {
        int e = edits(name, names[i]);
        if (e < least) {
            least = e;
            best = names[i];
        }
    }
    return best;
}

bool rt_ends_with(const char *path, const char *ending) {
    size_t n = strlen(path), k = strlen(ending);
    return n > k && !strcasecmp(path + n - k, ending);
}

bool rt_parse_number(const char *text, size_t n, double *out) {
    while (n && (*text == ' ' || *text == '\t')) text++, n--;
    while (n && (text[n - 1] == ' ' || text[n - 1] == '\t')) n--;
    char copy[64], *end;
    if (!n || n >= sizeof copy) return false;
    memcpy(copy, text, n);
    copy[n] = 0;
    for (size_t i = 0; i < n; i++) /* strtod also reads hexadecimal numbers and "nan(...)" */
        if (copy[i] == 'x' || copy[i] == 'X' || copy[i] == '(' || copy[i] == 0) return false;
    *out = strtod(copy, &end);
    return end == copy + n && copy[0] != ' ';
}

bool rt_parse_int(const char *text, int64_t *out) {
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (end == text || *end || errno) return false;
    *out = v;
    return true;
}

uint32_t rt_utf8(const char **text) {
    const unsigned char *p = (const unsigned char *)*text;
    int more = p[0] < 0x80 ? 0 : p[0] >= 0xc2 && p[0] < 0xe0 ? 1 : (p[0] & 0xf0) == 0xe0 ? 2 : 3;
    uint32_t c = more ? p[0] & (0x3fu >> more) : p[0];
    ++*text;
    if (more && (p[0] < 0xc2 || p[0] > 0xf4)) return 0xfffd;
    for (int i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0xfffd;
        c = c << 6 | (p[i] & 0x3fu);
    }
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return 0xfffd;
    *text += more;
    return c;
}

/* The kernel's high-water mark of this program alone; getrusage's includes what ran before exec. */
int64_t rt_peak_memory(void) {
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long long kib = 0;
    while (f && fgets(line, sizeof line, f) && sscanf(line, "VmHWM: %lld kB", &kib) != 1) continue;
    if (f) fclose(f);
    return kib * 1024;
}

double rt_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- byte strings and files ---- */

static void reserve(RtBytes *b, size_t more) {
    if (b->n + more + 1 <= b->room) return;
    size_t room = b->room ? b->room : 256;
    while (room < b->n + more + 1) room *= 2;
    b->data = realloc(b->data, room);
    if (!b->data) no_memory((double)room);
    b->room = room;
}

void rt_bytes_add(RtBytes *b, const void *data, size_t n) {
    reserve(b, n);
    if (n) memcpy(b->data + b->n, data, n);
    b->n += n;
    b->data[b->n] = 0;
}

void rt_bytes_printf(RtBytes *b, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    reserve(b, (size_t)n);
    vsnprintf(b->data + b->n, (size_t)n + 1, format, again);
    b->n += (size_t)n;
    va_end(again);
    va_end(args);
}

void rt_bytes_free(RtBytes *b) {
    free(b->data);
    *b = (RtBytes){0};
}

bool rt_read_file(const char *path, RtBytes *out, RtError *error) {
    FILE *f = fopen(path, "rb");
    if (!f) return rt_error(error, "cannot read %s: %s", path, strerror(errno));
    struct stat info;
    if (!fstat(fileno(f), &info) && S_ISDIR(info.st_mode)) {
        fclose(f);
        return rt_error(error, "cannot read %s: it is a directory", path);
    }
    *out = (RtBytes){0};
    for (size_t got = 1; got;) {
        reserve(out, 1 << 16);
        got = fread(out->data + out->n, 1, out->room - out->n - 1, f);
        out->n += got;
    }
    out->data[out->n] = 0;
    bool bad = ferror(f) != 0;
    fclose(f);
    if (!bad) return true;
    rt_bytes_free(out);
    return rt_error(error, "cannot read %s: %s", path, strerror(EIO));
}

static bool write_all(FILE *f, const void *data, size_t n) {
    bool ok = fwrite(data, 1, n, f) == n && !fflush(f);
    if (ok && fsync(fileno(f)) && errno != EINVAL && errno != EROFS)
        ok = false; /* pipes cannot be synced */
    int why = errno;
    if (fclose(f)) return false;
    errno = why;
    return ok;
}

bool rt_write_file(const char *path, const void *data, size_t n, RtError *error) {
    struct stat info;
    bool exists = !stat(path, &info), plain = !exists || S_ISREG(info.st_mode);
    char *real = exists ? realpath(path, NULL) : NULL; /* a link stays a link */
    const char *target = real ? real : path;
    char *temporary = malloc(strlen(target) + 32);
    if (!temporary) no_memory(32);
    sprintf(temporary, plain ? "%s.%ld.tmp" : "%s", target, (long)getpid());
    FILE *f = fopen(temporary, "wb");
    bool ok = f && write_all(f, data, n) && (!plain || !rename(temporary, target));
    if (!ok) {
        rt_error(error, "cannot write %s: %s%s", path, strerror(errno),
                 exists ? " (the file that was there is unchanged)" : "");
        if (f && plain) remove(temporary);
    }
    free(temporary);
    free(real);
    return ok;
}
