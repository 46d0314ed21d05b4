/* SPDX-License-Identifier: Apache-2.0 */
/* `seedcore energy`: the group of the two verbs that work on systems of agents. */
#include "client/cli/verbs.h"

const sc_verb sc_verb_energy = {
    .name = "energy",
    .summary = "load systems of agents and compute their energies",
    .arguments = "load|batch",
    .description = "  seedcore energy load DIR   read systems from CSV files\n"
                   "  seedcore energy batch      compute the energy of every system\n",
    .min_words = 1,
    .max_words = 0,
};
