/* SPDX-License-Identifier: Apache-2.0 */
/* What plain ZeroMQ does on this machine: a client, a broker and echo workers, each a process, over
 * TCP on the loopback; nothing is remembered, scheduled or checked. It is the limit that the
 * cluster's figures stand beside. Failures end the program (bench/support.h). */
#ifndef SC_BENCH_RAW_H
#define SC_BENCH_RAW_H

#include <stddef.h>
#include <sys/types.h>

#include "bench/support.h"

typedef struct sc_raw {
    void *context, *client;
    pid_t broker, workers[SC_BENCH_WORKERS];
} sc_raw;

/** Start broker and workers; returns when both workers have answered. Idle they cost nothing. */
void sc_raw_start(sc_raw *raw);

/** Echo tasks, pipelined.
 *  @param tasks  n_tasks of sc_bench_payloads @param n_tasks  a multiple of a_message
 *  @param a_message  tasks in one message
 *  @return tasks a second, from the first message sent to the last answer */
double sc_raw_rate(const sc_raw *raw, const char *tasks, size_t n_tasks, size_t a_message);

/** Echo tasks one at a time. @param seconds  `n` entries, the time of each round trip */
void sc_raw_round_trips(const sc_raw *raw, double *seconds, size_t n);

void sc_raw_stop(sc_raw *raw);

#endif
