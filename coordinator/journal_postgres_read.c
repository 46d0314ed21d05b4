/* SPDX-License-Identifier: Apache-2.0 */
/* The journal in PostgreSQL: what a restart and readers read, in batches, so that neither side
 * holds more than one of them. See journal_postgres.h. */
#include <limits.h>
#include <string.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "coordinator/journal_postgres.h"
#include "coordinator/journal_tasks.h"

static sc_slice
slice_of(const PGresult *rows, int row, int column)
{
    if (PQgetisnull(rows, row, column))
        return (sc_slice){0};
    return sc_slice_borrow(PQgetvalue(rows, row, column), (size_t)PQgetlength(rows, row, column));
}

// The low half of a key.
static uint64_t
low_of(const PGresult *rows, int row, int column)
{
    return (uint32_t)sc_postgres_number(rows, row, column);
}

static uint64_t
count_of(const PGresult *rows, int row, int column)
{
    return (uint64_t)sc_postgres_number(rows, row, column);
}

/* Rows whose key lies in from..until-1, by it. */
typedef struct walk {
    sc_postgres_journal *journal;
    const char *what;
    sc_journal_statement which;
    int key; // column of the key
    int64_t from, until;
    PGresult *rows;
    int row; // the present one
    sc_error *err;
} walk;

// @return 1: there is a row; 0: no more; a code
static int
next(walk *w)
{
    if (w->rows && ++w->row < PQntuples(w->rows))
        return 1;
    if (w->rows)
        w->from = sc_postgres_number(w->rows, PQntuples(w->rows) - 1, w->key) + 1;
    PQclear(w->rows);
    w->rows = NULL;
    w->row = 0;
    if (w->from >= w->until)
        return 0;
    const int64_t range[] = {w->from, w->until};
    int n = w->which == SC_JOURNAL_JOBS ? 1 : 2;
    int rc = sc_postgres_journal_read(w->journal, w->what, w->which, range, n, &w->rows, w->err);
    if (rc == 0 && PQntuples(w->rows) > 0)
        return 1;
    PQclear(w->rows);
    w->rows = NULL;
    return rc;
}

static int
out_of_memory(sc_postgres_journal *j, sc_error *err)
{
    return sc_error_set(err, SC_ENOMEM, "%s: out of memory", sc_postgres_name(j->pg));
}

// The one number that a statement over a range gives, or `otherwise` where it is NULL.
static int
ask_number(sc_postgres_journal *j, sc_journal_statement which, const int64_t *range,
           int64_t otherwise, int64_t *out, sc_error *err)
{
    PGresult *rows;
    int rc = sc_postgres_journal_read(j, "reading what has ended", which, range, 2, &rows, err);
    if (rc < 0)
        return rc;
    *out = PQgetisnull(rows, 0, 0) ? otherwise : sc_postgres_number(rows, 0, 0);
    PQclear(rows);
    return 0;
}

/* ---- jobs ---- */

// Chunks of an upload that has not been committed: those that are there.
static int
read_heads(sc_postgres_journal *j, uint64_t number, sc_buffer *out, sc_error *err)
{
    walk w = {.journal = j,
              .what = "reading an upload",
              .which = SC_JOURNAL_HEADS,
              .from = sc_journal_key(number, 0),
              .until = sc_journal_key(number + 1, 0),
              .err = err};
    int rc;
    while ((rc = next(&w)) == 1) {
        sc_saved_chunk chunk = {(uint32_t)count_of(w.rows, w.row, 1),
                                (uint32_t)count_of(w.rows, w.row, 2)};
        if (sc_buffer_add(out, &chunk, sizeof chunk) < 0) {
            rc = out_of_memory(j, err);
            break;
        }
    }
    PQclear(w.rows);
    return rc;
}

static sc_saved_job
job_of(const PGresult *rows, int i)
{
    sc_saved_job job = {.number = count_of(rows, i, 0),
                        .client = count_of(rows, i, 1),
                        .open = slice_of(rows, i, 12),
                        .table = slice_of(rows, i, 13),
                        .bytes = slice_of(rows, i, 14),
                        .chunks = slice_of(rows, i, 15)};
    job.state = (sc_saved_state){.state = (uint32_t)count_of(rows, i, 2),
                                 .n_tasks = count_of(rows, i, 3),
                                 .submitted_at = sc_postgres_number(rows, i, 4),
                                 .ended_at = sc_postgres_number(rows, i, 5),
                                 .prefix = count_of(rows, i, 6),
                                 .done = count_of(rows, i, 7),
                                 .dead = count_of(rows, i, 8),
                                 .cancelled = count_of(rows, i, 9),
                                 .position = count_of(rows, i, 10),
                                 .handed = count_of(rows, i, 11)};
    return job;
}

int
sc_postgres_journal_jobs(void *b, int (*each)(void *arg, const sc_saved_job *job), void *arg,
                         sc_error *err)
{
    sc_postgres_journal *j = b;
    walk w = {.journal = j,
              .what = "reading jobs",
              .which = SC_JOURNAL_JOBS,
              .until = INT64_MAX,
              .err = err};
    sc_buffer heads;
    sc_buffer_init(&heads, 0);
    int rc;
    while ((rc = next(&w)) == 1) {
        sc_saved_job job = job_of(w.rows, w.row);
        sc_buffer_clear(&heads);
        if (job.state.state == SC_JOB_STAGED) {
            rc = read_heads(j, job.number, &heads, err);
            job.chunks = sc_slice_borrow(heads.data, heads.len);
        }
        if (rc < 0 || (rc = each(arg, &job)) != 0)
            break;
    }
    PQclear(w.rows);
    sc_buffer_fini(&heads);
    return rc;
}

/* ---- tasks of an open job ---- */

// The key of the last row that begins below a place; where there is none, that of the place.
static int
place_before(sc_postgres_journal *j, uint64_t number, uint64_t place, int64_t *key, sc_error *err)
{
    const int64_t range[] = {sc_journal_key(number, 0), sc_journal_key(number, place)};
    return ask_number(j, SC_JOURNAL_PLACE_BEFORE, range, range[1], key, err);
}

// What of a row lies below the prefix is left out; only a range reaches over it.
static int
add_row(sc_journal_tasks *t, const PGresult *rows, int i)
{
    sc_ended_extent row = {.place = low_of(rows, i, 0),
                           .count = count_of(rows, i, 1),
                           .span = count_of(rows, i, 2),
                           .dead = count_of(rows, i, 3),
                           .cancelled = count_of(rows, i, 4),
                           .lowest = (uint32_t)count_of(rows, i, 5)};
    if (row.place + row.span <= t->prefix)
        return 0;
    return sc_journal_tasks_ended(t, &row, slice_of(rows, i, 6));
}

static int
read_ended(sc_postgres_journal *j, uint64_t number, sc_journal_tasks *t, sc_error *err)
{
    walk w = {.journal = j,
              .what = "reading what has ended",
              .which = SC_JOURNAL_EXTENTS,
              .until = sc_journal_key(number + 1, 0),
              .err = err};
    int rc = place_before(j, number, t->prefix, &w.from, err);
    while (rc == 0 && (rc = next(&w)) == 1) {
        rc = add_row(t, w.rows, w.row);
        if (rc < 0)
            sc_error_set(err, rc, "%s: %s (%s)", sc_postgres_name(j->pg), sc_error_text(rc),
                         w.what);
    }
    PQclear(w.rows);
    return rc;
}

static int
read_attempts(sc_postgres_journal *j, uint64_t number, sc_journal_tasks *t, sc_error *err)
{
    walk w = {.journal = j,
              .what = "reading attempts",
              .which = SC_JOURNAL_ATTEMPTS,
              .from = sc_journal_key(number, t->prefix),
              .until = sc_journal_key(number + 1, 0),
              .err = err};
    int rc;
    while ((rc = next(&w)) == 1) {
        sc_saved_attempt a = {low_of(w.rows, w.row, 0), (uint32_t)count_of(w.rows, w.row, 1),
                              (uint32_t)count_of(w.rows, w.row, 2),
                              sc_postgres_number(w.rows, w.row, 3)};
        if (sc_journal_tasks_attempt(t, &a) < 0) {
            rc = out_of_memory(j, err);
            break;
        }
    }
    PQclear(w.rows);
    return rc;
}

// Ended tasks that were kept of a job.
static int
read_position(sc_postgres_journal *j, uint64_t number, uint64_t *position, sc_error *err)
{
    const int64_t range[] = {sc_journal_key(number, 0), sc_journal_key(number + 1, 0)};
    PGresult *rows;
    int rc = sc_postgres_journal_read(j, "reading what has ended", SC_JOURNAL_LAST_ENDED, range, 2,
                                      &rows, err);
    if (rc == 0 && PQntuples(rows) > 0)
        *position = low_of(rows, 0, 0) + count_of(rows, 0, 1);
    PQclear(rows);
    return rc;
}

int
sc_postgres_journal_tasks(void *b, const sc_saved_job *job, sc_saved_tasks **out, sc_error *err)
{
    sc_journal_tasks t = {.prefix = job->state.prefix};
    uint64_t position = 0;
    int rc = read_ended(b, job->number, &t, err);
    if (rc == 0)
        rc = read_attempts(b, job->number, &t, err);
    if (rc == 0)
        rc = read_position(b, job->number, &position, err);
    *out = rc == 0 ? sc_journal_tasks_take(&t, position) : NULL;
    if (rc == 0 && !*out)
        rc = out_of_memory(b, err);
    sc_journal_tasks_fini(&t);
    return rc;
}

/* ---- readers ---- */

int
sc_postgres_journal_chunk(void *b, uint64_t number, uint32_t chunk, sc_blob **table,
                          sc_blob **bytes, sc_error *err)
{
    sc_postgres_journal *j = b;
    PGresult *rows;
    int64_t key = sc_journal_key(number, chunk);
    *table = *bytes = NULL;
    int rc = sc_postgres_journal_read(j, "reading tasks", SC_JOURNAL_CHUNK, &key, 1, &rows, err);
    if (rc == 0 && PQntuples(rows) == 0) {
        rc = sc_error_set(err, SC_ENOTFOUND, "%s: tasks are missing", sc_postgres_name(j->pg));
    } else if (rc == 0) {
        sc_slice lens = slice_of(rows, 0, 0), payload = slice_of(rows, 0, 1);
        *table = sc_blob_copy(lens.data, lens.len);
        *bytes = sc_blob_copy(payload.data, payload.len);
        if (!*table || !*bytes) {
            sc_blob_unref(*table);
            sc_blob_unref(*bytes);
            rc = out_of_memory(j, err);
        }
    }
    PQclear(rows);
    return rc;
}

static sc_ended_row
ended_row_of(const PGresult *rows, int i)
{
    sc_slice worker = slice_of(rows, i, 9);
    return (sc_ended_row){.position = low_of(rows, i, 0),
                          .place = low_of(rows, i, 1),
                          .count = count_of(rows, i, 2),
                          .is_range = PQgetisnull(rows, i, 10),
                          .lowest = (uint32_t)count_of(rows, i, 6),
                          .outcome = (uint32_t)count_of(rows, i, 7),
                          .attempt = (uint32_t)count_of(rows, i, 8),
                          .worker = {(const char *)worker.data, (uint32_t)worker.len},
                          .table = slice_of(rows, i, 10),
                          .bytes = slice_of(rows, i, 11)};
}

static int
walk_ended(walk *w, sc_ended_row_cb each, void *arg)
{
    int rc;
    while ((rc = next(w)) == 1) {
        sc_ended_row row = ended_row_of(w->rows, w->row);
        if (!each(arg, &row)) {
            rc = 0;
            break;
        }
    }
    PQclear(w->rows);
    return rc;
}

int
sc_postgres_journal_ended_from(void *b, uint64_t number, uint64_t position, sc_ended_row_cb each,
                               void *arg, sc_error *err)
{
    walk w = {.journal = b,
              .what = "reading results",
              .which = SC_JOURNAL_ENDED_FROM,
              .until = sc_journal_key(number + 1, 0),
              .err = err};
    const int64_t range[] = {sc_journal_key(number, 0), sc_journal_key(number, position)};
    int rc = ask_number(b, SC_JOURNAL_ENDED_KEY, range, range[1], &w.from, err);
    return rc < 0 ? rc : walk_ended(&w, each, arg);
}

// Records of a row lie in one chunk, so those that reach into the range begin less than a chunk
// before it; of what begins earlier only the last can, where it is a range.
int
sc_postgres_journal_ended_between(void *b, uint64_t number, uint64_t from, uint64_t until,
                                  sc_ended_row_cb each, void *arg, sc_error *err)
{
    walk w = {.journal = b,
              .what = "reading results",
              .which = SC_JOURNAL_ENDED_BETWEEN,
              .key = 1,
              .until = sc_journal_key(number, until),
              .err = err};
    uint64_t near = from >= SC_CHUNK_MAX_TASKS ? from - SC_CHUNK_MAX_TASKS + 1 : 0;
    int rc = place_before(b, number, near, &w.from, err);
    return rc < 0 ? rc : walk_ended(&w, each, arg);
}
