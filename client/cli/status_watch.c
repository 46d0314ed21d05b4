/* SPDX-License-Identifier: Apache-2.0 */
/* Watching, see status_watch.h. Called by the verb. Whoever reads stdout slowly is not waited for:
 * what happens meanwhile is left out, and the next line says how it is then. */
#include "client/cli/status_watch.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/cli/frame.h"
#include "client/cli/job.h"
#include "client/cli/reason.h"
#include "client/cli/status_text.h"
#include "client/cli/watch.h"

enum { CLUSTER_MS = 1000 }; // its rates are of whole seconds, and adding its jobs up is work

struct status_watch {
    sc_cli *cli;
    bool is_drawn; // in place
    sc_frame frame;
    sc_out text, last; // JSON of what is to be shown, and of what was
    const char *jobs[1];
    sc_watch watch;
    sc_progress progress;
    sc_reason reason;
    uv_timer_t timer; // of the cluster
};

/* ---- stdout ---- */

/* @return false where its reader is behind, or gone (then the command has ended) */
static bool
has_room(struct status_watch *w)
{
    if (!sc_out_drain(&w->cli->out))
        return false;
    if (w->cli->out.error)
        sc_cli_end(w->cli, SC_EXIT_DONE); // whoever closes it says what is wrong
    return !w->cli->out.error;
}

/* Is the JSON in `text` not what was shown last? Then it is now. */
static bool
is_news(struct status_watch *w)
{
    sc_out last = w->last;

    if (w->text.buffer.len == last.buffer.len &&
        memcmp(w->text.buffer.data, last.buffer.data, last.buffer.len) == 0)
        return false;
    w->last = w->text;
    w->text = last;
    return true;
}

/* ---- a job ---- */

static void
show_job(struct status_watch *w, const sc_job_status *job, bool is_last)
{
    sc_status_view view = {&w->cli->term, &w->text};
    sc_out *o = &w->cli->out;

    sc_buffer_clear(&w->text.buffer);
    if (w->is_drawn) {
        sc_term_init(&w->cli->term, STDOUT_FILENO); // the window may have another size now
        sc_status_job(&view, job, &w->progress);
        sc_frame_draw(&w->frame, &w->text, is_last);
        return;
    }
    sc_job_progress_json(job, &w->text);
    if (!is_news(w))
        return;
    if (sc_args_has(&w->cli->args, SC_OPT_JSON))
        sc_out_add(o, w->last.buffer.data, w->last.buffer.len);
    else
        sc_status_job_line(job, sc_clock_unix_ms(), o);
}

static void
on_state(void *arg, const sc_job_status *job)
{
    struct status_watch *w = arg;

    if (!has_room(w))
        return;
    sc_progress_add(&w->progress, job->done + job->dead + job->cancelled,
                    (int64_t)uv_now(&w->cli->loop));
    show_job(w, job, false);
    has_room(w);
}

static void
end_job(struct status_watch *w)
{
    bool succeeded = sc_job_succeeded(&w->watch.jobs[0].status);

    sc_cli_end(w->cli, succeeded ? SC_EXIT_DONE : SC_EXIT_FAILED);
}

static void
on_reason(void *arg, const char *text)
{
    struct status_watch *w = arg;

    sc_reason_say(&w->reason, text);
    end_job(w);
}

static void
on_end(void *arg)
{
    struct status_watch *w = arg;
    const sc_job_status *job = &w->watch.jobs[0].status;

    show_job(w, job, true);
    has_room(w);
    w->reason = (sc_reason){.cli = w->cli, .job = job->id, .on_found = on_reason, .arg = w};
    if (job->dead > 0)
        sc_reason_find(&w->reason);
    else
        end_job(w);
}

/* ---- the cluster ---- */

static void on_cluster(void *arg, const sc_cluster_status *c, const sc_failure *why);

static void
ask_cluster(uv_timer_t *timer)
{
    struct status_watch *w = timer->data;

    if (has_room(w))
        sc_cli_refused(w->cli, sc_client_cluster(w->cli->client, on_cluster, w));
    else if (!w->cli->is_ended)
        uv_timer_start(timer, ask_cluster, CLUSTER_MS, 0);
}

static void
show_cluster(struct status_watch *w, const sc_cluster_status *c)
{
    sc_status_view view = {&w->cli->term, &w->text};
    sc_out *o = &w->cli->out;

    sc_buffer_clear(&w->text.buffer);
    if (w->is_drawn) {
        sc_term_init(&w->cli->term, STDOUT_FILENO);
        sc_status_cluster(&view, c);
        sc_frame_draw(&w->frame, &w->text, false);
        return;
    }
    sc_status_cluster_json(c, &w->text);
    if (!is_news(w))
        return;
    if (sc_args_has(&w->cli->args, SC_OPT_JSON))
        sc_out_add(o, w->last.buffer.data, w->last.buffer.len);
    else
        sc_status_cluster_line(c, o);
}

static void
on_cluster(void *arg, const sc_cluster_status *c, const sc_failure *why)
{
    struct status_watch *w = arg;

    if (sc_cli_failed(w->cli, why))
        return;
    w->cli->is_patient = true;
    show_cluster(w, c);
    has_room(w);
    uv_timer_start(&w->timer, ask_cluster, CLUSTER_MS, 0);
}

int
sc_status_watch(sc_cli *cli)
{
    struct status_watch w = {.cli = cli, .progress.label = ""};
    int status;

    w.is_drawn = cli->term.is_terminal && !sc_args_has(&cli->args, SC_OPT_JSON);
    sc_frame_init(&w.frame, cli);
    sc_out_init(&w.text);
    sc_out_init(&w.last);
    uv_timer_init(&cli->loop, &w.timer);
    w.timer.data = &w;
    if (cli->args.n_words > 0) {
        w.jobs[0] = cli->args.words[0];
        sc_watch_start(&w.watch, cli, w.jobs, 1, on_end, &w);
        sc_watch_follow(&w.watch, on_state);
    } else {
        ask_cluster(&w.timer);
    }
    status = sc_cli_run(cli);
    sc_watch_fini(&w.watch);
    sc_out_fini(&w.text);
    sc_out_fini(&w.last);
    return status;
}
