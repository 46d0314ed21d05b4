/* SPDX-License-Identifier: Apache-2.0 */
/* What the journal keeps of durable jobs: each write of a job's record. After a restart jobs
 * (restore.c) wait a moment for workers to come back and say what they still hold (held.c), so that
 * this is not begun again. Part of the core. */
#include "coordinator/core_int.h"

#include <stdlib.h>

enum {
    RETURN_MS = 500, // restored jobs wait at least so long for workers to come back,
    LIST_MS = 1500,  // and so much longer for lists that have begun
};

/* ---- writing ---- */

static sc_saved_state
state_of(const job *j)
{
    sc_saved_state s = {.state = j->state,
                        .n_tasks = j->is_array || j->is_committing ? j->n_tasks : 0,
                        .submitted_at = j->submitted_at,
                        .ended_at = j->ended_at,
                        .prefix = j->behind.prefix,
                        .done = j->behind.done,
                        .dead = j->behind.dead,
                        .cancelled = j->behind.cancelled,
                        .position = j->position,
                        .digest = j->digest,
                        .handed = j->handed,
                        .undone = j->undone};
    if (!sc_job_has_ended(j->state))
        return s;
    s.prefix = j->n_tasks;
    s.done = j->done;
    s.dead = j->dead;
    s.cancelled = j->cancelled;
    return s;
}

// A record that says `open` from here on: it is written before the job moves there.
static sc_saved_state
open_state(sc_core *core, job *j)
{
    j->submitted_at = sc_core_unix_ms(core);
    sc_saved_state s = state_of(j);
    s.state = SC_JOB_OPEN;
    return s;
}

void
sc_saved_put_open(sc_core *core, job *j, const sc_ticket *ticket, const sc_message *open)
{
    sc_buffer header;
    sc_buffer_init(&header, SC_HEADER_MAX_BYTES);
    // what was decoded can be encoded; without memory an accepted job would be lost
    SC_ASSERT(sc_message_encode(open, &header) == 0);
    sc_saved_job saved = {.number = j->number,
                          .client = j->client,
                          .open = sc_slice_borrow(header.data, header.len),
                          .table = j->pieces_table,
                          .bytes = j->pieces_bytes,
                          .state = j->is_array ? open_state(core, j) : state_of(j)};
    sc_action a = {.type = SC_ACTION_PUT_OPEN,
                   .put = {*ticket, j->pieces_table, j->pieces_bytes, &saved, 0}};
    sc_core_write(core, j, &a);
    sc_buffer_fini(&header);
}

void
sc_saved_put_commit(sc_core *core, job *j, const sc_ticket *ticket)
{
    sc_saved_chunk *chunks = sc_core_alloc(j->n_chunks, sizeof *chunks);
    SC_ASSERT(chunks);
    for (uint32_t i = 0; i < j->n_chunks; i++)
        chunks[i] = (sc_saved_chunk){sc_tasks_chunk_count(j, i), (uint32_t)j->chunk_infos[i].bytes};
    sc_saved_job saved = {.number = j->number,
                          .client = j->client,
                          .chunks = sc_slice_borrow(chunks, j->n_chunks * sizeof *chunks),
                          .state = open_state(core, j)};
    sc_action a = {.type = SC_ACTION_PUT_COMMIT, .put = {.ticket = *ticket, .saved = &saved}};
    sc_core_write(core, j, &a);
    free(chunks);
}

void
sc_saved_put_state(sc_core *core, job *j)
{
    if (!j->number)
        return;
    j->saved_prefix = j->behind.prefix;
    sc_action a = {.type = SC_ACTION_PUT_STATE, .state = {j->id, state_of(j)}};
    sc_core_write(core, j, &a);
}

// Its prefix may have moved: now and then that is written, so that a restart need not read what
// lies below.
void
sc_saved_progress(sc_core *core, job *j)
{
    if (!sc_job_has_ended(j->state) &&
        j->behind.prefix - j->saved_prefix >= SAVE_CHUNKS * SC_CHUNK_MAX_TASKS)
        sc_saved_put_state(core, j);
}

// Are its tasks not to be repeated? After a restart what was handed out says so before a worker
// does.
static bool
is_once(const job *j)
{
    return j->handler->is_once || j->handed > 0;
}

// Nothing of the job is handed out before what was written last, of any job, is safe.
static void
hold(sc_core *core, job *j)
{
    sc_saved_handed_drop(core, j);
    DL_APPEND2(core->handed, j, handed_prev, handed_next);
    j->handed_write = core->n_writes;
    sc_schedule_lane(core, j);
}

// How a task is to be tried next; `why` NULL: it is blamed for a death. One that may not be
// repeated and is due is not handed out before that is safe.
void
sc_saved_put_attempt(sc_core *core, const chunk *c, uint32_t offset, const sc_saved_attempt *next,
                     const failure *why)
{
    job *j = c->job;
    if (!j->number)
        return;
    sc_action a = {.type = SC_ACTION_PUT_ATTEMPT};
    a.attempt.job = j->id;
    a.attempt.next = *next;
    a.attempt.next.place = c->first + offset;
    a.attempt.at = sc_core_unix_ms(core);
    a.attempt.position = j->position;
    if (why) {
        a.attempt.worker = why->worker;
        a.attempt.error = why->error;
    }
    sc_core_write(core, j, &a);
    exception *e = sc_exceptions_find(c, offset);
    if (e)
        e->is_noted = next->due_at == SC_SAVED_BEGUN;
    if (is_once(j) && (next->due_at == 0 || next->due_at == SC_SAVED_BEGUN))
        hold(core, j);
}

// The time of its next attempt has come. Of handlers that may not be repeated that is written too:
// from here on it may have been begun.
void
sc_saved_put_due(sc_core *core, const exception *e)
{
    sc_saved_attempt next = {.attempt = e->attempt, .blame = e->blame, .due_at = SC_SAVED_BEGUN};
    if (is_once(e->chunk->job))
        sc_saved_put_attempt(core, e->chunk, e->offset, &next, NULL);
}

/* ---- tasks that may not be repeated ---- */

// May places below `until` be handed out? Of handlers that may not be repeated this is written
// first, and the job is in no lane until it is safe: after a restart nobody else could tell which
// of them had begun.
bool
sc_saved_may_hand_out(sc_core *core, job *j, uint64_t until)
{
    if (!j->number || !is_once(j) || until <= j->handed)
        return true;
    j->handed = until;
    sc_saved_put_state(core, j);
    hold(core, j);
    return false;
}

// The same of one that runs alone, whatever was handed out before it.
bool
sc_saved_may_begin(sc_core *core, const exception *e)
{
    const job *j = e->chunk->job;
    if (!j->number || !is_once(j) || e->is_noted)
        return true;
    sc_saved_put_due(core, e);
    return false;
}

// We stood still, and another may lead since: tasks are handed out again once something is written,
// which fails then. Else what runs there would be begun here, for nothing.
void
sc_saved_confirm(sc_core *core)
{
    bool is_written = false;
    if (!core->options.is_shared)
        return;
    for (job *j = core->jobs_by_age; j; j = j->order_next) {
        if (!j->number || sc_job_has_ended(j->state))
            continue;
        if (!is_written)
            sc_saved_put_state(core, j);
        is_written = true;
        hold(core, j);
    }
}

void
sc_saved_handed_drop(sc_core *core, job *j)
{
    if (j->handed_write)
        DL_DELETE2(core->handed, j, handed_prev, handed_next);
    j->handed_write = 0;
}

void
sc_saved_written(sc_core *core)
{
    for (job *j; (j = core->handed) && j->handed_write <= core->written;) {
        sc_saved_handed_drop(core, j);
        sc_schedule_lane(core, j);
    }
}

/* ---- the wait for workers ---- */

// How long restored jobs wait for workers to come back. One that knows several endpoints notices
// after a lease that the one before us is gone, then may try one that does not answer before it
// tries ours (proto/search.h).
static int64_t
return_ms(const sc_core *core)
{
    int64_t search_ms = core->options.lease_ms + 2 * core->options.heartbeat_ms;
    return core->options.is_shared && search_ms > RETURN_MS ? search_ms : RETURN_MS;
}

// It begins then.
void
sc_saved_wait_from(sc_core *core, int64_t ms)
{
    core->restored_ms = ms;
    sc_core_timer_set(core, &core->restored_timer, TIMER_RESTORED, ms + return_ms(core));
}

static bool
somebody_lists(const sc_core *core)
{
    for (const peer *p = core->by_instance; p; p = p->by_instance.next)
        if (p->worker && p->worker->state == WORKER_LISTING)
            return true;
    return false;
}

// What was cancelled while it ran, and its worker was told to forget, or did not come back.
static void
end_unwanted(sc_core *core, job *j)
{
    for (range *r = j->again, *next; r; r = next) {
        chunk *c = r->chunk;
        uint32_t end = r->first + r->count, first, n;
        next = r->next;
        if (!c->unwanted || !sc_bits_next(c->unwanted, r->first, end, &first, &n))
            continue;
        range ended = {c, first, n, r->attempt, false, NULL, NULL};
        sc_tasks_cut(core, r, first, n);
        sc_tasks_end_range(core, &ended, SC_ECANCELLED);
        if (first + n < end && (!next || next->chunk != c))
            next = c->last_again; // what lay behind
    }
}

// What may have been begun and nobody has come back with.
static void
end_unsure(sc_core *core, job *j)
{
    for (range *r = j->again, *next; r; r = next) {
        next = r->next;
        if (!r->is_unsure)
            continue;
        range ended = *r;
        sc_tasks_drop_range(core, r);
        sc_tasks_end_range(core, &ended, SC_EUNKNOWN);
    }
}

// Restored jobs are handed out once workers have had the time to come back and to list what they
// hold.
void
sc_saved_check_restored(sc_core *core)
{
    int64_t waited_ms = core->now_ms - core->restored_ms;
    if (!core->is_restoring || waited_ms < return_ms(core))
        return;
    if (waited_ms < return_ms(core) + LIST_MS && somebody_lists(core)) {
        sc_core_timer_set(core, &core->restored_timer, TIMER_RESTORED,
                          core->restored_ms + return_ms(core) + LIST_MS);
        return;
    }
    core->is_restoring = false;
    sc_core_timer_stop(core, &core->restored_timer);
    for (job *j = core->jobs_by_age, *next; j; j = next) {
        next = j->order_next;
        if (!j->is_waiting)
            continue;
        j->is_waiting = false;
        sc_schedule_lane(core, j);
        end_unsure(core, j);
        end_unwanted(core, j);
        sc_tasks_progress(core, j);
    }
}

// A list is complete: it may have been the last that is waited for.
void
sc_saved_listed(sc_core *core)
{
    int64_t first_ms = core->restored_ms + return_ms(core);
    if (core->is_restoring)
        sc_core_timer_set(core, &core->restored_timer, TIMER_RESTORED,
                          core->now_ms > first_ms ? core->now_ms : first_ms);
}
