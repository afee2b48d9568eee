/* progress.c -- what training shows on stderr: one line that moves on a terminal, plain lines every
 * few seconds elsewhere, nothing with --quiet. */
#include "runtime/session.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

struct RtProgress {
    bool quiet, terminal, open; /* open: the line on screen has no end yet */
    double started, last, validation;
    const char *unit; /* of the validation ELBO */
};

RtProgress *rt_progress_new(RtMem *mem, bool quiet) {
    RtProgress *p = rt_alloc(mem, 1, sizeof *p);
    *p = (RtProgress){.quiet = quiet,
                      .terminal = isatty(STDERR_FILENO),
                      .started = rt_seconds(),
                      .validation = NAN};
    p->last = p->started;
    return p;
}

static void bar(int64_t step, int64_t horizon) {
    enum { WIDTH = 24 };
    int done = horizon > 0 ? (int)(WIDTH * step / horizon) : 0;
    char cells[WIDTH + 1];
    for (int i = 0; i < WIDTH; i++) cells[i] = i < done ? '#' : '.';
    cells[WIDTH] = 0;
    fprintf(stderr, "[%s] ", cells);
}

void rt_progress_step(RtProgress *p, int64_t step, int64_t horizon, double loss, double spread,
                      double norm, double sets_per_second) {
    double now = rt_seconds();
    if (p->quiet || now - p->last < (p->terminal ? 0.1 : 5)) return;
    p->last = now;
    if (p->terminal) {
        fprintf(stderr, "\r\033[K");
        bar(step, horizon);
    }
    fprintf(stderr, "step %" PRId64, step);
    if (horizon) fprintf(stderr, "/%" PRId64, horizon);
    fprintf(stderr, "  loss %.4g ± %.2g  grad %.3g  %.0f sets/s", loss, spread, norm,
            sets_per_second);
    if (!isnan(p->validation)) fprintf(stderr, "  validation ELBO %.3f %s", p->validation, p->unit);
    if (horizon) {
        double left = (now - p->started) / (double)(step + 1) * (double)(horizon - step);
        fprintf(stderr, "  ETA %d:%02d", (int)left / 60, (int)left % 60);
    }
    if (!p->terminal) fputc('\n', stderr);
    p->open = p->terminal;
    fflush(stderr);
}

void rt_progress_count(RtProgress *p, int64_t done, int64_t all, const char *what) {
    double now = rt_seconds();
    if (p->quiet || done == all || now - p->last < (p->terminal ? 0.1 : 5)) return;
    p->last = now;
    if (p->terminal) {
        fprintf(stderr, "\r\033[K");
        bar(done, all);
    }
    double left = (now - p->started) / (double)done * (double)(all - done);
    fprintf(stderr, "%" PRId64 "/%" PRId64 " %s  ETA %d:%02d%s", done, all, what, (int)left / 60,
            (int)left % 60, p->terminal ? "" : "\n");
    p->open = p->terminal;
    fflush(stderr);
}

void rt_progress_validation(RtProgress *p, double elbo, const char *unit) {
    p->unit = unit;
    p->validation = elbo;
}

void rt_progress_end(RtProgress *p) {
    if (p->open) fprintf(stderr, "\r\033[K");
    p->open = false;
}

void rt_progress_line(RtProgress *p, const char *format, ...) {
    if (p->quiet) return;
    rt_progress_end(p);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}
