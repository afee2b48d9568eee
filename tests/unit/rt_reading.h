/* Reading data from texts in tests, and tables of texts that are refused: where the message begins,
 * and what it says. */
#ifndef RT_READING_H
#define RT_READING_H

#include "check.h"
#include "runtime/data.h"

#include <string.h>

typedef bool Reader(RtMem *mem, const RtModel *m, const char *name, const RtBytes *bytes,
                    const RtDataOptions *options, RtData *out, RtError *error);

/* How: which reader, of what, under which name. */
typedef struct Reading {
    Reader *reader;
    RtMem *mem;
    const RtModel *model;
    const char *name;
    RtDataOptions options;
} Reading;

static inline bool read_text(const Reading *r, const char *text, RtData *out, RtError *error) {
    RtBytes bytes = {(char *)(uintptr_t)text, strlen(text), 0};
    error->text[0] = 0;
    return r->reader(r->mem, r->model, r->name, &bytes, &r->options, out, error);
}

/* An array more in an .npz archive. */
static inline void add_array(RtBytes *archive, RtBytes *directory, const char *name,
                             const double *values, const int64_t *dims, int n_dims) {
    RtBytes file = {0};
    RtError error = {{0}};
    rt_npy_write(&file, values, true, dims, n_dims);
    CHECK(rt_zip_add(archive, directory, name, &file, &error), "%s", error.text);
    rt_bytes_free(&file);
}

typedef struct Bad {
    const char *text;
    const char *where, *what, *advice; /* where: how the message begins; NULL: anything */
} Bad;

static inline void check_refused(const Reading *r, const Bad *bad, size_t n) {
    for (size_t i = 0; i < n; i++) {
        RtData d;
        RtError error;
        if (!CHECK(!read_text(r, bad[i].text, &d, &error), "case %zu was accepted", i)) continue;
        CHECK(!bad[i].where || !strncmp(error.text, bad[i].where, strlen(bad[i].where)),
              "case %zu: not at %s: %s", i, bad[i].where, error.text);
        CHECK(strstr(error.text, bad[i].what), "case %zu: no \"%s\" in: %s", i, bad[i].what,
              error.text);
        CHECK(!bad[i].advice || strstr(error.text, bad[i].advice), "case %zu: no \"%s\" in: %s", i,
              bad[i].advice, error.text);
    }
}

#endif
