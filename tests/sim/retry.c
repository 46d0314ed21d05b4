/* SPDX-License-Identifier: Apache-2.0 */
/* Durable jobs that have ended and are tried again: clients ask for it, most often too early, and
 * each begins a new life when its coordinator writes so. What was judged of its tasks that ended
 * dead or cancelled is forgotten then. */
#include <errno.h>
#include <string.h>

#include "tests/sim/client.h"

enum {
    MAX_ASKED = 6, // times that it is asked for, of one job
    WAIT_MS = 3000,
};

/* ---- asking ---- */

// Who has asked asks again, whatever it was told.
static void
on_retried(sc_client_request *r, const sc_message *answer, const sc_failure *why)
{
    act *a = SC_CONTAINER(r, act, request);
    world *w = a->client->world;
    plan *j = a->plan;
    bool is_in_trouble = w->shape.is_journal_failing || w->shape.has_standby;
    const char *const allowed[] = {
        "closed", "wrong_state", w->shape.is_store_small ? "limit" : "closed",
        is_in_trouble ? "journal" : "closed",
        // by one who was deposed before it came
        w->shape.has_standby ? "unknown_job" : "closed",
        w->shape.is_store_failing ? sc_error_name(-EIO) : "closed", NULL};
    sc_act_done(a);
    if (!answer)
        sc_act_check_failure(a, why, allowed);
    else if (j->undone.dead_before == 0)
        sc_sim_fail(w, "job %u was said to be tried again, and is not", j->number);
    if (answer && !w->shape.is_restarts_only && sc_sim_random(w, 3) == 0)
        sc_client_cancel_later(a->client, j);
    if (answer || strcmp(why->code, "closed") != 0)
        sc_retry_later(w, j);
}

void
sc_retry_told(const process *p, uint64_t request)
{
    const world *w = p->world;
    const act *a;
    LIST_FOREACH(a, &p->acts, node)
        if (a->request.message.type == SC_MSG_RETRY && a->request.id == request &&
            (a->plan->undone.dead_before == 0 || a->plan->retry_write > w->host->n_written))
            sc_sim_fail(w, "job %u is said to be tried again before that is safe", a->plan->number);
}

static void
retry_now(world *w, event *e)
{
    plan *j = e->object;
    process *p = w->clients[e->number];
    if (p->is_dead)
        return;
    p->n_acts--;
    act *a = sc_act_new(p, j, SC_MSG_RETRY, on_retried);
    a->request.message.retry = (sc_retry){.job = j->id, .is_dead_only = sc_sim_random(w, 3) == 0};
    sc_act_start(a);
    sc_client_set_tick(p);
}

void
sc_retry_later(world *w, plan *j)
{
    process *p = w->clients[sc_sim_random(w, w->shape.n_clients)];
    if (!p || p->is_dead || j->n_asked == MAX_ASKED)
        return;
    j->n_asked++;
    p->n_acts++; // until it has asked
    sc_sim_after(w, (int64_t)sc_sim_random(w, WAIT_MS * US_A_MS), retry_now, j, p->number);
}

/* ---- a new life ---- */

// The task is tried again, as if it had never been.
static void
begin_again(plan *j, uint64_t place)
{
    j->blames[place] = j->maybes[place] = 0;
    j->starts[place] = 0;
    j->writes[place] = 0;
    j->handings[place].is_alone = false;
}

// Not one that is read again, or is written with the same marks as before.
static void
begin_life(world *w, plan *j)
{
    w->n_retries++;
    j->n_retries++;
    j->has_begun = j->is_cancelled = j->is_unwanted = false;
    j->retry_write = w->host->n_writes;
    // all that those before this coordinator gave, and still give where they do not know of it
    j->past = (sc_token){w->options.epoch, j->last.epoch == w->options.epoch ? j->last.run : 0};
}

void
sc_retry_noted(world *w, const sc_action *a)
{
    plan *j = sc_plan_find(w, &a->state.job);
    const sc_undone *undone = &a->state.state.undone;
    bool is_new = !w->host->is_replaying;
    if (!j || memcmp(undone, &j->undone, sizeof *undone) == 0)
        return;
    if (undone->dead_before < j->undone.dead_before ||
        undone->cancelled_before < j->undone.cancelled_before)
        sc_sim_fail(w, "what is tried again of job %u is forgotten", j->number);
    sc_history_retry(w->history, &j->id, undone->cancelled_before == j->undone.cancelled_before);
    j->undone = *undone;
    j->has_failed = false;
    for (uint64_t i = 0; i < j->n_tasks; i++) {
        const sc_model_result *r = sc_model_store_find(w->host->kept, &j->id, j->first + i);
        if (r)
            j->has_failed |= r->outcome != SC_DONE;
        else if (is_new)
            begin_again(j, i);
    }
    if (is_new)
        begin_life(w, j);
}

bool
sc_retry_is_past(const plan *j, const sc_token *token)
{
    return token->epoch < j->past.epoch ||
           (token->epoch == j->past.epoch && token->run <= j->past.run);
}
