/* write.c -- a design as the text of a model. See write.h.
 *
 *     latent intercept ~ normal(median, 2.5 sd);        effects of the whole population
 *     plate g(18) {
 *       latent r_g ~ normal(intercept, sd_g);           those of groups, about what is around them
 *       plate obs(10) {
 *         given x ~ ...;                                columns, in the outermost plate where they
 *         observed y ~ normal(r_g + b_x * x, sigma);    are constant
 *       }
 *     }
 *
 * An effect that varies with groups is drawn about its value in the groups around; effects of
 * columns that are constant in the groups of an intercept are part of that intercept's mean. Where
 * two groupings cross, rows stand in `cross a, b`; an effect that varies with both lies about its
 * value in the population in the first, and about 0 in the second. */
#include "init/write.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

enum { MOST_NAMES = 512, COMMENT_AT = 48, WIDTH = 100 };

typedef struct Writer {
    const Frame *a;
    const Design *d;
    const WriteOptions *o;
    const OutcomeInfo *info;
    RtMem *mem;
    RtBytes *out;
    int depth, n_names;
    const char *names[MOST_NAMES];
    const char *plates[FRAME_PLATES];
    const char *fixed[MOST_EFFECTS];  /* by effect: its latent for all groups, or NULL */
    const char *now[MOST_EFFECTS];    /* its value in the plate being written, or NULL: 0 */
    const char *beside[MOST_EFFECTS]; /* what the second of crossed plates adds to it, or NULL */
    bool in_mean[MOST_EFFECTS];       /* part of an intercept's mean already */
    const char *own[3];               /* names of own_latents */
    const char *sd[MOST_EFFECTS], *factor[MOST_EFFECTS], *effects[MOST_EFFECTS]; /* by block */
    const char *crossing_sd[FORMULA_GROUPS], *crossing[FORMULA_GROUPS]; /* by group, or NULL */
} Writer;

/* What a law has beside its predictor, by the letter that stands for it there. */
static const struct {
    char letter;
    const char *name, *prior, *comment;
} own_latents[3] = {{'S', "sigma", "half_normal", "of rows about their mean"},
                    {'E', "excess", "gamma(2, 0.1)", "1 + this are the degrees of freedom"},
                    {'F', "phi", "gamma(2, 0.1)", "variance = mean + mean^2 / phi"}};

/* ---- names ---- */

static bool is_taken(const Writer *w, const char *name) {
    for (int i = 0; i < w->n_names; i++)
        if (!strcmp(w->names[i], name)) return true;
    return false;
}

static const char *take(Writer *w, const char *name) {
    if (w->n_names < MOST_NAMES) w->names[w->n_names++] = name;
    return name;
}

/* The name, with a number behind it where it is taken. */
static const char *new_name(Writer *w, const char *first, const char *second) {
    const char *base = rt_printf(w->mem, "%s%s%s", first, *second ? "_" : "", second), *name = base;
    for (int k = 2; is_taken(w, name); k++) name = rt_printf(w->mem, "%s_%d", base, k);
    return take(w, name);
}

/* A header as a name of the language. */
static const char *plain(Writer *w, const char *header) {
    char *name = rt_printf(w->mem, "%s%s", *header >= '0' && *header <= '9' ? "g" : "", header);
    for (char *c = name; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9')))
            *c = '_';
    return name;
}

/* Rows have no column: their plate is called as none is. */
static const char *rows_name(Writer *w) {
    const char *name = "obs";
    for (int k = 2;; k++) {
        if (!is_taken(w, name) && rt_table_column(&w->a->t, name, NULL) == RT_NO_COLUMN)
            return take(w, name);
        name = rt_printf(w->mem, "obs_%d", k);
    }
}

static bool name_plates(Writer *w, RtError *error) {
    for (int i = 0; i < w->a->n_columns; i++) take(w, w->a->columns[i].name);
    for (int p = 0; p < w->a->n_plates; p++) {
        const char *column = w->a->plates[p].column;
        if (!column) { /* pairs have the names of their plates */
            if (!w->a->crossed) w->plates[p] = rows_name(w);
            continue;
        }
        if (strpbrk(column, "\"\n"))
            return rt_error(error, "%s:1: a model cannot name the column %.60s\n  rename it",
                            w->a->t.name, column);
        const char *name = plain(w, column);
        bool other = is_taken(w, name) || !strcmp(name, "data") || !strcmp(name, "draw");
        w->plates[p] = new_name(w, name, other ? "group" : "");
    }
    return true;
}

static void name_latents(Writer *w) {
    const Design *d = w->d;
    for (int i = 0; i < d->n_effects; i++)
        if (d->effects[i].fixed)
            w->now[i] = w->fixed[i] = d->effects[i].vars ? new_name(w, "b", d->effects[i].name)
                                                         : new_name(w, "intercept", "");
    for (int i = 0; i < 3; i++)
        if (strchr(w->info->law, own_latents[i].letter))
            w->own[i] = new_name(w, own_latents[i].name, "");
    for (int b = 0; b < d->n_blocks; b++) {
        const Block *block = &d->blocks[b];
        bool alone = true;
        for (int k = 0; k < d->n_blocks; k++) alone &= k == b || d->blocks[k].plate != block->plate;
        const char *plate = w->plates[block->plate];
        const char *what =
            alone ? plate : rt_printf(w->mem, "%s_%s", plate, d->effects[block->effects[0]].name);
        w->sd[b] = new_name(w, "sd", what);
        w->factor[b] = block->n > 1 ? new_name(w, "L", what) : NULL;
        w->effects[b] = new_name(w, "r", what);
    }
    for (int g = 0; g < w->a->f->n_groups; g++) {
        if (w->a->of_group[g] >= 0) continue;
        const char *column = w->a->columns[w->a->crossing[g]].name;
        w->crossing_sd[g] = new_name(w, "sd", column);
        w->crossing[g] = new_name(w, "r", column);
    }
}

/* ---- lines ---- */

/* Code that is too long goes on in lines of its own, from a + or a comma on. */
static void fold(RtBytes *text, int depth) {
    RtBytes out = {0};
    const char *at = text->data;
    for (size_t room = WIDTH; strlen(at) > room; room = WIDTH - 2 * (size_t)depth - 4) {
        size_t cut = room;
        while (cut > room / 2 && strncmp(at + cut, " + ", 3) && strncmp(at + cut - 1, ", ", 2))
            cut--;
        if (cut == room / 2) break;
        rt_bytes_printf(&out, "%.*s\n%*s", (int)cut, at, 2 * depth + 4, "");
        at += cut + 1;
    }
    rt_bytes_printf(&out, "%s", at);
    rt_bytes_free(text);
    *text = out;
}

/* A line of the model; `comment` NULL: none. */
__attribute__((format(printf, 3, 4))) static void line(Writer *w, const char *comment,
                                                       const char *format, ...) {
    va_list args;
    RtBytes text = {0};
    va_start(args, format);
    char *code = NULL;
    int n = vasprintf(&code, format, args);
    va_end(args);
    rt_bytes_printf(&text, "%*s%s", n ? 2 * w->depth : 0, "", n < 0 ? "" : code);
    free(code);
    if (comment && *comment) {
        while (text.n < COMMENT_AT) rt_bytes_printf(&text, " ");
        rt_bytes_printf(&text, " // %s", comment);
    }
    for (size_t i = 0; i < text.n; i++) /* labels and paths may hold line ends */
        if (text.data[i] >= 0 && text.data[i] < 32) text.data[i] = 32;
    bool remark = !comment && text.n > 2 && !memcmp(text.data, "//", 2); /* ends with its line */
    if (text.n > WIDTH && !comment && !remark) fold(&text, w->depth);
    rt_bytes_printf(w->out, "%s\n", text.data ? text.data : "");
    rt_bytes_free(&text);
}

/* With three digits that count. */
static const char *number(Writer *w, double x) {
    double scale = x == 0 ? 1 : pow(10, 2 - floor(log10(fabs(x))));
    return rt_printf(w->mem, "%.10g", isfinite(scale) ? round(x * scale) / scale : x);
}

/* To a hundredth of the leading digit of what it may differ by. */
static const char *location(Writer *w, double x, double spread) {
    double step = pow(10, floor(log10(spread)) - 2);
    return rt_printf(w->mem, "%.10g", isnormal(step) ? round(x / step) * step : x);
}

/* ---- what all groups share ---- */

static const char *prior_text(Writer *w, const Effect *e) {
    const char *y = w->a->columns[w->a->outcome].name;
    bool identity = w->info->link == LINK_IDENTITY;
    if (!e->vars || e->whole)
        return identity ? rt_printf(w->mem, "median of %s; %g of its sd", y, w->info->intercept)
                        : rt_printf(w->mem, "%s of the mean of %s",
                                    w->info->link == LINK_LOG ? "logarithm" : "log odds", y);
    if (e->sd == 1) return identity ? rt_printf(w->mem, "%g sd of %s", w->info->slope, y) : "";
    return identity
               ? rt_printf(w->mem, "%g sd of %s per sd of what it multiplies", w->info->slope, y)
               : rt_printf(w->mem, "%g per sd of what it multiplies", w->info->slope);
}

/* ", at year = 2005": the variables that the intercept is not at 0 of. */
static const char *centers_text(Writer *w) {
    const Formula *f = w->a->f;
    RtBytes text = {0};
    for (int v = 0; v < f->n_vars; v++) {
        if (w->d->center[v] == 0) continue;
        rt_bytes_printf(&text, "%s", text.n ? ", " : "; at ");
        transform_text(f->vars[v].transform, f->vars[v].column, &text);
        rt_bytes_printf(&text, " = %.10g", w->d->center[v]);
    }
    const char *copy = text.n ? rt_copy_text(w->mem, text.data, text.n) : "";
    rt_bytes_free(&text);
    return copy;
}

static void write_fixed(Writer *w) {
    const Design *d = w->d;
    for (int i = 0; i < d->n_effects; i++) {
        const Effect *e = &d->effects[i];
        if (!e->fixed) continue;
        bool whole = !e->vars || e->whole;
        double scale = d->unit * (whole ? w->info->intercept : w->info->slope / e->sd);
        line(w,
             e->vars ? prior_text(w, e)
                     : rt_printf(w->mem, "%s%s", prior_text(w, e), centers_text(w)),
             "latent %s ~ normal(%s, %s);", w->fixed[i],
             whole ? location(w, d->location, scale) : "0", number(w, scale));
    }
}

/* How far the groups of a plate differ. */
static void write_spreads(Writer *w) {
    const Design *d = w->d;
    for (int b = 0; b < d->n_blocks; b++) {
        const Block *block = &d->blocks[b];
        RtBytes scales = {0}, what = {0};
        for (int i = 0; i < block->n; i++) {
            const Effect *e = &d->effects[block->effects[i]];
            rt_bytes_printf(&scales, "%s%s", i ? ", " : "",
                            number(w, w->info->groups * d->unit / e->sd));
            rt_bytes_printf(&what, "%s%s", i ? ", " : "", e->name);
        }
        const char *comment =
            rt_printf(w->mem, "between groups of %s: %s", w->plates[block->plate], what.data);
        if (block->n == 1) {
            line(w, comment, "latent %s ~ half_normal(%s);", w->sd[b], scales.data);
        } else {
            line(w, comment, "latent %s[%d] ~ half_normal([%s]);", w->sd[b], block->n, scales.data);
            line(w, "Cholesky factor of their correlations", "latent %s[%d, %d] ~ lkj_cholesky(2);",
                 w->factor[b], block->n, block->n);
        }
        rt_bytes_free(&scales);
        rt_bytes_free(&what);
    }
}

/* Effects of groups that cross the plates. */
static void write_crossings(Writer *w) {
    const char *scale = number(w, w->info->groups * w->d->unit);
    for (int g = 0; g < w->a->f->n_groups; g++) {
        if (!w->crossing[g]) continue;
        const FrameColumn *c = &w->a->columns[w->a->crossing[g]];
        line(w, rt_printf(w->mem, "between levels of %s, which crosses other groups", c->name),
             "latent %s ~ half_normal(%s);", w->crossing_sd[g], scale);
        line(w, "", "latent %s[%d] ~ normal(0, %s);", w->crossing[g], c->n_levels,
             w->crossing_sd[g]);
    }
}

static void write_own(Writer *w) {
    for (int i = 0; i < 3; i++) {
        if (!w->own[i]) continue;
        bool scaled = !strchr(own_latents[i].prior, '(');
        const char *scale = scaled ? rt_printf(w->mem, "(%s)", number(w, w->d->unit)) : "";
        line(w, own_latents[i].comment, "latent %s ~ %s%s;", w->own[i], own_latents[i].prior,
             scale);
    }
}

/* ---- columns ---- */

static const char *law_of_numbers(Writer *w, const FrameColumn *c) {
    const Moments *m = &c->all;
    double variance = m->sd * m->sd;
    if (c - w->a->columns == w->a->trials)
        return variance > 1.5 * m->mean
                   ? rt_printf(w->mem, "neg_binomial_2(%s, %s)", number(w, m->mean),
                               number(w, m->mean * m->mean / (variance - m->mean)))
                   : rt_printf(w->mem, "poisson(%s)", number(w, m->mean));
    if (c->bounded && !(m->least > 0)) /* no other number is sure to be in its domain */
        return rt_printf(w->mem, "uniform(%.10g, %.10g)", m->least, m->most);
    if (c->bounded) {
        double s2 = log1p(variance / (m->mean * m->mean));
        double spread = s2 > 0 ? sqrt(s2) : 0.1;
        return rt_printf(w->mem, "lognormal(%s, %s)", location(w, log(m->mean) - s2 / 2, spread),
                         number(w, spread));
    }
    bool bits = m->least == 0 && m->most == 1;
    if (bits && variance > 0.999 * m->mean * (1 - m->mean)) /* no number between */
        return rt_printf(w->mem, "bernoulli(%s)", number(w, m->mean));
    double spread = m->sd > 0 ? m->sd : 1;
    return rt_printf(w->mem, "normal(%s, %s)", location(w, m->mean, spread), number(w, spread));
}

/* category(k), or categorical of their shares where these differ. */
static const char *law_of_levels(Writer *w, const FrameColumn *c) {
    double least = 1, most = 0, left = 1;
    RtBytes shares = {0};
    for (int k = 0; k < c->n_levels; k++) {
        if (c->shares[k] < least) least = c->shares[k];
        if (c->shares[k] > most) most = c->shares[k];
    }
    if (most <= 1.5 * least) return rt_printf(w->mem, "category(%d)", c->n_levels);
    for (int k = 0; k < c->n_levels; k++) { /* none is 0, and they add up to 1 */
        double own = round(1000 * (0.001 + (1 - 0.001 * c->n_levels) * c->shares[k])) / 1000;
        if (k + 1 == c->n_levels && left > 0) own = left;
        rt_bytes_printf(&shares, "%s%.6g", k ? ", " : "", own);
        left = round(1000 * (left - own)) / 1000;
    }
    const char *law = rt_printf(w->mem, "categorical([%s])", shares.data);
    rt_bytes_free(&shares);
    return law;
}

static const char *level_names(Writer *w, const FrameColumn *c) {
    RtBytes text = {0};
    for (int k = 0; k < c->n_levels && c->text; k++)
        rt_bytes_printf(&text, "%s%d %.30s", k ? ", " : "", k, c->labels[k]);
    if (c->text) rt_bytes_printf(&text, ": as they first appear in the file");
    const char *names = text.n ? rt_copy_text(w->mem, text.data, text.n) : "";
    rt_bytes_free(&text);
    return names;
}

/* The columns that stand in this plate. */
static void write_columns(Writer *w, int plate) {
    const Frame *a = w->a;
    for (int i = 0; i < a->n_columns; i++) {
        const FrameColumn *c = &a->columns[i];
        if (i == a->outcome || c->plate != plate) continue;
        if (c->n_levels) {
            line(w, level_names(w, c), "given %s ~ %s;", c->name, law_of_levels(w, c));
        } else if (c->by_index && !c->bounded && i != a->trials) {
            const char *first = c->first == 0 ? "" : rt_printf(w->mem, "%.10g + ", c->first);
            const char *step = c->step == 1 ? "" : rt_printf(w->mem, "%.10g * ", c->step);
            line(w, "the same in every group", "given %s = %s%s%s.index;", c->name, first, step,
                 w->plates[a->n_plates - 1]);
        } else {
            line(w, "", "given %s ~ %s;", c->name, law_of_numbers(w, c));
        }
    }
}

/* ---- effects of groups ---- */

static bool in_block(const Design *d, int effect) {
    for (int b = 0; b < d->n_blocks; b++)
        for (int i = 0; i < d->blocks[b].n; i++)
            if (d->blocks[b].effects[i] == effect) return true;
    return false;
}

static void add_part(RtBytes *sum, const char *latent, const Effect *e) {
    rt_bytes_printf(sum, "%s%s%s%s", sum->n ? " + " : "", latent, e->times ? " * " : "",
                    e->times ? e->times : "");
}

/* Does the effect vary with the first of crossed plates already? */
static bool varies_beside(const Writer *w, int effect, int plate) {
    const Design *d = w->d;
    bool found = false;
    for (int b = 0; b < d->n_blocks && w->a->crossed && plate == 1; b++)
        for (int i = 0; i < d->blocks[b].n; i++)
            found |= !d->blocks[b].plate && d->blocks[b].effects[i] == effect;
    return found;
}

/* What an effect of a group is drawn about. */
static const char *mean_of(Writer *w, int effect, int plate) {
    const Design *d = w->d;
    RtBytes sum = {0};
    if (w->now[effect] && !varies_beside(w, effect, plate))
        rt_bytes_printf(&sum, "%s", w->now[effect]);
    for (int i = 0; i < d->n_effects && !d->effects[effect].vars; i++) {
        if (i == effect || !w->fixed[i] || w->in_mean[i] || in_block(d, i)) continue;
        if (frame_meet(w->a, d->effects[i].plate, plate) != plate) continue;
        add_part(&sum, w->fixed[i], &d->effects[i]);
        w->in_mean[i] = true;
    }
    const char *text = sum.n ? rt_copy_text(w->mem, sum.data, sum.n) : "0";
    rt_bytes_free(&sum);
    return text;
}

static void write_effects(Writer *w, int plate) {
    const Design *d = w->d;
    for (int b = 0; b < d->n_blocks; b++) {
        const Block *block = &d->blocks[b];
        if (block->plate != plate) continue;
        RtBytes means = {0};
        for (int i = 0; i < block->n; i++)
            rt_bytes_printf(&means, "%s%s", i ? ", " : "", mean_of(w, block->effects[i], plate));
        if (block->n == 1)
            line(w, NULL, "latent %s ~ normal(%s, %s);", w->effects[b], means.data, w->sd[b]);
        else
            line(w, NULL, "latent %s[%d] ~ multi_normal_cholesky([%s], diag(%s) @ %s);",
                 w->effects[b], block->n, means.data, w->sd[b], w->factor[b]);
        for (int i = 0; i < block->n; i++) {
            int e = block->effects[i];
            *(varies_beside(w, e, plate) ? &w->beside[e] : &w->now[e]) =
                block->n == 1 ? w->effects[b] : rt_printf(w->mem, "%s[%d]", w->effects[b], i);
        }
        rt_bytes_free(&means);
    }
}

/* ---- the outcome ---- */

static const char *predictor(Writer *w) {
    const Frame *a = w->a;
    RtBytes sum = {0};
    for (int i = 0; i < w->d->n_effects; i++)
        if (w->now[i] && !w->in_mean[i]) add_part(&sum, w->now[i], &w->d->effects[i]);
    for (int i = 0; i < w->d->n_effects; i++)
        if (w->beside[i]) add_part(&sum, w->beside[i], &w->d->effects[i]);
    for (int g = 0; g < a->f->n_groups; g++)
        if (w->crossing[g])
            rt_bytes_printf(&sum, "%s%s[%s]", sum.n ? " + " : "", w->crossing[g],
                            a->columns[a->crossing[g]].name);
    for (int v = 0; v < a->f->n_vars; v++) {
        if (!(a->f->offsets >> v & 1)) continue;
        rt_bytes_printf(&sum, "%s", sum.n ? " + " : "");
        transform_text(a->f->vars[v].transform, a->columns[a->of_var[v]].name, &sum);
    }
    const char *text = sum.n ? rt_copy_text(w->mem, sum.data, sum.n) : "0";
    rt_bytes_free(&sum);
    return text;
}

static void write_outcome(Writer *w) {
    enum { SHORT = 60 };
    const Frame *a = w->a;
    const char *sum = predictor(w);
    if (strlen(sum) > SHORT) {
        const char *name = new_name(w, w->info->link == LINK_IDENTITY ? "mu" : "eta", "");
        line(w, NULL, "let %s = %s;", name, sum);
        sum = name;
    }
    RtBytes law = {0};
    for (const char *c = w->info->law; *c; c++) {
        int own = 0;
        while (own < 3 && own_latents[own].letter != *c) own++;
        if (*c == 'P')
            rt_bytes_printf(&law, "%s", sum);
        else if (*c == 'N' && a->trials < 0)
            rt_bytes_printf(&law, "%lld", (long long)a->f->fixed_trials);
        else if (*c == 'N')
            rt_bytes_printf(&law, "%s", a->columns[a->trials].name);
        else
            rt_bytes_printf(&law, own < 3 ? "%s" : "%.1s", own < 3 ? w->own[own] : c);
    }
    const FrameColumn *y = &a->columns[a->outcome]; /* `all`: of the values that are there */
    line(w, NULL, "observed %s ~ %s%s;", y->name, law.data,
         y->all.n < a->t.n_rows ? " with missing" : "");
    rt_bytes_free(&law);
}

/* ---- plates ---- */

/* "18", "9..36". */
static const char *size_text(Writer *w, int p, const char **comment) {
    const FramePlate *plate = &w->a->plates[p];
    int64_t lo = plate->least, hi = plate->most;
    *comment = lo < hi ? "groups of unequal size" : "";
    if (w->o->amortise) {
        lo = lo / 2 < 2 ? (lo < 2 ? lo : 2) : lo / 2;
        hi = hi * 2;
    }
    if (lo == hi) return rt_printf(w->mem, "%lld", (long long)lo);
    return rt_printf(w->mem, "%lld..%lld", (long long)lo, (long long)hi);
}

static void open_plate(Writer *w, int p) {
    const char *column = w->a->plates[p].column, *comment, *size = size_text(w, p, &comment);
    bool other = column && strcmp(column, w->plates[p]);
    line(w, comment, "plate %s(%s)%s%s%s {", w->plates[p], size, other ? " from \"" : "",
         other ? column : "", other ? "\"" : "");
    w->depth++;
}

/* Where the file lacks pairs, training does from well below its share of them on. */
static void open_cross(Writer *w) {
    const FramePlate *plates = w->a->plates;
    int64_t rows = w->a->t.n_rows;
    double all = (double)plates[0].n * (double)plates[1].n, share = (double)rows / all;
    bool lacks = (double)rows < all;
    line(w,
         lacks ? rt_printf(w->mem, "%lld of %.0f pairs are in the file", (long long)rows, all) : "",
         "cross %s, %s%s {", w->plates[0], w->plates[1],
         lacks ? rt_printf(w->mem, " (%.2g..1)", 0.7 * share) : "");
    w->depth++;
}

static void close_plates(Writer *w) {
    while (w->depth) {
        w->depth--;
        line(w, NULL, "}");
    }
}

static void write_plates(Writer *w) {
    int n = w->a->n_plates;
    write_columns(w, DATA_SET);
    for (int p = 0; p < n; p++) {
        if (w->a->crossed) close_plates(w);
        if (w->a->crossed && p + 1 == n)
            open_cross(w);
        else
            open_plate(w, p);
        write_columns(w, p);
        if (p + 1 < n) write_effects(w, p);
    }
    write_outcome(w);
    close_plates(w);
}

static void write_correlations(Writer *w) {
    const Design *d = w->d;
    for (int b = 0; b < d->n_blocks; b++)
        for (int i = 1; i < d->blocks[b].n; i++)
            for (int k = 0; k < i; k++) {
                const char *plate = w->plates[d->blocks[b].plate];
                const char *one = d->effects[d->blocks[b].effects[k]].name,
                           *two = d->effects[d->blocks[b].effects[i]].name;
                line(w, NULL, "quantity %s = (%s @ transpose(%s))[%d, %d];",
                     new_name(w, "cor", rt_printf(w->mem, "%s_%s_%s", plate, one, two)),
                     w->factor[b], w->factor[b], k, i);
            }
}

static void write_head(Writer *w) {
    const Moments *y = &w->a->columns[w->a->outcome].all;
    const char *slash = strrchr(w->o->data, '/'), *data = slash ? slash + 1 : w->o->data;
    line(w, NULL, "// %s", w->a->f->text);
    line(w, NULL, "// %s: %s. Written by `adavic init`.", w->info->name, w->info->summary);
    line(w, NULL, "//");
    line(w, NULL, "// %s: %lld rows; %s from %.4g to %.4g, median %.4g, sd %.4g", data,
         (long long)w->a->t.n_rows, w->a->columns[w->a->outcome].name, y->least, y->most, y->median,
         y->sd);
    line(w, NULL,
         "// Priors are weak, on the scale of these data: replace them by what you know. Then");
    line(w, NULL, "//   adavic %s.hbm -o %s", w->o->model, w->o->model);
    line(w, NULL, "//   ./%s train%s%s", w->o->model, w->o->amortise ? "" : " --for ",
         w->o->amortise ? "" : data);
    line(w, NULL, "//   ./%s infer %s", w->o->model, data);
    line(w, NULL, "%s", "");
}

bool write_model(const Frame *a, const Design *d, const WriteOptions *options, RtBytes *out,
                 RtError *error) {
    Writer *w = rt_alloc(a->t.mem, 1, sizeof *w);
    *w = (Writer){.a = a,
                  .d = d,
                  .o = options,
                  .info = &outcome_info[options->kind],
                  .mem = a->t.mem,
                  .out = out};
    if (!name_plates(w, error)) return false;
    name_latents(w);
    write_head(w);
    write_fixed(w);
    write_spreads(w);
    write_crossings(w);
    write_own(w);
    line(w, NULL, "%s", "");
    write_plates(w);
    write_correlations(w);
    return true;
}
