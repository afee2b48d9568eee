/* driver.c -- runs the rows of passes.def in order; see driver.h.
 *
 * A row does its work and nothing else: the driver verifies, dumps, times, and prints what --emit
 * asks for, then stops. Only the last row writes what the user asked for, so a failed compilation
 * leaves no file.
 */
#include "driver.h"

#include "back/link.h"
#include "back/manifest.h"
#include "opt/opt.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum { MAX_PROGRAMS = 16, STATUS_ERROR = 1 };

typedef struct Timing {
    const char *row;
    double seconds;
} Timing;

/* One compilation: the options, and what the rows so far have made. */
typedef struct Compilation {
    Arena *arena;
    const Options *options;
    const char *output;
    Diags *diags;
    Ast *ast;
    Model *model;
    Analysis *analysis;
    Dual *dual;
    int n_programs;
    IrProgram *programs[MAX_PROGRAMS];
    LoopProgram *loops[MAX_PROGRAMS];
    bool uses_blas;
    char *manifest;
    Workdir work;
    VEC(Timing) timings;
} Compilation;

static bool fail(const char *why) {
    if (why) fprintf(stderr, "adavic: error: %s\n", why);
    return !why;
}

/* ---- the rows: each returns false after it has said why ---- */

static char *read_input(Compilation *c, const char **path, size_t *n) {
    bool is_stdin = !strcmp(c->options->input, "-");
    *path = is_stdin ? "stdin" : c->options->input;
    char *text = read_whole_file(c->arena, is_stdin ? "/dev/stdin" : c->options->input, n);
    if (!text) fail(arena_printf(c->arena, "cannot read %s: %s", *path, strerror(errno)));
    return text;
}

static bool stage_parse(Compilation *c) {
    const char *path;
    size_t n;
    char *text = read_input(c, &path, &n);
    if (!text) return false;
    c->ast = front_parse(c->arena, c->diags, path, text, n);
    if (!c->ast) return false;
    const Options *o = c->options;
    return front_import(c->arena, c->diags, c->ast, o->import_dirs.data, o->import_dirs.n) &&
           !diags_errors(c->diags);
}

static bool stage_check(Compilation *c) {
    const Options *o = c->options;
    c->model = front_check(c->arena, c->diags, c->ast, o->defines.data, o->defines.n);
    if (c->model && o->objective) c->model->dual.objective = o->objective;
    if (c->model && o->flow) {
        c->model->dual.flow.kind = o->flow;
        c->model->hash = model_hash(c->arena, c->model); /* other weights */
    }
    return c->model && !diags_errors(c->diags);
}

static bool stage_analyse(Compilation *c) {
    c->analysis = model_analyse(c->arena, c->model);
    return c->analysis != NULL;
}

static bool stage_dual(Compilation *c) {
    Dual *d = c->dual = dual_derive(c->arena, c->diags, c->analysis, &c->options->dual);
    if (!d) return false;
    c->n_programs = d->programs.n;
    if (c->n_programs > MAX_PROGRAMS) internal_error("dual", "%d programs", c->n_programs);
    for (int i = 0; i < c->n_programs; i++) c->programs[i] = d->programs.data[i].p;
    return true;
}

static bool schedule_all(Compilation *c, int64_t blas) {
    const Options *o = c->options;
    int lanes = target_lanes(&o->target, o->f64);
    bool uses_blas = false;
    for (int i = 0; i < c->n_programs; i++) {
        ScheduleOptions options = {.f64 = o->f64,
                                   .lanes = lanes,
                                   .lane_axis = c->dual->programs.data[i].lanes,
                                   .blas = blas,
                                   .keep = o->keep,
                                   .tile = o->tile,
                                   .copies = o->jam,
                                   .no_plate_lanes = o->no_plate_lanes};
        c->loops[i] = schedule(c->arena, c->programs[i], &options);
        uses_blas |= loop_uses_blas(c->loops[i]);
    }
    return uses_blas;
}

static bool stage_schedule(Compilation *c) {
    c->uses_blas = schedule_all(c, c->options->blas);
    if (!c->uses_blas || c->options->emit || link_has_blas(c->arena)) return true;
    fprintf(stderr, "adavic: warning: `cc` does not find OpenBLAS, which wide layers are faster "
                    "with (on Debian: apt-get install libopenblas-serial-dev); they are compiled "
                    "without it\n");
    c->uses_blas = schedule_all(c, 0);
    return true;
}

static bool stage_manifest(Compilation *c) {
    Text text;
    text_init(&text, c->arena);
    manifest_model(&text, c->dual, c->options->f64, target_named(c->options->target.cpu));
    for (int i = 0; i < c->n_programs; i++) manifest_program(&text, c->loops[i]);
    c->manifest = text.data;
    return true;
}

static Unit unit_of(const Compilation *c) {
    return (Unit){(const LoopProgram *const *)c->loops, c->n_programs, c->manifest};
}

static bool stage_generate(Compilation *c) {
    Unit unit = unit_of(c);
    if (!fail(workdir_make(c->arena, &c->work))) return false;
    int n = c->options->emit ? 1 : BACK_MAX_OBJECTS; /* --emit=obj wants one */
    return fail(back_llvm(c->arena, &unit, &c->options->target, c->work.object, n, NULL));
}

static bool stage_link(Compilation *c) {
    const char *header = NULL;
    if (c->options->target.shared) {
        size_t n = strlen(c->output);
        if (n > 3 && !strcmp(c->output + n - 3, ".so")) n -= 3;
        header = arena_printf(c->arena, "%.*s.h", (int)n, c->output);
    }
    return fail(link_model(c->arena, &c->work,
                           &(LinkOptions){c->options->target.shared, c->uses_blas}, c->output,
                           header));
}

/* ---- tools: transformations that only --run knows ---- */

static IrProgram *same_program(const IrProgram *p) {
    return (IrProgram *)p;
}

static IrProgram *with_gradients(const IrProgram *given) {
    IrProgram *p = (IrProgram *)given;
    IrValue loss = IR_NONE;
    VEC(IrValue) weights = {0};
    for (int i = 0; i < p->outputs.n; i++)
        if (!strcmp(p->outputs.data[i].name, "loss")) loss = p->outputs.data[i].value;
    for (int i = 0; i < p->ops.n; i++)
        if (p->ops.data[i].opcode == OP_INPUT && p->ops.data[i].role == ROLE_WEIGHT)
            vec_push(p->arena, &weights, i);
    if (loss == IR_NONE || !weights.n) {
        fail("--run=grad needs an output named `loss` and an input of role weight");
        return NULL;
    }
    IrValue *grads = arena_array(p->arena, IrValue, weights.n);
    opt_grad(p, loss, weights.data, weights.n, grads);
    for (int i = 0; i < weights.n; i++) {
        const char *name = p->ops.data[weights.data[i]].name;
        ir_output(p, arena_printf(p->arena, "grad:%s", name), grads[i]);
    }
    return p;
}

/* ---- the table ---- */

enum {
#define STAGE(name, why) ROW_##name,
#define PASS(name, why, function) ROW_##name,
#define TOOL(name, why, function) ROW_##name,
#include "passes.def"
#undef STAGE
#undef PASS
#undef TOOL
    ROW_COUNT
};

typedef struct Row {
    bool (*stage)(Compilation *c);
    IrProgram *(*pass)(const IrProgram *p);
    bool tool;
} Row;

static const Row rows[ROW_COUNT] = {
#define STAGE(name, why) {stage_##name, NULL, false},
#define PASS(name, why, function) {NULL, function, false},
#define TOOL(name, why, function) {NULL, function, true},
#include "passes.def"
#undef STAGE
#undef PASS
#undef TOOL
};

const PassInfo driver_passes[] = {
#define STAGE(name, why) {#name, why, false},
#define PASS(name, why, function) {#name, why, true},
#define TOOL(name, why, function) {#name, why, true},
#include "passes.def"
#undef STAGE
#undef PASS
#undef TOOL
};
const int driver_pass_count = ROW_COUNT;

static int row_named(const char *name) {
    for (int i = 0; i < ROW_COUNT; i++)
        if (!strcmp(driver_passes[i].name, name)) return i;
    return -1;
}

/* ---- printing ---- */

/* Programs of --emit=ir:step, or all. */
static bool chosen(const char *program, const IrProgram *p) {
    return !program || !strcmp(program, p->name);
}

static const char *print_ast(Compilation *c, Text *out, const char *program) {
    (void)program;
    front_print_ast(out, c->ast);
    return NULL;
}

static const char *print_model(Compilation *c, Text *out, const char *program) {
    (void)program;
    model_print(out, c->model);
    return NULL;
}

static const char *print_descriptors(Compilation *c, Text *out, const char *program) {
    (void)program;
    model_print_descriptors(out, c->analysis, family_of(&c->options->dual)->title);
    return NULL;
}

static const char *print_analysis(Compilation *c, Text *out, const char *program) {
    (void)program;
    const FamilyInfo *family = family_of(&c->options->dual);
    model_print_analysis(out, c->analysis, family->title, family->factors);
    dual_print_objectives(out, c->analysis, &c->options->dual);
    return NULL;
}

static const char *print_dot(Compilation *c, Text *out, const char *program) {
    (void)program;
    dual_print_dot(out, c->dual);
    return NULL;
}

static const char *print_json(Compilation *c, Text *out, const char *program) {
    (void)program;
    dual_print_json(out, c->dual);
    return NULL;
}

static const char *print_ir(Compilation *c, Text *out, const char *program) {
    for (int i = 0; i < c->n_programs; i++)
        if (chosen(program, c->programs[i])) ir_print(out, c->programs[i]);
    return NULL;
}

static const char *print_loops(Compilation *c, Text *out, const char *program) {
    for (int i = 0; i < c->n_programs; i++)
        if (chosen(program, c->programs[i])) loop_print(out, c->loops[i]);
    return NULL;
}

static const char *print_manifest(Compilation *c, Text *out, const char *program) {
    (void)program;
    text_add(out, c->manifest);
    return NULL;
}

static const char *print_c(Compilation *c, Text *out, const char *program) {
    (void)program;
    Unit unit = unit_of(c);
    back_c(out, &unit);
    return NULL;
}

static const char *print_llvm(Compilation *c, Text *out, const char *program) {
    (void)program;
    Unit unit = unit_of(c);
    return back_llvm(c->arena, &unit, &c->options->target, NULL, 0, out);
}

typedef const char *Printer(Compilation *c, Text *out, const char *program);

/* Parallel to driver_emissions by construction: both expand from this list. `after` is the row that
 * makes it; per_program: one program can be picked. */
#define EMISSIONS(E)                                                                               \
    E(ast, parse, print_ast, false, "the syntax tree")                                             \
    E(model, check, print_model, false, "the checked model: types, plates, supports")              \
    E(descriptors, analyse, print_descriptors, false, "what the dual is derived from")             \
    E(analysis, analyse, print_analysis, false, "exchangeability and factorisation, with reasons") \
    E(dot, dual, print_dot, false, "model and dual as a picture: dot -Tsvg")                       \
    E(json, dual, print_json, false,                                                               \
      "plates, variables, analysis, networks, weights, for programs")                              \
    E(ir, dce, print_ir, true, "the tensor programs; ir:step prints one")                          \
    E(loops, schedule, print_loops, true, "the scheduled loops; loops:step prints one")            \
    E(manifest, manifest, print_manifest, false, "what the runtime is told of the programs")       \
    E(c, manifest, print_c, false, "the loops as C")                                               \
    E(llvm, manifest, print_llvm, false, "the loops as LLVM assembly")                             \
    E(obj, generate, NULL, false, "an object file (-o, default MODEL.o)")

const Emission driver_emissions[] = {
#define E(name, after, print, per_program, help) {#name, help},
    EMISSIONS(E)
#undef E
        {NULL, NULL},
};

static const struct {
    int after;
    Printer *print;
    bool per_program;
} emissions[] = {
#define E(name, after, print, per_program, help) {ROW_##after, print, per_program},
    EMISSIONS(E)
#undef E
};

/* What is worth seeing after a row; NULL for rows that make files. */
static Printer *printer_after(int row) {
    switch (row) {
    case ROW_parse:
        return print_ast;
    case ROW_check:
        return print_model;
    case ROW_analyse:
        return print_analysis;
    case ROW_schedule:
        return print_loops;
    case ROW_manifest:
        return print_manifest;
    case ROW_generate:
    case ROW_link:
        return NULL;
    default:
        return print_ir;
    }
}

/* ---- running ---- */

static void verify_program(const char *row, const IrProgram *p) {
    const char *why = ir_verify(p);
    if (why) internal_error(row, "program %s: %s", p->name, why);
}

static bool run_row(Compilation *c, int row) {
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    bool good = true;
    if (rows[row].stage)
        good = rows[row].stage(c);
    else
        for (int i = 0; i < c->n_programs; i++) {
            IrProgram *p = c->programs[i] = rows[row].pass(c->programs[i]);
            if (p->as_written) p->as_written = rows[row].pass(p->as_written);
        }
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds =
        (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) * 1e-9;
    vec_push(c->arena, &c->timings, (Timing){driver_passes[row].name, seconds});
    if (good && c->dual && row <= ROW_dce)
        for (int i = 0; i < c->n_programs; i++)
            verify_program(driver_passes[row].name, c->programs[i]);
    return good;
}

static void dump_row(Compilation *c, int row) {
    Printer *print = printer_after(row);
    for (int i = 0; print && i < c->options->dump_after.n; i++) {
        if (strcmp(c->options->dump_after.data[i], driver_passes[row].name)) continue;
        Text text;
        text_init(&text, c->arena);
        print(c, &text, NULL);
        fprintf(stderr, "---- after %s ----\n%s", driver_passes[row].name, text.data);
    }
}

/* Prints to stdout, or to the file of -o. */
static bool write_text(Compilation *c, const Text *text) {
    if (c->options->output)
        return fail(write_whole_file(c->arena, c->options->output, text->data, text->n));
    bool good = fwrite(text->data, 1, text->n, stdout) == text->n && fflush(stdout) == 0;
    return good || fail(arena_printf(c->arena, "cannot write: %s", strerror(errno)));
}

static bool emit(Compilation *c, int emission, const char *program) {
    if (!emissions[emission].print)
        return fail(move_file(c->arena, c->work.object[0], c->output, false));
    Text text;
    text_init(&text, c->arena);
    const char *why = emissions[emission].print(c, &text, program);
    if (why) return fail(why);
    if (!text.n && program)
        return fail(arena_printf(c->arena, "there is no program `%s`", program));
    return write_text(c, &text);
}

/* Finds "ir" or "ir:step"; -1 without --emit. adavic.c has checked the name. */
static int find_emission(const Options *options, const char **program) {
    *program = NULL;
    if (!options->emit) return -1;
    size_t n = strcspn(options->emit, ":");
    for (int i = 0; driver_emissions[i].name; i++) {
        if (strlen(driver_emissions[i].name) != n ||
            strncmp(driver_emissions[i].name, options->emit, n))
            continue;
        if (options->emit[n] == ':') *program = options->emit + n + 1;
        return i;
    }
    return -1;
}

static bool run_rows(Compilation *c) {
    const char *program;
    int emission = find_emission(c->options, &program);
    if (program && !emissions[emission].per_program)
        return fail(arena_printf(c->arena, "--emit=%s: no single program can be picked there",
                                 c->options->emit));
    for (int row = 0; row < ROW_COUNT && !rows[row].tool; row++) {
        if (!run_row(c, row)) return false;
        dump_row(c, row);
        if (emission >= 0 && emissions[emission].after == row) return emit(c, emission, program);
    }
    return true;
}

static void print_timings(const Compilation *c) {
    double sum = 0;
    for (int i = 0; i < c->timings.n; i++) {
        fprintf(stderr, "%10.2f ms  %s\n", c->timings.data[i].seconds * 1e3,
                c->timings.data[i].row);
        sum += c->timings.data[i].seconds;
    }
    fprintf(stderr, "%10.2f ms  in all\n", sum * 1e3);
}

/* "examples/gre.hbm" -> "gre" */
static char *base_name(Arena *arena, const char *path) {
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    return dot && dot != base ? arena_strndup(arena, base, (size_t)(dot - base))
                              : arena_strdup(arena, base);
}

static const char *default_output(Arena *arena, const Options *o) {
    char *base = base_name(arena, o->input);
    if (o->emit && !strcmp(o->emit, "obj")) return arena_printf(arena, "%s.o", base);
    return o->target.shared ? arena_printf(arena, "%s.so", base) : base;
}

static bool check_output(Compilation *c) {
    struct stat in, out;
    if (stat(c->output, &out)) return true;
    if (S_ISDIR(out.st_mode))
        return fail(
            arena_printf(c->arena, "%s is a directory; name the result with -o", c->output));
    if (strcmp(c->options->input, "-") && !stat(c->options->input, &in) &&
        in.st_dev == out.st_dev && in.st_ino == out.st_ino)
        return fail(arena_printf(c->arena, "%s would be overwritten; name the result with -o",
                                 c->options->input));
    return true;
}

int driver_compile(Arena *arena, const Options *options) {
    Compilation c = {.arena = arena, .options = options, .diags = diags_new(arena)};
    c.output = options->output ? options->output : default_output(arena, options);
    bool writes = options->output || !options->emit || !strcmp(options->emit, "obj");
    bool good = (!writes || check_output(&c)) && run_rows(&c);
    diags_print(c.diags, stderr, options->color);
    if (c.work.path) workdir_remove(arena, &c.work);
    if (options->time_passes) print_timings(&c);
    return good ? 0 : STATUS_ERROR;
}

/* ---- one pass alone, from text ---- */

/* The end of the first program in `text`: where a line starts the next one. Comments may stand
 * before either. */
static size_t program_length(const char *text) {
    const char *first = strncmp(text, "program ", 8) ? strstr(text, "\nprogram ") : text;
    const char *next = first ? strstr(first + 1, "\nprogram ") : NULL;
    return next ? (size_t)(next + 1 - text) : strlen(text);
}

int driver_run_pass(Arena *arena, const Options *options) {
    Compilation c = {.arena = arena, .options = options};
    const char *path;
    size_t n;
    char *text = read_input(&c, &path, &n);
    if (!text) return STATUS_ERROR;
    int row = row_named(options->run);
    Text out;
    text_init(&out, arena);
    for (size_t at = 0, length; at < n; at += length) {
        length = program_length(text + at);
        const char *why = NULL;
        IrProgram *p = ir_parse(arena, arena_strndup(arena, text + at, length), &why);
        if (!p) return fail(arena_printf(arena, "%s: %s", path, why)), STATUS_ERROR;
        why = ir_verify(p);
        if (why) return fail(arena_printf(arena, "%s: %s", path, why)), STATUS_ERROR;
        p = rows[row].pass(p);
        if (!p) return STATUS_ERROR;
        verify_program(options->run, p);
        ir_print(&out, p);
    }
    return write_text(&c, &out) ? 0 : STATUS_ERROR;
}
