/* Conditioning sets, verdicts, certificates and classes of models built by hand, so that each rule
 * of the factorisation is seen to fire, also those that no text of the present language can reach.
 */
#include "check.h"
#include "front/front.h"
#include "model/graph.h"
#include "model_builder.h"

static const Conditioning *factor(const Analysis *analysis, const Var *latent) {
    for (int i = 0; i < analysis->n_latents; i++)
        if (analysis->order[i].latent == latent) return &analysis->order[i];
    return NULL;
}

/* "a b" for K = {a, b}. */
static const char *set_text(Builder *b, const Conditioning *c) {
    Text text;
    text_init(&text, b->arena);
    for (int i = 0; i < c->n_on; i++) text_printf(&text, "%s%s", i ? " " : "", c->on[i]->name);
    return text.data ? text.data : "";
}

static void expect(Builder *b, const Analysis *analysis, const Var *latent, const char *on,
                   bool exact, int hier) {
    const Conditioning *c = factor(analysis, latent);
    if (!CHECK(c, "%s is not in the order", latent->name)) return;
    const char *got = set_text(b, c);
    CHECK(!strcmp(got, on), "K of %s is {%s}, not {%s}", latent->name, got, on);
    CHECK(c->exact == exact, "%s: %s", latent->name, c->reason);
    CHECK(c->hier == hier, "Hier of %s is %d, not %d", latent->name, c->hier, hier);
}

static void random_effects(void) {
    Builder b = builder_new("gre");
    Var *mu = build_latent(&b, "mu", NULL, number(&b, 0), number(&b, 1));
    Plate *group = build_plate(&b, "group", NULL, 3), *obs = build_plate(&b, "obs", group, 50);
    Var *mu_g = build_latent(&b, "mu_g", group, ref(&b, mu), number(&b, 1));
    build_observed(&b, "x", obs, ref(&b, mu_g), number(&b, 1));
    Analysis *a = model_analyse(b.arena, b.model);
    CHECK(!strcmp(a->structure, "pyramid"), "%s", a->structure);
    CHECK(a->n_latents == 2, "%d latents", a->n_latents);
    expect(&b, a, mu, "", true, 2);
    expect(&b, a, mu_g, "mu", true, 1);
    CHECK(group->exchangeable && obs->exchangeable, "%s", group->reason);
    CHECK(strstr(group->reason,
                 "copies of latent mu_g, observed x are conditionally independent given mu"),
          "%s", group->reason);
    CHECK(strstr(obs->reason, "copies of observed x are conditionally independent given mu_g"),
          "%s", obs->reason);
    arena_free(b.arena);
}

/* plate g { a, b; plate k { c ~ N(a); d ~ N(b); x ~ N(c + d) } }: a and b meet only below. */
static void coupled_through_later_latents(void) {
    Builder b = builder_new("coupled");
    Plate *g = build_plate(&b, "g", NULL, 3), *k = build_plate(&b, "k", g, 4);
    Var *va = build_latent(&b, "a", g, number(&b, 0), number(&b, 1));
    Var *vb = build_latent(&b, "b", g, number(&b, 0), number(&b, 1));
    Var *vc = build_latent(&b, "c", k, ref(&b, va), number(&b, 1));
    Var *vd = build_latent(&b, "d", k, ref(&b, vb), number(&b, 1));
    build_observed(&b, "x", k, add(&b, ref(&b, vc), ref(&b, vd)), number(&b, 1));
    Analysis *a = model_analyse(b.arena, b.model);
    expect(&b, a, va, "", true, 1);
    expect(&b, a, vb, "a", true, 1);
    expect(&b, a, vc, "a b", true, 0);
    expect(&b, a, vd, "b c", true, 0);
    arena_free(b.arena);
}

/* Crossed-out coupling: without the observed sum the two halves part. */
static void uncoupled_halves(void) {
    Builder b = builder_new("halves");
    Plate *g = build_plate(&b, "g", NULL, 3);
    Var *va = build_latent(&b, "a", g, number(&b, 0), number(&b, 1));
    Var *vb = build_latent(&b, "b", g, number(&b, 0), number(&b, 1));
    build_observed(&b, "x", g, ref(&b, va), number(&b, 1));
    build_observed(&b, "y", g, ref(&b, vb), number(&b, 1));
    Analysis *a = model_analyse(b.arena, b.model);
    expect(&b, a, va, "", true, 0);
    expect(&b, a, vb, "", true, 0);
    TemplateGraph *graph = model_graph(b.arena, b.model);
    bool exact;
    model_mean_field_verdict(b.arena, graph, 1, &exact);
    CHECK(exact, "a mean-field guide loses nothing here");
    CHECK(strstr(g->reason, "are independent"), "%s", g->reason);
    arena_free(b.arena);
}

/* Scales and mean outside, a latent at each of three levels, the observation noise is a scale too.
 */
static void three_levels(void) {
    Builder b = builder_new("pastes");
    Plate *batch = build_plate(&b, "batch", NULL, 10), *cask = build_plate(&b, "cask", batch, 3);
    Plate *assay = build_plate(&b, "assay", cask, 2);
    Var *mean = build_latent(&b, "mean", NULL, number(&b, 60), number(&b, 10));
    Var *sd_b = build_latent(&b, "sd_batch", NULL, number(&b, 0), number(&b, 5));
    Var *sd_c = build_latent(&b, "sd_cask", NULL, number(&b, 0), number(&b, 5));
    Var *sd_a = build_latent(&b, "sd_assay", NULL, number(&b, 0), number(&b, 2));
    Var *vb = build_latent(&b, "b", batch, ref(&b, mean), ref(&b, sd_b));
    Var *vc = build_latent(&b, "c", cask, ref(&b, vb), ref(&b, sd_c));
    build_observed(&b, "strength", assay, ref(&b, vc), ref(&b, sd_a));
    Analysis *a = model_analyse(b.arena, b.model);
    expect(&b, a, mean, "", true, 3);
    expect(&b, a, sd_b, "mean", true, 3);
    expect(&b, a, sd_c, "mean sd_batch", true, 3);
    expect(&b, a, sd_a, "mean sd_batch sd_cask", true, 3);
    expect(&b, a, vb, "mean sd_batch sd_cask sd_assay", true, 2);
    expect(&b, a, vc, "sd_cask sd_assay b", true, 1);
    TemplateGraph *graph = model_graph(b.arena, b.model);
    bool exact;
    const char *why = model_mean_field_verdict(b.arena, graph, 4, &exact);
    CHECK(!exact, "mean-field is not exact for b");
    CHECK(strstr(why, "mean, sd_batch, sd_cask and c"), "%s", why);
    arena_free(b.arena);
}

/* Two branches under one latent; data at an inner and at an outer level. */
static void tree_of_plates(void) {
    Builder b = builder_new("tree");
    Var *top = build_latent(&b, "top", NULL, number(&b, 0), number(&b, 1));
    Plate *left = build_plate(&b, "left", NULL, 3), *right = build_plate(&b, "right", NULL, 4);
    Plate *leaf = build_plate(&b, "leaf", right, 5);
    Var *l = build_latent(&b, "l", left, ref(&b, top), number(&b, 1));
    build_observed(&b, "x", left, ref(&b, l), number(&b, 1));
    Var *r = build_latent(&b, "r", right, ref(&b, top), number(&b, 1));
    build_observed(&b, "y", leaf, ref(&b, r), number(&b, 1));
    Analysis *a = model_analyse(b.arena, b.model);
    CHECK(!strcmp(a->structure, "tree of plates"), "%s", a->structure);
    expect(&b, a, top, "", true, 2);
    expect(&b, a, l, "top", true, 0);
    expect(&b, a, r, "top", true, 1);
    arena_free(b.arena);
}

static void order_is_top_down(void) {
    Builder b = builder_new("order");
    Plate *g = build_plate(&b, "g", NULL, 3);
    Var *inner = build_latent(&b, "inner", g, number(&b, 0), number(&b, 1));
    Var *first = build_latent(&b, "first", NULL, number(&b, 0), number(&b, 1));
    Var *second = build_latent(&b, "second", NULL, number(&b, 0), number(&b, 1));
    build_observed(&b, "x", g, add(&b, ref(&b, inner), ref(&b, second)), ref(&b, first));
    Analysis *a = model_analyse(b.arena, b.model);
    CHECK(a->order[0].latent == first && a->order[1].latent == second &&
              a->order[2].latent == inner,
          "order %s %s %s", a->order[0].latent->name, a->order[1].latent->name,
          a->order[2].latent->name);
    expect(&b, a, inner, "first second", true, 0);
    arena_free(b.arena);
}

static void lets_and_functions(void) {
    Builder b = builder_new("lets");
    Function *second = build_function(&b, "second", 2, param(&b, 1));
    Function *nested = build_function(
        &b, "nested", 2, call(&b, second, param(&b, 1), add(&b, param(&b, 0), number(&b, 1))));
    Var *u = build_latent(&b, "u", NULL, number(&b, 0), number(&b, 1));
    Var *v = build_latent(&b, "v", NULL, number(&b, 0), number(&b, 1));
    Var *h = build_var(&b, VAR_HYPER, "h", NULL);
    Var *s =
        build_let(&b, "s", NULL, call(&b, nested, add(&b, ref(&b, u), ref(&b, h)), ref(&b, v)));
    Var *t = build_let(&b, "t", NULL, add(&b, ref(&b, s), ref(&b, s)));
    Expr *e = ref(&b, t);
    CHECK(expr_mentions(e, u), "u is behind t");
    CHECK(expr_mentions(e, s), "s is behind t");
    CHECK(expr_mentions(e, h), "h is behind t");
    CHECK(!expr_mentions(e, v), "nested(u, v) reads only its first argument");
    arena_free(b.arena);
}

/* Thirty lets, each twice the one before: a walk that revisits would take 2^30 steps. */
static void shared_lets_are_walked_once(void) {
    Builder b = builder_new("doubling");
    Var *u = build_latent(&b, "u", NULL, number(&b, 0), number(&b, 1));
    Var *last = u;
    for (int i = 0; i < 60; i++)
        last = build_let(&b, arena_printf(b.arena, "t%d", i), NULL,
                         add(&b, ref(&b, last), ref(&b, last)));
    CHECK(expr_mentions(ref(&b, last), u), "u is behind the last let");
    arena_free(b.arena);
}

/* A value that reads all instances of a plate couples them. */
static void reductions_are_approximate(void) {
    Builder b = builder_new("reduction");
    Plate *g = build_plate(&b, "g", NULL, 3);
    Var *z = build_latent(&b, "z", g, number(&b, 0), number(&b, 1));
    build_observed(&b, "total", NULL, ref(&b, z), number(&b, 1));
    Analysis *a = model_analyse(b.arena, b.model);
    expect(&b, a, z, "", false, 0);
    const char *why = a->order[0].reason;
    CHECK(strstr(why, "leave one instance of plate g through `total`"), "%s", why);
    bool exact;
    why = model_mean_field_verdict(b.arena, model_graph(b.arena, b.model), 0, &exact);
    CHECK(!exact && strstr(why, "coupled through `total`"), "%s", why);
    arena_free(b.arena);
}

static void certificate_can_fail(void) {
    Builder b = builder_new("broken");
    Plate *g = build_plate(&b, "g", NULL, 3), *h = build_plate(&b, "h", NULL, 3);
    Var *z = build_latent(&b, "z", g, number(&b, 0), number(&b, 1));
    build_observed(&b, "x", h, add(&b, number(&b, 1), ref(&b, z)), number(&b, 1));
    model_analyse(b.arena, b.model);
    CHECK(g->exchangeable, "%s", g->reason);
    CHECK(!h->exchangeable, "%s", h->reason);
    CHECK(strstr(h->reason, "`x` reads `z`"), "%s", h->reason);
    arena_free(b.arena);
}

static void no_plates(void) {
    Builder b = builder_new("flat");
    Var *z = build_latent(&b, "z", NULL, number(&b, 0), number(&b, 1));
    build_observed(&b, "x", NULL, ref(&b, z), number(&b, 1));
    Analysis *a = model_analyse(b.arena, b.model);
    CHECK(!strcmp(a->structure, "no plates"), "%s", a->structure);
    expect(&b, a, z, "", true, 0);
    Text text;
    text_init(&text, b.arena);
    model_print_analysis(&text, a, "structured", FACTORS_STRUCTURED);
    model_print_descriptors(&text, a, "adavi");
    CHECK(strstr(text.data, "no plates"), "%s", text.data);
    arena_free(b.arena);
}

/* ---- from text ---- */

static Analysis *analyse_text(Arena *arena, const char *text) {
    Diags *diags = diags_new(arena);
    Ast *ast = front_parse(arena, diags, "model.hbm", text, strlen(text));
    Model *model = ast ? front_check(arena, diags, ast, NULL, 0) : NULL;
    if (!model) diags_print(diags, stdout, false);
    return model ? model_analyse(arena, model) : NULL;
}

static void text_with_lets_and_functions(void) {
    Arena *arena = arena_new();
    Analysis *a = analyse_text(arena, "fn mix(a, b) = a + 2 * b;\n"
                                      "latent s ~ half_normal(1);\n"
                                      "plate g(3) {\n"
                                      "  latent a ~ normal(0, s);\n"
                                      "  latent b ~ normal(0, 1);\n"
                                      "  plate k(4) {\n"
                                      "    latent c ~ normal(a, 1);\n"
                                      "    latent d ~ normal(b, 1);\n"
                                      "    let m = mix(c, d);\n"
                                      "    observed x ~ normal(m, 1);\n"
                                      "  }\n"
                                      "}\n");
    if (!CHECK(a, "the model does not check")) return;
    Builder b = {.arena = arena};
    static const char *const on[] = {"", "s", "a", "a b", "b c"};
    static const char *const names[] = {"s", "a", "b", "c", "d"};
    for (int i = 0; i < 5; i++) {
        CHECK(!strcmp(a->order[i].latent->name, names[i]), "%d: %s", i, a->order[i].latent->name);
        const char *got = set_text(&b, &a->order[i]);
        CHECK(!strcmp(got, on[i]), "K of %s is {%s}, not {%s}", names[i], got, on[i]);
    }
    arena_free(arena);
}

static void prints_fit_a_terminal(void) {
    Arena *arena = arena_new();
    char *text = read_whole_file(arena, "examples/pastes.hbm", NULL);
    Analysis *a = text ? analyse_text(arena, text) : NULL;
    if (!CHECK(a, "examples/pastes.hbm does not check")) return;
    Text out;
    text_init(&out, arena);
    for (int factors = FACTORS_STRUCTURED; factors <= FACTORS_JOINT; factors++) {
        model_print_descriptors(&out, a, "structured");
        model_print_analysis(&out, a, "structured", (Factors)factors);
    }
    for (const char *line = out.data; *line; line += strcspn(line, "\n") + 1)
        CHECK(strcspn(line, "\n") <= 80, "%.*s", (int)strcspn(line, "\n"), line);
    CHECK(strstr(out.data, "q(b | mean, sd_batch, sd_cask and sd_assay; strength)"), "%s",
          out.data);
    CHECK(strstr(out.data, "batch (10): exchangeable: no expression inside"), "%s", out.data);
    arena_free(arena);
}

int main(void) {
    RUN(random_effects);
    RUN(coupled_through_later_latents);
    RUN(uncoupled_halves);
    RUN(three_levels);
    RUN(tree_of_plates);
    RUN(order_is_top_down);
    RUN(lets_and_functions);
    RUN(shared_lets_are_walked_once);
    RUN(reductions_are_approximate);
    RUN(certificate_can_fail);
    RUN(no_plates);
    RUN(text_with_lets_and_functions);
    RUN(prints_fit_a_terminal);
    return check_done();
}
