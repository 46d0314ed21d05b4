/* SPDX-License-Identifier: Apache-2.0 */
/* The table of verbs, and finding one in it. */
#ifndef SC_CLI_VERBS_H
#define SC_CLI_VERBS_H

#include <stddef.h>

#include "client/cli/args.h"

extern const sc_verb sc_verb_up;
extern const sc_verb sc_verb_down;
extern const sc_verb sc_verb_submit;
extern const sc_verb sc_verb_call;
extern const sc_verb sc_verb_status;
extern const sc_verb sc_verb_wait;
extern const sc_verb sc_verb_cancel;
extern const sc_verb sc_verb_dead;
extern const sc_verb sc_verb_retry;
extern const sc_verb sc_verb_results;
extern const sc_verb sc_verb_jobs;
extern const sc_verb sc_verb_workers;
extern const sc_verb sc_verb_workers_drain;
extern const sc_verb sc_verb_handlers;
extern const sc_verb sc_verb_energy;
extern const sc_verb sc_verb_energy_load;
extern const sc_verb sc_verb_energy_batch;
extern const sc_verb sc_verb_config;
extern const sc_verb sc_verb_version;
extern const sc_verb sc_verb_help;
extern const sc_verb sc_verb_manual;
extern const sc_verb sc_verb_completion;

/** Verb number i in the order of the help, or NULL behind the last. The hidden ones are not among
 * them. */
const sc_verb *sc_verbs_at(size_t i);
/** By name ("submit", "energy load", hidden ones too), or NULL. */
const sc_verb *sc_verbs_find(const char *name);
/** By the second word of a name, or NULL. */
const sc_verb *sc_verbs_find_in(const char *group, const char *word);
/** The name (below `group`, "" for none) that is nearest to what was typed, or
 * what other programs call so ("stop"), or of which it is the second word ("drain"); NULL where
 * nothing is near. */
const char *sc_verbs_suggest(const char *group, const char *word);

#endif
