/* SPDX-License-Identifier: Apache-2.0 */
/* `seedcore wait`: until jobs have ended. */
#include <limits.h>

#include "base/clock.h"
#include "client/cli/cli.h"
#include "client/cli/job.h"
#include "client/cli/reason.h"
#include "client/cli/verbs.h"
#include "client/cli/watch.h"

struct wait {
    sc_watch watch;
    size_t next; // job whose reason is looked for next
    sc_reason reason;
    int status;
};

static void say_reasons(struct wait *wait);

static void
on_reason(void *arg, const char *text)
{
    struct wait *wait = arg;

    sc_reason_say(&wait->reason, text);
    say_reasons(wait);
}

/* Of each job with dead tasks, one after the other. */
static void
say_reasons(struct wait *wait)
{
    const sc_watch *w = &wait->watch;

    for (; wait->next < w->n_jobs && w->jobs[wait->next].status.dead == 0; wait->next++)
        sc_reason_say_parent(w->cli, &w->jobs[wait->next].status);
    if (wait->next == w->n_jobs) {
        sc_cli_end(w->cli, wait->status);
        return;
    }
    wait->reason = (sc_reason){
        .cli = w->cli, .job = w->jobs[wait->next++].status.id, .on_found = on_reason, .arg = wait};
    sc_reason_find(&wait->reason);
}

static void
on_end(void *arg)
{
    struct wait *wait = arg;
    const sc_watch *w = &wait->watch;
    sc_cli *cli = w->cli;
    bool is_json = sc_args_has(&cli->args, SC_OPT_JSON), all_succeeded = true;
    sc_table table;

    sc_table_init(&table, sc_job_columns, SC_JOB_COLUMNS, &cli->term);
    for (size_t i = 0; i < w->n_jobs; i++) {
        const sc_job_status *job = &w->jobs[i].status;

        all_succeeded = all_succeeded && sc_job_succeeded(job);
        if (is_json)
            sc_job_json(job, &cli->out);
        else
            sc_job_row(job, sc_clock_unix_ms(), &table);
    }
    sc_table_write(&table, &cli->out);
    sc_table_fini(&table);
    sc_out_flush(&cli->out);
    wait->status = all_succeeded ? SC_EXIT_DONE : SC_EXIT_FAILED;
    say_reasons(wait);
}

static int
run(sc_cli *cli)
{
    struct wait wait = {0};
    int status = sc_cli_connect(cli);

    if (status)
        return status;
    sc_watch_start(&wait.watch, cli, (const char *const *)cli->args.words,
                   (size_t)cli->args.n_words, on_end, &wait);
    status = sc_cli_run(cli);
    sc_watch_fini(&wait.watch);
    return status;
}

const sc_verb sc_verb_wait = {
    .name = "wait",
    .summary = "wait until jobs have ended",
    .arguments = "JOB...",
    .description = "Waits until every JOB (an id or a prefix of it that is unique) has ended. Exit "
                   "status 0 if all their tasks are done, else 1. A coordinator that is lost "
                   "meanwhile is looked for without limit.\n",
    .min_words = 1,
    .max_words = INT_MAX,
    .settings = SC_VERB_CONNECTS,
    .has_json = true,
    .run = run,
};
