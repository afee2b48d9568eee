/* print.c -- the checked model as text (--emit=model), and the hash over it.
 *
 * The text is canonical: it follows from the checked model alone, not from how its file was
 * written. What weights were trained for is recognised by its hash (FNV-1a, 64 bits), into which
 * the model's name does not enter. */
#include "model/model.h"

#include <inttypes.h>
#include <stdlib.h>

static const char *const reduce_names[] = {"sum", "mean", "min", "max", "prod"};
static const char *const random_names[] = {"std_normal", "std_uniform", "std_exponential",
                                           "std_gamma",  "std_poisson", "std_binomial"};
static const char *const part_names[] = {"forward", "inverse", "log_jacobian"};

/* ---- expressions ---- */

/* Operators by binding strength; everything else prints as a call. */
typedef struct OperatorText {
    IrOpcode opcode;
    const char *text;
    int strength;
} OperatorText;

static const OperatorText operators[] = {
    {OP_OR, "||", 2}, {OP_AND, "&&", 3}, {OP_EQ, "==", 4}, {OP_LT, "<", 4},
    {OP_LE, "<=", 4}, {OP_ADD, "+", 5},  {OP_SUB, "-", 5}, {OP_MUL, "*", 6},
    {OP_DIV, "/", 6}, {OP_NEG, "-", 7},  {OP_NOT, "!", 7}, {OP_POW, "^", 8},
};

static const OperatorText *operator_of(const Expr *e) {
    for (size_t i = 0; e->kind == EXPR_OP && i < sizeof operators / sizeof *operators; i++)
        if (operators[i].opcode == e->opcode) return &operators[i];
    return NULL;
}

static void print_expr(Text *out, const Expr *e, int outer);

/* The shortest decimal that reads back as the same number. */
static void print_number(Text *out, double number) {
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number) break;
    }
    text_add(out, text);
}

static void print_args(Text *out, const char *open, const Expr *e, const char *close) {
    text_add(out, open);
    for (int i = 0; i < e->n_args; i++) {
        if (i) text_add(out, ", ");
        print_expr(out, e->args[i], 0);
    }
    text_add(out, close);
}

/* `outer`: what binds less strongly than this needs parentheses. */
static void print_op(Text *out, const Expr *e, int outer) {
    const OperatorText *op = operator_of(e);
    int strength = op ? op->strength : e->opcode == OP_SELECT ? 1 : 9;
    if (strength < outer) text_add(out, "(");
    if (e->opcode == OP_SELECT) {
        print_expr(out, e->args[0], 2);
        text_add(out, " ? ");
        print_expr(out, e->args[1], 2);
        text_add(out, " : ");
        print_expr(out, e->args[2], 1);
    } else if (!op) {
        text_add(out, ir_op_info[e->opcode].text);
        print_args(out, "(", e, ")");
    } else if (e->n_args == 1) {
        text_add(out, op->text);
        print_expr(out, e->args[0], strength);
    } else {
        bool right = e->opcode == OP_POW;
        print_expr(out, e->args[0], right || strength == 4 ? strength + 1 : strength);
        text_printf(out, " %s ", op->text);
        print_expr(out, e->args[1], right ? 7 : strength + 1);
    }
    if (strength < outer) text_add(out, ")");
}

/* [:, 2], [1:3], [1:] */
static void print_position(Text *out, const Expr *e) {
    text_add(out, "[");
    for (int i = 0; i < e->dim; i++) text_add(out, ":, ");
    if (e->kind == EXPR_AT)
        print_expr(out, e->args[1], 0);
    else
        text_printf(out, "%lld", (long long)e->index);
    if (e->kind == EXPR_SLICE) text_add(out, ":");
    if (e->kind == EXPR_SLICE && e->count != SLICE_REST)
        text_printf(out, "%lld", (long long)(e->index + e->count));
    text_add(out, "]");
}

static void print_matmul(Text *out, const Expr *e, int outer) {
    const int strength = 6;
    if (strength < outer) text_add(out, "(");
    print_expr(out, e->args[0], strength);
    text_add(out, " @ ");
    print_expr(out, e->args[1], strength + 1);
    if (strength < outer) text_add(out, ")");
}

static void print_expr(Text *out, const Expr *e, int outer) {
    switch (e->kind) {
    case EXPR_NUMBER:
        if (e->number < 0 && outer > 6) text_add(out, "(");
        print_number(out, e->number);
        if (e->number < 0 && outer > 6) text_add(out, ")");
        return;
    case EXPR_VAR:
        text_add(out, e->var->name);
        return;
    case EXPR_PARAM:
        text_printf(out, "$%d", e->param);
        return;
    case EXPR_OP:
        print_op(out, e, outer);
        return;
    case EXPR_REDUCE:
        text_add(out, reduce_names[e->reduce]);
        break;
    case EXPR_CALL:
        text_add(out, e->function->name);
        break;
    case EXPR_LINK:
        text_printf(out, "%s.%s", e->link->name, part_names[e->link_part]);
        break;
    case EXPR_RANDOM:
        text_add(out, random_names[e->random]);
        break;
    case EXPR_ARRAY:
        print_args(out, "[", e, "]");
        return;
    case EXPR_INDEX:
    case EXPR_AT:
        print_expr(out, e->args[0], 9);
        print_position(out, e);
        return;
    case EXPR_SLICE:
        print_expr(out, e->args[0], 9);
        print_position(out, e);
        return;
    case EXPR_SHAPED:
        if (e->shaped == SHAPED_MATMUL) {
            print_matmul(out, e, outer);
            return;
        }
        text_add(out, shaped_info[e->shaped].name);
        break;
    case EXPR_OVER:
        text_printf(out, "%s(%s: ", reduce_names[e->reduce], e->plate->name);
        print_expr(out, e->args[0], 0);
        text_add(out, ")");
        return;
    case EXPR_SIZE:
    case EXPR_POSITION:
        text_printf(out, "%s.%s", e->plate->name, e->kind == EXPR_SIZE ? "size" : "index");
        return;
    }
    print_args(out, "(", e, ")");
}

void expr_print(Text *out, const Expr *e) {
    print_expr(out, e, 0);
}

/* ---- the model ---- */

static void print_support(Text *out, SupportKind kind, const Expr *lo, const Expr *hi) {
    text_add(out, support_info[kind].name);
    if (!lo && !hi) return;
    text_add(out, "(");
    if (lo) expr_print(out, lo);
    if (lo && hi) text_add(out, ", ");
    if (hi) expr_print(out, hi);
    text_add(out, ")");
}

static void print_dims(Text *out, const int64_t *dims, int n) {
    for (int i = 0; i < n; i++) text_printf(out, "%s%lld", i ? ", " : "[", (long long)dims[i]);
    if (n) text_add(out, "]");
}

static void print_params(Text *out, const Param *params, int n, bool supports) {
    text_add(out, "(");
    for (int i = 0; i < n; i++) {
        text_printf(out, "%s%s", i ? ", " : "", params[i].name);
        print_dims(out, params[i].dims, params[i].n_dims);
        if (!supports) continue;
        text_add(out, ": ");
        print_support(out, params[i].support, params[i].lo, params[i].hi);
    }
    text_add(out, ")");
}

static void print_member(Text *out, const char *name, const Expr *e) {
    text_printf(out, "  %s = ", name);
    expr_print(out, e);
    text_add(out, "\n");
}

static void print_definitions(Text *out, const Model *model) {
    for (int i = 0; i < model->functions.n; i++) {
        const Function *f = model->functions.data[i];
        text_printf(out, "fn %s", f->name);
        print_params(out, f->params, f->n_params, false);
        text_add(out, " = ");
        expr_print(out, f->body);
        text_add(out, "\n");
    }
    for (int i = 0; i < model->distributions.n; i++) {
        const Distribution *d = model->distributions.data[i];
        text_printf(out, "distribution %s", d->name);
        print_dims(out, d->dims, d->n_dims);
        print_params(out, d->params, d->n_params, true);
        text_add(out, " : ");
        print_support(out, d->support.kind, d->support.lo, d->support.hi);
        text_add(out, "\n");
        print_member(out, "sample", d->sample);
        if (d->log_prob) print_member(out, "log_prob", d->log_prob);
    }
    for (int i = 0; i < model->links.n; i++) {
        const Link *link = model->links.data[i];
        text_printf(out, "link %s", link->name);
        print_dims(out, link->dims, link->n_dims);
        print_params(out, link->params, link->n_params, true);
        text_add(out, " : ");
        print_support(out, link->support, link->lo, link->hi);
        text_add(out, link->scaled ? ", scaled\n" : "\n");
        print_member(out, "forward", link->forward);
        print_member(out, "inverse", link->inverse);
        print_member(out, "log_jacobian", link->log_jacobian);
    }
}

static void print_var(Text *out, const Var *var) {
    static const char *const words[] = {"hyper",    "latent",  "observed", "let",
                                        "quantity", "context", "summed",   "given"};
    text_printf(out, "%s %s", words[var->kind], var->name);
    print_dims(out, var->type.dims, var->type.n_dims);
    text_printf(out, " in %s", var->type.plate ? var->type.plate->name : "-");
    if (var->dist) {
        text_printf(out, " ~ %s(", var->dist->name);
        for (int i = 0; i < var->dist->n_params; i++) {
            if (i) text_add(out, ", ");
            expr_print(out, var->args[i]);
        }
        text_add(out, ") on ");
        print_support(out, var->support.kind, var->support.lo, var->support.hi);
    } else {
        text_add(out, " = ");
        expr_print(out, var->value);
    }
    if (var->link) text_printf(out, " via %s", var->link->name);
    if (var->missing) text_add(out, " with missing");
    if (var->numbers) {
        int64_t n = 1;
        for (int i = 0; i < var->type.n_dims; i++) n *= var->type.dims[i];
        text_add(out, " :");
        for (int64_t i = 0; i < n; i++) {
            text_add(out, " ");
            print_number(out, var->numbers[i]);
        }
    }
    text_add(out, "\n");
}

const char *plate_size_text(Arena *arena, const Plate *plate) {
    if (plate->lo == plate->hi) return arena_printf(arena, "%lld", (long long)plate->size);
    return arena_printf(arena, "%lld..%lld", (long long)plate->lo, (long long)plate->hi);
}

static void print_setting(Text *out, const char *name, int64_t value, int64_t derived) {
    if (value != derived) text_printf(out, " %s %lld", name, (long long)value);
}

static void print_flow_setting(Text *out, const FlowSetting *flow) {
    const char *of = flow->latent ? flow->latent->name : "(others)";
    text_printf(out, "dual flow %s %s", of, flow_info[flow->kind].name);
    print_setting(out, "layers", flow->layers, 0);
    print_setting(out, "width", flow->width, 0);
    print_setting(out, "steps", flow->steps, 0);
    print_setting(out, "bins", flow->bins, 0);
    text_add(out, "\n");
}

/* What settles the network's shape, and with it which weights fit. */
static void print_shape_settings(Text *out, const DualSettings *dual) {
    const bool any = dual->embed || dual->isab >= 0 || dual->heads || dual->inducing || dual->seeds;
    if (any) {
        text_add(out, "dual encoder");
        print_setting(out, "embed", dual->embed, 0);
        print_setting(out, "isab", dual->isab, -1);
        print_setting(out, "heads", dual->heads, 0);
        print_setting(out, "inducing", dual->inducing, 0);
        print_setting(out, "seeds", dual->seeds, 0);
        text_add(out, "\n");
    }
    for (int i = 0; i < dual->flows.n; i++) print_flow_setting(out, &dual->flows.data[i]);
    if (dual->flow.kind) print_flow_setting(out, &dual->flow);
}

static void print_contents(Text *out, const Model *model) {
    for (int i = 0; i < model->plates.n; i++) {
        const Plate *plate = model->plates.data[i];
        text_printf(out, "plate %s(%s) in %s", plate->name, plate_size_text(out->arena, plate),
                    plate->parent ? plate->parent->name : "-");
        if (plate->column) text_printf(out, " from \"%s\"", plate->column);
        if (plate->across)
            text_printf(out, " across %s share %.17g..%.17g", plate->across->name, plate->share_lo,
                        plate->share_hi);
        text_add(out, "\n");
    }
    for (int i = 0; i < model->vars.n; i++) print_var(out, model->vars.data[i]);
    print_definitions(out, model);
    print_shape_settings(out, &model->dual);
}

static void print_training_settings(Text *out, const DualSettings *dual) {
    if (dual->objective) text_printf(out, "dual objective %s\n", dual->objective);
    if (dual->sets) text_printf(out, "dual sets %lld\n", (long long)dual->sets);
    if (dual->draws) text_printf(out, "dual draws %lld\n", (long long)dual->draws);
}

void model_print(Text *out, const Model *model) {
    text_printf(out, "model %s hash %016" PRIx64 "\n", model->name, model->hash);
    print_contents(out, model);
    print_training_settings(out, &model->dual);
}

uint64_t model_hash(Arena *arena, const Model *model) {
    Text text;
    text_init(&text, arena);
    print_contents(&text, model);
    uint64_t hash = 14695981039346656037u;
    for (const char *c = text.data; *c; c++) hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    return hash;
}
