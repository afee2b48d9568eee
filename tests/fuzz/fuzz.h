/* fuzz.h -- what a fuzzing harness consists of, and the two ways in which it runs.
 *
 * A harness is one file test_fuzz_NAME.c: it gives a FuzzTarget and ends with FUZZ_MAIN(target).
 * - Built with the tests it is a test: every seed and a bounded number of mutations, in a child
 *   process, within time and memory. `--seconds N` mutates for longer, `FILE...` runs given inputs,
 *   `--seeds DIR` and `--dictionary FILE` write what libFuzzer starts from.
 * - Built by `make fuzz` (ADAVIC_LIBFUZZER) it is a libFuzzer program, guided by coverage, with the
 *   same mutations of words and lines beside libFuzzer's own.
 *
 * `run` must return for every input: whatever ends the process, takes more than FUZZ_SECONDS_EACH
 * or FUZZ_MEMORY is a finding. Inputs that were findings stand in tests/fuzz/seeds/NAME. */
#ifndef ADAVIC_FUZZ_H
#define ADAVIC_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FUZZ_LARGEST = 1 << 16, FUZZ_SECONDS_EACH = 10 };
#define FUZZ_MEMORY (INT64_C(1) << 30)

typedef struct FuzzBytes {
    uint8_t *data;
    size_t n;
} FuzzBytes;

typedef struct FuzzList {
    FuzzBytes *at;
    int n, room;
} FuzzList;

typedef struct FuzzTarget {
    const char *name;
    void (*run)(const uint8_t *data, size_t n);
    void (*seeds)(FuzzList *seeds); /* beside tests/fuzz/seeds/NAME */
    void (*words)(FuzzList *words); /* pieces that mean something to the reader */
} FuzzTarget;

void fuzz_add(FuzzList *list, const void *data, size_t n);
void fuzz_add_word(FuzzList *list, const char *word);
/* Every file of `folder` whose name ends with `end`, behind the bytes of `before`. */
void fuzz_add_files(FuzzList *list, const char *folder, const char *end, const char *before);
/* A mutation in place, of at most `most` bytes; the new length. */
size_t fuzz_mutate(const FuzzTarget *target, uint8_t *data, size_t n, size_t most, uint32_t seed);

int fuzz_main(const FuzzTarget *target, int argc, char **argv);
size_t LLVMFuzzerMutate(uint8_t *data, size_t n, size_t most);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t most, unsigned seed);

#ifdef ADAVIC_LIBFUZZER
#define FUZZ_MAIN(target)                                                                 \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {                           \
        (target).run(data, n);                                                            \
        return 0;                                                                         \
    }                                                                                     \
    size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t most, unsigned seed) { \
        return seed % 2 ? fuzz_mutate(&(target), data, n, most, seed)                     \
                        : LLVMFuzzerMutate(data, n, most);                                \
    }
#else
#define FUZZ_MAIN(target)                        \
    int main(int argc, char **argv) {            \
        return fuzz_main(&(target), argc, argv); \
    }
#endif

#endif
