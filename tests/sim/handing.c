/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks are handed out and started: may they be, now, and beside what else runs there? */
#include <inttypes.h>
#include <string.h>

#include "tests/sim/world.h"

// Nothing of it is handed out before the job that it waits for has ended as it should.
static void
check_begin(world *w, plan *j)
{
    const plan *after = j->after;
    if (j->has_begun)
        return;
    j->has_begun = true;
    for (uint64_t i = 0; after && i < after->n_tasks; i++)
        if (!sc_history_has_result(w->history, &after->id, after->first + i))
            sc_sim_fail(w, "job %u is handed out before job %u has ended", j->number,
                        after->number);
    for (uint64_t i = 0; after && i < after->n_tasks; i++)
        if (after->writes[i] > w->host->n_written)
            sc_sim_fail(w, "job %u is handed out, and the end of job %u may be lost", j->number,
                        after->number);
    if (after && after->has_failed && !j->on_any)
        sc_sim_fail(w, "job %u is handed out, and job %u has failed", j->number, after->number);
}

void
sc_plan_handed(world *w, process *p, const sc_run *run)
{
    plan *j = sc_plan_find(w, &run->job);
    uint64_t place = run->first - j->first;
    check_begin(w, j);
    j->last = run->token;
    if (j->is_unwanted && place < j->cancelled_until && place + run->count > j->cancelled_from)
        sc_sim_fail(w, "tasks of job %u are handed out, and were cancelled", j->number);
    for (uint64_t i = place; i < place + run->count; i++) {
        j->handings[i] = (handing){p, w->now_us, run->token, j->blames[i] > 0};
        sc_told_attempt(w, j, i, run->attempt);
    }
}

bool
sc_handing_was_safe(const handing *h)
{
    return h->worker && h->worker->trouble_until_us < h->at_us;
}

// It runs, and somebody waits for it.
static bool
is_wanted(const running *t)
{
    return !sc_assignment_is_answered(t->started.assignment, t->started.offset);
}

// A task that was blamed before it was handed out runs alone.
static void
check_alone(const running *t)
{
    const running *other;
    LIST_FOREACH(other, &t->worker->running, node)
        if (is_wanted(other) && (t->is_alone || other->is_alone))
            sc_sim_fail(t->worker->world,
                        "task %" PRIu64 " of job %u starts beside %" PRIu64
                        " of job %d, and one of them is to run alone",
                        t->index, t->plan->number, other->index,
                        other->plan ? (int)other->plan->number : -1);
}

// A worker executes the same attempt of it, and somebody waits for that.
static bool
runs_elsewhere(const running *t)
{
    const world *w = t->worker->world;
    const running *other;
    for (uint32_t i = 0; i < w->shape.n_workers; i++)
        if (w->workers[i] && !w->workers[i]->is_dead)
            LIST_FOREACH(other, &w->workers[i]->running, node)
                if (other->plan == t->plan && other->index == t->index &&
                    other->attempt == t->attempt && is_wanted(other))
                    return true;
    return false;
}

void
sc_plan_started(running *t)
{
    plan *j = t->plan;
    world *w = t->worker->world;
    const handing *h = &j->handings[t->index - j->first];
    if (j->is_durable && runs_elsewhere(t)) {
        w->n_started_again++;
        if (w->shape.is_restarts_only)
            sc_sim_fail(w, "task %" PRIu64 " of job %u starts again while it runs", t->index,
                        j->number);
    }
    if (t->ref.token.epoch != t->worker->world->options.epoch && !j->is_durable)
        return; // it does not know yet that this is gone
    if (sc_retry_is_past(j, &t->ref.token))
        return; // nor that this is over
    t->is_alone = h->is_alone && memcmp(&h->token, &t->ref.token, sizeof h->token) == 0;
    check_alone(t);
    uint16_t *last = &j->starts[t->index - j->first];
    if (sc_plan_is_once(j) && t->attempt <= *last)
        sc_sim_fail(t->worker->world,
                    "task %" PRIu64 " of job %u, not to be repeated, starts again", t->index,
                    j->number);
    *last = (uint16_t)t->attempt;
}
