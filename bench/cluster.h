/* SPDX-License-Identifier: Apache-2.0 */
/* A cluster of its own for a benchmark: coordinator and worker processes as children, TCP on the
 * loopback, and a client on the benchmark's loop. Failures end the program (bench/support.h). */
#ifndef SC_BENCH_CLUSTER_H
#define SC_BENCH_CLUSTER_H

#include <stdbool.h>
#include <sys/types.h>

#include <uv.h>

#include "bench/support.h"
#include "client/seedcore.h"

enum { SC_BENCH_ENDPOINT_BYTES = 32, SC_BENCH_DIR_BYTES = 64, SC_BENCH_TASK_MAX_BYTES = 128 };

typedef struct sc_bench_cluster {
    const char *dir; /* that of sc_bench_main; the cluster has a folder within */
    char folder[SC_BENCH_DIR_BYTES];
    char endpoint[SC_BENCH_ENDPOINT_BYTES];
    pid_t coordinator, workers; /* the second is the supervisor of the worker processes */
    uv_loop_t loop;
    sc_client *client;
} sc_bench_cluster;

typedef size_t sc_bench_text_fn(uint64_t i, char text[SC_BENCH_TASK_MAX_BYTES]);

/** Start one; returns when the client is connected and all workers are ready.
 *  @param dir  that of sc_bench_main @param env  of the coordinator, as in sc_bench_spawn */
void sc_bench_cluster_start(sc_bench_cluster *cluster, const char *dir, const char *const env[]);

/** Start the workers again after sc_bench_kill(&cluster->workers); returns when all are ready. */
void sc_bench_cluster_start_workers(sc_bench_cluster *cluster);

/** Kill the coordinator and start another in its place; the client finds it by itself. */
void sc_bench_cluster_restart(sc_bench_cluster *cluster);

/** Upload a job and wait until it is accepted. @param text  writes task i and returns its length,
 * at most SC_BENCH_TASK_MAX_BYTES @param id  of the job */
void sc_bench_cluster_upload(sc_bench_cluster *cluster, const sc_job_spec *spec, uint64_t n_tasks,
                             sc_bench_text_fn *text, char id[SC_JOB_ID_TEXT]);

/** Run the cluster's loop until *is_done. */
void sc_bench_cluster_run(sc_bench_cluster *cluster, const bool *is_done);

/** Kill it, whatever it is doing. */
void sc_bench_cluster_stop(sc_bench_cluster *cluster);

/** A client that ends the program when it finds no coordinator within 10 s. */
sc_client *sc_bench_connect(uv_loop_t *loop, const char *endpoint);

/** End the program where a request failed. @param why  NULL: it did not */
void sc_bench_check(const sc_failure *why, const char *what);

/** An endpoint at a TCP port that is free now. */
void sc_bench_free_endpoint(char endpoint[SC_BENCH_ENDPOINT_BYTES]);

/** A new, empty folder within `dir`. */
void sc_bench_folder(const char *dir, char folder[SC_BENCH_DIR_BYTES]);

#endif
