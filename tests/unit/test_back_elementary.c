/* test_back_elementary.c -- exp, log and their kin as generated code, against libm in a wider type:
 * over the whole range of each function, in vectors and scalars, f32 in units in the last place,
 * f64 relatively. */
#include "backends.h"
#include "check.h"

#include "ir/special.h"

#include <stdlib.h>

enum { POINTS = 8192 };

/* Where a function is tried: `low` to `high`, evenly or (geometric) by equal ratios, and, at
 * `special` points, exactly. */
typedef struct Range {
    double low, high;
    bool geometric;
} Range;

typedef struct Function {
    IrOpcode opcode;
    long double (*exact)(long double x);
    double ulp;              /* f32 */
    bool absolute;           /* relative to max(1, |y|) */
    Range range[4], wide[4]; /* f32, f64; high == low ends the list */
} Function;

static long double logistic(long double x) {
    return 1 / (1 + expl(-x));
}

static long double softplus(long double x) {
    return x > 0 ? x + log1pl(expl(-x)) : log1pl(expl(x));
}

static long double digamma(long double x) {
    long double sum = 0;
    for (; x < 40; x++) sum -= 1 / x;
    long double z = 1 / (x * x);
    return sum + logl(x) - 1 / (2 * x) -
           z * (1.0L / 12 - z * (1.0L / 120 - z * (1.0L / 252 - z * (1.0L / 240 - z / 132))));
}

static long double log1m_exp(long double x) {
    return x > -0.7L ? logl(-expm1l(x)) : log1pl(-expl(x));
}

static long double Phi(long double x) {
    return 0.5L * erfcl(-x / sqrtl(2));
}

/* Phi(-t) t sqrt(2 pi) exp(t^2 / 2), far out: the asymptotic series. */
static long double far_mills(long double t) {
    long double z = 1 / (t * t), sum = 1, term = 1;
    for (int k = 1; k < 12; k++) sum += term *= -(2 * k - 1) * z;
    return sum;
}

static long double log_Phi(long double x) {
    if (x > 0) return log1pl(-Phi(-x));
    if (x > -100) return logl(Phi(x));
    if (isinf(x)) return x;
    return -x * x / 2 - logl(-x * sqrtl(2 * acosl(-1))) + logl(far_mills(-x));
}

static long double inv_mills(long double x) {
    if (isinf(x)) return x < 0 ? -x : 0;
    if (x < -100) return -x / far_mills(-x);
    return expl(-x * x / 2) / (sqrtl(2 * acosl(-1)) * Phi(x));
}

/* By bisection, from the nearer end. */
static long double inv_Phi(long double p) {
    if (!(p >= 0 && p <= 1)) return NAN;
    if (p == 0 || p == 1) return p == 0 ? -INFINITY : INFINITY;
    long double q = p < 0.5L ? p : 1 - p, d = p - 0.5L, low = 0, high = 40;
    for (int i = 0; i < 140; i++) {
        long double z = (low + high) / 2;
        bool beyond = q < 0.2L ? Phi(-z) < q : 0.5L * erfl(z / sqrtl(2)) > fabsl(d);
        if (beyond)
            high = z;
        else
            low = z;
    }
    return p < 0.5L ? -low : low;
}

static const Function functions[] = {
    {OP_EXP,
     expl,
     2,
     false,
     {{-103, 88.7, false}, {-1, 1, false}},
     {{-745, 709.7, false}, {-1, 1, false}}},
    {OP_LOG,
     logl,
     2,
     false,
     {{1.2e-38, 3.4e38, true}, {0.5, 2, false}},
     {{2.3e-308, 1.7e308, true}, {0.5, 2, false}}},
    {OP_LOG1P,
     log1pl,
     4,
     false,
     {{1e-30, 1e38, true}, {-0.999, 1, false}, {-1e-30, -0.9, true}},
     {{1e-300, 1e300, true}, {-0.999, 1, false}}},
    {OP_EXPM1,
     expm1l,
     4,
     false,
     {{-100, 88.7, false}, {-1, 1, false}, {1e-30, 1, true}},
     {{-700, 709.7, false}, {-1, 1, false}, {1e-300, 1, true}}},
    {OP_TANH,
     tanhl,
     4,
     false,
     {{-30, 30, false}, {-1, 1, false}, {1e-30, 1, true}},
     {{-30, 30, false}, {-1, 1, false}, {1e-300, 1, true}}},
    {OP_LOGISTIC, logistic, 4, false, {{-87, 100, false}}, {{-700, 700, false}}},
    {OP_SOFTPLUS, softplus, 4, false, {{-87, 100, false}, {-2, 2, false}}, {{-700, 700, false}}},
    {OP_SIN,
     sinl,
     4,
     true,
     {{-3.2, 3.2, false}, {-9e4, 9e4, false}},
     {{-3.2, 3.2, false}, {-9e8, 9e8, false}}},
    {OP_COS,
     cosl,
     4,
     true,
     {{-3.2, 3.2, false}, {-9e4, 9e4, false}},
     {{-3.2, 3.2, false}, {-9e8, 9e8, false}}},
    {OP_LGAMMA,
     lgammal,
     4,
     true,
     {{1e-30, 1e30, true}, {0.01, 12, false}, {0.9, 2.1, false}},
     {{1e-300, 1e300, true}, {0.01, 12, false}}},
    {OP_DIGAMMA,
     digamma,
     4,
     true,
     {{1e-30, 1e30, true}, {0.01, 12, false}},
     {{1e-300, 1e300, true}, {0.01, 12, false}}},
    {OP_ERF,
     erfl,
     4,
     false,
     {{-6, 6, false}, {-1.2, 1.2, false}, {1e-30, 1, true}},
     {{-7, 7, false}, {-1.2, 1.2, false}, {1e-300, 1, true}}},
    {OP_PHI,
     Phi,
     4,
     false,
     {{-12.9, 7, false}, {-1, 1, false}, {-1e-30, -12.9, true}},
     {{-37.5, 9, false}, {-1, 1, false}}},
    {OP_LOG_PHI,
     log_Phi,
     5,
     false,
     {{-1e-30, -1e18, true}, {-13, 12.9, false}, {-2, 2, false}},
     {{-1e-30, -1e150, true}, {-40, 37.5, false}, {-2, 2, false}}},
    {OP_INV_MILLS,
     inv_mills,
     5,
     false,
     {{-1e-30, -1e37, true}, {-13, 12.9, false}, {-2, 2, false}},
     {{-1e-30, -1e300, true}, {-40, 37.5, false}, {-2, 2, false}}},
    {OP_INV_PHI,
     inv_Phi,
     4,
     false,
     {{1.2e-38, 0.5, true}, {0.001, 0.999, false}, {0.49, 0.51, false}, {0.99, 0.99999994, false}},
     {{2.3e-308, 0.5, true}, {0.001, 0.999, false}, {0.49, 0.51, false}, {0.99, 1 - 1e-16, false}}},
    {OP_LOG1M_EXP,
     log1m_exp,
     4,
     false,
     {{-1e-30, -87, true}, {-2, -0.01, false}},
     {{-1e-300, -700, true}, {-2, -0.01, false}}},
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

static double at(const Range *r, int i) {
    double t = (double)i / (POINTS - 1);
    if (!r->geometric) return r->low + (r->high - r->low) * t;
    double sign = r->low < 0 ? -1 : 1;
    return sign * exp(log(sign * r->low) + (log(sign * r->high) - log(sign * r->low)) * t);
}

/* y[data, k] = f(x[data, k]) */
static IrProgram *program(Arena *arena, const char *name, IrOpcode opcode, int arity) {
    IrProgram *p = ir_program_new(arena, name);
    AxisId axes[] = {ir_axis(p, "data", AXIS_DATA, AXIS_NONE, 0),
                     ir_axis(p, "k", AXIS_EVENT, AXIS_NONE, POINTS / 8)};
    IrValue args[] = {ir_input(p, "x", ROLE_DATA, axes, 2), IR_NONE};
    if (arity == 2) args[1] = ir_input(p, "y", ROLE_DATA, axes, 2);
    ir_output(p, "f", ir_point(p, opcode, args, arity));
    return p;
}

/* y[data, k] = f(order, x[data, k]) */
static IrProgram *ordered_program(Arena *arena, IrOpcode opcode, double order) {
    IrProgram *p = program(arena, ir_op_info[opcode].text, OP_STOP_GRADIENT, 1);
    IrValue args[] = {ir_const(p, order), p->ops.data[p->outputs.data[0].value].args[0]};
    p->outputs.data[0].value = ir_point(p, opcode, args, 2);
    return p;
}

/* Runs one program on POINTS numbers. */
static void run(const Backends *b, int k, const double *x, const double *y, double *out) {
    const LoopProgram *p = b->programs.data[k];
    static float in32[2][POINTS], out32[POINTS];
    for (int i = 0; i < POINTS; i++) {
        in32[0][i] = (float)x[i];
        in32[1][i] = y ? (float)y[i] : 0;
    }
    const char *in[2] = {p->f64 ? (const char *)x : (const char *)in32[0],
                         p->f64 ? (const char *)y : (const char *)in32[1]};
    char *to = p->f64 ? (char *)out : (char *)out32;
    int width = p->f64 ? 8 : 4;
    for (int64_t first = 0; first < 8; first += p->chunk) {
        int64_t extent[] = {p->chunk, POINTS / 8}, done = first * (POINTS / 8) * width;
        void *scratch = aligned_alloc(64, (size_t)(b->entries[k].scratch(extent) + 127) / 64 * 64);
        av_call call = {.extent = extent,
                        .total = extent,
                        .scratch = scratch,
                        .in = (const void *[]){in[0] + done, in[1] ? in[1] + done : NULL},
                        .out = (void *[]){to + done}};
        b->entries[k].run(&call);
        free(scratch);
    }
    for (int i = 0; i < POINTS && !p->f64; i++) out[i] = out32[i];
}

/* After the functions of one argument. */
static const IrOpcode twofold[] = {OP_POW, OP_ATAN2};
enum { TWOFOLD = sizeof twofold / sizeof *twofold };

/* After those: functions of one argument and a constant order. */
static const struct {
    IrOpcode opcode;
    double order;
    double (*exact)(double order, double x); /* test_bessel.c has shown them to be */
} ordered[] = {
    {OP_LOG_BESSEL_I, 0, ev_log_bessel_i},    {OP_LOG_BESSEL_I, 0.25, ev_log_bessel_i},
    {OP_LOG_BESSEL_I, 1.5, ev_log_bessel_i},  {OP_LOG_BESSEL_I, 7, ev_log_bessel_i},
    {OP_LOG_BESSEL_I, 63.5, ev_log_bessel_i}, {OP_LOG_BESSEL_I, 512, ev_log_bessel_i},
    {OP_BESSEL_RATIO, 0, ev_bessel_ratio},    {OP_BESSEL_RATIO, 0.25, ev_bessel_ratio},
    {OP_BESSEL_RATIO, 1.5, ev_bessel_ratio},  {OP_BESSEL_RATIO, 7, ev_bessel_ratio},
    {OP_BESSEL_RATIO, 63.5, ev_bessel_ratio}, {OP_BESSEL_RATIO, 512, ev_bessel_ratio},
};
enum { ORDERED = sizeof ordered / sizeof *ordered };

/* The error in units of the last place of f32; of f64, relative to 1e-13. Results below `floor` are
 * judged as those of its size. */
static double error_of(bool f64, double got, long double exact, double floor) {
    if (isnan(got) && isnan(exact)) return 0;
    double rounded = f64 ? (double)exact : (double)(float)exact;
    if (got == rounded) return 0;
    long double size = fabsl(exact), least = f64 ? 0x1p-1022L : 0x1p-126L;
    if (size < floor) size = floor;
    if (size < least) size = least; /* denormals may be flushed */
    long double unit = f64 ? size * 1e-13L : ldexpl(1, ilogbl(size) - 23);
    if (size == least) unit = least;
    return (double)(fabsl(got - exact) / unit);
}

static Backends *build(Arena *arena) {
    static const struct {
        bool f64;
        int lanes;
    } shapes[] = {{false, 8}, {false, 1}, {true, 4}, {true, 1}};
    Backends *b = backends_new(arena);
    for (int f = 0; f < FUNCTIONS + TWOFOLD + ORDERED; f++)
        for (int s = 0; s < 4; s++) {
            int o = f - FUNCTIONS - TWOFOLD;
            IrOpcode opcode = o >= 0          ? ordered[o].opcode
                              : f < FUNCTIONS ? functions[f].opcode
                                              : twofold[f - FUNCTIONS];
            const IrOpInfo *info = &ir_op_info[opcode];
            IrProgram *p = o >= 0 ? ordered_program(arena, opcode, ordered[o].order)
                                  : program(arena, info->text, opcode, info->arity);
            backends_add(b, p,
                         &(ScheduleOptions){
                             .f64 = shapes[s].f64, .lanes = shapes[s].lanes, .lane_axis = "data"});
        }
    const char *why = backends_build(b, BACKEND_LLVM);
    return CHECK(!why, "%s", why) ? b : NULL;
}

static void accuracy(const Backends *b, int f, bool f64) {
    static double x[POINTS], y[2][POINTS];
    const Function *function = &functions[f];
    double worst = 0, where = 0, got = 0;
    for (int r = 0; r < 4; r++) {
        const Range *range = f64 ? &function->wide[r] : &function->range[r];
        if (range->low == range->high) break;
        for (int i = 0; i < POINTS; i++) x[i] = f64 ? at(range, i) : (double)(float)at(range, i);
        run(b, 4 * f + 2 * f64, x, NULL, y[0]);
        run(b, 4 * f + 2 * f64 + 1, x, NULL, y[1]);
        for (int i = 0; i < POINTS; i++) {
            double error = error_of(f64, y[0][i], function->exact(x[i]), function->absolute);
            if (!(error <= worst)) worst = error, where = x[i], got = y[0][i];
            CHECK(y[0][i] == y[1][i], "%s(%g) is %.9g in a vector, %.9g alone",
                  ir_op_info[function->opcode].text, x[i], y[0][i], y[1][i]);
        }
    }
    double bound = f64 ? 1 : function->ulp;
    CHECK(worst <= bound, "%s(%.9g) is %.9g: off by %.2f %s", ir_op_info[function->opcode].text,
          where, got, worst, f64 ? "times 1e-13" : "ulp");
    if (getenv("ADAVIC_SHOW"))
        printf("  %s %s: %.2f at %.9g\n", ir_op_info[function->opcode].text, f64 ? "f64" : "f32",
               worst, where);
}

static void powers(const Backends *b, bool f64) {
    static double x[POINTS], e[POINTS], y[POINTS];
    double worst = 0;
    for (int i = 0; i < POINTS; i++) {
        x[i] = (float)exp(20.0 * sin(i * 1.7));
        e[i] = (float)((f64 ? 30 : 4.3) * sin(i * 0.37));
    }
    run(b, 4 * FUNCTIONS + 2 * f64, x, e, y);
    for (int i = 0; i < POINTS; i++) worst = fmax(worst, error_of(f64, y[i], powl(x[i], e[i]), 0));
    CHECK(worst <= (f64 ? 1 : 4), "pow is off by %.2f %s", worst, f64 ? "times 1e-13" : "ulp");
    if (getenv("ADAVIC_SHOW")) printf("  pow %s: %.2f\n", f64 ? "f64" : "f32", worst);
}

/* Points all around the origin, near the axes and the diagonals, and of all sizes. */
static void angles(const Backends *b, bool f64) {
    static double y[POINTS], x[POINTS], out[POINTS];
    double worst = 0;
    for (int i = 0; i < POINTS; i++) {
        double angle = 7e-4 * i + (i % 3 ? 0 : 1e-9), size = exp((f64 ? 300 : 60) * sin(i * 1.7));
        y[i] = (float)sin(angle) * (f64 ? size : (float)size);
        x[i] = (float)cos(angle) * (f64 ? size : (float)size);
        if (!f64) y[i] = (float)y[i], x[i] = (float)x[i];
        if (i % 7 == 0) x[i] = i % 2 ? y[i] : -y[i];
    }
    run(b, 4 * (FUNCTIONS + 1) + 2 * f64, y, x, out);
    for (int i = 0; i < POINTS; i++)
        worst = fmax(worst, error_of(f64, out[i], atan2l(y[i], x[i]), 0));
    CHECK(worst <= (f64 ? 1 : 4), "atan2 is off by %.2f %s", worst, f64 ? "times 1e-13" : "ulp");
    if (getenv("ADAVIC_SHOW")) printf("  atan2 %s: %.2f\n", f64 ? "f64" : "f32", worst);
    static const double special[] = {0.0, -0.0, 1, -1, INFINITY, -INFINITY, NAN};
    for (int i = 0; i < POINTS; i++) y[i] = special[i % 7], x[i] = special[i / 7 % 7];
    run(b, 4 * (FUNCTIONS + 1) + 2 * f64, y, x, out);
    for (int i = 0; i < 49; i++) {
        double want = atan2(y[i], x[i]);
        bool same = isnan(want) ? isnan(out[i]) : fabs(out[i] - want) < 1e-6;
        CHECK(same && signbit(out[i]) == signbit(want), "atan2(%g, %g) is %g, not %g", y[i], x[i],
              out[i], want);
    }
}

/* log I_nu relative to max(1, nu, |y|): rounding x moves it by as much. */
static void orders(const Backends *b, int o, bool f64) {
    static double x[POINTS], y[2][POINTS];
    static const Range range = {1e-30, 1e30, true}, wide = {1e-290, 1e290, true};
    static const Range usual = {1e-2, 1e6, true}, near = {0.5, 2, false};
    const Range *ranges[] = {f64 ? &wide : &range, &usual, &near};
    int program = 4 * (FUNCTIONS + TWOFOLD + o) + 2 * f64;
    double order = ordered[o].order, worst = 0, where = 0;
    bool log = ordered[o].opcode == OP_LOG_BESSEL_I;
    const char *text = ir_op_info[ordered[o].opcode].text;
    for (int r = 0; r < 3; r++) {
        for (int i = 0; i < POINTS; i++) {
            x[i] = at(ranges[r], i) * (r == 2 ? order + 1 : 1);
            if (!f64) x[i] = (float)x[i];
        }
        run(b, program, x, NULL, y[0]);
        run(b, program + 1, x, NULL, y[1]);
        for (int i = 0; i < POINTS; i++) {
            double exact = ordered[o].exact(order, x[i]);
            double error = error_of(f64, y[0][i], exact, log ? fmax(1, order) : 0);
            if (!(error <= worst)) worst = error, where = x[i];
            CHECK(y[0][i] == y[1][i], "%s(%g, %g): %.9g in a vector, %.9g alone", text, order, x[i],
                  y[0][i], y[1][i]);
        }
    }
    CHECK(worst <= (f64   ? 1
                    : log ? 6
                          : 5),
          "%s(%g, %.9g) is off by %.2f %s", text, order, where, worst, f64 ? "times 1e-13" : "ulp");
    if (getenv("ADAVIC_SHOW"))
        printf("  %s %g %s: %.3f at %.9g\n", text, order, f64 ? "f64" : "f32", worst, where);
    static const double special[] = {0.0, -0.0, -1, INFINITY, -INFINITY, NAN, 3.4e38};
    for (int i = 0; i < POINTS; i++) x[i] = special[i % 7];
    run(b, program, x, NULL, y[0]);
    for (int i = 0; i < 7; i++) {
        double want = ordered[o].exact(order, x[i]), got = y[0][i];
        bool same = isnan(want) ? isnan(got) : got == want || fabs(got - want) < 1e-6 * fabs(want);
        if (log && want == 0) same = fabs(got) < 1e-7;
        CHECK(same, "%s(%g, %g) is %g, not %g", text, order, x[i], got, want);
    }
}

/* Zeros, infinities and nan: the same class of result as libm's. */
static void edges(const Backends *b) {
    static const double special[] = {0.0, -0.0, INFINITY, -INFINITY, NAN,
                                     1,   -1,   1e-45,    3.4e38,    -3.4e38};
    static double x[POINTS], y[POINTS];
    int n = (int)(sizeof special / sizeof *special);
    for (int f = 0; f < FUNCTIONS; f++)
        for (int s = 0; s < 4; s++) {
            IrOpcode opcode = functions[f].opcode;
            for (int i = 0; i < POINTS; i++) x[i] = special[i % n];
            run(b, 4 * f + s, x, NULL, y);
            for (int i = 0; i < n; i++) {
                bool gamma = opcode == OP_LGAMMA || opcode == OP_DIGAMMA;
                bool far = fabs(x[i]) > 1e30 && (opcode == OP_SIN || opcode == OP_COS);
                if ((gamma && !(x[i] > 0)) || far || fabs(x[i]) == 1e-45) continue;
                double want = (double)functions[f].exact(x[i]);
                if (s < 2) want = (float)want;
                bool same = isnan(want)                ? isnan(y[i])
                            : isinf(want) || want == 0 ? y[i] == want
                                                       : isfinite(y[i]);
                CHECK(same, "%s(%g) is %g, not %g (%s)", ir_op_info[opcode].text, x[i], y[i], want,
                      s < 2 ? "f32" : "f64");
            }
        }
}

static Backends *built;

static void single_precision(void) {
    for (int f = 0; built && f < FUNCTIONS; f++) accuracy(built, f, false);
    if (built) powers(built, false), angles(built, false);
    for (int o = 0; built && o < ORDERED; o++) orders(built, o, false);
}

static void double_precision(void) {
    for (int f = 0; built && f < FUNCTIONS; f++) accuracy(built, f, true);
    if (built) powers(built, true), angles(built, true);
    for (int o = 0; built && o < ORDERED; o++) orders(built, o, true);
}

static void special_values(void) {
    if (built) edges(built);
}

static void builds(void) {
    built = build(arena_new());
}

int main(void) {
    RUN(builds);
    RUN(single_precision);
    RUN(double_precision);
    RUN(special_values);
    return check_done();
}
