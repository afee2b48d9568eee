/* compose.h -- what the bodies of distributions are put together from that are made of others:
 * expressions, members of the law inside, what is demanded of it. Private to the front end, part of
 * check.h.
 */
#ifndef ADAVIC_FRONT_COMPOSE_H
#define ADAVIC_FRONT_COMPOSE_H

#include "front/names.h"

/* ---- expressions, untyped; operations and numbers: op_expr, number_expr ---- */
Expr *param_expr(Checker *ck, int i, Span span);
/* Of a distribution with n parameters: these, and last the value of its densities. */
Expr **param_exprs(Checker *ck, int n, Span span);
Expr *index_expr(Checker *ck, Expr *whole, int64_t k, Span span); /* along the first dimension */
Expr *sum_expr(Checker *ck, Expr *whole, Span span);              /* over the whole event */
/* Base draw `index` of a body; of as many parameters as are not NULL. */
Expr *random_expr(Checker *ck, IrRandom random, int64_t index, Span span, Expr *a, Expr *b);
/* As many arguments as f has parameters. */
Expr *call_expr(Checker *ck, Function *f, Expr *const *args, Span span);
Expr *library_call(Checker *ck, const char *name, Expr *const *args, Span span);
/* A function of n parameters, of which those after `first` are called `rest`. */
Function *new_function(Checker *ck, const char *name, int n, const Distribution *first,
                       const char *rest, Span span);

/* ---- members of the law inside ---- */
/* A body of `dist` with `params` for its parameters; `x`: the value or probability that the body is
 * of, NULL: of none. NULL stays NULL. */
Expr *member_at(Checker *ck, const Distribution *dist, const Expr *body, Expr *const *params,
                Expr *x);
/* Base draws of a body that stands beside others get numbers of their own, those of the functions
 * that it calls, too. `e` is written to: a tree of substitute. */
void shift_draws(Checker *ck, Expr *e, int64_t by);

/* ---- arguments ---- */
/* The law that is the argument `law` of a combinator's call, its `which` ("first"): inner->dist and
 * inner->args. */
bool resolve_law(Checker *ck, Var *inner, const Ast *call, const Ast *law, const char *which);
/* What the values of a law lie in: "real", "in interval(0, 1)". */
const char *set_text(Checker *ck, const Var *law);
/* Has the law inside this member? */
bool need_member(Checker *ck, const Distribution *dist, const Expr *member, const char *name,
                 const Ast *call, const Ast *law);
/* Have its parameters room, and so many more? */
bool check_room(Checker *ck, const Distribution *dist, int more, int most, const Ast *call);
/* NAME(inner), with the documentation of the law inside; the caller fills in the rest. */
Distribution *new_composed(Checker *ck, const Ast *call, const Distribution *inner);

#endif
