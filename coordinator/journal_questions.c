/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of the journal: payload of a chunk, results, the tasks of a job. Called by the
 * journal's thread (journal_thread.c), which says when a question may be answered. */
#include "base/limits.h"
#include "coordinator/journal_int.h"

enum { SLICE_ROWS = 4096 }; // of a job that is retried, read between two groups

static answer *
answer_chunk(const sc_journal_backend *b, void *backend, const request *r, sc_error *err)
{
    answer *a = sc_journal_answer_new(ANSWER_CHUNK);
    size_t bytes = 0;
    uint64_t number = r->kept.action.number;
    a->job = r->kept.action.chunk.job;
    a->chunks[0] = (kept_chunk){.number = number, .chunk = r->kept.action.chunk.number};
    // the next ones are asked for soon
    for (uint32_t i = 0; i < READ_AHEAD && bytes < READ_AHEAD_BYTES; i++) {
        sc_blob *table, *payload;
        uint32_t chunk = r->kept.action.chunk.number + i;
        int rc = b->chunk(backend, number, chunk, &table, &payload, err);
        if (i == 0)
            a->status = rc;
        if (rc < 0)
            break;
        a->chunks[i] = (kept_chunk){number, chunk, sc_slice_of(table), sc_slice_of(payload)};
        bytes += table->len + payload->len;
        a->n_chunks++;
    }
    return a;
}

// @return of the back end
static int
read_page(const sc_journal_backend *b, void *backend, uint64_t number, sc_journal_page *p,
          sc_error *err)
{
    const sc_store_read *read = &p->read;
    bool is_dead = read->order == SC_READ_DEAD;
    const sc_ended_query query = {number, read->from - read->first_index,
                                  read->until - read->first_index,
                                  is_dead ? SC_ENDED_FAILED : SC_ENDED_ALL};
    if (read->order == SC_READ_ENDED)
        return b->ended_from(backend, number, read->from, sc_journal_page_as_ended, p, err);
    if (read->from >= read->until)
        return 0;
    if (read->order == SC_READ_TRIES)
        return b->tries(backend, &query, sc_journal_page_tries, p, err);
    return b->ended_between(backend, &query, sc_journal_page_by_index, p, err);
}

static answer *
answer_results(const sc_journal_backend *b, void *backend, const request *r, sc_error *err)
{
    const sc_store_read *read = &r->kept.action.read;
    answer *a = sc_journal_answer_new(ANSWER_RESULTS);
    a->read = *read;
    a->page = sc_journal_page_new(read);
    a->status = a->page ? read_page(b, backend, r->kept.action.number, a->page, err) : SC_ENOMEM;
    if (a->status == 0)
        a->status = sc_journal_page_finish(a->page);
    return a;
}

// A slice. A part of one may be there after a failure: then it begins anew.
static answer *
answer_tasks(const sc_journal_backend *b, void *backend, request *r, sc_error *err)
{
    const sc_action *action = &r->kept.action;
    const sc_tasks_bounds bounds = {SLICE_ROWS, SC_RETRY_MAX_STRETCHES, SC_RETRY_MAX_CHUNKS};
    if (!r->reader)
        r->reader = sc_tasks_reader_new(action->number, &action->tasks.undone, &bounds);
    int rc = r->reader ? sc_tasks_reader_step(r->reader, b, backend, err) : SC_ENOMEM;
    if (rc == 1)
        return NULL;
    if (rc < 0)
        sc_tasks_reader_free(&r->reader);
    answer *a = sc_journal_answer_new(ANSWER_TASKS);
    a->job = action->tasks.job;
    a->status = rc;
    a->reader = r->reader;
    r->reader = NULL;
    return a;
}

answer *
sc_journal_answer(const sc_journal_backend *b, void *backend, request *r, sc_error *err)
{
    switch (r->kept.action.type) {
    case SC_ACTION_GET_CHUNK:
        return answer_chunk(b, backend, r, err);
    case SC_ACTION_GET_TASKS:
        return answer_tasks(b, backend, r, err);
    default:
        return answer_results(b, backend, r, err);
    }
}
