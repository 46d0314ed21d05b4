/* SPDX-License-Identifier: Apache-2.0 */
/* The dense product against sums in double precision, where Strassen's scheme takes part of it and
 * where it does not. */
#include "tests/unit/test_energy_support.h"
#include "worker/energy/product.h"

/* What -2 W H should be in one place, and what the roundings of a product may come to there. */
static double
want_at(const float *w, const float *h, size_t n, size_t dim, double *bound)
{
    double sum = 0, largest_w = 0, largest_h = 0;
    for (size_t k = 0; k < n; k++) {
        sum += (double)w[k] * (double)h[k * dim];
        largest_w = fmax(largest_w, fabs((double)w[k]));
        largest_h = fmax(largest_h, fabs((double)h[k * dim]));
    }
    *bound = 2e-7 * (double)n * largest_w * largest_h;
    return -2 * sum;
}

/* With `spread` the agents' weights and the columns of H differ by that many powers of e. */
static void
fill(float *w, float *h, size_t n, size_t dim, double spread, sc_random *random)
{
    for (size_t i = 0; i < n; i++) {
        const double size = exp(-spread * sc_random_double(random));
        for (size_t j = 0; j < i; j++)
            w[i * n + j] = w[j * n + i] = (float)(test_signed(random) * size);
        w[i * n + i] = 0;
    }
    for (size_t k = 0; k < dim; k++) {
        const double size = exp(-spread * sc_random_double(random));
        for (size_t i = 0; i < n; i++)
            h[i * dim + k] = (float)(test_signed(random) * size);
    }
}

Test(energy_product, agrees_with_double_precision)
{
    static const struct {
        const char *name;
        size_t n, dim;
        double spread;
    } rows[] = {
        {"one agent", 1, 1, 0},
        {"by BLAS", 100, 16, 0},
        {"too few agents", 511, 96, 0},
        {"too few columns", 600, 95, 0},
        {"quarters", 512, 96, 0},
        {"columns beyond", 512, 131, 0},
        {"an odd agent", 513, 192, 0},
        {"quarters of ragged tiles", 1022, 96, 0},
        {"deeper than a panel, wider than a group", 1061, 500, 0},
        {"values of many sizes", 530, 200, 30},
        {"values at the end of the range", 520, 96, 85},
    };
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        const size_t n = rows[row].n, dim = rows[row].dim;
        float *w = sc_energy_floats(n * n), *h = sc_energy_floats(n * dim);
        float *g = sc_energy_floats(n * dim);
        sc_random random;

        sc_random_init(&random, row + 1);
        fill(w, h, n, dim, rows[row].spread, &random);
        for (size_t k = 0; k < n * dim; k++)
            g[k] = NAN;
        sc_energy_dense_product(w, h, g, n, dim);
        for (size_t k = 0; k < n * dim; k += k % dim == dim - 1 || k / dim == n - 1 ? 1 : 41) {
            double bound, want = want_at(w + k / dim * n, h + k % dim, n, dim, &bound);
            cr_assert(fabs((double)g[k] - want) <= bound + 1e-37, "%s: [%zu][%zu] %g, not %g",
                      rows[row].name, k / dim, k % dim, (double)g[k], want);
        }
        free(w);
        free(h);
        free(g);
    }
}
