/* formula.c -- text to a tree, the tree to terms. See formula.h. */
#include "init/formula.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 2000, DEEPEST = 40 };

bool formula_error(const Formula *f, Place place, RtError *error, const char *more,
                   const char *format, ...) {
    char what[400];
    RtBytes line = {0};
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    for (int i = 0; i < place.end || i == place.begin; i++) {
        if ((f->text[i] & 0xc0) == 0x80) continue; /* the rest of a character */
        rt_bytes_printf(&line, "%s", i < place.begin ? " " : i == place.begin ? "^" : "~");
    }
    rt_error(error, "formula: %s\n  %.600s\n  %.600s%s", what, f->text, line.data, more);
    rt_bytes_free(&line);
    return false;
}

/* ---- text to a tree ---- */

typedef enum { NODE_NUMBER, NODE_NAME, NODE_CALL, NODE_GROUP, NODE_OP } NodeKind;

/* NODE_GROUP: what stands in parentheses, its left. NODE_OP: `~ + - * : / ^ |`, or `"` for ||; left
 * is NULL for a sign in front. NODE_CALL: of `name`, its arguments in a chain of `,`, left first.
 */
typedef struct Node {
    NodeKind kind;
    char op;
    Place place;
    const char *name;
    double number;
    struct Node *left, *right;
} Node;

typedef struct Parser {
    RtMem *mem;
    Formula *f;
    int at, depth;
    RtError *error;
    bool failed;
} Parser;

static Node *fail(Parser *p, Place place, const char *more, const char *what) {
    if (!p->failed) formula_error(p->f, place, p->error, more, "%s", what);
    p->failed = true;
    return NULL;
}

static char peek(Parser *p) {
    while (isspace((unsigned char)p->f->text[p->at])) p->at++;
    return p->f->text[p->at];
}

static Node *node(Parser *p, NodeKind kind, int begin) {
    Node *n = rt_alloc(p->mem, 1, sizeof *n);
    *n = (Node){.kind = kind, .place = {begin, p->at}};
    return n;
}

static Node *parse_level(Parser *p, int level);

static bool in_name(char c) {
    return isalnum((unsigned char)c) || c == '_' || c == '.' || (c & 0x80);
}

static Node *parse_call(Parser *p, Node *n) {
    Node **to = &n->left;
    n->kind = NODE_CALL;
    p->at++;
    for (;;) {
        Node *argument = parse_level(p, 1);
        if (!argument) return NULL;
        *to = node(p, NODE_OP, argument->place.begin);
        (*to)->op = ',';
        (*to)->left = argument;
        to = &(*to)->right;
        char c = peek(p);
        if (c != ',' && c != ')')
            return fail(p, (Place){p->at, p->at + 1}, "\n  expected  , or )", "not a formula");
        p->at++;
        if (c == ')') break;
    }
    n->place.end = p->at;
    return n;
}

static Node *parse_quoted(Parser *p, int begin) {
    const char *text = p->f->text + begin + 1, *end = strchr(text, '`');
    if (!end) return fail(p, (Place){begin, begin + 1}, "", "a backquote stays open");
    p->at = (int)(end + 1 - p->f->text);
    Node *n = node(p, NODE_NAME, begin);
    n->name = rt_copy_text(p->mem, text, (size_t)(end - text));
    return n;
}

static Node *parse_primary(Parser *p) {
    char c = peek(p);
    const char *text = p->f->text;
    int begin = p->at;
    if (c == '`') return parse_quoted(p, begin);
    if (c == '(') {
        if (++p->depth > DEEPEST)
            return fail(p, (Place){begin, begin + 1}, "", "parentheses nested too deep");
        p->at++;
        Node *inner = parse_level(p, 0);
        if (!inner) return NULL;
        if (peek(p) != ')')
            return fail(p, (Place){begin, begin + 1}, "", "this parenthesis is not closed");
        p->at++, p->depth--;
        Node *n = node(p, NODE_GROUP, begin);
        n->left = inner;
        return n;
    }
    if (isdigit((unsigned char)c)) {
        char *end;
        double x = strtod(text + begin, &end);
        p->at = (int)(end - text);
        Node *n = node(p, NODE_NUMBER, begin);
        n->number = x;
        return n;
    }
    if (!in_name(c)) {
        const char *what = c ? "a term is missing here" : "the formula ends where a term should be";
        return fail(p, (Place){begin, begin + 1},
                    "\n  expected  a column, 0, 1, or (terms | groups)", what);
    }
    while (in_name(text[p->at])) p->at++;
    Node *n = node(p, NODE_NAME, begin);
    n->name = rt_copy_text(p->mem, text + begin, (size_t)(p->at - begin));
    return text[p->at] == '(' ? parse_call(p, n) : n;
}

/* A power, from the right: its exponent may have a sign. */
static Node *parse_power(Parser *p) {
    int begin = (peek(p), p->at);
    Node *left = parse_primary(p), *right;
    if (!left || peek(p) != '^') return left;
    p->at++;
    if (++p->depth > DEEPEST) return fail(p, (Place){begin, p->at}, "", "powers nested too deep");
    int from = (peek(p), p->at);
    if (peek(p) == '-') {
        p->at++;
        Node *of = parse_power(p);
        if (!of) return NULL;
        right = node(p, NODE_OP, from);
        right->op = '-';
        right->right = of;
    } else if (!(right = parse_power(p))) {
        return NULL;
    }
    p->depth--;
    Node *n = node(p, NODE_OP, begin);
    n->op = '^';
    n->left = left;
    n->right = right;
    return n;
}

/* The operator of this level at p->at, or 0. From the loosest to the tightest, as in R. */
static char operator_at(Parser *p, int level) {
    static const char *const levels[] = {"|", "+-", "*/", ":"};
    char c = peek(p);
    if (!c || !strchr(levels[level], c)) return 0;
    if (c == '|' && p->f->text[p->at + 1] == '|') return '"';
    return c;
}

static Node *parse_level(Parser *p, int level) {
    enum { TIGHTEST = 3 };
    int begin = (peek(p), p->at);
    Node *left = NULL;
    if (level == 1 && (peek(p) == '-' || peek(p) == '+')) { /* a sign in front */
        char op = p->f->text[p->at++];
        Node *right = parse_level(p, level + 1);
        if (!right) return NULL;
        left = node(p, NODE_OP, begin);
        left->op = op;
        left->right = right;
    } else {
        left = level == TIGHTEST ? parse_power(p) : parse_level(p, level + 1);
    }
    for (char op; left && (op = operator_at(p, level));) {
        p->at += op == '"' ? 2 : 1;
        Node *right = level == TIGHTEST ? parse_power(p) : parse_level(p, level + 1);
        if (!right) return NULL;
        Node *both = node(p, NODE_OP, begin);
        both->op = op;
        both->left = left;
        both->right = right;
        left = both;
    }
    return left;
}

static bool complain(Parser *p, const Node *n, const char *more, const char *what) {
    fail(p, n->place, more, what);
    return false;
}

/* ---- functions of a column ---- */

/* Functions that are a whole term. */
static const char *const whole_terms[] = {"scale", "factor", "offset"};
enum { N_WHOLE = sizeof whole_terms / sizeof *whole_terms };

static bool no_function(Parser *p, const Node *n) {
    const char *near = rt_nearest(n->name, transform_functions, FN_COUNT);
    if (!near) near = rt_nearest(n->name, whole_terms, N_WHOLE);
    RtBytes more = {0};
    rt_bytes_printf(&more, "\n  expected  ");
    for (int i = 0; i < FN_COUNT; i++) rt_bytes_printf(&more, "%s(x), ", transform_functions[i]);
    rt_bytes_printf(&more,
                    "scale(x), factor(x), I(x^2)%s%s%s"
                    "\n  anything else is a column to add to the file",
                    near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    complain(p, n, more.data, "this function is not known in a formula");
    rt_bytes_free(&more);
    return false;
}

static const Transform *transform_of(Parser *p, const Node *n, FormulaVar *v);

static Transform *new_transform(Parser *p, TransformKind kind) {
    Transform *t = rt_alloc(p->mem, 1, sizeof *t);
    t->kind = kind;
    return t;
}

static const Transform *transform_of_call(Parser *p, const Node *n, FormulaVar *v) {
    Transform *t = new_transform(p, TRANSFORM_CALL);
    bool known = !strcmp(n->name, "I"), whole = false;
    while (t->fn < FN_COUNT && strcmp(transform_functions[t->fn], n->name)) t->fn++;
    for (int i = 0; i < N_WHOLE; i++) whole |= !strcmp(n->name, whole_terms[i]);
    if (whole) complain(p, n, "", "this function stands by itself, not within another");
    if (!whole && !known && t->fn == FN_COUNT) no_function(p, n);
    if (!p->failed && n->left->right) complain(p, n, "", "functions are of one column");
    if (p->failed) return NULL;
    t->left = transform_of(p, n->left->left, v);
    return known || !t->left ? t->left : t;
}

/* Within a function: numbers and one column, which becomes the variable's. NULL after an error. */
static const Transform *transform_of(Parser *p, const Node *n, FormulaVar *v) {
    Transform *t;
    switch (n->kind) {
    case NODE_NUMBER:
        t = new_transform(p, TRANSFORM_NUMBER);
        t->number = n->number;
        return t;
    case NODE_NAME:
        if (v->column && strcmp(v->column, n->name)) {
            complain(
                p, n,
                "\n  a product of columns is a:b; anything else is a column to add to the file",
                "functions are of one column");
            return NULL;
        }
        v->column = n->name;
        return new_transform(p, TRANSFORM_COLUMN);
    case NODE_CALL:
        return transform_of_call(p, n, v);
    case NODE_GROUP:
        return transform_of(p, n->left, v);
    case NODE_OP:
        break;
    }
    if (!strchr("+-*/^", n->op)) {
        complain(p, n, "\n  expected  + - * / ^", "not a function of a column");
        return NULL;
    }
    if (!n->left && n->op == '+') return transform_of(p, n->right, v);
    t = new_transform(p, TRANSFORM_OP);
    t->op = n->op;
    if (n->left && !(t->left = transform_of(p, n->left, v))) return NULL;
    t->right = transform_of(p, n->right, v);
    return t->right ? t : NULL;
}

/* A column, or a function of one. */
static bool read_var(Parser *p, const Node *n, FormulaVar *v) {
    *v = (FormulaVar){.column = n->name, .place = n->place};
    if (n->kind == NODE_NAME) {
        if (!strcmp(n->name, ".")) return complain(p, n, "\n  name them", "which columns?");
        return true;
    }
    if (n->kind != NODE_CALL)
        return complain(p, n, "\n  expected  a column, or log(x), sqrt(x) or exp(x) of one",
                        "not a variable");
    v->column = NULL;
    v->factor = !strcmp(n->name, "factor");
    v->scaled = !strcmp(n->name, "scale");
    if ((v->factor || v->scaled) && n->left->right)
        return complain(p, n, "", "functions are of one column");
    v->transform = transform_of(p, v->factor || v->scaled ? n->left->left : n, v);
    if (!v->transform) return false;
    if (v->transform->kind == TRANSFORM_COLUMN) v->transform = NULL;
    if (!v->column) return complain(p, n, "", "no column stands in this function");
    if (v->factor && v->transform)
        return complain(p, n, "\n  expected  factor(x)", "a factor is a column as it is");
    return true;
}

/* ---- terms ---- */

static bool same_var(const FormulaVar *a, const FormulaVar *b) {
    return a->factor == b->factor && a->scaled == b->scaled && !strcmp(a->column, b->column) &&
           transform_same(a->transform, b->transform);
}

static bool find_var(Parser *p, const Node *n, int *out) {
    FormulaVar v;
    Formula *f = p->f;
    if (!read_var(p, n, &v)) return false;
    for (*out = 0; *out < f->n_vars; ++*out)
        if (same_var(&f->vars[*out], &v)) return true;
    if (f->n_vars == FORMULA_VARS) return complain(p, n, "", "too many variables");
    f->vars[f->n_vars++] = v;
    return true;
}

static bool add_term(Parser *p, const Node *n, FormulaTerms *t, VarSet term) {
    for (int i = 0; i < t->n; i++)
        if (t->at[i] == term) return true;
    if (t->n == FORMULA_TERMS) return complain(p, n, "", "too many terms");
    t->at[t->n++] = term;
    return true;
}

static void remove_term(FormulaTerms *t, VarSet term) {
    int n = 0;
    for (int i = 0; i < t->n; i++)
        if (t->at[i] != term) t->at[n++] = t->at[i];
    t->n = n;
    if (!term) t->without_intercept = true;
}

static bool expand(Parser *p, const Node *n, bool top, FormulaTerms *out);

/* a:b, and for a/b and a*b what else they mean. */
static bool expand_product(Parser *p, const Node *n, FormulaTerms *out) {
    FormulaTerms left = {0}, right = {0};
    if (!expand(p, n->left, false, &left) || !expand(p, n->right, false, &right)) return false;
    VarSet all = 0;
    for (int i = 0; i < left.n; i++) {
        all |= left.at[i];
        if (n->op != ':' && !add_term(p, n, out, left.at[i])) return false;
    }
    for (int k = 0; k < right.n; k++) {
        if (n->op == '*' && !add_term(p, n, out, right.at[k])) return false;
        if (n->op == '/' && !add_term(p, n, out, all | right.at[k])) return false;
    }
    for (int i = 0; n->op != '/' && i < left.n; i++)
        for (int k = 0; k < right.n; k++)
            if (!add_term(p, n, out, left.at[i] | right.at[k])) return false;
    return true;
}

/* (a + b)^2: all of a and b, and their products of up to two. */
static bool expand_power(Parser *p, const Node *n, FormulaTerms *out) {
    enum { MOST = 6 };
    FormulaTerms base = {0}, power = {0};
    const Node *times = n->right;
    if (n->left->kind != NODE_GROUP)
        return complain(
            p, n,
            "\n  expected  I(x^2) for the square of a column, (a + b)^2 for products of terms",
            "a power by itself means nothing in a formula");
    if (times->kind != NODE_NUMBER || times->number < 1 || times->number > MOST ||
        times->number != floor(times->number))
        return complain(p, times, "\n  expected  a whole number from 1 to 6",
                        "not an exponent of terms");
    if (!expand(p, n->left->left, false, &base)) return false;
    power = base;
    for (int i = 1; i < (int)times->number; i++) {
        const int n_before = power.n;
        for (int k = 0; k < n_before; k++)
            for (int j = 0; j < base.n; j++)
                if (!add_term(p, n, &power, power.at[k] | base.at[j])) return false;
    }
    for (int k = 0; k < power.n; k++)
        if (!add_term(p, n, out, power.at[k])) return false;
    return true;
}

static bool add_groups(Parser *p, const Node *n);

static bool add_offset(Parser *p, const Node *n, bool top) {
    int var;
    if (!top) return complain(p, n, "", "an offset is a term of its own");
    if (n->left->right) return complain(p, n, "", "offset() takes one column");
    if (!find_var(p, n->left->left, &var)) return false;
    if (p->f->vars[var].factor)
        return complain(p, n, "\n  expected  offset(x) or offset(log(x)) of a column",
                        "not an offset");
    p->f->offsets |= (VarSet)1 << var;
    return true;
}

/* `top`: offsets and groups may stand here. */
static bool expand_op(Parser *p, const Node *n, bool top, FormulaTerms *out) {
    if (n->op == '|' || n->op == '"')
        return complain(p, n, "\n  as in  y ~ x + (1 + x | g)",
                        "effects of groups stand in parentheses, as a term of their own");
    if (n->op == '^') return expand_power(p, n, out);
    if (n->op != '+' && n->op != '-') return expand_product(p, n, out);
    if (n->left && !expand(p, n->left, top, out)) return false;
    if (n->op == '+') return expand(p, n->right, top, out);
    FormulaTerms less = {0};
    if (!expand(p, n->right, false, &less)) return false;
    for (int i = 0; i < less.n; i++) remove_term(out, less.at[i]);
    return true;
}

static bool expand(Parser *p, const Node *n, bool top, FormulaTerms *out) {
    int var;
    switch (n->kind) {
    case NODE_NUMBER:
        if (n->number == 1) return add_term(p, n, out, 0);
        if (n->number != 0) return complain(p, n, "", "numbers in a formula are 0 and 1");
        remove_term(out, 0);
        return true;
    case NODE_CALL:
        if (!strcmp(n->name, "offset")) return add_offset(p, n, top);
        /* fallthrough */
    case NODE_NAME:
        return find_var(p, n, &var) && add_term(p, n, out, (VarSet)1 << var);
    case NODE_GROUP:
        if (n->left->kind == NODE_OP && strchr("|\"", n->left->op)) {
            if (top) return add_groups(p, n->left);
            return complain(p, n, "", "effects of groups are a term of their own");
        }
        return expand(p, n->left, top, out);
    case NODE_OP:
        return expand_op(p, n, top, out);
    }
    return false;
}

static int count_vars(VarSet term) {
    int n = 0;
    for (; term; term &= term - 1) n++;
    return n;
}

/* The intercept first, then main effects, then their products: as R does. */
static bool finish_terms(Parser *p, const Node *n, FormulaTerms *t) {
    FormulaTerms sorted = {.without_intercept = t->without_intercept};
    if (t->without_intercept)
        remove_term(t, 0);
    else if (!add_term(p, n, t, 0))
        return false;
    for (int size = 0; size <= FORMULA_VARS; size++)
        for (int i = 0; i < t->n; i++)
            if (count_vars(t->at[i]) == size) sorted.at[sorted.n++] = t->at[i];
    *t = sorted;
    return true;
}

/* ---- groups ---- */

/* a, a:b into the columns of a group. */
static bool add_columns(Parser *p, const Node *n, FormulaGroup *g) {
    if (n->kind == NODE_GROUP) return add_columns(p, n->left, g);
    if (n->kind == NODE_OP && n->op == ':')
        return add_columns(p, n->left, g) && add_columns(p, n->right, g);
    if (n->kind != NODE_NAME)
        return complain(p, n, "\n  expected  g, a:b or a/b of columns a and b",
                        "groups are named by columns");
    for (int i = 0; i < g->n_columns; i++)
        if (!strcmp(g->columns[i], n->name)) return true;
    if (g->n_columns == FORMULA_COLUMNS) return complain(p, n, "", "too many columns of groups");
    g->columns[g->n_columns++] = n->name;
    return true;
}

/* a/b: groups a, then groups a:b. */
static bool add_nested(Parser *p, const Node *n, FormulaGroup *g) {
    while (n->kind == NODE_GROUP) n = n->left;
    bool nested = n->kind == NODE_OP && n->op == '/';
    if (nested && !add_nested(p, n->left, g)) return false;
    if (!add_columns(p, nested ? n->right : n, g)) return false;
    if (p->f->n_groups == FORMULA_GROUPS) return complain(p, n, "", "too many groups");
    g->place = n->place;
    p->f->groups[p->f->n_groups++] = *g;
    return true;
}

static bool add_groups(Parser *p, const Node *n) {
    FormulaGroup g = {.correlated = n->op == '|'};
    return expand(p, n->left, false, &g.terms) && finish_terms(p, n->left, &g.terms) &&
           (g.terms.n || complain(p, n->left, "", "no effect is left")) &&
           add_nested(p, n->right, &g);
}

/* ---- the outcome ---- */

static bool is_call(const Node *n, const char *name, int arguments) {
    if (n->kind != NODE_CALL || strcmp(n->name, name)) return false;
    for (n = n->left; n; n = n->right) arguments--;
    return arguments == 0;
}

/* y | trials(n) */
static bool read_trials(Parser *p, const Node *n) {
    Formula *f = p->f;
    const Node *of = n->right;
    if (n->left->kind != NODE_NAME || !is_call(of, "trials", 1) ||
        (of->left->left->kind != NODE_NAME && of->left->left->kind != NODE_NUMBER))
        return complain(p, n, "\n  expected  y | trials(n), n a column or a number",
                        "not an outcome");
    of = of->left->left;
    f->outcome = (FormulaVar){.column = n->left->name, .place = n->left->place};
    f->trials = (FormulaVar){.column = of->kind == NODE_NAME ? of->name : NULL, .place = of->place};
    if (of->kind == NODE_NAME) return true;
    f->fixed_trials = of->number < 1e9 ? (int64_t)of->number : 0;
    return (f->fixed_trials > 0 && (double)f->fixed_trials == of->number) ||
           complain(p, of, "", "trials are a whole number above 0");
}

/* cbind(y, n - y) */
static bool read_cbind(Parser *p, const Node *n) {
    const Node *y = n->left->left, *rest = n->left->right->left;
    bool ok = y->kind == NODE_NAME && rest->kind == NODE_OP && rest->op == '-' && rest->left &&
              rest->left->kind == NODE_NAME && rest->right->kind == NODE_NAME &&
              !strcmp(rest->right->name, y->name);
    if (!ok)
        return complain(p, n,
                        "\n  expected  cbind(y, n - y), where column n counts the trials; "
                        "where the file has failures instead, add a column of their sums",
                        "not an outcome");
    p->f->outcome = (FormulaVar){.column = y->name, .place = y->place};
    p->f->trials = (FormulaVar){.column = rest->left->name, .place = rest->left->place};
    return true;
}

static bool read_outcome(Parser *p, const Node *n) {
    if (n->kind == NODE_OP && n->op == '|') return read_trials(p, n);
    if (is_call(n, "cbind", 2)) return read_cbind(p, n);
    if (n->kind == NODE_NAME) {
        p->f->outcome = (FormulaVar){.column = n->name, .place = n->place};
        return true;
    }
    return complain(p, n,
                    "\n  expected  a column, cbind(y, n - y) or y | trials(n); of anything "
                    "else, as log(y), make a column of the file",
                    "not an outcome");
}

bool formula_parse(RtMem *mem, const char *text, Formula *f, RtError *error) {
    *f = (Formula){.text = text};
    Parser p = {.mem = mem, .f = f, .error = error};
    if (strlen(text) > LONGEST) return rt_error(error, "the formula is too long");
    for (const char *c = text; *c; c++)
        if (iscntrl((unsigned char)*c)) return rt_error(error, "the formula holds control signs");
    Node *outcome = parse_level(&p, 0);
    if (!outcome) return false;
    if (peek(&p) != '~') {
        fail(&p, (Place){p.at, p.at + 1}, "\n  as in  reaction ~ days + (1 | subject)",
             "a formula is OUTCOME ~ TERMS");
        return false;
    }
    p.at++;
    Node *terms = parse_level(&p, 0);
    if (!terms) return false;
    if (peek(&p)) {
        fail(&p, (Place){p.at, p.at + 1}, "\n  expected  the end, or + and another term",
             "not a formula");
        return false;
    }
    return read_outcome(&p, outcome) && expand(&p, terms, true, &f->fixed) &&
           finish_terms(&p, terms, &f->fixed) &&
           (f->fixed.n || f->n_groups ||
            complain(&p, terms, "", "no effect is left: there is nothing to infer"));
}
