/* there_and_back.c -- see there_and_back.h. */
#include "there_and_back.h"

#include "check.h"
#include "dual/objectives.h"

#include <math.h>

IrProgram *there_and_back(Compiled *c) {
    Build *b = build_start(c->arena, c->dual, "back");
    simulate_for_training(b);
    forget_latents(b);
    Encoding *enc = encode(b);
    const AxisId axes[] = {b->data, b->draw};
    IrValue drawn = guide_sample(b, enc, false);
    Val *given = arena_array(c->arena, Val, c->model->vars.n + 1);
    memcpy(given, b->value, sizeof *given * (size_t)c->model->vars.n);
    forget_latents(b);
    IrValue back = guide_log_density(b, enc, given);
    ir_output(b->p, "drawn", along(b, drawn, axes, 2));
    ir_output(b->p, "back", along(b, back, axes, 2));
    return b->p;
}

void check_there_and_back(Run *run, const IrProgram *p, const char *what) {
    const IrTensor *drawn = run_output(run, p, "drawn"), *back = run_output(run, p, "back");
    for (int64_t i = 0; i < drawn->size; i++)
        CHECK(fabs(back->data[i] - drawn->data[i]) <= 1e-10 * (1 + fabs(drawn->data[i])),
              "%s: log q is %.17g as drawn, %.17g as given", what, drawn->data[i], back->data[i]);
}
