/* SPDX-License-Identifier: Apache-2.0 */
/* The loop's side of the journal: see journal.h. Actions are copied and handed to the thread once a
 * turn, its answers are given in order. Payload of new chunks is kept in memory until it is asked
 * for, so that tasks which are handed out soon need no reading. */
#include "coordinator/journal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "coordinator/journal_int.h"

void
sc_journal_request_free(request *r)
{
    sc_action_drop(&r->kept);
    sc_tasks_reader_free(&r->reader);
    free(r);
}

// Payload that a group is measured by.
static size_t
payload_of(const sc_action *a)
{
    if (a->type == SC_ACTION_PUT_OPEN || a->type == SC_ACTION_PUT_CHUNK)
        return a->put.table.len + a->put.bytes.len;
    return a->type == SC_ACTION_PUT_RESULTS ? a->results.table.len + a->results.bytes.len : 0;
}

/* ---- actions ---- */

static void
gather(sc_journal *j, const sc_action *action, bool is_write)
{
    request *r = calloc(1, sizeof *r);
    SC_ASSERT(r); // as sc_action_keep
    sc_action_keep(action, &r->kept);
    r->bytes = payload_of(action);
    if (is_write)
        r->write = ++j->n_writes;
    DL_APPEND(j->gathered, r);
}

// A chunk that is in memory needs no thread: it is given with the other answers.
static bool
answer_from_cache(sc_journal *j, const sc_action *action)
{
    kept_chunk kept = {.number = action->number, .chunk = action->chunk.number};
    if (!sc_journal_cache_take(&j->cache, (uint64_t[]){kept.number, kept.chunk}, &kept.table,
                               &kept.bytes))
        return false;
    answer *a = sc_journal_answer_new(ANSWER_CHUNK);
    a->is_kept = true;
    a->job = action->chunk.job;
    a->chunks[a->n_chunks++] = kept;
    uv_mutex_lock(&j->lock);
    DL_APPEND(j->answers, a);
    uv_mutex_unlock(&j->lock);
    return true;
}

// Chunks that come are kept up to here. The rest is for what is read ahead of those that are handed
// out next: chunks that have just come may be the last to be handed out.
static uint64_t
room_for_new(const sc_journal *j)
{
    return j->cache_max / 4 * 3;
}

// What may still come of it, read ahead, nobody would ask for or drop.
static void
forget_job(sc_journal *j, uint64_t number)
{
    sc_journal_cache_drop_job(&j->cache, number);
    if (j->n_asked > 0)
        sc_numbers_add(&j->over, number);
}

static void
keep_or_forget(sc_journal *j, const sc_action *action)
{
    sc_slice table, bytes;
    uint64_t number = action->number;
    switch (action->type) {
    case SC_ACTION_PUT_CHUNK:
        sc_journal_cache_keep(&j->cache, (uint64_t[]){number, action->put.ticket.number},
                              action->put.table, action->put.bytes, room_for_new(j));
        break;
    case SC_ACTION_DROP_CHUNK:
        if (sc_journal_cache_take(&j->cache, (uint64_t[]){number, action->chunk.number}, &table,
                                  &bytes)) {
            sc_slice_drop(&table);
            sc_slice_drop(&bytes);
        }
        break;
    case SC_ACTION_PUT_STATE: // of a job that was cancelled no chunk is asked for or dropped
        if (action->state.state.ended_at)
            forget_job(j, number);
        break;
    case SC_ACTION_DROP_JOB:
        forget_job(j, number);
        break;
    default:
        break;
    }
}

void
sc_journal_act(sc_journal *j, const sc_action *action)
{
    bool is_chunk = action->type == SC_ACTION_GET_CHUNK;
    if (is_chunk && answer_from_cache(j, action))
        return;
    j->n_asked += is_chunk;
    keep_or_forget(j, action);
    bool is_question =
        is_chunk || action->type == SC_ACTION_GET_RESULTS || action->type == SC_ACTION_GET_TASKS;
    gather(j, action, !is_question);
}

/* ---- answers ---- */

answer *
sc_journal_answer_new(int type)
{
    answer *a = calloc(1, sizeof *a);
    SC_ASSERT(a); // the core waits for every answer
    a->type = type;
    return a;
}

void
sc_journal_answer_free(answer *a)
{
    for (uint32_t i = 0; i < a->n_chunks; i++) {
        sc_slice_drop(&a->chunks[i].table);
        sc_slice_drop(&a->chunks[i].bytes);
    }
    for (size_t i = 0; i < a->n_jobs; i++) {
        sc_saved_job_drop(&a->jobs[i]);
        sc_saved_tasks_free(&a->tasks[i]);
    }
    free(a->jobs);
    free(a->tasks);
    sc_journal_page_free(&a->page);
    sc_tasks_reader_free(&a->reader);
    free(a);
}

static void
give_chunk(sc_journal *j, const answer *a)
{
    bool is_over = a->n_chunks > 0 && sc_numbers_has(j->over, a->chunks[0].number);
    for (uint32_t i = 1; i < a->n_chunks && !is_over; i++)
        sc_journal_cache_keep(&j->cache, (uint64_t[]){a->chunks[i].number, a->chunks[i].chunk},
                              a->chunks[i].table, a->chunks[i].bytes, j->cache_max);
    j->n_asked -= !a->is_kept;
    if (j->n_asked == 0)
        sc_numbers_clear(&j->over);
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
give_tasks(sc_journal *j, const answer *a)
{
    bool is_there = a->status == 0;
    j->events.on_tasks(j->events.arg, &a->job, a->status,
                       is_there ? sc_tasks_reader_job(a->reader) : NULL,
                       is_there ? sc_tasks_reader_tasks(a->reader) : NULL);
}

static void
give(sc_journal *j, const answer *a)
{
    const sc_journal_events *e = &j->events;
    switch (a->type) {
    case ANSWER_LEADING:
        e->on_leading(e->arg, &(sc_journal_start){a->epoch, a->next_number, a->jobs, a->tasks,
                                                  a->n_jobs, j->backend->beat != NULL});
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
    case ANSWER_TASKS:
        give_tasks(j, a);
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
    atomic_store(&j->alive_ms, sc_clock_ms());
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
    static const sc_journal_backend *const backends[] = {&sc_journal_sqlite, &sc_journal_postgres};
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
    const sc_journal_backend *backend =
        options->backend ? options->backend : find_backend(options->location);
    if (!backend)
        return sc_error_set(err, SC_EBADARG,
                            "JOURNAL: it is neither sqlite:PATH nor postgresql://...");
    sc_journal *j = SC_FAULT("journal.new") ? NULL : calloc(1, sizeof *j);
    if (!j || !(j->location = strdup(options->location))) {
        free(j);
        return sc_error_set(err, SC_ENOMEM, "out of memory");
    }
    j->loop = loop;
    j->backend = backend;
    j->events = *events;
    j->cache_max = options->cache_bytes;
    j->alive_ms = sc_clock_ms();
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
    for (request *r; (r = j->requests);) { // acted after the thread had failed
        DL_DELETE(j->requests, r);
        sc_journal_request_free(r);
    }
    sc_journal_cache_fini(&j->cache);
    sc_numbers_clear(&j->over);
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
