/* SPDX-License-Identifier: Apache-2.0 */
/* Bounds and adaptation: the spectral norm against known graphs and against all eigenvalues of
 * small random matrices, and what project and adapt must leave behind. */
#include "tests/unit/test_energy_support.h"

#include "base/fault.h"
#include "worker/energy/weights.h"

enum { MAX_AGENTS = 16, MAX_GRAPH_PAIRS = 6, SWEEPS = 60 };

static const double TOLERANCE = 1e-6;

/* One Jacobi rotation that makes a[p][q] zero. */
static void
rotate(double a[MAX_AGENTS][MAX_AGENTS], size_t n, size_t p, size_t q)
{
    if (a[p][q] == 0)
        return;
    double angle = 0.5 * atan2(2 * a[p][q], a[q][q] - a[p][p]), c = cos(angle), s = sin(angle);
    for (size_t k = 0; k < n; k++) {
        double kp = a[k][p], kq = a[k][q];
        a[k][p] = c * kp - s * kq;
        a[k][q] = s * kp + c * kq;
    }
    for (size_t k = 0; k < n; k++) {
        double pk = a[p][k], qk = a[q][k];
        a[p][k] = c * pk - s * qk;
        a[q][k] = s * pk + c * qk;
    }
}

/* Largest |eigenvalue| by Jacobi's method, which finds all of them. */
static double
norm_by_jacobi(const sc_energy_system *s)
{
    double a[MAX_AGENTS][MAX_AGENTS] = {{0}}, norm = 0;
    for (size_t i = 0; i < s->n_agents; i++)
        for (size_t at = s->row_start[i]; at < s->row_start[i + 1]; at++)
            a[i][s->column[at]] = s->weight[at];
    for (int sweep = 0; sweep < SWEEPS; sweep++)
        for (size_t q = 1; q < s->n_agents; q++)
            for (size_t p = 0; p < q; p++)
                rotate(a, s->n_agents, p, q);
    for (size_t i = 0; i < s->n_agents; i++)
        norm = fmax(norm, fabs(a[i][i]));
    return norm;
}

Test(energy_weights, norm_of_known_graphs)
{
    static const struct {
        const char *name;
        size_t n_agents;
        sc_energy_pair pairs[MAX_GRAPH_PAIRS];
        size_t n_pairs;
        double want;
    } rows[] = {
        {"one agent", 1, {{0}}, 0, 0},
        {"no pairs", 5, {{0}}, 0, 0},
        {"zero weights", 3, {{0, 1, 0}, {1, 2, 0}}, 2, 0},
        {"one pair", 2, {{0, 1, 3}}, 1, 3},
        {"one negative pair", 4, {{1, 2, -3}}, 1, 3},
        {"star of 5", 5, {{0, 1, 1}, {0, 2, 1}, {0, 3, 1}, {0, 4, 1}}, 4, 2},
        {"star of both signs", 3, {{0, 1, 3}, {0, 2, -4}}, 2, 5},
        {"triangle", 3, {{0, 1, 1}, {0, 2, 1}, {1, 2, 1}}, 3, 2},
        {"negative triangle", 3, {{0, 1, -1}, {0, 2, -1}, {1, 2, -1}}, 3, 2},
        {"path of 3", 3, {{0, 1, 1}, {1, 2, 1}}, 2, 1.4142135623730951},
        {"square", 4, {{0, 1, 1}, {1, 2, 1}, {2, 3, 1}, {0, 3, 1}}, 4, 2},
        {"two pairs", 4, {{0, 1, 1}, {2, 3, 0.9}}, 2, 1},
        {"two pairs of equal size", 4, {{0, 1, 1}, {2, 3, -1}}, 2, 1},
        {"tiny", 2, {{0, 1, 1e-30}}, 1, 1e-30},
        {"huge", 2, {{0, 1, 1e38}}, 1, 1e38},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        sc_energy_system *s = NULL;
        double norm = -1;
        cr_assert_eq(sc_energy_system_new(rows[k].n_agents, 1, 0, &s), 0, "%s", rows[k].name);
        int rc = sc_energy_system_set_pairs(s, rows[k].pairs, rows[k].n_pairs, NULL);
        cr_assert_eq(rc, 0, "%s", rows[k].name);
        cr_assert_eq(sc_energy_spectral_norm(s, &norm), 0, "%s", rows[k].name);
        cr_expect(test_is_near(norm, rows[k].want, TOLERANCE, 0), "%s: %.9g, not %.9g",
                  rows[k].name, norm, rows[k].want);
        sc_energy_system_free(&s);
    }
}

static const struct {
    const char *name;
    random_shape shape;
} systems[] = {
    {"sparse", {11, 16, 2, 4, 0.15}}, {"half", {12, 16, 2, 4, 0.5}},
    {"full", {13, 16, 2, 4, 1}},      {"full again", {14, 15, 2, 4, 1}},
    {"small", {15, 3, 2, 4, 1}},      {"nearly empty", {16, 9, 2, 4, 0.05}},
    {"no pairs", {17, 7, 2, 4, 0}},   {"half again", {18, 12, 2, 0, 0.5}},
};
enum { N_SYSTEMS = sizeof systems / sizeof systems[0] };

Test(energy_weights, norm_of_random_systems)
{
    for (size_t row = 0; row < N_SYSTEMS; row++) {
        sc_energy_system *s = test_random_system(&systems[row].shape);
        double norm = -1, want = norm_by_jacobi(s);
        cr_assert_eq(sc_energy_spectral_norm(s, &norm), 0, "%s", systems[row].name);
        cr_expect(test_is_near(norm, want, TOLERANCE, 0), "%s: %.9g, not %.9g", systems[row].name,
                  norm, want);
        sc_energy_system_free(&s);
    }
}

/* W is scaled as a whole or not at all; a second projection changes nothing. */
Test(energy_weights, project)
{
    for (size_t row = 0; row < N_SYSTEMS; row++) {
        const char *name = systems[row].name;
        sc_energy_system *s = test_random_system(&systems[row].shape);
        sc_energy_system *before = test_random_system(&systems[row].shape);
        sc_energy_coefficients c;
        sc_energy_policy policy;
        double norm = norm_by_jacobi(before), factor = norm > 1 ? 1 / norm : 1;

        sc_energy_coefficients_init(&c);
        sc_energy_policy_init(&policy);
        for (int round = 0; round < 2; round++) {
            cr_assert_eq(sc_energy_project(s, &c, &policy), 0, "%s", name);
            cr_expect_leq(norm_by_jacobi(s), 1 + TOLERANCE, "%s", name);
            for (size_t at = 0; at < 2 * s->n_pairs; at++)
                cr_expect(test_is_near(s->weight[at], factor * before->weight[at], 2e-6, 0),
                          "%s, round %d: entry %zu", name, round, at);
            for (size_t e = 0; e < s->n_edges; e++)
                cr_expect_eq(s->we[e], fminf(fmaxf(before->we[e], -1), 1), "%s: edge %zu", name, e);
        }
        sc_energy_system_free(&s);
        sc_energy_system_free(&before);
    }
}

Test(energy_weights, coefficients)
{
    static const struct {
        const char *name;
        sc_energy_coefficients in;
        sc_energy_signals signals; // with learning rate 0.5
        sc_energy_coefficients want;
    } rows[] = {
        {"inside", {0.1, 0.2, 0.3, 0.4, 0.5}, {.dspec = 0}, {0.1, 0.2, 0.3, 0.4, 0.5}},
        {"below", {0, -1, 1e-9, -2, -3}, {.dspec = 0}, {0.001, 0.001, 0.001, 0, 0}},
        {"above", {11, 12, 13, 14, INFINITY}, {.dspec = 0}, {10, 10, 10, 10, 10}},
        {"zero is a bound", {1, 1, 1, 0, 0}, {.dspec = 0}, {1, 1, 1, 0, 0}},
        {"adapted", {1, 1, 1, 1, 1}, {.dspec = 0.5, .dsmart = -1}, {0.75, 1.5, 1, 1, 1}},
        {"to the bounds", {1, 1, 1, 1, 1}, {.dspec = 1e6, .dsmart = -1e6}, {0.001, 10, 1, 1, 1}},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        sc_energy_system *s = test_random_system(&systems[0].shape);
        sc_energy_coefficients c = rows[k].in;
        const sc_energy_policy policy = {.r_pair = 1, .r_hyper = 1, .lr = 0.5};
        cr_assert_eq(sc_energy_adapt(s, &c, &policy, &rows[k].signals), 0, "%s", rows[k].name);
        const double got[] = {c.alpha, c.lambda, c.beta, c.lambda_drift, c.mu_anomaly};
        const sc_energy_coefficients *w = &rows[k].want;
        const double want[] = {w->alpha, w->lambda, w->beta, w->lambda_drift, w->mu_anomaly};
        for (size_t f = 0; f < sizeof got / sizeof got[0]; f++)
            cr_expect_float_eq(got[f], want[f], 1e-12, "%s: coefficient %zu: %g", rows[k].name, f,
                               got[f]);
        sc_energy_system_free(&s);
    }
}

Test(energy_weights, adapt)
{
    static const struct {
        const char *name;
        double w, we; // one pair, one hyperedge
        double dreason, dacc, lr;
        double want_w, want_we;
    } rows[] = {
        {"no signal", 0.5, 0.5, 0, 0, 0.01, 0.5, 0.5},
        {"both grow", 0.5, 0.25, 2, 1, 0.1, 0.55, 0.3},
        {"both shrink", 0.5, 0.5, -1, -1, 0.5, 0.25, 0.25},
        {"signs stay", -0.5, -0.5, 1, 1, 0.5, -0.75, -0.75},
        {"to the bounds", 0.8, -0.8, 1, 1, 1, 1, -1},
        {"through zero", 0.5, 0.5, -3, -3, 0.5, -0.25, -0.25},
        {"through zero to the bounds", 0.5, 0.5, -10, -10, 0.5, -1, -1},
        {"no learning", 0.5, 0.5, 1e6, 1e6, 0, 0.5, 0.5},
        {"already above", 4, 4, 0, 0, 0.01, 1, 1},
        {"zero stays zero", 0, 0, 1e6, 1e6, 1, 0, 0},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        sc_energy_system *s = NULL;
        sc_energy_coefficients c;
        sc_energy_policy policy;
        const sc_energy_pair pair = {0, 1, rows[k].w};
        const sc_energy_signals signals = {.dreason = rows[k].dreason, .dacc = rows[k].dacc};

        sc_energy_coefficients_init(&c);
        sc_energy_policy_init(&policy);
        policy.lr = rows[k].lr;
        cr_assert_eq(sc_energy_system_new(2, 1, 1, &s), 0, "%s", rows[k].name);
        cr_assert_eq(sc_energy_system_set_pairs(s, &pair, 1, NULL), 0, "%s", rows[k].name);
        s->we[0] = (float)rows[k].we;
        cr_assert_eq(sc_energy_adapt(s, &c, &policy, &signals), 0, "%s", rows[k].name);
        cr_expect_float_eq(s->weight[0], rows[k].want_w, 1e-6, "%s: w", rows[k].name);
        cr_expect_eq(s->weight[0], s->weight[1], "%s: symmetric", rows[k].name);
        cr_expect_float_eq((double)s->we[0], rows[k].want_we, 1e-6, "%s: we", rows[k].name);
        sc_energy_system_free(&s);
    }
}

Test(energy_weights, refused)
{
    static const struct {
        const char *name;
        double alpha;
        sc_energy_policy policy;
        sc_energy_signals signals;
    } rows[] = {
        {"alpha NaN", NAN, {1, 1, 0.01}, {.dspec = 0}},
        {"r_pair negative", 1, {-1, 1, 0.01}, {.dspec = 0}},
        {"r_pair NaN", 1, {NAN, 1, 0.01}, {.dspec = 0}},
        {"r_hyper infinite", 1, {1, INFINITY, 0.01}, {.dspec = 0}},
        {"lr negative", 1, {1, 1, -0.01}, {.dspec = 0}},
        {"lr above 1", 1, {1, 1, 1.01}, {.dspec = 0}},
        {"lr NaN", 1, {1, 1, NAN}, {.dspec = 0}},
        {"dspec NaN", 1, {1, 1, 0.01}, {.dspec = NAN}},
        {"dsmart infinite", 1, {1, 1, 0.01}, {.dsmart = INFINITY}},
        {"dreason too large", 1, {1, 1, 0.01}, {.dreason = 1.1e6}},
        {"dacc too large", 1, {1, 1, 0.01}, {.dacc = -1.1e6}},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        sc_energy_system *s = test_random_system(&systems[0].shape);
        sc_energy_coefficients c = {.alpha = rows[k].alpha, .lambda = 20};
        double weight = s->weight[0];
        int rc = sc_energy_adapt(s, &c, &rows[k].policy, &rows[k].signals);
        cr_expect_eq(rc, SC_EBADARG, "%s: %d", rows[k].name, rc);
        cr_expect(s->weight[0] == weight && c.lambda == 20, "%s: unchanged", rows[k].name);
        sc_energy_system_free(&s);
    }
}

#ifdef SC_FAULTS
Test(energy_weights, no_memory)
{
    sc_energy_system *s = test_random_system(&systems[2].shape);
    sc_energy_coefficients c = {.alpha = 20};
    sc_energy_policy policy;
    double weight = s->weight[0];

    sc_energy_policy_init(&policy);
    sc_fault_set("energy.norm", 1);
    cr_expect_eq(sc_energy_project(s, &c, &policy), SC_ENOMEM);
    cr_expect(s->weight[0] == weight && c.alpha == 20, "unchanged");
    sc_fault_reset();
    sc_energy_system_free(&s);
}
#endif
