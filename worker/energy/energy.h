/* SPDX-License-Identifier: Apache-2.0 */
/* The energy of a system and its gradient. Lower is better: collaboration and role diversity lower
 * it, size and memory cost raise it. Pure: no input or output, no thread, no memory beyond what the
 * caller passes, so calls may run side by side. A system is checked (sc_energy_system_check) before
 * it comes here; finite inputs near the end of the float range may still overflow to infinity. */
#ifndef SC_ENERGY_H
#define SC_ENERGY_H

#include "worker/energy/system.h"

typedef struct sc_energy_coefficients {
    double alpha, lambda, beta;      /* entropy, size, memory cost */
    double lambda_drift, mu_anomaly; /* scores of the detector */
} sc_energy_coefficients;

typedef struct sc_energy_terms {
    double pair, hyper, entropy, reg, mem, drift_term, anomaly_term;
    double total; /* their sum */
} sc_energy_terms;

/* Made once for a size of system and used for many. */
typedef struct sc_energy_gradient {
    float *h;      /* dE/dH, n_agents x dim, by rows */
    float *sel;    /* dE/dsel, n_edges */
    double s_norm; /* dE/ds_norm */
    double mem;    /* dE/d(memory cost) */
    double h_norm; /* Frobenius norm of dE/dH */
} sc_energy_gradient;

/** Defaults: 0.1, 0.01, 0.05, 0.1, 0.1 in the order of the fields. */
void sc_energy_coefficients_init(sc_energy_coefficients *c);

/** Memory for the gradient of systems of the size of `s`. @return 0, SC_ENOMEM (holds nothing) */
SC_MUST_USE int sc_energy_gradient_init(sc_energy_gradient *g, const sc_energy_system *s);
/** May follow a failed init, or be called twice. */
void sc_energy_gradient_fini(sc_energy_gradient *g);

/** The terms alone, every product and sum in double precision. Costs as much as the gradient. */
void sc_energy_exact(const sc_energy_system *s, const sc_energy_coefficients *c,
                     sc_energy_terms *terms);

/** Terms and gradient over the sparse rows of W: 2 x entries x dim operations, bound by memory.
 *  @param g  from sc_energy_gradient_init for this size, overwritten */
void sc_energy_sparse(const sc_energy_system *s, const sc_energy_coefficients *c,
                      sc_energy_terms *terms, sc_energy_gradient *g);

/** Write W as a full matrix: n_agents x n_agents floats, by rows.
 *  @return 0, SC_ETOOLARGE (n_agents above SC_ENERGY_MAX_DENSE_AGENTS) */
SC_MUST_USE int sc_energy_dense_weights(const sc_energy_system *s, float *w);

/** Terms and gradient with a full W in one product; the pairs of `s` are not read. Faster than
 *  the sparse rows where more than about one pair in ten is there.
 *  @param w  n_agents x n_agents, symmetric, zero diagonal; n_agents at most
 *            SC_ENERGY_MAX_DENSE_AGENTS */
void sc_energy_dense(const sc_energy_system *s, const float *w, const sc_energy_coefficients *c,
                     sc_energy_terms *terms, sc_energy_gradient *g);

/** Entropy of one row of P: clipped to [1e-8, 1], divided by its sum, then -sum of q ln q. */
double sc_energy_role_entropy(const float p[SC_ENERGY_ROLES]);

/** The memory cost that beta is multiplied with. */
double sc_energy_memory_cost(const sc_energy_system *s);

/** Add the terms up into `total`. */
void sc_energy_terms_add(sc_energy_terms *terms);

/** Keep BLAS to the calling thread, for the whole process: a worker runs its handlers side by side,
 *  so threads inside one product only take the processors of another. Call it once at start-up. */
void sc_energy_single_thread(void);

#endif
