/* SPDX-License-Identifier: Apache-2.0 */
/* What a system refuses: sizes, pairs and values that come from outside. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include <criterion/criterion.h>

#include "base/fault.h"
#include "worker/energy/energy.h"

enum { N_AGENTS = 4, DIM = 3, N_EDGES = 2, MAX_PAIRS = 4 };

static sc_energy_system *
new_system(void)
{
    sc_energy_system *s = NULL;
    cr_assert_eq(sc_energy_system_new(N_AGENTS, DIM, N_EDGES, &s), 0);
    return s;
}

Test(energy_system, sizes)
{
    static const struct {
        const char *name;
        size_t n_agents, dim, n_edges;
        int want;
    } rows[] = {
        {"smallest", 1, 1, 0, 0},
        {"no agents", 0, 1, 0, SC_EBADARG},
        {"no dimension", 1, 0, 0, SC_EBADARG},
        {"most edges", 1, 1, SC_ENERGY_MAX_EDGES, 0},
        {"too many agents", (size_t)SC_ENERGY_MAX_AGENTS + 1, 1, 0, SC_ETOOLARGE},
        {"too long rows", 1, SC_ENERGY_MAX_DIM + 1, 0, SC_ETOOLARGE},
        {"too many values", SC_ENERGY_MAX_AGENTS, 257, 0, SC_ETOOLARGE},
        {"too many edges", 1, 1, (size_t)SC_ENERGY_MAX_EDGES + 1, SC_ETOOLARGE},
        {"product overflows", SIZE_MAX, SIZE_MAX, 0, SC_ETOOLARGE},
        {"largest size", SIZE_MAX, 1, SIZE_MAX, SC_ETOOLARGE},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        sc_energy_system *s = NULL;
        int rc = sc_energy_system_new(rows[k].n_agents, rows[k].dim, rows[k].n_edges, &s);
        cr_expect_eq(rc, rows[k].want, "%s: %d", rows[k].name, rc);
        cr_expect_eq(s != NULL, rc == 0, "%s", rows[k].name);
        sc_energy_system_free(&s);
        cr_expect_null(s, "%s", rows[k].name);
    }
    sc_energy_system_free(NULL);
}

Test(energy_system, pairs)
{
    static const struct {
        const char *name;
        sc_energy_pair pairs[MAX_PAIRS];
        size_t n_pairs;
        int want;
    } rows[] = {
        {"none", {{0}}, 0, 0},
        {"in any order", {{2, 3, 1}, {0, 1, -2}, {0, 3, 0}}, 3, 0},
        {"i = j", {{1, 1, 1}}, 1, SC_EBADARG},
        {"i > j", {{2, 1, 1}}, 1, SC_EBADARG},
        {"j = n", {{0, N_AGENTS, 1}}, 1, SC_EBADARG},
        {"both far away", {{UINT32_MAX - 1, UINT32_MAX, 1}}, 1, SC_EBADARG},
        {"second is bad", {{0, 1, 1}, {0, 9, 1}}, 2, SC_EBADARG},
        {"twice", {{0, 1, 1}, {1, 2, 1}, {0, 1, 1}}, 3, SC_EBADARG},
        {"not a number", {{0, 1, NAN}}, 1, SC_EBADARG},
        {"infinite", {{0, 1, -INFINITY}}, 1, SC_EBADARG},
        {"infinite in single precision", {{0, 1, 1e39}}, 1, SC_EBADARG},
        {"too many", {{0}}, (size_t)SC_ENERGY_MAX_PAIRS + 1, SC_ETOOLARGE},
        {"size overflows", {{0}}, SIZE_MAX, SC_ETOOLARGE},
    };
    static const sc_energy_pair first = {0, 1, 0.5};
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        sc_energy_system *s = new_system();
        sc_error err = {0};
        cr_assert_eq(sc_energy_system_set_pairs(s, &first, 1, NULL), 0, "%s", rows[k].name);
        int rc = sc_energy_system_set_pairs(s, rows[k].pairs, rows[k].n_pairs, &err);
        cr_expect_eq(rc, rows[k].want, "%s: %d", rows[k].name, rc);
        cr_expect_eq(err.code, rc, "%s: %s", rows[k].name, err.text);
        cr_expect_eq(s->n_pairs, rc == 0 ? rows[k].n_pairs : 1, "%s", rows[k].name);
        if (rc != 0)
            cr_expect_eq(s->weight[s->row_start[1]], first.w, "%s: W as before", rows[k].name);
        sc_energy_system_free(&s);
    }
}

/* The full matrix of what was set: symmetric, and nothing else in it. */
Test(energy_system, dense_weights)
{
    static const sc_energy_pair pairs[] = {{1, 3, 3}, {0, 1, 1}, {0, 2, -2}};
    static const float want[N_AGENTS][N_AGENTS] = {
        {0, 1, -2, 0}, {1, 0, 0, 3}, {-2, 0, 0, 0}, {0, 3, 0, 0}};
    sc_energy_system *s = new_system();
    float got[N_AGENTS][N_AGENTS];
    cr_assert_eq(sc_energy_system_set_pairs(s, pairs, 3, NULL), 0);
    cr_assert_eq(sc_energy_dense_weights(s, &got[0][0]), 0);
    for (int i = 0; i < N_AGENTS; i++)
        for (int j = 0; j < N_AGENTS; j++)
            cr_expect_eq(got[i][j], want[i][j], "(%d, %d)", i, j);
    sc_energy_system_free(&s);
    cr_assert_eq(sc_energy_system_new(SC_ENERGY_MAX_DENSE_AGENTS + 1, 1, 0, &s), 0);
    cr_expect_eq(sc_energy_dense_weights(s, &got[0][0]), SC_ETOOLARGE);
    sc_energy_system_free(&s);
}

enum array { H, P, SEL, WE, CAPABILITY, MEM_UTIL, S_NORM, R_EFFECTIVE, P_COMPRESS, DRIFT, ANOMALY };

static void
set_value(sc_energy_system *s, enum array array, double value)
{
    float *const floats[] = {[H] = s->h + N_AGENTS * DIM - 1,
                             [P] = s->p + N_AGENTS * SC_ENERGY_ROLES - 1,
                             [SEL] = s->sel + N_EDGES - 1,
                             [WE] = s->we + N_EDGES - 1};
    double *const doubles[] = {[CAPABILITY] = s->capability + N_AGENTS - 1,
                               [MEM_UTIL] = s->mem_util + N_AGENTS - 1,
                               [S_NORM] = &s->s_norm,
                               [R_EFFECTIVE] = &s->r_effective,
                               [P_COMPRESS] = &s->p_compress,
                               [DRIFT] = &s->drift,
                               [ANOMALY] = &s->anomaly};
    if (array < CAPABILITY)
        *floats[array] = (float)value;
    else
        *doubles[array] = value;
}

Test(energy_system, values)
{
    static const struct {
        const char *name;
        enum array array;
        double value;
        int want;
    } rows[] = {
        {"h negative", H, -1, 0},
        {"h NaN", H, NAN, SC_EBADARG},
        {"h infinite", H, INFINITY, SC_EBADARG},
        {"p above 1", P, 7, 0},
        {"p negative", P, -0.1, SC_EBADARG},
        {"p NaN", P, NAN, SC_EBADARG},
        {"sel NaN", SEL, NAN, SC_EBADARG},
        {"we infinite", WE, -INFINITY, SC_EBADARG},
        {"capability 1", CAPABILITY, 1, 0},
        {"capability above 1", CAPABILITY, 1.1, SC_EBADARG},
        {"capability NaN", CAPABILITY, NAN, SC_EBADARG},
        {"mem_util negative", MEM_UTIL, -0.1, SC_EBADARG},
        {"s_norm negative", S_NORM, -1, SC_EBADARG},
        {"s_norm NaN", S_NORM, NAN, SC_EBADARG},
        {"s_norm whose square overflows", S_NORM, 1e200, SC_EBADARG},
        {"r_effective 0", R_EFFECTIVE, 0, 0},
        {"r_effective NaN", R_EFFECTIVE, NAN, SC_EBADARG},
        {"p_compress infinite", P_COMPRESS, INFINITY, SC_EBADARG},
        {"drift NaN", DRIFT, NAN, SC_EBADARG},
        {"anomaly infinite", ANOMALY, INFINITY, SC_EBADARG},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        sc_energy_system *s = new_system();
        sc_error err = {0};
        set_value(s, rows[k].array, rows[k].value);
        int rc = sc_energy_system_check(s, &err);
        cr_expect_eq(rc, rows[k].want, "%s: %d", rows[k].name, rc);
        cr_expect_eq(strlen(err.text) > 0, rc != 0, "%s: '%s'", rows[k].name, err.text);
        sc_energy_system_free(&s);
    }
}

#ifdef SC_FAULTS
/* The 1st, 2nd, ... allocation fails until all pass; nothing leaks, nothing is left behind. */
Test(energy_system, no_memory)
{
    int rc = SC_ENOMEM;
    for (uint64_t nth = 1; rc != 0; nth++) {
        sc_energy_system *s = NULL;
        cr_assert_lt(nth, 20);
        sc_fault_set("energy.alloc", nth);
        rc = sc_energy_system_new(N_AGENTS, DIM, N_EDGES, &s);
        cr_expect(rc == 0 || (rc == SC_ENOMEM && s == NULL), "allocation %d", (int)nth);
        sc_energy_system_free(&s);
    }
    sc_fault_reset();
    sc_energy_system *s = new_system();
    sc_energy_gradient g;
    for (uint64_t nth = 1; nth <= 2; nth++) {
        sc_fault_set("energy.alloc", nth);
        cr_expect_eq(sc_energy_gradient_init(&g, s), SC_ENOMEM, "gradient %d", (int)nth);
        cr_expect_null(g.h, "gradient %d", (int)nth);
    }
    static const sc_energy_pair pair = {0, 1, 0.5};
    sc_fault_set("energy.pairs", 1);
    cr_expect_eq(sc_energy_system_set_pairs(s, &pair, 1, NULL), SC_ENOMEM);
    cr_expect_eq(s->n_pairs, 0);
    sc_fault_reset();
    sc_energy_system_free(&s);
}
#endif
