/* SPDX-License-Identifier: Apache-2.0 */
/* Memory and validation of a system. Called by the handlers before any computation; sizes and
 * values come from outside, so nothing here asserts them, and nothing after it checks them again.
 */
#include "worker/energy/system.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fault.h"

static const double SCALAR_MAX = 1e100; /* its square is finite, and so is any sum of terms */

enum { LARGE_PAGE_BYTES = 2 << 20, LINE_BYTES = 64 };

float *
sc_energy_floats(size_t n)
{
    size_t bytes = n * sizeof(float);
    size_t unit = bytes >= 2 * LARGE_PAGE_BYTES ? LARGE_PAGE_BYTES : LINE_BYTES;
    bytes = (bytes / unit + 1) * unit;
    if (SC_FAULT("energy.alloc"))
        return NULL;
    float *values = aligned_alloc(unit, bytes);
    if (values == NULL)
        return NULL;
    // Rows of W point anywhere in H: with small pages each row would cost a page walk. Only a hint.
    if (unit == LARGE_PAGE_BYTES)
        (void)madvise(values, bytes, MADV_HUGEPAGE);
    return memset(values, 0, bytes);
}

int
sc_energy_system_new(size_t n_agents, size_t dim, size_t n_edges, sc_energy_system **out)
{
    if (n_agents == 0 || dim == 0)
        return SC_EBADARG;
    if (n_agents > SC_ENERGY_MAX_AGENTS || dim > SC_ENERGY_MAX_DIM ||
        n_agents * dim > SC_ENERGY_MAX_VALUES || n_edges > SC_ENERGY_MAX_EDGES)
        return SC_ETOOLARGE;
    sc_energy_system *s = calloc(1, sizeof *s);
    if (s == NULL)
        return SC_ENOMEM;
    s->n_agents = n_agents;
    s->dim = dim;
    s->n_edges = n_edges;
    s->r_effective = 1;
    s->h = sc_energy_floats(n_agents * dim);
    s->p = sc_energy_floats(n_agents * SC_ENERGY_ROLES);
    s->capability = calloc(n_agents, sizeof *s->capability);
    s->mem_util = calloc(n_agents, sizeof *s->mem_util);
    s->sel = sc_energy_floats(n_edges);
    s->we = sc_energy_floats(n_edges);
    s->row_start = calloc(n_agents + 1, sizeof *s->row_start);
    if (!s->h || !s->p || !s->capability || !s->mem_util || !s->sel || !s->we || !s->row_start) {
        sc_energy_system_free(&s);
        return SC_ENOMEM;
    }
    *out = s;
    return 0;
}

void
sc_energy_system_free(sc_energy_system **s)
{
    if (s == NULL || *s == NULL)
        return;
    sc_energy_system *dead = *s;
    *s = NULL;
    free(dead->h);
    free(dead->p);
    free(dead->capability);
    free(dead->mem_util);
    free(dead->sel);
    free(dead->we);
    free(dead->row_start);
    free(dead->column);
    free(dead->weight);
    free(dead);
}

static int
check_pair(const sc_energy_system *s, const sc_energy_pair *pair, sc_error *err)
{
    if (pair->i >= pair->j || pair->j >= s->n_agents)
        return sc_error_set(err, SC_EBADARG, "pair (%u, %u): not i < j < %zu", pair->i, pair->j,
                            s->n_agents);
    if (!isfinite((float)pair->w))
        return sc_error_set(err, SC_EBADARG, "pair (%u, %u): the weight is not finite", pair->i,
                            pair->j);
    return 0;
}

/* Counts the entries of each row into row_start, as offsets: row i ends where row i + 1 starts. */
static void
count_rows(size_t *row_start, size_t n_agents, const sc_energy_pair *pairs, size_t n_pairs)
{
    for (size_t k = 0; k < n_pairs; k++) {
        row_start[pairs[k].i + 1]++;
        row_start[pairs[k].j + 1]++;
    }
    for (size_t i = 0; i < n_agents; i++)
        row_start[i + 1] += row_start[i];
}

static void
fill_rows(const sc_energy_system *s, size_t *next, const sc_energy_pair *pairs)
{
    for (size_t k = 0; k < s->n_pairs; k++) {
        size_t at_i = next[pairs[k].i]++, at_j = next[pairs[k].j]++;
        s->column[at_i] = pairs[k].j;
        s->column[at_j] = pairs[k].i;
        s->weight[at_i] = s->weight[at_j] = pairs[k].w;
    }
}

/* A column seen twice in one row is a pair given twice; `seen` holds the last row of each column.
 */
static int
check_twice(const sc_energy_system *s, size_t *seen, sc_error *err)
{
    memset(seen, 0, s->n_agents * sizeof *seen);
    for (size_t i = 0; i < s->n_agents; i++) {
        for (size_t at = s->row_start[i]; at < s->row_start[i + 1]; at++) {
            uint32_t j = s->column[at];
            if (seen[j] == i + 1)
                return sc_error_set(err, SC_EBADARG, "pair (%zu, %u) is given twice", i, j);
            seen[j] = i + 1;
        }
    }
    return 0;
}

int
sc_energy_system_set_pairs(sc_energy_system *s, const sc_energy_pair *pairs, size_t n_pairs,
                           sc_error *err)
{
    if (n_pairs > SC_ENERGY_MAX_PAIRS)
        return sc_error_set(err, SC_ETOOLARGE, "%zu pairs, at most %d", n_pairs,
                            SC_ENERGY_MAX_PAIRS);
    for (size_t k = 0; k < n_pairs; k++) {
        int rc = check_pair(s, &pairs[k], err);
        if (rc != 0)
            return rc;
    }
    sc_energy_system rows = *s; // W is replaced only where all of the new one is good
    rows.n_pairs = n_pairs;
    rows.row_start = calloc(s->n_agents + 1, sizeof *rows.row_start);
    rows.column = calloc(2 * n_pairs + 1, sizeof *rows.column);
    rows.weight = calloc(2 * n_pairs + 1, sizeof *rows.weight);
    size_t *next = calloc(s->n_agents, sizeof *next);
    int rc = SC_ENOMEM;
    if (!rows.row_start || !rows.column || !rows.weight || !next || SC_FAULT("energy.pairs")) {
        sc_error_set(err, rc, "no memory for %zu pairs", n_pairs);
        goto fail;
    }
    count_rows(rows.row_start, s->n_agents, pairs, n_pairs);
    memcpy(next, rows.row_start, s->n_agents * sizeof *next);
    fill_rows(&rows, next, pairs);
    rc = check_twice(&rows, next, err);
    if (rc != 0)
        goto fail;
    free(next);
    free(s->row_start);
    free(s->column);
    free(s->weight);
    *s = rows;
    return 0;
fail:
    free(next);
    free(rows.row_start);
    free(rows.column);
    free(rows.weight);
    return rc;
}

static int
check_floats(const char *name, const float *values, size_t n, sc_error *err)
{
    for (size_t k = 0; k < n; k++)
        if (!isfinite(values[k]))
            return sc_error_set(err, SC_EBADARG, "%s[%zu] is not finite", name, k);
    return 0;
}

static int
check_agents(const sc_energy_system *s, sc_error *err)
{
    for (size_t i = 0; i < s->n_agents; i++) {
        const float *p = s->p + i * SC_ENERGY_ROLES;
        if (p[0] < 0 || p[1] < 0 || p[2] < 0)
            return sc_error_set(err, SC_EBADARG, "agent %zu: a role weight is negative", i);
        if (!(s->capability[i] >= 0 && s->capability[i] <= 1))
            return sc_error_set(err, SC_EBADARG, "agent %zu: capability is not in 0..1", i);
        if (!(s->mem_util[i] >= 0 && s->mem_util[i] <= 1))
            return sc_error_set(err, SC_EBADARG, "agent %zu: mem_util is not in 0..1", i);
    }
    return 0;
}

static int
check_scalars(const sc_energy_system *s, sc_error *err)
{
    const struct {
        const char *name;
        double value;
    } scalars[] = {
        {"s_norm", s->s_norm}, {"r_effective", s->r_effective}, {"p_compress", s->p_compress},
        {"drift", s->drift},   {"anomaly", s->anomaly},
    };
    for (size_t k = 0; k < sizeof scalars / sizeof scalars[0]; k++)
        if (!(fabs(scalars[k].value) <= SCALAR_MAX))
            return sc_error_set(err, SC_EBADARG, "%s is not finite, or too large", scalars[k].name);
    return s->s_norm < 0 ? sc_error_set(err, SC_EBADARG, "s_norm is negative") : 0;
}

int
sc_energy_system_check(const sc_energy_system *s, sc_error *err)
{
    const struct {
        const char *name;
        const float *values;
        size_t n;
    } arrays[] = {
        {"h", s->h, s->n_agents * s->dim},
        {"p", s->p, s->n_agents * SC_ENERGY_ROLES},
        {"selection", s->sel, s->n_edges},
        {"weight", s->we, s->n_edges},
    };
    for (size_t k = 0; k < sizeof arrays / sizeof arrays[0]; k++) {
        int rc = check_floats(arrays[k].name, arrays[k].values, arrays[k].n, err);
        if (rc != 0)
            return rc;
    }
    int rc = check_agents(s, err);
    return rc != 0 ? rc : check_scalars(s, err);
}
