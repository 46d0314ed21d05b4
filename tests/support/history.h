/* SPDX-License-Identifier: Apache-2.0 */
/* What was accepted and what has ended: each accepted task ends exactly once, and nothing else ever
 * ends. Knows no clock and no process; the simulation and tests with real programs feed it. */
#ifndef SC_HISTORY_H
#define SC_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"

typedef struct sc_history sc_history;

/** An empty history; ends the program without memory. */
sc_history *sc_history_new(void);
void sc_history_free(sc_history **history);

/** A job of the indexes first..first+count-1 was accepted. Said again: nothing changes. */
void sc_history_accept(sc_history *h, const sc_uuid *job, uint64_t first, uint64_t count);
/** A job is gone without an end: its coordinator is. It may be accepted again. */
void sc_history_forget(sc_history *h, const sc_uuid *job);
/** A task has ended. @return NULL, or what is wrong: "ended twice", "outside of its job" */
const char *sc_history_end(sc_history *h, const sc_uuid *job, uint64_t index);
bool sc_history_has_ended(const sc_history *h, const sc_uuid *job, uint64_t index);
/** @return the first accepted task that has not ended, by order of acceptance; false: none */
bool sc_history_next_open(const sc_history *h, sc_uuid *job, uint64_t *index);
/** Tasks of jobs that were accepted; of these, ended ones. */
uint64_t sc_history_n_accepted(const sc_history *h);
uint64_t sc_history_n_ended(const sc_history *h);

#endif
