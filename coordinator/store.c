/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping payloads and results: see store.h. Called by the shell; reading is in pages.c. */
#include "coordinator/store_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/limits.h"
#include "base/log.h"

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

static answer *
new_answer(sc_store *s, int type)
{
    answer *a = calloc(1, sizeof *a);
    SC_ASSERT(a); // the core waits for every answer
    a->store = s;
    a->type = type;
    return a;
}

unsigned
sc_store_deliver(sc_store *s)
{
    unsigned n = 0;
    for (answer *a; (a = s->answers); n++) {
        DL_DELETE(s->answers, a);
        if (a->type == ANSWER_STORED)
            s->events.on_stored(s->events.arg, &a->ticket, a->status);
        else if (a->type == ANSWER_CHUNK)
            s->events.on_chunk(s->events.arg, &a->job, a->number, a->status, a->table, a->bytes);
        else
            sc_pages_give(s, a);
        free_answer(a);
    }
    return n;
}

/* ---- records ---- */

static void
free_extent(extent *r)
{
    sc_store *s = r->store;
    if (r->is_writing) {
        r->is_dropped = true;
        return;
    }
    if (r->table.data || r->bytes.data)
        s->memory_bytes -= r->table_len + r->bytes_len;
    if (r->offset != NO_PLACE && s->spill)
        sc_spill_free(s->spill, r->offset, r->table_len + r->bytes_len);
    sc_slice_drop(&r->table);
    sc_slice_drop(&r->bytes);
    free(r);
}

static void
on_written(void *arg, int status)
{
    extent *r = arg;
    sc_store *s = r->store;
    r->is_writing = false;
    if (status < 0) { // the disk is full: it stays in memory, and the core is told to make room
        if (s->spill)
            sc_spill_free(s->spill, r->offset, r->table_len + r->bytes_len);
        r->offset = NO_PLACE;
        sc_log_warn("spill file in %s: %s", s->dir, sc_error_text(status));
        if (!s->is_closing)
            s->events.on_limit(s->events.arg,
                               s->memory_bytes + (s->spill ? sc_spill_bytes(s->spill) : 0));
    } else if (!r->is_dropped) {
        s->memory_bytes -= r->table_len + r->bytes_len;
        sc_slice_drop(&r->table);
        sc_slice_drop(&r->bytes);
    }
    if (r->is_dropped)
        free_extent(r);
}

// Keeps both slices: in memory, and on their way to the file where memory has no room.
static extent *
new_extent(sc_store *s, sc_slice table, sc_slice bytes)
{
    extent *r = SC_FAULT("store.record") ? NULL : calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->store = s;
    r->table = sc_slice_keep(table);
    r->bytes = sc_slice_keep(bytes);
    if (!r->table.data || !r->bytes.data) {
        sc_slice_drop(&r->table);
        sc_slice_drop(&r->bytes);
        free(r);
        return NULL;
    }
    r->table_len = table.len;
    r->bytes_len = bytes.len;
    r->offset = NO_PLACE;
    s->memory_bytes += r->table_len + r->bytes_len;
    if (s->memory_bytes - sc_spill_writing(s->spill) <= s->memory_max)
        return r;
    int64_t offset = sc_spill_write(s->spill, r->table, r->bytes, on_written, r);
    if (offset >= 0) {
        r->offset = offset;
        r->is_writing = true;
    }
    return r;
}

/* ---- chunks ---- */

static int
put_chunk(sc_store *s, const sc_action *action)
{
    const sc_ticket *t = &action->put.ticket;
    kept_job *j = get_job(s, &t->job);
    kept_chunk *c = j ? calloc(1, sizeof *c) : NULL;
    extent *r = c ? new_extent(s, action->put.table, action->put.bytes) : NULL;
    if (!r) {
        free(c);
        return SC_ENOMEM;
    }
    c->number = t->number;
    c->payload = r;
    HASH_ADD(hh, j->chunks, number, sizeof c->number, c);
    if (c->hh.tbl)
        return 0;
    free_extent(r);
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
    if (blob) {
        sc_slice all = sc_slice_of(blob);
        a->table = sc_slice_keep(sc_slice_part(all, 0, a->table_len));
        a->bytes =
            sc_slice_part(all, a->table_len, blob->len - a->table_len); // takes over our reference
    }
    sc_store_loaded(a->store, a);
}

static void
get_chunk(sc_store *s, const sc_uuid *job, uint32_t number)
{
    kept_chunk *c = find_chunk(sc_store_find(s, job), number);
    extent *r = c ? c->payload : NULL;
    answer *a = new_answer(s, ANSWER_CHUNK);
    a->job = *job;
    a->number = number;
    a->status = r ? 0 : SC_ENOTFOUND;
    if (r && r->table.data) {
        a->table = sc_slice_keep(r->table);
        a->bytes = sc_slice_keep(r->bytes);
    } else if (r) {
        a->table_len = r->table_len;
        a->status =
            sc_spill_read(s->spill, r->offset, r->table_len + r->bytes_len, on_chunk_read, a);
        if (a->status == 0) {
            s->n_loading++;
            return;
        }
    }
    sc_store_answer(s, a);
}

static void
drop_chunk(kept_job *j, uint32_t number)
{
    kept_chunk *c = find_chunk(j, number);
    if (!c)
        return;
    HASH_DEL(j->chunks, c);
    free_extent(c->payload);
    free(c);
}

/* ---- results ---- */

// Room for one more item in an array that doubles.
static bool
grow(void *array_at, uint32_t *max, uint32_t n, size_t item_bytes)
{
    if (n < *max)
        return true;
    uint32_t more = *max ? *max * 2 : 8;
    void *grown = realloc(*(void **)array_at, more * item_bytes);
    if (!grown)
        return false;
    *(void **)array_at = grown;
    *max = more;
    return true;
}

static bool
name_number(kept_job *j, sc_text name, uint32_t *number)
{
    for (uint32_t i = j->n_names;
         i-- > 0;) // the newest first: runs of one worker follow each other
        if (j->names[i].len == name.len &&
            (name.len == 0 || memcmp(j->names[i].data, name.data, name.len) == 0)) {
            *number = i;
            return true;
        }
    char *copy = malloc(name.len + 1u);
    if (!copy || !grow(&j->names, &j->names_max, j->n_names, sizeof *j->names)) {
        free(copy);
        return false;
    }
    memcpy(copy, name.len ? name.data : "", name.len);
    *number = j->n_names;
    j->names[j->n_names++] = (sc_text){copy, name.len};
    return true;
}

static bool
put_in_bucket(kept_job *j, uint64_t number, uint32_t segment_number)
{
    bucket *b = NULL;
    HASH_FIND(hh, j->buckets, &number, sizeof number, b);
    if (!b) {
        if (!(b = calloc(1, sizeof *b)))
            return false;
        b->number = number;
        HASH_ADD(hh, j->buckets, number, sizeof b->number, b);
        if (!b->hh.tbl) {
            free(b);
            return false;
        }
    }
    if (!grow(&b->segments, &b->max, b->n_segments, sizeof *b->segments))
        return false;
    b->segments[b->n_segments++] = segment_number;
    return true;
}

static segment *
new_segment(kept_job *j, uint64_t base, uint64_t count)
{
    if (!grow(&j->segments, &j->segments_max, j->n_segments, sizeof *j->segments))
        return NULL;
    segment *g = &j->segments[j->n_segments++];
    *g = (segment){.position = j->n_ended, .base = base, .count = count};
    j->n_ended += count;
    if (base < j->lowest)
        j->lowest = base;
    return g;
}

static bool
put_results(sc_store *s, const sc_action *action)
{
    kept_job *j = get_job(s, &action->results.job);
    uint32_t worker = 0, n = sc_records_count(action->results.table);
    if (!j || !name_number(j, action->results.worker, &worker))
        return false;
    extent *r = new_extent(s, action->results.table, action->results.bytes);
    segment *g = r ? new_segment(j, action->results.base, n) : NULL;
    if (!g)
        return false;
    g->records = r;
    g->worker = worker;
    uint32_t lowest = UINT32_MAX, highest = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t offset = sc_records_get(action->results.table, i).offset;
        lowest = offset < lowest ? offset : lowest;
        highest = offset > highest ? offset : highest;
    }
    uint64_t last = (action->results.base + highest) / BUCKET_TASKS;
    for (uint64_t b = (action->results.base + lowest) / BUCKET_TASKS; b <= last; b++)
        if (!put_in_bucket(j, b, j->n_segments - 1))
            return false;
    return true;
}

static bool
put_range(sc_store *s, const sc_action *action)
{
    kept_job *j = get_job(s, &action->range.job);
    uint32_t worker = 0;
    if (!j || !name_number(j, action->range.worker, &worker) ||
        !grow(&j->ranges, &j->ranges_max, j->n_ranges, sizeof *j->ranges))
        return false;
    segment *g = new_segment(j, action->range.first, action->range.count);
    if (!g)
        return false;
    g->worker = worker;
    g->outcome = action->range.outcome;
    g->attempt = action->range.attempt;
    g->error = strndup(action->range.error.data, action->range.error.len);
    j->ranges[j->n_ranges++] = j->n_segments - 1;
    return g->error != NULL;
}

static void
drop_results(kept_job *j)
{
    for (uint32_t i = 0; i < j->n_segments; i++) {
        if (j->segments[i].records)
            free_extent(j->segments[i].records);
        free(j->segments[i].error);
    }
    for (bucket *b; (b = j->buckets);) {
        HASH_DEL(j->buckets, b);
        free(b->segments);
        free(b);
    }
    for (uint32_t i = 0; i < j->n_names; i++)
        free((char *)(uintptr_t)j->names[i].data);
    free(j->segments);
    free(j->ranges);
    free(j->names);
    j->segments = NULL;
    j->ranges = NULL;
    j->names = NULL;
    j->n_segments = j->segments_max = j->n_ranges = j->ranges_max = j->n_names = j->names_max = 0;
    j->n_ended = 0;
}

static void
drop_job(sc_store *s, kept_job *j)
{
    while (j->chunks)
        drop_chunk(j, j->chunks->number);
    drop_results(j);
    HASH_DEL(s->jobs, j);
    free(j);
}

static void
get_results(sc_store *s, const sc_store_read *read)
{
    answer *a = new_answer(s, ANSWER_RESULTS);
    a->read = *read;
    kept_job *j = sc_store_find(s, &read->job);
    if (!j || sc_pages_prepare(s, j, a))
        sc_store_answer(s, a); // nothing kept is an empty page
    else
        s->n_loading++;
}

/* ---- every action ---- */

static void
put(sc_store *s, const sc_action *action)
{
    answer *a = new_answer(s, ANSWER_STORED);
    a->ticket = action->put.ticket;
    a->status = action->type == SC_ACTION_PUT_CHUNK ? put_chunk(s, action) : 0;
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
        drop_chunk(sc_store_find(s, &action->chunk.job), action->chunk.number);
        break;
    case SC_ACTION_PUT_RESULTS: // a result that was accepted is never lost: without memory we end
        SC_ASSERT(put_results(s, action));
        break;
    case SC_ACTION_PUT_RANGE:
        SC_ASSERT(put_range(s, action));
        break;
    case SC_ACTION_GET_RESULTS:
        get_results(s, &action->read);
        break;
    case SC_ACTION_DROP_RESULTS:
        if ((j = sc_store_find(s, &action->job)))
            drop_results(j);
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
    for (answer *a; (a = s->answers);) {
        DL_DELETE(s->answers, a);
        free_answer(a);
    }
    sc_spill_close(&s->spill, on_spill_closed, s);
}
