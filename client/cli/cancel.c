/* SPDX-License-Identifier: Apache-2.0 */
/* `seedcore cancel`: a job, or some of its tasks. */
#include <inttypes.h>
#include <stdio.h>

#include "client/cli/change.h"
#include "client/cli/range.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"

enum { TASKS_BYTES = 64 }; // two indexes of 20 digits

/* "tasks 3 to 7 of ", in front of the job; "" where all were asked for. */
static void
name_tasks(const sc_change *change, char *out, size_t size)
{
    *out = '\0';
    if (change->n == 1)
        snprintf(out, size, "task %" PRIu64 " of ", change->first);
    else if (change->n > 1)
        snprintf(out, size, "tasks %" PRIu64 " to %" PRIu64 " of ", change->first,
                 change->first + change->n - 1);
}

/* The counts are those of the whole job: of some of its tasks nobody keeps any. */
static void
say(const sc_change *change, const sc_job_status *job)
{
    char cancelled[SC_FORMAT_BYTES], total[SC_FORMAT_BYTES], running[SC_FORMAT_BYTES];
    char tasks[TASKS_BYTES];
    bool is_all = change->n == 0;

    sc_format_count(job->cancelled, cancelled);
    sc_format_count(job->total, total);
    sc_format_count(job->running, running);
    name_tasks(change, tasks, sizeof(tasks));
    if (is_all && job->has_ended)
        sc_cli_say(change->cli, "job %s %s: %s of %s tasks cancelled", job->id, job->state,
                   cancelled, total);
    else if (job->has_ended)
        sc_cli_say(change->cli,
                   "cancelling %sjob %s: it has ended (%s), in all %s of %s tasks are "
                   "cancelled",
                   tasks, job->id, job->state, cancelled, total);
    else
        sc_cli_say(change->cli, "%s%sjob %s: %s%s of %s tasks cancelled, %s running",
                   is_all ? "" : "cancelling ", tasks, job->id, is_all ? "" : "in all ", cancelled,
                   total, running);
}

static int
ask(sc_change *change, const char *job, sc_job_cb cb)
{
    return sc_client_cancel(change->cli->client, job, change->first, change->n, cb, change);
}

static int
run(sc_cli *cli)
{
    sc_change change = {.cli = cli, .ask = ask, .say = say};
    sc_error err;

    if (cli->args.n_words > 1 && sc_range_parse(cli->args.words[1], &change.first, &change.n, &err))
        return sc_cli_usage(cli, "%s", err.text);
    return sc_change_run(&change);
}

const sc_verb sc_verb_cancel = {
    .name = "cancel",
    .summary = "cancel a job, or some of its tasks",
    .arguments = "JOB [A-B]",
    .description =
        "Cancels the tasks A to B of JOB, or all of them. Those that wait end at once. Those that "
        "run are asked to end; where one has not after CANCEL_GRACE, its worker process is "
        "replaced, and what else ran there runs again. Returns at once: `seedcore wait JOB` waits "
        "until all have ended.\n"
        "\n"
        "  seedcore cancel 018f 1000-1999\n",
    .min_words = 1,
    .max_words = 2,
    .settings = SC_VERB_CONNECTS,
    .has_json = true,
    .run = run,
};
