/* SPDX-License-Identifier: Apache-2.0 */
/* How well an agent suits a task. Called where an agent is chosen; pure arithmetic on borrowed
 * values. */
#ifndef SC_ENERGY_SUITABILITY_H
#define SC_ENERGY_SUITABILITY_H

#include <stddef.h>

/* All pointers are borrowed for the call. */
typedef struct sc_energy_candidate {
    double capability, mem_util; /* 0..1 */
    const char *specialization;  /* NULL: none */
    const double *has; /* level of each skill of the task, >= 0; NULL where it needs none */
} sc_energy_candidate;

typedef struct sc_energy_demand {
    const char *specialization; /* required; NULL: any */
    const double *needs;        /* n_skills levels, >= 0 */
    size_t n_skills;
} sc_energy_demand;

/** (1 - capability) + 5 where a required specialization differs + the skill gap + 0.3 mem_util.
 *  @return the score; lower is better */
double sc_energy_suitability(const sc_energy_candidate *agent, const sc_energy_demand *task);

#endif
