/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for jobs, see watch.h. Called by wait, submit, status and energy. */
#include "client/cli/watch.h"

#include <stdlib.h>

#include "client/cli/job.h"

enum { REDRAW_MS = 100 };

static void
keep(sc_watched *w, const sc_job_status *job)
{
    sc_job_release(&w->status);
    w->status = sc_job_keep(job);
}

static void
draw(sc_watch *w)
{
    uint64_t total = 0, ended = 0;
    sc_out line;

    for (size_t i = 0; i < w->n_jobs; i++) {
        const sc_job_status *job = &w->jobs[i].status;

        total += job->total;
        ended += job->done + job->dead + job->cancelled;
    }
    sc_progress_add(&w->progress, ended, (int64_t)uv_now(&w->cli->loop));
    sc_out_init(&line);
    sc_progress_draw(&w->progress, "task", total, &w->cli->term_error, &line);
    sc_cli_progress(w->cli, &line);
    sc_out_fini(&line);
}

static void
on_answer(void *arg, const sc_job_status *job, const sc_failure *why)
{
    sc_watched *w = arg;

    w->watch->n_asked--;
    if (w->watch->cli->is_ended || why || w->status.has_ended)
        return; // the request that waits for the end tells what is wrong
    keep(w, job);
    if (w->watch->on_state)
        w->watch->on_state(w->watch->arg, job);
    else if (w->watch->n_asked == 0)
        draw(w->watch);
}

/* By its whole id where that is known: a prefix is looked for among all jobs. */
static const char *
best_name(const sc_watched *w)
{
    return *w->status.id ? w->status.id : w->job;
}

/* Asks how far the jobs are, unless the last answers are still missing. */
static void
on_timer(uv_timer_t *timer)
{
    sc_watch *w = timer->data;

    if (w->cli->is_ended || w->n_asked > 0)
        return;
    for (size_t i = 0; i < w->n_jobs; i++)
        if (!w->jobs[i].status.has_ended && sc_client_job(w->cli->client, best_name(&w->jobs[i]),
                                                          false, on_answer, &w->jobs[i]) == 0)
            w->n_asked++;
}

static void
on_ended(void *arg, const sc_job_status *job, const sc_failure *why)
{
    sc_watched *watched = arg;
    sc_watch *w = watched->watch;

    w->cli->job = watched->job;
    if (sc_cli_failed(w->cli, why))
        return;
    keep(watched, job);
    if (++w->n_ended < w->n_jobs)
        return;
    uv_timer_stop(&w->timer);
    sc_cli_progress(w->cli, NULL);
    w->cli->on_interrupt = NULL;
    w->on_end(w->arg);
}

static void
on_interrupt(void *arg)
{
    sc_watch *w = arg;
    sc_out jobs;

    sc_out_init(&jobs);
    for (size_t i = 0; i < w->n_jobs; i++)
        if (!w->jobs[i].status.has_ended)
            sc_out_printf(&jobs, "%s%s", jobs.buffer.len ? " " : "", w->jobs[i].job);
    sc_out_add(&jobs, "", 1);
    sc_cli_interrupted(w->cli, jobs.error ? "JOB" : (const char *)jobs.buffer.data);
    sc_out_fini(&jobs);
}

void
sc_watch_start(sc_watch *watch, sc_cli *cli, const char *const *jobs, size_t n_jobs,
               void (*on_end)(void *arg), void *arg)
{
    *watch = (sc_watch){.cli = cli, .n_jobs = n_jobs, .on_end = on_end, .arg = arg};
    watch->progress.label = "running";
    uv_timer_init(&cli->loop, &watch->timer);
    watch->timer.data = watch;
    cli->is_patient = true;
    cli->on_interrupt = on_interrupt;
    cli->arg = watch;
    watch->jobs = calloc(n_jobs, sizeof(*watch->jobs));
    if (sc_cli_refused(cli, watch->jobs ? 0 : SC_ENOMEM))
        return;
    for (size_t i = 0; i < n_jobs; i++) {
        watch->jobs[i].watch = watch;
        watch->jobs[i].job = jobs[i];
        sc_cli_ask_job(cli, jobs[i], true, on_ended, &watch->jobs[i]);
    }
    if (cli->term_error.is_terminal)
        uv_timer_start(&watch->timer, on_timer, REDRAW_MS, REDRAW_MS);
}

void
sc_watch_follow(sc_watch *watch, void (*on_state)(void *arg, const sc_job_status *job))
{
    watch->on_state = on_state;
    uv_timer_start(&watch->timer, on_timer, 0, REDRAW_MS);
}

void
sc_watch_fini(sc_watch *watch)
{
    for (size_t i = 0; watch->jobs && i < watch->n_jobs; i++)
        sc_job_release(&watch->jobs[i].status);
    free(watch->jobs);
    watch->jobs = NULL;
}
