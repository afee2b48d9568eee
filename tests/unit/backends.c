/* backends.c -- see backends.h. */
#include "backends.h"

#include "ir_values.h"

#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { GUARD = 256 };

static double clock_ms(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static double now_ms(void) {
    return clock_ms(CLOCK_MONOTONIC);
}

Backends *backends_new(Arena *arena) {
    Backends *b = arena_new_of(arena, Backends);
    b->arena = arena;
    return b;
}

int backends_add(Backends *b, const IrProgram *p, const ScheduleOptions *options) {
    double start = now_ms();
    LoopProgram *loops = schedule(b->arena, p, options);
    b->schedule_ms += now_ms() - start;
    loops->name = arena_printf(b->arena, "p%d_%s", b->programs.n, p->name);
    vec_push(b->arena, &b->programs, loops);
    return b->programs.n - 1;
}

static const char *write_text(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    if (!file) return "cannot write the text";
    fputs(text, file);
    return fclose(file) ? "cannot write the text" : NULL;
}

/* What generated code calls of the runtime, compiled once per test program. */
static char random_path[] = "/tmp/adavic-random-XXXXXX", gemm_path[] = "/tmp/adavic-gemm-XXXXXX";

static void remove_objects(void) {
    unlink(random_path);
    unlink(gemm_path);
}

static const char *object_of(char *path, const char *source, bool *made) {
    if (*made) return path;
    int file = mkstemp(path);
    if (file >= 0) close(file);
    char command[256];
    snprintf(command, sizeof command, "cc -O2 -fPIC -D_GNU_SOURCE -I. -r -nostdlib -o %s %s", path,
             source);
    *made = file >= 0 && system(command) == 0;
    return path;
}

/* Arguments of the linker: the objects that the programs need. */
static const char *runtime_of(const Backends *b) {
    static bool random_made, gemm_made;
    if (!random_made) atexit(remove_objects);
    const char *random =
        object_of(random_path, "runtime/random.c runtime/random_counts.c", &random_made);
    bool blas = false;
    for (int i = 0; i < b->programs.n; i++) blas |= loop_uses_blas(b->programs.data[i]);
    if (!blas) return random;
    const char *gemm = object_of(gemm_path, "runtime/gemm.c", &gemm_made);
    return arena_printf(b->arena, "%s %s -Wl,--no-as-needed -lopenblas", random, gemm);
}

const char *backends_build(Backends *b, BackendKind kind) {
    char base[] = "/tmp/adavic-back-XXXXXX";
    int made = mkstemp(base);
    if (made < 0) return "no temporary file";
    close(made);
    Unit unit = {(const LoopProgram *const *)b->programs.data, b->programs.n, "manifest\n"};
    char *object = arena_printf(b->arena, "%s.%s", base, kind == BACKEND_C ? "c" : "o");
    char *library = arena_printf(b->arena, "%s.so", base);
    const char *why = NULL;
    double start = now_ms();
    if (kind == BACKEND_C) {
        Text text;
        text_init(&text, b->arena);
        back_c(&text, &unit);
        why = write_text(object, text.data);
    } else {
        why = back_llvm(b->arena, &unit, &(Target){.cpu = "host", .shared = true},
                        (const char *[]){object}, 1, NULL);
    }
    b->emit_ms += now_ms() - start;
    if (!why) read_whole_file(b->arena, object, &b->text_bytes);
    const char *command = arena_printf(
        b->arena, "cc -std=gnu11 -O1 -w -ffp-contract=off -fPIC -shared -o %s %s -x none %s -lm",
        library, object, runtime_of(b));
    if (!why && system(command) != 0) why = arena_printf(b->arena, "failed: %s", command);
    if (!why) b->library = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!why && !b->library) why = arena_printf(b->arena, "%s", dlerror());
    if (!why) b->entries = dlsym(b->library, "adavic_entries");
    unlink(object);
    unlink(library);
    unlink(base);
    return why;
}

void backends_free(Backends *b) {
    if (b->library) dlclose(b->library);
}

/* ---- tensors in the program's element type ---- */

typedef struct Tensor {
    char *bytes;     /* between guards */
    int64_t size;    /* numbers */
    int64_t per_set; /* numbers per data set, 0 without a data axis */
} Tensor;

static AxisId data_axis(const IrProgram *ir) {
    for (int i = 0; i < ir->axes.n; i++)
        if (ir->axes.data[i].kind == AXIS_DATA) return i;
    return AXIS_NONE;
}

static Tensor tensor_of(Arena *arena, const IrProgram *ir, const IrEvalEnv *env, const IrOp *op,
                        int width) {
    Tensor t = {.size = env_size(ir, env, op->axes, op->n_axes)};
    bool data = false;
    for (int i = 0; i < op->n_axes; i++) {
        data |= ir->axes.data[op->axes[i]].kind == AXIS_DATA;
    }
    if (data) t.per_set = t.size / env_extent(ir, env, data_axis(ir));
    size_t bytes = (size_t)(t.size * width);
    t.bytes = (char *)arena_alloc(arena, bytes + 2 * GUARD) + GUARD;
    memset(t.bytes - GUARD, 0x5a, bytes + 2 * GUARD);
    return t;
}

static bool guards_hold(const Tensor *t, int width) {
    for (int i = 1; i <= GUARD; i++)
        if (t->bytes[-i] != 0x5a || t->bytes[t->size * width + i - 1] != 0x5a) return false;
    return true;
}

static double get(const LoopProgram *p, const char *bytes, int64_t i) {
    return p->f64 ? ((const double *)(const void *)bytes)[i]
                  : ((const float *)(const void *)bytes)[i];
}

static void put(const LoopProgram *p, char *bytes, int64_t i, double x) {
    if (p->f64)
        ((double *)(void *)bytes)[i] = x;
    else
        ((float *)(void *)bytes)[i] = (float)x;
}

/* ---- running ---- */

/* Inputs as every back end sees them: rounded to float. */
typedef struct Rounded {
    const IrEvalEnv *env;
    Arena *arena;
    VEC(struct RoundedInput {
        const IrOp *op;
        double *data;
    })
    known;
} Rounded;

static const double *rounded_lookup(void *user, const IrProgram *p, const IrOp *op) {
    Rounded *r = user;
    for (int i = 0; i < r->known.n; i++)
        if (r->known.data[i].op == op) return r->known.data[i].data;
    const double *from = r->env->lookup(r->env->user, p, op);
    if (!from) return NULL;
    int64_t size = env_size(p, r->env, op->axes, op->n_axes);
    double *data = arena_array(r->arena, double, size);
    for (int64_t i = 0; i < size; i++) data[i] = (double)(float)from[i];
    vec_push(r->arena, &r->known, (struct RoundedInput){op, data});
    return data;
}

typedef struct Job {
    const LoopProgram *p;
    const av_entry *entry;
    const IrEvalEnv *env;
    int width;
    Tensor *in, *out, *part; /* part: one chunk's reduced output */
    int64_t *extent, *total;
    char *scratch;
    int64_t scratch_bytes;
} Job;

static Job job_new(Arena *arena, Backends *b, int program, const IrEvalEnv *env) {
    const LoopProgram *p = b->programs.data[program];
    const IrProgram *ir = p->ir;
    Job job = {.p = p, .entry = &b->entries[program], .env = env, .width = p->f64 ? 8 : 4};
    job.in = arena_array(arena, Tensor, p->inputs.n + 1);
    job.out = arena_array(arena, Tensor, ir->outputs.n + 1);
    job.part = arena_array(arena, Tensor, ir->outputs.n + 1);
    job.extent = arena_array(arena, int64_t, 3 * ir->axes.n + 1);
    job.total = arena_array(arena, int64_t, 3 * ir->axes.n + 1);
    for (int i = 0; i < ir->axes.n; i++) {
        int64_t all = ir->axes.data[i].ragged ? env_instances(ir, env, i) : env_extent(ir, env, i);
        job.total[i] = job.extent[i] = all;
        job.extent[ir->axes.n + i] = job.extent[2 * ir->axes.n + i] = env_extent(ir, env, i);
    }
    for (int i = 0; i < p->inputs.n; i++) {
        const IrOp *op = &ir->ops.data[p->inputs.data[i].op];
        const double *from = env->lookup(env->user, ir, op);
        if (!from) continue;
        job.in[i] = tensor_of(arena, ir, env, op, job.width);
        for (int64_t k = 0; k < job.in[i].size; k++) put(p, job.in[i].bytes, k, from[k]);
    }
    for (int i = 0; i < ir->outputs.n; i++) {
        const IrOp *op = &ir->ops.data[ir->outputs.data[i].value];
        job.out[i] = tensor_of(arena, ir, env, op, job.width);
        job.part[i] = tensor_of(arena, ir, env, op, job.width);
    }
    AxisId data = data_axis(ir);
    if (data != AXIS_NONE && job.extent[data] > p->chunk) job.extent[data] = p->chunk;
    job.scratch_bytes = job.entry->scratch(job.extent);
    char *room = arena_alloc(arena, (size_t)job.scratch_bytes + 2 * GUARD + 64);
    job.scratch = room + GUARD + (64 - ((uintptr_t)room + GUARD) % 64) % 64;
    return job;
}

static void run_chunk(Arena *arena, Job *job, int64_t first) {
    const LoopProgram *p = job->p;
    const void **in = arena_array(arena, const void *, p->inputs.n + 1);
    void **out = arena_array(arena, void *, p->ir->outputs.n + 1);
    for (int i = 0; i < p->inputs.n; i++)
        if (job->in[i].bytes) in[i] = job->in[i].bytes + first * job->in[i].per_set * job->width;
    for (int i = 0; i < p->ir->outputs.n; i++)
        out[i] = job->out[i].per_set ? job->out[i].bytes + first * job->out[i].per_set * job->width
                                     : job->part[i].bytes;
    memset(job->scratch - 8, 0xff, (size_t)job->scratch_bytes + 16);
    av_call call = {.extent = job->extent,
                    .total = job->total,
                    .in = in,
                    .out = out,
                    .scratch = job->scratch,
                    .key = {job->env->key[0], job->env->key[1]},
                    .step = job->env->step,
                    .data0 = job->env->data0 + (uint32_t)first};
    job->entry->run(&call);
}

/* All chunks; partial sums are added in the element type's double. */
static void run_all(Arena *arena, Job *job, double **sum) {
    const LoopProgram *p = job->p;
    AxisId data = data_axis(p->ir);
    int64_t total = data == AXIS_NONE ? 1 : job->total[data];
    for (int64_t first = 0; first < total; first += p->chunk) {
        if (data != AXIS_NONE)
            job->extent[data] = total - first < p->chunk ? total - first : p->chunk;
        run_chunk(arena, job, first);
        for (int i = 0; sum && i < p->ir->outputs.n; i++) {
            bool adds = first && loop_output_reduced(p, i);
            for (int64_t k = 0; k < job->part[i].size && !job->out[i].per_set; k++)
                sum[i][k] = (adds ? sum[i][k] : 0) + get(p, job->part[i].bytes, k);
        }
    }
}

static const char *compare_output(Arena *arena, const Job *job, int i, const IrTensor *expected,
                                  const double *sum, double tolerance, double floor) {
    double largest = 0, worst = 0;
    int64_t at = 0;
    const char *name = job->p->ir->outputs.data[i].name;
    for (int64_t k = 0; k < expected->size; k++)
        if (isfinite(expected->data[k])) largest = fmax(largest, fabs(expected->data[k]));
    for (int64_t k = 0; k < expected->size; k++) {
        double want = expected->data[k];
        double got = job->out[i].per_set ? get(job->p, job->out[i].bytes, k) : sum[k];
        double error = fabs(got - want);
        if (got == want || (isnan(got) && isnan(want))) continue;
        if (!(error <= worst)) worst = isnan(error) ? INFINITY : error, at = k;
    }
    if (!guards_hold(&job->out[i], job->width) || !guards_hold(&job->part[i], job->width))
        return arena_printf(arena, "output %s is written beyond its end", name);
    if (worst <= tolerance * fmax(largest, floor)) return NULL;
    double got = job->out[i].per_set ? get(job->p, job->out[i].bytes, at) : sum[at];
    return arena_printf(
        arena, "%s (%s, %d lanes): output %s[%lld] of %lld is %.9g, not %.9g (largest %.3g)",
        job->p->name, job->p->f64 ? "f64" : "f32", job->p->lanes, name, (long long)at,
        (long long)expected->size, got, expected->data[at], largest);
}

const char *backends_compare(Backends *b, int program, const IrEvalEnv *env, double tolerance,
                             double floor) {
    Arena *arena = arena_new();
    Rounded rounded = {.env = env, .arena = arena};
    IrEvalEnv used = *env;
    used.lookup = rounded_lookup;
    used.user = &rounded;
    const IrProgram *ir = b->programs.data[program]->ir;
    IrTensor *expected = arena_array(arena, IrTensor, ir->outputs.n + 1);
    const char *why = ir_eval(arena, ir, &used, expected);
    if (!why) {
        Job job = job_new(arena, b, program, &used);
        memset(job.scratch - 8, 0xff, (size_t)job.scratch_bytes + 16);
        double **sum = arena_array(arena, double *, ir->outputs.n + 1);
        for (int i = 0; i < ir->outputs.n; i++)
            sum[i] = arena_array(arena, double, job.out[i].size + 1);
        run_all(arena, &job, sum);
        for (int i = 0; !why && i < 8; i++)
            if ((unsigned char)job.scratch[-1 - i] != 0xff ||
                (unsigned char)job.scratch[job.scratch_bytes + i] != 0xff)
                why = "written beyond the scratch memory";
        for (int i = 0; !why && i < ir->outputs.n; i++)
            why = compare_output(arena, &job, i, &expected[i], sum[i], tolerance, floor);
    }
    if (why) why = arena_printf(b->arena, "%s", why);
    arena_free(arena);
    return why;
}

const char *backends_run(Arena *arena, Backends *b, int program, const IrEvalEnv *env,
                         IrTensor *result) {
    const LoopProgram *p = b->programs.data[program];
    Job job = job_new(arena, b, program, env);
    double **sum = arena_array(arena, double *, p->ir->outputs.n + 1);
    for (int i = 0; i < p->ir->outputs.n; i++)
        sum[i] = arena_array(arena, double, job.out[i].size + 1);
    run_all(arena, &job, sum);
    for (int i = 0; i < p->ir->outputs.n; i++) {
        const IrOp *op = &p->ir->ops.data[p->ir->outputs.data[i].value];
        result[i] = (IrTensor){.n_axes = op->n_axes, .size = job.out[i].size, .data = sum[i]};
        for (int k = 0; k < op->n_axes; k++) {
            result[i].axes[k] = op->axes[k];
            result[i].extent[k] = env_extent(p->ir, env, op->axes[k]);
        }
        for (int64_t k = 0; job.out[i].per_set && k < job.out[i].size; k++)
            result[i].data[k] = get(p, job.out[i].bytes, k);
        if (!guards_hold(&job.out[i], job.width) || !guards_hold(&job.part[i], job.width))
            return arena_printf(arena, "output %s is written beyond its end",
                                p->ir->outputs.data[i].name);
    }
    return NULL;
}

double backends_time(Backends *b, int program, const IrEvalEnv *env, int runs) {
    Arena *arena = arena_new();
    Job job = job_new(arena, b, program, env);
    run_all(arena, &job, NULL);
    double start = clock_ms(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < runs; i++) run_all(arena, &job, NULL);
    double spent = (clock_ms(CLOCK_PROCESS_CPUTIME_ID) - start) / runs;
    arena_free(arena);
    return spent;
}
