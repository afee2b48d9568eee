/* library_items.h -- what the standard library defines, one after the other, for tests that must
 * leave nothing of it out.
 *
 *     static void is_tried(const Ast *item) { CHECK(..., "%s has no case", item->name.text); }
 *     each_library_item(arena, is_tried);
 */
#ifndef ADAVIC_LIBRARY_ITEMS_H
#define ADAVIC_LIBRARY_ITEMS_H

#include "base/diag.h"
#include "front/ast.h"
#include "front/front.h"

#include <string.h>

static inline void each_library_item(Arena *arena, void (*visit)(const Ast *item)) {
    for (int f = 0; f < stdlib_file_count; f++) {
        const StdlibFile *file = &stdlib_files[f];
        const Ast *ast = front_parse_source(arena, diags_new(arena), file->name, file->text,
                                            strlen(file->text), true);
        for (int i = 0; i < ast->items.n; i++) visit(ast->items.data[i]);
    }
}

#endif
