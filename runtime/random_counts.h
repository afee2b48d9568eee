/* random_counts.h -- whole numbers at random: one try at a Poisson or a binomial number, from the
 * four random words of one counter (random.c). */
#ifndef ADAVIC_RANDOM_COUNTS_H
#define ADAVIC_RANDOM_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

/* False: rejected; the next try takes fresh words. The number is exact in double; where there is no
 * law (a rate or probability outside of its set, n no whole number) it is NaN. A rate, and n, may
 * reach 1e12; rates beyond have no law either. */
bool av_try_poisson(const uint32_t words[4], double rate, double *value);
bool av_try_binomial(const uint32_t words[4], double n, double p, double *value);

#endif
