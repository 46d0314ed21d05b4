/* SPDX-License-Identifier: Apache-2.0 */
/* Energy and gradient: gradients against differences of the energy, the three ways against each
 * other, and the edges of each term. */
#include "tests/unit/test_energy_support.h"

static const struct {
    const char *name;
    random_shape shape;
} systems[] = {
    {"one agent", {1, 1, 1, 0, 0}},
    {"two agents, no pair", {2, 2, 3, 1, 0}},
    {"two agents, one pair", {3, 2, 5, 2, 1}},
    {"odd dimension", {4, 9, 17, 3, 0.5}},
    {"full", {5, 12, 16, 7, 1}},
    {"sparse", {6, 40, 33, 0, 0.1}},
    {"long rows", {7, 5, 400, 1, 0.8}},
    {"large enough for the scheme of Strassen", {8, 523, 100, 0, 0.05}},
};
/* Slopes are taken value by value: of all systems but the large one at the end. */
enum { N_SYSTEMS = sizeof systems / sizeof systems[0], N_SMALL = N_SYSTEMS - 1 };

static double
total(const sc_energy_system *s, const sc_energy_coefficients *c)
{
    sc_energy_terms terms;
    sc_energy_exact(s, c, &terms);
    return terms.total;
}

/* Central difference of the energy along one float, which is put back. The energy is at most
 * quadratic in each, so the difference is exact but for rounding. */
static double
slope(const sc_energy_system *s, const sc_energy_coefficients *c, float *value)
{
    const float kept = *value, step = 0.0625F;
    *value = kept + step;
    double above = total(s, c), width = (double)*value;
    *value = kept - step;
    double below = total(s, c);
    width -= (double)*value;
    *value = kept;
    return (above - below) / width;
}

Test(energy, gradients_are_slopes)
{
    for (size_t row = 0; row < N_SMALL; row++) {
        const char *name = systems[row].name;
        sc_energy_system *s = test_random_system(&systems[row].shape);
        sc_energy_coefficients c;
        sc_energy_gradient g;
        sc_energy_terms terms;
        double square = 0;

        sc_energy_coefficients_init(&c);
        cr_assert_eq(sc_energy_gradient_init(&g, s), 0, "%s", name);
        sc_energy_sparse(s, &c, &terms, &g);
        for (size_t k = 0; k < s->n_agents * s->dim; k++) {
            double want = slope(s, &c, &s->h[k]);
            cr_expect(test_is_near((double)g.h[k], want, 1e-5, 1e-5), "%s: h[%zu] %g, not %g", name,
                      k, (double)g.h[k], want);
            square += want * want;
        }
        cr_expect(test_is_near(g.h_norm, sqrt(square), 1e-5, 1e-5), "%s: h_norm", name);
        for (size_t e = 0; e < s->n_edges; e++)
            cr_expect(test_is_near((double)g.sel[e], slope(s, &c, &s->sel[e]), 1e-6, 1e-6),
                      "%s: sel[%zu]", name, e);
        sc_energy_gradient_fini(&g);
        sc_energy_system_free(&s);
    }
}

Test(energy, scalar_gradients_are_slopes)
{
    for (size_t row = 0; row < N_SMALL; row++) {
        const char *name = systems[row].name;
        sc_energy_system *s = test_random_system(&systems[row].shape);
        sc_energy_coefficients c;
        sc_energy_gradient g;
        sc_energy_terms terms;

        sc_energy_coefficients_init(&c);
        s->r_effective = 2; // p_compress counts
        cr_assert_eq(sc_energy_gradient_init(&g, s), 0, "%s", name);
        sc_energy_sparse(s, &c, &terms, &g);
        double kept = s->s_norm, step = 1e-3;
        s->s_norm = kept + step;
        double above = total(s, &c);
        s->s_norm = kept - step;
        double below = total(s, &c);
        s->s_norm = kept;
        cr_expect(test_is_near(g.s_norm, (above - below) / (2 * step), 1e-8, 1e-8), "%s: s_norm",
                  name);
        double cost = sc_energy_memory_cost(s), energy = total(s, &c);
        s->p_compress += 0.5;
        double rise = (total(s, &c) - energy) / (sc_energy_memory_cost(s) - cost);
        cr_expect(test_is_near(g.mem, rise, 1e-9, 0), "%s: mem", name);
        sc_energy_gradient_fini(&g);
        sc_energy_system_free(&s);
    }
}

static void
expect_same_terms(const char *name, const sc_energy_terms *a, const sc_energy_terms *b)
{
    cr_expect(test_is_near(a->pair, b->pair, 1e-5, 1e-5), "%s: pair", name);
    cr_expect_float_eq(a->hyper, b->hyper, 1e-12, "%s: hyper", name);
    cr_expect_float_eq(a->entropy, b->entropy, 1e-12, "%s: entropy", name);
    cr_expect_float_eq(a->reg + a->mem, b->reg + b->mem, 1e-12, "%s: reg, mem", name);
    cr_expect(test_is_near(a->total, b->total, 1e-5, 1e-5), "%s: total", name);
}

/* The gradient is filled with rubbish first: a repeated call must not depend on what was there. */
Test(energy, three_ways_agree)
{
    for (size_t row = 0; row < N_SYSTEMS; row++) {
        const char *name = systems[row].name;
        sc_energy_system *s = test_random_system(&systems[row].shape);
        float *w = sc_energy_floats(s->n_agents * s->n_agents);
        sc_energy_coefficients c;
        sc_energy_gradient sparse, dense;
        sc_energy_terms exact, by_sparse, by_dense;

        sc_energy_single_thread();
        sc_energy_coefficients_init(&c);
        cr_assert_eq(sc_energy_gradient_init(&sparse, s), 0, "%s", name);
        cr_assert_eq(sc_energy_gradient_init(&dense, s), 0, "%s", name);
        for (size_t k = 0; k < s->n_agents * s->dim; k++)
            sparse.h[k] = dense.h[k] = NAN;
        cr_assert_eq(sc_energy_dense_weights(s, w), 0, "%s", name);
        sc_energy_exact(s, &c, &exact);
        sc_energy_sparse(s, &c, &by_sparse, &sparse);
        sc_energy_dense(s, w, &c, &by_dense, &dense);
        expect_same_terms(name, &by_sparse, &exact);
        expect_same_terms(name, &by_dense, &exact);
        for (size_t k = 0; k < s->n_agents * s->dim; k++)
            cr_expect(test_is_near((double)dense.h[k], (double)sparse.h[k], 1e-5, 1e-5),
                      "%s: h[%zu]", name, k);
        cr_expect(test_is_near(dense.h_norm, sparse.h_norm, 1e-6, 1e-6), "%s: h_norm", name);
        sc_energy_gradient_fini(&sparse);
        sc_energy_gradient_fini(&dense);
        sc_energy_system_free(&s);
        free(w);
    }
}

Test(energy, role_entropy)
{
    static const struct {
        const char *name;
        float p[SC_ENERGY_ROLES];
        double want;
    } rows[] = {
        {"even", {0.5F, 0.5F, 0.5F}, 1.0986122887},
        {"one role", {1, 0, 0}, 3.8841e-7},
        {"nothing", {0, 0, 0}, 1.0397207708}, // q = 1/4 each: the row's sum grows by 1e-8
        {"above 1 counts as 1", {7, 1, 0}, 0.6931473744},
        {"two to one", {0.5F, 0.25F, 0.25F}, 1.0397207708},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        double got = sc_energy_role_entropy(rows[k].p);
        cr_expect_float_eq(got, rows[k].want, 1e-7, "%s: %.10f", rows[k].name, got);
    }
}

Test(energy, memory_cost)
{
    static const struct {
        const char *name;
        double p_compress, r_effective, want;
    } rows[] = {
        {"no compression", 1, 1, 0},
        {"below 1 counts as 1", 1, 0.25, 0},
        {"zero ratio", 1, 0, 0},
        {"negative ratio", 1, -3, 0},
        {"half", 1, 2, 0.5},
        {"share", 0.5, 4, 0.375},
        {"nothing compressed", 0, 9, 0},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        sc_energy_system s = {.p_compress = rows[k].p_compress, .r_effective = rows[k].r_effective};
        cr_expect_float_eq(sc_energy_memory_cost(&s), rows[k].want, 1e-15, "%s", rows[k].name);
    }
}
