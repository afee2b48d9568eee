/* check_report.c -- what `check` found, as a table and as JSON.
 *
 * The histogram of ranks has one sign per bin; a bin as full as expected is half a cell high, so a
 * level line in the middle is right. Valley: too sure; hill: not sure enough; slope: shifted. */
#include "runtime/check.h"
#include "runtime/psis.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 18 };

/* Whether the terminal shows other signs than ASCII. */
static bool has_blocks(void) {
    const char *names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (int i = 0; i < 3; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strstr(value, "UTF-8") || strstr(value, "utf8") || strstr(value, "utf-8") ||
                   strstr(value, "UTF8");
    }
    return false;
}

/* Blocks of eighths, or digits of which 5 is as expected. */
static void print_histogram(const RtCalibration *c, bool blocks) {
    static const char *const eighths[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    int64_t n = 0;
    for (int i = 0; i < RT_BINS; i++) n += c->ranks[i];
    for (int i = 0; i < RT_BINS; i++) {
        double height = n ? (double)c->ranks[i] * RT_BINS / (double)n : 0;
        if (blocks)
            fputs(eighths[(int)fmin(lround(4 * height), 8)], stdout);
        else
            printf("%d", (int)fmin(lround(5 * height), 9));
    }
}

static const char *verdict_colour(RtVerdict v) {
    static const char *const colours[] = {"\033[32m", "\033[1;33m", "\033[1;31m"};
    return colours[v];
}

static void print_verdict(RtVerdict v, bool colour) {
    printf("%s%s%s", colour ? verdict_colour(v) : "", rt_verdict_name(v), colour ? "\033[0m" : "");
}

static void print_row(const RtCalibration *c, const RtCalibrated *r, bool blocks, bool colour) {
    printf("%-*.*s ", NAME, NAME, c->name);
    print_histogram(c, blocks);
    if (isnan(r->chi_square))
        printf(" %6s", "-");
    else
        printf(" %6.1f", r->chi_square);
    printf("  %6.3f (%.3f) ", r->coverage, r->coverage_se);
    if (c->latent)
        printf("%7.3f %6.3f %8.3f  ", r->z_mean, r->z_rms, r->contraction);
    else
        printf("%7s %6s %8s  ", "-", "-", "-");
    print_verdict(r->verdict, colour);
    putchar('\n');
}

static void print_gradient(const RtModel *m, const RtGradient *g, bool colour) {
    printf("%-*s ", NAME, "gradient");
    if (g->worst < 0) {
        printf("not judged: rounding hides it in this precision\n");
        return;
    }
    printf("error %.1e of d:%s, the largest (limit %.0e): ", g->error[g->worst],
           m->vars[g->worst].name, g->tolerance);
    print_verdict(g->verdict, colour);
    putchar('\n');
}

static void print_importance(const RtChecked *c, bool colour) {
    printf("%-*s mean ess %.0f of %" PRId64 " draws, k-hat above %.2f in %.1f %% of data sets: ",
           NAME, "importance", c->ess.mean, c->n_draws, rt_khat_limit(c->n_draws),
           100 * (double)c->above / (double)c->n_sets);
    print_verdict(c->importance, colour);
    printf("\n%-*s %.3f (%.3f) nats, at least %.3f (%.3f) below the evidence\n", NAME, "mean ELBO",
           c->elbo.mean, rt_moments_se(&c->elbo), c->gap.mean, rt_moments_se(&c->gap));
}

static void print_exact(const RtModel *m, const RtExact *e, bool colour) {
    if (!e->applies) return;
    printf("%-*s Gaussian: means of %.24s off by %.3f sd (rms), sds %.3f of the exact ones: ", NAME,
           "exact posterior", m->vars[e->worst].name, sqrt(e->z2[e->worst].mean),
           e->sd_ratio[e->worst].mean);
    print_verdict(e->verdict, colour);
    printf("\n%-*s %.4f (%.4f) nats above the ELBO, over %" PRId64 " data sets%s\n", NAME,
           "exact evidence", e->gap.mean, rt_moments_se(&e->gap), e->gap.n,
           e->overstated ? ": the ELBO is overstated" : "");
}

/* All of them, or where that is more than the table itself, the first of each row. */
static void print_reasons(const RtChecked *c) {
    int all = 0;
    for (int i = 0; i < c->n_rows; i++) all += c->results[i].n_reasons;
    for (int i = 0; i < c->n_rows; i++) {
        const RtCalibrated *r = &c->results[i];
        int shown = all > c->n_rows + 4 && r->n_reasons > 1 ? 1 : r->n_reasons;
        for (int k = 0; k < shown; k++) {
            printf("  %s: %s", c->rows[i]->name, r->reasons[k]);
            if (shown < r->n_reasons) printf("; %d more", r->n_reasons - shown);
            putchar('\n');
        }
    }
}

void rt_checked_show(const RtSession *s, const RtChecked *c) {
    bool colour = rt_colour(stdout), blocks = has_blocks();
    const char *on = colour ? "\033[1m" : "", *off = colour ? "\033[0m" : "";
    printf("%s%-*s %-20s %6s  %14s %7s %6s %8s  %s%s\n", on, NAME, "", "ranks of the truth", "chi2",
           "90% coverage", "z mean", "z rms", "contract", "verdict", off);
    for (int i = 0; i < c->n_rows; i++) print_row(c->rows[i], &c->results[i], blocks, colour);
    if (c->has_gradient) print_gradient(s->model, &c->gradient, colour);
    print_exact(s->model, &c->exact, colour);
    print_importance(c, colour);
    print_reasons(c);
    printf("%soverall: ", on);
    print_verdict(c->overall, colour);
    printf(": %s\n%" PRId64 " data sets x %" PRId64 " draws, seed %" PRIu32 ", trained %" PRId64
           " steps, %.1f s\n",
           c->summary, c->n_sets, c->n_draws, s->seed, s->state->steps, rt_seconds() - s->started);
}

/* ---- JSON ---- */

static void add_number(RtBytes *out, const char *key, double x) {
    rt_json_field(out, "", key, x);
    rt_bytes_printf(out, ", ");
}

static void add_verdict(RtBytes *out, RtVerdict v) {
    rt_bytes_printf(out, "\"verdict\": \"%s\"", rt_verdict_name(v));
}

static void add_row(RtBytes *out, const RtCalibration *c, const RtCalibrated *r) {
    rt_json_string(out, c->name);
    rt_bytes_printf(out, ": {\"scalars\": %" PRId64 ", \"ranks\": [", c->size);
    for (int i = 0; i < RT_BINS; i++)
        rt_bytes_printf(out, "%s%" PRId64, i ? ", " : "", c->ranks[i]);
    rt_bytes_printf(out, "], \"not_finite\": %" PRId64 ", ", c->not_finite);
    add_number(out, "chi_square", r->chi_square);
    add_number(out, "coverage", r->coverage);
    add_number(out, "coverage_se", r->coverage_se);
    add_number(out, "z_mean", r->z_mean);
    add_number(out, "z_mean_se", r->z_mean_se);
    add_number(out, "z_rms", r->z_rms);
    add_number(out, "z_rms_se", r->z_rms_se);
    add_number(out, "contraction", r->contraction);
    add_verdict(out, r->verdict);
    rt_bytes_printf(out, ", \"reasons\": [");
    for (int k = 0; k < r->n_reasons; k++) {
        if (k) rt_bytes_printf(out, ", ");
        rt_json_string(out, r->reasons[k]);
    }
    rt_bytes_printf(out, "]}");
}

static void add_rows(RtBytes *out, const RtChecked *c, const char *key, bool latent) {
    bool first = true;
    rt_bytes_printf(out, ", \"%s\": {", key);
    for (int i = 0; i < c->n_rows; i++) {
        if (c->rows[i]->latent != latent) continue;
        if (!first) rt_bytes_printf(out, ", ");
        add_row(out, c->rows[i], &c->results[i]);
        first = false;
    }
    rt_bytes_printf(out, "}");
}

static void add_gradient(RtBytes *out, const RtModel *m, const RtGradient *g) {
    bool first = true;
    rt_bytes_printf(out, ", \"gradient\": {\"errors\": {");
    for (int i = 0; i < m->n_vars; i++) {
        if (m->vars[i].kind != RT_LATENT) continue;
        rt_bytes_printf(out, "%s", first ? "" : ", ");
        rt_json_string(out, m->vars[i].name);
        rt_bytes_printf(out, ": ");
        rt_json_number(out, g->judged[i] ? g->error[i] : NAN);
        first = false;
    }
    rt_bytes_printf(out, "}, ");
    add_number(out, "tolerance", g->tolerance);
    add_verdict(out, g->verdict);
    rt_bytes_printf(out, "}");
}

static void add_exact(RtBytes *out, const RtModel *m, const RtExact *e) {
    bool first = true;
    rt_bytes_printf(out, ", \"exact\": {\"sets\": %" PRId64 ", \"latents\": {", e->gap.n);
    for (int i = 0; i < m->n_vars; i++) {
        if (!e->z2[i].n) continue;
        rt_bytes_printf(out, "%s", first ? "" : ", ");
        rt_json_string(out, m->vars[i].name);
        rt_bytes_printf(out, ": {\"z_rms\": ");
        rt_json_number(out, sqrt(e->z2[i].mean));
        rt_bytes_printf(out, ", \"sd_ratio\": ");
        rt_json_number(out, e->sd_ratio[i].mean);
        rt_bytes_printf(out, "}");
        first = false;
    }
    rt_bytes_printf(out, "}, ");
    add_number(out, "gap", e->gap.mean);
    add_number(out, "gap_se", rt_moments_se(&e->gap));
    add_verdict(out, e->verdict);
    rt_bytes_printf(out, "}");
}

void rt_checked_json(const RtSession *s, const RtChecked *c) {
    RtBytes out = {0};
    rt_bytes_printf(&out, "{\"sets\": %" PRId64 ", \"draws\": %" PRId64 ", ", c->n_sets,
                    c->n_draws);
    add_verdict(&out, c->overall);
    rt_bytes_printf(&out, ", \"summary\": ");
    rt_json_string(&out, c->summary);
    add_rows(&out, c, "latents", true);
    add_rows(&out, c, "log_densities", false);
    if (c->has_gradient) add_gradient(&out, s->model, &c->gradient);
    if (c->exact.applies) add_exact(&out, s->model, &c->exact);
    rt_bytes_printf(&out, ", \"importance\": {");
    add_number(&out, "ess", c->ess.mean);
    add_number(&out, "khat_limit", rt_khat_limit(c->n_draws));
    add_number(&out, "share_above", (double)c->above / (double)c->n_sets);
    add_number(&out, "elbo", c->elbo.mean);
    add_number(&out, "elbo_se", rt_moments_se(&c->elbo));
    add_number(&out, "gap", c->gap.mean);
    add_number(&out, "gap_se", rt_moments_se(&c->gap));
    add_number(&out, "log_q", c->log_q.mean);
    add_verdict(&out, c->importance);
    rt_bytes_printf(&out, "}, ");
    rt_json_settings(&out, s, c->n_draws);
    printf("%s}\n", out.data);
    rt_bytes_free(&out);
}
