/* SPDX-License-Identifier: Apache-2.0 */
/* The loop's side of the journal: see journal.h. Actions are copied and handed to the thread once a
 * turn, its answers are given in order. Payload of new chunks is kept in memory until it is asked
 * for, so that tasks which are handed out soon need no reading. */
#include "coordinator/journal.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "coordinator/journal_int.h"

// What a chunk takes in memory beside its payload.
enum { CACHED_BYTES = sizeof(cached) + 64 };

/* ---- requests ---- */

static void
keep_slice(sc_slice *s)
{
    if (s->len == 0) {
        *s = (sc_slice){0};
        return;
    }
    *s = sc_slice_keep(*s);
    SC_ASSERT(s->data); // what was accepted is not lost: without memory we end
}

static void
keep_text(sc_text *t)
{
    char *copy = malloc(t->len + 1ul);
    SC_ASSERT(copy);
    if (t->len)
        memcpy(copy, t->data, t->len);
    t->data = copy;
}

static void
copy_put(request *r)
{
    sc_action *a = &r->action;
    keep_slice(&a->put.table);
    keep_slice(&a->put.bytes);
    if (!a->put.saved)
        return;
    r->saved = *a->put.saved;
    a->put.saved = &r->saved;
    keep_slice(&r->saved.open);
    keep_slice(&r->saved.chunks);
    r->saved.table = a->put.table;
    r->saved.bytes = a->put.bytes;
}

static request *
copy(const sc_action *action)
{
    request *r = calloc(1, sizeof *r);
    SC_ASSERT(r);
    r->action = *action;
    sc_action *a = &r->action;
    switch (a->type) {
    case SC_ACTION_PUT_OPEN:
    case SC_ACTION_PUT_CHUNK:
    case SC_ACTION_PUT_COMMIT:
        copy_put(r);
        r->bytes = a->put.table.len + a->put.bytes.len;
        break;
    case SC_ACTION_PUT_RESULTS:
        keep_slice(&a->results.table);
        keep_slice(&a->results.bytes);
        keep_text(&a->results.worker);
        r->bytes = a->results.table.len + a->results.bytes.len;
        break;
    case SC_ACTION_PUT_RANGE:
        keep_text(&a->range.worker);
        keep_text(&a->range.error);
        break;
    case SC_ACTION_PUT_ATTEMPT:
        keep_text(&a->attempt.worker);
        keep_text(&a->attempt.error);
        break;
    default:
        break;
    }
    return r;
}

void
sc_journal_request_free(request *r)
{
    sc_action *a = &r->action;
    switch (a->type) {
    case SC_ACTION_PUT_OPEN:
    case SC_ACTION_PUT_CHUNK:
    case SC_ACTION_PUT_COMMIT:
        sc_slice_drop(&a->put.table);
        sc_slice_drop(&a->put.bytes);
        sc_slice_drop(&r->saved.open);
        sc_slice_drop(&r->saved.chunks);
        break;
    case SC_ACTION_PUT_RESULTS:
        sc_slice_drop(&a->results.table);
        sc_slice_drop(&a->results.bytes);
        free((char *)a->results.worker.data);
        break;
    case SC_ACTION_PUT_RANGE:
        free((char *)a->range.worker.data);
        free((char *)a->range.error.data);
        break;
    case SC_ACTION_PUT_ATTEMPT:
        free((char *)a->attempt.worker.data);
        free((char *)a->attempt.error.data);
        break;
    default:
        break;
    }
    free(r);
}

/* ---- chunks in memory ---- */

static cached *
find_cached(sc_journal *j, uint64_t number, uint32_t chunk)
{
    cached *c = NULL;
    uint64_t key[2] = {number, chunk};
    HASH_FIND(hh, j->cache, key, sizeof key, c);
    return c;
}

static void
drop_cached(sc_journal *j, cached *c)
{
    j->cache_bytes -= c->table.len + c->bytes.len + CACHED_BYTES;
    HASH_DEL(j->cache, c);
    sc_slice_drop(&c->table);
    sc_slice_drop(&c->bytes);
    free(c);
}

// Where there is no room it is read when it is asked for: the oldest are handed out first.
static void
keep_cached(sc_journal *j, uint64_t number, uint32_t chunk, sc_slice table, sc_slice bytes)
{
    uint64_t more = table.len + bytes.len + CACHED_BYTES;
    if (j->cache_bytes + more > j->cache_max || find_cached(j, number, chunk))
        return;
    cached *c = calloc(1, sizeof *c);
    if (!c)
        return;
    c->key[0] = number;
    c->key[1] = chunk;
    c->table = sc_slice_keep(table);
    c->bytes = sc_slice_keep(bytes);
    HASH_ADD(hh, j->cache, key, sizeof c->key, c);
    j->cache_bytes += more;
    if (c->hh.tbl && c->table.data && c->bytes.data)
        return;
    if (c->hh.tbl)
        HASH_DEL(j->cache, c);
    j->cache_bytes -= more;
    sc_slice_drop(&c->table);
    sc_slice_drop(&c->bytes);
    free(c);
}

static void
forget_cached(sc_journal *j, uint64_t number)
{
    for (cached *c = j->cache, *next; c; c = next) {
        next = c->hh.next;
        if (c->key[0] == number)
            drop_cached(j, c);
    }
}

/* ---- actions ---- */

static void
gather(sc_journal *j, const sc_action *action, bool is_write)
{
    request *r = copy(action);
    if (is_write)
        r->write = ++j->n_writes;
    DL_APPEND(j->gathered, r);
}

// An answer that needs no thread: it is given with the others.
static void
answer_from_cache(sc_journal *j, const sc_action *action, cached *c)
{
    answer *a = calloc(1, sizeof *a);
    SC_ASSERT(a);
    a->type = ANSWER_CHUNK;
    a->job = action->chunk.job;
    a->chunks[a->n_chunks++] = (kept_chunk){action->number, action->chunk.number,
                                            sc_slice_keep(c->table), sc_slice_keep(c->bytes)};
    drop_cached(j, c);
    uv_mutex_lock(&j->lock);
    DL_APPEND(j->answers, a);
    uv_mutex_unlock(&j->lock);
}

void
sc_journal_act(sc_journal *j, const sc_action *action)
{
    cached *c;
    switch (action->type) {
    case SC_ACTION_GET_CHUNK:
        if ((c = find_cached(j, action->number, action->chunk.number)))
            answer_from_cache(j, action, c);
        else
            gather(j, action, false);
        return;
    case SC_ACTION_GET_RESULTS:
        gather(j, action, false);
        return;
    case SC_ACTION_PUT_CHUNK:
        keep_cached(j, action->number, action->put.ticket.number, action->put.table,
                    action->put.bytes);
        break;
    case SC_ACTION_DROP_CHUNK:
        if ((c = find_cached(j, action->number, action->chunk.number)))
            drop_cached(j, c);
        break;
    case SC_ACTION_DROP_JOB:
        forget_cached(j, action->number);
        break;
    default:
        break;
    }
    gather(j, action, true);
}

/* ---- answers ---- */

void
sc_journal_answer_free(answer *a)
{
    for (uint32_t i = 0; i < a->n_chunks; i++) {
        sc_slice_drop(&a->chunks[i].table);
        sc_slice_drop(&a->chunks[i].bytes);
    }
    for (size_t i = 0; i < a->n_jobs; i++) {
        sc_slice_drop(&a->jobs[i].open);
        sc_slice_drop(&a->jobs[i].table);
        sc_slice_drop(&a->jobs[i].bytes);
        sc_slice_drop(&a->jobs[i].chunks);
        sc_saved_tasks_free(&a->tasks[i]);
    }
    free(a->jobs);
    free(a->tasks);
    sc_journal_page_free(&a->page);
    free(a);
}

static void
give_chunk(sc_journal *j, const answer *a)
{
    for (uint32_t i = 1; i < a->n_chunks; i++)
        keep_cached(j, a->chunks[i].number, a->chunks[i].chunk, a->chunks[i].table,
                    a->chunks[i].bytes);
    const kept_chunk *c = &a->chunks[0];
    j->events.on_chunk(j->events.arg, &a->job, c->chunk, a->status, c->table, c->bytes);
}

static void
give_results(sc_journal *j, const answer *a)
{
    static const sc_message none = {.type = SC_MSG_PAGE};
    j->events.on_results(j->events.arg, &a->read, a->status,
                         a->status == 0 ? &a->page->message : &none);
}

static void
give(sc_journal *j, const answer *a)
{
    const sc_journal_events *e = &j->events;
    switch (a->type) {
    case ANSWER_LEADING:
        e->on_leading(e->arg,
                      &(sc_journal_start){a->epoch, a->next_number, a->jobs, a->tasks, a->n_jobs});
        break;
    case ANSWER_WAITING:
        e->on_waiting(e->arg, a->err.text);
        break;
    case ANSWER_FAILED:
        j->has_failed = true;
        e->on_failed(e->arg, &a->err);
        break;
    case ANSWER_STORED:
        e->on_stored(e->arg, &a->ticket, a->status, a->status ? a->err.text : NULL);
        break;
    case ANSWER_WRITTEN:
        e->on_written(e->arg, a->n);
        break;
    case ANSWER_TROUBLE:
        e->on_trouble(e->arg, a->status ? a->err.text : NULL);
        break;
    case ANSWER_CHUNK:
        give_chunk(j, a);
        break;
    case ANSWER_RESULTS:
        give_results(j, a);
        break;
    }
}

// What was gathered goes to the thread; what it has answered is taken.
static answer *
exchange(sc_journal *j)
{
    uv_mutex_lock(&j->lock);
    answer *answers = j->answers;
    j->answers = NULL;
    if (j->gathered) {
        DL_CONCAT(j->requests, j->gathered);
        uv_cond_signal(&j->has_news);
    }
    uv_mutex_unlock(&j->lock);
    j->gathered = NULL;
    return answers;
}

unsigned
sc_journal_deliver(sc_journal *j)
{
    unsigned n = 0;
    answer *answers = exchange(j);
    for (answer *a; (a = answers); n++) {
        DL_DELETE(answers, a);
        if (!j->has_failed && !j->is_closing)
            give(j, a);
        sc_journal_answer_free(a);
    }
    return n;
}

/* ---- start, end ---- */

static void
on_async(uv_async_t *async)
{
    sc_journal *j = async->data;
    if (!j->is_closing)
        j->events.on_ready(j->events.arg);
}

static const sc_journal_backend *
find_backend(const char *location)
{
    static const sc_journal_backend *const backends[] = {&sc_journal_sqlite};
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++) {
        size_t len = strlen(backends[i]->scheme);
        if (strncmp(location, backends[i]->scheme, len) == 0 && location[len] == ':')
            return backends[i];
    }
    return NULL;
}

int
sc_journal_new(uv_loop_t *loop, const sc_journal_options *options, const sc_journal_events *events,
               sc_journal **out, sc_error *err)
{
    const sc_journal_backend *backend = find_backend(options->location);
    if (!backend)
        return sc_error_set(err, SC_EBADARG, "JOURNAL: '%.80s' is no sqlite:PATH",
                            options->location);
    sc_journal *j = calloc(1, sizeof *j);
    if (!j || !(j->location = strdup(options->location))) {
        free(j);
        return sc_error_set(err, SC_ENOMEM, "out of memory");
    }
    j->loop = loop;
    j->backend = backend;
    j->events = *events;
    j->cache_max = options->cache_bytes;
    SC_ASSERT(uv_mutex_init(&j->lock) == 0 && uv_cond_init(&j->has_news) == 0);
    uv_async_init(loop, &j->async, on_async);
    j->async.data = j;
    int rc = uv_thread_create(&j->thread, sc_journal_thread, j);
    SC_ASSERT(rc == 0); // at start: there is nothing to be lost
    *out = j;
    return 0;
}

static void
on_async_closed(uv_handle_t *handle)
{
    sc_journal *j = handle->data;
    uv_mutex_destroy(&j->lock);
    uv_cond_destroy(&j->has_news);
    for (answer *a; (a = j->answers);) {
        DL_DELETE(j->answers, a);
        sc_journal_answer_free(a);
    }
    while (j->cache)
        drop_cached(j, j->cache);
    if (j->on_closed)
        j->on_closed(j->closed_arg);
    free(j->location);
    free(j);
}

void
sc_journal_close(sc_journal **at, void (*on_closed)(void *arg), void *arg)
{
    sc_journal *j = *at;
    if (!j)
        return;
    *at = NULL;
    j->on_closed = on_closed;
    j->closed_arg = arg;
    uv_mutex_lock(&j->lock);
    if (j->gathered)
        DL_CONCAT(j->requests, j->gathered);
    j->gathered = NULL;
    j->is_closing = true;
    uv_cond_signal(&j->has_news);
    uv_mutex_unlock(&j->lock);
    atomic_store(&j->should_stop, true);
    uv_thread_join(&j->thread); // it tries what was acted once more, and looks at should_stop
    uv_close((uv_handle_t *)&j->async, on_async_closed);
}
