/* certificate.c -- see certificate.h. */
#include "runtime/certificate.h"

#include <inttypes.h>
#include <string.h>

/* ---- counting ---- */

static double plate_extent(const RtModel *m, const RtSizes *sizes, int plate) {
    return (double)(m->plates[plate].ragged ? rt_instances(m, sizes, plate) : sizes->n[plate]);
}

static double terms_value(const RtModel *m, const RtProgram *g, const RtTerm *terms, int n,
                          const RtSizes *sizes, int64_t n_data, int64_t n_draw) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
        double term = (double)terms[i].coef;
        for (int k = 0; k < terms[i].n_axes; k++) {
            const RtAxis *a = &g->axes[terms[i].axes[k]];
            term *= a->kind == RT_DATA    ? (double)n_data
                    : a->kind == RT_DRAW  ? (double)n_draw
                    : a->kind == RT_PLATE ? plate_extent(m, sizes, a->plate)
                                          : (double)a->extent;
        }
        sum += term;
    }
    return sum;
}

RtNeed rt_count(const RtModel *m, const RtProgram *g, const RtSizes *sizes, int64_t n_data,
                int64_t n_draw) {
    return (RtNeed){.flop = terms_value(m, g, g->flop, g->n_flop, sizes, n_data, n_draw),
                    .functions =
                        terms_value(m, g, g->functions, g->n_functions, sizes, n_data, n_draw)};
}

/* With one more instance of `plate` (-1: as it is), in memory that is given back. */
static RtNeed need(const RtSession *s, int plate, RtCertificate *c) {
    RtState state = *s->state;
    RtSession scratch = *s;
    scratch.mem = rt_mem_new();
    scratch.state = &state;
    if (plate >= 0) {
        if (state.lo[plate] == state.hi[plate]) state.lo[plate]++;
        state.hi[plate]++;
        state.sizes.n[plate]++;
        bool given[RT_MAX_PLATES];
        for (int i = 0; i < s->model->n_plates; i++)
            given[i] = rt_sizes_even(s->model, &state.sizes, i);
        rt_sizes_usual(scratch.mem, s->model, &state, given);
    }
    double bytes = (double)rt_train_bytes(&scratch);
    rt_mem_free(scratch.mem);
    c->sets = state.sets;
    c->draws = state.draws;
    RtNeed n =
        rt_count(s->model, rt_program(s->model, "step"), &state.sizes, state.sets, state.draws);
    n.bytes = bytes;
    return n;
}

RtCertificate rt_certificate(const RtSession *s) {
    RtCertificate c = {0};
    c.step = need(s, -1, &c);
    for (int i = 0; i < s->model->n_plates; i++) {
        if (rt_plate_fixed(s->model, i) || s->model->plates[i].across >= 0) continue;
        RtNeed n = need(s, i, &c);
        c.more[i] =
            (RtNeed){n.bytes - c.step.bytes, n.flop - c.step.flop, n.functions - c.step.functions};
    }
    c.step.bytes += (double)rt_mem_bytes(s->mem); /* the model, and what was trained of it */
    return c;
}

/* ---- text ---- */

/* 110e6, "FLOP" -> "110 MFLOP"; 3e5, " functions" -> "300 k functions". */
static const char *scaled(RtMem *mem, double x, const char *unit) {
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P"};
    int i = 0;
    for (; x >= 999.5 && i < 5; i++) x /= 1000;
    return rt_printf(mem, "%.3g%s%s%s", x, i || *unit != ' ' ? " " : "", prefixes[i], unit);
}

static const char *memory_text(RtMem *mem, double bytes) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    int i = 0;
    for (; bytes >= 1023.5 && i < 4; i++) bytes /= 1024;
    return rt_printf(mem, i ? "%.1f %s" : "%.0f %s", bytes, units[i]);
}

/* "one more group: + 2.3 MiB, ...": plates that a need does not grow with are left out. */
static void text_growth(const RtSession *s, const RtCertificate *c, RtBytes *out) {
    const RtModel *m = s->model;
    for (int i = 0; i < m->n_plates; i++) {
        const RtNeed *n = &c->more[i];
        if (n->bytes <= 0 && n->flop <= 0 && n->functions <= 0) continue;
        rt_bytes_printf(out, "          one more %s:", m->plates[i].name);
        if (n->bytes > 0) rt_bytes_printf(out, " + %s", memory_text(s->mem, n->bytes));
        if (n->flop > 0)
            rt_bytes_printf(out, "%s + %s", n->bytes > 0 ? "," : "",
                            scaled(s->mem, n->flop, "FLOP"));
        if (n->functions > 0)
            rt_bytes_printf(out, ", + %s", scaled(s->mem, n->functions, " functions"));
        rt_bytes_printf(out, "\n");
    }
}

static bool any_fixed(const RtModel *m) {
    for (int i = 0; i < m->n_plates; i++)
        if (rt_plate_fixed(m, i)) return true;
    return false;
}

void rt_certificate_text(const RtSession *s, const RtCertificate *c, RtBytes *out) {
    const RtModel *m = s->model;
    const RtState *state = s->state;
    rt_bytes_printf(
        out,
        "weights   %" PRId64 " numbers in %d tensors, %s\n"
        "memory    %s, all of it allocated before the first training step (%d thread%s)\n"
        "work      %s and %s (exp, log, ...) per step: %" PRId64 " data sets, %" PRId64 " draws",
        m->n_parameters, m->n_weights,
        any_fixed(m) ? "for one size of plates around latents" : "whatever the sizes of plates",
        memory_text(s->mem, c->step.bytes), rt_pool_threads(s->pool),
        rt_pool_threads(s->pool) > 1 ? "s" : "", scaled(s->mem, c->step.flop, "FLOP"),
        scaled(s->mem, c->step.functions, " functions"), c->sets, c->draws);
    rt_sizes_text(m, &state->sizes, out);
    rt_bytes_printf(out, "\n");
    if (rt_sizes_vary(m, state))
        rt_bytes_printf(out, "          (memory is for the largest sizes in range)\n");
    text_growth(s, c, out);
}

/* ---- JSON ---- */

static void json_need(RtBytes *out, const char *name, double x) {
    rt_bytes_printf(out, "\"%s\": ", name);
    rt_json_number(out, x);
}

static void json_terms(RtBytes *out, const RtProgram *g) {
    rt_bytes_printf(out, "[");
    for (int i = 0; i < g->n_flop; i++) {
        rt_bytes_printf(out, "%s{\"coefficient\": %" PRId64 ", \"axes\": [", i ? ", " : "",
                        g->flop[i].coef);
        for (int k = 0; k < g->flop[i].n_axes; k++) {
            rt_bytes_printf(out, "%s", k ? ", " : "");
            rt_json_string(out, g->axes[g->flop[i].axes[k]].name);
        }
        rt_bytes_printf(out, "]}");
    }
    rt_bytes_printf(out, "]");
}

void rt_certificate_json(const RtSession *s, const RtCertificate *c, RtBytes *out) {
    const RtModel *m = s->model;
    rt_bytes_printf(out, "\"weights\": %" PRId64 ", ", m->n_parameters);
    json_need(out, "bytes", c->step.bytes);
    rt_bytes_printf(out, ", ");
    json_need(out, "flop_per_step", c->step.flop);
    rt_bytes_printf(out, ", ");
    json_need(out, "functions_per_step", c->step.functions);
    rt_bytes_printf(out, ", \"flop_terms\": ");
    json_terms(out, rt_program(m, "step"));
    rt_bytes_printf(out, ", \"growth\": {");
    for (int i = 0, n = 0; i < m->n_plates; i++) {
        if (m->plates[i].across >= 0) continue;
        rt_bytes_printf(out, "%s", n++ ? ", " : "");
        rt_json_string(out, m->plates[i].name);
        rt_bytes_printf(out, ": {");
        json_need(out, "bytes", c->more[i].bytes);
        rt_bytes_printf(out, ", ");
        json_need(out, "flop_per_step", c->more[i].flop);
        rt_bytes_printf(out, ", ");
        json_need(out, "functions_per_step", c->more[i].functions);
        rt_bytes_printf(out, "}");
    }
    rt_bytes_printf(out, "}");
}
