/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs: upload, states, bounds, forgetting. Part of the core.
 *
 *   staged --commit--> open --first run--> running --all tasks ended--> succeeded | failed |
 * cancelled |                  +------------------------------------------------^
 *     +--dropped, refused, client silent--> (removed)
 *
 * sc_jobs_move makes every move. staged: in core->staged, not shown to anybody. open, running: in
 * core->jobs_by_age. ended: also in core->jobs_ended; nothing of its tasks is left but counts and
 * results. */
#include "coordinator/core_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

job *
sc_jobs_find(sc_core *core, const sc_uuid *id)
{
    job *j = NULL;
    HASH_FIND(hh, core->jobs, id, sizeof *id, j);
    return j;
}

/* ---- states ---- */

static void
enter_open(sc_core *core, job *j)
{
    DL_DELETE2(core->staged, j, order_prev, order_next);
    core->n_staged--;
    DL_APPEND2(core->jobs_by_age, j, order_prev, order_next);
    sc_core_timer_stop(core, &j->staged_timer);
    j->seq = core->next_seq++;
    j->queued = j->n_tasks;
    j->submitted_at = sc_core_unix_ms(core);
    core->n_open++;
    sc_schedule_lane(core, j);
}

static void
enter_ended(sc_core *core, job *j)
{
    sc_tasks_forget(core, j);
    sc_slice_drop(&j->pieces_table);
    sc_slice_drop(&j->pieces_bytes);
    free(j->chunk_infos);
    j->chunk_infos = NULL;
    sc_jobs_unqueued(core, j, j->queued_bytes);
    j->ended_at = sc_core_unix_ms(core);
    core->n_open--;
    core->ended_bytes += j->stored_bytes;
    DL_APPEND2(core->jobs_ended, j, ended_prev, ended_next);
    if (!core->first_kept)
        core->first_kept = j;
    sc_core_news(core, j);
}

void
sc_jobs_move(sc_core *core, job *j, sc_job_state to)
{
    static const uint8_t legal[SC_N_JOB_STATES] = {
        [SC_JOB_STAGED] = 1 << SC_JOB_OPEN,
        [SC_JOB_OPEN] = 1 << SC_JOB_RUNNING | 1 << SC_JOB_SUCCEEDED | 1 << SC_JOB_FAILED |
                        1 << SC_JOB_CANCELLED,
        [SC_JOB_RUNNING] = 1 << SC_JOB_SUCCEEDED | 1 << SC_JOB_FAILED | 1 << SC_JOB_CANCELLED,
    };
    SC_ASSERT(legal[j->state] >> to & 1);
    char id[SC_UUID_TEXT];
    sc_log_debug("job %s %s -> %s", sc_uuid_format(&j->id, id), sc_job_state_name(j->state),
                 sc_job_state_name(to));
    j->state = to;
    if (to == SC_JOB_OPEN)
        enter_open(core, j);
    else if (sc_job_has_ended(to))
        enter_ended(core, j);
}

void
sc_jobs_maybe_end(sc_core *core, job *j)
{
    if (sc_job_has_ended(j->state) || j->state == SC_JOB_STAGED ||
        j->done + j->dead + j->cancelled < j->n_tasks)
        return;
    sc_jobs_move(core, j,
                 j->cancelled ? SC_JOB_CANCELLED
                 : j->dead    ? SC_JOB_FAILED
                              : SC_JOB_SUCCEEDED);
}

/* ---- bounds ---- */

void
sc_jobs_stored(sc_core *core, job *j, uint64_t bytes)
{
    j->stored_bytes += bytes;
    core->stored_bytes += bytes;
}

// Payload whose tasks have ended: no longer queued, no longer stored.
void
sc_jobs_unqueued(sc_core *core, job *j, uint64_t bytes)
{
    SC_ASSERT(bytes <= j->queued_bytes && bytes <= j->stored_bytes);
    j->queued_bytes -= bytes;
    j->stored_bytes -= bytes;
    core->queue_bytes -= bytes;
    core->stored_bytes -= bytes;
}

static void
drop_results(sc_core *core, job *j)
{
    core->first_kept = j->ended_next;
    if (j->stored_bytes == 0)
        return;
    char id[SC_UUID_TEXT];
    sc_log_warn("job %s: its results are dropped, the store is full", sc_uuid_format(&j->id, id));
    sc_core_emit_job(core, SC_ACTION_DROP_RESULTS, &j->id);
    core->stored_bytes -= j->stored_bytes;
    core->ended_bytes -= j->stored_bytes;
    j->stored_bytes = 0;
    j->n_dropped = j->n_tasks;
}

static job *
largest_open(sc_core *core)
{
    job *best = NULL;
    for (job *j = core->jobs_by_age; j; j = j->order_next)
        if (!sc_job_has_ended(j->state) && (!best || j->stored_bytes > best->stored_bytes))
            best = j;
    return best;
}

// The store is over its bound: the results of the job that ended first go, then the next; where
// only open jobs fill it, the one that holds most gives up.
void
sc_jobs_make_room(sc_core *core)
{
    while (core->stored_bytes > core->store_max_bytes) {
        job *j = core->first_kept;
        if (j)
            drop_results(core, j);
        else if ((j = largest_open(core)))
            sc_tasks_end_all(core, j, SC_ESTOREFULL);
        else
            return; // staged payload alone; its own bound holds it
    }
}

/* ---- ends of jobs ---- */

void
sc_jobs_free(sc_core *core, job *j)
{
    while (j->watches)
        sc_watch_free(core, j->watches);
    sc_tasks_forget(core, j);
    sc_core_timer_stop(core, &j->staged_timer);
    sc_slice_drop(&j->pieces_table);
    sc_slice_drop(&j->pieces_bytes);
    core->stored_bytes -= j->stored_bytes;
    core->queue_bytes -= j->queued_bytes;
    if (sc_job_has_ended(j->state))
        core->ended_bytes -= j->stored_bytes;
    core->n_staged -= j->state == SC_JOB_STAGED;
    if (j->state == SC_JOB_STAGED)
        DL_DELETE2(core->staged, j, order_prev, order_next);
    else
        DL_DELETE2(core->jobs_by_age, j, order_prev, order_next);
    if (core->first_kept == j)
        core->first_kept = j->ended_next;
    if (sc_job_has_ended(j->state))
        DL_DELETE2(core->jobs_ended, j, ended_prev, ended_next);
    if (j->has_news) {
        job **at = &core->news;
        while (*at != j)
            at = &(*at)->news_next;
        *at = j->news_next;
    }
    HASH_DEL(core->jobs, j);
    core->n_jobs--;
    free(j->chunk_infos);
    free(j);
}

// Those who wait for a job that goes are told so.
static void
remove_job(sc_core *core, job *j)
{
    for (watch *w; (w = j->watches);) {
        sc_core_refuse(core, w->peer, w->request, SC_ENOJOB, "the job has been forgotten");
        sc_watch_free(core, w);
    }
    sc_core_emit_job(core, SC_ACTION_DROP_JOB, &j->id);
    sc_jobs_free(core, j);
}

static void
set_staged_timer(sc_core *core, job *j)
{
    sc_core_timer_set(core, &j->staged_timer, TIMER_STAGED,
                      core->now_ms + core->options.staged_timeout_ms);
}

void
sc_jobs_staged_timer(sc_core *core, job *j)
{
    if (!j->is_unsaid && sc_peers_find_instance(core, j->client)) { // slow, not silent
        set_staged_timer(core, j);
        return;
    }
    char id[SC_UUID_TEXT];
    sc_log_warn("job %s: upload dropped, its client is silent about it",
                sc_uuid_format(&j->id, id));
    remove_job(core, j);
}

// It is gone, or back: uploads that it does not say again in a while it has given up, and the DROP
// was lost.
void
sc_jobs_await_client(sc_core *core, uint64_t instance)
{
    for (job *j = core->staged; j; j = j->order_next)
        if (j->client == instance) {
            j->is_unsaid = true;
            set_staged_timer(core, j);
        }
}

void
sc_jobs_client_left(sc_core *core, uint64_t instance)
{
    for (job *j = core->staged, *next; j; j = next) {
        next = j->order_next;
        if (j->client == instance)
            remove_job(core, j);
    }
}

/* ---- OPEN ---- */

void
sc_jobs_refuse_handler(sc_core *core, peer *p, uint64_t request, sc_text name)
{
    char known[1500] = "";
    size_t at = 0;
    for (uint32_t i = 0; i < core->n_handlers && at < sizeof known - SC_NAME_MAX - 4; i++)
        at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "",
                               core->handlers[i]->name);
    if (core->n_handlers == 0)
        sc_core_refuse(
            core, p, request, SC_ENOHANDLER,
            "unknown handler %.*s: no worker has joined yet; start one with `seedcore-worker`",
            (int)name.len, name.data);
    else
        sc_core_refuse(core, p, request, SC_ENOHANDLER, "unknown handler %.*s; there are: %s",
                       (int)name.len, name.data, known);
}

handler *
sc_jobs_find_handler(sc_core *core, sc_text name)
{
    handler *h = NULL;
    if (name.len)
        HASH_FIND(hh, core->handlers_by_name, name.data, name.len, h);
    return h;
}

// What is wrong with an OPEN, or NULL.
static const char *
wrong_with(const sc_message *m)
{
    static const sc_uuid nil;
    const sc_open *o = &m->open;
    if (memcmp(&o->job, &nil, sizeof nil) == 0)
        return "a job needs an id";
    if (!o->is_array)
        return m->table.len || m->bytes.len ? "OPEN of an upload has no payload" : NULL;
    if (o->n_tasks == 0 || o->first_index > UINT64_MAX - o->n_tasks)
        return "an array has 1 to 2147483648 tasks, indexes below 2^64";
    uint32_t n_pieces = sc_tasks_count(m->table);
    if (n_pieces == 0 || n_pieces > SC_MAX_ARRAY_PIECES || m->bytes.len > SC_TASK_MAX_BYTES ||
        sc_tasks_check(m->table, m->bytes, n_pieces, SC_TASK_MAX_BYTES) < 0)
        return "the arguments of an array are 1 to 256 pieces, 16 MiB in all";
    return NULL;
}

// Room for one more job, by forgetting the one that ended first.
static bool
make_place(sc_core *core)
{
    if (core->n_jobs < core->options.max_jobs)
        return true;
    if (!core->jobs_ended)
        return false;
    remove_job(core, core->jobs_ended);
    return true;
}

static job *
new_job(sc_core *core, peer *p, const sc_message *m, handler *h)
{
    const sc_open *o = &m->open;
    job *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->id = o->job;
    j->client = p->instance;
    j->handler = h;
    j->priority = o->priority;
    j->retries = o->retries;
    j->backoff_base_ms = o->backoff_base_ms;
    j->backoff_max_ms = o->backoff_max_ms;
    j->is_array = o->is_array;
    sc_text_copy(o->name, j->name, sizeof j->name);
    if (o->is_array) {
        j->first_index = o->first_index;
        j->n_tasks = o->n_tasks;
        j->pieces_table = sc_slice_keep(m->table);
        j->pieces_bytes = sc_slice_keep(m->bytes);
    }
    HASH_ADD(hh, core->jobs, id, sizeof j->id, j);
    if (!j->hh.tbl || (o->is_array && (!j->pieces_table.data || !j->pieces_bytes.data))) {
        if (j->hh.tbl)
            HASH_DEL(core->jobs, j);
        sc_slice_drop(&j->pieces_table);
        sc_slice_drop(&j->pieces_bytes);
        free(j);
        return NULL;
    }
    core->n_jobs++;
    core->n_staged++;
    DL_APPEND2(core->staged, j, order_prev, order_next);
    j->queued_bytes = j->stored_bytes = m->table.len + m->bytes.len;
    core->queue_bytes += j->queued_bytes;
    core->stored_bytes += j->stored_bytes;
    set_staged_timer(core, j);
    return j;
}

// Would this much more payload pass what the store can take, after dropping all that it may drop?
static bool
refuse_full(sc_core *core, peer *p, uint64_t request, uint64_t bytes)
{
    uint64_t kept = core->stored_bytes - core->ended_bytes;
    if (kept + bytes <= core->store_max_bytes)
        return false;
    sc_core_refuse(core, p, request, SC_ESTOREFULL,
                   "the store is full: jobs that have not ended hold %llu of the %llu bytes that "
                   "RESULT_MEMORY, SPILL_MAX and the disk under --dir have room for, and %llu more "
                   "were offered; try again when jobs have ended",
                   (unsigned long long)kept, (unsigned long long)core->store_max_bytes,
                   (unsigned long long)bytes);
    return true;
}

static void
ack(sc_core *core, peer *p, uint64_t request, const job *j, uint32_t of, uint32_t number)
{
    sc_message m = {.type = SC_MSG_ACK};
    m.ack = (sc_ack){request, j->id, of, number, WINDOW_BYTES};
    sc_core_send(core, p, &m);
}

static void
emit_put(sc_core *core, sc_action_type type, const sc_ticket *ticket, sc_slice table,
         sc_slice bytes)
{
    core->emit(core->arg, &(sc_action){.type = type, .put = {*ticket, table, bytes}});
}

// Would this much more payload pass the bound of all queued payload, calls included?
bool
sc_jobs_refuse_bytes(sc_core *core, peer *p, uint64_t request, uint64_t bytes)
{
    uint64_t waiting = core->queue_bytes + core->call_bytes;
    if (waiting + bytes <= core->options.queue_max_bytes)
        return false;
    sc_core_refuse(core, p, request, SC_ELIMIT,
                   "the queue is full: %llu of %llu bytes wait and %llu more were offered; try "
                   "again when jobs have ended",
                   (unsigned long long)waiting, (unsigned long long)core->options.queue_max_bytes,
                   (unsigned long long)bytes);
    return true;
}

// Said before? Then the same answer. @return true where there is nothing more to do
static bool
open_again(sc_core *core, peer *p, const sc_open *o)
{
    job *j = sc_jobs_find(core, &o->job);
    if (!j)
        return false;
    if (j->client != p->instance)
        sc_core_refuse(core, p, o->request, SC_ESTATE, "a job of this id exists already");
    else if (j->is_opened)
        ack(core, p, o->request, j, SC_MSG_OPEN, j->n_stored_chunks);
    if (j->client == p->instance)
        j->is_unsaid = false;
    return true; // not opened yet: the store's answer will answer both
}

void
sc_jobs_open(sc_core *core, peer *p, const sc_message *m)
{
    const sc_open *o = &m->open;
    const char *wrong = wrong_with(m);
    handler *h = sc_jobs_find_handler(core, o->handler);
    if (core->is_stopping) {
        sc_core_refuse(core, p, o->request, SC_ESHUTDOWN, "the cluster is ending");
    } else if (wrong) {
        sc_core_refuse(core, p, o->request, SC_EBADARG, "%s", wrong);
    } else if (o->queue.len && !sc_text_equal(o->queue, "default")) {
        sc_core_refuse(core, p, o->request, SC_EQUEUE, "unknown queue %.*s; there is: default",
                       (int)o->queue.len, o->queue.data);
    } else if (open_again(core, p, o)) {
        return;
    } else if (!h) {
        sc_jobs_refuse_handler(core, p, o->request, o->handler);
    } else if (sc_jobs_refuse_bytes(core, p, o->request, m->table.len + m->bytes.len) ||
               refuse_full(core, p, o->request, m->table.len + m->bytes.len)) {
        return;
    } else if (!make_place(core)) {
        sc_core_refuse(core, p, o->request, SC_ELIMIT,
                       "%llu jobs are open already; try again when some have ended",
                       (unsigned long long)core->n_jobs);
    } else {
        job *j = new_job(core, p, m, h);
        if (!j) {
            sc_core_refuse(core, p, o->request, SC_ENOMEM, "out of memory");
            return;
        }
        sc_ticket t = {j->id, p->instance, o->request, SC_MSG_OPEN, 0};
        emit_put(core, SC_ACTION_PUT_OPEN, &t, j->pieces_table, j->pieces_bytes);
    }
}

/* ---- CHUNK, COMMIT, DROP ---- */

static int
check_chunk(const job *j, const sc_message *m)
{
    const sc_chunk *c = &m->chunk;
    if (c->count == 0 || sc_tasks_check(m->table, m->bytes, c->count, SC_TASK_MAX_BYTES) < 0)
        return SC_EMALFORMED;
    if (c->count > 1 && m->bytes.len > SC_CHUNK_MAX_BYTES)
        return SC_ETOOLARGE;
    if (c->number != j->n_chunks || c->first != j->n_tasks || j->is_committing)
        return SC_ESTATE;
    return j->n_tasks + c->count > SC_JOB_MAX_TASKS ? SC_ELIMIT : 0;
}

static bool
grow_infos(job *j)
{
    if (j->n_chunks < j->chunk_infos_max)
        return true;
    uint32_t max = j->chunk_infos_max ? j->chunk_infos_max * 2 : 16;
    void *grown = realloc(j->chunk_infos, max * sizeof *j->chunk_infos);
    if (!grown)
        return false;
    j->chunk_infos = grown;
    j->chunk_infos_max = max;
    return true;
}

static void
take_chunk(sc_core *core, peer *p, job *j, const sc_message *m)
{
    uint64_t bytes = m->table.len + m->bytes.len;
    sc_ticket t = {j->id, p->instance, m->chunk.request, SC_MSG_CHUNK, j->n_chunks};
    j->chunk_infos[j->n_chunks].first = j->n_tasks;
    j->chunk_infos[j->n_chunks].bytes = bytes;
    j->chunk_infos[j->n_chunks].is_stored = false;
    j->n_chunks++;
    j->n_tasks += m->chunk.count;
    j->queued_bytes += bytes;
    core->queue_bytes += bytes;
    sc_jobs_stored(core, j, bytes);
    set_staged_timer(core, j);
    emit_put(core, SC_ACTION_PUT_CHUNK, &t, m->table, m->bytes);
}

void
sc_jobs_chunk(sc_core *core, peer *p, const sc_message *m)
{
    const sc_chunk *c = &m->chunk;
    job *j = sc_jobs_find(core, &c->job);
    if (!j || j->client != p->instance || j->is_array) {
        sc_core_refuse(core, p, c->request, SC_ENOJOB, "no such upload; it may have been dropped");
        return;
    }
    if (c->number < j->n_stored_chunks) {
        ack(core, p, c->request, j, SC_MSG_CHUNK, c->number);
        return;
    }
    if (c->number < j->n_chunks)
        return; // the store will answer
    if (j->state != SC_JOB_STAGED) {
        sc_core_refuse(core, p, c->request, SC_ESTATE, "the upload is complete already");
        return;
    }
    int rc = check_chunk(j, m);
    if (rc == 0 && !grow_infos(j))
        rc = SC_ENOMEM;
    if (rc < 0)
        sc_core_refuse(core, p, c->request, rc, "chunk %u of the upload: %s", c->number,
                       sc_error_text(rc));
    if (rc < 0 || sc_jobs_refuse_bytes(core, p, c->request, m->table.len + m->bytes.len) ||
        refuse_full(core, p, c->request, m->table.len + m->bytes.len))
        remove_job(core, j); // its client cannot go on
    else
        take_chunk(core, p, j, m);
}

void
sc_jobs_commit(sc_core *core, peer *p, const sc_message *m)
{
    const sc_commit *c = &m->commit;
    job *j = sc_jobs_find(core, &c->job);
    if (!j || j->client != p->instance) {
        sc_core_refuse(core, p, c->request, SC_ENOJOB, "no such upload; it may have been dropped");
    } else if (j->state != SC_JOB_STAGED) {
        ack(core, p, c->request, j, SC_MSG_COMMIT, 0);
    } else if (c->n_chunks != j->n_chunks || c->n_tasks != j->n_tasks || c->n_tasks == 0) {
        sc_core_refuse(core, p, c->request, SC_ESTATE,
                       "commit of %llu tasks in %u chunks, but %llu in %u are here",
                       (unsigned long long)c->n_tasks, c->n_chunks, (unsigned long long)j->n_tasks,
                       j->n_chunks);
        remove_job(core, j);
    } else if (!j->is_committing) {
        j->is_committing = true;
        j->commit_request = c->request;
        sc_ticket t = {j->id, p->instance, c->request, SC_MSG_COMMIT, 0};
        emit_put(core, SC_ACTION_PUT_COMMIT, &t, (sc_slice){0}, (sc_slice){0});
    }
}

void
sc_jobs_drop(sc_core *core, peer *p, const sc_message *m)
{
    job *j = sc_jobs_find(core, &m->drop.job);
    if (j && j->state == SC_JOB_STAGED && j->client == p->instance)
        remove_job(core, j);
}

/* ---- the store's answers ---- */

// Answers come in any order: a chunk counts when all before it are stored too, as its client takes
// an ACK for all of them; the job is open when everything is.
static void
stored(sc_core *core, peer *p, job *j, const sc_ticket *t)
{
    uint32_t before = j->n_stored_chunks;
    if (t->of == SC_MSG_OPEN)
        j->is_opened = true;
    else if (t->of == SC_MSG_COMMIT)
        j->is_committed = j->is_committing;
    else if (t->number < j->n_chunks)
        j->chunk_infos[t->number].is_stored = true;
    while (j->n_stored_chunks < j->n_chunks && j->chunk_infos[j->n_stored_chunks].is_stored)
        j->n_stored_chunks++;
    if (p && t->of == SC_MSG_OPEN)
        ack(core, p, t->request, j, SC_MSG_OPEN, before);
    else if (p && j->n_stored_chunks > before)
        ack(core, p, t->request, j, SC_MSG_CHUNK, j->n_stored_chunks - 1);
    bool is_whole = j->is_array || (j->is_committed && j->n_stored_chunks == j->n_chunks);
    if (!j->is_opened || !is_whole)
        return;
    sc_jobs_move(core, j, SC_JOB_OPEN);
    if (p && !j->is_array)
        ack(core, p, j->commit_request, j, SC_MSG_COMMIT, 0);
}

void
sc_core_stored(sc_core *core, const sc_ticket *t, int status, int64_t now_ms)
{
    core->now_ms = now_ms;
    job *j = sc_jobs_find(core, &t->job);
    peer *p = sc_peers_find_instance(core, t->client);
    if (!j || j->state != SC_JOB_STAGED || j->client != t->client)
        return; // of an upload that is gone
    if (status == 0) {
        stored(core, p, j, t);
        return;
    }
    if (p)
        sc_core_refuse(core, p, t->request, status, "the job cannot be stored: %s",
                       sc_error_text(status));
    remove_job(core, j);
}
