/* arrays.h -- the arrays of an .npz file, by name, in double. */
#ifndef ADAVIC_ARRAYS_H
#define ADAVIC_ARRAYS_H

#include <stdint.h>

typedef struct Array {
    const char *name;
    int64_t n;
    const double *values; /* C order */
} Array;

typedef struct Arrays Arrays;

/* NULL after printing what is wrong. */
Arrays *arrays_read(const char *path);
const Array *arrays_find(const Arrays *arrays, const char *name); /* or NULL */
const Array *arrays_at(const Arrays *arrays, int i);              /* NULL past the last */
void arrays_free(Arrays *arrays);

#endif
