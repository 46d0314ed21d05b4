/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops. Called by energy.c and ledger.c only. A row of the sparse product is gathered
 * from rows of H that lie anywhere, so memory sets its pace: rows are fetched into the second-level
 * cache well before they are added, and the row that is written stays in the first until it is
 * complete. */
#include "worker/energy/kernel.h"

#include <string.h>

/* The loops exist once for each of these, and the loader takes the best that the processor has. */
#ifdef SC_KERNEL_CLONES
#define KERNEL __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define KERNEL
#endif

enum {
    LINE_FLOATS = 16, /* a cache line of 64 bytes */
    ROWS_AHEAD = 8,   /* of 1.5 KiB at dim 384: enough in flight, and a small part of the cache */
    SECOND_LEVEL = 2, /* __builtin_prefetch's name for that cache */
};

static inline double
dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t k = 0; k < n; k++)
        sum += (double)a[k] * (double)b[k];
    return sum;
}

static inline sc_energy_sums
pair_sums(const float *h, const float *gradient, size_t n)
{
    double pair = 0, square = 0;
#pragma omp simd reduction(+ : pair, square)
    for (size_t k = 0; k < n; k++) {
        double g = (double)gradient[k];
        pair += (double)h[k] * g;
        square += g * g;
    }
    return (sc_energy_sums){.pair = pair / 2, .square = square};
}

KERNEL double
sc_energy_dot(const float *a, const float *b, size_t n)
{
    return dot(a, b, n);
}

KERNEL sc_energy_sums
sc_energy_pair_sums(const float *h, const float *gradient, size_t n)
{
    return pair_sums(h, gradient, n);
}

KERNEL sc_energy_sums
sc_energy_sparse_product(const sc_energy_system *s, float *gradient)
{
    const size_t dim = s->dim, n_entries = s->row_start[s->n_agents];
    sc_energy_sums sums = {0, 0};
    for (size_t i = 0; i < s->n_agents; i++) {
        float *restrict row = gradient + i * dim;
        memset(row, 0, dim * sizeof *row);
        for (size_t at = s->row_start[i]; at < s->row_start[i + 1]; at++) {
            const size_t later = at + ROWS_AHEAD < n_entries ? at + ROWS_AHEAD : at;
            const float *restrict h = s->h + s->column[at] * dim;
            const float *ahead = s->h + s->column[later] * dim;
            const float w = -2 * (float)s->weight[at];
            for (size_t k = 0; k < dim; k += LINE_FLOATS)
                __builtin_prefetch(ahead + k, 0, SECOND_LEVEL);
            for (size_t k = 0; k < dim; k++)
                row[k] += w * h[k];
        }
        sc_energy_sums part = pair_sums(s->h + i * dim, row, dim);
        sums.pair += part.pair;
        sums.square += part.square;
    }
    return sums;
}
