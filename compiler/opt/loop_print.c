/* loop_print.c -- the loop program as text (--emit=loops), and its section of the manifest
 * (runtime/abi.h). */
#include "opt/count.h"
#include "ir/text.h"
#include "opt/loop.h"
#include "runtime/gemm.h"

/* ---- sizes and addresses ---- */

static void print_size(Text *out, const LoopProgram *p, LoopSize size) {
    if (size.coef != 1 || size.n == 0)
        text_printf(out, "%lld%s", (long long)size.coef, size.n ? "*" : "");
    for (int i = 0; i < size.n; i++) {
        static const char *const what[] = {"", "most(", "mean("};
        int factor = size.factor[i], entry = loop_factor_entry(p, factor), n = p->ir->axes.n;
        if (i) text_add(out, "*");
        if (factor <= LOOP_BLOCKS && loop_blocks_axis(factor) == p->lane)
            text_add(out, "blocks");
        else if (factor <= LOOP_BLOCKS)
            text_printf(out, "blocks(%s)", p->ir->axes.data[loop_blocks_axis(factor)].name);
        else if (factor >= LOOP_START)
            text_printf(out, "start%d", factor - LOOP_START);
        else if (factor >= LOOP_TILE)
            text_printf(out, "tile%d", factor - LOOP_TILE);
        else
            text_printf(out, "%s%s%s", what[entry / n], p->ir->axes.data[entry % n].name,
                        entry < n ? "" : ")");
    }
}

static void print_sizes(Text *out, const LoopProgram *p, const LoopSize *sizes, int n) {
    for (int i = 0; i < n; i++) {
        if (i) text_add(out, ", ");
        print_size(out, p, sizes[i]);
    }
}

static void print_sweep(Text *out, const LoopProgram *p, int number) {
    const LoopSweep *sweep = &p->sweeps.data[number];
    text_printf(out, "  sweep %d: nests %d to %d, tile%d of %s, max(", number, sweep->first,
                sweep->last, number, p->ir->axes.data[sweep->axis].name);
    print_sizes(out, p, sweep->numbers, sweep->n_numbers);
    text_add(out, ") numbers each\n");
}

static void print_address(Text *out, const LoopProgram *p, const LoopInst *inst) {
    const LoopIndex *index = inst->index;
    text_printf(out, " %s[", p->buffers.data[inst->buffer].name);
    for (int i = 0; i < index->n; i++) {
        const LoopTerm *term = &index->term[i];
        if (i) text_add(out, " + ");
        if (term->var < 0) {
            print_size(out, p, term->stride);
            continue;
        }
        text_printf(out, "i%d", term->var);
        if (term->stride.n || term->stride.coef != 1) {
            text_add(out, "*");
            print_size(out, p, term->stride);
        }
    }
    if (index->base || !index->n)
        text_printf(out, "%s%lld", index->n ? " + " : "", (long long)index->base);
    if (inst->op == LOOP_gather || inst->op == LOOP_scatter) {
        text_add(out, ", lane*");
        print_size(out, p, index->lane_stride);
    }
    text_add(out, "]");
}

/* ---- instructions ---- */

static void print_reg(Text *out, const LoopNest *nest, int reg) {
    static const char letters[3][2] = {{'r', 'v'}, {'i', 'w'}, {'m', 'n'}};
    const LoopReg *r = &nest->regs.data[reg];
    text_printf(out, "%c%d", letters[r->type][r->varying], reg);
}

static void print_matrix(Text *out, const LoopProgram *p, const LoopMatrix *m) {
    text_printf(out, "%s[%lld..%lld; block ", p->buffers.data[m->buffer].name, (long long)m->first,
                (long long)(m->first + m->n - 1));
    print_size(out, p, m->block);
    text_add(out, ", point ");
    print_size(out, p, m->point);
    text_add(out, ", feature ");
    print_size(out, p, m->feature);
    text_add(out, "]");
}

static void print_gemm(Text *out, const LoopProgram *p, const LoopGemm *g) {
    static const char *const forms[] = {"x w", "x w'", "x' y"};
    text_printf(out, " %s = %s over ", g->kind == AV_GEMM_OUTER ? "w" : "y", forms[g->kind]);
    print_size(out, p, g->blocks);
    text_add(out, " blocks of ");
    print_size(out, p, g->points);
    text_add(out, " points, x ");
    print_matrix(out, p, &g->x);
    text_add(out, " y ");
    print_matrix(out, p, &g->y);
    text_printf(out, " w %s[%lld; row %lld] room %s", p->buffers.data[g->w].name,
                (long long)g->w_first, (long long)g->w_row, p->buffers.data[g->room].name);
}

static void print_inst(Text *out, const LoopProgram *p, const LoopNest *nest,
                       const LoopInst *inst) {
    if (inst->op == LOOP_loop) {
        text_printf(out, "for i%d < ", inst->dst);
        if (inst->limit)
            text_printf(out, "i%d", inst->limit - 1);
        else
            print_size(out, p, inst->count);
        if (inst->integer) text_printf(out, " by %lld", (long long)inst->integer);
        return;
    }
    if (inst->op == LOOP_place) {
        text_printf(out, "i%d = place ", inst->dst);
        print_reg(out, nest, inst->arg[0]);
        return;
    }
    if (inst->op == LOOP_next) {
        text_printf(out, "i%d = next i%lld + %g", inst->dst, (long long)inst->integer,
                    inst->number);
        return;
    }
    if (inst->dst >= 0) {
        print_reg(out, nest, inst->dst);
        text_add(out, " = ");
    }
    text_add(out, loop_op_text[inst->op]);
    if (inst->op == LOOP_clear || inst->op == LOOP_sum_lanes || inst->op == LOOP_max_lanes) {
        text_printf(out, " %s count ", p->buffers.data[inst->buffer].name);
        print_size(out, p, inst->count);
        if (inst->op == LOOP_clear)
            text_printf(out, " %g", inst->number);
        else
            text_printf(out, " %s", p->buffers.data[inst->buffer2].name);
    }
    if (inst->gemm) print_gemm(out, p, inst->gemm);
    if (inst->index) print_address(out, p, inst);
    if (inst->op == LOOP_number || inst->op == LOOP_tail) text_printf(out, " %.17g", inst->number);
    if (inst->op == LOOP_inside)
        text_printf(out, " i%lld + %g", (long long)inst->integer, inst->number);
    if (inst->op == LOOP_total) text_printf(out, " %s", p->ir->axes.data[inst->integer].name);
    for (int i = 0; i < loop_op_arity[inst->op]; i++) {
        text_add(out, " ");
        print_reg(out, nest, inst->arg[i]);
    }
    if (inst->op == LOOP_integer || inst->op == LOOP_ishl || inst->op == LOOP_ishr)
        text_printf(out, " %lld", (long long)inst->integer);
}

static void print_fill(Text *out, const LoopProgram *p, const LoopFill *f) {
    static const char *const kinds[] = IR_RANDOM_WORDS;
    text_printf(out, "    fill %s with %s draws of site %lld, data ",
                p->buffers.data[f->buffer].name, kinds[f->kind], (long long)f->site);
    print_size(out, p, f->n_data);
    text_add(out, " draws ");
    print_size(out, p, f->n_draw);
    text_add(out, " instances ");
    print_size(out, p, f->n_inst);
    for (int i = 0; i < f->n_params; i++)
        text_printf(out, " %s %s", i ? "and" : "shape", p->buffers.data[f->param[i]].name);
    text_add(out, "\n");
}

void loop_print(Text *out, const LoopProgram *p) {
    static const char *const kinds[] = {"input", "output", "scratch", "frame", "table"};
    text_printf(out, "program %s %s lanes %d over %s\n", p->name, p->f64 ? "f64" : "f32", p->lanes,
                p->lane == AXIS_NONE ? "-" : p->ir->axes.data[p->lane].name);
    for (int i = 0; i < p->buffers.n; i++) {
        const LoopBuffer *b = &p->buffers.data[i];
        text_printf(out, "  %s %s", kinds[b->kind], b->name);
        if (b->size.coef) {
            text_add(out, " [");
            print_size(out, p, b->size);
            text_add(out, "]");
        }
        if (b->kind == BUFFER_SCRATCH) text_printf(out, " slot %d", b->slot);
        if (b->kind == BUFFER_FRAME) text_printf(out, " at %lld", (long long)b->offset);
        text_add(out, "\n");
    }
    for (int i = 0; i < p->slots.n; i++) {
        text_printf(out, "  slot %d [", i);
        print_sizes(out, p, p->slots.data[i].sizes.data, p->slots.data[i].sizes.n);
        text_add(out, "]\n");
    }
    for (int n = 0; n < p->nests.n; n++) {
        const LoopNest *nest = p->nests.data[n];
        for (int k = 0; k < p->sweeps.n; k++)
            if (p->sweeps.data[k].first == n) print_sweep(out, p, k);
        text_printf(out, "  nest %d: %s\n", n, nest->title);
        if (nest->fill) print_fill(out, p, nest->fill);
        for (int i = 0, depth = 2; i < nest->code.n; i++) {
            const LoopInst *inst = &nest->code.data[i];
            if (inst->op == LOOP_end) {
                depth--;
                continue;
            }
            text_printf(out, "%*s", 2 * depth, "");
            print_inst(out, p, nest, inst);
            text_add(out, "\n");
            if (inst->op == LOOP_loop) depth++;
        }
    }
}

/* ---- manifest ---- */

/* Whether each value contains a sum (or maximum) over data sets. */
static bool *reduced_over_data(const LoopProgram *p) {
    const IrProgram *ir = p->ir;
    bool *reduced = arena_array(ir->arena, bool, ir->ops.n + 1);
    for (int i = 0; i < ir->ops.n; i++) {
        const IrOp *op = &ir->ops.data[i];
        for (int k = 0; k < op->n_args; k++) reduced[i] |= reduced[op->args[k]];
        IrRule rule = ir_op_info[op->opcode].rule;
        if (rule == RULE_REDUCE || rule == RULE_CONTRACT)
            for (int k = 0; k < op->n_over; k++)
                reduced[i] |= ir->axes.data[op->over[k]].kind == AXIS_DATA;
    }
    return reduced;
}

bool loop_output_reduced(const LoopProgram *p, int output) {
    return reduced_over_data(p)[p->ir->outputs.data[output].value];
}

static void print_axes(Text *out, const IrProgram *ir, const IrOp *op) {
    text_add(out, " axes");
    for (int i = 0; i < op->n_axes; i++) text_printf(out, " %s", ir->axes.data[op->axes[i]].name);
    text_add(out, "\n");
}

static void print_terms(Text *out, const IrProgram *ir, const char *what, const CountTerms *terms) {
    for (int i = 0; i < terms->n; i++) {
        const CountTerm *term = &terms->data[i];
        text_printf(out, "  %s %lld axes", what, (long long)term->coef);
        for (int k = 0; k < term->n_axes; k++)
            text_printf(out, " %s", ir->axes.data[term->axes[k]].name);
        text_add(out, "\n");
    }
}

void manifest_program(Text *out, const LoopProgram *p) {
    static const char *const kinds[] = {"data", "draw", "plate", "event"};
    static const char *const roles[] = IR_ROLE_WORDS;
    const IrProgram *ir = p->ir;
    const IrAxis *axes = ir->axes.data;
    text_printf(out, "program %s lane %s lanes %d chunk %lld\n", p->name,
                p->lane == AXIS_NONE ? "-" : kinds[axes[p->lane].kind], p->lanes,
                (long long)p->chunk);
    for (int i = 0; i < ir->axes.n; i++)
        text_printf(out, "  axis %s kind %s parent %s extent %lld copy %s\n", axes[i].name,
                    kinds[axes[i].kind],
                    axes[i].parent == AXIS_NONE ? "-" : axes[axes[i].parent].name,
                    (long long)axes[i].extent,
                    axes[i].copy_of == AXIS_NONE ? "-" : axes[axes[i].copy_of].name);
    for (int i = 0; i < p->inputs.n; i++) {
        const IrOp *op = &ir->ops.data[p->inputs.data[i].op];
        text_printf(out, "  input %s role %s", p->inputs.data[i].name,
                    op->opcode == OP_INPUT ? roles[op->role] : "random");
        print_axes(out, ir, op);
    }
    bool *reduced = reduced_over_data(p);
    for (int i = 0; i < ir->outputs.n; i++) {
        const IrOutput *o = &ir->outputs.data[i];
        text_printf(out, "  output %s reduced %d", o->name, reduced[o->value]);
        print_axes(out, ir, &ir->ops.data[o->value]);
    }
    const IrProgram *counted = ir->as_written ? ir->as_written : ir;
    Count count = opt_count(out->arena, counted);
    print_terms(out, counted, "flop", &count.flop);
    print_terms(out, counted, "functions", &count.functions);
    text_add(out, "end\n");
}
