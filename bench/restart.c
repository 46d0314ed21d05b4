/* SPDX-License-Identifier: Apache-2.0 */
/* How long is a coordinator away that is killed with a million open durable tasks in its journal?
 * From its death until the next one answers a client for the job, and until the first of its tasks
 * has run (workers get 500 ms to come back and say what they hold; here they start at the same
 * moment). Uploaded tasks of 64 bytes, an array, and the worst for a restart: half have ended one
 * by one, each between two that wait for their next attempt. Medians; the target is 2 s. */
#include <stdio.h>

#include "bench/cluster.h"

enum { REPETITIONS = 3, TASKS = 1000000 };
static const double target_s = 2;

typedef struct job {
    sc_bench_cluster *cluster;
    char id[SC_JOB_ID_TEXT];
    uint64_t n_waiting, n_ended; /* when last asked */
    bool is_done;
} job;

static size_t
text(uint64_t i, char text[SC_BENCH_TASK_MAX_BYTES])
{
    return (size_t)snprintf(text, SC_BENCH_TASK_MAX_BYTES, "\"%0*llu\"", SC_BENCH_TASK_BYTES - 2,
                            (unsigned long long)i);
}

/* Every other one may be tried again. */
static size_t
failing_text(uint64_t i, char text[SC_BENCH_TASK_MAX_BYTES])
{
    return (size_t)snprintf(text, SC_BENCH_TASK_MAX_BYTES,
                            "{\"code\":\"no\",\"message\":\"%016llu\",\"retryable\":%s}",
                            (unsigned long long)i, i % 2 == 0 ? "true" : "false");
}

static void
on_job(void *arg, const sc_job_status *status, const sc_failure *why)
{
    job *j = arg;
    sc_bench_check(why, "status");
    j->n_waiting = status->queued + status->running;
    j->n_ended = status->done + status->dead;
    j->is_done = true;
}

static void
ask(job *j)
{
    j->is_done = false;
    if (sc_client_job(j->cluster->client, j->id, false, on_job, j) != 0)
        sc_bench_fail("status: refused by the library");
    sc_bench_cluster_run(j->cluster, &j->is_done);
}

/* ---- the three jobs ---- */

static void
upload(job *j)
{
    const sc_job_spec spec = {.handler = "echo", .priority = -1};
    sc_bench_cluster_upload(j->cluster, &spec, TASKS, text, j->id);
}

static void
on_accepted(void *arg, const char *id, const sc_failure *why)
{
    job *j = arg;
    sc_bench_check(why, "submit");
    snprintf(j->id, sizeof j->id, "%s", id);
    j->is_done = true;
}

static void
submit_array(job *j)
{
    const sc_job_spec spec = {.handler = "echo", .priority = -1};
    j->is_done = false;
    if (sc_client_submit_array(j->cluster->client, &spec, 0, TASKS, "null", 4, on_accepted, j) != 0)
        sc_bench_fail("submit: refused by the library");
    sc_bench_cluster_run(j->cluster, &j->is_done);
}

/* Half of it dead, half waiting for the second attempt (a random part of a day, so some are due).
 */
static void
scatter(job *j)
{
    enum { DAY_MS = 86400000 };
    const sc_job_spec spec = {.handler = "fail",
                              .priority = -1,
                              .retries = 1,
                              .backoff_base_ms = DAY_MS,
                              .backoff_max_ms = DAY_MS};
    sc_bench_cluster_upload(j->cluster, &spec, TASKS, failing_text, j->id);
    sc_bench_cluster_start_workers(j->cluster);
    do
        ask(j);
    while (j->n_waiting > 0);
    sc_bench_kill(&j->cluster->workers);
}

/* ---- the restart ---- */

/* @return until it answers; the job is there as before */
static double
restart(job *j)
{
    ask(j);
    uint64_t n_ended = j->n_ended;
    double start = sc_bench_now_s();
    sc_bench_cluster_restart(j->cluster);
    ask(j);
    double seconds = sc_bench_now_s() - start;
    if (j->n_ended != n_ended)
        sc_bench_fail("%llu tasks had ended, now %llu", (unsigned long long)n_ended,
                      (unsigned long long)j->n_ended);
    return seconds;
}

/* @return until the first task has run */
static double
restart_and_run(job *j)
{
    double start = sc_bench_now_s();
    sc_bench_cluster_restart(j->cluster);
    sc_bench_cluster_start_workers(j->cluster);
    do
        ask(j);
    while (j->n_ended == 0);
    return sc_bench_now_s() - start;
}

/* In a cluster of its own, without workers. */
static void
measure_job(const char *dir, const char *name, void (*make)(job *))
{
    double seconds[REPETITIONS];
    sc_bench_cluster cluster;
    job j = {.cluster = &cluster};
    sc_bench_cluster_start(&cluster, dir, NULL);
    sc_bench_kill(&cluster.workers);
    make(&j);
    for (int r = 0; r < REPETITIONS; r++)
        seconds[r] = restart(&j);
    sc_bench_row(name, sc_bench_median(seconds, REPETITIONS), "s", 0);
    if (make == upload)
        sc_bench_row("restart.run", restart_and_run(&j), "s", 0);
    sc_bench_cluster_stop(&cluster);
}

static void
measure(const char *dir)
{
    measure_job(dir, "restart", upload);
    measure_job(dir, "restart.array", submit_array);
    measure_job(dir, "restart.scattered", scatter);
    fprintf(stderr, "restart: target %.0f s\n", target_s);
}

int
main(void)
{
    return sc_bench_main(measure);
}
