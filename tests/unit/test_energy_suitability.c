/* SPDX-License-Identifier: Apache-2.0 */
/* The suitability score of an agent for a task. */
#include <criterion/criterion.h>

#include "worker/energy/suitability.h"

enum { MAX_SKILLS = 3 };

Test(energy_suitability, scores)
{
    static const struct {
        const char *name;
        double capability, mem_util;
        const char *is, *must;
        size_t n_skills;
        double has[MAX_SKILLS], needs[MAX_SKILLS];
        double want;
    } rows[] = {
        {"perfect", 1, 0, NULL, NULL, 0, {0}, {0}, 0},
        {"incapable", 0, 0, NULL, NULL, 0, {0}, {0}, 1},
        {"memory full", 1, 1, NULL, NULL, 0, {0}, {0}, 0.3},
        {"has a specialization, none required", 1, 0, "graph", NULL, 0, {0}, {0}, 0},
        {"the one required", 1, 0, "graph", "graph", 0, {0}, {0}, 0},
        {"another one", 1, 0, "graph", "sql", 0, {0}, {0}, 5},
        {"a longer one", 1, 0, "graphs", "graph", 0, {0}, {0}, 5},
        {"none, one required", 1, 0, NULL, "sql", 0, {0}, {0}, 5},
        {"all skills", 1, 0, NULL, NULL, 2, {0.5, 0.5}, {0.5, 0.5}, 0},
        {"no skill", 1, 0, NULL, NULL, 2, {0, 0}, {0.5, 0.5}, 1},
        {"half of them", 1, 0, NULL, NULL, 2, {0.5, 0}, {0.5, 0.5}, 0.5},
        {"more of one does not help another", 1, 0, NULL, NULL, 2, {1, 0}, {0.5, 0.5}, 0.5},
        {"skills named but not needed", 1, 0, NULL, NULL, 2, {0, 1}, {0, 0}, 0},
        {"weighted", 1, 0, NULL, NULL, 3, {1, 0.25, 0}, {1, 0.5, 0.5}, 0.375},
        {"all at once", 0.4, 0.5, "a", "b", 1, {0.2}, {0.8}, 0.6 + 5 + 0.75 + 0.15},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        sc_energy_candidate agent = {.capability = rows[k].capability,
                                     .mem_util = rows[k].mem_util,
                                     .specialization = rows[k].is,
                                     .has = rows[k].n_skills > 0 ? rows[k].has : NULL};
        sc_energy_demand task = {.specialization = rows[k].must,
                                 .needs = rows[k].n_skills > 0 ? rows[k].needs : NULL,
                                 .n_skills = rows[k].n_skills};
        double got = sc_energy_suitability(&agent, &task);
        cr_expect_float_eq(got, rows[k].want, 1e-12, "%s: %g", rows[k].name, got);
    }
}
