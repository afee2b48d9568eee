/* table.h -- a text table as people's files have it: a header, then rows of cells.
 *
 * UTF-8, with or without a byte order mark; lines end with LF, CRLF or CR. Cells are separated by
 * commas, semicolons or tabs, whichever the header has most of outside of quotes and brackets, or
 * the one that a first line `sep=;` names. They may be quoted (RFC 4180: "" is a quote, line ends
 * and separators are text); blanks around them do not count. Empty lines, and at the end rows of
 * empty cells alone, are no rows. Two columns of one name are an error; columns without a name are
 * never asked for. Decimals are written with a point; where semicolons separate, a comma does as
 * well. Positions in messages are FILE:LINE:COLUMN, both counted from 1; the header is line 1.
 *
 * Knows nothing of models: data_csv.c reads data sets from it, `adavic init` the kinds of columns.
 */
#ifndef ADAVIC_TABLE_H
#define ADAVIC_TABLE_H

#include "runtime/memory.h"

#include <string.h>

typedef struct RtCell {
    char *text; /* not ended by a 0 */
    size_t n;
} RtCell;

/* Texts, each under a parent, numbered from 0 as they are added. */
typedef struct RtIndex {
    int64_t n, n_slots, *slots, *parents;
    RtCell *keys;
} RtIndex;
RtIndex rt_index_new(RtMem *mem, int64_t most);
/* The number of the key, added where it is new; *fresh: was it? */
int64_t rt_index_add(RtIndex *x, int64_t parent, RtCell key, bool *fresh);
int64_t rt_index_find(const RtIndex *x, int64_t parent, RtCell key); /* -1: not there */

typedef struct RtTable {
    RtMem *mem;
    const char *name; /* of the file, for messages */
    char separator;
    int n_columns;
    int64_t n_rows;
    const char **header;
    RtIndex columns;       /* the header's names */
    int *column_of;        /* of each of them */
    RtCell *cells;         /* [row][column]; texts live in `mem` */
    int64_t *line;         /* of each row in the file */
    const RtCell *sign[2]; /* of the numbers read: the first with a decimal point, with a comma */
    int64_t sign_line[2];
} RtTable;

/* Reads the whole of it. `name` and `bytes` need not outlive the call, but for messages. */
bool rt_table_read(RtMem *mem, const char *name, const RtBytes *bytes, RtTable *out,
                   RtError *error);
static inline RtCell *rt_table_cell(const RtTable *t, int64_t row, int column) {
    return &t->cells[row * t->n_columns + column];
}

enum { RT_NO_COLUMN = -1, RT_SEVERAL_COLUMNS = -2 };
/* The column of exactly this name; else the one that differs from it in nothing but case, those
 * that are `taken` (by column, or NULL) aside. RT_SEVERAL_COLUMNS: which one is open. */
int rt_table_column(const RtTable *t, const char *name, const bool *taken);
/* Appends what is there instead of the column, "no column named x", and lines on what would be
 * right, each begun by "\n  "; `expected` says what the column is for, or NULL. Returns a column to
 * point at, or RT_NO_COLUMN. */
int rt_table_why_none(const RtTable *t, const char *name, const bool *taken, const char *expected,
                      RtBytes *what, RtBytes *more);
/* The same as an error. */
bool rt_table_no_column(const RtTable *t, const char *name, const bool *taken, const char *expected,
                        RtError *error);

bool rt_cell_missing(const RtCell *c); /* empty, NA or NaN */
static inline bool rt_cell_equal(const RtCell *a, const RtCell *b) {
    return a->n == b->n && !memcmp(a->text, b->text, a->n);
}
/* How a number is written: RT_COMMA where its decimal sign is a comma. */
typedef enum { RT_NO_NUMBER, RT_PLAIN, RT_POINT, RT_COMMA } RtNotation;
RtNotation rt_cell_number(const RtTable *t, const RtCell *c, double *out);
/* Is some cell of the column neither a number nor missing? */
bool rt_table_holds_text(const RtTable *t, int column);
/* The number of a cell that is not missing, or the error of one that is no number, infinite, above
 * `most` in size, or written with another decimal sign than numbers read before. `name`: of what it
 * is a number, for messages. */
bool rt_table_number(RtTable *t, int64_t row, int column, const char *name, double most,
                     double *out, RtError *error);
/* What to do about a cell that should be a number and is not: a line that begins with "\n  ", or
 * "". */
const char *rt_cell_advice(const RtCell *c);

#endif
