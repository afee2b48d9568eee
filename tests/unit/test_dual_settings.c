/* dual { ... }: the networks have the shapes that it says, in every family, and programs stay sound
 * at the ends of what it takes. */
#include "check.h"
#include "harness.h"

static const DualOptions families[] = {{FAMILY_STRUCTURED, false, false},
                                       {FAMILY_ADAVI, false, false},
                                       {FAMILY_STRUCTURED, false, true},
                                       {FAMILY_ADAVI, true, true}};

static Compiled *compile_with(const char *settings, int family) {
    Arena *arena = arena_new();
    const char *text = arena_printf(arena,
                                    "latent m[3] ~ normal(0, 1);\n"
                                    "plate group(3) { latent a[8] ~ normal(m[0], 1);\n"
                                    "  plate obs(4) { observed x[8] ~ normal(a, 0.5); } }\n"
                                    "dual { %s }\n",
                                    settings);
    Compiled *c = compile_text("model", text, families[family]);
    arena_free(arena);
    CHECK(c, "dual { %s } does not compile", settings);
    return c;
}

/* Dimension `at` of a weight; -1: there is no such weight. */
static int64_t dim_of(const Compiled *c, const char *name, int at) {
    for (int i = 0; i < c->dual->weights.n; i++)
        if (!strcmp(c->dual->weights.data[i].name, name)) return c->dual->weights.data[i].dims[at];
    return -1;
}

static void shapes_follow(void) {
    Compiled *c = compile_with("embed = 24; encoder = set_transformer(isab = 1, heads = 4, "
                               "inducing = 5, seeds = 3); flow m = affine(); "
                               "flow a = maf(layers = 3, width = 20);",
                               0);
    if (!c) return;
    static const struct {
        const char *weight;
        int at;
        int64_t dim;
    } expected[] = {
        {"st.obs.isab0.I", 0, 5},     {"st.obs.isab0.I", 1, 24},    {"st.obs.pma.S", 0, 3},
        {"st.group.isab1.I", 0, -1},  {"m.maf.0.W", 0, -1},         {"a.maf.0.W", 1, 20},
        {"a.maf.2.W", 0, 20},         {"a.maf.3.W", 1, 16},         {"a.maf.4.W", 0, -1},
        {"st.obs.pma.mab.q.W", 1, 4}, {"st.obs.pma.mab.q.W", 2, 6},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        int64_t found = dim_of(c, expected[i].weight, expected[i].at);
        CHECK(found == expected[i].dim, "%s: dimension %d is %lld, not %lld", expected[i].weight,
              expected[i].at, (long long)found, (long long)expected[i].dim);
    }
    compiled_free(c);
}

static void without_settings_nothing_changes(void) {
    Compiled *c = compile_with("sets = 8;", 0), *plain = compile_with("", 0);
    if (!c || !plain) return;
    CHECK(c->dual->weights.n == plain->dual->weights.n, "%d weights, not %d", c->dual->weights.n,
          plain->dual->weights.n);
    CHECK(c->model->hash == plain->model->hash, "defaults of training change the model's hash");
    Compiled *other = compile_with("embed = 32;", 0);
    if (other) CHECK(other->model->hash != plain->model->hash, "the width is not in the hash");
    compiled_free(c);
    compiled_free(plain);
    compiled_free(other);
}

static void the_ends_are_sound(void) {
    static const char *const settings[] = {
        "embed = 8; encoder = set_transformer(isab = 0, heads = 8, inducing = 1, seeds = 1);",
        "embed = 40; encoder = set_transformer(isab = 2, heads = 1, inducing = 64, seeds = 8);",
        "encoder = set_transformer(heads = 8); flow a = maf(layers = 1, width = 4);",
        "embed = 64; flow a = affine(); flow m = maf(layers = 4, width = 4);",
        "flow a = spline(bins = 16, layers = 1, width = 4); flow m = coupling(steps = 8);",
        "flow a = spline_coupling(bins = 2, steps = 1, layers = 4, width = 64); flow m = "
        "spline(bins = 2);",
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        for (int f = 0; f < 4; f++) {
            Compiled *c = compile_with(settings[i], f);
            if (!c) continue;
            const char *why = ir_verify(c->dual->step);
            if (!why) why = ir_verify(c->dual->posterior);
            CHECK(!why, "family %d, dual { %s }: %s", f, settings[i], why);
            Run *run = run_new(c, 2, 2);
            run_start_weights(run, 1, 0.02);
            run_statistics(run);
            double loss = run_output(run, c->dual->step, "loss")->data[0];
            CHECK(loss - loss == 0, "family %d, dual { %s }: the loss is %g", f, settings[i], loss);
            compiled_free(c);
        }
}

int main(void) {
    RUN(shapes_follow);
    RUN(without_settings_nothing_changes);
    RUN(the_ends_are_sound);
    return check_done();
}
