/* SPDX-License-Identifier: Apache-2.0 */
/* `seedcore jobs`: the jobs that the coordinator knows, newest first. */
#include <string.h>

#include "base/clock.h"
#include "client/cli/cli.h"
#include "client/cli/job.h"
#include "client/cli/verbs.h"

struct jobs {
    sc_cli *cli;
    const char *state; // NULL: all
    bool is_json, has_some;
    sc_table table;
};

static void
on_job(void *arg, const sc_job_status *job, const sc_failure *why)
{
    struct jobs *j = arg;

    if (sc_cli_failed(j->cli, why))
        return;
    j->has_some = j->has_some || job;
    if (!job && !j->has_some)
        sc_cli_note(j->cli, "no %s%sjobs", j->state ? j->state : "", j->state ? " " : "");
    if (!job)
        sc_cli_end(j->cli, SC_EXIT_DONE);
    else if (j->is_json)
        sc_job_json(job, &j->cli->out);
    else
        sc_job_row(job, sc_clock_unix_ms(), &j->table);
}

static bool
is_state(const char *text)
{
    static const char *const states[] = {"open", "running", "succeeded", "failed", "cancelled"};

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (strcmp(states[i], text) == 0)
            return true;
    return false;
}

static int
run(sc_cli *cli)
{
    struct jobs j = {.cli = cli,
                     .state = sc_args_text(&cli->args, SC_OPT_STATE),
                     .is_json = sc_args_has(&cli->args, SC_OPT_JSON)};
    int64_t limit = 0;
    sc_error err = {0};
    int status;

    if (j.state && !is_state(j.state))
        return sc_cli_usage(
            cli, "--state: \"%s\" is not open, running, succeeded, failed or cancelled", j.state);
    if (sc_args_number(&cli->args, SC_OPT_LIMIT, "--limit", 1, 10000000, &limit, &err))
        return sc_cli_usage(cli, "%s", err.text);
    if ((status = sc_cli_connect(cli)))
        return status;
    sc_table_init(&j.table, sc_job_columns, SC_JOB_COLUMNS, &cli->term);
    sc_cli_refused(cli, sc_client_jobs(cli->client, j.state, (uint64_t)limit, on_job, &j));
    status = sc_cli_run(cli);
    sc_table_write(&j.table, &cli->out);
    sc_table_fini(&j.table);
    return status;
}

static const struct poptOption options[] = {
    SC_OPTION("state", SC_OPT_STATE, "only jobs in this state",
              "open|running|succeeded|failed|cancelled"),
    SC_OPTION("limit", SC_OPT_LIMIT, "at most so many, 1 to 10000000 (default: all)", "N"),
    POPT_TABLEEND,
};

const sc_verb sc_verb_jobs = {
    .name = "jobs",
    .summary = "list jobs, newest first",
    .arguments = "",
    .description = "Lists the jobs that the coordinator knows, the newest first. Jobs that are "
                   "still being uploaded are not shown.\n",
    .options = options,
    .settings = SC_VERB_CONNECTS,
    .has_json = true,
    .run = run,
};
