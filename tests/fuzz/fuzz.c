/* fuzz.c -- runs a harness without libFuzzer: as a test, or for longer; and the mutations that know
 * words and lines. See fuzz.h.
 *
 * Inputs run in a child process that shares the present one with its parent, so that an input that
 * ends the process is known, and is kept. */
#include "fuzz.h"

#include "check.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* ---- lists ---- */

void fuzz_add(FuzzList *list, const void *data, size_t n) {
    if (n > FUZZ_LARGEST) return;
    if (list->n == list->room) {
        list->room = list->room ? 2 * list->room : 64;
        list->at = realloc(list->at, (size_t)list->room * sizeof *list->at);
        if (!list->at) abort();
    }
    uint8_t *copy = malloc(n + 1);
    if (!copy) abort();
    memcpy(copy, data, n);
    list->at[list->n++] = (FuzzBytes){copy, n};
}

void fuzz_add_word(FuzzList *list, const char *word) {
    for (int i = 0; i < list->n; i++)
        if (list->at[i].n == strlen(word) && !memcmp(list->at[i].data, word, list->at[i].n)) return;
    fuzz_add(list, word, strlen(word));
}

static void list_free(FuzzList *list) {
    for (int i = 0; i < list->n; i++) free(list->at[i].data);
    free(list->at);
    *list = (FuzzList){0};
}

static void add_file(FuzzList *list, const char *path, const char *before) {
    static uint8_t bytes[FUZZ_LARGEST + 1];
    FILE *file = fopen(path, "rb");
    if (!file) return;
    size_t head = strlen(before);
    memcpy(bytes, before, head);
    size_t n = head + fread(bytes + head, 1, sizeof bytes - head, file);
    fclose(file);
    fuzz_add(list, bytes, n);
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

void fuzz_add_files(FuzzList *list, const char *folder, const char *end, const char *before) {
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, by_name);
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        size_t length = strlen(name), tail = strlen(end);
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, name);
        if (name[0] != '.' && length >= tail && !strcmp(name + length - tail, end))
            add_file(list, path, before);
        free(entries[i]);
    }
    if (n >= 0) free(entries);
}

static FuzzList all_seeds(const FuzzTarget *target) {
    FuzzList seeds = {0};
    char folder[200];
    snprintf(folder, sizeof folder, "tests/fuzz/seeds/%s", target->name);
    fuzz_add_files(&seeds, folder, "", "");
    target->seeds(&seeds);
    return seeds;
}

/* ---- mutations ---- */

static uint32_t next_random(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    return *state ^= *state << 5;
}

static size_t below(uint32_t *state, size_t n) {
    return n ? next_random(state) % n : 0;
}

/* Replaces data[at..at+gone) by `with`; leaves everything as it is where that would not fit. */
static size_t splice(uint8_t *data, size_t n, size_t most, size_t at, size_t gone,
                     const uint8_t *with, size_t come) {
    if (n - gone + come > most) return n;
    memmove(data + at + come, data + at + gone, n - at - gone);
    if (come) memcpy(data + at, with, come);
    return n - gone + come;
}

static bool word_byte(uint8_t c) {
    return c == '_' || c == '.' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
}

/* A piece of the input at a random place: a word or a sign, or (lines) whole lines. */
static void piece(const uint8_t *data, size_t n, uint32_t *state, bool lines, size_t *begin,
                  size_t *end) {
    size_t a = below(state, n), b = a;
    if (lines) {
        while (a && data[a - 1] != '\n') a--;
        while (b < n && data[b] != '\n') b++;
        if (b < n) b++;
    } else {
        while (a && word_byte(data[a - 1])) a--;
        while (b < n && word_byte(data[b])) b++;
        if (b == a && b < n) b++;
    }
    *begin = a;
    *end = b;
}

static size_t mutate_bytes(uint8_t *data, size_t n, size_t most, uint32_t *state) {
    static const uint8_t telling[] = {0, 1, 0x7f, 0x80, 0xff, '\n', '"', ' ', '-', '9'};
    size_t at = below(state, n);
    uint8_t byte = telling[below(state, sizeof telling)];
    switch (below(state, 4)) {
    case 0:
        if (n) data[at] ^= (uint8_t)(1u << below(state, 8));
        return n;
    case 1:
        if (n) data[at] = byte;
        return n;
    case 2:
        return splice(data, n, most, at, 0, &byte, 1);
    default:
        return splice(data, n, most, at, n - at < 8 ? n - at : below(state, 8), NULL, 0);
    }
}

static const FuzzList *words_of(const FuzzTarget *target) {
    static FuzzList words;
    if (!words.n && target->words) target->words(&words);
    return &words;
}

static size_t mutate_once(const FuzzTarget *target, uint8_t *data, size_t n, size_t most,
                          uint32_t *state) {
    static const char *const numbers[] = {"0",
                                          "1",
                                          "2",
                                          "-1",
                                          "65",
                                          "4096",
                                          "1e9",
                                          "1e308",
                                          "1e-320",
                                          "4294967296",
                                          "9223372036854775807",
                                          ".5"};
    const FuzzList *words = words_of(target);
    uint8_t kept[4096];
    size_t a, b, c, d, kind = below(state, 8);
    piece(data, n, state, kind == 4 || kind == 5, &a, &b);
    if (kind == 0 && words->n) { /* a known word for a word */
        const FuzzBytes *word = &words->at[below(state, (size_t)words->n)];
        return splice(data, n, most, a, below(state, 2) ? b - a : 0, word->data, word->n);
    }
    if (kind == 1) { /* a number for a word */
        const char *number = numbers[below(state, sizeof numbers / sizeof *numbers)];
        return splice(data, n, most, a, b - a, (const uint8_t *)number, strlen(number));
    }
    if (kind == 2 || kind == 3 || kind == 4) { /* one word or line for, or before, another */
        if (b - a > sizeof kept) return n;
        memcpy(kept, data + a, b - a);
        piece(data, n, state, kind == 4, &c, &d);
        return splice(data, n, most, c, below(state, 2) ? d - c : 0, kept, b - a);
    }
    if (kind == 5) return splice(data, n, most, a, b - a, NULL, 0);
    return mutate_bytes(data, n, most, state);
}

size_t fuzz_mutate(const FuzzTarget *target, uint8_t *data, size_t n, size_t most, uint32_t seed) {
    uint32_t state = seed * 2654435761u | 1;
    for (size_t rounds = 1 + below(&state, 4); rounds--;)
        n = mutate_once(target, data, n, most, &state);
    return n;
}

/* ---- a child that runs inputs ---- */

/* What parent and child share: the present input, and how far the child came. */
typedef struct Shared {
    size_t n;
    int64_t done;
    uint8_t data[FUZZ_LARGEST];
} Shared;

typedef struct Session {
    const FuzzTarget *target;
    FuzzList seeds;
    Shared *shared;
    double seconds;
    int64_t most; /* mutations */
    uint32_t seed;
} Session;

typedef void Job(Session *s);

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void run_one(Session *s) {
    alarm(FUZZ_SECONDS_EACH);
    s->target->run(s->shared->data, s->shared->n);
    alarm(0);
    s->shared->done++;
}

static void load(Session *s, const FuzzBytes *input) {
    s->shared->n = input->n;
    memcpy(s->shared->data, input->data, input->n);
}

static void run_seeds(Session *s) {
    for (int i = 0; i < s->seeds.n; i++) {
        load(s, &s->seeds.at[i]);
        run_one(s);
    }
}

static void run_mutations(Session *s) {
    double end = now() + s->seconds;
    for (int64_t i = 0; i < s->most && now() < end; i++) {
        uint32_t state = (s->seed + (uint32_t)i) * 747796405u | 1;
        load(s, &s->seeds.at[below(&state, (size_t)s->seeds.n)]);
        s->shared->n = fuzz_mutate(s->target, s->shared->data, s->shared->n, FUZZ_LARGEST,
                                   next_random(&state));
        run_one(s);
    }
}

/* Writes the input that the child died of; the path. */
static const char *keep_input(const Session *s) {
    static char path[600];
    const char *build = getenv("BUILD");
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < s->shared->n; i++) hash = (hash ^ s->shared->data[i]) * 16777619u;
    snprintf(path, sizeof path, "%s/crash-%s-%08x", build ? build : "build", s->target->name, hash);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(s->shared->data, 1, s->shared->n, file) != s->shared->n)
        snprintf(path, sizeof path, "(it could not be written)");
    if (file) fclose(file);
    return path;
}

static bool in_child(Session *s, Job *job) {
    fflush(NULL);
    s->shared->done = 0;
    pid_t child = fork();
    if (child == 0) {
        struct rlimit memory = {FUZZ_MEMORY, FUZZ_MEMORY};
        if (!SANITIZED) setrlimit(RLIMIT_AS, &memory);
        job(s);
        exit(0); /* not _exit: leaks are looked for here */
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child) return CHECK(false, "no child process");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    bool killed = WIFSIGNALED(status);
    return CHECK(false, "after %lld inputs, %s %d; the input is %s", (long long)s->shared->done,
                 killed ? "signal" : "exit status", killed ? WTERMSIG(status) : WEXITSTATUS(status),
                 keep_input(s));
}

/* ---- the program ---- */

static Session session;

static void seeds_are_survived(void) {
    CHECK(session.seeds.n > 2, "only %d seeds: run it from the repository's root", session.seeds.n);
    in_child(&session, run_seeds);
}

static void mutations_are_survived(void) {
    if (!session.seeds.n) return;
    in_child(&session, run_mutations);
}

static void write_words(const FuzzTarget *target, const char *path) {
    const FuzzList *words = words_of(target);
    FILE *file = fopen(path, "w");
    if (!file) return;
    for (int i = 0; i < words->n; i++) {
        fputc('"', file);
        for (size_t k = 0; k < words->at[i].n; k++) fprintf(file, "\\x%02X", words->at[i].data[k]);
        fputs("\"\n", file);
    }
    fclose(file);
}

static void write_seeds(const FuzzList *seeds, const char *folder) {
    for (int i = 0; i < seeds->n; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s/seed-%04d", folder, i);
        FILE *file = fopen(path, "wb");
        if (!file) continue;
        fwrite(seeds->at[i].data, 1, seeds->at[i].n, file);
        fclose(file);
    }
}

/* Inputs of the command line, in this process: for a debugger. */
static void run_files(const FuzzTarget *target, char **paths, int n) {
    for (int i = 0; i < n; i++) {
        FuzzList one = {0};
        add_file(&one, paths[i], "");
        double start = now();
        for (int k = 0; k < one.n; k++) target->run(one.at[k].data, one.at[k].n);
        printf("%s: %s, %.2f s\n", paths[i], one.n ? "done" : "cannot be read", now() - start);
        list_free(&one);
    }
}

int fuzz_main(const FuzzTarget *target, int argc, char **argv) {
    session = (Session){.target = target, .seconds = 1.5, .most = 4000, .seed = 1};
    bool longer = argc == 3 && !strcmp(argv[1], "--seconds");
    if (argc == 3 && !strcmp(argv[1], "--dictionary")) return write_words(target, argv[2]), 0;
    if (argc > 1 && argv[1][0] != '-') return run_files(target, argv + 1, argc - 1), 0;
    session.seeds = all_seeds(target);
    if (argc == 3 && !strcmp(argv[1], "--seeds")) return write_seeds(&session.seeds, argv[2]), 0;
    session.shared = mmap(NULL, sizeof *session.shared, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (session.shared == MAP_FAILED) return 1;
    if (longer) {
        session.seconds = atof(argv[2]);
        session.most = INT64_MAX;
        session.seed = (uint32_t)time(NULL);
    }
    RUN(seeds_are_survived);
    RUN(mutations_are_survived);
    if (longer) printf("%lld mutations\n", (long long)session.shared->done);
    munmap(session.shared, sizeof *session.shared);
    list_free(&session.seeds);
    return check_done();
}
