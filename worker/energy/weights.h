/* SPDX-License-Identifier: Apache-2.0 */
/* Bounds and adaptation of the weights of a system and of the coefficients. Called between two
 * rounds of a calibration; the only functions that change a system after it was checked. */
#ifndef SC_ENERGY_WEIGHTS_H
#define SC_ENERGY_WEIGHTS_H

#include "worker/energy/energy.h"

enum { SC_ENERGY_FACTOR_MAX = 1000000 }; /* bounds and signals: keeps every product finite */

typedef struct sc_energy_policy {
    double r_pair;  /* bound of the spectral norm of W, from 0; default 1 */
    double r_hyper; /* bound of |we|, from 0; default 1 */
    double lr;      /* learning rate, 0..1; default 0.01 */
} sc_energy_policy;

/* What a round has shown; each -SC_ENERGY_FACTOR_MAX..SC_ENERGY_FACTOR_MAX. */
typedef struct sc_energy_signals {
    double dspec;   /* lowers alpha */
    double dsmart;  /* lowers lambda */
    double dreason; /* raises the weights of the hyperedges */
    double dacc;    /* raises the weights of the pairs */
} sc_energy_signals;

/** Defaults: 1, 1, 0.01. */
void sc_energy_policy_init(sc_energy_policy *policy);

/** Largest singular value of W by power iteration on |W v| / |v|, to 1e-6 relative where 1,000
 *  iterations reach that (they stop early, a little low, where singular values lie closer than
 * that). Always gives the same result for the same W. @return 0, SC_ENOMEM */
SC_MUST_USE int sc_energy_spectral_norm(const sc_energy_system *s, double *norm);

/** Bring all weights into their bounds: W is scaled down to a spectral norm of r_pair, we clipped
 * to
 *  +-r_hyper, alpha, lambda and beta to [0.001, 10], lambda_drift and mu_anomaly to [0, 10]. W is
 *  stored so that it cannot be other than symmetric.
 *  @return 0; SC_EBADARG (policy out of range, a coefficient that is no number), SC_ENOMEM: nothing
 *          is changed */
SC_MUST_USE int sc_energy_project(sc_energy_system *s, sc_energy_coefficients *c,
                                  const sc_energy_policy *policy);

/** One step of learning, then the bounds: alpha *= 1 - lr dspec, lambda *= 1 - lr dsmart,
 *  we *= 1 + lr dreason, W *= 1 + lr dacc.
 *  @return as sc_energy_project; SC_EBADARG also where a signal is out of range */
SC_MUST_USE int sc_energy_adapt(sc_energy_system *s, sc_energy_coefficients *c,
                                const sc_energy_policy *policy, const sc_energy_signals *signals);

#endif
