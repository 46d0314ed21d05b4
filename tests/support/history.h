/* SPDX-License-Identifier: Apache-2.0 */
/* The promise, checked: each accepted task ends exactly once, and what was shown of it stays. It is
 * told what was accepted and what was seen, in any order and from any number of places, and says
 * what does not fit. It knows no clock and no process: the simulation feeds it, and tests with real
 * programs do through check_history.c. Without memory it ends the program. */
#ifndef SC_HISTORY_H
#define SC_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"
#include "proto/message.h"

typedef struct sc_history sc_history;

typedef enum sc_offence_kind {
    SC_OFFENCE_LOST,      /* accepted, and has no result although its job has ended */
    SC_OFFENCE_TWICE,     /* has two results in one reading, or is counted twice */
    SC_OFFENCE_STRANGE,   /* a result of what was never accepted */
    SC_OFFENCE_CHANGED,   /* not what was seen before: outcome, attempt, value; state, counts */
    SC_OFFENCE_BACKWARDS, /* an attempt before one that was seen */
    SC_OFFENCE_COUNTS,    /* state and counts of a job do not fit each other, or its results */
    SC_N_OFFENCES
} sc_offence_kind;

typedef struct sc_offence {
    sc_offence_kind kind;
    sc_uuid job;
    uint64_t index; /* of the task; where it is about a job, of its first */
    char text[120]; /* "it ended dead at attempt 2, and now is done at attempt 3" */
} sc_offence;

/* A result, wherever it was seen. */
typedef struct sc_seen_result {
    uint64_t index;
    sc_outcome outcome;
    uint32_t attempt; /* from 1; 0: it was never tried */
    uint64_t value;   /* a hash of the value or the error */
} sc_seen_result;

/* What is said of a job that has ended. */
typedef struct sc_seen_end {
    sc_job_state state;
    uint64_t done, dead, cancelled;
} sc_seen_end;

sc_history *sc_history_new(void);
void sc_history_free(sc_history **history);

/* Each of these returns false where it does not fit what was said before; it is counted, and what
 * was said first stays. */

/** A job of the indexes first..first+count-1 was accepted. */
bool sc_history_accept(sc_history *h, const sc_uuid *job, uint64_t first, uint64_t count);
/** An attempt at a task is known to have begun. */
bool sc_history_attempt(sc_history *h, const sc_uuid *job, uint64_t index, uint32_t attempt);
/** The results of a job are read from their start: each may be seen once more. */
void sc_history_read(sc_history *h, const sc_uuid *job);
bool sc_history_result(sc_history *h, const sc_uuid *job, const sc_seen_result *result);
bool sc_history_end(sc_history *h, const sc_uuid *job, const sc_seen_end *end);

/** Its dead tasks, and its cancelled ones, are tried again, from their first attempt on. */
void sc_history_retry(sc_history *h, const sc_uuid *job, bool is_dead_only);
/** A job is gone without an end, as a volatile one is with its coordinator. */
void sc_history_forget(sc_history *h, const sc_uuid *job);

/** Everything should have ended by now, and been seen: finds what is lost, what was never accepted,
 *  counts that are not those of the results. Called once. */
void sc_history_finish(sc_history *h);

bool sc_history_has_result(const sc_history *h, const sc_uuid *job, uint64_t index);
/** Tasks of jobs that were accepted. */
uint64_t sc_history_n_accepted(const sc_history *h);
/** Offences of that kind; of those of a whole job each task counts. */
uint64_t sc_history_n(const sc_history *h, sc_offence_kind kind);
/** The first offence, NULL: there is none. */
const sc_offence *sc_history_first(const sc_history *h);
/** "lost", "twice", ... */
const char *sc_offence_name(sc_offence_kind kind);

#endif
