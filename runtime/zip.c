/* zip.c -- the little of ZIP and gzip that .npz and .csv.gz need: read through the central
 * directory (stored or deflated files, zip64 sizes), write stored files. Every offset is checked
 * against the file before it is used, and the checksum of every file that is read is verified.
 * (APPNOTE.TXT 6.3.4, RFC 1952.) */
#include "runtime/data.h"

#include <string.h>
#include <zlib.h>

enum { LOCAL = 0x04034b50, CENTRAL = 0x02014b50, END = 0x06054b50, END64 = 0x06064b50 };
enum { LOCAL_SIZE = 30, CENTRAL_SIZE = 46, END_SIZE = 22, LOCATOR64_SIZE = 20, END64_SIZE = 56 };
#define MOST_INFLATED (UINT64_C(1) << 34)

static uint64_t little(const unsigned char *at, int bytes) {
    uint64_t v = 0;
    for (int i = bytes; i-- > 0;) v = v << 8 | at[i];
    return v;
}

typedef struct Zip {
    RtMem *mem;
    const char *name;
    const unsigned char *bytes;
    uint64_t n;
    uint64_t inflated; /* by all files so far: they may all name the same bytes */
    RtError *error;
} Zip;

static bool damaged(const Zip *z, const char *what) {
    return rt_error(z->error, "%s: not a readable .npz (zip) file: %s", z->name, what);
}

static bool inside(const Zip *z, uint64_t at, uint64_t n) {
    return at <= z->n && n <= z->n - at;
}

/* Where the central directory stands, and the number of its entries. */
static bool find_directory(const Zip *z, uint64_t *at, uint64_t *entries) {
    if (z->n < END_SIZE) return damaged(z, "it is too short");
    uint64_t least = z->n > 65557 ? z->n - 65557 : 0;
    for (uint64_t end = z->n - END_SIZE + 1; end-- > least;) {
        const unsigned char *p = z->bytes + end;
        if (little(p, 4) != END) continue;
        *entries = little(p + 10, 2);
        *at = little(p + 16, 4);
        if (*at == 0xffffffff || *entries == 0xffff) {
            if (end < LOCATOR64_SIZE) return damaged(z, "its zip64 locator is missing");
            uint64_t end64 = little(p - LOCATOR64_SIZE + 8, 8);
            if (!inside(z, end64, END64_SIZE) || little(z->bytes + end64, 4) != END64)
                return damaged(z, "its zip64 directory is missing");
            *entries = little(z->bytes + end64 + 32, 8);
            *at = little(z->bytes + end64 + 48, 8);
        }
        return true;
    }
    return damaged(z, "it has no directory (truncated, or another kind of file)");
}

typedef struct Entry {
    uint64_t method, packed, size, local, crc;
} Entry;

/* Sizes and offset that did not fit 32 bits stand in the extra field 1, in this order. */
static void read_zip64(const unsigned char *extra, uint64_t n, Entry *e) {
    for (uint64_t at = 0; at + 4 <= n;) {
        uint64_t id = little(extra + at, 2), length = little(extra + at + 2, 2);
        uint64_t from = at + 4, end = from + length < n ? from + length : n;
        uint64_t *wide[3] = {&e->size, &e->packed, &e->local};
        for (int i = 0; id == 1 && i < 3; i++) {
            if (*wide[i] != 0xffffffff || from + 8 > end) continue;
            *wide[i] = little(extra + from, 8);
            from += 8;
        }
        at += 4 + length;
    }
}

static bool inflate_raw(const unsigned char *from, uint64_t n, unsigned char *to, uint64_t size) {
    z_stream s = {0};
    if (inflateInit2(&s, -15) != Z_OK) return false;
    int status = Z_OK;
    while (status == Z_OK) {
        uInt in = n > 1u << 30 ? 1u << 30 : (uInt)n, room = size > 1u << 30 ? 1u << 30 : (uInt)size;
        s.next_in = (Bytef *)(uintptr_t)from, s.avail_in = in;
        s.next_out = to, s.avail_out = room;
        status = inflate(&s, Z_NO_FLUSH);
        from += in - s.avail_in, n -= in - s.avail_in;
        to += room - s.avail_out, size -= room - s.avail_out;
        if (status == Z_OK && in == s.avail_in && room == s.avail_out) break; /* stuck */
    }
    inflateEnd(&s);
    return status == Z_STREAM_END && size == 0;
}

static uint64_t checksum(const unsigned char *bytes, uint64_t n) {
    uLong crc = crc32(0, NULL, 0);
    for (uint64_t done = 0; done < n;) {
        uInt part = n - done > 1u << 30 ? 1u << 30 : (uInt)(n - done);
        crc = crc32(crc, bytes + done, part);
        done += part;
    }
    return crc;
}

static bool read_entry(Zip *z, const Entry *e, RtZipFile *out) {
    if (!inside(z, e->local, LOCAL_SIZE) || little(z->bytes + e->local, 4) != LOCAL)
        return damaged(z, "a file's header is not where the directory says");
    const unsigned char *p = z->bytes + e->local;
    uint64_t data = e->local + LOCAL_SIZE + little(p + 26, 2) + little(p + 28, 2);
    if (!inside(z, data, e->packed))
        return damaged(z, "a file reaches beyond the end (truncated?)");
    out->n = (size_t)e->size;
    if (e->method == 0) {
        if (e->size != e->packed) return damaged(z, "a stored file has two sizes");
        out->bytes = z->bytes + data;
    } else if (e->method == 8) {
        /* deflate shrinks at most by a factor of 1032: larger claims are false, and not allocated
         */
        if (e->size > MOST_INFLATED || e->size / 1033 > e->packed + 64 ||
            (z->inflated += e->size) / 1033 > z->n + 64)
            return damaged(z, "a file's size is impossible");
        unsigned char *to = rt_alloc(z->mem, (int64_t)e->size + 1, 1);
        if (!inflate_raw(z->bytes + data, e->packed, to, e->size))
            return damaged(z, "a compressed file is damaged");
        out->bytes = to;
    } else {
        return damaged(z, "a file is compressed by a method other than deflate");
    }
    if (checksum(out->bytes, e->size) != e->crc)
        return damaged(z, "a checksum differs: the file is damaged");
    return true;
}

bool rt_zip_read(RtMem *mem, const char *name, const RtBytes *bytes, RtZipFile **files, int *n,
                 RtError *error) {
    Zip z = {mem, name, (const unsigned char *)bytes->data, bytes->n, 0, error};
    uint64_t at = 0, entries = 0;
    if (!find_directory(&z, &at, &entries)) return false;
    if (entries > z.n / CENTRAL_SIZE) return damaged(&z, "its directory is damaged");
    *files = rt_alloc(mem, (int64_t)entries + 1, sizeof **files);
    for (*n = 0; (uint64_t)*n < entries; ++*n) {
        if (!inside(&z, at, CENTRAL_SIZE) || little(z.bytes + at, 4) != CENTRAL)
            return damaged(&z, "its directory is damaged");
        const unsigned char *p = z.bytes + at;
        uint64_t name_n = little(p + 28, 2), extra_n = little(p + 30, 2),
                 comment_n = little(p + 32, 2);
        if (!inside(&z, at + CENTRAL_SIZE, name_n + extra_n + comment_n))
            return damaged(&z, "its directory is damaged");
        Entry e = {.method = little(p + 10, 2),
                   .crc = little(p + 16, 4),
                   .packed = little(p + 20, 4),
                   .size = little(p + 24, 4),
                   .local = little(p + 42, 4)};
        if (little(p + 8, 2) & 1) return damaged(&z, "it is encrypted");
        read_zip64(p + CENTRAL_SIZE + name_n, extra_n, &e);
        (*files)[*n].name = rt_copy_text(mem, (const char *)p + CENTRAL_SIZE, (size_t)name_n);
        if (!read_entry(&z, &e, &(*files)[*n])) return false;
        at += CENTRAL_SIZE + name_n + extra_n + comment_n;
    }
    return true;
}

/* ---- writing ---- */

static void put(RtBytes *out, uint64_t value, int bytes) {
    unsigned char le[8];
    for (int i = 0; i < bytes; i++) le[i] = (unsigned char)(value >> 8 * i);
    rt_bytes_add(out, le, (size_t)bytes);
}

/* What local and central header share: version to date are constants, so that equal contents give
 * equal bytes. */
static void put_common(RtBytes *out, uint64_t crc, uint64_t size, uint64_t name_n) {
    put(out, 20, 2);   /* version needed */
    put(out, 0, 2);    /* flags */
    put(out, 0, 2);    /* stored */
    put(out, 0, 2);    /* time */
    put(out, 0x21, 2); /* 1980-01-01 */
    put(out, crc, 4);
    put(out, size, 4);
    put(out, size, 4);
    put(out, name_n, 2);
    put(out, 0, 2);
}

bool rt_zip_add(RtBytes *archive, RtBytes *directory, const char *name, const RtBytes *file,
                RtError *error) {
    if (file->n + archive->n > 0xf0000000u)
        return rt_error(
            error,
            "the results do not fit into one .npz (4 GB): take fewer --draws or fewer data sets");
    uint64_t crc = checksum((const unsigned char *)file->data, file->n), local = archive->n;
    put(archive, LOCAL, 4);
    put_common(archive, crc, file->n, strlen(name));
    rt_bytes_add(archive, name, strlen(name));
    rt_bytes_add(archive, file->data, file->n);
    put(directory, CENTRAL, 4);
    put(directory, 20, 2);
    put_common(directory, crc, file->n, strlen(name));
    put(directory, 0, 2); /* comment */
    put(directory, 0, 2); /* disk */
    put(directory, 0, 2);
    put(directory, 0, 4);
    put(directory, local, 4);
    rt_bytes_add(directory, name, strlen(name));
    return true;
}

void rt_zip_end(RtBytes *archive, const RtBytes *directory) {
    uint64_t start = archive->n, entries = 0;
    for (size_t at = 0; at < directory->n; entries++)
        at += CENTRAL_SIZE + little((const unsigned char *)directory->data + at + 28, 2);
    if (directory->n) rt_bytes_add(archive, directory->data, directory->n);
    put(archive, END, 4);
    put(archive, 0, 4);
    put(archive, entries, 2);
    put(archive, entries, 2);
    put(archive, directory->n, 4);
    put(archive, start, 4);
    put(archive, 0, 2);
}

bool rt_gunzip(const char *name, RtBytes *bytes, RtError *error) {
    const unsigned char *p = (const unsigned char *)bytes->data;
    if (bytes->n < 2 || p[0] != 0x1f || p[1] != 0x8b) return true;
    RtBytes out = {0};
    unsigned char part[1 << 14];
    z_stream s = {0};
    if (bytes->n > 1u << 30 || inflateInit2(&s, 15 + 16) != Z_OK)
        return rt_error(error, "%s: too large to uncompress here: use gunzip", name);
    s.next_in = (Bytef *)bytes->data, s.avail_in = (uInt)bytes->n;
    int status = Z_OK;
    while (status == Z_OK && out.n <= 1u << 30) {
        s.next_out = part, s.avail_out = sizeof part;
        status = inflate(&s, Z_NO_FLUSH);
        rt_bytes_add(&out, part, sizeof part - s.avail_out);
        if (status == Z_STREAM_END && s.avail_in) status = inflateReset(&s); /* the next member */
    }
    inflateEnd(&s);
    rt_bytes_free(bytes);
    *bytes = out;
    if (status == Z_STREAM_END) return true;
    return rt_error(error, "%s: its gzip compression is damaged or cut short", name);
}
