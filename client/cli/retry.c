/* SPDX-License-Identifier: Apache-2.0 */
/* `seedcore retry`: tasks of an ended job that are dead or cancelled are tried again. */
#include "client/cli/cli.h"
#include "client/cli/job.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"

static void
say(sc_cli *cli, const sc_job_status *job)
{
    char left[SC_FORMAT_BYTES], total[SC_FORMAT_BYTES];

    sc_format_count(job->queued + job->delayed + job->running, left);
    sc_format_count(job->total, total);
    sc_cli_say(cli, "job %s %s: %s of %s tasks to be tried again", job->id, job->state, left,
               total);
}

static void
on_retried(void *arg, const sc_job_status *job, const sc_failure *why)
{
    sc_cli *cli = arg;

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
    sc_cli *cli = arg;

    if (sc_cli_failed(cli, why))
        return;
    sc_cli_refused(cli, sc_client_retry(cli->client, job->id, sc_args_has(&cli->args, SC_OPT_DEAD),
                                        on_retried, cli));
}

static int
run(sc_cli *cli)
{
    int status = sc_cli_connect(cli);

    if (status)
        return status;
    sc_cli_ask_job(cli, cli->args.words[0], false, on_job, cli);
    return sc_cli_run(cli);
}

static const struct poptOption options[] = {
    SC_SWITCH("dead", SC_OPT_DEAD, "only dead tasks; cancelled ones stay so"),
    POPT_TABLEEND,
};

const sc_verb sc_verb_retry = {
    .name = "retry",
    .summary = "try dead and cancelled tasks of an ended job again",
    .arguments = "JOB",
    .description =
        "Tries the tasks of JOB that ended dead or cancelled again, from their first attempt on, "
        "as the job was submitted. The job has to have ended, and not to be volatile; what is done "
        "stays done. Returns at once: `seedcore wait JOB` waits until all have ended. `seedcore "
        "dead JOB` says why they are dead.\n"
        "\n"
        "  seedcore retry 018f --dead\n",
    .min_words = 1,
    .max_words = 1,
    .options = options,
    .settings = SC_VERB_CONNECTS,
    .has_json = true,
    .run = run,
};
