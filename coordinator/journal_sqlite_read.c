/* SPDX-License-Identifier: Apache-2.0 */
/* The journal in SQLite: what a restart and readers read. Every statement is reset before its
 * function returns: an open one would keep the -wal from being begun anew. */
#include "coordinator/journal_sqlite.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/limits.h"

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
    sc_saved_job job = {.number = (uint64_t)sqlite3_column_int64(s, 0),
                        .client = (uint64_t)sqlite3_column_int64(s, 1),
                        .open = column_slice(s, 12),
                        .table = column_slice(s, 13),
                        .bytes = column_slice(s, 14),
                        .chunks = column_slice(s, 15)};
    job.state = (sc_saved_state){.state = (uint32_t)sqlite3_column_int64(s, 2),
                                 .n_tasks = (uint64_t)sqlite3_column_int64(s, 3),
                                 .submitted_at = sqlite3_column_int64(s, 4),
                                 .ended_at = sqlite3_column_int64(s, 5),
                                 .prefix = (uint64_t)sqlite3_column_int64(s, 6),
                                 .done = (uint64_t)sqlite3_column_int64(s, 7),
                                 .dead = (uint64_t)sqlite3_column_int64(s, 8),
                                 .cancelled = (uint64_t)sqlite3_column_int64(s, 9),
                                 .position = (uint64_t)sqlite3_column_int64(s, 10),
                                 .handed = (uint64_t)sqlite3_column_int64(s, 11)};
    return job;
}

int
sc_sqlite_journal_jobs(void *b, int (*each)(void *arg, const sc_saved_job *job), void *arg,
                       sc_error *err)
{
    sc_sqlite_journal *j = b;
    sqlite3_stmt *s = sc_sqlite_journal_take(j, SC_JOURNAL_JOBS);
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

/* ---- tasks of an open job ---- */

/* What is being read of a job. */
typedef struct reading {
    sc_sqlite_journal *journal;
    const sc_saved_job *job;
    sc_saved_tasks *tasks;
    uint64_t ended_max, attempts_max;
} reading;

static bool
add_stretch(reading *r, const sc_saved_stretch *from)
{
    sc_saved_tasks *t = r->tasks;
    if (t->n_ended == r->ended_max) {
        r->ended_max = r->ended_max ? r->ended_max * 2 : 64;
        void *grown = realloc(t->ended, r->ended_max * sizeof *t->ended);
        if (!grown)
            return false;
        t->ended = grown;
    }
    t->ended[t->n_ended++] = *from;
    t->dead += from->dead;
    t->cancelled += from->cancelled;
    t->done += from->count - from->dead - from->cancelled;
    return true;
}

static int
by_offset(const void *a, const void *b)
{
    const sc_record *x = a, *y = b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

// Records with gaps between them: a stretch for each piece without one.
static bool
add_records(reading *r, uint64_t place, uint32_t lowest, sc_slice table)
{
    sc_record records[SC_CHUNK_MAX_TASKS];
    uint32_t n = sc_records_count(table);
    if (n > SC_CHUNK_MAX_TASKS)
        return false;
    memcpy(records, table.data, n * sizeof *records);
    qsort(records, n, sizeof *records, by_offset);
    for (uint32_t i = 0, end; i < n; i = end) {
        sc_saved_stretch s = {.place = place + records[i].offset - lowest};
        for (end = i; end < n && records[end].offset == records[i].offset + (end - i); end++) {
            s.count++;
            s.dead += records[end].outcome == SC_DEAD;
            s.cancelled += records[end].outcome == SC_CANCELLED;
        }
        if (!add_stretch(r, &s))
            return false;
    }
    return true;
}

// A row of ENDED_BETWEEN, but what of it lies below the job's prefix.
static bool
add_row(reading *r, sqlite3_stmt *s)
{
    uint64_t place = (uint32_t)sqlite3_column_int64(s, 1), prefix = r->job->state.prefix;
    uint64_t count = (uint64_t)sqlite3_column_int64(s, 2);
    uint64_t span = (uint64_t)sqlite3_column_int64(s, 3);
    if (span != count)
        return add_records(r, place, (uint32_t)sqlite3_column_int64(s, 6), column_slice(s, 10));
    sc_saved_stretch at = {place, count, (uint64_t)sqlite3_column_int64(s, 4),
                           (uint64_t)sqlite3_column_int64(s, 5)};
    if (place < prefix) { // a range that begins below: all of one outcome
        uint64_t below = prefix - place < count ? prefix - place : count;
        at.place += below;
        at.count -= below;
        at.dead -= at.dead ? below : 0;
        at.cancelled -= at.cancelled ? below : 0;
    }
    return at.count == 0 || add_stretch(r, &at);
}

// The key of the last row that begins below a place; where there is none, that of the place.
static int
place_before(sc_sqlite_journal *j, uint64_t number, uint64_t place, int64_t *key, sc_error *err)
{
    sqlite3_stmt *s = between(j, SC_JOURNAL_PLACE_BEFORE, sc_journal_key(number, 0),
                              sc_journal_key(number, place));
    if (!s)
        return sc_sqlite_journal_fail(j, err, "reading what has ended");
    int rc = step(s);
    bool is_there = rc == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL;
    *key = is_there ? sqlite3_column_int64(s, 0) : sc_journal_key(number, place);
    return end_walk(j, s, rc, "reading what has ended", err);
}

static int
read_ended(reading *r, sc_error *err)
{
    sc_sqlite_journal *j = r->journal;
    uint64_t number = r->job->number, prefix = r->job->state.prefix;
    int64_t first;
    int rc = place_before(j, number, prefix, &first, err);
    if (rc < 0)
        return rc;
    sqlite3_stmt *s = between(j, SC_JOURNAL_ENDED_BETWEEN, first, sc_journal_key(number + 1, 0));
    if (!s)
        return sc_sqlite_journal_fail(j, err, "reading what has ended");
    while ((rc = step(s)) == SQLITE_ROW) {
        uint64_t place = (uint32_t)sqlite3_column_int64(s, 1);
        bool is_range = sqlite3_column_type(s, 7) != SQLITE_NULL;
        if ((place >= prefix || is_range) && !add_row(r, s)) {
            rc = SQLITE_NOMEM;
            break;
        }
    }
    return end_walk(j, s, rc, "reading what has ended", err);
}

static int
by_place(const void *a, const void *b)
{
    const sc_saved_stretch *x = a, *y = b;
    return x->place < y->place ? -1 : x->place > y->place;
}

static bool
has_ended(const reading *r, uint64_t place)
{
    const sc_saved_tasks *t = r->tasks;
    uint64_t low = 0, high = t->n_ended;
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        if (t->ended[mid].place + t->ended[mid].count <= place)
            low = mid + 1;
        else
            high = mid;
    }
    return low < t->n_ended && t->ended[low].place <= place;
}

static int
read_attempts(reading *r, sc_error *err)
{
    sc_sqlite_journal *j = r->journal;
    sc_saved_tasks *t = r->tasks;
    uint64_t number = r->job->number;
    sqlite3_stmt *s = between(j, SC_JOURNAL_ATTEMPTS, sc_journal_key(number, r->job->state.prefix),
                              sc_journal_key(number + 1, 0));
    if (!s)
        return sc_sqlite_journal_fail(j, err, "reading attempts");
    int rc;
    if (t->n_ended > 0)
        qsort(t->ended, t->n_ended, sizeof *t->ended, by_place);
    while ((rc = step(s)) == SQLITE_ROW) {
        uint64_t place = (uint32_t)sqlite3_column_int64(s, 0);
        if (has_ended(r, place))
            continue;
        if (t->n_attempts == r->attempts_max) {
            r->attempts_max = r->attempts_max ? r->attempts_max * 2 : 64;
            void *grown = realloc(t->attempts, r->attempts_max * sizeof *t->attempts);
            if (!grown) {
                rc = SQLITE_NOMEM;
                break;
            }
            t->attempts = grown;
        }
        t->attempts[t->n_attempts++] =
            (sc_saved_attempt){place, (uint32_t)sqlite3_column_int64(s, 1),
                               (uint32_t)sqlite3_column_int64(s, 2), sqlite3_column_int64(s, 3)};
    }
    return end_walk(j, s, rc, "reading attempts", err);
}

// Ended tasks that were kept of a job.
static int
read_position(reading *r, sc_error *err)
{
    sc_sqlite_journal *j = r->journal;
    sqlite3_stmt *s = between(j, SC_JOURNAL_LAST_ENDED, sc_journal_key(r->job->number, 0),
                              sc_journal_key(r->job->number + 1, 0));
    if (!s)
        return sc_sqlite_journal_fail(j, err, "reading what has ended");
    int rc = step(s);
    if (rc == SQLITE_ROW)
        r->tasks->position =
            (uint64_t)(uint32_t)sqlite3_column_int64(s, 0) + (uint64_t)sqlite3_column_int64(s, 1);
    return end_walk(j, s, rc, "reading what has ended", err);
}

int
sc_sqlite_journal_tasks(void *b, const sc_saved_job *job, sc_saved_tasks **out, sc_error *err)
{
    sc_saved_tasks *t = calloc(1, sizeof *t);
    if (!t)
        return sc_error_set(err, SC_ENOMEM, "out of memory");
    reading r = {.journal = b, .job = job, .tasks = t};
    int rc = read_ended(&r, err);
    if (rc == 0)
        rc = read_attempts(&r, err);
    if (rc == 0)
        rc = read_position(&r, err);
    if (rc < 0)
        sc_saved_tasks_free(&t);
    *out = t;
    return rc;
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
ended_row_of(sqlite3_stmt *s)
{
    const char *worker = (const char *)sqlite3_column_text(s, 9);
    return (sc_ended_row){.position = (uint32_t)sqlite3_column_int64(s, 0),
                          .place = (uint32_t)sqlite3_column_int64(s, 1),
                          .count = (uint64_t)sqlite3_column_int64(s, 2),
                          .is_range = sqlite3_column_type(s, 7) != SQLITE_NULL,
                          .lowest = (uint32_t)sqlite3_column_int64(s, 6),
                          .outcome = (uint32_t)sqlite3_column_int64(s, 7),
                          .attempt = (uint32_t)sqlite3_column_int64(s, 8),
                          .worker = {worker ? worker : "", (uint32_t)sqlite3_column_bytes(s, 9)},
                          .table = column_slice(s, 10),
                          .bytes = column_slice(s, 11)};
}

static int
walk_ended(sc_sqlite_journal *j, sqlite3_stmt *s, sc_ended_row_cb each, void *arg, sc_error *err)
{
    int rc = SQLITE_DONE;
    if (!s)
        return sc_sqlite_journal_fail(j, err, "reading results");
    while ((rc = step(s)) == SQLITE_ROW) {
        sc_ended_row row = ended_row_of(s);
        if (!each(arg, &row))
            break;
    }
    return end_walk(j, s, rc, "reading results", err);
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
    return walk_ended(j, s, each, arg, err);
}

// Records of a row lie in one chunk, so those that reach into the range begin less than a chunk
// before it; of what begins earlier only the last can, where it is a range.
int
sc_sqlite_journal_ended_between(void *b, uint64_t number, uint64_t from, uint64_t until,
                                sc_ended_row_cb each, void *arg, sc_error *err)
{
    sc_sqlite_journal *j = b;
    uint64_t near = from >= SC_CHUNK_MAX_TASKS ? from - SC_CHUNK_MAX_TASKS + 1 : 0;
    int64_t first;
    int rc = place_before(j, number, near, &first, err);
    if (rc < 0)
        return rc;
    sqlite3_stmt *s = between(j, SC_JOURNAL_ENDED_BETWEEN, first, sc_journal_key(number, until));
    return walk_ended(j, s, each, arg, err);
}
