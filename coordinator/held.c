/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker says after HELLO that it still has. What it was given and the core still counts as
 * its own is confirmed. What was taken from it, because it was silent for its lease, and is still
 * not done, it keeps where it has started: else a task that makes a worker stand still for a second
 * would begin again in one worker after the other and never end. What has ended here it
 * keeps until that is safe. All else it is told to forget, and what it does not list was lost on
 * the way. Part of the core. */
#include "coordinator/core_int.h"

#include <string.h>

// The run that a list entry means, if this worker still has it and the range lies in it.
run *
sc_held_find_run(sc_core *core, worker *w, const sc_held_run *held, uint64_t *offset)
{
    run *r = sc_runs_find(core, &held->token);
    if (!r || r->worker != w)
        return NULL;
    uint64_t base = sc_runs_base(r);
    *offset = held->first - base;
    return held->first >= base && *offset <= r->count && held->count <= r->count - *offset ? r
                                                                                           : NULL;
}

static void
forget(sc_core *core, worker *w, const sc_held_run *held, uint64_t first, uint64_t count)
{
    sc_message m = {.type = SC_MSG_RECALL};
    m.recall = (sc_recall){.job = held->job,
                           .token = held->token,
                           .first = first,
                           .count = count,
                           .mode = SC_RECALL_FORGET};
    if (count > 0)
        sc_core_send(core, w->peer, &m);
}

/* ---- adopting ---- */

// The chunk of a task that has been handed out and has not ended, and its offset there, or NULL.
static chunk *
find_open(job *j, uint64_t index, uint32_t *offset)
{
    uint64_t place = index - j->first_index;
    if (index < j->first_index || place >= j->next)
        return NULL;
    chunk *c = sc_tasks_find_chunk(j, sc_tasks_chunk_of(j, place));
    if (!c)
        return NULL;
    *offset = (uint32_t)(place - c->first);
    return bit_get(&c->ended, *offset) ? NULL : c;
}

// The run that a worker came back with: the one that earlier entries have made, or a new one.
static run *
adopted_run(sc_core *core, worker *w, const sc_held_run *held, chunk *c)
{
    const job *j = c->job;
    run *r = sc_runs_find(core, &held->token);
    if (r)
        return r->worker == w && r->chunk == c && r->is_adopted ? r : NULL;
    if (w->n_runs >= MAX_RUNS_A_WORKER)
        return NULL;
    run from = {.token = held->token,
                .worker = w,
                .chunk = c,
                .handler = j->handler,
                .count = c->count,
                .class = j->priority,
                .attempt = held->attempt,
                .cost_ns = j->handler->cost_ns};
    return sc_runs_adopt(core, &from);
}

// Takes the task from wherever it is now: it waits, alone or with others, or another worker has it.
// In none of these it has failed meanwhile, and its next attempt is to come. @return false where it
// stays there
static bool
take_away(sc_core *core, chunk *c, uint32_t offset, uint32_t attempt)
{
    range taken;
    exception *e = sc_exceptions_find(c, offset);
    if (!e || !e->is_suspect)
        return sc_tasks_take_queued(core, c, offset, attempt, &taken) ||
               sc_runs_take(core, c, offset, attempt);
    if (e->attempt != attempt)
        return false;
    sc_exceptions_unsuspect(core, e);
    return true;
}

// A blamed task runs alone here too: it has no room beside others, nor they beside it.
static bool
has_room_for(const worker *w, bool is_blamed)
{
    return w->n_out_all < w->credit_tasks &&
           (w->n_out_all == 0 || (!is_blamed && !w->runs->is_alone));
}

// @return true where the worker keeps the task, now or since it was adopted before
static bool
adopt_task(sc_core *core, worker *w, job *j, const sc_held_run *held, uint64_t index)
{
    uint32_t offset;
    bits one = {0};
    chunk *c = find_open(j, index, &offset);
    run *r = c ? adopted_run(core, w, held, c) : NULL;
    if (r && bit_get(&r->left, offset)) {
        bit_set(&r->held, offset);
        return true;
    }
    exception *e = c ? sc_exceptions_find(c, offset) : NULL;
    bool is_blamed = e && e->blame > 0;
    if (!r || sc_tasks_is_unwanted(c, offset) || !has_room_for(w, is_blamed) ||
        !take_away(core, c, offset, held->attempt))
        return false;
    bit_set(&one, offset);
    bit_set(&r->held, offset);
    r->is_alone = is_blamed;
    sc_runs_add(core, r, &one, 1);
    j->queued--;
    j->running++;
    if (j->state == SC_JOB_OPEN)
        sc_jobs_move(core, j, SC_JOB_RUNNING);
    return true;
}

// Was this given by this coordinator, or for a durable job by one before it? What was given before
// the job was retried is over: in that run the task may have been cancelled.
static bool
was_given(const sc_core *core, const job *j, const sc_held_run *held)
{
    if (j && held->life != sc_job_life(j))
        return false;
    if (held->token.epoch == core->options.epoch)
        return held->token.run < core->next_run;
    return j && j->number && held->token.epoch < core->options.epoch;
}

// After a restart nobody knows how far a job had been handed out: as far as workers say, within
// bounds.
static bool
reach(sc_core *core, job *j, const sc_held_run *held)
{
    if (held->token.epoch == core->options.epoch)
        return true;
    uint64_t place = held->first - j->first_index, end = place + held->count;
    bool is_once = j->handler->is_once;
    return held->first >= j->first_index && end >= place && end <= j->n_tasks &&
           end <= (is_once ? j->next : j->adopt_until) && sc_tasks_reach(core, j, end);
}

// A result of a task that has ended here, and that may be lost with us: then the worker's is the
// only one. It says it again, and forgets it when it is acknowledged.
static bool
is_needed(const sc_core *core, job *j, const sc_held_run *held, uint64_t index)
{
    uint64_t place = index - j->first_index;
    if (!held->is_ended || sc_job_is_safe(core, j) || index < j->first_index || place >= j->n_tasks)
        return false;
    if (place < j->prefix)
        return true;
    chunk *c = sc_tasks_find_chunk(j, sc_tasks_chunk_of(j, place));
    return c && bit_get(&c->ended, (uint32_t)(place - c->first));
}

static void
adopt(sc_core *core, worker *w, const sc_held_run *held)
{
    static const sc_uuid nil;
    job *j = sc_jobs_find(core, &held->job);
    // after a restart what waits is kept too: it may start before we could say that it must not
    bool is_kept = held->is_started || held->token.epoch < core->options.epoch;
    bool is_ours = is_kept && was_given(core, j, held);
    uint64_t kept_until = held->first; // all below are kept, or told to be forgotten
    if (is_ours && memcmp(&held->job, &nil, sizeof nil) == 0 && has_room_for(w, false) &&
        sc_calls_adopt(core, w, &held->token))
        return;
    if (is_ours && j && held->is_ended && sc_job_has_ended(j->state) && !sc_job_is_safe(core, j))
        return; // as is_needed
    if (!is_ours || !j || (j->state != SC_JOB_RUNNING && j->state != SC_JOB_OPEN) ||
        !sc_set_has(w->offer->handlers, j->handler->id) || !reach(core, j, held)) {
        forget(core, w, held, held->first, held->count);
        return;
    }
    for (uint64_t i = 0; i < held->count; i++) {
        uint64_t index = held->first + i;
        if (!adopt_task(core, w, j, held, index) && !is_needed(core, j, held, index))
            continue;
        forget(core, w, held, kept_until, index - kept_until);
        kept_until = index + 1;
    }
    forget(core, w, held, kept_until, held->first + held->count - kept_until);
    run *r = sc_runs_find(core, &held->token);
    if (r && r->n_left == 0)
        sc_runs_close(core, r);
}

/* ---- the list ---- */

void
sc_held_take(sc_core *core, worker *w, const sc_held *m)
{
    const sc_held_run *runs = m->runs.items;
    for (uint32_t i = 0; i < m->runs.n; i++) {
        uint64_t offset = 0;
        run *r = sc_held_find_run(core, w, &runs[i], &offset);
        if (!r || (r->is_adopted && r->chunk)) {
            adopt(core, w, &runs[i]);
            continue;
        }
        for (uint64_t k = 0; k < runs[i].count; k++)
            bit_set(&r->held, (uint32_t)(offset + k));
    }
}

// The list is complete. What a worker was given and has not listed was lost on the way: it never
// saw it.
void
sc_held_requeue_rest(sc_core *core, worker *w)
{
    for (run *r = w->runs, *next; r; r = next) {
        next = r->next;
        bits lost;
        uint32_t n = 0;
        for (int i = 0; i < BIT_WORDS; i++) {
            lost.words[i] = r->left.words[i] & ~r->held.words[i];
            r->left.words[i] &= r->held.words[i];
            n += (uint32_t)__builtin_popcountll(lost.words[i]);
        }
        if (n > 0)
            sc_runs_give_up(core, r, &lost, n);
    }
}
