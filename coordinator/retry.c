/* SPDX-License-Identifier: Apache-2.0 */
/* Trying again what ended dead or cancelled of a durable job that has ended. The journal is asked
 * for its tasks as if those had not ended, the job is opened again with what it answers, and one
 * write of its record makes it so: before it is safe the job has ended, after it it is open,
 * whatever dies in between. Part of the core. */
#include "coordinator/core_int.h"

#include <stdio.h>

/* ---- what is refused ---- */

static uint64_t
n_again(const job *j, bool is_dead_only)
{
    return j->dead + (is_dead_only ? 0 : j->cancelled);
}

// @return false where there is nothing to do, and why has been said
static bool
refuse_state(sc_core *core, peer *p, const sc_retry *m, const job *j)
{
    unsigned long long n = n_again(j, m->is_dead_only), cancelled = j->cancelled;
    if (!sc_job_has_ended(j->state))
        sc_core_refuse(core, p, m->request, SC_ESTATE,
                       "the job has not ended; %llu of its tasks could be tried again once it has",
                       n);
    else if (!j->number)
        sc_core_refuse(core, p, m->request, SC_ESTATE,
                       "the job is volatile: the payload of its tasks was not kept; submit it "
                       "again");
    else if (n == 0 && cancelled > 0)
        sc_core_refuse(core, p, m->request, SC_ESTATE,
                       "none of its tasks is dead; %llu are cancelled", cancelled);
    else if (n == 0)
        sc_core_refuse(core, p, m->request, SC_ESTATE,
                       "none of its tasks is dead or cancelled: there is nothing to try again");
    return !sc_job_has_ended(j->state) || !j->number || n == 0;
}

static bool
refuse_now(sc_core *core, peer *p, const sc_retry *m, job *j)
{
    char why[150];
    uint64_t n = n_again(j, m->is_dead_only);
    if (core->is_stopping)
        sc_core_refuse(core, p, m->request, SC_ESHUTDOWN, "the cluster is ending");
    else if (core->is_in_trouble)
        sc_core_refuse(core, p, m->request, SC_EJOURNAL,
                       "the journal cannot be written now: %s; try again later", core->trouble);
    else if (sc_parents_is_needed(j, why, sizeof why))
        sc_core_refuse(core, p, m->request, SC_ESTATE, "%s; try again when that has ended", why);
    else if (sc_parents_forbid(core, j, why, sizeof why))
        sc_core_refuse(core, p, m->request, SC_ESTATE, "%s: that one comes first", why);
    else if (j->position + n > UINT32_MAX) // positions have 32 bits in the journal
        sc_core_refuse(core, p, m->request, SC_ELIMIT,
                       "its tasks have ended %llu times, with these it were more than %u; submit "
                       "it again",
                       (unsigned long long)j->position, UINT32_MAX);
    else
        return false;
    return true;
}

// What the journal could not give, or could not be taken.
static void
refuse_all(sc_core *core, job *j, int code, bool is_read)
{
    char why[400];
    unsigned long long waiting = core->queue_bytes + core->call_bytes;
    if (code == SC_ELIMIT && is_read)
        snprintf(why, sizeof why,
                 "the queue has no room for its payload (%llu of %llu bytes wait); try again when "
                 "jobs have ended",
                 waiting, (unsigned long long)core->options.queue_max_bytes);
    else if (code == SC_ELIMIT)
        snprintf(why, sizeof why,
                 "its dead or cancelled tasks lie too scattered among the others (at most %d "
                 "stretches of those, over at most %d chunks of %d tasks); submit them again, as a "
                 "job of their own",
                 SC_RETRY_MAX_STRETCHES, SC_RETRY_MAX_CHUNKS, SC_CHUNK_MAX_TASKS);
    else
        snprintf(why, sizeof why, "%s", sc_error_text(code));
    for (watch *w = j->watches, *next; w; w = next) {
        next = w->job_next;
        if (!w->is_retry)
            continue;
        sc_core_refuse(core, w->peer, w->request, code, "the job cannot be tried again: %s", why);
        sc_watch_free(core, w);
    }
}

/* ---- the request ---- */

// Is it what was done last, and has been said again?
static bool
is_done(const job *j, const peer *p, const sc_retry *m)
{
    bool is_same = j->retried_by == p->instance && j->retry_request == m->request;
    return is_same || (j->undone.dead_before > 0 && n_again(j, m->is_dead_only) == 0);
}

static void
answer_when_safe(sc_core *core, peer *p, const sc_retry *m, job *j)
{
    if (sc_job_is_safe(core, j)) {
        sc_ask_job(core, p, m->request, j);
        return;
    }
    watch *w = sc_watch_new(core, p, j, m->request);
    if (!w)
        return;
    w->after = j->last_write;
    sc_core_news(core, j);
}

static void
ask_journal(sc_core *core, job *j, bool is_dead_only, const watch *w)
{
    sc_action a = {.type = SC_ACTION_GET_TASKS, .number = j->number};
    j->asked_by = w->peer->instance; // who may have to say it again, on another connection
    j->asked_request = w->request;
    j->asked = (sc_undone){j->position, is_dead_only ? j->undone.cancelled_before : j->position};
    a.tasks.job = j->id;
    a.tasks.undone = j->asked;
    a.tasks.after = j->last_write;
    core->emit(core->arg, &a);
}

void
sc_retry_take(sc_core *core, peer *p, const sc_retry *m)
{
    job *j = sc_jobs_find(core, &m->job);
    if (!j || j->state == SC_JOB_STAGED) {
        sc_core_refuse(core, p, m->request, SC_ENOJOB, "no such job");
        return;
    }
    bool is_asked = j->asked.dead_before > 0;
    if (!is_asked && is_done(j, p, m)) {
        answer_when_safe(core, p, m, j);
        return;
    }
    if (refuse_state(core, p, m, j) || refuse_now(core, p, m, j))
        return;
    if (is_asked && (j->asked.cancelled_before == j->position) == m->is_dead_only) {
        sc_core_refuse(core, p, m->request, SC_ESTATE,
                       "others of its tasks are about to be tried again: wait for those");
        return;
    }
    watch *w = sc_watch_new(core, p, j, m->request);
    if (!w)
        return;
    w->is_retry = true;
    if (!is_asked)
        ask_journal(core, j, m->is_dead_only, w);
}

/* ---- the journal's answer ---- */

// It is open again, with its marks; the write makes it so.
static void
reopened(sc_core *core, job *j)
{
    j->undone = j->asked;
    j->has_expired = false;
    sc_jobs_move(core, j, SC_JOB_RUNNING);
    sc_saved_put_state(core, j);
    for (watch *w = j->watches; w; w = w->job_next) {
        if (!w->is_retry)
            continue;
        w->is_retry = false;
        w->after = j->last_write;
    }
    j->retried_by = j->asked_by;
    j->retry_request = j->asked_request;
    sc_parents_link(core, j);
    sc_parents_settle(core, j);
    sc_parents_moved(core, j);
    sc_tasks_progress(core, j);
}

void
sc_core_tasks(sc_core *core, const sc_uuid *id, int status, const sc_saved_job *saved,
              const sc_saved_tasks *tasks, int64_t now_ms)
{
    core->now_ms = now_ms;
    job *j = sc_jobs_find(core, id);
    if (!j || j->asked.dead_before == 0)
        return; // it was forgotten
    int rc = status == 0 && core->is_in_trouble ? SC_EJOURNAL : status;
    if (rc == 0)
        rc = sc_restore_again(core, j, saved, tasks);
    if (rc == 0)
        reopened(core, j);
    else
        refuse_all(core, j, rc, status == 0);
    j->asked = (sc_undone){0};
}
