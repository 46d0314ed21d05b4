/* SPDX-License-Identifier: Apache-2.0 */
/* `seedcore results`: the results of a job as JSON lines, in task order. */
#include "client/cli/cli.h"
#include "client/cli/reader.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"

#include <stdio.h>

struct results {
    sc_cli *cli;
    sc_out file; // with --output
    sc_out *out; // the file or stdout
    char job[SC_JOB_ID_TEXT];
    uint64_t n_tasks;
    bool has_some;
    sc_reader reader;
};

static void
on_row(void *arg, const sc_result_row *row)
{
    struct results *r = arg;

    r->has_some = true;
    sc_result_line(row, r->out);
}

static void
on_end(void *arg)
{
    struct results *r = arg;
    char count[SC_FORMAT_BYTES];

    if (!r->has_some && r->reader.n_dropped == 0)
        sc_cli_note(r->cli, "none of %s task%s has ended yet; --wait follows",
                    sc_format_count(r->n_tasks, count), r->n_tasks == 1 ? "" : "s");
    sc_cli_end(r->cli, sc_reader_status(&r->reader));
}

/* The whole id is known. */
static void
on_job(void *arg, const sc_job_status *job, const sc_failure *why)
{
    struct results *r = arg;
    bool wait = sc_args_has(&r->cli->args, SC_OPT_WAIT);

    if (sc_cli_failed(r->cli, why))
        return;
    snprintf(r->job, sizeof(r->job), "%s", job->id);
    r->n_tasks = job->total;
    r->reader = (sc_reader){.cli = r->cli,
                            .job = r->job,
                            .order = wait ? SC_BY_INDEX : SC_BY_INDEX_ENDED,
                            .wait = wait,
                            .on_row = on_row,
                            .on_end = on_end,
                            .arg = r,
                            .out = r->out};
    sc_reader_start(&r->reader);
}

static void
on_interrupt(void *arg)
{
    sc_cli *cli = arg;

    sc_cli_interrupted(cli, cli->args.words[0]);
}

static int
read_results(struct results *r)
{
    int status = sc_cli_connect(r->cli);

    if (status)
        return status;
    if (sc_args_has(&r->cli->args, SC_OPT_WAIT))
        r->cli->on_interrupt = on_interrupt;
    r->cli->arg = r->cli;
    sc_cli_ask_job(r->cli, r->cli->args.words[0], false, on_job, r);
    return sc_cli_run(r->cli);
}

static int
run(sc_cli *cli)
{
    const char *path = sc_args_text(&cli->args, SC_OPT_OUTPUT);
    struct results r = {.cli = cli, .out = &cli->out};
    int status = 0;

    sc_out_init(&r.file);
    if (path && (status = sc_cli_open_out(cli, &r.file, path)))
        return status;
    if (path)
        r.out = &r.file;
    status = read_results(&r);
    if (path && status == SC_EXIT_DONE)
        status = sc_cli_close_out(cli, &r.file, status);
    sc_out_fini(&r.file);
    return status;
}

static const struct poptOption options[] = {
    SC_SWITCH("wait", SC_OPT_WAIT, "follow the job until it has ended"),
    SC_OPTION("output", SC_OPT_OUTPUT,
              "write to this file, which appears once it is complete (-: stdout)", "FILE"),
    POPT_TABLEEND,
};

const sc_verb sc_verb_results = {
    .name = "results",
    .summary = "print the results of a job",
    .arguments = "JOB",
    .description =
        "Prints a JSON line for each task that has ended, in the order of the indexes; failed "
        "(\"dead\") and cancelled ones too, with \"error\" in place of \"value\":\n"
        "\n"
        "  {\"index\":7,\"status\":\"done\",\"attempt\":1,\"worker\":\"w-3\",\"value\":...}\n"
        "  {\"index\":8,\"status\":\"dead\",\"attempt\":3,\"worker\":\"w-1\",\"error\":{\"code\":"
        "\"...\",\"message\":\"...\"}}\n"
        "\n"
        "Reading removes nothing.\n",
    .options = options,
    .min_words = 1,
    .max_words = 1,
    .settings = SC_VERB_CONNECTS,
    .has_json = true,
    .run = run,
};
