/* data.h -- data sets in memory, and the files they come from and go to.
 *
 * All readers give the same: plate sizes, and per observed variable and covariate (and context,
 * where the file has it) one array [set, plates, dims] in double. They check everything that a
 * program may rely on (finite numbers, consistent sizes) and say what is wrong, where, and what
 * would be right. No reader trusts a length, an offset or a shape that it found in a file. */
#ifndef ADAVIC_DATA_H
#define ADAVIC_DATA_H

#include "runtime/rt.h"

typedef struct RtData {
    int64_t n_sets;
    RtSizes sizes;   /* by plate of the model */
    double **values; /* by variable of the model: [set, plates, dims]; NULL unless observed, given,
                        a presence, or a context that the file holds */
    char **labels[RT_MAX_PLATES]; /* of a CSV's keys, by flat instance (row-major over the plate's
                                     path); or NULL */
    bool planned;               /* a design: its presences are of pairs of a cross, not of cells */
    bool *there[RT_MAX_PLATES]; /* by flat instance: is it in the file? Others are pairs of a cross
                                   that have no row, or pad groups of unequal size
                                   (RtDataOptions.padded). NULL: all are */
    char ***kinds; /* by variable, NULL: no labels. Of a covariate of n_kinds categories that a CSV
                      names by text: their labels, as far as there are any; or NULL */
    char *unread;  /* names in the file that the model does not read, to be warned of; or NULL */
} RtData;

/* ---- missing.c ---- */
/* The error of a missing value where there must be one; false. `where`: a file, and a place in it;
 * `found`: what stands there. */
bool rt_refuse_missing(const RtVar *v, const char *where, const char *found, RtError *error);
/* Once all of `d` is read: NaN in a variable whose cells may be missing become a presence of 0 and
 * a number that does no harm. False where only some entries of an event are missing. */
bool rt_data_presence(RtMem *mem, const RtModel *m, const char *name, RtData *d, RtError *error);
/* How many cells of this observed variable are missing in a data set, those of pairs that are not
 * in the file aside. */
int64_t rt_missing_cells(const RtModel *m, const RtData *d, int variable, int64_t set);

typedef struct RtDataOptions {
    RtSizes sizes;              /* as trained or declared; ragged plates evenly */
    bool given[RT_MAX_PLATES];  /* by --size: not to be solved for */
    bool ranged[RT_MAX_PLATES]; /* trained over a range: has no size unless it is given or found */
    bool batch;                 /* many data sets in one file */
    bool outcomes_optional; /* what is observed need not be in the file, nor in every cell (.bin,
                               which has no names, aside): NaN, and where the variable has a
                               presence, a presence of 0 */
    bool padded;            /* tables: unequal groups of a plate that is not ragged are as large as
                               the largest; what is observed in the rest is NaN, covariates have
                               values of some instance that is there */
    const RtData *coding;   /* tables: categories by text have the numbers that they have there, new
                               ones the next; NULL: in order of appearance */
} RtDataOptions;

/* Is this instance of the variable's plates in the file? */
static inline bool rt_instance_there(const RtData *d, const RtVar *v, int64_t instance) {
    const bool *there = v->n_plates ? d->there[v->plates[v->n_plates - 1]] : NULL;
    return !there || there[instance];
}
/* How many are: missing.c */
int64_t rt_instances_there(const RtData *d, const RtVar *v);

/* May cells of this variable be empty in a file that is read so? missing.c */
bool rt_may_lack(const RtVar *v, const RtDataOptions *options);
/* Numbers of a variable that the file does not have: NaN at the sizes of `d`. */
double *rt_data_absent(RtMem *mem, const RtVar *v, const RtData *d);

typedef enum { RT_NO_DATA, RT_TABLE, RT_ARRAYS, RT_JSON, RT_BIN } RtFileKind;
RtFileKind rt_file_kind(const char *path); /* RT_NO_DATA: none that can be read */
/* By extension: .bin, .npz, .npy; .csv, .tsv, .txt, .json, each also .gz. False with the reason. */
bool rt_data_read(RtMem *mem, const RtModel *m, const char *path, const RtDataOptions *options,
                  RtData *out, RtError *error);

/* The same on bytes; `name` is for messages. */
bool rt_data_bin(RtMem *mem, const RtModel *m, const char *name, const RtBytes *bytes,
                 const RtDataOptions *options, RtData *out, RtError *error);
bool rt_data_npz(RtMem *mem, const RtModel *m, const char *name, const RtBytes *bytes,
                 const RtDataOptions *options, RtData *out, RtError *error);
bool rt_data_csv(RtMem *mem, const RtModel *m, const char *name, const RtBytes *bytes,
                 const RtDataOptions *options, RtData *out, RtError *error);
/* The column of entry e of a variable: NAME for scalars, NAME[i,j] or NAME.i.j (`dots`; from 1) for
 * entries of events. data_csv.c */
void rt_csv_column(const RtVar *v, int64_t e, bool dots, RtBytes *out);
bool rt_data_json(RtMem *mem, const RtModel *m, const char *name, const RtBytes *bytes,
                  const RtDataOptions *options, RtData *out, RtError *error);
/* The variables of a data file, in its order: what is observed, then what is given. The next one
 * from *at (first 0) on; NULL after the last. */
const RtVar *rt_next_data(const RtModel *m, int *at);
/* Is a value of this variable what the model can take, taken by itself? False with the reason. */
bool rt_value_allowed(const RtVar *v, double x, char why[100]);
/* Is it finite and allowed, also as the program holds it, which may be in float? */
bool rt_value_fits(const RtModel *m, const RtVar *v, double x, char why[100]);
/* The first whole number above the covariate that it ends at (RtVar.most_of), or at which a sum is
 * wrong (RtVar.sums): its position in the array, and what is expected. All have been read. False:
 * there is none. */
bool rt_find_misfit(const RtVar *v, const RtModel *m, const RtData *d, int64_t *at, char why[160]);
/* The instance of `outer`, in the plates around v or the other one of its cross, at the instance of
 * v that rt_var_place found. */
int64_t rt_instance_around(const RtVar *v, const RtVar *outer, const int64_t *index,
                           const int64_t *among);
/* "x: 3 x 50 x 2 (group, obs, dims)" and the like, for messages. */
void rt_shape_text(const RtModel *m, const RtVar *v, const RtSizes *sizes, RtBytes *out);
/* "x[2, 0, 1]": plates first, then event. */
void rt_element_name(const RtVar *v, const RtSizes *sizes, int64_t flat, RtBytes *out);

/* ---- npy.c: one array ---- */
typedef struct RtArray {
    const char *name;
    int n_dims;
    int64_t dims[RT_MAX_PLATES + RT_MAX_DIMS + 2];
    double *values; /* C order */
} RtArray;
bool rt_npy_read(RtMem *mem, const char *name, const unsigned char *bytes, size_t n, RtArray *out,
                 RtError *error);
/* Appends header and numbers; `values` float or double (f64), already in C order. */
void rt_npy_write(RtBytes *out, const void *values, bool f64, const int64_t *dims, int n_dims);
/* The same of texts in UTF-8, as fixed-width strings (dtype U); bytes that are none become U+FFFD.
 */
void rt_npy_write_texts(RtBytes *out, char *const *texts, const int64_t *dims, int n_dims);

/* ---- data_json.c ---- */
/* The arrays of the variables that are data or contexts, under the names of these, and of
 * PLATE.count; `unread`: as in RtData. */
bool rt_json_read(RtMem *mem, const RtModel *m, const char *name, const RtBytes *bytes,
                  RtArray **arrays, int *n, char **unread, RtError *error);

/* ---- labels.c: the labels of a data set in files of draws ---- */
/* {"batch": ["A", "B"], "cask": [["a", "b"], ["a", "c"]]}, plates outermost to innermost, and
 * {"arm": ["drug", "none"]}; nothing where there are none. */
void rt_labels_json(const RtModel *m, const RtData *d, RtBytes *out);
void rt_categories_json(const RtModel *m, const RtData *d, RtBytes *out);
/* Arrays labels/PLATE and categories/COVARIATE. */
bool rt_labels_npz(RtMem *mem, const RtModel *m, const RtData *d, RtBytes *archive,
                   RtBytes *directory, RtError *error);

/* The arrays "PLATE.count" of ragged plates that are not even, or hold one that is not, into an
 * archive. data.c */
bool rt_npz_counts(RtMem *mem, const RtModel *m, const RtSizes *sizes, RtBytes *archive,
                   RtBytes *directory, RtError *error);

/* ---- zip.c: a container of files (stored or deflated when read, stored when written) ---- */
typedef struct RtZipFile {
    const char *name;
    const unsigned char *bytes;
    size_t n;
} RtZipFile;
bool rt_zip_read(RtMem *mem, const char *name, const RtBytes *bytes, RtZipFile **files, int *n,
                 RtError *error);
/* Appends one file to an archive under construction; `directory` collects its entries. */
bool rt_zip_add(RtBytes *archive, RtBytes *directory, const char *name, const RtBytes *file,
                RtError *error);
void rt_zip_end(RtBytes *archive, const RtBytes *directory);

/* Inflates a gzip file in place; leaves anything else as it is. */
bool rt_gunzip(const char *name, RtBytes *bytes, RtError *error);

#endif
