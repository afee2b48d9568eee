/* parse.c -- reads the text form of a program (see text.h): a recursive descent over bytes, one
 * line per declaration. The first error ends it, with its line and what was expected there.
 * Operations enter through ir_append, which judges them.
 */
#include "ir/ir.h"
#include "ir/text.h"

#include <math.h>
#include <setjmp.h>
#include <stdlib.h>

typedef struct Parser {
    Arena *arena;
    const char *at; /* the next byte; the text ends with a zero */
    int line;
    IrProgram *p;
    const char *note;
    const char *error;
    jmp_buf bail;
} Parser;

static _Noreturn void fail(Parser *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static _Noreturn void fail(Parser *s, const char *format, ...) {
    va_list args;
    va_start(args, format);
    s->error =
        arena_printf(s->arena, "line %d: %s", s->line, arena_vprintf(s->arena, format, args));
    va_end(args);
    longjmp(s->bail, 1);
}

/* ---- bytes and words ---- */

static void skip_blanks(Parser *s) {
    while (*s->at == ' ' || *s->at == '\t' || *s->at == '\r') s->at++;
}

static void skip_to_line_end(Parser *s) {
    while (*s->at && *s->at != '\n') s->at++;
}

/* Blanks, comments and line ends between declarations. */
static void skip_lines(Parser *s) {
    for (;;) {
        skip_blanks(s);
        if (*s->at == '#') skip_to_line_end(s);
        if (*s->at != '\n') return;
        s->at++;
        s->line++;
    }
}

/* What stands at the position, for an error. */
static const char *found(Parser *s) {
    skip_blanks(s);
    if (*s->at == 0) return "the end of the text";
    if (*s->at == '\n') return "the end of the line";
    size_t n = 1;
    while (n < 20 && s->at[n] > ' ' && ir_name_char(s->at[n], false)) n++;
    char *word = arena_strndup(s->arena, s->at, n);
    for (char *c = word; *c; c++)
        if (*c < ' ' || *c > '~') *c = '?';
    return arena_printf(s->arena, "'%s'", word);
}

static bool take_sign(Parser *s, const char *sign) {
    skip_blanks(s);
    size_t n = strlen(sign);
    if (strncmp(s->at, sign, n) != 0) return false;
    s->at += n;
    return true;
}

static void expect_sign(Parser *s, const char *sign) {
    if (!take_sign(s, sign)) fail(s, "expected '%s', found %s", sign, found(s));
}

static size_t word_length(Parser *s) {
    skip_blanks(s);
    size_t n = 0;
    while (ir_name_char(s->at[n], n == 0)) n++;
    return n;
}

static bool take_word(Parser *s, const char *word) {
    size_t n = word_length(s);
    if (n != strlen(word) || strncmp(s->at, word, n) != 0) return false;
    s->at += n;
    return true;
}

static void expect_word(Parser *s, const char *word) {
    if (!take_word(s, word)) fail(s, "expected '%s', found %s", word, found(s));
}

/* One of `n` words; the failure lists them. */
static int expect_one_of(Parser *s, const char *const *words, int n, const char *what) {
    for (int i = 0; i < n; i++)
        if (take_word(s, words[i])) return i;
    Text list;
    text_init(&list, s->arena);
    for (int i = 0; i < n; i++) text_printf(&list, "%s%s", i ? ", " : "", words[i]);
    fail(s, "expected %s (%s), found %s", what, list.data, found(s));
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

static char unescape(Parser *s) {
    char c = *s->at++;
    if (c == '"' || c == '\\') return c;
    if (c == 'n') return '\n';
    if (c == 'x') {
        int high = hex_digit(s->at[0]), low = high < 0 ? -1 : hex_digit(s->at[1]);
        if (low >= 0 && high + low > 0) {
            s->at += 2;
            return (char)(high * 16 + low);
        }
    }
    s->at--;
    fail(s, "expected one of \\\" \\\\ \\n \\xHH in a name");
}

static const char *quoted(Parser *s) {
    if (!take_sign(s, "\"")) fail(s, "expected a name in quotes, found %s", found(s));
    Text name;
    text_init(&name, s->arena);
    while (*s->at != '"') {
        if (*s->at == 0 || *s->at == '\n') fail(s, "expected '\"' at the end of a name");
        char c = *s->at++;
        if (c == '\\') c = unescape(s);
        text_add(&name, (char[]){c, 0});
    }
    s->at++;
    return name.data;
}

static const char *name(Parser *s, const char *what) {
    size_t n = word_length(s);
    if (n == 0 && *s->at == '"') return quoted(s);
    if (n == 0) fail(s, "expected %s, found %s", what, found(s));
    s->at += n;
    return arena_strndup(s->arena, s->at - n, n);
}

static int64_t whole_number(Parser *s) {
    skip_blanks(s);
    if (*s->at < '0' || *s->at > '9') fail(s, "expected a whole number, found %s", found(s));
    int64_t x = 0;
    for (; *s->at >= '0' && *s->at <= '9'; s->at++) {
        x = x * 10 + (*s->at - '0');
        if (x > INT32_MAX) fail(s, "a number above %d", INT32_MAX);
    }
    return x;
}

static double number(Parser *s) {
    skip_blanks(s);
    char first = *s->at == '-' ? s->at[1] : *s->at;
    char *end = NULL;
    double x = 0;
    if ((first >= '0' && first <= '9') || first == '.' || first == 'i' || first == 'n')
        x = strtod(s->at, &end);
    if (!end || end == s->at) fail(s, "expected a number, found %s", found(s));
    s->at = end;
    return x;
}

static IrValue value(Parser *s) {
    expect_sign(s, "%");
    int64_t v = whole_number(s);
    if (v >= s->p->ops.n) fail(s, "value %%%lld is not defined before this line", (long long)v);
    return (IrValue)v;
}

/* ---- axes ---- */

static AxisId axis(Parser *s) {
    const char *word = name(s, "an axis");
    AxisId id = ir_axis_find(s->p, word);
    if (id == AXIS_NONE) fail(s, "axis %s is not declared", word);
    return id;
}

static int axis_list(Parser *s, AxisId *axes, int limit) {
    int n = 0;
    expect_sign(s, "[");
    while (!take_sign(s, "]")) {
        AxisId id = axis(s);
        for (int i = 0; i < n; i++)
            if (axes[i] == id) fail(s, "axis %s stands twice in a list", s->p->axes.data[id].name);
        if (n == limit) fail(s, "more than %d axes", limit);
        axes[n++] = id;
    }
    return n;
}

static void axis_line(Parser *s) {
    static const char *const kinds[] = {"data", "draw", "plate", "event", "copy"};
    IrAxis a = {.parent = AXIS_NONE, .copy_of = AXIS_NONE};
    const char *own = name(s, "the name of an axis");
    if (!own[0]) fail(s, "an axis without a name");
    if (ir_axis_find(s->p, own) != AXIS_NONE) fail(s, "axis %s is declared twice", own);
    expect_sign(s, ":");
    int kind = expect_one_of(s, kinds, 5, "a kind of axis");
    if (kind == 4) {
        expect_word(s, "of");
        AxisId of = axis(s);
        a = s->p->axes.data[of];
        if (a.copy_of != AXIS_NONE) fail(s, "a copy is of an original axis, not of another copy");
        a.copy_of = of;
    } else {
        a.kind = (AxisKind)kind;
        if (a.kind == AXIS_EVENT) a.extent = whole_number(s);
        if (a.kind == AXIS_PLATE && take_word(s, "in")) a.parent = axis(s);
        a.ragged = a.kind == AXIS_PLATE && take_word(s, "ragged");
        if (a.kind == AXIS_PLATE && take_word(s, "of")) a.usual = whole_number(s);
    }
    a.name = own;
    AxisId id;
    const char *why = ir_axis_declare(s->p, a, &id);
    if (why) fail(s, "%s", why);
}

/* ---- operations ---- */

static void table(Parser *s, IrOp *op) {
    op->n_axes = axis_list(s, op->axes, IR_MAX_AXES);
    AxisId sorted[IR_MAX_AXES];
    memcpy(sorted, op->axes, sizeof sorted);
    ir_axes_sort(s->p, sorted, op->n_axes);
    if (memcmp(sorted, op->axes, sizeof(AxisId) * (size_t)op->n_axes) != 0)
        fail(s, "a table lists its axes in canonical order");
    int64_t size = ir_event_size(s->p, op->axes, op->n_axes);
    if (size < 0) fail(s, "a table has event axes alone, and at most %d numbers", IR_MAX_TABLE);
    VEC(double) data = {0};
    expect_sign(s, "{");
    for (int64_t i = 0; i < size; i++) {
        if (i) expect_sign(s, ",");
        vec_push(s->arena, &data, number(s));
    }
    expect_sign(s, "}");
    op->table = data.data;
}

static void leaf(Parser *s, IrOp *op) {
    static const char *const roles[] = IR_ROLE_WORDS;
    switch (op->opcode) {
    case OP_CONST:
        op->number = number(s);
        break;
    case OP_EXTENT:
        op->axis = axis(s);
        break;
    case OP_TABLE:
        table(s, op);
        break;
    default:
        op->name = quoted(s);
        op->role = (IrRole)expect_one_of(s, roles, IR_ROLES, "the role of an input");
        op->n_axes = axis_list(s, op->axes, IR_MAX_AXES);
    }
}

static void random_source(Parser *s, IrOp *op) {
    static const char *const kinds[] = IR_RANDOM_WORDS;
    op->random = op->opcode == OP_GIVEN             ? RANDOM_GIVEN
                 : op->opcode == OP_RANDOM_POISSON  ? RANDOM_POISSON
                 : op->opcode == OP_RANDOM_BINOMIAL ? RANDOM_BINOMIAL
                                                    : RANDOM_GAMMA;
    if (op->opcode == OP_RANDOM) /* those that take no operands */
        op->random = (IrRandom)expect_one_of(s, kinds, RANDOM_GAMMA, "a kind of draws");
    op->name = quoted(s);
    op->n_axes = axis_list(s, op->axes, IR_MAX_AXES);
}

static void attributes(Parser *s, IrOp *op) {
    switch (ir_op_info[op->opcode].rule) {
    case RULE_LEAF:
        leaf(s, op);
        break;
    case RULE_RANDOM:
        random_source(s, op);
        break;
    case RULE_POINT:
        break;
    case RULE_REDUCE:
    case RULE_CONTRACT:
        expect_word(s, "over");
        op->n_over = axis_list(s, op->over, IR_MAX_OVER);
        break;
    case RULE_SPREAD:
        op->n_axes = axis_list(s, op->axes, IR_MAX_AXES);
        break;
    case RULE_PICK:
    case RULE_PLACE:
        op->axis = axis(s);
        expect_word(s, "at");
        op->index = whole_number(s);
        break;
    case RULE_RENAME:
    case RULE_SLICE:
    case RULE_PAD:
        op->axis = axis(s);
        expect_sign(s, "->");
        op->axis2 = axis(s);
        if (op->opcode == OP_RENAME) break;
        expect_word(s, "at");
        op->index = whole_number(s);
        break;
    }
}

/* A comment behind an operation is its note, and that of the operations that follow. */
static void note(Parser *s) {
    skip_blanks(s);
    if (*s->at != '#') return;
    s->at++;
    if (*s->at == ' ') s->at++;
    const char *begin = s->at;
    skip_to_line_end(s);
    size_t n = (size_t)(s->at - begin);
    char *text = arena_strndup(s->arena, begin, n);
    for (char *c = text; *c; c++)
        if (*c > 0 && *c < ' ') *c = ' '; /* as the printer writes it */
    s->note = n ? text : NULL;
}

static void operation_line(Parser *s) {
    int64_t own = whole_number(s);
    if (own != s->p->ops.n) fail(s, "expected %%%d, the number of this operation", s->p->ops.n);
    expect_sign(s, "=");
    size_t n = word_length(s);
    IrOp op = {.opcode = OP_COUNT};
    for (int i = 0; i < OP_COUNT; i++)
        if (strlen(ir_op_info[i].text) == n && strncmp(ir_op_info[i].text, s->at, n) == 0)
            op.opcode = (IrOpcode)i;
    if (op.opcode == OP_COUNT) fail(s, "expected an operation, found %s", found(s));
    s->at += n;
    op.n_args = ir_op_info[op.opcode].arity;
    for (int i = 0; i < op.n_args; i++) op.args[i] = value(s);
    attributes(s, &op);
    note(s);
    op.note = s->note;
    const char *why;
    ir_append(s->p, op, &why);
    if (why) fail(s, "%s", why);
}

static void output_line(Parser *s) {
    const char *own = quoted(s);
    for (int i = 0; i < s->p->outputs.n; i++)
        if (strcmp(s->p->outputs.data[i].name, own) == 0)
            fail(s, "output \"%s\" stands twice", own);
    expect_sign(s, "=");
    ir_output(s->p, own, value(s));
}

static void program(Parser *s) {
    skip_lines(s);
    expect_word(s, "program");
    s->p = ir_program_new(s->arena, name(s, "the name of the program"));
    expect_sign(s, "{");
    for (;;) {
        skip_blanks(s);
        if (*s->at && *s->at != '\n' && *s->at != '#' && *s->at != '}')
            fail(s, "expected the end of the line, found %s", found(s));
        skip_lines(s);
        if (take_sign(s, "}")) break;
        if (take_word(s, "axis"))
            axis_line(s);
        else if (take_word(s, "output"))
            output_line(s);
        else if (take_sign(s, "%"))
            operation_line(s);
        else
            fail(s, "expected axis, %%%d, output or '}', found %s", s->p->ops.n, found(s));
    }
    const char *why = ir_verify(s->p);
    if (why) fail(s, "%s", why);
    skip_lines(s);
    if (*s->at) fail(s, "expected the end of the text, found %s", found(s));
}

IrProgram *ir_parse(Arena *arena, const char *text, const char **error) {
    Parser *state =
        arena_new_of(arena, Parser); /* in memory: it outlives the jump with all its changes */
    state->arena = arena;
    state->at = text;
    state->line = 1;
    *error = NULL;
    if (setjmp(state->bail)) {
        *error = state->error;
        return NULL;
    }
    program(state);
    return state->p;
}
