/* SPDX-License-Identifier: Apache-2.0 */
/* `seedcore energy batch`: the energy of every system, one task each; table, extremes and plot. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "client/cli/cli.h"
#include "client/cli/energy_report.h"
#include "client/cli/feed.h"
#include "client/cli/reader.h"
#include "client/cli/verbs.h"
#include "client/cli/watch.h"

enum { MAX_TASK_BYTES = 64 };

struct batch {
    sc_cli *cli;
    sc_energy_report report;
    size_t next; // system whose task comes next
    char task[MAX_TASK_BYTES];
    char job[SC_JOB_ID_TEXT];
    const char *jobs[1];
    int64_t started_ms;
    sc_feed feed;
    sc_watch watch;
    sc_reader reader;
};

static void
on_row(void *arg, const sc_result_row *row)
{
    struct batch *b = arg;

    sc_cli_refused(b->cli, sc_energy_report_result(&b->report, row));
}

static void
on_read(void *arg)
{
    struct batch *b = arg;
    bool is_json = sc_args_has(&b->cli->args, SC_OPT_JSON);
    size_t n_failed;

    if (b->cli->is_ended)
        return;
    if (is_json)
        sc_energy_report_json(&b->report, &b->cli->out);
    else
        sc_energy_report_write(&b->report, &b->cli->term, &b->cli->out);
    n_failed = sc_energy_report_failed(&b->report);
    sc_out_flush(&b->cli->out); // before what is said of it
    if (n_failed > 0)
        sc_cli_say(b->cli, "%zu of %zu systems failed", n_failed, b->report.n_systems);
    sc_cli_end(b->cli, n_failed ? SC_EXIT_FAILED : SC_EXIT_DONE);
}

static void
on_end(void *arg)
{
    struct batch *b = arg;

    b->report.taken_ms = sc_clock_ms() - b->started_ms;
    b->reader = (sc_reader){.cli = b->cli,
                            .job = b->job,
                            .order = SC_BY_INDEX,
                            .on_row = on_row,
                            .on_end = on_read,
                            .arg = b};
    sc_reader_start(&b->reader);
}

static void
on_accepted(void *arg, const char *job)
{
    struct batch *b = arg;

    snprintf(b->job, sizeof(b->job), "%s", job);
    b->jobs[0] = b->job;
    sc_watch_start(&b->watch, b->cli, b->jobs, 1, on_end, b);
}

/* The source: one system after the other. */
static int
next_task(void *arg, const char **task, size_t *len)
{
    struct batch *b = arg;

    if (b->next == b->report.n_systems)
        return 0;
    *len = (size_t)snprintf(b->task, sizeof(b->task), "{\"system\":%lld}",
                            (long long)b->report.systems[b->next++].id);
    *task = b->task;
    return 1;
}

static void
on_systems(void *arg, const sc_result_row *row, const sc_failure *why)
{
    static const sc_job_spec spec = {
        .handler = "energy.compute", .name = "energy batch", .priority = -1};
    struct batch *b = arg;
    sc_error err = {0};

    if (sc_cli_failed(b->cli, why))
        return;
    if (row->status != SC_RESULT_DONE) {
        sc_cli_say(b->cli, "cannot list the systems: %.*s", (int)row->value_len, row->value);
        sc_cli_end(b->cli, SC_EXIT_FAILED);
        return;
    }
    if (sc_energy_report_systems(&b->report, row->value, row->value_len,
                                 sc_args_text(&b->cli->args, SC_OPT_SYSTEMS), &err)) {
        sc_cli_say(b->cli, "%s; load some with: seedcore energy load DIR%s", err.text,
                   b->cli->option);
        sc_cli_end(b->cli, SC_EXIT_FAILED);
        return;
    }
    b->started_ms = sc_clock_ms();
    b->feed = (sc_feed){.cli = b->cli, .next = next_task, .on_accepted = on_accepted, .arg = b};
    sc_feed_start(&b->feed, &spec);
}

static void
on_workers(void *arg)
{
    struct batch *b = arg;

    sc_cli_refused(b->cli,
                   sc_client_call(b->cli->client, "energy.systems", "{}", 2, 0, on_systems, b));
}

static int
run(sc_cli *cli)
{
    const char *systems = sc_args_text(&cli->args, SC_OPT_SYSTEMS);
    struct batch b = {.cli = cli};
    int status;

    if (systems && !sc_energy_ranges_check(systems))
        return sc_cli_usage(cli,
                            "--systems: \"%s\" is not a list such as 1,3,7-9 of at most %d systems",
                            systems, SC_ENERGY_MAX_LISTED);
    if ((status = sc_cli_connect(cli)))
        return status;
    cli->arg = &b;
    sc_cli_with_workers(cli, on_workers);
    status = sc_cli_run(cli);
    sc_watch_fini(&b.watch);
    sc_energy_report_fini(&b.report);
    return status;
}

static const struct poptOption options[] = {
    SC_OPTION("systems", SC_OPT_SYSTEMS,
              "just these, such as 1,3,7-9 (default: all that are loaded)", "LIST"),
    POPT_TABLEEND,
};

const sc_verb sc_verb_energy_batch = {
    .name = "energy batch",
    .summary = "compute the energy of every system",
    .arguments = "",
    .description =
        "Computes energy and gradient of every system that is loaded, one task each, and shows the "
        "systems with the lowest and highest energy per agent and the energy over the months. "
        "OTHER "
        "is the sum of the terms that have no column: reg, mem, drift_term and anomaly_term. With "
        "--json a line a system: system_id, then each term; system_id and error for one that "
        "failed.\n",
    .options = options,
    .settings = SC_VERB_CONNECTS,
    .has_json = true,
    .run = run,
};
