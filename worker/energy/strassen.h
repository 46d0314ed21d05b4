/* SPDX-License-Identifier: Apache-2.0 */
/* One step of Strassen's scheme for the dense product; called by product.c only. */
#ifndef SC_ENERGY_STRASSEN_H
#define SC_ENERGY_STRASSEN_H

#include <stddef.h>

/** Add -2 W H to the gradient, over the even number of agents that is in n and in its first
 * columns. Each value is off by at most a few float roundings of the largest value in its row of W
 * times the largest in its column of H, for each agent. All are by rows, none overlapping.
 *  @param w  n x n, finite
 *  @param h  n x dim, finite, as `gradient`
 *  @return how many columns; 0, and nothing is added, where the system is too small for it to pay
 *          or the processor has no AVX-512 */
size_t sc_energy_strassen(const float *w, const float *h, float *gradient, size_t n, size_t dim);

#endif
