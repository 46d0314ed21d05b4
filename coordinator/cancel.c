/* SPDX-License-Identifier: Apache-2.0 */
/* Cancelling: what waits ends at once, what runs is asked to end, and after a grace period its
 * worker process ends it hard. Whatever becomes of an attempt that runs, the task is not tried
 * again: it is unwanted. And expiry: what has not begun in time is dead. Part of the core. */
#include "coordinator/core_int.h"

enum { WAIT_MS = 100 }; // while restored jobs wait for workers

// The places that are to end, and why: cancelled, or expired.
typedef struct scope {
    job *job;
    uint64_t first, end;
    int code;
} scope;

/* ---- what waits ---- */

// Of a later attempt it has begun.
static bool
is_in(const scope *s, const range *r)
{
    return s->code == SC_ECANCELLED || (r->attempt == 1 && !r->is_unsure);
}

static void
end_again(sc_core *core, const scope *s)
{
    for (range *r = s->job->again, *next; r; r = next) {
        next = r->next;
        chunk *c = r->chunk;
        uint64_t from = c->first + r->first, until = from + r->count;
        from = from > s->first ? from : s->first;
        until = until < s->end ? until : s->end;
        if (from >= until || !is_in(s, r))
            continue;
        uint32_t first = (uint32_t)(from - c->first), count = (uint32_t)(until - from);
        range ended = {c, first, count, r->attempt, false, NULL, NULL};
        sc_tasks_cut(core, r, first, count);
        sc_tasks_end_range(core, &ended, s->code);
    }
}

// Delayed, or waiting to run alone.
static void
cancel_exceptions(sc_core *core, chunk *c, uint32_t first, uint32_t end)
{
    exception *next;
    for (exception *e = sc_exceptions_next(c, first); e && e->offset < end; e = next) {
        next = sc_exceptions_next(c, e->offset + 1);
        if (!e->is_delayed && !e->is_suspect)
            continue;
        if (e->is_delayed)
            sc_tasks_undelay(core, e);
        range ended = {c, e->offset, 1, e->attempt, false, NULL, NULL};
        sc_tasks_end_range(core, &ended, SC_ECANCELLED);
    }
}

// Brings the places of a request, those behind the last one excepted that never were touched, where
// the others are: in the list of what is handed out again. @return false without memory
static bool
reach(sc_core *core, const scope *s)
{
    job *j = s->job;
    uint64_t until = s->end < j->stop ? s->end : s->first;
    // a chunk that was handed out in part, or whose payload has been asked for
    if (j->next < j->stop && sc_tasks_find_chunk(j, sc_tasks_chunk_of(j, j->next)))
        until = until > j->next ? until : j->next + 1;
    return sc_tasks_reach(core, j, until);
}

/* ---- what runs ---- */

static void
ask(sc_core *core, const run *r, uint32_t first, uint32_t count, sc_recall_mode mode)
{
    sc_message m = {.type = SC_MSG_RECALL};
    m.recall = (sc_recall){.job = r->chunk->job->id,
                           .token = r->token,
                           .first = sc_runs_base(r) + first,
                           .count = count,
                           .mode = mode};
    if (mode == SC_RECALL_CANCEL)
        m.recall.grace_ms = (uint64_t)core->options.cancel_grace_ms;
    sc_core_send(core, r->worker->peer, &m);
}

// Its worker is asked, and whoever reads the journal after us knows.
static bool
cancel_run(sc_core *core, run *r, uint32_t first, uint32_t end)
{
    chunk *c = r->chunk;
    uint32_t from = first > r->first ? first - r->first : 0;
    uint32_t until = end < r->first + r->count ? end - r->first : r->count;
    for (uint32_t i = from; i < until; i++) {
        sc_saved_attempt next = {.attempt = r->attempt, .due_at = SC_SAVED_NEVER};
        if (!bit_get(&r->left, i) || sc_tasks_is_unwanted(c, r->first + i))
            continue;
        if (!sc_tasks_unwant(c, r->first + i))
            return false;
        sc_saved_put_attempt(core, c, r->first + i, &next, NULL);
    }
    ask(core, r, from, until - from,
        SC_RECALL_CANCEL); // those that have ended there it passes over
    return true;
}

static bool
cancel_chunk(sc_core *core, const scope *s, chunk *c)
{
    uint32_t first = s->first > c->first ? (uint32_t)(s->first - c->first) : 0;
    uint32_t end = s->end - c->first < c->count ? (uint32_t)(s->end - c->first) : c->count;
    cancel_exceptions(core, c, first, end);
    for (run *r = c->runs; r; r = r->chunk_next)
        if (first < r->first + r->count && end > r->first && !cancel_run(core, r, first, end))
            return false;
    return true;
}

// What is unwanted of a run, in as few words as there are stretches of it.
static void
ask_again(sc_core *core, const run *r)
{
    uint32_t first, n, end = r->first + r->count;
    for (uint32_t at = r->first; sc_bits_next(r->chunk->unwanted, at, end, &first, &n);
         at = first + n)
        ask(core, r, first - r->first, n, SC_RECALL_CANCEL);
}

// A worker came back with what it runs: the question may have been lost with its connection.
void
sc_cancel_ask_again(sc_core *core, const worker *w)
{
    for (const run *r = w->runs; r; r = r->next)
        if (r->chunk && r->chunk->unwanted)
            ask_again(core, r);
}

/* ---- the request ---- */

static bool
cancel(sc_core *core, const scope *s)
{
    job *j = s->job;
    bool is_done = reach(core, s);
    end_again(core, s);
    uint64_t end = s->end < j->next ? s->end : j->next;
    for (uint64_t place = s->first > j->prefix ? s->first : j->prefix; is_done && place < end;) {
        uint32_t number = sc_tasks_chunk_of(j, place);
        chunk *c = sc_tasks_find_chunk(j, number);
        if (c)
            is_done = cancel_chunk(core, s, c);
        place = sc_tasks_chunk_first(j, number) + sc_tasks_chunk_count(j, number);
    }
    if (is_done && s->end >= j->stop && j->next < j->stop)
        sc_tasks_end_untouched(core, j, SC_ECANCELLED);
    sc_tasks_progress(core, j);
    return is_done;
}

static bool
is_within(const job *j, const sc_cancel *m)
{
    return m->count == 0 || (m->first >= j->first_index && m->first - j->first_index < j->n_tasks &&
                             m->count <= j->n_tasks - (m->first - j->first_index));
}

static void
answer(sc_core *core, peer *p, uint64_t request, job *j)
{
    if (sc_job_is_safe(core, j)) {
        sc_ask_job(core, p, request, j);
        return;
    }
    watch *w = sc_watch_new(core, p, j, request);
    if (!w)
        return;
    w->after = j->last_write;
    sc_core_news(core, j);
}

void
sc_cancel_take(sc_core *core, peer *p, const sc_cancel *m)
{
    job *j = sc_jobs_find(core, &m->job);
    if (!j || j->state == SC_JOB_STAGED) {
        sc_core_refuse(core, p, m->request, SC_ENOJOB, "no such job");
        return;
    }
    unsigned long long first = j->first_index, last = j->first_index + j->n_tasks - 1;
    if (!is_within(j, m)) {
        sc_core_refuse(core, p, m->request, SC_EBADARG, "the tasks of the job are %llu to %llu",
                       first, last);
        return;
    }
    if (j->asked.dead_before > 0) {
        sc_core_refuse(core, p, m->request, SC_EBUSY,
                       "the job is about to be tried again; cancel it in a moment");
        return;
    }
    if (sc_job_has_ended(j->state) && j->state != SC_JOB_CANCELLED) {
        sc_core_refuse(core, p, m->request, SC_ESTATE, "the job has ended: %s",
                       sc_job_state_name(j->state));
        return;
    }
    uint64_t place = m->count ? m->first - j->first_index : 0;
    scope s = {j, place, m->count ? place + m->count : j->n_tasks, SC_ECANCELLED};
    if (!sc_job_has_ended(j->state) && !cancel(core, &s)) {
        sc_core_refuse(core, p, m->request, SC_ENOMEM,
                       "the coordinator has no memory to cancel all of it; try again");
        return;
    }
    answer(core, p, m->request, j);
}

/* ---- expiry ---- */

// What a worker has not begun it gives back.
static void
expire(sc_core *core, job *j)
{
    scope s = {j, 0, j->n_tasks, SC_EEXPIRED};
    if (!reach(core, &s)) {
        sc_core_timer_set(core, &j->expires_timer, TIMER_EXPIRES, core->now_ms + WAIT_MS);
        return;
    }
    j->has_expired = true;
    end_again(core, &s);
    if (j->next < j->stop)
        sc_tasks_end_untouched(core, j, SC_EEXPIRED);
    for (const chunk *c = j->chunks; c; c = c->hh.next)
        for (const run *r = c->runs; r; r = r->chunk_next)
            if (r->attempt == 1)
                ask(core, r, 0, r->count, SC_RECALL_WAITING);
    sc_tasks_progress(core, j);
}

// When what has not begun is dead. Of a job that was retried that time is over: whoever retries it
// wants it to run.
void
sc_cancel_set_expiry(sc_core *core, job *j)
{
    if (j->expires_ms && j->undone.dead_before == 0)
        sc_core_timer_set(core, &j->expires_timer, TIMER_EXPIRES,
                          core->now_ms + j->submitted_at + (int64_t)j->expires_ms -
                              sc_core_unix_ms(core));
}

// A restored job is asked again once workers have said what of it they have begun.
void
sc_cancel_expires_timer(sc_core *core, job *j)
{
    if (j->is_waiting)
        sc_core_timer_set(core, &j->expires_timer, TIMER_EXPIRES, core->now_ms + WAIT_MS);
    else
        expire(core, j);
}
