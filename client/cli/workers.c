/* SPDX-License-Identifier: Apache-2.0 */
/* `seedcore workers`: one row a ready worker process. */
#include <stdio.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/table.h"
#include "client/cli/verbs.h"

static const sc_table_column columns[] = {
    {"WORKER", false, SC_TABLE_CUT},  {"HOST", false, SC_TABLE_CUT | SC_TABLE_DROP},
    {"PID", true, SC_TABLE_KEEP},     {"STATE", false, SC_TABLE_KEEP},
    {"SLOTS", true, SC_TABLE_DROP},   {"CREDIT", true, SC_TABLE_DROP},
    {"RUNNING", true, SC_TABLE_KEEP}, {"WAITING", true, SC_TABLE_DROP},
    {"DONE", true, SC_TABLE_DROP},
};

struct workers {
    sc_cli *cli;
    bool is_json, has_some;
    sc_table table;
};

static void
write_json(const sc_worker_status *w, sc_out *o)
{
    sc_out_begin(o);
    sc_out_field_text(o, "worker", w->worker);
    sc_out_field_text(o, "host", w->host);
    sc_out_field_number(o, "pid", w->pid);
    sc_out_field_text(o, "state", w->state);
    sc_out_field_number(o, "slots", (uint64_t)w->slots_async + w->slots_thread);
    sc_out_field_number(o, "slots_async", w->slots_async);
    sc_out_field_number(o, "slots_thread", w->slots_thread);
    sc_out_field_number(o, "credit", w->credit);
    sc_out_field_number(o, "running", w->running);
    sc_out_field_number(o, "waiting", w->waiting);
    sc_out_field_number(o, "done", w->done);
    sc_out_end(o);
}

static void
add_row(const sc_worker_status *w, sc_table *table)
{
    bool is_ready = strcmp(w->state, "ready") == 0;
    char pid[24];

    snprintf(pid, sizeof(pid), "%llu", (unsigned long long)w->pid);
    sc_table_text(table, w->worker, SC_COLOUR_NONE);
    sc_table_text(table, w->host, SC_COLOUR_NONE);
    sc_table_text(table, pid, SC_COLOUR_NONE);
    sc_table_text(table, w->state, is_ready ? SC_COLOUR_GREEN : SC_COLOUR_YELLOW);
    sc_table_number(table, (uint64_t)w->slots_async + w->slots_thread);
    sc_table_number(table, w->credit);
    sc_table_number(table, w->running);
    sc_table_number(table, w->waiting);
    sc_table_number(table, w->done);
}

static void
on_worker(void *arg, const sc_worker_status *worker, const sc_failure *why)
{
    struct workers *w = arg;

    if (sc_cli_failed(w->cli, why))
        return;
    w->has_some = w->has_some || worker;
    if (!worker && !w->has_some)
        sc_cli_note(w->cli, "no worker is ready");
    if (!worker)
        sc_cli_end(w->cli, SC_EXIT_DONE);
    else if (w->is_json)
        write_json(worker, &w->cli->out);
    else
        add_row(worker, &w->table);
}

static int
run(sc_cli *cli)
{
    struct workers w = {.cli = cli, .is_json = sc_args_has(&cli->args, SC_OPT_JSON)};
    int status = sc_cli_connect(cli);

    if (status)
        return status;
    sc_table_init(&w.table, columns, sizeof(columns) / sizeof(columns[0]), &cli->term);
    sc_cli_refused(cli, sc_client_workers(cli->client, on_worker, &w));
    status = sc_cli_run(cli);
    sc_table_write(&w.table, &cli->out);
    sc_table_fini(&w.table);
    return status;
}

const sc_verb sc_verb_workers = {
    .name = "workers",
    .summary = "list the worker processes that are ready",
    .arguments = "",
    .description =
        "One row a worker process. SLOTS: how many tasks it can run at once; CREDIT: how "
        "many it may hold, running and waiting. `seedcore workers drain` has them leave.\n",
    .settings = SC_VERB_CONNECTS,
    .has_json = true,
    .run = run,
};
