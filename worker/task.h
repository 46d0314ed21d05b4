/* SPDX-License-Identifier: Apache-2.0 */
/* A task while it runs: what handlers know as an opaque sc_task. The executor's; task.c has the
 * functions of handler.h.
 *
 *     FREE -> CALLED -> FREE                    it ended inside run()
 *             CALLED -> WAITING -> FREE         asynchronous: it ended later
 *     FREE -> QUEUED -> FREE                    in threads; only the loop moves it
 */
#ifndef SC_TASK_H
#define SC_TASK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buffer.h"
#include "base/heap.h"
#include "proto/message.h"
#include "worker/executor.h"
#include "worker/handler.h"

typedef enum sc_task_state {
    SC_TASK_FREE,
    SC_TASK_CALLED,
    SC_TASK_WAITING,
    SC_TASK_QUEUED
} sc_task_state;

/* Whose the end of a task is. */
typedef enum sc_task_fate {
    SC_FATE_OWN,       /* its handler's */
    SC_FATE_TIMED_OUT, /* over its time limit: it has failed, whatever its handler says */
    SC_FATE_CANCELLED
} sc_task_fate;

struct sc_task {
    sc_started started;         /* the session's */
    STAILQ_ENTRY(sc_task) node; /* free ones, a queue of threads.c */
    sc_executor *executor;
    const sc_handler *handler;
    uint32_t handler_number; /* its place in HELLO */
    uint32_t slot;           /* of the page, while it waits */
    sc_task_state state;
    bool is_ended;   /* by its handler */
    bool is_checked; /* what it returns: its handler is from a plugin */
    sc_task_fate fate;
    atomic_bool is_cancelled;
    int64_t started_ns, took_ns;
    atomic_llong begun_ms; /* 0: not yet, it waits for a thread */
    int64_t give_up_ms;    /* cancelled: when it is given up; 0: never */
    sc_heap_node limit;    /* in the executor's heap: when it is to be looked at for its limits */
    void *data;            /* the handler's */
    /* how far it says it is, both 0: it has not; and whether it lies in the executor's stack of
     * those that the loop is to look at (which may last beyond its end) */
    atomic_ullong progress, progress_of;
    atomic_bool is_reported;
    sc_task *next_reported;
    sc_slice args;    /* into the run, or into `joined` */
    sc_buffer joined; /* memory for arguments of arrays; kept from task to task */
    sc_ending ending; /* in threads: how it ended, */
    sc_buffer value;  /* and the bytes of that */
};

/** What every end of a task comes to. In a thread the ending is kept, on the loop it goes to the
 * session at once. */
void sc_executor_end(sc_executor *e, sc_task *task, const sc_ending *ending);
/** Code of a task that waits is running on the loop, until sc_executor_leave or its end. */
void sc_executor_enter(sc_executor *e, sc_task *task);
void sc_executor_leave(sc_executor *e, sc_task *task);
/** In any thread: `progress` is another. */
void sc_executor_report(sc_executor *e, sc_task *task);
uv_loop_t *sc_executor_loop(const sc_executor *e);
/** Where the statements of tasks go; NULL where there is no database. */
sc_database *sc_executor_database(const sc_executor *e);

#endif
