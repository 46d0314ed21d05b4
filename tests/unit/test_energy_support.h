/* SPDX-License-Identifier: Apache-2.0 */
/* Random systems from a seed, for the tests of worker/energy. */
#ifndef TEST_ENERGY_SUPPORT_H
#define TEST_ENERGY_SUPPORT_H

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "base/random.h"
#include "worker/energy/energy.h"

typedef struct random_shape {
    uint64_t seed;
    size_t n_agents, dim, n_edges;
    double density; /* share of the pairs that are there */
} random_shape;

static inline double
test_signed(sc_random *random)
{
    return 2 * sc_random_double(random) - 1;
}

static inline bool
test_is_near(double got, double want, double relative, double absolute)
{
    return fabs(got - want) <= fmax(relative * fabs(want), absolute);
}

static inline void
test_set_random_pairs(sc_energy_system *s, double density, sc_random *random)
{
    sc_energy_pair *pairs = calloc(s->n_agents * s->n_agents + 1, sizeof *pairs);
    size_t n = 0;
    for (uint32_t j = 1; j < s->n_agents; j++)
        for (uint32_t i = 0; i < j; i++)
            if (sc_random_double(random) < density)
                pairs[n++] = (sc_energy_pair){.i = i, .j = j, .w = test_signed(random)};
    cr_assert_eq(sc_energy_system_set_pairs(s, pairs, n, NULL), 0);
    free(pairs);
}

static inline sc_energy_system *
test_random_system(const random_shape *shape)
{
    sc_random random;
    sc_energy_system *s = NULL;
    sc_random_init(&random, shape->seed);
    cr_assert_eq(sc_energy_system_new(shape->n_agents, shape->dim, shape->n_edges, &s), 0);
    for (size_t k = 0; k < s->n_agents * s->dim; k++)
        s->h[k] = (float)test_signed(&random);
    for (size_t k = 0; k < s->n_agents * SC_ENERGY_ROLES; k++)
        s->p[k] = (float)(1.2 * sc_random_double(&random));
    for (size_t k = 0; k < s->n_agents; k++) {
        s->capability[k] = sc_random_double(&random);
        s->mem_util[k] = sc_random_double(&random);
    }
    for (size_t k = 0; k < s->n_edges; k++) {
        s->sel[k] = (float)sc_random_double(&random);
        s->we[k] = (float)(2 * test_signed(&random));
    }
    s->s_norm = 5 * sc_random_double(&random);
    s->r_effective = 3 * sc_random_double(&random);
    s->p_compress = sc_random_double(&random);
    s->drift = sc_random_double(&random);
    s->anomaly = sc_random_double(&random);
    test_set_random_pairs(s, shape->density, &random);
    cr_assert_eq(sc_energy_system_check(s, NULL), 0);
    return s;
}

#endif
