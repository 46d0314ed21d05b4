/* SPDX-License-Identifier: Apache-2.0 */
/* What both back ends of the journal have in common: the numbers of a job's record, where the tasks
 * of a row of `ended` lie, and what is known of the tasks of a job (sc_saved_tasks), composed of
 * rows of `ended` and `attempts`. Called by the journal's thread. */
#ifndef SC_JOURNAL_TASKS_H
#define SC_JOURNAL_TASKS_H

#include "coordinator/journal_backend.h"

/** The columns of a job's record, in their order. */
void sc_journal_state_put(const sc_saved_state *state, int64_t numbers[SC_STATE_NUMBERS]);
void sc_journal_state_get(sc_saved_state *state, const int64_t numbers[SC_STATE_NUMBERS]);

/* The places of a row of `ended`, which may have gaps between them. */
typedef struct sc_ended_extent {
    uint64_t place;           /* the lowest */
    uint64_t count;           /* tasks */
    uint64_t span;            /* places from the lowest to the highest; count: no gaps */
    uint64_t dead, cancelled; /* of the tasks */
    uint32_t lowest;          /* as in sc_ended_row */
} sc_ended_extent;

/** @param action  PUT_RESULTS or PUT_RANGE */
sc_ended_extent sc_ended_extent_of(const sc_action *action);

/** The tasks of a job that has been committed and not ended. @return 0 or a code;
 *  sc_saved_tasks_free */
int sc_journal_tasks(const sc_journal_backend *b, void *backend, const sc_saved_job *job,
                     sc_saved_tasks **out, sc_error *err);
/** NULL is accepted. */
void sc_saved_tasks_free(sc_saved_tasks **at);

#endif
