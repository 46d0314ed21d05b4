/* SPDX-License-Identifier: Apache-2.0 */
/* Which tasks are to be blamed for the death of a worker process, as its supervisor reports it. */
#include <string.h>

#include "tests/sim/world.h"

typedef enum blame { BLAME_NO, BLAME_YES, BLAME_MAYBE } blame;

// What the tasks of a report count for.
typedef struct tally {
    uint32_t n_executing, n_on_loop, n_open, n_calls;
} tally;

static bool
is_open(const world *w, const plan *j, const sc_task_ref *ref)
{
    return j && (ref->token.epoch == w->options.epoch || j->is_durable) &&
           !sc_history_has_result(w->history, &j->id, ref->index);
}

static blame
judge(sc_death death, const sc_task_ref *ref, const tally *t)
{
    if (death == SC_DEATH_FAULT)
        return ref->is_executing || t->n_executing == 0 ? BLAME_YES : BLAME_NO;
    if (death == SC_DEATH_STALLED)
        return ref->is_on_loop || (t->n_on_loop == 0 && !ref->is_executing) ? BLAME_YES : BLAME_NO;
    if (death != SC_DEATH_KILLED || t->n_open > 1)
        return BLAME_NO;
    return t->n_calls == 0 ? BLAME_YES : BLAME_MAYBE; // who knows whether those have ended
}

static bool
is_same(const sc_task_ref *a, const sc_task_ref *b)
{
    return a->index == b->index && memcmp(&a->job, &b->job, sizeof a->job) == 0;
}

// A process may have had a task in several runs; its death counts once.
static bool
has_counted(const sc_died *died, uint32_t i, const tally *t)
{
    const sc_task_ref *refs = died->started.items;
    for (uint32_t k = 0; k < i; k++)
        if (is_same(&refs[k], &refs[i]) && judge(died->death, &refs[k], t) != BLAME_NO)
            return true;
    return false;
}

void
sc_plan_blame(world *w, const sc_died *died, int by)
{
    const sc_task_ref *refs = died->started.items;
    tally t = {0};
    for (uint32_t i = 0; i < died->started.n; i++) {
        const plan *j = sc_plan_find(w, &refs[i].job);
        t.n_executing += refs[i].is_executing;
        t.n_on_loop += refs[i].is_on_loop;
        t.n_open += is_open(w, j, &refs[i]);
        t.n_calls += !j && refs[i].token.epoch == w->options.epoch;
    }
    for (uint32_t i = 0; i < died->started.n; i++) {
        plan *j = sc_plan_find(w, &refs[i].job);
        blame b = judge(died->death, &refs[i], &t);
        if (!j && b && refs[i].token.epoch == w->options.epoch)
            sc_calls_blame(w, refs[i].token.run, by);
        if (j && b == BLAME_YES && sc_retry_is_past(j, &refs[i].token))
            b = BLAME_MAYBE; // it may not have been handed out again
        if (!is_open(w, j, &refs[i]) || b == BLAME_NO || has_counted(died, i, &t))
            continue;
        uint8_t *n = &(b == BLAME_YES ? j->blames : j->maybes)[refs[i].index - j->first];
        *n = (uint8_t)(*n + by);
    }
}
