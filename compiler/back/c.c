/* c.c -- loop IR as C text, one statement per instruction: readable, compiled by any gcc or clang,
 * the differential test of the LLVM back end. Varying registers are GCC vectors. The text stands
 * alone. */
#include "opt/loop.h"

#include <math.h>

typedef struct CPrinter {
    Text *out;
    const LoopProgram *p;
    const LoopNest *nest;
} CPrinter;

/* ---- what every program needs, by element type and lanes ---- */

static const char preamble[] =
    "#include <math.h>\n"
    "#include <stdint.h>\n"
    "#include <string.h>\n"
    "#pragma GCC diagnostic ignored \"-Wpsabi\"\n"
    "\n"
    "typedef struct av_call {\n"
    "    const int64_t *extent, *total;\n"
    "    const void *const *in;\n"
    "    void *const *out;\n"
    "    char *scratch;\n"
    "    uint32_t key[2], step, data0;\n"
    "} av_call;\n"
    "typedef struct av_entry {\n"
    "    const char *name;\n"
    "    void (*run)(const av_call *call);\n"
    "    int64_t (*scratch)(const int64_t *extent);\n"
    "} av_entry;\n"
    "typedef struct av_random {\n"
    "    uint32_t key[2], step, data0, site;\n"
    "    int32_t kind;\n"
    "    int64_t n_data, n_draw, n_inst, s_data, s_draw, s_inst;\n"
    "    const void *replace, *param[2];\n"
    "    int64_t p_data[2], p_draw[2];\n"
    "    int32_t n_dims;\n"
    "    int64_t dim[12], p_dim[2][12];\n"
    "} av_random;\n"
    "typedef struct av_gemm {\n"
    "    int64_t kind, lanes, n_x, n_y, blocks, points, exist;\n"
    "    int64_t x_block, x_point, x_feature, y_block, y_point, y_feature, w_row;\n"
    "    void *x, *y, *w, *room;\n"
    "} av_gemm;\n"
    "void av_gemm_f32(const av_gemm *g);\n"
    "void av_gemm_f64(const av_gemm *g);\n"
    "void av_fill_f32(const av_random *r, float *out);\n"
    "void av_fill_f64(const av_random *r, double *out);\n"
    "\n"
    "#define LANES(n) for (int l = 0; l < n; l++)\n"
    "#define inline static inline __attribute__((always_inline, unused))\n"
    "#define helper static __attribute__((noinline, unused))\n";

/* $R real, $I int of its width, $B its bytes, $S suffix of C's functions, $T suffix of the types,
 * $X bias of the exponent, $M bits of the mantissa, $N a number whose lowest bits count */
static const char scalar_types[] =
    "typedef $R real$T;\n"
    "typedef $I int$T;\n"
    "inline int$T bits$T(real$T a) { int$T b; memcpy(&b, &a, sizeof b); return b; }\n"
    "inline real$T unbits$T(int$T a) { real$T b; memcpy(&b, &a, sizeof b); return b; }\n"
    "inline real$T sqrt$T(real$T a) { return sqrt$S(a); }\n"
    "inline real$T abs$T(real$T a) { return fabs$S(a); }\n"
    "inline real$T fma$T(real$T a, real$T b, real$T c) { return __builtin_fma$S(a, b, c); }\n"
    "inline real$T sel$T(int$T m, real$T a, real$T b) { return m ? a : b; }\n"
    "inline real$T scale$T(real$T a, real$T b) { /* 2^b as two factors */\n"
    "    int$T n = bits$T(b + $N) - bits$T($N), h = n >> 1;\n"
    "    return a * unbits$T((h + $X) << $M) * unbits$T((n - h + $X) << $M);\n"
    "}\n"
    "inline int$T imin$T(int64_t a, int64_t b) { return a < b ? a : b; }\n"
    "inline int$T lt$T(real$T a, real$T b) { return -(a < b); }\n"
    "inline int$T le$T(real$T a, real$T b) { return -(a <= b); }\n"
    "inline int$T eq$T(real$T a, real$T b) { return -(a == b); }\n"
    "helper void clear$T(real$T *to, real$T x, int64_t count) {\n"
    "    for (int64_t k = 0; k < count; k++) to[k] = x;\n"
    "}\n";

/* $L lanes, $V suffix of the vector types, $Q alignment in memory */
static const char vector_types[] =
    "typedef real$T real$V __attribute__((vector_size($L * $B)));\n"
    "typedef int$T int$V __attribute__((vector_size($L * $B)));\n"
    "helper real$V splat$V(real$T a) { real$V r; LANES($L) r[l] = a; return r; }\n"
    "helper int$V isplat$V(int$T a) { int$V r; LANES($L) r[l] = a; return r; }\n"
    "inline int$V bits$V(real$V a) { return (int$V)a; }\n"
    "inline real$V unbits$V(int$V a) { return (real$V)a; }\n"
    "helper real$V sqrt$V(real$V a) { LANES($L) a[l] = sqrt$S(a[l]); return a; }\n"
    "helper real$V abs$V(real$V a) { LANES($L) a[l] = fabs$S(a[l]); return a; }\n"
    "helper real$V fma$V(real$V a, real$V b, real$V c) {\n"
    "    LANES($L) c[l] = __builtin_fma$S(a[l], b[l], c[l]);\n"
    "    return c;\n"
    "}\n"
    "inline real$V sel$V(int$V m, real$V a, real$V b) {\n"
    "    return (real$V)(((int$V)a & m) | ((int$V)b & ~m));\n"
    "}\n"
    "inline real$V scale$V(real$V a, real$V b) {\n"
    "    int$V n = bits$V(b + $N) - bits$T($N), h = n >> 1;\n"
    "    return a * unbits$V((h + $X) << $M) * unbits$V((n - h + $X) << $M);\n"
    "}\n"
    "inline int$V lt$V(real$V a, real$V b) { return a < b; }\n"
    "inline int$V le$V(real$V a, real$V b) { return a <= b; }\n"
    "inline int$V eq$V(real$V a, real$V b) { return a == b; }\n"
    "inline real$V load$V(const real$T *p) { real$V r; memcpy(&r, p, sizeof r); return r; }\n"
    "inline void store$V(real$T *p, real$V a) { memcpy(p, &a, sizeof a); }\n"
    "/* n: lanes that exist */\n"
    "helper real$V gather$V(const real$T *p, int64_t stride, int64_t n) {\n"
    "    real$V r;\n"
    "    LANES($L) r[l] = p[(l < n ? l : n - 1) * stride];\n"
    "    return r;\n"
    "}\n"
    "helper void scatter$V(real$T *p, int64_t stride, int64_t n, real$V a) {\n"
    "    LANES($L) if (l < n) p[l * stride] = a[l];\n"
    "}\n"
    "helper real$V tail$V(real$V a, int64_t n, real$T rest) {\n"
    "    LANES($L) if (l >= n) a[l] = rest;\n"
    "    return a;\n"
    "}\n"
    "/* halves added until one number is left: always the same order */\n"
    "helper void sum_lanes$V(real$T *to, const real$T *from, int64_t count, int64_t valid) {\n"
    "    for (int64_t k = 0; k < count; k++) {\n"
    "        real$V a = tail$V(load$V(from + k * $L), valid, 0);\n"
    "        for (int n = $L / 2; n; n /= 2) LANES(n) a[l] += a[l + n];\n"
    "        to[k] = a[0];\n"
    "    }\n"
    "}\n"
    "helper void max_lanes$V(real$T *to, const real$T *from, int64_t count, int64_t valid) {\n"
    "    for (int64_t k = 0; k < count; k++) {\n"
    "        real$V a = tail$V(load$V(from + k * $L), valid, -INFINITY);\n"
    "        for (int n = $L / 2; n; n /= 2) LANES(n) a[l] = a[l] > a[l + n] ? a[l] : a[l + n];\n"
    "        to[k] = a[0];\n"
    "    }\n"
    "}\n";

static const char *suffix(const LoopProgram *p, bool varying) {
    static const char *const names[2][5] = {{"32", "32x2", "32x4", "32x8", "32x16"},
                                            {"64", "64x2", "64x4", "64x8", "64x16"}};
    int log2 = 0;
    while (varying && 1 << log2 < p->lanes) log2++;
    return names[p->f64][log2];
}

static void expand(Text *out, const char *text, const LoopProgram *p) {
    for (const char *at = text; *at; at++) {
        if (*at != '$') {
            text_printf(out, "%c", *at);
            continue;
        }
        switch (*++at) {
        case 'R':
            text_add(out, p->f64 ? "double" : "float");
            break;
        case 'I':
            text_add(out, p->f64 ? "int64_t" : "int32_t");
            break;
        case 'B':
            text_add(out, p->f64 ? "8" : "4");
            break;
        case 'S':
            text_add(out, p->f64 ? "" : "f");
            break;
        case 'T':
            text_add(out, suffix(p, false));
            break;
        case 'X':
            text_add(out, p->f64 ? "1023" : "127");
            break;
        case 'N':
            text_add(out, p->f64 ? "0x1.8p52" : "0x1.8p23f");
            break;
        case 'M':
            text_add(out, p->f64 ? "52" : "23");
            break;
        case 'V':
            text_add(out, suffix(p, true));
            break;
        default:
            text_printf(out, "%d", p->lanes);
            break;
        }
    }
}

/* ---- sizes and addresses ---- */

static void size_text(CPrinter *c, LoopSize size) {
    text_printf(c->out, "%lld", (long long)size.coef);
    for (int i = 0; i < size.n; i++) {
        int factor = size.factor[i];
        if (factor <= LOOP_BLOCKS)
            text_printf(c->out, " * ((extent[%d] + %d) / %d)", loop_blocks_axis(factor),
                        c->p->lanes - 1, c->p->lanes);
        else if (factor >= LOOP_START)
            text_printf(c->out, " * start[%d]", factor - LOOP_START);
        else if (factor >= LOOP_TILE)
            text_printf(c->out, " * tile[%d]", factor - LOOP_TILE);
        else
            text_printf(c->out, " * extent[%d]", loop_factor_entry(c->p, factor));
    }
}

/* Of a loop. */
static void count_text(CPrinter *c, const LoopInst *inst) {
    if (inst->limit)
        text_printf(c->out, "i%d", inst->limit - 1);
    else
        size_text(c, inst->count);
}

static void buffer_text(CPrinter *c, int buffer) {
    const LoopBuffer *b = &c->p->buffers.data[buffer];
    if (b->kind == BUFFER_TABLE)
        text_printf(c->out, "%s_table%d", c->p->name, buffer);
    else if (b->kind == BUFFER_FRAME)
        text_printf(c->out, "((real%s *)base[%d] + %lld)", suffix(c->p, false),
                    c->p->inputs.n + c->p->ir->outputs.n, (long long)b->offset);
    else if (b->kind == BUFFER_SCRATCH)
        text_printf(c->out, "((real%s *)base[%d])", suffix(c->p, false),
                    c->p->inputs.n + c->p->ir->outputs.n + b->slot);
    else
        text_printf(c->out, "((real%s *)base[%d])", suffix(c->p, false), buffer);
}

static void address(CPrinter *c, const LoopInst *inst) {
    const LoopIndex *index = inst->index;
    text_add(c->out, "&");
    buffer_text(c, inst->buffer);
    text_printf(c->out, "[%lld", (long long)index->base);
    for (int i = 0; i < index->n; i++) {
        if (index->term[i].var < 0)
            text_add(c->out, " + (");
        else
            text_printf(c->out, " + i%d * (", index->term[i].var);
        size_text(c, index->term[i].stride);
        text_add(c->out, ")");
    }
    text_add(c->out, "]");
}

/* Lanes that exist in the block that `inst` names. */
static void valid_lanes(CPrinter *c, const LoopInst *inst) {
    text_printf(c->out, "extent[%d]", c->nest->lane);
    if (inst->integer >= 0)
        text_printf(c->out, " - i%lld * %d", (long long)inst->integer, c->p->lanes);
}

/* Where the lanes of a value lie that is gathered or scattered, and how many exist. */
static void lane_by_lane(CPrinter *c, const LoopInst *inst) {
    address(c, inst);
    text_add(c->out, ", ");
    size_text(c, inst->index->lane_stride);
    text_add(c->out, ", ");
    valid_lanes(c, inst);
}

static void number(CPrinter *c, double x) {
    if (isnan(x))
        text_add(c->out, "NAN");
    else if (isinf(x))
        text_add(c->out, x < 0 ? "-INFINITY" : "INFINITY");
    else if (c->p->f64)
        text_printf(c->out, "%a", x);
    else
        text_printf(c->out, "%af", (double)(float)x);
}

/* ---- instructions ---- */

static bool varying(const CPrinter *c, int reg) {
    return c->nest->regs.data[reg].varying;
}

/* What is a C expression of its operands $a, $b, $c and of $n, its integer; $V: the suffix of its
 * type, as in the preamble's names. */
static const char *const expressions[LOOP_OP_COUNT] = {
    [LOOP_integer] = "INT64_C($n)",
    [LOOP_total] = "call->total[$n]",
    [LOOP_variable] = "$a",
    [LOOP_neg] = "-$a",
    [LOOP_abs] = "abs$V($a)",
    [LOOP_sqrt] = "sqrt$V($a)",
    [LOOP_add] = "$a + $b",
    [LOOP_sub] = "$a - $b",
    [LOOP_mul] = "$a * $b",
    [LOOP_div] = "$a / $b",
    [LOOP_fma] = "fma$V($a, $b, $c)",
    [LOOP_scale] = "scale$V($a, $b)",
    [LOOP_min] = "sel$V(lt$V($a, $b), $a, $b)",
    [LOOP_max] = "sel$V(lt$V($b, $a), $a, $b)",
    [LOOP_lt] = "lt$V($a, $b)",
    [LOOP_le] = "le$V($a, $b)",
    [LOOP_eq] = "eq$V($a, $b)",
    [LOOP_and] = "$a & $b",
    [LOOP_or] = "$a | $b",
    [LOOP_not] = "~$a",
    [LOOP_select] = "sel$V($a, $b, $c)",
    [LOOP_bits] = "bits$V($a)",
    [LOOP_unbits] = "unbits$V($a)",
    [LOOP_iadd] = "$a + $b",
    [LOOP_isub] = "$a - $b",
    [LOOP_iand] = "$a & $b",
    [LOOP_ishl] = "$a << $n",
    [LOOP_ishr] = "$a >> $n",
};

static void expression(CPrinter *c, const char *text, const LoopInst *inst) {
    for (const char *at = text; *at; at++) {
        if (*at != '$')
            text_printf(c->out, "%c", *at);
        else if (*++at == 'V')
            text_add(c->out, suffix(c->p, varying(c, inst->dst)));
        else if (*at == 'n')
            text_printf(c->out, "%lld", (long long)inst->integer);
        else
            text_printf(c->out, "r%d", inst->arg[*at - 'a']);
    }
}

static void is_inside(CPrinter *c, const LoopInst *inst) {
    text_printf(c->out, "i%d + %d < ", (int)inst->integer, (int)inst->number);
    count_text(c, inst);
}

static void value(CPrinter *c, const LoopInst *inst) {
    const char *vector = suffix(c->p, true), *text = expressions[inst->op];
    LoopType type = c->nest->regs.data[inst->dst].type;
    switch (inst->op) {
    case LOOP_number:
        number(c, inst->number);
        return;
    case LOOP_load:
        text_add(c->out, varying(c, inst->dst) ? "load" : "*(");
        if (varying(c, inst->dst)) text_printf(c->out, "%s(", vector);
        address(c, inst);
        text_add(c->out, ")");
        return;
    case LOOP_gather:
        text_printf(c->out, "gather%s(", vector);
        lane_by_lane(c, inst);
        text_add(c->out, ")");
        return;
    case LOOP_inside:
        text_printf(c->out, "isplat%s(-(", vector);
        is_inside(c, inst);
        text_add(c->out, "))");
        return;
    case LOOP_tail:
        text_printf(c->out, "tail%s(r%d, ", vector, inst->arg[0]);
        valid_lanes(c, inst);
        text_add(c->out, ", ");
        number(c, inst->number);
        text_add(c->out, ")");
        return;
    case LOOP_broadcast:
        text = type == LOOP_REAL ? "splat$V($a)" : "isplat$V($a)";
        break;
    case LOOP_select:
        if (type == LOOP_MASK) text = "($a & $b) | (~$a & $c)";
        break;
    default:
        break;
    }
    if (!text) internal_error("emit c", "no text for %s", loop_op_text[inst->op]);
    expression(c, text, inst);
}

static void across_lanes(CPrinter *c, const LoopInst *inst) {
    text_printf(c->out, "%s%s(", loop_op_text[inst->op], suffix(c->p, true));
    buffer_text(c, inst->buffer);
    text_add(c->out, ", ");
    buffer_text(c, inst->buffer2);
    text_add(c->out, ", ");
    size_text(c, inst->count);
    if (inst->whole)
        text_printf(c->out, ", %d);\n", c->p->lanes);
    else
        text_printf(c->out, ", extent[%d]);\n", c->nest->lane);
}

static void gemm_pointer(CPrinter *c, const char *name, int buffer, int64_t first,
                         LoopSize stride) {
    text_printf(c->out, ", .%s = ", name);
    buffer_text(c, buffer);
    text_printf(c->out, " + %lld * (", (long long)first);
    size_text(c, stride);
    text_add(c->out, ")");
}

static void gemm(CPrinter *c, const LoopGemm *g) {
    const struct {
        const char *name;
        LoopSize size;
    } sizes[] = {{"blocks", g->blocks},       {"points", g->points},
                 {"exist", g->exist},         {"x_block", g->x.block},
                 {"x_point", g->x.point},     {"x_feature", g->x.feature},
                 {"y_block", g->y.block},     {"y_point", g->y.point},
                 {"y_feature", g->y.feature}, {"w_row", loop_size(g->w_row)}};
    const char *suffix_of = c->p->f64 ? "f64" : "f32";
    text_printf(c->out, "av_gemm_%s(&(av_gemm){.kind = %d, .lanes = %d, .n_x = %lld, .n_y = %lld",
                suffix_of, g->kind, c->p->lanes, (long long)g->x.n, (long long)g->y.n);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        text_printf(c->out, ", .%s = ", sizes[i].name);
        size_text(c, sizes[i].size);
    }
    gemm_pointer(c, "x", g->x.buffer, g->x.first, g->x.feature);
    gemm_pointer(c, "y", g->y.buffer, g->y.first, g->y.feature);
    gemm_pointer(c, "w", g->w, g->w_first, loop_size(1));
    gemm_pointer(c, "room", g->room, 0, loop_size(1));
    text_add(c->out, "});\n");
}

static void statement(CPrinter *c, const LoopInst *inst) {
    switch (inst->op) {
    case LOOP_loop:
        text_printf(c->out, "for (int64_t i%d = 0; i%d < ", inst->dst, inst->dst);
        count_text(c, inst);
        text_printf(c->out, "; i%d += %lld) {\n", inst->dst,
                    inst->integer ? (long long)inst->integer : 1);
        return;
    case LOOP_place:
        text_printf(c->out, "const int64_t i%d = (int64_t)r%d;\n", inst->dst, inst->arg[0]);
        return;
    case LOOP_next:
        text_printf(c->out, "const int64_t i%d = ", inst->dst);
        is_inside(c, inst);
        text_printf(c->out, " ? i%d + %d : i%d;\n", (int)inst->integer, (int)inst->number,
                    (int)inst->integer);
        return;
    case LOOP_end:
        text_add(c->out, "}\n");
        return;
    case LOOP_store:
        text_add(c->out, varying(c, inst->arg[0]) ? "store" : "*");
        if (varying(c, inst->arg[0])) text_printf(c->out, "%s(", suffix(c->p, true));
        address(c, inst);
        text_printf(c->out, varying(c, inst->arg[0]) ? ", r%d);\n" : " = r%d;\n", inst->arg[0]);
        return;
    case LOOP_scatter:
        text_printf(c->out, "scatter%s(", suffix(c->p, true));
        lane_by_lane(c, inst);
        text_printf(c->out, ", r%d);\n", inst->arg[0]);
        return;
    case LOOP_clear:
        text_printf(c->out, "clear%s(", suffix(c->p, false));
        buffer_text(c, inst->buffer);
        text_add(c->out, ", ");
        number(c, inst->number);
        text_add(c->out, ", ");
        size_text(c, inst->count);
        text_add(c->out, ");\n");
        return;
    case LOOP_gemm:
        gemm(c, inst->gemm);
        return;
    case LOOP_sum_lanes:
    case LOOP_max_lanes:
        across_lanes(c, inst);
        return;
    case LOOP_set:
        text_printf(c->out, "r%d = r%d;\n", inst->arg[0], inst->arg[1]);
        return;
    default:
        break;
    }
    const LoopReg *reg = &c->nest->regs.data[inst->dst];
    text_printf(c->out, "%s%s r%d = ", reg->type == LOOP_REAL ? "real" : "int",
                suffix(c->p, reg->varying), inst->dst);
    value(c, inst);
    text_add(c->out, ";\n");
}

static void fill_field(CPrinter *c, const char *name, LoopSize size) {
    text_printf(c->out, "    r.%s = ", name);
    size_text(c, size);
    text_add(c->out, ";\n");
}

static void fill(CPrinter *c, const LoopFill *f) {
    text_printf(c->out,
                "    av_random r = {.key = {call->key[0], call->key[1]}, .step = call->step, "
                ".data0 = call->data0,\n        .site = %lld, .kind = %d, .replace = "
                "call->in[%d]};\n",
                (long long)f->site, (int)f->kind, f->input);
    fill_field(c, "n_data", f->n_data);
    fill_field(c, "n_draw", f->n_draw);
    fill_field(c, "n_inst", f->n_inst);
    fill_field(c, "s_data", f->s_data);
    fill_field(c, "s_draw", f->s_draw);
    fill_field(c, "s_inst", f->s_inst);
    if (f->n_params) text_printf(c->out, "    r.n_dims = %d;\n", f->n_dims);
    for (int i = 0; f->n_params && i < f->n_dims; i++)
        fill_field(c, arena_printf(c->out->arena, "dim[%d]", i), f->dim[i]);
    for (int p = 0; p < f->n_params; p++) {
        text_printf(c->out, "    r.param[%d] = ", p);
        buffer_text(c, f->param[p]);
        text_add(c->out, ";\n");
        fill_field(c, arena_printf(c->out->arena, "p_data[%d]", p), f->p_data[p]);
        fill_field(c, arena_printf(c->out->arena, "p_draw[%d]", p), f->p_draw[p]);
        for (int i = 0; i < f->n_dims; i++)
            fill_field(c, arena_printf(c->out->arena, "p_dim[%d][%d]", p, i), f->p_dim[p][i]);
    }
    text_printf(c->out, "    av_fill_%s(&r, ", c->p->f64 ? "f64" : "f32");
    buffer_text(c, f->buffer);
    text_add(c->out, ");\n");
}

/* ---- programs ---- */

static void nest_function(CPrinter *c, int number) {
    c->nest = c->p->nests.data[number];
    text_printf(c->out,
                "\n/* %s */\nstatic void %s_nest%d(const av_call *call, void *const *base,\n"
                "    const int64_t *tile, const int64_t *start) {\n"
                "    const int64_t *extent = call->extent;\n"
                "    (void)extent, (void)base, (void)tile, (void)start;\n",
                c->nest->title, c->p->name, number);
    if (c->nest->fill) fill(c, c->nest->fill);
    for (int i = 0, depth = 1; i < c->nest->code.n; i++) {
        const LoopInst *inst = &c->nest->code.data[i];
        depth -= inst->op == LOOP_end;
        text_printf(c->out, "%*s", 4 * depth, "");
        statement(c, inst);
        depth += inst->op == LOOP_loop;
    }
    text_add(c->out, "}\n");
}

static void tables(CPrinter *c) {
    for (int i = 0; i < c->p->buffers.n; i++) {
        const LoopBuffer *b = &c->p->buffers.data[i];
        if (b->kind != BUFFER_TABLE) continue;
        text_printf(c->out, "\nstatic const real%s %s_table%d[] = {", suffix(c->p, false),
                    c->p->name, i);
        for (int64_t k = 0; k < b->size.coef; k++) {
            text_add(c->out, k % 8 ? " " : "\n    ");
            number(c, b->table[k]);
            text_add(c->out, ",");
        }
        text_add(c->out, "\n};\n");
    }
}

static void largest(CPrinter *c, const LoopSize *sizes, int n) {
    text_add(c->out, "    n = ");
    size_text(c, sizes[0]);
    text_add(c->out, ";\n");
    for (int i = 1; i < n; i++) {
        text_add(c->out, "    m = ");
        size_text(c, sizes[i]);
        text_add(c->out, ";\n    n = m > n ? m : n;\n");
    }
}

/* Functions that say how large the tiles of all sweeps, and all slots, are. */
static void measures(CPrinter *c) {
    const LoopProgram *p = c->p;
    text_printf(c->out,
                "\nstatic void %s_tiles(const int64_t *extent, int64_t *tile) {\n"
                "    int64_t n, m;\n    (void)extent, (void)tile, (void)n, (void)m;\n",
                p->name);
    for (int i = 0; i < p->sweeps.n; i++) {
        const LoopSweep *sweep = &p->sweeps.data[i];
        largest(c, sweep->numbers, sweep->n_numbers);
        text_printf(c->out, "    n = %lld / (n > 0 ? n : 1), m = ", (long long)sweep->room);
        size_text(c, loop_size_extent(p, sweep->axis));
        text_printf(c->out, ";\n    n = n < m ? n : m;\n    tile[%d] = n > 1 ? n : 1;\n", i);
    }
    text_printf(c->out,
                "}\n\nstatic void %s_slots(const int64_t *extent, const int64_t *tile, "
                "int64_t *bytes) {\n"
                "    int64_t n, m;\n    (void)extent, (void)tile, (void)n, (void)m;\n",
                p->name);
    for (int i = 0; i < p->slots.n; i++) {
        largest(c, p->slots.data[i].sizes.data, p->slots.data[i].sizes.n);
        text_printf(c->out, "    bytes[%d] = (n * %d + 63) / 64 * 64;\n", i, p->f64 ? 8 : 4);
    }
    text_add(c->out, "}\n");
}

/* The nests, each sweep's in a loop over its tiles. */
static void run_nests(CPrinter *c) {
    const LoopProgram *p = c->p;
    for (int i = 0; i < p->nests.n; i++) {
        for (int k = 0; k < p->sweeps.n; k++) {
            if (p->sweeps.data[k].first != i) continue;
            text_printf(c->out, "    for (start[%d] = 0; start[%d] < ", k, k);
            size_text(c, loop_size_extent(p, p->sweeps.data[k].axis));
            text_printf(c->out, "; start[%d] += room[%d]) {\n    tile[%d] = ", k, k, k);
            size_text(c, loop_size_extent(p, p->sweeps.data[k].axis));
            text_printf(c->out,
                        " - start[%d];\n    if (tile[%d] > room[%d]) tile[%d] = room[%d];\n", k, k,
                        k, k, k);
        }
        text_printf(c->out, "    %s_nest%d(call, base, tile, start);\n", p->name, i);
        for (int k = p->sweeps.n - 1; k >= 0; k--)
            if (p->sweeps.data[k].last == i) text_add(c->out, "    }\n");
    }
}

static void program(CPrinter *c) {
    const LoopProgram *p = c->p;
    int n_sweeps = p->sweeps.n ? p->sweeps.n : 1, n_slots = p->slots.n;
    text_printf(c->out, "\n/* ---- program %s ---- */\n", p->name);
    tables(c);
    for (int i = 0; i < p->nests.n; i++) nest_function(c, i);
    measures(c);
    text_printf(c->out,
                "\nstatic int64_t %s_scratch(const int64_t *extent) {\n"
                "    int64_t bytes = 0, tile[%d], slot[%d];\n"
                "    %s_tiles(extent, tile);\n    %s_slots(extent, tile, slot);\n"
                "    for (int i = 0; i < %d; i++) bytes += slot[i];\n    return bytes;\n}\n",
                p->name, n_sweeps, n_slots, p->name, p->name, n_slots);
    int n_in = p->inputs.n, n_out = p->ir->outputs.n;
    text_printf(c->out,
                "\nstatic void %s_run(const av_call *call) {\n"
                "    const int64_t *extent = call->extent;\n"
                "    int64_t room[%d], tile[%d], start[%d] = {0}, slot[%d];\n"
                "    void *base[%d];\n    char *at = call->scratch;\n"
                "    %s_tiles(extent, room);\n    memcpy(tile, room, sizeof tile);\n"
                "    %s_slots(extent, room, slot);\n",
                p->name, n_sweeps, n_sweeps, n_sweeps, n_slots, n_in + n_out + n_slots, p->name,
                p->name);
    for (int i = 0; i < n_in; i++)
        text_printf(c->out, "    base[%d] = (void *)call->in[%d];\n", i, i);
    for (int i = 0; i < p->slots.n; i++)
        text_printf(c->out, "    base[%d] = at, at += slot[%d];\n", n_in + n_out + i, i);
    for (int i = 0; i < n_out; i++)
        text_printf(c->out, "    base[%d] = call->out[%d] ? call->out[%d] : base[%d];\n", n_in + i,
                    i, i, n_in + n_out + p->buffers.data[n_in + i].slot);
    run_nests(c);
    text_add(c->out, "}\n");
}

static void string_literal(Text *out, const char *text) {
    text_add(out, "\"");
    for (; *text; text++) {
        if (*text == '\n')
            text_add(out, text[1] ? "\\n\"\n    \"" : "\\n");
        else if (*text == '"' || *text == '\\')
            text_printf(out, "\\%c", *text);
        else
            text_printf(out, "%c", *text);
    }
    text_add(out, "\"");
}

void back_c(Text *out, const Unit *unit) {
    bool scalars[2] = {false, false}, vectors[2][65] = {{false}};
    text_add(out, preamble);
    for (int i = 0; i < unit->n_programs; i++) {
        const LoopProgram *p = unit->programs[i];
        if (!scalars[p->f64]) expand(out, scalar_types, p);
        scalars[p->f64] = true;
        if (p->lanes > 1 && !vectors[p->f64][p->lanes]) expand(out, vector_types, p);
        vectors[p->f64][p->lanes] = true;
    }
    for (int i = 0; i < unit->n_programs; i++)
        program(&(CPrinter){.out = out, .p = unit->programs[i]});
    text_add(out, "\nconst av_entry adavic_entries[] = {\n");
    for (int i = 0; i < unit->n_programs; i++) {
        const char *name = unit->programs[i]->name;
        text_printf(out, "    {\"%s\", %s_run, %s_scratch},\n", name, name, name);
    }
    text_printf(out,
                "};\nconst int64_t adavic_entry_count = %d;\nconst char adavic_manifest[] =\n    ",
                unit->n_programs);
    string_literal(out, unit->manifest ? unit->manifest : "");
    text_add(out, ";\n");
}
