/* SPDX-License-Identifier: Apache-2.0 */
/* How long does one call take on an idle machine, from the client's request to its result? `echo`
 * of 64 bytes, one at a time; limit: the same bytes by plain ZeroMQ through a broker, in turn with
 * ours. Rows: the median and the 99th percentile of a repetition, each the median of all. */
#include <stdlib.h>

#include "bench/cluster.h"
#include "bench/raw.h"

enum { REPETITIONS = 5, WARM_UP = 500, CALLS = 2000, TIMEOUT_MS = 5000 };

typedef struct caller {
    sc_client *client;
    const char *payload;
    double *seconds; /* of each call that has ended */
    size_t n, n_ended;
    double start;
    bool is_done;
} caller;

static void call(caller *c);

static void
on_result(void *arg, const sc_result_row *row, const sc_failure *why)
{
    caller *c = arg;
    double now = sc_bench_now_s();
    sc_bench_check(why, "call");
    if (row->status != SC_RESULT_DONE || row->value_len != SC_BENCH_TASK_BYTES)
        sc_bench_fail("call: %.*s", (int)row->value_len, row->value);
    c->seconds[c->n_ended++] = now - c->start;
    c->is_done = c->n_ended == c->n;
    if (!c->is_done)
        call(c);
}

static void
call(caller *c)
{
    c->start = sc_bench_now_s();
    if (sc_client_call(c->client, "echo", c->payload, SC_BENCH_TASK_BYTES, TIMEOUT_MS, on_result,
                       c) != 0)
        sc_bench_fail("call: refused by the library");
}

static void
call_one_by_one(sc_bench_cluster *cluster, caller *c)
{
    c->client = cluster->client;
    call(c);
    sc_bench_cluster_run(cluster, &c->is_done);
}

static void
measure(const char *dir)
{
    static const struct {
        const char *name;
        unsigned per_mille;
    } rows[] = {{"call", 500}, {"call.p99", 990}};
    enum { N_ROWS = sizeof rows / sizeof *rows };
    double seconds[CALLS], ours[N_ROWS][REPETITIONS], theirs[N_ROWS][REPETITIONS];
    char *payload = sc_bench_payloads(1);
    sc_raw raw;
    sc_bench_cluster cluster;
    sc_raw_start(&raw);
    sc_bench_cluster_start(&cluster, dir, NULL);
    sc_raw_round_trips(&raw, seconds, WARM_UP);
    call_one_by_one(&cluster, &(caller){.payload = payload, .seconds = seconds, .n = WARM_UP});
    for (int r = 0; r < REPETITIONS; r++) {
        sc_raw_round_trips(&raw, seconds, CALLS);
        for (size_t i = 0; i < N_ROWS; i++)
            theirs[i][r] = sc_bench_quantile(seconds, CALLS, rows[i].per_mille);
        call_one_by_one(&cluster, &(caller){.payload = payload, .seconds = seconds, .n = CALLS});
        for (size_t i = 0; i < N_ROWS; i++)
            ours[i][r] = sc_bench_quantile(seconds, CALLS, rows[i].per_mille);
    }
    sc_bench_cluster_stop(&cluster);
    sc_raw_stop(&raw);
    free(payload);
    for (size_t i = 0; i < N_ROWS; i++)
        sc_bench_row(rows[i].name, sc_bench_median(ours[i], REPETITIONS), "s",
                     sc_bench_median(theirs[i], REPETITIONS));
}

int
main(void)
{
    return sc_bench_main(measure);
}
