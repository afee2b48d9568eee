/* vectorised.h -- marks loops that are worth the machine's widest vectors.
 *
 *     RT_VECTORISED static void add(double *restrict to, const float *restrict from, int64_t n) {
 * ... }
 *
 * gcc compiles such a function once for each level of instruction sets and chooses when the program
 * starts. Products and sums stay separate roundings, so that all levels give the same bits where
 * the order of operations is written down. Other compilers, and sanitizers, which cannot follow the
 * choice, get one plain function. Include before anything else in a file.
 */
#ifndef ADAVIC_RT_VECTORISED_H
#define ADAVIC_RT_VECTORISED_H

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3", "fp-contract=off", "no-trapping-math", "no-math-errno")
#endif

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define RT_VECTORISED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define RT_VECTORISED
#endif

#endif
