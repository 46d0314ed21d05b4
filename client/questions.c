/* SPDX-License-Identifier: Apache-2.0 */
/* Questions: jobs, workers, handlers, the cluster and its end. Behind client/seedcore.h. A list
 * comes in several answers; each is asked for when the one before has been handed out, so nothing
 * of it is kept. */
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "client/client_int.h"

// The three kinds of list are read as one.
_Static_assert(offsetof(sc_jobs, jobs) == offsetof(sc_workers, workers) &&
                   offsetof(sc_jobs, jobs) == offsetof(sc_handlers, handlers) &&
                   offsetof(sc_jobs, has_more) == offsetof(sc_workers, has_more) &&
                   offsetof(sc_jobs, has_more) == offsetof(sc_handlers, has_more),
               "answers with a list are laid out alike");

static void on_list(sc_client_request *base, const sc_message *answer, const sc_failure *why);

/* ---- one item ---- */

static void
hand_out_job(sc_client_ask *ask, const sc_job_info *info, const sc_list *parents,
             const sc_list *progress)
{
    char name[SC_LABEL_MAX + 1], handler[SC_NAME_MAX + 1], key[SC_LABEL_MAX + 1];
    const sc_parent *parent = parents->items;
    const sc_progress_row *rows = progress->items;
    sc_parent_status after[SC_MAX_PARENTS];
    sc_task_report reports[SC_PROGRESS_A_JOB];
    sc_job_status job = {
        .name = sc_text_copy(info->name, name, sizeof name),
        .handler = sc_text_copy(info->handler, handler, sizeof handler),
        .key = sc_text_copy(info->key, key, sizeof key),
        .state = sc_job_state_name(info->state),
        .has_ended = sc_job_has_ended(info->state),
        .priority = (int)info->priority,
        .total = info->total,
        .queued = info->queued,
        .delayed = info->delayed,
        .running = info->running,
        .done = info->done,
        .dead = info->dead,
        .cancelled = info->cancelled,
        .submitted_at = info->submitted_at,
        .ended_at = info->ended_at,
        .after = after,
        .n_after = parents->n,
        .on_any = info->on_any,
        .is_unoffered = info->is_unoffered,
        .is_retried = info->is_retried,
        .n_reporting = info->n_reporting,
        .reports = reports,
        .n_reports = progress->n,
    };

    for (uint32_t i = 0; i < parents->n; i++) {
        sc_uuid_format(&parent[i].job, after[i].id);
        after[i].state =
            parent[i].state == SC_JOB_STAGED ? "forgotten" : sc_job_state_name(parent[i].state);
    }
    for (uint32_t i = 0; i < progress->n; i++)
        reports[i] = (sc_task_report){rows[i].index, rows[i].n, rows[i].of};
    sc_uuid_format(&info->id, job.id);
    ask->cb.job(ask->arg, &job, NULL);
}

static void
hand_out_worker(sc_client_ask *ask, const sc_worker_info *info)
{
    char name[SC_NAME_MAX + 1], host[SC_NAME_MAX + 1], state[SC_NAME_MAX + 1];
    sc_worker_status worker = {
        .worker = sc_text_copy(info->name, name, sizeof name),
        .host = sc_text_copy(info->host, host, sizeof host),
        .state = sc_text_copy(info->state, state, sizeof state),
        .pid = info->pid,
        .slots_async = info->slots_async,
        .slots_thread = info->slots_thread,
        .credit = info->credit,
        .running = info->running,
        .waiting = info->waiting,
        .done = info->done,
    };

    ask->cb.worker(ask->arg, &worker, NULL);
}

static void
hand_out_handler(sc_client_ask *ask, const sc_handler_info *info)
{
    char name[SC_NAME_MAX + 1], description[SC_DESCRIPTION_MAX + 1];
    sc_handler_status handler = {
        .handler = sc_text_copy(info->name, name, sizeof name),
        .description = sc_text_copy(info->description, description, sizeof description),
        .workers = info->workers,
    };

    ask->cb.handler(ask->arg, &handler, NULL);
}

static void
hand_out(sc_client_ask *ask, const sc_list *list, uint32_t i)
{
    static const sc_list none;

    switch (ask->base.message.ask.what) {
    case SC_ASK_WORKERS:
        hand_out_worker(ask, (const sc_worker_info *)list->items + i);
        break;
    case SC_ASK_HANDLERS:
        hand_out_handler(ask, (const sc_handler_info *)list->items + i);
        break;
    default:
        hand_out_job(ask, (const sc_job_info *)list->items + i, &none, &none);
        break;
    }
}

/* ---- lists ---- */

static void
end_list(sc_client_ask *ask, const sc_failure *why)
{
    ask->is_over = true;
    switch (ask->base.message.ask.what) {
    case SC_ASK_WORKERS:
        ask->cb.worker(ask->arg, NULL, why);
        break;
    case SC_ASK_HANDLERS:
        ask->cb.handler(ask->arg, NULL, why);
        break;
    default:
        ask->cb.job(ask->arg, NULL, why);
        break;
    }
}

void
sc_client_list_close(sc_client *client)
{
    sc_failure closed = sc_client_failure(SC_ECLOSED);

    if (client->listing)
        end_list(client->listing, &closed);
    client->listing = NULL;
}

// Asks for what follows. @return 0, or why that cannot be asked
static int
ask_on(sc_client_ask *ask, const sc_list *list)
{
    sc_ask *question = &ask->base.message.ask;
    int rc;

    if (question->what == SC_ASK_JOBS)
        question->job = ((const sc_job_info *)list->items)[list->n - 1].id;
    else
        question->offset += list->n;
    question->wait = false;
    rc = sc_client_session_start(ask->client->session, &ask->base, sc_clock_ms());
    sc_client_arm(ask->client);
    return rc;
}

static void
on_list(sc_client_request *base, const sc_message *answer, const sc_failure *why)
{
    sc_client_ask *ask = sc_client_ask_of(base);
    const sc_list *list = answer ? &answer->jobs.jobs : NULL;
    sc_failure failure;

    ask->client->listing = ask;
    for (uint32_t i = 0; list && i < list->n && ask->left > 0 && !ask->is_over; i++) {
        ask->left--;
        hand_out(ask, list, i);
    }
    ask->client->listing = NULL;
    if (list && answer->jobs.has_more && list->n > 0 && ask->left > 0 && !ask->is_over) {
        int rc = ask_on(ask, list);

        if (rc == 0)
            return;
        failure = sc_client_failure(rc);
        why = &failure;
    }
    if (!ask->is_over)
        end_list(ask, why);
    sc_client_ask_free(ask);
}

static sc_client_ask *
new_question(sc_client *client, sc_ask ask, void *arg)
{
    sc_client_ask *a = sc_client_ask_new(client, arg, 0);

    if (!a)
        return NULL;
    a->base.message = (sc_message){.type = SC_MSG_ASK, .ask = ask};
    a->base.on_end = on_list;
    a->left = UINT64_MAX;
    return a;
}

int
sc_client_jobs(sc_client *client, const char *state, uint64_t limit, sc_job_cb cb, void *arg)
{
    sc_ask question = {.what = SC_ASK_JOBS};
    sc_client_ask *ask;

    for (uint32_t i = 0; state && i < SC_N_JOB_STATES; i++)
        if (strcmp(state, sc_job_state_name(i)) == 0)
            question.states = 1u << i;
    if (state && question.states == 0)
        return -EINVAL;
    ask = new_question(client, question, arg);
    if (!ask)
        return -ENOMEM;
    ask->cb.job = cb;
    ask->left = limit ? limit : UINT64_MAX;
    return sc_client_ask_start(ask);
}

int
sc_client_workers(sc_client *client, sc_worker_cb cb, void *arg)
{
    sc_client_ask *ask = new_question(client, (sc_ask){.what = SC_ASK_WORKERS}, arg);

    if (!ask)
        return -ENOMEM;
    ask->cb.worker = cb;
    return sc_client_ask_start(ask);
}

int
sc_client_handlers(sc_client *client, bool wait, sc_handler_cb cb, void *arg)
{
    sc_client_ask *ask = new_question(client, (sc_ask){.what = SC_ASK_HANDLERS, .wait = wait}, arg);

    if (!ask)
        return -ENOMEM;
    ask->cb.handler = cb;
    return sc_client_ask_start(ask);
}

/* ---- one job, the cluster, its end ---- */

static void
on_job(sc_client_request *base, const sc_message *answer, const sc_failure *why)
{
    sc_client_ask *ask = sc_client_ask_of(base);
    sc_failure malformed = sc_client_failure(SC_EMALFORMED);

    if (answer && answer->jobs.jobs.n == 1)
        hand_out_job(ask, answer->jobs.jobs.items, &answer->jobs.after, &answer->jobs.progress);
    else
        ask->cb.job(ask->arg, NULL, why ? why : &malformed);
    sc_client_ask_free(ask);
}

int
sc_client_job(sc_client *client, const char *job, bool wait, sc_job_cb cb, void *arg)
{
    sc_ask question = {.what = SC_ASK_JOB, .wait = wait};
    unsigned n_digits;
    sc_client_ask *ask;

    if (!sc_uuid_parse_prefix(job, strlen(job), &question.job, &n_digits))
        return -EINVAL;
    question.n_digits = n_digits;
    ask = new_question(client, question, arg);
    if (!ask)
        return -ENOMEM;
    ask->cb.job = cb;
    ask->base.on_end = on_job;
    return sc_client_ask_start(ask);
}

int
sc_client_cancel(sc_client *client, const char *job, uint64_t first, uint64_t n, sc_job_cb cb,
                 void *arg)
{
    sc_cancel cancel = {.first = first, .count = n};
    sc_client_ask *ask;

    if (!sc_uuid_parse(job, strlen(job), &cancel.job))
        return -EINVAL;
    ask = sc_client_ask_new(client, arg, 0);
    if (!ask)
        return -ENOMEM;
    ask->cb.job = cb;
    ask->base.message = (sc_message){.type = SC_MSG_CANCEL, .cancel = cancel};
    ask->base.on_end = on_job;
    return sc_client_ask_start(ask);
}

int
sc_client_retry(sc_client *client, const char *job, bool is_dead_only, sc_job_cb cb, void *arg)
{
    sc_retry retry = {.is_dead_only = is_dead_only};
    sc_client_ask *ask;

    if (!sc_uuid_parse(job, strlen(job), &retry.job))
        return -EINVAL;
    ask = sc_client_ask_new(client, arg, 0);
    if (!ask)
        return -ENOMEM;
    ask->cb.job = cb;
    ask->base.message = (sc_message){.type = SC_MSG_RETRY, .retry = retry};
    ask->base.on_end = on_job;
    return sc_client_ask_start(ask);
}

static void
on_cluster(sc_client_request *base, const sc_message *answer, const sc_failure *why)
{
    sc_client_ask *ask = sc_client_ask_of(base);
    char version[SC_NAME_MAX + 1], host[SC_NAME_MAX + 1];
    const sc_cluster *from = answer ? &answer->cluster : NULL;
    sc_cluster_status cluster;

    if (from)
        cluster = (sc_cluster_status){
            .endpoint = sc_client_endpoint(ask->client),
            .version = sc_text_copy(from->version, version, sizeof version),
            .host = sc_text_copy(from->host, host, sizeof host),
            .pid = from->pid,
            .started_at = from->started_at,
            .workers = from->workers,
            .clients = from->clients,
            .jobs = from->jobs,
            .jobs_open = from->jobs_open,
            .queued = from->queued,
            .delayed = from->delayed,
            .running = from->running,
            .done = from->done,
            .dead = from->dead,
            .cancelled = from->cancelled,
            .calls_running = from->calls_running,
            .calls_done = from->calls_done,
            .started_per_s = from->started_per_s,
            .ended_per_s = from->ended_per_s,
            .memory_bytes = from->memory_bytes,
            .spill_bytes = from->spill_bytes,
            .refused = from->refused,
            .malformed = from->malformed,
            .unknown_results = from->unknown_results,
            .peers_lost = from->peers_lost,
        };
    ask->cb.cluster(ask->arg, from ? &cluster : NULL, why);
    sc_client_ask_free(ask);
}

int
sc_client_cluster(sc_client *client, sc_cluster_cb cb, void *arg)
{
    sc_client_ask *ask = new_question(client, (sc_ask){.what = SC_ASK_CLUSTER}, arg);

    if (!ask)
        return -ENOMEM;
    ask->cb.cluster = cb;
    ask->base.on_end = on_cluster;
    return sc_client_ask_start(ask);
}

static void
on_stopping(sc_client_request *base, const sc_message *answer, const sc_failure *why)
{
    sc_client_ask *ask = sc_client_ask_of(base);
    char host[SC_NAME_MAX + 1];
    uint64_t pids[SC_MAX_PEERS];
    uint32_t n_pids = 0;

    if (answer) {
        const sc_process *processes = answer->stopping.processes.items;

        for (; n_pids < answer->stopping.processes.n && n_pids < SC_MAX_PEERS; n_pids++)
            pids[n_pids] = processes[n_pids].pid;
        sc_text_copy(answer->stopping.host, host, sizeof host);
    }
    ask->cb.stop(ask->arg, answer ? host : NULL, pids, n_pids, why);
    sc_client_ask_free(ask);
}

int
sc_client_stop(sc_client *client, sc_stop_cb cb, void *arg)
{
    sc_client_ask *ask = sc_client_ask_new(client, arg, 0);

    if (!ask)
        return -ENOMEM;
    ask->cb.stop = cb;
    ask->base.message = (sc_message){.type = SC_MSG_STOP};
    ask->base.on_end = on_stopping;
    return sc_client_ask_start(ask);
}

static void
on_draining(sc_client_request *base, const sc_message *answer, const sc_failure *why)
{
    sc_client_ask *ask = sc_client_ask_of(base);

    ask->cb.drain(ask->arg, answer ? answer->draining.n_processes : 0, why);
    sc_client_ask_free(ask);
}

int
sc_client_drain(sc_client *client, const char *name, sc_drain_cb cb, void *arg)
{
    size_t len = strlen(name);
    sc_client_ask *ask;

    if (len == 0 || len > SC_NAME_MAX)
        return -EINVAL;
    ask = sc_client_ask_new(client, arg, len);
    if (!ask)
        return -ENOMEM;
    memcpy(ask->texts, name, len);
    ask->cb.drain = cb;
    ask->base.message =
        (sc_message){.type = SC_MSG_DRAIN, .drain = {.name = {ask->texts, (uint32_t)len}}};
    ask->base.on_end = on_draining;
    return sc_client_ask_start(ask);
}
