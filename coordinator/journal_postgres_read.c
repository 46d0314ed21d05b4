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

enum { JOBS_NUMBER = 12 }; // a column of JOBS

/* Rows whose key (where is_by_place: column 1, whose place) lies in from..until-1, by it. */
typedef struct walk {
    sc_postgres_journal *journal;
    const char *what;
    sc_journal_statement which;
    int key;          // column of the key
    bool is_by_place; // several rows may have one place: of these by column 0
    int64_t from, until;
    int64_t from_key; // by place: with `from`, the first row that is wanted
    int64_t reach;    // ENDED_WIDE: a place that they have to reach over
    PGresult *rows;
    int row; // the present one
    sc_error *err;
} walk;

// Where the rows that follow the last one begin.
static void
go_on(walk *w)
{
    int last = PQntuples(w->rows) - 1;
    if (w->is_by_place) {
        w->from = sc_postgres_number(w->rows, last, 1);
        w->from_key = sc_postgres_number(w->rows, last, 0) + 1;
    } else {
        w->from = sc_postgres_number(w->rows, last, w->key) + 1;
    }
}

// @return 1: there is a row; 0: no more; a code
static int
next(walk *w)
{
    if (w->rows && ++w->row < PQntuples(w->rows))
        return 1;
    if (w->rows)
        go_on(w);
    PQclear(w->rows);
    w->rows = NULL;
    w->row = 0;
    if (w->from >= w->until)
        return 0;
    const int64_t range[] = {w->from, w->until, w->from_key, w->reach};
    int n = w->which == SC_JOURNAL_ENDED_WIDE ? 4 : w->is_by_place ? 3 : 2;
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
    int64_t numbers[SC_STATE_NUMBERS];
    for (int k = 0; k < SC_STATE_NUMBERS; k++)
        numbers[k] = sc_postgres_number(rows, i, k);
    sc_saved_job job = {.number = count_of(rows, i, JOBS_NUMBER),
                        .client = count_of(rows, i, 13),
                        .open = slice_of(rows, i, 15),
                        .table = slice_of(rows, i, 16),
                        .bytes = slice_of(rows, i, 17),
                        .chunks = slice_of(rows, i, 18)};
    sc_slice digest = slice_of(rows, i, 14);
    sc_journal_state_get(&job.state, numbers);
    if (digest.len == sizeof job.state.digest.bytes)
        memcpy(job.state.digest.bytes, digest.data, digest.len);
    return job;
}

int
sc_postgres_journal_jobs(void *b, uint64_t number, int (*each)(void *arg, const sc_saved_job *job),
                         void *arg, sc_error *err)
{
    sc_postgres_journal *j = b;
    walk w = {.journal = j,
              .what = "reading jobs",
              .which = SC_JOURNAL_JOBS,
              .key = JOBS_NUMBER,
              .from = (int64_t)number,
              .until = number ? (int64_t)number + 1 : INT64_MAX,
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
                          .span = count_of(rows, i, 3),
                          .dead = count_of(rows, i, 4),
                          .cancelled = count_of(rows, i, 5),
                          .is_range = PQgetisnull(rows, i, 10),
                          .lowest = (uint32_t)count_of(rows, i, 6),
                          .outcome = (uint32_t)count_of(rows, i, 7),
                          .attempt = (uint32_t)count_of(rows, i, 8),
                          .worker = {(const char *)worker.data, (uint32_t)worker.len},
                          .table = slice_of(rows, i, 10),
                          .bytes = slice_of(rows, i, 11)};
}

// @return 1: no more rows are wanted; 0; a code
static int
walk_ended(walk *w, sc_ended_row_cb each, void *arg)
{
    int rc;
    bool is_wanted = true;
    while (is_wanted && (rc = next(w)) == 1) {
        sc_ended_row row = ended_row_of(w->rows, w->row);
        is_wanted = each(arg, &row);
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
    if (rc == 0)
        rc = walk_ended(&w, each, arg);
    return rc < 0 ? rc : 0;
}

// Rows that reach into the range begin less than a chunk before it, but for the wide ones.
int
sc_postgres_journal_ended_between(void *b, const sc_ended_query *q, sc_ended_row_cb each, void *arg,
                                  sc_error *err)
{
    static const sc_journal_statement between[] = {
        [SC_ENDED_ALL] = SC_JOURNAL_ENDED_BETWEEN,
        [SC_ENDED_BARE] = SC_JOURNAL_ENDED_BARE,
        [SC_ENDED_FAILED] = SC_JOURNAL_ENDED_FAILED,
    };
    uint64_t near = q->from >= SC_CHUNK_MAX_TASKS ? q->from - SC_CHUNK_MAX_TASKS + 1 : 0;
    walk w = {.journal = b,
              .what = "reading results",
              .which = SC_JOURNAL_ENDED_WIDE,
              .is_by_place = true,
              .from = sc_journal_key(q->number, 0),
              .until = sc_journal_key(q->number, near),
              .reach = sc_journal_key(q->number, q->from),
              .err = err};
    int rc = walk_ended(&w, each, arg);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    w = (walk){.journal = b,
               .what = "reading results",
               .which = between[q->kind],
               .is_by_place = true,
               .from = sc_journal_key(q->number, near),
               .until = sc_journal_key(q->number, q->until),
               .err = err};
    rc = walk_ended(&w, each, arg);
    return rc < 0 ? rc : 0;
}

int
sc_postgres_journal_position(void *b, uint64_t number, uint64_t *position, sc_error *err)
{
    const int64_t range[] = {sc_journal_key(number, 0), sc_journal_key(number + 1, 0)};
    PGresult *rows;
    *position = 0;
    int rc = sc_postgres_journal_read(b, "reading what has ended", SC_JOURNAL_LAST_ENDED, range, 2,
                                      &rows, err);
    if (rc == 0 && PQntuples(rows) > 0)
        *position = low_of(rows, 0, 0) + count_of(rows, 0, 1);
    PQclear(rows);
    return rc;
}

static int
walk_attempts(walk *w, bool is_whole, sc_attempt_row_cb each, void *arg)
{
    int rc = 0, result = 0, at = is_whole; // a column comes before the place
    while (result == 0 && (rc = next(w)) == 1) {
        sc_attempt_row row = {0};
        row.next = (sc_saved_attempt){low_of(w->rows, w->row, at),
                                      (uint32_t)count_of(w->rows, w->row, at + 1),
                                      (uint32_t)count_of(w->rows, w->row, at + 2),
                                      sc_postgres_number(w->rows, w->row, at + 3)};
        row.position = count_of(w->rows, w->row, at + 4);
        if (is_whole) {
            sc_slice worker = slice_of(w->rows, w->row, 7), error = slice_of(w->rows, w->row, 8);
            row.at = sc_postgres_number(w->rows, w->row, 6);
            row.worker = (sc_text){(const char *)worker.data, (uint32_t)worker.len};
            row.error = (sc_text){(const char *)error.data, (uint32_t)error.len};
        }
        result = each(arg, &row);
    }
    PQclear(w->rows);
    if (result < 0)
        return sc_error_set(w->err, result, "%s: %s (%s)", sc_postgres_name(w->journal->pg),
                            sc_error_text(result), w->what);
    return result > 0 ? 0 : rc;
}

int
sc_postgres_journal_attempts(void *b, uint64_t number, uint64_t from, sc_attempt_row_cb each,
                             void *arg, sc_error *err)
{
    walk w = {.journal = b,
              .what = "reading attempts",
              .which = SC_JOURNAL_ATTEMPTS,
              .from = sc_journal_key(number, from),
              .until = sc_journal_key(number + 1, 0),
              .err = err};
    return walk_attempts(&w, false, each, arg);
}

int
sc_postgres_journal_tries(void *b, const sc_ended_query *q, sc_attempt_row_cb each, void *arg,
                          sc_error *err)
{
    walk w = {.journal = b,
              .what = "reading attempts",
              .which = SC_JOURNAL_TRIES,
              .is_by_place = true,
              .from = sc_journal_key(q->number, q->from),
              .until = sc_journal_key(q->number, q->until),
              .err = err};
    return walk_attempts(&w, true, each, arg);
}
