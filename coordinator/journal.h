/* SPDX-License-Identifier: Apache-2.0 */
/* The journal of durable jobs: what was accepted, how it was tried, what came of it, on disk or in
 * a database. It answers the core's actions that carry a job number, as the store answers the
 * others. All reading and writing is done on a thread of its own, many writes in one transaction (a
 * group), so that nothing blocks the loop and a commit is shared; an answer means that what it
 * speaks of is safe. Functions here are the loop's.
 *
 *     opening --the place is checked--> waiting --nobody else leads--> leading --closed--> (ended)
 *        `----- damaged, from the future, unreachable ----.  |            |
 *                                                        failed <---------' deposed
 *
 * While a group cannot be written (disk full, database away) uploads in it are refused with the
 * reason and everything else is kept, in order, until it can: what is kept is bounded by what
 * workers may have unacknowledged. Reads go on. */
#ifndef SC_JOURNAL_H
#define SC_JOURNAL_H

#include <stdint.h>

#include <uv.h>

#include "base/error.h"
#include "coordinator/core.h"
#include "coordinator/saved.h"

typedef struct sc_journal sc_journal;

/* What is there. Borrowed. */
typedef struct sc_journal_start {
    uint64_t epoch;               /* ours */
    uint64_t next_number;         /* of the next job: above each of which anything is there */
    const sc_saved_job *jobs;     /* by number */
    sc_saved_tasks *const *tasks; /* of each that has been committed and not ended; else NULL */
    size_t n_jobs;
    bool is_shared; /* others may lead it, from other hosts */
} sc_journal_start;

typedef struct sc_journal_events {
    /* We lead. Once, first. */
    void (*on_leading)(void *arg, const sc_journal_start *start);
    /* Another leads; said once. */
    void (*on_waiting)(void *arg, const char *leader);
    /* It cannot begin, or not go on: the process must end. Nothing is called after it. */
    void (*on_failed)(void *arg, const sc_error *err);
    void (*on_stored)(void *arg, const sc_ticket *ticket, int status, const char *why);
    /* All writes that were acted up to the n-th (from 1) are safe, or refused by on_stored. */
    void (*on_written)(void *arg, uint64_t n);
    void (*on_chunk)(void *arg, const sc_uuid *job, uint32_t number, int status, sc_slice table,
                     sc_slice bytes);
    void (*on_results)(void *arg, const sc_store_read *read, int status, const sc_message *page);
    void (*on_tasks)(void *arg, const sc_uuid *job, int status, const sc_saved_job *saved,
                     const sc_saved_tasks *tasks);
    /* Writing has failed for now: new uploads would be refused. NULL: it works again. */
    void (*on_trouble)(void *arg, const char *why);
    void (*on_ready)(void *arg); /* something is there: call sc_journal_deliver */
    void *arg;
} sc_journal_events;

typedef struct sc_journal_options {
    const char *location; /* sqlite:PATH */
    uint64_t cache_bytes; /* payload of chunks kept in memory until it is handed out */
    const struct sc_journal_backend *backend; /* of a test; NULL: the location says which */
} sc_journal_options;

/** Begin to open it. @return 0; SC_EBADARG (no such kind of location), SC_ENOMEM */
SC_MUST_USE int sc_journal_new(uv_loop_t *loop, const sc_journal_options *options,
                               const sc_journal_events *events, sc_journal **out, sc_error *err);

/** Carry out an action with a job number: PUT_... and DROP_... are writes, GET_... reads. Answers
 * come from sc_journal_deliver, those of writes in order. */
void sc_journal_act(sc_journal *journal, const sc_action *action);

/** Called each turn of the loop: hand what was acted since to the thread, give the answers that are
 * there. @return how many; more may have come meanwhile */
unsigned sc_journal_deliver(sc_journal *journal);

/** Two steps: waits for the thread, which tries once to write what was acted; then nothing is
 * called back but on_closed, once. Sets *at NULL; NULL is accepted. */
void sc_journal_close(sc_journal **at, void (*on_closed)(void *arg), void *arg);

#endif
