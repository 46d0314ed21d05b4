/* SPDX-License-Identifier: Apache-2.0 */
/* The journal in SQLite: groups. A group is one transaction; one that must survive a loss of power
 * is synced with its commit (synchronous FULL), another is with the next that must: both append to
 * the same -wal file. Called by the journal's thread. */
#include "coordinator/journal_sqlite.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "coordinator/journal_tasks.h"

enum {
    // The -wal is copied into the database when it has grown to this: long enough that pages which
    // are written again and again (the ends of tables) are copied once, short enough that a copy
    // stalls commits for some tens of milliseconds.
    CHECKPOINT_PAGES = 2048, // of 16 KiB: 32 MiB
};

int
sc_sqlite_journal_fail(sc_sqlite_journal *j, sc_error *err, const char *what)
{
    const char *path = j->path;
    switch (sqlite3_errcode(j->db) & 0xff) {
    case SQLITE_FULL:
        return sc_error_set(err, -ENOSPC, "%s: the disk is full (%s)", path, what);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return sc_error_set(err, SC_EMALFORMED, "%s is damaged (%s); %s", path, what,
                            SC_SQLITE_JOURNAL_ADVICE);
    case SQLITE_CONSTRAINT: // what was not written by us; read again it is known
        return sc_error_set(err, SC_ESTATE, "%s: another program has written to it (%s)", path,
                            what);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return sc_error_set(err, SC_EBUSY, "%s: another program has locked it (%s)", path, what);
    case SQLITE_NOMEM:
        return sc_error_set(err, SC_ENOMEM, "%s: out of memory (%s)", path, what);
    default:
        return sc_error_set(err, -EIO, "%s: %s (%s)", path, sqlite3_errmsg(j->db), what);
    }
}

sqlite3_stmt *
sc_sqlite_journal_take(sc_sqlite_journal *j, sc_journal_statement which)
{
    static const char *const sql[] = {
#define SQL(symbol, text) text,
        SC_JOURNAL_STATEMENTS(SQL)
#undef SQL
    };
    sqlite3_stmt **s = &j->statements[which];
    if (!*s && (SC_FAULT("journal.prepare") ||
                sqlite3_prepare_v3(j->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT, s, NULL) !=
                    SQLITE_OK))
        return NULL;
    return *s;
}

int
sc_sqlite_journal_run(sc_sqlite_journal *j, sqlite3_stmt *s, const char *what, sc_error *err)
{
    if (!s)
        return sc_sqlite_journal_fail(j, err, what);
    int rc = SC_FAULT("journal.step") ? SQLITE_FULL : sqlite3_step(s);
    bool is_done = rc == SQLITE_DONE || rc == SQLITE_ROW;
    if (!is_done && rc == SQLITE_FULL)
        rc = sc_error_set(err, -ENOSPC, "%s: the disk is full (%s)", j->path, what);
    else if (!is_done)
        rc = sc_sqlite_journal_fail(j, err, what);
    else
        rc = 0;
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return rc;
}

/* ---- binding ---- */

// The bytes stay where they are until the statement has run.
static void
bind_slice(sqlite3_stmt *s, int at, sc_slice bytes)
{
    sqlite3_bind_blob64(s, at, bytes.data ? (const void *)bytes.data : "", bytes.len,
                        SQLITE_STATIC);
}

static void
bind_text(sqlite3_stmt *s, int at, sc_text text)
{
    sqlite3_bind_text(s, at, text.data ? text.data : "", (int)text.len, SQLITE_STATIC);
}

// ?1 to ?14 of the statements that write a job's record.
static void
bind_state(sqlite3_stmt *s, uint64_t number, const sc_saved_state *state)
{
    int64_t numbers[SC_STATE_NUMBERS];
    sc_journal_state_put(state, numbers);
    sqlite3_bind_int64(s, 1, (int64_t)number);
    for (int i = 0; i < SC_STATE_NUMBERS; i++)
        sqlite3_bind_int64(s, i + 2, numbers[i]);
    sqlite3_bind_blob(s, SC_STATE_NUMBERS + 2, state->digest.bytes, sizeof state->digest.bytes,
                      SQLITE_STATIC);
}

/* ---- writes ---- */

static sqlite3_stmt *
put_open(sc_sqlite_journal *j, const sc_action *a)
{
    sqlite3_stmt *s = sc_sqlite_journal_take(j, SC_JOURNAL_PUT_OPEN);
    const sc_saved_job *saved = a->put.saved;
    if (!s)
        return NULL;
    bind_state(s, a->number, &saved->state);
    sqlite3_bind_blob(s, 15, a->put.ticket.job.bytes, sizeof a->put.ticket.job.bytes,
                      SQLITE_STATIC);
    sqlite3_bind_int64(s, 16, (int64_t)saved->client);
    bind_slice(s, 17, saved->open);
    bind_slice(s, 18, saved->table);
    bind_slice(s, 19, saved->bytes);
    return s;
}

static sqlite3_stmt *
put_chunk(sc_sqlite_journal *j, const sc_action *a)
{
    sqlite3_stmt *s = sc_sqlite_journal_take(j, SC_JOURNAL_PUT_CHUNK);
    if (!s)
        return NULL;
    sqlite3_bind_int64(s, 1, sc_journal_key(a->number, a->put.ticket.number));
    sqlite3_bind_int64(s, 2, sc_tasks_count(a->put.table));
    bind_slice(s, 3, a->put.table);
    bind_slice(s, 4, a->put.bytes);
    return s;
}

static sqlite3_stmt *
put_state(sc_sqlite_journal *j, const sc_action *a)
{
    bool is_commit = a->type == SC_ACTION_PUT_COMMIT;
    sqlite3_stmt *s =
        sc_sqlite_journal_take(j, is_commit ? SC_JOURNAL_PUT_COMMIT : SC_JOURNAL_PUT_STATE);
    if (!s)
        return NULL;
    bind_state(s, a->number, is_commit ? &a->put.saved->state : &a->state.state);
    if (is_commit)
        bind_slice(s, 15, a->put.saved->chunks);
    return s;
}

// What rows of both kinds have.
static sqlite3_stmt *
put_ended(sc_sqlite_journal *j, const sc_action *a, uint64_t position, sc_text worker)
{
    sqlite3_stmt *s = sc_sqlite_journal_take(j, SC_JOURNAL_PUT_ENDED);
    sc_ended_extent e = sc_ended_extent_of(a);
    if (!s)
        return NULL;
    sqlite3_bind_int64(s, 1, sc_journal_key(a->number, position));
    sqlite3_bind_int64(s, 2, sc_journal_key(a->number, e.place));
    sqlite3_bind_int64(s, 3, (int64_t)e.count);
    sqlite3_bind_int64(s, 4, (int64_t)e.span);
    sqlite3_bind_int64(s, 5, (int64_t)e.dead);
    sqlite3_bind_int64(s, 6, (int64_t)e.cancelled);
    sqlite3_bind_int64(s, 7, e.lowest);
    bind_text(s, 10, worker);
    return s;
}

static sqlite3_stmt *
put_results(sc_sqlite_journal *j, const sc_action *a)
{
    sqlite3_stmt *s = put_ended(j, a, a->results.position, a->results.worker);
    if (!s)
        return NULL;
    bind_slice(s, 11, a->results.table);
    bind_slice(s, 12, a->results.bytes);
    return s;
}

static sqlite3_stmt *
put_range(sc_sqlite_journal *j, const sc_action *a)
{
    sqlite3_stmt *s = put_ended(j, a, a->range.position, a->range.worker);
    if (!s)
        return NULL;
    sqlite3_bind_int64(s, 8, a->range.outcome);
    sqlite3_bind_int64(s, 9, a->range.attempt);
    bind_slice(s, 12, sc_slice_borrow(a->range.error.data, a->range.error.len));
    return s;
}

static sqlite3_stmt *
put_attempt(sc_sqlite_journal *j, const sc_action *a)
{
    sqlite3_stmt *s = sc_sqlite_journal_take(j, SC_JOURNAL_PUT_ATTEMPT);
    if (!s)
        return NULL;
    sqlite3_bind_int64(s, 1, sc_journal_key(a->number, a->attempt.next.place));
    sqlite3_bind_int64(s, 2, a->attempt.next.attempt);
    sqlite3_bind_int64(s, 3, a->attempt.next.blame);
    sqlite3_bind_int64(s, 4, a->attempt.next.due_at);
    sqlite3_bind_int64(s, 5, a->attempt.at);
    sqlite3_bind_int64(s, 6, (int64_t)a->attempt.position);
    bind_text(s, 7, a->attempt.worker);
    bind_text(s, 8, a->attempt.error);
    return s;
}

// One that has a single key.
static sqlite3_stmt *
keyed(sc_sqlite_journal *j, sc_journal_statement which, int64_t key)
{
    sqlite3_stmt *s = sc_sqlite_journal_take(j, which);
    if (s)
        sqlite3_bind_int64(s, 1, key);
    return s;
}

static int
drop_job(sc_sqlite_journal *j, uint64_t number, sc_error *err)
{
    int rc = sc_sqlite_journal_run(j, keyed(j, SC_JOURNAL_DROP_JOB, (int64_t)number),
                                   "dropping a job", err);
    j->has_dropped = true;
    return rc < 0 ? rc
                  : sc_sqlite_journal_run(j, keyed(j, SC_JOURNAL_NOTE_DROPPED, (int64_t)number),
                                          "dropping a job", err);
}

static int
put(void *b, const sc_action *a, sc_error *err)
{
    sc_sqlite_journal *j = b;
    j->n_puts++;
    switch (a->type) {
    case SC_ACTION_PUT_OPEN:
        return sc_sqlite_journal_run(j, put_open(j, a), "writing a job", err);
    case SC_ACTION_PUT_CHUNK:
        return sc_sqlite_journal_run(j, put_chunk(j, a), "writing tasks", err);
    case SC_ACTION_PUT_COMMIT:
    case SC_ACTION_PUT_STATE:
        return sc_sqlite_journal_run(j, put_state(j, a), "writing a job's state", err);
    case SC_ACTION_PUT_RESULTS:
        return sc_sqlite_journal_run(j, put_results(j, a), "writing results", err);
    case SC_ACTION_PUT_RANGE:
        return sc_sqlite_journal_run(j, put_range(j, a), "writing results", err);
    case SC_ACTION_PUT_ATTEMPT:
        return sc_sqlite_journal_run(j, put_attempt(j, a), "writing an attempt", err);
    case SC_ACTION_DROP_CHUNK:
        return sc_sqlite_journal_run(
            j, keyed(j, SC_JOURNAL_DROP_CHUNK, sc_journal_key(a->number, a->chunk.number)),
            "dropping tasks", err);
    case SC_ACTION_DROP_JOB:
        return drop_job(j, a->number, err);
    default:
        SC_ASSERT(!"a write of the journal");
        return SC_EINTERNAL;
    }
}

/* ---- groups ---- */

static int
begin(void *b, bool is_safe, sc_error *err)
{
    sc_sqlite_journal *j = b;
    if (is_safe != j->is_safe &&
        sqlite3_exec(j->db, is_safe ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
                     NULL, NULL, NULL) != SQLITE_OK)
        return sc_sqlite_journal_fail(j, err, "choosing when to sync");
    j->is_safe = is_safe;
    j->n_puts = 0;
    return sc_sqlite_journal_run(j, sc_sqlite_journal_take(j, SC_JOURNAL_BEGIN),
                                 "beginning a transaction", err);
}

static int
commit(void *b, sc_error *err)
{
    sc_sqlite_journal *j = b;
    if (SC_FAULT("journal.commit"))
        return sc_error_set(err, -ENOSPC, "%s: the disk is full (committing)", j->path);
    int rc = 0;
    // a group without writes is to say whether writing works, so it writes too
    if (!j->is_epoch_kept || j->n_puts == 0)
        rc = sc_sqlite_journal_run(j, keyed(j, SC_JOURNAL_EPOCH, (int64_t)j->epoch),
                                   "writing the epoch", err);
    if (rc == 0)
        rc = sc_sqlite_journal_run(j, sc_sqlite_journal_take(j, SC_JOURNAL_COMMIT), "committing",
                                   err);
    j->is_epoch_kept |= rc == 0;
    return rc;
}

static void
rollback(void *b)
{
    sc_sqlite_journal *j = b;
    if (!sqlite3_get_autocommit(j->db)) // some errors roll back by themselves
        sqlite3_exec(j->db, "ROLLBACK", NULL, NULL, NULL);
}

static int
lead(void *b, uint64_t *epoch, uint64_t *next_number, sc_error *err)
{
    sc_sqlite_journal *j = b;
    int rc = sc_sqlite_journal_lock(j, err);
    if (rc == 0) // whoever led before may have been a newer program
        rc = sc_sqlite_journal_migrate(j, sc_sqlite_journal_steps, SC_JOURNAL_VERSION, err);
    if (rc < 0)
        return rc;
    // from here on it is ours: when it is closed the -wal may be copied into it
    sqlite3_db_config(j->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    sqlite3_stmt *s = sc_sqlite_journal_take(j, SC_JOURNAL_START);
    if (!s || sqlite3_step(s) != SQLITE_ROW)
        return sc_sqlite_journal_fail(j, err, "reading the epoch");
    *epoch = j->epoch = (uint64_t)sqlite3_column_int64(s, 0);
    *next_number = (uint64_t)sqlite3_column_int64(s, 1);
    sqlite3_reset(s);
    return 0;
}

/* ---- housekeeping ---- */

// A slice of the rows of dropped jobs. @return 1 where more may be left
static int
delete_slice(sc_sqlite_journal *j, sc_error *err)
{
    static const sc_journal_statement slices[] = {SC_JOURNAL_SLICE_CHUNKS, SC_JOURNAL_SLICE_ENDED,
                                                  SC_JOURNAL_SLICE_ATTEMPTS};
    sqlite3_stmt *s = sc_sqlite_journal_take(j, SC_JOURNAL_FIRST_DROPPED);
    int64_t number = s && sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    if (!s)
        return sc_sqlite_journal_fail(j, err, "looking for dropped jobs");
    sqlite3_reset(s);
    if (number == 0) {
        j->has_dropped = false;
        return 0;
    }
    int rc = begin(j, false, err), n = 0;
    j->n_puts = 1;
    for (size_t i = 0; rc == 0 && n == 0 && i < sizeof slices / sizeof *slices; i++) {
        if ((s = keyed(j, slices[i], sc_journal_key((uint64_t)number, 0))))
            sqlite3_bind_int64(s, 2, sc_journal_key((uint64_t)number + 1, 0));
        rc = sc_sqlite_journal_run(j, s, "deleting a dropped job", err);
        n = sqlite3_changes(j->db);
    }
    if (rc == 0 && n == 0)
        rc = sc_sqlite_journal_run(j, keyed(j, SC_JOURNAL_FORGET_DROPPED, number),
                                   "deleting a dropped job", err);
    if (rc == 0)
        rc = commit(j, err);
    if (rc < 0)
        rollback(j);
    return rc < 0 ? rc : 1;
}

static int
on_wal(void *arg, sqlite3 *db, const char *name, int n_pages)
{
    (void)db;
    (void)name;
    *(int *)arg = n_pages;
    return SQLITE_OK;
}

static int
tend(void *b, sc_error *err)
{
    sc_sqlite_journal *j = b;
    if (j->wal_pages >= CHECKPOINT_PAGES) {
        // A reader from outside may keep some of it back: then the next time.
        int rc =
            SC_FAULT("journal.checkpoint")
                ? SQLITE_FULL
                : sqlite3_wal_checkpoint_v2(j->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        j->wal_pages = 0;
        if (rc != SQLITE_OK && rc != SQLITE_BUSY)
            return sc_sqlite_journal_fail(j, err, "copying the -wal into the database");
    }
    return j->has_dropped ? delete_slice(j, err) : 0;
}

static int
open_journal(const char *location, const atomic_bool *should_stop, void **out, sc_error *err)
{
    int rc = sc_sqlite_journal_open(location, should_stop, out, err);
    if (rc == 0) {
        sc_sqlite_journal *j = *out;
        sqlite3_wal_hook(j->db, on_wal, &j->wal_pages);
    }
    return rc;
}

const sc_journal_backend sc_journal_sqlite = {
    .scheme = "sqlite",
    .open = open_journal,
    .lead = lead,
    .jobs = sc_sqlite_journal_jobs,
    .begin = begin,
    .put = put,
    .commit = commit,
    .rollback = rollback,
    .chunk = sc_sqlite_journal_chunk,
    .ended_from = sc_sqlite_journal_ended_from,
    .ended_between = sc_sqlite_journal_ended_between,
    .position = sc_sqlite_journal_position,
    .attempts = sc_sqlite_journal_attempts,
    .tries = sc_sqlite_journal_tries,
    .tend = tend,
    .close = sc_sqlite_journal_close,
};
