/* SPDX-License-Identifier: Apache-2.0 */
/* The dense product. BLAS copies both factors into its own order first, which for a W of this shape
 * costs a tenth of the time; with AVX-512, whose registers hold a tile of 8 x 48 results, W is used
 * where it lies and only a panel of H is copied. Other processors take BLAS. Called by energy.c;
 * never allocates. */
#include "worker/energy/product.h"

#include <stdbool.h>
#include <string.h>

#include <cblas.h>

#if defined(__x86_64__)

typedef float lanes __attribute__((vector_size(64)));

enum {
    LANES = 16,
    TILE_ROWS = 8,
    TILE_LANES = 3, /* 24 of the 32 registers hold results, 3 the panel, 1 the weight */
    TILE_COLUMNS = TILE_LANES * LANES,
    DEPTH = 1024, /* rows of a panel: 192 KiB, which the second-level cache keeps */
};

/* Where a tile takes its part of the product from, and where it adds it. */
typedef struct tile {
    const float *w;     /* its first row, at the panel's first column */
    const float *ahead; /* the tile to fetch into the cache meanwhile */
    size_t n;           /* from row to row of both */
    const lanes *panel; /* depth x TILE_LANES */
    size_t depth;
    float *gradient; /* its first value */
    size_t dim;      /* from row to row of the gradient */
    size_t width;    /* columns that exist, 1..TILE_COLUMNS */
} tile;

/* `n_rows` is a constant of each call, so that the loops over it unroll and `sum` stays in
 * registers. */
static inline __attribute__((always_inline, target("avx512f"))) void
add_tile(const tile *t, int n_rows)
{
    lanes sum[TILE_ROWS][TILE_LANES] = {{{0}}};
    for (size_t k = 0; k < t->depth; k++) {
        const lanes *h = t->panel + k * TILE_LANES;
        for (int r = 0; r < n_rows && k % LANES == 0; r++) // a cache line of weights
            __builtin_prefetch(t->ahead + (size_t)r * t->n + k);
        for (int r = 0; r < n_rows; r++) {
            const float w = t->w[(size_t)r * t->n + k];
            for (int v = 0; v < TILE_LANES; v++)
                sum[r][v] += w * h[v];
        }
    }
    for (int r = 0; r < n_rows; r++) {
        float *out = t->gradient + (size_t)r * t->dim;
        lanes old[TILE_LANES] = {{0}};
        memcpy(old, out, t->width * sizeof *out);
        for (int v = 0; v < TILE_LANES; v++)
            old[v] -= 2 * sum[r][v];
        memcpy(out, old, t->width * sizeof *out);
    }
}

static __attribute__((target("avx512f"))) void
add_eight_rows(const tile *t)
{
    add_tile(t, TILE_ROWS);
}

static __attribute__((target("avx512f"))) void
add_one_row(const tile *t)
{
    add_tile(t, 1);
}

/* The product over `depth` columns of W and `width` columns of H. */
static void
add_panel(tile t, size_t n, const float *h)
{
    lanes panel[DEPTH * TILE_LANES];
    for (size_t k = 0; k < t.depth; k++) {
        lanes *row = panel + k * TILE_LANES;
        memset(row, 0, TILE_COLUMNS * sizeof *h); // columns that do not exist
        memcpy(row, h + k * t.dim, t.width * sizeof *h);
    }
    t.panel = panel;
    for (size_t i = 0; i < n;) {
        bool is_full = n - i >= TILE_ROWS;
        t.ahead = n - i >= 2 * TILE_ROWS ? t.w + TILE_ROWS * t.n : t.w;
        (is_full ? add_eight_rows : add_one_row)(&t);
        size_t n_done = is_full ? TILE_ROWS : 1;
        t.w += n_done * t.n;
        t.gradient += n_done * t.dim;
        i += n_done;
    }
}

static void
multiply_by_tiles(const float *w, const float *h, float *gradient, size_t n, size_t dim)
{
    memset(gradient, 0, n * dim * sizeof *gradient);
    for (size_t k = 0; k < n; k += DEPTH) {
        for (size_t column = 0; column < dim; column += TILE_COLUMNS) {
            const size_t left = dim - column;
            tile t = {.w = w + k,
                      .n = n,
                      .depth = n - k < DEPTH ? n - k : DEPTH,
                      .gradient = gradient + column,
                      .dim = dim,
                      .width = left < TILE_COLUMNS ? left : TILE_COLUMNS};
            add_panel(t, n, h + k * dim + column);
        }
    }
}

static bool
has_tiles(void)
{
    return __builtin_cpu_supports("avx512f");
}

#else

static bool
has_tiles(void)
{
    return false;
}

static void
multiply_by_tiles(const float *w, const float *h, float *gradient, size_t n, size_t dim)
{
    (void)w, (void)h, (void)gradient, (void)n, (void)dim;
}

#endif

void
sc_energy_dense_product(const float *w, const float *h, float *gradient, size_t n, size_t dim)
{
    if (has_tiles())
        multiply_by_tiles(w, h, gradient, n, dim);
    else
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)n, (int)dim, (int)n, -2, w,
                    (int)n, h, (int)dim, 0, gradient, (int)dim);
}
