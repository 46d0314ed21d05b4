/* SPDX-License-Identifier: Apache-2.0 */
/* What both back ends of the journal compute of rows of `ended` and `attempts`: where the tasks of
 * a row lie, and what is known of the tasks of a job (sc_saved_tasks). Pure. */
#ifndef SC_JOURNAL_TASKS_H
#define SC_JOURNAL_TASKS_H

#include "coordinator/journal_backend.h"

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

/* Filled by rows of `ended` by their lowest place, then rows of `attempts`. */
typedef struct sc_journal_tasks {
    uint64_t prefix;       /* of the job: what lies below is left out */
    sc_saved_tasks *tasks; /* NULL before the first row */
    uint64_t ended_max, attempts_max;
    bool is_sorted; /* no more rows of `ended` come */
} sc_journal_tasks;

/** @param table  the row's records where it has gaps @return 0, SC_ENOMEM, SC_EMALFORMED */
int sc_journal_tasks_ended(sc_journal_tasks *t, const sc_ended_extent *row, sc_slice table);
/** The last that was written of a place; left out where that has ended. @return 0, SC_ENOMEM */
int sc_journal_tasks_attempt(sc_journal_tasks *t, const sc_saved_attempt *attempt);
/** The result, for sc_saved_tasks_free; nothing is left in `t`. @param position  of the next ended
 *  task @return NULL without memory */
sc_saved_tasks *sc_journal_tasks_take(sc_journal_tasks *t, uint64_t position);
/** Drops what is there. */
void sc_journal_tasks_fini(sc_journal_tasks *t);

#endif
