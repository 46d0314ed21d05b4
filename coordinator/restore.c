/* SPDX-License-Identifier: Apache-2.0 */
/* What the journal gives back: the jobs that were kept, after a restart, and the tasks of one that
 * had ended and is tried again. Part of the core. */
#include "coordinator/core_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* ---- the record ---- */

static bool
restore_chunks(job *j, const sc_slice *chunks)
{
    size_t n = chunks->len / sizeof(sc_saved_chunk);
    uint64_t n_tasks = 0;
    if (!(j->chunk_infos = sc_core_alloc(n + 1, sizeof *j->chunk_infos)))
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
    job *j = sc_core_alloc(1, sizeof *j);
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
    j->undone = s->undone;
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

/* ---- tasks ---- */

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
        sc_bits_set(&c->ended, first, stop - first);
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
    } else if (a->due_at == SC_SAVED_BEGUN || (a->due_at == 0 && a->place < j->handed)) {
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

/* ---- where it belongs ---- */

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
restore_payload(job *j, const sc_saved_job *saved)
{
    if (!j->is_array)
        return restore_chunks(j, &saved->chunks);
    j->pieces_table = sc_slice_keep(saved->table);
    j->pieces_bytes = sc_slice_keep(saved->bytes);
    if (!j->pieces_table.data || !j->pieces_bytes.data)
        return false;
    j->queued_bytes = saved->table.len + saved->bytes.len;
    return true;
}

static bool
enter_open(sc_core *core, job *j, const sc_saved_job *saved, const sc_saved_tasks *t)
{
    j->is_waiting = true;
    j->stop = j->n_tasks;
    j->seq = core->next_seq++;
    core->n_open++;
    DL_APPEND2(core->jobs_by_age, j, order_prev, order_next);
    if (!restore_payload(j, saved) || !restore_tasks(core, j, saved, t))
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
by_kept(const job *a, const job *b)
{
    return a->kept_from < b->kept_from ? -1 : a->kept_from > b->kept_from;
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
    if (!h && core->n_handlers < SC_MAX_HANDLERS)
        return SC_ENOMEM;
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
    if (j->state == SC_JOB_STAGED) {
        if (!j->is_array && !restore_chunks(j, &saved->chunks))
            return SC_ENOMEM;
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
    sc_decoder *decoder = NULL;
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
    sc_parents_keep(core);
    DL_SORT2(core->jobs_ended, by_kept, ended_prev, ended_next);
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

// The tasks of a job that had ended are as the journal says now; the job itself is moved by the
// caller. @return 0; SC_ENOMEM, SC_ELIMIT (of waiting payload): it is as it was
int
sc_restore_again(sc_core *core, job *j, const sc_saved_job *saved, const sc_saved_tasks *t)
{
    uint64_t done = j->done, dead = j->dead, cancelled = j->cancelled, handed = j->handed;
    j->done = saved->state.done;
    j->dead = saved->state.dead;
    j->cancelled = saved->state.cancelled;
    j->handed = 0; // nothing of this life was handed out
    j->stop = j->n_tasks;
    bool is_whole = restore_payload(j, saved) && restore_tasks(core, j, saved, t);
    j->adopt_until = 0; // all that was handed out is known
    if (is_whole && core->queue_bytes + core->call_bytes <= core->options.queue_max_bytes)
        return 0;
    sc_jobs_drop_tasks(core, j);
    j->prefix = j->n_tasks;
    j->queued = 0;
    j->done = done;
    j->dead = dead;
    j->cancelled = cancelled;
    j->handed = handed;
    return is_whole ? SC_ELIMIT : SC_ENOMEM;
}
