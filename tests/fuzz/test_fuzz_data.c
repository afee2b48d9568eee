/* The readers of data on any bytes at all, for the hand-made model of the unit tests. The first
 * two bytes choose the format and the options, the rest is the file. What is accepted is complete,
 * but for outcomes where these may be absent. */
#include "fuzz.h"

#include "runtime/data.h"
#include "rt_fake_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    CSV,
    NPZ,
    BIN,
    CSV_GZ,
    JSON,
    FORMAT = 7,
    GIVEN_GROUP = 8,
    GIVEN_OBS = 16,
    BATCH = 32,
    COVARIATES = 64,
    RAGGED = 128,
    NEW_ROWS = 256, /* without outcomes, padded */
    CROSSED = 512
};

/* The hand-made model, one with covariates, one with missing cells in a ragged plate, beside which
 * stands another, of no variable of the file, or one of pairs; read once: they are not what is
 * tried here. */
static const RtModel *fake_model(int flags) {
    static const char with[] = "adavic-manifest 1\n"
                               "plate group parent - size 4 exchangeable 1 \"\"\n"
                               "plate obs parent group size 5 exchangeable 1 \"\"\n"
                               "given arm plates group dims values 3\n"
                               "given x plates group obs dims 2 positive\n"
                               "observed y plates group obs dims\n";
    static const char ragged[] = "adavic-manifest 1\n"
                                 "plate group parent - size 4 exchangeable 1 \"\"\n"
                                 "plate obs parent group size 5 exchangeable 1 \"\" ragged\n"
                                 "plate other parent group size 2 exchangeable 1 \"\" ragged\n"
                                 "latent u plates group other dims\n"
                                 "given t plates group dims\n"
                                 "observed y plates group obs dims missing 0\n";
    static const char crossed[] = "adavic-manifest 1\n"
                                  "plate group parent - size 4 exchangeable 1 \"\"\n"
                                  "plate obs parent - size 5 exchangeable 1 \"\"\n"
                                  "plate group*obs parent group size 5 exchangeable 1 \"\" across "
                                  "obs\n"
                                  "given arm plates obs dims values 3\n"
                                  "given t plates group dims whole\n"
                                  "given x plates group group*obs dims whole to t\n"
                                  "observed y plates group group*obs dims missing 0\n";
    static const char *const manifests[] = {adavic_manifest, with, ragged, crossed};
    static RtMem *mem;
    static const RtModel *model[4];
    RtError error;
    int k = flags & CROSSED ? 3 : flags & RAGGED ? 2 : flags & COVARIATES ? 1 : 0;
    if (!mem) mem = rt_mem_new();
    if (!model[k]) model[k] = rt_model_new(mem, manifests[k], &error);
    return model[k];
}

/* Where the instances of each parent begin, of every ragged plate. */
static void must_be_cut(const RtModel *m, const RtSizes *sizes) {
    for (int i = 0; i < m->n_plates; i++) {
        const int64_t *first = sizes->first[i];
        int64_t parents = rt_instances(m, sizes, m->plates[i].parent);
        if (m->plates[i].ragged != (first != NULL)) abort();
        if (sizes->n[i] != sizes->n[rt_counts(m, i)]) abort();
        for (int64_t k = 0; first && k < parents; k++)
            if (first[k + 1] < first[k] || first[k + 1] - first[k] > sizes->n[i]) abort();
    }
}

static void must_be_complete(const RtModel *m, const RtData *d, bool outcomes_optional) {
    must_be_cut(m, &d->sizes);
    for (int i = 0; i < m->n_vars; i++) {
        if (!rt_is_data(&m->vars[i])) continue;
        int64_t n = d->n_sets * rt_var_size(&m->vars[i], &d->sizes);
        if (n < 1 || !d->values[i]) abort();
        char why[100];
        for (int64_t k = 0; k < n; k++)
            if (outcomes_optional && m->vars[i].kind == RT_OBSERVED && isnan(d->values[i][k]))
                continue;
            else if (!isfinite(d->values[i][k]) ||
                     !rt_value_allowed(&m->vars[i], d->values[i][k], why))
                abort();
    }
}

static bool read_as(int format, RtMem *mem, const RtModel *m, RtBytes *bytes,
                    const RtDataOptions *options, RtData *out, RtError *error) {
    switch (format) {
    case CSV:
        return rt_data_csv(mem, m, "d", bytes, options, out, error);
    case NPZ:
        return rt_data_npz(mem, m, "d", bytes, options, out, error);
    case BIN:
        return rt_data_bin(mem, m, "d", bytes, options, out, error);
    case JSON:
        return rt_data_json(mem, m, "d", bytes, options, out, error);
    default:
        return rt_gunzip("d", bytes, error) && rt_data_csv(mem, m, "d", bytes, options, out, error);
    }
}

static void run(const uint8_t *data, size_t n) {
    if (n < 2) return;
    const int flags = data[0] | data[1] << 8;
    RtMem *mem = rt_mem_new();
    RtError error = {{0}};
    const RtModel *model = fake_model(flags);
    RtDataOptions options = {.sizes = {.n = {4, 5, 2}}, .batch = flags & BATCH};
    rt_sizes_balance(mem, model, &options.sizes);
    options.outcomes_optional = options.padded = flags & NEW_ROWS;
    options.given[0] = flags & GIVEN_GROUP;
    for (int i = 1; i < model->n_plates; i++)
        options.given[i] = flags & GIVEN_OBS && rt_counts(model, i) == 1;
    RtBytes bytes = {0};
    rt_bytes_add(&bytes, data + 2, n - 2);
    RtData out;
    if (read_as(flags & FORMAT, mem, model, &bytes, &options, &out, &error))
        must_be_complete(model, &out, options.outcomes_optional);
    else if (!error.text[0])
        abort(); /* refused without a word */
    rt_bytes_free(&bytes);
    rt_mem_free(mem);
}

/* ---- seeds ---- */

static void add_as(FuzzList *list, int flags, const RtBytes *file) {
    RtBytes all = {0};
    char first[2] = {(char)flags, (char)(flags >> 8)};
    rt_bytes_add(&all, first, 2);
    rt_bytes_add(&all, file->data, file->n);
    fuzz_add(list, all.data, all.n);
    rt_bytes_free(&all);
}

static const char table[] =
    "group,obs,x[0],x[1]\nb,1,1,2\n\"a\"\"\",1,5,6\nb,2,3,4\n\"a\"\"\",2,7,8e0\n";

static const char trial[] = "group,obs,arm,x[0],x[1],y\n1,1,drug,1,2,0\n2,1,placebo,3,4,-1\n"
                            "1,2,drug,2,2,5\n2,2,placebo,1e-3,4,6\n";

static const char unequal[] = "group,t,y\na,1,2\nb,0,NA\na,1,\nc,2,5\nd,2,1\ne,0,1\na,1,3\nf,7,1\n";
static const char pairs[] = "obs,group,arm,t,x,y\nu,a,drug,7,2,1\nv,b,none,3,3,NA\nu,b,drug,3,0,2\n"
                            "w,c,none,0,0,5\n";
static const char rows[] = "group,arm,x[0],x[1]\n1,drug,1,2\n2,none,3,4\n2,none,5,6\n";

static void seed_csv(FuzzList *list) {
    static const char *const other[] = {
        "group;obs;x.1;x.2\r\nb;1;1;2\r\na;1;5;6\r\n", "group\tx[0]\tx[1]\nb\t1\t2\nb\t3\t4\n",
        "sep=;\nGroup;obs;X.1;x.2;;\nb;1;1,5;2;;\n\"a\";1;5;6;;\n;;;;;\n"};
    RtBytes text = {0};
    rt_bytes_add(&text, table, sizeof table - 1);
    add_as(list, CSV, &text);
    add_as(list, CSV | GIVEN_GROUP | GIVEN_OBS, &text);
    RtBytes of_trial = {0};
    rt_bytes_add(&of_trial, trial, sizeof trial - 1);
    add_as(list, CSV | COVARIATES, &of_trial);
    of_trial.n = 0;
    rt_bytes_add(&of_trial, rows, sizeof rows - 1);
    add_as(list, CSV | COVARIATES | NEW_ROWS, &of_trial);
    rt_bytes_free(&of_trial);
    RtBytes of_unequal = {0};
    rt_bytes_add(&of_unequal, unequal, sizeof unequal - 1);
    add_as(list, CSV | RAGGED, &of_unequal);
    add_as(list, CSV | RAGGED | NEW_ROWS, &of_unequal);
    of_unequal.n = 0;
    rt_bytes_add(&of_unequal, pairs, sizeof pairs - 1);
    add_as(list, CSV | CROSSED, &of_unequal);
    add_as(list, CSV | CROSSED | NEW_ROWS, &of_unequal);
    rt_bytes_free(&of_unequal);
    unsigned char packed[512];
    z_stream s = {.next_in = (Bytef *)text.data,
                  .avail_in = (uInt)text.n,
                  .next_out = packed,
                  .avail_out = sizeof packed};
    if (deflateInit2(&s, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK) {
        deflate(&s, Z_FINISH);
        RtBytes gz = {0};
        rt_bytes_add(&gz, packed, sizeof packed - s.avail_out);
        add_as(list, CSV_GZ, &gz);
        rt_bytes_free(&gz);
        deflateEnd(&s);
    }
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        text.n = 0;
        rt_bytes_add(&text, other[i], strlen(other[i]));
        add_as(list, CSV, &text);
    }
    rt_bytes_free(&text);
}

static void seed_counts(FuzzList *list, const float *values) {
    static const double count[] = {2, 0, 3, 1};
    static const struct {
        const char *name;
        int64_t n;
    } arrays[] = {{"t.npy", 4}, {"y.npy", 6}, {"obs.count.npy", 4}};
    RtBytes archive = {0}, directory = {0};
    RtError error;
    bool ok = true;
    for (int i = 0; i < 3; i++) {
        RtBytes file = {0};
        rt_npy_write(&file, i == 2 ? (const void *)count : values, i == 2, &arrays[i].n, 1);
        ok = ok && rt_zip_add(&archive, &directory, arrays[i].name, &file, &error);
        rt_bytes_free(&file);
    }
    rt_zip_end(&archive, &directory);
    if (ok) add_as(list, NPZ | RAGGED, &archive);
    rt_bytes_free(&archive);
    rt_bytes_free(&directory);
}

static void seed_arrays(FuzzList *list) {
    static const int64_t dims[] = {2, 3, 2, 2};
    float values[24];
    for (int i = 0; i < 24; i++) values[i] = (float)i / 8;
    for (int batch = 0; batch < 2; batch++) {
        RtBytes file = {0}, archive = {0}, directory = {0};
        RtError error;
        rt_npy_write(&file, values, false, batch ? dims : dims + 1, batch ? 4 : 3);
        add_as(list, NPZ, &file);
        if (rt_zip_add(&archive, &directory, "x.npy", &file, &error)) {
            rt_zip_end(&archive, &directory);
            add_as(list, NPZ, &archive);
        }
        rt_bytes_free(&file);
        rt_bytes_free(&archive);
        rt_bytes_free(&directory);
    }
    seed_counts(list, values);
    RtBytes raw = {0};
    rt_bytes_add(&raw, values, sizeof values);
    add_as(list, BIN, &raw);
    add_as(list, BIN | COVARIATES, &raw);
    add_as(list, BIN | RAGGED, &raw);
    add_as(list, BIN | CROSSED, &raw);
    rt_bytes_free(&raw);
}

/* A zip whose one file is deflated, with sizes that the mutations can make impossible. */
static void seed_deflated(FuzzList *list) {
    RtBytes file = {0}, archive = {0}, directory = {0}, packed = {0};
    float values[24] = {0};
    RtError error;
    rt_npy_write(&file, values, false, (int64_t[]){3, 4, 2}, 3);
    unsigned char room[512];
    z_stream s = {.next_in = (Bytef *)file.data,
                  .avail_in = (uInt)file.n,
                  .next_out = room,
                  .avail_out = sizeof room};
    if (deflateInit2(&s, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) return;
    deflate(&s, Z_FINISH);
    deflateEnd(&s);
    rt_bytes_add(&packed, room, sizeof room - s.avail_out);
    if (rt_zip_add(&archive, &directory, "x.npy", &packed, &error)) {
        uint32_t crc = (uint32_t)crc32_z(0, (const Bytef *)file.data, file.n);
        for (int i = 0; i < 4; i++) directory.data[16 + i] = (char)(crc >> 8 * i);
        for (int i = 0; i < 4; i++) directory.data[24 + i] = (char)(file.n >> 8 * i);
        directory.data[10] = 8;
        rt_zip_end(&archive, &directory);
        add_as(list, NPZ, &archive);
    }
    rt_bytes_free(&file);
    rt_bytes_free(&packed);
    rt_bytes_free(&archive);
    rt_bytes_free(&directory);
}

static void seed_json(FuzzList *list) {
    static const char *const texts[] = {
        "{\"x\": [[[1, 2], [3, 4]], [[5, 6], [7, 8e0]]], \"N\": 2}",
        "{\"more\": {\"a\": [\"]\"]}, \"arm\": [0, 1], \"y\": [[-1], [null]],\n"
        "\"x\": [[[1, 2]], [[3, 4.5]]]}",
        "{\"t\": [1, 2, 3, 4, 5, 6], \"y\": [[1], [2], [null], [4], [5], [6]]}",
        "{\"t\": [1, 2, 3], \"y\": [[1, 2, null], [], [4]]}",
        "{\"t\": [1, 2, 3], \"obs.count\": [1, 0, 2], \"y\": [1, 2, 3]}",
        "{\"t\": [1, 2], \"arm\": [0, 1, 2], \"x\": [[1, 0, 1], [2, 2, 2]],\n"
        "\"y\": [[1, null, 2], [3, 4, 5]]}"};
    static const int model[] = {0, COVARIATES, RAGGED, RAGGED, RAGGED, CROSSED};
    for (int i = 0; i < 6; i++) {
        RtBytes text = {0};
        rt_bytes_add(&text, texts[i], strlen(texts[i]));
        add_as(list, JSON | model[i], &text);
        rt_bytes_free(&text);
    }
}

static void seeds(FuzzList *list) {
    seed_csv(list);
    seed_json(list);
    seed_arrays(list);
    seed_deflated(list);
}

static void words(FuzzList *list) {
    static const char *const some[] = {"group",      "obs",
                                       "x[0]",       "x[1]",
                                       "x.1",        "arm",
                                       "drug",       "y",
                                       ",",          ";",
                                       "\t",         "\"",
                                       "\n",         "\r\n",
                                       "nan",        "inf",
                                       "NA",         "'descr': ",
                                       "'<f8'",      "'>i2'",
                                       "'|b1'",      "'fortran_order': ",
                                       "True",       "False",
                                       "'shape': (", "\x93NUMPY",
                                       "PK\3\4",     "PK\1\2",
                                       "PK\5\6",     "PK\6\6",
                                       "PK\6\7",     "\x1f\x8b",
                                       "x.npy",      "sep=;",
                                       "5-Jan",      "\"x\": ",
                                       "[[1, 2]]",   "null",
                                       "{",          "}",
                                       "]"};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) fuzz_add_word(list, some[i]);
}

static const FuzzTarget target = {"data", run, seeds, words};
FUZZ_MAIN(target)
