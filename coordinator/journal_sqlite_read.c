/* SPDX-License-Identifier: Apache-2.0 */
/* The journal in SQLite: what a restart and readers read. Every statement is reset before its
 * function returns: an open one would keep the -wal from being begun anew. */
#include "coordinator/journal_sqlite.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/limits.h"
#include "coordinator/journal_tasks.h"

static sc_slice
column_slice(sqlite3_stmt *s, int at)
{
    // https://www.sqlite.org/c3ref/column_blob.html: first the bytes, then their number
    const void *data = sqlite3_column_blob(s, at);
    return sc_slice_borrow(data, (size_t)sqlite3_column_bytes(s, at));
}

static int
step(sqlite3_stmt *s)
{
    return SC_FAULT("journal.read") ? SQLITE_IOERR : sqlite3_step(s);
}

// The end of a walk over rows: its statement is given back.
static int
end_walk(sc_sqlite_journal *j, sqlite3_stmt *s, int rc, const char *what, sc_error *err)
{
    bool is_good = rc == SQLITE_DONE || rc == SQLITE_ROW;
    int result = 0;
    if (!is_good && rc == SQLITE_IOERR)
        result = sc_error_set(err, -EIO, "%s: cannot be read (%s)", j->path, what);
    else if (!is_good)
        result = sc_sqlite_journal_fail(j, err, what);
    sqlite3_reset(s);
    return result;
}

// A statement over keys from..until-1.
static sqlite3_stmt *
between(sc_sqlite_journal *j, sc_journal_statement which, int64_t from, int64_t until)
{
    sqlite3_stmt *s = sc_sqlite_journal_take(j, which);
    if (!s)
        return NULL;
    sqlite3_bind_int64(s, 1, from);
    sqlite3_bind_int64(s, 2, until);
    return s;
}

/* ---- jobs ---- */

// Chunks of an upload that has not been committed: those that are there, without a gap.
static int
read_heads(sc_sqlite_journal *j, uint64_t number, sc_blob **out, sc_error *err)
{
    sqlite3_stmt *s =
        between(j, SC_JOURNAL_HEADS, sc_journal_key(number, 0), sc_journal_key(number + 1, 0));
    if (!s)
        return sc_sqlite_journal_fail(j, err, "reading an upload");
    sc_saved_chunk *chunks = NULL;
    size_t n = 0, max = 0;
    int rc;
    while ((rc = step(s)) == SQLITE_ROW) {
        if (n == max) {
            max = max ? max * 2 : 64;
            void *grown = realloc(chunks, max * sizeof *chunks);
            if (!grown) {
                rc = SQLITE_NOMEM;
                break;
            }
            chunks = grown;
        }
        chunks[n++] =
            (sc_saved_chunk){(uint32_t)sqlite3_column_int64(s, 0),
                             (uint32_t)(sqlite3_column_int64(s, 1) + sqlite3_column_int64(s, 2))};
    }
    int result = end_walk(j, s, rc, "reading an upload", err);
    if (result == 0 && !(*out = sc_blob_copy(chunks ? (void *)chunks : "", n * sizeof *chunks)))
        result = sc_error_set(err, SC_ENOMEM, "out of memory");
    free(chunks);
    return result;
}

static sc_saved_job
job_of(sqlite3_stmt *s)
{
    int64_t numbers[SC_STATE_NUMBERS];
    for (int i = 0; i < SC_STATE_NUMBERS; i++)
        numbers[i] = sqlite3_column_int64(s, i);
    sc_saved_job job = {.number = (uint64_t)sqlite3_column_int64(s, 12),
                        .client = (uint64_t)sqlite3_column_int64(s, 13),
                        .open = column_slice(s, 15),
                        .table = column_slice(s, 16),
                        .bytes = column_slice(s, 17),
                        .chunks = column_slice(s, 18)};
    sc_slice digest = column_slice(s, 14);
    sc_journal_state_get(&job.state, numbers);
    if (digest.len == sizeof job.state.digest.bytes)
        memcpy(job.state.digest.bytes, digest.data, digest.len);
    return job;
}

int
sc_sqlite_journal_jobs(void *b, uint64_t number, int (*each)(void *arg, const sc_saved_job *job),
                       void *arg, sc_error *err)
{
    sc_sqlite_journal *j = b;
    sqlite3_stmt *s =
        between(j, SC_JOURNAL_JOBS, (int64_t)number, number ? (int64_t)number + 1 : INT64_MAX);
    if (!s)
        return sc_sqlite_journal_fail(j, err, "reading jobs");
    int rc, result = 0;
    while (result == 0 && (rc = step(s)) == SQLITE_ROW) {
        sc_saved_job job = job_of(s);
        sc_blob *heads = NULL;
        if (job.state.state == SC_JOB_STAGED)
            result = read_heads(j, job.number, &heads, err);
        if (heads)
            job.chunks = sc_slice_of(heads);
        if (result == 0)
            result = each(arg, &job);
        sc_blob_unref(heads);
    }
    if (result < 0) {
        sqlite3_reset(s);
        return result;
    }
    return end_walk(j, s, rc, "reading jobs", err);
}

/* ---- readers ---- */

int
sc_sqlite_journal_chunk(void *b, uint64_t number, uint32_t chunk, sc_blob **table, sc_blob **bytes,
                        sc_error *err)
{
    sc_sqlite_journal *j = b;
    sqlite3_stmt *s = sc_sqlite_journal_take(j, SC_JOURNAL_CHUNK);
    if (!s)
        return sc_sqlite_journal_fail(j, err, "reading tasks");
    sqlite3_bind_int64(s, 1, sc_journal_key(number, chunk));
    int rc = step(s), result = 0;
    *table = *bytes = NULL;
    if (rc == SQLITE_ROW) {
        sc_slice lens = column_slice(s, 0), payload = column_slice(s, 1);
        *table = sc_blob_copy(lens.data, lens.len);
        *bytes = sc_blob_copy(payload.data ? (const void *)payload.data : "", payload.len);
        if (!*table || !*bytes) {
            sc_blob_unref(*table);
            sc_blob_unref(*bytes);
            result = sc_error_set(err, SC_ENOMEM, "out of memory");
        }
    } else if (rc == SQLITE_DONE) {
        result = sc_error_set(err, SC_ENOTFOUND, "%s: tasks are missing", j->path);
    }
    int end = end_walk(j, s, rc, "reading tasks", err);
    return result ? result : end;
}

static sc_ended_row
ended_row_of(sqlite3_stmt *s, sc_ended_kind kind)
{
    sc_ended_row row = {.position = (uint32_t)sqlite3_column_int64(s, 0),
                        .place = (uint32_t)sqlite3_column_int64(s, 1),
                        .count = (uint64_t)sqlite3_column_int64(s, 2),
                        .span = (uint64_t)sqlite3_column_int64(s, 3),
                        .dead = (uint64_t)sqlite3_column_int64(s, 4),
                        .cancelled = (uint64_t)sqlite3_column_int64(s, 5),
                        .lowest = (uint32_t)sqlite3_column_int64(s, 6)};
    bool is_plain = row.span == row.count && row.dead + row.cancelled == 0;
    if (kind == SC_ENDED_BARE && is_plain)
        return row; // nothing is read of the pages that hold its records
    row.table = column_slice(s, 10);
    if (kind == SC_ENDED_BARE)
        return row;
    const char *worker = (const char *)sqlite3_column_text(s, 9);
    row.worker = (sc_text){worker ? worker : "", (uint32_t)sqlite3_column_bytes(s, 9)};
    row.is_range = sqlite3_column_type(s, 7) != SQLITE_NULL;
    row.outcome = (uint32_t)sqlite3_column_int64(s, 7);
    row.attempt = (uint32_t)sqlite3_column_int64(s, 8);
    row.bytes = column_slice(s, 11);
    return row;
}

// @return 1: no more rows are wanted; 0; a code
static int
walk_ended(sc_sqlite_journal *j, sqlite3_stmt *s, sc_ended_kind kind, sc_ended_row_cb each,
           void *arg, sc_error *err)
{
    int rc = SQLITE_DONE;
    if (!s)
        return sc_sqlite_journal_fail(j, err, "reading results");
    while ((rc = step(s)) == SQLITE_ROW) {
        sc_ended_row row = ended_row_of(s, kind);
        if (!each(arg, &row))
            break;
    }
    int result = end_walk(j, s, rc, "reading results", err);
    return result < 0 ? result : rc == SQLITE_ROW;
}

int
sc_sqlite_journal_ended_from(void *b, uint64_t number, uint64_t position, sc_ended_row_cb each,
                             void *arg, sc_error *err)
{
    sc_sqlite_journal *j = b;
    sqlite3_stmt *s = between(j, SC_JOURNAL_ENDED_KEY, sc_journal_key(number, 0),
                              sc_journal_key(number, position));
    if (!s)
        return sc_sqlite_journal_fail(j, err, "reading results");
    int rc = step(s);
    bool is_there = rc == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL;
    int64_t first = is_there ? sqlite3_column_int64(s, 0) : sc_journal_key(number, position);
    int result = end_walk(j, s, rc, "reading results", err);
    if (result < 0)
        return result;
    s = between(j, SC_JOURNAL_ENDED_FROM, first, sc_journal_key(number + 1, 0));
    result = walk_ended(j, s, SC_ENDED_ALL, each, arg, err);
    return result < 0 ? result : 0;
}

// Rows that reach into the range begin less than a chunk before it, but for the wide ones.
int
sc_sqlite_journal_ended_between(void *b, const sc_ended_query *q, sc_ended_row_cb each, void *arg,
                                sc_error *err)
{
    sc_sqlite_journal *j = b;
    uint64_t near = q->from >= SC_CHUNK_MAX_TASKS ? q->from - SC_CHUNK_MAX_TASKS + 1 : 0;
    int64_t first = sc_journal_key(q->number, near);
    sqlite3_stmt *s = between(j, SC_JOURNAL_ENDED_WIDE, sc_journal_key(q->number, 0), first);
    if (s)
        sqlite3_bind_int64(s, 3, sc_journal_key(q->number, q->from));
    int rc = walk_ended(j, s, q->kind, each, arg, err);
    if (rc == 0) {
        s = between(j,
                    q->kind == SC_ENDED_FAILED ? SC_JOURNAL_ENDED_FAILED : SC_JOURNAL_ENDED_BETWEEN,
                    first, sc_journal_key(q->number, q->until));
        rc = walk_ended(j, s, q->kind, each, arg, err);
    }
    return rc < 0 ? rc : 0;
}

int
sc_sqlite_journal_position(void *b, uint64_t number, uint64_t *position, sc_error *err)
{
    sc_sqlite_journal *j = b;
    sqlite3_stmt *s =
        between(j, SC_JOURNAL_LAST_ENDED, sc_journal_key(number, 0), sc_journal_key(number + 1, 0));
    *position = 0;
    if (!s)
        return sc_sqlite_journal_fail(j, err, "reading what has ended");
    int rc = step(s);
    if (rc == SQLITE_ROW)
        *position =
            (uint64_t)(uint32_t)sqlite3_column_int64(s, 0) + (uint64_t)sqlite3_column_int64(s, 1);
    return end_walk(j, s, rc, "reading what has ended", err);
}

static sc_attempt_row
attempt_row_of(sqlite3_stmt *s, bool is_whole)
{
    sc_attempt_row row = {0};
    row.next = (sc_saved_attempt){(uint32_t)sqlite3_column_int64(s, 0),
                                  (uint32_t)sqlite3_column_int64(s, 1),
                                  (uint32_t)sqlite3_column_int64(s, 2), sqlite3_column_int64(s, 3)};
    row.position = (uint64_t)sqlite3_column_int64(s, 4);
    if (is_whole) {
        sc_slice worker = column_slice(s, 6), error = column_slice(s, 7);
        row.at = sqlite3_column_int64(s, 5);
        row.worker = (sc_text){(const char *)worker.data, (uint32_t)worker.len};
        row.error = (sc_text){(const char *)error.data, (uint32_t)error.len};
    }
    return row;
}

static int
walk_attempts(sc_sqlite_journal *j, sqlite3_stmt *s, bool is_whole, sc_attempt_row_cb each,
              void *arg, sc_error *err)
{
    if (!s)
        return sc_sqlite_journal_fail(j, err, "reading attempts");
    int rc = SQLITE_DONE, result = 0;
    while (result == 0 && (rc = step(s)) == SQLITE_ROW) {
        sc_attempt_row row = attempt_row_of(s, is_whole);
        result = each(arg, &row);
    }
    if (result < 0)
        sc_error_set(err, result, "%s: %s (reading attempts)", j->path, sc_error_text(result));
    int end = end_walk(j, s, rc, "reading attempts", err);
    return result < 0 ? result : end;
}

int
sc_sqlite_journal_attempts(void *b, uint64_t number, uint64_t from, sc_attempt_row_cb each,
                           void *arg, sc_error *err)
{
    sqlite3_stmt *s = between(b, SC_JOURNAL_ATTEMPTS, sc_journal_key(number, from),
                              sc_journal_key(number + 1, 0));
    return walk_attempts(b, s, false, each, arg, err);
}

int
sc_sqlite_journal_tries(void *b, const sc_ended_query *q, sc_attempt_row_cb each, void *arg,
                        sc_error *err)
{
    sqlite3_stmt *s = between(b, SC_JOURNAL_TRIES, sc_journal_key(q->number, q->from),
                              sc_journal_key(q->number, q->until));
    return walk_attempts(b, s, true, each, arg, err);
}
