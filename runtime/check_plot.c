/* check_plot.c -- what `check` found as a picture: one SVG file, a card per latent.
 *
 * A card holds the histogram of the truth's rank and how much more often than their level central
 * intervals hold the truth (below 0: too sure), both of one scalar picked at random from each data
 * set, so that data sets are independent and the bands exact. A band is where all bins (all levels)
 * of an exact posterior lie with probability .99 or more: each within binomial quantiles at .005 /
 * their number. */
#include "runtime/check.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* In pixels. */
enum {
    CARD = 470,
    CARD_HEIGHT = 178,
    CARDS = 2, /* side by side */
    MARGIN = 20,
    TOP = 74, /* title and explanation */
    PLOT_TOP = 46,
    PLOT = 96, /* height of both plots */
    RANKS_LEFT = 16,
    RANKS = 260,
    COVERAGE_LEFT = 324,
    COVERAGE = 122,
    LEVELS = RT_BINS / 2 - 1 /* of central intervals made of whole bins: .1 to .9 */
};
static const double outside = 0.01; /* probability that something leaves the band */

/* The least k with P(Binomial(n, p) <= k) >= probability. */
static int64_t binomial_quantile(int64_t n, double p, double probability) {
    double mean = (double)n * p, sd = sqrt(mean * (1 - p)), sum = 0;
    int64_t k = (int64_t)fmax(0, mean - 12 * sd - 12);
    for (; k < n; k++) {
        double x = (double)k, rest = (double)n - x;
        sum += exp(lgamma((double)n + 1) - lgamma(x + 1) - lgamma(rest + 1) + x * log(p) +
                   rest * log1p(-p));
        if (sum >= probability) break;
    }
    return k;
}

typedef struct Band {
    double lo, hi; /* of a share */
} Band;

static Band band(int64_t n, double p, int places) {
    double tail = outside / 2 / places;
    return (Band){(double)binomial_quantile(n, p, tail) / (double)n,
                  (double)binomial_quantile(n, p, 1 - tail) / (double)n};
}

/* Text of a model or a message. */
static void add_escaped(RtBytes *out, const char *text) {
    for (; *text; text++) {
        const char *entity = *text == '<'   ? "&lt;"
                             : *text == '>' ? "&gt;"
                             : *text == '&' ? "&amp;"
                             : *text == '"' ? "&quot;"
                                            : NULL;
        if (entity)
            rt_bytes_printf(out, "%s", entity);
        else
            rt_bytes_add(out, text, 1);
    }
}

static void text(RtBytes *out, const char *class, double x, double y, const char *content) {
    rt_bytes_printf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
    add_escaped(out, content);
    rt_bytes_printf(out, "</text>\n");
}

static void box(RtBytes *out, const char *class, double x, double y, double width, double height) {
    rt_bytes_printf(out,
                    "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
                    class, x, y, width, height);
}

static void line(RtBytes *out, const char *class, double x1, double y1, double x2, double y2) {
    rt_bytes_printf(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
                    class, x1, y1, x2, y2);
}

/* As high as twice the expected share, or what the fullest bin needs. */
static void add_ranks(RtBytes *out, const RtCalibration *c, int64_t n) {
    const double share = 1.0 / RT_BINS, width = (double)RANKS / RT_BINS;
    Band b = band(n, share, RT_BINS);
    double most = fmax(2 * share, 1.05 * b.hi);
    for (int i = 0; i < RT_BINS; i++) most = fmax(most, (double)c->picked[i] / (double)n);
    double scale = PLOT / most, foot = PLOT_TOP + PLOT;
    box(out, "band", RANKS_LEFT, foot - b.hi * scale, RANKS, (b.hi - b.lo) * scale);
    for (int i = 0; i < RT_BINS; i++) {
        double x = (double)c->picked[i] / (double)n;
        box(out, x < b.lo || x > b.hi ? "bar out" : "bar", RANKS_LEFT + i * width + 1,
            foot - x * scale, width - 2, x * scale);
    }
    line(out, "level", RANKS_LEFT, foot - share * scale, RANKS_LEFT + RANKS, foot - share * scale);
    line(out, "axis", RANKS_LEFT, foot, RANKS_LEFT + RANKS, foot);
    text(out, "small", RANKS_LEFT, foot + 16, "truth below all draws");
    text(out, "small end", RANKS_LEFT + RANKS, foot + 16, "above all draws");
}

/* Shares of data sets in whose middle 2 i bins the truth lies, less what they should be; and the
 * bands of that difference. */
typedef struct Coverage {
    double off[LEVELS + 1];
    Band band[LEVELS + 1];
    double most; /* the largest of them */
} Coverage;

static Coverage coverage_of(const RtCalibration *c, int64_t n) {
    Coverage v = {.most = 0.1};
    int64_t held = 0;
    for (int i = 1; i <= LEVELS; i++) {
        double level = 2.0 * i / RT_BINS;
        held += c->picked[RT_BINS / 2 - i] + c->picked[RT_BINS / 2 + i - 1];
        v.off[i] = (double)held / (double)n - level;
        Band b = band(n, level, LEVELS);
        v.band[i] = (Band){b.lo - level, b.hi - level};
        v.most = fmax(v.most, fmax(fabs(v.off[i]), fmax(-v.band[i].lo, v.band[i].hi)));
    }
    return v;
}

static double level_at(int i) {
    return COVERAGE_LEFT + COVERAGE * 2.0 * i / RT_BINS;
}

static void add_coverage(RtBytes *out, const RtCalibration *c, int64_t n) {
    Coverage v = coverage_of(c, n);
    double middle = PLOT_TOP + PLOT / 2, scale = PLOT / 2 / v.most;
    char most[16];
    rt_bytes_printf(out, "<path class=\"band\" d=\"M%d,%.1f", COVERAGE_LEFT, middle);
    for (int i = 1; i <= LEVELS; i++)
        rt_bytes_printf(out, " L%.1f,%.1f", level_at(i), middle - scale * v.band[i].hi);
    rt_bytes_printf(out, " L%d,%.1f", COVERAGE_LEFT + COVERAGE, middle);
    for (int i = LEVELS; i >= 1; i--)
        rt_bytes_printf(out, " L%.1f,%.1f", level_at(i), middle - scale * v.band[i].lo);
    rt_bytes_printf(out, " Z\"/>\n");
    box(out, "frame", COVERAGE_LEFT, PLOT_TOP, COVERAGE, PLOT);
    line(out, "level", COVERAGE_LEFT, middle, COVERAGE_LEFT + COVERAGE, middle);
    rt_bytes_printf(out, "<path class=\"curve\" d=\"M%d,%.1f", COVERAGE_LEFT, middle);
    for (int i = 1; i <= LEVELS; i++)
        rt_bytes_printf(out, " L%.1f,%.1f", level_at(i), middle - scale * v.off[i]);
    rt_bytes_printf(out, " L%d,%.1f\"/>\n", COVERAGE_LEFT + COVERAGE, middle);
    for (int i = 1; i <= LEVELS; i++)
        rt_bytes_printf(out, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.2\"/>\n",
                        v.off[i] < v.band[i].lo || v.off[i] > v.band[i].hi ? "out" : "dot",
                        level_at(i), middle - scale * v.off[i]);
    snprintf(most, sizeof most, "+%.2f", v.most);
    text(out, "small end", COVERAGE_LEFT - 4, PLOT_TOP + 9, most);
    text(out, "small end", COVERAGE_LEFT - 4, middle + 4, "0");
    snprintf(most, sizeof most, "-%.2f", v.most);
    text(out, "small end", COVERAGE_LEFT - 4, PLOT_TOP + PLOT, most);
    text(out, "small", COVERAGE_LEFT, PLOT_TOP + PLOT + 16, "0");
    text(out, "small end", COVERAGE_LEFT + COVERAGE, PLOT_TOP + PLOT + 16, "level 1");
}

static void add_card(RtBytes *out, const RtCalibration *c, const RtCalibrated *r, double x,
                     double y) {
    char numbers[160];
    int64_t n = 0;
    for (int i = 0; i < RT_BINS; i++) n += c->picked[i];
    rt_bytes_printf(out, "<g transform=\"translate(%.0f,%.0f)\">\n", x, y);
    box(out, "card", 0, 0, CARD - 10, CARD_HEIGHT - 10);
    text(out, "name", RANKS_LEFT, 20, c->name);
    rt_bytes_printf(out, "<text class=\"verdict %s\" x=\"%d\" y=\"20\">%s</text>\n",
                    rt_verdict_name(r->verdict), COVERAGE_LEFT + COVERAGE,
                    rt_verdict_name(r->verdict));
    int used = snprintf(numbers, sizeof numbers, "90 %% coverage %.3f", r->coverage);
    if (c->latent)
        snprintf(numbers + used, sizeof numbers - (size_t)used,
                 "; z mean %.3f, z rms %.3f; contraction %.3f", r->z_mean, r->z_rms,
                 r->contraction);
    text(out, "small", RANKS_LEFT, 37, numbers);
    if (n) {
        add_ranks(out, c, n);
        add_coverage(out, c, n);
    } else {
        text(out, "small", RANKS_LEFT, PLOT_TOP + 20, "no data set with finite draws that differ");
    }
    rt_bytes_printf(out, "</g>\n");
}

static const char style[] =
    "<style>\n"
    "text { font-family: Helvetica, Arial, sans-serif; font-size: 13px; fill: #222 }\n"
    ".title { font-size: 18px; font-weight: bold }\n"
    ".name { font-size: 14px; font-weight: bold }\n"
    ".small { font-size: 11px; fill: #555 }\n"
    ".end, .verdict { text-anchor: end }\n"
    ".verdict { font-weight: bold }\n"
    ".good { fill: #2e7d32 } .look { fill: #b26a00 } .bad { fill: #c62828 }\n"
    ".card { fill: #fff; stroke: #ccc }\n"
    ".frame { fill: none; stroke: #999 }\n"
    ".band { fill: #dfe3e8; stroke: none }\n"
    ".bar, .dot { fill: #4a7fb5; fill-opacity: .85 }\n"
    ".out { fill: #c62828 }\n"
    ".curve { fill: none; stroke: #4a7fb5; stroke-width: 1.5 }\n"
    ".level { stroke: #333; stroke-width: 1; stroke-dasharray: 3 3 }\n"
    ".axis { stroke: #333; stroke-width: 1 }\n"
    "</style>\n";

bool rt_checked_plot(const RtSession *s, const RtChecked *c, const char *path, RtError *error) {
    int rows = (c->n_rows + CARDS - 1) / CARDS, width = 2 * MARGIN + CARDS * CARD - 10,
        height = TOP + rows * CARD_HEIGHT + MARGIN;
    RtBytes out = {0}, title = {0};
    rt_bytes_printf(&out,
                    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
                    "viewBox=\"0 0 %d %d\">\n%s",
                    width, height, width, height, style);
    rt_bytes_printf(&out, "<rect width=\"100%%\" height=\"100%%\" fill=\"#f7f7f7\"/>\n");
    rt_bytes_printf(&title, "%s: %s", s->model->name, rt_verdict_name(c->overall));
    text(&out, "title", MARGIN, 30, title.data);
    title.n = 0;
    rt_bytes_printf(&title,
                    "%" PRId64 " data sets from the model x %" PRId64 " draws, trained %" PRId64
                    " steps, seed %" PRIu32 ": %s",
                    c->n_sets, c->n_draws, s->state->steps, s->seed, c->summary);
    text(&out, "small", MARGIN, 50, title.data);
    text(
        &out, "small", MARGIN, 66,
        "Left: ranks of the truth among the draws. Right: coverage of central intervals less their "
        "level. Grey: all of it lies there in 99 % of cases, if posteriors are right.");
    for (int i = 0; i < c->n_rows; i++)
        add_card(&out, c->rows[i], &c->results[i], MARGIN + i % CARDS * CARD,
                 TOP + i / CARDS * CARD_HEIGHT);
    rt_bytes_printf(&out, "</svg>\n");
    bool ok = rt_write_file(path, out.data, out.n, error);
    rt_bytes_free(&out);
    rt_bytes_free(&title);
    return ok;
}
