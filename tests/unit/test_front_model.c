/* test_front_model.c -- what the front end makes of a model: types, plates, supports, links,
 * values, hash. */
#include "base/diag.h"
#include "front/front.h"

#include "check.h"

#include <stdlib.h>

static Arena *arena;

/* The model of `text`, or NULL; *errors counts what was reported. */
static Model *model_of(const char *path, const char *text, const Define *defines, int n,
                       int *errors) {
    Diags *diags = diags_new(arena);
    Ast *ast = front_parse(arena, diags, path, text, strlen(text));
    Model *model = ast ? front_check(arena, diags, ast, defines, n) : NULL;
    if (errors)
        *errors = diags_errors(diags);
    else if (diags_errors(diags))
        diags_print(diags, stdout, false);
    return model;
}

static Model *good_model(const char *text) {
    return model_of("dir/some.model.hbm", text, NULL, 0, NULL);
}

static Var *var_of(const Model *model, const char *name) {
    for (int i = 0; model && i < model->vars.n; i++)
        if (strcmp(model->vars.data[i]->name, name) == 0) return model->vars.data[i];
    return NULL;
}

static const char gre[] = "const D = 2; hyper s_mu = 0.5; hyper s_g = 0.5; hyper s_x = 0.1;\n"
                          "latent mu[D] ~ normal(0, s_mu);\n"
                          "plate group(3) { latent mu_g[D] ~ normal(mu, s_g);\n"
                          "  plate obs(50) from \"row\" { observed x[D] ~ normal(mu_g, s_x); } }\n";

static void gre_is_understood(void) {
    Model *m = good_model(gre);
    if (!CHECK(m, "refused")) return;
    CHECK(strcmp(m->name, "some.model") == 0, "the model is called %s", m->name);
    if (!CHECK(m->plates.n == 2, "%d plates", m->plates.n)) return;
    const Plate *group = m->plates.data[0], *obs = m->plates.data[1];
    CHECK(!group->parent && group->depth == 0 && group->size == 3 && group->index == 0, "group");
    CHECK(obs->parent == group && obs->depth == 1 && obs->size == 50 && obs->index == 1, "obs");
    CHECK(!group->column && obs->column && strcmp(obs->column, "row") == 0, "columns");
    CHECK(m->vars.n == 6, "%d variables", m->vars.n);
    for (int i = 0; i < m->vars.n; i++) CHECK(m->vars.data[i]->index == i, "variable %d", i);
    const Var *x = var_of(m, "x"), *mu = var_of(m, "mu"), *mu_g = var_of(m, "mu_g");
    if (!CHECK(x && mu && mu_g, "a variable is missing")) return;
    CHECK(x->kind == VAR_OBSERVED && x->type.plate == obs && !x->link, "x");
    CHECK(x->type.n_dims == 1 && x->type.dims[0] == 2, "dimensions of x");
    CHECK(mu->kind == VAR_LATENT && !mu->type.plate, "mu");
    CHECK(mu_g->type.plate == group && strcmp(mu_g->link->name, "identity") == 0, "mu_g");
    CHECK(x->args[0]->kind == EXPR_VAR && x->args[0]->var == mu_g &&
              x->args[0]->type.plate == group,
          "location of x");
    CHECK(x->args[1]->var && x->args[1]->var->numbers[0] == 0.1, "scale of x");
    CHECK(m->distributions.n == 1 && m->links.n == 1, "%d distributions, %d links",
          m->distributions.n, m->links.n);
}

static void arguments_go_by_name_or_position(void) {
    Model *m =
        good_model("latent a ~ normal(scale = 2, loc = 1); latent b ~ normal(1, scale = 2);\n"
                   "observed x ~ normal(a + b, 1);");
    if (!CHECK(m, "refused")) return;
    for (int i = 0; i < 2; i++) {
        const Var *v = m->vars.data[i];
        CHECK(v->args[0]->number == 1 && v->args[1]->number == 2, "%s", v->name);
    }
}

static void supports_and_links_follow_the_distribution(void) {
    Model *m = good_model(
        "hyper top[2] = [1, 4]; latent g ~ gamma(1, 2); latent e ~ exponential(1) via exp;\n"
        "latent u[2] ~ uniform(-g, top); latent l ~ laplace(0, 1);\n"
        "observed x[2] ~ normal(u * l, g + e);");
    if (!CHECK(m, "refused")) return;
    const Var *g = var_of(m, "g"), *e = var_of(m, "e"), *u = var_of(m, "u"), *l = var_of(m, "l");
    CHECK(g->support.kind == SUPPORT_POSITIVE && strcmp(g->link->name, "softplus") == 0, "g");
    CHECK(g->link->scaled && g->link->n_params == 1, "softplus is scaled");
    CHECK(strcmp(e->link->name, "exp") == 0 && !e->link->scaled, "e");
    CHECK(l->support.kind == SUPPORT_REAL && strcmp(l->link->name, "identity") == 0, "l");
    CHECK(u->support.kind == SUPPORT_INTERVAL && strcmp(u->link->name, "interval") == 0, "u");
    const Expr *lo = u->support.lo, *hi = u->support.hi;
    CHECK(lo->kind == EXPR_OP && lo->opcode == OP_NEG && lo->args[0]->var == g, "lower end of u");
    CHECK(hi->kind == EXPR_VAR && hi->var->kind == VAR_HYPER && hi->type.dims[0] == 2,
          "upper end of u");
}

/* On the scale of softplus a power of a tail stays one, which no guide's tail follows; its
 * logarithm falls as an exponential. */
static void laws_with_long_tails_have_links_of_their_own(void) {
    static const struct {
        const char *law, *link;
    } cases[] = {
        {"half_normal(2)", "softplus"},        {"exponential(3)", "softplus"},
        {"gamma(0.3, 2)", "softplus"},         {"truncated(normal(0, 1), lo = 0)", "softplus"},
        {"weibull(2, 1)", "softplus"},         {"half_cauchy(1)", "exp"},
        {"half_student_t(3, 1)", "exp"},       {"lognormal(0, 1)", "exp"},
        {"lognormal(0, 0.1)", "softplus"},     {"weibull(0.5, 1)", "exp"},
        {"push(exp, normal(0, 1))", "exp"},    {"half_cauchy(1) via softplus", "softplus"},
        {"half_student_t(60, 1)", "softplus"}, {"half_normal(m)", "softplus"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[300];
        snprintf(text, sizeof text,
                 "latent m ~ gamma(2, 1); latent s ~ %s; observed x ~ normal(m, s);", cases[i].law);
        Model *m = good_model(text);
        if (!CHECK(m, "%s: refused", cases[i].law)) continue;
        const char *link = var_of(m, "s")->link->name;
        CHECK(!strcmp(link, cases[i].link), "%s: %s, not %s", cases[i].law, link, cases[i].link);
    }
}

static void a_let_varies_over_what_its_value_does(void) {
    Model *m = good_model("latent mu ~ normal(0, 1); latent w[2, 3] ~ normal(0, 1);\n"
                          "plate a(2) { let outer = 2 * mu; latent z ~ normal(outer, 1);\n"
                          "  plate b(2) { let inner = z + w[1]; let flat = mu;\n"
                          "    observed x[3] ~ normal(inner + flat, 1); } }\n"
                          "quantity total = sum(w) + w[0, 2];");
    if (!CHECK(m, "refused")) return;
    CHECK(!var_of(m, "outer")->type.plate, "outer varies over a plate");
    CHECK(!var_of(m, "flat")->type.plate, "flat varies over a plate");
    const Type *inner = &var_of(m, "inner")->type;
    CHECK(inner->plate == m->plates.data[0] && inner->n_dims == 1 && inner->dims[0] == 3, "inner");
    CHECK(var_of(m, "total")->type.n_dims == 0, "total");
}

static void hypers_are_evaluated(void) {
    Model *m = good_model(
        "const N = 2 ^ 3 - 1; fn f(a) = a ^ -2;\n"
        "hyper h[2] = [f(2), N / 2]; hyper k[3] = max(h) + sum([1, 2]) * 0.5; hyper p = 2 ^ 0.5;\n"
        "latent mu ~ normal(h[0] + k[2], p); observed x ~ normal(mu, 1);");
    if (!CHECK(m, "refused")) return;
    CHECK_NEAR(var_of(m, "h")->numbers[0], 0.25, 0, "h[0]");
    CHECK_NEAR(var_of(m, "h")->numbers[1], 3.5, 0, "h[1]");
    CHECK_NEAR(var_of(m, "k")->numbers[2], 5, 0, "k[2]");
    CHECK_NEAR(var_of(m, "p")->numbers[0], 1.4142135623730951, 1e-15, "p");
}

static void powers_become_products(void) {
    Model *m = good_model("latent a ~ normal(0, 1); let s = a ^ 2; let c = a ^ 3; let r = a ^ -1;\n"
                          "observed x ~ normal(s + c + r, 1);");
    if (!CHECK(m, "refused")) return;
    CHECK(var_of(m, "s")->value->opcode == OP_SQUARE, "a^2");
    const Expr *c = var_of(m, "c")->value;
    CHECK(c->opcode == OP_MUL && c->args[0]->opcode == OP_SQUARE, "a^3");
    CHECK(var_of(m, "r")->value->opcode == OP_RECIP, "a^-1");
}

static void defines_replace_constants(void) {
    const Define defines[] = {{"D", 5}};
    Model *m = model_of("gre.hbm", gre, defines, 1, NULL);
    if (!CHECK(m, "refused")) return;
    CHECK(var_of(m, "mu")->type.dims[0] == 5, "D was not replaced");
}

static void the_hash_is_of_the_model_not_of_the_text(void) {
    Model *m = good_model(gre);
    if (!CHECK(m, "refused")) return;
    Text spaced;
    text_init(&spaced, arena);
    text_add(&spaced, "/* another layout */ ");
    for (const char *c = gre; *c; c++)
        text_printf(&spaced, *c == ';' ? "  ;\n // end\n" : "%c", *c);
    Model *same = model_of("other.hbm", spaced.data, NULL, 0, NULL);
    CHECK(same && same->hash == m->hash, "spacing, comments or the file's name change the hash");
    const Define defines[] = {{"D", 3}};
    Model *wider = model_of("gre.hbm", gre, defines, 1, NULL);
    CHECK(wider && wider->hash != m->hash, "another D has the same hash");
    Model *named =
        good_model("latent mu ~ normal(loc = 0, scale = 1); observed x ~ normal(mu, 1);");
    Model *plain = good_model("latent mu ~ normal(0, 1); observed x ~ normal(mu, 1);");
    Model *other = good_model("latent mu ~ normal(0, 1); observed x ~ normal(mu, 2);");
    if (!CHECK(named && plain && other, "refused")) return;
    CHECK(named->hash == plain->hash, "naming arguments changes the hash");
    CHECK(other->hash != plain->hash, "another number has the same hash");
}

static void user_definitions_are_carried_along(void) {
    Model *m =
        good_model("/// Doc of d.\ndistribution d(a: real) : real { sample = f(a) + std_normal();\n"
                   "  log_prob(x) = -square(x - f(a)) / 2; }\nfn f(a) = 2 * a; fn unused(a) = a;\n"
                   "latent mu ~ d(0); observed x ~ normal(mu, 1);");
    if (!CHECK(m, "refused")) return;
    CHECK(m->functions.n == 1 && strcmp(m->functions.data[0]->name, "f") == 0, "functions");
    const Distribution *d = var_of(m, "mu")->dist;
    CHECK(d->doc && strcmp(d->doc, "Doc of d.") == 0, "doc is %s", d->doc ? d->doc : "missing");
    CHECK(d->log_prob->kind == EXPR_OP && d->n_params == 1, "d");
}

/* A file with `n` declarations too many, or too long: refused, not crashed on. */
static void limits_are_diagnosed(void) {
    Text text;
    int errors = 0;
    text_init(&text, arena);
    for (int i = 0; i < 1500; i++) text_printf(&text, "const c%d = %d;\n", i, i);
    CHECK(!model_of("m.hbm", text.data, NULL, 0, &errors) && errors > 0, "1500 constants pass");
    text_init(&text, arena);
    text_add(&text, "latent mu ~ normal(0, 1); // ");
    for (int i = 0; i < 5 << 20; i += 64)
        text_add(&text, "................................................................");
    CHECK(!model_of("m.hbm", text.data, NULL, 0, &errors) && errors == 1, "a file of 5 MB passes");
    text_init(&text, arena);
    text_add(&text, "latent mu ~ normal(");
    for (int i = 0; i < 200000; i++) text_add(&text, i % 2 ? "(" : "[");
    CHECK(!model_of("m.hbm", text.data, NULL, 0, &errors) && errors == 1, "200,000 brackets pass");
    text_init(&text, arena);
    for (int i = 0; i < 30; i++)
        text_printf(&text, "let l%d = %s%d + %s%d;\n", i, i ? "l" : "", i ? i - 1 : 1, i ? "l" : "",
                    i ? i - 1 : 1);
    text_add(&text, "latent mu ~ normal(l29, 1); observed x ~ normal(mu, 1);");
    Model *m = model_of("m.hbm", text.data, NULL, 0, &errors);
    CHECK(m && errors == 0, "a chain of lets is refused");
}

static void errors_are_counted_and_shown_in_order(void) {
    Diags *diags = diags_new(arena);
    const char *text =
        "latent a ~ normal(b, 1);\nlatent c ~ normal(0, d);\nobserved x ~ nomal(0, 1);\n";
    Ast *ast = front_parse(arena, diags, "m.hbm", text, strlen(text));
    CHECK(ast && !front_check(arena, diags, ast, NULL, 0), "passes");
    CHECK(diags_errors(diags) == 3, "%d errors", diags_errors(diags));
    char *shown = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&shown, &n);
    diags_print(diags, out, false);
    fclose(out);
    const char *first = strstr(shown, "m.hbm:1:19: error E0201: unknown name `b`\n"
                                      "  1 | latent a ~ normal(b, 1);\n"
                                      "    |                   ^\n");
    const char *last = strstr(shown, "m.hbm:3:14: error E0206");
    CHECK(first == shown && last && strstr(last, "help: did you mean `normal`?"), "shown:\n%s",
          shown);
    CHECK(!strchr(shown, '\033'), "coloured without being asked");
    free(shown);
}

static void codes_are_explained(void) {
    const char *nearest = NULL;
    CHECK(diag_explain("E0201", NULL) && strlen(diag_explain("E0201", NULL)) > 40, "E0201");
    CHECK(!diag_explain("E0200", &nearest) && nearest && nearest[0] == 'E', "E0200");
    CHECK(!diag_explain("nonsense", &nearest) && !nearest, "nonsense is near %s",
          nearest ? nearest : "");
}

int main(void) {
    arena = arena_new();
    RUN(gre_is_understood);
    RUN(arguments_go_by_name_or_position);
    RUN(supports_and_links_follow_the_distribution);
    RUN(laws_with_long_tails_have_links_of_their_own);
    RUN(a_let_varies_over_what_its_value_does);
    RUN(hypers_are_evaluated);
    RUN(powers_become_products);
    RUN(defines_replace_constants);
    RUN(the_hash_is_of_the_model_not_of_the_text);
    RUN(user_definitions_are_carried_along);
    RUN(limits_are_diagnosed);
    RUN(errors_are_counted_and_shown_in_order);
    RUN(codes_are_explained);
    arena_free(arena);
    return check_done();
}
