/* link.c -- the last step: object file + runtime archive -> program or library. See link.h.
 *
 * The archive (libadavi_rt.a, with zlib in it) and the header of the models' interface are bytes
 * inside adavic (build/embedded.S), so that adavic can be moved alone. No shell is involved: `cc`
 * is found on PATH and gets its arguments as they are. While it runs, an interrupt is left to it,
 * so that the temporary directory is removed in every case.
 */
#include "back/link.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef ADAVIC_LINK_FLAGS
#define ADAVIC_LINK_FLAGS ""
#endif

extern const char adavic_runtime_archive[], adavic_runtime_archive_end[];
extern const char adavic_abi_header[], adavic_abi_header_end[];

const char *workdir_make(Arena *arena, Workdir *dir) {
    const char *root = getenv("TMPDIR");
    if (!root || !*root) root = "/tmp";
    char *path = arena_printf(arena, "%s/adavic-XXXXXX", root);
    if (!mkdtemp(path))
        return arena_printf(arena, "cannot make a temporary directory in %s: %s", root,
                            strerror(errno));
    dir->path = path;
    for (int i = 0; i < BACK_MAX_OBJECTS; i++)
        dir->object[i] = arena_printf(arena, "%s/model%d.o", path, i);
    dir->product = arena_printf(arena, "%s/product", path);
    return NULL;
}

void workdir_remove(Arena *arena, const Workdir *dir) {
    DIR *handle = opendir(dir->path);
    if (!handle) return;
    for (struct dirent *entry; (entry = readdir(handle));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            unlink(arena_printf(arena, "%s/%s", dir->path, entry->d_name));
    closedir(handle);
    rmdir(dir->path);
}

/* All of `data` to the open file, or false. */
static bool write_all(int file, const char *data, size_t n) {
    while (n) {
        ssize_t wrote = write(file, data, n);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return false;
        data += wrote;
        n -= (size_t)wrote;
    }
    return true;
}

static const char *write_with_mode(Arena *arena, const char *path, const char *data, size_t n,
                                   mode_t mode) {
    struct stat at;
    /* A device, a pipe: written in place. */
    bool direct = stat(path, &at) == 0 && !S_ISREG(at.st_mode);
    char *temporary = direct ? NULL : arena_printf(arena, "%s.XXXXXX", path);
    int file = direct ? open(path, O_WRONLY) : mkstemp(temporary);
    if (file < 0) return arena_printf(arena, "cannot write %s: %s", path, strerror(errno));
    mode_t mask = umask(0);
    umask(mask);
    bool good = write_all(file, data, n) && (direct || fchmod(file, mode & ~mask) == 0);
    good = close(file) == 0 && good;
    if (good && !direct) good = rename(temporary, path) == 0;
    if (good) return NULL;
    const char *why = arena_printf(arena, "cannot write %s: %s", path, strerror(errno));
    if (!direct) unlink(temporary);
    return why;
}

const char *write_whole_file(Arena *arena, const char *path, const char *data, size_t n) {
    return write_with_mode(arena, path, data, n, 0666);
}

const char *move_file(Arena *arena, const char *from, const char *to, bool executable) {
    size_t n;
    char *data = read_whole_file(arena, from, &n);
    if (!data) return arena_printf(arena, "cannot read %s: %s", from, strerror(errno));
    return write_with_mode(arena, to, data, n, executable ? 0777 : 0666);
}

typedef VEC(char *) Words;

/* The words of `text`, cut at blanks, appended to `words`. */
static void add_words(Arena *arena, Words *words, const char *text) {
    while (*text) {
        size_t n = strcspn(text, " ");
        if (n) vec_push(arena, words, arena_strndup(arena, text, n));
        text += n + (text[n] == ' ');
    }
}

/* Runs a command to its end. NULL, or a complaint. */
static const char *run_command(Arena *arena, char *const *argv) {
    struct sigaction ignore = {.sa_handler = SIG_IGN}, interrupt, quit;
    sigaction(SIGINT, &ignore, &interrupt);
    sigaction(SIGQUIT, &ignore, &quit);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        sigaction(SIGINT, &interrupt, NULL);
        sigaction(SIGQUIT, &quit, NULL);
        execvp(argv[0], argv);
        _exit(errno == ENOENT ? 127 : 126);
    }
    int status = 0;
    pid_t got = child;
    while (child > 0 && (got = waitpid(child, &status, 0)) < 0 && errno == EINTR) {
    }
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGQUIT, &quit, NULL);
    if (child < 0 || got < 0)
        return arena_printf(arena, "cannot run %s: %s", argv[0], strerror(errno));
    if (WIFSIGNALED(status))
        return arena_printf(arena, "%s was stopped by signal %d", argv[0], WTERMSIG(status));
    if (WEXITSTATUS(status) == 127)
        return arena_printf(arena,
                            "linking needs the command `%s`, which is not on PATH "
                            "(on Debian: apt-get install gcc; or use --emit=obj)",
                            argv[0]);
    if (WEXITSTATUS(status))
        return arena_printf(arena, "%s ended with status %d (its message is above)", argv[0],
                            WEXITSTATUS(status));
    return NULL;
}

/* The C declarations of a library: the interface's header, and where each symbol stands. */
static const char *write_header(Arena *arena, const char *header) {
    return write_whole_file(arena, header, adavic_abi_header,
                            (size_t)(adavic_abi_header_end - adavic_abi_header));
}

/* What a command writes to its output, up to the size of a path; empty where it fails. */
static const char *output_of(Arena *arena, char *const *argv) {
    int ends[2];
    char *text = arena_array(arena, char, PATH_MAX + 1);
    if (pipe(ends)) return text;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        int nothing = open("/dev/null", O_WRONLY);
        dup2(ends[1], STDOUT_FILENO);
        if (nothing >= 0) dup2(nothing, STDERR_FILENO);
        execvp(argv[0], argv);
        _exit(127);
    }
    close(ends[1]);
    size_t n = 0;
    for (ssize_t got; n < PATH_MAX; n += (size_t)got) {
        got = read(ends[0], text + n, PATH_MAX - n);
        if (got < 0 && errno == EINTR)
            got = 0;
        else if (got <= 0)
            break;
    }
    close(ends[0]);
    int status = 1;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (status) *text = 0;
    return text;
}

/* `cc` repeats the name of a file that it does not find, and else says where it is. */
bool link_has_blas(Arena *arena) {
    static const char *const names[] = {"libopenblas.so", "libopenblas.a"};
    for (int i = 0; i < 2; i++) {
        char *ask = arena_printf(arena, "-print-file-name=%s", names[i]);
        char *argv[] = {"cc", ask, NULL};
        if (strchr(output_of(arena, argv), '/')) return true;
    }
    return false;
}

const char *link_model(Arena *arena, const Workdir *dir, const LinkOptions *options,
                       const char *out, const char *header) {
    char *archive = arena_printf(arena, "%s/libadavi_rt.a", dir->path);
    const char *why =
        write_whole_file(arena, archive, adavic_runtime_archive,
                         (size_t)(adavic_runtime_archive_end - adavic_runtime_archive));
    if (why) return why;
    Words words = {0};
    add_words(arena, &words, "cc");
    if (options->shared) add_words(arena, &words, "-shared -Wl,-Bsymbolic");
    add_words(arena, &words, "-o");
    vec_push(arena, &words, arena_strdup(arena, dir->product));
    for (int i = 0; i < BACK_MAX_OBJECTS; i++)
        vec_push(arena, &words, arena_strdup(arena, dir->object[i]));
    vec_push(arena, &words, archive);
    /* the runtime's references are weak, so that --as-needed would drop the library */
    if (options->blas) add_words(arena, &words, "-Wl,--no-as-needed -lopenblas");
    add_words(arena, &words, "-lm -lpthread " ADAVIC_LINK_FLAGS);
    vec_push(arena, &words, NULL);
    why = run_command(arena, words.data);
    if (!why && header) why = write_header(arena, header);
    if (!why) why = move_file(arena, dir->product, out, true);
    return why;
}
