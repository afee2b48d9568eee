/* test_dual_show.c -- what --emit=json and --emit=dot print: JSON by a strict reader, with every
 * string as it was; a graph whose every edge joins nodes that are there, one per variable, encoding
 * and flow.
 */
#include "check.h"
#include "harness.h"

#include <ctype.h>
#include <stdlib.h>

/* ---- JSON, as RFC 8259 has it; strings are kept in the order of reading ---- */

typedef struct Reader {
    Arena *arena;
    const char *at;
    bool bad;
    VEC(const char *) strings;
} Reader;

static void space(Reader *r) {
    r->at += strspn(r->at, " \n\r\t");
}

static void expect(Reader *r, const char *text) {
    if (strncmp(r->at, text, strlen(text)))
        r->bad = true;
    else
        r->at += strlen(text);
}

static void read_string(Reader *r) {
    Text text;
    text_init(&text, r->arena);
    expect(r, "\"");
    while (!r->bad && *r->at != '"') {
        if ((unsigned char)*r->at < 0x20) r->bad = true;
        if (*r->at != '\\') {
            text_printf(&text, "%c", *r->at++);
            continue;
        }
        char c = r->at[1], hex[5] = "";
        r->at += 2;
        if (c == 'u') {
            for (int i = 0; i < 4; i++)
                if (isxdigit((unsigned char)r->at[i]))
                    hex[i] = r->at[i];
                else
                    r->bad = true;
            long code = strtol(hex, NULL, 16);
            if (code < 1 || code > 0x7f) r->bad = true; /* the writer needs no others */
            if (!r->bad) text_printf(&text, "%c", (int)code);
            if (!r->bad) r->at += 4;
        } else if (c && strchr("\"\\/bfnrt", c)) {
            text_printf(&text, "%c", c == 'n' ? '\n' : c == 't' ? '\t' : c);
        } else {
            r->bad = true;
        }
    }
    expect(r, "\"");
    vec_push(r->arena, &r->strings, text.data);
}

static void read_digits(Reader *r) {
    if (!isdigit((unsigned char)*r->at)) r->bad = true;
    while (isdigit((unsigned char)*r->at)) r->at++;
}

static void read_number(Reader *r) {
    if (*r->at == '-') r->at++;
    if (*r->at == '0' && isdigit((unsigned char)r->at[1])) r->bad = true;
    read_digits(r);
    if (*r->at == '.') r->at++, read_digits(r);
    if (*r->at != 'e' && *r->at != 'E') return;
    r->at += 1 + (r->at[1] == '-' || r->at[1] == '+');
    read_digits(r);
}

static void read_value(Reader *r, int depth) {
    space(r);
    char c = *r->at, end = c == '{' ? '}' : ']';
    if (depth > 20) r->bad = true;
    if (r->bad) return;
    if (c == '"') {
        read_string(r);
    } else if (c == '{' || c == '[') {
        r->at++;
        space(r);
        for (bool more = *r->at != end; more && !r->bad;) {
            if (c == '{') {
                space(r);
                read_string(r);
                space(r);
                expect(r, ":");
            }
            read_value(r, depth + 1);
            space(r);
            more = *r->at == ',';
            r->at += more;
        }
        expect(r, end == '}' ? "}" : "]");
    } else if (c == 't' || c == 'f' || c == 'n') {
        expect(r, c == 't' ? "true" : c == 'f' ? "false" : "null");
    } else {
        read_number(r);
    }
}

static int count_strings(const Reader *r, const char *text) {
    int n = 0;
    for (int i = 0; i < r->strings.n; i++) n += !strcmp(r->strings.data[i], text);
    return n;
}

/* How often `value` stands behind `key`. */
static int count_members(const Reader *r, const char *key, const char *value) {
    int n = 0;
    for (int i = 0; i + 1 < r->strings.n; i++)
        n += !strcmp(r->strings.data[i], key) && !strcmp(r->strings.data[i + 1], value);
    return n;
}

static Reader read_json(const Compiled *c, const char *what) {
    Text text;
    text_init(&text, c->arena);
    dual_print_json(&text, c->dual);
    Reader r = {.arena = c->arena, .at = text.data};
    read_value(&r, 0);
    space(&r);
    CHECK(!r.bad && !*r.at, "%s: no JSON at: %.60s", what, r.at);
    return r;
}

/* ---- DOT: quoted names of nodes, as they are declared and as edges join them ---- */

typedef struct Graph {
    VEC(const char *) nodes, ends; /* ends: two per edge */
    int depth, clusters;
    bool bad;
} Graph;

static const char *dot_name(Arena *arena, const char **at) {
    const char *start = *at;
    if (*start != '"') return NULL;
    for (++*at; **at && **at != '"'; ++*at)
        if (**at == '\\' && (*at)[1]) ++*at;
    if (!**at) return NULL;
    ++*at;
    return arena_strndup(arena, start, (size_t)(*at - start));
}

static Graph read_graph(const Compiled *c) {
    Text text;
    Graph g = {0};
    text_init(&text, c->arena);
    dual_print_dot(&text, c->dual);
    for (const char *at = text.data; *at && !g.bad;) {
        at += strspn(at, " \n;");
        if (!strncmp(at, "subgraph ", 9)) g.clusters++;
        if (*at == '"') {
            const char *name = dot_name(c->arena, &at);
            if (name && !strncmp(at, " -> ", 4)) {
                vec_push(c->arena, &g.ends, name);
                at += 4;
                name = dot_name(c->arena, &at);
                if (name) vec_push(c->arena, &g.ends, name);
            } else if (name && !strncmp(at, " [label=", 8)) {
                vec_push(c->arena, &g.nodes, name);
            }
            if (!name) g.bad = true;
        }
        for (; *at && *at != '\n' && !g.bad; at++) { /* the rest of the line */
            if (*at == '"' && !dot_name(c->arena, &at)) g.bad = true;
            g.depth += *at == '{' ? 1 : *at == '}' ? -1 : 0;
            if (*at == '\n' || !*at) break;
        }
    }
    return g;
}

static int count_nodes(const Graph *g, const char *name) {
    int n = 0;
    for (int i = 0; i < g->nodes.n; i++) n += !strcmp(g->nodes.data[i], name);
    return n;
}

static bool joined(const Graph *g, const char *from, const char *to) {
    for (int i = 0; i + 1 < g->ends.n; i += 2)
        if (!strcmp(g->ends.data[i], from) && !strcmp(g->ends.data[i + 1], to)) return true;
    return false;
}

/* ---- tests ---- */

static const char *const examples[] = {"gre",    "many_groups", "dyestuff",    "pastes",
                                       "robust", "nc",          "four_plates", "every_level"};
static const DualOptions families[] = {{.family = FAMILY_STRUCTURED},
                                       {.family = FAMILY_ADAVI},
                                       {.family = FAMILY_CASCADING},
                                       {.family = FAMILY_ADAVI, .paper = true, .no_exact = true}};

static void whole_json(const Compiled *c, const char *what) {
    Reader r = read_json(c, what);
    CHECK(count_strings(&r, "start") == c->dual->weights.n, "%s: weights", what);
    CHECK(count_strings(&r, "latent") - count_members(&r, "kind", "latent") ==
              c->analysis->n_latents,
          "%s: factors", what);
    for (int i = 0; i < c->model->vars.n; i++)
        CHECK(count_members(&r, "name", c->model->vars.data[i]->name) >= 1, "%s: no %s", what,
              c->model->vars.data[i]->name);
    for (int i = 0; i < c->model->plates.n; i++)
        CHECK(count_members(&r, "name", c->model->plates.data[i]->name) >= 1, "%s: no %s", what,
              c->model->plates.data[i]->name);
}

static void whole_graph(const Compiled *c, const char *what) {
    Graph g = read_graph(c);
    if (!CHECK(!g.bad && g.depth == 0, "%s: no DOT", what)) return;
    CHECK(g.clusters == 2 + 2 * c->model->plates.n, "%s: %d clusters", what, g.clusters);
    for (int i = 0; i < g.ends.n; i++)
        CHECK(count_nodes(&g, g.ends.data[i]) == 1, "%s: an edge at %s", what, g.ends.data[i]);
    for (int i = 0; i < c->model->vars.n; i++) {
        const Var *var = c->model->vars.data[i];
        const char *own = arena_printf(c->arena, "\"%s\"", var->name);
        const char *other = arena_printf(c->arena, "\"q:%s\"", var->name);
        bool random = var->kind == VAR_LATENT || var->kind == VAR_OBSERVED;
        CHECK(count_nodes(&g, own) == 1 && count_nodes(&g, other) == random, "%s: %s", what,
              var->name);
        int drawn = 0;
        for (int k = 0; k < c->dual->flows.n; k++)
            drawn +=
                joined(&g, arena_printf(c->arena, "\"f:%s\"", c->dual->flows.data[k].name), other);
        CHECK(drawn == (var->kind == VAR_LATENT), "%s: %d flows draw %s", what, drawn, var->name);
    }
}

static void examples_are_shown_whole(void) {
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
        for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
            char path[100], what[60];
            snprintf(path, sizeof path, "examples/%s.hbm", examples[i]);
            snprintf(what, sizeof what, "%s, family %zu", examples[i], f);
            Compiled *c = compile_file(path, families[f]);
            if (!CHECK(c, "%s", what)) continue;
            whole_json(c, what);
            whole_graph(c, what);
            compiled_free(c);
        }
}

/* Names from outside: the file's, and a column's. */
static void every_string_is_escaped(void) {
    static const char name[] = "odd \"name\" \\ with\ta tab,\na line and \xc3\xa9";
    Compiled *c = compile_text(name,
                               "latent m ~ normal(0, 1);\n"
                               "plate g(3) from \"a column\" { observed x ~ normal(m, 1); }\n",
                               families[0]);
    if (!CHECK(c, "the model")) return;
    c->model->name = name;
    c->model->plates.data[0]->column = "\"\\\x01";
    Reader r = read_json(c, "odd names");
    CHECK(count_members(&r, "model", name) == 1, "the model's name comes back as another");
    CHECK(count_members(&r, "column", "\"\\\x01") == 1, "the column's name comes back as another");
    whole_graph(c, "odd names");
    compiled_free(c);
}

/* In the structured family b is drawn given what K of the analysis says; its encoding is its
 * plate's. */
static void edges_say_who_reads_what(void) {
    Compiled *c = compile_file("examples/pastes.hbm", families[0]);
    if (!CHECK(c, "pastes")) return;
    Graph g = read_graph(c);
    CHECK(joined(&g, "\"mean\"", "\"b\"") && joined(&g, "\"c\"", "\"strength\""), "the model");
    CHECK(joined(&g, "\"e:cask\"", "\"f:c\"") && joined(&g, "\"q:b\"", "\"f:c\""), "flow of c");
    CHECK(!joined(&g, "\"q:mean\"", "\"f:c\""), "given b and the scales, c needs no mean");
    CHECK(joined(&g, "\"e:assay\"", "\"p:assay\"") && joined(&g, "\"p:assay\"", "\"e:cask\""),
          "what pools the assays of a cask");
    CHECK(joined(&g, "\"p:batch\"", "\"e:\"") && joined(&g, "\"e:\"", "\"f:(globals)\""),
          "the whole data set");
    compiled_free(c);
}

int main(void) {
    RUN(examples_are_shown_whole);
    RUN(every_string_is_escaped);
    RUN(edges_say_who_reads_what);
    return check_done();
}
