/* SPDX-License-Identifier: Apache-2.0 */
/* Actions in, answers out: see store.h. Called by the shell. Jobs and their chunks are kept here.
 */
#include "coordinator/store_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    // Bytes on their way to the disk beyond which an upload waits: two windows of one, and what a
    // slow
    // disk writes in a tenth of a second.
    WRITING_MAX = 8 << 20,
    // What a chunk takes beside its payload: its entry and its share of the hash.
    CHUNK_BYTES = sizeof(kept_chunk) + MALLOC_BYTES + sizeof(UT_hash_bucket),
};

int
sc_store_new(uv_loop_t *loop, const char *dir, uint64_t memory_bytes, const sc_store_events *events,
             sc_store **out, sc_error *err)
{
    sc_store *s = calloc(1, sizeof *s);
    if (!s)
        return SC_ENOMEM;
    s->loop = loop;
    s->events = *events;
    s->memory_max = memory_bytes;
    s->limit = UINT64_MAX;
    snprintf(s->dir, sizeof s->dir, "%s", dir);
    int rc = sc_spill_new(loop, dir, &s->spill,
                          err); // now, so that a folder that cannot be written is known now
    if (rc < 0) {
        free(s);
        return rc;
    }
    *out = s;
    return 0;
}

kept_job *
sc_store_find(sc_store *s, const sc_uuid *id)
{
    kept_job *j = NULL;
    HASH_FIND(hh, s->jobs, id, sizeof *id, j);
    return j;
}

static kept_job *
get_job(sc_store *s, const sc_uuid *id)
{
    kept_job *j = sc_store_find(s, id);
    if (j || !(j = calloc(1, sizeof *j)))
        return j;
    j->id = *id;
    j->lowest = UINT64_MAX;
    j->number = j->generation = ++s->n_numbers;
    HASH_ADD(hh, s->jobs, id, sizeof j->id, j);
    if (j->hh.tbl)
        return j;
    free(j);
    return NULL;
}

/* ---- answers ---- */

static void
free_answer(answer *a)
{
    for (uint32_t i = 0; i < a->n_loads; i++) {
        sc_slice_drop(&a->loads[i].table);
        sc_slice_drop(&a->loads[i].bytes);
    }
    free(a->loads);
    sc_slice_drop(&a->table);
    sc_slice_drop(&a->bytes);
    free(a);
}

// It is complete: to be given in turn.
void
sc_store_answer(sc_store *s, answer *a)
{
    DL_APPEND(s->answers, a);
}

// An answer that waited for the file is complete.
void
sc_store_loaded(sc_store *s, answer *a)
{
    s->n_loading--;
    if (s->is_closing) {
        free_answer(a);
        return;
    }
    sc_store_answer(s, a);
    s->events.on_ready(s->events.arg);
}

// Something has been written or could not be: uploads that waited for it go on.
void
sc_store_written(sc_store *s)
{
    if (!s->held || s->is_closing || sc_spill_writing(s->spill) > WRITING_MAX)
        return;
    DL_CONCAT(s->answers, s->held);
    s->held = NULL;
    s->events.on_ready(s->events.arg);
}

static void
free_answers(answer **list)
{
    for (answer *a; (a = *list);) {
        DL_DELETE(*list, a);
        free_answer(a);
    }
}

static answer *
new_answer(sc_store *s, int type)
{
    answer *a = calloc(1, sizeof *a);
    SC_ASSERT(a); // the core waits for every answer
    a->store = s;
    a->type = type;
    return a;
}

// Nobody waits for the payload of a job that was dropped; a job that has its id now must not get
// it.
static void
give_chunk(sc_store *s, const answer *a)
{
    const kept_job *j = sc_store_find(s, &a->job);
    if (!a->job_number || (j && j->number == a->job_number))
        s->events.on_chunk(s->events.arg, &a->job, a->number, a->status, a->table, a->bytes);
}

unsigned
sc_store_deliver(sc_store *s)
{
    unsigned n = 0;
    sc_extent_probe(s);
    for (answer *a; (a = s->answers); n++) {
        DL_DELETE(s->answers, a);
        if (a->type == ANSWER_STORED)
            s->events.on_stored(s->events.arg, &a->ticket, a->status);
        else if (a->type == ANSWER_CHUNK)
            give_chunk(s, a);
        else
            sc_pages_give(s, a);
        free_answer(a);
    }
    return n;
}

/* ---- chunks ---- */

static int
put_chunk(sc_store *s, const sc_action *action)
{
    const sc_ticket *t = &action->put.ticket;
    kept_job *j = get_job(s, &t->job);
    kept_chunk *c = j ? calloc(1, sizeof *c) : NULL;
    extent *r = c ? sc_extent_new(s, action->put.table, action->put.bytes, false) : NULL;
    if (!r) {
        free(c);
        return SC_ENOMEM;
    }
    c->number = t->number;
    c->payload = r;
    HASH_ADD(hh, j->chunks, number, sizeof c->number, c);
    if (c->hh.tbl) {
        s->memory_bytes += CHUNK_BYTES;
        return 0;
    }
    sc_extent_free(r);
    free(c);
    return SC_ENOMEM;
}

static kept_chunk *
find_chunk(kept_job *j, uint32_t number)
{
    kept_chunk *c = NULL;
    if (j)
        HASH_FIND(hh, j->chunks, &number, sizeof number, c);
    return c;
}

static void
on_chunk_read(void *arg, int status, sc_blob *blob)
{
    answer *a = arg;
    a->status = status;
    sc_extent_loaded(a->payload, blob, &a->table, &a->bytes);
    sc_store_loaded(a->store, a);
}

static void
get_chunk(sc_store *s, const sc_uuid *job, uint32_t number)
{
    kept_job *j = sc_store_find(s, job);
    kept_chunk *c = find_chunk(j, number);
    extent *r = c ? c->payload : NULL;
    answer *a = new_answer(s, ANSWER_CHUNK);
    a->job_number = j ? j->number : 0;
    a->job = *job;
    a->number = number;
    a->status = r ? 0 : SC_ENOTFOUND;
    if (r && r->table.data) {
        a->table = sc_slice_keep(r->table);
        a->bytes = sc_slice_keep(r->bytes);
    } else if (r) {
        a->payload = r;
        a->status = sc_extent_load(r, on_chunk_read, a);
        if (a->status == 0) {
            s->n_loading++;
            return;
        }
    }
    sc_store_answer(s, a);
}

static void
drop_chunk(sc_store *s, kept_job *j, uint32_t number)
{
    kept_chunk *c = find_chunk(j, number);
    if (!c)
        return;
    HASH_DEL(j->chunks, c);
    s->memory_bytes -= CHUNK_BYTES;
    sc_extent_free(c->payload);
    free(c);
}

/* ---- results ---- */

// Nobody waits for them any more; a job that gets the id must not get them.
static void
forget_held(sc_store *s, const sc_uuid *job)
{
    for (answer *a = s->held, *next; a; a = next) {
        next = a->next;
        if (memcmp(&a->ticket.job, job, sizeof *job) != 0)
            continue;
        DL_DELETE(s->held, a);
        free_answer(a);
    }
}

static void
drop_job(sc_store *s, kept_job *j)
{
    forget_held(s, &j->id);
    while (j->chunks)
        drop_chunk(s, j, j->chunks->number);
    sc_kept_drop(s, j);
    HASH_DEL(s->jobs, j);
    free(j);
}

static void
get_results(sc_store *s, const sc_store_read *read)
{
    answer *a = new_answer(s, ANSWER_RESULTS);
    a->read = *read;
    kept_job *j = sc_store_find(s, &read->job);
    a->from = read->from;
    a->job_number = j ? j->number : 0;
    a->generation = j ? j->generation : 0;
    if (!j || sc_pages_prepare(s, j, a))
        sc_store_answer(s, a); // nothing kept is an empty page
    else
        s->n_loading++;
}

/* ---- every action ---- */

// The answer to a chunk is what lets an upload go on; a COMMIT keeps its place behind it.
static void
put(sc_store *s, const sc_action *action)
{
    answer *a = new_answer(s, ANSWER_STORED);
    a->ticket = action->put.ticket;
    a->status = action->type == SC_ACTION_PUT_CHUNK ? put_chunk(s, action) : 0;
    if (action->type != SC_ACTION_PUT_OPEN && sc_spill_writing(s->spill) > WRITING_MAX)
        DL_APPEND(s->held, a);
    else
        sc_store_answer(s, a);
}

void
sc_store_act(sc_store *s, const sc_action *action)
{
    kept_job *j;
    switch (action->type) {
    case SC_ACTION_PUT_OPEN: // the core has the record of a volatile job
    case SC_ACTION_PUT_COMMIT:
    case SC_ACTION_PUT_CHUNK:
        put(s, action);
        break;
    case SC_ACTION_GET_CHUNK:
        get_chunk(s, &action->chunk.job, action->chunk.number);
        break;
    case SC_ACTION_DROP_CHUNK:
        drop_chunk(s, sc_store_find(s, &action->chunk.job), action->chunk.number);
        break;
    case SC_ACTION_PUT_RESULTS: // a result that was accepted is never lost: without memory we end
        SC_ASSERT((j = get_job(s, &action->results.job)) && sc_kept_results(s, j, action));
        break;
    case SC_ACTION_PUT_RANGE:
        SC_ASSERT((j = get_job(s, &action->range.job)) && sc_kept_range(s, j, action));
        break;
    case SC_ACTION_GET_RESULTS:
        get_results(s, &action->read);
        break;
    case SC_ACTION_DROP_RESULTS:
        if ((j = sc_store_find(s, &action->job)))
            sc_kept_drop(s, j);
        break;
    case SC_ACTION_DROP_JOB:
        if ((j = sc_store_find(s, &action->job)))
            drop_job(s, j);
        break;
    default:
        SC_ASSERT(!"an action of the store");
    }
}

void
sc_store_bytes(const sc_store *s, uint64_t *memory, uint64_t *spill)
{
    *memory = s->memory_bytes;
    *spill = sc_spill_bytes(s->spill);
}

// The file has called back for all that was on its way: nothing is loading any more.
static void
on_spill_closed(void *arg)
{
    sc_store *s = arg;
    SC_ASSERT(s->n_loading == 0);
    if (s->on_closed)
        s->on_closed(s->closed_arg);
    free(s);
}

void
sc_store_close(sc_store **at, void (*on_closed)(void *arg), void *arg)
{
    sc_store *s = *at;
    if (!s)
        return;
    *at = NULL;
    s->is_closing = true;
    s->on_closed = on_closed;
    s->closed_arg = arg;
    while (s->jobs)
        drop_job(s, s->jobs);
    free_answers(&s->answers);
    free_answers(&s->held);
    sc_spill_close(&s->spill, on_spill_closed, s);
}
