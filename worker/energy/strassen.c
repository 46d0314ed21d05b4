/* SPDX-License-Identifier: Apache-2.0 */
/* Strassen's scheme, one step: seven products of quarters instead of eight. Its additions are made
 * while the factors are copied into the cache and the results are stored, so that they cost next to
 * nothing (Huang, Smith, Henry, van de Geijn: "Strassen's Algorithm Reloaded", 2016). With AVX-512,
 * whose registers hold a tile of 8 x 48 results. Sums of quarters would let large rows of W drown
 * small ones; so its rows, and the columns of H, are first scaled by powers of two to the same
 * size, which is exact (Ballard, Benson, Druinsky, Lipshitz, Schwartz: "Improving the Numerical
 * Stability of Fast Matrix Multiplication", 2016). Called by product.c; never allocates. */
#include "worker/energy/strassen.h"

#if defined(__x86_64__)

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "worker/energy/system.h"

#define AVX512 __attribute__((target("avx512f")))

typedef float lanes __attribute__((vector_size(64)));

enum {
    LANES = 16,
    TILE_ROWS = 8,
    TILE_LANES = 3, /* 24 of the 32 registers hold results, 3 the panel, 1 the weight */
    TILE_COLUMNS = TILE_LANES * LANES,
    DEPTH = 512, /* rows of a panel */
    PANELS = 4,  /* kept side by side: 384 KiB, which the second-level cache holds */
    GROUP_COLUMNS = PANELS * TILE_COLUMNS,
    MIN_AGENTS = 512,   /* below this the seven products are too small to save anything */
    MAX_EXPONENT = 100, /* of a scale; rows of smaller or larger values keep some of that */
};

/* What one product adds up, by quarter: upper left, upper right, lower left, lower right. */
typedef struct scheme {
    signed char w[4], h[4], out[4];
} scheme;

static const scheme schemes[] = {
    {{1, 0, 0, 1}, {1, 0, 0, 1}, {1, 0, 0, 1}},  {{0, 0, 1, 1}, {1, 0, 0, 0}, {0, 0, 1, -1}},
    {{1, 0, 0, 0}, {0, 1, 0, -1}, {0, 1, 0, 1}}, {{0, 0, 0, 1}, {-1, 0, 1, 0}, {1, 0, 1, 0}},
    {{1, 1, 0, 0}, {0, 0, 0, 1}, {-1, 1, 0, 0}}, {{-1, 0, 1, 0}, {1, 1, 0, 0}, {0, 0, 0, 1}},
    {{0, 1, 0, -1}, {0, 0, 1, 1}, {1, 0, 0, 0}},
};

/* Powers of two. */
typedef struct scales {
    float row[SC_ENERGY_MAX_DENSE_AGENTS];
    float column[SC_ENERGY_MAX_DIM];
} scales;

/* A quarter of W is rows x rows, one of H rows x columns; all point to the first quarter. */
typedef struct factors {
    const float *w, *h;
    float *out;
    const scales *scales;
    size_t n, dim; /* from row to row: of W; of H and the result */
    size_t rows, columns;
} factors;

/* A stretch of W for TILE_ROWS rows and of H for up to GROUP_COLUMNS columns. */
typedef struct block {
    lanes h[PANELS][DEPTH][TILE_LANES];
    float w[TILE_ROWS][DEPTH];
} block;

static size_t
smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The two parts of a sum: the same one twice, the second time with weight 0, where there is one. */
typedef struct parts {
    int quarter[2];
    float sign[2];
} parts;

static parts
parts_of(const signed char signs[4])
{
    int first = 0, last = 3;
    while (signs[first] == 0)
        first++;
    while (signs[last] == 0)
        last--;
    return (parts){{first, last}, {signs[first], first < last ? signs[last] : 0}};
}

/* The sum of the parts of H, scaled, from row `k` and column `c` on. */
static AVX512 void
gather_h(const factors *f, const scheme *s, size_t k, size_t c, block *b)
{
    const size_t depth = smaller(f->rows - k, DEPTH);
    const parts p = parts_of(s->h);
    for (size_t n = 0; n < PANELS && c + n * TILE_COLUMNS < f->columns; n++) {
        const float *from[2];
        lanes scale[2][TILE_LANES];
        for (int i = 0; i < 2; i++) {
            const size_t row = (size_t)(p.quarter[i] / 2) * f->rows + k;
            const size_t column = (size_t)(p.quarter[i] % 2) * f->columns + c + n * TILE_COLUMNS;
            from[i] = f->h + row * f->dim + column;
            memcpy(scale[i], f->scales->column + column, sizeof scale[i]);
            for (int v = 0; v < TILE_LANES; v++)
                scale[i][v] *= p.sign[i];
        }
        for (size_t row = 0; row < depth; row++) {
            lanes x[2][TILE_LANES];
            for (int i = 0; i < 2; i++)
                memcpy(x[i], from[i] + row * f->dim, sizeof x[i]);
            for (int v = 0; v < TILE_LANES; v++)
                b->h[n][row][v] = scale[0][v] * x[0][v] + scale[1][v] * x[1][v];
        }
    }
}

/* The sum of the parts of W, scaled, from row `r` and column `k` on; zero where there is no row. */
static AVX512 void
gather_w(const factors *f, const scheme *s, size_t r, size_t k, block *b)
{
    const size_t depth = smaller(f->rows - k, DEPTH);
    const parts p = parts_of(s->w);
    for (size_t row = 0; row < TILE_ROWS; row++) {
        const float *restrict from[2];
        float *restrict sum = b->w[row];
        float scale[2];
        if (r + row >= f->rows) {
            memset(sum, 0, sizeof b->w[row]);
            continue;
        }
        for (int i = 0; i < 2; i++) {
            const size_t at = (size_t)(p.quarter[i] / 2) * f->rows + r + row;
            from[i] = f->w + at * f->n + (size_t)(p.quarter[i] % 2) * f->rows + k;
            scale[i] = p.sign[i] * f->scales->row[at];
        }
        for (size_t j = 0; j < depth; j++)
            sum[j] = scale[0] * from[0][j] + scale[1] * from[1][j];
    }
}

typedef lanes tile[TILE_ROWS][TILE_LANES];

/* Adds the product to the parts of the result, its scales taken out. */
static inline __attribute__((always_inline)) AVX512 void
add_tile(const factors *f, const scheme *s, size_t r, size_t c, tile sum)
{
    const size_t rows = smaller(f->rows - r, TILE_ROWS);
    for (int q = 0; q < 4; q++) {
        if (s->out[q] == 0)
            continue;
        const size_t row = (size_t)(q / 2) * f->rows + r, column = (size_t)(q % 2) * f->columns + c;
        lanes scale[TILE_LANES];
        memcpy(scale, f->scales->column + column, sizeof scale);
        for (int v = 0; v < TILE_LANES; v++)
            scale[v] = -2 * (float)s->out[q] / scale[v];
        for (size_t i = 0; i < rows; i++) {
            float *out = f->out + (row + i) * f->dim + column;
            const float row_scale = 1 / f->scales->row[row + i];
            lanes old[TILE_LANES];
            memcpy(old, out, sizeof old);
            for (int v = 0; v < TILE_LANES; v++)
                old[v] += scale[v] * row_scale * sum[i][v];
            memcpy(out, old, sizeof old);
        }
    }
}

static AVX512 void
multiply_tile(const factors *f, const scheme *s, size_t r, size_t c, size_t depth, const block *b,
              size_t p)
{
    tile sum;
    for (int i = 0; i < TILE_ROWS; i++)
        for (int v = 0; v < TILE_LANES; v++)
            sum[i][v] = (lanes){0};
    for (size_t k = 0; k < depth; k++)
        for (int i = 0; i < TILE_ROWS; i++) {
            const float w = b->w[i][k];
            for (int v = 0; v < TILE_LANES; v++)
                sum[i][v] += w * b->h[p][k][v];
        }
    add_tile(f, s, r, c + p * TILE_COLUMNS, sum);
}

static void
multiply(const factors *f, const scheme *s)
{
    block b;
    for (size_t k = 0; k < f->rows; k += DEPTH) {
        const size_t depth = smaller(f->rows - k, DEPTH);
        for (size_t c = 0; c < f->columns; c += GROUP_COLUMNS) {
            gather_h(f, s, k, c, &b);
            for (size_t r = 0; r < f->rows; r += TILE_ROWS) {
                gather_w(f, s, r, k, &b);
                for (size_t p = 0; p < PANELS && c + p * TILE_COLUMNS < f->columns; p++)
                    multiply_tile(f, s, r, c, depth, &b, p);
            }
        }
    }
}

/* ---- scales ---- */

/* The power of two that brings a largest absolute value, given by its bits, to 0.5..1. */
static float
scale_for(uint32_t bits)
{
    float largest;
    int exponent = 0;
    memcpy(&largest, &bits, sizeof largest);
    if (largest > 0)
        frexpf(largest, &exponent);
    exponent = exponent > MAX_EXPONENT    ? MAX_EXPONENT
               : exponent < -MAX_EXPONENT ? -MAX_EXPONENT
                                          : exponent;
    return ldexpf(1, -exponent);
}

/* Floats without their sign are ordered as their bits are. */
static uint32_t
magnitude(const float *value)
{
    uint32_t bits;
    memcpy(&bits, value, sizeof bits);
    return bits & INT32_MAX;
}

static AVX512 void
set_scales(scales *s, const float *w, const float *h, size_t n, size_t dim)
{
    uint32_t columns[SC_ENERGY_MAX_DIM] = {0};
    for (size_t i = 0; i < n; i++) {
        uint32_t largest = 0;
        for (size_t j = 0; j < n; j++) {
            const uint32_t m = magnitude(w + i * n + j);
            largest = m > largest ? m : largest;
        }
        s->row[i] = scale_for(largest);
        for (size_t j = 0; j < dim; j++) {
            const uint32_t m = magnitude(h + i * dim + j);
            columns[j] = m > columns[j] ? m : columns[j];
        }
    }
    for (size_t j = 0; j < dim; j++)
        s->column[j] = scale_for(columns[j]);
}

/* ---- the whole ---- */

size_t
sc_energy_strassen(const float *w, const float *h, float *gradient, size_t n, size_t dim)
{
    const size_t columns = dim / (2 * TILE_COLUMNS) * TILE_COLUMNS;
    scales s;
    if (n < MIN_AGENTS || columns == 0 || !__builtin_cpu_supports("avx512f"))
        return 0;
    set_scales(&s, w, h, n, dim);
    factors f = {w, h, NULL, &s, n, dim, n / 2, columns};
    f.out = gradient;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        multiply(&f, &schemes[i]);
    return 2 * columns;
}

#else

size_t
sc_energy_strassen(const float *w, const float *h, float *gradient, size_t n, size_t dim)
{
    (void)w, (void)h, (void)gradient, (void)n, (void)dim;
    return 0;
}

#endif
