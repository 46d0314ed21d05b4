/* SPDX-License-Identifier: Apache-2.0 */
/* The dense product: the large even part of it by Strassen's scheme, where that pays, the rest by
 * BLAS. Called by energy.c; never allocates. */
#include "worker/energy/product.h"

#include <string.h>

#include <cblas.h>

#include "worker/energy/strassen.h"

/* Where a part begins and how large it is: rows of W and of the gradient, columns of W and rows of
 * H, columns of H and of the gradient. */
typedef struct part {
    size_t row, depth, column;
    size_t n_rows, n_depth, n_columns;
} part;

static void
add_part(const float *w, const float *h, float *gradient, size_t n, size_t dim, const part *p)
{
    if (p->n_rows == 0 || p->n_depth == 0 || p->n_columns == 0)
        return;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)p->n_rows, (int)p->n_columns,
                (int)p->n_depth, -2, w + p->row * n + p->depth, (int)n,
                h + p->depth * dim + p->column, (int)dim, 1, gradient + p->row * dim + p->column,
                (int)dim);
}

void
sc_energy_dense_product(const float *w, const float *h, float *gradient, size_t n, size_t dim)
{
    memset(gradient, 0, n * dim * sizeof *gradient);
    const size_t done = sc_energy_strassen(w, h, gradient, n, dim), even = n - n % 2;
    const part rest[] = {
        {0, even, 0, even, n - even, done}, // what an odd last agent is to the others
        {even, 0, 0, n - even, n, done},    // and they to it
        {0, 0, done, n, n, dim - done},
    };
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        add_part(w, h, gradient, n, dim, &rest[i]);
}
