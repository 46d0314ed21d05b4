/* SPDX-License-Identifier: Apache-2.0 */
/* `seedcore retry`: tasks of an ended job that are dead or cancelled are tried again. */
#include "client/cli/change.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"

static void
say(const sc_change *change, const sc_job_status *job)
{
    char left[SC_FORMAT_BYTES], total[SC_FORMAT_BYTES];

    sc_format_count(job->queued + job->delayed + job->running, left);
    sc_format_count(job->total, total);
    sc_cli_say(change->cli, "job %s %s: %s of %s tasks to be tried again", job->id, job->state,
               left, total);
}

static int
ask(sc_change *change, const char *job, sc_job_cb cb)
{
    bool is_dead_only = sc_args_has(&change->cli->args, SC_OPT_DEAD);

    return sc_client_retry(change->cli->client, job, is_dead_only, cb, change);
}

static int
run(sc_cli *cli)
{
    sc_change change = {.cli = cli, .ask = ask, .say = say};

    return sc_change_run(&change);
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
