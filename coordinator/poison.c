/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that are blamed for the death of worker processes: each death counts, a counted task
 * ("suspect") runs alone in a worker process from then on, and with SC_POISON_COUNT it is dead.
 * Part of the core. */
#include "coordinator/core_int.h"

#include <string.h>

/* ---- counting ---- */

// It is in no list any more.
static void
end_blamed(sc_core *core, const range *r, int code)
{
    sc_tasks_end_range(core, r, code);
    sc_tasks_progress(core, r->chunk->job);
}

// Take it from wherever it is and end it.
static void
end_poisonous(sc_core *core, exception *e)
{
    uint32_t attempt = sc_runs_attempt(e->chunk, e->offset, e->attempt);
    range taken = {e->chunk, e->offset, 1, attempt, false, NULL, NULL};
    if (e->is_delayed)
        sc_tasks_undelay(core, e);
    else if (!e->is_suspect && !sc_tasks_take_queued(core, e->chunk, e->offset, 0, &taken))
        sc_runs_take(core, e->chunk, e->offset, 0);
    end_blamed(core, &taken, SC_EPOISON);
}

static bool
is_call(const sc_task_ref *ref)
{
    static const sc_uuid nil;
    return memcmp(&ref->job, &nil, sizeof nil) == 0;
}

static void
blame_call(sc_core *core, const sc_task_ref *ref, uint64_t instance)
{
    call *c = sc_calls_find_run(core, &ref->token);
    if (!c || c->blamed == instance)
        return;
    c->blamed = instance;
    if (++c->blame >= SC_POISON_COUNT)
        sc_calls_fail(core, c, SC_EPOISON, sc_error_text(SC_EPOISON));
}

// The chunk of a task that a reference names, and its offset there; NULL where it has ended. After
// a restart it may be one that had been handed out before, further on than was known.
static chunk *
find_open(sc_core *core, const sc_task_ref *ref, uint32_t *offset)
{
    job *j = sc_jobs_find(core, &ref->job);
    bool is_old = ref->token.epoch < core->options.epoch;
    if (!j || ref->token.epoch > core->options.epoch || (is_old && !j->number) ||
        j->state == SC_JOB_STAGED || sc_job_has_ended(j->state) || ref->index < j->first_index)
        return NULL;
    uint64_t place = ref->index - j->first_index;
    if (is_old && place < j->adopt_until && !j->handler->is_once &&
        !sc_tasks_reach(core, j, place + 1))
        return NULL;
    if (place >= j->next)
        return NULL;
    chunk *c = sc_tasks_find_chunk(j, sc_tasks_chunk_of(j, place));
    *offset = c ? (uint32_t)(place - c->first) : 0;
    return c && !bit_get(&c->ended, *offset) ? c : NULL;
}

// Has the task or call not ended yet?
bool
sc_poison_is_open(sc_core *core, const sc_task_ref *ref)
{
    uint32_t offset;
    if (is_call(ref))
        return sc_calls_find_run(core, &ref->token) != NULL;
    return find_open(core, ref, &offset) != NULL;
}

// A worker process died, and this task is blamed for it. A death counts once, however often it is
// reported, and however many runs of the task the process had. One that may not be begun again is
// dead with the first.
void
sc_poison_blame(sc_core *core, const sc_task_ref *ref, uint64_t instance)
{
    uint32_t offset;
    if (is_call(ref)) {
        blame_call(core, ref, instance);
        return;
    }
    chunk *c = find_open(core, ref, &offset);
    exception *e = c ? sc_exceptions_get(core, c, offset) : NULL;
    if (!e || e->blamed == instance)
        return;
    e->blamed = instance;
    if (++e->blame >= SC_POISON_COUNT) {
        end_poisonous(core, e);
        return;
    }
    range taken;
    if (!e->is_delayed && sc_tasks_take_queued(core, c, offset, 0, &taken)) {
        if (taken.is_unsure || sc_tasks_is_unwanted(c, offset)) {
            end_blamed(core, &taken, taken.is_unsure ? SC_EUNKNOWN : SC_ECANCELLED);
            return;
        }
        e->attempt = taken.attempt;
        sc_exceptions_suspect(core, e);
    }
    sc_saved_attempt next = {.attempt = sc_runs_attempt(c, offset, e->attempt), .blame = e->blame};
    if (e->is_delayed)
        next.due_at = e->timer.node.deadline_ms + core->unix_offset_ms;
    else if (sc_tasks_is_unwanted(c, offset))
        next.due_at = SC_SAVED_NEVER;
    sc_saved_put_attempt(core, c, offset, &next, NULL);
}

/* ---- running alone ---- */

static bool
runs_alone(const worker *w)
{
    return w->runs && w->runs->is_alone;
}

static bool
may_take(const worker *w, const exception *e)
{
    const handler *h = e->chunk->job->handler;
    const job *j = e->chunk->job;
    return sc_job_may_begin(j) && sc_set_has(w->offer->handlers, h->id) && w->slots[h->kind] > 0;
}

static exception *
first_for(sc_core *core, const worker *w)
{
    exception *e = core->suspects;
    while (e && !may_take(w, e))
        e = e->suspect_next;
    return e;
}

// A worker that is on its way to being empty for this one, or empty already.
static worker *
awaited_for(const sc_core *core, const exception *e)
{
    worker *w = core->reserved;
    while (w && (runs_alone(w) || !may_take(w, e)))
        w = w->reserved_next;
    return w;
}

// A worker that has nothing and is not kept yet.
static worker *
idle_for(const sc_core *core, const exception *e)
{
    for (uint32_t i = 0; i < core->n_offers; i++) {
        worker *w = core->offers[i]->workers;
        for (int tries = 0; w && tries < MAX_TRIES; tries++, w = w->offer_next)
            if (w->n_out_all == 0 && !w->is_reserved && may_take(w, e))
                return w;
    }
    return NULL;
}

// Keeps workers for suspects that have none, at most half of all, one at a time for each kind; one
// that is idle rather than one that has to become so.
static void
reserve(sc_core *core)
{
    uint32_t most = core->n_ready > 3 ? core->n_ready / 2 : 1;
    exception *e = core->suspects;
    for (int tries = 0; e && tries < MAX_TRIES; tries++, e = e->suspect_next) {
        demand d = {e->chunk->job->handler, SC_CLASS_CALL, 0};
        uint32_t room = 0;
        worker *w = awaited_for(core, e), *idle = idle_for(core, e);
        if (w && (w->n_out_all == 0 || !idle))
            continue;
        if (w)
            sc_room_unreserve(core, w);
        if (core->n_reserved < most && (idle || (idle = sc_room_find(core, &d, &room))))
            sc_room_reserve(core, idle);
    }
}

// Suspects go to workers that have nothing else and get nothing else meanwhile.
void
sc_poison_schedule(sc_core *core)
{
    reserve(core);
    for (worker *w = core->reserved, *next; w; w = next) {
        next = w->reserved_next;
        exception *e = runs_alone(w) ? NULL : first_for(core, w);
        if (!e && !runs_alone(w))
            sc_room_unreserve(core, w);
        else if (e && w->n_out_all == 0 && sc_saved_may_begin(core, e))
            sc_schedule_alone(core, w, e);
    }
}
