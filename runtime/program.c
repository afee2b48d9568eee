/* program.c -- calling a program of the model: tensors by name, chunks over threads, sums in chunk
 * order.
 *
 * Data sets of one call may differ in plate sizes, block by block (rt_call_blocks): a chunk then
 * lies within a block, whatever the number of lanes, and the block's sums are weighted.
 *
 * Invariants
 * - All memory is allocated by rt_call_ready, or where other sizes need more scratch: a run
 *   allocates nothing.
 * - An output without a data axis is the sum over chunks, in double and in chunk order (or, where
 * it does not depend on data at all, the first chunk's): the same bits for any number of threads.
 */
#include "runtime/vectorised.h"

#include "runtime/psis.h"

#include <float.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct Input {
    const char *data;
    int64_t stride; /* bytes from data set to data set; 0 without a data axis */
} Input;

typedef struct Output {
    bool wanted, by_set;
    int64_t size;   /* elements, of one data set where by_set */
    char *data;     /* by_set: the whole result, */
    int64_t stride; /* and bytes from data set to data set */
    int64_t at;     /* otherwise: its place in `sums` and in each chunk's partial results */
} Output;

/* Neighbours in `sums`: elements that are summed over chunks, or are the first chunk's. */
enum { STRETCH = 4096 };
typedef struct Stretch {
    int64_t from, n;
    bool reduced;
} Stretch;

/* Numbers of an input that follow from how a ragged plate is cut; role segment, and "index:". */
typedef struct Cut {
    enum { NO_CUT, CUT_COUNT, CUT_FIRST, CUT_INDEX } what;
    int plate;
    char *data;     /* [block] */
    int64_t stride; /* bytes from block to block */
} Cut;

struct RtCall {
    RtMem *mem;
    const RtModel *model;
    const RtProgram *program;
    RtPool *pool;
    /* By axis as in av_call: of all data sets, or (room) of the largest block */
    int64_t *total;
    int64_t *extent; /* [worker] the same, and the same as `total` of that chunk */
    int data_axis;   /* or -1 */
    int64_t capacity, n_data;
    Input *in;
    Output *out;
    double *sums;   /* of all outputs but those by data set, one behind the other */
    char *partials; /* [chunk][n_sums]: a chunk's part of them */
    int64_t n_sums; /* rounded up to cache lines */
    int64_t n_stretches;
    Stretch *stretches;
    const void **in_now; /* [worker][input] */
    void **out_now;      /* [worker][output] */
    char **scratch;      /* [worker] */
    int64_t scratch_bytes;
    bool ready;
    uint32_t key[2], step, data0;
    int64_t block;   /* data sets that share sizes; 0: all do */
    int64_t *sizes;  /* [block]: extents of a block, as `total` */
    Cut *cuts;       /* by input: of those that say how ragged plates are cut */
    double *weights; /* [block]: of a block's sums */
};

static int64_t axes_size(const RtCall *c, const RtTensor *t, bool *has_data) {
    int64_t extent[RT_MAX_AXES];
    int n = 0;
    bool counted = false; /* by the rows of a ragged plate inside */
    *has_data = false;
    for (int i = t->n_axes - 1; i >= 0; i--) {
        const RtAxis *a = &c->program->axes[t->axes[i]];
        if (t->axes[i] == c->data_axis)
            *has_data = true;
        else if (a->kind != RT_PLATE || !counted)
            extent[n++] = c->total[t->axes[i]];
        counted |= a->kind == RT_PLATE && c->model->plates[a->plate].ragged;
    }
    return rt_product(extent, n);
}

static void set_plates(const RtModel *m, const RtProgram *p, const RtSizes *sizes,
                       int64_t *extent) {
    for (int i = 0; i < p->n_axes; i++) {
        if (p->axes[i].kind != RT_PLATE) continue;
        int plate = p->axes[i].plate;
        int64_t each = sizes->n[plate], all = rt_instances(m, sizes, plate);
        int64_t parents = rt_instances(m, sizes, m->plates[plate].parent);
        extent[i] = m->plates[plate].ragged ? all : each;
        extent[p->n_axes + i] = each;
        extent[2 * p->n_axes + i] = parents > 0 ? (all + parents - 1) / parents : each;
    }
}

/* Scratch memory for chunks of these extents, `total` of some block. What a program needs does not
 * always fall with the sizes: the fewer instances groups have, the more groups make a tile. */
static void ensure_scratch(RtCall *c, const int64_t *total) {
    const RtProgram *p = c->program;
    int64_t *extent = c->extent, largest = c->capacity < p->chunk ? c->capacity : p->chunk,
            most = 0;
    memcpy(extent, total, 3 * (size_t)p->n_axes * sizeof *extent);
    for (int64_t n = 1; n <= largest; n++) { /* any chunk may fall short */
        if (c->data_axis >= 0) extent[c->data_axis] = n;
        int64_t bytes = p->entry->scratch ? p->entry->scratch(extent) : 0;
        if (bytes > most) most = bytes;
    }
    if (c->scratch[0] && most <= c->scratch_bytes) return;
    c->scratch_bytes = most;
    for (int w = 0; w < rt_pool_threads(c->pool); w++) c->scratch[w] = rt_alloc(c->mem, most, 1);
}

/* "index:PLATE" tells the number of each instance. */
static const char *indexed_plate(const RtTensor *t) {
    static const char prefix[] = "index:";
    size_t n = sizeof prefix - 1;
    return t->role != RT_IN_SEGMENT && !strncmp(t->name, prefix, n) ? t->name + n : NULL;
}

/* What an input says of how a ragged plate is cut. */
static Cut cut_of(const RtModel *m, const RtTensor *t) {
    const char *name = indexed_plate(t), *colon = strrchr(t->name, ':');
    Cut cut = {.what = CUT_INDEX};
    size_t n = name ? strlen(name) : 0;
    if (t->role == RT_IN_SEGMENT) {
        name = t->name;
        n = (size_t)(colon - name);
        cut.what = strcmp(colon, ":count") ? CUT_FIRST : CUT_COUNT;
    }
    for (; name && cut.plate < m->n_plates; cut.plate++) {
        const RtPlate *plate = &m->plates[cut.plate];
        if (plate->ragged && strlen(plate->name) == n && !strncmp(plate->name, name, n)) return cut;
    }
    return (Cut){.what = NO_CUT};
}

/* How the ragged plates of a block are cut, in the program's terms. */
static void set_cuts(RtCall *c, int64_t block, const RtSizes *sizes) {
    const RtModel *m = c->model;
    for (int i = 0; i < c->program->n_inputs; i++) {
        const Cut *cut = &c->cuts[i];
        if (cut->what == NO_CUT) continue;
        const int64_t *first = sizes->first[cut->plate];
        int64_t parents = rt_instances(m, sizes, m->plates[cut->plate].parent);
        char *to = cut->data + block * cut->stride;
        for (int64_t k = 0; k < parents && cut->what != CUT_INDEX; k++)
            rt_real_set(m, to, k,
                        (double)(cut->what == CUT_COUNT ? first[k + 1] - first[k] : first[k]));
        for (int64_t k = 0; k < parents && cut->what == CUT_INDEX; k++)
            for (int64_t at = first[k]; at < first[k + 1]; at++)
                rt_real_set(m, to, at, (double)(at - first[k]));
    }
}

/* Room for them, of one block or of several. */
static void make_cuts(RtCall *c, int64_t blocks) {
    bool by_set;
    for (int i = 0; i < c->program->n_inputs; i++) {
        Cut *cut = &c->cuts[i];
        if (cut->what == NO_CUT) continue;
        int64_t n = axes_size(c, &c->program->inputs[i], &by_set);
        cut->stride = n * (int64_t)c->model->real;
        cut->data = rt_alloc(c->mem, blocks, (size_t)cut->stride + 1);
        c->in[i].data = cut->data;
    }
}

/* The size of a plate that is an event axis (family total-flow); 0: any. */
static int64_t fixed_size(const RtModel *m, const RtProgram *p, int plate) {
    for (int i = 0; i < p->n_axes; i++)
        if (p->axes[i].kind == RT_EVENT && !strcmp(p->axes[i].name, m->plates[plate].name))
            return p->axes[i].extent;
    return 0;
}

int64_t rt_plate_fixed(const RtModel *m, int plate) {
    int64_t size = 0;
    for (int i = 0; i < m->n_programs && !size; i++) size = fixed_size(m, &m->programs[i], plate);
    return size;
}

static void check_fixed(const RtModel *m, const RtProgram *p, const RtSizes *sizes) {
    for (int i = 0; i < m->n_plates; i++) {
        int64_t size = fixed_size(m, p, i);
        if (!size || size == sizes->n[i]) continue;
        fprintf(stderr,
                "error: plate %s has %" PRId64
                " instances here, and in this program always %" PRId64
                "\n  the flow of its family, %s, is over all instances: compile the model with "
                "that size\n",
                m->plates[i].name, sizes->n[i], size, m->family);
        exit(1);
    }
}

/* Counts of instances, and their numbers, reach programs as numbers of the model's real type: those
 * that float does not hold would be wrong. */
static void check_countable(const RtCall *c, const RtSizes *sizes) {
    enum { MOST = 1 << FLT_MANT_DIG };
    const RtModel *m = c->model;
    for (int i = 0; i < c->program->n_inputs && !m->f64; i++) {
        const RtTensor *t = &c->program->inputs[i];
        bool cut = c->cuts[i].what != NO_CUT;
        if (!cut && !indexed_plate(t)) continue;
        int plate = cut ? c->cuts[i].plate : c->program->axes[t->axes[0]].plate;
        int64_t n = cut ? rt_instances(m, sizes, plate) : sizes->n[plate];
        if (n <= MOST) continue;
        fprintf(stderr,
                "error: plate %s has %" PRId64
                " instances here, and this program, in float, counts to %d\n  compile the model "
                "with --precision f64, or take fewer\n",
                m->plates[plate].name, n, MOST);
        exit(1);
    }
}

void rt_call_resize(RtCall *c, const RtSizes *sizes) {
    const RtProgram *p = c->program;
    bool by_set;
    check_fixed(c->model, p, sizes);
    check_countable(c, sizes);
    set_plates(c->model, p, sizes, c->total);
    set_cuts(c, 0, sizes);
    for (int i = 0; i < p->n_inputs; i++) {
        int64_t size = axes_size(c, &p->inputs[i], &by_set);
        c->in[i].stride = by_set ? size * (int64_t)c->model->real : 0;
    }
    for (int i = 0; i < p->n_outputs; i++) {
        Output *o = &c->out[i];
        o->size = axes_size(c, &p->outputs[i], &o->by_set);
        if (o->by_set) o->stride = o->size * (int64_t)c->model->real;
    }
    if (c->ready) ensure_scratch(c, c->total);
}

/* Places of the outputs that are not by data set, at the sizes there is room for: gradients in the
 * order of the program's outputs lie side by side. */
static void place_sums(RtCall *c) {
    for (int i = 0; i < c->program->n_outputs; i++) {
        if (c->out[i].by_set) continue;
        c->out[i].at = c->n_sums;
        c->n_sums += c->out[i].size;
    }
    c->n_sums = (c->n_sums + 15) / 16 * 16; /* chunks share no cache line */
    c->sums = rt_alloc(c->mem, c->n_sums, sizeof *c->sums);
}

/* "index:PLATE": 0, 1, ... as far as there is room; smaller plates read the beginning. */
static void bind_indices(RtCall *c) {
    for (int i = 0; i < c->program->n_inputs; i++) {
        const RtTensor *t = &c->program->inputs[i];
        if (!indexed_plate(t) || c->cuts[i].what != NO_CUT) continue;
        int64_t n = c->total[t->axes[0]];
        void *numbers = rt_alloc(c->mem, n, c->model->real);
        for (int64_t k = 0; k < n; k++) rt_real_set(c->model, numbers, k, (double)k);
        c->in[i].data = numbers;
    }
}

RtCall *rt_call_new(RtMem *mem, const RtModel *m, const char *program, RtPool *pool,
                    const RtSizes *sizes, int64_t n_data, int64_t n_draw) {
    RtCall *c = rt_alloc(mem, 1, sizeof *c);
    const RtProgram *p = rt_program(m, program);
    *c = (RtCall){
        .mem = mem, .model = m, .program = p, .pool = pool, .data_axis = -1, .capacity = n_data};
    c->total = rt_alloc(mem, 3 * p->n_axes, sizeof *c->total);
    c->cuts = rt_alloc(mem, p->n_inputs, sizeof *c->cuts);
    for (int i = 0; i < p->n_axes; i++) {
        const RtAxis *a = &p->axes[i];
        if (a->kind == RT_DATA) c->data_axis = i;
        c->total[i] = a->kind == RT_DATA ? n_data : a->kind == RT_DRAW ? n_draw : a->extent;
    }
    c->in = rt_alloc(mem, p->n_inputs, sizeof *c->in);
    c->out = rt_alloc(mem, p->n_outputs, sizeof *c->out);
    set_plates(m, p, sizes, c->total);
    for (int i = 0; i < p->n_inputs; i++) c->cuts[i] = cut_of(m, &p->inputs[i]);
    make_cuts(c, 1);
    rt_call_resize(c, sizes);
    bind_indices(c);
    place_sums(c);
    return c;
}

int64_t rt_call_sets(const RtCall *c) {
    return c->capacity;
}

void rt_call_blocks(RtCall *c, int64_t block) {
    int64_t n = (c->capacity + block - 1) / block;
    c->block = block;
    c->sizes = rt_alloc(c->mem, n * 3 * c->program->n_axes, sizeof *c->sizes);
    make_cuts(c, n);
    c->weights = rt_alloc(c->mem, n, sizeof *c->weights);
}

void rt_call_block(RtCall *c, int64_t i, const RtSizes *sizes, double weight) {
    const int64_t n = 3 * c->program->n_axes;
    int64_t *own = c->sizes + i * n;
    memcpy(own, c->total, (size_t)n * sizeof *own);
    set_plates(c->model, c->program, sizes, own);
    set_cuts(c, i, sizes);
    c->weights[i] = weight;
    if (c->ready) ensure_scratch(c, own);
}

bool rt_call_bind(RtCall *c, const char *input, const void *data) {
    for (int i = 0; i < c->program->n_inputs; i++) {
        if (strcmp(c->program->inputs[i].name, input)) continue;
        c->in[i].data = data;
        return true;
    }
    return false;
}

static Output *find_output(const RtCall *c, const char *name) {
    for (int i = 0; i < c->program->n_outputs; i++)
        if (!strcmp(c->program->outputs[i].name, name)) return &c->out[i];
    return NULL;
}

static int64_t chunks_of(const RtCall *c, int64_t n_data) {
    return (n_data + c->program->chunk - 1) / c->program->chunk;
}

/* A chunk never crosses from one block into the next. */
static int64_t n_chunks(const RtCall *c, int64_t n_data) {
    if (c->data_axis < 0) return 1;
    if (!c->block) return chunks_of(c, n_data);
    return n_data / c->block * chunks_of(c, c->block) + chunks_of(c, n_data % c->block);
}

typedef struct Chunk {
    int64_t block, first, n; /* data sets first .. first + n - 1 */
} Chunk;

static Chunk chunk_at(const RtCall *c, int64_t i) {
    int64_t size = c->program->chunk, each = c->block ? chunks_of(c, c->block) : 0;
    Chunk k = {.block = each ? i / each : 0};
    k.first = each ? k.block * c->block + i % each * size : i * size;
    int64_t end = each ? (k.block + 1) * c->block : c->n_data;
    if (end > c->n_data) end = c->n_data;
    k.n = end - k.first < size ? end - k.first : size;
    return k;
}

void *rt_call_want(RtCall *c, const char *output) {
    Output *o = find_output(c, output);
    if (!o) return NULL;
    if (!o->wanted && o->by_set) o->data = rt_alloc(c->mem, c->capacity * o->size, c->model->real);
    o->wanted = true;
    return o->by_set ? (void *)o->data : (void *)(c->sums + o->at);
}

int64_t rt_call_size(const RtCall *c, const char *output) {
    const Output *o = find_output(c, output);
    return o ? o->size : 0;
}

/* What is wanted of `sums`, cut where a stretch is long enough or a neighbour is of another kind.
 */
static void find_stretches(RtCall *c) {
    c->stretches =
        rt_alloc(c->mem, c->program->n_outputs + c->n_sums / STRETCH + 1, sizeof *c->stretches);
    for (int i = 0; i < c->program->n_outputs; i++) {
        const Output *o = &c->out[i];
        bool reduced = c->program->outputs[i].reduced;
        if (!o->wanted || o->by_set) continue;
        for (int64_t from = o->at, left = o->size; left > 0;) {
            Stretch *last = c->n_stretches ? &c->stretches[c->n_stretches - 1] : NULL;
            bool joins = last && last->from + last->n == from && last->reduced == reduced &&
                         last->n < STRETCH;
            if (!joins) {
                last = &c->stretches[c->n_stretches++];
                *last = (Stretch){from, 0, reduced};
            }
            int64_t n = left < STRETCH - last->n ? left : STRETCH - last->n;
            last->n += n, from += n, left -= n;
        }
    }
}

/* Compiler and runtime disagree about what a program reads. */
static void unbound(const RtProgram *p, const RtTensor *input) {
    fprintf(stderr, "error: program %s reads %s, which nothing provides\n", p->name, input->name);
    exit(1);
}

void rt_call_ready(RtCall *c) {
    const RtProgram *p = c->program;
    for (int i = 0; i < p->n_inputs; i++)
        if (!c->in[i].data && p->inputs[i].role != RT_IN_RANDOM) unbound(p, &p->inputs[i]);
    find_stretches(c);
    c->partials = rt_alloc(c->mem, n_chunks(c, c->capacity) * c->n_sums, c->model->real);
    int threads = rt_pool_threads(c->pool);
    c->extent = rt_alloc(c->mem, 6 * threads * p->n_axes, sizeof *c->extent);
    c->in_now = rt_alloc(c->mem, threads * p->n_inputs, sizeof *c->in_now);
    c->out_now = rt_alloc(c->mem, threads * p->n_outputs, sizeof *c->out_now);
    c->scratch = rt_alloc(c->mem, threads, sizeof *c->scratch);
    c->ready = true;
    ensure_scratch(c, c->total);
}

static void run_chunk(void *context, int64_t item, int worker) {
    RtCall *c = context;
    const RtProgram *p = c->program;
    const Chunk chunk = chunk_at(c, item);
    int64_t first = chunk.first, *extent = c->extent + 6 * worker * p->n_axes;
    int64_t *total = extent + 3 * p->n_axes;
    const int64_t *own = c->block ? c->sizes + chunk.block * 3 * p->n_axes : c->total;
    memcpy(total, own, 3 * (size_t)p->n_axes * sizeof *total);
    if (c->data_axis >= 0) total[c->data_axis] = c->n_data;
    memcpy(extent, total, 3 * (size_t)p->n_axes * sizeof *extent);
    if (c->data_axis >= 0) extent[c->data_axis] = chunk.n;
    const void **in = c->in_now + worker * p->n_inputs;
    void **out = c->out_now + worker * p->n_outputs;
    for (int i = 0; i < p->n_inputs; i++)
        in[i] = c->cuts[i].what ? c->cuts[i].data + chunk.block * c->cuts[i].stride
                : c->in[i].data ? c->in[i].data + first * c->in[i].stride
                                : NULL;
    for (int i = 0; i < p->n_outputs; i++) {
        const Output *o = &c->out[i];
        out[i] = !o->wanted  ? NULL
                 : o->by_set ? o->data + first * o->stride
                             : c->partials + (item * c->n_sums + o->at) * (int64_t)c->model->real;
    }
    av_call call = {.extent = extent,
                    .total = total,
                    .in = in,
                    .out = out,
                    .scratch = c->scratch[worker],
                    .key = {c->key[0], c->key[1]},
                    .step = c->step,
                    .data0 = c->data0 + (uint32_t)first};
    p->entry->run(&call);
}

RT_VECTORISED static void add_f32(double *restrict to, const float *restrict from, double weight,
                                  int64_t n) {
    for (int64_t k = 0; k < n; k++) to[k] += weight * (double)from[k];
}

RT_VECTORISED static void add_f64(double *restrict to, const double *restrict from, double weight,
                                  int64_t n) {
    for (int64_t k = 0; k < n; k++) to[k] += weight * from[k];
}

/* The sum of reduced outputs over chunks, in their order; of others the first chunk's result. */
static void add_partials(void *context, int64_t item, int worker) {
    (void)worker;
    RtCall *c = context;
    const Stretch *t = &c->stretches[item];
    double *sum = c->sums + t->from;
    int64_t chunks = t->reduced ? n_chunks(c, c->n_data) : 1;
    memset(sum, 0, (size_t)t->n * sizeof *sum);
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
        const char *from = c->partials + (chunk * c->n_sums + t->from) * (int64_t)c->model->real;
        double weight = t->reduced && c->block ? c->weights[chunk_at(c, chunk).block] : 1;
        if (c->model->f64)
            add_f64(sum, (const double *)(const void *)from, weight, t->n);
        else
            add_f32(sum, (const float *)(const void *)from, weight, t->n);
    }
}

void rt_call_run(RtCall *c, const uint32_t key[2], uint32_t step, uint32_t data0, int64_t n_data) {
    c->key[0] = key[0], c->key[1] = key[1];
    c->step = step;
    c->data0 = data0;
    c->n_data = n_data;
    if (c->data_axis >= 0) c->total[c->data_axis] = n_data;
    rt_pool_run(c->pool, run_chunk, c, n_chunks(c, n_data));
    rt_pool_run(c->pool, add_partials, c, c->n_stretches);
}

double rt_real_get(const RtModel *m, const void *array, int64_t at) {
    return m->f64 ? ((const double *)array)[at] : (double)((const float *)array)[at];
}

void rt_real_set(const RtModel *m, void *array, int64_t at, double value) {
    if (m->f64)
        ((double *)array)[at] = value;
    else
        ((float *)array)[at] = (float)value;
}

RtLogs rt_logs_want(RtCall *c) {
    return (RtLogs){.q = rt_call_want(c, "log_q"),
                    .prior = rt_call_want(c, "log_prior"),
                    .likelihood = rt_call_want(c, "log_likelihood")};
}

double rt_log_weight(const RtModel *m, const RtLogs *logs, int64_t at) {
    return rt_real_get(m, logs->prior, at) + rt_real_get(m, logs->likelihood, at) -
           rt_real_get(m, logs->q, at);
}
