/* diag.c -- keeps reports, sorts them by position and shows them beside the source text. See
 * diag.h.
 *
 * A report is stored as finished text, so that its arguments need not outlive diag_report. The same
 * code at the same span is kept once: two paths to one fault say it once. */
#include "base/diag.h"

#include <stdlib.h>

typedef enum { SEVERITY_ERROR, SEVERITY_WARNING } Severity;

typedef struct DiagInfo {
    const char *code;
    Severity severity;
    const char *format, *explanation;
} DiagInfo;

static const DiagInfo diag_info[DIAG_COUNT] = {
#define DIAG(NAME, code, severity, format, explanation) \
    [DIAG_##NAME] = {#code, SEVERITY_##severity, format, explanation},
#include "base/diags.def"
#undef DIAG
};

enum { MAX_SHOWN_ERRORS = 20, MAX_KEPT = 2000 };

/* A note or a help line of a report; a help has no span. */
typedef struct Remark {
    bool is_help;
    Span span;
    const char *text;
} Remark;

typedef struct Report {
    DiagCode code;
    Span span;
    int order;
    const char *text;
    VEC(Remark) remarks;
} Report;

typedef struct Source {
    const char *path, *text;
    size_t n;
    bool imported;
    Span from; /* where it is imported */
} Source;

struct Diags {
    Arena *arena;
    VEC(Source) sources;
    VEC(Report *) reports;
    Report *last; /* what notes attach to; a duplicate's notes go nowhere */
    int errors;
};

Diags *diags_new(Arena *arena) {
    Diags *diags = arena_new_of(arena, Diags);
    diags->arena = arena;
    return diags;
}

int diags_add_source(Diags *diags, const char *path, const char *text, size_t n) {
    vec_push(diags->arena, &diags->sources,
             (Source){.path = arena_strdup(diags->arena, path), .text = text, .n = n});
    return diags->sources.n - 1;
}

void diags_set_origin(Diags *diags, int file, Span from) {
    diags->sources.data[file].imported = true;
    diags->sources.data[file].from = from;
}

/* The place of `span` in the file that imports its own; false: none does. */
static bool lift(const Diags *diags, Span *span) {
    if (span->file < 0 || span->file >= diags->sources.n) return false;
    const Source *source = &diags->sources.data[span->file];
    if (source->imported) *span = source->from;
    return source->imported;
}

bool diags_before(const Diags *diags, Span a, Span b) {
    /* an importing file has a smaller number than what it imports */
    while (a.file != b.file)
        if (!lift(diags, a.file > b.file ? &a : &b)) return true;
    return a.begin < b.begin;
}

static bool same_span(Span a, Span b) {
    return a.file == b.file && a.begin == b.begin && a.end == b.end;
}

void diag_report(Diags *diags, DiagCode code, Span span, ...) {
    diags->last = NULL;
    for (int i = 0; i < diags->reports.n; i++) {
        const Report *old = diags->reports.data[i];
        if (old->code == code && same_span(old->span, span)) return;
    }
    if (diag_info[code].severity == SEVERITY_ERROR) diags->errors++;
    if (diags->reports.n >= MAX_KEPT) return;
    Report *report = arena_new_of(diags->arena, Report);
    report->code = code;
    report->span = span;
    report->order = diags->reports.n;
    va_list args;
    va_start(args, span);
    report->text = arena_vprintf(diags->arena, diag_info[code].format, args);
    va_end(args);
    vec_push(diags->arena, &diags->reports, report);
    diags->last = report;
}

void diag_note(Diags *diags, Span span, const char *format, ...) {
    if (!diags->last) return;
    va_list args;
    va_start(args, format);
    const char *text = arena_vprintf(diags->arena, format, args);
    va_end(args);
    vec_push(diags->arena, &diags->last->remarks, (Remark){.span = span, .text = text});
}

void diag_help(Diags *diags, const char *format, ...) {
    if (!diags->last) return;
    va_list args;
    va_start(args, format);
    const char *text = arena_vprintf(diags->arena, format, args);
    va_end(args);
    vec_push(diags->arena, &diags->last->remarks, (Remark){.is_help = true, .text = text});
}

int diags_errors(const Diags *diags) {
    return diags->errors;
}

/* ---- showing ---- */

static int compare_reports(const void *left, const void *right) {
    const Report *a = *(Report *const *)left, *b = *(Report *const *)right;
    if (a->span.file != b->span.file) return a->span.file < b->span.file ? -1 : 1;
    if (a->span.begin != b->span.begin) return a->span.begin < b->span.begin ? -1 : 1;
    if (a->span.end != b->span.end) return a->span.end < b->span.end ? -1 : 1;
    return a->order - b->order;
}

/* Is byte `c` the first (or only) byte of a character in UTF-8? */
static bool starts_character(char c) {
    return ((unsigned char)c & 0xC0) != 0x80;
}

typedef struct Place {
    int line, column;  /* both from 1; columns count characters */
    size_t begin, end; /* bytes of the line, without its end */
} Place;

static Place locate(const Source *source, uint32_t at) {
    Place place = {.line = 1, .column = 1};
    size_t offset = at < source->n ? at : source->n;
    for (size_t i = 0; i < offset; i++) {
        if (source->text[i] == '\n') {
            place.line++;
            place.begin = i + 1;
        }
    }
    for (size_t i = place.begin; i < offset; i++) place.column += starts_character(source->text[i]);
    place.end = place.begin;
    while (place.end < source->n && source->text[place.end] != '\n') place.end++;
    return place;
}

/* Control characters would disturb the terminal: they show as a space, as wide as the caret line
 * assumes. */
static void show_byte(FILE *out, char c) {
    unsigned char u = (unsigned char)c;
    fputc(u == '\t' || (u >= 32 && u != 127) ? c : ' ', out);
}

static void show_excerpt(FILE *out, const Source *source, Span span, const Place *place,
                         const char *paint, const char *plain) {
    enum { WIDEST = 400 };
    size_t end = place->end - place->begin > WIDEST ? place->begin + WIDEST : place->end;
    fprintf(out, "%3d | ", place->line);
    for (size_t i = place->begin; i < end; i++) show_byte(out, source->text[i]);
    fputc('\n', out);
    if (span.begin > end) return;
    fprintf(out, "    | %s", paint);
    for (size_t i = place->begin; i < span.begin && i < end; i++)
        if (starts_character(source->text[i])) fputc(source->text[i] == '\t' ? '\t' : ' ', out);
    fputc('^', out);
    for (size_t i = (size_t)span.begin + 1; i < span.end && i < end; i++)
        if (starts_character(source->text[i])) fputc('~', out);
    fprintf(out, "%s\n", plain);
}

static void show_at(const Diags *diags, FILE *out, Span span, const char *word, const char *text,
                    const char *paint, const char *plain) {
    if (span.file < 0 || span.file >= diags->sources.n) {
        fprintf(out, "adavic: %s%s%s: %s\n", paint, word, plain, text);
        return;
    }
    const Source *source = &diags->sources.data[span.file];
    Place place = locate(source, span.begin);
    fprintf(out, "%s:%d:%d: %s%s%s: %s\n", source->path, place.line, place.column, paint, word,
            plain, text);
    show_excerpt(out, source, span, &place, paint, plain);
}

static void show_report(const Diags *diags, FILE *out, const Report *report, bool color) {
    const DiagInfo *info = &diag_info[report->code];
    bool error = info->severity == SEVERITY_ERROR;
    const char *plain = color ? "\033[0m" : "";
    const char *paint = !color ? "" : error ? "\033[1;31m" : "\033[1;35m";
    char word[32];
    snprintf(word, sizeof word, "%s %s", error ? "error" : "warning", info->code);
    show_at(diags, out, report->span, word, report->text, paint, plain);
    paint = color ? "\033[1;36m" : "";
    for (int i = 0; i < report->remarks.n; i++) {
        const Remark *remark = &report->remarks.data[i];
        if (remark->is_help)
            fprintf(out, "  %shelp%s: %s\n", paint, plain, remark->text);
        else
            show_at(diags, out, remark->span, "note", remark->text, paint, plain);
    }
}

void diags_print(const Diags *diags, FILE *out, bool color) {
    int n = diags->reports.n, shown = 0;
    if (n == 0) return;
    Report **sorted = arena_array(diags->arena, Report *, n);
    memcpy(sorted, diags->reports.data, sizeof *sorted * (size_t)n);
    qsort(sorted, (size_t)n, sizeof *sorted, compare_reports);
    for (int i = 0; i < n; i++) {
        bool error = diag_info[sorted[i]->code].severity == SEVERITY_ERROR;
        if (error && shown == MAX_SHOWN_ERRORS) break;
        shown += error;
        show_report(diags, out, sorted[i], color);
    }
    if (diags->errors > shown)
        fprintf(out, "adavic: %d more error%s not shown\n", diags->errors - shown,
                diags->errors - shown == 1 ? "" : "s");
}

/* ---- help on names ---- */

/* Edit distance (insert, delete, replace, swap of neighbours) of two short words, or a large
 * number. */
static int edit_distance(const char *a, const char *b) {
    enum { LONGEST = 64, FAR = 100 };
    int n = (int)strlen(a), m = (int)strlen(b);
    if (n > LONGEST || m > LONGEST || abs(n - m) > 2) return FAR;
    int d[LONGEST + 1][LONGEST + 1];
    for (int i = 0; i <= n; i++) d[i][0] = i;
    for (int j = 0; j <= m; j++) d[0][j] = j;
    for (int i = 1; i <= n; i++) {
        for (int j = 1; j <= m; j++) {
            int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[n][m];
}

const char *nearest_name(const char *name, const char *const *candidates, int n) {
    const char *nearest = NULL;
    int best = 3, length = (int)strlen(name);
    for (int i = 0; i < n; i++) {
        int distance = edit_distance(name, candidates[i]);
        if (distance < best && distance < length) {
            best = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}

const char *diag_explain(const char *code, const char **nearest) {
    const char *codes[DIAG_COUNT];
    for (int i = 0; i < DIAG_COUNT; i++) {
        codes[i] = diag_info[i].code;
        if (strcmp(codes[i], code) == 0) return diag_info[i].explanation;
    }
    if (nearest) *nearest = nearest_name(code, codes, DIAG_COUNT);
    return NULL;
}
