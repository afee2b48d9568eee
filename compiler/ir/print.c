/* print.c -- the text form of a program (see text.h); parse.c is its inverse. */
#include "ir/ir.h"
#include "ir/text.h"

#include <math.h>
#include <stdlib.h>

static void print_quoted(Text *out, const char *s) {
    text_add(out, "\"");
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            text_printf(out, "\\%c", c);
        else if (c == '\n')
            text_add(out, "\\n");
        else if (c < 32 || c == 127)
            text_printf(out, "\\x%02x", c);
        else
            text_printf(out, "%c", c);
    }
    text_add(out, "\"");
}

static void print_name(Text *out, const char *name) {
    bool plain = ir_name_char(name[0], true);
    for (const char *c = name; *c && plain; c++) plain = ir_name_char(*c, c == name);
    if (plain)
        text_add(out, name);
    else
        print_quoted(out, name);
}

/* The shortest of %.15g, %.16g, %.17g that reads back as the same number. */
static void print_number(Text *out, double x) {
    if (isnan(x)) {
        text_add(out, "nan");
        return;
    }
    char word[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(word, sizeof word, "%.*g", digits, x);
        if (strtod(word, NULL) == x) break;
    }
    text_add(out, word);
}

static void print_axis_name(Text *out, const IrProgram *p, AxisId axis) {
    text_add(out, " ");
    print_name(out, p->axes.data[axis].name);
}

static void print_axes(Text *out, const IrProgram *p, const AxisId *axes, int n) {
    text_add(out, " [");
    for (int i = 0; i < n; i++) {
        if (i) text_add(out, " ");
        print_name(out, p->axes.data[axes[i]].name);
    }
    text_add(out, "]");
}

static void print_axis(Text *out, const IrProgram *p, const IrAxis *axis) {
    text_add(out, "  axis ");
    print_name(out, axis->name);
    text_add(out, " : ");
    if (axis->copy_of != AXIS_NONE) {
        text_add(out, "copy of");
        print_axis_name(out, p, axis->copy_of);
    } else if (axis->kind == AXIS_EVENT) {
        text_printf(out, "event %lld", (long long)axis->extent);
    } else if (axis->kind == AXIS_PLATE) {
        text_add(out, "plate");
        if (axis->parent != AXIS_NONE) {
            text_add(out, " in");
            print_axis_name(out, p, axis->parent);
        }
        if (axis->ragged) text_add(out, " ragged");
        if (axis->usual) text_printf(out, " of %lld", (long long)axis->usual);
    } else {
        text_add(out, axis->kind == AXIS_DATA ? "data" : "draw");
    }
    text_add(out, "\n");
}

static void print_leaf(Text *out, const IrProgram *p, const IrOp *op) {
    static const char *const roles[] = IR_ROLE_WORDS;
    if (op->opcode == OP_CONST) {
        text_add(out, " ");
        print_number(out, op->number);
    } else if (op->opcode == OP_EXTENT) {
        print_axis_name(out, p, op->axis);
    } else if (op->opcode == OP_INPUT) {
        text_add(out, " ");
        print_quoted(out, op->name);
        text_printf(out, " %s", roles[op->role]);
        print_axes(out, p, op->axes, op->n_axes);
    } else {
        print_axes(out, p, op->axes, op->n_axes);
        text_add(out, " {");
        int64_t size = ir_event_size(p, op->axes, op->n_axes);
        for (int64_t i = 0; i < size; i++) {
            if (i) text_add(out, ", ");
            print_number(out, op->table[i]);
        }
        text_add(out, "}");
    }
}

static void print_random(Text *out, const IrProgram *p, const IrOp *op) {
    static const char *const kinds[] = IR_RANDOM_WORDS;
    if (op->n_args == 0) text_printf(out, " %s", kinds[op->random]);
    text_add(out, " ");
    print_quoted(out, op->name);
    print_axes(out, p, op->axes, op->n_axes);
}

static void print_attributes(Text *out, const IrProgram *p, const IrOp *op) {
    switch (ir_op_info[op->opcode].rule) {
    case RULE_LEAF:
        print_leaf(out, p, op);
        break;
    case RULE_RANDOM:
        print_random(out, p, op);
        break;
    case RULE_POINT:
        break;
    case RULE_REDUCE:
    case RULE_CONTRACT:
        text_add(out, " over");
        print_axes(out, p, op->over, op->n_over);
        break;
    case RULE_SPREAD:
        print_axes(out, p, op->axes, op->n_axes);
        break;
    case RULE_PICK:
    case RULE_PLACE:
        print_axis_name(out, p, op->axis);
        text_printf(out, " at %lld", (long long)op->index);
        break;
    case RULE_RENAME:
    case RULE_SLICE:
    case RULE_PAD:
        print_axis_name(out, p, op->axis);
        text_add(out, " ->");
        print_axis_name(out, p, op->axis2);
        if (op->opcode != OP_RENAME) text_printf(out, " at %lld", (long long)op->index);
        break;
    }
}

/* A note is a comment where it changes; line ends and blanks at its ends would not survive reading.
 */
static void print_note(Text *out, const char *note) {
    text_add(out, note ? "  # " : "  #");
    for (; note && *note; note++) text_printf(out, "%c", *note < 32 && *note >= 0 ? ' ' : *note);
}

static bool same_text(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

void ir_print(Text *out, const IrProgram *p) {
    text_add(out, "program ");
    print_name(out, p->name);
    text_add(out, " {\n");
    for (int i = 0; i < p->axes.n; i++) print_axis(out, p, &p->axes.data[i]);
    const char *note = NULL;
    for (int v = 0; v < p->ops.n; v++) {
        const IrOp *op = &p->ops.data[v];
        text_printf(out, "  %%%d = %s", v, ir_op_info[op->opcode].text);
        for (int i = 0; i < op->n_args; i++) text_printf(out, " %%%d", op->args[i]);
        print_attributes(out, p, op);
        const char *own = op->note && *op->note ? op->note : NULL;
        if (!same_text(own, note)) print_note(out, own);
        note = own;
        text_add(out, "\n");
    }
    for (int i = 0; i < p->outputs.n; i++) {
        text_add(out, "  output ");
        print_quoted(out, p->outputs.data[i].name);
        text_printf(out, " = %%%d\n", p->outputs.data[i].value);
    }
    text_add(out, "}\n");
}
