/* SPDX-License-Identifier: Apache-2.0 */
/* What workers and supervisors say of worker processes: that one is ready, that it drains, that it
 * died; and what becomes of its tasks when it is gone. Part of the core. */
#include "coordinator/core_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

void
sc_workers_ready(sc_core *core, peer *p, const sc_ready *m)
{
    worker *w = p->worker;
    if (w->state != WORKER_LISTING)
        return;
    sc_held_requeue_rest(core, w);
    sc_cancel_ask_again(core, w);
    if (m->is_draining) {
        w->state = WORKER_DRAINING;
        return;
    }
    sc_log_info("worker %s ready", p->name);
    sc_room_join(core, w);
    sc_ask_ready(core);
    sc_saved_listed(core);
}

void
sc_workers_heartbeat(sc_core *core, worker *w, const sc_heartbeat *m)
{
    w->running = m->running;
    w->waiting = m->waiting;
    if (m->is_draining)
        sc_room_leave(core, w);
}

// Which of its tasks had started, for those that may not be repeated.
static void
note_started(sc_core *core, worker *w, const sc_died *m)
{
    const sc_task_ref *started = m->started.items;
    for (run *r = w->runs; r; r = r->next)
        memset(&r->held, 0, sizeof r->held);
    for (uint32_t i = 0; i < m->started.n; i++) {
        sc_held_run one = {started[i].job, started[i].token, started[i].index, 1, true, 0, 0,
                           false};
        uint64_t offset = 0;
        run *r = sc_held_find_run(core, w, &one, &offset);
        if (r)
            bit_set(&r->held, (uint32_t)offset);
    }
    w->is_reported = true;
}

// The loop stood still: in the task that it was executing, or where nothing says which, in a
// callback of one of those that wait.
static bool
stalled(const sc_task_ref *task, uint32_t n_on_loop)
{
    return task->is_on_loop || (n_on_loop == 0 && !task->is_executing);
}

void
sc_workers_died(sc_core *core, const sc_died *m)
{
    static const char *const how[] = {"fault or exit", "stalled", "killed", "stopped"};
    peer *p = sc_peers_find_instance(core, m->instance);
    if (m->death == SC_DEATH_STOPPED && m->detail == 0 && m->started.n == 0)
        sc_log_info("worker %.*s has ended", (int)m->worker.len, m->worker.data);
    else
        sc_log_info("worker %.*s died: %s (%u), %u tasks had started", (int)m->worker.len,
                    m->worker.data, how[m->death], m->detail, m->started.n);
    const sc_task_ref *started = m->started.items;
    uint32_t n_executing = 0, n_on_loop = 0, n_open = 0;
    for (uint32_t i = 0; i < m->started.n; i++) {
        n_executing += started[i].is_executing;
        n_on_loop += started[i].is_on_loop;
        n_open += sc_poison_is_open(core, &started[i]); // of the others only the result is there
    }
    if (p && p->worker)
        note_started(core, p->worker, m);
    for (uint32_t i = 0; i < m->started.n; i++) {
        bool is_blamed = m->death == SC_DEATH_FAULT ? started[i].is_executing || n_executing == 0
                         : m->death == SC_DEATH_STALLED ? stalled(&started[i], n_on_loop)
                         : m->death == SC_DEATH_KILLED  ? n_open == 1
                                                        : false;
        if (is_blamed)
            sc_poison_blame(core, &started[i], m->instance);
    }
    if (p && p->worker)
        sc_peers_gone(core, p, "its process died");
}

/* ---- coming and going ---- */

// @return 0, SC_ELIMIT, SC_ENOMEM
int
sc_workers_new(sc_core *core, peer *p, const sc_hello *h)
{
    worker *w = sc_core_alloc(1, sizeof *w);
    if (!w)
        return SC_ENOMEM;
    w->peer = p;
    w->supervisor = h->supervisor;
    w->slots[SC_SLOT_ASYNC] = h->slots_async;
    w->slots[SC_SLOT_THREAD] = h->slots_thread;
    w->credit_tasks = h->credit_tasks;
    w->credit_bytes = h->credit_bytes;
    int rc = sc_room_offer(core, w, &h->handlers);
    if (rc < 0) {
        free(w);
        return rc;
    }
    p->worker = w;
    return 0;
}

// It said HELLO again: it gets nothing until it has listed what it holds.
void
sc_workers_relist(sc_core *core, worker *w)
{
    sc_room_leave(core, w);
    w->state = WORKER_LISTING;
    w->results_number = 0;
    sc_results_leave(core, w);
    w->is_recalling = false;
    for (run *r = w->runs; r; r = r->next)
        memset(&r->held, 0, sizeof r->held);
}

// May this task of a lost worker have started there? Where no supervisor can tell, all may have.
bool
sc_workers_may_have_started(const run *r, uint32_t offset)
{
    return !r->worker->is_reported || bit_get(&r->held, offset);
}

static void
give_up_call(sc_core *core, run *r, bool was_lost)
{
    call *c = r->call;
    bool was_started = was_lost && sc_workers_may_have_started(r, 0);
    sc_calls_note_lost(core, c, r->token.run);
    sc_runs_close(core, r);
    sc_calls_lost(core, c, was_started);
}

static void
give_up_tasks(sc_core *core, run *r, bool was_lost)
{
    job *j = r->chunk->job;
    bits left = r->left;
    sc_tasks_requeue_run(core, r, &left, was_lost);
    sc_runs_close(core, r);
    sc_tasks_progress(core, j);
}

// Its session has ended; what it was given goes elsewhere.
void
sc_workers_free(sc_core *core, worker *w, bool was_lost)
{
    sc_room_leave(core, w);
    w->offer->n_users--;
    for (run *r; (r = w->runs);)
        if (r->call)
            give_up_call(core, r, was_lost);
        else
            give_up_tasks(core, r, was_lost);
    sc_results_leave(core, w);
    free(w);
}
