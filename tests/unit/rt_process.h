/* Runs the commands of the hand-made model as a user does: each run is a process of its own, whose
 * output can be looked at afterwards.
 *
 *     EXPECT("train --steps 10", 0);          // the exit status
 *     CHECK(json("steps", 0) == 10, ...)      // of the last run's stdout */
#ifndef RT_PROCESS_H
#define RT_PROCESS_H

#include "compiled_program.h"
#include "runtime/cli.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static char text_out[1 << 20], text_err[1 << 16]; /* of the last run */

static inline void read_back(const char *path, char *to, size_t room) {
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(to, 1, room - 1, f) : 0;
    to[n] = 0;
    if (f) fclose(f);
}

static inline void redirect(const char *path, int fd) {
    int file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    dup2(file, fd);
    close(file);
}

/* Starts "model" with the words of `line`. */
static inline pid_t start(const char *line, rlim_t largest_file) {
    fflush(stdout);
    pid_t child = fork();
    if (child) return child;
    char words[1000], *argv[40] = {"./model"};
    int argc = 1;
    snprintf(words, sizeof words, "%s", line);
    for (char *w = strtok(words, " "); w && argc < 39; w = strtok(NULL, " ")) argv[argc++] = w;
    redirect("stdout", 1);
    redirect("stderr", 2);
    if (largest_file) {
        struct rlimit limit = {largest_file, largest_file};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    exit(rt_main(argc, argv));
}

static inline int finish(pid_t child) {
    int status;
    waitpid(child, &status, 0);
    read_back("stdout", text_out, sizeof text_out);
    read_back("stderr", text_err, sizeof text_err);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline int run(const char *line) {
    return finish(start(line, 0));
}

/* The number after the n-th `"key": `; NAN if there is none. */
static inline double json(const char *key, int n) {
    char quoted[64];
    const char *at = text_out;
    snprintf(quoted, sizeof quoted, "\"%s\": ", key);
    for (int i = 0; i <= n; i++) {
        at = strstr(i ? at + 1 : at, quoted);
        if (!at) return NAN;
    }
    return atof(at + strlen(quoted));
}

#define EXPECT(line, code)                                                              \
    do {                                                                                \
        int got = run(line);                                                            \
        CHECK(got == (code), "%s: exit %d, not %d: %.300s", line, got, code, text_err); \
    } while (0)

#endif
