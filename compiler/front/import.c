/* import.c -- `import "file.hbm";`: the text of other files, read where it is wanted.
 *
 * A file is looked for relative to the one that imports it, then in the folders of -I, in their
 * order. Each file is read once, by whatever name it is reached; a file that imports itself,
 * through others too, is an error. An imported file's declarations become items of the AST_IMPORT
 * node, whose path says that it has been read, so that all that follows treats them as if the text
 * stood there.
 *
 * Nothing is read unless front_import is called: a text that is checked without it cannot reach
 * files.
 */
#include "front/ast.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { MAX_IMPORT_DEPTH = 64 };

/* A file that has been reached. */
typedef struct Imported {
    const char *identity; /* its path without links and dots */
    bool open;            /* its own imports are being read */
} Imported;

typedef struct Importer {
    Arena *arena;
    Diags *diags;
    const char *const *dirs;
    int n_dirs, depth;
    VEC(Imported) files;
    bool failed;
} Importer;

static void read_imports(Importer *im, Ast *node, const char *importing);

static const char *identity_of(Importer *im, const char *path) {
    char *real = realpath(path, NULL);
    const char *identity = arena_strdup(im->arena, real ? real : path);
    free(real);
    return identity;
}

static const char *folder_of(Arena *arena, const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? arena_strndup(arena, path, (size_t)(slash - path) + 1) : "";
}

/* The first path under which the file is there; NULL with the folders that were looked into. */
static const char *find_file(Importer *im, const char *name, const char *importing, Text *looked) {
    struct stat info;
    if (name[0] == '/') {
        if (!stat(name, &info)) return name;
        text_add(looked, "at that path");
        return NULL;
    }
    const char *own = folder_of(im->arena, importing);
    for (int i = -1; i < im->n_dirs; i++) {
        const char *folder = i < 0 ? own : im->dirs[i];
        size_t n = strlen(folder);
        const char *between = n && folder[n - 1] != '/' ? "/" : "";
        const char *path = arena_printf(im->arena, "%s%s%s", folder, between, name);
        if (!stat(path, &info)) return path;
        text_printf(looked, "%s%s", i < 0 ? "in " : ", ", *folder ? folder : ".");
    }
    return NULL;
}

static Imported *find_imported(Importer *im, const char *identity) {
    for (int i = 0; i < im->files.n; i++)
        if (!strcmp(im->files.data[i].identity, identity)) return &im->files.data[i];
    return NULL;
}

static void read_file(Importer *im, Ast *import, const char *path, const char *identity) {
    size_t n;
    struct stat info;
    errno = 0;
    /* a pipe or a device might never end */
    bool regular = !stat(path, &info) && S_ISREG(info.st_mode);
    char *text = regular ? read_whole_file(im->arena, path, &n) : NULL;
    if (!text) {
        diag_report(im->diags, DIAG_IMPORT_UNREADABLE, import->word.span, path,
                    errno                   ? strerror(errno)
                    : S_ISDIR(info.st_mode) ? "it is a folder"
                                            : "it is no regular file");
        im->failed = true;
        return;
    }
    int place = im->files.n;
    vec_push(im->arena, &im->files, (Imported){identity, true});
    Ast *file = front_parse_import(im->arena, im->diags, path, text, n, import->word.span);
    if (!file) {
        im->failed = true;
        return;
    }
    import->items = file->items;
    im->depth++;
    read_imports(im, import, path);
    im->depth--;
    im->files.data[place].open = false;
}

static void read_import(Importer *im, Ast *import, const char *importing) {
    const char *name = import->word.text;
    Text looked;
    text_init(&looked, im->arena);
    const char *path = find_file(im, name, importing, &looked);
    if (!path) {
        diag_report(im->diags, DIAG_IMPORT_NOT_FOUND, import->word.span, name, looked.data);
        diag_help(im->diags, "-I DIR adds a folder to look into");
        im->failed = true;
        return;
    }
    import->path = path;
    const char *identity = identity_of(im, path);
    const Imported *known = find_imported(im, identity);
    if (known && known->open) {
        diag_report(im->diags, DIAG_IMPORT_CYCLE, import->word.span, name);
        im->failed = true;
    } else if (!known && im->depth >= MAX_IMPORT_DEPTH) {
        diag_report(im->diags, DIAG_TOO_DEEP, import->word.span, MAX_IMPORT_DEPTH);
        im->failed = true;
    } else if (!known) {
        read_file(im, import, path, identity);
    }
}

static void read_imports(Importer *im, Ast *node, const char *importing) {
    for (int i = 0; i < node->items.n; i++) {
        Ast *item = node->items.data[i];
        if (item->kind == AST_IMPORT)
            read_import(im, item, importing);
        else
            read_imports(im, item, importing);
    }
}

bool front_import(Arena *arena, Diags *diags, Ast *file, const char *const *dirs, int n_dirs) {
    Importer im = {.arena = arena, .diags = diags, .dirs = dirs, .n_dirs = n_dirs};
    vec_push(arena, &im.files, (Imported){identity_of(&im, file->path), true});
    read_imports(&im, file, file->path);
    return !im.failed;
}
