/* SPDX-License-Identifier: Apache-2.0 */
/* Where a journal lies: SQLite (journal_sqlite.c) or PostgreSQL (journal_postgres.c). Functions
 * block and are called by the journal's thread alone, one at a time; each returns within seconds
 * even where the other side is silent, and looks at `should_stop` while it waits. They keep no
 * queue and decide no retry: journal.c does. One suite of tests holds for both
 * (tests/unit/test_journal_backends.c).
 *
 * Layout, the same in both: what was written is never updated but for the record of a job.
 *
 *   jobs      number (key), id, client, open, table, bytes, and the columns of sc_saved_state
 *   chunks    (number, chunk): place of its first task, tasks, table, bytes
 *   ended     (number, position), and by (number, place): a row for each PUT_RESULTS or PUT_RANGE
 *   attempts  in the order of writing: number, place, attempt, blame, due_at, at, position, worker,
 *             error
 *   dropped   numbers of jobs of which rows are left to be deleted
 *   meta      version of the layout, epoch, leader, its last beat */
#ifndef SC_JOURNAL_BACKEND_H
#define SC_JOURNAL_BACKEND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "coordinator/core.h"
#include "coordinator/saved.h"
#include "proto/run.h"

/* 2: jobs.dead_before, cancelled_before, digest; attempts.position; ended_wide, ended_failed */
enum { SC_JOURNAL_VERSION = 2 };

/* The columns of sc_saved_state but for the digest: SC_STATE_NUMBERS of them (journal_tasks.h). */
#define SC_STATE_COLUMNS                                                                           \
    "state, n_tasks, submitted_at, ended_at, prefix, done, dead, cancelled, position, handed, "    \
    "dead_before, cancelled_before"
enum { SC_STATE_NUMBERS = 12 };

/* A row of `ended`: the records of a message, or tasks that share one outcome (`range`; table
 * empty, bytes are the error as JSON). Borrowed. */
typedef struct sc_ended_row {
    uint64_t position;        /* ended tasks of the job before it */
    uint64_t place;           /* lowest of its places */
    uint64_t count;           /* tasks */
    uint64_t span;            /* places from the lowest to the highest; count: no gaps */
    uint64_t dead, cancelled; /* of the tasks */
    bool is_range;
    uint32_t lowest; /* offset of the record with the lowest place: that of another is place +
                        (its offset - lowest) */
    uint32_t outcome, attempt; /* of a range */
    sc_text worker;
    sc_slice table, bytes;
} sc_ended_row;

/** @return false: no more rows are wanted */
typedef bool (*sc_ended_row_cb)(void *arg, const sc_ended_row *row);

/* Which rows of `ended` are asked for, and how much of them. */
typedef enum sc_ended_kind {
    SC_ENDED_ALL,
    SC_ENDED_BARE, /* all, without worker, values and what only a range has; with records only where
                      there are gaps, dead or cancelled tasks */
    SC_ENDED_FAILED, /* those with dead or cancelled tasks, and wide ones (of more than a chunk) */
} sc_ended_kind;

typedef struct sc_ended_query {
    uint64_t number;      /* of the job */
    uint64_t from, until; /* places from..until-1 */
    sc_ended_kind kind;
} sc_ended_query;

/* A row of `attempts`. Borrowed. */
typedef struct sc_attempt_row {
    sc_saved_attempt next; /* the try that was to come */
    uint64_t position;     /* ended tasks of the job before it */
    int64_t at;            /* unix ms; this and what follows: of `tries` alone */
    sc_text worker;        /* where the last one failed; may be empty */
    sc_text error;         /* of that: JSON; empty: blamed for a death, cancelled, or due */
} sc_attempt_row;

/** @return 0; 1: no more rows are wanted; a code ends the walk and is its result */
typedef int (*sc_attempt_row_cb)(void *arg, const sc_attempt_row *row);

typedef struct sc_journal_backend {
    const char *scheme; /* "sqlite", "postgresql": what a location begins with, before its colon */

    /** Open, check, create. A damaged or newer journal is left as it is.
     *  @return 0, or a code with what it is, where, and how to repair or set it aside */
    int (*open)(const char *location, const atomic_bool *should_stop, void **out, sc_error *err);
    /** Become the one that writes, until it is closed; one of an older version is migrated.
     *  @param epoch  the next one; it is kept at the latest by the first group
     *  @param next_number  above that of each job of which anything is there
     *  @return 0; SC_EBUSY: another leads (`err` says who), ask again in a moment; another code: it
     *  cannot be told, or it is of a newer version meanwhile. It may be called again after
     *  SC_ELOST and the like, of it and of what is read after it: then with an epoch of its own */
    int (*lead)(void *b, uint64_t *epoch, uint64_t *next_number, sc_error *err);
    /** All jobs, by number, or (not 0) the one of this number. `each` is given a borrowed job; what
     * it returns but 0 ends it. @return 0 or a code */
    int (*jobs)(void *b, uint64_t number, int (*each)(void *arg, const sc_saved_job *job),
                void *arg, sc_error *err);

    /* One group: begin, writes, commit. After an error nothing of it is there, and rollback has to
     * be called (after one of begin too). Codes: -ENOSPC (full), SC_ELOST (the database is away),
     * SC_ESTATE (another leads now), SC_EMALFORMED (damaged), others; whoever fails has set `err`.
     * A group without writes says whether writing works. SC_EUNKNOWN, of begin too: it may be
     * there. Then the same group, no more and no less, has to be the next that is written: it is
     * there once when that succeeds, and not at all after another code. */
    /** @param is_safe  it must survive a loss of power; else it may wait for the next that must */
    int (*begin)(void *b, bool is_safe, sc_error *err);
    int (*put)(void *b, const sc_action *action, sc_error *err); /* PUT_..., DROP_... */
    int (*commit)(void *b, sc_error *err);
    void (*rollback)(void *b);

    /** @return 0, SC_ENOTFOUND; blobs with one reference each */
    int (*chunk)(void *b, uint64_t number, uint32_t chunk, sc_blob **table, sc_blob **bytes,
                 sc_error *err);
    /** Rows in the order of their positions, from the one that `position` lies in. */
    int (*ended_from)(void *b, uint64_t number, uint64_t position, sc_ended_row_cb each, void *arg,
                      sc_error *err);
    /** Rows that may have a place in from..until-1, by their lowest place, then by position; some
     *  have none. */
    int (*ended_between)(void *b, const sc_ended_query *query, sc_ended_row_cb each, void *arg,
                         sc_error *err);
    /** Ended tasks that were kept of a job: the position of the next one. */
    int (*position)(void *b, uint64_t number, uint64_t *position, sc_error *err);
    /** Of each place from `from` on the row that was written last, by place. */
    int (*attempts)(void *b, uint64_t number, uint64_t from, sc_attempt_row_cb each, void *arg,
                    sc_error *err);
    /** All rows of places from..until-1, by place, as they were written. */
    int (*tries)(void *b, const sc_ended_query *query, sc_attempt_row_cb each, void *arg,
                 sc_error *err);

    /** Between groups: a slice of the housekeeping (checkpoint, rows of dropped jobs), a few ms.
     * @return 1: more is to be done; 0; a code as of commit */
    int (*tend)(void *b, sc_error *err);
    /** Say that we are alive, where others may wait to lead: at least each second while the loop
     * is, else they depose us. NULL where nobody does, or where the system sees it. @return 0; a
     * code as of commit */
    int (*beat)(void *b, sc_error *err);
    void (*close)(void *b);
} sc_journal_backend;

extern const sc_journal_backend sc_journal_sqlite;
extern const sc_journal_backend sc_journal_postgres;

static inline int64_t
sc_journal_key(uint64_t number, uint64_t low)
{
    return (int64_t)(number << 32 | low);
}

#endif
