/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of this folder: the only code here that is shaped by the processor. Data in
 * single precision, sums in double. Sizes are trusted: the callers are the other files of this
 * folder. */
#ifndef SC_ENERGY_KERNEL_H
#define SC_ENERGY_KERNEL_H

#include <stddef.h>

#include "worker/energy/system.h"

/* Two sums of one pass over H and the gradient. */
typedef struct sc_energy_sums {
    double pair;   /* <H, gradient> / 2: the term `pair` */
    double square; /* squared Frobenius norm of the gradient */
} sc_energy_sums;

/** <a, b> in double precision. */
double sc_energy_dot(const float *a, const float *b, size_t n);

/** <a, b> / 2 and <b, b> of n values in one pass. */
sc_energy_sums sc_energy_pair_sums(const float *h, const float *gradient, size_t n);

/** gradient = -2 W H over the sparse rows of W, and both sums while each row is in the cache.
 *  @param gradient  n_agents x dim, written */
sc_energy_sums sc_energy_sparse_product(const sc_energy_system *s, float *gradient);

#endif
