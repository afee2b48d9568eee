/* dual.c -- dual { ... }: what its author wants otherwise than adavic derives it.
 *
 * Keys and the values that they take are the tables below; messages list them. Blocks are read
 * after everything else, so that they may stand anywhere and name any latent.
 */
#include "front/check.h"
#include "runtime/objective.h"

#include <stddef.h>

/* A whole number: from lo to hi, a multiple of `multiple`, a divisor of `divides` (0: any). */
typedef struct Whole {
    const char *name;
    size_t at; /* int64_t, in what is filled */
    int64_t lo, hi, multiple, divides;
    const char *expected;
} Whole;

static const Whole embed = {"embed", offsetof(DualSettings, embed), 8, 64, 8,
                            0,       "a multiple of 8 from 8 to 64"};
static const Whole sets = {"sets", offsetof(DualSettings, sets),      1, 1000000, 1,
                           0,      "a whole number from 1 to 1000000"};
static const Whole draws = {"draws", offsetof(DualSettings, draws),     1, 1000000, 1,
                            0,       "a whole number from 1 to 1000000"};

static const Whole set_transformer[] = {
    {"isab", offsetof(DualSettings, isab), 0, 8, 1, 0, "a whole number from 0 to 8"},
    {"heads", offsetof(DualSettings, heads), 1, 8, 1, 8, "1, 2, 4 or 8"},
    {"inducing", offsetof(DualSettings, inducing), 1, 64, 1, 0, "a whole number from 1 to 64"},
    {"seeds", offsetof(DualSettings, seeds), 1, 8, 1, 0, "a whole number from 1 to 8"},
};
/* Of flows; number i is bit i of FlowInfo.takes. */
static const Whole flow_arguments[] = {
    {"layers", offsetof(FlowSetting, layers), 1, 4, 1, 0, "a whole number from 1 to 4"},
    {"width", offsetof(FlowSetting, width), 4, 64, 4, 0, "a multiple of 4 from 4 to 64"},
    {"steps", offsetof(FlowSetting, steps), 1, 8, 1, 0, "a whole number from 1 to 8"},
    {"bins", offsetof(FlowSetting, bins), 2, 16, 1, 0, "a whole number from 2 to 16"},
};
enum { N_FLOW_ARGUMENTS = sizeof flow_arguments / sizeof *flow_arguments };

static bool unexpected(Checker *ck, Span span, const char *key, const char *expected) {
    FAIL(ck, DIAG_DUAL_VALUE, span, key, expected);
    return false;
}

static bool read_whole(Checker *ck, const Ast *value, const Whole *whole, void *into) {
    int64_t n;
    const char *what = arena_printf(ck->arena, "`%s` in dual", whole->name);
    if (!constant_integer(ck, value, what, &n)) return false;
    bool fits = n >= whole->lo && n <= whole->hi && n % whole->multiple == 0 &&
                (!whole->divides || whole->divides % n == 0);
    if (!fits) return unexpected(ck, value->span, whole->name, whole->expected);
    memcpy((char *)into + whole->at, &n, sizeof n);
    return true;
}

/* The arguments NAME = N of a call, each one of the `n` in the table. */
static bool read_arguments(Checker *ck, const Ast *call, const Whole *table, int n, void *into) {
    Text names;
    text_init(&names, ck->arena);
    if (n)
        text_printf(&names, "`%s` with arguments by name:", call->name.text);
    else
        text_add(&names, "no arguments");
    for (int i = 0; i < n; i++) text_printf(&names, "%s %s", i ? "," : "", table[i].name);
    for (int i = 0; i < call->args.n; i++) {
        const Ast *arg = call->args.data[i];
        const Whole *found = NULL;
        for (int k = 0; k < n && arg->kind == AST_NAMED; k++)
            if (strcmp(table[k].name, arg->name.text) == 0) found = &table[k];
        if (!found) return unexpected(ck, arg->span, call->name.text, names.data);
        if (!read_whole(ck, arg->value, found, into)) return false;
    }
    return true;
}

static bool is_call(const Ast *ast, const char *name) {
    return ast->kind == AST_CALL && strcmp(ast->name.text, name) == 0;
}

/* ---- the keys ---- */

typedef bool ReadKey(Checker *ck, const Ast *member);

static bool read_embed(Checker *ck, const Ast *member) {
    return read_whole(ck, member->value, &embed, &ck->model->dual);
}

static bool read_sets(Checker *ck, const Ast *member) {
    return read_whole(ck, member->value, &sets, &ck->model->dual);
}

static bool read_draws(Checker *ck, const Ast *member) {
    return read_whole(ck, member->value, &draws, &ck->model->dual);
}

static bool read_encoder(Checker *ck, const Ast *member) {
    enum { N = sizeof set_transformer / sizeof *set_transformer };
    if (!is_call(member->value, "set_transformer"))
        return unexpected(ck, member->value->span, "encoder",
                          "set_transformer(isab = 2, heads = 2, inducing = 8, seeds = 4)");
    return read_arguments(ck, member->value, set_transformer, N, &ck->model->dual);
}

/* All latents outside the plates share one flow, so that what is said of two of them must agree. */
static bool agrees(Checker *ck, const FlowSetting *flow, Span span) {
    const DualSettings *dual = &ck->model->dual;
    for (int i = 0; i < dual->flows.n; i++) {
        const FlowSetting *other = &dual->flows.data[i];
        if (other->latent->type.plate || flow->latent->type.plate) continue;
        if (other->kind == flow->kind && other->layers == flow->layers &&
            other->width == flow->width && other->steps == flow->steps && other->bins == flow->bins)
            continue;
        FAIL(ck, DIAG_DUAL_FLOWS, span, other->latent->name, flow->latent->name);
        return false;
    }
    return true;
}

static int arguments_of(const FlowInfo *flow, Whole *arguments) {
    int n = 0;
    for (int i = 0; i < N_FLOW_ARGUMENTS; i++)
        if (flow->takes & 1 << i) arguments[n++] = flow_arguments[i];
    return n;
}

static bool unknown_flow(Checker *ck, const Ast *value) {
    Text text;
    text_init(&text, ck->arena);
    for (int i = 1; i < flow_count; i++) {
        Whole arguments[N_FLOW_ARGUMENTS];
        int n = arguments_of(&flow_info[i], arguments);
        text_printf(&text, "%s%s(",
                    i == 1               ? ""
                    : i + 1 < flow_count ? ", "
                                         : " or ",
                    flow_info[i].name);
        for (int k = 0; k < n; k++) text_printf(&text, "%s%s", k ? ", " : "", arguments[k].name);
        text_add(&text, ")");
    }
    return unexpected(ck, value->span, "flow", text.data);
}

static bool read_flow(Checker *ck, const Ast *member) {
    const Ast *value = member->value;
    const Symbol *symbol = member->word.text ? find_symbol(ck, member->word.text) : NULL;
    if (symbol && symbol->broken) return false;
    if (!symbol || !symbol->var || symbol->var->kind != VAR_LATENT)
        return unexpected(ck, member->word.text ? member->word.span : member->name.span, "flow",
                          "the name of a latent, as in `flow mu = affine();`");
    FlowSetting flow = {.latent = symbol->var};
    if (value->kind == AST_CALL) flow.kind = flow_named(value->name.text);
    if (!flow.kind) return unknown_flow(ck, value);
    Whole arguments[N_FLOW_ARGUMENTS];
    int n = arguments_of(&flow_info[flow.kind], arguments);
    if (!read_arguments(ck, value, arguments, n, &flow)) return false;
    if (!agrees(ck, &flow, member->word.span)) return false;
    vec_push(ck->arena, &ck->model->dual.flows, flow);
    return true;
}

/* The objective of that name, in which `_` may stand for `-`; NULL. */
static const char *objective_named(const char *name) {
    for (int i = 0; i < rt_objective_count; i++) {
        const char *a = rt_objectives[i].name, *b = name;
        while (*a && (*a == *b || (*a == '-' && *b == '_'))) a++, b++;
        if (!*a && !*b) return rt_objectives[i].name;
    }
    return NULL;
}

static bool read_share(Checker *ck, const Ast *arg, Text *out, double *share) {
    const char *name = arg->kind == AST_NAMED ? objective_named(arg->name.text) : NULL;
    Expr *e = name ? resolve_value(ck, arg->value) : NULL;
    if (name && !e) return false;
    if (!e || !one_number(ck, e, false, share)) *share = 0;
    if (!(*share > 0 && *share <= 1e6))
        return unexpected(ck, arg->span, "schedule",
                          "objectives with their shares of the steps, as in reverse_kl = 4");
    text_printf(out, "%s%s:%.10g", out->n ? "," : "", name, *share);
    return true;
}

static bool read_schedule(Checker *ck, const Ast *call) {
    Text out;
    RtSchedule schedule;
    char why[400];
    text_init(&out, ck->arena);
    double share;
    for (int i = 0; i < call->args.n; i++)
        if (!read_share(ck, call->args.data[i], &out, &share)) return false;
    if (!call->args.n || !rt_schedule_parse(out.data, &schedule, why, sizeof why))
        return unexpected(ck, call->span, "schedule",
                          "1 to 8 objectives, the first with a twentieth of the steps or more "
                          "(annealed: a fifth)");
    ck->model->dual.objective = out.data;
    return true;
}

static bool read_objective(Checker *ck, const Ast *member) {
    const Ast *value = member->value;
    if (is_call(value, "schedule")) return read_schedule(ck, value);
    const char *name = value->kind == AST_NAME ? objective_named(value->name.text) : NULL;
    if (name) {
        ck->model->dual.objective = name;
        return true;
    }
    Text expected;
    text_init(&expected, ck->arena);
    for (int i = 0; i < rt_objective_count; i++) {
        for (const char *c = rt_objectives[i].name; *c; c++)
            text_printf(&expected, "%c", *c == '-' ? '_' : *c);
        text_add(&expected, ", ");
    }
    text_add(&expected, "or schedule(unregularised = 1, reverse_kl = 4)");
    return unexpected(ck, value->span, "objective", expected.data);
}

static const struct {
    const char *name;
    ReadKey *read;
} keys[] = {{"embed", read_embed},         {"encoder", read_encoder}, {"flow", read_flow},
            {"objective", read_objective}, {"sets", read_sets},       {"draws", read_draws}};
enum { N_KEYS = sizeof keys / sizeof *keys };

/* ---- the blocks ---- */

static bool same_word(AstWord a, AstWord b) {
    return a.text && b.text ? strcmp(a.text, b.text) == 0 : !a.text && !b.text;
}

static bool is_twice(Checker *ck, const AstList *members, int at) {
    const Ast *member = members->data[at];
    for (int i = 0; i < at; i++) {
        const Ast *old = members->data[i];
        if (!same_word(old->name, member->name) || !same_word(old->word, member->word)) continue;
        FAIL(ck, DIAG_MEMBER_TWICE, member->name.span, member->name.text);
        diag_note(ck->diags, old->name.span, "first given here");
        return true;
    }
    return false;
}

static void read_member(Checker *ck, const Ast *member) {
    const char *names[N_KEYS];
    for (int i = 0; i < N_KEYS; i++) {
        names[i] = keys[i].name;
        if (strcmp(member->name.text, names[i]) != 0) continue;
        if (member->args.n || (member->word.text && keys[i].read != read_flow))
            unexpected(ck, member->name.span, names[i], "its value alone, as in `sets = 32;`");
        else
            keys[i].read(ck, member);
        return;
    }
    FAIL(ck, DIAG_DUAL_KEY, member->name.span, member->name.text);
    const char *nearest = nearest_name(member->name.text, names, N_KEYS);
    if (nearest) diag_help(ck->diags, "did you mean `%s`?", nearest);
    Text list;
    text_init(&list, ck->arena);
    for (int i = 0; i < N_KEYS; i++) text_printf(&list, "%s%s", i ? ", " : "", names[i]);
    diag_help(ck->diags, "the keys are %s", list.data);
}

void check_duals(Checker *ck) {
    AstList all = {0};
    ck->user = "dual";
    for (int i = 0; i < ck->duals.n; i++)
        for (int k = 0; k < ck->duals.data[i]->items.n; k++)
            vec_push(ck->arena, &all, ck->duals.data[i]->items.data[k]);
    for (int i = 0; i < all.n; i++)
        if (!is_twice(ck, &all, i)) read_member(ck, all.data[i]);
}
