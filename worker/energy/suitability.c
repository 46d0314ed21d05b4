/* SPDX-License-Identifier: Apache-2.0 */
/* The suitability score of one agent for one task. Called by the handlers for each agent they
 * consider; never keeps anything. */
#include "worker/energy/suitability.h"

#include <math.h>
#include <string.h>

static const double MISMATCH_COST = 5;
static const double MEMORY_COST = 0.3;

/* The share of what the task needs that the agent lacks: 0..1, and 0 where nothing is needed. */
static double
skill_gap(const sc_energy_candidate *agent, const sc_energy_demand *task)
{
    double met = 0, needed = 0;
    for (size_t k = 0; k < task->n_skills; k++) {
        met += fmin(agent->has[k], task->needs[k]);
        needed += task->needs[k];
    }
    return needed > 0 ? 1 - met / needed : 0;
}

double
sc_energy_suitability(const sc_energy_candidate *agent, const sc_energy_demand *task)
{
    const char *is = agent->specialization, *must = task->specialization;
    double score = 1 - agent->capability + skill_gap(agent, task) + MEMORY_COST * agent->mem_util;
    if (must != NULL && (is == NULL || strcmp(is, must) != 0))
        score += MISMATCH_COST;
    return score;
}
