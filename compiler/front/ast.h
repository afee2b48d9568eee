/* ast.h -- the abstract syntax tree: what the grammar builds and check.c reads. Private to the
 * front end.
 *
 * One node type for all kinds; ast.def says which fields a kind uses, the others are zero. Spans
 * are byte ranges of the source. `depth` is the height of the tree below, kept under AST_MAX_DEPTH
 * so that everything that descends may recurse.
 */
#ifndef ADAVIC_FRONT_AST_H
#define ADAVIC_FRONT_AST_H

#include "base/base.h"
#include "base/diag.h"
#include "front/front.h"

typedef enum {
#define AST(KIND, ...) AST_##KIND,
#include "front/ast.def"
#undef AST
    AST_KIND_COUNT
} AstKind;

enum { AST_MAX_DEPTH = 500, AST_MAX_NAME = 80, AST_MAX_FILE = 1 << 22 };

typedef VEC(Ast *) AstList;

/* A word of the text and where it stands; text == NULL: not written. */
typedef struct AstWord {
    const char *text;
    Span span;
} AstWord;

struct Ast {
    AstKind kind;
    Span span;
    AstWord name, word, elem;
    const char *doc; /* text of the /// comment before it, or NULL */
    double number;
    Ast *value;
    AstList dims, args, items;
    int depth;
    const char *path; /* of a FILE; of an IMPORT that has been read */
};

/* What lexer and parser share while one file is read. */
typedef struct Parser {
    Arena *arena;
    Diags *diags;
    const char *text;
    int file;
    bool library; /* the file belongs to the standard library */
    bool failed;
    Ast *root;
    /* lexer */
    uint32_t offset;
    /* 1: a character was refused since the last `;` or `}`; 2: a string was never closed; what the
     * parser then says is likely but a consequence */
    int silenced;
    int last,
        since_start; /* the last token; the number of tokens since a declaration could start */
    const char *doc; /* /// lines not yet claimed by a declaration */
} Parser;

/* ---- parse.c: what the actions of the grammar call ---- */
Ast *ast_node(Parser *parser, AstKind kind, Span span);
Ast *ast_named(Parser *parser, AstKind kind, Span span, AstWord name);
Ast *ast_operator(Parser *parser, Span span, AstWord op, Ast *left, Ast *right);
AstList *ast_list(Parser *parser, AstList *list, Ast *node);
/* To be called once all children are set: computes the depth, and reports it when it is beyond the
 * limit. */
Ast *ast_close(Parser *parser, Ast *node);

/* ---- parse.c: what the lexer calls, and the parser when the text does not fit ---- */
int parse_scan(Parser *parser, const char *text, size_t n); /* at the end of hbm.l */
double parse_number(Parser *parser, const char *text, Span span);
void parse_bad_character(Parser *parser, const char *text, size_t n, Span span);
void parse_open_comment(Parser *parser);
/* `expected` holds names of tokens as hbm.y declares them. */
void parse_syntax_error(Parser *parser, Span span, const char **expected, int n);
void parse_stack_full(Parser *parser, Span span);

Ast *front_parse_source(Arena *arena, Diags *diags, const char *path, const char *text, size_t n,
                        bool library);
/* The same of a file that is imported at `from`. */
Ast *front_parse_import(Arena *arena, Diags *diags, const char *path, const char *text, size_t n,
                        Span from);

#endif
