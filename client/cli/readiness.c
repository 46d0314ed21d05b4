/* SPDX-License-Identifier: Apache-2.0 */
/* Questions of `up` to the coordinator, see readiness.h. The first worker is waited for; for the
 * others, which come within milliseconds of it, the count is asked for again. */
#include "client/cli/readiness.h"

#include <string.h>

enum { COUNT_FIRST_MS = 2, COUNT_MAX_MS = 200, ALREADY_UP_MS = 2000 };

static void count(sc_readiness *r);

static void
on_timer(uv_timer_t *timer)
{
    count(timer->data);
}

static void
on_worker(void *arg, const sc_worker_status *worker, const sc_failure *why)
{
    sc_readiness *r = arg;
    size_t len = strlen(r->prefix);

    if (!r->cli->client || why || r->cli->is_ended)
        return;
    if (worker) {
        r->n_found += strncmp(worker->worker, r->prefix, len) == 0 && worker->worker[len] == '-';
        return;
    }
    if (r->n_found >= r->n_wanted) {
        sc_readiness_stop(r);
        r->on_ready(r->arg);
        return;
    }
    uv_timer_start(&r->timer, on_timer, (uint64_t)r->delay_ms, 0);
    r->delay_ms = 2 * r->delay_ms < COUNT_MAX_MS ? 2 * r->delay_ms : COUNT_MAX_MS;
}

static void
count(sc_readiness *r)
{
    r->n_found = 0;
    if (r->cli->client && !r->cli->is_ended)
        sc_client_workers(r->cli->client, on_worker, r);
}

static void
on_handler(void *arg, const sc_handler_status *handler, const sc_failure *why)
{
    sc_readiness *r = arg;

    if (!handler && !why && r->cli->client && !r->cli->is_ended)
        count(r);
}

static void
on_answer(void *arg, const sc_cluster_status *cluster, const sc_failure *why)
{
    sc_readiness *r = arg;

    if (!cluster || why || !r->cli->client || r->cli->is_ended)
        return;
    sc_readiness_stop(r);
    r->on_ready(r->arg);
}

void
sc_readiness_init(sc_readiness *r)
{
    uv_timer_init(&r->cli->loop, &r->timer);
    r->timer.data = r;
}

void
sc_readiness_start(sc_readiness *r)
{
    const sc_client_options options = {.endpoint = r->endpoint, .connect_timeout_ms = -1};
    sc_cli *cli = r->cli;

    r->delay_ms = COUNT_FIRST_MS;
    if (sc_cli_refused(cli, sc_client_new(&cli->loop, &options, &cli->client)))
        return;
    if (r->n_wanted > 0)
        sc_cli_refused(cli, sc_client_handlers(cli->client, true, on_handler, r));
    else
        sc_cli_refused(cli, sc_client_cluster(cli->client, on_answer, r));
}

void
sc_readiness_stop(sc_readiness *r)
{
    uv_timer_stop(&r->timer);
    sc_client_close(&r->cli->client, NULL, NULL);
}

static void
on_cluster(void *arg, const sc_cluster_status *cluster, const sc_failure *why)
{
    sc_cli *cli = arg;
    const char *endpoint = sc_settings_text(cli->settings, SC_SET_ENDPOINT);

    if (cli->is_ended)
        return;
    if (why && why->number == SC_ENOCOORD)
        sc_cli_say(cli,
                   "something listens at %s but does not answer: a coordinator that hangs, or "
                   "another program; choose another --endpoint",
                   endpoint);
    else if (why)
        sc_cli_say(cli, "a coordinator listens at %s: %s", endpoint, why->text);
    else
        sc_cli_say(cli, "a cluster is already up at %s: coordinator with pid %llu on %s", endpoint,
                   (unsigned long long)cluster->pid, cluster->host);
    sc_cli_end(cli, SC_EXIT_FAILED);
}

int
sc_readiness_already_up(sc_cli *cli, const char *endpoint)
{
    const sc_client_options options = {.endpoint = endpoint, .connect_timeout_ms = ALREADY_UP_MS};
    int status = sc_cli_start(cli);

    if (status)
        return status;
    if (!sc_cli_refused(cli, sc_client_new(&cli->loop, &options, &cli->client)))
        sc_cli_refused(cli, sc_client_cluster(cli->client, on_cluster, cli));
    return sc_cli_run(cli);
}
