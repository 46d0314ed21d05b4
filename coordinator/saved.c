/* SPDX-License-Identifier: Apache-2.0 */
/* What the journal keeps of durable jobs, and what it gives back: each write of a job's record, and
 * after a restart the jobs themselves. Restored jobs wait a moment for workers to come back and say
 * what they still hold (held.c), so that this is not begun again. Part of the core. */
#include "coordinator/core_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

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
                        .handed = j->handed};
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
    sc_saved_chunk *chunks = calloc(j->n_chunks, sizeof *chunks);
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

// Nothing of the job is handed out before what was written last is safe.
static void
hold(sc_core *core, job *j)
{
    sc_saved_handed_drop(core, j);
    DL_APPEND2(core->handed, j, handed_prev, handed_next);
    j->handed_write = j->last_write;
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
    if (is_once(j) && next->due_at == 0)
        hold(core, j);
}

// The time of its next attempt has come. Of handlers that may not be repeated that is written too:
// from here on it may have been begun.
void
sc_saved_put_due(sc_core *core, const exception *e)
{
    sc_saved_attempt next = {.attempt = e->attempt, .blame = e->blame};
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

/* ---- restoring: the record ---- */

static bool
restore_chunks(job *j, const sc_slice *chunks)
{
    size_t n = chunks->len / sizeof(sc_saved_chunk);
    uint64_t n_tasks = 0;
    if (!(j->chunk_infos = calloc(n + 1, sizeof *j->chunk_infos)))
        return false;
    j->chunk_infos_max = (uint32_t)n + 1;
    for (size_t i = 0; i < n; i++) {
        sc_saved_chunk c;
        memcpy(&c, chunks->data + i * sizeof c, sizeof c);
        j->chunk_infos[i] = (chunk_info){n_tasks, c.bytes, true};
        n_tasks += c.count;
    }
    j->n_chunks = j->n_stored_chunks = (uint32_t)n;
    if (j->state == SC_JOB_STAGED)
        j->n_tasks = n_tasks;
    return true;
}

// The fields that are the same in every state. @return NULL without memory
static job *
restore_job(sc_core *core, const sc_saved_job *saved, const sc_open *o, handler *h)
{
    const sc_saved_state *s = &saved->state;
    job *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    sc_uploads_set_policy(j, h, o);
    if (sc_keys_set(j, o->key) < 0 || sc_parents_set(j, o) < 0) {
        free(j->key);
        free(j);
        return NULL;
    }
    j->number = saved->number;
    j->client = saved->client;
    j->is_opened = true;
    j->is_committing = j->is_committed = s->state != SC_JOB_STAGED;
    j->n_tasks = s->n_tasks;
    j->submitted_at = s->submitted_at;
    j->ended_at = s->ended_at;
    j->handed = s->handed;
    j->position = s->position;
    j->done = s->done;
    j->dead = s->dead;
    j->cancelled = s->cancelled;
    j->state = (sc_job_state)s->state;
    HASH_ADD(hh, core->jobs, id, sizeof j->id, j);
    SC_ASSERT(j->hh.tbl);
    core->n_jobs++;
    if (j->is_array || j->is_committed)
        sc_keys_take(core, j, j->is_array ? &o->digest : &s->digest);
    return j;
}

/* ---- restoring: tasks ---- */

// Ended places, chunk by chunk.
static bool
restore_ended(sc_core *core, job *j, const sc_saved_stretch *s)
{
    bool is_whole = s->dead == s->count || s->cancelled == s->count;
    for (uint64_t place = s->place, end = s->place + s->count; place < end;) {
        chunk *c = sc_tasks_touch(core, j, sc_tasks_chunk_of(j, place));
        if (!c)
            return false;
        uint32_t first = (uint32_t)(place - c->first);
        uint32_t stop = end - c->first < c->count ? (uint32_t)(end - c->first) : c->count;
        outcomes ended = {.dead = (uint32_t)s->dead, .cancelled = (uint32_t)s->cancelled};
        if (is_whole)
            ended = (outcomes){.dead = s->dead ? stop - first : 0,
                               .cancelled = s->dead ? 0 : stop - first};
        ended.done = stop - first - ended.dead - ended.cancelled;
        for (uint32_t i = first; i < stop; i++)
            bit_set(&c->ended, i);
        sc_tasks_count_ended(core, c, &ended);
        place = c->first + stop;
    }
    return true;
}

// It has a history: it does not wait with those that have none.
static bool
restore_attempt(sc_core *core, job *j, const sc_saved_attempt *a)
{
    chunk *c = sc_tasks_touch(core, j, sc_tasks_chunk_of(j, a->place));
    exception *e = c ? sc_exceptions_get(core, c, (uint32_t)(a->place - c->first)) : NULL;
    if (!e)
        return false;
    e->attempt = a->attempt;
    e->blame = a->blame;
    return a->due_at != SC_SAVED_NEVER || sc_tasks_unwant(c, e->offset);
}

// How long it still has to wait; where the clock went back, no longer than ever.
static int64_t
left_ms(const sc_core *core, const job *j, const sc_saved_attempt *a)
{
    int64_t ms = a->due_at - sc_core_unix_ms(core);
    return ms > (int64_t)j->backoff_max_ms ? (int64_t)j->backoff_max_ms : ms;
}

// Where it is to be tried again: later, alone, or with all others.
static void
settle_attempt(sc_core *core, job *j, const sc_saved_attempt *a)
{
    chunk *c = sc_tasks_find_chunk(j, sc_tasks_chunk_of(j, a->place));
    exception *e = sc_exceptions_find(c, (uint32_t)(a->place - c->first));
    int64_t wait_ms = left_ms(core, j, a);
    if (!e)
        return; // all of its chunk has ended
    if (a->due_at == SC_SAVED_NEVER) {
        sc_tasks_again(core, c, e->offset, 1, e->attempt);
        sc_exceptions_drop(core, e);
    } else if (a->due_at == 0 && a->place < j->handed) {
        sc_tasks_again_unsure(core, c, e->offset, e->attempt);
        sc_exceptions_drop(core, e);
    } else if (wait_ms > 0 && core->n_delayed < MAX_DELAYED) {
        j->delayed++;
        core->n_delayed++;
        e->is_delayed = true;
        sc_core_timer_set(core, &e->timer, TIMER_DELAYED, core->now_ms + wait_ms);
    } else {
        sc_tasks_due(core, e);
    }
}

// The end of the last chunk that something is known of: what lies before was handed out.
static uint64_t
reached(job *j, const sc_saved_tasks *t)
{
    uint64_t last = j->prefix > 0 ? j->prefix - 1 : 0;
    bool is_any = false;
    for (uint64_t i = 0; i < t->n_ended; i++) {
        uint64_t end = t->ended[i].place + t->ended[i].count - 1;
        last = end > last ? end : last;
        is_any = true;
    }
    for (uint64_t i = 0; i < t->n_attempts; i++) {
        last = t->attempts[i].place > last ? t->attempts[i].place : last;
        is_any = true;
    }
    return is_any ? last + 1 : j->prefix;
}

static bool
restore_tasks(sc_core *core, job *j, const sc_saved_job *saved, const sc_saved_tasks *t)
{
    uint64_t prefix = saved->state.prefix;
    j->prefix = j->next = j->behind.prefix = j->saved_prefix = prefix;
    j->behind.done = j->done;
    j->behind.dead = j->dead;
    j->behind.cancelled = j->cancelled;
    j->done += t->done;
    j->dead += t->dead;
    j->cancelled += t->cancelled;
    j->position = t->position;
    for (uint32_t k = j->is_array ? 0 : j->n_chunks; k-- > 0 && j->chunk_infos[k].first >= prefix;)
        j->queued_bytes += j->chunk_infos[k].bytes;
    core->queue_bytes += j->queued_bytes;
    for (uint64_t i = 0; i < t->n_ended; i++)
        if (!restore_ended(core, j, &t->ended[i]))
            return false;
    for (uint64_t i = 0; i < t->n_attempts; i++)
        if (!restore_attempt(core, j, &t->attempts[i]))
            return false;
    uint64_t until = reached(j, t);
    if (!sc_tasks_reach(core, j, j->handed > until ? j->handed : until))
        return false;
    for (uint64_t i = 0; i < t->n_attempts; i++)
        settle_attempt(core, j, &t->attempts[i]);
    j->adopt_until = j->next + ADOPT_AHEAD;
    j->queued = j->n_tasks - j->done - j->dead - j->cancelled - j->delayed;
    return true;
}

/* ---- restoring: where it belongs ---- */

static void
enter_staged(sc_core *core, job *j)
{
    core->n_staged++;
    DL_APPEND2(core->staged, j, order_prev, order_next);
    for (uint32_t k = 0; k < j->n_chunks; k++)
        j->queued_bytes += j->chunk_infos[k].bytes;
    core->queue_bytes += j->queued_bytes;
    j->is_unsaid = true;
    sc_jobs_set_staged_timer(core, j);
}

static bool
enter_open(sc_core *core, job *j, const sc_saved_job *saved, const sc_saved_tasks *t)
{
    j->is_waiting = true;
    j->stop = j->n_tasks;
    j->seq = core->next_seq++;
    core->n_open++;
    DL_APPEND2(core->jobs_by_age, j, order_prev, order_next);
    if (j->is_array) {
        j->pieces_table = sc_slice_keep(saved->table);
        j->pieces_bytes = sc_slice_keep(saved->bytes);
        if (!j->pieces_table.data || !j->pieces_bytes.data)
            return false;
        j->queued_bytes = saved->table.len + saved->bytes.len;
    }
    if (!restore_tasks(core, j, saved, t))
        return false;
    sc_cancel_set_expiry(core, j);
    j->state = t->n_ended > 0 || j->prefix > 0 ? SC_JOB_RUNNING : SC_JOB_OPEN;
    return true;
}

static int
by_submission(const job *a, const job *b)
{
    return a->submitted_at < b->submitted_at ? -1 : a->submitted_at > b->submitted_at;
}

static int
by_end(const job *a, const job *b)
{
    return a->ended_at < b->ended_at ? -1 : a->ended_at > b->ended_at;
}

static int
restore_one(sc_core *core, sc_decoder *decoder, const sc_saved_job *saved, const sc_saved_tasks *t)
{
    sc_message m;
    sc_error err = {0};
    if (saved->number >= core->next_number)
        core->next_number = saved->number + 1;
    int rc = sc_message_decode(decoder, saved->open.data, saved->open.len, &m, &err);
    if (rc < 0 || m.type != SC_MSG_OPEN || saved->state.state >= SC_N_JOB_STATES) {
        sc_log_error("job number %llu of the journal cannot be understood: %s",
                     (unsigned long long)saved->number, rc < 0 ? err.text : "no OPEN");
        return rc == SC_ENOMEM ? rc : 0;
    }
    handler *h = sc_jobs_get_handler(core, m.open.handler);
    if (!h) {
        sc_log_error(
            "job number %llu of the journal is left there: there is no room for its handler "
            "%.*s beside %d others",
            (unsigned long long)saved->number, (int)m.open.handler.len, m.open.handler.data,
            SC_MAX_HANDLERS);
        return 0;
    }
    job *j = restore_job(core, saved, &m.open, h);
    if (!j)
        return SC_ENOMEM;
    bool has_ended = sc_job_has_ended(j->state);
    if (!has_ended && !j->is_array && !restore_chunks(j, &saved->chunks))
        return SC_ENOMEM;
    if (j->state == SC_JOB_STAGED) {
        enter_staged(core, j);
    } else if (!has_ended) {
        return enter_open(core, j, saved, t) ? 0 : SC_ENOMEM;
    } else {
        j->prefix = j->next = j->stop = j->n_tasks;
        j->n_chunks = j->n_stored_chunks = (uint32_t)(saved->chunks.len / sizeof(sc_saved_chunk));
        DL_APPEND2(core->jobs_by_age, j, order_prev, order_next);
        DL_APPEND2(core->jobs_ended, j, ended_prev, ended_next);
        j->may_go = true;
        j->kept_from = j->ended_at;
    }
    return 0;
}

int
sc_core_restore(sc_core *core, const sc_saved_job *jobs, sc_saved_tasks *const *tasks, size_t n,
                int64_t now_ms)
{
    sc_decoder *decoder;
    core->now_ms = now_ms;
    int rc = sc_decoder_new(&decoder);
    // those that have ended come last: where there are too many handlers the others find room
    for (int has_ended = 0; has_ended <= 1; has_ended++)
        for (size_t i = 0; rc == 0 && i < n; i++)
            if (sc_job_has_ended(jobs[i].state.state) == has_ended)
                rc = restore_one(core, decoder, &jobs[i], tasks[i]);
    sc_decoder_free(&decoder);
    if (rc < 0)
        return rc;
    DL_SORT2(core->jobs_by_age, by_submission, order_prev, order_next);
    DL_SORT2(core->jobs_ended, by_end, ended_prev, ended_next);
    core->first_kept = core->jobs_ended;
    for (job *j = core->jobs; j; j = j->hh.next)
        if (!sc_job_has_ended(j->state))
            sc_parents_link(core, j);
    core->is_restoring = true;
    sc_saved_wait_from(core, now_ms);
    sc_jobs_retention_timer(core);
    for (job *j = core->jobs_by_age, *next; j; j = next) {
        next = j->order_next;
        if (sc_job_has_ended(j->state))
            continue;
        sc_parents_settle(core, j);
        sc_tasks_progress(core, j); // all of it may have ended, and only that was not written
    }
    return 0;
}

/* ---- the wait for workers ---- */

// It begins then.
void
sc_saved_wait_from(sc_core *core, int64_t ms)
{
    core->restored_ms = ms;
    sc_core_timer_set(core, &core->restored_timer, TIMER_RESTORED, ms + ADOPT_WAIT_MS);
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
    if (!core->is_restoring || waited_ms < ADOPT_WAIT_MS)
        return;
    if (waited_ms < ADOPT_LIST_MS && somebody_lists(core)) {
        sc_core_timer_set(core, &core->restored_timer, TIMER_RESTORED,
                          core->restored_ms + ADOPT_LIST_MS);
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
    int64_t first_ms = core->restored_ms + ADOPT_WAIT_MS;
    if (core->is_restoring)
        sc_core_timer_set(core, &core->restored_timer, TIMER_RESTORED,
                          core->now_ms > first_ms ? core->now_ms : first_ms);
}
