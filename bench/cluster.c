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

/* ---- a job ---- */

typedef struct uploading {
    sc_upload *upload;
    sc_bench_text_fn *text;
    uint64_t n_tasks, n_added;
    char *id;
    bool is_done;
} uploading;

static void
add_tasks(void *arg)
{
    uploading *u = arg;
    char text[SC_BENCH_TASK_MAX_BYTES];
    for (; u->n_added < u->n_tasks; u->n_added++) {
        int rc = sc_upload_add(u->upload, text, u->text(u->n_added, text));
        if (rc == -EAGAIN)
            return;
        if (rc != 0)
            sc_bench_fail("task %llu: code %d", (unsigned long long)u->n_added, rc);
    }
    if (sc_upload_commit(u->upload) != 0)
        sc_bench_fail("commit: refused by the library");
}

static void
on_accepted(void *arg, const char *id, const sc_failure *why)
{
    uploading *u = arg;
    sc_bench_check(why, "upload");
    snprintf(u->id, SC_JOB_ID_TEXT, "%s", id);
    u->is_done = true;
}

void
sc_bench_cluster_upload(sc_bench_cluster *cluster, const sc_job_spec *spec, uint64_t n_tasks,
                        sc_bench_text_fn *text, char id[SC_JOB_ID_TEXT])
{
    uploading u = {.text = text, .n_tasks = n_tasks, .id = id};
    if (sc_client_upload(cluster->client, spec, add_tasks, on_accepted, &u, &u.upload) != 0)
        sc_bench_fail("upload: refused by the library");
    add_tasks(&u);
    sc_bench_cluster_run(cluster, &u.is_done);
}

/* ---- beginning and end ---- */

static void
spawn_coordinator(sc_bench_cluster *cluster, const char *const env[])
{
    const char *const argv[] = {"seedcore-coordinator", "--endpoint", cluster->endpoint, "--dir",
                                cluster->folder,        NULL};
    cluster->coordinator = sc_bench_spawn(cluster->dir, argv, env);
}

static void
spawn_workers(sc_bench_cluster *cluster)
{
    char n_workers[16];
    snprintf(n_workers, sizeof n_workers, "%d", SC_BENCH_WORKERS);
    const char *const argv[] = {"seedcore-worker", "--connect",       cluster->endpoint,
                                "--processes",     n_workers,         "--dir",
                                cluster->folder,   "--test-handlers", NULL};
    cluster->workers = sc_bench_spawn(cluster->dir, argv, NULL);
}

void
sc_bench_cluster_start(sc_bench_cluster *cluster, const char *dir, const char *const env[])
{
    cluster->dir = dir;
    sc_bench_folder(dir, cluster->folder);
    sc_bench_free_endpoint(cluster->endpoint);
    spawn_coordinator(cluster, env);
    spawn_workers(cluster);
    if (uv_loop_init(&cluster->loop) != 0)
        sc_bench_fail("no loop");
    cluster->client = sc_bench_connect(&cluster->loop, cluster->endpoint);
    wait_for_workers(cluster);
}

void
sc_bench_cluster_start_workers(sc_bench_cluster *cluster)
{
    spawn_workers(cluster);
    wait_for_workers(cluster);
}

void
sc_bench_cluster_restart(sc_bench_cluster *cluster)
{
    sc_bench_kill(&cluster->coordinator);
    spawn_coordinator(cluster, NULL);
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
