/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger against a full computation in double precision of the state that the same events lead
 * to, kept here in plain matrices, after random sequences of events; and what it refuses. */
#include "tests/unit/test_energy_support.h"

#include "base/fault.h"
#include "worker/energy/ledger.h"

enum { CHECK_EVERY = 100 };

static const double TOLERANCE = 1e-9;

/* The state as the events change it, in the simplest form. */
typedef struct mirror {
    sc_energy_system *s; /* h and p follow the events */
    double *w;           /* n x n, symmetric */
    double square, cost; /* s_norm^2, memory cost */
} mirror;

typedef struct event_mix {
    random_shape shape;
    int n_events;
    double scale; /* embeddings reach up to this power of ten, and down to its inverse */
} event_mix;

static double
dot(const mirror *m, size_t i, size_t j)
{
    long double sum = 0;
    for (size_t k = 0; k < m->s->dim; k++)
        sum += (long double)m->s->h[i * m->s->dim + k] * (long double)m->s->h[j * m->s->dim + k];
    return (double)sum;
}

static mirror
new_mirror(const random_shape *shape)
{
    mirror m = {.s = test_random_system(shape)};
    const size_t n = m.s->n_agents;
    m.w = calloc(n * n, sizeof *m.w);
    for (size_t i = 0; i < n; i++)
        for (size_t at = m.s->row_start[i]; at < m.s->row_start[i + 1]; at++)
            m.w[i * n + m.s->column[at]] = m.s->weight[at];
    m.square = m.s->s_norm * m.s->s_norm;
    m.cost = sc_energy_memory_cost(m.s);
    return m;
}

static void
free_mirror(mirror *m)
{
    free(m->w);
    sc_energy_system_free(&m->s);
}

static void
pair_event(mirror *m, sc_energy_ledger *l, sc_random *random)
{
    const size_t n = m->s->n_agents;
    uint32_t i = (uint32_t)sc_random_below(random, n);
    uint32_t j = (uint32_t)((i + 1 + sc_random_below(random, n - 1)) % n);
    sc_energy_pair_event event = {
        .i = i, .j = j, .success = sc_random_double(random), .sim = dot(m, i, j)};
    double least = fmin(m->s->capability[i], m->s->capability[j]);
    m->w[i * n + j] = m->w[j * n + i] = 0.9 * m->w[i * n + j] + 0.1 * event.success * least;
    cr_assert_eq(sc_energy_ledger_pair(l, &event), 0);
    cr_expect_float_eq(sc_energy_ledger_weight(l, j, i), m->w[i * n + j], 1e-14, "(%u, %u)", i, j);
    cr_expect(test_is_near(sc_energy_ledger_sim(l, i, j), event.sim, 1e-9, 1e-9 * (1 + event.sim)),
              "sim (%u, %u)", i, j);
}

static void
role_event(mirror *m, sc_energy_ledger *l, sc_random *random)
{
    size_t i = sc_random_below(random, m->s->n_agents);
    float *p = m->s->p + i * SC_ENERGY_ROLES;
    for (int r = 0; r < SC_ENERGY_ROLES; r++)
        p[r] = (float)sc_random_double(random);
    cr_assert_eq(sc_energy_ledger_role(l, i, p), 0);
}

static void
state_event(mirror *m, sc_energy_ledger *l, sc_random *random, double scale)
{
    size_t i = sc_random_below(random, m->s->n_agents);
    float *h = m->s->h + i * m->s->dim;
    double size = pow(10, scale * test_signed(random));
    m->square -= dot(m, i, i);
    for (size_t k = 0; k < m->s->dim; k++)
        h[k] = (float)(size * test_signed(random));
    m->square += dot(m, i, i);
    cr_assert_eq(sc_energy_ledger_state(l, i, h), 0);
}

static void
memory_event(mirror *m, sc_energy_ledger *l, sc_random *random)
{
    double difference = 0.1 * test_signed(random);
    m->cost += difference;
    cr_assert_eq(sc_energy_ledger_memory(l, difference), 0);
}

/* Energy of the mirror's state from nothing but its matrices. */
static sc_energy_terms
full_terms(const mirror *m, const sc_energy_coefficients *c)
{
    const size_t n = m->s->n_agents;
    sc_energy_terms t;
    long double pair = 0;
    sc_energy_exact(m->s, c, &t);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            if (m->w[i * n + j] != 0)
                pair -= (long double)m->w[i * n + j] * (long double)dot(m, i, j);
    t.pair = (double)pair;
    t.reg = c->lambda * m->square;
    t.mem = c->beta * m->cost;
    sc_energy_terms_add(&t);
    return t;
}

/* Terms of both signs may nearly cancel: 1e-9 of the largest. */
static void
expect_terms(const char *name, const sc_energy_terms *got, const sc_energy_terms *want)
{
    const struct {
        const char *term;
        double got, want;
    } rows[] = {
        {"pair", got->pair, want->pair},
        {"hyper", got->hyper, want->hyper},
        {"entropy", got->entropy, want->entropy},
        {"reg", got->reg, want->reg},
        {"mem", got->mem, want->mem},
        {"drift_term", got->drift_term, want->drift_term},
        {"anomaly_term", got->anomaly_term, want->anomaly_term},
        {"total", got->total, want->total},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
        cr_expect(test_is_near(rows[k].got, rows[k].want, TOLERANCE, 1e-14),
                  "%s: %s %.15g, not %.15g", name, rows[k].term, rows[k].got, rows[k].want);
}

static void
replay(const char *name, const event_mix *mix)
{
    mirror m = new_mirror(&mix->shape);
    sc_energy_ledger *l = NULL;
    sc_energy_coefficients c;
    sc_random random;
    const size_t n = m.s->n_agents;

    sc_energy_coefficients_init(&c);
    sc_random_init(&random, mix->shape.seed + 1000);
    cr_assert_eq(sc_energy_ledger_new(m.s, &c, n * n, &l), 0, "%s", name);
    for (int k = 0; k <= mix->n_events; k++) {
        if (k % CHECK_EVERY == 0) {
            sc_energy_terms got, want = full_terms(&m, &c);
            sc_energy_ledger_terms(l, &got);
            expect_terms(name, &got, &want);
        }
        switch (sc_random_below(&random, 4)) {
        case 0:
            pair_event(&m, l, &random);
            break;
        case 1:
            role_event(&m, l, &random);
            break;
        case 2:
            state_event(&m, l, &random, mix->scale);
            break;
        default:
            memory_event(&m, l, &random);
        }
    }
    sc_energy_ledger_free(&l);
    cr_expect_null(l, "%s", name);
    free_mirror(&m);
}

Test(energy_ledger, equals_full_computation)
{
    static const struct {
        const char *name;
        event_mix mix;
    } rows[] = {
        {"two agents", {{21, 2, 3, 1, 0}, 2000, 0}},
        {"no pairs at first", {{22, 20, 16, 2, 0}, 2000, 0}},
        {"sparse", {{23, 60, 16, 5, 0.1}, 2000, 0}},
        {"full", {{24, 30, 33, 0, 1}, 2000, 1}},
        {"long", {{25, 12, 16, 3, 0.5}, 20000, 1}},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
        replay(rows[k].name, &rows[k].mix);
}

/* An embedding of size 1e12 comes and goes: what is left must be as if it had never been there. */
Test(energy_ledger, forgets_what_was_large)
{
    const random_shape shape = {26, 10, 8, 0, 1};
    mirror m = new_mirror(&shape);
    sc_energy_ledger *l = NULL;
    sc_energy_coefficients c;
    sc_energy_terms before, after;
    float large[8] = {1e12F, -3e11F, 7e12F, 1e12F, 1, -1e12F, 1e9F, 1e12F};

    sc_energy_coefficients_init(&c);
    cr_assert_eq(sc_energy_ledger_new(m.s, &c, m.s->n_pairs, &l), 0);
    sc_energy_ledger_terms(l, &before);
    for (int k = 0; k < 1000; k++) {
        cr_assert_eq(sc_energy_ledger_state(l, 3, large), 0);
        cr_assert_eq(sc_energy_ledger_state(l, 3, m.s->h + 3 * 8), 0);
    }
    sc_energy_ledger_terms(l, &after);
    expect_terms("after", &after, &before);
    sc_energy_ledger_free(&l);
    free_mirror(&m);
}

Test(energy_ledger, pair_events)
{
    static const struct {
        const char *name;
        sc_energy_pair_event event;
        int want;
        double want_weight, want_pair; // of this pair; of the term
    } rows[] = {
        // in this order, on three agents with capabilities 1, 0.5, 0 and room for two pairs
        {"first", {0, 1, 1, 2}, 0, 0.05, -0.2},
        {"again, the other way round", {1, 0, 1, 2}, 0, 0.095, -0.38},
        {"failure", {0, 1, 0, 2}, 0, 0.0855, -0.342},
        {"another similarity", {0, 1, 0.5, 3}, 0, 0.10195, -0.6117},
        {"itself", {1, 1, 1, 2}, SC_EBADARG, 0, -0.6117},
        {"no such agent", {0, 3, 1, 2}, SC_EBADARG, 0, -0.6117},
        {"nor this", {UINT32_MAX, 0, 1, 2}, SC_EBADARG, 0, -0.6117},
        {"success above 1", {0, 1, 1.1, 2}, SC_EBADARG, 0.10195, -0.6117},
        {"success NaN", {0, 1, NAN, 2}, SC_EBADARG, 0.10195, -0.6117},
        {"sim NaN", {0, 1, 1, NAN}, SC_EBADARG, 0.10195, -0.6117},
        {"sim infinite", {0, 1, 1, INFINITY}, SC_EBADARG, 0.10195, -0.6117},
        {"no capability", {2, 1, 1, 1}, 0, 0, -0.6117},
        {"no room", {0, 2, 1, 1}, SC_ELIMIT, 0, -0.6117},
    };
    sc_energy_system *s = NULL;
    sc_energy_ledger *l = NULL;
    sc_energy_coefficients c;

    sc_energy_coefficients_init(&c);
    cr_assert_eq(sc_energy_system_new(3, 1, 0, &s), 0);
    s->capability[0] = 1;
    s->capability[1] = 0.5;
    cr_assert_eq(sc_energy_ledger_new(s, &c, 2, &l), 0);
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        const sc_energy_pair_event *e = &rows[k].event;
        int rc = sc_energy_ledger_pair(l, e);
        cr_expect_eq(rc, rows[k].want, "%s: %d", rows[k].name, rc);
        double got = sc_energy_ledger_weight(l, e->i, e->j);
        cr_expect_float_eq(got, rows[k].want_weight, 1e-15, "%s: %g", rows[k].name, got);
        sc_energy_terms t;
        sc_energy_ledger_terms(l, &t);
        cr_expect_float_eq(t.pair, rows[k].want_pair, 1e-14, "%s: %g", rows[k].name, t.pair);
    }
    sc_energy_ledger_free(&l);
    sc_energy_system_free(&s);
}

Test(energy_ledger, refused_events)
{
    static const struct {
        const char *name;
        size_t agent;
        float value;
        double difference;
        int want_role, want_state, want_memory;
    } rows[] = {
        {"good", 1, 0.5F, -1, 0, 0, 0},
        {"no such agent", 2, 0.5F, 1e101, SC_EBADARG, SC_EBADARG, SC_EBADARG},
        {"far away", SIZE_MAX, 0.5F, -1e101, SC_EBADARG, SC_EBADARG, SC_EBADARG},
        {"NaN", 0, NAN, NAN, SC_EBADARG, SC_EBADARG, SC_EBADARG},
        {"infinite", 0, INFINITY, INFINITY, SC_EBADARG, SC_EBADARG, SC_EBADARG},
        {"negative", 0, -1, -1, SC_EBADARG, 0, 0},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        const random_shape shape = {27, 2, 2, 1, 1};
        sc_energy_system *s = test_random_system(&shape);
        sc_energy_ledger *l = NULL;
        sc_energy_coefficients c;
        const float p[] = {0.1F, 0.1F, rows[k].value}, h[] = {1, rows[k].value};
        sc_energy_terms before, after;

        sc_energy_coefficients_init(&c);
        cr_assert_eq(sc_energy_ledger_new(s, &c, 1, &l), 0, "%s", rows[k].name);
        sc_energy_ledger_terms(l, &before);
        cr_expect_eq(sc_energy_ledger_role(l, rows[k].agent, p), rows[k].want_role, "%s",
                     rows[k].name);
        cr_expect_eq(sc_energy_ledger_state(l, rows[k].agent, h), rows[k].want_state, "%s",
                     rows[k].name);
        cr_expect_eq(sc_energy_ledger_memory(l, rows[k].difference), rows[k].want_memory, "%s",
                     rows[k].name);
        sc_energy_ledger_terms(l, &after);
        cr_expect_eq(after.total == before.total, rows[k].want_memory != 0, "%s", rows[k].name);
        sc_energy_ledger_free(&l);
        sc_energy_system_free(&s);
    }
}

Test(energy_ledger, sizes)
{
    static const struct {
        const char *name;
        size_t max_pairs;
        int want;
    } rows[] = {
        {"just enough", 6, 0},
        {"too few for the system", 5, SC_EBADARG},
        {"too many", (size_t)SC_ENERGY_MAX_PAIRS + 1, SC_ETOOLARGE},
        {"largest size", SIZE_MAX, SC_ETOOLARGE},
    };
    const random_shape shape = {28, 4, 2, 1, 1};
    sc_energy_system *s = test_random_system(&shape);
    sc_energy_coefficients c;
    sc_energy_ledger *l = NULL;

    sc_energy_coefficients_init(&c);
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        int rc = sc_energy_ledger_new(s, &c, rows[k].max_pairs, &l);
        cr_expect_eq(rc, rows[k].want, "%s: %d", rows[k].name, rc);
        cr_expect_eq(l != NULL, rc == 0, "%s", rows[k].name);
        sc_energy_ledger_free(&l);
    }
    sc_energy_ledger_free(NULL);
#ifdef SC_FAULTS
    sc_fault_set("energy.ledger", 1);
    cr_expect_eq(sc_energy_ledger_new(s, &c, 6, &l), SC_ENOMEM);
    sc_fault_set("energy.alloc", 1);
    cr_expect_eq(sc_energy_ledger_new(s, &c, 6, &l), SC_ENOMEM);
    sc_fault_reset();
#endif
    sc_energy_system_free(&s);
}
