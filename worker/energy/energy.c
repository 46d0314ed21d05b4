/* SPDX-License-Identifier: Apache-2.0 */
/* Energy and gradient. One product G = W H gives both: the gradient is -2 G, and the term `pair` is
 * half of its inner product with H, so no second product and no n x n intermediate is made. Called
 * by the handlers on their threads; never allocates, except for the gradient's own memory in its
 * init. */
#include "worker/energy/energy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cblas.h>

#include "worker/energy/kernel.h"
#include "worker/energy/product.h"

static const double ROLE_MIN = 1e-8; /* smallest role weight, also added to the row's sum */

void
sc_energy_coefficients_init(sc_energy_coefficients *c)
{
    *c = (sc_energy_coefficients){
        .alpha = 0.1, .lambda = 0.01, .beta = 0.05, .lambda_drift = 0.1, .mu_anomaly = 0.1};
}

int
sc_energy_gradient_init(sc_energy_gradient *g, const sc_energy_system *s)
{
    *g = (sc_energy_gradient){
        .h = sc_energy_floats(s->n_agents * s->dim),
        .sel = sc_energy_floats(s->n_edges),
    };
    if (g->h != NULL && g->sel != NULL)
        return 0;
    sc_energy_gradient_fini(g);
    return SC_ENOMEM;
}

void
sc_energy_gradient_fini(sc_energy_gradient *g)
{
    free(g->h);
    free(g->sel);
    *g = (sc_energy_gradient){.h = NULL};
}

double
sc_energy_role_entropy(const float p[SC_ENERGY_ROLES])
{
    double q[SC_ENERGY_ROLES], sum = ROLE_MIN, entropy = 0;
    for (int r = 0; r < SC_ENERGY_ROLES; r++) {
        q[r] = fmin(fmax((double)p[r], ROLE_MIN), 1);
        sum += q[r];
    }
    for (int r = 0; r < SC_ENERGY_ROLES; r++)
        entropy -= q[r] / sum * log(q[r] / sum);
    return entropy;
}

double
sc_energy_memory_cost(const sc_energy_system *s)
{
    return s->p_compress * (1 - 1 / fmax(s->r_effective, 1));
}

void
sc_energy_terms_add(sc_energy_terms *terms)
{
    terms->total = terms->pair + terms->hyper + terms->entropy + terms->reg + terms->mem +
                   terms->drift_term + terms->anomaly_term;
}

/* All terms but `pair`, which is given. */
static void
set_terms(const sc_energy_system *s, const sc_energy_coefficients *c, double pair,
          sc_energy_terms *terms)
{
    double entropy = 0;
    for (size_t i = 0; i < s->n_agents; i++)
        entropy += sc_energy_role_entropy(s->p + i * SC_ENERGY_ROLES);
    *terms = (sc_energy_terms){
        .pair = pair,
        .hyper = -sc_energy_dot(s->we, s->sel, s->n_edges),
        .entropy = -c->alpha * entropy,
        .reg = c->lambda * s->s_norm * s->s_norm,
        .mem = c->beta * sc_energy_memory_cost(s),
        .drift_term = c->lambda_drift * s->drift,
        .anomaly_term = c->mu_anomaly * s->anomaly,
    };
    sc_energy_terms_add(terms);
}

/* All of the gradient but dE/dH, which is in place with its squared norm given. */
static void
set_gradient(const sc_energy_system *s, const sc_energy_coefficients *c, double square,
             sc_energy_gradient *g)
{
    for (size_t e = 0; e < s->n_edges; e++)
        g->sel[e] = -s->we[e];
    g->s_norm = 2 * c->lambda * s->s_norm;
    g->mem = c->beta;
    g->h_norm = sqrt(square);
}

void
sc_energy_exact(const sc_energy_system *s, const sc_energy_coefficients *c, sc_energy_terms *terms)
{
    double half = 0;
    for (size_t i = 0; i < s->n_agents; i++) {
        for (size_t at = s->row_start[i]; at < s->row_start[i + 1]; at++) {
            size_t j = s->column[at];
            if (j > i)
                half += s->weight[at] * sc_energy_dot(s->h + i * s->dim, s->h + j * s->dim, s->dim);
        }
    }
    set_terms(s, c, -2 * half, terms);
}

void
sc_energy_sparse(const sc_energy_system *s, const sc_energy_coefficients *c, sc_energy_terms *terms,
                 sc_energy_gradient *g)
{
    sc_energy_sums sums = sc_energy_sparse_product(s, g->h);
    set_terms(s, c, sums.pair, terms);
    set_gradient(s, c, sums.square, g);
}

int
sc_energy_dense_weights(const sc_energy_system *s, float *w)
{
    const size_t n = s->n_agents;
    if (n > SC_ENERGY_MAX_DENSE_AGENTS)
        return SC_ETOOLARGE;
    memset(w, 0, n * n * sizeof *w);
    for (size_t i = 0; i < n; i++)
        for (size_t at = s->row_start[i]; at < s->row_start[i + 1]; at++)
            w[i * n + s->column[at]] = (float)s->weight[at];
    return 0;
}

void
sc_energy_dense(const sc_energy_system *s, const float *w, const sc_energy_coefficients *c,
                sc_energy_terms *terms, sc_energy_gradient *g)
{
    SC_ASSERT(s->n_agents <= SC_ENERGY_MAX_DENSE_AGENTS);
    sc_energy_dense_product(w, s->h, g->h, s->n_agents, s->dim);
    sc_energy_sums sums = sc_energy_pair_sums(s->h, g->h, s->n_agents * s->dim);
    set_terms(s, c, sums.pair, terms);
    set_gradient(s, c, sums.square, g);
}

void
sc_energy_single_thread(void)
{
    openblas_set_num_threads(1);
}
