/* SPDX-License-Identifier: Apache-2.0 */
/* `seedcore workers drain`: worker processes leave for good. Whether they have is asked again and
 * again, so that it goes on with another coordinator. */
#include <string.h>

#include <uv.h>

#include "base/error.h"
#include "client/cli/cli.h"
#include "client/cli/verbs.h"

enum { ASK_EVERY_MS = 200 }; // soon for a person, nothing for the coordinator

struct drain {
    sc_cli *cli;
    const char *name;
    uv_timer_t timer;
    bool is_asked; // and it was answered: it was there
};

static void on_draining(void *arg, unsigned n_processes, const sc_failure *why);

static void
ask(struct drain *d)
{
    sc_cli_refused(d->cli, sc_client_drain(d->cli->client, d->name, on_draining, d));
}

static void
on_timer(uv_timer_t *timer)
{
    ask(timer->data);
}

static void
on_draining(void *arg, unsigned n_processes, const sc_failure *why)
{
    struct drain *d = arg;
    sc_cli *cli = d->cli;

    if (d->is_asked && why && why->number == SC_ENOTFOUND) {
        sc_cli_say(cli, "%s has left", d->name);
        sc_cli_end(cli, SC_EXIT_DONE);
        return;
    }
    if (sc_cli_failed(cli, why))
        return;
    if (n_processes > 0 && sc_args_has(&cli->args, SC_OPT_NO_WAIT)) {
        sc_cli_say(cli, "%s drains: %u process%s", d->name, n_processes,
                   n_processes == 1 ? "" : "es");
        sc_cli_end(cli, SC_EXIT_DONE);
        return;
    }
    d->is_asked |= n_processes > 0;
    cli->is_patient = true;
    uv_timer_start(&d->timer, on_timer, ASK_EVERY_MS, 0);
}

static int
run(sc_cli *cli)
{
    struct drain d = {.cli = cli, .name = cli->args.words[0]};
    int status = sc_cli_check_name(cli, "workers drain", d.name, SC_NAME_MAX);

    if (status || (status = sc_cli_connect(cli)))
        return status;
    uv_timer_init(&cli->loop, &d.timer);
    d.timer.data = &d;
    ask(&d);
    return sc_cli_run(cli);
}

static const struct poptOption options[] = {
    SC_SWITCH("no-wait", SC_OPT_NO_WAIT, "return once it was asked to leave"),
    POPT_TABLEEND,
};

const sc_verb sc_verb_workers_drain = {
    .name = "workers drain",
    .summary = "have worker processes finish what runs, and leave",
    .arguments = "WORKER",
    .description =
        "WORKER is one, as `seedcore workers` shows it, or the name of a supervisor (what its "
        "workers are named before the last hyphen): all its workers. They finish what runs (after "
        "DRAIN_TIMEOUT it is ended and runs elsewhere), give back what waits, leave, and are not "
        "started again. Waits until they have left.\n"
        "\n"
        "  seedcore workers drain host-4711-2\n",
    .min_words = 1,
    .max_words = 1,
    .settings = SC_VERB_CONNECTS,
    .options = options,
    .run = run,
};
