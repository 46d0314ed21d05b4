/* SPDX-License-Identifier: Apache-2.0 */
/* The journal in PostgreSQL: groups. A group is one transaction, sent in one pipeline: its rows are
 * gathered by table and sent with one statement each, or with several where they are many. See
 * journal_postgres.h; called by the journal's thread. */
#include "coordinator/journal_postgres.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "coordinator/journal_tasks.h"

enum {
    STATEMENT_BYTES = 4 << 20, // rows are sent once they are so many: both sides hold a statement
};

/* ---- failures ---- */

// Rows that are there already, or an epoch that is not ours: then the update of `meta` would leave
// a NULL where none may be.
static int
fail(sc_postgres_journal *j, int rc, sc_error *err)
{
    if (rc != SC_EDATABASE)
        return rc;
    if (strcmp(err->sqlstate, "23502") == 0)
        return sc_postgres_journal_deposed(j, err);
    if (strncmp(err->sqlstate, "23", 2) == 0)
        return sc_error_set(err, SC_ESTATE, "%s: another program has written to it",
                            sc_postgres_name(j->pg));
    return rc;
}

static int
send(sc_postgres_journal *j, sc_journal_statement which, const int64_t *numbers, int n,
     sc_error *err)
{
    sc_postgres_params p = {0};
    for (int i = 0; i < n; i++)
        sc_postgres_add_number(&p, numbers[i]);
    return sc_postgres_send(j->pg, (int)which, &p, err);
}

int
sc_postgres_journal_read(sc_postgres_journal *j, const char *what, sc_journal_statement which,
                         const int64_t *numbers, int n, PGresult **rows, sc_error *err)
{
    *rows = NULL;
    int rc = sc_postgres_journal_resume(j, err);
    if (rc == 0)
        rc = send(j, which, numbers, n, err);
    return rc < 0 ? rc : sc_postgres_finish(j->pg, what, rows, err);
}

/* ---- rows ---- */

static void
init_rows(sc_journal_rows *r, sc_journal_statement statement, const char *types)
{
    r->statement = statement;
    for (; types[r->n_columns]; r->n_columns++)
        sc_postgres_array_init(&r->columns[r->n_columns],
                               types[r->n_columns] == 'n' ? SC_POSTGRES_BIGINT : SC_POSTGRES_BYTEA);
}

static void
clear_rows(sc_journal_rows *r)
{
    r->bytes = 0;
    for (int i = 0; i < r->n_columns; i++)
        sc_postgres_array_clear(&r->columns[i]);
}

static void
fini_rows(sc_journal_rows *r)
{
    for (int i = 0; i < r->n_columns; i++)
        sc_postgres_array_fini(&r->columns[i]);
}

static int
send_rows(sc_postgres_journal *j, sc_journal_rows *r, sc_error *err)
{
    sc_postgres_params p = {0};
    if (r->columns[0].n == 0)
        return 0;
    for (int i = 0; i < r->n_columns; i++)
        sc_postgres_array_bind(&r->columns[i], &p);
    int rc = sc_postgres_send(j->pg, (int)r->statement, &p, err);
    clear_rows(r);
    return rc;
}

// A row has its numbers first, then its bytes; of these NULL without data.
static int
add_row(sc_postgres_journal *j, sc_journal_rows *r, const int64_t *numbers, const sc_slice *bytes,
        sc_error *err)
{
    int rc = 0, n_numbers = 0;
    for (int i = 0; rc == 0 && i < r->n_columns; i++) {
        sc_postgres_array *to = &r->columns[i];
        if (to->type == SC_POSTGRES_BIGINT) {
            rc = sc_postgres_array_number(to, numbers[n_numbers++]);
            continue;
        }
        const sc_slice *from = &bytes[i - n_numbers];
        rc = from->data ? sc_postgres_array_bytes(to, from->data, from->len)
                        : sc_postgres_array_null(to);
        r->bytes += from->len;
    }
    r->bytes += sizeof *numbers * (size_t)r->n_columns;
    if (rc < 0)
        return sc_error_set(err, rc, "%s: out of memory", sc_postgres_name(j->pg));
    return r->bytes >= STATEMENT_BYTES ? send_rows(j, r, err) : 0;
}

// Bytes that are never NULL.
static sc_slice
solid(const void *data, size_t len)
{
    return sc_slice_borrow(data ? data : "", len);
}

/* ---- writes ---- */

// $1 to $14 of the statements that write a job's record.
static void
add_state(sc_postgres_params *p, uint64_t number, const sc_saved_state *state)
{
    int64_t numbers[SC_STATE_NUMBERS];
    sc_journal_state_put(state, numbers);
    sc_postgres_add_number(p, (int64_t)number);
    for (int i = 0; i < SC_STATE_NUMBERS; i++)
        sc_postgres_add_number(p, numbers[i]);
    sc_postgres_add_bytes(p, state->digest.bytes, sizeof state->digest.bytes);
}

static int
put_open(sc_postgres_journal *j, const sc_action *a, sc_error *err)
{
    const sc_saved_job *saved = a->put.saved;
    sc_postgres_params p = {0};
    add_state(&p, a->number, &saved->state);
    sc_postgres_add_bytes(&p, a->put.ticket.job.bytes, sizeof a->put.ticket.job.bytes);
    sc_postgres_add_number(&p, (int64_t)saved->client);
    sc_postgres_add_bytes(&p, saved->open.data, saved->open.len);
    sc_postgres_add_bytes(&p, saved->table.data, saved->table.len);
    sc_postgres_add_bytes(&p, saved->bytes.data, saved->bytes.len);
    return sc_postgres_send(j->pg, SC_JOURNAL_PUT_OPEN, &p, err);
}

static int
put_state(sc_postgres_journal *j, const sc_action *a, sc_error *err)
{
    sc_postgres_params p = {0};
    if (a->type == SC_ACTION_PUT_STATE) {
        add_state(&p, a->number, &a->state.state);
        return sc_postgres_send(j->pg, SC_JOURNAL_PUT_STATE, &p, err);
    }
    add_state(&p, a->number, &a->put.saved->state);
    sc_postgres_add_bytes(&p, a->put.saved->chunks.data, a->put.saved->chunks.len);
    return sc_postgres_send(j->pg, SC_JOURNAL_PUT_COMMIT, &p, err);
}

static int
put_chunk(sc_postgres_journal *j, const sc_action *a, sc_error *err)
{
    const int64_t numbers[] = {sc_journal_key(a->number, a->put.ticket.number),
                               sc_tasks_count(a->put.table)};
    const sc_slice bytes[] = {solid(a->put.table.data, a->put.table.len),
                              solid(a->put.bytes.data, a->put.bytes.len)};
    return add_row(j, &j->chunks, numbers, bytes, err);
}

static int
put_ended(sc_postgres_journal *j, const sc_action *a, sc_error *err)
{
    bool is_range = a->type == SC_ACTION_PUT_RANGE;
    sc_ended_extent e = sc_ended_extent_of(a);
    sc_text worker = is_range ? a->range.worker : a->results.worker;
    uint64_t position = is_range ? a->range.position : a->results.position;
    const int64_t numbers[] = {sc_journal_key(a->number, position),
                               sc_journal_key(a->number, e.place),
                               (int64_t)e.count,
                               (int64_t)e.span,
                               (int64_t)e.dead,
                               (int64_t)e.cancelled,
                               e.lowest,
                               is_range ? a->range.outcome : 0,
                               is_range ? a->range.attempt : 0};
    const sc_slice bytes[] = {solid(worker.data, worker.len),
                              is_range ? (sc_slice){0}
                                       : solid(a->results.table.data, a->results.table.len),
                              is_range ? solid(a->range.error.data, a->range.error.len)
                                       : solid(a->results.bytes.data, a->results.bytes.len)};
    return add_row(j, &j->ended, numbers, bytes, err);
}

static int
put_attempt(sc_postgres_journal *j, const sc_action *a, sc_error *err)
{
    const sc_saved_attempt *next = &a->attempt.next;
    const int64_t numbers[] = {sc_journal_key(a->number, next->place),
                               next->attempt,
                               next->blame,
                               next->due_at,
                               a->attempt.at,
                               (int64_t)a->attempt.position};
    const sc_slice bytes[] = {solid(a->attempt.worker.data, a->attempt.worker.len),
                              solid(a->attempt.error.data, a->attempt.error.len)};
    return add_row(j, &j->attempts, numbers, bytes, err);
}

static int
drop_job(sc_postgres_journal *j, uint64_t number, sc_error *err)
{
    int64_t key = (int64_t)number;
    j->has_dropped = true;
    int rc = send(j, SC_JOURNAL_DROP_JOB, &key, 1, err);
    return rc < 0 ? rc : send(j, SC_JOURNAL_NOTE_DROPPED, &key, 1, err);
}

static int
put(void *b, const sc_action *a, sc_error *err)
{
    sc_postgres_journal *j = b;
    int64_t key;
    if (j->is_there)
        return 0;
    switch (a->type) {
    case SC_ACTION_PUT_OPEN:
        return put_open(j, a, err);
    case SC_ACTION_PUT_CHUNK:
        return put_chunk(j, a, err);
    case SC_ACTION_PUT_COMMIT:
    case SC_ACTION_PUT_STATE:
        return put_state(j, a, err);
    case SC_ACTION_PUT_RESULTS:
    case SC_ACTION_PUT_RANGE:
        return put_ended(j, a, err);
    case SC_ACTION_PUT_ATTEMPT:
        return put_attempt(j, a, err);
    case SC_ACTION_DROP_CHUNK:
        key = sc_journal_key(a->number, a->chunk.number);
        return add_row(j, &j->dropped_chunks, &key, NULL, err);
    case SC_ACTION_DROP_JOB:
        return drop_job(j, a->number, err);
    default:
        SC_ASSERT(!"a write of the journal");
        return SC_EINTERNAL;
    }
}

/* ---- groups ---- */

static void
clear_group(sc_postgres_journal *j)
{
    clear_rows(&j->chunks);
    clear_rows(&j->ended);
    clear_rows(&j->attempts);
    clear_rows(&j->dropped_chunks);
}

// As long as the server cannot be asked, it is not known what became of the last commit; where it
// is there, the same group has to come next.
static int
unknown(const sc_postgres_journal *j, int rc, sc_error *err)
{
    if ((!j->is_unknown && !j->is_there) || rc == SC_ESTATE)
        return rc;
    err->code = SC_EUNKNOWN;
    return SC_EUNKNOWN;
}

// Everything is safe: the server may crash while we go on, and what it had not synced then would be
// lost behind our back.
static int
begin(void *b, bool is_safe, sc_error *err)
{
    sc_postgres_journal *j = b;
    (void)is_safe;
    clear_group(j);
    int rc = sc_postgres_journal_resume(j, err);
    if (rc < 0)
        return unknown(j, rc, err);
    if (j->is_there)
        return 0;
    rc = send(j, SC_JOURNAL_BEGIN, NULL, 0, err);
    const int64_t fence[] = {(int64_t)j->epoch, (int64_t)j->group + 1};
    return rc < 0 ? rc : send(j, SC_JOURNAL_FENCE, fence, 2, err);
}

// The rows that wait; what is inserted before what is deleted.
static int
send_group(sc_postgres_journal *j, sc_error *err)
{
    sc_journal_rows *const all[] = {&j->chunks, &j->ended, &j->attempts, &j->dropped_chunks};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof all / sizeof *all; i++)
        rc = send_rows(j, all[i], err);
    return rc < 0 ? rc : send(j, SC_JOURNAL_COMMIT, NULL, 0, err);
}

static int
commit(void *b, sc_error *err)
{
    sc_postgres_journal *j = b;
    PGresult *rows;
    if (j->is_there) {
        j->is_there = false;
        return 0;
    }
    int rc = send_group(j, err);
    if (rc < 0)
        return rc; // without a COMMIT it is undone
    rc = sc_postgres_finish(j->pg, "writing a group", &rows, err);
    if (rc < 0 && !sc_postgres_is_open(j->pg)) {
        j->is_unknown = true;
        return unknown(j, rc, err);
    }
    if (rc < 0)
        return fail(j, rc, err);
    j->group++;
    bool is_one = PQntuples(rows) == 1;
    PQclear(rows);
    return is_one ? 0
                  : sc_error_set(err, SC_EMALFORMED, "%s is damaged (seedcore.meta)",
                                 sc_postgres_name(j->pg));
}

// Ends the transaction, whatever has been sent of it.
static void
rollback(void *b)
{
    sc_postgres_journal *j = b;
    sc_error err;
    clear_group(j);
    if (!sc_postgres_is_open(j->pg))
        return;
    int rc = send(j, SC_JOURNAL_ROLLBACK, NULL, 0, &err);
    if (rc == 0) // the first answer may be the error that has led here
        sc_postgres_finish(j->pg, "taking a group back", NULL, &err);
    if (sc_postgres_is_open(j->pg) && send(j, SC_JOURNAL_ROLLBACK, NULL, 0, &err) == 0 &&
        sc_postgres_finish(j->pg, "taking a group back", NULL, &err) < 0)
        sc_postgres_disconnect(j->pg);
}

/* ---- leading, housekeeping ---- */

static int
lead(void *b, uint64_t *epoch, uint64_t *next_number, sc_error *err)
{
    return sc_postgres_journal_lead(b, epoch, next_number, err);
}

/* A transaction of housekeeping: nobody minds if it is lost with the server. */
static int
small_transaction(sc_postgres_journal *j, const char *what, sc_journal_statement which,
                  const int64_t *numbers, int n, PGresult **rows, sc_error *err)
{
    int rc = sc_postgres_journal_resume(j, err);
    const int64_t fence[] = {(int64_t)j->epoch, (int64_t)j->group}; // as it is known by now
    if (rc == 0)
        rc = send(j, SC_JOURNAL_BEGIN, NULL, 0, err);
    if (rc == 0)
        rc = send(j, SC_JOURNAL_UNSAFE, NULL, 0, err);
    if (rc == 0)
        rc = send(j, SC_JOURNAL_FENCE, fence, 2, err);
    if (rc == 0)
        rc = send(j, which, numbers, n, err);
    if (rc == 0)
        rc = send(j, SC_JOURNAL_COMMIT, NULL, 0, err);
    if (rc == 0)
        rc = sc_postgres_finish(j->pg, what, rows, err);
    if (rc < 0)
        rollback(j);
    return rc < 0 ? fail(j, rc, err) : 0;
}

static int
beat(void *b, sc_error *err)
{
    sc_postgres_journal *j = b;
    int64_t epoch = (int64_t)j->epoch;
    return small_transaction(j, "saying that we are alive", SC_JOURNAL_BEAT, &epoch, 1, NULL, err);
}

// The number of the first dropped job of which rows may be left; 0: there is none.
static int
first_dropped(sc_postgres_journal *j, int64_t *number, sc_error *err)
{
    PGresult *rows;
    int rc = sc_postgres_journal_read(j, "looking for dropped jobs", SC_JOURNAL_FIRST_DROPPED, NULL,
                                      0, &rows, err);
    if (rc < 0)
        return rc;
    *number = sc_postgres_number(rows, 0, 0);
    PQclear(rows);
    return 0;
}

// A slice of the rows of dropped jobs, of one table after the other.
static int
tend(void *b, sc_error *err)
{
    static const sc_journal_statement slices[] = {SC_JOURNAL_SLICE_CHUNKS, SC_JOURNAL_SLICE_ENDED,
                                                  SC_JOURNAL_SLICE_ATTEMPTS,
                                                  SC_JOURNAL_FORGET_DROPPED};
    enum { N_SLICES = sizeof slices / sizeof *slices };
    sc_postgres_journal *j = b;
    PGresult *rows;
    int64_t number;
    if (!j->has_dropped)
        return 0;
    int rc = first_dropped(j, &number, err);
    if (rc < 0)
        return rc;
    if (number == 0) {
        j->has_dropped = false;
        return 0;
    }
    bool is_last = j->slice == N_SLICES - 1;
    const int64_t keys[] = {is_last ? number : sc_journal_key((uint64_t)number, 0),
                            sc_journal_key((uint64_t)number + 1, 0)};
    rc = small_transaction(j, "deleting a dropped job", slices[j->slice], keys, is_last ? 1 : 2,
                           &rows, err);
    if (rc < 0)
        return rc;
    if (is_last || sc_postgres_number(rows, 0, 0) == 0)
        j->slice = (j->slice + 1) % N_SLICES;
    PQclear(rows);
    return 1;
}

/* ---- opening, closing ---- */

// Leading ends at once, not when the server sees that the session has ended.
static void
close_journal(void *b)
{
    sc_postgres_journal *j = b;
    sc_error err;
    if (j->epoch && sc_postgres_is_open(j->pg) && send(j, SC_JOURNAL_UNLOCK, NULL, 0, &err) == 0)
        sc_postgres_finish(j->pg, "ending", NULL, &err);
    sc_postgres_free(&j->pg);
    fini_rows(&j->chunks);
    fini_rows(&j->ended);
    fini_rows(&j->attempts);
    fini_rows(&j->dropped_chunks);
    free(j);
}

static int
open_journal(const char *location, const atomic_bool *should_stop, void **out, sc_error *err)
{
    sc_postgres_journal *j = calloc(1, sizeof *j);
    if (!j)
        return sc_error_set(err, SC_ENOMEM, "out of memory");
    init_rows(&j->chunks, SC_JOURNAL_PUT_CHUNKS, "nnbb");
    init_rows(&j->ended, SC_JOURNAL_PUT_ENDED, "nnnnnnnnnbbb");
    init_rows(&j->attempts, SC_JOURNAL_PUT_ATTEMPTS, "nnnnnnbb");
    init_rows(&j->dropped_chunks, SC_JOURNAL_DROP_CHUNKS, "n");
    j->has_dropped = true; // perhaps, since before
    int rc = sc_postgres_new(location, should_stop, &j->pg, err);
    if (rc == 0)
        rc = sc_postgres_journal_open(j, err);
    if (rc < 0)
        close_journal(j);
    else
        *out = j;
    return rc;
}

const sc_journal_backend sc_journal_postgres = {
    .scheme = "postgresql",
    .open = open_journal,
    .lead = lead,
    .jobs = sc_postgres_journal_jobs,
    .begin = begin,
    .put = put,
    .commit = commit,
    .rollback = rollback,
    .chunk = sc_postgres_journal_chunk,
    .ended_from = sc_postgres_journal_ended_from,
    .ended_between = sc_postgres_journal_ended_between,
    .position = sc_postgres_journal_position,
    .attempts = sc_postgres_journal_attempts,
    .tries = sc_postgres_journal_tries,
    .tend = tend,
    .beat = beat,
    .close = close_journal,
};
