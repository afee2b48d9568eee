/* cross.c -- `cross a, b (share) { ... }`: a copy for each pair of instances of two plates.
 *
 * A cross is a plate of the model that stands in the one of the two that is declared first, and
 * lies across the other: what stands in it sees both. It has as many instances in each of the first
 * as there are of the second, and no axis of its own. `turned` is the same cross seen from the
 * second plate.
 */
#include "front/check.h"

Plate *cross_of(const Checker *ck, const Plate *a, const Plate *b) {
    for (int i = 0; i < ck->model->plates.n; i++) {
        Plate *plate = ck->model->plates.data[i];
        if (plate->across && plate_within(plate, a) && plate_within(plate, b)) return plate;
    }
    return NULL;
}

bool check_in_cross(Checker *ck, const Ast *ast) {
    static const char *const refused[AST_KIND_COUNT] = {
        [AST_LATENT] = "a latent inside a cross is",
        [AST_PLATE] = "a plate inside a cross is",
        [AST_SEQUENCE] = "a sequence inside a cross is",
        [AST_CROSS] = "a cross inside a cross is",
    };
    if (!refused[ast->kind]) return true;
    FAIL(ck, DIAG_UNSUPPORTED_FORM, ast->span, refused[ast->kind]);
    if (ast->kind == AST_PLATE)
        diag_help(ck->diags, "a pair is observed once: average what is repeated, or sum it up");
    return false;
}

/* One of the two plates of `cross`; NULL after a report. */
static Plate *side(Checker *ck, const Ast *name) {
    Plate *plate = named_plate(ck, name->name);
    if (!plate || !plate->parent) return plate;
    FAIL(ck, DIAG_UNSUPPORTED_FORM, name->span,
         arena_printf(ck->arena, "a cross of plate `%s`, which stands inside plate `%s`, is",
                      plate->name, plate->parent->name));
    diag_note(ck->diags, plate->span, "plate `%s` is declared here", plate->name);
    return NULL;
}

/* One end of the share of pairs that training has. */
static bool share_end(Checker *ck, const Ast *ast, double *share) {
    ck->constant = "the share of pairs of a cross";
    const Expr *e = resolve_value(ck, ast);
    ck->constant = NULL;
    if (!e) return false;
    if (e->type.n_dims) {
        FAIL(ck, DIAG_SHAPE_MISMATCH, ast->span, "scalar",
             shape_text(ck->arena, e->type.n_dims, e->type.dims));
        return false;
    }
    if (!one_number(ck, e, false, share)) {
        FAIL(ck, DIAG_EXPRESSION_TOO_LARGE, ast->span, MAX_EVALUATED);
        return false;
    }
    if (*share > 0 && *share <= 1) return true;
    FAIL(ck, DIAG_CROSS_SHARE, ast->span, *share);
    return false;
}

static bool share_of(Checker *ck, const Ast *ast, Plate *plate) {
    const Ast *share = ast->value;
    plate->share_lo = plate->share_hi = 1;
    if (!share) return true;
    const bool range = share->kind == AST_RANGE;
    if (!share_end(ck, range ? share->args.data[0] : share, &plate->share_lo)) return false;
    plate->share_hi = plate->share_lo;
    if (range && !share_end(ck, share->args.data[1], &plate->share_hi)) return false;
    if (plate->share_lo <= plate->share_hi) return true;
    FAIL(ck, DIAG_CROSS_SHARES, share->span, plate->share_lo, plate->share_hi);
    return false;
}

static Plate *new_cross(Checker *ck, const Ast *ast, Plate *first, Plate *second) {
    Plate *plate = arena_new_of(ck->arena, Plate), *turned = arena_new_of(ck->arena, Plate);
    plate->name = arena_printf(ck->arena, "%s*%s", first->name, second->name);
    plate->parent = first;
    plate->across = second;
    plate->depth = 1;
    plate->size = second->size;
    plate->lo = second->lo;
    plate->hi = second->hi;
    plate->span = ast->args.data[0]->span;
    plate->index = ck->model->plates.n;
    if (!share_of(ck, ast, plate)) return NULL;
    *turned = *plate;
    turned->name = arena_printf(ck->arena, "%s*%s", second->name, first->name);
    turned->parent = second;
    turned->across = first;
    turned->size = first->size;
    turned->lo = first->lo;
    turned->hi = first->hi;
    turned->turned = plate;
    plate->turned = turned;
    vec_push(ck->arena, &ck->model->plates, plate);
    return plate;
}

Plate *open_cross(Checker *ck, const Ast *ast) {
    const AstList *names = &ast->args;
    Span span = names->data[0]->span;
    if (ck->plate) {
        FAIL(ck, DIAG_MISPLACED_CROSS, span, ck->plate->name);
        return NULL;
    }
    if (names->n != 2) {
        span.end = names->data[names->n - 1]->span.end;
        FAIL(ck, DIAG_CROSS_SIDES, span, names->n);
        return NULL;
    }
    Plate *first = side(ck, names->data[0]), *second = side(ck, names->data[1]);
    if (!first || !second) return NULL;
    if (first == second) {
        FAIL(ck, DIAG_CROSS_SELF, names->data[1]->span, first->name);
        return NULL;
    }
    if (first->index > second->index) {
        Plate *other = first;
        first = second;
        second = other;
    }
    const char *one = first->column ? first->column : first->name;
    if (strcmp(one, second->column ? second->column : second->name) == 0) {
        FAIL(ck, DIAG_CROSS_COLUMNS, names->data[1]->span, first->name, second->name, one);
        return NULL;
    }
    Plate *before = cross_of(ck, first, second);
    if (!before) return new_cross(ck, ast, first, second);
    if (!ast->value) return before;
    FAIL(ck, DIAG_CROSS_AGAIN, ast->value->span, first->name, second->name);
    diag_note(ck->diags, before->span, "they are crossed here");
    return NULL;
}
