/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of a command and its link to the coordinator, see cli.h: signals, the time limit until
 * something answers, what is said when the coordinator goes and comes back. Called by the verbs. */
#include <signal.h>
#include <string.h>

#include "base/endpoints.h"
#include "client/cli/cli.h"
#include "client/cli/endpoint.h"
#include "proto/endpoint.h"

static void
on_signal(uv_signal_t *handle, int signum)
{
    sc_cli *cli = handle->data;

    (void)signum;
    if (cli->is_ended)
        return;
    if (cli->on_interrupt) {
        cli->on_interrupt(cli->arg);
        return;
    }
    sc_cli_say(cli, "interrupted");
    sc_cli_end(cli, SC_EXIT_INTERRUPTED);
}

int
sc_cli_start(sc_cli *cli)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    int rc = uv_loop_init(&cli->loop);

    if (rc) {
        sc_cli_say(cli, "cannot start: %s", uv_strerror(rc));
        return SC_EXIT_FAILED;
    }
    cli->has_loop = true;
    cli->out.is_held = true; // a reader that is slow must not stop the loop
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        uv_signal_init(&cli->loop, &cli->signals[i]);
        cli->signals[i].data = cli;
        rc = uv_signal_start(&cli->signals[i], on_signal, numbers[i]);
        uv_unref((uv_handle_t *)&cli->signals[i]);
        SC_ASSERT(rc == 0);
    }
    uv_timer_init(&cli->loop, &cli->limit);
    cli->limit.data = cli;
    return 0;
}

/* Of several endpoints the one that is best spoken of: whose host is unknown (`why`: the reason,
 * else NULL), else one of this machine, else the first. */
static const char *
choose(const sc_endpoints *all, const char **why)
{
    const char *chosen = NULL;

    for (unsigned i = 0; i < all->n; i++)
        if ((*why = sc_endpoint_unknown_host(all->items[i])))
            return all->items[i];
    for (unsigned i = 0; i < all->n && !chosen; i++)
        if (sc_endpoint_is_local(all->items[i]))
            chosen = all->items[i];
    return chosen ? chosen : all->items[0];
}

/* Says what helps: another name, or a coordinator, here or on the host of an endpoint. */
static void
no_coordinator(sc_cli *cli)
{
    const char *text = sc_settings_text(cli->settings, SC_SET_ENDPOINT);
    const char *one, *unknown;
    sc_endpoints all;
    char limit[64];

    SC_ASSERT(sc_endpoints_parse(text, &all, NULL) == 0); // it was when it was set
    one = choose(&all, &unknown);
    sc_settings_format(cli->settings, SC_SET_CONNECT_TIMEOUT, limit, sizeof(limit));
    if (unknown)
        sc_cli_say(cli, "no coordinator answered at %s within %s: %s%s host cannot be found: %s",
                   text, limit, all.n > 1 ? one : "its", all.n > 1 ? ": this" : "", unknown);
    else if (sc_endpoint_is_local(one))
        sc_cli_say(cli, "no coordinator answered at %s within %s; start one with: seedcore up%s%s",
                   text, limit, all.n > 1 ? " --endpoint " : cli->option, all.n > 1 ? one : "");
    else
        sc_cli_say(cli,
                   "no coordinator answered at %s within %s; start one on %s host with: "
                   "seedcore up --insecure --endpoint tcp://0.0.0.0%s",
                   text, limit, all.n > 1 ? "the first" : "its", strrchr(one, ':'));
    sc_cli_end(cli, SC_EXIT_NO_COORDINATOR);
}

static void
on_limit(uv_timer_t *timer)
{
    sc_cli *cli = timer->data;

    if (!cli->is_connected) {
        no_coordinator(cli);
        return;
    }
    sc_cli_say(
        cli,
        "no worker has joined yet, or all have left; start one with: seedcore-worker --connect "
        "%s",
        sc_settings_text(cli->settings, SC_SET_ENDPOINT));
    sc_cli_end(cli, SC_EXIT_FAILED);
}

/* Starts the time in which an answer must come: the coordinator's, or that of a first worker. */
static void
start_limit(sc_cli *cli)
{
    int64_t ms = sc_settings_int(cli->settings, SC_SET_CONNECT_TIMEOUT), left_ms;

    uv_update_time(&cli->loop);
    left_ms = cli->workers_by - (int64_t)uv_now(&cli->loop);
    if (cli->is_connected && cli->workers_by && left_ms < ms)
        ms = left_ms > 0 ? left_ms : 0;
    uv_timer_start(&cli->limit, on_limit, (uint64_t)ms, 0);
}

static void
on_client_event(void *arg, sc_client_event event, const sc_failure *why)
{
    sc_cli *cli = arg;
    const char *endpoints = sc_settings_text(cli->settings, SC_SET_ENDPOINT);

    if (cli->is_ended)
        return;
    switch (event) {
    case SC_CLIENT_CONNECTED:
        if (cli->is_lost)
            sc_cli_say(cli,
                       sc_endpoints_are_many(endpoints) ? "the coordinator is back at %s"
                                                        : "the coordinator is back",
                       sc_client_endpoint(cli->client));
        cli->is_lost = false;
        cli->is_connected = true;
        if (cli->is_waiting_for_workers)
            start_limit(cli);
        else
            uv_timer_stop(&cli->limit);
        break;
    case SC_CLIENT_DISCONNECTED:
        sc_cli_say(cli, "lost the coordinator at %s; looking for it%s%s",
                   sc_client_endpoint(cli->client), sc_endpoints_are_many(endpoints) ? " at " : "",
                   sc_endpoints_are_many(endpoints) ? endpoints : "");
        cli->is_lost = true;
        if (cli->is_patient)
            break;
        cli->is_connected = false;
        start_limit(cli);
        break;
    case SC_CLIENT_UNREACHABLE:
        no_coordinator(cli);
        break;
    case SC_CLIENT_REFUSED:
        sc_cli_failed(cli, why);
        break;
    }
}

int
sc_cli_connect(sc_cli *cli)
{
    sc_client_options options = {
        .endpoint = sc_settings_text(cli->settings, SC_SET_ENDPOINT),
        .connect_timeout_ms = sc_settings_int(cli->settings, SC_SET_CONNECT_TIMEOUT),
        .on_event = on_client_event,
        .arg = cli,
    };
    sc_endpoints all;
    int status, rc;

    SC_ASSERT(sc_endpoints_parse(options.endpoint, &all, NULL) == 0);
    for (unsigned i = 0; i < all.n; i++)
        if (!sc_endpoint_is_fixed(all.items[i]))
            return sc_cli_usage(cli, "cannot connect to %s: its port is not 1 to 65535",
                                all.items[i]);
    if ((status = sc_cli_start(cli)))
        return status;
    rc = sc_client_new(&cli->loop, &options, &cli->client);
    if (rc == 0)
        return 0;
    sc_cli_say(cli, "cannot connect to %s: %s", options.endpoint,
               rc == -EINVAL ? "not an endpoint (tcp://HOST:PORT or ipc://PATH)"
                             : sc_error_text(rc));
    sc_cli_end(cli, rc == -EINVAL ? SC_EXIT_USAGE : SC_EXIT_FAILED);
    return sc_cli_run(cli);
}

static void
on_client_closed(void *arg)
{
    bool *is_closed = arg;

    *is_closed = true;
}

static void
close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

int
sc_cli_run(sc_cli *cli)
{
    bool is_closed;

    while (!cli->is_ended && uv_run(&cli->loop, UV_RUN_DEFAULT))
        ;
    SC_ASSERT(cli->is_ended); // else a verb waits for nothing
    sc_cli_progress(cli, NULL);
    is_closed = !cli->client;
    sc_client_close(&cli->client, on_client_closed, &is_closed);
    while (!is_closed)
        uv_run(&cli->loop, UV_RUN_ONCE);
    uv_walk(&cli->loop, close_handle, NULL);
    while (uv_run(&cli->loop, UV_RUN_DEFAULT))
        ; // a verb that ended before its loop ran leaves a stop behind, which ends the first run at
          // once
    SC_ASSERT(uv_loop_close(&cli->loop) == 0);
    return cli->status;
}

void
sc_cli_end(sc_cli *cli, int status)
{
    if (cli->is_ended)
        return;
    cli->is_ended = true;
    cli->status = status;
    if (cli->has_loop)
        uv_stop(&cli->loop);
}

void
sc_cli_interrupted(sc_cli *cli, const char *jobs)
{
    sc_cli_say(cli, "interrupted; what was submitted goes on: seedcore wait %s%s", jobs,
               cli->option);
    sc_cli_end(cli, SC_EXIT_INTERRUPTED);
}

bool
sc_cli_failed(sc_cli *cli, const sc_failure *why)
{
    const char *text;

    if (cli->is_ended)
        return true;
    if (!why)
        return false;
    if (why->number == SC_ENOCOORD) {
        no_coordinator(cli);
        return true;
    }
    text = why->text ? why->text : why->code;
    if (cli->job && !strstr(text, cli->job))
        sc_cli_say(cli, "job %s: %s", cli->job, text);
    else
        sc_cli_say(cli, "%s", text);
    sc_cli_end(cli, SC_EXIT_FAILED);
    return true;
}

bool
sc_cli_refused(sc_cli *cli, int rc)
{
    if (rc >= 0)
        return false;
    if (!cli->is_ended)
        sc_cli_say(cli, "%s", sc_error_text(rc));
    sc_cli_end(cli, SC_EXIT_FAILED);
    return true;
}

void
sc_cli_ask_job(sc_cli *cli, const char *job, bool wait, sc_job_cb cb, void *arg)
{
    int rc = sc_client_job(cli->client, job, wait, cb, arg);

    cli->job = job;
    if (rc == -EINVAL && !cli->is_ended) {
        sc_cli_say(cli, "job %s: %s", job, sc_error_text(SC_ENOJOB));
        sc_cli_end(cli, SC_EXIT_FAILED);
    } else {
        sc_cli_refused(cli, rc);
    }
}

static void on_handler(void *arg, const sc_handler_status *handler, const sc_failure *why);

static void
ask_handlers(sc_cli *cli)
{
    int rc = sc_client_handlers(cli->client, cli->is_waiting_for_workers, on_handler, cli);

    sc_cli_refused(cli, rc);
}

/* The list ends with NULL. An empty one is asked for again: that answer comes with the first
 * worker. */
static void
on_handler(void *arg, const sc_handler_status *handler, const sc_failure *why)
{
    sc_cli *cli = arg;
    void (*next)(void *arg) = cli->on_workers;

    if (sc_cli_failed(cli, why))
        return;
    if (handler) {
        cli->has_workers = true;
        cli->is_offered |= cli->handler && strcmp(handler->handler, cli->handler) == 0;
        return;
    }
    if (!cli->has_workers && !cli->is_waiting_for_workers) {
        cli->is_waiting_for_workers = true;
        if (cli->patience_ms)
            cli->workers_by = (int64_t)uv_now(&cli->loop) + cli->patience_ms;
        start_limit(cli);
        ask_handlers(cli);
        return;
    }
    cli->on_workers = NULL;
    cli->is_waiting_for_workers = false;
    uv_timer_stop(&cli->limit);
    next(cli->arg);
}

void
sc_cli_with_workers(sc_cli *cli, void (*next)(void *arg))
{
    cli->on_workers = next;
    ask_handlers(cli);
}
