/* SPDX-License-Identifier: Apache-2.0 */
/* The incremental ledger: keeps the energy up to date from events, without reading every agent
 * again. Its energy equals a full computation of the final state to 1e-9 relative after any
 * sequence of events: each sum is compensated, and what an event takes out is exactly what was put
 * in before. Used by one thread at a time; holds copies, so the system may change or go after new.
 */
#ifndef SC_ENERGY_LEDGER_H
#define SC_ENERGY_LEDGER_H

#include "worker/energy/energy.h"

typedef struct sc_energy_ledger sc_energy_ledger;

/* Two agents have worked together. */
typedef struct sc_energy_pair_event {
    uint32_t i, j;  /* two different agents, in either order */
    double success; /* 0..1 */
    double sim; /* <H[i], H[j]> as it is now, at most 1e100 either way: sc_energy_ledger_sim() */
} sc_energy_pair_event;

/** Start from a checked system.
 *  @param max_pairs  room for pairs, those of the system included; at most SC_ENERGY_MAX_PAIRS
 *  @return 0, SC_EBADARG (no room for the system's pairs), SC_ETOOLARGE, SC_ENOMEM */
SC_MUST_USE int sc_energy_ledger_new(const sc_energy_system *s, const sc_energy_coefficients *c,
                                     size_t max_pairs, sc_energy_ledger **out);

/** w <- 0.9 w + 0.1 success min(capability i, capability j), where w is 0 for a pair not yet there.
 *  O(1). @return 0, SC_EBADARG (agents, success or sim out of range), SC_ELIMIT (no room for a new
 *  pair): nothing is changed */
SC_MUST_USE int sc_energy_ledger_pair(sc_energy_ledger *l, const sc_energy_pair_event *event);

/** The role weights of agent i become `p`. O(1). @return 0, SC_EBADARG (agent, value out of range)
 */
SC_MUST_USE int sc_energy_ledger_role(sc_energy_ledger *l, size_t i,
                                      const float p[SC_ENERGY_ROLES]);

/** The embedding of agent i becomes `h` (dim values, copied). Reads its neighbours' embeddings:
 *  O(dim x (1 + neighbours)). @return 0, SC_EBADARG (agent out of range, value not finite) */
SC_MUST_USE int sc_energy_ledger_state(sc_energy_ledger *l, size_t i, const float *h);

/** The memory cost grows by `difference`. O(1). @return 0, SC_EBADARG (not finite, or above 1e100
 * either way) */
SC_MUST_USE int sc_energy_ledger_memory(sc_energy_ledger *l, double difference);

/** All terms as they are now. O(1). */
void sc_energy_ledger_terms(const sc_energy_ledger *l, sc_energy_terms *terms);

/** Weight of the pair (i, j) now, in either order; 0 where there is none. O(1). */
double sc_energy_ledger_weight(const sc_energy_ledger *l, uint32_t i, uint32_t j);

/** <H[i], H[j]> now; both must be agents of the system. O(dim). */
double sc_energy_ledger_sim(const sc_energy_ledger *l, uint32_t i, uint32_t j);

void sc_energy_ledger_free(sc_energy_ledger **l);

#endif
