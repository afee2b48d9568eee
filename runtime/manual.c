/* manual.c -- see manual.h. */
#include "runtime/manual.h"

#include <ctype.h>
#include <string.h>
#include <sys/ioctl.h>

enum { WIDTH_LEAST = 40, WIDTH_DEFAULT = 80, WIDTH_MOST = 100 };

Manual manual_terminal(FILE *f) {
    struct winsize size;
    int width = WIDTH_DEFAULT;
    if (!ioctl(fileno(f), TIOCGWINSZ, &size) && size.ws_col) width = size.ws_col;
    if (width < WIDTH_LEAST) width = WIDTH_LEAST;
    return (Manual){f, width > WIDTH_MOST ? WIDTH_MOST : width, true};
}

/* ---- for a terminal ---- */

/* Words of `text` from column `at` on, further lines from column `indent`. */
static void wrap(const Manual *m, int at, int indent, const char *text) {
    int column = at;
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (column > indent && column + 1 + n > m->width) {
            fprintf(m->f, "\n%*s", indent, "");
            column = indent;
        }
        if (column > indent) column += fprintf(m->f, " ");
        column += fprintf(m->f, "%.*s", n, text);
        text += n + strspn(text + n, " ");
    }
    fputc('\n', m->f);
}

/* ---- for man(7) ---- */

enum { ROFF_WIDTH = 72 };

/* A stretch of text, with what troff would read or replace escaped; backquotes switch `*bold`. */
static int roff(const Manual *m, const char *text, int n, bool start, bool *bold) {
    static const struct {
        char c;
        const char *as;
    } escapes[] = {{'\\', "\\e"},  {'-', "\\-"},   {'\'', "\\(aq"},
                   {'"', "\\(dq"}, {'~', "\\(ti"}, {'^', "\\(ha"}};
    int written = 0;
    if (start && *text == '.') written += fprintf(m->f, "\\&");
    for (int k = 0; k < n; k++) {
        char own[2] = {text[k], 0};
        const char *as = own;
        for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++)
            if (escapes[i].c == text[k]) as = escapes[i].as;
        if (text[k] == '`') as = (*bold = !*bold) ? "\\fB" : "\\fR";
        written += fprintf(m->f, "%s", as);
    }
    return written;
}

static void roff_line(const Manual *m, const char *text) {
    bool bold = false;
    roff(m, text, (int)strlen(text), true, &bold);
    fputc('\n', m->f);
}

static void roff_words(const Manual *m, const char *text) {
    bool bold = false;
    int column = 0;
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (column && column + n > ROFF_WIDTH) column = fprintf(m->f, "\n") - 1;
        if (column) column += fprintf(m->f, " ");
        column += roff(m, text, n, column == 0, &bold);
        text += n + strspn(text + n, " ");
    }
    fputc('\n', m->f);
}

Manual manual_page(FILE *f, const char *name, const char *version, const char *date,
                   const char *summary) {
    Manual m = {f, 0, true};
    fprintf(f, ".TH ");
    for (const char *c = name; *c; c++) fputc(toupper((unsigned char)*c), f);
    fprintf(f, " 1 \"%s\" \"adavic %s\" \"User Commands\"\n.SH NAME\n%s \\- ", date, version, name);
    roff_words(&m, summary);
    return m;
}

/* ---- both ---- */

void manual_heading(Manual *m, const char *title) {
    m->opened = true;
    if (m->width) {
        fprintf(m->f, "\n%s\n", title);
        return;
    }
    fprintf(m->f, ".SH ");
    for (; *title; title++) fputc(toupper((unsigned char)*title), m->f);
    fputc('\n', m->f);
}

void manual_subheading(Manual *m, const char *title) {
    m->opened = true;
    fprintf(m->f, m->width ? "\n%s\n" : ".SS %s\n", title);
}

/* man(7) wants no .PP behind a heading. */
static void open_paragraph(Manual *m) {
    if (!m->width && !m->opened) fprintf(m->f, ".PP\n");
    m->opened = false;
}

void manual_paragraph(Manual *m, const char *text) {
    open_paragraph(m);
    if (m->width)
        wrap(m, 0, 0, text);
    else
        roff_words(m, text);
}

void manual_item(Manual *m, int indent, const char *term, const char *text) {
    m->opened = false;
    if (!m->width) {
        fprintf(m->f, ".TP\n.B ");
        roff_line(m, term);
        roff_words(m, text);
        return;
    }
    int at = fprintf(m->f, "  %s", term);
    if (at < indent - 1)
        fprintf(m->f, "%*s", indent - at, "");
    else
        fprintf(m->f, "\n%*s", indent, "");
    wrap(m, indent, indent, text);
}

void manual_code(Manual *m, const char *lines) {
    open_paragraph(m);
    if (!m->width) fprintf(m->f, ".RS 4\n.nf\n");
    while (*lines) {
        int n = (int)strcspn(lines, "\n");
        char line[256];
        snprintf(line, sizeof line, "%.*s", n, lines);
        if (m->width)
            fprintf(m->f, "  %s\n", line);
        else
            roff_line(m, line);
        lines += n + (lines[n] == '\n');
    }
    if (!m->width) fprintf(m->f, ".fi\n.RE\n");
}
