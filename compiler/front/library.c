/* library.c -- docs/distributions.md: what the standard library has, from its own text. */
#include "front/check.h"

/* The part of `text` under `span` on one line, without runs of blanks. */
static void add_source(Text *out, const char *text, uint32_t begin, uint32_t end) {
    bool blank = false;
    for (uint32_t i = begin; i < end; i++) {
        bool space = text[i] == ' ' || text[i] == '\n';
        if (!space) text_printf(out, "%s%c", blank ? " " : "", text[i]);
        blank = space;
    }
}

static const Ast *member_of(const Ast *definition, const char *name) {
    for (int i = 0; i < definition->items.n; i++)
        if (strcmp(definition->items.data[i]->name.text, name) == 0)
            return definition->items.data[i];
    return NULL;
}

/* Which optional members a distribution has: "log_cdf, log_ccdf". */
static void add_optional(Text *out, const Ast *ast) {
    bool any = false;
    for (int i = 0; i < ast->items.n; i++) {
        const char *name = ast->items.data[i]->name.text;
        if (strcmp(name, "sample") == 0 || strcmp(name, "log_prob") == 0) continue;
        text_printf(out, "%s`%s`", any ? ", " : "", name);
        any = true;
    }
    text_add(out, " | ");
}

/* One row: the head up to its colon, the support, the body of a member (or of a function), of a
 * distribution its optional members, the doc comment. */
static void add_row(Text *out, const char *text, const Ast *ast, const char *member) {
    const Ast *shown = member ? member_of(ast, member) : NULL;
    const Ast *body = shown ? shown->value : ast->value;
    uint32_t head = ast->value->span.begin;
    while (text[head] != (member ? ':' : '=')) head--;
    while (text[head - 1] == ' ') head--;
    text_add(out, "| `");
    add_source(out, text, ast->name.span.begin, head);
    if (member) {
        text_add(out, "` | `");
        add_source(out, text, ast->value->span.begin, ast->value->span.end);
    }
    text_add(out, "` | `");
    add_source(out, text, body->span.begin, body->span.end);
    text_add(out, "` | ");
    if (ast->kind == AST_DISTRIBUTION) add_optional(out, ast);
    if (ast->doc) add_source(out, ast->doc, 0, (uint32_t)strlen(ast->doc));
    text_add(out, " |\n");
}

static void add_rows(Text *out, Ast *const *files, AstKind kind, const char *member) {
    for (int i = 0; i < stdlib_file_count; i++)
        for (int k = 0; files[i] && k < files[i]->items.n; k++)
            if (files[i]->items.data[k]->kind == kind)
                add_row(out, stdlib_files[i].text, files[i]->items.data[k], member);
}

void front_print_library(Text *out) {
    Diags *diags = diags_new(out->arena);
    Ast **files = arena_array(out->arena, Ast *, stdlib_file_count + 1);
    for (int i = 0; i < stdlib_file_count; i++) {
        const StdlibFile *file = &stdlib_files[i];
        files[i] =
            front_parse_source(out->arena, diags, file->name, file->text, strlen(file->text), true);
    }
    text_add(out,
             "# The standard library\n\nWritten by `make docs` from the files in `stdlib/`, which "
             "are part of adavic.\n\n## Distributions\n\n"
             "| distribution | values | log density at x | also | |\n"
             "| --- | --- | --- | --- | --- |\n");
    add_rows(out, files, AST_DISTRIBUTION, "log_prob");
    text_add(
        out,
        "\n`truncated(dist(...), lo, hi)`, with one bound or both, by position or by name, is the "
        "law of `dist` given that the value lies between them: "
        "`latent s ~ truncated(normal(0, 1), lo = 0);`. It takes the distributions above that "
        "have `log_cdf`, `log_ccdf` and `quantile`; draws are made by the quantile of a uniform "
        "number. `censored(dist(...), lo, hi)` is that of a value that is reported as the bound "
        "where it "
        "lies beyond it: there its probability is the tail's. It needs `log_cdf` and `log_ccdf`.\n"
        "\n`zero_inflated(p, dist(...))` is 0 with probability p and else a draw of a distribution "
        "of counts, "
        "`hurdle(p, dist(...))` else a draw that is above 0: of a count, whose distribution has "
        "`sample_positive`, or of a positive number. `sorted(dist(...))` is the law of a vector's "
        "independent "
        "entries put in increasing order; its distribution has `quantile`.\n"
        "\n`push(link, dist(...))` is the law of link(v) for v from `dist`. `mixture(w, dist(...), "
        "dist(...), ...)` and `mixture(w, k in K: dist(...))` yield a draw of one component, each "
        "with its probability in the simplex `w`. `category(k)` is one of 0 .. k - 1, each as "
        "often.\n");
    text_add(out, "\n## Links\n\nFrom an unconstrained v to a latent's support. "
                  "`latent s ~ gamma(1, 2) via exp;` names one; `exp.inverse(y)` and "
                  "`exp.log_jacobian(v)` are functions.\n\n"
                  "| link | to | forward | |\n| --- | --- | --- | --- |\n");
    add_rows(out, files, AST_LINK, "forward");
    text_add(out, "\n## Functions written in the language\n\n"
                  "| function | value | |\n| --- | --- | --- |\n");
    add_rows(out, files, AST_FN, NULL);
}
