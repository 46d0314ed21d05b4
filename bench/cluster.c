/* SPDX-License-Identifier: Apache-2.0 */
/* Starting and ending a cluster for a benchmark. The programs are started as a supervisor of
 * systemd's kind would start them, each by itself, so that a benchmark may give the coordinator an
 * environment of its own. */
#include "bench/cluster.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONNECT_TIMEOUT_MS = 10000 };

/* Counts ready workers, again and again until all are there. */
typedef struct roll_call {
    sc_client *client;
    int n_ready;
    bool is_done;
} roll_call;

void
sc_bench_check(const sc_failure *why, const char *what)
{
    if (why != NULL)
        sc_bench_fail("%s: %s: %s", what, why->code, why->text);
}

void
sc_bench_free_endpoint(char endpoint[SC_BENCH_ENDPOINT_BYTES])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &size) != 0)
        sc_bench_fail("no free port: %s", strerror(errno));
    close(fd);
    snprintf(endpoint, SC_BENCH_ENDPOINT_BYTES, "tcp://127.0.0.1:%u", ntohs(at.sin_port));
}

void
sc_bench_folder(const char *dir, char folder[SC_BENCH_DIR_BYTES])
{
    if (snprintf(folder, SC_BENCH_DIR_BYTES, "%s/XXXXXX", dir) >= SC_BENCH_DIR_BYTES ||
        mkdtemp(folder) == NULL)
        sc_bench_fail("no folder within %s: %s", dir, strerror(errno));
}

static void
on_event(void *arg, sc_client_event event, const sc_failure *why)
{
    (void)arg, (void)event;
    sc_bench_check(why, "the cluster");
}

sc_client *
sc_bench_connect(uv_loop_t *loop, const char *endpoint)
{
    const sc_client_options options = {
        .endpoint = endpoint, .connect_timeout_ms = CONNECT_TIMEOUT_MS, .on_event = on_event};
    sc_client *client;
    if (sc_client_new(loop, &options, &client) != 0)
        sc_bench_fail("no client for %s", endpoint);
    return client;
}

/* ---- all workers are there ---- */

static void
on_worker(void *arg, const sc_worker_status *worker, const sc_failure *why)
{
    roll_call *roll = arg;
    sc_bench_check(why, "workers");
    if (worker != NULL) {
        roll->n_ready++;
        return;
    }
    roll->is_done = roll->n_ready == SC_BENCH_WORKERS;
    roll->n_ready = 0;
    if (!roll->is_done && sc_client_workers(roll->client, on_worker, roll) != 0)
        sc_bench_fail("workers");
}

static void
wait_for_workers(sc_bench_cluster *cluster)
{
    roll_call roll = {.client = cluster->client};
    if (sc_client_workers(roll.client, on_worker, &roll) != 0)
        sc_bench_fail("workers");
    sc_bench_cluster_run(cluster, &roll.is_done);
}

/* ---- beginning and end ---- */

void
sc_bench_cluster_start(sc_bench_cluster *cluster, const char *dir, const char *const env[])
{
    char folder[SC_BENCH_DIR_BYTES], n_workers[16];
    sc_bench_folder(dir, folder);
    sc_bench_free_endpoint(cluster->endpoint);
    snprintf(n_workers, sizeof n_workers, "%d", SC_BENCH_WORKERS);
    const char *const coordinator[] = {
        "seedcore-coordinator", "--endpoint", cluster->endpoint, "--dir", folder, NULL};
    const char *const workers[] = {"seedcore-worker",
                                   "--connect",
                                   cluster->endpoint,
                                   "--processes",
                                   n_workers,
                                   "--dir",
                                   folder,
                                   NULL};
    cluster->coordinator = sc_bench_spawn(dir, coordinator, env);
    cluster->workers = sc_bench_spawn(dir, workers, NULL);
    if (uv_loop_init(&cluster->loop) != 0)
        sc_bench_fail("no loop");
    cluster->client = sc_bench_connect(&cluster->loop, cluster->endpoint);
    wait_for_workers(cluster);
}

void
sc_bench_cluster_run(sc_bench_cluster *cluster, const bool *is_done)
{
    while (!*is_done)
        uv_run(&cluster->loop, UV_RUN_ONCE);
}

void
sc_bench_cluster_stop(sc_bench_cluster *cluster)
{
    sc_client_close(&cluster->client, NULL, NULL);
    uv_run(&cluster->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&cluster->loop) != 0)
        sc_bench_fail("the client left something on its loop");
    sc_bench_kill(&cluster->workers);
    sc_bench_kill(&cluster->coordinator);
}
