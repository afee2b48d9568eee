/* purpose.h -- what random numbers are for: the second word of the key, so that no two purposes of
 * one seed share numbers. Part of rt.h. */
#ifndef ADAVIC_PURPOSE_H
#define ADAVIC_PURPOSE_H

enum {
    RT_FOR_STEP,
    RT_FOR_INIT,
    RT_FOR_PREPARE,
    RT_FOR_VALIDATION,
    RT_FOR_SIMULATE,
    RT_FOR_POSTERIOR,
    RT_FOR_CHECK,
    RT_FOR_SIZES,
    RT_FOR_REFINING,
    RT_FOR_JUDGING,
    RT_FOR_INNER,
    RT_FOR_PREDICT,
    RT_FOR_LABELS,
    RT_FOR_ROUNDS,
    RT_FOR_DEFENSIVE,
    RT_FOR_NEAR,
    RT_FOR_NEAR_DATA,
    RT_FOR_EXCHANGE,
    RT_FOR_EXTENDING
};

#endif
