/* SPDX-License-Identifier: Apache-2.0 */
/* Changing a job, see change.h. Called by cancel and retry. */
#include "client/cli/change.h"

#include "client/cli/job.h"

static void
on_changed(void *arg, const sc_job_status *job, const sc_failure *why)
{
    const sc_change *change = arg;
    sc_cli *cli = change->cli;

    if (sc_cli_failed(cli, why))
        return;
    if (sc_args_has(&cli->args, SC_OPT_JSON))
        sc_job_range_json(job, change->first, change->n, &cli->out);
    else
        change->say(change, job);
    sc_cli_end(cli, SC_EXIT_DONE);
}

/* The prefix that was typed names this one. */
static void
on_job(void *arg, const sc_job_status *job, const sc_failure *why)
{
    sc_change *change = arg;

    if (!sc_cli_failed(change->cli, why))
        sc_cli_refused(change->cli, change->ask(change, job->id, on_changed));
}

int
sc_change_run(sc_change *change)
{
    int status = sc_cli_connect(change->cli);

    if (status)
        return status;
    sc_cli_ask_job(change->cli, change->cli->args.words[0], false, on_job, change);
    return sc_cli_run(change->cli);
}
