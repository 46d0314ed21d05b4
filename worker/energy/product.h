/* SPDX-License-Identifier: Apache-2.0 */
/* The dense product behind energy and gradient; called by energy.c only. */
#ifndef SC_ENERGY_PRODUCT_H
#define SC_ENERGY_PRODUCT_H

#include <stddef.h>

/** gradient = -2 W H in single precision, all by rows, none overlapping.
 *  @param w  n x n
 *  @param h  n x dim, as `gradient` */
void sc_energy_dense_product(const float *w, const float *h, float *gradient, size_t n, size_t dim);

#endif
