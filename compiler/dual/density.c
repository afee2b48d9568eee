/* density.c -- program `density`: log q at given latents, and what is a function of them, for
 * models whose components may be exchanged. The runtime evaluates it at every order of the
 * components (runtime/labels.c).
 *
 * Outputs: log_q [data, draw]; "log_q:PLATE" [data, draw, plate], the part of the latents in an
 * instance, where these are independent given the rest; quantities; probabilities of discrete
 * latents.
 */
#include "dual/objectives.h"
#include "runtime/abi.h"

#include <math.h>

bool density_serves(Build *b) {
    const Analysis *analysis = b->analysis;
    double orders = 0; /* log of their number */
    for (int i = 0; i < analysis->n_symmetries; i++) orders += analysis->symmetries[i].loss;
    return orders > 0 && orders < log(AV_MAX_ORDERS + 0.5) && guide_has_density(b);
}

/* Is the guide of what stands outside `plate` free of the latents in it? */
static bool is_drawn_first(const Build *b, const Plate *plate) {
    if (b->options.family == FAMILY_CASCADING) return false; /* parents may be in inner plates */
    for (int i = 0; i < b->analysis->n_latents; i++) {
        const Conditioning *c = &b->analysis->order[i];
        if (plate_within(c->latent->type.plate, plate)) continue;
        for (int k = 0; k < c->n_on; k++)
            if (plate_within(c->on[k]->type.plate, plate)) return false;
    }
    return true;
}

static void output_instances(Build *b) {
    for (int i = 0; i < b->model->plates.n; i++) {
        const Plate *plate = b->model->plates.data[i];
        if (b->local[i] == IR_NONE || !is_independent(b, plate) || !is_drawn_first(b, plate))
            continue;
        AxisId axes[IR_MAX_AXES];
        int n = instance_axes(b, plate, true, axes);
        ir_output(b->p, arena_printf(b->arena, "log_q:%s", plate->name),
                  along(b, b->local[i], axes, n));
    }
}

void build_density(Build *b) {
    input_data(b);
    input_all(b, VAR_LATENT, ROLE_LATENT);
    want_local(b);
    ir_output(b->p, "log_q", log_q_of_values(b, NULL));
    output_instances(b);
    b->local = NULL;
    output_draws(b, false);
    output_probabilities(b);
}
