/* SPDX-License-Identifier: Apache-2.0 */
/* `seedcore status`: one job, or the cluster as a whole. */
#include <stdio.h>

#include "client/cli/cli.h"
#include "client/cli/job.h"
#include "client/cli/reason.h"
#include "client/cli/status_text.h"
#include "client/cli/status_watch.h"
#include "client/cli/verbs.h"

/* What `status` shows of one job. */
struct status {
    sc_cli *cli;
    sc_status_view view;
    char job[SC_JOB_ID_TEXT];
    sc_reason reason;
};

static void
on_reason(void *arg, const char *text)
{
    struct status *s = arg;

    if (text)
        sc_status_reason(&s->view, text);
    sc_cli_end(s->cli, SC_EXIT_DONE);
}

static void
on_job(void *arg, const sc_job_status *job, const sc_failure *why)
{
    struct status *s = arg;
    sc_cli *cli = s->cli;
    sc_progress progress = {.label = ""};

    if (sc_cli_failed(cli, why))
        return;
    if (sc_args_has(&cli->args, SC_OPT_JSON)) {
        sc_job_progress_json(job, &cli->out);
        sc_cli_end(cli, SC_EXIT_DONE);
        return;
    }
    sc_progress_add(&progress, job->done + job->dead + job->cancelled, 0);
    sc_status_job(&s->view, job, &progress);
    snprintf(s->job, sizeof(s->job), "%s", job->id);
    s->reason = (sc_reason){.cli = cli, .job = s->job, .on_found = on_reason, .arg = s};
    if (job->dead > 0)
        sc_reason_find(&s->reason);
    else
        sc_cli_end(cli, SC_EXIT_DONE);
}

static void
on_cluster(void *arg, const sc_cluster_status *cluster, const sc_failure *why)
{
    struct status *s = arg;

    if (sc_cli_failed(s->cli, why))
        return;
    if (sc_args_has(&s->cli->args, SC_OPT_JSON))
        sc_status_cluster_json(cluster, &s->cli->out);
    else
        sc_status_cluster(&s->view, cluster);
    sc_cli_end(s->cli, SC_EXIT_DONE);
}

static int
run(sc_cli *cli)
{
    struct status s = {.cli = cli, .view = {&cli->term, &cli->out}};
    int status = sc_cli_connect(cli);

    if (status)
        return status;
    if (sc_args_has(&cli->args, SC_OPT_WATCH))
        return sc_status_watch(cli);
    if (cli->args.n_words > 0)
        sc_cli_ask_job(cli, cli->args.words[0], false, on_job, &s);
    else
        sc_cli_refused(cli, sc_client_cluster(cli->client, on_cluster, &s));
    return sc_cli_run(cli);
}

static const struct poptOption options[] = {
    SC_SWITCH("watch", SC_OPT_WATCH,
              "go on showing it: a job until it has ended, with the exit status of wait"),
    POPT_TABLEEND,
};

const sc_verb sc_verb_status = {
    .name = "status",
    .summary = "show a job, or the cluster",
    .arguments = "[JOB]",
    .description =
        "Shows one JOB (an id or a prefix of it that is unique); without JOB the cluster: "
        "coordinator, queue, workers, rates. Of a job's running tasks those that say how far they "
        "are are shown, too: 32 at most.\n"
        "\n"
        "With --watch it goes on: on a terminal it is drawn in place, elsewhere each change is a "
        "line. A job is watched until it has ended (exit status 0 if all its tasks are done, else "
        "1), the cluster until Ctrl-C, which ends only the watching (130). A coordinator that is "
        "lost meanwhile is looked for without limit.\n"
        "\n"
        "  seedcore status JOB --watch\n"
        "  seedcore status JOB --watch --json\n",
    .options = options,
    .max_words = 1,
    .settings = SC_VERB_CONNECTS,
    .has_json = true,
    .run = run,
};
