/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs: states, bounds, forgetting. Part of the core.
 *
 *   staged --commit--> open --first run--> running --all tasks ended--> succeeded | failed |
 * cancelled |                  +------------------------------------------------^
 *     |                              ^--------- retried (retry.c), failed or cancelled ---------+
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

enum { FORGET_AT_ONCE = 64, LOOK_AGAIN_MS = 100 };

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
    j->queued = j->stop = j->n_tasks;
    core->n_open++;
    sc_cancel_set_expiry(core, j);
    sc_schedule_lane(core, j);
    sc_parents_settle(core, j);
}

// Ended jobs are forgotten one after the other, when their time has come.
static void
set_retention_timer(sc_core *core)
{
    const job *j = core->jobs_ended;
    if (j)
        sc_core_timer_set(core, &core->retention_timer, TIMER_RETENTION,
                          core->now_ms + j->kept_from + core->options.retention_ms -
                              sc_core_unix_ms(core));
}

// It has ended and no other job needs it: it may be forgotten after its time, its results before.
static void
let_go(sc_core *core, job *j)
{
    j->may_go = true;
    j->kept_from = sc_core_unix_ms(core);
    core->ended_bytes += j->stored_bytes;
    DL_APPEND2(core->jobs_ended, j, ended_prev, ended_next);
    if (!core->first_kept)
        core->first_kept = j;
    if (core->jobs_ended == j)
        set_retention_timer(core);
}

// Another one needs it.
void
sc_jobs_pin(sc_core *core, job *j)
{
    if (!j->may_go)
        return;
    j->may_go = false;
    if (core->first_kept == j)
        core->first_kept = j->ended_next;
    DL_DELETE2(core->jobs_ended, j, ended_prev, ended_next);
    core->ended_bytes -= j->stored_bytes;
}

// One fewer does.
void
sc_jobs_unpin(sc_core *core, job *j)
{
    if (sc_job_has_ended(j->state) && !j->children && !j->may_go)
        let_go(core, j);
}

// Of an ended job nothing is left but counts and results.
void
sc_jobs_drop_tasks(sc_core *core, job *j)
{
    sc_tasks_forget(core, j);
    sc_core_timer_stop(core, &j->expires_timer);
    sc_slice_drop(&j->pieces_table);
    sc_slice_drop(&j->pieces_bytes);
    free(j->chunk_infos);
    j->chunk_infos = NULL;
    sc_jobs_unqueued(core, j, j->queued_bytes);
}

static void
enter_ended(sc_core *core, job *j)
{
    sc_jobs_drop_tasks(core, j);
    j->ended_at = sc_core_unix_ms(core);
    core->n_open--;
    sc_parents_unlink(core, j);
    sc_jobs_unpin(core, j);
    sc_saved_put_state(core, j);
    sc_core_news(core, j);
}

// It is tried again, behind those that wait already.
static void
enter_again(sc_core *core, job *j)
{
    sc_jobs_pin(core, j);
    set_retention_timer(core);
    j->ended_at = 0;
    j->seq = core->next_seq++;
    core->n_open++;
    sc_schedule_lane(core, j);
}

void
sc_jobs_move(sc_core *core, job *j, sc_job_state to)
{
    static const uint8_t legal[SC_N_JOB_STATES] = {
        [SC_JOB_STAGED] = 1 << SC_JOB_OPEN,
        [SC_JOB_OPEN] = 1 << SC_JOB_RUNNING | 1 << SC_JOB_SUCCEEDED | 1 << SC_JOB_FAILED |
                        1 << SC_JOB_CANCELLED,
        [SC_JOB_RUNNING] = 1 << SC_JOB_SUCCEEDED | 1 << SC_JOB_FAILED | 1 << SC_JOB_CANCELLED,
        [SC_JOB_FAILED] = 1 << SC_JOB_RUNNING,
        [SC_JOB_CANCELLED] = 1 << SC_JOB_RUNNING,
    };
    SC_ASSERT(legal[j->state] >> to & 1);
    char id[SC_UUID_TEXT];
    sc_log_debug("job %s %s -> %s", sc_uuid_format(&j->id, id), sc_job_state_name(j->state),
                 sc_job_state_name(to));
    bool had_ended = sc_job_has_ended(j->state);
    j->state = to;
    if (to == SC_JOB_OPEN)
        enter_open(core, j);
    else if (had_ended)
        enter_again(core, j);
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

// Only what volatile jobs have in the store counts there.
void
sc_jobs_stored(sc_core *core, job *j, uint64_t bytes)
{
    if (j->number)
        return;
    j->stored_bytes += bytes;
    core->stored_bytes += bytes;
}

// Payload whose tasks have ended: no longer queued, no longer stored.
void
sc_jobs_unqueued(sc_core *core, job *j, uint64_t bytes)
{
    SC_ASSERT(bytes <= j->queued_bytes);
    j->queued_bytes -= bytes;
    core->queue_bytes -= bytes;
    if (j->number)
        return;
    SC_ASSERT(bytes <= j->stored_bytes);
    j->stored_bytes -= bytes;
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
    sc_core_write(core, j, &(sc_action){.type = SC_ACTION_DROP_RESULTS, .job = j->id});
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
        if (!sc_job_has_ended(j->state) && j->stored_bytes > (best ? best->stored_bytes : 0))
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

/* ---- ends of jobs ---- */

void
sc_jobs_free(sc_core *core, job *j)
{
    while (j->watches)
        sc_watch_free(core, j->watches);
    sc_tasks_forget(core, j);
    sc_saved_handed_drop(core, j);
    sc_core_timer_stop(core, &j->staged_timer);
    sc_core_timer_stop(core, &j->expires_timer);
    sc_slice_drop(&j->pieces_table);
    sc_slice_drop(&j->pieces_bytes);
    sc_jobs_pin(core, j);
    sc_parents_free(core, j);
    core->stored_bytes -= j->stored_bytes;
    core->queue_bytes -= j->queued_bytes;
    core->n_staged -= j->state == SC_JOB_STAGED;
    if (j->state == SC_JOB_STAGED)
        DL_DELETE2(core->staged, j, order_prev, order_next);
    else
        DL_DELETE2(core->jobs_by_age, j, order_prev, order_next);
    if (j->has_news) {
        job **at = &core->news;
        while (*at != j)
            at = &(*at)->news_next;
        *at = j->news_next;
    }
    sc_keys_drop(core, j);
    HASH_DEL(core->jobs, j);
    core->n_jobs--;
    free(j->chunk_infos);
    free(j);
}

// Those who wait for a job that goes are told so.
void
sc_jobs_remove(sc_core *core, job *j)
{
    for (watch *w; (w = j->watches);) {
        sc_core_refuse(core, w->peer, w->request, w->of ? SC_EBUSY : SC_ENOJOB,
                       w->of ? "the first job of this key was not accepted; submit this one again"
                             : "the job has been forgotten");
        sc_watch_free(core, w);
    }
    sc_core_write(core, j, &(sc_action){.type = SC_ACTION_DROP_JOB, .job = j->id});
    sc_jobs_free(core, j);
}

// Its end is safe, and it is not about to be tried again.
bool
sc_jobs_may_forget(const sc_core *core, const job *j)
{
    return sc_job_is_safe(core, j) && j->asked.dead_before == 0;
}

// The first of those that have ended have had their time; a bounded number at once.
void
sc_jobs_retention_timer(sc_core *core)
{
    for (int n = 0; core->jobs_ended && n < FORGET_AT_ONCE; n++) {
        job *j = core->jobs_ended;
        if (j->kept_from + core->options.retention_ms > sc_core_unix_ms(core))
            break;
        if (!sc_jobs_may_forget(core, j)) {
            sc_core_timer_set(core, &core->retention_timer, TIMER_RETENTION,
                              core->now_ms + LOOK_AGAIN_MS);
            return;
        }
        sc_jobs_remove(core, j);
    }
    set_retention_timer(core);
}

void
sc_jobs_set_staged_timer(sc_core *core, job *j)
{
    sc_core_timer_set(core, &j->staged_timer, TIMER_STAGED,
                      core->now_ms + core->options.staged_timeout_ms);
}

void
sc_jobs_staged_timer(sc_core *core, job *j)
{
    if (!j->is_unsaid && sc_peers_find_instance(core, j->client)) { // slow, not silent
        sc_jobs_set_staged_timer(core, j);
        return;
    }
    char id[SC_UUID_TEXT];
    sc_log_warn("job %s: upload dropped, its client is silent about it",
                sc_uuid_format(&j->id, id));
    sc_jobs_remove(core, j);
}

// It is gone, or back: uploads that it does not say again in a while it has given up, and the DROP
// was lost.
void
sc_jobs_await_client(sc_core *core, uint64_t instance)
{
    for (job *j = core->staged; j; j = j->order_next)
        if (j->client == instance) {
            j->is_unsaid = true;
            sc_jobs_set_staged_timer(core, j);
        }
}

void
sc_jobs_client_left(sc_core *core, uint64_t instance)
{
    for (job *j = core->staged, *next; j; j = next) {
        next = j->order_next;
        if (j->client == instance)
            sc_jobs_remove(core, j);
    }
}

/* ---- handlers ---- */

// Those that some worker offers now: what nobody offers any more is of no use to who asks.
void
sc_jobs_refuse_handler(sc_core *core, peer *p, uint64_t request, sc_text name)
{
    char offered[1500] = "";
    size_t at = 0;
    for (uint32_t i = 0; i < core->n_handlers && at < sizeof offered - SC_NAME_MAX - 4; i++)
        if (core->handlers[i]->n_workers > 0)
            at += (size_t)snprintf(offered + at, sizeof offered - at, "%s%s", at ? ", " : "",
                                   core->handlers[i]->name);
    if (at == 0)
        sc_core_refuse(core, p, request, SC_ENOHANDLER,
                       "unknown handler %.*s: no worker has joined yet, or all have left; start "
                       "one with `seedcore-worker`",
                       (int)name.len, name.data);
    else
        sc_core_refuse(core, p, request, SC_ENOHANDLER, "unknown handler %.*s; there are: %s",
                       (int)name.len, name.data, offered);
}

// The same for a job that was kept, before any worker has said so: what the handler needs is not
// known yet. NULL: no room for another.
handler *
sc_jobs_get_handler(sc_core *core, sc_text name)
{
    handler *h = sc_jobs_find_handler(core, name);
    return h ? h : sc_room_new_handler(core, &(sc_hello_handler){.name = name});
}

handler *
sc_jobs_find_handler(sc_core *core, sc_text name)
{
    handler *h = NULL;
    if (name.len)
        HASH_FIND(hh, core->handlers_by_name, name.data, name.len, h);
    return h;
}
