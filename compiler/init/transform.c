/* transform.c -- see transform.h. */
#include "init/transform.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

const char *const transform_functions[FN_COUNT] = {"log",  "log1p", "log2", "log10",
                                                   "sqrt", "exp",   "abs"};

static const Transform the_column = {.kind = TRANSFORM_COLUMN};

bool transform_same(const Transform *a, const Transform *b) {
    if (!a) a = &the_column;
    if (!b) b = &the_column;
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case TRANSFORM_NUMBER:
        return a->number == b->number;
    case TRANSFORM_COLUMN:
        return true;
    case TRANSFORM_CALL:
        return a->fn == b->fn && transform_same(a->left, b->left);
    case TRANSFORM_OP:
        return a->op == b->op && !a->left == !b->left &&
               (!a->left || transform_same(a->left, b->left)) && transform_same(a->right, b->right);
    }
    return false;
}

static double call(TransformFn fn, double x) {
    switch (fn) {
    case FN_LOG:
        return log(x);
    case FN_LOG1P:
        return log1p(x);
    case FN_LOG2:
        return log2(x);
    case FN_LOG10:
        return log10(x);
    case FN_SQRT:
        return sqrt(x);
    case FN_EXP:
        return exp(x);
    default:
        return fabs(x);
    }
}

double transform_at(const Transform *t, double x) {
    if (!t || t->kind == TRANSFORM_COLUMN) return x;
    if (t->kind == TRANSFORM_NUMBER) return t->number;
    if (t->kind == TRANSFORM_CALL) return call(t->fn, transform_at(t->left, x));
    double left = t->left ? transform_at(t->left, x) : 0, right = transform_at(t->right, x);
    switch (t->op) {
    case '+':
        return left + right;
    case '-':
        return left - right;
    case '*':
        return left * right;
    case '/':
        return left / right;
    default:
        return pow(left, right);
    }
}

const Transform *transform_scaled(RtMem *mem, const Transform *t, double mean, double sd) {
    Transform *made = rt_alloc(mem, 4, sizeof *made);
    made[0] = (Transform){.kind = TRANSFORM_NUMBER, .number = mean};
    made[1] = (Transform){.kind = TRANSFORM_NUMBER, .number = sd};
    made[2] = (Transform){
        .kind = TRANSFORM_OP, .op = '-', .left = t ? t : &the_column, .right = &made[0]};
    made[3] = (Transform){.kind = TRANSFORM_OP, .op = '/', .left = &made[2], .right = &made[1]};
    return &made[3];
}

/* How tightly it holds together; as in the language. */
enum { SUM = 1, PRODUCT, SIGN, POWER, ATOM };

/* The language has one logarithm: what others are divided by, or 0. */
static int base_of(const Transform *t) {
    bool call = t->kind == TRANSFORM_CALL;
    return call && t->fn == FN_LOG2 ? 2 : call && t->fn == FN_LOG10 ? 10 : 0;
}

static int binding(const Transform *t) {
    if (base_of(t)) return PRODUCT;
    if (t->kind == TRANSFORM_NUMBER && t->number < 0) return SIGN;
    if (t->kind != TRANSFORM_OP) return ATOM;
    if (t->op == '^') return POWER;
    if (t->op == '*' || t->op == '/') return PRODUCT;
    return t->left ? SUM : SIGN;
}

/* In parentheses where it binds less tightly than `least`. `named`: functions by their names in a
 * formula. */
static void write_part(const Transform *t, const char *column, int least, bool named,
                       RtBytes *out) {
    int own = binding(t), base = named ? 0 : base_of(t);
    bool closed = own < least;
    if (closed) rt_bytes_printf(out, "(");
    switch (t->kind) {
    case TRANSFORM_NUMBER:
        rt_bytes_printf(out, "%.10g", t->number);
        break;
    case TRANSFORM_COLUMN:
        rt_bytes_printf(out, "%s", column);
        break;
    case TRANSFORM_CALL:
        rt_bytes_printf(out, "%s(", base ? "log" : transform_functions[t->fn]);
        write_part(t->left, column, 0, named, out);
        rt_bytes_printf(out, ")");
        if (base) rt_bytes_printf(out, " / log(%d)", base);
        break;
    case TRANSFORM_OP: /* ^ groups from the right, the others from the left */
        if (t->left) write_part(t->left, column, t->op == '^' ? own + 1 : own, named, out);
        rt_bytes_printf(out, !t->left || t->op == '^' ? "%c" : " %c ", t->op);
        write_part(t->right, column, t->op == '^' ? own : own + 1, named, out);
        break;
    }
    if (closed) rt_bytes_printf(out, ")");
}

void transform_text(const Transform *t, const char *column, RtBytes *out) {
    write_part(t ? t : &the_column, column, PRODUCT, false, out);
}

void transform_name(const Transform *t, const char *column, RtBytes *out) {
    RtBytes text = {0};
    write_part(t ? t : &the_column, column, 0, true, &text);
    size_t begin = out->n;
    for (const char *c = text.data; *c; c++) {
        if (isalnum((unsigned char)*c))
            rt_bytes_printf(out, "%c", *c);
        else if (out->n > begin && out->data[out->n - 1] != '_')
            rt_bytes_printf(out, "_");
    }
    while (out->n > begin && out->data[out->n - 1] == '_') out->data[--out->n] = 0;
    rt_bytes_free(&text);
}
