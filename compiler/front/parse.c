/* parse.c -- from text to AST: runs lexer and parser (grammar/), builds nodes, and words their
 * complaints. */
#include "front/ast.h"

#include <math.h>
#include <stdlib.h>

/* ---- nodes ---- */

Ast *ast_node(Parser *parser, AstKind kind, Span span) {
    Ast *node = arena_new_of(parser->arena, Ast);
    node->kind = kind;
    node->span = span;
    return node;
}

Ast *ast_named(Parser *parser, AstKind kind, Span span, AstWord name) {
    Ast *node = ast_node(parser, kind, span);
    node->name = name;
    return node;
}

Ast *ast_operator(Parser *parser, Span span, AstWord op, Ast *left, Ast *right) {
    Ast *node = ast_node(parser, right ? AST_BINARY : AST_UNARY, span);
    node->word = op;
    ast_list(parser, &node->args, left);
    if (right) ast_list(parser, &node->args, right);
    return node;
}

AstList *ast_list(Parser *parser, AstList *list, Ast *node) {
    if (!list) list = arena_new_of(parser->arena, AstList);
    if (node) vec_push(parser->arena, list, node);
    return list;
}

static int deepest(const AstList *list, int depth) {
    for (int i = 0; i < list->n; i++)
        if (list->data[i]->depth > depth) depth = list->data[i]->depth;
    return depth;
}

Ast *ast_close(Parser *parser, Ast *node) {
    int below = node->value ? node->value->depth : 0;
    below = deepest(&node->dims, below);
    below = deepest(&node->args, below);
    below = deepest(&node->items, below);
    node->depth = below + 1;
    if (node->depth <= AST_MAX_DEPTH) return node;
    parse_stack_full(parser, node->span);
    return NULL;
}

/* ---- complaints ---- */

double parse_number(Parser *parser, const char *text, Span span) {
    double number = strtod(text, NULL);
    if (isfinite(number)) return number;
    diag_report(parser->diags, DIAG_BAD_NUMBER, span, text);
    parser->failed = true;
    return 1;
}

void parse_bad_character(Parser *parser, const char *text, size_t n, Span span) {
    unsigned char c = (unsigned char)text[0];
    char shown[64];
    if (c < 32 || c == 127)
        snprintf(shown, sizeof shown, "0x%02x", c);
    else
        snprintf(shown, sizeof shown, "`%.*s`", n > 16 ? 16 : (int)n, text);
    diag_report(parser->diags, DIAG_BAD_CHARACTER, span, shown);
    parser->silenced |= 1;
    parser->failed = true;
}

void parse_open_comment(Parser *parser) {
    /* Comments are rare enough that finding this one again costs less than keeping its start. */
    uint32_t at = parser->offset;
    while (at > 1 && !(parser->text[at - 2] == '/' && parser->text[at - 1] == '*')) at--;
    diag_report(parser->diags, DIAG_OPEN_COMMENT, (Span){parser->file, at < 2 ? 0 : at - 2, at});
    parser->failed = true;
}

void parse_stack_full(Parser *parser, Span span) {
    diag_report(parser->diags, DIAG_TOO_DEEP, span, AST_MAX_DEPTH);
    parser->failed = true;
}

typedef struct Group {
    const char *summary;
    const char *members[18];
} Group;

/* Where every member of a group is expected, the group's name says it shorter. */
static const Group groups[] = {
    {"an expression", {"name", "number", "-", "!", "(", "["}},
    {"an operator",
     {"==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "@", "^", "?"}},
    {"a declaration",
     {"const", "hyper", "context", "latent", "observed", "given", "let", "quantity", "plate",
      "sequence", "cross", "fn", "distribution", "link", "dual", "import", "default"}},
};

static int find_word(const char *const *words, int n, const char *word) {
    for (int i = 0; i < n; i++)
        if (words[i] && strcmp(words[i], word) == 0) return i;
    return -1;
}

/* Replaces all members of `group` in expected[0..n) by its summary (the others move up); the number
 * left. */
static int summarise(const Group *group, const char **expected, int n) {
    for (int m = 0; group->members[m]; m++)
        if (find_word(expected, n, group->members[m]) < 0) return n;
    int left = 0;
    for (int i = 0; i < n; i++)
        if (find_word(group->members, 18, expected[i]) < 0) expected[left++] = expected[i];
    expected[left++] = group->summary;
    return left;
}

static bool plain_word(const char *text) {
    return strchr(text, ' ') || strcmp(text, "name") == 0 || strcmp(text, "number") == 0 ||
           strcmp(text, "string") == 0;
}

void parse_syntax_error(Parser *parser, Span span, const char **expected, int n) {
    parser->failed = true;
    if (parser->silenced) return;
    for (int i = 0; i < n; i++) /* hbm.y writes '+', or "name" */
        if (expected[i][0] == '\'')
            expected[i] = arena_strndup(parser->arena, expected[i] + 1, strlen(expected[i]) - 2);
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        n = summarise(&groups[i], expected, n);
    Text text;
    text_init(&text, parser->arena);
    for (int i = 0; i < n; i++) {
        if (i > 0) text_add(&text, i == n - 1 ? " or " : ", ");
        if (strcmp(expected[i], "name") == 0)
            text_add(&text, "a name");
        else if (strcmp(expected[i], "number") == 0)
            text_add(&text, "a number");
        else if (strcmp(expected[i], "string") == 0)
            text_add(&text, "a string");
        else
            text_printf(&text, plain_word(expected[i]) ? "%s" : "`%s`", expected[i]);
    }
    const char *found = "end of file";
    if (span.end > span.begin)
        found = arena_printf(parser->arena, "`%.*s`",
                             span.end - span.begin > 40 ? 40 : (int)(span.end - span.begin),
                             parser->text + span.begin);
    diag_report(parser->diags, DIAG_SYNTAX, span, n ? text.data : "something else", found);
}

/* ---- files ---- */

static Ast *parse_file(Parser parser, const char *path, size_t n) {
    if (n > AST_MAX_FILE) {
        diag_report(parser.diags, DIAG_FILE_TOO_LARGE, (Span){parser.file, 0, 0}, (long long)n,
                    AST_MAX_FILE);
        return NULL;
    }
    int status = parse_scan(&parser, parser.text, n);
    if (status != 0 || parser.failed || !parser.root) return NULL;
    parser.root->path = arena_strdup(parser.arena, path);
    parser.root->span = (Span){parser.file, 0, (uint32_t)n};
    return parser.root;
}

Ast *front_parse_source(Arena *arena, Diags *diags, const char *path, const char *text, size_t n,
                        bool library) {
    int file = diags_add_source(diags, path, text, n);
    return parse_file(
        (Parser){.arena = arena, .diags = diags, .text = text, .file = file, .library = library},
        path, n);
}

Ast *front_parse_import(Arena *arena, Diags *diags, const char *path, const char *text, size_t n,
                        Span from) {
    int file = diags_add_source(diags, path, text, n);
    diags_set_origin(diags, file, from);
    return parse_file((Parser){.arena = arena, .diags = diags, .text = text, .file = file}, path,
                      n);
}

Ast *front_parse(Arena *arena, Diags *diags, const char *path, const char *text, size_t n) {
    return front_parse_source(arena, diags, path, text, n, false);
}
