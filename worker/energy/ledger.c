/* SPDX-License-Identifier: Apache-2.0 */
/* The incremental ledger. Called by the handlers that record outcomes; never allocates after new.
 * Pairs are records in one array, found by a hash of (i, j) and linked into the list of each of
 * their two agents. A record keeps its similarity and an agent its entropy, so that an event can
 * take out of a sum the very number that went in. */
#include "worker/energy/ledger.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "worker/energy/kernel.h"

#define NONE UINT32_MAX /* end of a list, empty place of the table */

static const double WEIGHT_KEEP = 0.9, WEIGHT_GAIN = 0.1; /* of a pair event */
static const double VALUE_MAX = 1e100; /* of sim and of a memory cost: sums stay finite */

/* A sum with the rounding error of its additions beside it (Neumaier's form of Kahan's method). */
typedef struct exact_sum {
    double sum, error;
} exact_sum;

typedef struct pair_record {
    uint32_t agent[2]; /* i < j */
    uint32_t next[2];  /* the next record in the list of that agent, or NONE */
    double w, sim;
} pair_record;

struct sc_energy_ledger {
    size_t n_agents, dim, n_pairs, max_pairs;
    sc_energy_coefficients c;
    sc_energy_terms start; /* hyper, drift_term and anomaly_term stay as they are */
    exact_sum half_pair, entropy, square, cost; /* sum of w * sim; of S; s_norm^2; memory cost */

    float *h;
    double *capability;
    double *entropy_of; /* S(i) */
    uint32_t *first;    /* first record of each agent, or NONE */
    pair_record *pairs; /* max_pairs, n_pairs used */
    uint32_t *table; /* record by hash with linear probing, at most half full; never removed from */
    size_t table_mask;
};

static void
sum_add(exact_sum *s, double value)
{
    double sum = s->sum + value;
    s->error += fabs(s->sum) >= fabs(value) ? (s->sum - sum) + value : (value - sum) + s->sum;
    s->sum = sum;
}

static double
sum_value(const exact_sum *s)
{
    return s->sum + s->error;
}

/* The place of (i < j) in the table: its record's, or the empty one where it would go. */
static size_t
find_place(const sc_energy_ledger *l, uint32_t i, uint32_t j)
{
    uint64_t key = ((uint64_t)i << 32 | j) * 0x9e3779b97f4a7c15; // 2^64 / golden ratio
    size_t place = (key ^ key >> 32) & l->table_mask;
    while (l->table[place] != NONE) {
        const pair_record *pair = &l->pairs[l->table[place]];
        if (pair->agent[0] == i && pair->agent[1] == j)
            break;
        place = (place + 1) & l->table_mask;
    }
    return place;
}

static void
add_pair(sc_energy_ledger *l, size_t place, const sc_energy_pair_event *event, double w)
{
    uint32_t at = (uint32_t)l->n_pairs++;
    l->pairs[at] = (pair_record){.agent = {event->i, event->j},
                                 .next = {l->first[event->i], l->first[event->j]},
                                 .w = w,
                                 .sim = event->sim};
    l->first[event->i] = l->first[event->j] = at;
    l->table[place] = at;
    sum_add(&l->half_pair, w * event->sim);
}

static void
add_system_pairs(sc_energy_ledger *l, const sc_energy_system *s)
{
    for (uint32_t i = 0; i < s->n_agents; i++) {
        for (size_t at = s->row_start[i]; at < s->row_start[i + 1]; at++) {
            uint32_t j = s->column[at];
            if (j < i)
                continue;
            sc_energy_pair_event event = {.i = i, .j = j, .sim = sc_energy_ledger_sim(l, i, j)};
            add_pair(l, find_place(l, i, j), &event, s->weight[at]);
        }
    }
}

static int
allocate(sc_energy_ledger *l)
{
    size_t n_places = 2;
    while (n_places < 2 * l->max_pairs)
        n_places *= 2;
    l->table_mask = n_places - 1;
    l->h = sc_energy_floats(l->n_agents * l->dim);
    l->capability = calloc(l->n_agents, sizeof *l->capability);
    l->entropy_of = calloc(l->n_agents, sizeof *l->entropy_of);
    l->first = malloc(l->n_agents * sizeof *l->first);
    l->pairs = calloc(l->max_pairs + 1, sizeof *l->pairs);
    l->table = malloc(n_places * sizeof *l->table);
    if (!l->h || !l->capability || !l->entropy_of || !l->first || !l->pairs || !l->table)
        return SC_ENOMEM;
    memset(l->first, 0xff, l->n_agents * sizeof *l->first); // NONE
    memset(l->table, 0xff, n_places * sizeof *l->table);
    return 0;
}

int
sc_energy_ledger_new(const sc_energy_system *s, const sc_energy_coefficients *c, size_t max_pairs,
                     sc_energy_ledger **out)
{
    if (max_pairs < s->n_pairs)
        return SC_EBADARG;
    if (max_pairs > SC_ENERGY_MAX_PAIRS)
        return SC_ETOOLARGE;
    sc_energy_ledger *l = SC_FAULT("energy.ledger") ? NULL : calloc(1, sizeof *l);
    if (l == NULL)
        return SC_ENOMEM;
    l->n_agents = s->n_agents;
    l->dim = s->dim;
    l->max_pairs = max_pairs;
    l->c = *c;
    if (allocate(l) != 0) {
        sc_energy_ledger_free(&l);
        return SC_ENOMEM;
    }
    memcpy(l->h, s->h, s->n_agents * s->dim * sizeof *l->h);
    memcpy(l->capability, s->capability, s->n_agents * sizeof *l->capability);
    for (size_t i = 0; i < s->n_agents; i++) {
        l->entropy_of[i] = sc_energy_role_entropy(s->p + i * SC_ENERGY_ROLES);
        sum_add(&l->entropy, l->entropy_of[i]);
    }
    add_system_pairs(l, s);
    sum_add(&l->square, s->s_norm * s->s_norm);
    sum_add(&l->cost, sc_energy_memory_cost(s));
    l->start.hyper = -sc_energy_dot(s->we, s->sel, s->n_edges);
    l->start.drift_term = c->lambda_drift * s->drift;
    l->start.anomaly_term = c->mu_anomaly * s->anomaly;
    *out = l;
    return 0;
}

void
sc_energy_ledger_free(sc_energy_ledger **l)
{
    if (l == NULL || *l == NULL)
        return;
    sc_energy_ledger *dead = *l;
    *l = NULL;
    free(dead->h);
    free(dead->capability);
    free(dead->entropy_of);
    free(dead->first);
    free(dead->pairs);
    free(dead->table);
    free(dead);
}

int
sc_energy_ledger_pair(sc_energy_ledger *l, const sc_energy_pair_event *event)
{
    sc_energy_pair_event e = *event;
    if (e.i > e.j) {
        e.i = event->j;
        e.j = event->i;
    }
    if (e.i == e.j || e.j >= l->n_agents || !(e.success >= 0 && e.success <= 1) ||
        !(fabs(e.sim) <= VALUE_MAX))
        return SC_EBADARG;
    double least = fmin(l->capability[e.i], l->capability[e.j]);
    double gain = WEIGHT_GAIN * e.success * least;
    size_t place = find_place(l, e.i, e.j);
    if (l->table[place] != NONE) {
        pair_record *pair = &l->pairs[l->table[place]];
        sum_add(&l->half_pair, -(pair->w * pair->sim));
        pair->w = WEIGHT_KEEP * pair->w + gain;
        pair->sim = e.sim;
        sum_add(&l->half_pair, pair->w * pair->sim);
        return 0;
    }
    if (l->n_pairs == l->max_pairs)
        return SC_ELIMIT;
    add_pair(l, place, &e, gain);
    return 0;
}

int
sc_energy_ledger_role(sc_energy_ledger *l, size_t i, const float p[SC_ENERGY_ROLES])
{
    if (i >= l->n_agents)
        return SC_EBADARG;
    for (int r = 0; r < SC_ENERGY_ROLES; r++)
        if (!isfinite(p[r]) || p[r] < 0)
            return SC_EBADARG;
    sum_add(&l->entropy, -l->entropy_of[i]);
    l->entropy_of[i] = sc_energy_role_entropy(p);
    sum_add(&l->entropy, l->entropy_of[i]);
    return 0;
}

int
sc_energy_ledger_state(sc_energy_ledger *l, size_t i, const float *h)
{
    if (i >= l->n_agents)
        return SC_EBADARG;
    for (size_t k = 0; k < l->dim; k++)
        if (!isfinite(h[k]))
            return SC_EBADARG;
    float *row = l->h + i * l->dim;
    sum_add(&l->square, -sc_energy_dot(row, row, l->dim));
    memcpy(row, h, l->dim * sizeof *row);
    sum_add(&l->square, sc_energy_dot(row, row, l->dim));
    for (uint32_t at = l->first[i]; at != NONE;) {
        pair_record *pair = &l->pairs[at];
        sum_add(&l->half_pair, -(pair->w * pair->sim));
        pair->sim = sc_energy_ledger_sim(l, pair->agent[0], pair->agent[1]);
        sum_add(&l->half_pair, pair->w * pair->sim);
        at = pair->next[pair->agent[1] == i];
    }
    return 0;
}

int
sc_energy_ledger_memory(sc_energy_ledger *l, double difference)
{
    if (!(fabs(difference) <= VALUE_MAX))
        return SC_EBADARG;
    sum_add(&l->cost, difference);
    return 0;
}

void
sc_energy_ledger_terms(const sc_energy_ledger *l, sc_energy_terms *terms)
{
    *terms = l->start;
    terms->pair = -2 * sum_value(&l->half_pair);
    terms->entropy = -l->c.alpha * sum_value(&l->entropy);
    terms->reg = l->c.lambda * sum_value(&l->square);
    terms->mem = l->c.beta * sum_value(&l->cost);
    sc_energy_terms_add(terms);
}

double
sc_energy_ledger_weight(const sc_energy_ledger *l, uint32_t i, uint32_t j)
{
    if (i == j || i >= l->n_agents || j >= l->n_agents)
        return 0;
    uint32_t at = l->table[i < j ? find_place(l, i, j) : find_place(l, j, i)];
    return at == NONE ? 0 : l->pairs[at].w;
}

double
sc_energy_ledger_sim(const sc_energy_ledger *l, uint32_t i, uint32_t j)
{
    return sc_energy_dot(l->h + (size_t)i * l->dim, l->h + (size_t)j * l->dim, l->dim);
}
