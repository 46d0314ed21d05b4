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

/* The tasks of a job that has ended and is retried, read in slices, between which others get on.
 * Nothing may be written of it meanwhile. */
typedef struct sc_tasks_reader sc_tasks_reader;

typedef struct sc_tasks_bounds {
    uint64_t max_rows;      /* of a slice, at least 1; rows with many records count as some */
    uint64_t max_stretches; /* of what has ended, from the chunk of the first open task on */
    uint64_t max_chunks;    /* from that one to the last of which something has ended */
} sc_tasks_bounds;

/** @param undone  as if these had not ended @return NULL without memory */
sc_tasks_reader *sc_tasks_reader_new(uint64_t number, const sc_undone *undone,
                                     const sc_tasks_bounds *bounds);
/** Read on. @return 1: it goes on; 0: all is there; a code: it is of no use any more. SC_ELIMIT: it
 *  has more stretches or chunks than it may have */
int sc_tasks_reader_step(sc_tasks_reader *r, const sc_journal_backend *b, void *backend,
                         sc_error *err);
/** What is there, of the reader. The record's prefix and counts belong to the tasks. */
const sc_saved_job *sc_tasks_reader_job(const sc_tasks_reader *r);
const sc_saved_tasks *sc_tasks_reader_tasks(const sc_tasks_reader *r);
/** NULL is accepted. */
void sc_tasks_reader_free(sc_tasks_reader **at);

/** A copy that owns its slices. @return false without memory: what could be kept is there, to be
 * dropped */
bool sc_saved_job_keep(sc_saved_job *to, const sc_saved_job *from);
void sc_saved_job_drop(sc_saved_job *job);
/** NULL is accepted. */
void sc_saved_tasks_free(sc_saved_tasks **at);

#endif
