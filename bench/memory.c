/* SPDX-License-Identifier: Apache-2.0 */
/* How much memory does the coordinator take for ten million durable tasks of 64 bytes? What it had
 * at most while they were uploaded and all waited; what it has when it was killed and has read them
 * again; and what that one had at most until they have run and all results are kept. Resident, with
 * the programs' own pages; the target is 200 MB. */
#include <stdio.h>
#include <string.h>

#include "bench/cluster.h"

enum { TASKS = 10000000 };
static const double target_bytes = 200e6;

static size_t
text(uint64_t i, char text[SC_BENCH_TASK_MAX_BYTES])
{
    return (size_t)snprintf(text, SC_BENCH_TASK_MAX_BYTES, "\"%0*llu\"", SC_BENCH_TASK_BYTES - 2,
                            (unsigned long long)i);
}

/* A line of /proc/PID/status (proc(5)), in bytes: VmRSS now, VmHWM the most until now. */
static double
memory_of(pid_t pid, const char *line)
{
    char path[64], name[32];
    double kib;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *status = fopen(path, "re");
    if (status == NULL)
        sc_bench_fail("the coordinator is gone");
    while (fscanf(status, "%31[^:]: ", name) == 1)
        if (strcmp(name, line) == 0 && fscanf(status, "%lf", &kib) == 1) {
            fclose(status);
            return kib * 1024;
        } else if (fscanf(status, "%*[^\n]\n") < 0) {
            break;
        }
    sc_bench_fail("%s: no %s", path, line);
}

typedef struct question {
    const char *state; /* that the job is to have */
    bool is_done;
} question;

static void
on_job(void *arg, const sc_job_status *job, const sc_failure *why)
{
    question *q = arg;
    sc_bench_check(why, "status");
    if (strcmp(job->state, q->state) != 0 || job->total != TASKS)
        sc_bench_fail("the job of %llu tasks is %s", (unsigned long long)job->total, job->state);
    q->is_done = true;
}

/* Ask for the job, or wait for its end. */
static void
check_job(sc_bench_cluster *cluster, const char *id, bool wait, const char *state)
{
    question q = {.state = state};
    if (sc_client_job(cluster->client, id, wait, on_job, &q) != 0)
        sc_bench_fail("status: refused by the library");
    sc_bench_cluster_run(cluster, &q.is_done);
}

static void
measure(const char *dir)
{
    const sc_job_spec spec = {.handler = "echo", .priority = -1};
    char id[SC_JOB_ID_TEXT];
    sc_bench_cluster cluster;
    sc_bench_cluster_start(&cluster, dir, NULL);
    sc_bench_kill(&cluster.workers);
    sc_bench_cluster_upload(&cluster, &spec, TASKS, text, id);
    sc_bench_row("memory", memory_of(cluster.coordinator, "VmHWM"), "bytes", 0);
    sc_bench_cluster_restart(&cluster);
    check_job(&cluster, id, false, "open");
    sc_bench_row("memory.restarted", memory_of(cluster.coordinator, "VmRSS"), "bytes", 0);
    sc_bench_cluster_start_workers(&cluster);
    check_job(&cluster, id, true, "succeeded");
    sc_bench_row("memory.run", memory_of(cluster.coordinator, "VmHWM"), "bytes", 0);
    sc_bench_cluster_stop(&cluster);
    fprintf(stderr, "memory: target %.0f bytes\n", target_bytes);
}

int
main(void)
{
    return sc_bench_main(measure);
}
