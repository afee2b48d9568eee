/* check.h -- what a unit test program needs, in one header.
 *
 *     static void sums_are_exact(void) {
 *         CHECK(1 + 1 == 2, "1 + 1 is %d", 1 + 1);
 *         CHECK_NEAR(0.1 + 0.2, 0.3, 1e-12, "0.1 + 0.2");
 *     }
 *     int main(void) {
 *         RUN(sums_are_exact);
 *         return check_done();
 *     }
 *
 * One line per test on stdout: `ok NAME`, `not ok NAME: why` (the first failure; further ones are
 * indented below it) or `skip NAME: reason`. check_done() gives the exit status: 1 if any failed.
 * A test goes on after a failed CHECK; write `if (!CHECK(...)) return;` where it cannot.
 */
#ifndef ADAVIC_CHECK_H
#define ADAVIC_CHECK_H

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static struct {
    const char *test;
    int failures; /* of the running test */
    int failed;   /* tests */
    bool skipped;
} check;

/* Shows at most 8 failures per test: the ninth rarely teaches anything. Always false. */
__attribute__((format(printf, 3, 4))) static inline bool check_fail(const char *file, int line,
                                                                    const char *format, ...) {
    check.failures++;
    if (check.failures > 8) return false;
    if (check.failures == 1)
        printf("not ok %s: %s:%d: ", check.test, file, line);
    else
        printf("  also: %s:%d: ", file, line);
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    return false;
}

static inline bool check_same(bool held) {
    return held;
}

/* Says whether `condition` holds; the rest is what to print where it does not, as for printf. */
#define CHECK(condition, ...) \
    check_same((condition) ? true : check_fail(__FILE__, __LINE__, __VA_ARGS__))

/* |a - b| <= tol, absolute. Not a number is never near anything. */
#define CHECK_NEAR(a, b, tol, what) check_near((a), (b), (tol), (what), __FILE__, __LINE__)

static inline bool check_near(double a, double b, double tol, const char *what, const char *file,
                              int line) {
    if (fabs(a - b) <= tol) return true;
    return check_fail(file, line, "%s: %.17g and %.17g differ by %.3g, more than %.3g", what, a, b,
                      fabs(a - b), tol);
}

/* Leaves the test, which counts as skipped unless something failed before. */
#define SKIP(...)                            \
    do {                                     \
        if (!check.failures) {               \
            check.skipped = true;            \
            printf("skip %s: ", check.test); \
            printf(__VA_ARGS__);             \
            putchar('\n');                   \
        }                                    \
        return;                              \
    } while (0)

#define RUN(name) check_run(#name, name)

static inline void check_run(const char *name, void (*test)(void)) {
    check.test = name;
    check.failures = 0;
    check.skipped = false;
    test();
    if (check.failures)
        check.failed++;
    else if (!check.skipped)
        printf("ok %s\n", name);
    fflush(stdout);
}

static inline int check_done(void) {
    return check.failed ? 1 : 0;
}

#endif
