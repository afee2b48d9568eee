/* ast_print.c -- the AST as text, one node a line, children indented (--emit=ast). Reads ast.def
 * for the nodes' names. */
#include "front/ast.h"

static const char *const kind_names[AST_KIND_COUNT] = {
#define AST(KIND, name, fields) [AST_##KIND] = #name,
#include "front/ast.def"
#undef AST
};

static void print_node(Text *out, const Ast *node, const char *role, int indent);

static void print_list(Text *out, const char *role, Ast *const *nodes, int n, int indent) {
    for (int i = 0; i < n; i++) print_node(out, nodes[i], role, indent);
}

static void print_node(Text *out, const Ast *node, const char *role, int indent) {
    text_printf(out, "%*s%s%s", 2 * indent, "", role, kind_names[node->kind]);
    if (node->elem.text) text_printf(out, " %s", node->elem.text);
    if (node->name.text) text_printf(out, " %s", node->name.text);
    if (node->word.text) text_printf(out, " `%s`", node->word.text);
    if (node->kind == AST_NUMBER) text_printf(out, " %.17g", node->number);
    text_add(out, "\n");
    print_list(out, "dim ", node->dims.data, node->dims.n, indent + 1);
    print_list(out, "", node->args.data, node->args.n, indent + 1);
    if (node->value) print_node(out, node->value, "= ", indent + 1);
    print_list(out, "", node->items.data, node->items.n, indent + 1);
}

void front_print_ast(Text *out, const Ast *ast) {
    print_node(out, ast, "", 0);
}
