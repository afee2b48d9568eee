/* discrete.c -- discrete latents: positions that they name, and their sums (model/discrete.c says
 * which, and in which order).
 *
 * While a group is summed out, a discrete latent's value is a table 0, 1, ... along an event axis
 * of its own, "of.NAME". Everything computed from it has that axis beside those of the draws and
 * plates; the sum over its values is log_sum_exp over the axis.
 *
 * A position. The tensor IR has no gather. mu[z], where z is such a table, is mu with its own axis
 * renamed to z's: no number moves. Elsewhere (a label that was drawn in `simulate`; arithmetic on
 * labels) it is the sum over the axis of mu's entries, each 0 but for the one whose number is the
 * position.
 *
 * Posterior probabilities. Let a_k be added to log p(z = k). Then p(z = k | the rest, data) is the
 * derivative of the log density with respect to a_k, at 0: the compiler's own gradient, whatever
 * the group looks like. */
#include "dual/predict.h"
#include "opt/opt.h"

AxisId summed_axis(Build *b, const Var *var) {
    return named_axis(b, arena_printf(b->arena, "of.%s", var->name), var->n_values);
}

static IrValue counted(Build *b, AxisId axis, int64_t n) {
    double *numbers = arena_array(b->arena, double, n);
    for (int64_t i = 0; i < n; i++) numbers[i] = (double)i;
    return ir_table(b->p, numbers, &axis, 1);
}

IrValue indicators(Build *b, IrValue v, AxisId kinds) {
    IrValue is = ir_eq(b->p, counted(b, kinds, b->p->axes.data[kinds].extent), v);
    return ir_select(b->p, is, number(b, 1), number(b, 0));
}

IrValue label_law(Build *b, const Var *z) {
    AxisId values = summed_axis(b, z);
    IrValue law = lower_log_prob(b, z, (Val){.v = counted(b, values, z->n_values)});
    return along(b, law, &values, 1); /* a constant law lacks it */
}

/* The axis along which `position` is 0, 1, ... and nothing else; AXIS_NONE: it is no such table. */
static AxisId counts_along(const IrProgram *p, IrValue position) {
    const IrOp *op = &p->ops.data[position];
    if (op->opcode != OP_TABLE || op->n_axes != 1) return AXIS_NONE;
    for (int64_t i = 0; i < p->axes.data[op->axes[0]].extent; i++)
        if (op->table[i] != (double)i) return AXIS_NONE;
    return op->axes[0];
}

Val lower_at(Build *b, const Val *whole, int dim, IrValue position) {
    IrProgram *p = b->p;
    int64_t extent = whole->dims[dim];
    AxisId axis = event_axis(b, dim, extent), along_values = counts_along(p, position);
    Val at = *whole;
    if (!ir_has_axis(p, whole->v, axis)) return lower_index(b, whole, dim, 0);
    if (along_values != AXIS_NONE && !ir_has_axis(p, whole->v, along_values) &&
        p->axes.data[along_values].extent <= extent) {
        bool all = p->axes.data[along_values].extent == extent;
        at.v = all ? ir_rename(p, whole->v, axis, along_values)
                   : ir_slice(p, whole->v, axis, along_values, 0);
    } else {
        IrValue here = ir_eq(p, counted(b, axis, extent), position);
        at.v = ir_sum(p, ir_select(p, here, whole->v, number(b, 0)), &axis, 1);
    }
    return lower_index(b, &at, dim, 0); /* the axis is gone: what follows moves up */
}

/* ------------------------------------------------------------------ sums */

typedef struct Term {
    IrValue v; /* IR_NONE: summed out */
    const Plate *plate;
} Term;

IrValue log_sum_exp(Build *b, IrValue v, AxisId axis) {
    IrProgram *p = b->p;
    IrValue most = ir_stop_gradient(p, ir_max_over(p, v, &axis, 1));
    IrValue sum = ir_sum(p, ir_exp(p, ir_sub(p, v, most)), &axis, 1);
    return ir_add(p, most, ir_log(p, sum));
}

/* All terms that depend on z, in one instance of its plate, summed over its values. */
static void sum_out(Build *b, const Var *z, Term *terms, int n) {
    AxisId axis = summed_axis(b, z);
    IrValue total = IR_NONE;
    int into = -1;
    for (int i = 0; i < n; i++) {
        if (terms[i].v == IR_NONE || !ir_has_axis(b->p, terms[i].v, axis)) continue;
        IrValue own = sum_up_to(b, terms[i].v, terms[i].plate, z->type.plate);
        total = total == IR_NONE ? own : ir_add(b->p, total, own);
        terms[i].v = IR_NONE;
        if (into < 0) into = i;
    }
    terms[into] = (Term){log_sum_exp(b, total, axis), z->type.plate};
}

/* The law of z, along its values: the term through which posterior probabilities are taken. */
static IrValue own_term(Build *b, const Var *z, bool with_draw) {
    AxisId axes[IR_MAX_AXES];
    int n = instance_axes(b, z->type.plate, with_draw, axes);
    if (!with_draw) n = 0; /* only its own axis, which a constant law lacks */
    axes[n++] = summed_axis(b, z);
    IrValue v = lower_log_prob(b, z, b->value[z->index]);
    return with_draw ? ir_spread(b->p, v, axes, n) : along(b, v, axes, n);
}

/* The log density of all factors of a group, over instances: [data, draw] or less. `own`: gets the
 * law of each summed variable over all its instances, or NULL. */
static IrValue group_density(Build *b, const SumGroup *group, IrValue *own) {
    int n = group->n + group->n_factors;
    Term *terms = arena_array(b->arena, Term, n);
    size_t bytes = sizeof *b->value * (size_t)b->model->vars.n;
    Val *outer = arena_array(b->arena, Val, b->model->vars.n);
    memcpy(outer, b->value, bytes); /* lets that rest on a label must be forgotten afterwards */
    for (int i = 0; i < group->n; i++) {
        const Var *z = group->summed[i];
        b->value[z->index] = (Val){.v = counted(b, summed_axis(b, z), z->n_values)};
    }
    for (int i = 0; i < n; i++) {
        const Var *var = i < group->n ? group->summed[i] : group->factors[i - group->n];
        IrValue v = i < group->n ? own_term(b, var, own != NULL)
                                 : lower_log_prob(b, var, b->value[var->index]);
        if (own && i < group->n) own[i] = v;
        terms[i] = (Term){v, var->type.plate};
    }
    memcpy(b->value, outer, bytes);
    for (int i = 0; i < group->n; i++) sum_out(b, group->summed[i], terms, n);
    IrValue sum = IR_NONE;
    for (int i = 0; i < n; i++) {
        if (terms[i].v == IR_NONE) continue;
        if (!own) add_local(b, terms[i].v, terms[i].plate);
        IrValue over = sum_over_plates(b, terms[i].v, terms[i].plate);
        sum = sum == IR_NONE ? over : ir_add(b->p, sum, over);
    }
    return sum;
}

IrValue summed_density(Build *b, VarKind kind) {
    IrValue sum = IR_NONE;
    for (int g = 0; g < b->analysis->n_groups; g++) {
        const SumGroup *group = &b->analysis->groups[g];
        if (group->observed != (kind == VAR_OBSERVED)) continue;
        IrValue own = group_density(b, group, NULL);
        sum = sum == IR_NONE ? own : ir_add(b->p, sum, own);
    }
    return sum;
}

void output_probabilities(Build *b) {
    IrProgram *p = b->p;
    for (int g = 0; g < b->analysis->n_groups; g++) {
        const SumGroup *group = &b->analysis->groups[g];
        IrValue *own = arena_array(b->arena, IrValue, group->n);
        IrValue *share = arena_array(b->arena, IrValue, group->n);
        AxisId sets[] = {b->data, b->draw};
        IrValue total = group_density(b, group, own);
        opt_grad(p, ir_sum(p, along(b, total, sets, 2), sets, 2), own, group->n, share);
        for (int i = 0; i < group->n; i++) ir_output(p, group->summed[i]->name, share[i]);
    }
}
