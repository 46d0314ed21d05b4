/* SPDX-License-Identifier: Apache-2.0 */
/* The threads of a worker for handlers that compute, and the queue in front of them. Tasks go in
 * and come back on the loop's thread; between that they belong to the threads. */
#ifndef SC_THREADS_H
#define SC_THREADS_H

#include <stdint.h>

#include <uv.h>

#include "worker/handler.h"

typedef struct sc_threads sc_threads;

typedef struct sc_threads_config {
    uv_loop_t *loop;
    uint32_t n_threads;
    void (*run)(sc_task *task, uint32_t thread); /* in a thread, numbered from 0 */
    void (*on_ended)(void *arg,
                     sc_task *task); /* on the loop, for each task that `run` has returned from */
    void (*on_turn)(void *arg);      /* on the loop, after some of these */
    void *arg;
} sc_threads_config;

/** @return 0, SC_ENOMEM, a system error */
int sc_threads_new(const sc_threads_config *config, sc_threads **out);
/** Hand a task over; first in, first out. */
void sc_threads_add(sc_threads *t, sc_task *task);
/** Nothing may be queued or running. Joins the threads; the memory is released from the loop,
 * later. Sets NULL; NULL is accepted. */
void sc_threads_close(sc_threads **t);

#endif
