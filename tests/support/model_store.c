/* SPDX-License-Identifier: Apache-2.0 */
/* See model_store.h. Results lie in a hash by index and in a list by the order of their ends. */
#include "tests/support/model_store.h"

#include <stdlib.h>
#include <string.h>

#define uthash_fatal(text) SC_ASSERT(!text)
#include <uthash.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "proto/run.h"

typedef struct entry {
    sc_model_result result; // its texts lie behind the entry
    uint64_t write;
    uint64_t position;
    bool is_undone;
    struct entry *before; // that its task had in the life before; undone
    UT_hash_handle hh;
} entry;

typedef struct kept_chunk {
    uint32_t number;
    sc_slice table, bytes;
    UT_hash_handle hh;
} kept_chunk;

typedef struct kept_job {
    sc_uuid id;
    kept_chunk *chunks;
    entry *by_index; // the last of each
    entry **by_end;
    size_t n_ended, n_ended_max;
    uint64_t result_bytes;
    UT_hash_handle hh;
} kept_job;

struct sc_model_store {
    void (*on_end)(void *arg, const sc_uuid *job, const sc_model_result *result);
    void *arg;
    kept_job *jobs;
    uint64_t n_twice;
    uint64_t write, n_shown; // of writes
};

static void *
must(void *memory)
{
    SC_ASSERT(memory);
    return memory;
}

sc_model_store *
sc_model_store_new(void (*on_end)(void *arg, const sc_uuid *job, const sc_model_result *result),
                   void *arg)
{
    sc_model_store *s = must(calloc(1, sizeof *s));
    s->on_end = on_end;
    s->arg = arg;
    s->n_shown = UINT64_MAX;
    return s;
}

static kept_job *
find_job(const sc_model_store *s, const sc_uuid *id)
{
    kept_job *j = NULL;
    HASH_FIND(hh, s->jobs, id, sizeof *id, j);
    return j;
}

static kept_job *
get_job(sc_model_store *s, const sc_uuid *id)
{
    kept_job *j = find_job(s, id);
    if (j)
        return j;
    j = must(calloc(1, sizeof *j));
    j->id = *id;
    HASH_ADD(hh, s->jobs, id, sizeof j->id, j);
    return j;
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
drop_chunk(kept_job *j, uint32_t number)
{
    kept_chunk *c = find_chunk(j, number);
    if (!c)
        return;
    HASH_DEL(j->chunks, c);
    sc_slice_drop(&c->table);
    sc_slice_drop(&c->bytes);
    free(c);
}

static void
drop_results(kept_job *j)
{
    HASH_CLEAR(hh, j->by_index);
    for (size_t i = 0; i < j->n_ended; i++)
        free(j->by_end[i]);
    free(j->by_end);
    j->by_end = NULL;
    j->n_ended = j->n_ended_max = 0;
    j->result_bytes = 0;
}

static void
drop_job(sc_model_store *s, kept_job *j)
{
    if (!j)
        return;
    while (j->chunks)
        drop_chunk(j, j->chunks->number);
    drop_results(j);
    HASH_DEL(s->jobs, j);
    free(j);
}

void
sc_model_store_free(sc_model_store **store)
{
    if (!*store)
        return;
    while ((*store)->jobs)
        drop_job(*store, (*store)->jobs);
    free(*store);
    *store = NULL;
}

static void
put_result(sc_model_store *s, kept_job *j, const sc_model_result *r, sc_text worker)
{
    entry *e = NULL;
    HASH_FIND(hh, j->by_index, &r->index, sizeof r->index, e);
    entry *before = e;
    if (before && !before->is_undone) {
        s->n_twice++;
        return;
    }
    if (before)
        HASH_DEL(j->by_index, before);
    e = must(calloc(1, sizeof *e + r->len + worker.len + 1));
    char *texts = (char *)(e + 1);
    e->result = *r;
    e->write = s->write;
    e->before = before;
    if (r->len)
        memcpy(texts, r->value, r->len);
    e->result.value = texts;
    e->result.worker = sc_text_copy(worker, texts + r->len, worker.len + 1);
    HASH_ADD(hh, j->by_index, result.index, sizeof e->result.index, e);
    if (j->n_ended == j->n_ended_max) {
        j->n_ended_max = j->n_ended_max ? j->n_ended_max * 2 : 16;
        j->by_end = must(realloc(j->by_end, j->n_ended_max * sizeof(entry *)));
    }
    e->position = j->n_ended;
    j->by_end[j->n_ended++] = e;
    if (s->on_end)
        s->on_end(s->arg, &j->id, &e->result);
}

static void
put_results(sc_model_store *s, const sc_action *a)
{
    kept_job *j = get_job(s, &a->results.job);
    size_t at = 0;
    for (uint32_t i = 0, n = sc_records_count(a->results.table); i < n; i++) {
        sc_record record = sc_records_get(a->results.table, i);
        sc_model_result r = {.index = a->results.base + record.offset,
                             .outcome = record.outcome,
                             .attempt = record.attempt,
                             .len = record.len,
                             .value = (const char *)a->results.bytes.data + at};
        put_result(s, j, &r, a->results.worker);
        at += record.len;
    }
    j->result_bytes += a->results.table.len + a->results.bytes.len;
}

static void
put_range(sc_model_store *s, const sc_action *a)
{
    kept_job *j = get_job(s, &a->range.job);
    for (uint64_t i = 0; i < a->range.count; i++) {
        sc_model_result r = {.index = a->range.first + i,
                             .outcome = a->range.outcome,
                             .attempt = a->range.attempt,
                             .len = a->range.error.len,
                             .value = a->range.error.data};
        put_result(s, j, &r, a->range.worker);
    }
    j->result_bytes += a->range.error.len;
}

static void
put_chunk(sc_model_store *s, const sc_action *a)
{
    kept_job *j = get_job(s, &a->put.ticket.job);
    SC_ASSERT(!find_chunk(j, a->put.ticket.number));
    kept_chunk *c = must(calloc(1, sizeof *c));
    c->number = a->put.ticket.number;
    c->table = a->put.table;
    c->bytes = a->put.bytes;
    SC_ASSERT(sc_slice_retain(&c->table) == 0 && sc_slice_retain(&c->bytes) == 0);
    HASH_ADD(hh, j->chunks, number, sizeof c->number, c);
}

// What has failed is as if it had not ended.
static void
undo(kept_job *j, const sc_undone *undone)
{
    for (size_t i = 0; j && i < j->n_ended; i++) {
        entry *e = j->by_end[i];
        e->is_undone |= sc_undone_has(undone, e->result.outcome, e->position);
    }
}

bool
sc_model_store_act(sc_model_store *s, const sc_action *a, sc_model_question *question)
{
    switch (a->type) {
    case SC_ACTION_PUT_CHUNK:
        put_chunk(s, a);
        // fall through
    case SC_ACTION_PUT_OPEN:
    case SC_ACTION_PUT_COMMIT:
        *question = (sc_model_question){.type = SC_ASKED_STORED, .ticket = a->put.ticket};
        return true;
    case SC_ACTION_GET_CHUNK:
        *question = (sc_model_question){
            .type = SC_ASKED_CHUNK, .job = a->chunk.job, .number = a->chunk.number};
        return true;
    case SC_ACTION_GET_RESULTS:
        *question = (sc_model_question){.type = SC_ASKED_RESULTS, .read = a->read};
        return true;
    case SC_ACTION_DROP_CHUNK:
        // after a restart the core may say so again
        SC_ASSERT(a->number || find_chunk(find_job(s, &a->chunk.job), a->chunk.number));
        drop_chunk(find_job(s, &a->chunk.job), a->chunk.number);
        return false;
    case SC_ACTION_PUT_RESULTS:
        put_results(s, a);
        return false;
    case SC_ACTION_PUT_RANGE:
        put_range(s, a);
        return false;
    case SC_ACTION_PUT_STATE:
        undo(find_job(s, &a->state.job), &a->state.state.undone);
        return false;
    case SC_ACTION_GET_TASKS:
        *question = (sc_model_question){.type = SC_ASKED_TASKS,
                                        .job = a->tasks.job,
                                        .durable = a->number,
                                        .undone = a->tasks.undone,
                                        .after = a->tasks.after};
        return true;
    case SC_ACTION_DROP_RESULTS:
        drop_results(get_job(s, &a->job));
        return false;
    case SC_ACTION_DROP_JOB:
        drop_job(s, find_job(s, &a->job));
        return false;
    default:
        return false;
    }
}

/* ---- answers ---- */

typedef struct page {
    sc_buffer table, bytes;
    sc_worker_name workers[SC_CHUNK_MAX_TASKS];
    uint32_t n_workers, n;
} page;

static bool
add_to_page(page *p, const entry *e, const sc_store_read *read, uint64_t base)
{
    const sc_model_result *r = &e->result;
    if (p->n == SC_CHUNK_MAX_TASKS ||
        (p->n > 0 && p->table.len + p->bytes.len + sizeof(sc_record) + r->len > read->max_bytes))
        return false;
    uint32_t w = 0;
    while (w < p->n_workers && !sc_text_equal(p->workers[w].name, r->worker))
        w++;
    if (w == p->n_workers)
        p->workers[p->n_workers++].name = sc_text_of(r->worker);
    sc_record record = {.offset = (uint32_t)(r->index - base),
                        .len = r->len,
                        .attempt = (uint16_t)r->attempt,
                        .worker = (uint16_t)w,
                        .outcome = (uint8_t)r->outcome};
    SC_ASSERT(sc_buffer_add(&p->table, &record, sizeof record) == 0);
    SC_ASSERT(sc_buffer_add(&p->bytes, r->value, r->len) == 0);
    p->n++;
    return true;
}

// Is it as if it had not ended, for a reader who was told of these retries?
static bool
is_left_out(const entry *e, const sc_store_read *read)
{
    return sc_undone_has(&read->undone, e->result.outcome, e->position);
}

// A question is answered as it was put, though the job may have been retried since: of the ends
// of a task the first that is not left out.
static entry *
find_for(const kept_job *j, uint64_t index, const sc_store_read *read)
{
    entry *e = NULL, *found = NULL;
    HASH_FIND(hh, j->by_index, &index, sizeof index, e);
    for (; e; e = e->before)
        if (!is_left_out(e, read))
            found = e;
    return found;
}

// Fills a page; @return `from` of the next
static uint64_t
fill_page(const sc_model_store *s, const kept_job *j, const sc_store_read *read, page *p,
          uint64_t base)
{
    uint64_t at = read->from;
    if (read->order == SC_READ_ENDED) {
        uint64_t until = read->until < j->n_ended ? read->until : j->n_ended;
        while (at < until && j->by_end[at]->write <= s->n_shown &&
               (is_left_out(j->by_end[at], read) || add_to_page(p, j->by_end[at], read, base)))
            at++;
        return at;
    }
    for (; at < read->until; at++) {
        entry *e = find_for(j, at, read);
        if (e && e->write <= s->n_shown && !add_to_page(p, e, read, base))
            break;
    }
    return at;
}

static uint64_t
lowest_index(const kept_job *j)
{
    uint64_t lowest = UINT64_MAX;
    for (const entry *e = j->by_index; e; e = e->hh.next)
        lowest = e->result.index < lowest ? e->result.index : lowest;
    return lowest;
}

static void
answer_results(sc_model_store *s, const sc_store_read *read, int status, sc_core *core,
               int64_t now_ms)
{
    kept_job *j = status < 0 ? NULL : find_job(s, &read->job);
    page *p = must(calloc(1, sizeof *p));
    sc_message m = {.type = SC_MSG_PAGE};
    m.page.job = read->job;
    m.page.next = read->from;
    if (j && j->n_ended > 0) {
        m.page.base = read->order == SC_READ_ENDED ? lowest_index(j) : read->from;
        m.page.next = fill_page(s, j, read, p, m.page.base);
    } else if (read->order != SC_READ_ENDED) {
        m.page.next = read->until;
    }
    m.page.workers = (sc_list){p->workers, p->n_workers};
    m.table = sc_slice_borrow(p->table.data, p->table.len);
    m.bytes = sc_slice_borrow(p->bytes.data, p->bytes.len);
    sc_core_results(core, read, status, &m, now_ms);
    sc_buffer_fini(&p->table);
    sc_buffer_fini(&p->bytes);
    free(p);
}

void
sc_model_store_answer(sc_model_store *s, const sc_model_question *q, int status, sc_core *core,
                      int64_t now_ms)
{
    kept_chunk *c;
    switch (q->type) {
    case SC_ASKED_STORED:
        sc_core_stored(core, &q->ticket, status, NULL, now_ms);
        break;
    case SC_ASKED_CHUNK:
        c = find_chunk(find_job(s, &q->job), q->number);
        if (c && status == 0)
            sc_core_chunk(core, &q->job, q->number, 0, c->table, c->bytes, now_ms);
        else
            sc_core_chunk(core, &q->job, q->number, status ? status : SC_ENOTFOUND, (sc_slice){0},
                          (sc_slice){0}, now_ms);
        break;
    case SC_ASKED_RESULTS:
        answer_results(s, &q->read, status, core, now_ms);
        break;
    case SC_ASKED_TASKS:
        SC_ASSERT(!"the journal knows");
    }
}

void
sc_model_store_write(sc_model_store *s, uint64_t number)
{
    s->write = number;
}

void
sc_model_store_show(sc_model_store *s, uint64_t n_writes)
{
    s->n_shown = n_writes;
}

/* ---- looking ---- */

const sc_model_result *
sc_model_store_find(const sc_model_store *s, const sc_uuid *job, uint64_t index)
{
    const kept_job *j = find_job(s, job);
    entry *e = NULL;
    if (j)
        HASH_FIND(hh, j->by_index, &index, sizeof index, e);
    return e && !e->is_undone ? &e->result : NULL;
}

uint64_t
sc_model_store_n_twice(const sc_model_store *s)
{
    return s->n_twice;
}

uint64_t
sc_model_store_n_chunks(const sc_model_store *s)
{
    uint64_t n = 0;
    for (const kept_job *j = s->jobs; j; j = j->hh.next)
        n += HASH_COUNT(j->chunks);
    return n;
}

uint64_t
sc_model_store_bytes(const sc_model_store *s)
{
    uint64_t n = 0;
    for (const kept_job *j = s->jobs; j; j = j->hh.next) {
        n += j->result_bytes;
        for (const kept_chunk *c = j->chunks; c; c = c->hh.next)
            n += c->table.len + c->bytes.len;
    }
    return n;
}

uint64_t
sc_model_store_result_bytes(const sc_model_store *s)
{
    uint64_t n = 0;
    for (const kept_job *j = s->jobs; j; j = j->hh.next)
        n += j->result_bytes;
    return n;
}
