/* arrays.c -- see arrays.h. The files are read by the runtime's own readers. */
#include "arrays.h"

#include "runtime/data.h"

#include <string.h>

struct Arrays {
    RtMem *mem;
    int n;
    Array *at;
};

static Array read_array(RtMem *mem, const RtZipFile *file, RtError *error) {
    RtArray array;
    size_t n = strlen(file->name);
    bool ok = rt_npy_read(mem, file->name, file->bytes, file->n, &array, error);
    if (!ok || n < 4) return (Array){0};
    return (Array){rt_copy_text(mem, file->name, n - 4), rt_product(array.dims, array.n_dims),
                   array.values};
}

Arrays *arrays_read(const char *path) {
    RtMem *mem = rt_mem_new();
    RtBytes bytes = {0};
    RtError error = {""};
    RtZipFile *files = NULL;
    Arrays *arrays = rt_alloc(mem, 1, sizeof *arrays);
    bool ok = rt_read_file(path, &bytes, &error) &&
              rt_zip_read(mem, path, &bytes, &files, &arrays->n, &error);
    *arrays = (Arrays){mem, ok ? arrays->n : 0, rt_alloc(mem, arrays->n + 1, sizeof(Array))};
    for (int i = 0; i < arrays->n && ok; i++) {
        arrays->at[i] = read_array(mem, &files[i], &error);
        ok = arrays->at[i].name;
    }
    rt_bytes_free(&bytes);
    if (ok) return arrays;
    printf("%s\n", error.text);
    rt_mem_free(mem);
    return NULL;
}

const Array *arrays_find(const Arrays *arrays, const char *name) {
    for (int i = 0; i < arrays->n; i++)
        if (!strcmp(arrays->at[i].name, name)) return &arrays->at[i];
    return NULL;
}

const Array *arrays_at(const Arrays *arrays, int i) {
    return i < arrays->n ? &arrays->at[i] : NULL;
}

void arrays_free(Arrays *arrays) {
    if (arrays) rt_mem_free(arrays->mem);
}
