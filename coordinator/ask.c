/* SPDX-License-Identifier: Apache-2.0 */
/* Questions: what is there, and how is it. Long lists go out in several messages, each asked for.
 * Part of the core. */
#include "coordinator/core_int.h"

#include <stdlib.h>
#include <string.h>

enum { JOBS_A_MESSAGE = 128, WORKERS_A_MESSAGE = 128, HANDLERS_A_MESSAGE = 128 };

/* ---- watches ---- */

watch *
sc_watch_new(sc_core *core, peer *p, job *j, uint64_t request)
{
    watch *w = sc_slab_new(&core->watch_slab);
    if (!w) {
        sc_core_refuse(core, p, request, SC_ELIMIT,
                       "too many clients wait for something already (65536)");
        return NULL;
    }
    w->peer = p;
    w->job = j;
    w->request = request;
    DL_APPEND2(p->watches, w, peer_prev, peer_next);
    if (j)
        DL_APPEND2(j->watches, w, job_prev, job_next);
    else
        DL_APPEND2(core->watches, w, job_prev, job_next);
    core->n_watches++;
    return w;
}

void
sc_watch_free(sc_core *core, watch *w)
{
    DL_DELETE2(w->peer->watches, w, peer_prev, peer_next);
    if (w->job)
        DL_DELETE2(w->job->watches, w, job_prev, job_next);
    else
        DL_DELETE2(core->watches, w, job_prev, job_next);
    core->n_watches--;
    sc_slab_free(&core->watch_slab, w);
}

/* ---- jobs ---- */

// The end of a durable job is told once it is safe.
sc_job_state
sc_ask_told_state(const sc_core *core, const job *j)
{
    return sc_job_has_ended(j->state) && !sc_job_is_safe(core, j) ? SC_JOB_RUNNING : j->state;
}

static sc_job_info
info_of(const sc_core *core, const job *j)
{
    return (sc_job_info){.id = j->id,
                         .name = sc_text_of(j->name),
                         .handler = sc_text_of(j->handler->name),
                         .state = sc_ask_told_state(core, j),
                         .priority = j->priority,
                         .total = j->n_tasks,
                         .queued = j->queued,
                         .delayed = j->delayed,
                         .running = j->running,
                         .done = j->done,
                         .dead = j->dead,
                         .cancelled = j->cancelled,
                         .submitted_at = j->submitted_at,
                         .ended_at = sc_job_has_ended(sc_ask_told_state(core, j)) ? j->ended_at : 0,
                         .key = sc_text_of(j->key ? j->key : ""),
                         .on_any = j->on_any,
                         .is_unoffered = j->handler->n_workers == 0,
                         .is_retried = j->undone.dead_before > 0,
                         .n_reporting = j->n_reports};
}

void
sc_ask_job(sc_core *core, peer *p, uint64_t request, const job *j)
{
    sc_parent after[SC_MAX_PARENTS];
    sc_progress_row rows[SC_PROGRESS_A_JOB];
    sc_job_info info = info_of(core, j);
    sc_message m = {.type = SC_MSG_JOBS};
    m.jobs = (sc_jobs){.request = request,
                       .jobs = {&info, 1},
                       .after = {after, sc_parents_list(core, j, after)},
                       .progress = {rows, sc_progress_fill(j, rows)}};
    sc_core_send(core, p, &m);
}

// The one job that a prefix names. @return SC_ENOJOB, SC_EAMBIGUOUS
static int
find_prefix(sc_core *core, const sc_ask *ask, job **out)
{
    *out = NULL;
    if (ask->n_digits == 32) {
        *out = sc_jobs_find(core, &ask->job);
        return *out && (*out)->state != SC_JOB_STAGED ? 0 : SC_ENOJOB;
    }
    for (job *j = core->jobs_by_age; j; j = j->order_next) {
        if (ask->n_digits == 0 || !sc_uuid_has_prefix(&j->id, &ask->job, ask->n_digits))
            continue;
        if (*out)
            return SC_EAMBIGUOUS;
        *out = j;
    }
    return *out ? 0 : SC_ENOJOB;
}

static void
ask_job(sc_core *core, peer *p, const sc_ask *ask)
{
    job *j = NULL;
    int rc = find_prefix(core, ask, &j);
    if (rc < 0) {
        sc_core_refuse(core, p, ask->request, rc,
                       rc == SC_ENOJOB
                           ? "no such job; it was forgotten after its time, or volatile "
                             "and lost with a coordinator, or never was"
                           : "several jobs begin like this; give more of the id");
        return;
    }
    if (!ask->wait || sc_job_has_ended(sc_ask_told_state(core, j)))
        sc_ask_job(core, p, ask->request, j);
    else if (sc_watch_new(core, p, j, ask->request) && sc_job_has_ended(j->state))
        sc_core_news(core, j);
}

static void
ask_jobs(sc_core *core, peer *p, const sc_ask *ask)
{
    static const sc_uuid nil;
    sc_job_info infos[JOBS_A_MESSAGE];
    uint32_t n = 0;
    bool is_first = memcmp(&ask->job, &nil, sizeof nil) == 0;
    job *newest =
        core->jobs_by_age ? core->jobs_by_age->order_prev : NULL; // DL: the head's prev is the tail
    job *from = is_first ? NULL : sc_jobs_find(core, &ask->job);
    if (!is_first && (!from || from->state == SC_JOB_STAGED)) {
        sc_core_refuse(core, p, ask->request, SC_ENOJOB,
                       "the list has changed; ask again from its start");
        return;
    }
    job *j = is_first ? newest : from == core->jobs_by_age ? NULL : from->order_prev;
    while (j && n < JOBS_A_MESSAGE) {
        if (ask->states == 0 || ask->states >> sc_ask_told_state(core, j) & 1)
            infos[n++] = info_of(core, j);
        j = j == core->jobs_by_age ? NULL : j->order_prev;
    }
    sc_message m = {.type = SC_MSG_JOBS};
    m.jobs = (sc_jobs){.request = ask->request, .has_more = j != NULL, .jobs = {infos, n}};
    sc_core_send(core, p, &m);
}

/* ---- workers, handlers ---- */

static int
by_peer_name(const void *a, const void *b)
{
    return strverscmp((*(peer *const *)a)->name, (*(peer *const *)b)->name);
}

static sc_worker_info
info_of_worker(const peer *p)
{
    const worker *w = p->worker;
    static const char *const states[] = {"listing", "ready", "draining"};
    return (sc_worker_info){.name = sc_text_of(p->name),
                            .host = sc_text_of(p->host),
                            .state = sc_text_of(states[w->state]),
                            .pid = p->pid,
                            .slots_async = w->slots[SC_SLOT_ASYNC],
                            .slots_thread = w->slots[SC_SLOT_THREAD],
                            .credit = w->credit_tasks,
                            .running = w->running,
                            .waiting = w->waiting,
                            .done = w->n_done};
}

static void
ask_workers(sc_core *core, peer *p, const sc_ask *ask)
{
    peer *peers[SC_MAX_PEERS];
    sc_worker_info infos[WORKERS_A_MESSAGE];
    uint32_t n_peers = 0, n = 0;
    for (peer *q = core->by_instance; q; q = q->by_instance.next)
        if (q->worker && q->worker->state != WORKER_LISTING)
            peers[n_peers++] = q;
    qsort(peers, n_peers, sizeof *peers, by_peer_name);
    for (uint32_t i = ask->offset; i < n_peers && n < WORKERS_A_MESSAGE; i++)
        infos[n++] = info_of_worker(peers[i]);
    sc_message m = {.type = SC_MSG_WORKERS};
    m.workers = (sc_workers){ask->request, n > 0 && ask->offset + n < n_peers, {infos, n}};
    sc_core_send(core, p, &m);
}

static int
by_handler_name(const void *a, const void *b)
{
    return strcmp((*(handler *const *)a)->name, (*(handler *const *)b)->name);
}

static void
answer_handlers(sc_core *core, peer *p, uint64_t request, uint32_t offset)
{
    handler *offered[SC_MAX_HANDLERS];
    sc_handler_info infos[HANDLERS_A_MESSAGE];
    uint32_t n_offered = 0, n = 0;
    for (uint32_t i = 0; i < core->n_handlers; i++)
        if (core->handlers[i]->n_workers)
            offered[n_offered++] = core->handlers[i];
    qsort(offered, n_offered, sizeof *offered, by_handler_name);
    for (uint32_t i = offset; i < n_offered && n < HANDLERS_A_MESSAGE; i++)
        infos[n++] = (sc_handler_info){sc_text_of(offered[i]->name),
                                       sc_text_of(offered[i]->description), offered[i]->n_workers};
    sc_message m = {.type = SC_MSG_HANDLERS};
    m.handlers = (sc_handlers){request, n > 0 && offset + n < n_offered, {infos, n}};
    sc_core_send(core, p, &m);
}

// The first worker is ready: those who waited for one are told what it offers.
void
sc_ask_ready(sc_core *core)
{
    while (core->watches) {
        watch *w = core->watches;
        answer_handlers(core, w->peer, w->request, 0);
        sc_watch_free(core, w);
    }
}

static void
refuse_ending(sc_core *core, peer *p, uint64_t request)
{
    sc_core_refuse(core, p, request, SC_ESHUTDOWN, "the cluster is ending");
}

// The cluster ends: no worker will be ready any more.
void
sc_ask_stopping(sc_core *core)
{
    while (core->watches) {
        refuse_ending(core, core->watches->peer, core->watches->request);
        sc_watch_free(core, core->watches);
    }
}

/* ---- every question ---- */

void
sc_ask_answer(sc_core *core, peer *p, const sc_ask *ask)
{
    sc_message m = {.type = SC_MSG_CLUSTER};
    switch (ask->what) {
    case SC_ASK_CLUSTER:
        sc_core_counters(core, &m.cluster);
        m.cluster.request = ask->request;
        sc_core_send(core, p, &m);
        break;
    case SC_ASK_JOB:
        ask_job(core, p, ask);
        break;
    case SC_ASK_JOBS:
        ask_jobs(core, p, ask);
        break;
    case SC_ASK_WORKERS:
        ask_workers(core, p, ask);
        break;
    case SC_ASK_HANDLERS:
        if (ask->wait && core->n_ready == 0 && core->is_stopping)
            refuse_ending(core, p, ask->request);
        else if (ask->wait && core->n_ready == 0)
            sc_watch_new(core, p, NULL, ask->request);
        else
            answer_handlers(core, p, ask->request, ask->offset);
        break;
    default:
        sc_core_refuse(core, p, ask->request, SC_EMALFORMED, "no such question");
    }
}
