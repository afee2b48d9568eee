/* compiled_program.h -- for tests that use a compiled model as a user does: an empty folder, the
 * compiler that make built, and shell commands. */
#ifndef ADAVIC_TESTS_COMPILED_PROGRAM_H
#define ADAVIC_TESTS_COMPILED_PROGRAM_H

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void enter_empty_folder(char *path) {
    if (!mkdtemp(path) || chdir(path)) exit(1);
}

static inline void leave_folder(const char *path) {
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", path);
    if (chdir("/") || system(command)) exit(1);
}

static inline bool shell(const char *command) {
    fflush(stdout);
    int status = system(command);
    return CHECK(status == 0, "status %d: %s", status, command);
}

/* Enters a new folder (see mkdtemp) and compiles `model`, a path in the tree, to ./NAME there. */
static inline bool enter_with_program(char *folder, const char *model, const char *name) {
    char command[9000], tree[4000];
    const char *adavic = getenv("ADAVIC");
    if (!getcwd(tree, sizeof tree)) exit(1);
    enter_empty_folder(folder);
    snprintf(command, sizeof command, "%s %s/%s -o %s", adavic ? adavic : "adavic", tree, model,
             name);
    return shell(command);
}

static inline FILE *create(const char *path) {
    FILE *f = fopen(path, "w");
    if (!f) exit(1);
    return f;
}

#endif
