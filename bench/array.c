/* SPDX-License-Identifier: Apache-2.0 */
/* How long does a cluster with ready workers take to accept an array of a million tasks, from the
 * client's request to the acknowledgement? Median; the target is 10 ms. Each array ends before the
 * next is submitted, so that acceptance alone is measured. */
#include <stdio.h>

#include "bench/cluster.h"

enum { REPETITIONS = 21, TASKS = 1000000 };
static const double target_s = 0.010;

typedef struct submission {
    sc_client *client;
    double accepted_at;
    bool has_ended;
} submission;

static void
on_end(void *arg, const sc_job_status *job, const sc_failure *why)
{
    submission *s = arg;
    sc_bench_check(why, "status");
    if (job->done != TASKS)
        sc_bench_fail("%llu of %d tasks are done", (unsigned long long)job->done, TASKS);
    s->has_ended = true;
}

static void
on_accepted(void *arg, const char *job, const sc_failure *why)
{
    submission *s = arg;
    s->accepted_at = sc_bench_now_s();
    sc_bench_check(why, "submit");
    if (sc_client_job(s->client, job, true, on_end, s) != 0)
        sc_bench_fail("status: refused by the library");
}

static double
submit(sc_bench_cluster *cluster)
{
    static const sc_job_spec spec = {.handler = "echo", .priority = -1, .is_volatile = true};
    submission s = {.client = cluster->client};
    double start = sc_bench_now_s();
    if (sc_client_submit_array(s.client, &spec, 0, TASKS, "null", 4, on_accepted, &s) != 0)
        sc_bench_fail("submit: refused by the library");
    sc_bench_cluster_run(cluster, &s.has_ended);
    return s.accepted_at - start;
}

static void
measure(const char *dir)
{
    double seconds[REPETITIONS];
    sc_bench_cluster cluster;
    sc_bench_cluster_start(&cluster, dir, NULL);
    for (int r = 0; r < REPETITIONS; r++)
        seconds[r] = submit(&cluster);
    sc_bench_cluster_stop(&cluster);
    double median = sc_bench_median(seconds, REPETITIONS);
    sc_bench_row("array", median, "s", 0);
    fprintf(stderr, "array: target %.3f s\n", target_s);
}

int
main(void)
{
    return sc_bench_main(measure);
}
