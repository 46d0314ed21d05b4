/* SPDX-License-Identifier: Apache-2.0 */
/* `seedcore handlers`: what the workers offer. */
#include "client/cli/cli.h"
#include "client/cli/table.h"
#include "client/cli/verbs.h"

static const sc_table_column columns[] = {
    {"HANDLER", false, SC_TABLE_KEEP},
    {"WORKERS", true, SC_TABLE_KEEP},
    {"DESCRIPTION", false, SC_TABLE_CUT},
};

struct handlers {
    sc_cli *cli;
    bool is_json;
    sc_table table;
};

static void
on_handler(void *arg, const sc_handler_status *handler, const sc_failure *why)
{
    struct handlers *h = arg;
    sc_out *o = &h->cli->out;

    if (sc_cli_failed(h->cli, why))
        return;
    if (!handler) {
        sc_cli_end(h->cli, SC_EXIT_DONE);
    } else if (h->is_json) {
        sc_out_begin(o);
        sc_out_field_text(o, "handler", handler->handler);
        sc_out_field_number(o, "workers", handler->workers);
        sc_out_field_text(o, "description", handler->description);
        sc_out_end(o);
    } else {
        sc_table_text(&h->table, handler->handler, SC_COLOUR_NONE);
        sc_table_number(&h->table, handler->workers);
        sc_table_text(&h->table, handler->description, SC_COLOUR_NONE);
    }
}

static int
run(sc_cli *cli)
{
    struct handlers h = {.cli = cli, .is_json = sc_args_has(&cli->args, SC_OPT_JSON)};
    int status = sc_cli_connect(cli);

    if (status)
        return status;
    sc_table_init(&h.table, columns, sizeof(columns) / sizeof(columns[0]), &cli->term);
    sc_cli_refused(cli, sc_client_handlers(cli->client, false, on_handler, &h));
    status = sc_cli_run(cli);
    sc_table_write(&h.table, &cli->out);
    sc_table_fini(&h.table);
    return status;
}

const sc_verb sc_verb_handlers = {
    .name = "handlers",
    .summary = "list what the workers offer",
    .arguments = "",
    .description = "One row a handler: how many workers offer it, and what it does.\n",
    .settings = SC_VERB_CONNECTS,
    .has_json = true,
    .run = run,
};
