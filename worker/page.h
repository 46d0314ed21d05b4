/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that a worker process shares with its supervisor, so that its death can be explained: is
 * its loop turning, was it ready, which tasks have started, which of them execute code now. One
 * slot for the loop, one for each thread, one for each asynchronous task that waits, and for tasks
 * that may not be repeated SC_ONCE_MAX, which they keep until their results are acknowledged, ended
 * or not. Each slot has one writer at a time; writing is a few stores. The supervisor reads slots
 * only once the process has ended, ticks and readiness at any time. */
#ifndef SC_PAGE_H
#define SC_PAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "proto/message.h"

typedef enum sc_activity_state {
    SC_ACTIVITY_NONE,      /* the other fields mean nothing */
    SC_ACTIVITY_STARTED,   /* it waits */
    SC_ACTIVITY_EXECUTING, /* code of it is running */
} sc_activity_state;

typedef struct sc_activity {
    atomic_uint state; /* sc_activity_state; stored last */
    atomic_ullong index;
    sc_uuid job;
    sc_token token;
} sc_activity;

typedef struct sc_page_head {
    uint32_t magic;
    uint32_t n_threads, n_async; /* slots: the loop, n_threads, n_async, SC_ONCE_MAX */
    uint64_t instance;           /* of the worker, for HELLO and DIED */
    atomic_ullong n_ticks;       /* grows while the loop turns; 0 until it can */
    atomic_bool is_ready;        /* the coordinator has welcomed it */
    atomic_bool is_leaving;      /* it was asked to end, or refused, and ends by its own will */
} sc_page_head;

typedef struct sc_shared_page {
    sc_page_head *head;
    sc_activity *slots;
    size_t bytes;
    int fd;
} sc_shared_page;

enum { SC_PAGE_LOOP = 0 }; /* slot of the loop; threads from 1 */

/** A new page in memory of its own (memfd, closed on exec). @param n_threads, n_async  1..65536
 *  @return 0 or a system error */
int sc_page_create(uint32_t n_threads, uint32_t n_async, uint64_t instance, sc_shared_page *out);
/** Map the page behind an inherited descriptor. @return 0, SC_EMALFORMED (it is none), a system
 * error */
int sc_page_open(int fd, sc_shared_page *out);
/** Unmap it and close the descriptor. */
void sc_page_close(sc_shared_page *page);

void sc_page_tick(sc_shared_page *page);
void sc_page_set_ready(sc_shared_page *page);
void sc_page_set_leaving(sc_shared_page *page);
/** Slot `slot` is now about this task. The task of the same run as before costs one store. */
void sc_page_begin(sc_shared_page *page, uint32_t slot, const sc_task_ref *task);
/** Slot `slot` is about no task. */
void sc_page_end(sc_shared_page *page, uint32_t slot);
/** The slot of the page for a task that may not be repeated. @param once  below SC_ONCE_MAX */
uint32_t sc_page_once(const sc_shared_page *page, uint32_t once);
/** The tasks that had started when the process ended, each once: executing ones first, then those
 * that may not be repeated. @return how many, at most `max` */
uint32_t sc_page_read(const sc_shared_page *page, sc_task_ref *out, uint32_t max);

#endif
