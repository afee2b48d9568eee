/* manual.h -- text for readers, written once: wrapped for a terminal, or as a manual page (man(7)).
 *
 *     Manual m = manual_terminal(stdout);
 *     manual_heading(&m, "options");
 *     manual_item(&m, 22, "--seed N", "of all random numbers (default 1)");
 *
 * Texts are ASCII; what stands in backquotes is code, bold in a manual page. adavic and the
 * programs that it compiles write their help through this.
 */
#ifndef ADAVIC_MANUAL_H
#define ADAVIC_MANUAL_H

#include <stdbool.h>
#include <stdio.h>

typedef struct Manual {
    FILE *f;
    int width;   /* of a line in characters; 0: a manual page */
    bool opened; /* nothing yet below the last heading */
} Manual;

/* As wide as the terminal that `f` is, from 40 to 100 characters; 80 where it is none. */
Manual manual_terminal(FILE *f);
/* A manual page of section 1, up to its NAME; `date` as 2026-01-31.
 */
Manual manual_page(FILE *f, const char *name, const char *version, const char *date,
                   const char *summary);

void manual_heading(Manual *m, const char *title);
void manual_subheading(Manual *m, const char *title);
void manual_paragraph(Manual *m, const char *text);
/* A term and what it means, from column `indent` on. */
void manual_item(Manual *m, int indent, const char *term, const char *text);
/* Lines as they are, indented by two. */
void manual_code(Manual *m, const char *lines);

#endif
