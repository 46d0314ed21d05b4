/* SPDX-License-Identifier: Apache-2.0 */
/* `seedcore cancel`: a job, or some of its tasks. */
#include <stdio.h>

#include "client/cli/cli.h"
#include "client/cli/job.h"
#include "client/cli/range.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"

struct cancel {
    sc_cli *cli;
    uint64_t first, n; /* n 0: all tasks */
};

static void
say(sc_cli *cli, const sc_job_status *job)
{
    char cancelled[SC_FORMAT_BYTES], total[SC_FORMAT_BYTES], running[SC_FORMAT_BYTES];

    sc_format_count(job->cancelled, cancelled);
    sc_format_count(job->total, total);
    sc_format_count(job->running, running);
    if (job->has_ended)
        sc_cli_say(cli, "job %s %s: %s of %s tasks cancelled", job->id, job->state, cancelled,
                   total);
    else
        sc_cli_say(cli, "job %s: %s of %s tasks cancelled, %s running", job->id, cancelled, total,
                   running);
}

static void
on_cancelled(void *arg, const sc_job_status *job, const sc_failure *why)
{
    struct cancel *c = arg;
    sc_cli *cli = c->cli;

    if (sc_cli_failed(cli, why))
        return;
    if (sc_args_has(&cli->args, SC_OPT_JSON))
        sc_job_json(job, &cli->out);
    else
        say(cli, job);
    sc_cli_end(cli, SC_EXIT_DONE);
}

/* The prefix that was typed names this one. */
static void
on_job(void *arg, const sc_job_status *job, const sc_failure *why)
{
    struct cancel *c = arg;

    if (sc_cli_failed(c->cli, why))
        return;
    sc_cli_refused(c->cli,
                   sc_client_cancel(c->cli->client, job->id, c->first, c->n, on_cancelled, c));
}

static int
run(sc_cli *cli)
{
    struct cancel c = {.cli = cli};
    sc_error err;
    int status;

    if (cli->args.n_words > 1 && sc_range_parse(cli->args.words[1], &c.first, &c.n, &err))
        return sc_cli_usage(cli, "%s", err.text);
    status = sc_cli_connect(cli);
    if (status)
        return status;
    sc_cli_ask_job(cli, cli->args.words[0], false, on_job, &c);
    return sc_cli_run(cli);
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
