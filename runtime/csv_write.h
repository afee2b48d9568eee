/* csv_write.h -- a data set as a long table (csv_write.c). */
#ifndef ADAVIC_CSV_WRITE_H
#define ADAVIC_CSV_WRITE_H

#include "runtime/data.h"

/* Can every data set of the model be one? False with the reason. */
bool rt_csv_can_hold(const RtModel *m, const char *path, RtError *error);
/* One data set; what it has no values of has no column, what is not finite is an empty cell. Keys
 * are numbers from 1. A reader finds the same data set, cell for cell, and of covariates those of
 * the pairs that have a row. */
bool rt_csv_write(const RtModel *m, const RtData *d, const char *path, RtError *error);

#endif
